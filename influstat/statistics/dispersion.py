"""The dispersion phi: how much larger the variance of a row's score is than its curvature.

Var(l1_i) = phi E(l2_i) / w_i, so that Cov(theta) = phi S^-1 without a penalty. phi is 1 where the loss is
a negative log-likelihood without a scale (logistic, Poisson), and is estimated where the loss leaves a
scale out: for squared error (y - eta)^2, phi = 2 sigma^2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument, Unsupported
from influstat.input.printing import ShortRepr
from influstat.input.validation import FloatArray, choice, real_number
from influstat.input.warning import doubt
from influstat.losses.base import constant_second
from influstat.risks.linear import LinearRisk
from influstat.statistics.leverage import Leverage

NUDGE = float(np.finfo(np.float64).eps) ** 0.2  # step of a five-point difference
PERFECT = 1e-24  # residual sum of squares relative to the fitted one below which there is only rounding


@dataclass(frozen=True, eq=False, repr=False)
class Dispersion(ShortRepr):
    """phi of one fit, known or estimated.

    Attributes
    ----------
    value : float
        phi.
    estimated : bool
        Whether it was estimated from the residuals: Q / (N - effective degrees of freedom), Pearson's
        statistic Q = sum_i w_i l1_i^2 / E(l2_i).
    observations : float
        N: the rows of positive weight, or the sum of the weights where they are counts.
    pearson : ndarray, shape (n,)
        -sqrt(w_i) l1_i / sqrt(E(l2_i)): Pearson residuals at dispersion 1, observed minus fitted; nan
        where the curvature is not positive.
    squares : float
        Q.
    """

    value: float
    estimated: bool
    observations: float
    pearson: FloatArray
    squares: float


def dispersion_of(loss: Any, given: Any) -> float | None:
    """Return phi if it is known.

    A loss says so in its attribute `dispersion`: a number, or None for "estimate it".

    Returns
    -------
    float or None
        None if it is to be estimated.

    Raises
    ------
    Unsupported
        The loss is no likelihood, and no dispersion was given.
    """
    if given is not None:
        return real_number("dispersion", given, above=0.0)
    if not hasattr(loss, "dispersion"):
        raise Unsupported(
            "fit",
            "have a loss with a variance for standard errors and studentised residuals",
            f"has {loss!r}, which says nothing about the variance of y",
            "Ask for hat_diag, dfbeta or a robust covariance (HC0 to HC3, cluster, jackknife), or pass "
            "dispersion=.",
        )
    known: float | None = loss.dispersion
    return known


def expected_second(risk: LinearRisk, eta: FloatArray) -> FloatArray:
    """Return E(l2_i): l2 at the target that equals its mean, since likelihoods here are linear in y.

    A loss without a mean has its own l2 taken instead.

    Returns
    -------
    ndarray, shape (n,)
    """
    try:
        mean = risk.loss.mean(eta)
    except Unsupported:
        return risk.loss.second(risk.y, eta)
    return risk.loss.second(mean, eta)


def pearson_residuals(risk: LinearRisk, eta: FloatArray) -> FloatArray:
    """Return -sqrt(w_i) l1_i / sqrt(E(l2_i)), shape (n,); nan where E(l2_i) is not positive."""
    second = expected_second(risk, eta)
    root = np.sqrt(np.where(second > 0, second, np.nan))
    return -np.sqrt(risk.weights) * risk.loss.first(risk.y, eta) / root


def pearson_slope(risk: LinearRisk, eta: FloatArray) -> FloatArray:
    """Return the derivative of l1_i^2 / E(l2_i) in eta_i: 2 l1_i for squared error.

    For other losses by a five-point difference, to about 12 digits.

    Returns
    -------
    ndarray, shape (n,)
        0 where it does not exist.
    """
    if constant_second(risk.loss) is not None:
        return 2.0 * risk.loss.first(risk.y, eta)
    step = NUDGE * np.maximum(1.0, np.abs(eta))

    def ratio(k: int) -> FloatArray:
        moved = eta + k * step
        with np.errstate(all="ignore"):
            return risk.loss.first(risk.y, moved) ** 2 / expected_second(risk, moved)

    slope = (8.0 * (ratio(1) - ratio(-1)) - (ratio(2) - ratio(-2))) / (12.0 * step)
    return np.where(np.isfinite(slope), slope, 0.0)


def observations(risk: LinearRisk, frequency: bool) -> float:
    """Return N: the sum of the weights where they are counts, else the rows of positive weight."""
    choice("frequency", frequency, (True, False))
    return risk.total_weight if frequency else float(np.count_nonzero(risk.weights))


def dispersion(leverage: Leverage, *, given: Any = None, frequency: bool = False) -> Dispersion:
    """Return phi of a fit, known, given or estimated.

    Returns
    -------
    Dispersion

    Raises
    ------
    Unsupported
        The loss is no likelihood, and no dispersion was given.
    InvalidArgument
        There is nothing left to estimate it from.
    """
    risk = leverage.risk
    known = dispersion_of(risk.loss, given)
    residuals = pearson_residuals(risk, leverage.linear_predictor)
    total = observations(risk, frequency)
    squares = float(np.nansum(residuals**2))
    if known is not None:
        return Dispersion(known, False, total, residuals, squares)
    freedom = total - leverage.effective_degrees_of_freedom
    if not freedom > 1e-8 * total:
        raise InvalidArgument(
            "fit",
            "have more observations than effective degrees of freedom to estimate its dispersion",
            f"has {total:g} and {total - freedom:g}",
            "Pass dispersion=, use fewer columns, or penalise.",
        )
    scale = float(risk.weights @ (np.abs(leverage.second) * (leverage.linear_predictor**2 + risk.y**2)))
    if squares <= PERFECT * scale:
        doubt(
            "The fit is perfect up to rounding: its dispersion, and all that is divided by it, is rounding "
            "error. Pass dispersion= if it is known.",
        )
    return Dispersion(squares / freedom, True, total, residuals, squares)
