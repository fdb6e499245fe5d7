"""One writer for a folder at a time: the system holds the lock, and lets it go when its process ends."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from influstat.errors import PartitionError

LOCK = "_influstat.lock"  # readers of a folder leave names with _ out
FAR = 2**30  # where the byte is that Windows locks
Take = Callable[[IO[str]], None]
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # what file systems without them answer


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the folder for this call alone, or raise naming who holds it."""
    # A process that was killed holds nothing: whatever it left is no obstacle. Some file systems have no
    # locks, and there every writer is taken for the only one.
    take = _taker()
    if take is None:
        yield
        return
    path = folder / LOCK
    file = _taken(path, take)
    try:
        yield
    finally:
        removed = _removed(path)  # while it is held: whoever waits for it looks again
        file.close()
        if not removed:
            _removed(path)


def _removed(path: Path) -> bool:
    """Remove the file; Windows does so only while nobody has it open. Left behind it is no obstacle."""
    try:
        path.unlink(missing_ok=True)
    except PermissionError:
        return False
    return True


def _taken(path: Path, take: Take) -> IO[str]:
    """Return the open file of the lock, which this call holds."""
    while True:
        file = path.open("a+", encoding="utf-8")
        if not _locked(file, take):
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


def _taker() -> Take | None:
    """Return what takes a lock of the system, or raises BlockingIOError; None where there is none."""
    try:
        import fcntl
    except ImportError:
        return _taker_of_bytes()
    return lambda file: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _taker_of_bytes() -> Take | None:
    """Return the same for Windows, which locks single bytes, against reading too: one far behind the text."""
    try:
        import msvcrt
    except ImportError:
        return None
    system: Any = msvcrt  # whose functions are known on Windows alone

    def take(file: IO[str]) -> None:
        os.lseek(file.fileno(), FAR, os.SEEK_SET)
        try:
            system.locking(file.fileno(), system.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(error.errno, "another process holds it") from error

    return take


def _locked(file: IO[str], take: Take) -> bool:
    """Take the lock if nobody holds it, and tell whether that was so."""
    try:
        take(file)
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
