"""Removals that leave some classes of a level without rows: what stays finite is the limit of the refits."""

import itertools

import numpy as np
import pytest

import influstat as ist
from influstat.minimise.existence import existence_of
from influstat.minimise.newton import minimise
from influstat.removal.class_limit import ClassLimit
from influstat.risks.class_predictors import class_predictors_of
from tests.softmax_cases import SoftmaxProblem
from tests.tolerance import TWO_FITS

N, K = 60, 4
LEVEL = np.arange(N) % 3
SINGULAR = 1e-11  # of the largest eigenvalue: others here are above 1e-8, rounding is at 1e-15
SEVERAL = [(0, 3), (1, 0), (1, 2)]  # levels and the classes that they lose, two of one level
REMOVED = {"one": [(0, 3)], "several": SEVERAL, "first": [(1, 0)], "all but one": [(0, 1), (0, 2), (0, 3)]}
DESIGNS = {  # which columns of x, the constant and the three levels
    "dummies": [0, 2, 3, 4],
    "treatment": [0, 1, 3, 4],
    "trap": [0, 1, 2, 3, 4],
}

FAST = {("several", "treatment", "reference"), ("one", "dummies", "folded penalty")}


def made(design, lost):
    """Return X, y and the rows without which the pairs of levels and classes are lost."""
    rng = np.random.default_rng(4)
    X = np.column_stack([rng.normal(size=N), np.ones(N), np.eye(3)[LEVEL]])[:, DESIGNS[design]]
    y = rng.integers(0, K, N)
    for level in range(3):  # every pair has rows at first
        y[np.flatnonzero(level == LEVEL)[:K]] = np.arange(K)
    return X, y, np.flatnonzero([pair in lost for pair in zip(LEVEL, y, strict=True)])


def refit(X, y, possible, strengths, reference):
    """Return the minimiser of least norm with each row's possible classes alone, and the null space left."""
    p = K * X.shape[1]
    free = np.arange(p) >= X.shape[1] * reference
    theta, moved = np.zeros(p), np.inf
    for _ in range(60):
        eta = np.where(possible, X @ theta.reshape(K, -1).T, -np.inf)
        P = np.exp(eta - eta.max(axis=1, keepdims=True))
        P /= P.sum(axis=1, keepdims=True)
        gradient = ((P - np.eye(K)[y]).T @ X).ravel() + np.tile(strengths, K) * theta
        W = P[:, :, None] * (np.eye(K) - P[:, None])
        H = np.einsum("nab,ni,nj->aibj", W, X, X).reshape(p, p) + np.diag(np.tile(strengths, K))
        step = np.zeros(p)
        step[free] = np.linalg.pinv(H[np.ix_(free, free)], rcond=SINGULAR) @ gradient[free]
        theta, moved = theta - step, np.abs(step).max()
    assert moved < 1e-11
    H = H[np.ix_(free, free)]
    if not reference:  # that coefficients add up to 0 over the classes is no loss
        H += np.kron(np.ones((K, K)), np.diag(strengths == 0))
    values, vectors = np.linalg.eigh(H)
    return theta[free], vectors[:, values < SINGULAR * values[-1]]


KINDS = ["reference", "level", "penalty", "folded penalty"]
EVERY = [
    pytest.param(*case, marks=() if case in FAST else pytest.mark.slow)
    for case in itertools.product(REMOVED, DESIGNS, KINDS)
]


@pytest.mark.filterwarnings("ignore::influstat.errors.DoubtfulResult")
@pytest.mark.parametrize(("lost", "design", "kind"), EVERY)
def test_coefficients_that_stay_finite_are_those_of_the_limit(lost, design, kind):
    X, y, group = made(design, REMOVED[lost])
    reference, strength = kind == "reference", 2.0 * ("penalty" in kind)
    if reference:
        problem = SoftmaxProblem(X, y, K, np.ones(N), 0.0, intercept=False, folded=False, reference=True)
        risk = problem.risk()
    else:
        penalty = ist.L2(strength, unpenalised=[f"x{j}" for j in range(1, X.shape[1])])
        protocol = "folded" if kind.startswith("folded") else "fixed"
        risk = ist.SoftmaxRisk(X, y, penalty=penalty, protocol=protocol)
    fit = ist.Fit.minimise(risk, start=np.zeros(risk.shape[1]))
    removal = fit.leave_groups_out([group, [1]])
    kept = np.delete(np.arange(N), group)
    there = {(LEVEL[row], y[row]) for row in kept}
    possible = np.array([[(LEVEL[row], k) in there for k in range(K)] for row in kept])
    left = strength * (1.0 - len(group) / N if kind.startswith("folded") else 1.0)
    strengths = np.where(np.arange(X.shape[1]) == 0, left, 0.0)
    truth, null = refit(X[kept], y[kept], possible, strengths, reference)
    determined = np.abs(null).max(axis=1) < 1e-6
    np.testing.assert_array_equal(np.isfinite(removal.theta[0]), determined)
    np.testing.assert_allclose(removal.theta[0][determined], truth[determined], rtol=0, atol=TWO_FITS)
    assert "not determined; the others are." in removal.status[0]
    assert removal.status[1] == ""
    assert removal.converged.all()


