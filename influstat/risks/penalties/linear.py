"""A penalty that is linear in theta: the lasso's on the orthant of the fitted signs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.algebra.symmetric import Diagonal
from influstat.input.validation import FloatArray, vector
from influstat.risks.penalties.base import Penalty, summed
from influstat.risks.penalties.quadratic import padded


@dataclass(frozen=True, eq=False)
class Linear(Penalty):
    """Total penalty P(theta) = slope'theta.

    Parameters
    ----------
    slope : array_like, shape (p,)
        On the scale of the summed loss. Near a lasso's fit lam |theta|_1 is lam sign(theta)'theta on the
        coefficients that are not 0. An intercept that the model appends itself may be left out.

    Raises
    ------
    InvalidArgument, InvalidType
        slope is not a finite vector.

    Examples
    --------
    >>> import influstat as ist
    >>> risk = ist.LinearRisk(ist.SquaredError(), [[1.0], [1.0]], [1.0, 3.0], penalty=ist.Linear([2.0]))
    >>> ist.Fit.minimise(risk).theta        # 4 theta - 8 + 2 = 0
    array([1.5])
    """

    slope: Any
    constant_hessian = True

    def __post_init__(self) -> None:
        """Check the slope."""
        object.__setattr__(self, "slope", vector("slope", self.slope))

    def placed(self, names: tuple[str, ...], *, intercept: bool) -> Linear:
        """Return the penalty of all coefficients; 0 for an intercept of the model's own that is left out."""
        return Linear(padded("slope", self.slope, len(names), intercept=intercept))

    def value(self, theta: FloatArray) -> Any:
        """Return slope'theta, or one for each column of theta (p, k)."""
        return summed((self.slope * theta.T).T)

    def gradient(self, theta: FloatArray) -> FloatArray:
        """Return the slope, of the shape of theta."""
        slope: FloatArray = self.slope if theta.ndim == 1 else self.slope[:, None]
        return np.broadcast_to(slope, theta.shape).copy()

    def hessian(self, theta: FloatArray) -> Diagonal:
        """Return 0."""
        return Diagonal(np.zeros(len(theta)))

    def gradient_scale(self, theta: FloatArray) -> FloatArray:
        """Return |slope|, shape (p,)."""
        del theta
        return np.asarray(np.abs(self.slope))

    def scaled(self, factor: float) -> Linear:
        """Return the penalty of factor times the slope."""
        return Linear(factor * self.slope)

    def forms(self, p: int) -> FloatArray | None:
        """Return the slope: P is constant along what is orthogonal to it."""
        return np.asarray(self.slope[None, :])
