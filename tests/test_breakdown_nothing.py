"""Questions of how few rows where there is nothing to flip: zeros, perfect fits, designs that say nothing."""

import warnings

import numpy as np
import pytest
import statsmodels.api as sm

import influstat as ist
from influstat.errors import InvalidArgument, SingularHessian

RATIO = "likelihood ratio"
SYMMETRIC = np.array([-1.0, -0.3, 0.0, 0.3, 1.0])
RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3))
CONSTANT = np.column_stack([np.ones(25), RNG.normal(size=(25, 2))])

# A fit, and a coefficient of it that is 0 but for rounding.
ZEROS = {
    "by symmetry": (ist.Ridge(lam=0.0, intercept=True).fit(SYMMETRIC[:, None], [0.1, 0.7, 0.3, 0.7, 0.1]), 0),
    "far from 0": (ist.Ridge(lam=0.0, intercept=True).fit(
        1e3 + 1e-2 * SYMMETRIC[:, None], np.array([0.1, 0.7, 0.3, 0.7, 0.1]) * 7.0 / 3.0), 0),
    "of two classes": (ist.Logistic(lam=0.1, intercept=True).fit(SYMMETRIC[:, None], [0, 1, 1, 1, 0]), 0),
    "of a perfect fit": (ist.Ridge(lam=0.0, intercept=True).fit(X, X[:, 0]), 1),
    "beside an intercept": (ist.Ridge(lam=0.1, intercept=True).fit(CONSTANT, RNG.normal(size=25)), 0),
    "of a margin": (ist.SmoothedSVC(lam=0.1).fit(CONSTANT, np.sign(RNG.normal(size=25))), 0),
}  # fmt: skip


@pytest.mark.parametrize(("fit", "zero"), ZEROS.values(), ids=list(ZEROS))
def test_a_coefficient_that_is_0_up_to_rounding_has_no_sign_to_flip(fit, zero):
    assert abs(fit.theta[zero]) < 1e-12
    direction = np.eye(len(fit.theta))[zero]
    for ask in (fit.breakdown, lambda a: ist.contrast(fit, direction).breakdown(at=0.0)):
        with pytest.raises(InvalidArgument, match="at must differ from the value"):
            ask(zero)
    assert "at must differ" in ist.breakdown_table(fit, budget_seconds=0.0).status[fit.names[zero]]
    low, high = fit.reach(zero, k=1, budget_seconds=0.0).attained
    assert low <= fit.theta[zero] <= high


def test_significance_of_a_coefficient_that_is_0_says_so():
    fit, zero = ZEROS["by symmetry"]
    for settings in ({}, {"reversed": True}, {"test": RATIO}):
        with pytest.raises(InvalidArgument, match="coefficient must have a sign, but it is x0, which is 0"):
            fit.inference().breakdown(zero, **settings)


def test_a_small_coefficient_is_no_zero():
    rng = np.random.default_rng(705)
    y = X[:, 0] + 1e-7 * rng.normal(size=30)
    fit = ist.Ridge(lam=0.0, intercept=True).fit(X, y)
    assert fit.breakdown(1, budget_seconds=0.0).value == fit.theta[1]


def test_a_contrast_of_zeros_is_refused_by_every_question():
    rng = np.random.default_rng(704)
    fit = ist.Ridge(lam=0.0).fit(X, X[:, 0] + rng.normal(size=30))
    nothing = np.zeros(3)
    inference = fit.inference()
    for ask in (
        lambda: fit.breakdown(nothing),
        lambda: fit.reach(nothing, k=1),
        lambda: inference.breakdown(nothing),
        lambda: inference.breakdown(nothing, test=RATIO),
        lambda: ist.breakdown_table(fit, coefficients=[nothing]),
    ):
        with pytest.raises(InvalidArgument, match="coefficient must name .* but it is 0 for every"):
            ask()
    with pytest.raises(InvalidArgument, match="a prediction of row 0 that depends on its coefficients"):
        fit.breakdown_of_prediction(np.zeros((1, 3)), at=1.0)


@pytest.mark.parametrize("kind", ["HC0", "HC1"])
@pytest.mark.parametrize("use_t", [False, True])
def test_rows_that_are_fitted_exactly_have_no_significance_to_flip(kind, use_t):
    # Any two rows that are left are fitted exactly; their standard errors are 0 up to rounding.
    x = np.column_stack([np.ones(6), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]])
    fit = ist.from_statsmodels(sm.OLS([0.0, 3.0, 1.0, 4.0, 2.5, 6.0], x).fit(cov_type=kind, use_t=use_t))
    for opposite in (False, True):
        found = fit.inference().breakdown(1, reversed=opposite, budget_seconds=0.2)
        assert found.upper is None or found.upper < 4


def test_no_ratio_of_a_perfect_fit():
    fit = ist.Ridge(lam=0.0).fit(X, X[:, 0])
    with pytest.raises(InvalidArgument, match="fit must leave residuals for a likelihood ratio"):
        fit.inference().breakdown(0, test=RATIO)


@pytest.mark.parametrize("seed", range(3))
def test_cones_stop_where_no_degrees_of_freedom_are_left(seed):
    # One column that explains nearly all: proofs reach for sets that leave a row or two.
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(9, 1))
    y = 3.0 * x[:, 0] + 0.3 * rng.normal(size=9)
    fit = ist.Ridge(lam=0.0).fit(x, y)
    for settings in ({}, {"test": RATIO}):
        found = fit.inference().breakdown(0, budget_seconds=0.3, **settings)
        assert found.lower > 1
        assert found.upper is None or found.lower <= found.upper


@pytest.mark.parametrize("columns", [1, 2])
def test_a_design_of_zeros_is_a_fit_that_says_nothing(columns):
    nothing = np.zeros((6, columns))
    with warnings.catch_warnings():  # newer versions of statsmodels say that it is rank-deficient
        warnings.simplefilter("ignore")
        results = sm.OLS(np.arange(6.0), nothing).fit()
    fit = ist.from_statsmodels(results)
    for ask in (fit.inference, fit.leave_one_out, fit.diagnostics):
        with pytest.raises(SingularHessian, match="do not affect the risk at all"):
            ask().to_frame()
