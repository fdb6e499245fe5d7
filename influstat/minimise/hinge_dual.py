"""Solve the hinge loss's quadratic programme: an interior-point method, then the exact equations.

Mehrotra's predictor-corrector method nears the optimum of the primal and the dual (written out in
`influstat.minimise.hinge`); a step solves normal equations in theta, O(n p min(n, p)). At each late iterate
`_polished` guesses which rows are on the margin and solves the equations that would then hold, so
that the answer is exact to rounding; a wrong guess shows in its duality gap and is passed over.

Mehrotra (1992), SIAM J. Optim. 2(4), doi:10.1137/0802028; for support vector machines, Ferris and
Munson (2002), SIAM J. Optim. 13(3), doi:10.1137/S1052623400374379. The guess compares how fast the
variables shrink: Tapia's indicators, El-Bakry, Tapia and Zhang (1994), SIAM Rev. 36(1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh, qr, solve_triangular

from influstat.input.validation import FloatArray
from influstat.minimise.hinge_problem import EPSILON, HingeProblem, central_intercept

MAX_ITERATIONS = 100
TO_THE_BOUNDARY = 0.995  # share of the longest step that keeps the iterate inside
POLISH_BELOW = 1e-4  # complementary products, relative to the objective, from which on rows are guessed
EXACT = 16 * EPSILON  # violation of the optimality conditions, relative to their sizes, that ends the search
NEARLY = 1e-12  # and that, if no pair is exact, is preferred to a smaller gap
RANK = 1e-11  # smallest pivot, relative to the largest, of linearly independent rows
DROWNED = 1e4 * EPSILON  # pivot, relative to its diagonal entry, of which rounding leaves four digits


def best_pair(problem: HingeProblem) -> tuple[FloatArray, FloatArray, int]:
    """Return theta, a feasible dual (n,), as nearly optimal as floats allow, and the steps taken."""
    # All weights must be positive. The work is done for centred rows of mean square length 1 along their
    # principal axes, and for a mean weight of 1. Centring moves b by center'beta: b is free.
    p = problem.rows.shape[1] - problem.intercept
    signed, labels, weights = problem.rows[:, :p], problem.rows[:, p:], problem.weights
    center = np.zeros(p)
    if problem.intercept:
        center = (weights * labels[:, 0]) @ signed / weights.sum()
        signed = signed - labels * center
    unit = float(np.sqrt(np.mean(np.einsum("ij,ij->i", signed, signed)))) or 1.0
    axes = _principal_axes(np.asarray(signed / unit, dtype=np.float64))
    rows = np.hstack([signed @ (axes / unit), labels])
    if not rows.shape[1]:  # X is 0, and there is no intercept
        return center, np.where(problem.target > 0, weights, 0.0), 0
    level = float(weights.mean())
    kappa = problem.kappa / level / unit**2
    theta, dual, steps = _search(
        HingeProblem(rows, problem.target, weights / level, kappa, problem.intercept)
    )
    beta = axes @ theta[: axes.shape[1]] / unit
    constant = theta[axes.shape[1] :] - center @ beta
    return np.append(beta, constant), problem.feasible(dual * level), steps


def _principal_axes(rows: FloatArray) -> FloatArray:
    """Return orthonormal columns (p, rank) that span the rows: the optimal beta lies among them."""
    if rows.shape[1] > len(rows):
        inner, triangle = qr(rows.T, mode="economic")
        return np.asarray(inner @ _principal_axes(np.asarray(triangle.T, dtype=np.float64)))
    axes = eigh(rows.T @ rows)[1]
    lengths = np.linalg.norm(rows @ axes, axis=0)
    return np.asarray(axes[:, lengths > len(rows) * EPSILON * lengths.max()])


def _search(problem: HingeProblem) -> tuple[FloatArray, FloatArray, int]:
    """Return the first flawless polished pair, else the best of those nearly so, else the smallest gap."""
    best, smallest, steps = (np.zeros(0), np.zeros(0)), np.inf, -1
    exact, least = None, NEARLY
    before = np.full((4, len(problem.rows)), np.inf)
    for theta, positive in _iterates(problem):
        steps += 1
        products, value = float(np.vdot(positive[:2], positive[2:])), problem.value(theta)
        pairs = [(theta, problem.feasible(positive[0]))]
        if products <= POLISH_BELOW * value:
            for inside in _guesses(positive / before):
                pairs.append(_polished(problem, theta, positive, inside))
                flaw = _flaw(problem, *pairs[-1])
                if flaw <= least:
                    exact, least = pairs[-1], flaw
                if flaw <= EXACT:
                    return *pairs[-1], steps
        for pair in pairs:
            gap = problem.gap(*pair)
            if gap < smallest:
                best, smallest = pair, gap
        if products <= EPSILON * value:
            break
        before = positive
    return *(exact or best), steps


def _flaw(problem: HingeProblem, theta: FloatArray, dual: FloatArray) -> float:
    """Return the largest violation of an optimality condition, each relative to its own size."""
    # The gap alone would not do: it knows theta only to its square root, and not at all where the risk is
    # below rounding, as for separable rows in large units.
    weights, shortfall, rounding = problem.weights, problem.shortfall(theta), problem.rounding(theta)
    alpha = dual / np.minimum(weights, dual.max() or 1.0)
    beyond = np.max(alpha * np.maximum(-shortfall - rounding, 0.0))
    short = np.max((1.0 - dual / weights) * np.maximum(shortfall - rounding, 0.0))
    residual = np.abs(problem.penalty * theta - dual @ problem.rows)
    return max(float(beyond), float(short), float(residual.max() / (dual.sum() or 1.0)))


def _iterates(problem: HingeProblem) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield Mehrotra's iterates: theta, and (alpha, w - alpha, excess, hinge), shape (4, n), all > 0."""
    # At the optimum excess = max(0, y eta - 1), hinge = max(0, 1 - y eta), and alpha excess and (w - alpha)
    # hinge are 0; on the way these products are kept nearly equal. w - alpha is carried along because the
    # difference would cancel.
    target, half = problem.target, problem.weights / 2
    typical = float(np.mean(np.abs(target))) or 1.0
    positive = np.stack([half, half, typical + np.maximum(-target, 0.0), typical + np.maximum(target, 0.0)])
    theta = np.zeros(problem.rows.shape[1])
    for _ in range(MAX_ITERATIONS):
        yield theta, positive
        try:
            theta, positive = _mehrotra_step(problem, theta, positive)
        except LinAlgError:
            return  # the normal equations have no digits left


