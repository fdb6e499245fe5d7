"""Quantities of a fit that people report, and how they hang on single rows.

Each is a `Functional`: its value, its gradient in theta, and how it is evaluated again when rows go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.influence.influence import Influence, difference_scale
from influstat.influence.scores import Scores
from influstat.input.labels import index_of
from influstat.input.printing import Tabled, short
from influstat.input.progress import progress
from influstat.input.settings import text, texts
from influstat.input.validation import FloatArray, check_finite, numeric_array
from influstat.minimise.minimum import Minimum, require_fit
from influstat.numerics.gradients import gradient_of
from influstat.removal.entering import enters
from influstat.removal.leave_out import announced, leave_one_out
from influstat.statistics.covariance import quadratic_forms

if TYPE_CHECKING:
    import pandas as pd

NOT_DETERMINED = "the rows do not determine it, since columns depend on each other"
LETS_IN = "a column that the fit left out comes in, on which this function of theta does not depend"
Evaluate = Callable[[FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True, eq=False, repr=False)
class FunctionalChange(Tabled):
    """What becomes of m quantities when each of k rows is removed.

    Attributes
    ----------
    change : ndarray, shape (k, m)
        After minus before, in units of the quantities; nan where there is no fit without the row.
    row_labels : ndarray, shape (k,)
        The rows.
    labels : tuple of str
        The quantities.
    status : tuple of str
        "" for a row like any other, else why it has nan.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0]], [1.0, 3.0])
    >>> ist.contrast(fit, [2.0]).leave_one_out().change.ravel().round(9)        # 2 * 3 - 4, 2 * 1 - 4
    array([ 2., -2.])
    """

    HEADING = "Change without each row, after minus before"
    change: FloatArray
    row_labels: NDArray[Any]
    labels: tuple[str, ...]
    status: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return the changes, rows by quantities."""
        import pandas as pd

        return pd.DataFrame(self.change, index=index_of(self.row_labels), columns=list(self.labels))


@dataclass(frozen=True, eq=False, repr=False)
class Functional(Tabled):
    """m smooth quantities q of a fit.

    Attributes
    ----------
    fit : Fit
        The fit.
    labels : tuple of str
        What the quantities are called.
    quantity : str
        What they are, for headings.
    value : ndarray, shape (m,)
        q at theta.
    gradient : ndarray, shape (p, m)
        dq / dtheta.
    gradient_error : ndarray, shape (m,)
        Estimate of the gradient's error, per standard scale of the coefficients; 0 for closed forms.
    evaluate : callable
        (theta, weights) -> q, shape (m,): for q that average over the fit's own rows, those weights count.
    own_part : ndarray, shape (n, m), or None
        For such q, the influence of each row as one of those averaged over, theta held fixed.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0]], [1.0, 3.0])
    >>> q = ist.contrast(fit, [2.0])
    >>> q.value, q.influence().values.ravel()           # 2 theta and 2 (y_i - theta)
    (array([4.]), array([-2.,  2.]))
    """

    HEADING = "{0.quantity}"
    fit: Minimum
    labels: tuple[str, ...]
    quantity: str
    value: FloatArray
    gradient: FloatArray
    gradient_error: FloatArray
    evaluate: Evaluate
    own_part: FloatArray | None = None

    def influence(self) -> Scores:
        """Return the influence of each row: -a'H^-1 g_i, plus its own part in an average.

        `removal` of the scores is the first-order change, after minus before, when the row goes.

        Returns
        -------
        Scores, shape (n, m)

        Raises
        ------
        SingularHessian, IndefiniteHessian
            H has no inverse.
        """
        scores = Influence(self.fit).on(self.gradient)
        values = scores.values if self.own_part is None else scores.values + self.own_part
        return Scores(values, scores.share, scores.row_labels, self.labels, self.quantity, scores.solution)

    def leave_one_out(self, *, method: str = "exact", rows: Any = None) -> FunctionalChange:
        """Return the change when each row is removed, q evaluated anew at theta without the row.

        Parameters
        ----------
        method, rows
            As in `Fit.leave_one_out`.

        Returns
        -------
        FunctionalChange
        """
        removal = announced(leave_one_out(self.fit, method=method, rows=rows))
        values = np.full((len(removal.theta), len(self.value)), np.nan)
        weights = self.fit.risk.weights
        lets_in = enters(removal.entering, len(values))
        whole = removal.determined  # what a quantity's gradient does not feel may be unknown
        known = np.ones(values.shape, dtype=np.bool_) if whole is None else whole.of(self.gradient.T)
        for k, row in enumerate(progress(removal.rows, f"{self.quantity} without each row")):
            if lets_in[k] or np.isnan(removal.solution[k]).any():
                continue
            kept = weights.copy()
            kept[row] = 0.0
            values[k] = np.where(known[k], self.evaluate(removal.solution[k], kept) - self.value, np.nan)
        lost = np.isnan(values).any(axis=1)
        reasons = [LETS_IN if new else text for new, text in zip(lets_in, removal.status, strict=True)]
        status = tuple((text or NOT_DETERMINED) * bool(no) for text, no in zip(reasons, lost, strict=True))
        return FunctionalChange(values, removal.labels, self.labels, status)

    def standard_errors(self, kind: str | None = None, **settings: Any) -> FloatArray:
        """Return sqrt(a'Va), the delta method with rows averaged over held fixed; `Fit.covariance` has more.

        Returns
        -------
        ndarray, shape (m,)
            In the units of q.
        """
        squares = quadratic_forms(self.fit, self.gradient, kind, **settings)
        return np.asarray(np.sqrt(squares))

    @cached_property
    def _columns(self) -> dict[str, FloatArray]:
        return {"value": self.value, "standard_error": self.standard_errors()}

    def to_frame(self) -> pd.DataFrame:
        """Return value and model-based standard error of each quantity."""
        import pandas as pd

        return pd.DataFrame(self._columns, index=list(self.labels))


