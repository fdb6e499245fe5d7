"""Residuals of single rows, each with the sign of y minus its mean.

The score -l1 has that sign only where the mean grows with the linear predictor; where it falls (the inverse
link, powers below 0, log(1 - mu)) the sign is turned.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from influstat.errors import Unsupported
from influstat.input.validation import FloatArray
from influstat.losses.base import constant_second
from influstat.risks.linear import LinearRisk


def direction(slope: FloatArray) -> FloatArray:
    """Return 1 where the mean grows with eta, whose slope that is, -1 where it falls, shape (n,)."""
    return np.where(slope < 0, -1.0, 1.0)


def mean_slope(risk: LinearRisk, eta: FloatArray) -> FloatArray:
    """Return the derivative of the mean in eta, shape (n,); 1 for a loss without a mean."""
    try:
        return risk.loss.mean_derivative(eta)
    except Unsupported:
        return np.ones(np.shape(eta))


def has_deviance(loss: Any) -> bool:
    """Return whether a loss offers `deviance`, as likelihoods of the exponential family do."""
    return getattr(loss, "deviance", None) is not None


def unit_deviance(risk: LinearRisk, eta: FloatArray) -> FloatArray:
    """Return 2 [l(y_i, eta_i) - l(y_i, its own best eta)], in the units of the loss, (n,), at least 0."""
    if not has_deviance(risk.loss):
        raise Unsupported(
            "fit",
            "have a loss with a deviance",
            f"has {risk.loss!r}",
            'Ask for "resid_pearson", or give the loss a method deviance(y, eta).',
        )
    loss: Any = risk.loss
    return np.maximum(np.asarray(loss.deviance(risk.y, eta), dtype=np.float64), 0.0)


def deviance_residuals(risk: LinearRisk, eta: FloatArray) -> FloatArray:
    """Return the roots of w_i times the deviances, with the sign of y minus its mean, shape (n,)."""
    sign = -direction(mean_slope(risk, eta)) * np.sign(risk.loss.first(risk.y, eta))
    return np.asarray(sign * np.sqrt(risk.weights * unit_deviance(risk, eta)))


def residuals_lacking(risk: LinearRisk) -> set[str]:
    """Return which residuals there are none of: a loss may have no deviance, and no mean."""
    lacking = set() if has_deviance(risk.loss) else {"resid_deviance", "standard_resid_deviance"}
    try:
        risk.loss.mean(np.zeros(len(risk.y)))
    except Unsupported:
        lacking |= {"resid_response", "resid_press"}
    return lacking


def root_of_unit(loss: Any) -> float:
    """Return the loss's units over those of y, for residuals: sqrt(2) for (y - eta)^2."""
    return float(np.sqrt(constant_second(loss) or 1.0))
