"""Proof that columns depend on each other exactly: null vectors of small fractions, without rounding."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import fsum, lcm

import numpy as np
from scipy.linalg import LinAlgError, qr

from influstat.input.validation import FloatArray

DENOMINATOR = 64  # largest of a fraction that is looked for: dummies and their sums have 1
CLOSE = 1e-6  # of a null vector's entries to such a fraction: neighbours are 1 / 64^2 apart at least
SPLIT = 2.0**27 + 1.0  # cuts a float64 into two halves of 26 bits (Dekker 1971)
EXACT = 2.0**53  # integers up to here are float64


def fractional_null(null: FloatArray) -> FloatArray | None:
    """Return a basis of the span of `null` (p, m) in whole numbers, shape (p, m); None where none is seen.

    Returns
    -------
    ndarray or None

    Examples
    --------
    >>> fractional_null(np.array([[0.5], [0.25], [-0.25]]))
    array([[ 2.],
           [ 1.],
           [-1.]])
    """
    pivots = qr(null.T, mode="r", pivoting=True)[1][: null.shape[1]]
    try:
        basis = np.linalg.solve(null[pivots].T, null.T).T
    except LinAlgError:
        return None
    whole = np.empty_like(basis)
    for j, column in enumerate(basis.T.tolist()):
        parts = [Fraction(entry).limit_denominator(DENOMINATOR) for entry in column]
        if any(abs(float(part) - entry) > CLOSE for part, entry in zip(parts, column, strict=True)):
            return None
        common = lcm(*(part.denominator for part in parts))
        whole[:, j] = [float(part * common) for part in parts]
    first = np.array([column[np.flatnonzero(column)[0]] for column in whole.T])
    return np.asarray(whole * np.sign(first))


def exactly_null(blocks: Iterable[FloatArray], null: FloatArray) -> bool:
    """Tell whether X c = 0 without any rounding for every column c of `null`, X the rows of all blocks.

    Returns
    -------
    bool

    Examples
    --------
    >>> third = 1.0 / 3.0
    >>> x = np.array([[0.1, third, 0.1 + third]])       # the sum is rounded
    >>> exactly_null([x[:, [0, 0]]], np.array([[1.0], [-1.0]]))
    True
    >>> exactly_null([x], np.array([[1.0], [1.0], [-1.0]]))
    False
    """
    used = null.any(axis=1)
    return all(_no_product_left(block[:, used], null[used]) for block in blocks)


@np.errstate(over="ignore", invalid="ignore")
def _no_product_left(x: FloatArray, null: FloatArray) -> bool:
    whole = (x == np.round(x)).all(axis=1) & (np.abs(x) @ np.abs(null) < EXACT).all(axis=1)
    if (x[whole] @ null).any():
        return False
    for column in null.T:
        for row in x[~whole]:
            high = row * column
            parts = np.concatenate([high, _rest(row, column, high)])
            if not np.isfinite(parts).all() or fsum(parts.tolist()) != 0.0:  # out of range: not proven
                return False
    return True


def _rest(a: FloatArray, b: FloatArray, product: FloatArray) -> FloatArray:
    """Return a b - fl(a b), which is a float64 itself (Dekker 1971), or is not finite."""
    a_high, b_high = (SPLIT * one - (SPLIT * one - one) for one in (a, b))
    a_low, b_low = a - a_high, b - b_high
    return np.asarray(((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low)
