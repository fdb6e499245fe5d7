"""`Scores`: one number per training row and quantity, with labels and with its own measure of trust."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from influstat.input.labels import index_of
from influstat.input.ranking import Moves, Ranked
from influstat.input.validation import FloatArray, choice
from influstat.solvers import Solution

HELPS = "Positive: the loss grows without the row, so the row helps."


@dataclass(frozen=True, eq=False, repr=False)
class Scores(Ranked):
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

    def moves(self) -> Moves:
        """Return the first-order changes on removal, a column for each quantity."""
        return Moves(
            self.removal.reshape(len(self.share), -1),
            self.row_labels,
            self.columns,
            f"First-order change of {self.quantity} without the row, after minus before",
            note=HELPS if self.quantity == "loss" else "",
        )

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
