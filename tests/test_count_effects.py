"""Average marginal effects of count models with a parameter beside the linear predictor."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.discrete.discrete_model import GeneralizedPoisson, NegativeBinomial, NegativeBinomialP

import influstat as ist
from influstat.errors import Unsupported

N = 80
RNG = np.random.default_rng(0)
X = pd.DataFrame({"const": 1.0, "dose": RNG.normal(size=N), "age": RNG.normal(size=N)})
Y = RNG.poisson(np.exp(0.5 + 0.4 * X["dose"] - 0.2 * X["age"]) * RNG.gamma(2.0, 0.5, N))
HOURS = RNG.uniform(0.5, 2.0, N)
MODELS = {
    "NB1": lambda y, X, **given: NegativeBinomial(y, X, loglike_method="nb1", **given),
    "NB2": NegativeBinomial,
    "NBP": NegativeBinomialP,
    "GP": GeneralizedPoisson,
}


def fitted(name, keep=slice(None), start=None, **given):
    """Return the results on some rows, as far as the library's own Newton steps go."""
    given = {key: value[keep] for key, value in given.items()}
    model = MODELS[name](Y[keep], X[keep], **given)
    return model.fit(start_params=start, disp=0, maxiter=500)


@pytest.mark.parametrize("name", MODELS)
def test_effects_and_their_standard_errors_are_those_of_statsmodels(name):
    results = fitted(name)
    found = ist.average_marginal_effect(ist.from_statsmodels(results, polish=True))
    truth = results.get_margeff()
    # statsmodels stops at a relative gradient of 1e-5; what is compared is finished by Newton's method.
    np.testing.assert_allclose(found.value, truth.margeff, rtol=0, atol=1e-3 * truth.margeff_se.max())
    np.testing.assert_allclose(found.to_frame()["standard_error"], truth.margeff_se, rtol=1e-3)
    assert list(found.to_frame().index) == ["dose", "age"]


@pytest.mark.parametrize("name", MODELS)
def test_an_effect_without_a_row_is_that_of_a_refit(name):
    fit = ist.from_statsmodels(fitted(name), polish=True)
    change = ist.average_marginal_effect(fit, "dose").leave_one_out().change[:, 0]
    for row in (0, 17):
        keep = np.arange(N) != row
        theta = ist.from_statsmodels(fitted(name, keep, start=fit.theta), polish=True).theta
        after = theta[1] * np.exp(X[keep].to_numpy() @ theta[:3]).mean()
        before = fit.theta[1] * np.exp(X.to_numpy() @ fit.theta[:3]).mean()
        assert change[row] == pytest.approx(after - before, abs=1e-8)


def test_offsets_and_exposures_are_in_the_mean():
    results = fitted("NB2", exposure=HOURS)
    fit = ist.from_statsmodels(results, polish=True)
    mean = HOURS * np.exp(X.to_numpy() @ fit.theta[:3])
    found = ist.average_marginal_effect(fit, "age")
    assert found.value[0] == pytest.approx(fit.theta[2] * mean.mean(), rel=1e-12)
    new = ist.average_marginal_effect(fit, "age", X=X[:5], offset=np.log(HOURS[:5]))
    assert new.value[0] == pytest.approx(fit.theta[2] * mean[:5].mean(), rel=1e-12)


def test_models_without_one_mean_of_one_predictor_are_refused():
    inflated = sm.ZeroInflatedPoisson(Y, X).fit(disp=0, maxiter=500)
    fit = ist.from_statsmodels(inflated, polish=True)
    with pytest.raises(Unsupported, match="one linear predictor per row for marginal effects"):
        ist.average_marginal_effect(fit)
