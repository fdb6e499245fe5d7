"""The empirical risk of one linear predictor per row: a pointwise loss, a penalty and the data."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from influstat.curvature.linear import Curvature
from influstat.errors import InvalidType, Unsupported
from influstat.input.printing import SizedRepr
from influstat.input.settings import require_parts
from influstat.input.validation import FloatArray, choice, coefficients, vector
from influstat.losses.alone import require_own_rows, where_known
from influstat.losses.base import Loss, constant_second
from influstat.losses.bend import with_width
from influstat.risks.contract import Risk
from influstat.risks.penalties import Penalty
from influstat.risks.penalties.l2 import read_penalty
from influstat.risks.protocol import Protocol
from influstat.risks.rows import Local, Rows

PREDICTIONS = ("linear", "mean")


@final
class LinearRisk(SizedRepr):
    """R(theta) = (1/W) [sum_i w_i l(y_i, x_i'theta + o_i) + P(theta)], in mean scale.

    It cannot be subclassed: what a subclass would change is a loss, a penalty or rows, and each of these is
    an argument. So whoever holds a LinearRisk knows all of it, and closed forms and bounds are about it.

    Parameters
    ----------
    loss : Loss
        The pointwise loss.
    X : array_like, DataFrame or scipy.sparse, shape (n, p)
        The rows. float32, `np.memmap` and sparse data are kept as they are; sums are in float64.
    y : array_like, shape (n,)
        Targets, as the loss needs them.
    penalty : Penalty, optional
        The total penalty P: `L2`, `SmoothedL1`, `Quadratic`, `Linear`, `Toward`, or a sum ``p + q``; none
        when left out.
    weights, offset : array_like, shape (n,), optional
        w_i >= 0 (default 1) and o_i (default 0). A weight of 2 is the same as the row twice.
    intercept : bool
        Append an unpenalised column of ones, last in theta.
    protocol : {"fixed", "folded"}
        What leaves with a row: its loss alone, or its loss and its share w_i / W of the penalty.
    test_protocol : {"fixed", "folded"}, optional
        What the loss of a new row holds: the loss alone, or the loss and P / W; that of `protocol` when left
        out, as in the paper.
    names, row_labels : sequence, optional
        Names of the coefficients (without the intercept) and labels of the rows; taken from a
        DataFrame or Series when left out.

    Attributes
    ----------
    shape : tuple of int
        (n, p): rows and coefficients, an intercept included.
    design, y, weights, offset, names, row_labels
        The rows as they were read (`rows` has all of them): x_i, and arrays of shape (n,).
    total_weight : float
        W; that of the training rows also where these are new ones.

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
        penalty: Penalty | None = None,
        weights: Any = None,
        offset: Any = None,
        intercept: bool = False,
        protocol: str = "fixed",
        test_protocol: str | None = None,
        names: Any = None,
        row_labels: Any = None,
    ) -> None:
        example = "ist.LogisticLoss(), or ist.NumericalLoss(function)"
        require_parts("loss", loss, Loss, need="be a pointwise loss", example=example)
        total = read_penalty(penalty)
        read, of_tests = Protocol.read_both(protocol, test_protocol)
        rows = Rows.read(
            loss,
            X,
            y,
            weights=weights,
            offset=offset,
            intercept=intercept,
            names=names,
            row_labels=row_labels,
        )
        require_own_rows(loss, rows.y)
        loss = with_width(loss, rows.y)
        placed = total.placed(rows.names, intercept=rows.design.intercept)
        self._set(loss, rows, placed, read, of_tests)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a subclass, which could change what closed forms and bounds rest on."""
        raise InvalidType(
            "LinearRisk",
            "be composed, not subclassed",
            f"is a base of {cls.__name__}",
            "Put what differs into a penalty (ist.L2(k) + ist.Toward(mean), a subclass of ist.Penalty), into "
            "a loss (ist.NumericalLoss, or a class with the methods of ist.Loss), or into the rows; for "
            "anything else write a class with the methods of ist.Risk.",
        )

    def _set(
        self, loss: Loss, rows: Rows, penalty: Penalty, protocol: Protocol, test_protocol: Protocol
    ) -> None:
        self.loss, self.rows, self.penalty = loss, rows, penalty
        self.design, self.y, self.weights, self.offset = rows.design, rows.y, rows.weights, rows.offset
        self.total_weight, self.row_labels = rows.total_weight, rows.row_labels
        self.shape: tuple[int, int] = rows.design.shape
        self.names: tuple[str, ...] = rows.design.names
        self.protocol, self.test_protocol = protocol, test_protocol
        self._last: tuple[FloatArray, Curvature] | None = None  # one factor serves all who ask at that theta
        self._local: tuple[Local, ...] = ()  # and so do slopes and curvatures of the rows, at two of them
        # Whether R is a quadratic function, so that one Newton step is exact: declared, never guessed.
        self.quadratic = constant_second(loss) is not None and penalty.constant_hessian

    def _with(self, **parts: Any) -> LinearRisk:
        """Return this risk with other parts, which have been checked already."""
        own = {name: getattr(self, name) for name in ("loss", "rows", "penalty", "protocol", "test_protocol")}
        return LinearRisk.of_parts(**{**own, **parts})

    @classmethod
    def of_parts(
        cls, loss: Loss, rows: Rows, penalty: Penalty, protocol: Protocol, test_protocol: Protocol
    ) -> LinearRisk:
        """Return the risk of parts that have been checked already, the penalty placed."""
        risk = object.__new__(cls)
        risk._set(loss, rows, penalty, protocol, test_protocol)
        return risk

    def moved(self, rows: Rows, penalty: Penalty) -> LinearRisk:
        """Return the risk as a function of other coefficients: rows and penalty in theirs."""
        return self._with(rows=rows, penalty=penalty)

    # -- the risk and its derivatives at theta, all in mean scale ---------------------------------

    def _at(self, theta: FloatArray) -> Local:
        """Return the rows at one theta (p,); the same again for the two thetas last asked for."""
        known = self._local  # read once: threads share a risk
        found = next((one for one in known if np.array_equal(one.theta, theta)), None)
        if found is None:
            found = Local(self.loss, self.rows, theta)
            self._local = (found, *known[:1])
        return found

    def linear_predictor(self, theta: FloatArray) -> FloatArray:
        """Return eta = X theta + offset, shape (n,), read-only, or (n, k) for theta of shape (p, k)."""
        return self._at(theta).eta if theta.ndim == 1 else self.rows.linear_predictor(theta)

    def slopes(self, theta: FloatArray) -> FloatArray:
        """Return l1_i at theta (p,), shape (n,), the same array to all who ask."""
        return self._at(theta).first

    def curvatures(self, theta: FloatArray) -> FloatArray:
        """Return l2_i at theta (p,), shape (n,), the same array to all who ask."""
        return self._at(theta).second

    def value(self, theta: FloatArray) -> float:
        """Return R(theta)."""
        losses = self.loss.value(self.y, self.linear_predictor(theta))
        return float((np.sum(self.rows.weighted(losses)) + self.penalty.value(theta)) / self.total_weight)

    def gradient(self, theta: FloatArray) -> FloatArray:
        """Return grad R(theta), shape (p,)."""
        return (self._at(theta).gradient + self.penalty.gradient(theta)) / self.total_weight

    def gradient_scale(self, theta: FloatArray) -> FloatArray:
        """Return the size that each entry of the gradient would have without cancellation, shape (p,)."""
        # (1/W) [sum_i w_i |x_ij| (|l1_i| + l2_i (|x_i|'|theta| + |o_i|)) + kappa d_j |theta_j|]: the absolute
        # terms, plus what rounding in eta can do. Rounding errors of the gradient are a few float64
        # epsilons of it, whatever the units of the columns.
        return (self.slope_scale(theta) + self.penalty.gradient_scale(theta)) / self.total_weight

    def slope_scale(self, theta: FloatArray) -> FloatArray:
        """Return the part of the rows in that size, sum scale, shape (p,)."""
        return self._at(theta).scale

    def curvature(self, theta: FloatArray) -> Curvature:
        """Return the Hessian H(theta) as an operator; the same one again for the theta last asked for."""
        last = self._last  # read once: threads share a risk
        if last is not None and np.array_equal(last[0], theta):
            return last[1]
        second = self._at(theta).second
        second = np.where((self.weights > 0) | np.isfinite(second), second, 0.0)  # 0 inf is 0
        share = self.weights / self.total_weight
        ridge = self.penalty.hessian(theta).scaled(1.0 / self.total_weight)
        found = Curvature(self.design, second, share, ridge)
        self._last = theta.copy(), found
        return found

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: not the factor, which is made again when it is asked for."""
        return {**self.__dict__, "_last": None, "_local": ()}

    # -- single rows: g_i = l1_i x_i + s grad P / W -------------------------------------------------

    def penalty_share(self, theta: FloatArray) -> FloatArray:
        """Return the penalty's part of every row's gradient: grad P / W folded, 0 fixed; shape (p,)."""
        return self.protocol.carried(self.total_weight) * self.penalty.gradient(theta)

    def row_gradients(self, theta: FloatArray, rows: Any = slice(None)) -> FloatArray:
        """Return g_i for the chosen rows, dense, shape (k, p); not multiplied by the weights."""
        picked = self.design.rows(rows)
        if any(np.array_equal(known.theta, theta) for known in self._local):
            first = self._at(theta).first[rows]
        else:  # elsewhere the slopes of all rows may be more than is asked for
            first = self.loss.first(self.y[rows], picked @ theta + self.offset[rows])
        return np.asarray(first[:, None] * picked + self.penalty_share(theta))

    def row_gradients_dot(self, theta: FloatArray, vectors: FloatArray) -> FloatArray:
        """Return g_i'v for all rows and all columns v of `vectors` (p, m), shape (n, m)."""
        result = self.design.dot(vectors, order="F")
        result *= self._at(theta).first[:, None]
        share = self.penalty_share(theta)
        if share.any():  # else the penalty stays whole, and need not be added to every row
            result += share @ vectors
        return result

    # -- other rows, judged with this risk's loss and penalty share --------------------------------

    def test_rows(self, X: Any, y: Any, *, offset: Any = None) -> LinearRisk:
        """Return held-out rows (m, p) with this risk's loss and what `test_protocol` says of its penalty."""
        return self._with(rows=self.rows.new(self.loss, X, y, offset), protocol=self.test_protocol)

    def row_losses(self, theta: FloatArray) -> FloatArray:
        """Return L_i = l_i + s P / W for every row, shape (n,), or (n, k) for theta of shape (p, k)."""
        y = self.y if theta.ndim == 1 else self.y[:, None]
        losses = where_known(self.loss.value, y, self.linear_predictor(theta))
        return np.asarray(losses + self.protocol.carried(self.total_weight) * self.penalty.value(theta))

    def predictions(
        self, theta: FloatArray, X: Any, *, kind: str = "linear", offset: Any = None
    ) -> FloatArray:
        """Return x'theta + offset, or the mean, of new rows, shape (m,), or (m, k) for theta (p, k)."""
        choice("kind", kind, PREDICTIONS)
        theta = coefficients("theta", theta, self.shape[1])
        eta = self.design.like(X, argument="X").dot(theta)
        if offset is not None:
            o = vector("offset", offset, eta.shape[0])
            eta += o if theta.ndim == 1 else o[:, None]
        return eta if kind == "linear" else where_known(lambda _, known: self.loss.mean(known), eta, eta)

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

    # -- the same rows with another loss or other weights ------------------------------------------

    def with_loss(self, loss: Loss) -> LinearRisk:
        """Return the risk of the same rows, weights and penalty with another loss for the same targets."""
        return self._with(loss=loss)

    def reweighted(self, weights: Any) -> LinearRisk:
        """Return the risk of the same rows with other weights, its penalty as the protocol says."""
        # Under "folded" each row carries P / W, so that the penalty becomes (sum of the new weights / W) P;
        # under "fixed" it stays whole. Dropping row i is a weight of 0.
        rows = self.rows.reweighted(weights)
        factor = self.protocol.after(self.total_weight, rows.total_weight)
        return self._with(rows=rows, penalty=self.penalty if factor == 1.0 else self.penalty.scaled(factor))


def as_linear(risk: Risk) -> LinearRisk | None:
    """Return the risk if it is a loss of one linear predictor per row, else None."""
    # The one place where the kinds of risks are told apart: closed forms, certificates, leverages and the
    # theorems on whether there is a minimum are about a `LinearRisk`, which is final.
    return risk if type(risk) is LinearRisk else None


def require_linear(risk: Risk, what: str) -> LinearRisk:
    """Return the risk as a LinearRisk, or raise Unsupported: `what` needs one."""
    linear = as_linear(risk)
    if linear is None:
        raise Unsupported(
            "fit",
            f"have one linear predictor per row for {what} (a LinearRisk)",
            f"has a {type(risk).__name__}",
            "Use fit.influence() and fit.leave_one_out(), which need none.",
        )
    return linear
