"""Is a loss a straight line in eta? Then a risk has no minimum of its own, whatever the rows are."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from influstat.errors import InflustatError
from influstat.input.validation import FloatArray
from influstat.risks.linear import LinearRisk

ASKED = 1000  # rows
STEPS = np.outer([-1.0, 1.0], 10.0 ** np.arange(-3.0, 4.0)).ravel()  # of eta
SAME = 1e-9  # relative, of slopes by differences
STRAIGHT = (
    "The risk has no unique minimiser: the loss is a straight line in eta for every row. Take a loss that "
    "bends, or penalise every coefficient (lam > 0)."
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
