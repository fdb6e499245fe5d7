"""The inverse of a Hessian in coordinates of the rows' own, where the coefficients themselves will not do."""

from __future__ import annotations

import numpy as np

from influstat.algebra.cholesky import CholeskyInverse
from influstat.algebra.coordinates import Coordinates
from influstat.input.validation import FloatArray


class WhitenedInverse:
    """H^-1 = T (T'HT)^-1 T', nan for right-hand sides that feel directions in which H is 0.

    The coordinates know T and those directions; the matrix (r, r) is T'HT, and is overwritten.
    """

    def __init__(self, coordinates: Coordinates, matrix: FloatArray) -> None:
        self.coordinates = coordinates
        self._inner = CholeskyInverse(matrix)
        self.reciprocal_condition = self._inner.reciprocal_condition

    def solve(self, rhs: FloatArray) -> FloatArray:
        """Return H^-1 rhs for shape (p,) or (p, m)."""
        return self.measured(rhs)[0]

    def measured(self, rhs: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return H^-1 rhs, shape (p, m) or (p,), with H H^-1 rhs - rhs and rhs in the coordinates, (r, m)."""
        columns = rhs.reshape(len(rhs), -1)
        there = self.coordinates.rows(columns.T).T
        solved = self._inner.solve(there)
        value = self.coordinates.lift(solved)
        if not self.coordinates.full:
            value[:, ~self.coordinates.estimable(columns.T)] = np.nan
        return value.reshape(rhs.shape), self._inner.product(solved) - there, there

    def square_norms(self, rows: FloatArray) -> FloatArray:
        """Return x'H^-1 x for every row x, shape (k,), nan where it is not determined."""
        found = self._inner.square_norms(self.coordinates.rows(rows))
        return found if self.coordinates.full else np.where(self.coordinates.estimable(rows), found, np.nan)
