"""The plots: what they draw, where, and what they refuse."""

import pickle
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.text import Text

import influstat as ist
from influstat import plots
from influstat.errors import DoubtfulResult, InvalidArgument, InvalidType, MissingDependency
from influstat.plots import base

RNG = np.random.default_rng(8)
N = 12
EXACT = RNG.standard_normal(N)
PREDICTED = 0.8 * EXACT
PREDICTED[4] += 3.0
LABELS = np.array([f"row {chr(97 + i)}" for i in range(N)])
CLASSES = np.arange(N) % 2
IMAGES = RNG.integers(0, 255, (N, 16))

# name -> (function of ax, number of axes)
CALLS = {
    "predicted_against_exact": (
        lambda ax: plots.predicted_against_exact(
            PREDICTED, EXACT, row_labels=LABELS, classes=CLASSES, title="a", ax=ax
        ),
        1,
    ),
    "solver_panels": (
        lambda ax: plots.solver_panels({"one": PREDICTED, "two": EXACT, "three": EXACT}, EXACT, ax=ax),
        3,
    ),
    "influence_against_distance": (
        lambda ax: plots.influence_against_distance(EXACT, PREDICTED, classes=CLASSES, outliers=2, ax=ax),
        1,
    ),
    "factor_panels": (
        lambda ax: plots.factor_panels(
            EXACT, {"a": PREDICTED, "b": 1e6 * EXACT}, same_label=CLASSES == 1, equal_units=["a"], ax=ax
        ),
        2,
    ),
    "image_panels": (lambda ax: plots.image_panels(IMAGES[:3], ["x", "y", "z"], ax=ax), 3),
    "helpful_and_harmful_images": (
        lambda ax: plots.helpful_and_harmful_images(IMAGES, EXACT, k=2, row_labels=LABELS, ax=ax),
        4,
    ),
    "influence_index": (lambda ax: plots.influence_index(EXACT, threshold=1.0, ax=ax), 1),
    "influence_bubble": (
        lambda ax: plots.influence_bubble(abs(EXACT), EXACT, EXACT**2, coefficients=3, ax=ax),
        1,
    ),
    "coefficient_forest": (
        lambda ax: plots.coefficient_forest(
            -4.5, [0.4, -4.1], interval=(-16, 7), intervals_without=[[-6, 7], [-15, 7]], ax=ax
        ),
        1,
    ),
    "search_curves": (
        lambda ax: plots.search_curves([1, 2, 3], {"a": RNG.random((4, 3)), "b": [0.1, 0.2, 0.3]}, ax=ax),
        1,
    ),
}


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_every_plot_is_in_the_table():
    assert set(CALLS) == set(plots.__all__)


@pytest.mark.parametrize("name", CALLS)
def test_a_new_figure_where_no_axes_are_given(name):
    call, count = CALLS[name]
    result = np.atleast_1d(call(None))
    assert len(result) == count
    assert all(isinstance(ax, Axes) for ax in result)
    assert all(ax.figure is result[0].figure for ax in result)
    assert result[0].figure.get_size_inches()[0] <= 7.0
    result[0].figure.canvas.draw()


@pytest.mark.parametrize("name", CALLS)
def test_the_callers_axes_are_drawn_on(name):
    call, count = CALLS[name]
    _, grid = plt.subplots(1, count, squeeze=False)
    result = np.atleast_1d(call(grid[0, 0] if count == 1 else grid[0]))
    assert len(plt.get_fignums()) == 1
    assert all(ours is theirs for ours, theirs in zip(result, grid[0], strict=True))
    assert all(ax.has_data() for ax in result)


@pytest.mark.parametrize("name", [name for name, (_, count) in CALLS.items() if "image" not in name])
def test_axes_are_labelled(name):
    call, _ = CALLS[name]
    first = np.atleast_1d(call(None))[0]
    assert first.get_xlabel()
    assert first.get_ylabel() or name == "coefficient_forest"


