"""What is left beyond second order in the null fit without a set: sums over all rows, for losses that bend.

`quick` and `envelope` have the terms; everything here is 0 for squared error.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.linalg import eigvalsh

from influstat.algebra.rounding import unit_rounding
from influstat.input.validation import FloatArray
from influstat.sets.null_fit import NullFit
from influstat.sets.proofs.leverage_bounds import quartic, vectors

GRID = 16  # radii per factor of e, rounded up, at which sums are evaluated
MOST_DIRECTIONS = 20  # for the fourth moment, whose matrix costs d^4 a row


class Remainder:
    """Bounds on the terms of higher order of one null fit."""

    def __init__(self, null: NullFit) -> None:
        self.null = null
        self._curved: dict[int, float] = {}

    @cached_property
    def third(self) -> float:
        """R3 of the module's docstring, over all rows that are there."""
        null = self.null
        d = null.wide.shape[1]
        if null.concordance == 0.0 or d == 0:
            return 0.0
        longest = self.longest
        if d > MOST_DIRECTIONS:
            return longest
        step = max(1, 2**20 // d**2)
        parts = (slice(k, k + step) for k in range(0, len(null.h), step))
        fourth, _ = quartic([vectors(null.wide[p]) * np.sqrt(null.h[p])[:, None] for p in parts], d)
        return min(longest, float(np.sqrt(fourth)) * (1.0 + 2.0 * null.relative))

    @property
    def bending(self) -> float:
        """C R3: how fast the losses bend away."""
        return self.null.concordance * self.third

    @cached_property
    def longest(self) -> float:
        """Bound on |z| over all rows that are there."""
        lengths = np.linalg.norm(self.null.wide[self.null.h > 0.0], axis=1)
        return float(np.max(lengths, initial=0.0)) * (1.0 + self.null.relative)

    def curved(self, radius: float) -> float:
        """Return c lambda(sum h |xi| gamma(c |z| r) zz') for all rows, at a radius rounded up."""
        null = self.null
        c = null.concordance
        z = null.wide
        if c == 0.0 or radius == 0.0 or z.shape[1] == 0:
            return 0.0
        place = int(np.ceil(GRID * np.log(radius)))
        if place not in self._curved:
            lengths = np.linalg.norm(z, axis=1) * (1.0 + null.relative)
            weights = null.h * np.abs(null.xi) * gamma(c * lengths * np.exp(place / GRID))
            matrix = z.T @ (z * weights[:, None])
            known = np.isfinite(matrix).all()
            top = float(eigvalsh(matrix, subset_by_index=[len(matrix) - 1] * 2)[0]) if known else np.inf
            enlarged = 1.0 + 4.0 * null.relative + unit_rounding(len(weights) + len(matrix))
            self._curved[place] = c * top * enlarged
        return self._curved[place]

    def rest(self, radius: float) -> float:
        """Return rem of test 1."""
        return radius**2 * self.curved(radius) if self.null.concordance else 0.0

    def bend(self, radius: float) -> float:
        """Return c gamma(c max|z| r) R3 r of test 2."""
        c = self.null.concordance
        return c * float(gamma(np.array(c * self.longest * radius))) * self.third * radius if c else 0.0


def gamma(x: FloatArray) -> FloatArray:
    """Return (e^x - 1 - x) / x^2 for x >= 0, rounded up: 1/2 at 0, inf beyond float64."""
    x = np.asarray(x, dtype=np.float64)
    small = x < 1e-2
    safe = np.where(small, 1.0, x)
    with np.errstate(over="ignore", invalid="ignore"):
        series = 0.5 + x / 6.0 + x * x / 23.0
        closed = (np.expm1(safe) - safe) / (safe * safe) * (1.0 + 1e-11)
    return np.where(small, series, np.where(np.isfinite(closed), closed, np.inf))
