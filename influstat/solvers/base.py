"""What every solver of H p = g offers: prepare once, apply often, and say how far to trust it.

And what iterations must know of H before they start: its diagonal and its largest eigenvalue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from influstat.curvature.base import Hessian
from influstat.curvature.dense import DenseCurvature, ForeignOperator
from influstat.errors import Diverged, IndefiniteHessian, InvalidArgument, InvalidType, SingularHessian
from influstat.input.printing import ShortRepr
from influstat.input.validation import FloatArray, check_finite, numeric_array, real_dtype

# SciPy's wrapper of a matrix, which keeps it in A; what A is in another operator is its own business.
MATRIX_OPERATOR: Any = type(aslinearoperator(np.eye(1)))


@dataclass(frozen=True, repr=False)
class Solution(ShortRepr):
    """A solution of H p = g with its own measure of trust.

    Attributes
    ----------
    value : ndarray, shape (p,) or (p, m)
        The approximate H^-1 g, one column per right-hand side.
    residual : ndarray, shape () or (m,)
        |H p - g| / |g|, measured after the last step; 0 where g is 0.
    iterations : int
        Steps taken (the most over the right-hand sides); 0 for a factorisation.
    converged : ndarray of bool, shape () or (m,)
        Whether the residual meets the solver's own tolerance.
    spread : ndarray, shape () or (m,), or None
        LiSSA only: standard error of the mean over repeats, |.| relative to |p|; nan for one repeat.

    Examples
    --------
    >>> import influstat as ist
    >>> solution = ist.Cholesky().solve(np.diag([1.0, 4.0]), np.array([1.0, 1.0]))
    >>> solution.value, bool(solution.converged)
    (array([1.  , 0.25]), True)
    """

    value: FloatArray
    residual: FloatArray
    iterations: int
    converged: NDArray[np.bool_]
    spread: FloatArray | None = field(default=None)


@runtime_checkable
class Inverse(Protocol):
    """A prepared solver: the inverse of one operator."""

    def apply(self, rhs: FloatArray) -> Solution:
        """Return the solution for right-hand sides of shape (p,) or (p, m)."""
        ...


@runtime_checkable
class Solver(Protocol):
    """Frozen settings of a method for H p = g.

    Examples
    --------
    >>> import influstat as ist
    >>> isinstance(ist.ConjugateGradient(), ist.Solver)
    True
    """

    @property
    def damping(self) -> float:
        """Return delta: the solver works with H + delta I."""
        ...

    def prepare(self, operator: Any) -> Inverse:
        """Do the work that does not depend on the right-hand side."""
        ...

    def solve(self, operator: Any, rhs: Any) -> Solution:
        """Return the solution of (operator + damping I) p = rhs."""
        ...


class OneCall:
    """Gives a solver its one-call form."""

    def solve(self: Any, operator: Any, rhs: Any) -> Solution:
        """Solve (operator + damping I) p = rhs.

        Parameters
        ----------
        operator : array_like, scipy.sparse or LinearOperator, shape (p, p)
            Symmetric and real.
        rhs : array_like, shape (p,) or (p, m)
            One or several right-hand sides.

        Returns
        -------
        Solution
            Of the shape of rhs, with its residual.

        Raises
        ------
        InvalidArgument, InvalidType
            The operator is not square, symmetric and real, or the shapes do not fit.
        SingularHessian, IndefiniteHessian, Diverged
            The operator has no inverse, a negative eigenvalue, or the iteration grows.
        """
        operator = as_operator(operator, 0.0)
        prepared: Inverse = self.prepare(operator)
        return prepared.apply(right_hand_side(rhs, operator.shape[0]))


def as_operator(operator: Any, damping: float) -> Hessian:
    """Return operator + damping I as a checked Hessian; only here kinds of operators are told apart."""
    hessian = operator if isinstance(operator, Hessian) else _wrapped(operator)
    if not hessian.symmetric:
        _check_symmetric(hessian)
    return hessian.damped(damping)


def _wrapped(operator: Any) -> Hessian:
    """Return an array, a sparse matrix or an operator of somebody else's as a Hessian, or raise."""
    if isinstance(operator, LinearOperator) and np.dtype(operator.dtype).kind == "c":
        raise InvalidType("operator", "be real", "is complex", "Pass a real symmetric operator.")
    matrix: Any = operator.A if isinstance(operator, MATRIX_OPERATOR) else operator
    if sp.issparse(matrix):
        sparse: Any = matrix
        entries = sparse.tocoo().data
        real_dtype("operator", entries)
        check_finite("operator", entries)
    elif not isinstance(matrix, LinearOperator):
        matrix = numeric_array("operator", matrix)
        check_finite("operator", matrix)
    shape = matrix.shape
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] == 0:
        raise InvalidArgument("operator", "be square", f"has shape {tuple(shape)}", "Pass a p x p Hessian.")
    return ForeignOperator(matrix) if isinstance(matrix, LinearOperator) else DenseCurvature(matrix)


