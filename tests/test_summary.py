"""`Fit.summary`: statsmodels' table of coefficients, what was fitted, and what is said where it lacks."""

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.linear_model import Lasso, LogisticRegression
from statsmodels.iolib.summary import Summary

import influstat as ist
from influstat.errors import InvalidArgument, InvalidType
from influstat.statistics import summary as module

RNG = np.random.default_rng(5)
DATA = pd.DataFrame(RNG.normal(size=(60, 3)), columns=["dose", "age_in_years", "x"])
DATA["y"] = DATA["dose"] - 0.4 * DATA["x"] + RNG.normal(size=60)
DATA["count"] = RNG.poisson(np.exp(0.3 * DATA["dose"]))
DATA["firm"] = np.arange(60) // 6
FORMULA = " ~ dose + age_in_years + x"
RESULTS = {
    "OLS": sm.OLS.from_formula("y" + FORMULA, DATA).fit(),
    "OLS, HC3": sm.OLS.from_formula("y" + FORMULA, DATA).fit(cov_type="HC3"),
    "OLS, clusters": sm.OLS.from_formula("y" + FORMULA, DATA).fit(
        cov_type="cluster", cov_kwds={"groups": DATA["firm"]}
    ),
    "GLM": sm.GLM.from_formula("count" + FORMULA, DATA, family=sm.families.Poisson()).fit(tol=1e-12),
    "GLM, scale": sm.GLM.from_formula("y" + FORMULA, DATA).fit(),
}
FRAME = DATA[["dose", "age_in_years", "x"]]
LABELS = np.where(DATA["y"] > 0, 1, -1)


def cells(table):
    return [[str(cell.data).strip() for cell in row] for row in table]


def said(made):
    """Return the top and bottom tables as a dict, and the notes as one line."""
    pairs = {}
    for table in (made.tables[0], made.tables[2]):
        for row in cells(table):
            pairs |= {row[0]: row[1], row[2]: row[3]}
    return pairs, " ".join(made.extra_txt.split())


@pytest.mark.parametrize("name", RESULTS)
def test_the_table_of_coefficients_is_that_of_statsmodels(name):
    results = RESULTS[name]
    fit = ist.from_statsmodels(results)
    made = fit.summary()
    assert isinstance(made, Summary)
    assert cells(made.tables[1]) == cells(results.summary().tables[1])
    pairs, _ = said(made)
    assert pairs["Model:"].startswith(f"{type(results.model).__name__} of statsmodels")
    assert pairs["No. Rows:"] == "60"
    assert pairs["No. Coefficients:"] == "4"
    assert pairs["Covariance:"] == fit.inference().kind
    assert float(pairs["Scale:"].split()[0]) == pytest.approx(results.scale, rel=1e-4)  # five digits
    assert float(pairs["Df Residuals:"]) == results.df_resid
    assert pairs["Penalty:"] == "none"
    assert pairs["Protocol:"] == "fixed"


def test_another_inference_and_title():
    fit = ist.from_statsmodels(RESULTS["OLS"])
    made = fit.summary(inference=fit.inference("HC3", level=0.9, use_t=False), title="Table 1")
    theirs = RESULTS["OLS, HC3"].summary(alpha=0.1).tables[1]
    assert cells(made.tables[1]) == cells(theirs)
    assert made.as_text().splitlines()[0].strip() == "Table 1"
    assert said(made)[1].startswith("Notes: [1] Standard errors by the 'HC3' covariance; p values and limits")


def test_flags_step_and_certificates():
    far = DATA.copy()
    far.loc[7, ["dose", "y"]] = [9.0, -9.0]
    fit = ist.from_statsmodels(sm.OLS.from_formula("y" + FORMULA, far).fit())
    pairs, notes = said(fit.summary())
    marks = fit.flags().to_frame()
    assert pairs["Rows flagged:"] == f"{marks.any(axis=1).sum()} of 60"
    assert pairs["7"] == f"{marks.loc[7].sum()} of {marks.shape[1]} rules"
    assert pairs["Newton steps certified:"] == "60 of 60 rows"
    assert float(pairs["Newton step left:"]) < 1e-6
    assert "[2] Rows flagged by R's rules" in notes


