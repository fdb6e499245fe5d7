"""Which columns of a fit a categorical is made of, found from the rows and not from names."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.input.groups import Groups, read_groups
from influstat.input.printing import ShortRepr
from influstat.input.reader import TableReader
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.minimise.named_column import named_column
from influstat.risks.linear import require_linear

PARTS = "part all rows into levels, which each row has one of"
PASS = "Pass the name of a categorical of the formula, or its labels, one per row."


@dataclass(frozen=True, eq=False, repr=False)
class Categorical(ShortRepr):
    """A categorical with K levels, and the columns that are the same in all rows of each of its levels.

    A constant column is none of these, nor is one that differs within a level, such as an interaction.

    Examples
    --------
    >>> import influstat as ist
    >>> X = [[1.0, 0.0, 3.0], [1.0, 0.0, 5.0], [1.0, 1.0, 2.0], [1.0, 1.0, 4.0]]
    >>> fit = ist.Ridge(lam=1.0).fit(X, [1.0, 3.0, 7.0, 9.0])
    >>> categorical(fit, ["a", "a", "b", "b"]).columns
    array([1])
    """

    labels: NDArray[Any]  # what the levels are called, as a pandas categorical orders them or sorted, (K,)
    level: NDArray[np.intp]  # which one each row has, shape (n,)
    columns: NDArray[np.intp]  # the positions of its columns, shape (k,)
    values: FloatArray  # what these hold for each level, shape (K, k)


def categorical(fit: Minimum, factor: Any, argument: str = "factor") -> Categorical:
    """Return the levels of a factor, given as groups are, and its columns; or raise naming `argument`."""
    risk = require_linear(fit.risk, "a categorical")
    given = named_column(fit, factor, argument)
    found = read_groups(given, fit.row_labels, argument)
    level = _level_of_each(found, risk.shape[0], argument)
    values = risk.design.rows(found.members[found.starts[:-1]])
    same = (values != values[0]).any(axis=0)  # not the constant
    for rows, block in risk.design.dense_blocks():
        same &= (block == values[level[rows]]).all(axis=0)
    columns = np.flatnonzero(same)
    if not len(columns):
        was = "has no column that is the same in all rows of each level and differs between levels"
        raise InvalidArgument(argument, "be what some column of the fit is made of", was, PASS)
    order = _order(found.labels, given)
    return Categorical(found.labels[order], np.argsort(order)[level], columns, values[order][:, columns])


def categoricals(fit: Minimum, *, most: int) -> dict[str, Categorical]:
    """Return the categoricals of a formula by name: each level has an effect of its own, whatever its coding.

    Returns
    -------
    dict of str to Categorical
        In the order of the table. As many columns are made of each as it has levels, or one less; no two
        share a column.

    Examples
    --------
    >>> import pandas as pd, statsmodels.api as sm
    >>> import influstat as ist
    >>> table = pd.DataFrame({"y": [1.0, 3.0, 7.0, 9.0], "x": [1.0, 2.0, 3.0, 5.0], "kind": list("abab")})
    >>> fit = ist.from_statsmodels(sm.OLS.from_formula("y ~ x + kind", table).fit())
    >>> list(categoricals(fit, most=40))
    ['kind']
    """
    reader, found, used = fit.reader, dict[str, Categorical](), set[int]()
    for name in reader.variables if isinstance(reader, TableReader) else ():
        with suppress(InvalidArgument):  # a column that is no categorical, or that labels no rows
            one = categorical(fit, name)
            own = set(one.columns.tolist())
            if len(one.labels) <= min(most, len(own) + 1) and not own & used:
                found[name], used = one, used | own
    return found


def _order(labels: NDArray[Any], given: Any) -> NDArray[np.intp]:
    """Return the order of the levels: that of the categories of a pandas categorical, else as they are."""
    categories = getattr(getattr(given, "dtype", None), "categories", None)
    place = getattr(categories, "get_indexer", None)
    return np.arange(len(labels)) if place is None else np.argsort(place(labels), kind="stable")


def _level_of_each(found: Groups, n: int, argument: str) -> NDArray[np.intp]:
    """Return the position of each row's level, shape (n,); or raise where a row has none or several."""
    times = np.bincount(found.members, minlength=n)
    if (times != 1).any():
        row = int(np.argmax(times != 1))
        was = f"gives the row at position {row} {'no level' if times[row] == 0 else f'{times[row]} levels'}"
        raise InvalidArgument(argument, PARTS, was, PASS)
    level = np.empty(n, dtype=np.intp)
    level[found.members] = np.repeat(np.arange(len(found)), found.sizes)
    return level
