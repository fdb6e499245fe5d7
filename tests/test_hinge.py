"""The exact hinge fit: certified by its own duality gap, and equal to slow references."""

from itertools import product

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.svm import SVC

from influstat.datasets import load_iris_pair
from influstat.minimise import hinge_dual
from tests.budget import examples
from tests.hinge_cases import KINDS, Problem, problems, random_problem
from tests.tolerance import CLOSED_FORM, INVERTED, ROUNDING

# -- what certifies a solution ------------------------------------------------------------------------


STALLED = random_problem("repeated rows", 8, 3, 8, intercept=False, kappa=1e-3, scale=100.0)


@examples(300)
@given(problems)
@example(STALLED)
def test_the_duality_gap_is_what_it_says_and_at_most_1e_10_of_the_risk(problem):
    solution = problem.fit()
    theta, alpha = solution.theta, solution.dual
    assert theta.shape == (problem.design.shape[1],)
    assert ((alpha >= 0) & (alpha <= problem.weights)).all()
    if problem.intercept:
        assert abs(alpha @ problem.y) <= ROUNDING * alpha.sum()
    primal, total = problem.primal(theta), problem.weights.sum()
    allowance = problem.weights @ problem.rounding(theta)
    naive = primal - problem.dual(alpha)
    # The naive difference cancels: it knows the gap no better than to the rounding of its two terms.
    terms = primal + alpha @ np.abs(1.0 - problem.y * problem.offset)
    terms += np.abs(problem.X.T @ (alpha * problem.y)) @ (np.abs(problem.X).T @ alpha) / problem.kappa
    assert abs(solution.duality_gap * total - naive) <= ROUNDING * terms + allowance
    assert 0 <= solution.duality_gap * total <= 1e-10 * primal + allowance


# On the margin without need, alpha is 0 there: then both vanish as square roots on the way to the optimum.
NEEDLESS = [
    random_problem("few values", 25, 3, 1151, intercept=False, kappa=1e-4, weights="counts", scale=0.01),
    random_problem("few values", 17, 2, 619897, intercept=False, kappa=10.0, scale=100.0),
    random_problem("few values", 16, 2, 908633, kappa=100.0, scale=0.01),
    random_problem("few values", 11, 1, 226354, kappa=1e-4, scale=0.01),
]


@examples(300)
@given(problems)
@example(STALLED)
@example(NEEDLESS[0])
@example(NEEDLESS[1])
@example(NEEDLESS[2])
@example(NEEDLESS[3])
@example(random_problem("few values", 2, 1, 196464, kappa=1e4, weights="counts"))  # X is 0
@example(
    random_problem("few values", 13, 2, 802864, kappa=1e-3, weights="counts")
)  # beta is 0, no row decides
def test_the_optimality_conditions_hold_row_by_row(problem):
    solution = problem.fit()
    alpha, weights, shortfall = solution.dual, problem.weights, problem.shortfall(solution.theta)
    beta, length = problem.beta(solution.theta), np.linalg.norm(problem.X, axis=1).max()
    # The solver works with centred rows along other axes: what is 0 in one column has the rounding of all.
    pull_rounding = ROUNDING * alpha.sum() * length
    rounding = problem.rounding(solution.theta)
    margin = problem.design[solution.margin]
    if (np.linalg.matrix_rank(margin) if margin.size else 0) < problem.design.shape[1]:
        rounding = rounding + 2.0 * length * pull_rounding / problem.kappa  # beta = pull / kappa in part
    short, beyond = shortfall > rounding, shortfall < -rounding
    np.testing.assert_allclose(alpha[short], weights[short], rtol=1e-9, atol=0)
    np.testing.assert_allclose(alpha[beyond], 0.0, atol=1e-9 * min(alpha.max(), weights.max()))
    pull = problem.X.T @ (alpha * problem.y)
    size = np.abs(problem.X).T @ alpha + problem.kappa * np.linalg.norm(beta)
    np.testing.assert_array_less(np.abs(problem.kappa * beta - pull), 1e-9 * size + pull_rounding + 1e-300)
    assert not (solution.margin & (short | beyond)).any()
    inside = (alpha > 1e-6 * alpha.max()) & (alpha < (1 - 1e-6) * weights)
    assert (np.abs(shortfall) <= rounding)[inside].all()
    assert solution.margin[np.abs(shortfall) <= problem.rounding(solution.theta)].all()


@examples(100)
@given(problems, st.integers(0, 10**6))
def test_no_other_theta_has_a_smaller_risk(problem, seed):
    theta = problem.fit().theta
    rng = np.random.default_rng(seed)
    size = np.linalg.norm(theta) + 1e-3
    others = theta + size * 10.0 ** rng.uniform(-6, 1, (50, 1)) * rng.standard_normal((50, len(theta)))
    smallest = min(problem.primal(other) for other in [*others, np.zeros(len(theta))])
    assert problem.primal(theta) <= smallest * (1 + 1e-10) + problem.weights @ problem.rounding(theta)


@examples(60)
@given(problems, st.integers(0, 10**6))
def test_the_gap_is_primal_minus_dual_at_any_feasible_point(problem, seed):
    rng = np.random.default_rng(seed)
    rows, target = problem.y[:, None] * problem.design, 1.0 - problem.y * problem.offset
    same = hinge_dual.HingeProblem(rows, target, problem.weights, problem.kappa, problem.intercept)
    alpha = same.feasible(rng.uniform(-0.5, 1.5, len(target)) * problem.weights)
    assert ((alpha >= 0) & (alpha <= problem.weights)).all()
    if problem.intercept:
        assert abs(alpha @ problem.y) <= ROUNDING * problem.weights.sum()
    theta = rng.standard_normal(rows.shape[1])
    expected = problem.primal(theta) - problem.dual(alpha)
    size = problem.primal(theta) + alpha @ np.abs(target)
    assert same.gap(theta, alpha) == pytest.approx(expected, rel=INVERTED, abs=CLOSED_FORM * size)
    assert same.value(theta) == pytest.approx(problem.primal(theta), rel=CLOSED_FORM)


