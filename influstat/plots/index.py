"""Index plots: one stem per row, for one measure or for several in panels of one scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.input.lazy_types import Axes
from influstat.input.settings import optional_text, text
from influstat.input.validation import FloatArray, whole_number
from influstat.plots import base, lines, points

FINE = np.linspace(0.0, 1.0, 41)  # along a stem
# Parts of the axis, narrower than a dot: of each only the stems that reach furthest are seen, and a million
# would take minutes to draw.
PARTS = 4000
FEW, ROOM = 8, 36.0  # so many or fewer stems are named on the axis, in so many points each
BEYOND = 2.5  # a threshold further out, in units of the largest value, would flatten all stems


def influence_index(
    values: Any,
    *,
    name: str = "Cook's distance",
    row_labels: Any = None,
    names: int = 3,
    threshold: float | None = None,
    threshold_name: str | None = None,
    origin: float = 0.0,
    unit: str = "row",
    title: str | None = None,
    size: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one number per row as a stem over the row's position, the largest named.

    Parameters
    ----------
    values : array_like, shape (n,)
        Any diagnostic: Cook's distance, leverage, DFBETA, studentised residual, `Scores.removal`.
    name : str
        What it is, with its unit.
    names : int
        How many rows furthest from the origin are marked and, where there is room, named.
    threshold : float, optional
        Draws a line this far above the origin, and below it where values are below too. One that is far
        beyond all values (2.5 times the largest distance) is written below the axis instead. A negative one
        draws a line below the origin alone: p values, whose origin is 1, are looked at below 0.05.
    threshold_name : str, optional
        What the threshold is, written at the line before its number.
    origin : float
        Where stems start: what a row without influence has.
    unit : str
        What has a value each, in the singular.
    row_labels, title, size, ax
        As for all pictures: see `influstat.plots`.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidArgument, InvalidType
        The values are not a vector of numbers, hold inf or nothing but nan, or labels do not match.

    Warns
    -----
    DoubtfulResult
        Some values are nan, such as the Cook's distance of a row of leverage 1: these rows have no stem, and
        are counted below the axis.

    Examples
    --------
    >>> from influstat import plots
    >>> ax = plots.influence_index([0.1, 0.9, 0.2], name="leverage", names=1, threshold=0.5)
    >>> ax.get_ylabel(), [text.get_text() for text in ax.texts]
    ('leverage', ['0.5', '1'])
    """
    name, unit, title = text("name", name), text("unit", unit), optional_text("title", title)
    threshold_name = optional_text("threshold_name", threshold_name)
    y = base.column("values", values, holes=True)
    limit = None if threshold is None else lines.place("threshold", threshold)
    start = lines.place("origin", origin)
    labels = base.labels_of(row_labels, len(y))
    kept = base.drawn(labels, values=y)
    whole_number("names", names, at_least=0)
    ax = base.one_axes(ax, height=3.1, size=size)
    note = _stems(ax, y, kept, labels, names, start, limit, threshold_name, _reach(y, start))
    xlabel = base.counted(unit, kept, unit)
    base.tidy(ax, xlabel=f"{xlabel}\n{note}" if note else xlabel, ylabel=name, title=title)
    return ax


def influence_panels(
    measures: Mapping[str, Any],
    *,
    name: str = "DFBETAS",
    row_labels: Any = None,
    names: int = 3,
    threshold: float | None = None,
    threshold_name: str | None = None,
    columns: int = 2,
    title: str | None = None,
    size: Any = None,
    ax: Any = None,
) -> NDArray[Any]:
    """Draw one index plot per measure, such as the DFBETAS of every coefficient, all in the same scale.

    Parameters
    ----------
    measures : mapping of str to array_like of shape (n,)
        What a panel is called -> its values.
    name : str
        What the values are, with their unit.
    row_labels, names, threshold, threshold_name
        As for `influence_index`, in each panel.
    columns : int
        Panels beside each other in a new figure.
    title, size, ax
        As for all pictures: see `influstat.plots`; one Axes per measure.

    Returns
    -------
    ndarray of Axes
        In the order of `measures`.

    Raises
    ------
    InvalidArgument, InvalidType
        There are no measures, arrays or axes do not match, hold inf or nothing but nan.

    Warns
    -----
    DoubtfulResult
        Some rows hold a nan in one panel: they are not drawn in any, and counted below the axes.

    Examples
    --------
    >>> from influstat import plots
    >>> axes = plots.influence_panels({"age": [0.1, -1.2], "income": [0.3, 0.2]}, threshold=1.0)
    >>> [ax.get_title() for ax in axes]
    ['age', 'income']
    """
    given = base.named_values("measures", measures)
    if not given:
        raise InvalidArgument("measures", "name at least one measure", "is empty", "Pass {name: values}.")
    name, title = text("name", name), optional_text("title", title)
    threshold_name = optional_text("threshold_name", threshold_name)
    limit = None if threshold is None else lines.place("threshold", threshold)
    panels: dict[str, FloatArray] = {}
    for one, values in given.items():
        length = len(next(iter(panels.values()))) if panels else None
        panels[one] = base.column(f"measures[{one!r}]", values, length, holes=True)
    labels = base.labels_of(row_labels, len(next(iter(panels.values()))))
    whole_number("names", names, at_least=0)
    columns = min(whole_number("columns", columns, at_least=1), len(panels))
    kept = base.drawn(labels, **{f"measures[{one!r}]": values for one, values in panels.items()})
    axes = base.several_axes(ax, len(panels), columns=columns, height=2.4, size=size)
    reach = max(_reach(values[kept], 0.0) for values in panels.values())  # one scale: a line in all or none
    notes = [
        _stems(one, values, kept, labels, names, 0.0, limit, threshold_name, reach)
        for one, values in zip(axes, panels.values(), strict=True)
    ]
    limits = np.array([one.get_ylim() for one in axes])
    low, high = float(limits.min()), float(limits.max())
    for k, (one, panel) in enumerate(zip(axes, panels, strict=True)):
        one.set_ylim(low, high)
        last = k // columns == (len(axes) - 1) // columns
        xlabel = base.counted("row", kept) if last else ""
        xlabel = f"{xlabel}\n{notes[k]}" if last and notes[k] else xlabel
        base.tidy(one, xlabel=xlabel, ylabel=name if k % columns == 0 else "", title=panel)
    base.figure_title(axes, title)
    return axes


