"""`diagnostics` of rows in partitions: the measures of `Fit.diagnostics`, a partition at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.errors import Unsupported
from influstat.input.validation import FloatArray, choice
from influstat.minimise.stated import Stated
from influstat.partitioned.answers.answer import Answer
from influstat.partitioned.answers.part import Indices, Question, Table
from influstat.partitioned.block import Block
from influstat.partitioned.hessian import require_matrix
from influstat.partitioned.part import PartMinimum
from influstat.partitioned.recipe import Recipe
from influstat.partitioned.runners.base import Summable
from influstat.partitioned.sums import ArraySum
from influstat.statistics.apart import Apart
from influstat.statistics.diagnostics import (
    ALL,
    WITHOUT_SCALE,
    chosen_measures,
    measured,
    measured_by_deviance,
    scaled,
)
from influstat.statistics.dispersion import (
    Totals,
    check_dispersion,
    counts_of,
    dispersion_of,
    pearson_parts,
    totals_of,
    warn_if_perfect,
)
from influstat.statistics.leverage import INFORMATION, Leverage, coordinates_of
from influstat.statistics.linear_diagnostics import LinearSetting
from influstat.statistics.residuals import deviance_residuals, residuals_lacking

NEEDS_ALL = "likelihood_displacement"  # a sum over all rows for each of them


class PartLeverage(Leverage):
    """Leverages of some rows, in coordinates of the Hessian over all of them."""

    def __init__(
        self, fit: PartMinimum, information: str, coordinates: tuple[FloatArray, FloatArray]
    ) -> None:
        self._given = coordinates
        super().__init__(fit, information)

    def _coordinates(self) -> tuple[FloatArray, FloatArray]:
        return self._given

    @property
    def apart(self) -> Apart:
        """Return none: the other rows are not all here."""
        return Apart.none(len(self.theta))


@dataclass(frozen=True, eq=False)
class Seen:
    """How rows of any partition are seen at the minimum."""

    recipe: Recipe
    theta: FloatArray
    hessian: Any
    information: str

    def leverage(self, block: Block, coordinates: tuple[FloatArray, FloatArray]) -> PartLeverage:
        """Return the leverages of a block's rows."""
        minimum = PartMinimum(self.recipe.risk(block), self.theta, self.hessian)
        return PartLeverage(minimum, self.information, coordinates)


@dataclass(frozen=True, eq=False)
class GramOf:
    """The Gram matrix of one partition in coordinates U; in those of theta where U is None."""

    seen: Seen
    transform: FloatArray | None

    def __call__(self, partition: int, block: Block) -> ArraySum:
        """Return it."""
        del partition
        leverage = self.seen.leverage(block, (np.zeros((0, 0)), np.zeros(0)))
        matrix = leverage.gram() if self.transform is None else leverage.gram_of(self.transform)
        return ArraySum(matrix)


@dataclass(eq=False)
class TwoTotals(Summable):
    """Sums for the dispersion by Pearson's statistic, or as it is asked for, and by the deviance."""

    totals: Totals
    deviance: float

    def plus(self, other: TwoTotals) -> TwoTotals:
        """Return both together."""
        return TwoTotals(self.totals.plus(other.totals), self.deviance + other.deviance)


@dataclass(frozen=True, eq=False)
class TotalsOf:
    """The sums of one partition."""

    seen: Seen
    coordinates: tuple[FloatArray, FloatArray]
    given: Any
    frequency: bool | None

    def __call__(self, partition: int, block: Block) -> TwoTotals:
        """Return them."""
        del partition
        leverage = self.seen.leverage(block, self.coordinates)
        weights = leverage.risk.weights
        counts = weights if self.frequency else (weights > 0).astype(np.float64)
        parts, deviance = pearson_parts(leverage, self.given)[1], 0.0
        if measured_by_deviance(leverage.risk.loss, self.given):
            deviance = float(np.sum(deviance_residuals(leverage.risk, leverage.linear_predictor) ** 2))
        return TwoTotals(totals_of(leverage, counts, parts), deviance)


