"""How fast a ranking finds mislabelled rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.plots.base import CYCLE, GREY, MARKERS, SMALL, column, one_axes, tidy
from influstat.validation import check_finite, numeric_array

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def search_curves(
    checked: Any,
    found: Mapping[str, Any],
    *,
    total_rows: int | None = None,
    title: str | None = None,
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
    title : str, optional
        Above the axes.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidArgument, InvalidType
        There are no rankings, more than seven, or shapes do not match.

    Examples
    --------
    >>> from influstat import plots
    >>> ax = plots.search_curves([200, 400], {"training loss": [[0.2, 0.4], [0.22, 0.44]]}, total_rows=9084)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['training loss', 'random order']
    """
    x = column("checked", checked)
    if not 0 < len(found) <= len(CYCLE):
        raise InvalidArgument(
            "found", f"hold 1 to {len(CYCLE)} rankings", f"holds {len(found)}", "Leave some out."
        )
    ax = one_axes(ax)
    for k, (name, curves) in enumerate(found.items()):
        y = np.atleast_2d(np.asarray(numeric_array(f"found[{name!r}]", curves), dtype=np.float64))
        if y.ndim != 2 or y.shape[1] != len(x):
            raise InvalidArgument(
                f"found[{name!r}]", f"have shape (seeds, {len(x)})", f"has shape {y.shape}", "Correct it."
            )
        check_finite(f"found[{name!r}]", y)
        mean = y.mean(axis=0)
        ax.plot(x, mean, color=CYCLE[k], marker=MARKERS[k], markersize=3.5, linewidth=1.2, label=name)
        if len(y) > 1:
            spread = y.std(axis=0, ddof=1)
            ax.fill_between(x, mean - spread, mean + spread, color=CYCLE[k], alpha=0.2, linewidth=0)
    if total_rows is not None:
        ax.plot(x, x / total_rows, color=GREY, linestyle="--", linewidth=0.9, label="random order")
    ax.set_ylim(0.0, 1.03)
    ax.legend(fontsize=SMALL, frameon=False, loc="best")
    tidy(ax, xlabel="rows checked", ylabel="share of mislabelled rows found", title=title)
    return ax
