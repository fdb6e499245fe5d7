"""Fits with an absolute-value penalty, on their active set: where no coefficient is 0, it is a plane.

On the orthant of the fitted signs lambda |beta|_1 = lambda sign(beta)'beta, so that a small enough change
of the data moves the coefficients as if the penalty were linear and the columns with coefficient 0 were
not there. A row whose removal changes that set of columns is flagged by `active_set_changes`
(the optimality conditions of Tibshirani 1996 and of Osborne, Presnell and Turlach 2000).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.input.design import Design
from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.risks.linear import LinearRisk
from influstat.risks.linear_part import LinearPart

BLOCK = 512  # removals whose linear predictors are held at once
MARGIN = 1e-9  # relative: at the bound itself a column may stay out


class ActiveSetRisk:
    """R(theta) = (1/W) [sum_i w_i l_i + (kappa/2) |theta|^2 + slope'theta], theta the active coefficients.

    Parameters
    ----------
    smooth : LinearRisk
        Everything but the linear part, its design the active columns.
    slope : ndarray, shape (p,)
        lambda sign(theta_j), sum scale; 0 where a coefficient has no such penalty.
    excluded : Design, optional
        The columns left out, to tell when one of them would come in.
    bound : float
        lambda, sum scale: how large |sum_i w_i l1_i x_ij| may be for a column that stays out.

    Notes
    -----
    It satisfies `Risk` and nothing of it is a `LinearRisk`: closed forms that know only kappa would be
    wrong here.

    Examples
    --------
    >>> import influstat as ist
    >>> from influstat.risks.active_set import ActiveSetRisk
    >>> smooth = ist.LinearRisk(ist.SquaredError(), [[1.0], [1.0]], [1.0, 3.0])
    >>> ist.Fit.minimise(ActiveSetRisk(smooth, np.array([2.0]))).theta        # 4 theta - 8 + 2 = 0
    array([1.5])
    """

    def __init__(
        self, smooth: LinearRisk, slope: FloatArray, *, excluded: Design | None = None, bound: float = 0.0
    ) -> None:
        self.smooth, self.slope, self.excluded, self.bound = smooth, slope, excluded, bound
        self.loss = smooth.loss
        self.shape, self.names = smooth.shape, smooth.names
        self.row_labels, self.protocol = smooth.row_labels, smooth.protocol
        self.weights, self.total_weight = smooth.weights, smooth.total_weight

    @property
    def _share(self) -> FloatArray:
        """Return the linear penalty's part of every row's gradient: slope / W folded, 0 fixed."""
        return self.slope / self.total_weight if self.protocol == "folded" else np.zeros_like(self.slope)

    def linear_part(self, theta: FloatArray) -> LinearPart:
        """Return the rows and the penalty on the active set, for leverages and standard errors."""
        diagonal = self.smooth.penalty_diagonal
        return LinearPart(self.smooth, np.diag(diagonal), diagonal * theta + self.slope)

    def value(self, theta: FloatArray) -> float:
        """Return R(theta)."""
        return self.smooth.value(theta) + float(self.slope @ theta) / self.total_weight

    def gradient(self, theta: FloatArray) -> FloatArray:
        """Return grad R(theta), shape (p,)."""
        return self.smooth.gradient(theta) + self.slope / self.total_weight

    def gradient_scale(self, theta: FloatArray) -> FloatArray:
        """Return the size of each entry of the gradient without cancellation, shape (p,)."""
        return self.smooth.gradient_scale(theta) + np.abs(self.slope) / self.total_weight

    def curvature(self, theta: FloatArray) -> Any:
        """Return the Hessian: the linear part has none."""
        return self.smooth.curvature(theta)

    def row_losses(self, theta: FloatArray) -> FloatArray:
        """Return L_i, shape (n,) or (n, k)."""
        return np.asarray(self.smooth.row_losses(theta) + self._share @ theta)

    def row_gradients(self, theta: FloatArray, rows: Any = slice(None)) -> FloatArray:
        """Return g_i of the chosen rows, shape (k, p)."""
        return self.smooth.row_gradients(theta, rows) + self._share

    def row_gradients_dot(self, theta: FloatArray, vectors: FloatArray) -> FloatArray:
        """Return g_i'v, shape (n, m)."""
        return self.smooth.row_gradients_dot(theta, vectors) + self._share @ vectors

    def reweighted(self, weights: Any) -> ActiveSetRisk:
        """Return the risk of the same rows with other weights, the penalty as the protocol says."""
        smooth = self.smooth.reweighted(weights)
        factor = smooth.total_weight / self.total_weight if self.protocol == "folded" else 1.0
        return ActiveSetRisk(smooth, self.slope * factor, excluded=self.excluded, bound=self.bound * factor)

    def test_rows(self, X: Any, y: Any, *, offset: Any = None) -> ActiveSetRisk:
        """Return new rows, with all columns as the estimator takes them."""
        tests = ActiveSetRisk(self.smooth.test_rows(X, y, offset=offset), self.slope)
        tests.total_weight = self.total_weight
        return tests

    def predictions(
        self, theta: FloatArray, X: Any, *, kind: str = "linear", offset: Any = None
    ) -> FloatArray:
        """Return predictions for new rows, with all columns as the estimator takes them."""
        return self.smooth.predictions(theta, X, kind=kind, offset=offset)

    def prediction_gradients(
        self, theta: FloatArray, X: Any, *, kind: str = "linear", offset: Any = None
    ) -> tuple[FloatArray, NDArray[Any]]:
        """Return the gradients of the predictions, shape (p, m), and the labels of the new rows."""
        return self.smooth.prediction_gradients(theta, X, kind=kind, offset=offset)

    def entering_pull(self, theta: FloatArray) -> float:
        """Return how far the gradient of a column left out exceeds lambda, relative to its terms.

        At most 0 where all those columns rightly stay out.
        """
        if self.excluded is None:
            return 0.0
        smooth = self.smooth
        slopes = smooth.weights * smooth.loss.first(smooth.y, smooth.linear_predictor(theta))
        scale = self.excluded.absolute_transpose_dot(np.abs(slopes))
        excess = np.abs(self.excluded.transpose_dot(slopes)) - self.bound
        return float(np.max(excess / np.where(scale > 0, scale, 1.0)))

    def crossed(self, theta: FloatArray) -> list[str]:
        """Return the names of the coefficients whose sign is not the one that `slope` stands for."""
        return [self.names[j] for j in np.flatnonzero(theta * np.sign(self.slope) < 0)]

    def active_set_changes(self, removal: Any) -> NDArray[np.bool_]:
        """Tell which removals change the set of active columns, so that theta there is not a refit's.

        Parameters
        ----------
        removal : Removal
            What `fit.leave_one_out()` or `fit.leave_groups_out(labels)` returned for a fit of this risk.

        Returns
        -------
        ndarray of bool, shape (k,)
            True where a coefficient changes its sign, a column left out would come in, or theta is nan.
            With method "exact" False proves that `removal.theta` is the full refit, since the optimality
            conditions hold there.
        """
        changes = np.zeros(len(removal.theta), dtype=np.bool_)
        for start in range(0, len(changes), BLOCK):
            part = slice(start, start + BLOCK)
            theta, groups = removal.theta[part], removal.groups.take(part)
            changes[part] = self._signs_change(theta) | self._columns_enter(theta, groups)
        return changes

    def _signs_change(self, theta: FloatArray) -> NDArray[np.bool_]:
        kept = theta * np.sign(self.slope) >= 0  # False for nan
        return np.asarray(~kept.all(axis=1))

    def _columns_enter(self, theta: FloatArray, groups: Groups) -> NDArray[np.bool_]:
        if self.excluded is None:
            return np.zeros(len(theta), dtype=np.bool_)
        smooth = self.smooth
        eta = smooth.design.dot(theta.T) + smooth.offset[:, None]
        slopes = smooth.weights[:, None] * smooth.loss.first(smooth.y[:, None], eta)
        slopes[groups.members, groups.owners] = 0.0
        gone = groups.sums(smooth.weights) if self.protocol == "folded" else 0.0
        left = 1.0 - gone / smooth.total_weight
        pull = np.abs(self.excluded.transpose_dot(slopes)).max(axis=0)
        return np.asarray(pull > self.bound * left * (1.0 + MARGIN))
