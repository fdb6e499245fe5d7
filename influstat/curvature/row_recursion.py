"""The recursion of LiSSA, many steps at once: a small triangular system in the drawn rows.

One step is u <- v + a * u - sum_b d_b x_b (x_b'u), with a = 1 - ridge / C per coefficient and
d_b = l2_b / (C batch_size) for the rows drawn in that step. K steps from u_0, with k < K,

    u_k = a^k * u_0 + (1 + a + ... + a^(k-1)) * v - sum over rows i of steps j < k: a^(k-1-j) * x_i d_i s_i,

need only the numbers s_i = x_i'u_j, each at its own step j. Multiplied by x_k' this is a unit lower
triangular system for them, whose entries x_k'(a^(k-1-j) * x_i) d_i are one matrix product of the drawn
rows with themselves. All repeats and right-hand sides go through each product together.

Rows whose Hessians are whole matrices take one step after the other (`MatrixRows`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.symmetric import Symmetric
from influstat.input.design import Design
from influstat.input.validation import FloatArray

BLOCK_ROWS = 24  # rows of one repeat in one block; measured: 16 to 32 are the fastest
BLOCK_ENTRIES = 2**21  # float64 entries of all rows gathered at once: 16 MiB
SMALLEST_POWER = 1e-60  # a^K must stay well inside float64, as must its reciprocal
MOST_DECAYS = 4  # different values of a; normally two, of penalised and unpenalised coefficients


@dataclass(frozen=True, eq=False)
class LinearRows:
    """Rows x_i of a linear risk, to be drawn with probability `share`."""

    design: Design
    second: FloatArray  # l2_i
    share: FloatArray  # w_i / W
    ridge: Symmetric  # the penalty's Hessian in mean scale, plus any damping

    def bound(self) -> float:
        """Return max_i l2_i |x_i|^2 + max ridge: a bound on the norm of any single row's Hessian."""
        norms = np.abs(self.second) * self.design.row_square_norms()
        return float(np.max(np.where(self.share > 0, norms, 0.0)) + self.ridge.largest)

    def begin(self, scale: float, columns: FloatArray, repeats: int, batch_size: int) -> RowRecursion:
        """Return the recursion at its start."""
        return RowRecursion(self, scale, columns, repeats, batch_size)


class RowRecursion:
    """Steps of u <- v + u - H_rows u / C for u of shape (repeats, p, m); v are the columns (p, m)."""

    def __init__(
        self, rows: LinearRows, scale: float, columns: FloatArray, repeats: int, batch_size: int
    ) -> None:
        self.design, self.columns = rows.design, columns
        self.weights = rows.second / (scale * batch_size)
        self.ridge, self.scale = rows.ridge, scale
        self.decay = 1.0 - rows.ridge.diagonal() / scale
        self.state = np.repeat(columns[None], repeats, axis=0)
        decays, group = np.unique(self.decay, return_inverse=True)
        row_entries = repeats * batch_size * len(columns)
        self.parts = -(-row_entries // BLOCK_ENTRIES)  # of one step's rows, where they are too many at once
        self.block_steps = max(1, min(BLOCK_ROWS // batch_size, BLOCK_ENTRIES // (2 * row_entries)))
        smallest = float(np.min(np.abs(decays)))
        if len(decays) > MOST_DECAYS or smallest == 0.0 or rows.ridge.terms > 1:
            self.block_steps = 1
        elif smallest < 1.0:
            self.block_steps = max(1, min(self.block_steps, int(np.log(SMALLEST_POWER) / np.log(smallest))))
        if self.block_steps > 1:
            self._tabulate(decays, group, batch_size)

    def _tabulate(self, decays: FloatArray, group: NDArray[np.intp], batch_size: int) -> None:
        """Keep the powers of a, and what the steps of one block add up of v."""
        steps = np.arange(self.block_steps + 1)
        self.step_of_row = np.repeat(steps[:-1], batch_size)
        self.powers = self.decay ** steps[:, None]
        self.inverse_powers = self.decay ** -steps[:, None].astype(np.float64)
        self.earlier = self.step_of_row[:, None] > self.step_of_row
        powers = decays ** steps[:, None]
        self.sums = np.cumsum(powers, axis=0) - powers  # 1 + a + ... + a^(k-1), shape (K + 1, decays)
        self.group = group
        p, m = self.columns.shape
        split = np.zeros((p, len(decays), m))
        split[np.arange(p), group] = self.columns
        self.split_columns = split.reshape(p, -1)

    def advance(self, rows: NDArray[np.intp]) -> None:
        """Take one step for each of the drawn rows' steps, shape (steps, repeats, batch_size)."""
        if len(rows) > 1:
            self._block(rows)
        else:
            self._single(rows[0])

    def _single(self, rows: NDArray[np.intp]) -> None:
        """Take one step, the definition; rows (repeats, batch_size)."""
        after = self.state - self.ridge.dot(self.state) / self.scale
        after += self.columns
        for part in np.array_split(rows, min(self.parts, rows.shape[1]), axis=1):
            drawn = self.design.rows(part.ravel()).reshape(*part.shape, -1)
            inner = drawn @ self.state
            inner *= self.weights[part][:, :, None]
            after -= drawn.transpose(0, 2, 1) @ inner
        self.state = after

    def _block(self, rows: NDArray[np.intp]) -> None:
        """Take several steps at once; rows (steps, repeats, batch_size)."""
        count, repeats, batch_size = rows.shape
        rows = rows.transpose(1, 0, 2).reshape(repeats, -1)
        step = self.step_of_row[: count * batch_size]
        drawn = self.design.rows(rows.ravel())
        p, m = self.columns.shape
        from_columns = (drawn @ self.split_columns).reshape(repeats, len(step), -1, m)
        drawn = drawn.reshape(repeats, len(step), p)
        weights = self.weights[rows]
        forward = drawn * self.powers[step]  # a^k * x_k
        drawn *= self.inverse_powers[step + 1]
        backward = drawn.transpose(0, 2, 1)  # a^-(j+1) * x_i
        system = forward @ backward
        system *= self.earlier[: len(step), : len(step)]
        system *= weights[:, None, :]
        diagonal = np.arange(len(step))
        system[:, diagonal, diagonal] = 1.0
        inner = forward @ self.state
        inner += np.einsum("rkgm,kg->rkm", from_columns, self.sums[step])
        inner = np.asarray(np.linalg.solve(system, inner), dtype=np.float64)
        inner *= weights[:, :, None]
        self.state -= backward @ inner
        self.state *= self.powers[count][:, None]
        self.state += self.sums[count][self.group][:, None] * self.columns


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
