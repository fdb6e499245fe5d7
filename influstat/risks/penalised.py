"""`PenalisedRisk`: a linear risk with any quadratic penalty, for what `L2` cannot say.

Smoothing penalties with a full matrix, and ridge penalties of several strengths.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.curvature.dense import DenseCurvature
from influstat.input.validation import FloatArray
from influstat.risks.linear import LinearRisk
from influstat.risks.linear_part import LinearPart


class PenalisedRisk:
    """R(theta) = R_0(theta) + P(theta) / W with P(theta) = theta'S theta / 2.

    Parameters
    ----------
    base : LinearRisk
        R_0, without a penalty of its own; its protocol says what becomes of P when rows go.
    matrix : ndarray, shape (p, p)
        S, symmetric, on the scale of the summed loss.

    Examples
    --------
    >>> import numpy as np, influstat as ist
    >>> base = ist.LinearRisk(ist.SquaredError(), [[1.0], [1.0]], [1.0, 3.0])
    >>> ist.Fit.minimise(PenalisedRisk(base, np.array([[2.0]]))).theta        # x'y / (x'x + 1)
    array([1.33333333])
    """

    def __init__(self, base: LinearRisk, matrix: FloatArray) -> None:
        self.base = base
        self.matrix = matrix
        self.shape = base.shape
        self.names: tuple[str, ...] = base.names
        self.row_labels: NDArray[Any] = base.row_labels
        self.weights: FloatArray = base.weights
        self.total_weight: float = base.total_weight
        self.protocol: str = base.protocol
        self.loss = base.loss

    def linear_part(self, theta: FloatArray) -> LinearPart:
        """Return the rows and the penalty, for leverages and standard errors."""
        return LinearPart(self.base, self.matrix, self.penalty_gradient(theta))

    # -- the risk ------------------------------------------------------------------------------------

    def penalty_value(self, theta: FloatArray) -> Any:
        """Return P(theta), sum scale; shape (k,) for theta of shape (p, k)."""
        return 0.5 * np.sum(theta * (self.matrix @ theta), axis=0)

    def penalty_gradient(self, theta: FloatArray) -> FloatArray:
        """Return S theta, sum scale."""
        return np.asarray(self.matrix @ theta)

    def value(self, theta: FloatArray) -> float:
        """Return R(theta)."""
        return self.base.value(theta) + float(self.penalty_value(theta)) / self.total_weight

    def gradient(self, theta: FloatArray) -> FloatArray:
        """Return grad R(theta), shape (p,)."""
        return self.base.gradient(theta) + self.penalty_gradient(theta) / self.total_weight

    def gradient_scale(self, theta: FloatArray) -> FloatArray:
        """Return the size of each entry of the gradient without cancellation, shape (p,)."""
        size = np.abs(self.matrix) @ np.abs(theta)
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
        return PenalisedRisk(base, factor * self.matrix)

    def test_rows(self, X: Any, y: Any, *, offset: Any = None) -> PenalisedRisk:
        """Return new rows as a risk; W stays the training total."""
        tests = PenalisedRisk(self.base.test_rows(X, y, offset=offset), self.matrix)
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
