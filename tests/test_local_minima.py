"""Risks that are not convex: a direction along which they fall for ever does not rule out a minimum."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize
from sklearn.linear_model import TweedieRegressor

import influstat as ist

LOG, INVERSE = sm.families.links.Log(), sm.families.links.InversePower()
RNG = np.random.default_rng(0)
x = np.arange(1.0, 11.0)
KINDS = {
    "Gaussian log": (sm.families.Gaussian(LOG), np.exp(0.2 * x) * RNG.uniform(0.8, 1.2, 10)),
    "Gaussian inverse": (sm.families.Gaussian(INVERSE), RNG.uniform(0.9, 1.1, 10) / (0.2 + 0.1 * x)),
    "inverse Gaussian log": (sm.families.InverseGaussian(LOG), np.exp(0.2 * x) * RNG.uniform(0.7, 1.4, 10)),
    "Tweedie 2.5": (sm.families.Tweedie(LOG, var_power=2.5), np.exp(0.2 * x) * RNG.uniform(0.7, 1.4, 10)),
}


@pytest.mark.parametrize("unit", [0.05, 1.0, 20.0])
@pytest.mark.parametrize("kind", KINDS)
def test_every_removal_is_the_local_minimum_next_to_the_fit(kind, unit):
    family, y = KINDS[kind]
    X = sm.add_constant(x)
    fit = ist.from_statsmodels(sm.GLM(y * unit, X, family=family).fit(tol=1e-10), polish=True)
    assert not fit.risk.loss.convex
    removal = fit.leave_one_out()
    assert set(removal.status) == {""}
    for row in range(10):
        weights = np.ones(10)
        weights[row] = 0.0
        part = fit.risk.reweighted(weights)
        found = removal.theta[row]
        assert np.linalg.eigvalsh(part.curvature(found).to_dense())[0] > 0
        again = minimize(part.value, fit.theta, jac=part.gradient, method="BFGS", options={"gtol": 1e-10})
        np.testing.assert_allclose(found, again.x, rtol=1e-4, atol=1e-6)  # BFGS knows values to rounding


def test_a_row_whose_loss_is_flat_far_out_does_not_separate():
    x = np.array([7.2, 12.1, 14.7, 18.6, 19.3, 19.4, 19.7, 23.6])
    y = np.array([9.6, 13.5, 17.9, 13.8, 76.6, 30.2, 53.4, 33.3])
    results = sm.GLM(y, sm.add_constant(x), family=sm.families.InverseGaussian(LOG)).fit(tol=1e-13)
    removal = ist.from_statsmodels(results, polish=True).leave_one_out()
    np.testing.assert_allclose(removal.theta[3], [1.29200723, 0.12530503], rtol=1e-7)


@pytest.mark.parametrize("power", [0, 2.5, 3])
def test_tweedie_regressors_are_polished(power):
    X = RNG.normal(size=(60, 3))
    y = np.exp(X @ [0.4, -0.2, 0.1]) * RNG.gamma(4.0, 0.25, 60)
    model = TweedieRegressor(power=power, alpha=0.1, link="log", tol=1e-9, max_iter=10_000).fit(X, y)
    fit = ist.from_sklearn(model, X, y, polish=True)
    np.testing.assert_allclose(fit.theta, np.append(model.coef_, model.intercept_), atol=1e-7)
    assert set(fit.leave_one_out().status) == {""}


def test_convex_losses_keep_the_theorem():
    risk = ist.LinearRisk(ist.LogisticLoss(), [[-2.0], [-1.0], [1.0], [2.0]], [0.0, 0.0, 1.0, 1.0])
    with pytest.raises(ist.errors.InflustatError, match="falls for ever|no finite minimiser"):
        ist.Fit.minimise(risk)
