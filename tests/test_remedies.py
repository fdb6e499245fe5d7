"""A refusal names only what can be done: its remedies are calls that this fit answers."""

import re

import numpy as np
import pytest
import statsmodels.api as sm

import influstat as ist
from influstat.errors import Unsupported

X = sm.add_constant(np.random.default_rng(3).normal(size=(40, 2)))
Y = X[:, 1] + np.random.default_rng(4).normal(size=40)
CLASSES = np.arange(40) % 3
FITS = {
    "RLM": lambda: ist.from_statsmodels(sm.RLM(Y, X).fit()),
    "MNLogit": lambda: ist.from_statsmodels(sm.MNLogit(CLASSES, X).fit(disp=0)),
    "softmax": lambda: ist.Fit.minimise(ist.SoftmaxRisk(X, CLASSES, penalty=ist.L2(1.0))),
    "smoothed hinge": lambda: ist.SmoothedSVC(lam=1.0, t=0.5).fit(X[:, 1:], np.where(Y > 0, 1, -1)),
}
CALLS = {
    "flags": lambda fit: fit.flags(),
    "outlier_test": lambda fit: fit.outlier_test(),
    "bubble": lambda fit: fit.plot.bubble(),
    "index": lambda fit: fit.plot.index("cooks_d"),
    "contours": lambda fit: fit.plot.cooks_contours(),
    "qq": lambda fit: fit.plot.qq(simulations=19),
    "report": lambda fit: fit.report(0),
    "covariance": lambda fit: fit.covariance(),
    "table": lambda fit: fit.inference().table,
    "contrast": lambda fit: ist.contrast(fit, np.eye(len(fit.theta))[0]).to_frame(),
    "diagnostics": lambda fit: fit.diagnostics("cooks_d"),
}
HAVE_DISPERSION = {"covariance", "table", "diagnostics"}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", FITS)
def test_every_remedy_that_is_named_works(name, call):
    fit = FITS[name]()
    try:
        CALLS[call](fit)
    except Unsupported as error:
        remedy = error.remedy
    else:
        assert name in ("RLM", "MNLogit", "softmax")  # likelihoods, or with covariances of their own
        return
    assert ("dispersion=" in remedy) <= (call in HAVE_DISPERSION)
    calls = re.findall(r"fit\.[a-z_.]+\((?:[^()]|\([^()]*\))*\)", remedy)
    if call == "contrast":
        assert remedy == 'standard_errors("HC0") and value need none.'
        calls = ['ist.contrast(fit, np.eye(len(fit.theta))[0]).standard_errors("HC0")']
    assert calls
    for text in calls:
        assert eval(text, {"fit": fit, "ist": ist, "np": np, "name": fit.names[0]}) is not None


@pytest.mark.parametrize("call", ["flags", "outlier_test", "bubble", "qq"])
def test_the_fits_without_a_variance_refuse(call):
    for fit in FITS.values():
        with pytest.raises(Unsupported):
            CALLS[call](fit())
