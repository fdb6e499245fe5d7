"""The second-order infinitesimal jackknife: theta as a function of a group's weight, to second order.

theta(e) minimises F - e L_S, L_S the group's part of F with its share of the penalty. At e = 0
    theta'  = S^-1 g_S,
    theta'' = S^-1 [ 2 H_S theta' - X'(w l3 (X theta')^2) - D^3 P[theta', theta'] ],
with g_S and H_S the gradient and Hessian of L_S (sum scale), and theta(1) ~ theta-hat + theta' + theta''/2.
Of several classes the bend is the sum of third cumulants along the rows' shifts, and the penalty quadratic.
The error is of third order: halving the removed weight divides it by 8.
"""

from __future__ import annotations

import numpy as np

from influstat.algebra.cholesky import CholeskyInverse
from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.removal.class_expansion import AnyExpansion
from influstat.removal.methods.base import Method, Outcome
from influstat.removal.remaining import Remaining


class SecondOrder(Method):
    """theta-hat + theta' + theta'' / 2 for every group."""

    def __init__(self, expansion: AnyExpansion) -> None:
        self.expansion = expansion
        matrix = expansion.data_hessian.copy(order="F")
        expansion.penalty_hessian.add_to(matrix)
        self._inverse = CholeskyInverse(matrix, expansion.risk.names)

    def remove(self, groups: Groups) -> Outcome:
        """Return the coefficients of one block of removals."""
        expansion, remainder = self.expansion, self.expansion.remainder(groups)
        # g_S = grad F - grad F_k; only the group's own part, as in the first-order method.
        own = expansion.gradient[:, None] - remainder.gradients_at_center()
        first = self._inverse.solve(own)
        taken = (1.0 - remainder.factors) * expansion.penalty_hessian.dot(first)
        curved = expansion.curved(groups)
        along = np.einsum("ps,ps->s", curved.columns, first[:, curved.parts.owners]) * curved.curvature
        taken += curved.parts.added(curved.columns * along, axis=1)
        second = self._inverse.solve(2.0 * taken - self.bend(remainder, first))
        theta = expansion.theta[:, None] + first + 0.5 * second
        return Outcome(theta, np.zeros(len(groups), dtype=np.bool_), [""] * len(groups))

    def bend(self, remainder: Remaining, first: FloatArray) -> FloatArray:
        """Return what third derivatives make of theta', shape (p, K)."""
        return remainder.bend(first)
