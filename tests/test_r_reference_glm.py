"""Generalised linear models against R: 72 glm models of public data, figures in `r_reference/glm.json`.

Whatever both define agrees to 1e-7. Two measures are not the same in both where the link is not canonical, or
the loss not the squared error:

- sandwiches: R puts the expected information on both sides, statsmodels and we the observed one;
- DFBETAS: R's glm takes deviance residuals for the working ones, and under links that fall their sign, which
  is not that of the coefficient's change; ours are theta less theta without the row.

What is not there yet is marked as an expected failure, each with what is missing: the day that it comes its
mark must go.
"""

import warnings
from functools import cache, partial

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.tools.sm_exceptions import DomainWarning, SingularMatrixWarning

import influstat as ist
from tests import r_figures as figures
from tests.r_figures import LAG, references

families, links = sm.families, sm.families.links
FAMILIES = {
    "binomial": families.Binomial,
    "quasibinomial": families.Binomial,
    "poisson": families.Poisson,
    "quasipoisson": families.Poisson,
    "Gamma": families.Gamma,
    "inverse.gaussian": families.InverseGaussian,
    "gaussian": families.Gaussian,
    "quasi": families.Poisson,  # all of them with the variance mu
}
LINKS = {
    "logit": links.Logit,
    "probit": links.Probit,
    "cloglog": links.CLogLog,
    "cauchit": links.Cauchy,
    "log": links.Log,
    "identity": links.Identity,
    "sqrt": links.Sqrt,
    "inverse": links.InversePower,
    "1/mu^2": links.InverseSquared,
}
CANONICAL = {
    ("binomial", "logit"),
    ("quasibinomial", "logit"),
    ("poisson", "log"),
    ("quasipoisson", "log"),
    ("quasi", "log"),
    ("Gamma", "inverse"),
    ("inverse.gaussian", "1/mu^2"),
    ("gaussian", "identity"),
}
KINDS = ("least squares", "canonical", "falling link", "overdispersed", "other link")


def kind_of(model):
    """Return which of `KINDS` a model is: what both sides define goes by it."""
    family, link = model.figures["family"], model.figures["link"]
    if (family, link) not in CANONICAL:
        return "other link"
    if family == "gaussian":
        return "least squares"
    if family.startswith("quasi"):
        return "overdispersed"
    return "falling link" if link in ("inverse", "1/mu^2") else "canonical"


DEFICIENT = tuple(model for model in references("glm") if model.aliased)
REGULAR = tuple(model.without_aliased() for model in references("glm"))
SAID = pytest.mark.filterwarnings("ignore:The '.*' covariance takes residuals of 0")  # test_own_clusters
FAST = 2  # models of each kind in the fast suite, all others in the slow one


def of_kind(kind, fast):
    models = [model for model in REGULAR if kind_of(model) == kind]
    return models[:FAST] if fast else models[FAST:]


def cases(measures, kinds):
    """Return (models, measure) for each measure and kind."""
    found = []
    for kind in kinds:
        for fast in (True, False):
            models = of_kind(kind, fast)
            for measure in measures if models else ():
                marks = [] if fast else [pytest.mark.slow]
                name = f"{measure}-{kind}-{'some' if fast else 'others'}"
                found.append(pytest.param(models, measure, id=name, marks=marks))
    return found


def results_of(model, **settings):
    """Fit a model with statsmodels to rounding; its dispersion is estimated where R's is."""
    named = model.figures["family"]
    link = LINKS[model.figures["link"]]()
    theta = model.figures.get("theta")
    estimated = theta is not None or named.startswith("quasi")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DomainWarning)  # says of links that some eta have no mean
        family = (
            FAMILIES[named](link) if theta is None else families.NegativeBinomial(link, alpha=1.0 / theta)
        )
        warnings.simplefilter("ignore", SingularMatrixWarning)  # says of deficient designs that they are
        weights = None if (model.weights == 1).all() else model.weights
        glm = sm.GLM(model.y, model.X, family=family, var_weights=weights, offset=model.offset)
        settings = {"scale": "X2"} | settings if estimated else settings
        return glm.fit(tol=1e-13, tol_criterion="params", maxiter=200, **settings)


@cache
def fit_of(model):
    return ist.from_statsmodels(results_of(model), polish=True)


MEASURES = {
    "coefficients": figures.coefficients,
    "standard errors": figures.standard_errors,
    "response residuals": partial(figures.response_residuals, name="residual_response"),
    "hat_diag": partial(figures.column, name="hat_diag", figure="hat_diag"),
    "cooks_d": partial(figures.column, name="cooks_d", figure="cooks_d"),
    "standard_resid": partial(figures.column, name="standard_resid", figure="rstandard_pearson"),
    "student_resid": partial(figures.column, name="student_resid", figure="rstudent"),
    "dffits": partial(figures.column, name="dffits", figure="dffits"),
    "cov_ratio": partial(figures.column, name="cov_ratio", figure="cov_ratio"),
}


