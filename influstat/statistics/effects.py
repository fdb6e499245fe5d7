"""Effects of a column on the mean: average marginal effects and odds ratios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.special import expit

from influstat.errors import InflustatError, InvalidArgument, Unsupported
from influstat.input.printing import short
from influstat.input.settings import entries, texts
from influstat.input.validation import FloatArray, real_number, vector
from influstat.minimise.minimum import Minimum, require_fit
from influstat.risks.linear import require_linear
from influstat.statistics.functionals import Functional

STEP = float(np.finfo(np.float64).eps) ** 0.2  # of a five-point difference in the linear predictor


def average_marginal_effect(
    fit: Minimum,
    columns: Sequence[str] | str | None = None,
    *,
    discrete: Sequence[str] = (),
    X: Any = None,
    offset: Any = None,
) -> Functional:
    """Return the average over rows of the change of the mean with a column.

    Parameters
    ----------
    fit : Fit
        A fit with a linear predictor and a mean.
    columns : sequence of str, optional
        Coefficients by name; all but an intercept and other constant columns when left out.
    discrete : sequence of str
        Those of the columns for which the effect is the mean at 1 minus the mean at 0, instead of the
        derivative theta_j m'(eta).
    X, offset : array_like, optional
        Other rows to average over, each counting the same. Left out: the training rows, weighted as
        in the fit; a removed row then also leaves the average, as it does in a refit.

    Returns
    -------
    Functional
        In units of y per unit of the column. Its influence and removal have both parts of a training
        row's effect: through theta, and as one of the rows averaged over.

    Raises
    ------
    Unsupported
        The loss has no mean, or the risk no linear predictor.
    InvalidArgument
        A column does not exist.

    Notes
    -----
    As statsmodels' `get_margeff(at="overall", method="dydx")`. The gradient needs m'', found by a
    five-point difference of m' to about 12 digits.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Logistic(lam=1.0).fit([[1.0], [-1.0]], [1, 0], names=["dose"])
    >>> q = ist.average_marginal_effect(fit)
    >>> p = fit.predict([[1.0]], kind="mean")
    >>> float((q.value - fit.theta * p * (1 - p))[0].round(12))
    0.0
    """
    part = require_linear(require_fit(fit).risk, "marginal effects")
    training = X is None
    if training:
        rows, fixed = part.design.rows(slice(None)), part.offset
    else:
        rows = fit.prediction_gradients(X)[0].T
        fixed = np.zeros(len(rows)) if offset is None else vector("offset", offset, len(rows))
    if training and offset is not None:
        raise InvalidArgument("offset", "come with X", "is given alone", "Pass X too.")
    chosen = chosen_columns(fit, columns)
    _require_some(chosen)
    stepped = set(chosen_columns(fit, entries("discrete", discrete), "discrete").tolist())
    if not stepped <= set(chosen.tolist()):
        raise InvalidArgument(
            "discrete", "be among the columns", f"is {short(discrete)}", "Add them to columns."
        )
    effects = _Effects(part.loss, rows, fixed, [(int(j), int(j) in stepped) for j in chosen])
    weights = part.weights if training else np.ones(len(rows))
    evaluate = partial(_average, effects, None if training else weights)
    value = evaluate(fit.theta, weights)
    return Functional(
        fit,
        tuple(fit.names[j] for j in chosen),
        "average marginal effect",
        value,
        effects.gradient(fit.theta, weights),
        np.zeros(len(chosen)),
        evaluate,
        effects.each(fit.theta) - value if training else None,
    )


@dataclass(frozen=True, eq=False)
class _Effects:
    """The effects of some columns on the means of some rows."""

    loss: Any
    rows: FloatArray
    offset: FloatArray
    columns: list[tuple[int, bool]]

    def each(self, theta: FloatArray) -> FloatArray:
        """Return the effect of every column on every row's mean, shape (n, m)."""
        eta = self.rows @ theta + self.offset
        slope = self.loss.mean_derivative(eta)
        columns = []
        for j, discrete in self.columns:
            if discrete:
                at_zero = eta - self.rows[:, j] * theta[j]
                columns.append(self.loss.mean(at_zero + theta[j]) - self.loss.mean(at_zero))
            else:
                columns.append(slope * theta[j])
        return np.column_stack(columns)

    def average(self, theta: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the weighted average over the rows, shape (m,)."""
        return np.asarray(weights @ self.each(theta) / weights.sum())

    def gradient(self, theta: FloatArray, weights: FloatArray) -> FloatArray:
        """Return its gradient in theta, shape (p, m)."""
        eta = self.rows @ theta + self.offset
        share = weights / weights.sum()
        slope, bend = self.loss.mean_derivative(eta), self._bend(eta)
        columns = []
        for j, discrete in self.columns:
            if discrete:
                at_zero = eta - self.rows[:, j] * theta[j]
                before = self.loss.mean_derivative(at_zero)
                after = self.loss.mean_derivative(at_zero + theta[j])
                column = self.rows.T @ (share * (after - before))
                column[j] = share @ after
            else:
                column = theta[j] * (self.rows.T @ (share * bend))
                column[j] += share @ slope
            columns.append(column)
        return np.column_stack(columns)

    def _bend(self, eta: FloatArray) -> FloatArray:
        """Return m''(eta)."""
        step = STEP * np.maximum(1.0, np.abs(eta))
        near = self.loss.mean_derivative(eta + step) - self.loss.mean_derivative(eta - step)
        far = self.loss.mean_derivative(eta + 2.0 * step) - self.loss.mean_derivative(eta - 2.0 * step)
        return np.asarray((8.0 * near - far) / (12.0 * step))


def odds_ratio(fit: Minimum, columns: Sequence[str] | str | None = None, *, unit: float = 1.0) -> Functional:
    """Return exp(unit theta_j), the odds ratio for a step of `unit` in a column, other columns equal.

    Parameters
    ----------
    fit : Fit
        A fit whose mean is the logistic function of the linear predictor.
    columns : sequence of str, optional
        Coefficients by name; all but an intercept when left out.
    unit : float
        Length of the step.

    Returns
    -------
    Functional
        One value per coefficient; 1 where the column does not matter.

    Raises
    ------
    Unsupported
        The model has another mean, so that exp(theta) is no odds ratio.
    InvalidArgument
        A column does not exist.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Logistic(lam=0.0).fit([[1.0]] * 4, [1, 1, 1, 0], names=["treated"])
    >>> ist.odds_ratio(fit, "treated").value.round(9)               # 3 to 1
    array([3.])
    """
    step = real_number("unit", unit)
    if not has_logistic_mean(require_fit(fit)):
        raise Unsupported(
            "fit",
            "have a logistic mean for odds ratios",
            f"has {getattr(fit.risk, 'loss', fit.risk)!r}",
            "Use ist.functional(fit, lambda theta: np.exp(theta)), and give it the name that it deserves.",
        )
    chosen = chosen_columns(fit, columns)
    _require_some(chosen)
    evaluate = partial(_odds, step, chosen)
    value = evaluate(fit.theta, fit.risk.weights)
    gradient = np.zeros((len(fit.theta), len(chosen)))
    gradient[chosen, np.arange(len(chosen))] = step * value
    names = tuple(fit.names[j] for j in chosen)
    return Functional(fit, names, "odds ratio", value, gradient, np.zeros(len(chosen)), evaluate)


# Quantities as functions of theta and of the weights of the rows left, which pickle as local ones would not.
def _average(effects: _Effects, fixed: Any, theta: FloatArray, kept: FloatArray) -> FloatArray:
    return effects.average(theta, kept if fixed is None else fixed)


def _odds(step: float, columns: Any, theta: FloatArray, weights: FloatArray) -> FloatArray:
    return np.asarray(np.exp(step * theta[columns]))


def chosen_columns(fit: Minimum, columns: Sequence[str] | str | None, argument: str = "columns") -> Any:
    """Return the positions of the coefficients named, or of all whose column is not constant.

    Returns
    -------
    ndarray of int

    Raises
    ------
    InvalidArgument
        A name does not exist or is not unique.
    """
    if columns is None:
        rows = require_linear(fit.risk, "all columns").design
        first = rows.rows(slice(0, 1))
        varies = np.zeros(rows.shape[1], dtype=np.bool_)
        for _, block in rows.blocks():
            dense = block.toarray() if hasattr(block, "toarray") else block
            varies |= (dense != first).any(axis=0)
        return np.flatnonzero(varies)
    names = texts(argument, [columns] if isinstance(columns, str) else columns)
    for name in names:
        if fit.names.count(name) != 1:
            raise InvalidArgument(
                argument,
                f"name coefficients of the fit ({', '.join(fit.names[:6])}), each of them unique",
                f"holds {short(name)}",
                "Correct it.",
            )
    return np.array([fit.names.index(name) for name in names], dtype=np.intp)


def _require_some(chosen: Any) -> None:
    if not len(chosen):
        raise InvalidArgument(
            "columns", "name a coefficient whose column varies", "names none", "Add a column."
        )


def has_logistic_mean(fit: Minimum) -> bool:
    """Return whether the mean is 1 / (1 + e^-eta)."""
    eta = np.array([-2.0, 0.0, 1.0, 3.0])
    try:
        mean = require_linear(fit.risk, "odds ratios").loss.mean(eta)
    except InflustatError:
        return False
    return bool(np.allclose(mean, expit(eta), rtol=1e-12))
