"""Groups of rows in partitions: left out and held out as in memory, however the rows are cut."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold, KFold

import influstat as ist
from influstat.errors import DoubtfulResult, InvalidArgument, InvalidType, Unsupported
from influstat.removal.leave_out import METHODS
from tests.budget import examples
from tests.partition_cases import (
    CLOSE,
    LABELS,
    LOSSES,
    LT,
    MODELS,
    OFFSET,
    WEIGHTS,
    XT,
    N,
    X,
    Y,
    cuts,
    pieces,
)

MOST = [
    name if name != "svc" else pytest.param(name, marks=pytest.mark.slow) for name in MODELS
]  # many steps
FEW = examples(3)  # each draw fits twice, and answers by four methods
FIRMS = np.random.default_rng(7).integers(0, 6, N)
KINDS = {"numbers": FIRMS, "text": np.array([f"firm {k}" for k in FIRMS]), "folds": np.arange(N) % 4}


def both(name, sizes, wide, groups):
    model, y, _ = MODELS[name]
    fit = model.fit(pieces(sizes, y, WEIGHTS, OFFSET, wide, groups=groups))
    return fit, model.fit(X, y, weights=WEIGHTS, offset=OFFSET)


@pytest.mark.dear
@pytest.mark.parametrize("name", MOST)
@FEW
@given(sizes=cuts(), wide=st.sets(st.integers(0, 5)), kind=st.sampled_from(sorted(KINDS)))
def test_groups_left_out_are_those_in_memory(name, sizes, wide, kind):
    groups, yt = KINDS[kind], MODELS[name][2]
    fit, whole = both(name, sizes, wide, groups)
    for method in METHODS:
        found, memory = fit.leave_groups_out(method=method), whole.leave_groups_out(groups, method=method)
        assert found.labels.tolist() == memory.labels.tolist()
        assert found.rows.tolist() == memory.groups.sizes.tolist()
        np.testing.assert_allclose(found.theta, memory.theta, **CLOSE)
        np.testing.assert_allclose(found.loss_change(XT, yt), memory.loss_change(XT, yt), **CLOSE)
        np.testing.assert_allclose(found.prediction_change(XT), memory.prediction_change(XT), **CLOSE)
        assert found.converged.tolist() == memory.converged.tolist()
        assert found.status == memory.status
    assert found.top(3).position.tolist() == memory.top(3).position.tolist()


@pytest.mark.dear
@pytest.mark.parametrize("name", MOST)
@FEW
@given(sizes=cuts(), wide=st.sets(st.integers(0, 5)), kind=st.sampled_from(sorted(KINDS)))
def test_folds_held_out_are_those_in_memory(name, sizes, wide, kind):
    groups = KINDS[kind]
    fit, whole = both(name, sizes, wide, groups)
    for method in METHODS:
        found = fit.cross_validate("groups", method=method, scoring="neg_mean_squared_error")
        memory = ist.cross_validate(whole, groups, method=method, scoring="neg_mean_squared_error")
        np.testing.assert_allclose(found.mean, memory.mean, **CLOSE)
        np.testing.assert_allclose(found.fold_losses, memory.fold_losses, **CLOSE)
        np.testing.assert_allclose(found.scores, memory.scores, **CLOSE)
        rows = found.row_losses.to_frame()
        np.testing.assert_allclose(rows["loss"], memory.row_losses, **CLOSE)
        np.testing.assert_allclose(rows["linear_predictor"], memory.linear_predictor, **CLOSE)


@pytest.mark.dear
@pytest.mark.parametrize("name", MOST)
@FEW
@given(sizes=cuts())
def test_rows_held_out_alone_are_those_in_memory(name, sizes):
    fit, whole = both(name, sizes, (), None)
    for method in METHODS:
        found, memory = ist.cross_validate(fit, method=method), ist.cross_validate(whole, method=method)
        np.testing.assert_allclose(found.mean, memory.mean, **CLOSE)
        np.testing.assert_allclose(found.row_losses.to_frame()["loss"], memory.row_losses, **CLOSE)
    bounded = fit.cross_validate(certified=True).row_losses.to_frame()
    exact = ist.cross_validate(whole, certified=True)
    known = bounded["bound of loss"].notna()
    off = (bounded["loss"] - exact.row_losses).abs()
    assert (off <= bounded["bound of loss"] + exact.error_bound + 1e-15)[known].all()


@pytest.mark.parametrize("name", LOSSES)
@FEW
@given(sizes=cuts())
def test_other_losses_and_penalties_are_those_in_memory(name, sizes):
    loss, y = LOSSES[name]
    penalty = ist.L2(1.0) + ist.Linear([0.1, 0.0, 0.0])
    for protocol in ("fixed", "folded"):
        known = {"penalty": penalty, "protocol": protocol}
        data = pieces(sizes, y, WEIGHTS, groups=FIRMS)
        fit = ist.PartitionedFit.minimise(ist.PartitionedRisk(loss, data, **known))
        whole = ist.Fit.minimise(ist.LinearRisk(loss, X, y, weights=WEIGHTS, **known))
        for method in METHODS:
            found, memory = fit.leave_groups_out(method=method), whole.leave_groups_out(FIRMS, method=method)
            np.testing.assert_allclose(found.theta, memory.theta, **CLOSE)


def logistic(**settings):
    return ist.Logistic(lam=0.5).fit(ist.partitions(X, LABELS, rows=16, runner="serial", **settings))


WHOLE = ist.Logistic(lam=0.5).fit(X, LABELS)
WAYS = {
    "labels": FIRMS,
    "list": FIRMS.tolist(),
    "splitter": KFold(3, shuffle=True, random_state=1),
    "pairs": list(GroupKFold(3).split(X, LABELS, FIRMS)),
    "sets": {"a": [3, 1], "b": [0], "c": list(range(20, 50))},
}


@pytest.mark.parametrize("way", WAYS)
def test_groups_are_given_in_the_ways_of_memory(way):
    found, memory = logistic().leave_groups_out(WAYS[way]), WHOLE.leave_groups_out(WAYS[way])
    assert found.labels.tolist() == memory.labels.tolist()
    np.testing.assert_allclose(found.theta, memory.theta, **CLOSE)
    held, there = logistic().cross_validate(WAYS[way]), ist.cross_validate(WHOLE, WAYS[way])
    np.testing.assert_allclose(held.mean, there.mean, **CLOSE)
    np.testing.assert_allclose(held.row_losses.to_frame()["loss"], there.row_losses, **CLOSE)


@pytest.mark.slow
def test_groups_are_a_function_of_labels_or_a_column(tmp_path):
    found = logistic(labels=np.arange(N) + 100).leave_groups_out(lambda labels: labels % 3)
    memory = WHOLE.leave_groups_out((np.arange(N) + 100) % 3)
    np.testing.assert_allclose(found.theta, memory.theta, **CLOSE)
    table = pd.DataFrame(X, columns=["x0", "x1", "x2"]).assign(y=LABELS, firm=KINDS["text"])
    pytest.importorskip("pyarrow")
    table.to_parquet(tmp_path / "a.parquet", row_group_size=9)
    data = ist.partitions(tmp_path / "a.parquet", "y", groups="firm")
    assert data.names == ("x0", "x1", "x2")
    found = ist.Logistic(lam=0.5).fit(data).leave_groups_out()
    memory = WHOLE.leave_groups_out(KINDS["text"])
    np.testing.assert_allclose(found.theta, memory.theta, **CLOSE)
    assert list(found.to_frame().columns) == ["rows", "x0", "x1", "x2", "status"]


@pytest.mark.parametrize("method", METHODS)
def test_groups_in_several_blocks_are_those_in_one(method, monkeypatch):
    one = logistic(groups=FIRMS).leave_groups_out(method=method)
    monkeypatch.setattr("influstat.partitioned.groups.leave_out.MEMORY", 80)  # two groups of 3 x 3 at once
    again = logistic(groups=FIRMS).leave_groups_out(method=method)
    np.testing.assert_allclose(again.theta, one.theta, **CLOSE)


def difference(y, prediction):
    return float(np.mean(y - prediction))


@pytest.mark.slow
def test_scores_of_classes_are_those_in_memory():
    for scoring in (
        "roc_auc",
        "neg_log_loss",
        "accuracy",
        lambda y, prediction: float(np.mean(y - prediction)),
    ):
        found = logistic(groups=np.arange(N) % 3).cross_validate("groups", scoring=scoring)
        memory = ist.cross_validate(WHOLE, np.arange(N) % 3, scoring=scoring)
        np.testing.assert_allclose(found.scores, memory.scores, **CLOSE)
        assert found.scoring == memory.scoring


def test_a_group_that_holds_all_of_a_column_has_a_reason():
    x = np.column_stack([np.ones(N), FIRMS == 2, X[:, 0]]).astype(float)
    fit = ist.Ridge(lam=0.0).fit(ist.partitions(x, Y, rows=7, groups=FIRMS, columns=["one", "two", "x"]))
    with pytest.warns(DoubtfulResult, match="1 of 6 groups have no refit"):
        found = fit.leave_groups_out()
    assert "Group 2: Without these" in found.status[2]
    assert "two" in found.status[2]
    assert np.isnan(found.theta[2]).all()
    assert not np.isnan(np.delete(found.theta, 2, axis=0)).any()


def mixed():
    yield {"X": X[:30], "y": LABELS[:30], "groups": np.array(["a"] * 29 + [None], dtype=object)}
    yield {"X": X[30:], "y": LABELS[30:], "groups": np.full(30, "b")}


def kinds():
    yield {"X": X[:30], "y": LABELS[:30], "groups": np.full(30, "b")}
    yield {"X": X[30:], "y": LABELS[30:], "groups": np.arange(30)}


def lacking():
    yield {"X": X[:30], "y": LABELS[:30], "groups": np.full(30, "b")}
    yield {"X": X[30:], "y": LABELS[30:]}


BAD = {
    "none": ({}, None, InvalidArgument, "groups must be given where the data hold none"),
    "name": ({}, "firm", InvalidArgument, "ist.partitions(..., groups='firm')"),
    "length": ({}, np.arange(5), InvalidArgument, "hold one label per row (60)"),
    "one": ({"groups": np.zeros(N)}, None, InvalidArgument, "have two or more values"),
    "overlap": ({}, [[0, 1], [1, 2]], Unsupported, "be disjoint"),
    "function": ({}, lambda labels: 1, InvalidArgument, "one group for each of an array of labels"),
    "raises": ({}, lambda labels: labels.no, InvalidType, "raises AttributeError"),
    "missing": (mixed, None, InvalidArgument, "groups of partition 0"),
    "kinds": (kinds, None, InvalidType, "be of one kind in all partitions"),
    "lacking": (lacking, None, InvalidArgument, "groups of partition 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_groups_that_are_none_are_named(case):
    given_, groups, kind, text = BAD[case]
    made = ist.Logistic(lam=0.5).fit
    fit = made(ist.partitions(given_)) if callable(given_) else logistic(**given_)
    with pytest.raises(kind) as raised:
        fit.leave_groups_out(groups)
    assert text in str(raised.value)
    if case == "missing":
        assert "at row 29" in str(raised.value)


def test_what_folds_do_not_have_is_refused():
    with pytest.raises(Unsupported, match="scoring must be left out"):
        logistic().cross_validate(scoring="r2")
    with pytest.raises(InvalidArgument, match="method"):
        logistic(groups=FIRMS).leave_groups_out(method="fast")
    assert "loss" in str(logistic().cross_validate().row_losses.top(1, column="loss").title).lower()
    assert LT.shape == (4,)
