"""The notebooks as stored: complete, with outputs, and made for reading. CI runs them (`.ci/run`)."""

import json
import re
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from influstat.errors import DoubtfulResult
from tests.budget import some

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def cells(path, kind):
    """Return the sources of the cells of one kind."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


def outputs(path):
    """Return all stored outputs."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [output for cell in notebook["cells"] for output in cell.get("outputs", [])]


def test_they_are_numbered_one_to_twelve():
    assert [path.name[:3] for path in NOTEBOOKS] == [f"{k:02d}_" for k in range(1, 13)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_says_what_will_be_learnt_and_ends_in_exercises(path):
    text = cells(path, "markdown")
    assert text[0].startswith(f"# {path.name[:2]} ")
    opening = text[0].lower()
    assert "what you will learn" in opening
    assert 3 <= len(re.findall(r"^- ", text[0], flags=re.MULTILINE)) <= 6
    assert "## Exercises" in text[-1]
    assert text[-1].count("<details><summary>") == text[-1].count("</details>") >= 2


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_is_stored_with_its_outputs_and_says_which_data_it_used(path):
    found = outputs(path)
    assert found
    assert not [output for output in found if output["output_type"] == "error"]
    assert not [output for output in found if output.get("name") == "stderr"]
    printed = "".join("".join(output.get("text", [])) for output in found)
    assert re.search(r"^Data: ", printed, flags=re.MULTILINE)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_none_holds_a_path_or_an_address_of_one_machine(path):
    text = path.read_text(encoding="utf-8")
    pictures = re.sub(r'"image/png": "[^"]*"', "", text)
    assert not re.search(r"/work/|/tmp/|/home/|/root/| at 0x[0-9a-f]{6}", pictures)
    assert len(text) < 600_000  # figures are of twice the dots, for sharp screens


def own_table():
    """Return somebody's data: numbered rows, a missing value, a category, a response of another name."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "wage": rng.normal(20.0, 4.0, 40),
            "school": rng.integers(8, 18, 40),
            "town": rng.choice(["north", "south", "west"], 40),
            "years": rng.integers(0, 30, 40),
        }
    )
    table["wage"] += 0.8 * table["school"]
    table.loc[[0, 17], "years"] = np.nan
    return table


def run_notebook_07(table, formula, folder, monkeypatch):
    """Run its code on a table with the two lines changed, and return what it defines."""
    pytest.importorskip("matplotlib").use("Agg")
    table.to_csv(folder / "own.csv", index=False)
    text = "\n".join(cells(FOLDER / "07_beside_statsmodels.ipynb", "code"))
    changed, count = re.subn(r"^path = .*$", 'path = "own.csv"', text, flags=re.MULTILINE)
    changed, again = re.subn(r"^formula = .*$", f'formula = "{formula}"', changed, flags=re.MULTILINE)
    assert count == again == 1
    monkeypatch.chdir(folder)
    namespace = {}
    try:
        exec(compile(changed, "07", "exec"), namespace)
    finally:
        sys.modules["matplotlib.pyplot"].close("all")
    return namespace


@pytest.mark.parametrize("named", some([True, False]))
def test_notebook_07_runs_on_ones_own_csv_by_changing_two_lines(named, tmp_path, monkeypatch):
    table = own_table()
    if named:
        table.insert(0, "person", [f"person {k}" for k in range(len(table))])
    found = run_notebook_07(table, "wage ~ school + C(town) + years", tmp_path, monkeypatch)
    labels = found["fit"].row_labels
    assert len(labels) == 38  # the rows with a missing value are gone, and the names are right
    assert labels[0] == ("person 1" if named else 1)
    assert found["left_out"] == 0
    assert len(found["by_group"]) == 10


@pytest.mark.slow
def test_notebook_07_runs_on_a_table_with_a_category_that_occurs_once(tmp_path, monkeypatch, capsys):
    table = own_table()
    table.loc[5, "town"] = "isle"
    with (
        pytest.warns(DoubtfulResult, match="leverage is 1"),
        pytest.warns(DoubtfulResult, match="removals hold coefficients that are nan"),
        pytest.warns(DoubtfulResult, match="1 of 38 rows have no inference .* the others are"),
    ):
        found = run_notebook_07(table, "wage ~ school + C(town) + years", tmp_path, monkeypatch)
    assert found["left_out"] == 1
    assert "left without them): 1\n" in capsys.readouterr().out
    assert 5 not in found["drawn"].index
    assert abs(found["change"][5]) < 1e-12  # it determines its town's coefficient alone, and moves no other
    assert len(found["change"]) == 38
    numbers = found["report"].to_frame()[["estimates", "standard_errors", "p_values"]]
    assert np.isfinite(numbers).all(axis=None)
    assert len(found["by_group"]) == 10


@pytest.mark.parametrize(
    ("formula", "left_out"), some([("wage ~ school + C(town) + years", 6), ("wage ~ school", 0)])
)
def test_notebook_07_runs_on_six_rows(formula, left_out, tmp_path, monkeypatch):
    """With five coefficients five rows still have a fit, but no degree of freedom for a residual."""
    expected = pytest.warns(DoubtfulResult, match="degrees of freedom") if left_out else nullcontext()
    with expected:
        found = run_notebook_07(own_table().iloc[2:8], formula, tmp_path, monkeypatch)
    assert len(found["fit"].row_labels) == 6
    assert found["left_out"] == left_out
    assert len(found["by_group"]) == 6  # each row a group of its own: never one group of all
