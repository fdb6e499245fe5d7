"""dask.array and dask.dataframe: a chunk, or a partition, at a time; the graph says how each is made."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from typing import Any

import numpy as np

from influstat.errors import InflustatError, InvalidArgument
from influstat.input.labels import index_labels, paired
from influstat.input.printing import short
from influstat.partitioned.block import Block
from influstat.partitioned.sources.base import Source, by_row, unread
from influstat.partitioned.sources.columns import Columns, repeated, text_names

INDEX = "index"


def kind_of(data: Any) -> str:
    """Return "array" or "dataframe" for a collection of dask's, "" for anything else."""
    # Told without an import: whoever has made one has dask.
    if not type(data).__module__.partition(".")[0].startswith("dask"):
        return ""
    if hasattr(data, "to_delayed") and hasattr(data, "chunks"):
        return "array"
    return "dataframe" if hasattr(data, "divisions") and hasattr(data, "columns") else ""


class _Lazy(Source):
    """Blocks that a graph makes."""

    _blocks: list[Any]

    def partitions(self) -> int:
        """Return how many there are."""
        return len(self._blocks)

    def lazy(self, partition: int) -> Any:
        """Return the Delayed of a block."""
        return self._blocks[partition]

    def read(self, partition: int) -> Block:
        """Return a block, made in this thread."""
        try:
            found: Block = self._blocks[partition].compute(scheduler="synchronous")
        except InflustatError:
            raise
        except Exception as error:  # a graph may call anything
            raise self.lacking(partition, error) or unread("The graph that makes it", error) from error
        return found


class DaskArraySource(_Lazy):
    """Chunks of rows of a dask.array."""

    # The parts are arrays of dask, or of NumPy where the sizes of chunks are known: cut anew as X is cut
    # along its rows.

    def __init__(self, X: Any, y: Any, *, names: tuple[str, ...] | None, **others: Any) -> None:
        from dask.delayed import delayed

        if X.ndim != 2 or np.isnan(X.shape[1]):
            remedy = "Reshape it." if X.ndim != 2 else "Call X.compute_chunk_sizes() first."
            was = f"has shape {X.shape}"
            raise InvalidArgument("data", "have two dimensions, its columns counted", was, remedy)
        if X.numblocks[1] > 1:
            X = X.rechunk({1: -1})
        parts = {"y": y, **others}
        known = {name: _aligned(name, part, X) for name, part in parts.items() if part is not None}
        self.names = names or tuple(f"x{j}" for j in range(int(X.shape[1])))
        blocks = X.to_delayed().ravel()
        columns = {name: part.to_delayed().ravel() for name, part in known.items()}
        make = delayed(Block, pure=True)
        self._blocks = [
            make(block, **{name: column[k] for name, column in columns.items()})
            for k, block in enumerate(blocks)
        ]
        self._identity = (X.name, *(part.name for part in known.values()))

    def identity(self) -> tuple[Any, ...]:
        """Return the names that dask gives to the collections, which follow from how they are made."""
        return self._identity


def _aligned(name: str, part: Any, X: Any) -> Any:
    """Return one entry per row, cut as X is, or raise."""
    unknown = bool(np.isnan(X.shape[0]))
    if kind_of(part) != "array":
        if unknown:
            raise InvalidArgument(
                name,
                "be a dask array cut as X is, since the sizes of X's chunks are not known",
                f"is {short(part)}",
                "Call X.compute_chunk_sizes() first.",
            )
        from dask.array import from_array

        cut: Any = from_array
        part = cut(by_row(name, part), chunks=len(part) or 1)
    if unknown or np.isnan(part.shape[0]):
        if part.numblocks[:1] != X.numblocks[:1]:
            raise InvalidArgument(
                name,
                f"have the {X.numblocks[0]} chunks of X's rows, since not all sizes are known",
                f"has {part.numblocks[0]}",
                "Call compute_chunk_sizes() on both first.",
            )
        return part
    if part.shape[0] != X.shape[0]:
        was = f"has {part.shape[0]}"
        raise InvalidArgument(name, f"have one entry per row of X ({X.shape[0]})", was, "Correct it.")
    return part.rechunk({0: X.chunks[0]})


