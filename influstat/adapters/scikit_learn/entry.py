"""`from_sklearn`: a fitted scikit-learn estimator becomes a `Fit`, checked to be at its minimum."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from influstat.adapters.quantity import single
from influstat.adapters.scikit_learn import check
from influstat.adapters.scikit_learn.batch_steps import taken
from influstat.adapters.scikit_learn.held import held_of, searched
from influstat.adapters.scikit_learn.kinds import objective_of
from influstat.adapters.scikit_learn.objectives import Objective
from influstat.adapters.scikit_learn.reproduction import require_classes, require_reproduced
from influstat.adapters.scikit_learn.risks import active_set_risk, linear_risk, require_targets, softmax_risk
from influstat.adapters.scikit_learn.source import Source, source_of
from influstat.adapters.verification import require_same_predictions
from influstat.errors import InvalidArgument, Unsupported
from influstat.fit import Fit
from influstat.input.groups import Indices
from influstat.input.validation import FloatArray, choice
from influstat.losses.alone import mean_of
from influstat.losses.hinge import SmoothedHinge
from influstat.risks.linear import as_linear
from influstat.risks.protocol import PROTOCOLS


def from_sklearn(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    polish: bool = False,
    protocol: str | None = None,
    smoothing: float | None = None,
) -> Fit:
    """Turn a fitted scikit-learn estimator into a `Fit`.

    Parameters
    ----------
    estimator : scikit-learn estimator or Pipeline
        Fitted: LinearRegression, Ridge, BayesianRidge, RidgeClassifier, LogisticRegression (two classes, or
        softmax for more), LinearSVC, SVC(kernel="linear"), PoissonRegressor, GammaRegressor,
        TweedieRegressor, Lasso, LassoLars, ElasticNet, SGDClassifier, SGDRegressor, their CV versions, a
        Pipeline that ends in one (also a Pipeline inside another), a FrozenEstimator around one, or a
        GridSearchCV and the like, whose best estimator is read.
    X, y : array_like, DataFrame or scipy.sparse
        What it was fitted with: X before the pipeline's transformers, y as labels or numbers. scikit-learn
        does not keep them. A DataFrame's index labels the rows.
    sample_weight : array_like, shape (n,), or float, optional
        What it was fitted with, a number for that weight of each row. `class_weight` is read from the
        estimator and multiplied in.
    polish : bool
        Finish the fit by Newton's method first; theta may then differ a little from `coef_`.
    protocol : {"fixed", "folded"}, optional
        What leaves with a row. Left out, what scikit-learn does when it is fitted again without the row:
        "folded" for estimators that average their losses (generalised linear models, Lasso, ElasticNet,
        SGD), whose total penalty W alpha shrinks with the rows; "fixed" for those that sum them.
    smoothing : float, optional
        Width t of the smoothed hinge, for SVC and for LinearSVC or SGDClassifier with loss="hinge" only.
        The hinge has no second derivative, so theta is then the minimiser of the smoothed risk.

    Returns
    -------
    Fit
        theta is `coef_` with `intercept_` last. `fit.predict`, `fit.loss` and the influence functions take
        new rows as the estimator does: untransformed, all columns, y in its own labels. Losses are
        those of `fit.risk.loss`, without scikit-learn's factors C and 1 / n: squared error is
        (y - eta)^2, log loss is minus the log-likelihood, deviances are halved up to terms in y alone.
        They hold no share of the penalty, whatever leaves with a row.

    Raises
    ------
    NotStationary
        theta does not minimise the risk on these rows: other data, or a fit that has not converged.
    Unsupported
        There are no formulas for the estimator or one of its settings; the message says why.
    InvalidArgument, InvalidType
        The estimator is not fitted, or X, y or sample_weight do not suit it.

    Warns
    -----
    DoubtfulResult
        The fit stopped so far from the minimum that removals are off by more than 1 % of a typical
        row's effect (polish=True settles it); class weights are "balanced"; rows sit on the margin of a
        squared hinge.

    Notes
    -----
    What was found before the final fit is held: the pipeline's transformers, an alpha or C chosen by
    cross-validation or a search, balanced class weights. Without a row scikit-learn would find them anew.
    `fit.stated.held` names them, `fit.summary()` and `fit.report()` too, and `cross_validate` warns of them;
    a transformer that learns nothing from rows, or is frozen, is not among them.

    The rule on entry is `influstat.adapters.scikit_learn.check.limit_of`. scikit-learn's default tol of
    1e-4 is coarse for questions about single rows: fit with a smaller one, or pass polish=True.

    With Lasso, ElasticNet, other absolute-value penalties and positive=True theta holds the coefficients that
    are not 0. An exact removal is solved over all columns: `removal.active_set_changes()` tells which ones
    change the set, and `removal.entering` what columns come in. With more than
    two classes theta holds the coefficients of one class after the other, each with its intercept last.

    Examples
    --------
    >>> import influstat as ist
    >>> from sklearn.linear_model import Ridge
    >>> X, y = [[1.0], [-1.0]], [3.0, 1.0]
    >>> fit = ist.from_sklearn(Ridge(alpha=1.0).fit(X, y), X, y)
    >>> fit.names, fit.theta.round(6)       # 2 / (2 + alpha), mean
    (('x0', 'intercept'), array([0.666667, 2.      ]))
    """
    choice("polish", polish, (True, False))
    source = source_of(estimator, X, y, sample_weight)
    objective = objective_of(source.estimator, source.size)
    if protocol is not None:
        objective = replace(objective, protocol=choice("protocol", protocol, PROTOCOLS))
    check.warn_of_balanced_weights(source.estimator)
    fit = _fit(source, objective, smoothing, polish)
    fit.stated = replace(
        fit.stated,
        origin=f"{type(source.estimator).__name__} of scikit-learn",
        held=searched(source.searches)
        + held_of(source.estimator, source.translation.transformers, source.translation.of_other_rows),
        refit=_refit_of(source, objective),
    )
    return fit


def _refit_of(source: Source, objective: Objective) -> EstimatorRefit | None:
    """Return what fits the estimator again, where there may be several minima."""
    if objective.loss is None or getattr(objective.loss, "convex", True):
        return None
    return EstimatorRefit(source.estimator, source.table, source.y, source.weights)


def _fit(source: Source, objective: Objective, smoothing: float | None, polish: bool) -> Fit:
    """Return the fit of an estimator that was read."""
    require_classes(source)
    if objective.loss is None:
        return _smoothed(source, objective, smoothing)
    if smoothing is not None:
        raise InvalidArgument(
            "smoothing", "be left out for a loss that is smooth already", f"is {smoothing!r}", "Leave it out."
        )
    if source.classes > 2:
        return _checked(source, softmax_risk(source, objective), polish)
    source = source.coded(objective.codes)
    require_targets(source, objective)
    read = active_set_risk if objective.lasso > 0 or source.positive else linear_risk
    fit = _checked(source, read(source, objective), polish)
    check.warn_of_kinks(fit)
    return fit


def _checked(source: Source, read: tuple[Any, FloatArray, Any], polish: bool) -> Fit:
    """Return the fit of a risk, its coefficients and its reader, all that is known of its origin at hand."""
    _require_own_predictions(source, *read[:2])
    return check.checked_fit(
        *read,
        estimator=source.estimator,
        transformers=source.translation.transformers,
        polish=polish,
        reproduced=lambda: require_reproduced(source, read[0]),
    )


def _require_own_predictions(source: Source, risk: Any, theta: FloatArray) -> None:
    """Raise unless the estimator predicts for its rows what its coefficients say."""
    linear = as_linear(risk)
    has_mean = linear is not None and mean_of(linear.loss) is not None
    kind = "mean" if has_mean and not source.classes else "linear"
    predict = source.estimator.decision_function if source.classes else source.estimator.predict
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that columns lost in a transformer
        theirs = predict(_as_fitted(source))
    of_single = single(source.estimator.coef_)
    require_same_predictions("estimator", risk, theta, theirs, kind=kind, of_single=of_single)


def _as_fitted(source: Source) -> Any:
    """Return the table without names where the estimator was fitted without: they may not be unique."""
    named = hasattr(source.estimator, "feature_names_in_") or not hasattr(source.table, "to_numpy")
    return source.table if named else source.table.to_numpy()


def _smoothed(source: Source, objective: Objective, smoothing: float | None) -> Fit:
    """Return the minimiser of the smoothed hinge risk, after a look whether the hinge fit is the hinge's."""
    name = type(source.estimator).__name__
    if smoothing is None:
        raise Unsupported(
            "estimator",
            "have a loss with a second derivative",
            f"is a {name} with the hinge, whose influence functions do not exist",
            "Pass smoothing=0.1 for the smoothed hinge, minimised by Newton's method on the same rows; for "
            f"refits with the hinge itself use ist.HingeSVC(lam={objective.strength:g}, protocol='fixed').",
        )
    source = source.coded(objective.codes)
    risk, theta, reader = linear_risk(source, replace(objective, loss=SmoothedHinge(smoothing)))
    fit = Fit.minimise(risk, reader=reader)
    check.refuse_other_minimum(fit, theta)
    require_reproduced(source, risk)
    return fit


