"""What removals, their certificates and inference without rows have in common at one minimum.

The fit keeps it (`Minimum.kept`), one thing of each kind: slopes and curvatures of the rows with the sums
that they make, the coordinates of the Hessian in sum scale, and the sum over all rows, expanded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influstat.algebra.symmetric import packed_size
from influstat.errors import SingularHessian
from influstat.input.groups import Groups
from influstat.input.kept import Kept
from influstat.minimise.minimum import Minimum
from influstat.removal.certificates.anchor import Anchor
from influstat.removal.engine.expanded import AllRows
from influstat.removal.engine.plan import Plan, cheapest, sums, worth_expanding
from influstat.removal.engine.third_order import ThirdOrder, pays
from influstat.removal.expansion import Expansion
from influstat.risks.linear import LinearRisk

LARGEST = 2**24  # entries of sums that are kept after they were needed: 128 MiB


@dataclass(frozen=True, eq=False)
class Shared:
    """The parts, each made when it is first asked for."""

    expansion: Expansion  # slopes and curvatures at theta-hat
    kept: Kept  # where the rest is kept: it refers to no fit, so that it is freed with its own

    @classmethod
    def of(cls, fit: Minimum, risk: LinearRisk) -> Shared:
        """Return what a fit has, whose risk is this one."""
        return cls(fit.kept.once("expansion", None, lambda: Expansion(risk, fit.theta)), fit.kept)

    def anchor(self, left: float) -> Anchor:
        """Return the coordinates of the Hessian with this share of the penalty; or raise SingularHessian."""
        expansion, risk = self.expansion, self.expansion.risk

        def make() -> Anchor:
            penalty, summed = expansion.penalty_hessian.scaled(left), (expansion.data_hessian, risk.shape[0])
            return Anchor(risk.design, expansion.second, penalty, give_up=False, summed=summed)

        return self.kept.once("anchor", left, make)

    def rows(self, anchor: Anchor, left: float, plan: Plan) -> AllRows:
        """Return the sum over all rows, expanded as the plan says around `anchor(left)`."""

        def make() -> AllRows:
            return AllRows.planned(self.expansion, anchor, plan)

        if plan.order == 4 and packed_size(len(self.expansion.theta)) ** 2 > LARGEST:
            return make()
        return self.kept.once("expanded sums", (left, plan.order, plan.kept), make)

    def third_order(self, groups: Groups, swept: int) -> ThirdOrder | None:
        """Return how gradients without rows bend, where that spares sums over all rows for so many."""
        if not pays(self.expansion, swept):
            return None
        left = float(np.mean(self.expansion.left(groups)))
        try:
            anchor = self.anchor(left)
        except SingularHessian:  # too few digits: every gradient is measured
            return None
        return self.kept.once("third order", left, lambda: ThirdOrder(self.expansion, anchor))

    def planned(self, groups: Groups) -> tuple[Plan, AllRows | None]:
        """Return the plan of least cost for these removals, and the expanded sum where that has one."""
        plan, anchor, left = self._planned(groups)
        return plan, None if anchor is None or plan.order == 2 else self.rows(anchor, left, plan)

    def plan(self, groups: Groups) -> Plan:
        """Return the plan alone: nothing is summed for it."""
        return self._planned(groups)[0]

    def _planned(self, groups: Groups) -> tuple[Plan, Anchor | None, float]:
        expansion, risk = self.expansion, self.expansion.risk
        plan, left = sums(len(groups), *risk.shape), float(np.mean(expansion.left(groups)))
        if not worth_expanding(risk.loss, len(groups), *risk.shape):
            return plan, None, left
        try:
            anchor = self.anchor(left)
        except SingularHessian:  # too few digits for proofs
            return plan, None, left
        return cheapest(expansion, anchor, groups), anchor, left
