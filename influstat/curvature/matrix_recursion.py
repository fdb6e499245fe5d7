"""The recursion of LiSSA for rows whose Hessians are whole matrices, one step after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.symmetric import Symmetric
from influstat.input.validation import FloatArray


@dataclass(frozen=True, eq=False)
class MatrixRows:
    """Rows drawn with probability `share` whose losses have whole matrices (n, p, p) as Hessians."""

    share: FloatArray  # w_i / W
    hessians: FloatArray  # of each row's loss, without penalty
    ridge: Symmetric  # the penalty's Hessian in mean scale, plus any damping

    def bound(self) -> float:
        """Return the largest norm of a drawn row's Hessian, penalty included."""
        norms = np.linalg.norm(self.hessians[self.share > 0], ord=2, axis=(1, 2))
        return float(norms.max() + self.ridge.largest)

    def begin(self, scale: float, columns: FloatArray, repeats: int, batch_size: int) -> MatrixRecursion:
        """Return the recursion at its start; the batch is that of the draws."""
        del batch_size
        return MatrixRecursion(self, scale, columns, repeats)


class MatrixRecursion:
    """Steps of u <- v + u - (mean of the drawn rows' Hessians + ridge) u / C; v are the columns (p, m)."""

    block_steps = 1

    def __init__(self, rows: MatrixRows, scale: float, columns: FloatArray, repeats: int) -> None:
        self.rows, self.scale, self.columns = rows, scale, columns
        self.state: FloatArray = np.repeat(columns[None], repeats, axis=0)

    def advance(self, rows: NDArray[np.intp]) -> None:
        """Take one step; rows (1, repeats, batch_size)."""
        drawn = self.rows.hessians[rows[0]].mean(axis=1)
        change = drawn @ self.state
        change += self.rows.ridge.dot(self.state)
        self.state = self.state + self.columns - change / self.scale
