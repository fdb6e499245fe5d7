"""Verification on entry: theta must minimise the risk that we believe the library fitted."""

from __future__ import annotations

from typing import Any

import numpy as np

from influstat.errors import IndefiniteHessian, NotStationary, SingularHessian
from influstat.fit import Fit
from influstat.input.reader import Reader
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import STATIONARITY
from influstat.minimise.newton import stationarity
from influstat.solvers import Cholesky

# A library may stop this far from the minimum, in units of what removing a typical row does to theta:
# its own refits without a row are then no nearer than that either.
ALLOWED = 1e-2
PLAIN = 1e-9  # relative gradient so small that nothing more needs to be measured
BLOCK = 4096  # rows whose gradients are held at once


def steepest(risk: Any, theta: FloatArray) -> str:
    """Return the largest relative entry of the gradient, and which coefficient has it, in words."""
    gradient, scale = risk.gradient(theta), risk.gradient_scale(theta)
    relative = np.abs(gradient) / np.where(scale > 0, scale, 1.0)
    worst = int(np.argmax(np.where(np.isfinite(relative), relative, np.inf)))
    return f"{relative[worst]:.3g} for {risk.names[worst]!r}"


def verified_fit(risk: Any, theta: FloatArray, reader: Reader | None, *, polish: bool, library: str) -> Fit:
    """Return the fit, polished if asked, or raise saying how far theta is from the minimum.

    theta passes at a relative gradient of 1e-9, or where the Newton step that is left is below 1 % of the
    step that removing a typical row makes: root of grad'H^-1 grad against the root mean square over rows
    of the same norm of (w_i / W) g_i. Where H is singular, `Fit`'s own rule of 1e-6 decides, and every
    question that needs H^-1 says that there is none.

    Returns
    -------
    Fit

    Raises
    ------
    NotStationary
        theta is further from the minimum; the message says how far, and where.
    SingularHessian, NoMinimiser, IndefiniteHessian, NotConverged
        Polishing did not find a minimum; the message says why.
    """
    if polish:
        return Fit.minimise(risk, start=theta, reader=reader)
    measure = stationarity(risk, theta)
    if measure <= PLAIN:
        return Fit(risk, theta, reader=reader)
    left = remaining_step(risk, theta)
    if left <= ALLOWED or (left == np.inf and measure <= STATIONARITY):
        return Fit(risk, theta, tolerance=np.inf, reader=reader)
    raise NotStationary(
        "results",
        f"be at the minimum of the risk that influstat read from {library}",
        f"is {left:.3g} times the effect of removing a typical row away from it (at most {ALLOWED:g} is "
        f"allowed), with a relative gradient of {steepest(risk, theta)}",
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
    typical = 0.0
    for start in range(0, risk.shape[0], BLOCK):
        part = slice(start, start + BLOCK)
        rows = risk.row_gradients(theta, part) * (risk.weights[part] / risk.total_weight)[:, None]
        typical += float(np.sum(rows * inverse.solve(rows.T).T)) / risk.shape[0]
    return float(np.sqrt(total / typical)) if typical > 0 else np.inf
