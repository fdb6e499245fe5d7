"""`PenalisedRisk`: a linear risk with any quadratic and linear penalty, for what `L2` cannot say.

Smoothing penalties theta'S theta / 2 with a full matrix, ridge penalties of several strengths, and the
L1 penalty on its active set, where it is c'theta with c_j = strength_j sign(theta_j).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.adapters.likelihood_risk import DenseCurvature
from influstat.risk import LinearRisk
from influstat.validation import FloatArray


class PenalisedRisk:
    """R(theta) = R_0(theta) + P(theta) / W with P(theta) = theta'S theta / 2 + c'theta.

    Parameters
    ----------
    base : LinearRisk
        R_0, without a penalty of its own; its protocol says what becomes of P when rows go.
    matrix : ndarray, shape (p, p)
        S, symmetric, on the scale of the summed loss.
    linear : ndarray, shape (p,), optional
        c; zeros when left out.

    Examples
    --------
    >>> import numpy as np, influstat as ist
    >>> base = ist.LinearRisk(ist.SquaredError(), [[1.0], [1.0]], [1.0, 3.0])
    >>> ist.Fit.minimise(PenalisedRisk(base, np.array([[2.0]]))).theta        # x'y / (x'x + 1)
    array([1.33333333])
    """

    def __init__(self, base: LinearRisk, matrix: FloatArray, linear: FloatArray | None = None) -> None:
        self.base = base
        self.matrix = matrix
        self.linear = np.zeros(base.shape[1]) if linear is None else linear
        self.shape = base.shape
        self.names: tuple[str, ...] = base.names
        self.row_labels: NDArray[Any] = base.row_labels
        self.weights: FloatArray = base.weights
        self.total_weight: float = base.total_weight
        self.protocol: str = base.protocol
        self.loss = base.loss

    # -- the risk ------------------------------------------------------------------------------------

    def penalty_value(self, theta: FloatArray) -> Any:
        """Return P(theta), sum scale; shape (k,) for theta of shape (p, k)."""
        return 0.5 * np.sum(theta * (self.matrix @ theta), axis=0) + self.linear @ theta

    def penalty_gradient(self, theta: FloatArray) -> FloatArray:
        """Return S theta + c, sum scale."""
        return np.asarray(self.matrix @ theta + self.linear)

    def value(self, theta: FloatArray) -> float:
        """Return R(theta)."""
        return self.base.value(theta) + float(self.penalty_value(theta)) / self.total_weight

    def gradient(self, theta: FloatArray) -> FloatArray:
        """Return grad R(theta), shape (p,)."""
        return self.base.gradient(theta) + self.penalty_gradient(theta) / self.total_weight

    def gradient_scale(self, theta: FloatArray) -> FloatArray:
        """Return the size of each entry of the gradient without cancellation, shape (p,)."""
        size = np.abs(self.matrix) @ np.abs(theta) + np.abs(self.linear)
        return np.asarray(self.base.gradient_scale(theta) + size / self.total_weight)

    def curvature(self, theta: FloatArray) -> DenseCurvature:
        """Return the Hessian H(theta) as an operator."""
        return DenseCurvature(self.base.curvature(theta).to_dense() + self.matrix / self.total_weight)

    # -- rows ------------------------------------------------------------------------------------------

    def _share(self, theta: FloatArray) -> FloatArray:
        share = self.penalty_gradient(theta) / self.total_weight
        return share if self.protocol == "folded" else np.zeros_like(share)

    def row_losses(self, theta: FloatArray) -> FloatArray:
        """Return L_i = l_i + s P / W, shape (n,), or (n, k) for theta of shape (p, k)."""
        losses = self.base.row_losses(theta)
        folded = self.protocol == "folded"
        return np.asarray(losses + self.penalty_value(theta) / self.total_weight) if folded else losses

    def row_gradients(self, theta: FloatArray, rows: Any = slice(None)) -> FloatArray:
        """Return g_i of the chosen rows, shape (k, p), not multiplied by the weights."""
        return self.base.row_gradients(theta, rows) + self._share(theta)

    def row_gradients_dot(self, theta: FloatArray, vectors: FloatArray) -> FloatArray:
        """Return g_i'v for all rows and all columns v of `vectors` (p, m), shape (n, m)."""
        return np.asarray(self.base.row_gradients_dot(theta, vectors) + self._share(theta) @ vectors)

    def reweighted(self, weights: Any) -> PenalisedRisk:
        """Return the risk of the same rows with other weights, its penalty as the protocol says."""
        base = self.base.reweighted(weights)
        factor = base.total_weight / self.total_weight if self.protocol == "folded" else 1.0
        return PenalisedRisk(base, factor * self.matrix, factor * self.linear)

    def test_rows(self, X: Any, y: Any, *, offset: Any = None) -> PenalisedRisk:
        """Return new rows as a risk; W stays the training total."""
        tests = PenalisedRisk(self.base.test_rows(X, y, offset=offset), self.matrix, self.linear)
        tests.total_weight = self.total_weight
        return tests

    def predictions(
        self, theta: FloatArray, X: Any, *, kind: str = "linear", offset: Any = None
    ) -> FloatArray:
        """Return predictions for new rows."""
        return self.base.predictions(theta, X, kind=kind, offset=offset)

    def prediction_gradients(
        self, theta: FloatArray, X: Any, *, kind: str = "linear", offset: Any = None
    ) -> tuple[FloatArray, NDArray[Any]]:
        """Return the gradients of the predictions, shape (p, m), and the labels of the new rows."""
        return self.base.prediction_gradients(theta, X, kind=kind, offset=offset)


