"""What a breakdown says of the set it found, or why it found none, and labels that pandas takes."""

from __future__ import annotations

import importlib.util
import sys
import time
from functools import cache

import numpy as np
import pandas as pd
import pytest

import influstat as ist
from influstat.sets import budget as budgets
from influstat.sets import result
from influstat.sets import table as tables

ROWS = 30


@cache
def table():
    rng = np.random.default_rng(3)
    x = rng.normal(size=ROWS)
    index = pd.Index([f"row {k}" for k in range(ROWS)], name="case")
    return pd.DataFrame({"x": x, "y": 0.25 * x + rng.normal(size=ROWS), "firm": ["a", "b", "c"] * 10}, index)


def fit_of(data):
    return ist.Ridge(lam=0.0).fit(data[["x"]], data["y"])


@cache
def strong():
    x = np.linspace(-1.0, 1.0, ROWS)
    y = x + 0.7 * (-1.0) ** np.arange(ROWS)  # it takes several rows to turn the slope
    return ist.Ridge(lam=0.0).fit(x[:, None], y)


ANSWERS = {
    "coefficient": lambda fit: fit.breakdown("x"),
    "prediction": lambda fit: fit.breakdown_of_prediction([[3.0]], at=fit.predict([[3.0]])[0] - 0.2),
    "significance": lambda fit: fit.inference().breakdown("x"),
}


@pytest.mark.parametrize("name", ["coefficient", "prediction", "significance"])
def test_the_labels_of_a_set_drop_its_rows(name):
    data = table()
    found = ANSWERS[name](fit_of(data))
    assert found.upper
    assert found.removed.equals(data.index[found.positions])
    assert found.removed.name == "case"
    left = data.drop(index=found.removed)
    assert len(left) == ROWS - found.upper
    assert len(data.loc[found.removed]) == found.upper
    if name == "coefficient":  # the refit by hand has the value; both solve a line to rounding
        assert fit_of(left).theta[0] == pytest.approx(found.value_without, abs=1e-12)


def test_the_labels_of_both_ends_of_a_reach_drop_their_rows():
    data = table()
    fit = fit_of(data)
    reach = fit.reach("x", k=2)
    for removed, attained in zip(reach.removed, reach.attained, strict=True):
        assert fit_of(data.drop(index=removed)).theta[0] == pytest.approx(attained, abs=1e-12)  # rounding


def test_levels_of_an_index_drop_too():
    data = table().set_index("firm", append=True)
    removed = fit_of(data).breakdown("x").removed
    assert removed.names == ["case", "firm"]
    assert len(data.drop(index=removed)) == ROWS - len(removed)


WHY = {
    "not searched": ({"search": False, "budget_seconds": 0.0}, "nothing was searched"),
    "no time": ({"budget_seconds": 0.0}, "the time was over"),
    "ended": ({"largest": 2}, "it is proven|came to its end"),
}


@pytest.mark.parametrize("name", WHY)
@pytest.mark.parametrize("of", ["coefficient", "significance"])
def test_where_no_set_is_found_the_reason_stands_beside_it(name, of):
    settings, why = WHY[name]
    asked = strong() if of == "coefficient" else strong().inference()
    found = asked.breakdown("x0", **settings)
    assert found.upper is None
    assert list(found.removed) == []
    line = next(one for one in repr(found).splitlines() if "verified by refit" in one)
    assert f"none found: {found.stopped}" in line
    assert any(part in found.stopped for part in why.split("|"))


def test_a_set_that_was_found_needs_no_reason():
    assert ANSWERS["coefficient"](fit_of(table())).stopped == ""


@pytest.mark.parametrize(
    ("known", "stopped", "search", "seconds", "said"),
    [
        ((1, 1), False, True, 9.0, ""),
        ((None, 5), False, True, 9.0, "it is proven that no 4 rows do it"),
        ((None, 2), True, True, 9.0, "interrupted"),
        ((None, 2), False, False, 9.0, "nothing was searched (search=False), so there may be one"),
        ((None, 2), False, True, 0.0, "the time was over, so there may be one"),
        ((None, 2), False, True, 9.0, "the search, up to 4 rows, came to its end; there may be one"),
    ],
)
def test_each_reason(known, stopped, search, seconds, said):
    budget = result.Budget(seconds)
    if stopped:
        budget.stop()
    assert result.why_none(*known, 4, "rows", search=search, budget=budget) == said


def test_budgets_of_users_are_of_seconds(monkeypatch):
    # Of the module as it is written: conftest has put another clock into the one that is imported.
    spec = importlib.util.spec_from_file_location("budget_of_users", budgets.__file__)
    written = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, written)
    spec.loader.exec_module(written)
    short, long = written.Budget(0.01), written.Budget(1e6)
    time.sleep(0.02)
    assert short.out
    assert not long.out
    assert long.left <= 1e6 - 0.02


def test_the_budget_of_a_table_is_for_all_of_it(monkeypatch):
    given = []

    def noted(asked, *, budget, **settings):
        given.append(budget.seconds)
        return whole(asked, budget=budget, **settings)

    whole = tables.breakdown
    monkeypatch.setattr(tables, "breakdown", noted)
    data = np.random.default_rng(5).normal(size=(12, 4))
    fit = ist.Ridge(lam=0.0).fit(data[:, :3], data[:, 3])
    ist.breakdown_table(fit, budget_seconds=900.0)
    # What one leaves goes to the others: these take few of the 900 000 looks at the clock.
    assert given == pytest.approx([300.0, 450.0, 900.0], rel=0.05)


@pytest.mark.slow
def test_a_set_that_leaves_the_coefficient_undetermined_ends_no_search():
    # All rows with the 1 gone: nothing is left of the column, which is no flip and no error.
    rng = np.random.default_rng(49)
    x = np.column_stack([np.ones(10), np.arange(10) < 2, rng.normal(size=10)])
    y = rng.standard_t(2.0, 10) + 3.0 * x[:, 1]
    fit = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), x, y))
    for kind in ("model", "HC0", "HC1", "HC2", "HC3"):
        for reversed_ in (False, True):
            found = fit.inference(kind).breakdown(1, reversed=reversed_, budget_seconds=1.0)
            assert found.upper is None or not {0, 1} <= set(found.positions.tolist())
