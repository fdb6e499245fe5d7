"""`HingeRemoval`: the exact-hinge classifier refitted without each row, and what follows for predictions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.input.groups import Groups
from influstat.input.labels import index_of, paired_with
from influstat.input.ranking import Moves, Ranked
from influstat.input.validation import FloatArray
from influstat.risks.linear import LinearRisk


@dataclass(frozen=True, eq=False, repr=False)
class HingeRemoval(Ranked):
    """The coefficients of k refits of `HingeSVC`, each without one row.

    Attributes
    ----------
    groups : Groups
        Which row each refit leaves out.
    before : ndarray, shape (p,)
        The coefficients with all rows, the intercept last.
    theta : ndarray, shape (k, p)
        The coefficients without the row; nan where there is no refit.
    duality_gap : ndarray, shape (k,)
        How far the risk without the row is above its minimum at most, mean scale; nan with theta.
    status : tuple of str
        "" for a refit, else why there is none.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.HingeSVC(lam=0.1, protocol="fixed").fit([[1.0], [3.0], [-1.0]], [1, 1, -1])
    >>> loo = fit.leave_one_out(rows=[0])      # slope 1, intercept 0; without [1]: 1/2 and -1/2
    >>> loo.prediction_change([[1.0]]).round(9)
    array([[-1.]])
    """

    HEADING = "Change of each coefficient without the row, after minus before"

    groups: Groups
    before: FloatArray
    theta: FloatArray
    duality_gap: FloatArray
    status: tuple[str, ...]
    data: LinearRisk = field(repr=False)

    @property
    def rows(self) -> NDArray[np.intp]:
        """Which row each refit leaves out, by position, shape (k,)."""
        return self.groups.members

    @property
    def labels(self) -> NDArray[Any]:
        """What the removed rows are called, shape (k,)."""
        return self.groups.labels

    @property
    def converged(self) -> NDArray[np.bool_]:
        """Whether there is a refit, shape (k,): all stop at a duality gap of 1e-10 of their risk."""
        return np.array([not text for text in self.status], dtype=np.bool_)

    @property
    def delta(self) -> FloatArray:
        """Theta without the row minus theta with it, shape (k, p)."""
        return np.asarray(self.theta - self.before)

    def loss_change(self, X: Any, y: Any, *, offset: Any = None) -> FloatArray:
        """Return the change of the hinge loss of test rows, after minus before.

        Parameters
        ----------
        X, y : array_like, shapes (m, p) and (m,)
            Test rows and their labels, -1 and +1.
        offset : array_like, shape (m,), optional
            Their offsets.

        Returns
        -------
        ndarray, shape (k, m)
            As `HingeFit.loss` reports the loss, the penalty's share included if folded. Positive: the row
            helps. nan where there is no refit.

        Raises
        ------
        InvalidArgument, InvalidType
            The test rows are not like the training rows.
        """
        y, offset = paired_with(X, y=y, offset=offset)
        tests = self.data.test_rows(X, y, offset=offset)
        return np.ascontiguousarray(
            hinge_losses(self.data, tests, self.theta.T).T - hinge_losses(self.data, tests, self.before)
        )

    def prediction_change(self, X: Any, *, offset: Any = None) -> FloatArray:
        """Return the change of the decision values of new rows, after minus before.

        Parameters
        ----------
        X : array_like, shape (m, p)
            New rows.
        offset : array_like, shape (m,), optional
            Their offsets; they cancel, and are checked.

        Returns
        -------
        ndarray, shape (k, m)
            nan where there is no refit.

        Raises
        ------
        InvalidArgument, InvalidType
            The rows are not like the training rows.
        """
        (offset,) = paired_with(X, offset=offset)
        before = self.data.predictions(self.before, X, offset=offset)
        after = self.data.predictions(self.theta.T, X, offset=offset)
        return np.ascontiguousarray((after - before[:, None]).T)

    def to_frame(self) -> Any:
        """Return delta as a pandas DataFrame: removals labelled, one column per coefficient.

        Returns
        -------
        DataFrame
            Its ``attrs["status"]`` are the reasons of the rows of nan.
        """
        import pandas as pd

        frame = pd.DataFrame(self.delta, index=index_of(self.labels), columns=list(self.data.names))
        frame.attrs["status"] = self.status
        return frame

    def moves(self) -> Moves:
        """Return `delta`, a column for each coefficient."""
        return Moves(self.delta, self.labels, self.data.names, self.HEADING)


def hinge_losses(data: LinearRisk, tests: LinearRisk, theta: FloatArray) -> FloatArray:
    """Return max(0, 1 - y eta) and the penalty's share of test rows, (m,), or (m, k) for theta (p, k)."""
    y = tests.y if theta.ndim == 1 else tests.y[:, None]
    carried = data.protocol.carried(data.total_weight)
    hinge = np.maximum(0.0, 1.0 - y * tests.linear_predictor(theta))
    return np.asarray(hinge + carried * data.penalty.value(theta))
