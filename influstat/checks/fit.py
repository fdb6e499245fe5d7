"""`check_fit`: whether theta is the one minimum of its risk, and how theta moves with a row's weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from influstat.checks.compare import TINY, compare
from influstat.checks.point import Point
from influstat.checks.report import Finding, Report, run
from influstat.errors import NotConverged
from influstat.input.settings import flag
from influstat.input.validation import whole_number
from influstat.losses.base import kink_distance
from influstat.minimise.minimum import Minimum, require_fit
from influstat.minimise.newton import minimise
from influstat.minimise.remaining import STATIONARITY
from influstat.risks.linear import as_linear

FIT_LAWS = ("stationarity", "lowest nearby", "definite", "unique", "kinks")


def check_fit(fit: Any, *, convex: bool = True, seed: int = 0, laws: Sequence[str] | None = None) -> Report:
    """Check a fit: what every influence and removal starts from.

    Parameters
    ----------
    fit : Fit
        What to check; build it with ``ist.Fit(risk, theta, tolerance=np.inf)`` to have a theta examined
        that `Fit` itself would refuse.
    convex : bool
        Whether the minimum must be found again from elsewhere (law "unique").
    seed : int
        Of the random directions.
    laws : sequence of str, optional
        Which laws of `FIT_LAWS`; all when left out.

    Returns
    -------
    Report
        One line per law. A gradient that is proportional to theta, or sits in one coefficient, is
        explained by the penalty that would make it 0.

    Raises
    ------
    InvalidType
        `fit` is no Fit.

    Examples
    --------
    >>> import numpy as np, influstat as ist
    >>> from influstat import checks
    >>> X, y = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]), np.array([1.0, 2.0, 4.0])
    >>> fit = ist.Ridge(lam=1.0).fit(X, y)
    >>> checks.check_fit(fit).assert_ok()
    >>> other = ist.Ridge(lam=2.0).risk(X, y)
    >>> print(checks.check_fit(ist.Fit(other, fit.theta, tolerance=np.inf), laws=["stationarity"]))
    ... # doctest: +ELLIPSIS
    Fit(...): 1 of 1 laws do not hold
    FAIL  stationarity ... the gradient is 2 theta / W: theta was fitted with a penalty that is smaller by
    2 (|theta|^2 / 2), half of the risk's: is it lam or 2 lam?
    """
    require_fit(fit)
    convex = flag("convex", convex)
    at = Point(fit.risk, fit.theta, None, None, whole_number("seed", seed, at_least=0))
    every = {
        "stationarity": lambda: _stationarity(fit),
        "lowest nearby": lambda: _lowest(fit, at),
        "definite": lambda: _definite(at),
        "unique": lambda: _unique(fit, at) if convex else Finding("", True),
        "kinks": lambda: _kinks(fit),
    }
    return run(repr(fit), every, laws)


def _stationarity(fit: Minimum) -> Finding:
    worst = fit.stationarity
    if worst <= STATIONARITY:
        return Finding("", True, worst, STATIONARITY)
    gradient = np.asarray(fit.risk.gradient(fit.theta)) * fit.risk.total_weight
    scale = np.asarray(fit.risk.gradient_scale(fit.theta)) * fit.risk.total_weight
    j = int(np.argmax(np.abs(gradient) / (scale + TINY)))
    return Finding(
        "", False, worst, STATIONARITY, f"coefficient {fit.names[j]!r}", _why(fit, gradient, scale)
    )


def _why(fit: Minimum, gradient: Any, scale: Any) -> str:
    """Explain a gradient (sum scale) by a penalty that the fit and the risk do not share."""
    theta, names = fit.theta, fit.names
    wrong = np.flatnonzero(np.abs(gradient) > STATIONARITY * scale)
    missing = gradient[wrong] / np.where(theta[wrong] != 0, theta[wrong], np.inf)
    # Three digits in common are no accident; what is left of the fit's own gradient disturbs the others.
    if not missing.any() or np.ptp(missing) > 1e-3 * np.max(np.abs(missing)):
        return "it is not converged, or minimises another objective (loss, weights, offset, penalty)"
    c = float(np.mean(missing))
    whose = ", ".join(names[j] for j in wrong[:5]) if len(wrong) < len(theta) else "theta"
    text = f"the gradient is {c:.4g} {whose} / W: theta was fitted with a penalty that is "
    text += f"{'smaller' if c > 0 else 'larger'} by {abs(c):.4g} (|{whose}|^2 / 2)"
    strength = getattr(getattr(fit.risk, "penalty", None), "strength", None)
    if len(wrong) == 1 < len(theta):
        return text + ": is this coefficient (an intercept?) penalised in the one and free in the other?"
    # A guess that is to be worded: the same three digits as above.
    if strength and abs(c / strength - 0.5) < 1e-3:
        return text + ", half of the risk's: is it lam or 2 lam?"
    if strength and abs(c / strength + 1.0) < 1e-3:
        return text + ", twice the risk's: is it lam or 2 lam?"
    return text


def _lowest(fit: Minimum, at: Point) -> Finding:
    """No small step in 2 x 12 random directions lowers the risk by more than rounding."""
    value = fit.risk.value(fit.theta)
    # A mean of n losses has an error of a few epsilons of its largest terms; 1000 leaves room for n.
    noise = 1e3 * np.finfo(float).eps * (abs(value) + float(np.max(np.abs(fit.risk.row_losses(fit.theta)))))
    worst, where = 0.0, ""
    for k in range(12):
        direction = at.unit * at.rng.normal(size=len(at.unit)) / np.sqrt(len(at.unit))
        # Short steps lie within the basin, long ones see another minimum; four directions of those suffice.
        for step in (1e-3, -1e-3, 0.1, -0.1):
            if abs(step) > 0.01 and k > 3:
                continue
            fall = value - fit.risk.value(fit.theta + step * direction)
            if fall > worst:
                worst, where = fall, f"a step of {step:g} in direction {k}"
    unit = abs(value) + TINY
    found = Finding("", bool(worst <= noise), worst / unit, noise / unit, where)
    return found.because(f"the risk is lower by {worst:.3g} there: theta is not its minimum")


def _definite(at: Point) -> Finding:
    scaled = at.unit[:, None] * np.asarray(at.risk.curvature(at.theta).to_dense()) * at.unit
    root = np.sqrt(np.maximum(np.abs(np.diag(scaled)), TINY))
    values = np.linalg.eigvalsh(scaled / root / root[:, None])
    # The error of eigenvalues of a symmetric p x p matrix is at most about p epsilons of the largest.
    needed = len(values) * np.finfo(float).eps
    found = Finding("", bool(values[0] > needed * values[-1]), where="smallest eigenvalue")
    negative = values[0] < -needed
    why = "not a minimum; damping answers another question" if negative else "collinear columns"
    return found.because(f"eigenvalues go from {values[0]:.2g} to {values[-1]:.2g} at unit diagonal: {why}")


def _unique(fit: Minimum, at: Point) -> Finding:
    away = at.unit * at.rng.normal(size=len(at.unit)) / np.sqrt(len(at.unit))
    try:
        again = minimise(fit.risk, start=fit.theta + 0.1 * away).theta
    except NotConverged:  # that says nothing about other minima: from nearer by
        again = minimise(fit.risk, start=fit.theta + 0.001 * away).theta
    # Two minimisations agree to about 1e-9, another minimum lies a visible step away; 1e-3 is for theta = 0.
    size = np.max(np.abs(again) / at.unit) + 1e-3
    return compare(again / at.unit, fit.theta / at.unit, tolerance=1e-6, size=size, place=at.coefficient)


def _kinks(fit: Minimum) -> Finding:
    """No row may sit where the loss has a kink: there influence is no derivative."""
    risk = as_linear(fit.risk)
    if risk is None:
        return Finding("", True)
    eta = risk.linear_predictor(fit.theta)
    distance = kink_distance(risk.loss, risk.y, eta)
    # A minimisation puts eta within about 1e-12 of a kink that holds it, never exactly on it.
    at_kink = np.flatnonzero((distance <= 1e-9 * (1.0 + np.abs(eta))) & (risk.weights > 0))
    if not at_kink.size:
        return Finding("", True)
    cause = f"{at_kink.size} rows sit at a kink of the loss: influence is no derivative there; refit instead"
    return Finding("", False, where=f"row {at_kink[0]}", cause=cause)
