"""What must not matter to the exact hinge fit: copies, order, units, rotations, shifts, labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.budget import examples
from tests.hinge_cases import Problem, assert_same_theta, ordinary

# -- laws ---------------------------------------------------------------------------------------------


@examples(60)
@given(ordinary.filter(lambda problem: (problem.weights == problem.weights.round()).all()))
def test_whole_weights_equal_repeated_rows(problem):
    chosen = np.repeat(np.arange(len(problem.y)), problem.weights.astype(int))
    repeated = problem.rows(chosen).but(weights=np.ones(len(chosen)))
    once, often = problem.fit(), repeated.fit()
    assert_same_theta(problem, once, often.theta, often)
    differ = once.margin[chosen] != often.margin  # only where beta is not known to the last digit
    reach = np.linalg.norm(problem.X, axis=1).max() * np.linalg.norm(once.theta - often.theta)
    assert np.all(np.abs(repeated.shortfall(once.theta))[differ] <= 2.0 * reach)


@examples(60)
@given(ordinary)
def test_weight_zero_equals_no_row(problem):
    solution, kept = problem.fit(), np.flatnonzero(problem.weights)
    without = problem.rows(kept).fit()
    assert (solution.dual[problem.weights == 0] == 0).all()
    # The search sees the same rows. The middle of an interval of b and the gap are from all of them, whose
    # products with theta are rounded otherwise where there are more.
    np.testing.assert_array_equal(problem.beta(solution.theta), problem.beta(without.theta))
    np.testing.assert_array_equal(solution.dual[kept], without.dual)
    rounding = problem.rounding(solution.theta)
    np.testing.assert_allclose(solution.theta, without.theta, rtol=0, atol=rounding[kept].max())
    allowed = problem.weights @ rounding / problem.weights.sum()
    assert abs(solution.duality_gap - without.duality_gap) <= allowed


@examples(60)
@given(ordinary, st.integers(0, 10**6))
def test_the_order_of_rows_does_not_matter(problem, seed):
    order = np.random.default_rng(seed).permutation(len(problem.y))
    shuffled = problem.rows(order).fit()
    assert_same_theta(problem, problem.fit(), shuffled.theta, shuffled)


@examples(60)
@given(ordinary, st.sampled_from([0.125, 3.0, 50.0]))
def test_units_of_x_and_of_the_weights_only_rescale_beta(problem, unit):
    solution, p = problem.fit(), problem.X.shape[1]
    rescaled = problem.but(X=unit * problem.X, kappa=unit**2 * problem.kappa).fit()
    carried = np.append(unit * rescaled.theta[:p], rescaled.theta[p:])
    assert_same_theta(problem, solution, carried, rescaled)
    heavier = problem.but(weights=unit * problem.weights, kappa=unit * problem.kappa).fit()
    assert_same_theta(problem, solution, heavier.theta, heavier)


@examples(60)
@given(ordinary, st.integers(0, 10**6))
def test_rotated_columns_rotate_beta(problem, seed):
    p = problem.X.shape[1]
    rotation = np.linalg.qr(np.random.default_rng(seed).standard_normal((p, p)))[0]
    rotated = problem.but(X=problem.X @ rotation).fit()
    carried = np.append(rotation @ rotated.theta[:p], rotated.theta[p:])
    assert_same_theta(problem, problem.fit(), carried, rotated)


@examples(60)
@given(ordinary.filter(lambda problem: problem.intercept), st.floats(-5.0, 5.0))
def test_a_constant_offset_and_a_shift_of_x_move_the_intercept_alone(problem, shift):
    solution, p = problem.fit(), problem.X.shape[1]
    offset = problem.but(offset=problem.offset + shift).fit()
    assert_same_theta(problem, solution, offset.theta + shift * np.eye(p + 1)[p], offset)
    shifted = problem.but(X=problem.X + shift).fit()
    carried = np.append(shifted.theta[:p], shifted.theta[p] + shift * shifted.theta[:p].sum())
    assert_same_theta(problem, solution, carried, shifted)


@examples(60)
@given(ordinary)
def test_exchanged_labels_change_the_sign(problem):
    exchanged = problem.but(y=-problem.y, offset=-problem.offset).fit()
    assert_same_theta(problem, problem.fit(), -exchanged.theta, exchanged)


@examples(60)
@given(st.integers(2, 12), st.floats(-3.0, 3.0), st.integers(0, 10**6))
def test_where_no_row_decides_the_intercept_is_the_middle_of_its_interval(pairs, shift, seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((2 * pairs, 2)) + shift
    problem = Problem(X, np.tile([1.0, -1.0], pairs), kappa=50.0 * pairs)  # beta too short for a margin
    solution = problem.fit()
    assert not solution.margin.any()
    assert (solution.dual == 1).all()
    ends = problem.y - X @ solution.theta[:2]
    low, high = ends[problem.y < 0].max(), ends[problem.y > 0].min()
    assert solution.theta[2] == pytest.approx((low + high) / 2, abs=1e-12)
    values = [problem.primal(np.append(solution.theta[:2], b)) for b in (low, high)]
    np.testing.assert_allclose(values, problem.primal(solution.theta), rtol=1e-14)
