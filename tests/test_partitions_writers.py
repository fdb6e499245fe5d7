"""One writer for an answer's folder at a time: others are refused by name, those that died hold nothing."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest

import influstat as ist
from influstat.errors import PartitionError
from influstat.partitioned.answers.lock import LOCK, only_writer
from tests.partition_cases import LABELS, X

pytest.importorskip("pyarrow")

HOLD = """
import sys, time
from pathlib import Path
from influstat.partitioned.answers.lock import only_writer
with only_writer(Path(sys.argv[1])):
    (Path(sys.argv[1]) / "part-000000.parquet.x.unfinished").write_bytes(b"half")
    print("held", flush=True)
    time.sleep(600)
"""


def answer():
    data = ist.partitions(X, LABELS, rows=7, runner="serial")
    return ist.Logistic(lam=0.5).fit(data).influence().on_self()


@pytest.fixture
def other(tmp_path):
    """A process that holds the folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout.readline().strip() == b"held"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.slow
def test_a_second_process_is_refused_by_name_and_one_that_died_holds_nothing(other, tmp_path):
    with pytest.raises(PartitionError, match=rf"being written to by process {other.pid} on .* since"):
        answer().to_parquet(tmp_path)
    assert (tmp_path / "part-000000.parquet.x.unfinished").exists()  # the other's, left alone
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert (tmp_path / LOCK).exists()  # left behind, and no obstacle
    answer().to_parquet(tmp_path)
    assert len(pd.read_parquet(tmp_path)) == len(X)
    assert not (tmp_path / LOCK).exists()
    assert not list(tmp_path.glob("*.unfinished"))


def test_threads_of_one_process_are_writers_too(tmp_path):
    found, errors, start = [], [], threading.Barrier(4)
    answers = [answer() for _ in range(4)]

    def write(one):
        start.wait()
        try:
            found.append(one.to_parquet(tmp_path / "answer"))
        except PartitionError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=write, args=(one,)) for one in answers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found
    assert len(found) + len(errors) == 4
    assert all(f"process {os.getpid()} on" in text or "another process" in text for text in errors)
    frame = pd.read_parquet(tmp_path / "answer")
    np.testing.assert_array_equal(frame["own loss"], answer().to_frame()["own loss"])


def test_a_lock_without_a_holder_in_it_is_named_all_the_same(tmp_path):
    with only_writer(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["process"] == os.getpid()
        (tmp_path / LOCK).write_text("")
        with pytest.raises(PartitionError, match="by another process"), only_writer(tmp_path):
            raise AssertionError("held twice")


def test_an_interrupt_lets_the_folder_go(tmp_path):
    with pytest.raises(KeyboardInterrupt), only_writer(tmp_path):
        raise KeyboardInterrupt
    with only_writer(tmp_path):
        assert (tmp_path / LOCK).exists()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_written_to_all_the_same(tmp_path, kind):
    with mock.patch("fcntl.flock", side_effect=OSError(kind, "no locks here")):
        answer().to_parquet(tmp_path)
    assert len(pd.read_parquet(tmp_path)) == len(X)
    with (
        mock.patch("fcntl.flock", side_effect=OSError(errno.EIO, "a broken disk")),
        pytest.raises(PartitionError, match="a broken disk"),
    ):
        answer().to_parquet(tmp_path)


def test_a_system_without_locks_leaves_no_file_of_one(tmp_path):
    with mock.patch.dict(sys.modules, {"fcntl": None, "msvcrt": None}), only_writer(tmp_path):
        assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="stands for what is there")
def test_windows_locks_a_byte_behind_the_text(tmp_path):
    import fcntl

    places = []

    def locking(number, how, count):
        assert (how, count) == (2, 1)
        places.append(os.lseek(number, 0, os.SEEK_CUR))
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:  # as Windows says it
            raise PermissionError(errno.EACCES, "Permission denied") from error

    windows = mock.Mock(LK_NBLCK=2, locking=locking)
    unlink = Path.unlink

    def while_open(path, **settings):
        if len(places) < 3:  # nobody removes a file there that is open
            places.append(-1)
            raise PermissionError(errno.EACCES, "used by another process")
        unlink(path, **settings)

    with mock.patch.dict(sys.modules, {"fcntl": None, "msvcrt": windows}):
        with mock.patch.object(Path, "unlink", while_open), only_writer(tmp_path):
            assert json.loads((tmp_path / LOCK).read_text())["process"] == os.getpid()
            with pytest.raises(PartitionError, match=f"process {os.getpid()} on"), only_writer(tmp_path):
                raise AssertionError("held twice")
        assert places == [2**30, 2**30, -1]
        assert not (tmp_path / LOCK).exists()
        answer().to_parquet(tmp_path)
    assert len(pd.read_parquet(tmp_path)) == len(X)


@pytest.mark.skipif(sys.platform == "win32", reason="no flock there")
def test_a_lock_that_its_holder_removes_while_another_takes_it_is_taken_anew(tmp_path):
    import fcntl

    take, times = fcntl.flock, []

    def late(file, how):
        if not times:
            (tmp_path / LOCK).unlink()
        times.append(how)
        take(file, how)

    with mock.patch("fcntl.flock", late), only_writer(tmp_path):
        assert (tmp_path / LOCK).exists()
        with pytest.raises(PartitionError, match="being written to"), only_writer(tmp_path):
            raise AssertionError("held twice")
    assert len(times) == 3
