"""Certificates of softmax risks: the theorem for rows with one linear predictor per class.

**Setting** (sum scale). Row j has the predictors eta_j = (x_j'theta_a)_a of K classes, probabilities
pi = softmax(eta_j) and the loss log sum_a e^(eta_ja) - eta_jy, whose gradient in eta is pi - e_y and whose
Hessian is W(eta) = diag(pi) - pi pi'. F is the sum of the losses of the rows left, the share 1 - omega of a
quadratic penalty, and the quadratic term that fixes the coefficients' level, which never leaves. With a
reference class, theta has all blocks but the first, and what follows holds with those rows and columns.

**Self-concordance.** For a shift d of the predictors let range(d) = max_a d_a - min_b d_b. With a drawn by
pi, u'W u = Var(u_a), and its derivative along d is the third cumulant (as all derivatives of l are cumulants)
    D^3 l[d, u, u] = E (d_a - E d)(u_a - E u)^2,   at most max_a |d_a - E d| Var(u_a) <= range(d) u'W u
in absolute value. So log u'W(eta + t d)u has a slope between -range(d) and range(d):
    e^-range(d) W(eta) <= W(eta + d) <= e^range(d) W(eta).
This is the theorem's property with c = 1, and the range of a row's shift in the place of |d_j|.

**Constants.** range(x_j v) = max_ab |((e_a - e_b) (x) x_j)'v| <= |x_j|* |v| with

    |x_j|* = max_ab |(e_a - e_b) (x) x_j|*,  rho = max_j |x_j|*,  s = max_j range(x_j (theta - theta_anchor)).

W = sum_{a < b} pi_a pi_b (e_a - e_b)(e_a - e_b)', so the row's part of the Hessian has a trace in B^-1 of at
most h_j = w_j l2_j |x_j|*^2 with l2 = sum_{a < b} pi_a pi_b = (1 - |pi|^2) / 2, and is at most h_j B. That is
the leverage by which rows are given up; eps1 has the same with l2 at theta. Steps 1 to 3 of the theorem use
nothing else: Hess F(theta + v) >= e^(-tau - rho |v|) B, the ball, and the ball around theta - B^-1 G, with
every row's part of Hess F(theta + r v) within e^-+(sigma + r rho q) of that in B. For two classes all this
is the theorem for the logistic loss.

**Anchor.** W = R R' with R_ac = delta_ac pi_a^1/2 - pi_a pi_c^1/2, as delta_ac - pi_a^1/2 pi_c^1/2 is a
projection; so C less the rows of S is C less K columns R_c (x) x_j for each of them (`Downdate`). 1 - pi_a is
the sum of the others everywhere, which does not cancel.

**Floating point.** As in `theorem`: sums are right to u_m of their absolute values, and G is a sum at
theta-hat in extended precision and what differs from it. A predictor is right to slip_j = u_q max_a
|x_j|'|theta_a|, so that a probability is off by at most range(.) pi_a (1 - pi_a), twice that for room, and by
2 u_K pi_a for its own terms. Ranges are off by 8 slips: those of W at the anchor, of W here, and of their
distance.

With p coefficients, measuring takes O(n p) for each removal, and the norms of all rows O(n p^2 K) once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from influstat.algebra.downdate import Downdate
from influstat.algebra.rounding import LONG_EPSILON, unit_rounding
from influstat.curvature.softmax import probabilities
from influstat.input.groups import Groups, Indices
from influstat.input.validation import FloatArray
from influstat.removal.certificates.anchor import Anchor
from influstat.removal.certificates.measured import HOPELESS, Measured
from influstat.risks.class_predictors import ClassPredictors


class SoftmaxAnchor(Anchor):
    """The Hessian of some weights' risk at theta, sum scale; rows count by the largest of their contrasts."""

    def __init__(
        self, rows: ClassPredictors, weights: FloatArray, pi: FloatArray, rest: FloatArray, kept: float
    ) -> None:
        gram = rows.data_hessian(pi, weights)
        second = 0.5 * np.sum(pi * rest, axis=1)
        terms = rows.shape[0] + 2 * rows.classes  # an entry's sum, and what its probabilities took
        penalty = rows.penalty.scaled(kept)
        super().__init__(rows.design, weights * second, penalty, give_up=True, summed=(gram, terms))
        self._rows, self._row_weights, self._pi, self._rest = rows, weights, pi, rest

    @property
    def entries(self) -> int:
        """Numbers that this keeps in memory."""
        return len(self._scale) ** 2 + (2 * self._rows.classes + 5) * len(self.weights)

    @cached_property
    def row_norms(self) -> FloatArray:
        """The largest |(e_a - e_b) (x) x_j|_{C^-1} over pairs of classes, rounded up, shape (n,)."""
        K, design = self._rows.classes, self.design
        norms = np.zeros(design.shape[0])
        first = np.zeros(1, dtype=np.intp)
        for rows, block in design.dense_blocks():
            # Contrasts with class 0; those of other pairs are their differences.
            contrasts = self._rows.functionals(block, np.broadcast_to(first, len(block)))
            whitened = self.whiten(contrasts.reshape(-1, contrasts.shape[2]).T)
            whitened = whitened.reshape(len(whitened), -1, K)
            for b in range(1, K):
                distance = np.linalg.norm(whitened[:, :, :b] - whitened[:, :, [b]], axis=0)
                norms[rows] = np.maximum(norms[rows], distance.max(axis=1))
        return norms * (1.0 + self.relative)

    def downdate(self, groups: Groups) -> Downdate:
        """Return C without each of the groups, in the whitened coordinates: K columns for each row."""
        rows, K = groups.members, self._rows.classes
        pi, rest = self._pi[rows], self._rest[rows]
        root = np.sqrt(pi)
        factors = -pi[:, :, None] * root[:, None]  # R, shape (s, K, K)
        factors[:, np.arange(K), np.arange(K)] = root * rest
        columns = np.einsum("sac,sq->aqsc", factors, self.design.rows(rows))
        columns = self._rows.coefficients(columns.reshape(K, -1, len(rows) * K))
        parts = Groups(np.repeat(rows, K), groups.starts * K, groups.labels)
        return Downdate(self.whiten(columns), np.repeat(self._row_weights[rows], K), parts)


