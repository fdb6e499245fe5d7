"""What certificates need of a risk with one linear predictor per row, around one point."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from influstat.input.groups import Groups, Indices
from influstat.input.kept import Kept
from influstat.input.validation import FloatArray
from influstat.losses.base import has_estimated_derivatives
from influstat.removal.certificates.anchor import Anchor
from influstat.removal.certificates.measured import BLOCK_ENTRIES, Measured, QuadraticMeasure, measure
from influstat.removal.engine.expanded import AllRows
from influstat.removal.engine.shared import Shared
from influstat.removal.expansion import Expansion
from influstat.risks.linear import LinearRisk

TOGETHER = 1024  # removals


class LinearPoint:
    """A `LinearRisk` around theta (p,), as certificates ask for it."""

    def __init__(self, risk: LinearRisk, theta: FloatArray, kept: Kept | None = None) -> None:
        self.risk, self.theta = risk, theta
        self._kept = Kept() if kept is None else kept
        self.shape, self.weights, self.total_weight = risk.shape, risk.weights, risk.total_weight
        self.protocol = risk.protocol
        self.concordance = risk.loss.self_concordance
        self.penalty_concordance = risk.penalty.self_concordance
        # Sparse rows are worked on all at once; of others, blocks with so many removals at the most.
        least = risk.shape[0] // 8 if risk.design.sparse else BLOCK_ENTRIES // TOGETHER
        self.width = max(least, risk.shape[1])

    def impossible(self) -> str:
        """Return why nothing can be certified, "" where something can."""
        loss, penalty = self.risk.loss, self.risk.penalty
        if not np.isfinite(self.concordance):
            return f"{loss!r} has no finite self_concordance"
        if has_estimated_derivatives(loss):
            return (
                f"{loss!r} computes its derivatives, and their errors are estimated, not proven: give a "
                "loss class with derivatives of its own"
            )
        return "" if np.isfinite(self.penalty_concordance) else f"{penalty!r} has no finite self_concordance"

    @property
    def unpenalised(self) -> bool:
        """Whether there is no penalty that could leave with a row."""
        return self.risk.penalty.hessian(self.theta).zero

    def around(self, theta: FloatArray) -> LinearPoint:
        """Return the same risk around other coefficients."""
        return LinearPoint(self.risk, theta)

    @cached_property
    def _shared(self) -> Shared:
        expansion = self._kept.once("expansion", None, lambda: Expansion(self.risk, self.theta))
        return Shared(expansion, self._kept)

    def anchor(self, kept: float, without: Indices | None = None) -> Anchor:
        """Return the Hessian here, with this share of the penalty, of all rows or without some."""
        risk = self.risk
        if without is None:
            anchor = self._shared.anchor(kept)
            return anchor.giving_up() if self.concordance > 0 else anchor
        weights = risk.weights * risk.loss.second(risk.y, risk.linear_predictor(self.theta))
        weights[without] = 0.0
        penalty = risk.penalty.hessian(self.theta).scaled(kept)
        return Anchor(risk.design, weights, penalty, give_up=self.concordance > 0)

    def functionals(self, rows: Indices) -> FloatArray:
        """Return x_j of the rows, shape (s, 1, p)."""
        return self.risk.design.rows(rows)[:, None]

    def measuring(self, anchor: Anchor) -> Callable[[Groups, FloatArray, FloatArray], Measured]:
        """Return what measures many removals around this point."""
        if self.risk.quadratic:
            return QuadraticMeasure(self._shared.expansion).measure
        return lambda groups, theta, left: self.measure(anchor, groups, theta, left)

    def measure(self, anchor: Anchor, groups: Groups, theta: FloatArray, left: FloatArray) -> Measured:
        """Measure by sums over all rows."""
        return measure(self._shared.expansion, anchor, groups, theta, left)

    def expanded(self, anchor: Anchor, groups: Groups) -> AllRows | None:
        """Return the sums over all rows, expanded once, where that is cheaper; else None."""
        del anchor  # the minimum keeps one
        return None if self.risk.quadratic else self._shared.planned(groups)[1]
