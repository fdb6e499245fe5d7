"""Losses that are straight, or whose slope jumps, as |y - eta|: Newton's method finds no minimum there."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from influstat.errors import InflustatError, NotConverged, SingularHessian
from influstat.input.validation import FloatArray
from influstat.losses.base import Loss
from influstat.risks.linear import LinearRisk

ASKED = 1000  # rows
HALVINGS = 40  # of an interval of eta, to about 1e-12 of it
JUMP = 1e-3  # of the change of the slope over the whole interval: no bend of a smooth loss is left so narrow
AHEAD = 100.0  # times what the second derivative explains there


def refuse_kinks(risk: LinearRisk, theta: FloatArray) -> None:
    """Raise NotConverged, with the place and a remedy, if the slope of some weighted row's loss jumps."""
    counted = np.flatnonzero(risk.weights > 0)[:ASKED]
    place = ""
    with np.errstate(all="ignore"), suppress(InflustatError):  # of a loss that is not everywhere
        place = _kink(risk.loss, risk.y[counted], risk.linear_predictor(theta)[counted])
    if place:
        raise NotConverged(
            f"The loss has a kink, where Newton's method finds no minimum: {place}. Take its smooth form: "
            "ist.SmoothedCheck(quantile, t) for a check loss, ist.PseudoHuberLoss(delta) for |y - eta|, "
            "ist.SmoothedHinge(t) for a hinge, or round the kink of your own likewise."
        )


def _kink(loss: Loss, y: FloatArray, eta: FloatArray) -> str:
    """Return where the slope of a row's loss jumps most, in words; "" where it does not."""
    # The part of each row's eta over which its slope changes most, halved often.
    reach = 2.0 * (1.0 + np.abs(y) + np.abs(eta))
    low, high = eta - reach, eta + reach
    below, above = loss.first(y, low), loss.first(y, high)
    room = JUMP * np.abs(above - below)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        between = loss.first(y, middle)
        right = np.abs(above - between) > np.abs(between - below)
        low, below = np.where(right, middle, low), np.where(right, between, below)
        high, above = np.where(right, high, middle), np.where(right, above, between)
    bent = np.maximum(np.abs(loss.second(y, low)), np.abs(loss.second(y, high))) * (high - low)
    jump = np.abs(above - below)
    kinked = (jump > room) & (jump > AHEAD * bent)
    if not kinked.any():
        return ""
    k = int(np.argmax(np.where(kinked, jump, 0.0)))
    return f"at y = {y[k]:.6g} and eta = {low[k]:.6g} its slope jumps from {below[k]:.3g} to {above[k]:.3g}"


def refuse_flat(risk: LinearRisk, theta: FloatArray, error: SingularHessian, units: str) -> None:
    """Raise SingularHessian with the remedy if no row's loss bends at all, whatever the columns are."""
    if risk.penalty.flat(len(theta)).shape[1] < len(theta):
        return
    second = risk.loss.second(risk.y, risk.linear_predictor(theta))
    if not second[risk.weights > 0].any():
        raise SingularHessian(
            "The Hessian is singular: no row's loss has any curvature where the search stands, so that "
            "no coefficient is determined there. The rows are beyond the reach of a loss that levels "
            "off, or the loss is straight (as |y - eta|). Pass start=, a theta near the minimum that you "
            f"mean, e.g. that of ist.HuberLoss(), {units}; or take a loss that bends "
            "(ist.PseudoHuberLoss, ist.SmoothedCheck; a larger t)."
        ) from error
