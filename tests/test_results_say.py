"""Every result says which rows move most, how much of it is done, and writes itself in LaTeX."""

import re
import sys

import numpy as np
import pandas as pd
import pytest

import influstat as ist
from influstat.errors import DoubtfulResult, InvalidArgument, MissingDependency
from influstat.input import printing
from influstat.input.ranking import Ranking
from tests.test_printed_tables import CLASSES, FIT, RESULTS, TABLE

WITHOUT_ROWS = {
    "ranking",
    "breakdowns",
    "reach",
    "prediction intervals",
}  # which are about no rows, or the answer itself
SIDELESS = {"suspects", "flags"}


@pytest.mark.dear
@pytest.mark.parametrize("name", [name for name in RESULTS if name not in WITHOUT_ROWS])
def test_the_first_of_the_top_is_the_largest(name):
    result = RESULTS[name]()
    one, three = result.top(1), result.top(3)
    assert isinstance(three, Ranking)
    assert len(three) == min(3, len(three.position))
    assert one.index.tolist() == three.index[:1].tolist()
    if name in SIDELESS:
        assert np.all(np.diff(three.change) <= 0)
        return
    if three.about is None:
        assert np.all(np.diff(np.abs(three.change)) <= 0)
    if name not in ("outlier test",):
        first = result.top(3, column=0)
        assert np.all(np.diff(np.abs(first.change)) <= 0)
    for side, sign in (("rise", 1.0), ("fall", -1.0)):
        assert np.all(sign * result.top(30, side=side).change > 0)
    with pytest.raises(InvalidArgument, match="^k must be at least 1"):
        result.top(0)


ONE_LINE_EACH = ["removal", "scores", "changes of standard errors", "removal in many columns"]


@pytest.mark.parametrize("name", ONE_LINE_EACH)
def test_the_top_of_a_column_is_that_of_its_frame(name):
    result = RESULTS[name]()
    frame = result.to_frame()
    for column in frame.columns:
        order = np.argsort(-np.abs(frame[column].to_numpy()), kind="stable")[:4]
        ranking = result.top(4, column=column)
        assert ranking.index.tolist() == frame.index[order].tolist()
        np.testing.assert_array_equal(ranking["change"], frame[column].to_numpy()[order])
        np.testing.assert_array_equal(ranking["position"], order)


def test_inference_ranks_by_the_quantity_that_is_asked_for():
    inference = FIT.inference("HC0")
    changes = inference.leave_one_out()
    for quantity in ("standard_errors", "t_values", "p_values", "lower", "upper"):
        row = int(np.argmax(np.abs(getattr(changes, quantity)[:, 1])))
        for found in (inference, changes):
            assert found.top(1, column="age", by=quantity).position.tolist() == [row]
    sets = inference.leave_groups_out(np.arange(30) % 5)
    for quantity in ("estimates", "p_values"):
        row = int(np.argmax(np.abs(sets.change(quantity)[:, 0])))
        assert sets.top(1, column="dose", by=quantity).position.tolist() == [row]
    with pytest.raises(InvalidArgument, match="^by must be"):
        inference.top(1, by="errors")
    with pytest.raises(InvalidArgument, match="^quantity must be"):
        sets.top(1, by="errors")


def test_of_values_the_coefficients_furthest_from_0_come_first():
    table = FIT.inference("HC0").table
    order = np.argsort(-np.abs(table.t_values))
    assert table.top().index.tolist() == [FIT.names[j] for j in order]
    assert table.top(1, by="p_values").position.tolist() == [int(np.argmax(table.p_values))]


def test_the_most_flagged_rows_come_first():
    flags = FIT.flags("size-adjusted")
    marks = flags.to_frame().to_numpy()
    top = flags.top(30)
    assert len(top) == marks.any(axis=1).sum()
    np.testing.assert_array_equal(top.change, marks.sum(axis=1)[top.position])
    first = top["flags"].iloc[0].split(", ")
    assert first == flags.columns[marks[top.position[0]]].tolist()
    assert flags.in_short().startswith(f"{len(top)} of 30 rows flagged: ")
    none = ist.Ridge(lam=0.0).fit([[1.0]] * 4, [1.0, 2.0, 1.0, 2.0]).flags()
    assert str(none) == "Rows that rules of 'R' flag\n0 of 4 rows flagged"


def test_what_is_nan_is_counted_and_not_ranked():
    X = np.column_stack([np.ones(5), [1.0, 0, 0, 0, 0]])
    fit = ist.Ridge(lam=0.0).fit(X, [1.0, 2.0, 4.0, 3.0, 7.0], row_labels=list("abcde"), names=["m", "d"])
    with pytest.warns(DoubtfulResult):
        removal = fit.leave_one_out()
    assert "5 of 5 rows done, 1 with nan. Largest" in str(removal)
    assert "a" not in removal.top(5, column="d").index
    with pytest.warns(DoubtfulResult):
        test = fit.outlier_test()
    assert test.in_short().startswith("4 of 5 rows tested, 1 with nan")


