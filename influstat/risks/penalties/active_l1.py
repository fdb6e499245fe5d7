"""The L1 penalty around a fit, on its active set: where no coefficient is 0, it is a plane.

On the orthant of the fitted signs lambda |beta|_1 = lambda sign(beta)'beta, so that a small enough change
of the data moves the coefficients as if the penalty were linear and the columns with coefficient 0 were
not there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from influstat.input.design import Design
from influstat.input.validation import FloatArray
from influstat.risks.penalties.base import Penalty, terms
from influstat.risks.penalties.linear import Linear
from influstat.risks.penalties.quadratic import padded


@dataclass(frozen=True, eq=False)
class ActiveL1(Linear):
    """P(theta) = slope'theta of the active coefficients, which knows the columns that it left out."""

    # The slope is lambda sign(theta_j), sum scale; 0 where a coefficient has no such penalty.
    excluded: Design | None = None  # the columns left out, to tell when one of them would come in
    bound: float = 0.0  # lambda, sum scale: the largest |sum_i w_i l1_i x_ij| of a column that stays out

    def placed(self, names: tuple[str, ...], *, intercept: bool) -> ActiveL1:
        """Return the penalty of all coefficients; 0 for an intercept of the model's own that is left out."""
        return replace(self, slope=padded("slope", self.slope, len(names), intercept=intercept))

    def scaled(self, factor: float) -> ActiveL1:
        """Return the penalty of factor times lambda."""
        return replace(self, slope=factor * self.slope, bound=factor * self.bound)

    def crossed(self, theta: FloatArray) -> FloatArray:
        """Return which coefficients have a sign that `slope` does not stand for, of the shape of theta."""
        signs = np.sign(self.slope)
        return np.asarray(theta * (signs if theta.ndim == 1 else signs[:, None]) < 0)


def active_l1(penalty: Penalty) -> ActiveL1 | None:
    """Return the part of a penalty that stands for an L1 penalty on its active set; None without one."""
    found = [part for part in terms(penalty) if isinstance(part, ActiveL1)]
    return found[0] if found else None
