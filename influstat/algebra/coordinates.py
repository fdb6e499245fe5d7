"""Coordinates in which weighted rows are orthonormal: they keep the digits of ill-conditioned designs.

The Gram matrix squares the condition of the rows. Here the rows themselves are factored by Householder's QR,
block after block, after a constant among the columns has been taken out of the others and all are scaled;
directions that no row and no penalty feel are set apart.

That columns depend on each other exactly is proven by null vectors of small fractions, without rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import fsum, lcm

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, qr, svd

from influstat.input.validation import FloatArray

EPSILON = float(np.finfo(np.float64).eps)
STACKED = 4  # rows are gathered to this many times p before they are folded into the factor
NOISE = 8 * EPSILON  # of its length: what is left of a column without the constant is then rounding
SHARP = 32  # times n epsilon / gap: how far entries of N that should be 0 come out
BLUNT = 1e-3  # entries of unit vectors of up to a million dummies are no smaller

Blocks = Callable[[], Iterable[tuple[FloatArray, FloatArray]]]
DENOMINATOR = 64  # largest of a fraction that is looked for: dummies and their sums have 1
CLOSE = 1e-6  # of a null vector's entries to such a fraction: neighbours are 1 / 64^2 apart at least
SPLIT = 2.0**27 + 1.0  # cuts a float64 into two halves of 26 bits (Dekker 1971)
COUNTED = 2.0**51  # whole numbers below were not rounded: else half of them, at most, would be whole
EXACT = 2.0**53  # integers up to here are float64


@dataclass(frozen=True, eq=False)
class Coordinates:
    """theta = theta-hat + T u with r coordinates u, and the directions N along which nothing changes.

    Examples
    --------
    >>> import numpy as np
    >>> from influstat.algebra.coordinates import coordinates
    >>> x = np.array([[1.0, 1e9 + 1.0], [1.0, 1e9 + 3.0]])          # the second column is far from 0
    >>> found = coordinates(lambda: [(x, np.ones(2))], np.zeros((2, 0)), 0)
    >>> z = found.rows(x)
    >>> bool(np.allclose(z.T @ z, np.eye(2), rtol=0, atol=1e-14))
    True
    """

    constant: int  # which column is constant and taken out of the others; -1 where none is
    center: FloatArray  # taken off each column, in units of the constant one; 0 for that column, shape (p,)
    transform: FloatArray  # from u to the coefficients of centred columns, shape (p, r)
    null: FloatArray  # N: directions of theta that no row and no penalty feels, shape (p, p - r)
    rounding: FloatArray  # size below which an entry of N is rounding, shape (p,)

    def rows(self, x: FloatArray) -> FloatArray:
        """Return T'x of every row x of (k, p), shape (k, r): rows, or gradients of linear quantities."""
        return np.asarray(_centred(x, self.center, self.constant) @ self.transform)

    def lift(self, u: FloatArray) -> FloatArray:
        """Return T u, the change of theta that belongs to u: shape (p,), or (p, k) for columns (r, k)."""
        theta = np.asarray(self.transform @ u)
        if self.constant >= 0:
            theta[self.constant] -= self.center @ theta
        return theta

    def lift_size(self, u: FloatArray) -> FloatArray:
        """Return how large the terms of `lift` are, of the same shape: what its rounding is relative to."""
        size = np.asarray(np.abs(self.transform) @ np.abs(u))
        if self.constant >= 0:
            size[self.constant] += np.abs(self.center) @ size
        return size

    def rows_size(self, x: FloatArray) -> FloatArray:
        """Return |x - center| |T| of every row x of (k, p), shape (k, r): what `rows` rounds relative to."""
        return np.asarray(np.abs(_centred(x, self.center, self.constant)) @ np.abs(self.transform))

    @property
    def full(self) -> bool:
        """Whether every direction is felt, so that every coefficient is determined."""
        return not self.null.size

    def estimable(self, a: FloatArray) -> NDArray[np.bool_]:
        """Tell of every row a of (k, p) whether a'theta is determined, shape (k,): a'N = 0 to rounding."""
        along, noise = np.abs(a @ self.null), np.abs(a) @ self.rounding
        return np.asarray((along <= noise[:, None]).all(axis=1))

    @property
    def determined(self) -> NDArray[np.bool_]:
        """Which coefficients are determined, shape (p,)."""
        return np.asarray((np.abs(self.null) <= self.rounding[:, None]).all(axis=1))


