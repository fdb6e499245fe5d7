"""Risks that are not convex: a direction along which they fall for ever does not rule out a minimum."""

import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize
from sklearn.linear_model import TweedieRegressor

import influstat as ist
from influstat.removal.elsewhere import doubt_elsewhere

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


RIDGES = {  # family, and seeds of eight rows, without one of which theta-hat is on a ridge of the risk
    "inverse Gaussian log": (sm.families.InverseGaussian(LOG), (0, 4)),
    "Gaussian log": (sm.families.Gaussian(LOG), (7, 33)),
    "Tweedie 2.5": (sm.families.Tweedie(LOG, var_power=2.5), (14, 17)),
}


@pytest.mark.filterwarnings("ignore:Without .* the library's own refit, from its starting values")
@pytest.mark.parametrize("kind", RIDGES)
def test_a_ridge_at_the_fit_of_all_rows_leads_down_to_the_refit(kind):
    """H without a row need not be definite at theta-hat, and nobody can pass a start to a removal."""
    family, seeds = RIDGES[kind]
    for seed in seeds:
        rng = np.random.default_rng(seed)
        X = sm.add_constant(rng.uniform(0.0, 2.0, 8))
        y = rng.wald(np.exp(1.0 + 0.3 * X[:, 1]), 1.0)
        results = sm.GLM(y, X, family=family).fit(tol=1e-13, maxiter=500)
        fit = ist.from_statsmodels(results, polish=True)
        for row in range(8):
            left = np.arange(8) != row
            rest = fit.risk.reweighted(left * 1.0)
            if np.linalg.eigvalsh(rest.curvature(fit.theta).to_dense())[0] < 0:
                found = fit.leave_one_out(rows=[row])
                part = sm.GLM(y[left], X[left], family=family)
                theirs = part.fit(tol=1e-13, maxiter=500, start_params=results.params).params
                np.testing.assert_allclose(found.theta[0], theirs, rtol=1e-6)
                assert found.status == ("",)


def test_a_row_whose_loss_is_flat_far_out_does_not_separate():
    x = np.array([7.2, 12.1, 14.7, 18.6, 19.3, 19.4, 19.7, 23.6])
    y = np.array([9.6, 13.5, 17.9, 13.8, 76.6, 30.2, 53.4, 33.3])
    results = sm.GLM(y, sm.add_constant(x), family=sm.families.InverseGaussian(LOG)).fit(tol=1e-13)
    removal = ist.from_statsmodels(results, polish=True).leave_one_out()
    np.testing.assert_allclose(removal.theta[3], [1.29200723, 0.12530503], rtol=1e-7)


@pytest.mark.parametrize("power", [0, 2.5, 3])
def test_tweedie_regressors_are_polished(power):
    rng = np.random.default_rng(719)
    X = rng.normal(size=(60, 3))
    y = np.exp(X @ [0.4, -0.2, 0.1]) * rng.gamma(4.0, 0.25, 60)
    model = TweedieRegressor(power=power, alpha=0.1, link="log", tol=1e-9, max_iter=10_000).fit(X, y)
    fit = ist.from_sklearn(model, X, y, polish=True)
    np.testing.assert_allclose(fit.theta, np.append(model.coef_, model.intercept_), atol=1e-7)
    assert set(fit.leave_one_out().status) == {""}


def test_convex_losses_keep_the_theorem():
    risk = ist.LinearRisk(ist.LogisticLoss(), [[-2.0], [-1.0], [1.0], [2.0]], [0.0, 0.0, 1.0, 1.0])
    with pytest.raises(ist.errors.InflustatError, match="falls for ever|no finite minimiser"):
        ist.Fit.minimise(risk)


