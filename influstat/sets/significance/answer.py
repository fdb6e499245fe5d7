"""How few units a significance hangs on: the bracket, as `sets.breakdown` makes it for a sign.

Significance is the side of 0 on which a confidence limit lies, that nearer to 0, or for the other sign the
one further away; so it is lost, gained or reversed where that limit comes to 0 or beyond. What is found is
refitted, with all the inference anew; nothing but refits counts as found.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from influstat.errors import InflustatError
from influstat.input.validation import FloatArray
from influstat.sets.budget import INTERRUPTED, TIME, Budget
from influstat.sets.cones.cover import Cover
from influstat.sets.cones.significant import Significant
from influstat.sets.null_fit import NullFit, null_fit
from influstat.sets.proofs.conclusion import identified
from influstat.sets.proofs.factor import in_own_directions
from influstat.sets.proofs.leverage_bounds import LeverageBounds
from influstat.sets.proofs.order import CONES
from influstat.sets.proofs.quick import Quick
from influstat.sets.proofs.reached import climbed_by
from influstat.sets.proofs.rows import climbed
from influstat.sets.question import Question
from influstat.sets.result import JudgedBreakdown, why_none
from influstat.sets.search.search import shortest
from influstat.sets.significance.bracket import Bracket, Pulled, Searched, Units
from influstat.sets.significance.model_based import Lose

PARTS = (1.0, 0.85, 1.15, 0.7)  # of the balance between D0 and RSS: tau of the cones
MOST_NUISANCES = 4  # of cones for significance, which have twice as many multipliers
FAILURES = 3  # sizes in a row without a set, at which the search stops
TURNS = 12  # of one alternation: it repeats itself after a few
MOST_ALONE = 200  # units that are refitted one by one where nothing is proven
THINNED = 40  # units of a set that are tried alone
SEARCHING = 0.5  # share of the budget for the search; the rest is for proofs


class Bracketing:
    """The making of one bracket."""

    def __init__(
        self,
        asked: Question,  # about the sign
        conclusion: Searched | None,  # what stands or falls; None where only refits can tell
        unproven: str,  # why nothing can be proven, "" where something can
        # From units to the confidence limit without them, turned so that the conclusion stands where it is
        # above 0; nan where there is none.
        limit_without: Callable[[Units], float],
        effects: FloatArray
        | None,  # what each unit's removal takes off that limit, to first order, shape (m,)
        most: int,  # the largest sets that are looked at
        budget: Budget,
        called: str,  # what the bar says is looked for
    ) -> None:
        self.asked, self.conclusion, self.effects = asked, conclusion, effects
        self.limit_without, self.most = limit_without, most
        self.budget, self.called = budget, called
        self.known = Bracket(limit=unproven)
        self.null: NullFit | None = None
        if conclusion is not None and isinstance(asked.null, InflustatError):
            self.known.limit = unproven or f"no fit under the null: {asked.null}"
        elif conclusion is not None and isinstance(asked.null, NullFit):
            self.null = in_own_directions(asked.null) if conclusion.demeaned else asked.null
        self.provable = self.null is not None and not unproven

    def answer(self, text: str, value: float, at: float, side: float, *, search: bool) -> JudgedBreakdown:
        """Return the answer about a quantity of this value, on this side (1 or -1) of the threshold."""
        with self.budget.until_interrupted(self.called, "the bracket is what was found and proven"):
            self._run(search)
        known = self.known
        budget = known.searched or self.budget
        units = "clusters" if self.asked.clusters else "rows"
        stopped = why_none(self.upper, known.lower, self.most, units, search=search, budget=budget)
        known.limit = INTERRUPTED if budget.watch.stopped else known.limit
        return known.answer(self.asked, text, value, at, side, self.effects, self.limit_without, stopped)

    def _run(self, search: bool) -> None:
        if self.provable:
            self._prove_quickly()
        if search and not self.budget.out:
            self.known.searched = self.budget.part(SEARCHING)
            self._search(self.known.searched)
        if self.provable and not self.budget.out:
            self._prove_by_cones()
            self._prove_by_rows()
        if self.provable and self.known.lower < self._flips and not self.known.limit:
            self.known.limit = TIME

    @property
    def upper(self) -> int | None:
        """Units in the smallest set found."""
        return None if self.known.best is None else len(self.known.best)

    # -- from below ----------------------------------------------------------------------------------

    def _raise(self, k: int, proof: str) -> None:
        if k + 1 > self.known.lower:
            self.known.lower, self.known.proof, self.known.limit = k + 1, proof, ""
            self._say()

    def _say(self) -> None:
        self.budget.say_bracket(self.known.lower, self.upper)

    @property
    def _flips(self) -> int:
        return self.most + 1 if self.upper is None else self.upper

    def _quick(self, k: int) -> bool:
        assert self.null is not None
        assert self.conclusion is not None
        for view in self.conclusion.views(self.null, k, self._leverage):
            quick = Quick(view, self._leverage if view.z is self.null.z else LeverageBounds(view))
            if quick.proven(k):
                self._raise(k, quick.kind)
                return True
            self.known.limit = quick.limit
        return False

    @cached_property
    def _leverage(self) -> LeverageBounds:
        assert self.null is not None
        return LeverageBounds(self.null)

    def _prove_quickly(self) -> None:
        for _ in climbed_by(self._quick, 0, self.most + 1, Budget(np.inf)):
            pass  # each is noted where it is proven

    def _prove_by_cones(self) -> None:
        null, conclusion = self.null, self.conclusion
        if null is None or not isinstance(conclusion, Lose) or null.d > MOST_NUISANCES:
            return
        problems = [Significant.at(null, conclusion.reference, part) for part in PARTS]
        safe, flips, part = self.known.lower - 1, self._flips, self.budget.part(CONES)
        while safe + 1 < flips and not part.out:
            k, proven = (safe + flips) // 2, False
            for problem in problems:
                found = Cover(problem, k).proven(part)
                self.known.nodes += found.cones
                proven = bool(found.proven)
                if proven:
                    self._raise(k, "cones")
                    break
                if found.start.size:
                    self._alternate(k, found.start)
            safe, flips = (k, flips) if proven else (safe, k)
            flips = min(flips, self._flips)

    def _prove_by_rows(self) -> None:
        assert self.null is not None
        start = self.known.lower - 1
        for safe, found in climbed(self.null.problem, start, self._flips, self.budget, self.conclusion):
            self.known.nodes += found.nodes
            self._raise(safe, "branch and bound")
            self.known.limit = found.limit or self.known.limit
            self.offer(found.removed)
            if self.known.lower >= self._flips:
                return

    # -- from above ----------------------------------------------------------------------------------

    def offer(self, units: Units) -> bool:
        """Refit without these units; keep them if they flip and are fewer than before."""
        units = self.asked.counted(units)
        if not 0 < len(units) < self._flips:
            return False
        value = self.limit_without(units)
        if not value <= 0.0:  # nan: there is no such limit, which is not a flip
            return False
        self.known.best, self.known.value = units, value
        self._say()
        return True

    def _search(self, budget: Budget) -> None:
        orders = [] if self.effects is None else [np.argsort(-self.effects, kind="stable")]
        if self.null is None or self.conclusion is None:
            for order in orders:
                self._prefix(order, budget)
            self._by_refits(budget)
            self._thin(budget)
            return
        orders.append(np.argsort(-self.conclusion.taken(self.null), kind="stable"))
        for order in orders:
            self._prefix(order, budget)
        if not self.provable:  # then all that follows stands in for the true limit
            self._by_refits(budget.part(SEARCHING))
        starts, failures = [self._greedy(budget)], 0
        k = max(self.known.lower, 1)
        while self.upper is None and k < self.most and not budget.out:
            self._look(k, starts)
            k = min(2 * k, self.most)
        k = (self.upper or self.most + 1) - 1
        while k >= self.known.lower and failures < FAILURES and not budget.out:
            failures = 0 if self._look(k, starts) else failures + 1
            k = min(k, self.upper or k) - 1
        self._thin(budget)

    def _look(self, k: int, starts: list[Units]) -> bool:
        """Look for a set of k units; tell whether one was found."""
        before = self.upper
        previous = [] if self.known.best is None else [self.known.best]
        for start in [np.zeros(0, dtype=np.intp), *previous, *starts]:
            self._alternate(k, start[:k])
            if self.upper != before:
                return True
        return False

    def _by_refits(self, budget: Budget) -> None:
        """Remove one unit after the other, each time the one whose refit leaves the limit lowest."""
        gone = np.zeros(0, dtype=np.intp)
        left = self.asked.free if len(self.asked.free) <= MOST_ALONE else self.asked.free[:0]
        while len(left) and len(gone) + 1 < min(self._flips, self.most + 1):
            limits = np.full(len(left), np.inf)
            for j, unit in enumerate(left):
                if budget.out:
                    return
                value = self.limit_without(np.append(gone, unit))
                limits[j] = np.inf if np.isnan(value) else value
            best = int(np.argmin(limits))
            gone, left = np.append(gone, left[best]), np.delete(left, best)
            if limits[best] == np.inf or self.offer(gone):
                return

    def _thin(self, budget: Budget) -> None:
        """Leave units of the best set in, one after the other, as long as it still falls."""
        kept = 0
        while self.known.best is not None and kept < min(len(self.known.best), THINNED) and not budget.out:
            kept += not self.offer(np.delete(self.known.best, kept))

    def _without(self, units: Units) -> NullFit | None:
        """Return the null fit, None where there is none or the rows left do not determine the quantity."""
        assert self.null is not None
        removed = np.zeros(len(self.asked.units), dtype=np.bool_)
        removed[units] = True
        try:
            null = null_fit(self.null.problem, removed=removed)
        except InflustatError:
            return None
        return null if identified(null) else None

    def _stands(self, units: Units) -> bool:
        if self.conclusion is None or isinstance(self.conclusion, Pulled):
            return not self.limit_without(units) <= 0.0
        null = self._without(units)
        return null is None or self.conclusion.stands(null)

    def _prefix(self, order: Units, budget: Budget) -> None:
        """Offer the shortest beginning of the order that flips by this account."""
        k = shortest(lambda k: not self._stands(order[:k]), min(len(order), self.most), budget)
        if k is not None:
            self.offer(order[:k])

    def _greedy(self, budget: Budget) -> Units:
        """Return units in the order in which each takes most of what is left, until it falls."""
        assert self.conclusion is not None
        gone: list[int] = []
        null = self.null
        while null is not None and len(gone) < self.most and not budget.out:
            alone = self.conclusion.without_one(null)
            taken = self.conclusion.taken(null) if alone is None else -alone
            usable = np.where(null.open & np.isfinite(taken), taken, -np.inf)
            gone.append(int(np.argmax(usable)))
            null = self._without(np.array(gone))
            decides = not isinstance(self.conclusion, Pulled)
            if null is not None and not (
                self.conclusion.stands(null) if decides else self._stands(np.array(gone))
            ):
                break
        found = np.array(gone, dtype=np.intp)
        self.offer(found)
        return found

    def _alternate(self, k: int, start: Units) -> None:
        """Take the k units that take most at the null fit without the last ones, until they repeat."""
        units, seen = start, set[bytes]()
        for _ in range(TURNS):
            null = self._without(units)
            if null is None or self.conclusion is None:
                return
            taken = self.conclusion.taken(null)
            units = np.sort(np.argsort(-taken, kind="stable")[:k])
            if units.tobytes() in seen:
                return
            seen.add(units.tobytes())
            # A conclusion that only stands in for the true one leads here, but cannot tell.
            if not (self.provable and self._stands(units)) and self.offer(units):
                return
