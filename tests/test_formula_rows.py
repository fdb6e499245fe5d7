"""New rows of formula fits go through both sides of the formula, offsets included."""

import pickle

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy.stats import poisson
from statsmodels.gam.api import BSplines, GLMGam

import influstat as ist
from influstat.adapters.statsmodels.formula_parts import variables_in
from influstat.errors import InvalidArgument, InvalidType
from tests.tolerance import CLOSED_FORM, TWO_FITS

COUNTS = pd.DataFrame(
    {"x": [0.0, 1, 0, 1, 2, 2], "y": [10.0, 31, 22, 60, 95, 170], "n": [100.0, 150, 200, 310, 240, 400]}
)
POISSON = sm.families.Poisson()
EXPOSED = {
    "GLM exposure": lambda t: smf.glm("y ~ x", t, family=POISSON, exposure=t.n).fit(tol=1e-12),
    "GLM offset": lambda t: smf.glm("y ~ x", t, family=POISSON, offset=np.log(t.n)).fit(tol=1e-12),
    "Poisson exposure": lambda t: smf.poisson("y ~ x", t, exposure=t.n).fit(disp=0, method="newton"),
}


@pytest.mark.parametrize("name", EXPOSED)
def test_exposure_and_offset_of_new_rows_come_from_the_table_or_are_demanded(name):
    results = EXPOSED[name](COUNTS)
    fit = ist.from_statsmodels(results)
    new = COUNTS.iloc[[4, 0]]
    np.testing.assert_allclose(
        fit.predict(new, kind="mean"), np.asarray(results.predict())[[4, 0]], rtol=TWO_FITS
    )
    mu = fit.predict(new, kind="mean")
    np.testing.assert_allclose(fit.loss(new), -poisson.logpmf(new.y, mu), rtol=TWO_FITS)
    np.testing.assert_array_equal(fit.loss(new, new.y), fit.loss(new))
    assert fit.loss(COUNTS)[0] == pytest.approx(2.0798, abs=1e-4)
    with pytest.raises(InvalidArgument, match="^offset must be given for new rows .* column 'n'"):
        fit.predict(new[["x"]])
    np.testing.assert_allclose(
        fit.predict(new[["x"]], offset=np.log(new.n)), fit.predict(new), rtol=CLOSED_FORM
    )


def test_trials_are_proportions_of_the_table():
    table = pd.DataFrame({"dose": [1.0, 2, 3, 4], "died": [2, 8, 15, 23], "alive": [27, 22, 15, 7]})
    fit = ist.from_statsmodels(
        smf.glm("died + alive ~ dose", table, family=sm.families.Binomial()).fit(tol=1e-12)
    )
    share, p = table.died / (table.died + table.alive), fit.predict(table, kind="mean")
    expected = -(share * np.log(p) + (1 - share) * np.log(1 - p))
    for y in (None, share, table[["died", "alive"]]):
        np.testing.assert_allclose(fit.loss(table, y), expected, rtol=CLOSED_FORM)
    with pytest.raises(InvalidArgument, match="y must be the left side of 'died \\+ alive ~ dose'"):
        fit.loss(table, table.died)
    with pytest.raises(InvalidArgument, match="y must hold proportions"):
        fit.loss(fit.risk.design.rows(slice(None)), table.died)


def arrays(make):
    return make(COUNTS.y.to_numpy(), sm.add_constant(COUNTS.x.to_numpy()), COUNTS.n.to_numpy())


