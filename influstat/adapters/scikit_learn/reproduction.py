"""What a scikit-learn estimator has kept of its fit, compared with what its rows and coefficients give here.

Most estimators keep nothing of their rows but coefficients. Compared is what some have beside them and what
costs at most two passes over the rows: classes and numbers of rows, singular values, the posterior covariance
and likelihood of BayesianRidge, the score of RidgeCV's shortcut for leaving one out, the duality gap of Lasso
and ElasticNet, the largest alpha of a path (that at which the first column comes in) and the errors of its
folds there, scores of LogisticRegressionCV by the coefficients that it has kept of each fold, the criterion
of LassoLarsIC, and support vectors.
Not compared: what would need refits (scores of a search, of RidgeCV with cv=, errors at other alphas), splits
that are drawn anew each time, the numbers of iterations (of the solver, not of the rows), and the precisions
of BayesianRidge, which follow its last step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from influstat.adapters.quantity import ROUNDING, Quantity, said
from influstat.adapters.scikit_learn.origin import rounding_of
from influstat.adapters.scikit_learn.paths import (
    CAUSE,
    SAME,
    of_dual_gap,
    of_path,
    of_path_errors,
    of_scores,
    quantity,
    weights_of,
)
from influstat.adapters.scikit_learn.source import Source, dense
from influstat.errors import NotStationary
from influstat.input.design import Design
from influstat.input.labels import label_text
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.risks.linear import as_linear
from influstat.statistics.leverage import Leverage

LEFT = 1e-2  # of what rounding may do to a gradient at the utmost: sums of all rows
WORTH = 1e-2  # relative rounding beyond which a number says nothing


def require_reproduced(source: Source, risk: Any) -> None:
    """Raise unless what the estimator has kept is what the rows given give."""
    for one in _quantities(source, risk):
        if not one.same:
            raise NotStationary(
                "estimator",
                f"say the {one.name} that the rows given give",
                f"says {one.theirs:.8g} where they give {one.ours:.8g}",
                f"{one.cause}.",
            )


def require_classes(source: Source) -> None:
    """Raise where no row has one of the classes: it was fitted with others, except by partial_fit."""
    if source.classes < 2 or hasattr(source.estimator, "partial_fit"):
        return
    present = np.unique(source.translation.targets(source.y))
    missing = np.setdiff1d(np.arange(source.classes), present)
    if missing.size and source.translation.classes is not None:
        label = source.translation.classes[int(missing[0])]
        raise NotStationary(
            "estimator",
            "have been fitted to the classes of y alone (classes_)",
            f"knows the class {label_text(label)}, which no row has",
            f"{CAUSE}.",
        )


def _quantities(source: Source, risk: Any) -> Iterator[Quantity]:
    """Yield what can be compared, what costs nothing first."""
    estimator = source.estimator
    kinds = {cls.__name__ for cls in type(estimator).__mro__ if cls.__module__.startswith("sklearn")}
    for kind, read in READERS.items():
        if kind in kinds:
            yield from read(source, risk)


def _of_singular_values(source: Source, risk: Any) -> Iterator[Quantity]:
    """Yield the sum of squares of the columns, about their means where there is an intercept."""
    values = getattr(source.estimator, "singular_", None)
    if values is None:
        return
    design, weights = Design(source.table), weights_of(source)
    squares = float(design.square_sums(weights).sum())
    centre = 0.0
    if source.intercepts is not None:
        centre = float(np.sum(design.transpose_dot(weights) ** 2)) / float(weights.sum())
    theirs = said(lambda: np.sum(np.asarray(values, dtype=np.float64) ** 2))
    name = "sum of the squares of its singular values (singular_)"
    yield quantity(source, name, theirs, squares - centre, squares)


def _of_ridge_cv(source: Source, risk: Any) -> Iterator[Quantity]:
    """Yield minus the mean squared error of each row by the fit without it, at the alpha that was chosen."""
    estimator, linear = source.estimator, as_linear(risk)
    if linear is None or estimator.cv is not None or estimator.scoring is not None:
        return
    n, p = linear.shape
    if p >= n:
        return  # leverages near 1, whose errors are quotients of rounding
    eta = linear.linear_predictor(source.theta)
    left = 1.0 - np.asarray(Leverage(Minimum(linear, source.theta, tolerance=np.inf)).values)
    if not (left > 1e-6).all():
        return
    squares = ((linear.y - eta) / left) ** 2
    theirs = said(lambda: estimator.best_score_)
    found = [-float(np.mean(linear.weights * squares)), -float(np.mean(squares))]  # by version
    ours = min(found, key=lambda value: abs(value - theirs))
    rounding = LEFT * rounding_of(estimator, linear, source.theta)  # of eigenvalues of X'X, as in the fit
    if rounding < WORTH:
        unit = float(np.mean(linear.y**2)) * max(1.0, rounding / SAME)
        yield quantity(source, "score of leaving one out (best_score_)", theirs, ours, 1e3 * unit)


def _of_bayesian_ridge(source: Source, risk: Any) -> Iterator[Quantity]:
    """Yield the sum of correlations of the posterior, and its log marginal likelihood where it is kept."""
    estimator, rows, weights = source.estimator, Design(source.table).rows(slice(None)), weights_of(source)
    rounding = LEFT * rounding_of(estimator, risk, source.theta)
    if not rounding < WORTH:
        return
    alpha, lam = float(estimator.alpha_), float(estimator.lambda_)
    if source.intercepts is not None:
        rows = rows - weights @ rows / weights.sum()
    sigma = np.asarray(estimator.sigma_, dtype=np.float64)
    unit = sigma @ (1.0 / np.sqrt(sigma.diagonal()))
    theirs = float(np.sum(unit / np.sqrt(sigma.diagonal())))
    ours = alpha * float(weights @ (rows @ unit) ** 2) + lam * float(unit @ unit)
    room = 1e3 * rounding / SAME  # an inverse of that condition
    yield quantity(source, "sum of the correlations of its posterior (sigma_)", theirs, ours, room)
    scores = np.atleast_1d(getattr(estimator, "scores_", np.zeros(0)))
    if scores.size:
        name, last = "log marginal likelihood (scores_)", float(scores[-1])
        found = _marginal_likelihoods(source, np.sqrt(weights)[:, None] * rows)
        ours = float(min(found, key=lambda value: abs(value - last)))
        # lambda_ sum(coef^2) in it is that of one iteration before: from 0 to p, here in the middle.
        prior = float(estimator.lambda_1 + estimator.lambda_2 * lam)
        room = 0.25 * len(unit) + prior + SAME * (abs(ours) + float(weights.sum()))
        yield Quantity(name, last, ours, room, CAUSE)


def _marginal_likelihoods(source: Source, rows: FloatArray) -> list[float]:
    """Return BayesianRidge's log marginal likelihood of weighted rows, by weight and by number of rows."""
    # lambda_ sum(coef^2) in it is taken for p / 2.
    estimator, coefficients, weights = source.estimator, source.coefficients[0], weights_of(source)
    alpha, lam, p = float(estimator.alpha_), float(estimator.lambda_), len(coefficients)
    eigenvalues = np.zeros(p)
    values = np.linalg.svd(rows, compute_uv=False)
    eigenvalues[: len(values)] = alpha * values**2
    residual = np.asarray(source.y, dtype=np.float64).ravel() - Design(source.table).dot(coefficients)
    residual = residual - float(estimator.intercept_)
    prior = estimator.lambda_1 * np.log(lam) - estimator.lambda_2 * lam
    prior += estimator.alpha_1 * np.log(alpha) - estimator.alpha_2 * alpha
    square = alpha * float(weights @ residual**2)
    rest = p * np.log(lam) - square - 0.5 * p - float(np.sum(np.log(lam + eigenvalues)))
    per_row = np.log(alpha) - np.log(2.0 * np.pi)
    return [float(prior + 0.5 * (rest + n * per_row)) for n in (weights.sum(), len(weights))]  # by version


