"""Where a risk is looked at: theta, the unit of every coefficient, directions, differences along them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np

from influstat.checks.compare import Place, compare
from influstat.checks.report import CALLERS_ERRORS, Finding
from influstat.input.validation import FloatArray
from influstat.losses.base import kink_distance
from influstat.numerics.derivatives import Derivative, ridders
from influstat.risks.black_box import BlackBoxRisk
from influstat.risks.linear import LinearRisk, as_linear

TOLERANCE = 1e-8  # of laws with a derivative: between the digits of differences in float64 and of float32
ALGEBRA = 1e-9  # laws between different sums, which may cancel: float64 keeps 1e-12 or so, float32 1e-7
EXACT = 1e-11  # laws without a derivative: the same sums in another order
DIRECTIONS = 24  # most coefficients that are differenced one by one


@dataclass
class Point:
    """A risk at one theta, with the scale of every coefficient and some directions."""

    risk: Any
    given: FloatArray | None
    X: Any
    y: Any
    seed: int
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    @cached_property
    def unit(self) -> FloatArray:
        """Steps of the coefficients, shape (p,), that move linear predictors, or their like, by 1 at most."""
        p = self.risk.shape[1]
        at = np.zeros(p) if self.given is None else self.given
        linear = as_linear(self.risk)
        if linear is not None:
            return _units_of(linear)
        widest = self.risk.rows.widths if isinstance(self.risk, BlackBoxRisk) else np.full(p, np.inf)
        try:
            gradients = np.asarray(self.risk.row_gradients(at), dtype=np.float64)
            size = np.sqrt(np.mean(gradients**2, axis=0))
        except CALLERS_ERRORS:
            size = np.zeros(p)
        if size.shape != (p,) or not np.isfinite(size).all():
            size = np.zeros(p)
        largest = np.max(size, initial=0.0)
        # A column of nothing but rounding (1e-16, squared sums of it 1e-8) has no unit of its own.
        unit = np.where(size > 1e-8 * largest, 1.0 / np.where(size > 0, size, 1.0), 1.0)
        return np.minimum(unit, widest)  # a saturated row has a small gradient and bends all the same

    @cached_property
    def theta(self) -> FloatArray:
        """Where to look, shape (p,)."""
        p = self.risk.shape[1]
        if self.given is not None:
            return self.given
        return np.asarray(
            self.unit * self.rng.uniform(0.3, 1.0, p) * self.rng.choice([-1.0, 1.0], p) / np.sqrt(p)
        )

    @cached_property
    def directions(self) -> FloatArray:
        """Columns: each coefficient alone where they are few, else random mixtures; shape (p, k)."""
        p = self.risk.shape[1]
        if p <= DIRECTIONS:
            return np.diag(self.unit)
        mixed = np.random.default_rng(self.seed + 1).normal(size=(p, DIRECTIONS)) / np.sqrt(p)
        return np.asarray(self.unit[:, None] * mixed)

    def along(self, function: Any, direction: FloatArray, entries: int) -> Derivative:
        """Return the derivative of function(theta + r direction), entry by entry."""
        reach = float(np.max(np.abs(self.theta) / self.unit))
        largest = float(np.max(np.abs(function(self.theta))))
        return ridders(
            lambda r, rows: np.atleast_1d(function(self.theta + r * direction))[rows],
            1,
            n=entries,
            width=self._room(direction),
            size=reach,
            rounding=np.finfo(np.float64).eps * largest,  # an entry near 0 has the rounding of its parts
        )

    def derivatives(self, function: Any, entries: int) -> Derivative:
        """Return the derivatives along all directions, shape (entries, k)."""
        parts = [self.along(function, direction, entries) for direction in self.directions.T]
        values, errors = zip(*((part.value, part.error) for part in parts), strict=True)
        return Derivative(np.column_stack(values), np.column_stack(errors))

    def _room(self, direction: FloatArray) -> float:
        """Return how far along the direction no row meets a kink that its loss declares, at most 1."""
        risk = as_linear(self.risk)
        if risk is None:
            return 1.0
        distance = kink_distance(risk.loss, risk.y, risk.linear_predictor(self.theta))
        speed = np.abs(risk.design.dot(direction))
        moving = (speed > 0) & (distance > 0)
        return float(min(1.0, 0.9 * np.min(distance[moving] / speed[moving], initial=np.inf)))

    def coefficient(self, index: tuple[int, ...]) -> str:
        """Name a direction."""
        one = self.risk.shape[1] <= DIRECTIONS
        return f"coefficient {self.risk.names[index[0]]!r}" if one else f"direction {index[0]}"

    def row(self, index: tuple[int, ...]) -> str:
        """Name a row, and the coefficient if there is one."""
        text = f"row {index[0]}"
        return text + (f", {self.coefficient(index[1:])}" if len(index) > 1 else "")

    @property
    def factors(self) -> dict[str, float]:
        """What constant factors would mean."""
        known: dict[str, float] = {}
        for name, number in (("n", float(self.risk.shape[0])), ("W", float(self.risk.total_weight))):
            known[f"a factor {name} too large: is the mean (1/{name}) lost?"] = number
            known[f"a factor {name} too small: is 1/{name} taken twice?"] = 1.0 / number
        return known

    def judge(
        self, found: FloatArray, truth: Derivative, size: Any, place: Place, shifts: Mapping[str, Any]
    ) -> Finding:
        """Return whether derivatives are those found by differences."""
        near = partial(compare, tolerance=TOLERANCE, size=size, allowance=truth.error)
        return near(found, truth.value, place=place, factors=self.factors, shifts=shifts)

    def penalty_gradient(self) -> FloatArray:
        """Return W grad R - sum w_i g_i: the penalty's gradient outside of the rows, shape (p,)."""
        risk, theta = self.risk, self.theta
        rows = risk.weights @ np.asarray(risk.row_gradients(theta))
        return np.asarray(risk.total_weight * np.asarray(risk.gradient(theta)) - rows)


def _units_of(risk: LinearRisk) -> FloatArray:
    """Return steps that move the linear predictors by about 1, or less where the penalty would swamp all."""
    squares = risk.design.square_sums(np.ones(risk.shape[0])) / risk.shape[0]
    unit = np.where(squares > 0, 1.0 / np.sqrt(np.where(squares > 0, squares, 1.0)), 1.0)
    curvature = risk.penalty.hessian(np.zeros(risk.shape[1])).diagonal()
    penalised = curvature > 0
    kappa = np.where(penalised, curvature, 1.0)
    return np.where(penalised, np.minimum(unit, np.sqrt(2.0 * risk.total_weight / kappa)), unit)


def unsettled(error: FloatArray, size: FloatArray, name: str) -> Finding | None:
    """Return a failure where differences themselves could not tell: they must not excuse everything."""
    # `size` is that of the derivative along a step of about 1, or of the function.
    # As in `noise`: entries near 0 carry the rounding of the largest.
    relative = error / (size + np.max(size) * 1e-3 + np.finfo(float).tiny)
    # Differences of float64 give 8 digits and more; with fewer than 5 in most entries there is no verdict.
    if np.median(relative) <= 1e-5:
        return None
    cause = f"steps do not agree on the derivative of `{name}`: noise, kinks, or a step that is too long"
    return Finding("", False, float(np.median(relative)), 1e-5, name, cause)
