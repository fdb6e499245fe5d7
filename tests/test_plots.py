"""The plots: what they draw and where."""

import pickle

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from influstat import plots
from influstat.errors import InvalidArgument
from influstat.plots import base
from tests.plot_cases import CALLS, CLASSES, EXACT, IMAGES, LABELS, PREDICTED, drawn


@pytest.fixture(autouse=True)
def _close_figures():
    plt.close("all")  # doctests that ran before in this process leave some open
    yield
    plt.close("all")


def test_every_plot_is_in_the_table():
    assert set(CALLS) | {"for_notebooks"} == set(plots.__all__)


@pytest.mark.dear(11)
@pytest.mark.parametrize("name", CALLS)
def test_a_new_figure_where_no_axes_are_given(name):
    call, count = CALLS[name]
    result = np.atleast_1d(call(None))
    assert len(result) == count
    assert all(isinstance(ax, Axes) for ax in result)
    assert all(ax.figure is result[0].figure for ax in result)
    assert result[0].figure.get_size_inches()[0] <= 9.3
    result[0].figure.draw_without_rendering()


@pytest.mark.dear
@pytest.mark.parametrize("name", CALLS)
def test_the_callers_axes_are_drawn_on(name):
    call, count = CALLS[name]
    _, grid = plt.subplots(1, count, squeeze=False)
    result = np.atleast_1d(call(grid[0, 0] if count == 1 else grid[0]))
    assert len(plt.get_fignums()) == 1
    assert all(ours is theirs for ours, theirs in zip(result, grid[0], strict=True))
    assert all(ax.has_data() for ax in result)


@pytest.mark.parametrize("name", [name for name in CALLS if "image" not in name])
def test_axes_are_labelled(name):
    first = np.atleast_1d(drawn(name))[0]
    assert first.get_xlabel()
    assert first.get_ylabel() or name == "coefficient_forest"


@pytest.mark.parametrize("name", CALLS)
def test_colours_are_of_the_colour_blind_safe_palette_or_grey(name):
    allowed = {to_hex(colour) for colour in (*base.class_colours(), base.GREY, base.YELLOW, "white")}
    for ax in np.atleast_1d(drawn(name)):
        for line in ax.lines:
            assert to_hex(line.get_color()) in allowed
        for collection in ax.collections:
            for colour in collection.get_facecolor():
                assert to_hex(colour) in allowed


@pytest.mark.parametrize("name", CALLS)
def test_something_else_than_axes_is_refused(name):
    call, count = CALLS[name]
    with pytest.raises(InvalidArgument, match="ax must (be a|hold .) matplotlib Axes"):
        call("axes" if count == 1 else ["axes"])


def test_slope_error_and_outliers_are_written():
    ax = plots.predicted_against_exact(PREDICTED, EXACT, row_labels=LABELS, names=1)
    slope = np.polyfit(EXACT, PREDICTED, 1)[0]
    worst = int(np.argmax(np.abs(PREDICTED - EXACT)))
    texts = [text.get_text() for text in ax.texts]
    error = np.abs(PREDICTED - EXACT)[worst]
    summary = f"slope {slope:.3f}\nlargest error {error:.2g}\n(row {LABELS[worst]})"
    assert texts == [summary, "y = x", LABELS[worst]]
    drawn = np.asarray(ax.collections[0].get_offsets())
    assert np.array_equal(drawn, np.column_stack([EXACT, PREDICTED]))
    assert ax.get_xlim() == ax.get_ylim()
    assert ax.get_xlim()[0] < min(EXACT.min(), PREDICTED.min())
    assert ax.lines[0].get_slope() == 1.0


def test_equal_changes_have_no_slope():
    ax = plots.predicted_against_exact([0.1, 0.2], [0.0, 0.0], names=0)
    assert ax.texts[0].get_text().startswith("slope none")


def test_solver_panels_share_one_range():
    axes = plots.solver_panels({"near": EXACT, "far": 10.0 * EXACT}, EXACT)
    assert len({ax.get_xlim() for ax in axes}) == 1
    assert axes[0].get_xlim()[1] > 10.0 * EXACT.max()


@pytest.mark.dear
@pytest.mark.parametrize(
    ("error", "named"),
    [(0.0, 0), (1e-15, 0), (1e-6, 0), (0.005, 0), (0.02, 2), (1.0, 2)],  # of a range of about 2.2
)
def test_only_errors_that_can_be_seen_are_named(error, named):
    exact = np.linspace(-1.0, 1.0, 30)
    predicted = exact.copy()
    predicted[[3, 20]] -= error
    ax = plots.predicted_against_exact(predicted, exact, names=3)
    assert len([text for text in ax.texts if hasattr(text, "xy")]) == named


