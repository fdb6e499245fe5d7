"""Large sparse tables: binarised census data and words of e-mails and news."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from influstat.datasets.base import PARTS, Dataset, Part, npz_arrays
from influstat.datasets.files import read_bytes
from influstat.input.validation import choice


def load_a9a(*, part: Part = "train") -> Dataset:
    """Load a9a: the Adult census data as 123 binary columns, as LIBSVM publishes them.

    Parameters
    ----------
    part : {"train", "test", "all"}
        The 32,561 training rows, the 16,281 test rows, or one after the other.

    Returns
    -------
    Dataset
        X float64 csr_array (n, 123) of ones; y int64, +1 for an income above 50,000 dollars and -1
        otherwise; columns named f1 to f123; rows labelled by position in the whole.

    Raises
    ------
    InvalidArgument
        `part` is none of the three.

    Notes
    -----
    Becker and Kohavi, *Adult*, UCI 2, doi:10.24432/C5XW20, CC BY 4.0; binarised by LIBSVM.

    Examples
    --------
    >>> from influstat import datasets
    >>> adult = datasets.load_a9a()  # doctest: +SKIP
    >>> adult.X.shape, adult.X.nnz, int((adult.y == 1).sum())  # doctest: +SKIP
    ((32561, 123), 451592, 7841)
    """
    choice("part", part, PARTS)
    files = {"train": ["a9a/a9a.gz"], "test": ["a9a/a9a.t.gz"], "all": ["a9a/a9a.gz", "a9a/a9a.t.gz"]}
    rows = [line.split() for name in files[part] for line in read_bytes(name).decode().splitlines()]
    columns = [[int(entry.partition(":")[0]) - 1 for entry in row[1:]] for row in rows]
    starts = np.cumsum([0, *map(len, columns)], dtype=np.int32)
    indices = np.concatenate(columns).astype(np.int32)
    first_label = 32_561 if part == "test" else 0
    return Dataset(
        X=sp.csr_array((np.ones(indices.size), indices, starts), shape=(len(rows), 123)),
        y=np.array([int(row[0]) for row in rows]),
        names=tuple(f"f{j}" for j in range(1, 124)),
        row_labels=np.arange(first_label, first_label + len(rows)),
        source="Becker and Kohavi, Adult, UCI 2, doi:10.24432/C5XW20, CC BY 4.0; binarised by LIBSVM (a9a)",
    )


def load_enron1() -> Dataset:
    """Load Enron-Spam, part 1, as word counts (only from INFLUSTAT_DATA).

    Returns
    -------
    Dataset
        X float64 csr_array (5172, 19874), counts of the words in at least two mails; y int64, 1
        for the 1,500 spam mails (which come first) and 0 for the 3,672 others; rows labelled by
        file name.

    Notes
    -----
    Metsis, Androutsopoulos and Paliouras (2006), *Spam filtering with naive Bayes*. No licence
    statement is known: the counts serve to verify results and are not redistributed.

    Examples
    --------
    >>> from influstat import datasets
    >>> enron = datasets.load_enron1()  # doctest: +SKIP
    >>> enron.X.shape, enron.X.nnz, int(enron.y.sum())  # doctest: +SKIP
    ((5172, 19874), 391358, 1500)
    """
    arrays = npz_arrays("enron1/enron1_bow.npz")
    words = _lines(arrays["vocab"])
    return Dataset(
        X=_counts(arrays, len(words)),
        y=arrays["y"].astype(np.int64),
        names=words,
        row_labels=np.array(_lines(arrays["names"])),
        source="Metsis, Androutsopoulos and Paliouras (2006), Enron-Spam, part enron1, licence not stated",
    )


def load_newsgroups20(*, part: Part = "train") -> Dataset:
    """Load 20 Newsgroups, split by date, as word counts (only from INFLUSTAT_DATA).

    Parameters
    ----------
    part : {"train", "test", "all"}
        The earlier 11,314 posts, the later 7,532, or one after the other.

    Returns
    -------
    Dataset
        X float64 csr_array (n, 60741), counts of the words in at least two posts, headers
        stripped; y the names of the groups, as text; rows labelled by position in the whole.

    Raises
    ------
    InvalidArgument
        `part` is none of the three.

    Notes
    -----
    Mitchell, *Twenty Newsgroups*, UCI 113, doi:10.24432/C5C323, CC BY 4.0.

    Examples
    --------
    >>> import numpy as np
    >>> from influstat import datasets
    >>> news = datasets.load_newsgroups20(part="all")  # doctest: +SKIP
    >>> science = np.char.startswith(news.y, "sci.").astype(int)  # doctest: +SKIP
    >>> news.X.shape, int(science.sum())  # doctest: +SKIP
    ((18846, 60741), 3952)
    """
    choice("part", part, PARTS)
    arrays = npz_arrays("newsgroups20/news20_bow.npz")
    is_test = arrays["is_test"].astype(bool)
    rows = {"train": np.flatnonzero(~is_test), "test": np.flatnonzero(is_test)}
    rows["all"] = np.concatenate([rows["train"], rows["test"]])
    words = _lines(arrays["vocab"])
    return Dataset(
        X=_counts(arrays, len(words))[rows[part]],
        y=arrays["categories"][arrays["y"]][rows[part]],
        names=words,
        row_labels=rows[part],
        source="Mitchell, Twenty Newsgroups (bydate), UCI 113, doi:10.24432/C5C323, CC BY 4.0",
    )


def _lines(text: NDArray[Any]) -> tuple[str, ...]:
    """Return the lines of a text stored as an array of its bytes."""
    return tuple(text.tobytes().decode().split("\n"))


def _counts(arrays: dict[str, NDArray[Any]], columns: int) -> Any:
    """Return a bag of words as a float64 CSR matrix."""
    parts = (arrays["counts"].astype(np.float64), arrays["indices"].astype(np.int32), arrays["indptr"])
    return sp.csr_array(parts, shape=(len(arrays["y"]), columns))
