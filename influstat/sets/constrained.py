"""The minimiser of a risk under one linear constraint, with whitened coordinates around it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.cholesky import CholeskyInverse
from influstat.algebra.rounding import EPSILON
from influstat.algebra.symmetric import Diagonal
from influstat.errors import IndefiniteHessian, NotConverged, SingularHessian
from influstat.input.design import Design
from influstat.input.validation import FloatArray
from influstat.losses.base import constant_second
from influstat.minimise.descent import TOLERANCE, Descent
from influstat.removal.certificates.anchor import Anchor
from influstat.risks.linear import LinearRisk
from influstat.risks.penalties.moved import Moved

STEPS = 200  # of Newton's method, at most
HALVINGS = 5  # of the way to a threshold that Newton's method does not reach at once
REFINEMENTS = 3  # of t0 where the Hessian is constant, and of u, at most
DONE = 4.0 * EPSILON  # times n^1/2 and the length of what is summed: about what rounding leaves of a sum


@dataclass(frozen=True, eq=False)
class Constrained:
    """t0 = argmin {F(t): a't = at}, and coordinates t = t0 + (a't - at) u + V'g, as in `null_fit`."""

    theta: FloatArray  # t0, shape (p,)
    u: FloatArray  # the direction with a'u = 1 and V S0 u = 0, shape (p,)
    basis: FloatArray  # V, with V a = 0 and V S0 V' = I, shape (p - 1, p)
    h: FloatArray  # w_i l2_i at t0, shape (n,)
    xi: FloatArray  # x_i'u, shape (n,)
    left: FloatArray  # V S0 u: what rounding leaves of 0, shape (p - 1,)
    relative: float  # relative error of lengths that V measures


def constrained(risk: LinearRisk, a: FloatArray, at: float, near: FloatArray) -> Constrained:
    """Return the minimum under a't = at, sought from `near`, (p,), or raise where there is no finite one."""
    # For one coefficient the nuisance directions are the other columns, whose products the Hessian holds.
    single, S0 = np.count_nonzero(a) == 1, None
    if single and risk.quadratic:
        S0 = hessian_of(risk, near)
        squares = S0.diagonal()
    else:
        squares = risk.design.square_sums(risk.weights)
    scale = np.sqrt(np.where(squares > 0, squares, 1.0))  # units must not decide what is rounding
    along, nuisance = _coordinates(a, scale, (squares > 0) | (a != 0.0) | _penalised(risk, near))
    theta = near  # for all that a constant Hessian needs
    if not risk.quadratic:
        theta = near + (at - float(a @ near)) * along
        if nuisance.shape[1]:
            theta = _approached(risk, a, at, near, nuisance, HALVINGS)
    h, hessian = _curvatures(risk, theta), risk.penalty.hessian(theta)
    if single and S0 is None:
        S0 = hessian_of(risk, theta)
    basis, relative = _whitened(risk, theta, h, nuisance, S0)
    refinements, u = _refinements(relative), along
    if S0 is not None:
        u = u - basis.T @ (basis @ (S0 @ u))
    for more in reversed(range(refinements + 1)):
        xi = risk.design.dot(u)
        hxi = h * xi
        left = basis @ (risk.design.transpose_dot(hxi) + hessian.dot(u))
        if not more or np.linalg.norm(left) <= DONE * np.sqrt(len(h) * float(hxi @ xi)):
            break
        u = u - basis.T @ left
    if risk.quadratic:
        theta = _polished(risk, a, at, near + (at - float(a @ near)) * u, basis, along, refinements)
    return Constrained(theta, u, basis, h, xi, left, relative)


def _polished(
    risk: LinearRisk, a: FloatArray, at: float, theta: FloatArray, basis: FloatArray, along: FloatArray,
    steps: int,
) -> FloatArray:  # fmt: skip
    """Return the minimum under a't = at by a few steps from theta, the Hessian being constant."""
    bend = constant_second(risk.loss) or 1.0  # the second derivative
    for more in reversed(range(steps + 1)):
        theta = theta + (at - float(a @ theta)) * along
        r = risk.rows.weighted(risk.slopes(theta))
        score = basis @ (risk.gradient(theta) * risk.total_weight)
        size = float(np.sqrt(len(r) * float(r @ r) / bend))
        if not more or np.linalg.norm(score) <= DONE * size:
            break
        theta = theta - basis.T @ score
    return theta


def _refinements(relative: float) -> int:
    """Return how many steps leave no more than rounding: each gains as many digits as the factor has."""
    digits = -np.log(max(relative, EPSILON))
    return REFINEMENTS if digits <= 0.0 else min(int(np.ceil(-np.log(EPSILON) / digits)) + 1, REFINEMENTS)


