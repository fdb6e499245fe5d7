"""Derivatives of minus the log-likelihood in eta, in closed form for pairs of family and link.

The general -(q2 m1^2 + q1 m2) of `glm` cancels: for counts and the log link it is (y - (y - mu)), which has
no digits where mu is far below y. What is here has no term that a canonical link lets cancel: sums of two
terms for variances mu^p and links log and power; of y and 1 - y times the derivatives of log mu and log nu
for proportions; and of y and 1 for the negative binomial. Differences that are left are those of l itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import erfcx

from influstat.input.validation import FloatArray
from influstat.losses import glm_families as families
from influstat.losses import glm_links as links
from influstat.losses.base import root_of_slope, sigmoid
from influstat.losses.glm_families import Derivatives, Family
from influstat.losses.glm_links import ClosedLink, InverseLink, NegativeBinomialLink, PowerLink, ReflectedLink

SMALL = 0.125  # u below which 1 - u - u / (e^u - 1) is summed: it cancels
SERIES = (-1 / 2, -1 / 12, 0.0, 1 / 720, 0.0, -1 / 30240, 0.0, 1 / 1209600, 0.0, -1 / 47900160)  # of that
_POWERS: dict[type, float] = {
    families.Gaussian: 0.0,
    families.Poisson: 1.0,
    families.Gamma: 2.0,
    families.InverseGaussian: 3.0,
}  # of mu in the variance
TAIL, FRACTIONS = 4.0, 60  # beyond it the normal tail's ratio is that continued fraction, to epsilon


class Pair(Protocol):
    """A family with a link."""

    def at(self, order: int, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return the derivative of that order, 1 to 3, of -log f(y; m(eta)) in eta."""


