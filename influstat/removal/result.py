"""`Removal`: theta without each row, and what follows for losses and predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from influstat.validation import FloatArray

if TYPE_CHECKING:
    from influstat.fit import Fit


@dataclass(frozen=True, eq=False)
class Removal:
    """The coefficients after each of k removals.

    Attributes
    ----------
    fit : Fit
        The fit with all rows.
    method : str
        How the coefficients were found.
    rows : ndarray of int, shape (k,)
        Which row is left out, by position.
    theta : ndarray, shape (k, p)
        The coefficients without it.
    gradient_norm : ndarray, shape (k,)
        |grad| of the risk without the row at `theta`, in mean scale (sum over the other rows / W).
    converged : ndarray of bool, shape (k,)
        Whether `theta` is an exact minimiser; False for approximations that are not exact.
    status : tuple of str
        "" for a row like any other, else what is wrong with it; its theta is then nan.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=1.0, penalty="fixed").fit([[1.0], [1.0]], [1.0, 3.0])
    >>> loo = fit.leave_one_out()
    >>> loo.prediction_change([[3.0]]).ravel().round(9)       # 3 (1.5 - 4/3), 3 (0.5 - 4/3)
    array([ 0.5, -2.5])
    """

    fit: Fit
    method: str
    rows: NDArray[np.intp]
    theta: FloatArray
    gradient_norm: FloatArray
    converged: NDArray[np.bool_]
    status: tuple[str, ...]

    @property
    def labels(self) -> NDArray[Any]:
        """What the removed rows are called, shape (k,)."""
        return self.fit.row_labels[self.rows]

    @property
    def delta(self) -> FloatArray:
        """Theta without the row minus theta with it, shape (k, p)."""
        return np.asarray(self.theta - self.fit.theta)

    def loss_change(self, X: Any, y: Any, *, offset: Any = None, linear: bool | None = None) -> FloatArray:
        """Return the change of the loss of test rows, after minus before, shape (k, m).

        Parameters
        ----------
        X, y : array_like, shapes (m, p) and (m,)
            Test rows.
        offset : array_like, shape (m,), optional
            Their offsets.
        linear : bool, optional
            Whether to report g_te' delta, the change of the loss's tangent, instead of the loss
            evaluated anew at theta + delta. Left out, only method "influence" is linear: its change
            is then the first-order one of `Scores.removal`.

        Returns
        -------
        ndarray, shape (k, m)
            In units of the loss, with the penalty's share if folded. Positive: the row helps.
        """
        tests = self.fit.risk.test_rows(X, y, offset=offset)
        if self.method == "influence" if linear is None else linear:
            return np.asarray(tests.row_gradients_dot(self.fit.theta, self.delta.T).T)
        before = tests.row_losses(self.fit.theta)
        return np.asarray((tests.row_losses(self.theta.T) - before[:, None]).T)

    def prediction_change(self, X: Any, *, kind: str = "linear", offset: Any = None) -> FloatArray:
        """Return the change of predictions for new rows, after minus before, shape (k, m)."""
        risk = self.fit.risk
        after = risk.predictions(self.theta.T, X, kind=kind, offset=offset)
        before = risk.predictions(self.fit.theta, X, kind=kind, offset=offset)
        return np.asarray((after - before[:, None]).T)

    def to_frame(self) -> Any:
        """Return delta as a pandas DataFrame: rows labelled, one column per coefficient."""
        import pandas as pd

        return pd.DataFrame(self.delta, index=self.labels, columns=list(self.fit.names))
