"""Data that other packages bring along: no file, no network. Two of them stand in for missing downloads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from influstat.datasets.base import Dataset
from influstat.datasets.tables import IRIS_COLUMNS
from influstat.errors import DatasetError, InvalidArgument, InvalidType, MissingDependency


def load_statecrime() -> Dataset:
    """Load the murder rates of the American states in 2009, bundled with statsmodels.

    Returns
    -------
    Dataset
        X (51, 5): violent crimes per 100,000, high-school graduates, poverty, single-parent families and
        whites, in per cent; y murders per 100,000; rows labelled by state, the District of Columbia among
        them.

    Notes
    -----
    U.S. Census Bureau, *The 2012 Statistical Abstract*; public domain; in `statsmodels.datasets`.

    Examples
    --------
    >>> from influstat import datasets
    >>> crime = datasets.load_statecrime()
    >>> crime.X.shape, str(crime.row_labels[0])
    ((51, 5), 'Alabama')
    """
    from statsmodels.datasets import statecrime

    frame = statecrime.load_pandas().data
    names = ("violent", "hs_grad", "poverty", "single", "white")
    return Dataset(
        X=frame[list(names)].to_numpy(dtype=np.float64),
        y=frame["murder"].to_numpy(dtype=np.float64),
        names=names,
        row_labels=np.asarray(frame.index.astype(str).to_list()),
        source="U.S. Census Bureau, Statistical Abstract 2012, state crime, in statsmodels, public domain",
    )


def load_fair() -> Dataset:
    """Load Fair's survey of extramarital affairs, bundled with statsmodels.

    Returns
    -------
    Dataset
        X (6366, 8): rating of the marriage, age, years married, children, religiosity, education and both
        occupations; y float64, 1 for any affair and 0 for none; rows labelled "woman 0" to "woman 6365".

    Notes
    -----
    Fair (1978), *A theory of extramarital affairs*, from a survey of Redbook magazine (1974); used with
    the author's permission in `statsmodels.datasets`.

    Examples
    --------
    >>> from influstat import datasets
    >>> fair = datasets.load_fair()
    >>> fair.X.shape, int(fair.y.sum())
    ((6366, 8), 2053)
    """
    from statsmodels.datasets import fair

    frame = fair.load_pandas().data
    names = tuple(name for name in frame.columns if name != "affairs")
    return Dataset(
        X=frame[list(names)].to_numpy(dtype=np.float64),
        y=(frame["affairs"] > 0).to_numpy(dtype=np.float64),
        names=names,
        row_labels=np.array([f"woman {row}" for row in range(len(frame))]),
        source="Fair (1978), survey of extramarital affairs, in statsmodels",
    )


def load_small_digits17() -> Dataset:
    """Load the 8 x 8 images of the digits 1 and 7 bundled with scikit-learn: a stand-in for MNIST.

    Returns
    -------
    Dataset
        X uint8 (361, 64), grey levels 0 to 16; y the digits, 1 or 7; rows labelled by their places in
        scikit-learn's file.

    Raises
    ------
    MissingDependency
        scikit-learn is not installed.

    Notes
    -----
    Alpaydin and Kaynak (1998), *Optical recognition of handwritten digits*, UCI 80,
    doi:10.24432/C50P49, CC BY 4.0.

    Examples
    --------
    >>> from influstat import datasets
    >>> digits = datasets.load_small_digits17()
    >>> digits.X.shape, sorted(set(digits.y.tolist()))
    ((361, 64), [1, 7])
    """
    bunch = _scikit_learn_datasets().load_digits()
    rows = np.flatnonzero((bunch.target == 1) | (bunch.target == 7))
    return Dataset(
        X=bunch.data[rows].astype(np.uint8),
        y=bunch.target[rows].astype(np.int64),
        names=tuple(f"pixel{j}" for j in range(64)),
        row_labels=rows,
        source="Alpaydin and Kaynak (1998), 8 x 8 digits, UCI 80, in scikit-learn",
    )


def load_bundled_iris_pair() -> Dataset:
    """Load Iris without setosa from scikit-learn: the same 100 rows as `load_iris_pair`, no file needed.

    Returns
    -------
    Dataset
        As `load_iris_pair`.

    Raises
    ------
    MissingDependency
        scikit-learn is not installed.

    Notes
    -----
    Fisher (1936), *Iris*, UCI 53, doi:10.24432/C56C76, CC BY 4.0.

    Examples
    --------
    >>> from influstat import datasets
    >>> iris = datasets.load_bundled_iris_pair()
    >>> iris.X.shape, iris.y[[0, -1]].tolist()
    ((100, 4), [1, -1])
    """
    bunch = _scikit_learn_datasets().load_iris()
    rows = np.flatnonzero(bunch.target > 0)
    return Dataset(
        X=bunch.data[rows].astype(np.float64),
        y=np.where(bunch.target[rows] == 1, 1, -1),
        names=IRIS_COLUMNS,
        row_labels=rows,
        source="Fisher (1936), Iris, UCI 53, doi:10.24432/C56C76, CC BY 4.0, in scikit-learn",
    )


def first_available(*loaders: Callable[[], Dataset]) -> Dataset:
    """Return the data of the first loader that finds its file: the real data, or else a stand-in.

    Parameters
    ----------
    *loaders : callable
        In order of preference. `Dataset.source` says which it was; print it. Of all but the first it
        begins with "stand-in for" and the first one's name.

    Returns
    -------
    Dataset

    Raises
    ------
    DatasetError, MissingDependency
        None of them finds its data: the error of the first.

    Examples
    --------
    >>> from influstat import datasets
    >>> data = datasets.first_available(datasets.load_iris_pair, datasets.load_bundled_iris_pair)
    >>> data.X.shape
    (100, 4)
    """
    if not loaders:
        raise InvalidArgument("loaders", "name at least one loader", "are none", "Pass load_iris_pair.")
    for loader in loaders:
        if not callable(loader):
            raise InvalidType(
                "loaders", "be functions", f"hold {loader!r}", "Pass load_iris_pair, not its data."
            )
    errors: list[Exception] = []
    for loader in loaders:
        try:
            data = loader()
            if loader is loaders[0]:
                return data
            name = getattr(loaders[0], "__name__", repr(loaders[0])).removeprefix("load_")
            return replace(data, source=f"stand-in for {name}: {data.source}")
        except (DatasetError, MissingDependency) as error:
            errors.append(error)
    raise errors[0]


def _scikit_learn_datasets() -> Any:
    try:
        from sklearn import datasets
    except ImportError:
        raise MissingDependency(
            "These data are bundled with scikit-learn, which is not installed. "
            "Install it with `pip install 'influstat[experiments]'`."
        ) from None
    return datasets
