"""What is read from Parquet: row groups, columns by name, levels; and what is wrong with files."""

import os
import sys

import numpy as np
import pandas as pd
import pytest

import influstat as ist
from influstat.errors import InvalidArgument, InvalidType, PartitionError
from tests.parquet_cases import TABLE, logistic, written
from tests.partition_cases import CLOSE, LABELS, N, X

pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")

LEVELS = {"d": ["x", "y", "z"]}


@pytest.fixture
def folder(tmp_path):
    return written(tmp_path / "data")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder that no test changes."""
    return written(tmp_path_factory.mktemp("whole") / "data")


def test_row_groups_are_partitions_and_columns_go_by_name(whole):
    fit = logistic(whole)
    assert fit.names == ("a", "b", "c")
    assert fit.risk.counted.rows.tolist() == [11, 11, 11, 7, 15, 5]
    np.testing.assert_allclose(fit.theta, ist.Logistic(lam=0.5).fit(X, LABELS).theta, **CLOSE)
    assert fit.risk.data.source.block(4).X.dtype == np.float32
    paths = [whole / "one.parquet", str(whole / "two.parquet")]
    np.testing.assert_array_equal(logistic(paths).theta, fit.theta)
    few = ist.Logistic(lam=0.5).fit(ist.partitions(whole, "y", columns=["c", "a"]))
    np.testing.assert_allclose(few.theta, ist.Logistic(lam=0.5).fit(X[:, [2, 0]], LABELS).theta, **CLOSE)


def test_the_index_of_a_table_is_no_column_of_the_rows(tmp_path):
    TABLE.set_index("id").to_parquet(tmp_path / "file.parquet")
    fit = ist.Logistic(lam=0.5).fit(ist.partitions(tmp_path / "file.parquet", "y", labels="id"))
    assert fit.names == ("a", "b", "c")
    assert fit.influence().on_self().to_frame().index.tolist() == TABLE["id"].tolist()


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
def test_levels_that_are_none(levels, message, whole):
    with pytest.raises((InvalidArgument, InvalidType), match=message):
        ist.partitions(whole, "y", levels=levels)
    with pytest.raises(InvalidArgument, match="levels must be left out with arrays"):
        ist.partitions(X, LABELS, levels=LEVELS)


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
def test_columns_that_do_not_exist(arguments, message, whole):
    with pytest.raises((InvalidArgument, InvalidType), match=message):
        ist.partitions(whole, **arguments)


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


def test_what_is_not_installed_is_named(monkeypatch, whole, tmp_path):
    fit = logistic(whole)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    for call in (
        lambda: ist.partitions(whole, "y"),
        lambda: fit.influence().on_self().to_parquet(tmp_path / "out"),
    ):
        with pytest.raises(ist.errors.MissingDependency, match=r"pyarrow.*influstat\[dask\]"):
            call()
    monkeypatch.setitem(sys.modules, "dask.dataframe", None)
    with pytest.raises(ist.errors.MissingDependency, match=r"dask.dataframe.*influstat\[dask\]"):
        fit.influence().on_self().to_dask()


# -- what is wrong with files -----------------------------------------------------------------------------


def test_a_corrupted_file_is_named(folder):
    (folder / "two.parquet").write_bytes(b"PAR1 nothing else")
    with pytest.raises(PartitionError, match=r"two.parquet cannot be read as Parquet"):
        ist.partitions(folder, "y")


def test_a_corrupted_row_group_is_named(folder):
    data = ist.partitions(folder, "y", labels="id")
    file = folder / "two.parquet"
    whole, times = bytearray(file.read_bytes()), file.stat()
    whole[4:400] = b"\xff" * 396  # the first pages; the footer is as it was,
    file.write_bytes(bytes(whole))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # and so is the time: the disk has lost them
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
