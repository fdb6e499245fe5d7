"""Exact refits for every removal at once.

From the Newton step, all removals of a block iterate theta_k <- theta_k - S_-k^-1 grad F_k(theta_k)
with the inverse Hessian at theta-hat (the chord method): two products with X a sweep, and only for those
not yet done. F_k is the sum of losses of the rows left plus the penalty left, S_-k its Hessian.
A removal that does not contract gets a safeguarded Newton iteration of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.rounding import EPSILON
from influstat.errors import InflustatError, NotConverged
from influstat.input.groups import Groups, Indices
from influstat.input.progress import progress
from influstat.input.validation import FloatArray
from influstat.minimise.descent import TOLERANCE as STATIONARY
from influstat.minimise.newton import minimise
from influstat.removal.class_expansion import AnyExpansion
from influstat.removal.engine.chord import Refits, at_once, refits
from influstat.removal.engine.expanded import ExpandedSum
from influstat.removal.engine.plan import Plan
from influstat.removal.gradients import MEMBERS, blocks
from influstat.removal.inverse import Downdated
from influstat.removal.methods.base import BLOCK, Method, Outcome, without
from influstat.removal.methods.newton_step import NewtonStep
from influstat.removal.remaining import Remaining
from influstat.removal.rough import Rough, Single

FINE = 4e-15  # relative gradient at which a removal is done at once; below STATIONARY once it stalls
STALLED = 0.5  # contraction above which a removal below STATIONARY is at its rounding floor
TOO_SLOW = 0.8  # contraction above which a removal leaves for a Newton iteration of its own
SWEEPS = 60
FAR = 5.0  # c |x_j'delta| beyond which an unpenalised minimum might be a flight to infinity
MANY = 2**20  # coefficients of removals handed over together where few need such sums


class ExactRefit(Method):
    """Minimisers of F_k, each with its gradient; on `rows`, the sum that is expanded, if the plan has one."""

    def __init__(self, expansion: AnyExpansion, groups: Groups, plan: Plan, rows: ExpandedSum | None) -> None:
        self.expansion, self.operations, self._rows = expansion, plan.operations, rows
        self._newton = NewtonStep(expansion, groups)
        if rows is not None:  # so that the few that the expansion leaves share their sums
            self.at_once = max(BLOCK, MANY // len(expansion.theta))

    def remove(self, groups: Groups) -> Outcome:
        """Return the minimisers of one block of removals."""
        if self._rows is None:
            return self._summed(groups)
        found = refits_of(self._rows, self._newton, groups)
        theta, done, norms = found.theta, found.done, found.norms / self.expansion.risk.total_weight
        status = [""] * len(groups)
        left = np.flatnonzero(~done)
        start = 0
        again = list(blocks(self.expansion.risk, groups.take(left))) if left.size else []
        for part in progress(again, "refits summed over all rows"):
            chosen = left[start : start + len(part)]
            start += len(part)
            found_again = self._summed(part, theta[:, chosen])
            theta[:, chosen], done[chosen] = found_again.theta, found_again.converged
            norms[chosen] = found_again.gradient_norm
            for k, text in zip(chosen.tolist(), found_again.status, strict=True):
                status[k] = text
        return Outcome(theta, done, status, norms)

    def _summed(self, groups: Groups, start: FloatArray | None = None) -> Outcome:
        """Return the minimisers of one block, every gradient summed over all rows."""
        remainder = self.expansion.remainder(groups)
        inverse = Downdated(self.expansion, self._newton.shared, groups, remainder.factors)
        if start is None:
            start = self.expansion.theta[:, None] + self._newton.step(remainder, inverse)[0]
        chord = Chord(self.expansion, remainder, inverse, start)
        chord.run()
        status = [""] * len(groups)
        for k in np.flatnonzero(~chord.done).tolist():
            try:
                chord.theta[:, k] = own_newton(self.expansion, groups[k], chord.theta[:, k])
                chord.done[k] = True
            except InflustatError as error:
                chord.theta[:, k] = np.nan
                status[k] = without(groups[k], str(error))
        return Outcome(chord.theta, chord.done, status, self._norms(chord, groups))

    def _norms(self, chord: Chord, groups: Groups) -> FloatArray:
        """Return |grad F_k| / W; measured anew for those that the chord iteration has not finished."""
        norms = chord.norms
        if chord.left.size:
            part = self.expansion.remainder(groups.take(chord.left))
            norms[chord.left] = np.linalg.norm(part.gradients(chord.theta[:, chord.left]), axis=0)
        return np.asarray(norms / self.expansion.risk.total_weight)


def refits_of(rows: ExpandedSum, newton: NewtonStep, groups: Groups) -> Refits:
    """Return the refits on the expanded sum, from the Newton step on."""
    expansion, k = newton.expansion, len(groups)
    p = len(expansion.theta)
    theta, done, norms = np.empty((p, k)), np.zeros(k, dtype=np.bool_), np.empty(k)
    start = 0
    for part in progress(list(groups.blocks(at_once(p), MEMBERS)), "refits"):
        place = slice(start, start + len(part))
        start = place.stop
        remainder = expansion.remainder(part)
        inverse = Downdated(expansion, newton.shared, part, remainder.factors)
        delta, _ = newton.step(remainder, inverse)
        found = refits(rows, part, remainder.factors, inverse, expansion.theta[:, None] + delta)
        theta[:, place], done[place], norms[place] = found.theta, found.done, found.norms
    return Refits(theta, done, norms)


class Chord:
    """The shared iteration; afterwards `theta`, `norms`, `done`, and `left` for those not done."""

    def __init__(
        self, expansion: AnyExpansion, remainder: Remaining, inverse: Downdated, start: FloatArray
    ) -> None:
        self._expansion, self._groups, self._inverse = expansion, remainder.groups, inverse
        self._scales = self._expansion.scales(remainder.groups)
        self._start = start
        center = remainder.gradients_at_center()
        # The best points so far, theta-hat to begin with, and the largest relative entry of their gradients.
        self.theta = np.repeat(self._expansion.theta[:, None], len(remainder.groups), axis=1)
        self.norms = np.linalg.norm(center, axis=0)
        self._measure = (np.abs(center) / self._scales).max(axis=0)
        self.done: NDArray[np.bool_] = np.zeros(len(remainder.groups), dtype=np.bool_)
        self.left: Indices = np.arange(0)

    def run(self) -> None:
        """Sweep until every removal is done or has left."""
        active = np.flatnonzero(np.isfinite(self._start).all(axis=0) & ~self._inverse.hard)
        trial = self._start[:, active]
        rough = self._part(active).rough() if active.size else None
        if rough is not None:
            gradients = rough.after_newton(trial - self._expansion.theta[:, None])
            trial = trial - self._inverse.solve(gradients, active)
        for _ in range(SWEEPS):
            if not active.size:
                break
            active, trial = self._sweep(active, trial)
        self._doubt_flights()
        self.left = np.flatnonzero(~self.done)

    def _sweep(self, active: Indices, trial: FloatArray) -> tuple[Indices, FloatArray]:
        """Measure the trial points, keep the better ones, and return those that go on, moved."""
        part = self._part(active)
        rough = part.rough()
        gradients, bends = (part.gradients(trial), None) if rough is None else rough.gradients(trial)
        measure = (np.abs(gradients) / self._scales[:, active]).max(axis=0)
        measure[~np.isfinite(measure)] = np.inf
        rate = measure / np.maximum(self._measure[active], np.finfo(np.float64).tiny)
        better = rate < 1.0
        kept = active[better]
        self.theta[:, kept] = trial[:, better]
        self.norms[kept] = np.linalg.norm(gradients[:, better], axis=0)
        self._measure[kept] = measure[better]
        best = self._measure[active]
        self.done[active] = (best <= FINE) | ((best <= STATIONARY) & (rate > STALLED))
        on = ~self.done[active] & (rate <= TOO_SLOW)
        active = active[on]
        if not active.size:
            return active, trial[:, :0]
        step = -self._inverse.solve(gradients[:, on], active)
        if rough is None or bends is None:
            return active, trial[:, on] + step
        return self._refined(rough, bends if on.all() else bends[:, on], active, trial[:, on], step)

    def _part(self, active: Indices) -> Remaining:
        return self._expansion.remainder(self._groups.take(active))

    def _refined(
        self, rough: Rough, bends: Single, active: Indices, trial: FloatArray, step: FloatArray
    ) -> tuple[Indices, FloatArray]:
        """Take Newton steps from trial points whose gradients are known; return those that go on, moved.

        Steps of the chord method, `step` the first, in float32 (`rough`, fact 2); those whose gradient, then
        known to six digits, has fallen so far with what is not seen of it (fact 3) are done.

        Returns
        -------
        tuple of ndarray
        """
        total = step.copy()
        scales, left = self._scales[:, active], np.arange(len(active))
        before, far = self._measure[active], np.zeros(len(active))
        done, last = np.zeros(len(active), dtype=np.bool_), before.copy()
        for _ in range(SWEEPS):
            gradient, moved = rough.bent(bends if len(left) == len(active) else bends[:, left], step)
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


def own_newton(expansion: AnyExpansion, rows: Indices, start: FloatArray) -> FloatArray:
    """Return the minimiser without the rows by Newton's method of its own, or raise why there is none."""
    part = expansion.left_over(rows)
    try:
        return minimise(part, start=start).theta
    except NotConverged:  # a loss with sharp bends is easier from zero, through its smoother forms
        return minimise(part).theta
