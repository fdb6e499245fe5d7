"""New rows for fits made from a formula: tables of the formula's own variables."""

import numpy as np
import pytest
import statsmodels.api as sm

import influstat as ist
from influstat.errors import InvalidArgument

FORMULA = "murder ~ np.log(urban) + poverty + C(high)"


@pytest.fixture(scope="module")
def crime():
    table = sm.datasets.statecrime.load_pandas().data
    table["high"] = np.where(table["hs_grad"] > table["hs_grad"].median(), "yes", "no")
    return table


def test_rows_of_the_formula_are_rows_of_the_design(crime):
    results = sm.OLS.from_formula(FORMULA, crime, eval_env=0).fit()
    fit = ist.from_statsmodels(results)
    new = crime.iloc[[8, 3, 20]]
    np.testing.assert_allclose(fit.predict(new), results.predict(new), rtol=1e-12)
    np.testing.assert_allclose(fit.loss(new, new["murder"]), (new["murder"] - results.predict(new)) ** 2)
    scores = fit.influence().on_loss(new, new["murder"])
    assert scores.columns == tuple(new.index)
    np.testing.assert_array_equal(scores.values, fit.influence().on_loss(*rows(results, [8, 3, 20])).values)
    moved = fit.leave_one_out(rows=[8]).prediction_change(new)
    refit = sm.OLS.from_formula(FORMULA, crime.drop(index=crime.index[8]), eval_env=0).fit()
    np.testing.assert_allclose(moved[0], refit.predict(new) - results.predict(new), rtol=1e-8)


def rows(results, chosen):
    """Return the same rows as the model holds them."""
    return results.model.data.orig_exog.iloc[chosen], results.model.endog[chosen]


def test_rows_of_the_design_matrix_are_taken_too(crime):
    results = sm.OLS.from_formula(FORMULA, crime, eval_env=0).fit()
    fit = ist.from_statsmodels(results)
    np.testing.assert_allclose(fit.predict(results.model.data.orig_exog), results.fittedvalues, rtol=1e-12)
    np.testing.assert_allclose(fit.predict(results.model.exog), results.fittedvalues, rtol=1e-12)


def test_a_glm_and_a_likelihood_model_take_them_too(crime):
    table = crime.assign(count=crime["murder"].round())
    formula = "count ~ poverty + C(high)"
    for results in (
        sm.GLM.from_formula(formula, table, family=sm.families.Poisson()).fit(),
        sm.NegativeBinomial.from_formula(formula, table).fit(disp=0, method="newton"),
    ):
        fit = ist.from_statsmodels(results)
        np.testing.assert_allclose(fit.predict(table, kind="mean"), results.predict(table), rtol=1e-8)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t.drop(columns="poverty"), "X must hold the variables of the formula"),
        (lambda t: t.assign(high="maybe"), "X must be a table on which the formula .* value 'maybe'"),
        (lambda t: t.assign(poverty=np.nan), "X must be finite"),
    ],
)
def test_tables_that_do_not_suit_the_formula_are_refused(crime, change, sentence):
    fit = ist.from_statsmodels(sm.OLS.from_formula(FORMULA, crime, eval_env=0).fit())
    with pytest.raises(InvalidArgument, match=sentence):
        fit.predict(change(crime.iloc[:3]))
