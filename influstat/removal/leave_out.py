"""Leave each row out alone, by first order or by a refit of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InflustatError, InvalidArgument
from influstat.newton import minimise
from influstat.progress import progress
from influstat.removal.result import Removal
from influstat.validation import FloatArray, choice

if TYPE_CHECKING:
    from influstat.fit import Fit


def leave_one_out(fit: Fit, *, method: str = "exact", rows: Any = None) -> Removal:
    """Return the coefficients without each of the rows; `Fit.leave_one_out` says more."""
    choice("method", method, ("exact", "influence"))
    chosen = row_positions(rows, fit.risk.shape[0])
    if method == "influence":
        theta = fit.theta + fit.influence().on_theta().removal[chosen]
        status: list[str] = [""] * len(chosen)
    else:
        theta, status = _refits(fit, chosen)
    norms = np.array([_gradient_norm(fit, row, at) for row, at in zip(chosen, theta, strict=True)])
    converged = np.array([method == "exact" and not text for text in status], dtype=np.bool_)
    return Removal(fit, method, chosen, theta, norms, converged, tuple(status))


def row_positions(rows: Any, n: int) -> NDArray[np.intp]:
    """Return the chosen rows as distinct positions from 0 to n - 1, or raise."""
    if rows is None:
        return np.arange(n)
    chosen = np.atleast_1d(np.asarray(rows))
    whole = chosen.ndim == 1 and chosen.size > 0 and chosen.dtype.kind in "iu"
    if not whole or chosen.min() < 0 or chosen.max() >= n:
        raise InvalidArgument(
            "rows", f"hold at least one whole number from 0 to {n - 1}", f"is {rows!r}", "Correct it."
        )
    if len(np.unique(chosen)) < len(chosen):
        raise InvalidArgument("rows", "name each row once", f"is {rows!r}", "Drop the repeats.")
    return chosen.astype(np.intp)


def _without(fit: Fit, row: int) -> Any:
    weights = fit.risk.weights.copy()
    weights[row] = 0.0
    return fit.risk.reweighted(weights)


def _refits(fit: Fit, rows: NDArray[np.intp]) -> tuple[FloatArray, list[str]]:
    """Refit without each row, each from theta; a row without a minimiser gets nan and its reason."""
    theta = np.full((len(rows), fit.risk.shape[1]), np.nan)
    status = []
    for k, row in enumerate(progress(rows, "leave-one-out refits")):
        try:
            theta[k] = minimise(_without(fit, row), start=fit.theta).theta
            status.append("")
        except InflustatError as error:
            status.append(str(error))
    return theta, status


def _gradient_norm(fit: Fit, row: int, theta: FloatArray) -> float:
    """Return |sum over the other rows of grad, and of the penalty| / W at theta."""
    part = _without(fit, row)
    gradient = part.gradient(theta) * (part.total_weight / fit.risk.total_weight)
    return float(np.linalg.norm(gradient))
