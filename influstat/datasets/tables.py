"""Small and middling tables of numbers: Forest Fires, Iris, Spambase, hospitals, microcredit."""

from __future__ import annotations

import re

import numpy as np

from influstat.datasets.base import PARTS, Dataset, Part, npz_arrays, text_table
from influstat.datasets.files import read_bytes
from influstat.input.validation import choice

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
IRIS_COLUMNS = ("sepal_length", "sepal_width", "petal_length", "petal_width")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MICROCREDIT_SITES = ("BIH", "MON", "ETH", "MEX", "MOR", "PHI", "IND")


def load_forest_fires() -> Dataset:
    """Load Forest Fires: burned area from place, time, weather and fire-weather indices.

    Returns
    -------
    Dataset
        X (517, 29): X, Y, FFMC, DMC, DC, ISI, temp, RH, wind, rain, then all 12 months and all 7
        days one-hot (no level dropped, so X has rank 27 once centred); y the area in hectares;
        rows labelled 0 to 516 in file order.

    Raises
    ------
    DatasetError, MissingDependency
        As `fetch`; so for every loader.

    Notes
    -----
    Cortez and Morais, *Forest Fires*, UCI 162, doi:10.24432/C5D88D, CC BY 4.0.

    Examples
    --------
    >>> from influstat import datasets
    >>> fires = datasets.load_forest_fires()  # doctest: +SKIP
    >>> fires.X.shape, float(fires.y.max())  # doctest: +SKIP
    ((517, 29), 1090.84)
    """
    header, *rows = text_table("forestfires/forestfires.csv")
    column = dict(zip(header, np.array(rows).T, strict=True))
    area, month, day = column.pop("area"), column.pop("month"), column.pop("day")
    numbers = np.column_stack(list(column.values())).astype(np.float64)
    return Dataset(
        X=np.hstack([numbers, month[:, None] == MONTHS, day[:, None] == DAYS]),
        y=area.astype(np.float64),
        names=(*column, *(f"month_{name}" for name in MONTHS), *(f"day_{name}" for name in DAYS)),
        row_labels=np.arange(len(rows)),
        source="Cortez and Morais, Forest Fires, UCI 162, doi:10.24432/C5D88D, CC BY 4.0",
    )


def load_iris_pair() -> Dataset:
    """Load Iris without setosa: versicolor (+1) against virginica (-1).

    Returns
    -------
    Dataset
        X (100, 4) in centimetres; y int64 in {-1, 1}; rows labelled 50 to 149, their places among
        all 150. These rows are equal in every published variant of Iris.

    Notes
    -----
    Fisher (1936), *Iris*, UCI 53, doi:10.24432/C56C76, CC BY 4.0.

    Examples
    --------
    >>> from influstat import datasets
    >>> iris = datasets.load_iris_pair()  # doctest: +SKIP
    >>> iris.X.shape, iris.y[[0, -1]].tolist(), iris.row_labels[0].item()  # doctest: +SKIP
    ((100, 4), [1, -1], 50)
    """
    table = np.array(text_table("iris/iris.data"))
    rows = np.flatnonzero(table[:, 4] != "Iris-setosa")
    return Dataset(
        X=table[rows, :4].astype(np.float64),
        y=np.where(table[rows, 4] == "Iris-versicolor", 1, -1),
        names=IRIS_COLUMNS,
        row_labels=rows,
        source="Fisher (1936), Iris, UCI 53, doi:10.24432/C56C76, CC BY 4.0",
    )


def load_spambase() -> Dataset:
    """Load Spambase: 57 word, character and capital-run frequencies of e-mails.

    Returns
    -------
    Dataset
        X (4601, 57); y int64, 1 for spam and 0 otherwise; rows labelled in file order. 391 rows
        repeat an earlier one, so influences tie.

    Notes
    -----
    Hopkins, Reeber, Forman and Suermondt, *Spambase*, UCI 94, doi:10.24432/C53G6X, CC BY 4.0.

    Examples
    --------
    >>> from influstat import datasets
    >>> spam = datasets.load_spambase()  # doctest: +SKIP
    >>> spam.X.shape, int(spam.y.sum()), spam.names[0]  # doctest: +SKIP
    ((4601, 57), 1813, 'word_freq_make')
    """
    table = np.array(text_table("spambase/spambase.data"), dtype=np.float64)
    description = read_bytes("spambase/spambase.names").decode()
    return Dataset(
        X=table[:, :-1],
        y=table[:, -1].astype(np.int64),
        names=tuple(re.findall(r"^(\S+):\s+continuous\.", description, flags=re.MULTILINE)),
        row_labels=np.arange(len(table)),
        source="Hopkins et al., Spambase, UCI 94, doi:10.24432/C53G6X, CC BY 4.0",
    )