class ActiveSetRisk(PenalisedRisk):
    """A risk with an L1 penalty, seen on its active set: the coefficients that are not zero.

    Parameters
    ----------
    base : LinearRisk
        The risk of the active columns alone.
    matrix : ndarray, shape (p, p)
        Ridge part of the penalty.
    strength : ndarray, shape (p,)
        L1 strength of each active coefficient, sum scale.
    signs : ndarray, shape (p,)
        Signs of the active coefficients.
    inactive : LinearRisk
        The risk of the columns with coefficient zero, for their gradients; None where there are none.
    inactive_strength : ndarray, shape (q,)
        Their L1 strengths.

    Notes
    -----
    Influence and removal are those of the smooth problem on the active set. They are the truth while
    the set and the signs stay what they are; `leaves_active_set` tells for which thetas they do not.

    Examples
    --------
    >>> import numpy as np, influstat as ist
    >>> base = ist.LinearRisk(ist.SquaredError(), [[1.0], [1.0]], [1.0, 3.0])
    >>> one = np.ones(1)
    >>> ist.Fit.minimise(ActiveSetRisk(base, np.zeros((1, 1)), one, one, None, np.zeros(0))).theta
    array([1.75])
    """

    def __init__(
        self,
        base: LinearRisk,
        matrix: FloatArray,
        strength: FloatArray,
        signs: FloatArray,
        inactive: LinearRisk | None,
        inactive_strength: FloatArray,
    ) -> None:
        super().__init__(base, matrix, strength * signs)
        self.strength, self.signs = strength, signs
        self.inactive, self.inactive_strength = inactive, inactive_strength

    def reweighted(self, weights: Any) -> ActiveSetRisk:
        """Return the risk of the same rows with other weights, its penalty as the protocol says."""
        base = self.base.reweighted(weights)
        factor = base.total_weight / self.total_weight if self.protocol == "folded" else 1.0
        inactive = None if self.inactive is None else self.inactive.reweighted(weights)
        return ActiveSetRisk(
            base,
            factor * self.matrix,
            factor * self.strength,
            self.signs,
            inactive,
            factor * self.inactive_strength,
        )

    def leaves_active_set(self, theta: FloatArray) -> bool:
        """Return whether at theta a penalised coefficient has changed sign, or a zero would not stay zero."""
        if ((theta * self.signs < 0) & (self.strength > 0)).any():
            return True
        if self.inactive is None:
            return False
        # The columns with coefficient zero see the residuals of the others as an offset.
        first = self.base.loss.first(self.base.y, self.base.linear_predictor(theta))
        gradient = self.inactive.design.transpose_dot(self.base.weights * first)
        return bool((np.abs(gradient) > self.inactive_strength * (1.0 + 1e-9)).any())


def active_set_changes(fit: Any, rows: Sequence[int], theta: FloatArray) -> NDArray[np.bool_]:
    """Return, for each row removed alone with result theta[k], whether the active set changes.

    Where it does, the reported change is that of the smooth problem on the old active set, not of a
    refit. True is exact at an exact removal's theta, and a first-order judgement at an approximation's.

    Parameters
    ----------
    fit : Fit
        Of results from `fit_regularized` with an L1 penalty.
    rows : sequence of int
        The rows removed, as `Removal.rows`.
    theta : ndarray, shape (k, p)
        The coefficients without them, as `Removal.theta`.
    """
    changes = []
    for row, without in zip(rows, theta, strict=True):
        weights = fit.risk.weights.copy()
        weights[row] = 0.0
        changes.append(fit.risk.reweighted(weights).leaves_active_set(without))
    return np.array(changes, dtype=np.bool_)
