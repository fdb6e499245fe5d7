"""A penalty seen from other coordinates of the same coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import null_space

from influstat.algebra.symmetric import Matrix, Symmetric
from influstat.input.validation import FloatArray
from influstat.risks.penalties.base import Penalty


@dataclass(frozen=True, eq=False)
class Moved(Penalty):
    """P(theta + T u) as a function of u.

    Examples
    --------
    >>> import numpy as np, influstat as ist
    >>> from influstat.risks.penalties.moved import Moved
    >>> moved = Moved(ist.L2(1.0), np.array([1.0, 0.0]), np.array([[1.0], [2.0]]))
    >>> moved.gradient(np.array([1.0]))                 # T'(theta + T u)
    array([6.])
    """

    penalty: Penalty  # P
    theta: FloatArray  # where u = 0, shape (p,)
    transform: FloatArray  # T, shape (p, r)

    @property
    def constant_hessian(self) -> bool:
        """Whether the Hessian is the same everywhere."""
        return self.penalty.constant_hessian

    def _at(self, u: FloatArray) -> FloatArray:
        return np.asarray((self.theta if u.ndim == 1 else self.theta[:, None]) + self.transform @ u)

    def value(self, theta: FloatArray) -> Any:
        """Return P(theta + T u), or one for each column of u (r, k)."""
        return self.penalty.value(self._at(theta))

    def gradient(self, theta: FloatArray) -> FloatArray:
        """Return T' grad P, of the shape of u."""
        return np.asarray(self.transform.T @ self.penalty.gradient(self._at(theta)))

    def hessian(self, theta: FloatArray) -> Symmetric:
        """Return T'HT."""
        matrix = self.transform.T @ self.penalty.hessian(self._at(theta)).dot(self.transform)
        return Matrix((matrix + matrix.T) / 2.0)

    def third(self, theta: FloatArray, directions: FloatArray) -> FloatArray:
        """Return T' times the third derivative along T directions, shape (r, k)."""
        there = self.penalty.third(self._at(theta), self.transform @ directions)
        return np.asarray(self.transform.T @ there)

    def gradient_scale(self, theta: FloatArray) -> FloatArray:
        """Return |T|' times the sizes there, shape (r,)."""
        return np.asarray(np.abs(self.transform).T @ self.penalty.gradient_scale(self._at(theta)))

    def scaled(self, factor: float) -> Moved:
        """Return factor times this penalty."""
        return Moved(self.penalty.scaled(factor), self.theta, self.transform)

    def flat(self, p: int) -> FloatArray:
        """Return a basis (r, q) of the directions u along which P is known to be constant for ever."""
        flat = self.penalty.flat(len(self.theta))
        if not flat.size:
            return np.zeros((p, 0))
        lengths = np.linalg.norm(self.transform, axis=0)
        held = self.transform / lengths
        held = held - flat @ np.linalg.lstsq(flat, held, rcond=None)[0]
        basis = null_space(held, rcond=1e-10) if held.any() else np.eye(p)
        return np.asarray(basis / lengths[:, None])
