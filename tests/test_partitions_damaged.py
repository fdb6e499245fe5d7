"""Files that were damaged, cut or removed after partitions were made of them are named with the partition."""

import os

import numpy as np
import pandas as pd
import pytest

import influstat as ist
from influstat.errors import InvalidArgument, PartitionError
from tests.partition_cases import LABELS, X

TABLE = pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=LABELS)


def fitted(data):
    return ist.Logistic(lam=0.5).fit(data)


@pytest.fixture(params=[0.5, 0.0], ids=["from the cache", "past the cache"])
def mapped(tmp_path, monkeypatch, request):
    """A memory map in partitions of 7 rows."""
    monkeypatch.setattr("influstat.partitioned.sources.mapped.KEPT", request.param)
    rows = np.memmap(tmp_path / "x", np.float32, "w+", shape=X.shape)
    rows[:] = X
    rows.flush()
    return ist.partitions(rows, LABELS, rows=7, runner="serial")


def test_a_map_that_was_cut_is_named(mapped, tmp_path):
    os.truncate(tmp_path / "x", 4 * 3 * 30 + 6)
    with pytest.raises(
        PartitionError, match=r"partition 4: .*x ends after 7 of the 21 numbers of rows 28 to 34"
    ):
        fitted(mapped)


def test_a_map_that_was_removed_is_named(mapped, tmp_path):
    (tmp_path / "x").unlink()
    with pytest.raises(PartitionError, match=r"partition 0: .*x cannot be read: .*No such file"):
        fitted(mapped)


def damaged(path):
    """Change one byte of the first column's values of the second row group."""
    parquet = pytest.importorskip("pyarrow.parquet")
    chunk = parquet.read_metadata(path).row_group(1).column(0)
    content = bytearray(path.read_bytes())
    content[chunk.data_page_offset + chunk.total_compressed_size - 3] ^= 0x7F
    path.write_bytes(content)


def test_pages_with_checksums_are_verified(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    TABLE.to_parquet(path, row_group_size=20, write_page_checksum=True, use_dictionary=False)
    damaged(path)
    with pytest.raises(PartitionError, match=r"partition 1 \(a.parquet, row group 1\): .*cannot be read"):
        fitted(ist.partitions(path, "y", runner="serial"))


def test_answers_have_checksums(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    data = ist.partitions(X, LABELS, rows=[20, 40], runner="serial")
    folder = fitted(data).influence().on_theta().to_parquet(tmp_path / "answer")
    path = folder / "part-000000.parquet"
    chunk = parquet.read_metadata(path).row_group(0).column(1)
    content = bytearray(path.read_bytes())
    content[chunk.data_page_offset + chunk.total_compressed_size - 3] ^= 0x01
    path.write_bytes(content)
    with pytest.raises(OSError, match="CRC|checksum"):
        parquet.ParquetFile(path, page_checksum_verification=True).read()


@pytest.mark.parametrize("kind", [np.asarray, np.asfortranarray])
def test_values_beyond_their_squares_are_named(kind):
    rows = X.astype(float)
    rows[44, 1] = -1e200  # as bytes of another place read
    with pytest.raises(InvalidArgument, match=r"X of partition 4 must have.*-1e\+200 at row 4.*column 'b'"):
        fitted(ist.partitions(kind(rows), LABELS, rows=10, columns=["a", "b", "c"], runner="serial"))
    rows[44, 1] = 1e100  # whose square is a number
    risk = ist.PartitionedRisk(ist.LogisticLoss(), ist.partitions(kind(rows), LABELS, rows=10))
    assert np.isfinite(risk.sums(np.zeros(3)).hessian).all()
