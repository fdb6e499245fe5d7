"""Parquet out: answers are whole or not there, and a rerun goes on from finished partitions."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import influstat as ist
from influstat.errors import InvalidArgument, InvalidType, PartitionError
from influstat.partitioned.answers import parquet as store
from tests.budget import some
from tests.parquet_cases import TABLE, answers, logistic, written
from tests.partition_cases import CLOSE, LABELS, LT, XT, X, pieces

pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder that no test changes."""
    return written(tmp_path_factory.mktemp("rows") / "data")


@pytest.fixture(scope="module")
def fit(folder):
    return logistic(folder)


@pytest.mark.dear
@pytest.mark.parametrize("name", ["influence", "exact", "newton"])
def test_an_answer_is_written_and_read_back(name, fit, tmp_path):
    answer = answers(fit)[name]
    path = answer.to_parquet(tmp_path / "out")
    frame = answer.to_frame()
    found = pd.concat([pd.read_parquet(file) for file in sorted(path.glob("*.parquet"))])
    pd.testing.assert_frame_equal(found, frame, check_dtype=False)
    assert found.index.tolist() == TABLE["id"].tolist()
    manifest = json.loads((path / store.MANIFEST).read_text())
    assert manifest["columns"] == list(answer.columns)
    assert manifest["partitions"] == 6


def test_partitions_without_rows_have_no_file(tmp_path):
    fit = ist.Logistic(lam=0.5).fit(pieces([0, 30, 0, 30], LABELS))
    fit.influence().on_self().to_parquet(tmp_path / "out")
    assert len(list((tmp_path / "out").glob("part-*"))) == 2


def stopping(monkeypatch, after, error):
    """Let the writing of a file fail after so many."""
    written, write = [], store.Folder._replace

    def broken(self, path, content):
        if path.suffix == ".parquet":
            if len(written) == after:

                def half(other):
                    Path(other).write_bytes(b"PAR1half")
                    raise error

                return write(self, path, half)
            written.append(path)
        return write(self, path, content)

    monkeypatch.setattr(store.Folder, "_replace", broken)


@pytest.mark.parametrize(
    ("name", "after"),
    some([("influence", 1), ("influence", 0), ("influence", 5), ("exact", 2), ("newton", 3)]),
)
def test_a_rerun_goes_on_from_what_is_finished(name, after, fit, folder, tmp_path, monkeypatch):
    answer = answers(fit)[name]
    with monkeypatch.context() as patch:
        stopping(patch, after, OSError(28, "No space left on device"))
        with pytest.raises(PartitionError, match="could not be written.*No space left.*Make room"):
            answer.to_parquet(tmp_path / "out")
    files = sorted((tmp_path / "out").glob("*"))
    assert len(files) == after + 1  # the manifest, and no half-written file
    times = {file: file.stat().st_mtime_ns for file in files}
    path = answers(logistic(folder))[name].to_parquet(tmp_path / "out")  # as a new process would ask
    assert all(file.stat().st_mtime_ns == times[file] for file in files if file.suffix == ".parquet")
    found = pd.concat([pd.read_parquet(file) for file in sorted(path.glob("*.parquet"))])
    pd.testing.assert_frame_equal(found, answer.to_frame(), check_dtype=False)


