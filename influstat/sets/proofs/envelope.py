"""The second test: a quadratic that lies above what any k units take away, for every place of the null fit.

**Statement.** Let b = g_T / t for some t > 0, g_T the nuisance without S, and D_i = t B_i + C_i / t. Adding
g_T / t^2 times G(T, g_T) = 0 to N(T, g_T) (`null_fit` has both)

    N(T) = N0 + |b|^2 - sum_S (f_i - D_i'b + b'A_i b) - R,          |R| <= rho_c |b|^2,
    rho_c = t^2 c lambda(sum h |xi| gamma zz') + c gamma(c max|z| r) R3 r,   gamma(x) = (e^x - 1 - x) / x^2,

for |g_T| <= r, since |sum_T xi rho| <= |g|^2 c lambda(...) and |sum_T (z'g) rho| <= c gamma R3 |g|^3. With
lambda(A_S) <= Lam and rho = Lam + rho_c it suffices that for all b

    max over S of sum_S (f_i - D_i'b) < N0 + (1 - rho) |b|^2.

For any tau >= 0 and s_i > 0 the sum of the k largest v_i is at most k tau + sum (v_i - tau + s_i)^2 / (4
s_i), as max(x, 0) <= (x + s)^2 / (4 s). With m = f - tau the test is a quadratic in b, below 0 everywhere if

    M = (1 - rho) I - sum DD' / (4 s) > 0   and   k tau + sum (m + s)^2 / (4 s) - N0 + v'M^-1 v / 4 < 0,
    v = - sum (m + s) / (2 s) D.

Any t, tau and s prove it. Here t balances C and B, tau is the f of a rank near k, and s_i^2 = m_i^2 +
|D_i|^2 sigma^2 / d: units near rank k are bent over the width over which b moves them. (t, rank, sigma) are
searched, from where the last proof was found.

*Better s.* For given t and tau the largest value over b is convex in all 1 / s_i together, and at the least
one s_i^2 is the mean of (m_i - D_i'b)^2 over some distribution of b, of mean mu and covariance P say:

    s_i^2 = (m_i - D_i'mu)^2 + D_i'P D_i.

The quadratic is highest at -M^-1 v / 2, the mean of b, and flat along M^-1, where M is small. So mu and P are
moved towards these and the test is made again (P = c M^-1 is what an interior point method has, c log det M
being its barrier), P shrinking a little each time; then t and tau once more. The next k starts from where the
last one ended, with P somewhat larger.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

from influstat.algebra.rounding import unit_rounding
from influstat.input.validation import FloatArray
from influstat.sets.proofs.parts import Parts

WIDTHS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)  # sigma, first tried
START_RANK = 0.9  # of k: where tau is at first
HOPELESS = 0.5  # of N0: so far from a proof, nothing near it will be one
CLOSE = 0.05  # of N0: so near that shorter moves, other t and other tau are tried
NEAR = 3  # times k: units of largest f that are not in blocks
STEPS = (0.12, 0.06)  # of the logarithms of tau's rank and of t
LEAST_BEND, TINY = 1e-3, float(np.finfo(np.float64).tiny)  # s is not less than that part of |m|, nor 0
MOVES = 24  # of mu and P
SHRINKING, SHORTEST = 0.8, 0.95  # of the trace of P, each time it is moved: at first, and at last
WIDER = 2.5  # times P, where a search begins at another's end
SLOW = 0.03  # of what is left: a smaller gain ends the moves


@dataclass(frozen=True)
class Demand:
    """What is to be excluded at one k: all numbers hold for every S that could flip."""

    need: float  # N0 less its margins
    lam: float  # Lam
    radius: float  # r
    curved: float  # c lambda(sum h |xi| gamma zz')
    bend: float  # c gamma(c max|z| r) R3 r
    cross: float  # of the null fit: acts along g
    slack: float  # likewise, along g / t^2

    def rho(self, t: float) -> float:
        """Return rho at balance t."""
        return self.lam + self.bend + (t * t * self.curved if self.curved else 0.0)

    def rounded_need(self, t: float) -> float:
        """Return N0 less all margins at balance t."""
        return self.need - self.radius * (self.cross + self.slack / t**2)


@dataclass(frozen=True, eq=False)
class Place:
    """What the test is made with: logarithms of t and of tau's rank, and what b is like, which makes s.

    A number for `spread` stands for as many times 1, with mean 0.
    """

    t: float  # in units of what balances B and C
    rank: float  # of k
    spread: FloatArray | float  # P, shape (d, d)
    mean: FloatArray | None = None  # mu, shape (d,)

    def suits(self, d: int) -> bool:
        """Tell whether it is for so many directions: other units may leave another number of them."""
        return self.mean is None or len(self.mean) == d

    def stretched(self, t: float) -> Place:
        """Return it at another t: b is shorter by as much as t is longer."""
        factor = float(np.exp(self.t - t))
        return Place(t, self.rank, self.spread * factor**2, None if self.mean is None else self.mean * factor)


@dataclass(frozen=True, eq=False)
class Tested:
    """The quadratic at its highest, below 0 if it proves the test; and mu, and M^-1 if asked for."""

    excess: float
    highest: FloatArray
    inverse: FloatArray | None


class Envelope:
    """The test for the units of one null fit.

    Parameters
    ----------
    f : ndarray, shape (m,)
        What each unit takes to first order.
    B, C : ndarray, shape (m, d)
        Of `null_fit`.
    ordered : ndarray, shape (m,)
        f, largest first.
    place : Place, optional
        Where to look first: what was best for similar units.
    """

    def __init__(
        self,
        f: FloatArray,
        B: FloatArray,
        C: FloatArray,
        ordered: FloatArray,
        place: Place | None = None,
    ) -> None:
        self.ordered, self.d = ordered, B.shape[1]
        self.unit = np.eye(self.d)
        self.parts = Parts(f, B, C)
        size = float(np.linalg.norm(B)), float(np.linalg.norm(C))
        self.usable = min(size) > 0.0
        self.balance = float(np.sqrt(size[1] / size[0])) if self.usable else 1.0
        self.place = place if place and place.suits(self.d) else self._of_width(WIDTHS[3])
        self.proof: Place | None = None  # the last one
        self.nearest = self.place  # the best place so far that others may start from

    def _of_width(self, sigma: float, t: float = 0.0, rank: float = float(np.log(START_RANK))) -> Place:
        return Place(t, rank, sigma**2 / max(self.d, 1))

    def proves_again(self, k: int, demand: Demand) -> bool:
        """Tell whether what was the last proof is one here too."""
        return self.usable and self._test(k, self.proof or self.place, demand).excess < 0.0

    def proves(self, k: int, demand: Demand) -> bool:
        """Tell whether it is proven that no k units take away what the test needs."""
        if not self.usable:
            return False
        if self.proof is not None:
            wider = Place(self.proof.t, self.proof.rank, WIDER * self.proof.spread, self.proof.mean)
            return self._searched(k, wider, demand)
        found = np.inf
        for place in [self.place, *(self._of_width(w, self.place.t, self.place.rank) for w in WIDTHS)]:
            excess = self._test(k, place, demand).excess
            if excess < found:
                found, best = excess, place
            if found < 0.0:
                return self._known(place)
        return bool(found < HOPELESS * demand.need) and self._searched(k, best, demand)

    def _known(self, place: Place) -> bool:
        self.proof = self.place = self.nearest = place
        return True

    def _searched(self, k: int, place: Place, demand: Demand) -> bool:
        """Move what makes s, then t and tau, towards a proof."""
        best, found = self._moved(k, place, demand)
        if 0.0 < found < CLOSE * demand.need:
            best, found = self._tuned(k, best, found, demand)
        if found < 0.0:
            return self._known(best)
        if self.proof is not None:
            self.proof = best
        return False

    def _moved(self, k: int, place: Place, demand: Demand) -> tuple[Place, float]:
        """Return the best place on the way of mu and P, and what is in excess there."""
        spread = place.spread * self.unit if isinstance(place.spread, float) else place.spread
        mean = np.zeros(self.d) if place.mean is None else place.mean
        best, found, shrinking = place, np.inf, SHRINKING
        reached: tuple[FloatArray, FloatArray, FloatArray, FloatArray] | None = None
        for _ in range(MOVES):
            place = Place(place.t, place.rank, spread, mean)
            tested = self._test(k, place, demand)
            gained = tested.excess < (1.0 - SLOW) * found
            if tested.excess < found:
                best, found = place, tested.excess
                reached = None if tested.inverse is None else (spread, mean, tested.inverse, tested.highest)
            if found < 0.0 or reached is None:
                break
            if not gained:  # too far: from the best place on in smaller steps
                shrinking = float(np.sqrt(shrinking))
                if shrinking > SHORTEST or found > CLOSE * demand.need:
                    break
            spread, mean, inverse, highest = reached
            smaller = shrinking * float(np.trace(spread) / np.trace(inverse))
            spread, mean = 0.5 * spread + 0.5 * smaller * inverse, 0.5 * mean + 0.5 * highest
        return best, found

    def _tuned(self, k: int, place: Place, found: float, demand: Demand) -> tuple[Place, float]:
        """Return a place with another tau or t, and what is in excess there."""
        for step in STEPS:
            for sign in (1.0, -1.0):
                for moved in (
                    Place(place.t, place.rank + sign * step, place.spread, place.mean),
                    place.stretched(place.t + sign * step),
                ):
                    excess = self._test(k, moved, demand).excess
                    if excess < found:
                        place, found = moved, excess
                    if found < 0.0:
                        return place, found
        return place, found

    def _test(self, k: int, place: Place, demand: Demand) -> Tested:
        """Return the quadratic at its highest place, rounded up."""
        t, d = exp(min(max(place.t, -9.0), 9.0)) * self.balance, self.d
        rank = min(max(round(exp(place.rank) * k), 1), len(self.ordered))
        tau = max(float(self.ordered[rank - 1]), 0.0)
        value, size, gram, v = k * tau, 0.0, np.zeros((d, d)), np.zeros(d)
        second = None if place.mean is None else place.spread + np.outer(place.mean, place.mean)
        for part in self.parts.split(NEAR * k, t):
            m = part.f - tau
            if place.mean is None or second is None:
                squares = m * m + part.squares * place.spread
            else:
                linear, quadratic = part.along(place.mean, second)
                squares = m * (m - 2.0 * linear) + quadratic
            s = np.sqrt(np.maximum(squares, 0.0))
            np.maximum(s, LEAST_BEND * np.abs(m) + TINY, out=s)
            m += s
            quarters = 0.25 / s
            halves = m * quarters
            value += float(part.count @ (m * halves))
            size += float((part.count * quarters) @ part.sizes)
            gram += part.gram(quarters)
            v += 2.0 * (halves @ part.D)
        rounding = unit_rounding(len(self.ordered) + d)
        left = 1.0 - demand.rho(t) - 2.0 * rounding * (1.0 + size)
        need = demand.rounded_need(t)
        nowhere = Tested(abs(need) + value, v, None)
        factor, failed = dpotrf(left * self.unit - gram, lower=1)
        if failed:
            return nowhere
        solved = dpotrs(factor, v, lower=1)[0]
        quarter = float(v @ solved) / 4.0
        if not quarter >= 0.0:
            return nowhere
        found = value + quarter - need + 16.0 * rounding * (value + quarter + abs(need))
        inverse = None if place.mean is None else dpotrs(factor, self.unit, lower=1)[0]
        return Tested(found, -0.5 * solved, inverse)
