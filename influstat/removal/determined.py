"""Removals that leave a coefficient undetermined: the others, and what hangs on them, are the refit's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.coordinates import Coordinates
from influstat.errors import (
    IndefiniteHessian,
    InvalidArgument,
    NoMinimiser,
    NotConverged,
    SingularHessian,
    Unsupported,
)
from influstat.input.groups import Indices
from influstat.input.validation import FloatArray
from influstat.minimise.existence import existence_of
from influstat.minimise.newton import minimise
from influstat.removal.class_limit import MOVED, ClassLimit
from influstat.risks.chart import AnyChart, Chart, chart_of
from influstat.risks.class_predictors import class_predictors_of
from influstat.risks.contract import Risk, left_over
from influstat.risks.linear import as_linear

FLIGHTS = 20  # directions in which a risk may fall for ever, one after the other
LENGTHS = 2.0 ** np.arange(24)  # of such a flight, until losses are 0 or what they were
VANISHED, SAME = 1e-10, 1e-6  # directions are right to ten digits


@dataclass(frozen=True, eq=False)
class Determined:
    """One minimiser for each of k removals, and what the rows left determine."""

    solution: FloatArray  # shape (k, p); any minimiser will do for what is determined
    coordinates: tuple[Coordinates | None, ...]  # of each removal; None where everything is determined

    @classmethod
    def joined(cls, parts: list[Any]) -> Determined:
        """Return what consecutive removals determine; where nothing is lost theta is the solution."""
        solutions: list[FloatArray] = []
        coordinates: list[Coordinates | None] = []
        for part in parts:
            known = part.determined
            solutions.append(part.theta if known is None else known.solution)
            coordinates += [None] * len(part.theta) if known is None else known.coordinates
        return cls(np.concatenate(solutions), tuple(coordinates))

    def of(self, x: FloatArray) -> NDArray[np.bool_]:
        """Tell which linear quantities x'theta, rows of (m, p), each removal determines: shape (k, m)."""
        result = np.ones((len(self.coordinates), len(x)), dtype=np.bool_)
        known: dict[int, NDArray[np.bool_]] = {}
        for k, found in enumerate(self.coordinates):
            if found is not None:
                if id(found) not in known:
                    known[id(found)] = found.estimable(x)
                result[k] = known[id(found)]
        return result

    def of_rows(self, tests: Any) -> NDArray[np.bool_]:
        """Tell of which of m rows, with whatever predictors, each removal determines the loss: (k, m)."""
        classes = class_predictors_of(tests)
        if classes is None:
            return self.of(tests.design.rows(slice(None)))
        contrasts = classes.functionals(classes.design.rows(slice(None)), classes.y)
        m, K, p = contrasts.shape
        return np.asarray(self.of(contrasts.reshape(-1, p)).reshape(-1, m, K).all(axis=2))


@dataclass(frozen=True, eq=False)
class PartialRefit:
    """The minimiser without rows as far as the rows left determine it."""

    theta: FloatArray
    coordinates: Coordinates
    reason: str


def partial_refit(risk: Risk, theta: FloatArray, rows: Indices, *, exact: bool) -> PartialRefit | None:
    """Return theta without the rows by a refit, or by a Newton step, or None if nothing can be said."""
    # Coefficients that the rows left do not determine, or that go to infinity without the rows (a dummy of
    # rows that are all of one class), are no coefficients of the refit. The limit of the others is the refit
    # of the rows, or of the classes of each row, that do not fly off with them.
    try:
        part: Risk | None = left_over(risk, rows)
        for _ in range(FLIGHTS):
            if part is None:
                return None
            chart: Any = _chart(part, theta, exact=exact)
            if chart is None:  # every direction is felt at theta, and some are not felt far away
                part = None if as_linear(part) is not None else _without_flight(part, theta)
                continue
            found = chart.coordinates
            try:
                if not chart.start.size:
                    u = chart.start  # where nothing is determined
                else:
                    u = minimise(chart.risk, start=chart.start).theta if exact else _step(chart)
            except (NoMinimiser, SingularHessian):  # so flat on its way that rounding alone moves it
                part = _without_flight(chart.outer, theta)
                continue
            return PartialRefit(theta + chart.lift(u), found, _reason(rows, risk.names, found.determined))
    except Unsupported:  # of every removal
        raise
    except (InvalidArgument, NoMinimiser, NotConverged, SingularHessian, IndefiniteHessian):
        pass  # no weight is left, a caller's function refuses, or nothing is least: the status has said so
    return None


def _chart(part: Risk, theta: FloatArray, *, exact: bool) -> AnyChart | ClassLimit | None:
    """Return coordinates of what the rows left determine; None where that is all, or nothing is known."""
    linear, classes = as_linear(part), class_predictors_of(part)
    if exact and classes is not None:
        flight = existence_of(part).flight(theta)
        if flight is not None:
            return ClassLimit(part, classes, theta, flight)
    if linear is None:
        chart = chart_of(part, theta)
        return None if chart is None or chart.coordinates.full else chart
    found = linear.curvature(theta).coordinates()
    return None if found is None else Chart(linear, theta, found)


def _step(chart: AnyChart) -> FloatArray:
    """Return u after a Newton step from its start."""
    inner = chart.risk
    moved = inner.curvature(chart.start).factored().solve(inner.gradient(chart.start))
    return np.asarray(chart.start - moved)


def _without_flight(part: Risk, theta: FloatArray) -> Risk | None:
    """Return the risk of the rows that stay where they are while it falls for ever, its penalty as it is."""
    direction = existence_of(part).flight(theta)
    if direction is None:
        return None
    risk = as_linear(part)
    if risk is None:
        return _without_lost_rows(part, theta, direction)
    moved = np.abs(risk.design.dot(direction))
    stay = moved <= MOVED * np.max(moved[risk.weights > 0], initial=0.0)
    weights = np.where(stay, risk.weights, 0.0)
    if not weights.any():
        return None
    return risk.moved(replace(risk.rows, weights=weights), risk.penalty)


def _without_lost_rows(part: Risk, theta: FloatArray, direction: FloatArray) -> Risk | None:
    """Return the risk without rows whose losses vanish along the flight; None where others change at all."""
    # Where a penalty would leave with the rows, its share in their losses does not vanish.
    counted, before = part.weights > 0, np.asarray(part.row_losses(theta))
    for length in LENGTHS:
        after = np.asarray(part.row_losses(theta + length * direction))
        gone, stay = after < VANISHED, np.abs(after - before) <= SAME * (1.0 + np.abs(before))
        if (gone | stay)[counted].all():
            weights = np.where(stay, part.weights, 0.0)
            return part.reweighted(weights) if weights.any() and (weights < part.weights).any() else None
    return None


def _reason(rows: Indices, names: tuple[str, ...], determined: NDArray[np.bool_]) -> str:
    lost = [name for name, known in zip(names, determined, strict=True) if not known]
    shown = ", ".join(lost[:5]) + (f" and {len(lost) - 5} more" if len(lost) > 5 else "")
    what = "this row" if len(rows) == 1 else f"these {len(rows)} rows"
    verb = "are" if len(lost) > 1 else "is"
    rest = "; the others are" if 0 < len(lost) < len(names) else ""
    return f"Without {what}: {shown or 'some combination of coefficients'} {verb} not determined{rest}."
