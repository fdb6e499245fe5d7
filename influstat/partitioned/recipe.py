"""`Recipe`: how the rows of a partition become a `LinearRisk`, checked and named on the way."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from influstat.errors import InflustatError
from influstat.input.design import Design
from influstat.input.labels import called
from influstat.input.validation import vector
from influstat.losses.base import Loss
from influstat.partitioned.block import Block, of_partition
from influstat.risks.linear import LinearRisk
from influstat.risks.penalties import L2, Penalty
from influstat.risks.protocol import Protocol
from influstat.risks.rows import Rows, nonnegative_weights, read_targets


@dataclass(frozen=True, eq=False)
class Recipe:
    """What all partitions have in common."""

    loss: Loss  # the pointwise loss
    columns: tuple[str, ...]  # names of the columns of X
    intercept: bool  # whether an unpenalised column of ones is appended
    penalty: Penalty  # the total penalty, placed
    # What leaves with a row, and what the loss of a new row holds.
    protocol: Protocol
    test_protocol: Protocol
    named: bool = False  # whether a table names the columns
    total_weight: float = field(default=1.0)  # W; 1 makes mean scale sum scale

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        return (*self.columns, "intercept") if self.intercept else self.columns

    def of_weight(self, total: float) -> Recipe:
        """Return the same for answers, once W is known."""
        return replace(self, total_weight=total)

    def summed(self) -> Recipe:
        """Return the same for sums over rows alone: no penalty, and sum scale."""
        return replace(self, penalty=L2(), total_weight=1.0)

    def risk(self, block: Block, start: int = 0, *, look: bool = True) -> LinearRisk:
        """Return the risk of the block's rows, at least one, W that of all partitions."""
        # `start` is the position of its first row among all. What cannot be used is refused by partition and
        # row; whether dense X is finite, where `look` says so.
        try:
            block = block.checked(len(self.columns))
            n = len(block)
            design = Design(block.X, intercept=self.intercept, names=self.columns, look=look)
            if self.named:
                design.columns = list(self.columns)
            y = read_targets(self.loss, block.y, n)
            # One number that is seen n times takes no memory.
            weights = (
                np.broadcast_to(1.0, n) if block.weights is None else nonnegative_weights(block.weights, n)
            )
            offset = np.broadcast_to(0.0, n) if block.offset is None else vector("offset", block.offset, n)
        except InflustatError as error:
            raise of_partition(error, block.place) from error
        labels: Any = (
            np.arange(start, start + n) if block.labels is None else called(np.asarray(block.labels))
        )
        rows = Rows(design, y, weights, offset, labels, self.total_weight)
        return LinearRisk.of_parts(self.loss, rows, self.penalty, self.protocol, self.test_protocol)
