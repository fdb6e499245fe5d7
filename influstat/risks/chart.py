"""A linear risk in coordinates in which its Hessian is regular and well-conditioned.

Where the Gram matrix of the rows has lost its digits, or where columns depend on each other, questions are
asked of this risk instead: theta = theta-hat + T u, u = 0 the fit. It is a risk like any other, with fewer
coefficients where some are not determined.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from influstat.algebra.cholesky import CholeskyInverse
from influstat.algebra.coordinates import Blocks, Coordinates, coordinates
from influstat.errors import IndefiniteHessian, SingularHessian
from influstat.input.design import Design
from influstat.input.validation import FloatArray
from influstat.risks.contract import Risk
from influstat.risks.linear import LinearRisk, as_linear
from influstat.risks.penalties import L2, Penalty
from influstat.risks.penalties.moved import Moved

PLAIN = 1e-7  # reciprocal condition of the scaled Gram matrix above which half of the digits are left
LARGEST = 4000  # coefficients; beyond, nothing is factored


@dataclass(frozen=True, eq=False)
class Chart:
    """Coordinates u of a linear risk around theta.

    Attributes
    ----------
    outer : LinearRisk
        The risk in its own coefficients.
    theta : ndarray, shape (p,)
        Where u = 0.
    coordinates : Coordinates
        T, and the directions that nothing determines.
    """

    outer: LinearRisk
    theta: FloatArray
    coordinates: Coordinates

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

    @cached_property
    def start(self) -> FloatArray:
        """U = 0, shape (r,)."""
        return np.zeros(self.coordinates.transform.shape[1])


def regular(risk: Risk, theta: FloatArray) -> tuple[Chart | None, CholeskyInverse | None]:
    """Return the coordinates that the risk needs at theta, and its factored Hessian.

    Returns
    -------
    Chart or None
        None where the coefficients themselves will do, for risks that are not linear, and where the loss has
        no curvature along directions that the rows determine.
    CholeskyInverse or None
        Of H, mean scale, in the coordinates if there are some; None where H has no inverse.
    """
    if risk.shape[1] > LARGEST or not np.isfinite(risk.curvature(theta).diagonal()).all():
        return None, None
    inverse = _factored(risk, theta)
    linear = as_linear(risk)
    if linear is None or (inverse is not None and inverse.reciprocal_condition > PLAIN):
        return None, inverse
    weights = linear.weights * np.abs(linear.curvature(theta).second)
    if not np.isfinite(weights).all():
        return None, None
    found = _coordinates(linear, theta, weights)
    if not found.full and _coordinates(linear, theta, linear.weights).null.shape[1] < found.null.shape[1]:
        return None, inverse
    chart = Chart(linear, theta, found)
    return chart, _factored(chart.risk, chart.start)


def chart_of(risk: Risk, theta: FloatArray) -> Chart | None:
    """Return the coordinates that the risk needs at theta; None where its own coefficients will do."""
    return regular(risk, theta)[0]


def _factored(risk: Risk, theta: FloatArray) -> CholeskyInverse | None:
    try:
        return CholeskyInverse(risk.curvature(theta).to_dense(), risk.names)
    except (SingularHessian, IndefiniteHessian):
        return None


def _coordinates(risk: LinearRisk, theta: FloatArray, weights: FloatArray) -> Coordinates:
    root = risk.penalty.hessian(theta).root()
    return coordinates(
        _weighted(risk, np.sqrt(weights)), root[:, root.any(axis=0)], constant_column(risk.design)
    )


def _weighted(risk: LinearRisk, roots: FloatArray) -> Blocks:
    def blocks() -> Iterator[tuple[FloatArray, FloatArray]]:
        for rows, block in risk.design.dense_blocks():
            yield block, roots[rows]

    return blocks


def constant_column(design: Design) -> int:
    """Return the position of a column that is the same, not 0, in every row; -1 where there is none."""
    if design.intercept:
        return design.shape[1] - 1
    first = design.rows(slice(0, 1))[0]
    same = first != 0.0
    for _, block in design.dense_blocks():
        same &= (block == first).all(axis=0)
        if not same.any():
            return -1
    return int(np.argmax(same))
