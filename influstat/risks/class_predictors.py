"""`ClassPredictors`: risks whose rows have one linear predictor per class, whatever fixes their level."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, runtime_checkable
from typing import Protocol as Interface

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from influstat.algebra.coordinates import Coordinates
from influstat.algebra.symmetric import Diagonal
from influstat.curvature.dense import DenseCurvature
from influstat.curvature.softmax import SoftmaxCurvature, class_coordinates
from influstat.errors import InvalidArgument
from influstat.input.design import Design
from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.risks.contract import Risk
from influstat.risks.protocol import Protocol


@dataclass(frozen=True, eq=False)
class ClassPredictors:
    """A softmax risk in sum scale: the losses are log sum_b e^(eta_jb) - eta_jy with eta_jb = x_j'theta_b.

    theta holds the coefficients of one class after the other, of all K or, with a `reference`, of all but
    class 0, whose are 0.

    The penalty is half of strengths_i theta_bi^2, summed, and what fixes the level of coefficients is
    half of gauge_i (sum_b theta_bi)^2, summed; that part never leaves with a row.

    Examples
    --------
    >>> import influstat as ist
    >>> risk = ist.SoftmaxRisk([[1.0], [2.0]], [0, 1], penalty=ist.L2(1.0))
    >>> risk.class_predictors().predictors(np.array([0.5, 1.0]))
    array([[0.5, 1. ],
           [1. , 2. ]])
    """

    design: Design  # the rows x_j, shape (n, q)
    y: NDArray[np.intp]  # their classes, 0 to K - 1, shape (n,)
    weights: FloatArray  # w_j, shape (n,)
    total_weight: float  # W
    classes: int  # K
    reference: bool  # whether class 0 has the coefficients 0
    strengths: FloatArray  # shape (q,)
    gauge: FloatArray  # shape (q,)
    protocol: Protocol  # what leaves with a row

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and coefficients."""
        return self.design.shape[0], (self.classes - self.reference) * self.design.shape[1]

    @cached_property
    def penalty(self) -> Diagonal:
        """The penalty's Hessian, without the gauge."""
        return Diagonal(np.tile(self.strengths, self.classes - self.reference))

    def by_class(self, theta: FloatArray) -> FloatArray:
        """Return the coefficients of all classes, shape (..., K, q), of theta (..., p)."""
        blocks = theta.reshape(*theta.shape[:-1], -1, self.design.shape[1])
        return np.concatenate([np.zeros_like(blocks[..., :1, :]), blocks], -2) if self.reference else blocks

    def coefficients(self, blocks: FloatArray) -> FloatArray:
        """Return what has one block per class, shape (K, q, ...), as what has one entry per coefficient."""
        own = blocks[1:] if self.reference else blocks
        return np.asarray(own.reshape(-1, *blocks.shape[2:]))

    def columns(self, theta: FloatArray) -> FloatArray:
        """Return the coefficients of all classes, shape (q, K, k), of the columns of theta (p, k)."""
        blocks = theta.reshape(-1, self.design.shape[1], theta.shape[1])
        if self.reference:
            blocks = np.concatenate([np.zeros_like(blocks[:1]), blocks])
        return np.ascontiguousarray(blocks.swapaxes(0, 1))

    def level(self, theta: FloatArray) -> FloatArray:
        """Return the gradient of the term that fixes the level at the columns of theta (p, k), that shape."""
        blocks = theta.reshape(-1, len(self.gauge), theta.shape[1])
        return np.tile(self.gauge[:, None] * blocks.sum(axis=0), (len(blocks), 1))

    def levelled(self, theta: FloatArray) -> FloatArray:
        """Return theta (p, ...) with coefficients that add up to 0 over classes, where that fixes them."""
        blocks = theta.reshape(-1, len(self.gauge), *theta.shape[1:])
        fixed = (self.gauge > 0).reshape(-1, *[1] * (theta.ndim - 1))
        return np.asarray((blocks - np.where(fixed, blocks.mean(axis=0), 0.0)).reshape(theta.shape))

    @property
    def free(self) -> int:
        """How many coefficients there are without those that the others determine so."""
        return self.shape[1] - int(np.count_nonzero(self.gauge))

    def predictors(self, theta: FloatArray) -> FloatArray:
        """Return eta, shape (n, K), or (n, K, k) of theta (k, p)."""
        blocks = self.by_class(theta)
        columns = np.moveaxis(blocks, -1, 0)  # (q, K) or (q, k, K)
        if theta.ndim == 1:
            return self.design.dot(np.ascontiguousarray(columns))
        columns = np.ascontiguousarray(np.swapaxes(columns, 1, 2))
        found = self.design.dot(columns.reshape(len(columns), -1))
        return found.reshape(len(found), self.classes, len(theta))

    def data_hessian(self, pi: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the Hessian of rows at probabilities pi (n, K), with the gauge alone, (p, p), sum scale."""
        none = np.zeros_like(self.strengths)
        whole = SoftmaxCurvature(self.design, weights, pi, none, self.gauge).to_dense()
        first = self.design.shape[1] if self.reference else 0
        return whole[first:, first:]

    def roots(self, groups: Groups, pi: FloatArray, rest: FloatArray) -> tuple[FloatArray, Groups]:
        """Return columns (p, s K) whose squares add up to each row's curvature, and the groups of them."""
        # W = R R' with R_ac = delta_ac pi_a^1/2 - pi_a pi_c^1/2: the columns of row j are R_c (x) x_j. `pi`
        # and `rest`, shape (s, K), are the probabilities of the groups' rows and 1 less them.
        K, s = self.classes, len(groups.members)
        root = np.sqrt(pi)
        factors = -pi[:, :, None] * root[:, None]  # R, shape (s, K, K)
        factors[:, np.arange(K), np.arange(K)] = root * rest
        columns = np.einsum("sac,sq->aqsc", factors, self.design.rows(groups.members))
        parts = Groups(np.repeat(groups.members, K), groups.starts * K, groups.labels)
        return self.coefficients(columns.reshape(K, -1, s * K)), parts

    def functionals(self, x: FloatArray, own: NDArray[np.intp]) -> FloatArray:
        """Return the gradients of eta_b - eta_own in theta for rows x (m, q), all b: shape (m, K, p)."""
        m, K = len(x), self.classes
        found = np.zeros((m, K, K, x.shape[1]))
        every, rows = np.arange(K), np.arange(m)
        found[:, every, every] = x[:, None]
        found[rows, :, own] -= x[:, None]
        return found[:, :, 1:].reshape(m, K, -1) if self.reference else found.reshape(m, K, -1)

    def predictions(self, design: Design, theta: FloatArray, kind: str) -> FloatArray:
        """Return eta or the probabilities of new rows, row by row: (m K,), or (m K, k) for theta (p, k)."""
        eta = replace(self, design=design).predictors(theta.T)
        found = eta if kind == "linear" else softmax(eta, axis=1)
        return np.asarray(found.reshape(-1, *theta.shape[1:]))

    def prediction_gradients(self, design: Design, theta: FloatArray, kind: str) -> FloatArray:
        """Return the gradients of those, shape (p, m K)."""
        K, x = self.classes, design.rows(slice(None))
        slopes = np.broadcast_to(np.eye(K), (len(x), K, K))  # d prediction_k / d eta_l
        if kind == "mean":
            values = self.predictions(design, theta, kind).reshape(-1, K)
            slopes = values[:, :, None] * (np.eye(K) - values[:, None, :])
        gradients = np.einsum("mkl,mj->ljmk", slopes, x)
        return self.coefficients(gradients.reshape(K, x.shape[1], -1))


def no_offset(offset: Any) -> None:
    """Raise where one is given."""
    if offset is not None:
        raise InvalidArgument(
            "offset", "be left out", "was given", "A softmax risk has one linear predictor per class."
        )


def class_labels(design: Design, classes: Iterable[Any]) -> NDArray[Any]:
    """Return the labels "row: class" of those predictions, shape (m K,)."""
    names = list(classes)
    return np.array([f"{row}: {name}" for row in design.row_labels for name in names], dtype=object)


class ClassCurvature(DenseCurvature):
    """The Hessian of rows with one predictor per class, in mean scale, known as a matrix (p, p)."""

    def __init__(self, matrix: FloatArray, names: tuple[str, ...], classes: ClassPredictors) -> None:
        super().__init__(matrix, names)
        self._classes = classes

    def coordinates(self) -> Coordinates | None:
        """Return the coefficients of columns that determine the others."""
        rows = self._classes
        blocks = rows.classes - rows.reference
        return class_coordinates(
            rows.design, rows.weights > 0, rows.strengths, blocks, level=not rows.reference
        )


@runtime_checkable
class HasClassPredictors(Interface):
    """A risk whose rows may have one linear predictor per class.

    Examples
    --------
    >>> import influstat as ist
    >>> from influstat.risks.class_predictors import HasClassPredictors
    >>> isinstance(ist.SoftmaxRisk([[1.0], [1.0]], [0, 1], penalty=ist.L2(1.0)), HasClassPredictors)
    True
    """

    def class_predictors(self) -> ClassPredictors | None:
        """Return the rows with their predictors; None where they have others."""
        ...


def class_predictors_of(risk: Risk) -> ClassPredictors | None:
    """Return the rows of a softmax risk with their predictors, else None."""
    # What wraps such a risk and hands on its methods may have other losses: the class itself has to say it.
    if isinstance(risk, HasClassPredictors) and hasattr(type(risk), "class_predictors"):
        return risk.class_predictors()
    return None
