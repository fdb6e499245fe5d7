"""Conclusions about functions of theta: monotone ones of a line are thresholds, of others sets are found.

q = m(a'theta + shift) with m monotone is on one side of `at` exactly where a'theta + shift is on one side of
m^-1(at): an odds ratio, a predicted mean. For any other smooth q(theta) the effects order the units, the
tangent at theta gives a breakdown whose set is tried, and only refits count; nothing is proven.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.sets.breakdown import breakdown
from influstat.sets.budget import Budget
from influstat.sets.question import Question, question
from influstat.sets.result import Breakdown
from influstat.sets.search.refit import left_without
from influstat.sets.significance.answer import Bracketing
from influstat.sets.thresholds import NEARER

NOT_DERIVED = "it is no monotone function of one combination of the coefficients"


@dataclass(frozen=True, eq=False)
class Line:
    """q = m(a'theta + shift), m monotone."""

    a: FloatArray  # the combination of the coefficients, shape (p,)
    shift: float  # what is added, an offset
    # m^-1, from a value of q to a'theta + shift; nan where no value of m is that.
    inverse: Callable[[float], float]
    called: str  # what a'theta + shift is called


def line_breakdown(
    fit: Minimum, name: str, line: Line, *, at: float, groups: Any, budget: Budget, largest: int | None,
    search: bool,
) -> Breakdown:  # fmt: skip
    """Return how few units bring a'theta + shift across m^-1(at)."""
    place = line.inverse(at)
    if not np.isfinite(place):
        raise InvalidArgument(
            "at", f"be a value that {name} can have", f"is {at:g}", "Choose another threshold."
        )
    value = float(line.a @ fit.theta) + line.shift
    if place != at:  # m^-1 is rounded: a little nearer, so that proofs stay valid
        place += float(np.sign(value - place)) * NEARER * abs(place)
    asked = question(fit, name, line.a, shift=line.shift, at=place, groups=groups)
    found = breakdown(asked, budget=budget, largest=largest, search=search)
    return replace(found, question=f"{name} against {at:g}, {line.called}")


def function_breakdown(
    fit: Minimum, name: str, evaluate: Callable[[FloatArray, FloatArray], float], gradient: FloatArray,
    effects: FloatArray, *, at: float, groups: Any, budget: Budget, largest: int | None, search: bool,
) -> Breakdown:  # fmt: skip
    """Return the smallest set found whose refit has q at `at` or beyond; nothing is proven."""
    # `evaluate` goes from theta and the weights of the rows left to q; `gradient` is that of q at theta,
    # (p,), and `effects` what the removal of each row adds to q to first order, (n,).
    weights = fit.risk.weights
    value = float(evaluate(fit.theta, weights))
    asked = question(fit, name, gradient, shift=value - float(gradient @ fit.theta), at=at, groups=groups)
    most = asked.most(largest)

    limit_without = partial(_above, asked, evaluate, at)
    towards = -asked.sign * asked.units.sums(effects)
    called = f"breakdown of {name}"
    bracketing = Bracketing(asked, None, NOT_DERIVED, limit_without, towards, most, budget, called)
    if search:
        tangent = breakdown(asked, budget=budget.part(0.5), largest=most, search=True)
        bracketing.offer(tangent.positions)
    return bracketing.answer(name, value, at, asked.sign, search=search)


def _above(asked: Question, evaluate: Callable[..., float], at: float, units: NDArray[np.intp]) -> float:
    """Return how far q without the units is above `at`, turned by the sign of the question."""
    return asked.sign * (_refitted(asked, units, evaluate) - at)


def _refitted(asked: Question, units: NDArray[np.intp], evaluate: Callable[..., float]) -> float:
    """Return q without the units, nan where there is no refit or the rows left do not determine it."""
    left = left_without(asked, units)
    if not left.converged:
        return np.nan
    weights = asked.fit.risk.weights.copy()
    weights[asked.units.take(units).members] = 0.0
    return float(evaluate(left.theta, weights))
