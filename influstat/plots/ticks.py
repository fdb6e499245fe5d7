"""Numbers along the axes: few enough not to collide, small and large ones with one common power of ten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from influstat.plots.wording import text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP = 6.0  # points between two numbers


def keep_apart(ax: Axes, width: float, fontsize: float) -> None:
    """Leave out ticks of a linear horizontal axis of `width` points until their numbers do not touch."""
    from matplotlib.ticker import MaxNLocator

    locator = ax.xaxis.get_major_locator()
    if not isinstance(locator, MaxNLocator):
        return  # those that a picture has placed itself
    low, high = map(float, sorted(ax.get_xlim()))
    for most in range(8, 1, -1):
        with np.errstate(over="ignore"):  # distances of ticks that are tried and not taken
            places = [place for place in ax.get_xticks().tolist() if low <= place <= high]
            texts = ax.xaxis.get_major_formatter().format_ticks(places)
        taken = sum(text_width(text, fontsize) + GAP for text in texts)
        between = width * ((places[-1] - places[0]) / (high - low)) if len(places) > 1 else width
        if taken * (1.0 - 1.0 / max(len(places), 2)) <= between:
            return
        locator.set_params(nbins=most)


def scientific(ax: Axes) -> None:
    """Write small and large tick labels with one common power of ten, few enough not to collide."""
    both: tuple[tuple[Literal["x", "y"], str], ...] = (("x", ax.get_xscale()), ("y", ax.get_yscale()))
    for name in (name for name, scale in both if scale == "linear"):
        ax.ticklabel_format(style="sci", axis=name, scilimits=(-2, 3), useMathText=True)
        ax.locator_params(axis=name, nbins=5)
    # Right of the axis, not under its end, where the axis' label can be.
    power = ax.xaxis.get_offset_text()
    power.set_x(1.01)
    power.set_horizontalalignment("left")