def test_of_many_entries_certificates_are_not_awaited(monkeypatch):
    monkeypatch.setattr(module, "QUICK", 100)
    pairs, notes = said(ist.from_statsmodels(RESULTS["GLM"]).summary())
    assert pairs["Newton steps certified:"] == "-"
    assert 'Bounds on Newton steps take time here. fit.leave_one_out(method="newton").certificate' in notes


def test_a_penalised_fit_says_what_p_values_are_not():
    fit = ist.Logistic(lam=1.0).fit(FRAME, LABELS > 0)
    pairs, notes = said(fit.summary())
    assert "Of a penalised fit: estimates are shrunken" in notes
    assert pairs["Model:"] == "Logistic, lam=1"
    assert pairs["Penalty:"] == "L2, strength 2"
    assert pairs["Protocol:"] == "folded"
    fit = ist.from_sklearn(LogisticRegression(tol=1e-10).fit(FRAME, LABELS), FRAME, LABELS)
    assert said(fit.summary())[0]["Model:"] == "LogisticRegression of scikit-learn"


def test_a_penalised_fit_of_classes_says_so_too():
    risk = ist.SoftmaxRisk(FRAME, np.arange(60) % 3, penalty=ist.L2(1.0))
    pairs, notes = said(ist.Fit.minimise(risk).summary())
    assert "Of a penalised fit: estimates are shrunken" in notes
    assert pairs["Penalty:"] == "L2, strength 1"


NO_INFERENCE = {
    "smoothed hinge": lambda: ist.SmoothedSVC(lam=1.0, t=0.5).fit(FRAME, LABELS),
    "black box": lambda: ist.Fit.minimise(ist.BlackBoxRisk(lambda theta: (theta - DATA["y"][:12]) ** 2, 1)),
}


@cache
def without(name):
    return NO_INFERENCE[name]()


PENALTY_OF = {
    "smoothed hinge": "L2, strength 1, 1 unpenalised",
    "black box": "none",
}


@pytest.mark.parametrize("name", NO_INFERENCE)
def test_without_inference_the_estimates_are_there_and_the_reason(name):
    fit = without(name)
    made = fit.summary()
    pairs, notes = said(made)
    table = cells(made.tables[1])
    assert [row[0] for row in table[1:]] == list(fit.names)
    assert [float(row[1]) for row in table[1:]] == pytest.approx(fit.theta, abs=6e-5)  # four digits are shown
    assert {cell for row in table[1:] for cell in row[2:]} == {"-"}
    assert "[1] No standard errors, t and p values and limits of this fit: fit must have a loss" in notes
    assert "Rows are not flagged" in notes
    assert pairs["Scale:"] == pairs["Covariance:"] == pairs["Rows flagged:"] == "-"
    assert pairs["Penalty:"] == PENALTY_OF[name]
    assert made.as_latex().count("\\begin{tabular}") == 3


def test_a_robust_covariance_is_shown_where_the_loss_has_no_variance():
    fit = without("smoothed hinge")
    inference = fit.inference("HC0")
    made = fit.summary(inference=inference)
    pairs, _ = said(made)
    errors = [float(row[2]) for row in cells(made.tables[1])[1:]]
    assert errors == pytest.approx(inference.table.standard_errors, abs=6e-4)
    assert pairs["Scale:"] == "-"
    assert pairs["Covariance:"] == "HC0"


