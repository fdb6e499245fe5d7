"""How far theta is from the minimum: the Newton step that is left, in units of what a typical row does."""

from __future__ import annotations

from typing import Any

import numpy as np

from influstat.curvature.base import Factored
from influstat.input.validation import FloatArray
from influstat.risks.chart import regular
from influstat.risks.contract import Risk
from influstat.risks.linear import as_linear

EPSILON = float(np.finfo(np.float64).eps)
SMALL = 1e-7  # of a typical removal: nobody asks whether less is rounding
NOTHING = 1e-6  # of what a row with a residual of one standard deviation does: nobody asks for less
SAMPLE = 4096  # rows, evenly spread, that tell what is typical
LEAST_SAMPLE, ENTRIES = 256, 2**19  # of them where they are wide: each costs p^2


def remaining_step(risk: Risk, theta: FloatArray, *, rough: bool = False) -> float:
    """Return the size of the Newton step left at theta over that of removing a typical row.

    Both in the norm of H: root of grad'H^-1 grad against the median over rows, of those with a gradient,
    of the same norm of (w_i / W) g_i. So neither the units of columns nor a single wild row matter; a
    standard error is about root n of it. What rounding in the linear predictors can explain does not count.
    With `rough` it is right to three digits, where theta is about to be left.

    Returns
    -------
    float
        0 at the minimum; inf where H has no inverse, or beyond 4,000 coefficients.
    """
    chart, inverse = regular(risk, theta, rough=rough)
    if inverse is None:
        return np.inf
    inner: Any = risk if chart is None else chart.risk
    at = theta if chart is None else chart.start
    gradient = inner.gradient(at)
    if not np.isfinite(gradient).all():
        return np.inf
    left = float(np.sqrt(max(gradient @ inverse.solve(gradient), 0.0)))
    if left == 0.0:
        return 0.0
    n, p = inner.shape
    rows = slice(None, None, max(1, n // min(SAMPLE, max(LEAST_SAMPLE, ENTRIES // p))))
    sizes = np.sqrt(np.maximum(inverse.square_norms(_shares(inner, at, rows)), 0.0))
    sizes = sizes[sizes > 0]
    typical = float(np.median(sizes)) if sizes.size else 0.0
    typical = max(typical, NOTHING * _of_a_unit_residual(inner, at, rows, inverse))
    if left > SMALL * typical:  # else rounding need not be known, which takes two passes over the rows
        left = max(left - _rounding(risk, theta, inner, at, inverse), 0.0)
    if left == 0.0:
        return 0.0
    return left / typical if typical > 0.0 else np.inf


def _of_a_unit_residual(risk: Any, theta: FloatArray, rows: slice, inverse: Factored) -> float:
    """Return the median of what rows with a Pearson residual of 1 do, 0 where that has no size of its own.

    It has one where the loss is a negative log-likelihood without a scale. There a fit without residuals, of
    a saturated table say, is not judged by what its rows do, which is rounding.

    Returns
    -------
    float
    """
    linear = as_linear(risk)
    if linear is None or getattr(linear.loss, "dispersion", None) != 1.0:
        return 0.0
    X, y = linear.design.rows(rows), linear.y[rows]
    eta = X @ theta + linear.offset[rows]
    size = linear.weights[rows] * np.sqrt(np.maximum(linear.loss.second(y, eta), 0.0)) / linear.total_weight
    found = np.sqrt(np.maximum(inverse.square_norms(size[:, None] * X), 0.0))
    found = found[found > 0]
    return float(np.median(found)) if found.size else 0.0


def _shares(risk: Any, theta: FloatArray, rows: slice) -> FloatArray:
    """Return (w_i / W) g_i, shape (k, p)."""
    share = risk.weights[rows] / risk.total_weight
    return np.asarray(risk.row_gradients(theta, rows) * share[:, None])


def _rounding(risk: Risk, theta: FloatArray, inner: Any, at: FloatArray, inverse: Factored) -> float:
    """Return the step that rounding the linear predictors makes: a few epsilons of |x|'|theta| in each."""
    linear, moved = as_linear(risk), as_linear(inner)
    if linear is None or moved is None:
        scale = inner.gradient_scale(at)
        return 8 * EPSILON * float(np.sqrt(inverse.square_norms(scale[None, :])[0]))
    if moved is linear:
        total = linear.slope_scale(theta) / linear.total_weight
        return 8 * EPSILON * float(np.sqrt(inverse.square_norms(total[None, :])[0]))
    spread = linear.design.absolute_dot(np.abs(theta)) + np.abs(linear.offset)
    size = np.abs(linear.slopes(theta)) + np.abs(linear.curvatures(theta)) * spread
    total = moved.design.absolute_transpose_dot(linear.rows.weighted(size)) / linear.total_weight
    return 8 * EPSILON * float(np.sqrt(inverse.square_norms(total[None, :])[0]))
