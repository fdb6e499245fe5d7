"""`InferenceTable`: what inference says about each coefficient, and the distributions behind it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from influstat.input.labels import index_of
from influstat.input.lazy_types import DataFrame
from influstat.input.ranking import Moves, Ranked, Ranking
from influstat.input.validation import FloatArray, choice


@dataclass(frozen=True, eq=False, repr=False)
class InferenceTable(Ranked):
    """Five quantities of every coefficient: their values, shape (p,), or changes by row, shape (k, p).

    Attributes
    ----------
    standard_errors, t_values, p_values, lower, upper : ndarray
        Of theta; p values are two-sided for theta_j = 0, limits those of the confidence interval.
    names : tuple of str
        The coefficients.
    row_labels : ndarray, shape (k,), or None
        The rows whose changes these are.
    status : tuple of str
        "" for a row like any other, else why it has nan; empty where nothing was left out.
    note : str
        What the p values and limits are not ("" where they are the usual ones); `attrs["note"]` of the frame.
    what : str
        What is said by row, "" of values.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0], [1.0]], [1.0, 3.0, 8.0])
    >>> fit.inference().table.standard_errors           # sqrt(26 / 2 / 3)
    array([2.081666])
    """

    HEADING = "{0.heading}"

    standard_errors: FloatArray
    t_values: FloatArray
    p_values: FloatArray
    lower: FloatArray
    upper: FloatArray
    names: tuple[str, ...]
    row_labels: NDArray[Any] | None = None
    status: tuple[str, ...] = ()
    note: str = ""
    what: str = ""

    @classmethod
    def of(
        cls,
        values: Iterable[FloatArray],
        names: tuple[str, ...],
        row_labels: NDArray[Any] | None = None,
        status: tuple[str, ...] = (),
        what: str = "",
    ) -> InferenceTable:
        """Return the table of the five quantities in their order."""
        errors, t_values, p_values, lower, upper = values
        return cls(errors, t_values, p_values, lower, upper, names, row_labels, status, what=what)

    @property
    def heading(self) -> str:
        """What is printed of it: one quantity by row, "" of values, which are all shown."""
        return f"{self.what}: standard errors" if self.what else ""

    def to_frame(self, quantity: str = "standard_errors") -> DataFrame:
        """Return the table, or one quantity of it.

        Returns
        -------
        DataFrame
            One quantity, rows by coefficients; of values, all quantities by coefficient.

        Raises
        ------
        InvalidArgument
            There is no such quantity.
        """
        import pandas as pd

        choice("quantity", quantity, QUANTITIES)
        if self.row_labels is None:
            columns = {name: getattr(self, name) for name in QUANTITIES}
            frame = pd.DataFrame(columns, index=list(self.names))
            frame.attrs["note"] = self.note
            return frame
        return pd.DataFrame(
            getattr(self, quantity), index=index_of(self.row_labels), columns=list(self.names)
        )

    def moves(self, by: str | None = None) -> Moves:
        """Return the changes of a quantity by row; of values, the quantity by coefficient."""
        usual = "t_values" if self.row_labels is None else QUANTITIES[0]
        quantity = usual if by is None else choice("by", by, QUANTITIES)
        values, words = getattr(self, quantity), quantity.replace("_", " ")
        if self.row_labels is None:
            labels = np.array(self.names, dtype=object)
            return Moves(values[:, None], labels, [quantity], words.capitalize(), "coefficients", self.note)
        title = f"{self.what}: {words}"
        return Moves(values, self.row_labels, self.names, title)

    def top(
        self, k: int = 5, *, column: Any = None, side: str | None = None, by: str | None = None
    ) -> Ranking:
        """Return the k rows that move a quantity of inference most, the largest first.

        Parameters
        ----------
        k, column, side
            As in `Scores.top`; a column is a coefficient.
        by : {"standard_errors", "t_values", "p_values", "lower", "upper"}, optional
            What moves: standard errors when left out. Of values, which have no rows, the k coefficients
            whose t value (or which of these) is furthest from 0.

        Returns
        -------
        Ranking

        Raises
        ------
        InvalidArgument, InvalidType
            There is no such column, side or quantity, or k is not a whole number above 0.
        """
        return self.moves(by).top(k, column, side)

    def in_short(self) -> str:
        """Return which rows move standard errors most, in one line; nothing of values."""
        return "" if self.row_labels is None else self.moves().in_short()


QUANTITIES = tuple(field.name for field in fields(InferenceTable))[:5]


def quantities(theta: FloatArray, variance: FloatArray, freedom: Any, level: float) -> list[FloatArray]:
    """Return standard errors, t values, p values and the limits."""
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(variance)
        t = theta / error
    width = critical(freedom, level) * error
    return [error, t, 2.0 * tail(np.abs(t), freedom), theta - width, theta + width]


def tail(x: Any, freedom: Any) -> Any:
    """Return P(T > x)."""
    return stdtr(freedom, -x) if np.all(np.isfinite(freedom)) else ndtr(-x)


def critical(freedom: Any, level: float) -> Any:
    """Return the quantile that half the rest of the level lies above."""
    upper = 0.5 + 0.5 * level
    return stdtrit(freedom, upper) if np.all(np.isfinite(freedom)) else ndtri(upper)