# -- slow references ----------------------------------------------------------------------------------


def smallest_by_enumeration(problem):
    """Return the smallest objective, and its beta: every row is beyond, on or short of the margin."""
    p, n = problem.design.shape[1], len(problem.y)
    signed = problem.y[:, None] * problem.design
    target = 1.0 - problem.y * problem.offset
    penalty = np.diag([problem.kappa] * problem.X.shape[1] + [0.0] * problem.intercept)
    best = np.inf, None
    for places in product((0, 1, 2), repeat=n):
        on, short = (np.array(places) == place for place in (1, 2))
        k = int(on.sum())
        system = np.block([[penalty, -signed[on].T], [signed[on], np.zeros((k, k))]])
        right = np.concatenate([(problem.weights * short) @ signed, target[on]])
        theta = np.linalg.lstsq(system, right)[0][:p]
        for b in (problem.y * target - problem.X @ problem.beta(theta)) if problem.intercept else [None]:
            point = theta.copy()
            if b is not None:
                point[-1] = b  # some row's kink is among the optimal b
            best = min(best, (problem.primal(point), tuple(problem.beta(point))))
    return best


@examples(60)
@given(
    st.builds(
        random_problem,
        kind=st.sampled_from(KINDS[:5]),
        n=st.integers(2, 5),
        p=st.integers(1, 3),
        seed=st.integers(0, 10**6),
        intercept=st.booleans(),
        kappa=st.sampled_from([0.1, 1.0, 10.0]),
        weights=st.sampled_from(["ones", "counts", "any"]),
        offset=st.sampled_from([0.0, 0.5]),
    )
)
def test_it_equals_trying_every_place_of_every_row(problem):
    value, beta = smallest_by_enumeration(problem)
    theta = problem.fit().theta
    assert problem.primal(theta) == pytest.approx(value, rel=CLOSED_FORM)
    np.testing.assert_allclose(problem.beta(theta), beta, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", ["noisy", "separable", "few values", "repeated rows"])
@pytest.mark.parametrize("weights", ["ones", "any"])
def test_it_equals_libsvm(kind, weights):
    problem = random_problem(kind, 60, 4, seed=7, weights=weights, kappa=0.7)
    theta = problem.fit().theta
    svc = SVC(kernel="linear", C=1 / problem.kappa, tol=1e-10)
    svc.fit(problem.X, problem.y, sample_weight=problem.weights)
    theirs = problem.primal(np.append(svc.coef_[0], svc.intercept_))
    assert problem.primal(theta) <= theirs * (1 + 1e-13)
    # libsvm keeps its kernel matrix in float32.
    assert theirs <= problem.primal(theta) * (1 + 1e-6)
    np.testing.assert_allclose(problem.beta(theta), svc.coef_[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("t", [0.1, 0.01])
def test_the_smoothed_hinge_encloses_it(intercept, t):
    problem = random_problem("noisy", 40, 3, seed=3, weights="any", offset=0.5, intercept=intercept)

    def smoothed(theta):
        beta = problem.beta(theta)
        losses = t * np.logaddexp(0.0, problem.shortfall(theta) / t)
        return problem.weights @ losses + problem.kappa / 2 * beta @ beta

    theta = problem.fit().theta
    found = minimize(smoothed, np.zeros(len(theta)), method="BFGS", options={"gtol": 1e-3}).fun
    total, value = problem.weights.sum(), problem.primal(theta)
    assert found - t * np.log(2.0) * total - 1e-4 <= value <= found
    assert smoothed(theta) >= found - 1e-6


# -- the paper's figure 4 -----------------------------------------------------------------------------


@pytest.mark.usefixtures("data_dir")
def test_iris_has_the_numbers_of_figure_4():
    iris = load_iris_pair()
    order = np.random.RandomState(42).permutation(100)  # scikit-learn's train_test_split(test_size=0.1)
    assert iris.row_labels[order[:10]].tolist() == [133, 103, 120, 95, 94, 89, 72, 130, 60, 50]
    problem = Problem(iris.X[order[10:]], iris.y[order[10:]], kappa=2.0)
    solution = problem.fit()
    expected = [0.435113984, 0.612589316, -1.782647159, -1.717454917, 7.140333447]
    np.testing.assert_allclose(solution.theta, expected, rtol=0, atol=5.1e-10)
    assert problem.primal(solution.theta) / 90 == pytest.approx(0.200094514385, abs=5.1e-13)
    assert solution.margin.sum() == 3
    assert solution.duality_gap <= 1e-13  # rounding of 90 terms; the issue asks for 1e-10


@pytest.mark.usefixtures("data_dir")
def test_every_leave_one_out_refit_of_iris_is_certified():
    iris = load_iris_pair()
    order = np.random.RandomState(42).permutation(100)[10:]
    problem = Problem(iris.X[order], iris.y[order], kappa=2.0)
    whole = problem.fit()
    for row in range(90):
        without = problem.but(weights=np.arange(90) != row).fit()
        assert without.duality_gap <= 1e-13
        moved = np.linalg.norm(without.theta - whole.theta)
        assert (moved <= 1e-12) == (whole.dual[row] == 0)  # a row beyond the margin may go unnoticed
