"""Functions of theta as quantities: any smooth one, linear combinations, means of new rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.optimize import brentq

from influstat.algebra.rounding import EPSILON
from influstat.errors import InvalidArgument, InvalidType
from influstat.influence.influence import difference_scale
from influstat.input.printing import short
from influstat.input.settings import text, texts
from influstat.input.validation import FloatArray, check_finite, numeric_array, vector
from influstat.minimise.minimum import Minimum, require_fit
from influstat.numerics.differences import gradient_of
from influstat.numerics.watched import called
from influstat.risks.linear import as_linear
from influstat.sets.thresholds import Line
from influstat.statistics.functionals.base import Functional
from influstat.statistics.functionals.weights import weights_by_position

FARTHER = (1.0, 10.0, 100.0, 1e4, 1e8)  # linear predictors between which one is looked for
NEAR = 1e-9  # of a mean: so near to it the root of a continuous function comes


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
    check_function(fit, function)
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
    coefficients : array_like, shape (p,) or (m, p), dict, Series or DataFrame
        One combination, or one per line. A dict of weights by the names of coefficients, or a Series or the
        columns of a DataFrame whose labels are names, has 0 for all others; a list of dicts is one per line.
    labels : sequence of str, optional
        Their names.

    Returns
    -------
    Functional

    Raises
    ------
    InvalidArgument, InvalidType
        There are not p finite numbers per combination, or all are 0; there is no such coefficient.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0, 0.0], [0.0, 1.0]], [1.0, 3.0], names=["a", "b"])
    >>> q = ist.contrast(fit, [-1.0, 1.0], labels=["b - a"])
    >>> q.labels, q.value.round(12)
    (('b - a',), array([2.]))
    >>> ist.contrast(fit, {"b": 1.0, "a": -1.0}).value.round(12)
    array([2.])
    """
    p = len(require_fit(fit).theta)
    given = weights_by_position("coefficients", coefficients, fit.names)
    lines = np.atleast_2d(np.asarray(numeric_array("coefficients", given), dtype=np.float64))
    if lines.ndim != 2 or lines.shape[1] != p or lines.shape[0] == 0:
        raise InvalidArgument(
            "coefficients",
            f"have shape ({p},) or (m, {p}), one number per coefficient",
            f"has shape {np.shape(coefficients)}",
            "Write a 0 for coefficients that take no part.",
        )
    check_finite("coefficients", lines)
    if not lines.any(axis=1).all():
        need, was = "have a weight other than 0 in every combination", "has one without"
        raise InvalidArgument("coefficients", need, was, 'Name a coefficient, as in {"age": 1.0}.')
    names = _labels(labels, len(lines), "contrast")
    return Functional(
        fit,
        names,
        "contrast",
        lines @ fit.theta,
        np.ascontiguousarray(lines.T),
        np.zeros(len(lines)),
        partial(_combined, lines),
        lines=tuple(Line(line, 0.0, _same, "a combination of coefficients") for line in lines),
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
        lines=_predictors(fit, X, offset),
    )


# How each kind of quantity is evaluated; results that held local functions would not pickle.
def _given(function: Callable[[Any], Any], theta: FloatArray, weights: FloatArray) -> FloatArray:
    return np.atleast_1d(np.asarray(function(theta.copy()), dtype=np.float64))


def _combined(lines: FloatArray, theta: FloatArray, weights: FloatArray) -> FloatArray:
    return np.asarray(lines @ theta)


def _means(fit: Minimum, X: Any, offset: Any, theta: FloatArray, weights: FloatArray) -> FloatArray:
    return fit.predictions(theta, X, kind="mean", offset=offset)


def _same(value: float) -> float:
    return value


def _predictors(fit: Minimum, X: Any, offset: Any) -> tuple[Line, ...]:
    """Return the linear predictors of new rows, none for risks whose means are no functions of one each."""
    risk = as_linear(fit.risk)
    if risk is None:
        return ()
    rows, _ = fit.prediction_gradients(X, offset=offset)
    known = fit.offset_of(X, offset)
    shifts = np.zeros(rows.shape[1]) if known is None else vector("offset", known, rows.shape[1])
    inverse = partial(_predictor, risk.loss)
    lines = zip(rows.T, shifts, strict=True)
    return tuple(Line(np.asarray(row), float(shift), inverse, "linear predictor") for row, shift in lines)


def _predictor(loss: Any, mean: float) -> float:
    """Return the linear predictor at which a loss has this mean, nan where none has."""

    def excess(eta: float) -> float:
        return float(loss.mean(np.array([eta]))[0]) - mean

    with np.errstate(all="ignore"):
        for far in FARTHER:
            for ends in ((-far, far), (1.0 / far, far), (-far, -1.0 / far)):  # inverse links have a pole at 0
                values = [excess(end) for end in ends]
                if np.isfinite(values).all() and values[0] * values[1] <= 0.0:
                    root = brentq(excess, *ends, xtol=1e-300, rtol=4.0 * EPSILON, disp=False)
                    if abs(excess(root)) <= NEAR * max(1.0, abs(mean)):  # else the pole itself
                        return float(root)
    return float("nan")


def _labels(labels: Sequence[str] | None, m: int, quantity: str) -> tuple[str, ...]:
    if labels is None:
        return (quantity,) if m == 1 else tuple(f"{quantity} {k}" for k in range(m))
    names = texts("labels", labels)
    if len(names) != m:
        raise InvalidArgument("labels", f"be {m} names", f"is {short(labels)}", "Pass one name per quantity.")
    return tuple(names)


def check_function(fit: Minimum, function: Callable[[Any], Any]) -> None:
    """Raise where the function does not give a number, or m numbers, at theta."""
    need = f"return a number or an array of numbers for a float array theta of shape ({len(fit.theta)},)"
    remedy = f"Entries of theta have positions: theta[fit.names.index({fit.names[0]!r})] for example."
    try:
        returned = called("function", function, theta=fit.theta.copy())
    except (LookupError, AttributeError) as error:
        raise InvalidArgument("function", need, f"raises {type(error).__name__}: {error}", remedy) from error
    try:
        array = np.asarray(returned)
    except ValueError:
        raise InvalidArgument("function", need, "returned rows of different lengths", remedy) from None
    if array.dtype.kind not in "fiub":
        raise InvalidType("function", need, f"returned {short(returned)}", remedy)
    if array.ndim > 1 or array.size == 0:
        raise InvalidArgument("function", need, f"returned shape {array.shape}", "Flatten what it returns.")
    if not np.isfinite(array).all():
        need = "return finite numbers at the theta of the fit"
        raise InvalidArgument("function", need, f"returned {short(returned)}", "Ask where it is defined.")
