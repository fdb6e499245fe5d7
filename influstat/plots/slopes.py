"""Points that show one coefficient as a slope: added-variable and component-plus-residual plots."""

from __future__ import annotations

from typing import Any

import numpy as np

from influstat.input.lazy_types import Axes
from influstat.input.settings import flag, optional_text, text
from influstat.plots import base, lines, points


def coefficient_slope(
    x: Any,
    y: Any,
    slope: float,
    *,
    row_labels: Any = None,
    names: int = 3,
    xlabel: str = "x",
    ylabel: str = "y",
    smooth: bool = False,
    title: str | None = None,
    size: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw points with a line of a given slope through 0, such as those of an added-variable plot.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Of each row.
    slope : float
        Of the line through (0, 0): the coefficient.
    names : int
        How many rows are named, where there is room: those that turn the line most, by
        |x - mean(x)| |y - slope x|.
    xlabel, ylabel : str
        What the axes are, with their units.
    smooth : bool
        Draw the local mean of the points too (lowess with two thirds of them).
    row_labels, title, size, ax
        As for all pictures: see `influstat.plots`.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidArgument, InvalidType
        The arrays differ in length, or hold inf or no row without a nan; the slope is no number.

    Warns
    -----
    DoubtfulResult
        Some rows hold a nan: they are not drawn, and counted below the axis.

    Examples
    --------
    >>> from influstat import plots
    >>> ax = plots.coefficient_slope([-1.0, 1.0, 0.0], [-2.5, 1.5, 0.0], 2.0, names=0)
    >>> ax.lines[0].get_slope()
    2.0
    """
    xlabel, ylabel = text("xlabel", xlabel), text("ylabel", ylabel)
    title, smooth = optional_text("title", title), flag("smooth", smooth)
    rise = lines.place("slope", slope)
    kept, labels, (across, up) = base.rows_of(row_labels, x=x, y=y)
    pull = np.abs(across - across.mean()) * np.abs(up - rise * across)
    chosen = points.largest(pull, names)
    ax = base.one_axes(ax, size=size)
    points.scatter(ax, across, up, points.classes_of(None, len(across)))
    ax.margins(x=0.08, y=0.12)
    limits = {"xlim": ax.get_xlim(), "ylim": ax.get_ylim()}  # the points', which 0 may lie far from
    ax.axline((0.0, 0.0), slope=rise, color=base.shade(), linewidth=1.0, zorder=1)
    curve = lines.local_mean(ax, across, up) if smooth else np.zeros((0, 2))
    ax.set(**limits)
    along = np.linspace(*limits["xlim"], lines.DENSE)
    straight = np.column_stack([along, rise * along])
    points.label_points(ax, across, up, labels, chosen, obstacles=np.vstack([straight, curve]))
    note = f"(line: slope {rise:.3g}{'; curve: local mean' if len(curve) else ''})"
    base.tidy(ax, xlabel=f"{base.counted(xlabel, kept)}\n{note}", ylabel=ylabel, title=title)
    return ax
