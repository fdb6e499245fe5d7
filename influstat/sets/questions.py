"""What a fit is asked about sets of rows; `Fit` is one of these."""

from __future__ import annotations

from typing import Any

from influstat.input.settings import flag
from influstat.input.validation import real_number, whole_number
from influstat.minimise.minimum import Minimum
from influstat.sets.breakdown import breakdown
from influstat.sets.budget import Budget
from influstat.sets.question import coefficient_of, question
from influstat.sets.reach import Reach, reach
from influstat.sets.result import Breakdown
from influstat.sets.thresholds import loss_breakdown, prediction_question


class SetQuestions(Minimum):
    """A minimum that says how few of its rows a conclusion hangs on."""

    def breakdown(
        self,
        coefficient: Any,
        *,
        at: float = 0.0,
        groups: Any = None,
        budget_seconds: float = 10.0,
        largest: int | None = None,
        search: bool = True,
    ) -> Breakdown:
        """Return how few rows flip the sign of a coefficient: the smallest set found, and a proof.

        Parameters
        ----------
        coefficient : str, int or array_like, shape (p,)
            Name or position of a coefficient, or a contrast: one number per coefficient.
        at : float
            The threshold, 0 for the sign. The conclusion is the side of it on which the quantity lies, and is
            flipped where the refit has it at the threshold or beyond.
        groups : array_like, shape (n,), str, optional
            One label per row, or the column of a formula's table that has them: whole clusters leave.
        budget_seconds : float
            Time for search and proofs beyond the quick certificate; 0 for that alone. A bar shows it and what
            is known so far; an interrupt returns that.
        largest : int, optional
            Do not look beyond sets of this size.
        search : bool
            Whether to look for sets at all.

        Returns
        -------
        Breakdown
            `upper` units were found, removed and refitted; it is proven that less than `lower` do not do it.

        Raises
        ------
        InvalidArgument, InvalidType
            There is no such coefficient, it is not determined, it is at the threshold already, or an
            argument is not usable.
        NotStationary
            The fit is not at its minimum.

        Notes
        -----
        Proofs need a loss with a finite `self_concordance` (squared error, logistic and Poisson losses,
        canonical GLMs) and quadratic penalties; for others `lower` is 1 and `limit` says why. In least
        squares columns of zeros and ones that are the levels of a factor are absorbed, so that many of them
        are no hindrance; nor are, without a penalty, those that leave with their own cluster. Units of weight
        0 are never counted; a set without which the coefficient is not determined, or there is no finite fit
        (classes that are separated then, be it by another column), is no flip.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 5, [-1.0, -1.0, 1.0, 2.0, 3.0], names=["mean"])
        >>> found = fit.breakdown("mean")
        >>> found.upper, found.lower, found.removed.tolist()        # without 2 and 3: (-1 - 1 + 1) / 3
        (2, 2, [3, 4])
        """
        name, a = coefficient_of(self, coefficient)
        budget, most = _limits(budget_seconds, largest)
        asked = question(self, name, a, at=at, groups=groups)
        return breakdown(asked, budget=budget, largest=most, search=flag("search", search))

    def breakdown_of_prediction(
        self,
        X: Any,
        *,
        at: float = 0.0,
        offset: Any = None,
        groups: Any = None,
        budget_seconds: float = 10.0,
        largest: int | None = None,
        search: bool = True,
    ) -> Breakdown:
        """Return how few rows bring the prediction of one new row across a threshold.

        Parameters
        ----------
        X : array_like, shape (1, p)
            One row with the training columns.
        at : float
            The threshold on the linear predictor: 0 is probability 1 / 2 for a logistic loss, the predicted
            class.
        offset : array_like, shape (1,), optional
            The row's offset.
        groups, budget_seconds, largest, search
            As in `breakdown`.

        Returns
        -------
        Breakdown

        Raises
        ------
        InvalidArgument, InvalidType, NotStationary
            As in `breakdown`; X is not one row with these columns.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 5, [-1.0, -1.0, 1.0, 2.0, 3.0])
        >>> fit.breakdown_of_prediction([[2.0]], at=1.0).upper          # 2 mean > 1, without 3: 2 / 4
        1
        """
        asked = prediction_question(self, X, at, offset, groups)
        budget, most = _limits(budget_seconds, largest)
        return breakdown(asked, budget=budget, largest=most, search=flag("search", search))

    def breakdown_of_loss(
        self,
        X: Any,
        y: Any = None,
        *,
        above: float,
        offset: Any = None,
        groups: Any = None,
        budget_seconds: float = 10.0,
        largest: int | None = None,
        search: bool = True,
    ) -> Breakdown:
        """Return how few rows bring the loss of one new row from one side of a level to the other.

        Parameters
        ----------
        X, y : array_like, shapes (1, p) and (1,)
            One row and its target.
        above : float
            The level. The conclusion is "the loss is above it" where it is, else "at most that".
        offset : array_like, shape (1,), optional
            The row's offset.
        groups, budget_seconds, largest, search
            As in `breakdown`.

        Returns
        -------
        Breakdown
            `value`, `at` and `value_without` are of the row's linear predictor, at the nearer of the places
            where the loss has that level.

        Raises
        ------
        InvalidArgument, InvalidType, NotStationary
            As in `breakdown`; the loss can never be on the other side of the level.
        Unsupported
            The risk has no linear predictor, or its test losses hold a share of the penalty.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 5, [-1.0, -1.0, 1.0, 2.0, 3.0])
        >>> fit.breakdown_of_loss([[1.0]], [0.8], above=0.25).upper  # 0.25 without the 3
        1
        """
        budget, most = _limits(budget_seconds, largest)
        return loss_breakdown(
            self, X, y, above=above, offset=offset, groups=groups, budget=budget, largest=most,
            search=flag("search", search),
        )  # fmt: skip

    def reach(self, coefficient: Any, *, k: int, groups: Any = None, budget_seconds: float = 10.0) -> Reach:
        """Return how far at most k rows, or clusters, can move a coefficient: attained, and proven.

        Parameters
        ----------
        coefficient, groups
            As in `breakdown`.
        k : int
            How many units may leave.
        budget_seconds : float
            Time for search and proofs; an interrupt returns what is attained and proven so far.

        Returns
        -------
        Reach

        Raises
        ------
        InvalidArgument, InvalidType, NotStationary
            As in `breakdown`; k is not a number of units that leaves one in.

        Examples
        --------
        >>> import influstat as ist
        >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 5, [-1.0, -1.0, 1.0, 2.0, 3.0], names=["mean"])
        >>> low, high = fit.reach("mean", k=2).attained
        >>> round(low, 4), round(high, 4)               # without 2 and 3, and without both -1
        (-0.3333, 2.0)
        """
        name, a = coefficient_of(self, coefficient)
        budget = _limits(budget_seconds, None)[0]
        asked = question(self, name, a, at=0.0, groups=groups, beside=False)
        most = whole_number("k", k, at_least=1, at_most=len(asked.free) - 1)
        return reach(asked, most, budget=budget)


def _limits(budget_seconds: Any, largest: Any) -> tuple[Budget, int | None]:
    """Return the two limits of the work, checked."""
    seconds = real_number("budget_seconds", budget_seconds, at_least=0.0)
    return Budget(seconds), None if largest is None else whole_number("largest", largest, at_least=1)
