"""What an iteration must know of H before it starts: its diagonal and its largest eigenvalue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from influstat.curvature.base import Hessian
from influstat.errors import Diverged, IndefiniteHessian, SingularHessian
from influstat.input.validation import FloatArray


def rounding_level(p: int) -> float:
    """Return the relative size below which p-term sums of float64 products are noise."""
    return max(p, 16) * float(np.finfo(np.float64).eps)


def coefficient_names(operator: Hessian, involved: FloatArray) -> str:
    """Return the names (or positions) of the coefficients in which `involved` is not small."""
    size = np.abs(involved)
    positions = np.flatnonzero(size > 0.05 * size.max())
    names: Sequence[Any] = range(len(size)) if operator.names is None else operator.names
    shown = ", ".join(str(names[j]) for j in positions[:8])
    return shown + (", ..." if len(positions) > 8 else "")


def checked_diagonal(operator: Hessian) -> FloatArray | None:
    """Return the diagonal of H (p,), None where H offers none, or raise if an entry is not positive."""
    diagonal = operator.diagonal() if operator.offers_diagonal else None
    if diagonal is None or (diagonal > 0).all():
        return diagonal
    if not np.isfinite(diagonal).all():
        raise SingularHessian("The Hessian is not finite: rescale the columns of X or the weights.")
    names = coefficient_names(operator, np.where(diagonal <= 0, 1.0, 0.0))
    if (diagonal < 0).any():
        raise IndefiniteHessian(
            f"The Hessian has the negative diagonal entry {diagonal.min():.3g} (coefficients {names}): "
            "this is not a minimum. Check the loss and theta, or add damping above its size."
        )
    raise SingularHessian(
        f"The Hessian is singular: coefficients {names} do not affect the risk at all (a column of zeros, or "
        "no row with curvature). Drop those columns, penalise them, or pass damping > 0."
    )


def series_scale(operator: Hessian, scale: float | None) -> float:
    """Return C of the series (12), above half of H's largest eigenvalue, or raise where it is not."""
    bound = operator.bound()
    if not bound > 0:
        raise SingularHessian(
            "The Hessian has no positive eigenvalue: check the loss, theta and the weights."
        )
    if scale is None:
        return bound
    if scale <= bound / 2:
        largest = operator.largest_eigenvalue()
        if scale <= largest / 2:
            raise Diverged(
                f"scale C = {scale:g} is not above half of the largest eigenvalue {largest:.6g} of H, so the "
                f"recursion grows without bound. Use scale >= {largest:.4g}, or leave it out."
            )
    return scale


def explain_growth(operator: Hessian, vector: FloatArray, scale: float, remedy: str) -> None:
    """Raise what made an iteration grow along `vector`: negative curvature, or too small a scale."""
    direction = vector / np.max(np.abs(vector))
    curvature = float(direction @ operator.matvec(direction) / (direction @ direction))
    if curvature < 0:
        raise IndefiniteHessian(
            f"The Hessian is indefinite: it has the curvature {curvature:.3g} along a direction of "
            f"coefficients {coefficient_names(operator, direction)}, so this is not a minimum. Check the "
            "loss and theta, or add damping well above that size."
        )
    raise Diverged(f"The recursion grows without bound at scale C = {scale:g}. {remedy}")
