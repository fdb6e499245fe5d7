"""What every solver of H p = g offers: prepare once, apply often, and say how far to trust it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from influstat.curvature.base import Hessian
from influstat.curvature.dense import DenseCurvature, ForeignOperator
from influstat.errors import InvalidArgument, InvalidType
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
