"""The ridge penalty, its strength and the coefficients it leaves alone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.symmetric import Diagonal
from influstat.errors import InvalidArgument, InvalidType
from influstat.input.settings import entries
from influstat.input.validation import FloatArray, real_number
from influstat.risks.penalties.base import NONE, Penalty, require_penalty, summed


class Separate(Penalty):
    """A penalty that is a sum over coefficients, of one strength, and leaves some alone; a base class."""

    strength: float
    unpenalised: Sequence[int | str]

    def __post_init__(self) -> None:
        """Check the settings."""
        object.__setattr__(self, "strength", real_number("strength", self.strength, at_least=0.0))
        if isinstance(self.unpenalised, str) or not isinstance(self.unpenalised, (Sequence, np.ndarray)):
            raise InvalidType(
                "unpenalised",
                "be a sequence of positions or names",
                f"is {self.unpenalised!r}",
                "Pass a list, e.g. [-1] or ['intercept'].",
            )
        object.__setattr__(self, "unpenalised", tuple(entries("unpenalised", self.unpenalised)))

    def in_words(self) -> str:
        """Return its kind, its strength, and how many coefficients it leaves alone."""
        if self.strength == 0.0:
            return NONE
        left = f", {len(self.unpenalised)} unpenalised" if self.unpenalised else ""
        return f"{type(self).__name__}, strength {self.strength:.4g}{left}"

    @abstractmethod
    def _like(self, strength: float, unpenalised: Sequence[int | str]) -> Self:
        """Return this penalty with another strength, for other coefficients."""

    def scaled(self, factor: float) -> Self:
        """Return the penalty of factor times the strength."""
        return self._like(factor * self.strength, self.unpenalised)

    def placed(self, names: tuple[str, ...], *, intercept: bool) -> Self:
        """Return this penalty with positions for names; an intercept of the model's own is left alone."""
        positions = {_position(coefficient, names) % len(names) for coefficient in self.unpenalised}
        if intercept:
            positions.add(len(names) - 1)
        return self._like(self.strength, tuple(sorted(positions)))

    def diagonal(self, names: tuple[str, ...]) -> FloatArray:
        """Return strength * d for coefficients of these names, shape (p,), or raise naming the wrong one."""
        return self.placed(names, intercept=False).strengths(np.zeros(len(names)))

    def strengths(self, theta: FloatArray) -> FloatArray:
        """Return strength * d, shape (p,), or (p, 1) beside theta of shape (p, k)."""
        d = np.full(len(theta), self.strength)
        for position in self.unpenalised:
            if isinstance(position, str):
                raise InvalidArgument(
                    "unpenalised",
                    "hold positions where the names of the coefficients are not known",
                    f"holds the name {position!r}",
                    "Give the penalty to a risk, which knows them, or call penalty.placed(names, ...) first.",
                )
            d[position] = 0.0
        return d if theta.ndim == 1 else d[:, None]

    def axes(self, p: int) -> NDArray[np.bool_]:
        """Return which coefficients are penalised."""
        return np.asarray(self.strengths(np.zeros(p)) > 0)

    def forms(self, p: int) -> FloatArray | None:
        """Return none: each coefficient is penalised alone."""
        return np.zeros((0, p))


@dataclass(frozen=True)
class L2(Separate):
    """Total penalty P(theta) = (strength / 2) sum_j d_j theta_j^2.

    Parameters
    ----------
    strength : float
        kappa >= 0, on the scale of the *summed* loss: the risk is (1/W) [sum_i w_i l_i + P]. Ridge and
        logistic models with penalty lam |theta|^2 have strength 2 lam; the support vector classifier
        has strength lam.
    unpenalised : sequence of int or str
        Positions (negative ones count from the end) or names of coefficients with d_j = 0.

    Raises
    ------
    InvalidArgument, InvalidType
        strength is negative or not a finite number, or unpenalised is not a sequence.

    Examples
    --------
    >>> import influstat as ist
    >>> ist.L2(2.0, unpenalised=[-1]).diagonal(("slope", "intercept"))
    array([2., 0.])
    """

    strength: float = 0.0
    unpenalised: Sequence[int | str] = ()
    constant_hessian = True

    def _like(self, strength: float, unpenalised: Sequence[int | str]) -> L2:
        return L2(strength, unpenalised)

    def value(self, theta: FloatArray) -> Any:
        """Return P(theta), or one for each column of theta (p, k)."""
        return summed(0.5 * self.strengths(theta) * theta * theta)

    def gradient(self, theta: FloatArray) -> FloatArray:
        """Return kappa d_j theta_j, of the shape of theta."""
        return np.asarray(self.strengths(theta) * theta)

    def hessian(self, theta: FloatArray) -> Diagonal:
        """Return kappa D."""
        return Diagonal(self.strengths(theta))

    def gradient_scale(self, theta: FloatArray) -> FloatArray:
        """Return kappa d_j |theta_j|, shape (p,)."""
        return np.asarray(self.strengths(theta) * np.abs(theta))


def read_penalty(given: Any) -> Penalty:
    """Return the penalty of a risk, one of strength 0 where it is left out; or raise."""
    if given is None:
        return L2()
    require_penalty(given)
    return given  # type: ignore[no-any-return]


def _position(coefficient: int | str, names: tuple[str, ...]) -> int:
    if isinstance(coefficient, str) and coefficient in names:
        if names.count(coefficient) > 1:
            raise InvalidArgument(
                "unpenalised",
                "name one coefficient each",
                f"holds {coefficient!r}, the name of {names.count(coefficient)}",
                "Give the position instead, or rename the columns.",
            )
        return names.index(coefficient)
    if (
        type(coefficient) is not bool
        and isinstance(coefficient, (int, np.integer))
        and -len(names) <= coefficient < len(names)
    ):
        return int(coefficient)
    raise InvalidArgument(
        "unpenalised",
        f"name coefficients of the model ({', '.join(names[:6])}{', ...' if len(names) > 6 else ''})"
        " or give their positions",
        f"holds {coefficient!r}",
        "Correct that entry.",
    )
