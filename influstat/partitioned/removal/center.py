"""`Center`: what removals need of all rows at theta-hat, p-sized; and expansions of some rows around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.errors import SingularHessian
from influstat.input.groups import Groups, Indices
from influstat.input.validation import FloatArray
from influstat.partitioned.block import Block
from influstat.partitioned.recipe import Recipe
from influstat.partitioned.risk import PartitionedRisk
from influstat.partitioned.runners.base import Summable
from influstat.removal.expansion import Expansion, Remainder
from influstat.removal.remaining import Look
from influstat.risks.linear import LinearRisk


@dataclass(eq=False)
class Center(Summable):
    """Sums over all rows at theta-hat, without the penalty until `with_penalty`."""

    theta: FloatArray
    data_gradient: Any  # X'(w l1), in extended precision until all is summed
    data_hessian: FloatArray
    slope_error: FloatArray
    gradient_scale: FloatArray

    def plus(self, other: Center) -> Center:
        """Return both together."""
        self.data_gradient = self.data_gradient + other.data_gradient
        self.data_hessian += other.data_hessian
        self.slope_error += other.slope_error
        self.gradient_scale += other.gradient_scale
        return self


@dataclass(frozen=True, eq=False)
class AtCenter:
    """The sums of one partition."""

    recipe: Recipe  # in sum scale
    theta: FloatArray
    rows: int  # of all partitions: rounding errors of sums grow with them

    def __call__(self, partition: int, block: Block) -> Center:
        """Return them."""
        del partition
        found = Expansion(self.recipe.risk(block), self.theta)
        return Center(
            self.theta,
            found.long_gradient(),
            found.data_hessian,
            found.slope_error_of(self.rows),
            found.gradient_scale,
        )


def center_of(risk: PartitionedRisk, theta: FloatArray) -> Center:
    """Return the sums over all rows: one pass."""
    recipe, n = risk.recipe.summed(), risk.shape[0]
    found: Center = risk.data.runner.reduce(risk.data.source, AtCenter(recipe, theta, n))
    found.data_gradient = np.asarray(found.data_gradient).astype(np.float64)
    found.gradient_scale = found.gradient_scale + risk.penalty.gradient_scale(theta)
    return found


class PartExpansion(Expansion):
    """Slopes and curvatures of some rows, with sums over all of them."""

    # W and the penalty of the risk are those of all rows, as the sums of `center` are.

    def __init__(self, risk: LinearRisk, center: Center) -> None:
        super().__init__(risk, center.theta)
        self.gradient = center.data_gradient + self.penalty_gradient
        for name in ("data_gradient", "data_hessian", "slope_error", "gradient_scale"):
            self.__dict__[name] = getattr(center, name)

    def hessian_without(self, rows: Indices, factor: float) -> FloatArray:
        """Raise: it is summed anew over all partitions for rows that are left for that."""
        del rows, factor
        raise SingularHessian("its leverage is near 1: summed over all partitions instead.")


@dataclass(frozen=True, eq=False)
class Slopes:
    """X'(w l1) of one partition at each column of theta (p, K), and the largest movement of a row."""

    recipe: Recipe  # in sum scale
    theta: FloatArray
    at: FloatArray

    def __call__(self, partition: int, block: Block) -> Moved:
        """Return them."""
        del partition
        risk = self.recipe.risk(block)
        result, path = np.zeros_like(self.theta), np.zeros(self.theta.shape[1])
        for rows, x in risk.design.blocks():
            eta = x @ self.theta
            eta += risk.offset[rows, None]
            slopes = risk.loss.first(risk.y[rows, None], eta)
            slopes *= risk.weights[rows, None]
            result += x.T @ slopes
            np.maximum(path, np.max(np.abs(x @ (self.theta - self.at[:, None])), axis=0), out=path)
        return Moved(result, path)


@dataclass(eq=False)
class Moved(Summable):
    """Sums of slopes, and largest movements."""

    slopes: FloatArray
    path: FloatArray

    def plus(self, other: Moved) -> Moved:
        """Return both together."""
        return Moved(self.slopes + other.slopes, np.maximum(self.path, other.path))


class GatheredExpansion(PartExpansion):
    """Rows gathered from several partitions, whose removals ask for sums over all of them."""

    # `places` are the partition of each gathered row and its place there.

    def __init__(
        self, risk: LinearRisk, center: Center, whole: PartitionedRisk, places: list[tuple[int, int]]
    ) -> None:
        super().__init__(risk, center)
        self._whole, self._places = whole, places

    def remainder(self, groups: Groups) -> Remainder:
        """Return the objectives without each row, their gradients summed over all partitions."""
        return GatheredRemainder(self, groups)

    def left_over(self, rows: Indices) -> PartitionedRisk:
        """Return the risk of all partitions without one of the gathered rows."""
        partition, row = self._places[int(rows[0])]
        return self._whole.without(partition, row, float(self.risk.weights[rows[0]]))

    def hessian_without(self, rows: Indices, factor: float) -> FloatArray:
        """Return the Hessian of the rows that are left, summed anew over all partitions."""
        left = self.left_over(rows).sums(self.theta).hessian
        matrix = np.array(left, order="F")
        self.penalty_hessian.add_to(matrix, factor)
        return matrix

    def slopes(self, theta: FloatArray) -> Moved:
        """Return X'(w l1) over all rows at each column of theta, and largest movements: one pass."""
        data = self._whole.data
        work = Slopes(self._whole.recipe.summed(), theta, self.theta)
        found: Moved = data.runner.reduce(data.source, work)
        return found


class GatheredRemainder(Remainder):
    """The objectives without each of some gathered rows, evaluated together over all partitions."""

    expansion: GatheredExpansion

    def rough(self) -> None:
        """Return None: a pass over the partitions takes what it takes to read them."""

    def summed(self, theta: FloatArray, look: Look | None = None) -> FloatArray:
        """Return the gradients: one pass over all partitions, at which nobody looks."""
        del look
        risk, rows = self.expansion.risk, self.groups.members
        result = self.expansion.slopes(theta).slopes + self.factors * risk.penalty.gradient(theta)
        x = risk.design.rows(rows)
        eta = np.einsum("kp,pk->k", x, theta) + risk.offset[rows]
        own = risk.weights[rows] * risk.loss.first(risk.y[rows], eta)
        return np.asarray(result - (x * own[:, None]).T)

    def movement(self, theta: FloatArray) -> FloatArray:
        """Return max_j |x_j'(theta_k - theta-hat)| over all rows, that removed too, shape (K,)."""
        return self.expansion.slopes(theta).path
