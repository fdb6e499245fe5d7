"""A risk that falls along a direction by one slope, as far out as it can be followed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from influstat.errors import InflustatError, NoMinimiser
from influstat.input.validation import FloatArray
from influstat.risks.linear import LinearRisk

PLACES = (1e4, 1e7)  # predictors, in units of the largest target and 1
EVEN = 1e-3  # relative: slopes so far apart that a loss which still bends would change them many times


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
