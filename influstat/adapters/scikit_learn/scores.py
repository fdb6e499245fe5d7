"""Scores that LogisticRegressionCV has kept of its folds, by the coefficients that it has kept of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from influstat.adapters.quantity import Quantity
from influstat.adapters.scikit_learn.folds import folds_of
from influstat.adapters.scikit_learn.kept import CAUSE, SAME, weights_of
from influstat.adapters.scikit_learn.source import Source
from influstat.input.design import Design

BY_ACCURACY = (None, "warn", "accuracy")  # scoring=


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
