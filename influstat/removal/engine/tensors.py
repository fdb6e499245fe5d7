"""Sums of third and fourth powers of the rows, and what they make of many displacements at once.

T3 = sum_j a_j z_j (x) z_j (x) z_j and T4 = sum_j b_j z_j (x) z_j (x) z_j (x) z_j are symmetric, so pairs of
coordinates are kept once: p (p + 1) / 2 *packed* products, row after row of the upper triangle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from influstat.algebra.symmetric import contracted, packed, packed_size, triangle, unpacked
from influstat.input.validation import FloatArray

TILES = 8  # of T4: nine sixteenths of the full product are multiplied
SMALL_PRODUCT = 64  # rows of a product, of fewer of which the BLAS takes longer than it saves
CACHED = 2**17  # entries of packed products worked on together where one product with T3 is all: 1 MiB


class Tensors:
    """T3 and, with `fourth`, T4 (p^4 / 4 products a row) of rows z_j with weights a_j and b_j.

    Blocks (z, a, b) are rows as columns of z (p, k), with their weights (k,).
    """

    def __init__(
        self, blocks: Iterable[tuple[FloatArray, FloatArray, FloatArray]], p: int, *, fourth: bool
    ) -> None:
        size = packed_size(p)
        self._third = np.zeros((p, size))
        self._fourth = np.zeros((size, size)) if fourth else None
        # A packed product stands for itself and its mirror image.
        self._twice = np.full((size, 1), 2.0)
        for _, places in triangle(p):
            self._twice[places.start] = 1.0
        for z, a, b in blocks:
            for part in self._tiles(z):
                products = packed(z[:, part])
                self._third += (z[:, part] * a[part]) @ products.T
                if self.has_fourth:
                    self._add_squares(products, b[part])

    def _tiles(self, columns: FloatArray) -> Iterator[slice]:
        """Yield runs of columns whose packed products stay in cache; all at once where T4 is multiplied."""
        k = columns.shape[1]
        step = max(1, k) if self.has_fourth else max(64, CACHED // len(self._twice))
        for start in range(0, k, step):
            yield slice(start, min(start + step, k))

    @property
    def has_fourth(self) -> bool:
        """Whether T4 is there."""
        return self._fourth is not None

    def less_squares(self, matrices: FloatArray, b: FloatArray) -> None:
        """Take sum_j b_j C_j (x) C_j off T4, C_j the columns of packed matrices; b (k,)."""
        # T4 is symmetric in its first two places and in its last two alone then: right for `second_order`,
        # which is symmetric in u, but not for `first_order`.
        self._add_squares(matrices, -b)

    def _add_squares(self, matrices: FloatArray, b: FloatArray) -> None:
        """Add sum_j b_j C_j (x) C_j to T4: one half of it is multiplied, a few rows at a time, and mirrored.

        NumPy's product lets other threads run meanwhile, scipy's `dgemm` keeps them waiting.
        """
        assert self._fourth is not None  # whoever asks has asked for it
        size = len(matrices)
        step = max(SMALL_PRODUCT, -(-size // TILES))
        for start in range(0, size, step):
            stop = start + step
            with np.errstate(over="ignore", invalid="ignore"):  # what is not finite certifies nothing
                tile = (matrices[start:stop] * b) @ matrices[start:].T
            self._fourth[start:stop, start:] += tile
            self._fourth[stop:, start:stop] += tile[:, step:].T

    def plus(self, other: Tensors) -> Tensors:
        """Add the sums over other rows to these."""
        self._third += other._third
        if self._fourth is not None and other._fourth is not None:
            self._fourth += other._fourth
        return self

    def first_order(self, u: FloatArray, *, fourth: bool) -> FloatArray:
        """Return T3[u], with `fourth` plus T4[u, u] / 2, for every u of (p, k): packed symmetric matrices."""
        result = self._third.T @ u
        if fourth:
            assert self._fourth is not None  # the plan has asked for it
            products = packed(u)
            products *= self._twice
            result += self._fourth @ products / 2.0
        return np.asarray(result)

    def second_order(self, u: FloatArray, *, fourth: bool) -> FloatArray:
        """Return T3[u, u] / 2, with `fourth` plus T4[u, u, u] / 6, for every column of u (p, k)."""
        products = packed(u)
        products *= self._twice
        result = self._third @ products
        result /= 2.0
        if fourth:
            assert self._fourth is not None  # the plan has asked for it
            result += contracted(self._fourth @ products, u) / 6.0
        return np.asarray(result)

    def cube(self) -> FloatArray:
        """Return T3 with every entry written out, shape (p, p, p)."""
        return unpacked(self._third.T, len(self._third))