@pytest.mark.parametrize("draw", [plots.influence_index, lambda d: plots.influence_bubble(d, d, d)])
def test_rows_without_influence_are_not_named(draw):
    names = [text.get_text() for text in draw([0.0, 0.0, 0.9, 0.0]).texts if hasattr(text, "xy")]
    assert names == ["2"]


@pytest.mark.parametrize(
    ("settings", "label"),
    [
        ({}, "exact change of the test loss"),
        ({"quantity": "loss"}, "exact change of the loss"),
        ({"reference": "-I/n, explicit solution"}, "-I/n, explicit solution"),
        ({"quantity": "loss", "reference": "by hand"}, "by hand"),
    ],
)
def test_the_horizontal_axis_says_what_the_reference_is(settings, label):
    assert plots.predicted_against_exact(PREDICTED, EXACT, **settings).get_xlabel() == label
    axes = plots.solver_panels({"a": PREDICTED, "b": EXACT}, EXACT, **settings)
    assert [ax.get_xlabel() for ax in axes] == [label, label]


@pytest.mark.parametrize("count", [1, 2])
def test_the_power_of_ten_is_beside_the_label(count):
    panels = {str(k): 1e-3 * PREDICTED for k in range(count)}
    axes = plots.solver_panels(panels, 1e-3 * EXACT, reference="the change by hand of the mean test loss")
    renderer = axes[0].figure.canvas.get_renderer()
    axes[0].figure.draw(renderer)
    for ax in axes:
        power = ax.xaxis.get_offset_text()
        assert "10" in power.get_text()
        extent = power.get_window_extent(renderer)
        assert not extent.overlaps(ax.xaxis.label.get_window_extent(renderer))
        assert ax.figure.bbox.containsx(extent.x1)


@pytest.mark.parametrize(
    ("draw", "width"),
    [
        (lambda: plots.solver_panels({"a": PREDICTED}, EXACT), 4.4),
        (lambda: plots.solver_panels({"a": PREDICTED, "b": EXACT}, EXACT), 9.24),
        (lambda: plots.solver_panels({"a": PREDICTED, "b": EXACT}, EXACT, columns=1), 4.4),
        (lambda: plots.factor_panels(EXACT, {"a": PREDICTED}, same_label=CLASSES), 4.4),
        (lambda: plots.factor_panels(EXACT, dict.fromkeys("abc", PREDICTED), same_label=CLASSES), 9.24),
    ],
)
def test_the_width_follows_the_panels(draw, width):
    assert draw()[0].figure.get_size_inches()[0] == pytest.approx(width)


def test_the_true_influence_is_named():
    axes = plots.factor_panels(EXACT, {"a": PREDICTED, "b": EXACT}, same_label=CLASSES)
    assert [ax.get_ylabel() for ax in axes] == ["-I with all factors, eq. (17)", ""]


@pytest.mark.parametrize("same", [CLASSES == 1, CLASSES, CLASSES.astype(float), [bool(c) for c in CLASSES]])
def test_same_label_tells_the_classes_apart(same):
    ax = plots.factor_panels(EXACT, {"a": PREDICTED}, same_label=same)[0]
    drawn = ax.collections[0]
    colours = np.array([to_hex(colour).upper() for colour in drawn.get_facecolor()])
    for colour, label in ((base.BLUE, 1), (base.ORANGE, 0)):
        shown = np.sort(drawn.get_offsets()[colours == colour, 1])
        assert np.array_equal(shown, np.sort(EXACT[label == CLASSES]))


