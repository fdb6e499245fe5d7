"""The bubble plot: residual, leverage and Cook's distance of every row in one picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.input.lazy_types import Axes
from influstat.input.settings import optional_text, text
from influstat.input.validation import real_number
from influstat.plots import base, lines, points


def influence_bubble(
    leverage: Any,
    residual: Any,
    cooks_distance: Any,
    *,
    row_labels: Any = None,
    names: int = 2,
    coefficients: float | None = None,
    residual_name: str = "studentised residual",
    limit: float | None = None,
    title: str | None = None,
    size: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw residual against leverage, each row a circle whose area is its Cook's distance.

    Parameters
    ----------
    leverage, residual, cooks_distance : array_like, shape (n,)
        Of each row, for instance from statsmodels' ``get_influence``.
    names : int
        How many rows are coloured and, where there is room, named: so many of largest Cook's distance, of
        largest residual and of largest leverage, as car's ``influencePlot``.
    coefficients : float, optional
        p, or the effective number; draws the usual line at twice the mean leverage, 2 p / n. Rows of
        leverage 0 (those without weight) do not count among the n.
    residual_name : str
        Which residual it is.
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
        The arrays differ in length, hold inf or no row without a nan, or a Cook's distance is negative.

    Warns
    -----
    DoubtfulResult
        Some rows hold a nan, such as the Cook's distance of a row of leverage 1: they are not drawn, and
        counted below the axis.

    Examples
    --------
    >>> from influstat import plots
    >>> ax = plots.influence_bubble([0.1, 0.5], [0.3, -2.0], [0.01, 1.2], row_labels=["a", "b"])
    >>> ax.get_xlabel(), ax.texts[1].get_text()
    ('leverage', 'b')
    """
    residual_name, title = text("residual_name", residual_name), optional_text("title", title)
    h = base.column("leverage", leverage, holes=True)
    r = base.column("residual", residual, len(h), holes=True)
    d = base.column("cooks_distance", cooks_distance, len(h), holes=True)
    p = None if coefficients is None else real_number("coefficients", coefficients, above=0.0)
    if (d < 0).any():
        found = f"is {np.nanmin(d):.3g} somewhere"
        raise InvalidArgument("cooks_distance", "be at least 0", found, "Pass Cook's distances.")
    beyond = None if limit is None else lines.place("limit", limit, above=0.0)
    n, labels = max(int((h != 0.0).sum()), 1), base.labels_of(row_labels, len(h))
    kept = base.drawn(labels, leverage=h, residual=r, cooks_distance=d)
    h, r, d, labels = h[kept], r[kept], d[kept], labels[kept]
    of_each = [points.largest(size, names) for size in (d, np.abs(r), h)]
    chosen = np.array(list(dict.fromkeys(np.concatenate(of_each).tolist())), dtype=np.intp)
    ax = base.one_axes(ax, size=size)
    area = 10.0 + 500.0 * d / (d.max() or 1.0)
    colours = np.full(len(h), base.BLUE, dtype=object)
    colours[chosen] = base.ORANGE
    ax.scatter(
        h, r, s=area, c=colours.tolist(), alpha=0.45, linewidths=0.6, edgecolors=colours.tolist(),
        rasterized=len(h) > 2000,
    )  # fmt: skip
    ax.axhline(0.0, color=base.GREY, linewidth=0.6, zorder=0)
    if p is not None:
        lines.upright(ax, 2.0 * p / n, f"2 p / n = {2.0 * p / n:.3g}")
    if beyond is not None:
        lines.levels(ax, [(height, f"{height:g}") for height in (beyond, -beyond)])
    ax.margins(x=0.12, y=0.15)
    note = ax.text(0.98, 0.02, "area: Cook's distance", transform=ax.transAxes, fontsize=base.SMALL)
    gaps = 2.0 + 0.5 * np.sqrt(area)
    heights = [0.0] if beyond is None else [0.0, beyond, -beyond]
    obstacles = lines.along(ax, heights=heights, places=[] if p is None else [2.0 * p / n])
    points.label_points(ax, h, r, labels, chosen, gaps=gaps, obstacles=obstacles, box=note)
    pad = lines.ABOVE if p is not None else 6.0
    base.tidy(ax, xlabel=base.counted("leverage", kept), ylabel=residual_name, title=title, pad=pad)
    return ax
