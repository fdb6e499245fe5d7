"""Names in plots: they cover neither points nor each other, and stay in the figure."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text

from influstat import plots


@pytest.fixture(autouse=True)
def _close_figures():
    plt.close("all")  # doctests that ran before in this process leave some open
    yield
    plt.close("all")


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
        lambda: plots.predicted_against_exact(*SQUARE, row_labels=LONG, names=14),
        [],
    ),
    "more names than room": (
        lambda: plots.predicted_against_exact(ONE_SPOT, np.zeros(60), names=50),
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
        lambda: index(outlying(0.1 * ACROSS, [0, 29], to=1.0), names=2, threshold=0.5),
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


@pytest.fixture(scope="module", params=CROWDED)
def crowded(request):
    """Return each drawing, done once: its axes, what `drawn_texts` finds, and the names it must show."""
    draw, expected = CROWDED[request.param]
    ax = draw()
    return ax, drawn_texts(ax), expected


@pytest.mark.dear
def test_texts_cover_no_other_text_and_the_box_no_point(crowded):
    ax, texts, expected = crowded
    for k, (_, one) in enumerate(texts):
        assert not any(one.overlaps(other) for _, other in texts[k + 1 :])
    names = [text.get_text() for text, _ in texts if hasattr(text, "xy")]
    assert set(expected) <= {name.split()[-1].lstrip("…") for name in names}
    if ax.collections and hasattr(ax.collections[0], "get_sizes"):
        points = ax.transData.transform(np.vstack([some.get_offsets() for some in ax.collections]))
        inside = [(text, at) for text, at in texts if ax.bbox.overlaps(at)]  # names of lines are outside
        boxes = [rectangle for text, rectangle in inside if not hasattr(text, "xy")]
        assert len(boxes) == 1
        assert not any(boxes[0].contains(*point) for point in points)


@pytest.mark.dear
@pytest.mark.parametrize("crowded", [name for name in CROWDED if name != "small axes"], indirect=True)
def test_names_cover_no_point_that_is_named_and_stay_in_the_figure(crowded):
    ax, texts, _ = crowded
    names = [(text, extent) for text, extent in texts if hasattr(text, "xy")]
    assert names
    for _, extent in names:
        assert not any(extent.contains(*ax.transData.transform(text.xy)) for text, _ in names)
        assert ax.figure.bbox.containsx(extent.x0)
        assert ax.figure.bbox.containsx(extent.x1)


def test_texts_follow_limits_that_are_set_afterwards():
    ax = plots.predicted_against_exact(outlying(ACROSS, [3]), ACROSS)
    ax.set(xlim=(-0.1, 0.1), ylim=(-0.1, 0.1))
    assert [text.get_text().split()[0] for text, _ in drawn_texts(ax)] == ["slope", "y"]  # row 3 is outside
    ax.set(xlim=(-2.0, 2.0), ylim=(-2.0, 2.0))
    assert [text.get_text().split()[0] for text, _ in drawn_texts(ax)] == ["slope", "y", "3"]


def test_the_box_leaves_the_corner_of_the_outlier_and_lies_under_points():
    ax = plots.predicted_against_exact(outlying(ACROSS, [3]), ACROSS)
    (box, _), *_ = drawn_texts(ax)
    assert box.get_position() == pytest.approx((0.97, 0.03))
    assert box.get_zorder() < ax.collections[0].get_zorder()


def fine(points):
    """Return many points along a polygon."""
    along, places = np.linspace(0.0, 1.0, 2000), np.linspace(0.0, 1.0, len(points))
    return np.column_stack([np.interp(along, places, one) for one in points.T])


@pytest.mark.parametrize("down", [1.0, 2.0])
@pytest.mark.parametrize("smooth", [False, True])
def test_names_keep_off_lines_and_local_means_where_there_is_room(down, smooth):
    x = np.concatenate([np.linspace(-5.0, -2.0, 20), [-1.0], np.linspace(2.0, 5.0, 20)])
    y = -2.0 * x + 0.05 * np.cos(7.0 * x)
    y[20] -= down  # right of it, where there is no point, its name would cross the line
    labels = np.array([f"number {k}" for k in range(41)])
    ax = plots.coefficient_slope(x, y, -2.0, smooth=smooth, names=1, row_labels=labels)
    ax.figure.draw_without_rendering()
    (name,) = (text for text in ax.texts if hasattr(text, "xy"))
    assert name.xy == (x[20], y[20])
    lines = [np.column_stack([x, -2.0 * x])] + [one.get_xydata() for one in ax.lines[1:] if smooth]
    for line in lines:
        if len(line) > 1:  # not the ring of the point
            drawn = ax.transData.transform(fine(line))
            assert Text.get_window_extent(name).count_contains(drawn) == 0