@pytest.mark.parametrize(("models", "measure"), cases(MEASURES, KINDS))
def test_generalised_linear_models_agree_with_r(models, measure):
    figures.assert_no_disagreement(lambda model: MEASURES[measure](fit_of(model), model), models)


@pytest.mark.parametrize("model", of_kind("least squares", fast=True), ids=str)
def test_dfbetas_of_least_squares_agree_with_r(model):
    figures.assert_no_disagreement(lambda model: figures.dfbetas(fit_of(model), model), [model])


# What R calls the columns.
RESIDUALS = {
    "resid_response": "residual_response",
    "resid_pearson": "residual_pearson",
    "resid_deviance": "residual_deviance",
    "standard_resid_deviance": "rstandard_deviance",
}


@pytest.mark.parametrize(("models", "measure"), cases(RESIDUALS, KINDS))
def test_residuals_of_every_kind_agree_with_r(models, measure):
    def differing(model):
        found = fit_of(model).diagnostics([measure])[measure]
        return figures.disagreement(found, model.figures["vectors"][RESIDUALS[measure]], model.rows)

    figures.assert_no_disagreement(differing, models)


# -- sandwiches, where the observed information is the expected one ------------------------------------------

SANDWICHES = {
    **{kind: partial(figures.sandwich, name=kind, kind=kind) for kind in figures.SANDWICHES},
    **figures.GROUPED_AND_LAGGED,
}


@SAID
@pytest.mark.parametrize(("models", "measure"), cases(SANDWICHES, KINDS[:-1]))
def test_sandwiches_agree_with_r(models, measure):
    figures.assert_no_disagreement(lambda model: SANDWICHES[measure](fit_of(model), model), models)


@pytest.mark.parametrize(("models", "measure"), cases(("HC0", "HC1"), KINDS[-1:]))
def test_other_sandwiches_are_those_of_r_between_the_expected_information(models, measure):
    def differing(model):
        fit = fit_of(model)
        observed, expected = (
            fit.covariance("model", information=kind, dispersion=1.0) for kind in ("observed", "expected")
        )
        turn = expected @ np.linalg.inv(observed)
        found = turn @ fit.covariance(measure) @ turn.T
        return figures.covariance_disagreement(found, model.figures["covariance"][measure], model)

    figures.assert_no_disagreement(differing, models)


# What the results were fitted with -> what R calls it. statsmodels' GLM has no HC1 to HC3 of its own.
FITTED_WITH = {
    "HC0": lambda model: {"cov_type": "HC0"},
    "cluster": lambda model: {"cov_type": "cluster", "cov_kwds": {"groups": model.clusters}},
    "newey_west": lambda model: {"cov_type": "HAC", "cov_kwds": {"maxlags": LAG}},
}


def unweighted(models):
    """Return those without weights, of which statsmodels says that it does not wholly support them here."""
    return [model for model in models if (model.weights == 1).all()]


@pytest.mark.parametrize(("models", "measure"), cases(FITTED_WITH, KINDS[1:-1]))
def test_what_statsmodels_says_is_what_r_says(models, measure):
    """The truth of the test below: both libraries mean the same by these names."""

    def differing(model):
        found = np.asarray(results_of(model, **FITTED_WITH[measure](model)).cov_params())
        return figures.covariance_disagreement(found, model.figures["covariance"][measure], model)

    known = [model for model in unweighted(models) if "covariance" in model.figures]
    figures.assert_no_disagreement(differing, known)


@SAID
@pytest.mark.parametrize(("models", "measure"), cases(FITTED_WITH, KINDS[1:-1]))
def test_a_fit_carries_the_covariance_it_was_fitted_with(models, measure):
    def differing(model):
        fit = ist.from_statsmodels(results_of(model, **FITTED_WITH[measure](model)), polish=True)
        return figures.sandwich(fit, model, measure)

    figures.assert_no_disagreement(differing, unweighted(models))


# -- columns that are sums of others -------------------------------------------------------------------------

OF_THE_SPAN = ["hat_diag", "cooks_d", "standard_resid", "student_resid", "dffits"]


@pytest.mark.parametrize("name", OF_THE_SPAN)
def test_measures_of_a_deficient_design_agree_with_r(name):
    def differing(model):
        return MEASURES[name](ist.from_statsmodels(results_of(model)), model)

    figures.assert_no_disagreement(differing, DEFICIENT)
