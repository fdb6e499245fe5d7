"""What estimators have kept beside their coefficients: a duality gap, alphas, errors and scores of folds."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.adapters.quantity import ROUNDING, SINGLE_ROUNDING, Quantity, said, single
from influstat.adapters.scikit_learn.source import Source
from influstat.input.chosen import test_sets
from influstat.input.design import Design
from influstat.input.validation import FloatArray

LEAST = 1e-8  # of the variance of y: a gap that no solver is asked for
SETTINGS = "Pass the rows and sample_weight that it was fitted with, and leave its settings as they were then"
BY_ACCURACY = (None, "warn", "accuracy")  # scoring=
# Relative, of float64 and float32 fits: sums in another order, and an inverse between.
SAME, SINGLE = 1e-6, 1e-3
CAUSE = "Pass the X, y and sample_weight that it was fitted with, all rows in the order of the fit"


def of_dual_gap(source: Source, risk: Any) -> Iterator[Quantity]:
    """Yield the duality gap at its coefficients: where the solver stopped is where these rows stop it."""
    # With r the residuals, A and B the total strengths of the absolute and the square part, and c at most 1
    # so that c times the gradient of the losses less B b is at most A, the gap is (1 + c^2) (sum w r^2 + B
    # |b|^2) / 2 + A sum |b| - c sum w r y, over the total weight. It may differ by what the solver takes for
    # converged, tol times the variance of y.
    estimator = source.estimator
    ratio = float(getattr(estimator, "l1_ratio_", getattr(estimator, "l1_ratio", 1.0)))
    if not (hasattr(estimator, "dual_gap_") and np.ndim(estimator.dual_gap_) == 0 and ratio > 0.0):
        return
    design, weights, b = Design(source.table), weights_of(source), source.coefficients[0]
    y, total = np.asarray(source.y, dtype=np.float64).ravel(), float(weights.sum())
    fitted = design.dot(b)
    if source.intercepts is not None:
        y, fitted = y - weights @ y / total, fitted - weights @ fitted / total
    residual = y - fitted
    alpha = total * float(estimator.alpha_ if hasattr(estimator, "alpha_") else estimator.alpha)
    absolute, square = alpha * ratio, alpha * (1.0 - ratio)
    if not absolute > 0.0:
        return  # least squares: no dual point is feasible but 0, and versions differ in what they keep
    pull = design.transpose_dot(weights * residual) - square * b
    largest = float(np.max(pull if source.positive else np.abs(pull)))
    c = min(1.0, absolute / largest) if largest > 0.0 else 1.0
    gap = 0.5 * (1.0 + c**2) * float(weights @ residual**2 + square * b @ b)
    gap += absolute * float(np.abs(b).sum()) - c * float((weights * residual) @ y)
    theirs, ours = float(estimator.dual_gap_), gap / total
    room = SAME * ours + max(float(estimator.tol), LEAST) * float(weights @ y**2) / total
    if abs(theirs - ours) > room:  # but for rounding where columns are far from 0, which takes passes to know
        terms = design.absolute_dot(np.abs(b)) + np.abs(np.asarray(source.y, dtype=np.float64).ravel())
        slip = float(design.absolute_transpose_dot(weights * terms).max()) / absolute
        size = float(weights @ terms**2 + slip * (weights @ residual**2)) / total
        room += (SINGLE_ROUNDING if single(estimator.coef_) else ROUNDING) * size
    yield Quantity("duality gap (dual_gap_)", theirs, ours, room, SETTINGS)


def of_path_errors(source: Source, risk: Any) -> Iterator[Quantity]:
    """Yield the mean squared errors of its folds at the largest alpha, where no column has come in yet."""
    estimator = source.estimator
    errors = np.asarray(estimator.mse_path_, dtype=np.float64)
    errors = errors.reshape(-1, *errors.shape[-2:])[0, 0]
    tests = folds_of(estimator.cv, source.table, np.ravel(source.y), None)
    if tests is None or len(tests) != len(errors):
        return
    design, weights = Design(source.table), weights_of(source)
    y = np.asarray(source.y, dtype=np.float64).ravel()
    ratio = float(np.ravel(getattr(estimator, "l1_ratio", 1.0))[0])
    limit = (1.0 - SAME) * ratio * float(np.ravel(estimator.alphas_)[0])
    each = np.stack([weights, weights * y], axis=1)
    own = np.stack([design.rows(test).T @ each[test] for test in tests])
    totals = np.stack([each[test].sum(axis=0) for test in tests])
    theirs = ours = 0.0
    left, kept = own.sum(axis=0) - own, totals.sum(axis=0) - totals
    for test, error, sums, (total, sum_of_y) in zip(tests, errors, left, kept, strict=True):
        mean = sum_of_y / total if estimator.fit_intercept else 0.0
        pull = sums[:, 1] - mean * sums[:, 0]
        weight = each[test, 0]
        if float(np.max(pull if source.positive else np.abs(pull))) <= limit * total and weight.any():
            theirs, ours = theirs + error, ours + float(weight @ (y[test] - mean) ** 2 / weight.sum())
    if ours > 0.0:
        name = "sum of the errors of its folds at the largest alpha (mse_path_)"
        yield quantity(source, name, theirs, ours, float(weights @ y**2) / float(weights.sum()))


def of_path(source: Source, risk: Any) -> Iterator[Quantity]:
    """Yield the largest alpha of its path, at which the first column comes in."""
    estimator = source.estimator
    ratio = _ratio_of_path(estimator)
    if ratio is None:
        return
    design, weights = Design(source.table), weights_of(source)
    y, found = np.asarray(source.y, dtype=np.float64).ravel(), []
    for one in (weights, np.ones(len(y))):  # older versions leave the weights out of the grid
        centred = one * (y - (float(one @ y) / float(one.sum()) if estimator.fit_intercept else 0.0))
        pull = design.transpose_dot(centred)
        found += [float(np.abs(pull).max()) / one.sum(), max(0.0, float(pull.max())) / one.sum()]
    theirs = said(lambda: ratio * np.ravel(estimator.alphas_)[0])
    ours = min(found, key=lambda value: abs(value - theirs))
    size = float(design.absolute_transpose_dot(weights * np.abs(y)).max()) / float(weights.sum())
    yield quantity(source, "largest alpha of its path (alphas_)", theirs, ours, size)


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


def of_scores(source: Source, risk: Any) -> Iterator[Quantity]:
    """Yield the accuracy of the fold that differs most, at the largest C, or l1_ratio and C."""
    estimator = source.estimator
    kept, by_class = getattr(estimator, "scores_", None), getattr(estimator, "coefs_paths_", None)
    if not (isinstance(kept, dict) and isinstance(by_class, dict)) or estimator.scoring not in BY_ACCURACY:
        return
    if estimator.class_weight is not None:  # in the weights here, and not in those of the scores
        return
    labels = np.ravel(source.y)
    tests = folds_of(estimator.cv, source.table, labels, source.classes)
    scores = np.asarray(next(iter(kept.values())), dtype=np.float64)
    scores = scores.reshape(len(scores), -1)[:, -1]
    if tests is None or len(tests) != len(scores):
        return
    design, weights = Design(source.table), weights_of(source)
    codes = np.asarray(source.translation.targets(source.y))
    paths = [np.asarray(one, dtype=np.float64) for one in by_class.values()]
    paths = [one.reshape(len(one), -1, one.shape[-1])[:, -1] for one in paths]
    found, room = np.zeros((2, len(tests))), np.zeros(len(tests))
    for fold, test in enumerate(tests):
        rows = design.rows(test)
        rows = np.column_stack([rows, np.ones(len(rows))])[:, : paths[0].shape[1]]
        predictors = np.column_stack([rows @ path[fold] for path in paths])
        if predictors.shape[1] == 1:
            predictors = np.column_stack([np.zeros(len(rows)), predictors])
        right = predictors.argmax(axis=1) == codes[test]
        first, second = np.sort(predictors, axis=1)[:, :-3:-1].T
        terms = np.abs(rows) @ np.abs(np.column_stack([path[fold] for path in paths])).sum(axis=1)
        doubtful = first - second <= SAME * terms  # as near as rounding
        own = weights[test] if weights[test].any() else np.ones(len(test))
        found[:, fold] = np.mean(right), own @ right / own.sum()  # by version
        room[fold] = SAME + max(float(np.mean(doubtful)), float(own @ doubtful / own.sum()))
    far = np.abs(found - scores) - room
    nearest = int(np.argmin(far.max(axis=1)))
    fold = int(np.argmax(far[nearest]))
    name = f"accuracy of fold {fold} at the largest C (scores_)"
    yield Quantity(name, float(scores[fold]), float(found[nearest, fold]), float(room[fold]), CAUSE)


def quantity(source: Source, name: str, theirs: float, ours: float, unit: float = 0.0) -> Quantity:
    """Return the two with the room that the precision of the fit leaves, of ours and of another size."""
    same = SINGLE if single(source.estimator.coef_) else SAME
    return Quantity(name, theirs, ours, same * abs(ours) + 1e-3 * same * abs(unit), CAUSE)


def weights_of(source: Source) -> FloatArray:
    """Return the weights of the rows, 1 where none were given, shape (n,)."""
    return np.ones(source.size.rows) if source.weights is None else source.weights


def folds_of(cv: Any, table: Any, y: Any, classes: Any) -> list[NDArray[np.intp]] | None:
    """Return the test rows of each fold, each row in one; None where they are not known to be these.

    They are not where they are drawn anew each time, or need more than X and y. `cv` is the estimator's
    setting, `classes` are those of a classifier, whose folds are stratified.

    Returns
    -------
    list of ndarray, or None

    Examples
    --------
    >>> [fold.tolist() for fold in folds_of(2, [[0.0]] * 4, [0.0] * 4, None)]
    [[0, 1], [2, 3]]
    """
    from sklearn.model_selection import check_cv

    try:
        splitter = check_cv(cv, y, classifier=classes is not None)
        drawn = getattr(splitter, "shuffle", True) and hasattr(splitter, "random_state")
        if drawn and not isinstance(splitter.random_state, Integral):
            return None
        tests, again = (test_sets("cv", list(splitter.split(table, y)), len(y)) for _ in range(2))
    except (TypeError, ValueError, AttributeError):  # groups are missing, an iterator has run out
        return None
    if tests is None or again is None or not all(map(np.array_equal, tests, again)):
        return None
    return tests if np.array_equal(np.sort(np.concatenate(tests)), np.arange(len(y))) else None
