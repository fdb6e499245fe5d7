"""`Breakdown`: how few units flip a conclusion, by several accounts, found and proven."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from influstat.input.largest import largest_first
from influstat.input.lazy_types import DataFrame, Index
from influstat.input.printing import amount
from influstat.input.ranking import Moves, Ranked
from influstat.sets.budget import Budget
from influstat.sets.drawn import Drawn
from influstat.sets.question import Question
from influstat.sets.search.counts import Counts
from influstat.sets.search.search import Search

METHODS = {
    "first_order": "first order (AMIP)",
    "rescaled": "first order / (1 - h)",
    "score": "first order at the null",
    "greedy": "greedy",
}
WIDTH = max(len("found, verified by refit"), *map(len, METHODS.values())) + 2
SHOWN = 100  # sizes of sets in a path, evenly chosen where there are more


@dataclass(frozen=True, eq=False, repr=False)
class Breakdown(Ranked, Drawn):
    """The fewest rows, or clusters, whose removal flips one conclusion of a fit.

    A small number is a property of the data and the model together: no test for outliers, and no p value. A
    set flips the conclusion where the refit without it has the quantity at the threshold or beyond.

    Attributes
    ----------
    question : str
        The conclusion in words.
    value : float
        The quantity with all rows.
    at : float
        The threshold.
    side : {"above", "below"}
        Where the value is.
    units : {"rows", "clusters"}
        What is counted: those of weight above 0.
    total : int
        How many there are.
    counts : dict of str to int or None
        "first_order": how many of the largest first-order effects add up to the distance (zaminfluence's
        rule); "rescaled": each divided by 1 - leverage; "score": how many of the largest first-order parts
        under the null; "greedy": one unit after the other with all exact effects anew. None: it says that no
        set does it. An account that was not asked, or not finished in time, is left out.
    upper : int or None
        Size of the smallest set found. It was removed and refitted; None where none was found, though there
        may be one.
    removed : Index
        What the units of that set are called, as a pandas index has them: ``table.drop(index=removed)``.
    positions : ndarray of int
        Where they stand.
    value_without : float
        The quantity refitted without it.
    lower : int
        Proven: no set of less than `lower` units flips the conclusion.
    exact : bool
        Whether lower = upper.
    proof : str
        The kind of proof of `lower`; "none" where it is 1.
    limit : str
        Why no more is proven.
    nodes : int
        Parts into which the proof was split.
    unidentified : int or None
        The smallest set met in the search without which the quantity is not determined; never a flip.
    endless : int or None
        Likewise, without which there is no finite fit, such as of classes that are separated then.
    stopped : str
        Why no set was found: the time, an interrupt, no search, no more sizes; "" where one was.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 5, [-1.0, -1.0, 1.0, 2.0, 3.0], names=["mean"])
    >>> print(fit.breakdown("mean"))
    Sign of mean, +0.8: fewest rows whose removal brings it to 0 or below, of 5
      first order (AMIP)        none        linear extrapolation never reaches 0
      first order / (1 - h)     2
      first order at the null   2
      greedy                    2
      found, verified by refit  2 (40 %)
      proven                    no 1 row does it: 2 is exact (score)
    """

    drawn_as = "conclusion"
    question: str
    value: float
    at: float
    side: str
    units: str
    total: int
    counts: Mapping[str, int | None]
    upper: int | None
    removed: Index
    positions: NDArray[np.intp]
    value_without: float
    lower: int
    exact: bool
    proof: str
    limit: str
    nodes: int
    unidentified: int | None
    endless: int | None
    stopped: str
    asked: Question = field(repr=False)
    effects: Counts = field(repr=False)

    @property
    def fraction(self) -> float:
        """Upper over all units; nan where no set was found."""
        return np.nan if self.upper is None else self.upper / self.total

    def to_frame(self) -> DataFrame:
        """Return one line per account: its count, the value it belongs to, and whether that is verified.

        Returns
        -------
        DataFrame
            Columns "count" (nullable), "value_without" (refits only) and "status".
        """
        import pandas as pd

        found = (self.upper, self.value_without, "verified by refit" if self.upper else "none found")
        lines = {name: (number, np.nan, "estimate") for name, number in self.counts.items()}
        lines.update(found=found, lower=(self.lower, np.nan, self._kind_of_proof()))
        columns = ["count", "value_without", "status"]
        return pd.DataFrame.from_dict(lines, orient="index", columns=columns).astype({"count": "Int64"})

    def moves(self) -> Moves:
        """Return the first-order changes of the quantity without each unit."""
        turn = 1.0 if self.side == "above" else -1.0
        title = "First-order change of the quantity without each of the " + self.units
        values = -turn * self.effects.first_order[:, None]
        return Moves(values, self.asked.units.labels, [self.question], title, self.units)

    def path(self) -> DataFrame:
        """Return the quantity without the k largest first-order effects, k = 0, 1, ..., by three accounts.

        Returns
        -------
        DataFrame
            Index k; "first_order": the sum of the effects; "refit": the refit without the same units;
            "stands": whether it is proven that no k units flip the conclusion. Up to the larger of `upper`
            and the first-order count, at most about 100 of the k.
        """
        search = Search(self.asked, None, Budget(np.inf))
        return self.path_by(self.asked.sign, lambda units: search.refit(units).value)

    def path_by(self, turn: float, refit: Callable[[NDArray[np.intp]], float]) -> DataFrame:
        """Return the path of a quantity that refits give, and that effects move by -turn times themselves.

        Returns
        -------
        DataFrame
        """
        import pandas as pd

        most = max(self.upper or 1, self.counts.get("first_order") or 1, self.lower)
        most = min(most, self.total - 1)
        order = largest_first(self.effects.first_order, most)
        ks = np.unique(np.linspace(0, most, min(most + 1, SHOWN)).round().astype(int))
        moved = np.concatenate([[0.0], np.cumsum(self.effects.first_order[order])])
        refits = [self.value if k == 0 else refit(order[:k]) for k in ks]
        columns = {
            "first_order": self.value - turn * moved[ks],
            "refit": refits,
            "stands": ks < self.lower,
        }
        return pd.DataFrame(columns, index=pd.Index(ks, name="k"))

    def __repr__(self) -> str:
        """Return the counts, the set found and what is proven, a line each."""
        lines = [self._heading()]
        lines += [_line(text, self._count(name)) for name, text in METHODS.items() if name in self.counts]
        lines.append(_line("found, verified by refit", self._found()))
        lines += [_line("refits hold", text) for text in self.asked.fit.stated.held]
        lines.append(_line("proven", self._proven()))
        for few, what in (
            (self.unidentified, "the quantity is not determined"),
            (self.endless, "there is no finite fit"),
        ):
            if few is not None and few < (self.upper or self.total // 2):
                lines.append(f"  without some {few} {self._called(few)} {what}: not a flip")
        return "\n".join(lines)

    def _heading(self) -> str:
        beyond = "below" if self.side == "above" else "above"
        return (
            f"{self.question}, {self.value:+.4g}: fewest {self.units} whose removal brings it to {self.at:g} "
            f"or {beyond}, of {self.total}"
        )

    def _count(self, name: str) -> str:
        number = self.counts[name]
        if number is not None:
            return str(number)
        why = f"linear extrapolation never reaches {self.at:g}" if name in ("first_order", "rescaled") else ""
        return f"none{'' if not why else '        ' + why}"

    def _found(self) -> str:
        if self.upper is not None:
            return f"{self.upper} ({100.0 * self.fraction:.3g} %)"
        return f"none found: {self.stopped}"

    def _proven(self) -> str:
        k = self.lower - 1
        if self.exact and k < 1:
            return "no smaller set exists: 1 is exact"
        if k < 1:
            return self._nothing()
        text = f"no {k} {self._called(k)} {'does' if k == 1 else 'do'} it"
        if self.exact:
            return f"{text}: {self.lower} is exact ({self.proof})"
        return f"{text} ({self.proof}); {self.limit}" if self.limit else f"{text} ({self.proof})"

    def _kind_of_proof(self) -> str:
        if self.proof != "none":
            return f"proven ({self.proof})"
        return "no smaller set exists" if self.exact else self._nothing()

    def _nothing(self) -> str:
        """Return that nothing is proven, and why."""
        return f"no proof: {self.limit}" if self.limit else "no proof"

    def _called(self, k: int) -> str:
        return self.units[:-1] if k == 1 else self.units


@dataclass(frozen=True, eq=False, repr=False)
class JudgedBreakdown(Breakdown):
    """A `Breakdown` whose quantity is evaluated at refits: a confidence limit, or a function of theta."""

    drawn_as = "judged conclusion"
    # From units (ndarray of int) to how far the quantity is on its side without them.
    limit_without: Callable[[NDArray[np.intp]], float]

    def path(self) -> DataFrame:
        """Return the quantity without the k largest first-order effects; `Breakdown.path` says more."""
        turn = 1.0 if self.side == "above" else -1.0
        return self.path_by(turn, lambda units: self.at + turn * self.limit_without(units))


def why_none(upper: int | None, lower: int, most: int, units: str, *, search: bool, budget: Budget) -> str:
    """Return why a search found no set; "" where it found one."""
    # `most` is the largest size that was to be looked at.
    if upper is not None:
        return ""
    if lower > most:
        return f"it is proven that no {amount(most, units)} {'does' if most == 1 else 'do'} it"
    if budget.watch.stopped:
        return "interrupted"
    if not search:
        return "nothing was searched (search=False), so there may be one"
    if budget.out:
        return "the time was over, so there may be one"
    return f"the search, up to {most} {units[:-1] if most == 1 else units}, came to its end; there may be one"


def _line(name: str, text: str) -> str:
    return f"  {name:<{WIDTH}}{text}"