def _reach(values: FloatArray, origin: float) -> float:
    """Return how far the values are from the origin at most."""
    return float(np.nanmax(np.abs(values - origin)))


def _seen(x: FloatArray, y: FloatArray, chosen: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return which stems are drawn: all; of very many the chosen ones and those that no other hides."""
    if len(x) <= 2 * PARTS:
        return np.arange(len(x))
    part = np.floor((x - x[0]) * PARTS / (x[-1] - x[0] + 1.0)).astype(np.intp)
    order = np.lexsort((y, part))
    starts = np.flatnonzero(np.diff(part[order], prepend=-1))
    lowest, highest = order[starts], order[np.append(starts[1:], len(x)) - 1]
    return np.unique(np.concatenate([lowest, highest, chosen]))


def _stems(
    ax: Axes,
    values: FloatArray,
    kept: NDArray[np.bool_],
    labels: NDArray[Any],
    names: int,
    origin: float,
    limit: float | None,
    limit_name: str | None,
    reach: float,
) -> str:
    """Draw stems, names and the threshold, if not far beyond `reach`; return a note on it."""
    from matplotlib.ticker import MaxNLocator

    x, y, called = np.flatnonzero(kept).astype(np.float64), values[kept], labels[kept]
    chosen, few = points.largest(np.abs(y - origin), names), len(labels) <= FEW
    many = len(y) > 2000
    seen = _seen(x, y, chosen)
    ax.vlines(
        x[seen], origin, y[seen], color=base.BLUE, linewidth=0.8 if len(y) < 400 else 0.4, rasterized=many
    )
    ax.axhline(origin, color=base.GREY, linewidth=0.6)
    if few:  # each is looked at, and one of no length is seen
        ax.plot(x, y, "o", color=base.BLUE, markersize=3.5)
    ax.plot(x[chosen], y[chosen], "o", color=base.ORANGE, markersize=3.5)
    note, heights = "", [origin]
    if limit is not None:
        start = f"{origin:g} + " if origin and limit > 0.0 else ""
        said = f"{start}{limit_name}\n= {origin + limit:.3g}" if limit_name else f"{origin + limit:.3g}"
        if limit > BEYOND * reach > 0.0:
            note = f"all within {limit:.3g} of {origin:g}" + (f" ({limit_name})" if limit_name else "")
        else:
            heights += [origin + limit] + ([origin - limit] if limit > 0.0 and (y < origin).any() else [])
            lines.levels(ax, [(h, f"{h:.3g}" if k else said) for k, h in enumerate(heights[1:])])
    ax.margins(x=0.5 / len(labels) if few else 0.02, y=0.14)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, steps=[1, 2, 5, 10]))
    if few and not np.array_equal(labels, np.arange(len(labels))):
        room = max(ROOM, 0.9 * base.width_of(ax) / len(labels))
        ax.set_xticks(np.arange(len(labels)), [points.row_name(label, width=room) for label in labels])
    stems = [lines.along(ax, heights=heights)]
    stems += [
        np.column_stack([x[seen], origin + part * (y[seen] - origin)]) for part in np.linspace(0.0, 1.0, 9)
    ]
    tall = [np.column_stack([x[chosen], origin + part * (y[chosen] - origin)]) for part in FINE]
    stems += tall  # names are of tall stems, which a name must not slip across between two points
    points.label_points(ax, x, y, called, chosen, obstacles=np.vstack(stems), stems=True)
    return note
