"""Coordinates in which two quadratic forms are diagonal at once."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cholesky, eigh, solve_triangular

from influstat.input.validation import FloatArray


def both_diagonal(matrix: FloatArray, root: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Make S and K = root root' diagonal at once: V'SV = I and V'KV = diag(m).

    Parameters
    ----------
    matrix : ndarray, shape (p, p)
        S, positive definite. It is scaled to a unit diagonal first, so that units do not matter.
    root : ndarray, shape (p, r)
        A root of K.

    Returns
    -------
    vectors : ndarray, shape (p, p)
        V.
    ratios : ndarray, shape (p,)
        m >= 0; above 1 where S - K is not positive semidefinite, as with rows of negative curvature.

    Examples
    --------
    >>> import numpy as np
    >>> from influstat.algebra.pencil import both_diagonal
    >>> vectors, ratios = both_diagonal(np.diag([4.0, 2.0]), np.diag([1.0, 1.0]))
    >>> ratios                                          # 1 / 4 and 1 / 2
    array([0.25, 0.5 ])
    """
    scale = 1.0 / np.sqrt(matrix.diagonal())
    lower = cholesky(matrix * scale * scale[:, None], lower=True)
    half = solve_triangular(lower, scale[:, None] * root, lower=True)
    values, vectors = eigh(half @ half.T)
    return scale[:, None] * solve_triangular(lower.T, vectors, lower=False), np.maximum(values, 0.0)
