"""Coordinates in which two quadratic forms are diagonal at once."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cholesky, eigh, solve_triangular

from influstat.input.validation import FloatArray


def both_diagonal(matrix: FloatArray, root: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return V (p, p) and m >= 0 (p,) with V'SV = I and V'KV = diag(m), K = root root', S > 0."""
    # In the scale of S's unit diagonal, so that units do not matter. Some m is
    # above 1 where S - K is not positive semidefinite, as with rows of negative curvature.
    scale = 1.0 / np.sqrt(matrix.diagonal())
    lower = cholesky(matrix * scale * scale[:, None], lower=True)
    half = solve_triangular(lower, scale[:, None] * root, lower=True)
    values, vectors = eigh(half @ half.T)
    return scale[:, None] * solve_triangular(lower.T, vectors, lower=False), np.maximum(values, 0.0)
