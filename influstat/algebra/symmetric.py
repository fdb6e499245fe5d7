"""`Diagonal` and `Matrix`: a symmetric matrix in the form in which it is known.

A ridge penalty's Hessian is diagonal, a smoothing penalty's is full. Whoever adds, multiplies or bounds one
asks the same questions of both, so that nothing needs to know which it holds. `both_diagonal` finds
coordinates in which two of them are diagonal at once. `packed` products keep upper triangles alone, row after
row: p (p + 1) / 2 of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

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


def packed_size(p: int) -> int:
    """Return how many products of two of p coordinates there are."""
    return p * (p + 1) // 2


def packed(z: FloatArray) -> FloatArray:
    """Return z_a z_b for all a <= b of every column of z (p, k), shape (p (p + 1) / 2, k)."""
    products = np.empty((packed_size(len(z)), z.shape[1]))
    for a, places in triangle(len(z)):
        np.multiply(z[a:], z[a], out=products[places])
    return products


def contracted(products: FloatArray, u: FloatArray) -> FloatArray:
    """Return M_k u_k for symmetric matrices M_k, packed in columns, and the columns of u (p, k)."""
    result = np.zeros_like(u)
    for a, places in triangle(len(u)):
        part = products[places]
        result[a] += np.einsum("bk,bk->k", part, u[a:])
        result[a + 1 :] += part[1:] * u[a]
    return result


@cache
def triangle(p: int) -> tuple[tuple[int, slice], ...]:
    """Return each row a of the upper triangle and where its products a <= b stand."""
    starts = [a * p - a * (a - 1) // 2 for a in range(p + 1)]
    return tuple((a, slice(starts[a], starts[a + 1])) for a in range(p))


def packed_norms(products: FloatArray, p: int) -> FloatArray:
    """Return the Frobenius norms of symmetric matrices that are packed in columns, shape (k,)."""
    squares = 2.0 * np.einsum("ak,ak->k", products, products)
    diagonal = products[[places.start for _, places in triangle(p)]]
    return np.asarray(np.sqrt(squares - np.einsum("ak,ak->k", diagonal, diagonal)))


def unpacked(products: FloatArray, p: int) -> FloatArray:
    """Return the symmetric matrices (k, p, p) that are packed in columns."""
    result = np.empty((products.shape[1], p, p))
    for a, places in triangle(p):
        result[:, a, a:] = result[:, a:, a] = products[places].T
    return result
