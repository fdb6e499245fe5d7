"""The question behind `Inference.breakdown`, and its answer as a `Breakdown`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.sets.budget import Budget
from influstat.sets.question import Question, coefficient_of, signed_question
from influstat.sets.result import Breakdown
from influstat.sets.significance.answer import Bracketing
from influstat.sets.significance.bracket import Pulled, Searched
from influstat.sets.significance.model_based import Lose, Oppose
from influstat.sets.significance.robust import RobustLose, RobustReference
from influstat.sets.significance.robust_against import RobustOppose
from influstat.sets.significance.squares import Reference


@dataclass(frozen=True, eq=False)
class Judge:
    """What `Inference` says about significance."""

    text: str  # which inference, in words
    # What t values are compared with, or what is nearest to it where nothing is proven.
    reference: Reference | RobustReference
    unproven: str  # why there are none, "" where there are
    # What the cluster of each row is called, where clusters leave together; None for rows (shape (n,)).
    clusters: NDArray[Any] | None
    # From removed rows (ndarray of int, positions) and a coefficient's position to its lower and upper
    # confidence limit without them; nan where there are none.
    limits: Callable[[NDArray[np.intp], int], tuple[float, float]]
    # From a coefficient's position to the first-order changes of its limits without each row, (n,) each, or
    # None where these are not known.
    effects: Callable[[int], tuple[FloatArray, FloatArray] | None]


@dataclass(frozen=True)
class Limit:
    """The confidence limit in question: which one, and its side of 0."""

    upper: bool
    side: float

    def turned(self, limits: tuple[float, float]) -> float:
        """Return the limit, above 0 where the conclusion stands."""
        return self.side * limits[int(self.upper)]


def significance_breakdown(
    fit: Minimum,
    coefficient: Any,
    judge: Judge,
    *,
    opposite: bool,
    groups: Any,
    budget: Budget,
    largest: int | None,
    search: bool,
) -> Breakdown:
    """Return how few units make a coefficient lose or gain significance, or gain it with the other sign."""
    name, a = coefficient_of(fit, coefficient)
    position = int(np.flatnonzero(a)[0])  # a contrast of zeros is refused where it is read
    if np.count_nonzero(a) != 1 or a[position] != 1.0:
        raise InvalidArgument("coefficient", "be one coefficient", "is a contrast", "Name one of fit.names.")
    if judge.clusters is not None and groups is not None:
        raise InvalidArgument(
            "groups", "be left out for clustered inference", "is given", "Its own clusters leave."
        )
    asked = signed_question(fit, name, a, groups if judge.clusters is None else judge.clusters)
    limits = judge.limits(np.zeros(0, dtype=np.intp), position)
    if not np.isfinite(limits).all() or 0.0 in limits:
        raise InvalidArgument(
            "coefficient",
            "have confidence limits, none of them 0",
            f"is {name}, with {limits[0]:g} and {limits[1]:g}",
            "Ask about another one.",
        )
    upper = (asked.sign < 0.0) != opposite
    limit = Limit(upper, float(np.sign(limits[int(upper)])))
    conclusion, unproven = _conclusion(asked, judge, limit, opposite)

    limit_without = partial(_limit_without, asked, judge, limit, position)
    most = asked.most(largest)
    changes = judge.effects(position)
    effects = None if changes is None else -limit.side * asked.units.sums(changes[int(upper)])
    called = f"significance of {name}"
    work = Bracketing(asked, conclusion, unproven, limit_without, effects, most, budget, called)
    side, value = "upper" if upper else "lower", limits[int(upper)]
    text = f"{_event(asked, limit, opposite)} of {name} by {judge.text} ({side} limit)"
    return work.answer(text, value, 0.0, limit.side, search=search)


def _limit_without(
    asked: Question, judge: Judge, limit: Limit, position: int, units: NDArray[np.intp]
) -> float:
    """Return the limit without the units, turned so that it falls to 0."""
    return limit.turned(judge.limits(asked.units.take(units).members, position))


def _event(asked: Question, limit: Limit, opposite: bool) -> str:
    if opposite:
        return "Significance with the other sign"
    return "Significance" if limit.side == asked.sign else "Insignificance"


def _conclusion(asked: Question, judge: Judge, limit: Limit, opposite: bool) -> tuple[Searched | None, str]:
    """Return the conclusion that stands now, and why nothing can be proven about it ("" if something can)."""
    reference = judge.reference
    reason = judge.unproven or asked.unproven or _unsuited(asked)
    if asked.problem is None:
        return None, reason
    holds = not opposite and limit.side == asked.sign
    side = 1.0 if opposite else -1.0
    if not asked.problem.risk.quadratic:
        return Pulled(1.0 if holds or opposite else -1.0), reason
    if isinstance(reference, RobustReference):
        return (RobustLose(reference) if holds else RobustOppose(reference, side)), reason
    return (Lose(reference) if holds else Oppose(reference, side)), reason


def _unsuited(asked: Question) -> str:
    """Return why proofs about standard errors do not cover a risk, "" if they do."""
    if asked.problem is None:
        return "the risk has no linear predictor per row"
    risk = asked.problem.risk
    if not risk.quadratic:
        return "proofs about standard errors are for squared error"
    theta = np.ones(risk.shape[1])
    if risk.penalty.gradient(theta).any() or risk.penalty.gradient(0.0 * theta).any():
        return "proofs about standard errors are without a penalty"
    return ""
