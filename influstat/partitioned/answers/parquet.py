"""Answers as a folder of Parquet files: finished partitions are kept, and a rerun goes on from them.

A file is written under another name, flushed and then renamed, so that whatever has its final name is whole.
It carries the fingerprint of its question, and so does the folder's manifest: what belongs to another
question is never taken for finished.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from influstat.errors import InvalidArgument, PartitionError
from influstat.partitioned.answers.part import Ask, Failed, Part
from influstat.partitioned.block import Block
from influstat.partitioned.sources.parquet import pyarrow_parquet

MANIFEST = "influstat.json"
KEY = b"influstat"
UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class Folder:
    """Where an answer is written.

    Attributes
    ----------
    path : str
        The folder.
    token : str
        The fingerprint of question and data.
    """

    path: str
    token: str

    def file(self, partition: int) -> Path:
        """Return the file of a partition."""
        return Path(self.path) / f"part-{partition:06d}.parquet"

    def prepare(self, described: dict[str, Any]) -> None:
        """Make the folder, or raise where it cannot be written to or holds something else."""
        folder = Path(self.path)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            manifest = folder / MANIFEST
            if manifest.exists():
                self._require_same(json.loads(manifest.read_text(encoding="utf-8")))
            elif any(folder.iterdir()):
                was = f"is {self.path!r}, which holds other files"
                raise InvalidArgument("path", "be a new or empty folder", was, "Choose another folder.")
            for left in folder.glob(f"*{UNFINISHED}"):
                left.unlink()
            text = json.dumps({"question": self.token, **described}, indent=1)
            self._replace(manifest, lambda path: Path(path).write_text(text, encoding="utf-8"))
        except OSError as error:
            raise PartitionError(
                f"{self.path} cannot be written to: {error}. Choose a folder that can be."
            ) from error
        except ValueError as error:
            if isinstance(error, InvalidArgument):
                raise
            raise PartitionError(
                f"{folder / MANIFEST} cannot be read: {error}. Choose a new folder."
            ) from error

    def _require_same(self, known: dict[str, Any]) -> None:
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

    def _stamp(self, partition: int) -> bytes:
        return f"{self.token} {partition}".encode()

    def write(self, part: Part) -> Written:
        """Write the answer of one partition; nothing for one without rows."""
        if len(part.positions):
            import pyarrow as pa

            table = pa.Table.from_pandas(part.frame())
            stamp = {**(table.schema.metadata or {}), KEY: self._stamp(part.partition)}
            table = table.replace_schema_metadata(stamp)
            try:
                self._replace(
                    self.file(part.partition), lambda path: pyarrow_parquet().write_table(table, path)
                )
            except OSError as error:
                raise PartitionError(
                    f"The answer of partition {part.partition} could not be written to {self.path}: {error}. "
                    "Make room, and ask again: partitions that are finished are kept."
                ) from error
        return Written(part.partition, len(part.positions), part.failed)

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
    left: None = None  # no row waits
    entries: int = 0


@dataclass(frozen=True, eq=False)
class Writing:
    """Answer and write one partition where it is read; one that leaves rows comes back to be finished."""

    ask: Ask
    folder: Folder

    def __call__(self, partition: int, block: Block) -> Written | Part:
        """Return what was written, or the part."""
        part = self.ask(partition, block)
        return self.folder.write(part) if part.left is None else part
