"""Rows whose leverage is nearly 1, seen from the other rows: there 1 - leverage and the residual have digits.

A row in a wrong unit, or a code such as 999999999, pulls the fit through itself: 1 - h_i and its residual are
small differences of large numbers. With A the Hessian of the other rows and the penalty, sum scale, and
a = w_i l2_i x_i'A^-1 x_i, 1 - h_i = 1 / (1 + a); and w_i l1_i x_i is minus the gradient of all else at the
minimum. Neither loses digits, however far away the row is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, solve_triangular

from influstat.algebra.coordinates import coordinates
from influstat.algebra.rounding import EPSILON
from influstat.input.validation import FloatArray
from influstat.risks.linear import LinearRisk

Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Apart:
    """The rows of leverage nearly 1 without which the others still determine what they predict there.

    Examples
    --------
    >>> import influstat as ist
    >>> from influstat.statistics.leverage import Leverage
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0], [1e9]], [1.0, 3.0, 5.0])
    >>> Leverage(fit).apart.left.round(32)                   # 2 / (2 + 1e18)
    array([2.e-18])
    """

    rows: Indices  # their positions, shape (k,)
    left: FloatArray  # 1 - h_i, shape (k,)
    first: FloatArray  # l1_i, shape (k,)
    steps: FloatArray  # S^-1 x_i, S the Hessian of all rows, sum scale, shape (k, p)

    @classmethod
    def none(cls, p: int) -> Apart:
        """Return no rows of p columns."""
        return cls(np.zeros(0, dtype=np.intp), np.zeros(0), np.zeros(0), np.zeros((0, p)))


def rows_apart(
    risk: LinearRisk,
    theta: FloatArray,
    curvature: FloatArray,
    penalty: FloatArray,
    near: Indices,
) -> Apart:
    """Return what the others say of the rows `near`; none where it has no roots, or they alone determine."""
    # `curvature` is w_i l2_i, shape (n,), and `penalty` K, both sum scale. Rows that alone determine a
    # direction have no residual, and so take no part in what the others say.
    others = curvature.copy()
    others[near] = 0.0
    # Directions of a chart differ in length as far as rows do: shares of one length, so that none drowns.
    size = np.sqrt(np.abs(penalty.diagonal()))
    size = np.where(size > 0.0, size, 1.0)
    shares, directions = eigh(penalty / size / size[:, None])
    shares[np.abs(shares) <= len(shares) * EPSILON * np.max(np.abs(shares))] = 0.0
    if (others < 0).any() or (shares < 0).any() or (curvature[near] <= 0).any() or not others.any():
        return Apart.none(len(theta))
    roots, slopes = np.sqrt(others), risk.weights * risk.slopes(theta)
    slopes[near] = 0.0

    def blocks() -> Iterator[tuple[FloatArray, FloatArray]]:
        for rows, block in risk.design.dense_blocks():
            yield block, roots[rows]

    root = (size[:, None] * directions * np.sqrt(shares))[:, shares > 0]
    found = coordinates(blocks, root, risk.design.constant_column)
    x = np.asarray(risk.design.rows(near))
    known = found.estimable(x)
    if not known.any():
        return Apart.none(len(theta))
    near, alone, x = near[known], x[~known], x[known]
    y = found.rows(x)
    gradient = found.rows(risk.penalty.gradient(theta)[None, :])[0]
    for rows, block in risk.design.dense_blocks():
        gradient = gradient + slopes[rows] @ found.rows(block)
    pull = np.linalg.lstsq(y.T, -gradient, rcond=None)[0]  # w_i l1_i
    y *= np.sqrt(curvature[near])[:, None]
    solved = np.array([_solved(y[k], np.delete(y, k, axis=0)) for k in range(len(near))])
    left = 1.0 / (1.0 + np.einsum("ij,ij->i", y, solved))
    steps = found.lift((solved * (left / np.sqrt(curvature[near]))[:, None]).T)
    if alone.size:  # rows that no step moves
        steps -= found.null @ np.linalg.lstsq(alone @ found.null, alone @ steps, rcond=None)[0]
    return Apart(near, left, pull / risk.weights[near], steps.T)


def _solved(row: FloatArray, others: FloatArray) -> FloatArray:
    """Return (I + others'others)^-1 row, by QR with the large rows first, which keeps the small ones."""
    if not others.size:
        return row
    triangle = np.linalg.qr(np.concatenate([others, np.eye(len(row))]), mode="r")
    return np.asarray(solve_triangular(triangle, solve_triangular(triangle, row, trans="T")))
