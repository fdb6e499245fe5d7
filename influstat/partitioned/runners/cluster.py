"""The workers of a Dask client: Dask runs a lost worker's partitions again, and no answer changes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from typing import Any

from influstat.errors import InflustatError, InvalidArgument, PartitionError
from influstat.partitioned.block import Block, of_partition
from influstat.partitioned.runners.base import (
    TOGETHER,
    OfRows,
    Runner,
    Single,
    Span,
    Threads,
    Work,
    added,
    folded,
    spans,
)
from influstat.partitioned.sources.base import Source, unread

ATTEMPTS = 3  # at one partition, where what it needs was lost with a worker
AHEAD = 4  # tasks handed over for each thread of the workers
# A task takes the scheduler a few milliseconds, and a worker some twenty a partition: spans of fewer than so
# many partitions are handed over several at a time, if every thread of the workers then has two tasks to do.
SHORT, SHARES = 8, 2
RUNNING = "running"


def is_client(value: Any) -> bool:
    """Tell whether `value` is a client of dask.distributed, without an import."""
    return type(value).__module__.partition(".")[0] == "distributed" and hasattr(value, "submit")


class Cluster(Runner):
    """The workers of a client."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._threads = 1
        self._require_running()

    @property
    def workers(self) -> int:  # type: ignore[override]  # they come and go
        """How many threads the workers have; of a client that has gone, had when they were last asked."""
        if self._client.status == RUNNING:
            self._threads = max(1, sum(int(one) for one in self._client.nthreads().values()))
        return self._threads

    def __reduce__(self) -> tuple[type[Threads], tuple[()]]:
        """Leave the client behind, which lives in this process alone: elsewhere threads do the work."""
        return Threads, ()

    def _require_running(self) -> None:
        if self._client.status != RUNNING:
            raise InvalidArgument(
                "runner", "be a client that is connected", f"is {self._client.status}", "Connect it anew."
            )

    def map(self, source: Source, work: Work, partitions: Iterable[int]) -> Iterator[Any]:
        """Yield work(k, block k) for every partition k, in order."""
        source.begin()
        return self._results(source, Single(source, work), partitions)

    def reduce(self, source: Source, work: Work) -> Any:
        """Return the sum over all partitions that have rows, folded in spans as everywhere."""
        source.begin()
        each = spans(source.partitions())
        task = Span(source, OfRows(work), len(each[0]) if each else 1)
        few = spans(source.partitions(), TOGETHER)
        if task.length < SHORT and len(few) >= SHARES * self.workers and _read_there(source):
            return folded(self._results(source, task, few), 1)
        return folded(self._results(source, task, each), TOGETHER)

    def _one(self, source: Source, shared: Any, partition: int) -> Any:
        """Return the future of one partition of rows that a graph makes, or that this process sends."""
        lazy = source.lazy(partition)
        if lazy is None:
            block = self._client.scatter(source.block(partition), hash=False)
        else:
            block = self._client.compute(lazy)
        return self._client.submit(_apply, shared, partition, block, source.place(partition), pure=False)

    def _chain(self, parts: list[Any]) -> Any:
        total = parts[0]
        for part in parts[1:]:
            total = self._client.submit(_sum, total, part, pure=False)
        return total

    def _results(self, source: Source, task: Single | Span, items: Iterable[Any]) -> Iterator[Any]:
        """Yield the task of each item in order, a few ahead of what is asked for."""
        self._require_running()
        begin = self._begin(source, task)
        ahead: deque[tuple[Any, Any]] = deque()
        most = AHEAD * self.workers  # asked once: the scheduler answers
        for item in items:
            ahead.append((item, begin(item)))
            if len(ahead) >= most:
                yield self._result(source, task, *ahead.popleft())
        while ahead:
            yield self._result(source, task, *ahead.popleft())

    def _begin(self, source: Source, task: Single | Span) -> Callable[[Any], Any]:
        """Send every worker once what all items have in common; return what begins one of them."""
        # A source that workers read themselves keeps its memory there from one task to the next.
        read = _read_there(source)
        shared = self._client.scatter(task if read else task.work, broadcast=True, hash=False)

        def begin(item: Any) -> Any:
            if read:
                return self._client.submit(_call, shared, item, pure=False)
            several = item if isinstance(item, range) else [item]
            return self._chain([self._one(source, shared, k) for k in several])

        return begin

    def _result(self, source: Source, task: Single | Span, item: Any, future: Any) -> Any:
        """Return the result of a future; begin anew where what it needs was lost."""
        from asyncio import CancelledError as Cancelled
        from concurrent.futures import CancelledError

        for attempt in range(ATTEMPTS):
            try:
                return future.result()
            except InflustatError:
                raise
            except (CancelledError, Cancelled, OSError, RuntimeError, TimeoutError) as error:
                if self._client.status != RUNNING or attempt + 1 == ATTEMPTS:
                    raise PartitionError(
                        f"The dask client or its workers have gone, or cannot make {_called(item)} "
                        f"({type(error).__name__}: {error}). Look at that, or connect anew, and ask again: "
                        "partitions that are written are kept."
                    ) from error
                future = self._begin(source, task)(item)
            except Exception as error:  # a graph may call anything
                raise _unmade(source, item, error) from error
        raise AssertionError("not reached")  # pragma: no cover


def _read_there(source: Source) -> bool:
    """Tell whether workers read the partitions themselves."""
    return source.everywhere and (not source.partitions() or source.lazy(0) is None)


def _unmade(source: Source, item: Any, error: Exception) -> InflustatError:
    """Return the error for a partition, or one of a span, whose graph raises."""
    for k in item if isinstance(item, range) else [item]:
        if known := source.lacking(k, error):
            return of_partition(known, source.place(k))
    return unread(f"What makes {_called(item)}", error)


def _called(item: Any) -> str:
    """Return what a partition, or a span of them, is called."""
    if not isinstance(item, range):
        return f"partition {item}"
    return f"partition {item[0]}" if len(item) == 1 else f"one of partitions {item[0]} to {item[-1]}"


def _apply(work: Work, partition: int, block: Block, place: str) -> Any:
    return work(partition, block.placed(place))


def _call(task: Single | Span, item: Any) -> Any:
    return task(item)


def _sum(total: Any, part: Any) -> Any:
    """Return the sum; a result that Dask may hand out again is not written to."""
    return added(deepcopy(total), part)
