"""Leave-one-out of rows in partitions is that in memory: every method, every loss, every cut; bounds hold."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import influstat as ist
from influstat.partitioned.answers import answer as answering
from influstat.removal.engine import plan as planning
from tests.budget import examples, some
from tests.partition_cases import CLOSE, COUNTS, LOSSES, MODELS, OFFSET, WEIGHTS, XT, N, X, Y, cuts, pieces

FEW = examples(3)  # each draw refits without every row twice
METHODS = ("influence", "newton", "second_order", "exact")
SETS = {**MODELS, **{name: (None, y, y[:4]) for name, (_, y) in LOSSES.items()}}


def fitted(name, sizes, weights=WEIGHTS, offset=OFFSET):
    """Return the fit of partitions, that in memory, and targets of test rows."""
    model, y, yt = SETS[name]
    data = pieces(sizes, y, weights, offset)
    if model is not None:
        return model.fit(data), model.fit(X, y, weights=weights, offset=offset), yt
    loss, penalty = LOSSES[name][0], ist.L2(1.0)
    part = ist.PartitionedFit.minimise(ist.PartitionedRisk(loss, data, penalty=penalty))
    risk = ist.LinearRisk(loss, X, y, weights=weights, offset=offset, penalty=penalty)
    return part, ist.Fit.minimise(risk), yt


def effects(answer):
    return answer.to_frame()[list(answer.columns)].to_numpy()


def compared(name, method, sizes, rtol=1e-12):
    fit, whole, yt = fitted(name, sizes)
    ours, theirs = fit.leave_one_out(method=method), whole.leave_one_out(method=method)
    close = {"rtol": 0.0, "atol": rtol * max(1.0, np.max(np.abs(whole.theta)))}
    frame = ours.delta().to_frame()
    np.testing.assert_allclose(frame[list(fit.names)], theirs.delta, **close)
    assert (frame["status"] == "").all()
    np.testing.assert_allclose(effects(ours.loss_change(XT, yt)), theirs.loss_change(XT, yt), **close)
    np.testing.assert_allclose(effects(ours.prediction_change(XT)), theirs.prediction_change(XT), **close)
    if method == "exact":
        assert (frame["gradient_norm"] < 1e-12).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", SETS)
def test_every_method_is_that_in_memory(name, method):
    compared(name, method, [1, 0, 20, 25, 1, 13, 0])


@FEW
@given(sizes=cuts(), name=st.sampled_from(sorted(SETS)), method=st.sampled_from(METHODS))
def test_every_cut_gives_the_same(sizes, name, method):
    compared(name, method, sizes)


@pytest.mark.filterwarnings("ignore:The answer holds a nan")  # as test_bounds_said asks
@pytest.mark.parametrize("name", ["logistic", "signed", "svc", "poisson", "ridge"])
@pytest.mark.parametrize("method", METHODS)
def test_bounds_hold(name, method):
    fit, whole, yt = fitted(name, [30, 0, 1, 29])
    exact = whole.leave_one_out()
    removal = fit.leave_one_out(method=method)
    for answer, true in (
        (removal.delta(bounds=True), exact.delta),
        (removal.loss_change(XT, yt, bounds=True), exact.loss_change(XT, yt)),
        (removal.prediction_change(XT, bounds=True), exact.prediction_change(XT)),
    ):
        frame = answer.to_frame()
        bound = frame[[f"bound of {one}" for one in answer.columns]].to_numpy()
        error = np.abs(frame[list(answer.columns)].to_numpy() - true)
        known = np.isfinite(bound)
        assert (error <= bound)[known].all()
        if name != "svc" or method == "exact":  # approximations are too far off where its slope bends at once
            assert known.mean() > 0.8
        if method == "exact":
            assert np.nanmax(bound) < 1e-9


def large(n, p=4, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    y = (rng.random(n) < 1 / (1 + np.exp(-x @ rng.normal(size=p)))).astype(float)
    return x, y


@pytest.mark.parametrize("intercept", some([True, False]))
def test_expanded_refits_are_exact_to_their_tolerance(intercept):
    x, y = large(n=1500)
    model = ist.Logistic(lam=0.5, intercept=intercept)
    fit = model.fit(ist.partitions(x, y, rows=[1, 499, 0, 600, 400]))
    whole = model.fit(x, y)
    # So that expanding pays, though few rows have far larger leverages than many: the least kept.
    with mock.patch.multiple(planning, SMALL=1e6, KEPT=(0, 64)):
        removal = fit.leave_one_out()
        assert removal.plan.order > 2
        assert removal.plan.swept < len(y)
        frame = removal.delta(bounds=True).to_frame()
    exact = whole.leave_one_out()
    names = list(fit.names)
    size = np.linalg.norm(exact.delta, axis=1)
    error = np.linalg.norm(frame[names].to_numpy() - exact.delta, axis=1)
    assert (error <= 10 * planning.TOLERANCE * size + 1e-14).all()
    bound = frame[[f"bound of {name}" for name in names]].to_numpy()
    assert (np.abs(frame[names].to_numpy() - exact.delta) <= bound).all()
    assert (np.linalg.norm(bound, axis=1) <= 1e-4 * size + 1e-12).all()


@pytest.mark.slow
def test_rows_that_the_expansion_leaves_are_summed(monkeypatch):
    x, y = large(n=1500, p=3)
    x[7] *= 60.0  # far out, against the others: its refit is far from the fit
    y[7] = 1.0 - (x[7] @ np.ones(3) > 0)
    model = ist.Logistic(lam=0.5)
    fit, whole = model.fit(ist.partitions(x, y, rows=400)), model.fit(x, y)
    monkeypatch.setattr(planning, "SMALL", 0.0)
    monkeypatch.setattr(planning, "KEPT", (0,))
    frame = fit.leave_one_out().delta().to_frame()
    np.testing.assert_allclose(
        frame[list(fit.names)].iloc[7], whole.leave_one_out(rows=[7]).delta[0], **CLOSE
    )
    assert frame["gradient_norm"].iloc[7] < 1e-12


def test_ranked_removals_are_those_of_the_frame():
    fit, whole, yt = fitted("logistic", [20, 20, 20])
    ranking = fit.leave_one_out().loss_change(XT[:1], yt[:1]).top(3)
    change = whole.leave_one_out().loss_change(XT[:1], yt[:1])[:, 0]
    assert ranking.position.tolist() == np.argsort(-np.abs(change))[:3].tolist()


def test_a_row_that_alone_determines_a_coefficient_has_a_reason():
    x = np.column_stack([np.ones(10), np.arange(10) == 3]).astype(float)
    y = np.arange(10.0)
    risk = ist.PartitionedRisk(ist.SquaredError(), ist.partitions(x, y, rows=4))
    fit = ist.PartitionedFit.minimise(risk)
    with pytest.warns(ist.errors.DoubtfulResult, match="a nan for 1 row .*Without this row"):
        frame = fit.leave_one_out().delta().to_frame()
    assert np.isnan(frame["x0"].iloc[3])
    assert "singular" in frame["status"].iloc[3]
    others = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), x, y)).leave_one_out(rows=np.arange(10) != 3)
    np.testing.assert_allclose(frame[["x0", "x1"]].drop(3), others.delta, **CLOSE)


def test_a_row_of_leverage_near_1_is_solved_by_itself():
    x = np.column_stack([np.ones(40), np.where(np.arange(40) == 3, 300.0, np.linspace(-1, 1, 40))])
    y = np.linspace(0.0, 3.0, 40) ** 2
    for model, target in ((ist.Ridge(lam=0.1), y), (ist.Logistic(lam=0.1), (y > 4).astype(float))):
        fit, whole = model.fit(ist.partitions(x, target, rows=7)), model.fit(x, target)
        for method in ("newton", "exact"):
            delta = effects(fit.leave_one_out(method=method).delta())
            np.testing.assert_allclose(delta, whole.leave_one_out(method=method).delta, rtol=1e-9, atol=1e-11)
        planned = fit.leave_one_out().delta().plan()  # of the ridge, the first partition leaves that row
        assert planned.passes == 4
        assert planned.bytes_moved == 4 * 40 * 3 * 8


def test_bounds_need_a_loss_that_declares_its_derivatives():
    data = pieces([30, 30], Y)
    fit = ist.PartitionedFit.minimise(ist.PartitionedRisk(ist.HuberLoss(1.0), data, penalty=ist.L2(1.0)))
    with pytest.raises(ist.errors.Unsupported, match="bounds must be False for a loss"):
        fit.leave_one_out().delta(bounds=True)


def test_the_plan_is_that_in_memory():
    fit, whole, _ = fitted("logistic", [20, 40])
    ours, theirs = fit.leave_one_out().plan, ist.removal.plan(whole)
    assert (ours.order, ours.removals, ours.operations) == (theirs.order, N, theirs.operations)


def test_counts_and_test_rows_of_the_same_name():
    fit = ist.PartitionedFit.minimise(
        ist.PartitionedRisk(ist.PoissonLoss(), pieces([60], COUNTS), penalty=ist.L2(1.0))
    )
    import pandas as pd

    rows = pd.DataFrame(XT, columns=["x0", "x1", "x2"], index=["a"] * 4)
    answer = fit.leave_one_out(method="newton").prediction_change(rows, kind="mean")
    assert answer.columns == ("a (0)", "a (1)", "a (2)", "a (3)")


def test_closed_forms_of_few_digits_are_refined_with_the_rows_themselves():
    far = np.column_stack([np.ones(N), 1e3 + X[:, 0].astype(float), X[:, 1]])
    model = ist.Ridge(lam=0.0, protocol="fixed")
    fit, whole = model.fit(pieces([20, 40], Y, rows=far)), model.fit(far, Y)
    question = fit.leave_one_out().delta().question
    assert question.summed
    delta, memory = effects(fit.leave_one_out().delta()), whole.leave_one_out().delta
    np.testing.assert_allclose(delta, memory, rtol=1e-8, atol=1e-9 * np.abs(memory).max())


def test_proofs_of_few_digits_are_refused_and_refits_are_summed(monkeypatch):
    x, y = large(n=60, p=3)
    x[:, 1] = x[:, 0] + 1e-8 * x[:, 1]
    model = ist.Logistic(lam=1e-12)
    with pytest.warns(ist.errors.DoubtfulResult, match="reciprocal condition"):
        fit = model.fit(ist.partitions(x, y, rows=25))
    monkeypatch.setattr(planning, "SMALL", 0.0)
    with pytest.raises(ist.errors.SingularHessian):
        fit.leave_one_out().delta(bounds=True)
    removal = fit.leave_one_out()
    assert (removal.plan.order, removal.plan.swept) == (2, 60)
    changes = removal.prediction_change(x[:3]).to_frame()
    assert (changes["gradient_norm"] < 1e-7).all()  # of Gram matrices that have lost all but a few digits
    memory = model.fit(x, y).leave_one_out().prediction_change(x[:3])
    np.testing.assert_allclose(changes[["0", "1", "2"]], memory, rtol=1e-3, atol=1e-5)


def test_parts_are_given_out_in_order_and_few_are_held(monkeypatch):
    monkeypatch.setattr(answering, "WAVE", 2)
    fit, whole, _ = fitted("logistic", [10] * 6)
    removal = fit.leave_one_out().delta()
    assert [part.partition for part in removal.parts()] == list(range(6))
    np.testing.assert_allclose(effects(removal), whole.leave_one_out().delta, **CLOSE)
    (one,) = removal.parts([4])
    assert one.positions.tolist() == list(range(40, 50))
