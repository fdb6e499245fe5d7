"""`Fit`: "theta minimises this risk", checked. Everything else starts from one.

Data flow one way: a fit gives its Hessian, its influence functions and what happens without rows;
those rooms (`influence`, `removal`) are imported where they are asked for.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import NotStationary
from influstat.input.parts import require_parts
from influstat.input.validation import FloatArray, check_order, real_number, vector, whole_number
from influstat.minimise.newton import minimise, stationarity
from influstat.risks.contract import Risk
from influstat.row_statistics import RowStatistics
from influstat.solvers import Cholesky, Solver

if TYPE_CHECKING:
    from influstat.influence.influence import Influence
    from influstat.removal.report import RemovalReport
    from influstat.removal.result import Removal

STATIONARITY = 1e-6  # largest relative gradient at which theta still counts as a minimiser


class Fit(RowStatistics):
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

    def __init__(self, risk: Risk, theta: Any, *, tolerance: float = STATIONARITY) -> None:
        _require_risk(risk)
        limit = tolerance if tolerance == inf else real_number("tolerance", tolerance, above=0.0)
        self.risk = risk
        self.theta: FloatArray = _coefficients("theta", theta, risk)
        self.theta.flags.writeable = False  # a change would leave everything derived from it behind
        self.stationarity: float = stationarity(risk, self.theta)
        if not self.stationarity <= limit:
            _refuse(risk, self.theta, self.stationarity, limit)

    @classmethod
    def minimise(cls, risk: Risk, *, start: Any = None, max_iterations: int = 200) -> Fit:
        """Fit by Newton's method, to a relative gradient of 1e-12.

        Parameters
        ----------
        risk : Risk
            What to minimise.
        start : array_like, shape (p,), optional
            Where to start; zeros when left out.
        max_iterations : int
            Most Newton steps.

        Raises
        ------
        SingularHessian, NoMinimiser, IndefiniteHessian, NotConverged
            The minimiser is not unique, does not exist, or was not found; the message says why.

        Examples
        --------
        >>> import influstat as ist
        >>> risk = ist.LinearRisk(ist.SquaredError(), [[1.0], [1.0]], [1.0, 3.0], penalty=ist.L2(2.0))
        >>> ist.Fit.minimise(risk).theta        # x'y / (x'x + 1)
        array([1.33333333])
        """
        _require_risk(risk)
        limit = whole_number("max_iterations", max_iterations, at_least=1)
        if start is not None:
            start = _coefficients("start", start, risk)
        return cls(risk, minimise(risk, start=start, max_iterations=limit).theta, tolerance=np.inf)

    def __repr__(self) -> str:
        """Say what was fitted to how much."""
        n, p = self.risk.shape
        loss = getattr(self.risk, "loss", type(self.risk).__name__)
        return f"Fit({loss!r}, {n} rows, {p} coefficients, gradient norm {self.gradient_norm:.1e})"

    # -- what was fitted ---------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients, in the order of theta."""
        return tuple(self.risk.names)

    @property
    def row_labels(self) -> NDArray[Any]:
        """What each training row is called, shape (n,)."""
        return self.risk.row_labels

    @property
    def gradient_norm(self) -> float:
        """|grad R(theta)|, mean scale; 0 at the minimum."""
        return float(np.linalg.norm(self.risk.gradient(self.theta)))

    @property
    def hessian(self) -> Any:
        """H(theta), the Hessian of R in mean scale, as a `scipy.sparse.linalg.LinearOperator`.

        For one linear predictor per row it is [X' diag(w_i l2_i) X + kappa D] / W.
        """
        return self.risk.curvature(self.theta)

    # -- new rows ------------------------------------------------------------------------------------

    def predict(self, X: Any, *, kind: str = "linear", offset: Any = None) -> FloatArray:
        """Predict for new rows.

        Parameters
        ----------
        X : array_like, shape (m, p)
            Rows with the training columns, without the intercept column if the fit has its own.
        kind : {"linear", "mean"}
            The linear predictor x'theta + offset, or the mean E(y | x) that belongs to it.
        offset : array_like, shape (m,), optional
            Zeros when left out.

        Returns
        -------
        ndarray, shape (m,)
            In the units of the linear predictor, or of y.

        Raises
        ------
        InvalidArgument, InvalidType
            X has other columns, or the loss has no mean.
        """
        return self.risk.predictions(self.theta, X, kind=kind, offset=offset)

    def loss(self, X: Any, y: Any, *, offset: Any = None) -> FloatArray:
        """Return the loss of new rows, shape (m,).

        L_te = l(y_te, x_te'theta + o_te), plus P(theta) / W if "folded"; W is the training rows' weight.
        """
        return np.asarray(self.risk.test_rows(X, y, offset=offset).row_losses(self.theta))

    # -- questions about rows ------------------------------------------------------------------------

    def influence(self, *, solver: Solver | None = None) -> Influence:
        """Return the influence functions of this fit, one factorisation for all questions.

        Parameters
        ----------
        solver : Solver, optional
            How H^-1 g is found; `Cholesky()` when left out.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=1.0).fit([[1.0], [1.0]], [1.0, 3.0])
        >>> fit.influence().on_prediction([[1.0]]).values.sum().round(12)      # they cancel
        np.float64(0.0)
        """
        from influstat.influence.influence import Influence

        return Influence(self, Cholesky() if solver is None else solver)

    def leave_one_out(self, *, method: str = "exact", rows: Any = None) -> Removal:
        """Return what happens to theta when each row is left out alone.

        Parameters
        ----------
        method : {"exact", "newton", "second_order", "influence"}
            "exact": the minimiser without the row, under the fit's own penalty protocol, for every row
            with its gradient. "newton": one Newton step on the objective without the row, leverage
            corrected (exact for squared error). "second_order": the second-order expansion in the
            row's weight. "influence": the first-order one, -(w_i / W) I_theta(i).
        rows : array_like of int, optional
            Which rows, by position; all when left out.

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
        >>> fit = ist.Ridge(lam=1.0, penalty="fixed").fit([[1.0], [1.0]], [1.0, 3.0])
        >>> fit.leave_one_out().theta.ravel()       # 3 / (1 + 1) and 1 / (1 + 1)
        array([1.5, 0.5])
        """
        from influstat.removal import leave_one_out

        return leave_one_out(self, method=method, rows=rows)

    def leave_groups_out(self, labels: Any, *, method: str = "exact") -> Removal:
        """Return what happens to theta when each group of rows is left out together.

        Parameters
        ----------
        labels : array_like, shape (n,), or list of arrays of int
            One label per row (clusters, folds): each value is a group. Or the groups themselves, each
            an array of row positions; they may overlap and need not cover all rows.
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
        >>> fit = ist.Ridge(lam=0.0, penalty="fixed").fit([[1.0], [1.0], [1.0]], [1.0, 2.0, 6.0])
        >>> fit.leave_groups_out(["a", "a", "b"]).theta.ravel().round(12)       # 6 and (1 + 2) / 2
        array([6. , 1.5])
        """
        from influstat.removal import leave_groups_out

        return leave_groups_out(self, labels, method=method)

    def removal_report(
        self, X: Any, y: Any, *, top: int = 10, groups: Any = None, offset: Any = None
    ) -> RemovalReport:
        """Return the changes of a loss by four orders of approximation, for the removals that matter.

        Parameters
        ----------
        X, y : array_like, shapes (m, p) and (m,)
            Test rows; the sum of their losses is reported.
        top : int
            How many removals to show: those of largest change by the Newton step, first those that
            have no Newton step.
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
        >>> fit = ist.Ridge(lam=1.0, penalty="fixed").fit([[1.0], [1.0]], [1.0, 3.0])
        >>> fit.removal_report([[1.0]], [1.0], top=1).to_frame()[["first_order", "newton", "exact"]]
           first_order    newton     exact
        0     0.074074  0.138889  0.138889
        """
        from influstat.removal.report import removal_report

        return removal_report(self, X, y, top=top, groups=groups, offset=offset)


def _require_risk(risk: Any) -> None:
    require_parts("risk", risk, Risk, need="be a risk", example="ist.LinearRisk(loss, X, y)")


def _coefficients(argument: str, value: Any, risk: Risk) -> FloatArray:
    """Return one finite number per coefficient; names, where they come along, must be in order."""
    check_order(argument, value, np.array(risk.names, dtype=object), of="the coefficients")
    return vector(argument, value, risk.shape[1], per="coefficient")


def _refuse(risk: Risk, theta: FloatArray, measure: float, limit: float) -> None:
    gradient, scale = risk.gradient(theta), risk.gradient_scale(theta)
    worst = int(np.argmax(np.abs(gradient) / np.where(scale > 0, scale, 1.0)))
    raise NotStationary(
        "theta",
        f"minimise the risk (a relative gradient of at most {limit:.1e})",
        f"has {measure:.3g}, largest for {risk.names[worst]!r}; |grad R| = {np.linalg.norm(gradient):.3g}",
        "Let the fit converge, check that loss, penalty, weights and offset are those it was fitted with, "
        "or finish it with ist.Fit.minimise(risk, start=theta).",
    )
