"""Sums over partitions: each is what the library's own `LinearRisk` of its rows says, added up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InflustatError, InvalidArgument
from influstat.input.design import Design
from influstat.input.matrix import BLOCK_ENTRIES
from influstat.input.products import products
from influstat.input.validation import FloatArray
from influstat.losses.alone import require_own_rows
from influstat.minimise.existence import falls_for_ever
from influstat.partitioned.block import Block, of_partition
from influstat.partitioned.recipe import Recipe
from influstat.partitioned.runners.base import Summable
from influstat.risks.linear import LinearRisk

AT_ONCE = 2**13  # rows, or a few more, whose losses are asked for together: 64 KiB of each number of a row
KEPT = 2**21  # entries of each array that a thread keeps from one partition to the next: 16 MiB
LARGEST = 1e150  # entry of a row whose square, times a few, is in float64


@dataclass(eq=False)
class Counted(Summable):
    """How many rows there are and what they weigh."""

    partitions: NDArray[np.intp]  # that have rows,
    rows: NDArray[np.intp]  # and how many
    weight: float
    least: float  # smallest and largest target of the rows of positive weight
    most: float

    def plus(self, other: Counted) -> Counted:
        """Return both together."""
        return Counted(
            np.concatenate([self.partitions, other.partitions]),
            np.concatenate([self.rows, other.rows]),
            self.weight + other.weight,
            min(self.least, other.least),
            max(self.most, other.most),
        )

    def spread(self, count: int) -> Counted:
        """Return the same with the rows of each of so many partitions, 0 where there are none."""
        rows = np.zeros(count, dtype=np.intp)
        rows[self.partitions] = self.rows
        return replace(self, partitions=np.arange(count), rows=rows)


@dataclass(eq=False)
class ArraySum(Summable):
    """An array that is added up."""

    values: FloatArray

    def plus(self, other: ArraySum) -> ArraySum:
        """Return both together."""
        return ArraySum(self.values + other.values)


@dataclass(eq=False)
class NewtonSums(Summable):
    """What a Newton step asks of the rows at one theta, in sum scale and without the penalty."""

    value: float
    gradient: FloatArray
    scale: FloatArray
    hessian: FloatArray | None
    diagonal: FloatArray
    convex: bool  # whether no row has negative curvature
    separated: bool  # whether every row's loss falls for ever along the free part of theta
    counted: Counted

    def plus(self, other: NewtonSums) -> NewtonSums:
        """Return both together."""
        self.value += other.value
        self.gradient += other.gradient
        self.scale += other.scale
        self.diagonal += other.diagonal
        if self.hessian is not None and other.hessian is not None:
            self.hessian += other.hessian
        self.convex = self.convex and other.convex
        self.separated = self.separated and other.separated
        self.counted = self.counted.plus(other.counted)
        return self


@dataclass(frozen=True, eq=False)
class Newton:
    """`NewtonSums` of a partition at theta (p,)."""

    recipe: Recipe  # in sum scale
    theta: FloatArray
    dense: bool  # whether the Hessian is wanted as a matrix
    free: FloatArray | None = None  # the part of theta that no penalty feels, where it may separate rows

    def __call__(self, partition: int, block: Block) -> NewtonSums:
        """Return the sums of one partition's rows."""
        risk = self.recipe.risk(block)
        if not self.theta.any():  # the first look at these rows
            try:
                require_own_rows(risk.loss, risk.y)
            except InflustatError as error:
                raise of_partition(error, block.place) from error
        counts = risk.y[risk.weights > 0]
        counted = Counted(
            np.array([partition]),
            np.array([len(block)]),
            float(risk.weights.sum()),
            float(np.min(counts, initial=np.inf)),
            float(np.max(counts, initial=-np.inf)),
        )
        separated = self.free is not None and falls_for_ever(risk, self.free)
        if self.dense and not risk.design.sparse:
            found = swept(risk, self.theta)
            if not np.isfinite(found[3]).all():
                _require_squares(block, risk)
            return NewtonSums(*found, separated, counted)
        curvature = risk.curvature(self.theta)
        hessian = curvature.to_dense() if self.dense else None
        return NewtonSums(
            risk.value(self.theta),
            risk.gradient(self.theta),
            risk.gradient_scale(self.theta),
            hessian,
            curvature.diagonal() if hessian is None else hessian.diagonal().copy(),
            curvature.convex,
            separated,
            counted,
        )


