"""Text in pictures: names as they stand, numbers that do not touch, any ground, settings said once."""

import inspect
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
import statsmodels.formula.api as smf
from matplotlib.cbook import is_math_text
from matplotlib.colors import to_rgb

import influstat as ist
from influstat import plots
from influstat.errors import InvalidArgument, Unsupported
from influstat.plots import base
from influstat.sets.drawn import Drawn
from influstat.statistics.pictures import FitPlots
from influstat.statistics.report import CoefficientReport
from tests.fit_plot_cases import N, X, frame, heights
from tests.plot_cases import CALLS
from tests.test_fit_plots_settings import PICTURES, draw

SETTINGS = ("row_labels", "title", "size", "ax")
DRAWING = {
    **{f"plots.{name}": getattr(plots, name) for name in plots.__all__ if name != "for_notebooks"},
    **{f"fit.plot.{name}": getattr(FitPlots, name) for name in PICTURES},
    "report.plot": CoefficientReport.plot,
    "breakdown.plot": Drawn.plot,
}


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize("name", DRAWING)
def test_settings_that_all_share_are_described_in_one_place(name):
    lines = [line.strip() for line in inspect.getdoc(DRAWING[name]).splitlines()]
    (place,) = (k for k, line in enumerate(lines) if line.endswith("title, size, ax"))
    assert lines[place + 1].startswith("As for all pictures: see `influstat.plots`")
    assert not any(line.startswith(("title :", "size :", "ax :")) for line in lines)
    assert "row_labels : array_like, shape (n,), optional" not in lines
    assert all(f"- `{one}`: " in plots.__doc__ for one in SETTINGS)


# -- names as they stand ----------------------------------------------------------------------------------

ODD = [f"${k}_a^{{$ %\\frac & <b>#~" for k in range(N)]
Y = X[:, 1] + np.random.default_rng(24).normal(size=N)
NAMED = ist.Ridge(lam=1.0).fit(X, Y, names=["const", "$a", "$b_{$", "c"], row_labels=ODD)
THIRDS = dict(zip(ODD[:3], np.array_split(np.arange(N), 3), strict=True))
OF_COLUMNS = {
    "added_variable": {"column": 2},
    "component_residual": {"column": 2},
    "forest": {"coefficient": 2},
    "dfbetas": {"coefficients": [1, 2]},
    "groups": {"groups": THIRDS, "coefficient": 2},
    "index": {"measure": "dfb_$b_{$"},
    "bubble": {},
    "qq": {"simulations": 0},
}


@pytest.mark.dear
@pytest.mark.parametrize("picture", OF_COLUMNS)
def test_a_dollar_in_a_name_starts_no_formula(picture):
    ax = draw(picture, NAMED, **OF_COLUMNS[picture])
    ax.figure.draw_without_rendering()  # parses what is a formula
    texts = [
        *ax.texts,
        *ax.get_yticklabels(),
        *ax.get_xticklabels(),
        ax.xaxis.label,
        ax.yaxis.label,
        ax.title,
    ]
    names = [text.get_text() for text in texts if "$" in text.get_text()]
    assert names
    assert not any(is_math_text(name) for name in names)


@pytest.mark.slow
def test_a_dollar_in_a_level_or_a_table_starts_no_formula():
    table = frame(X).assign(bracket=np.resize(["$10-$20", "$20-$30", "$30"], N), y=Y)
    fit = ist.from_statsmodels(smf.ols("y ~ a + bracket", table).fit())
    axes = [*fit.plot.component_residuals(), fit.breakdown("bracket[T.$20-$30]").plot()]
    axes.append(ist.breakdown_table(fit, budget_seconds=0.1).plot())
    for ax in axes:
        texts = [*ax.get_xticklabels(), *ax.get_yticklabels(), ax.title, ax.xaxis.label, ax.yaxis.label]
        assert not any(is_math_text(text.get_text()) for text in texts if "bracket" in text.get_text())
        ax.figure.draw_without_rendering()


