"""Lines that say what they are: thresholds with their names at the edge, and a local mean of points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from influstat.input.validation import FloatArray
from influstat.plots import base

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DARK = "#595959"  # of names of lines: grey as the lines, dark enough to read
ABOVE = 20.0  # points between axes and title that leave room for the name of an upright line
FEWEST = 10  # different places on the horizontal axis that a local mean needs


def level(ax: Axes, height: float, name: str) -> None:
    """Draw a horizontal threshold, its name outside the axes on the right, where no point can be."""
    ax.axhline(height, color=base.GREY, linewidth=0.8, linestyle="--", zorder=0)
    ax.text(
        1.01, height, name, transform=ax.get_yaxis_transform(), va="center", ha="left",
        fontsize=base.SMALL, color=DARK,
    )  # fmt: skip


def upright(ax: Axes, place: float, name: str) -> None:
    """Draw a vertical threshold, its name above the axes; the title then needs `ABOVE`."""
    ax.axvline(place, color=base.GREY, linewidth=0.8, linestyle="--", zorder=0)
    ax.text(
        place, 1.01, name, transform=ax.get_xaxis_transform(), va="bottom", ha="center",
        fontsize=base.SMALL, color=DARK,
    )  # fmt: skip


def local_mean(ax: Axes, x: FloatArray, y: FloatArray) -> None:
    """Draw a local mean of y (lowess with two thirds of the points), where x has enough places for one."""
    if len(np.unique(x)) < FEWEST:
        return
    from statsmodels.nonparametric.smoothers_lowess import lowess

    # Without steps that down-weight outliers: of 0s and 1s these would drop the rarer kind. A step of 1 %
    # of the range between local fits keeps many rows quick.
    with np.errstate(all="ignore"):
        found = lowess(y, x, it=0, delta=0.01 * float(np.ptp(x)))
    found = found[np.isfinite(found).all(axis=1)]
    ax.plot(found[:, 0], found[:, 1], color=base.ORANGE, linewidth=1.5, label="local mean", zorder=3)
