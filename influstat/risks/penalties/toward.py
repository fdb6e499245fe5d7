"""A prior mean: a penalty that pulls towards given coefficients instead of towards 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.symmetric import Symmetric
from influstat.errors import InvalidArgument
from influstat.input.validation import FloatArray, real_number, vector
from influstat.risks.penalties.base import Penalty, require_penalty
from influstat.risks.penalties.l2 import L2
from influstat.risks.penalties.quadratic import padded


@dataclass(frozen=True, eq=False)
class Toward(Penalty):
    """Total penalty P(theta) = Q(theta - mean), Q being another penalty: a prior of that mean.

    ``L2(strength) + Toward(mean)`` is the same as ``Toward(mean, strength)``, and both are
    (strength / 2) |theta - mean|^2: a Toward without a penalty of its own moves the one it is added to.

    Parameters
    ----------
    mean : array_like, shape (p,)
        What the coefficients are pulled to. An intercept that the model appends itself may be left out;
        it is then pulled to 0 if Q penalises it at all.
    penalty : float or Penalty, optional
        Q; a number is the strength of an `L2`. Left out, the penalty that this is added to.

    Raises
    ------
    InvalidArgument, InvalidType
        mean is not a finite vector, or penalty is neither a number nor a penalty.

    Examples
    --------
    >>> import influstat as ist
    >>> prior = ist.L2(2.0) + ist.Toward([1.0])
    >>> risk = ist.LinearRisk(ist.SquaredError(), [[1.0], [1.0]], [1.0, 3.0], penalty=prior)
    >>> ist.Fit.minimise(risk).theta.round(6)       # (2 (1 + 3) + 2 . 1) / (2 . 2 + 2)
    array([1.666667])
    """

    mean: Any
    penalty: Any = None

    def __post_init__(self) -> None:
        """Check mean and penalty."""
        object.__setattr__(self, "mean", vector("mean", self.mean))
        if isinstance(self.penalty, (int, float, np.number)) and not isinstance(self.penalty, bool):
            object.__setattr__(self, "penalty", L2(real_number("penalty", self.penalty, at_least=0.0)))
        if self.penalty is not None:
            require_penalty(self.penalty)

    @property
    def _moved(self) -> Penalty:
        if self.penalty is None:
            raise InvalidArgument(
                "penalty",
                "say how strongly theta is pulled towards the mean",
                "is a Toward without a penalty",
                "Write ist.L2(strength) + ist.Toward(mean), or ist.Toward(mean, strength).",
            )
        penalty: Penalty = self.penalty
        return penalty

    def after(self, first: Penalty) -> Penalty:
        """Return first moved to the mean, or the sum where this has a penalty of its own."""
        return Toward(self.mean, first) if self.penalty is None else super().after(first)

    def __add__(self, other: Any) -> Penalty:
        """Return other moved to the mean, or the sum where this has a penalty of its own."""
        if self.penalty is None and isinstance(other, Penalty):
            return Toward(self.mean, other)
        return super().__add__(other)

    def _from_mean(self, theta: FloatArray) -> FloatArray:
        return np.asarray(theta - (self.mean if theta.ndim == 1 else self.mean[:, None]))

    @property
    def constant_hessian(self) -> bool:
        """Whether the Hessian of what is moved is constant."""
        return self._moved.constant_hessian

    @property
    def self_concordance(self) -> float:
        """Return the constant of what is moved."""
        return self._moved.self_concordance

    def placed(self, names: tuple[str, ...], *, intercept: bool) -> Toward:
        """Return the penalty for coefficients of these names."""
        mean = padded("mean", self.mean, len(names), intercept=intercept)
        return Toward(mean, self._moved.placed(names, intercept=intercept))

    def value(self, theta: FloatArray) -> Any:
        """Return Q(theta - mean), or one for each column of theta (p, k)."""
        return self._moved.value(self._from_mean(theta))

    def gradient(self, theta: FloatArray) -> FloatArray:
        """Return grad Q(theta - mean), of the shape of theta."""
        return self._moved.gradient(self._from_mean(theta))

    def hessian(self, theta: FloatArray) -> Symmetric:
        """Return the Hessian of Q at theta - mean."""
        return self._moved.hessian(self._from_mean(theta))

    def third(self, theta: FloatArray, directions: FloatArray) -> FloatArray:
        """Return the third derivative of Q at theta - mean, shape (p, k)."""
        return self._moved.third(self._from_mean(theta), directions)

    def gradient_scale(self, theta: FloatArray) -> FloatArray:
        """Return what rounding in theta and mean is relative to, shape (p,)."""
        moved = self._moved
        size = moved.hessian(self._from_mean(theta)).absolute_dot(np.abs(theta) + np.abs(self.mean))
        return np.asarray(moved.gradient_scale(self._from_mean(theta)) + size)

    def scaled(self, factor: float) -> Toward:
        """Return factor times this penalty."""
        return Toward(self.mean, self._moved.scaled(factor))

    def axes(self, p: int) -> NDArray[np.bool_]:
        """Return which coefficients Q penalises."""
        return self._moved.axes(p)

    def forms(self, p: int) -> FloatArray | None:
        """Return the forms of Q."""
        return self._moved.forms(p)
