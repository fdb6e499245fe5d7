"""Units in the order of f, one by one and in blocks: what the quadratics of `envelope` are sums over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influstat.input.validation import FloatArray

BLOCK = 32  # units of nearly the same f that share s


@dataclass(frozen=True, eq=False)
class Part:
    """Units, or blocks of units of nearly the same f, at one balance t: D = t B + C / t.

    A block has the largest f of its units: f is larger then than it is, which bounds from above, and the
    units of a block share s; D enters by sums and Gram matrices and loses nothing.
    """

    f: FloatArray  # shape (b,)
    count: FloatArray  # units in each, shape (b,)
    D: FloatArray  # sums, shape (b, d)
    squares: FloatArray  # means of |D|^2, shape (b,)
    sizes: FloatArray  # means of t^2 |B|^2 + |C|^2 / t^2, by which D is rounded, shape (b,)
    grams: FloatArray | None  # sums of D D', shape (b, d^2); None for single units

    def along(self, direction: FloatArray, matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return means over each of D'direction and D'matrix D, shape (b,) each."""
        if self.grams is None:
            return self.D @ direction, np.einsum("ij,ij->i", self.D @ matrix, self.D)
        return self.D @ direction / self.count, np.asarray(self.grams @ matrix.ravel()) / self.count

    def gram(self, weights: FloatArray) -> FloatArray:
        """Return the weighted sum of D D', shape (d, d)."""
        if self.grams is None:
            return np.asarray(self.D.T @ (self.D * weights[:, None]))
        d = self.D.shape[1]
        return np.asarray((weights @ self.grams).reshape(d, d))


@dataclass(frozen=True, eq=False)
class Sums:
    """The same at no t yet: sums of B and of C, means of |B|^2, 2 B'C and |C|^2, and their Gram matrices."""

    f: FloatArray
    count: FloatArray
    B: FloatArray
    C: FloatArray
    squares: tuple[FloatArray, ...]
    grams: tuple[FloatArray, ...]

    def at(self, t: float, chosen: slice) -> Part:
        """Return some of them at balance t."""
        BB, BC, CC = (each[chosen] for each in self.squares)
        sizes = t * t * BB + CC / t**2
        grams: FloatArray | None = None
        if self.grams:
            whole = t * t * self.grams[0][chosen] + self.grams[1][chosen] + self.grams[2][chosen] / t**2
            grams = whole.reshape(len(whole), -1)
        D = t * self.B[chosen] + self.C[chosen] / t
        return Part(self.f[chosen], self.count[chosen], D, np.maximum(sizes + BC, 0.0), sizes, grams)


class Parts:
    """All units in the order of f, largest first, and the same in blocks."""

    def __init__(self, f: FloatArray, B: FloatArray, C: FloatArray) -> None:
        order = np.argsort(-f, kind="stable")
        f, B, C = f[order], B[order], C[order]
        BB, BC, CC = (np.einsum("ij,ij->i", *pair) for pair in ((B, B), (B, C), (C, C)))
        self.single = Sums(f, np.ones(len(f)), B, C, (BB, 2.0 * BC, CC), ())
        starts = np.arange(0, len(f), BLOCK)
        count = np.diff(np.append(starts, len(f))).astype(np.float64)
        sum_B, sum_C = (np.add.reduceat(each, starts, axis=0) for each in (B, C))
        squares = tuple(np.add.reduceat(each, starts) / count for each in self.single.squares)
        crossed = _by_block(B, C)
        grams = _by_block(B, B), crossed + crossed.transpose(0, 2, 1), _by_block(C, C)
        self.blocks = Sums(f[starts], count, sum_B, sum_C, squares, grams)
        self._last: tuple[int, float, tuple[Part, ...]] | None = None

    def split(self, k: int, t: float) -> tuple[Part, ...]:
        """Return about the k units of largest f one by one, and all others in blocks."""
        few = -(-k // BLOCK)
        if self._last is None or self._last[:2] != (few, t):
            found: tuple[Part, ...] = (self.single.at(t, slice(0, few * BLOCK)),)
            if few < len(self.blocks.f):
                found = (*found, self.blocks.at(t, slice(few, None)))
            self._last = few, t, found
        return self._last[2]


def _by_block(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return the sums of products over each block, shape (b, d, d)."""
    n, d = first.shape
    whole, found = n // BLOCK, np.empty((-(-n // BLOCK), d, d))
    shape = (whole, BLOCK, d)
    np.matmul(
        first[: whole * BLOCK].reshape(shape).transpose(0, 2, 1),
        second[: whole * BLOCK].reshape(shape),
        out=found[:whole],
    )
    if whole < len(found):
        found[-1] = first[whole * BLOCK :].T @ second[whole * BLOCK :]
    return found
