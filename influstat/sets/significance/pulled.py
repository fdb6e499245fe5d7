"""What leads a search where nothing is known but refits: the score at the null, as for a sign."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from influstat.input.validation import FloatArray
from influstat.sets.null_fit import NullFit
from influstat.sets.proofs.leverage_bounds import LeverageBounds


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
