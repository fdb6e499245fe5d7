"""Chunks from a generator that can be started anew: a database cursor, a file format of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

from influstat.errors import InvalidArgument, InvalidType
from influstat.input.printing import short
from influstat.partitioned.block import BY_ROW, Block
from influstat.partitioned.sources.base import Source, csr
from influstat.partitioned.sources.columns import Columns
from influstat.partitioned.sources.formula import formula_reader

FORMS = "(X, y), (X, y, weights), a dict of these, or a DataFrame where y names its column"


class ChunkSource(Source):
    """The chunks of an iterator; a callable returns it from its start.

    Parameters
    ----------
    restart : callable
        Returns a new iterator of the same chunks.
    columns : Columns or None
        Which columns of chunks that are tables are what.
    """

    everywhere = False
    in_order = True

    def __init__(self, restart: Callable[[], Any], columns: Columns | None) -> None:
        self._restart, self._columns = restart, columns
        self._count: int | None = None
        self._iterator: Iterator[Any] | None = None
        self._next = 0
        first = next(self._begin(), None)
        self._next = 1
        if first is None:
            raise InvalidArgument("data", "yield at least one chunk", "yields none", "Check the generator.")
        if columns is not None:
            if not hasattr(first, "columns"):
                raise _no_chunk(first)
            self._columns = columns.chosen([str(name) for name in first.columns])
            self.names, self.named = self._columns.names, True
        else:
            x = self._block(first).X
            named = getattr(x, "columns", None)
            self.names = (
                tuple(f"x{j}" for j in range(np.shape(x)[1])) if named is None else tuple(map(str, named))
            )

    def _begin(self) -> Iterator[Any]:
        made = self._restart()
        if made is self._iterator or not hasattr(made, "__iter__"):
            raise InvalidType(
                "data",
                "be a callable that returns a new iterator of chunks",
                f"returns {short(made)}",
                "Pass a function with a yield in it, not a generator that is used up after one pass.",
            )
        self._iterator, self._next = iter(made), 0
        return self._iterator

    def partitions(self) -> int:
        """Return how many chunks there are, counted by going through them once."""
        if self._count is None:
            self._count = sum(1 for _ in self._begin())
            self._iterator = None
        return self._count

    def read(self, partition: int) -> Block:
        """Return one chunk, going on from the last where that is possible."""
        if self._iterator is None or partition < self._next:
            self._begin()
        assert self._iterator is not None
        for chunk in self._iterator:
            self._next += 1
            if self._next == partition + 1:
                return self._block(chunk)
        raise InvalidArgument(
            "data",
            "yield the same chunks each time",
            f"yields only {self._next} where there were more",
            "Let the callable begin anew each time it is called.",
        )

    def _block(self, chunk: Any) -> Block:
        if self._columns is not None:
            if not hasattr(chunk, "columns"):
                raise _no_chunk(chunk)
            return self._columns.block(chunk)
        if isinstance(chunk, dict) and {"X", "y"} <= set(chunk) <= {"X", *BY_ROW}:
            parts = dict(chunk)
        elif isinstance(chunk, tuple) and len(chunk) in (2, 3):
            parts = dict(zip(("X", "y", "weights"), chunk, strict=False))
        else:
            raise _no_chunk(chunk)
        x = parts.pop("X")
        kept = csr(x) if sp.issparse(x) else np.asarray(x)
        others: dict[str, Any] = {
            name: None if value is None else np.asarray(value) for name, value in parts.items()
        }
        return Block(kept, **others)

    def reader(self) -> Any:
        """Return what takes tables of a formula's variables, where one makes the rows."""
        return formula_reader(self._columns)

    def identity(self) -> tuple[Any, ...]:
        """Return the number of chunks, the columns, and the callable: all that is known of a generator."""
        return self.partitions(), self.names, self._restart


def _no_chunk(chunk: Any) -> InvalidType:
    return InvalidType("data", f"yield chunks of the form {FORMS}", f"yields {short(chunk)}", "Correct it.")
