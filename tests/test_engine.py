"""The expansion of sums over all rows: terms, remainder, and what rests on it: refits and certificates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import influstat as ist
from influstat.algebra.rounding import unit_rounding
from influstat.algebra.symmetric import contracted, packed, packed_norms
from influstat.input.groups import read_groups, read_rows
from influstat.losses.base import higher_bounds
from influstat.removal.certificates.anchor import Anchor
from influstat.removal.certificates.measured import measure_expanded
from influstat.removal.engine import chord
from influstat.removal.engine import plan as planning
from influstat.removal.engine.expanded import AllRows, Expanded
from influstat.removal.engine.tensors import Tensors
from influstat.removal.expansion import Expansion, Remainder
from tests.budget import examples
from tests.cases import LOSSES, MORE_LOSSES, make_problem, problems
from tests.reference import assert_within

EXPANDED = [case for case in [*LOSSES, *MORE_LOSSES] if higher_bounds(case.loss) is not None]
SIZES = st.integers(1, 5)


def draw(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


# -- tensors ---------------------------------------------------------------------------------------------


@given(SIZES, st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_packed_products_are_symmetric_matrices(p, k, seed):
    z, u = draw(seed, p, k), draw(seed + 1, p, k)
    truth = np.einsum("ak,bk,bk->ak", z, z, u)
    assert_within(contracted(packed(z), u), truth, np.einsum("ak,bk,bk->ak", *np.abs([z, z, u])))
    np.testing.assert_allclose(packed_norms(packed(z), p), (z * z).sum(axis=0), rtol=1e-12)  # |zz'| = |z|^2


@given(SIZES, st.integers(1, 8), st.integers(0, 2**32 - 1), st.booleans())
def test_tensors_are_sums_of_powers_of_the_rows(p, n, seed, fourth):
    z, u = draw(seed, p, n), draw(seed + 1, p, 3)
    a, b = draw(seed + 2, 2, n)
    blocks = [(z[:, :2], a[:2], b[:2]), (z[:, 2:], a[2:], b[2:])]
    found = Tensors(blocks, p, fourth=fourth).second_order(u, fourth=fourth)

    def powers(z, a, b, u):
        along = z.T @ u
        third = np.einsum("pn,n,nk->pk", z, a, along**2) / 2.0
        return third + (np.einsum("pn,n,nk->pk", z, b, along**3) / 6.0 if fourth else 0.0)

    # Entries of the tensors are sums of n products; up to p^4 of them are added with signs of their own.
    size = powers(np.abs(z), np.abs(a), np.abs(b), np.abs(u))
    assert_within(found, powers(z, a, b, u), size)


# -- losses -----------------------------------------------------------------------------------------------


def test_every_smooth_self_concordant_loss_is_expanded():
    finite = {case.name for case in [*LOSSES, *MORE_LOSSES] if 0.0 < case.loss.self_concordance < np.inf}
    assert finite == {case.name for case in EXPANDED}


@pytest.mark.parametrize("case", EXPANDED, ids=lambda case: case.name)
def test_the_fourth_derivative_and_its_bounds(case):
    loss, (c4, c5) = case.loss, higher_bounds(case.loss)
    width = 1.0 / loss.self_concordance
    y = np.repeat(make_problem(case, 40, 2, 0).y, 50)
    eta = y + np.tile(np.linspace(-12.0, 12.0, 50), 40) * width
    h = 1e-3 * width
    second = loss.second(y, eta)

    def slope(function):  # of five points: an error of h^4
        near, far = (function(y, eta + k * h) - function(y, eta - k * h) for k in (1, 2))
        return (8.0 * near - far) / (12.0 * h)

    # Third derivatives are right to a few epsilon, of c l2 at most: the differences to that over h.
    np.testing.assert_array_less(np.abs(loss.fourth(y, eta) - slope(loss.third)), 1e-9 * c4 * second + 1e-300)
    slack = 1.0 + 1e-9
    assert (np.abs(loss.fourth(y, eta)) <= slack * c4 * second).all()
    assert (np.abs(slope(loss.fourth)) <= slack * c5 * second + 1e-9 * c4 * second / width + 1e-300).all()


# -- the expanded sum --------------------------------------------------------------------------------------

SMOOTH = problems(losses=tuple(EXPANDED), solvable=True)


@examples(150)
@given(SMOOTH, st.integers(0, 2**32 - 1), st.integers(0, 5), st.booleans(), st.booleans())
def test_the_remainder_bounds_what_the_expansion_leaves_out(problem, seed, kept, fourth, single):
    fit = ist.Fit.minimise(problem.risk())
    rng = np.random.default_rng(seed)
    expansion = Expansion(fit.risk, fit.theta)
    n = problem.n
    groups = read_rows(None, np.arange(n)) if single else read_groups(np.arange(n) % 3, np.arange(n))
    try:
        anchor = Anchor(fit.risk.design, expansion.second, expansion.penalty_hessian, give_up=False)
    except ist.errors.SingularHessian:
        return
    chosen = rng.permutation(n)[: min(kept, n)]
    rows = AllRows.of(expansion, anchor, chosen, fourth=fourth)
    length = 10.0 ** rng.uniform(-6, 0.5, len(groups)) / fit.risk.loss.self_concordance
    units = rng.normal(size=(len(fit.theta), len(groups)))
    reach = np.max(np.abs(problem.with_ones(problem.X) @ units), axis=0)
    theta = fit.theta[:, None] + units * length / np.where(reach > 0, reach, 1.0)
    found = rows.at(groups, expansion.left(groups), theta, fourth=fourth)
    truth = Remainder(expansion, groups).gradients(theta)
    missing = np.linalg.norm(anchor.whiten(found.gradient - truth), axis=0)
    size = anchor.largest_norm(64.0 * unit_rounding(n) * np.max(expansion.scales(groups), axis=1))
    size += 64.0 * unit_rounding(n) * np.max(np.abs(theta), axis=None) * anchor.largest * anchor.largest
    assert (missing <= found.remainder * (1.0 + 1e-6) + size).all()
    moved = np.abs(problem.with_ones(problem.X) @ (theta - fit.theta[:, None]))
    moved[groups.members, groups.owners] = moved[fit.risk.weights == 0] = 0.0
    assert (moved.max(axis=0) <= found.path * (1.0 + 1e-9)).all()


@pytest.mark.parametrize("fourth", [False, True])
def test_far_away_the_remainder_grows_with_the_curvature(fourth):
    """Rows that are all alike attain the bound but for the power of the exponential: e^3 is not left out."""
    n, far = 50, 3.0
    fit = ist.Fit.minimise(ist.LinearRisk(ist.PoissonLoss(), np.ones((n, 1)), np.arange(n) % 3.0))
    expansion = Expansion(fit.risk, fit.theta)
    anchor = Anchor(fit.risk.design, expansion.second, expansion.penalty_hessian, give_up=False)
    rows = AllRows.of(expansion, anchor, np.arange(0), fourth=fourth)
    groups, theta = read_rows([0], np.arange(n)), fit.theta[:, None] + far
    found = rows.at(groups, expansion.left(groups), theta, fourth=fourth)
    missing = np.abs(anchor.whiten(found.gradient - Remainder(expansion, groups).gradients(theta)))[0, 0]
    assert missing <= found.remainder[0]
    assert missing > found.remainder[0] / np.exp(far)
    hessian, left_out = rows.hessians(groups, expansion.left(groups), theta, fourth=fourth)
    mean = float(np.exp(theta[0, 0]))
    off = abs(hessian[0, 0, 0] - float(anchor.whiten(anchor.whiten(np.array([[(n - 1) * mean]])).T)[0, 0]))
    assert left_out[0] / np.exp(far) < off <= left_out[0]
    if fourth:  # squares that are summed leave out as much of rows that are all alike
        two, at = read_rows([0, 1], np.arange(n)), np.repeat(theta, 2, axis=1)
        summed = rows.hessians(two, expansion.left(two), at, fourth=True, sharp=0.0)[1]
        np.testing.assert_allclose(summed, left_out[0], rtol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_squares_of_displacements_that_are_summed_bound_the_hessian_more_sharply(seed):
    rng = np.random.default_rng(seed)
    fit = ist.Fit.minimise(make_problem(EXPANDED[0], 60, 2, 5).risk())
    expansion = Expansion(fit.risk, fit.theta)
    anchor = Anchor(fit.risk.design, expansion.second, expansion.penalty_hessian, give_up=False)
    rows = AllRows.of(expansion, anchor, rng.permutation(60)[: rng.integers(0, 30)], fourth=True)
    groups = read_rows(range(8), np.arange(60))
    left = expansion.left(groups)
    theta = fit.theta[:, None] + rng.normal(size=(2, 8)) * 10.0 ** rng.uniform(-3, 0, 8)
    hessian, loose = rows.hessians(groups, left, theta, fourth=True)
    again, sharp = rows.hessians(groups, left, theta, fourth=True, sharp=0.0)
    np.testing.assert_array_equal(again, hessian)
    assert (sharp <= loose).all()
    assert np.mean(sharp < 0.7 * loose) > 0.5  # it is worth its sums
    for k in range(8):
        risk = fit.risk
        weights = np.where(np.arange(60) == k, 0.0, risk.weights)
        second = weights * risk.loss.second(risk.y, risk.linear_predictor(np.ascontiguousarray(theta[:, k])))
        truth = risk.design.gram(second) + left[k] * expansion.penalty_hessian.dense()
        off = np.abs(np.linalg.eigvalsh(hessian[k] - rows.whitened(truth))).max()
        assert off <= sharp[k] * (1.0 + 1e-9) + 1e-12


def small_expansion(kept):
    """Return a fit's expansion with so many rows kept as they are."""
    fit = ist.Fit.minimise(make_problem(EXPANDED[0], 60, 2, 5).risk())
    expansion = Expansion(fit.risk, fit.theta)
    anchor = Anchor(fit.risk.design, expansion.second, expansion.penalty_hessian, give_up=False)
    return fit, AllRows.of(expansion, anchor, np.arange(kept), fourth=True)


