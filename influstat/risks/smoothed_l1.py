"""The smoothed L1 penalty and the linear risk that carries it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.curvature.linear import Curvature
from influstat.errors import InvalidArgument, InvalidType
from influstat.input.validation import FloatArray, real_number
from influstat.risks.linear import LinearRisk
from influstat.risks.penalties import L2


@dataclass(frozen=True)
class SmoothedL1:
    """Total penalty P(theta) = strength sum_j d_j (sqrt(theta_j^2 + t^2) - t): |theta_j| made smooth.

    Parameters
    ----------
    strength : float
        >= 0, on the scale of the *summed* loss: that of the lasso's sum_j |theta_j|.
    t : float
        Width of the smoothing, > 0, in units of the coefficients. P lies below the L1 penalty, by at
        most strength t for each coefficient.
    unpenalised : sequence of int or str
        Positions or names of coefficients with d_j = 0.

    Notes
    -----
    Source: Schmidt, Fung and Rosales (2007), ECML; the paper's section 4.3 names L1. Influence with the
    smoothed penalty tends to that of the lasso with a fixed active set as t goes to 0; coefficients that
    the lasso sets to 0 are then of order t, not 0.

    Raises
    ------
    InvalidArgument, InvalidType
        strength is negative, t is not positive, or unpenalised is not a sequence.

    Examples
    --------
    >>> import influstat as ist
    >>> penalty = ist.SmoothedL1(2.0, t=3.0)
    >>> penalty.value(np.array([4.0, 0.0]), penalty.diagonal(("a", "b")))      # 2 (5 - 3)
    4.0
    """

    strength: float
    t: float = 1e-3
    unpenalised: Sequence[int | str] = ()

    def __post_init__(self) -> None:
        """Check the settings."""
        checked = L2(self.strength, self.unpenalised)
        object.__setattr__(self, "strength", checked.strength)
        object.__setattr__(self, "unpenalised", checked.unpenalised)
        object.__setattr__(self, "t", real_number("t", self.t, above=0.0))

    def diagonal(self, names: tuple[str, ...]) -> FloatArray:
        """Return strength * d, shape (p,), for coefficients of these names."""
        return L2(self.strength, self.unpenalised).diagonal(names)

    def value(self, theta: FloatArray, diagonal: FloatArray) -> Any:
        """Return P(theta), or one for each column of theta (p, k); `diagonal` is strength * d."""
        shape = (-1,) + (1,) * (theta.ndim - 1)
        excess = theta * (theta / (self.t + np.hypot(theta, self.t)))  # sqrt(theta^2 + t^2) - t
        total = np.sum(diagonal.reshape(shape) * excess, axis=0)
        return float(total) if theta.ndim == 1 else total

    def gradient(self, theta: FloatArray, diagonal: FloatArray) -> FloatArray:
        """Return grad P(theta), shape (p,)."""
        return np.asarray(diagonal * (theta / np.hypot(theta, self.t)))

    def second(self, theta: FloatArray, diagonal: FloatArray) -> FloatArray:
        """Return the diagonal of P's Hessian, shape (p,)."""
        root = np.hypot(theta, self.t)
        return np.asarray(diagonal / root * (self.t / root) ** 2)


