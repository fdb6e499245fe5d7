"""The theorem behind certificates: where its bounds are attained, and its constants by definition."""

import numpy as np
import pytest

import influstat as ist
from influstat.removal.certificates.theorem import Constants, ball
from tests.cases import penalty_diagonal
from tests.certificate_cases import CERTIFIABLE, SHAPES, drawn, drawn_groups, remove

# -- constants of the theorem: where its bounds are attained ----------------------------------------------


def constants(**given):
    """Return the constants of one removal, 0 where not given."""
    names = ("q", "noise", "rho", "rho_all", "sigma", "lost_before", "lost_after", "relative")
    return Constants(**{name: np.array([given.get(name, 0.0)]) for name in names})


@pytest.mark.parametrize("drop", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("path", [0.0, 0.5, 2.0])
def test_the_ball_is_as_large_as_it_has_to_be(drop, path):
    """F(t) = e^t - s t has l3 = l2 exactly, and its curvature falls all the way from theta to log s.

    theta = -path lies that far below the anchor 0, where B = 1, and the minimiser `drop` below theta.
    """
    theta, minimiser = -path, -path - drop
    gradient = np.exp(theta) - np.exp(minimiser)
    found = constants(q=gradient, rho=1.0, rho_all=1.0, sigma=path).first_radius()
    np.testing.assert_allclose(found, drop, rtol=1e-12)
    assert constants(q=gradient, rho=1.0, rho_all=1.0, sigma=path - 1e-3).first_radius() < drop
    assert constants(q=1.0001 * np.exp(-path), rho=1.0, sigma=path).first_radius() == np.inf


@pytest.mark.parametrize("path", [0.0, 0.5])
@pytest.mark.parametrize("gap", [0.01, 0.3])
def test_the_gradient_one_step_further_is_as_large_as_it_has_to_be(gap, path):
    """The same F upwards, where its curvature grows: theta = path, the step is q."""
    before = -gap  # gradient at theta
    after = before + np.exp(path) * np.expm1(gap)
    found = constants(q=gap, rho=1.0, rho_all=1.0, sigma=path).next_q()
    np.testing.assert_allclose(found, after, rtol=1e-12)


def test_rows_given_up_count_before_and_after():
    base = constants(q=0.1, rho=1.0, rho_all=2.0)
    for lost in ({"lost_before": 0.01}, {"lost_after": 0.01}):
        more = constants(q=0.1, rho=1.0, rho_all=2.0, **lost)
        growth = np.exp(0.2) if "lost_after" in lost else 1.0
        np.testing.assert_allclose(more.next_q() - base.next_q(), 0.1 * 0.01 * growth)
    smaller = constants(q=0.1 / 0.99, rho=1.0).first_radius()
    np.testing.assert_allclose(constants(q=0.1, rho=1.0, lost_before=0.01).first_radius(), smaller)
    assert constants(q=0.1, lost_before=1.0).first_radius() == np.inf


def test_no_gradient_no_distance():
    assert ball(np.zeros(1), np.ones(1), np.ones(1)) == 0.0
    assert ball(np.ones(1), np.full(1, np.nan), np.zeros(1)) == np.inf


# -- the constants themselves, from their definitions --------------------------------------------------------


def constants_by_definition(fit, certificate, k):
    """Return the constants of removal k as the docstring of `certificates` defines them, by dense algebra."""
    risk, theta, group = fit.risk, certificate.theta[k], certificate.groups[k]
    own, c = certificate.own[k], risk.loss.self_concordance
    X = risk.design.rows(slice(None))
    kappa_D = np.diag(penalty_diagonal(risk))
    stay = np.setdiff1d(np.flatnonzero(risk.weights > 0), group)
    share = risk.weights[group].sum() / risk.total_weight if risk.protocol == "folded" else 0.0
    center = theta if own else fit.theta
    second, after = (
        risk.weights * risk.loss.second(risk.y, risk.linear_predictor(at)) for at in (center, theta)
    )
    kept_penalty = certificate.penalty_left[k]
    B = (X[stay].T * second[stay]) @ X[stay] + kept_penalty * kappa_D
    first = risk.weights * risk.loss.first(risk.y, risk.linear_predictor(theta))
    G = X[stay].T @ first[stay] + (1.0 - share) * kappa_D @ theta

    C = B if own else B + (X[group].T * second[group]) @ X[group]
    norms = np.sqrt(np.sum(X * np.linalg.solve(C, X.T).T, axis=1))
    spare = 1.0 if own else np.min(np.linalg.eigvals(np.linalg.solve(C, B)).real)  # 1 - h
    leverages = np.where(np.isin(np.arange(len(X)), group) & own, 0.0, second * norms**2)
    order = np.argsort(leverages)
    lost = order[np.cumsum(leverages[order]) <= 1e-3] if c > 0 else order[:0]
    kept = np.setdiff1d(stay, lost)
    moved = np.abs(X @ (theta - center))
    mismatch = abs(np.log((1.0 - share) / kept_penalty)) if kappa_D.any() else 0.0
    return constants(
        q=np.sqrt(G @ np.linalg.solve(B, G)),
        rho=c * np.max(norms[kept], initial=0.0) / np.sqrt(spare),
        rho_all=c * np.max(norms[stay], initial=0.0) / np.sqrt(spare),
        sigma=c * np.max(moved[kept], initial=0.0) + mismatch,
        lost_before=leverages[lost].sum() / spare,
        lost_after=np.sum((after * norms**2)[np.intersect1d(stay, lost)]) / spare,
    )


@pytest.mark.dear
@pytest.mark.parametrize("method", ["newton", "influence"])
@pytest.mark.parametrize("case", CERTIFIABLE, ids=str)
def test_radii_are_those_of_the_definitions(case, method):
    compared = 0
    for seed in range(12):
        problem = drawn(SHAPES[seed % 5], case, seed)
        rng = np.random.default_rng(seed)
        removal = remove(
            ist.Fit.minimise(problem.risk()), drawn_groups(rng, problem.n, groups=seed % 2 == 0), method
        )
        certificate = removal.certificate
        for k in np.flatnonzero(certificate.certified):
            truth = constants_by_definition(removal.fit, certificate, k)
            for found, expected in [
                (certificate.first_radius[k], truth.first_radius()[0]),
                (certificate.second_radius[k], truth.second_radius()[0]),
            ]:
                if np.isfinite(expected) and expected > 1e-6:
                    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-9)
                    assert found >= expected * (1.0 - 1e-9)
                    compared += 1
    assert compared > 25 or (case.name, method) == ("squared error", "newton")  # exact: nothing to compare
