"""Agreement statistics against their definitions, and the judging of stated numbers."""

import doctest
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from influstat.errors import InvalidArgument
from influstat.experiments import agreement, figure1, figure4, figure4_as_figure, figure5
from influstat.experiments.catalogue import FIGURES, Reproduction
from influstat.experiments.table import Line, as_text, below, number, same, unstated, within


def test_agreement_is_what_scipy_computes():
    rng = np.random.default_rng(4)
    exact = rng.standard_normal(40)
    predicted = 0.7 * exact + 0.1 * rng.standard_normal(40) + 2.0
    predicted[11] = -50.0
    found = agreement(predicted, exact)
    line = stats.linregress(exact, predicted)
    assert found.slope == pytest.approx(line.slope, rel=1e-12)
    assert found.pearson == pytest.approx(line.rvalue, rel=1e-12)
    assert found.spearman == pytest.approx(stats.spearmanr(predicted, exact).statistic, rel=1e-12)
    assert found.worst_row == 11
    assert found.max_error == abs(-50.0 - exact[11])
    others = np.delete(np.arange(40), 11)
    assert found.pearson_without_worst == pytest.approx(
        stats.pearsonr(predicted[others], exact[others])[0], rel=1e-12
    )


def test_scale_and_sign_show_in_the_slope_where_correlations_are_blind():
    exact = np.array([1.0, -2.0, 3.0, 5.0])
    assert agreement(2.0 * exact, exact).pearson == pytest.approx(1.0)
    assert agreement(2.0 * exact, exact).slope == pytest.approx(2.0)
    assert agreement(-exact, exact).slope == pytest.approx(-1.0)


@pytest.mark.parametrize("predicted", [[1.0, 2.0], [1.0, 2.0, np.nan], [[1.0, 2.0, 3.0]]])
def test_agreement_refuses_what_it_cannot_compare(predicted):
    with pytest.raises(InvalidArgument, match="predicted"):
        agreement(predicted, [1.0, 2.0, 4.0])


@pytest.mark.parametrize(
    ("stated", "found", "text", "agrees"),
    [
        ("0.78700", 0.786995, "0.78700", True),
        ("0.78700", 0.786994, "0.78699", False),
        ("2.6e-5", 2.5501e-5, "2.6e-5", True),
        ("2.6e-5", 2.5499e-5, "2.5e-5", False),
        ("4e-13", 3.9e-13, "4e-13", True),
        ("-0.689", -0.6892, "-0.689", True),
        ("-0.689", 0.6892, "0.689", False),
        ("53", 53.3, "53", True),
        ("1964", 1963.59, "1964", True),
        ("1.571", np.nan, "nan", False),
    ],
)
def test_numbers_are_judged_to_the_digits_stated(stated, found, text, agrees):
    assert number("x", stated, found) == Line("x", stated, text, agrees)


def test_ranges_limits_and_counts():
    assert within("r", "0.72", "0.86", [0.7151, 0.8649]) == Line("r", "0.72 to 0.86", "0.72 to 0.86", True)
    outside = within("r", "0.72", "0.86", [0.80, 0.60, 0.75])
    assert (outside.found, outside.agrees) == ("0.60 to 0.80, 2 of 3 in", False)
    assert within("r", "0.72", "0.86", [0.80, 0.60, 0.75], allowed_outside=1).agrees
    assert below("gap", "1e-14", 9e-15).agrees
    assert not below("gap", "1e-14", 1.1e-14).agrees
    assert same("row", 237, 237).agrees
    assert not same("row", 237, 236).agrees


def test_the_text_marks_what_does_not_agree_and_says_why():
    lines = [same("rows", 1, 1), same("columns", 2, 3)]
    first, second = as_text("Title", lines).splitlines()[2:]
    assert first.endswith("yes")
    assert second.endswith("NO")
    assert len(first) <= 100

    class Record:
        class split:  # noqa: N801 - stands in for a record's field
            source = "somebody"

    entry = Reproduction("Title", Record, lambda record: lines, {}, note="Columns were dropped.")
    assert entry.text(Record(), lines).splitlines()[-2:] == [
        "1 of 2 agree. Columns were dropped.",
        "Data: somebody",
    ]
    assert "dropped" not in entry.text(Record(), lines[:1])


def test_columns_are_as_wide_as_what_they_hold():
    long = Line("LiSSA, ten repeats", "0.994 to 0.997", "0.9787 to 0.9965, 77 of 100 in", False)
    _, heading, first, second = as_text("Title", [same("rows", 1, 1), long]).splitlines()
    assert first.index("yes") == second.index("NO")
    assert heading.index("found") == second.index("0.9787")


def test_a_number_that_is_stated_nowhere_is_shown_and_not_counted():
    lines = [number("first", "1.0", 1.0), unstated("second", 2.5)]
    record = SimpleNamespace(split=SimpleNamespace(source="somebody"))
    told = Reproduction("Title", lambda: record, lambda record: lines, {}).text(record, lines).splitlines()
    assert told[-2] == "1 of 1 agree."
    assert told[-3].split() == ["second", "2.5"]


def test_every_figure_has_a_title_a_table_and_a_drawing():
    assert list(FIGURES)[:5] == [f"figure{k}" for k in range(1, 6)]
    for name, entry in FIGURES.items():
        assert entry.title
        assert name in entry.drawings
        assert callable(entry.compute)
        assert callable(entry.lines)


@pytest.mark.slow
@pytest.mark.usefixtures("data_dir")
@pytest.mark.parametrize("function", [figure1, figure4, figure4_as_figure, figure5])
def test_docstring_examples_hold_on_the_real_data(function):
    # Doctest skips them because they need the files; with the files at hand they are run.
    example = doctest.DocTestFinder().find(function, globs={})[0]
    for line in example.examples:
        line.options.pop(doctest.SKIP, None)
    results = doctest.DocTestRunner().run(example)
    assert results.attempted == 2
    assert results.failed == 0
