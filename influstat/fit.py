"""`Fit`: the user's hub, a minimum together with every question about its rows.

Data flow one way: a minimum gives its Hessian, its influence functions and what happens without rows.
Those rooms take a `Minimum`; `Fit` stands above them and only hands itself over. What it is asked in the
terms of regression diagnostics and inference is in `statistics/questions.py`, what about sets of rows in
`sets/questions.py`.
"""

from __future__ import annotations

from typing import Any

from influstat.influence.influence import Influence
from influstat.removal.leave_out import announced, leave_groups_out, leave_one_out
from influstat.removal.report import RemovalReport, removal_report
from influstat.removal.result import Removal
from influstat.sets.questions import SetQuestions
from influstat.solvers import Solver
from influstat.statistics.questions import StatisticalQuestions


class Fit(StatisticalQuestions, SetQuestions):
    """A minimiser theta of a risk, with its data: the start of every question about rows.

    Parameters
    ----------
    risk : Risk
        Loss, penalty and data.
    theta : array_like, shape (p,)
        The minimiser of the risk.
    tolerance : float
        Largest `stationarity` accepted: the largest entry of the gradient, each relative to the size
        that its terms have without cancellation. ``np.inf`` accepts any theta; influence and removal
        are then about a point that is not the minimum.
    reader : Reader, optional
        Turns new rows as the caller has them into rows of the risk (`influstat.input.reader`), as adapters
        need; new rows are rows of the risk already when left out.

    Raises
    ------
    NotStationary
        theta does not minimise the risk: not converged, or another objective than claimed.
    InvalidArgument, InvalidType
        theta is not a finite vector of one entry per coefficient, or risk is not a risk.

    Examples
    --------
    >>> import influstat as ist
    >>> risk = ist.LinearRisk(ist.SquaredError(), [[1.0], [1.0]], [1.0, 3.0], penalty=ist.L2(2.0))
    >>> ist.Fit(risk, [4.0 / 3.0]).predict([[3.0]])
    array([4.])
    """

    # -- questions about rows ------------------------------------------------------------------------

    def influence(self, *, solver: Solver | None = None) -> Influence:
        """Return the influence functions of this fit, one factorisation for all questions.

        Parameters
        ----------
        solver : Solver, optional
            How H^-1 g is found; `Cholesky()` when left out.

        Returns
        -------
        Influence

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=1.0).fit([[1.0], [1.0]], [1.0, 3.0])
        >>> fit.influence().on_prediction([[1.0]]).values.sum().round(12)      # they cancel
        np.float64(0.0)
        """
        return Influence(self, solver)

    def leave_one_out(self, *, method: str = "exact", rows: Any = None) -> Removal:
        """Return what happens to theta when each row is left out alone.

        Parameters
        ----------
        method : {"exact", "newton", "second_order", "influence"}
            "exact": the minimiser without the row, under the fit's own penalty protocol, for every row
            with its gradient. "newton": one Newton step on the objective without the row, leverage
            corrected (exact for squared error). "second_order": the second-order expansion in the
            row's weight. "influence": the first-order one, -(w_i / W) I_theta(i).
        rows : array_like, optional
            Which rows: positions, a mask, or row labels; all when left out.

        Returns
        -------
        Removal
            theta, delta = after minus before, loss and prediction changes, gradient norms. A row
            without which there is no finite or no unique minimiser has theta nan and its reason in
            `status`. Interrupting returns what is done, with a warning, the rest marked "not done".

        Raises
        ------
        InvalidArgument, InvalidType
            A row does not exist or is named twice, or the method is unknown.
        SingularHessian, IndefiniteHessian
            An approximation needs the inverse Hessian at theta, and there is none.

        Notes
        -----
        With S = W H, g_i the gradient of row i's loss (if "folded", plus that of P / W) and F_-i the sum
        of the other rows' losses plus the penalty that stays, delta is w_i S^-1 g_i for "influence"
        (eq. 9 of Liu, Liu, Qi and Yang) and -S_-i^-1 grad F_-i(theta) for "newton", S_-i the Hessian of
        F_-i at theta (Pregibon 1981; for one linear predictor per row by Sherman and Morrison 1950).
        "exact" repeats such steps until grad F_-i is 0 up to rounding.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=1.0, protocol="fixed").fit([[1.0], [1.0]], [1.0, 3.0])
        >>> fit.leave_one_out().theta.ravel()       # 3 / (1 + 1) and 1 / (1 + 1)
        array([1.5, 0.5])
        """
        return announced(leave_one_out(self, method=method, rows=rows))

    def leave_groups_out(self, groups: Any, *, method: str = "exact") -> Removal:
        """Return what happens to theta when each group of rows is left out together.

        Parameters
        ----------
        groups : array_like, shape (n,), str, list, dict or splitter
            One label per row (clusters, folds; a Series goes by its index), or the column of a formula's
            table that has them. Or the groups themselves, each as for `rows=`; they may overlap.
        method : {"exact", "newton", "second_order", "influence"}
            As in `leave_one_out`.

        Returns
        -------
        Removal
            One removal per group, in the order of the sorted labels or of the list; `labels` names
            them, `groups[j]` are the rows of group j.

        Raises
        ------
        InvalidArgument, InvalidType
            There is not one label per row, only one label, or one is missing; a group is empty, holds
            all rows, a row twice, or a row that does not exist; the method is unknown.
        SingularHessian, IndefiniteHessian
            An approximation needs the inverse Hessian at theta, and there is none.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0, protocol="fixed").fit([[1.0], [1.0], [1.0]], [1.0, 2.0, 6.0])
        >>> fit.leave_groups_out(["a", "a", "b"]).theta.ravel().round(12)       # 6 and (1 + 2) / 2
        array([6. , 1.5])
        """
        return announced(leave_groups_out(self, groups, method=method))

    def removal_report(
        self, X: Any, y: Any = None, *, top: int = 10, groups: Any = None, offset: Any = None
    ) -> RemovalReport:
        """Return the changes of a loss by four orders of approximation, for the removals that matter.

        Parameters
        ----------
        X, y : array_like, shapes (m, p) and (m,)
            Test rows; the sum of their losses is reported.
        top : int
            How many removals to show: first those without a Newton step, then the largest by it.
        groups : array_like or list of arrays, optional
            Remove these groups, given as in `leave_groups_out`, instead of every row alone.
        offset : array_like, shape (m,), optional
            Offsets of the test rows.

        Returns
        -------
        RemovalReport
            First order, Newton step (linear and re-evaluated), second order and exact, after minus
            before, the last two kinds with certified errors. `print(report)` and `report.to_frame()`.

        Raises
        ------
        InvalidArgument, InvalidType
            As in `leave_groups_out`; top is not a whole number above 0.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=1.0, protocol="fixed").fit([[1.0], [1.0]], [1.0, 3.0])
        >>> fit.removal_report([[1.0]], [1.0], top=1).to_frame()[["first_order", "newton", "exact"]]
           first_order    newton     exact
        0     0.074074  0.138889  0.138889
        """
        return removal_report(self, X, y, top=top, groups=groups, offset=offset)
