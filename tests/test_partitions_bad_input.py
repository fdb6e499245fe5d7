"""What can be wrong with partitions has its own sentence: which partition, which row, and what to do."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import influstat as ist
from influstat.errors import InvalidArgument, InvalidType, PartitionError
from tests.partition_cases import WEIGHTS, N, X, Y, pieces


def chunked(*chunks, y=None, levels=None):
    return ist.partitions(lambda: iter(chunks), y, levels=levels)


def fit(data):
    return ist.Ridge(lam=1.0).fit(data)


FRAME = pd.DataFrame(X, columns=list("abc")).assign(y=Y)
BAD_X, BAD_Y, BAD_W = X.copy(), Y.copy(), WEIGHTS.copy()
BAD_X[33, 1], BAD_Y[41], BAD_W[7] = np.nan, np.inf, -1.0

MASKED = np.ma.array(X, mask=np.arange(3 * N).reshape(N, 3) == 100)
TWICE = FRAME.set_axis([*"abby"], axis=1)
ONCE = iter([(X, Y)])
USED = iter([(X, Y), (X, Y)])

CASES = {
    "no y": (lambda: ist.partitions(X), "y must be given with arrays"),
    "nothing known": (lambda: ist.partitions({"X": X}, Y), "be arrays, memory maps"),
    "one dimension": (lambda: ist.partitions(Y, Y), "data must be two-dimensional"),
    "no columns": (lambda: ist.partitions(X[:, :0], Y), "data must be two-dimensional"),
    "text": (lambda: ist.partitions(X.astype(str), Y), "data must"),
    "too few targets": (lambda: ist.partitions(X, Y[1:]), r"y must have one entry per row of X \(60\)"),
    "too few weights": (lambda: ist.partitions(X, Y, weights=Y[1:]), "weights must have one entry per row"),
    "rows that do not add up": (lambda: ist.partitions(X, Y, rows=[30, 29]), "rows must add up to the rows"),
    "no rows": (lambda: ist.partitions(X, Y, rows=0), "rows must be"),
    "other names": (lambda: ist.partitions(X, Y, columns=["a"]), r"columns must have one name per column"),
    "runner": (lambda: ist.partitions(X, Y, runner=2.5), 'runner must be "serial", "threads"'),
    "no threads": (lambda: ist.partitions(X, Y, runner=0), "runner must be"),
    "a generator": (lambda: ist.partitions(one for one in [(X, Y)]), "data must be arrays, memory maps"),
    "used up": (lambda: fit(ist.partitions(lambda: USED)), "returns a new iterator"),
    "no iterator": (lambda: ist.partitions(lambda: 3), "returns a new iterator of chunks"),
    "no chunk": (lambda: ist.partitions(lambda: iter(())), "yield at least one chunk"),
    "a chunk of one": (lambda: chunked((X,)), "yield chunks of the form"),
    "a chunk of text": (lambda: chunked("rows"), "yield chunks of the form"),
    "a chunk of nothing": (lambda: fit(chunked((X, Y), None)), "data of partition 1 must yield chunks"),
    "no table": (lambda: chunked((X, Y), y="y"), "yield chunks of the form"),
    "a later chunk": (lambda: fit(chunked(FRAME, (X, Y), y="y")), "partition 1 must yield chunks"),
    "rows with a callable": (lambda: ist.partitions(lambda: [(X, Y)], rows=3), "rows must be left out"),
    "nan": (lambda: fit(ist.partitions(BAD_X, Y, rows=10)), "X of partition 3.*nan at row 3, column 1"),
    "sparse nan": (
        lambda: fit(ist.partitions(sp.csr_array(BAD_X), Y, rows=10)), "X of partition 3.*nan at row 3",
    ),
    "inf": (lambda: fit(ist.partitions(X, BAD_Y, rows=10)), "y of partition 4.*inf at row 1"),
    "negative weight": (
        lambda: fit(ist.partitions(X, Y, weights=BAD_W, rows=5)), "weights of partition 1.*-1 at row 2",
    ),
    "nan in an offset": (
        lambda: fit(ist.partitions(X, Y, offset=BAD_Y, rows=10)), "offset of partition 4.*inf at row 1",
    ),
    "no weight": (lambda: fit(ist.partitions(X, Y, weights=0 * Y)), "weights must have a positive"),
    "one row": (lambda: fit(ist.partitions(X[:1], Y[:1])), "data must have at least 2 rows"),
    "no classes": (
        lambda: ist.Logistic(lam=1.0).fit(ist.partitions(X, Y, rows=9)), "y of partition 0 must hold only",
    ),
    "one class": (
        lambda: ist.Logistic(lam=1.0).fit(ist.partitions(X, np.ones(N), rows=9)), "y must hold both classes",
    ),
    "other columns": (
        lambda: fit(chunked((X, Y), (X[:, :2], Y))), "X of partition 1 must have the 3 columns of the first",
    ),
    "other lengths": (lambda: fit(chunked((X, Y), (X, Y[1:]))), "y of partition 1 must have one entry"),
    "missing column": (
        lambda: fit(chunked(FRAME, FRAME.drop(columns="b"), y="y")), "columns of partition 1 must name",
    ),
    "missing targets": (
        lambda: fit(chunked(FRAME, FRAME.drop(columns="y"), y="y")), "y of partition 1 must name columns",
    ),
    "text in a partition": (
        lambda: fit(chunked(FRAME, FRAME.assign(b="x"), y="y")), "columns of partition 1 must hold numbers",
    ),
    "dates in a partition": (
        lambda: fit(chunked(FRAME, FRAME.assign(b=pd.Timestamp("2020")), y="y")), "must hold real numbers",
    ),
    "masked rows": (lambda: fit(chunked((X, Y), (MASKED, Y))), "X of partition 1 must have no masked"),
    "masked weights": (lambda: fit(chunked((X, Y, MASKED[:, 1]))), "weights of partition 0 must have no"),
    "a name twice": (lambda: chunked(TWICE, y="y"), "columns must each have a name of.*'b' 2 times"),
    "a name twice later": (
        lambda: fit(chunked(FRAME, TWICE.assign(c=1), y="y")), "columns of partition 1 must each have a name",
    ),
    "other labels": (
        lambda: fit(chunked((FRAME[list("abc")], FRAME.y[::-1]))), "y of partition 0 must have its labels in",
    ),
    "X without a column": (
        lambda: fit(chunked((FRAME[["a", "b"]], Y), (FRAME[["a"]], Y))), "columns of partition 1 must name",
    ),
    "X of one dimension": (lambda: chunked((Y, Y)), "X must be two-dimensional"),
    "used up inside": (lambda: fit(ist.partitions(lambda: (one for one in ONCE))), "must yield the same"),
    "a missing category": (
        lambda: fit(chunked(FRAME.assign(b=["u", None] * 30), y="y", levels={"b": ["u", "v"]})),
        "columns of partition 0 must have no missing entries.*of row 1 in 'b'",
    ),
    "both": (lambda: ist.Ridge(lam=1.0).fit(pieces([60], Y), Y), "y must be left out with partitions"),
    "arrays to a risk": (lambda: ist.PartitionedRisk(ist.SquaredError(), X), "data must be partitions"),
    "no penalty": (
        lambda: ist.PartitionedRisk(ist.SquaredError(), pieces([60], Y), penalty=1.0), "penalty must be a",
    ),
    "a risk in memory": (
        lambda: ist.PartitionedFit.minimise(ist.LinearRisk(ist.SquaredError(), X, Y)), "be a PartitionedRisk",
    ),
    "theta of other length": (
        lambda: ist.PartitionedFit(ist.PartitionedRisk(ist.SquaredError(), pieces([60], Y)), [1.0]),
        "theta must have one entry per coefficient",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_has_its_sentence(name):
    call, message = CASES[name]
    with pytest.raises((InvalidArgument, InvalidType), match=message):
        call()


def _skipping(rows, coefficients, dot=np.dot):
    """Return the product as libraries have it that add no multiple of 0."""
    if np.ndim(rows) == 1:
        return dot(rows, coefficients)
    return dot(rows[:, coefficients != 0], coefficients[coefficients != 0])


@pytest.mark.parametrize("dot", [np.dot, _skipping])
@pytest.mark.parametrize("columns", [1, 2, 3])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_entry_that_is_not_finite_is_named(bad, columns, dot, monkeypatch):
    monkeypatch.setattr(np, "dot", dot)
    for rows, dtype, order in ((9, "f8", "C"), (9, "f8", "F"), (9, "f4", "C"), (1, "f8", "C")):
        x = np.array(X[:, :columns], dtype=dtype, order=order)
        x[33, -1] = bad
        risk = ist.PartitionedRisk(ist.LogisticLoss(), ist.partitions(x, Y > 0, rows=rows, runner="serial"))
        message = f"X of partition {33 // rows} .*{bad} at row {33 % rows}, column {columns - 1}"
        with pytest.raises(InvalidArgument, match=message):
            ist.PartitionedFit.minimise(risk)


@pytest.mark.parametrize("name", ["position", "status"])
def test_columns_called_as_the_answers_own_are_refused(name):
    fitted = fit(ist.partitions(X, Y, columns=["a", "b", name]))
    with pytest.raises(InvalidArgument, match=f"columns must leave .* to the answer.*has '{name}'"):
        fitted.leave_one_out(method="newton").delta()
    assert fitted.influence().on_self().columns == ("own loss",)


def test_what_a_callers_own_function_raises_is_said():
    def chunks():
        yield X, Y
        raise OSError("the database has gone")

    with pytest.raises(PartitionError, match="iterator of chunks raises OSError: the database has gone"):
        fit(ist.partitions(chunks))
    with pytest.raises(PartitionError, match="callable raises ZeroDivisionError"):
        ist.partitions(lambda: 1 / 0)


def test_chunks_are_read_anew_after_an_iterator_has_failed():
    class Gone:
        now = False

    def chunks():
        for k in range(0, N, 20):
            if Gone.now and k == 20:
                raise OSError("the database has gone")
            yield X[k : k + 20], Y[k : k + 20]

    answer = fit(ist.partitions(chunks)).leave_one_out().delta()
    expected = np.concatenate([part.frame() for part in answer.parts([2])])
    Gone.now = True
    with pytest.raises(PartitionError, match="the database has gone"):
        list(answer.parts([2]))
    Gone.now = False
    np.testing.assert_array_equal(np.concatenate([part.frame() for part in answer.parts([2])]), expected)


def test_chunks_that_change_between_passes_are_noticed():
    counts = iter([3, 3, 3, 2, 2, 2])

    def chunks():
        for _ in range(next(counts)):
            yield X, Y

    with pytest.raises(InvalidArgument, match="data of partition 2 must yield the same chunks each time"):
        fit(ist.partitions(chunks))


def test_a_loss_that_mixes_rows_is_refused():
    loss = ist.NumericalLoss(lambda y, eta: (y - eta - np.mean(y)) ** 2)
    with pytest.raises(InvalidArgument, match="loss of partition 0 must give each row a loss"):
        ist.PartitionedFit.minimise(ist.PartitionedRisk(loss, pieces([30, 30], Y), penalty=ist.L2(1.0)))


def test_questions_with_wrong_columns():
    answer = fit(pieces([30, 30], Y)).influence().on_theta()
    for call, message in (
        (lambda: answer.top(3), "column must choose one of the 3"),
        (lambda: answer.top(3, column="q"), "column must name a column of the answer"),
        (lambda: answer.quantiles(2.0, column="x0"), "q must lie between 0 and 1"),
        (lambda: answer.histogram([1.0, 0.0], column="x0"), "bins must be edges that increase"),
        (lambda: answer.summary(by=len), "by must return one group for each"),
        (lambda: answer.summary(by=lambda labels: labels + "a"), "by must return.*raises"),
        (lambda: answer.summary(by="groups"), "by must be a function from an array of labels.*'groups'"),
    ):
        with pytest.raises((InvalidArgument, InvalidType), match=message):
            call()


def test_separable_classes_have_no_minimum():
    labels = (X[:, 0] > 0).astype(float)
    risk = ist.PartitionedRisk(ist.LogisticLoss(), ist.partitions(X, labels, rows=[20, 0, 40]))
    with pytest.raises(ist.errors.NoMinimiser, match="falls for ever along a direction that involves x0"):
        ist.PartitionedFit.minimise(risk)
    assert risk.passes < 20
    assert ist.Logistic(lam=1e-3).fit(ist.partitions(X, labels, rows=20)).stationarity < 1e-12
