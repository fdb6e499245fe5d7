"""Files of memory maps: what is read is what they hold, whatever is read before, meanwhile and afterwards."""

import os
import pickle
import signal
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import influstat as ist
from influstat.errors import PartitionError
from influstat.partitioned.sources import mapped
from influstat.partitioned.sources.mapped import PAGE, MappedFile

WAYS = {"from the cache": np.inf, "past the cache": 0.0}


@pytest.fixture(params=WAYS)
def way(request, monkeypatch, tmp_path):
    monkeypatch.setattr(mapped, "KEPT", WAYS[request.param])
    (tmp_path / "probe").write_bytes(b"0" * PAGE)
    if request.param == "past the cache" and not mapped._past_cache(str(tmp_path / "probe")):
        pytest.skip("this disk or system reads through its cache only")
    return request.param


def written(folder, values, offset=0):
    """Return a map of values in a file behind a header of so many bytes."""
    path = folder / "values"
    path.write_bytes(b"\0" * offset + values.tobytes())
    return np.memmap(path, values.dtype, "r", offset, values.shape)


@pytest.mark.parametrize("offset", [0, 128, 3, PAGE, PAGE + 8])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_rows_are_those_of_the_file(way, tmp_path, dtype, offset):
    values = np.arange(3000, dtype=dtype).reshape(1000, 3)
    file = MappedFile(written(tmp_path, values, offset))
    for rows in (slice(0, 1), slice(5, 5), slice(0, 1000), slice(400, 999), slice(999, 1000)):
        file.expect(rows)
        np.testing.assert_array_equal(file[rows], values[rows])
        np.testing.assert_array_equal(file[rows], values[rows])  # not expected this time


CUTS = st.lists(st.tuples(st.integers(0, 199), st.integers(0, 60), st.booleans()), min_size=1, max_size=20)


@given(cuts=CUTS, kept=st.sampled_from(sorted(WAYS.values())))
def test_arrays_that_are_kept_are_not_written_to(tmp_path_factory, cuts, kept):
    values = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapped, "KEPT", kept)
        file = MappedFile(written(tmp_path_factory.mktemp("map"), values))
    held = []
    for start, count, keep in cuts:
        rows = slice(start, start + count)
        file.expect(rows)
        if keep:  # a view of a view is enough
            held.append((rows, file[rows][:, 1:][::-1]))
        for earlier, view in held:
            np.testing.assert_array_equal(view[::-1], values[earlier, 1:])
        if len(held) > 3:
            del held[0]


def test_memory_is_used_again_once_nobody_has_it(way, tmp_path):
    file = MappedFile(written(tmp_path, np.arange(4096.0).reshape(1024, 4)))
    places = set()
    for start in range(0, 1024, 128):  # a page each
        found = file[start : start + 128]
        places.add(found.ctypes.data)
        del found
    assert len(places) == 1
    first, second = file[0:128], file[128:256]
    assert not np.shares_memory(first, second)


def test_many_threads_read_what_they_ask_for(way, tmp_path):
    values = np.random.default_rng(1).normal(size=(4096, 7))
    file, wrong = MappedFile(written(tmp_path, values)), []

    def read(seed):
        for start in np.random.default_rng(seed).integers(0, 4000, 200):
            rows = slice(int(start), int(start) + 96)
            if seed % 2:
                file.expect(rows)
            if not np.array_equal(file[rows], values[rows]):
                wrong.append(rows)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_was_expected_before_a_rest_is_read_anew(way, tmp_path):
    values = np.ones((10, 2))
    file = MappedFile(written(tmp_path, values))
    file.expect(slice(0, 5))
    file.rest()
    (tmp_path / "values").write_bytes((2.0 * values).tobytes())
    np.testing.assert_array_equal(file[0:5], 2.0 * values[:5])


@pytest.mark.parametrize("expected", [False, True])
def test_a_file_that_was_cut_is_said_to_be(way, tmp_path, expected):
    file = MappedFile(written(tmp_path, np.ones((1000, 2))))
    os.truncate(tmp_path / "values", 9000)  # within a page
    for rows, has in ((slice(0, 1000), 1125), (slice(500, 600), 125), (slice(900, 1000), 0)):
        if expected:
            file.expect(rows)
        with pytest.raises(PartitionError, match=f"^[^ ]*values ends after {has} of the .* Write it anew.$"):
            file[rows]
    np.testing.assert_array_equal(file[0:500], 1.0)


def test_a_pickle_has_none_of_the_memory(way, tmp_path):
    values = np.arange(2e5).reshape(-1, 2)
    file = MappedFile(written(tmp_path, values))
    file.expect(slice(0, 9))
    assert len(file[0 : len(values)]) == len(values)
    text = pickle.dumps(file)
    assert len(text) < 1000
    np.testing.assert_array_equal(pickle.loads(text)[3:7], values[3:7])