@dataclass(frozen=True, eq=False)
class Measures(Question):
    """The measures of every row of a partition."""

    columns: tuple[str, ...]  # as the table calls them
    names: tuple[str, ...]  # as the caller does
    information: str
    coordinates: tuple[FloatArray, FloatArray]
    given: Any
    frequency: bool | None
    deleted_scale: bool
    sums: TwoTotals | None
    quantity: str = "diagnostics"

    def heading(self, column: str) -> str:
        """Return the measure."""
        return column

    def key(self) -> Any:
        """Return what is measured, and how."""
        return self.names, self.information, self.given, self.frequency, self.deleted_scale

    def empty(self) -> Table:
        """Return the columns without rows."""
        return {**super().empty(), "status": np.empty(0, dtype=object)}

    def table(self, minimum: PartMinimum, positions: Indices) -> tuple[Table, Indices | None]:
        """Return the measures of all rows of a partition."""
        leverage = PartLeverage(minimum, self.information, self.coordinates)
        counts = counts_of(minimum, self.frequency)
        setting = LinearSetting(leverage, None, None, counts, self.deleted_scale)
        if self.sums is not None:
            setting = scaled(setting, self.given, self.sums.totals, self.sums.deviance)
        _, values, reasons, _ = measured(minimum.names, setting, self.names)
        status = np.full(len(positions), "", dtype=object)
        for row, reason in reasons.items():
            status[row] = reason
        return {**dict(zip(self.columns, values.T, strict=True)), "status": status}, None


def diagnostics(
    fit: Any,
    columns: Sequence[str] | str | None,
    *,
    dispersion: Any,
    frequency: bool | None,
    deleted_scale: bool,
    information: str | None,
) -> Answer:
    """Return measures of every row; see `PartitionedFit.diagnostics`."""
    require_matrix(fit.hessian, "diagnostics")
    choice("deleted_scale", deleted_scale, (True, False))
    if frequency is not None:
        choice("frequency", frequency, (True, False))
    by = choice("information", Stated().information if information is None else information, INFORMATION)
    names, whatever = (
        chosen_measures(columns),
        columns is None or (isinstance(columns, str) and columns == ALL),
    )
    given = check_dispersion(dispersion)
    if whatever:
        names = tuple(name for name in names if name != NEEDS_ALL)
    elif NEEDS_ALL in names:
        raise Unsupported(
            "columns",
            f"do without {NEEDS_ALL}, which is a sum over all rows for every one of them",
            "holds it",
            "Ask for cooks_d, which is the same to second order.",
        )
    seen = Seen(fit.recipe, fit.theta, fit.hessian, by)
    coordinates = _coordinates(fit, seen)
    sums = None
    try:
        known = dispersion_of(fit.risk.loss, given)
        sums = fit.reduce(TotalsOf(seen, coordinates, given, frequency))
        scaled(_of_sample(fit, by, coordinates, frequency), given, sums.totals, sums.deviance)  # or raise
        if known is None:
            warn_if_perfect(sums.totals, fit.risk)
    except Unsupported:
        if not whatever and not set(names) <= set(WITHOUT_SCALE):
            raise
        names = tuple(name for name in names if name in WITHOUT_SCALE)
    if whatever:
        lacking = residuals_lacking(fit.sample.risk)
        names = tuple(name for name in names if name not in lacking)
    sample = _of_sample(fit, by, coordinates, frequency)
    if sums is not None:
        sample = scaled(sample, given, sums.totals, sums.deviance)
    labels = measured(fit.sample.names, sample, names)[0]
    called = tuple(label for some in labels.values() for label in some)
    question = Measures(called, names, by, coordinates, given, frequency, deleted_scale, sums)
    found: Answer = fit.answer(question)
    return found


def _coordinates(fit: Any, seen: Seen) -> tuple[FloatArray, FloatArray]:
    """Return U and lambda over all rows."""
    penalty = fit.risk.penalty.hessian(fit.theta).dense()

    def gram_of(transform: FloatArray | None) -> FloatArray:
        found: ArraySum = fit.reduce(GramOf(seen, transform))
        return found.values

    return coordinates_of(gram_of(None), penalty, fit.names, gram_of)


def _of_sample(fit: Any, by: str, coordinates: Any, frequency: bool | None) -> LinearSetting:
    leverage = PartLeverage(fit.sample, by, coordinates)
    return LinearSetting(leverage, None, None, counts_of(fit.sample, frequency), True)