def coordinates(blocks: Blocks, root: FloatArray, constant: int) -> Coordinates:
    """Return coordinates in which the rows, each times the root of its weight, are orthonormal."""
    # `blocks` returns an iterator of row blocks (k, p) with the roots of their weights (k,), and is called
    # three times or four; `root` (p, q) is one of the penalty's Hessian: q more rows; `constant` a column
    # that is the same in every row, or -1. r is the number of singular values, columns scaled, above
    # max(n, p) epsilon of the largest and above what the rounding of X itself makes: of entries far from 0
    # that is more.
    p = root.shape[0]
    center = np.zeros(p) if constant < 0 else _center(blocks(), constant, p)

    def moved() -> Iterator[FloatArray]:
        for x, weight in blocks():
            yield _centred(x, center, constant) * weight[:, None]
        yield _centred(root.T, center, constant)

    lengths = _lengths(x * weight[:, None] for x, weight in blocks())
    scale = _scale(moved(), lengths)
    triangle, count = np.zeros((0, p)), 0
    for block in _gathered(moved(), STACKED * p):
        triangle = np.asarray(np.linalg.qr(np.concatenate([triangle, block * scale]), mode="r"))
        count += len(block)
    try:
        _, values, vectors = svd(triangle, full_matrices=True)
    except LinAlgError:  # divide and conquer does not always end; the older iteration does
        _, values, vectors = svd(triangle, full_matrices=True, lapack_driver="gesvd")
    values = np.concatenate([values, np.zeros(p - len(values))])
    least = max(count, p) * EPSILON * values[0]
    exact = np.linalg.norm(vectors @ (scale[:, None] * _centred(root.T, center, constant).T), axis=1)
    blurred = NOISE * np.linalg.norm(vectors * (lengths * scale), axis=1)
    kept = (values > least) & ((values > blurred) | (exact > least))
    doubtful = np.flatnonzero((values > least) & ~kept)
    if len(doubtful):  # the lengths may be those of a few heavy rows, and the others feel what is more
        along = scale[:, None] * vectors[doubtful].T
        kept[doubtful] = _felt(blocks(), center, constant, along, least) > 0.5 * values[doubtful] ** 2
    transform = scale[:, None] * vectors[kept].T / values[kept]
    unit = np.where(scale > 0, scale, 1.0)  # a column of zeros is a direction of its own
    null = unit[:, None] * vectors[~kept].T
    if constant >= 0:
        null[constant] -= center @ null
        unit = np.where(np.arange(p) == constant, unit + np.abs(center) @ unit, unit)
    # Singular vectors are right to rounding over the gap between the values kept and those that are not.
    level = max(least, np.max(values[~kept], initial=0.0))
    gap = values[kept][-1] if kept.any() else max(values[0], np.finfo(np.float64).tiny)
    return Coordinates(constant, center, transform, null, min(SHARP * level / gap, BLUNT) * unit)


def _centred(x: FloatArray, center: FloatArray, constant: int) -> FloatArray:
    """Return the rows without the constant: exact differences, where entries are near the center."""
    return x if constant < 0 else np.asarray(x - x[:, constant, None] * center)


def _center(blocks: Iterable[tuple[FloatArray, FloatArray]], constant: int, p: int) -> FloatArray:
    """Return the weighted mean of every column over that of the constant one, which stays as it is."""
    sums, total = np.zeros(p), 0.0
    for x, weight in blocks:
        along = weight**2 * x[:, constant]
        sums += along @ x
        total += float(along @ x[:, constant])
    sums = sums / total if total > 0.0 else np.zeros(p)  # no row counts: nothing to center
    sums[constant] = 0.0
    return sums


def _lengths(blocks: Iterable[FloatArray]) -> FloatArray:
    """Return the length of every column."""
    return np.asarray(np.sqrt(sum(np.square(block).sum(axis=0) for block in blocks)))


def _scale(moved: Iterable[FloatArray], whole: FloatArray) -> FloatArray:
    """Return 1 over the length of every centred column; 0 where rounding alone is left of it."""
    lengths = _lengths(moved)
    felt = lengths > NOISE * whole
    return np.where(felt, 1.0 / np.where(felt, lengths, 1.0), 0.0)


def _felt(
    blocks: Iterable[tuple[FloatArray, FloatArray]], center: FloatArray, constant: int, along: FloatArray,
    least: float,
) -> FloatArray:  # fmt: skip
    """Return the squared lengths along directions (p, m) of what is above each row's rounding, shape (m,)."""
    felt = np.zeros(along.shape[1])
    for x, weight in blocks:
        rows, whole = _centred(x, center, constant), (x == np.round(x)) & (np.abs(x) < COUNTED)
        noise = NOISE * np.sqrt(np.square(np.where(whole, 0.0, x)) @ np.square(along))
        noise += least * (np.abs(rows) @ np.abs(along))
        moved = rows @ along
        felt += np.square(np.where(np.abs(moved) > noise, moved, 0.0) * weight[:, None]).sum(axis=0)
    return felt


def _gathered(blocks: Iterable[FloatArray], rows: int) -> Iterator[FloatArray]:
    """Yield the blocks, small ones joined, since each costs a factorisation."""
    held: list[FloatArray] = []
    for block in blocks:
        held.append(block)
        if sum(map(len, held)) >= rows:
            yield np.concatenate(held)
            held = []
    if held:
        yield np.concatenate(held)


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
