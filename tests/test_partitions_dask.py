"""dask.array, dask.dataframe, and the workers of a client: the same numbers, whoever is killed on the way."""

import os
import pickle
import signal
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

import influstat as ist
from influstat.errors import InvalidArgument, InvalidType, PartitionError
from influstat.partitioned.runners.base import Runner
from influstat.partitioned.runners.cluster import Cluster
from tests.budget import examples
from tests.partition_cases import CLOSE, LABELS, LT, WEIGHTS, XT, N, X, cuts, pieces

da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
WHOLE = ist.Logistic(lam=0.5).fit(X, LABELS)
TABLE = pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=LABELS)


def arrays(rows=(7,), columns=3):
    sizes = rows * (N // sum(rows)) + (N % sum(rows),)
    return da.from_array(X, chunks=(sizes, columns)), da.from_array(LABELS, chunks=13)


def unknown(array):
    """Return the same rows, the sizes of their chunks not known."""
    return array[da.from_array(np.ones(N, dtype=bool), chunks=array.chunks[0])]


def fitted(data, y, **settings):
    return ist.Logistic(lam=0.5).fit(ist.partitions(data, y, runner="serial", **settings))


def check(fit):
    np.testing.assert_allclose(fit.theta, WHOLE.theta, **CLOSE)
    frame = fit.influence().on_loss(XT, LT).to_frame().drop(columns="position")
    np.testing.assert_allclose(frame, WHOLE.influence().on_loss(XT, LT).removal, **CLOSE)


def test_arrays_are_cut_as_their_rows_are():
    x, y = arrays(rows=(17,))
    check(fitted(x, y))
    check(fitted(arrays(rows=(17,), columns=2)[0], LABELS))
    check(fitted(x, y, labels=da.from_array(np.arange(N)[::-1], chunks=14)))
    same = unknown(x), unknown(da.from_array(LABELS, chunks=17))
    check(fitted(*same))
    assert fitted(x, y).risk.data.source.block(0).X.dtype == np.float32


@pytest.mark.slow
@examples(5)
@given(sizes=cuts())
def test_every_cut_gives_the_same(sizes):
    x = da.from_array(X, chunks=(tuple(sizes), 3))
    fit = fitted(x, LABELS, weights=WEIGHTS)
    whole = ist.Logistic(lam=0.5).fit(X, LABELS, weights=WEIGHTS)
    np.testing.assert_allclose(fit.theta, whole.theta, **CLOSE)
    frame = fit.leave_one_out().delta().to_frame()[list(fit.names)]
    np.testing.assert_allclose(frame, whole.leave_one_out().delta, **CLOSE)


def test_frames_are_read_by_name_and_keep_their_index():
    frame = dd.from_pandas(TABLE.set_index(np.arange(N) * 10), npartitions=3)
    fit = fitted(frame, "y")
    check(fit)
    assert fit.names == ("a", "b", "c")
    assert fit.influence().on_self().to_frame().index.tolist() == (np.arange(N) * 10).tolist()
    named = fitted(frame.assign(id=frame.index.to_series() + 1), "y", labels="id", columns=["c", "a"])
    assert named.influence().on_self().to_frame().index[1] == 11
    check(fitted(frame, "y", labels="index"))


def test_models_take_collections_and_paths_as_they_are(tmp_path):
    frame = dd.from_pandas(TABLE.assign(w=WEIGHTS), npartitions=3)
    whole = ist.Logistic(lam=0.5).fit(X, LABELS, weights=WEIGHTS)
    TABLE.assign(w=WEIGHTS).to_parquet(tmp_path / "rows.parquet")
    for data in (frame, tmp_path / "rows.parquet"):
        fit = ist.Logistic(lam=0.5).fit(data, "y", weights="w")
        assert fit.names == ("a", "b", "c")
        np.testing.assert_allclose(fit.theta, whole.theta, **CLOSE)
    np.testing.assert_allclose(ist.Logistic(lam=0.5).fit(*arrays()).theta, WHOLE.theta, **CLOSE)


@pytest.mark.slow
def test_series_beside_a_frame_are_paired_by_the_index():
    frame = dd.from_pandas(TABLE.assign(w=WEIGHTS), npartitions=3)
    other = dd.from_pandas(TABLE.assign(w=WEIGHTS), npartitions=4)
    whole = ist.Logistic(lam=0.5).fit(X, LABELS, weights=WEIGHTS)
    for source in (frame, other):
        fit = ist.Logistic(lam=0.5).fit(frame[["a", "b", "c"]], source["y"], weights=source["w"])
        assert fit.names == ("a", "b", "c")
        np.testing.assert_allclose(fit.theta, whole.theta, **CLOSE)
    twice = ist.Logistic(lam=0.5).fit(frame[["a", "y"]], frame["y"])  # X may hold a column called y
    assert twice.names == ("a", "y")
    with pytest.raises(InvalidArgument, match="y of partition 0 must have the labels of the table.*lacks"):
        fitted(frame[["a"]], frame[frame["a"] > 0]["y"])
    unordered = frame.clear_divisions()
    with pytest.raises(InvalidArgument, match="y of partition 0 must be finite, but it holds nan"):
        fitted(unordered[["a"]], unordered[unordered["a"] > 0]["y"])
    with pytest.raises(InvalidType, match="y must name a column of the table"):
        fitted(frame, frame["y"].sum())


def test_new_rows_must_name_their_columns_alike():
    fit = fitted(dd.from_pandas(TABLE, npartitions=5), "y")
    np.testing.assert_allclose(fit.predict(TABLE[["a", "b", "c"]][:3]), WHOLE.predict(X[:3]), **CLOSE)
    with pytest.raises(InvalidArgument, match="X must name its columns as the training rows do"):
        fit.predict(TABLE[["b", "a", "c"]][:3])


@pytest.mark.slow
def test_a_lazy_answer_is_a_dataframe():
    frame = dd.from_pandas(TABLE, npartitions=5)
    fit = fitted(frame, "y")
    for answer in (
        fit.influence().on_loss(XT, LT),
        fit.diagnostics(),
        fit.leave_one_out(method="influence").delta(),
        fitted(X, LABELS, rows=9).influence().on_theta(),
    ):
        lazy = answer.to_dask()
        found = lazy.compute(scheduler="synchronous")
        pd.testing.assert_frame_equal(found, answer.to_frame(), check_dtype=False)
    with pytest.raises(ist.errors.Unsupported, match="Use to_parquet"):
        fit.leave_one_out().delta().to_dask()


X7, Y13 = arrays()
OVERLAPPING = dd.concat(
    [dd.from_pandas(TABLE[:30], npartitions=2), dd.from_pandas(TABLE[:30], npartitions=2)]
)
BAD = TABLE.assign(b=np.where(np.arange(N) == 33, np.nan, TABLE["b"]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((X7, None), "y must be given with arrays"),
        ((X7, LABELS[:-1]), r"y must have one entry per row of X \(60\), but it has 59"),
        ((X7[:, 0], Y13), "data must have two dimensions.*Reshape it"),
        ((X7[:, X7[0] > -99], Y13), r"data must have.*Call X\.compute_chunk_sizes"),
        ((unknown(X7), LABELS), "y must be a dask array.*compute_chunk_sizes"),
        ((unknown(X7), Y13), "y must have the 9 chunks of X's rows.*has 5.*compute_chunk_sizes"),
        ((X7, unknown(Y13)), "y must have the 9 chunks"),
        ((dd.from_pandas(TABLE, npartitions=2), "z"), "y must name columns of the table, but it is 'z'"),
        ((dd.from_pandas(TABLE, npartitions=2), LABELS), "y must be left out, or name|y must name a column"),
        ((dd.from_pandas(TABLE.assign(b="text"), npartitions=2), "y"), "columns must hold numbers.*'b'"),
    ],
)
def test_collections_that_do_not_fit(arguments, message):
    with pytest.raises((InvalidArgument, InvalidType), match=message):
        ist.partitions(*arguments)


def test_settings_that_do_not_suit_collections():
    with pytest.raises(InvalidArgument, match="rows must be left out with dask arrays"):
        ist.partitions(X7, Y13, rows=3)
    with pytest.raises(InvalidArgument, match="labels must be an index whose partitions do not overlap"):
        ist.partitions(OVERLAPPING, "y", labels="index")
    with pytest.raises(InvalidArgument, match="labels must be left out, or name a column"):
        ist.partitions(OVERLAPPING, "y", labels=3)
    assert ist.partitions(OVERLAPPING, "y").source.block(0).labels is None  # positions tell rows apart


def test_chunks_of_unknown_sizes_that_differ_are_named():
    x, y = unknown(X7), unknown(da.from_array(LABELS, chunks=(8, 6) + (7,) * 6 + (4,)))
    with pytest.raises(InvalidArgument, match="y of partition 0 must have one entry per row of X"):
        fitted(x, y)


def test_nan_in_a_partition_is_named():
    place = r"X of partition 2 must be finite, but it holds nan at row 9, column 1 \('b'\)"
    with pytest.raises(InvalidArgument, match=place):
        fitted(dd.from_pandas(BAD, npartitions=5), "y")


def without_a_column(column):
    """A frame whose partition 1 lacks a column, as files of another year may."""
    from dask import delayed

    parts = [TABLE[:30], TABLE[30:].drop(columns=column)]
    return dd.from_delayed([delayed(part) for part in parts], meta=TABLE[:0], verify_meta=False)


@pytest.mark.parametrize(("column", "argument"), [("b", "columns"), ("y", "y")])
def test_a_partition_without_a_column_is_named(column, argument):
    with pytest.raises(
        InvalidArgument, match=f"^{argument} of partition 1 must name.*is '{column}'; there are"
    ):
        fitted(without_a_column(column), "y", columns=["a", "b"])  # which the graph chooses


def test_a_graph_with_a_key_error_of_its_own_is_told_by_it():
    frame = dd.from_pandas(TABLE, npartitions=2).map_partitions(lambda part: part[["z"]], meta=TABLE[:0])
    with pytest.raises(PartitionError, match="The graph that makes it raises KeyError.*'z'"):
        fitted(frame, "y")


def test_categories_in_some_partitions_only():
    parts = [TABLE[:30], TABLE[30:].assign(b=pd.Categorical(["x"] * 30))]
    from dask import delayed

    frame = dd.from_delayed([delayed(part) for part in parts], meta=TABLE[:0], verify_meta=False)
    with pytest.raises(
        InvalidType, match="columns.*'b' of type category..*levels={column.*fixed for all partitions"
    ):
        fitted(frame, "y")


# -- a client ---------------------------------------------------------------------------------------------


class Gone:
    """A client that has lost its scheduler."""

    status = "closed"

    def submit(self, *_):
        raise AssertionError("nobody should ask")


Gone.__module__ = "distributed.client"


def test_a_client_that_has_gone_is_refused():
    with pytest.raises(InvalidArgument, match="runner must be a client that is connected, but it is closed"):
        ist.partitions(X, LABELS, runner=Gone())
    with pytest.raises(InvalidType, match='runner must be "serial"'):
        ist.partitions(X, LABELS, runner="cluster")


class Lost:
    """A client whose tasks are lost so many times."""

    def __init__(self, times, status="running", error=OSError):
        self.times, self.status, self.begun, self.error = times, status, 0, error

    def scatter(self, work, **_):
        return work

    def nthreads(self):
        return {"a": 1}

    def submit(self, function, *arguments, pure):
        self.begun += 1
        client = self

        class Future:
            def result(self):
                if client.times:
                    client.times -= 1
                    client.status = "running" if client.status == "running" else "closed"
                    raise client.error("connection lost")
                return function(*arguments)

        return Future()


Lost.__module__ = "distributed.client"


def test_what_was_lost_with_a_worker_is_begun_anew():
    data = pieces([20, 20, 20], LABELS)
    runner = Cluster(Lost(times=2))
    assert isinstance(runner, Runner)
    found = list(runner.map(data.source, lambda k, block: (k, len(block)), range(3)))
    assert found == [(0, 20), (1, 20), (2, 20)]
    with pytest.raises(
        PartitionError, match="workers have gone, or cannot make partition 0.*connection lost"
    ):
        list(Cluster(Lost(times=9)).map(data.source, lambda k, block: k, range(3)))
    failing = Cluster(Lost(times=9, error=ZeroDivisionError))
    with pytest.raises(PartitionError, match="What makes partition 0 raises ZeroDivisionError"):
        failing.reduce(data.source, lambda k, block: None)


@pytest.mark.parametrize(
    ("partitions", "threads", "tasks"),
    [(12, 1, 4), (12, 2, 4), (12, 3, 12), (60, 1, 20), (100, 1, 17), (300, 1, 20), (600, 1, 60)],
)
def test_short_spans_are_one_task_and_the_sum_is_the_same(tmp_path, partitions, threads, tasks):
    mapped = np.memmap(tmp_path / "x", np.float64, "w+", shape=(2 * partitions, 4))
    mapped[:] = np.random.default_rng(0).normal(size=mapped.shape)
    mapped.flush()
    y = np.memmap(tmp_path / "x", np.float64, "r", shape=len(mapped))
    client = Lost(times=1)  # what is lost is begun anew, whole
    client.nthreads = lambda: {"a": threads}
    found = []
    for runner in ("serial", 2, client):
        data = ist.partitions(mapped, y, rows=2, runner=runner)
        found.append(ist.PartitionedRisk(ist.SquaredError(), data).sums(np.full(4, 0.3)))
    assert client.begun == tasks + 1
    for one in found[1:]:
        np.testing.assert_array_equal(one.hessian, found[0].hessian)
        np.testing.assert_array_equal(one.counted.partitions, np.arange(partitions))
        assert one.value == found[0].value


def test_a_fit_outlives_its_client():
    client = Lost(times=0)
    fit = ist.Logistic(lam=0.5).fit(ist.partitions(X, LABELS, rows=20, runner=client))
    answer = fit.influence().on_theta()
    assert answer.plan().workers == 1
    client.status, client.nthreads = "closed", None  # as dask's, which fail then
    assert answer.plan().workers == 1
    assert "Cluster of 1" in repr(fit.risk.data)
    with pytest.raises(InvalidArgument, match="client that is connected"):
        answer.summary()
    check(pickle.loads(pickle.dumps(fit)))  # without the client: threads do the work


def test_a_graph_that_fails_is_named_with_its_partition():
    def failing(block):
        return 1 / 0 if len(block) else block

    data = ist.partitions(da.from_array(X, chunks=(20, 3)).map_blocks(failing, dtype=float), LABELS)
    with pytest.raises(PartitionError, match="partition 0: The graph that makes it raises ZeroDivisionError"):
        data.source.block(0)


@pytest.fixture(scope="module")
def client():
    """A client of two processes."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as connected,
    ):
        yield connected


def influences(fit):
    return fit.influence().on_loss(XT, LT)


def removals(fit):
    return fit.leave_one_out().delta(bounds=True)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of dask and tornado, as processes come and go
def test_workers_give_the_same_to_the_last_bit(client, tmp_path):
    x, y = arrays()
    path = tmp_path / "data"
    dd.from_pandas(TABLE, npartitions=4).to_parquet(path)
    mapped = np.memmap(tmp_path / "x", np.float32, "w+", shape=X.shape)
    mapped[:] = X
    mapped.flush()
    for arguments, question in (
        ((x, y), influences),
        ((X, LABELS), removals),
        ((dd.from_pandas(TABLE, npartitions=4), "y"), influences),
        ((path, "y"), removals),
        ((mapped, LABELS), influences),
    ):
        settings = {"rows": 11} if isinstance(arguments[0], np.ndarray) else {}
        one, two = (
            ist.Logistic(lam=0.5).fit(ist.partitions(*arguments, runner=runner, **settings))
            for runner in ("serial", client)
        )
        np.testing.assert_array_equal(two.theta, one.theta)
        answers = question(one), question(two)
        pd.testing.assert_frame_equal(*(answer.to_frame() for answer in answers), check_exact=True)
        first, second = (answer.top(3, column=answer.columns[0]) for answer in answers)
        assert str(first) == str(second)
    written = two.influence().on_loss(XT, LT).to_parquet(tmp_path / "out")
    assert len(list(written.glob("part-*"))) == 6


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_partition_that_workers_make_without_a_column_is_named(client):
    data = ist.partitions(without_a_column("b"), "y", columns=["a", "b"], runner=client)
    with pytest.raises(InvalidArgument, match="^columns of partition 1 must name.*is 'b'; there are"):
        ist.Logistic(lam=0.5).fit(data)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_processes_write_one_zarr_array_together(client, tmp_path):
    zarr = pytest.importorskip("zarr", minversion="3.0")
    many, y = np.tile(X, (20, 1)), np.tile(LABELS, 20)
    tests = np.tile(X, (69, 1))[:4096], np.tile(LABELS, 69)[:4096]  # chunks of 256 rows
    stores = []
    for runner in ("serial", client):
        data = ist.partitions(many, y, rows=[500, 0, 400, 300], runner=runner)
        answer = ist.Logistic(lam=0.5).fit(data).influence().on_loss(*tests)
        stores.append(zarr.open_array(answer.to_zarr(tmp_path / str(len(stores))), mode="r"))
    one, two = stores
    assert two.chunks == (256, 4096)
    assert two.attrs["finished"] is True
    np.testing.assert_array_equal(two[:], one[:])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_killing_a_worker_in_mid_run_changes_nothing(client, tmp_path):
    def slow(rows):  # in here, so that processes need not import this file
        time.sleep(0.05)
        return rows

    x = da.from_array(np.tile(X, (20, 1)), chunks=(60, 3)).map_blocks(slow, dtype=np.float32)
    y = np.tile(LABELS, 20)
    data = ist.partitions(x, y, runner=client)
    serial = ist.Logistic(lam=0.5).fit(ist.partitions(np.tile(X, (20, 1)), y, rows=60, runner="serial"))

    import threading

    killed = []

    def kill():
        time.sleep(0.4)
        pid = next(iter(client.run(os.getpid).values()))
        os.kill(pid, signal.SIGKILL)
        killed.append(pid)

    thread = threading.Thread(target=kill)
    thread.start()
    fit = ist.Logistic(lam=0.5).fit(data)
    thread.join()
    np.testing.assert_array_equal(fit.theta, serial.theta)
    thread = threading.Thread(target=kill)
    thread.start()
    path = fit.influence().on_loss(XT, LT).to_parquet(tmp_path / "out")
    thread.join()
    assert len(killed) == 2
    found = pd.concat([pd.read_parquet(file) for file in sorted(path.glob("*.parquet"))])
    pd.testing.assert_frame_equal(found, serial.influence().on_loss(XT, LT).to_frame(), check_exact=True)