@pytest.mark.filterwarnings("ignore:.* lines of the report hold a nan")  # a loss without certificates
@pytest.mark.parametrize(
    "results",
    [
        arrays(lambda y, X, n: sm.GLM(y, X, family=POISSON, exposure=n).fit()),
        arrays(lambda y, X, n: sm.GLM(y, X, family=POISSON, offset=np.log(n)).fit()),
        arrays(lambda y, X, n: sm.Poisson(y, X, exposure=n).fit(disp=0, method="newton")),
        arrays(lambda y, X, n: sm.Poisson(y, X, exposure=n).fit_regularized(disp=0, alpha=0.1)),
        arrays(lambda y, X, n: sm.NegativeBinomial(y * [1, 9, 1, 0, 1, 5], X, exposure=n).fit(disp=0)),
    ],
    ids=["GLM exposure", "GLM offset", "Poisson", "Poisson, L1", "NegativeBinomial"],
)
def test_models_of_arrays_demand_the_offset_of_new_rows(results):
    fit = ist.from_statsmodels(results, polish=True)
    new, y, offset = sm.add_constant(COUNTS.x.to_numpy())[[4, 0]], COUNTS.y[[4, 0]], np.log(COUNTS.n[[4, 0]])
    removal = fit.leave_one_out(rows=[0])
    for ask in (
        fit.predict,
        lambda X, **given: fit.loss(X, y, **given),
        lambda X, **given: fit.influence().on_loss(X, y, **given),
        lambda X, **given: fit.influence().on_prediction(X, kind="mean", **given),
        lambda X, **given: removal.loss_change(X, y, **given),
        removal.prediction_change,
        lambda X, **given: fit.removal_report(X[:1], y[:1], **{k: v[:1] for k, v in given.items()}),
    ):
        with pytest.raises(InvalidArgument, match="^offset must be given for new rows .* is left out. "):
            ask(new)
        ask(new, offset=offset.to_numpy())
    given = np.asarray(results.predict())[[4, 0]]
    found = fit.predict(new, kind="mean", offset=offset.to_numpy())
    np.testing.assert_allclose(found, given, rtol=1e-3)  # polished


def test_a_left_side_that_transforms_is_evaluated():
    results = smf.ols("np.log(y) ~ x", COUNTS).fit()
    fit = ist.from_statsmodels(results)
    expected = results.resid**2
    for y in (None, COUNTS.y, np.log(COUNTS.y), COUNTS.y.to_numpy()):
        np.testing.assert_allclose(fit.loss(COUNTS, y), expected, rtol=TWO_FITS)
    assert expected[0] == pytest.approx(0.154, abs=1e-3)
    with pytest.raises(InvalidArgument, match=r"^y must be the left side of 'np.log\(y\) ~ x'.*Leave y out"):
        fit.loss(COUNTS, COUNTS.y + 1.0)
    with pytest.raises(InvalidArgument, match="^y must be in the table X .*name 'y' is not defined"):
        fit.loss(COUNTS[["x"]], COUNTS.y)


def test_the_sentence_of_patsy_is_told():
    fit = ist.from_statsmodels(smf.ols("y ~ C(g)", COUNTS.assign(g=list("aabbab"))).fit())
    with pytest.raises(InvalidArgument, match="lacks 'g' .name 'g' is not defined"):
        fit.predict(COUNTS)
    with pytest.raises(InvalidArgument, match="value 'z' does not match any of the expected levels"):
        fit.predict(COUNTS.assign(g="z"))
    with pytest.raises(InvalidArgument, match="^y must be given with new rows"):
        ist.Ridge().fit(COUNTS[["x"]], COUNTS.y).loss(COUNTS[["x"]])


def test_tables_after_fit_regularized_and_for_a_gam():
    results = smf.ols("y ~ x + n", COUNTS).fit_regularized(alpha=0.1, L1_wt=0.0)
    fit = ist.from_statsmodels(results, alpha=0.1, L1_wt=0.0)
    np.testing.assert_allclose(fit.predict(COUNTS), np.asarray(results.fittedvalues), rtol=TWO_FITS)
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"z": rng.normal(size=60), "s": rng.uniform(size=60)})
    table["y"] = table.z + np.sin(5 * table.s) + 0.1 * rng.normal(size=60)
    smooth = BSplines(table[["s"]], df=[6], degree=[3])
    gam = GLMGam.from_formula("y ~ z", table, smoother=smooth, alpha=[0.1]).fit()
    fit = ist.from_statsmodels(gam, polish=True)
    np.testing.assert_allclose(fit.predict(table[5:9]), gam.fittedvalues[5:9], rtol=1e-6)


