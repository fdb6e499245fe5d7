"""Training rows that are pictures, shown as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, InvalidType
from influstat.input.lazy_types import Axes
from influstat.input.settings import entries, optional_text, text
from influstat.input.validation import numeric_array, whole_number
from influstat.plots import base, points

PASS_SHAPE = "Pass shape=(height, width)."


def image_panels(
    images: Any,
    titles: Sequence[str],
    *,
    shape: tuple[int, int] | None = None,
    columns: int | None = None,
    frames: Sequence[str] | None = None,
    title: str | None = None,
    size: Any = None,
    ax: Any = None,
) -> NDArray[Any]:
    """Draw rows of grey levels as pictures, one panel each, dark on white.

    Parameters
    ----------
    images : array_like, shape (k, p) or (k, height, width)
        One picture per row, p = height times width.
    titles : sequence of str
        One per picture.
    shape : (int, int), optional
        Height and width; square when left out and `images` does not tell.
    columns : int, optional
        Pictures beside each other in a new figure; all when left out.
    frames : sequence of str, optional
        Colour of each frame.
    title, size, ax
        As for all pictures: see `influstat.plots`; one Axes per picture.

    Returns
    -------
    ndarray of Axes, shape (k,)

    Raises
    ------
    InvalidArgument, InvalidType
        The pictures are not square and `shape` is not given, or counts do not match.

    Examples
    --------
    >>> from influstat import plots
    >>> axes = plots.image_panels([[0, 1, 1, 0], [1, 0, 0, 1]], ["rising", "falling"])
    >>> axes[0].get_title()
    'rising'
    """
    pictures = _pictures(images, shape)
    count = len(pictures)
    names, title = _one_each("titles", titles, count), optional_text("title", title)
    colours = [base.GREY] * count if frames is None else _colours(frames, count)
    columns = min(count if columns is None else whole_number("columns", columns, at_least=1), count)
    axes = base.several_axes(ax, count, columns=columns, height=1.6, width=max(1.5 * columns, 2.1), size=size)
    base.figure_title(axes, title)
    for one, picture, name, colour in zip(axes, pictures, names, colours, strict=True):
        one.imshow(picture, cmap="gray_r", interpolation="nearest")
        one.set_title(str(name), fontsize=base.SMALL)
        one.set(xticks=[], yticks=[])
        one.spines[:].set(color=colour, linewidth=0.8 if frames is None else 1.8)
    return axes


def image_difference(
    before: Any,
    after: Any,
    *,
    shape: tuple[int, int] | None = None,
    unit: str = "grey levels",
    title: str | None = None,
    size: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how a picture was changed, after minus before, with the scale of the change beside it.

    Parameters
    ----------
    before, after : array_like, shape (p,) or (height, width)
        Grey levels of one picture.
    shape : (int, int), optional
        Height and width; square when left out and the pictures do not tell.
    unit : str
        Of the difference.
    title, size, ax
        As for all pictures: see `influstat.plots`.

    Returns
    -------
    Axes
        Blue where the picture got darker, orange where it got lighter, white where nothing changed.

    Raises
    ------
    InvalidArgument, InvalidType
        The pictures differ in shape, or are not square and `shape` is not given.

    Examples
    --------
    >>> from influstat import plots
    >>> ax = plots.image_difference([0, 9, 9, 0], [0, 4, 9, 3])
    >>> ax.images[0].get_array().tolist()
    [[0.0, -5.0], [0.0, 3.0]]
    """
    unit, title = text("unit", unit), optional_text("title", title)
    first, second = (_one_picture(name, one, shape) for name, one in (("before", before), ("after", after)))
    if first.shape != second.shape:
        need, was = f"have the shape of before, {first.shape}", f"has shape {second.shape}"
        raise InvalidArgument("after", need, was, "Pass the same picture, changed.")
    from matplotlib.colors import LinearSegmentedColormap

    change = second.astype(np.float64) - first
    ax = base.one_axes(ax, height=2.2, size=size if size is not None or ax is not None else (2.6, 2.2))
    colours = LinearSegmentedColormap.from_list("change", [base.ORANGE, "white", base.BLUE])
    reach = float(np.max(np.abs(change))) or 1.0
    shown = ax.imshow(change, cmap=colours, vmin=-reach, vmax=reach, interpolation="nearest")
    if title:
        ax.set_title(title, fontsize=base.SMALL)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(color=base.GREY, linewidth=0.8)
    bar = ax.figure.colorbar(shown, ax=ax, shrink=0.8)
    bar.set_ticks([-reach, 0.0, reach], labels=[f"{-reach:.3g}", "0", f"+{reach:.3g}"])
    bar.set_label(unit, fontsize=base.SMALL)
    bar.ax.tick_params(labelsize=base.SMALL)
    return ax


