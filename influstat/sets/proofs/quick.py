"""The quick certificate: no k units flip the conclusion, whatever the number of coefficients.

**Statement.** `null_fit` has the terms. Let S be a set of at most k units that flips: N(T) <= 0. Bounds over
all such S, each the least of a few:

    Lam >= lambda(A_S)   `leverage_bounds`; at 1 or above nothing is proven: S may leave no information
    Cmax >= |C_S|        sum of the k largest |C_i|; (Lam sum_S r^2 / h)^1/2 where no penalty leaves
    Bmax >= |B_S|        sum of the k largest |B_i|; (Lam sum_S h xi^2)^1/2 likewise

(Cauchy and Schwarz: C_S = sum (h^1/2 z)(r / h^1/2), and the first factor has the squared norm lambda(A_S).)

1. *Ball.* Along a unit vector v the second derivative of F_T at g = t v is at least
   sum_all h zeta^2 e^(-c t |zeta|) + penalty - Lam, zeta = z'v, as l2 falls by at most e^(-c|d|). The weights
   h zeta^2 and the penalty add up to 1, so by Jensen it is at least e^(-c R3 t) - Lam for any R3 >=
   sum h |zeta|^3; that sum is at most max |z|, and (sum h zeta^4)^1/2 by Cauchy and Schwarz. The first
   derivative starts at no less than -Cmax, hence

       |g_T| <= r,  r = Cmax / (1 - Lam) for squared error,
       r = least root of (1 - e^(-c R3 t)) / (c R3) - Lam t = Cmax otherwise; none: nothing is proven.

2. *Test 1.* |sum_T xi rho| <= rem = r^2 c lambda(sum h |xi| gamma(c |z| r) zz'), with
   gamma(x) = (e^x - 1 - x) / x^2, so that N(T) >= N0 - sum_S (f_i + r |B_i|) - rem: no S flips if the k
   largest f + r |B| add up to less than N0 - rem.
3. *Test 2.* The envelope (`envelope`).
4. *Conditioning.* By 2, a set that flips has sum_S (f_i + r |B_i|) >= N0 - rem. So all bounds may be taken
   over those S alone that do (`Top.among`), which gives a smaller r, and so on. N(T) > 0 is also proven
   where the k largest f add up to less than N0 - rem - r Bmax. (The largest f_S + r |B|_S less the largest
   f_S would be no bound on the second-order part: two different sets may attain them.)

As all bounds are over at most k units, a proof for k is one for every smaller number, and the largest is
found by doubling and bisection. Floating point: `need` is N0 less the margins, r includes `slack`, and all
lengths are enlarged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.rounding import unit_rounding
from influstat.input.printing import amount
from influstat.input.validation import FloatArray
from influstat.sets.lengths import lengths
from influstat.sets.null_fit import NullFit
from influstat.sets.proofs.ball import radii, radius_of
from influstat.sets.proofs.candidates import Candidates
from influstat.sets.proofs.envelope import Demand, Envelope, Place
from influstat.sets.proofs.leverage_bounds import LeverageBounds
from influstat.sets.proofs.remainder import Remainder
from influstat.sets.proofs.sums import Top, fewest, largest_sum

START = 8  # part of what test 1 proves, by which the first step of both tests goes beyond
AWAY = 8  # times half a step that fails, more than what is proven: from so far away the search may miss
FAR = 1.5  # times another bound: so much is hardly gained by conditioning
ROUNDS = 6  # of conditioning: each gains less than the one before
GAIN = 1e-2  # of the radius, below which another round is not worth it
BUCKETS, MOST_BUCKETS = 2, 16  # radii per factor of e, and in all, for which sums over all rows are made
ENOUGH = ""  # why a proof succeeded: there is nothing to say


@dataclass(frozen=True)
class Ball:
    """Bounds over the sets that could flip: Lam, r, Bmax and what remains of higher order."""

    lam: float
    radius: float
    B: float
    remainder: float


class Quick:
    """The quick certificate of one null fit."""

    def __init__(
        self, null: NullFit, leverage: LeverageBounds | None = None, place: Place | None = None
    ) -> None:
        self.null, self.place = null, place  # the latter of the envelope, from a similar null fit
        self.leverage = LeverageBounds(null) if leverage is None else leverage  # of the same rows
        self.f = null.of_open(null.f)
        self.limit = ENOUGH  # why the last k was not proven
        self.kind = "score"  # by what the last proof was
        self.remainder = Remainder(null)
        self.near: dict[str, list[float]] = {}  # multipliers of conditioned sums, of the last k
        # Bounds over sets of at most that many units, the last number that was not proven.
        self.beyond: tuple[int, Ball] | None = None
        self._enough: tuple[int, Candidates] | None = None  # what was enough for so many units

    def score_count(self) -> int | None:
        """Return the least k whose k largest f reach N0, None where no k that leaves a unit does."""
        return fewest(self.f, self.null.N0)

    def largest(self, most: int | None = None) -> int:
        """Return the largest k, at most `most`, of which it is proven that no k units flip the conclusion."""
        top = len(self.f) if most is None else min(most, len(self.f))
        top = min(top, int(np.searchsorted(self.sums, self.null.N0)))  # beyond, f alone reaches N0
        low = top
        while low and not self._first_test(low):  # cheap, and not far below what the rest proves
            low //= 2
        step, high, why = max(1, low // START), top + 1, ENOUGH
        while high - low > 1:
            k = low + step if low + step < high else (low + high) // 2
            if self.proven(k):
                low, step = self._also_proven(k, high), 2 * step
                continue
            step = (k - low) // 2
            if step <= low // AWAY:  # else the search may have begun too far away
                high, step, why = k, 1, self.limit
            low = self._also_proven(low, k)
        self.limit = why or _alone_reach(low + 1)
        return low

    def _also_proven(self, low: int, high: int) -> int:
        """Return the most units below `high`, at least `low`, that the last numbers of test 2 prove."""
        # Bounds for more units hold for these: one test each, where new bounds cost many.
        if self.beyond is None or self.envelope.proof is None:
            return low
        most, ball = self.beyond
        high, demand = min(high, most + 1), self._demand(ball)
        while high - low > 1:
            k = (low + high) // 2
            if self.envelope.proves_again(k, demand):
                low, self.kind = k, "envelope"
            else:
                high = k
        return low

    def proven(self, k: int) -> bool:
        """Tell whether it is proven that no k units, nor fewer, flip the conclusion."""
        k, ball = min(k, len(self.f)), None
        for found, ball in self.rounds(k):
            if found:
                self.kind = "score"
                return True
            if ball is not None and self.envelope.proves_again(k, self._demand(ball)):
                self.kind = "envelope"
                return True
        if ball is None:
            return False
        self.limit = f"terms of second order are too large for {amount(k, 'units')}"
        if self.envelope.proves(k, self._demand(ball)):
            self.kind = "envelope"
            return True
        self.beyond = k, ball
        return False

    def _first_test(self, k: int) -> bool:
        """Tell whether test 1 alone proves it."""
        for found, ball in self.rounds(k):
            if found:
                return True
            if ball is not None:
                self.beyond = k, ball
        return False

    def rounds(self, k: int) -> Iterator[tuple[bool, Ball | None]]:
        """Yield, round after round of conditioning, whether test 1 proves it, and the bounds."""
        null, self.limit = self.null, ENOUGH
        first = float(self.sums[k - 1]) * (1.0 + unit_rounding(k)) if k else 0.0
        if not first < null.N0 - null.margin:
            self.limit = _alone_reach(k)
        if self.limit or k == 0 or null.d == 0:  # nothing of second order
            yield not self.limit, None
            return
        near, radius = self._candidates(k), np.inf
        given, least, tops = near.f, -np.inf, near.tops(k)
        for _ in range(ROUNDS):
            ball = self._ball(k, tops, given, least)
            if ball is None:
                return
            need = self._need(ball)
            given, least = near.f + ball.radius * near.B, need
            yield largest_sum(given, k) < need or first < need - ball.radius * ball.B, ball
            if ball.radius > (1.0 - GAIN) * radius:
                return
            radius = ball.radius

    def farthest(self, k: int) -> float | None:
        """Return a bound on r over all sets of at most k units, flipping or not; None where there is none."""
        k = min(k, len(self.f))
        if k == 0 or self.null.d == 0:
            return 0.0
        near = self._candidates(k)
        ball = self._ball(k, near.tops(k), near.f, -np.inf)
        return None if ball is None else ball.radius

    def doubtful(self) -> NDArray[np.intp]:
        """Return the units of which it is not proven here that none flips the conclusion alone."""
        null = self.null
        lam = self.leverage.lev * (1.0 + null.relative) + 2.0 * null.relative
        stretched = 1.0 + 4.0 * null.relative + unit_rounding(null.d)
        C = self.units.C * stretched + null.slack
        usable = lam < 1.0
        radius = radii(C, lam, self.remainder.bending)
        finite = np.isfinite(radius)
        curved = self._curved_within(radius)
        with np.errstate(invalid="ignore", over="ignore"):
            second = radius * (self.units.B * stretched + null.cross) + radius**2 * curved
            if self.leverage.rows and not null.folded and null.concordance == 0.0:
                # B_i, C_i and A_i point along z_i: the second-order part has the sign of f_i
                own = radius * null.cross + self.units.B * null.slack / np.where(usable, 1.0 - lam, 1.0)
                second = np.where(self.f > 0.0, second, own)
            safe = finite & (self.f + second < null.N0 - null.margin)
        return np.asarray(self.leverage.open[~safe])

    # -- the parts -----------------------------------------------------------------------------------

    def _curved_within(self, radius: FloatArray) -> FloatArray:
        """Return what the losses bend within each radius: similar ones have that of their largest."""
        curved = np.zeros(len(radius))
        bends = np.isfinite(radius) & (radius > 0.0) & (self.null.concordance > 0.0)
        places = np.floor(BUCKETS * np.log(radius, out=np.zeros(len(radius)), where=bends))
        places = np.maximum(places, np.max(places[bends], initial=0.0) - MOST_BUCKETS)
        for place in np.unique(places[bends]):
            alike = bends & (places == place)
            curved[alike] = self.remainder.curved(float(np.max(radius[alike])))
        return curved

    @cached_property
    def ordered(self) -> FloatArray:
        """f, largest first."""
        return np.asarray(np.sort(self.f)[::-1])

    @cached_property
    def sums(self) -> FloatArray:
        """The largest sums of 1, 2, ... of the f."""
        return np.asarray(np.cumsum(np.maximum(self.ordered, 0.0)))

    @cached_property
    def units(self) -> Candidates:
        """What bounds are made of."""
        null = self.null
        B, C = (lengths(null.of_open(parts)) for parts in (null.turns, null.pulls))
        return Candidates(self.f, B, C, self.leverage.lev, null.of_open(null.r2h), null.of_open(null.x2))

    def _candidates(self, k: int) -> Candidates:
        """Return what is enough for sums over at most k units: those for somewhat more units are, too."""
        if self._enough is None or not k <= self._enough[0] < 2 * k:
            self._enough = k, self.units.of(k)
        return self._enough[1]

    def _need(self, ball: Ball) -> float:
        """Return what first and second order together would have to take away, rounded down."""
        null = self.null
        return null.N0 - null.margin - ball.radius * null.cross - ball.remainder

    def _ball(self, k: int, tops: dict[str, Top], given: FloatArray, least: float) -> Ball | None:
        null = self.null

        def among(name: str) -> float:
            return tops[name].among(given, least, self.near.setdefault(name, []))

        lam = self.leverage.other(k)
        if tops["lev"].total <= FAR * lam:
            lam = min(lam, among("lev"))
        lam = self.leverage.rounded(lam, k)
        if not lam < 1.0 - null.relative:
            self.limit = f"{amount(k, 'units')} may carry all information on {self.leverage.carried()}"
            return None

        def length(each: str, squares: str) -> float:
            product = lam * tops[squares].total  # nan where nothing bends, and something pulls
            root = float(np.sqrt(product)) if product < np.inf and not null.folded else np.inf
            bound = among(each) if tops[each].total <= FAR * root else np.inf
            if root == np.inf or root > FAR * bound:
                return bound
            return min(bound, float(np.sqrt(lam * among(squares))))

        stretched = 1.0 + 4.0 * null.relative + unit_rounding(null.d + k)
        C = length("C", "r2h") * stretched + null.slack
        radius = radius_of(C, lam + null.relative, self.remainder.bending)
        if radius is None:
            self.limit = f"the loss bends too much within reach of {amount(k, 'units')}"
            return None
        radius *= stretched
        return Ball(lam, radius, length("B", "x2") * stretched, self.remainder.rest(radius))

    def _demand(self, ball: Ball) -> Demand:
        """Return what test 2 has to exclude."""
        null, radius = self.null, ball.radius
        return Demand(
            need=null.N0 - null.margin,
            lam=ball.lam + null.relative,
            radius=radius,
            curved=self.remainder.curved(radius),
            bend=self.remainder.bend(radius),
            cross=null.cross,
            slack=null.slack,
        )

    @cached_property
    def envelope(self) -> Envelope:
        """Test 2 for these units."""
        null = self.null
        return Envelope(self.f, null.of_open(null.turns), null.of_open(null.pulls), self.ordered, self.place)


def _alone_reach(k: int) -> str:
    """Return that k first-order parts are enough."""
    return (
        "one first-order part alone reaches it" if k == 1 else f"the {k} largest first-order parts reach it"
    )