@pytest.mark.parametrize("runner", ["serial", 2])
def test_a_pass_reads_each_partition_once(way, tmp_path, monkeypatch, runner):
    x = np.random.default_rng(2).normal(size=(1000, 3))
    y = (np.arange(1000) % 2).astype(float)
    data = ist.partitions(written(tmp_path, x), y, rows=7, runner=runner)  # 143 of them, in spans of 3
    risk = ist.PartitionedRisk(ist.LogisticLoss(), data, penalty=ist.L2(1.0))
    read, once = [], MappedFile._read
    monkeypatch.setattr(
        MappedFile, "_read", lambda file, span, memory: read.append(span) or once(file, span, memory)
    )
    value = risk.value(np.full(3, 0.1))
    assert sorted(read) == [(start, min(start + 7, 1000)) for start in range(0, 1000, 7)]
    whole = ist.LinearRisk(ist.LogisticLoss(), x, y, penalty=ist.L2(1.0)).value(np.full(3, 0.1))
    np.testing.assert_allclose(value, whole, rtol=1e-13)  # 1,000 terms of like size, summed in another order


def at_hand(*_):
    return 1


def from_the_disk(*_):
    raise BlockingIOError


def no_such_flag(*_):
    raise OSError(95, "Operation not supported")


@pytest.mark.parametrize("answer", [at_hand, from_the_disk, no_such_flag, None])
def test_rows_that_the_system_has_are_not_read_ahead(tmp_path, monkeypatch, answer):
    values, readers, once = np.arange(12.0).reshape(6, 2), [], MappedFile._read

    def noted(file, span, memory):
        readers.append(threading.current_thread())
        return once(file, span, memory)

    monkeypatch.setattr(MappedFile, "_read", noted)
    file = MappedFile(written(tmp_path, values))
    if answer is None:
        monkeypatch.delattr(os, "preadv", raising=False)  # as on other systems
    else:
        monkeypatch.setattr(os, "preadv", answer, raising=False)
    file.expect(slice(0, 4))
    np.testing.assert_array_equal(file[0:4], values[:4])
    assert len(readers) == 1
    assert (readers[0] is threading.current_thread()) is (answer is at_hand)


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="this system does not tell")
def test_rows_that_were_just_written_or_read_are_at_hand(tmp_path):
    file = MappedFile(written(tmp_path, np.ones((10_000, 5))))
    try:
        with (tmp_path / "values").open("rb", buffering=0) as known:
            os.preadv(known.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT)
    except OSError:
        pytest.skip("this disk does not tell")
    assert file._at_hand((0, 10_000))
    assert file._at_hand((5, 5))


def test_a_disk_that_reads_through_its_cache_only(tmp_path, monkeypatch):
    monkeypatch.setattr(mapped, "KEPT", 0.0)
    monkeypatch.setattr(mapped, "_direct", lambda path, flags: os.open(path + " has no such flag", flags))
    values = np.arange(12.0).reshape(6, 2)
    file = MappedFile(written(tmp_path, values))
    assert not file._past_cache
    np.testing.assert_array_equal(file[2:5], values[2:5])


def test_a_disk_that_opens_files_so_and_then_does_not_read_them(tmp_path, monkeypatch):
    monkeypatch.setattr(mapped, "KEPT", 0.0)
    monkeypatch.setattr(mapped, "_direct", lambda path, flags: os.open(path, os.O_WRONLY))
    values = np.arange(12.0).reshape(6, 2)
    file = MappedFile(written(tmp_path, values))
    assert not file._past_cache
    np.testing.assert_array_equal(file[2:5], values[2:5])


def test_a_pickle_is_read_as_the_disk_of_its_machine_reads(tmp_path, monkeypatch):
    values = np.arange(12.0).reshape(6, 2)
    monkeypatch.setattr(mapped, "KEPT", 0.0)
    monkeypatch.setattr(mapped, "_past_cache", lambda path: True)
    text = pickle.dumps(MappedFile(written(tmp_path, values)))
    monkeypatch.setattr(mapped, "_past_cache", lambda path: False)
    monkeypatch.setattr(mapped, "_direct", lambda path, flags: os.open(path + " has no such flag", flags))
    np.testing.assert_array_equal(pickle.loads(text)[2:5], values[2:5])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_reads_what_its_parent_expects_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(mapped, "KEPT", 0.0)
    monkeypatch.setattr(mapped, "_past_cache", lambda path: True)
    monkeypatch.setattr(mapped, "_direct", os.open)
    values, forked, once = np.arange(12.0).reshape(6, 2), threading.Event(), MappedFile._read

    def late(file, span, memory):
        if threading.current_thread().name.startswith("influstat-reads"):
            forked.wait()
        return once(file, span, memory)

    monkeypatch.setattr(MappedFile, "_read", late)
    file = MappedFile(written(tmp_path, values))
    file.expect(slice(0, 5))
    child = os.fork()
    if not child:
        signal.alarm(10)  # one that waits for ever is ended by it
        try:
            same = np.array_equal(file[0:5], values[:5])
        finally:
            os._exit(0 if same else 1)
    forked.set()
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_array_equal(file[0:5], values[:5])
