"""An answer as one array of a Zarr store, n rows by m columns, written in blocks sized to memory.

A chunk that lies within a partition is written where that is answered. The few rows of chunks that
partitions share come back to the caller, who alone writes those, so that no two writers meet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument, MissingDependency, PartitionError
from influstat.input.validation import FloatArray
from influstat.partitioned.answers.part import Ask, Failed, Part
from influstat.partitioned.block import Block

ENTRIES = 2**20  # of a chunk: 8 MiB
WIDEST, FEWEST = 2**12, 32  # its columns at most, and its rows at least
FINISHED = "_finished"  # a folder in the store, an empty file for each partition that is whole


def zarr_package() -> Any:
    """Return the package, or raise MissingDependency."""
    try:
        import zarr
    except ImportError:
        raise MissingDependency(
            'Zarr stores need zarr, which is not installed. Install the extra: pip install "influstat[zarr]".'
        ) from None
    return zarr


def chunks_of(rows: int, columns: int) -> tuple[int, int]:
    """Return rows and columns of a chunk."""
    wide = min(columns, WIDEST)
    return min(rows, max(FEWEST, ENTRIES // wide)), wide


@dataclass(frozen=True)
class Store:
    """Where an answer is written."""

    path: str
    token: str  # the fingerprint of question and data

    def mark(self, partition: int) -> Path:
        """Return the file that says that a partition is whole."""
        return Path(self.path) / FINISHED / f"{partition:06d}"

    def prepare(self, shape: tuple[int, int], described: dict[str, Any]) -> None:
        """Make the store, or raise where there is something else."""
        zarr, folder = zarr_package(), Path(self.path)
        if (folder / "zarr.json").exists():
            known = dict(self._opened().attrs)
            if known.get("question") != self.token:
                was = f"is {self.path!r}, which holds that to another ({known.get('quantity')})"
                raise InvalidArgument(
                    "path", "hold the answer to this question, or nothing", was, "Choose another folder."
                )
        else:
            if any(not one.name.startswith("_") for one in folder.iterdir()):
                was = f"is {self.path!r}, which holds other files"
                raise InvalidArgument("path", "be a new or empty folder", was, "Choose another folder.")
            attributes = {"question": self.token, "finished": False, **described}
            zarr.create_array(
                self.path,
                shape=shape,
                chunks=chunks_of(*shape),
                dtype="f8",
                fill_value=np.nan,
                attributes=attributes,
            )
        (folder / FINISHED).mkdir(exist_ok=True)

    def write(self, start: int, values: FloatArray) -> None:
        """Write consecutive rows, or raise PartitionError."""
        try:
            self._opened()[start : start + len(values)] = values
        except OSError as error:
            raise self.unwritable(error) from error

    def finish(self, partition: int | None = None) -> None:
        """Say that a partition is whole, or all of them."""
        if partition is None:
            self._opened().attrs["finished"] = True
        else:
            self.mark(partition).touch()

    def _opened(self) -> Any:
        return zarr_package().open_array(self.path, mode="r+")

    def unwritable(self, error: OSError) -> PartitionError:
        """Return the error for a disk that is full, or a folder that cannot be written to."""
        return PartitionError(
            f"{self.path} cannot be written to: {error}. Make room, or choose another folder, and ask again: "
            "partitions that are finished are kept."
        )


@dataclass(frozen=True)
class Edges:
    """The rows of a partition in chunks that it shares with others."""

    partition: int
    rows: list[tuple[int, FloatArray]]  # first position, values
    failed: Failed
    left: None = None  # no row waits
    entries: int = 0


@dataclass(frozen=True, eq=False)
class ZarrWriting:
    """Answer and write one partition where it is read; one that leaves rows comes back to be finished."""

    ask: Ask
    store: Store
    rows: int  # of a chunk
    total: int  # n

    def __call__(self, partition: int, block: Block) -> Edges | Part:
        """Return its edges, or the part."""
        if self.ask.question.leaves:
            return self.ask(partition, block)
        failed, edges = Failed(), []
        for start, values in self._runs(self.ask.pieces(partition, block)):
            failed = failed.plus(values[1])
            first = -(-start // self.rows) * self.rows  # the first chunk that begins here
            end = start + len(values[0])
            last = end if end == self.total else end // self.rows * self.rows
            if first >= last:
                edges.append((start, values[0]))
                continue
            self.store.write(first, values[0][first - start : last - start])
            edges += [(start, values[0][: first - start]), (last, values[0][last - start :])]
        return Edges(partition, [(start, rows) for start, rows in edges if len(rows)], failed)

    def _runs(self, pieces: Iterator[Part]) -> Iterator[tuple[int, tuple[FloatArray, Failed]]]:
        """Yield pieces with the rows that the piece before could not fill a chunk with."""
        kept: FloatArray | None = None
        start, failed = 0, Failed()
        for part in pieces:
            if not len(part.positions):
                continue
            values = part.matrix(self.ask.question.columns)
            if kept is None:
                start = int(part.positions[0])
            else:
                values = np.concatenate([kept, values])
            failed = failed.plus(part.failed)
            whole = (start + len(values)) // self.rows * self.rows - start
            if whole > 0:
                yield start, (values[:whole], failed)
                start, failed = start + whole, Failed()
                values = values[whole:].copy()
            kept = values
        if kept is not None and len(kept):
            yield start, (kept, failed)
