"""Far out: which way a loss rises, and whether a risk falls by one slope as far as it can be followed.

A loss that is a straight line in eta gives no minimum of its own, whatever the rows are.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InflustatError, NoMinimiser
from influstat.input.validation import FloatArray
from influstat.losses.base import Loss
from influstat.risks.linear import LinearRisk

Mask = NDArray[np.bool_]

FAR = 1e3  # a linear predictor so large that the slope of every loss has reached its limit
PLACES = (1e4, 1e7)  # predictors, in units of the largest target and 1
EVEN = 1e-3  # relative: slopes so far apart that a loss which still bends would change them many times
ASKED = 1000  # rows
STEPS = np.outer([-1.0, 1.0], 10.0 ** np.arange(-3.0, 4.0)).ravel()  # of eta
SAME = 1e-9  # relative, of slopes by differences
STRAIGHT = (
    "The risk has no unique minimiser: the loss is a straight line in eta for every row. Take a loss that "
    "bends, or penalise every coefficient (lam > 0)."
)


def falls_evenly(risk: LinearRisk, direction: FloatArray) -> bool:
    """Tell whether the risk falls along a direction (p,) by one slope, from far out to much further.

    Rows whose losses have a largest slope can be outweighed there, by a `Linear` penalty or by each other.

    Returns
    -------
    bool

    Examples
    --------
    >>> import influstat as ist
    >>> def risk(pull):
    ...     loss, rows = ist.HuberLoss(1.0), [[1.0], [2.0]]       # whose slopes end at 1 + 2
    ...     return LinearRisk(loss, rows, [1.0, 3.0], penalty=ist.Linear([pull]))
    >>> falls_evenly(risk(2.0), np.array([-1.0])), falls_evenly(risk(4.0), np.array([-1.0]))
    (False, True)
    """
    with np.errstate(all="ignore"):  # an exponential loss overflows: it grows
        return _falls(risk, direction)


def _falls(risk: LinearRisk, direction: FloatArray) -> bool:
    moves = risk.design.dot(direction)
    size, tops = float(np.max(np.abs(moves), initial=0.0)), 1.0 + float(np.max(np.abs(risk.y), initial=0.0))
    if not 0.0 < size < np.inf:
        return False
    slopes, values = list[float](), list[float]()
    for place in PLACES:
        t = place * tops / size
        try:
            values.append(float(risk.weights @ risk.loss.value(risk.y, t * moves)))
            terms = risk.weights * risk.loss.first(risk.y, t * moves) * moves
        except InflustatError:  # of a function that has no loss or no slope there
            return False
        values[-1] += float(risk.penalty.value(t * direction))
        slopes.append(float(np.sum(terms) + risk.penalty.gradient(t * direction) @ direction))
        if not (np.isfinite(values[-1]) and slopes[-1] < -1e-9 * float(np.sum(np.abs(terms)))):
            return False
    # A value that does not fall has another slope than the loss says: that is told elsewhere.
    return values[1] < values[0] and slopes[1] <= slopes[0] * (1.0 - EVEN)


def refuse_even_fall(
    risk: LinearRisk, theta: FloatArray, involved: Callable[[FloatArray], list[str]]
) -> None:
    """Raise NoMinimiser where the risk falls so along theta (p,), where a search ended, or beside it."""
    with np.errstate(all="ignore"):
        steepest = -risk.gradient(theta)
    for direction in (theta, steepest):
        if falls_evenly(risk, direction):
            raise NoMinimiser(
                "The risk has no finite minimiser: it falls as far as it can be followed along a direction "
                f"that involves {', '.join(involved(direction))}. Either a Linear penalty outweighs the "
                "losses there, or targets lie beyond what the loss can fit. Add a penalty that grows faster "
                "(ist.L2), or correct y."
            )


def is_straight(risk: LinearRisk, theta: FloatArray) -> bool:
    """Tell whether the loss of every weighted row has one slope in eta, wherever it is asked."""
    counted = np.flatnonzero(risk.weights > 0)[:ASKED]
    y, eta = risk.y[counted], risk.linear_predictor(theta)[counted]
    with np.errstate(all="ignore"), suppress(InflustatError):  # of a loss that is not everywhere
        slope = risk.loss.first(y, eta)
        starts = (eta, y)  # where a search stands, and where losses of y - eta turn
        slopes = (risk.loss.first(y, start + step) for start in starts for step in STEPS)
        return all((np.abs(other - slope) <= SAME * np.abs(slope)).all() for other in slopes)
    return False


def growth(loss: Loss, y: FloatArray) -> tuple[Mask, Mask]:
    """Return whether each row's loss rises for ever as eta goes to +inf, and to -inf."""
    if hasattr(loss, "growth"):  # a loss that cannot be asked so far out answers for itself
        up, down = loss.growth(y)
        return up, down
    return _slope_far_out(loss, y, 1.0) > 1e-9, _slope_far_out(loss, y, -1.0) < -1e-9


def _slope_far_out(loss: Loss, y: FloatArray, side: float) -> FloatArray:
    """Return l1 far out; where it is nan there (e^x / (1 + e^x) at 1000), from as far as it is a number."""
    beyond = 2.0 * np.abs(y)  # of the target too, where losses of y - eta turn
    slope = np.full(y.shape, np.nan)
    for far in (FAR, 0.3 * FAR, 0.1 * FAR, 0.03 * FAR, 0.01 * FAR, 0.003 * FAR):  # e^(e^30) overflows too
        lost = np.isnan(slope)
        if not lost.any():
            break
        eta = side * (far + beyond[lost])
        with np.errstate(all="ignore"):  # an exponential loss overflows: it grows
            there = ~np.isnan(loss.value(y[lost], eta))  # slopes go on where there is no loss
            slope[lost] = np.where(there, loss.first(y[lost], eta), np.nan)
    # A row without a loss out there (a Gamma's mean 1 / eta below 0) cannot fall for ever: as if it rose.
    return np.where(np.isnan(slope), side * np.inf, slope)
