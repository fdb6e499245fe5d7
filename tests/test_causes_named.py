"""What a caller did is named by the names that the caller knows, with a remedy that exists."""

import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import statsmodels.api as sm
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import influstat as ist
from influstat.errors import DoubtfulResult, InvalidArgument, InvalidType, SingularHessian

RNG = np.random.default_rng(11)
TABLE = pd.DataFrame(
    {"dose": RNG.normal(size=60), "age": 40.0 + RNG.normal(size=60), "firm": np.repeat(list("abcd"), 15)},
    index=[f"case {k}" for k in range(60)],
)
TABLE["out"] = 1.0 + TABLE["dose"] + RNG.normal(size=60)
TABLE["label"] = (TABLE["out"] > 1.0).astype(int)
TABLE["count"] = RNG.poisson(2.0, size=60)
TABLE["time"] = RNG.uniform(1.0, 3.0, size=60)
COLUMNS = TABLE[["dose", "age"]]


def by_formula():
    return ist.from_statsmodels(sm.OLS.from_formula("out ~ dose + np.log(age)", TABLE).fit())


def by_arrays():
    return ist.from_statsmodels(sm.OLS(TABLE["out"], COLUMNS).fit())


def by_pipeline():
    columns = make_column_transformer(
        (StandardScaler(), ["dose", "age"]), (OneHotEncoder(drop="first"), ["firm"])
    )
    table = TABLE[["dose", "age", "firm"]]
    return ist.from_sklearn(
        make_pipeline(columns, LinearRegression()).fit(table, TABLE["out"]), table, TABLE["out"]
    )


def by_estimator():
    return ist.from_sklearn(LinearRegression().fit(COLUMNS, TABLE["out"]), COLUMNS, TABLE["out"])


def by_model():
    return ist.Ridge(lam=1.0).fit(COLUMNS, TABLE["out"])


FITS = {one.__name__: one for one in (by_formula, by_arrays, by_pipeline, by_estimator, by_model)}


def new_rows(name):
    return TABLE.iloc[10:14][["dose", "age", "firm"] if name == "by_pipeline" else ["dose", "age"]].copy()


