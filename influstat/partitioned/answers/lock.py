"""One writer for a folder at a time: the system holds the lock, and lets it go when its process ends."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from influstat.errors import PartitionError

LOCK = "_influstat.lock"  # readers of a folder leave names with _ out
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # what file systems without them answer


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the folder for this call alone, or raise naming who holds it.

    A process that was killed holds nothing: whatever it left is no obstacle. Systems and file systems
    without `flock` have no such lock, and there every writer is taken for the only one.

    Raises
    ------
    PartitionError
        Another process, or another thread of this one, writes to the folder.
    OSError
        The folder cannot be written to.
    """
    if _locks() is None:
        yield
        return
    file = _taken(folder / LOCK)
    try:
        yield
    finally:
        (folder / LOCK).unlink(missing_ok=True)  # while it is held: whoever waits for it looks again
        file.close()


def _taken(path: Path) -> IO[str]:
    """Return the open file of the lock, which this call holds."""
    while True:
        file = path.open("a+", encoding="utf-8")
        if not _locked(file):
            holder = _holder(file)
            file.close()
            raise PartitionError(
                f"{path.parent} is being written to by {holder}. Wait for it, or choose another folder."
            )
        try:
            current = os.path.samestat(path.stat(), os.fstat(file.fileno()))
        except FileNotFoundError:  # its last holder has just removed it
            current = False
        if current:
            break
        file.close()
    file.seek(0)
    file.truncate()
    since = datetime.now().astimezone().isoformat(timespec="seconds")
    json.dump({"process": os.getpid(), "host": socket.gethostname(), "since": since}, file)
    file.flush()
    return file


def _locks() -> Any:
    """Return the system's locks of files; None where it has none."""
    try:
        import fcntl
    except ImportError:
        return None
    return fcntl


def _locked(file: IO[str]) -> bool:
    """Take the lock if nobody holds it, and tell whether that was so."""
    locks = _locks()
    try:
        locks.flock(file, locks.LOCK_EX | locks.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            file.close()
            raise
    return True


def _holder(file: IO[str]) -> str:
    """Return who holds the lock, in words."""
    file.seek(0)
    try:
        known: dict[str, Any] = json.loads(file.read())
        return f"process {known['process']} on {known['host']} since {known['since']}"
    except (ValueError, KeyError, TypeError):  # it is just being written
        return "another process"
