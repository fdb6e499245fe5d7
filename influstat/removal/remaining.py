"""What is left of a risk without groups of rows, whatever its losses are: sum scale, see `expansion`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.input.groups import Groups, Indices
from influstat.input.validation import FloatArray
from influstat.removal.rough import Rough


@dataclass(frozen=True, eq=False)
class Curved:
    """What rows that leave take of the Hessian: the sum of curvature_s times the squares of columns."""

    columns: FloatArray  # shape (p, s)
    curvature: FloatArray  # shape (s,)
    parts: Groups  # which columns leave together
    slopes: FloatArray | None = None  # the row's gradient is its one column times this, shape (s,); or None


class Remaining:
    """The objectives F_k of K removals, evaluated together; `factors` (K,) are the shares c_k."""

    def __init__(self, expansion: Any, groups: Groups) -> None:
        self.expansion, self.groups = expansion, groups
        self.factors: FloatArray = expansion.left(groups)
        order = np.argsort(groups.members, kind="stable")
        self._rows, self._columns = groups.members[order], groups.owners[order]

    def gradients_at_center(self) -> FloatArray:
        """Return grad F_k(theta-hat) for every k, shape (p, K)."""
        expansion = self.expansion
        result = expansion.gradient[:, None] - expansion.penalty_gradient[:, None] * (1.0 - self.factors)
        result -= expansion.own_slopes(self.groups)
        return np.asarray(result)

    def gradients(self, theta: FloatArray) -> FloatArray:
        """Return grad F_k at column k of theta, shape (p, K), nan with it."""
        known = ~np.isnan(theta).any(axis=0)
        if known.all():
            return self.summed(theta)
        result = np.full(theta.shape, np.nan)  # a caller's own loss never sees a nan
        if known.any():
            result[:, known] = self.expansion.remainder(self.groups.take(known)).summed(theta[:, known])
        return result

    def summed(self, theta: FloatArray) -> FloatArray:
        """Return the same where no theta is nan."""
        raise NotImplementedError  # pragma: no cover - each has its own

    def movement(self, theta: FloatArray) -> FloatArray:
        """Return how far predictors of the rows left move from theta-hat at most, shape (K,)."""
        raise NotImplementedError  # pragma: no cover - each has its own

    def bend(self, delta: FloatArray) -> FloatArray:
        """Return D^3 F[delta_k, delta_k] at theta-hat of all rows with the whole penalty, shape (p, K)."""
        raise NotImplementedError  # pragma: no cover - each has its own

    def rough(self) -> Rough | None:
        """Return what finds gradients in float32; None where that does not pay."""
        return None

    def gone(self, rows: slice) -> tuple[Indices, Indices]:
        """Return which rows of a tile have left, and for which removals."""
        gone = slice(*np.searchsorted(self._rows, [rows.start, rows.stop]))
        return self._rows[gone] - rows.start, self._columns[gone]
