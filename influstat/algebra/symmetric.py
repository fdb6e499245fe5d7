"""`Diagonal` and `Matrix`: a symmetric matrix in the form in which it is known.

A ridge penalty's Hessian is diagonal, a smoothing penalty's is full. Whoever adds, multiplies or bounds one
asks the same questions of both, so that nothing needs to know which it holds. `both_diagonal` finds
coordinates in which two of them are diagonal at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, eigh, solve_triangular

from influstat.input.validation import FloatArray


@dataclass(frozen=True, eq=False)
class Diagonal:
    """diag(entries), shape (p, p).

    Examples
    --------
    >>> import numpy as np
    >>> from influstat.algebra.symmetric import Diagonal
    >>> Diagonal(np.array([2.0, 0.0])).dot(np.array([3.0, 4.0]))
    array([6., 0.])
    """

    entries: FloatArray

    def dot(self, vectors: FloatArray) -> FloatArray:
        """Return the product with a vector (p,), or with every column of (p, m) or (k, p, m)."""
        return np.asarray(_beside(self.entries, vectors) * vectors)

    def absolute_dot(self, vectors: FloatArray) -> FloatArray:
        """Return the product of the absolute entries with |vectors|: what rounding is relative to."""
        return np.asarray(_beside(np.abs(self.entries), vectors) * np.abs(vectors))

    def add_to(self, matrix: FloatArray, factor: float = 1.0) -> None:
        """Add factor times this to a (p, p) array, in place."""
        np.einsum("jj->j", matrix)[:] += factor * self.entries

    def dense(self) -> FloatArray:
        """Return a new (p, p) array."""
        return np.diag(self.entries)

    def diagonal(self) -> FloatArray:
        """Return the diagonal, shape (p,)."""
        return self.entries

    def lengths(self) -> FloatArray:
        """Return the lengths of the columns, shape (p,), whose sum bounds that of |eigenvalues|."""
        return np.abs(self.entries)

    def scaled(self, factor: float) -> Diagonal:
        """Return factor times this."""
        return Diagonal(factor * self.entries)

    def plus(self, other: Diagonal | Matrix) -> Diagonal | Matrix:
        """Return the sum."""
        if isinstance(other, Diagonal):
            return Diagonal(self.entries + other.entries)
        return other.plus(self)

    def shifted(self, damping: float) -> Diagonal:
        """Return this plus damping times the identity."""
        return Diagonal(self.entries + damping)

    def root(self) -> FloatArray:
        """Return a (p, r) array L with LL' = this, which must be positive semidefinite."""
        return np.diag(np.sqrt(self.entries))

    @property
    def largest(self) -> float:
        """An upper bound on the absolute eigenvalues: here the largest itself."""
        return float(np.max(np.abs(self.entries), initial=0.0))

    @property
    def zero(self) -> bool:
        """Whether every entry is 0."""
        return not self.entries.any()

    @property
    def terms(self) -> int:
        """How many numbers an entry of a product adds up: what its rounding grows with."""
        return 1


@dataclass(frozen=True, eq=False)
class Matrix:
    """A full symmetric matrix, shape (p, p).

    Examples
    --------
    >>> import numpy as np
    >>> from influstat.algebra.symmetric import Diagonal, Matrix
    >>> total = Matrix(np.ones((2, 2))).plus(Diagonal(np.array([1.0, 2.0])))
    >>> total.dense()
    array([[2., 1.],
           [1., 3.]])
    """

    entries: FloatArray

    def dot(self, vectors: FloatArray) -> FloatArray:
        """Return the product with a vector (p,), or with every column of (p, m) or (k, p, m)."""
        return np.asarray(self.entries @ vectors)

    def absolute_dot(self, vectors: FloatArray) -> FloatArray:
        """Return the product of the absolute entries with |vectors|: what rounding is relative to."""
        return np.asarray(np.abs(self.entries) @ np.abs(vectors))

    def add_to(self, matrix: FloatArray, factor: float = 1.0) -> None:
        """Add factor times this to a (p, p) array, in place."""
        matrix += factor * self.entries

    def dense(self) -> FloatArray:
        """Return a new (p, p) array."""
        return self.entries.copy()

    def diagonal(self) -> FloatArray:
        """Return the diagonal, shape (p,)."""
        return self.entries.diagonal().copy()

    def lengths(self) -> FloatArray:
        """Return the lengths of the columns, shape (p,), whose sum bounds that of |eigenvalues|."""
        return np.asarray(np.linalg.norm(self.entries, axis=0))

    def scaled(self, factor: float) -> Matrix:
        """Return factor times this."""
        return Matrix(factor * self.entries)

    def plus(self, other: Diagonal | Matrix) -> Matrix:
        """Return the sum."""
        total = self.dense()
        other.add_to(total)
        return Matrix(total)

    def shifted(self, damping: float) -> Matrix:
        """Return this plus damping times the identity."""
        return Matrix(self.entries + damping * np.eye(len(self.entries)))

    def root(self) -> FloatArray:
        """Return a (p, r) array L with LL' = this, which must be positive semidefinite."""
        size = np.sqrt(np.maximum(self.diagonal(), 0.0))  # units must not decide what is rounding
        unit = np.where(size > 0, size, 1.0)
        values, vectors = np.linalg.eigh(self.entries / unit / unit[:, None])
        least = len(values) * np.finfo(np.float64).eps * max(float(values[-1]), 0.0)
        return np.asarray(unit[:, None] * vectors * np.sqrt(np.where(values > least, values, 0.0)))

    @property
    def largest(self) -> float:
        """An upper bound on the absolute eigenvalues: the largest absolute row sum."""
        return float(np.max(np.abs(self.entries).sum(axis=1), initial=0.0))

    @property
    def zero(self) -> bool:
        """Whether every entry is 0."""
        return not self.entries.any()

    @property
    def terms(self) -> int:
        """How many numbers an entry of a product adds up: what its rounding grows with."""
        return len(self.entries)


Symmetric = Diagonal | Matrix


def _beside(entries: FloatArray, vectors: FloatArray) -> FloatArray:
    return entries if vectors.ndim == 1 else entries[:, None]


def both_diagonal(matrix: FloatArray, root: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return V (p, p) and m >= 0 (p,) with V'SV = I and V'KV = diag(m), K = root root', S > 0."""
    # In the scale of S's unit diagonal, so that units do not matter. Some m is
    # above 1 where S - K is not positive semidefinite, as with rows of negative curvature.
    scale = 1.0 / np.sqrt(matrix.diagonal())
    lower = cholesky(matrix * scale * scale[:, None], lower=True)
    half = solve_triangular(lower, scale[:, None] * root, lower=True)
    values, vectors = eigh(half @ half.T)
    return scale[:, None] * solve_triangular(lower.T, vectors, lower=False), np.maximum(values, 0.0)
