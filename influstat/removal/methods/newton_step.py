"""One Newton step from theta-hat without each group: leverage corrected, exact for squared error."""

from __future__ import annotations

import numpy as np

from influstat.algebra.cholesky import CholeskyInverse
from influstat.errors import InflustatError
from influstat.input.groups import Groups, Indices
from influstat.input.validation import FloatArray
from influstat.removal.class_expansion import AnyExpansion
from influstat.removal.inverse import Downdated, SharedInverse
from influstat.removal.methods.base import Method, Outcome, without
from influstat.removal.remaining import Remaining


class NewtonStep(Method):
    """theta-hat - S_-k^-1 grad F_k(theta-hat), S_-k the Hessian at theta-hat of what is left, F_k."""

    def __init__(self, expansion: AnyExpansion, groups: Groups) -> None:
        self.expansion = expansion
        self.shared = SharedInverse(expansion, expansion.left(groups))

    def remove(self, groups: Groups) -> Outcome:
        """Return the steps of one block of removals."""
        remainder = self.expansion.remainder(groups)
        inverse = Downdated(self.expansion, self.shared, groups, remainder.factors)
        delta, status = self.step(remainder, inverse)
        theta = self.expansion.theta[:, None] + delta
        return Outcome(theta, np.zeros(len(groups), dtype=np.bool_), status)

    def step(self, remainder: Remaining, inverse: Downdated) -> tuple[FloatArray, list[str]]:
        """Return the steps, shape (p, K), and the status of each removal."""
        delta = inverse.newton_steps(remainder.gradients_at_center)
        hard = np.flatnonzero(inverse.hard)
        gradients = remainder.gradients_at_center() if hard.size else delta
        status = [""] * len(inverse.hard)
        for k in hard.tolist():
            rows = remainder.groups[k]
            try:
                delta[:, k] = -anew(self.expansion, rows, float(remainder.factors[k])).solve(gradients[:, k])
            except InflustatError as error:
                delta[:, k] = np.nan
                status[k] = without(rows, str(error))
        return delta, status


def anew(expansion: AnyExpansion, rows: Indices, factor: float) -> CholeskyInverse:
    """Factor the Hessian of the rows left, summed without the removed ones, or raise."""
    return CholeskyInverse(expansion.hessian_without(rows, factor), expansion.risk.names)
