"""What an iteration must know of H before it starts: its diagonal and its largest eigenvalue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.linalg import eigvalsh
from scipy.sparse.linalg import LinearOperator, eigsh

from influstat.curvature.linear import Curvature
from influstat.errors import Diverged, IndefiniteHessian, SingularHessian
from influstat.input.validation import FloatArray
from influstat.solvers.base import _Damped, dense_matrix, diagonal_of

SMALL = 64  # up to this p the eigenvalues of the assembled matrix cost less than Lanczos steps
MARGIN = 1.01  # a Lanczos value lies below the largest eigenvalue, by far less than this


def rounding_level(p: int) -> float:
    """Return the relative size below which p-term sums of float64 products are noise."""
    return max(p, 16) * float(np.finfo(np.float64).eps)


def coefficient_names(operator: LinearOperator, involved: FloatArray) -> str:
    """Return the names (or positions) of the coefficients in which `involved` is not small."""
    size = np.abs(involved)
    positions = np.flatnonzero(size > 0.05 * size.max())
    names: Sequence[Any] = operator.design.names if isinstance(operator, Curvature) else range(len(size))
    shown = ", ".join(str(names[j]) for j in positions[:8])
    return shown + (", ..." if len(positions) > 8 else "")


def checked_diagonal(operator: LinearOperator) -> FloatArray | None:
    """Return the diagonal of H, None where it is not known, or raise if it rules out a minimum.

    A diagonal entry of 0 in a positive semidefinite matrix means a row of zeros.

    Raises
    ------
    SingularHessian, IndefiniteHessian
        An entry is zero or negative.
    """
    diagonal = diagonal_of(operator)
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


def eigenvalue_bound(operator: LinearOperator) -> float:
    """Return an upper bound on the largest eigenvalue of H, cheap where the entries are known.

    Of a Curvature its own bound, of an array or sparse matrix the largest absolute row sum, of any
    other operator the largest eigenvalue by Lanczos steps and a margin of 1 %.
    """
    if isinstance(operator, Curvature):
        return operator.eigenvalue_bound()
    if isinstance(operator, _Damped):
        return eigenvalue_bound(operator.operator) + operator.damping
    matrix: Any = getattr(operator, "A", None)
    if hasattr(matrix, "sum"):  # an array or a sparse matrix; no operator has it
        return float(np.max(abs(matrix).sum(axis=1)))
    return MARGIN * largest_eigenvalue(operator)


def largest_eigenvalue(operator: LinearOperator) -> float:
    """Return the largest eigenvalue of H to about 1e-8 of its size."""
    p = operator.shape[0]
    if p <= SMALL:
        return float(eigvalsh(dense_matrix(operator))[-1])
    start = np.random.default_rng(0).standard_normal(p)
    values = eigsh(operator, k=1, which="LA", v0=start, tol=1e-8, return_eigenvectors=False)
    return float(values[0])


def series_scale(operator: LinearOperator, scale: float | None) -> float:
    """Return C of the series (12), checked to exceed half of the largest eigenvalue of H.

    Raises
    ------
    Diverged
        C is too small: the series would grow without bound.
    SingularHessian
        H is zero.
    """
    bound = eigenvalue_bound(operator)
    if not bound > 0:
        raise SingularHessian(
            "The Hessian has no positive eigenvalue: check the loss, theta and the weights."
        )
    if scale is None:
        return bound
    if scale <= bound / 2:
        largest = largest_eigenvalue(operator)
        if scale <= largest / 2:
            raise Diverged(
                f"scale C = {scale:g} is not above half of the largest eigenvalue {largest:.6g} of H, so the "
                f"recursion grows without bound. Use scale >= {largest:.4g}, or leave it out."
            )
    return scale


def explain_growth(operator: LinearOperator, vector: FloatArray, scale: float, remedy: str) -> None:
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
