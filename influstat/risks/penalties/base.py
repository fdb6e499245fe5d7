"""`Penalty`: what a penalty offers, and the sum of several.

Everything is on the scale of the *summed* loss: the risk is (1/W) [sum_i w_i l_i + P(theta)]. A new penalty
is one class in a file of its own in this folder, and one line in ``tests/cases.py``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, is_dataclass
from functools import reduce
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import null_space

from influstat.algebra.symmetric import Symmetric
from influstat.errors import InvalidType, Unsupported
from influstat.input.printing import ShortRepr, short
from influstat.input.validation import FloatArray

NONE = "none"  # what a penalty of strength 0 is


class Penalty(ABC):
    """A convex function P(theta) that is added to the summed loss; it knows coefficients, never rows.

    A penalty of one's own needs `value`, `gradient`, `hessian` and `scaled`, and `constant_hessian = True`
    where its Hessian does not depend on theta.

    Attributes
    ----------
    constant_hessian : bool
        Whether the Hessian is the same everywhere. With squared error one Newton step is then exact.

    Examples
    --------
    >>> import numpy as np, influstat as ist
    >>> penalty = ist.L2(2.0) + ist.Linear([1.0, 0.0])
    >>> penalty.value(np.array([1.0, 3.0]))             # (2 / 2) (1 + 9) + 1
    11.0
    """

    @property
    def constant_hessian(self) -> bool:
        """Whether the Hessian is the same everywhere; a class may set it to True."""
        return False

    @abstractmethod
    def value(self, theta: FloatArray) -> Any:
        """Return P(theta), a float, or shape (k,): one for each column of theta (p, k)."""

    @abstractmethod
    def gradient(self, theta: FloatArray) -> FloatArray:
        """Return grad P, of the shape of theta: (p,), or (p, k) for k columns."""

    @abstractmethod
    def hessian(self, theta: FloatArray) -> Symmetric:
        """Return the Hessian at one theta (p,): a `Diagonal` or a `Matrix`, positive semidefinite."""

    @abstractmethod
    def scaled(self, factor: float) -> Penalty:
        """Return factor times this penalty, factor >= 0."""

    def in_words(self) -> str:
        """Return what it is in a short line, "none" where it is 0 everywhere; strengths on the sum scale."""
        anything: Any = self
        return ShortRepr.__repr__(anything) if is_dataclass(type(self)) else short(self)

    def third(self, theta: FloatArray, directions: FloatArray) -> FloatArray:
        """Return D^3 P(theta) applied twice to every column of directions, shape (p, k); or Unsupported."""
        if self.constant_hessian:
            return np.zeros_like(directions)
        raise Unsupported(
            "method",
            f"do without the third derivative of {type(self).__name__}, which is not defined",
            'is "second_order"',
            'Define third(theta, directions), or ask for method="exact" or "newton".',
        )

    @property
    def self_concordance(self) -> float:
        """Return c with |D^3 P[u, u, v]| <= c max_j |v_j| D^2 P[u, u] everywhere; inf where none is known."""
        return 0.0 if self.constant_hessian else inf

    def gradient_scale(self, theta: FloatArray) -> FloatArray:
        """Return the size of each entry of the gradient without cancellation, at theta (p,)."""
        return np.abs(self.gradient(theta)) + self.hessian(theta).absolute_dot(theta)

    def placed(self, names: tuple[str, ...], *, intercept: bool) -> Penalty:
        """Return this penalty for coefficients of these names, or raise naming what does not suit them."""
        # With `intercept` the last of them is one that the model appended itself: penalties leave it alone
        # unless they name it or have an entry for it.
        del names, intercept
        return self

    def axes(self, p: int) -> NDArray[np.bool_]:
        """Return which coefficients cannot move at all without a cost in the end, shape (p,)."""
        return np.zeros(p, dtype=np.bool_)

    def forms(self, p: int) -> FloatArray | None:
        """Return linear forms (q, p) that tell a free direction too; None where they are not known."""
        return np.zeros((0, p)) if self.axes(p).all() else None

    def flat(self, p: int) -> FloatArray:
        """Return a basis (p, r) of the directions along which P is known to be constant for ever."""
        free = np.flatnonzero(~self.axes(p))
        forms = self.forms(p)
        if forms is None:
            return np.zeros((p, 0))
        basis = np.zeros((p, free.size))
        basis[free, np.arange(free.size)] = 1.0
        forms = forms[:, free]
        return basis if not forms.any() else np.asarray(basis @ null_space(forms))

    def __add__(self, other: Any) -> Penalty:
        """Return the sum of two penalties."""
        require_penalty(other)
        total: Penalty = other.after(self)
        return total

    def after(self, first: Penalty) -> Penalty:
        """Return first + this; `Toward` moves what it is added to instead."""
        return PenaltySum((*terms(first), *terms(self)))


def summed(over_coefficients: Any) -> Any:
    """Return the sum over coefficients: a float for one theta (p,), shape (k,) for columns (p, k)."""
    total = np.sum(over_coefficients, axis=0)
    return total if np.ndim(total) else float(total)


def terms(penalty: Penalty) -> tuple[Penalty, ...]:
    """Return the terms of a sum; a penalty that is none is its own only term."""
    return penalty.parts if isinstance(penalty, PenaltySum) else (penalty,)


def require_penalty(value: Any) -> None:
    """Raise for what is no penalty."""
    if not isinstance(value, Penalty):
        remedy = "Pass ist.L2(strength), or a sum such as p + q of some."
        raise InvalidType("penalty", "be a penalty", f"is {value!r}", remedy)


@dataclass(frozen=True)
class PenaltySum(Penalty):
    """The sum of penalties; write ``p + q``.

    Parameters
    ----------
    parts : tuple of Penalty
        Its terms.

    Examples
    --------
    >>> import influstat as ist
    >>> ist.L2(1.0) + ist.SmoothedL1(2.0)               # an elastic net
    PenaltySum(parts=(L2(strength=1.0, unpenalised=()), SmoothedL1(strength=2.0, t=0.001, unpenalised=())))
    """

    parts: tuple[Penalty, ...]

    def in_words(self) -> str:
        """Return its terms in words, those that are not 0."""
        said = [text for part in self.parts if (text := part.in_words()) != NONE]
        return "; ".join(said) or NONE

    @property
    def constant_hessian(self) -> bool:
        """Whether every term has a constant Hessian."""
        return all(part.constant_hessian for part in self.parts)

    def value(self, theta: FloatArray) -> Any:
        """Return P(theta), or one for each column of theta (p, k)."""
        return sum(part.value(theta) for part in self.parts)

    def gradient(self, theta: FloatArray) -> FloatArray:
        """Return grad P, of the shape of theta."""
        return np.asarray(sum(part.gradient(theta) for part in self.parts))

    def hessian(self, theta: FloatArray) -> Symmetric:
        """Return the sum of the Hessians."""
        return reduce(lambda total, one: total.plus(one), (part.hessian(theta) for part in self.parts))

    def scaled(self, factor: float) -> PenaltySum:
        """Return factor times this penalty."""
        return PenaltySum(tuple(part.scaled(factor) for part in self.parts))

    def third(self, theta: FloatArray, directions: FloatArray) -> FloatArray:
        """Return the sum of the third derivatives, shape (p, k)."""
        return np.asarray(sum(part.third(theta, directions) for part in self.parts))

    @property
    def self_concordance(self) -> float:
        """Return the largest constant of the terms, which holds for their sum."""
        return max(part.self_concordance for part in self.parts)

    def gradient_scale(self, theta: FloatArray) -> FloatArray:
        """Return the sum of the sizes, shape (p,)."""
        return np.asarray(sum(part.gradient_scale(theta) for part in self.parts))

    def placed(self, names: tuple[str, ...], *, intercept: bool) -> PenaltySum:
        """Return the sum of the terms for coefficients of these names."""
        return PenaltySum(tuple(part.placed(names, intercept=intercept) for part in self.parts))

    def axes(self, p: int) -> NDArray[np.bool_]:
        """Return which coefficients some term holds."""
        return np.asarray(np.any([part.axes(p) for part in self.parts], axis=0))

    def forms(self, p: int) -> FloatArray | None:
        """Return the forms of all terms."""
        forms = [part.forms(p) for part in self.parts]
        known = [form for form in forms if form is not None]
        return np.concatenate(known) if len(known) == len(forms) else None