@pytest.mark.parametrize("name", CALLS)
def test_colours_are_of_the_colour_blind_safe_palette_or_grey(name):
    call, _ = CALLS[name]
    allowed = {to_hex(colour) for colour in (*base.CYCLE, base.GREY, base.YELLOW, "white")}
    for ax in np.atleast_1d(call(None)):
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
    ax = plots.predicted_against_exact(PREDICTED, EXACT, row_labels=LABELS, outliers=1)
    slope = np.polyfit(EXACT, PREDICTED, 1)[0]
    worst = int(np.argmax(np.abs(PREDICTED - EXACT)))
    texts = [text.get_text() for text in ax.texts]
    error = np.abs(PREDICTED - EXACT)[worst]
    assert texts == [f"slope {slope:.3f}\nlargest error {error:.2g}\n(row {LABELS[worst]})", LABELS[worst]]
    drawn = np.asarray(ax.collections[0].get_offsets())
    assert np.array_equal(drawn, np.column_stack([EXACT, PREDICTED]))
    assert ax.get_xlim() == ax.get_ylim()
    assert ax.get_xlim()[0] < min(EXACT.min(), PREDICTED.min())
    assert ax.lines[0].get_slope() == 1.0


def test_equal_changes_have_no_slope():
    ax = plots.predicted_against_exact([0.1, 0.2], [0.0, 0.0], outliers=0)
    assert ax.texts[0].get_text().startswith("slope none")


def test_solver_panels_share_one_range():
    axes = plots.solver_panels({"near": EXACT, "far": 10.0 * EXACT}, EXACT)
    assert len({ax.get_xlim() for ax in axes}) == 1
    assert axes[0].get_xlim()[1] > 10.0 * EXACT.max()


NEIGHBOURS = np.linspace(-1.0, 1.0, 30)
NEIGHBOURS[4] = NEIGHBOURS[3]
SQUARE = np.random.default_rng(1).uniform(-0.01, 0.01, (2, 300))
ACROSS = np.linspace(-1.0, 1.0, 30)
ONE_SPOT = np.where(np.arange(60) < 50, 1.0, 0.0)
LONG = np.array([f"University of the northern province number {i}" for i in range(300)])


def outlying(values, rows, to=0.95):
    changed = np.array(values)
    changed[rows] = to
    return changed


def index(values, **settings):
    return plots.influence_index(values, row_labels=LONG[: len(values)], **settings)


# name -> (function that draws, names of rows that must be drawn)
CROWDED = {
    "outlier at the top left": (
        lambda: plots.predicted_against_exact(outlying(ACROSS, [3]), ACROSS),
        ["3"],
    ),
    "outlier at the bottom right": (
        lambda: plots.predicted_against_exact(-outlying(ACROSS, [3]), -ACROSS),
        ["3"],
    ),
    "two outliers on one point": (
        lambda: plots.predicted_against_exact(outlying(NEIGHBOURS, [3, 4]), NEIGHBOURS, title="title"),
        ["3", "4"],
    ),
    "points everywhere": (
        lambda: plots.predicted_against_exact(*SQUARE, row_labels=LONG, classes=np.arange(300) % 2),
        [],
    ),
    "one panel of points everywhere": (
        lambda: plots.solver_panels({"bad": SQUARE[0], "good": SQUARE[1]}, SQUARE[1])[0],
        [],
    ),
    "many names among points": (
        lambda: plots.predicted_against_exact(*SQUARE, row_labels=LONG, outliers=14),
        [],
    ),
    "more names than room": (
        lambda: plots.predicted_against_exact(ONE_SPOT, np.zeros(60), outliers=50),
        [],
    ),
    "small axes": (
        lambda: plots.predicted_against_exact(
            outlying(ACROSS, [3, 5, 7]), ACROSS, row_labels=LONG[:30], ax=plt.subplots(1, 3)[1][0]
        ),
        [],
    ),
    "long names side by side": (
        lambda: index(outlying(0.1 * np.abs(ACROSS), [14, 15, 16], to=1.0)),
        ["14", "15", "16"],
    ),
    "long names at the edges": (
        lambda: index(outlying(0.1 * ACROSS, [0, 29], to=1.0), outliers=2, threshold=0.5),
        ["0", "29"],
    ),
    "bubbles": (
        lambda: plots.influence_bubble(
            0.1 + np.abs(ACROSS) / 3, ACROSS, ACROSS**4, row_labels=LONG[:30], coefficients=4
        ),
        ["0", "29"],
    ),
}


def drawn_texts(ax):
    """Draw, and return (text, its rectangle in pixels) of each that is shown."""
    renderer = ax.figure.canvas.get_renderer()
    ax.figure.draw(renderer)
    shown = [text for text in ax.texts if text.get_visible()]
    return [(text, Text.get_window_extent(text, renderer)) for text in shown]


