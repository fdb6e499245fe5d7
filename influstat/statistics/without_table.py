"""`InferenceWithout`: what inference says without each of some sets of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.input.groups import Groups
from influstat.input.labels import index_of
from influstat.input.lazy_types import DataFrame
from influstat.input.ranking import Moves, Ranked, Ranking
from influstat.input.validation import FloatArray, choice
from influstat.statistics.inference_table import QUANTITIES, InferenceTable

ALL = ("estimates", *QUANTITIES)


@dataclass(frozen=True, eq=False, repr=False)
class InferenceWithout(Ranked):
    """Estimates and what inference says of them without each of k sets of rows.

    Attributes
    ----------
    groups : Groups
        Which rows each set leaves out: `groups[j]` are their positions, `groups.labels[j]` its name.
    estimates : ndarray, shape (k, p), or (p,) for `Inference.without`
        The coefficients without the set; nan where the rows left do not determine one.
    table : InferenceTable
        Standard errors, t values, p values and limits without the set, each of the shape of `estimates`.
    estimates_with, table_with : ndarray of shape (p,), InferenceTable
        The same with all rows.
    status : tuple of str
        "" for a set like any other, else why something is nan without it.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 4, [1.0, 3.0, 8.0, 9.0], names=["mean"])
    >>> found = fit.inference().leave_groups_out(["a", "a", "b", "b"])
    >>> found.estimates.ravel(), found.change("estimates").ravel()      # 17 / 2 and 4 / 2, less 21 / 4
    (array([8.5, 2. ]), array([ 3.25, -3.25]))
    """

    HEADING = "Inference without each set of rows, estimated anew"

    groups: Groups
    estimates: FloatArray
    table: InferenceTable
    estimates_with: FloatArray
    table_with: InferenceTable
    status: tuple[str, ...]

    def before(self, quantity: str) -> FloatArray:
        """Return a quantity with all rows, shape (p,); which, as for `after`."""
        if _named(quantity) == "estimates":
            return self.estimates_with
        return np.asarray(getattr(self.table_with, quantity))

    def after(self, quantity: str) -> FloatArray:
        """Return a quantity without each set of rows.

        Parameters
        ----------
        quantity : {"estimates", "standard_errors", "t_values", "p_values", "lower", "upper"}
            Which.

        Returns
        -------
        ndarray, shape (k, p), or (p,) for `Inference.without`

        Raises
        ------
        InvalidArgument
            There is no such quantity.
        """
        if _named(quantity) == "estimates":
            return self.estimates
        return np.asarray(getattr(self.table, quantity))

    def change(self, quantity: str) -> FloatArray:
        """Return the change of a quantity, `after` minus `before`, of the shape of `after`."""
        return np.asarray(self.after(quantity) - self.before(quantity))

    def to_frame(self, quantity: str | None = None, *, what: str = "after") -> DataFrame:
        """Return the table as a pandas DataFrame.

        Parameters
        ----------
        quantity : {"estimates", "standard_errors", "t_values", "p_values", "lower", "upper"}, optional
            Only this one; all of them when left out.
        what : {"after", "change"}
            What they are without the rows, or that minus what they are with all rows.

        Returns
        -------
        DataFrame
            All quantities: one line per set and coefficient (of `Inference.without`: per coefficient). One
            quantity: one line per set, one column per coefficient. `attrs["status"]` says of every set ""
            or why something is nan.

        Raises
        ------
        InvalidArgument
            There is no such quantity, or `what` is neither.
        """
        import pandas as pd

        choice("what", what, ("after", "change"))
        values = self.change if what == "change" else self.after
        names, labels = list(self.table.names), index_of(self.groups.labels)
        if quantity is not None:
            found = values(quantity).reshape(len(self.groups), -1)
            frame = pd.DataFrame(found, index=labels, columns=names)
        else:
            columns = {name: values(name).ravel() for name in ALL}
            lines = pd.Index(names)
            if self.estimates.ndim > 1:
                lines = pd.MultiIndex.from_product([labels, names], names=["without", "coefficient"])
            frame = pd.DataFrame(columns, index=lines)
        frame.attrs.update(status=self.status, note=self.table_with.note)
        return frame

    def moves(self, by: str = "estimates") -> Moves:
        """Return the changes of a quantity, a line for each set of rows, a column for each coefficient."""
        title = f"Change of {_named(by).replace('_', ' ')} without the rows, after minus before"
        values = self.change(by).reshape(len(self.groups), -1)
        return Moves(values, self.groups.labels, self.table.names, title, "sets of rows")

    def top(
        self, k: int = 5, *, column: Any = None, side: str | None = None, by: str = "estimates"
    ) -> Ranking:
        """Return the k sets of rows that move a quantity most, the largest first.

        Parameters
        ----------
        k, column, side
            As in `Scores.top`; a column is a coefficient.
        by : {"estimates", "standard_errors", "t_values", "p_values", "lower", "upper"}
            What moves.

        Returns
        -------
        Ranking

        Raises
        ------
        InvalidArgument, InvalidType
            There is no such column, side or quantity, or k is not a whole number above 0.
        """
        return self.moves(by).top(k, column, side)


def _named(quantity: str) -> str:
    choice("quantity", quantity, ALL)
    return quantity
