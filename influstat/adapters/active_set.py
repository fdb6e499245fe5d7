"""Columns that a lasso or an elastic net keeps at 0 are those that its penalty holds there."""

from __future__ import annotations

from typing import Any

import numpy as np

from influstat.algebra.cholesky import CholeskyInverse
from influstat.algebra.coordinates import Coordinates
from influstat.errors import IndefiniteHessian, NotStationary, SingularHessian
from influstat.input.validation import FloatArray
from influstat.removal.active_set import centred, entering_pull
from influstat.risks.linear import LinearRisk, as_linear
from influstat.risks.penalties.active_l1 import active_l1


def require_active_set(argument: str, risk: Any, theta: FloatArray, limit: float, remedy: str = "") -> None:
    """Raise where the columns at 0 are not those that the penalty keeps there."""
    # `limit` is how much the gradient of a column at 0 may exceed the penalty's strength, relative to the sum
    # of the absolute values of its terms; `remedy` is what else may help.
    linear = as_linear(risk)
    lasso = None if linear is None else active_l1(linear.penalty)
    if linear is None or lasso is None:
        return
    seen = centred(linear, lasso, _require_determined(linear, theta))
    excess = entering_pull(seen.risk, seen.lasso, seen.there(theta))
    crossed = [linear.names[j] for j in np.flatnonzero(lasso.crossed(theta))]
    if excess <= limit and not crossed:
        return
    what = f"{crossed[0]!r} changes its sign" if crossed else "a column at 0 should have a coefficient"
    raise NotStationary(
        argument,
        "have the active set of its minimum",
        f"has another: {what} (relative gradient beyond the penalty: {max(excess, 0.0):.2g})",
        "Pass the data, weights and penalty that it was fitted with, or fit again to a finer tolerance."
        + remedy,
    )


def _require_determined(risk: LinearRisk, theta: FloatArray) -> Coordinates | None:
    """Return the coordinates that the risk needs, if any, which leave nothing undetermined."""
    try:
        inverse = risk.curvature(theta).factored()
    except (SingularHessian, IndefiniteHessian):  # for want of curvature, which questions say that need it
        return None
    if isinstance(inverse, CholeskyInverse):
        return None
    if inverse.coordinates.full:
        return inverse.coordinates
    null = np.abs(inverse.coordinates.null).max(axis=1)
    names = ", ".join(risk.names[j] for j in np.flatnonzero(null > 1e-6 * null.max())[:8])
    raise SingularHessian(
        f"The columns {names} depend on each other and have coefficients beside each other, so that the "
        "absolute-value penalty leaves open which of them has how much. Drop those that the others give, or "
        "fit an elastic net, whose ridge shares it out."
    )
