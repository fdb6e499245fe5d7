"""Bounds of fits to large counts and amounts: they hold in 60 digits, and know the unit of the target."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

import influstat as ist
from influstat.errors import InvalidArgument
from influstat.sets.null_fit import null_fit
from influstat.sets.question import coefficient_of, question
from influstat.sets.significance.likelihood_ratio import Ratio
from tests.tolerance import CLOSED_FORM

ROWS, DIGITS = 12, 60
ALPHA = 0.5
LOG = sm.families.links.Log()
# Of each family l1 and l2 in eta, of Decimals: of -log f with the log link.
FAMILIES = {
    "Poisson": (
        sm.families.Poisson(),
        lambda y, mu: mu - y,
        lambda y, mu: mu,
    ),
    "Gamma": (
        sm.families.Gamma(LOG),
        lambda y, mu: 1 - y / mu,
        lambda y, mu: y / mu,
    ),
    "negative binomial": (
        sm.families.NegativeBinomial(LOG, alpha=ALPHA),
        lambda y, mu: (mu - y) / (1 + Decimal(ALPHA) * mu),
        lambda y, mu: mu * (1 + Decimal(ALPHA) * y) / (1 + Decimal(ALPHA) * mu) ** 2,
    ),
}


def refitted(name, X, y, theta):
    """Return the minimiser near theta in 60 digits, for two columns."""
    _, first, second = FAMILIES[name]
    with localcontext() as context:
        context.prec = DIGITS
        rows = [[Decimal(float(value)) for value in (*x, target)] for x, target in zip(X, y, strict=True)]
        one, two = (Decimal(float(value)) for value in theta)
        for _ in range(12):
            g, h, aa, ab, bb = (Decimal(0) for _ in range(5))
            for a, b, target in rows:
                mu = (a * one + b * two).exp()
                slope, bend = first(target, mu), second(target, mu)
                g, h = g + slope * a, h + slope * b
                aa, ab, bb = aa + bend * a * a, ab + bend * a * b, bb + bend * b * b
            det = aa * bb - ab * ab
            steps = (bb * g - ab * h) / det, (aa * h - ab * g) / det
            one, two = one - steps[0], two - steps[1]
            if max(map(abs, steps)) < Decimal(10) ** -45:
                return one, two
    raise AssertionError("Newton's method from next to the minimum did not end")


def drawn(name, level, seed):
    """Return rows, targets of mean about e^level, and the fit."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([np.ones(ROWS), rng.normal(size=ROWS)])
    mu = np.exp(level + 0.3 * X[:, 1])
    y = mu * rng.gamma(5.0, 0.2, ROWS) if name == "Gamma" else rng.poisson(mu) + 1.0
    results = sm.GLM(y, X, family=FAMILIES[name][0]).fit(tol=1e-12, maxiter=200)
    return X, y, ist.from_statsmodels(results, polish=True)


@settings(max_examples=30)  # each a refit of thousands of 60-digit exponentials
@given(name=st.sampled_from(sorted(FAMILIES)), level=st.floats(0.0, 16.0), seed=st.integers(0, 2**32 - 1))
def test_bounds_hold_against_refits_in_60_digits(name, level, seed):
    X, y, fit = drawn(name, level, seed)
    row = seed % ROWS
    removal = fit.leave_one_out(rows=[row])
    found = refitted(name, np.delete(X, row, axis=0), np.delete(y, row), removal.theta[0])
    bound = removal.theta_bound()[0]
    for k in range(2):
        error = abs(found[k] - Decimal(float(removal.theta[0, k])))
        assert error <= Decimal(float(bound[k]))


@pytest.mark.parametrize("level", [0.0, 6.0, 12.0])
@pytest.mark.parametrize("name", FAMILIES)
def test_a_bound_is_of_the_size_of_the_rounding_of_means(name, level):
    _, _, fit = drawn(name, level, 3)
    removal = fit.leave_one_out()
    size = np.abs(removal.delta).max(axis=1)
    # Slopes lose log10 of a mean over its standard deviation, at most three of twelve digits here.
    assert np.median(removal.theta_bound().max(axis=1) / size) < 1e-8


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e9])
def test_bounds_of_amounts_do_not_depend_on_their_unit(unit):
    X, y, _ = drawn("Gamma", 2.0, 5)
    fits = [
        ist.from_statsmodels(sm.GLM(y * one, X, family=sm.families.Gamma(LOG)).fit(tol=1e-12), polish=True)
        for one in (1.0, unit)
    ]
    near, far = (fit.leave_one_out().theta_bound() for fit in fits)
    # The constant is larger by log(1e9) = 21, and so is what its predictors are rounded by.
    assert (far < 30.0 * near).all()


@pytest.mark.parametrize("level", [0.0, 6.0, 14.0])
def test_likelihood_ratios_of_counts_are_right_to_their_rounding(level):
    _, _, fit = drawn("negative binomial", level, 3)
    null, ratio = null_fit(question(fit, *coefficient_of(fit, 1), groups=None).problem), Ratio(1.0)
    parts, noise = ratio.parts(null)
    risk, wanted = null.problem.risk, Decimal(0)
    with localcontext() as context:
        context.prec = DIGITS
        for x, target in zip(risk.design.rows(slice(None)), risk.y, strict=True):
            row, y = [Decimal(float(one)) for one in x], Decimal(float(target))
            for sign, theta in ((1, null.theta), (-1, ratio.theta(null))):
                eta = sum(one * Decimal(float(two)) for one, two in zip(row, theta, strict=True))
                grown = (1 + Decimal(ALPHA) * eta.exp()).ln()
                wanted += sign * ((y + 1 / Decimal(ALPHA)) * grown - y * eta)
        assert abs(Decimal(float(np.sum(parts))) - wanted) <= Decimal(noise)


@pytest.mark.parametrize("unit", [1e-300, 1e-150, 1e150, 1e300])
@pytest.mark.filterwarnings("ignore::RuntimeWarning:statsmodels")
def test_targets_whose_squares_are_no_float64_are_refused(unit):
    rng = np.random.default_rng(0)
    X = np.column_stack([np.ones(30), rng.normal(size=30)])
    y = unit * (2.0 + X @ [10.0, 1.0] + rng.normal(size=30))
    calls = [
        lambda: ist.Ridge(lam=0.0).fit(X, y),
        lambda: ist.Fit.minimise(ist.LinearRisk(ist.losses.SquaredError(), X, y)),
        lambda: ist.from_statsmodels(sm.OLS(y, X).fit()),
    ]
    for call in calls:
        with pytest.raises(
            InvalidArgument, match=r"y must have a largest entry between 1e-140 and 1e\+150 in size"
        ):
            call()


@pytest.mark.parametrize("unit", [1e-130, 1e130])
def test_targets_of_the_largest_and_smallest_units_are_those_in_others(unit):
    rng = np.random.default_rng(0)
    X, y = np.column_stack([np.ones(30), rng.normal(size=30)]), rng.normal(size=30)
    found = ist.Ridge(lam=1.0).fit(X, unit * y).leave_one_out()
    known = ist.Ridge(lam=1.0).fit(X, y).leave_one_out()
    np.testing.assert_allclose(found.theta / unit, known.theta, rtol=0, atol=CLOSED_FORM)
    np.testing.assert_allclose(found.delta / unit, known.delta, rtol=0, atol=CLOSED_FORM)
