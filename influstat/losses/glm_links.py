"""Inverse links: the mean as a function of the linear predictor, with three derivatives.

Closed forms for every link that statsmodels names, without its clipping of the mean. Other links
(a `CDFLink` of any scipy distribution, a user's own) are differenced from their first derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from scipy.special import log_expit, log_ndtr, ndtr

from influstat.input.validation import FloatArray
from influstat.losses.base import root_of_slope, sigmoid
from influstat.losses.glm_families import Derivatives

STEP = 1e-3  # of differences with an error of order STEP^4; rounding adds about 1e-13 / STEP^2


class InverseLink(Protocol):
    """The mean mu = m(eta), its complement 1 - mu without cancellation, and its derivatives.

    All results have the shape of eta.
    """

    def mean(self, eta: FloatArray) -> FloatArray:
        """Return mu."""
        ...

    def complement(self, eta: FloatArray) -> FloatArray:
        """Return 1 - mu; here by a subtraction, for links whose mean is not next to 1 as a rule."""
        return 1.0 - self.mean(eta)

    def logarithms(self, eta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return log mu and log(1 - mu); here of the numbers themselves, -inf where these underflow."""
        return np.log(self.mean(eta)), np.log(self.complement(eta))

    def derivatives(self, eta: FloatArray) -> Derivatives:
        """Return the first three derivatives of mu in eta."""
        ...


@dataclass(frozen=True)
class PowerLink(InverseLink):
    """eta = mu^power: identity, square root, inverse and inverse squared among them."""

    power: float

    def mean(self, eta: FloatArray) -> FloatArray:
        """Return eta^(1 / power)."""
        return np.asarray(np.power(eta, 1.0 / self.power))

    def derivatives(self, eta: FloatArray) -> Derivatives:
        """Return k eta^(k-1) and its two derivatives, k = 1 / power."""
        k = 1.0 / self.power
        result, factor = [], 1.0
        for order in range(3):
            factor *= k - order
            power = k - order - 1.0
            result.append(factor * np.power(eta, power) if factor else np.zeros(np.shape(eta)))
        return result[0], result[1], result[2]


def _logit(eta: FloatArray) -> Derivatives:
    """Return s, s t and s (t^2 - 2 s) with s = mu (1 - mu) and t = 1 - 2 mu."""
    slope, tilt = root_of_slope(eta) ** 2, -np.tanh(eta / 2.0)
    return slope, slope * tilt, slope * (tilt**2 - 2.0 * slope)


def _probit(eta: FloatArray) -> Derivatives:
    """Return phi, -eta phi and (eta^2 - 1) phi."""
    density = np.exp(-0.5 * eta * eta) / np.sqrt(2.0 * np.pi)
    return density, -eta * density, (eta * eta - 1.0) * density


def _cauchy(eta: FloatArray) -> Derivatives:
    """Return 1 / (pi (1 + eta^2)) and its two derivatives."""
    density = 1.0 / (np.pi * (1.0 + eta * eta))
    slope = -2.0 * eta * np.pi * density**2
    return density, slope, np.pi**2 * density**3 * (6.0 * eta * eta - 2.0)


def _angle(eta: FloatArray) -> FloatArray:
    """Return 1/2 + arctan(eta) / pi, as an angle that cannot cancel."""
    return np.asarray(np.arctan2(1.0, -eta) / np.pi)


def _complementary_log_log(eta: FloatArray) -> Derivatives:
    """Return d = exp(eta - u), d (1 - u) and d (1 - 3 u + u^2), u = e^eta."""
    u = np.exp(eta)
    density = np.exp(eta - u)
    return density, density * (1.0 - u), density * (1.0 - 3.0 * u + u * u)


# The link of statsmodels' name: the mean, its complement, and the mean's three derivatives.
_CLOSED: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[[Any], Derivatives]]] = {
    "Log": (np.exp, lambda eta: -np.expm1(eta), lambda eta: (np.exp(eta),) * 3),
    "LogC": (lambda eta: -np.expm1(eta), np.exp, lambda eta: (-np.exp(eta),) * 3),
    "Logit": (sigmoid, lambda eta: sigmoid(-eta), _logit),
    "Probit": (ndtr, lambda eta: ndtr(-eta), _probit),
    "Cauchy": (_angle, lambda eta: _angle(-eta), _cauchy),
    "CLogLog": (
        lambda eta: -np.expm1(-np.exp(eta)),
        lambda eta: np.exp(-np.exp(eta)),
        _complementary_log_log,
    ),
}


# Those whose mean or complement underflows before its logarithm overflows: log mu and log(1 - mu).
_LOGARITHMS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "Logit": (log_expit, lambda eta: log_expit(-eta)),
    "Probit": (log_ndtr, lambda eta: log_ndtr(-eta)),
    "CLogLog": (lambda eta: np.log(-np.expm1(-np.exp(eta))), lambda eta: -np.exp(eta)),
}


