"""The limit of a risk of several classes along a flight: some classes become impossible for some rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from influstat.algebra.coordinates import Coordinates, coordinates
from influstat.curvature.dense import DenseCurvature
from influstat.input.validation import FloatArray
from influstat.minimise.existence import contrast_flight
from influstat.risks.class_predictors import ClassPredictors
from influstat.risks.contract import Risk

MOVED = 1e-7  # of the largest movement along a flight: what moves less stays as it is


@dataclass(frozen=True, eq=False)
class ClassLimit:
    """Coordinates u of what the limit determines: theta + T u, u = 0 at theta.

    A risk that falls for ever along d falls to its limit there: for a row of class y, a class b whose
    predictor falls behind by (eta_y - eta_b)'d > 0 leaves the sum of its loss, log sum_b e^(eta_b - eta_y).
    """

    outer: Risk
    classes: ClassPredictors  # its own
    theta: FloatArray  # shape (p,)
    flight: FloatArray  # d, shape (p,), the first of them

    @cached_property
    def _counted(self) -> NDArray[np.intp]:
        return np.flatnonzero(self.classes.weights > 0)

    @cached_property
    def contrasts(self) -> FloatArray:
        """Gradients of eta_b - eta_y in theta of the rows that count, shape (m, K, p)."""
        rows = self._counted
        return self.classes.functionals(self.classes.design.rows(rows), self.classes.y[rows])

    @cached_property
    def _possible(self) -> NDArray[np.bool_]:
        """Which classes stay in each row's loss, shape (m, K)."""
        possible: NDArray[np.bool_] = np.ones(self.contrasts.shape[:2], dtype=np.bool_)
        free = np.tile(self.classes.strengths == 0, self.classes.classes - self.classes.reference)
        flight: FloatArray | None = self.flight
        while flight is not None:  # and where classes are gone that held the others back, the next one
            moved = np.where(possible, np.abs(self.contrasts @ flight), 0.0)
            possible &= moved <= MOVED * np.max(moved, initial=0.0)
            flight = contrast_flight(-self.contrasts[possible] * free, self.theta)
        return possible

    @cached_property
    def coordinates(self) -> Coordinates:
        """T, and the directions that neither the classes left, nor the penalty, nor the level feel."""
        felt, classes = self.contrasts[self._possible], self.classes
        blocks = classes.classes - classes.reference
        level = np.tile(np.diag(np.sqrt(classes.gauge)), (blocks, 1))
        root = np.hstack([np.diag(np.sqrt(np.tile(classes.strengths, blocks))), level])
        return coordinates(lambda: [(felt, np.ones(len(felt)))], root, -1)

    @cached_property
    def start(self) -> FloatArray:
        """U = 0, shape (r,)."""
        return np.zeros(self.coordinates.transform.shape[1])

    @cached_property
    def risk(self) -> LimitRisk:
        """The limit as a function of u."""
        contrasts, p = self.contrasts, len(self.theta)
        moves = self.coordinates.rows(contrasts.reshape(-1, p)).reshape(*contrasts.shape[:2], -1)
        base = np.where(self._possible, contrasts @ self.theta, -np.inf)
        return LimitRisk(self, base, moves, self.classes.weights[self._counted])

    def lift(self, u: FloatArray) -> FloatArray:
        """Return the change of theta, (p,), that belongs to u, (r,)."""
        return self.coordinates.lift(u)


class LimitRisk:
    """(1/W) [sum_i w_i log sum_b e^(c_ib + z_ib'u) + the penalty of theta + T u], where c_ib may be -inf."""

    def __init__(self, chart: ClassLimit, base: FloatArray, moves: FloatArray, weights: FloatArray) -> None:
        self._chart, self._base, self._moves, self.weights = chart, base, moves, weights
        self.total_weight = chart.classes.total_weight
        self.shape = (len(weights), moves.shape[2])
        self.names = tuple(f"combination {k}" for k in range(moves.shape[2]))

    def _slopes(self, u: FloatArray) -> FloatArray:
        """Return the probabilities of the classes, shape (m, K), each times its row's weight."""
        return np.asarray(self.weights[:, None] * softmax(self._base + self._moves @ u, axis=1))

    def _penalty_gradient(self, u: FloatArray) -> FloatArray:
        """Return the gradient in theta of the penalty and of what fixes the level, shape (p,)."""
        classes, theta = self._chart.classes, self._chart.theta + self._chart.lift(u)
        return np.asarray(classes.penalty.dot(theta) + classes.level(theta[:, None])[:, 0])

    def value(self, u: FloatArray) -> float:
        """Return the limit of R."""
        theta = self._chart.theta + self._chart.lift(u)
        losses = self.weights @ np.logaddexp.reduce(self._base + self._moves @ u, axis=1)
        return float(losses + 0.5 * theta @ self._penalty_gradient(u)) / self.total_weight

    def gradient(self, u: FloatArray) -> FloatArray:
        """Return its gradient, shape (r,)."""
        penalty = self._chart.coordinates.transform.T @ self._penalty_gradient(u)
        return np.asarray(np.tensordot(self._slopes(u), self._moves, 2) + penalty) / self.total_weight

    def gradient_scale(self, u: FloatArray) -> FloatArray:
        """Return the size of each entry of the gradient without cancellation, shape (r,)."""
        rows = np.tensordot(self._slopes(u), np.abs(self._chart.contrasts), 2)
        # Also where a penalty, or what fixes the level, cancels: perhaps nothing else is felt there.
        classes, sizes = self._chart.classes, np.abs(self._chart.theta) + self._chart.coordinates.lift_size(u)
        terms = rows + classes.penalty.dot(sizes) + classes.level(sizes[:, None])[:, 0]
        return np.asarray(np.abs(self._chart.coordinates.transform.T) @ terms) / self.total_weight

    def curvature(self, u: FloatArray) -> DenseCurvature:
        """Return the Hessian, (r, r)."""
        slopes, T, classes = self._slopes(u), self._chart.coordinates.transform, self._chart.classes
        means = np.einsum("mk,mkr->mr", slopes, self._moves)
        matrix = np.tensordot(slopes[:, :, None] * self._moves, self._moves, ([0, 1], [0, 1]))
        matrix -= (means / self.weights[:, None]).T @ means
        matrix += T.T @ (classes.penalty.dot(T) + classes.level(T))
        return DenseCurvature(0.5 * (matrix + matrix.T) / self.total_weight, self.names)
