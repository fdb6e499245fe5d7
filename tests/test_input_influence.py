"""The influence of a training row's inputs, against refits with moved inputs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import influstat as ist
from influstat.errors import InvalidArgument, InvalidType, Unsupported
from tests.budget import examples
from tests.cases import problems
from tests.reference import derivative


def loss_after(problem, fit, row, step, size):
    """Return the summed test loss of the refit with row's inputs moved by size * step."""
    X = problem.X.copy()
    X[row] += size * step
    moved = ist.Fit.minimise(problem.risk(X=X), start=fit.theta)
    return float(moved.loss(problem.X_test, problem.y_test).sum())


@examples(60)
@given(problems(solvable=True, decades=1), st.data())
def test_it_is_the_derivative_of_the_refit_in_the_inputs(problem, data):
    fit = ist.Fit.minimise(problem.risk())
    scores = ist.input_influence(fit, problem.X_test, problem.y_test)
    row = data.draw(st.integers(0, problem.n - 1))
    step = np.random.default_rng(row).normal(size=problem.X.shape[1]) * np.abs(problem.X).max(axis=0)
    steps = np.zeros_like(scores.values)
    steps[row] = step
    narrow = getattr(problem.case.loss, "t", 1.0)
    truth = derivative(lambda size: loss_after(problem, fit, row, step, size), 1e-4 * narrow)
    effect = scores.effect(steps)
    np.testing.assert_array_equal(np.delete(effect, row), 0.0)
    terms = np.abs(scores.gradient[row]) @ np.abs(step) + abs(fit.loss(problem.X_test, problem.y_test)).sum()
    assert effect[row] == pytest.approx(truth, abs=1e-6 * terms / narrow, rel=1e-5)


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
