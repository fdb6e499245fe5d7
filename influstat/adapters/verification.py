"""Verification on entry: a fit of another library must be at the minimum of the risk that we read from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from influstat.adapters.separation import explain_separation, warn_of_separation
from influstat.errors import IndefiniteHessian, InflustatError, NotConverged, NotStationary
from influstat.fit import Fit
from influstat.input.labels import label_name
from influstat.input.reader import Reader
from influstat.input.validation import FloatArray
from influstat.input.warning import doubt
from influstat.minimise.descent import stationarity
from influstat.minimise.domain import require_means
from influstat.minimise.remaining import ALLOWED, STATIONARITY, remaining_step
from influstat.risks.linear import as_linear

NOTICED = 0.1  # standard errors between a library's coefficients and the minimum that deserve a word
MIXED_UP = 0.5  # and typical removals: a few rows in another order move no more, however many rows there are
CHANGED = (
    "Either the fit stopped early, or its data, its weights or its model were changed after it (rows in "
    "another order, another y). Fit the model again on the data that are meant, with a smaller tolerance."
)
SAME = 1e-7  # relative difference of predictions: libraries add in another order
SINGLE = 1e-4  # the same where coefficients are float32
DOUBLE_TERMS, SINGLE_TERMS = 1e-12, 2e-6  # relative to the terms that may cancel in a prediction


def steepest(risk: Any, theta: FloatArray) -> str:
    """Return the largest relative entry of the gradient, and which coefficient has it, in words."""
    gradient, scale = risk.gradient(theta), risk.gradient_scale(theta)
    relative = np.abs(gradient) / np.where(scale > 0, scale, 1.0)
    worst = int(np.argmax(np.where(np.isfinite(relative), relative, np.inf)))
    return f"{relative[worst]:.3g} for {risk.names[worst]!r}"


def standard_errors(risk: Any, removals: float) -> float:
    """Return a distance in units of a typical removal in standard errors: root n removals make one."""
    rows = int(np.count_nonzero(np.asarray(risk.weights, dtype=np.float64)))
    return removals / float(np.sqrt(max(rows, 1)))


def how_far(risk: Any, theta: FloatArray, removals: float) -> str:
    """Return the distance to the minimum and the gradient in words."""
    return (
        f"is {removals:.3g} times the effect of removing a typical row (about "
        f"{standard_errors(risk, removals):.2g} standard errors) away, with a relative gradient of "
        f"{steepest(risk, theta)}"
    )


def verified_fit(
    risk: Any,
    theta: FloatArray,
    reader: Reader | None,
    *,
    polish: bool,  # whether to start Newton's method at theta instead
    check: Callable[[Fit], None],  # raises where the library says otherwise of its own
    rounding: Callable[[], float],
    causes: Callable[[], str],
) -> Fit:
    """Return the fit, polished if asked, or raise saying how far theta is from the minimum."""
    # theta passes where the Newton step that is left is below 1 % of the step that removing a typical row
    # makes (`influstat.minimise.remaining`). Where H is singular for want of curvature, `Fit`'s rule of a
    # relative gradient of 1e-6 decides, and every question that needs H^-1 says that there is none.
    # `rounding` returns the relative gradient that rounding explains where the library's coefficients are a
    # closed form: one that is larger is of other rows, and polishing would hide that. `causes` returns what
    # is known to have kept the library from the minimum, "" where that is nothing. Where `check` raises,
    # nothing is warned of.
    require_means("results", risk, theta)
    left = remaining_step(risk, theta, rough=polish)
    if polish:
        if left > ALLOWED and stationarity(risk, theta) > rounding():
            raise NotStationary(
                "results",
                "be at the minimum of least squares on its own rows",
                how_far(risk, theta, left),
                "It is a closed form, and polish=True would hide that: its data, weights or "
                "coefficients were changed after the fit, or it had another alpha. Fit again.",
            )
        known = causes() if left > ALLOWED else ""
        return polished(risk, theta, reader, left, f"{known}." if known else CHANGED, check)
    if left <= ALLOWED or (left == np.inf and stationarity(risk, theta) <= STATIONARITY):
        fit = Fit(risk, theta, tolerance=np.inf, reader=reader)
        check(fit)
        warn_of_separation(risk, theta)
        return fit
    explain_separation(risk, theta)
    known = causes()
    raise NotStationary(
        "results",
        "be at the minimum of the risk that influstat read from statsmodels",
        f"is {left:.3g} times the effect of removing a typical row away from it (at most {ALLOWED:g} is "
        f"allowed), with a relative gradient of {steepest(risk, theta)}",
        f"{known}, or pass polish=True for the minimum itself."
        if known
        else "If the fit stopped early, tighten its tolerance or pass polish=True to finish it by Newton's "
        "method. If the model or its data were changed after the fit, fit again. If it was penalised or "
        "otherwise not what it seems, pass those settings.",
    )


def polished(
    risk: Any,
    theta: FloatArray,
    reader: Reader | None,
    left: float,
    causes: str,
    check: Callable[[Fit], None],
) -> Fit:
    """Return the minimum that Newton's method finds from theta, checked; say how far it was if it was far."""
    try:
        fit = Fit.minimise(risk, start=theta, reader=reader)
    except (NotConverged, IndefiniteHessian) as error:  # whose remedies are those of ist.Fit.minimise
        explain_separation(risk, theta)
        raise type(error)(
            "polish=True found no minimum from where the library stopped: "
            f"{error.args[0].split('. ')[0].rstrip('.')}. Fit the model again so that it ends near one "
            "(another method or solver, more iterations, other start values), or with fewer coefficients."
        ) from error
    except InflustatError:
        explain_separation(risk, theta)
        raise
    check(fit)
    distance = standard_errors(risk, left)
    if distance > NOTICED or left > MIXED_UP:
        far = "far" if distance == np.inf else f"about {distance:.2g} standard errors"
        doubt(
            f"polish=True moved theta {far} away from where the library stopped (largest change of a "
            f"coefficient: {_largest_change(fit, theta)}). {causes}"
        )
    return fit


