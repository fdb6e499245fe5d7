"""The hinge loss's quadratic programme itself: both objectives, their gap, and what rounding does to them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from influstat.input.printing import ShortRepr
from influstat.input.validation import FloatArray

EPSILON = float(np.finfo(np.float64).eps)
ROUNDING = 64 * EPSILON  # of 1 - y eta, relative to the size of its terms


@dataclass(frozen=True, eq=False, repr=False)
class HingeProblem(ShortRepr):
    """minimise sum_i w_i max(0, c_i - y_i (x_i'beta + b)) + (kappa/2) |beta|^2, in sum scale."""

    rows: FloatArray  # y_i x_i, and behind it y_i itself if there is an intercept
    target: FloatArray  # c_i = 1 - y_i o_i, for an offset o_i
    weights: FloatArray  # w_i >= 0
    kappa: float  # strength of the penalty, > 0
    intercept: bool  # whether the last entry of theta is b

    def take(self, kept: NDArray[np.intp]) -> HingeProblem:
        """Return the problem of some of the rows."""
        return replace(self, rows=self.rows[kept], target=self.target[kept], weights=self.weights[kept])

    @property
    def penalty(self) -> FloatArray:
        """The penalty's Hessian, a diagonal: kappa, and 0 for the intercept."""
        diagonal = np.full(self.rows.shape[1], self.kappa)
        diagonal[len(diagonal) - self.intercept :] = 0.0
        return diagonal

    def shortfall(self, theta: FloatArray) -> FloatArray:
        """Return 1 - y_i eta_i: positive short of the margin, negative beyond it."""
        return self.target - self.rows @ theta

    def value(self, theta: FloatArray) -> float:
        """Return the primal objective."""
        hinge = np.maximum(self.shortfall(theta), 0.0)
        return float(self.weights @ hinge + 0.5 * (self.penalty * theta) @ theta)

    def gap(self, theta: FloatArray, dual: FloatArray) -> float:
        """Return primal minus dual objective for a feasible dual, as a sum of terms >= 0."""
        shortfall = self.shortfall(theta)
        slack = (self.weights - dual) @ np.maximum(shortfall, 0.0) + dual @ np.maximum(-shortfall, 0.0)
        residual = self.penalty * theta - dual @ self.rows
        p = len(theta) - self.intercept
        imbalance = np.abs(residual[p:]) @ np.abs(theta[p:])  # rounding of y'alpha = 0, counted in full
        return float(slack + 0.5 * (residual[:p] @ residual[:p]) / self.kappa + imbalance)

    def feasible(self, dual: FloatArray) -> FloatArray:
        """Return the dual moved into its box and, with an intercept, to y'alpha = 0."""
        dual = np.clip(dual, 0.0, self.weights)
        if self.intercept:
            positive = self.rows[:, -1] > 0
            sums = float(dual[positive].sum()), float(dual[~positive].sum())
            larger = positive if sums[0] > sums[1] else ~positive
            dual[larger] *= min(sums) / (max(sums) or 1.0)
        return dual

    def rounding(self, theta: FloatArray) -> FloatArray:
        """Return what rounding can make of 1 - y_i eta_i where it is 0, shape (n,)."""
        p = len(theta) - self.intercept
        lengths = np.sqrt(np.einsum("ij,ij->i", self.rows[:, :p], self.rows[:, :p]))
        terms = np.abs(self.target) + lengths * np.linalg.norm(theta[:p]) + np.abs(theta[p:]).sum()
        return np.asarray(ROUNDING * (1.0 + terms))


def central_intercept(problem: HingeProblem, theta: FloatArray) -> float:
    """Return the middle of the interval of b that are optimal with beta; if it is a point, that kink."""
    labels = problem.rows[:, -1]
    kinks = theta[-1] + labels * problem.shortfall(theta)  # the b that puts row i on the margin
    order = np.argsort(kinks)
    # Towards larger b the slope starts at minus the weight of class +1 and grows at every kink.
    slope = np.cumsum(problem.weights[order]) - problem.weights[labels > 0].sum()
    nothing = len(labels) * EPSILON * problem.weights.sum()
    flat = np.flatnonzero(np.abs(slope[:-1]) <= nothing)
    first, last = (flat[0], flat[-1] + 1) if len(flat) else 2 * (np.argmax(slope > nothing),)
    return float(kinks[order[first]] + kinks[order[last]]) / 2
