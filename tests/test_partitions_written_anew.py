"""Files that are written anew after a fit are refused: their rows are none that it has seen."""

import pickle
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import influstat as ist
from influstat.errors import PartitionError
from influstat.partitioned.runners.base import Serial, Threads
from influstat.partitioned.runners.cluster import Cluster
from influstat.partitioned.start import EverySo

N = 40
X = np.random.default_rng(0).normal(size=(N, 2))
Y = X @ [1.0, -1.0] + np.random.default_rng(1).normal(size=N)


def mapped(folder, X):
    """Return partitions of a memory map, and its file."""
    path = folder / "x.npy"
    np.save(path, X)
    return ist.partitions(np.load(path, mmap_mode="r"), Y, rows=10), path


def _written(path, X):
    pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": Y}).to_parquet(path, row_group_size=10)
    return path


def parquet(folder, X):
    pytest.importorskip("pyarrow")
    path = _written(folder / "rows.parquet", X)
    return ist.partitions(path, "y"), path


def dataset(folder, X):
    module = pytest.importorskip("pyarrow.dataset")
    path = _written(folder / "rows.parquet", X)
    return ist.partitions(module.dataset(path), "y"), path


QUESTIONS = {
    "influence": lambda fit: fit.influence().on_self().to_frame(),
    "removal": lambda fit: fit.leave_one_out().delta().to_frame(),
    "diagnostics": lambda fit: fit.diagnostics().to_frame(),
}
KINDS = [mapped, parquet, dataset]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_were_written_anew_are_not_answered_for(kind, tmp_path):
    data, path = kind(tmp_path, X)
    fit = ist.Ridge(lam=1.0).fit(data)
    truth = {name: ask(fit) for name, ask in QUESTIONS.items()}
    kept = tmp_path / "kept"
    shutil.copy2(path, kept)
    again, _ = kind(tmp_path, X + 1.0)
    for ask in QUESTIONS.values():
        with pytest.raises(PartitionError, match=f"{path.name} has been written anew since it was first"):
            ask(fit)
    with pytest.raises(PartitionError, match="Make the partitions anew"):
        ist.Ridge(lam=1.0).fit(data)
    with pytest.raises(PartitionError, match="written anew"):
        QUESTIONS["diagnostics"](pickle.loads(pickle.dumps(fit)))
    with pytest.raises(PartitionError, match="written anew"):
        EverySo(data.source).begin()  # a few of them, and those of other weights, look there
    for runner in (Serial(), Threads(1), Cluster(SimpleNamespace(status="running"))):
        for call in (
            lambda one: list(one.map(data.source, None, [0])),
            lambda one: one.reduce(data.source, None),
        ):
            with pytest.raises(PartitionError, match="written anew"):
                call(runner)
    other = ist.Ridge(lam=1.0).fit(again)
    assert not np.allclose(other.theta, fit.theta)
    QUESTIONS["diagnostics"](other)
    shutil.copy2(kept, path)  # with its time
    for name, ask in QUESTIONS.items():
        pd.testing.assert_frame_equal(ask(fit), truth[name])


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_were_written_anew_before_the_first_pass_are_refused(kind, tmp_path):
    data, path = kind(tmp_path, X)
    kept = tmp_path / "kept"
    shutil.copy2(path, kept)
    kind(tmp_path, X[::-1])
    for one in (data, pickle.loads(pickle.dumps(data))):
        with pytest.raises(PartitionError, match=f"{path.name} has been written anew"):
            ist.Ridge(lam=1.0).fit(one)
    shutil.copy2(kept, path)  # with its time
    np.testing.assert_allclose(
        ist.Ridge(lam=1.0).fit(data).theta, ist.Ridge(lam=1.0).fit(X, Y).theta, rtol=1e-10
    )


def test_a_file_that_is_gone_is_said_to_be_gone(tmp_path):
    data, path = mapped(tmp_path, X)
    fit = ist.Ridge(lam=1.0).fit(data)
    path.rename(tmp_path / "elsewhere")
    with pytest.raises(PartitionError, match=r"x\.npy cannot be read: .*No such file.*Put it back"):
        QUESTIONS["diagnostics"](fit)
    (tmp_path / "elsewhere").rename(path)
    QUESTIONS["diagnostics"](fit)


def test_a_map_may_be_written_to_before_it_is_first_read(tmp_path):
    written = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float64, X.shape)
    data = ist.partitions(written, Y, rows=10)
    written[:] = X
    written.flush()
    fit = ist.Ridge(lam=1.0).fit(data)
    written.flush()  # which changes nothing
    np.testing.assert_allclose(fit.theta, ist.Ridge(lam=1.0).fit(X, Y).theta, rtol=1e-10)
    QUESTIONS["removal"](fit)
