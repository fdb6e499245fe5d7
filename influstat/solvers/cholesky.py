"""Solve H p = g by one Cholesky factorisation of the assembled Hessian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.algebra.cholesky import EPSILON, CholeskyInverse
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
    called singular when its reciprocal condition number is then below p times the float64 epsilon.

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
        checked = as_operator(operator, self.damping)
        return PreparedCholesky(checked.to_dense(), checked.names)


class PreparedCholesky(CholeskyInverse):
    """The factored Hessian, whose solutions are measured."""

    def apply(self, rhs: FloatArray) -> Solution:
        """Return the solution with its residual."""
        value = self.solve(rhs)
        image = self.product(value.reshape(len(value), -1))
        residual = relative_residual(image.reshape(rhs.shape) - rhs, rhs)
        return Solution(value, residual, 0, np.asarray(residual <= np.sqrt(EPSILON)))
