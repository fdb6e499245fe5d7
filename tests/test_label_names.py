"""What rows are called is written in one way everywhere: days without a time, numbers and text plain."""

import importlib.util
import warnings

import numpy as np
import pandas as pd
import pytest

import influstat as ist
from influstat.errors import DoubtfulResult, InvalidArgument
from influstat.input.labels import label_name, label_text
from influstat.input.printing import short

RNG = np.random.default_rng(0)
DAYS = pd.date_range("2020-01-01", periods=20, name="day")
X = pd.DataFrame({"a": RNG.normal(size=20), "lone": (np.arange(20) == 5) * 1.0}, index=DAYS)
Y = pd.Series(np.where(np.arange(20) == 3, 20.0, RNG.normal(size=20)), index=DAYS)
FIT = ist.Ridge(lam=0.0).fit(X, Y)

NAMES = [
    (pd.Timestamp("2020-01-04"), "2020-01-04"),
    (pd.Timestamp("2020-01-04 06:30"), "2020-01-04 06:30:00"),
    (pd.Timestamp("2020-01-04", tz="UTC"), "2020-01-04 00:00:00+00:00"),
    (np.datetime64("2020-01-04T00:00:00", "ns"), "2020-01-04"),
    (pd.NaT, "NaT"),
    (np.datetime64("NaT", "D"), "NaT"),
    (pd.Period("2020-01", "M"), "2020-01"),
    (np.int64(3), "3"),
    (np.float64(0.5), "0.5"),
    (np.str_("maybe"), "maybe"),
    ((pd.Timestamp("2020-01-04"), np.str_("b"), np.int64(1)), "(2020-01-04, 'b', 1)"),
]


@pytest.mark.parametrize(("label", "name"), NAMES)
def test_a_label_has_one_name(label, name):
    assert label_name(label) == name
    assert label_text(label) == (repr(name) if isinstance(label, str) else name)


def test_errors_show_no_types_of_numpy_and_pandas():
    values = [np.int64(3), np.str_("maybe"), pd.Timestamp("2020-01-04")]
    assert [short(value) for value in values] == ["3", "'maybe'", "2020-01-04"]
    assert short(values) == "[3, 'maybe', 2020-01-04]"
    assert short((np.int64(3),)) == "(3,)"
    with pytest.raises(InvalidArgument, match="but it is 'maybe'"):
        FIT.leave_one_out(method=np.str_("maybe"))


@pytest.mark.filterwarnings("ignore::influstat.errors.DoubtfulResult")
@pytest.mark.parametrize(
    "ask",
    [
        lambda: repr(FIT.report("a", top=3)),
        lambda: FIT.report("a", top=3)._repr_html_(),
        lambda: str(FIT.summary()),
        lambda: FIT.leave_one_out().in_short(),
        lambda: repr(FIT.removal_report(X.iloc[[3]], Y.iloc[[3]], top=3)),
    ],
)
def test_days_are_printed_as_days(ask):
    assert "2020-01-04" in ask()
    assert "00:00" not in ask()


@pytest.mark.parametrize(
    "ask",
    [lambda fit: fit.diagnostics(), lambda fit: fit.leave_one_out(), lambda fit: fit.covariance("HC3")],
    ids=["diagnostics", "leave_one_out", "covariance"],
)
def test_warnings_name_the_day(ask):
    fit = ist.Ridge(lam=0.0).fit(X, Y)  # of its own: a doubt is said once for each fit
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", DoubtfulResult)
        ask(fit)
    text = " ".join(str(one.message) for one in said)
    assert "2020-01-06" in text
    assert "00:00" not in text
    assert "Timestamp" not in text


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="needs matplotlib")
def test_pictures_name_the_day():
    plain = ist.Ridge(lam=0.0).fit(X[["a"]], Y)
    assert "2020-01-04" in [text.get_text() for text in plain.plot.index(names=1).texts]


@pytest.mark.parametrize("rows", ["2020-01-04", ["2020-01-04"], [pd.Timestamp("2020-01-04")], [3]])
@pytest.mark.parametrize("index", [DAYS, DAYS.tz_localize("Europe/Berlin"), DAYS.to_period("D")])
def test_rows_are_called_by_the_text_of_their_date(index, rows):
    if isinstance(rows, list) and isinstance(rows[0], pd.Timestamp):
        rows = [index[3]]
    fit = ist.Ridge(lam=0.0).fit(X[["a"]].set_axis(index), Y.set_axis(index))
    assert fit.leave_one_out(rows=rows).rows.tolist() == [3]


@pytest.mark.parametrize("rows", [["2021-01-04"], ["soon"], ["2020-01-04", "2020-01-04"]])
def test_other_texts_are_refused(rows):
    with pytest.raises(InvalidArgument, match="rows must"):
        FIT.leave_one_out(rows=rows)
