"""Refits that follow the bend of gradients to third order: as exact as with every gradient summed."""

import numpy as np
import pytest

import influstat as ist
from influstat.input.groups import read_groups
from influstat.removal.engine import shared, third_order
from influstat.removal.engine.shared import Shared
from influstat.removal.methods.sweeps import Chord
from tests.cases import LOSSES, MORE_LOSSES, make_problem

N, P = 400, 6
SETTINGS = [
    ("logistic", {"protocol": "fixed"}),
    ("logistic", {"protocol": "folded", "weights": "positive", "offset": True}),
    ("Poisson", {"protocol": "folded", "weights": "counts"}),
    ("smoothed hinge 1", {"protocol": "fixed", "weights": "zeros"}),
]


def made(name, settings, n=N):
    """Return a fit of few columns."""
    case = next(case for case in [*LOSSES, *MORE_LOSSES] if case.name == name)
    problem = make_problem(case, n, P, 3, **settings)
    return ist.Fit.minimise(problem.risk(X=problem.X / 2.0))


def norms_of(vectors, matrices):
    """Return the norms of the columns v_k in that of M_k^-1."""
    pairs = zip(vectors.T, matrices, strict=True)
    return np.array([np.sqrt(v @ np.linalg.solve(matrix, v)) for v, matrix in pairs])


@pytest.mark.parametrize("together", [1, 3])
@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=str)
def test_refits_are_those_with_every_gradient_summed(monkeypatch, name, settings, together):
    fit = made(name, settings)
    groups = np.arange(120 * together).reshape(-1, together).tolist()
    read = read_groups(groups, fit.row_labels)
    assert Shared.of(fit, fit.risk).third_order(read, len(read)) is not None
    found = fit.leave_groups_out(groups)
    monkeypatch.setattr(shared, "pays", lambda *_: False)
    truth = fit.leave_groups_out(groups)
    np.testing.assert_array_equal(found.converged, truth.converged)
    np.testing.assert_allclose(found.theta, truth.theta, rtol=0, atol=1e-12 * np.abs(fit.theta).max())
    # What is reported is what a measurement finds, up to the rounding of that.
    measured = np.linalg.norm(found.gradients(), axis=1)
    floor = np.finfo(float).eps * np.linalg.norm(fit.risk.gradient_scale(fit.theta))
    assert (measured <= found.gradient_norm + 8.0 * floor).all()
    assert measured.max() <= max(4.0 * truth.gradient_norm.max(), 16.0 * floor)


def test_fewer_gradients_are_summed(monkeypatch):
    fit = made("logistic", {"protocol": "fixed"}, 1000)
    counts = []
    summed = third_order.Expansion.remainder

    def counting(expansion, groups):
        made = summed(expansion, groups)
        before = made.summed
        monkeypatch.setattr(made, "summed", lambda *a, **k: counts.append(len(groups)) or before(*a, **k))
        return made

    monkeypatch.setattr(third_order.Expansion, "remainder", counting)
    fit.leave_one_out()
    few = sum(counts)
    counts.clear()
    monkeypatch.setattr(shared, "pays", lambda *_: False)
    fit.leave_one_out()
    assert few <= 0.6 * sum(counts)


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=str)
def test_the_bend_is_that_of_its_definition_and_bounds_what_is_left(name, settings):
    fit, rng = made(name, settings), np.random.default_rng(0)
    groups = read_groups([[0, 5], [7], [9, 10, 11]], fit.row_labels)
    parts = Shared.of(fit, fit.risk)
    left = float(np.mean(parts.expansion.left(groups)))
    third = third_order.ThirdOrder(parts.expansion, parts.anchor(left))
    risk, x = fit.risk, fit.risk.design.rows(slice(None))
    eta = risk.linear_predictor(fit.theta)
    delta, step = (0.02 * rng.standard_normal((P, 3)) for _ in range(2))
    found = third.bend(groups, delta, step)
    gradients, path = third.gradients(groups, fit.theta[:, None] + delta)
    after, way = third.gradients(groups, fit.theta[:, None] + delta + step)
    matrices, bends = [], np.empty((P, 3))
    for k in range(3):
        weights = risk.weights.copy()
        weights[groups[k]] = 0.0
        curve = np.where(weights > 0, weights * risk.loss.third(risk.y, eta), 0.0)
        squares = (x @ (delta + step)[:, k]) ** 2 - (x @ delta[:, k]) ** 2
        bends[:, k] = x.T @ (0.5 * curve * squares)
        size = np.abs(x).T @ np.abs(0.5 * curve * squares)
        np.testing.assert_allclose(found[:, k], bends[:, k], rtol=0, atol=1e-6 * size.max())
        others = np.setdiff1d(np.arange(N), groups[k])
        assert path[k] == pytest.approx(np.max(np.abs(x @ delta[:, k])[others]), rel=1e-9)
        matrices.append(parts.expansion.hessian_without(groups[k], float(parts.expansion.left(groups)[k])))
    # The step solves the equation for this gradient; what the true one changes by besides is left.
    solved = np.stack([matrices[k] @ step[:, k] + bends[:, k] for k in range(3)], axis=1)
    rest = after - gradients - solved
    size, norms = (norms_of(vectors, matrices) for vectors in (solved, rest))
    none = np.zeros(3)
    bound = third.left(np.maximum(path, way), size, none)
    assert (norms <= bound).all()
    assert (bound <= 1e4 * norms).all()  # no bound of everything
    # What float32 has left out of the bend is little of it, and at the edge nothing is said.
    assert (norms_of(found - bends, matrices) <= third.left(none, none, norms_of(bends, matrices))).all()
    edge = np.full(3, third_order.BENT / third.c)
    assert np.isfinite(third.left(edge, size, none)).all()
    assert np.isinf(third.left(1.01 * edge, size, none)).all()


