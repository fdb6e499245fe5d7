"""`Removal`: theta without each row or group, and what follows for losses and predictions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.input.labels import index_of, paired_with
from influstat.input.ranking import Moves, Ranked
from influstat.input.settings import flag
from influstat.input.validation import FloatArray
from influstat.removal.active_set import active_set_changes, enters, lasso_of, with_entering
from influstat.removal.certificates import bounds
from influstat.removal.certificates.certify import certify, certify_in
from influstat.removal.certificates.theorem import Certificate
from influstat.removal.removed import Removed


@dataclass(frozen=True, eq=False, repr=False)
class Removal(Removed, Ranked):
    """The coefficients after each of k removals.

    Attributes
    ----------
    fit : Fit
        The fit with all rows.
    method : str
        How the coefficients were found.
    groups : Groups
        Which rows each removal leaves out: `groups[j]` are their positions, `labels[j]` its name.
    theta : ndarray, shape (k, p)
        The coefficients without them; nan where there are none, or where the rows left do not determine
        one: the others, predictions and losses are then those of the refit.
    converged : ndarray of bool, shape (k,)
        Whether `theta` is an exact minimiser; False for approximations that are not exact. Of very many
        removals it is exact to 1e-8 of `delta` in the norm of the Hessian, proven (see `removal.plan`).
    status : tuple of str
        "" for a removal like any other, else why its theta is nan, or which coefficients are.
    entering : scipy.sparse.csr_array, shape (k, q), or None
        Under an absolute-value penalty (Lasso, elastic net): the coefficients that columns left out of the
        fit have without the rows, almost all 0. `theta` has the columns of the fit; predictions and losses
        count both, and `to_frame` lists both.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=1.0, protocol="fixed").fit([[1.0], [1.0]], [1.0, 3.0])
    >>> loo = fit.leave_one_out()
    >>> loo.prediction_change([[3.0]]).ravel().round(9)       # 3 (1.5 - 4/3), 3 (0.5 - 4/3)
    array([ 0.5, -2.5])
    """

    HEADING = "Change of each coefficient without the rows, after minus before ({0.method})"

    def loss_change(
        self, X: Any, y: Any = None, *, offset: Any = None, linear: bool | None = None
    ) -> FloatArray:
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
            In units of the loss, as `fit.loss` reports it. Positive: the row helps. nan where there is no
            theta, as the status says. Losses beyond float64 (e^eta for eta > 709) are inf: so is the
            change, or nan if both are.
        """
        y, offset = paired_with(X, y=y, offset=offset)
        tests = self.fit.test_rows(X, y, offset=offset)
        with np.errstate(over="ignore", invalid="ignore"):
            if self.method == "influence" if linear is None else flag("linear", linear):
                change = tests.row_gradients_dot(self.fit.theta, (self.solution - self.fit.theta).T).T
                return self._known(change, tests)
            before = tests.row_losses(self.fit.theta)
            change = np.ascontiguousarray((tests.row_losses(self.solution.T) - before[:, None]).T)

            def evaluate(k: int, shifted: Any) -> FloatArray:
                rows = self.fit.test_rows(X, y, offset=shifted)
                return np.asarray(rows.row_losses(self.solution[k]) - before)

            change = with_entering(change, self.fit.risk, self.entering, X, offset, evaluate)
        return self._known(change, tests)

    def prediction_change(self, X: Any, *, kind: str = "linear", offset: Any = None) -> FloatArray:
        """Return the change of predictions for new rows, after minus before.

        Returns
        -------
        ndarray, shape (k, m)
            nan where there is no theta, where the rows left do not determine a prediction, and where the
            means before and after are both beyond float64.
        """
        (offset,) = paired_with(X, offset=offset)
        with np.errstate(over="ignore", invalid="ignore"):
            before = self.fit.predict(X, kind=kind, offset=offset)
            after = self.fit.predictions(self.solution.T, X, kind=kind, offset=offset)
            change = np.ascontiguousarray((after - before[:, None]).T)

            def evaluate(k: int, shifted: Any) -> FloatArray:
                return self.fit.predictions(self.solution[k], X, kind=kind, offset=shifted) - before

            change = with_entering(change, self.fit.risk, self.entering, X, offset, evaluate)
        return self._known_predictions(change, X)

    def active_set_changes(self) -> NDArray[np.bool_]:
        """Tell which removals change the set of columns that an L1 penalty keeps.

        Returns
        -------
        ndarray of bool, shape (k,)
            True where a coefficient changes its sign or becomes 0, a column left out comes in, or theta is
            nan. With method "exact" theta is that of the library's refit all the same, solved over all
            columns; the other methods answer for the columns and signs of the fit.

        Raises
        ------
        Unsupported
            The fit has no absolute-value penalty on its active set.
        """
        changes = active_set_changes(self.fit, self.theta, self.groups)
        return np.asarray(changes | enters(self.entering, len(changes)))

    @cached_property
    def certificate(self) -> Certificate:
        """What is proven about the distance to the true coefficients, measured when first asked.

        Risks of one linear predictor per row, softmax risks and MNLogit have one. `certificate.status` says
        per removal why there is none: a loss without self-concordance (|l3| <= c l2), rows that determine a
        coefficient alone, coefficients too far from the true ones.
        """
        changes = None if lasso_of(self.fit.risk) is None else self.active_set_changes()
        there = self.fit.row_space or self.fit.chart
        if there is not None and self.inner is not None:
            kept = self.fit.regular.kept if self.fit.row_space is None else None
            found = certify_in(there, self.groups, self.inner, self.solution, kept)
        else:  # the theorem is about smooth risks: those signs and columns
            theta = self.theta if changes is None else np.where(changes[:, None], np.nan, self.theta)
            found = certify(self.fit.risk, self.fit.theta, self.groups, theta, kept=self.fit.kept)
        if changes is None:
            return found
        why = "not certified: the removal changes the active set"
        status = [why if changed else text for changed, text in zip(changes, found.status, strict=True)]
        return replace(found, status=tuple(status))

    def theta_bound(self) -> FloatArray:
        """Return certified bounds on |theta - theta of the exact minimiser without the rows|.

        They bound |reported delta - true delta| too, also of a fit that has not converged.

        Returns
        -------
        ndarray, shape (k, p)
            nan where not certified.
        """
        bound = bounds.theta_bound(self.fit, self.certificate)
        return bounds.announced(self, np.where(np.isnan(self.theta), np.nan, bound))

    def prediction_bound(self, X: Any, *, kind: str = "linear", offset: Any = None) -> FloatArray:
        """Return certified bounds on |prediction_change - true change|.

        Parameters as for `prediction_change`; the mean must be monotone in the linear predictor, as it
        is for every loss here that has one and can be certified, or the probabilities of a softmax risk.

        Returns
        -------
        ndarray, shape (k, m)
            In the units of the predictions; nan where not certified, inf where squares of the row of X or
            a mean that might be the true one are beyond float64.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Logistic(lam=0.5).fit([[1.0], [-1.0], [2.0], [-2.0]], [1, 0, 0, 1])
        >>> newton, exact = (fit.leave_one_out(method=m) for m in ("newton", "exact"))
        >>> error = newton.prediction_change([[1.0]]) - exact.prediction_change([[1.0]])
        >>> bool((abs(error) <= newton.prediction_bound([[1.0]])).all())
        True
        """
        bound = bounds.prediction_bound(self.fit, self.certificate, X, kind=kind, offset=offset)
        return bounds.announced(self, self._known_predictions(bound, X))

    def loss_bound(
        self, X: Any, y: Any = None, *, offset: Any = None, linear: bool | None = None
    ) -> FloatArray:
        """Return certified bounds on |loss_change - true change|.

        Parameters as for `loss_change`: with `linear`, the change of the tangent is what is judged. The
        true change is that of the loss at the exact minimiser without the rows.

        Returns
        -------
        ndarray, shape (k, m)
            In the units of the loss; nan where not certified, inf where squares of the row of X or a loss
            that might be the true one are beyond float64.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Logistic(lam=0.5).fit([[1.0], [-1.0], [2.0], [-2.0]], [1, 0, 0, 1])
        >>> loo = fit.leave_one_out(method="newton")
        >>> bool((loo.loss_bound([[1.0]], [1]) < 0.1).all())
        True
        """
        tests = self.fit.test_rows(X, y, offset=offset)
        again = self.loss_change(X, y, offset=offset, linear=False)
        reported = self.loss_change(X, y, offset=offset, linear=linear)
        found = bounds.loss_bound(self.fit, self.certificate, tests, again=again, reported=reported)
        return bounds.announced(self, self._known(found, tests))

    def held_out_bound(self) -> FloatArray:
        """Return certified bounds on |l_j(theta) - l_j(true theta)| for the removed rows j themselves.

        Without a penalty's share: their weighted mean bounds the error of a cross-validated loss.

        Returns
        -------
        ndarray, shape (rows removed,)
            In the order of `groups.members`; nan where not certified.
        """
        return bounds.announced(self, bounds.held_out_bound(self.fit, self.certificate))

    def to_frame(self) -> Any:
        """Return delta as a pandas DataFrame: removals labelled, one column per coefficient.

        Returns
        -------
        DataFrame
            Columns that come in without some row, under an absolute-value penalty, follow those of the fit.
        """
        import pandas as pd

        frame = pd.DataFrame(self.delta, index=index_of(self.labels), columns=list(self.fit.names))
        lasso = lasso_of(self.fit.risk)
        if self.entering is None or lasso is None or lasso.excluded is None:
            return frame
        for j in np.unique(self.entering.indices):
            frame[lasso.excluded.names[j]] = self.entering[:, [j]].toarray()[:, 0]
        return frame

    def moves(self) -> Moves:
        """Return `delta`, and the columns that come in, a column for each coefficient."""
        units = self.groups.units
        title = f"Change of each coefficient without the {units}, after minus before ({self.method})"
        if self.entering is None:
            return Moves(self.delta, self.labels, self.fit.names, title, units)
        frame = self.to_frame()
        return Moves(frame.to_numpy(), self.labels, list(frame.columns), title, units)