def inverse_link(seed):
    """Return a Gaussian GLM with the inverse link, whose means may change sign."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(8, 40)), int(rng.integers(1, 3))
    x = rng.normal(size=(n, p))
    y = np.exp(0.5 + x @ rng.normal(size=p)) * rng.gamma(1.0 / 0.6, 0.6, n)
    return sm.GLM(y, sm.add_constant(x), family=sm.families.Gaussian(INVERSE)).fit(tol=1e-12, maxiter=200)


@pytest.mark.dear
@pytest.mark.parametrize(
    ("seed", "elsewhere"),  # 5, 181 and 230: not among the 12 largest moves
    [(54, True), (71, True), (104, True), (5, True), (181, True), (230, True), (1, False), (2, False)],
)
def test_it_is_said_where_the_librarys_refit_ends_in_another_minimum(seed, elsewhere):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of statsmodels, about the link
        results = inverse_link(seed)
        fit = ist.from_statsmodels(results, polish=True)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        removal = fit.leave_one_out()
        again = fit.leave_one_out()
    words = [str(one.message) for one in said if "another local minimum" in str(one.message)]
    assert len(words) == elsewhere  # once for each fit
    np.testing.assert_array_equal(removal.theta, again.theta)
    if elsewhere:
        row = int(words[0].split()[1])
        assert f"Of all {len(results.model.endog)} removals the first such is named" in words[0]
        left = np.arange(len(results.model.endog)) != row
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            part = sm.GLM(results.model.endog[left], results.model.exog[left], family=results.model.family)
            theirs = part.fit(maxiter=200).params
        rest = fit.risk.reweighted(left * 1.0)
        lower = rest.value(theirs) < rest.value(removal.theta[row])
        assert f"whose risk is {'lower' if lower else 'higher'}" in words[0]
        assert np.abs(theirs - removal.theta[row]).max() > 0.1 * np.abs(removal.delta[row]).max()


def test_canonical_links_and_other_makers_are_not_asked():
    X = np.column_stack([np.ones(10), x])
    poisson = sm.GLM(np.arange(10.0), X, family=sm.families.Poisson()).fit(tol=1e-12)
    assert ist.from_statsmodels(poisson).stated.refit is None
    model = TweedieRegressor(power=3, alpha=0.1, link="log", tol=1e-9, max_iter=10_000)
    y = KINDS["inverse Gaussian log"][1]
    refit = ist.from_sklearn(model.fit(x[:, None], y), x[:, None], y, polish=True).stated.refit
    part = model.fit(x[:-1, None], y[:-1])
    np.testing.assert_allclose(refit(np.array([9])), np.append(part.coef_, part.intercept_), rtol=1e-9)


@pytest.mark.parametrize("by", ["nothing", "weights", "frequencies and an offset"])
def test_the_librarys_refit_is_the_librarys_and_a_pickle_holds_the_data_once(by):
    rng = np.random.default_rng(718)
    X, y = np.column_stack([np.ones(300), rng.normal(size=(300, 3))]), rng.uniform(1.0, 3.0, 300)
    rows, gone = np.arange(300), np.array([3, 250])
    more = {
        "nothing": {},
        "weights": {"var_weights": rng.uniform(0.5, 2.0, 300)},
        "frequencies and an offset": {"freq_weights": 1 + rows % 3, "offset": 0.1 * X[:, 1]},
    }[by]

    def fitted(left):
        settings = {name: values[left] for name, values in more.items()}
        return sm.GLM(y[left], X[left], family=sm.families.Gaussian(LOG), **settings).fit(tol=1e-12)

    fit = ist.from_statsmodels(fitted(rows), drop="row" if "freq_weights" in more else None, polish=True)
    theirs = fitted(np.delete(rows, gone)).params
    np.testing.assert_allclose(fit.stated.refit(gone), theirs, atol=1e-6)  # where either stops
    again = pickle.loads(pickle.dumps(fit))
    np.testing.assert_array_equal(again.stated.refit(gone), fit.stated.refit(gone))
    assert len(pickle.dumps((fit.risk, fit.stated.refit))) < 1.1 * len(pickle.dumps(fit.risk))


@pytest.mark.parametrize("kind", KINDS)
def test_rough_refits_of_all_removals_are_the_librarys_own(kind):
    family, y = KINDS[kind]
    rng = np.random.default_rng(4)
    X, offset = sm.add_constant(np.column_stack([x, rng.normal(size=10)])), 0.01 * rng.normal(size=10)
    weights = rng.uniform(0.5, 2.0, 10)
    results = sm.GLM(y, X, family=family, offset=offset, var_weights=weights).fit(tol=1e-12, maxiter=300)
    refit = ist.from_statsmodels(results, polish=True).stated.refit
    groups = [np.array([i]) for i in range(10)] + [np.array([2, 3])]
    rough = refit.roughly(groups)
    settled = np.isfinite(rough).all(axis=1)
    assert settled.sum() >= 8
    for found, rows in zip(rough[settled], np.array(groups, dtype=object)[settled], strict=True):
        np.testing.assert_allclose(found, refit(np.asarray(rows, dtype=int)), rtol=1e-4, atol=1e-5)
    assert replace(refit, method="newton").roughly(groups) is None


def test_a_librarys_refit_that_has_ended_nowhere_is_no_other_minimum():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of statsmodels, about the link
        fit = ist.from_statsmodels(inverse_link(1), polish=True)

    class Nowhere:
        def __call__(self, rows):
            return fit.theta + 0.5

        def roughly(self, groups):
            return None

    fit.stated = replace(fit.stated, refit=Nowhere())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit.leave_one_out()


def test_a_removal_that_leaves_something_undetermined_hides_no_other_minimum():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = inverse_link(54)
        fit, again = (ist.from_statsmodels(results, polish=True) for _ in range(2))
        removal = fit.leave_one_out()
    away = np.linalg.norm(removal.delta, axis=1)
    theta = removal.theta.copy()
    theta[int(np.argmin(away)), 0] = np.nan
    with pytest.warns(ist.errors.DoubtfulResult, match="ends in another local minimum"):
        doubt_elsewhere(replace(removal, fit=again, theta=theta))
