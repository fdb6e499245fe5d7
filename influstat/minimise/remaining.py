"""Is theta a minimum? How far it is: the Newton step that is left, in units of what a typical row does."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from influstat.curvature.base import Factored
from influstat.errors import NotStationary
from influstat.input.validation import FloatArray
from influstat.risks.chart import regular
from influstat.risks.contract import Risk
from influstat.risks.linear import as_linear

EPSILON = float(np.finfo(np.float64).eps)
SMALL = 1e-7  # of a typical removal: nobody asks whether less is rounding
NOTHING = 1e-6  # of what a row with a residual of one standard deviation does: nobody asks for less
SAMPLE = 1024  # rows, evenly spread, whose median is right to a few per cent
LEAST_SAMPLE, ENTRIES = 256, 2**18  # of them where they are wide: each costs p^2
STATIONARITY = 1e-6  # largest relative gradient at which theta still counts as a minimiser
ALLOWED = 1e-2  # and Newton step left, in units of a typical removal: a library's own refits are no nearer


def remaining_step(risk: Risk, theta: FloatArray, *, rough: bool = False) -> float:
    """Return the size of the Newton step left at theta over that of removing a typical row."""
    # Both in the norm of H: root of grad'H^-1 grad against the median over rows, of those with a gradient, of
    # the same norm of (w_i / W) g_i. So neither the units of columns nor a single wild row matter; a standard
    # error is about root n of it. What rounding in the linear predictors can explain does not count. With
    # `rough` it is right to three digits, where theta is about to be left. It is inf where H has no inverse,
    # or beyond 4,000 coefficients, and 0 at the minimum.
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
    rows = slice(None, None, -(-n // min(SAMPLE, max(LEAST_SAMPLE, ENTRIES // p))))
    typical = _typical(inner, at, rows, inverse)
    if left > SMALL * typical:  # else rounding need not be known, which takes two passes over the rows
        left = max(left - _rounding(risk, theta, inner, at, inverse), 0.0)
    if left == 0.0:
        return 0.0
    return left / typical if typical > 0.0 else np.inf


def _typical(risk: Any, theta: FloatArray, rows: slice, inverse: Factored) -> float:
    """Return the median size of (w_i / W) g_i, or what counts as nothing where that is less."""
    # That is 1e-6 of the median of what rows with a Pearson residual of 1 do, where these have a size of
    # their own: where the loss is a negative log-likelihood without a scale. There a fit without residuals,
    # of a saturated table say, is not judged by what its rows do, which is rounding.
    linear = as_linear(risk)
    share = risk.weights[rows] / risk.total_weight
    if linear is None:
        return _median(_norms(inverse, risk.row_gradients(theta, rows) * share[:, None]))
    X = linear.design.rows(rows)
    lengths, carried = _norms(inverse, X), linear.penalty_share(theta)
    slopes, curvatures = linear.slopes(theta)[rows], linear.curvatures(theta)[rows]
    sizes = np.abs(slopes) * lengths
    if carried.any():  # and with the rows a share of the penalty leaves
        sizes = _norms(inverse, slopes[:, None] * X + carried)
    typical = _median(share * sizes)
    if getattr(linear.loss, "dispersion", None) != 1.0:
        return typical
    return max(typical, NOTHING * _median(share * np.sqrt(np.maximum(curvatures, 0.0)) * lengths))


def _norms(inverse: Factored, vectors: FloatArray) -> FloatArray:
    """Return the norms of vectors (k, p) in that of H^-1, shape (k,)."""
    return np.sqrt(np.maximum(inverse.square_norms(vectors), 0.0))


def _median(sizes: FloatArray) -> float:
    """Return the median of those above 0, 0 where there is none."""
    sizes = sizes[sizes > 0]
    return float(np.median(sizes)) if sizes.size else 0.0


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


def refuse(risk: Risk, theta: FloatArray, measure: float, limit: float) -> None:
    """Raise for a gradient that is too large, naming the coefficient where it is largest."""
    gradient, scale = risk.gradient(theta), risk.gradient_scale(theta)
    worst = int(np.argmax(np.abs(gradient) / np.where(scale > 0, scale, 1.0)))
    raise NotStationary(
        "theta",
        f"minimise the risk (a relative gradient of at most {limit:.1e})",
        f"has {measure:.3g}, largest for {risk.names[worst]!r}; |grad R| = {np.linalg.norm(gradient):.3g}",
        "Let the fit converge, check that loss, penalty, weights and offset are those it was fitted with, "
        "or finish it with ist.Fit.minimise(risk, start=theta).",
    )


def require_no_step(risk: Risk, theta: FloatArray) -> None:
    """Raise where a Newton step is left that matters, though each entry of the gradient is small."""
    if ALLOWED < (left := remaining_step(risk, theta)) < inf:
        raise NotStationary(
            "theta",
            f"minimise the risk (a Newton step left of at most {ALLOWED:g} times a typical removal)",
            f"is {left:.3g} such removals away, hidden by columns or rows in very different units",
            "Finish it with ist.Fit.minimise(risk, start=theta), or rescale the columns and fit again.",
        )
