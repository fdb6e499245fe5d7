"""Least squares: OLS, WLS, and GLS through its whitened rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from influstat.adapters.statsmodels.reading import Mapped, one_predictor, unsupported
from influstat.input.validation import FloatArray
from influstat.input.warning import doubt
from influstat.losses.squared import SquaredError
from influstat.minimise.existence import LinearExistence
from influstat.risks.chart import chart_of
from influstat.risks.linear import LinearRisk, as_linear

# Times the condition number of X: what a solution by linear algebra may be off, ample for any length of sums.
ROUNDING = 1e4 * float(np.finfo(np.float64).eps)
# Of the largest singular value: statsmodels' pinv_extended takes for 0 what is below 1e-15 of it, and one
# that is 0 but for rounding has a few roundings of the largest.
CUT_OFF = 4e-15
FEW_DIGITS = 1e-10  # of the largest singular value: fewer than six digits, which removals of rows need


def from_least_squares(results: Any) -> Mapped:
    """Map OLS or WLS: squared error with the model's weights."""
    return _squared_error(results, weights=np.asarray(results.model.weights, dtype=np.float64))


def from_gls(results: Any) -> Mapped:
    """Map GLS: weights where sigma is diagonal, whitened rows where it correlates the rows."""
    model = results.model
    factor = model.cholsigmainv
    if factor is None:
        return _squared_error(results)
    factor = np.asarray(factor, dtype=np.float64)
    if factor.ndim == 1:
        return _squared_error(results, weights=factor**2)
    if np.count_nonzero(factor - np.diag(np.diagonal(factor))) == 0:
        return _squared_error(results, weights=np.diagonal(factor) ** 2)
    doubt(
        "sigma correlates the rows of this GLS fit, so its risk is a sum over whitened rows: 'row i' below "
        "is row i of cholsigmainv @ X, which mixes observations. To ask about an observation itself, refit "
        "without it (and without its row and column of sigma).",
    )
    whitened = np.asarray(model.wexog, dtype=np.float64).reshape(len(model.wendog), -1)
    return _squared_error(results, X=whitened, y=model.wendog)


def rounding_of(results: Any, ridge: bool) -> float:
    """Return the relative gradient that rounding explains at a closed form; inf for all but least squares."""
    # `ridge` says whether a penalty, where there is one, is quadratic: that of coordinate descent is no
    # closed form.
    penalised = type(results).__name__.startswith("Regularized")
    if not hasattr(results.model, "wexog") or (penalised and not ridge):
        return np.inf
    if not (penalised or hasattr(results, "normalized_cov_params")):
        return np.inf
    with np.errstate(all="ignore"):
        condition = float(np.linalg.cond(np.asarray(results.model.wexog, dtype=np.float64)))
    return ROUNDING * condition if np.isfinite(condition) else np.inf


def left_out(results: Any, risk: Any, theta: FloatArray) -> str:
    """Return which directions that the rows determine the library's solution lost; "" where none."""
    linear, found = as_linear(risk), None
    if linear is not None:
        found = _solved(results, linear, theta)
    if linear is None or found is None:
        return ""
    rows, otherwise = found
    _, values, directions = np.linalg.svd(rows, full_matrices=False)
    kept = values > CUT_OFF * values[0]
    chart = chart_of(risk, theta)
    felt = risk.shape[1] if chart is None else chart.coordinates.transform.shape[1]
    if np.count_nonzero(kept) >= felt:
        return ""
    names = LinearExistence(linear).involved(np.abs(directions[~kept]).max(axis=0))
    lost = ", ".join(f"{value:.3g}" for value in values[~kept][:3])
    return (
        f"Least squares in statsmodels loses singular values near 1e-15 of the largest "
        f"({values[0]:.3g}): it has lost {lost}, of {', '.join(names)}, so that these coefficients are no "
        f"minimum. Center or rescale those columns and fit again{otherwise}"
    )


def few_digits(results: Any, risk: Any, theta: FloatArray) -> str:
    """Return that the library's solution has few digits, where singular values are far apart, or ""."""
    linear = as_linear(risk)
    found = None if linear is None else _solved(results, linear, theta)
    if found is None:
        return ""
    values = np.linalg.svd(found[0], compute_uv=False)
    if not values[-1] < FEW_DIGITS * values[0]:
        return ""
    return (
        "Least squares in statsmodels is by singular values, here from "
        f"{values[0]:.3g} to {values[-1]:.3g}, which leaves the coefficients "
        f"{max(0.0, np.log10(values[-1] / values[0] / np.finfo(np.float64).eps)):.0f} digits at most. "
        f"Center or rescale columns of so different sizes and fit again{found[1]}"
    )


def _solved(results: Any, risk: LinearRisk, theta: FloatArray) -> tuple[FloatArray, str] | None:
    """Return the rows whose least squares were solved by singular values, and what solves them otherwise."""
    from statsmodels.robust.robust_linear_model import RLM

    model = results.model
    if getattr(model, "wexog_singular_values", None) is not None:
        return np.asarray(model.wexog, dtype=np.float64), ', or use fit(method="qr")'
    if getattr(results, "method", "") != "IRLS" and not isinstance(model, RLM):
        return None
    settings = getattr(results, "mle_settings", None) or {}
    if settings.get("wls_method") == "qr":
        return None
    weights = np.sqrt(np.maximum(risk.weights * risk.curvatures(theta), 0.0))
    rows = weights[:, None] * risk.design.rows(slice(None))
    return rows, "" if isinstance(model, RLM) else ', or use fit(wls_method="qr")'


def _squared_error(results: Any, **rows: Any) -> Mapped:
    if np.ndim(results.params) == 2:
        unsupported(
            f"{type(results.model).__name__} with {np.shape(results.params)[1]} responses",
            "They share no risk. Fit one response at a time.",
        )
    return one_predictor(results, SquaredError(), **rows)
