"""Pointwise losses l(y, eta): they know the linear predictor eta, never the design matrix.

Every loss gives its value and its first three derivatives in eta, elementwise and accurate to
rounding for |eta| up to 1e3. Sources: eqs. 13, 15, 17 and 18 of Liu, Liu, Qi and Yang's reproduction of
Koh and Liang (2017).
A new loss is one class here and one line in ``tests/cases.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log10
from typing import Any, Protocol, runtime_checkable

import numpy as np
from scipy.special import expit

from influstat.errors import InvalidArgument, Unsupported
from influstat.validation import FloatArray, real_number, vector


@runtime_checkable
class Loss(Protocol):
    """What a pointwise loss must offer; all arrays broadcast, all results have eta's shape.

    Attributes
    ----------
    self_concordance : float
        c with abs(l3) <= c * l2 everywhere; inf when there is none. Certificates rest on it.
    kinks : callable, optional
        ``kinks(y)``, only where the first or second derivative jumps: at which eta, shape (k, n).

    Examples
    --------
    >>> import influstat as ist
    >>> isinstance(ist.LogisticLoss(), ist.Loss)
    True
    """

    @property
    def self_concordance(self) -> float:
        """Smallest c with |l3| <= c l2 for every y and eta."""
        ...

    def check_targets(self, y: Any) -> FloatArray:
        """Return y as float64, shape (n,), or raise a ValueError that names the targets allowed."""
        ...

    def value(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return l(y, eta)."""
        ...

    def first(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return dl/deta."""
        ...

    def second(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return d2l/deta2."""
        ...

    def third(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return d3l/deta3."""
        ...

    def mean(self, eta: FloatArray) -> FloatArray:
        """Return E(y | eta), or raise Unsupported(argument, need, was, remedy) if there is none."""
        ...

    def mean_derivative(self, eta: FloatArray) -> FloatArray:
        """Return d mean / d eta."""
        ...


def softplus(x: FloatArray) -> FloatArray:
    """Return log(1 + e^x) without overflow and without cancellation."""
    result: FloatArray = np.logaddexp(0.0, x)
    return result


def root_of_slope(x: FloatArray) -> FloatArray:
    """Return the square root of sigma(x) sigma(-x), the derivative of sigma.

    Unlike the product, the root is far from underflow wherever its square divided by a small t is not.
    """
    size = np.abs(x)
    result: FloatArray = np.exp(-0.5 * size) / (1.0 + np.exp(-size))
    return result


def two_labels(y: Any, labels: tuple[float, float], other: str) -> FloatArray:
    """Return y if it holds nothing but the two labels, else say which model takes the others."""
    targets = vector("y", y)
    wrong = targets[(targets != labels[0]) & (targets != labels[1])]
    if wrong.size:
        raise InvalidArgument(
            "y",
            f"hold only the labels {labels[0]:g} and {labels[1]:g}",
            f"holds {wrong[0]:g}",
            other,
        )
    return targets


@dataclass(frozen=True)
class SquaredError:
    """Squared error (y - eta)^2 of eq. 13, without a factor 1/2.

    Examples
    --------
    >>> import influstat as ist
    >>> ist.SquaredError().value(3.0, 1.0), ist.SquaredError().first(3.0, 1.0)
    (4.0, -4.0)
    """

    @property
    def self_concordance(self) -> float:
        """Return 0: the third derivative vanishes."""
        return 0.0

    @property
    def dispersion(self) -> float | None:
        """Return None: the variance is to be estimated (phi = 2 sigma^2, as there is no factor 1/2)."""
        return None

    def check_targets(self, y: Any) -> FloatArray:
        """Return y as float64; any finite number is a target."""
        return vector("y", y)

    def value(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return (y - eta)^2."""
        return (y - eta) ** 2

    def first(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return -2 (y - eta)."""
        return -2.0 * (y - eta)

    def second(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return 2."""
        return np.full(np.shape(eta), 2.0)

    def third(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return 0."""
        return np.zeros(np.shape(eta))

    def mean(self, eta: FloatArray) -> FloatArray:
        """Return eta: the linear predictor is the mean."""
        return eta

    def mean_derivative(self, eta: FloatArray) -> FloatArray:
        """Return 1."""
        return np.ones(np.shape(eta))


class _Logistic:
    """What both codings of the logistic loss share: curvature and mean depend on eta alone."""

    @property
    def self_concordance(self) -> float:
        """Return 1, since l3 = -l2 tanh(eta / 2)."""
        return 1.0

    @property
    def dispersion(self) -> float | None:
        """Return 1: the loss is the negative log-likelihood."""
        return 1.0

    def second(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return sigma(eta) sigma(-eta)."""
        return expit(eta) * expit(-eta)

    def third(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return -sigma(eta) sigma(-eta) tanh(eta / 2)."""
        return -self.second(y, eta) * np.tanh(eta / 2.0)

    def mean(self, eta: FloatArray) -> FloatArray:
        """Return sigma(eta), the probability of label 1."""
        return expit(eta)

    def mean_derivative(self, eta: FloatArray) -> FloatArray:
        """Return sigma(eta) sigma(-eta)."""
        return expit(eta) * expit(-eta)


@dataclass(frozen=True)
class LogisticLoss(_Logistic):
    """Logistic loss log(1 + e^eta) - y eta for labels 0 and 1 (eq. 15).

    Examples
    --------
    >>> import influstat as ist
    >>> float(ist.LogisticLoss().value(1.0, 0.0) - np.log(2.0))
    0.0
    """

    def check_targets(self, y: Any) -> FloatArray:
        """Return y as float64 if it holds only 0 and 1."""
        return two_labels(y, (0.0, 1.0), "Recode y to 0/1, or use Logistic(labels=(-1, 1)) for -1/+1.")

    def value(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return log(1 + e^eta) - y eta, as a sum of two terms that cannot cancel."""
        return (1.0 - y) * softplus(eta) + y * softplus(-eta)

    def first(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return sigma(eta) - y, which is sigma(eta) for label 0 and -sigma(-eta) for label 1."""
        sign = 1.0 - 2.0 * y
        return sign * expit(sign * eta)


@dataclass(frozen=True)
class SignedLogisticLoss(_Logistic):
    """Logistic loss log(1 + e^(-y eta)) for labels -1 and +1 (the loss behind eq. 17).

    Examples
    --------
    >>> import influstat as ist
    >>> float(ist.SignedLogisticLoss().first(1.0, 0.0))
    -0.5
    """

    def check_targets(self, y: Any) -> FloatArray:
        """Return y as float64 if it holds only -1 and +1."""
        return two_labels(y, (-1.0, 1.0), "Recode y to -1/+1, or use Logistic(labels=(0, 1)) for 0/1.")

    def value(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return log(1 + e^(-y eta))."""
        return softplus(-y * eta)

    def first(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return -y sigma(-y eta)."""
        return -y * expit(-y * eta)


@dataclass(frozen=True)
class SmoothedHinge:
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

    def __post_init__(self) -> None:
        """Check t."""
        object.__setattr__(self, "t", real_number("t", self.t, above=0.0))

    @property
    def self_concordance(self) -> float:
        """Return 1 / t, since l3 = (y / t) l2 tanh(u / 2)."""
        return 1.0 / self.t

    def continuation(self) -> tuple[SmoothedHinge, ...]:
        """Return the smoother losses, t = 1, 0.1, ... above this t, to minimise on the way to this one."""
        powers = range(max(0, ceil(-log10(self.t) - 1e-9)))
        return tuple(SmoothedHinge(10.0**-power) for power in powers)

    def check_targets(self, y: Any) -> FloatArray:
        """Return y as float64 if it holds only -1 and +1."""
        return two_labels(y, (-1.0, 1.0), "Recode y to -1/+1, for instance 2 * y - 1 from 0/1.")

    def _scaled_margin(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        return (1.0 - y * eta) / self.t

    def value(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return t log(1 + e^u)."""
        return self.t * softplus(self._scaled_margin(y, eta))

    def first(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return -y sigma(u)."""
        return -y * expit(self._scaled_margin(y, eta))

    def second(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return sigma(u) sigma(-u) / t."""
        root = root_of_slope(self._scaled_margin(y, eta))
        return root / self.t * root

    def third(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return y sigma(u) sigma(-u) tanh(u / 2) / t^2."""
        u = self._scaled_margin(y, eta)
        root = root_of_slope(u)
        return y * (root / self.t) ** 2 * np.tanh(u / 2.0)

    def mean(self, eta: FloatArray) -> FloatArray:
        """Raise: a support vector classifier models no mean."""
        raise Unsupported(
            "kind", 'be "linear" for the smoothed hinge', 'is "mean"', "It models a decision, no mean."
        )

    def mean_derivative(self, eta: FloatArray) -> FloatArray:
        """Raise: a support vector classifier models no mean."""
        return self.mean(eta)
