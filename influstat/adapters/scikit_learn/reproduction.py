"""What a scikit-learn estimator has kept of its fit, compared with what its rows and coefficients give here.

Most estimators keep nothing of their rows but coefficients. Compared is what some have beside them and what
costs at most two passes over the rows: classes and numbers of rows, singular values, the posterior covariance
and likelihood of BayesianRidge, the score of RidgeCV's shortcut for leaving one out, the largest alpha of a
path (that at which the first column comes in), the criterion of LassoLarsIC, and support vectors.
Not compared: what would need refits (scores of other cross-validations), and numbers that are 0 up to the
solver's tolerance (dual_gap_) or follow its last step (the precisions of BayesianRidge).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from numbers import Integral
from typing import Any

import numpy as np

from influstat.adapters.quantity import ROUNDING, Quantity, said
from influstat.adapters.scikit_learn.origin import rounding_of
from influstat.adapters.scikit_learn.source import Source
from influstat.errors import NotStationary
from influstat.input.design import Design
from influstat.input.labels import label_text
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.risks.linear import as_linear
from influstat.statistics.leverage import Leverage

# Relative, of float64 and float32 fits: sums in another order, and an inverse between.
SAME, SINGLE = 1e-6, 1e-3
LEFT = 1e-2  # of what rounding may do to a gradient at the utmost: sums of all rows
WORTH = 1e-2  # relative rounding beyond which a number says nothing
CAUSE = "Pass the X, y and sample_weight that it was fitted with, all rows in the order of the fit"


def require_reproduced(source: Source, risk: Any) -> None:
    """Raise unless what the estimator has kept is what the rows given give.

    Raises
    ------
    NotStationary
        A number differs; the message has its name, theirs and ours.
    """
    for quantity in _quantities(source, risk):
        if not quantity.same:
            raise NotStationary(
                "estimator",
                f"say the {quantity.name} that the rows given give",
                f"says {quantity.theirs:.8g} where they give {quantity.ours:.8g}",
                f"{quantity.cause}.",
            )


def require_classes(source: Source) -> None:
    """Raise where no row has one of the classes: it was fitted with others, except by partial_fit.

    Raises
    ------
    NotStationary
        The message names the class.
    """
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


def _quantity(source: Source, name: str, theirs: float, ours: float, unit: float = 0.0) -> Quantity:
    """Return the two with the room that the precision of the fit leaves, of ours and of another size."""
    same = SINGLE if np.asarray(source.estimator.coef_).dtype == np.float32 else SAME
    return Quantity(name, theirs, ours, same * abs(ours) + 1e-3 * same * abs(unit), CAUSE)


def _weights(source: Source) -> FloatArray:
    return np.ones(source.size.rows) if source.weights is None else source.weights


def _of_singular_values(source: Source, risk: Any) -> Iterator[Quantity]:
    """Yield the sum of squares of the columns, about their means where there is an intercept."""
    values = getattr(source.estimator, "singular_", None)
    if values is None:
        return
    design, weights = Design(source.table), _weights(source)
    squares = float(design.square_sums(weights).sum())
    centre = 0.0
    if source.intercepts is not None:
        centre = float(np.sum(design.transpose_dot(weights) ** 2)) / float(weights.sum())
    theirs = said(lambda: np.sum(np.asarray(values, dtype=np.float64) ** 2))
    name = "sum of the squares of its singular values (singular_)"
    yield _quantity(source, name, theirs, squares - centre, squares)


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
        yield _quantity(source, "score of leaving one out (best_score_)", theirs, ours, 1e3 * unit)


def _of_bayesian_ridge(source: Source, risk: Any) -> Iterator[Quantity]:
    """Yield the sum of correlations of the posterior, and its log marginal likelihood where it is kept."""
    estimator, rows, weights = source.estimator, Design(source.table).rows(slice(None)), _weights(source)
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
    yield _quantity(source, "sum of the correlations of its posterior (sigma_)", theirs, ours, room)
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
    """Return BayesianRidge's log marginal likelihood of weighted rows, by weight and by number of rows.

    lambda_ sum(coef^2) in it is taken for p / 2.

    Returns
    -------
    list of float
    """
    estimator, coefficients, weights = source.estimator, source.coefficients[0], _weights(source)
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


def _of_path(source: Source, risk: Any) -> Iterator[Quantity]:
    """Yield the largest alpha of its path, at which the first column comes in."""
    estimator = source.estimator
    ratio = _ratio_of_path(estimator)
    if ratio is None:
        return
    design, y, weights = (
        Design(source.table),
        np.asarray(source.y, dtype=np.float64).ravel(),
        _weights(source),
    )
    found = []
    for one in (weights, np.ones(len(y))):  # older versions leave the weights out of the grid
        centred = one * (y - (float(one @ y) / float(one.sum()) if estimator.fit_intercept else 0.0))
        pull = design.transpose_dot(centred)
        found += [float(np.abs(pull).max()) / one.sum(), max(0.0, float(pull.max())) / one.sum()]
    theirs = said(lambda: ratio * np.ravel(estimator.alphas_)[0])
    ours = min(found, key=lambda value: abs(value - theirs))
    size = float(design.absolute_transpose_dot(weights * np.abs(y)).max()) / float(weights.sum())
    yield _quantity(source, "largest alpha of its path (alphas_)", theirs, ours, size)


def _ratio_of_path(estimator: Any) -> float | None:
    """Return the l1_ratio of the first path, None where the alphas were not found from the rows."""
    if not hasattr(estimator, "alphas_") or getattr(estimator, "jitter", None) is not None:
        return None
    if not getattr(estimator, "fit_path", True):  # the last alpha alone is kept
        return None
    if not hasattr(estimator, "mse_path_") or not hasattr(estimator, "eps") or not hasattr(estimator, "tol"):
        return 1.0  # least angles: the path itself
    given = [getattr(estimator, name, None) for name in ("alphas", "n_alphas")]
    if not (given[0] is None or isinstance(given[0], (Integral, str))):
        return None
    return float(np.ravel(getattr(estimator, "l1_ratio", 1.0))[0])


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
    yield _quantity(source, f"{estimator.criterion.upper()} (criterion_)", theirs, float(ours), unit)


def _of_support(source: Source, risk: Any) -> Iterator[Quantity]:
    """Yield the number of rows, and of support vectors that are the rows of these numbers, on their sides."""
    estimator, linear = source.estimator, as_linear(risk)
    if linear is None:
        return
    n = float(linear.shape[0])
    yield Quantity("number of rows (shape_fit_)", said(lambda: estimator.shape_fit_[0]), n, 0.0, CAUSE)
    kept, duals = (_dense(values) for values in (estimator.support_vectors_, estimator.dual_coef_))
    support, found = np.asarray(estimator.support_), [0]
    # libsvm drops rows without weight, and numbers those that are left; other versions may number all.
    for numbered in (np.flatnonzero(_weights(source) > 0), np.arange(linear.shape[0])):
        if np.max(support, initial=0) < len(numbered):
            places = numbered[support]
            rows = Design(source.table).rows(places)
            same = np.isclose(rows, kept, rtol=SAME, atol=0.0).all(axis=1)
            found.append(int(np.count_nonzero(same & (duals.ravel() * linear.y[places] > 0))))
    name = "number of support vectors that are rows of it, each of its class (support_vectors_, dual_coef_)"
    yield Quantity(name, float(len(support)), float(max(found)), 0.0, CAUSE)


def _dense(values: Any) -> FloatArray:
    """Return a matrix, sparse or not, as an array."""
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values, dtype=np.float64)


def _of_steps(source: Source, risk: Any) -> Iterator[Quantity]:
    """Yield the rows that stochastic descent has passed over: it takes one step a row."""
    passes = said(lambda: source.estimator.n_iter_)
    if getattr(source.estimator, "early_stopping", False) or not passes > 1.0:
        return  # a part of the rows is set aside; or batches of any rows may have come by partial_fit
    rows = (said(lambda: source.estimator.t_) - 1.0) / passes
    name = "number of rows, of which each pass took one step each, (t_ - 1) / n_iter_"
    yield Quantity(name, rows, float(source.size.rows), 1e-9 * rows, CAUSE)


READERS: dict[str, Callable[[Source, Any], Iterator[Quantity]]] = {
    "LinearRegression": _of_singular_values,
    "RidgeCV": _of_ridge_cv,
    "RidgeClassifierCV": _of_ridge_cv,
    "BayesianRidge": _of_bayesian_ridge,
    "LassoCV": _of_path,
    "ElasticNetCV": _of_path,
    "LassoLars": _of_path,
    "LassoLarsCV": _of_path,
    "LassoLarsIC": _of_criterion,
    "SVC": _of_support,
    "SGDClassifier": _of_steps,
    "SGDRegressor": _of_steps,
}
