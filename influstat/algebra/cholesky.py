"""The Cholesky factorisation of a Hessian, and what is wrong with one that has none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.linalg.blas import dsymm, dtrsm
from scipy.linalg.lapack import dpocon, dpotrf, dpotrs

from influstat.algebra.coordinates import Coordinates
from influstat.errors import IndefiniteHessian, SingularHessian
from influstat.input.validation import FloatArray

EPSILON = float(np.finfo(np.float64).eps)
ROUNDING = 1e4 * EPSILON  # of the largest eigenvalue, what sums over many rows may add to one that is 0
# What there is for a point that is no minimum, and only where a solver can be passed.
SOLVER = (
    "Influence functions alone take a solver to add damping above that size, e.g. ist.Cholesky(damping=1.0)."
)


class CholeskyInverse:
    """The factored symmetric matrix (p, p), which is overwritten; errors call coefficients by `names`.

    One array holds both the factor (lower) and the matrix (upper).
    """

    def __init__(self, matrix: FloatArray, names: Sequence[str] | None = None) -> None:
        diagonal = matrix.diagonal().copy()
        labels = [str(j) for j in range(len(diagonal))] if names is None else names
        if not ((diagonal > 0) & np.isfinite(diagonal)).all():
            _explain_failure(matrix, diagonal, labels)
        self.scale = 1.0 / np.sqrt(diagonal)
        matrix *= self.scale
        matrix *= self.scale[:, None]
        self._diagonal = matrix.diagonal().copy()
        norm = float(np.max(np.abs(matrix).sum(axis=0)))
        self._both, info = dpotrf(matrix, lower=1, clean=0, overwrite_a=1)
        if info != 0:
            _explain_failure(self._restored(), diagonal, labels)
        self.reciprocal_condition = float(dpocon(self._both, norm, uplo="L")[0])
        if not self.reciprocal_condition > len(diagonal) * EPSILON:
            _explain_failure(self._restored(), diagonal, labels)

    def _restored(self) -> FloatArray:
        """Return the scaled matrix, mirrored from the untouched upper triangle."""
        upper = np.triu(self._both, 1)
        return np.asarray(upper + upper.T + np.diag(self._diagonal))

    def solve(self, rhs: FloatArray) -> FloatArray:
        """Return H^-1 rhs for shape (p,) or (p, m), nothing measured."""
        scale = self.scale if rhs.ndim == 1 else self.scale[:, None]
        value, _ = dpotrs(self._both, scale * rhs, lower=1, overwrite_b=1)
        value *= scale
        return np.asarray(value)

    def measured(self, rhs: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return H^-1 rhs, shape (p,) or (p, m), with H H^-1 rhs - rhs and rhs as columns, (p, m)."""
        value, columns = self.solve(rhs), rhs.reshape(len(rhs), -1)
        return value, self.product(value.reshape(columns.shape)) - columns, columns

    def whiten(self, columns: FloatArray) -> FloatArray:
        """Return z with z'z = v'H^-1 v of every column v, shape (p, m): one triangular solve."""
        return np.asarray(dtrsm(1.0, self._both, self.scale[:, None] * columns, lower=1, overwrite_b=1))

    def unwhiten(self, whitened: FloatArray) -> FloatArray:
        """Return H^-1 v from the z of every v, shape (p, m), which may be overwritten: the other solve."""
        value = dtrsm(1.0, self._both, whitened, lower=1, trans_a=1, overwrite_b=1)
        value *= self.scale[:, None]
        return np.asarray(value)

    def square_norms(self, rows: FloatArray) -> FloatArray:
        """Return x'H^-1 x for every row x, shape (k,)."""
        whitened = self.whiten(rows.T)
        return np.asarray(np.einsum("pk,pk->k", whitened, whitened))

    def product(self, columns: FloatArray) -> FloatArray:
        """Return H @ columns, shape (p, m), from what the factorisation has left of H."""
        scaled = columns / self.scale[:, None]
        image = dsymm(1.0, self._both, scaled, lower=0)
        image += (self._diagonal - self._both.diagonal())[:, None] * scaled
        image /= self.scale[:, None]
        return np.asarray(image)


def _explain_failure(matrix: FloatArray, diagonal: FloatArray, names: Sequence[str]) -> None:
    """Raise the error that the smallest eigenvalue of the scaled matrix deserves."""
    if not np.isfinite(matrix).all():
        raise SingularHessian("The Hessian is not finite: rescale the columns of X or the weights.")
    if (diagonal < 0).any():
        j = int(np.argmin(diagonal))
        raise IndefiniteHessian(
            f"The Hessian has the negative diagonal entry {diagonal[j]:.3g} (coefficient {names[j]}): this "
            f"is not a minimum. Check the loss and theta. {SOLVER}"
        )
    if (diagonal == 0).any():
        zero = np.flatnonzero(diagonal == 0)
        raise SingularHessian(
            f"The Hessian is singular: coefficients {_listed(zero, names)} do not affect the risk at all "
            "(a column of zeros, or no row with curvature). Drop those columns, penalise them (lam > 0), or "
            "use a smoother loss (a larger t). Where rows are beyond the reach of a loss that levels off, "
            "fit from a start nearer to them."
        )
    values, vectors = eigh(matrix)
    if values[0] < -ROUNDING * values[-1]:
        raise IndefiniteHessian(
            f"The Hessian is indefinite: its smallest eigenvalue is {values[0]:.3g} of its scale, so this is "
            f"not a minimum. Check the loss and theta. {SOLVER}"
        )
    involved = np.flatnonzero(np.abs(vectors[:, 0]) > 0.05 * np.abs(vectors[:, 0]).max())
    raise SingularHessian(
        f"The Hessian is singular to working precision (eigenvalues {values[0]:.1e} to {values[-1]:.1e} "
        f"after scaling): coefficients {_listed(involved, names)} are collinear and not determined. Drop one "
        "of these columns, or add a penalty (lam > 0)."
    )


def _listed(positions: NDArray[np.intp], names: Sequence[str]) -> str:
    shown = ", ".join(names[int(j)] for j in positions[:8])
    return shown + (", ..." if len(positions) > 8 else "")


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
