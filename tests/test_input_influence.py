"""The influence of a training row's inputs, against refits with moved inputs."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import influstat as ist
from influstat.errors import InvalidArgument, InvalidType, Unsupported
from tests.budget import examples
from tests.cases import LOSSES, make_problem, problems
from tests.extended import LONG, Truth
from tests.reference import TINY, derivative, solve
from tests.tolerance import ROUNDING, minimised, solved

NARROW = make_problem(  # so little curvature that a refit's last digits are more than the derivative
    LOSSES[-1], 9, 2, 33, scales=(0.1, 0.1), offset=True, strength=0.01, intercept=True
)
STEP = 1e-3  # of the width over which the loss bends: the difference then errs by about 1e-12


def loss_after(problem, start, row, moved):
    """Return the summed test loss of the refit with row's inputs moved, in 64 bits.

    Refits in float64 stop at a relative gradient of 1e-12, which over short steps is much.
    """
    truth = Truth.of(problem)
    truth.X[row, : len(moved)] += moved
    theta = truth.minimisers([[]], start)
    return truth.losses(theta, problem.with_ones(problem.X_test), problem.y_test).sum()


def pull(plain, theta, row, step):
    """Return d grad R when row's inputs move by `step`, and the size of its terms; both (p,)."""
    x, y, o = plain.X[row], plain.y[row], plain.offset[row]
    eta, spread = x @ theta + o, np.abs(x) @ np.abs(theta) + np.abs(o) + 1.0
    first, second = plain.loss.first(y, eta), plain.loss.second(y, eta)
    # An error in eta moves l1 by l2, and l2 by as much as l2 / width.
    size = (np.abs(first) + second * spread) * np.abs(step)
    size += second * (1.0 + spread / plain.loss.width) * (np.abs(theta) @ np.abs(step)) * np.abs(x)
    share = plain.weights[row] / plain.total_weight
    return share * (first * step + second * (theta @ step) * x), share * size


def precision(problem, theta, row, step):
    """Return a step length for refits, and the rounding of the effect and of the refits' difference."""
    plain, rows = problem.plain(), problem.with_ones(problem.X_test)
    hessian = plain.hessian(theta)
    change, size = pull(plain, theta, row, step)
    d_theta = -solve(hessian, change)
    # Neither the inputs nor any linear predictor may move by much.
    moves = np.abs(np.vstack([plain.X, rows]) @ d_theta).max() + np.abs(step @ theta)
    h = STEP * min(1.0, plain.loss.width / (moves + TINY))
    m = len(rows)
    weights = np.full(m, plain.total_weight / m)  # W stays that of the training rows
    tests = replace(plain, X=rows, y=problem.y_test, offset=np.zeros(m), weights=weights)
    gradient = np.abs(tests.row_gradients(theta)).sum(axis=0)
    reach = solved(hessian, plain.hessian_size(theta), d_theta[None], size)[0]
    rounding = ROUNDING * (reach @ gradient + np.abs(d_theta) @ tests.row_gradient_sizes(theta).sum(axis=0))
    # 64-bit refits are right to 16 of their epsilons of the gradient's terms; losses lose no more.
    left = 16.0 * float(np.finfo(LONG).eps) * (minimised(plain, theta) @ gradient)
    left += 16.0 * float(np.finfo(LONG).eps) * tests.row_loss_sizes(theta).sum()
    return h, rounding, 1.5 / h * left


@examples(60)
@given(problems(solvable=True, decades=1), st.integers(0, 24))
@example(NARROW, 3)
def test_it_is_the_derivative_of_the_refit_in_the_inputs(problem, row):
    row %= problem.n
    theta = Truth.of(problem).minimisers([[]], ist.Fit.minimise(problem.risk()).theta)[0]
    start = theta.astype(float)
    fit = ist.Fit(problem.risk(), start)
    scores = ist.input_influence(fit, problem.X_test, problem.y_test)
    step = np.random.default_rng(row).normal(size=problem.X.shape[1]) * np.abs(problem.X).max(axis=0)
    steps = np.zeros_like(scores.values)
    steps[row] = step
    effect = scores.effect(steps)
    np.testing.assert_array_equal(np.delete(effect, row), 0.0)

    h, rounding, of_refits = precision(problem, start, row, np.append(step, [0.0] * problem.intercept))
    near, far = (
        derivative(lambda size: loss_after(problem, start, row, LONG(size) * step), width)
        for width in (h, 2.0 * h)
    )
    assert np.abs(effect[row] - near) <= rounding + np.abs(near - far) + of_refits


def test_chosen_rows_are_those_of_all_rows_and_the_intercept_is_no_input():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 3)), rng.integers(0, 2, 20)
    fit = ist.Logistic(lam=1.0, intercept=True).fit(X, y)
    whole = ist.input_influence(fit, X[:2], y[:2])
    part = ist.input_influence(fit, X[:2], y[:2], rows=[7, 3], solver=ist.ConjugateGradient(rtol=1e-13))
    assert whole.names == ("x0", "x1", "x2")
    np.testing.assert_allclose(part.values, whole.values[[7, 3]], rtol=1e-9)


def test_what_it_cannot_answer_is_refused():
    fit = ist.Ridge(lam=1.0).fit(np.eye(3), np.ones(3))
    with pytest.raises(InvalidArgument, match="rows must hold at least one whole number from 0 to 2"):
        ist.input_influence(fit, np.eye(3), np.ones(3), rows=[3])
    with pytest.raises(InvalidArgument, match="steps must have shape"):
        ist.input_influence(fit, np.eye(3), np.ones(3)).effect(np.ones(3))
    with pytest.raises(InvalidArgument, match="X must have the 3 columns"):
        ist.input_influence(fit, np.ones((1, 2)), [1.0])
    box = ist.BlackBoxRisk(lambda theta: (theta[0] - np.array([0.0, 1.0, 3.0])) ** 2, 1)
    with pytest.raises(Unsupported, match="fit must be a fit of a LinearRisk"):
        ist.input_influence(ist.Fit.minimise(box), [[1.0]], [1.0])


def test_steps_and_fits_that_are_none_are_refused():
    fit = ist.Ridge(lam=1.0).fit(np.eye(3), np.ones(3))
    scores = ist.input_influence(fit, np.eye(3), np.ones(3))
    with pytest.raises(InvalidArgument, match="steps must be finite"):
        scores.effect(np.full((3, 3), np.nan))
    with pytest.raises(InvalidType, match="steps must"):
        scores.effect([["a"] * 3] * 3)
    hinge = ist.HingeSVC(lam=1.0).fit([[1.0], [-1.0]], [1, -1])
    with pytest.raises(InvalidType, match="fit must be a Fit"):
        ist.input_influence(hinge, [[1.0]], [1])