@pytest.mark.parametrize("seed", range(8))
def test_a_level_that_nothing_else_feels_is_met_wherever_it_starts(seed):
    # What is left of the gradient there is rounding of coefficients that cancel, whatever their sizes.
    X, y, group = made("trap", REMOVED["all but one"])
    risk = ist.SoftmaxRisk(np.delete(X, group, axis=0), np.delete(y, group), penalty=ist.L2(0.0))
    theta = np.random.default_rng(seed).normal(size=risk.shape[1])
    flight = existence_of(risk).flight(theta)
    limit = ClassLimit(risk, class_predictors_of(risk), theta, flight)
    u = minimise(limit.risk, start=limit.start).theta
    assert (np.abs(limit.risk.gradient(u)) <= 1e-12 * limit.risk.gradient_scale(u)).all()


@pytest.mark.filterwarnings("ignore::influstat.errors.DoubtfulResult")
@pytest.mark.parametrize("gone", [1, 3])
def test_without_a_class_the_others_are_those_of_the_fit_that_never_knew_it(gone):
    X, y, _ = made("treatment", [])
    rare = np.flatnonzero(y == gone)[:6]
    y = np.where((y == gone) & ~np.isin(np.arange(N), rare), 2, y)
    weights = 1.0 + np.arange(N) % 3
    problem = SoftmaxProblem(X, y, K, weights, 0.0, intercept=False, folded=False, reference=True)
    removal = ist.Fit.minimise(problem.risk()).leave_groups_out([rare])
    kept = np.delete(np.arange(N), rare)
    fewer = np.unique(y[kept], return_inverse=True)[1]
    rest = SoftmaxProblem(X[kept], fewer, K - 1, weights[kept], 0.0, False, False, True)
    found = removal.theta[0].reshape(K - 1, -1)
    truth = ist.Fit.minimise(rest.risk()).theta.reshape(K - 2, -1)
    np.testing.assert_allclose(found, np.insert(truth, gone - 1, np.nan, axis=0), rtol=0, atol=TWO_FITS)


@pytest.mark.filterwarnings("ignore::influstat.errors.DoubtfulResult")
@pytest.mark.parametrize("kind", ["level", "reference", "penalty"])
@pytest.mark.parametrize("seed", range(3))
def test_a_class_that_is_lost_in_two_steps_has_a_limit_too(seed, kind):
    # Where x1 is 1 class 1 is lost. In the few other rows x2 then tells it apart, but in those with x1 it
    # pulls the other way, so much that no direction of both is found at once. A penalty on x2 forbids it.
    rng, few = np.random.default_rng(seed), 16
    x1 = np.repeat([1.0, 0.0], [N, few])
    sides = np.where(np.arange(few) % 4 == 1, 1.0, -1.0) * rng.uniform(1.0, 2.0, few)
    X = np.column_stack([x1, np.concatenate([1e3 * rng.normal(size=N), sides]), np.ones(N + few)])
    y = np.concatenate([rng.choice([0, 2, 3], N), np.arange(few) % 4])
    group = np.array([0, 1, 2, 3, N + 1])
    y[group[:4]], y[group[4]] = 1, 0  # the rows that hold the coefficients of class 1
    reference, strength = kind == "reference", 2.0 * (kind == "penalty")
    risk = SoftmaxProblem(X, y, K, np.ones(len(y)), 0.0, False, False, reference).risk()
    if strength:
        risk = ist.SoftmaxRisk(X, y, penalty=ist.L2(strength, unpenalised=["x0", "x2"]), protocol="fixed")
    found = ist.Fit.minimise(risk, start=np.zeros(risk.shape[1])).leave_groups_out([group])
    kept = np.delete(np.arange(len(y)), group)
    own = y[kept, None] == np.arange(K)
    possible = own | ((y[kept, None] != 1) & (np.arange(K) != 1))
    if strength:
        possible = own | (X[kept, :1] == 0.0) | (np.arange(K) != 1)
    truth, null = refit(X[kept], y[kept], possible, np.array([0.0, strength, 0.0]), reference)
    determined = np.abs(null).max(axis=1) < 1e-6
    assert determined.sum() == {"level": 0, "reference": 6, "penalty": 2 * K}[kind]
    np.testing.assert_array_equal(np.isfinite(found.theta[0]), determined)
    np.testing.assert_allclose(found.theta[0][determined], truth[determined], rtol=0, atol=TWO_FITS)
