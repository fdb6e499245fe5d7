"""`Runner`: carries out one function on every partition, results in the order of the partitions.

Sums are taken span by span: a span is a run of consecutive partitions that one task folds in their order, and
the spans are folded in theirs. Where spans begin depends on the number of partitions alone, so that a sum is
the same to the last bit whoever computes it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from os import cpu_count
from typing import Any

from influstat.partitioned.block import Block
from influstat.partitioned.sources.base import Source

SPANS = 64  # into which partitions are gathered for a sum: enough for many workers, few results to send

Work = Callable[[int, Block], Any]


class Summable:
    """What partitions add up to; `None` is the sum of no rows."""

    def plus(self, other: Any) -> Any:
        """Return the sum; `self` may be written to."""
        raise NotImplementedError  # pragma: no cover - each has its own


def added(total: Any, part: Any) -> Any:
    """Return the sum of two results, either of which may be None."""
    if total is None or part is None:
        return part if total is None else total
    return total.plus(part)


@dataclass(frozen=True, eq=False)
class OfRows:
    """Work that is asked for partitions with rows alone: the sum of none is None."""

    work: Work

    def __call__(self, partition: int, block: Block) -> Any:
        """Return the result."""
        return self.work(partition, block) if len(block) else None


@dataclass(frozen=True, eq=False)
class Span:
    """Work on consecutive partitions, folded in their order."""

    source: Source
    work: Work

    def __call__(self, partitions: range) -> Any:
        """Return the sum."""
        total = None
        for k in partitions:
            total = added(total, self.work(k, self.source.block(k)))
        return total


@dataclass(frozen=True, eq=False)
class Single:
    """Work on one partition."""

    source: Source
    work: Work

    def __call__(self, partition: int) -> Any:
        """Return its result."""
        return self.work(partition, self.source.block(partition))


def spans(count: int) -> list[range]:
    """Return the spans of so many partitions."""
    step = max(1, -(-count // SPANS))
    return [range(start, min(start + step, count)) for start in range(0, count, step)]


class Runner(ABC):
    """Who carries out the work."""

    workers = 1

    @abstractmethod
    def map(self, source: Source, work: Work, partitions: Iterable[int]) -> Iterator[Any]:
        """Yield work(k, block k) for every partition k, in order, only a few ahead of what is asked for."""

    @abstractmethod
    def reduce(self, source: Source, work: Work) -> Any:
        """Return the sum of work(k, block k) over all partitions that have rows; None where none has."""


class Here(Runner):
    """Work that is done in this process."""

    @abstractmethod
    def run(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """Yield function(item) for every item, in order, only a few ahead of what is asked for."""

    def map(self, source: Source, work: Work, partitions: Iterable[int]) -> Iterator[Any]:
        """Yield work(k, block k) for every partition k, in order."""
        return self.run(Single(source, work), partitions)

    def reduce(self, source: Source, work: Work) -> Any:
        """Return the sum of work(k, block k) over all partitions that have rows."""
        total = None
        for part in self.run(Span(source, OfRows(work)), spans(source.partitions())):
            total = added(total, part)
        return total


class Serial(Here):
    """One partition after the other, in this thread."""

    def run(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """Yield the results one after the other."""
        return map(function, items)


class Threads(Here):
    """Several threads of this process: NumPy lets them run side by side."""

    # As many as there are processors where `workers` is None.

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or cpu_count() or 1

    def run(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """Yield the results, at most twice as many begun as there are threads."""
        ahead: deque[Future[Any]] = deque()
        with ThreadPoolExecutor(self.workers) as pool:
            try:
                for item in items:
                    ahead.append(
                        pool.submit(copy_context().run, function, item)
                    )  # what is left unsaid stays so
                    if len(ahead) >= 2 * self.workers:
                        yield ahead.popleft().result()
                while ahead:
                    yield ahead.popleft().result()
            finally:
                for future in ahead:
                    future.cancel()
