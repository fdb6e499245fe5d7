"""The second-order infinitesimal jackknife: theta as a function of a group's weight, to second order.

theta(e) minimises F - e L_S, L_S the group's part of F with its share of the penalty. At e = 0
    theta'  = S^-1 g_S,
    theta'' = S^-1 [ 2 H_S theta' - X'(w l3 (X theta')^2) - D^3 P[theta', theta'] ],
with g_S and H_S the gradient and Hessian of L_S (sum scale), and theta(1) ~ theta-hat + theta' + theta''/2.
The error is of third order: halving the removed weight divides it by 8.
"""

from __future__ import annotations

import numpy as np

from influstat.algebra.cholesky import CholeskyInverse
from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.removal.expansion import Expansion, Remainder
from influstat.removal.methods.base import Method, Outcome


class SecondOrder(Method):
    """theta-hat + theta' + theta'' / 2 for every group."""

    def __init__(self, expansion: Expansion) -> None:
        self.expansion = expansion
        risk = expansion.risk
        matrix = expansion.data_hessian.copy(order="F")
        expansion.penalty_hessian.add_to(matrix)
        self._inverse = CholeskyInverse(matrix, risk.names)
        self._third: FloatArray = risk.weights * risk.loss.third(risk.y, expansion.eta)

    def remove(self, groups: Groups) -> Outcome:
        """Return the coefficients of one block of removals."""
        expansion = self.expansion
        remainder = Remainder(expansion, groups)
        # g_S = grad F - grad F_k; only the group's own part, as in the first-order method.
        own = expansion.gradient[:, None] - remainder.gradients_at_center()
        first = self._inverse.solve(own)
        second = self._inverse.solve(2.0 * self._own_curvature(remainder, first) - self._bend(first))
        theta = expansion.theta[:, None] + first + 0.5 * second
        return Outcome(theta, np.zeros(len(groups), dtype=np.bool_), [""] * len(groups))

    def _own_curvature(self, remainder: Remainder, first: FloatArray) -> FloatArray:
        """Return H_S theta' for every group, shape (p, K)."""
        risk, groups = self.expansion.risk, remainder.groups
        result = (1.0 - remainder.factors) * self.expansion.penalty_hessian.dot(first)
        for k in range(len(groups)):
            rows = groups[k]
            x = risk.design.rows(rows)
            result[:, k] += (self.expansion.second[rows] * (x @ first[:, k])) @ x
        return np.asarray(result)

    def _bend(self, first: FloatArray) -> FloatArray:
        """Return X'(w l3 (X theta')^2) + D^3 P[theta', theta'], shape (p, K)."""
        return self.expansion.risk.penalty.third(self.expansion.theta, first) + self.data_bend(first)

    def data_bend(self, first: FloatArray) -> FloatArray:
        """Return X'(w l3 (X theta')^2), shape (p, K), summed over all rows for every removal."""
        result = np.zeros_like(first)
        for rows, block in self.expansion.risk.design.blocks():
            moved = block @ first
            moved *= moved
            moved *= self._third[rows, None]
            result += block.T @ moved
        return result
