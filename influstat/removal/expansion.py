"""The risk around theta-hat, and what is left of it without a group of rows.

Everything here is in sum scale: S = W H, and for group S_k
F_k(theta) = sum of w_j l_j over the rows not in S_k, plus c_k P(theta), with c_k the share of the penalty
that the protocol leaves.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from influstat.algebra.rounding import EPSILON, LONG_EPSILON, unit_rounding
from influstat.algebra.symmetric import Symmetric
from influstat.input.groups import Groups, Indices
from influstat.input.validation import FloatArray
from influstat.losses.base import target_sizes
from influstat.removal.remaining import Curved, Look, Remaining, Rough, Single, worth_it
from influstat.risks.contract import left_over
from influstat.risks.linear import LinearRisk

TILE_ENTRIES = 2**17  # of rows and removals that are worked on together: 1 MiB
ROUNDED = 32.0  # epsilon: slopes at theta-hat, near it and of rows removed, each right to a few


class Expansion:
    """Slopes, curvatures and gradient at theta-hat (p,): computed once, shared by all removals."""

    def __init__(self, risk: LinearRisk, theta: FloatArray) -> None:
        self.risk, self.theta, self.weights = risk, theta, risk.weights
        self.eta = risk.linear_predictor(theta)
        self.first: FloatArray = risk.weights * risk.slopes(theta)  # w_i l1_i
        self.second: FloatArray = risk.weights * risk.curvatures(theta)  # w_i l2_i
        self.penalty_gradient: FloatArray = risk.penalty.gradient(theta)
        self.penalty_hessian: Symmetric = risk.penalty.hessian(theta)
        self.gradient: FloatArray = risk.design.transpose_dot(self.first) + self.penalty_gradient

    @cached_property
    def data_gradient(self) -> FloatArray:
        """X'(w l1), shape (p,), added in extended precision: what one row changes would drown in rounding."""
        found: FloatArray = self.long_gradient().astype(np.float64)
        return found

    def long_gradient(self) -> Any:
        """Return the same before it is rounded to float64."""
        total = np.zeros(len(self.theta), dtype=np.longdouble)
        for rows, block in self.risk.design.dense_blocks():
            total += np.einsum("kp,k->p", block, self.first[rows], dtype=np.longdouble)
        return total

    @cached_property
    def slope_error(self) -> FloatArray:
        """Bound on the rounding error of `data_gradient` and of rows taken off it, shape (p,)."""
        # What is left are the slopes' own errors, sum_j w_j |x_jk| (32 epsilon (|l1_j| + s_j) + l2_j u_p
        # (|x_j|'|theta| + |o_j| + t_j)), t and s the targets' sizes (`target_sizes`); twice, for the rows. A
        # slope that differs from that at theta-hat is as exact.
        return self.slope_error_of(self.risk.shape[0])

    def slope_error_of(self, n: int) -> FloatArray:
        """Return the part that these rows have in it, of n in all."""
        risk, p = self.risk, self.risk.shape[1]
        as_eta, as_slope = target_sizes(risk.loss, risk.y)
        slip = risk.design.absolute_dot(np.abs(self.theta)) + np.abs(risk.offset) + as_eta
        size = (ROUNDED * EPSILON + n * LONG_EPSILON) * np.abs(self.first)
        size += ROUNDED * EPSILON * risk.weights * as_slope
        size += unit_rounding(p) * self.second * slip
        return np.asarray(2.0 * risk.design.absolute_transpose_dot(size))

    def held_error(self, size: FloatArray) -> FloatArray:
        """Return a bound on the rounding of the penalty's gradient at |theta| = size, shape (p,)."""
        penalty = self.risk.penalty
        terms = penalty.hessian(self.theta).terms
        return np.asarray(unit_rounding(terms) * penalty.gradient_scale(size))

    @cached_property
    def data_hessian(self) -> FloatArray:
        """X' diag(w l2) X, shape (p, p)."""
        return self.risk.design.gram(self.second)

    @cached_property
    def single(self) -> Single:
        """X in float32, shape (n, p); see `Rough`."""
        found = np.empty(self.risk.shape, dtype=np.float32)
        for rows, block in self.risk.design.dense_blocks():
            found[rows] = block
        return found

    @cached_property
    def unweighted(self) -> bool:
        """Whether every weight is 1."""
        return bool((self.risk.weights == 1.0).all())

    @property
    def concordance(self) -> float:
        """C with |l3| <= c l2."""
        return float(self.risk.loss.self_concordance)

    @property
    def flat(self) -> bool:
        """Whether only the rows hold theta along some direction."""
        return bool(self.risk.penalty.flat(self.risk.shape[1]).size)

    def curved(self, groups: Groups) -> Curved:
        """Return one column for each row that leaves."""
        rows = groups.members
        columns = self.risk.design.rows(rows).T
        return Curved(columns, self.second[rows], groups, self.first[rows])

    def hessian_without(self, rows: Indices, factor: float) -> FloatArray:
        """Return the Hessian of the rows that are left, summed anew: no cancellation."""
        second = self.second.copy()
        second[rows] = 0.0
        matrix = self.risk.design.gram(second)
        self.penalty_hessian.add_to(matrix, factor)
        return matrix

    def remainder(self, groups: Groups) -> Remainder:
        """Return the objectives without each group."""
        return Remainder(self, groups)

    def left_over(self, rows: Indices) -> Any:
        """Return the risk without the rows, to be minimised by itself."""
        return left_over(self.risk, rows)

    def own_slopes(self, groups: Groups) -> FloatArray:
        """Return sum_{i in S_k} w_i l1_i x_i for every group, shape (p, K)."""
        x = self.risk.design.rows(groups.members)
        x *= self.first[groups.members][:, None]
        return groups.added(x).T

    def own_movement(self, groups: Groups, x: FloatArray, delta: FloatArray) -> FloatArray:
        """Return x_i'delta_k of every row i of every group k, x those rows, shape (s,)."""
        own = delta if groups.single else delta[:, groups.owners]
        return np.asarray(np.einsum("mp,pm->m", x, own))

    def left(self, groups: Groups) -> FloatArray:
        """Return c_k, the share of the penalty that stays, shape (K,)."""
        return np.asarray(self.risk.protocol.left(groups.sums(self.risk.weights), self.risk.total_weight))

    @cached_property
    def row_sizes(self) -> FloatArray:
        """w_i (|l1_i| + |l2_i| (|x_i|'|theta| + |o_i|)): how large row i's terms are, see gradient_scale."""
        spread = self.risk.design.absolute_dot(np.abs(self.theta)) + np.abs(self.risk.offset)
        return np.abs(self.first) + np.abs(self.second) * spread

    @cached_property
    def gradient_scale(self) -> FloatArray:
        """The size of each entry of the gradient without cancellation, shape (p,)."""
        total = self.risk.design.absolute_transpose_dot(self.row_sizes)
        return total + self.risk.penalty.gradient_scale(self.theta)

    def scales(self, groups: Groups) -> FloatArray:
        """Return the size of the terms of grad F_k at theta-hat (see `Risk.gradient_scale`), shape (p, K)."""
        design = self.risk.design
        scale = np.empty((len(self.theta), len(groups)))
        for k in range(len(groups)) if not groups.single else ():
            rows = groups[k]
            scale[:, k] = self.row_sizes[rows] @ np.abs(design.rows(rows))
        if groups.single:
            removed = np.abs(design.rows(groups.members))
            removed *= self.row_sizes[groups.members][:, None]
            scale[:] = removed.T
        total = self.gradient_scale[:, None]
        np.subtract(total, scale, out=scale)
        return np.asarray(np.maximum(scale, 1e-12 * total + np.finfo(np.float64).tiny))


