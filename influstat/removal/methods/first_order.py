"""Removal to first order: theta-hat + S^-1 sum of w_i g_i, S = W H (Koh and Liang 2017)."""

from __future__ import annotations

import numpy as np

from influstat.input.groups import Groups
from influstat.minimise.minimum import Minimum
from influstat.removal.methods.base import Method, Outcome
from influstat.solvers import Cholesky


class FirstOrder(Method):
    """-sum over the group of (w_i / W) I_theta(i), added to theta-hat."""

    def __init__(self, fit: Minimum) -> None:
        self._fit = fit
        self._inverse = Cholesky().prepare(fit.hessian)

    def remove(self, groups: Groups) -> Outcome:
        """Return the first-order coefficients of one block of removals."""
        risk, theta = self._fit.risk, self._fit.theta
        gradients = risk.row_gradients(theta, groups.members)
        gradients *= risk.weights[groups.members, None] / risk.total_weight
        delta = self._inverse.solve(groups.added(gradients).T)
        return Outcome(theta[:, None] + delta, np.zeros(len(groups), dtype=np.bool_), [""] * len(groups))