QUESTIONS = {
    "predict": lambda fit, X: fit.predict(X),
    "loss": lambda fit, X: fit.loss(X, [1.0, 2.0, 3.0, 4.0]),
    "influence": lambda fit, X: fit.influence().on_prediction(X),
    "removal": lambda fit, X: fit.leave_one_out(rows=[0]).prediction_change(X),
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", FITS)
def test_a_missing_value_in_new_rows_is_named_by_row_and_variable(name, value, question):
    fit, table = FITS[name](), new_rows(name)
    table.loc["case 12", "age"] = value
    if name == "by_pipeline" and value == np.inf:
        sentence = "X must be a table that the pipeline's transformers take"  # scikit-learn refuses it
    else:
        sentence = (
            rf"^X must be finite, but it holds {value} at row 2 \('case 12'\), column 1 \('.*age'\)\. "
            "This is the new table"
        )
    with pytest.raises(InvalidArgument, match=sentence) as said:
        QUESTIONS[question](fit, table)
    assert "before the fit" not in str(said.value)


def test_a_formula_that_is_not_finite_for_a_row_is_named():
    table = new_rows("by_formula")
    table.loc["case 11", "age"] = -1.0
    with (
        pytest.raises(
            InvalidArgument,
            match=r"gives nan at row 1 \('case 11'\), where dose is .*, age is -1.0\. This is the new",
        ),
        np.errstate(invalid="ignore"),
    ):
        by_formula().predict(table)


def test_rows_of_a_sparse_matrix_and_training_rows_are_told_apart():
    rng = np.random.default_rng(709)
    X = rng.normal(size=(6, 2))
    fit = ist.Ridge(lam=1.0).fit(sp.csr_array(X), X[:, 0])
    spoilt = X.copy()
    spoilt[4, 1] = np.nan
    with pytest.raises(InvalidArgument, match=r"nan at row 4, column 1 \('x1'\)\. This is the new table"):
        fit.predict(sp.csr_array(spoilt))
    with pytest.raises(InvalidArgument, match=r"nan at row 4, column 1\. Drop or impute .* before the fit"):
        ist.Ridge(lam=1.0).fit(spoilt, X[:, 0])


# -- text among numbers ------------------------------------------------------------------------------------

TEXTS = {
    "a column of text": (TABLE[["dose", "firm"]], "in column 'firm'.*'a' at row 0 .'case 0'. is no number"),
    "categories": (
        TABLE[["dose", "firm"]].astype({"firm": "category"}),
        "in column 'firm'.*'a' at row 0 .'case 0'. is no number",
    ),
    "one word among numbers": (
        COLUMNS.astype(object).assign(age=[*range(59), "old"]),
        "in column 'age'.*'old' at row 59 .'case 59'. is no number",
    ),
    "a missing text": (
        COLUMNS.assign(age=pd.array([*range(3), None, "", *range(55)], dtype=object)),
        "in column 'age'.*'' at row 4 .'case 4'. is no number",
    ),
    "a list with a word": ([[1.0, 2.0]] * 59 + [[1.0, "old"]], "'old' at row 59, column 1 is no number"),
    "an array of objects": (
        TABLE[["dose", "firm"]].to_numpy(dtype=object),
        "'a' at row 0, column 1 is no number",
    ),
}
TAKERS = {
    "a model": lambda X: ist.Logistic(lam=1.0).fit(X, TABLE["label"].to_numpy()),
    "a risk": lambda X: ist.LinearRisk(ist.SquaredError(), X, TABLE["out"].to_numpy()),
    "new rows": lambda X: ist.Ridge(lam=1.0).fit(COLUMNS.to_numpy(), TABLE["out"].to_numpy()).predict(X),
}


@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize("name", TEXTS)
def test_text_among_numbers_is_named_with_its_first_place(name, taker):
    X, sentence = TEXTS[name]
    with pytest.raises(InvalidType, match=f"^X must hold real numbers, but it has dtype .*{sentence}"):
        TAKERS[taker](X)


def test_text_in_a_variable_of_a_formula_is_named():
    table = new_rows("by_formula").astype({"dose": object})
    table.loc["case 13", "dose"] = "high"
    with pytest.raises(InvalidType, match=r"in column 'dose'.*'high' at row 3 \('case 13'\) is no number"):
        by_formula().predict(table)


# -- groups, columns, rows ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["exact", "newton"])
@pytest.mark.parametrize(
    "groups", ["firm", list(TABLE["firm"]), {"a": range(15), "b": range(15, 30)}], ids=str
)
def test_a_group_without_a_result_is_named(groups, method):
    table = TABLE.assign(first=(TABLE["firm"] == "a") * 1.0)
    fit = ist.from_statsmodels(sm.OLS.from_formula("out ~ dose + first", table).fit())
    with pytest.warns(
        DoubtfulResult, match="The first: Group 'a': Without these 15 rows: first is not determined"
    ):
        removal = fit.leave_groups_out(groups, method=method)
    assert removal.status[0].startswith("Group 'a': Without these 15 rows")
    assert set(removal.status[1:]) == {""}


def test_a_fold_and_a_row_without_a_result_are_named():
    table = TABLE.assign(first=(TABLE["firm"] == "a") * 1.0)
    fit = ist.from_statsmodels(sm.OLS.from_formula("out ~ dose + first", table).fit())
    with pytest.warns(DoubtfulResult, match="The first: Fold 'a': Without these 15 rows"):
        assert ist.cross_validate(fit, "firm").status[0].startswith("Fold 'a': ")
    table = TABLE.assign(alone=(TABLE.index == "case 7") * 1.0)
    fit = ist.from_statsmodels(sm.OLS.from_formula("out ~ dose + alone", table).fit())
    with pytest.warns(DoubtfulResult, match="The first, row 'case 7': Without this row: alone is not"):
        fit.leave_one_out()


BY_COLUMN = {
    "leave_groups_out": lambda fit, name: fit.leave_groups_out(name),
    "cross_validate": ist.cross_validate,
    "covariance": lambda fit, name: fit.covariance("cluster", groups=name),
    "removal_report": lambda fit, name: fit.removal_report(new_rows("by_formula"), [1.0] * 4, groups=name),
}


@pytest.mark.parametrize("question", BY_COLUMN)
@pytest.mark.parametrize(("typed", "meant"), [("frim", "firm"), ("Firm", "firm"), ("firms", "firm")])
def test_a_misspelt_column_of_groups_has_the_columns_listed_the_closest_first(question, typed, meant):
    with pytest.raises(InvalidArgument, match=f"is '{typed}'; the columns are '{meant}', ") as said:
        BY_COLUMN[question](by_formula(), typed)
    assert "table[" not in str(said.value)
    with pytest.raises(InvalidArgument, match=r"the fit knows no such table\. Pass one label per row \(60\)"):
        BY_COLUMN[question](by_model(), typed)


@pytest.mark.parametrize("argument", ["columns", "discrete"])
@pytest.mark.parametrize(
    ("name", "typed", "listed"),
    [
        ("by_pipeline", "Age", "columns of the table that the model was given.*'age', 'dose', 'firm'"),
        ("by_formula", "aeg", "columns of the table that the model was given.*'age', "),
        ("by_model", "doze", "coefficients of the fit.*'dose', 'age'"),
    ],
)
def test_a_misspelt_column_of_an_effect_has_the_callers_columns_listed(name, typed, listed, argument):
    with pytest.raises(InvalidArgument, match=f"^{argument} must name {listed}") as said:
        ist.average_marginal_effect(FITS[name](), **{argument: [typed]})
    assert "__" not in str(said.value)


def test_a_discrete_column_that_is_not_among_the_columns_is_named():
    with pytest.raises(InvalidArgument, match="discrete must be among the columns, but it holds 'age'"):
        ist.average_marginal_effect(by_model(), ["dose"], discrete=["age"])


# Labels of rows -> rows asked for, and the entry that may be two rows.
AMBIGUOUS = [
    (np.arange(5, 65), [2, 7], 7),  # 2 is no label
    (np.arange(5, 65), [59, 4, 10], 59),
    (np.r_[np.arange(40), np.arange(41, 61)], [3, 39, 50], 50),  # 3 is row 3 either way
    (np.r_[np.arange(1, 60), 0], [0, 5], 0),
    (np.arange(0, 120, 2), [0, 1, 6], 6),  # 1 is no label
]


@pytest.mark.parametrize(("labels", "rows", "doubtful"), AMBIGUOUS)
def test_the_entry_that_may_be_two_rows_is_named(labels, rows, doubtful):
    fit = ist.Ridge(lam=1.0).fit(COLUMNS.set_axis(labels), TABLE["out"].set_axis(labels))
    sentence = f"it holds {doubtful}, and the row at position {doubtful} is called {labels[doubtful]}"
    with pytest.raises(InvalidArgument, match=re.escape(sentence)):
        fit.leave_one_out(rows=rows)
    assert labels[doubtful] != doubtful


def test_a_label_that_no_row_has_is_named_before_one_that_two_have():
    fit = ist.Ridge(lam=1.0).fit(COLUMNS[:4].set_axis(list("aabb")), TABLE["out"].to_numpy()[:4])
    with pytest.raises(InvalidArgument, match="holds 'z', which no row is called"):
        fit.leave_one_out(rows=["z", "a"])
    with pytest.raises(InvalidArgument, match="holds 'a', which 2 rows have"):
        fit.leave_one_out(rows=["a"])


# -- exposures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("argument", ["exposure", "offset"])
def test_columns_equal_to_the_exposure_are_named(argument):
    table = TABLE.assign(again=TABLE["time"])
    given = table["time"] if argument == "exposure" else np.log(table["time"])
    model = sm.GLM.from_formula("count ~ dose", table, family=sm.families.Poisson(), **{argument: given})
    fit = ist.from_statsmodels(model.fit(tol=1e-12))
    new = table.iloc[:3]
    with_offset = fit.predict(new, offset=np.log(new["time"]))
    np.testing.assert_allclose(fit.predict(new), with_offset, rtol=1e-12)  # equal there too: no matter which
    with pytest.raises(
        InvalidArgument, match=f"{argument}, but .*'time' and 'again', equal in .*fitted, differ in X"
    ):
        fit.predict(new.assign(again=1.0))
    with pytest.raises(InvalidArgument, match="X does not hold 'again', of which any may be"):
        fit.predict(new.drop(columns="again"))
    with pytest.raises(InvalidArgument, match="X does not hold 'time' and 'again'"):
        fit.predict(new[["dose"]])


def test_an_exposure_that_is_no_column_is_called_that():
    model = sm.Poisson.from_formula("count ~ dose", TABLE, exposure=TABLE["time"] + 1.0)
    fit = ist.from_statsmodels(model.fit(disp=0))
    with pytest.raises(InvalidArgument, match="no column of the table that was fitted is equal to it"):
        fit.predict(TABLE)


# -- the other library -------------------------------------------------------------------------------------

SCIKIT_LEARN = {
    "estimator": lambda: LinearRegression().fit(COLUMNS, TABLE["out"]),
    "unfitted estimator": LinearRegression,
    "Pipeline": lambda: make_pipeline(StandardScaler(), Ridge()).fit(COLUMNS, TABLE["out"]),
    "class": lambda: LinearRegression,
    "own subclass": type("Mine", (Ridge,), {}),
}
STATSMODELS = {
    "results": lambda: sm.OLS(TABLE["out"], COLUMNS).fit(),
    "formula results": lambda: sm.GLM.from_formula("out ~ dose", TABLE).fit(),
    "model": lambda: sm.OLS(TABLE["out"], COLUMNS),
    "class": lambda: sm.OLS,
}
OWN = {"model": lambda: ist.Ridge(lam=1.0), "fit": by_model}


@pytest.mark.parametrize("name", SCIKIT_LEARN)
def test_an_estimator_is_sent_to_from_sklearn(name):
    with pytest.raises(
        InvalidType, match=r"^results must .* of scikit-learn\. Use ist\.from_sklearn\(estimator, X, y\)"
    ):
        ist.from_statsmodels(SCIKIT_LEARN[name]())


@pytest.mark.parametrize("name", STATSMODELS)
def test_statsmodels_results_are_sent_to_from_statsmodels(name):
    with pytest.raises(
        InvalidType, match=r"^estimator must .* of statsmodels\. Use ist\.from_statsmodels\(results\)"
    ):
        ist.from_sklearn(STATSMODELS[name](), COLUMNS, TABLE["out"])


@pytest.mark.parametrize("name", OWN)
def test_what_is_ours_needs_no_adapter(name):
    with pytest.raises(InvalidType, match="^results must .* of influstat. It needs no adapter"):
        ist.from_statsmodels(OWN[name]())
    with pytest.raises(InvalidType, match="^estimator must .* of influstat. It needs no adapter"):
        ist.from_sklearn(OWN[name](), COLUMNS, TABLE["out"])


# -- other data --------------------------------------------------------------------------------------------

POLISHED = {
    "LogisticRegression": (LogisticRegression, "label"),
    "PoissonRegressor": (lambda: PoissonRegressor(alpha=0.1), "count"),
}


@pytest.mark.parametrize("name", POLISHED)
def test_another_order_of_y_under_polish_has_another_remedy_than_polish(name):
    rng = np.random.default_rng(708)
    make, target = POLISHED[name]
    estimator, shuffled = make().fit(COLUMNS, TABLE[target]), rng.permutation(TABLE[target].to_numpy())
    with pytest.warns(DoubtfulResult, match="rows in another order, another y") as said:
        ist.from_sklearn(estimator, COLUMNS, shuffled, polish=True)
    assert "pass polish=True" not in str(said[0].message)
    assert "Pass the X, y and sample_weight that it was fitted with" in str(said[0].message)


def test_results_whose_data_were_changed_are_refused_with_the_cause():
    rng = np.random.default_rng(707)
    results = sm.Logit(TABLE["label"], COLUMNS - COLUMNS.mean()).fit(disp=0)
    results.model.endog = rng.permutation(results.model.endog)
    with pytest.raises(ist.errors.NotStationary, match="changed after the fit") as refused:
        ist.from_statsmodels(results, polish=True)  # a warning of how far it moved would be an error here
    assert "pass polish=True" not in str(refused.value)


def test_an_estimator_of_other_targets_is_doubted_with_the_causes():
    rng = np.random.default_rng(706)
    estimator = LogisticRegression(tol=1e-10).fit(COLUMNS, TABLE["label"])
    with pytest.warns(DoubtfulResult, match="a forgotten sample_weight, rows in another or") as said:
        ist.from_sklearn(estimator, COLUMNS, rng.permutation(TABLE["label"]), polish=True)
    assert "pass polish=True" not in str(said[0].message)


# -- collinear columns -------------------------------------------------------------------------------------

COLLINEAR = np.column_stack([COLUMNS["dose"], 2.0 * COLUMNS["dose"], COLUMNS["age"]])
LABELS = TABLE["label"].to_numpy()
UNSOLVABLE = {
    "Ridge": lambda: ist.Ridge(lam=0.0).fit(COLLINEAR, TABLE["out"].to_numpy()),
    "Logistic": lambda: ist.Logistic(lam=0.0).fit(COLLINEAR, LABELS),
    "SmoothedSVC": lambda: ist.SmoothedSVC(lam=0.0, t=0.5).fit(COLLINEAR, 2 * LABELS - 1),
    "a column of zeros": lambda: ist.Ridge(lam=0.0).fit(
        COLLINEAR[:, [0, 2]] * [1.0, 0.0], TABLE["out"].to_numpy()
    ),
}


@pytest.mark.parametrize("name", UNSOLVABLE)
def test_dependent_columns_have_a_remedy_that_a_fit_takes(name):
    with pytest.raises(SingularHessian, match=r"Drop .*\(lam > 0\)") as said:
        UNSOLVABLE[name]()
    assert "damping" not in str(said.value)


def test_a_robust_fit_beyond_the_reach_of_its_norm_is_sent_to_a_nearer_start():
    rng = np.random.default_rng(12)
    X, y = np.column_stack([np.ones(60), rng.normal(size=60)]), rng.normal(size=60)
    risk = ist.from_statsmodels(sm.RLM(y, X, M=sm.robust.norms.TukeyBiweight()).fit(), polish=True).risk
    far = np.array([1e3, 0.0])  # no slope and no curvature: stationary, no minimum
    with pytest.raises(SingularHessian, match="a start nearer"):
        ist.Fit(risk, far).influence().on_theta()
    with pytest.raises(SingularHessian, match="Pass start="):
        ist.Fit.minimise(risk, start=far)
    start = ist.Fit.minimise(ist.LinearRisk(ist.HuberLoss(), X, y)).theta
    assert ist.Fit.minimise(risk, start=start).stationarity < 1e-10


def test_a_report_without_certificates_says_so_once():
    rng = np.random.default_rng(13)
    X, y = np.column_stack([np.ones(30), rng.normal(size=30)]), np.exp(0.1 * rng.normal(size=30))
    family = sm.families.InverseGaussian(sm.families.links.Log())
    fit = ist.from_statsmodels(sm.GLM(y, X, family=family).fit(), polish=True)
    with pytest.warns(DoubtfulResult, match="lines of the report hold a nan"):
        fit.removal_report(X[:2], y[:2])
    report = fit.removal_report(X[:2], y[:2])  # a second warning would be an error
    assert all("not certified" in text for text in report.status)
