"""Sums of third and fourth powers of the rows, and what they make of many displacements at once.

T3 = sum_j a_j z_j (x) z_j (x) z_j and T4 = sum_j b_j z_j (x) z_j (x) z_j (x) z_j are symmetric, so pairs of
coordinates are kept once: p (p + 1) / 2 *packed* products, row after row of the upper triangle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from influstat.input.validation import FloatArray


def packed_size(p: int) -> int:
    """Return how many products of two of p coordinates there are."""
    return p * (p + 1) // 2


def packed(z: FloatArray) -> FloatArray:
    """Return z_a z_b for all a <= b of every column of z (p, k), shape (p (p + 1) / 2, k)."""
    products = np.empty((packed_size(len(z)), z.shape[1]))
    for a, places in _triangle(len(z)):
        np.multiply(z[a:], z[a], out=products[places])
    return products


def contracted(products: FloatArray, u: FloatArray) -> FloatArray:
    """Return M_k u_k for symmetric matrices M_k, packed in columns, and the columns of u (p, k)."""
    result = np.zeros_like(u)
    for a, places in _triangle(len(u)):
        part = products[places]
        result[a] += np.einsum("bk,bk->k", part, u[a:])
        result[a + 1 :] += part[1:] * u[a]
    return result


def _triangle(p: int) -> Iterator[tuple[int, slice]]:
    """Yield each row a of the upper triangle and where its products a <= b stand."""
    start = 0
    for a in range(p):
        yield a, slice(start, start + p - a)
        start += p - a


def unpacked(products: FloatArray, p: int) -> FloatArray:
    """Return the symmetric matrices (k, p, p) that are packed in columns."""
    result = np.empty((products.shape[1], p, p))
    for a, places in _triangle(p):
        result[:, a, a:] = result[:, a:, a] = products[places].T
    return result


class Tensors:
    """T3 and, if wanted, T4 of rows z_j with weights a_j and b_j.

    Parameters
    ----------
    blocks : iterable of (z, a, b)
        Rows as columns of z (p, k), with their weights (k,); `b` is not looked at without `fourth`.
    p : int
        Coordinates.
    fourth : bool
        Whether T4 is wanted: p^4 / 4 products a row.
    """

    def __init__(
        self, blocks: Iterable[tuple[FloatArray, FloatArray, FloatArray]], p: int, *, fourth: bool
    ) -> None:
        size = packed_size(p)
        self._third = np.zeros((p, size))
        self._fourth = np.zeros((size, size)) if fourth else None
        # A packed product stands for itself and its mirror image.
        self._twice = np.full((size, 1), 2.0)
        for _, places in _triangle(p):
            self._twice[places.start] = 1.0
        for z, a, b in blocks:
            products = packed(z)
            self._third += (z * a) @ products.T
            if self._fourth is not None:
                self._fourth += (products * b) @ products.T

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
