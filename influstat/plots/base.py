"""What all plots share: matplotlib when it is needed, colours, axes, and labels of single points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, MissingDependency
from influstat.validation import FloatArray, check_finite, numeric_array, whole_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito (2008), "Color universal design": told apart with every common colour blindness.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
SKY, YELLOW, AMBER, BLACK, GREY = "#56B4E9", "#F0E442", "#E69F00", "#000000", "#7F7F7F"
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, SKY, AMBER, BLACK)
MARKERS = ("o", "^", "s", "D", "v", "P", "X")

PANEL = 3.3  # inches: the width of one column of a two-column page
SMALL = 7  # points: labels of single rows, panel titles in a row of panels


def pyplot() -> Any:
    """Return matplotlib.pyplot, or say which extra brings it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise MissingDependency(
            "Drawing needs the package matplotlib, which is not installed. "
            "Install it with `pip install 'influstat[plot]'`."
        ) from None
    return plt


def one_axes(ax: Axes | None, *, height: float = 2.7) -> Axes:
    """Return the axes to draw on: the caller's, or those of a new figure of one column's width."""
    if ax is None:
        _, ax = pyplot().subplots(figsize=(PANEL, height), layout="constrained")
    elif not hasattr(ax, "plot"):
        raise InvalidArgument(
            "ax", "be a matplotlib Axes", f"is a {type(ax).__name__}", "Pass one, or leave it out."
        )
    return ax


def several_axes(
    ax: Any, count: int, *, columns: int | None = None, height: float = 2.5, width: float | None = None
) -> NDArray[Any]:
    """Return `count` axes to draw on, as a flat array: the caller's, or those of a new figure."""
    if ax is None:
        columns = count if columns is None else min(columns, count)
        rows = -(-count // columns)
        size = (2.1 * PANEL if width is None else width, height * rows)
        figure, grid = pyplot().subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
        for extra in grid.flat[count:]:
            figure.delaxes(extra)
        return np.asarray(grid.flat[:count])
    axes = np.asarray(ax, dtype=object).ravel()
    if len(axes) != count or not all(hasattr(one, "plot") for one in axes):
        raise InvalidArgument(
            "ax",
            f"hold {count} matplotlib Axes",
            f"holds {len(axes)} objects",
            "Make them with plt.subplots.",
        )
    return axes


def column(name: str, values: Any, length: int | None = None) -> FloatArray:
    """Return the values as finite floats, one per row, or raise."""
    array = np.asarray(numeric_array(name, values), dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or (length is not None and len(array) != length):
        need = "have one entry per row" if length is None else f"have shape ({length},)"
        raise InvalidArgument(name, need, f"has shape {array.shape}", "Pass a vector, e.g. one column.")
    check_finite(name, array)
    return array


def labels_of(row_labels: Any, length: int) -> NDArray[Any]:
    """Return what the rows are called; their positions where nothing is given."""
    if row_labels is None:
        return np.arange(length)
    labels = np.asarray(row_labels)
    if labels.shape != (length,):
        raise InvalidArgument(
            "row_labels", f"have shape ({length},)", f"has shape {labels.shape}", "Pass one label per row."
        )
    return labels


def classes_of(classes: Any, length: int) -> list[tuple[str, NDArray[np.bool_], str, str]]:
    """Return (name, mask, colour, marker) of each class; one unnamed class where none are given."""
    if classes is None:
        return [("", np.ones(length, dtype=np.bool_), BLUE, MARKERS[0])]
    given = labels_of(classes, length)
    kinds = np.unique(given)
    if len(kinds) > len(CYCLE):
        raise InvalidArgument(
            "classes", f"hold at most {len(CYCLE)} kinds", f"holds {len(kinds)}", "Merge or drop some."
        )
    return [(str(kind), given == kind, CYCLE[k], MARKERS[k]) for k, kind in enumerate(kinds)]


def marker_size(count: int) -> float:
    """Return the area of one marker in square points: the smaller, the more there are."""
    return float(np.clip(400.0 / np.sqrt(count), 5.0, 24.0))


def scatter(ax: Axes, x: FloatArray, y: FloatArray, classes: Any) -> None:
    """Draw points, coloured and shaped by class; many points become pixels, so that files stay small."""
    size = marker_size(len(x))
    for name, mask, colour, marker in classes_of(classes, len(x)):
        ax.scatter(
            x[mask], y[mask], s=size, color=colour, marker=marker, alpha=0.6, linewidths=0,
            label=name or None, rasterized=len(x) > 2000, zorder=2,
        )  # fmt: skip


def label_points(
    ax: Axes,
    x: FloatArray,
    y: FloatArray,
    labels: NDArray[Any],
    chosen: NDArray[np.intp],
    *,
    gaps: FloatArray | None = None,
    from_line: bool = False,
) -> None:
    """Write the labels of the chosen points beside them, with a white rim, on the side that has room.

    `gaps` are the distances to keep, in points. With `from_line`, labels of points below the line
    y = x go below.
    """
    from matplotlib.patheffects import withStroke

    middle = 0.5 * sum(ax.get_xlim())
    for i in chosen:
        left = x[i] > middle
        gap = 4.0 if gaps is None else gaps[i]
        text = ax.annotate(
            str(labels[i]),
            (x[i], y[i]),
            xytext=(-gap if left else gap, -9.0 if from_line and y[i] < x[i] else 4.0),
            textcoords="offset points",
            ha="right" if left else "left",
            fontsize=SMALL,
            path_effects=[withStroke(linewidth=2.0, foreground="white")],
            zorder=4,
        )
        text.set_in_layout(False)  # long labels do not shrink the axes


def largest(values: FloatArray, count: int) -> NDArray[np.intp]:
    """Return the positions of the `count` largest values, the largest first."""
    count = min(whole_number("outliers", count, at_least=0), len(values))
    return np.argsort(-values, kind="stable")[:count]


def tidy(ax: Axes, *, xlabel: str, ylabel: str, title: str | None = None) -> None:
    """Label the axes, in one style for all plots."""
    ax.set_xlabel(xlabel, fontsize=8)
    ax.set_ylabel(ylabel, fontsize=8)
    if title:
        ax.set_title(title, fontsize=8)
    ax.tick_params(labelsize=SMALL)
    for axis in (ax.xaxis, ax.yaxis):
        axis.get_offset_text().set_fontsize(SMALL)
    ax.spines[["top", "right"]].set_visible(False)


def scientific(ax: Axes) -> None:
    """Write small and large tick labels with one common power of ten, few enough not to collide."""
    ax.ticklabel_format(style="sci", axis="both", scilimits=(-2, 3), useMathText=True)
    ax.locator_params(axis="both", nbins=5)
