"""The Hessian of multinomial logistic regression as an operator: products from X and the probabilities.

And what its rows leave undetermined, where columns depend on each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

from influstat.algebra.coordinates import Coordinates, coordinates
from influstat.curvature.base import Hessian
from influstat.input.design import Design
from influstat.input.validation import FloatArray


class SoftmaxCurvature(Hessian):
    """H with the blocks X' diag(share P_k (1{k=l} - P_l)) X, plus penalty and gauge; mean scale.

    Source: Böhning 1992. Coefficients are ordered class after class. P, shape (n, K), are the probabilities,
    `ridge` and `gauge`, shape (q,), the same for each class; the gauge multiplies the square of each column's
    sum over the classes, halved.

    Examples
    --------
    >>> from influstat.input.design import Design
    >>> P, share = np.full((2, 2), 0.5), np.full(2, 0.5)
    >>> SoftmaxCurvature(Design([[1.0], [1.0]]), share, P, np.ones(1), np.zeros(1)).to_dense()
    array([[ 1.25, -0.25],
           [-0.25,  1.25]])
    """

    symmetric = True
    offers_diagonal = False  # the gauge is in it: conjugate gradients take twice the steps with it

    def __init__(
        self,
        design: Design,
        share: FloatArray,
        P: FloatArray,
        ridge: FloatArray,
        gauge: FloatArray,
        names: tuple[str, ...] | None = None,
    ) -> None:
        super().__init__(P.shape[1] * design.shape[1])
        self.names = names
        self.design, self.share, self.P, self.ridge, self.gauge = design, share, P, ridge, gauge

    def _matmat(self, vectors: FloatArray) -> FloatArray:
        """Return H @ vectors, one class after the other; through the assembled H where they are many."""
        m, K = vectors.shape[1], self.P.shape[1]
        if 2 * m > self.shape[0]:  # fewer operations, and no n x m temporaries
            return np.asarray(self.to_dense() @ vectors)
        blocks = vectors.reshape(K, -1, m)
        moved = [self.design.dot(np.ascontiguousarray(block)) for block in blocks]  # d eta_k
        mean: Any = sum(self.P[:, [k]] * part for k, part in enumerate(moved))
        result = self.ridge[:, None] * blocks + self.gauge[:, None] * blocks.sum(axis=0)
        for k, part in enumerate(moved):
            result[k] += self.design.transpose_dot((self.share * self.P[:, k])[:, None] * (part - mean))
        return np.asarray(result.reshape(vectors.shape))

    def to_dense(self) -> FloatArray:
        """Return H as a new array in Fortran order, symmetric to the last bit."""
        q, K = self.design.shape[1], self.P.shape[1]
        dense, rest = np.empty(self.shape, order="F"), sum_of_others(self.P)
        for k in range(K):
            for other in range(k + 1):
                same = float(k == other)
                factor = rest[:, k] if k == other else -self.P[:, other]
                block = self.design.gram(self.share * self.P[:, k] * factor)
                block.flat[:: q + 1] += self.gauge + same * self.ridge
                dense[k * q : (k + 1) * q, other * q : (other + 1) * q] = block
                dense[other * q : (other + 1) * q, k * q : (k + 1) * q] = block
        return dense

    def coordinates(self) -> Coordinates | None:
        """Return the coefficients of columns that determine the others."""
        return class_coordinates(self.design, self.share > 0, self.ridge, self.P.shape[1], level=True)

    def diagonal(self) -> FloatArray:
        """Return the diagonal of H."""
        products = (self.P * sum_of_others(self.P)).T
        parts = [self.design.square_sums(self.share * product) for product in products]
        return np.concatenate([part + self.gauge + self.ridge for part in parts])


def sum_of_others(values: FloatArray) -> FloatArray:
    """Return for each entry of a row, shape (n, K) or (n, K, m), the sum of the others: no cancellation."""
    others = np.zeros_like(values)
    np.cumsum(values[:, :-1], axis=1, out=others[:, 1:])
    others[:, :-1] += np.cumsum(values[:, :0:-1], axis=1)[:, ::-1]
    return others


def probabilities(eta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return pi and 1 - pi of predictors (n, K) or (n, K, k), each right to a few epsilon of itself."""
    weights = np.exp(eta - eta.max(axis=1, keepdims=True))
    total = weights.sum(axis=1, keepdims=True)
    return weights / total, sum_of_others(weights) / total


def class_coordinates(
    design: Design, counted: NDArray[np.bool_], ridge: FloatArray, blocks: int, *, level: bool
) -> Coordinates | None:
    """Return coordinates of theta, one block of coefficients after the other, and what is not determined.

    Some unpenalised columns are combinations of the others: without them every predictor can still be
    reached. So the coordinates are the coefficients of the columns that are kept, in every block, and the
    directions N of the columns along which no predictor moves, in every block, are not determined.

    `counted` are rows that have weight, `ridge` (q,) is the penalty's strength on each column, the same in
    every block; with `level` coefficients add up to 0 over the blocks: what is not determined does so too.

    Returns
    -------
    Coordinates or None
        None where no columns depend on each other.

    Examples
    --------
    >>> x = Design([[1.0, 2.0], [2.0, 4.0], [-1.0, -2.0]])          # the second column is twice the first
    >>> found = class_coordinates(x, np.ones(3, dtype=bool), np.zeros(2), 2, level=False)
    >>> found.determined, found.estimable(np.array([[1.0, 2.0, 0.0, 0.0]]))
    (array([False, False, False, False]), array([ True]))
    """
    q = design.shape[1]

    def weighted() -> Iterator[tuple[FloatArray, FloatArray]]:
        for rows, block in design.dense_blocks():
            yield block, counted[rows].astype(np.float64)

    found = coordinates(weighted, np.diag(np.sqrt(ridge))[:, ridge > 0.0], design.constant_column)
    lost = found.null.shape[1]
    if not 0 < lost < q:
        return None
    kept = np.ones(q, dtype=np.bool_)
    kept[qr(found.null.T, mode="r", pivoting=True)[1][:lost]] = False
    free = np.eye(blocks)[:, : blocks - level] - level * np.eye(blocks)[:, [-1]]
    return Coordinates(
        constant=-1,
        center=np.zeros(blocks * q),
        transform=np.asarray(np.kron(np.eye(blocks), np.eye(q)[:, kept]), dtype=np.float64),
        null=np.asarray(np.kron(free, found.null), dtype=np.float64),
        rounding=np.tile(found.rounding, blocks),
    )