@pytest.mark.parametrize("figure_name", ["predicted_against_exact", "influence_index"])
def test_figures_can_be_pickled(figure_name):
    figure = CALLS[figure_name][0](None).figure
    texts = [text.get_text() for text in pickle.loads(pickle.dumps(figure)).axes[0].texts]
    assert texts == [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize(
    ("change", "helpful", "harmful"),
    [
        ([0.3, 0.2, 0.1], [0, 1], []),
        ([-0.3, 0.2, -0.1], [1], [0, 2]),
        ([-0.3, -0.2, -0.1], [], [0, 1]),
        ([0.0, 0.0, 0.1], [2], []),
        ([0.0, 0.0, 0.0], [], []),
    ],
)
def test_only_rows_of_that_sign_are_helpful_or_harmful(change, helpful, harmful):
    axes = plots.helpful_and_harmful_images(IMAGES[:3], change, k=2)
    assert len(axes) == 4
    rows = [[ax.get_title().split("\n")[0] for ax in line if ax.images] for line in (axes[:2], axes[2:])]
    assert rows == [[f"row {i}" for i in helpful], [f"row {i}" for i in harmful]]
    notes = [text.get_text() for ax in axes for text in ax.texts]
    assert notes == ["no helpful row"] * (not helpful) + ["no harmful row"] * (not harmful)
    assert [axes[0].get_ylabel(), axes[2].get_ylabel()] == ["most helpful", "most harmful"]


@pytest.mark.parametrize("shape", [None, (2, 8)])
def test_pictures_may_be_an_array_of_matrices(shape):
    pictures = IMAGES[:2].reshape(2, 2, 8)
    axes = plots.image_panels(pictures, ["a", "b"], shape=shape)
    assert np.array_equal(axes[1].images[0].get_array(), pictures[1])


def test_helpful_rows_come_first_and_harmful_ones_start_the_second_line():
    axes = plots.helpful_and_harmful_images(IMAGES, EXACT, k=2, row_labels=LABELS)
    order = np.argsort(EXACT)
    shown = [order[-1], order[-2], order[0], order[1]]
    assert [ax.get_title().split("\n")[0] for ax in axes] == [f"row {LABELS[i]}" for i in shown]
    for ax, row in zip(axes, shown, strict=True):
        assert np.array_equal(ax.images[0].get_array(), IMAGES[row].reshape(4, 4))
    assert [axes[0].get_ylabel(), axes[2].get_ylabel()] == ["most helpful", "most harmful"]


def test_pictures_need_not_be_square():
    assert plots.image_panels(np.zeros((1, 6)), ["a"], shape=(2, 3))[0].images[0].get_array().shape == (2, 3)
    with pytest.raises(InvalidArgument, match="shape must be a height and width of 6 pixels"):
        plots.image_panels(np.zeros((1, 6)), ["a"])


def test_the_bubble_area_is_proportional_to_cooks_distance():
    distance = np.array([0.0, 1.0, 2.0])
    ax = plots.influence_bubble([0.1, 0.2, 0.3], [1.0, 0.0, -1.0], distance, names=1)
    area = ax.collections[0].get_sizes()
    assert (area[2] - area[0]) == pytest.approx(2.0 * (area[1] - area[0]))
    texts = [text.get_text() for text in ax.texts]
    assert texts == ["area: Cook's distance", "2", "0"]  # of residuals of one size the first
    with pytest.raises(InvalidArgument, match="cooks_distance must be at least 0"):
        plots.influence_bubble([0.1], [1.0], [-1.0])


def test_the_forest_marks_rows_that_change_the_sign():
    ax = plots.coefficient_forest(-4.5, [0.4, -4.1], row_labels=["a", "b"])
    points = [line for line in ax.lines if line.get_marker() in {"D", "o", "^"}]
    assert [(line.get_marker(), line.get_xdata()[0]) for line in points] == [
        ("D", -4.5), ("^", 0.4), ("o", -4.1),
    ]  # fmt: skip
    low, high = ax.get_ylim()
    assert low > high  # all rows on top


@pytest.mark.dear
@pytest.mark.parametrize(
    ("row", "name"),
    [
        ("a", "income"),
        ("Massachusetts Institute of Technology, Cambridge, no. 5171", "income"),
        ("W" * 60, "coefficient of C(occupation, Treatment(reference='student'))[T.professional, degree]"),
        ("a", "x" * 120),
    ],
)
@pytest.mark.parametrize("width", [None, 2.4])
def test_long_names_fit_into_the_forest(row, name, width):
    ax = None if width is None else plt.subplots(figsize=(width, 2.0), layout="constrained")[1]
    ax = plots.coefficient_forest(-4.5, [0.4, -4.1], row_labels=[row, "b"], name=name, ax=ax)
    ax.figure.draw(ax.figure.canvas.get_renderer())  # "constrained_layout not applied" would be an error
    for text in (ax.xaxis.label, *ax.get_yticklabels()):
        extent = text.get_window_extent()
        assert ax.figure.bbox.containsx(extent.x0)
        assert ax.figure.bbox.containsx(extent.x1)


def test_search_curves_have_the_mean_and_one_standard_deviation():
    rng = np.random.default_rng(722)
    curves = rng.random((5, 3))
    ax = plots.search_curves([10, 20, 30], {"loss": curves}, total_rows=100)
    assert ax.lines[0].get_ydata() == pytest.approx(curves.mean(axis=0))
    assert ax.lines[1].get_ydata() == pytest.approx([0.1, 0.2, 0.3])
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx((curves.mean(axis=0) + curves.std(axis=0, ddof=1)).max())
