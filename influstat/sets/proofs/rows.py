"""Branch and bound over units: whether any k units flip a conclusion, answered for small k.

**Statement.** A node holds F, the units that are removed, E, those that stay for good, and k' = k - |F|.
Every set of at most k units that contains F and nothing of E is F with a set of at most k' others. With T =
all but F

- if the conclusion does not stand with T, F itself is an answer; if T does not determine the quantity or
  has no null fit, its sets stay open, and in the end nothing is proven;
- if the quick certificate of the null fit of T, or the quartic envelope, proves k' over the open units, no
  such set flips: closed;
- with k' = 1 and squared error N without each single unit is known exactly (`null_fit`), and settles it; for
  other losses `Quick.doubtful` proves most units one by one, and the others are looked at;
- else open units are decided one after the other: the sets that contain the first one (F with it, k' - 1);
  those that contain the second one and not the first (F with it, E with the first, k' - 1); and so on, and
  those that contain none of them (E with all, and the same null fit). Most are proven at once by the numbers
  that came nearest to a proof for all of them (`quartic`); the first one that is not ends the row.

The root holds all sets of at most k units, so that when all nodes are closed none flips. Any units may be
decided. They are those with the most of what k' units can take, f and, where leverage is what the certificate
fails on, leverage: a remote row among the open ones spoils the bounds of all the others, so it goes first.
Where losses bend it is how far a unit pulls the null fit, |C|, that the certificate fails on.

Floating point is that of the certificate: a node is closed only with its margins, and an answer is a
candidate until it is refitted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InflustatError
from influstat.input.validation import FloatArray
from influstat.sets.budget import TIME, Budget
from influstat.sets.lengths import lengths
from influstat.sets.null_fit import NullFit, Problem, null_fit
from influstat.sets.proofs.conclusion import Conclusion, Sign, identified
from influstat.sets.proofs.envelope import Place
from influstat.sets.proofs.factor import without_own_levels
from influstat.sets.proofs.leverage_bounds import LeverageBounds
from influstat.sets.proofs.quartic import Quartic, Start, usable
from influstat.sets.proofs.quick import Quick
from influstat.sets.proofs.sums import largest_sum

LEVERAGE_MATTERS = 0.3  # of the sum of the k' largest leverages: below, they spoil nothing
DECIDED = 32  # units at a node at most, one after the other
# Nodes that a test may leave unproven before it is tried at every 8th alone. The quartic one proves nothing
# on the way down to the depth where it does; the quick one, which costs more, rarely proves what it does not.
PATIENCE, EVERY = {"quick": 8, "quartic": 24}, 8
NEAR = 0.04  # by which the quartic test misses a proof, below which the quick one hardly ever has one
FAR = 0.2  # of the time left, for a step of more than one unit
EASY = 3  # nodes
PULL = 10.0  # weight of a unit's pull on the null fit, where losses bend: other weights need more nodes
MOST_LEVERAGE = 1.5  # at which leverage counts that much more than f
NO_FIT = "without some of the units there is no fit under the null"
ROUNDING = "the conclusion holds by no more than rounding"
UNIDENTIFIED = "without some of the units the quantity is not determined"


@dataclass(frozen=True, eq=False)
class Branched:
    """The answer for one k.

    Attributes
    ----------
    flips : bool or None
        True: `removed` does, up to a refit. False: it is proven that no k units do. None: not settled.
    removed : ndarray of int
        The units of that set, empty unless there is one.
    nodes : int
        Nodes that were looked at, those proven by the node above included.
    limit : str
        Why it was not settled, "" if it was.
    """

    flips: bool | None
    removed: NDArray[np.intp]
    nodes: int
    limit: str = ""


@dataclass(frozen=True, eq=False)
class Node:
    """Removed units, units that stay, the null fit of the node above, and its own where it is that."""

    removed: NDArray[np.bool_]
    held: NDArray[np.bool_]
    left: int
    before: NullFit | None
    null: NullFit | None = None


def branch_and_bound(
    problem: Problem, k: int, budget: Budget, conclusion: Conclusion | None = None
) -> Branched:
    """Return whether any k units flip the conclusion.

    Parameters
    ----------
    problem : Problem
        What is asked.
    k : int
        How many units may leave.
    budget : Budget
        The time, after which the answer is None.
    conclusion : Conclusion, optional
        The sign when left out.

    Returns
    -------
    Branched

    Examples
    --------
    >>> import numpy as np
    >>> import influstat as ist
    >>> from influstat.input.groups import one_by_one
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0], [1.0], [1.0]], [2.0, 2.0, 1.0, -2.5])
    >>> units = one_by_one(np.arange(4), fit.row_labels)
    >>> problem = Problem(fit.risk, fit.theta, np.array([1.0]), 0.0, units)
    >>> [branch_and_bound(problem, k, Budget(np.inf)).flips for k in (1, 2)]
    [False, True]
    """
    return _Tree(problem, Sign() if conclusion is None else conclusion, budget).settled(k)


def climbed(
    problem: Problem, safe: int, flips: int, budget: Budget, conclusion: Conclusion | None = None
) -> Iterator[tuple[int, Branched]]:
    """Yield the number of units that is proven, and the last answer, from `safe` towards `flips`.

    Steps grow as long as a few nodes prove them. Then they are of one unit: each costs some more nodes than
    the one before, and one too far costs all the time.
    """
    step = 1
    while safe + 1 < flips and not budget.out:
        k = min(safe + step, flips - 1)
        found = branch_and_bound(problem, k, budget if k == safe + 1 else budget.part(FAR), conclusion)
        if found.flips is False:
            safe, step = k, 2 * step if found.nodes <= EASY else 1
        elif k == safe + 1:
            yield safe, found
            return
        else:
            flips = min(flips, len(found.removed)) if found.flips else flips
            step = 1
        yield safe, found


class _Tree:
    """The nodes of one problem."""

    def __init__(self, problem: Problem, asked: Conclusion, budget: Budget) -> None:
        self.problem, self.asked, self.budget = problem, asked, budget
        self.nodes, self.limit = 0, ""
        # What was best at the last node is a good guess at the next one.
        self.taken: float | None = None
        self.place: Place | None = None
        self.start: Start | None = None
        self.vain = {"quick": 0, "quartic": 0}  # nodes since a test has proven one

    def settled(self, k: int) -> Branched:
        """Return the answer for k."""
        nothing = np.zeros(len(self.problem.units), dtype=np.bool_)
        stack = [Node(nothing, nothing, k, None)]
        while stack:
            if self.budget.out:
                self.limit = TIME
                break
            node = stack.pop()
            self.nodes += 1
            null = node.null or self._null(node.removed, node.held, node.before)
            if null is None:
                continue
            if node.null is None and not self.asked.stands(null):
                if not node.removed.any():
                    self.limit = ROUNDING
                    break
                return self._answer(True, node.removed)
            left = self._not_proven(null, node.left) if node.left and null.open.any() else None
            if left is None:
                continue
            alone = self.asked.without_one(null) if node.left == 1 else None
            if alone is None:
                stack += self._branches(node, null, *left)
                continue
            found = self._one_more(node, null, alone)
            if found is not None:
                return self._answer(True, found)
        return self._answer(None if self.limit else False, nothing)

    def _answer(self, flips: bool | None, removed: NDArray[np.bool_]) -> Branched:
        return Branched(flips, np.flatnonzero(removed), self.nodes, "" if flips is not None else self.limit)

    def _null(
        self, removed: NDArray[np.bool_], held: NDArray[np.bool_], before: NullFit | None
    ) -> NullFit | None:
        """Return the null fit; None, which leaves these sets open, where there is none or nothing to ask."""
        try:
            null = null_fit(self.problem, removed=removed, held=held, before=before)
            null = without_own_levels(null) if self.asked.demeaned else null
        except InflustatError:
            self.limit = NO_FIT
            return None
        if identified(null):
            return null
        self.limit = UNIDENTIFIED
        return None

    def _not_proven(self, null: NullFit, k: int) -> tuple[NullFit, Quartic | None] | None:
        """Return None if a certificate proves k for one of the views, else the last of them and its test."""
        leverage, tests = LeverageBounds(null, self.taken), list[Quartic]()
        view, other = null, usable(null)
        views = list(self.asked.views(null, k, leverage))
        for view in views if other and self._worth("quartic") else []:
            tests.append(Quartic(view))
            proven = tests[-1].proves(k, start=self.start)
            self.start = tests[-1].best or self.start
            if proven:
                self.vain["quartic"] = 0
                return None
        near = bool(tests) and min(test.excess for test in tests) < NEAR
        for view in views if not other or (not near and self._worth("quick")) else []:
            if self._quick(view, leverage if view.z is null.z else LeverageBounds(view), k):
                self.vain["quick"] = 0
                return None
        self.taken = leverage.taken
        return view, tests[-1] if tests else None

    def _worth(self, test: str) -> bool:
        """Tell whether to try a test here: after many nodes of which it has proven none, now and then."""
        self.vain[test] += 1
        return self.vain[test] <= PATIENCE[test] or self.vain[test] % EVERY == 0

    def _quick(self, view: NullFit, leverage: LeverageBounds, k: int) -> bool:
        """Tell whether the quick certificate proves k."""
        quick = Quick(view, leverage, self.place)
        found = quick.proven(k)
        if "envelope" in quick.__dict__:
            self.place = quick.envelope.nearest
        return found

    def _branches(self, node: Node, null: NullFit, view: NullFit, quartic: Quartic | None) -> list[Node]:
        """Return the nodes that are open if units are decided one after the other, the first one last."""
        units = np.flatnonzero(view.open)
        order = _ranked(view, units, node.left)
        closed, done = quartic.decided(node.left, order) if quartic and node.left > 1 else ([], False)
        self.nodes += len(closed)
        if any(closed):
            self.vain["quartic"] = 0
        held, open_ones = node.held.copy(), list[Node]()
        for unit, proven in zip(units[order].tolist(), closed or [False], strict=False):
            if not proven:
                removed = node.removed.copy()
                removed[unit] = True
                open_ones.append(Node(removed, held.copy(), node.left - 1, null))
            held[unit] = True
        if not done:
            kept = replace(null, open=null.open & ~held)
            open_ones.insert(0, Node(node.removed, held, node.left, None, kept))
        return open_ones

    def _one_more(self, node: Node, null: NullFit, alone: FloatArray) -> NDArray[np.bool_] | None:
        """Return the node's set with one unit more if that flips, by the null fit without it."""
        falls = np.flatnonzero(null.open & ~(alone > 0.0))
        for unit in falls[np.argsort(alone[falls])].tolist():
            if self.budget.out:
                self.limit = TIME
                return None
            removed = node.removed.copy()
            removed[unit] = True
            without = self._null(removed, node.held, null)
            if without is not None and not self.asked.stands(without):
                return removed
        return None


def _ranked(view: NullFit, units: NDArray[np.intp], k: int) -> NDArray[np.intp]:
    """Return the positions among the open units of those to decide next, the first one first."""
    f, lev = view.f[units], view.lev[units]
    most = largest_sum(lev, k)
    score = f / (largest_sum(f, k) or 1.0)
    if most > LEVERAGE_MATTERS:
        score = score + min(most, MOST_LEVERAGE) * lev / most
    if view.concordance > 0.0:  # how far the null fit may go decides how much losses bend
        C = lengths(view.pulls[units])
        score = score + PULL * C / (largest_sum(C, k) or 1.0)
    return np.asarray(np.argsort(-score, kind="stable")[:DECIDED])
