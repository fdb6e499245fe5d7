"""Lengths of rows, and how much of the information units of rows hold at most."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.rounding import EPSILON
from influstat.input.groups import Groups
from influstat.input.validation import FloatArray

Mask = NDArray[np.bool_]


def lengths(rows: FloatArray) -> FloatArray:
    """Return the length of each row, shape (n,)."""
    return np.asarray(np.sqrt(square_lengths(rows)))


def square_lengths(rows: FloatArray) -> FloatArray:
    """Return the square of the length of each row, shape (n,)."""
    return np.asarray(np.einsum("ij,ij->i", rows, rows))


def largest_leverages(
    units: Groups, free: Mask, z: FloatArray, h: FloatArray, squares: FloatArray | None = None
) -> FloatArray:
    """Return the largest eigenvalue of sum h z z' over every unit, 0 for those that stay; |z|^2 if known."""
    if units.single:
        return np.where(free, (h * (square_lengths(z) if squares is None else squares))[units.members], 0.0)
    largest = np.zeros(len(units))
    for k in np.flatnonzero(free).tolist() if z.shape[1] else []:
        rows = units[k]
        largest[k] = np.linalg.eigvalsh((z[rows] * h[rows, None]).T @ z[rows])[-1]
    return np.asarray(largest * (1.0 + z.shape[1] * EPSILON))
