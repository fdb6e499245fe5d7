"""Studentised residuals against their quantiles, with an envelope by simulation from the fitted model.

Targets are drawn from the fit's own distribution (around its means, with its dispersion), the model is fitted
to them, and its studentised residuals are sorted; the envelope holds the middle share of each sorted residual
over the simulations (Atkinson 1985, section 4.2; `qqPlot` of R's car for least squares, where it depends on
the columns alone). It is pointwise: of n residuals some leave an envelope of 95 % by chance.

A loss says how to draw by `draw(mean, precision, rng)`, precision the row's weight over the dispersion.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import ndtri, stdtrit

from influstat.errors import InflustatError
from influstat.input.validation import FloatArray
from influstat.input.warning import unsaid
from influstat.minimise.minimum import Minimum
from influstat.risks.linear import LinearRisk, require_linear
from influstat.statistics.diagnostics import diagnostics
from influstat.statistics.dispersion import counts_of
from influstat.statistics.dispersion import dispersion as dispersion_from
from influstat.statistics.flags import residual_freedom
from influstat.statistics.leverage import leverage_of


@dataclass(frozen=True, eq=False)
class Quantiles:
    """What a quantile plot of a fit shows."""

    residuals: FloatArray  # studentised, shape (n,); nan for rows that have none, or no weight
    quantiles: FloatArray  # of the distribution they should have, for the k that are not nan, sorted, (k,)
    distribution: str  # "t" or "normal"
    envelope: FloatArray | None  # between which numbers each sorted residual should be, shape (k, 2)
    simulations: int  # how many simulated data sets the envelope is from: those with a fit


def residual_quantiles(fit: Minimum, *, simulations: int, level: float, seed: int) -> Quantiles:
    """Return the studentised residuals of a fit, their quantiles and the envelope.

    Returns
    -------
    Quantiles

    Examples
    --------
    >>> import influstat as ist
    >>> from influstat.statistics.envelope import residual_quantiles
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 4, [1.0, 3.0, 2.0, 9.0])
    >>> found = residual_quantiles(fit, simulations=19, level=0.9, seed=0)
    >>> found.distribution, found.quantiles.round(3)     # t, 2 degrees of freedom
    ('t', array([-1.409, -0.342,  0.342,  1.409]))
    """
    risk = require_linear(fit.risk, "studentised residuals")
    residuals = np.where(risk.weights > 0.0, _studentised(fit), np.nan)
    known = ~np.isnan(residuals)
    k = int(known.sum())
    start = 0.375 if k <= 10 else 0.5  # as R's ppoints
    shares = (np.arange(1, k + 1) - start) / (k + 1.0 - 2.0 * start)
    freedom = np.broadcast_to(residual_freedom(fit), residuals.shape)[known]
    lowest = float(freedom.min(initial=np.inf))
    of_shares = ndtri(shares) if np.isinf(lowest) else stdtrit(lowest, shares)
    quantiles = np.asarray(of_shares, dtype=np.float64)
    drawn = _simulated(fit, known, simulations, seed) if k else []
    enough = len(drawn) > 0.5 * simulations
    ends = (0.5 - 0.5 * level, 0.5 + 0.5 * level)
    envelope: FloatArray | None = None
    if enough:
        envelope = np.asarray(np.quantile(np.array(drawn), ends, axis=0).T, dtype=np.float64)
    distribution = "normal" if np.isinf(lowest) else "t"
    return Quantiles(residuals, quantiles, distribution, envelope, len(drawn) if enough else 0)


def _studentised(fit: Minimum) -> FloatArray:
    return np.asarray(diagnostics(fit, ["student_resid"])["student_resid"].to_numpy())


def _simulated(fit: Minimum, known: Any, simulations: int, seed: int) -> list[FloatArray]:
    """Return the sorted residuals of each simulated data set that has a fit and all its residuals."""
    inner = fit.regular
    risk = require_linear(inner.risk, "studentised residuals")
    draw = getattr(risk.loss, "draw", None)  # optional, as a deviance is
    if draw is None or simulations == 0:
        return []
    leverage = leverage_of(fit, fit.stated.information)
    phi = dispersion_from(leverage, counts_of(fit, None), given=fit.stated.dispersion).value
    mean, there = risk.loss.mean(risk.linear_predictor(inner.theta)), risk.weights > 0.0
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(simulations):
        y = risk.y.copy()
        y[there] = draw(mean[there], risk.weights[there] / phi, rng)
        again = _refit(risk, y, inner, fit)
        if again is not None and not np.isnan(again[known]).any():
            found.append(np.sort(again[known]))
    return found


def _refit(risk: LinearRisk, y: FloatArray, inner: Minimum, fit: Minimum) -> FloatArray | None:
    """Return the studentised residuals of the model fitted to y; None where it cannot be fitted."""
    with unsaid():
        try:
            moved = risk.moved(replace(risk.rows, y=y), risk.penalty)
            again = Minimum.minimise(moved, start=inner.theta)
            again.stated = fit.stated
            return _studentised(again)
        except InflustatError:  # separated classes, say, or counts that are all 0
            return None
