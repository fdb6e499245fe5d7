"""Sums over all rows of several classes, expanded once: nothing grows with n x K removals.

In coordinates u of the anchor, |u|^2 = delta'C delta with C at least the Hessian of the data. Row j has
predictors that move by d_j = (x_j'delta_a)_a, and its loss's derivatives along delta are the cumulants of
d_ja with a drawn by pi_j. With the centred contrasts c_ja = z_ja - sum_b pi_jb z_jb, z_ja the coordinates of
e_a (x) x_j, and C_j = sum_a pi_ja c_ja c_ja',

    T3 = sum_j w_j sum_a pi_ja c_ja^(x)3
    T4[u, u, u] = sum_j w_j [ sum_a pi_ja c_ja (c_ja'u)^3 - 3 C_j u (u'C_j u) ]

    sum_j w_j (pi(eta_j + d_j) - e_y) (x) x_j = (the same at 0) + A u + T3[u, u] / 2 + T4[u, u, u] / 6
                                                + sum_{j kept} w_j rest_j (x) x_j + remainder,

rest_j = pi(eta_j + d) - pi - W d. With m the largest contrast |z_ja - z_jb| of the rows not kept, D = m |u|,

    |remainder| <= (1.5 / 24) e^D D^3 |u|,     without T4:  (1 / 6) e^D D^2 |u|.

Proof: for a direction v let V be its centred values, D those of d, r = range(d), so |D| <= r and
Var = E D^2 <= r^2 / 4. The fourth cumulant along d, d, d, v is E[D (D^2 - 3 Var) V], where |D^2 - 3 Var| <=
r^2; the fifth is E[D (D^3 - 6 Var D - 4 E D^3) V]. With |D| <= t r, t <= 1 the largest, Var <= t (1 - t) r^2
and |E D^3| <= t r Var, so |D^3 - 6 Var D - 4 E D^3| is at most t r max(t^2 r^2 + 4 Var, 10 Var) <=
r^3 max(t^2 (4 - 3 t), 10 t^2 (1 - t)) <= 1.5 r^3 (at t = 2/3). By Cauchy and Schwarz both cumulants are at
most c_m r^(m - 2) (Var(d) Var(v))^1/2, which along the way grows by no more than e^r
(`certificates.softmax`); Taylor's theorem, the sum over rows (again Cauchy and Schwarz) and
sum_j w_j Var_j(d_j) <= |u|^2 give the rest.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from influstat.algebra.packed import packed, packed_size
from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.removal.certificates.class_anchor import SoftmaxAnchor
from influstat.removal.class_expansion import ClassExpansion, slopes_of
from influstat.removal.engine.class_plan import BOUNDS, counted, planned_classes
from influstat.removal.engine.expanded import AT_ONCE, Expanded, remainders
from influstat.removal.engine.plan import Plan
from influstat.removal.engine.tensors import Tensors


class ClassRows:
    """The sum over all rows around theta-hat, expanded as the plan says.

    Parameters
    ----------
    expansion : ClassExpansion
        Probabilities at theta-hat.
    anchor : SoftmaxAnchor
        C, whose coordinates are used.
    plan : Plan
        Its order, and how many rows are kept as they are.
    """

    concordance = 1.0

    def __init__(self, expansion: ClassExpansion, anchor: SoftmaxAnchor, plan: Plan) -> None:
        self.expansion, self.anchor, self.has_fourth = expansion, anchor, plan.order == 4
        rows, norms = expansion.rows, counted(expansion, anchor)
        kept = np.argsort(-norms, kind="stable")[: plan.kept]
        norms[kept] = 0.0
        self.largest = float(np.max(norms, initial=0.0))
        self._place = np.full(len(norms), -1)  # of each row among those kept
        self._place[kept] = np.arange(len(kept))
        self._kept, self._x, self._y = kept, rows.design.rows(kept), rows.y[kept]
        self._weights = np.where(norms > 0, rows.weights, 0.0)  # of the rows that are expanded
        self._tensors = Tensors(self._powers(), rows.shape[1], fourth=self.has_fourth)
        if self.has_fourth:
            for contrasts, pi, weights in self._contrasts():
                squares = sum(packed(contrasts[a]) * pi[:, a] for a in range(rows.classes))
                self._tensors.less_squares(np.asarray(squares), 3.0 * weights)
        self._fixed = expansion.data_gradient + rows.level(expansion.theta[:, None])[:, 0]

    def _contrasts(self) -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
        """Yield c, shape (K, p, t), with pi (t, K) and the weights (t,)."""
        expansion = self.expansion
        p, K = expansion.rows.shape[1], expansion.rows.classes
        step = max(16, AT_ONCE // (K * 2 * packed_size(p)))
        for rows, block in expansion.rows.design.dense_blocks():
            for start in range(0, len(block), step):
                part = slice(start, start + step)
                pi = expansion.pi[rows][part]
                contrasts = np.moveaxis(self.anchor.contrasts(block[part]), 2, 0)
                contrasts = contrasts - np.einsum("kpt,tk->pt", contrasts, pi)
                yield contrasts, pi, self._weights[rows][part]

    def _powers(self) -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
        for contrasts, pi, weights in self._contrasts():
            for a, c in enumerate(contrasts):
                own = weights * pi[:, a]
                yield c, own, own

    def remainders(self, moved: FloatArray, *, fourth: bool) -> FloatArray:
        """Return the bound on the remainder for displacements of these lengths |u|, inf beyond float64."""
        return remainders(self.largest, moved, self.concordance, BOUNDS, fourth=fourth)

    def at(self, groups: Groups, left: FloatArray, theta: FloatArray, *, fourth: bool) -> Expanded:
        """Return gradients without each group, whose penalty shares left are `left`, at columns of theta."""
        expansion, rows = self.expansion, self.expansion.rows
        delta = theta - expansion.theta[:, None]
        u = self.anchor.coordinates(delta)
        moved = np.linalg.norm(u, axis=0)
        gradient = self.anchor.gradients(self._tensors.second_order(u, fourth=fourth))
        gradient += self._fixed[:, None]
        gradient += expansion.data_hessian @ delta
        gradient += left * rows.penalty.dot(theta)
        columns = rows.columns(delta)
        q, K, k = columns.shape
        shift = (self._x @ columns.reshape(q, -1)).reshape(-1, K, k)
        rest = self._rest(shift).reshape(-1, K * k)
        gradient += rows.coefficients((self._x.T @ rest).reshape(q, K, k).swapaxes(0, 1))
        gradient -= self._own(groups, columns)
        spread = np.ptp(shift, axis=1)
        place = self._place[groups.members]
        spread[place[place >= 0], groups.owners[place >= 0]] = 0.0  # of rows that leave
        path = np.maximum(self.largest * moved, np.max(spread, axis=0, initial=0.0))
        return Expanded(gradient, self.remainders(moved, fourth=fourth), moved, path)

    def _rest(self, shift: FloatArray) -> FloatArray:
        """Return w (pi(eta + d) - pi - W d) of the kept rows, shape (s, K, k)."""
        expansion, kept = self.expansion, self._kept
        pi = expansion.pi[kept][:, :, None]
        rest = slopes_of(expansion.eta[kept][:, :, None] + shift, self._y)
        rest -= expansion.slopes[kept][:, :, None]
        rest -= pi * (shift - np.sum(pi * shift, axis=1, keepdims=True))
        rest *= expansion.rows.weights[kept][:, None, None]
        return rest

    def _own(self, groups: Groups, columns: FloatArray) -> FloatArray:
        """Return the sum of w_i (pi - e_y) (x) x_i over every group at its own theta, shape (p, k)."""
        expansion, members = self.expansion, groups.members
        shift = np.einsum("sq,qas->sa", expansion.rows.design.rows(members), columns[:, :, groups.owners])
        eta = expansion.eta[members] + shift
        return expansion.own_slopes(groups, slopes_of(eta[:, :, None], expansion.rows.y[members])[:, :, 0])


def planned_rows(expansion: ClassExpansion, groups: Groups) -> tuple[Plan, ClassRows | None]:
    """Return the plan for these removals, and the expanded sum where that has one."""
    plan, anchor = planned_classes(expansion, groups)
    return plan, None if anchor is None or plan.order == 2 else ClassRows(expansion, anchor, plan)
