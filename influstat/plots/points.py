"""Points of single rows: drawn in a colour and marker by class, in a fair order, and named."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.input.labels import label_name
from influstat.input.lazy_types import Axes, Text
from influstat.input.printing import as_drawn
from influstat.input.validation import FloatArray, whole_number
from influstat.plots import base
from influstat.plots.placing import Placing
from influstat.plots.wording import shortened

Class = tuple[str, NDArray[np.bool_], str, str]  # name, mask of its rows, colour, marker

NAME_WIDTH = 140.0  # points: longer names of rows are shortened
MANY = 2000  # points from which they become pixels, so that files stay small


def classes_of(classes: Any, length: int) -> list[Class]:
    """Return (name, mask, colour, marker) of each class; one unnamed class where none are given."""
    if classes is None:
        return [("", np.ones(length, dtype=np.bool_), base.BLUE, base.MARKERS[0])]
    given = base.labels_of(classes, length, argument="classes")
    kinds = np.unique(given)
    if len(kinds) > len(base.MARKERS):
        need = f"hold at most {len(base.MARKERS)} kinds"
        raise InvalidArgument("classes", need, f"holds {len(kinds)}", "Merge or drop some.")
    names = [f"{kind:g}" if isinstance(kind, float) else str(kind) for kind in kinds]
    colours = base.class_colours()
    return [(names[k], given == kind, colours[k], base.MARKERS[k]) for k, kind in enumerate(kinds)]


def marker_size(count: int) -> float:
    """Return the area of one marker in square points: the smaller, the more there are."""
    return float(np.clip(400.0 / np.sqrt(count), 5.0, 24.0))


def scatter(ax: Axes, x: FloatArray, y: FloatArray, classes: list[Class], *, key: bool = False) -> None:
    """Draw points, coloured and shaped by class, in a shuffled order, so that no class covers the others."""
    # With `key` the classes are named in a legend.
    from matplotlib.markers import MarkerStyle

    kind = np.zeros(len(x), dtype=np.intp)
    for k, (_, mask, _, _) in enumerate(classes):
        kind[mask] = k
    # A generator of its own: pictures are the same each time, and nobody else's random numbers change.
    order = np.random.default_rng(0).permutation(len(x)) if len(classes) > 1 else np.arange(len(x))
    # One colour for all is drawn in a tenth of the time of as many colours as points.
    colours = [classes[k][2] for k in kind[order]] if len(classes) > 1 else classes[0][2]
    drawn = ax.scatter(
        x[order], y[order], s=marker_size(len(x)), c=colours, alpha=0.6, linewidths=0,
        rasterized=len(x) > MANY, zorder=2,
    )  # fmt: skip
    if len(classes) > 1:
        styles = [MarkerStyle(marker) for _, _, _, marker in classes]
        paths = [style.get_path().transformed(style.get_transform()) for style in styles]
        drawn.set_paths([paths[k] for k in kind[order]])
    if key:
        ax.legend(handles=handles(classes), **KEY)


KEY: dict[str, Any] = {
    "fontsize": base.SMALL, "loc": "best", "frameon": False, "handletextpad": 0.1, "borderpad": 0.2,
}  # fmt: skip


def of_rows(classes: list[Class], kept: NDArray[np.bool_]) -> list[Class]:
    """Return the same classes of the rows that are kept."""
    return [(name, mask[kept], colour, marker) for name, mask, colour, marker in classes]


def key_above(axes: NDArray[Any], classes: list[Class], *, new: bool) -> None:
    """Name the classes above all panels of a new figure, where no point is, else in the first panel."""
    if new:
        figure = axes[0].figure
        figure.legend(
            handles=handles(classes), **{**KEY, "loc": "outside upper center", "ncols": len(classes)}
        )
    else:
        axes[0].legend(handles=handles(classes), **KEY)


def handles(classes: list[Class]) -> list[Any]:
    """Return what stands for each class in a legend."""
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], linestyle="", color=colour, marker=marker, markersize=5, alpha=0.8, label=name)
        for name, _, colour, marker in classes
    ]


def row_name(label: Any, *, width: float = NAME_WIDTH) -> str:
    """Return what a row is called, short enough to stand in a plot."""
    return as_drawn(shortened(label_name(label), min(width, NAME_WIDTH), base.SMALL))


def label_points(
    ax: Axes,
    x: FloatArray,
    y: FloatArray,
    labels: NDArray[Any],
    chosen: NDArray[np.intp],
    *,
    gaps: FloatArray | None = None,
    obstacles: FloatArray | None = None,
    box: Text | None = None,
    stems: bool = False,
) -> None:
    """Write the names of the chosen points beside them, where they cover least."""
    # `gaps` are the distances to keep, in points, `obstacles` points to keep free beside all (x, y), `box` a
    # text to put into a free corner first. Names have a rim in the colour of the ground and are nearer to
    # their point than to any other where they can be, and that point has a ring; not so those of `stems`,
    # which a rim would cut through, and of which the named ones have marks. A name with no place but over
    # another is not drawn.
    from matplotlib.patheffects import withStroke

    distances = np.full(len(x), 5.0) if gaps is None else gaps
    names, rings = [], []
    # A name of less than half the width has room on one side of its point at least.
    width = max(0.45 * base.width_of(ax), 40.0)
    for i in chosen:
        text = ax.annotate(
            row_name(labels[i], width=width),
            (x[i], y[i]),
            xytext=(distances[i], distances[i]),
            textcoords="offset points",
            fontsize=base.SMALL,
            arrowprops={
                "arrowstyle": "-", "color": base.shade(base.NAME_OF_LINE), "linewidth": 0.6, "shrinkA": 0,
                "shrinkB": 2.5,
            },
            path_effects=None if stems else [withStroke(linewidth=2.0, foreground=base.shade(0.0))],
            zorder=4,
        )  # fmt: skip
        text.set_in_layout(False)  # long names do not shrink the axes
        names.append(text)
        if gaps is None and not stems:
            size = np.sqrt(marker_size(len(x))) + 2.5
            rings += ax.plot(
                [x[i]], [y[i]], "o", markersize=size, markerfacecolor="none", markeredgecolor=base.shade(),
                color=base.shade(), markeredgewidth=0.6, zorder=3,
            )  # fmt: skip
    if box is not None:
        box.set_in_layout(False)
    points = np.column_stack([x, y])
    points = points if obstacles is None else np.vstack([points, obstacles])
    count = 0 if stems else len(x)
    Placing(ax, points, names, distances[chosen], box, rings, count).install()


def largest(values: FloatArray, count: int, *, above: float = 0.0) -> NDArray[np.intp]:
    """Return the positions of the largest values beyond `above`, shape (k,), k <= count, largest first."""
    order = np.argsort(-values, kind="stable")[: whole_number("names", count, at_least=0)]
    return np.asarray(order[values[order] > above])
