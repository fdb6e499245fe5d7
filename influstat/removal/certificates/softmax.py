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

import numpy as np

from influstat.algebra.rounding import LONG_EPSILON, unit_rounding
from influstat.curvature.softmax import probabilities
from influstat.input.groups import Groups, Indices
from influstat.input.validation import FloatArray
from influstat.removal.certificates.anchor import Anchor, SoftmaxAnchor
from influstat.removal.certificates.measured import HOPELESS, Measured
from influstat.removal.class_expansion import ClassExpansion
from influstat.removal.engine.class_rows import ClassRows, planned_rows
from influstat.risks.class_predictors import ClassPredictors


class SoftmaxPoint:
    """The rows of a softmax risk around theta (p,), as certificates ask for them."""

    concordance, penalty_concordance = 1.0, 0.0

    def __init__(self, rows: ClassPredictors, theta: FloatArray) -> None:
        self.rows, self.theta = rows, theta
        self.shape, self.weights, self.total_weight = rows.shape, rows.weights, rows.total_weight
        self.protocol = rows.protocol
        # Runs that are long enough for what each costs beside: three passes over the rows.
        self.width = max(rows.shape[0] * rows.classes // 8, rows.shape[1])
        self.unpenalised = rows.penalty.zero
        self.expansion = ClassExpansion(rows, theta)
        self.eta, self._pi, self._rest = self.expansion.eta, self.expansion.pi, self.expansion.rest

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

    def expanded(self, anchor: Anchor, groups: Groups) -> ClassRows | None:
        """Return the sums over all rows, expanded once, where that is cheaper; else None."""
        assert isinstance(anchor, SoftmaxAnchor)
        return planned_rows(self.expansion, groups, anchor)[1]

    def measuring(self, anchor: Anchor) -> Callable[[Groups, FloatArray, FloatArray], Measured]:
        """Return what measures many removals around this point."""
        return lambda groups, theta, left: self.measure(anchor, groups, theta, left)

    # -- what certificates measure --------------------------------------------------------------------

    def measure(self, anchor: Anchor, groups: Groups, theta: FloatArray, left: FloatArray) -> Measured:
        """Measure at theta (k, p) by sums over all rows."""
        rows, weights = self.rows, self.weights
        present = weights > 0
        away = np.max(np.abs(theta - self.theta), axis=1)
        eta = rows.predictors(theta)
        spread = np.ptp(eta - self.eta[:, :, None], axis=1)
        gone = groups.members, groups.owners
        spread[gone] = 0.0
        path = np.max(spread[anchor.kept & present], axis=0, initial=0.0)
        wild = ~(path < HOPELESS)
        theta = np.where(wild[:, None], self.theta, theta)  # they would only add to the others' rounding
        eta[:, :, wild] = self.eta[:, :, None]
        largest = np.maximum(np.max(np.abs(theta), axis=0), np.abs(self.theta))
        slip = self.expansion.slip(largest)
        doubt = 8.0 * float(np.max(slip[present], initial=0.0))
        path = np.where(wild, np.inf, path + doubt)
        pi, rest = probabilities(eta)
        slopes = pi.copy()
        own = np.arange(len(pi)), rows.y
        slopes[own] = -rest[own]
        variance = pi * rest
        second = 0.5 * np.sum(variance, axis=1)
        moved = slopes - self.expansion.slopes[:, :, None]
        for array in (slopes, variance, moved):
            array.swapaxes(1, 2)[gone] = 0.0
        second[gone] = 0.0
        error = self._error(slopes, variance, moved, slip)
        error += self.expansion.held_error(largest)
        columns = np.ascontiguousarray(theta.T)
        gradient = self._sum(weights[:, None, None] * moved)
        gradient += self.expansion.data_gradient[:, None] - self.expansion.own_slopes(groups)
        gradient += left * rows.penalty.dot(columns) + rows.level(columns)
        lost = ~anchor.kept
        given_up = (weights[lost] * anchor.row_norms[lost] ** 2) @ second[lost]
        given_up *= np.exp(min(doubt, 700.0))
        return Measured(gradient, error, path, away, given_up, np.zeros(len(left)))

    def _sum(self, slopes: FloatArray, *, absolute: bool = False) -> FloatArray:
        """Return the sum of slopes (n, K, ...) times rows, or of their sizes: shape (p, ...)."""
        design, flat = self.rows.design, slopes.reshape(len(slopes), -1)
        found = design.absolute_transpose_dot(flat) if absolute else design.transpose_dot(flat)
        blocks = np.moveaxis(found.reshape(-1, *slopes.shape[1:]), 0, 1)
        return self.rows.coefficients(blocks)

    def _error(
        self, slopes: FloatArray, variance: FloatArray, moved: FloatArray, slip: FloatArray
    ) -> FloatArray:
        """Return a bound on the rounding error of the sum of slopes, shape (p,)."""
        n, K = self.eta.shape
        own, feel = 2.0 * unit_rounding(K), 4.0 * slip[:, None]
        there = np.abs(self.expansion.slopes)
        # The slopes at theta-hat count twice, in the sum and for the rows that leave it, and their own sum
        # is rounded once more; those here differ, and add up what differs.
        size = (3.0 * own + n * LONG_EPSILON) * there + 2.0 * feel * self._pi * self._rest
        here = own * np.abs(slopes) + feel[:, :, None] * variance + unit_rounding(n) * np.abs(moved)
        return self._sum(self.weights[:, None] * (size + here.max(axis=2)), absolute=True)
