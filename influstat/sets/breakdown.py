"""The answer to one question: counts, a proof from below, a search from above, until they meet."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InflustatError
from influstat.sets.budget import INTERRUPTED, Budget
from influstat.sets.null_fit import NullFit
from influstat.sets.proofs.factor import in_own_directions
from influstat.sets.proofs.order import PROVERS
from influstat.sets.proofs.quick import Quick
from influstat.sets.proofs.sums import fewest
from influstat.sets.proofs.two_groups import two_groups
from influstat.sets.question import Question, labels_of
from influstat.sets.result import Breakdown, why_none
from influstat.sets.search.counts import Counts
from influstat.sets.search.greedy import greedy
from influstat.sets.search.search import Search

SEARCHING = 0.5  # share of the budget for the search; the rest is for proofs
MOST_ALONE = 200  # units that are refitted one by one where the quick certificate proves nothing


@dataclass(frozen=True)
class Proven:
    """No set of less than `lower` units flips: how that is known, and why no more is."""

    lower: int = 1
    proof: str = "none"
    limit: str = ""
    nodes: int = 0


def breakdown(asked: Question, *, budget: Budget, largest: int | None, search: bool) -> Breakdown:
    """Return the bracket of one question."""
    return _Work(asked, budget, largest).run(search)


class _Work:
    """The making of one answer."""

    def __init__(self, asked: Question, budget: Budget, largest: int | None) -> None:
        self.asked, self.budget = asked, budget
        self.most = asked.most(largest)
        self.known = Proven(limit=asked.unproven)
        self.null = self._null()
        self.quick = None if self.null is None else Quick(self.null)
        # Where losses bend, levels that stay move with the rest.
        whole = asked.null if isinstance(asked.null, NullFit) and asked.null.concordance else self.null
        self.search = Search(asked, whole, budget.part(SEARCHING))
        self.effects = Counts.of(asked)
        self.counts: dict[str, int | None] = {}
        self.orders: dict[str, NDArray[np.intp]] = {}

    def _null(self) -> NullFit | None:
        found = self.asked.null
        if isinstance(found, InflustatError):
            self.known = replace(self.known, limit=self.known.limit or f"no fit under the null: {found}")
            return None
        return None if found is None else in_own_directions(found)

    def run(self, search: bool) -> Breakdown:
        """Return the answer; an interrupt leaves what is known so far."""
        self._count()
        called = f"breakdown of {self.asked.quantity}"
        with self.budget.until_interrupted(called, "the bracket is what was found and proven"):
            self._run(search)
        if self.budget.watch.stopped:
            self.known = replace(self.known, limit=INTERRUPTED)
        return self._answer(search)

    def _run(self, search: bool) -> None:
        if self.null is not None and not self.asked.unproven:
            self._prove()
            self._say()
        if search and not self.budget.out:
            self._search()
        if self.null is not None and not self.asked.unproven:
            self._prove_more()

    def _say(self) -> None:
        self.budget.say_bracket(self.known.lower, self.search.upper)

    # -- counts --------------------------------------------------------------------------------------

    def _count(self) -> None:
        distance = abs(self.asked.value - self.asked.at)
        self.counts["first_order"] = fewest(self.effects.first_order, distance)
        if self.effects.rescaled is not None:
            self.counts["rescaled"] = fewest(self.effects.rescaled, distance)
        if self.quick is not None:
            self.counts["score"] = self.quick.score_count()

    # -- from below ----------------------------------------------------------------------------------

    def _prove(self) -> None:
        assert self.quick is not None
        assert self.null is not None
        pair = two_groups(self.null)
        if pair is not None:
            proven, found = min(pair[0], self.most), pair[1]
            self.known = Proven(proven + 1, "two groups" if proven else "none")
            if len(found) <= self.most:
                self.search.offer([found])
            return
        proven = self.quick.largest(self.most)
        self.known = Proven(proven + 1, self.quick.kind if proven else "none", self.quick.limit)
        if proven == 0 and self.most >= 1:
            self._alone()

    def _alone(self) -> None:
        """Refit without each unit that might flip alone, where there are few."""
        assert self.null is not None
        assert self.quick is not None
        doubtful = self.quick.doubtful()
        if len(doubtful) > MOST_ALONE:
            return
        for unit in doubtful:
            if self.budget.out:
                return
            found = self.search.refit(np.array([unit]))
            stands = self.asked.sign * (found.value - self.asked.at) > found.error
            if not (found.missing == "lost" or stands):  # a refit that failed says nothing
                return
        self.known = Proven(2, "each alone", self.known.limit)

    def _prove_more(self) -> None:
        """Let each prover raise the bound, and its sets start a search."""
        assert self.null is not None
        for name, prover in PROVERS:
            if not self._open() or self.budget.out:
                return
            flips = self.most + 1 if self.search.upper is None else self.search.upper
            self._say()
            for attempt in prover(self.null, self.known.lower - 1, flips, self.budget):
                higher = attempt.safe + 1 > self.known.lower
                self.known = Proven(
                    max(attempt.safe + 1, self.known.lower),
                    name if higher else self.known.proof,
                    attempt.limit or ("" if higher else self.known.limit),
                    self.known.nodes + attempt.nodes,
                )
                self.search.offer(attempt.sets)
                if attempt.sets:
                    self.search.down(self.known.lower, list(attempt.sets))
                self._say()

    def _open(self) -> bool:
        upper = self.search.upper
        return self.known.lower <= self.most and (upper is None or self.known.lower < upper)

    # -- from above ----------------------------------------------------------------------------------

    def _search(self) -> None:
        search, lower = self.search, self.known.lower
        if search.upper == lower:
            self._greedy()
            return
        if self.null is None:
            search.prefix_by_refits(self.effects.first_order, self.most)
            return
        for effects in (self.effects.first_order, self.effects.rescaled, self.null.f):
            if effects is not None:
                search.prefix(effects, self.most)
        order = self._greedy()
        starts = [order] if len(order) else []
        if search.best is None:
            search.up(lower, self.most, starts)
        search.down(lower, starts)

    def _greedy(self) -> NDArray[np.intp]:
        assert self.search.downdates is not None
        assert self.asked.problem is not None
        found = greedy(self.asked.problem, self.search.downdates, self.most, self.search.budget)
        order = np.array(found or [], dtype=np.intp)
        if found is not None:
            self.counts["greedy"] = len(order) or None
        self.search.offer([order])
        return order

    # -- the answer ----------------------------------------------------------------------------------

    def _answer(self, search: bool) -> Breakdown:
        asked, best, known = self.asked, self.search.best, self.known
        upper = None if best is None else len(best.units)
        exact = upper == known.lower
        units = "clusters" if asked.clusters else "rows"
        return Breakdown(
            question=f"Sign of {asked.quantity}" if asked.at == 0.0 else asked.quantity,
            value=asked.value,
            at=asked.at,
            side="above" if asked.sign > 0 else "below",
            units=units,
            total=len(asked.free),
            counts=self.counts,
            upper=upper,
            removed=labels_of(asked.units, [] if best is None else best.units),
            positions=np.zeros(0, dtype=np.intp) if best is None else best.units,
            value_without=np.nan if best is None else best.value,
            lower=known.lower,
            exact=exact,
            proof=known.proof,
            limit="" if exact else known.limit,
            nodes=known.nodes,
            unidentified=self.search.without.get("lost"),
            endless=self.search.without.get("endless"),
            stopped=why_none(upper, known.lower, self.most, units, search=search, budget=self.search.budget),
            asked=asked,
            effects=self.effects,
        )
