"""`Runner`: carries out one function on every partition, results in the order of the partitions.

Sums are taken span by span: a span is a run of consecutive partitions that one task folds in their order. A
few spans are folded in theirs, by that task or by whoever asks, and then the sums of these. Where spans begin
depends on the number of partitions alone, so that a sum is the same to the last bit whoever computes it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from itertools import chain, islice, repeat, starmap, tee
from os import cpu_count
from typing import Any

from influstat.partitioned.block import Block
from influstat.partitioned.sources.base import Source

SPANS = 64  # into which partitions are gathered for a sum: enough for many workers, few results to send
TOGETHER = 3  # spans that are folded before they are added to others: short ones may be one task

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


def folded(parts: Iterable[Any], together: int) -> Any:
    """Return the sum of results: so many at a time are added up, and then to the sum of those before."""
    total = few = None
    for count, part in enumerate(parts, start=1):
        few = added(few, part)
        if count % together == 0:
            total, few = added(total, few), None
    return added(total, few)


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
    length: int  # of the spans, of which it may be asked for a few at once

    def __call__(self, partitions: range, then: int | None = None) -> Any:
        """Return the sum; `then` is a partition of another span that is asked for afterwards."""
        return folded(self._results(partitions, then), self.length)

    def _results(self, partitions: range, then: int | None) -> Iterator[Any]:
        for k in partitions:
            block = self.source.block(k)
            following = k + 1 if k + 1 in partitions else then
            if following is not None:
                self.source.expect(following)
            found = self.work(k, block)
            del block  # so that its memory is free for what is read next
            yield found


@dataclass(frozen=True, eq=False)
class Single:
    """Work on one partition."""

    source: Source
    work: Work

    def __call__(self, partition: int, then: int | None = None) -> Any:
        """Return its result; `then` is asked for afterwards."""
        block = self.source.block(partition)
        if then is not None:
            self.source.expect(then)
        return self.work(partition, block)


def spans(count: int, together: int = 1) -> list[range]:
    """Return the spans of so many partitions, or so many of them at a time."""
    step = together * max(1, -(-count // SPANS))
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
    def run(self, function: Callable[..., Any], items: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        """Yield function(*item) for every item, in order, only a few ahead of what is asked for."""

    def map(self, source: Source, work: Work, partitions: Iterable[int]) -> Iterator[Any]:
        """Yield work(k, block k) for every partition k, in order."""
        source.begin()
        chosen, later = tee(partitions)
        try:
            yield from self.run(Single(source, work), zip(chosen, self._later(later), strict=False))
        finally:
            source.rest()

    def reduce(self, source: Source, work: Work) -> Any:
        """Return the sum of work(k, block k) over all partitions that have rows."""
        source.begin()
        each = spans(source.partitions())
        firsts = self._later(span[0] for span in each)
        task = Span(source, OfRows(work), len(each[0]) if each else 1)
        try:
            return folded(self.run(task, zip(each, firsts, strict=False)), TOGETHER)
        finally:
            source.rest()

    def _later(self, partitions: Iterable[int]) -> Iterator[int | None]:
        """Yield for each what the worker who has it will find next, if all take as long; None at the end."""
        return chain(islice(partitions, self.workers, None), repeat(None))


class Serial(Here):
    """One partition after the other, in this thread."""

    def run(self, function: Callable[..., Any], items: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        """Yield the results one after the other."""
        return starmap(function, items)


class Threads(Here):
    """Several threads of this process: NumPy lets them run side by side."""

    # As many as there are processors where `workers` is None.

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or cpu_count() or 1

    def run(self, function: Callable[..., Any], items: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        """Yield the results, at most twice as many begun as there are threads."""
        ahead: deque[Future[Any]] = deque()
        with ThreadPoolExecutor(self.workers) as pool:
            try:
                for item in items:
                    begun = pool.submit(copy_context().run, function, *item)  # what is left unsaid stays so
                    ahead.append(begun)
                    if len(ahead) >= 2 * self.workers:
                        yield ahead.popleft().result()
                while ahead:
                    yield ahead.popleft().result()
            finally:
                for future in ahead:
                    future.cancel()