@pytest.mark.parametrize("name", CROWDED)
def test_texts_cover_no_other_text_and_the_box_no_point(name):
    draw, expected = CROWDED[name]
    ax = draw()
    texts = drawn_texts(ax)
    for k, (_, one) in enumerate(texts):
        assert not any(one.overlaps(other) for _, other in texts[k + 1 :])
    names = [text.get_text() for text, _ in texts if hasattr(text, "xy")]
    assert set(expected) <= {name.split()[-1].lstrip("…") for name in names}
    if ax.collections and hasattr(ax.collections[0], "get_sizes"):
        points = ax.transData.transform(np.vstack([some.get_offsets() for some in ax.collections]))
        boxes = [rectangle for text, rectangle in texts if not hasattr(text, "xy")]
        assert len(boxes) == 1
        assert not any(boxes[0].contains(*point) for point in points)


@pytest.mark.parametrize("name", [name for name in CROWDED if name != "small axes"])
def test_names_cover_no_point_that_is_named_and_stay_in_the_figure(name):
    ax = CROWDED[name][0]()
    names = [(text, extent) for text, extent in drawn_texts(ax) if hasattr(text, "xy")]
    assert names
    for _, extent in names:
        assert not any(extent.contains(*ax.transData.transform(text.xy)) for text, _ in names)
        assert ax.figure.bbox.containsx(extent.x0)
        assert ax.figure.bbox.containsx(extent.x1)


def test_texts_follow_limits_that_are_set_afterwards():
    ax = plots.predicted_against_exact(outlying(ACROSS, [3]), ACROSS)
    ax.set(xlim=(-0.1, 0.1), ylim=(-0.1, 0.1))
    assert [text.get_text().split()[0] for text, _ in drawn_texts(ax)] == ["slope"]  # row 3 is outside
    ax.set(xlim=(-2.0, 2.0), ylim=(-2.0, 2.0))
    assert [text.get_text().split()[0] for text, _ in drawn_texts(ax)] == ["slope", "3"]


def test_the_box_leaves_the_corner_of_the_outlier_and_lies_under_points():
    ax = plots.predicted_against_exact(outlying(ACROSS, [3]), ACROSS)
    (box, _), _ = drawn_texts(ax)
    assert box.get_position() == pytest.approx((0.97, 0.03))
    assert box.get_zorder() < ax.collections[0].get_zorder()


@pytest.mark.parametrize(
    ("error", "named"),
    [(0.0, 0), (1e-15, 0), (1e-6, 0), (0.005, 0), (0.02, 2), (1.0, 2)],  # of a range of about 2.2
)
def test_only_errors_that_can_be_seen_are_named(error, named):
    predicted = ACROSS.copy()
    predicted[[3, 20]] -= error
    ax = plots.predicted_against_exact(predicted, ACROSS, outliers=3)
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
        (lambda: plots.solver_panels({"a": PREDICTED}, EXACT), 3.3),
        (lambda: plots.solver_panels({"a": PREDICTED, "b": EXACT}, EXACT), 6.93),
        (lambda: plots.solver_panels({"a": PREDICTED, "b": EXACT}, EXACT, columns=1), 3.3),
        (lambda: plots.factor_panels(EXACT, {"a": PREDICTED}, same_label=CLASSES), 3.3),
        (lambda: plots.factor_panels(EXACT, dict.fromkeys("abc", PREDICTED), same_label=CLASSES), 6.93),
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
    assert np.array_equal(ax.collections[0].get_offsets()[:, 1], EXACT[CLASSES == 1])
    assert np.array_equal(ax.collections[1].get_offsets()[:, 1], EXACT[CLASSES == 0])


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
    ax = plots.influence_bubble([0.1, 0.2, 0.3], [1.0, 0.0, -1.0], distance, outliers=1)
    area = ax.collections[0].get_sizes()
    assert (area[2] - area[0]) == pytest.approx(2.0 * (area[1] - area[0]))
    assert [text.get_text() for text in ax.texts] == ["area: Cook's distance", "2"]
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


