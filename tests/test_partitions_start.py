"""A fit of many partitions begins at the minimum over a few of them, and ends where any other does."""

from functools import cache

import numpy as np
import pytest

import influstat as ist
from influstat.curvature.dense import DenseCurvature
from influstat.errors import InvalidArgument, NotConverged
from influstat.partitioned import plan as plan_room
from influstat.partitioned import start
from influstat.partitioned.runners.base import Serial
from influstat.partitioned.sources.arrays import ArraySource
from influstat.partitioned.start import EVERY, FEWEST, EverySo, nearer, sampled, sampled_start
from influstat.partitioned.sums import Newton, NewtonSums, ScaledSums, SlopeSums
from tests.partition_cases import CLOSE

PARTITIONS, ROWS = FEWEST + EVERY + 1, 80
N = PARTITIONS * ROWS


@cache
def drawn():
    """Return X and y, which no test writes to."""
    rng = np.random.default_rng(11)
    X = rng.normal(size=(N, 2))
    return X, (rng.random(N) < 1.0 / (1.0 + np.exp(-X @ [1.0, -0.5]))).astype(float)


def risk_of(y=None, *, loss=None, rows=ROWS, lam=2.0, intercept=False):
    X, drawn_y = drawn()
    data = ist.partitions(X, drawn_y if y is None else y, rows=rows, runner="serial")
    loss = ist.LogisticLoss() if loss is None else loss
    return ist.PartitionedRisk(loss, data, penalty=ist.L2(lam), intercept=intercept)


def memory(y=None, *, intercept=False):
    X, drawn_y = drawn()
    risk = ist.LinearRisk(
        ist.LogisticLoss(), X, drawn_y if y is None else y, penalty=ist.L2(2.0), intercept=intercept
    )
    return ist.Fit.minimise(risk).theta


def test_a_few_partitions_spread_evenly_are_the_start():
    X, y = drawn()
    few = EverySo(risk_of().data.source)
    assert [few.place(k) for k in range(few.partitions())] == [f"partition {EVERY * k}" for k in range(4)]
    rows = np.concatenate([np.arange(ROWS) + EVERY * ROWS * k for k in range(4)])
    share = 4 / PARTITIONS
    alone = ist.LinearRisk(ist.LogisticLoss(), X[rows], y[rows], penalty=ist.L2(2.0 * share))
    np.testing.assert_allclose(sampled_start(risk_of()), ist.Fit.minimise(alone).theta, **CLOSE)


def watched(monkeypatch, kinds):
    """Note what each pass over all rows sums, by its source."""
    reduce = Serial.reduce

    def noted(self, source, work):
        kinds.setdefault(source, []).append(work.kind)
        return reduce(self, source, work)

    monkeypatch.setattr(Serial, "reduce", noted)


@pytest.mark.parametrize("intercept", [False, True])
def test_the_end_is_that_of_a_fit_in_memory_after_fewer_hessians(monkeypatch, intercept):
    risk, other = risk_of(intercept=intercept), risk_of(rows=4 * ROWS, intercept=intercept)
    assert sampled(risk)
    assert not sampled(other)
    watched(monkeypatch, kinds := {})
    for one in (risk, other):
        np.testing.assert_allclose(
            ist.PartitionedFit.minimise(one).theta, memory(intercept=intercept), **CLOSE
        )
    # Near the end rounding decides whether Newton's method takes one step more: two fewer remain one fewer.
    few, many = (kinds[one.data.source] for one in (risk, other))
    assert sum(issubclass(kind, NewtonSums) for kind in few) < len(many)
    assert few.count(SlopeSums) == 2
    assert risk.plan().passes == 5
    assert other.plan().passes == 8


def test_plans_know_which_passes_sum_no_hessian(monkeypatch):
    risk = risk_of()
    n, p = risk.shape
    plan, asked = risk.plan(), risk.plan(passes=5)
    full, newton, slope = p**2 + 12 * p, p**2 + 7 * p, 4 * p
    summed = (2 + 7 / EVERY) * full + (1 + 3 / EVERY) * newton + 2 * slope
    assert plan.operations == pytest.approx(n * summed, rel=1e-14)
    assert asked.operations == 5 * n * full
    assert plan.bytes_moved == pytest.approx(asked.bytes_moved * (5 + 10 / EVERY) / 5, rel=1e-14)
    with monkeypatch.context() as patch:
        patch.setattr(ArraySource, "rows", lambda source: 32 * 10**6)
        assert risk_of().plan().passes == 4
        assert risk_of(rows=4 * ROWS).plan().passes == 8
    clock, sums = [0.0], Newton.__call__

    def timed(work, partition, block):
        clock[0] += {SlopeSums: 1.0, NewtonSums: 3.0, ScaledSums: 4.0}[work.kind]
        return sums(work, partition, block)

    monkeypatch.setattr(Newton, "__call__", timed)
    monkeypatch.setattr(plan_room, "perf_counter", lambda: clock[0])
    parts = n / len(risk.data.source.block(0))
    assert risk.plan(passes=5).work_seconds == pytest.approx(parts * 5 * 4.0, rel=1e-14)
    seconds = (2 + 7 / EVERY) * 4.0 + (1 + 3 / EVERY) * 3.0 + 2 * 1.0
    assert risk.plan().work_seconds == pytest.approx(parts * seconds, rel=1e-14)


