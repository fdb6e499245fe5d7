"""`PartitionedRisk`: the risk of `LinearRisk` for rows that are read a partition at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from influstat.algebra.symmetric import Symmetric
from influstat.curvature.base import Hessian
from influstat.curvature.dense import DenseCurvature
from influstat.errors import InvalidArgument, InvalidType, Unsupported
from influstat.input.printing import short
from influstat.input.settings import require_parts
from influstat.input.validation import FloatArray, choice, whole_number
from influstat.losses.base import Loss, constant_second
from influstat.minimise.descent import LARGEST_FACTORED
from influstat.partitioned.block import Block
from influstat.partitioned.data import Partitions
from influstat.partitioned.hessian import SummedHessian
from influstat.partitioned.plan import Cost, PartitionPlan, measured_plan, together
from influstat.partitioned.recipe import Recipe
from influstat.partitioned.sources.base import Within
from influstat.partitioned.start import EVERY, sampled
from influstat.partitioned.sums import Counted, Newton, NewtonSums, ScaledSums, SlopeSums
from influstat.risks.penalties import Penalty
from influstat.risks.penalties.l2 import read_penalty
from influstat.risks.protocol import Protocol

HELD_BY_PENALTY = 0.9  # of many coefficients, the share that needs a penalty, as in memory
NEWTON_PASSES = 8  # of a fit of a logistic model, the last few to check and polish
# Of one that begins near the minimum, by what they sum: passes over all rows, and over the few partitions.
SAMPLED_PASSES = {ScaledSums: (2, 7), NewtonSums: (1, 3), SlopeSums: (2, 0)}
ENOUGH = (
    10**6
)  # rows in these from which the first is one less: what three steps leave falls with their square
PRODUCTS = {ScaledSums: 12.0, NewtonSums: 7.0, SlopeSums: 4.0}  # operations with each entry of X
MOST_NAMED = 5  # coefficients in a message
Leaving = Callable[[int, Block], Any]  # from partition and block to a mask of the rows that leave
Kind = TypeVar("Kind", bound=SlopeSums)
REMEMBERED = 3  # theta whose sums are kept: Newton's method goes back by one step at most


class PartitionedRisk:
    """R(theta) = (1/W) [sum_i w_i l(y_i, x_i'theta + o_i) + P(theta)] of rows in partitions, mean scale.

    Each theta costs one pass over the data, which brings value, gradient and Hessian together.

    Parameters
    ----------
    loss : Loss
        The pointwise loss.
    data : Partitions
        The rows, from `influstat.partitions`.
    penalty : Penalty, optional
        The total penalty P; none when left out.
    intercept : bool
        Append an unpenalised column of ones, last in theta.
    protocol, test_protocol : {"fixed", "folded"}
        As for `LinearRisk`.

    Raises
    ------
    InvalidArgument, InvalidType
        A part is not usable; of rows, the message names partition and row.

    Examples
    --------
    >>> import influstat as ist
    >>> data = ist.partitions(np.array([[1.0], [1.0]]), np.array([1.0, 3.0]), rows=1)
    >>> risk = ist.PartitionedRisk(ist.SquaredError(), data, penalty=ist.L2(2.0))
    >>> risk.value(np.array([1.0]))         # ((1-1)^2 + (3-1)^2 + 1^2) / 2
    2.5
    """

    def __init__(
        self,
        loss: Loss,
        data: Partitions,
        *,
        penalty: Penalty | None = None,
        intercept: bool = False,
        protocol: str = "fixed",
        test_protocol: str | None = None,
    ) -> None:
        require_parts("loss", loss, Loss, need="be a pointwise loss", example="ist.LogisticLoss()")
        if not isinstance(data, Partitions):
            raise InvalidType("data", "be partitions", f"is {short(data)}", "Make them: ist.partitions(...).")
        total = read_penalty(penalty)
        read, of_tests = Protocol.read_both(protocol, test_protocol)
        constant = choice("intercept", intercept, (True, False))
        recipe = Recipe(loss, data.names, constant, total, read, of_tests, named=data.source.named)
        placed = total.placed(recipe.names, intercept=recipe.intercept)
        self._set(data, replace(recipe, penalty=placed))

    def _set(self, data: Partitions, recipe: Recipe) -> None:
        self.data, self.recipe = data, recipe
        self.loss, self.penalty, self.protocol = recipe.loss, recipe.penalty, recipe.protocol
        self.names = recipe.names
        p = len(self.names)
        self.by_products = p > LARGEST_FACTORED and bool(np.mean(self.penalty.axes(p)) > HELD_BY_PENALTY)
        if p > LARGEST_FACTORED and not self.by_products:
            raise Unsupported(
                "penalty",
                f"hold almost all of more than {LARGEST_FACTORED} coefficients: nothing is factored then",
                f"holds {np.sum(self.penalty.axes(p))} of {p}",
                "Penalise them, e.g. penalty=ist.L2(1.0).",
            )
        self.quadratic = constant_second(self.loss) is not None and self.penalty.constant_hessian
        self._last: list[tuple[FloatArray, SlopeSums]] = []  # at the last few theta: steps may be taken back
        self.passes = 0  # over the data

    def of_rows(self, data: Partitions, recipe: Recipe) -> PartitionedRisk:
        """Return the risk of other rows by a placed recipe."""
        other = object.__new__(PartitionedRisk)
        other._set(data, recipe)
        return other

    def _with(self, data: Partitions, recipe: Recipe, counted: Counted) -> PartitionedRisk:
        other = self.of_rows(data, recipe)
        other.__dict__["counted"] = counted
        return other

    def with_loss(self, loss: Loss) -> PartitionedRisk:
        """Return the risk of the same rows with another loss for the same targets."""
        return self._with(self.data, replace(self.recipe, loss=loss), self.counted)

    def without(self, partition: int, row: int, weight: float) -> PartitionedRisk:
        """Return the risk without one row (by its place in its partition), its penalty as protocols say."""
        return self.without_rows(_One(partition, row), weight)

    def without_rows(self, leaving: Leaving, weight: float) -> PartitionedRisk:
        """Return the risk without the rows that `leaving` marks in each block, which weigh so much."""
        counted, total = self.counted, self.counted.weight
        factor = self.protocol.after(total, total - weight)
        penalty = self.penalty if factor == 1.0 else self.penalty.scaled(factor)
        data = Partitions(_Without(self.data.source, leaving), self.data.runner)
        left = replace(counted, weight=total - weight)
        return self._with(data, replace(self.recipe, penalty=penalty), left)

    # -- passes over the data ------------------------------------------------------------------------

    def sums(self, theta: FloatArray) -> NewtonSums:
        """Return value, gradient and Hessian at theta, sum scale, without the penalty: one pass."""
        return self._summed(theta, NewtonSums)

    def slope(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """Return R(theta) and grad R(theta): a pass without a Hessian, a third as long where it computes."""
        sums, total = self._summed(theta, SlopeSums), self.total_weight
        value = float((sums.value + self.penalty.value(theta)) / total)
        return value, (sums.gradient + self.penalty.gradient(theta)) / total

    def _summed(self, theta: FloatArray, kind: type[Kind]) -> Kind:
        for at, known in self._last:
            if isinstance(known, kind) and np.array_equal(at, theta):
                return known
        work = Newton(self.recipe.summed(), theta.copy(), not self.by_products, self._free(theta), kind)
        found: Kind | None = self.data.runner.reduce(self.data.source, work)
        if found is None:
            raise _too_few(0)
        self.passes += 1
        if "counted" not in self.__dict__:
            self.__dict__["counted"] = found.counted.spread(self.data.source.partitions())
        self._last = [*self._last[1 - REMEMBERED :], (theta.copy(), found)]
        return found

    def plan(self, *, passes: int | None = None) -> PartitionPlan:
        """Return what a fit costs, before it starts: one partition is read and summed for it now.

        Parameters
        ----------
        passes : int, optional
            Over the data, one for each theta that Newton's method looks at: as a rule 8, or 5 where it begins
            at the minimum over a few of many partitions, two of which sum no Hessian; of 32 million rows 4.

        Returns
        -------
        PartitionPlan
        """
        p, source = len(self.names), self.data.source
        known = self.__dict__.get("counted")  # by a pass; before one, the first partition with rows is as all
        if known is None:
            rows, first = source.rows(), (k for k in range(source.partitions()) if len(source.block(k)))
            partition = next(first, 0)
        else:
            rows, partition = int(known.rows.sum()), int(np.argmax(known.rows))
        square = 0.0 if self.by_products else float(p**2)
        if sampled(self) and passes is None:
            kinds = {kind: (whole, few / EVERY) for kind, (whole, few) in SAMPLED_PASSES.items()}
            kinds[ScaledSums] = kinds[ScaledSums][0] - ((rows or 0) >= ENOUGH * EVERY), kinds[ScaledSums][1]
        else:
            count = NEWTON_PASSES if passes is None else passes
            kinds = {ScaledSums: (whole_number("passes", count, at_least=1, at_most=10**6), 0.0)}

        def planned(kind: type[SlopeSums], times: float) -> PartitionPlan:
            work = Newton(self.recipe.summed(), np.zeros(p), not self.by_products, kind=kind)
            operations = PRODUCTS[kind] * p + square * issubclass(kind, NewtonSums)
            cost = Cost(times, times * operations, 8.0 * max(square, p))
            return measured_plan(source, work, partition, lambda _: cost, rows, self.data.runner.workers)

        plans = [planned(kind, sum(times)) for kind, times in kinds.items()]
        return together(plans, sum(whole for whole, _ in kinds.values()))

    def _free(self, theta: FloatArray) -> FloatArray | None:
        """Return the part of theta that no penalty feels; None where rows cannot be separated along it."""
        if self.by_products or not getattr(self.loss, "convex", True):
            return None
        flat = self.penalty.flat(len(theta))
        direction: FloatArray = flat @ (flat.T @ theta)
        return direction if direction.any() else None

    def separated(self, theta: FloatArray) -> list[str]:
        """Return the names of columns along which the risk falls for ever, as theta shows; [] otherwise."""
        direction = self._free(theta)
        if direction is None or not self.sums(theta).separated:
            return []
        moved = np.abs(direction) * np.sqrt(np.abs(self.sums(np.zeros(len(theta))).diagonal))
        return [self.names[j] for j in np.argsort(-moved, kind="stable")[:MOST_NAMED] if moved[j] > 0]

    @cached_property
    def counted(self) -> Counted:
        """How many rows each partition has, and their weight: read in the first pass."""
        self._summed(np.zeros(len(self.names)), ScaledSums)
        found: Counted = self.__dict__["counted"]
        return found

    @property
    def shape(self) -> tuple[int, int]:
        """(n, p): rows and coefficients."""
        return int(self.counted.rows.sum()), len(self.names)

    @property
    def total_weight(self) -> float:
        """W, the sum of the weights."""
        return self._checked_weight(self.counted)

    def _checked_weight(self, counted: Counted) -> float:
        if not counted.rows.sum() >= 2:
            raise _too_few(int(counted.rows.sum()))
        if not 0.0 < counted.weight < np.inf:
            raise InvalidArgument(
                "weights",
                "have a positive, finite sum",
                f"sums to {counted.weight:g}",
                "Weigh some row above 0.",
            )
        return counted.weight

    # -- the risk, in mean scale ---------------------------------------------------------------------

    def value(self, theta: FloatArray) -> float:
        """Return R(theta)."""
        self._summed(theta, ScaledSums)  # Newton's method asks for the rest, too
        return self.slope(theta)[0]

    def gradient(self, theta: FloatArray) -> FloatArray:
        """Return grad R(theta), shape (p,)."""
        self._summed(theta, ScaledSums)
        return self.slope(theta)[1]

    def gradient_scale(self, theta: FloatArray) -> FloatArray:
        """Return the size that each entry of the gradient would have without cancellation, shape (p,)."""
        scale = self._summed(theta, ScaledSums).scale
        return (scale + self.penalty.gradient_scale(theta)) / self.total_weight

    def curvature(self, theta: FloatArray) -> Hessian:
        """Return the Hessian H(theta), p x p: a matrix, or beyond 4,000 coefficients its products."""
        penalty: Symmetric = self.penalty.hessian(theta)
        sums, total = self.sums(theta), self.total_weight
        if self.by_products:
            return SummedHessian(self.data, self.recipe.summed(), theta.copy(), sums, penalty, total)
        matrix = np.array(sums.hessian, order="F")
        penalty.add_to(matrix)
        matrix /= total
        return DenseCurvature(matrix, self.names)


def _too_few(rows: int) -> InvalidArgument:
    return InvalidArgument("data", "have at least 2 rows", f"has {rows}", "Influence compares rows.")


@dataclass(frozen=True)
class _One:
    """Marks one row, by its place in its partition."""

    partition: int
    row: int

    def __call__(self, partition: int, block: Block) -> Any:
        return (np.arange(len(block)) == self.row) & (partition == self.partition)


@dataclass(frozen=True, eq=False)
class _Without(Within):
    """A source in which some rows have no weight."""

    leaving: Leaving

    def read(self, partition: int) -> Block:
        block = self.inner.read(partition)
        gone = self.leaving(partition, block)
        if not gone.any():
            return block
        weights = np.ones(len(block)) if block.weights is None else np.array(block.weights, dtype=np.float64)
        weights[gone] = 0.0
        return replace(block, weights=weights)

    def identity(self) -> tuple[Any, ...]:
        return (*self.inner.identity(), self.leaving)


def require_partitioned_fit(fit: Any) -> None:
    """Raise unless `fit` is a fit of partitions."""
    if not isinstance(getattr(fit, "risk", None), PartitionedRisk):
        remedy = "Fit one, e.g. ist.Ridge(lam=1.0).fit(ist.partitions(X, y))."
        raise InvalidType("fit", "be a PartitionedFit", f"is {short(fit)}", remedy)