@dataclass(frozen=True)
class PowerVariance:
    """Variance mu^p and the log link: l1 = e^((2 - p) eta) - y e^((1 - p) eta)."""

    power: float

    def at(self, order: int, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return the derivative."""
        p = self.power
        grown, given = (2.0 - p) ** (order - 1), (1.0 - p) ** (order - 1)
        whole, small = np.exp((2.0 - p) * eta), np.exp(-np.abs(eta))
        # grown mu^(2 - p) - given y mu^(1 - p), so that far out overflow never meets overflow or underflow.
        above = whole * (grown - given * (y * small))
        below = np.exp((1.0 - p) * eta) * (grown * small - given * y)
        return np.asarray(np.where(eta > 0.0, above, np.where(y == 0.0, grown * whole, below)))


@dataclass(frozen=True)
class PowerOfPower:
    """Variance mu^p and mu = eta^s: l1 = s (eta^(s + b) - y eta^b), b = s (1 - p) - 1, 0 if canonical."""

    power: float
    exponent: float

    def at(self, order: int, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return the derivative."""
        s = self.exponent
        if s % 2.0 == 0.0 and np.any(eta < 0.0):  # the mean is even in eta, hence l too, whatever p is
            return np.where(eta < 0.0, (-1.0) ** order, 1.0) * self.at(order, y, np.abs(eta))
        b = s * (1.0 - self.power) - 1.0
        if order == 1:
            return np.asarray(s * (np.power(eta, s) - y) * np.power(eta, b))
        grown = given = s
        for j in range(order - 1):
            grown, given = grown * (s + b - j), given * (b - j)
        result = np.zeros(np.broadcast_shapes(np.shape(y), np.shape(eta)))
        if grown:
            result = result + grown * np.power(eta, s + b - order + 1.0)
        if given:
            result = result - given * (y * np.power(eta, b - order + 1.0))
        return np.asarray(np.where(np.isnan(np.power(eta, s)), np.nan, result))


@dataclass(frozen=True)
class Proportions:
    """Binomial: -y (log mu)^(k) - (1 - y) (log nu)^(k)."""

    logarithms: Callable[[FloatArray], tuple[Derivatives, Derivatives]]  # derivatives of log mu and -log nu

    def at(self, order: int, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return the derivative."""
        of_mu, of_nu = (found[order - 1] for found in self.logarithms(eta))
        yes, no = np.where(y == 0.0, 0.0, y * of_mu), np.where(y == 1.0, 0.0, (1.0 - y) * of_nu)
        return np.asarray(no - yes)


@dataclass(frozen=True)
class Canonical:
    """The negative binomial with its canonical link: mu - y, and what the mean's derivatives are."""

    link: InverseLink

    def at(self, order: int, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return the derivative."""
        if order == 1:
            return np.asarray(self.link.mean(eta) - y)
        shape = np.broadcast_shapes(np.shape(y), np.shape(eta))
        return np.broadcast_to(self.link.derivatives(eta)[order - 2], shape).copy()


@dataclass(frozen=True)
class NegativeBinomialLog:
    """The negative binomial with the log link: l2 = mu (1 + alpha y) / (1 + alpha mu)^2."""

    alpha: float

    def at(self, order: int, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return the derivative."""
        grown = np.log(self.alpha) + eta
        share, rest = sigmoid(grown), sigmoid(-grown)  # alpha mu / (1 + alpha mu), and 1 less it
        if order == 1:
            return np.asarray(share / self.alpha - y * rest)
        second = (y + 1.0 / self.alpha) * share * rest
        return np.asarray(second if order == 2 else second * (rest - share))


def pair_of(family: Family, link: InverseLink) -> Pair | None:
    """Return the closed forms of a family with a link; None where there are none here.

    Returns
    -------
    Pair or None

    Examples
    --------
    >>> from influstat.losses.glm_families import Poisson
    >>> from influstat.losses.glm_links import LogLink
    >>> float(pair_of(Poisson(), LogLink()).at(2, 1e6, np.float64(-40.0)) / np.exp(-40.0))
    1.0
    """
    p = family.power if isinstance(family, families.Tweedie) else _POWERS.get(type(family))
    if p is not None:
        if isinstance(link, PowerLink):
            return PowerOfPower(p, 1.0 / link.power)
        return PowerVariance(p) if link == links.LogLink() else None
    if isinstance(family, families.Binomial):
        found = _logarithms_of(link)
        return None if found is None else Proportions(found)
    if isinstance(family, families.NegativeBinomial):
        if link == links.LogLink():
            return NegativeBinomialLog(family.alpha)
        return Canonical(link) if link == NegativeBinomialLink(family.alpha) else None
    return None


def _logarithms_of(link: InverseLink) -> Callable[[FloatArray], tuple[Derivatives, Derivatives]] | None:
    if isinstance(link, ReflectedLink) and link.original == ClosedLink("CLogLog"):
        return _log_log
    return _LOGARITHMS.get(link.name) if isinstance(link, ClosedLink) else None


# -- the derivatives of log mu and of -log nu ---------------------------------------------------------------


def _logit(eta: FloatArray) -> tuple[Derivatives, Derivatives]:
    mu, nu, slope = sigmoid(eta), sigmoid(-eta), root_of_slope(eta) ** 2
    bend = -slope * np.tanh(eta / 2.0)
    return (nu, -slope, -bend), (mu, slope, bend)


def _log(eta: FloatArray) -> tuple[Derivatives, Derivatives]:
    mu, nu, one = np.exp(eta), -np.expm1(eta), np.ones(np.shape(eta))
    nothing = np.zeros(np.shape(eta))
    return (one, nothing, nothing), (mu / nu, mu / nu**2, mu * (1.0 + mu) / nu**3)


def _swapped(found: tuple[Derivatives, Derivatives]) -> tuple[Derivatives, Derivatives]:
    """Return those of the link of 1 - mu: log mu and log nu change places."""
    of_mu, of_nu = ((-first, -second, -third) for first, second, third in found)
    return of_nu, of_mu


def _log_c(eta: FloatArray) -> tuple[Derivatives, Derivatives]:
    return _swapped(_log(eta))


def _complementary(eta: FloatArray) -> tuple[Derivatives, Derivatives]:
    u = np.exp(eta)
    inside = (u > 0.0) & np.isfinite(u)
    ratio = np.where(inside, u / np.where(inside, np.expm1(u), 1.0), u == 0.0)  # u / (e^u - 1): 0 at inf
    near = np.minimum(u, SMALL)
    series = sum(c * near ** (k + 1) for k, c in enumerate(SERIES))
    fall = np.where(u < SMALL, series, 1.0 - u - ratio)
    second = ratio * fall
    third = np.where(ratio > 0.0, second * fall - ratio * (u + second), 0.0)
    return (ratio, np.where(ratio > 0.0, second, 0.0), third), (u, u, u)


def _log_log(eta: FloatArray) -> tuple[Derivatives, Derivatives]:
    of_mu, of_nu = _swapped(_complementary(-eta))
    flipped = [(-first, second, -third) for first, second, third in (of_mu, of_nu)]
    return flipped[0], flipped[1]


def _normal_tail(eta: FloatArray) -> Derivatives:
    """Return the derivatives of log Phi."""
    x = np.minimum(eta, 40.0)  # beyond, phi is below float64
    ratio = np.sqrt(2.0 / np.pi) / erfcx(-x / np.sqrt(2.0))
    far = np.maximum(-eta, TAIL)
    excess = far
    for k in range(FRACTIONS, 1, -1):
        excess = far + k / excess
    excess = 1.0 / excess  # of the ratio over -eta
    above = np.where(eta < -TAIL, excess, eta + ratio)
    ratio = np.where(eta < -TAIL, far + excess, ratio)
    second = -ratio * above
    return ratio, second, -second * above - ratio * (1.0 + second)


def _probit(eta: FloatArray) -> tuple[Derivatives, Derivatives]:
    first, second, third = _normal_tail(-eta)
    return _normal_tail(eta), (first, -second, third)


def _cauchy(eta: FloatArray) -> tuple[Derivatives, Derivatives]:
    link = ClosedLink("Cauchy")
    m1, m2, m3 = link.derivatives(eta)

    def of(mean: FloatArray, sign: float) -> Derivatives:
        a, b, c = sign * m1 / mean, sign * m2 / mean, sign * m3 / mean
        return a, b - a * a, c - 3.0 * a * b + 2.0 * a**3

    first, second, third = of(link.complement(eta), -1.0)
    return of(link.mean(eta), 1.0), (-first, -second, -third)


_LOGARITHMS: dict[str, Callable[[FloatArray], tuple[Derivatives, Derivatives]]] = {
    "Logit": _logit,
    "Log": _log,
    "LogC": _log_c,
    "CLogLog": _complementary,
    "Probit": _probit,
    "Cauchy": _cauchy,
}