def helpful_and_harmful_images(
    images: Any,
    change: Any,
    *,
    k: int = 5,
    row_labels: Any = None,
    shape: tuple[int, int] | None = None,
    title: str | None = None,
    size: Any = None,
    ax: Any = None,
) -> NDArray[Any]:
    r"""Draw the k most helpful rows (first line) and the k most harmful ones (second line).

    Only rows whose change is positive are helpful, only those whose change is negative harmful: where
    there are fewer than k of them, the last panels of that line stay empty.

    Parameters
    ----------
    images : array_like, shape (n, p) or (n, height, width)
        Grey levels of the training rows, before any standardising.
    change : array_like, shape (n,)
        Change of the test loss when the row is removed, after minus before: `Scores.removal` or
        `Removal.loss_change`. Positive: the row helps.
    k : int
        Pictures on each line, n where that is less.
    shape : (int, int), optional
        Height and width; square when left out and `images` does not tell.
    row_labels, title, size, ax
        As for all pictures: see `influstat.plots`; 2 k Axes, in the order of those returned.

    Returns
    -------
    ndarray of Axes, shape (2 k,)
        The most helpful row first; from place k on the most harmful rows, the most harmful first.

    Raises
    ------
    InvalidArgument, InvalidType
        Arrays or axes do not match, or no row has a change that is a number.

    Warns
    -----
    DoubtfulResult
        The change of some rows is nan: they are not drawn, and counted above the figure.

    Examples
    --------
    >>> from influstat import plots
    >>> images = [[0, 1, 1, 0], [1, 0, 0, 1], [1, 1, 0, 0]]
    >>> axes = plots.helpful_and_harmful_images(images, [0.2, -0.1, 0.0], k=1)
    >>> [one.get_title() for one in axes]
    ['row 0\n+0.2', 'row 1\n-0.1']
    """
    pictures = _pictures(images, shape)
    n = len(pictures)
    effect = base.column("change", change, n, holes=True)
    labels, title = base.labels_of(row_labels, n), optional_text("title", title)
    kept = base.drawn(labels, change=effect)
    effect = np.where(kept, effect, 0.0)  # neither helpful nor harmful
    k = min(whole_number("k", k, at_least=1), n)
    axes = base.several_axes(ax, 2 * k, columns=k, height=1.6, width=max(1.5 * k, 2.1), size=size)
    base.figure_title(axes, base.counted(title or "", kept).strip())
    for line, kind, chosen, colour in (
        (axes[:k], "helpful", points.largest(effect, k), base.BLUE),
        (axes[k:], "harmful", points.largest(-effect, k), base.ORANGE),
    ):
        filled = len(chosen)
        if filled:
            titles = [f"row {points.row_name(labels[i])}\n{effect[i]:+.2g}" for i in chosen]
            image_panels(pictures[chosen], titles, frames=[colour] * filled, ax=line[:filled])
        for empty in line[filled:]:
            empty.set(xticks=[], yticks=[])
            empty.spines[:].set_visible(False)
        if not filled:
            line[0].text(0.5, 0.5, f"no {kind} row", ha="center", va="center", fontsize=base.SMALL)
        line[0].set_ylabel(f"most {kind}", fontsize=base.SMALL)
    return axes


def _pictures(images: Any, shape: Any) -> NDArray[Any]:
    """Return the pictures as an array of shape (count, height, width), or raise."""
    pixels = np.atleast_2d(numeric_array("images", images))
    if pixels.ndim > 3 or pixels.size == 0:
        need = "have shape (k, pixels) or (k, height, width)"
        remedy = "Pass grey levels, one picture per row."
        raise InvalidArgument("images", need, f"has shape {pixels.shape}", remedy)
    base.check_drawable("images", pixels)
    if pixels.ndim == 3 and shape is None:
        return pixels
    p = pixels[0].size
    height, width = (isqrt(p), isqrt(p)) if shape is None else _height_and_width(shape)
    if height * width != p or (pixels.ndim == 3 and pixels.shape[1:] != (height, width)):
        need = f"be a height and width of {p} pixels"
        raise InvalidArgument("shape", need, f"is {height} x {width}", PASS_SHAPE)
    return pixels.reshape(-1, height, width)


def _one_picture(argument: str, picture: Any, shape: Any) -> NDArray[Any]:
    """Return one picture as a matrix, or raise."""
    pixels = np.asarray(numeric_array(argument, picture))
    if pixels.ndim not in (1, 2):
        need = "be one picture, a vector of pixels or a matrix"
        raise InvalidArgument(argument, need, f"has shape {pixels.shape}", "Pass one row.")
    return np.asarray(_pictures(pixels[None], shape)[0])


def _height_and_width(shape: Any) -> tuple[int, int]:
    try:
        height, width = shape
    except (TypeError, ValueError):
        raise InvalidType("shape", "be two whole numbers", f"is {shape!r}", PASS_SHAPE) from None
    return whole_number("shape[0]", height, at_least=1), whole_number("shape[1]", width, at_least=1)


def _one_each(argument: str, given: Any, count: int) -> list[Any]:
    """Return what is given for each picture as a list, or raise."""
    listed = entries(argument, given)
    if len(listed) != count:
        need = f"name {count} pictures"
        raise InvalidArgument(argument, need, f"names {len(listed)}", "Pass one per picture.")
    return listed


def _colours(frames: Any, count: int) -> list[Any]:
    """Return the colours of the frames, or raise."""
    from matplotlib.colors import is_color_like

    colours = _one_each("frames", frames, count)
    for colour in colours:
        if not is_color_like(colour):
            raise InvalidArgument("frames", "hold colours", f"holds {colour!r}", 'Pass names like "red".')
    return colours