class SoftmaxPoint:
    """The rows of a softmax risk around theta (p,), as `theorem.Point` asks."""

    concordance, penalty_concordance = 1.0, 0.0

    def __init__(self, rows: ClassPredictors, theta: FloatArray) -> None:
        self.rows, self.theta = rows, theta
        self.shape, self.weights, self.total_weight = rows.shape, rows.weights, rows.total_weight
        self.protocol = rows.protocol
        self.width = max(rows.shape[0] * rows.classes, rows.shape[1])
        self.unpenalised = rows.penalty.zero
        self.eta = rows.predictors(theta)
        self._pi, self._rest = probabilities(self.eta)

    def impossible(self) -> str:
        """Return "": something can always be certified."""
        return ""

    def around(self, theta: FloatArray) -> SoftmaxPoint:
        """Return the same rows around other coefficients."""
        return SoftmaxPoint(self.rows, theta)

    def anchor(self, kept: float, without: Indices | None = None) -> SoftmaxAnchor:
        """Return the Hessian here, with this share of the penalty, of all rows or without some."""
        weights = self.weights.copy()
        if without is not None:
            weights[without] = 0.0
        return SoftmaxAnchor(self.rows, weights, self._pi, self._rest, kept)

    def functionals(self, rows: Indices) -> FloatArray:
        """Return the gradients of every predictor less that of the row's class, shape (s, K, p)."""
        return self.rows.functionals(self.rows.design.rows(rows), self.rows.y[rows])

    def expanded(self, anchor: Anchor, groups: Groups) -> None:
        """Return None: sums over all rows are not expanded."""

    def measuring(self, anchor: Anchor) -> Callable[[Groups, FloatArray, FloatArray], Measured]:
        """Return what measures many removals around this point."""
        return lambda groups, theta, left: self.measure(anchor, groups, theta, left)

    # -- slopes ---------------------------------------------------------------------------------------

    def _slopes(self, pi: FloatArray, rest: FloatArray) -> FloatArray:
        """Return pi - e_y, shape (n, K, ...)."""
        slopes = pi.copy()
        own = np.arange(len(pi)), self.rows.y
        slopes[own] = -rest[own]
        return slopes

    @cached_property
    def _first(self) -> FloatArray:
        return self._slopes(self._pi, self._rest)

    def _slip(self, size: FloatArray) -> FloatArray:
        """Return what rounding can do to a predictor of coefficients of this size (p,), shape (n,)."""
        blocks = np.ascontiguousarray(self.rows.by_class(size).T)
        return np.asarray(unit_rounding(len(blocks)) * self.rows.design.absolute_dot(blocks).max(axis=1))

    @cached_property
    def _gradient(self) -> FloatArray:
        """Sum of w_j (pi - e_y) (x) x_j, shape (p,), added in extended precision."""
        first = self.weights[:, None] * self._first
        total = np.zeros((self.rows.classes, self.rows.design.shape[1]), dtype=np.longdouble)
        for rows, block in self.rows.design.dense_blocks():
            total += np.einsum("jk,jq->kq", first[rows], block, dtype=np.longdouble)
        return self.rows.coefficients(total.astype(np.float64))

    def _sum(self, slopes: FloatArray, *, absolute: bool = False) -> FloatArray:
        """Return the sum of slopes (n, K, ...) times rows, or of their sizes: shape (p, ...)."""
        design, flat = self.rows.design, slopes.reshape(len(slopes), -1)
        found = design.absolute_transpose_dot(flat) if absolute else design.transpose_dot(flat)
        blocks = np.moveaxis(found.reshape(-1, *slopes.shape[1:]), 0, 1)
        return self.rows.coefficients(blocks)

    def _own_slopes(self, groups: Groups) -> FloatArray:
        """Return the sum of w_j (pi - e_y) (x) x_j over every group, shape (p, k)."""
        members = groups.members
        first = self.weights[members, None] * self._first[members]
        each = np.einsum("sa,sq->aqs", first, self.rows.design.rows(members))
        return self.rows.coefficients(np.add.reduceat(each, groups.starts[:-1], axis=2))

    def _level(self, size: FloatArray) -> FloatArray:
        """Return the gradient of the term that fixes the level at theta (p, k)."""
        blocks = size.reshape(-1, len(self.rows.gauge), size.shape[1])
        level = self.rows.gauge[:, None] * blocks.sum(axis=0)
        return np.tile(level, (len(blocks), 1))

    # -- what certificates measure --------------------------------------------------------------------

    def measure(self, anchor: Anchor, groups: Groups, theta: FloatArray, left: FloatArray) -> Measured:
        """Measure at theta (k, p) by sums over all rows."""
        rows, weights = self.rows, self.weights
        present = weights > 0
        away = np.max(np.abs(theta - self.theta), axis=1)
        eta = rows.predictors(theta)
        spread = _range(eta - self.eta[:, :, None])
        gone = groups.members, groups.owners
        spread[gone] = 0.0
        path = np.max(spread[anchor.kept & present], axis=0, initial=0.0)
        wild = ~(path < HOPELESS)
        theta = np.where(wild[:, None], self.theta, theta)  # they would only add to the others' rounding
        eta[:, :, wild] = self.eta[:, :, None]
        largest = np.maximum(np.max(np.abs(theta), axis=0), np.abs(self.theta))
        slip = self._slip(largest)
        doubt = 8.0 * float(np.max(slip[present], initial=0.0))
        path = np.where(wild, np.inf, path + doubt)
        pi, rest = probabilities(eta)
        slopes = self._slopes(pi, rest)
        variance = pi * rest
        second = 0.5 * np.sum(variance, axis=1)
        moved = slopes - self._first[:, :, None]
        for array in (slopes, variance, moved):
            array.swapaxes(1, 2)[gone] = 0.0
        second[gone] = 0.0
        error = self._error(slopes, variance, moved, slip)
        error += unit_rounding(1) * rows.penalty.absolute_dot(largest)
        error += unit_rounding(rows.classes) * self._level(largest[:, None])[:, 0]
        columns = np.ascontiguousarray(theta.T)
        gradient = self._sum(weights[:, None, None] * moved)
        gradient += self._gradient[:, None] - self._own_slopes(groups)
        gradient += left * rows.penalty.dot(columns) + self._level(columns)
        lost = ~anchor.kept
        given_up = (weights[lost] * anchor.row_norms[lost] ** 2) @ second[lost]
        given_up *= np.exp(min(doubt, 700.0))
        return Measured(gradient, error, path, away, given_up, np.zeros(len(left)))

    def _error(
        self, slopes: FloatArray, variance: FloatArray, moved: FloatArray, slip: FloatArray
    ) -> FloatArray:
        """Return a bound on the rounding error of the sum of slopes, shape (p,)."""
        n, K = self.eta.shape
        own, feel = 2.0 * unit_rounding(K), 4.0 * slip[:, None]
        there = np.abs(self._first)
        # The slopes at theta-hat count twice, in the sum and for the rows that leave it, and their own sum
        # is rounded once more; those here differ, and add up what differs.
        size = (3.0 * own + n * LONG_EPSILON) * there + 2.0 * feel * self._pi * self._rest
        here = own * np.abs(slopes) + feel[:, :, None] * variance + unit_rounding(n) * np.abs(moved)
        return self._sum(self.weights[:, None] * (size + here.max(axis=2)), absolute=True)


def _range(shift: FloatArray) -> FloatArray:
    """Return max - min over the classes of shifts (n, K, k), shape (n, k)."""
    return np.asarray(shift.max(axis=1) - shift.min(axis=1))
