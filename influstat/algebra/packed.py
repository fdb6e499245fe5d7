"""Symmetric matrices whose upper triangles are kept once, row after row: p (p + 1) / 2 *packed* products."""

from __future__ import annotations

from functools import cache

import numpy as np

from influstat.input.validation import FloatArray


def packed_size(p: int) -> int:
    """Return how many products of two of p coordinates there are."""
    return p * (p + 1) // 2


def packed(z: FloatArray) -> FloatArray:
    """Return z_a z_b for all a <= b of every column of z (p, k), shape (p (p + 1) / 2, k)."""
    products = np.empty((packed_size(len(z)), z.shape[1]))
    for a, places in triangle(len(z)):
        np.multiply(z[a:], z[a], out=products[places])
    return products


def contracted(products: FloatArray, u: FloatArray) -> FloatArray:
    """Return M_k u_k for symmetric matrices M_k, packed in columns, and the columns of u (p, k)."""
    result = np.zeros_like(u)
    for a, places in triangle(len(u)):
        part = products[places]
        result[a] += np.einsum("bk,bk->k", part, u[a:])
        result[a + 1 :] += part[1:] * u[a]
    return result


@cache
def triangle(p: int) -> tuple[tuple[int, slice], ...]:
    """Return each row a of the upper triangle and where its products a <= b stand."""
    starts = [a * p - a * (a - 1) // 2 for a in range(p + 1)]
    return tuple((a, slice(starts[a], starts[a + 1])) for a in range(p))


def packed_norms(products: FloatArray, p: int) -> FloatArray:
    """Return the Frobenius norms of symmetric matrices that are packed in columns, shape (k,)."""
    squares = 2.0 * np.einsum("ak,ak->k", products, products)
    diagonal = products[[places.start for _, places in triangle(p)]]
    return np.asarray(np.sqrt(squares - np.einsum("ak,ak->k", diagonal, diagonal)))


def unpacked(products: FloatArray, p: int) -> FloatArray:
    """Return the symmetric matrices (k, p, p) that are packed in columns."""
    result = np.empty((products.shape[1], p, p))
    for a, places in triangle(p):
        result[:, a, a:] = result[:, a:, a] = products[places].T
    return result
