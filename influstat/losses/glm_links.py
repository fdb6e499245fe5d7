"""Inverse links: the mean as a function of the linear predictor, with three derivatives.

Closed forms for every link that statsmodels names, without its clipping of the mean. Other links
(a `CDFLink` of any scipy distribution, a user's own) are differenced from their first derivative.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.special import expit, ndtr

from influstat.input.validation import FloatArray
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


@dataclass(frozen=True)
class LogLink:
    """eta = log mu."""

    def mean(self, eta: FloatArray) -> FloatArray:
        """Return e^eta."""
        return np.asarray(np.exp(eta))

    def complement(self, eta: FloatArray) -> FloatArray:
        """Return 1 - e^eta."""
        return np.asarray(-np.expm1(eta))

    def derivatives(self, eta: FloatArray) -> Derivatives:
        """Return e^eta three times."""
        mu = self.mean(eta)
        return mu, mu, mu


@dataclass(frozen=True)
class LogitLink:
    """eta = log(mu / (1 - mu))."""

    def mean(self, eta: FloatArray) -> FloatArray:
        """Return sigma(eta)."""
        return np.asarray(expit(eta))

    def complement(self, eta: FloatArray) -> FloatArray:
        """Return sigma(-eta)."""
        return np.asarray(expit(-eta))

    def derivatives(self, eta: FloatArray) -> Derivatives:
        """Return s, s t and s (t^2 - 2 s) with s = mu (1 - mu) and t = 1 - 2 mu."""
        slope = self.mean(eta) * self.complement(eta)
        tilt = -np.tanh(eta / 2.0)
        return slope, slope * tilt, slope * (tilt**2 - 2.0 * slope)


@dataclass(frozen=True)
class ProbitLink:
    """eta = Phi^-1(mu)."""

    def mean(self, eta: FloatArray) -> FloatArray:
        """Return Phi(eta)."""
        return np.asarray(ndtr(eta))

    def complement(self, eta: FloatArray) -> FloatArray:
        """Return Phi(-eta)."""
        return np.asarray(ndtr(-eta))

    def derivatives(self, eta: FloatArray) -> Derivatives:
        """Return phi, -eta phi and (eta^2 - 1) phi."""
        density = np.exp(-0.5 * eta * eta) / np.sqrt(2.0 * np.pi)
        return density, -eta * density, (eta * eta - 1.0) * density


@dataclass(frozen=True)
class CauchyLink:
    """eta = tan(pi (mu - 1/2))."""

    def mean(self, eta: FloatArray) -> FloatArray:
        """Return 1/2 + arctan(eta) / pi, as an angle that cannot cancel."""
        return np.asarray(np.arctan2(1.0, -eta) / np.pi)

    def complement(self, eta: FloatArray) -> FloatArray:
        """Return the mean at -eta."""
        return self.mean(-eta)

    def derivatives(self, eta: FloatArray) -> Derivatives:
        """Return 1 / (pi (1 + eta^2)) and its two derivatives."""
        density = 1.0 / (np.pi * (1.0 + eta * eta))
        slope = -2.0 * eta * np.pi * density**2
        return density, slope, np.pi**2 * density**3 * (6.0 * eta * eta - 2.0)


@dataclass(frozen=True)
class CLogLogLink:
    """eta = log(-log(1 - mu))."""

    def mean(self, eta: FloatArray) -> FloatArray:
        """Return 1 - exp(-e^eta)."""
        return np.asarray(-np.expm1(-np.exp(eta)))

    def complement(self, eta: FloatArray) -> FloatArray:
        """Return exp(-e^eta)."""
        return np.asarray(np.exp(-np.exp(eta)))

    def derivatives(self, eta: FloatArray) -> Derivatives:
        """Return d = exp(eta - u), d (1 - u) and d (1 - 3 u + u^2), u = e^eta."""
        u = np.exp(eta)
        density = np.exp(eta - u)
        return density, density * (1.0 - u), density * (1.0 - 3.0 * u + u * u)


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

    def derivatives(self, eta: FloatArray) -> Derivatives:
        """Return the derivatives of 1 - m(-eta)."""
        first, second, third = self.original.derivatives(-eta)
        return first, -second, third


@dataclass(frozen=True)
class LogComplementLink:
    """eta = log(1 - mu)."""

    def mean(self, eta: FloatArray) -> FloatArray:
        """Return 1 - e^eta."""
        return np.asarray(-np.expm1(eta))

    def complement(self, eta: FloatArray) -> FloatArray:
        """Return e^eta."""
        return np.asarray(np.exp(eta))

    def derivatives(self, eta: FloatArray) -> Derivatives:
        """Return -e^eta three times."""
        slope = -np.exp(eta)
        return slope, slope, slope


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
    # statsmodels keeps deprecated lower-case subclasses that add nothing to these.
    plain: dict[str, InverseLink] = {
        "Log": LogLink(),
        "Logit": LogitLink(),
        "Probit": ProbitLink(),
        "Cauchy": CauchyLink(),
        "CLogLog": CLogLogLink(),
        "LogLog": ReflectedLink(CLogLogLink()),
        "LogC": LogComplementLink(),
    }
    if kind.__module__ == links.__name__:
        if isinstance(link, links.Power):
            return PowerLink(float(link.power))
        if kind is links.NegativeBinomial:
            return NegativeBinomialLink(float(link.alpha))
        if kind.__name__ in plain:
            return plain[kind.__name__]
    return DifferencedLink(link)