def _of_criterion(source: Source, risk: Any) -> Iterator[Quantity]:
    """Yield AIC or BIC at the alpha that was chosen, given the variance that it was computed with."""
    estimator, design = source.estimator, Design(source.table)
    coefficients, n = source.coefficients[0], source.size.rows
    residual = np.asarray(source.y, dtype=np.float64).ravel() - design.dot(coefficients)
    residual = residual - (0.0 if source.intercepts is None else source.intercepts[0])
    factor = {"aic": 2.0, "bic": float(np.log(n))}[estimator.criterion]
    noise, degrees = float(estimator.noise_variance_), float(np.count_nonzero(coefficients))
    if not noise > 0.0:
        return  # the fit is perfect
    square = float(residual @ residual)
    # Residuals are right to the rounding of their terms, which is all of them where the fit is perfect.
    terms = design.absolute_dot(np.abs(coefficients)) + np.abs(np.asarray(source.y, dtype=np.float64)).ravel()
    slip = ROUNDING * float(np.linalg.norm(terms))
    ours = n * np.log(2.0 * np.pi * noise) + square / noise + factor * degrees
    theirs = said(lambda: np.min(estimator.criterion_))
    unit = 1e3 * (n + (2.0 * np.sqrt(square) + slip) * slip / noise / SAME)
    yield quantity(source, f"{estimator.criterion.upper()} (criterion_)", theirs, float(ours), unit)


