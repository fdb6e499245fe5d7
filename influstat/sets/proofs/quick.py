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
   over those S alone that do (`largest_among`), which gives a smaller r, and so on. N(T) > 0 is also proven
   where the k largest f add up to less than N0 - rem - r Bmax. (The largest f_S + r |B|_S less the largest
   f_S would be no bound on the second-order part: two different sets may attain them.)

As all bounds are over at most k units, a proof for k is one for every smaller number, and the largest is
found by doubling and bisection. Floating point: `need` is N0 less the margins, r includes `slack`, and all
lengths are enlarged.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvalsh
from scipy.optimize import brentq

from influstat.algebra.rounding import unit_rounding
from influstat.input.validation import FloatArray
from influstat.sets.null_fit import NullFit
from influstat.sets.proofs.candidates import Candidates
from influstat.sets.proofs.envelope import Demand, Envelope
from influstat.sets.proofs.leverage_bounds import LeverageBounds, quartic, vectors
from influstat.sets.proofs.sums import largest_among, largest_sum

START = 8  # part of what test 1 proves, by which the first step of both tests goes beyond
FAR = 3.0  # times another bound: so much is not gained by conditioning
ROUNDS = 6  # of conditioning: each gains less than the one before
GAIN = 1e-2  # of the radius, below which another round is not worth it
GRID = 16  # radii per factor of e, rounded up, at which the remainder is evaluated
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

    def __init__(self, null: NullFit) -> None:
        self.null, self.leverage = null, LeverageBounds(null)
        chosen = self.leverage.open
        self.f, self.B, self.C = null.f[chosen], null.B[chosen], null.C[chosen]
        self.lengths_B, self.lengths_C = np.linalg.norm(self.B, axis=1), np.linalg.norm(self.C, axis=1)
        self.units = Candidates(
            self.f, self.lengths_B, self.lengths_C, self.leverage.lev, null.r2h[chosen], null.x2[chosen]
        )
        self.ordered = -np.sort(-self.f)
        self.sums = np.cumsum(np.maximum(self.ordered, 0.0))
        self.limit = ENOUGH  # why the last k was not proven
        self.kind = "score"  # by what the last proof was
        self._remainders: dict[int, float] = {}

    def score_count(self) -> int | None:
        """Return the least k whose k largest f reach N0, None where no k that leaves a unit does."""
        found = int(np.searchsorted(self.sums, self.null.N0))
        return found + 1 if found + 1 < len(self.sums) else None

    def largest(self, most: int | None = None) -> int:
        """Return the largest k, at most `most`, of which it is proven that no k units flip the conclusion."""
        top = len(self.f) if most is None else min(most, len(self.f))
        top = min(top, int(np.searchsorted(self.sums, self.null.N0)))  # beyond, f alone reaches N0
        low = top
        while low and not self._first_test(low)[0]:  # cheap, and not far below what the rest proves
            low //= 2
        step, high = max(1, low // START), top + 1
        while low + step < high and self.proven(low + step):
            low, step = low + step, 2 * step
        high = min(high, low + step)
        why = self.limit
        while high - low > 1:
            middle = (low + high) // 2
            if self.proven(middle):
                low = middle
            else:
                high, why = middle, self.limit
        self.limit = why or f"the {low + 1} largest first-order parts alone reach it"
        return low

    def proven(self, k: int) -> bool:
        """Tell whether it is proven that no k units, nor fewer, flip the conclusion."""
        found, ball = self._first_test(k)
        if found or ball is None:
            return found
        self.limit = f"terms of second order are too large for {k} units"
        if self._envelope(min(k, len(self.f)), ball):
            self.kind = "envelope"
            return True
        return False

    def _first_test(self, k: int) -> tuple[bool, Ball | None]:
        """Tell whether test 1 proves it, after conditioning; return the bounds where it does not."""
        null, k = self.null, min(k, len(self.f))
        self.limit = ENOUGH
        if k == 0:
            return null.N0 - null.margin > 0.0, None
        first = float(self.sums[k - 1]) * (1.0 + unit_rounding(k))
        if not first < null.N0 - null.margin:
            self.limit = f"the {k} largest first-order parts alone reach it"
            return False, None
        if null.d == 0:  # nothing of second order
            self.kind = "score"
            return True, None
        ball: Ball | None = None
        near = self.units.of(k)
        given, least = near.f, -np.inf
        for _ in range(ROUNDS):
            found = self._ball(k, near, given, least)
            if found is None:
                break
            settled = ball is not None and found.radius > (1.0 - GAIN) * ball.radius
            ball, need = found, self._need(found)
            given = near.f + ball.radius * near.B
            if largest_sum(given, k) < need or first < need - ball.radius * ball.B:
                self.kind = "score"
                return True, ball
            if settled:
                break
            least = need
        self.limit = self.limit or f"terms of second order are too large for {k} units"
        return False, ball

    def doubtful(self) -> NDArray[np.intp]:
        """Return the units of which it is not proven here that none flips the conclusion alone."""
        null = self.null
        lam = self.leverage.lev * (1.0 + null.relative) + 2.0 * null.relative
        stretched = 1.0 + 4.0 * null.relative + unit_rounding(null.d)
        C = self.lengths_C * stretched + null.slack
        usable = lam < 1.0
        if null.concordance == 0.0:
            radius = np.where(usable, C / np.where(usable, 1.0 - lam, 1.0), np.inf)
        else:
            radius = np.array(
                [
                    self._radius(*pair) or np.inf if pair[1] < 1.0 else np.inf
                    for pair in zip(C, lam, strict=True)
                ]
            )
        finite = np.isfinite(radius)
        curved = self._curved(float(np.max(radius[finite], initial=0.0)))
        with np.errstate(invalid="ignore", over="ignore"):
            second = radius * (self.lengths_B * stretched + null.cross) + radius**2 * curved
            if self.leverage.rows and not null.folded and null.concordance == 0.0:
                # B_i, C_i and A_i point along z_i: the second-order part has the sign of f_i
                second = np.where(self.f > 0.0, second, radius * (null.cross + null.slack * self.lengths_B))
            safe = finite & (self.f + second < null.N0 - null.margin)
        return np.asarray(self.leverage.open[~safe])

    # -- the parts -----------------------------------------------------------------------------------

    def _need(self, ball: Ball) -> float:
        """Return what first and second order together would have to take away, rounded down."""
        null = self.null
        return null.N0 - null.margin - ball.radius * null.cross - ball.remainder

    def _ball(self, k: int, near: Candidates, given: FloatArray, least: float) -> Ball | None:
        null = self.null
        trace, other = largest_sum(near.lev, k), self.leverage.other(k)
        lam = other if trace > FAR * other else min(other, largest_among(near.lev, k, given, least))
        lam = self.leverage.rounded(lam, k)
        if not lam < 1.0 - null.relative:
            self.limit = f"{k} units may carry all information on the other coefficients"
            return None

        def length(lengths: FloatArray, squares: FloatArray) -> float:
            bound = largest_among(lengths, k, given, least)
            if null.folded or not lam * largest_sum(squares, k) < FAR**2 * bound**2:
                return bound
            return min(bound, float(np.sqrt(lam * largest_among(squares, k, given, least))))

        stretched = 1.0 + 4.0 * null.relative + unit_rounding(null.d + k)
        radius = self._radius(length(near.C, near.r2h) * stretched + null.slack, lam + null.relative)
        if radius is None:
            self.limit = f"the loss bends too much within reach of {k} units"
            return None
        radius *= stretched
        return Ball(lam, radius, length(near.B, near.x2) * stretched, self._remainder(radius))

    def _radius(self, C: float, lam: float) -> float | None:
        """Return r of the module's docstring, None where there is none."""
        bend = self.null.concordance * self.third
        if bend == 0.0:
            return C / (1.0 - lam)
        if not np.isfinite(bend):
            return None

        def left(t: float) -> float:
            return float(-np.expm1(-bend * t) / bend - lam * t - C)

        top = -np.log(lam) / bend if lam > 0.0 else 745.0 / bend
        if not left(top) > 0.0:
            return None
        root = float(brentq(left, 0.0, top, xtol=1e-14 * top)) * (1.0 + 1e-9)
        return root if left(root) > 0.0 else top

    @cached_property
    def third(self) -> float:
        """R3 of the module's docstring, over all rows that are there."""
        null = self.null
        if null.concordance == 0.0 or null.d == 0:
            return 0.0
        longest = self.longest
        if null.d > 20:  # the matrix of the fourth moment costs d^4 a row
            return longest
        step = max(1, 2**20 // null.d**2)
        parts = (slice(k, k + step) for k in range(0, len(null.h), step))
        fourth = quartic([vectors(null.z[p]) * np.sqrt(null.h[p])[:, None] for p in parts], null.d)
        return min(longest, float(np.sqrt(fourth)) * (1.0 + 2.0 * null.relative))

    @cached_property
    def longest(self) -> float:
        """Bound on |z| over all rows that are there."""
        lengths = np.linalg.norm(self.null.z[self.null.h > 0.0], axis=1)
        return float(np.max(lengths, initial=0.0)) * (1.0 + self.null.relative)

    def _curved(self, radius: float) -> float:
        """Return c lambda(sum h |xi| gamma(c |z| r) zz') for all rows, at a radius rounded up."""
        null = self.null
        c = null.concordance
        if c == 0.0 or radius == 0.0 or null.d == 0:
            return 0.0
        place = int(np.ceil(GRID * np.log(radius)))
        if place not in self._remainders:
            lengths = np.linalg.norm(null.z, axis=1) * (1.0 + null.relative)
            weights = null.h * np.abs(null.xi) * gamma(c * lengths * np.exp(place / GRID))
            matrix = null.z.T @ (null.z * weights[:, None])
            known = np.isfinite(matrix).all()
            top = float(eigvalsh(matrix, subset_by_index=[null.d - 1, null.d - 1])[0]) if known else np.inf
            enlarged = 1.0 + 4.0 * null.relative + unit_rounding(len(weights) + null.d)
            self._remainders[place] = c * top * enlarged
        return self._remainders[place]

    def _remainder(self, radius: float) -> float:
        """Return rem of test 1."""
        return radius**2 * self._curved(radius) if self.null.concordance else 0.0

    def _envelope(self, k: int, ball: Ball) -> bool:
        """Tell whether test 2 proves it."""
        null, c, radius = self.null, self.null.concordance, ball.radius
        bend = c * float(gamma(np.array(c * self.longest * radius))) * self.third * radius if c else 0.0
        demand = Demand(
            need=null.N0 - null.margin,
            lam=ball.lam + null.relative,
            radius=radius,
            curved=self._curved(radius),
            bend=bend,
            cross=null.cross,
            slack=null.slack,
        )
        return self.envelope.proves(k, demand)

    @cached_property
    def envelope(self) -> Envelope:
        """Test 2 for these units."""
        return Envelope(self.f, self.B, self.C, self.ordered)


def gamma(x: FloatArray) -> FloatArray:
    """Return (e^x - 1 - x) / x^2 for x >= 0, rounded up: 1/2 at 0, inf beyond float64."""
    x = np.asarray(x, dtype=np.float64)
    small = x < 1e-2
    safe = np.where(small, 1.0, x)
    with np.errstate(over="ignore", invalid="ignore"):
        series = 0.5 + x / 6.0 + x * x / 23.0
        closed = (np.expm1(safe) - safe) / (safe * safe) * (1.0 + 1e-11)
    return np.where(small, series, np.where(np.isfinite(closed), closed, np.inf))
