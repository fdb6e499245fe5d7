"""Which way to refit without each group costs least where rows have one predictor per class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from influstat.errors import SingularHessian
from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.removal.certificates.anchor import Anchor
from influstat.removal.certificates.class_anchor import SoftmaxAnchor
from influstat.removal.class_expansion import ClassExpansion
from influstat.removal.engine import plan as planning
from influstat.removal.engine.plan import KEPT, Plan, Terms, cheapest_expansion, sums

BOUNDS = (1.0, 1.5)  # of the fourth and the fifth cumulant, see `class_rows`


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
    norms = counted(expansion, anchor)
    leverage = np.minimum(groups.sums(expansion.second * norms**2), 0.99)
    lengths: FloatArray = groups.sums(expansion.pull * norms) / (1.0 - leverage)
    spread = -np.sort(-norms)[: KEPT[-1] + 1], lengths, np.ones(len(lengths), dtype=np.intp)
    terms = Terms(*rows.shape, plan, expansion.concordance, BOUNDS, powers=K, squares=K + 1, predictors=K)
    return cheapest_expansion(terms, len(groups), spread), anchor


def counted(expansion: ClassExpansion, anchor: Anchor) -> FloatArray:
    """Return the largest contrast |z| of every row, 0 for rows without weight."""
    return np.where(expansion.rows.weights > 0, anchor.row_norms, 0.0)
