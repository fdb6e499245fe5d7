"""The plots: what they draw, where, and what they refuse."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from influstat import plots
from influstat.errors import InvalidArgument, InvalidType, MissingDependency
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
    assert texts == [LABELS[worst], f"slope {slope:.3f}\nlargest error {error:.2g}\n(row {LABELS[worst]})"]
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
    assert ax.texts[0].get_text() == "2"
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
    ],
)
def test_bad_input(call, sentence):
    with pytest.raises(InvalidArgument, match=sentence):
        call()


def test_text_is_no_number():
    with pytest.raises(InvalidType):
        plots.influence_index(["a", "b"])


def test_missing_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingDependency, match=r"pip install 'influstat\[plot\]'"):
        plots.influence_index([1.0, 2.0])


def test_matplotlib_is_loaded_only_when_something_is_drawn():
    code = "import sys, influstat.plots, influstat.experiments; print('matplotlib' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
