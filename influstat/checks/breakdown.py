"""`check_breakdown`: whether a bracket of flips holds against refits that share nothing with it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.checks.report import Finding, Report, run
from influstat.errors import InflustatError
from influstat.input.validation import FloatArray, real_number, whole_number
from influstat.minimise.minimum import Minimum
from influstat.minimise.newton import minimise
from influstat.sets.breakdown import breakdown
from influstat.sets.budget import Budget
from influstat.sets.question import Question, coefficient_of, question

BREAKDOWN_LAWS = ("lower", "upper", "order")
NEAR = 1e-7  # of the distance to the threshold: two minimisers that stop at a relative gradient of 1e-12


def check_breakdown(
    fit: Minimum,
    coefficient: Any,
    *,
    at: float = 0.0,
    groups: Any = None,
    size: int = 2,
    most: int = 2000,
    budget_seconds: float = 10.0,
    seed: int = 0,
    laws: Sequence[str] | None = None,
) -> Report:
    """Check the answer of `fit.breakdown` by minimising the risk anew without sets of rows.

    Parameters
    ----------
    fit : Fit
        What to check: with a loss of the caller's own, whether its `self_concordance` is one.
    coefficient, at, groups, budget_seconds
        As in `Fit.breakdown`.
    size : int
        Sets of up to this many units are removed, as far as it is claimed that they do not flip.
    most : int
        Refits of one size at most: all sets where they are not more, else random ones and those of the units
        that move the quantity most alone.
    seed : int
        Of the random sets.
    laws : sequence of str, optional
        Which laws of `BREAKDOWN_LAWS`; all when left out.

    Returns
    -------
    Report
        "lower": no set below `lower` flips; "upper": the set that is reported does; "order": lower <= upper.

    Raises
    ------
    InvalidArgument, InvalidType, NotStationary
        As in `Fit.breakdown`; size or most is not a whole number above 0.

    Examples
    --------
    >>> import influstat as ist
    >>> from influstat import checks
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 5, [-1.0, -1.0, 1.0, 2.0, 3.0], names=["mean"])
    >>> checks.check_breakdown(fit, "mean").passed
    True
    """
    name, a = coefficient_of(fit, coefficient)
    asked = question(fit, name, a, at=at, groups=groups)
    sizes = whole_number("size", size, at_least=1), whole_number("most", most, at_least=1)
    rng = np.random.default_rng(whole_number("seed", seed, at_least=0))
    budget = Budget(real_number("budget_seconds", budget_seconds, at_least=0.0))
    found = breakdown(asked, budget=budget, largest=None, search=True)
    every = {
        "lower": lambda: _lower(asked, min(sizes[0], found.lower - 1), sizes[1], rng),
        "upper": lambda: _upper(asked, found.positions),
        "order": lambda: _order(found.lower, found.upper),
    }
    return run(repr(fit), every, laws)


def _order(lower: int, upper: int | None) -> Finding:
    if upper is None:
        return Finding("", True)
    cause = "a set flips that is smaller than what is proven not to"
    return Finding("", lower <= upper, where=f"lower {lower}, upper {upper}").because(cause)


def _upper(asked: Question, positions: NDArray[np.intp]) -> Finding:
    if not len(positions):
        return Finding("", True)
    beyond = _beyond(asked, positions)
    flips = beyond is not None and beyond >= -NEAR * abs(asked.value - asked.at)
    return Finding("", flips, where=f"units {positions.tolist()}").because(
        "the refit without the set does not flip"
    )


def _lower(asked: Question, size: int, most: int, rng: np.random.Generator) -> Finding:
    open_units = asked.free
    alone = [_beyond(asked, np.array([unit])) for unit in open_units] if size else []
    moves = np.array([-np.inf if one is None else one for one in alone])
    for k in range(1, size + 1):
        for chosen in _sets(len(open_units), k, moves, most, rng):
            units = open_units[chosen]
            beyond = float(moves[chosen[0]]) if k == 1 else _beyond(asked, units)
            if beyond is not None and beyond > NEAR * abs(asked.value - asked.at):
                cause = "a smaller set flips: is the loss convex, with |l3| <= self_concordance l2?"
                return Finding("", False, where=f"units {units.tolist()}", cause=cause)
    return Finding("", True)


def _sets(m: int, k: int, moves: FloatArray, most: int, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Return all sets of k out of m, or half of `most` among the strongest units and half at random."""
    if comb(m, k) <= most:
        return [np.array(chosen) for chosen in combinations(range(m), k)]
    strongest = np.argsort(-moves)
    top = k
    while top < m and comb(top, k) < most // 2:
        top += 1
    first = [strongest[list(chosen)] for chosen in combinations(range(top), k)][: most // 2]
    return first + [rng.choice(m, k, replace=False) for _ in range(most - len(first))]


def _beyond(asked: Question, units: NDArray[np.intp]) -> float | None:
    """Return how far beyond the threshold the quantity is without the units, None without a minimum."""
    risk, weights = asked.fit.risk, asked.fit.risk.weights.copy()
    weights[asked.units.take(units).members] = 0.0
    if not weights.any():
        return None
    try:
        theta = minimise(risk.reweighted(weights), start=asked.fit.theta).theta
    except InflustatError:
        return None
    return asked.sign * (asked.at - asked.shift - float(asked.a @ theta))
