"""Rows and units of a null fit in whitened coordinates, each found when it is first asked for.

Counts need the lengths of the rows alone; proofs need z, C and B as well, which are as large as the data.
`null_fit` has the terms.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from influstat.algebra.rounding import EPSILON
from influstat.input.design import Design
from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.sets.lengths import Mask, square_lengths

FEW = 2000  # rows of which z is kept at once: the branches of a search ask for it anyway


@dataclass(frozen=True, eq=False)
class Owned:
    """The units that may leave: sums over each, 0 for all others."""

    units: Groups
    free: Mask  # which they are, shape (m,)
    all_free: bool

    @classmethod
    def of(cls, units: Groups, free: Mask) -> Owned:
        """Return them."""
        return cls(units, free, bool(free.all()))

    def sums(self, rows: FloatArray) -> FloatArray:
        """Return the sum over each unit that may leave, 0 for the others; shape (m, ...)."""
        sums = self.units.sums(rows)
        if not self.all_free:
            sums = np.where(self.free if sums.ndim == 1 else self.free[:, None], sums, 0.0)
        return sums


@dataclass(frozen=True, eq=False)
class Whitened:
    """z of the rows, C, B and sums of r^2 / h of the units."""

    design: Design  # the rows x_i
    basis: FloatArray  # V, shape (d, p)
    owned: Owned  # the units
    r: FloatArray  # this and the next three, shape (n,), as in `null_fit`
    h: FloatArray
    xi: FloatArray
    share: FloatArray
    of_pulls: FloatArray  # V g_P, shape (d,): what a penalty adds to C for each part of it that leaves
    of_turns: FloatArray  # V K u, the same of B

    def but(self, **arrays: FloatArray) -> Whitened:
        """Return the same with other z, pulls or turns."""
        other = copy(self)
        vars(other).update(arrays)
        return other

    @cached_property
    def z(self) -> FloatArray:
        """Whitened rows V x_i, shape (n, d)."""
        return self.design.dot(np.ascontiguousarray(self.basis.T))

    def squares(self) -> FloatArray:
        """Return |z_i|^2, shape (n,)."""
        n, d = len(self.r), len(self.basis)
        if n <= FEW:
            return square_lengths(self.z)
        found = np.empty(n)
        for rows, block in self.design.passing_blocks(np.empty((FEW, self.design.shape[1]))):
            z = self.basis @ block.T  # long rows: sums over columns are fast
            np.matmul(np.ones(d), np.multiply(z, z, out=z), out=found[rows])
        return found

    def largest(self, squares: FloatArray) -> FloatArray:
        """Return the largest eigenvalue of sum h z z' over every unit that may leave, shape (m,)."""
        if self.owned.units.single:
            return self.owned.sums(self.h * squares)
        largest = np.zeros(len(self.owned.units))
        for k in np.flatnonzero(self.owned.free).tolist() if len(self.basis) else []:
            rows = self.owned.units[k]
            z = self.z[rows]
            largest[k] = np.linalg.eigvalsh((z * self.h[rows, None]).T @ z)[-1]
        return largest * (1.0 + len(self.basis) * EPSILON)

    @cached_property
    def pulls(self) -> FloatArray:
        """C of the units, shape (m, d)."""
        parts = self.z * self.r[:, None]
        if self.share.any():
            parts -= self.share[:, None] * self.of_pulls
        return self.owned.sums(parts)

    @cached_property
    def turns(self) -> FloatArray:
        """B of the units, shape (m, d)."""
        parts = self.z * (self.h * self.xi)[:, None]
        if self.share.any():
            parts += self.share[:, None] * self.of_turns
        return self.owned.sums(parts)

    @cached_property
    def r2h(self) -> FloatArray:
        """Sums of r^2 / h over the units, shape (m,)."""
        found = np.zeros(len(self.r))
        with np.errstate(divide="ignore", over="ignore"):
            np.divide(self.r * self.r, self.h, out=found, where=self.r != 0.0)
        return self.owned.sums(found)
