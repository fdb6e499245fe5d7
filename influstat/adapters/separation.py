"""Is a fit on its way to infinity? Separated classes, and groups without events, announced on entry."""

from __future__ import annotations

from typing import Any

import numpy as np

from influstat.curvature.softmax import probabilities
from influstat.input.groups import Indices
from influstat.input.validation import FloatArray
from influstat.input.warning import doubt
from influstat.minimise.existence import existence_of
from influstat.risks.chart import regular
from influstat.risks.class_predictors import class_predictors_of
from influstat.risks.linear import as_linear

FLAT = 0.05  # of the median row's curvature, and minus the log of a probability: a separated row has less
WIDE = 3.0  # standard error of a row's predictor; nobody knows so little of a row, unless it flies off
LOOKED_AT = 64  # rows, those of least curvature


def explain_separation(risk: Any, theta: FloatArray) -> None:
    """Raise NoMinimiser if that is why theta is not at a minimum; return if it is not."""
    existence_of(risk).explain(theta)


def warn_of_separation(risk: Any, theta: FloatArray) -> None:
    """Say so if theta, accepted as a minimum, is where a solver stopped on its way to infinity."""
    # The linear programme that decides is solved only where some rows have hardly any curvature left and
    # hardly anything is known of their predictors.
    existence = existence_of(risk)
    rows = _flat_rows(risk, theta)
    if rows.size:  # nearly never, so that nobody need ask before how losses grow
        rows = rows[existence.one_way[rows]][:LOOKED_AT]
    if not rows.size or not _unknown(risk, theta, rows):
        return
    direction = existence.flight(theta)
    if direction is None:
        return
    doubt(
        "The risk has no finite minimiser: it falls for ever along a direction that involves "
        f"{', '.join(existence.involved(direction))} (classes are separated there, or a group has no "
        "events). The library stopped on the way, so that those coefficients, their standard errors and "
        "p-values say nothing; what the direction does not touch is near its limit. Penalise them, or drop "
        "the columns that separate."
    )


def _flat_rows(risk: Any, theta: FloatArray) -> Indices:
    """Return the rows with hardly any curvature, those of least first."""
    linear, classes = as_linear(risk), class_predictors_of(risk)
    if classes is not None:  # a group may lack one class alone
        measure, limit = probabilities(classes.predictors(theta))[0].min(axis=1), FLAT
    elif linear is None:
        measure, limit = risk.row_losses(theta), FLAT
    else:
        measure = np.abs(linear.curvatures(theta))
        limit = FLAT * float(np.median(measure[linear.weights > 0]))
        if not limit > 0:  # most rows are separated
            limit = np.inf
    rows = np.flatnonzero(~(measure >= limit))
    return rows[np.argsort(measure[rows])]


def _unknown(risk: Any, theta: FloatArray, rows: Indices) -> bool:
    """Return whether the predictor of one of the rows is hardly known, or H has no inverse."""
    chart, inverse = regular(risk, theta)
    if inverse is None:
        return True
    inner = risk if chart is None else chart.risk
    linear, classes = as_linear(inner), class_predictors_of(inner)
    if linear is not None:
        predictors = linear.design.rows(rows)
    elif classes is not None:
        contrasts = classes.functionals(classes.design.rows(rows), classes.y[rows])
        predictors = contrasts.reshape(-1, contrasts.shape[2])
    else:
        return True
    return bool(np.max(inverse.square_norms(predictors)) > WIDE**2 * inner.total_weight)
