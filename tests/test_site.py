"""The pages of the site, as stored: CI builds them (`.ci/run`)."""

import re
from pathlib import Path

import pytest

from tests.scikit_learn_models import MODELS
from tests.statsmodels_models import CASES

PAGES = Path(__file__).parents[1] / "notebooks"


@pytest.mark.parametrize(
    ("heading", "cases"),
    [("statsmodels", CASES), ("scikit-learn", MODELS)],
    ids=["statsmodels", "scikit-learn"],
)
def test_the_table_of_models_has_every_model_that_is_tested(heading, cases):
    text = (PAGES / "supported_models.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    named = re.findall(r"^\| (.+?)(?: \(rows flagged: \d+\))? \|", section, flags=re.MULTILINE)[1:]
    assert named == [case.name for case in cases]
