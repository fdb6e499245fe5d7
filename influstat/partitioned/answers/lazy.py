"""An answer as a lazy dask.dataframe."""

from __future__ import annotations

from typing import Any

from influstat.errors import MissingDependency
from influstat.partitioned.answers.part import Ask
from influstat.partitioned.block import Block
from influstat.partitioned.runners.base import Single
from influstat.partitioned.sources.base import Source
from influstat.partitioned.sources.parquet import EXTRA


def lazy_frame(source: Source, ask: Ask) -> Any:
    """Return the dataframe; two rows are answered to know its types."""
    try:
        import dask.dataframe as dd
        from dask.delayed import delayed
    except ImportError:
        raise MissingDependency(f"Lazy answers need dask.dataframe. {EXTRA}") from None
    count = len(ask.starts)
    first = next(k for k in range(count) if ask.rows[k])
    meta = ask(first, source.block(first).take(slice(0, 2))).frame().iloc[:0]
    parts = []
    for k in range(count):
        block = source.lazy(k)
        if block is None:
            parts.append(delayed(_read, pure=True)(source, ask, k))
        else:
            parts.append(delayed(_answered, pure=True)(ask, k, block, source.place(k)))
    return dd.from_delayed(parts, meta=meta, verify_meta=False)


def _answered(ask: Ask, partition: int, block: Block, place: str) -> Any:
    return ask(partition, block.placed(place)).frame()


def _read(source: Source, ask: Ask, partition: int) -> Any:
    return Single(source, ask)(partition).frame()
