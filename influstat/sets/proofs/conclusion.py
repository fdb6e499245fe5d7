"""What stands or falls with a set of units, and how far it stands without each single one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from influstat.algebra.rounding import unit_rounding
from influstat.input.validation import FloatArray
from influstat.sets.lengths import lengths
from influstat.sets.null_fit import NullFit
from influstat.sets.proofs.leverage_bounds import LeverageBounds
from influstat.sets.proofs.quick import Quick


class Conclusion(Protocol):
    """What stands or falls with a set of units: a sign, or significance.

    Attributes
    ----------
    demeaned : bool
        Whether it is the same of what is demeaned within levels that are one cluster's own (`factor`).
    """

    demeaned: ClassVar[bool]

    def views(self, null: NullFit, k: int, leverage: LeverageBounds) -> Iterator[NullFit]:
        """Yield null fits: if the quick certificate proves k for one, no k units flip the conclusion."""

    def stands(self, null: NullFit) -> bool:
        """Tell whether the conclusion holds with the rows that are there, by more than rounding."""

    def without_one(self, null: NullFit) -> FloatArray | None:
        """Return a number per unit, above 0 where it holds without that unit too; None where not known."""


@dataclass(frozen=True)
class Sign:
    """The conclusion a'theta > at."""

    demeaned: ClassVar[bool] = True

    def views(self, null: NullFit, k: int, leverage: LeverageBounds) -> Iterator[NullFit]:
        """Yield the null fit itself."""
        yield null

    def stands(self, null: NullFit) -> bool:
        """Tell whether N0 > 0."""
        return bool(null.N0 - null.margin > 0.0)

    def without_one(self, null: NullFit) -> FloatArray | None:
        """Return N without each unit, less its margin; elsewhere 1 where it is proven to be above 0."""
        found = one_left(null)
        if found is not None:
            return found - noise(null)
        doubtful, known = Quick(null).doubtful(), np.ones(len(null.f))
        known[doubtful] = -np.abs(null.f[doubtful])
        return known


def identified(null: NullFit) -> bool:
    """Tell whether the rows that are there determine the quantity, by more than the rounding of xi."""
    design = null.problem.risk.design
    rounding = unit_rounding(design.shape[1]) * design.absolute_dot(np.abs(null.u))
    return null.stiffness > 16.0 * float(null.h @ rounding**2)


def one_left(null: NullFit) -> FloatArray | None:
    """Return N without each unit, shape (m,), for rows and squared error where no penalty leaves; or None."""
    if null.concordance != 0.0 or null.folded or not null.units.single:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        second = np.einsum("ij,ij->i", null.turns, null.pulls) / (1.0 - null.lev)
    return np.where(null.lev < 1.0 - 1e-9, null.N0 - null.f - second, -np.inf)


def turned(score: FloatArray, side: float) -> FloatArray:
    """Return side times N without each unit, -inf where that is not known."""
    return np.where(np.isfinite(score), side * score, -np.inf)


def noise(null: NullFit) -> FloatArray:
    """Return what rounding can do to `one_left`, shape (m,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = np.maximum(1.0 - null.lev, 1e-9)
        lengths_B, lengths_C = lengths(null.turns) + null.cross, lengths(null.pulls) + null.slack
        error = 4.0 * null.relative / rest * (lengths_B * lengths_C) / rest
        moved = (null.cross * lengths_C + null.slack * lengths_B) / rest
    return np.asarray(null.margin + error + moved)
