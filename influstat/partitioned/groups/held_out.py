"""What rows lose at coefficients that have not seen them: a map over partitions, and its means by fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.input.groups import Indices
from influstat.input.validation import FloatArray
from influstat.losses.alone import where_known
from influstat.partitioned.answers.part import Part, Question, Table
from influstat.partitioned.groups.certificates import of_members
from influstat.partitioned.groups.grouping import NONE, Grouping
from influstat.partitioned.groups.sums import runs
from influstat.partitioned.part import PartMinimum
from influstat.partitioned.removal.question import Reading
from influstat.partitioned.runners.base import Summable
from influstat.removal.certificates.bounds import held_out_bound
from influstat.removal.certificates.theorem import Certificate
from influstat.removal.cross_validation_result import held_out
from influstat.removal.result import Removal
from influstat.risks.linear import require_linear

LOSS, PREDICTOR, WEIGHT, BOUND = "loss", "linear_predictor", "weight", "bound of loss"


@dataclass(frozen=True, eq=False)
class HeldOutByFolds(Question):
    """The loss of every row at the coefficients found without its fold."""

    grouping: Grouping
    theta: FloatArray  # without each fold, shape (k, p)
    reasons: tuple[str, ...]
    certificate: Certificate | None = None  # where bounds are wanted
    columns: tuple[str, ...] = (LOSS,)
    quantity: str = "held-out loss"

    def heading(self, column: str) -> str:
        """Return what a ranking is called: a level, no change."""
        del column
        return "Loss of rows under the fit without their fold"

    def empty(self) -> Table:
        """Return the columns without rows."""
        bounds = () if self.certificate is None else (BOUND,)
        numbers = {name: np.empty(0) for name in (LOSS, *bounds, PREDICTOR, WEIGHT)}
        return {**numbers, "fold": np.empty(0, dtype=np.intp), "status": np.empty(0, dtype=object)}

    def table(self, minimum: PartMinimum, positions: Indices) -> tuple[Table, Indices | None]:
        """Return the losses of all rows of a partition."""
        risk = require_linear(minimum.risk, "held-out losses")
        folds = minimum.codes(self.grouping)
        known = folds != NONE
        eta = np.full(len(positions), np.nan)
        for rows, x in risk.design.dense_blocks():
            here = known[rows]
            of = self.theta[folds[rows][here]]
            eta[rows][here] = np.einsum("kp,kp->k", x[here], of) + risk.offset[rows][here]
        status = np.full(len(positions), "", dtype=object)
        status[known] = np.array(self.reasons, dtype=object)[folds[known]]
        losses = where_known(risk.loss.value, risk.y, eta)
        errors = {} if self.certificate is None else {BOUND: self._errors(minimum, folds, self.certificate)}
        known_of = {PREDICTOR: eta, WEIGHT: risk.weights, "fold": folds, "status": status}
        return {LOSS: losses, **errors, **known_of}, None

    def _errors(self, minimum: PartMinimum, folds: Indices, certificate: Certificate) -> FloatArray:
        """Return certified bounds on the errors of the losses."""
        errors = np.full(len(folds), np.nan)
        for fold, rows in runs(folds):
            if fold != NONE:
                errors[rows] = held_out_bound(minimum, of_members(certificate, fold, rows, minimum))
        return errors


@dataclass(frozen=True, eq=False)
class HeldOutAlone(Reading):
    """The loss of every row at the coefficients found without it."""

    bounds: bool
    columns: tuple[str, ...] = (LOSS,)
    quantity: str = "held-out loss"
    more: tuple[str, ...] = (PREDICTOR, WEIGHT)

    def values(self, removal: Removal) -> tuple[FloatArray, FloatArray | None]:
        """Return the losses (k, 1), and bounds on their errors."""
        losses = self._losses(removal)[0]
        return losses[:, None], removal.held_out_bound()[:, None] if self.bounds else None

    def table(self, removal: Removal) -> Table:
        """Return the columns."""
        weights = removal.fit.risk.weights[removal.groups.members]
        return {**super().table(removal), PREDICTOR: self._losses(removal)[1], WEIGHT: weights}

    def _losses(self, removal: Removal) -> tuple[FloatArray, FloatArray]:
        risk = require_linear(removal.fit.risk, "held-out losses")
        eta = held_out(risk, removal)
        return where_known(risk.loss.value, risk.y[removal.groups.members], eta), eta


@dataclass(eq=False)
class FoldTotals(Summable):
    """Weighted sums of losses, and weights, of each of k folds."""

    losses: FloatArray
    weights: FloatArray

    def plus(self, other: FoldTotals) -> FoldTotals:
        """Return those of both."""
        return FoldTotals(self.losses + other.losses, self.weights + other.weights)


@dataclass(frozen=True)
class TotalsByFold:
    """`FoldTotals` of a part; one fold where there are none."""

    folds: int

    def __call__(self, part: Part) -> FoldTotals:
        """Return them."""
        weights, losses = part.table[WEIGHT], part.table[LOSS]
        folds = part.table.get("fold", np.zeros(len(losses), dtype=np.intp))
        inside = folds != NONE

        def summed(values: Any) -> Any:
            return np.bincount(folds[inside], values[inside], minlength=self.folds)

        return FoldTotals(summed(weights * losses), summed(weights))


@dataclass(eq=False)
class Collected(Summable):
    """Targets and linear predictors, in the order of the rows."""

    y: list[FloatArray]
    eta: list[FloatArray]

    def plus(self, other: Collected) -> Collected:
        """Return both, one after the other."""
        return Collected(self.y + other.y, self.eta + other.eta)


@dataclass(frozen=True, eq=False)
class OfFold:
    """What a score needs of one fold, from a partition."""

    question: HeldOutByFolds
    recipe: Any
    theta: FloatArray
    fold: int

    def __call__(self, partition: int, block: Any) -> Collected | None:
        """Return it; None where no row is in the fold."""
        rows: NDArray[np.intp] = np.flatnonzero(self.question.grouping.codes(partition, block) == self.fold)
        if not rows.size:
            return None
        risk = self.recipe.risk(block.take(rows))
        return Collected([risk.y], [risk.linear_predictor(self.theta)])
