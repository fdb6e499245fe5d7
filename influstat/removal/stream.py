"""Removals in blocks, for problems whose n x p coefficients are too many to keep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.influence.scores import HELPS
from influstat.input.groups import Groups, read_groups, read_rows
from influstat.input.labels import index_of
from influstat.input.ranking import Moves, Ranked
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum, require_fit
from influstat.minimise.named_column import named_column
from influstat.removal.cross_validation import HoldsOutItself
from influstat.removal.leave_out import in_blocks, marked_blocks, plan_of
from influstat.removal.result import Removal


def stream(fit: Minimum, groups: Any = None, *, method: str = "exact") -> Iterator[Removal]:
    """Yield a `Removal` for each block of consecutive rows or groups, so that only one block is kept.

    Parameters
    ----------
    fit : Fit
        The fit with all rows.
    groups : array_like, shape (n,), or list of arrays of int, optional
        As the labels of `Fit.leave_groups_out`; each row alone when left out.
    method : {"exact", "newton", "second_order", "influence"}
        As in `Fit.leave_one_out`.

    Returns
    -------
    iterator of Removal

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=1.0, protocol="fixed").fit([[1.0], [1.0]], [1.0, 3.0])
    >>> [part.theta.ravel().round(9).tolist() for part in ist.removal.stream(fit)]
    [[1.5, 0.5]]
    """
    return in_blocks(fit, _chosen(fit, groups), method)


def plan(fit: Minimum, groups: Any = None) -> Any:
    """Return how exact refits without each row or group would be found, and about how long that takes.

    Parameters
    ----------
    fit : Fit
        The fit with all rows.
    groups : array_like, shape (n,), or list of arrays of int, optional
        As the labels of `Fit.leave_groups_out`; each row alone when left out.

    Returns
    -------
    Plan, or PartitionPlan of a `PartitionedFit`
        Print it for a sentence; nothing is refitted. Of rows in partitions: passes, bytes, memory and time,
        after the three passes at most that tell which way is taken.

    Raises
    ------
    InvalidArgument, InvalidType
        fit is no Fit, or groups are not usable: as for `Fit.leave_groups_out`.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Logistic(lam=0.5).fit([[1.0], [-1.0], [2.0], [-2.0]], [1, 0, 0, 1])
    >>> str(ist.removal.plan(fit)).partition(":")[0]
    '4 refits by gradients summed over all rows'
    """
    if isinstance(fit, HoldsOutItself):
        return fit.planned(groups)
    return plan_of(fit, _chosen(fit, groups))


def _chosen(fit: Minimum, groups: Any) -> Groups:
    """Return the groups, each row alone where there are none."""
    labels = require_fit(fit).row_labels
    return read_rows(None, labels) if groups is None else read_groups(named_column(fit, groups), labels)


@dataclass(frozen=True, eq=False, repr=False)
class LossChanges(Ranked):
    """Changes of test losses on k removals, and how exact each is.

    Attributes
    ----------
    change : ndarray, shape (k, m)
        Loss after minus before; positive: the row helps.
    gradient_norm, converged, status, method
        As in `Removal`.
    groups : Groups
        Which rows each removal leaves out, and what it is called.
    row_labels : ndarray, shape (m,)
        What the test rows are called.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0]], [1.0, 3.0], row_labels=["low", "high"])
    >>> print(ist.removal.loss_changes(fit, [[1.0]], [2.5]))
    Change of the loss of each test row without the rows, after minus before (exact)
    2 of 2 rows done. Largest: high +2
         0
    low  0
    high 2
    """

    HEADING = "Change of the loss of each test row without the rows, after minus before ({0.method})"

    change: FloatArray
    gradient_norm: FloatArray
    converged: NDArray[np.bool_]
    status: tuple[str, ...]
    method: str
    groups: Groups
    row_labels: NDArray[Any]

    def to_frame(self) -> Any:
        """Return `change` as a pandas DataFrame: removals labelled, one column per test row."""
        import pandas as pd

        labels, columns = index_of(self.groups.labels), self.row_labels.tolist()
        return pd.DataFrame(self.change, index=labels, columns=columns)

    def moves(self) -> Moves:
        """Return `change`, a column for each test row."""
        columns, units = self.row_labels.tolist(), self.groups.units
        return Moves(self.change, self.groups.labels, columns, self.HEADING.format(self), units, HELPS)


def loss_changes(
    fit: Minimum, X: Any, y: Any = None, groups: Any = None, *, offset: Any = None, method: str = "exact"
) -> LossChanges:
    """Return the changes of the losses of test rows on every removal, no coefficients kept.

    Parameters
    ----------
    fit : Fit
        The fit with all rows.
    X, y : array_like, shapes (m, p) and (m,)
        Test rows.
    groups : array_like or list of arrays, optional
        As in `stream`; each row alone when left out.
    offset : array_like, shape (m,), optional
        Offsets of the test rows.
    method : str
        As in `stream`.

    Returns
    -------
    LossChanges, shape (k, m)

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=1.0, protocol="fixed").fit([[1.0], [1.0]], [1.0, 3.0])
    >>> ist.removal.loss_changes(fit, [[1.0]], [2.0]).change.ravel().round(9)  # .5^2 - .667^2, 1.5^2 - ...
    array([-0.19444444,  1.80555556])
    """
    chosen, labels = _chosen(fit, groups), fit.test_rows(X, y, offset=offset).row_labels
    parts = [
        (part.loss_change(X, y, offset=offset), part.gradient_norm, part.converged, part.status)
        for part in marked_blocks(fit, chosen, method)
    ]
    values, norms, converged, status = zip(*parts, strict=True)
    return LossChanges(
        np.concatenate(values),
        np.concatenate(norms),
        np.concatenate(converged),
        sum(status, start=()),
        method,
        chosen,
        labels,
    )
