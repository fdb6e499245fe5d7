"""Exact refits for every removal at once.

From the Newton step, all removals of a block share the sweeps of one iteration (`sweeps`). F_k is the sum of
losses of the rows left plus the penalty left, S_-k its Hessian. A removal that does not contract gets a
safeguarded Newton iteration of its own.
"""

from __future__ import annotations

import numpy as np

from influstat.errors import IndefiniteHessian, InflustatError, NotConverged
from influstat.input.groups import Groups, Indices
from influstat.input.progress import progress
from influstat.input.validation import FloatArray
from influstat.minimise.domain import outside
from influstat.minimise.newton import minimise
from influstat.removal.class_expansion import AnyExpansion
from influstat.removal.engine.chord import Refits, at_once, refits
from influstat.removal.engine.expanded import ExpandedSum
from influstat.removal.engine.plan import Plan
from influstat.removal.engine.third_order import ThirdOrder
from influstat.removal.gradients import MEMBERS, blocks
from influstat.removal.inverse import Downdated
from influstat.removal.methods.base import BLOCK, Method, Outcome, without
from influstat.removal.methods.newton_step import NewtonStep
from influstat.removal.methods.sweeps import Chord
from influstat.removal.remaining import worth_it

WIDE = 2**20  # entries that the bends of gradients of removals advanced together may take
BENDS = 2**24  # curvatures of rows without each removal that are kept between sweeps in float32: 64 MiB
MANY = 2**20  # coefficients of removals handed over together where few need such sums


class ExactRefit(Method):
    """Minimisers of F_k, each with its gradient; on `rows`, the sum that is expanded, if the plan has one."""

    def __init__(
        self,
        expansion: AnyExpansion,
        groups: Groups,
        plan: Plan,
        rows: ExpandedSum | None,
        third: ThirdOrder | None = None,
    ) -> None:
        self.expansion, self.operations, self._rows, self._third = expansion, plan.operations, rows, third
        self._newton = NewtonStep(expansion, groups)
        if rows is not None:  # so that the few that the expansion leaves share their sums
            self.at_once = max(BLOCK, MANY // len(expansion.theta))
        elif third is not None:  # sweeps are few: what comes with each counts
            self.at_once = max(BLOCK, WIDE // len(expansion.theta) ** 2)
        elif worth_it(expansion):  # so that the few that need one more sweep share it with others
            self.at_once = int(np.clip(BENDS // len(expansion.weights), BLOCK, 2 * BLOCK))

    def remove(self, groups: Groups) -> Outcome:
        """Return the minimisers of one block of removals."""
        if self._rows is None:
            return self._summed(groups)
        found = refits_of(self._rows, self._newton, groups)
        theta, done, norms = found.theta, found.done, found.norms / self.expansion.risk.total_weight
        status = [""] * len(groups)
        left = np.flatnonzero(~done)
        again = list(blocks(self.expansion.risk, groups.take(left))) if left.size else []
        for part in progress(again, "refits summed over all rows"):
            chosen, left = left[: len(part)], left[len(part) :]
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
        newton = start is None
        if start is None:
            start = self.expansion.theta[:, None] + self._newton.step(remainder, inverse)[0]
        chord = Chord(self.expansion, remainder, inverse, start, newton=newton, third=self._third)
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
        place = slice(start, start := start + len(part))
        remainder = expansion.remainder(part)
        inverse = Downdated(expansion, newton.shared, part, remainder.factors)
        delta, _ = newton.step(remainder, inverse)
        found = refits(rows, part, remainder.factors, inverse, expansion.theta[:, None] + delta)
        theta[:, place], done[place], norms[place] = found.theta, found.done, found.norms
    return Refits(theta, done, norms)


def own_newton(expansion: AnyExpansion, rows: Indices, start: FloatArray) -> FloatArray:
    """Return the minimiser without the rows by Newton's method of its own, or raise why there is none."""
    part = expansion.left_over(rows)
    if outside(part, start):  # of the means that there are, where theta-hat is inside
        start = expansion.theta
    try:
        return minimise(part, start=start).theta
    except NotConverged:  # a loss with sharp bends is easier from zero, through its smoother forms
        return minimise(part).theta
    except IndefiniteHessian:  # without the rows theta-hat is on a ridge of a loss that is not convex
        return minimise(part, start=expansion.theta, downhill=True).theta