def test_doubts_are_notes():
    fit = ist.from_statsmodels(sm.QuantReg.from_formula("y" + FORMULA, DATA).fit(), smoothing=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, notes = said(fit.summary())
    assert "QuantReg's own covariance estimates the density" in notes
    table = np.column_stack([FRAME, FRAME["dose"]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # statsmodels says so too, from some version on
        results = sm.OLS(DATA["y"].to_numpy(), table).fit()
    fit = ist.from_statsmodels(results)
    assert said(fit.summary())[0]["No. Coefficients:"] == "4 (2 not determined)"


def test_every_form_is_written_and_notes_are_escaped(monkeypatch):
    made = ist.from_statsmodels(RESULTS["OLS"]).summary()
    assert "age\\_in\\_years" in made.as_latex()
    soft = without("black box").summary()
    assert "leave\\_one\\_out" in soft.as_latex()
    assert "leave_one_out" in str(soft)
    assert "<table" in made.as_html()
    assert "age_in_years," in made.as_csv()
    assert made._repr_html_() == made.as_html()
    monkeypatch.setattr(ist.BlackBoxRisk, "__repr__", lambda self: "<my own risk>")
    assert "it has &lt;my own risk&gt;" in " ".join(without("black box").summary().as_html().split("<br/>"))


def test_names_titles_and_row_labels_are_escaped_in_html():
    far = pd.DataFrame(
        {"<5 & old": DATA["x"].to_numpy(), "one": 1.0}, index=[f"row <b>{k}" for k in range(60)]
    )
    fit = ist.Ridge(lam=0.0).fit(far, np.where(np.arange(60) == 3, 30.0, DATA["y"]))
    made = fit.summary(title="all <i>")
    for html in (made.as_html(), made._repr_html_()):
        for text in ("&lt;5 &amp; old", "row &lt;b&gt;3", "all &lt;i&gt;", "P&gt;|t|"):
            assert text in html
        assert not any(raw in html for raw in ("<b>", "<i>", "<5"))
    assert "<5 & old" in made.as_text()
    assert "row <b>3" in made.as_text()


def test_columns_kept_by_a_lasso():
    fit = ist.from_sklearn(Lasso(alpha=0.1, tol=1e-12).fit(FRAME, DATA["y"]), FRAME, DATA["y"])
    pairs, _ = said(fit.summary())
    assert pairs["Newton steps certified:"].endswith(" of 60 rows")


OTHER = ist.Ridge(lam=1.0).fit(FRAME, LABELS)


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"inference": "HC3"}, InvalidType, "inference must be an Inference"),
        ({"inference": OTHER.inference("HC0")}, InvalidArgument, "inference must be about this fit"),
        ({"title": 3}, InvalidType, "title must be text"),
    ],
)
def test_what_is_refused(arguments, error, sentence):
    with pytest.raises(error, match=f"^{sentence}"):
        ist.from_statsmodels(RESULTS["OLS"]).summary(**arguments)


PENALTIES = {
    "L2, strength 1, 1 unpenalised": ist.L2(1.0, unpenalised=[-1]),
    "none": ist.L2(0.0) + ist.SmoothedL1(0.0),
    "L2, strength 1; SmoothedL1, strength 2": ist.L2(1.0) + ist.SmoothedL1(2.0),
    "Quadratic(S=array of shape (3,))": ist.L2(0.0) + ist.Quadratic([1.0, 2.0, 0.0]),
}


@pytest.mark.parametrize("words", PENALTIES)
def test_penalties_are_said_in_words(words):
    risk = ist.LinearRisk(ist.SquaredError(), FRAME, DATA["y"], penalty=PENALTIES[words])
    assert said(ist.Fit.minimise(risk).summary())[0]["Penalty:"] == words


def test_an_l1_penalty_says_its_strength_and_its_columns():
    fit = ist.from_sklearn(Lasso(alpha=0.3, tol=1e-12).fit(FRAME, DATA["y"]), FRAME, DATA["y"])
    kept = int((fit.theta[:-1] != 0.0).sum())
    words = f"L1, strength 36, {kept} columns in, {3 - kept} left out"  # 2 * 0.3 * 60 rows of (y - m)^2
    assert said(fit.summary())[0]["Penalty:"] == words
