"""Effects of a column on the probabilities of several classes: average marginal effects and odds ratios."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from influstat.curvature.softmax import probabilities
from influstat.errors import Unsupported
from influstat.influence.changes import Change, changes_of, one_direction, require_unrelative
from influstat.influence.user_columns import user_columns
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.risks.class_predictors import ClassPredictors
from influstat.risks.classes import ClassRisk
from influstat.sets.thresholds import Line
from influstat.statistics.functionals import Functional


class Averaged(ABC):
    """Effects on each of some rows, and their averages."""

    @abstractmethod
    def each(self, theta: FloatArray) -> FloatArray:
        """Return every effect on every row, shape (n, m)."""

    @abstractmethod
    def gradient(self, theta: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the gradient of the weighted average in theta, shape (p, m)."""

    def average(self, theta: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the weighted average over the rows, shape (m,)."""
        return np.asarray(weights @ self.each(theta) / weights.sum())

    def functional(
        self, fit: Minimum, labels: tuple[str, ...], elasticity: str | None, own: FloatArray | None, n: int
    ) -> Functional:
        """Return the averages as quantities of a fit: over its `own` weighted rows, or over n new ones."""
        weights, theta = np.ones(n) if own is None else own, fit.theta
        value = self.average(theta, weights)
        called = "average marginal effect" if elasticity is None else f"average {elasticity}"
        part = None if own is None else self.each(theta) - value
        evaluate = partial(average_of, self, weights if own is None else None)
        gradient, exact = self.gradient(theta, weights), np.zeros(len(value))
        return Functional(fit, labels, called, value, gradient, exact, evaluate, part)


@dataclass(frozen=True, eq=False)
class ClassEffects(Averaged):
    """The effects of some changes on the probabilities pi_a of some rows; m of them, change after change.

    With d_i how row i moves, v_a = d_i'theta_a and v = sum_b pi_b v_b, the slope of pi_a is pi_a (v_a - v).
    """

    classes: ClassPredictors
    rows: FloatArray  # shape (n, q)
    changes: list[Change]
    logarithm: bool  # of the probability
    relative: bool  # times the column

    def each(self, theta: FloatArray) -> FloatArray:
        """Return every effect on every row, shape (n, m)."""
        blocks, found = self.classes.by_class(theta), []
        pi = self._probabilities(self.rows, blocks)
        for change in self.changes:
            if change.ends is not None:
                of = self._logarithms if self.logarithm else self._probabilities
                high, low = (of(end, blocks) for end in change.ends)
                found.append(high - low)
            else:
                slope = self._contrast(pi, change.direction @ blocks.T) * self._times(change)
                found.append(slope if self.logarithm else pi * slope)
        return np.concatenate(found, axis=1)

    def gradient(self, theta: FloatArray, weights: FloatArray) -> FloatArray:
        """Return its gradient in theta, shape (p, m)."""
        blocks, share, unit = self.classes.by_class(theta), weights / weights.sum(), np.eye(len(self._all))
        pi, found = self._probabilities(self.rows, blocks), []
        for change in self.changes:
            if change.ends is not None:
                high, low = (self._of_probabilities(end, blocks, share) for end in change.ends)
                found.append(high - low)
                continue
            factor = (share[:, None] * self._times(change))[:, :, None]
            slope = self._contrast(pi, change.direction @ blocks.T)
            moved = unit - pi[:, None, :]  # d log pi_a / d eta_c, shape (n, K, K)
            along = np.broadcast_to(-(pi * slope)[:, None, :], moved.shape)  # d slope_a / d eta_c
            if not self.logarithm:
                along = pi[:, :, None] * (along + moved * slope[:, :, None])
                moved = pi[:, :, None] * moved
            result = np.einsum("nac,nq->cqa", factor * along, self.rows)
            found.append(result + np.einsum("nac,nq->cqa", factor * moved, change.direction))
        return self.classes.coefficients(np.concatenate(found, axis=2))

    @property
    def _all(self) -> range:
        return range(self.classes.classes)

    def _times(self, change: Change) -> Any:
        return change.values[:, None] if self.relative else 1.0

    def _probabilities(self, rows: FloatArray, blocks: FloatArray) -> FloatArray:
        return probabilities(rows @ blocks.T)[0]

    def _logarithms(self, rows: FloatArray, blocks: FloatArray) -> FloatArray:
        """Return log pi, finite also where pi itself underflows."""
        return np.asarray(log_softmax(rows @ blocks.T, axis=1))

    def _contrast(self, pi: FloatArray, values: FloatArray) -> FloatArray:
        return np.asarray(values - (pi * values).sum(axis=1, keepdims=True))

    def _of_probabilities(self, rows: FloatArray, blocks: FloatArray, share: FloatArray) -> FloatArray:
        """Return the gradient of the average probabilities, or of their logarithms, (K, q, K)."""
        pi = self._probabilities(rows, blocks)
        moved = np.eye(pi.shape[1]) - pi[:, None, :]
        if not self.logarithm:
            moved = pi[:, :, None] * moved
        return np.asarray(np.einsum("n,nac,nq->cqa", share, moved, rows))


def class_effects(
    fit: Minimum,
    classes: ClassPredictors,
    columns: Sequence[str] | str | None,
    *,
    discrete: Sequence[str] | str,
    elasticity: str | None,
    X: Any,
) -> Functional:
    """Return the average marginal effects on each class's probability, called by class and column."""
    design = classes.design
    if X is not None:
        design = design.like(X if fit.reader is None else fit.reader.columns(X), argument="X")
    rows = design.rows(slice(None))
    changes = changes_of(fit, user_columns(fit, X), rows, columns, discrete)
    require_unrelative(changes, elasticity)
    logarithm, relative = elasticity in ("eyex", "eydx"), elasticity in ("eyex", "dyex")
    effects = ClassEffects(classes, rows, changes, logarithm, relative)
    labels = tuple(f"{label}: {change.label}" for change in changes for label in labels_of(fit))
    return effects.functional(fit, labels, elasticity, classes.weights if X is None else None, len(rows))


def class_odds(
    fit: Minimum, classes: ClassPredictors, columns: Sequence[str] | str | None, step: float
) -> Functional:
    """Return exp(step (theta_aj - theta_0j)), odds ratios against the first class, by class and column."""
    K, q = classes.classes, classes.design.shape[1]
    labels, names, lines = labels_of(fit), [], []
    for change in changes_of(fit, user_columns(fit), classes.design.rows(slice(None)), columns, ()):
        direction = step * one_direction(change)
        for a in range(1, K):
            blocks = np.zeros((K, q))
            blocks[a], blocks[0] = direction, -direction
            lines.append(classes.coefficients(blocks))
            names.append(f"{labels[a]}: {change.label}")
    return odds_along(fit, tuple(names), np.column_stack(lines))


def odds_along(
    fit: Minimum, names: tuple[str, ...], directions: FloatArray, lines: tuple[Line, ...] = ()
) -> Functional:
    """Return the odds ratios along the columns of `directions` (p, m) as quantities of a fit."""
    evaluate = partial(odds_of, directions)
    value, exact = evaluate(fit.theta, fit.risk.weights), np.zeros(len(names))
    gradient = directions * value
    return Functional(fit, names, "odds ratio", value, gradient, exact, evaluate, lines=lines, on_logs=True)


def labels_of(fit: Minimum) -> NDArray[Any]:
    """Return what the classes of the fit are called, shape (K,)."""
    losses = fit.risk.class_losses() if isinstance(fit.risk, ClassRisk) else None
    if losses is None:
        raise Unsupported("fit", "have classes", "has none", "Ask a classifier's fit.")
    return losses.labels


# Quantities as functions of theta and of the weights of the rows left, which pickle as local ones would not.
def average_of(effects: Averaged, fixed: Any, theta: FloatArray, kept: FloatArray) -> FloatArray:
    """Return the average with the weights `fixed`, or with those of the rows left, shape (m,)."""
    return effects.average(theta, kept if fixed is None else fixed)


def odds_of(directions: FloatArray, theta: FloatArray, weights: FloatArray) -> FloatArray:
    """Return odds ratios along the columns of `directions` (p, m), shape (m,)."""
    del weights
    return np.asarray(np.exp(theta @ directions))