FAMILIES = [
    (sm.families.Gamma(sm.families.links.Log()), [-1.0, 0.0]),
    (sm.families.InverseGaussian(sm.families.links.Log()), [-1.0, 0.0]),
    (POISSON, [-1.0]),
    (sm.families.NegativeBinomial(alpha=0.5), [-1.0]),
    (sm.families.Tweedie(var_power=1.5), [-1.0]),
    (sm.families.Binomial(), [-0.1, 1.1]),  # its own: statsmodels keeps the trials of a fit in it
]


@pytest.mark.parametrize(("family", "wrong"), FAMILIES, ids=lambda value: type(value).__name__)
def test_targets_that_a_family_cannot_give_are_refused(family, wrong):
    y = np.array([0.2, 0.5, 0.4, 0.7, 0.6, 0.8])
    X = sm.add_constant(np.arange(6.0))
    fit = ist.from_statsmodels(sm.GLM(y, X, family=family).fit(tol=1e-12), polish=True)
    for value in wrong:
        with pytest.raises(InvalidArgument, match=rf"^y must .* but it holds {value:g} at row 0"):
            fit.loss(X[:1], [value])


def test_marginal_effects_of_new_rows_take_the_exposure_that_predictions_take():
    rng = np.random.default_rng(7)
    table = pd.DataFrame({"a": rng.normal(size=40), "E": rng.uniform(1.0, 9.0, 40)})
    table["c"] = rng.poisson(table.E * np.exp(0.3 * table.a))
    results = smf.glm("c ~ a", table, family=sm.families.Poisson(), exposure=table.E).fit()
    found = ist.average_marginal_effect(ist.from_statsmodels(results), "a", X=table[:3]).value
    truth = (results.predict(table[:3], exposure=table.E[:3]) * results.params["a"]).mean()
    np.testing.assert_allclose(found, truth, rtol=TWO_FITS)


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # of pandas, which people still use
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_table_that_was_sorted_since_the_fit_is_read_by_its_labels(when):
    rng = np.random.default_rng(8)
    table = pd.DataFrame({"a": rng.normal(size=20), "firm": rng.integers(0, 4, 20)})
    table["c"] = table.a + rng.normal(size=20)
    firms = table.firm.copy()
    results = smf.ols("c ~ a", table).fit()
    if when == "before":
        table.sort_values("c", inplace=True)
    fit = ist.from_statsmodels(results)
    if when == "after":
        table.sort_values("c", inplace=True)
    np.testing.assert_array_equal(fit.leave_groups_out("firm").theta, fit.leave_groups_out(firms).theta)


def test_a_dict_from_rows_to_groups_is_told_from_one_of_groups_to_rows():
    table = pd.DataFrame({"x": [0.0, 1, 2, 3], "y": [1.0, 3, 2, 5]})
    fit = ist.from_statsmodels(smf.ols("y ~ x", table).fit())
    with pytest.raises(InvalidArgument, match="gives one value for each key"):
        fit.leave_groups_out({0: 1, 1: 1, 2: 0, 3: 0})


def twice_the_log(values):
    return 2.0 * np.log(values)


MESSY = COUNTS.assign(x=[0.0, 1, np.nan, 1, 2, 3])


@pytest.mark.parametrize("left", ["np.log(y)", "I(y / n)", "y", "center(y)"])
def test_the_left_side_is_known_where_rows_with_missing_values_are_dropped(left):
    results = smf.ols(f"{left} ~ x", MESSY).fit()
    fit = ist.from_statsmodels(results)
    rows = MESSY.dropna()
    np.testing.assert_allclose(fit.loss(rows), results.resid**2, rtol=CLOSED_FORM)
    if left != "I(y / n)":  # of two variables neither is y
        np.testing.assert_allclose(fit.loss(rows, rows.y), results.resid**2, rtol=CLOSED_FORM)
    if left != "y":
        with pytest.raises(InvalidArgument, match=r"^y must be the left side of "):
            fit.loss(rows, rows.n)


