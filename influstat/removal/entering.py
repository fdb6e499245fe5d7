"""Predictions and losses after removals that let a column in which the fit has no coefficient for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.input.design import Design
from influstat.input.validation import FloatArray, vector
from influstat.risks.contract import Risk
from influstat.risks.linear import as_linear
from influstat.risks.penalties.active_l1 import ActiveL1, active_l1


def lasso_of(risk: Risk) -> ActiveL1 | None:
    """Return the absolute-value penalty that the risk has on its active set; None without one."""
    linear = as_linear(risk)
    return None if linear is None else active_l1(linear.penalty)


def enters(entering: Any, k: int) -> NDArray[np.bool_]:
    """Return which of k removals let a column in."""
    return np.zeros(k, dtype=np.bool_) if entering is None else np.diff(entering.indptr) > 0


def with_entering(
    values: FloatArray,
    risk: Risk,
    entering: Any,
    X: Any,
    offset: Any,
    evaluate: Callable[[int, Any], FloatArray],
) -> FloatArray:
    """Replace the rows of values (k, m) whose removal lets a column in by evaluate(removal, offset)."""
    # What the columns add to the linear predictor of new rows is an offset, one for each removal.
    removals = np.flatnonzero(enters(entering, len(values)))
    lasso = lasso_of(risk)
    if not removals.size or lasso is None or lasso.excluded is None:
        return values
    columns = _columns(lasso, lasso.excluded, X)
    fixed = 0.0 if offset is None else vector("offset", offset, columns.shape[0])
    for k in removals.tolist():
        coefficients = entering[[k]].toarray()[0]
        values[k] = evaluate(k, fixed + columns.dot(coefficients))
    return values


def _columns(lasso: ActiveL1, excluded: Design, X: Any) -> Design:
    """Return the columns of new rows that the fit left out, or raise where X does not hold them."""
    if lasso.of_new_rows is None:
        raise InvalidArgument(
            "X",
            "hold the columns with coefficient 0 too: without some rows one of them comes in",
            "holds those of the fit alone",
            "Leave out the rows that removal.active_set_changes() names, or fit with scikit-learn.",
        )
    return excluded.like(lasso.of_new_rows(X), argument="X")