def everywhere(risk: LinearRisk, theta: FloatArray) -> Constrained:
    """Return whitened coordinates in all directions, basis (p, p), around the minimum theta; u is 0."""
    squares = risk.design.square_sums(risk.weights)
    scale = np.sqrt(np.where(squares > 0, squares, 1.0))
    h, nothing = _curvatures(risk, theta), np.zeros(len(theta))
    S0 = hessian_of(risk, theta)
    basis, relative = _whitened(risk, theta, h, np.diag(1.0 / scale), S0)
    return Constrained(theta, nothing, basis, h, np.zeros(len(h)), nothing, relative)


def hessian_of(risk: LinearRisk, theta: FloatArray) -> FloatArray:
    """Return the Hessian, sum scale, shape (p, p)."""
    return np.asarray(risk.curvature(theta).to_dense() * risk.total_weight)


def _curvatures(risk: LinearRisk, theta: FloatArray) -> FloatArray:
    """Return w_i l2_i, shape (n,): below 0 by rounding alone."""
    flat = constant_second(risk.loss)
    if flat:
        return risk.weights * flat
    return np.maximum(risk.rows.weighted(risk.curvatures(theta)), 0.0)


def _approached(
    risk: LinearRisk, a: FloatArray, at: float, near: FloatArray, nuisance: FloatArray, halvings: int
) -> FloatArray:
    """Return the minimum under a't = at, shape (p,), by way of thresholds between where that is too far."""
    distance = at - float(a @ near)
    try:
        return _minimised(risk, near + distance * _direction(risk, a, near), nuisance)
    except (NotConverged, SingularHessian, IndefiniteHessian):
        if not halvings:
            raise
    middle = _approached(risk, a, at - 0.5 * distance, near, nuisance, halvings - 1)
    return _approached(risk, a, at, middle, nuisance, halvings - 1)


def _direction(risk: LinearRisk, a: FloatArray, near: FloatArray) -> FloatArray:
    """Return S^-1 a / (a'S^-1 a) at `near`, shape (p,): how the minimum moves with the threshold."""
    u = CholeskyInverse(risk.curvature(near).to_dense(), risk.names).solve(a)
    return np.asarray(u / float(a @ u))


def _minimised(risk: LinearRisk, theta: FloatArray, nuisance: FloatArray) -> FloatArray:
    """Return the minimum along the nuisance directions from theta, shape (p,)."""
    design, offset = Design(risk.design.dot(nuisance)), risk.linear_predictor(theta)
    rows = replace(risk.rows, design=design, offset=offset)
    inner = risk.moved(rows, Moved(risk.penalty, theta, nuisance))
    found = Descent(inner, np.zeros(nuisance.shape[1])).minimum(STEPS, TOLERANCE).theta
    return np.asarray(theta + nuisance @ found)


def _whitened(
    risk: LinearRisk, theta: FloatArray, h: FloatArray, nuisance: FloatArray, S0: FloatArray | None
) -> tuple[FloatArray, float]:
    """Return V, shape (d, p), and the relative error of lengths measured by it; S0 if that is of use."""
    d = nuisance.shape[1]
    if not d:
        return np.zeros((0, len(theta))), 0.0
    if S0 is None:
        inner = Design(risk.design.dot(nuisance)).gram(h) + nuisance.T @ risk.penalty.hessian(theta).dot(
            nuisance
        )
    else:
        inner = nuisance.T @ S0 @ nuisance
    inner, nothing = (inner + inner.T) / 2.0, Diagonal(np.zeros(d))
    anchor = Anchor(risk.design, h, nothing, give_up=False, summed=(inner, len(h)))
    return anchor.whiten(nuisance.T), anchor.relative


def _penalised(risk: LinearRisk, theta: FloatArray) -> bool:
    """Tell whether there is a penalty, which also holds coefficients of columns that no row has."""
    return not risk.penalty.hessian(theta).zero or bool(risk.penalty.gradient(theta).any())


def _coordinates(a: FloatArray, scale: FloatArray, used: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """Return a direction with a'along = 1, shape (p,), and a basis of {a't = 0}, shape (p, d)."""
    # Coefficients that are not used, of which no row is left, stay where they are: nothing depends on them.
    if np.count_nonzero(a) == 1:  # the other coefficients themselves, with not a digit lost
        others = np.flatnonzero(used & (a == 0.0))
        nuisance = np.zeros((len(a), len(others)))
        nuisance[others, np.arange(len(others))] = 1.0 / scale[others]
        return np.divide(1.0, a, out=np.zeros(len(a)), where=a != 0.0), nuisance
    # Householder's reflection takes a, in columns of one length, to an axis: the others are the basis.
    unit = (a / scale)[used]
    length = float(np.linalg.norm(unit))
    unit = unit / length
    pivot = int(np.argmax(np.abs(unit)))
    mirror = unit.copy()
    mirror[pivot] += np.copysign(1.0, unit[pivot])
    reflection = np.eye(len(unit)) - np.outer(mirror, mirror) * (2.0 / (mirror @ mirror))
    along, nuisance = np.zeros(len(a)), np.zeros((len(a), len(unit) - 1))
    along[used], nuisance[used] = unit / length, np.delete(reflection, pivot, axis=1)
    return along / scale, nuisance / scale[:, None]
