"""Where statsmodels 0.15.0 is right, the same to rounding; where it is wrong, right here.

Each fault is measured against refits by statsmodels itself, so that the day it is mended its test fails
and this page gets shorter.
"""

import warnings

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose
from statsmodels.stats.outliers_influence import OLSInfluence

import influstat as ist
from tests.statsmodels_models import ALL, CASES, DATA, LABELS, ROWS, slope, theta_of
from tests.tolerance import CHANGES, CLOSED_FORM, NORMAL_EQUATIONS

EVERY = 4  # every fourth row is left out by a refit
SOME = ALL[::EVERY]


def case(name):
    return next(case for case in CASES if case.name == name)


def truth_of(refitted):
    """Return theta without each of some rows minus theta, by refits."""
    full = theta_of(refitted(ALL))
    return np.array([theta_of(refitted(np.delete(ALL, row))) - full for row in SOME])


def ours(results, **settings):
    return ist.from_statsmodels(results, **settings).leave_one_out(method="newton", rows=SOME).delta


def theirs(results):
    """Return theta without each row minus theta, as `get_influence` has it: with the other sign."""
    return -np.asarray(results.get_influence().d_params)[SOME]


def correlation(truth, found):
    return np.corrcoef(truth.ravel(), found.ravel())[0, 1]


# -- where statsmodels is right -----------------------------------------------------------------------

RIGHT = [
    "GLM Gaussian identity",
    "GLM Binomial logit, offset",
    "GLM Binomial logit, trials",
    "GLM Poisson log, exposure",
    "Logit",
    "Poisson, offset and exposure",
]


@pytest.mark.parametrize("name", RIGHT)
def test_canonical_models_agree_to_rounding(name):
    results = case(name).refitted()
    truth = theirs(results)
    assert_allclose(ours(results), truth, rtol=CHANGES, atol=CHANGES * np.abs(truth).max())


def test_ols_agrees_to_rounding():
    results = case("OLS").refitted()
    assert_allclose(ours(results), -results.get_influence().dfbeta[SOME], rtol=NORMAL_EQUATIONS, atol=1e-14)


# -- where it is wrong: the slope of refits on what it says, and on ours --------------------------------


def assert_wrong_there_and_right_here(refitted, low, high, **settings):
    """Assert that the slope of the refits on statsmodels' changes is in a range, and 1 on ours."""
    results = refitted(ALL)
    truth = truth_of(refitted)
    assert low < slope(truth, theirs(results)) < high
    assert abs(slope(truth, ours(results, **settings)) - 1.0) < 0.02


@pytest.mark.dear
@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("GLM Binomial probit", 0.9, 0.97),
        ("GLM Binomial cloglog", 0.7, 0.9),
        ("GLM Gamma log, var_weights", 0.9, 0.97),
    ],
)
def test_links_that_are_not_canonical(name, low, high):
    """Its one-step formula mixes expected information with the observed leverage."""
    assert_wrong_there_and_right_here(case(name).refitted, low, high)


@pytest.mark.parametrize("name", ["GLM Gamma inverse", "GLM InverseGaussian 1/mu^2"])
def test_links_that_fall(name):
    """Canonical links with a falling mean: the sign is lost."""
    assert_wrong_there_and_right_here(case(name).refitted, -1.02, -0.98)


def test_a_link_at_which_it_does_not_finish():
    refitted = case("GLM Gaussian log").refitted
    results = refitted(ALL)
    with np.errstate(invalid="ignore"), pytest.raises(np.linalg.LinAlgError):
        theirs(results)  # the square root of a negative curvature
    assert not ist.negative_curvature_rows(ist.from_statsmodels(results)).empty
    assert abs(slope(truth_of(refitted), ours(results)) - 1.0) < 0.02


def test_frequency_weights():
    """Its change for a row with f copies is too small by sqrt(f), for dropping the row with all copies."""
    chosen = case("GLM Poisson, freq_weights")
    results, truth = chosen.refitted(), truth_of(chosen.refitted)
    found, right = theirs(results), ours(results, drop="row")
    for copies in (1, 2, 3):
        rows = DATA.frequencies[SOME] == copies
        assert abs(slope(truth[rows], found[rows]) - np.sqrt(copies)) < 0.03
        assert abs(slope(truth[rows], right[rows]) - 1.0) < 0.02


def test_weighted_least_squares():
    """OLSInfluence takes a WLS result and mixes whitened residuals with the rows as they are."""
    chosen = case("WLS")
    results, truth = chosen.refitted(), truth_of(chosen.refitted)
    assert correlation(truth, -OLSInfluence(results).dfbeta[SOME]) < 0.5
    assert_allclose(ours(results), truth, rtol=CHANGES, atol=CLOSED_FORM)


def test_an_l1_penalty():
    def refitted(rows):
        return sm.Logit(LABELS[rows], DATA.X[rows]).fit_regularized(alpha=2.0, disp=0, acc=1e-14)

    results = refitted(ALL)
    truth = truth_of(refitted)
    assert abs(correlation(truth, theirs(results))) < 0.5
    active = theta_of(results) != 0
    assert active.all()
    assert abs(slope(truth, ours(results)) - 1.0) < 0.02


def test_a_smoothing_penalty():
    chosen = case("GLMGam Poisson")
    results, truth = chosen.refitted(), truth_of(chosen.refitted)
    assert correlation(truth, theirs(results)) < 0.9
    assert correlation(truth, ours(results)) > 0.999


def test_an_unconverged_fit():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = sm.Logit(LABELS, DATA.X).fit(maxiter=1, disp=0)
    assert np.isfinite(theirs(results)).all()  # without a word
    with pytest.raises(ist.errors.NotConverged, match="the library itself says so"):
        ist.from_statsmodels(results)


def test_mixed_derivatives_in_hessians():
    """NegativeBinomialP with a power other than 1 and 2, and zero inflation: standard errors suffer too."""
    slopes, others = np.arange(4), np.arange(1, 5)
    for name, block in (("NegativeBinomialP 1.5", (slopes, 4)), ("ZeroInflatedPoisson", (0, others))):
        results = case(name).refitted()
        theta = theta_of(results) + 0.01
        differenced = np.array(
            [
                (results.model.score(theta + 1e-5 * e) - results.model.score(theta - 1e-5 * e)) / 2e-5
                for e in np.eye(len(theta))
            ]
        )
        wrong = np.asarray(results.model.hessian(theta))[block]
        right = -ROWS * ist.from_statsmodels(results).risk.curvature(theta).to_dense()[block]
        assert np.max(np.abs(wrong - differenced[block])) > 1.0
        assert_allclose(right, differenced[block], atol=1e-5 * np.abs(differenced).max())
