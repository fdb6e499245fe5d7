"""m quantities of a fit, and how they hang on single rows.

Each is a `Functional`: its value, its gradient in theta, and how it is evaluated again when rows go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.influence.influence import Influence
from influstat.influence.scores import Scores
from influstat.input.lazy_types import DataFrame
from influstat.input.printing import nearest_first, short
from influstat.input.progress import progress
from influstat.input.ranking import Moves, Ranked
from influstat.input.settings import flag
from influstat.input.validation import FloatArray, real_number, whole_number
from influstat.input.warning import doubt_once, unsaid
from influstat.minimise.minimum import Minimum
from influstat.removal.active_set import enters
from influstat.removal.leave_out import announced, leave_one_out
from influstat.sets.budget import Budget
from influstat.sets.result import Breakdown
from influstat.sets.thresholds import Line, function_breakdown, line_breakdown
from influstat.statistics.covariance import quadratic_forms
from influstat.statistics.functionals.change import FunctionalChange
from influstat.statistics.inference_table import critical
from influstat.statistics.read_inference import inference
from influstat.statistics.refusals import remedied

NOT_DETERMINED = "the rows do not determine it, since columns depend on each other"
LETS_IN = "a column that the fit left out comes in, on which this function of theta does not depend"
Evaluate = Callable[[FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True, eq=False, repr=False)
class Functional(Ranked):
    """m smooth quantities q of a fit.

    Attributes
    ----------
    fit : Fit
        The fit.
    labels : tuple of str
        What the quantities are called.
    quantity : str
        What they are, for headings.
    value : ndarray, shape (m,)
        q at theta; nan where it hangs on coefficients that the rows do not determine.
    gradient : ndarray, shape (p, m)
        dq / dtheta.
    gradient_error : ndarray, shape (m,)
        Estimate of the gradient's error, per standard scale of the coefficients; 0 for closed forms.
    evaluate : callable
        (theta, weights) -> q, shape (m,): for q that average over the fit's own rows, those weights count.
    own_part : ndarray, shape (n, m), or None
        For such q, the influence of each row as one of those averaged over, theta held fixed.
    lines : tuple of Line
        For q that are monotone functions of a combination of the coefficients, one of these each; else empty.
    on_logs : bool
        Whether confidence limits are those of log q, as for odds ratios.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0]], [1.0, 3.0])
    >>> q = ist.contrast(fit, [2.0])
    >>> q.value, q.influence().values.ravel()           # 2 theta and 2 (y_i - theta)
    (array([4.]), array([-2.,  2.]))
    """

    HEADING = "{0.quantity}"
    fit: Minimum
    labels: tuple[str, ...]
    quantity: str
    value: FloatArray
    gradient: FloatArray
    gradient_error: FloatArray
    evaluate: Evaluate
    own_part: FloatArray | None = None
    lines: tuple[Line, ...] = ()
    on_logs: bool = False

    def __post_init__(self) -> None:
        """Leave nan where the value hangs on what the rows do not determine."""
        chart = self.fit.chart
        known = None if chart is None else chart.coordinates.estimable(self.gradient.T)
        if known is None or known.all():
            return
        object.__setattr__(self, "value", np.where(known, self.value, np.nan))
        lost = [label for label, one in zip(self.labels, known, strict=True) if not one]
        doubt_once(
            self.fit,
            f"{len(lost)} of {len(known)} quantities are nan, {', '.join(lost[:5])}: {NOT_DETERMINED}.",
            self.quantity,
        )

    def influence(self) -> Scores:
        """Return the influence of each row: -a'H^-1 g_i, plus its own part in an average.

        `removal` of the scores is the first-order change, after minus before, when the row goes.

        Returns
        -------
        Scores, shape (n, m)

        Raises
        ------
        SingularHessian, IndefiniteHessian
            H has no inverse.
        """
        scores = Influence(self.fit).on(self.gradient)
        values = scores.values if self.own_part is None else scores.values + self.own_part
        return Scores(values, scores.share, scores.row_labels, self.labels, self.quantity, scores.solution)

    def leave_one_out(self, *, method: str = "exact", rows: Any = None) -> FunctionalChange:
        """Return the change when each row is removed, q evaluated anew at theta without the row.

        Parameters
        ----------
        method, rows
            As in `Fit.leave_one_out`.

        Returns
        -------
        FunctionalChange
        """
        removal = announced(leave_one_out(self.fit, method=method, rows=rows))
        values = np.full((len(removal.theta), len(self.value)), np.nan)
        weights = self.fit.risk.weights
        lets_in = enters(removal.entering, len(values))
        whole = removal.determined  # what a quantity's gradient does not feel may be unknown
        known = np.ones(values.shape, dtype=np.bool_) if whole is None else whole.of(self.gradient.T)
        for k, row in enumerate(progress(removal.rows, f"{self.quantity} without each row")):
            if lets_in[k] or np.isnan(removal.solution[k]).any():
                continue
            kept = weights.copy()
            kept[row] = 0.0
            values[k] = np.where(known[k], self.evaluate(removal.solution[k], kept) - self.value, np.nan)
        lost = np.isnan(values).any(axis=1)
        reasons = [LETS_IN if new else text for new, text in zip(lets_in, removal.status, strict=True)]
        status = tuple((text or NOT_DETERMINED) * bool(no) for text, no in zip(reasons, lost, strict=True))
        return FunctionalChange(values, removal.labels, self.labels, status, method)

    def breakdown(
        self,
        which: Any = None,
        *,
        at: float,
        groups: Any = None,
        budget_seconds: float = 10.0,
        largest: int | None = None,
        search: bool = True,
    ) -> Breakdown:
        """Return how few rows bring one of the quantities to the threshold or beyond.

        Parameters
        ----------
        which : int or str, optional
            Position or label of the quantity; may be left out where there is only one.
        at : float
            The threshold: 1 for an odds ratio, 0 for a difference.
        groups, budget_seconds, largest, search
            As in `Fit.breakdown`.

        Returns
        -------
        Breakdown
            For a contrast, an odds ratio or a predicted mean it is that of a combination of the coefficients,
            with proofs, and `value`, `at` and `value_without` are in its units (log odds, the linear
            predictor). For any other function of theta a set is found by refits and nothing is proven.

        Raises
        ------
        InvalidArgument, InvalidType, NotStationary
            As in `Fit.breakdown`; there is no such quantity.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 5, [-1.0, -1.0, 1.0, 2.0, 3.0], names=["mean"])
        >>> found = ist.functional(fit, lambda theta: theta[0] ** 3).breakdown(at=0.0)
        >>> found.upper, found.lower, found.to_frame().loc["lower", "status"][:8]
        (2, 1, 'no proof')
        """
        k = _position(which, self.labels)
        seconds = real_number("budget_seconds", budget_seconds, at_least=0.0)
        settings = {
            "at": real_number("at", at),
            "groups": groups,
            "budget": Budget(seconds),
            "largest": None if largest is None else whole_number("largest", largest, at_least=1),
            "search": flag("search", search),
        }
        name = self.labels[k] if self.labels[k] == self.quantity else f"{self.quantity} {self.labels[k]}"
        if self.lines:
            return line_breakdown(self.fit, name, self.lines[k], **settings)
        effects = self.influence().removal[:, k]
        evaluate = partial(_one_of, self.evaluate, k)
        return function_breakdown(self.fit, name, evaluate, self.gradient[:, k], effects, **settings)

    def standard_errors(self, kind: str | None = None, **settings: Any) -> FloatArray:
        """Return sqrt(a'Va), the delta method with rows averaged over held fixed; `Fit.covariance` has more.

        Returns
        -------
        ndarray, shape (m,)
            In the units of q.
        """
        squares = quadratic_forms(self.fit, self.gradient, self.labels, kind, **settings)
        return np.asarray(np.sqrt(squares))

    @cached_property
    def _errors(self) -> FloatArray:
        with remedied('standard_errors("HC0") and value need none.'):
            return self.standard_errors()

    def to_frame(self, *, level: float = 0.95) -> DataFrame:
        """Return value, standard error and confidence limits of each quantity, by the fit's own covariance.

        Parameters
        ----------
        level : float
            Of the confidence intervals, between 0 and 1.

        Returns
        -------
        DataFrame
            Columns value, standard_error, lower and upper. The limits are value -+ c standard_error, with
            c of Student's t or the normal distribution as `Fit.inference` has it; of odds ratios they are
            those of the log odds, exponentiated.

        Raises
        ------
        InvalidArgument, InvalidType
            level is not between 0 and 1.
        Unsupported
            The loss says nothing of the variance of y.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Logistic(lam=0.0).fit([[1.0]] * 4, [1, 1, 1, 0], names=["treated"])
        >>> ist.odds_ratio(fit, "treated").to_frame().round(4)     # log 3 -+ 1.96 sqrt(1 / 3 + 1)
                 value  standard_error   lower    upper
        treated    3.0          3.4641  0.3121  28.8406
        """
        import pandas as pd

        with unsaid():  # standard errors have said it, or inference() does
            by = inference(self.fit, level=level)
        error = self._errors
        width = critical(by.degrees_of_freedom, by.level) * error
        if self.on_logs:
            width = np.exp(width / self.value)
            lower, upper = self.value / width, self.value * width
        else:
            lower, upper = self.value - width, self.value + width
        columns = {"value": self.value, "standard_error": error, "lower": lower, "upper": upper}
        return pd.DataFrame(columns, index=list(self.labels))

    def moves(self) -> Moves:
        """Return the first-order changes without each row, a column for each quantity: `influence`."""
        return self.influence().moves()

    def in_short(self) -> str:
        """Return which rows move it most to first order, in one line."""
        with unsaid():  # influence() says it where it is asked
            return f"Without each row, to first order: {self.moves().in_short()}"


def _one_of(evaluate: Evaluate, k: int, theta: FloatArray, weights: FloatArray) -> float:
    return float(evaluate(theta, weights)[k])


def _position(which: Any, labels: tuple[str, ...]) -> int:
    """Return where the quantity stands."""
    if which is None:
        if len(labels) == 1:
            return 0
        need, was = f"name one of the {len(labels)} quantities", "is left out; the labels are "
        example = f"Pass which={labels[0]!r}, for example."
        raise InvalidArgument("which", need, was + nearest_first("", labels), example)
    if isinstance(which, str):
        if labels.count(which) == 1:
            return labels.index(which)
        raise InvalidArgument(
            "which", "be the label of one quantity, or its position",
            f"is {short(which)}; the labels are {nearest_first(which, labels)}", "Pass one of these.",
        )  # fmt: skip
    return whole_number("which", which, at_least=0, at_most=len(labels) - 1)