def test_a_left_side_that_is_lost_is_not_guessed():
    fit = ist.from_statsmodels(smf.ols("twice_the_log(y) ~ x", MESSY).fit())
    rows = MESSY.dropna()
    for y in (None, rows.y):
        with pytest.raises(InvalidArgument, match="statsmodels does not keep that side .* Fit again on"):
            fit.loss(rows, y)
    results = smf.ols("twice_the_log(y) ~ x", rows).fit()  # the remedy
    np.testing.assert_allclose(ist.from_statsmodels(results).loss(rows), results.resid**2, rtol=CLOSED_FORM)


def test_a_left_side_is_not_guessed_where_the_table_is_gone():
    results = smf.ols("np.log(y) ~ x", COUNTS).fit()
    fit = ist.from_statsmodels(results)
    del results.model.data.frame
    np.testing.assert_allclose(fit.loss(COUNTS), results.resid**2, rtol=CLOSED_FORM)
    with pytest.raises(InvalidArgument, match="y must be the left side"):
        fit.loss(COUNTS, COUNTS.n)


def test_a_dict_of_columns_is_a_table_and_one_row_alone_is_asked_for_as_one():
    fit = ist.from_statsmodels(smf.ols("y ~ x + n", COUNTS).fit())
    expected = fit.predict(COUNTS.head(2))
    columns = {name: COUNTS[name].head(2).tolist() for name in ("x", "n", "y")}
    np.testing.assert_array_equal(fit.predict(columns), expected)
    np.testing.assert_array_equal(fit.loss(columns), fit.loss(COUNTS.head(2)))
    np.testing.assert_array_equal(fit.predict({"x": 0.0, "n": 100.0}), expected[:1])
    with pytest.raises(InvalidArgument, match="columns of one length, where it is a dict"):
        fit.predict({"x": [1.0, 2.0], "n": [1.0]})
    with pytest.raises(InvalidArgument, match="is a Series of the entries of one row, 0"):
        fit.predict(COUNTS.iloc[0])
    np.testing.assert_allclose(fit.predict(COUNTS.iloc[0].to_frame().T), expected[:1])  # the remedy
    with pytest.raises(InvalidArgument, match="have each column once, but it has 'x' more than once"):
        fit.predict(pd.concat([COUNTS, COUNTS[["x"]]], axis=1))


x = np.arange(3.0)  # what patsy would take where a table has no x


def test_a_variable_that_the_table_lacks_is_not_taken_from_elsewhere():
    fit = ist.from_statsmodels(smf.ols("np.log(y) ~ x", COUNTS).fit())
    with pytest.raises(InvalidArgument, match="^X must hold the variables .* lacks 'x'"):
        fit.predict(COUNTS[["n"]].head(3))
    inverse = ist.from_statsmodels(smf.ols("np.exp(x) ~ n", COUNTS).fit())
    with pytest.raises(InvalidArgument, match="^y must be in the table X .*name 'x' is not defined"):
        inverse.loss(COUNTS[["n"]].head(3))


def test_names_of_variables_are_told_from_words_in_quotation_marks_and_keywords():
    names = ["df", "a", "x", "b", "two words", "log"]
    text = "bs(x, df=4) + C(g, Treatment(reference='b')) + np.log(x) + Q('two words') + I(a == 2)"
    assert variables_in(text, COUNTS.reindex(columns=names)) == ["a", "x", "two words"]


