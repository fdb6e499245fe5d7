"""Refits of risks with one predictor per class for every removal at once."""

from __future__ import annotations

from influstat.input.groups import Groups
from influstat.removal.class_expansion import ClassesOfRisk
from influstat.removal.engine.class_plan import planned_classes
from influstat.removal.engine.class_rows import ClassRows
from influstat.removal.methods.exact import SharedRefit


class ClassRefit(SharedRefit):
    """Minimisers of F_k, each with its gradient; see `exact`."""

    def __init__(self, expansion: ClassesOfRisk, groups: Groups) -> None:
        plan, anchor = planned_classes(expansion, groups)
        rows = None if anchor is None or plan.order == 2 else ClassRows(expansion, anchor, plan)
        super().__init__(expansion, groups, plan.operations, rows)
