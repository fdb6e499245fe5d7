"""Arrays: in memory, sparse, or mapped from a file that is read piece by piece and never mapped whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from influstat.errors import InvalidArgument
from influstat.partitioned.block import Block
from influstat.partitioned.sources.base import Source, csr, file_stamp, stamp_if_there
from influstat.partitioned.sources.mapped import MappedFile

ENTRIES = 2**22  # of X in one partition where the caller leaves it open: 16 MiB of float32


def _rows_of(array: Any) -> Any:
    """Return what rows are sliced from: the file of a whole memory map, a csr_array, or the array itself."""
    if sp.issparse(array):
        return csr(array)
    if not (isinstance(array, np.memmap) and array.filename is not None and array.flags.c_contiguous):
        return array
    # The place of a view in the file is not known, and what is written to a copy on write is not in the file.
    apart = isinstance(array.base, np.memmap) or array.mode == "c"
    return array if apart else MappedFile(array)


class ArraySource(Source):
    """Arrays cut into partitions of as many rows each."""

    # The arrays are as those of `Block`, for all rows. `rows` are those of a partition, or of each; where it
    # is None, those of about 16 MiB of X.

    def __init__(
        self,
        X: Any,
        y: Any,
        *,
        weights: Any = None,
        offset: Any = None,
        labels: Any = None,
        groups: Any = None,
        rows: Any = None,
        names: tuple[str, ...] | None = None,
    ) -> None:
        n, p = X.shape
        self.names = names or tuple(f"x{j}" for j in range(p))
        if len(self.names) != p:
            was = f"has {len(self.names)}"
            raise InvalidArgument("columns", f"have one name per column of X ({p})", was, "Correct it.")
        step = max(1, ENTRIES // max(1, p)) if rows is None else rows
        self._cuts = np.append(np.arange(0, n, step), n) if isinstance(step, int) else np.cumsum([0, *step])
        if self._cuts[-1] != n:
            raise InvalidArgument(
                "rows", f"add up to the rows of X ({n})", f"adds up to {self._cuts[-1]}", "Correct it."
            )
        parts = {
            "X": X,
            "y": y,
            "weights": weights,
            "offset": offset,
            "labels": labels,
            "groups": groups,
        }
        for name, value in parts.items():
            if value is not None and np.shape(value)[:1] != (n,):
                raise InvalidArgument(
                    name, f"have one entry per row of X ({n})", f"has shape {np.shape(value)}", "Correct it."
                )
        self._parts = {name: None if value is None else _rows_of(value) for name, value in parts.items()}
        known = [part for part in self._parts.values() if part is not None]
        self.everywhere = all(isinstance(part, MappedFile) for part in known)
        whole = (file for file in self._files() if not file.writable)  # others may be written first
        self._stamps = {file.path: stamp_if_there(file.path) for file in whole}

    def partitions(self) -> int:
        """Return how many there are."""
        return len(self._cuts) - 1

    def rows(self) -> int:
        """Return n."""
        return int(self._cuts[-1])

    def read(self, partition: int) -> Block:
        """Return consecutive rows."""
        rows = self._rows(partition)
        found: dict[str, Any] = {
            name: None if part is None else part[rows] for name, part in self._parts.items()
        }
        return Block(**found)

    def expect(self, partition: int) -> None:
        """Begin to read those of files."""
        for file in self._files():
            file.expect(self._rows(partition))

    def rest(self) -> None:
        """Let go of those of files."""
        for file in self._files():
            file.rest()

    def stamps(self) -> dict[str, Any]:
        """Return size and time of each file."""
        return {file.path: stamp_if_there(file.path) for file in self._files()}

    def _files(self) -> list[MappedFile]:
        return [part for part in self._parts.values() if isinstance(part, MappedFile)]

    def _rows(self, partition: int) -> slice:
        return slice(int(self._cuts[partition]), int(self._cuts[partition + 1]))

    def identity(self) -> tuple[Any, ...]:
        """Return cuts and what is in memory; of files their names and times, shapes and types."""
        return (self._cuts, *(_identity(part) for part in self._parts.values()))


def _identity(part: Any) -> Any:
    if part is None:
        return None
    if isinstance(part, MappedFile):
        return part.path, file_stamp(part.path), part.start, str(part.dtype), part.shape
    return part