@pytest.mark.parametrize("column", ["sick", "told"])
def test_targets_that_are_no_numbers_are_coded_as_in_the_model(column):
    table = COUNTS.assign(sick=[True, False, False, True, False, True])
    table["told"] = np.where(table.sick, "yes", "no")  # statsmodels fits the share of "no"
    fit = ist.from_statsmodels(smf.glm(f"{column} ~ x", table, family=sm.families.Binomial()).fit(tol=1e-12))
    healthy = fit.predict(table, kind="mean")
    expected = -np.log(np.where(table.sick, 1.0 - healthy, healthy))
    for y in (None, table[column], table[column].tolist()):
        np.testing.assert_allclose(fit.loss(table, y), expected, rtol=CLOSED_FORM)


def test_values_that_a_term_does_not_take_are_not_called_missing_variables():
    fit = ist.from_statsmodels(smf.ols("y ~ bs(n, df=4)", COUNTS).fit())
    with pytest.raises(InvalidArgument, match="^X must be a table on which .* outermost knots"):
        fit.predict(COUNTS.assign(n=999.0))


@pytest.mark.parametrize(
    ("values", "error", "sentence"),
    [
        ([True, False], InvalidType, "hold numbers in column 'x', .* but it holds bool there"),
        (pd.array([True, False], dtype="boolean"), InvalidType, "but it holds boolean there"),
        (
            pd.array([1.0, None], dtype="Float64"),
            InvalidArgument,
            "must be finite, but it holds <NA> at row 1",
        ),
        (pd.array([None, 1], dtype="Int64"), InvalidArgument, "must be finite, but it holds <NA> at row 0"),
    ],
    ids=["bool", "boolean", "Float64", "Int64"],
)
def test_variables_of_other_types_than_in_the_fit_are_named(values, error, sentence):
    for results in (smf.ols("y ~ x + n", COUNTS).fit(), smf.ols("y ~ n:x", COUNTS).fit()):
        with pytest.raises(error, match=sentence):
            ist.from_statsmodels(results).predict(COUNTS.head(2).assign(x=values))


def halved(x):
    """Return a user's own function of a column, for formulas."""
    return x / 2.0


@pytest.mark.parametrize("right", ["x", "np.exp(x) + C(g)", "center(x)", "bs(x, df=4)", "halved(x)"])
def test_a_formula_fit_pickles_after_questions(right):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=40), "g": np.tile(list("ab"), 20), "y": rng.normal(size=40)})
    fit = ist.from_statsmodels(smf.ols(f"y ~ {right}", table).fit())
    fit.loss(table)
    fit.leave_one_out(rows=[0])
    again = pickle.loads(pickle.dumps(fit))
    np.testing.assert_array_equal(again.predict(table), fit.predict(table))
    np.testing.assert_array_equal(again.loss(table), fit.loss(table))


@pytest.mark.parametrize("formula", ["y ~ x", "n ~ bs(y, df=4)", "np.log(y) ~ C(n)"])
def test_a_table_without_rows_says_so(formula):
    fit = ist.from_statsmodels(smf.ols(formula, pd.concat([COUNTS] * 2)).fit())
    for ask in (fit.predict, fit.loss, lambda X: fit.leave_one_out().loss_change(X)):
        with pytest.raises(
            InvalidArgument, match=r"^X must have at least one row, but it has shape \(0, 3\)"
        ):
            ask(COUNTS.iloc[:0])


@pytest.mark.parametrize("formula", ["y ~ x", "np.log(y) ~ x", "y + n ~ x"])
def test_targets_in_the_table_that_are_no_numbers_are_named(formula):
    family = sm.families.Binomial() if "+" in formula else sm.families.Gaussian()
    fit = ist.from_statsmodels(smf.glm(formula, COUNTS, family=family).fit(tol=1e-12))
    with pytest.raises(InvalidType, match="^X must hold real numbers.* in column 'y'"):
        fit.loss(COUNTS.assign(y=np.array(["a", "b", "c", "d", "e", "f"], dtype=object)))
    with pytest.raises(InvalidArgument, match="^y must be finite, but it holds nan at row 0"):
        fit.loss(COUNTS.assign(y=np.array([None] * 6, dtype=object)))
