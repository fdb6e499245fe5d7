"""Log-likelihoods of the exponential families at scale 1, with three derivatives in the mean.

The scale (dispersion) multiplies every row's loss alike, so it moves no coefficient: leaving it at 1
keeps influence and removal of theta right, whether it is known or estimated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.special import gammaln, xlog1py, xlogy

from influstat.errors import Unsupported
from influstat.input.validation import FloatArray
from influstat.losses import drawing

Derivatives = tuple[FloatArray, FloatArray, FloatArray]


@dataclass(frozen=True)
class Support:
    """The targets that a family can give: which numbers, and how to say so.

    Examples
    --------
    >>> from influstat.losses.glm_families import Poisson
    >>> Poisson().support.outside(np.array([3.0, -1.0]))
    array([False,  True])
    """

    need: str
    lowest: float = -np.inf
    highest: float = np.inf
    with_lowest: bool = True

    def outside(self, y: FloatArray) -> Any:
        """Return which targets the family cannot give, a bool for each."""
        below = y < self.lowest if self.with_lowest else y <= self.lowest
        return below | (y > self.highest)


ANY = Support("be numbers")
COUNTS = Support("hold counts or rates of at least 0", 0.0)
POSITIVE = Support("be positive", 0.0, with_lowest=False)
PROPORTIONS = Support("hold proportions from 0 to 1 (successes divided by trials)", 0.0, 1.0)


class Family(Protocol):
    """The log-likelihood of one row by its mean mu; nu is 1 - mu without cancellation.

    All results have the shape of y and mu, which broadcast.
    """

    @property
    def support(self) -> Support:
        """Return which targets there are."""
        ...

    @property
    def draw(self) -> drawing.Draw | None:
        """Return what draws random targets (`influstat.losses.drawing`); None where there is no density."""
        ...

    def log_likelihood(self, y: FloatArray, mu: FloatArray, nu: FloatArray) -> FloatArray:
        """Return log f(y; mu) at scale 1."""
        ...

    def deviance(self, y: FloatArray, mu: FloatArray, nu: FloatArray) -> FloatArray:
        """Return 2 [log f(y; y) - log f(y; mu)] at scale 1."""
        ...

    def derivatives(self, y: FloatArray, mu: FloatArray, nu: FloatArray) -> Derivatives:
        """Return its first three derivatives in mu."""
        ...


@dataclass(frozen=True)
class Gaussian:
    """-(y - mu)^2 / 2 - log(2 pi) / 2."""

    support = ANY
    draw = staticmethod(drawing.normal)

    def log_likelihood(self, y: FloatArray, mu: FloatArray, nu: FloatArray) -> FloatArray:
        """Return log f."""
        return np.asarray(-0.5 * (y - mu) ** 2 - 0.5 * np.log(2.0 * np.pi))

    def deviance(self, y: FloatArray, mu: FloatArray, nu: FloatArray) -> FloatArray:
        """Return (y - mu)^2."""
        return np.asarray((y - mu) ** 2)

    def derivatives(self, y: FloatArray, mu: FloatArray, nu: FloatArray) -> Derivatives:
        """Return y - mu, -1, 0."""
        return y - mu, np.full(np.shape(mu), -1.0), np.zeros(np.shape(mu))


@dataclass(frozen=True)
class Binomial:
    """y log mu + (1 - y) log(1 - mu), y a proportion; a row of n trials has weight n."""

    support = PROPORTIONS
    draw = staticmethod(drawing.proportions)

    def log_likelihood(self, y: FloatArray, mu: FloatArray, nu: FloatArray) -> FloatArray:
        """Return log f, up to the binomial coefficient."""
        return np.asarray(xlogy(y, mu) + xlogy(1.0 - y, nu))

    def log_likelihood_of_logarithms(self, y: FloatArray, mean: FloatArray, rest: FloatArray) -> FloatArray:
        """Return log f from log mu and log(1 - mu), which hold what mu and 1 - mu no longer do."""
        no = 1.0 - y
        return np.asarray(np.where(y != 0, y * mean, 0.0) + np.where(no != 0, no * rest, 0.0))

    def deviance(self, y: FloatArray, mu: FloatArray, nu: FloatArray) -> FloatArray:
        """Return 2 [y log(y / mu) + (1 - y) log((1 - y) / nu)]."""
        return np.asarray(2.0 * (xlogy(y, y / mu) + xlogy(1.0 - y, (1.0 - y) / nu)))

    def derivatives(self, y: FloatArray, mu: FloatArray, nu: FloatArray) -> Derivatives:
        """Return y / mu - (1 - y) / nu and its derivatives; 0 / 0 is 0."""
        no = 1.0 - y
        above = [_over(y, mu, power) for power in (1, 2, 3)]
        below = [_over(no, nu, power) for power in (1, 2, 3)]
        return above[0] - below[0], -above[1] - below[1], 2.0 * (above[2] - below[2])


def _over(numerator: FloatArray, base: FloatArray, power: int) -> FloatArray:
    """Return numerator / base^power, 0 where the numerator is 0."""
    some = numerator != 0
    return np.where(some, numerator / np.where(some, base**power, 1.0), 0.0)


@dataclass(frozen=True)
class Poisson:
    """y log mu - mu - log y!."""

    support = COUNTS
    draw = staticmethod(drawing.counts)

    def log_likelihood(self, y: FloatArray, mu: FloatArray, nu: FloatArray) -> FloatArray:
        """Return log f."""
        return np.asarray(xlogy(y, mu) - mu - gammaln(y + 1.0))

    def deviance(self, y: FloatArray, mu: FloatArray, nu: FloatArray) -> FloatArray:
        """Return 2 [y log(y / mu) - (y - mu)], summed as a series where the two terms cancel."""
        apart = (mu - y) / y  # nearer than a thousandth, what the series leaves out is 3e-13 of it
        near = y * apart**2 * (1.0 - apart * (2.0 / 3.0 - apart * (0.5 - 0.4 * apart)))
        return np.asarray(np.where(np.abs(apart) < 1e-3, near, 2.0 * (xlogy(y, y / mu) - (y - mu))))

    def derivatives(self, y: FloatArray, mu: FloatArray, nu: FloatArray) -> Derivatives:
        """Return y / mu - 1, -y / mu^2, 2 y / mu^3."""
        return y / mu - 1.0, -y / (mu * mu), 2.0 * y / (mu * mu * mu)


@dataclass(frozen=True)
class Gamma:
    """-y / mu - log mu."""

    support = POSITIVE
    draw = staticmethod(drawing.gamma)

    def log_likelihood(self, y: FloatArray, mu: FloatArray, nu: FloatArray) -> FloatArray:
        """Return log f."""
        return np.asarray(-y / mu - np.log(mu))

    def deviance(self, y: FloatArray, mu: FloatArray, nu: FloatArray) -> FloatArray:
        """Return 2 [(y - mu) / mu - log(y / mu)]."""
        return np.asarray(2.0 * ((y - mu) / mu - np.log(y / mu)))

    def derivatives(self, y: FloatArray, mu: FloatArray, nu: FloatArray) -> Derivatives:
        """Return (y - mu) / mu^2 and its derivatives."""
        square = mu * mu  # higher powers by np.power cost ten times as much
        return (y - mu) / square, (mu - 2.0 * y) / (square * mu), (6.0 * y - 2.0 * mu) / (square * square)


@dataclass(frozen=True)
class InverseGaussian:
    """-(y - mu)^2 / (2 y mu^2) - log(2 pi y^3) / 2."""

    support = POSITIVE
    draw = staticmethod(drawing.inverse_gaussian)

    def log_likelihood(self, y: FloatArray, mu: FloatArray, nu: FloatArray) -> FloatArray:
        """Return log f."""
        return np.asarray(-0.5 * (y - mu) ** 2 / (y * mu**2) - 0.5 * np.log(2.0 * np.pi * y**3))

    def deviance(self, y: FloatArray, mu: FloatArray, nu: FloatArray) -> FloatArray:
        """Return (y - mu)^2 / (y mu^2)."""
        return np.asarray((y - mu) ** 2 / (y * mu**2))

    def derivatives(self, y: FloatArray, mu: FloatArray, nu: FloatArray) -> Derivatives:
        """Return (y - mu) / mu^3 and its derivatives."""
        return (y - mu) / mu**3, (2.0 * mu - 3.0 * y) / mu**4, (12.0 * y - 6.0 * mu) / mu**5


@dataclass(frozen=True)
class NegativeBinomial:
    """The negative binomial with variance mu + alpha mu^2, alpha known."""

    alpha: float
    support = COUNTS

    def draw(self, mean: FloatArray, precision: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Return random targets."""
        return drawing.negative_binomial(mean, precision, rng, alpha=self.alpha)

    def log_likelihood(self, y: FloatArray, mu: FloatArray, nu: FloatArray) -> FloatArray:
        """Return log f."""
        k = 1.0 / self.alpha
        constant = gammaln(y + k) - gammaln(k) - gammaln(y + 1.0)
        # y log(1 + 1 / (alpha mu)) of terms above 0: y log(alpha mu) would take the digits of large counts.
        grown = self.alpha * mu
        far, near = np.maximum(grown, 1.0), np.minimum(grown, 1.0)
        lost = np.where(grown > 1.0, xlog1py(y, 1.0 / far), xlog1py(y, near) - xlogy(y, near))
        return np.asarray(constant - lost - k * np.log1p(grown))

    def deviance(self, y: FloatArray, mu: FloatArray, nu: FloatArray) -> FloatArray:
        """Return 2 [y log(y / mu) - (y + 1 / alpha) log((1 + alpha y) / (1 + alpha mu))]."""
        grown = np.log1p(self.alpha * y) - np.log1p(self.alpha * mu)
        return np.asarray(2.0 * (xlogy(y, y / mu) - (y + 1.0 / self.alpha) * grown))

    def derivatives(self, y: FloatArray, mu: FloatArray, nu: FloatArray) -> Derivatives:
        """Return (y - mu) / (mu + alpha mu^2) and its derivatives."""
        a, total = self.alpha, 1.0 + self.alpha * y
        grown = 1.0 + a * mu
        return (
            (y - mu) / (mu * grown),
            a * total / grown**2 - y / mu**2,
            2.0 * y / mu**3 - 2.0 * a**2 * total / grown**3,
        )


