"""Chunks from a generator that can be started anew: a database cursor, a file format of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import scipy.sparse as sp

from influstat.errors import InvalidArgument, InvalidType
from influstat.input.labels import check_labels, index_labels, one_column
from influstat.input.printing import short
from influstat.input.tables import as_pandas
from influstat.partitioned.block import BY_ROW, Block
from influstat.partitioned.sources.base import Source, by_row, csr, unread
from influstat.partitioned.sources.columns import Columns, text_names

FORMS = "(X, y), (X, y, weights), a dict of these, or a DataFrame where y names its column"

END = object()  # after the last chunk


class ChunkSource(Source):
    """The chunks of an iterator; a callable returns it from its start."""

    # `columns` say which columns of chunks that are tables are what.

    everywhere = False
    in_order = True

    def __init__(self, restart: Callable[[], Any], columns: Columns | None) -> None:
        self._restart, self._columns = restart, columns
        self._rows: Columns | None = None  # of tables that are X alone
        self._count: int | None = None
        self._iterator: Iterator[Any] | None = None
        self._next = 0
        self._begin()
        first = self._step()
        if first is END:
            raise InvalidArgument("data", "yield at least one chunk", "yields none", "Check the generator.")
        if columns is not None:
            self._columns = columns.chosen(text_names(_table(first)))
        else:
            x = as_pandas("X", _parts(first)["X"])
            self._rows = Columns("", text_names(x)) if hasattr(x, "columns") else None
        known = self._columns or self._rows
        self.named = known is not None
        self.names = tuple(f"x{j}" for j in range(_array(x).shape[1])) if known is None else known.names

    def _begin(self) -> None:
        try:
            made = self._restart()
        except Exception as error:  # a caller's own
            raise unread("The callable", error) from error
        if made is self._iterator or not hasattr(made, "__iter__"):
            raise InvalidType(
                "data",
                "be a callable that returns a new iterator of chunks",
                f"returns {short(made)}",
                "Pass a function with a yield in it, not a generator that is used up after one pass.",
            )
        self._iterator, self._next = iter(made), 0

    def _step(self) -> Any:
        """Return the next chunk; `END` after the last."""
        assert self._iterator is not None  # begun
        try:
            chunk = next(self._iterator, END)
        except Exception as error:  # a caller's own, which ends there: the next pass begins anew
            self._iterator = None
            raise unread("The iterator of chunks", error) from error
        self._next += chunk is not END
        return chunk

    def partitions(self) -> int:
        """Return how many chunks there are, counted by going through them once."""
        if self._count is None:
            self._begin()
            while self._step() is not END:
                pass
            self._count, self._iterator = self._next, None
        if not self._count:
            raise self._ended()
        return self._count

    def read(self, partition: int) -> Block:
        """Return one chunk, going on from the last where that is possible."""
        if self._iterator is None or partition < self._next:
            self._begin()
        while (chunk := self._step()) is not END:
            if self._next > partition:
                return self._block(chunk)
        raise self._ended()

    def _ended(self) -> InvalidArgument:
        return InvalidArgument(
            "data",
            "yield the same chunks each time",
            f"yields only {self._next} where there were more",
            "Let the callable begin anew each time it is called.",
        )

    def _block(self, chunk: Any) -> Block:
        if self._columns is not None:
            return self._columns.block(_table(chunk))
        parts = _parts(chunk)
        x = as_pandas("X", parts.pop("X"))
        others = {name: value for name, value in parts.items() if value is not None}
        if hasattr(x, "columns"):
            for name, value in others.items():
                check_labels(name, value, index_labels(x.index), of="X")
            columns = self._rows or Columns("", text_names(x))
            x = columns.matrix(columns.table(x))
        arrays = {name: by_row(name, one_column(value)) for name, value in others.items()}
        return Block(_array(x), **arrays)

    def identity(self) -> tuple[Any, ...]:
        """Return the number of chunks, the columns, and the callable: all that is known of a generator."""
        return self.partitions(), self.names, self._restart


def _parts(chunk: Any) -> dict[str, Any]:
    """Return what a chunk holds by name, or raise."""
    if isinstance(chunk, dict) and {"X", "y"} <= set(chunk) <= {"X", *BY_ROW}:
        return dict(chunk)
    if isinstance(chunk, tuple) and len(chunk) in (2, 3):
        return dict(zip(("X", "y", "weights"), chunk, strict=False))
    raise _no_chunk(chunk)


def _table(chunk: Any) -> Any:
    """Return a chunk that is a table as pandas, or raise."""
    found = as_pandas("data", chunk)
    if not hasattr(found, "columns"):
        raise _no_chunk(chunk)
    return found


def _array(x: Any) -> Any:
    """Return X as an array of two dimensions, sparse in rows, or raise."""
    found = csr(x) if sp.issparse(x) else by_row("X", x)
    if found.ndim != 2:
        was = f"has shape {found.shape}"
        raise InvalidArgument("X", "be two-dimensional (rows, columns)", was, "Reshape it.")
    return found


def _no_chunk(chunk: Any) -> InvalidType:
    return InvalidType("data", f"yield chunks of the form {FORMS}", f"yields {short(chunk)}", "Correct it.")
