"""Verification on entry: theta must minimise the risk that we believe the library fitted."""

from __future__ import annotations

from typing import Any

import numpy as np

from influstat.errors import IndefiniteHessian, NotStationary, SingularHessian
from influstat.fit import STATIONARITY, Fit
from influstat.newton import stationarity
from influstat.solvers import Cholesky
from influstat.validation import FloatArray

# A library may stop this far from the minimum, in units of what removing a typical row does to theta:
# its own refits without a row are then no nearer than that either.
ALLOWED = 1e-2


def verified_fit(risk: Any, theta: FloatArray, *, polish: bool, library: str) -> Fit:
    """Return the fit, polished if asked, or raise saying how far theta is from the minimum.

    theta passes at a relative gradient of 1e-6 (`Fit`'s own rule), or where the Newton step that is left
    is below 1 % of the step that removing a typical row makes: root of W grad'H^-1 grad against the
    root mean square over rows of the same norm of (w_i / W) g_i.

    Raises
    ------
    NotStationary
        theta is further from the minimum; the message says how far, and where.
    SingularHessian, NoMinimiser, IndefiniteHessian, NotConverged
        Polishing did not find a minimum; the message says why.
    """
    if polish:
        return Fit.minimise(risk, start=theta)
    if stationarity(risk, theta) <= STATIONARITY:
        return Fit(risk, theta)
    left = remaining_step(risk, theta)
    if left <= ALLOWED:
        return Fit(risk, theta, tolerance=np.inf)
    gradient, scale = risk.gradient(theta), risk.gradient_scale(theta)
    relative = np.abs(gradient) / np.where(scale > 0, scale, 1.0)
    worst = int(np.argmax(np.where(np.isfinite(relative), relative, np.inf)))
    raise NotStationary(
        "results",
        f"be at the minimum of the risk that influstat read from {library}",
        f"is {left:.3g} times the effect of removing a typical row away from it (at most {ALLOWED:g} is "
        f"allowed), with a relative gradient of {relative[worst]:.3g} for {risk.names[worst]!r}",
        "If the fit stopped early, tighten its tolerance or pass polish=True to finish it by Newton's "
        "method. If the model or its data were changed after the fit, fit again. If it was penalised or "
        "otherwise not what it seems, pass those settings.",
    )


def remaining_step(risk: Any, theta: FloatArray) -> float:
    """Return the size of the Newton step left at theta, relative to the removal of a typical row."""
    gradient = risk.gradient(theta)
    if not np.isfinite(gradient).all():
        return np.inf
    try:
        inverse = Cholesky().prepare(risk.curvature(theta))
    except (SingularHessian, IndefiniteHessian):
        return np.inf
    total = float(gradient @ inverse.solve(gradient))
    rows = risk.row_gradients(theta) * (risk.weights / risk.total_weight)[:, None]
    single = np.einsum("ij,ji->i", rows, inverse.solve(rows.T))
    typical = float(np.mean(single))
    return float(np.sqrt(total / typical)) if typical > 0 else np.inf