@dataclass(frozen=True)
class Tweedie:
    """The quasi-likelihood with variance mu^power (power not 1 or 2): it has no density in closed form."""

    power: float
    draw = None

    @property
    def support(self) -> Support:
        """Return the positive numbers, with 0 below a power of 2; any number for a power of at most 0."""
        if self.power <= 0.0:
            return ANY
        return COUNTS if self.power < 2.0 else POSITIVE

    def log_likelihood(self, y: FloatArray, mu: FloatArray, nu: FloatArray) -> FloatArray:
        """Return y mu^(1-p) / (1-p) - mu^(2-p) / (2-p)."""
        p = self.power
        return np.asarray(y * mu ** (1.0 - p) / (1.0 - p) - mu ** (2.0 - p) / (2.0 - p))

    def deviance(self, y: FloatArray, mu: FloatArray, nu: FloatArray) -> FloatArray:
        """Return 2 [y^(2-p) / ((1-p)(2-p)) - y mu^(1-p) / (1-p) + mu^(2-p) / (2-p)]."""
        p = self.power
        best = y ** (2.0 - p) / ((1.0 - p) * (2.0 - p))
        return np.asarray(2.0 * (best - y * mu ** (1.0 - p) / (1.0 - p) + mu ** (2.0 - p) / (2.0 - p)))

    def derivatives(self, y: FloatArray, mu: FloatArray, nu: FloatArray) -> Derivatives:
        """Return (y - mu) mu^-p and its derivatives."""
        p = self.power
        return (
            (y - mu) * mu**-p,
            -p * y * mu ** (-p - 1.0) - (1.0 - p) * mu**-p,
            p * (p + 1.0) * y * mu ** (-p - 2.0) + p * (1.0 - p) * mu ** (-p - 1.0),
        )


def family_of(family: Any) -> Family:
    """Return the log-likelihood of a statsmodels family, or raise Unsupported for a user's own."""
    from statsmodels.genmod import families

    kind = type(family)
    plain: dict[type, Family] = {
        families.Gaussian: Gaussian(),
        families.Binomial: Binomial(),
        families.Poisson: Poisson(),
        families.Gamma: Gamma(),
        families.InverseGaussian: InverseGaussian(),
    }
    if kind in plain:
        return plain[kind]
    if kind is families.NegativeBinomial:
        return NegativeBinomial(float(family.alpha))
    if kind is families.Tweedie:
        power = float(family.var_power)
        special: dict[float, Family] = {0.0: Gaussian(), 1.0: Poisson(), 2.0: Gamma()}
        return special.get(power, Tweedie(power))
    raise Unsupported(
        "results",
        "come from a family of statsmodels (Gaussian, Binomial, Poisson, Gamma, InverseGaussian, "
        "NegativeBinomial, Tweedie)",
        f"comes from {kind.__module__}.{kind.__qualname__}",
        "Write its loss and use ist.LinearRisk(loss, X, y).",
    )
