"""`GroupExpansion`: what removals of groups need of all rows at theta-hat; a group stands for a row.

The `Groups` that methods are given here hold codes of groups, not rows: each is a "single" removal, whose
sums have been taken over its rows beforehand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.cholesky import CholeskyInverse
from influstat.errors import InflustatError
from influstat.input.groups import Groups, Indices
from influstat.input.validation import FloatArray
from influstat.partitioned.groups.grouping import Counts, Grouping
from influstat.partitioned.groups.sums import AtCenter, Chosen, GroupSums, SlopesLeft
from influstat.partitioned.removal.center import Moved
from influstat.removal.expansion import Expansion, Remainder
from influstat.removal.methods.base import without
from influstat.removal.remaining import Look


class GroupExpansion(Expansion):
    """Sums over each of some groups at theta-hat."""

    # `codes` are the groups, increasing; their Hessians are summed where they are wanted.

    def __init__(
        self, fit: Any, grouping: Grouping, counts: Counts, codes: Indices, *, hessians: bool
    ) -> None:
        risk, theta = fit.risk, np.array(fit.theta)
        given: Any = risk  # it offers what the methods ask of the risk
        self.risk, self.theta, self._fit = given, theta, fit
        self._grouping, self.codes = grouping, codes
        self.sizes, self._weights = counts.rows[codes], counts.weights[codes]
        sums: GroupSums = fit.reduce(AtCenter(self.chosen(codes), theta, hessians))
        self.sums = sums
        self.penalty_gradient = risk.penalty.gradient(theta)
        self.penalty_hessian = risk.penalty.hessian(theta)
        self.gradient = sums.slopes.sum(axis=1) + self.penalty_gradient
        self.__dict__["gradient_scale"] = sums.scales.sum(axis=1) + risk.penalty.gradient_scale(theta)

    def chosen(self, codes: Indices) -> Chosen:
        """Return how rows of these groups are told from others."""
        return Chosen(self._fit.risk.recipe.summed(), self._grouping, codes)

    def remainder(self, groups: Groups) -> Remainder:
        """Return the objectives without each group."""
        return GroupRemainder(self, groups)

    def own_slopes(self, groups: Groups) -> FloatArray:
        """Return the slopes of every group, shape (p, K)."""
        return np.array(self.sums.slopes[:, groups.members])

    def left(self, groups: Groups) -> FloatArray:
        """Return c_k, the share of the penalty that stays, shape (K,)."""
        return np.asarray(self.risk.protocol.left(self._weights[groups.members], self.risk.total_weight))

    def scales(self, groups: Groups) -> FloatArray:
        """Return the size of the terms of grad F_k at theta-hat, shape (p, K)."""
        total = self.gradient_scale[:, None]
        left = total - self.sums.scales[:, groups.members]
        return np.asarray(np.maximum(left, 1e-12 * total + np.finfo(np.float64).tiny))

    def left_over(self, rows: Indices) -> Any:
        """Return the risk of all partitions without one group."""
        place = int(rows[0])
        code = int(self.codes[place])
        return self._fit.risk.without_rows(_In(self._grouping, code), float(self._weights[place]))

    def moved(self, groups: Groups, theta: FloatArray) -> Moved:
        """Return slopes and movements of the rows not in each group at its column of theta: one pass."""
        work = SlopesLeft(self.chosen(self.codes[groups.members]), theta, self.theta)
        found: Moved = self._fit.reduce(work)
        return found


class _In:
    """Whether rows are in one group."""

    def __init__(self, grouping: Grouping, code: int) -> None:
        self.grouping, self.code = grouping, code

    def __call__(self, partition: int, block: Any) -> NDArray[np.bool_]:
        return np.asarray(self.grouping.codes(partition, block) == self.code)


class GroupRemainder(Remainder):
    """The objectives without each group, evaluated together over all partitions."""

    expansion: GroupExpansion

    def rough(self) -> None:
        """Return None: a pass over the partitions takes what it takes to read them."""

    def summed(self, theta: FloatArray, look: Look | None = None) -> FloatArray:
        """Return the gradients: one pass over all partitions, at which nobody looks."""
        del look
        theta = np.ascontiguousarray(theta)
        slopes = self.expansion.moved(self.groups, theta).slopes
        return np.asarray(slopes + self.factors * self.expansion.risk.penalty.gradient(theta))

    def movement(self, theta: FloatArray) -> FloatArray:
        """Return max_j |x_j'(theta_k - theta-hat)| over the rows left, shape (K,)."""
        return self.expansion.moved(self.groups, theta).path


def hessians_left(own: FloatArray) -> Iterator[FloatArray]:
    """Yield, for each group but the last, the sum of the matrices (K + 1, p, p) of all others."""
    # Nothing is taken off, so that a group of leverage near 1 leaves as many digits as any. Each matrix is in
    # Fortran order, the caller's own.
    after = np.empty_like(own[:-1])  # sums over all groups from k + 1 on, and the other rows
    total = own[-1].copy()
    for j in range(len(own) - 2, -1, -1):
        after[j] = total
        total += own[j]
    before = np.zeros_like(total)
    for j in range(len(after)):
        yield np.asfortranarray(before + after[j])
        before += own[j]


class GroupInverse:
    """S_-k^-1 for some groups, which are disjoint: what is left of one is the sum over all others."""

    # The Hessians of the expansion are used up; `factors` are the shares of the penalty that stay, shape
    # (K,).

    def __init__(self, expansion: GroupExpansion, factors: FloatArray) -> None:
        own = expansion.sums.hessians
        assert own is not None  # wanted
        k = len(factors)
        self.own = own[:k]
        self.status = [""] * k
        self._inverses: list[CholeskyInverse | None] = [None] * k
        for j, matrix in enumerate(hessians_left(own)):
            expansion.penalty_hessian.add_to(matrix, float(factors[j]))
            try:
                self._inverses[j] = CholeskyInverse(matrix, expansion.risk.names)
            except InflustatError as error:
                self.status[j] = without(np.arange(expansion.sizes[j]), str(error))
        self.hard = np.array([one is None for one in self._inverses], dtype=np.bool_)

    @property
    def reciprocal_condition(self) -> float:
        """The smallest of those that there are."""
        return min((one.reciprocal_condition for one in self._inverses if one is not None), default=0.0)

    def solve(self, rhs: FloatArray, columns: Indices | slice = slice(None)) -> FloatArray:
        """Return S_-k^-1 rhs_k for the removals `columns`, shape (p, len(columns)); nan where hard."""
        return self._each(rhs, columns, lambda inverse, column: inverse.solve(column))

    def product(self, columns: FloatArray) -> FloatArray:
        """Return S_-k times column k, shape (p, K); nan where hard."""
        return self._each(
            columns, slice(None), lambda inverse, column: inverse.product(column[:, None])[:, 0]
        )

    def _each(self, values: FloatArray, columns: Indices | slice, do: Any) -> FloatArray:
        result = np.full(values.shape, np.nan)
        for j, k in enumerate(np.arange(len(self.hard))[columns].tolist()):
            inverse = self._inverses[k]
            if inverse is not None:
                result[:, j] = do(inverse, np.ascontiguousarray(values[:, j]))
        return result
