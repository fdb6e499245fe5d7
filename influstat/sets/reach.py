"""`Reach`: how far k units can move a quantity, attained by refits and proven to be the limit.

No set of at most k units moves the quantity beyond q where the conclusion "on this side of q" stands without
every such set: the same proofs, asked for many thresholds q, and bisected. Attained limits come from the same
search: at the best value so far as the threshold, a set that flips it is better still.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InflustatError
from influstat.input.largest import largest_first
from influstat.input.lazy_types import DataFrame, Index
from influstat.input.printing import Tabled
from influstat.input.validation import FloatArray
from influstat.removal.leave_out import collect
from influstat.sets.budget import INTERRUPTED, Budget
from influstat.sets.drawn import Drawn
from influstat.sets.null_fit import null_fit
from influstat.sets.proofs.enumeration import enumeration
from influstat.sets.proofs.factor import without_own_levels
from influstat.sets.proofs.quick import Quick
from influstat.sets.question import Question, labels_of
from influstat.sets.search.counts import Counts
from influstat.sets.search.refit import Refit, falls_without
from influstat.sets.search.search import Search

SHOWN = 100  # sizes of sets in a path, evenly chosen where there are more
ROUNDS = 30  # of better and better sets
FIRST_STEP = 0.02  # beyond what is attained, of the distance from the value: where a proof is first tried
DOUBLINGS = 30  # of that step, before nothing is proven
HALVINGS = 12  # of the step that contains the limit
SETS = 30_000  # counted one by one at one threshold


@dataclass(frozen=True, eq=False, repr=False)
class Reach(Tabled, Drawn):
    """The values that a quantity can take without at most k units.

    Attributes
    ----------
    quantity : str
        Its name.
    k : int
        How many units may leave.
    value : float
        With all rows.
    attained : tuple of float
        The least and the largest value of refits without at most k units that were found.
    positions : tuple of ndarray of int
        The sets that attain them, by position.
    removed : tuple of Index
        What their units are called, as pandas indices have them: ``table.drop(index=removed[0])``.
    proven : tuple of float
        No set of at most k units moves the quantity below the first or above the second; -inf and inf where
        nothing is proven.
    limit : str
        Why nothing is proven, or no more; "" where the proofs came to their end.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 5, [-1.0, -1.0, 1.0, 2.0, 3.0], names=["mean"])
    >>> reach = fit.reach("mean", k=1)
    >>> reach.attained                          # without the 3, and without a -1
    (0.25..., 1.25...)
    """

    drawn_as = "reach"
    HEADING = "Values of {0.quantity} without at most {0.k} of its units ({0.value:.6g} with all)"

    quantity: str
    k: int
    value: float
    attained: tuple[float, float]
    positions: tuple[NDArray[np.intp], NDArray[np.intp]]
    removed: tuple[Index, Index]
    proven: tuple[float, float]
    limit: str
    asked: Question = field(repr=False)

    def to_frame(self) -> DataFrame:
        """Return a line for the least and one for the largest value.

        Returns
        -------
        DataFrame
            Columns "attained", "proven" and "units", how many units the set has.
        """
        import pandas as pd

        columns = {
            "attained": self.attained,
            "proven": self.proven,
            "units": [len(units) for units in self.positions],
        }
        frame = pd.DataFrame(columns, index=["least", "largest"])
        if self.asked.fit.stated.held:
            frame.attrs["note"] = " ".join(["Refits of the sets:", *self.asked.fit.stated.held])
        return frame

    def path(self) -> DataFrame:
        """Return the quantity without the up to j largest first-order effects towards each side, j = 0 to k.

        Returns
        -------
        DataFrame
            Index j; "least_first_order" and "largest_first_order": the sums of the effects; "least_refit" and
            "largest_refit": the refits without the same units, nan where there is none. At most about 100 of
            the j.
        """
        import pandas as pd

        sizes = np.unique(np.linspace(0, self.k, min(self.k + 1, SHOWN)).round().astype(int))
        search, columns = Search(self.asked, None, Budget(np.inf)), dict[str, list[float]]()
        for side, sign in (("least", -1.0), ("largest", 1.0)):
            # Effects are turned towards a threshold: any on that side.
            effects = Counts.of(self.asked.moved(self.value + sign)).first_order
            order = largest_first(effects, self.k)
            order = order[effects[order] > 0.0]
            columns[f"{side}_first_order"] = [
                self.value + sign * float(effects[order[:j]].sum()) for j in sizes
            ]
            columns[f"{side}_refit"] = [
                self.value if not len(order[:j]) else search.refit(order[:j]).value for j in sizes
            ]
        return pd.DataFrame(columns, index=pd.Index(sizes, name="k"))


def reach(asked: Question, k: int, *, budget: Budget) -> Reach:
    """Return how far at most k units move the quantity of the question, whose threshold does not count."""
    sides = [_Side(asked, sign, k) for sign in (-1.0, 1.0)]
    known = "the limits are what was attained and proven"
    with budget.until_interrupted(f"reach of {asked.quantity}", known):
        if k == 1:
            _one_by_one(asked, sides)
        else:
            for side, share in zip(sides, (0.5, 1.0), strict=True):
                side.look(budget.part(share))
    limit = INTERRUPTED if budget.watch.stopped else asked.unproven
    least, most = (side.best for side in sides)
    shown = [np.zeros(0, dtype=np.intp) if found is None else found.units for found in (least, most)]
    return Reach(
        quantity=asked.quantity,
        k=k,
        value=asked.value,
        attained=(
            asked.value if least is None else least.value,
            asked.value if most is None else most.value,
        ),
        positions=(shown[0], shown[1]),
        removed=(labels_of(asked.units, shown[0]), labels_of(asked.units, shown[1])),
        proven=(sides[0].proven, sides[1].proven),
        limit=limit,
        asked=asked,
    )


def _without_each(asked: Question) -> tuple[FloatArray, FloatArray]:
    """Return the refits without each unit that may leave, nan where there is none, and proven errors."""
    units = asked.units.take(asked.free)
    removal = collect(asked.fit, units, "exact", whole=True)
    values = removal.solution @ asked.a + asked.shift
    lost = np.zeros(len(values), dtype=np.bool_)  # not determined without the unit: no value to reach
    if removal.determined is not None:
        lost = ~removal.determined.of(asked.a[None])[:, 0]
        partly = np.isnan(removal.theta).any(axis=1) & ~lost
        for j in np.flatnonzero(partly & np.isfinite(values)).tolist():
            lost[j] = falls_without(asked.fit, units[j])  # no finite fit either
    known = np.isfinite(values) & ~lost
    error = np.full(len(values), np.inf)
    if not asked.unproven and (known | lost).all():  # a refit that failed may have any value
        error = np.nan_to_num(removal.certificate.error(asked.a[None])[:, 0], nan=np.inf)
    return np.where(known, values, np.nan), error


def _one_by_one(asked: Question, sides: list[_Side]) -> None:
    """Fill in the two extremes of the refits without each unit, and the same with what is certified."""
    values, error = _without_each(asked)
    for side in sides:
        moved = np.nan_to_num(side.sign * values, nan=-np.inf)
        best = int(np.argmax(moved))
        if moved[best] > side.sign * asked.value:
            side.best = Refit(asked.free[[best]], float(values[best]), float(error[best]), True)
        certified = np.where(np.isnan(values), -np.inf, side.sign * values + error)
        side.proven = side.sign * float(np.max(certified, initial=side.sign * asked.value))


class _Side:
    """One end of the reach: sign -1 for the least value, 1 for the largest.

    `best` is the best set so far, and `proven` the limit so far, so that an interrupt leaves both.
    """

    def __init__(self, asked: Question, sign: float, k: int) -> None:
        self.asked, self.sign, self.k = asked, sign, k
        self.best: Refit | None = None
        self.proven = sign * np.inf

    def look(self, budget: Budget) -> None:
        """Look for better and better sets, then for a limit that is proven."""
        searching = budget.part(0.5)
        self.best = self._first(searching) or self._from_single_refits(searching)
        for _ in range(ROUNDS):
            if self.best is None or searching.out:
                break
            budget.say(f"attained {self.best.value:.6g}")
            better = self._better(self.best, searching)
            if better is None:
                break
            self.best = better
        self._prove(self.asked.value if self.best is None else self.best.value, budget)

    def _first(self, budget: Budget) -> Refit | None:
        """Return the refit without the k largest first-order effects, None where it moves the other way."""
        asked = self.asked.moved(self.asked.value + self.sign)  # any threshold on that side
        effects = Counts.of(asked).first_order
        units = largest_first(effects, self.k)
        units = units[effects[units] > 0.0]
        if not units.size:  # no unit moves it to that side, to first order
            return None
        found = Search(asked, None, budget).refit(units)
        return found if self.sign * (found.value - self.asked.value) > 0.0 else None

    def _from_single_refits(self, budget: Budget) -> Refit | None:
        """Return the best refit without the 1 or k units that move it furthest one by one, or None."""
        # For where the k largest first-order effects together have no refit, or one on the other side.
        gains = self.sign * (_without_each(self.asked)[0] - self.asked.value)
        furthest = largest_first(gains, self.k)
        furthest = self.asked.free[furthest[gains[furthest] > 0.0]]
        search = Search(self.asked.moved(self.asked.value + self.sign), None, budget)
        found = [search.refit(furthest[:size]) for size in (1, self.k) if furthest.size]
        ahead = [one for one in found if self.sign * (one.value - self.asked.value) > 0.0]
        return max(ahead, key=lambda one: self.sign * one.value, default=None)

    def _better(self, best: Refit, budget: Budget) -> Refit | None:
        """Return a set of at most k units that moves the quantity further, None where none is found."""
        asked = self.asked.moved(best.value)
        if asked.problem is None:
            return None
        try:
            search = Search(asked, null_fit(asked.problem), budget)
        except InflustatError:
            return None
        search.look(self.k, [best.units])
        found = search.best
        return found if found is not None and self.sign * (found.value - best.value) > 0.0 else None

    def _prove(self, attained: float, budget: Budget) -> None:
        """Bring the proven limit towards what is attained."""
        if self.asked.unproven:
            return
        step = FIRST_STEP * (abs(attained - self.asked.value) or 1e-3 * (1.0 + abs(attained)))
        inner, outer = 0.0, step
        for _ in range(DOUBLINGS):
            if self._stands(attained + self.sign * outer, budget):
                break
            inner, outer = outer, 2.0 * outer
            if budget.out:
                return
        else:
            return
        for _ in range(HALVINGS):
            self.proven = attained + self.sign * outer
            if budget.out:
                return
            middle = 0.5 * (inner + outer)
            if self._stands(attained + self.sign * middle, budget):
                outer = middle
            else:
                inner = middle
        self.proven = attained + self.sign * outer

    def _stands(self, at: float, budget: Budget) -> bool:
        """Tell whether it is proven that no k units move the quantity to `at` or beyond."""
        problem = self.asked.moved(at).problem
        if problem is None:
            return False
        try:
            null = without_own_levels(null_fit(problem))
        except InflustatError:
            return False
        if Quick(null).proven(self.k):
            return True
        sizes = range(1, self.k + 1)
        return all(enumeration(null, size, budget, most=SETS).safe == size for size in reversed(sizes))
