"""Datasets of pyarrow as sources: row groups, Hive folders, filters and batches."""

import pickle
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

import influstat as ist
from influstat.errors import InvalidArgument, PartitionError
from tests.partition_cases import CLOSE, LABELS, X

pa = pytest.importorskip("pyarrow")
ds = pytest.importorskip("pyarrow.dataset")
pq = pytest.importorskip("pyarrow.parquet")

TABLE = pd.DataFrame(X, columns=["x0", "x1", "x2"]).assign(y=LABELS, year=2020 + np.arange(60) % 3)
SORTED = TABLE.sort_values("year", kind="stable")


@pytest.fixture
def hive(tmp_path):
    """A folder of Hive partitions, two row groups each."""
    for year, part in TABLE.groupby("year"):
        (tmp_path / f"year={year}").mkdir()
        part.drop(columns="year").to_parquet(
            tmp_path / f"year={year}" / "a.parquet", row_group_size=13, index=False
        )
    return tmp_path


def fit_of(data, **settings):
    return ist.Logistic(lam=0.5).fit(ist.partitions(data, "y", columns=["x0", "x1", "x2"], **settings))


def same(fit, table):
    whole = ist.Logistic(lam=0.5).fit(table[["x0", "x1", "x2"]].to_numpy(), table.y.to_numpy())
    np.testing.assert_allclose(fit.theta, whole.theta, **CLOSE)
    frame = fit.influence().on_theta().to_frame()
    np.testing.assert_allclose(frame[["x0", "x1", "x2"]], whole.influence().on_theta().removal, **CLOSE)


@pytest.mark.parametrize(("column", "argument"), [("x1", "columns"), ("y", "y")])
def test_a_file_without_a_column_is_named(hive, column, argument):
    path = hive / "year=2021" / "a.parquet"
    pd.read_parquet(path, partitioning=None).drop(columns=column).to_parquet(path, index=False)
    with pytest.raises(
        InvalidArgument, match=rf"^{argument} of partition 2 \(a.parquet.*is '{column}'; there"
    ):
        fit_of(hive, groups="year")


def test_a_hive_folder_is_read_with_the_columns_that_its_folders_name(hive):
    fit = fit_of(hive, groups="year")
    assert fit.risk.data.source.partitions() == 6
    assert fit.risk.data.source.block(0).X.dtype == np.float32
    same(fit, SORTED)
    assert fit.leave_groups_out().labels.tolist() == [2020, 2021, 2022]
    by_formula = ist.partitions(hive, formula="y ~ x0 + C(year)", levels={"year": [2020, 2021, 2022]})
    assert by_formula.names == ("Intercept", "C(year)[T.2021]", "C(year)[T.2022]", "x0")
    assert ist.Logistic(lam=0.5).fit(hive, "y").names == ("x0", "x1", "x2", "year")


def test_files_keep_their_own_types_where_the_first_has_narrower_ones(tmp_path):
    x = X.astype(np.float64) + 1e-9 * np.arange(60.0)[:, None]  # which float32 would lose
    table = TABLE.assign(x0=x[:, 0], x1=x[:, 1], x2=x[:, 2])
    for k, part in enumerate(
        (table[:0].astype(np.float32), table[:20], table[20:].assign(y=LABELS[20:] > 0))
    ):
        part.to_parquet(tmp_path / f"{k}.parquet")
    for data in (ds.dataset(tmp_path), tmp_path):
        same(fit_of(data), table)


def test_gaps_and_decimals_are_numbers(tmp_path):
    gaps = TABLE.assign(x1=np.array([None, True, False] * 20, dtype=object))
    gaps.to_parquet(tmp_path / "gaps.parquet")
    decimals = TABLE.assign(x1=[Decimal(k) / 8 for k in range(60)])
    decimals.to_parquet(tmp_path / "decimals.parquet")
    for read in (str, ds.dataset):
        with pytest.raises(InvalidArgument, match="X of partition 0.*nan at row 0, column 1"):
            fit_of(read(tmp_path / "gaps.parquet"))
        same(fit_of(read(tmp_path / "decimals.parquet")), TABLE.assign(x1=np.arange(60) / 8))


@pytest.mark.slow
def test_a_dataset_keeps_its_filter(hive):
    dataset = ds.dataset(hive, partitioning="hive")
    same(fit_of(dataset), SORTED)
    later = fit_of(dataset.filter(ds.field("year") > 2020))
    assert later.risk.data.source.in_order
    same(later, SORTED[SORTED.year > 2020])
    few = dataset.filter((ds.field("x0") > 0.0) & (ds.field("year") == 2021))
    same(fit_of(few), SORTED[(SORTED.x0 > 0) & (SORTED.year == 2021)])
    with pytest.raises(InvalidArgument, match="hold rows"):
        fit_of(dataset.filter(ds.field("year") > 2050))


@pytest.mark.slow
def test_rows_in_memory_are_a_dataset_too(monkeypatch):
    monkeypatch.setattr("influstat.partitioned.sources.dataset.BATCH", 7)
    same(fit_of(pa.Table.from_pandas(TABLE)), TABLE)
    same(fit_of(ds.dataset(pa.Table.from_pandas(TABLE))), TABLE)


@pytest.mark.slow
def test_answers_of_a_dataset_go_on_from_what_is_finished(hive, tmp_path):
    for dataset in (ds.dataset(hive, partitioning="hive"), pa.Table.from_pandas(TABLE)):
        folder = tmp_path / f"answer {type(dataset).__name__}"
        fit_of(dataset).influence().on_self().to_parquet(folder)
        stamp = sorted(one.stat().st_mtime_ns for one in folder.glob("*.parquet"))
        fit_of(dataset).influence().on_self().to_parquet(folder)
        assert sorted(one.stat().st_mtime_ns for one in folder.glob("*.parquet")) == stamp
        assert len(pd.read_parquet(folder)) == 60


def test_fragments_can_be_sent(hive):
    source = fit_of(hive).risk.data.source
    again = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(again.block(3).X, source.block(3).X)
    assert again.place(3) == source.place(3) == "partition 3 (a.parquet, row group 1)"


def test_a_broken_file_is_named(hive):
    (hive / "year=2021" / "b.parquet").write_bytes(b"nothing")
    with pytest.raises(PartitionError, match=r"b.parquet cannot be read as Parquet"):
        fit_of(hive)


def test_columns_that_are_not_there_are_named(hive):
    with pytest.raises(InvalidArgument, match="'z'"):
        ist.partitions(hive, "z")
    with pytest.raises(InvalidArgument, match="rows must be left out"):
        ist.partitions(ds.dataset(hive, partitioning="hive"), "y", rows=3)
