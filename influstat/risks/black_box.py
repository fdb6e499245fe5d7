"""`BlackBoxRisk`: any per-row loss of theta; derivatives by finite differences where none are given."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.curvature.differenced import BlackBoxCurvature
from influstat.errors import InvalidArgument, InvalidType, Unsupported
from influstat.input.labels import own_labels
from influstat.input.printing import SizedRepr, short
from influstat.input.settings import entries
from influstat.input.validation import (
    FloatArray,
    choice,
    coefficients,
    real_number,
    vector,
    whole_number,
)
from influstat.numerics.row_function import RowFunction
from influstat.risks.flat import flat_coordinates
from influstat.risks.penalties import Penalty
from influstat.risks.penalties.l2 import read_penalty
from influstat.risks.protocol import Protocol
from influstat.risks.rows import read_labels, read_weights

Function = Callable[..., Any]


class BlackBoxRisk(SizedRepr):
    """R(theta) = (1/W) [sum_i w_i l_i(theta) + P(theta)] for any smooth l_i, given as one function.

    Parameters
    ----------
    row_losses : callable
        f(theta) -> ndarray, shape (n,): the loss of every training row, without penalty and weights. A
        row's loss must not use other rows, as those of a Cox model or of batch statistics do: what is left
        without a row would not be what a refit without it minimises (`checks.check_refit` tells).
        It must not change theta and must give the same values each time. If it also works for complex
        theta (see `NumericalLoss`), gradients are almost exact.
    n_params : int
        p, the length of theta.
    row_gradients : callable, optional
        f(theta) -> ndarray, shape (n, p): the gradients of `row_losses`.
    hvp : callable, optional
        f(theta, v, weights) -> ndarray, shape (p,): sum_i weights_i (Hessian of l_i) v. A sum, not a mean.
    penalty : Penalty, optional
        The total penalty P; none when left out.
    weights : array_like, shape (n,), optional
        w_i >= 0; ones when left out.
    protocol : {"fixed", "folded"}
        What leaves with a row: its loss alone, or its loss and its share w_i / W of the penalty.
    test_losses : callable, optional
        f(theta, X, y) -> ndarray, shape (m,): losses of new rows, for `fit.loss` and `on_loss`.
    predict : callable, optional
        f(theta, X) -> ndarray, shape (m,): predictions for new rows, for `fit.predict` and
        `on_prediction`. It is both the "linear" and the "mean" prediction.
    width : float or array_like, shape (p,)
        A change of each coefficient over which the losses bend: the first step. Orders of magnitude do.
    names, row_labels : sequence, optional
        What coefficients and rows are called; positions when left out.

    Notes
    -----
    Source: eq. 11 of Liu, Liu, Qi and Yang, H v as the derivative of the gradient along v; here a central
    difference with shrinking steps and extrapolation (Ridders), which comes with an estimate of its own
    error. Gradients are by complex steps where the function takes complex numbers. Costs, in calls of
    `row_losses`: a gradient p (complex) or about 20 p; H, assembled once and kept, about 16 p times a
    gradient, or 20 p^2 with real numbers only. Give `row_gradients` when p is above some hundred.

    The losses need not be convex. At a local minimum of positive definite H, influence is the derivative
    of that local minimiser in a row's weight; which other minimum a refit from elsewhere would find, no
    derivative can tell. Where H has a negative eigenvalue theta is *not* a minimum, and influence has no
    such meaning; with ``damping=delta`` above the size of that eigenvalue, a solver answers another
    question: how theta would move if each move away from it cost (delta / 2) |move|^2 more. Such numbers
    rank rows at best. `fit.hessian.smallest_eigenvalue()` says which case it is.

    Raises
    ------
    InvalidArgument, InvalidType
        A function returns another shape, nan, complex or float32 numbers, changes theta, is not
        deterministic, or has no derivative where one is needed.

    Examples
    --------
    >>> import influstat as ist
    >>> y = np.array([1.0, 3.0])
    >>> risk = ist.BlackBoxRisk(lambda theta: (y - theta[0]) ** 2, 1)
    >>> ist.Fit.minimise(risk).influence().on_theta().values.ravel().round(9)     # y_i - theta
    array([-1.,  1.])
    """

    convex = False  # nothing says that it is: the minimiser may start where H is indefinite

    def __init__(
        self,
        row_losses: Function,
        n_params: int,
        *,
        row_gradients: Function | None = None,
        hvp: Function | None = None,
        penalty: Penalty | None = None,
        weights: Any = None,
        protocol: str = "fixed",
        test_losses: Function | None = None,
        predict: Function | None = None,
        width: Any = 1.0,
        names: Any = None,
        row_labels: Any = None,
    ) -> None:
        p = whole_number("n_params", n_params, at_least=1)
        widths = _widths(width, p)
        self.rows = RowFunction("row_losses", row_losses, widths, row_gradients)
        for name, function in (("hvp", hvp), ("test_losses", test_losses), ("predict", predict)):
            if function is not None and not callable(function):
                raise InvalidType(name, "be a function", f"is {short(function)}", "Pass a callable.")
        n = self.rows.length
        if n < 2:
            raise InvalidArgument(
                "row_losses", "return at least 2 rows", f"returned {n}", "Influence compares rows."
            )
        total = read_penalty(penalty)
        self.shape: tuple[int, int] = (n, p)
        self.names: tuple[str, ...] = _names(names, p)
        self.row_labels: NDArray[Any] = read_labels(row_labels, n)
        self.protocol = Protocol.read("protocol", protocol)
        self.penalty: Penalty = total.placed(self.names, intercept=False)
        self.weights: FloatArray = np.ones(n) if weights is None else read_weights(weights, n)
        self.total_weight = float(self.weights.sum())
        self._hvp, self._test_losses, self._predict = hvp, test_losses, predict

    # -- the risk and its derivatives at theta, all in mean scale -------------------------------------

    def value(self, theta: FloatArray) -> float:
        """Return R(theta)."""
        total = self.weights @ self.rows.values(theta) + self.penalty.value(theta)
        return float(total / self.total_weight)

    def gradient(self, theta: FloatArray) -> FloatArray:
        """Return grad R(theta), shape (p,)."""
        total = self.weights @ self.rows.gradients(theta).value + self.penalty.gradient(theta)
        return np.asarray(total / self.total_weight)

    def gradient_scale(self, theta: FloatArray) -> FloatArray:
        """Return the size of each entry of the gradient without cancellation, shape (p,)."""
        # Next to the absolute terms, 1e12 times the estimated error of differences (relative to this, a
        # gradient of 1e-12 can be reached), and a millionth of the mean loss per width: where all terms
        # vanish with the gradient, as at a hidden unit of weight 0, there is nothing else to compare with.
        found = self.rows.gradients(theta)
        size = self.weights @ (np.abs(found.value) + 1e12 * found.error)
        least = 1e-6 * (self.weights @ np.abs(self.rows.values(theta))) / self.rows.widths
        return np.asarray((size + least + self.penalty.gradient_scale(theta)) / self.total_weight)

    def curvature(self, theta: FloatArray) -> BlackBoxCurvature:
        """Return the Hessian H(theta) as an operator."""
        found = BlackBoxCurvature(
            self.rows,
            np.array(theta, dtype=np.float64),
            self.weights / self.total_weight,
            self.penalty.hessian(theta).scaled(1.0 / self.total_weight),
            names=self.names,
            hvp=self._hvp,
            weights=self.weights,
        )
        found.flat = partial(flat_coordinates, self, theta)
        return found

    # -- single rows ----------------------------------------------------------------------------------

    def _share(self, theta: FloatArray) -> FloatArray:
        """Return the penalty's part of every row's gradient: grad P / W folded, 0 fixed."""
        return self.protocol.carried(self.total_weight) * self.penalty.gradient(theta)

    def row_losses(self, theta: FloatArray) -> FloatArray:
        """Return L_i = l_i + s P / W, shape (n,), or (n, k) for theta of shape (p, k)."""
        share = self.protocol.carried(self.total_weight) * self.penalty.value(theta)
        return np.asarray(self.rows.values(theta) + share)

    def row_gradients(self, theta: FloatArray, rows: Any = slice(None)) -> FloatArray:
        """Return g_i for the chosen rows, shape (k, p); not multiplied by the weights."""
        return np.asarray(self.rows.gradients(theta).value[rows] + self._share(theta))

    def row_gradients_dot(self, theta: FloatArray, vectors: FloatArray) -> FloatArray:
        """Return g_i'v for all rows and all columns v of `vectors` (p, m), shape (n, m)."""
        return np.asarray(self.rows.gradients(theta).value @ vectors + self._share(theta) @ vectors)

    # -- other rows, other weights ----------------------------------------------------------------------

    def reweighted(self, weights: Any) -> BlackBoxRisk:
        """Return the risk of the same rows with other weights, its penalty as the protocol says."""
        part = self._copy(self._hvp)
        part.weights = read_weights(weights, self.shape[0])
        part.total_weight = float(part.weights.sum())
        part.penalty = self.penalty.scaled(self.protocol.after(self.total_weight, part.total_weight))
        return part

    def test_rows(self, X: Any, y: Any, *, offset: Any = None) -> BlackBoxRisk:
        """Return held-out rows (m, p) with this risk's penalty share; Unsupported without `test_losses`."""
        call = "test_losses=f with f(theta, X, y) -> losses"
        function = _given("test_losses", self._test_losses, "losses of new rows", call)
        _no_offset(offset)
        part = self._copy(None)  # hvp is about the training rows
        part.rows = RowFunction("test_losses", lambda theta: function(theta, X, y), self.rows.widths)
        part.shape = (part.rows.length, self.shape[1])
        part.weights = np.ones(part.shape[0])
        part.row_labels = read_labels(own_labels(X, y), part.shape[0])
        return part

    def predictions(
        self, theta: FloatArray, X: Any, *, kind: str = "linear", offset: Any = None
    ) -> FloatArray:
        """Return predictions for new rows, shape (m,), or (m, k) for theta of shape (p, k)."""
        return self._predictor(X, kind, offset).values(coefficients("theta", theta, self.shape[1]))

    def prediction_gradients(
        self, theta: FloatArray, X: Any, *, kind: str = "linear", offset: Any = None
    ) -> tuple[FloatArray, NDArray[Any]]:
        """Return the gradients of the predictions, shape (p, m), and the labels of the new rows."""
        at = coefficients("theta", theta, self.shape[1])
        gradients = self._predictor(X, kind, offset).gradients(at).value
        return gradients.T, read_labels(own_labels(X), len(gradients))

    def _predictor(self, X: Any, kind: str, offset: Any) -> RowFunction:
        choice("kind", kind, ("linear", "mean"))
        _no_offset(offset)
        call = "predict=f with f(theta, X) -> predictions"
        function = _given("predict", self._predict, "predictions", call)
        return RowFunction("predict", lambda theta: function(theta, X), self.rows.widths)

    def _copy(self, hvp: Function | None) -> BlackBoxRisk:
        part = object.__new__(BlackBoxRisk)
        part.__dict__.update(self.__dict__)
        part._hvp = hvp
        return part


