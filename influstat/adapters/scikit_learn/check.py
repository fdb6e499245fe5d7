"""Verification on entry: what scikit-learn stopped at must be the minimum of the risk that we read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from influstat.adapters.active_set import require_active_set
from influstat.adapters.quantity import single
from influstat.adapters.scikit_learn.origin import causes, direct, rounding_of
from influstat.adapters.separation import explain_separation, warn_of_separation
from influstat.adapters.verification import how_far, polished
from influstat.errors import NotStationary
from influstat.fit import Fit
from influstat.input.labels import label_name
from influstat.input.reader import Reader
from influstat.input.validation import FloatArray
from influstat.input.warning import doubt
from influstat.losses.base import kink_distance
from influstat.minimise.descent import stationarity
from influstat.minimise.domain import require_means
from influstat.minimise.remaining import ALLOWED, STATIONARITY, remaining_step
from influstat.risks.linear import as_linear

LOOSEST = 1e-3  # however large tol is
SURPRISE = 1.0  # typical removals from the minimum: beyond, no answer about a row means anything
STOCHASTIC = 1e-4  # SGD's tol is about its losses from pass to pass, not about a gradient
SINGLE = 1e-4  # coefficients in float32 are 6e-8 off, their gradient by as much times its condition
AT_KINK = 1e-6  # relative distance of a linear predictor from a kink
HINGE_EXCESS = 1e-2  # of the hinge risk, above that at the smoothed minimum: libsvm's tol of 1e-3 leaves less


def limit_of(estimator: Any) -> float:
    """Return the largest gradient at which the estimator's coefficients pass, as `checked_fit` takes it."""
    # That is `tol`, the estimator's own tolerance; but none below 1e-6 is asked for, and none above 1e-3
    # granted. Closed forms must reach 1e-6.
    if type(estimator).__name__.startswith("SGD"):
        return STOCHASTIC
    tol = getattr(estimator, "tol", None)
    limit = STATIONARITY if tol is None else min(max(STATIONARITY, float(tol)), LOOSEST)
    return max(limit, SINGLE) if single(estimator.coef_) else limit


def checked_fit(
    risk: Any,
    theta: FloatArray,
    reader: Reader,
    *,
    estimator: Any,
    transformers: Any,  # the steps before it, or None
    polish: bool,  # whether to start Newton's method at theta
    reproduced: Callable[[], None],  # raises where other rows were kept: nothing is warned of
) -> Fit:
    """Return the fit, finished by Newton's method if asked; or raise where it is not at its minimum."""
    # theta passes where the Newton step that is left is below 1 % of what removing a typical row does
    # (`influstat.minimise.remaining`). With a word it passes too where that step is below one such removal,
    # if the gradient is at most `limit_of` the estimator, relatively or in absolute size as most of
    # scikit-learn's solvers measure it. One standard error is about root n typical removals.
    require_means("estimator", risk, theta)
    left = remaining_step(risk, theta, rough=polish)
    known = causes(estimator, transformers, risk, theta, polish=polish)
    if polish:
        if left > ALLOWED and stationarity(risk, theta) > rounding_of(estimator, risk, theta):
            raise _elsewhere(risk, theta, left, known, "It is a closed form: polish=True would hide that. ")
        fit = polished(risk, theta, reader, left, known, lambda fit: reproduced())
        require_active_set("estimator", risk, fit.theta, STATIONARITY)
        return fit
    limit = limit_of(estimator)
    early = not (left <= ALLOWED or (left == np.inf and stationarity(risk, theta) <= STATIONARITY))
    if early:
        gradient = min(stationarity(risk, theta), float(np.max(np.abs(risk.gradient(theta)))))
        exact = direct(estimator) and not single(estimator.coef_)
        if exact or not (gradient <= limit and left <= SURPRISE):
            explain_separation(risk, theta)
            raise _elsewhere(risk, theta, left, known, "")
    require_active_set("estimator", risk, theta, limit)
    reproduced()
    if early:
        doubt(
            f"The fit stopped {left:.2g} times the effect of removing a typical row away from its minimum "
            f"(relative gradient {stationarity(risk, theta):.1e}); removals are off by about that much. Pass "
            "polish=True to finish it by Newton's method, or refit with a smaller tol."
        )
    warn_of_separation(risk, theta)
    return Fit(risk, theta, tolerance=np.inf, reader=reader)


def _elsewhere(risk: Any, theta: FloatArray, left: float, known: str, why: str) -> NotStationary:
    return NotStationary(
        "estimator",
        f"be at the minimum of its risk on these rows (at most {ALLOWED:g} of a typical removal away)",
        how_far(risk, theta, left),
        why + known,
    )


def refuse_other_minimum(fit: Fit, theta: FloatArray) -> None:
    """Raise where the hinge fit has a larger hinge risk than the smoothed one: it is not at the minimum."""
    found, ours = _hinge_risk(fit.risk, theta), _hinge_risk(fit.risk, fit.theta)
    if found <= ours * (1.0 + HINGE_EXCESS):
        return
    raise NotStationary(
        "estimator",
        "minimise the hinge risk on these rows",
        f"has the risk {found:.6g}, above the {ours:.6g} of the smoothed fit",
        "Pass the X, y and sample_weight that it was fitted with, or refit with more iterations.",
    )


def _hinge_risk(risk: Any, theta: FloatArray) -> float:
    hinge = np.maximum(0.0, 1.0 - risk.y * risk.linear_predictor(theta))
    return float((risk.weights @ hinge + risk.penalty.value(theta)) / risk.total_weight)


def warn_of_balanced_weights(estimator: Any) -> None:
    """Say that balanced class weights are held, although they depend on the rows."""
    if isinstance(getattr(estimator, "class_weight", None), str):
        doubt(
            "class_weight='balanced' follows the rows, so that scikit-learn changes the weights of a whole "
            "class when one row goes. Here the weights stay as they are. To settle it, compare with refits "
            "that have these weights as sample_weight, or fit with a dict for class_weight."
        )


def warn_of_kinks(fit: Fit) -> None:
    """Say which rows sit where the second derivative of their loss jumps."""
    risk = as_linear(fit.risk)
    if risk is None:
        return
    eta = risk.linear_predictor(fit.theta)
    rows = np.flatnonzero(kink_distance(risk.loss, risk.y, eta) < AT_KINK * (1.0 + np.abs(eta)))
    if rows.size:
        shown = ", ".join(label_name(label) for label in risk.row_labels[rows[:5]])
        more = f" and {rows.size - 5} more" if rows.size > 5 else ""
        doubt(
            f"Rows {shown}{more} sit where the second derivative of {type(risk.loss).__name__} jumps: "
            "influence is no derivative there. Look at their removal with leave_one_out(method='exact')."
        )
