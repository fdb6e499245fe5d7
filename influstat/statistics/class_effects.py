"""Effects of a column on the probabilities of several classes: average marginal effects and odds ratios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from influstat.curvature.softmax import probabilities
from influstat.errors import InvalidArgument, Unsupported
from influstat.input.printing import nearest_first, short
from influstat.input.settings import texts
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.risks.class_predictors import ClassPredictors
from influstat.risks.classes import ClassRisk
from influstat.statistics.functionals import Functional


@dataclass(frozen=True, eq=False)
class ClassEffects:
    """The effects of columns j on the probabilities pi_a of some rows; m of them, column after column.

    With v_a = theta_aj and v = sum_b pi_b v_b, d pi_a / d x_j = pi_a (v_a - v).
    """

    classes: ClassPredictors
    rows: FloatArray  # shape (n, q)
    columns: tuple[int, ...]
    discrete: tuple[int, ...]  # those of them for which it is the value at 1 less that at 0
    logarithm: bool  # of the probability
    relative: bool  # times the column

    def each(self, theta: FloatArray) -> FloatArray:
        """Return every effect on every row, shape (n, m)."""
        blocks, found = self.classes.by_class(theta), []
        pi = self._probabilities(self.rows, blocks)
        for j in self.columns:
            if j in self.discrete:
                of = self._logarithms if self.logarithm else self._probabilities
                found.append(of(self._with(j, 1.0), blocks) - of(self._with(j, 0.0), blocks))
            else:
                slope = self._contrast(pi, blocks[:, j]) * self._times(j)
                found.append(slope if self.logarithm else pi * slope)
        return np.concatenate(found, axis=1)

    def average(self, theta: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the weighted average over the rows, shape (m,)."""
        return np.asarray(weights @ self.each(theta) / weights.sum())

    def gradient(self, theta: FloatArray, weights: FloatArray) -> FloatArray:
        """Return its gradient in theta, shape (p, m)."""
        blocks, share, unit = self.classes.by_class(theta), weights / weights.sum(), np.eye(len(self._all))
        pi, found = self._probabilities(self.rows, blocks), []
        for j in self.columns:
            if j in self.discrete:
                ends = (self._with(j, value) for value in (1.0, 0.0))
                high, low = (self._of_probabilities(end, blocks, share) for end in ends)
                found.append(high - low)
                continue
            factor = (share[:, None] * self._times(j))[:, :, None]
            slope = self._contrast(pi, blocks[:, j])
            moved = unit - pi[:, None, :]  # d log pi_a / d eta_c, shape (n, K, K)
            along = np.broadcast_to(-(pi * slope)[:, None, :], moved.shape)  # d slope_a / d eta_c
            if not self.logarithm:
                along = pi[:, :, None] * (along + moved * slope[:, :, None])
                moved = pi[:, :, None] * moved
            result = np.einsum("nac,nq->cqa", factor * along, self.rows)
            result[:, j] += np.sum(factor * moved, axis=0).T
            found.append(result)
        return self.classes.coefficients(np.concatenate(found, axis=2))

    @property
    def _all(self) -> range:
        return range(self.classes.classes)

    def _times(self, j: int) -> Any:
        return self.rows[:, [j]] if self.relative else 1.0

    def _with(self, j: int, value: float) -> FloatArray:
        rows = self.rows.copy()
        rows[:, j] = value
        return rows

    def _probabilities(self, rows: FloatArray, blocks: FloatArray) -> FloatArray:
        return probabilities(rows @ blocks.T)[0]

    def _logarithms(self, rows: FloatArray, blocks: FloatArray) -> FloatArray:
        """Return log pi, finite also where pi itself underflows."""
        return np.asarray(log_softmax(rows @ blocks.T, axis=1))

    def _contrast(self, pi: FloatArray, values: FloatArray) -> FloatArray:
        return np.asarray(values - (pi @ values)[:, None])

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
    """Return the average marginal effects of columns on each class's probability.

    See `average_marginal_effect`.

    Returns
    -------
    Functional
        Quantities are called by class and column.
    """
    design = classes.design
    if X is not None:
        design = design.like(X if fit.reader is None else fit.reader.columns(X), argument="X")
    rows = design.rows(slice(None))
    chosen = chosen_columns(classes, columns)
    steps = chosen_columns(classes, discrete, "discrete") if len(discrete) else ()
    relative = elasticity in ("eyex", "dyex")
    if relative and steps:
        raise InvalidArgument(
            "elasticity",
            'be "eydx" or left out for discrete changes, which have no relative size',
            f"is {elasticity!r}",
            "Leave discrete= out, or columns with discrete changes.",
        )
    others = tuple(j for j in steps if j not in chosen)
    if others and columns is not None:
        was = f"holds {short(design.names[others[0]])}"
        raise InvalidArgument("discrete", "be among the columns", was, "Add it to columns too.")
    logarithm = elasticity in ("eyex", "eydx")
    effects = ClassEffects(classes, rows, (*chosen, *others), steps, logarithm, relative)
    training = X is None
    weights = classes.weights if training else np.ones(len(rows))
    value = effects.average(fit.theta, weights)
    labels = tuple(f"{label}: {classes.design.names[j]}" for j in effects.columns for label in labels_of(fit))
    return Functional(
        fit,
        labels,
        "average marginal effect" if elasticity is None else f"average {elasticity}",
        value,
        effects.gradient(fit.theta, weights),
        np.zeros(len(value)),
        partial(_average, effects, None if training else weights),
        effects.each(fit.theta) - value if training else None,
    )


