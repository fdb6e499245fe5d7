"""`ClassLosses`: what every row of a classifier's risk would lose in each of the classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.input.validation import FloatArray

REACH = 4.0  # of the linear predictors at which a loss is asked which way it falls


@dataclass(frozen=True, eq=False)
class ClassLosses:
    """The losses of n rows in K classes, without a penalty's share.

    `at` goes from theta, (p,) or one line per row (k, p), and k rows to their losses in each class, (k, K).

    Examples
    --------
    >>> import influstat as ist
    >>> risk = ist.SoftmaxRisk([[1.0], [1.0], [1.0]], [0, 1, 1], penalty=ist.L2(1.0))
    >>> risk.class_losses().at(np.zeros(2), np.array([0])).round(4)         # log 2
    array([[0.6931, 0.6931]])
    """

    labels: NDArray[Any]  # what the classes are called, shape (K,)
    own: NDArray[np.intp]  # the class of each row, 0 to K - 1, shape (n,)
    at: Callable[[FloatArray, NDArray[np.intp]], FloatArray]


@runtime_checkable
class ClassRisk(Protocol):
    """A risk whose rows may be of classes.

    Examples
    --------
    >>> import influstat as ist
    >>> from influstat.risks.classes import ClassRisk
    >>> isinstance(ist.SoftmaxRisk([[1.0], [1.0]], [0, 1], penalty=ist.L2(1.0)), ClassRisk)
    True
    """

    def class_losses(self) -> ClassLosses | None:
        """Return the losses in every class; None where y holds no classes."""
        ...


def class_codes(y: FloatArray, count: int, what: str, remedy: str) -> NDArray[np.intp]:
    """Return targets that are the codes 0 to K - 1 of classes as ints, shape (n,), or raise."""
    wrong = (y != np.floor(y)) | (y < 0) | (y >= count)
    if wrong.any():
        row = int(np.argmax(wrong))
        need = f"hold the codes 0 to {count - 1} of {what}"
        raise InvalidArgument("y", need, f"holds {y[row]:g} at row {row}", remedy)
    return y.astype(np.intp)


def tells_apart(loss: Any, y: FloatArray) -> bool:
    """Tell whether a loss of targets y is that of a classifier: two labels, and it falls to one side each.

    Returns
    -------
    bool

    Examples
    --------
    >>> import influstat as ist
    >>> from influstat.risks.classes import tells_apart
    >>> y = np.array([0.0, 1.0])
    >>> tells_apart(ist.LogisticLoss(), y), tells_apart(ist.SquaredError(), y)
    (True, False)
    """
    labels = np.unique(y)
    if labels.size != 2:
        return False
    eta = np.linspace(-REACH, REACH, 61)
    low, high = (np.full(eta.shape, label) for label in labels)
    return not ((loss.first(low, eta) < 0).any() or (loss.first(high, eta) > 0).any())


def softmax_losses(X: FloatArray, coefficients: FloatArray) -> FloatArray:
    """Return log sum_l e^(eta_il) - eta_ik for rows (k, q) and coefficients (k, K, q): shape (k, K)."""
    eta = np.einsum("ij,ikj->ik", X, coefficients)
    return np.asarray(np.logaddexp.reduce(eta, axis=1, keepdims=True) - eta)


def class_contrasts(X: FloatArray, y: NDArray[np.intp], count: int) -> FloatArray:
    """Return e_y x' - e_k x' for each row and every other class k, shape (n (K - 1), K q)."""
    blocks = []
    for step in range(1, count):
        block = np.zeros((len(X), count, X.shape[1]))
        block[np.arange(len(X)), y] = X
        block[np.arange(len(X)), (y + step) % count] = -X
        blocks.append(block.reshape(len(X), -1))
    return np.concatenate(blocks)