@dataclass(frozen=True)
class ClosedLink(InverseLink):
    """A link without parameters, by its name in statsmodels.

    Log: eta = log mu. LogC: eta = log(1 - mu). Logit: eta = log(mu / (1 - mu)). Probit: eta = Phi^-1(mu).
    Cauchy: eta = tan(pi (mu - 1/2)). CLogLog: eta = log(-log(1 - mu)).
    """

    name: str

    def mean(self, eta: FloatArray) -> FloatArray:
        """Return mu."""
        return np.asarray(_CLOSED[self.name][0](eta))

    def complement(self, eta: FloatArray) -> FloatArray:
        """Return 1 - mu, by a formula that does not cancel."""
        return np.asarray(_CLOSED[self.name][1](eta))

    def logarithms(self, eta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return log mu and log(1 - mu), finite wherever float64 holds them."""
        if self.name not in _LOGARITHMS:
            return super().logarithms(eta)
        above, below = _LOGARITHMS[self.name]
        return np.asarray(above(eta)), np.asarray(below(eta))

    def derivatives(self, eta: FloatArray) -> Derivatives:
        """Return the first three derivatives of mu in eta."""
        return _CLOSED[self.name][2](eta)


LogLink = partial(ClosedLink, "Log")
LogitLink = partial(ClosedLink, "Logit")
ProbitLink = partial(ClosedLink, "Probit")


@dataclass(frozen=True)
class ReflectedLink:
    """The link of 1 - mu at -eta: LogLog from CLogLog."""

    original: InverseLink

    def mean(self, eta: FloatArray) -> FloatArray:
        """Return the complement at -eta."""
        return self.original.complement(-eta)

    def complement(self, eta: FloatArray) -> FloatArray:
        """Return the mean at -eta."""
        return self.original.mean(-eta)

    def logarithms(self, eta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return those of the complement and of the mean at -eta."""
        above, below = self.original.logarithms(-eta)
        return below, above

    def derivatives(self, eta: FloatArray) -> Derivatives:
        """Return the derivatives of 1 - m(-eta)."""
        first, second, third = self.original.derivatives(-eta)
        return first, -second, third


@dataclass(frozen=True)
class NegativeBinomialLink(InverseLink):
    """eta = log(mu / (mu + 1 / alpha)), the canonical link of the negative binomial; eta < 0."""

    alpha: float

    def mean(self, eta: FloatArray) -> FloatArray:
        """Return 1 / (alpha (e^-eta - 1))."""
        return np.asarray(1.0 / (self.alpha * np.expm1(-eta)))

    def derivatives(self, eta: FloatArray) -> Derivatives:
        """Return s, s t and s (t^2 + 2 alpha s) with s = mu (1 + alpha mu), t = 1 + 2 alpha mu."""
        mu = self.mean(eta)
        slope = mu * (1.0 + self.alpha * mu)
        tilt = 1.0 + 2.0 * self.alpha * mu
        return slope, slope * tilt, slope * (tilt**2 + 2.0 * self.alpha * slope)


@dataclass(frozen=True)
class DifferencedLink(InverseLink):
    """Any other link: its own inverse and first derivative, the higher ones by differences."""

    link: Any

    def mean(self, eta: FloatArray) -> FloatArray:
        """Return the link's inverse."""
        return np.asarray(self.link.inverse(eta), dtype=np.float64)

    def derivatives(self, eta: FloatArray) -> Derivatives:
        """Return the link's derivative, and its first and second central differences to order 4."""
        h = STEP * np.maximum(1.0, np.abs(eta))
        left2, left, middle, right, right2 = (
            np.asarray(self.link.inverse_deriv(eta + k * h), dtype=np.float64) for k in (-2, -1, 0, 1, 2)
        )
        second = (8.0 * (right - left) - (right2 - left2)) / (12.0 * h)
        third = (16.0 * (right + left) - (right2 + left2) - 30.0 * middle) / (12.0 * h * h)
        return middle, second, third


def inverse_link(link: Any) -> InverseLink:
    """Return the inverse of a statsmodels link."""
    from statsmodels.genmod.families import links

    kind = type(link)
    if kind.__module__ == links.__name__:
        if isinstance(link, links.Power):
            return PowerLink(float(link.power))
        if kind is links.NegativeBinomial:
            return NegativeBinomialLink(float(link.alpha))
        if kind.__name__ == "LogLog":
            return ReflectedLink(ClosedLink("CLogLog"))
        if kind.__name__ in _CLOSED:
            return ClosedLink(kind.__name__)
    return DifferencedLink(link)
