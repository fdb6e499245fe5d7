"""Parquet files: a row group is a partition, columns are read by name and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from influstat.errors import InvalidArgument, InvalidType, MissingDependency, PartitionError
from influstat.input.printing import short
from influstat.partitioned.block import Block
from influstat.partitioned.sources.base import Source, file_stamp, stamp_if_there
from influstat.partitioned.sources.columns import Columns

EXTRA = 'Install the extra: pip install "influstat[dask]".'


def pyarrow_parquet() -> Any:
    """Return pyarrow's module for Parquet, or raise MissingDependency."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise MissingDependency(f"Parquet files need pyarrow, which is not installed. {EXTRA}") from None
    return pyarrow.parquet


def are_paths(data: Any) -> bool:
    """Tell whether `data` is a path or a list of them."""
    several = isinstance(data, (list, tuple)) and len(data) > 0
    return all(isinstance(one, (str, PathLike)) for one in (data if several else [data]))


def is_hive(data: Any) -> bool:
    """Tell whether `data` is a folder without Parquet files, whose subfolders are called "name=value"."""
    if not isinstance(data, (str, PathLike)) or not _there(Path(data).is_dir):
        return False
    there = list(Path(data).iterdir())
    return not any(one.suffix == ".parquet" for one in there) and any(
        one.is_dir() and "=" in one.name for one in there
    )


def read_path(path: Any) -> Path:
    """Return a path, or raise InvalidType."""
    if not isinstance(path, (str, PathLike)):
        raise InvalidType("path", "be a path", f"is {short(path)}", "Pass a str or a pathlib.Path.")
    if not _there(lambda: "\0" not in fspath(path) and bool(fspath(path).encode())):
        raise InvalidArgument("path", "be a name that files can have", f"is {short(path)}", "Pass another.")
    return Path(path)


class ParquetSource(Source):
    """Row groups of Parquet files."""

    # Of a folder its ``*.parquet`` files are taken in the order of their names.

    named = True

    def __init__(self, data: Any, columns: Columns) -> None:
        self._files = _files(data)
        self._stamps = self.stamps()
        self._groups: list[tuple[str, int]] = []
        self._rows = 0
        names: list[str] = []
        index: list[str] = []
        for path in self._files:
            with _opened(path) as file:
                if not names:
                    schema = file.schema_arrow
                    known = (schema.pandas_metadata or {}).get("index_columns", [])
                    names, index = list(schema.names), [name for name in known if isinstance(name, str)]
                self._rows += file.metadata.num_rows
                self._groups += [(path, k) for k in range(file.num_row_groups)]
        if not self._groups:
            raise InvalidArgument("data", "hold rows", "holds none", "Check the files.")
        self._columns = columns.chosen(names, index)
        self.names = self._columns.names

    def partitions(self) -> int:
        """Return how many row groups there are."""
        return len(self._groups)

    def rows(self) -> int:
        """Return n, which the files know."""
        return self._rows

    def read(self, partition: int) -> Block:
        """Return one row group."""
        path, group = self._groups[partition]
        with _opened(path) as file:
            there = set(file.schema_arrow.names)
            wanted = [name for name in self._columns.wanted if name in there]
            try:
                table = file.read_row_group(group, columns=wanted)
            except (OSError, ValueError) as error:
                raise _unreadable(path, error) from error
        return self._columns.block(table.to_pandas(ignore_metadata=True))

    def stamps(self) -> dict[str, Any]:
        """Return size and time of each file."""
        return {path: stamp_if_there(path) for path in self._files}

    def place(self, partition: int) -> str:
        """Return file and row group."""
        path, group = self._groups[partition]
        return f"partition {partition} ({Path(path).name}, row group {group})"

    def identity(self) -> tuple[Any, ...]:
        """Return files, their sizes and times, and the columns."""
        return (self._columns, *((path, *file_stamp(path)) for path in self._files))


def _there(check: Callable[[], bool]) -> bool:
    """Tell whether something is there; a name that no file can have is none."""
    try:
        return check()
    except (OSError, ValueError):  # the latter of what no file system can spell
        return False


def _files(data: Any) -> list[str]:
    if not isinstance(data, (list, tuple)):
        path = Path(data)
        if _there(path.is_dir):
            found = sorted(str(one) for one in path.glob("*.parquet"))
            if not found:
                was = f"is {str(path)!r}, which has none"
                raise InvalidArgument("data", "be a folder of *.parquet files", was, "Correct the path.")
            return found
        data = [path]
    for one in data:
        if not _there(Path(one).is_file):
            raise InvalidArgument("data", "be a file that exists", f"is {str(one)!r}", "Correct the path.")
    return [str(one) for one in data]


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    """Open a Parquet file, or raise naming it; where its pages have checksums, they are verified."""
    with ExitStack() as stack:
        try:
            bytes_of_file = stack.enter_context(Path(path).open("rb"))
            file = pyarrow_parquet().ParquetFile(bytes_of_file, page_checksum_verification=True)
        except (OSError, ValueError) as error:  # pyarrow's own errors are of these kinds
            raise _unreadable(path, error) from error
        yield file


def _unreadable(path: str, error: Exception) -> PartitionError:
    said = str(error).rstrip(". ")
    return PartitionError(f"{path} cannot be read as Parquet: {said}. Write it anew, or leave it out.")
