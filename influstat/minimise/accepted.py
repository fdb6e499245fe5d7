"""Is theta a minimum? Its gradient and the step that is left must be small, or it is refused."""

from __future__ import annotations

from math import inf

import numpy as np

from influstat.errors import NotStationary
from influstat.input.validation import FloatArray
from influstat.minimise.remaining import remaining_step
from influstat.risks.contract import Risk

STATIONARITY = 1e-6  # largest relative gradient at which theta still counts as a minimiser
ALLOWED = 1e-2  # and Newton step left, in units of a typical removal: a library's own refits are no nearer


def refuse(risk: Risk, theta: FloatArray, measure: float, limit: float) -> None:
    """Raise for a gradient that is too large, naming the coefficient where it is largest."""
    gradient, scale = risk.gradient(theta), risk.gradient_scale(theta)
    worst = int(np.argmax(np.abs(gradient) / np.where(scale > 0, scale, 1.0)))
    raise NotStationary(
        "theta",
        f"minimise the risk (a relative gradient of at most {limit:.1e})",
        f"has {measure:.3g}, largest for {risk.names[worst]!r}; |grad R| = {np.linalg.norm(gradient):.3g}",
        "Let the fit converge, check that loss, penalty, weights and offset are those it was fitted with, "
        "or finish it with ist.Fit.minimise(risk, start=theta).",
    )


def require_no_step(risk: Risk, theta: FloatArray) -> None:
    """Raise where a Newton step is left that matters, though each entry of the gradient is small."""
    if ALLOWED < (left := remaining_step(risk, theta)) < inf:
        raise NotStationary(
            "theta",
            f"minimise the risk (a Newton step left of at most {ALLOWED:g} times a typical removal)",
            f"is {left:.3g} such removals away, hidden by columns or rows in very different units",
            "Finish it with ist.Fit.minimise(risk, start=theta), or rescale the columns and fit again.",
        )
