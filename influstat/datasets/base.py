"""`Dataset`, and the few ways its loaders read a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from influstat.datasets.files import fetch, read_bytes

Part = Literal["train", "test", "all"]
PARTS = ("train", "test", "all")


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """A design matrix and its targets, labelled.

    Parameters
    ----------
    X : ndarray or scipy.sparse.csr_array, shape (n, p)
        One row per observation, without an intercept column.
    y : ndarray, shape (n,)
        The targets.
    names : tuple of str
        The p column names.
    row_labels : ndarray, shape (n,)
        What each row is called in the original data.
    source : str
        Who published the data, where, and under which licence.

    Examples
    --------
    >>> import numpy as np
    >>> from influstat.datasets import Dataset
    >>> Dataset(np.eye(2), np.zeros(2), ("a", "b"), np.arange(2), "made up")
    Dataset(2 rows, 2 columns, source='made up')
    """

    X: Any
    y: NDArray[Any]
    names: tuple[str, ...]
    row_labels: NDArray[Any]
    source: str

    def __repr__(self) -> str:
        """Say how large the data are and where they come from; arrays are not printed."""
        return f"Dataset({self.X.shape[0]} rows, {self.X.shape[1]} columns, source={self.source!r})"


def text_table(name: str) -> list[list[str]]:
    """Return the cells of a comma-separated file, empty lines left out."""
    return [line.split(",") for line in read_bytes(name).decode().splitlines() if line]


def npz_arrays(name: str) -> dict[str, NDArray[Any]]:
    """Return all arrays of an npz file, each of the shape it was saved with."""
    with np.load(fetch(name)) as archive:
        return dict(archive)
