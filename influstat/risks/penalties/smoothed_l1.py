"""The L1 penalty made smooth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.algebra.symmetric import Diagonal
from influstat.input.validation import FloatArray, real_number
from influstat.risks.penalties.base import summed
from influstat.risks.penalties.l2 import Separate


@dataclass(frozen=True)
class SmoothedL1(Separate):
    """Total penalty P(theta) = strength sum_j d_j (sqrt(theta_j^2 + t^2) - t): |theta_j| made smooth.

    Parameters
    ----------
    strength : float
        >= 0, on the scale of the *summed* loss: that of the lasso's sum_j |theta_j|.
    t : float
        Width of the smoothing, > 0, in units of the coefficients. P lies below the L1 penalty, by at
        most strength t for each coefficient.
    unpenalised : sequence of int or str
        Positions or names of coefficients with d_j = 0.

    Notes
    -----
    Source: Schmidt, Fung and Rosales (2007), ECML; the paper's section 4.3 names L1. Influence with the
    smoothed penalty tends to that of the lasso with a fixed active set as t goes to 0; coefficients that
    the lasso sets to 0 are then of order t, not 0.

    |P'''| = 3 |theta_j| / (theta_j^2 + t^2) P'' <= (3 / (2 t)) P'' in each coordinate, on which certificates
    rest.

    Raises
    ------
    InvalidArgument, InvalidType
        strength is negative, t is not positive, or unpenalised is not a sequence.

    Examples
    --------
    >>> import influstat as ist
    >>> ist.SmoothedL1(2.0, t=3.0).value(np.array([4.0, 0.0]))      # 2 (5 - 3)
    4.0
    >>> lasso = ist.SmoothedL1(2.0, t=1e-9)
    >>> risk = ist.LinearRisk(ist.SquaredError(), np.ones((2, 1)), [1.0, 3.0], penalty=lasso)
    >>> ist.Fit.minimise(risk).theta.round(6)           # 2 - 2 / 4
    array([1.5])
    """

    strength: float
    t: float = 1e-3
    unpenalised: Sequence[int | str] = ()

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        object.__setattr__(self, "t", real_number("t", self.t, above=0.0))

    def _like(self, strength: float, unpenalised: Sequence[int | str]) -> SmoothedL1:
        return SmoothedL1(strength, self.t, unpenalised)

    def value(self, theta: FloatArray) -> Any:
        """Return P(theta), a float, or one for each column of theta (p, k)."""
        excess = theta * (theta / (self.t + np.hypot(theta, self.t)))  # sqrt(theta^2 + t^2) - t
        return summed(self.strengths(theta) * excess)

    def gradient(self, theta: FloatArray) -> FloatArray:
        """Return strength d_j theta_j / sqrt(theta_j^2 + t^2), of the shape of theta."""
        return np.asarray(self.strengths(theta) * (theta / np.hypot(theta, self.t)))

    def hessian(self, theta: FloatArray) -> Diagonal:
        """Return diag(strength d_j t^2 / (theta_j^2 + t^2)^(3/2))."""
        root = np.hypot(theta, self.t)
        return Diagonal(self.strengths(theta) / root * (self.t / root) ** 2)

    def third(self, theta: FloatArray, directions: FloatArray) -> FloatArray:
        """Return P'''_j v_j^2 for every column v, shape (p, k)."""
        slope = -3.0 * self.hessian(theta).entries * theta / np.hypot(theta, self.t) ** 2
        return np.asarray(slope[:, None] * directions**2)

    @property
    def self_concordance(self) -> float:
        """Return 3 / (2 t)."""
        return 1.5 / self.t
