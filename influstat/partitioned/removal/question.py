"""`LeaveOut`: every row of a partition left out alone, and what the answer shows of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.input.warning import unsaid
from influstat.partitioned.answers.part import Indices, Question, Table
from influstat.partitioned.part import PartMinimum
from influstat.partitioned.plan import Cost
from influstat.partitioned.removal.center import Center, PartExpansion
from influstat.partitioned.removal.expanded import ExpandedSums, every_row
from influstat.removal.engine.expanded import AllRows
from influstat.removal.engine.plan import SWEEPS, Plan, sums
from influstat.removal.engine.tensors import Tensors
from influstat.removal.methods.base import BLOCK, Outcome
from influstat.removal.methods.exact import refits_of
from influstat.removal.methods.first_order import FirstOrder
from influstat.removal.methods.newton_step import NewtonStep
from influstat.removal.methods.quadratic import ClosedForm
from influstat.removal.methods.second_order import SecondOrder
from influstat.removal.remaining import Remaining
from influstat.removal.result import Removal
from influstat.risks.linear import LinearRisk, require_linear

AT_ONCE = 4096  # removals whose coefficients and bounds are held together


class Reading(ABC):
    """What is shown of removals."""

    columns: tuple[str, ...]
    quantity: str
    bounds: bool
    more: tuple[str, ...] = ()  # columns besides

    @abstractmethod
    def values(self, removal: Removal) -> tuple[FloatArray, FloatArray | None]:
        """Return changes (k, m), and bounds on their errors where they are wanted."""

    def table(self, removal: Removal) -> Table:
        """Return the columns."""
        with unsaid():  # bounds that are nan: their status says it
            changes, errors = self.values(removal)
        status: Sequence[str] = removal.status
        table: Table = dict(zip(self.columns, np.ascontiguousarray(changes.T), strict=True))
        if errors is not None:
            for name, error in zip(self.columns, np.ascontiguousarray(errors.T), strict=True):
                table[f"bound of {name}"] = error
            status = [a or b for a, b in zip(status, removal.certificate.status, strict=True)]
        if removal.measured_norm is not None:
            table["gradient_norm"] = removal.measured_norm
        table["status"] = np.array(status, dtype=object)
        return table


@dataclass(frozen=True, eq=False)
class OfTheta(Reading):
    """Changes of the coefficients."""

    columns: tuple[str, ...]
    bounds: bool
    quantity: str = "theta"

    def values(self, removal: Removal) -> tuple[FloatArray, FloatArray | None]:
        """Return delta, after minus before, and bounds."""
        return removal.delta, removal.theta_bound() if self.bounds else None


@dataclass(frozen=True, eq=False)
class OfLoss(Reading):
    """Changes of the losses of test rows."""

    columns: tuple[str, ...]
    bounds: bool
    tests: tuple[Any, Any, Any]  # X, y, offset
    quantity: str = "loss"

    def values(self, removal: Removal) -> tuple[FloatArray, FloatArray | None]:
        """Return changes, after minus before, and bounds."""
        X, y, offset = self.tests
        bound = removal.loss_bound(X, y, offset=offset) if self.bounds else None
        return removal.loss_change(X, y, offset=offset), bound


@dataclass(frozen=True, eq=False)
class OfPrediction(Reading):
    """Changes of predictions."""

    columns: tuple[str, ...]
    bounds: bool
    new: tuple[Any, Any]  # X, offset
    kind: str
    quantity: str = field(default="prediction")

    def values(self, removal: Removal) -> tuple[FloatArray, FloatArray | None]:
        """Return changes, after minus before, and bounds."""
        X, offset = self.new
        bound = removal.prediction_bound(X, kind=self.kind, offset=offset) if self.bounds else None
        return removal.prediction_change(X, kind=self.kind, offset=offset), bound


class SecondOrderOfPart(SecondOrder):
    """The second-order expansion, its sum over all rows taken from T3 in the coordinates of the anchor."""

    def __init__(self, expansion: PartExpansion, sums: ExpandedSums) -> None:
        super().__init__(expansion)
        self._third_order, self._anchor = sums.tensors, sums.around.anchor(expansion)

    def bend(self, remainder: Remaining, first: FloatArray) -> FloatArray:
        """Return X'(w l3 (X theta')^2) + D^3 P[theta', theta'], shape (p, K)."""
        tensors: Tensors = self._third_order
        u = self._anchor.coordinates(first)
        risk, theta = remainder.expansion.risk, self.expansion.theta
        bent = self._anchor.gradients(2.0 * tensors.second_order(u, fourth=False))
        return np.asarray(bent + risk.penalty.third(theta, first))


@dataclass(frozen=True, eq=False)
class LeaveOut(Question):
    """Every row left out alone."""

    method: str  # as of `Fit.leave_one_out`
    reading: Reading  # what is shown
    center: Center | None  # sums at theta-hat; "influence" needs none
    sums: ExpandedSums | None  # sums that are expanded: for exact refits, the second order and bounds
    summed: bool  # whether exact refits ask for sums over all partitions, every one
    refits: Plan | None = None  # how exact refits are found

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # a field above, read-only here
        """The columns that can be ranked."""
        return self.reading.columns

    @property
    def quantity(self) -> str:  # type: ignore[override]  # a field above, read-only here
        """What changes."""
        return self.reading.quantity

    @property
    def leaves(self) -> bool:  # type: ignore[override]  # a field above, read-only here
        """Whether rows may be left: those of leverage near 1, and refits that no expansion reaches."""
        return self.method in ("exact", "newton")

    def cost(self, p: int, rows: int, left: float = 0.0) -> Cost:
        """Return what is known of the cost beforehand; refits that are left share passes, 512 each."""
        known = super().cost(p, rows)
        swept = max(left, 0 if self.refits is None or self.method != "exact" else self.refits.swept)
        operations = 0.0 if self.refits is None else self.refits.operations / rows
        others = float(SWEEPS * np.ceil(swept / BLOCK))
        summed = sums(int(swept), 1, p).operations
        operations = known.operations + max(operations, summed)
        return Cost(1.0 + others, operations, 8.0 * p * BLOCK, others, summed)

    def key(self) -> Any:
        """Return method and what is shown: sums follow from the fit."""
        return self.method, self.reading

    def empty(self) -> Table:
        """Return the columns without rows."""
        names = [*self.columns, *self.reading.more]
        if self.reading.bounds:
            names += [f"bound of {name}" for name in self.columns]
        if self.method == "exact":
            names.append("gradient_norm")
        return {**{name: np.empty(0) for name in names}, "status": np.empty(0, dtype=object)}

    def table(self, minimum: PartMinimum, positions: Indices) -> tuple[Table, Indices | None]:
        """Return the changes without each row of a partition, and the rows left for sums over all."""
        risk = require_linear(minimum.risk, "partitions")
        groups = every_row(risk.row_labels)
        if self.summed:
            return {name: np.full(len(groups), np.nan) for name in self.empty()}, np.arange(len(groups))
        expansion = None if self.center is None else PartExpansion(risk, self.center)
        rows = None
        if (
            self.sums is not None
            and expansion is not None
            and (self.reading.bounds or self.method == "exact")
        ):
            rows = self.sums.rows(expansion, positions)
        remove = self._method(minimum, expansion, rows, groups)
        tables, left = [], []
        for start in range(0, len(groups), AT_ONCE):
            part = groups.take(slice(start, start + AT_ONCE))
            found = remove(part)
            tables.append(self.shown(minimum, rows, positions, part, found))
            lacking = ~found.converged if rows is not None and self._by_expansion(risk) else _lacking(found)
            left.append(start + np.flatnonzero(lacking))
        table = {name: np.concatenate([one[name] for one in tables]) for name in tables[0]}
        return table, np.concatenate(left)

    def _by_expansion(self, risk: LinearRisk) -> bool:
        return self.method == "exact" and not risk.quadratic

    def _method(
        self, minimum: PartMinimum, expansion: PartExpansion | None, rows: AllRows | None, groups: Groups
    ) -> Callable[[Groups], Outcome]:
        """Return what finds the coefficients without each of some rows."""
        if self.method == "influence" or expansion is None:
            return FirstOrder(minimum).remove
        if self.method == "second_order":
            assert self.sums is not None  # prepared for it
            return SecondOrderOfPart(expansion, self.sums).remove
        if expansion.risk.quadratic:
            return ClosedForm(expansion, groups).measured
        newton = NewtonStep(expansion, groups)
        if self.method == "newton":
            return newton.remove
        assert rows is not None  # else all are summed
        total = expansion.risk.total_weight

        def refitted(part: Groups) -> Outcome:
            found = refits_of(rows, newton, part)
            return Outcome(found.theta, found.done, [""] * len(part), found.norms / total)

        return refitted

    def shown(
        self, minimum: PartMinimum, rows: AllRows | None, positions: Indices, groups: Groups, found: Outcome
    ) -> Table:
        """Return the columns for what a method has found of some removals."""
        theta = np.ascontiguousarray(found.theta.T)
        norms = found.gradient_norm if self.method == "exact" else None
        known = found.converged, tuple(found.status), norms
        removal = Removal(minimum, self.method, groups, theta, *known)
        if self.reading.bounds:
            assert self.sums is not None  # prepared with them
            assert rows is not None
            removal.__dict__["certificate"] = self.sums.certificate(rows, positions, groups, theta)
        return self.reading.table(removal)


def _lacking(found: Outcome) -> Any:
    return np.array([bool(text) for text in found.status], dtype=np.bool_)
