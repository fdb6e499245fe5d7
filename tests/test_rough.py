"""Refits whose products with X are taken in float32 but for one gradient: as exact as without."""

import numpy as np
import pytest

import influstat as ist
from influstat.input.groups import read_groups, read_rows
from influstat.removal import in_use, remaining
from influstat.removal.expansion import Expansion
from tests.cases import LOSSES, MORE_LOSSES, make_problem

N, P = 500, 210
SETTINGS = [
    ("logistic", {"protocol": "fixed"}),
    ("logistic", {"protocol": "folded", "weights": "positive", "offset": True}),
    ("Poisson", {"protocol": "folded", "weights": "counts"}),
    ("smoothed hinge 1", {"protocol": "fixed", "weights": "zeros"}),
]


def made(name, settings, *, zeros=0):
    """Return a fit of many columns, the last of them 0."""
    case = next(case for case in [*LOSSES, *MORE_LOSSES] if case.name == name)
    problem = make_problem(case, N, P, 3, **settings)
    X = problem.X / 8.0
    X[:, P - zeros :] = 0.0
    return ist.Fit.minimise(problem.risk(X=X))


@pytest.mark.parametrize("together", [1, 3])
@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=str)
def test_refits_are_those_in_double_precision(monkeypatch, name, settings, together):
    fit = made(name, settings)
    groups = np.arange(60 * together).reshape(-1, together).tolist()
    assert remaining.worth_it(Expansion(fit.risk, fit.theta))
    found = fit.leave_groups_out(groups)
    monkeypatch.setattr(remaining, "LEAST", P + 1)
    truth = fit.leave_groups_out(groups)
    np.testing.assert_array_equal(found.converged, truth.converged)
    scale = np.abs(fit.theta).max()
    np.testing.assert_allclose(found.theta, truth.theta, rtol=0, atol=1e-12 * scale)  # both to STATIONARY
    # What is reported is what a measurement finds, up to the rounding of that.
    measured = np.linalg.norm(found.gradients(), axis=1)
    floor = np.finfo(float).eps * np.linalg.norm(fit.risk.gradient_scale(fit.theta))
    assert (measured <= found.gradient_norm + 8.0 * floor).all()
    assert found.gradient_norm.max() <= max(4.0 * truth.gradient_norm.max(), 8.0 * floor)


def test_losses_whose_derivatives_are_differenced_are_summed_as_they_are():
    fit = made("logistic", {"protocol": "fixed"})
    assert remaining.worth_it(Expansion(fit.risk, fit.theta))

    class Differenced(ist.LogisticLoss):
        differenced = True  # seven digits, of which float32 would leave fewer

    other = ist.Fit(fit.risk.with_loss(Differenced()), fit.theta, tolerance=np.inf)
    assert not remaining.worth_it(Expansion(other.risk, other.theta))


def test_each_gradient_in_float32_has_six_digits():
    fit = made("logistic", {"protocol": "folded"})
    expansion = Expansion(fit.risk, fit.theta)
    groups = read_rows(range(20), np.arange(N))
    remainder = expansion.remainder(groups)
    found = remaining.Rough(remainder)
    newton = fit.leave_one_out(method="newton", rows=range(20))
    theta = np.ascontiguousarray(newton.theta.T)
    truth = remainder.gradients(theta)
    size = np.linalg.norm(truth, axis=0)
    floor = np.finfo(float).eps * expansion.scales(groups)  # of the Newton step and the sums in float64
    off = np.abs(found.after_newton(newton.delta.T) - truth)
    assert (off <= 1e-5 * size + 16.0 * np.sqrt(N) * floor).all()
    np.testing.assert_array_equal(found.gradients(theta), truth)
    step = np.random.default_rng(0).normal(size=theta.shape) * 1e-6
    bent, far = found.bent(np.arange(step.shape[1]), step)
    X, risk = fit.risk.design.rows(slice(None)), fit.risk
    curvature = (
        risk.loss.second(risk.y[:, None], X @ theta) - risk.loss.second(risk.y, X @ fit.theta)[:, None]
    )
    curvature *= risk.weights[:, None]
    curvature[groups.members, groups.owners] = 0.0
    expected = X.T @ (curvature * (X @ step))
    # Curvatures themselves are right to float32's epsilon: their difference to that of what is subtracted.
    size = np.abs(X).T @ (np.abs(risk.weights[:, None]) * np.abs(X @ step))
    assert (np.abs(bent - expected) <= 1e-6 * size).all()
    np.testing.assert_allclose(far, np.abs(X @ step).max(axis=0), rtol=1e-5)
    some = np.array([3, 17])  # what they do does not hang on who is with them
    np.testing.assert_allclose(
        found.bent(some, step[:, some])[0], bent[:, some], rtol=0, atol=1e-6 * size.max()
    )


def test_columns_of_zeros_are_left_out():
    settings = {"protocol": "folded", "weights": "positive"}
    fit = made("logistic", settings, zeros=60)
    inner, lift = in_use.in_use(fit)
    assert inner.risk.shape == (N, P - 60)
    lifted = lift(inner.theta[:, None] + 1.0).ravel()
    np.testing.assert_allclose(lifted, np.arange(P) < P - 60, rtol=1e-15)
    groups = read_groups([[0], [1, 2]], np.arange(N))
    for method in ("exact", "newton", "second_order", "influence"):
        found = fit.leave_groups_out([groups[0].tolist(), groups[1].tolist()], method=method)
        truth = ist.Fit(inner.risk, inner.theta).leave_groups_out([[0], [1, 2]], method=method)
        np.testing.assert_allclose(found.theta[:, : P - 60], truth.theta, rtol=0, atol=1e-13)
        assert (found.theta[:, P - 60 :] == 0.0).all()
        assert found.certificate.certified.all()
    assert in_use.in_use(made("logistic", settings)) is None
    moved = fit.theta + 1e-9 * (np.arange(P) == P - 1)  # a coefficient that has not fallen to 0 would move
    assert in_use.in_use(ist.Fit(fit.risk, moved, tolerance=np.inf)) is None
    free = fit.risk.moved(fit.risk.rows, ist.L2(0.5, unpenalised=[P - 1]))  # nothing holds the last at 0
    assert in_use.in_use(ist.Fit(free, fit.theta, tolerance=np.inf)) is None
