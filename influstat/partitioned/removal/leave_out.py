"""`PartitionedRemoval`: every row left out alone, by the methods of `Fit.leave_one_out`, with bounds."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from influstat.algebra.rounding import unit_rounding
from influstat.errors import SingularHessian, Unsupported
from influstat.input.settings import flag
from influstat.input.validation import choice
from influstat.losses.base import constant_second, higher_bounds
from influstat.partitioned.answers.answer import Answer
from influstat.partitioned.hessian import require_matrix
from influstat.partitioned.removal.center import Center, center_of
from influstat.partitioned.removal.expanded import Around, ExpandedSums, Scan, expanded_sums, plan_of, scan_of
from influstat.partitioned.removal.finish import Finish
from influstat.partitioned.removal.question import LeaveOut, OfLoss, OfPrediction, OfTheta, Reading
from influstat.partitioned.risk import require_partitioned_fit
from influstat.removal.engine.plan import Plan, sums
from influstat.removal.leave_out import METHODS
from influstat.removal.methods.quadratic import ILL_CONDITIONED
from influstat.risks.linear import PREDICTIONS


class PartitionedRemoval:
    """What happens without each row alone; nothing is computed until an `Answer` is used.

    Every answer has, besides its effects, "status" ("" or why effects of a row, or bounds, are nan) and
    for exact refits "gradient_norm" (mean scale, 0 at an exact minimiser, a bound where sums were expanded).
    With ``bounds=True`` it has certified bounds on the error of every effect, nan where none is proven.

    Parameters
    ----------
    fit : PartitionedFit
        The fit with all rows.
    method : {"exact", "newton", "second_order", "influence"}
        As of `Fit.leave_one_out`.

    Examples
    --------
    >>> import influstat as ist
    >>> data = ist.partitions(np.array([[1.0], [1.0]]), np.array([1.0, 3.0]), rows=1)
    >>> fit = ist.Ridge(lam=1.0, protocol="fixed").fit(data)
    >>> (fit.theta + fit.leave_one_out().delta().to_frame()["x0"]).round(9).tolist()  # 3 / 2 and 1 / 2
    [1.5, 0.5]
    """

    def __init__(self, fit: Any, method: str = "exact") -> None:
        require_partitioned_fit(fit)
        require_matrix(fit.hessian, "removals")
        self._fit, self.method = fit, str(choice("method", method, METHODS))
        self._sums: dict[bool, tuple[ExpandedSums | None, Plan]] = {}

    def __repr__(self) -> str:
        asked = "ask delta(), loss_change(X, y) or prediction_change(X)"
        return f"Each row left out of {self._fit!r} ({self.method}); {asked}"

    # -- what is asked -------------------------------------------------------------------------------

    def delta(self, *, bounds: bool = False) -> Answer:
        """Return theta without each row minus theta with it, one column a coefficient."""
        return self.read(OfTheta(self._fit.names, flag("bounds", bounds)))

    def loss_change(self, X: Any, y: Any, *, offset: Any = None, bounds: bool = False) -> Answer:
        """Return the change of the losses of test rows, after minus before: positive, the row helps.

        Parameters
        ----------
        X, y : array_like, shapes (m, p) and (m,)
            Test rows, held in memory.
        offset : array_like, shape (m,), optional
            Their offsets.
        bounds : bool
            Whether to certify the errors.

        Returns
        -------
        Answer
            One column a test row, called by its label.
        """
        labels = self._fit.sample.test_rows(X, y, offset=offset).row_labels
        return self.read(OfLoss(_names(labels), flag("bounds", bounds), (X, y, offset)))

    def prediction_change(
        self, X: Any, *, kind: str = "linear", offset: Any = None, bounds: bool = False
    ) -> Answer:
        """Return the change of predictions for new rows, after minus before; one column a new row."""
        choice("kind", kind, PREDICTIONS)
        labels = self._fit.sample.prediction_gradients(X, kind=kind, offset=offset)[1]
        return self.read(OfPrediction(_names(labels), flag("bounds", bounds), (X, offset), kind))

    @property
    def plan(self) -> Plan:
        """How refits are found, and about how long they take in one thread; costs a pass or two."""
        return self._expanded(bounds=False)[1]

    # -- what is summed for it -----------------------------------------------------------------------

    @cached_property
    def _center(self) -> Center:
        return center_of(self._fit.risk, self._fit.theta)

    @cached_property
    def _around(self) -> Around:
        risk = self._fit.risk
        share = float(risk.protocol.left(risk.total_weight / risk.shape[0], risk.total_weight))
        return Around(self._fit.recipe, self._center, share, self._fit.starts, risk.shape[0])

    @cached_property
    def _few_digits(self) -> bool:
        """Whether proofs, and closed forms, need more digits than the Gram matrix has."""
        condition = self._fit.hessian.cholesky().reciprocal_condition
        rounding = len(self._fit.theta) * unit_rounding(self._fit.risk.shape[0])
        return bool(condition < max(ILL_CONDITIONED, 16.0 * rounding))

    def _expanded(self, *, bounds: bool) -> tuple[ExpandedSums | None, Plan]:
        """Return the sums that are expanded, None where none are needed, and the plan."""
        if bounds not in self._sums:
            try:
                self._sums[bounds] = self._expand(bounds=bounds)
            except SingularHessian:
                if bounds or self.method == "second_order":
                    raise
                n, p = self._fit.risk.shape  # too few digits for proofs: sums over all rows
                self._sums[bounds] = None, sums(n, n, p)
        return self._sums[bounds]

    def _expand(self, *, bounds: bool) -> tuple[ExpandedSums | None, Plan]:
        risk = self._fit.risk
        n, p = risk.shape
        scan: Scan | None
        if self.method == "second_order":
            scan = scan_of(self._around, risk)
            plan = Plan(n, order=3, kept=0, swept=0, operations=2.0 * n * p**3)
        elif risk.quadratic and not bounds:
            plan, scan = Plan(n, order=0, kept=0, swept=0, operations=8.0 * n * p**2), None
        else:
            plan, scan = plan_of(self._around, risk, bounds=bounds)
        if scan is None or plan.order <= 2:
            return None, plan
        return expanded_sums(self._around, risk, plan, scan), plan

    def read(self, reading: Reading) -> Answer:
        """Return what `reading` shows of every removal."""
        risk = self._fit.risk
        quadratic = constant_second(risk.loss) is not None
        if reading.bounds and higher_bounds(risk.loss) is None and not quadratic:
            raise Unsupported(
                "bounds",
                "be False for a loss that declares no bounds of its higher derivatives",
                f"is True for {risk.loss!r}",
                "Give the loss `fourth` and `higher_bounds`, or look at the gradient norms of exact refits.",
            )
        center = None if self.method == "influence" and not reading.bounds else self._center
        expanded, summed, plan = None, False, None
        if self.method in ("exact", "second_order") or reading.bounds:
            expanded, plan = self._expanded(bounds=reading.bounds)
            summed = (
                self.method == "exact" and not risk.quadratic and (expanded is None or _sweeps(plan, risk))
            )
        if risk.quadratic and self.method in ("exact", "newton") and self._few_digits:
            summed = True
        question = LeaveOut(self.method, reading, center, expanded, summed, plan)
        finish = Finish(risk, self._fit.recipe, self._fit.theta, self._fit.hessian, question)
        found: Answer = self._fit.answer(question, finish)
        return found


def _sweeps(plan: Plan, risk: Any) -> bool:
    """Tell whether the plan takes sums over all rows for every removal: few rows, which cost nothing."""
    return bool(plan.swept == risk.shape[0])


def _names(labels: Any) -> tuple[str, ...]:
    names = tuple(map(str, np.asarray(labels, dtype=object).tolist()))
    if len(set(names)) == len(names):
        return names
    return tuple(f"{name} ({k})" for k, name in enumerate(names))