# -- numbers along the axis -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "span", [(0.0151, 0.0349), (0.0, 1e-4), (99_990.0, 100_010.0), (0.0, 1.0), (-1e-7, 3e-7)]
)
def test_numbers_along_the_axis_do_not_touch(span):
    ax = plots.influence_bubble(np.linspace(*span, 5), np.arange(5.0), np.ones(5), size=(2.6, 2.6))
    ax.figure.draw_without_rendering()
    low, high = ax.get_xlim()
    places = zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)
    shown = [one for place, one in places if low <= place <= high]
    boxes = sorted((one.get_window_extent() for one in shown if one.get_text()), key=lambda box: box.x0)
    assert len(boxes) >= 2 or span == (99_990.0, 100_010.0)
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


# -- any ground -------------------------------------------------------------------------------------------


def brightness(colour):
    return float(np.mean(to_rgb(colour)))


def test_ink_is_black_on_white_and_follows_the_style():
    assert base.shade() == "#000000"
    assert base.shade(0.0) == "#ffffff"
    with plt.style.context("dark_background"):
        assert base.shade() == "#ffffff"
        assert base.shade(0.0) == "#000000"
    for ink, ground in (("black", "#ffffff"), ("white", "#000000")):
        with plt.rc_context({"text.color": ink, "axes.facecolor": "none", "figure.facecolor": "none"}):
            assert base.shade(0.0) == ground


@pytest.mark.parametrize("name", CALLS)
def test_nothing_is_drawn_in_the_colour_of_a_dark_ground(name):
    with plt.style.context("dark_background"):
        call, _ = CALLS[name]
        for ax in np.atleast_1d(call(None)):
            for line in ax.lines:
                assert brightness(line.get_color()) > 0.2
            for text in ax.texts:
                assert brightness(text.get_color()) > 0.2
                for effect in text.get_path_effects() or ():
                    assert brightness(effect._gc["foreground"]) < 0.2


# -- a picture without a row ------------------------------------------------------------------------------

THREE = ist.Ridge(lam=0.0).fit([[1.0, 0.0], [1.0, 1.0], [1.0, 3.0]], [1.0, 3.0, 2.0])


@pytest.mark.filterwarnings("ignore::influstat.errors.DoubtfulResult")
@pytest.mark.parametrize("picture", ["bubble", "dfbetas", "qq", "overview", "indices"])
def test_a_fit_none_of_whose_rows_has_the_measures_says_so_of_the_fit(picture):
    own = {"coefficients": None} if picture == "dfbetas" else {}
    with pytest.raises(
        InvalidArgument, match="^fit must have a row whose measures exist, to be drawn, but it has"
    ):
        draw(picture, THREE, **own)
    assert not plt.get_fignums()


def test_a_column_of_nan_is_the_argument_that_is_named():
    nan, two = [np.nan, np.nan], [0.1, 0.2]
    with pytest.raises(
        InvalidArgument, match="^residual must hold a number in some row, but it holds a nan in every row"
    ):
        plots.influence_bubble(two, nan, two)
    with pytest.raises(
        InvalidArgument, match="^cooks_distance must hold a number in some row in which leverage and"
    ):
        plots.influence_bubble(two, [0.1, np.nan], [np.nan, 0.1])


def test_groups_of_a_saturated_fit_have_no_line_at_a_standard_error():
    fit = ist.Ridge(lam=0.0).fit([[1.0, 0.0], [1.0, 1.0]], [1.0, 3.0], names=["one", "x"])
    with pytest.warns(ist.errors.DoubtfulResult, match="removals hold coefficients that are nan"):
        ax = fit.plot.groups([0, 1], "one")
    assert heights(ax) == []


@pytest.mark.parametrize("picture", ["residuals", "scale_location", "added_variables", "component_residuals"])
def test_a_fit_without_a_linear_predictor_is_told_of_a_picture_that_it_has(picture):
    fit = ist.Fit.minimise(ist.SoftmaxRisk(X, np.arange(N) % 3, penalty=ist.L2(1.0)))
    with pytest.raises(Unsupported, match=r"Draw fit.plot.index\(\"dfbeta_"):
        draw(picture, fit)
    assert not plt.get_fignums()
    assert fit.plot.index("dfbeta_" + fit.names[0]).get_ylabel()
