"""What belongs to rows: pandas objects by label, arrays by position, whatever argument takes them."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, LeaveOneOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import influstat as ist
from influstat.errors import InvalidArgument, InvalidType
from influstat.input.groups import read_groups
from influstat.input.labels import index_of
from tests.tolerance import TWO_FITS

N = 12
INDEX = pd.Index([f"row {i}" for i in range(N)], name="place")
RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(N, 2)), index=INDEX, columns=["a", "b"])
Y = pd.Series(np.arange(N) % 2, index=INDEX, name="y")
TABLE = X.assign(y=Y, firm=np.arange(N) // 3)
PIPELINE = make_pipeline(StandardScaler(), LogisticRegression(C=1.0)).fit(X, Y)
FITS = {
    "own": ist.Logistic(lam=1.0).fit(X, Y),
    "formula": ist.from_statsmodels(smf.ols("y ~ a + b", TABLE).fit()),
    "Pipeline": ist.from_sklearn(PIPELINE, X, Y, polish=True),
}
GROUPS = pd.Series(np.arange(N) // 3, index=INDEX)
MASK = pd.Series(np.isin(np.arange(N), [2, 5]), index=INDEX)
# Every question that takes something per row, of the fit or of new rows: argument, values, question.
QUESTIONS = {
    "leave_groups_out": ("groups", GROUPS, lambda f, g: f.leave_groups_out(g).theta),
    "removal_report": ("groups", GROUPS, lambda f, g: f.removal_report(X, Y, groups=g).changes["exact"]),
    "cluster": ("groups", GROUPS, lambda f, g: f.covariance("cluster", groups=g)),
    "cluster jackknife": ("groups", GROUPS, lambda f, g: f.covariance("cluster jackknife", groups=g)),
    "inference": ("groups", GROUPS, lambda f, g: f.inference("cluster", groups=g).table.standard_errors),
    "cross_validate": ("folds", GROUPS, lambda f, g: ist.cross_validate(f, g).row_losses),
    "stream": ("groups", GROUPS, lambda f, g: next(ist.removal.stream(f, g)).theta),
    "loss_changes": ("groups", GROUPS, lambda f, g: ist.removal.loss_changes(f, X, Y, g).change),
    "loss": ("y", Y, lambda f, y: f.loss(X, y)),
    "on_loss": ("y", Y, lambda f, y: f.influence().on_loss(X, y).values),
    "loss_change": ("y", Y, lambda f, y: f.leave_one_out().loss_change(X, y)),
    "input_influence": ("y", Y, lambda f, y: ist.input_influence(f, X, y).values),
    "offset": ("offset", Y / 4, lambda f, o: f.predict(X, offset=o)),
    "offset of losses": ("offset", Y / 4, lambda f, o: f.loss(X, Y, offset=o)),
    "mask": ("rows", GROUPS == 1, lambda f, rows: f.leave_one_out(rows=rows).theta),
    "inference rows": ("rows", GROUPS == 1, lambda f, rows: f.inference().leave_one_out(rows=rows).t_values),
}
each_question = pytest.mark.parametrize("question", QUESTIONS)


@pytest.mark.dear
@pytest.mark.filterwarnings("ignore:These losses and scores are not those of whole refits")
@pytest.mark.parametrize("kind", FITS)
@each_question
def test_pandas_objects_are_paired_by_label_and_arrays_by_position(question, kind):
    _, values, ask = QUESTIONS[question]
    expected = ask(FITS[kind], values.to_numpy())
    for same in (values, values.sample(frac=1.0, random_state=1), values.to_frame()[::-1]):
        given = same.iloc[:, 0] if question in ("mask", "inference rows") and same.ndim == 2 else same
        np.testing.assert_array_equal(ask(FITS[kind], given), expected)


WRONG = {
    "missing": lambda s: s.iloc[1:],
    "repeated": lambda s: s.set_axis([s.index[1], *s.index[1:]]),
    "foreign": lambda s: s.set_axis(range(N)),
}


@pytest.mark.parametrize("how", WRONG)
@each_question
def test_other_labels_are_refused(question, how):
    argument, values, ask = QUESTIONS[question]
    with pytest.raises(InvalidArgument, match=f"^{argument} must have (the labels|each label)"):
        ask(FITS["own"], WRONG[how](values))


@each_question
def test_masked_entries_are_refused(question):
    """What is under the mask is no label, no row and no number, though NumPy has it at hand."""
    argument, values, ask = QUESTIONS[question]
    with pytest.raises(InvalidArgument, match=f"^{argument} must have no masked entries"):
        ask(FITS["own"], np.ma.masked_array(values, np.arange(N) == 2))


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT], ids=str)
@pytest.mark.parametrize("others", [list("abcdefghijk"), list(range(11))], ids=["text", "numbers"])
def test_a_missing_label_is_no_group(missing, others):
    for groups in ([missing, *others], pd.Series([missing, *others], index=INDEX, dtype=object)):
        for ask in (
            QUESTIONS["cluster"][2],
            QUESTIONS["leave_groups_out"][2],
            QUESTIONS["cross_validate"][2],
        ):
            with pytest.raises(InvalidArgument, match="must have no missing entries"):
                ask(FITS["own"], groups)


def test_groups_by_name_of_a_column_after_a_dropped_row():
    table = TABLE.assign(a=TABLE["a"].where(TABLE.index != "row 4"))
    fit = ist.from_statsmodels(smf.ols("y ~ a + b", table).fit())
    found = fit.leave_groups_out("firm").theta
    np.testing.assert_array_equal(fit.leave_groups_out(table["firm"]).theta, found)  # it covers them
    left = table.dropna()
    np.testing.assert_allclose(found[1], smf.ols("y ~ a + b", left[left.firm != 1]).fit().params, rtol=1e-9)
    with pytest.raises(InvalidArgument, match="groups must name a column"):
        fit.leave_groups_out("film")


@pytest.mark.parametrize(
    "rows",
    [
        [2, 5],
        np.arange(N)[[2, 5]],
        ["row 2", "row 5"],
        INDEX[[2, 5]],
        np.isin(np.arange(N), [2, 5]),
        range(2, 6, 3),
        {2, 5},
        {"row 2": 0, "row 5": 0}.keys(),
        MASK[::-1],
        MASK[::-1].astype("boolean"),
        MASK[::-1].to_frame(),
    ],
    ids=[
        *("positions", "array", "labels", "index", "mask", "range", "set", "keys"),
        *("shuffled", "nullable", "frame"),
    ],
)
def test_rows_come_in_many_ways(rows):
    assert FITS["own"].leave_one_out(rows=rows).rows.tolist() == [2, 5]
    assert FITS["own"].leave_groups_out({"two": rows, "other": [1]}).groups[0].tolist() == [2, 5]


def test_a_missing_entry_of_a_mask_is_no_label():
    mask = MASK.astype("boolean")
    mask.iloc[3] = pd.NA
    with pytest.raises(InvalidArgument, match="^rows must have no missing entries .* at row 3.*fillna"):
        FITS["own"].leave_one_out(rows=mask)


def test_days_name_rows_that_are_called_by_times():
    days = pd.date_range("2020-01-01", periods=N)
    fit = ist.Ridge().fit(X.set_axis(days), Y.to_numpy())
    for rows in ([date(2020, 1, 4)], date(2020, 1, 4), ["2020-01-04"], days[3]):
        assert fit.leave_one_out(rows=rows).rows.tolist() == [3]


def test_numbers_that_are_labels_or_positions_are_refused():
    fit = ist.Ridge().fit(X.set_axis(range(1, N + 1)), Y.to_numpy())
    with pytest.raises(
        InvalidArgument, match=r"rows must tell positions from row labels .* pd.Index\(\[8\]\)"
    ):
        fit.leave_one_out(rows=[8])
    assert fit.leave_one_out(rows=pd.Index([8])).rows.tolist() == [7]
    assert fit.leave_one_out(rows=fit.row_labels[[8]]).rows.tolist() == [8]
    assert fit.leave_one_out(rows=[N]).rows.tolist() == [N - 1]  # no such position


def test_slices_of_labels_and_groupbys_are_told_what_to_pass():
    fit, table = ist.Ridge().fit(X, Y), pd.DataFrame({"g": np.arange(N) % 3}, index=X.index)
    first, last = X.index[1], X.index[3]
    with pytest.raises(InvalidArgument, match=r"slice of positions .* as table\.loc\[first:last\]\.index"):
        fit.leave_one_out(rows=slice(str(first), str(last)))
    assert fit.leave_one_out(rows=table.loc[first:last].index).rows.tolist() == [1, 2, 3]
    for ask in (fit.leave_groups_out, lambda groups: fit.covariance("cluster", groups=groups)):
        with pytest.raises(InvalidType, match="is a GroupBy of pandas. Pass the column that it groups by"):
            ask(table.groupby("g"))
        ask(table["g"])


def test_splitters_and_their_splits():
    fit, expected = FITS["own"], ist.cross_validate(FITS["own"], GROUPS).row_losses
    pairs = list(KFold(4).split(X))
    masks = [tuple(np.isin(np.arange(N), part) for part in pair) for pair in pairs]
    lists = [[part.tolist() for part in pair] for pair in pairs]
    for folds in (KFold(4), KFold(4).split(X), pairs, masks, lists):
        np.testing.assert_array_equal(ist.cross_validate(fit, folds).row_losses, expected)
    with pytest.raises(InvalidArgument, match=r"folds\[0\] must hold positions of rows, or masks"):
        ist.cross_validate(fit, [(pairs[0][0].astype(float), pairs[0][1])])
    with pytest.raises(InvalidArgument, match="be disjoint.*ask for each repetition by itself"):
        ist.cross_validate(fit, pairs + pairs)
    with pytest.raises(InvalidArgument, match=r"folds\[0\] must be a train and a test set that together"):
        ist.cross_validate(fit, [(np.arange(3), np.arange(3, 6))])


@pytest.mark.parametrize("rows", [range(1, N + 1), [*range(5), *range(6, N + 1)], ["same"] * N])
def test_splitters_mean_positions_whatever_rows_are_called(rows):
    fit = ist.Ridge(lam=1.0).fit(X.set_axis(rows), Y.to_numpy())
    plain = ist.Ridge(lam=1.0).fit(X.to_numpy(), Y.to_numpy())
    for folds in (KFold(4), list(KFold(4).split(X)), LeaveOneOut()):
        expected = ist.cross_validate(plain, folds).row_losses
        np.testing.assert_allclose(ist.cross_validate(fit, folds).row_losses, expected, rtol=TWO_FITS)
        found, without = fit.leave_groups_out(folds).theta, plain.leave_groups_out(folds).theta
        np.testing.assert_allclose(found, without, rtol=TWO_FITS, atol=TWO_FITS)


def test_columns_called_by_other_numbers_than_their_places_are_asked_for_by_name():
    table = X.set_axis([1, 0], axis=1) if X.shape[1] == 2 else X.set_axis([1, 0, 2][: X.shape[1]], axis=1)
    fit = ist.Ridge(lam=1.0).fit(table, Y.to_numpy())
    for call in (fit.report, fit.breakdown, lambda one: fit.reach(one, k=1), fit.plot.added_variable):
        with pytest.raises(InvalidArgument, match="must tell positions .* the name as text, '0'"):
            call(0)
    assert fit.breakdown("0").value == fit.theta[fit.names.index("0")]


def test_two_coefficients_of_one_name_are_answered_for_by_position():
    twins = ist.Ridge(lam=1.0).fit(np.asarray(X)[:, :2], Y.to_numpy(), names=["a", "a"])
    apart = ist.Ridge(lam=1.0).fit(np.asarray(X)[:, :2], Y.to_numpy(), names=["a", "b"])
    assert np.array_equal(twins.flags().to_frame(), apart.flags().to_frame())
    for j in (0, 1):
        ours, theirs = twins.report(j, top=3).to_frame(), apart.report(j, top=3).to_frame()
        pd.testing.assert_frame_equal(ours, theirs)


@pytest.mark.parametrize(
    "index", [INDEX, pd.MultiIndex.from_product([range(3), list("abcd")], names=["i", "j"])]
)
def test_every_table_joins_the_callers(index):
    table = TABLE.set_axis(index)
    fit = ist.from_statsmodels(smf.ols("y ~ a + b", table).fit())
    frames = [
        fit.diagnostics(),
        fit.leave_one_out().to_frame(),
        fit.influence().on_theta().to_frame(),
        fit.removal_report(table, top=N).to_frame(),
        fit.inference().leave_one_out().to_frame("t_values"),
    ]
    assert fit.leave_one_out(rows=[index[5]]).rows.tolist() == [5]
    for frame in frames:
        pd.testing.assert_index_equal(frame.sort_index().index, index.sort_values())
        assert len(table[[]].join(frame)) == N
        assert np.isfinite(frame.select_dtypes("number").loc[index[5]].to_numpy()).any()


def test_integer_labels_of_columns_come_first():
    scores = ist.Ridge().fit(X.to_numpy(), Y).influence().on_prediction(X.set_axis([1, 0, *range(2, N)]))
    assert scores.top(1, column=0).index.tolist() == scores.top(1, column=0).labels.tolist()
    np.testing.assert_array_equal(scores.columns[:2], [1, 0])
    best = int(np.argmax(scores.removal[:, 1]))
    assert scores.top(1, column=0, side="rise").position.tolist() == [best]


def test_groups_are_read_without_labels_too():
    assert read_groups([[0], [1, 2]], 4).sizes.tolist() == [1, 2]
    assert index_of(FITS["own"].row_labels[3:5]).equals(INDEX[3:5])


def test_frames_of_one_column_and_shuffled_clusters_of_a_known_fit():
    d = sm.datasets.statecrime.load_pandas().data
    fit = ist.from_statsmodels(smf.ols("murder ~ urban + poverty + hs_grad + single", d).fit())
    groups = pd.Series(np.arange(51) // 5, index=d.index).sample(frac=1.0, random_state=1)
    assert fit.leave_groups_out(groups).to_frame()["single"][1] == pytest.approx(-0.2368, abs=5e-5)


def test_weights_by_position_are_refused_where_columns_are_called_by_other_numbers():
    fit = ist.Ridge(lam=1.0).fit(np.asarray(X)[:, :2], Y.to_numpy(), names=["1", "0"])
    with pytest.raises(InvalidArgument, match="must tell positions from names"):
        ist.contrast(fit, pd.Series([1.0, 0.0]))
    by_name = ist.contrast(fit, {"0": 1.0}).value[0]
    assert by_name == fit.theta[1]


MIXED = [1, "1", 2.5, "b"] * 6


@pytest.mark.parametrize(
    "groups",
    [MIXED, tuple(MIXED), np.array(MIXED, dtype=object), pd.Series(MIXED), pd.Categorical(MIXED)],
    ids=["list", "tuple", "array", "Series", "Categorical"],
)
def test_numbers_beside_text_keep_their_own_types(groups):
    found = read_groups(groups, np.arange(24))
    assert found.labels.tolist() == [1, 2.5, "1", "b"]
    assert [type(one) for one in found.labels.tolist()] == [int, float, str, str]
    assert [found.take([k]).members.tolist() for k in range(4)] == [
        list(range(start, 24, 4)) for start in (0, 2, 1, 3)
    ]


def test_names_of_sets_of_rows_keep_their_types_too():
    assert read_groups({1: [0], "1": [1]}, np.arange(4)).labels.tolist() == [1, "1"]


def test_objects_that_are_no_labels_are_refused():
    with pytest.raises(InvalidType, match="groups must hold labels, but it holds objects that are none"):
        read_groups(np.array([{1}, {2}] * 3, dtype=object), np.arange(6))


def test_a_level_of_the_index_names_groups():
    index = pd.MultiIndex.from_product([["a", "b", "c"], range(4)], names=["firm", "year"])
    table = pd.DataFrame({"x": np.arange(12.0) % 5, "y": np.arange(12.0) ** 0.5}, index=index)
    for results in (smf.ols("y ~ x", table).fit(), sm.OLS(table.y, table[["x"]]).fit()):
        fit = ist.from_statsmodels(results)
        by_name, by_label = (fit.leave_groups_out(one) for one in ("firm", index.get_level_values("firm")))
        assert by_name.labels.tolist() == ["a", "b", "c"]
        np.testing.assert_array_equal(by_name.theta, by_label.theta)


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_tuple_for_each_row_is_its_label(kind):
    """Labels of two columns, as zip gives them, are no sets of rows."""
    first, second = np.arange(N) % 2, np.arange(N) // 6
    keys = kind(zip(first.tolist(), second.tolist(), strict=True))
    found = FITS["own"].leave_groups_out(keys)
    assert found.labels.tolist() == [(0, 0), (0, 1), (1, 0), (1, 1)]
    np.testing.assert_array_equal(found.theta, FITS["own"].leave_groups_out(first * 2 + second).theta)
    for lost in (None, np.nan, pd.NA):
        with pytest.raises(
            InvalidArgument, match="groups must have no missing entries, but it holds .* at row 2"
        ):
            FITS["own"].leave_groups_out(kind((*keys[:2], (1, lost), *keys[3:])))
    pairs = kind((i, (i + 1) % N) for i in range(N))  # all different: as many sets as there are rows
    assert FITS["own"].leave_groups_out(pairs).groups[N - 1].tolist() == [N - 1, 0]
    with pytest.raises(InvalidArgument, match="must name each row once"):  # sets of rows, fewer than rows
        FITS["own"].leave_groups_out([(0, 0), (0, 1)])


DAYS = {
    "days": pd.date_range("2020-01-28", periods=N, freq="D"),
    "hours": pd.date_range("2020-01-31 18:00", periods=N, freq="h"),
    "unsorted": pd.date_range("2020-01-28", periods=N, freq="D")[::-1],
    "periods": pd.period_range("2020-01-28", periods=N, freq="D"),
}


@pytest.mark.parametrize("name", DAYS)
def test_a_month_of_several_rows_is_no_row(name):
    """As a date it is the first of February alone, and pandas takes it for all days of it."""
    index = DAYS[name]
    fit = ist.Logistic(lam=1.0).fit(X.set_axis(index), Y.set_axis(index))
    inside = np.flatnonzero((index.month == 2) & (index.year == 2020))
    remedy = r"table\.loc\['2020-02'\]\.index"
    with pytest.raises(
        InvalidArgument, match=f"holds '2020-02', into which {len(inside)} rows fall.*{remedy}"
    ):
        fit.leave_one_out(rows=["2020-02"])
    named = pd.Series(0, index=index).loc["2020-02"].index
    assert fit.leave_one_out(rows=named).rows.tolist() == inside.tolist()
    first = str(index[inside[0]])
    assert fit.leave_one_out(rows=[first]).rows.tolist() == [inside[0]]


def test_months_that_are_one_row_each_are_named_by_month():
    index = pd.date_range("2020-01-01", periods=N, freq="MS")
    fit = ist.Logistic(lam=1.0).fit(X.set_axis(index), Y.set_axis(index))
    assert fit.leave_one_out(rows=["2020-02", "2020-04"]).rows.tolist() == [1, 3]
