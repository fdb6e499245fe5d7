"""Marginal effects and odds ratios of several classes, against statsmodels, differences and refits."""

import numpy as np
import pytest
import statsmodels.api as sm

import influstat as ist
from influstat.minimise.newton import minimise

RNG = np.random.default_rng(3)
N = 120
X = np.column_stack([np.ones(N), RNG.normal(size=N), RNG.integers(0, 2, N)])
Y = np.argmax(X @ RNG.normal(size=(3, 3)) + RNG.gumbel(size=(N, 3)), axis=1)
RESULTS = sm.MNLogit(Y, X).fit(method="newton", disp=0, maxiter=100)
MNLOGIT = ist.from_statsmodels(RESULTS)
SOFTMAX = ist.Fit.minimise(
    ist.SoftmaxRisk(
        X[:, 1:], Y, penalty=ist.L2(2.0), intercept=True, weights=RNG.uniform(0.5, 2.0, N), protocol="folded"
    )
)
KINDS = [None, "eyex", "dyex", "eydx"]
NAMES = {None: "dydx", "eyex": "eyex", "dyex": "dyex", "eydx": "eydx"}


@pytest.mark.parametrize("kind", [None, "eydx"])  # statsmodels fails at relative changes of the column
def test_effects_are_those_of_statsmodels(kind):
    theirs = RESULTS.get_margeff(at="overall", method=NAMES[kind])
    found = ist.average_marginal_effect(MNLOGIT, elasticity=kind)
    np.testing.assert_allclose(found.value.reshape(2, 3), theirs.margeff, rtol=1e-9, atol=1e-12)
    assert found.labels[:3] == ("0: x1", "1: x1", "2: x1")


def test_a_discrete_effect_is_that_of_statsmodels():
    theirs = RESULTS.get_margeff(at="overall", dummy=True)
    found = ist.average_marginal_effect(MNLOGIT, ["x1", "x2"], discrete=["x2"])
    np.testing.assert_allclose(found.value.reshape(2, 3), theirs.margeff, rtol=1e-9, atol=1e-12)


def test_logarithms_of_probabilities_that_underflow_are_numbers():
    far = np.array([[5e3, 0.0], [0.0, -5e3]])
    found = ist.average_marginal_effect(SOFTMAX, "x0", X=far, discrete=["x0"], elasticity="eydx")
    theta = SOFTMAX.theta.reshape(3, 3)
    eta = [np.column_stack([np.full(2, x0), far[:, 1], np.ones(2)]) @ theta.T for x0 in (1.0, 0.0)]
    assert np.exp(eta[0] - eta[0].max(axis=1, keepdims=True)).min() == 0.0
    logs = [one - np.logaddexp.reduce(one, axis=1, keepdims=True) for one in eta]
    # Differences of predictors of thousands, right to their rounding.
    np.testing.assert_allclose(found.value, (logs[0] - logs[1]).mean(axis=0), rtol=0, atol=1e-11)


def test_odds_ratios_are_exp_of_the_coefficients():
    found = ist.odds_ratio(MNLOGIT)
    np.testing.assert_allclose(found.value.reshape(2, 2), np.exp(RESULTS.params)[1:], rtol=1e-9)
    assert found.labels == ("1: x1", "2: x1", "1: x2", "2: x2")
    blocks = SOFTMAX.theta.reshape(3, 3)
    other = ist.odds_ratio(SOFTMAX, "x0", unit=2.0)
    np.testing.assert_allclose(other.value, np.exp(2.0 * (blocks[1:, 0] - blocks[0, 0])), rtol=1e-12)


def quantities(fit):
    one, two = ("x1", "x2") if fit is MNLOGIT else ("x0", "x1")
    yield ist.odds_ratio(fit)
    for kind in KINDS:
        yield ist.average_marginal_effect(fit, elasticity=kind)
    for kind in (None, "eydx"):
        yield ist.average_marginal_effect(fit, [one, two], discrete=[two], elasticity=kind)
    new = X[:7] if fit is MNLOGIT else X[:7, 1:]
    yield ist.average_marginal_effect(fit, X=new)


@pytest.mark.parametrize("fit", [MNLOGIT, SOFTMAX], ids=["MNLogit", "softmax"])
def test_gradients_are_those_of_differences(fit):
    weights = fit.risk.weights
    for found in quantities(fit):
        for k in range(len(fit.theta)):
            step = 1e-4 * (np.arange(len(fit.theta)) == k)
            ends = [found.evaluate(fit.theta + times * step, weights) for times in (1, -1, 2, -2)]
            slope = (8.0 * (ends[0] - ends[1]) - (ends[2] - ends[3])) / 12e-4
            np.testing.assert_allclose(found.gradient[k], slope, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("fit", [MNLOGIT, SOFTMAX], ids=["MNLogit", "softmax"])
def test_removals_are_those_of_refits(fit):
    for found in quantities(fit):
        change = found.leave_one_out(rows=[0, 5])
        for k, row in enumerate((0, 5)):
            weights = fit.risk.weights.copy()
            weights[row] = 0.0
            theta = minimise(fit.risk.reweighted(weights), start=fit.theta).theta
            expected = found.evaluate(theta, weights) - found.value
            np.testing.assert_allclose(change.change[k], expected, rtol=1e-8, atol=1e-12)


def test_influence_is_the_derivative_in_a_row_s_weight():
    fit, step = MNLOGIT, 1e-5
    for found in quantities(fit):
        ends = []
        for sign in (1.0, -1.0):
            weights = fit.risk.weights.copy()
            weights[0] += sign * step * fit.risk.total_weight
            theta = minimise(fit.risk.reweighted(weights), start=fit.theta).theta
            ends.append(found.evaluate(theta, weights))
        slope = (ends[0] - ends[1]) / (2.0 * step)
        np.testing.assert_allclose(found.influence().values[0], slope, rtol=1e-5, atol=1e-7)


def test_what_cannot_be_asked_is_named():
    with pytest.raises(ist.errors.InvalidArgument, match="name columns of the design"):
        ist.odds_ratio(MNLOGIT, "x9")
    with pytest.raises(ist.errors.InvalidArgument, match="discrete changes, which have no relative size"):
        ist.average_marginal_effect(MNLOGIT, discrete=["x2"], elasticity="eyex")
    constant = ist.Fit.minimise(ist.SoftmaxRisk(np.ones((9, 1)), np.arange(9) % 3, penalty=ist.L2(1.0)))
    with pytest.raises(ist.errors.InvalidArgument, match="a column that varies"):
        ist.odds_ratio(constant)
