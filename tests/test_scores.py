"""`Scores` and `Ranking`: signs, labels, ties, rows without effect, tables."""

import numpy as np
import pandas as pd
import pytest

import influstat as ist
from influstat.errors import InvalidArgument, InvalidType
from influstat.influence.scores import Scores

LARGEST = "Largest (in root mean squares of its column):"


def scores(removal, *, share=None, labels=None, columns=("q",), quantity="loss"):
    """Return Scores that have this removal effect."""
    removal = np.asarray(removal, dtype=float)
    share = np.full(len(removal), 1.0 / len(removal)) if share is None else np.asarray(share)
    divisor = share if removal.ndim == 1 else share[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.where(divisor > 0, -removal / np.where(divisor > 0, divisor, 1.0), 3.0)
    labels = np.arange(len(removal)) if labels is None else np.asarray(labels)
    solution = ist.Cholesky().solve(np.eye(1), np.ones(1))
    return Scores(values, share, labels, columns, quantity, solution)


def test_removal_is_minus_the_share_times_the_derivative():
    X = pd.DataFrame({"x": [1.0, 2.0, 3.0]}, index=["a", "b", "c"])
    fit = ist.Ridge(lam=1.0).fit(X, [1.0, 0.0, 2.0], weights=[1.0, 3.0, 0.0])
    for found in (fit.influence().on_theta(), fit.influence().on_self()):
        share = np.array([0.25, 0.75, 0.0]).reshape(-1, *[1] * (found.values.ndim - 1))
        assert np.array_equal(found.removal, -share * found.values)
        assert found.row_labels.tolist() == ["a", "b", "c"]


def test_the_largest_moves_come_first_whatever_their_sign():
    found = scores([0.0, 3.0, -1.0, 2.0, -5.0], labels=list("vwxyz"))
    ranking = found.top(3)
    assert [tuple(row) for row in ranking] == [("z", 4, -5.0), ("w", 1, 3.0), ("y", 3, 2.0)]
    assert [row.Index for row in found.top(2, side="rise")] == ["w", "y"]
    assert [row.Index for row in found.top(2, side="fall")] == ["z", "x"]


def test_a_ranking_is_used_as_a_frame():
    ranking = scores([0.0, 3.0, -1.0], labels=list("vwx")).top()
    frame = pd.DataFrame({"position": [1, 2], "change": [3.0, -1.0]}, index=list("wx"))
    pd.testing.assert_frame_equal(ranking.to_frame(), frame)
    assert ranking.index.tolist() == ["w", "x"]
    assert ranking["change"].tolist() == ranking.change.tolist() == [3.0, -1.0]
    assert ranking.loc["x", "position"] == 2
    assert ranking.columns.tolist() == ["position", "change"]
    assert len(ranking) == 2
    assert "change" in ranking
    assert "loss" not in ranking
    assert ranking[ranking["change"] > 0].index.tolist() == ["w"]
    np.testing.assert_array_equal(np.asarray(ranking), frame.to_numpy())
    with pytest.raises(AttributeError, match="'Ranking' object has no attribute 'helpful'"):
        _ = ranking.helpful
    with pytest.raises(AttributeError, match="'Ranking' object has no attribute '_no'"):
        _ = ranking._no


def test_ties_keep_the_order_of_the_rows():
    found = scores([1.0, -2.0, 1.0, 1.0, -2.0])
    assert found.top(4).position.tolist() == [1, 4, 0, 2]


@pytest.mark.parametrize("k", [1, 3, 100])
def test_rows_without_an_effect_are_not_listed(k):
    found = scores([0.0, np.nan, 2.0, -0.0, np.nan, 1.0])
    assert found.top(k).position.tolist() == [2, 5][:k]
    assert len(found.top(k, side="fall")) == 0


def test_a_row_of_weight_zero_has_no_effect_to_rank():
    found = scores([1.0, 0.0], share=[1.0, 0.0])
    assert found.values[1] == 3.0
    assert found.top().position.tolist() == [0]


def test_one_of_several_quantities_is_chosen_by_position_or_label():
    several = scores([[1.0, -1.0, 5.0], [2.0, -3.0, 4.0]], columns=("age", "dose", 7))
    for column in (0, "age"):
        assert [tuple(row) for row in several.top(1, column=column)] == [(1, 1, 2.0)]
    assert [tuple(row) for row in several.top(1, column=2)] == [(0, 0, 5.0)]
    assert [tuple(row) for row in several.top(1, column="dose")] == [(1, 1, -3.0)]
    assert [tuple(row) for row in scores([[1.0], [2.0]]).top(1)] == [(1, 1, 2.0)]


@pytest.mark.parametrize("block", [3, 2**20])
@pytest.mark.parametrize("unit", [1e-200, 1.0, 1e200])
def test_without_a_column_moves_count_in_root_mean_squares_of_theirs(unit, block, monkeypatch):
    monkeypatch.setattr("influstat.input.ranking.BLOCK_ENTRIES", block)
    values = np.array([[1.0, -1.0], [2.0, 8.0], [-9.0, 1.0], [np.nan, np.nan]]) * [unit, 1.0]
    ranking = scores(values, columns=("age", "dose")).top(3)
    size = np.abs(np.array([[1.0, -1.0], [2.0, 8.0], [-9.0, 1.0]]))
    size /= np.sqrt(np.sum(size**2, axis=0))
    order = np.argsort(-size.max(axis=1))
    assert ranking.position.tolist() == order.tolist()
    assert ranking["column"].tolist() == [("age", "dose")[j] for j in size.argmax(axis=1)[order]]
    np.testing.assert_array_equal(ranking.change, values[order, size.argmax(axis=1)[order]])


SEVERAL = scores([[1.0, -1.0, 5.0], [2.0, -3.0, 4.0]], columns=("age", "dose", "dose"))
BAD_CHOICES = [
    ({"side": "up"}, InvalidArgument, "side must be 'rise' or 'fall'"),
    ({"column": 3}, InvalidArgument, "column must be below 3, but it is 3"),
    ({"column": -1}, InvalidArgument, "column must be at least 0"),
    ({"column": 1.0}, InvalidType, "column must be a whole number"),
    (
        {"column": "sex"},
        InvalidArgument,
        r"column must be the label of one quantity \(age, dose, dose\), .*'sex'",
    ),
    ({"column": "dose"}, InvalidArgument, "column must be .* 'dose', which 2 have"),
    ({"column": 0, "k": 0}, InvalidArgument, "k must be at least 1"),
    ({"column": 0, "k": 2.5}, InvalidType, "k must be a whole number"),
]


@pytest.mark.parametrize(("wrong", "error", "sentence"), BAD_CHOICES)
def test_a_choice_that_does_not_exist_is_refused(wrong, error, sentence):
    with pytest.raises(error, match=f"^{sentence}"):
        SEVERAL.top(**wrong)


def test_rankings_are_readable():
    found = scores([1.25, -0.5, 1e-8], labels=["Ann", "Bob", "Cid"])
    assert str(found.top(2)) == (
        "First-order change of loss without the row, after minus before, the largest first\n"
        "     position  change\n"
        "Ann         0    1.25\n"
        "Bob         1    -0.5\n"
        "Positive: the loss grows without the row, so the row helps."
    )
    other = scores([[1.25, 1.0], [-0.5, 2.0]], quantity="theta", columns=("age", "dose"))
    heading = "First-order change of theta without the row, after minus before: age, the largest first"
    assert str(other.top(1, column="age")).splitlines()[0] == heading
    assert other.in_short() == f"2 of 2 rows done. {LARGEST} 0 +1.25 (age), 1 +2 (dose)"


def test_a_result_says_how_much_is_nan():
    found = scores([[np.nan, 1.0], [np.nan, np.nan], [2.0, 3.0]], columns=("age", "dose"))
    assert found.in_short() == f"2 of 3 rows done, 2 with nan. {LARGEST} 2 +2 (age), 0 +1 (dose)"
    assert scores([0.0]).in_short() == "1 of 1 row done"


# -- tables and labels --------------------------------------------------------------------------------


def test_a_table_is_labelled_by_rows_and_quantities():
    found = scores([[1.0, -1.0], [2.0, -3.0]], labels=["a", "b"], columns=("age", "dose"))
    frame = found.to_frame()
    assert frame.loc["b", "dose"] == -3.0
    assert frame.columns.tolist() == ["age", "dose"]
    assert np.array_equal(frame.to_numpy(), found.removal)
    assert np.array_equal(found.to_frame(what="values").to_numpy(), found.values)
    assert scores([1.0, 2.0], columns=("own loss",)).to_frame().shape == (2, 1)
    with pytest.raises(InvalidArgument, match="what must be 'removal' or 'values'"):
        found.to_frame(what="derivative")


DAYS = pd.date_range("2020-02-28", periods=3)
PAIRS = pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)])
INDEXES = {
    "names": (pd.Index(["x", "y", "z"]), ["x", "y", "z"]),
    "days": (DAYS, list(DAYS)),
    "days of a zone": (DAYS.tz_localize("UTC"), list(DAYS.tz_localize("UTC"))),
    "spans": (pd.to_timedelta([1, 2, 3], unit="D"), list(pd.to_timedelta([1, 2, 3], unit="D"))),
    "months": (pd.period_range("2020-01", periods=3, freq="M"), None),
    "pairs": (PAIRS, list(PAIRS)),
    "repeated": (pd.Index([7, 7, 8]), [7, 7, 8]),
    "categories": (pd.CategoricalIndex(["u", "v", "u"]), ["u", "v", "u"]),
}