# -- LaTeX --------------------------------------------------------------------------------------------------


@pytest.mark.dear
@pytest.mark.parametrize("name", RESULTS)
def test_every_result_writes_latex(name):
    pytest.importorskip("jinja2")
    text = RESULTS[name]().to_latex()
    assert text.startswith("\\begin{tabular}")
    assert not re.search(r"(?<!\\)[_%#]", text.replace("\\cline{", "").split("\\midrule")[1])


SPECIAL = "a_b & 50% #1 {x} $y^2 ~z\\"
ESCAPED = r"a\_b \& 50\% \#1 \{x\} \$y\textasciicircum 2 \textasciitilde z\textbackslash "


def test_special_characters_of_names_are_escaped():
    pytest.importorskip("jinja2")
    table = TABLE.set_axis([SPECIAL, "age"], axis=1).rename_axis("the_row")
    text = ist.Logistic(lam=1.0).fit(table, CLASSES).leave_one_out().to_latex(caption="A & B")
    assert f" & {ESCAPED} & age \\\\\nthe\\_row &" in text
    assert "\\caption{A & B}" in text


def test_pandas_that_leaves_names_of_an_index_alone_gets_them_escaped(monkeypatch):
    pytest.importorskip("jinja2")
    from pandas.io.formats.style_render import StylerRenderer

    frame = pd.DataFrame({"x": [1.0]}, index=pd.Index(["r"], name="a_b"))
    expected = printing.latex(frame)
    assert "a\\_b &" in expected
    monkeypatch.delattr(StylerRenderer, "format_index_names", raising=False)
    monkeypatch.setattr(pd.DataFrame, "to_latex", lambda self, **_: f"{self.index.name}")
    assert printing.latex(frame) == r"a\_b"
    assert printing.latex(frame, escape=False) == "a_b"
    every = "".join(map(chr, printing.SPECIAL))
    assert printing.escaped(every) == "".join(printing.SPECIAL.values())
    assert printing.escaped(3) == 3


def test_without_jinja2_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingDependency, match=r"jinja2, .* pip install 'influstat\[tables\]'"):
        FIT.leave_one_out().to_latex()


# -- what costs too much, or does not exist, is not said ----------------------------------------------------


def test_influence_says_its_moves_where_they_are_quickly_known():
    text = repr(FIT.influence())
    assert text.startswith("Influence functions of Fit(LogisticLoss(), 30 rows, 2 coefficients")
    assert text.endswith(f" by Cholesky(damping=0.0); theta: {FIT.influence().on_theta().in_short()}")
    slow = repr(FIT.influence(solver=ist.LiSSA(depth=10**9)))
    assert slow.endswith("; ask on_theta(), on_loss(X, y), on_prediction(X), ...")
    saddle = ist.Fit(ist.BlackBoxRisk(lambda theta: theta[0] ** 2 - theta[1] ** 2 + CLASSES * 0.0, 2), [0, 0])
    assert repr(saddle.influence()).endswith("; ask on_theta(), on_loss(X, y), on_prediction(X), ...")
    assert saddle.influence()._repr_html_() is None


def test_inference_of_large_data_says_no_moves(monkeypatch):
    inference = FIT.inference("HC0")
    moves = inference.removal().moves("t_values").in_short()
    assert inference.in_short() == f"t values without each row, to first order: {moves}"
    assert FIT.inference("jackknife").in_short() == ""  # which has no derivatives
    monkeypatch.setattr("influstat.statistics.inference.QUICK", 50)
    assert inference.in_short() == ""


def test_a_functional_says_its_first_order_moves():
    found = ist.odds_ratio(FIT)
    assert found.in_short() == f"Without each row, to first order: {found.influence().in_short()}"
    assert found.in_short() in str(found)


def test_tables_by_row_say_what_they_hold():
    inference = FIT.inference("HC0")
    said = {
        "Change without each row, estimated anew, after minus before": inference.leave_one_out(),
        "First-order change without each row, after minus before": inference.removal(),
        "Derivative in the case weight of each row": inference.derivative(),
        "Without each": inference.leave_groups_out(np.arange(30) % 3).table,
    }
    for what, table in said.items():
        lines = str(table).splitlines()
        assert lines[0] == f"{what}: standard errors"
        assert lines[1] == table.in_short()
        assert table.top(1, by="p_values").title == f"{what}: p values"
    assert str(inference.table).split()[0] == "standard_errors"
