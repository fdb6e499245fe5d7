"""Hinge losses that have derivatives: smoothed (eq. 18 of Liu, Liu, Qi and Yang), and squared."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log10
from typing import Any

import numpy as np

from influstat.input.validation import FloatArray, real_number
from influstat.losses.base import Bell, NoMean, root_of_slope, sigmoid, softplus, two_labels


class _Signed(NoMean):
    """What both losses share: labels -1 and +1, and a decision in place of a mean."""

    _models = "a decision"

    def check_targets(self, y: Any) -> FloatArray:
        """Return y as float64 if it holds only -1 and +1."""
        return two_labels(y, (-1.0, 1.0), "Recode y to -1/+1, for instance 2 * y - 1 from 0/1.")


@dataclass(frozen=True)
class SmoothedHinge(Bell, _Signed):
    """Smoothed hinge t log(1 + e^u), u = (1 - y eta) / t, for labels -1 and +1 (below eq. 18).

    Parameters
    ----------
    t : float
        Width of the smoothing, > 0; the loss exceeds the hinge by at most t log 2.

    Raises
    ------
    InvalidArgument
        t is not positive and finite; `HingeSVC` fits the hinge itself (t = 0).

    Examples
    --------
    >>> import influstat as ist
    >>> float(ist.SmoothedHinge(t=0.01).value(1.0, -1.0))
    2.0
    """

    t: float
    _called = "the smoothed hinge"

    def __post_init__(self) -> None:
        """Check t."""
        object.__setattr__(self, "t", real_number("t", self.t, above=0.0))

    @property
    def self_concordance(self) -> float:
        """Return 1 / t, since l3 = (y / t) l2 tanh(u / 2)."""
        return 1.0 / self.t

    def continuation(self) -> tuple[SmoothedHinge, ...]:
        """Return the smoother losses, t = 1, 0.1, ... above this t, to minimise on the way to this one."""
        # log10 of a power of ten may be off by rounding: t = 0.001 has the powers 0, 1, 2.
        powers = range(max(0, ceil(-log10(self.t) - 1e-9)))
        return tuple(SmoothedHinge(10.0**-power) for power in powers)

    def _scaled_margin(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        return (1.0 - y * eta) / self.t

    def value(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return t log(1 + e^u)."""
        return self.t * softplus(self._scaled_margin(y, eta))

    def first(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return -y sigma(u)."""
        return sigmoid(self._scaled_margin(y, eta), -y)

    def second(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return sigma(u) sigma(-u) / t."""
        root = root_of_slope(self._scaled_margin(y, eta))
        return root / self.t * root

    def third(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return y sigma(u) sigma(-u) tanh(u / 2) / t^2."""
        u = self._scaled_margin(y, eta)
        root = root_of_slope(u)
        return y * (root / self.t) ** 2 * np.tanh(u / 2.0)


@dataclass(frozen=True)
class SquaredHinge(_Signed):
    """Squared hinge max(0, 1 - y eta)^2 for labels -1 and +1, without a factor 1/2.

    Notes
    -----
    Source: Chang, Hsieh and Lin (2008), JMLR 9 (the L2-loss SVM). The second derivative jumps at the
    margin y eta = 1 (2 inside, 0 there and outside), so there is no self-concordance constant.

    Examples
    --------
    >>> import influstat as ist
    >>> float(ist.SquaredHinge().value(1.0, -1.0)), float(ist.SquaredHinge().first(1.0, -1.0))
    (4.0, -4.0)
    """

    self_concordance = float("inf")  # the second derivative jumps

    def kinks(self, y: FloatArray) -> FloatArray:
        """Return the eta at which the second derivative jumps, shape (1, n)."""
        return np.array([y])

    def value(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return max(0, 1 - y eta)^2."""
        return np.asarray(np.maximum(0.0, 1.0 - y * eta) ** 2)

    def first(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return -2 y max(0, 1 - y eta)."""
        return np.asarray(-2.0 * y * np.maximum(0.0, 1.0 - y * eta))

    def second(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return 2 where y eta < 1, else 0."""
        return np.where(y * eta < 1.0, 2.0, 0.0)

    def third(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return 0, which holds everywhere but at the margin."""
        return np.zeros(np.broadcast_shapes(np.shape(y), np.shape(eta)))
