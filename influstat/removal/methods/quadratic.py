"""Squared error: exact coefficients without each row or group in closed form, O(n p^2) for all rows.

One Newton step is exact where the third derivative vanishes, whatever the weights, the offset, the
penalty and its protocol. The gradient at its end is had from the Gram matrix, without another pass over
the rows, and one step of refinement takes off what rounding has left.
"""

from __future__ import annotations

import numpy as np

from influstat.errors import InflustatError
from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.removal.expansion import Expansion, Remainder
from influstat.removal.inverse import Downdated
from influstat.removal.methods.base import Method, Outcome, without
from influstat.removal.methods.newton_step import NewtonStep, anew

# Steps where shares of the penalty differ, whose coordinates round relative to the largest change, and for
# sets of rows, which take whole directions from the whitened Hessian.
REFINED = 1
REFINEMENTS = 4  # of a removal that is solved by itself
ILL_CONDITIONED = 1e-6  # below, the Gram matrix has too few digits: one step with the rows' own residuals


class ClosedForm(Method):
    """theta-hat - S_-k^-1 grad F_k(theta-hat), refined once: the minimiser of a quadratic F_k."""

    def __init__(self, expansion: Expansion, groups: Groups) -> None:
        self.expansion = expansion
        self._newton = NewtonStep(expansion, groups)

    def remove(self, groups: Groups) -> Outcome:
        """Return the minimisers of one block of removals."""
        expansion = self.expansion
        remainder = expansion.remainder(groups)
        inverse = Downdated(expansion, self._newton.shared, groups, remainder.factors)
        center = remainder.gradients_at_center()
        delta = -inverse.center(center)
        for _ in range(0 if self._newton.shared.common and groups.single else REFINED):
            delta -= inverse.solve(self._gradients(remainder, center, delta))
        gradients = self._gradients(remainder, center, delta)
        if self._newton.shared.reciprocal_condition < ILL_CONDITIONED:
            delta -= inverse.solve(remainder.gradients(expansion.theta[:, None] + delta))
            gradients = remainder.gradients(expansion.theta[:, None] + delta)
        norms = np.linalg.norm(gradients, axis=0)
        status = [""] * len(groups)
        for k in np.flatnonzero(inverse.hard).tolist():
            try:
                delta[:, k], norms[k] = self._anew(remainder, k, center[:, k])
            except InflustatError as error:
                status[k] = without(groups[k], str(error))
        converged = np.array([not text for text in status], dtype=np.bool_)
        theta = expansion.theta[:, None] + delta
        return Outcome(theta, converged, status, norms / expansion.risk.total_weight)

    def _gradients(self, remainder: Remainder, center: FloatArray, delta: FloatArray) -> FloatArray:
        """Return grad F_k(theta-hat + delta_k) = grad F_k(theta-hat) + S_-k delta_k, shape (p, K)."""
        risk, groups = self.expansion.risk, remainder.groups
        result = self._newton.shared.data_hessian @ delta
        result += center
        result += remainder.factors * self.expansion.penalty_hessian.dot(delta)
        x = risk.design.rows(groups.members)
        second = self.expansion.second[groups.members]
        along = np.einsum("mp,pm->m", x, delta[:, groups.owners] if not groups.single else delta)
        x *= (second * along)[:, None]
        result -= x.T if groups.single else np.add.reduceat(x, groups.starts[:-1], axis=0).T
        return np.asarray(result)

    def _anew(self, remainder: Remainder, k: int, center: FloatArray) -> tuple[FloatArray, float]:
        """Return the step and its final gradient norm from the rows left alone: no cancellation."""
        rows = remainder.groups[k]
        inverse = anew(self.expansion, rows, float(remainder.factors[k]))
        part = self.expansion.left_over(rows)
        delta = -inverse.solve(center)
        norm = np.inf
        for _ in range(REFINEMENTS):  # with the residuals of the rows themselves, as a refit would
            gradient = part.total_weight * part.gradient(self.expansion.theta + delta)
            before, norm = norm, float(np.linalg.norm(gradient))
            if not norm < 0.5 * before:
                break
            delta = delta - inverse.solve(gradient)
        gradient = part.total_weight * part.gradient(self.expansion.theta + delta)
        return delta, float(np.linalg.norm(gradient))
