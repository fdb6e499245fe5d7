"""Lines that say what they are: thresholds with their names at the edge, and a local mean of points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.input.lazy_types import Axes
from influstat.input.validation import FloatArray, real_number
from influstat.plots import base
from influstat.plots.wording import wrapped

ABOVE = 20.0  # points between axes and title that leave room for the name of an upright line
DENSE = 60  # points that stand for a line
WIDE = 110.0  # points: longer names of thresholds are shortened
FURTHEST = 1e100  # beyond, squares and products of places leave float64
SPACING = 1.3  # a line of text takes so many of its font sizes
FEWEST = 10  # different places on the horizontal axis that a local mean needs


def place(argument: str, value: Any, *, above: float | None = None) -> float:
    """Return a number that a line can be drawn at, or raise naming `argument`."""
    number = real_number(argument, value, above=above)
    if abs(number) > FURTHEST:
        need = f"be at most {FURTHEST:g} in size to be drawn"
        raise InvalidArgument(argument, need, f"is {number:g}", "Change its units.")
    return number


def levels(ax: Axes, named: Sequence[tuple[float, str]]) -> None:
    """Draw one or two horizontal thresholds, their names outside on the right, where no point can be."""
    # Names of two that would touch stand below the lower one and above the upper one.
    for height, _ in named:
        ax.axhline(height, color=base.GREY, linewidth=0.8, linestyle="--", zorder=0)
    heights = [height for height, _ in named]
    bottom, top = ax.get_ylim()
    points = 72.0 / ax.figure.dpi * float(ax.get_window_extent().height)
    lines = max((name.count("\n") + 1 for _, name in named), default=1)
    apart = np.ptp(heights) / (top - bottom) * points if len(named) > 1 else np.inf
    touch = apart < SPACING * base.SMALL * lines
    for height, name in named:
        beside = "center" if not touch else "bottom" if height == max(heights) else "top"
        first, *others = name.split("\n")
        ax.text(
            1.01, height, "\n".join([wrapped(first, WIDE, base.SMALL, lines=1), *others]),
            transform=ax.get_yaxis_transform(), va=beside, ha="left", fontsize=base.SMALL,
            color=base.shade(base.NAME_OF_LINE),
        )  # fmt: skip


def upright(ax: Axes, place: float, name: str) -> None:
    """Draw a vertical threshold, its name above the axes; the title then needs `ABOVE`."""
    ax.axvline(place, color=base.GREY, linewidth=0.8, linestyle="--", zorder=0)
    name_upright(ax, place, name)


def name_upright(ax: Axes, place: float, name: str) -> None:
    """Write the name of a vertical line above the axes."""
    ax.text(
        place, 1.01, name, transform=ax.get_xaxis_transform(), va="bottom", ha="center",
        fontsize=base.SMALL, color=base.shade(base.NAME_OF_LINE),
    )  # fmt: skip


def along(ax: Axes, *, heights: Sequence[float] = (), places: Sequence[float] = ()) -> FloatArray:
    """Return points along lines through the whole axes, shape (m, 2), for names to avoid."""
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    across, up = np.linspace(left, right, DENSE), np.linspace(low, high, DENSE)
    parts = [np.column_stack([across, np.full(DENSE, height)]) for height in heights]
    parts += [np.column_stack([np.full(DENSE, place), up]) for place in places]
    return np.vstack([np.zeros((0, 2)), *parts])


def local_mean(ax: Axes, x: FloatArray, y: FloatArray) -> FloatArray:
    """Draw a local mean of y (lowess with two thirds of the points); return points along it, shape (m, 2)."""
    # For names to avoid; none where x has too few places for a local mean.
    if len(np.unique(x)) < FEWEST:
        return np.zeros((0, 2))
    from statsmodels.nonparametric.smoothers_lowess import lowess

    # Without steps that down-weight outliers: of 0s and 1s these would drop the rarer kind. A step of 1 %
    # of the range between local fits keeps many rows quick.
    with np.errstate(all="ignore"):
        found = lowess(y, x, it=0, delta=0.01 * float(np.ptp(x)))
    found = found[np.isfinite(found).all(axis=1)]
    ax.plot(found[:, 0], found[:, 1], color=base.ORANGE, linewidth=1.5, zorder=3)
    across = np.linspace(found[0, 0], found[-1, 0], DENSE)
    return np.column_stack([across, np.interp(across, found[:, 0], found[:, 1])])
