"""What all plots share: matplotlib when it is needed, colours, axes, and names of single points."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, InvalidType, MissingDependency
from influstat.input.lazy_types import Axes
from influstat.input.printing import short
from influstat.input.settings import entries, flag
from influstat.input.validation import (
    FloatArray,
    any_array,
    first_not_finite,
    numeric_array,
    real_number,
    whole_number,
)
from influstat.input.warning import doubt
from influstat.plots.wording import keep_apart, wrapped

# Okabe and Ito (2008), "Color universal design": told apart with every common colour blindness.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
SKY, YELLOW, AMBER, GREY = "#56B4E9", "#F0E442", "#E69F00", "#7F7F7F"
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, SKY, AMBER)
MARKERS = ("o", "^", "s", "D", "v", "P", "X")
NAME_OF_LINE = 0.65  # a shade of grey as that of the lines, dark enough to read

PANEL = 4.4  # inches: the width of one panel
SMALL = 9  # points: names of single rows, panel titles in a row of panels
TEXT = 10  # points: labels of axes, titles
APART = 0.1  # inches above and below a panel: titles do not touch the powers of the row above

WIDEST = 100.0  # inches: what is larger was meant as pixels

# Why a diagnostic of a row can be nan.
LEVERAGE_ONE = (
    "A row of leverage 1 (the only one of its category, say) is fitted exactly: without it the "
    "coefficients are not determined, so it has no such residual, Cook's distance or refit."
)


def pyplot() -> Any:
    """Return matplotlib.pyplot, or say which extra brings it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise MissingDependency(
            "Drawing needs the package matplotlib, which is not installed. "
            "Install it with `pip install 'influstat[plot]'`."
        ) from None
    return plt


def shade(share: float = 1.0) -> str:
    """Return a grey of the style in use, a dark one too: 0 is the ground, 1 the ink of its text."""
    from matplotlib.colors import to_hex, to_rgba

    style = pyplot().rcParams
    ink = np.array(to_rgba(style["text.color"])[:3])
    grounds = [to_rgba(style[name]) for name in ("axes.facecolor", "figure.facecolor")]
    contrast = (float(ink.mean() < 0.5),) * 3  # what a transparent figure will lie on
    ground = np.array(next((colour[:3] for colour in grounds if colour[3] > 0.0), contrast))
    return str(to_hex(ground + share * (ink - ground)))


def class_colours() -> tuple[str, ...]:
    """Return a colour for each of the `MARKERS`; the last is the ink of the style in use."""
    return (*CYCLE, shade())


LEAST_DPI, MOST_DPI = 10.0, 2400.0  # fewer show no letter, and more fill the memory


def for_notebooks(*, dpi: float = 100.0, retina: bool = True) -> None:
    """Let this session draw larger, sharper figures: for the first cell of a notebook.

    IPython shows figures at 72 dots per inch where it is not told otherwise: one panel is then some 340
    pixels wide.

    Parameters
    ----------
    dpi : float
        Dots per inch of new figures, which are 4.4 inches wide, or 9.2 where panels are side by side.
    retina : bool
        In a notebook, store twice as many dots for screens that have them; the figures look as large.

    Raises
    ------
    InvalidArgument, InvalidType
        The dots per inch are no number from 10 to 2400.
    MissingDependency
        matplotlib is not installed.

    Examples
    --------
    >>> from influstat import plots
    >>> plots.for_notebooks(dpi=100)
    >>> plots.influence_index([0.2, 0.9, 0.1]).figure.dpi
    100.0
    """
    dots, twice = real_number("dpi", dpi, at_least=LEAST_DPI), flag("retina", retina)
    if dots > MOST_DPI:
        too_many = f"be at most {MOST_DPI:g} dots per inch"
        raise InvalidArgument("dpi", too_many, f"is {dots:g}", "Printers use 300 to 600.")
    pyplot().rcParams["figure.dpi"] = dots
    with suppress(ImportError):
        from IPython import get_ipython

        if get_ipython() is not None:
            inline: Any = import_module("matplotlib_inline.backend_inline")
            inline.set_matplotlib_formats("retina" if twice else "png")


