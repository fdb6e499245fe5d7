"""From what an estimator says to the risk that it minimised, theta in that risk's order, and its reader."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.special

from influstat.adapters.scikit_learn.data import Translation
from influstat.adapters.scikit_learn.objectives import ZERO_ONE, Objective, unsupported
from influstat.adapters.scikit_learn.source import Source
from influstat.errors import InvalidArgument
from influstat.input.design import Design
from influstat.input.validation import FloatArray, vector
from influstat.risks.linear import LinearRisk
from influstat.risks.penalties import L2, Penalty, Quadratic
from influstat.risks.penalties.active_l1 import ActiveL1
from influstat.risks.softmax import SoftmaxRisk


def require_targets(source: Source, objective: Objective) -> None:
    """Raise where the distribution cannot give a target."""
    if objective.lowest == -np.inf:
        return
    y = vector("y", source.y)
    wrong = y < objective.lowest if objective.lowest_allowed else y <= objective.lowest
    if wrong.any():
        sign = ">=" if objective.lowest_allowed else ">"
        raise InvalidArgument(
            "y",
            f"be {sign} {objective.lowest:g} for {type(source.estimator).__name__}",
            f"holds {y[wrong][0]:g} at row {int(np.argmax(wrong))}",
            "Pass the y that the estimator was fitted with.",
        )


def linear_risk(source: Source, objective: Objective) -> tuple[LinearRisk, FloatArray, Translation]:
    """Return the risk with one linear predictor, theta, and the reader of new rows."""
    _require_one_predictor(source)
    penalty = _ridge(source, objective, source.table.shape[1])
    risk = _linear(source, objective, source.table, source.translation.names, penalty)
    return risk, source.theta, source.translation


def _ridge(source: Source, objective: Objective, columns: int) -> Penalty:
    """Return the quadratic penalty; an intercept has a strength of its own, mostly 0."""
    if source.intercepts is None or not objective.intercept_strength:
        return L2(objective.strength)
    return Quadratic([objective.strength] * columns + [objective.intercept_strength])


def _linear(source: Source, objective: Objective, table: Any, names: Any, penalty: Penalty) -> LinearRisk:
    assert objective.loss is not None  # the caller has replaced the hinge
    return LinearRisk(
        objective.loss,
        table,
        source.translation.targets(source.y),
        penalty=penalty,
        weights=source.weights,
        intercept=source.intercepts is not None,
        protocol=objective.protocol,
        test_protocol="fixed",  # a test loss is the plain one, as scikit-learn's metrics are
        names=names,
        row_labels=source.row_labels,
    )


def _require_one_predictor(source: Source) -> None:
    if source.classes > 2:
        name = type(source.estimator).__name__
        raise unsupported(
            "tell two classes apart",
            f"is a {name} of {source.classes} classes",
            f"Fit {name} with y == class for one class at a time, or LogisticRegression, whose classes share "
            "one risk.",
        )
    if source.classes == 1:
        raise unsupported(
            "tell two classes apart", "knows one class only", "Fit it with rows of both classes."
        )


def active_set_risk(source: Source, objective: Objective) -> tuple[LinearRisk, FloatArray, Translation]:
    """Return the risk on the active set, the coefficients that are not 0, and the reader of new rows."""
    # For absolute-value penalties, and for positive=True, which holds coefficients at 0 too.
    _require_one_predictor(source)
    coefficients = source.coefficients[0]
    active, rest = np.flatnonzero(coefficients != 0), np.flatnonzero(coefficients == 0)
    if not active.size:
        raise unsupported(
            "have a coefficient that is not 0",
            "has none",
            "Lower its penalty, or lift positive=True: with no column left only the intercept depends on the "
            "rows.",
        )
    if source.intercepts is not None and objective.intercept_lasso and not source.intercepts[0]:
        raise unsupported(
            "have an intercept other than 0 where its absolute value is penalised (liblinear)",
            "has the intercept 0",
            "Fit with fit_intercept=False, which has the same coefficients, or a LogisticRegression with "
            "solver='saga', which leaves the intercept free.",
        )
    translation = source.translation
    design = Design(source.table, names=translation.names)
    names = [design.names[j] for j in active]
    theta, slope = coefficients[active], objective.lasso * np.sign(coefficients[active])
    if source.intercepts is not None:
        theta = np.concatenate([theta, source.intercepts])
        slope = np.append(slope, objective.intercept_lasso * np.sign(source.intercepts[0]))
    held = np.sign(slope)
    held[: active.size] = np.sign(coefficients[active])
    part = replace(source, translation=translation.with_active(active))
    others, excluded = translation.with_active(rest), None
    if rest.size:
        excluded = Design(others.taken(source.table), names=[design.names[j] for j in rest])
    lasso = ActiveL1(
        slope,
        excluded=excluded,
        bound=objective.lasso,
        ridge=objective.strength,
        positive=source.positive,
        held=held,
        of_new_rows=others.columns,
    )
    penalty = _ridge(source, objective, active.size) + lasso
    risk = _linear(part, objective, part.translation.taken(source.table), names, penalty)
    return risk, theta, part.translation


def _require_softmax(source: Source) -> None:
    """Raise unless the probabilities are the softmax of the linear predictors: one risk for all classes."""
    first = source.coefficients[0]
    row = first[None] / max(float(first @ first), np.finfo(np.float64).tiny)  # its first predictor is about 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the row has no column names
        found = source.estimator.predict_proba(row)
        softmax = scipy.special.softmax(source.estimator.decision_function(row), axis=1)
    if not np.allclose(found, softmax, rtol=1e-6):  # formulas of the same numbers, against other formulas
        raise unsupported(
            "have one softmax risk for all classes",
            f"fits one class against the rest with solver={source.estimator.solver!r} in this scikit-learn",
            "Fit with solver='lbfgs' (newton-cholesky from scikit-learn 1.6 on), or one class at a time.",
        )


def softmax_risk(source: Source, objective: Objective) -> tuple[SoftmaxRisk, FloatArray, Translation]:
    """Return the risk of several classes, theta, class by class and centred, and the reader."""
    if objective.codes != ZERO_ONE or not hasattr(source.estimator, "solver"):  # LogisticRegression, CV too
        _require_one_predictor(source)
    if objective.lasso > 0:
        raise unsupported(
            "have an l1_ratio of 0 for more than two classes",
            f"has {source.classes} classes and an absolute-value penalty",
            "Fit with l1_ratio=0, or one class at a time.",
        )
    if len(source.coefficients) != source.classes:
        raise unsupported(
            "have one row of coefficients per class",
            f"has {len(source.coefficients)} for {source.classes} classes",
            "Fit one class at a time.",
        )
    _require_softmax(source)
    risk = SoftmaxRisk(
        source.table,
        source.translation.targets(source.y),
        classes=source.translation.classes,
        penalty=L2(objective.strength),
        weights=source.weights,
        intercept=source.intercepts is not None,
        protocol=objective.protocol,
        test_protocol="fixed",
        names=source.translation.names,
        row_labels=source.row_labels,
    )
    theta = source.coefficients
    if source.intercepts is not None:
        theta = np.column_stack([theta, source.intercepts])
    # The same vector taken off every class changes no probability: solvers differ in what they leave.
    centred = (theta - risk.unpenalised * theta.mean(axis=0)).ravel()
    return risk, np.asarray(centred), source.translation
