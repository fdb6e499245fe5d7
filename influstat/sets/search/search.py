"""The search for a smallest set: every set that is reported was removed and refitted by the library itself.

Alternating: at the null fit without S every unit has an exact part f_i in N (`null_fit`), also those that
are gone; the k units of the largest parts are the next S, until S repeats or the conclusion flips. It starts
from nothing, from the set found before, and from the order of the greedy removal, and goes down from the
best set until it fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from influstat.input.groups import Groups
from influstat.input.largest import largest_first
from influstat.input.validation import FloatArray
from influstat.removal.leave_out import collect
from influstat.sets.budget import Budget
from influstat.sets.null_fit import NullFit
from influstat.sets.question import Question
from influstat.sets.search.without import Downdates, Units

VARIED = 40  # units in the best set up to which it is varied by leaving each of them in
EXCHANGED = 3e7  # operations of one round of exchanges
TURNS = 12  # of one alternation: it repeats itself after a few
FAILURES = 3  # sizes in a row without a set, at which the search stops
CLEAR = 1e-9  # of the distance to the threshold, where a refit has no certificate: its own relative gradient


@dataclass(frozen=True, eq=False)
class Refit:
    """What a refit without a set of units says.

    Attributes
    ----------
    units : ndarray of int, shape (k,)
        The set.
    value : float
        The quantity without it; nan where it is not determined.
    error : float
        Proven bound on the value's error; nan without a certificate.
    flips : bool
        Whether the value is at the threshold or beyond, by more than the error.
    missing : str
        Why there is no value, so that nothing can flip: "lost", the rows left do not determine the quantity;
        "endless", their risk has no finite minimiser; "" where there is one.
    """

    units: Units
    value: float
    error: float
    flips: bool
    missing: str = ""


class Search:
    """The smallest verified set so far, and the ways to find smaller ones."""

    def __init__(self, asked: Question, null: NullFit | None, budget: Budget) -> None:
        self.asked, self.null, self.budget = asked, null, budget
        self.best: Refit | None = None
        # Units of the smallest sets without which there is no value, by why.
        self.without: dict[str, int] = {}
        self.downdates = None if null is None else Downdates(null)
        self._seen: dict[bytes, Refit] = {}

    @property
    def upper(self) -> int | None:
        """Units in the smallest set found, None before there is one."""
        return None if self.best is None else len(self.best.units)

    def refit(self, units: Units) -> Refit:
        """Return what the library's own exact removal of these units says; the best is kept."""
        units = self.asked.counted(units)
        key = units.tobytes()
        if key not in self._seen:
            self._seen[key] = _refitted(self.asked, units)
        found = self._seen[key]
        if found.flips and (self.upper is None or len(units) < self.upper):
            self.best = found
        if found.missing:
            self.without[found.missing] = min(len(units), self.without.get(found.missing, len(units)))
        return found

    def offer(self, sets: Iterable[Units]) -> None:
        """Refit sets that may flip, smallest first, as long as they would be the best."""
        for units in sorted(sets, key=len):
            if len(units) and (self.upper is None or len(units) < self.upper):
                self.refit(units)

    def prefix(self, effects: FloatArray, most: int) -> None:
        """Refit without the least number of the largest effects that flips by the null fit's account."""
        order = largest_first(effects, most)
        k = shortest(lambda k: self._flips(order[:k]), len(order), Budget(np.inf))
        if k is not None:
            self.offer([order[:k]])

    def prefix_by_refits(self, effects: FloatArray, most: int) -> None:
        """Find the least number of the largest effects whose removal flips, where there is no null fit."""
        order = largest_first(effects, most)
        shortest(lambda k: self.refit(order[:k]).flips, len(order), self.budget)

    def down(self, lower: int, starts: list[Units]) -> None:
        """Look for smaller and smaller sets, at least `lower` units large, until it fails."""
        failures, low = 0, lower - 1
        while self.upper is not None and self.upper - low > 1 and not self.budget.out:
            middle = (low + self.upper) // 2
            low = low if self.look(middle, starts) else middle
        k = (self.upper or 0) - 1
        while k >= lower and failures < FAILURES and not self.budget.out:
            found = self.look(k, starts)
            failures = 0 if found else failures + 1
            k = (self.upper or 0) - 1 if found else k - 1

    def up(self, lower: int, most: int, starts: list[Units]) -> None:
        """Look for sets of more and more units from the proven bound on, until there is one."""
        k = max(lower, 1)
        while self.best is None and k <= most and not self.budget.out:
            self.look(k, starts)
            k = k + 1 if k >= most else min(2 * k, most)

    def look(self, k: int, starts: list[Units]) -> bool:
        """Look for a set of k units; tell whether a refit confirms one."""
        before = self.upper
        for start in self._starts(k, starts):
            self._alternate(k, start)
            if self.upper != before:
                return True
            if self.budget.out:
                return False
        self._exchange(k, starts)
        return self.upper != before

    def _exchange(self, k: int, starts: list[Units]) -> None:
        """Exchange one unit after the other, each time the one that lowers N most, from the best set."""
        downdates = self.downdates
        n, d = (0, 0) if self.null is None else (len(self.null.f), self.null.d)
        if downdates is None or not downdates.exchanges or n * (d + 1) ** 2 * k**2 > EXCHANGED:
            return
        known = [
            start for start in [*starts, *([] if self.best is None else [self.best.units])] if len(start) >= k
        ]
        if not known:
            return
        chosen = min(known, key=len)
        chosen = chosen[:k] if len(chosen) > k + VARIED else self._thinned(chosen, k)
        least = np.inf
        for _ in range(TURNS):
            trials = list[tuple[float, Units]]()
            for unit in chosen:
                rest = chosen[chosen != unit]
                N = downdates.with_one_more(self._mask(rest))
                if N is not None:
                    j = int(np.argmin(N))
                    trials.append((float(N[j]), np.append(rest, j)))
            if not trials or self.budget.out:
                return
            N_best, chosen = min(trials, key=lambda trial: trial[0])
            if N_best <= 0.0:
                self.offer([np.sort(chosen)])
                return
            if not N_best < least:
                return
            least = N_best

    def _thinned(self, units: Units, k: int) -> Units:
        """Return k of the units, each time without the one whose return costs least."""
        assert self.downdates is not None
        while len(units) > k:
            trials = list[tuple[float, int]]()
            for j in range(len(units)):
                found = self.downdates.without(self._mask(np.delete(units, j)))
                trials.append((np.inf if found is None else found.N, j))
            units = np.delete(units, min(trials)[1])
        return units

    def _starts(self, k: int, starts: list[Units]) -> Iterator[Units]:
        """Yield sets to begin with: none, the best, orders cut at k, the best without each of its units."""
        yield np.zeros(0, dtype=np.intp)
        best = None if self.best is None else self.best.units
        if best is not None:
            yield best
        for start in starts:
            yield start[:k]
        if best is not None and len(best) <= VARIED:
            for unit in best:
                yield best[best != unit]

    def _alternate(self, k: int, start: Units) -> None:
        if self.downdates is None:
            return
        removed, tried = self._mask(start), set[bytes]()
        for _ in range(TURNS):
            found = self.downdates.without(removed)
            if found is None:
                return
            chosen = np.sort(largest_first(np.where(self.downdates.null.open, found.f, -np.inf), k))
            if chosen.tobytes() in tried:
                return
            tried.add(chosen.tobytes())
            removed = self._mask(chosen)
            if self._flips(chosen):
                self.offer([chosen])
                return

    def _flips(self, units: Units) -> bool:
        """Tell whether the set flips by the null fit's account."""
        assert self.downdates is not None
        found = self.downdates.without(self._mask(units))
        return found is not None and found.N <= 0.0

    def _mask(self, units: Units) -> NDArray[np.bool_]:
        mask = np.zeros(len(self.asked.units), dtype=np.bool_)
        mask[units] = True
        return mask


