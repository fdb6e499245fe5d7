"""Removals for risks that are known only through the `Risk` contract: one reweighted risk each.

Slow but right: nothing is shared between removals. For linear risks `newton_step` and `exact` find the
same for all of them together.
"""

from __future__ import annotations

import numpy as np

from influstat.errors import InflustatError
from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.minimise.newton import minimise
from influstat.removal.methods.base import Method, Outcome, without
from influstat.risks.contract import Risk, left_over
from influstat.solvers import Cholesky


class _OneByOne(Method):
    """What both share: a risk of its own for every removal."""

    exact = False

    def __init__(self, risk: Risk, theta: FloatArray) -> None:
        self._risk, self._theta = risk, theta

    def remove(self, groups: Groups) -> Outcome:
        """Return the coefficients without each group of one block."""
        theta = np.full((len(self._theta), len(groups)), np.nan)
        norms = np.full(len(groups), np.nan)
        status = [""] * len(groups)
        for k in range(len(groups)):
            try:
                part = left_over(self._risk, groups[k])
                theta[:, k] = self._solve(part)
                share = part.total_weight / self._risk.total_weight
                norms[k] = np.linalg.norm(part.gradient(theta[:, k])) * share
            except InflustatError as error:
                status[k] = without(groups[k], str(error))
        converged = np.array([self.exact and not text for text in status], dtype=np.bool_)
        return Outcome(theta, converged, status, norms)

    def _solve(self, part: Risk) -> FloatArray:
        raise NotImplementedError  # pragma: no cover - each has its own


class OwnNewtonStep(_OneByOne):
    """theta-hat - H_-k^-1 grad R_-k(theta-hat), with the Hessian of the risk without the group."""

    def _solve(self, part: Risk) -> FloatArray:
        inverse = Cholesky().prepare(part.curvature(self._theta))
        return self._theta - inverse.solve(part.gradient(self._theta))


class OwnRefit(_OneByOne):
    """Newton's method on the risk without the group, from theta-hat."""

    exact = True

    def _solve(self, part: Risk) -> FloatArray:
        return minimise(part, start=self._theta, downhill=True).theta
