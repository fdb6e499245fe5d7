"""Tables in memory, of pandas, polars or another library: each is a partition."""

from __future__ import annotations

from typing import Any

from influstat.input.tables import as_pandas, is_foreign
from influstat.partitioned.block import Block
from influstat.partitioned.sources.base import Source
from influstat.partitioned.sources.columns import Columns, text_names
from influstat.partitioned.sources.dask_collections import kind_of


def are_frames(data: Any) -> bool:
    """Tell whether `data` is a table in memory, or a list of them."""
    several = isinstance(data, (list, tuple)) and len(data) > 0
    return all(map(_is_frame, data if several else [data]))


def _is_frame(data: Any) -> bool:
    """Tell it of one; dask's have the attributes of pandas, too."""
    return is_foreign(data) or (hasattr(data, "iloc") and hasattr(data, "columns") and not kind_of(data))


class FrameSource(Source):
    """A table, or a list of them, whose columns go by name."""

    # Tables are those of pandas, polars or pyarrow.

    named = True
    everywhere = False

    def __init__(self, data: Any, columns: Columns) -> None:
        self._frames = list(data) if isinstance(data, (list, tuple)) else [data]
        self._columns = columns.chosen(text_names(as_pandas("data", self._frames[0])))
        self.names = self._columns.names

    def partitions(self) -> int:
        """Return how many there are."""
        return len(self._frames)

    def rows(self) -> int:
        """Return n."""
        return sum(len(one) for one in self._frames)

    def read(self, partition: int) -> Block:
        """Return the rows of one table."""
        return self._columns.block(as_pandas("data", self._frames[partition]))

    def identity(self) -> tuple[Any, ...]:
        """Return the columns and the tables, of which a repr would show a few rows only."""
        return self._columns, [as_pandas("data", one) for one in self._frames]
