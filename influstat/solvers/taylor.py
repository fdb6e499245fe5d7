"""Solve H p = g by the truncated Taylor (Neumann) series of the inverse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.curvature.base import Hessian
from influstat.input.validation import FloatArray, real_number, whole_number
from influstat.solvers.base import OneCall, Solution, as_operator
from influstat.solvers.columns import in_shape_of, measured_residual, scaled_columns
from influstat.solvers.spectrum import checked_diagonal, explain_growth, series_scale

CHECK_EVERY = 16  # steps between two looks for growth: too few to overflow
REMEDY = "Use a larger scale, or leave it out."


@dataclass(frozen=True, kw_only=True)
class Taylor(OneCall):
    """Full recursion p_0 = v, p_j = v + p_{j-1} - H p_{j-1} / C, answer p_depth / C.

    Parameters
    ----------
    depth : int
        Steps of the recursion. All are taken: the depth, not the residual, decides when to stop.
    scale : float, optional
        C, above half of the largest eigenvalue of H. Left out, an upper bound on that eigenvalue,
        which costs two products with X.
    rtol : float
        `Solution.converged` says whether the residual is at most this.
    damping : float
        delta >= 0; solves with H + delta I.

    Notes
    -----
    Source: eq. 12 of Liu, Liu, Qi and Yang's reproduction of Koh and Liang (2017), with the scale C. What
    is missing of the answer is (I - H/C)^(depth+1) H^-1 v: of an eigenvalue mu of H there remains
    exp(-depth mu / C), so small eigenvalues need a depth of several C / mu. A residual that is not
    small is no error and gives no warning; read `Solution.residual`. For a singular H the part of v
    that H cannot reach stays in the residual.

    Examples
    --------
    >>> import influstat as ist
    >>> ist.Taylor(depth=2, scale=4.0).solve([[2.0]], [1.0]).value    # (1 + 1/2 + 1/4) / 4
    array([0.4375])
    """

    depth: int = 2000
    scale: float | None = None
    rtol: float = 1e-6
    damping: float = 0.0

    def __post_init__(self) -> None:
        """Check the settings."""
        object.__setattr__(self, "depth", whole_number("depth", self.depth, at_least=1))
        if self.scale is not None:
            object.__setattr__(self, "scale", real_number("scale", self.scale, above=0.0))
        object.__setattr__(self, "rtol", real_number("rtol", self.rtol, above=0.0))
        object.__setattr__(self, "damping", real_number("damping", self.damping, at_least=0.0))

    def prepare(self, operator: Any) -> TaylorInverse:
        """Return the series with its scale C checked, H assembled where that saves time, or raise."""
        checked = as_operator(operator, self.damping)
        checked_diagonal(checked)
        return TaylorInverse(checked, self, series_scale(checked, self.scale))


class TaylorInverse:
    """The series of one operator with its scale C."""

    def __init__(self, operator: Hessian, settings: Taylor, scale: float) -> None:
        self.operator, self.settings, self.scale = operator, settings, scale
        self._product = operator.product(settings.depth)

    def apply(self, rhs: FloatArray) -> Solution:
        """Return the sum of the truncated series with its residual, or raise where it grows."""
        columns, size = scaled_columns(rhs)
        value = self._series(columns) / self.scale
        residual = measured_residual(self.operator, value, columns)
        worst = int(np.argmax(residual))
        if residual[worst] > 1.0 + 1e-6:  # |(I - H/C)^(depth+1) v| <= |v| without negative eigenvalues
            explain_growth(self.operator, value[:, worst], self.scale, REMEDY)
        met = residual <= self.settings.rtol
        return in_shape_of(rhs, value * size, residual, self.settings.depth, met)

    def _series(self, columns: FloatArray) -> FloatArray:
        """Return p_depth, shape (p, m)."""
        series = columns.copy()
        start = np.linalg.norm(columns, axis=0)
        for step in range(1, self.settings.depth + 1):
            change = self._product(series)
            change /= -self.scale
            change += columns
            series += change
            if step % CHECK_EVERY == 0:  # a convergent series has |p_j| <= (j + 1) |v|
                excess = np.linalg.norm(series, axis=0) - 10.0 * (step + 1) * start
                if np.max(excess) > 0:
                    explain_growth(self.operator, series[:, int(np.argmax(excess))], self.scale, REMEDY)
        return series