def _require_squares(block: Block, risk: LinearRisk) -> None:
    """Raise, naming the row, where entries of X are so large that sums of their squares are not finite."""
    for rows, x in risk.design.dense_blocks():
        row, column = np.unravel_index(int(np.argmax(np.abs(x))), x.shape)
        value = float(x[row, column])
        if abs(value) > LARGEST:
            need, was = (
                "have entries whose squares can be added",
                f"holds {value:.3g} at row {rows.start + row}",
            )
            name = risk.design.names[column]
            remedy = f"Look at column {name!r} there: a file that is damaged reads so; or rescale the column."
            raise of_partition(InvalidArgument("X", need, was, remedy), block.place)


def swept(
    risk: LinearRisk, theta: FloatArray
) -> tuple[float, FloatArray, FloatArray, FloatArray, FloatArray, bool]:
    """Return value, gradient, its scale, Hessian, diagonal, and whether no row has negative curvature."""
    # As `NewtonSums` begins. What `LinearRisk` says of each in a sweep of its own is summed together, of rows
    # that are dense, in sum scale and without a penalty. Threads hand over Python's lock at every call, so
    # that losses are asked for many rows at once. Rows are brought to float64 a few at a time, twice, and
    # what is made of them stays in cache, in memory that a thread asks for once: workers of a cluster give
    # each array back to the system, whose fresh pages would take longer than the sums.
    loss, p = risk.loss, len(theta)
    value, convex = 0.0, True
    gradient, scale, hessian = np.zeros(p), np.zeros(p), np.zeros((p, p))
    held = Held.of_thread(p)
    step = -(-AT_ONCE // held.rows) * held.rows
    for start in range(0, len(risk.y), step):
        rows = slice(start, start + step)
        design, y, weights = risk.design.take(rows), risk.y[rows], risk.weights[rows]
        eta, spread = held.predicted(design, theta)
        eta += risk.offset[rows]
        spread += np.abs(risk.offset[rows])
        each, first, second = loss.value(y, eta), loss.first(y, eta), loss.second(y, eta)
        if not (counts := weights > 0).all():  # 0 inf is 0
            each, first = np.where(counts, each, 0.0), np.where(counts, first, 0.0)
            second = np.where(counts | np.isfinite(second), second, 0.0)
        convex = convex and bool((second >= 0).all())
        spread *= np.abs(second)
        spread += np.abs(first)
        spread *= weights
        curvature = second * weights
        with np.errstate(invalid="ignore"):
            value += float(np.sum(weights * each))
            slopes = weights * first
        signs = (1.0,) if convex else (1.0, -1.0)  # products have square roots
        roots = [(sign, np.sqrt(np.maximum(sign * curvature, 0.0))) for sign in signs]
        for place, x, made in held.blocks(design):
            gradient += slopes[place] @ x
            scale += spread[place] @ np.abs(x, out=made)
            for sign, root in roots:
                np.multiply(x, root[place, None], out=made)
                hessian += sign * products(made)
    return value, gradient, scale, hessian, hessian.diagonal().copy(), convex


class Held:
    """Memory for a few rows in float64, and for what is made of them, that a thread asks for once."""

    _last = threading.local()

    @classmethod
    def of_thread(cls, p: int) -> Held:
        """Return that of this thread."""
        found: Held | None = getattr(cls._last, "held", None)
        if found is None or found.columns != p:
            found = cls(p)
            # Threads may live as long as the process: of many columns, whose sums take longer, none is kept.
            cls._last.held = found if found.rows * p <= KEPT else None
        return found

    def __init__(self, p: int) -> None:
        self.columns = p
        self.rows = max(p, BLOCK_ENTRIES // (2 * p))
        self._rows, self._made = np.empty((self.rows, p)), np.empty((self.rows, p))

    def blocks(self, design: Design) -> Iterator[tuple[slice, FloatArray, FloatArray]]:
        """Yield which rows, the rows, and an array of their shape that may be written to."""
        for place, x in design.passing_blocks(self._rows):
            yield place, x, self._made[: len(x)]

    def predicted(self, design: Design, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return X theta and |X| |theta|."""
        size = np.abs(theta)
        eta, spread = np.empty(design.shape[0]), np.empty(design.shape[0])
        for place, x, made in self.blocks(design):
            np.matmul(x, theta, out=eta[place])
            np.matmul(np.abs(x, out=made), size, out=spread[place])
        return eta, spread
