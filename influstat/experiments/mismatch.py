"""Domain mismatch: the few rows left of a subgroup decide what is said of it (Koh and Liang 5.3).

Of the 24 children among 20,000 training patients, 3 were readmitted. All but one of the 21 others are
taken out; a healthy child of the test rows is then judged by the 4 left, whose influence on its loss
gives them away. `stand_in_mismatch` does the same to a survey that comes with statsmodels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from influstat.datasets import load_diabetes130, load_fair
from influstat.errors import InvalidArgument
from influstat.input.printing import ShortRepr
from influstat.input.validation import FloatArray, whole_number
from influstat.models.linear import Logistic

CHILD = "age=[0-10)"
TEST_ROW = 1742
RIDGE = 0.5e-4  # of |theta|^2 beside the mean loss
STUDENT = 1.0  # among the occupations of Fair's survey


@dataclass(frozen=True, eq=False, repr=False)
class Mismatch(ShortRepr):
    """How the k rows kept of a subgroup rank by influence on a test row of that subgroup."""

    removal: (
        FloatArray  # first-order change of the test row's loss when a training row is removed, shape (n,)
    )
    members: NDArray[np.intp]  # positions of the rows kept
    positive: NDArray[np.bool_]  # which of them have the label +1 (were readmitted)
    ranks: NDArray[np.intp]  # of each by absolute influence, 1 for the largest
    loss_before: float  # of the test row with the whole subgroup
    loss_after: float  # with what is kept of it


def domain_mismatch(*, kept: int = 0) -> Mismatch:
    """Return the experiment for test row 1742 of Koh and Liang's hospital readmissions.

    Parameters
    ----------
    kept : int
        Which of the 21 not readmitted children stays, 0 to 20.

    Returns
    -------
    Mismatch

    Raises
    ------
    DatasetError
        Without INFLUSTAT_DATA: Koh and Liang's design has no public address.
    InvalidArgument, InvalidType
        `kept` is not a whole number from 0 to 20.
    """
    kept = whole_number("kept", kept, at_least=0)
    train, test = load_diabetes130(part="train"), load_diabetes130(part="test")
    child = train.X[:, train.names.index(CHILD)] == 1
    return _thinned(train.X, train.y, child, test.X[[TEST_ROW]], test.y[[TEST_ROW]], kept)


def stand_in_mismatch(*, kept: int = 0) -> Mismatch:
    """Return the same for the students in Fair's survey of affairs, which needs no file.

    Every other woman of the survey is a training row. Of the students among them all but one who
    had no affair are taken out, and `kept` (from 0) says which stays; the first student of the other rows
    who had none is judged.

    Returns
    -------
    Mismatch

    Raises
    ------
    InvalidArgument, InvalidType
        `kept` is not a whole number from 0, or there are not so many students without an affair.
    """
    kept = whole_number("kept", kept, at_least=0)
    fair = load_fair()
    occupation = fair.X[:, fair.names.index("occupation")]
    others = np.delete(fair.X, fair.names.index("occupation"), axis=1)
    scaled = (others - others.mean(axis=0)) / others.std(axis=0)
    one_hot = occupation[:, None] == np.unique(occupation)
    X = np.column_stack([scaled, one_hot, np.ones(len(occupation))])
    y, student = 2.0 * fair.y - 1.0, occupation == STUDENT
    train = np.arange(len(y)) % 2 == 0
    judged = np.flatnonzero(~train & student & (y == -1))[:1]
    return _thinned(X[train], y[train], student[train], X[judged], y[judged], kept)


def _thinned(
    X: FloatArray, y: FloatArray, member: NDArray[np.bool_], X_test: Any, y_test: Any, kept: int
) -> Mismatch:
    """Take out all members of label -1 but one, and rank the training rows by influence on the test row."""
    others = np.flatnonzero(member & (y == -1))
    if kept >= len(others):
        remedy = f"There are {len(others)} rows to choose from."
        raise InvalidArgument("kept", f"be at most {len(others) - 1}", f"is {kept}", remedy)
    stay = np.setdiff1d(np.arange(len(y)), np.delete(others, kept))
    whole, fit = (
        Logistic(lam=RIDGE * len(rows), labels=(-1, 1)).fit(X[rows], y[rows])
        for rows in (np.arange(len(y)), stay)
    )
    removal = fit.influence().on_loss(X_test, y_test).removal[:, 0]
    members = np.flatnonzero(member[stay])
    ranks = rankdata(-np.abs(removal), method="ordinal").astype(np.intp)[members]
    before, after = (float(one.loss(X_test, y_test)[0]) for one in (whole, fit))
    return Mismatch(removal, members, y[stay][members] == 1, ranks, before, after)
