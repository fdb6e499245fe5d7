"""Sums over partitions: each is what the library's own `LinearRisk` of its rows says, added up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InflustatError, InvalidArgument
from influstat.input.design import Design
from influstat.input.products import products
from influstat.input.validation import FloatArray
from influstat.losses.alone import require_own_rows
from influstat.minimise.existence import falls_for_ever
from influstat.partitioned.block import Block, of_partition
from influstat.partitioned.recipe import Recipe
from influstat.partitioned.runners.base import Summable
from influstat.risks.linear import LinearRisk

AT_ONCE = 10_000  # rows at most that are in float64 together, which losses are asked for: 80 kB a number
ENTRIES = 2**19  # and how many of their entries, 4 MiB: see `Held`
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
class SlopeSums(Summable):
    """Value and gradient of the rows at one theta, in sum scale and without the penalty."""

    value: float
    gradient: FloatArray
    separated: bool  # whether every row's loss falls for ever along the free part of theta
    counted: Counted

    def plus(self, other: Any) -> Any:
        """Return both together."""
        self.value += other.value
        self.gradient += other.gradient
        self.separated = self.separated and other.separated
        self.counted = self.counted.plus(other.counted)
        return self


@dataclass(eq=False)
class NewtonSums(SlopeSums):
    """What a Newton step asks of the rows besides."""

    hessian: FloatArray | None
    diagonal: FloatArray
    convex: bool  # whether no row has negative curvature

    def plus(self, other: Any) -> Any:
        """Return both together."""
        if self.hessian is not None:
            self.hessian += other.hessian
        self.diagonal += other.diagonal
        self.convex = self.convex and other.convex
        return super().plus(other)


@dataclass(eq=False)
class ScaledSums(NewtonSums):
    """And what tells how small the gradient is."""

    scale: FloatArray

    def plus(self, other: Any) -> Any:
        """Return both together."""
        self.scale += other.scale
        return super().plus(other)


@dataclass(frozen=True, eq=False)
class Newton:
    """The sums of a partition at theta (p,)."""

    recipe: Recipe  # in sum scale
    theta: FloatArray
    dense: bool  # whether the Hessian is wanted as a matrix
    free: FloatArray | None = None  # the part of theta that no penalty feels, where it may separate rows
    kind: type[SlopeSums] = ScaledSums  # how much is wanted

    def __call__(self, partition: int, block: Block) -> SlopeSums:
        """Return the sums of one partition's rows."""
        risk, theta = self.recipe.risk(block, look=not self.dense), self.theta
        if not theta.any():  # the first look at these rows
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
        curved, scaled = issubclass(self.kind, NewtonSums), self.kind is ScaledSums
        rest: tuple[Any, ...] = ()
        if self.dense and not risk.design.sparse:
            value, gradient, hessian, convex, scale = swept(risk, theta, self.kind, block.place)
            if not np.isfinite(hessian).all():
                _require_finite(risk.design, block.place)  # where sums of products skip coefficients of 0
                _require_squares(block, risk)
            if curved:
                rest = hessian, hessian.diagonal().copy(), convex
        else:
            value, gradient = risk.value(theta), risk.gradient(theta)
            if curved:
                curvature = risk.curvature(theta)
                matrix = curvature.to_dense() if self.dense else None
                rest = matrix, curvature.diagonal(), curvature.convex
            scale = risk.gradient_scale(theta) if scaled else np.zeros(0)
        separated = self.free is not None and falls_for_ever(risk, self.free)
        return self.kind(value, gradient, separated, counted, *rest, *((scale,) if scaled else ()))


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


def _require_finite(design: Design, place: str) -> None:
    """Raise, naming the row, where an entry of X is nan or inf."""
    try:
        design.require_finite()
    except InvalidArgument as error:
        raise of_partition(error, place) from error


def swept(
    risk: LinearRisk, theta: FloatArray, kind: type[SlopeSums] = ScaledSums, place: str = ""
) -> tuple[float, FloatArray, FloatArray, bool, FloatArray]:
    """Return value, gradient, Hessian, whether no row has negative curvature, and the gradient's scale."""
    # The last three, or the last, are those of no rows where not so much is wanted. What `LinearRisk` says of
    # each in a sweep of its own is summed together, of rows that are dense, in sum scale and without a
    # penalty. `np.dot` lets other threads run, which "@" does not where few columns are left.
    loss, size, p = risk.loss, np.abs(theta), len(theta)
    value, convex = 0.0, True
    gradient, hessian, scale = np.zeros(p), np.zeros((p, p)), np.zeros(p)
    held = Held.of_thread(p)
    for rows, x in held.blocks(risk.design):
        y, weights, offset = risk.y[rows], risk.weights[rows], risk.offset[rows]
        with np.errstate(invalid="ignore"):  # to one number alone np.dot adds no multiple of 0, even of nan
            eta = np.dot(x, theta) if p > 1 else x[:, 0] * theta
        if not np.isfinite(eta).all():  # as it is wherever an entry of the row is not
            _require_finite(risk.design, place)
        eta += offset
        each, first = loss.value(y, eta), loss.first(y, eta)
        counts = weights > 0
        if not (all_count := counts.all()):  # 0 inf is 0
            each, first = np.where(counts, each, 0.0), np.where(counts, first, 0.0)
        with np.errstate(invalid="ignore"):
            value += float(np.sum(weights * each))
            gradient += np.dot(weights * first, x)
        if kind is SlopeSums:
            continue
        second = loss.second(y, eta)
        if not all_count:
            second = np.where(counts | np.isfinite(second), second, 0.0)
        convex = convex and bool((second >= 0).all())
        if kind is ScaledSums:
            size_of_x = np.abs(x, out=held.beside(x))
            with np.errstate(invalid="ignore"):
                spread = size_of_x @ size
            spread += np.abs(offset)
            spread *= np.abs(second)
            spread += np.abs(first)
            scale += np.dot(spread * weights, size_of_x)
        for sign in (1.0,) if convex else (-1.0, 1.0):  # products have square roots
            root = np.sqrt(np.maximum(sign * weights * second, 0.0))
            made = np.multiply(x, root[:, None], out=held.over(x) if sign > 0 else held.beside(x))
            hessian += sign * products(made)
    return value, gradient, hessian, convex, scale


class Held:
    """Memory for rows in float64, and for what is made of them, that a thread asks for once."""

    # Workers of a cluster give each array back to the system, whose fresh pages would take longer than the
    # sums. Threads hand over Python's lock at every call, so that calls have to be long: of rows that a
    # core's own cache holds, two threads take as long as one does.

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
        self.rows = max(p, min(AT_ONCE, ENTRIES // p))
        self._rows, self._made = np.empty((self.rows, p)), np.empty((self.rows, p))

    def blocks(self, design: Design) -> Iterator[tuple[slice, FloatArray]]:
        """Yield which rows, and the rows."""
        return design.passing_blocks(self._rows)

    def beside(self, x: FloatArray) -> FloatArray:
        """Return an array of the shape of a block, for what is made of it."""
        return self._made[: len(x)]

    def over(self, x: FloatArray) -> FloatArray:
        """Return the block itself, which half as much cache holds, unless it is the caller's own."""
        return x if np.may_share_memory(x, self._rows) else self.beside(x)