def class_odds(
    fit: Minimum, classes: ClassPredictors, columns: Sequence[str] | str | None, step: float
) -> Functional:
    """Return exp(step (theta_aj - theta_0j)): odds ratios of every class against the first.

    Returns
    -------
    Functional
        Quantities are called by class and column.
    """
    K, q = classes.classes, classes.design.shape[1]
    labels, names, lines = labels_of(fit), [], []
    for j in chosen_columns(classes, columns):
        for a in range(1, K):
            blocks = np.zeros((K, q))
            blocks[a, j], blocks[0, j] = step, -step
            lines.append(classes.coefficients(blocks))
            names.append(f"{labels[a]}: {classes.design.names[j]}")
    directions = np.column_stack(lines)
    evaluate = partial(_odds, directions)
    value = evaluate(fit.theta, classes.weights)
    nothing = np.zeros(len(value))
    return Functional(
        fit, tuple(names), "odds ratio", value, directions * value, nothing, evaluate, on_logs=True
    )


def labels_of(fit: Minimum) -> NDArray[Any]:
    """Return what the classes of the fit are called, shape (K,)."""
    losses = fit.risk.class_losses() if isinstance(fit.risk, ClassRisk) else None
    if losses is None:
        raise Unsupported("fit", "have classes", "has none", "Ask a classifier's fit.")
    return losses.labels


def chosen_columns(
    classes: ClassPredictors, columns: Sequence[str] | str | None, argument: str = "columns"
) -> tuple[int, ...]:
    """Return the positions of columns of the design by name, all that vary when left out; or raise."""
    names = classes.design.names
    if columns is None:
        first, varies = classes.design.rows(slice(0, 1)), np.zeros(len(names), dtype=np.bool_)
        for _, block in classes.design.dense_blocks():
            varies |= (block != first).any(axis=0)
        found = tuple(np.flatnonzero(varies).tolist())
    else:
        wanted = texts(argument, [columns] if isinstance(columns, str) else columns)
        for name in wanted:
            if names.count(name) != 1:
                was = f"holds {short(name)}; there are {nearest_first(name, names)}"
                need = "name columns of the design, which every class has"
                raise InvalidArgument(argument, need, was, "Pass some of these names.")
        found = tuple(names.index(name) for name in wanted)
    if not found:
        raise InvalidArgument(argument, "name a column that varies", "names none", "Add a column.")
    return found


def _average(effects: ClassEffects, fixed: Any, theta: FloatArray, kept: FloatArray) -> FloatArray:
    return effects.average(theta, kept if fixed is None else fixed)


def _odds(directions: FloatArray, theta: FloatArray, weights: FloatArray) -> FloatArray:
    return np.asarray(np.exp(theta @ directions))