LEVERAGE_ONE = r"holds nan at row 1. A row of leverage 1 .* Leave such rows out of all arguments"
WITH_NAN = [0.1, np.nan, 0.3]


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: plots.influence_index(WITH_NAN), "values"),
        (lambda: plots.influence_bubble([0.1, 1.0, 0.3], WITH_NAN, [0.1, 0.1, 0.1]), "residual"),
        (lambda: plots.influence_bubble([0.1, 1.0, 0.3], [0.1, 0.1, 0.1], WITH_NAN), "cooks_distance"),
        (lambda: plots.influence_bubble(WITH_NAN, [0.1, 1.0, 0.3], [0.1, 0.1, 0.1]), "leverage"),
        (lambda: plots.coefficient_forest(1.0, WITH_NAN), "without"),
    ],
)
def test_a_nan_is_a_row_of_leverage_one(call, argument):
    with pytest.raises(InvalidArgument, match=f"{argument} must be finite, but it {LEVERAGE_ONE}") as raised:
        call()
    assert raised.value.argument == argument
    assert "before the fit" not in str(raised.value)


def test_our_own_diagnostics_are_drawn_without_their_rows_of_leverage_one():
    pandas = pytest.importorskip("pandas")
    X = np.column_stack([np.ones(8), np.arange(8.0), np.arange(8) == 5])
    fit = ist.Ridge(lam=0.0).fit(X, [1.0, 2.0, 2.5, 4.0, 5.5, 9.0, 7.0, 8.5])
    with pytest.warns(DoubtfulResult, match="do not exist"):
        table = fit.diagnostics()
    with pytest.raises(InvalidArgument, match="holds nan at row 5. A row of leverage 1"):
        plots.influence_index(table["cooks_d"])
    kept = table.dropna()
    assert isinstance(kept, pandas.DataFrame)
    ax = plots.influence_bubble(
        kept["hat_diag"], kept["student_resid"], kept["cooks_d"], row_labels=kept.index, coefficients=3
    )
    assert len(ax.collections[0].get_offsets()) == 7


