"""`GroupQuestions`: what a fit of partitions answers about groups of its rows."""

from __future__ import annotations

from typing import Any

from influstat.errors import Unsupported
from influstat.input.printing import short
from influstat.partitioned.groups.cross_validation import PartitionedCrossValidation, cross_validate
from influstat.partitioned.groups.leave_out import GroupRemoval, leave_groups_out
from influstat.partitioned.plan import PartitionPlan
from influstat.partitioned.removal.leave_out import PartitionedRemoval
from influstat.removal.cross_validation import HoldsOutItself


class GroupQuestions(HoldsOutItself):
    """The part of a `PartitionedFit` about groups and folds."""

    def leave_groups_out(self, groups: Any = None, *, method: str = "exact") -> GroupRemoval:
        """Return what happens to theta when each group of rows is left out together.

        Parameters
        ----------
        groups : callable, array_like of shape (n,), list, dict or splitter, optional
            From an array of labels to an array of groups; or as for `Fit.leave_groups_out`, disjoint: an
            entry for every row is held then. Left out: those that the data hold, which are read with them
            (``ist.partitions(..., groups="firm")``).
        method : {"exact", "newton", "second_order", "influence"}
            As in `leave_one_out`.

        Returns
        -------
        GroupRemoval
            p numbers a group; of partial sums, at most 64 MiB are held for groups at once.

        Raises
        ------
        InvalidArgument, InvalidType
            There are no groups, only one, or one is missing: the message names partition and row.
        Unsupported
            Groups overlap; the Hessian is known by products alone.
        """
        return leave_groups_out(self, groups, method)

    def planned(self, groups: Any) -> PartitionPlan:
        """Return what it costs to leave every row out alone; as `ist.removal.plan`."""
        if groups is not None:
            need = "be left out for rows in partitions, which are planned alone"
            raise Unsupported(
                "groups", need, f"is {short(groups)}", "Call fit.leave_groups_out: one pass or a few."
            )
        return PartitionedRemoval(self).delta().plan()

    def cross_validate(
        self,
        folds: Any = None,
        *,
        method: str = "exact",
        certified: bool = False,
        scoring: Any = None,
    ) -> PartitionedCrossValidation:
        """Return the loss of every row at the coefficients found without its fold; as `ist.cross_validate`.

        Parameters
        ----------
        folds : str, callable, array_like of shape (n,), list, dict or splitter, optional
            "groups": those that the data hold. Else as the groups of `leave_groups_out`; each row alone when
            left out.
        method : {"exact", "newton", "second_order", "influence"}
            As in `leave_one_out`.
        certified : bool
            Whether rows have a "bound of loss", certified.
        scoring : str or callable, optional
            As for `ist.cross_validate`. A pass for each fold; the targets and predictions of one are held.

        Returns
        -------
        PartitionedCrossValidation

        Raises
        ------
        InvalidArgument, InvalidType
            As for `leave_groups_out`, or the scorer is unknown.
        Unsupported
            Scores of single rows, or bounds of very many folds, are asked for.
        MissingDependency
            A scorer is named, and scikit-learn is not installed.
        """
        alone = folds is None
        given = None if isinstance(folds, str) and folds == "groups" else folds
        return cross_validate(self, given, alone=alone, method=method, certified=certified, scoring=scoring)