class SmoothedL1Risk:
    """R(theta) = (1/W) [sum_i w_i l(y_i, x_i'theta + o_i) + P(theta)] with a smoothed L1 penalty P.

    Parameters
    ----------
    base : LinearRisk
        Loss, data and protocol, without a penalty of its own. Its intercept stays unpenalised.
    penalty : SmoothedL1
        P.

    Notes
    -----
    Its curvature is a `Curvature` whose ridge is the penalty's second derivative at theta, so every
    solver takes it, LiSSA included.

    Raises
    ------
    InvalidArgument, InvalidType
        base has a penalty already, or an argument is of another kind.

    Examples
    --------
    >>> import influstat as ist
    >>> base = ist.LinearRisk(ist.SquaredError(), np.ones((2, 1)), [1.0, 3.0])
    >>> fit = ist.Fit.minimise(ist.SmoothedL1Risk(base, ist.SmoothedL1(2.0, t=1e-9)))
    >>> fit.theta.round(6)          # the lasso: 2 - 2 / 4
    array([1.5])
    """

    def __init__(self, base: LinearRisk, penalty: SmoothedL1) -> None:
        if not isinstance(base, LinearRisk):
            raise InvalidType(
                "base", "be a LinearRisk", f"is {base!r}", "Build one: ist.LinearRisk(loss, X, y)."
            )
        if base.penalty_diagonal.any():
            raise InvalidArgument(
                "base", "have no penalty of its own", f"has {base.penalty!r}", "Leave it out."
            )
        if not isinstance(penalty, SmoothedL1):
            raise InvalidType(
                "penalty", "be a SmoothedL1", f"is {penalty!r}", "Pass ist.SmoothedL1(strength)."
            )
        diagonal = penalty.diagonal(base.names)
        if base.design.intercept:
            diagonal[-1] = 0.0
        self._set(base, penalty, diagonal, base.total_weight)

    def _set(self, base: LinearRisk, penalty: SmoothedL1, diagonal: FloatArray, total: float) -> None:
        self.base, self.penalty, self.penalty_diagonal = base, penalty, diagonal
        self.shape: tuple[int, int] = base.shape
        self.names: tuple[str, ...] = base.names
        self.row_labels: NDArray[Any] = base.row_labels
        self.weights: FloatArray = base.weights
        self.total_weight: float = total
        self.protocol: str = base.protocol

    def _share(self, theta: FloatArray) -> FloatArray:
        """Return the penalty's part of every row's gradient: grad P / W folded, 0 fixed."""
        gradient = self.penalty.gradient(theta, self.penalty_diagonal) / self.total_weight
        return gradient if self.protocol == "folded" else np.zeros_like(gradient)

    def value(self, theta: FloatArray) -> float:
        """Return R(theta)."""
        return float(
            self.base.value(theta) + self.penalty.value(theta, self.penalty_diagonal) / self.total_weight
        )

    def gradient(self, theta: FloatArray) -> FloatArray:
        """Return grad R(theta), shape (p,)."""
        penalty = self.penalty.gradient(theta, self.penalty_diagonal)
        return self.base.gradient(theta) + penalty / self.total_weight

    def gradient_scale(self, theta: FloatArray) -> FloatArray:
        """Return the size of each entry of the gradient without cancellation, shape (p,).

        Where |theta_j| is below t the penalty is a steep parabola: rounding in theta_j counts there.
        """
        gradient = np.abs(self.penalty.gradient(theta, self.penalty_diagonal))
        bend = self.penalty.second(theta, self.penalty_diagonal) * np.abs(theta)
        return self.base.gradient_scale(theta) + (gradient + bend) / self.total_weight

    def curvature(self, theta: FloatArray) -> Curvature:
        """Return the Hessian H(theta) as an operator."""
        base = self.base.curvature(theta)
        ridge = self.penalty.second(theta, self.penalty_diagonal) / self.total_weight
        return Curvature(base.design, base.second, base.share, ridge)

    def row_losses(self, theta: FloatArray) -> FloatArray:
        """Return L_i = l_i + s P / W, shape (n,), or (n, k) for theta of shape (p, k)."""
        losses = self.base.row_losses(theta)
        if self.protocol == "folded":
            losses = losses + self.penalty.value(theta, self.penalty_diagonal) / self.total_weight
        return losses

    def row_gradients(self, theta: FloatArray, rows: Any = slice(None)) -> FloatArray:
        """Return g_i for the chosen rows, shape (k, p); not multiplied by the weights."""
        return self.base.row_gradients(theta, rows) + self._share(theta)

    def row_gradients_dot(self, theta: FloatArray, vectors: FloatArray) -> FloatArray:
        """Return g_i'v for all rows and all columns v of `vectors` (p, m), shape (n, m)."""
        return self.base.row_gradients_dot(theta, vectors) + self._share(theta) @ vectors

    def reweighted(self, weights: Any) -> SmoothedL1Risk:
        """Return the risk with other weights; P as the protocol says (see `LinearRisk.reweighted`)."""
        base = self.base.reweighted(weights)
        factor = base.total_weight / self.total_weight if self.protocol == "folded" else 1.0
        return self._like(base, self.penalty_diagonal * factor, base.total_weight)

    def test_rows(self, X: Any, y: Any, *, offset: Any = None) -> SmoothedL1Risk:
        """Return held-out rows with this risk's loss and penalty share; W stays the training total."""
        return self._like(self.base.test_rows(X, y, offset=offset), self.penalty_diagonal, self.total_weight)

    def _like(self, base: LinearRisk, diagonal: FloatArray, total: float) -> SmoothedL1Risk:
        part = object.__new__(SmoothedL1Risk)
        part._set(base, self.penalty, diagonal, total)
        return part

    def predictions(
        self, theta: FloatArray, X: Any, *, kind: str = "linear", offset: Any = None
    ) -> FloatArray:
        """Return predictions for new rows, as `LinearRisk` does."""
        return self.base.predictions(theta, X, kind=kind, offset=offset)

    def prediction_gradients(
        self, theta: FloatArray, X: Any, *, kind: str = "linear", offset: Any = None
    ) -> tuple[FloatArray, NDArray[Any]]:
        """Return the gradients of the predictions, shape (p, m), and the labels of the new rows."""
        return self.base.prediction_gradients(theta, X, kind=kind, offset=offset)
