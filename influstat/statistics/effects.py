"""Effects of a column on the mean: average marginal effects and odds ratios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from influstat.errors import InflustatError, InvalidArgument, Unsupported
from influstat.influence.changes import Change, changes_of, one_direction, require_unrelative
from influstat.influence.user_columns import user_columns
from influstat.input.validation import FloatArray, choice, real_number, vector
from influstat.minimise.minimum import Minimum, require_fit
from influstat.risks.class_predictors import class_predictors_of
from influstat.risks.likelihood import LikelihoodRisk
from influstat.risks.linear import require_linear
from influstat.sets.thresholds import Line
from influstat.statistics.class_effects import Averaged, class_effects, class_odds, odds_along
from influstat.statistics.functionals import Functional

ELASTICITIES = ("eyex", "dyex", "eydx")
STEP = float(np.finfo(np.float64).eps) ** 0.2  # of a five-point difference in the linear predictor


def average_marginal_effect(
    fit: Minimum,
    columns: Sequence[str] | str | None = None,
    *,
    discrete: Sequence[str] = (),
    elasticity: str | None = None,
    X: Any = None,
    offset: Any = None,
) -> Functional:
    """Return the average over rows of the change of the mean with a column.

    Parameters
    ----------
    fit : Fit
        A fit with a linear predictor and a mean, or of several classes (softmax, MNLogit): the mean is then
        each class's probability.
    columns : sequence of str, optional
        Columns of the table that the model was given, before a Pipeline's transformers or a formula: the
        effect is per unit of them, and ``age + I(age**2)`` is one variable, age. Also coefficients by name,
        where no other one is made from the same variable. All that vary when left out: numbers as the
        table has them, dummies of a formula or a transformer one by one.
    discrete : sequence of str
        Those of the columns for which the effect is the mean at 1 minus the mean at 0, instead of the
        derivative. A column of categories is discrete anyway: each category against the first. So are numbers
        that a formula follows in steps, ``age > 40``: each range of values that it tells apart, likewise.
    elasticity : {"eyex", "dyex", "eydx"}, optional
        Relative changes, as statsmodels calls them: of the mean and the column (d log m / d log x), of the
        column, or of the mean; the derivative dy/dx when left out.
    X, offset : array_like, optional
        Other rows to average over, each counting the same. Left out: the training rows with their offsets,
        weighted as in the fit (by the numbers of trials too); a removed row then also leaves the average, as
        it does in a refit.

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
    The mean of a row is that of one trial where y has several, and holds the row's offset and exposure; rows
    are averaged by their weights: those of the fit, times the numbers of trials. statsmodels'
    `get_margeff(at="overall")` is the same where there are none of these; it leaves an exposure out of the
    mean (of Poisson models), lets every row count the same whatever its trials or weights, and counts every
    column of the design as a variable of its own.

    The gradient needs m'', found by a five-point difference of m' to about 12 digits; a Pipeline or formula
    is differentiated in the same way, to about 10 (`influstat.influence.user_columns`).

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Logistic(lam=1.0).fit([[1.0], [-1.0]], [1, 0], names=["dose"])
    >>> q = ist.average_marginal_effect(fit)
    >>> p = fit.predict([[1.0]], kind="mean")
    >>> float((q.value - fit.theta * p * (1 - p))[0].round(12))
    0.0
    """
    kind = None if elasticity is None else choice("elasticity", elasticity, ELASTICITIES)
    training = X is None
    if training and offset is not None:
        raise InvalidArgument("offset", "come with X", "is given alone", "Pass X too.")
    classes = class_predictors_of(require_fit(fit).risk)
    if classes is not None:
        return class_effects(fit, classes, columns, discrete=discrete, elasticity=kind, X=X)
    loss, rows, fixed = _predictor(fit.risk)
    if not training:
        rows = fit.prediction_gradients(X)[0].T
        offset = fit.offset_of(X, offset)  # as in `predict`: by label, or from the table of a formula
        fixed = np.zeros(len(rows)) if offset is None else vector("offset", offset, len(rows))
    changes = changes_of(fit, user_columns(fit, X), rows, columns, discrete)
    require_unrelative(changes, kind)
    relative = kind in ("eyex", "dyex")
    effects = _Effects(loss, rows, fixed, changes, kind in ("eyex", "eydx"), relative)
    labels = tuple(change.label for change in changes)
    return effects.functional(fit, labels, kind, fit.risk.weights if training else None, len(rows))


def _predictor(risk: Any) -> tuple[Any, FloatArray, FloatArray]:
    """Return what has the mean, the rows x of x'theta, shape (n, p), and the offset."""
    design = risk.predictor_design() if isinstance(risk, LikelihoodRisk) else None
    if design is not None:
        return risk.likelihood, design.rows(slice(None)), risk.likelihood.predictor_offset()
    part = require_linear(risk, "marginal effects")
    return part.loss, part.design.rows(slice(None)), part.offset


