"""Texts that fit: long names shortened, labels of axes wrapped, numbers along them that do not collide."""

from __future__ import annotations

from typing import Literal

import numpy as np

from influstat.input.lazy_types import Axes

ELLIPSIS = "…"
GAP = 6.0  # points between two numbers


def text_width(text: str, fontsize: float) -> float:
    """Return the width of one line of plain text in points of 1/72 inch."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=fontsize), False)
    return float(width)


def shortened(text: str, width: float, fontsize: float) -> str:
    """Return plain text with its middle left out where it is wider than `width` points."""
    # A name is one line; longer ones than these need no exact measure.
    text = " ".join(text.split()) or text
    whole = text_width(text[:500], fontsize)
    if whole <= width:
        return text
    kept = min(len(text) - 1, int(500 * width / whole))
    while kept > 2 and text_width(_cut(text, kept), fontsize) > width:
        kept -= 1
    return _cut(text, kept)


def wrapped(text: str, width: float, fontsize: float, *, lines: int = 3) -> str:
    """Return the text on as many lines of `width` points as needed, the last shortened; formulas whole."""
    from matplotlib.cbook import is_math_text

    if "\n" in text or is_math_text(text) or text_width(text, fontsize) <= width:
        return text
    done: list[str] = []
    words = text.split()
    while words and len(done) < lines - 1:
        count = 1
        while count < len(words) and text_width(" ".join(words[: count + 1]), fontsize) <= width:
            count += 1
        done.append(shortened(" ".join(words[:count]), width, fontsize))
        words = words[count:]
    if words:
        done.append(shortened(" ".join(words), width, fontsize))
    return "\n".join(done)


def _cut(text: str, kept: int) -> str:
    """Leave out the middle, or the end or the start where that keeps more digits, as names of rows differ."""
    heads = ((kept + 1) // 2, kept, 0)
    cuts = [text[:head].rstrip() + ELLIPSIS + text[len(text) - (kept - head) :].lstrip() for head in heads]
    return max(cuts, key=lambda cut: sum(character.isdigit() for character in cut))


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
