"""The L1 penalty around a fit, on its active set: where no coefficient is 0, it is a plane.

On the orthant of the fitted signs lambda |beta|_1 = lambda sign(beta)'beta, so that a small enough change
of the data moves the coefficients as if the penalty were linear and the columns with coefficient 0 were
not there. A constraint beta >= 0 is the same with a lambda that may be 0 and one sign alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

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
    excluded: Design | None = None  # the columns left out, for removals that let one of them come in
    # lambda of each, sum scale: the largest |sum_i w_i l1_i x_ij| of a column that stays out
    bound: float | FloatArray = 0.0
    ridge: float | FloatArray = 0.0  # their quadratic penalty, kappa, sum scale
    positive: bool = False  # whether no coefficient but the intercept may be negative
    held: Any = None  # the sign that each active coefficient keeps, 0 for any; that of the slope if left out
    of_new_rows: Callable[[Any], Any] | None = None  # new rows as a caller has them -> columns left out

    def placed(self, names: tuple[str, ...], *, intercept: bool) -> ActiveL1:
        """Return the penalty of all coefficients; 0 for an intercept of the model's own that is left out."""
        held = self.signs
        return replace(
            self,
            slope=padded("slope", self.slope, len(names), intercept=intercept),
            held=padded("held", held, len(names), intercept=intercept),
        )

    def scaled(self, factor: float) -> ActiveL1:
        """Return the penalty of factor times lambda."""
        return replace(
            self,
            slope=factor * self.slope,
            bound=factor * self.bound,
            ridge=factor * self.ridge,
            held=self.signs,
        )

    def in_words(self) -> str:
        """Return its strengths, and of how many columns that are in and that are out."""
        sizes = np.unique(np.abs(self.slope[self.slope != 0.0]))
        strength = " to ".join(f"{size:.4g}" for size in sizes[[0, -1][: sizes.size]])
        of = f"L1, strength {strength}, " if strength else ""
        within = int(np.count_nonzero(self.signs))
        out = "" if self.excluded is None else f", {self.excluded.shape[1]} left out"
        return f"{of}{within} columns in{out}{', none below 0' if self.positive else ''}"

    @property
    def signs(self) -> FloatArray:
        """The sign that each active coefficient keeps, 0 where it may have any."""
        return np.asarray(np.sign(self.slope) if self.held is None else self.held)

    def crossed(self, theta: FloatArray) -> FloatArray:
        """Return which coefficients have lost the sign that they keep, of the shape of theta."""
        signs = self.signs if theta.ndim == 1 else self.signs[:, None]
        return np.asarray((theta * signs <= 0) & (signs != 0))

    def pull(self, slopes: FloatArray) -> FloatArray:
        """Return what draws each column left out away from 0: |its slope|, or minus it if positive."""
        return -slopes if self.positive else np.abs(slopes)


def active_l1(penalty: Penalty) -> ActiveL1 | None:
    """Return the part of a penalty that stands for an L1 penalty on its active set; None without one."""
    found = [part for part in terms(penalty) if isinstance(part, ActiveL1)]
    return found[0] if found else None
