"""Effects per unit of the user's own columns, against differences of predictions."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, PolynomialFeatures, StandardScaler

import influstat as ist
from influstat.errors import InvalidArgument, Unsupported
from tests.tolerance import CHANGES, SLOPES, STANDARD_ERRORS, TWO_FITS

RNG = np.random.default_rng(5)
N = 120
TABLE = pd.DataFrame(
    {
        "age": RNG.uniform(20.0, 60.0, N),
        "wage": RNG.lognormal(size=N),
        "city": RNG.choice(["a", "b", "c"], N),
        "treated": RNG.integers(0, 2, N),
    }
)
ETA = (
    (TABLE.age - 40) / 10
    - 0.02 * (TABLE.age - 40) ** 2 / 10
    + 0.4 * (TABLE.city == "b")
    - 0.5 * TABLE.treated
)
TABLE["y"] = (RNG.random(N) < 1.0 / (1.0 + np.exp(-ETA))).astype(int)
NUMBERS = ["age", "wage", "treated"]
EXACT = {"C": 2.0, "solver": "newton-cholesky", "tol": 1e-12}
PIPELINES = {
    "scaled": make_pipeline(StandardScaler(), LogisticRegression(**EXACT)),
    "powers": make_pipeline(
        StandardScaler(), PolynomialFeatures(2, include_bias=False), LogisticRegression(**EXACT)
    ),
    "some": make_pipeline(
        make_column_transformer((OneHotEncoder(drop="first"), ["city"]), (StandardScaler(), ["age", "wage"])),
        LogisticRegression(**EXACT),
    ),
}
FORMULAS = [
    "y ~ age + wage + treated",
    "y ~ age + I(age**2) + C(city)",
    "y ~ np.log(wage) + age:treated + age",
    "y ~ np.exp(age / 50) + C(city) * treated",
    "y ~ center(age) + bs(wage, df=4)",
]


def of_pipeline(name):
    X = TABLE.drop(columns=["y"]) if name == "some" else TABLE[NUMBERS]
    model = PIPELINES[name].fit(X, TABLE.y)
    return ist.from_sklearn(model, X, TABLE.y), lambda table: model.predict_proba(table[X.columns])[:, 1]


def of_formula(formula):
    results = smf.logit(formula, TABLE).fit(disp=0, method="newton", tol=1e-13, maxiter=100)
    return ist.from_statsmodels(results), results.predict


CASES = [*((of_pipeline, name) for name in PIPELINES), *((of_formula, formula) for formula in FORMULAS)]
EVERY = pytest.mark.parametrize(("read", "what"), CASES, ids=[case[1] for case in CASES])


def difference(mean, column, step=1e-5):
    """Return the mean slope of predictions in a column by a central difference, its error about 1e-9."""
    size = step * np.maximum(np.abs(TABLE[column]), 1e-3)
    up, down = (TABLE.assign(**{column: TABLE[column] + s * size}) for s in (1.0, -1.0))
    return float(np.mean((mean(up) - mean(down)) / (2.0 * size)))


def differentiable(what):
    return [c for c in ("age", "wage", "treated") if c in what or what in ("scaled", "powers")]


@pytest.mark.dear
@EVERY
def test_a_marginal_effect_is_the_slope_of_predictions_in_the_users_column(read, what):
    fit, mean = read(what)
    columns = differentiable(what) if what != "some" else ["age", "wage"]
    if "bs(" in what:
        columns = ["age"]  # a difference leaves the range of the splines
    found = ist.average_marginal_effect(fit, columns)
    assert found.labels == tuple(columns)
    truth = [difference(mean, column) for column in columns]
    np.testing.assert_allclose(found.value, truth, rtol=SLOPES, atol=CHANGES)


@pytest.mark.dear
@EVERY
def test_its_gradient_is_the_derivative_in_theta(read, what):
    fit, _ = read(what)
    q = ist.average_marginal_effect(fit, "age" if what != "scaled" else ["age", "wage"])
    weights = np.ones(N)
    for j in range(len(fit.theta)):
        step = np.zeros(len(fit.theta))
        step[j] = 1e-5 / max(1.0, np.abs(fit.risk.design.rows(slice(None))[:, j]).max())
        slope = (q.evaluate(fit.theta + step, weights) - q.evaluate(fit.theta - step, weights)) / (
            2 * step[j]
        )
        np.testing.assert_allclose(q.gradient[j], slope, rtol=1e-5, atol=SLOPES * np.abs(q.gradient[j]).max())


def test_an_odds_ratio_is_per_unit_of_the_users_column():
    fit, mean = of_pipeline("scaled")
    odds = [mean(t) / (1 - mean(t)) for t in (TABLE.assign(age=TABLE.age + 3.0), TABLE)]
    np.testing.assert_allclose(
        ist.odds_ratio(fit, "age", unit=3.0).value, np.mean(odds[0] / odds[1]), rtol=TWO_FITS
    )
    fit, mean = of_formula(FORMULAS[1])
    odds = [mean(TABLE.assign(city=c)) for c in "ab"]
    odds = [m / (1 - m) for m in odds]
    found = ist.odds_ratio(fit, "city")
    assert found.labels == ("city: b", "city: c")
    np.testing.assert_allclose(found.value[0], (odds[1] / odds[0]).mean(), rtol=TWO_FITS)


def test_categories_are_compared_with_the_first():
    for fit, mean in (of_formula(FORMULAS[1]), of_pipeline("some")):
        found = ist.average_marginal_effect(fit, "city")
        truth = [(mean(TABLE.assign(city=c)) - mean(TABLE.assign(city="a"))).mean() for c in "bc"]
        np.testing.assert_allclose(found.value, truth, rtol=TWO_FITS)


@pytest.mark.dear
@pytest.mark.parametrize("kind", ["eyex", "dyex", "eydx"])
def test_elasticities_are_those_of_get_margeff(kind):
    results = smf.logit(FORMULAS[0], TABLE).fit(disp=0, method="newton", tol=1e-13)
    theirs = results.get_margeff(method=kind)
    found = ist.average_marginal_effect(ist.from_statsmodels(results), elasticity=kind)
    np.testing.assert_allclose(found.value, theirs.margeff, rtol=TWO_FITS)
    np.testing.assert_allclose(found.standard_errors(), theirs.margeff_se, rtol=STANDARD_ERRORS)
    if kind == "eydx":
        theirs = results.get_margeff(method=kind, dummy=True)
        found = ist.average_marginal_effect(found.fit, elasticity=kind, discrete=["treated"])
        np.testing.assert_allclose(found.value, theirs.margeff, rtol=TWO_FITS)
        np.testing.assert_allclose(found.standard_errors(), theirs.margeff_se, rtol=STANDARD_ERRORS)
    else:
        with pytest.raises(ist.errors.InvalidArgument, match="no relative size"):
            ist.average_marginal_effect(found.fit, elasticity=kind, discrete=["treated"])


def test_inputs_are_moved_in_the_users_units():
    X = TABLE[["age", "wage"]]
    scaler = StandardScaler().fit(X)
    fit = ist.from_sklearn(make_pipeline(scaler, LogisticRegression(**EXACT)).fit(X, TABLE.y), X, TABLE.y)
    found = ist.input_influence(fit, X[:2], TABLE.y[:2])
    Z = scaler.transform(X)
    inner = ist.from_sklearn(LogisticRegression(**EXACT).fit(Z, TABLE.y), Z, TABLE.y)
    scaled = ist.input_influence(inner, Z[:2], TABLE.y[:2])
    assert found.names == ("age", "wage")
    np.testing.assert_allclose(found.values, scaled.values / scaler.scale_, rtol=STANDARD_ERRORS)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda fit: ist.odds_ratio(fit, "age"), "the same in every row.*'age'.*average_marginal_effect"),
        (lambda fit: ist.odds_ratio(fit, "I(age ** 2)"), "moves with other columns made from 'age'"),
        (lambda fit: ist.average_marginal_effect(fit, "nothing"), "columns must name"),
        (lambda fit: ist.average_marginal_effect(fit, elasticity="xx"), "elasticity must be"),
    ],
)
def test_what_has_no_answer_is_refused_with_the_reason(call, sentence):
    fit, _ = of_formula(FORMULAS[1])
    with pytest.raises(ist.errors.InvalidArgument, match=f"(?s){sentence}"):
        call(fit)


# -- numbers that a formula follows in steps -----------------------------------------------------------------

STEPS = {  # formula -> values in the first range, and in each that has an effect against it
    "y ~ I(age > 40)": ("age <= 40", {"40.5 to 79.5": "age > 40"}),
    "y ~ z + (age > 40)": ("age <= 40", {"40.5 to 79.5": "age > 40"}),
    "y ~ z * I((age > 40) & (age < 60))": ("age < 40 or age > 60", {"40.5 to 59.5": "40 < age < 60"}),
    "y ~ z + np.floor(age / 20)": (
        "age < 20",
        {"20.5 to 39.5": "20 < age < 40", "40.5 to 59.5": "40 < age < 60", "60.5 to 79.5": "60 < age"},
    ),
    "y ~ z + C(third)": ("third == 0", {"1.0": "third == 1", "2.0": "third == 2"}),
}
AGES = pd.DataFrame(
    {"age": np.arange(15, 80) + 0.5, "z": np.sin(np.arange(65)), "third": np.arange(65) % 3.0}
)
AGES["y"] = (np.arange(65) * 7 % 11 < 5).astype(int)


@pytest.mark.parametrize("kind", [float, "float32", int])
@pytest.mark.parametrize("formula", STEPS)
def test_numbers_in_steps_have_an_effect_for_each_range(formula, kind):
    table = AGES.astype({"third": kind}) if "third" in formula else AGES.astype({"age": kind})
    column, (low, ranges) = ("third" if "third" in formula else "age"), STEPS[formula]
    results = smf.logit(formula, table).fit(disp=0)
    found = ist.average_marginal_effect(ist.from_statsmodels(results), column)
    if kind is not int:
        assert [text.removeprefix(f"{column}: ") for text in found.labels] == list(ranges)
    assert len(found.labels) == len(ranges)

    def mean(query):
        some = table.query(query)[column].iloc[0]
        return results.predict(table.assign(**{column: some})).mean()

    truth = [mean(query) - mean(low) for query in ranges.values()]
    np.testing.assert_allclose(found.value, truth, rtol=1e-9)
    named = [name for name in results.model.exog_names if "age" in name and ":" not in name]
    if "z *" not in formula and "(age > 40)" in formula:  # as that of its coefficient
        same = ist.average_marginal_effect(ist.from_statsmodels(results), named, discrete=named)
        np.testing.assert_allclose(same.value, found.value, rtol=1e-9)


def test_categories_that_are_numbers_are_not_joined():
    table = AGES.assign(third=pd.Categorical(AGES["third"].astype(int)))
    fit = ist.from_statsmodels(smf.logit("y ~ z + I(third.astype(int) > 0)", table).fit(disp=0))
    found = ist.average_marginal_effect(fit, "third")
    assert list(found.labels) == ["third: 1", "third: 2"]
    assert found.value[0] == found.value[1]


def test_too_many_values_are_refused_before_they_are_read(monkeypatch):
    fit = ist.from_statsmodels(smf.logit("y ~ I(age > 40)", AGES).fit(disp=0))
    monkeypatch.setattr("influstat.influence.changes.MANY", 10)
    monkeypatch.setattr("influstat.influence.changes.MOST", 650)
    with pytest.raises(
        InvalidArgument, match="^columns must name columns of at most 10 values .* 'age', which has 65"
    ):
        ist.average_marginal_effect(fit, "age")


def test_columns_that_follow_from_other_rows_are_said_to_be_why_there_is_no_derivative():
    X, y = pd.DataFrame({"a": [1.0, 2.0, 4.0, 7.0], "b": [0.0, 3.0, 1.0, 2.0]}), [1.0, 2.0, 3.0, 5.0]
    centred = FunctionTransformer(lambda table: table - table.mean())
    fit = ist.from_sklearn(make_pipeline(centred, Ridge()).fit(X, y), X, y)
    with pytest.raises(Unsupported, match="which looks at the other rows of the table"):
        ist.input_influence(fit, X, y)