class DaskFrameSource(_Lazy):
    """Partitions of a dask.dataframe."""

    named = True

    def __init__(self, frame: Any, columns: Columns) -> None:
        from dask.delayed import delayed

        columns = columns.chosen([str(name) for name in frame.columns])
        columns.require_numbers(frame.dtypes)
        self._frame, self._columns, self.names = frame, columns, columns.names
        wanted = frame[columns.wanted]
        make = delayed(columns.block, pure=True)
        self._blocks = [make(part) for part in wanted.to_delayed()]
        self._identity = (str(getattr(wanted, "_name", "")), columns)

    def lacking(self, partition: int, error: Exception) -> InflustatError | None:
        """Return which column the partition lacks, if one: its graph chooses columns before all else."""
        if isinstance(error, KeyError):
            with suppress(Exception):  # a graph that fails by itself says why
                whole = self._frame.get_partition(partition).compute(scheduler="synchronous")
                return self._columns.lacking(text_names(whole))
        return None

    def identity(self) -> tuple[Any, ...]:
        """Return the name that dask gives to the columns, which follows from how they are made."""
        return self._identity


def joined(frame: Any, named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return the table with the dask series given in place of columns, and what each column is called.

    Rows are paired by the index; of known divisions, labels that leave it open are refused as in memory.

    Returns
    -------
    tuple
        The dask.dataframe, and a name (or whatever else was given) for each argument.
    """
    for name, value in list(named.items()):
        if kind_of(value) == "dataframe" and value.ndim == 1:
            column = name
            while column in frame.columns:
                column += "_"
            frame = _with_series(frame, value, name, column)
            named = {**named, name: column}
    return frame, named


def _with_series(frame: Any, value: Any, argument: str, column: str) -> Any:
    """Return the table with a series as one more column."""
    from dask.dataframe.dispatch import make_meta

    types: Any = make_meta
    both = frame.assign(**{column: value})
    if not (frame.known_divisions and value.known_divisions):
        return both  # dask sorts both first, where they are not parts of one table
    if frame.divisions != value.divisions:
        try:
            every = sorted({*frame.divisions, *value.divisions})
        except TypeError:
            first, other = (short(one.divisions[0]) for one in (frame, value))
            need, was = "have labels that can be compared with the table's", f"has {other}"
            remedy = f"The table has {first}: set an index of one kind on both (set_index)."
            raise InvalidArgument(argument, need, was, remedy) from None
        every = every if len(every) > 1 else 2 * every  # one label alone begins and ends a partition
        frame, value = (one.repartition(divisions=every, force=True) for one in (frame, value))
    return frame.map_partitions(_beside, value, argument, column, meta=types(both))


def _beside(table: Any, value: Any, argument: str, column: str) -> Any:
    """Return a partition with its part of a series; a label that repeats pairs no rows, as in memory."""
    try:
        value = paired(argument, value, index_labels(table.index), of="the table")
    except InvalidArgument as error:
        remedy = "Set an index of unique labels on both (set_index), or keep it as a column of the table."
        raise InvalidArgument(argument, error.need, str(error.value), remedy) from None
    return table.assign(**{column: value})


def frame_labels(frame: Any, labels: str | None) -> dict[str, Any]:
    """Return which column has the labels, or whether the index has; raise where that is not unique."""
    divisions = frame.divisions
    known = bool(getattr(frame, "known_divisions", False))
    unique = known and all(a < b for a, b in pairwise(divisions[:-1]))
    if labels is None:
        return {"labels": None, "index": unique}
    if labels != INDEX or INDEX in frame.columns:
        return {"labels": labels}
    if not unique:
        was = "repeats divisions" if known else "has divisions that are not known"
        raise repeated(f"{was}: {short(divisions)}")
    return {"labels": None, "index": True, "once": True}
