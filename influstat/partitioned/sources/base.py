"""`Source`: what every kind of partitioned data offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from influstat.errors import InflustatError, PartitionError
from influstat.input.tables import as_array
from influstat.input.validation import any_array
from influstat.partitioned.block import Block, of_partition
from influstat.partitioned.sources.formula import formula_reader


class Source(ABC):
    """Rows in partitions that are read one at a time, as often as is wanted, and always the same.

    Attributes
    ----------
    names : tuple of str
        What the columns are called.
    named : bool
        Whether a table names them, so that tables of new rows must name theirs alike.
    everywhere : bool
        Whether other processes can read it too: files can, arrays of this process cannot.
    in_order : bool
        Whether partitions must be read one after the other.
    """

    names: tuple[str, ...]
    named = False
    everywhere = True
    in_order = False
    _stamps: dict[str, Any] | None = None  # as files were when it was made, or in the first pass

    @abstractmethod
    def partitions(self) -> int:
        """Return how many partitions there are; where that is not known, read through them once."""

    @abstractmethod
    def read(self, partition: int) -> Block:
        """Return the rows of one partition; it may be empty."""

    def block(self, partition: int) -> Block:
        """Return the rows of one partition, which know its name; errors name it."""
        place = self.place(partition)
        try:
            return self.read(partition).placed(place)
        except InflustatError as error:
            raise of_partition(error, place) from error

    def expect(self, partition: int) -> None:
        """Begin to read a partition that is asked for soon, where that can go on beside other work."""
        del partition

    def stamps(self) -> dict[str, Any]:
        """Return what changes with every file, by its path, when it is written anew; {} without files."""
        return {}

    def begin(self) -> None:
        """Raise PartitionError where a file is not as it was first looked at: a pass begins."""
        found = self.stamps()
        self._stamps = first = {**found, **(self._stamps or {})}
        for path, stamp in found.items():
            if stamp is not None and first.get(path) not in (None, stamp):  # one that is gone is not read
                raise PartitionError(
                    f"{path} has been written anew since it was first looked at: its rows may be others than "
                    "a fit has seen. Make the partitions anew (ist.partitions), and fit again."
                )

    def rest(self) -> None:
        """Let go of what is held for partitions that were asked for, or expected: a pass is over."""
        return

    @abstractmethod
    def identity(self) -> tuple[Any, ...]:
        """Return what tells these data from others, without reading them."""

    def place(self, partition: int) -> str:
        """Return what a partition is called in messages."""
        return f"partition {partition}"

    def rows(self) -> int | None:
        """Return how many rows there are in all, None where that is not known without reading them."""
        return None

    def reader(self) -> Any:
        """Return what takes new rows as tables of a formula's variables; None where there is no formula."""
        return formula_reader(getattr(self, "_columns", None))

    def lacking(self, partition: int, error: Exception) -> InflustatError | None:
        """Return which column the partition lacks where that is why a graph raises, None where it is not."""
        del partition, error
        return None

    def lazy(self, partition: int) -> Any:
        """Return a dask Delayed of the block where the data are dask's own, else None."""
        del partition


@dataclass(frozen=True, eq=False)
class Within(Source):
    """Another source, seen in part."""

    inner: Source

    def __post_init__(self) -> None:
        """Take over what it is."""
        for name in ("names", "named", "everywhere", "in_order"):
            object.__setattr__(self, name, getattr(self.inner, name))

    def partitions(self) -> int:
        """Return how many it has."""
        return self.inner.partitions()

    def begin(self) -> None:
        """Look there whether files are what they were."""
        self.inner.begin()

    def expect(self, partition: int) -> None:
        """Begin to read it there."""
        self.inner.expect(partition)

    def rest(self) -> None:
        """Let go of what is held there."""
        self.inner.rest()

    def place(self, partition: int) -> str:
        """Return what a partition is called there."""
        return self.inner.place(partition)


def file_stamp(path: str) -> tuple[int, int]:
    """Return size and time of the last change of a file, or raise PartitionError where there is none."""
    try:
        known = Path(path).stat()
    except OSError as error:
        raise PartitionError(f"{path} cannot be read: {error}. Put it back, and ask again.") from error
    return known.st_size, known.st_mtime_ns


def stamp_if_there(path: str) -> tuple[int, int] | None:
    """Return the same; None where there is no such file, as reading it will say."""
    try:
        return file_stamp(path)
    except OSError:
        return None


def unread(maker: str, error: Exception) -> PartitionError:
    """Return the error for rows that a caller's own function or graph does not make."""
    said = str(error).rstrip(". ")
    return PartitionError(f"{maker} raises {type(error).__name__}: {said}. Mend that, and ask again.")


def by_row(name: str, value: Any) -> Any:
    """Return what has one entry per row as an array: an ndarray as it is."""
    # It may lie in a file, or have masked entries, which are refused where they are read and never filled.
    return value if isinstance(value, np.ndarray) else any_array(name, as_array(name, value))


def csr(matrix: Any) -> Any:
    """Return a sparse matrix in rows, as `csr_array`."""
    return sp.csr_array(matrix)
