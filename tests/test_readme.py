"""The README as a new user reads it: short, its lines run as they stand, what it points at exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language, containing=""):
    """Return the one fenced block of a language that holds a text."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    (text,) = [text for text in found if containing in text]
    return text


def test_it_stays_short():
    assert len(README.splitlines()) <= 160


def test_ten_lines_take_a_csv_to_the_table_and_its_forest_plot(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    lines = block("python", "pd.read_csv")
    assert len([line for line in lines.splitlines() if line]) <= 11  # imports and all
    monkeypatch.chdir(tmp_path)
    exec(lines, {})
    assert capsys.readouterr().out == block("text")
    (picture,) = tmp_path.iterdir()
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert (ROOT / "notebooks" / picture.name).is_file()  # the one that is shown was made so


def test_they_run_on_a_csv_of_your_own(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    lines = block("python", "pd.read_csv").replace(
        'sm.datasets.statecrime.__path__[0] + "/statecrime.csv"', '"my.csv"'
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.csv").write_text(
        "name,murder,urban,poverty,hs_grad,single\n"
        + "".join(f"row {k},{k % 5},{k % 7},{k % 3},{k * k % 11},{k % 4}\n" for k in range(30)),
        encoding="utf-8",
    )
    exec(lines, {})
    assert capsys.readouterr().out.startswith("single with all 30 rows,")
    assert (tmp_path / "forest_single.png").is_file()


def test_what_it_points_at_exists():
    named = re.findall(r"`((?:influstat|tests|notebooks)/[\w./]*)`|\]\((?!http)([^)]*)\)", README)
    paths = [first or second for first, second in named]
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists()] == []
