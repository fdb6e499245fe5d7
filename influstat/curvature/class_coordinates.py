"""What rows with one linear predictor per class leave undetermined, where columns depend on each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

from influstat.algebra.coordinates import Coordinates, coordinates
from influstat.input.design import Design
from influstat.input.validation import FloatArray


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