def figure_size(size: Any, ax: Any, usual: tuple[float, float]) -> tuple[float, float]:
    """Return width and height of a new figure in inches: the caller's, or the usual ones; or raise."""
    if size is None:
        return usual
    if ax is not None:
        was = f"is {short(size)}"
        raise InvalidArgument("size", "be left out where ax is given", was, "Set the size of that figure.")
    need, remedy = "be a pair of numbers, width and height in inches", "Pass size=(4.0, 3.0), for example."
    try:
        given = list(entries("size", size))
    except (InvalidArgument, InvalidType):
        raise InvalidType("size", need, f"is {short(size)}", remedy) from None
    if len(given) != 2:
        raise InvalidArgument("size", need, f"has {len(given)} entries", remedy)
    width, height = (real_number(f"size[{k}]", one, at_least=1.0) for k, one in enumerate(given))
    if max(width, height) > WIDEST:
        was = f"is {short(size)}"
        raise InvalidArgument("size", f"be at most {WIDEST:g} inches", was, "Pass inches, not pixels.")
    return width, height


def one_axes(ax: Axes | None, *, height: float = 3.5, size: Any = None) -> Axes:
    """Return the axes to draw on: the caller's, or those of a new figure of one panel's width."""
    inches = figure_size(size, ax, (PANEL, height))
    if ax is None:
        _, ax = pyplot().subplots(figsize=inches, layout="constrained")
    elif not hasattr(ax, "get_window_extent"):
        found, remedy = f"is a {type(ax).__name__}", "Pass one, or leave it out."
        raise InvalidArgument("ax", "be a matplotlib Axes", found, remedy)
    return ax


