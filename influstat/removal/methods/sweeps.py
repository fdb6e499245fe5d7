"""The shared iteration of exact refits: sweeps over all rows for every removal of a block at once.

All removals iterate theta_k <- theta_k - S_-k^-1 grad F_k(theta_k) with the inverse Hessian at theta-hat: two
products with X a sweep, and only for those not yet done. Where many coefficients make products slow they are
taken in float32 but for one gradient (`Rough`); where few do, the bend of the gradient spares most sweeps
(`third_order`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.rounding import EPSILON
from influstat.input.groups import Indices
from influstat.input.validation import FloatArray
from influstat.minimise.descent import TOLERANCE as STATIONARY
from influstat.removal.class_expansion import AnyExpansion
from influstat.removal.engine.third_order import ThirdOrder
from influstat.removal.inverse import Downdated
from influstat.removal.remaining import Remaining, Rough

FINE = 4e-15  # relative gradient at which a removal is done at once
TOO_SLOW = 0.8  # contraction above which a removal leaves for a Newton iteration of its own, or below
# STATIONARY is at its rounding floor: slow contraction alone does not mean so
USELESS = 0.5  # of a gradient: where following its bend leaves that much, chord steps go on without
SWEEPS = 60
FAR = 5.0  # c |x_j'delta| beyond which an unpenalised minimum might be a flight to infinity


class Chord:
    """The shared iteration; afterwards `theta`, `norms`, `done`, and `left` for those not done.

    `newton` says that it starts at Newton steps from theta-hat; `third` is how gradients bend, where known.
    """

    def __init__(
        self,
        expansion: AnyExpansion,
        remainder: Remaining,
        inverse: Downdated,
        start: FloatArray,
        *,
        newton: bool,
        third: ThirdOrder | None = None,
    ) -> None:
        self._expansion, self._groups, self._inverse = expansion, remainder.groups, inverse
        self._scales = self._expansion.scales(remainder.groups)
        self._start, self._newton, self._third = start, newton, third
        center = remainder.gradients_at_center()
        # The best points so far, theta-hat to begin with, and the largest relative entry of their gradients.
        self.theta = np.repeat(self._expansion.theta[:, None], len(remainder.groups), axis=1)
        self.norms = np.linalg.norm(center, axis=0)
        self._measure = (np.abs(center) / self._scales).max(axis=0)
        self.done: NDArray[np.bool_] = np.zeros(len(remainder.groups), dtype=np.bool_)
        self._path = np.full(len(remainder.groups), np.inf)  # bound on |x_j'(trial - theta-hat)|, rows left
        self.left: Indices = np.arange(0)

    def run(self) -> None:
        """Sweep until every removal is done or has left."""
        active = np.flatnonzero(np.isfinite(self._start).all(axis=0) & ~self._inverse.hard)
        trial = self._start[:, active]
        if active.size and self._newton:
            trial = trial + self._after_newton(active, trial - self._expansion.theta[:, None])
        for _ in range(SWEEPS):
            if not active.size:
                break
            active, trial = self._sweep(active, trial)
        self._doubt_flights()
        self.left = np.flatnonzero(~self.done)

    def _after_newton(self, active: Indices, step: FloatArray) -> FloatArray:
        """Return what better steps from theta-hat add to Newton's, shape (p, K)."""
        rough = self._part(active).rough()
        if rough is not None:
            return -self._inverse.solve(rough.after_newton(step), active)
        if self._third is None:
            return np.zeros_like(step)
        return self._bent(self._third, active, np.zeros_like(step), step)[0]

    def _sweep(self, active: Indices, trial: FloatArray) -> tuple[Indices, FloatArray]:
        """Measure the trial points, keep the better ones, and return those that go on, moved."""
        part = self._part(active)
        rough = part.rough()
        if rough is not None:
            gradients = rough.gradients(trial)
        elif self._third is not None and not np.isfinite(self._path[active]).all():
            gradients, self._path[active] = self._third.gradients(part.groups, trial)
        else:
            gradients = part.gradients(trial)
        measure = (np.abs(gradients) / self._scales[:, active]).max(axis=0)
        measure[~np.isfinite(measure)] = np.inf
        rate = measure / np.maximum(self._measure[active], np.finfo(np.float64).tiny)
        better = rate < 1.0
        kept = active[better]
        self.theta[:, kept] = trial[:, better]
        self.norms[kept] = np.linalg.norm(gradients[:, better], axis=0)
        self._measure[kept] = measure[better]
        best = self._measure[active]
        self.done[active] = (best <= FINE) | ((best <= STATIONARY) & (rate > TOO_SLOW))
        on = ~self.done[active] & (rate <= TOO_SLOW)
        active = active[on]
        if not active.size:
            return active, trial[:, :0]
        step = -self._inverse.solve(gradients[:, on], active)
        if rough is not None:
            return self._refined(rough, np.flatnonzero(on), active, trial[:, on], step)
        if self._third is not None:
            return self._curved(self._third, gradients[:, on], active, trial[:, on], step)
        return active, trial[:, on] + step

    def _part(self, active: Indices) -> Remaining:
        return self._expansion.remainder(self._groups.take(active))

    def _refined(
        self, rough: Rough, chosen: Indices, active: Indices, trial: FloatArray, step: FloatArray
    ) -> tuple[Indices, FloatArray]:
        """Take Newton steps from trial points whose gradients are known; return those that go on, moved."""
        # Steps of the chord method, `step` the first, in float32 (`Rough`, fact 2); those whose gradient,
        # then known to six digits, has fallen so far with what is not seen of it (fact 3) are done.
        total = step.copy()
        scales, left = self._scales[:, active], np.arange(len(active))
        before, far = self._measure[active], np.zeros(len(active))
        done, last = np.zeros(len(active), dtype=np.bool_), before.copy()
        for _ in range(SWEEPS):
            gradient, moved = rough.bent(chosen[left], step)
            far[left] += moved
            measure = (np.abs(gradient) / scales[:, left]).max(axis=0)
            measure += rough.c * far[left] * np.exp(2.0 * rough.c * far[left]) * before[left]
            done[left] = measure <= FINE
            norms = np.linalg.norm(gradient, axis=0) + EPSILON * np.linalg.norm(scales[:, left], axis=0)
            finished = left[done[left]]
            self.norms[active[finished]] = norms[done[left]]
            self._measure[active[finished]] = measure[done[left]]
            on = ~done[left] & (measure <= TOO_SLOW * last[left])
            last[left] = measure
            left = left[on]
            if not left.size:
                break
            step = -self._inverse.solve(gradient[:, on], active[left])
            total[:, left] += step
        trial = trial + total
        self.theta[:, active[done]] = trial[:, done]
        self.done[active[done]] = True
        return active[~done], trial[:, ~done]

    def _bent(
        self, third: ThirdOrder, active: Indices, delta: FloatArray, step: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return what the gradient's bend adds to chord steps, and what these left of it, both (p, K)."""
        # Nothing is added, and nan is left, where that is no less than half of what there was.
        excess = third.bend(self._groups.take(active), delta, step)
        size = (np.abs(excess) / self._scales[:, active]).max(axis=0)
        useless = ~(size <= USELESS * self._measure[active])
        more = -self._inverse.solve(excess, active)
        more[:, useless], excess[:, useless] = 0.0, np.nan
        return more, excess

    def _curved(
        self,
        third: ThirdOrder,
        gradients: FloatArray,
        active: Indices,
        trial: FloatArray,
        step: FloatArray,
    ) -> tuple[Indices, FloatArray]:
        """Follow the bend of the gradient; return those that need another measurement, moved."""
        # Done are those whose gradient, measured at the trial points as `gradients`, is then so small, proven
        # (`third_order`), that it needs no other measurement.
        more, excess = self._bent(third, active, trial - self._expansion.theta[:, None], step)
        total = step + more
        self._path[active] += np.maximum(third.reach(step), third.reach(total))
        left = third.left(self._path[active], _norms(gradients, step), _norms(excess, more))
        measure = (third.roots[:, None] / self._scales[:, active]).max(axis=0) * left
        done = measure <= FINE
        finished, trial = active[done], trial + total
        rounding = EPSILON * np.linalg.norm(self._scales[:, finished], axis=0)
        self.theta[:, finished], self.done[finished] = trial[:, done], True
        self._measure[finished] = measure[done]
        self.norms[finished] = np.linalg.norm(third.roots) * left[done] + rounding
        return active[~done], trial[:, ~done]

    def _doubt_flights(self) -> None:
        """Take back what may only look like a minimum: far off along unpenalised coefficients."""
        # Where the risk falls for ever the gradient vanishes too, at infinity; the Newton iteration tells.
        concordance = self._expansion.concordance
        done = np.flatnonzero(self.done)
        if not done.size or concordance == 0.0 or not self._expansion.flat:
            return
        moved = self._expansion.remainder(self._groups.take(done)).movement(self.theta[:, done])
        with np.errstate(invalid="ignore"):
            self.done[done[~(concordance * moved <= FAR)]] = False


def _norms(gradients: FloatArray, steps: FloatArray) -> FloatArray:
    """Return |G_k| in the norm of S_k^-1 for columns G_k with their steps -S_k^-1 G_k, shape (K,)."""
    return np.asarray(np.sqrt(np.maximum(-np.einsum("pk,pk->k", gradients, steps), 0.0)))
