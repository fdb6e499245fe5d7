"""The notebooks as stored: complete, with outputs, and made for reading. CI runs them (`.ci/run`)."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

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


def test_they_are_numbered_one_to_ten():
    assert [path.name[:3] for path in NOTEBOOKS] == [f"{k:02d}_" for k in range(1, 11)]


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
    assert len(text) < 400_000


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


@pytest.mark.parametrize("named", [False, True])
def test_notebook_07_runs_on_ones_own_csv_by_changing_two_lines(named, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib").use("Agg")
    table = own_table()
    if named:
        table.insert(0, "person", [f"person {k}" for k in range(len(table))])
    table.to_csv(tmp_path / "own.csv", index=False)
    text = "\n".join(cells(FOLDER / "07_beside_statsmodels.ipynb", "code"))
    changed, count = re.subn(r"^path = .*$", 'path = "own.csv"', text, flags=re.MULTILINE)
    changed, again = re.subn(
        r"^formula = .*$", 'formula = "wage ~ school + C(town) + years"', changed, flags=re.MULTILINE
    )
    assert count == again == 1
    monkeypatch.chdir(tmp_path)
    namespace = {}
    exec(compile(changed, "07", "exec"), namespace)
    labels = namespace["fit"].row_labels
    assert len(labels) == 38  # the rows with a missing value are gone, and the names are right
    assert labels[0] == ("person 1" if named else 1)
    sys.modules["matplotlib.pyplot"].close("all")
