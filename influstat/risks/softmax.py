"""Multinomial logistic regression (softmax): a risk with one linear predictor per class.

theta holds the coefficients of class 0, then those of class 1, and so on, each with its intercept last.
Adding the same vector to every class changes no probability. A penalty picks the vectors that sum to 0;
for unpenalised columns (the intercepts) the risk itself picks them, by a term that is 0 there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from influstat.curvature.softmax import SoftmaxCurvature
from influstat.errors import InvalidArgument, InvalidType, NoMinimiser
from influstat.input.labels import label_text
from influstat.input.printing import SizedRepr
from influstat.input.settings import entries
from influstat.input.validation import FloatArray, choice, coefficients
from influstat.losses.squared import SquaredError
from influstat.risks.class_predictors import ClassPredictors, class_labels, no_offset
from influstat.risks.classes import ClassLosses, class_codes, class_contrasts, softmax_losses
from influstat.risks.linear import PREDICTIONS
from influstat.risks.penalties import L2
from influstat.risks.protocol import Protocol
from influstat.risks.rows import Rows

_ANY_NUMBER = SquaredError()  # reads targets as numbers; which of them are classes is judged below


class SoftmaxRisk(SizedRepr):
    """R(theta) = (1/W) [sum_i w_i (log sum_k e^(eta_ik) - eta_iy) + (kappa/2) |theta|^2], mean scale.

    eta_ik = x_i'theta_k is the linear predictor of class k, and eta_iy that of the row's own class.

    Parameters
    ----------
    X : array_like, DataFrame or scipy.sparse, shape (n, p)
        The rows.
    y : array_like of int, shape (n,)
        The class of each row: 0, 1, ..., K - 1.
    classes : sequence, optional
        What the K classes are called; 0, 1, ... up to the largest y when left out.
    penalty : L2, optional
        The total penalty on every class's coefficients; `unpenalised` names columns of X.
    weights : array_like, shape (n,), optional
        w_i >= 0.
    intercept : bool
        An unpenalised intercept for each class, last among its coefficients.
    protocol : {"fixed", "folded"}
        What leaves with a row: its loss alone, or its loss and its share w_i / W of the penalty.
    test_protocol : {"fixed", "folded"}, optional
        What the loss of a new row holds; that of `protocol` when left out.
    names, row_labels : sequence, optional
        Names of the columns and labels of the rows.

    Notes
    -----
    Source: Böhning 1992. With P the probabilities and e_y the indicator of the row's class,
    g_i = (P_i - e_y) x_i', and H has the blocks X' diag(w P_k (1{k=l} - P_l)) X / W.
    To fix what the data leave open, (1/2) (sum_k theta_kj)^2 is added in mean scale for every
    unpenalised column j. It is 0 at the minimum, with and without any row; covariances are of coefficients
    that add up to 0, and degrees of freedom count K - 1 of them.

    Predictions of a row are K numbers: for m rows they come as m K quantities, row after row.

    Raises
    ------
    InvalidArgument, InvalidType
        An input is not usable; the message names it.

    Examples
    --------
    >>> import influstat as ist
    >>> X, y = [[1.0], [0.5], [-1.0]], [1, 0, 0]
    >>> softmax = ist.Fit.minimise(ist.SoftmaxRisk(X, y, penalty=ist.L2(1.0)))
    >>> logistic = ist.Logistic(lam=0.25).fit(X, y)     # two classes: theta_1 - theta_0, half of kappa
    >>> float((softmax.theta[1] - softmax.theta[0] - logistic.theta[0]).round(9)) + 0.0
    0.0
    """

    dispersion = 1.0  # L_i is the whole of minus the log-likelihood

    def __init__(
        self,
        X: Any,
        y: Any,
        *,
        classes: Any = None,
        penalty: L2 | None = None,
        weights: Any = None,
        intercept: bool = False,
        protocol: str = "fixed",
        test_protocol: str | None = None,
        names: Any = None,
        row_labels: Any = None,
    ) -> None:
        if not (penalty is None or isinstance(penalty, L2)):
            raise InvalidType(
                "penalty",
                "be an L2, which holds every class alike",
                f"is {penalty!r}",
                "Pass ist.L2(strength).",
            )
        self.protocol, self.test_protocol = Protocol.read_both(protocol, test_protocol)
        self._rows = Rows.read(
            _ANY_NUMBER, X, y, weights=weights, intercept=intercept, names=names, row_labels=row_labels
        )
        self.penalty: L2 = (penalty or L2()).placed(self._rows.names, intercept=self._rows.design.intercept)
        known = range(int(self._rows.y.max()) + 1) if classes is None else entries("classes", classes)
        self.classes: tuple[Any, ...] = tuple(known)
        count = len(self.classes)
        if count < 2:
            need, remedy = "tell two or more classes apart", "Give rows of each class."
            raise InvalidArgument("y", need, "knows one class only", remedy)
        self.y = _classes_of(self._rows.y, count)
        self._gauge = np.where(self._strengths == 0, self._rows.total_weight, 0.0)
        self.names = tuple(f"{label}: {name}" for label in self.classes for name in self._rows.names)
        self._read()

    @property
    def _strengths(self) -> FloatArray:
        """Kappa d_j of the columns, shape (q,)."""
        return self.penalty.strengths(np.zeros(self._rows.design.shape[1]))

    @property
    def unpenalised(self) -> FloatArray:
        """Return 1 for the columns without penalty and 0 for the others, shape (q,)."""
        return np.where(self._strengths == 0, 1.0, 0.0)

    def require_minimum(self) -> None:
        """Raise NoMinimiser if a class has lost its rows: its unpenalised coefficients then fall for ever."""
        rows = np.bincount(self.y, weights=self.weights > 0, minlength=len(self.classes))
        if self.unpenalised.any() and (rows == 0).any():
            gone = self.classes[int(np.argmin(rows))]
            raise NoMinimiser(
                f"The risk has no finite minimiser: no row of class {label_text(gone)} is left, so that its "
                "unpenalised intercept falls for ever. Keep a row of each class, or fit without an intercept."
            )

    def contrasts(self) -> FloatArray:
        """Return how theta moves each row's own predictor against every other, free columns only, (m, p)."""
        counted = np.flatnonzero(self.weights > 0)
        free = self.design.rows(counted) * self.unpenalised
        return class_contrasts(free, self.y[counted], len(self.classes))

    def _read(self) -> None:
        """Take over what the contract asks for from the rows."""
        rows = self._rows
        self.design, self.weights, self.total_weight = rows.design, rows.weights, rows.total_weight
        self.row_labels = rows.row_labels
        self.shape = (rows.design.shape[0], len(self.names))

    def _like(self, rows: Rows, y: NDArray[np.intp], penalty: L2) -> SoftmaxRisk:
        part = object.__new__(type(self))
        part.__dict__.update(self.__dict__)
        part._rows, part.y, part.penalty = rows, y, penalty
        part._read()
        return part

    # -- the pieces: coefficients by class, predictors, residuals ------------------------------------

    def _by_class(self, theta: FloatArray) -> FloatArray:
        """Return theta as one row of coefficients per class, shape (K, q)."""
        return theta.reshape(len(self.classes), -1)

    def _predictors(self, theta: FloatArray) -> FloatArray:
        """Return eta, shape (n, K)."""
        return self.design.dot(np.ascontiguousarray(self._by_class(theta).T))

    def _residuals(self, theta: FloatArray, rows: Any = slice(None)) -> FloatArray:
        """Return P_i - e_(y_i) of the chosen rows, shape (k, K)."""
        eta = self.design.rows(rows) @ self._by_class(theta).T
        residuals: FloatArray = softmax(eta, axis=1)
        residuals[np.arange(len(eta)), self.y[rows]] -= 1.0
        return residuals

    def _share(self, theta: FloatArray) -> FloatArray:
        """Return the penalty's part of every row's gradient: kappa D theta / W folded, 0 fixed."""
        carried = self.protocol.carried(self.total_weight)
        return np.asarray(carried * (self._strengths * self._by_class(theta)).ravel())

    def _losses(self, theta: FloatArray) -> FloatArray:
        eta = self._predictors(theta)
        return np.asarray(np.logaddexp.reduce(eta, axis=1) - eta[np.arange(len(eta)), self.y])

    def _penalty_value(self, theta: FloatArray) -> float:
        return float(0.5 * np.sum(self._strengths * self._by_class(theta) ** 2))

    # -- the risk and its derivatives, mean scale, and single rows ------------------------------------

    def value(self, theta: FloatArray) -> float:
        """Return R(theta)."""
        sums = self._by_class(theta).sum(axis=0)
        penalty = self._penalty_value(theta) + 0.5 * float(self._gauge @ sums**2)
        return float((self.weights @ self._losses(theta) + penalty) / self.total_weight)

    def gradient(self, theta: FloatArray) -> FloatArray:
        """Return grad R(theta), shape (K q,)."""
        by_class = self._by_class(theta)
        data = self.design.transpose_dot(self.weights[:, None] * self._residuals(theta)).T
        total = data + self._strengths * by_class + self._gauge * by_class.sum(axis=0)
        return np.asarray(total.ravel() / self.total_weight)

    def gradient_scale(self, theta: FloatArray) -> FloatArray:
        """Return the size of each entry of the gradient without cancellation, shape (K q,)."""
        by_class = np.abs(self._by_class(theta))
        spread = self.design.absolute_dot(np.ascontiguousarray(by_class.T))
        P: FloatArray = softmax(self._predictors(theta), axis=1)
        size = np.abs(self._residuals(theta)) + P * (spread + np.sum(P * spread, axis=1, keepdims=True))
        total = self.design.absolute_transpose_dot(self.weights[:, None] * size).T
        return np.asarray((total + self._strengths * by_class).ravel() / self.total_weight)

    def curvature(self, theta: FloatArray) -> SoftmaxCurvature:
        """Return the Hessian H(theta) as an operator."""
        P: FloatArray = softmax(self._predictors(theta), axis=1)
        held = self._strengths / self.total_weight, self._gauge / self.total_weight
        return SoftmaxCurvature(self.design, self.weights / self.total_weight, P, *held, self.names)

    def row_losses(self, theta: FloatArray) -> FloatArray:
        """Return L_i = l_i + s P / W, shape (n,), or (n, k) for theta of shape (p, k)."""
        if theta.ndim == 2:
            return np.column_stack([self.row_losses(column) for column in theta.T])
        return self._losses(theta) + self.protocol.carried(self.total_weight) * self._penalty_value(theta)

    def row_gradients(self, theta: FloatArray, rows: Any = slice(None)) -> FloatArray:
        """Return g_i of the chosen rows, shape (k, p)."""
        residuals, picked = self._residuals(theta, rows), self.design.rows(rows)
        gradients = residuals[:, :, None] * picked[:, None, :]
        return gradients.reshape(len(picked), -1) + self._share(theta)

    def row_gradients_dot(self, theta: FloatArray, vectors: FloatArray) -> FloatArray:
        """Return g_i'v for all rows and all columns v of `vectors`, shape (n, m)."""
        residuals = self._residuals(theta)
        result = np.tile(self._share(theta) @ vectors, (self.shape[0], 1))
        for k, part in enumerate(vectors.reshape(len(self.classes), -1, vectors.shape[1])):
            result += residuals[:, [k]] * self.design.dot(part)
        return result

    def class_losses(self) -> ClassLosses:
        """Return what every row would lose in each class."""

        def losses(theta: FloatArray, rows: NDArray[np.intp]) -> FloatArray:
            by_class = theta.reshape(-1, len(self.classes), self.design.shape[1])
            each = np.broadcast_to(by_class, (len(rows), *by_class.shape[1:]))
            return softmax_losses(self.design.rows(rows), each)

        return ClassLosses(np.array(self.classes, dtype=object), self.y, losses)

    def class_predictors(self) -> ClassPredictors | None:
        """Return the rows with one predictor per class; None from a derived class: its losses may differ."""
        return self._class_predictors() if type(self) is SoftmaxRisk else None

    def _class_predictors(self) -> ClassPredictors:
        rows = self.design, self.y, self.weights, self.total_weight
        reference = False  # all classes have coefficients
        held = self._strengths, self._gauge, self.protocol
        return ClassPredictors(*rows, len(self.classes), reference, *held)

    # -- other weights, other rows ----------------------------------------------------------------------

    def reweighted(self, weights: Any) -> SoftmaxRisk:
        """Return the risk of the same rows with other weights, its penalty as the protocol says."""
        rows = self._rows.reweighted(weights)
        factor = self.protocol.after(self.total_weight, rows.total_weight)
        return self._like(rows, self.y, self.penalty.scaled(factor))

    def test_rows(self, X: Any, y: Any, *, offset: Any = None) -> SoftmaxRisk:
        """Return held-out rows; W stays that of the training rows. There are no offsets."""
        no_offset(offset)
        rows = self._rows.new(_ANY_NUMBER, X, y)
        part = self._like(rows, _classes_of(rows.y, len(self.classes)), self.penalty)
        part.protocol = self.test_protocol
        return part

    def predictions(
        self, theta: FloatArray, X: Any, *, kind: str = "linear", offset: Any = None
    ) -> FloatArray:
        """Return eta or the probabilities of new rows, shape (m K,), or (m K, k) for theta (p, k)."""
        no_offset(offset)
        choice("kind", kind, PREDICTIONS)
        theta = coefficients("theta", theta, self.shape[1])
        return self._class_predictors().predictions(self.design.like(X, argument="X"), theta, kind)

    def prediction_gradients(
        self, theta: FloatArray, X: Any, *, kind: str = "linear", offset: Any = None
    ) -> tuple[FloatArray, NDArray[Any]]:
        """Return the gradients of the m K predictions, shape (p, m K), and labels "row: class"."""
        no_offset(offset)
        choice("kind", kind, PREDICTIONS)
        design = self.design.like(X, argument="X")
        gradients = self._class_predictors().prediction_gradients(design, theta, kind)
        return gradients, class_labels(design, self.classes)


def _classes_of(y: FloatArray, count: int) -> NDArray[np.intp]:
    return class_codes(y, count, "the classes", "Pass np.unique(labels, return_inverse=True)[1].")
