"""The empirical risk: a pointwise loss, a penalty and the data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.curvature.linear import Curvature
from influstat.errors import InvalidArgument, InvalidType
from influstat.input.design import Design
from influstat.input.parts import require_parts
from influstat.input.validation import (
    FloatArray,
    check_order,
    choice,
    has_index,
    index_labels,
    returned_array,
    vector,
)
from influstat.losses.base import Loss
from influstat.risks.penalties import L2

PROTOCOLS = ("folded", "fixed")
PREDICTIONS = ("linear", "mean")


class LinearRisk:
    """R(theta) = (1/W) [sum_i w_i l(y_i, x_i'theta + o_i) + P(theta)], in mean scale.

    Parameters
    ----------
    loss : Loss
        The pointwise loss.
    X : array_like, DataFrame or scipy.sparse, shape (n, p)
        The rows. float32, `np.memmap` and sparse data are kept as they are; sums are in float64.
    y : array_like, shape (n,)
        Targets, as the loss needs them.
    penalty : L2, optional
        The total penalty P; none when left out.
    weights, offset : array_like, shape (n,), optional
        w_i >= 0 (default 1) and o_i (default 0). A weight of 2 is the same as the row twice.
    intercept : bool
        Append an unpenalised column of ones, last in theta.
    protocol : {"fixed", "folded"}
        What leaves with a row: its loss alone, or its loss and its share w_i / W of the penalty.
    names, row_labels : sequence, optional
        Names of the coefficients (without the intercept) and labels of the rows; taken from a
        DataFrame or Series when left out.

    Raises
    ------
    InvalidArgument, InvalidType
        An input is not usable; the message names it.

    Examples
    --------
    >>> import influstat as ist
    >>> risk = ist.LinearRisk(ist.SquaredError(), [[1.0], [1.0]], [1.0, 3.0], penalty=ist.L2(2.0))
    >>> risk.value(np.array([1.0]))         # ((1-1)^2 + (3-1)^2 + 1^2) / 2
    2.5
    """

    def __init__(
        self,
        loss: Loss,
        X: Any,
        y: Any,
        *,
        penalty: L2 | None = None,
        weights: Any = None,
        offset: Any = None,
        intercept: bool = False,
        protocol: str = "fixed",
        names: Any = None,
        row_labels: Any = None,
    ) -> None:
        require_parts("loss", loss, Loss, need="be a pointwise loss", example="ist.LogisticLoss()")
        self.loss: Loss = loss
        self.penalty = L2() if penalty is None else penalty
        if not isinstance(self.penalty, L2):
            raise InvalidType("penalty", "be an L2", f"is {penalty!r}", "Pass ist.L2(strength).")
        self.protocol: str = choice("protocol", protocol, PROTOCOLS)
        self.design = _design(X, intercept, names)
        self.shape = self.design.shape
        n = self.shape[0]
        if n < 2:
            raise InvalidArgument("X", "have at least 2 rows", f"has {n}", "Influence compares rows.")
        _require_one_order(self.design, y=y, weights=weights, offset=offset)
        self.y = _targets(loss, y, n)
        self.weights = np.ones(n) if weights is None else _weights(weights, n)
        self.offset = np.zeros(n) if offset is None else vector("offset", offset, n)
        self.names = self.design.names
        self.row_labels = _row_labels(row_labels, self.design, y)
        self.total_weight = float(self.weights.sum())
        diagonal = self.penalty.diagonal(self.names)
        if self.design.intercept:
            diagonal[-1] = 0.0
        self.penalty_diagonal: FloatArray = diagonal  # kappa D, sum scale

    # -- the risk and its derivatives at theta, all in mean scale ---------------------------------

    def linear_predictor(self, theta: FloatArray) -> FloatArray:
        """Return eta = X theta + offset, shape (n,)."""
        return self.design.dot(theta) + self.offset

    def value(self, theta: FloatArray) -> float:
        """Return R(theta)."""
        losses = self.loss.value(self.y, self.linear_predictor(theta))
        return float((np.sum(self._weighted(losses)) + self.penalty_value(theta)) / self.total_weight)

    def penalty_value(self, theta: FloatArray) -> float:
        """Return the total penalty P(theta), sum scale."""
        return float(0.5 * (self.penalty_diagonal * theta) @ theta)

    def gradient(self, theta: FloatArray) -> FloatArray:
        """Return grad R(theta), shape (p,)."""
        first = self.loss.first(self.y, self.linear_predictor(theta))
        total = self.design.transpose_dot(self._weighted(first)) + self.penalty_diagonal * theta
        return total / self.total_weight

    def gradient_scale(self, theta: FloatArray) -> FloatArray:
        """Return the size that each entry of the gradient would have without cancellation, shape (p,).

        (1/W) [ sum_i w_i |x_ij| (|l1_i| + l2_i (|x_i|'|theta| + |o_i|)) + kappa d_j |theta_j| ]: the
        sum of the absolute terms, plus what rounding in eta can do. Rounding errors of the gradient
        are a few float64 epsilons of it, whatever the units of the columns.
        """
        eta = self.linear_predictor(theta)
        spread = self.design.absolute_dot(np.abs(theta)) + np.abs(self.offset)
        size = np.abs(self.loss.first(self.y, eta)) + np.abs(self.loss.second(self.y, eta)) * spread
        total = self.design.absolute_transpose_dot(self._weighted(size))
        return (total + self.penalty_diagonal * np.abs(theta)) / self.total_weight

    def curvature(self, theta: FloatArray) -> Curvature:
        """Return the Hessian H(theta) as an operator."""
        second = self.loss.second(self.y, self.linear_predictor(theta))
        second = np.where((self.weights > 0) | np.isfinite(second), second, 0.0)  # 0 inf is 0
        share = self.weights / self.total_weight
        return Curvature(self.design, second, share, self.penalty_diagonal / self.total_weight)

    def _weighted(self, values: FloatArray) -> FloatArray:
        """Return w_i times the values; 0 for a weight of 0, also where such a row's loss is inf."""
        with np.errstate(invalid="ignore"):
            return np.where(self.weights > 0, self.weights * values, 0.0)

    # -- single rows: g_i = l1_i x_i + s kappa D theta / W ----------------------------------------

    def penalty_share(self, theta: FloatArray) -> FloatArray:
        """Return the penalty's part of every row's gradient: kappa D theta / W folded, 0 fixed."""
        share = self.penalty_diagonal * theta / self.total_weight
        return share if self.protocol == "folded" else np.zeros_like(share)

    def row_gradients(self, theta: FloatArray, rows: Any = slice(None)) -> FloatArray:
        """Return g_i for the chosen rows, dense, shape (k, p); not multiplied by the weights."""
        design = self.design
        picked = design.rows(rows)
        eta = picked @ theta + self.offset[rows]
        return self.loss.first(self.y[rows], eta)[:, None] * picked + self.penalty_share(theta)

    def row_gradients_dot(self, theta: FloatArray, vectors: FloatArray) -> FloatArray:
        """Return g_i'v for all rows and all columns v of `vectors` (p, m), shape (n, m)."""
        first = self.loss.first(self.y, self.linear_predictor(theta))
        result = self.design.dot(vectors)
        result *= first[:, None]
        result += self.penalty_share(theta) @ vectors
        return result

    # -- other rows, judged with this risk's loss and penalty share --------------------------------

    def test_rows(self, X: Any, y: Any, *, offset: Any = None) -> LinearRisk:
        """Return held-out rows with this risk's loss, so that their losses and gradients can be asked.

        The penalty share stays that of the *training* rows: P / W if folded, with W as here.

        Raises
        ------
        InvalidArgument, InvalidType
            The columns differ from the training columns, or y does not suit the loss.
        """
        part = object.__new__(LinearRisk)
        part.__dict__.update(self.__dict__)
        part.design = self.design.like(X, argument="X")
        part.shape = part.design.shape
        _require_one_order(part.design, y=y, offset=offset)
        part.y = _targets(self.loss, y, part.shape[0])
        part.offset = np.zeros(part.shape[0]) if offset is None else vector("offset", offset, part.shape[0])
        part.row_labels = _row_labels(None, part.design, y)
        part.weights = np.ones(part.shape[0])
        return part

    def row_losses(self, theta: FloatArray) -> FloatArray:
        """Return L_i = l_i + s P / W for every row, shape (n,), or (n, k) for theta of shape (p, k)."""
        eta = self.design.dot(theta)
        eta += self.offset if theta.ndim == 1 else self.offset[:, None]
        y = self.y if theta.ndim == 1 else self.y[:, None]
        losses = self.loss.value(y, eta)
        if self.protocol == "folded":
            penalty = 0.5 * np.tensordot(self.penalty_diagonal, theta * theta, axes=1)
            losses = losses + penalty / self.total_weight
        return losses

    def predictions(
        self, theta: FloatArray, X: Any, *, kind: str = "linear", offset: Any = None
    ) -> FloatArray:
        """Return predictions for new rows, shape (m,), or (m, k) for theta of shape (p, k).

        `kind` is "linear" for x'theta + offset or "mean" for the mean E(y | x) that belongs to it.
        """
        choice("kind", kind, PREDICTIONS)
        eta = self.design.like(X, argument="X").dot(theta)
        if offset is not None:
            o = vector("offset", offset, eta.shape[0])
            eta += o if theta.ndim == 1 else o[:, None]
        return eta if kind == "linear" else self.loss.mean(eta)

    def prediction_gradients(
        self, theta: FloatArray, X: Any, *, kind: str = "linear", offset: Any = None
    ) -> tuple[FloatArray, NDArray[Any]]:
        """Return x_te, or the mean's derivative times x_te, shape (p, m), and the labels of the rows."""
        choice("kind", kind, PREDICTIONS)
        design = self.design.like(X, argument="X")
        gradients = design.rows(slice(None)).T
        if kind == "mean":
            gradients = gradients * self.loss.mean_derivative(self.predictions(theta, X, offset=offset))
        return gradients, design.row_labels

    # -- the same rows with other weights -----------------------------------------------------------

    def with_loss(self, loss: Loss) -> LinearRisk:
        """Return the risk of the same rows, weights and penalty with another loss for the same targets."""
        part = object.__new__(LinearRisk)
        part.__dict__.update(self.__dict__)
        part.loss = loss
        return part

    def reweighted(self, weights: Any) -> LinearRisk:
        """Return the risk of the same rows with other weights, its penalty as the protocol says.

        Under "folded" each row carries P / W, so the penalty becomes (sum of the new weights / W) P;
        under "fixed" it stays whole. Dropping row i is a weight of 0.

        Raises
        ------
        InvalidArgument
            The weights are negative, all zero, or not one per row.
        """
        part = object.__new__(LinearRisk)
        part.__dict__.update(self.__dict__)
        part.weights = _weights(weights, self.shape[0])
        part.total_weight = float(part.weights.sum())
        factor = part.total_weight / self.total_weight if self.protocol == "folded" else 1.0
        part.penalty = L2(self.penalty.strength * factor, self.penalty.unpenalised)
        part.penalty_diagonal = self.penalty_diagonal * factor
        return part


def _design(X: Any, intercept: bool, names: Any) -> Design:
    if not isinstance(X, Design):
        return Design(X, intercept=intercept, names=names)
    if names is not None or intercept > X.intercept:
        raise InvalidArgument(
            "X", "bring its own names and intercept", "is a Design without them", "Pass them to the Design."
        )
    return X


def _require_one_order(design: Design, **vectors: Any) -> None:
    """Raise if pandas inputs hold the same labels in different orders."""
    labels, of = (design.row_labels, design.argument) if design.named else (None, "")
    for argument, value in vectors.items():
        if labels is not None:
            check_order(argument, value, labels, of=of)
        elif has_index(value):
            labels, of = index_labels(value.index), argument


def _targets(loss: Loss, y: Any, n: int) -> FloatArray:
    targets = returned_array("check_targets", loss.check_targets(y))
    if targets.shape != (n,):
        raise InvalidArgument(
            "y", f"have one entry per row of X ({n})", f"has {len(targets)}", f"Pass shape ({n},)."
        )
    return targets


def _weights(weights: Any, n: int) -> FloatArray:
    result = vector("weights", weights, n)
    if (result < 0).any():
        row = int(np.argmax(result < 0))
        raise InvalidArgument(
            "weights", "be at least 0", f"has {result[row]:g} at row {row}", "Use 0 to leave a row out."
        )
    if not result.any():
        raise InvalidArgument("weights", "have a positive entry", "is all zero", "Weigh some row above 0.")
    with np.errstate(over="ignore"):
        total = result.sum()
    if not np.isfinite(total):
        raise InvalidArgument("weights", "have a finite sum", "sums to inf", "Rescale the weights.")
    return result


def _row_labels(row_labels: Any, design: Design, y: Any) -> NDArray[Any]:
    if row_labels is None:
        return index_labels(y.index) if not design.named and has_index(y) else design.row_labels
    labels = np.asarray(row_labels)
    if labels.shape != (design.shape[0],):
        raise InvalidArgument(
            "row_labels",
            f"have one entry per row of X ({design.shape[0]})",
            f"has shape {labels.shape}",
            "Pass one label per row.",
        )
    return labels
