"""Inference without single rows: many refits at once give what each gives alone, in little memory."""

import tracemalloc

import numpy as np
import pytest
import statsmodels.api as sm

import influstat as ist
from influstat.statistics.without_rows import KINDS, WithoutRows
from tests.statsmodels_models import CASES

ROWS = [0, 57, 140, 199]
CHOSEN = [
    case
    for case in CASES
    if case.name.startswith(("OLS", "WLS", "GLM ", "GLMGam", "Logit", "Probit", "Poisson", "RLM H"))
    or case.name.startswith("fit_regularized of GLM")
]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [None, *KINDS])
@pytest.mark.parametrize("case", CHOSEN, ids=str)
def test_many_refits_at_once_are_each_refit_alone(case, kind, monkeypatch):
    fit = ist.from_statsmodels(case.refitted(), **case.settings)
    try:
        found = fit.inference(kind).leave_one_out(rows=ROWS)
    except ist.errors.Unsupported:
        pytest.skip("no such covariance for this loss")
    monkeypatch.setattr(WithoutRows, "serves", staticmethod(lambda fit, setting: False))
    truth = fit.inference(kind).leave_one_out(rows=ROWS)
    assert found.status == truth.status
    for name in ("standard_errors", "t_values", "p_values", "lower", "upper"):
        one, other = getattr(found, name), getattr(truth, name)
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-8 * np.abs(other).max())


@pytest.mark.parametrize("kind", ["nonrobust", "HC0"])
@pytest.mark.parametrize("family", ["Poisson", "Gamma"])
def test_inference_without_a_row_is_that_of_the_library_s_refit(kind, family):
    rng = np.random.default_rng(0)
    X = sm.add_constant(rng.normal(size=(150, 3)))  # more rows than are summed at once
    mean = np.exp(X @ [0.5, 0.3, -0.2, 0.1])
    y = rng.poisson(mean) if family == "Poisson" else mean * rng.gamma(4.0, 0.25, 150)

    def fitted(rows):
        model = sm.GLM(y[rows], X[rows], family=getattr(sm.families, family)(sm.families.links.Log()))
        return model.fit(tol=1e-13, tol_criterion="params", cov_type=kind)

    whole = fitted(np.arange(150))
    found = ist.from_statsmodels(whole).inference().leave_one_out()
    for row in (0, 63, 64, 149):
        part = fitted(np.delete(np.arange(150), row))
        np.testing.assert_allclose(found.standard_errors[row], part.bse - whole.bse, rtol=1e-6, atol=1e-10)
        np.testing.assert_allclose(found.p_values[row], part.pvalues - whole.pvalues, rtol=1e-5, atol=1e-10)


@pytest.mark.filterwarnings("ignore:.* takes residuals of 0 for errors of 0")  # test_covariance_said
@pytest.mark.parametrize(
    ("model", "kind"),
    [(sm.OLS, "nonrobust"), (sm.OLS, "HC1"), (sm.Poisson, "nonrobust"), (sm.Poisson, "HC0")],
)
def test_a_row_that_alone_has_a_dummy_loses_that_coefficient_alone(model, kind):
    rng = np.random.default_rng(1)
    X = np.column_stack([np.ones(30), rng.normal(size=30), np.arange(30) == 4])
    y = rng.poisson(2.0, 30) + 1.0
    options = {"cov_type": kind, **({"disp": 0, "tol": 1e-13} if model is sm.Poisson else {})}
    whole = model(y, X).fit(**options)
    fit = ist.from_statsmodels(whole)
    with pytest.warns(ist.errors.DoubtfulResult, match="1 of 30 rows"):
        found = fit.inference().leave_one_out()
    part = model(np.delete(y, 4), np.delete(X, 4, axis=0)[:, :2]).fit(**options)
    np.testing.assert_allclose(found.standard_errors[4, :2], (part.bse - whole.bse[:2]), atol=1e-9)
    np.testing.assert_allclose(found.p_values[4, :2], (part.pvalues - whole.pvalues[:2]), atol=1e-9)
    assert np.isnan(found.standard_errors[4, 2])
    assert np.isfinite(np.delete(found.standard_errors, 4, axis=0)).all()


@pytest.mark.slow
@pytest.mark.parametrize("model", ["least squares", "logistic"])
@pytest.mark.parametrize("kind", ["model", "HC3"])
def test_one_row_takes_no_more_memory_than_twice_the_data(model, kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50_000, 20))
    y = X[:, 0] + rng.normal(size=50_000)
    fit = ist.Ridge(lam=0.0).fit(X, y) if model == "least squares" else ist.Logistic(lam=0.0).fit(X, y > 0)
    found = fit.inference(kind)
    found.leave_one_out(rows=[0])
    tracemalloc.start()
    found.leave_one_out(rows=[0])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.0 * X.nbytes
