"""Minima that float64 does not determine: rounding alone moves some row across the bend of its loss."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from influstat.errors import SingularHessian
from influstat.input.validation import FloatArray
from influstat.minimise.existence import existence_of
from influstat.risks.chart import regular
from influstat.risks.contract import Risk
from influstat.risks.linear import as_linear

EPSILON = float(np.finfo(np.float64).eps)
DRAWS = 8  # signs of rounding errors, so that they do not cancel along a flat direction by chance
# |l3| <= c l2: over a move of eta of 1 / c the curvature changes by a factor e, and Newton's method is sure
# of itself within about half of that.
TOO_FAR = 0.5


def require_determined(risk: Risk, theta: FloatArray) -> None:
    """Raise SingularHessian where what is left of the gradient, or its rounding, moves some row too far."""
    # Where all rows lie where the loss is straight (a smoothed hinge of small width), their curvature is far
    # below the rounding of their slopes: an unpenalised coefficient can be anything as far as the bend.
    linear = as_linear(risk)
    if linear is None or not 0.0 < linear.loss.self_concordance < inf:
        return
    if not linear.penalty.flat(linear.shape[1]).size:
        return  # every direction is held by the penalty
    chart, inverse = regular(risk, theta)
    if inverse is None:
        return  # said elsewhere
    inner: Any = risk if chart is None else chart.risk
    at = theta if chart is None else chart.start
    gradient = inner.gradient(at)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(len(at), DRAWS))
    slips = 8.0 * EPSILON * inner.gradient_scale(at)[:, None] * signs
    moved = np.abs(inner.design.dot(inverse.solve(np.column_stack([gradient, slips]))))
    farthest = float(np.max(moved[inner.weights > 0], initial=0.0))
    if linear.loss.self_concordance * farthest <= TOO_FAR:
        return
    existence_of(risk).explain(theta)
    raise SingularHessian(
        "The Hessian is singular in float64: where the loss is straight for all rows, their curvature is "
        f"lost in the rounding of their slopes, which alone moves predictions by {farthest:.1g}. "
        "Coefficients that have no penalty, such as an intercept, are not determined. Use a smoother loss "
        "(a larger t) or a smaller penalty, so that some rows reach the bend."
    )
