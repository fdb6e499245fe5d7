"""Which columns an L1 penalty keeps, at the fit and after removals.

The optimality conditions of Tibshirani (1996) and of Osborne, Presnell and Turlach (2000): every coefficient
keeps the sign that its slope stands for, and the slope of the loss along every column left out is at most
lambda.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from influstat.errors import Unsupported
from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.removal.centred import Centred, centred
from influstat.risks.chart import Chart
from influstat.risks.linear import LinearRisk, as_linear
from influstat.risks.penalties.active_l1 import ActiveL1, active_l1

BLOCK = 512  # removals whose linear predictors are held at once
MARGIN = 1e-9  # relative: at the bound itself a column may stay out


def entering_pull(risk: LinearRisk, lasso: ActiveL1, theta: FloatArray) -> float:
    """Return the most that the gradient of a column left out exceeds lambda, relative to its terms."""
    if lasso.excluded is None:
        return 0.0
    slopes = risk.weights * risk.loss.first(risk.y, risk.linear_predictor(theta))
    scale = lasso.excluded.absolute_transpose_dot(np.abs(slopes))
    excess = lasso.pull(lasso.excluded.transpose_dot(slopes)) - lasso.bound
    return float(np.max(excess / np.where(scale > 0, scale, 1.0)))


def seen_centred(fit: Minimum) -> Centred | None:
    """Return the risk that has an absolute-value penalty on its active set; None where it has none."""
    risk = as_linear(fit.risk)
    lasso = None if risk is None else active_l1(risk.penalty)
    if risk is None or lasso is None:
        return None
    coordinates = fit.chart.coordinates if isinstance(fit.chart, Chart) else None
    return fit.kept.once("centred", None, lambda: centred(risk, lasso, coordinates))


def active_set_changes(fit: Minimum, theta: FloatArray, groups: Groups) -> NDArray[np.bool_]:
    """Tell which of the removals to theta, shape (k, p), change the active columns: a method of `Removal`."""
    seen = seen_centred(fit)
    if seen is None:
        raise Unsupported(
            "removal",
            "be of a fit with an absolute-value penalty on its active set",
            f"is of a {type(fit.risk).__name__} without one",
            "Ask it of fits that from_sklearn or from_statsmodels made of a lasso or an elastic net.",
        )
    return changes_seen(seen, theta, groups)


def changes_seen(seen: Centred, theta: FloatArray, groups: Groups) -> NDArray[np.bool_]:
    """Return the same of the fit as it is seen from the means of its columns, theta that of the columns."""
    risk, lasso = seen.risk, seen.lasso
    changes = np.zeros(len(theta), dtype=np.bool_)
    for start in range(0, len(changes), BLOCK):
        part = slice(start, start + BLOCK)
        after = seen.there(theta[part].T)
        signs_change = lasso.crossed(after).any(axis=0) | np.isnan(after).any(axis=0)
        changes[part] = signs_change | _columns_enter(risk, lasso, after, groups.take(part))
    return changes


def _columns_enter(risk: LinearRisk, lasso: ActiveL1, theta: FloatArray, groups: Groups) -> NDArray[np.bool_]:
    if lasso.excluded is None:
        return np.zeros(len(groups), dtype=np.bool_)
    slopes = risk.weights[:, None] * risk.loss.first(risk.y[:, None], risk.linear_predictor(theta))
    slopes[groups.members, groups.owners] = 0.0
    left = risk.protocol.left(groups.sums(risk.weights), risk.total_weight)
    pull = lasso.pull(lasso.excluded.transpose_dot(slopes))
    bound = np.broadcast_to(lasso.bound, (len(pull),))[:, None] * left
    room = MARGIN * (bound + lasso.excluded.absolute_transpose_dot(np.abs(slopes)) * lasso.positive)
    return np.asarray((pull > bound + room).any(axis=0))
