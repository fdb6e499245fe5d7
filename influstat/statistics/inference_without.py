"""Inference without sets of rows: clusters, or any rows that a caller names, everything estimated anew."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InflustatError, InvalidArgument
from influstat.input.chosen import read_positions
from influstat.input.groups import Groups, read_groups
from influstat.input.progress import progress
from influstat.input.validation import FloatArray
from influstat.input.warning import collected, doubt
from influstat.minimise.minimum import Minimum
from influstat.minimise.named_column import named_column
from influstat.removal.leave_out import collect
from influstat.risks.contract import left_over
from influstat.statistics.inference_table import QUANTITIES, InferenceTable
from influstat.statistics.setting import CovarianceSetting
from influstat.statistics.without_table import InferenceWithout

NO_FREEDOM = "without it no degrees of freedom are left"


@dataclass(frozen=True, eq=False, repr=False)
class InferenceOfSets:
    """The questions to `Inference` about sets of rows; its attributes are described there."""

    fit: Minimum
    setting: CovarianceSetting
    use_t: bool
    level: float

    @cached_property
    def table(self) -> InferenceTable:
        """What is said of each coefficient."""
        raise NotImplementedError  # pragma: no cover - `Inference` has it

    def leave_groups_out(self, groups: Any) -> InferenceWithout:
        """Return estimates, standard errors, t and p values and limits without each group of rows.

        Parameters
        ----------
        groups : array_like, shape (n,), str, list, dict or splitter
            As for `Fit.leave_groups_out`: one label per row, the column of a formula's table that has
            them, or the groups themselves, which may overlap.

        Returns
        -------
        InferenceWithout
            One line per group and coefficient, by the covariance of this inference: its levels, and their
            changes, after minus before.

        Raises
        ------
        InvalidArgument, InvalidType
            There is not one label per row, only one label, or one is missing; a group is empty, holds
            all rows, a row twice, or a row that does not exist.

        Warns
        -----
        DoubtfulResult
            Something is nan without some group: `status` says why.

        Notes
        -----
        The coefficients are those of `Fit.leave_groups_out`, and everything else is estimated anew from the
        rows left: dispersion, leverages, scores, degrees of freedom, the number of clusters. The price is one
        covariance a group, O(n p^2); of a jackknife as many refits as it has.

        "HAC": rows that are removed leave a gap in time, their scores are 0, so that the rows around them
        stay as many lags apart as they were. Rows lost to missing values before the fit close theirs.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 4, [1.0, 3.0, 8.0, 9.0], names=["mean"])
        >>> found = fit.inference().leave_groups_out(["a", "a", "b", "b"])
        >>> found.to_frame("standard_errors")      # |9 - 8| / 2 and |3 - 1| / 2
           mean
        a   0.5
        b   1.0
        """
        chosen = read_groups(named_column(self.fit, groups), self.fit.row_labels)
        found = self.without_each(chosen)
        return _announced(replace(found, status=chosen.named(found.status)))

    def without(self, rows: Any) -> InferenceWithout:
        """Return estimates, standard errors, t and p values and limits without a set of rows.

        Parameters
        ----------
        rows : array_like
            The rows that leave together: positions, a mask, or row labels.

        Returns
        -------
        InferenceWithout
            One line per coefficient; all arrays have shape (p,).

        Raises
        ------
        InvalidArgument, InvalidType
            A row does not exist or is named twice, or these are all rows.

        Notes
        -----
        "HAC": rows that are removed leave a gap in time, their scores are 0, so that the rows around them
        stay as many lags apart as they were. Rows lost to missing values before the fit close theirs.

        Warns
        -----
        DoubtfulResult
            Something is nan without them: `status` says why.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 4, [1.0, 3.0, 8.0, 9.0], names=["mean"])
        >>> fit.inference().without([0, 1]).to_frame()[["estimates", "standard_errors", "t_values"]]
              estimates  standard_errors  t_values
        mean        8.5              0.5      17.0
        """
        labels = self.fit.row_labels
        chosen = read_positions("rows", rows, labels)
        if len(chosen) == len(labels):
            raise InvalidArgument("rows", "leave a row in", f"holds all {len(labels)} rows", "Name fewer.")
        name = labels[chosen] if len(chosen) == 1 else np.array([f"{len(chosen)} rows"])
        found = self.without_each(Groups(chosen, np.array([0, len(chosen)], dtype=np.intp), name))
        values = [getattr(found.table, one)[0] for one in QUANTITIES]
        table = InferenceTable.of(values, self.fit.names)
        return _announced(replace(found, estimates=found.estimates[0], table=table))

    def without_each(self, groups: Groups, *, whole: bool = False) -> InferenceWithout:
        """Return all of it without each of the groups, and warn of nothing; `collect` has `whole`."""
        removal = collect(self.fit, groups, "exact", whole=whole)
        after, status = np.full((5, *removal.theta.shape), np.nan), list(removal.status)
        for k in progress(range(len(groups)), "inference without each group"):
            if np.isnan(removal.theta[k]).all():
                continue
            try:
                after[:, k], reason = self._at_refit(groups[k], removal.solution[k])
            except InflustatError as error:
                reason = str(error)
            status[k] = status[k] or reason
        table = InferenceTable.of(after, self.fit.names, groups.labels, tuple(status), "Without each")
        return InferenceWithout(groups, removal.theta, table, self.fit.theta, self.table, tuple(status))

    def _at_refit(self, rows: NDArray[np.intp], theta: FloatArray) -> tuple[list[FloatArray], str]:
        """Return the five quantities at the refit without the rows, and why some known ones are nan."""
        fit = Minimum(left_over(self.fit.risk, rows), theta, tolerance=np.inf)
        setting = self.setting.without(rows)
        # What degrees of freedom subtract counts directions: those that the rows left do not feel are gone.
        gone = self.fit.regular.risk.shape[1] - fit.regular.risk.shape[1]
        if setting.parameters is not None:
            setting = replace(setting, parameters=setting.parameters - gone)
        with collected() as said:  # why something is nan: for the status
            table = replace(self, fit=fit, setting=setting).table
        known = np.array([name not in fit.lost for name in fit.names]) & np.isfinite(self.table.lower)
        if not np.isnan(table.lower[known]).any():
            reason = ""
        elif np.isnan(table.standard_errors[known]).any() and said:
            texts = [str(one.message) for one in said]
            reason = next((text for text in texts if "nan" in text), texts[0])
        else:
            reason = NO_FREEDOM
        return [getattr(table, name) for name in QUANTITIES], reason


def _announced(found: InferenceWithout) -> InferenceWithout:
    """Return it; warn once where something is nan, with the first reason."""
    bad = [text for text in found.status if text]
    if bad:
        many = len(found.status)
        doubt(f"Something is nan without {len(bad)} of {many} sets of rows (`status` says why). {bad[0]}")
    return found
