"""The same rows under two models: a line joins what each says of a row (Figure 5, middle panel)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.input.lazy_types import Axes
from influstat.input.settings import entries, optional_text, text
from influstat.input.validation import FloatArray, numeric_array
from influstat.plots import base, points

TICK = 0.05  # half the width of a tick, of the distance between the two models


def influence_pairs(
    first: Any,
    second: Any,
    *,
    distances: Any = None,
    models: Any = ("first model", "second model"),
    quantity: str = "influence on the test loss",
    row_labels: Any = None,
    names: int = 0,
    title: str | None = None,
    size: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the influence of each row under two models, a tick on each side and a thin line between them.

    Parameters
    ----------
    first, second : array_like, shape (n,)
        Influence of the same rows under either model, in one unit.
    distances : array_like, shape (n, 2), optional
        Distance of each row to the boundary of either model: ticks are blue for the nearest row and orange
        for the farthest. Only the size counts.
    models : pair of str
        What the two models are called.
    quantity : str
        What the influence is on.
    names : int
        How many rows whose influence differs most are named at the second model, where there is room.
    row_labels, title, size, ax
        As for all pictures: see `influstat.plots`.

    Returns
    -------
    Axes
        The first model at 0 of the horizontal axis, the second at 1.

    Raises
    ------
    InvalidArgument, InvalidType
        The arrays do not match, or hold inf or no row without a nan.

    Warns
    -----
    DoubtfulResult
        Some rows hold a nan: they are not drawn, and counted below the axis.

    Examples
    --------
    >>> from influstat import plots
    >>> ax = plots.influence_pairs([1.0, -0.5], [3.0, 0.0], models=("logistic", "SVC"))
    >>> [segment[:, 1].tolist() for segment in ax.collections[0].get_segments()]
    [[1.0, 3.0], [-0.5, 0.0]]
    """
    quantity, title = text("quantity", quantity), optional_text("title", title)
    sides = [text(f"models[{k}]", model) for k, model in enumerate(entries("models", models))]
    if len(sides) != 2:
        raise InvalidArgument("models", "name two models", f"names {len(sides)}", "Pass two names.")
    kept, labels, (left, right) = base.rows_of(row_labels, first=first, second=second)
    far = _distances(distances, len(kept))[kept]
    chosen = points.largest(np.abs(left - right), names)
    ax = base.one_axes(ax, size=size)
    ends = np.stack(
        [np.column_stack([np.full(len(left), k), y]) for k, y in enumerate((left, right))], axis=1
    )
    _lines(ax, ends, colors=base.GREY, linewidths=0.5, linestyles="--", alpha=0.7)
    for k, y in enumerate((left, right)):
        ticks = np.stack([np.column_stack([np.full(len(y), k + side * TICK), y]) for side in (-1, 1)], axis=1)
        colours = _near_to_far(far[:, k]) if distances is not None else base.BLUE
        _lines(ax, ticks, colors=colours, linewidths=1.2)
    ax.axhline(0.0, color=base.GREY, linewidth=0.6, zorder=0)
    ax.set(xlim=(-0.25, 1.25))
    ax.margins(y=0.08)
    ax.autoscale(axis="y")
    points.label_points(ax, np.ones(len(right)), right, labels, chosen, obstacles=ends.reshape(-1, 2))
    ax.set_xticks([0.0, 1.0], sides)
    note = "ticks: blue near the boundary, orange far" if distances is not None else "one line per row"
    base.tidy(ax, xlabel=base.counted(note, kept), ylabel=quantity, title=title)
    return ax


def _lines(ax: Axes, segments: FloatArray, **style: Any) -> None:
    """Draw lines of two ends each, shape (n, 2, 2)."""
    from matplotlib.collections import LineCollection

    ax.add_collection(LineCollection(list(segments), **style))


def _near_to_far(distance: FloatArray) -> NDArray[Any]:
    """Return a colour for each distance, from blue to orange."""
    from matplotlib.colors import LinearSegmentedColormap

    far = np.abs(distance)
    scale = float(np.ptp(far)) or 1.0
    colours = LinearSegmentedColormap.from_list("near to far", [base.BLUE, "#BBBBBB", base.ORANGE])
    return np.asarray(colours((far - far.min()) / scale))


def _distances(distances: Any, n: int) -> FloatArray:
    """Return the distances, shape (n, 2), zeros where there are none; or raise."""
    if distances is None:
        return np.zeros((n, 2))
    sides = np.asarray(numeric_array("distances", distances), dtype=np.float64)
    if sides.shape != (n, 2):
        need, was = f"have shape ({n}, 2)", f"has shape {sides.shape}"
        raise InvalidArgument("distances", need, was, "Pass one column per model.")
    base.check_drawable("distances", sides)
    return sides