def test_an_interrupt_keeps_what_is_finished(fit, tmp_path, monkeypatch):
    answer = answers(fit)["influence"]
    stopping(monkeypatch, 3, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        answer.to_parquet(tmp_path / "out")
    assert len(list((tmp_path / "out").glob("*.parquet"))) == 3
    assert not list((tmp_path / "out").glob("*.unfinished"))


def test_half_written_and_foreign_files_are_not_taken_for_finished(fit, tmp_path):
    answer = answers(fit)["influence"]
    path = answer.to_parquet(tmp_path / "out")
    whole = answer.to_frame()
    (path / "part-000001.parquet").write_bytes(b"PAR1 half of a file")
    (path / "part-000002.parquet").write_bytes((path / "part-000003.parquet").read_bytes())
    (path / "part-000004.parquet.abc.unfinished").write_bytes(b"PAR1")
    pd.DataFrame({"x": [1.0]}).to_parquet(path / "part-000005.parquet")
    answer.to_parquet(path)
    found = pd.concat([pd.read_parquet(file) for file in sorted(path.glob("*.parquet"))])
    pd.testing.assert_frame_equal(found, whole, check_dtype=False)
    assert not list(path.glob("*.unfinished"))


def test_the_folder_of_another_question_is_refused(fit, folder, tmp_path):
    fit.influence().on_loss(XT, LT).to_parquet(tmp_path / "out")
    others = (
        fit.influence().on_loss(XT + 0.1, LT),
        fit.influence().on_theta(),
        fit.leave_one_out().delta(),
        logistic(folder, columns=["a", "b", "c"], labels=None).influence().on_loss(XT, LT),
        ist.Logistic(lam=0.6).fit(fit.risk.data).influence().on_loss(XT, LT),
    )
    for other in others:
        with pytest.raises(InvalidArgument, match="path must hold the answer to this question"):
            other.to_parquet(tmp_path / "out")
    with pytest.raises(InvalidArgument, match="path must be a new or empty folder"):
        fit.influence().on_theta().to_parquet(folder)


def test_a_folder_that_cannot_be_written_to_is_named(fit, tmp_path):
    answer = answers(fit)["influence"]
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(PartitionError, match="cannot be written to"):
        answer.to_parquet(tmp_path / "file")
    with pytest.raises(InvalidType, match="path must be a path"):
        answer.to_parquet(3)
    out = answer.to_parquet(tmp_path / "out")
    (out / store.MANIFEST).write_text("{ half")
    with pytest.raises(PartitionError, match="_influstat.json cannot be read"):
        answer.to_parquet(out)


KILLED = """
import sys
import numpy as np
import influstat as ist
from influstat.partitioned.answers import parquet as store
from influstat.partitioned.answers.fingerprint import fingerprint
write = store.Folder.write
def slowly(self, partition, parts):
    done = write(self, partition, parts)
    print(partition, flush=True)
    sys.stdin.readline()  # goes on when it is told to
    return done
store.Folder.write = slowly
x = np.arange(3000.0).reshape(-1, 3) % 7
fit = ist.Ridge(lam=1.0).fit(ist.partitions(x, x[:, 0] % 3, rows=50, runner="serial"))
fit.leave_one_out().delta().to_parquet(sys.argv[1])
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_from_what_it_has_written(tmp_path):
    run = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "out")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    for _ in range(3):
        run.stdout.readline()
        print(file=run.stdin, flush=True)
    run.kill()
    run.communicate()
    files = sorted((tmp_path / "out").glob("*.parquet"))
    assert 3 <= len(files) < 20
    times = [file.stat().st_mtime_ns for file in files]
    x = np.arange(3000.0).reshape(-1, 3) % 7
    fit = ist.Ridge(lam=1.0).fit(ist.partitions(x, x[:, 0] % 3, rows=50, runner="serial"))
    started = time.time_ns()
    path = fit.leave_one_out().delta().to_parquet(tmp_path / "out")
    assert [file.stat().st_mtime_ns for file in files] == times
    assert all(one < started for one in times)
    found = pd.concat([pd.read_parquet(file) for file in sorted(path.glob("*.parquet"))])
    whole = ist.Ridge(lam=1.0).fit(x, x[:, 0] % 3).leave_one_out().delta
    np.testing.assert_allclose(found[["x0", "x1", "x2"]], whole, **CLOSE)


def test_labels_are_of_one_kind_in_all_files(tmp_path):
    texts = {"X": X, "y": LABELS, "labels": [f"r{k}" for k in range(60)]}
    numbers = {"X": X, "y": LABELS, "labels": np.arange(60)}
    answer = ist.Ridge().fit(ist.partitions(lambda: [numbers, texts])).influence().on_theta()
    for _ in range(2):  # asked again, too: the file is not there
        with pytest.raises(
            InvalidArgument, match="labels must be of one kind.*string in partition 1, and int64"
        ):
            answer.to_parquet(tmp_path / "answer")
    with pytest.raises(InvalidArgument, match="labels of partition 0 must be one-dimensional"):
        ist.Ridge().fit(ist.partitions(lambda: [{**numbers, "labels": X}]))
    with pytest.raises(InvalidArgument, match="path must be a name that files can have"):
        answer.to_parquet(tmp_path / "a\udc80")


def test_other_labels_of_the_same_numbers_are_another_answer(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.integers(-3, 4, (40, 2)).astype(float), rng.integers(0, 5, 40).astype(float)

    def answer(labels, order=slice(None)):
        data = ist.partitions(X[order], y[order], rows=40, labels=labels)
        return ist.Ridge(lam=1.0).fit(data).influence().on_theta()

    path = answer(np.arange(40)).to_parquet(tmp_path / "answer")
    assert len(pd.read_parquet(path)) == 40  # the folder as it is
    for other in (answer(np.arange(40) + 1000), answer(np.arange(40), slice(None, None, -1))):
        with pytest.raises(InvalidArgument, match="path must hold the answer to this question"):
            other.to_parquet(path)
    answer(np.arange(40)).to_parquet(path)
    with pytest.raises(PartitionError, match="no form in Parquet"):
        answer(np.array(["a", 1] * 20, dtype=object)).to_parquet(tmp_path / "mixed")


@pytest.mark.parametrize("text", ["[]", "null", '"x"'])
def test_a_manifest_that_is_no_object_is_named(tmp_path, text):
    (tmp_path / store.MANIFEST).write_text(text)
    fit = ist.Ridge(lam=1.0).fit(ist.partitions(np.ones((4, 1)), np.arange(4.0), rows=2))
    with pytest.raises(PartitionError, match="cannot be read"):
        fit.influence().on_theta().to_parquet(tmp_path)


def test_a_folder_left_before_its_manifest_was_whole_is_gone_on_with(tmp_path):
    (tmp_path / f"{store.MANIFEST}.1234{store.UNFINISHED}").write_text("{")
    fit = ist.Ridge(lam=1.0).fit(ist.partitions(np.ones((4, 1)), np.arange(4.0), rows=2))
    assert len(pd.read_parquet(fit.influence().on_theta().to_parquet(tmp_path))) == 4
    assert not list(tmp_path.glob(f"*{store.UNFINISHED}"))
