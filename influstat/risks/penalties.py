"""The quadratic penalty, its strength and the coefficients it leaves alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from influstat.errors import InvalidArgument, InvalidType
from influstat.input.validation import FloatArray, real_number


@dataclass(frozen=True)
class L2:
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
        object.__setattr__(self, "unpenalised", tuple(self.unpenalised))

    def diagonal(self, names: tuple[str, ...]) -> FloatArray:
        """Return strength * d, shape (p,), for coefficients of these names.

        Raises
        ------
        InvalidArgument
            An unpenalised name or position does not exist, or several coefficients have that name.
        """
        diagonal = np.full(len(names), self.strength)
        for coefficient in self.unpenalised:
            diagonal[_position(coefficient, names)] = 0.0
        return diagonal


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
