"""`Inference`: standard errors, t and p values and confidence limits, and how they hang on single rows."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InflustatError, Unsupported
from influstat.input.groups import one_by_one, read_rows
from influstat.input.labels import label_name
from influstat.input.lazy_types import DataFrame
from influstat.input.printing import Tabled
from influstat.input.progress import progress
from influstat.input.ranking import Ranking
from influstat.input.validation import FloatArray
from influstat.input.warning import doubt_once, unsaid
from influstat.minimise.minimum import Minimum
from influstat.numerics.differences import slope
from influstat.removal.leave_out import collect
from influstat.risks.class_predictors import class_predictors_of
from influstat.risks.linear import as_linear
from influstat.statistics.covariance import covariance_of, settled
from influstat.statistics.deletion import NO_FREEDOM, Deletion, deleted_dispersion
from influstat.statistics.dispersion import dispersion as dispersion_from
from influstat.statistics.inference_derivatives import CaseDerivatives
from influstat.statistics.inference_of_fragility import InferenceOfFragility
from influstat.statistics.inference_table import QUANTITIES, InferenceTable, critical, quantities, tail
from influstat.statistics.leverage import NEAR, leverage_of
from influstat.statistics.sandwich import clusters_left, count
from influstat.statistics.setting import BY_GROUPS, CovarianceSetting
from influstat.statistics.without_rows import WithoutRows

DIFFERENTIABLE = ("model", "infinitesimal jackknife", "HC0", "HC1", "HC2", "HC3", "cluster")
QUICK = 200_000  # entries of X, of which first-order changes are known while nobody waits
BLOCK = 1024  # rows whose p values and limits are worked out together
ANEW = "Change without each row, estimated anew, after minus before"
PENALISED = (
    "Of a penalised fit: estimates are shrunken, and standard errors are those of the shrunken estimates. t "
    "and p values and limits leave the bias out: they are no tests of an unpenalised model's coefficients."
)


@dataclass(frozen=True, eq=False, repr=False)
class Inference(InferenceOfFragility, Tabled):
    """Inference about the coefficients of one fit, with one covariance.

    Attributes
    ----------
    fit : Fit
        The fit.
    setting : CovarianceSetting
        Which covariance.
    use_t : bool
        Student's t with `degrees_of_freedom`, or the normal distribution.
    level : float
        Of the confidence intervals.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0], [1.0]], [1.0, 3.0, 8.0])
    >>> fit.inference().leave_one_out().standard_errors.ravel().round(4)     # 2.5, 3.5 and 1, less 2.0817
    array([ 0.4183,  1.4183, -1.0817])
    """

    HEADING = (
        "Inference by the {0.kind!r} covariance, {0.degrees_of_freedom:g} degrees of freedom (inf: normal)"
    )

    fit: Minimum
    setting: CovarianceSetting
    use_t: bool
    level: float

    @cached_property
    def covariance(self) -> FloatArray:
        """The covariance of theta, shape (p, p)."""
        return covariance_of(self.fit, self.setting)

    @property
    def kind(self) -> str:
        """Which covariance the standard errors are of, as `Fit.covariance` names it."""
        return self.setting.kind

    @cached_property
    def degrees_of_freedom(self) -> float:
        """N - edf, or clusters - 1; inf for the normal distribution."""
        if not self.use_t:
            return np.inf
        if self._by_clusters:
            return min(clusters_left(self.fit, one) for one in self.setting.counted_clusters) - 1.0
        total, freedom = count(self.fit, self.setting)
        return total - (freedom if self.setting.parameters is None else self.setting.parameters)

    @property
    def _by_clusters(self) -> bool:
        return self.setting.kind in BY_GROUPS and self.setting.group_freedom

    @property
    def note(self) -> str:
        """What p values and limits are not, "" where they are the usual ones."""
        linear, classes = as_linear(self.fit.risk), class_predictors_of(self.fit.risk)
        penalised = linear is not None and bool(linear.penalty.gradient(self.fit.theta).any())
        penalised |= classes is not None and bool(classes.penalty.dot(self.fit.theta).any())
        return PENALISED if penalised else ""

    @cached_property
    def table(self) -> InferenceTable:
        """Standard errors, t and p values and confidence limits, each of shape (p,)."""
        variance = settled(self.fit, self.setting, np.diag(self.covariance), self.fit.names)
        values = quantities(self.fit.theta, variance, self.degrees_of_freedom, self.level)
        return replace(InferenceTable.of(values, self.fit.names), note=self.note)

    def to_frame(self) -> DataFrame:
        """Return the table, one line per coefficient."""
        return self.table.to_frame()

    def top(
        self, k: int = 5, *, column: Any = None, side: str | None = None, by: str | None = None
    ) -> Ranking:
        """Return the k rows whose removal moves standard errors (or `by`) most; `InferenceTable.top`."""
        return self.leave_one_out().top(k, column=column, side=side, by=by)

    def in_short(self) -> str:
        """Return which rows move t values most, to first order, in one line where that is quickly known."""
        if self.fit.risk.shape[0] * self.fit.risk.shape[1] > QUICK:
            return ""
        # removal() says it where it is asked.
        with unsaid(), suppress(InflustatError), np.errstate(all="ignore"):
            return f"t values without each row, to first order: {self.removal().moves('t_values').in_short()}"
        return ""

    def derivative(self) -> InferenceTable:
        """Return the derivatives in the case weight of each row.

        The case weight (now 1) multiplies the row wherever it appears: loss, middle of the sandwich,
        number of observations, and the penalty's share under "folded". Minus the derivative is the
        first-order change on removal. The clusters' number stays.

        Returns
        -------
        InferenceTable, shape (n, p)

        Raises
        ------
        Unsupported
            The risk has no linear predictor, the covariance is a jackknife of refits, or a standard error is
            0, where a root has no derivative.
        """
        if self.setting.penalty_in_scores and self.setting.kind != "model":
            raise Unsupported(
                "fit",
                "have scores without a share of the penalty for derivatives of a robust covariance",
                "is that of a library which gives each score a share of the penalty",
                "Use leave_one_out().",
            )
        if self.setting.kind not in DIFFERENTIABLE:
            raise Unsupported(
                "kind",
                f"be one of {', '.join(DIFFERENTIABLE)} for derivatives",
                f"is {self.setting.kind!r}",
                'Use "HC3" (for clusters "cluster"), or leave_one_out().',
            )
        for name, error in zip(self.fit.names, self.table.standard_errors, strict=True):
            if error == 0.0:
                raise Unsupported(
                    "fit",
                    "have standard errors above 0 for their derivatives",
                    f"has one of 0 for {name!r}: rows that matter to it have residuals of 0",
                    "Pass inference(dispersion=...) where it is known, or use leave_one_out().",
                )
        parts = CaseDerivatives(self.fit, self.setting).all()
        freedom = parts.freedom
        if self._by_clusters:
            freedom = np.zeros_like(freedom)
        table, df, theta = self.table, self.degrees_of_freedom, parts.theta
        error = parts.variance  # n by p each: worked on in place
        error /= 2.0 * table.standard_errors
        t = theta - table.t_values * error
        t /= table.standard_errors
        density = slope(lambda x: 2.0 * tail(x, df), np.abs(table.t_values))
        p = density * np.sign(table.t_values) * t
        width = critical(df, self.level) * error
        if np.isfinite(df):
            p += np.outer(freedom, slope(lambda x: 2.0 * tail(np.abs(table.t_values), x), df))
            bend = slope(lambda x: critical(x, self.level), df)
            width += np.outer(freedom, bend * table.standard_errors)
        lower = theta - width
        theta += width
        values, what = (error, t, p, lower, theta), "Derivative in the case weight of each row"
        return InferenceTable.of(values, self.fit.names, self.fit.row_labels, what=what)

    def removal(self) -> InferenceTable:
        """Return the changes on removal to first order, after minus before: minus the derivative."""
        found = self.derivative()
        values = (-getattr(found, name) for name in QUANTITIES)
        what = "First-order change without each row, after minus before"
        return InferenceTable.of(values, found.names, found.row_labels, what=what)

    def leave_one_out(self, *, rows: Any = None) -> InferenceTable:
        """Return the changes when each row is removed and everything is estimated anew, shape (k, p).

        Parameters
        ----------
        rows : array_like of int, optional
            Which rows, by position; all when left out.

        Returns
        -------
        InferenceTable
            After minus before; nan, with the reason in `status`, where there is no fit without the row.

        Raises
        ------
        InvalidArgument, InvalidType
            A row does not exist or is named twice.

        Warns
        -----
        DoubtfulResult
            Some rows have nan.

        Notes
        -----
        Model-based inference for squared error is in closed form, O(n p^2) for all rows. Otherwise
        the coefficients come from `Fit.leave_one_out` and the covariance is computed for each row,
        O(n p^2) a row (a jackknife costs as many refits a row).
        """
        chosen = read_rows(rows, self.fit.row_labels).members
        linear = as_linear(self.fit.risk)
        quadratic = linear is not None and linear.quadratic
        closed = quadratic and self.setting.kind == "model"
        after, status = self._closed(chosen) if closed else self._refitted(chosen)
        alone = list[int]()
        if closed:
            alone = np.flatnonzero(leverage_of(self.fit).left[chosen] < NEAR).tolist()
        if alone:  # what such a row does not determine, or with few digits, is that of its refit
            after[:, alone], found = self._refitted(chosen[alone])
            status = {k: text for k, text in status.items() if k not in alone}
            status |= {alone[k]: text for k, text in found.items()}
        if status:
            first = min(status)
            doubt_once(
                self.fit,
                f"{len(status)} of {len(chosen)} rows have no inference without them, or not of every "
                "coefficient, and nan instead, the first "
                f"{label_name(self.fit.row_labels[chosen[first]])} ({status[first].rstrip('.')}). "
                "`status` has all reasons.",
                self.setting.kind,
            )
        for place, name in enumerate(QUANTITIES):  # in place: there may be many rows
            after[place] -= getattr(self.table, name)
        reasons = tuple(status.get(k, "") for k in range(len(chosen)))
        return InferenceTable.of(after, self.fit.names, self.fit.row_labels[chosen], reasons, ANEW)

    def _refitted(self, rows: NDArray[np.intp]) -> tuple[FloatArray, dict[int, str]]:
        """Return the quantities without each row, shape (5, k, p), each covariance computed anew."""
        removal = collect(self.fit, one_by_one(rows, self.fit.row_labels), "exact")
        after = np.full((5, *removal.theta.shape), np.nan)
        status = {k: text for k, text in enumerate(removal.status) if text}
        done = np.array([k for k in range(len(rows)) if k not in status], dtype=np.intp)
        if done.size and WithoutRows.serves(self.fit, self.setting):
            theta = removal.theta if done.size == len(rows) else removal.theta[done]
            variance, left = WithoutRows(self.fit, self.setting).variances(rows[done], theta)
            for start in range(0, len(done), BLOCK):
                part = slice(start, start + BLOCK)
                some = left[part]
                freedom: Any = np.where(some > 0, some, np.nan)[:, None] if self.use_t else np.inf
                after[:, done[part]] = quantities(theta[part], variance[part], freedom, self.level)
        at = removal.theta if removal.determined is None else removal.determined.solution
        left_over = np.flatnonzero(np.isnan(after).any(axis=(0, 2)))
        for k in progress(left_over.tolist(), "inference without each row"):
            if np.isnan(removal.theta[k]).all():
                continue
            try:
                after[:, k], _ = self._at_refit(rows[[k]], at[k])
            except InflustatError as error:
                status[k] = str(error)
        return after, status

    def _closed(self, rows: NDArray[np.intp]) -> tuple[FloatArray, dict[int, str]]:
        """Return the same for squared error and phi S^-1, by Sherman and Morrison."""
        leverage = leverage_of(self.fit)
        counts = self.setting.counts
        phi = dispersion_from(leverage, counts, given=self.setting.dispersion)
        after, status = np.full((5, len(rows), self.fit.risk.shape[1]), np.nan), {}
        known, done = ~np.isnan(leverage.inverse_diagonal), 0
        for block in Deletion(leverage, phi.squares).blocks(rows):
            place = slice(done, done + len(block.left))
            done = place.stop
            found = block.reasons()
            without = deleted_dispersion(phi, block, counts)
            theta = self.fit.theta + block.change @ leverage.to_theta.T
            variance = without[:, None] * block.inverse_diagonal(leverage.to_theta)
            freedom: Any = np.inf
            if self.use_t:
                used = block.freedom if self.setting.parameters is None else self.setting.parameters
                freedom = (phi.observations - counts[block.rows] - used)[:, None]
            after[:, place] = quantities(theta, variance, freedom, self.level)
            lost = np.isnan(after[0, place][:, known]).any(axis=1)
            for k in np.flatnonzero(lost | np.isin(block.rows, list(found))).tolist():
                status[k + place.start] = found.get(int(block.rows[k]), NO_FREEDOM)
        return after, status
