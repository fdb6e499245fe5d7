"""Significance by the likelihood ratio of the fits with and without a coefficient, for losses that bend.

**Statement.** F_T is minus the log-likelihood of the rows T, of known dispersion and without a penalty, and

    L(T) = 2 (min {F_T(t): a't = at} - min F_T)

is compared with crit, the quantile of chi squared. Terms as in `null_fit`; theta is the fit of all rows that
are there, d_i = l_i(t0) - l_i(theta) times w_i, so that sum d = L(all) / 2. For a point p at which F with all
rows is least, under the constraint or without it, let delta(S) = F_T(p) - min F_T likewise.

*Lose: it stays significant with its sign.* F_T(theta) is no less than the minimum, so that L(T) / 2 is at
least sum d - d_S - delta(S), delta at t0. Where that is above crit / 2 the minimum under the constraint lies
above F_T(theta), a'theta > at; it is convex in the constraint, hence least above `at`: the sign stays too.

*Gain: it stays insignificant.* Likewise L(T) / 2 <= sum d - d_S + delta(S), delta at theta, in all
directions.

*Oppose: it is never significant with the other sign.* A sign that stays is enough.

**delta(S)** as something that `quick` and `envelope` bound. With V whitening around p, and g where F_T is
least,

    -delta(S) = C_S'g + g'(I - A_S)g / 2 + R3,    0 = C_S + (I - A_S)g + sum over T of z rho.

Q = sum h c |zeta|^3 gamma(c |zeta|), zeta = z'g, gamma(x) = (e^x - 1 - x) / x^2, bounds |sum zeta rho|, and
|R3| is at most Q / 3, since l2 grows at most like e^(c|d|) and e^x - 1 - x - x^2 / 2 <= x (e^x - 1 - x) / 3.
Adding alpha times g'(the second), alpha = -1/2,

    N0 - f_S - delta(S) >= N0 - f_S + B_S'g - 5/6 Q,      **B = C / 2**,

which is test 1 with a remainder of 5/6 Q. For squared error it would be N0 - f_S - B_S'(I - A_S)^-1 C_S. Test
2 has D = t B + C / t = (1 + alpha) t C with alpha = 1 / t^2 - 1 / 2, |b|^2 = |g|^2 / t^2, and a remainder of
(1/3 + |alpha|) Q <= (1 + 5/6 t^2) |b|^2 Q / |g|^2. Both are covered by its terms `bend` >= Q / |g|^2 and t^2
`curved` = t^2 c lambda(sum h |xi| gamma zz') with xi_i = 5/6 |z_i| r, r at its largest.

With a variance that is estimated, n log(RSS0 / RSS) grows with t^2, and `model_based` has the proofs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from influstat.algebra.rounding import EPSILON, unit_rounding
from influstat.errors import InflustatError
from influstat.input.validation import FloatArray
from influstat.losses.base import target_sizes
from influstat.minimise.descent import TOLERANCE, Descent
from influstat.sets.constrained import STEPS
from influstat.sets.null_fit import NullFit, around
from influstat.sets.proofs.leverage_bounds import LeverageBounds
from influstat.sets.proofs.quick import Quick
from influstat.sets.significance.squares import SMALL

THIRD = 5.0 / 6.0  # of Q: the remainder of both tests


@dataclass(eq=False)
class Ratio:
    """Two times the gap of F between the null fit and the fit, of any rows that are there."""

    critical: float  # the quantile of chi squared, times the dispersion
    known: tuple[FloatArray, FloatArray] | None = field(default=None, repr=False)  # t0, and theta for it

    def theta(self, null: NullFit) -> FloatArray:
        """Return the fit of the rows that are there, shape (p,)."""
        if self.known is None or self.known[0] is not null.theta:
            problem = null.problem
            risk = problem.risk.reweighted(np.where(null.kept, problem.risk.weights, 0.0))
            start = problem.theta if self.known is None else self.known[1]
            with np.errstate(over="ignore", invalid="ignore"):
                self.known = null.theta, Descent(risk, start).minimum(STEPS, TOLERANCE).theta
        return self.known[1]

    def parts(self, null: NullFit) -> tuple[FloatArray, float]:
        """Return w_i (l_i(t0) - l_i(theta)) of every row, there or not, and the rounding of sums."""
        risk = null.problem.risk
        try:
            theta = self.theta(null)
        except InflustatError:
            return np.full(len(null.kept), np.nan), np.inf  # the rows that are there have no fit
        values, noise = [], 0.0
        there = np.where(null.kept, risk.weights, 0.0)
        for point in (null.theta, theta):
            eta = risk.linear_predictor(point)
            value, first = risk.loss.value(risk.y, eta), risk.loss.first(risk.y, eta)
            as_eta, as_slope = target_sizes(risk.loss, risk.y)
            size = risk.design.absolute_dot(np.abs(point)) + np.abs(risk.offset) + as_eta
            with np.errstate(invalid="ignore"):
                noise += float(there @ (as_slope * (1.0 + np.abs(eta)))) * 64.0 * EPSILON
                noise += float(there @ (np.abs(first) * size)) * unit_rounding(risk.shape[1])
                noise += float(there @ np.abs(value)) * (unit_rounding(len(eta)) + 64.0 * EPSILON)
            values.append(value)
        with np.errstate(invalid="ignore"):
            return risk.rows.weighted(values[0] - values[1]), noise

    def gap(self, null: NullFit) -> tuple[float, float]:
        """Return L(T) - crit, in halves, and its rounding; nan where there is no fit."""
        parts, noise = self.parts(null)
        return float(np.sum(parts[null.kept])) - 0.5 * self.critical, noise

    def statistic(self, null: NullFit) -> float:
        """Return L(T)^1/2, with the sign of the fit: minus where it is on the other side of the threshold."""
        gap, _ = self.gap(null)
        return float(np.sign(null.N0)) * float(np.sqrt(np.maximum(2.0 * gap + self.critical, 0.0)))


@dataclass(eq=False)
class _OfRatio:
    """What conclusions by the likelihood ratio share."""

    demeaned: ClassVar[bool] = False
    turn: ClassVar[float] = 1.0  # -1 where the conclusion falls as the ratio grows
    ratio: Ratio

    def without_one(self, null: NullFit) -> FloatArray | None:
        """Return None: there is no closed form."""
        return None

    def taken(self, null: NullFit) -> FloatArray:
        """Return what each unit, removed or not, takes away from it to first order."""
        return self.turn * null.units.sums(self.ratio.parts(null)[0])


class RatioLose(_OfRatio):
    """The conclusion that the coefficient is significant with its sign."""

    def views(self, null: NullFit, k: int, leverage: LeverageBounds) -> Iterator[NullFit]:
        """Yield the null fit with f, B and N0 of the likelihood ratio."""
        parts, noise = self.ratio.parts(null)
        excess = float(np.sum(parts[null.kept])) - 0.5 * self.ratio.critical
        yield from _viewed(null, parts, excess, noise, k, leverage)

    def stands(self, null: NullFit) -> bool:
        """Tell whether it holds with the rows that are there."""
        gap, noise = self.ratio.gap(null)
        return bool(null.N0 > 0.0 and gap > noise + SMALL * self.ratio.critical)


class RatioGain(_OfRatio):
    """The conclusion that the coefficient is not significant."""

    turn = -1.0

    def views(self, null: NullFit, k: int, leverage: LeverageBounds) -> Iterator[NullFit]:
        """Yield the fit itself in the place of a null fit, with f, B and N0 of the likelihood ratio."""
        parts, noise = self.ratio.parts(null)
        excess = 0.5 * self.ratio.critical - float(np.sum(parts[null.kept]))
        if not np.isfinite(excess):  # there is no fit
            return
        full = around(null, self.ratio.theta(null))
        yield from _viewed(full, -parts, excess, noise, k, LeverageBounds(full))

    def stands(self, null: NullFit) -> bool:
        """Tell whether it holds with the rows that are there."""
        gap, noise = self.ratio.gap(null)
        return bool(-gap > noise + SMALL * self.ratio.critical)


class RatioOppose(_OfRatio):
    """That it is not significant with the other sign: proven where the sign stays."""

    def views(self, null: NullFit, k: int, leverage: LeverageBounds) -> Iterator[NullFit]:
        """Yield the null fit as it is."""
        yield null

    def stands(self, null: NullFit) -> bool:
        """Tell whether it holds with the rows that are there."""
        gap, noise = self.ratio.gap(null)
        return bool(null.N0 > 0.0 or -gap > noise + SMALL * self.ratio.critical)

    def taken(self, null: NullFit) -> FloatArray:
        """Return what each unit, removed or not, takes away from it to first order."""
        parts = super().taken(null)
        return parts if null.N0 > 0.0 else -parts


def _viewed(
    null: NullFit, parts: FloatArray, excess: float, noise: float, k: int, leverage: LeverageBounds
) -> Iterator[NullFit]:
    """Yield a null fit whose N(T) is the excess less the parts and delta(S)."""
    if not np.isfinite(excess):
        return
    f = np.where(null.open, null.units.sums(np.where(null.kept, parts, 0.0)), 0.0)
    whitened = null.whitened.but(turns=0.5 * null.pulls)
    cross, x2 = 0.5 * null.slack, 0.25 * null.r2h
    view = replace(null, f=f, whitened=whitened, x2=x2, N0=excess, margin=noise, cross=cross)
    radius = Quick(view, leverage).farthest(k)
    if radius is None:
        return
    lengths = np.linalg.norm(null.z, axis=1) * (1.0 + null.relative)
    yield replace(view, xi=THIRD * radius * lengths, cross=null.slack)
