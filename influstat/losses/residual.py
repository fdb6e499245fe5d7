"""Losses of the residual y - eta other than its square: Huber, pseudo-Huber, smoothed check (quantiles).

Each has its value and first three derivatives in the linear predictor eta, elementwise. A loss whose
second derivative jumps says where in `kinks`: influence is not a derivative for a row that sits there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.input.validation import FloatArray, real_number
from influstat.losses.base import AnyTarget, Bell, NoMean, root_of_slope, sigmoid, softplus


@dataclass(frozen=True)
class _Bent(NoMean, AnyTarget):
    """What losses share that are a parabola near 0, bent into lines at a residual of delta."""

    delta: float = 1.345
    _models = "a centre of y"

    def __post_init__(self) -> None:
        """Check delta."""
        object.__setattr__(self, "delta", real_number("delta", self.delta, above=0.0))

    def continuation(self) -> tuple[Self, ...]:
        """Return losses of larger delta, from all but squared error on: from afar no row has curvature."""
        return tuple(type(self)(self.delta * 10.0**power) for power in (6, 4, 3, 2, 1))


@dataclass(frozen=True)
class HuberLoss(_Bent):
    """Huber loss r^2 / 2 for |r| <= delta, else delta |r| - delta^2 / 2, with r = y - eta.

    Parameters
    ----------
    delta : float
        Where the parabola turns into lines, > 0, in units of y; 1.345 has 95 % efficiency for normal
        errors of unit scale.

    Notes
    -----
    Source: Huber (1964), Annals of Mathematical Statistics 35. The second derivative jumps at
    |r| = delta (1 inside and there, 0 outside), so there is no self-concordance constant; rows outside
    have no curvature, and their removal is seen through the others alone. `PseudoHuberLoss` is smooth.

    Raises
    ------
    InvalidArgument, InvalidType
        delta is not a positive number.

    Examples
    --------
    >>> import influstat as ist
    >>> float(ist.HuberLoss(delta=1.0).value(3.0, 0.0)), float(ist.HuberLoss(delta=1.0).first(3.0, 0.0))
    (2.5, -1.0)
    """

    self_concordance = float("inf")  # the second derivative jumps

    def kinks(self, y: FloatArray) -> FloatArray:
        """Return the eta at which the second derivative jumps, shape (2, n)."""
        return np.array([y - self.delta, y + self.delta])

    def value(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return r^2 / 2, or delta (|r| - delta / 2) outside."""
        size = np.abs(y - eta)
        inner = np.minimum(size, self.delta)
        return np.asarray(inner * (size - 0.5 * inner))

    def first(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return -r, clipped to [-delta, delta]."""
        return np.clip(eta - y, -self.delta, self.delta)

    def second(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return 1 where |r| <= delta, else 0."""
        return np.where(np.abs(y - eta) <= self.delta, 1.0, 0.0)

    def third(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return 0, which holds everywhere but at the kinks."""
        return np.zeros(np.broadcast_shapes(np.shape(y), np.shape(eta)))


@dataclass(frozen=True)
class PseudoHuberLoss(_Bent):
    """Pseudo-Huber loss delta^2 (sqrt(1 + (r / delta)^2) - 1), r = y - eta: a smooth Huber loss.

    Parameters
    ----------
    delta : float
        Where the parabola r^2 / 2 bends into lines of slope delta, > 0, in units of y.

    Notes
    -----
    Source: Hartley and Zisserman (2003), Multiple View Geometry, appendix 6.8; Charbonnier et al.
    (1997), IEEE Transactions on Image Processing 6. |l3| <= 3 / (2 delta) l2, reached at |r| = delta.

    Raises
    ------
    InvalidArgument, InvalidType
        delta is not a positive number.

    Examples
    --------
    >>> import influstat as ist
    >>> float(ist.PseudoHuberLoss(delta=3.0).value(4.0, 0.0))       # 9 (5/3 - 1)
    6.0
    """

    @property
    def self_concordance(self) -> float:
        """Return 3 / (2 delta)."""
        return 1.5 / self.delta

    def _root(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        root: FloatArray = np.hypot(1.0, (y - eta) / self.delta)
        return root

    def value(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return r^2 / (1 + s), s = sqrt(1 + (r / delta)^2): no difference of near numbers."""
        r = y - eta
        return np.asarray(r * (r / (1.0 + self._root(y, eta))))

    def first(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return -r / s."""
        return (eta - y) / self._root(y, eta)

    def second(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return s^-3."""
        return self._root(y, eta) ** -3

    def third(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return 3 r / (delta^2 s^5)."""
        return np.asarray(3.0 * ((y - eta) / self.delta) / self.delta * self._root(y, eta) ** -5)

    @property
    def higher_bounds(self) -> tuple[float, float]:
        """Return 3 / delta^2, reached at r = 0, and 9.4 / delta^3, all but reached at |r| = .34 delta."""
        return 3.0 / self.delta**2, 9.4 / self.delta**3

    def fourth(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return (12 (r / delta)^2 - 3) / (delta^2 s^7)."""
        square = ((y - eta) / self.delta) ** 2
        return np.asarray((12.0 * square - 3.0) / self.delta**2 * self._root(y, eta) ** -7)


@dataclass(frozen=True)
class SmoothedCheck(Bell, NoMean, AnyTarget):
    """Smoothed check (quantile) loss quantile r + t log(1 + e^(-r/t)), r = y - eta.

    Parameters
    ----------
    quantile : float
        Which quantile of y given x to fit, strictly between 0 and 1.
    t : float
        Width of the smoothing, > 0, in units of y; the loss exceeds the check loss
        r (quantile - 1{r < 0}) by at most t log 2.

    Notes
    -----
    Source: Koenker and Bassett (1978), Econometrica 46, for the check loss; Fernandes, Guerre and Horta
    (2021), Journal of Business & Economic Statistics 39, and He, Pan, Tan and Zhou (2023), Journal of
    Econometrics 232, for its convolution with a kernel, here the logistic one. |l3| <= l2 / t.

    Raises
    ------
    InvalidArgument, InvalidType
        quantile is not between 0 and 1, or t is not a positive number.

    Examples
    --------
    >>> import influstat as ist
    >>> float(ist.SmoothedCheck(quantile=0.75, t=0.001).value(2.0, 0.0))      # 0.75 * 2
    1.5
    """

    quantile: float = 0.5
    t: float = 0.1
    _models = "a quantile"

    def __post_init__(self) -> None:
        """Check the settings."""
        quantile = real_number("quantile", self.quantile, above=0.0)
        if quantile >= 1.0:
            raise InvalidArgument("quantile", "be below 1", f"is {quantile:g}", "Pass 0.5 for the median.")
        object.__setattr__(self, "quantile", quantile)
        object.__setattr__(self, "t", real_number("t", self.t, above=0.0))

    @property
    def self_concordance(self) -> float:
        """Return 1 / t, since l3 = l2 tanh(r / (2 t)) / t."""
        return 1.0 / self.t

    def continuation(self) -> tuple[SmoothedCheck, ...]:
        """Return losses of larger t, from one far wider than the targets on, to minimise on the way."""
        return tuple(SmoothedCheck(self.quantile, self.t * 10.0**power) for power in range(9, 0, -1))

    def growth(self, y: FloatArray) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Say that the loss rises for ever towards both sides, however wide t is."""
        always = np.ones(len(y), dtype=np.bool_)
        return always, always

    def value(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return t [quantile log(1 + e^u) + (1 - quantile) log(1 + e^-u)], u = r / t: nothing cancels."""
        u = (y - eta) / self.t
        return np.asarray(self.t * (self.quantile * softplus(u) + (1.0 - self.quantile) * softplus(-u)))

    def first(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return sigma(-u) - quantile."""
        u = (y - eta) / self.t
        return np.asarray(sigmoid(-u, 1.0 - self.quantile) - sigmoid(u, self.quantile))

    def second(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return sigma(u) sigma(-u) / t."""
        root = root_of_slope((y - eta) / self.t)
        return root / self.t * root

    def third(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return sigma(u) sigma(-u) tanh(u / 2) / t^2."""
        u = (y - eta) / self.t
        return np.asarray((root_of_slope(u) / self.t) ** 2 * np.tanh(u / 2.0))
