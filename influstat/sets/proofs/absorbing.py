"""The quick certificate with a factor absorbed, whatever the number of its levels.

**Statement.** Squared error, rows, no penalty; `factor` has the coordinates. Let S be removed, S_c its rows
of level c, and L_c = H_c - sum over S_c of h > 0. In coordinates (g, alpha), the levels' own ones eliminated
exactly (their block of I - A_S is L_c / H_c),

    N(T) = N0 - f~ - B~'(I - A~)^-1 C~,         sums over S_c for every level c:
    f~ = f_S + sum_c (sum h xi)(sum r) / L_c            A~ = A_S + sum_c (sum h z)(sum h z)' / L_c
    C~ = C_S + sum_c (sum h z)(sum r) / L_c             B~ = B_S + sum_c (sum h xi)(sum h z) / L_c

A level that leaves whole has no coefficient, and no second term. So the levels' leverages, which come near 1
where few rows of a level are left, are in no bound on all directions. With

    Lam >= lambda(A~),   Cmax >= |C~|,   Bmax >= |B~|,   r = Cmax / (1 - Lam),

no S flips where the largest f~ + r |B~| is below N0. All of these are sums over levels of something that
at most m rows of a level can reach (`levels` makes the tables), and the largest sum over all levels of k rows
together is a max-plus product of the tables. Bounds, each the least of two:

    Lam     trace: h |z|^2 and |sum h z|^2 / L_c added up; or lambda(A_S) (`leverage_bounds`) plus the latter
    Cmax    |C_i| and |sum h z||sum r| / L_c;  or (Lam sum [r^2 / h and (sum r)^2 / L_c])^1/2
    Bmax    likewise with h xi for r

(Cauchy and Schwarz as in `quick`: with rows demeaned over T they are sums of products again.) For the same
reason the part of A~ from level c, what all its rows hold less what those left hold about their mean, is at
most sum over c of h z z': so is (sum h z)(sum h z)' / L_c, the smaller part of it, and likewise (sum r)^2 /
L_c is at most sum over c of r^2 / h, and (sum h xi)^2 / L_c at most that of h xi^2. As in `quick` all maxima
are taken over those S alone that can flip by the last bound.

**Floating point.** As in `quick`; moreover `cross` and `slack` act along the levels too, where the null fit
without S is at most (|sum r| + |sum h z| r) H_c^1/2 / L_c long, and u moves by as much with h xi for r. What
z lacks of being orthogonal to a level is added to |sum h z|.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from influstat.algebra.rounding import unit_rounding
from influstat.input.validation import FloatArray
from influstat.sets.budget import Budget
from influstat.sets.null_fit import NullFit
from influstat.sets.proofs.factor import Absorbed, absorbed, over
from influstat.sets.proofs.levels import Levels
from influstat.sets.proofs.leverage_bounds import LeverageBounds
from influstat.sets.proofs.reached import climbed_by

ROUNDS = 5  # of conditioning
GAIN = 1e-2  # of the radius, below which another round is not worth it
FACTORS = np.exp([-3.0, -1.5, 0.0, 1.5, 3.0])  # multipliers, in units of what balances both sums


@dataclass(frozen=True, eq=False)
class Sum:
    """Something summed over S: a part of each row, and a table of what its levels add."""

    rows: FloatArray
    more: FloatArray

    def plus(self, factor: float, other: Sum) -> Sum:
        """Return it with a multiple of another."""
        return Sum(self.rows + factor * other.rows, self.more + factor * other.more)


class WithoutLevels:
    """The certificate of one null fit and one k."""

    def __init__(self, found: Absorbed, leverage: LeverageBounds, k: int) -> None:
        null = found.null
        rows = null.units.members[null.open]
        h, xi, z, r = null.h[rows], null.xi[rows], null.z[rows], null.r[rows]
        stays = null.h > 0.0
        stays[rows] = False
        gone = np.bincount(found.level[found.level >= 0], stays[found.level >= 0], len(found.held)) == 0
        self.null, self.k, self.leverage = null, k, leverage
        self.levels = levels = Levels(found.level[rows], h, found.held, gone, k)
        longer = 1.0 + null.relative + unit_rounding(null.d + k)
        lengths = np.linalg.norm(z, axis=1) * longer
        self.hxi, self.r = h * xi, r
        sum_x, sum_r = levels.widest(self.hxi), levels.widest(r)
        sum_z = levels.largest(h * lengths) + null.relative * levels.root
        self.sum_x, self.sum_r, self.sum_z = sum_x, sum_r, sum_z

        def grown(table: FloatArray) -> FloatArray:
            return levels.grown(table / levels.left)

        most_z, most_x, most_r = found.whole * (
            1.0 + 4.0 * null.relative + unit_rounding(len(null.h) + null.d)
        )
        of_z = np.minimum(grown(sum_z**2), most_z[:, None])
        of_x, of_r = (
            np.minimum(grown(sum_x**2), most_x[:, None]),
            np.minimum(grown(sum_r**2), most_r[:, None]),
        )
        f = np.minimum(levels.products(self.hxi, r), np.sqrt(of_x * of_r))
        self.f, self.trace = Sum(null.f[null.open], f), Sum(h * lengths**2, of_z)
        self.C = Sum(np.abs(r) * lengths, np.sqrt(of_z * of_r))
        self.B = Sum(np.abs(self.hxi) * lengths, np.sqrt(of_z * of_x))
        self.r2h, self.x2 = Sum(over(r**2, h), of_r), Sum(h * xi**2, of_x)

    def proven(self) -> bool:
        """Tell whether no k rows, nor fewer, flip the conclusion."""
        null = self.null
        if not self._largest(self.f) < null.N0 - null.margin:
            return self._exact(0.0) < null.N0 - null.margin if null.d == 0 else False
        given, least, radius = self.f, -np.inf, np.inf
        for _ in range(ROUNDS):
            lam = self._lam(given, least)
            if not lam < 1.0:
                return False
            C = self._length(self.C, self.r2h, lam, given, least) + null.slack
            B = self._length(self.B, self.x2, lam, given, least)
            now = C / (1.0 - lam) * (1.0 + 4.0 * null.relative + unit_rounding(null.d + self.k))
            need = self._need(now, B / (1.0 - lam), lam)
            given, least = self.f.plus(now, self.B), need
            if self._largest(given) < need or self._exact(now) < need:
                return True
            if now > (1.0 - GAIN) * radius:
                return False
            radius = now
        return False

    def _largest(self, one: Sum) -> float:
        return self.levels.over_all(self.levels.largest(one.rows) + one.more)

    def _exact(self, radius: float) -> float:
        """Return the largest f~ + r |B~|, f and its product over the levels bounded together."""
        values = self.f.rows + radius * self.B.rows
        joint = self.levels.joint(values, self.hxi, self.r) + radius * self.B.more
        apart = self.levels.largest(values) + self.f.more + radius * self.B.more
        return self.levels.over_all(np.minimum(joint, apart))

    def _among(self, one: Sum, given: Sum, least: float) -> float:
        """Return the largest sum over those S alone whose sum of `given` can be `least`."""
        best = self._largest(one)
        if least <= 0.0 or not best > 0.0:
            return best
        scale = best / least
        for factor in FACTORS * scale:
            bound = self._largest(one.plus(factor, given)) - factor * least
            best = min(best, bound + unit_rounding(self.k) * 4.0 * factor * least)
        return max(best, 0.0)

    def _lam(self, given: Sum, least: float) -> float:
        null, k = self.null, self.k
        if null.d == 0:
            return 0.0
        bound = self._among(self.trace, given, least)
        only = Sum(np.zeros_like(self.trace.rows), self.trace.more)
        bound = min(bound, self.leverage.any_set(k) + self._largest(only))
        return self.leverage.rounded(bound, k) + 2.0 * null.relative

    def _length(self, lengths: Sum, squares: Sum, lam: float, given: Sum, least: float) -> float:
        bound = self._among(lengths, given, least)
        return min(bound, float(np.sqrt(lam * self._among(squares, given, least))))

    def _need(self, radius: float, moved: float, lam: float) -> float:
        """Return what f~ + r |B~| has to reach, rounded down; `moved` is by how much u moves at most."""
        null, levels = self.null, self.levels
        far, turned = (
            levels.over_all(levels.grown(levels.root * (own + self.sum_z * reach) / levels.left))
            for own, reach in ((self.sum_r, radius), (self.sum_x, moved))
        )
        both = (
            null.cross * null.slack * (1.0 + levels.over_all(levels.grown(levels.root**2 / levels.left))) ** 2
        )
        noise = null.cross * (radius + far) + null.slack * (moved + turned) + both / (1.0 - lam)
        rounding = unit_rounding(len(self.r)) * 8.0 * (float(np.abs(self.f.rows).sum()) + null.N0)
        return null.N0 - null.margin - 2.0 * noise - rounding


def climbed_without_levels(null: NullFit, safe: int, flips: int, budget: Budget) -> Iterator[int]:
    """Yield larger and larger k below `flips` that are proven, from `safe` on; none without a factor."""
    found = absorbed(null)
    if found is None:
        return
    leverage = LeverageBounds(found.null)
    yield from climbed_by(lambda k: WithoutLevels(found, leverage, k).proven(), safe, flips, budget)
