"""A matrix less the parts of some rows: its norms and solutions against the matrix itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from influstat.algebra.downdate import Downdate
from influstat.input.groups import read_groups
from tests.budget import examples

SETS = st.lists(st.lists(st.integers(0, 11), min_size=1, max_size=7, unique=True), min_size=1, max_size=4)


def made(seed, sets, p=4, share=0.5):
    """Return the downdate of a Gram matrix of 12 rows, in coordinates of its root, and each matrix left."""
    rng = np.random.default_rng(seed)
    X, c = rng.normal(size=(12, p)), rng.uniform(0.0, 1.0, 12)
    whole = X.T @ (c[:, None] * X) / share  # so that every set leaves at least half of each direction
    lower = np.linalg.cholesky(whole)
    groups = read_groups(sets, np.arange(12))
    rows = groups.members
    left = [whole - X[g].T @ (c[g][:, None] * X[g]) for g in (groups[k] for k in range(len(groups)))]
    return Downdate(np.linalg.solve(lower, X[rows].T), c[rows], groups), lower, left, groups


@examples(60)
@given(st.integers(0, 2**32 - 1), SETS)
def test_norms_and_solutions_are_those_of_what_is_left(seed, sets):
    downdate, lower, left, groups = made(seed, sets)
    rng = np.random.default_rng(seed + 1)
    columns = rng.normal(size=(4, len(groups.members) + 3))
    z = np.linalg.solve(lower, columns)
    inverses = [np.linalg.inv(matrix) for matrix in left]
    smallest = [np.linalg.eigvalsh(np.linalg.solve(lower, np.linalg.solve(lower, m).T))[0] for m in left]
    # Of rounding: half of every direction is left, and the Gram matrix is of 12 random rows.
    close = {"rtol": 1e-9}
    np.testing.assert_allclose(np.minimum(smallest, 1.0), downdate.headroom, **close)
    squares = np.array([np.einsum("pm,pq,qm->m", columns, one, columns) for one in inverses])
    np.testing.assert_allclose(downdate.common(z) ** 2, squares, **close)
    k = np.arange(len(groups))
    np.testing.assert_allclose(downdate.each(z[:, k]) ** 2, squares[k, k], **close)
    owners = groups.owners
    at = np.arange(len(owners))
    np.testing.assert_allclose(downdate.members(z[:, at]) ** 2, squares[owners, at], **close)
    solved = np.linalg.solve(lower.T, downdate.solve_each(z[:, k]))
    truth = np.array([inverses[j] @ columns[:, j] for j in k]).T
    np.testing.assert_allclose(solved, truth, rtol=1e-9, atol=1e-9 * np.abs(truth).max())
    last = [len(groups) - 1]
    # BLAS sums other numbers of columns in another order, so that they agree as the solutions above do.
    alone, among = downdate.solve_each(z[:, last], np.array(last)), downdate.solve_each(z[:, k])[:, last]
    np.testing.assert_allclose(alone, among, rtol=1e-9, atol=1e-9 * np.abs(among).max())


@pytest.mark.parametrize("sets", [[[0]], [[0, 1]], [[0, 1, 2, 3, 4, 5]]])
def test_sets_that_take_a_direction_or_curve_the_wrong_way_have_no_answer(sets):
    whitened, groups = np.full((2, len(sets[0])), 1.0), read_groups(sets, np.arange(12))
    for curvature in (1.0, -1.0) if len(sets[0]) > 1 else (1.0,):
        downdate = Downdate(whitened, np.full(len(sets[0]), curvature), groups)
        assert downdate.headroom[0] <= 0.0
        assert np.isnan(downdate.solve_each(np.ones((2, 1)))).all()
        assert np.isnan(downdate.each(np.ones((2, 1)))).all()


def test_too_little_left_has_no_answer_either():
    one = np.full((1, 1), np.sqrt(0.999))
    groups = read_groups([[0]], np.arange(2))
    assert Downdate(one, np.ones(1), groups).solve_each(np.ones((1, 1))) == pytest.approx(1e3)
    assert np.isnan(Downdate(one, np.ones(1), groups, least=0.01).solve_each(np.ones((1, 1)))).all()
