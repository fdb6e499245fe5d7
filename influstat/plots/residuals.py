"""Pictures of residuals: against fitted values, against their distribution, against leverage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.input.lazy_types import Axes
from influstat.input.settings import entries, flag, optional_text, text
from influstat.input.validation import FloatArray, numeric_array, real_number
from influstat.plots import base, lines, points


def residuals_against_fitted(
    fitted: Any,
    residuals: Any,
    *,
    row_labels: Any = None,
    names: int = 3,
    name: str = "residual",
    fitted_name: str = "fitted value",
    smooth: bool = True,
    limit: float | None = None,
    title: str | None = None,
    size: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw residuals against fitted values, with their local mean: a bend says that the form is wrong.

    Parameters
    ----------
    fitted, residuals : array_like, shape (n,)
        Of each row.
    names : int
        How many rows of largest absolute residual are named, where there is room.
    name, fitted_name : str
        Which residuals and which fitted values they are.
    smooth : bool
        Draw the local mean (lowess with two thirds of the rows); where fewer than 10 fitted values differ
        there is none.
    limit : float, optional
        Draws lines at plus and minus this residual.
    row_labels, title, size, ax
        As for all pictures: see `influstat.plots`.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidArgument, InvalidType
        The arrays differ in length, or hold inf or no row without a nan.

    Warns
    -----
    DoubtfulResult
        Some rows hold a nan: they are not drawn, and counted below the axis.

    Examples
    --------
    >>> from influstat import plots
    >>> ax = plots.residuals_against_fitted([1.0, 2.0, 3.0], [0.1, -0.3, 0.2], names=1)
    >>> ax.get_xlabel(), [text.get_text() for text in ax.texts]
    ('fitted value', ['1'])
    """
    name, fitted_name = text("name", name), text("fitted_name", fitted_name)
    title, smooth = optional_text("title", title), flag("smooth", smooth)
    beyond = None if limit is None else lines.place("limit", limit, above=0.0)
    kept, labels, (x, y) = base.rows_of(row_labels, fitted=fitted, residuals=residuals)
    chosen = points.largest(np.abs(y), names)
    ax = base.one_axes(ax, size=size)
    ax.axhline(0.0, color=base.GREY, linewidth=0.6, zorder=0)
    points.scatter(ax, x, y, points.classes_of(None, len(x)))
    curve = lines.local_mean(ax, x, y) if smooth else np.zeros((0, 2))
    if beyond is not None:
        lines.levels(ax, [(height, f"{height:g}") for height in (beyond, -beyond)])
    ax.margins(x=0.06, y=0.12)
    heights = [0.0] if beyond is None else [0.0, beyond, -beyond]
    obstacles = np.vstack([lines.along(ax, heights=heights), curve])
    points.label_points(ax, x, y, labels, chosen, obstacles=obstacles)
    xlabel = base.counted(fitted_name, kept) + ("\n(curve: local mean)" if len(curve) else "")
    base.tidy(ax, xlabel=xlabel, ylabel=name, title=title)
    return ax


