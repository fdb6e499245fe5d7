"""`LikelihoodRisk`: a risk whose rows are log-likelihoods of any parameters, not only of x'theta.

Dispersion, thresholds and the other extra parameters are entries of theta like the slopes. Gradients
are the rows' own scores; Hessians are differences of them to fourth order, which keep about eleven
digits, row by row, so that any reweighting of the rows is the same sum with other weights; those of
softmax losses are in closed form.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from typing import Protocol as Interface

import numpy as np
from numpy.typing import NDArray

from influstat.curvature.dense import DenseCurvature
from influstat.curvature.softmax import probabilities
from influstat.errors import Unsupported
from influstat.input.design import Design
from influstat.input.printing import SizedRepr
from influstat.input.validation import FloatArray, choice, vector
from influstat.risks.class_predictors import ClassCurvature, ClassPredictors, class_labels, no_offset
from influstat.risks.classes import ClassLosses
from influstat.risks.flat import flat_coordinates
from influstat.risks.protocol import Protocol
from influstat.risks.rows import read_weights

STEP = 2e-3  # of differences, in units in which one row's loss curves by about 1
HELD = 2**24  # largest n p^2 for which all row Hessians are kept (128 MiB)


class RowLikelihoods(Interface):
    """Minus the log-likelihood of each row."""

    def losses(self, theta: FloatArray) -> FloatArray:
        """Return minus the log-likelihoods, shape (n,)."""

    def gradients(self, theta: FloatArray) -> FloatArray:
        """Return their gradients, shape (n, p)."""

    def rounding(self, theta: FloatArray) -> Any:
        """Return what rounding adds to a gradient, in epsilons of float64: 0, or shape (n, p)."""

    def hessian_diagonal(self, theta: FloatArray) -> FloatArray:
        """Return roughly the diagonal of the sum of the rows' Hessians, shape (p,)."""

    def contrasts(self, rows: NDArray[np.intp]) -> FloatArray | None:
        """Return C (m, p) so that the rows' losses fall for ever where C d >= 0; None if not known."""

    def class_losses(self) -> ClassLosses | None:
        """Return what every row would lose in each class; None where y holds no classes."""

    def softmax_classes(self) -> tuple[NDArray[np.intp], int] | None:
        """Return the rows' classes and their number if losses are softmax ones, with theta 0 for class 0."""

    def with_rows(self, X: FloatArray, y: Any, offset: FloatArray | None) -> RowLikelihoods:
        """Return the same likelihood of other rows, or raise Unsupported."""

    def linear(self, theta: FloatArray, X: FloatArray) -> FloatArray:
        """Return X beta for theta of shape (p,) or (p, k), or raise Unsupported."""

    def predictor_offset(self) -> FloatArray | None:
        """Return what is added to X beta of each row, (n,); None where the mean is not that of one X beta."""

    def mean(self, eta: FloatArray) -> FloatArray:
        """Return the mean that belongs to the linear predictor, or raise Unsupported."""

    def mean_derivative(self, eta: FloatArray) -> FloatArray:
        """Return its derivative."""


class _RowDerivatives:
    """Scores and Hessians of all rows at the last theta, shared by all reweightings of them."""

    def __init__(self, likelihood: RowLikelihoods) -> None:
        self.likelihood = likelihood
        self._at: dict[str, tuple[bytes, FloatArray]] = {}

    def gradients(self, theta: FloatArray) -> FloatArray:
        """Return the rows' gradients, shape (n, p)."""
        return self._kept("gradients", theta, lambda: self.likelihood.gradients(theta))

    def weighted_hessian(self, theta: FloatArray, weights: FloatArray) -> FloatArray:
        """Return sum_i w_i times the Hessian of row i, shape (p, p), symmetric."""
        n, p = len(weights), len(theta)
        if n * p * p <= HELD:
            rows = self._kept("hessians", theta, lambda: np.stack(list(self._columns(theta)), axis=2))
            matrix = (weights @ rows.reshape(n, p * p)).reshape(p, p)
        else:
            matrix = np.stack([weights @ column for column in self._columns(theta)], axis=1)
        return np.asarray(0.5 * (matrix + matrix.T))

    def smallest_eigenvalues(self, theta: FloatArray) -> FloatArray:
        """Return the smallest eigenvalue of each row's Hessian, shape (n,)."""
        rows = np.stack(list(self._columns(theta)), axis=2)
        return np.asarray(np.linalg.eigvalsh(0.5 * (rows + rows.transpose(0, 2, 1)))[:, 0])

    def _columns(self, theta: FloatArray) -> Any:
        """Yield the derivative of all rows' gradients along each coefficient, (n, p) each."""
        diagonal = np.abs(self.likelihood.hessian_diagonal(theta)) / len(self.gradients(theta))
        unit = 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        for k in range(len(theta)):
            ends = []
            for multiple in (1.0, 2.0):
                right, left = theta.copy(), theta.copy()
                right[k] += multiple * STEP * unit[k]
                left[k] -= multiple * STEP * unit[k]
                with np.errstate(invalid="ignore"):  # beyond float64 at both ends: nan, which is no Hessian
                    change = self.likelihood.gradients(right) - self.likelihood.gradients(left)
                ends.append(change / (right[k] - left[k]))
            with np.errstate(invalid="ignore"):
                slope = (4.0 * ends[0] - ends[1]) / 3.0
            yield slope

    def _kept(self, what: str, theta: FloatArray, compute: Any) -> FloatArray:
        key = theta.tobytes()
        if what not in self._at or self._at[what][0] != key:
            self._at[what] = (key, compute())
        return self._at[what][1]


