"""Solve H p = g by one Cholesky factorisation of the assembled Hessian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.algebra.cholesky import EPSILON
from influstat.curvature.base import Factored
from influstat.input.validation import FloatArray, real_number
from influstat.solvers.base import OneCall, Solution, as_operator, relative_residual


@dataclass(frozen=True)
class Cholesky(OneCall):
    """Explicit factorisation: O(n p^2) to assemble, O(p^3) to factor, O(p^2) per right-hand side.

    Parameters
    ----------
    damping : float
        delta >= 0; solves with H + delta I.

    Notes
    -----
    The matrix is first scaled to a unit diagonal, so units of the columns do not matter. It is
    called singular when its reciprocal condition number is then below p times the float64 epsilon. The
    Hessian of a linear risk that comes near that is factored by its rows instead (QR), in which columns may
    even depend on each other: what they do not determine is then nan.

    Examples
    --------
    >>> import influstat as ist
    >>> ist.Cholesky().solve([[2.0, 0.0], [0.0, 4.0]], [1.0, 1.0]).value
    array([0.5 , 0.25])
    """

    damping: float = 0.0

    def __post_init__(self) -> None:
        """Check the settings."""
        object.__setattr__(self, "damping", real_number("damping", self.damping, at_least=0.0))

    def prepare(self, operator: Any) -> PreparedCholesky:
        """Return the factored operator, or raise with the coefficients involved and the remedy."""
        return PreparedCholesky(as_operator(operator, self.damping).factored())


class PreparedCholesky:
    """The factored Hessian, whose solutions are measured."""

    def __init__(self, inverse: Factored) -> None:
        self._inverse = inverse

    def solve(self, rhs: FloatArray) -> FloatArray:
        """Return H^-1 rhs, shape (p,) or (p, m), nothing measured."""
        return self._inverse.solve(rhs)

    def apply(self, rhs: FloatArray) -> Solution:
        """Return the solution with its residual."""
        value, excess, columns = self._inverse.measured(rhs)
        residual = relative_residual(excess, columns).reshape(rhs.shape[1:])
        return Solution(value, residual, 0, np.asarray(residual <= np.sqrt(EPSILON)))
