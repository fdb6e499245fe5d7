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
from dataclasses import dataclass, replace

import numpy as np

from influstat.algebra.symmetric import packed, packed_size
from influstat.errors import SingularHessian
from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.removal.certificates.anchor import SoftmaxAnchor
from influstat.removal.class_expansion import ClassExpansion, slopes_of
from influstat.removal.engine import plan as planning
from influstat.removal.engine.expanded import AT_ONCE, ExpandedSum
from influstat.removal.engine.plan import Plan, Terms, cheapest_expansion, counted_norms, spread_of, sums
from influstat.removal.engine.tensors import Tensors

BOUNDS = (1.0, 1.5)  # of the fourth and the fifth cumulant


@dataclass(frozen=True, eq=False)
class _Terms:
    """What each row adds to T3 and T4."""

    expansion: ClassExpansion
    anchor: SoftmaxAnchor
    weights: FloatArray  # 0 of the rows that are not expanded

    def tensors(self, *, fourth: bool) -> Tensors:
        """Return the sums."""
        rows = self.expansion.rows
        found = Tensors(self._powers(), rows.shape[1], fourth=fourth)
        for contrasts, pi, weights in self._contrasts() if fourth else ():
            squares = sum(packed(contrasts[a]) * pi[:, a] for a in range(rows.classes))
            found.less_squares(np.asarray(squares), 3.0 * weights)
        return found

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
                yield contrasts, pi, self.weights[rows][part]

    def _powers(self) -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
        for contrasts, pi, weights in self._contrasts():
            for a, c in enumerate(contrasts):
                own = weights * pi[:, a]
                yield c, own, own


class ClassRows(ExpandedSum):
    """The sum over all rows around theta-hat, expanded as the plan says, in the coordinates of the anchor."""

    expansion: ClassExpansion
    anchor: SoftmaxAnchor

    def __init__(self, expansion: ClassExpansion, anchor: SoftmaxAnchor, plan: Plan) -> None:
        rows, norms = expansion.rows, counted_norms(expansion, anchor)
        kept = np.argsort(-norms, kind="stable")[: plan.kept]
        norms[kept] = 0.0
        place = np.full(len(norms), -1)
        place[kept] = np.arange(len(kept))
        self._rows, self._x, self._y = kept, rows.design.rows(kept), rows.y[kept]
        terms = _Terms(expansion, anchor, np.where(norms > 0, rows.weights, 0.0))
        fixed = expansion.data_gradient + rows.level(expansion.theta[:, None])[:, 0]
        largest, tensors = float(np.max(norms, initial=0.0)), terms.tensors(fourth=plan.order == 4)
        super().__init__(expansion, anchor, place, largest, tensors, fixed, BOUNDS)

    def _penalty(self, theta: FloatArray) -> FloatArray:
        return self.expansion.rows.penalty.dot(theta)

    def _kept(self, delta: FloatArray) -> tuple[FloatArray, FloatArray]:
        rows, columns = self.expansion.rows, self.expansion.rows.columns(delta)
        q, K, k = columns.shape
        shift = (self._x @ columns.reshape(q, -1)).reshape(-1, K, k)
        rest = (self._x.T @ self._rest(shift).reshape(-1, K * k)).reshape(q, K, k)
        return rows.coefficients(rest.swapaxes(0, 1)), np.ptp(shift, axis=1)

    def _rest(self, shift: FloatArray) -> FloatArray:
        """Return w (pi(eta + d) - pi - W d) of the kept rows, shape (s, K, k)."""
        expansion, kept = self.expansion, self._rows
        pi = expansion.pi[kept][:, :, None]
        rest = slopes_of(expansion.eta[kept][:, :, None] + shift, self._y)
        rest -= expansion.slopes[kept][:, :, None]
        rest -= pi * (shift - np.sum(pi * shift, axis=1, keepdims=True))
        rest *= expansion.rows.weights[kept][:, None, None]
        return rest

    def _own(self, groups: Groups, delta: FloatArray) -> FloatArray:
        expansion, members, columns = self.expansion, groups.members, self.expansion.rows.columns(delta)
        shift = np.einsum("sq,qas->sa", expansion.rows.design.rows(members), columns[:, :, groups.owners])
        eta = expansion.eta[members] + shift
        return expansion.own_slopes(groups, slopes_of(eta[:, :, None], expansion.rows.y[members])[:, :, 0])


def planned_classes(
    expansion: ClassExpansion, groups: Groups, anchor: SoftmaxAnchor | None = None
) -> tuple[Plan, SoftmaxAnchor | None]:
    """Return the plan of least cost, and the coordinates that it needs: those given, or the mean share's."""
    rows, K = expansion.rows, expansion.rows.classes
    plan = sums(len(groups), *rows.design.shape)
    plan = replace(plan, operations=K * plan.operations)  # a slope for each class
    if plan.operations <= planning.SMALL:
        return plan, None
    try:
        if anchor is None:
            anchor = expansion.anchor(float(np.mean(expansion.left(groups))))
    except SingularHessian:  # too few digits for proofs
        return plan, None
    terms = Terms(*rows.shape, plan, expansion.concordance, BOUNDS, powers=K, squares=K + 1, predictors=K)
    return cheapest_expansion(terms, len(groups), spread_of(expansion, anchor, groups)), anchor


def planned_rows(
    expansion: ClassExpansion, groups: Groups, anchor: SoftmaxAnchor | None = None
) -> tuple[Plan, ClassRows | None]:
    """Return the plan for these removals, and the expanded sum where that has one."""
    plan, anchor = planned_classes(expansion, groups, anchor)
    return plan, None if anchor is None or plan.order == 2 else ClassRows(expansion, anchor, plan)