class LikelihoodRisk(SizedRepr):
    """R(theta) = (1/W) sum_i w_i l_i(theta) with l_i minus the log-likelihood of row i; no penalty.

    It satisfies `influstat.Risk` with protocol "fixed". `design` holds the regressors, with which new rows
    must agree; `names` has one for each entry of theta, `row_labels` one for each row.

    Examples
    --------
    >>> import numpy as np, statsmodels.api as sm, influstat as ist
    >>> y = np.array([0.0, 5.0, 1.0, 9.0, 2.0, 0.0, 3.0, 12.0])
    >>> results = sm.NegativeBinomial(y, np.ones(8)).fit(disp=0)
    >>> ist.from_statsmodels(results).names
    ('const', 'alpha')
    """

    protocol = Protocol.FIXED
    dispersion = 1.0  # l_i is the whole of minus the log-likelihood

    def __init__(
        self, likelihood: RowLikelihoods, design: Design, names: Any, row_labels: NDArray[Any]
    ) -> None:
        self.likelihood, self.design = likelihood, design
        self.names: tuple[str, ...] = tuple(names)
        self.row_labels = row_labels
        n = len(row_labels)
        self.shape: tuple[int, int] = (n, len(self.names))
        self.weights: FloatArray = np.ones(n)
        self.total_weight = float(n)
        self._derivatives = _RowDerivatives(likelihood)

    # -- the risk ------------------------------------------------------------------------------------

    def value(self, theta: FloatArray) -> float:
        """Return R(theta)."""
        return float(self.weights @ self.likelihood.losses(theta)) / self.total_weight

    def gradient(self, theta: FloatArray) -> FloatArray:
        """Return grad R(theta), shape (p,)."""
        return np.asarray(self.weights @ self._derivatives.gradients(theta)) / self.total_weight

    def gradient_scale(self, theta: FloatArray) -> FloatArray:
        """Return the size of each entry of the gradient without cancellation, shape (p,)."""
        # (1/W) sum_i w_i (|g_ij| + e_ij) + |J| |theta|: what rounding can do to theta's own digits; J is the
        # mean square of the scores for the Hessian, and e what it does to scores that are differences.
        gradients = self._derivatives.gradients(theta)
        share = self.weights / self.total_weight
        squares = (share[:, None] * gradients).T @ gradients
        rows = share @ (np.abs(gradients) + self.likelihood.rounding(theta))
        return np.asarray(rows + np.abs(squares) @ np.abs(theta))

    def curvature(self, theta: FloatArray) -> DenseCurvature:
        """Return the Hessian H(theta) as an operator: in closed form for softmax losses."""
        share, classes = self.weights / self.total_weight, self.class_predictors()
        if classes is None:
            found = DenseCurvature(self._derivatives.weighted_hessian(theta, share), self.names)
            found.flat = partial(flat_coordinates, self, theta)
            return found
        pi, _ = probabilities(classes.predictors(theta))
        return ClassCurvature(classes.data_hessian(pi, share), self.names, classes)

    # -- rows ------------------------------------------------------------------------------------------

    def row_losses(self, theta: FloatArray) -> FloatArray:
        """Return minus the log-likelihoods, shape (n,), or (n, k) for theta of shape (p, k)."""
        if theta.ndim == 1:
            return self.likelihood.losses(theta)
        return np.stack([self.likelihood.losses(column) for column in theta.T.copy()], axis=1)

    def row_gradients(self, theta: FloatArray, rows: Any = slice(None)) -> FloatArray:
        """Return g_i of the chosen rows, shape (k, p), not multiplied by the weights."""
        return np.asarray(self._derivatives.gradients(theta)[rows])

    def row_gradients_dot(self, theta: FloatArray, vectors: FloatArray) -> FloatArray:
        """Return g_i'v for all rows and all columns v of `vectors` (p, m), shape (n, m)."""
        return np.asarray(self._derivatives.gradients(theta) @ vectors)

    def smallest_row_curvature(self, theta: FloatArray) -> FloatArray:
        """Return the smallest eigenvalue of each row's Hessian, 0 where rounding decides, shape (n,)."""
        if self.class_predictors() is not None:  # convex, and flat along each row's other columns
            return np.zeros(self.shape[0])
        values = self._derivatives.smallest_eigenvalues(theta)
        return np.where(np.abs(values) > 1e-9 * np.max(np.abs(values)), values, 0.0)

    def contrasts(self) -> FloatArray | None:
        """Return C (m, p) so that the risk falls for ever where C d >= 0 and not 0; None if not known."""
        return self.likelihood.contrasts(np.flatnonzero(self.weights > 0))

    def class_losses(self) -> ClassLosses | None:
        """Return what every row would lose in each class; None where y holds no classes."""
        return self.likelihood.class_losses()

    def class_predictors(self) -> ClassPredictors | None:
        """Return the rows with one predictor for each class; None where the losses are others."""
        found = self.likelihood.softmax_classes()
        if found is None:
            return None
        free = np.zeros(self.design.shape[1])
        return ClassPredictors(
            self.design,
            found[0],
            self.weights,
            self.total_weight,
            found[1],
            reference=True,
            strengths=free,
            gauge=free,
            protocol=self.protocol,
        )

    def predictor_design(self) -> Design | None:
        """Return the rows x with x'theta = X beta, 0 for other parameters; None where there are none."""
        if self.likelihood.predictor_offset() is None:
            return None
        rows = self.likelihood.linear(np.eye(self.shape[1]), self.design.rows(slice(None)))
        return Design(rows, names=self.names)

    def reweighted(self, weights: Any) -> LikelihoodRisk:
        """Return the risk of the same rows with other weights; a weight of 0 leaves a row out."""
        values = read_weights(weights, self.shape[0])
        part = object.__new__(LikelihoodRisk)
        part.__dict__.update(self.__dict__)
        part.weights, part.total_weight = values, float(values.sum())
        return part

    # -- other rows ------------------------------------------------------------------------------------

    def test_rows(self, X: Any, y: Any, *, offset: Any = None) -> LikelihoodRisk:
        """Return new rows (m, p) of the same likelihood as a risk, or raise Unsupported."""
        design = self.design.like(X, argument="X")
        rows = design.rows(slice(None))
        o = None if offset is None else vector("offset", offset, len(rows))
        return LikelihoodRisk(self.likelihood.with_rows(rows, y, o), design, self.names, design.row_labels)

    def predictions(
        self, theta: FloatArray, X: Any, *, kind: str = "linear", offset: Any = None
    ) -> FloatArray:
        """Return X beta (+ offset) or its mean for m new rows, (m,); of K classes row by row, (m K,)."""
        choice("kind", kind, ("linear", "mean"))
        design, classes = self.design.like(X, argument="X"), self.class_predictors()
        if classes is not None:
            no_offset(offset)
            return classes.predictions(design, theta, kind)
        rows = design.rows(slice(None))
        eta = self.likelihood.linear(theta, rows)
        if offset is not None:
            o = vector("offset", offset, len(rows))
            eta = eta + (o if theta.ndim == 1 else o[:, None])
        return eta if kind == "linear" else self.likelihood.mean(eta)

    def prediction_gradients(
        self, theta: FloatArray, X: Any, *, kind: str = "linear", offset: Any = None
    ) -> tuple[FloatArray, NDArray[Any]]:
        """Return the gradients of the predictions, shape (p, m) or (p, m K), and what these are called."""
        choice("kind", kind, ("linear", "mean"))
        design, classes, losses = (
            self.design.like(X, argument="X"),
            self.class_predictors(),
            self.class_losses(),
        )
        if classes is not None and losses is not None:
            no_offset(offset)
            return classes.prediction_gradients(design, theta, kind), class_labels(design, losses.labels)
        eta = self.predictions(theta, X, offset=offset)
        gradients = self.likelihood.linear(np.eye(self.shape[1]), design.rows(slice(None))).T
        if kind == "mean":
            gradients = gradients * self.likelihood.mean_derivative(eta)
        return gradients, design.row_labels


def no_such_rows(what: str, model: str) -> Unsupported:
    """Return the error for a question that a model's rows cannot answer."""
    return Unsupported(
        "X",
        f"be new rows of a model with {what}",
        f"is for {model}",
        "Ask fit.influence().on(q) with q a function of theta instead.",
    )