def load_diabetes130(*, part: Part = "train") -> Dataset:
    """Load Diabetes 130-US hospitals with Koh and Liang's columns (only from INFLUSTAT_DATA).

    The original table, with text and missing entries, is ``fetch("diabetes130/diabetic_data.csv.gz")``.

    Parameters
    ----------
    part : {"train", "test", "all"}
        Koh and Liang's balanced 20,000 training rows, their 81,766 test rows, or the whole table.

    Returns
    -------
    Dataset
        X uint8 (n, 127), 8 counts and 119 dummies; y int64, +1 if readmitted within 30 days and -1
        otherwise; rows labelled by position in the table. "train" and "test" keep their order
        (test point 1742 of the domain-mismatch experiment is row 1742 of "test").

    Raises
    ------
    InvalidArgument
        `part` is none of the three.

    Notes
    -----
    Strack et al. (2014), *Diabetes 130-US hospitals*, UCI 296, doi:10.24432/C5230J, CC BY 4.0.

    Examples
    --------
    >>> from influstat import datasets
    >>> diabetes = datasets.load_diabetes130(part="all")  # doctest: +SKIP
    >>> diabetes.X.shape, int((diabetes.y == 1).sum())  # doctest: +SKIP
    ((101766, 127), 11357)
    """
    choice("part", part, PARTS)
    arrays = npz_arrays("diabetes130/koh_liang_design.npz")
    rows = np.arange(len(arrays["y"])) if part == "all" else arrays[f"{part}_idx"]
    return Dataset(
        X=arrays["X"][rows],
        y=arrays["y"][rows].astype(np.int64),
        names=tuple(arrays["feature_names"].tolist()),
        row_labels=rows,
        source="Strack et al. (2014), Diabetes 130-US hospitals, UCI 296, doi:10.24432/C5230J, CC BY 4.0",
    )


def load_microcredit(*, site: str = "MEX") -> Dataset:
    """Load one of seven randomised microcredit trials (only from INFLUSTAT_DATA).

    Parameters
    ----------
    site : {"BIH", "MON", "ETH", "MEX", "MOR", "PHI", "IND"}
        The country of the trial.

    Returns
    -------
    Dataset
        X (n, 1), 1 for households that were offered credit and 0 otherwise; y the household's
        profit in USD (purchasing power parity) per fortnight; rows labelled 0 to n - 1 among those
        whose treatment is known (16,560 in Mexico).

    Raises
    ------
    InvalidArgument
        `site` is none of the seven.

    Notes
    -----
    Meager (2019), doi:10.1257/app.20170299; Mexico is Angelucci, Karlan and Zinman (2015). No
    licence statement is known: the numbers serve to verify results and are not redistributed.

    Examples
    --------
    >>> from influstat import datasets
    >>> mexico = datasets.load_microcredit(site="MEX")  # doctest: +SKIP
    >>> treated = mexico.X[:, 0] == 1  # doctest: +SKIP
    >>> round(float(mexico.y[treated].mean() - mexico.y[~treated].mean()), 4)  # doctest: +SKIP
    -4.5491
    """
    choice("site", site, MICROCREDIT_SITES)
    arrays = npz_arrays("microcredit/microcredit_profit.npz")
    rows = (arrays["site"] == MICROCREDIT_SITES.index(site)) & (arrays["treatment"] >= 0)
    return Dataset(
        X=arrays["treatment"][rows, None].astype(np.float64),
        y=arrays["profit"][rows],
        names=("treatment",),
        row_labels=np.arange(np.count_nonzero(rows)),
        source=f"Meager (2019), microcredit trials, {site}, doi:10.1257/app.20170299, licence not stated",
    )
