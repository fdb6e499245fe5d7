"""Parquet in and out: answers are whole or not there, and a rerun goes on from finished partitions."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import influstat as ist
from influstat.errors import InvalidArgument, InvalidType, PartitionError
from influstat.partitioned.answers import parquet as store
from influstat.partitioned.answers.fingerprint import fingerprint
from tests.budget import some
from tests.partition_cases import CLOSE, LABELS, LT, XT, N, X, pieces

pq = pytest.importorskip("pyarrow.parquet")
pa = pytest.importorskip("pyarrow")
WHOLE = ist.Logistic(lam=0.5).fit(X, LABELS)
TABLE = pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=LABELS, id=[f"row {k}" for k in range(N)])


@pytest.fixture
def folder(tmp_path):
    """A folder of two files of several row groups, their columns in other orders."""
    path = tmp_path / "data"
    path.mkdir()
    pq.write_table(pa.Table.from_pandas(TABLE[:40]), path / "one.parquet", row_group_size=11)
    pq.write_table(pa.Table.from_pandas(TABLE[40:].iloc[:, ::-1]), path / "two.parquet", row_group_size=15)
    return path


def logistic(path, **settings):
    settings = {"labels": "id", "runner": "serial", **settings}
    return ist.Logistic(lam=0.5).fit(ist.partitions(path, "y", **settings))


def test_row_groups_are_partitions_and_columns_go_by_name(folder):
    fit = logistic(folder)
    assert fit.names == ("a", "b", "c")
    assert fit.risk.counted.rows.tolist() == [11, 11, 11, 7, 15, 5]
    np.testing.assert_allclose(fit.theta, WHOLE.theta, **CLOSE)
    assert fit.risk.data.source.block(4).X.dtype == np.float32
    paths = [folder / "one.parquet", str(folder / "two.parquet")]
    np.testing.assert_array_equal(logistic(paths).theta, fit.theta)
    few = ist.Logistic(lam=0.5).fit(ist.partitions(folder, "y", columns=["c", "a"]))
    np.testing.assert_allclose(few.theta, ist.Logistic(lam=0.5).fit(X[:, [2, 0]], LABELS).theta, **CLOSE)


def test_the_index_of_a_table_is_no_column_of_the_rows(tmp_path):
    TABLE.set_index("id").to_parquet(tmp_path / "file.parquet")
    fit = ist.Logistic(lam=0.5).fit(ist.partitions(tmp_path / "file.parquet", "y", labels="id"))
    assert fit.names == ("a", "b", "c")
    assert fit.influence().on_self().to_frame().index.tolist() == TABLE["id"].tolist()


def answers(fit):
    return {
        "influence": fit.influence().on_loss(XT, LT),
        "exact": fit.leave_one_out().loss_change(XT, LT),
        "newton": fit.leave_one_out(method="newton").delta(bounds=True),
    }


@pytest.mark.dear
@pytest.mark.parametrize("name", ["influence", "exact", "newton"])
def test_an_answer_is_written_and_read_back(name, folder, tmp_path):
    answer = answers(logistic(folder))[name]
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
def test_a_rerun_goes_on_from_what_is_finished(name, after, folder, tmp_path, monkeypatch):
    answer = answers(logistic(folder))[name]
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


def test_an_interrupt_keeps_what_is_finished(folder, tmp_path, monkeypatch):
    answer = answers(logistic(folder))["influence"]
    stopping(monkeypatch, 3, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        answer.to_parquet(tmp_path / "out")
    assert len(list((tmp_path / "out").glob("*.parquet"))) == 3
    assert not list((tmp_path / "out").glob("*.unfinished"))


def test_half_written_and_foreign_files_are_not_taken_for_finished(folder, tmp_path):
    answer = answers(logistic(folder))["influence"]
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


def test_fingerprints_tell_questions_apart():
    def power(k):
        return lambda y, eta: (y - eta) ** k

    values = [
        ist.L2(1.0), ist.L2(2.0), power(2), power(4), np.zeros(2), np.zeros((2, 1)), np.zeros(2, dtype="f4"),
        ["ab", "c"], ["a", "bc"], None, "None", TABLE, TABLE + TABLE, ist.NumericalLoss(power(2)),
        ist.NumericalLoss(power(4)), sp.csr_array(X[:2]), np.array([None, 1]),
    ]  # fmt: skip
    prints = [fingerprint(value) for value in values]
    assert len(set(prints)) == len(values)
    assert prints[2] == fingerprint(power(2))  # another function of the same code and enclosed values


@pytest.mark.slow
def test_fingerprints_are_the_same_in_any_process():
    code = "import influstat as ist; from influstat.partitioned.answers.fingerprint import fingerprint as f; "
    code += "print(f([ist.SmoothedHinge(0.1), ist.L2(1.0), lambda y: y + 1]))"
    runs = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in "ab"
    }
    assert len(runs) == 1


def test_the_folder_of_another_question_is_refused(folder, tmp_path):
    fit = logistic(folder)
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


def test_a_folder_that_cannot_be_written_to_is_named(folder, tmp_path):
    answer = answers(logistic(folder))["influence"]
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(PartitionError, match="cannot be written to"):
        answer.to_parquet(tmp_path / "file")
    with pytest.raises(InvalidType, match="path must be a path"):
        answer.to_parquet(3)
    out = answer.to_parquet(tmp_path / "out")
    (out / store.MANIFEST).write_text("{ half")
    with pytest.raises(PartitionError, match="_influstat.json cannot be read"):
        answer.to_parquet(out)


# -- what is wrong with files -----------------------------------------------------------------------------


def test_a_corrupted_file_is_named(folder):
    (folder / "two.parquet").write_bytes(b"PAR1 nothing else")
    with pytest.raises(PartitionError, match=r"two.parquet cannot be read as Parquet"):
        ist.partitions(folder, "y")


def test_a_corrupted_row_group_is_named(folder):
    data = ist.partitions(folder, "y", labels="id")
    whole = bytearray((folder / "two.parquet").read_bytes())
    whole[4:400] = b"\xff" * 396  # the first pages; the footer is as it was
    (folder / "two.parquet").write_bytes(bytes(whole))
    with pytest.raises(PartitionError, match=r"partition 4 \(two.parquet, row group 0\).*cannot be read"):
        ist.Logistic(lam=0.5).fit(data)


def test_files_with_other_columns_are_named(folder):
    TABLE.drop(columns="b").to_parquet(folder / "two.parquet")
    with pytest.raises(InvalidArgument, match=r"columns of partition 4 \(two.parquet.*is 'b'"):
        logistic(folder)
    TABLE.assign(b=TABLE["b"].astype(str)).to_parquet(folder / "two.parquet")
    with pytest.raises(InvalidType, match=r"columns of partition 4 \(two.parquet.*'b' of type"):
        logistic(folder)
    TABLE.assign(b=pd.Categorical(list("xyz") * (N // 3))).to_parquet(folder / "two.parquet")
    with pytest.raises(InvalidType, match="'b' of type category.*a partition need not hold them all"):
        logistic(folder)


def test_nan_in_a_partition_is_named(folder):
    bad = TABLE[40:].copy()
    bad.iloc[17, 1] = np.nan
    pq.write_table(pa.Table.from_pandas(bad), folder / "two.parquet", row_group_size=15)
    with pytest.raises(InvalidArgument, match=r"X of partition 5 \(two.*holds nan at row 2, column 1"):
        logistic(folder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": None}, "y must name a column of the table"),
        ({"y": "z"}, "y must name columns of the table, but it is 'z'"),
        ({"y": "y", "columns": ["a", "q"]}, "columns must name columns of the table, but it is 'q'"),
        ({"y": "y", "columns": "a"}, "columns must be a sequence of names"),
        ({"y": "y", "columns": []}, "columns must name a column"),
        ({"y": "y", "weights": "w"}, "weights must name columns of the table"),
        ({"y": "y", "weights": [1.0]}, "weights must be left out, or name a column"),
        ({"y": "y", "rows": 3}, "rows must be left out, or name a column"),
    ],
)
def test_columns_that_do_not_exist(arguments, message, folder):
    with pytest.raises((InvalidArgument, InvalidType), match=message):
        ist.partitions(folder, **arguments)


def test_paths_that_do_not_exist(tmp_path):
    with pytest.raises(InvalidArgument, match="data must be a file that exists"):
        ist.partitions(tmp_path / "nowhere.parquet", "y")
    with pytest.raises(InvalidArgument, match="data must be a file that exists"):
        ist.partitions("a" * 5000, "y")  # longer than any name
    with pytest.raises(InvalidArgument, match=r"data must be a folder of \*.parquet files"):
        ist.partitions(tmp_path, "y")
    pq.ParquetWriter(tmp_path / "empty.parquet", pa.schema([("a", pa.float64())])).close()
    with pytest.raises(InvalidArgument, match="data must hold rows"):
        ist.partitions(tmp_path, "a")


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


LEVELS = {"d": ["x", "y", "z"]}


def test_categories_have_levels_that_are_fixed_for_all_partitions(tmp_path):
    letters = np.array(["x"] * 20 + ["z", "y"] * 20)
    table = TABLE.drop(columns=["b", "id"]).assign(d=letters)
    for name, kind in (("text", str), ("category", "category")):
        pq.write_table(
            pa.Table.from_pandas(table.assign(d=table["d"].astype(kind))), tmp_path / name, row_group_size=15
        )
        fit = ist.Logistic(lam=0.5).fit(ist.partitions(tmp_path / name, "y", levels=LEVELS))
        assert fit.names == ("a", "c", "d[T.y]", "d[T.z]")
        design = np.column_stack([X[:, [0, 2]], letters == "y", letters == "z"]).astype(float)
        np.testing.assert_allclose(fit.theta, ist.Logistic(lam=0.5).fit(design, LABELS).theta, **CLOSE)
    few = {"d": ["x", "y"]}
    with pytest.raises(InvalidArgument, match="levels of partition 1.*hold every category of 'd'.*lacks 'z'"):
        ist.Logistic(lam=0.5).fit(ist.partitions(tmp_path / "text", "y", levels=few))


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ({"q": ["x", "y"]}, "levels must name columns of the table, but it is 'q'"),
        ({"a": ["x"]}, "levels must be a dict from names"),
        ({"a": ["x", "x"]}, "levels must be a dict from names"),
        ({"a": "xy"}, "levels must be a dict from names"),
        (["a"], "levels must be a dict from names"),
    ],
)
def test_levels_that_are_none(levels, message, folder):
    with pytest.raises((InvalidArgument, InvalidType), match=message):
        ist.partitions(folder, "y", levels=levels)
    with pytest.raises(InvalidArgument, match="levels must be left out with arrays"):
        ist.partitions(X, LABELS, levels=LEVELS)


def test_what_is_not_installed_is_named(monkeypatch, folder, tmp_path):
    fit = logistic(folder)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    for call in (
        lambda: ist.partitions(folder, "y"),
        lambda: fit.influence().on_self().to_parquet(tmp_path / "out"),
    ):
        with pytest.raises(ist.errors.MissingDependency, match=r"pyarrow.*influstat\[dask\]"):
            call()
    monkeypatch.setitem(sys.modules, "dask.dataframe", None)
    with pytest.raises(ist.errors.MissingDependency, match=r"dask.dataframe.*influstat\[dask\]"):
        fit.influence().on_self().to_dask()


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


def test_fingerprints_tell_what_differs():
    class Own:
        """Without a repr of its own."""

        def __init__(self, a):
            self.a = a

        def method(self):
            return self.a

    pairs = [
        (lambda x: np.sin(x) + 0, lambda x: np.cos(x) + 0),
        ([[1, 2]], [[1], 2]),
        (pd.Series([1, 2]), pd.Series([1, 2], index=[5, 6])),
        ({"a": np.arange(5000)}, {"a": np.arange(5000)[::-1]}),
        (Own(1), Own(2)),
        (Own(1).method, Own(2).method),
    ]
    for one, other in pairs:
        assert fingerprint(one) != fingerprint(other)
    assert fingerprint(Own(1)) == fingerprint(Own(1))


def test_a_folder_left_before_its_manifest_was_whole_is_gone_on_with(tmp_path):
    (tmp_path / f"{store.MANIFEST}.1234{store.UNFINISHED}").write_text("{")
    fit = ist.Ridge(lam=1.0).fit(ist.partitions(np.ones((4, 1)), np.arange(4.0), rows=2))
    assert len(pd.read_parquet(fit.influence().on_theta().to_parquet(tmp_path))) == 4
    assert not list(tmp_path.glob(f"*{store.UNFINISHED}"))


def test_tables_of_another_library_are_told_apart_by_every_row():
    X, y = np.zeros((300, 1)), np.arange(300.0)
    X[150] = 1.0
    tables = [pa.table({"a": x.ravel(), "y": y}) for x in (np.zeros((300, 1)), X)]
    first, second = (ist.partitions([one], "y").source.identity() for one in tables)
    assert fingerprint(first) != fingerprint(second)