def _mehrotra_step(
    problem: HingeProblem, theta: FloatArray, positive: FloatArray
) -> tuple[FloatArray, FloatArray]:
    rows, penalty, (dual, room, excess, hinge) = problem.rows, problem.penalty, positive
    mismatch = problem.shortfall(theta) + excess - hinge
    gradient = penalty * theta - dual @ rows
    spread = 1.0 / (excess / dual + hinge / room)
    solve = _normal_equations(rows, spread, penalty)

    def move(lower: FloatArray, upper: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the step that changes alpha excess by `lower` and (w - alpha) hinge by `upper`."""
        pull = mismatch + lower / dual - upper / room
        d_theta = solve((spread * pull) @ rows - gradient)
        d_dual = spread * (pull - rows @ d_theta)
        changes = [d_dual, -d_dual, (lower - excess * d_dual) / dual, (upper + hinge * d_dual) / room]
        return d_theta, np.stack(changes)

    _, change = move(-dual * excess, -room * hinge)
    ahead = positive + min(1.0, _longest_step(positive, change)) * change
    products, products_ahead = (float(np.vdot(at[:2], at[2:])) for at in (positive, ahead))
    aim = products / (2 * len(dual)) * (products_ahead / products) ** 3
    d_theta, change = move(
        aim - dual * excess - change[0] * change[2], aim - room * hinge - change[1] * change[3]
    )
    length = min(1.0, TO_THE_BOUNDARY * _longest_step(positive, change))
    # The products are a parabola in the length; steps beyond its lowest point may go in circles.
    slope = float(np.vdot(positive[:2], change[2:]) + np.vdot(positive[2:], change[:2]))
    bend = float(np.vdot(change[:2], change[2:]))
    if bend > 0 > slope:
        length = min(length, -0.5 * slope / bend)
    return theta + length * d_theta, positive + length * change


def _longest_step(positive: FloatArray, change: FloatArray) -> float:
    """Return the step at which the first entry would reach 0."""
    fastest = float(np.max(-change / positive))
    return 1.0 / fastest if fastest > 0 else np.inf


def _normal_equations(
    rows: FloatArray, spread: FloatArray, penalty: FloatArray
) -> Callable[[FloatArray], FloatArray]:
    """Return g -> (Z'diag(spread) Z + diag(penalty))^-1 g, for g of shape (p,)."""
    # Near the optimum `spread` is huge for rows on the margin. Where a small penalty then drowns in the
    # rounding errors of the sum, a QR factorisation of its roots, the longest first, still keeps it. A pivot
    # left of cancelled digits shows that; by luck it may be positive, and the step then be nonsense.
    roots = np.sqrt(spread)[:, None] * rows
    matrix = roots.T @ roots
    matrix.flat[:: len(penalty) + 1] += penalty
    with suppress(LinAlgError):
        factor = cho_factor(matrix, lower=True, check_finite=False)
        if np.all(factor[0].diagonal() ** 2 > DROWNED * matrix.diagonal()):
            return lambda g: np.asarray(cho_solve(factor, g, check_finite=False))
    stacked = np.vstack([roots[np.argsort(-spread)], np.diag(np.sqrt(penalty))])
    triangle, order = qr(stacked, mode="r", pivoting=True, check_finite=False)
    triangle = triangle[: len(penalty)]

    def solve(g: FloatArray) -> FloatArray:
        x = np.zeros(len(g))
        for _ in range(2):  # the second time for what rounding left
            rest = g - (roots @ x) @ roots - penalty * x
            x[order] += solve_triangular(triangle, solve_triangular(triangle, rest[order], trans="T"))
        return x

    return solve


def _guesses(growth: FloatArray) -> list[NDArray[np.bool_]]:
    """Return two guesses of which rows have 0 < alpha < w: there excess and hinge vanish, those do not."""
    # Where a row is on the margin without need, alpha (or w - alpha) vanishes too, both as the square root of
    # what others do, and only rounding would decide between them: the second guess leaves those rows out.
    return [np.all(growth[:2] ** power > growth[2:], axis=0) for power in (1, 2)]


def _polished(
    problem: HingeProblem, theta: FloatArray, positive: FloatArray, inside: NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray]:
    """Return theta and the dual (n,), optimal if the rows that now seem to be on the margin are on it."""
    # Then A theta = c there (A their rows), alpha is 0 or w elsewhere, and K theta = Z'alpha with the penalty
    # K. From A' = Q1 R: the part of theta within Q1 follows from c, the part within Q2 makes
    # Q2'(K theta - Z'alpha) = 0, and Q1'(K theta - Z'alpha) = R (change of alpha). Of dependent rows, those
    # whose alpha is farthest from 0 and w are changed.
    dual, room, excess, hinge = positive
    scale = np.sqrt(np.minimum(dual, room)[inside])
    dual = np.where(inside, dual, np.where(hinge > excess, problem.weights, 0.0))
    force, penalty, p = dual @ problem.rows, problem.penalty, len(theta) - problem.intercept
    if not inside.any():
        theta = np.append(force[:p] / problem.kappa, theta[p:])
        if problem.intercept:
            theta[p] = central_intercept(problem, theta)
        return theta, problem.feasible(dual)
    Q, R, order = qr(problem.rows[inside].T * scale, pivoting=True, check_finite=False)
    pivots = np.abs(R.diagonal())
    rank = int(np.sum(pivots > RANK * pivots[0]))
    Q1, Q2, R1 = Q[:, :rank], Q[:, rank:], R[:rank, :rank] / scale[order[:rank]]
    basic = np.flatnonzero(inside)[order[:rank]]
    theta = theta + Q1 @ solve_triangular(R1, problem.shortfall(theta)[basic], trans="T")
    rest = Q2.T @ (force - penalty * theta)
    if problem.intercept:  # Q2'K Q2 = kappa (I - a a') with a the last row of Q2
        rest += Q2[-1] * (Q2[-1] @ rest) / (Q1[-1] @ Q1[-1])
    theta = theta + Q2 @ rest / problem.kappa
    dual[basic] += solve_triangular(R1, Q1.T @ (penalty * theta - force))
    return theta, problem.feasible(dual)
