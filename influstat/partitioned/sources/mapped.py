"""`MappedFile`: rows of a memory map, read from its file piece by piece into memory that is used again."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import PartitionError

PAGE = 4096  # bytes: what is read past the system's cache begins and ends at multiples, in file and memory
KEPT = 0.5  # of the machine's memory: larger files the system does not keep from one pass to the next
Span = tuple[int, int]  # first row, and the one after the last


class MappedFile:
    """The rows of a `np.memmap`, read from its file: pages of a map would count as memory of this process.

    A piece is read into memory that an earlier piece has left: to get fresh memory takes as long as to read.
    A file that the system would not keep is read past its cache, whose upkeep takes the processor longer than
    sums over the rows. A piece that comes from the disk is read while a thread works on the one before.
    """

    def __init__(self, array: np.memmap[Any, Any]) -> None:
        self.path, self.start = str(array.filename), array.offset
        self.dtype, self.shape, self.writable = array.dtype, array.shape, array.flags.writeable
        self._row_bytes = array.dtype.itemsize * int(np.prod(array.shape[1:], dtype=np.int64))
        self._settle()

    def _settle(self) -> None:
        """Find out how this process reads the file, and begin without memory."""
        self._past_cache = self._row_bytes * self.shape[0] > KEPT * _memory() and _past_cache(self.path)
        self._pieces = _Pieces()

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs: none of the memory."""
        return {**self.__dict__, "_pieces": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take it over, with memory of this process, on a machine that may have another disk."""
        self.__dict__.update(state)
        self._settle()

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        """Return consecutive rows."""
        span, pieces = self._span(rows), self._own_pieces()
        coming = pieces.claim(span)
        try:
            return self._read(span, pieces.spare()) if coming is None else coming.result()
        except PartitionError:  # which is an OSError, and says what is wrong
            raise
        except OSError as error:
            raise PartitionError(
                f"{self.path} cannot be read: {error}. Put it back, and ask again."
            ) from error

    def expect(self, rows: slice) -> None:
        """Begin to read rows that are asked for soon, while threads work on others."""
        span = self._span(rows)
        if self._past_cache or not self._at_hand(span):
            self._own_pieces().expect(span, self._read)

    def _at_hand(self, span: Span) -> bool:
        """Tell whether the system has the rows in memory, from where a thread copies them faster itself."""
        begin, size = self._bytes(span)
        try:
            with Path(self.path).open("rb", buffering=0) as file:
                for place in (begin, begin + size // 2, begin + max(0, size - 1)):
                    os.preadv(file.fileno(), [bytearray(1)], place, os.RWF_NOWAIT)  # raises rather than waits
        except (OSError, AttributeError):  # nor does every system or disk tell; what is wrong reading says
            return False
        return True

    def rest(self) -> None:
        """Let go of memory, and of what is expected: the file may be another when it is read again."""
        self._pieces = _Pieces()

    def _own_pieces(self) -> _Pieces:
        """Return those of this process: in one that was forked nobody reads what its parent expects."""
        if self._pieces.process != os.getpid():
            self._pieces = _Pieces()
        return self._pieces

    def _span(self, rows: slice) -> Span:
        start, stop, _ = rows.indices(self.shape[0])
        return start, stop

    def _bytes(self, span: Span) -> tuple[int, int]:
        """Return where rows begin in the file, and how many bytes they take."""
        return self.start + span[0] * self._row_bytes, (span[1] - span[0]) * self._row_bytes

    def _read(self, span: Span, memory: _Memory) -> NDArray[Any]:
        """Return rows in that memory."""
        begin, size = self._bytes(span)
        if not size:
            return np.empty((span[1] - span[0], *self.shape[1:]), self.dtype)
        before = begin % PAGE if self._past_cache else 0
        into = memory.of(-(-(before + size) // PAGE) * PAGE if self._past_cache else size)
        with open(self.path, "rb", buffering=0, opener=_direct if self._past_cache else None) as file:
            file.seek(begin - before)
            done = 0
            while done < before + size and (got := file.readinto(into[done:])):
                done += got
        numbers, has = size // self.dtype.itemsize, max(0, done - before) // self.dtype.itemsize
        if has < numbers:
            raise PartitionError(
                f"{self.path} ends after {has} of the {numbers} numbers of rows {span[0]} to {span[1] - 1}: "
                "it has been cut since it was mapped. Write it anew."
            )
        return memory.lend(into, self.dtype, (span[1] - span[0], *self.shape[1:]), before)


class _Memory:
    """Memory that is lent to one array at a time, and to the next once that and its views are gone."""

    def __init__(self) -> None:
        self._held = memoryview(b"")
        self._lent: weakref.ref[NDArray[Any]] | None = None  # None while it is read into

    @property
    def free(self) -> bool:
        """Whether nobody has an array in it, or reads one into it."""
        return self._lent is not None and self._lent() is None

    def take(self) -> None:
        """Say that it is read into from now on."""
        self._lent = None

    def of(self, size: int) -> memoryview:
        """Return so many bytes of it, which begin with a page."""
        if len(self._held) < size:
            fresh = np.empty(size + PAGE, np.uint8)
            self._held = fresh.data[-fresh.ctypes.data % PAGE :]
        return self._held[:size]

    def lend(self, into: memoryview, dtype: Any, shape: tuple[int, ...], offset: int) -> NDArray[Any]:
        """Return an array in it, from so many bytes on."""
        # Views of an array on foreign memory hold that array, so that it is gone only after all of them.
        flat = np.frombuffer(into, dtype, int(np.prod(shape)), offset)
        self._lent = weakref.ref(flat)
        return flat.reshape(shape)


class _Pieces:
    """Memory that pieces are read into, and those that are coming."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self._asked: set[Span] = set()  # by threads that were faster than was expected
        self._coming: dict[Span, Future[NDArray[Any]]] = {}
        self._memory: list[_Memory] = []
        self._lock = threading.Lock()

    def claim(self, span: Span) -> Future[NDArray[Any]] | None:
        """Return the piece that is coming, if it is."""
        with self._lock:
            self._asked.add(span)
            return self._coming.pop(span, None)

    def expect(self, span: Span, read: Callable[[Span, _Memory], NDArray[Any]]) -> None:
        """Begin to read a piece, unless that was asked for already."""
        with self._lock:
            if span not in self._asked and span not in self._coming:
                self._coming[span] = _readers(os.getpid()).submit(read, span, self._spare())

    def spare(self) -> _Memory:
        """Return memory that nobody uses; from now on the caller does."""
        with self._lock:
            return self._spare()

    def _spare(self) -> _Memory:
        piece = next((one for one in self._memory if one.free), None)
        if piece is None:
            self._memory.append(piece := _Memory())
        piece.take()
        return piece


def _direct(path: str, flags: int) -> int:
    """Open a file so that it is read past the system's cache."""
    return os.open(path, flags | os.O_DIRECT)


def _past_cache(path: str) -> bool:
    """Tell whether a file can be read so: not every system and disk offers it, and some only say so."""
    if not hasattr(os, "O_DIRECT"):
        return False
    try:
        with open(path, "rb", buffering=0, opener=_direct) as file:
            file.readinto(_Memory().of(PAGE))
    except OSError:
        return False
    return True


@cache
def _readers(process: int) -> ThreadPoolExecutor:
    """Return the threads of this process that read ahead: as many as processors, which they hardly use."""
    del process  # one that was forked has none of its parent's threads
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="influstat-reads")


@cache
def _memory() -> float:
    """Return the bytes of memory that this machine has; infinity where it does not say so."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return float("inf")
