"""The inverse Hessian without a group: one factorisation of S, and Sherman-Morrison-Woodbury.

Without row i, with h_i = w_i l2_i x_i'S^-1 x_i its leverage,
S_-i^-1 = S^-1 + w_i l2_i S^-1 x_i x_i'S^-1 / (1 - h_i); S has the share of the penalty that stays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvalsh, lu_factor, lu_solve

from influstat.algebra.cholesky import CholeskyInverse
from influstat.algebra.pencil import both_diagonal
from influstat.errors import IndefiniteHessian, SingularHessian
from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.removal.expansion import Expansion

# 1 - h below which the shared factorisation has lost too many digits: the rows left are then summed anew.
HARD = 1e-3


class SharedInverse:
    """(A + c K)^-1 for A = X' diag(w l2) X, K the penalty's Hessian, and any share c of it.

    One Cholesky factorisation where c is the same for all removals (`factors`, shape (K,)); else one
    eigendecomposition of the pencil (K, A + K), in which every c is a diagonal.
    """

    def __init__(self, expansion: Expansion, factors: FloatArray) -> None:
        self.data_hessian = expansion.data_hessian
        self.penalty = expansion.penalty_hessian
        common = bool((factors == factors[0]).all()) or self.penalty.zero
        # With several c only to refuse a singular S with its explanation.
        self._cholesky = CholeskyInverse(
            self.matrix(float(factors[0]) if common else 1.0), expansion.risk.names
        )
        self.common = common
        if not common:  # V with V'(A + K) V = I and V'KV = diag(m)
            self._vectors, self._ratios = both_diagonal(self.matrix(1.0), self.penalty.root())

    @property
    def reciprocal_condition(self) -> float:
        """Estimate for the Hessian with all rows, scaled to a unit diagonal."""
        return self._cholesky.reciprocal_condition

    def matrix(self, factor: float) -> FloatArray:
        """Return A + factor K, shape (p, p), a copy in Fortran order."""
        matrix = self.data_hessian.copy(order="F")
        self.penalty.add_to(matrix, factor)
        return matrix

    def solve(self, rhs: FloatArray, factors: FloatArray) -> FloatArray:
        """Return (A + c_k K)^-1 rhs_k for every column k, shape (p, K)."""
        if self.common:
            return self._cholesky.solve(rhs)
        inner = self._vectors.T @ rhs
        inner /= 1.0 - (1.0 - factors) * self._ratios[:, None]
        return np.asarray(self._vectors @ inner)

    def square_norms(self, rows: FloatArray, factors: FloatArray) -> FloatArray:
        """Return x_k'(A + c_k K)^-1 x_k for every row x_k of (K, p), shape (K,)."""
        if self.common:
            return self._cholesky.square_norms(rows)
        inner = rows @ self._vectors
        inner *= inner
        return np.asarray(np.sum(inner / (1.0 - (1.0 - factors)[:, None] * self._ratios), axis=1))


class Downdated:
    """S_-k^-1 for a block of removals: the inverse Hessian at theta-hat of the rows left.

    `hard`, shape (K,), are removals that take nearly all curvature from some direction (leverage near 1):
    `solve` gives nan for them, since the shared factorisation has too few digits left.
    """

    def __init__(
        self, expansion: Expansion, shared: SharedInverse, groups: Groups, factors: FloatArray
    ) -> None:
        self.shared, self.factors = shared, factors
        self._expansion, self._groups = expansion, groups
        kind = _Rows if groups.single else _Sets
        self._corrections: Any = kind(expansion, shared, groups, factors)
        self.hard: NDArray[np.bool_] = self._corrections.hard
        self.headroom: FloatArray = self._corrections.headroom  # 1 - h, shape (K,), where not hard

    def center(self, gradients: FloatArray) -> FloatArray:
        """Return S_-k^-1 grad F_k(theta-hat) for every k, shape (p, K), from those gradients."""
        # Single rows with one share of the penalty have S^-1 x_k already, and S^-1 grad F is one column.
        if not (self.shared.common and self._groups.single):
            return self.solve(gradients)
        rows = self._groups.members
        share = float(self.factors[0])
        whole = self._expansion.gradient - (1.0 - share) * self._expansion.penalty_gradient
        value = self._corrections.solved * -self._expansion.first[rows]
        value += self.shared.solve(whole[:, None], self.factors)
        self._corrections.apply(value, gradients, slice(None))
        return np.asarray(value)

    def solve(self, rhs: FloatArray, columns: Any = slice(None)) -> FloatArray:
        """Return S_-k^-1 rhs_k for the removals `columns` (positions), shape (p, len(columns))."""
        value = self.shared.solve(rhs, self.factors[columns])
        self._corrections.apply(value, rhs, columns)
        return value


