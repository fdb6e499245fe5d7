"""Refits of risks with one predictor per class for every removal at once, and their Newton steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from influstat.algebra.cholesky import CholeskyInverse
from influstat.input.groups import Groups, Indices
from influstat.input.validation import FloatArray
from influstat.removal.class_expansion import ClassExpansion
from influstat.removal.engine.class_plan import planned_classes
from influstat.removal.engine.class_rows import ClassRows
from influstat.removal.methods.base import Method, Outcome
from influstat.removal.methods.exact import SharedRefit
from influstat.removal.methods.general import left_over
from influstat.risks.class_predictors import ClassPredictors
from influstat.risks.contract import Risk


class ClassesOfRisk(ClassExpansion):
    """The rows around theta-hat, with the risk that is minimised where a removal needs a run of its own."""

    def __init__(self, risk: Risk, rows: ClassPredictors, theta: FloatArray) -> None:
        super().__init__(rows, theta)
        self.risk = risk

    def left_over(self, rows: Indices) -> Any:
        """Return the risk without the rows."""
        return left_over(self.risk, rows)


class ClassRefit(SharedRefit):
    """Minimisers of F_k, each with its gradient; see `exact`."""

    def __init__(self, expansion: ClassesOfRisk, groups: Groups) -> None:
        plan, anchor = planned_classes(expansion, groups)
        rows = None if anchor is None or plan.order == 2 else ClassRows(expansion, anchor, plan)
        super().__init__(expansion, groups, plan.operations, rows)


class ClassSecondOrder(Method):
    """theta-hat + theta' + theta'' / 2 for every group; see `second_order`.

    theta'' = S^-1 [ 2 H_S theta' - sum_j w_j k3_j(x_j theta') (x) x_j ], k3 the third cumulants along d:
    k3_a = pi_a ((d_a - E d)^2 - Var d). The penalty is quadratic.
    """

    def __init__(self, expansion: ClassesOfRisk) -> None:
        self.expansion = expansion
        matrix = expansion.data_hessian.copy(order="F")
        expansion.penalty_hessian.add_to(matrix)
        self._inverse = CholeskyInverse(matrix, expansion.risk.names)

    def remove(self, groups: Groups) -> Outcome:
        """Return the coefficients of one block of removals."""
        expansion, remainder = self.expansion, self.expansion.remainder(groups)
        own = expansion.gradient[:, None] - remainder.gradients_at_center()
        first = self._inverse.solve(own)
        taken = (1.0 - remainder.factors) * expansion.penalty_hessian.dot(first)
        curved = expansion.curved(groups)
        along = np.einsum("ps,ps->s", curved.columns, first[:, curved.parts.owners]) * curved.curvature
        taken += curved.parts.added(curved.columns * along, axis=1)
        second = self._inverse.solve(2.0 * taken - remainder.bend(first))
        theta = expansion.theta[:, None] + first + 0.5 * second
        return Outcome(theta, np.zeros(len(groups), dtype=np.bool_), [""] * len(groups))
