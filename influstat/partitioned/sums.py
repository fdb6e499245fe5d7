"""Sums over partitions: each is what the library's own `LinearRisk` of its rows says, added up."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InflustatError, InvalidArgument
from influstat.input.products import products
from influstat.input.validation import FloatArray
from influstat.losses.alone import require_own_rows
from influstat.minimise.existence import falls_for_ever
from influstat.partitioned.block import Block, of_partition
from influstat.partitioned.recipe import Recipe
from influstat.partitioned.runners.base import Summable
from influstat.risks.linear import LinearRisk

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
    # As `NewtonSums` begins. What `LinearRisk` says of each in a sweep of its own is summed in one: rows
    # (dense, in sum scale, without a penalty) are brought to float64 once, a few at a time, and all that is
    # made of them stays in cache, in memory that is asked for once: workers of a cluster give each array back
    # to the system, whose fresh pages would take longer than the sums.
    loss, p, size = risk.loss, len(theta), np.abs(theta)
    value, convex = 0.0, True
    gradient, scale = np.zeros(p), np.zeros(p)
    hessian = np.zeros((p, p))
    held: FloatArray | None = None
    for rows, x in risk.design.passing_blocks(least=p):
        held = np.empty_like(x) if held is None else held
        made = held[: len(x)]
        y, weights, offset = risk.y[rows], risk.weights[rows], risk.offset[rows]
        counts = weights > 0
        eta = x @ theta
        eta += offset
        first, second = loss.first(y, eta), loss.second(y, eta)
        second = np.where(counts | np.isfinite(second), second, 0.0)  # 0 inf is 0
        convex = convex and bool((second >= 0).all())
        with np.errstate(invalid="ignore"):
            value += float(np.sum(np.where(counts, weights * loss.value(y, eta), 0.0)))
            gradient += np.where(counts, weights * first, 0.0) @ x
            np.abs(x, out=made)
            spread = made @ size
            spread += np.abs(offset)
            spread *= np.abs(second)
            spread += np.abs(first)
            scale += np.where(counts, weights * spread, 0.0) @ made
        second *= weights
        for sign in (1.0,) if convex else (1.0, -1.0):  # products have square roots
            root = np.sqrt(np.maximum(sign * second, 0.0))
            np.multiply(x, root[:, None], out=made)
            hessian += sign * products(made)
    return value, gradient, scale, hessian, hessian.diagonal().copy(), convex
