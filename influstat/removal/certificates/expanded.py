"""The measurements of `measured` from sums over all rows that are expanded once (see `engine.expanded`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.removal.certificates.anchor import Anchor
from influstat.removal.certificates.measured import Measured
from influstat.removal.engine.expanded import ExpandedSum
from influstat.removal.engine.plan import TOLERANCE


class ExpandedRows:
    """Measures removals of one risk around theta-hat in time that does not grow with its rows.

    The Hessian's and the tensors' sums are right to `anchor.relative` of what they are multiplied by, the sum
    of slopes at theta-hat as `Expansion.slope_error` says.
    """

    def __init__(self, rows: ExpandedSum, anchor: Anchor) -> None:
        self.rows, self._anchor = rows, anchor  # the same coordinates, with what the certificate gives up
        self._error = rows.expansion.slope_error
        self._given_up = anchor.given_up_leverage

    def measure(
        self, groups: Groups, theta: FloatArray, left: FloatArray
    ) -> tuple[Measured, NDArray[np.bool_]]:
        """Measure at theta (k, p); also tell which removals the expansion is sharp enough for, shape (k,)."""
        at = self.rows.expansion.theta
        columns = np.ascontiguousarray(theta.T)
        found = self.rows.at(groups, left, columns, fourth=self.rows.has_fourth)
        c = self.rows.concordance
        with np.errstate(over="ignore"):
            given_up = np.exp(np.minimum(c * found.path, 700.0)) * self._given_up
        rounding = 4.0 * self._anchor.relative * found.moved * (1.0 + c * found.path)
        largest = np.maximum(np.max(np.abs(theta), axis=0), np.abs(at))
        penalty = self.rows.expansion.held_error(largest)
        path = found.path * (1.0 + self._anchor.relative) + self._anchor.relative * found.moved
        away = np.max(np.abs(theta - at), axis=1)
        remainder = found.remainder * (1.0 + self._anchor.relative) + rounding
        sharp = found.remainder <= TOLERANCE * found.moved
        return Measured(found.gradient, self._error + penalty, path, away, given_up, remainder), sharp
