"""`Influence`: the derivatives of theta, predictions and losses in the weight of each training row.

All of them are -a' H^-1 g_i, a the gradient of the quantity and g_i that of row i's loss, with its share of
the penalty if "folded" (Koh and Liang 2017; eqs. 9 and 10 of its reproduction by Liu, Liu, Qi and Yang).
One prepared solver serves every question; the solves are done on the smaller side, test quantities or
training rows.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import Any

import numpy as np

from influstat.errors import InflustatError, InvalidArgument
from influstat.influence.scores import Scores
from influstat.input.ranking import Ranking
from influstat.input.settings import require_parts
from influstat.input.validation import FloatArray, check_finite, numeric_array
from influstat.input.warning import doubt_once, unsaid
from influstat.minimise.minimum import Minimum, require_fit
from influstat.numerics.differences import differenced
from influstat.solvers import Cholesky, Inverse, Solution, Solver

BLOCK = 4096  # training rows whose gradients are held at once


class Influence:
    """Influence functions of one fit.

    Parameters
    ----------
    fit : Fit
        The minimiser and its risk.
    solver : Solver, optional
        How H^-1 g is found; `Cholesky()` when left out.

    Notes
    -----
    Signs: `values` is the derivative when a row is upweighted; `removal` = -(w_i / W) values is after
    minus before when it is removed. Positive removal of a loss: the row helps. Rows of weight 0 have
    influence (what a little weight would do) but no removal effect.

    Raises
    ------
    InvalidType
        `solver` has no `prepare`.
    SingularHessian, IndefiniteHessian, Diverged
        When the first question is asked: H has no inverse, or the solver does not find it.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0]], [1.0, 3.0])
    >>> fit.influence().on_theta().values.ravel()     # -H^-1 g_i = y_i - theta
    array([-1.,  1.])
    """

    def __init__(self, fit: Minimum, solver: Solver | None = None) -> None:
        solver = Cholesky() if solver is None else solver
        require_parts("solver", solver, Solver, need="be a solver", example="ist.Cholesky()")
        self.fit, self.solver = require_fit(fit), solver

    def __repr__(self) -> str:
        """Say of what, by which solver, and which rows move theta most where that is quickly known."""
        said = "ask on_theta(), on_loss(X, y), on_prediction(X), ..."
        if isinstance(self.solver, Cholesky):
            with unsaid(), suppress(InflustatError):  # on_theta() says it where it is asked
                said = f"theta: {self.on_theta().in_short()}"
        return f"Influence functions of {self.fit!r} by {self.solver!r}; {said}"

    def _repr_html_(self) -> str | None:
        """Return the table of `to_frame` for a notebook; None where there is none."""
        try:
            return self.on_theta()._repr_html_()
        except InflustatError:
            return None

    @property
    def _partial(self) -> bool:
        """Whether some coefficients are not determined."""
        chart = self.fit.chart
        return chart is not None and not chart.coordinates.full

    @cached_property
    def _inverse(self) -> Inverse:
        return self.solver.prepare(self.fit.hessian)

    # -- the questions -------------------------------------------------------------------------------

    def on_theta(self) -> Scores:
        """Return -H^-1 g_i, shape (n, p): eq. 9, in units of theta."""
        n, p = self.fit.risk.shape
        if n < p:  # never the p unit vectors where the rows are fewer
            solution = self._inverse.apply(self._row_gradients().T)
            values = -solution.value.T
        else:
            values, solution = self._from_gradients(np.eye(p))
        return self._scores(values, self.fit.names, "theta", solution)

    def to_frame(self) -> Any:
        """Return the first-order changes of the coefficients on removal as a DataFrame: `on_theta`."""
        return self.on_theta().to_frame()

    def to_latex(self, **settings: Any) -> str:
        """Return that table in LaTeX; settings are those of `pandas.DataFrame.to_latex`."""
        return self.on_theta().to_latex(**settings)

    def top(self, k: int = 5, *, column: Any = None, side: str | None = None) -> Ranking:
        """Return the k rows that move the coefficients most, to first order, as `Scores.top` does."""
        return self.on_theta().top(k, column=column, side=side)

    def on_loss(self, X: Any, y: Any = None, *, offset: Any = None) -> Scores:
        """Return the influence on the loss of test rows, -g_te' H^-1 g_i: eq. 10.

        Parameters
        ----------
        X : array_like, shape (m, p)
            Test rows with the training columns.
        y : array_like, shape (m,)
            Their targets.
        offset : array_like, shape (m,), optional
            Their offsets.

        Returns
        -------
        Scores, shape (n, m)
            Positive where more weight of the training row makes the loss larger.

        Raises
        ------
        InvalidArgument, InvalidType
            X has other columns, or y does not suit the loss.
        """
        tests = self.fit.test_rows(X, y, offset=offset)
        values, solution = self._from_gradients(tests.row_gradients(self.fit.theta).T)
        return self._scores(values, tuple(tests.row_labels.tolist()), "loss", solution)

    def on_prediction(self, X: Any, *, kind: str = "linear", offset: Any = None) -> Scores:
        """Return the influence on predictions.

        Parameters
        ----------
        X : array_like, shape (m, p)
            Rows with the training columns.
        kind : {"linear", "mean"}
            The linear predictor, or the mean that belongs to it.
        offset : array_like, shape (m,), optional
            Offsets; they matter for the mean only.

        Returns
        -------
        Scores, shape (n, m)
            In the units of the predictions; positive where more weight of the row raises one.

        Raises
        ------
        InvalidArgument, InvalidType
            X has other columns, or the loss has no mean.
        """
        gradients, labels = self.fit.prediction_gradients(X, kind=kind, offset=offset)
        values, solution = self._from_gradients(gradients)
        return self._scores(values, tuple(labels.tolist()), f"{kind} prediction", solution)

    def on(self, gradient: Any) -> Scores:
        """Return the influence on any quantity q(theta), -a' H^-1 g_i with a its gradient.

        Parameters
        ----------
        gradient : array_like of shape (p,) or (p, m), or callable
            The gradient of one or of m quantities; or q itself, a function of theta that returns a
            number or a vector; it is called 4 p + 1 times to be differentiated
            (`influstat.numerics.differences`).

        Returns
        -------
        Scores
            values of shape (n,) for one quantity, else (n, m).

        Raises
        ------
        InvalidArgument, InvalidType
            The gradient has another length, or is not finite.

        Warns
        -----
        DoubtfulResult
            Differences of q at two step lengths disagree: q has no smooth gradient at theta.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0]], [1.0, 3.0])
        >>> fit.influence().on([2.0]).values              # q = 2 theta
        array([-2.,  2.])
        >>> fit.influence().on(lambda theta: theta[0] ** 2).values.round(9)    # its gradient is 2 theta = 4
        array([-4.,  4.])
        """
        p = self.fit.risk.shape[1]
        if callable(gradient):
            a = differenced(gradient, self.fit.theta, difference_scale(self.fit))
        else:
            a = numeric_array("gradient", gradient)
        if a.ndim not in (1, 2) or a.shape[0] != p or a.size == 0:
            raise InvalidArgument(
                "gradient", f"have shape ({p},) or ({p}, m)", f"has shape {a.shape}", "Transpose or cut it."
            )
        check_finite("gradient", a)
        values, solution = self._from_gradients(np.asarray(a, dtype=np.float64).reshape(p, -1))
        values = values[:, 0] if a.ndim == 1 else values
        return self._scores(values, tuple(range(1 if a.ndim == 1 else a.shape[1])), "quantity", solution)

    def on_self(self) -> Scores:
        """Return each row's influence on its own loss, -g_i' H^-1 g_i.

        Its own loss is that of the risk, with the share of the penalty that leaves with the row: the diagonal
        of `on_loss` of the training rows with their offsets where the loss of a new row holds that share too.

        Returns
        -------
        Scores, shape (n,)
            Never positive where H^-1 is exact: a row's own weight cannot make its own loss worse.
        """
        n, p = self.fit.risk.shape
        values = np.empty(n)
        if self._partial:  # H^-1 alone is not determined, g_i'H^-1 g_i is
            for start in range(0, n, BLOCK):
                rows = slice(start, min(start + BLOCK, n))
                gradients = self.fit.risk.row_gradients(self.fit.theta, rows)
                solution = self._inverse.apply(gradients.T)
                values[rows] = -np.einsum("ij,ji->i", gradients, solution.value)
        elif n <= p:
            gradients = self._row_gradients()
            solution = self._inverse.apply(gradients.T)
            values = -np.einsum("ij,ji->i", gradients, solution.value)
        else:
            solution = self._inverse.apply(np.eye(p))
            for start in range(0, n, BLOCK):
                rows = slice(start, min(start + BLOCK, n))
                gradients = self.fit.risk.row_gradients(self.fit.theta, rows)
                values[rows] = -np.einsum("ij,ij->i", gradients @ solution.value, gradients)
        return self._scores(values, ("own loss",), "loss", solution)

    # -- one way to all of them ----------------------------------------------------------------------

    def _from_gradients(self, a: FloatArray) -> tuple[FloatArray, Solution]:
        """Return -a' H^-1 g_i for every row i and column of a, shape (n, m), solved on the smaller side."""
        risk, theta = self.fit.risk, self.fit.theta
        if a.shape[1] <= risk.shape[0]:
            solution = self._inverse.apply(a)
            return risk.row_gradients_dot(theta, -solution.value), solution
        solution = self._inverse.apply(self._row_gradients().T)
        return -solution.value.T @ a, solution

    def _row_gradients(self) -> FloatArray:
        return self.fit.risk.row_gradients(self.fit.theta)

    def _scores(
        self, values: FloatArray, columns: tuple[Any, ...], quantity: str, solution: Solution
    ) -> Scores:
        risk = self.fit.risk
        lost = np.isnan(values).any(axis=0) if values.ndim > 1 else np.isnan(values).any()
        if np.any(lost):
            doubt_once(
                self.fit,
                f"{np.count_nonzero(lost)} of {values[0].size} columns of these influences are nan: "
                f"{', '.join(self.fit.lost)} are not determined, since columns of X depend on each other. "
                "Predictions and other sums that the rows determine have their influence.",
            )
        return Scores(values, risk.weights / risk.total_weight, risk.row_labels, columns, quantity, solution)


def difference_scale(fit: Minimum) -> FloatArray:
    """Return 1 / sqrt(W H_jj): how far theta_j can move before W R changes by 1/2, shape (p,)."""
    diagonal = np.abs(np.asarray(fit.hessian.diagonal())) * fit.risk.total_weight
    return np.asarray(1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0)))
