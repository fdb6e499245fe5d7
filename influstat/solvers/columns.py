"""Right-hand sides as columns of moderate size, so that neither 1e-300 nor 1e300 leaves float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator

from influstat.input.validation import FloatArray
from influstat.solvers.base import Solution, relative_residual


def scaled_columns(rhs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return rhs as columns (p, m) with largest entries in [1, 2), and what they were divided by."""
    # The divisors are powers of two, so the division and its reversal are exact; a zero column stays zero.
    columns = rhs.reshape(len(rhs), -1)
    _, exponent = np.frexp(np.max(np.abs(columns), axis=0))
    size = np.exp2(exponent - 1.0)
    return np.asarray(columns / size), np.asarray(size)


def in_shape_of(
    rhs: FloatArray, value: FloatArray, residual: FloatArray, steps: int, met: Any, spread: Any = None
) -> Solution:
    """Return the solution for columns (p, m) in the shape of rhs, (p,) or (p, m)."""
    residual, met = residual.reshape(rhs.shape[1:]), np.reshape(met, rhs.shape[1:])
    spread = None if spread is None else spread.reshape(rhs.shape[1:])
    return Solution(value.reshape(rhs.shape), residual, steps, met, spread)


def measured_residual(operator: LinearOperator, value: FloatArray, columns: FloatArray) -> FloatArray:
    """Return |H value - columns| / |columns| per column, shape (m,), by one product with H."""
    return relative_residual(operator.matmat(value) - columns, columns)
