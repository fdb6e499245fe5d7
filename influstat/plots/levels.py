"""Values by level of a categorical: a box and the points of each, and what the fit gives it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, InvalidType
from influstat.input.lazy_types import Axes
from influstat.input.printing import short
from influstat.input.settings import optional_text, text
from influstat.input.validation import FloatArray
from influstat.plots import base, points

MOST_LEVELS = 40  # more are no longer told apart
SHORTEST, LONGEST = 24.0, 80.0  # points: with less room names of levels stand upright, at most so long
BOX = 0.07  # the shade that fills one
WIDE, SPREAD = 0.6, 0.2  # of a box, and how far points stray from its middle, in distances of two levels


def values_by_level(
    levels: Any,
    values: Any,
    *,
    effects: Any = None,
    name: str = "component + residual",
    level_name: str = "level",
    row_labels: Any = None,
    names: int = 3,
    title: str | None = None,
    size: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the values of each level of a categorical: a box from quartile to quartile, and the points.

    Parameters
    ----------
    levels : array_like, shape (n,)
        Of each row; at most 40 kinds, drawn in sorted order, or in that of `effects`.
    values : array_like, shape (n,)
        Of each row, residuals for example.
    effects : mapping of level to float, optional
        What the fit gives each level: a thick line each.
    name, level_name : str
        What the values and the levels are.
    names : int
        How many rows furthest from the effect, or from the median, of their level are named, where there is
        room.
    row_labels, title, size, ax
        As for all pictures: see `influstat.plots`.

    Returns
    -------
    Axes
        Whiskers reach the furthest points within 1.5 times the height of the box; the line in it is the
        median.

    Raises
    ------
    InvalidArgument, InvalidType
        The levels are too many or not those of the effects, or arrays do not match, hold inf or no row
        without a nan.

    Warns
    -----
    DoubtfulResult
        Some rows hold a nan: they are not drawn, and counted below the axis.

    Examples
    --------
    >>> from influstat import plots
    >>> ax = plots.values_by_level(["b", "a", "a"], [1.0, 2.0, 4.0], effects={"b": 1.0, "a": 3.0})
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['b', 'a']
    """
    name, title = text("name", name), optional_text("title", title)
    level_name = text("level_name", level_name)
    y = base.column("values", values, holes=True)
    given = base.labels_of(levels, len(y), argument="levels").tolist()
    kinds, heights = _kinds(given, effects)
    places_of = {one: k for k, one in enumerate(kinds)}
    kind = np.array([places_of[one] for one in given])
    labels = base.labels_of(row_labels, len(y))
    kept = base.drawn(labels, values=y)
    y, kind, labels = y[kept], kind[kept], labels[kept]
    middle = _medians(y, kind, len(kinds)) if heights is None else heights
    chosen = points.largest(np.abs(y - middle[kind]), names)
    ax = base.one_axes(ax, size=size)
    places = np.arange(len(kinds), dtype=np.float64)
    there = [k for k in range(len(kinds)) if (kind == k).any()]
    ax.boxplot(
        [y[kind == k] for k in there], positions=places[there], widths=WIDE, showfliers=False,
        manage_ticks=False, patch_artist=True, medianprops={"color": base.GREY, "linewidth": 1.0},
        boxprops={"facecolor": base.shade(BOX), "edgecolor": base.GREY, "linewidth": 0.8},
        whiskerprops={"color": base.GREY, "linewidth": 0.8}, capprops={"linewidth": 0.0}, zorder=1,
    )  # fmt: skip
    # A generator of its own: pictures are the same each time, and nobody else's random numbers change.
    x = kind + np.random.default_rng(0).uniform(-SPREAD, SPREAD, len(y))
    points.scatter(ax, x, y, points.classes_of(None, len(y)))
    xlabel = base.counted(level_name, kept)
    if heights is not None:
        ends = np.column_stack([places - WIDE / 2.0, places + WIDE / 2.0])
        ax.hlines(heights, ends[:, 0], ends[:, 1], color=base.shade(), linewidth=1.5, zorder=3)
        xlabel += "\n(thick line: effect of the level)"
    ax.set_xlim(-0.6, len(kinds) - 0.4)
    ax.margins(y=0.1)
    room = 0.9 * base.width_of(ax) / len(kinds)
    upright = room < SHORTEST
    ax.set_xticks(places, [points.row_name(one, width=LONGEST if upright else room) for one in kinds])
    points.label_points(ax, x, y, labels, chosen)
    base.tidy(ax, xlabel=xlabel, ylabel=name, title=title)
    if upright:
        ax.tick_params(axis="x", labelrotation=90)
    return ax


def _kinds(given: list[Any], effects: Any) -> tuple[list[Any], FloatArray | None]:
    """Return the levels in the order that they are drawn in, and the effect of each, if any; or raise."""
    there = list(dict.fromkeys(given))
    if len(there) > MOST_LEVELS:
        need, remedy = f"hold at most {MOST_LEVELS} kinds", "Merge or drop some."
        raise InvalidArgument("levels", need, f"holds {len(there)}", remedy)
    if effects is None:
        with suppress(TypeError):  # kinds that have no order stay as they come
            there = sorted(there)
        return there, None
    if not isinstance(effects, Mapping):
        was = f"is {short(effects)}"
        raise InvalidType("effects", "map levels to numbers", was, "Pass {level: effect}.")
    missing = [one for one in there if one not in effects]
    if missing:
        was = f"lacks {short(missing[0])}"
        raise InvalidArgument("effects", "have every level", was, "Pass {level: effect}, one for each.")
    return list(effects), base.column("effects", list(effects.values()))


def _medians(y: FloatArray, kind: NDArray[np.intp], count: int) -> FloatArray:
    """Return the median of each level, shape (K,); 0 where a level has no row that is drawn."""
    return np.array([np.median(y[kind == k]) if (kind == k).any() else 0.0 for k in range(count)])
