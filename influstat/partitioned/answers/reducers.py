"""What an answer is reduced to without being held: rows of largest effect, counts in bins, sums by group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.input.largest import largest_first
from influstat.input.ranking import Ranking
from influstat.input.validation import FloatArray
from influstat.partitioned.answers.part import Ask, Failed, Left, Part
from influstat.partitioned.block import Block
from influstat.partitioned.runners.base import Summable, added

Reducer = Callable[[Part], Any]


@dataclass(eq=False)
class Extremes(Summable):
    """The rows of the k largest absolute values, the largest first, ties in the order of the rows."""

    k: int
    values: FloatArray
    positions: NDArray[np.intp]
    labels: list[Any]

    def plus(self, other: Extremes) -> Extremes:
        """Return those of both."""
        values = np.concatenate([self.values, other.values])
        positions = np.concatenate([self.positions, other.positions])
        labels = self.labels + other.labels
        order = np.lexsort((positions, -np.abs(values)))[: self.k]
        return Extremes(self.k, values[order], positions[order], [labels[i] for i in order])

    @classmethod
    def of(cls, k: int, values: FloatArray, part: Part) -> Extremes:
        """Return those of one part."""
        size = np.abs(values)
        order = largest_first(size, k)
        order = order[size[order] > 0]
        return cls(k, values[order], part.positions[order], [_plain(part.labels[i]) for i in order])

    def ranking(self, title: str) -> Ranking:
        """Return them as a ranking."""
        labels = np.empty(len(self.labels), dtype=object)
        labels[:] = self.labels
        return Ranking(labels, self.positions, self.values, title)


def _plain(label: Any) -> Any:
    """Return a NumPy number or text as the Python object that it stands for."""
    return label.item() if isinstance(label, np.generic) else label


@dataclass(frozen=True)
class Top:
    """The rows whose values of each column are largest, whatever their sign."""

    k: int
    columns: tuple[str, ...]

    def __call__(self, part: Part) -> Columnwise:
        """Return those of one part."""
        return Columnwise({name: Extremes.of(self.k, part.table[name], part) for name in self.columns})


@dataclass(eq=False)
class Columnwise(Summable):
    """One sum for each of several columns, or groups."""

    of: dict[Any, Any]

    def plus(self, other: Columnwise) -> Columnwise:
        """Return the sums of both, name by name."""
        for name, value in other.of.items():
            self.of[name] = added(self.of.get(name), value)
        return self


@dataclass(eq=False)
class Moments(Summable):
    """Count, sum, sum of squares, least and most of finite values, and how many are nan."""

    count: int
    nan: int
    total: float
    squares: float
    least: float
    most: float

    @classmethod
    def of(cls, values: FloatArray) -> Moments:
        """Return those of an array."""
        known = values[~np.isnan(values)]
        least, most = np.min(known, initial=np.inf), np.max(known, initial=-np.inf)
        squares = float(known @ known)
        return cls(
            known.size, values.size - known.size, float(known.sum()), squares, float(least), float(most)
        )

    def plus(self, other: Moments) -> Moments:
        """Return those of both."""
        return Moments(
            self.count + other.count,
            self.nan + other.nan,
            self.total + other.total,
            self.squares + other.squares,
            min(self.least, other.least),
            max(self.most, other.most),
        )


@dataclass(frozen=True)
class Totals:
    """Moments of columns over all rows, or over the rows of each group."""

    columns: tuple[str, ...]
    by: Callable[[NDArray[Any]], Any] | None = None  # from labels to groups

    def __call__(self, part: Part) -> Columnwise:
        """Return those of one part: {(group, column): Moments}."""
        n = len(part.positions)
        keys = np.zeros(n, dtype=np.intp) if self.by is None else np.asarray(self.by(part.labels))
        groups, owners = np.unique(keys, return_inverse=True)
        found = {}
        for j, group in enumerate(groups.tolist()):
            rows = owners == j
            for name in self.columns:
                found[group, name] = Moments.of(part.table[name][rows])
        return Columnwise(found)


@dataclass(eq=False)
class Counts(Summable):
    """How many values lie in each bin."""

    counts: NDArray[np.intp]

    def plus(self, other: Counts) -> Counts:
        """Return the counts of both."""
        return Counts(self.counts + other.counts)


@dataclass(frozen=True, eq=False)
class Histogram:
    """Counts of one column between edges."""

    column: str
    edges: FloatArray

    def __call__(self, part: Part) -> Counts:
        """Return the counts of one part."""
        values = part.table[self.column]
        return Counts(np.histogram(values[~np.isnan(values)], self.edges)[0])


@dataclass(eq=False)
class Held(Summable):
    """Values that are held: those of a column between two limits."""

    values: list[FloatArray]

    def plus(self, other: Held) -> Held:
        """Return the values of both."""
        self.values += other.values
        return self


@dataclass(frozen=True)
class Between:
    """The values of one column in [low, high]."""

    column: str
    low: float
    high: float

    def __call__(self, part: Part) -> Held:
        """Return those of one part."""
        values = part.table[self.column]
        return Held([values[(values >= self.low) & (values <= self.high)]])


@dataclass(eq=False)
class WithLeft(Summable):
    """A reduced answer, and the rows that it lacks."""

    reduced: Any
    left: list[Left] = field(default_factory=list)
    failed: Failed = field(default_factory=Failed)

    def plus(self, other: WithLeft) -> WithLeft:
        """Return both together."""
        failed = self.failed.plus(other.failed)
        return WithLeft(added(self.reduced, other.reduced), self.left + other.left, failed)


@dataclass(frozen=True, eq=False)
class Reduced:
    """A question for one partition, reduced where it is answered."""

    ask: Ask
    reducer: Reducer

    def __call__(self, partition: int, block: Block) -> WithLeft | None:
        """Return the reduced answer."""
        total = None
        for part in self.ask.pieces(partition, block):
            left = [] if part.left is None else [part.left]
            total = added(total, WithLeft(self.reducer(part), left, part.failed))
        return total
