"""Cones for significance: that a coefficient stays significant with its sign without any k units.

*What is proven.* Terms as in `cover` and in `significance.model_based`: with kappa = crit(nu_k) / (2
nu_k^1/2) and any tau > 0, a set S of at most k units without which the coefficient is not significant with
its sign has, T being the others, N(T) <= kappa (tau D(T) + RSS(T) / tau). As D(T) <= sum_T h (xi + z'l)^2
for every l, RSS(T) <= sum_T h (e - x'q)^2 for every q, x = (xi, z), and the score of the nuisance is 0 at
g_T,

    sum_T c_i <= 0 at (g_T, 1),
    c_i(g, s; l, q) = a_i (s r_i - h_i z_i'g) - s kappa h_i (tau a_i^2 + (e_i - x_i'q)^2 / tau),
    a_i = xi_i + z_i'l.

c is linear in (g, s), so that h = topk(c) - sum c is as `cover` needs it, and concave in (l, q), so that h
is convex there. Its tangents are the cuts: a^2 >= 2 a a0 - a0^2 for a = xi + z'l and for a = e - x'q. No
penalty is part of it. The multipliers (m, m l, m q) are taken at m = 1: scaling them scales the tangents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from influstat.algebra.rounding import unit_rounding
from influstat.input.validation import FloatArray
from influstat.sets.cones.cover import DEPTH
from influstat.sets.cones.slopes import Indices, Slopes, largest
from influstat.sets.null_fit import NullFit
from influstat.sets.significance.squares import Reference, Squares, rows_gone

LEAST = 1e-8  # of the largest multiplier: below, m is 0 up to rounding


@dataclass(frozen=True, eq=False, repr=False)
class Significant:
    """One significance at the null: `Multiplied` of `cover`."""

    # `slopes` are the rows with the xi and r of the sign. Shape (n,): h the curvatures, e the residuals of
    # all rows together, e_size what epsilon multiplies in their rounding. `kappa` gives kappa for k units.

    slopes: Slopes
    h: FloatArray
    e: FloatArray
    e_size: FloatArray
    kappa: Callable[[int], float]
    tau: float

    @classmethod
    def at(cls, null: NullFit, reference: Reference, part: float) -> Significant:
        """Return that of a null fit; tau is this part of what balances D0 and RSS."""
        slopes, squares, risk = Slopes.at(null), Squares(null), null.problem.risk
        size = risk.design.absolute_dot(np.abs(null.theta)) + np.abs(risk.offset) + np.abs(risk.y)
        turn = abs(null.N0) / squares.D0 * risk.design.absolute_dot(np.abs(null.u))

        def kappa(k: int) -> float:
            return 0.5 * (reference.scaled(null, rows_gone(null, k)) or np.inf)

        return cls(slopes, null.h, squares.e, size + turn, kappa, part * float(np.sqrt(squares.RSS)))

    @property
    def generators(self) -> int:
        """How many entries a generator has, d + 1."""
        return self.slopes.generators

    @property
    def multipliers(self) -> int:
        """How many multipliers there are, 2 d + 2."""
        return 2 * self.slopes.generators

    def _split(self, multipliers: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return (1, l) and q."""
        side = self.generators
        scaled = multipliers / max(float(multipliers[0]), LEAST * float(np.max(np.abs(multipliers))))
        return np.concatenate([[1.0], scaled[1:side]]), scaled[side:]

    def _terms(
        self, generator: FloatArray, one: FloatArray, q: FloatArray, k: int
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return c, xi + z'l and e - x'q of every row."""
        slopes = self.slopes
        a, b = slopes.left @ one, self.e - slopes.left @ q
        cost = float(generator[-1]) * self.kappa(k) * self.h * (self.tau * a**2 + b**2 / self.tau)
        return a * (slopes.right @ generator) - cost, a, b

    def cut(self, generator: FloatArray, multipliers: FloatArray, k: int) -> tuple[float, FloatArray]:
        """Return h, by summing c as the margin assumes, and the tangent there."""
        slopes = self.slopes
        one, q = self._split(multipliers)
        terms, a, b = self._terms(generator, one, q, k)
        sums = slopes.by_unit(terms)
        units = largest(sums, k)
        kept = np.ones(len(a), dtype=np.bool_)
        kept[units if slopes.single else np.flatnonzero(np.isin(slopes.owner, units))] = False
        left, h, kappa = slopes.left[kept], self.h[kept], self.kappa(k)
        side = self.generators
        matrix = np.zeros((2 * side, side))
        matrix[:side] = -left.T @ slopes.right[kept]
        a, b, e = h * a[kept], h * b[kept], self.e[kept]
        squares_a, squares_b = float(a @ (left @ one)), float(b @ (e - left @ q))
        tangent = np.concatenate([2.0 * self.tau * (left.T @ a), -2.0 / self.tau * (left.T @ b)])
        tangent[0] += (2.0 * float(b @ e) - squares_b) / self.tau - self.tau * squares_a
        matrix[:, -1] += kappa * tangent
        return float(np.sum(sums[units]) - np.sum(terms)), matrix

    def removed(self, generator: FloatArray, multipliers: FloatArray, k: int) -> Indices:
        """Return the units of topk."""
        return largest(self.slopes.by_unit(self._terms(generator, *self._split(multipliers), k)[0]), k)

    def spread(self, k: int) -> float:
        """Return how long g may be where s = 1, roughly."""
        return self.slopes.spread(k)

    def margin(self, generator: FloatArray, multipliers: FloatArray, k: int) -> float:
        """Return what rounding can do to h."""
        one, q = self._split(multipliers)
        left = self.slopes.left_size
        wide_a, wide_b = left @ np.abs(one), self.e_size + left @ np.abs(q)
        squares = self.tau * float(self.h @ wide_a**2) + float(self.h @ wide_b**2) / self.tau
        terms = 4 * len(self.e) + 3 * DEPTH + 16 * self.generators
        own = 4.0 * unit_rounding(terms) * float(generator[-1]) * self.kappa(k) * squares
        return self.slopes.margin(generator, one, k) + own
