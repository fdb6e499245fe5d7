"""The inverse Hessian without a group: one factorisation of S, less what leaves.

Without row i, with h_i = w_i l2_i x_i'S^-1 x_i its leverage,
S_-i^-1 = S^-1 + w_i l2_i S^-1 x_i x_i'S^-1 / (1 - h_i); S has the share of the penalty that stays.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.cholesky import CholeskyInverse
from influstat.algebra.downdate import Downdate
from influstat.algebra.symmetric import both_diagonal
from influstat.input.groups import Groups, Indices
from influstat.input.validation import FloatArray
from influstat.removal.class_expansion import AnyExpansion

# 1 - h below which the shared factorisation has lost too many digits: the rows left are then summed anew.
HARD = 1e-3


class SharedInverse:
    """(A + c K)^-1 for A = X' diag(w l2) X, K the penalty's Hessian, and any share c of it.

    One Cholesky factorisation where c is the same for all removals (`factors`, shape (K,)); else one
    eigendecomposition of the pencil (K, A + K), in which every c is a diagonal.
    """

    def __init__(self, expansion: AnyExpansion, factors: FloatArray) -> None:
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

    def whiten(self, columns: FloatArray, factors: FloatArray) -> FloatArray:
        """Return z with z_k'z_k = v_k'(A + c_k K)^-1 v_k of every column, (p, K); nan if not definite."""
        if self.common:
            return self._cholesky.whiten(columns)
        return np.asarray(self._roots(factors) * (self._vectors.T @ columns))

    def unwhiten(self, whitened: FloatArray, factors: FloatArray) -> FloatArray:
        """Return (A + c_k K)^-1 v_k from the z of every column v_k, shape (p, K); it may be overwritten."""
        if self.common:
            return self._cholesky.unwhiten(whitened)
        return np.asarray(self._vectors @ (self._roots(factors) * whitened))

    def _roots(self, factors: FloatArray) -> FloatArray:
        """Return the diagonal of (I - (1 - c_k) diag(m))^-1/2 for every c_k, shape (p, K)."""
        left = 1.0 - (1.0 - factors) * self._ratios[:, None]
        return np.asarray(1.0 / np.sqrt(np.where(left > 0, left, np.nan)))

    def solve(self, rhs: FloatArray, factors: FloatArray) -> FloatArray:
        """Return (A + c_k K)^-1 rhs_k for every column k, shape (p, K)."""
        return self.unwhiten(self.whiten(rhs, factors), factors)

    def square_norms(self, rows: FloatArray, factors: FloatArray) -> FloatArray:
        """Return x_k'(A + c_k K)^-1 x_k for every row x_k of (K, p), shape (K,)."""
        whitened = self.whiten(rows.T, factors)
        return np.asarray(np.einsum("pk,pk->k", whitened, whitened))


class Downdated:
    """S_-k^-1 for a block of removals: the inverse Hessian at theta-hat of the rows left.

    `hard`, shape (K,), are removals that take nearly all curvature from some direction (leverage near 1):
    `solve` gives nan for them, since the shared factorisation has too few digits left.
    """

    def __init__(
        self, expansion: AnyExpansion, shared: SharedInverse, groups: Groups, factors: FloatArray
    ) -> None:
        self.shared, self.factors = shared, factors
        self._expansion, self._groups = expansion, groups
        curved = expansion.curved(groups)
        curvature, parts = curved.curvature, curved.parts
        self._curvature = curvature
        self._whitened = shared.whiten(curved.columns, factors[parts.owners])
        self._slopes = curved.slopes
        self._downdate = Downdate(self._whitened, curvature, parts, least=HARD)
        self.headroom = self._downdate.headroom  # 1 - h, shape (K,), where not hard
        concave = np.logical_or.reduceat(curvature < 0, parts.starts[:-1])
        self.hard: NDArray[np.bool_] = ~(self.headroom > HARD) | concave

    def newton_steps(self, gradients: Callable[[], FloatArray]) -> FloatArray:
        """Return -S_-k^-1 grad F_k(theta-hat) for every k, (p, K); the gradients where they are needed."""
        # Of single rows with one share of the penalty, grad F_k = g - s_k x_k with one g for all. Then z_k =
        # R^-T x_k is there already, and the step is S^-1 x_k (s_k - c_k z_k'R^-T g) / (1 - h_k) - S^-1 g.
        # Without a Hessian of the penalty the shared inverse has no share, but its gradient may have one.
        share, expansion = float(self.factors[0]), self._expansion
        alike = bool((self.factors == share).all()) or not expansion.penalty_gradient.any()
        if self._slopes is None or not (self.shared.common and alike and self._groups.single):
            return -self.solve(gradients())
        whole = expansion.gradient - (1.0 - share) * expansion.penalty_gradient
        rest = self.shared.whiten(whole[:, None], self.factors[:1])
        lengths = self._slopes - self._curvature * (rest[:, 0] @ self._whitened)
        lengths /= np.where(self.hard, np.nan, self.headroom)
        steps = self.shared.unwhiten(self._whitened * lengths, self.factors)
        steps -= self.shared.unwhiten(rest, self.factors[:1])
        return steps

    def solve(self, rhs: FloatArray, columns: Indices | slice = slice(None)) -> FloatArray:
        """Return S_-k^-1 rhs_k for the removals `columns` (positions), shape (p, len(columns))."""
        whitened = self.shared.whiten(rhs, self.factors[columns])
        value = self.shared.unwhiten(self._downdate.solve_each(whitened, columns), self.factors[columns])
        value[:, self.hard[columns]] = np.nan
        return value
