"""Answers as a folder of Parquet files: finished partitions are kept, and a rerun goes on from them.

A file is written under another name, flushed and then renamed, so that whatever has its final name is whole.
It carries the fingerprint of its question, and so does the folder's manifest: what belongs to another
question is never taken for finished.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from influstat.errors import InvalidArgument, PartitionError
from influstat.partitioned.answers.lock import LOCK, only_writer
from influstat.partitioned.answers.part import Ask, Failed, Part
from influstat.partitioned.block import Block
from influstat.partitioned.sources.parquet import pyarrow_parquet

MANIFEST = "_influstat.json"  # readers of a folder leave names with _ out
KEY = b"influstat"
UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class Folder:
    """Where an answer is written."""

    path: str  # the folder
    token: str  # the fingerprint of question and data

    def file(self, partition: int) -> Path:
        """Return the file of a partition."""
        return Path(self.path) / f"part-{partition:06d}.parquet"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder and hold it for one writer, or raise where it cannot be written to or is held."""
        folder = Path(self.path)
        with ExitStack() as stack:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(only_writer(folder))
            except PartitionError:
                raise
            except OSError as error:
                raise self._unwritable(error) from error
            yield

    def _unwritable(self, error: OSError) -> PartitionError:
        return PartitionError(f"{self.path} cannot be written to: {error}. Choose a folder that can be.")

    def prepare(self, described: dict[str, Any]) -> None:
        """Begin with the folder, or raise where it cannot be written to or holds something else."""
        folder = Path(self.path)
        try:
            manifest = folder / MANIFEST
            if manifest.exists():
                self._require_same(json.loads(manifest.read_text(encoding="utf-8")))
            elif any(not one.name.endswith((UNFINISHED, LOCK)) for one in folder.iterdir()):
                was = f"is {self.path!r}, which holds other files"
                raise InvalidArgument("path", "be a new or empty folder", was, "Choose another folder.")
            for left in folder.glob(f"*{UNFINISHED}"):
                left.unlink()
            text = json.dumps({"question": self.token, **described}, indent=1)
            self._replace(manifest, lambda path: Path(path).write_text(text, encoding="utf-8"))
        except OSError as error:
            raise self._unwritable(error) from error
        except ValueError as error:
            if isinstance(error, InvalidArgument):
                raise
            raise PartitionError(
                f"{folder / MANIFEST} cannot be read: {error}. Choose a new folder."
            ) from error

    def _require_same(self, known: Any) -> None:
        if not isinstance(known, dict):
            raise PartitionError(
                f"{Path(self.path) / MANIFEST} cannot be read: it holds no object. Choose a new folder."
            )
        if known.get("question") != self.token:
            raise InvalidArgument(
                "path",
                "hold the answer to this question, or nothing",
                f"is {self.path!r}, which holds that to another ({known.get('quantity')}), or of other data",
                "Choose another folder, or empty this one.",
            )

    def finished(self, partition: int) -> bool:
        """Tell whether the partition's answer to this very question is there, whole."""
        path = self.file(partition)
        if not path.exists():
            return False
        try:
            found = pyarrow_parquet().read_metadata(path).metadata or {}
        except (OSError, ValueError):
            return False
        return bool(found.get(KEY) == self._stamp(partition))

    def kind(self) -> str:
        """Return the type of the labels of a finished partition; "" where none is there."""
        file = next(Path(self.path).glob("*.parquet"), None)
        return "" if file is None else str(pyarrow_parquet().read_schema(file).types[-1])

    def alike(self, kind: str, written: Written) -> str:
        """Return the type of labels, or take the partition back whose labels have another."""
        if kind and written.kind and written.kind != kind:
            self.file(written.partition).unlink()
            raise InvalidArgument(
                "labels",
                "be of one kind in all partitions, whose files are read as one table",
                f"holds {written.kind} in partition {written.partition}, and {kind} in others",
                "Convert them all, e.g. to text.",
            )
        return kind or written.kind

    def _stamp(self, partition: int) -> bytes:
        return f"{self.token} {partition}".encode()

    def write(self, partition: int, parts: Iterable[Part]) -> Written:
        """Write the answer of one partition, a row group for each of its parts; nothing without rows."""
        known, done = iter(parts), Written(partition, 0, Failed())
        first = next((part for part in known if len(part.positions)), None)
        if first is None:
            return done
        stamp = self._stamp(partition)

        def content(path: str) -> None:
            nonlocal done
            table = _stamped(first, stamp)
            done = replace(done, kind=str(table.schema.types[-1]))
            # With checksums: readers that verify them notice bytes that have changed since.
            made = pyarrow_parquet().ParquetWriter(path, table.schema, write_page_checksum=True)
            with made as writer:
                writer.write_table(table)
                done = done.plus(first)
                for part in known:
                    writer.write_table(_stamped(part, stamp, table.schema))
                    done = done.plus(part)

        try:
            self._replace(self.file(partition), content)
        except OSError as error:
            if isinstance(error, PartitionError):
                raise
            raise PartitionError(
                f"The answer of partition {partition} could not be written to {self.path}: {error}. "
                "Make room, and ask again: partitions that are finished are kept."
            ) from error
        return done

    def _replace(self, path: Path, write: Any) -> None:
        """Write under another name, flush, and rename; leave nothing behind where that fails."""
        other = path.with_name(f"{path.name}.{uuid4().hex}{UNFINISHED}")
        try:
            write(str(other))
            with other.open("rb+") as file:
                os.fsync(file.fileno())
            other.replace(path)
        finally:
            other.unlink(missing_ok=True)


@dataclass(frozen=True)
class Written:
    """What was written of a partition."""

    partition: int
    rows: int
    failed: Failed
    kind: str = ""  # of its labels, which are the last column of the file
    left: None = None  # no row waits
    entries: int = 0

    def plus(self, part: Part) -> Written:
        """Return the same with one more part."""
        return replace(self, rows=self.rows + len(part.positions), failed=self.failed.plus(part.failed))


def _stamped(part: Part, stamp: bytes, schema: Any = None) -> Any:
    """Return the part as a table of pyarrow, of the schema of the first where given, with the fingerprint."""
    import pyarrow as pa

    try:
        table = pa.Table.from_pandas(part.frame(), schema=schema)
    except (pa.ArrowException, KeyError) as error:
        raise PartitionError(
            f"An answer has no form in Parquet: {error}. Make the labels of one kind."
        ) from error
    return table.replace_schema_metadata({**(table.schema.metadata or {}), KEY: stamp})


@dataclass(frozen=True, eq=False)
class Writing:
    """Answer and write one partition where it is read; one that leaves rows comes back to be finished."""

    ask: Ask
    folder: Folder

    def __call__(self, partition: int, block: Block) -> Written | Part:
        """Return what was written, or the part."""
        if not self.ask.question.leaves:
            return self.folder.write(partition, self.ask.pieces(partition, block))
        part = self.ask(partition, block)
        return self.folder.write(partition, [part]) if part.left is None else part
