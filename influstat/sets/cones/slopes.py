"""The slopes of a quadratic objective under the null, as sums over rows: what `cover` needs of a sign.

With xi, z, r and h of a null fit (`null_fit`; r holds the row's weight), b = m u + V'l and t = t0 + (s
t0-part) as `cover` has them, minus the slope along b at the null fit t0 + V'g of the rows kept is, times s
>= 0,

    sum_T c_i - pi_T P,   c_i = (m xi_i + z_i'l)(s r_i - h_i z_i'g),   P = b'(s g_P + K V'g),

g_P and K the gradient at t0 and the Hessian of the penalty, of which pi_T = 1 - (the shares of the rows
that left) is there: the share of a row is taken off its c, what nothing takes along off the sum.

xi, z and r are taken as exact up to their rounding. V a, and a't0 less the threshold, may differ from 0 by
rounding too: the exact problem has z - (x'a) V a / a'a in place of z and r - h (x'a)(at - a't0) / a'a in
place of r, and those differences are counted as rounding of z and r. (u may have any positive a'u.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.rounding import EPSILON, unit_rounding
from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.losses.base import target_sizes
from influstat.sets.cones.cover import DEPTH
from influstat.sets.null_fit import NullFit

Indices = NDArray[np.intp]
NEVER = -1  # the unit of rows that never leave


@dataclass(frozen=True, eq=False, repr=False)
class Slopes:
    """One sign at the null: `Multiplied` of `cover`."""

    left: (
        FloatArray  # xi, scaled to sum h xi^2 = 1 as the columns of z are, and z, (n, d + 1): for multipliers
    )
    right: FloatArray  # -h z and r, shape (n, d + 1): what generators (g, s) multiply
    left_size: FloatArray  # sums of the absolute terms of `left`: what epsilon multiplies in their rounding
    right_size: FloatArray  # those of `right`
    penalty: FloatArray  # multipliers' penalty generator = P, shape (d + 1, d + 1)
    share: FloatArray  # the part of the penalty that leaves with each row, shape (n,)
    owner: Indices  # the unit of each row, shape (n,); -1 where it never leaves

    @classmethod
    def of(cls, xi: FloatArray, z: FloatArray, r: FloatArray, h: FloatArray) -> Slopes:
        """Return that of single rows without a penalty: xi (n,), z (n, d), r (n,), h (n,)."""
        left, right = np.column_stack([xi / stiffness(xi, h), z]), np.column_stack([-h[:, None] * z, r])
        side, n = left.shape[1], len(xi)
        nothing = np.zeros((side, side))
        return cls(left, right, np.abs(left), np.abs(right), nothing, np.zeros(n), np.arange(n))

    @classmethod
    def at(cls, null: NullFit) -> Slopes:
        """Return that of a null fit."""
        risk, a = null.problem.risk, null.problem.a
        design, h = risk.design, null.h
        along = np.abs(design.dot(a)) / float(a @ a) / EPSILON
        tilt = null.basis @ a
        off = abs(null.problem.at - float(a @ null.theta))
        z_size = design.absolute_dot(np.abs(null.basis.T)) + np.outer(along, np.abs(tilt))
        as_eta, as_slope = target_sizes(risk.loss, risk.y)
        eta_size = design.absolute_dot(np.abs(null.theta)) + np.abs(risk.offset) + as_eta
        slope, hessian = risk.penalty.gradient(null.theta), risk.penalty.hessian(null.theta)
        root = stiffness(null.xi, h)
        sides = np.vstack([null.u / root, null.basis])
        return cls(
            np.column_stack([null.xi / root, null.z]),
            np.column_stack([-h[:, None] * null.z, null.r]),
            np.column_stack([design.absolute_dot(np.abs(null.u)) / root, z_size]),
            np.column_stack([h[:, None] * z_size, h * (eta_size + along * off) + risk.weights * as_slope]),
            sides @ np.column_stack([hessian.dot(null.basis.T), slope]),
            null.share,
            owners(null.units, null.open, len(h)),
        )

    @property
    def generators(self) -> int:
        """How many entries a generator has, d + 1."""
        return len(self.penalty)

    @property
    def multipliers(self) -> int:
        """How many multipliers there are, d + 1."""
        return len(self.penalty)

    @cached_property
    def single(self) -> bool:
        """Whether every row is its own unit."""
        return bool(np.array_equal(self.owner, np.arange(len(self.owner))))

    @cached_property
    def whole(self) -> FloatArray:
        """M of all rows."""
        return self.penalty - self.left.T @ self.right

    def matrix(self, units: Indices) -> FloatArray:
        """Return M without these units, shape (d + 1, d + 1)."""
        rows = units if self.single else np.flatnonzero(np.isin(self.owner, units))
        return self.whole + self.left[rows].T @ self.right[rows] - np.sum(self.share[rows]) * self.penalty

    def terms(self, generator: FloatArray, multipliers: FloatArray) -> tuple[FloatArray, float]:
        """Return c of every row, less its share of the penalty, and what is left of that."""
        penalty = float(multipliers @ self.penalty @ generator)
        own = (self.left @ multipliers) * (self.right @ generator)
        return own - self.share * penalty, (1.0 - float(np.sum(self.share))) * penalty

    def by_unit(self, terms: FloatArray) -> FloatArray:
        """Return the sums of each unit."""
        return terms if self.single else np.asarray(np.bincount(self.owner + 1, weights=terms)[1:], float)

    def cut(self, generator: FloatArray, multipliers: FloatArray, k: int) -> tuple[float, FloatArray]:
        """Return h, by summing c as the margin assumes, and the matrix of what is kept there."""
        terms, rest = self.terms(generator, multipliers)
        sums = self.by_unit(terms)
        units = largest(sums, k)
        return float(np.sum(sums[units]) - np.sum(terms)) + rest, self.matrix(units)

    def removed(self, generator: FloatArray, multipliers: FloatArray, k: int) -> Indices:
        """Return the units of topk."""
        return largest(self.by_unit(self.terms(generator, multipliers)[0]), k)

    def spread(self, k: int) -> float:
        """Return how long g is where s = 1, to first order: the lengths of the k largest scores, added up."""
        lengths = np.linalg.norm(self.left[:, 1:], axis=1) * np.abs(self.right[:, -1])
        return float(np.sum(np.sort(self.by_unit(lengths))[-k:])) or 1.0

    def margin(self, generator: FloatArray, multipliers: FloatArray, k: int) -> float:
        """Return what rounding can do to h."""
        one, other = np.abs(multipliers), np.abs(generator)
        size = float((self.left_size @ one) @ (self.right_size @ other))
        size += 2.0 * float(one @ np.abs(self.penalty) @ other) * (1.0 + len(self.share) * EPSILON)
        return 2.0 * unit_rounding(2 * len(self.share) + 3 * DEPTH + 8 * self.generators) * size


def stiffness(xi: FloatArray, h: FloatArray) -> float:
    """Return the root of sum h xi^2, 1 where that is 0."""
    return float(np.sqrt(h @ xi**2)) or 1.0


def owners(units: Groups, free: NDArray[np.bool_], rows: int) -> Indices:
    """Return the unit of each row, -1 where it may not leave."""
    owner = np.full(rows, NEVER, dtype=np.intp)
    owner[units.members] = np.where(free, np.arange(len(units)), NEVER)[units.owners]
    return owner


def largest(values: FloatArray, k: int) -> Indices:
    """Return the positions of the k largest positive values."""
    n = len(values)
    found = np.argpartition(values, n - k)[n - k :] if 0 < k < n else np.arange(n if k else 0)
    return np.asarray(found[values[found] > 0], dtype=np.intp)
