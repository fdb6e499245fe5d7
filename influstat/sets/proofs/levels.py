"""Tables of the largest sums over at most m rows of each level of a factor, and of k rows of all levels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.rounding import unit_rounding
from influstat.input.validation import FloatArray

NODES = 12  # places of the multiplier on either side of 0
RATIO = 1.7  # of one to the next


class Levels:
    """The rows that may leave, by level; rows of no level are one more, the last."""

    # `level` has that of each row that may leave, (m,), -1 for none; `h` their curvatures; `held` the sum of
    # h over each level, rows that may not leave included; `gone` whether all rows of a level may leave; `k`
    # how many leave at most. `left`, shape (levels + 1, k + 1), is the least sum of h of what is left of a
    # level without m of its rows, rounded down, as long as a row is left; inf for no level, where all are
    # gone, and where m is 0.

    def __init__(
        self, level: NDArray[np.intp], h: FloatArray, held: FloatArray, gone: NDArray[np.bool_], k: int
    ) -> None:
        self.count, self.k = len(held) + 1, k
        self.level = np.where(level < 0, len(held), level)
        self.sizes = np.bincount(self.level, minlength=self.count)
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        smallest = np.full(self.count, np.inf)
        np.minimum.at(smallest, self.level, h)
        rounding = unit_rounding(len(h) + 2)
        held = np.append(held, np.inf)
        left = held[:, None] * (1.0 - rounding) - self.largest(h) * (1.0 + rounding)
        # What is left is at least one row, of those that may leave if all may.
        left = np.maximum(left, np.where(np.append(gone, False), smallest, 0.0)[:, None] * (1.0 - rounding))
        m = np.arange(k + 1)
        everything = np.append(gone, False)[:, None] & (m >= self.sizes[:, None])
        self.left = np.where(everything | (m == 0), np.inf, left)
        self.everything = everything
        self.root = np.sqrt(np.append(held[:-1], 0.0))[:, None] * (m > 0)

    def largest(self, values: FloatArray) -> FloatArray:
        """Return the largest sum of at most m of the values in each level, shape (levels + 1, k + 1)."""
        order = np.lexsort((-values, self.level))
        owner = self.level[order]
        place = np.arange(len(order)) - self.starts[owner]
        near = place < self.k
        table = np.zeros((self.count, self.k + 1))
        table[owner[near], place[near] + 1] = np.maximum(values[order[near]], 0.0)
        return np.asarray(np.cumsum(table, axis=1) * (1.0 + unit_rounding(self.k + 1)))

    def widest(self, values: FloatArray) -> FloatArray:
        """Return the largest absolute sum of at most m of the values in each level."""
        return np.maximum(self.largest(values), self.largest(-values))

    def products(self, first: FloatArray, second: FloatArray) -> FloatArray:
        """Return the largest product of the two sums over the same rows, over what is left of the level."""
        alike = self.largest(first) * self.largest(second)
        return self.grown(np.maximum(alike, self.largest(-first) * self.largest(-second)) / self.left)

    def grown(self, table: FloatArray) -> FloatArray:
        """Return a table of at most m rows from one of m rows."""
        return np.asarray(np.maximum.accumulate(table, axis=1))

    def joint(self, values: FloatArray, first: FloatArray, second: FloatArray) -> FloatArray:
        """Return the largest sum of values and that product together, shape (levels + 1, k + 1)."""
        # With w = t first + second / t, the product of the sums is at most (w_S / 2)^2, which over `left` is
        # the largest of a w_S - a^2 left over all a. For an a the sum of the m largest values + a w is convex
        # in a: between two places it is below its chord, and a chord less a^2 left has its largest value in
        # closed form. Beyond the largest |w_S| / (2 left) nothing is larger.
        sizes = [np.bincount(self.level, np.abs(one), self.count) for one in (first, second)]
        usable = (sizes[0] > 0.0) & (sizes[1] > 0.0)
        t = np.sqrt(np.where(usable, sizes[1], 1.0) / np.where(usable, sizes[0], 1.0))
        w = t[self.level] * first + second / t[self.level]
        reach = self.widest(w) / (2.0 * self.left)
        far = np.max(reach, axis=1, initial=0.0)
        steps = RATIO ** -np.arange(NODES, dtype=np.float64)
        places = np.concatenate([-steps, [0.0], steps[::-1]])
        left = np.where(np.isfinite(self.left), self.left, 0.0)  # a chord is below its ends there
        best = self.largest(values)
        before, a_before = None, far
        for place in places:
            a = place * far
            here = self.largest(values + a[self.level] * w)
            if before is not None:
                width = (a - a_before)[:, None]
                with np.errstate(divide="ignore", invalid="ignore"):
                    slope = np.where(width > 0.0, (here - before) / width, 0.0)
                    top = np.where(left > 0.0, slope / (2.0 * left), 0.0)
                top = np.clip(top, a_before[:, None], a[:, None])
                value = before + slope * (top - a_before[:, None]) - left * top**2
                size_of = np.abs(before) + np.abs(here) + left * top**2
                best = np.maximum(best, np.where(left > 0.0, value + unit_rounding(8) * size_of, 0.0))
            before, a_before = here, a
        return self.grown(best)

    def over_all(self, table: FloatArray) -> float:
        """Return the largest sum over levels of at most k rows together."""
        some = table[:, : min(int(self.sizes.max(initial=0)), self.k) + 1]
        while len(some) > 1:
            half = (len(some) + 1) // 2
            one, other = some[:half], some[half:]
            width = some.shape[1]
            both = np.zeros((half, 2 * width - 1))
            both[:, :width] = one
            for m in range(width):
                part = both[: len(other), m : m + width]
                np.maximum(part, one[: len(other)] + other[:, m : m + 1], out=part)
            some = np.maximum.accumulate(both, axis=1)[:, : self.k + 1]
        return float(some[0, -1]) * (1.0 + unit_rounding(self.count + self.k))