def _largest_change(fit: Fit, theta: FloatArray) -> str:
    size = np.sqrt(np.abs(np.asarray(fit.hessian.diagonal())))
    worst = int(np.argmax(np.abs(fit.theta - theta) * size))
    return f"{fit.names[worst]!r} from {theta[worst]:.6g} to {fit.theta[worst]:.6g}"


def require_same_predictions(
    argument: str,
    risk: Any,
    theta: FloatArray,
    theirs: Any,
    *,
    kind: str,
    of_single: bool = False,  # whether the coefficients are float32
    allowed: float | None = None,
) -> None:
    """Raise unless the library predicts for the training rows what theta predicts for them here."""
    # `theirs` has shape (n,), of the linear predictor or of the mean; `allowed` is relative, where it is not
    # what a library's sums in another order make.
    usual, rounding = (SINGLE, SINGLE_TERMS) if of_single else (SAME, DOUBLE_TERMS)
    linear = as_linear(risk)
    if linear is None:
        return
    eta = ours = linear.linear_predictor(theta)
    if kind == "mean":
        ours = linear.loss.mean(eta)
    found = np.asarray(theirs, dtype=np.float64).reshape(-1)
    if found.shape != ours.shape:
        return
    room = (usual if allowed is None else allowed) * np.maximum(np.abs(ours), np.median(np.abs(ours)))
    wrong = ~(np.abs(found - ours) <= room) & (linear.weights > 0)
    if wrong.any():  # but for rounding, which takes a pass over the rows
        spread = linear.design.absolute_dot(np.abs(theta)) + np.abs(linear.offset)
        spread = np.abs(linear.loss.mean_derivative(eta)) * spread if kind == "mean" else spread
        wrong &= ~(np.abs(found - ours) <= room + rounding * spread)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise NotStationary(
            argument,
            "predict for its own rows what its coefficients say",
            f"predicts {found[row]:.6g} for row {label_name(linear.row_labels[row])} where they give "
            f"{ours[row]:.6g}",
            "Its coefficients or its data were changed after the fit: fit it again.",
        )
