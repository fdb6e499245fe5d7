"""`breakdown_table`: one line per coefficient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.input.lazy_types import DataFrame
from influstat.input.printing import Tabled
from influstat.input.progress import progress
from influstat.input.settings import entries
from influstat.input.validation import real_number
from influstat.minimise.minimum import Minimum, require_fit
from influstat.sets.breakdown import breakdown
from influstat.sets.budget import Budget
from influstat.sets.drawn import Drawn
from influstat.sets.question import coefficient_of, question
from influstat.sets.result import Breakdown

NOT_ASKED = "not done: interrupted before"


@dataclass(frozen=True, eq=False, repr=False)
class BreakdownTable(Tabled, Drawn):
    """How few units flip the sign of each coefficient.

    Attributes
    ----------
    results : dict of str to Breakdown
        One answer per coefficient that has one.
    status : dict of str to str
        Why a coefficient has none.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 5, [-1.0, -1.0, 1.0, 2.0, 3.0], names=["mean"])
    >>> ist.breakdown_table(fit).results["mean"].upper
    2
    """

    drawn_as = "table"
    HEADING = "Fewest units whose removal flips each conclusion"

    results: dict[str, Breakdown]
    status: dict[str, str]

    def to_frame(self) -> DataFrame:
        """Return one line per coefficient.

        Returns
        -------
        DataFrame
            Columns "value", "first_order", "greedy", "found", "proven" (no smaller set does it), "exact" and
            "status"; numbers are missing where there are none.
        """
        import pandas as pd

        lines = {
            name: [
                one.value,
                one.counts.get("first_order"),
                one.counts.get("greedy"),
                one.upper,
                one.lower,
                one.exact,
                "",
            ]
            for name, one in self.results.items()
        }
        lines.update(
            {name: [np.nan, None, None, None, None, False, why] for name, why in self.status.items()}
        )
        columns = ["value", "first_order", "greedy", "found", "proven", "exact", "status"]
        frame = pd.DataFrame.from_dict(lines, orient="index", columns=columns)
        return frame.astype(dict.fromkeys(columns[1:5], "Int64"))


def breakdown_table(
    fit: Minimum,
    *,
    coefficients: Any = None,
    at: float = 0.0,
    groups: Any = None,
    budget_seconds: float = 10.0,
) -> BreakdownTable:
    """Return how few rows, or clusters, flip the sign of each coefficient of a fit.

    Parameters
    ----------
    fit : Fit
        The fit.
    coefficients : sequence, optional
        Names or positions; all when left out.
    at : float
        The threshold, one for all.
    groups : array_like, shape (n,), or str, optional
        Whole clusters leave, as in `Fit.breakdown`.
    budget_seconds : float
        Time for the whole table. Each coefficient has an equal share of what is left when its turn comes, so
        that what one does not use goes to those after it.

    Returns
    -------
    BreakdownTable
        A coefficient that is at the threshold, or not determined, has its reason in `status`.

    Raises
    ------
    InvalidArgument, InvalidType, NotStationary
        As in `Fit.breakdown`.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 5, [-1.0, -1.0, 1.0, 2.0, 3.0], names=["mean"])
    >>> frame = ist.breakdown_table(fit).to_frame()
    >>> print(*frame.loc["mean", ["found", "proven"]])
    2 2
    """
    chosen = require_fit(fit).names if coefficients is None else entries("coefficients", coefficients)
    seconds = real_number("budget_seconds", budget_seconds, at_least=0.0)
    threshold = real_number("at", at)
    results, status = dict[str, Breakdown](), dict[str, str]()
    whole, interrupted = Budget(seconds), False
    for position, coefficient in enumerate(progress(chosen, "coefficients")):
        given = position if coefficients is None else coefficient
        name, a = coefficient_of(fit, given)
        if interrupted:
            status[name] = NOT_ASKED
            continue
        try:
            asked = question(fit, name, a, at=threshold, groups=groups)
        except InvalidArgument as error:
            if error.argument not in ("at", "coefficient"):
                raise
            status[name] = str(error)
        else:
            budget = Budget(whole.left / (len(chosen) - position))
            results[name] = breakdown(asked, budget=budget, largest=None, search=True)
            interrupted = budget.watch.stopped
    return BreakdownTable(results, status)
