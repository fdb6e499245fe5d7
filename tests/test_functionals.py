"""Quantities of a fit: their gradients, values of statsmodels, and refits without each row."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

import influstat as ist
from influstat.numerics.differences import gradient_of
from tests.budget import examples
from tests.cases import LOSSES, make_problem, problems
from tests.reference import assert_within, derivative
from tests.tolerance import (
    CHANGES,
    CLOSED_FORM,
    INVERTED,
    SOLVED,
    STANDARD_ERRORS,
    STOPPED,
    SUMS,
    TWO_FITS,
    differenced,
    minimised,
)

LIKELIHOODS = LOSSES[:3]

LIMITS = 1e-8  # of two fits that stop at 1e-13, and of quantiles of t by two libraries


def binary_data(n=120, seed=2):
    rng = np.random.default_rng(seed)
    X = sm.add_constant(pd.DataFrame(rng.normal(size=(n, 2)), columns=["dose", "age"]))
    X["treated"] = rng.integers(0, 2, n).astype(float)
    y = (rng.random(n) < expit(X @ np.array([-0.3, 0.8, -0.5, 0.6]))).astype(float)
    return X, y


def logit(X, y, **settings):
    return sm.Logit(y, X, **settings).fit(disp=0, tol=1e-13)


# -- gradients of a callable -------------------------------------------------------------------------------

SMOOTH = {
    "exp": lambda t: np.exp(t[0] - t[1]),
    "ratio": lambda t: t[0] / (2.0 + t[1] ** 2),
    "vector": lambda t: np.array([np.sin(t[0]), t[0] * t[1]]),
}
REAL_ONLY = {
    "modulus of a positive number": lambda t: np.abs(3.0 + t[0]) * t[1],  # analytic nowhere
    "hypot": lambda t: np.hypot(1.0 + t[0] ** 2, t[1]),  # takes no complex numbers
    "cast": lambda t: float(np.real(t[0])) ** 2 + t[1] * 0.0,
    "conjugate": lambda t: np.conj(t[0]) * t[1],
}


@pytest.mark.parametrize(("name", "function"), [*SMOOTH.items(), *REAL_ONLY.items()])
def test_gradients_and_their_error_estimates(name, function):
    theta, scale = np.array([0.7, -1.3]), np.array([0.1, 2.0])
    found = gradient_of(function, theta, scale)
    assert found.method == ("complex step" if name in SMOOTH else "differences")
    truth = np.array([derivative(lambda h, e=e: function(theta + h * e), 1e-3) for e in np.eye(2)])
    truth = truth.reshape(2, -1)
    apart = np.abs((found.value - truth) * scale[:, None]).max(axis=0)
    assert np.all(apart <= 1e-9 * (1.0 + np.abs(truth).max()))
    assert np.all(found.error <= 1e-8 * (1.0 + np.abs(truth).max()))


def test_the_error_estimate_covers_the_error_of_a_rough_function():
    theta, scale = np.array([0.3]), np.array([1.0])
    found = gradient_of(lambda t: np.abs(1.0 + np.real(np.exp(20.0 * t[0]))) + 0.0, theta, scale)
    truth = 20.0 * np.exp(6.0)
    assert found.method == "differences"
    assert 1e-12 * truth < abs(found.value[0, 0] - truth) <= 2.0 * found.error[0] + 1e-10 * truth


def test_a_kink_at_theta_is_said():
    fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0]], [1.0, 3.0])
    with pytest.warns(ist.errors.DoubtfulResult, match="has a kink or a jump"):
        ist.functional(fit, lambda theta: np.abs(theta - 2.0))


# -- value, influence, first order and refits of each kind --------------------------------------------------


def functionals_of(fit, X_new):
    yield ist.contrast(fit, np.eye(len(fit.theta))[:2] - 0.5)
    yield ist.predicted_mean(fit, X_new)
    yield ist.average_marginal_effect(fit)
    yield ist.average_marginal_effect(fit, X=X_new)
    yield ist.functional(fit, lambda theta: np.array([np.exp(theta[0]), theta @ theta]))


@examples(25)
@given(problems(losses=LIKELIHOODS, solvable=True, decades=1, columns=(2, 4)), st.integers(0, 7))
def test_influence_is_the_derivative_in_the_rows_weight(problem, row):
    fit = ist.Fit.minimise(problem.risk())
    W, moved_by_rounding = fit.risk.total_weight, minimised(problem.plain(), fit.theta)
    for q, kind in zip(functionals_of(fit, problem.X_test), range(5), strict=True):
        scores = q.influence()

        def at(epsilon, kind=kind):
            weights = fit.risk.weights.copy()
            weights[row] += epsilon * W
            moved = ist.Fit.minimise(fit.risk.reweighted(weights), start=fit.theta)
            again = list(functionals_of(moved, problem.X_test))[kind]
            return again.value

        step = 1e-4 if fit.risk.weights[row] > 1e-3 * W else 0.0
        if step == 0.0:
            continue
        truth = derivative(at, step)
        # Steps of 1e-4 leave a curvature of 1e-8, times what the fifth derivative makes of it; minimisers
        # and values are rounded.
        size = np.abs(scores.values).max(axis=0)
        rounded = np.abs(q.value) + np.abs(q.gradient).T @ moved_by_rounding
        assert_within(scores.values[row], truth, 1e-5 * size + differenced(rounded, step), 1.0)
        share = fit.risk.weights[row] / W
        np.testing.assert_allclose(scores.removal[row], -share * scores.values[row], rtol=SUMS)


@pytest.mark.parametrize("protocol", ["fixed", "folded"])
@pytest.mark.parametrize("case", LIKELIHOODS, ids=str)
def test_removal_is_the_quantity_of_the_refit(case, protocol):
    problem = make_problem(
        case, 25, 3, 6, weights="positive", strength=1.0, protocol=protocol, intercept=True, offset=True
    )
    fit = ist.Fit.minimise(problem.risk())
    changes = [q.leave_one_out(rows=[3, 20]) for q in functionals_of(fit, problem.X_test)]
    before = [q.value for q in functionals_of(fit, problem.X_test)]
    for k, row in enumerate((3, 20)):
        weights = fit.risk.weights.copy()
        weights[row] = 0.0
        refit = ist.Fit.minimise(fit.risk.reweighted(weights))
        after = [q.value for q in functionals_of(refit, problem.X_test)]
        for change, a, b in zip(changes, after, before, strict=True):
            np.testing.assert_allclose(change.change[k], a - b, rtol=CHANGES, atol=CLOSED_FORM)
            assert change.status == ("", "")


# -- statsmodels -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dummy", [False, True])
def test_average_marginal_effects_equal_get_margeff_and_its_refits(dummy):
    X, y = binary_data(n=200)
    results = logit(X, y)
    q = ist.average_marginal_effect(ist.from_statsmodels(results), discrete=["treated"] if dummy else [])
    theirs = results.get_margeff(dummy=dummy)
    assert q.labels == ("dose", "age", "treated")
    np.testing.assert_allclose(q.value, theirs.margeff, rtol=TWO_FITS)
    np.testing.assert_allclose(q.standard_errors(), theirs.margeff_se, rtol=STANDARD_ERRORS)
    rows = [0, 40, 119]
    found = q.leave_one_out(rows=rows)
    for k, row in enumerate(rows):
        refit = logit(X.drop(row), np.delete(y.to_numpy(), row)).get_margeff(dummy=dummy)
        np.testing.assert_allclose(found.change[k], refit.margeff - theirs.margeff, rtol=STOPPED, atol=SOLVED)
    exact = q.leave_one_out().change
    newton = q.leave_one_out(method="newton").change
    assert abs(np.polyfit(exact.ravel(), newton.ravel(), 1)[0] - 1.0) < 0.02
    assert np.max(np.abs(newton - exact)) < 0.05 * np.max(np.abs(exact))


@pytest.mark.parametrize("model", ["Probit", "Poisson", "GLM"])
def test_average_marginal_effects_of_other_models(model):
    X, y = binary_data()
    if model == "Probit":
        results = sm.Probit(y, X).fit(disp=0, tol=1e-13)
    elif model == "Poisson":
        results = sm.Poisson(y + np.arange(len(y)) % 3, X).fit(disp=0, tol=1e-13)
    else:
        results = sm.GLM(y, X, family=sm.families.Binomial()).fit(tol=1e-13, tol_criterion="params")
    q = ist.average_marginal_effect(ist.from_statsmodels(results))
    np.testing.assert_allclose(q.value, results.get_margeff().margeff, rtol=TWO_FITS)
    if model != "Probit":  # canonical: all take the same information
        np.testing.assert_allclose(
            q.standard_errors(), results.get_margeff().margeff_se, rtol=STANDARD_ERRORS
        )
        limits = q.to_frame()[["lower", "upper"]]
        np.testing.assert_allclose(limits, results.get_margeff().conf_int(), rtol=1e-6)  # cancels in limits


def test_predicted_means_and_their_standard_errors_equal_get_prediction():
    X, y = binary_data()
    results = logit(X, y)
    new = X.iloc[:4] * 1.5
    q = ist.predicted_mean(ist.from_statsmodels(results), new)
    theirs = results.get_prediction(new)
    np.testing.assert_allclose(q.value, theirs.predicted, rtol=INVERTED)
    np.testing.assert_allclose(q.standard_errors(), theirs.se, rtol=TWO_FITS)
    assert q.labels == ("0", "1", "2", "3")


def test_contrasts_equal_t_test():
    X, y = binary_data()
    results = sm.OLS(y, X).fit()
    lines = np.array([[0.0, 1.0, -1.0, 0.0], [1.0, 0.0, 0.0, 2.0]])
    theirs = results.t_test(lines)
    q = ist.contrast(ist.from_statsmodels(results), lines, labels=["dose - age", "other"])
    np.testing.assert_allclose(q.value, theirs.effect, rtol=CLOSED_FORM)
    np.testing.assert_allclose(q.standard_errors(), theirs.sd, rtol=INVERTED)
    robust = sm.OLS(y, X).fit(cov_type="HC3").t_test(lines)
    np.testing.assert_allclose(q.standard_errors("HC3"), robust.sd, rtol=INVERTED)
    frame = q.to_frame()
    assert list(frame.index) == ["dose - age", "other"]
    assert list(frame.columns) == ["value", "standard_error", "lower", "upper"]
    for level in (0.95, 0.8):
        limits = q.to_frame(level=level)[["lower", "upper"]]
        np.testing.assert_allclose(limits, theirs.conf_int(alpha=1.0 - level), rtol=LIMITS)


def test_odds_ratios_and_refits():
    X, y = binary_data()
    results = logit(X, y)
    q = ist.odds_ratio(ist.from_statsmodels(results), unit=2.0)
    assert q.labels == ("dose", "age", "treated")
    plain = ist.odds_ratio(q.fit)
    for level in (0.95, 0.9):
        theirs = np.exp(results.conf_int(alpha=1.0 - level).to_numpy()[1:])
        np.testing.assert_allclose(plain.to_frame(level=level)[["lower", "upper"]], theirs, rtol=LIMITS)
        np.testing.assert_allclose(q.to_frame(level=level)[["lower", "upper"]], theirs**2, rtol=LIMITS)
    np.testing.assert_allclose(q.value, np.exp(2.0 * results.params[1:]), rtol=CLOSED_FORM)
    refit = np.exp(2.0 * logit(X.drop(7), y.drop(7)).params[1:])
    found = q.leave_one_out(rows=[7])
    np.testing.assert_allclose(found.change[0], refit - q.value, rtol=STOPPED)
    assert list(found.to_frame().index) == [7]
    numbers = ist.functional(q.fit, lambda theta: np.exp(2.0 * theta[1:]))
    np.testing.assert_allclose(numbers.gradient, q.gradient, rtol=CLOSED_FORM, atol=1e-14)
    np.testing.assert_allclose(numbers.influence().values, q.influence().values, rtol=TWO_FITS, atol=SOLVED)