def test_search_curves_have_the_mean_and_one_standard_deviation():
    curves = RNG.random((5, 3))
    ax = plots.search_curves([10, 20, 30], {"loss": curves}, total_rows=100)
    assert ax.lines[0].get_ydata() == pytest.approx(curves.mean(axis=0))
    assert ax.lines[1].get_ydata() == pytest.approx([0.1, 0.2, 0.3])
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx((curves.mean(axis=0) + curves.std(axis=0, ddof=1)).max())


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: plots.predicted_against_exact([1.0, 2.0], [1.0]), r"exact must have shape \(2,\)"),
        (lambda: plots.predicted_against_exact([1.0, np.nan], [1.0, 2.0]), "predicted must be finite"),
        (
            lambda: plots.predicted_against_exact([1.0, 2.0], [1.0, 2.0], row_labels=["a"]),
            r"row_labels must have shape \(2,\)",
        ),
        (lambda: plots.solver_panels({}, [1.0]), "predictions must name at least one solver"),
        (lambda: plots.factor_panels([1.0], {}, same_label=[True]), "variants must name at least one"),
        (
            lambda: plots.factor_panels([1.0], {"a": [1.0]}, same_label=[True], equal_units=["b"]),
            "equal_units must name variants",
        ),
        (lambda: plots.image_panels([[1.0]], []), "titles must name 1 pictures"),
        (lambda: plots.search_curves([1, 2], {}), "found must hold 1 to 7 rankings"),
        (lambda: plots.search_curves([1, 2], {"a": [0.1]}), r"must have shape \(seeds, 2\)"),
        (
            lambda: plots.coefficient_forest(1.0, [1.0, 2.0], intervals_without=[[0.0, 1.0]]),
            r"intervals_without must have shape \(2, 2\)",
        ),
        (
            lambda: plots.influence_against_distance(np.ones(8), np.ones(8), classes=range(8)),
            "classes must hold at most 7 kinds",
        ),
        (
            lambda: plots.predicted_against_exact([1.0, 2.0], [1.0, 2.0], classes=[1]),
            r"classes must have shape \(2,\)",
        ),
        (lambda: plots.solver_panels({"a": [1.0]}, [1.0], columns=0), "columns must be at least 1"),
        (lambda: plots.image_panels(IMAGES[:2], ["a", "b"], columns=0), "columns must be at least 1"),
        (lambda: plots.image_panels(IMAGES[:2], ["a", "b"], frames=["red"]), "frames must name 2 pictures"),
        (lambda: plots.image_panels(IMAGES[:1], ["a"], frames=["rot"]), "frames must hold colours"),
        (
            lambda: plots.image_panels(IMAGES[:2].reshape(2, 4, 4), ["a", "b"], shape=(2, 8)),
            "shape must be a",
        ),
        (
            lambda: plots.image_panels(np.ones((2, 4, 4, 3)), ["a", "b"]),
            r"images must have shape \(k, pixels\)",
        ),
        (lambda: plots.image_panels([], []), r"images must have shape \(k, pixels\)"),
        (lambda: plots.factor_panels([1.0], {"a": [1.0]}, same_label=[True, False]), "same_label must have"),
        (lambda: plots.factor_panels([1.0, 2.0], {"a": [1.0, 2.0]}, same_label=[-1, 1]), "holds -1 at row 0"),
        (
            lambda: plots.factor_panels([1.0, 2.0], {"a": [1.0, 2.0]}, same_label=[1.0, np.nan]),
            "same_label must hold booleans, or 0 and 1, but it holds nan at row 1",
        ),
        (
            lambda: plots.factor_panels([1.0, 2.0], {"a": [1.0, 2.0]}, same_label=[True, None]),
            "same_label must hold booleans, or 0 and 1, but it holds None at row 1",
        ),
        (
            lambda: plots.factor_panels([1.0], {"a": [1.0]}, same_label=[True], equal_units="a"),
            "equal_units must name variants",
        ),
        (
            lambda: plots.search_curves([1, 2], {"a": [50.0, 80.0]}),
            r"found\['a'\] must hold shares of 0 to 1, but it holds 50. Divide percentages by 100",
        ),
        (lambda: plots.search_curves([1, 2], {"a": [-0.1, 0.5]}), "shares of 0 to 1, but it holds -0.1"),
        (
            lambda: plots.search_curves([1, 2], {"a": [0.1, 0.5]}, total_rows=1),
            "total_rows must be at least 2",
        ),
        (lambda: plots.search_curves([-1, 2], {"a": [0.1, 0.5]}), "checked must be at least 0"),
        (lambda: plots.influence_index([1, 2, 3], threshold=np.nan), "threshold must be finite"),
        (
            lambda: plots.influence_bubble([0.1], [0.1], [0.1], coefficients=0),
            "coefficients must be greater than 0",
        ),
    ],
)
def test_bad_input(call, sentence):
    with pytest.raises(InvalidArgument, match=sentence):
        call()
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: plots.influence_index(["a", "b"]), "values must hold real numbers"),
        (lambda: plots.influence_index([1, 2, 3], threshold="x"), "threshold must be a real number"),
        (
            lambda: plots.influence_bubble([0.1], [0.1], [0.1], coefficients="a"),
            "coefficients must be a real number",
        ),
        (
            lambda: plots.factor_panels([1.0, 2.0], {"a": [1.0, 2.0]}, same_label=["no", "yes"]),
            "same_label must hold booleans, or 0 and 1, but it has dtype <U3",
        ),
        (lambda: plots.solver_panels([[1.0]], [1.0]), "predictions must map names to values"),
        (lambda: plots.search_curves([1.0], [[1.0]]), "found must map names to values"),
        (lambda: plots.factor_panels([1.0], [[1.0]], same_label=[True]), "variants must map names to values"),
        (lambda: plots.image_panels(IMAGES[:2], None), "titles must be a list"),
        (lambda: plots.image_panels(IMAGES[:2], "ab"), "titles must be a list"),
        (lambda: plots.image_panels(IMAGES[:2], ["a", "b"], frames="red"), "frames must be a list"),
        (lambda: plots.image_panels(IMAGES[:1], ["a"], shape=8), "shape must be two whole numbers"),
        (lambda: plots.image_panels(IMAGES[:1], ["a"], shape=(2.0, 8)), r"shape\[0\] must be a whole number"),
        (lambda: plots.solver_panels({"a": [1.0]}, [1.0], columns="2"), "columns must be a whole number"),
    ],
)
def test_bad_types(call, sentence):
    with pytest.raises(InvalidType, match=sentence):
        call()
    assert not plt.get_fignums()


def test_columns_of_a_frame_are_panels():
    pandas = pytest.importorskip("pandas")
    axes = plots.solver_panels(pandas.DataFrame({"a": PREDICTED, "b": EXACT}), EXACT)
    assert [ax.get_title() for ax in axes] == ["a", "b"]


def test_missing_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingDependency, match=r"pip install 'influstat\[plot\]'"):
        plots.influence_index([1.0, 2.0])


def test_matplotlib_is_loaded_only_when_something_is_drawn():
    code = "import sys, influstat.plots, influstat.experiments; print('matplotlib' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