@pytest.mark.parametrize("name", INDEXES)
def test_labels_of_every_kind_come_through(name):
    index, expected = INDEXES[name]
    expected = list(index) if expected is None else expected
    frame = pd.DataFrame({"x": [1.0, 2.0, 4.0]}, index=index)
    y = pd.Series([1.0, 0.0, 2.0], index=index)
    infl = ist.Ridge(lam=1.0).fit(frame, y).influence()
    found = infl.on_loss(frame, y)
    assert found.row_labels.tolist() == expected
    assert list(found.columns) == expected
    table = found.to_frame()
    assert list(table.index) == expected
    assert list(table.columns) == expected
    assert set(found.top(3, column=0).index) <= set(expected)
    assert ist.Ridge(lam=1.0).fit(frame.to_numpy(), y).row_labels.tolist() == expected


def test_labels_in_another_order_are_refused_rather_than_paired_wrongly():
    frame = pd.DataFrame({"x": [1.0, 2.0, 4.0]}, index=["a", "b", "c"])
    wrong = pd.Series([1.0, 0.0, 2.0], index=["c", "b", "a"])
    sentence = "must have its labels in the order of X, but it has 'c' at row 0, where X has 'a'"
    with pytest.raises(InvalidArgument, match=f"^y {sentence}"):
        ist.Ridge().fit(frame, wrong)
    with pytest.raises(InvalidArgument, match="but it has 2 at row 0, where X has 0"):
        ist.Ridge().fit(frame.reset_index(drop=True), pd.Series([1.0, 0.0, 2.0], index=[2, 1, 0]))
    with pytest.raises(InvalidArgument, match=f"^weights {sentence}"):
        ist.Ridge().fit(frame, wrong.to_numpy(), weights=wrong)
    with pytest.raises(InvalidArgument, match=f"^offset {sentence}"):
        ist.Ridge().fit(frame, wrong.to_numpy(), offset=wrong)
    with pytest.raises(InvalidArgument, match="^weights must have its labels in the order of y"):
        ist.Ridge().fit(frame.to_numpy(), wrong, weights=wrong[::-1])
    fit = ist.Ridge().fit(frame, wrong.to_numpy())
    # New rows are not fitted yet: what belongs to them is put in their order.
    right = wrong.loc[["a", "b", "c"]]
    found, expected = (fit.influence().on_loss(frame, y).values for y in (wrong, right))
    assert np.array_equal(found, expected)
    assert np.array_equal(fit.loss(frame, right, offset=wrong), fit.loss(frame, right, offset=right))
    other = wrong.set_axis([5, 6, 7])
    with pytest.raises(InvalidArgument, match="^y must have the labels of X, but it has 5 at row 0"):
        ist.Ridge().fit(frame, other)
