"""Rows in partitions give the numbers of rows in memory, however they are cut and whoever works on them."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

import influstat as ist
from influstat.partitioned import sums
from influstat.partitioned.block import Block
from influstat.partitioned.recipe import Recipe
from influstat.partitioned.runners.base import Serial, Threads, spans
from influstat.partitioned.sums import Held, swept
from influstat.risks.protocol import Protocol
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

FEW = examples(4)  # each draw fits twice; the slow law at the end draws many


def same(answer, scores):
    frame = answer.to_frame()
    assert list(frame.columns) == ["position", *map(str, scores.columns)]
    np.testing.assert_array_equal(frame["position"], np.arange(N))
    np.testing.assert_allclose(frame.drop(columns="position"), scores.removal.reshape(N, -1), **CLOSE)


@pytest.mark.dear
@pytest.mark.parametrize("name", MODELS)
@FEW
@given(sizes=cuts(), wide=st.sets(st.integers(0, 5)))
def test_models_and_influence_are_those_in_memory(name, sizes, wide):
    model, y, yt = MODELS[name]
    fit = model.fit(pieces(sizes, y, WEIGHTS, OFFSET, wide))
    whole = model.fit(X, y, weights=WEIGHTS, offset=OFFSET)
    assert fit.names == whole.names
    np.testing.assert_allclose(fit.theta, whole.theta, **CLOSE)
    np.testing.assert_allclose(fit.hessian.to_dense(), whole.hessian.to_dense(), **CLOSE)
    parts, memory = fit.influence(), whole.influence()
    same(parts.on_theta(), memory.on_theta())
    same(parts.on_loss(XT, yt), memory.on_loss(XT, yt))
    same(parts.on_self(), memory.on_self())
    same(parts.on_prediction(XT), memory.on_prediction(XT))
    np.testing.assert_allclose(fit.predict(XT), whole.predict(XT), **CLOSE)
    np.testing.assert_allclose(fit.loss(XT, yt), whole.loss(XT, yt), **CLOSE)


@pytest.mark.parametrize("name", LOSSES)
@FEW
@given(sizes=cuts())
def test_other_losses_are_those_in_memory(name, sizes):
    loss, y = LOSSES[name]
    penalty = ist.L2(1.0) + ist.Linear([0.1, 0.0, 0.0])
    risk = ist.PartitionedRisk(loss, pieces(sizes, y, WEIGHTS), penalty=penalty, test_protocol="folded")
    fit = ist.PartitionedFit.minimise(risk)
    whole = ist.Fit.minimise(
        ist.LinearRisk(loss, X, y, weights=WEIGHTS, penalty=penalty, test_protocol="folded")
    )
    np.testing.assert_allclose(fit.theta, whole.theta, **CLOSE)
    same(fit.influence().on_loss(XT, y[:4]), whole.influence().on_loss(XT, y[:4]))


@pytest.mark.parametrize("family", ["Gamma", "Binomial", "Gaussian"])
def test_glm_families_are_those_in_memory(family):
    made = getattr(sm.families, family)(*([sm.families.links.Log()] if family == "Gamma" else []))
    y = {"Gamma": np.exp(Y), "Binomial": LABELS, "Gaussian": Y}[family]
    whole = ist.from_statsmodels(sm.GLM(y, X.astype(float), family=made).fit(tol=1e-12), polish=True)
    risk = ist.PartitionedRisk(whole.risk.loss, pieces([20, 0, 40], y))
    fit = ist.PartitionedFit.minimise(risk)
    np.testing.assert_allclose(fit.theta, whole.theta, rtol=1e-9, atol=1e-10)
    exact, memory = fit.leave_one_out().delta().to_frame(), whole.leave_one_out().delta
    np.testing.assert_allclose(exact[list(fit.names)], memory, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", ["logistic", "poisson", "huber", "sine"])
@pytest.mark.parametrize("intercept", [False, True])
def test_one_sweep_sums_what_the_risk_of_its_rows_says(name, intercept):
    sine = ist.NumericalLoss(lambda y, eta: np.cos(eta - y))  # of curvature of both signs
    loss, y = {"logistic": (ist.LogisticLoss(), LABELS), "sine": (sine, Y), **LOSSES}[name]
    weights = np.where(np.arange(N) % 7, WEIGHTS, 0.0)
    protocol = Protocol.FIXED
    recipe = Recipe(loss, ("a", "b", "c"), intercept, ist.L2(), protocol, protocol).summed()
    risk = recipe.risk(Block(X, y, weights, OFFSET))
    theta = np.array([0.3, -2.0, 0.5, 0.1])[: 3 + intercept]
    value, gradient, hessian, convex, scale = swept(risk, theta)
    curvature = risk.curvature(theta)
    np.testing.assert_allclose(value, risk.value(theta), **CLOSE)
    np.testing.assert_allclose(gradient, risk.gradient(theta), **CLOSE)
    np.testing.assert_allclose(scale, risk.gradient_scale(theta), **CLOSE)
    np.testing.assert_allclose(hessian, curvature.to_dense(), **CLOSE)
    assert convex == curvature.convex == (name != "sine")
    for kind in (sums.SlopeSums, sums.NewtonSums):
        fewer = swept(risk, theta, kind)
        assert fewer[0] == value
        np.testing.assert_array_equal(fewer[1], gradient)
        np.testing.assert_array_equal(fewer[2], hessian if kind is sums.NewtonSums else 0.0)
        assert not fewer[4].any()


def test_a_thread_keeps_the_memory_of_few_columns_only(monkeypatch):
    assert Held.of_thread(3) is Held.of_thread(3)
    monkeypatch.setattr(sums, "KEPT", Held(5).rows * 5 - 1)
    assert Held.of_thread(5) is not Held.of_thread(5)


def logistic(rows=7, **settings):
    return ist.Logistic(lam=0.5).fit(ist.partitions(X, LABELS, rows=rows, **settings))


WHOLE = ist.Logistic(lam=0.5).fit(X, LABELS)


@pytest.mark.parametrize("runner", ["serial", "threads", 3, Serial(), Threads(1)])
def test_runners_agree_to_the_last_bit(runner):
    fit, other = logistic(runner=runner), logistic(runner="serial")
    np.testing.assert_array_equal(fit.theta, other.theta)
    assert fit.influence().on_loss(XT, LT).to_frame().equals(other.influence().on_loss(XT, LT).to_frame())


def mapped(tmp_path, offset=0):
    """Return X and y as memory maps, X behind a header of so many bytes."""
    for name, values in (("x", X), ("y", LABELS)):
        (tmp_path / name).write_bytes(b"\0" * offset + values.tobytes())
    return (
        np.memmap(tmp_path / "x", np.float32, "r", offset, X.shape),
        np.memmap(tmp_path / "y", np.float64, "r", offset, LABELS.shape),
    )


def chunks():
    for rows in np.array_split(np.arange(N), 7):
        yield X[rows], LABELS[rows]


def copied_on_write(tmp_path):
    """Return maps whose numbers differ from those of their files."""
    maps = [np.memmap(tmp_path / name, X.dtype, "w+", shape=one.shape) for name, one in PAIR.items()]
    copies = [np.memmap(one.filename, X.dtype, "c", shape=one.shape) for one in maps]
    for copy, one in zip(copies, PAIR.values(), strict=True):
        copy[:] = one
    return copies


def frames():
    table = pd.DataFrame(X, columns=["x0", "x1", "x2"]).assign(y=LABELS, id=np.arange(N))
    for k in range(0, N, 9):  # the order of columns does not matter: they have names
        part = table.iloc[k : k + 9]
        yield part[part.columns[::-1]] if k else part


def tables():
    """Return tables, one without rows, of other types of numbers."""
    first, *others = frames()
    return [first, first[:0].astype(object), *(one.convert_dtypes() for one in others)]


def rows_as_tables():
    """Yield X as a table in each chunk, whose order of columns does not matter, and y beside it."""
    for one in frames():
        yield one.drop(columns=["y", "id"]), one.y


PAIR = {"x": X, "y": LABELS}
SOURCES = {
    "array": lambda path: ist.partitions(X, LABELS, rows=11),
    "sizes": lambda path: ist.partitions(X, LABELS, rows=[1, 0, 49, 10]),
    "memory map": lambda path: ist.partitions(*mapped(path), rows=11),
    "header": lambda path: ist.partitions(*mapped(path, offset=24), rows=11),
    "part of a map": lambda path: ist.partitions(*(one[:] for one in mapped(path)), rows=11),
    "sparse": lambda path: ist.partitions(sp.csr_matrix(X), LABELS, rows=11),
    "chunks": lambda path: ist.partitions(chunks),
    "lists of chunks": lambda path: ist.partitions(lambda: [{"X": X, "y": LABELS, "weights": np.ones(N)}]),
    "frames": lambda path: ist.partitions(frames, "y", labels="id"),
    "copied on write": lambda path: ist.partitions(*copied_on_write(path), rows=11),
    "tables": lambda path: ist.partitions(tables(), "y", labels="id"),
    "one table": lambda path: ist.partitions(pd.concat(list(frames())), "y", labels="id"),
    "X as tables": lambda path: ist.partitions(rows_as_tables),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_source_gives_the_same_fit_and_ranking(kind, tmp_path):
    fit = ist.Logistic(lam=0.5).fit(SOURCES[kind](tmp_path))
    np.testing.assert_allclose(fit.theta, WHOLE.theta, **CLOSE)
    ranking = fit.influence().on_loss(XT[:1], LT[:1]).top(3)
    other = WHOLE.influence().on_loss(XT[:1], LT[:1]).top(3)
    assert ranking.position.tolist() == other.position.tolist()
    assert list(ranking.labels) == list(other.labels)


def test_float32_stays_float32_until_it_is_worked_on(tmp_path):
    for kind in ("array", "memory map", "sparse", "chunks", "frames"):
        assert SOURCES[kind](tmp_path).source.block(0).X.dtype == np.float32


def test_labels_are_kept():
    names = np.array([f"row {k}" for k in range(N)])
    fit = logistic(labels=names)
    assert fit.influence().on_self().to_frame().index.tolist() == names.tolist()
    assert fit.influence().on_self().top(2).labels[0].startswith("row ")


@FEW
@given(sizes=cuts(), k=st.integers(1, 70))
def test_top_rows_are_those_of_all_rows_at_once(sizes, k):
    fit = ist.Ridge(lam=1.0).fit(pieces(sizes, np.round(Y)))
    whole = ist.Ridge(lam=1.0).fit(X, np.round(Y))
    found = fit.influence().on_theta().top_of_each(k)
    for j, name in enumerate(fit.names):
        ours, theirs = found[name], whole.influence().on_theta().top(k, column=j)
        np.testing.assert_allclose(np.abs(ours.change), np.abs(theirs.change), **CLOSE)
        effects = whole.influence().on_theta().removal[:, j]  # ties may be cut in another order
        np.testing.assert_allclose(ours.change, effects[ours.position], **CLOSE)
        assert len(set(ours.position)) == len(ours.position)


@FEW
@given(sizes=cuts())
def test_reductions_are_those_of_the_held_column(sizes):
    fit = ist.Ridge(lam=1.0).fit(pieces(sizes, Y))
    answer = fit.influence().on_theta()
    column = answer.to_frame()["x1"].to_numpy()
    q = [0.0, 0.1, 0.5, 1.0]
    np.testing.assert_array_equal(
        answer.quantiles(q, column="x1"), np.quantile(column, q, method="inverted_cdf")
    )
    counts, edges = answer.histogram(7, column="x1")
    np.testing.assert_array_equal(counts, np.histogram(column, edges)[0])
    assert counts.sum() == N
    line = answer.summary().loc[(0, "x1")]
    known = [N, 0, column.sum(), column.mean(), column.std(ddof=1), column.min(), column.max()]
    np.testing.assert_allclose(line, known, **CLOSE)
    of_groups = answer.summary(by=lambda labels: labels % 2).loc[(1, "x1"), "sum"]
    np.testing.assert_allclose(of_groups, column[1::2].sum(), **CLOSE)


@pytest.mark.slow
def test_quantiles_count_in_finer_bins_where_a_bin_cannot_be_held(monkeypatch):
    monkeypatch.setattr("influstat.partitioned.answers.reductions.HELD", 4)
    monkeypatch.setattr("influstat.partitioned.answers.reductions.BINS", 3)
    fit = logistic()
    answer = fit.influence().on_self()
    column = answer.to_frame()["own loss"].to_numpy()
    q = np.linspace(0, 1, 9)
    np.testing.assert_array_equal(answer.quantiles(q), np.quantile(column, q, method="inverted_cdf"))


def test_spans_hang_on_the_number_of_partitions_alone():
    for count in (1, 63, 64, 65, 1000):
        found = spans(count)
        assert [k for span in found for k in span] == list(range(count))
        assert len(found) <= 64


# -- coefficients from elsewhere --------------------------------------------------------------------------


def test_given_coefficients_are_checked_and_polished():
    risk = ist.PartitionedRisk(
        ist.LogisticLoss(), ist.partitions(X, LABELS, rows=7), penalty=ist.L2(1.0), protocol="folded"
    )
    np.testing.assert_array_equal(ist.PartitionedFit(risk, WHOLE.theta).theta, WHOLE.theta)
    with pytest.raises(ist.errors.NotStationary, match="pass polish=True"):
        ist.PartitionedFit(risk, WHOLE.theta + 0.01)
    polished = ist.PartitionedFit(risk, WHOLE.theta + 0.01, polish=True)
    np.testing.assert_allclose(polished.theta, WHOLE.theta, **CLOSE)
    assert ist.PartitionedFit(risk, WHOLE.theta + 0.01, tolerance=np.inf).stationarity > 1e-6


def test_a_fit_says_what_it_is():
    text = repr(logistic())
    assert "60 rows in 9 partitions, 3 coefficients" in text
    assert repr(ist.partitions(X, Y, runner="serial")) == "Partitions(ArraySource of 3 columns, Serial of 1)"
    assert "loss: 0, 1, 2, 3; 9 partitions" in repr(logistic().influence().on_loss(XT, LT))
    for question in (logistic().influence(), logistic().leave_one_out(method="newton")):
        assert f"{logistic()!r}" in repr(question)
        assert "ask " in repr(question)


def test_columns_far_from_0_are_announced():
    far = np.column_stack([np.ones(N), 1e6 + X[:, 0].astype(float), X[:, 1]])
    with pytest.warns(ist.errors.DoubtfulResult, match="Subtract their means"):
        ist.Ridge(lam=1e-9).fit(ist.partitions(far, Y))


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@examples(40)
@given(sizes=cuts(), wide=st.sets(st.integers(0, 5)))
def test_models_are_those_in_memory_however_they_are_cut(name, sizes, wide):
    model, y, yt = MODELS[name]
    fit = model.fit(pieces(sizes, y, None, OFFSET, wide))
    whole = model.fit(X, y, offset=OFFSET)
    np.testing.assert_allclose(fit.theta, whole.theta, **CLOSE)
    same(fit.influence().on_loss(XT, yt), whole.influence().on_loss(XT, yt))
