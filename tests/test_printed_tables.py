"""Every public result that has a table prints as that table, shortened."""

import inspect
import re
import sys
import warnings
from dataclasses import dataclass
from html import unescape

import numpy as np
import pandas as pd
import pytest

import influstat as ist
from influstat.errors import InvalidArgument
from influstat.input.frame_like import FrameLike
from influstat.input.printing import COLUMNS, LINES, Tabled, short
from influstat.input.ranking import Ranked

BASES = {Tabled, Ranked, FrameLike}
RNG = np.random.default_rng(8)
LABELS = [f"r{k}" for k in range(30)]
TABLE = pd.DataFrame(RNG.normal(size=(30, 2)), columns=["dose", "age"], index=LABELS)
CLASSES = (RNG.random(30) < 0.5).astype(int)
FIT = ist.Logistic(lam=1.0).fit(TABLE, CLASSES)
WIDE = ist.Ridge(lam=1.0).fit(RNG.normal(size=(30, 12)), RNG.normal(size=30))
HINGE = ist.HingeSVC(lam=0.5).fit(TABLE, 2 * CLASSES - 1)

PARTS = ist.Ridge(lam=1.0).fit(
    ist.partitions(np.random.default_rng(0).normal(size=(30, 2)), np.arange(30.0), groups=np.arange(30) % 3)
)
RESULTS = {
    "inference": lambda: FIT.inference("HC0"),
    "table": lambda: FIT.inference("HC0").table,
    "changes of standard errors": lambda: FIT.inference("HC0").leave_one_out(),
    "first-order changes of them": lambda: FIT.inference("HC0").removal(),
    "inference without rows": lambda: FIT.inference("HC0").without([0, 1]),
    "odds ratio": lambda: ist.odds_ratio(FIT),
    "marginal effect": lambda: ist.average_marginal_effect(FIT),
    "contrast": lambda: ist.contrast(FIT, [1.0, -1.0]),
    "functional": lambda: ist.functional(FIT, lambda theta: theta[0] * theta[1]),
    "predicted mean": lambda: ist.predicted_mean(FIT, TABLE.iloc[:3]),
    "change of an odds ratio": lambda: ist.odds_ratio(FIT).leave_one_out(),
    "influence": FIT.influence,
    "ranking": lambda: FIT.influence().on_theta().top(4),
    "influence of inputs": lambda: ist.input_influence(FIT, TABLE.iloc[:1], CLASSES[:1]),
    "flags": lambda: FIT.flags("size-adjusted"),
    "outlier test": FIT.outlier_test,
    "cross-validation": lambda: ist.cross_validate(FIT, np.arange(30) % 4),
    "cross-validation row by row": lambda: ist.cross_validate(FIT),
    "scores": lambda: FIT.influence().on_theta(),
    "prediction intervals": lambda: ist.prediction_intervals(WIDE, np.eye(12), level=0.5),
    "scores on themselves": lambda: FIT.influence().on_self(),
    "removal": FIT.leave_one_out,
    "loss changes": lambda: ist.removal.loss_changes(FIT, TABLE.iloc[:2], CLASSES[:2]),
    "removal of groups": lambda: FIT.leave_groups_out(np.arange(30) % 3),
    "removal in many columns": WIDE.leave_one_out,
    "groups of partitions": PARTS.leave_groups_out,
    "cross-validation of partitions": lambda: PARTS.cross_validate("groups"),
    "hinge removal": HINGE.leave_one_out,
    "suspects": lambda: ist.find_mislabelled(FIT),
    "breakdown": lambda: FIT.breakdown("dose", budget_seconds=0.0),
    "breakdown of significance": lambda: FIT.inference("HC0").breakdown("dose", budget_seconds=0.0),
    "breakdowns": lambda: ist.breakdown_table(FIT, budget_seconds=0.0),
    "reach": lambda: FIT.reach("dose", k=1),
    "report": lambda: FIT.removal_report(TABLE.iloc[:1], CLASSES[:1], top=3),
    "report of a coefficient": lambda: FIT.report("dose", top=3),
}


@pytest.mark.parametrize("name", RESULTS)
def test_results_print_as_their_tables(name):
    result = RESULTS[name]()
    frame, lines = result.to_frame(), str(result).splitlines()
    assert repr(result) == str(result)
    assert len(lines) <= LINES + 6
    if name == "influence" or name.startswith("breakdown of") or name == "breakdown":
        return  # which have sentences of their own
    if name in ("flags", "outlier test"):  # which print what stands out
        frame = result.shown()
    shown = [str(label) for label in frame.index[: LINES // 2]]
    own = name.startswith("report")  # has words of its own for its columns, and shows every line
    if not own:
        assert all(str(column) in str(result) for column in frame.columns[: COLUMNS // 2])
    for label in shown:
        assert any(line.split()[0] == label for line in lines), label
    cut = not own and (frame.shape[0] > LINES or frame.shape[1] > COLUMNS)
    assert (f"{frame.shape[0]} rows, {frame.shape[1]} columns: to_frame() has them all." in lines) == cut


@pytest.mark.dear
@pytest.mark.parametrize("name", RESULTS)
def test_notebooks_show_the_same_table(name):
    result = RESULTS[name]()
    html = result._repr_html_() if hasattr(result, "_repr_html_") else None
    assert html.count("<table") == 1
    cells = {unescape(cell) for cell in re.findall(r"<th>(.*?)</th>", html)}
    frame = result.shown() if name in ("flags", "outlier test") else result.to_frame()
    assert set(map(str, frame.index[:3])) <= cells


def test_a_result_without_a_table_has_no_html():
    labels = np.where(CLASSES == 1, 1, -1)
    assert ist.SmoothedSVC(lam=1.0, t=0.5).fit(TABLE, labels).inference("HC0")._repr_html_() is not None
    assert Empty()._repr_html_() is None
    assert repr(Empty()) == "Empty without a table: x must have a table, but it has none. Ask for nothing."


@dataclass(frozen=True, repr=False)
class Empty(Tabled):
    x: int = 1

    def to_frame(self):
        raise InvalidArgument("x", "have a table", "has none", "Ask for nothing.")


def test_every_result_with_a_table_is_among_these():
    modules = [module for name, module in sys.modules.items() if name.startswith("influstat.")]
    classes = {value for module in modules for value in vars(module).values() if inspect.isclass(value)}
    lazy = {ist.Answer}  # whose repr computes nothing
    with_table = {value for value in classes if hasattr(value, "to_frame")} - BASES - lazy
    assert with_table == {type(make()) for make in RESULTS.values()}


def test_what_is_said_of_a_table_is_printed_below_it():
    assert str(FIT.inference("HC0")).endswith(FIT.inference("HC0").note)


def test_a_result_without_a_table_prints_why():
    loss = ist.SmoothedHinge(t=0.5)
    fit = ist.Fit.minimise(ist.LinearRisk(loss, TABLE, 2 * CLASSES - 1, penalty=ist.L2(1.0)))
    quantity = ist.contrast(fit, [1.0, 0.0])
    with pytest.raises(ist.errors.Unsupported) as refused:
        quantity.to_frame()
    assert str(quantity) == f"Functional without a table: {refused.value}"


def test_messages_hold_no_tables():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(
            ist.errors.InvalidType, match=r"^fit must be a Fit, but it is Scores\(values=array"
        ) as said:
            ist.odds_ratio(FIT.influence().on_theta())
    assert "\n" not in str(said.value)
    assert "\n" not in short(FIT.inference())
