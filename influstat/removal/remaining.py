"""What is left of a risk without groups of rows, whatever its losses are: sum scale, see `expansion`.

Products with X in float32 are good enough everywhere but in one gradient (`Rough`). Three facts about F_k,
S_k its Hessian at theta-hat of the rows left, S_k D_0 = -grad F_k(theta-hat), and a penalty with a constant
Hessian:

1. grad F_k(theta-hat + D_0) = sum_j w_j x_j [l1(eta_j + d_j) - l1_j - l2_j d_j]: of second order in D_0. An
   error of float32 in d or in the sum is then some 1e-6 of a quantity that is small itself.
2. From a gradient G measured in float64 at theta, the Newton step of F_k there is the limit of D <- D + E,
   E <- -S_k^-1 (K E), E = -S_k^-1 G to begin with, K = sum_j w_j (l2(eta_j) - l2_j) x_j x_j': what is left
   of the gradient after each step is K E, of which six digits are plenty.
3. After that step the gradient is K E and at most (c / 2) e^(2 c m) m sum_j w_j l2_j |x_j'D| |x_j|, m the
   largest |x_j'D|, which is c m e^(2 c m) of G (in the norm of the Hessian).

So one sweep in float32 to a point whose gradient is measured in float64, and refinement in float32, end at
the accuracy of that gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.input.groups import Groups, Indices
from influstat.input.validation import FloatArray
from influstat.losses.base import has_estimated_derivatives
from influstat.risks.linear import as_linear

LEAST = 128  # coefficients from which products take longer than slopes, and halving them pays
LARGEST = 2**26  # entries of the copy of X in float32: 256 MiB
TILE = 512  # rows at a time, of which what is computed for each removal stays in cache

Single = NDArray[np.float32]
Look = Callable[[slice, FloatArray], None]


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


def worth_it(expansion: Any) -> bool:
    """Tell whether the three facts hold for a `LinearRisk`, and products with X are what refits wait for."""
    risk = as_linear(expansion.risk)
    if risk is None or risk.design.sparse or has_estimated_derivatives(risk.loss):
        return False
    if risk.shape[1] < LEAST or risk.shape[0] * risk.shape[1] > LARGEST:
        return False
    return bool(np.isfinite(risk.loss.self_concordance) and risk.penalty.constant_hessian)


class Rough:
    """Gradients of the objectives F_k of one block of removals, in float32."""

    def __init__(self, remainder: Any) -> None:
        self._remainder, self._expansion = remainder, remainder.expansion
        self.c = float(self._expansion.risk.loss.self_concordance)

    def _tiles(self) -> Iterator[tuple[slice, Single]]:
        x: Single = self._expansion.single
        for start in range(0, len(x), TILE):
            rows = slice(start, min(start + TILE, len(x)))
            yield rows, x[rows]

    def after_newton(self, delta: FloatArray) -> FloatArray:
        """Return grad F_k after Newton steps `delta` (p, K), fact 1, of that shape."""
        expansion, risk = self._expansion, self._expansion.risk
        step = delta.astype(np.float32)
        total = np.zeros_like(step)
        for rows, block in self._tiles():
            moved = (block @ step).astype(np.float64)
            rest: FloatArray = risk.loss.first(risk.y[rows, None], expansion.eta[rows, None] + moved)
            rest *= risk.weights[rows, None]
            rest -= expansion.first[rows, None]
            rest -= expansion.second[rows, None] * moved
            rest[self._remainder.gone(rows)] = 0.0
            total += block.T @ rest.astype(np.float32)
        return np.asarray(total.astype(np.float64))

    def gradients(self, theta: FloatArray) -> FloatArray:
        """Return grad F_k at columns of theta (p, K) in float64; hold w_j (l2(eta_j) - l2_j) for `bent`."""
        risk, second = self._expansion.risk, self._expansion.second
        self._bends: Single = np.empty((risk.shape[0], theta.shape[1]), dtype=np.float32)

        def look(rows: slice, eta: FloatArray) -> None:
            bend = self._bends[rows]
            bend[:] = risk.loss.second(risk.y[rows, None].astype(np.float32), eta.astype(np.float32))
            bend *= risk.weights[rows, None].astype(np.float32)
            bend -= second[rows, None].astype(np.float32)
            bend[self._remainder.gone(rows)] = 0.0

        return np.asarray(self._remainder.summed(theta, look))

    def bent(self, chosen: Indices, step: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return K E for columns E (p, m) of those `chosen`, of that shape, and max_j |x_j'E|, shape (m,)."""
        columns = step.astype(np.float32)
        total, far = np.zeros_like(columns), np.zeros(columns.shape[1], dtype=np.float32)
        for rows, block in self._tiles():
            moved = block @ columns
            np.maximum(far, np.max(moved, axis=0), out=far)
            np.maximum(far, -np.min(moved, axis=0), out=far)
            moved *= self._bends[rows].take(chosen, axis=1)
            total += block.T @ moved
        return total.astype(np.float64), far.astype(np.float64)
