"""GLMs whose means come to the edge of those that their family has: said so, and never answered for."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize

import influstat as ist
from influstat.errors import NoMinimiser, NotConverged, NotStationary
from influstat.losses.glm import GLMLoss
from influstat.losses.glm_families import Binomial, Gamma, Poisson
from influstat.losses.glm_links import LogLink, PowerLink
from influstat.minimise.domain import outside
from tests.tolerance import SEARCHED

FAMILIES, LINKS = sm.families, sm.families.links


def drawn(seed):
    rng = np.random.default_rng(seed)
    X = np.column_stack([np.ones(8), rng.uniform(0.0, 2.0, 8)])
    return rng, X, np.abs(X @ [0.3, 0.5])


@pytest.mark.filterwarnings("ignore")  # statsmodels' own, of such fits
@pytest.mark.parametrize("polish", [False, True])
def test_a_fit_whose_iterations_have_left_the_domain_is_refused(polish):
    for seed in range(200):
        rng, X, mean = drawn(seed)
        y = rng.gamma(0.5, 2.0 * mean) + 1e-3
        results = sm.GLM(y, X, family=FAMILIES.Gamma()).fit(tol=1e-10)
        if results.converged and (X @ results.params).min() < 0:  # means below 0 are a root of the score
            break
    with pytest.raises(NotStationary, match=r"results must have means that its family can have.*Gamma"):
        ist.from_statsmodels(results, polish=polish)


CASES = {
    "Poisson": (
        lambda rng, mean: rng.poisson(1.5 * mean).astype(float),
        FAMILIES.Poisson(LINKS.Identity()),
        lambda y, mu: mu - y * np.log(mu),
    ),
    "Binomial": (
        lambda rng, mean: (rng.random(8) < np.clip(mean, 0.1, 0.9)).astype(float),
        FAMILIES.Binomial(LINKS.Log()),
        lambda y, mu: -y * np.log(mu) - (1 - y) * np.log1p(-mu),
    ),
}


def constrained(name, X, y, start):
    """Return where the risk is least with all means inside or at the edge, and how far inside that is."""
    _, family, loss = CASES[name]
    inside = X if name == "Poisson" else -X  # eta >= 0 of the identity, <= 0 of the logarithm

    def risk(theta):
        mean = np.clip(family.link.inverse(X @ theta), 1e-300, 1 - 1e-16 if name == "Binomial" else None)
        return float(np.sum(loss(y, mean)))

    bound = {"type": "ineq", "fun": lambda theta: inside @ theta}
    found = minimize(risk, start, method="SLSQP", constraints=bound, options={"ftol": 1e-14, "maxiter": 500})
    return found.x, float((inside @ found.x).min()), found.success


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_a_removal_that_ends_at_the_edge_says_so_and_every_other_is_right(name):
    draw, family, _ = CASES[name]
    said = answered = 0
    for seed in range(25):
        rng, X, mean = drawn(seed)
        y = draw(rng, mean)
        try:
            fit = ist.from_statsmodels(sm.GLM(y, X, family=family).fit(tol=1e-10, maxiter=300), polish=True)
        except ist.errors.InflustatError:
            continue
        removal = fit.leave_one_out()
        for row in range(8):
            theta, room, found = constrained(name, np.delete(X, row, axis=0), np.delete(y, row), fit.theta)
            if found and "edge of the means" in removal.status[row]:
                said += 1
                assert room < 1e-4
            elif found and removal.converged[row]:
                answered += 1
                np.testing.assert_allclose(removal.theta[row], theta, atol=100 * SEARCHED)
    assert said >= 2
    assert answered > 30


def test_a_search_says_what_is_wrong_with_its_start_and_its_end():
    X, y = np.column_stack([np.ones(5), np.arange(5.0)]), np.array([0.0, 0.0, 0.0, 2.0, 5.0])
    risk = ist.LinearRisk(GLMLoss(Poisson(), PowerLink(1.0)), X, y)
    with pytest.raises(
        NotConverged, match=r"starts where the risk has no value: row 0 has a mean of 0 .*Pass start="
    ):
        ist.Fit.minimise(risk)
    with pytest.raises(NoMinimiser, match=r"at the edge of the means.*row 0 has .* Poisson family \(0\)"):
        ist.Fit.minimise(risk, start=[1.0, 1.0])
    with pytest.raises(NotConverged, match="a mean of inf"):
        ist.Fit.minimise(ist.LinearRisk(GLMLoss(Gamma(), PowerLink(-1.0)), X, y + 1.0))
    one = ist.LinearRisk(GLMLoss(Binomial(), LogLink()), X, [0.0, 0.0, 1.0, 1.0, 1.0])
    with pytest.raises(NoMinimiser, match=r"Binomial family \(0 and 1\)"):
        ist.Fit.minimise(one, start=[-2.0, 0.1])


@pytest.mark.parametrize("family", [Poisson(), Gamma()], ids=repr)
@pytest.mark.parametrize("eta", [-900.0, -700.0, 900.0])
def test_predictors_too_far_out_for_float64_are_at_no_edge_of_the_means(family, eta):
    rng, X, mean = drawn(0)
    risk = ist.LinearRisk(GLMLoss(family, LogLink()), X, 1.0 + rng.poisson(mean))
    assert outside(risk, np.array([eta, 0.0])) == ""
    found = ist.Fit.minimise(risk, start=np.array([eta, 0.0]))  # a step from there may be longer still
    np.testing.assert_allclose(found.theta, ist.Fit.minimise(risk).theta, rtol=SEARCHED)