@dataclass(frozen=True, eq=False)
class _Effects(Averaged):
    """The effects of some changes on the means of some rows."""

    loss: Any
    rows: FloatArray
    offset: FloatArray
    changes: list[Change]
    logarithm: bool  # of the mean: relative changes of y
    relative: bool  # times the column: relative changes of it

    def each(self, theta: FloatArray) -> FloatArray:
        """Return the effect of every change on every row's mean, shape (n, m)."""
        eta = self.rows @ theta + self.offset
        slope = self._slope(eta)
        columns = []
        for change in self.changes:
            if change.ends is not None:
                high, low = (self._mean(end @ theta + self.offset) for end in change.ends)
                columns.append(high - low)
            else:
                columns.append(slope * (change.direction @ theta) * self._times(change))
        return np.column_stack(columns)

    def gradient(self, theta: FloatArray, weights: FloatArray) -> FloatArray:
        """Return its gradient in theta, shape (p, m)."""
        eta = self.rows @ theta + self.offset
        share = weights / weights.sum()
        slope, bend = self._slope(eta), self._bend(eta)
        columns = []
        for change in self.changes:
            if change.ends is not None:
                high, low = (end.T @ (share * self._slope(end @ theta + self.offset)) for end in change.ends)
                columns.append(high - low)
            else:
                weight = share * self._times(change)
                column = self.rows.T @ (weight * bend * (change.direction @ theta))
                columns.append(column + change.direction.T @ (weight * slope))
        return np.column_stack(columns)

    def _times(self, change: Change) -> Any:
        return change.values if self.relative else 1.0

    def _mean(self, eta: FloatArray) -> FloatArray:
        mean = self.loss.mean(eta)
        return np.asarray(np.log(mean) if self.logarithm else mean)

    def _slope(self, eta: FloatArray) -> FloatArray:
        slope = self.loss.mean_derivative(eta)
        return np.asarray(slope / self.loss.mean(eta) if self.logarithm else slope)

    def _bend(self, eta: FloatArray) -> FloatArray:
        """Return the derivative of the slope in eta."""
        step = STEP * np.maximum(1.0, np.abs(eta))
        near = self._slope(eta + step) - self._slope(eta - step)
        far = self._slope(eta + 2.0 * step) - self._slope(eta - 2.0 * step)
        return np.asarray((8.0 * near - far) / (12.0 * step))


def odds_ratio(fit: Minimum, columns: Sequence[str] | str | None = None, *, unit: float = 1.0) -> Functional:
    """Return exp(unit theta_j), the odds ratio for a step of `unit` in a column, other columns equal.

    Parameters
    ----------
    fit : Fit
        A fit whose mean is the logistic function of the linear predictor, or of several classes: the odds
        are then those of each other class against the first, exp(params) of statsmodels' MNLogit.
    columns : sequence of str, optional
        As in `average_marginal_effect`: columns of the user's table, or coefficients by name; all that vary
        when left out.
    unit : float
        Length of the step, in units of the column.

    Returns
    -------
    Functional
        One value per coefficient; 1 where the column does not matter.

    Raises
    ------
    Unsupported
        The model has another mean, so that exp(theta) is no odds ratio.
    InvalidArgument
        A column does not exist, or has no one odds ratio: ``age + I(age**2)``, an interaction.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Logistic(lam=0.0).fit([[1.0]] * 4, [1, 1, 1, 0], names=["treated"])
    >>> ist.odds_ratio(fit, "treated").value.round(9)               # 3 to 1
    array([3.])
    """
    step = real_number("unit", unit)
    if step == 0.0:
        raise InvalidArgument("unit", "be another number than 0", "is 0", "Pass the length of a step.")
    classes = class_predictors_of(require_fit(fit).risk)
    if classes is not None:
        return class_odds(fit, classes, columns, step)
    if not has_logistic_mean(fit):
        raise Unsupported(
            "fit",
            "have a logistic mean for odds ratios",
            f"has {getattr(fit.risk, 'loss', fit.risk)!r}",
            "Use ist.functional(fit, lambda theta: np.exp(theta)), and give it the name that it deserves.",
        )
    part = require_linear(fit.risk, "odds ratios")
    changes = changes_of(fit, user_columns(fit), part.design.rows(slice(None)), columns, ())
    directions = step * np.column_stack([one_direction(change) for change in changes])
    names = tuple(change.label for change in changes)
    lines = tuple(Line(direction, 0.0, _log_odds, "log odds") for direction in directions.T)
    return odds_along(fit, names, directions, lines)


def _log_odds(ratio: float) -> float:
    return float(np.log(ratio)) if ratio > 0.0 else float("nan")


def has_logistic_mean(fit: Minimum) -> bool:
    """Return whether the mean is 1 / (1 + e^-eta)."""
    eta = np.array([-2.0, 0.0, 1.0, 3.0])
    try:
        mean = require_linear(fit.risk, "odds ratios").loss.mean(eta)
    except InflustatError:
        return False
    return bool(np.allclose(mean, expit(eta), rtol=1e-12))
