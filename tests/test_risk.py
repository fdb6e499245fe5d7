"""LinearRisk against plain loops, against differences of itself, and against itself otherwise put."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

import influstat as ist
from influstat.errors import InvalidType
from tests.budget import examples
from tests.cases import penalty_diagonal, problems
from tests.reference import assert_same_risk, assert_within, derivative

EPSILON = np.finfo(np.float64).eps
few = examples(50)


def unit_direction(problem, seed=0):
    """Return d with max_i |x_i'd| = 1, and a step h over which no loss bends much."""
    direction = np.random.default_rng(seed).normal(size=problem.theta.shape) * np.abs(problem.theta)
    along = np.max(np.abs(problem.with_ones(problem.X) @ direction))
    return direction / (along if along > 0 else 1.0), 1e-3 / max(1.0, problem.case.c)


# -- plain loops ----------------------------------------------------------------------------------------


@examples(150)
@given(problems())
def test_risk_gradient_and_hessian_are_those_of_the_loops(problem):
    assert_same_risk(problem.risk(), problem.plain(), problem.theta)


@examples(100)
@given(problems(), st.data())
def test_single_rows_are_those_of_the_loops(problem, data):
    risk, plain, theta = problem.risk(), problem.plain(), problem.theta
    gradients, sizes = plain.row_gradients(theta), plain.row_gradient_sizes(theta)
    assert_within(risk.row_losses(theta), plain.row_losses(theta), plain.row_loss_sizes(theta))
    assert_within(risk.row_gradients(theta), gradients, sizes)
    rows = data.draw(
        st.lists(st.integers(0, problem.n - 1), max_size=4).map(lambda r: np.array(r, dtype=int))
    )
    assert_within(risk.row_gradients(theta, rows), gradients[rows], sizes[rows])
    vectors = np.random.default_rng(0).normal(size=(len(theta), 3))
    found = risk.row_gradients_dot(theta, vectors)
    assert_within(found, gradients @ vectors, sizes @ np.abs(vectors))


@few
@given(problems())
def test_losses_of_several_thetas_at_once(problem):
    risk = problem.risk()
    thetas = np.column_stack([problem.theta, 0.0 * problem.theta, -2.0 * problem.theta])
    one_by_one = np.column_stack([risk.row_losses(theta) for theta in thetas.T])
    sizes = np.column_stack([problem.plain().row_loss_sizes(theta) for theta in thetas.T])
    assert_within(risk.row_losses(thetas), one_by_one, sizes)


# -- differences ----------------------------------------------------------------------------------------


@examples(100)
@given(problems())
def test_the_gradient_is_the_derivative_of_the_value(problem):
    risk, plain, theta = problem.risk(), problem.plain(), problem.theta
    direction, h = unit_direction(problem)
    difference = derivative(lambda r: risk.value(theta + r * direction), h)
    size = 8 * EPSILON / h * plain.value_size(theta) + 1e-12 * plain.gradient_size(theta) @ np.abs(direction)
    assert_within(risk.gradient(theta) @ direction, difference, size, 1.0)


@examples(100)
@given(problems())
def test_the_hessian_is_the_derivative_of_the_gradient(problem):  # eq. 11
    risk, plain, theta = problem.risk(), problem.plain(), problem.theta
    direction, h = unit_direction(problem)
    difference = derivative(lambda r: risk.gradient(theta + r * direction), h)
    size = 8 * EPSILON / h * plain.gradient_size(theta) + 1e-11 * plain.hessian_size(theta) @ np.abs(
        direction
    )
    assert_within(risk.curvature(theta) @ direction, difference, size, 1.0)


@few
@given(problems())
def test_row_gradients_are_the_derivatives_of_the_row_losses(problem):
    risk, plain, theta = problem.risk(), problem.plain(), problem.theta
    direction, h = unit_direction(problem)
    difference = derivative(lambda r: risk.row_losses(theta + r * direction), h)
    rounding = 8 * EPSILON / h * plain.row_loss_sizes(theta)
    size = rounding + 1e-12 * (plain.row_gradient_sizes(theta) @ np.abs(direction))
    assert_within(risk.row_gradients(theta) @ direction, difference, size, 1.0)


@few
@given(problems())
def test_weighted_row_gradients_add_up_to_the_gradient(problem):
    plain, theta = problem.plain(), problem.theta
    for protocol, share in [("folded", 0.0), ("fixed", plain.kappa * plain.D * theta / plain.total_weight)]:
        risk = problem.risk(protocol=protocol)
        added = plain.weights @ risk.row_gradients(theta) / plain.total_weight + share
        assert_within(added, risk.gradient(theta), plain.gradient_size(theta))


# -- other weights --------------------------------------------------------------------------------------


@examples(100)
@given(problems(rows=(5, 25)), st.data())
def test_rows_of_weight_zero_have_left_as_the_protocol_says(problem, data):
    plain = problem.plain()
    leaving = sorted(data.draw(st.sets(st.integers(0, problem.n - 1), min_size=1, max_size=3)))
    weights = plain.weights.copy()
    weights[leaving] = 0.0
    if not weights.any():
        return
    left, truth = problem.risk().reweighted(weights), plain.without(leaving)
    assert_same_risk(left, truth, problem.theta)
    share = 1.0 - sum(plain.weights[leaving]) / plain.total_weight if problem.protocol == "folded" else 1.0
    np.testing.assert_allclose(left.penalty.strength, problem.strength * share, rtol=1e-14)
    kept = penalty_diagonal(problem.risk()) > 0
    np.testing.assert_array_equal(penalty_diagonal(left) > 0, kept & (share > 0))


