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
being its barrier), P shrinking a little each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from influstat.algebra.rounding import unit_rounding
from influstat.input.validation import FloatArray

WIDTHS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)  # sigma, first tried
START_RANK = 0.9  # of k: where tau is at first
HOPELESS = 0.5  # of N0: so far from a proof, nothing near it will be one
WORK = 3e8  # additions of the search, in units of n d^2: many trials for few rows
BLOCK = 32  # units of nearly the same f that share s
NEAR = 3  # times k: units of largest f that do not
FEWEST, FEW, MOST = 12, 24, 36
STEPS = (0.25, 0.15, 0.4)  # first ones of log t, log rank and log sigma
LEAST_STEP = 0.05
LEAST_BEND = 1e-3  # of |m|: s is not less
MOVES = 12  # of mu and P
SHRINKING = 0.8  # of the trace of P, each time it is moved
SLOW = 0.1  # of what is left: a smaller gain of one round shortens the steps


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
class Part:
    """Units, or blocks of units of nearly the same f: such a block has the largest f of its units.

    f is larger then than it is, which bounds from above, and the units of a block share s; B and C enter by
    sums and Gram matrices and lose nothing.
    """

    f: FloatArray  # shape (b,)
    count: FloatArray  # units in each, shape (b,)
    both: FloatArray  # sums of (B, C), shape (b, 2 d)
    squares: FloatArray  # means of |B|^2, B'C and |C|^2, shape (3, b)
    grams: FloatArray | None  # sums of products of (B, C), shape (b, 4 d^2); None for single units

    def along(self, direction: FloatArray, matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return means over each of e'direction and e'matrix e for e = (B, C), shape (b,) each."""
        linear = self.both @ direction / self.count
        if self.grams is None:
            return linear, np.einsum("ij,ij->i", self.both @ matrix, self.both)
        return linear, np.asarray(self.grams @ matrix.ravel()) / self.count

    def gram(self, weights: FloatArray) -> FloatArray:
        """Return the weighted sum of products of (B, C), shape (2 d, 2 d)."""
        if self.grams is None:
            return np.asarray(self.both.T @ (self.both * weights[:, None]))
        width = self.both.shape[1]
        return np.asarray((weights @ self.grams).reshape(width, width))

    def take(self, chosen: slice) -> Part:
        """Return some of them."""
        grams = None if self.grams is None else self.grams[chosen]
        return Part(self.f[chosen], self.count[chosen], self.both[chosen], self.squares[:, chosen], grams)


@dataclass(frozen=True, eq=False)
class Parts:
    """All units in the order of f, largest first, and the same in blocks."""

    single: Part
    blocks: Part

    @classmethod
    def of(cls, f: FloatArray, both: FloatArray) -> Parts:
        """Return the units and their blocks; `both` is (B, C)."""
        order = np.argsort(-f, kind="stable")
        f, both = f[order], np.ascontiguousarray(both[order])
        d = both.shape[1] // 2
        B, C = both[:, :d], both[:, d:]
        squares = np.array([np.einsum("ij,ij->i", *pair) for pair in ((B, B), (B, C), (C, C))])
        single = Part(f, np.ones(len(f)), both, squares, None)
        starts = np.arange(0, len(f), BLOCK)
        whole = len(f) // BLOCK * BLOCK
        grams = np.zeros((len(starts), 4 * d * d))
        shaped = both[:whole].reshape(-1, BLOCK, 2 * d)
        grams[: len(shaped)] = np.matmul(shaped.transpose(0, 2, 1), shaped).reshape(-1, 4 * d * d)
        if whole < len(f):
            grams[-1] = (both[whole:].T @ both[whole:]).ravel()
        count = np.diff(np.append(starts, len(f))).astype(np.float64)
        means = np.add.reduceat(squares, starts, axis=1) / count
        return cls(single, Part(f[starts], count, np.add.reduceat(both, starts, axis=0), means, grams))

    def split(self, k: int) -> tuple[Part, Part]:
        """Return about the k units of largest f one by one, and all others in blocks."""
        blocks = min(-(-k // BLOCK), len(self.blocks.f))
        return self.single.take(slice(0, blocks * BLOCK)), self.blocks.take(slice(blocks, None))


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
    place : ndarray, shape (3,), optional
        Where to look first: what was best for similar units, near to which fewer trials find as much.
    """

    def __init__(
        self,
        f: FloatArray,
        B: FloatArray,
        C: FloatArray,
        ordered: FloatArray,
        place: FloatArray | None = None,
    ) -> None:
        self.ordered, self.d = ordered, B.shape[1]
        self.unit = np.eye(self.d)
        self.parts = Parts.of(f, np.concatenate([B, C], axis=1))
        size = float(np.linalg.norm(B)), float(np.linalg.norm(C))
        self.usable = min(size) > 0.0
        self.balance = float(np.sqrt(size[1] / size[0])) if self.usable else 1.0
        self.trials = int(
            np.clip(WORK / (B.shape[0] * B.shape[1] ** 2), FEWEST, MOST if place is None else FEW)
        )
        self.place = np.log([1.0, START_RANK, WIDTHS[3]]) if place is None else place
        self.nearest = self.place  # the best place so far, whether it proved something or not

    def proves_again(self, k: int, demand: Demand) -> bool:
        """Tell whether what was the last proof is one here too."""
        return self.usable and self._excess(k, self.place, demand) < 0.0

    def proves(self, k: int, demand: Demand) -> bool:
        """Tell whether it is proven that no k units take away what the test needs."""
        if not self.usable:
            return False
        tried = [self.place]
        tried += [np.array([self.place[0], self.place[1], np.log(width)]) for width in WIDTHS]
        found = np.inf
        for place in tried:
            value = self._excess(k, place, demand)
            if value < 0.0:
                self.place = place
                return True
            if value < found:
                found, best = value, place
        if not found < HOPELESS * demand.need:
            return False
        return self._moved(k, best, demand) or self._searched(k, best, found, demand)

    def _searched(self, k: int, place: FloatArray, found: float, demand: Demand) -> bool:
        """Search around a place that almost proves it, one number after the other."""
        steps, tried = np.array(STEPS), 0
        while tried < self.trials and steps.max() > LEAST_STEP:
            before = found
            for j, sign in product(range(3), (1.0, -1.0)):
                moved = place.copy()
                moved[j] += sign * steps[j]
                value, tried = self._excess(k, moved, demand), tried + 1
                if value < found:
                    place, found = moved, value
                if found < 0.0:
                    self.place = self.nearest = place
                    return True
            self.nearest = place
            if before - found < SLOW * found:
                steps = steps / 2.0
        return False

    def _moved(self, k: int, place: FloatArray, demand: Demand) -> bool:
        """Move the mean and the covariance that make s, from 0 and a multiple of 1."""
        width, d = float(np.exp(np.clip(place[2], -9.0, 9.0))), self.d
        mean, spread, found = np.zeros(d), width**2 / d * self.unit, np.inf
        for _ in range(MOVES):
            before = found
            found, highest, inverse = self._value(k, place, demand, mean, spread)
            if found < 0.0:
                self.place = self.nearest = place
                return True
            if inverse is None or not found < (1.0 - SLOW) * before:
                return False
            spread = 0.5 * spread + 0.5 * SHRINKING * float(np.trace(spread) / np.trace(inverse)) * inverse
            mean = 0.5 * mean + 0.5 * highest
        return False

    def _excess(self, k: int, place: FloatArray, demand: Demand) -> float:
        """Return the quadratic at its highest place, rounded up: below 0 proves it."""
        return self._value(k, place, demand)[0]

    def _value(
        self, k: int, place: FloatArray, demand: Demand, mean: FloatArray | None = None,
        spread: FloatArray | None = None,
    ) -> tuple[float, FloatArray, FloatArray | None]:  # fmt: skip
        """Return that, where it is highest, and with a mean and spread of b M^-1; None where M is not > 0."""
        relative, rank, width = (float(number) for number in np.exp(np.clip(place, -9.0, 9.0)))
        t, d = relative * self.balance, self.d
        tau = max(float(self.ordered[min(max(round(rank * k), 1), len(self.ordered)) - 1]), 0.0)
        value, gram, sums = k * tau, np.zeros((2 * d, 2 * d)), np.zeros(2 * d)
        mixed = np.concatenate([t * self.unit, self.unit / t])  # D = (B, C) mixed
        for part in self.parts.split(NEAR * k):
            m = part.f - tau
            if mean is None or spread is None:
                BB, BC, CC = part.squares
                squares = m * m + (t * t * BB + 2.0 * BC + CC / t**2) * (width**2 / d)  # |D|^2
            else:
                linear, quadratic = part.along(
                    mixed @ mean, mixed @ (spread + np.outer(mean, mean)) @ mixed.T
                )
                squares = m * m - 2.0 * m * linear + quadratic
            floor = LEAST_BEND * np.abs(m) + np.finfo(np.float64).tiny
            s = np.maximum(np.sqrt(np.maximum(squares, 0.0)), floor)
            above, quarters = m + s, 0.25 / s
            value += float(np.sum(part.count * above * above * quarters))
            gram += part.gram(quarters)
            sums += 2.0 * (above * quarters) @ part.both
        v = sums @ mixed
        size = t * t * float(np.trace(gram[:d, :d])) + float(np.trace(gram[d:, d:])) / t**2
        rounding = unit_rounding(len(self.ordered) + d)
        left = 1.0 - demand.rho(t) - 2.0 * rounding * (1.0 + size)
        need = demand.rounded_need(t)
        try:
            factor = cho_factor(left * self.unit - mixed.T @ gram @ mixed, lower=True, check_finite=False)
        except LinAlgError:
            return abs(need) + value, v, None
        solved = cho_solve(factor, v, check_finite=False)
        quarter = float(v @ solved) / 4.0
        if not quarter >= 0.0:
            return abs(need) + value, v, None
        found = value + quarter - need + 16.0 * rounding * (value + quarter + abs(need))
        return found, -0.5 * solved, None if mean is None else cho_solve(factor, self.unit)
