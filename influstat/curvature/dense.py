"""`DenseCurvature`: a Hessian that is known as a matrix, in the form that solvers take."""

from __future__ import annotations

import numpy as np
from scipy.sparse.linalg import LinearOperator

from influstat.input.validation import FloatArray


class DenseCurvature(LinearOperator):
    """A Hessian that is known as a matrix, as a `scipy.sparse.linalg.LinearOperator`.

    Parameters
    ----------
    matrix : ndarray, shape (p, p)
        Symmetric, mean scale.

    Examples
    --------
    >>> DenseCurvature(np.diag([1.0, 2.0])) @ np.ones(2)
    array([1., 2.])
    """

    def __init__(self, matrix: FloatArray) -> None:
        super().__init__(dtype=np.dtype(np.float64), shape=matrix.shape)  # type: ignore[call-arg]  # stubs
        self._matrix = matrix

    def _matvec(self, vector: FloatArray) -> FloatArray:
        return np.asarray(self._matrix @ vector)

    def _matmat(self, vectors: FloatArray) -> FloatArray:
        return np.asarray(self._matrix @ vectors)

    def _adjoint(self) -> DenseCurvature:
        return self

    _transpose = _adjoint

    def to_dense(self) -> FloatArray:
        """Return a copy of the matrix in Fortran order, shape (p, p)."""
        return np.array(self._matrix, order="F")

    def diagonal(self) -> FloatArray:
        """Return the diagonal, shape (p,)."""
        return self._matrix.diagonal().copy()

    def eigenvalue_bound(self) -> float:
        """Return an upper bound on the largest eigenvalue: the largest absolute row sum."""
        return float(np.max(np.abs(self._matrix).sum(axis=1)))
