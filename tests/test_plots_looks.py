"""What a reader sees: no class over another, no line without a name, no hole, no text over another."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from influstat import plots
from influstat.errors import DoubtfulResult, InvalidArgument
from influstat.plots import base
from tests.budget import some
from tests.plot_cases import CALLS, CLASSES, EXACT, IMAGES, LABELS, PREDICTED, N, drawn
from tests.test_plots_placing import drawn_texts

RNG = np.random.default_rng(11)
MANY = 400
ON_LINE = RNG.normal(size=MANY)
TWO = np.arange(MANY) >= MANY // 2


@pytest.fixture(autouse=True)
def _close_figures():
    plt.close("all")
    yield
    plt.close("all")


def colours(drawn):
    return np.array([to_hex(colour).upper() for colour in drawn.get_facecolor()])


# -- points -----------------------------------------------------------------------------------------------

WITH_CLASSES = {
    "predicted": lambda: plots.predicted_against_exact(ON_LINE, ON_LINE, classes=TWO),
    "distance": lambda: plots.influence_against_distance(ON_LINE, ON_LINE, classes=TWO),
    "factors": lambda: plots.factor_panels(ON_LINE, {"a": ON_LINE}, same_label=~TWO)[0],
}


@pytest.mark.parametrize("name", WITH_CLASSES)
def test_no_class_is_drawn_over_all_of_another(name):
    first, second = (WITH_CLASSES[name]().collections[0] for _ in range(2))
    assert np.array_equal(first.get_offsets(), second.get_offsets())
    blue = colours(first) == base.BLUE
    assert blue.sum() == MANY // 2
    half = blue[: MANY // 2].mean()
    assert 0.35 < half < 0.65  # not all of one colour below
    # Each point keeps the colour and marker of its class.
    where = {value: k for k, value in enumerate(ON_LINE)}
    rows = np.array([where[y] for y in np.asarray(first.get_offsets())[:, 1]])
    assert np.array_equal(blue, ~TWO[rows])
    corners = np.array([len(path.vertices) for path in first.get_paths()])
    assert len(set(corners[blue])) == len(set(corners[~blue])) == 1
    assert set(corners[blue]) != set(corners[~blue])


@pytest.mark.slow
def test_the_legend_covers_neither_names_nor_numbers():
    predicted = ON_LINE + np.where(np.arange(MANY) % 40 == 0, 1.0, 0.0)
    ax = plots.predicted_against_exact(predicted, ON_LINE, classes=TWO, names=5)
    texts = drawn_texts(ax)
    key = ax.get_legend().get_window_extent()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["False", "True"]
    assert not any(key.overlaps(extent) for _, extent in texts)


def test_classes_that_are_numbers_have_short_names():
    ax = plots.influence_against_distance(EXACT, EXACT, classes=CLASSES.astype(float))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["0", "1"]


def test_a_name_is_nearer_to_its_point_than_to_any_other():
    """A neighbour stands where the name would be nearer to it, though it would not cover it."""

    def drawn(exact, predicted):
        ax = plots.predicted_against_exact(predicted, exact, names=1)
        ((name, extent),) = [(text, extent) for text, extent in drawn_texts(ax) if hasattr(text, "xy")]
        assert name.get_text() == "1"
        return ax, extent

    exact, predicted = np.array([-1.0, 0.0, 1.0]), np.array([-1.0, 0.6, 1.0])
    ax, extent = drawn(exact, predicted)
    beside = ax.transData.inverted().transform([extent.x1 + 3.0, np.mean(extent.intervaly)])
    exact, predicted = np.append(exact, beside[0]), np.append(predicted, beside[1])
    ax, extent = drawn(exact, predicted)
    places = ax.transData.transform(np.column_stack([exact, predicted]))
    low, high = np.array(extent.min), np.array(extent.max)
    away = np.linalg.norm(np.maximum(np.maximum(low - places, places - high), 0.0), axis=1)
    assert np.argmin(away) == 1


@pytest.mark.dear
@pytest.mark.parametrize("seed", range(6))
def test_the_line_to_a_name_crosses_no_other_name(seed):
    rng = np.random.default_rng(seed)
    exact = np.sort(rng.normal(size=150))
    predicted = exact + 0.002 * rng.normal(size=150)
    predicted[60:64] += 0.05 + 0.02 * rng.random(4)
    labels = [f"a row of number {k}" for k in range(150)]
    texts = drawn_texts(plots.predicted_against_exact(predicted, exact, names=4, row_labels=labels))
    names = [(text, extent) for text, extent in texts if hasattr(text, "xy")]
    assert len(names) == 4
    for text, extent in names:
        place, middle = text.axes.transData.transform(text.xy), 0.5 * (extent.p0 + extent.p1)
        if not text.arrow_patch.get_visible():
            continue
        line = middle + np.linspace(0.0, 1.0, 41)[:, None] * (place - middle)
        assert not any(other.count_contains(line) for _, other in texts if other is not extent)


@pytest.mark.slow
def test_a_ring_is_around_each_point_whose_name_is_drawn():
    ax = plots.predicted_against_exact(np.where(np.arange(60) < 50, 1.0, 0.0), np.zeros(60), names=50)
    drawn_texts(ax)  # of fifty names at one point most have no room
    names = [text for text in ax.texts if hasattr(text, "xy")]
    rings = [line for line in ax.lines if line.get_marker() == "o"]
    assert [ring.get_visible() for ring in rings] == [name.get_visible() for name in names]
    assert [(ring.get_xdata()[0], ring.get_ydata()[0]) for ring in rings] == [name.xy for name in names]
    assert 0 < sum(name.get_visible() for name in names) < 50


def test_names_of_stems_have_no_rim_that_would_cut_them():
    names = [text for text in plots.influence_index(EXACT).texts if hasattr(text, "xy")]
    assert names
    assert not any(text.get_path_effects() for text in names)


# -- lines ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CALLS)
def test_every_dashed_line_through_the_axes_has_a_name(name):
    for ax in np.atleast_1d(drawn(name)):
        texts = [text for text in ax.texts if text.get_text()]
        for line in ax.lines:
            x, y = (np.asarray(values, dtype=float) for values in line.get_data())
            if line.get_linestyle() != "--" or len(x) != 2 or (np.ptp(x) > 0.0 and np.ptp(y) > 0.0):
                continue
            axis, place = (1, y[0]) if np.ptp(y) == 0.0 else (0, x[0])
            assert any(text.get_position()[axis] == place for text in texts), (line, name)


TWO_LINES = {
    "bubble": lambda far: plots.influence_bubble(
        [0.1, 0.2, 0.3], [0.5, far, -1.0], [0.1, 9.0, 0.2], limit=2.0
    ),
    "fitted": lambda far: plots.residuals_against_fitted([1.0, 2.0, 3.0], [0.1, far, -1.0], limit=2.0),
    "index": lambda far: plots.influence_index([0.5, far, -1.0], threshold=0.4, threshold_name="a rule"),
}


@pytest.mark.parametrize("far", [3.0, 1e3])
@pytest.mark.parametrize("name", TWO_LINES)
def test_names_of_two_lines_do_not_touch(name, far):
    ax = TWO_LINES[name](far)
    beside = [text for text in ax.texts if text.get_position()[0] == 1.01]
    low, high = sorted((text.get_window_extent() for text in beside), key=lambda box: box.y0)
    assert low.y1 <= high.y0


def test_few_stems_are_named_on_the_axis():
    ax = plots.influence_index(EXACT[:4], row_labels=["north", "south", "east", "west"], unit="region")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["north", "south", "east", "west"]
    assert "north" not in [label.get_text() for label in plots.influence_index(EXACT).get_xticklabels()]


# -- panels -----------------------------------------------------------------------------------------------


@pytest.mark.dear
@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 2), (3, 3), (4, 2), (5, 3), (6, 3), (8, 3)])
def test_panels_leave_no_hole(count, columns):
    axes = plots.solver_panels({str(k): PREDICTED for k in range(count)}, EXACT)
    figure = axes[0].figure
    figure.draw_without_rendering()
    centres = [np.mean(ax.get_position().intervalx) for ax in axes]
    heights = [round(float(np.mean(ax.get_position().intervaly)), 6) for ax in axes]
    rows = [[c for c, h in zip(centres, heights, strict=True) if h == height] for height in set(heights)]
    assert max(map(len, rows)) == columns
    middle = np.mean([centres[0], centres[min(columns, count) - 1]])
    # Of the figure's width; older versions of matplotlib lay out rows of other lengths by 0.6 % apart.
    assert [np.mean(row) for row in rows] == pytest.approx([middle] * len(rows), abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("scale", some([1e-3, 1.0, 1e5]))
def test_titles_do_not_touch_what_stands_above_them(scale):
    panels = {f"a solver with a long name, {k}": scale * PREDICTED for k in range(4)}
    axes = plots.solver_panels(panels, scale * EXACT)
    axes[0].figure.draw_without_rendering()
    for above, below in ((axes[0], axes[2]), (axes[1], axes[3])):
        top = below.title.get_window_extent().y1
        parts = [above.xaxis.label, above.xaxis.get_offset_text(), *above.get_xticklabels()]
        lowest = min(part.get_window_extent().y0 for part in parts if part.get_text())
        assert lowest - top > 12.0  # pixels, at 100 dots per inch


# -- what is written --------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [0.0, 1e-16, 1e-3])
def test_an_error_of_rounding_belongs_to_no_row(error):
    ax = plots.predicted_against_exact(EXACT + error, EXACT, row_labels=["Alabama", *LABELS[1:]])
    assert ("(row" in ax.texts[0].get_text()) == (error == 1e-3)
    assert ("equal up to rounding" in ax.texts[0].get_text()) == (error < 1e-3)


def test_a_correlation_may_stand_in_place_of_the_slope():
    ax = plots.predicted_against_exact(PREDICTED, EXACT, agreement="correlation")
    expected = np.corrcoef(PREDICTED, EXACT)[0, 1]
    assert ax.texts[0].get_text().startswith(f"correlation {expected:.3f}\n")
    constant = plots.predicted_against_exact(EXACT, 0.0 * EXACT, agreement="correlation")
    assert constant.texts[0].get_text().startswith("correlation none")
    with pytest.raises(InvalidArgument, match="agreement must be 'slope' or 'correlation'"):
        plots.predicted_against_exact(PREDICTED, EXACT, agreement="r")


def test_axes_of_their_own_span_their_own_values():
    ax = plots.predicted_against_exact(1e4 * PREDICTED, EXACT, equal=False)
    assert ax.get_xlim()[1] < 2.0 * np.max(np.abs(EXACT))
    assert ax.get_ylim()[1] > 1e3 * ax.get_xlim()[1]
    assert ax.lines[0].get_slope() == 1.0


def test_a_variant_that_is_larger_by_far_shows_the_line_of_slope_one():
    axes = plots.factor_panels(
        EXACT, {"near": 2.0 * EXACT, "far": 100.0 * EXACT}, same_label=CLASSES, equal_units=["near", "far"]
    )
    assert [ax.get_xscale() for ax in axes] == ["linear", "symlog"]
    assert axes[1].xaxis.get_transform().linthresh == np.max(np.abs(EXACT))
    for ax in axes:
        dashed = next(line for line in ax.lines if line.get_linestyle() == "--")
        assert np.array_equal(dashed.get_xdata(), dashed.get_ydata())
        assert "dashed: y = x" in ax.get_xlabel()


# -- more of one thing ------------------------------------------------------------------------------------


def test_pairs_join_what_two_models_say_of_a_row():
    far = np.column_stack([np.arange(N), np.arange(N)[::-1]])
    ax = plots.influence_pairs(EXACT, PREDICTED, distances=far, models=("one", "two"))
    joined, left, right = (np.array(one.get_segments()) for one in ax.collections[:3])
    assert np.array_equal(
        joined, np.stack([np.c_[0 * EXACT, EXACT], np.c_[1 + 0 * EXACT, PREDICTED]], axis=1)
    )
    assert np.array_equal(left[:, 0, 1], EXACT)
    assert np.array_equal(right[:, 1, 1], PREDICTED)
    for k, one in enumerate(ax.collections[1:3]):
        ticks = [to_hex(colour).upper() for colour in one.get_colors()]
        assert ticks[int(np.argmin(far[:, k]))] == base.BLUE
        assert ticks[int(np.argmax(far[:, k]))] == base.ORANGE
    assert [label.get_text() for label in ax.get_xticklabels()] == ["one", "two"]
    with pytest.raises(InvalidArgument, match=r"distances must have shape \(12, 2\)"):
        plots.influence_pairs(EXACT, PREDICTED, distances=EXACT)
    with pytest.raises(InvalidArgument, match="models must name two"):
        plots.influence_pairs(EXACT, PREDICTED, models=["one"])


def test_a_difference_of_pictures_is_after_minus_before():
    ax = plots.image_difference(IMAGES[0], IMAGES[1], unit="levels")
    change = (IMAGES[1].astype(float) - IMAGES[0]).reshape(4, 4)
    assert np.array_equal(ax.images[0].get_array(), change)
    low, high = ax.images[0].get_clim()
    assert high == -low == np.abs(change).max()  # white is no change
    assert ax.images[0].colorbar.ax.get_ylabel() == "levels"
    assert plots.image_difference(IMAGES[0], IMAGES[0]).images[0].get_array().max() == 0.0
    with pytest.raises(InvalidArgument, match="after must have the shape of before"):
        plots.image_difference(np.zeros(4), np.zeros(9))
    with pytest.raises(InvalidArgument, match="before must be one picture"):
        plots.image_difference(IMAGES[None], IMAGES[0])


HOLES = np.where(np.arange(N) == 2, np.nan, EXACT)
WITH_HOLES = {
    "influence_against_distance": lambda: plots.influence_against_distance(EXACT, HOLES, classes=CLASSES),
    "influence_pairs": lambda: plots.influence_pairs(HOLES, EXACT),
    "factor_panels": lambda: plots.factor_panels(EXACT, {"a": HOLES}, same_label=CLASSES)[0],
    "predicted_against_exact": lambda: plots.predicted_against_exact(PREDICTED, HOLES),
    "solver_panels": lambda: plots.solver_panels({"a": HOLES}, EXACT)[0],
}


@pytest.mark.parametrize("name", WITH_HOLES)
def test_rows_that_are_nan_are_left_out_and_counted(name):
    with pytest.warns(DoubtfulResult, match="1 of 12 rows hold nan and are not drawn; the first is 2"):
        ax = WITH_HOLES[name]()
    assert f"(1 of {N} rows is nan and not drawn)" in ax.get_xlabel()
    drawn = ax.collections[0]
    shown = drawn.get_segments() if name == "influence_pairs" else drawn.get_offsets()
    assert len(shown) == N - 1


def test_pictures_whose_change_is_nan_are_left_out_and_counted():
    change = np.where(np.arange(N) == int(np.argmax(EXACT)), np.nan, EXACT)
    with pytest.warns(DoubtfulResult, match="1 of 12 rows hold nan"):
        axes = plots.helpful_and_harmful_images(IMAGES, change, k=2, title="a title")
    order = np.argsort(EXACT)
    assert [ax.get_title().split("\n")[0] for ax in axes[:2]] == [f"row {i}" for i in order[[-2, -3]]]
    assert axes[0].figure.get_suptitle() == "a title\n(1 of 12 rows is nan and not drawn)"


def test_sessions_of_notebooks_draw_larger_and_sharper(monkeypatch):
    ipython = pytest.importorskip("IPython")
    inline = pytest.importorskip("matplotlib_inline.backend_inline")
    asked = []
    monkeypatch.setattr(inline, "set_matplotlib_formats", asked.append)
    with plt.rc_context():
        plots.for_notebooks(dpi=120)
        assert asked == []  # no notebook
        assert plots.influence_index(EXACT).figure.dpi == 120.0
        monkeypatch.setattr(ipython, "get_ipython", object)
        plots.for_notebooks()
        plots.for_notebooks(retina=False)
        assert asked == ["retina", "png"]
        for dots, sentence in ((0, "dpi must be at least 10"), (1e9, "dpi must be at most 2400 dots")):
            with pytest.raises(InvalidArgument, match=sentence):
                plots.for_notebooks(dpi=dots)


def test_titles_stand_above_all_panels():
    for call in (
        lambda: plots.solver_panels({"a": PREDICTED}, EXACT, title="all"),
        lambda: plots.factor_panels(EXACT, {"a": PREDICTED}, same_label=CLASSES, title="all"),
        lambda: plots.image_panels(IMAGES[:2], ["x", "y"], title="all"),
    ):
        axes = call()
        assert axes[0].figure.get_suptitle() == "all"
        assert isinstance(axes[0].title, Text)
