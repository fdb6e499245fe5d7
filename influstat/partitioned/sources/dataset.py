"""Datasets of pyarrow: fragments by row group, Hive folders, filters; read in batches where need be."""

from __future__ import annotations

from hashlib import sha256
from itertools import islice
from typing import Any

from influstat.errors import InflustatError, InvalidArgument, MissingDependency, PartitionError
from influstat.partitioned.block import Block
from influstat.partitioned.sources.base import Source
from influstat.partitioned.sources.columns import Columns
from influstat.partitioned.sources.parquet import EXTRA

BATCH = 2**16  # rows of a batch, where a dataset is read in batches


def is_dataset(data: Any, *, in_memory: bool = True) -> bool:
    """Tell whether `data` is a dataset of pyarrow, or a table of it where those count, without an import."""
    known = type(data).__module__.partition(".")[0] == "pyarrow"
    return known and hasattr(data, "to_batches") and hasattr(data, "schema" if in_memory else "scanner")


def hive_folder(path: Any) -> Any:
    """Return a dataset of the files below a folder, with the columns that names of folders hold."""
    return _module().dataset(str(path), format="parquet", partitioning="hive")


def _module() -> Any:
    try:
        import pyarrow.dataset
    except ImportError:
        raise MissingDependency(f"Datasets need pyarrow, which is not installed. {EXTRA}") from None
    return pyarrow.dataset


class DatasetSource(Source):
    """A `pyarrow.dataset.Dataset`, or a Table."""

    # Each row group of its files is a partition. A dataset that has been filtered hands out no fragments: it
    # is read in batches, in order, and so are rows in memory.

    named = True

    def __init__(self, data: Any, columns: Columns) -> None:
        dataset = data if hasattr(data, "scanner") else _module().dataset(data)
        schema = dataset.schema
        known = (schema.pandas_metadata or {}).get("index_columns", [])
        index = [name for name in known if isinstance(name, str)]
        self._columns = columns.chosen(list(schema.names), index)
        self.names = self._columns.names
        self._dataset = dataset
        self._fragments = _fragments(dataset)
        self.in_order = self._fragments is None
        self.everywhere = self._fragments is not None
        self._batches: Any = None
        self._next = 0
        self._count = None if self._fragments is None else len(self._fragments)
        self._stamps = self.stamps()

    def _reading(self) -> Any:
        """Return a new iterator of batches."""
        self._next = 0
        # One after the other, so that batches are cut alike each time.
        return self._dataset.to_batches(columns=self._columns.wanted, batch_size=BATCH, use_threads=False)

    def partitions(self) -> int:
        """Return how many there are; batches are counted by going through them once."""
        if self._count is None:
            self._count = sum(1 for _ in self._reading())
            self._batches = None
        if not self._count:
            raise InvalidArgument("data", "hold rows", "holds none", "Check the files, and the filter.")
        return self._count

    def rows(self) -> int | None:
        """Return n, which files know; None where a filter would have to be applied."""
        return None if self.in_order else int(self._dataset.count_rows())

    def read(self, partition: int) -> Block:
        """Return one row group, or one batch."""
        try:
            if self._fragments is None:
                found = self._batch(partition)
            else:
                fragment = self._fragments[partition]
                self._require_columns(fragment)
                found = fragment.to_table(schema=self._schema(fragment), columns=self._columns.wanted)
        except InflustatError:
            raise
        except (OSError, ValueError) as error:  # pyarrow's own errors are of these kinds
            said = str(error).rstrip(". ")
            raise PartitionError(
                f"The dataset cannot be read: {said}. Write that file anew, or leave it out."
            ) from error
        return self._columns.block(found.to_pandas(ignore_metadata=True))

    def _require_columns(self, fragment: Any) -> None:
        """Raise where neither a file nor its folder's name has a column that is read: it would be nan."""
        of_folder = _module().get_partition_keys(fragment.partition_expression)
        if error := self._columns.lacking([*fragment.physical_schema.names, *of_folder]):
            raise error

    def _schema(self, fragment: Any) -> Any:
        """Return the types that a file has itself: those of the dataset are of its first, maybe narrower."""
        import pyarrow as pa

        own = fragment.physical_schema
        return pa.schema(
            [own.field(one.name) if one.name in own.names else one for one in self._dataset.schema]
        )

    def _batch(self, partition: int) -> Any:
        import pyarrow as pa

        if self._batches is None or partition < self._next:
            self._batches = self._reading()
        batch = next(islice(self._batches, partition - self._next, None))
        self._next = partition + 1
        return pa.Table.from_batches([batch])

    def stamps(self) -> dict[str, Any]:
        """Return size and time of each file."""
        if not self._fragments:
            return {}
        files = self._fragments[0].filesystem.get_file_info(sorted({one.path for one in self._fragments}))
        return {one.path: (one.size, one.mtime_ns) if one.is_file else None for one in files}

    def place(self, partition: int) -> str:
        """Return file and row group, or the batch."""
        if self._fragments is None:
            return f"partition {partition} (batch of the dataset)"
        fragment = self._fragments[partition]
        path = str(getattr(fragment, "path", "") or "").rpartition("/")[2]
        groups = getattr(fragment, "row_groups", None)
        group = f", row group {groups[0].id}" if groups else ""
        return f"partition {partition} ({path}{group})"

    def identity(self) -> tuple[Any, ...]:
        """Return the columns; of files, their sizes and times; of all else, what the rows are."""
        if self._fragments is not None:
            return (self._columns, *sorted({_stamp(one) for one in self._fragments}))
        digest = sha256()
        for batch in self._reading():
            digest.update(memoryview(batch.serialize()))
        self._batches = None
        return self._columns, digest.hexdigest()


def _fragments(dataset: Any) -> list[Any] | None:
    """Return a fragment for each row group; None where they are not to be had, or are no files."""
    if type(dataset).__name__ == "InMemoryDataset":
        return None
    try:
        whole = list(dataset.get_fragments())
    except ValueError:  # "of a filtered or projected dataset is not allowed"
        return None
    found: list[Any] = []
    for one in whole:
        split = getattr(one, "split_by_row_group", None)
        try:
            found += [one] if split is None else split()
        except (OSError, ValueError) as error:
            raise PartitionError(
                f"{one.path} cannot be read as Parquet: {error} Write it anew, or leave it out."
            ) from error
    return found


def _stamp(fragment: Any) -> tuple[str, int, int]:
    """Return a file's name, size and time."""
    info = fragment.filesystem.get_file_info(fragment.path)
    return str(fragment.path), int(info.size or 0), int(info.mtime_ns or 0)
