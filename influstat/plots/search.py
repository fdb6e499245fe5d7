"""How fast a ranking finds mislabelled rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.input.lazy_types import Axes
from influstat.input.settings import optional_text
from influstat.input.validation import FloatArray, numeric_array, real_number
from influstat.plots import base


def search_curves(
    checked: Any,
    found: Mapping[str, Any],
    *,
    total_rows: float | None = None,
    title: str | None = None,
    size: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the share of mislabelled rows found against the number of rows checked, per ranking.

    Parameters
    ----------
    checked : array_like, shape (k,)
        How many rows were checked.
    found : mapping of str to array_like of shape (k,) or (seeds, k)
        Ranking -> fraction found, 0 to 1. Several seeds give a line at their mean and a band of plus
        and minus one standard deviation between seeds.
    total_rows : int, optional
        Draws what checking in random order finds on average, checked / total_rows.
    title, size, ax
        As for all pictures: see `influstat.plots`.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidArgument, InvalidType
        There are no rankings, more than seven, shapes do not match, a share is not in 0 to 1
        (a percentage, say), or more rows were checked than there are.

    Examples
    --------
    >>> from influstat import plots
    >>> ax = plots.search_curves([200, 400], {"training loss": [[0.2, 0.4], [0.22, 0.44]]}, total_rows=9084)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['training loss', 'random order']
    """
    title = optional_text("title", title)
    x = base.column("checked", checked)
    if (x < 0).any():
        raise InvalidArgument("checked", "be at least 0", f"holds {x.min():g}", "Pass numbers of rows.")
    total = None if total_rows is None else real_number("total_rows", total_rows, at_least=x.max())
    given = base.named_values("found", found)
    if not 0 < len(given) <= len(base.MARKERS):
        need = f"hold 1 to {len(base.MARKERS)} rankings"
        raise InvalidArgument("found", need, f"holds {len(given)}", "Leave some out.")
    shares = {name: _shares(f"found[{name!r}]", curves, len(x)) for name, curves in given.items()}
    ax = base.one_axes(ax, size=size)
    styles = zip(shares.items(), base.class_colours(), base.MARKERS, strict=False)
    for (name, y), colour, marker in styles:
        mean = y.mean(axis=0)
        ax.plot(x, mean, color=colour, marker=marker, markersize=3.5, linewidth=1.2, label=name)
        if len(y) > 1:
            spread = y.std(axis=0, ddof=1)
            ax.fill_between(x, mean - spread, mean + spread, color=colour, alpha=0.2, linewidth=0)
    if total is not None:
        ax.plot(x, x / (total or 1.0), color=base.GREY, linestyle="--", linewidth=0.9, label="random order")
    ax.set_ylim(0.0, 1.03)
    ax.legend(fontsize=base.SMALL, frameon=False, loc="best")
    base.tidy(ax, xlabel="rows checked", ylabel="share of mislabelled rows found", title=title)
    return ax


def _shares(argument: str, curves: Any, length: int) -> FloatArray:
    """Return the shares found, shape (seeds, length), or raise."""
    y = np.atleast_2d(np.asarray(numeric_array(argument, curves), dtype=np.float64))
    if y.ndim != 2 or y.shape[0] == 0 or y.shape[1] != length:
        need = f"have shape (seeds, {length})"
        raise InvalidArgument(argument, need, f"has shape {y.shape}", "Correct it.")
    base.check_drawable(argument, y)
    # A share that was averaged may exceed 1 by rounding.
    outside = y[(y < 0.0) | (y > 1.0 + 1e-9)]
    if outside.size:
        need, remedy = "hold shares of 0 to 1", "Divide percentages by 100."
        raise InvalidArgument(argument, need, f"holds {outside[0]:g}", remedy)
    return y
