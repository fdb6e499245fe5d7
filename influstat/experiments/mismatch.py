"""Domain mismatch: the few children left in training data decide what is said of a child (Koh and Liang 5.3).

Of the 24 children among 20,000 training patients, 3 were readmitted. All but one of the 21 others are
taken out, so that 3 of 4 children were readmitted; a healthy child of the test rows is then judged by
them. Their influence on its loss gives them away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from influstat.datasets import load_diabetes130
from influstat.models import Logistic
from influstat.printing import ShortRepr
from influstat.validation import FloatArray

CHILD = "age=[0-10)"
TEST_ROW = 1742
RIDGE = 0.5e-4  # of |theta|^2 beside the mean loss


@dataclass(frozen=True, eq=False, repr=False)
class Mismatch(ShortRepr):
    """How the children kept in training rank by influence on the test child.

    Attributes
    ----------
    removal : ndarray, shape (n,)
        First-order change of the test child's loss when a training row is removed.
    children : ndarray of int, shape (4,)
        Positions of the children kept.
    readmitted : ndarray of bool, shape (4,)
        Which of them were readmitted.
    ranks : ndarray of int, shape (4,)
        Rank of each by absolute influence, 1 for the largest.
    loss_before, loss_after : float
        The test child's loss with all children, and with the four kept.
    """

    removal: FloatArray
    children: NDArray[np.intp]
    readmitted: NDArray[np.bool_]
    ranks: NDArray[np.intp]
    loss_before: float
    loss_after: float


def domain_mismatch(*, kept: int = 0) -> Mismatch:
    """Return the experiment for test row 1742.

    Parameters
    ----------
    kept : int
        Which of the 21 not readmitted children stays, 0 to 20.

    Raises
    ------
    DatasetError
        Without INFLUSTAT_DATA: Koh and Liang's design has no public address.
    """
    train, test = load_diabetes130(part="train"), load_diabetes130(part="test")
    child = train.X[:, train.names.index(CHILD)] == 1
    others = np.flatnonzero(child & (train.y == -1))
    stay = np.setdiff1d(np.arange(len(train.y)), np.delete(others, kept))
    X_test, y_test = test.X[[TEST_ROW]], test.y[[TEST_ROW]]
    whole = _model(len(train.y)).fit(train.X, train.y)
    fit = _model(len(stay)).fit(train.X[stay], train.y[stay], row_labels=train.row_labels[stay])
    removal = fit.influence().on_loss(X_test, y_test).removal[:, 0]
    children = np.flatnonzero(child[stay])
    order = np.argsort(-np.abs(removal), kind="stable")
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(1, len(order) + 1)
    return Mismatch(
        removal,
        children,
        train.y[stay][children] == 1,
        rank[children],
        float(whole.loss(X_test, y_test)[0]),
        float(fit.loss(X_test, y_test)[0]),
    )


def _model(n: int) -> Logistic:
    return Logistic(lam=RIDGE * n, labels=(-1, 1))
