"""Pictures of one coefficient: with and without each influential row, and as the slope of points."""

from __future__ import annotations

from typing import Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.input.lazy_types import Axes
from influstat.input.settings import flag, optional_text, text
from influstat.input.validation import FloatArray, numeric_array, real_number
from influstat.plots import base, lines, points
from influstat.plots.wording import text_width, wrapped


def coefficient_forest(
    estimate: float,
    without: Any,
    *,
    row_labels: Any = None,
    interval: Any = None,
    intervals_without: Any = None,
    name: str = "coefficient",
    title: str | None = None,
    size: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one coefficient as a forest plot: all rows on top, then without each influential row.

    Parameters
    ----------
    estimate : float
        The coefficient with all rows.
    without : array_like, shape (k,)
        The coefficient without each of k rows, for instance a column of `Removal.theta`.
    row_labels : array_like, shape (k,), optional
        What those rows are called; positions when left out.
    interval, intervals_without : array_like, shapes (2,) and (k, 2), optional
        Lower and upper end of the confidence interval with all rows, and without each row.
    name : str
        What the coefficient is called, with its unit.
    title, size, ax
        As for all pictures: see `influstat.plots`.

    Returns
    -------
    Axes
        A row whose removal changes the sign of the coefficient is drawn in another colour and marker.

    Raises
    ------
    InvalidArgument, InvalidType
        Shapes do not match, or numbers are inf or nothing but nan.

    Warns
    -----
    DoubtfulResult
        Some of `without` are nan: rows that cannot be left out (leverage 1, say), for which there is no
        refit. They have no line, and an interval of nan is not drawn.

    Examples
    --------
    >>> from influstat import plots
    >>> ax = plots.coefficient_forest(-4.5, [0.4, -4.1], row_labels=["household 4835", "household 7"])
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['all rows', 'without household 4835', 'without household 7']
    """
    centre, name = real_number("estimate", estimate), text("name", name)
    title = optional_text("title", title)
    values = base.column("without", without, holes=True)
    labels = base.labels_of(row_labels, len(values))
    ends = _ends(interval, intervals_without, len(values))
    kept = base.drawn(labels, without=values)
    values, labels, ends = values[kept], labels[kept], ends[np.append(True, kept)]
    ax = base.one_axes(ax, height=1.1 + 0.3 * len(values), size=size)
    flips = np.sign(values) * np.sign(centre) < 0
    ax.axvline(0.0, color=base.GREY, linewidth=0.8)
    ax.axvline(centre, color=base.shade(), linewidth=0.8, linestyle="--")
    styles = [
        (base.shade(), "D"),
        *((base.ORANGE, "^") if flipped else (base.BLUE, "o") for flipped in flips),
    ]
    for place, (value, (colour, marker)) in enumerate(zip([centre, *values], styles, strict=True)):
        if np.isfinite(ends[place]).all():
            ax.plot(ends[place], [place, place], color=colour, linewidth=1.2)
        ax.plot([value], [place], marker, color=colour, markersize=4)
    # What the axes and their labels may take, in points, without matplotlib's default margins.
    whole = base.width_of(ax) / 0.775
    texts = ["all rows", *(f"without {points.row_name(label, width=0.4 * whole)}" for label in labels)]
    ax.set_yticks(range(len(texts)), texts)
    ax.set_ylim(len(values) + 0.6, -0.6)
    left = whole - max(text_width(line, base.SMALL) for line in texts)
    below = wrapped(name, max(left - 20.0, 40.0), base.TEXT)
    lines.name_upright(ax, centre, f"all rows: {centre:.3g}")
    base.tidy(ax, xlabel=base.counted(below, kept, "line"), ylabel="", title=title, pad=lines.ABOVE)
    ax.tick_params(axis="y", labelsize=base.SMALL, length=0)
    return ax


def _ends(interval: Any, intervals_without: Any, k: int) -> FloatArray:
    """Return the ends of all intervals, shape (k + 1, 2), nan where there are none."""
    ends = np.full((k + 1, 2), np.nan)
    parts = (("interval", interval, ends[:1]), ("intervals_without", intervals_without, ends[1:]))
    for name, given, part in parts:
        if given is None:
            continue
        array = np.atleast_2d(numeric_array(name, given))
        if array.shape != part.shape:
            need, remedy = f"have shape {part.shape}", "Pass (lower, upper) per line."
            raise InvalidArgument(name, need, f"has shape {array.shape}", remedy)
        base.check_drawable(name, array if given is interval else np.where(np.isnan(array), 0.0, array))
        if (array[:, 0] > array[:, 1]).any():
            was = f"has {array[array[:, 0] > array[:, 1]][0].tolist()}"
            raise InvalidArgument(name, "hold lower ends before upper ends", was, "Swap them.")
        part[:] = array
    return ends


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