def _given(argument: str, function: Function | None, purpose: str, call: str) -> Function:
    """Return the function, or raise Unsupported where the user gave none."""
    if function is None:
        need = f"be given to the BlackBoxRisk for {purpose}"
        raise Unsupported(argument, need, "was left out", f"Pass {call}, shape (m,).")
    return function


def _no_offset(offset: Any) -> None:
    if offset is not None:
        raise Unsupported(
            "offset", "be None for a BlackBoxRisk", "is given", "Put offsets into X and the functions."
        )


def _widths(width: Any, p: int) -> FloatArray:
    if isinstance(width, (int, float)):
        try:
            return np.full(p, real_number("width", width, above=0.0))
        except (ValueError, MemoryError) as error:
            raise InvalidArgument(
                "n_params", "be the length of theta", f"is {p}: {error}", "Count the coefficients."
            ) from None
    widths = vector("width", width, p, per="coefficient")
    if not (widths > 0).all():
        raise InvalidArgument("width", "be greater than 0", f"holds {widths.min():g}", "Pass larger ones.")
    return widths


def _names(names: Any, p: int) -> tuple[str, ...]:
    result = tuple(str(name) for name in (range(p) if names is None else entries("names", names)))
    if names is None:
        result = tuple(f"theta{name}" for name in result)
    if len(result) != p:
        raise InvalidArgument(
            "names", f"have one entry per coefficient ({p})", f"has {len(result)}", "Correct it."
        )
    return result