class Remainder(Remaining):
    """The objectives F_k of K removals for one predictor per row."""

    expansion: Expansion

    def __init__(self, expansion: Expansion, groups: Groups) -> None:
        super().__init__(expansion, groups)
        # Rows at a time: what is computed of each row and removal stays in cache where products with X are
        # too short (p small) to hide its way to memory.
        p = expansion.risk.shape[1]
        self._tile = min(max(128, p), 512, max(48, p, TILE_ENTRIES // max(1, len(groups))))

    def summed(self, theta: FloatArray, look: Look | None = None) -> FloatArray:
        """Return the gradients: two products with X; `look` is shown rows and their predictors on the way."""
        risk = self.expansion.risk
        result = self.factors * risk.penalty.gradient(theta)
        moved = bool(risk.offset.any())
        for rows, block in risk.design.blocks(self._tile):
            eta = block @ theta
            if moved:
                eta += risk.offset[rows, None]
            if look is not None:
                look(rows, eta)
            slopes = risk.loss.first(risk.y[rows, None], eta)
            if not self.expansion.unweighted:
                slopes *= risk.weights[rows, None]
            slopes[self.gone(rows)] = 0.0
            result += block.T @ slopes
        return result

    def quadratic_gradients(self, delta: FloatArray) -> FloatArray:
        """Return grad F_k(theta-hat) + S_-k delta_k, (p, K): of a quadratic risk the gradient there."""
        expansion, groups = self.expansion, self.groups
        result = self.gradients_at_center()
        result += expansion.data_hessian @ delta
        result += self.factors * expansion.penalty_hessian.dot(delta)
        x = expansion.risk.design.rows(groups.members)
        x *= (expansion.second[groups.members] * expansion.own_movement(groups, x, delta))[:, None]
        result -= groups.added(x).T
        return result

    def rough(self) -> Rough | None:
        """Return what finds gradients in float32, where that pays."""
        return Rough(self) if worth_it(self.expansion) else None

    def bend(self, delta: FloatArray) -> FloatArray:
        """Return X'(w l3 (X delta_k)^2) + D^3 P[delta_k, delta_k], shape (p, K)."""
        risk = self.expansion.risk
        result: FloatArray = risk.penalty.third(self.expansion.theta, delta)
        third: FloatArray = risk.weights * risk.loss.third(risk.y, self.expansion.eta)
        for rows, block in risk.design.blocks():
            moved = block @ delta
            moved *= moved
            moved *= third[rows, None]
            result += block.T @ moved
        return result

    def movement(self, theta: FloatArray) -> FloatArray:
        """Return max_j |x_j'(theta_k - theta-hat)| over the rows left, shape (K,)."""
        result = np.zeros(theta.shape[1])
        delta = theta - self.expansion.theta[:, None]
        for rows, block in self.expansion.risk.design.blocks(self._tile):
            moved = np.abs(block @ delta)
            moved[self.gone(rows)] = 0.0
            np.maximum(result, moved.max(axis=0), out=result)
        return result
