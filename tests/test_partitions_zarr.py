"""Answers as one Zarr array: all pairs of rows and tests, in blocks, however the rows are cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import influstat as ist
from influstat.errors import InvalidArgument, PartitionError
from tests.budget import examples
from tests.partition_cases import CLOSE, LABELS, LT, XT, N, X, cuts, pieces

zarr = pytest.importorskip("zarr", minversion="3.0")

WHOLE = ist.Logistic(lam=0.5).fit(X, LABELS)
PAIRS = WHOLE.influence().on_loss(XT, LT).removal


def answer(**cut):
    data = ist.partitions(X, LABELS, **cut)
    return ist.Logistic(lam=0.5).fit(data).influence().on_loss(XT, LT)


@examples(10)
@given(sizes=cuts(), rows=st.integers(1, 70), piece=st.integers(1, 30))
def test_all_pairs_are_those_in_memory(sizes, rows, piece, tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "answer"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("influstat.partitioned.answers.zarr.ENTRIES", 4 * rows)
        patch.setattr("influstat.partitioned.answers.zarr.FEWEST", 1)
        patch.setattr("influstat.partitioned.answers.part.PIECE", 4 * piece)
        patch.setattr("influstat.partitioned.answers.part.FEWEST", 1)
        fit = ist.Logistic(lam=0.5).fit(pieces(sizes, LABELS))
        fit.influence().on_loss(XT, LT).to_zarr(path)
    found = zarr.open_array(path, mode="r")
    assert found.shape == (N, 4)
    assert found.attrs["finished"] is True
    assert found.attrs["columns"] == ["0", "1", "2", "3"]
    np.testing.assert_allclose(found[:], PAIRS, **CLOSE)


@pytest.mark.parametrize("runner", ["serial", 3])
def test_threads_write_side_by_side(runner, tmp_path, monkeypatch):
    monkeypatch.setattr("influstat.partitioned.answers.zarr.ENTRIES", 12)
    monkeypatch.setattr("influstat.partitioned.answers.zarr.FEWEST", 1)
    answer(rows=[1, 0, 17, 20, 22], runner=runner).to_zarr(tmp_path / "a")
    np.testing.assert_allclose(zarr.open_array(tmp_path / "a", mode="r")[:], PAIRS, **CLOSE)


def test_refits_are_written_as_well(tmp_path):
    fit = ist.Logistic(lam=0.5).fit(ist.partitions(X, LABELS, rows=7))
    fit.leave_one_out().delta().to_zarr(tmp_path / "a")
    memory = WHOLE.leave_one_out().delta
    np.testing.assert_allclose(zarr.open_array(tmp_path / "a", mode="r")[:], memory, **CLOSE)


def test_a_store_goes_on_from_what_is_finished(tmp_path, monkeypatch):
    one, calls = answer(rows=7, runner="serial"), []
    write = ist.partitioned.answers.zarr.Store.write

    def full(self, start, values):
        calls.append(start)
        if len(calls) == 4:
            raise OSError(28, "No space left on device")
        write(self, start, values)

    with monkeypatch.context() as patch:
        patch.setattr("influstat.partitioned.answers.zarr.Store.write", full)
        with pytest.raises(PartitionError, match="No space left"):
            one.to_zarr(tmp_path / "a")
    half = zarr.open_array(tmp_path / "a", mode="r")
    assert half.attrs["finished"] is False
    assert np.isnan(half[:]).any()
    before = len(list((tmp_path / "a" / "_finished").iterdir()))
    assert 0 < before < 9
    one.to_zarr(tmp_path / "a")
    whole = zarr.open_array(tmp_path / "a", mode="r")
    assert whole.attrs["finished"] is True
    np.testing.assert_allclose(whole[:], PAIRS, **CLOSE)


def test_other_answers_and_files_are_not_written_over(tmp_path):
    answer(rows=7).to_zarr(tmp_path / "a")
    with pytest.raises(InvalidArgument, match="hold the answer to this question"):
        answer(rows=8).to_zarr(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.txt").write_text("mine")
    with pytest.raises(InvalidArgument, match="holds other files"):
        answer(rows=7).to_zarr(tmp_path / "b")
    (tmp_path / "file").write_text("")
    with pytest.raises(PartitionError, match="cannot be written to"):
        answer(rows=7).to_zarr(tmp_path / "file")
