"""Any quadratic penalty: smoothing penalties with a full matrix, and ridge penalties of several strengths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.symmetric import Diagonal, Matrix, Symmetric
from influstat.errors import InvalidArgument
from influstat.input.validation import FloatArray, check_finite, numeric_array
from influstat.risks.penalties.base import Penalty, summed

ROUNDING = 1e-12  # of the largest eigenvalue: below, an eigenvalue of a matrix computed in float64 is 0


@dataclass(frozen=True, eq=False)
class Quadratic(Penalty):
    """Total penalty P(theta) = theta'S theta / 2.

    Parameters
    ----------
    S : array_like, shape (p, p) or (p,)
        Symmetric and positive semidefinite, on the scale of the summed loss; a vector stands for a
        diagonal: a strength kappa_j >= 0 for each coefficient. An intercept that the model appends itself
        may be left out, and is then not penalised.

    Raises
    ------
    InvalidArgument, InvalidType
        S is not finite, not square, not symmetric, or has a negative eigenvalue.

    Examples
    --------
    >>> import influstat as ist
    >>> ist.Quadratic([[2.0, 1.0], [1.0, 2.0]]).value(np.array([1.0, 1.0]))
    3.0
    >>> ist.Quadratic([1.0, 4.0]).gradient(np.array([1.0, 1.0]))
    array([1., 4.])
    """

    S: Any
    constant_hessian = True

    def __post_init__(self) -> None:
        """Check the matrix."""
        S = np.array(numeric_array("S", self.S), dtype=np.float64)
        check_finite("S", S)
        square = S.ndim == 2 and S.shape[0] == S.shape[1]
        if not (S.ndim == 1 or square) or not S.size:
            raise InvalidArgument(
                "S",
                "be a square matrix or a vector of strengths",
                f"has shape {S.shape}",
                "Pass one of these.",
            )
        if square and not np.allclose(S, S.T, rtol=1e-10, atol=ROUNDING * np.abs(S).max()):
            raise InvalidArgument(
                "S", "be symmetric", "is not", "Pass (S + S.T) / 2: it has the same penalty."
            )
        S = (S + S.T) / 2 if square else S
        values = np.linalg.eigvalsh(S) if square else S
        if values.min() < -ROUNDING * np.abs(values).max():
            raise InvalidArgument(
                "S",
                "be positive semidefinite",
                f"has the eigenvalue {values.min():.3g}",
                "A penalty that falls for ever leaves no minimum: correct it.",
            )
        object.__setattr__(self, "S", S)

    def _symmetric(self) -> Symmetric:
        return Diagonal(self.S) if self.S.ndim == 1 else Matrix(self.S)

    def placed(self, names: tuple[str, ...], *, intercept: bool) -> Quadratic:
        """Return the penalty of all coefficients; 0 for an intercept of the model's own that S leaves out."""
        return Quadratic(padded("S", self.S, len(names), intercept=intercept))

    def value(self, theta: FloatArray) -> Any:
        """Return P(theta), or one for each column of theta (p, k)."""
        return summed(0.5 * theta * self._symmetric().dot(theta))

    def gradient(self, theta: FloatArray) -> FloatArray:
        """Return S theta, of the shape of theta."""
        return self._symmetric().dot(theta)

    def hessian(self, theta: FloatArray) -> Symmetric:
        """Return S."""
        del theta
        return self._symmetric()

    def gradient_scale(self, theta: FloatArray) -> FloatArray:
        """Return |S| |theta|, shape (p,)."""
        return self._symmetric().absolute_dot(theta)

    def scaled(self, factor: float) -> Quadratic:
        """Return the penalty of factor times S."""
        part = object.__new__(Quadratic)  # S has been checked, which costs eigenvalues
        object.__setattr__(part, "S", factor * self.S)
        return part

    def axes(self, p: int) -> NDArray[np.bool_]:
        """Return which coefficients a diagonal S penalises; a full one is told by its forms."""
        return self.S > 0 if self.S.ndim == 1 else np.zeros(p, dtype=np.bool_)

    def forms(self, p: int) -> FloatArray | None:
        """Return rows that span what S penalises."""
        if self.S.ndim == 1:
            return np.zeros((0, p))
        # Each coefficient in a unit of its own: what is small in another's unit is not therefore free.
        units = np.sqrt(np.where(np.diag(self.S) > 0, np.diag(self.S), 1.0))
        values, vectors = np.linalg.eigh(self.S / np.outer(units, units))
        spans = vectors[:, values > ROUNDING * values[-1]].T * units
        return np.asarray(spans / np.linalg.norm(spans, axis=1)[:, None])


def padded(argument: str, value: FloatArray, p: int, *, intercept: bool) -> FloatArray:
    """Return an array of a penalty with 0 for an appended intercept that it leaves out, or raise."""
    found = len(value)
    if found == p:
        return value
    if intercept and found == p - 1:
        return np.pad(value, [(0, 1)] * value.ndim)
    without = f", or without the intercept {p - 1}" if intercept else ""
    raise InvalidArgument(
        argument,
        f"have one entry per coefficient ({p}{without})",
        f"has {found}",
        "Pass one for each column of X, in its order.",
    )
