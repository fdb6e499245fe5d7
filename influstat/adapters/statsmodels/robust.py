"""M-estimates (RLM) with their scale held fixed, and quantile regression through a smoothed loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.adapters.quantity import ROUNDING, rounding_of
from influstat.adapters.statsmodels.reading import Mapped, one_predictor, parameters, unsupported
from influstat.errors import InvalidArgument, NotStationary, Unsupported
from influstat.input.validation import FloatArray, real_number
from influstat.losses.base import Location, Loss
from influstat.losses.residual import SmoothedCheck
from influstat.minimise.newton import minimise

STEP = 1e-6  # of the difference that gives the third derivative


@dataclass(frozen=True)
class RobustNormLoss(Location):
    """rho((y - eta) / scale) for a norm of `statsmodels.robust.norms`, the scale held fixed.

    Notes
    -----
    Huber (1964), Annals of Mathematical Statistics 35. Where rho is not convex (Tukey, Hampel, ...) rows
    beyond its bend have l2 < 0; rows beyond the cut-off of a redescending norm have no influence at all.

    Examples
    --------
    >>> from statsmodels.robust.norms import HuberT
    >>> float(RobustNormLoss(HuberT(t=1.0), 2.0).first(np.array(10.0), np.array(0.0)))      # -1 / scale
    -0.5
    """

    norm: Any  # a RobustNorm: with rho, psi = rho' and psi_deriv
    scale: float  # > 0

    @property
    def self_concordance(self) -> float:
        """Return inf: l2 may vanish where l3 does not."""
        return np.inf

    def _at(self, function: Any, y: FloatArray, eta: FloatArray, shift: float = 0.0) -> FloatArray:
        """Return a function of the norm at z + shift, z = (y - eta) / scale; norms take vectors only."""
        z = np.asarray((y - eta) / self.scale + shift, dtype=np.float64)
        return np.asarray(function(z.ravel()), dtype=np.float64).reshape(z.shape)

    def value(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return rho(z)."""
        return self._at(self.norm.rho, y, eta)

    def first(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return -psi(z) / scale."""
        return -self._at(self.norm.psi, y, eta) / self.scale

    def second(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return psi'(z) / scale^2."""
        return self._at(self.norm.psi_deriv, y, eta) / self.scale**2

    def third(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return -psi''(z) / scale^3, psi'' as a central difference of psi'."""
        right, left = (self._at(self.norm.psi_deriv, y, eta, step) for step in (STEP, -STEP))
        return -(right - left) / (2.0 * STEP) / self.scale**3


def from_rlm(results: Any) -> Mapped:
    """Map RLM at its final scale, which every removal keeps."""
    scale = float(results.scale)
    if not scale > 0:
        unsupported("RLM with scale 0", "More than half of its residuals are zero: there is no curvature.")
    return _risk(results, RobustNormLoss(results.model.M, scale))


def from_quantreg(results: Any, smoothing: Any) -> Mapped:
    """Return QuantReg as the minimum of the smoothed check loss with the given width."""
    if smoothing is None:
        raise Unsupported(
            "results",
            "come from a loss with a second derivative",
            "comes from QuantReg, whose check loss is a kink at 0 and straight elsewhere: no row has a "
            "derivative, and theta stays put or jumps when one is removed",
            "Pass smoothing=t, a width in units of y (for example a tenth of the residuals' spread): the "
            "fit is then the minimum of ist.SmoothedCheck(quantile, t), no longer QuantReg's own.",
        )
    width = real_number("smoothing", smoothing, above=0.0)
    mapped = _risk(results, SmoothedCheck(float(results.q), width))
    smooth = _through_wider_losses(mapped, width)
    own, other = _check_risk(mapped, mapped.theta), _check_risk(mapped, smooth)
    terms = mapped.risk.design.absolute_dot(np.abs(mapped.theta)) + np.abs(mapped.risk.y)
    unit = rounding_of(results)
    if own > other * (1.0 + 1e-3) + unit * float(np.mean(terms)):
        remedy = "Let QuantReg converge (max_iter=, p_tol=), or fit again if its data were changed."
        if unit > ROUNDING:
            remedy = "QuantReg has too few digits in float32: fit again with y and X as float64."
        raise NotStationary(
            "results",
            "be at the minimum of the check loss",
            f"has {own:.6g} there, against {other:.6g} at the smoothed minimum",
            remedy,
        )
    return Mapped(mapped.risk, smooth)


def _through_wider_losses(mapped: Mapped, width: float) -> FloatArray:
    """Return the minimiser, reached through losses ten times wider each, the widest as wide as y spreads."""
    risk, theta = mapped.risk, mapped.theta
    spread = float(np.std(risk.y))
    steps = max(0, int(np.ceil(np.log10(spread / width)))) if spread > 0 else 0
    for power in range(steps, -1, -1):
        wider = risk.with_loss(SmoothedCheck(risk.loss.quantile, width * 10.0**power))
        theta = minimise(wider, start=theta).theta
    return theta


def _check_risk(mapped: Mapped, theta: FloatArray) -> float:
    risk = mapped.risk
    residual = risk.y - risk.linear_predictor(theta)
    return float(np.mean(residual * (risk.loss.quantile - (residual < 0))))


def _risk(results: Any, loss: Loss) -> Mapped:
    theta = parameters(results)
    if not np.isfinite(theta).all():
        raise InvalidArgument("results", "have finite coefficients", f"has {theta}", "Fit again.")
    return one_predictor(results, loss, y=np.ravel(results.model.endog))
