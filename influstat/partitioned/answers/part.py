"""`Ask` and `Part`: one question put to the rows of one partition, and its answer there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.input.labels import index_of
from influstat.input.printing import amount
from influstat.input.validation import FloatArray
from influstat.input.warning import doubt
from influstat.partitioned.block import Block
from influstat.partitioned.part import PartMinimum
from influstat.partitioned.plan import Cost
from influstat.partitioned.recipe import Recipe

Indices = NDArray[np.intp]
PIECE = 2**22  # entries of an answer made at once where it is reduced or written: 32 MiB,
FEWEST = 256  # but at least so many rows
Table = dict[str, NDArray[Any]]


class OfMatrix(dict[str, NDArray[Any]]):
    """The columns of a matrix (k, m) by their names; whoever wants the matrix has it without a copy."""

    def __init__(self, names: tuple[str, ...], matrix: FloatArray) -> None:
        super().__init__(zip(names, matrix.T, strict=True))
        self.matrix = matrix

    def __reduce__(self) -> Any:
        return OfMatrix, (tuple(self), self.matrix)


@dataclass(frozen=True, eq=False)
class Left:
    """Rows of one partition that ask for sums over all of them: their data, and where they are."""

    partition: int
    rows: Indices  # within the partition
    positions: Indices  # among all rows
    block: Block


@dataclass(frozen=True, eq=False)
class Part:
    """The answer for some rows of one partition."""

    partition: int  # which
    positions: Indices  # where the rows are among all, shape (k,)
    labels: NDArray[Any]  # what they are called, shape (k,)
    table: Table  # the columns of the answer, shape (k,)
    left: Left | None = None  # rows that it lacks

    def matrix(self, columns: tuple[str, ...]) -> FloatArray:
        """Return some columns, shape (k, m)."""
        if isinstance(self.table, OfMatrix) and tuple(self.table) == columns:
            return self.table.matrix
        return np.stack([self.table[name] for name in columns], axis=1)

    @property
    def entries(self) -> int:
        """How many numbers it holds."""
        return len(self.positions) * len(self.table)

    @property
    def failed(self) -> Failed:
        """How many rows hold a nan, and the first reason."""
        texts = self.table.get("status", np.empty(0, dtype=object))
        bad = np.flatnonzero(texts != "")
        return Failed(len(bad), str(texts[bad[0]]) if bad.size else "")

    def frame(self) -> Any:
        """Return the rows as a DataFrame, labelled, with their positions."""
        import pandas as pd

        return pd.DataFrame({"position": self.positions, **self.table}, index=index_of(self.labels))


@dataclass(frozen=True)
class Failed:
    """How many rows hold a nan, and why the first does."""

    count: int = 0
    reason: str = ""

    def plus(self, other: Failed) -> Failed:
        """Return both together."""
        return Failed(self.count + other.count, self.reason or other.reason)

    def warn(self) -> None:
        """Say so once."""
        if self.count:
            many = amount(self.count, "rows")
            doubt(f"The answer holds a nan for {many} (`status` says why). The first: {self.reason}")


class Question(ABC):
    """What is asked of every row, with all that it needs to know of the others: p-sized, and picklable."""

    columns: tuple[str, ...]  # the columns that can be ranked: effects, or measures
    quantity: str  # what changes
    leaves = False  # whether rows may be left for sums over all partitions

    @abstractmethod
    def table(self, minimum: PartMinimum, positions: Indices) -> tuple[Table, Indices | None]:
        """Return the columns for the rows of a partition, and which are left for sums over all partitions."""

    def cost(self, p: int, rows: int, left: float = 0.0) -> Cost:
        """Return what is known of the cost beforehand: a product with each column."""
        del rows
        return Cost(passes=1, operations=2.0 * p * len(self.columns), result_bytes=0.0)

    def key(self) -> Any:
        """Return what tells this question from others of the same fit."""
        return self

    def heading(self, column: str) -> str:
        """Return what a ranking of the column is called."""
        of = f": {column}" if len(self.columns) > 1 else ""
        return f"Change of {self.quantity} without the row, after minus before{of}"

    def empty(self) -> Table:
        """Return the columns without rows."""
        return {name: np.empty(0) for name in self.columns}


@dataclass(frozen=True, eq=False)
class Ask:
    """A question for one partition."""

    recipe: Recipe  # how its rows become a risk, W known
    theta: FloatArray  # the minimiser, shape (p,)
    hessian: Any  # H(theta) over all rows, mean scale
    # Position of the first row of every partition, and how many it has.
    starts: Indices
    rows: Indices
    question: Question  # what is asked

    def __call__(self, partition: int, block: Block) -> Part:
        """Return the answer for the rows of the partition."""
        return self._answer(partition, block, 0)

    def pieces(self, partition: int, block: Block) -> Iterator[Part]:
        """Yield the answer for a few rows after the others, where it has many columns: tests, say."""
        step = max(FEWEST, PIECE // max(1, len(self.question.columns)))
        for first in range(0, max(1, len(block)), step):
            yield self._answer(partition, block.take(slice(first, first + step)), first)

    def _answer(self, partition: int, block: Block, first: int) -> Part:
        """Return the answer for rows of the partition from the row `first` on."""
        start = int(self.starts[partition]) + first
        if not len(block):
            nothing = np.empty(0, dtype=np.intp)
            return Part(partition, nothing, nothing, self.question.empty())
        risk = self.recipe.risk(block, start)
        positions = np.arange(start, start + len(block))
        minimum = PartMinimum(risk, self.theta, self.hessian, (partition, block, first))
        table, left = self.question.table(minimum, positions)
        if left is None or not left.size:
            return Part(partition, positions, risk.row_labels, table)
        kept = np.ones(len(block), dtype=np.bool_)
        kept[left] = False
        lacking = Left(partition, first + left, positions[left], block.take(left))
        rest = {name: values[kept] for name, values in table.items()}
        return Part(partition, positions[kept], risk.row_labels[kept], rest, lacking)


def joined(parts: Iterable[Part]) -> Part:
    """Return parts of one partition as one, in the order of the rows."""
    known = [part for part in parts if len(part.positions)]
    if len(known) == 1:
        return known[0]
    positions = np.concatenate([part.positions for part in known])
    order = np.argsort(positions)
    labels = np.concatenate([part.labels for part in known])[order]
    table = {name: np.concatenate([part.table[name] for part in known])[order] for name in known[0].table}
    return Part(known[0].partition, positions[order], labels, table)
