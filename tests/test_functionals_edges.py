"""Functionals at their edges: what is refused, and what has no answer."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import influstat as ist
from tests.cases import LOSSES, make_problem
from tests.test_functionals import binary_data, logit
from tests.tolerance import (
    TWO_FITS,
)


def test_a_row_without_which_there_is_no_fit_is_nan_with_its_reason():
    fit = ist.Logistic(lam=0.0).fit([[1.0], [1.0], [1.0]], [1, 0, 0], names=["level"])
    with pytest.warns(ist.errors.DoubtfulResult, match="1 of 3 removals"):
        found = ist.odds_ratio(fit, "level").leave_one_out()
    assert np.isnan(found.change[0, 0])
    assert found.status[0]
    np.testing.assert_allclose(found.change[1:, 0], 1.0 - 0.5, rtol=TWO_FITS)


def test_intercepts_and_constant_columns_have_no_effect_unless_named():
    X, y = binary_data()
    fit = ist.Logistic(lam=1.0, intercept=True, protocol="fixed").fit(X, y)
    assert ist.average_marginal_effect(fit).labels == ("dose", "age", "treated")
    assert ist.average_marginal_effect(fit, "const").labels == ("const",)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda fit: ist.odds_ratio(fit, "sex"), "columns must name coefficients of the fit"),
        (lambda fit: ist.odds_ratio(fit, unit=np.inf), "unit must be finite"),
        (lambda fit: ist.odds_ratio(fit).to_frame(level=1.0), "level must be below 1"),
        (lambda fit: ist.odds_ratio(fit, unit=0.0), "unit must be another number than 0"),
        (lambda fit: ist.contrast(fit, [1.0]), r"coefficients must have shape .4,. or .m, 4."),
        (lambda fit: ist.contrast(fit, [1.0, 2.0, np.nan, 0.0]), "coefficients must be finite"),
        (lambda fit: ist.contrast(fit, np.eye(4), labels=["a"]), "labels must be 4 names"),
        (
            lambda fit: ist.functional(fit, lambda theta: np.outer(theta, theta)),
            r"function must return a number or an array .* of shape .4,., but it returned shape .4, 4.",
        ),
        (lambda fit: ist.functional(fit, lambda theta: np.nan), "function must return finite numbers"),
        (
            lambda fit: ist.functional(fit, lambda theta: "a"),
            r"a float array theta of shape .4,., but it returned 'a'. .*theta.fit.names.index..const...",
        ),
        (lambda fit: ist.functional(fit, lambda theta: None), "function must return .* returned None"),
        (lambda fit: ist.functional(fit, lambda theta: theta[:0]), "function must return .* shape .0,."),
        (lambda fit: ist.functional(fit, lambda theta: [[1.0], [1.0, 2.0]]), "different lengths"),
        (lambda fit: ist.functional(fit, lambda theta: theta["dose"]), "raises IndexError.*fit.names.index"),
        (lambda fit: ist.functional(fit, lambda theta: theta[9]), "raises IndexError.*fit.names.index"),
        (lambda fit: ist.functional(fit, lambda theta: theta.dose), "raises AttributeError.*fit.names.index"),
        (
            lambda fit: ist.functional(fit, lambda theta: theta[theta >= fit.theta]),
            "function must return arrays of one shape",
        ),
        (lambda fit: ist.predicted_mean(fit, [[1.0, 2.0]]), "X must have the 4 columns"),
        (lambda fit: ist.average_marginal_effect(fit, ["dose"], discrete=["age"]), "discrete must be among"),
        (lambda fit: ist.average_marginal_effect(fit, offset=[1.0]), "offset must come with X"),
    ],
)
def test_bad_input_is_named(call, sentence):
    X, y = binary_data()
    fit = ist.from_statsmodels(logit(X, y))
    with pytest.raises((ist.errors.InvalidArgument, ist.errors.InvalidType), match=sentence):
        call(fit)


def test_models_without_a_mean_or_odds_are_refused():
    problem = make_problem(LOSSES[3], 20, 2, 1, strength=1.0)
    hinge = ist.Fit.minimise(problem.risk())
    with pytest.raises(ist.errors.Unsupported, match="models a decision, no mean"):
        ist.average_marginal_effect(hinge)
    squares = ist.Ridge(lam=1.0).fit([[1.0], [2.0]], [1.0, 2.0])
    for fit in (hinge, squares):
        with pytest.raises(ist.errors.Unsupported, match="have a logistic mean for odds ratios"):
            ist.odds_ratio(fit)


def test_nothing_of_a_functional_warns():
    X, y = binary_data()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        q = ist.functional(ist.from_statsmodels(logit(X, y)), lambda theta: theta[1] / theta[2])
    assert q.gradient_error[0] < 1e-12


COUNTS = pd.DataFrame({"dose": np.linspace(-1.0, 1.0, 40), "time": 1.0 + np.arange(40) % 5})


COUNTS["events"] = np.random.default_rng(3).poisson(np.exp(COUNTS.dose) * COUNTS.time)


COUNTS["trials"] = 1 + np.arange(40) % 7


COUNTS["successes"] = np.minimum(COUNTS.events % 4, COUNTS.trials)


COUNTS["failures"] = COUNTS.trials - COUNTS.successes


def test_exposure_and_trials_count_in_the_marginal_effect_as_its_docstring_says():
    poisson = sm.Poisson.from_formula("events ~ dose", COUNTS, exposure=COUNTS.time).fit(disp=0)
    ours = ist.average_marginal_effect(ist.from_statsmodels(poisson)).value
    np.testing.assert_allclose(ours, poisson.predict().mean() * poisson.params["dose"], rtol=1e-9)
    without = np.exp(poisson.model.exog @ poisson.params).mean() * poisson.params["dose"]
    np.testing.assert_allclose(poisson.get_margeff().margeff, without, rtol=1e-9)

    model = sm.GLM.from_formula("successes + failures ~ dose", COUNTS, family=sm.families.Binomial())
    binomial = model.fit(tol=1e-12)
    ours = ist.average_marginal_effect(ist.from_statsmodels(binomial)).value
    slope = binomial.predict() * (1.0 - binomial.predict()) * binomial.params["dose"]
    np.testing.assert_allclose(ours, np.average(slope, weights=COUNTS.trials), rtol=1e-7)
    np.testing.assert_allclose(binomial.get_margeff().margeff, np.mean(slope), rtol=1e-7)


def test_weights_are_given_by_name():
    X, y = binary_data()
    fit = ist.from_statsmodels(logit(X, y))
    plain = ist.contrast(fit, [0.0, 1.0, -2.0, 0.0]).value
    one = {"dose": 1.0, "age": -2}
    by_name = [one, [one], pd.Series(one), pd.Series(one)[::-1], pd.DataFrame([one])]
    for weights in (*by_name, pd.Series([0.0, 1.0, -2.0, 0.0])):
        np.testing.assert_array_equal(ist.contrast(fit, weights).value, plain)
    assert ist.contrast(fit, [one, {"const": 1.0}], labels=["a", "b"]).value.shape == (2,)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("dose - age", "a vector, a dict or a Series of weights, but it is 'dose - age'. Pass {'const': 1.0"),
        ({"dosis": 1.0}, "names 'dosis', which is none of them; there are 'dose'"),
        ({"dose": "much"}, "must be a real number"),
        ({"dose": np.nan}, "must be finite"),
        (pd.Series([1.0, 2.0], index=["dose", "dose"]), "has 'dose' twice"),
        ({}, "have a weight other than 0"),
        ([[1.0, 0.0, 0.0, 0.0], [0.0] * 4], "have a weight other than 0"),
    ],
)
def test_weights_that_make_no_combination_are_refused(given, sentence):
    X, y = binary_data()
    with pytest.raises((ist.errors.InvalidArgument, ist.errors.InvalidType), match=sentence):
        ist.contrast(ist.from_statsmodels(logit(X, y)), given)


def test_of_several_quantities_a_breakdown_asks_which():
    X, y = binary_data()
    ratios = ist.odds_ratio(ist.from_statsmodels(logit(X, y)))
    with pytest.raises(ist.errors.InvalidArgument, match="which must name one of the 3 quantities.*'dose'"):
        ratios.breakdown(at=1.0)
