"""The exact hinge on degenerate data, and its errors."""

import numpy as np
import pytest

from influstat.errors import InvalidArgument, NotConverged
from influstat.minimise import hinge_dual
from tests.hinge_cases import KINDS, Problem, random_problem

A_ROW = np.array([[2.0, -1.0]])


@pytest.mark.parametrize(
    ("problem", "theta", "margin"),
    [
        pytest.param(Problem([[1.0], [-1.0]], [1, -1], kappa=1e-6), [1, 0], [True, True], id="hard margin"),
        pytest.param(
            Problem([[1.0], [-1.0], [1.0 + 1e-9]], [1, -1, 1], kappa=0.1),
            [1, 0],
            [True, True, False],
            id="near",
        ),
        pytest.param(Problem([[1.0], [-1.0]], [1, -1], kappa=8.0), [0.25, 0], [False, False], id="short"),
        pytest.param(Problem([[3.0], [1.0]], [1, -1], kappa=1.0), [1, -2], [True, True], id="shifted"),
        pytest.param(Problem(A_ROW, [1], kappa=1.0, intercept=False), [0.4, -0.2], [True], id="one row"),
        pytest.param(
            Problem(A_ROW, [-1], kappa=50.0, intercept=False), [-0.04, 0.02], [False], id="one class"
        ),
        pytest.param(Problem(np.zeros((3, 2)), [1, 1, -1]), [0, 0, 1], [True, True, False], id="zeros"),
        pytest.param(
            Problem(np.zeros((2, 1)), [1, -1], intercept=False),
            [0.0],
            [False, False],
            id="zeros, no intercept",
        ),
        pytest.param(Problem(np.ones((3, 1)), [1, 1, -1]), [0, 1], [True, True, False], id="constant column"),
        pytest.param(Problem([[1.0], [-1.0]] * 4, [1, -1] * 4, kappa=1.0), [1, 0], [True] * 8, id="repeated"),
        pytest.param(Problem(np.zeros((4, 1)), [1, 1, -1, -1]), [0, 0], [False] * 4, id="balanced zeros"),
        pytest.param(
            Problem([[1.0], [2.0]], [1, -1], offset=[2.0, -4.0]),
            [0, 1],
            [False, False],
            id="offset separates",
        ),
        pytest.param(
            Problem([[1.0], [2.0]], [1, -1], offset=[1.0, -1.0]),
            [0, 0],
            [True, True],
            id="offset just separates",
        ),
        pytest.param(
            Problem([[1.0], [-1.0], [0.1]], [1, -1, 1], weights=[1, 1, 0]),
            [1, 0],
            [True, True, False],
            id="weight 0",
        ),
    ],
)
def test_known_answers(problem, theta, margin):
    solution = problem.fit()
    np.testing.assert_allclose(solution.theta, theta, rtol=1e-13, atol=1e-13)
    assert solution.margin.tolist() == margin
    assert solution.duality_gap <= 1e-13  # rounding of 90 terms; the issue asks for 1e-10


@pytest.mark.parametrize("kappa", [1e-10, 1e-4, 1e10])
@pytest.mark.parametrize("kind", KINDS)
def test_penalties_at_either_end_converge(kind, kappa):
    for seed in range(5):
        problem = random_problem(kind, 40, 6, seed, kappa=kappa)
        solution = problem.fit()
        slack = problem.weights @ problem.rounding(solution.theta)
        assert problem.primal(solution.theta) - problem.dual(solution.dual) <= (
            1e-10 * problem.primal(solution.theta) + slack
        )


@pytest.mark.parametrize(
    ("kind", "n", "p", "seed", "kappa", "intercept", "weights"),
    [
        ("repeated rows", 8, 3, 8, 1e-3, False, "ones"),
        ("repeated rows", 12, 3, 492196, 1e-5, False, "ones"),
        ("repeated rows", 4, 5, 644403, 1e-6, False, "counts"),
        ("few values", 9, 2, 614351, 1e-7, False, "ones"),
        ("repeated rows", 4, 6, 529127, 1e-8, False, "counts"),
        ("repeated rows", 9, 3, 624656, 1e-8, False, "ones"),
        ("few values", 12, 4, 483541, 1e-9, True, "ones"),
    ],
)
def test_a_penalty_that_normal_equations_round_away_is_kept(kind, n, p, seed, kappa, intercept, weights):
    problem = random_problem(kind, n, p, seed, intercept=intercept, kappa=kappa, weights=weights, scale=100.0)
    solution = problem.fit()
    slack = problem.weights @ problem.rounding(solution.theta)
    allowed = 1e-10 * problem.primal(solution.theta) + slack
    assert solution.duality_gap * problem.weights.sum() <= allowed


@pytest.mark.parametrize(
    ("kind", "n", "p", "seed", "kappa", "scale", "offset", "weights"),
    [
        ("uneven units", 7, 2, 15322, 10.0, 1.0, 10.0, "any"),
        ("separable", 8, 7, 27014, 0.001, 1.0, 0.0, "ones"),
        ("collinear", 8, 6, 38896, 0.01, 1.0, 10.0, "ones"),
        ("few values", 5, 4, 54483, 1.0, 1.0, 0.5, "any"),
        ("noisy", 10, 5, 98714, 10.0, 100.0, 10.0, "any"),
    ],
)
def test_problems_where_steps_without_a_limit_go_in_circles(kind, n, p, seed, kappa, scale, offset, weights):
    problem = random_problem(kind, n, p, seed, kappa=kappa, scale=scale, offset=offset, weights=weights)
    assert problem.fit().iterations <= 30


@pytest.mark.parametrize(
    ("y", "weights", "found"), [([1, 1, 1], [1, 1, 1], r"\+1"), ([-1, 1, -1], [1, 0, 2], "-1")]
)
def test_one_class_with_a_free_intercept_is_refused(y, weights, found):
    problem = Problem([[1.0], [2.0], [4.0]], y, weights=weights)
    with pytest.raises(
        InvalidArgument, match=f"y must hold both classes.*but it holds only {found}. Add rows"
    ):
        problem.fit()
    assert problem.fit(intercept=False).duality_gap <= 1e-15


def test_too_few_steps_are_an_error_unless_the_tolerance_allows_them(monkeypatch):
    problem = random_problem("noisy", 30, 4, seed=1)
    full = problem.fit()
    monkeypatch.setattr(hinge_dual, "MAX_ITERATIONS", full.iterations + 1)
    np.testing.assert_array_equal(problem.fit().theta, full.theta)
    monkeypatch.setattr(hinge_dual, "MAX_ITERATIONS", full.iterations)
    sentence = (
        rf"stopped after {full.iterations - 1} interior-point steps with a duality gap of .*, above .* \(sum"
    )
    with pytest.raises(NotConverged, match=sentence):
        problem.fit()
    rough = problem.fit(tolerance=0.1)
    primal = problem.primal(rough.theta)
    gap = (primal - problem.dual(rough.dual)) / problem.weights.sum()
    assert rough.duality_gap == pytest.approx(gap, rel=1e-6)
    assert 1e-10 < rough.duality_gap / (primal / 30) < 0.1
