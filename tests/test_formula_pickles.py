"""Fits of formulas are pickled and read anywhere, with what the formula takes from outside of its table."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from statsmodels.gam.api import BSplines, GLMGam

import influstat as ist
from influstat.errors import Unsupported
from tests.budget import some

SIZE = 40
rng = np.random.default_rng(12)
TABLE = pd.DataFrame(
    {
        "x": rng.normal(size=SIZE),
        "z": rng.uniform(0.5, 4.0, SIZE),
        "level": rng.choice(list("abc"), SIZE),
        "time": rng.uniform(1.0, 5.0, SIZE),
        "two words": rng.normal(size=SIZE),
    }
)
TABLE["y"] = np.exp(TABLE.x - 0.3 * TABLE.z + 0.3 * rng.normal(size=SIZE))
TABLE["n"] = rng.poisson(TABLE.time)
TABLE["kind"] = TABLE.level.astype("category")
TABLE["yes"] = TABLE.x + rng.logistic(size=SIZE) > 0
TABLE["hole"] = TABLE.x.where(TABLE.index != 3)
NEW = TABLE.iloc[5:9]
UNIT = 2.5


def half(values):
    return values / 2.0


FORMULAS = [
    "y ~ x",
    "np.log(y) ~ bs(x, df=5)",
    "y ~ cr(x, df=4) - 1",
    "y ~ center(x) + standardize(z)",
    "standardize(y) ~ x * kind",
    "y ~ C(level, Treatment(reference='b'))",
    "y ~ C(level, Sum):x",
    "y ~ Q('two words')",
    "half(y) ~ half(x) + I(z * UNIT)",
    "np.log(y) ~ hole + center(z)",
    "y ~ 1",
]
MODELS = {
    "binary, boolean": lambda: smf.glm("yes ~ x", TABLE, family=sm.families.Binomial()).fit(),
    "counts, exposure": lambda: smf.poisson("n ~ x", TABLE, exposure=TABLE.time).fit(disp=0),
    "counts, dispersion": lambda: sm.NegativeBinomialP.from_formula(
        "n ~ x", TABLE.assign(n=np.random.default_rng(5).negative_binomial(1, 0.2, SIZE))
    ).fit(disp=0, maxiter=500),
    "smoother": lambda: GLMGam.from_formula(
        "np.log(y) ~ level", TABLE, smoother=BSplines(TABLE[["x"]], df=[5], degree=[3]), alpha=[1.0]
    ).fit(),
    "classes": lambda: smf.mnlogit("code ~ x", TABLE.assign(code=TABLE.kind.cat.codes)).fit(disp=0),
}


def assert_the_same(fit, new):
    losses = fit.loss(new)
    for copied in some([lambda fit: pickle.loads(pickle.dumps(fit)), copy.deepcopy]):
        made = copied(fit)
        again = pickle.loads(pickle.dumps(made))  # whether or not the formula has been made anew
        np.testing.assert_allclose(made.loss(new), losses, rtol=1e-12)
        np.testing.assert_allclose(again.loss(new), losses, rtol=1e-12)
    pickle.dumps(fit.leave_one_out(rows=[0]))


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_pickled_fit_reads_tables_as_before(formula):
    assert_the_same(ist.from_statsmodels(smf.ols(formula, TABLE).fit()), NEW)


@pytest.mark.parametrize("name", MODELS)
def test_a_pickled_fit_of_other_models_does_too(name):
    fit = ist.from_statsmodels(MODELS[name](), polish=True)
    assert_the_same(fit, NEW.assign(code=NEW.kind.cat.codes))


def test_lasso_fits_of_formulas_read_both_sides_and_are_pickled():
    settings = {"alpha": 0.05, "L1_wt": 1.0}
    model = smf.ols("np.log(y) ~ x + z + level", TABLE)
    fit = ist.from_statsmodels(model.fit_regularized(**settings, maxiter=9999, cnvrg_tol=1e-13), **settings)
    residual = model.endog[5:9] - fit.predict(NEW)
    np.testing.assert_allclose(fit.loss(NEW), residual**2)
    np.testing.assert_allclose(fit.loss(NEW, NEW.y), residual**2)  # its variable is the one that was meant
    assert_the_same(fit, NEW)


def test_what_cannot_be_pickled_is_named():
    def local(values):
        return values / 2.0

    fit = ist.from_statsmodels(smf.ols("y ~ local(x)", TABLE).fit())
    again = pickle.loads(pickle.dumps(fit))
    with pytest.raises(
        Unsupported, match=r"^X must be rows of the design matrix .*local could not be pickled"
    ):
        again.predict(NEW)
    np.testing.assert_array_equal(again.predict(fit.risk.design.rows(slice(5, 9))), fit.predict(NEW))


@pytest.mark.slow
def test_another_process_reads_it(tmp_path):
    scale = 3.0  # of this function alone
    fit = ist.from_statsmodels(smf.ols("np.log(y) ~ I(x * scale) + bs(z, df=4)", TABLE).fit())
    (tmp_path / "fit").write_bytes(pickle.dumps((fit, NEW, fit.loss(NEW), scale)))
    code = "import pickle, sys; fit, new, losses, _ = pickle.load(open(sys.argv[1], 'rb')); "
    code += "assert abs(fit.loss(new) - losses).max() < 1e-12"
    subprocess.run(
        [sys.executable, "-W", "ignore::ResourceWarning", "-c", code, tmp_path / "fit"], check=True
    )