def _check_symmetric(operator: Hessian) -> None:
    """Raise unless u'Av = v'Au for two fixed pseudo-random directions: any asymmetry shows."""
    probe = np.random.default_rng(0).standard_normal((operator.shape[0], 2))
    image = operator.matmat(probe)
    forth, back = float(probe[:, 0] @ image[:, 1]), float(probe[:, 1] @ image[:, 0])
    size = np.linalg.norm(image) * np.linalg.norm(probe)
    if not np.isfinite(size) or abs(forth - back) > 1e-9 * size:
        raise InvalidArgument(
            "operator",
            "be symmetric and finite",
            f"gives u'Av = {forth:.6g} but v'Au = {back:.6g}",
            "Pass the Hessian itself, or (A + A.T) / 2 if rounding made it asymmetric.",
        )


def right_hand_side(rhs: Any, p: int) -> FloatArray:
    """Return rhs as finite float64 of shape (p,) or (p, m), or raise."""
    array = numeric_array("rhs", rhs)
    if array.ndim not in (1, 2) or array.shape[0] != p or array.size == 0:
        raise InvalidArgument(
            "rhs", f"have shape ({p},) or ({p}, m)", f"has shape {array.shape}", "Transpose or cut it."
        )
    check_finite("rhs", array)
    return np.asarray(array, dtype=np.float64)


def relative_residual(residual: FloatArray, rhs: FloatArray) -> FloatArray:
    """Return |residual| / |rhs| per column, 0 where both vanish, without under- or overflow."""
    scale = np.max(np.abs(rhs), axis=0)
    safe = np.where(scale > 0, scale, 1.0)
    size = np.linalg.norm(residual / safe, axis=0)
    norm = np.linalg.norm(rhs / safe, axis=0)
    return np.asarray(size / np.where(norm > 0, norm, 1.0))


def scaled_columns(rhs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return rhs as columns (p, m) with largest entries in [1, 2), and what they were divided by."""
    # The divisors are powers of two, so the division and its reversal are exact; a zero column stays zero.
    columns = rhs.reshape(len(rhs), -1)
    _, exponent = np.frexp(np.max(np.abs(columns), axis=0))
    size = np.exp2(exponent - 1.0)
    return np.asarray(columns / size), np.asarray(size)


def in_shape_of(
    rhs: FloatArray, value: FloatArray, residual: FloatArray, steps: int, met: Any, spread: Any = None
) -> Solution:
    """Return the solution for columns (p, m) in the shape of rhs, (p,) or (p, m)."""
    residual, met = residual.reshape(rhs.shape[1:]), np.reshape(met, rhs.shape[1:])
    spread = None if spread is None else spread.reshape(rhs.shape[1:])
    return Solution(value.reshape(rhs.shape), residual, steps, met, spread)


def measured_residual(operator: LinearOperator, value: FloatArray, columns: FloatArray) -> FloatArray:
    """Return |H value - columns| / |columns| per column, shape (m,), by one product with H."""
    return relative_residual(operator.matmat(value) - columns, columns)


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
