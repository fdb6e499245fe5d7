"""`Scores`: one number per training row and quantity, with labels and with its own measure of trust."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.input.labels import index_of
from influstat.input.printing import Tabled, short
from influstat.input.validation import FloatArray, choice, whole_number
from influstat.solvers import Solution


@dataclass(frozen=True, eq=False, repr=False)
class Ranking:
    """The rows whose removal raises and lowers one quantity most.

    Attributes
    ----------
    largest, smallest : list of (label, position, removal)
        Rows whose removal raises the quantity, the largest rise first; rows whose removal lowers it,
        the largest fall first. Ties in the order of the rows; rows with effect 0 or nan are in neither.
    quantity : str
        What changes.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0]], [1.0, 3.0], row_labels=["low", "high"])
    >>> ranking = fit.influence().on_prediction([[1.0]]).top(1)
    >>> print(ranking)      # without the low row the prediction rises, by -I / n to first order
    largest rise of the linear prediction
      low   +0.5
    largest fall of the linear prediction
      high  -0.5
    """

    largest: list[tuple[Any, int, float]]
    smallest: list[tuple[Any, int, float]]
    quantity: str

    @property
    def helpful(self) -> list[tuple[Any, int, float]]:
        """Rows whose removal makes a loss worse: the same as `largest`."""
        return self.largest

    @property
    def harmful(self) -> list[tuple[Any, int, float]]:
        """Rows whose removal makes a loss better: the same as `smallest`."""
        return self.smallest

    def __repr__(self) -> str:
        """Return both lists as a small table."""
        loss = self.quantity == "loss"
        titles = (
            ("most helpful (loss grows without the row)", "most harmful (loss falls without the row)")
            if loss
            else (f"largest rise of the {self.quantity}", f"largest fall of the {self.quantity}")
        )
        width = max((len(str(entry[0])) for entry in self.largest + self.smallest), default=1)
        lines = []
        for title, entries in zip(titles, (self.largest, self.smallest), strict=True):
            lines.append(title)
            lines += [f"  {label!s:<{width}}  {change:+.6g}" for label, _, change in entries] or ["  none"]
        return "\n".join(lines)


@dataclass(frozen=True, eq=False, repr=False)
class Scores(Tabled):
    """Influences of all training rows on one or several quantities.

    Attributes
    ----------
    values : ndarray, shape (n, m) or (n,)
        The derivative of the quantity when row i is upweighted, the paper's I (eqs. 9 and 10), in
        units of the quantity times n (mean scale: R = (1/W) sum ...).
    share : ndarray, shape (n,)
        w_i / W.
    row_labels : ndarray, shape (n,)
        What the training rows are called.
    columns : tuple
        What the quantities are called: coefficients, or labels of test rows.
    quantity : str
        "loss", "theta", "prediction", ...
    solution : Solution
        The solves with H behind the values: residual, iterations, converged. They are done on the
        smaller side: residual[k] belongs to column k of `values` where there are at most as many
        columns as rows, else to row k of `values`. `on_self` solves for the p unit vectors, or for the
        rows where they are fewer.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=1.0).fit([[1.0], [1.0]], [1.0, 3.0])
    >>> scores = fit.influence().on_theta()
    >>> scores.values.ravel().round(6) + 0.0, scores.removal.ravel().round(6) + 0.0
    (array([-0.666667,  0.666667]), array([ 0.333333, -0.333333]))
    """

    HEADING = "First-order change on removal of each row, after minus before: {0.quantity}"

    values: FloatArray
    share: FloatArray
    row_labels: NDArray[Any]
    columns: tuple[Any, ...]
    quantity: str
    solution: Solution

    @property
    def removal(self) -> FloatArray:
        """-(w_i / W) values: after minus before, to first order, when row i is removed."""
        share = self.share if self.values.ndim == 1 else self.share[:, None]
        return -share * self.values

    def top(self, k: int = 5, *, column: Any = None) -> Ranking:
        """Return the k rows whose removal raises, and the k whose removal lowers, one quantity most.

        Parameters
        ----------
        k : int
            Rows on each side; fewer where fewer rows have an effect of that sign.
        column : int or label, optional
            Which quantity, by its label in `columns`, or by position where it is no label; may be left
            out where there is only one.

        Returns
        -------
        Ranking
            (label, position, change on removal) of the rows on each side, the largest change first.

        Raises
        ------
        InvalidArgument, InvalidType
            There are several quantities and none is chosen, the one chosen does not exist, or k is not a
            whole number above 0.
        """
        k = whole_number("k", k, at_least=1)
        position = self._position(column)
        values = self.values if self.values.ndim == 1 else self.values[:, position]
        change = -self.share * values

        def first(effect: FloatArray) -> list[tuple[Any, int, float]]:
            order = np.argsort(-effect, kind="stable")[:k]  # nan, if any, comes last
            return [(plain(self.row_labels[i]), int(i), float(change[i])) for i in order if effect[i] > 0]

        quantity = self.quantity
        if quantity == "theta":
            quantity = f"coefficient of {self.columns[position]}"
        return Ranking(first(change), first(-change), quantity)

    def _position(self, column: Any) -> int:
        m = len(self.columns)
        if column is None:
            if m > 1:
                raise InvalidArgument(
                    "column", f"choose one of the {m} quantities", "is None", "Pass column=0, 1, ..."
                )
            return 0
        # Coefficients are called by the text of a table's column: its number 0 is "0".
        given = () if isinstance(column, (bool, np.bool_)) else (column, str(column))  # though True == 1
        found = (self._called(one) for one in given)
        labels: list[int] = next((some for some in found if some), [])
        if len(labels) == 1:
            return labels[0]
        if labels or isinstance(column, (str, tuple)):
            raise InvalidArgument(
                "column",
                f"be the label of one quantity ({', '.join(map(str, self.columns[:6]))}"
                + (", ...)" if m > 6 else ")"),
                f"is {short(column)}, which {len(labels)} of them have",
                "Pass one of these, or a position.",
            )
        position = whole_number("column", column, at_least=0)
        if position >= m:
            raise InvalidArgument("column", f"be below {m}", f"is {position}", "Pass a smaller one.")
        return position

    def _called(self, name: Any) -> list[int]:
        """Return the positions of the quantities with this label, equal as the keys of a dict are."""
        places: dict[Any, list[int]] = {}
        for k, label in enumerate(self.columns):
            places.setdefault(label, []).append(k)
        with suppress(TypeError):  # arrays, lists, tuples of them: no key, so no label either
            return places.get(name, [])
        return []

    def to_frame(self, *, what: str = "removal") -> Any:
        """Return the scores as a table.

        Parameters
        ----------
        what : {"removal", "values"}
            The first-order change on removal, or the derivative.

        Returns
        -------
        DataFrame, shape (n, m)
            Rows labelled by `row_labels`, columns by `columns`.

        Raises
        ------
        InvalidArgument
            `what` is neither.
        """
        import pandas as pd

        choice("what", what, ("removal", "values"))
        array = self.removal if what == "removal" else self.values
        return pd.DataFrame(
            array.reshape(len(array), -1), index=index_of(self.row_labels), columns=list(self.columns)
        )


def plain(label: Any) -> Any:
    """Return a NumPy number or text as the Python object that it stands for."""
    return label.item() if isinstance(label, np.generic) else label
