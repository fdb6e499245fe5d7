"""The risk of several classes around theta-hat, and what is left of it without a group of rows.

Everything is in sum scale, as in `expansion`. Rows are `ClassPredictors`: the gradient of row j's loss is
(pi - e_y) (x) x_j and its Hessian W (x) x_j x_j', W = diag(pi) - pi pi'. What fixes the coefficients' level
is a quadratic term that never leaves; it is counted among the data here.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from influstat.algebra.rounding import LONG_EPSILON, unit_rounding
from influstat.algebra.symmetric import Diagonal
from influstat.curvature.softmax import probabilities
from influstat.input.groups import Groups, Indices
from influstat.input.validation import FloatArray
from influstat.removal.certificates.anchor import SoftmaxAnchor
from influstat.removal.expansion import Expansion
from influstat.removal.remaining import Curved, Remaining
from influstat.risks.class_predictors import ClassPredictors
from influstat.risks.contract import left_over

TILE = 2**16  # entries of predictors of rows and removals worked on together: they stay in cache


class ClassExpansion:
    """Probabilities, gradient and curvature at theta-hat (p,): computed once, shared by all removals."""

    concordance = 1.0

    def __init__(self, rows: ClassPredictors, theta: FloatArray, risk: Any = None) -> None:
        self.rows, self.theta, self.weights = rows, theta, rows.weights
        self.risk = risk  # what is minimised where a removal needs a run of its own
        self.eta = rows.predictors(theta)
        self.pi, self.rest = probabilities(self.eta)
        self.slopes = slopes_of(self.eta[:, :, None].copy(), rows.y)[:, :, 0]  # pi - e_y, shape (n, K)
        self.penalty_hessian: Diagonal = rows.penalty
        self.penalty_gradient: FloatArray = rows.penalty.dot(theta[:, None])[:, 0]
        self.flat = bool((rows.strengths == 0).any())  # along some direction only the rows hold

    @cached_property
    def data_gradient(self) -> FloatArray:
        """Sum of w_j (pi - e_y) (x) x_j, shape (p,), added in extended precision."""
        first = self.rows.weights[:, None] * self.slopes
        total = np.zeros((self.rows.classes, self.rows.design.shape[1]), dtype=np.longdouble)
        for rows, block in self.rows.design.dense_blocks():
            total += np.einsum("jk,jq->kq", first[rows], block, dtype=np.longdouble)
        return self.rows.coefficients(total.astype(np.float64))

    @cached_property
    def gradient(self) -> FloatArray:
        """The gradient of all rows with the whole penalty, shape (p,)."""
        return self.data_gradient + self.penalty_gradient + self.rows.level(self.theta[:, None])[:, 0]

    @cached_property
    def data_hessian(self) -> FloatArray:
        """The Hessian without the penalty, shape (p, p)."""
        return self.rows.data_hessian(self.pi, self.rows.weights)

    @property
    def second(self) -> FloatArray:
        """W_j (1 - |pi|^2) / 2: the row's curvature along its largest contrast is at most that, (n,)."""
        return np.asarray(0.5 * self.rows.weights * np.sum(self.pi * self.rest, axis=1))

    @property
    def first(self) -> FloatArray:
        """W_j (1 - pi_y): the row's gradient is at most that times its largest contrast, shape (n,)."""
        return np.asarray(self.rows.weights * self.rest[np.arange(len(self.rest)), self.rows.y])

    def anchor(self, kept: float) -> SoftmaxAnchor:
        """Return the Hessian with this share of the penalty, or raise SingularHessian."""
        return SoftmaxAnchor(self.rows, self.rows.weights, self.pi, self.rest, kept, give_up=False)

    def hessian_without(self, rows: Indices, factor: float) -> FloatArray:
        """Return the Hessian of the rows that are left, summed anew: no cancellation."""
        weights = self.rows.weights.copy()
        weights[rows] = 0.0
        matrix = self.rows.data_hessian(self.pi, weights)
        self.penalty_hessian.add_to(matrix, factor)
        return matrix

    def curved(self, groups: Groups) -> Curved:
        """Return K columns for each row that leaves."""
        members = groups.members
        columns, parts = self.rows.roots(groups, self.pi[members], self.rest[members])
        return Curved(columns, np.repeat(self.rows.weights[members], self.rows.classes), parts)

    def remainder(self, groups: Groups) -> ClassRemainder:
        """Return the objectives without each group."""
        return ClassRemainder(self, groups)

    def left(self, groups: Groups) -> FloatArray:
        """Return c_k, the share of the penalty that stays, shape (K,)."""
        rows = self.rows
        return np.asarray(rows.protocol.left(groups.sums(rows.weights), rows.total_weight))

    def own_slopes(self, groups: Groups, slopes: FloatArray | None = None) -> FloatArray:
        """Return the sum of w_j (pi - e_y) (x) x_j over every group, (p, k); at theta-hat if not given."""
        members = groups.members
        first = self.slopes[members] if slopes is None else slopes
        first = self.rows.weights[members, None] * first
        each = np.einsum("sa,sq->aqs", first, self.rows.design.rows(members))
        return self.rows.coefficients(groups.added(each, axis=2))

    # -- sizes, for what rounding can do ------------------------------------------------------------

    @cached_property
    def _row_sizes(self) -> FloatArray:
        """Size of the terms of each row's slopes, times its weight, shape (n, K): see `gradient_scale`."""
        blocks = np.ascontiguousarray(self.rows.by_class(np.abs(self.theta)).T)
        spread = self.rows.design.absolute_dot(blocks)
        mean = np.sum(self.pi * spread, axis=1, keepdims=True)
        return np.asarray(self.rows.weights[:, None] * (np.abs(self.slopes) + self.pi * (spread + mean)))

    def scales(self, groups: Groups) -> FloatArray:
        """Return the size of the terms of grad F_k at theta-hat (see `Risk.gradient_scale`), shape (p, k)."""
        rows, members = self.rows, groups.members
        total = rows.design.absolute_transpose_dot(self._row_sizes).T
        total = rows.coefficients(total) + np.abs(self.penalty_gradient)
        each = np.einsum("sa,sq->aqs", self._row_sizes[members], np.abs(rows.design.rows(members)))
        gone = rows.coefficients(groups.added(each, axis=2))
        return np.asarray(np.maximum(total[:, None] - gone, 1e-12 * total[:, None] + np.finfo(float).tiny))

    def slip(self, size: FloatArray) -> FloatArray:
        """Return what rounding can do to a predictor of coefficients of this size (p,), shape (n,)."""
        blocks = np.ascontiguousarray(self.rows.by_class(size).T)
        return np.asarray(unit_rounding(len(blocks)) * self.rows.design.absolute_dot(blocks).max(axis=1))

    @cached_property
    def slope_error(self) -> FloatArray:
        """Bound on the rounding error of `data_gradient` and of rows taken off it, shape (p,)."""
        own = 6.0 * unit_rounding(self.rows.classes) + len(self.eta) * LONG_EPSILON
        size = own * np.abs(self.slopes)
        size += 8.0 * self.slip(np.abs(self.theta))[:, None] * self.pi * self.rest
        total = self.rows.design.absolute_transpose_dot(self.rows.weights[:, None] * size)
        return 2.0 * self.rows.coefficients(np.ascontiguousarray(total.T))

    def held_error(self, size: FloatArray) -> FloatArray:
        """Return a bound on the rounding of the gradients of penalty and level at |theta| = size, (p,)."""
        error = unit_rounding(1) * self.penalty_hessian.absolute_dot(size)
        return np.asarray(error + unit_rounding(self.rows.classes) * self.rows.level(size[:, None])[:, 0])

    def left_over(self, rows: Indices) -> Any:
        """Return the risk without the rows, to be minimised by itself."""
        return left_over(self.risk, rows)


