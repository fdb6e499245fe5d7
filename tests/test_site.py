"""The pages of the site, as stored: complete, and their links are checked by what can find a fault."""

import inspect
import json
import re
from pathlib import Path

import pytest

import influstat as ist
from influstat.statistics.pictures.fit_plots import FitPlots
from tests.scikit_learn_models import MODELS
from tests.site_links import faults
from tests.statsmodels_models import CASES, HOLDS_SCALE

PAGES = Path(__file__).parents[1] / "notebooks"


def page(name):
    return (PAGES / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("heading", "cases"),
    [("statsmodels", CASES), ("scikit-learn", MODELS)],
    ids=["statsmodels", "scikit-learn"],
)
def test_the_table_of_models_has_every_model_that_is_tested(heading, cases):
    section = page("supported_models.md").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    named = re.findall(r"^\| (.+?)(?: \(rows flagged: \d+\))? \|", section, flags=re.MULTILINE)[1:]
    if not HOLDS_SCALE and heading == "statsmodels":  # its robust regressions are tested from 0.15 on
        named = [name for name in named if not name.startswith("RLM ")]
    assert named == [case.name for case in cases]


def test_the_reference_has_every_public_name_once():
    listed = re.findall(r"^   ~?([\w.]+)$", page("reference.md"), flags=re.MULTILINE)
    names = [name for name in ist.__all__ if not inspect.ismodule(getattr(ist, name))]
    names += [f"{part}.{name}" for part in ("plots", "datasets") for name in getattr(ist, part).__all__]
    errors = [name for name in vars(ist.errors) if inspect.isclass(getattr(ist.errors, name))]
    names += [f"errors.{name}" for name in errors if not name.startswith("_")]
    assert [name for name in names if listed.count(name) != 1] == []


def test_the_gallery_draws_every_picture_of_a_fit():
    drawn = set(re.findall(r"^drawn = \w+\.plot\.(\w+)\(", page("gallery.md"), flags=re.MULTILINE))
    assert drawn == {name for name in dir(FitPlots) if not name.startswith("_")}


def test_the_index_of_lessons_has_every_notebook():
    linked = re.findall(r"\]\((\d\d_\w+\.ipynb)\)", page("lessons.md"))
    assert linked == sorted(path.name for path in PAGES.glob("*.ipynb"))


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_notebook_is_stored_with_a_progress_bar(path):
    """On a page a bar would be one that stands still."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    data = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    assert [found for found in data if "application/vnd.jupyter.widget-view+json" in found] == []


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ('<a href="other.html">', None),
        ('<a href="other.html#there">', None),
        ('<a href="https://example.org/x">', None),
        ('<img src="data:image/png;base64,AA">', None),
        ('<a href="gone.html">', "links to gone.html"),
        ('<a href="other.html#gone">', "links to other.html#gone"),
        ('<a href="#gone">', "links to #gone"),
        ('<img src="gone.png">', "loads gone.png"),
        ('<script src="https://example.org/x.js"></script>', "loads https://example.org/x.js"),
        ('<link href="//example.org/x.css">', "loads //example.org/x.css"),
    ],
)
def test_faults_of_links_are_found(html, fault, tmp_path):
    (tmp_path / "other.html").write_text('<p id="there">', encoding="utf-8")
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    assert faults(tmp_path) == ([f"page.html {fault}"] if fault else [])
