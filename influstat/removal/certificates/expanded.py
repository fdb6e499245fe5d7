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


def measure_expanded(
    rows: ExpandedSum, anchor: Anchor, groups: Groups, theta: FloatArray, left: FloatArray
) -> tuple[Measured, NDArray[np.bool_]]:
    """Measure at theta (k, p); also tell which removals the expansion is sharp enough for, shape (k,)."""
    # The anchor is that of `rows`, with what the certificate gives up. The Hessian's and the tensors' sums
    # are right to `anchor.relative` of what they are multiplied by, the sum of slopes at theta-hat as
    # `Expansion.slope_error` says.
    expansion, c, relative = rows.expansion, rows.concordance, anchor.relative
    found = rows.at(groups, left, np.ascontiguousarray(theta.T), fourth=rows.has_fourth)
    with np.errstate(over="ignore"):
        given_up = np.exp(np.minimum(c * found.path, 700.0)) * anchor.given_up_leverage
    rounding = 4.0 * relative * found.moved * (1.0 + c * found.path)
    largest = np.maximum(np.max(np.abs(theta), axis=0), np.abs(expansion.theta))
    error = expansion.slope_error + expansion.held_error(largest)
    path = found.path * (1.0 + relative) + relative * found.moved
    away = np.max(np.abs(theta - expansion.theta), axis=1)
    remainder = found.remainder * (1.0 + relative) + rounding
    sharp = found.remainder <= TOLERANCE * found.moved
    return Measured(found.gradient, error, path, away, given_up, remainder), sharp
