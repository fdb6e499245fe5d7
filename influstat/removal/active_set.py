"""Which columns an L1 penalty keeps, at the fit and after removals, and what those that come in change.

The optimality conditions of Tibshirani (1996) and of Osborne, Presnell and Turlach (2000): every coefficient
keeps the sign that its slope stands for, and the slope of the loss along every column left out is at most
lambda. A fit whose columns are far from 0 is seen from their means: no coefficient but that of an unpenalised
constant depends on where the columns begin, and slopes of the loss along columns of 1e7 would have lost seven
of their digits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.coordinates import Coordinates
from influstat.errors import InvalidArgument, Unsupported
from influstat.input.design import Design
from influstat.input.groups import Groups
from influstat.input.validation import FloatArray, vector
from influstat.minimise.minimum import Minimum
from influstat.risks.chart import Chart
from influstat.risks.contract import Risk
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


@dataclass(frozen=True, eq=False)
class Centred:
    """A linear risk and its absolute-value penalty, the same multiples of the constant off its columns."""

    risk: LinearRisk
    lasso: ActiveL1
    constant: int = -1  # the column of which `center` was taken off the others; -1 where nothing was
    center: FloatArray | None = None  # of the p active columns and of the q left out, shape (p + q,)

    def there(self, theta: FloatArray) -> FloatArray:
        """Return the coefficients (p,) or (p, k) of the centred columns."""
        return self._shifted(theta, 1.0)

    def back(self, theta: FloatArray) -> FloatArray:
        """Return those of the columns themselves, (p,) or (p + q,) of all that were left out too."""
        return self._shifted(theta, -1.0)

    def _shifted(self, theta: FloatArray, sign: float) -> FloatArray:
        if self.center is None:
            return theta
        moved = theta.copy()
        moved[self.constant] += sign * (self.center[: len(theta)] @ theta)
        return moved


def centred(risk: LinearRisk, lasso: ActiveL1, coordinates: Coordinates | None) -> Centred:
    """Return the risk less the centers that its coordinates at the minimum have, None where it needs none."""
    constant = -1 if coordinates is None else coordinates.constant
    if coordinates is None or constant < 0 or _penalised(risk, lasso, constant):
        return Centred(risk, lasso)
    design, excluded = risk.design, lasso.excluded
    ones, center = design.rows(slice(None))[:, constant], coordinates.center
    moved = _less(design, ones, center)
    if excluded is not None:
        share = risk.weights * ones
        share = share / (share @ ones)
        others = share @ excluded.rows(slice(None))
        lasso = replace(lasso, excluded=_less(excluded, ones, others))
        center = np.concatenate([center, others])
    return Centred(risk.moved(replace(risk.rows, design=moved), risk.penalty), lasso, constant, center)


def _less(design: Design, ones: FloatArray, center: FloatArray) -> Design:
    dense: Any = design.rows(slice(None)) - ones[:, None] * center
    return Design(dense, names=design.names)


def _penalised(risk: LinearRisk, lasso: ActiveL1, column: int) -> bool:
    """Return whether a coefficient costs anything, or has a sign to keep: then the origin counts."""
    ridge = risk.penalty.hessian(np.zeros(risk.shape[1])).diagonal()[column]
    return bool(ridge or lasso.slope[column] or lasso.signs[column])


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
