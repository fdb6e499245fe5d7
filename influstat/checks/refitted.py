"""A fit, its influences, and refits with other weights of single rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from influstat.checks.compare import TINY
from influstat.checks.point import Point
from influstat.errors import InvalidArgument
from influstat.influence.influence import Influence
from influstat.input.validation import FloatArray, any_array, numeric_array
from influstat.minimise.minimum import Minimum
from influstat.minimise.newton import minimise
from influstat.numerics.derivatives import EPSILON, Derivative, ridders
from influstat.solvers import Solver

ROWS = 4


class Influences:
    """A fit, its influences, and refits with other weights."""

    def __init__(
        self, fit: Minimum, solver: Solver | None, values: Any, rows: Any, X: Any, y: Any, seed: int
    ) -> None:
        self.fit, self.solver, self.X, self.y = fit, solver, X, y
        self.point = Point(fit.risk, fit.theta, None, None, seed)
        n, p = fit.risk.shape
        self.given = values is not None
        self.refits: dict[tuple[int, float], FloatArray] = {}
        self.values: FloatArray | None = None
        if values is not None:
            self.values = np.asarray(numeric_array("values", values), dtype=np.float64)
            if self.values.shape != (n, p):
                raise InvalidArgument(
                    "values", f"have shape {(n, p)}", f"has {self.values.shape}", "One row per training row."
                )
        weighted = np.flatnonzero(fit.risk.weights > 0)
        rng = np.random.default_rng(seed)
        chosen = rng.choice(weighted, min(ROWS, len(weighted)), replace=False) if rows is None else rows
        self.rows = np.atleast_1d(any_array("rows", chosen))
        if (
            self.rows.dtype.kind not in "iu"
            or self.rows.ndim != 1
            or not self.rows.size
            or self.rows.min() < 0
            or self.rows.max() >= n
        ):
            raise InvalidArgument("rows", f"be positions from 0 to {n - 1}", f"is {rows!r}", "Correct it.")
        if not (fit.risk.weights[self.rows] > 0).all():
            need = "name rows of positive weight"
            raise InvalidArgument("rows", need, f"is {rows!r}", "A row of weight 0 cannot be left out.")
        if len(np.unique(self.rows)) < len(self.rows):
            raise InvalidArgument("rows", "name each row once", f"is {rows!r}", "Drop the repeats.")

    def influences(self) -> FloatArray:
        """Return what is checked, shape (n, p)."""
        if self.values is None:
            self.values = Influence(self.fit, self.solver).on_theta().values
        return self.values

    def refit(self, row: int, change: float) -> FloatArray:
        """Return the minimiser when row `row` has w_i + change, kept for the other laws."""
        key = (int(row), float(change))
        if key not in self.refits:
            weights = np.array(self.fit.risk.weights)
            weights[row] = max(0.0, weights[row] + change)
            risk = self.fit.risk.reweighted(weights)
            self.refits[key] = self.finished(risk, minimise(risk, start=self.fit.theta).theta)
        return self.refits[key]

    @cached_property
    def rounding(self) -> FloatArray:
        """What the rounding of the gradient's terms leaves of every coefficient of a refit, (p,)."""
        scale = np.asarray(self.fit.risk.gradient_scale(self.fit.theta))
        return np.asarray(EPSILON * (np.abs(self.inverse(self.fit.hessian)) @ scale))

    def inverse(self, hessian: Any) -> FloatArray:
        """Return H^-1, dense."""
        # Its entries' sizes are what is asked for; of columns that depend on each other those of least norm.
        units = np.outer(self.point.unit, self.point.unit)
        return np.asarray(units * np.linalg.pinv(units * np.asarray(hessian.to_dense()), hermitian=True))

    def finished(self, risk: Any, theta: FloatArray) -> FloatArray:
        """Return theta after one more Newton step if that makes the gradient smaller: down to rounding."""
        gradient, scale = np.asarray(risk.gradient(theta)), np.asarray(risk.gradient_scale(theta)) + TINY
        further = theta - self.inverse(risk.curvature(theta)) @ gradient
        smaller = np.max(np.abs(risk.gradient(further)) / scale) < np.max(np.abs(gradient) / scale)
        return np.asarray(further) if smaller else theta

    def row(self, index: tuple[int, ...]) -> str:
        """Return the name of an entry."""
        names = self.fit.names
        return f"row {self.rows[index[0]]}, coefficient {names[index[1]]!r}"

    def slopes(self, function: Callable[[FloatArray], FloatArray]) -> Derivative:
        """Return d function(theta) / d eps for weights w_i + eps W, a line for each of the rows."""
        W, here = self.fit.risk.total_weight, np.atleast_1d(function(self.fit.theta))
        # Of an entry that is small beside the others the rounding is theirs. Nudged by 1e6 times as much.
        nudged = self.fit.theta + np.diag(1e6 * self.rounding)
        rounding = sum(np.abs(np.atleast_1d(function(theta)) - here) for theta in nudged) / 1e6

        def slope(row: int) -> Derivative:
            def moved(r: Any, part: Any) -> FloatArray:
                return np.asarray(np.atleast_1d(function(self.refit(row, r)))[part])

            w = float(self.fit.risk.weights[row])
            return ridders(moved, 1, n=len(here), width=0.5 * w, size=w, rounding=rounding)

        found = [slope(row) for row in self.rows]
        values, errors = zip(*((one.value, one.error) for one in found), strict=True)
        return Derivative(W * np.array(values), W * np.array(errors))
