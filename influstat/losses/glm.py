"""`GLMLoss`: the loss of a generalised linear model with any family and link, canonical or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.input.validation import FloatArray, vector
from influstat.losses import glm_families as families
from influstat.losses import glm_links as links
from influstat.losses.base import Bell
from influstat.losses.drawing import Draw
from influstat.losses.glm_families import Family
from influstat.losses.glm_links import InverseLink
from influstat.losses.glm_pairs import Pair, pair_of

# Those with |l3| <= l2.
_SELF_CONCORDANT = (
    (families.Binomial, links.LogitLink()),
    (families.Poisson, links.LogLink()),
    (families.Gamma, links.LogLink()),
    (families.NegativeBinomial, links.LogLink()),
)


@dataclass(frozen=True)
class GLMLoss(Bell):
    """Minus the log-likelihood of one row at scale 1, as a function of eta.

    l = -log f(y; m(eta)), log f of the family, m of the link; with the derivatives q of log f in the mean
    l1 = -q1 m1;  l2 = -(q2 m1^2 + q1 m2);  l3 = -(q3 m1^3 + 3 q2 m1 m2 + q1 m3),
    which are computed in closed form where these would cancel (`glm_pairs`).

    l2 is the *observed* curvature, the one that removals follow. With a canonical link it does not depend
    on y and is never negative; with others single rows may have l2 < 0, and Fisher scoring's expected
    curvature is another number (McCullagh and Nelder 1989, section 2.5). Where the mean is none that the
    family can have (below 0, for proportions above 1), `value` is nan without a warning, whatever the
    derivatives are: a minimiser steps back from there. Of mu^-1/2 both signs of eta have the mean eta^-2.

    Examples
    --------
    >>> from influstat.losses.glm_families import Poisson
    >>> from influstat.losses.glm_links import LogLink
    >>> float(GLMLoss(Poisson(), LogLink()).first(3.0, 0.0))        # e^0 - 3
    -2.0
    """

    family: Family
    link: InverseLink

    def check_targets(self, y: Any) -> FloatArray:
        """Return y as float64, shape (n,), if the family can give it."""
        targets, support = vector("y", y), self.family.support
        wrong = support.outside(targets)
        if wrong.any():
            row = int(np.argmax(wrong))
            was = f"holds {targets[row]:g} at row {row}"
            name = type(self.family).__name__
            raise InvalidArgument("y", f"{support.need} for the {name} family", was, "Correct it.")
        return targets

    @property
    def quadratic(self) -> float | None:
        """Return 1 for the Gaussian family with the identity: l2 does not depend on y and eta."""
        gaussian = isinstance(self.family, families.Gaussian) and self.link == links.PowerLink(1.0)
        return 1.0 if gaussian else None

    @property
    def self_concordance(self) -> float:
        """Return c with |l3| <= c l2: known for some pairs of family and link, else inf."""
        if self.quadratic is not None:
            return 0.0
        return 1.0 if (type(self.family), self.link) in _SELF_CONCORDANT else np.inf

    @property
    def higher_bounds(self) -> tuple[float, float] | None:
        """Return (1, 1) for the pairs whose self-concordance is known, which are bells all of them."""
        return (1.0, 1.0) if self.self_concordance == 1.0 else None

    @property
    def slope_size(self) -> Callable[[FloatArray], FloatArray] | None:
        """Return what slopes of a log link are rounded relative to, as `Loss` says; None for others."""
        # y / mu^(p - 1) of the variance mu^p: the slope and 1 for p = 2. Of the negative binomial y over
        # 1 + alpha mu, at most y and at most the slope and 1 / alpha.
        if self.link != links.LogLink():
            return None
        if isinstance(self.family, families.Poisson):
            return np.abs
        if isinstance(self.family, families.NegativeBinomial):
            most = 1.0 / self.family.alpha
            return lambda y: np.minimum(y, most)
        return np.ones_like if isinstance(self.family, families.Gamma) else None

    @property
    def convex(self) -> bool:
        """Return False where l2 is known to turn negative: local minima, not theorems of convexity."""
        # log link: l2 = (p - 1) y mu^(1-p) + (2 - p) mu^(2-p) for the variance mu^p; Gaussian p = 0
        power = {families.Gaussian: 0.0, families.InverseGaussian: 3.0}.get(type(self.family))
        if isinstance(self.family, families.Tweedie):
            power = float(self.family.power)
        if self.link == links.LogLink():
            return power is None or 1.0 <= power <= 2.0
        return power != 0.0 or self.link == links.PowerLink(1.0)

    @property
    def dispersion(self) -> float | None:
        """Return 1 where the family has no scale, None where its scale is to be estimated."""
        known = (families.Binomial, families.Poisson, families.NegativeBinomial)
        return 1.0 if isinstance(self.family, known) else None

    @property
    def draw(self) -> Draw | None:
        """Return what draws random targets around their means; None where the family has no density."""
        return self.family.draw

    @np.errstate(all="ignore")
    def value(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return -log f(y; m(eta))."""
        mu, support = self.link.mean(eta), self.family.support
        found = -self.family.log_likelihood(y, mu, self.link.complement(eta))
        found = np.where((mu < support.lowest) | (mu > support.highest), np.nan, found)
        if not (isinstance(self.family, families.Binomial) and np.isinf(found).any()):
            return found
        return np.where(np.isinf(found), self._far(self.family, y, eta), found)

    def _far(self, family: families.Binomial, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return -log f where a mean or its complement has underflown, inf where float64 cannot hold it."""
        return -family.log_likelihood_of_logarithms(y, *self.link.logarithms(eta))

    @np.errstate(all="ignore")
    def deviance(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return 2 [log f(y; y) - log f(y; m(eta))]."""
        found = self.family.deviance(y, self.link.mean(eta), self.link.complement(eta))
        if not isinstance(self.family, families.Binomial) or np.isfinite(found).all():
            return found
        most = self.family.log_likelihood(y, y, 1.0 - y)  # of a mean that is y
        return np.where(np.isfinite(found), found, 2.0 * (self._far(self.family, y, eta) + most))

    @cached_property
    def _pair(self) -> Pair | None:
        return pair_of(self.family, self.link)

    def _derivatives(self, y: FloatArray, eta: FloatArray) -> tuple[tuple[FloatArray, ...], ...]:
        mu, nu = self.link.mean(eta), self.link.complement(eta)
        return self.family.derivatives(y, mu, nu), self.link.derivatives(eta)

    @np.errstate(all="ignore")
    def first(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return -q1 m1."""
        if self._pair is not None:
            return self._pair.at(1, y, eta)
        (q1, _, _), (m1, _, _) = self._derivatives(y, eta)
        return -q1 * m1

    @np.errstate(all="ignore")
    def second(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return -(q2 m1^2 + q1 m2)."""
        if self._pair is not None:
            return self._pair.at(2, y, eta)
        (q1, q2, _), (m1, m2, _) = self._derivatives(y, eta)
        return -(q2 * m1**2 + q1 * m2)

    @np.errstate(all="ignore")
    def third(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return -(q3 m1^3 + 3 q2 m1 m2 + q1 m3)."""
        if self._pair is not None:
            return self._pair.at(3, y, eta)
        (q1, q2, q3), (m1, m2, m3) = self._derivatives(y, eta)
        return -(q3 * m1**3 + 3.0 * q2 * m1 * m2 + q1 * m3)

    @np.errstate(all="ignore")
    def mean(self, eta: FloatArray) -> FloatArray:
        """Return m(eta)."""
        return self.link.mean(eta)

    @np.errstate(all="ignore")
    def mean_derivative(self, eta: FloatArray) -> FloatArray:
        """Return dm / deta."""
        return self.link.derivatives(eta)[0]
