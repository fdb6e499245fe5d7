"""A linear risk in coordinates in which its Hessian is regular and well-conditioned.

Where the Gram matrix of the rows has lost its digits, or where columns depend on each other, questions are
asked of this risk instead: theta = theta-hat + T u, u = 0 the fit. It is a risk like any other, with fewer
coefficients where some are not determined.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from influstat.algebra.cholesky import CholeskyInverse
from influstat.algebra.coordinates import Coordinates, exactly_null, fractional_null
from influstat.algebra.rounding import Blur, unit_rounding
from influstat.curvature.base import Factored, Hessian
from influstat.curvature.linear import LARGEST
from influstat.errors import IndefiniteHessian, SingularHessian
from influstat.input.design import Design
from influstat.input.validation import FloatArray
from influstat.risks.class_chart import ClassChart
from influstat.risks.contract import Risk
from influstat.risks.linear import LinearRisk, as_linear
from influstat.risks.penalties import L2, Penalty
from influstat.risks.penalties.active_l1 import active_l1
from influstat.risks.penalties.moved import Moved


@dataclass(frozen=True, eq=False)
class Chart:
    """Coordinates u of a linear risk around theta."""

    outer: LinearRisk  # the risk in its own coefficients
    theta: FloatArray  # where u = 0, shape (p,)
    coordinates: Coordinates  # T, and the directions that nothing determines

    @cached_property
    def risk(self) -> LinearRisk:
        """The same risk as a function of u, with n rows and r coefficients."""
        outer = self.outer
        z = np.empty((outer.shape[0], self.coordinates.transform.shape[1]))
        for rows, block in outer.design.dense_blocks():
            z[rows] = self.coordinates.rows(block)
        names = [f"combination {k}" for k in range(z.shape[1])]
        design = Design(z, names=names)
        moved = replace(outer.rows, design=design, offset=outer.linear_predictor(self.theta))
        return outer.moved(moved, self._penalty())

    def _penalty(self) -> Penalty:
        penalty, p = self.outer.penalty, len(self.theta)
        if penalty.flat(p).shape[1] == p:
            return L2()
        return Moved(penalty, self.theta, self.coordinates.lift(np.eye(self.coordinates.transform.shape[1])))

    def lift(self, u: FloatArray) -> FloatArray:
        """Return the change of theta, (p,) or (p, k), that belongs to u, (r,) or (r, k)."""
        return self.coordinates.lift(u)

    def rows(self, x: FloatArray) -> FloatArray:
        """Return the coordinates (k, r) of rows x, or of gradients of linear quantities, (k, p)."""
        return self.coordinates.rows(x)

    def sizes(self, u: FloatArray) -> FloatArray:
        """Return the size of the terms of theta, shape (k, p), for coordinates u (k, r)."""
        return np.abs(self.theta) + self.coordinates.lift_size(u.T).T

    def blur(self) -> Blur:
        """Bound the errors of rows and offsets in these coordinates."""
        # Rows z are right to (r + 16) epsilon |x - center| |T|, and offsets to (p + 16) epsilon |x|'|theta|;
        # a row's slope feels an error of its predictor l2 times; S is W times the identity. Nothing bounds
        # them where directions were given up that are not proven to be none: other digits might keep them.
        if not self.coordinates.full and not self._exactly_null:
            return Blur(relative=np.inf)
        outer, inner = self.outer, self.risk
        first = np.abs(inner.weights * inner.loss.first(inner.y, inner.offset))
        second = np.abs(inner.weights * inner.loss.second(inner.y, inner.offset))
        base = slope = square = 0.0
        for rows, block in outer.design.dense_blocks():
            wrong = unit_rounding(inner.shape[1]) * np.linalg.norm(self.coordinates.rows_size(block), axis=1)
            slip = np.abs(block) @ np.abs(self.theta) + np.abs(outer.offset[rows])
            slip *= unit_rounding(outer.shape[1])
            lengths = np.linalg.norm(self.coordinates.rows(block), axis=1) + wrong
            base += float(first[rows] @ wrong + second[rows] @ (lengths * slip))
            slope += float(second[rows] @ (lengths * wrong))
            square += float(second[rows] @ wrong**2)
        total = outer.total_weight
        return Blur(2.0 * base / np.sqrt(total), 2.0 * slope / total, np.sqrt(square / total))

    @cached_property
    def _exactly_null(self) -> bool:
        """Whether neither rows nor penalty feel the directions given up, without any rounding."""
        # Then u reaches every predictor that theta reaches, as the rows z span r dimensions.
        outer = self.outer
        null = fractional_null(self.coordinates.null)
        if null is None or outer.penalty.hessian(self.theta).dot(null).any():
            return False
        counted = outer.weights > 0
        return exactly_null((block[counted[rows]] for rows, block in outer.design.dense_blocks()), null)

    @cached_property
    def start(self) -> FloatArray:
        """U = 0, shape (r,)."""
        return np.zeros(self.coordinates.transform.shape[1])


AnyChart = Chart | ClassChart


def regular(risk: Risk, theta: FloatArray, *, rough: bool = False) -> tuple[AnyChart | None, Factored | None]:
    """Return the coordinates that the risk needs at theta, and its Hessian factored in them, mean scale."""
    # No coordinates where the coefficients themselves will do, for risks of other kinds, and where the loss
    # has no curvature along directions that the rows determine; no factor where the Hessian has no inverse.
    # With `rough` three digits of the Hessian are enough, as where theta is about to be left.
    if risk.shape[1] > LARGEST:
        return None, None
    linear = as_linear(risk)
    try:
        if linear is None:
            return _regular_of_others(risk, theta)
        curvature = linear.curvature(theta)
        if rough and curvature.rough is not None:
            return None, curvature.rough
        inverse = curvature.factored()
        if isinstance(inverse, CholeskyInverse):
            return None, inverse
        if not inverse.coordinates.full and active_l1(linear.penalty) is not None:
            return None, curvature.cholesky()  # a column that the others span could leave as well as stay
        chart = Chart(linear, theta, inverse.coordinates)
        return chart, chart.risk.curvature(chart.start).factored()
    except (SingularHessian, IndefiniteHessian):
        return None, None


def _regular_of_others(risk: Risk, theta: FloatArray) -> tuple[ClassChart | None, Factored]:
    """Return the same of a risk that is not linear."""
    hessian: Any = risk.curvature(theta)
    if not isinstance(hessian, Hessian):  # a caller's own need only be dense
        return None, CholeskyInverse(hessian.to_dense(), risk.names)
    inverse = hessian.factored()
    if isinstance(inverse, CholeskyInverse):
        return None, inverse
    chart = ClassChart(risk, theta, inverse.coordinates)
    return chart, chart.risk.curvature(chart.start).cholesky()


def chart_of(risk: Risk, theta: FloatArray) -> AnyChart | None:
    """Return the coordinates that the risk needs at theta; None where its own coefficients will do."""
    return regular(risk, theta)[0]
