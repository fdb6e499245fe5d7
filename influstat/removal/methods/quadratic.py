"""Squared error: exact coefficients without each row or group in closed form, O(n p^2) for all rows.

One Newton step is exact where the third derivative vanishes, whatever the weights, the offset, the
penalty and its protocol. The gradient at its end is had from the Gram matrix, without another pass over
the rows, where it is asked for. One step of refinement takes off what rounding has left of sets of rows.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from influstat.errors import InflustatError
from influstat.input.groups import Groups, Indices
from influstat.input.validation import FloatArray
from influstat.removal.expansion import Expansion
from influstat.removal.inverse import Downdated
from influstat.removal.methods.base import Method, Outcome, without
from influstat.removal.methods.newton_step import NewtonStep, anew

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
        theta = inverse.newton_steps(remainder.gradients_at_center)
        # Where shares of the penalty differ coordinates round relative to the largest change, and sets
        # of rows take whole directions from the whitened Hessian.
        if not (self._newton.shared.common and groups.single):
            theta -= inverse.solve(remainder.quadratic_gradients(theta))
        theta += expansion.theta[:, None]
        if self._newton.shared.reciprocal_condition < ILL_CONDITIONED:
            theta -= inverse.solve(remainder.gradients(theta))
        status = [""] * len(groups)
        for k in np.flatnonzero(inverse.hard).tolist():
            try:
                theta[:, k] = self._anew(groups[k], float(remainder.factors[k]))
            except InflustatError as error:
                status[k] = without(groups[k], str(error))
        converged = np.array([not text for text in status], dtype=np.bool_)
        return Outcome(theta, converged, status)

    def measured(self, groups: Groups) -> Outcome:
        """Return the same with the size of every gradient."""
        found = self.remove(groups)
        delta = found.theta - self.expansion.theta[:, None]
        norms = np.linalg.norm(self.expansion.remainder(groups).quadratic_gradients(delta), axis=0)
        return replace(found, gradient_norm=norms / self.expansion.risk.total_weight)

    def _anew(self, rows: Indices, factor: float) -> FloatArray:
        """Return theta without the rows from those left alone: no cancellation."""
        part, inverse = self.expansion.left_over(rows), anew(self.expansion, rows, factor)
        theta, before = self.expansion.theta, np.inf
        for _ in range(1 + REFINEMENTS):  # with the residuals of the rows themselves, as a refit would
            gradient = part.total_weight * part.gradient(theta)
            norm = float(np.linalg.norm(gradient))
            if not norm < 0.5 * before:
                break
            theta, before = theta - inverse.solve(gradient), norm
        return theta