def shortest(flips: Callable[[int], bool], most: int, budget: Budget) -> int | None:
    """Return a number from 1 to `most` that flips, where the one before does not; None where none is met."""
    low, high = 0, 1
    while not (found := high <= most and flips(high)) and high < most and not budget.out:
        low, high = high, min(2 * high, most)
    while found and high - low > 1 and not budget.out:
        middle = (low + high) // 2
        low, high = (low, middle) if flips(middle) else (middle, high)
    return high if found else None


def _refitted(asked: Question, units: Units) -> Refit:
    rows = asked.units.members[units] if asked.units.single else asked.units.take(units).members
    if len(rows) == len(asked.fit.row_labels):
        return Refit(units, np.nan, np.nan, False, "lost")
    group = Groups(rows, np.array([0, len(rows)], dtype=np.intp), np.array(["removed"]))
    removal = collect(asked.fit, group, "exact", whole=True)
    theta = removal.solution[0]
    known = removal.determined is None or bool(removal.determined.of(asked.a[None])[0, 0])
    if not known or not np.isfinite(theta).all():
        return Refit(units, np.nan, np.nan, False, "endless" if known else "lost")
    value = float(asked.a @ theta) + asked.shift
    whole = removal.determined is None and bool(np.isfinite(removal.theta).all())
    error = float(removal.certificate.error(asked.a[None])[0, 0]) if whole else np.nan
    beyond = asked.sign * (asked.at - value)
    if np.isfinite(error):
        flips = beyond >= error
    else:  # an absolute-value penalty brings coefficients to 0 itself
        flips = beyond >= CLEAR * abs(asked.value - asked.at) or value == asked.at
    return Refit(units, value, error, bool(removal.converged[0]) and flips)
