"""Where a fit of many partitions begins: at the minimum over a few of them.

Newton's method then needs about half as many passes over all: near the minimum each squares the distance.
And a pass without a Hessian takes a third as long as one with it, where that of the few is close enough.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from influstat.algebra.cholesky import CholeskyInverse
from influstat.errors import IndefiniteHessian, InflustatError, NotConverged, SingularHessian
from influstat.input.validation import FloatArray
from influstat.minimise.newton import minimise
from influstat.partitioned.block import Block
from influstat.partitioned.data import Partitions
from influstat.partitioned.sources.base import Within

EVERY = 32  # of so many partitions one is taken: eight passes over these cost a quarter of one over all
FEWEST = 2 * EVERY  # partitions from which that pays


@dataclass(frozen=True, eq=False)
class EverySo(Within):
    """One of so many partitions, evenly spread: rows are often in an order."""

    def partitions(self) -> int:
        """Return how many are taken."""
        return -(-self.inner.partitions() // EVERY)

    def place(self, partition: int) -> str:
        """Return what it is called among all."""
        return self.inner.place(EVERY * partition)

    def read(self, partition: int) -> Block:
        """Return the rows of one."""
        return self.inner.read(EVERY * partition)

    def expect(self, partition: int) -> None:
        """Begin to read one."""
        self.inner.expect(EVERY * partition)

    def lazy(self, partition: int) -> Any:
        """Return the Delayed of one."""
        return self.inner.lazy(EVERY * partition)

    def identity(self) -> tuple[Any, ...]:
        """Return that of all, of which these are a part."""
        return (EVERY, *self.inner.identity())


def sampled(risk: Any) -> bool:
    """Tell whether a fit begins at the minimum over a few partitions: squared error needs one step anyway."""
    # Only where there is one minimum, which a start can then not choose, and not where partitions come one
    # after the other, so that to read a few is to read all.
    source = risk.data.source
    alone = not risk.quadratic and risk.loss.self_concordance < np.inf
    return bool(alone and not source.in_order and source.partitions() >= FEWEST)


def few_of(risk: Any) -> Any:
    """Return the risk of the rows of a few partitions, with their share of the penalty."""
    few = EverySo(risk.data.source)
    share = few.partitions() / few.inner.partitions()
    recipe = replace(risk.recipe, penalty=risk.penalty.scaled(share))
    return risk.of_rows(Partitions(few, risk.data.runner), recipe)


def sampled_start(risk: Any) -> FloatArray | None:
    """Return the minimiser over a few partitions, shape (p,), or None where that is no place to begin."""
    # They may have no minimum, or one that is far out, because they lack a category or can be separated: over
    # all partitions, in the first pass, its value is then above that of zeros.
    if not sampled(risk):
        return None
    few = few_of(risk)
    try:
        bound = few.value(np.zeros(len(risk.names)))
        near = minimise(few).theta
    except InflustatError:  # what is wrong with their rows the passes over all will tell
        return None
    return near if risk.slope(near)[0] <= bound else None


def nearer(risk: Any, theta: FloatArray) -> FloatArray:
    """Return where three Newton steps from near the minimum lead, or less where the risk does not fall."""
    # Only the second sums the Hessian of all rows. At the first that of the few is as far off as theta is;
    # at the third the few tell how it has changed since, which leaves the product of two small errors.
    if risk.by_products:
        return theta
    few = few_of(risk)

    def step(at: FloatArray, matrix: FloatArray, gradient: FloatArray) -> FloatArray:
        return at - CholeskyInverse(np.array(matrix, order="F"), risk.names).solve(gradient)

    try:
        value, gradient = risk.slope(theta)
        first = step(theta, few.curvature(theta).to_dense(), gradient)
        hessian = risk.curvature(first).to_dense()
        lower, gradient = risk.slope(first)  # known of the same pass
        if not lower < value:
            return theta
        second = step(first, hessian, gradient)
        value, gradient = risk.slope(second)
        if not value < lower:
            return first
        hessian += few.curvature(second).to_dense() - few.curvature(first).to_dense()
        return step(second, hessian, gradient)
    except (SingularHessian, IndefiniteHessian):  # of rows that are not like all
        return theta


def minimised(risk: Any, start: FloatArray | None, max_iterations: int) -> FloatArray:
    """Return the minimiser over all partitions, or raise; from zeros where that over a few is no start."""
    near = sampled_start(risk) if start is None else None
    if near is not None:
        with suppress(NotConverged, SingularHessian, IndefiniteHessian):
            return minimise(risk, start=nearer(risk, near), max_iterations=max_iterations).theta
    return minimise(risk, start=start, max_iterations=max_iterations).theta