def test_a_refit_is_proven_by_the_curvature_at_its_end():
    """The same gradient proves less the farther theta has gone: curvature may have fallen as e^(-c path)."""
    _, rows = small_expansion(60)
    one = np.ones(2)
    found = Expanded(np.zeros((2, 2)), np.zeros(2), moved=one, path=np.array([0.0, 3.0]))
    proven = chord._proven(rows, found, 0.5 * planning.TOLERANCE * one, headroom=one)
    assert proven.tolist() == [True, False]
    narrow = chord._proven(rows, found, 0.5 * planning.TOLERANCE * one, headroom=0.1 * one)
    assert not narrow.any()


def test_certificates_count_the_rounding_of_the_sums_that_are_expanded():
    fit, rows = small_expansion(60)  # every row kept: nothing is left out but by rounding
    groups, theta = read_rows([0, 1], np.arange(60)), fit.theta + np.full((2, 2), 0.1)
    measured, sharp = measure_expanded(rows, rows.anchor, groups, theta, np.ones(2))
    moved = np.linalg.norm(rows.anchor.coordinates((theta - fit.theta).T), axis=0)
    assert sharp.all()
    assert (measured.remainder >= rows.anchor.relative * moved).all()
    assert (measured.remainder > 0.0).all()


def test_without_the_fourth_tensor_more_is_left_out():
    """The remainder is not so wide that anything would pass: it falls as the displacement to its power."""
    problem = make_problem(EXPANDED[0], 200, 3, 1)
    fit = ist.Fit.minimise(problem.risk())
    expansion = Expansion(fit.risk, fit.theta)
    anchor = Anchor(fit.risk.design, expansion.second, expansion.penalty_hessian, give_up=False)
    rows = AllRows.of(expansion, anchor, np.arange(0), fourth=True)
    groups = read_rows([0], np.arange(200))
    errors = {}
    for fourth in (False, True):
        for length in (0.1, 0.01):
            theta = fit.theta[:, None] + length * np.array([[0.3], [-0.2], [0.5], [0.1]])[: len(fit.theta)]
            found = rows.at(groups, expansion.left(groups), theta, fourth=fourth)
            truth = Remainder(expansion, groups).gradients(theta)
            missing = np.linalg.norm(anchor.whiten(found.gradient - truth), axis=0)[0]
            assert missing <= found.remainder[0]
            errors[fourth, length] = missing
    # Ten times nearer: 10^3 and 10^4 times less, within what the next power adds.
    assert 500.0 < errors[False, 0.1] / errors[False, 0.01] < 2000.0
    assert 5_000.0 < errors[True, 0.1] / errors[True, 0.01] < 20_000.0


def test_fourth_powers_beyond_float64_are_infinite_without_a_word():
    z, ones = np.full((4, 3), 1e80), np.ones(3)
    found = Tensors([(z, ones, ones)], 4, fourth=True).first_order(z[:, :1] * 0.0 + 1.0, fourth=True)
    assert not np.isfinite(found).any()


def test_fourth_powers_of_many_coordinates_are_those_of_their_definition():
    rng = np.random.default_rng(5)  # 12 coordinates have 78 products: more than one tile of T4
    z, a, b, u = rng.normal(size=(12, 9)), rng.normal(size=9), rng.normal(size=9), rng.normal(size=(12, 4))
    moved = z.T @ u
    wanted = z @ (a[:, None] * moved**2 / 2.0 + b[:, None] * moved**3 / 6.0)
    found = Tensors([(z[:, :5], a[:5], b[:5]), (z[:, 5:], a[5:], b[5:])], 12, fourth=True)
    np.testing.assert_allclose(found.second_order(u, fourth=True), wanted, rtol=1e-12, atol=1e-11)
