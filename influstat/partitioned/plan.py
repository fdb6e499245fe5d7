"""`PartitionPlan`: what a question of partitioned rows will cost, from one partition that is timed now."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from time import perf_counter
from typing import Any

from influstat.input.validation import real_number, whole_number
from influstat.partitioned.runners.base import SPANS, Work
from influstat.partitioned.sources.base import Source
from influstat.removal.engine.plan import seconds_of

TIMED = 3  # times


@dataclass(frozen=True)
class PartitionPlan:
    """Passes, bytes, operations, memory and time of a question or a fit.

    Attributes
    ----------
    rows : float
        How many rows there are; estimated where the source does not know.
    passes : float
        Over all of them.
    bytes_moved : float
        Read in all, as the rows are kept (float32 is 4 bytes).
    operations : float
        Floating-point operations in products of matrices, in all.
    memory : float
        Bytes that one worker holds at once, at most, measured on a partition.
    read_seconds, work_seconds : float
        Of one worker for all rows and passes, scaled up from a partition that was timed.
    result_bytes : float
        What a worker sends for each of at most 64 spans of a sum.
    workers : int
        Among whom the seconds are shared.

    Examples
    --------
    >>> import numpy as np, influstat as ist
    >>> fit = ist.Ridge(lam=1.0).fit(ist.partitions(np.ones((100, 1)), np.arange(100.0), rows=10))
    >>> plan = fit.influence().on_theta().plan()
    >>> plan.passes, plan.rows, plan.bytes_moved                    # 8 bytes of X and 8 of y a row
    (1, 100, 1600.0)
    >>> plan.scaled(rows=1e9, workers=64).bytes_moved
    16000000000.0
    """

    rows: float
    passes: float
    bytes_moved: float
    operations: float
    memory: float
    read_seconds: float
    work_seconds: float
    result_bytes: float
    workers: int

    @property
    def seconds(self) -> float:
        """About how long it takes: reading and work shared among workers, sums sent and added besides."""
        sent = self.passes * SPANS * self.result_bytes / 1e9  # a network of 10 Gbit/s, roughly
        return (self.read_seconds + self.work_seconds) / self.workers + sent

    def scaled(self, *, rows: float | None = None, workers: int | None = None) -> PartitionPlan:
        """Return the plan for as many rows of the same kind, and other workers like this one."""
        n = self.rows if rows is None else real_number("rows", rows, above=0.0)
        times = n / self.rows
        return replace(
            self,
            rows=n,
            bytes_moved=self.bytes_moved * times,
            operations=self.operations * times,
            read_seconds=self.read_seconds * times,
            work_seconds=self.work_seconds * times,
            workers=self.workers if workers is None else whole_number("workers", workers, at_least=1),
        )

    def __str__(self) -> str:
        """Say it in a sentence."""
        return (
            f"{self.passes:g} passes over {self.rows:.3g} rows: {self.bytes_moved / 1e9:.3g} GB read, "
            f"{self.operations:.2g} operations, {self.memory / 1e6:.3g} MB a worker; about "
            f"{self.seconds:.2g} s with {self.workers} ({self.read_seconds / self.workers:.2g} s reading)"
        )


@dataclass(frozen=True)
class Cost:
    """What is known of a question beforehand."""

    passes: float  # over the data
    operations: float  # of a row, in all
    result_bytes: float  # of a partial sum
    others: float = 0.0  # passes that are not of the kind that is timed, but sums for rows that are left
    summed: float = 0.0  # operations of a row in these


def together(plans: list[PartitionPlan], passes: float) -> PartitionPlan:
    """Return the plan of all, so many passes over all rows."""
    added = ("bytes_moved", "operations", "read_seconds", "work_seconds")
    sums = {name: sum(getattr(plan, name) for plan in plans) for name in added}
    return replace(plans[0], passes=passes, memory=max(plan.memory for plan in plans), **sums)


def measured_plan(
    source: Source,
    work: Work,
    partition: int,
    cost: Callable[[Any], Cost],
    rows: float | None,
    workers: int,
) -> PartitionPlan:
    """Return the plan, after one partition has been read and worked on without a clock, and with one."""
    # `work` is what is done with a partition in a pass, here with one that has rows; `cost` goes from what it
    # has found to what is known beforehand of all. Where `rows` is None there are as many in each partition.
    traced = tracemalloc.is_tracing()  # by the caller
    if not traced:
        tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        block = source.block(partition)
        known = cost(work(partition, block))
        memory = tracemalloc.get_traced_memory()[1] - before
    finally:
        if not traced:
            tracemalloc.stop()
    read = worked = inf
    for _ in range(TIMED):  # the least: what else the machine does only adds
        del block  # whose memory is free for what is read next, as in a pass
        start = perf_counter()
        block = source.block(partition)
        read = min(read, perf_counter() - start)
        start = perf_counter()
        work(partition, block)
        worked = min(worked, perf_counter() - start)
    n = float(len(block) * source.partitions()) if rows is None else rows
    scale = known.passes * n / max(1, len(block))
    size = sum(
        one.nbytes for one in (block.X, block.y, block.weights, block.offset) if hasattr(one, "nbytes")
    )
    return PartitionPlan(
        rows=n,
        passes=known.passes,
        bytes_moved=float(size * scale),
        operations=known.operations * n,
        memory=float(memory),
        read_seconds=read * scale,
        work_seconds=worked * scale * (1.0 - known.others / known.passes) + seconds_of(known.summed * n),
        result_bytes=known.result_bytes,
        workers=workers,
    )