@few
@given(problems(), st.integers(0, 10**6))
def test_other_weights(problem, seed):
    risk = problem.risk()
    before = risk.value(problem.theta)
    weights = np.random.default_rng(seed).uniform(0.0, 5.0, problem.n)
    assert_same_risk(risk.reweighted(weights), problem.plain().reweighted(weights), problem.theta)
    twice = risk.reweighted(weights).reweighted(risk.weights)
    assert_same_risk(twice, problem.plain(), problem.theta)
    assert risk.value(problem.theta) == before


@few
@given(problems(weights=("counts",)))
def test_a_weight_of_two_is_the_row_twice(problem):
    repeated = replace(
        problem.rows(np.repeat(np.arange(problem.n), problem.weights.astype(int))), weights=None
    )
    assert_same_risk(problem.risk(), repeated.plain(), problem.theta)
    assert problem.risk().total_weight == repeated.n


@few
@given(problems(), st.floats(1e-3, 1e3))
def test_weights_and_penalty_have_no_unit(problem, factor):
    weights = problem.plain().weights * factor
    scaled = problem.risk(weights=weights, penalty=ist.L2(problem.strength * factor, problem.unpenalised))
    assert_same_risk(scaled, problem.plain(), problem.theta)


@few
@given(problems(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(problem, random):
    order = list(range(problem.n))
    random.shuffle(order)
    shuffled = problem.rows(order).risk()
    assert_same_risk(shuffled, problem.plain(), problem.theta)
    gradients, sizes = (
        problem.risk().row_gradients(problem.theta),
        problem.plain().row_gradient_sizes(problem.theta),
    )
    assert_within(shuffled.row_gradients(problem.theta), gradients[order], sizes[order])


@few
@given(problems(), st.sampled_from([sp.csr_array, sp.csc_array, sp.csr_matrix, sp.csc_matrix, pd.DataFrame]))
def test_sparse_equals_dense(problem, form):
    risk, theta = problem.risk(X=form(problem.X)), problem.theta
    assert_same_risk(risk, problem.plain(), theta)
    dense = problem.risk()
    sizes = problem.plain().row_gradient_sizes(theta)
    assert_within(risk.row_gradients(theta), dense.row_gradients(theta), sizes)
    vectors = np.eye(len(theta))
    assert_within(risk.row_gradients_dot(theta, vectors), dense.row_gradients_dot(theta, vectors), sizes)


@few
@given(problems(decades=0))
def test_float32_is_kept_and_summed_in_float64(problem):
    narrow = problem.X.astype(np.float32)
    for X in (narrow, sp.csr_array(narrow)):
        risk = problem.risk(X=X)
        assert risk.design._data.dtype == np.float32
        assert_same_risk(risk, replace(problem, X=narrow.astype(float)).plain(), problem.theta)


@few
@given(problems())
def test_the_gradient_scale_is_the_gradient_without_cancellation(problem):
    plain, theta = problem.plain(), problem.theta
    scale = plain.kappa * plain.D * abs(theta)
    for x, y, o, w in plain.rows:
        first, second = plain.loss.first(y, x @ theta + o), plain.loss.second(y, x @ theta + o)
        scale = scale + w * abs(x) * (abs(first) + second * (abs(x) @ abs(theta) + abs(o)))
    scale = scale / plain.total_weight
    assert_within(problem.risk().gradient_scale(theta), scale, plain.gradient_size(theta), 1e-12)
    assert np.all(np.abs(problem.risk().gradient(theta)) <= scale * (1 + 1e-12))


def test_rows_of_weight_0_do_not_count_even_where_their_loss_is_inf():
    X, y = np.array([[1.0, 0.0], [0.0, 1.0], [900.0, 0.0]]), np.array([1.0, 2.0, 3.0])
    theta = np.array([1.0, 0.5])
    three = ist.LinearRisk(ist.PoissonLoss(), X, y, weights=[1.0, 2.0, 0.0])
    two = ist.LinearRisk(ist.PoissonLoss(), X[:2], y[:2], weights=[1.0, 2.0])
    assert np.isinf(three.row_losses(theta)[2])
    assert three.value(theta) == two.value(theta)
    np.testing.assert_array_equal(three.gradient(theta), two.gradient(theta))
    np.testing.assert_array_equal(three.gradient_scale(theta), two.gradient_scale(theta))
    np.testing.assert_array_equal(three.curvature(theta).to_dense(), two.curvature(theta).to_dense())


class Bare:
    """A loss that lacks parts."""

    def check_targets(self, y):
        """Return y."""
        return np.asarray(y, dtype=float)

    def value(self, y, eta):
        """Return the loss."""
        return (y - eta) ** 2

    first = second = third = value


def test_the_missing_parts_of_a_loss_are_named():
    with pytest.raises(InvalidType, match="is a Bare without self_concordance, mean, mean_derivative"):
        ist.LinearRisk(Bare(), [[1.0], [2.0]], [1.0, 2.0])
    with pytest.raises(InvalidType, match="Pass an instance"):
        ist.LinearRisk(ist.PoissonLoss, [[1.0], [2.0]], [1.0, 2.0])