def several_axes(
    ax: Any,
    count: int,
    *,
    columns: int | None = None,
    height: float = 3.3,
    width: float | None = None,
    size: Any = None,
) -> NDArray[Any]:
    """Return `count` axes to draw on, as a flat array: the caller's, or those of a new figure, row by row."""
    columns = count if columns is None else min(whole_number("columns", columns, at_least=1), count)
    if ax is None:
        rows = -(-count // columns)
        if width is None:  # of one column of a page, or of both
            width = PANEL if columns == 1 else 2.1 * PANEL
        inches = figure_size(size, ax, (width, height * rows))
        figure = pyplot().figure(figsize=inches, layout="constrained")
        figure.get_layout_engine().set(h_pad=APART)
        grid = figure.add_gridspec(rows, 2 * columns)  # half columns: a last row can be centred
        missing = rows * columns - count
        made = np.empty(count, dtype=object)
        for k in range(count):
            row, place = divmod(k, columns)
            start = 2 * place + (missing if row == rows - 1 else 0)
            made[k] = figure.add_subplot(grid[row, start : start + 2])
        return made
    figure_size(size, ax, (PANEL, height))
    axes = np.asarray(ax, dtype=object).ravel()
    if len(axes) != count or not all(hasattr(one, "get_window_extent") for one in axes):
        need, remedy = f"hold {count} matplotlib Axes", "Make them with plt.subplots."
        raise InvalidArgument("ax", need, f"holds {len(axes)} objects", remedy)
    return axes


def beside(columns: Any, count: int) -> int:
    """Return how many panels stand beside each other: the caller's number, or all up to 3, 2 of 4, else 3."""
    if columns is not None:
        return whole_number("columns", columns, at_least=1)
    return 2 if count == 4 else min(count, 3)


def figure_title(axes: NDArray[Any], title: str | None) -> None:
    """Write a title above all panels."""
    if title:
        axes[0].figure.suptitle(title, fontsize=TEXT + 1)


def column(name: str, values: Any, length: int | None = None, *, holes: bool = False) -> FloatArray:
    """Return the values as floats, shape (n,), finite or, with `holes`, nan; or raise."""
    array = np.asarray(numeric_array(name, values), dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or (length is not None and len(array) != length):
        need = "have one entry per row" if length is None else f"have shape ({length},)"
        raise InvalidArgument(name, need, f"has shape {array.shape}", "Pass a vector, e.g. one column.")
    check_drawable(name, np.where(np.isnan(array), 0.0, array) if holes else array)
    return array


def check_drawable(name: str, array: NDArray[Any]) -> None:
    """Raise if `array` holds nan or inf, naming the first place."""
    place = first_not_finite(array)
    if place is None:
        return
    where = ", ".join(f"{what} {at}" for what, at in zip(("row", "column", "column"), place, strict=False))
    remedy = "Leave such rows out: they cannot be drawn."
    raise InvalidArgument(name, "be finite", f"holds {array[place]} at {where}", remedy)


def drawn(labels: NDArray[Any], **columns: FloatArray) -> NDArray[np.bool_]:
    """Return which rows hold no nan, shape (n,); warn of the others, which are not drawn, as R does."""
    missing = np.isnan(np.array(list(columns.values()))).any(axis=0)
    if missing.all():
        *others, last = columns
        one = next((name for name, values in columns.items() if np.isnan(values).all()), None)
        need = "hold a number in some row" + ("" if one else f" in which {' and '.join(others)} do")
        was = f"holds a nan in every {'row' if one else 'such row'}"
        raise InvalidArgument(one or last, need, was, f"Nothing can be drawn. {LEVERAGE_ONE}")
    if missing.any():
        first = labels[int(np.argmax(missing))]
        doubt(
            f"{np.sum(missing)} of {len(missing)} rows hold nan and are not drawn; the first is {first}. "
            f"{LEVERAGE_ONE}"
        )
    return np.asarray(~missing)


def rows_of(
    row_labels: Any, **columns: Any
) -> tuple[NDArray[np.bool_], NDArray[Any], tuple[FloatArray, ...]]:
    """Return which rows are drawn, shape (n,), their labels and, named as arguments are, their numbers."""
    arrays: dict[str, FloatArray] = {}
    for name, values in columns.items():
        length = len(next(iter(arrays.values()))) if arrays else None
        arrays[name] = column(name, values, length, holes=True)
    labels = labels_of(row_labels, len(next(iter(arrays.values()))))
    kept = drawn(labels, **arrays)
    return kept, labels[kept], tuple(values[kept] for values in arrays.values())


def counted(xlabel: str, kept: NDArray[np.bool_], unit: str = "row") -> str:
    """Return the label of the horizontal axis, with a note of how many rows are not drawn, if any."""
    left, n = int(np.sum(~kept)), len(kept)
    some = f"{left} of {n} {unit}s {'is' if left == 1 else 'are'} nan and not drawn"
    return f"{xlabel}\n({some})" if left else xlabel


def named_values(argument: str, value: Any) -> dict[str, Any]:
    """Return a mapping of names to values (a DataFrame: its columns) as a dict, or raise."""
    if not isinstance(value, Mapping) and not hasattr(value, "columns"):
        found = f"is a {type(value).__name__}"
        raise InvalidType(argument, "map names to values", found, "Pass {name: values}.")
    return {str(name): values for name, values in value.items()}


def labels_of(row_labels: Any, length: int, *, argument: str = "row_labels") -> NDArray[Any]:
    """Return what the rows are called, shape (n,); their positions where nothing is given."""
    if row_labels is None:
        return np.arange(length)
    labels = any_array(argument, row_labels)
    if labels.shape != (length,):
        need = f"have shape ({length},)"
        raise InvalidArgument(argument, need, f"has shape {labels.shape}", "Pass one entry per row.")
    return labels


def width_of(ax: Axes) -> float:
    """Return the width of the axes in points."""
    return 72.0 / float(ax.figure.dpi) * float(ax.get_window_extent().width)


def tidy(ax: Axes, *, xlabel: str, ylabel: str, title: str | None = None, pad: float = 6.0) -> None:
    """Label the axes, in one style for all plots; long labels are wrapped, titles `pad` points above."""
    frame = ax.get_window_extent()
    width, height = (72.0 / ax.figure.dpi * size for size in (frame.width, frame.height))
    ax.set_xlabel(wrapped(xlabel, width, TEXT), fontsize=TEXT)
    ax.set_ylabel(wrapped(ylabel, height, TEXT), fontsize=TEXT)
    if title:
        ax.set_title(wrapped(title, width, TEXT), fontsize=TEXT, pad=pad)
    ax.tick_params(labelsize=SMALL)
    keep_apart(ax, width, SMALL)
    for axis in (ax.xaxis, ax.yaxis):
        axis.get_offset_text().set_fontsize(SMALL)
    ax.spines[["top", "right"]].set_visible(False)
