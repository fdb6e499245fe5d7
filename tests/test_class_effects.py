"""Marginal effects and odds ratios of several classes, against statsmodels, differences and refits."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler

import influstat as ist
from influstat.minimise.newton import minimise
from tests.scikit_learn_versions import SOFTMAX as SOFTMAX_SETTINGS

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


# -- in units of the user's own columns --------------------------------------------------------------------

TABLE = pd.DataFrame(
    {"age": RNG.uniform(20.0, 60.0, N), "dose": X[:, 1], "city": RNG.choice(["a", "b", "c"], N)}
)
TABLE["k"] = np.argmax(
    np.column_stack([0.0 * TABLE.age, TABLE.age / 20.0 - 2.0, TABLE.dose]) + RNG.gumbel(size=(N, 3)), 1
)
SETTINGS = {"C": 2.0, **SOFTMAX_SETTINGS}
OWN = {
    "scaled": ["age", "dose"],
    "powers and categories": ["age", "dose", "city"],
    "formula": ["age", "dose", "city"],
}


def own_columns(name):
    """Return a fit and what its library predicts for a table, shape (m, 3)."""
    if name == "formula":
        results = smf.mnlogit("k ~ age + I(age**2) + C(city)", TABLE).fit(
            disp=0, maxiter=200, method="newton"
        )
        return ist.from_statsmodels(results, polish=True), lambda table: np.asarray(results.predict(table))
    powers = make_pipeline(StandardScaler(), PolynomialFeatures(2, include_bias=False))
    steps = [StandardScaler()]
    if name != "scaled":
        steps = [make_column_transformer((powers, ["age", "dose"]), (OneHotEncoder(drop="first"), ["city"]))]
    pipe = make_pipeline(*steps, LogisticRegression(**SETTINGS)).fit(TABLE[OWN[name]], TABLE.k)
    return ist.from_sklearn(pipe, TABLE[OWN[name]], TABLE.k, polish=True), pipe.predict_proba


@pytest.mark.parametrize("name", OWN)
def test_effects_are_per_unit_of_the_user_s_column(name):
    fit, predicted = own_columns(name)
    table, h = TABLE[OWN[name]], 1e-3
    ends = [predicted(table.assign(age=table.age + step)) for step in (h, -h)]
    slope, pi = (ends[0] - ends[1]) / (2.0 * h), predicted(table)
    truth = {None: slope, "eydx": slope / pi, "eyex": slope / pi * table[["age"]].to_numpy()}
    for kind, each in truth.items():
        found = ist.average_marginal_effect(fit, "age", elasticity=kind)
        np.testing.assert_allclose(found.value, each.mean(axis=0), rtol=1e-4, atol=1e-7)
        assert found.labels == ("0: age", "1: age", "2: age")
    some = ist.average_marginal_effect(fit, "age", X=table.iloc[:7])
    np.testing.assert_allclose(some.value, slope[:7].mean(axis=0), rtol=1e-4, atol=1e-7)
    if "city" in table:
        found = ist.average_marginal_effect(fit, "city")
        steps = [predicted(table.assign(city=city)) - predicted(table.assign(city="a")) for city in "bc"]
        np.testing.assert_allclose(
            found.value, np.concatenate([one.mean(axis=0) for one in steps]), atol=1e-6
        )
    if name == "scaled":
        eta = [np.log(one[:, 1:] / one[:, :1]) for one in (predicted(table.assign(age=table.age + 1.0)), pi)]
        np.testing.assert_allclose(ist.odds_ratio(fit, "age").value, np.exp(eta[0] - eta[1])[0], rtol=1e-5)
    else:
        with pytest.raises(ist.errors.InvalidArgument, match="move the log odds by the same in every row"):
            ist.odds_ratio(fit, "age")
