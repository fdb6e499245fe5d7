"""Hessians that are known as a matrix, or as an operator of somebody else's."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

from influstat.curvature.base import Hessian
from influstat.input.validation import FloatArray


class DenseCurvature(Hessian):
    """A symmetric Hessian in mean scale that is known as a matrix (p, p), dense or sparse.

    Examples
    --------
    >>> DenseCurvature(np.diag([1.0, 2.0])) @ np.ones(2)
    array([1., 2.])
    """

    def __init__(self, matrix: Any, names: tuple[str, ...] | None = None) -> None:
        super().__init__(matrix.shape[0])
        self.names = names
        self._matrix, self._sparse = matrix, bool(sp.issparse(matrix))

    def _matmat(self, vectors: FloatArray) -> FloatArray:
        return np.asarray(self._matrix @ vectors)

    def to_dense(self) -> FloatArray:
        """Return a copy of the matrix in Fortran order, shape (p, p)."""
        dense = self._matrix.toarray() if self._sparse else self._matrix
        return np.array(dense, dtype=np.float64, order="F")

    def diagonal(self) -> FloatArray:
        """Return the diagonal, shape (p,)."""
        return np.array(self._matrix.diagonal(), dtype=np.float64)

    def bound(self) -> float:
        """Return an upper bound on the largest eigenvalue: the largest absolute row sum."""
        return float(np.max(abs(self._matrix).sum(axis=1)))


class ForeignOperator(Hessian):
    """A symmetric Hessian of which only products are known."""

    offers_diagonal = False  # it takes p products

    def __init__(self, operator: LinearOperator) -> None:
        super().__init__(operator.shape[0])
        self._operator = operator

    def _matmat(self, vectors: FloatArray) -> FloatArray:
        return np.asarray(self._operator.matmat(vectors))

    def to_dense(self) -> FloatArray:
        """Return the products with the unit vectors, shape (p, p)."""
        return np.array(self.matmat(np.eye(self.shape[0])), dtype=np.float64, order="F")
