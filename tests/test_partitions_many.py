"""Many test rows at once, and what questions cost before they are asked."""

import itertools

import numpy as np
import pandas as pd
import pytest

import influstat as ist
from influstat.partitioned.answers import part as parts
from tests.partition_cases import LABELS, N, X, Y, pieces

WHOLE = ist.Logistic(lam=0.5).fit(X, LABELS)
TESTS = np.tile(X, (3, 1))[:100] + 0.01 * np.arange(100.0)[:, None]
TARGETS = np.tile(LABELS, 3)[:100]


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(parts, "PIECE", 1)
    monkeypatch.setattr(parts, "FEWEST", 7)


@pytest.mark.usefixtures("small_pieces")
def test_top_rows_of_many_tests_in_one_pass():
    fit = ist.Logistic(lam=0.5).fit(pieces([30, 0, 1, 29], LABELS))
    found = fit.influence().on_loss(TESTS, TARGETS).top_of_each(4)
    scores = WHOLE.influence().on_loss(TESTS, TARGETS)
    assert len(found) == 100
    for k in range(100):
        ours, theirs = found[str(k)], scores.top(4, column=k)
        assert ours.position.tolist() == theirs.position.tolist()


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("method", ["influence", "exact"])
def test_all_pairs_are_written(tmp_path, method):
    pytest.importorskip("pyarrow")
    fit = ist.Logistic(lam=0.5).fit(pieces([30, 0, 1, 29], LABELS))
    answer = fit.influence().on_loss(TESTS, TARGETS)
    if method == "exact":
        answer = fit.leave_one_out().loss_change(TESTS, TARGETS)
    path = answer.to_parquet(tmp_path / "pairs")
    found = pd.concat([pd.read_parquet(file) for file in sorted(path.glob("*.parquet"))])
    pd.testing.assert_frame_equal(found, answer.to_frame(), check_dtype=False)
    if method == "influence":
        memory = WHOLE.influence().on_loss(TESTS, TARGETS).removal
        np.testing.assert_allclose(found[list(answer.columns)], memory, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("small_pieces")
def test_rows_left_for_sums_know_their_place_in_pieces():
    x = np.column_stack([np.ones(40), np.where(np.arange(40) == 23, 300.0, np.linspace(-1, 1, 40))])
    y = (np.linspace(0.0, 3.0, 40) > 1.5).astype(float)
    fit, whole = ist.Logistic(lam=0.1).fit(ist.partitions(x, y, rows=20)), ist.Logistic(lam=0.1).fit(x, y)
    ranking = fit.leave_one_out(method="newton").delta().top(40, column="x1")
    delta = whole.leave_one_out(method="newton").delta[:, 1]
    assert ranking.change == pytest.approx(delta[ranking.position], rel=1e-8)
    assert sorted(ranking.position) == list(range(40))


def test_plans_count_passes_bytes_and_rows():
    data = ist.partitions(X, Y, rows=20)
    risk = ist.PartitionedRisk(ist.SquaredError(), data, penalty=ist.L2(1.0))
    plan = risk.plan(passes=5)
    assert risk.passes == 0
    assert (plan.passes, plan.rows) == (5, N)
    assert plan.bytes_moved == 5 * N * (3 * 4 + 8)
    assert plan.seconds > 0
    assert plan.memory > X[:20].nbytes
    many = plan.scaled(rows=1e9, workers=10)
    assert many.bytes_moved == pytest.approx(plan.bytes_moved / N * 1e9)
    assert many.read_seconds == pytest.approx(plan.read_seconds / N * 1e9)
    assert many.workers == 10
    assert "5 passes over 60 rows" in str(plan)
    with pytest.raises(ist.errors.InvalidArgument, match="passes must"):
        risk.plan(passes=0)
    with pytest.raises(ist.errors.InvalidArgument, match="rows must"):
        plan.scaled(rows=0)


def test_plans_of_answers_count_refits_that_ask_for_passes():
    fit = ist.Logistic(lam=0.5).fit(pieces([0, 30, 30], LABELS))
    assert fit.influence().on_theta().plan().passes == 1
    exact = fit.leave_one_out().delta().plan()
    assert exact.passes == 4  # 60 refits share 3 sweeps
    assert exact.operations > fit.leave_one_out(method="newton").delta().plan().operations
    assert ist.removal.plan(fit).passes == 4
    with pytest.raises(ist.errors.Unsupported, match="groups must be left out for rows in partitions"):
        ist.removal.plan(fit, [[0], [1]])
    assert fit.risk.data.source.rows() is None
    assert fit.risk.of_rows(fit.risk.data, fit.risk.recipe).plan().rows == 90  # three of 30, before a pass
    assert fit.risk.plan().rows == 60


def test_plans_are_measured_on_the_largest_partition():
    fit = ist.Logistic(lam=0.5).fit(pieces([1, 58, 1], LABELS))
    for plan in (fit.risk.plan(), fit.influence().on_theta().plan()):
        assert plan.memory > 58 * 3 * 8  # not of one row, whose costs besides rows would be scaled by 60
        assert plan.rows == 60


def test_a_plan_is_the_least_time_of_one_partition_times_their_number(monkeypatch):
    times = itertools.cycle([0.0, 3.0, 3.0, 7.0, 0.0, 1.0, 1.0, 3.0, 0.0, 2.0, 2.0, 5.0])
    fit = ist.Ridge(lam=1.0).fit(ist.partitions(np.ones((100, 1)), np.arange(100.0), rows=10))
    monkeypatch.setattr("influstat.partitioned.plan.perf_counter", lambda: next(times))
    plan = fit.influence().on_theta().plan()
    assert (plan.read_seconds, plan.work_seconds) == (10.0, 20.0)  # 1 and 2 seconds, of 10 partitions
