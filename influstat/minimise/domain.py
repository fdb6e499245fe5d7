"""Means that a family cannot have: a risk has no value there, and perhaps no minimum on this side."""

from __future__ import annotations

from typing import Any

import numpy as np

from influstat.errors import NoMinimiser, NotConverged, NotStationary
from influstat.input.labels import label_name
from influstat.input.validation import FloatArray
from influstat.losses.glm import GLMLoss
from influstat.risks.linear import as_linear

STEPPED = 1e-3  # of a Newton step, halved ten times without an end of its own: an edge is in the way
REMEDY = "Take a link that keeps means inside, such as log for positive means and logit for proportions"


def outside(risk: Any, theta: FloatArray) -> str:
    """Return which row's mean at theta (p,) its family cannot have, in words; "" where there is none."""
    linear = as_linear(risk)
    if linear is None or not isinstance(linear.loss, GLMLoss):
        return ""
    loss, y, eta = linear.loss, linear.y, linear.linear_predictor(theta)
    with np.errstate(over="ignore", invalid="ignore"):
        value, mean, support = loss.value(y, eta), loss.mean(eta), loss.family.support
        known = np.isfinite(value + loss.first(y, eta))
        slope = loss.mean_derivative(eta)
    at_edge = (mean <= support.lowest) | (mean >= support.highest)
    moves = (np.isfinite(slope) & (slope != 0.0)) | (eta == 0.0)  # else eta is too far out for float64
    wrong = (np.isnan(value) | (~known & at_edge)) & (linear.weights > 0) & np.isfinite(eta) & moves
    if not wrong.any():
        return ""
    row, means = int(np.argmax(wrong)), "0" if support.highest == np.inf else "0 and 1"
    return (
        f"row {label_name(linear.row_labels[row])} has a mean of {mean[row]:.4g} (eta = {eta[row]:.4g}), at "
        f"or beyond the edge of those of the {type(loss.family).__name__} family ({means})"
    )


def require_means(argument: str, risk: Any, theta: FloatArray) -> None:
    """Raise NotStationary where a library's iterations have left the domain, which they need not notice."""
    found = outside(risk, theta)
    if found:
        remedy = f"{REMEDY}; or fit again from start values whose means are all inside."
        raise NotStationary(argument, "have means that its family can have", f"has others: {found}", remedy)


def explain_start(risk: Any, theta: FloatArray) -> None:
    """Raise NotConverged where a search starts outside of the domain."""
    found = outside(risk, theta)
    if found:
        raise NotConverged(
            f"The search starts where the risk has no value: {found}. Pass start=, a theta whose means are "
            f"all inside. {REMEDY}, and none is needed."
        )


def explain_edge(risk: Any, theta: FloatArray, direction: FloatArray | None) -> None:
    """Raise NoMinimiser where a search has stopped because its next step leaves the domain."""
    found = "" if direction is None else outside(risk, theta + STEPPED * direction)
    if found:
        raise NoMinimiser(
            "The search has stopped at the edge of the means that there are, where the risk still falls: one "
            f"small step on, {found}. There is no minimum inside. {REMEDY}."
        )