class _Rows:
    """Sherman-Morrison, one row each."""

    def __init__(
        self, expansion: Expansion, shared: SharedInverse, groups: Groups, factors: FloatArray
    ) -> None:
        self._x = np.ascontiguousarray(expansion.risk.design.rows(groups.members).T)
        self.solved = shared.solve(self._x, factors)
        curvature = expansion.second[groups.members]
        self.headroom = 1.0 - curvature * np.einsum("pk,pk->k", self._x, self.solved)
        self.hard = ~((self.headroom > HARD) & (curvature >= 0))
        self._gain = np.where(self.hard, np.nan, curvature / np.where(self.hard, 1.0, self.headroom))

    def apply(self, value: FloatArray, rhs: FloatArray, columns: Any) -> None:
        """Add to S^-1 rhs what turns it into S_-k^-1 rhs."""
        along = np.einsum("pk,pk->k", self._x[:, columns], value)
        value += self.solved[:, columns] * (self._gain[columns] * along)


class _Sets:
    """Woodbury for groups of at most p rows; a factorisation of its own for each larger one."""

    def __init__(
        self, expansion: Expansion, shared: SharedInverse, groups: Groups, factors: FloatArray
    ) -> None:
        self.hard = np.zeros(len(groups), dtype=np.bool_)
        self.headroom = np.ones(len(groups))
        self._parts: list[Any] = []
        for k in range(len(groups)):
            x = expansion.risk.design.rows(groups[k])
            curvature = expansion.second[groups[k]]
            kind = _Woodbury if len(x) <= x.shape[1] else _Refactored
            part = kind(x, curvature, shared, factors[k]) if (curvature >= 0).all() else None
            self.headroom[k] = 0.0 if part is None else part.smallest
            self.hard[k] = not self.headroom[k] > HARD
            self._parts.append(None if self.hard[k] else part)

    def apply(self, value: FloatArray, rhs: FloatArray, columns: Any) -> None:
        """Turn S^-1 rhs into S_-k^-1 rhs."""
        for position, k in enumerate(np.arange(len(self.hard))[columns]):
            part = self._parts[k]
            if part is None:
                value[:, position] = np.nan
            else:
                part.apply(value[:, position], rhs[:, position])


class _Woodbury:
    """S_-k^-1 = S^-1 + S^-1 X' (I - C X S^-1 X')^-1 C X S^-1 for the rows X and curvatures C of a group."""

    def __init__(self, x: FloatArray, curvature: FloatArray, shared: SharedInverse, factor: float) -> None:
        self._x, self._curvature = x, curvature
        self._solved = shared.solve(np.ascontiguousarray(x.T), np.full(len(x), factor))
        inner = x @ self._solved
        root = np.sqrt(curvature)
        leverage = root[:, None] * inner * root
        self.smallest = 1.0 - float(eigvalsh(leverage + leverage.T)[-1]) / 2.0
        if self.smallest > HARD:
            self._factors = lu_factor(np.eye(len(x)) - curvature[:, None] * inner)

    def apply(self, value: FloatArray, _rhs: FloatArray) -> None:
        """Turn S^-1 rhs, one column, into S_-k^-1 rhs."""
        value += self._solved @ lu_solve(self._factors, self._curvature * (self._x @ value))


class _Refactored:
    """S_-k itself, as S less the group's own part, for groups of more rows than coefficients."""

    smallest: float

    def __init__(self, x: FloatArray, curvature: FloatArray, shared: SharedInverse, factor: float) -> None:
        whole = shared.matrix(factor)
        scaled = x * np.sqrt(curvature)[:, None]
        left = whole - scaled.T @ scaled
        try:
            self.smallest = float(eigvalsh(left, whole, subset_by_index=(0, 0))[0])
            self._inverse = CholeskyInverse(np.asfortranarray(left))
        except (np.linalg.LinAlgError, SingularHessian, IndefiniteHessian):
            self.smallest = 0.0

    def apply(self, value: FloatArray, rhs: FloatArray) -> None:
        """Write S_-k^-1 rhs, one column, into `value`."""
        value[:] = self._inverse.solve(rhs)
