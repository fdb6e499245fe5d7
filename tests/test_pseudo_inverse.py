"""Least squares of statsmodels whose pseudo-inverse lost a direction that the rows determine."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import influstat as ist
from influstat.errors import DoubtfulResult, NotStationary
from tests.reference import assert_within
from tests.tolerance import TWO_FITS

pytestmark = pytest.mark.filterwarnings("ignore:The design matrix is rank-deficient")
RNG = np.random.default_rng(0)
ROWS = pd.DataFrame({"const": 1.0, "x": RNG.normal(size=80), "z": RNG.normal(size=80)})
Y = ROWS.x + RNG.normal(size=80)
CASES = {  # columns, and those that the message names, beside which rounding may show the largest one
    "far": (ROWS.assign(x=ROWS.x + 1e9), {"const", "x"}),
    "other units": (ROWS.assign(x=1e-3 * ROWS.x, z=1e14 * ROWS.z), {"x"}),
    "a wild row": (ROWS.assign(z=ROWS.z.where(ROWS.index != 3, 1e16)), {"const", "x", "z"}),
}
MODELS = {
    "OLS": lambda X: sm.OLS(Y, X),
    "WLS": lambda X: sm.WLS(Y, X, weights=1.0 + np.arange(80) % 3),
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("case", CASES)
def test_the_singular_values_and_columns_that_are_lost_are_named(case, model):
    X, names = CASES[case]
    results = MODELS[model](X).fit()
    said = "loses singular values near 1e-15 of the largest .*: it has lost .*, of .*, so that"
    with pytest.raises(NotStationary, match=said) as refused:
        ist.from_statsmodels(results)
    for remedy in ("or pass polish=True for the minimum itself", 'fit(method="qr")'):
        assert remedy in str(refused.value)
    named = str(refused.value).split(", of ")[1].split(", so that")[0].split(", ")
    assert names <= set(named) <= names | {"const", "z"}
    with warnings.catch_warnings():
        warnings.simplefilter("error", DoubtfulResult)
        same = ist.from_statsmodels(MODELS[model](X).fit(method="qr"))
    polished, text = _polished(results)
    assert re.search(said, text)
    if polished is not None:
        assert np.abs(polished.predict(X) - same.predict(X)).max() < 1e-5


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("model", "remedy"),
    [
        (lambda X: sm.GLM(np.abs(Y), X, family=sm.families.Poisson()), 'fit(wls_method="qr")'),
        (lambda X: sm.RLM(Y, X), "pass polish=True"),
    ],
    ids=["GLM", "RLM"],
)
def test_so_are_those_of_reweighted_least_squares(model, remedy):
    results = model(ROWS.assign(x=ROWS.x + 1e12)).fit()
    with pytest.raises(
        NotStationary, match="Least squares in statsmodels loses .* of (const, x|x, const), so that"
    ) as refused:
        ist.from_statsmodels(results)
    assert remedy in str(refused.value)
    assert ("wls_method" in remedy) == ("wls_method" in str(refused.value))
    away = [model(ROWS).fit()]
    if "wls_method" in remedy:  # a solution by QR lost nothing, whatever is wrong with it
        away.append(model(ROWS.assign(x=ROWS.x + 1e8)).fit(wls_method="qr"))
    for other in away:
        other._results.params = np.asarray(other.params) + np.array([1.0, 0.0, 1.0])
        with pytest.raises(NotStationary, match="If the fit stopped early"):
            ist.from_statsmodels(other)


def _polished(results):
    """Return the fit and what is warned of; None and the refusal where rounding itself was kept."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", DoubtfulResult)
        try:
            return ist.from_statsmodels(results, polish=True), str(found[0].message)
        except NotStationary as error:
            return None, str(error)


def test_columns_that_depend_on_each_other_are_no_such_case():
    results = sm.OLS(Y, ROWS.assign(again=2.0 * ROWS.x)).fit()
    assert ist.from_statsmodels(results).lost == ("x", "again")
    elsewhere = sm.OLS(Y, ROWS).fit()
    elsewhere._results.params = np.asarray(elsewhere.params) + 1.0
    with pytest.raises(NotStationary, match="If the fit stopped early"):
        ist.from_statsmodels(elsewhere)


RLM_SCALE = 1e-6  # RLM stops where its scale and coefficients move by 1e-8: with room for the leverage
SOLVED = {  # by singular values
    "OLS": lambda X, y, w: sm.OLS(y, X),
    "WLS": lambda X, y, w: sm.WLS(y, X, weights=w),
    "GLS": lambda X, y, w: sm.GLS(y, X, sigma=w),
    "GLM": lambda X, y, w: sm.GLM(y, X, var_weights=w),
    "RLM": lambda X, y, w: sm.RLM(y, X),
}


def of_sizes(seed, length):
    """Return X of two dummies and a column of about this length, y and weights."""
    rng = np.random.default_rng(seed)
    dummy = rng.random(50) < 0.3
    X = np.column_stack([~dummy, dummy, length * rng.exponential(size=50) ** 2]).astype(float)
    return X, rng.normal(size=50), rng.uniform(0.3, 3.0, 50)


@pytest.mark.parametrize("model", SOLVED)
def test_columns_of_other_sizes_are_no_change_of_the_fit(model):
    # Singular values lose digits to them: the coefficients, and the covariance that is kept, have fewer.
    for seed in range(20):
        X, y, w = of_sizes(seed, 10.0 ** (8.0 + 0.15 * seed))
        ist.from_statsmodels(SOLVED[model](X, y, w).fit())
        units = X.max(axis=0)
        found = ist.from_statsmodels(SOLVED[model](X, y, w).fit(), polish=True).leave_one_out(rows=[0]).delta
        truth = ist.from_statsmodels(SOLVED[model](X / units, y, w).fit(), polish=True)
        removed = truth.leave_one_out(rows=[0]).delta
        # The scale of RLM ends at a tolerance of its own.
        exact = RLM_SCALE if model == "RLM" else TWO_FITS
        assert_within(found * units, removed, np.abs(removed).max(), rtol=exact)


@pytest.mark.parametrize(
    ("model", "remedy"), [("GLM", 'wls_method="qr"'), ("OLS", 'method="qr"'), ("RLM", "polish")]
)
def test_few_digits_are_the_reason_where_there_are_few(model, remedy):
    X, y, w = of_sizes(0, 1e12)
    results = SOLVED[model](X, y, w).fit()
    results.params[:] += 0.1 * results.bse
    said = r"here from [345]\.\d*e\+13 to [2345]\.\d*, which leaves the coefficients 3 digits"
    with pytest.raises(NotStationary, match=said) as refused:
        ist.from_statsmodels(results)
    assert remedy in str(refused.value)
    assert "stopped early" not in str(refused.value)
