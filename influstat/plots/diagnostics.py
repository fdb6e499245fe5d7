"""The classical pictures of a fit's rows: influence index plot and bubble plot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.input.settings import text
from influstat.input.validation import real_number
from influstat.plots import base

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def influence_index(
    values: Any,
    *,
    name: str = "Cook's distance",
    row_labels: Any = None,
    outliers: int = 3,
    threshold: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one number per row as a stem over the row's position, the largest named.

    Parameters
    ----------
    values : array_like, shape (n,)
        Any diagnostic: Cook's distance, leverage, DFBETA, studentised residual, `Scores.removal`.
    name : str
        What it is, with its unit.
    row_labels : array_like, shape (n,), optional
        What the rows are called; positions when left out.
    outliers : int
        How many rows of largest absolute value are marked and, where there is room, named.
    threshold : float, optional
        Draws a line there, and at its negative where values are negative too.
    ax : Axes, optional
        Where to draw.

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
        Some values are nan, such as the Cook's distance of a row of leverage 1: these rows have no stem.

    Examples
    --------
    >>> from influstat import plots
    >>> plots.influence_index([0.1, 0.9, 0.2], name="leverage").get_ylabel()
    'leverage'
    """
    name = text("name", name)
    y = base.column("values", values, holes=True)
    level = None if threshold is None else real_number("threshold", threshold)
    labels = base.labels_of(row_labels, len(y))
    kept = base.drawn(labels, values=y)
    x, y, labels = np.flatnonzero(kept).astype(np.float64), y[kept], labels[kept]
    chosen = base.largest(np.abs(y), outliers)
    ax = base.one_axes(ax, height=3.1)
    ax.vlines(x, 0.0, y, color=base.BLUE, linewidth=0.8 if len(y) < 400 else 0.4, rasterized=len(y) > 2000)
    ax.axhline(0.0, color=base.GREY, linewidth=0.6)
    ax.plot(x[chosen], y[chosen], "o", color=base.ORANGE, markersize=3.5)
    if level is not None:
        for line in (level, -level) if (y < 0).any() else (level,):
            ax.axhline(line, color=base.GREY, linewidth=0.8, linestyle="--")
    ax.margins(x=0.02, y=0.12)
    stems = np.vstack([np.column_stack([x, part * y]) for part in np.linspace(0.0, 1.0, 9)])
    base.label_points(ax, x, y, labels, chosen, obstacles=stems)
    base.tidy(ax, xlabel="row", ylabel=name)
    return ax


def influence_bubble(
    leverage: Any,
    residual: Any,
    cooks_distance: Any,
    *,
    row_labels: Any = None,
    outliers: int = 3,
    coefficients: float | None = None,
    residual_name: str = "studentised residual",
    ax: Axes | None = None,
) -> Axes:
    """Draw residual against leverage, each row a circle whose area is its Cook's distance.

    Parameters
    ----------
    leverage, residual, cooks_distance : array_like, shape (n,)
        Of each row, for instance from statsmodels' ``get_influence``.
    row_labels : array_like, shape (n,), optional
        What the rows are called; positions when left out.
    outliers : int
        How many rows of largest Cook's distance are coloured and, where there is room, named.
    coefficients : float, optional
        p, or the effective number; draws the usual line at twice the mean leverage, 2 p / n.
    residual_name : str
        Which residual it is.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidArgument, InvalidType
        The arrays differ in length, hold inf or no row without a nan, or a Cook's distance is negative.

    Warns
    -----
    DoubtfulResult
        Some rows hold a nan, such as the Cook's distance of a row of leverage 1: they are not drawn.

    Examples
    --------
    >>> from influstat import plots
    >>> ax = plots.influence_bubble([0.1, 0.5], [0.3, -2.0], [0.01, 1.2], row_labels=["a", "b"])
    >>> ax.get_xlabel(), ax.texts[1].get_text()
    ('leverage', 'b')
    """
    residual_name = text("residual_name", residual_name)
    h = base.column("leverage", leverage, holes=True)
    r = base.column("residual", residual, len(h), holes=True)
    d = base.column("cooks_distance", cooks_distance, len(h), holes=True)
    p = None if coefficients is None else real_number("coefficients", coefficients, above=0.0)
    if (d < 0).any():
        found = f"is {np.nanmin(d):.3g} somewhere"
        raise InvalidArgument("cooks_distance", "be at least 0", found, "Pass Cook's distances.")
    n, labels = len(h), base.labels_of(row_labels, len(h))
    kept = base.drawn(labels, leverage=h, residual=r, cooks_distance=d)
    h, r, d, labels = h[kept], r[kept], d[kept], labels[kept]
    chosen = base.largest(d, outliers)
    ax = base.one_axes(ax)
    area = 4.0 + 260.0 * d / (d.max() or 1.0)
    colours = np.full(len(h), base.BLUE, dtype=object)
    colours[chosen] = base.ORANGE
    ax.scatter(
        h, r, s=area, c=colours.tolist(), alpha=0.45, linewidths=0.5, edgecolors="white",
        rasterized=len(h) > 2000,
    )  # fmt: skip
    ax.axhline(0.0, color=base.GREY, linewidth=0.6, zorder=0)
    if p is not None:
        ax.axvline(2.0 * p / n, color=base.GREY, linewidth=0.8, linestyle="--", zorder=0)
    ax.margins(x=0.12, y=0.15)
    note = ax.text(0.98, 0.02, "area: Cook's distance", transform=ax.transAxes, fontsize=base.SMALL)
    gaps = 2.0 + 0.5 * np.sqrt(area)
    base.label_points(ax, h, r, labels, chosen, gaps=gaps, box=note)
    base.tidy(ax, xlabel="leverage", ylabel=residual_name)
    return ax
