"""Lengths of rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from influstat.input.validation import FloatArray

Mask = NDArray[np.bool_]


def lengths(rows: FloatArray) -> FloatArray:
    """Return the length of each row, shape (n,)."""
    return np.asarray(np.sqrt(square_lengths(rows)))


def square_lengths(rows: FloatArray) -> FloatArray:
    """Return the square of the length of each row, shape (n,)."""
    return np.asarray(np.einsum("ij,ij->i", rows, rows))
