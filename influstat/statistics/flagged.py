"""`Flags` and `OutlierTest`: tables of all rows that print those to look at, and are used as DataFrames."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from influstat.input.frame_like import FrameLike
from influstat.input.labels import index_labels
from influstat.input.lazy_types import DataFrame
from influstat.input.printing import LINES
from influstat.input.ranking import Moves, Ranking
from influstat.input.validation import whole_number


@dataclass(frozen=True, eq=False, repr=False)
class Flags(FrameLike):
    """Which rows each rule flags, one line for each row: it is used as a DataFrame, and prints those flagged.

    Attributes
    ----------
    rules : str
        The set of rules: "R" or "size-adjusted".
    table : DataFrame of bool
        All rows, one column per measure; `attrs["rules"]` has each column's rule in words, with its limit
        here, `attrs["status"]` of every row "" or why a measure is nan.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 4, [1.0, 3.0, 2.0, 9.0], row_labels=list("abcd"), names=["m"])
    >>> print(fit.flags())
    Rows that rules of 'R' flag
    1 of 4 rows flagged: dfb_m 1, dffits 1, cooks_d 1
       dfb_m  dffits  cov_ratio  cooks_d  hat_diag
    d   True    True      False     True     False
    """

    PICTURE = 'fit.plot.index("cooks_d") or fit.plot.bubble()'
    HEADING = "Rows that rules of {0.rules!r} flag"

    rules: str
    table: DataFrame = field(repr=False)

    def to_frame(self) -> DataFrame:
        """Return the table of all rows."""
        return self.table.copy()

    def shown(self) -> DataFrame:
        """Return the rows that some rule flags, those of the most rules first."""
        return _lines(self.table, self._flagged()[0])

    def top(self, k: int = 5) -> Ranking:
        """Return the k rows that the most rules flag: how many, and which.

        Parameters
        ----------
        k : int
            How many rows; fewer where fewer are flagged.

        Returns
        -------
        Ranking
            Columns "position", "rules" (their number) and "flags" (their names).

        Raises
        ------
        InvalidArgument, InvalidType
            k is not a whole number above 0.
        """
        k = whole_number("k", k, at_least=1)
        order, number = (found[:k] for found in self._flagged())
        names = self.table.columns
        which = [", ".join(names[marks]) for marks in self.table.to_numpy(dtype=np.bool_)[order]]
        labels, title = index_labels(self.table.index), "Rules that flag each row"
        return Ranking(labels[order], order, number, title, called="rules", more={"flags": which})

    def _flagged(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the positions of the rows that are flagged, those by most rules first, and by how many."""
        number = self.table.to_numpy(dtype=np.bool_).sum(axis=1)
        order = np.argsort(-number, kind="stable")[: np.count_nonzero(number)]
        return order, number[order]

    def in_short(self) -> str:
        """Return how many rows are flagged, and by which rules, in one line."""
        marks = self.table.to_numpy(dtype=np.bool_)
        counts = dict(zip(self.table.columns, marks.sum(axis=0).tolist(), strict=True))
        flagged = int(marks.any(axis=1).sum())
        by = ", ".join(f"{name} {number}" for name, number in counts.items() if number)
        return f"{flagged} of {len(self.table)} rows flagged" + (f": {by}" if by else "")


@dataclass(frozen=True, eq=False, repr=False)
class OutlierTest(FrameLike):
    """Studentised residuals of all rows with their p values: used as a DataFrame, it prints the largest.

    Attributes
    ----------
    table : DataFrame
        Columns "student_resid", "p_values", "bonferroni", "holm" and "fdr_bh"; `attrs["status"]` says of
        every row "" or why it has none.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 4, [1.0, 3.0, 2.0, 9.0], row_labels=list("abcd"))
    >>> fit.outlier_test().top(1)[["student_resid", "bonferroni"]].round(4)     # 7 / sqrt(4 / 3)
       student_resid  bonferroni
    d         6.0622      0.1046
    """

    PICTURE = 'fit.plot.index("student_resid") or fit.plot.qq()'
    HEADING = "Test for outliers: studentised residuals, the largest first, and their p values"

    table: DataFrame = field(repr=False)

    def to_frame(self) -> DataFrame:
        """Return the table of all rows, in their order."""
        return self.table.copy()

    def shown(self) -> DataFrame:
        """Return the rows of the largest residuals."""
        return _lines(self.table, self.moves().top(LINES).position)

    def moves(self) -> Moves:
        """Return the studentised residuals."""
        residuals = self.table["student_resid"].to_numpy()[:, None]
        labels = index_labels(self.table.index)
        return Moves(residuals, labels, ["student_resid"], "Studentised residuals", called="student_resid")

    def top(self, k: int = 5, *, side: str | None = None) -> Ranking:
        """Return the k rows of the largest studentised residuals, by absolute size, with their p values.

        Parameters
        ----------
        k : int
            How many.
        side : {"rise", "fall"}, optional
            Only residuals above 0, or only those below.

        Returns
        -------
        Ranking
            Columns "position", "student_resid" and those of the p values.

        Raises
        ------
        InvalidArgument, InvalidType
            k is not a whole number above 0, or there is no such side.
        """
        found = self.moves().top(k, side=side)
        more = {name: self.table[name].to_numpy()[found.position] for name in self.table.columns[1:]}
        return replace(found, more=more)

    def in_short(self) -> str:
        """Return how many rows are tested, and the three largest residuals, in one line."""
        return self.moves().in_short().replace(" done", " tested")


def _lines(table: DataFrame, rows: NDArray[np.intp]) -> DataFrame:
    """Return some lines of a table, without its attributes: pandas copies all statuses with them."""
    import pandas as pd

    return pd.DataFrame(table.to_numpy()[rows], index=table.index[rows], columns=table.columns)
