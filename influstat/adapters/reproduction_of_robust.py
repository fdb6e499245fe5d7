"""What statsmodels' RLM and QuantReg have kept of their rows from the fit, compared with the rows of now.

RLM keeps its residuals (they were needed for its covariance) and the history of its scale.
QuantReg keeps the mean square of its weighted residuals at the last iteration, and a covariance.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import numpy as np

from influstat.adapters.quantity import SUMS, Quantity, rounding_of, said
from influstat.input.labels import label_name
from influstat.input.validation import FloatArray
from influstat.risks.linear import LinearRisk

VERSION = tuple(int(part) for part in version("statsmodels").split(".")[:2])
SAME = 1e-10  # relative: the last iteration's is of the coefficients themselves
SMALLEST = 1e-6  # residuals that QuantReg divides by are at least as large


def of_robust_regression(results: Any, linear: LinearRisk) -> Iterator[Quantity]:
    """Yield the scale at which RLM ended, and the kept residual furthest from now's."""
    eta, spread = _predictors(results, linear)
    if VERSION >= (0, 15):  # before, the history held the mean square of the weighted residuals instead
        yield Quantity(
            "scale at which its iterations ended (fit_history)",
            said(lambda: results.fit_history["scale"][-1]),
            said(lambda: results.scale),
            0.0,
        )
    now, kept = linear.y - eta, np.asarray(results.resid, dtype=np.float64)
    if kept.shape == now.shape:
        worst = int(np.argmax(np.abs(kept - now) - spread))
        name = f"residual (resid) of row {label_name(linear.row_labels[worst])}"
        yield Quantity(name, float(kept[worst]), float(now[worst]), float(spread[worst]))


def of_quantile_regression(results: Any, linear: LinearRisk) -> Iterator[Quantity]:
    """Yield the mean square of QuantReg's weighted residuals, and the sum of its correlations."""
    eta, spread = _predictors(results, linear)
    q = float(results.q)
    residual = linear.y - eta
    scaled = np.maximum(np.abs(residual), SMALLEST) * np.where(residual < 0, q, 1.0 - q)
    ours = float(np.mean(scaled**2))
    room = SAME * ours + 2.0 * float(np.mean(scaled * spread))
    ended = said(lambda: results.history["mse"][-1])
    yield Quantity("mean square of weighted residuals (history['mse'])", ended, ours, room)
    kept = np.asarray(results.normalized_cov_params, dtype=np.float64)
    rows = linear.design.rows(slice(None))
    bread = np.linalg.pinv(rows.T @ rows)  # the library's own, of columns that depend on each other too
    sides = np.where(residual > 0, q**2, (1.0 - q) ** 2)
    either = [q * (1.0 - q) * bread, bread @ (rows.T @ (sides[:, None] * rows)) @ bread]
    theirs = _correlation(kept)
    found = [_correlation(one) for one in either]
    nearest = min(found, key=lambda value: abs(value - theirs))
    room = (SUMS + rounding_of(results) * float(np.linalg.cond(rows)) ** 2) * len(kept) ** 2
    yield Quantity("sum of the correlations of its coefficients (cov_params)", theirs, nearest, room)


def _predictors(results: Any, linear: LinearRisk) -> tuple[FloatArray, FloatArray]:
    """Return X beta at the library's own coefficients, and the rounding of each residual there."""
    theta = np.asarray(results.params, dtype=np.float64)
    sizes = linear.design.absolute_dot(np.abs(theta)) + np.abs(linear.y)
    return linear.design.dot(theta), rounding_of(results) * sizes


def _correlation(covariance: FloatArray) -> float:
    """Return the sum of all correlations, nan where a variance is not positive."""
    with np.errstate(all="ignore"):
        unit = 1.0 / np.sqrt(covariance.diagonal())
        return float(unit @ covariance @ unit)