@dataclass(frozen=True, eq=False)
class EstimatorRefit:
    """A regressor fitted again without rows, its settings as they are.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> X, y = np.array([[0.0], [1.0], [2.0]]), np.array([0.0, 1.0, 5.0])
    >>> EstimatorRefit(LinearRegression().fit(X, y), X, y, None)([2]).round(9)
    array([1., 0.])
    """

    estimator: Any  # with one row of coefficients
    table: Any  # the columns that it was fitted to, shape (n, p)
    y: Any  # its targets, shape (n,)
    weights: FloatArray | None  # its sample_weight

    def __call__(self, rows: Indices) -> FloatArray | None:
        """Return the coefficients, the intercept last; None where the refit fails."""
        y = np.asarray(self.y).ravel()
        left = np.setdiff1d(np.arange(len(y)), rows)
        part = copy.deepcopy(self.estimator)
        if getattr(part, "warm_start", False):  # which would start at the fit's own coefficients
            part.set_params(warm_start=False)
        weights = {} if self.weights is None else {"sample_weight": self.weights[left]}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                part.fit(taken(self.table, left), y[left], **weights)
        except (ValueError, ArithmeticError):
            return None
        theta = np.ravel(part.coef_)
        return np.append(theta, part.intercept_) if part.fit_intercept else theta

    def roughly(self, groups: Sequence[Indices]) -> FloatArray | None:
        """Return None: its solvers are not done for many groups of rows at once."""
