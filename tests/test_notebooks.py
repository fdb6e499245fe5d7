"""The notebooks as stored: complete, with outputs, and made for reading. CI runs them (`.ci/run`)."""

import json
import re
from pathlib import Path

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