@pytest.mark.parametrize(("intercept", "left"), [(False, 1e-11), (True, 2e-7)])
def test_three_steps_sum_one_hessian_of_all_rows(monkeypatch, intercept, left):
    risk = risk_of(intercept=intercept)
    watched(monkeypatch, kinds := {})
    near = sampled_start(risk)
    assert np.abs(near - memory(intercept=intercept)).max() > 1e-2
    # With the Hessian of the second step as it is, ten times as much is left.
    assert np.abs(nearer(risk, near) - memory(intercept=intercept)).max() < left
    assert kinds[risk.data.source] == [SlopeSums, NewtonSums, SlopeSums]


class Unlike:
    """Few partitions whose rows tell little of the curvature of all."""

    def __init__(self, risk, times):
        self.risk, self.times = risk, iter(times)

    def curvature(self, theta):
        return DenseCurvature(next(self.times) * self.risk.curvature(theta).to_dense())


@pytest.mark.parametrize(("times", "passes"), [((1e-3,), 2), ((-1.0,), 1)])
def test_a_step_that_leads_up_is_taken_back(monkeypatch, times, passes):
    risk = risk_of()
    near = sampled_start(risk)
    monkeypatch.setattr(start, "few_of", lambda risk: Unlike(risk_of(), times))
    np.testing.assert_array_equal(nearer(risk, near), near)
    assert risk.passes == passes


def test_a_second_step_that_leads_up_is_taken_back_to_the_first(monkeypatch):
    risk, few = risk_of(), start.few_of(risk_of())
    near = sampled_start(risk)
    monkeypatch.setattr(risk, "curvature", Unlike(risk_of(), [1e-3]).curvature)
    first = near - np.linalg.solve(few.curvature(near).to_dense(), risk.slope(near)[1])
    np.testing.assert_allclose(nearer(risk, near), first, rtol=1e-12)


def test_more_is_summed_where_less_is_known():
    risk, other, theta = risk_of(), risk_of(), np.array([0.3, -0.2])
    found = risk.slope(theta), risk.curvature(theta).to_dense(), risk.gradient_scale(theta)
    assert risk.passes == 3
    known = other.gradient_scale(theta), other.curvature(theta).to_dense(), other.slope(theta)
    assert other.passes == 1  # which is enough for all
    for ours, theirs in zip((*found[0], *found[1:]), (*known[2], known[1], known[0]), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_partitions_that_have_no_minimum_are_no_start():
    y = drawn()[1].copy()
    for k in range(4):
        y[EVERY * ROWS * k :][:ROWS] = 1.0  # one class alone, and an intercept that no penalty holds
    assert sampled_start(risk_of(y, intercept=True)) is None
    np.testing.assert_allclose(
        ist.PartitionedFit.minimise(risk_of(y, intercept=True)).theta, memory(y, intercept=True), **CLOSE
    )


@pytest.mark.slow
def test_a_start_too_far_out_is_left_for_zeros():
    X, y = drawn()
    y = y.copy()
    rows = np.concatenate([np.arange(ROWS) + EVERY * ROWS * k for k in range(4)])
    y[rows] = X[rows, 0] > 0  # separated, but for a trace of a penalty
    risk = risk_of(y, lam=1e-9)
    assert sampled_start(risk) is None
    whole = ist.LinearRisk(ist.LogisticLoss(), X, y, penalty=ist.L2(1e-9))
    np.testing.assert_allclose(
        ist.PartitionedFit.minimise(risk).theta, ist.Fit.minimise(whole).theta, **CLOSE
    )
    assert risk.passes < 12


@pytest.mark.slow
def test_a_start_that_leads_nowhere_is_left_for_zeros(monkeypatch):
    risk = risk_of()
    far = np.array([1e4, 1e4])
    monkeypatch.setattr("influstat.partitioned.start.sampled_start", lambda risk: far)
    with pytest.raises(NotConverged):
        ist.PartitionedFit.minimise(risk, start=far, max_iterations=8)
    np.testing.assert_allclose(ist.PartitionedFit.minimise(risk, max_iterations=8).theta, memory(), **CLOSE)


def test_a_risk_of_several_minima_or_of_one_step_begins_at_zeros():
    X, y = drawn()
    sine = ist.NumericalLoss(lambda y, eta: np.cos(eta - y))
    assert not sampled(risk_of(loss=sine))
    assert not sampled(risk_of(loss=ist.SquaredError()))
    chunks = ist.partitions(lambda: ((X[k : k + 1], y[k : k + 1]) for k in range(N)))
    assert not sampled(ist.PartitionedRisk(ist.LogisticLoss(), chunks))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_wrong_with_the_rows_of_the_start_is_said_as_of_all(value):
    X, y = drawn()
    rows = X.copy()
    rows[EVERY * ROWS + 3, 1] = value
    data = ist.partitions(rows, y, rows=ROWS)
    with pytest.raises(
        InvalidArgument, match=rf"X of partition {EVERY} must be finite, but it holds {value} at row 3"
    ):
        ist.Logistic(lam=1.0).fit(data)