def test_the_last_chord_step_leaves_as_much_as_is_said():
    """Rows that are all alike attain it: the slope of N is c D S there."""
    n = 80
    fit = ist.Fit.minimise(ist.LinearRisk(ist.PoissonLoss(), np.ones((n, 1)), np.arange(n) % 3.0))
    parts = Shared.of(fit, fit.risk)
    anchor = parts.anchor(1.0)
    third = third_order.ThirdOrder(parts.expansion, anchor)
    none = read_groups([[0]], fit.row_labels)
    total, nothing = fit.hessian.to_dense() * n, np.zeros((1, 1))
    step = np.array([[0.05]])
    excess = third.bend(none, nothing, step)
    more = -np.linalg.solve(total, excess)
    left = np.linalg.norm(anchor.whiten(third.bend(none, step, more)), axis=0)
    bound = third.left(np.abs(step[0]), np.zeros(1), np.linalg.norm(anchor.whiten(excess), axis=0))
    assert 0.9 * bound < left <= bound  # one of 80 rows has left, and |E| falls by a fortieth


def test_the_way_of_every_refit_is_bounded(monkeypatch):
    fit = made("logistic", {"protocol": "fixed"})
    x, curved, margins = fit.risk.design.rows(slice(None)), Chord._curved, []

    def watched(chord, third, gradients, active, trial, step):
        found = curved(chord, third, gradients, active, trial, step)
        done = active[chord.done[active]]
        moved = np.abs(x @ (chord.theta[:, done] - fit.theta[:, None]))
        moved[chord._groups.members[done], np.arange(len(done))] = 0.0  # the rows themselves
        margins.extend(chord._path[done] - moved.max(axis=0))
        return found

    monkeypatch.setattr(Chord, "_curved", watched)
    fit.leave_one_out()
    assert len(margins) > N / 2
    assert min(margins) >= 0.0


def test_gradients_are_measured_in_the_norm_of_the_hessian_without_the_row(monkeypatch):
    fit = made("logistic", {"protocol": "fixed"})
    seen, curved, left = [], Chord._curved, third_order.ThirdOrder.left

    def watched(chord, third, gradients, active, trial, step):
        rows = chord._groups.members[active]

        def measured(third, path, size, solved):
            seen.extend(zip(rows.tolist(), gradients.T.copy(), size, strict=True))
            return left(third, path, size, solved)

        monkeypatch.setattr(third_order.ThirdOrder, "left", measured)
        return curved(chord, third, gradients, active, trial, step)

    monkeypatch.setattr(Chord, "_curved", watched)
    fit.leave_one_out()
    assert len({row for row, _, _ in seen}) > N / 2
    expansion = Shared.of(fit, fit.risk).expansion
    matrices = [expansion.hessian_without(np.array([row]), 1.0) for row, _, _ in seen]
    truth = norms_of(np.stack([gradient for _, gradient, _ in seen], axis=1), matrices)
    np.testing.assert_allclose([size for _, _, size in seen], truth, rtol=1e-6)


def test_where_it_does_not_pay_or_hold_it_is_not_built():
    few = made("logistic", {"protocol": "fixed"})
    expansion = Shared.of(few, few.risk).expansion
    assert third_order.pays(expansion, N)
    assert not third_order.pays(expansion, third_order.FEW - 1)

    class WithoutBounds(ist.LogisticLoss):
        higher_bounds = None

    other = ist.Fit(few.risk.with_loss(WithoutBounds()), few.theta, tolerance=np.inf)
    assert not third_order.pays(Shared.of(other, other.risk).expansion, N)
    moving = ist.LinearRisk(
        few.risk.loss, few.risk.design.rows(slice(None)), few.risk.y, penalty=ist.SmoothedL1(1.0, t=0.1)
    )
    bent = ist.Fit.minimise(moving)
    assert not third_order.pays(Shared.of(bent, bent.risk).expansion, N)
