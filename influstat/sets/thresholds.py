"""Conclusions about one new row, or about a function of theta, as thresholds on a linear predictor.

A convex loss l(y, .) is at most L on an interval. "The loss is above L" says that eta is beyond one end of
it, and is flipped by reaching that end (and not passing the other); "the loss is at most L" says that eta is
inside, and is flipped at either end: proven is the smaller of the two bounds, found the smaller of the two
sets.

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
from scipy.optimize import brentq

from influstat.errors import InvalidArgument, Unsupported
from influstat.input.labels import label_text
from influstat.input.validation import FloatArray, real_number, vector
from influstat.minimise.minimum import Minimum
from influstat.risks.class_predictors import class_predictors_of
from influstat.risks.linear import as_linear
from influstat.sets.breakdown import breakdown
from influstat.sets.budget import INTERRUPTED, Budget
from influstat.sets.question import Question, labels_of, question
from influstat.sets.result import Breakdown
from influstat.sets.search.refit import left_without
from influstat.sets.significance.answer import Bracketing

DOUBLINGS = 60  # of a step in the linear predictor, before an end of the interval counts as infinite
NEARER = 8.0 * float(np.finfo(np.float64).eps)  # roots are moved so far towards the value: proofs stay valid
Curve = Callable[[float], float]
NOT_DERIVED = "it is no monotone function of one combination of the coefficients"


def prediction_question(fit: Minimum, X: Any, at: Any, offset: Any, groups: Any) -> Question:
    """Return the question on which side of `at` the linear predictor of the one row X is."""
    gradients, labels = fit.prediction_gradients(X, offset=offset)
    if class_predictors_of(fit.risk) is not None:
        raise Unsupported(
            "fit", "have one linear predictor per row for the prediction of a new row",
            f"has a {type(fit.risk).__name__}, one per class",
            f"Ask ist.predicted_mean(fit, X).breakdown(which={label_text(labels[0])}, at=0.5), say.",
        )  # fmt: skip
    if gradients.shape[1] != 1:
        raise InvalidArgument("X", "be one row", f"has {gradients.shape[1]}", "Ask about one row at a time.")
    known = fit.offset_of(X, offset)
    shift = 0.0 if known is None else float(vector("offset", known, 1)[0])
    a = np.asarray(gradients[:, 0], dtype=np.float64)
    return question(fit, f"prediction of row {label_text(labels[0])}", a, shift=shift, at=at, groups=groups)


def loss_breakdown(
    fit: Minimum, X: Any, y: Any, *, above: Any, offset: Any, groups: Any, budget: Budget,
    largest: int | None, search: bool,
) -> Breakdown:  # fmt: skip
    """Return how few units move the loss of one new row across the level."""
    level = real_number("above", above)
    tests = fit.test_rows(X, y, offset=offset)
    risk = as_linear(tests)
    if risk is None:
        raise Unsupported(
            "fit", "have one linear predictor per row for the loss of a new row",
            f"has a {type(fit.risk).__name__}", "Ask about a coefficient.",
        )  # fmt: skip
    if risk.shape[0] != 1:
        raise InvalidArgument("X", "be one row", f"has {risk.shape[0]}", "Ask about one row at a time.")
    if risk.protocol.carried(risk.total_weight) * risk.penalty.value(fit.theta):
        raise Unsupported(
            "fit", "report the loss of a new row alone (test_protocol fixed)",
            "adds its share of the penalty, which no threshold on the linear predictor says",
            "Use a risk with test_protocol='fixed', or ask breakdown_of_prediction.",
        )  # fmt: skip
    a, shift, loss = risk.design.rows(slice(None))[0], float(risk.offset[0]), risk.loss

    def excess(eta: float) -> float:
        with np.errstate(over="ignore"):
            return float(loss.value(risk.y, np.array([eta]))[0]) - level

    def slope(eta: float) -> float:
        return float(loss.first(risk.y, np.array([eta]))[0])

    eta = float(a @ fit.theta) + shift
    inside = excess(eta) <= 0.0
    ends = _ends(excess, slope, eta)
    if not ends:
        raise InvalidArgument(
            "above", "be a loss that the row can have on either side",
            f"is {level:g}, which the loss never reaches", "Choose a level between its least and largest.",
        )  # fmt: skip
    name = f"prediction of row {label_text(risk.row_labels[0])}"
    found = []
    for k, end in enumerate(ends):
        asked = question(fit, name, a, shift=shift, at=end, groups=groups, beside=False)
        if asked.touching:
            raise InvalidArgument(
                "above", f"differ from the loss of the row, {level + excess(eta):.6g}", f"is {level:.6g}",
                "A conclusion without any margin is flipped as it is: choose another level.",
            )  # fmt: skip
        found.append(
            breakdown(asked, budget=budget.part(1.0 / (len(ends) - k)), largest=largest, search=search)
        )
    side = "at most" if inside else "above"
    wording = f"Loss of row {label_text(risk.row_labels[0])} {side} {level:g}, prediction"
    answer = min(found, key=lambda one: (one.lower, one.upper or np.inf))
    answer = replace(answer, question=wording)
    if budget.watch.stopped:
        answer = replace(answer, limit=INTERRUPTED)
    best = min(found, key=lambda one: one.upper or np.inf)
    crossed = best.upper is not None and (excess(best.value_without) > -NEARER * abs(level)) == inside
    if not crossed:  # none is found, or it went through the interval and is above the level again
        nothing = answer.positions[:0]
        gone = labels_of(answer.asked.units, nothing)
        why = best.stopped or "the set found takes the loss past its least value and beyond the level again"
        return replace(
            answer,
            upper=None, removed=gone, positions=nothing, value_without=np.nan, exact=False, stopped=why,
        )  # fmt: skip
    return replace(
        answer,
        upper=best.upper,
        removed=best.removed,
        positions=best.positions,
        value_without=best.value_without,
        exact=best.upper == answer.lower,
        stopped="",
    )


def _ends(excess: Curve, slope: Curve, eta: float) -> list[float]:
    """Return the places where the loss crosses the level, as seen from eta, each a little nearer to it."""
    if excess(eta) > 0.0:
        found = _downhill(excess, slope, eta)
        return [] if found is None else [_nearer(found, eta)]
    ends = []
    for direction in (1.0, -1.0):
        step = 1e-3 * (1.0 + abs(eta))
        for _ in range(DOUBLINGS):
            if excess(eta + direction * step) > 0.0:
                ends.append(_nearer(_root(excess, eta, eta + direction * step), eta))
                break
            step *= 2.0
    return ends


def _downhill(excess: Curve, slope: Curve, eta: float) -> float | None:
    """Return where the loss first comes down to the level, None where it never does."""
    direction = -float(np.sign(slope(eta)))
    inner, step = eta, 1e-3 * (1.0 + abs(eta))
    for _ in range(DOUBLINGS if direction else 0):
        outer = eta + direction * step
        if excess(outer) <= 0.0:
            return _root(excess, eta, outer)
        if direction * slope(outer) >= 0.0:  # past the least loss
            least = _root(slope, inner, outer)
            return _root(excess, eta, least) if excess(least) <= 0.0 else None
        inner, step = outer, 2.0 * step
    return None


def _root(curve: Curve, a: float, b: float) -> float:
    return float(brentq(curve, min(a, b), max(a, b), xtol=1e-300, rtol=4 * np.finfo(np.float64).eps))


def _nearer(end: float, eta: float) -> float:
    return end + float(np.sign(eta - end)) * NEARER * max(abs(end), abs(eta))


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
