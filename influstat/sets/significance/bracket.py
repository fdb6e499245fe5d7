"""What is asked of a conclusion that is searched as well as proven, what is known of it, and what leads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from influstat.input.validation import FloatArray
from influstat.sets.budget import Budget
from influstat.sets.null_fit import NullFit
from influstat.sets.proofs.conclusion import Conclusion
from influstat.sets.proofs.leverage_bounds import LeverageBounds
from influstat.sets.proofs.sums import fewest
from influstat.sets.question import Question, labels_of
from influstat.sets.result import JudgedBreakdown
from influstat.sets.search.counts import Counts

Units = NDArray[np.intp]


class Searched(Conclusion, Protocol):
    """A conclusion that can be searched as well as proven."""

    def taken(self, null: NullFit) -> FloatArray:
        """Return what each unit, removed or not, takes away from it to first order."""


@dataclass(eq=False)
class Bracket:
    """What is known so far of one significance."""

    # As in `Breakdown`.
    lower: int = 1
    proof: str = "none"
    limit: str = ""
    nodes: int = 0
    best: Units | None = None  # the smallest set found, refitted
    value: float = np.nan  # the limit without it
    searched: Budget | None = None  # the time that the search had; None where there was none

    def answer(
        self, asked: Question, text: str, value: float, at: float, side: float, effects: FloatArray | None,
        limit_without: Callable[[Units], float], stopped: str,
    ) -> JudgedBreakdown:  # fmt: skip
        """Return it as the answer about a quantity; `Breakdown` and `Bracketing` have the terms."""
        upper = None if self.best is None else len(self.best)
        best = np.zeros(0, dtype=np.intp) if self.best is None else self.best
        exact = upper == self.lower
        return JudgedBreakdown(
            question=text,
            value=value,
            at=at,
            side="above" if side > 0 else "below",
            units="clusters" if asked.clusters else "rows",
            total=len(asked.free),
            counts={} if effects is None else {"first_order": fewest(effects, abs(value - at))},
            upper=upper,
            removed=labels_of(asked.units, best),
            positions=best,
            value_without=at + side * self.value,
            lower=self.lower,
            exact=exact,
            proof=self.proof,
            limit="" if exact else self.limit,
            nodes=self.nodes,
            unidentified=None,
            endless=None,
            stopped=stopped,
            asked=asked,
            effects=Counts(np.zeros(len(asked.units)) if effects is None else effects, None),
            limit_without=limit_without,
        )


@dataclass(frozen=True)
class Pulled:
    """A conclusion about which only refits can tell."""

    demeaned: ClassVar[bool] = False
    # 1 where it falls as the coefficient comes towards 0 and beyond, -1 where it falls as that grows.
    side: float

    def views(self, null: NullFit, k: int, leverage: LeverageBounds) -> Iterator[NullFit]:
        """Yield nothing: there are no proofs."""
        return iter(())

    def stands(self, null: NullFit) -> bool:
        """Return True: a null fit cannot tell."""
        return True

    def without_one(self, null: NullFit) -> FloatArray | None:
        """Return None: there is no closed form."""
        return None

    def taken(self, null: NullFit) -> FloatArray:
        """Return what each unit, removed or not, holds of the score, turned by the side."""
        risk = null.problem.risk
        r = -risk.rows.weighted(risk.loss.first(risk.y, risk.linear_predictor(null.theta)))
        return self.side * null.units.sums(null.xi * r)