def residual_quantiles(
    residuals: Any,
    quantiles: Any,
    *,
    envelope: Any = None,
    row_labels: Any = None,
    names: int = 3,
    name: str = "studentised residual",
    quantile_name: str = "normal quantile",
    note: str = "",
    title: str | None = None,
    size: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw sorted residuals against the quantiles that they should have, with an envelope.

    Parameters
    ----------
    residuals : array_like, shape (n,)
        Of each row, in any order.
    quantiles : array_like, shape (k,)
        Those of the distribution, from the smallest to the largest, one for each of the k residuals that
        are not nan.
    envelope : array_like, shape (k, 2), optional
        Between which numbers each sorted residual is expected.
    names : int
        How many rows of largest absolute residual are named, where there is room.
    name, quantile_name : str
        Which residuals they are, and of which distribution the quantiles.
    note : str
        What the envelope is; written below the axis.
    row_labels, title, size, ax
        As for all pictures: see `influstat.plots`.

    Returns
    -------
    Axes
        Rows outside of the envelope are drawn in another colour. The line is where residual and quantile are
        equal.

    Raises
    ------
    InvalidArgument, InvalidType
        The arrays do not match, hold inf or no number, or the quantiles are not sorted.

    Warns
    -----
    DoubtfulResult
        Some residuals are nan: they are not drawn, and counted below the axis.

    Examples
    --------
    >>> from influstat import plots
    >>> ax = plots.residual_quantiles([2.0, -1.0, 0.1], [-0.8, 0.0, 0.8], row_labels=list("abc"), names=1)
    >>> ax.collections[0].get_offsets().tolist(), ax.texts[0].get_text()
    ([[-0.8, -1.0], [0.0, 0.1], [0.8, 2.0]], 'a')
    """
    name, quantile_name = text("name", name), text("quantile_name", quantile_name)
    note, title = text("note", note), optional_text("title", title)
    y = base.column("residuals", residuals, holes=True)
    labels = base.labels_of(row_labels, len(y))
    kept = base.drawn(labels, residuals=y)
    order = np.flatnonzero(kept)[np.argsort(y[kept], kind="stable")]
    y, labels = y[order], labels[order]
    x = base.column("quantiles", quantiles, len(y))
    if (np.diff(x) < 0).any():
        raise InvalidArgument("quantiles", "be sorted", "falls somewhere", "Sort them.")
    band = None if envelope is None else _band(envelope, len(y))
    chosen = points.largest(np.abs(y), names)
    ax = base.one_axes(ax, size=size, height=4.0)
    ends = np.array([x[0], x[-1]])
    ax.plot(ends, ends, color=base.GREY, linewidth=0.8, linestyle="--", zorder=1)
    outside = np.zeros(len(y), dtype=np.bool_)
    if band is not None:
        ax.fill_between(x, band[:, 0], band[:, 1], color=base.GREY, alpha=0.2, linewidth=0, zorder=0)
        outside = (y < band[:, 0]) | (y > band[:, 1])
    colours = np.where(outside, base.ORANGE, base.BLUE)
    ax.scatter(
        x, y, s=points.marker_size(len(x)), c=colours.tolist(), alpha=0.7, linewidths=0,
        rasterized=len(x) > 2000, zorder=2,
    )  # fmt: skip
    ax.margins(x=0.08, y=0.08)
    points.label_points(ax, x, y, labels, chosen)
    xlabel = base.counted(quantile_name, kept)
    base.tidy(ax, xlabel=f"{xlabel}\n{note}" if note else xlabel, ylabel=name, title=title)
    return ax


def _band(envelope: Any, k: int) -> FloatArray:
    """Return the two ends of the envelope, shape (k, 2), or raise."""
    band = np.asarray(numeric_array("envelope", envelope), dtype=np.float64)
    if band.shape != (k, 2):
        need, was = f"have shape ({k}, 2)", f"has shape {band.shape}"
        raise InvalidArgument("envelope", need, was, "Pass (lower, upper) per sorted residual.")
    base.check_drawable("envelope", band)
    return band


def leverage_contours(
    leverage: Any,
    residual: Any,
    coefficients: float,
    *,
    levels: Sequence[float] = (0.5, 1.0),
    row_labels: Any = None,
    names: int = 3,
    residual_name: str = "standardised residual",
    title: str | None = None,
    size: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw standardised residuals against leverage with contours of Cook's distance, as R's plot of a fit.

    Parameters
    ----------
    leverage, residual : array_like, shape (n,)
        Of each row; the residual r is divided by its standard error, sqrt(phi (1 - h)).
    coefficients : float
        p, or the effective number: Cook's distance is r^2 h / ((1 - h) p).
    levels : sequence of float
        Which Cook's distances have a contour.
    names : int
        How many rows of largest Cook's distance are named, where there is room.
    residual_name : str
        Which residual it is.
    row_labels, title, size, ax
        As for all pictures: see `influstat.plots`.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidArgument, InvalidType
        The arrays differ in length, or hold inf or no row without a nan; coefficients or levels are not
        positive.

    Warns
    -----
    DoubtfulResult
        Some rows hold a nan, those of leverage 1: they are not drawn, and counted below the axis.

    Examples
    --------
    >>> from influstat import plots
    >>> ax = plots.leverage_contours([0.1, 0.5], [0.3, -2.0], 1, row_labels=["a", "b"], names=1)
    >>> [text.get_text() for text in ax.texts]          # 4 x 0.5 / 0.5
    ['0.5', '1', 'b']
    """
    title, residual_name = optional_text("title", title), text("residual_name", residual_name)
    p = lines.place("coefficients", coefficients, above=0.0)
    heights = [real_number(f"levels[{k}]", one, above=0.0) for k, one in enumerate(entries("levels", levels))]
    kept, labels, (h, r) = base.rows_of(row_labels, leverage=leverage, residual=residual)
    with np.errstate(all="ignore"):
        distance = np.nan_to_num(r**2 * h / ((1.0 - h) * p), nan=0.0, posinf=np.inf)
    ax = base.one_axes(ax, size=size)
    ax.axhline(0.0, color=base.GREY, linewidth=0.6, zorder=0)
    points.scatter(ax, h, r, points.classes_of(None, len(h)))
    ax.margins(x=0.06, y=0.12)
    right, (low, high) = max(1.12 * float(h.max()), 1e-12), ax.get_ylim()
    ax.set(xlim=(min(0.0, float(h.min())), right), ylim=(low, high))
    grid = np.linspace(0.0, min(right, 1.0), 401)[1:-1]
    obstacles = [np.zeros((0, 2))]
    for height in heights:
        curve = np.sqrt(height * p * (1.0 - grid) / grid)
        _contour(ax, grid, curve, height)
        obstacles += [np.column_stack([grid, side * curve]) for side in (1.0, -1.0)]
    chosen = points.largest(distance, names)
    points.label_points(ax, h, r, labels, chosen, obstacles=np.vstack(obstacles))
    xlabel = base.counted("leverage", kept) + "\n(dashed: contours of Cook's distance)"
    base.tidy(ax, xlabel=xlabel, ylabel=residual_name, title=title)
    return ax


def _contour(ax: Axes, x: FloatArray, y: FloatArray, height: float) -> None:
    """Draw y and -y over x, each with its name where it leaves the axes on the right."""
    low, high = ax.get_ylim()
    for curve in (y, -y):
        ax.plot(x, curve, color=base.ORANGE, linewidth=0.9, linestyle="--", zorder=1)
        if low < curve[-1] < high:
            ax.text(
                1.01, float(curve[-1]), f"{height:g}", transform=ax.get_yaxis_transform(), va="center",
                ha="left", fontsize=base.SMALL, color=base.shade(base.NAME_OF_LINE),
            )  # fmt: skip