def functional(
    fit: Minimum,
    function: Callable[[Any], Any],
    *,
    labels: Sequence[str] | None = None,
    quantity: str = "quantity",
) -> Functional:
    """Return any smooth function of theta as a Functional.

    Parameters
    ----------
    fit : Fit
        The fit.
    function : callable
        theta, shape (p,), to a number or m numbers. Its gradient is found by a complex step where it
        takes complex numbers, else by differences with an error estimate.
    labels : sequence of str, optional
        Names of the m numbers.
    quantity : str
        What they are.

    Returns
    -------
    Functional

    Raises
    ------
    InvalidArgument, InvalidType
        The function returns something else than finite numbers; the labels are not m.

    Warns
    -----
    DoubtfulResult
        The function is not smooth at theta.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0]], [1.0, 3.0])
    >>> q = ist.functional(fit, lambda theta: theta[0] ** 2)
    >>> q.value, q.influence().values.ravel()           # 2 theta (y_i - theta)
    (array([4.]), array([-4.,  4.]))
    """
    scale = difference_scale(require_fit(fit))
    quantity = text("quantity", quantity)
    gradient = gradient_of(function, fit.theta, scale)
    evaluate = partial(_given, function)
    value = evaluate(fit.theta, fit.risk.weights)
    names = _labels(labels, len(value), quantity)
    return Functional(fit, names, quantity, value, gradient.value, gradient.error, evaluate)


def contrast(fit: Minimum, coefficients: Any, *, labels: Sequence[str] | None = None) -> Functional:
    """Return linear combinations of the coefficients.

    Parameters
    ----------
    fit : Fit
        The fit.
    coefficients : array_like, shape (p,) or (m, p)
        One combination, or one per line.
    labels : sequence of str, optional
        Their names.

    Returns
    -------
    Functional

    Raises
    ------
    InvalidArgument, InvalidType
        There are not p finite numbers per combination.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0, 0.0], [0.0, 1.0]], [1.0, 3.0], names=["a", "b"])
    >>> q = ist.contrast(fit, [-1.0, 1.0], labels=["b - a"])
    >>> q.labels, q.value.round(12)
    (('b - a',), array([2.]))
    """
    p = len(require_fit(fit).theta)
    lines = np.atleast_2d(np.asarray(numeric_array("coefficients", coefficients), dtype=np.float64))
    if lines.ndim != 2 or lines.shape[1] != p or lines.shape[0] == 0:
        raise InvalidArgument(
            "coefficients",
            f"have shape ({p},) or (m, {p}), one number per coefficient",
            f"has shape {np.shape(coefficients)}",
            "Write a 0 for coefficients that take no part.",
        )
    check_finite("coefficients", lines)
    names = _labels(labels, len(lines), "contrast")
    return Functional(
        fit,
        names,
        "contrast",
        lines @ fit.theta,
        np.ascontiguousarray(lines.T),
        np.zeros(len(lines)),
        partial(_combined, lines),
    )


def predicted_mean(fit: Minimum, X: Any, *, offset: Any = None) -> Functional:
    """Return the mean E(y | x) of new rows.

    Parameters
    ----------
    fit : Fit
        The fit.
    X : array_like, shape (m, p)
        Rows with the training columns.
    offset : array_like, shape (m,), optional
        Their offsets.

    Returns
    -------
    Functional

    Raises
    ------
    InvalidArgument, InvalidType
        X has other columns.
    Unsupported
        The loss has no mean.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Logistic(lam=1.0).fit([[1.0], [-1.0]], [1, 0])
    >>> q = ist.predicted_mean(fit, [[0.0]])
    >>> q.value, q.gradient                 # 1 / 2 whatever theta is
    (array([0.5]), array([[0.]]))
    """
    gradient, labels = require_fit(fit).prediction_gradients(X, kind="mean", offset=offset)
    return Functional(
        fit,
        tuple(str(label) for label in labels),
        "predicted mean",
        fit.predict(X, kind="mean", offset=offset),
        np.asarray(gradient),
        np.zeros(gradient.shape[1]),
        partial(_means, fit, X, offset),
    )


# How each kind of quantity is evaluated; results that held local functions would not pickle.
def _given(function: Callable[[Any], Any], theta: FloatArray, weights: FloatArray) -> FloatArray:
    return np.atleast_1d(np.asarray(function(theta.copy()), dtype=np.float64))


def _combined(lines: FloatArray, theta: FloatArray, weights: FloatArray) -> FloatArray:
    return np.asarray(lines @ theta)


def _means(fit: Minimum, X: Any, offset: Any, theta: FloatArray, weights: FloatArray) -> FloatArray:
    return fit.predictions(theta, X, kind="mean", offset=offset)


def _labels(labels: Sequence[str] | None, m: int, quantity: str) -> tuple[str, ...]:
    if labels is None:
        return (quantity,) if m == 1 else tuple(f"{quantity} {k}" for k in range(m))
    names = texts("labels", labels)
    if len(names) != m:
        raise InvalidArgument("labels", f"be {m} names", f"is {short(labels)}", "Pass one name per quantity.")
    return tuple(names)
