"""Training rows that are pictures, shown as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.plots.base import BLUE, GREY, ORANGE, SMALL, column, labels_of, largest, several_axes
from influstat.validation import check_finite, numeric_array, whole_number


def image_panels(
    images: Any,
    titles: Sequence[str],
    *,
    shape: tuple[int, int] | None = None,
    columns: int | None = None,
    frames: Sequence[str] | None = None,
    ax: Any = None,
) -> NDArray[Any]:
    """Draw rows of grey levels as pictures, one panel each, dark on white.

    Parameters
    ----------
    images : array_like, shape (k, p)
        One picture per row, p = height times width.
    titles : sequence of str
        One per picture.
    shape : (int, int), optional
        Height and width; square when left out.
    columns : int, optional
        Pictures beside each other in a new figure; all when left out.
    frames : sequence of str, optional
        Colour of each frame.
    ax : sequence of Axes, optional
        One per picture.

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
    pixels = np.atleast_2d(numeric_array("images", images))
    check_finite("images", pixels)
    height, width = _shape(pixels, shape)
    if len(titles) != len(pixels):
        raise InvalidArgument(
            "titles", f"name {len(pixels)} pictures", f"names {len(titles)}", "Pass one title per picture."
        )
    columns = len(pixels) if columns is None else columns
    axes = several_axes(ax, len(pixels), columns=columns, height=1.25, width=max(1.15 * columns, 1.6))
    for k, (one, picture, title) in enumerate(zip(axes, pixels, titles, strict=True)):
        one.imshow(picture.reshape(height, width), cmap="gray_r", interpolation="nearest")
        one.set_title(title, fontsize=SMALL)
        one.set_xticks([])
        one.set_yticks([])
        for spine in one.spines.values():
            spine.set_color(GREY if frames is None else frames[k])
            spine.set_linewidth(0.8 if frames is None else 1.8)
    return axes


def helpful_and_harmful_images(
    images: Any,
    change: Any,
    *,
    k: int = 5,
    row_labels: Any = None,
    shape: tuple[int, int] | None = None,
    ax: Any = None,
) -> NDArray[Any]:
    r"""Draw the k most helpful rows (first line) and the k most harmful ones (second line).

    Parameters
    ----------
    images : array_like, shape (n, p)
        Grey levels of the training rows, before any standardising.
    change : array_like, shape (n,)
        Change of the test loss when the row is removed, after minus before: `Scores.removal` or
        `Removal.loss_change`. Positive: the row helps.
    k : int
        Pictures on each line.
    row_labels : array_like, shape (n,), optional
        What the rows are called; positions when left out.
    shape : (int, int), optional
        Height and width; square when left out.
    ax : sequence of 2 k Axes, optional
        Helpful ones first.

    Returns
    -------
    ndarray of Axes, shape (2 k,)
        The most helpful row first; from place k on the most harmful rows, the most harmful first.

    Raises
    ------
    InvalidArgument, InvalidType
        Arrays or axes do not match.

    Examples
    --------
    >>> from influstat import plots
    >>> images = [[0, 1, 1, 0], [1, 0, 0, 1], [1, 1, 0, 0]]
    >>> axes = plots.helpful_and_harmful_images(images, [0.2, -0.1, 0.0], k=1)
    >>> [one.get_title() for one in axes]
    ['row 0\n+0.2', 'row 1\n-0.1']
    """
    pixels = np.atleast_2d(numeric_array("images", images))
    effect = column("change", change, len(pixels))
    labels = labels_of(row_labels, len(pixels))
    k = min(whole_number("k", k, at_least=1), len(pixels))
    chosen = np.concatenate([largest(effect, k), largest(-effect, k)])
    axes = image_panels(
        pixels[chosen],
        [f"row {labels[i]}\n{effect[i]:+.2g}" for i in chosen],
        shape=shape,
        columns=k,
        frames=[BLUE] * k + [ORANGE] * k,
        ax=ax,
    )
    axes[0].set_ylabel("most helpful", fontsize=SMALL)
    axes[k].set_ylabel("most harmful", fontsize=SMALL)
    return axes


def _shape(pixels: NDArray[Any], shape: tuple[int, int] | None) -> tuple[int, int]:
    p = pixels.shape[1]
    height, width = (isqrt(p), isqrt(p)) if shape is None else shape
    if height * width != p:
        raise InvalidArgument(
            "shape",
            f"be a height and width of {p} pixels",
            f"is {height} x {width}",
            "Pass shape=(height, width).",
        )
    return height, width
