"""Least squares against R: 148 lm models of public data, figures in `r_reference/lm.json`.

Whatever both define agrees to 1e-7. What is not there yet is marked as an expected failure, each with what is
missing: the day that it comes its mark must go.
"""

import warnings
from functools import cache, partial

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.tools.sm_exceptions import SingularMatrixWarning

import influstat as ist
from tests import r_figures as figures
from tests.r_figures import LAG, references

SAID = pytest.mark.filterwarnings("ignore:The '.*' covariance takes residuals of 0")  # test_covariance_said
FAST = 12  # every twelfth model in the fast suite, all others in the slow one

DEFICIENT = tuple(model for model in references("lm") if model.aliased)
REGULAR = tuple(model.without_aliased() for model in references("lm"))
SLICES = [
    pytest.param(REGULAR[::FAST], id="some"),
    pytest.param(
        tuple(model for k, model in enumerate(REGULAR) if k % FAST), id="others", marks=pytest.mark.slow
    ),
]


def results_of(model, **settings):
    """Fit a model with statsmodels, which has no offset for least squares."""
    y = model.y if model.offset is None else model.y - model.offset
    unweighted = (model.weights == 1).all()
    linear = sm.OLS(y, model.X) if unweighted else sm.WLS(y, model.X, weights=model.weights)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularMatrixWarning)  # says of a deficient design that it is one
        return linear.fit(**settings)


@cache
def fit_of(model):
    return ist.from_statsmodels(results_of(model))


def residuals(fit, model):
    """Compare y less what is fitted, offset and all."""
    fitted = fit.predict(model.X) + (0.0 if model.offset is None else model.offset)
    return figures.disagreement(model.y - fitted, model.figures["vectors"]["residual"], model.rows)


AGREE = {
    "coefficients": figures.coefficients,
    "standard errors": figures.standard_errors,
    "residuals": residuals,
    **{name: partial(figures.column, name=name, figure=r) for name, r in figures.COLUMNS.items()},
    "dfbetas": figures.dfbetas,
    "model": partial(figures.sandwich, name="model", kind="model"),
    **{kind: partial(figures.sandwich, name=kind, kind=kind) for kind in figures.SANDWICHES},
    **figures.GROUPED_AND_LAGGED,
}


@SAID
@pytest.mark.parametrize("models", SLICES)
@pytest.mark.parametrize("measure", AGREE)
def test_least_squares_agrees_with_r(measure, models):
    figures.assert_no_disagreement(lambda model: AGREE[measure](fit_of(model), model), models)


# -- what R stars, and whom it calls an outlier --------------------------------------------------------------


def starred(fit, model):
    """Return R's `influence.measures(...)$is.inf` by its rules, from our columns: {measure: rows}."""
    frame, (n, p) = figures.frame_of(fit), model.X.shape
    rules = {
        **{f"dfb_{j}": frame[name].abs() > 1.0 for j, name in enumerate(frame.filter(regex="^dfb_"))},
        "dffits": frame["dffits"].abs() > 3.0 * np.sqrt(p / (n - p)),
        "cov_ratio": (1.0 - frame["cov_ratio"]).abs() > 3.0 * p / (n - p),
        "cooks_d": stats.f.cdf(frame["cooks_d"], p, n - p) > 0.5,
        "hat_diag": frame["hat_diag"] > 3.0 * p / n,
    }
    return {name: np.flatnonzero(rule).tolist() for name, rule in rules.items() if rule.any()}


@pytest.mark.parametrize("models", SLICES)
def test_rows_that_r_stars_are_starred(models):
    def differing(model):
        found, stars = starred(fit_of(model), model), model.figures["stars"]
        return "" if found == stars else f"{found}, R {stars}"

    figures.assert_no_disagreement(differing, models)


@pytest.mark.parametrize("models", SLICES)
def test_the_outlier_of_r_is_ours_with_its_p_value(models):
    def differing(model):
        row, *truth = model.figures["outlier"]
        found = figures.frame_of(fit_of(model))["student_resid"].to_numpy()
        n, largest = len(found), np.nanmax(np.abs(found))
        if largest > abs(found[int(row)]) * (1.0 + figures.RELATIVE):  # of two of the same size R takes one
            return f"row {row} of R is not the largest"
        p = 2.0 * stats.t.sf(largest, n - model.X.shape[1] - 1)
        bonferroni = p * np.isfinite(found).sum()
        return figures.list_disagreement([found[int(row)], p, bonferroni], truth)

    figures.assert_no_disagreement(differing, models)


# -- covariances ---------------------------------------------------------------------------------------------


# What the results were fitted with -> what R calls it.
FITTED_WITH = {
    "HC1": lambda model: {"cov_type": "HC1"},
    "HC3": lambda model: {"cov_type": "HC3"},
    "cluster": lambda model: {"cov_type": "cluster", "cov_kwds": {"groups": model.clusters}},
    "cluster_plain": lambda model: {
        "cov_type": "cluster",
        "cov_kwds": {"groups": model.clusters, "use_correction": False, "df_correction": False},
    },
    "newey_west": lambda model: {"cov_type": "HAC", "cov_kwds": {"maxlags": LAG}},
    "newey_west_adjusted": lambda model: {
        "cov_type": "HAC",
        "cov_kwds": {"maxlags": LAG, "use_correction": True},
    },
}


def some_fitted_with(name, models):
    """Return the models that R has this covariance of: none of leverage 1 for HC3."""
    return [model for model in models if name in model.figures.get("covariance", {})]


@pytest.mark.parametrize("models", SLICES)
@pytest.mark.parametrize("name", FITTED_WITH)
def test_what_statsmodels_says_is_what_r_says(name, models):
    """The truth of the test below: both libraries mean the same by these names."""

    def differing(model):
        found = np.asarray(results_of(model, **FITTED_WITH[name](model)).cov_params())
        return figures.covariance_disagreement(found, model.figures["covariance"][name], model)

    figures.assert_no_disagreement(differing, some_fitted_with(name, models))


@SAID
@pytest.mark.parametrize("models", SLICES)
@pytest.mark.parametrize("name", FITTED_WITH)
def test_a_fit_carries_the_covariance_it_was_fitted_with(name, models):
    def differing(model):
        fit = ist.from_statsmodels(results_of(model, **FITTED_WITH[name](model)))
        return figures.sandwich(fit, model, name)

    figures.assert_no_disagreement(differing, some_fitted_with(name, models))


# -- columns that are sums of others -------------------------------------------------------------------------


def test_fitted_values_of_a_deficient_design_agree_with_r():
    figures.assert_no_disagreement(lambda model: residuals(fit_of(model), model), DEFICIENT)


@pytest.mark.parametrize("name", [name for name in figures.COLUMNS if name != "cov_ratio"])
def test_measures_of_a_deficient_design_agree_with_r(name):
    def differing(model):
        return figures.column(fit_of(model), model, name, figures.COLUMNS[name])

    figures.assert_no_disagreement(differing, DEFICIENT)