AnyExpansion = Expansion | ClassExpansion


class ClassRemainder(Remaining):
    """The objectives F_k of K removals for one predictor per class."""

    expansion: ClassExpansion

    def _tile(self, removals: int) -> int:
        return max(16, TILE // (self.expansion.rows.classes * max(removals, 1)))

    def summed(self, theta: FloatArray) -> FloatArray:
        """Return the gradients: two products with X."""
        rows = self.expansion.rows
        columns = rows.columns(theta)
        q, K, k = columns.shape
        total = np.zeros((q, K * k))
        for part, block in rows.design.blocks(self._tile(k)):
            slopes = slopes_of((block @ columns.reshape(q, -1)).reshape(-1, K, k), rows.y[part])
            slopes *= rows.weights[part, None, None]
            row, removal = self.gone(part)
            slopes[row, :, removal] = 0.0
            total += block.T @ slopes.reshape(-1, K * k)
        result = rows.coefficients(total.reshape(q, K, k).swapaxes(0, 1))
        return np.asarray(result + self.factors * rows.penalty.dot(theta) + rows.level(theta))

    def bend(self, delta: FloatArray) -> FloatArray:
        """Return the sum of w_j k3_j(d) (x) x_j over all rows, d = x_j delta_k: third cumulants, (p, K)."""
        rows = self.expansion.rows
        columns = rows.columns(delta)
        q, K, k = columns.shape
        total = np.zeros((q, K * k))
        for part, block in rows.design.blocks(self._tile(k)):
            moved = (block @ columns.reshape(q, -1)).reshape(-1, K, k)
            pi = self.expansion.pi[part][:, :, None]
            moved -= np.sum(pi * moved, axis=1, keepdims=True)
            moved *= moved
            moved -= np.sum(pi * moved, axis=1, keepdims=True)
            moved *= rows.weights[part, None, None] * pi
            total += block.T @ moved.reshape(-1, K * k)
        return rows.coefficients(total.reshape(q, K, k).swapaxes(0, 1))

    def movement(self, theta: FloatArray) -> FloatArray:
        """Return max_j range(x_j'(theta_k - theta-hat)) over the rows left, shape (K,)."""
        rows = self.expansion.rows
        columns = rows.columns(theta - self.expansion.theta[:, None])
        q, K, k = columns.shape
        result = np.zeros(k)
        for part, block in rows.design.blocks(self._tile(k)):
            spread = np.ptp((block @ columns.reshape(q, -1)).reshape(-1, K, k), axis=1)
            spread[self.gone(part)] = 0.0
            np.maximum(result, spread.max(axis=0), out=result)
        return result


def slopes_of(eta: FloatArray, y: Indices) -> FloatArray:
    """Return pi - e_y, shape (n, K, k), of predictors, which are overwritten: no entry cancels."""
    eta -= eta.max(axis=1, keepdims=True)
    np.exp(eta, out=eta)
    place = np.arange(len(eta)), y
    own = eta[place]
    eta[place] = 0.0
    others = eta.sum(axis=1)
    own += others
    eta /= own[:, None]
    eta[place] = -others / own
    return eta