def _of_support(source: Source, risk: Any) -> Iterator[Quantity]:
    """Yield the number of rows, and of support vectors that are the rows of these numbers, on their sides."""
    estimator, linear = source.estimator, as_linear(risk)
    if linear is None:
        return
    n = float(linear.shape[0])
    yield Quantity("number of rows (shape_fit_)", said(lambda: estimator.shape_fit_[0]), n, 0.0, CAUSE)
    kept, duals = (dense(values) for values in (estimator.support_vectors_, estimator.dual_coef_))
    support, found = np.asarray(estimator.support_), [0]
    # libsvm drops rows without weight, and numbers those that are left; other versions may number all.
    for numbered in (np.flatnonzero(weights_of(source) > 0), np.arange(linear.shape[0])):
        if np.max(support, initial=0) < len(numbered):
            places = numbered[support]
            rows = Design(source.table).rows(places)
            same = np.isclose(rows, kept, rtol=SAME, atol=0.0).all(axis=1)
            found.append(int(np.count_nonzero(same & (duals.ravel() * linear.y[places] > 0))))
    name = "number of support vectors that are rows of it, each of its class (support_vectors_, dual_coef_)"
    yield Quantity(name, float(len(support)), float(max(found)), 0.0, CAUSE)


def _of_steps(source: Source, risk: Any) -> Iterator[Quantity]:
    """Yield the rows that stochastic descent has passed over: it takes one step a row."""
    passes = said(lambda: source.estimator.n_iter_)
    if getattr(source.estimator, "early_stopping", False) or not passes > 1.0:
        return  # a part of the rows is set aside; or batches of any rows may have come by partial_fit
    rows = (said(lambda: source.estimator.t_) - 1.0) / passes
    name = "number of rows, of which each pass took one step each, (t_ - 1) / n_iter_"
    yield Quantity(name, rows, float(source.size.rows), 1e-9 * rows, CAUSE)


def _of_cross_validated(source: Source, risk: Any) -> Iterator[Quantity]:
    """Yield those of a path over alphas, of its folds, and of the last fit."""
    for read in (of_path, of_path_errors, of_dual_gap):
        yield from read(source, risk)


READERS: dict[str, Callable[[Source, Any], Iterator[Quantity]]] = {
    "LinearRegression": _of_singular_values,
    "RidgeCV": _of_ridge_cv,
    "BayesianRidge": _of_bayesian_ridge,
    "ElasticNet": of_dual_gap,  # Lasso is one
    "LassoCV": _of_cross_validated,
    "ElasticNetCV": _of_cross_validated,
    "LassoLars": of_path,
    "LassoLarsCV": of_path,
    "LassoLarsIC": _of_criterion,
    "LogisticRegressionCV": of_scores,
    "RidgeClassifierCV": _of_ridge_cv,
    "SVC": _of_support,
    "SGDClassifier": _of_steps,
    "SGDRegressor": _of_steps,
}
