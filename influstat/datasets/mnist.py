"""The handwritten digits 1 and 7 of MNIST: its own split, or the rows that the paper used."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.datasets.base import PARTS, Dataset, Part
from influstat.datasets.files import read_bytes
from influstat.input.validation import choice

TRAIN_IMAGES = 60_000


def load_mnist17(*, part: Part = "train") -> Dataset:
    """Load the images of the digits 1 and 7 from MNIST.

    Parameters
    ----------
    part : {"train", "test", "all"}
        MNIST's own training split (13,007 rows), its test split (2,163), or one after the other.

    Returns
    -------
    Dataset
        X uint8 (n, 784), grey levels 0 to 255; y the digits, 1 or 7; rows labelled by MNIST index:
        0 to 59,999 for training images, 60,000 + k for test image k.

    Raises
    ------
    InvalidArgument
        `part` is none of the three.

    Notes
    -----
    LeCun, Cortes and Burges, *The MNIST database of handwritten digits*, CC BY-SA 3.0.

    Examples
    --------
    >>> from influstat import datasets
    >>> mnist = datasets.load_mnist17()  # doctest: +SKIP
    >>> mnist.X.shape, mnist.row_labels[:3].tolist()  # doctest: +SKIP
    ((13007, 784), [3, 6, 8])
    """
    choice("part", part, PARTS)
    pixels, digits = _mnist(part)
    rows = np.flatnonzero((digits == 1) | (digits == 7))
    return _mnist_rows(pixels, digits, rows, first_label=TRAIN_IMAGES if part == "test" else 0)


def load_mnist17_paper() -> Dataset:
    """Load the 9,085 images of 1 and 7 that the paper used, in the order of its file.

    Returns
    -------
    Dataset
        As `load_mnist17`, but 4,684 ones followed by 4,401 sevens from both MNIST splits. Figure 2
        takes the rows in the order of ``np.random.RandomState(42).permutation(9085)``.

    Raises
    ------
    DatasetError
        Also without INFLUSTAT_DATA: the list of rows, recovered from the published figures, has no
        public address.

    Notes
    -----
    LeCun, Cortes and Burges, *The MNIST database of handwritten digits*, CC BY-SA 3.0.

    Examples
    --------
    >>> import numpy as np
    >>> from influstat import datasets
    >>> paper = datasets.load_mnist17_paper()  # doctest: +SKIP
    >>> order = np.random.RandomState(42).permutation(9085)  # doctest: +SKIP
    >>> int(paper.row_labels[order][7]), int(paper.y[order][7])  # doctest: +SKIP
    (24816, 7)
    """
    rows = np.array(json.loads(read_bytes("mnist/paper_rows.json"))["index"])
    pixels, digits = _mnist("all")
    return _mnist_rows(pixels, digits, rows, first_label=0)


def _mnist(part: Part) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the images (n, 784) and the digits (n,) of a part of MNIST."""
    prefixes = {"train": ["train"], "test": ["t10k"], "all": ["train", "t10k"]}[part]
    images = [_idx_content(f"mnist/{prefix}-images-idx3-ubyte.gz", 16) for prefix in prefixes]
    digits = [_idx_content(f"mnist/{prefix}-labels-idx1-ubyte.gz", 8) for prefix in prefixes]
    return np.concatenate(images).reshape(-1, 784), np.concatenate(digits)


def _idx_content(name: str, header_bytes: int) -> NDArray[np.uint8]:
    """Return the bytes of an IDX file behind its header."""
    return np.frombuffer(read_bytes(name), np.uint8, offset=header_bytes)


def _mnist_rows(
    pixels: NDArray[np.uint8], digits: NDArray[np.uint8], rows: NDArray[Any], *, first_label: int
) -> Dataset:
    return Dataset(
        X=pixels[rows],
        y=digits[rows].astype(np.int64),
        names=tuple(f"pixel{j}" for j in range(784)),
        row_labels=rows + first_label,
        source="LeCun, Cortes and Burges, The MNIST database of handwritten digits, CC BY-SA 3.0",
    )
