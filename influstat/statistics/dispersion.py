"""The dispersion phi: how much larger the variance of a row's score is than its curvature.

Var(l1_i) = phi E(l2_i) / w_i, so that Cov(theta) = phi S^-1 without a penalty. phi is 1 where the loss is
a negative log-likelihood without a scale (logistic, Poisson), and is estimated where the loss leaves a
scale out. Callers speak of the variance of y at unit weight and unit variance function: sigma^2 for least
squares however its loss is scaled. A loss of constant curvature c has phi = c sigma^2, any other phi as it
is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument, Unsupported
from influstat.input.printing import ShortRepr
from influstat.input.validation import FloatArray, choice, real_number
from influstat.input.warning import doubt_once
from influstat.losses.base import constant_second
from influstat.minimise.minimum import Minimum
from influstat.numerics.differences import slope
from influstat.risks.linear import LinearRisk
from influstat.statistics.leverage import Leverage, expected_second
from influstat.statistics.residuals import direction, mean_slope, unit_deviance

PERFECT = 1e-24  # residual sum of squares relative to the fitted one below which there is only rounding
PEARSON, DEVIANCE = "X2", "dev"  # how it is estimated, by statsmodels' names
FLAT = 1e-150  # of a mean per unit of eta: less squares to no float64


@dataclass(frozen=True, eq=False, repr=False)
class Dispersion(ShortRepr):
    """phi of one fit, known or estimated."""

    value: float  # phi
    estimated: bool  # whether it was estimated: Q / (N - effective degrees of freedom)
    observations: float  # N: the rows of positive weight, or the sum of the counts that they stand for
    pearson: FloatArray  # see `pearson_residuals`, shape (n,)
    parts: FloatArray  # of Q: squares of Pearson's residuals, or parts of the deviance, shape (n,)
    squares: float  # Q


def check_dispersion(given: Any) -> float | str | None:
    """Return a dispersion argument: a positive number, "X2", "dev" or None; raise for anything else."""
    if given is None or (isinstance(given, str) and given in (PEARSON, DEVIANCE)):
        return given
    return real_number("dispersion", given, above=0.0)


def dispersion_of(loss: Any, given: Any) -> float | None:
    """Return phi if it is known, None if it is to be estimated; raise where the loss is no likelihood."""
    # A loss says so in its attribute `dispersion`: a number, or None for "estimate it". `given` is the
    # variance of y at unit weight, "X2" or "dev".
    checked = check_dispersion(given)
    if isinstance(checked, str):
        return None
    if checked is not None:
        return checked * (constant_second(loss) or 1.0)
    if not hasattr(loss, "dispersion"):
        raise Unsupported(
            "fit",
            "have a loss with a variance for standard errors and studentised residuals",
            f"has {loss!r}, which says nothing about the variance of y",
            'fit.diagnostics(["dfbeta"]) needs none, and diagnostics takes dispersion= where it is known.',
        )
    known: float | None = loss.dispersion
    return known


def pearson_residuals(risk: LinearRisk, eta: FloatArray) -> FloatArray:
    """Return Pearson residuals at dispersion 1, in the units of the loss, shape (n,)."""
    # -sqrt(w_i) l1_i / sqrt(E(l2_i)), turned where the mean falls with eta, so that the sign is that of y
    # minus its mean; nan where E(l2_i) is not positive.
    first, expected = risk.loss.first(risk.y, eta), expected_second(risk, eta)
    return _pearson(risk, direction(mean_slope(risk, eta)), first, expected)


def _pearson(risk: LinearRisk, sign: FloatArray, first: FloatArray, expected: FloatArray) -> FloatArray:
    root = np.sqrt(np.where(expected > 0, expected, np.nan))
    return -sign * np.sqrt(risk.weights) * first / root


def pearson_slope(risk: LinearRisk, eta: FloatArray) -> FloatArray:
    """Return the derivative of l1_i^2 / E(l2_i) in eta_i, shape (n,), 0 where it does not exist."""
    # 2 l1_i for squared error; for other losses by a five-point difference, to about 12 digits.
    if constant_second(risk.loss) is not None:
        return 2.0 * risk.loss.first(risk.y, eta)

    def ratio(eta: FloatArray) -> FloatArray:
        return np.asarray(risk.loss.first(risk.y, eta) ** 2 / expected_second(risk, eta))

    return slope_in_eta(ratio, eta)


def slope_in_eta(function: Any, eta: FloatArray) -> FloatArray:
    """Return the derivative of a function of every eta by a five-point difference, 0 where there is none."""
    with np.errstate(all="ignore"):
        found = slope(function, eta)
    return np.where(np.isfinite(found), found, 0.0)


def counts_of(fit: Minimum, frequency: Any) -> FloatArray:
    """Return how many observations each row stands for, shape (n,)."""
    # Its weight if `frequency`, 1 where it has weight if not; for None what the fit states, else that.
    weights: FloatArray = np.asarray(fit.risk.weights, dtype=np.float64)
    if frequency is None and fit.stated.counts is not None:
        return fit.stated.counts
    if frequency is not None:
        choice("frequency", frequency, (True, False))
    return weights if frequency else (weights > 0).astype(np.float64)


@dataclass(frozen=True)
class Totals:
    """Sums over all rows that a dispersion is estimated from."""

    observations: float  # N
    squares: float  # Q
    scale: float  # the fitted sum of squares, relative to which Q may be rounding

    def plus(self, other: Totals) -> Totals:
        """Return the sums over the rows of both."""
        squares, scale = self.squares + other.squares, self.scale + other.scale
        return Totals(self.observations + other.observations, squares, scale)


def totals_of(leverage: Leverage, counts: FloatArray, parts: FloatArray) -> Totals:
    """Return the sums over the rows of `leverage`, whose parts of Q are given, shape (n,)."""
    risk = leverage.risk
    eta = leverage.linear_predictor
    slope, root = leverage.mean_slope, np.sqrt(np.abs(leverage.second))
    # y in units of eta; of a mean that hardly moves squares would overflow, and their part of Q is as large.
    y = np.divide(root * risk.y, slope, out=np.zeros_like(slope), where=np.abs(slope) > FLAT)
    size = (root * eta) ** 2 + y**2
    return Totals(float(counts.sum()), float(parts.sum()), float(risk.weights @ size))


def pearson_parts(leverage: Leverage, given: Any) -> tuple[FloatArray, FloatArray]:
    """Return Pearson residuals, and what each row adds to Q as `given` has it, shape (n,) each."""
    risk = leverage.risk
    residuals = _pearson(risk, leverage.direction, leverage.first, leverage.expected_second)
    if isinstance(given, str) and given == DEVIANCE:
        return residuals, risk.weights * unit_deviance(risk, leverage.linear_predictor)
    return residuals, np.where(np.isnan(residuals), 0.0, residuals) ** 2


def dispersion(
    leverage: Leverage, counts: FloatArray, *, given: Any = None, totals: Totals | None = None
) -> Dispersion:
    """Return phi of a fit, known, given or estimated; raise where there is nothing to estimate it from."""
    # `given` is the variance of y at unit weight, or how it is to be estimated: by Pearson's statistic ("X2")
    # or by the deviance ("dev"); None: as the loss says. `totals` where `leverage` has some of the rows.
    risk = leverage.risk
    known = dispersion_of(risk.loss, given)
    residuals, parts = pearson_parts(leverage, given)
    whole = totals is None
    totals = totals_of(leverage, counts, parts) if totals is None else totals
    total, squares = totals.observations, totals.squares
    if known is not None:
        return Dispersion(known, False, total, residuals, parts, squares)
    freedom = total - leverage.effective_degrees_of_freedom
    if not freedom > 1e-8 * total:
        raise InvalidArgument(
            "fit",
            "have more observations than effective degrees of freedom to estimate its dispersion",
            f"has {total:g} and {total - freedom:g}",
            "Use fewer columns or a penalty; diagnostics and inference take dispersion= if it is known.",
        )
    if whole:
        warn_if_perfect(totals, risk)
    return Dispersion(squares / freedom, True, total, residuals, parts, squares)


def warn_if_perfect(totals: Totals, of: Any) -> None:
    """Warn of a dispersion that is estimated from rounding errors, once for each risk."""
    if totals.squares <= PERFECT * totals.scale:
        doubt_once(
            of,
            "The fit is perfect up to rounding: its dispersion, and all that is divided by it, is rounding "
            "error. fit.diagnostics and fit.inference take dispersion= where it is known.",
        )
