"""The question behind `Inference.breakdown(test="likelihood ratio")`, and its answer as a `Breakdown`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.rounding import unit_rounding
from influstat.errors import InflustatError, InvalidArgument, Unsupported
from influstat.minimise.minimum import Minimum
from influstat.sets.budget import Budget
from influstat.sets.null_fit import NullFit, Problem, null_fit
from influstat.sets.proofs.conclusion import identified
from influstat.sets.question import Question, coefficient_of, signed_question
from influstat.sets.result import Breakdown
from influstat.sets.significance.answer import Bracketing
from influstat.sets.significance.bracket import Searched
from influstat.sets.significance.likelihood_ratio import Ratio, RatioGain, RatioLose, RatioOppose
from influstat.sets.significance.model_based import Lose, Oppose
from influstat.sets.significance.squares import Reference

RATIO = "likelihood ratio"
HALF = 0.5  # of chi squared: what gaps of log-likelihoods are compared with


@dataclass(frozen=True)
class RatioJudge:
    """What the likelihood ratio is compared with."""

    critical: float  # the quantile of chi squared
    # The dispersion where it is known: the log-likelihood is minus the risk over it. None: it is estimated,
    # and the statistic is n log(RSS0 / RSS).
    dispersion: float | None
    text: str  # the level, in words

    def ratio(self) -> Ratio:
        """Return what evaluates gaps of the risk."""
        return Ratio(self.critical * (1.0 if self.dispersion is None else self.dispersion))

    def root(self, null: NullFit, ratio: Ratio) -> float:
        """Return the signed root of the statistic of the rows that are there."""
        if self.dispersion is not None:
            return ratio.statistic(null) / float(np.sqrt(self.dispersion))
        risk = null.problem.risk
        eta = risk.linear_predictor(ratio.theta(null))
        left = float(np.sum(np.where(null.kept, risk.rows.weighted(risk.loss.value(risk.y, eta)), 0.0)))
        more = max(float(np.sum(ratio.parts(null)[0][null.kept])), 0.0)
        rows = float(np.count_nonzero(null.h > 0.0))
        if rows <= len(null.theta) or not left > unit_rounding(len(null.h)) ** 2 * more:
            return np.nan  # fitted exactly: what is left is rounding
        return float(np.sign(null.N0) * np.sqrt(rows * np.log1p(more / left)))

    def reference(self, parameters: int) -> Reference:
        """Return the quantile of t to which n log(RSS0 / RSS) with crit amounts."""
        return RatioReference(partial(_always, self.critical), parameters)


@dataclass(frozen=True)
class RatioReference(Reference):
    """What t values are compared with where n log(RSS0 / RSS) is compared with crit."""

    def scaled(self, null: NullFit, gone: int) -> float | None:
        """Return crit / nu^1/2 with so many rows gone, (exp(crit / n) - 1)^1/2, whatever the columns."""
        rows = float(np.count_nonzero(null.h > 0.0)) - gone
        return None if rows <= self.parameters else float(np.sqrt(np.expm1(self.critical(rows) / rows)))


def _always(critical: float, freedom: float) -> float:
    return critical


def ratio_breakdown(
    fit: Minimum, coefficient: Any, judge: RatioJudge, *, opposite: bool, groups: Any, budget: Budget,
    largest: int | None, search: bool,
) -> Breakdown:  # fmt: skip
    """Return how few units make a coefficient lose or gain significance by the likelihood ratio, or raise."""
    # `value` of it is the signed root of the statistic, `at` that of the quantile with the sign in question.
    name, a = coefficient_of(fit, coefficient)
    asked = signed_question(fit, name, a, groups)
    problem = asked.problem
    _require_likelihood(problem)
    assert problem is not None
    if isinstance(asked.null, InflustatError):
        raise asked.null
    assert asked.null is not None
    null, ratio = asked.null, judge.ratio()
    value, critical = asked.sign * judge.root(null, ratio), float(np.sqrt(judge.critical))
    at = -asked.sign * critical if opposite else asked.sign * critical
    side = float(np.sign(value - at))
    if np.isnan(value):
        raise InvalidArgument(
            "fit", "leave residuals for a likelihood ratio", "fits every row exactly",
            "Ask fit.breakdown: the sign needs none.",
        )  # fmt: skip
    if not abs(value - at) > 1e-9 * critical:
        raise InvalidArgument(
            "coefficient", "have a likelihood ratio that is not at the quantile", f"is {name}",
            "Choose another level: fit.inference(level=...).",
        )  # fmt: skip
    holds = not opposite and side == asked.sign
    conclusion = _conclusion(judge, problem, ratio, holds, opposite)
    limit_without = partial(_limit_without, asked, judge, at, side)
    most = asked.most(largest)
    # d(root) = d(L) / (2 root), and a unit takes two times its part of L with it.
    parts = null.units.sums(ratio.parts(null)[0]) / (judge.dispersion or _variance(null, ratio))
    effects = side * asked.sign * parts / max(abs(value), HALF)
    called = f"significance of {name}"
    work = Bracketing(asked, conclusion, asked.unproven, limit_without, effects, most, budget, called)
    event = "Significance with the other sign" if opposite else "Significance" if holds else "Insignificance"
    text = f"{event} of {name} by the likelihood ratio, {judge.text} (signed root)"
    return work.answer(text, value, at, side, search=search)


def _variance(null: NullFit, ratio: Ratio) -> float:
    """Return the variance of the fit over its likelihood, so that parts of F over it are parts of L / 2."""
    risk = null.problem.risk
    eta = risk.linear_predictor(ratio.theta(null))
    return (
        float(np.sum(risk.rows.weighted(risk.loss.value(risk.y, eta)))) / np.count_nonzero(null.h > 0.0) * 2.0
    )


def _require_likelihood(problem: Problem | None) -> None:
    if problem is None:
        raise Unsupported(
            "test", "be 'wald' here", f"is {RATIO!r}, and the risk has no linear predictor per row",
            "Leave it out.",
        )  # fmt: skip
    theta = np.ones(problem.risk.shape[1])
    if problem.risk.penalty.gradient(theta).any() or problem.risk.penalty.gradient(0.0 * theta).any():
        raise Unsupported(
            "test", "be 'wald' here", f"is {RATIO!r}, which a penalised fit does not have", "Leave it out."
        )


def _conclusion(judge: RatioJudge, problem: Problem, ratio: Ratio, holds: bool, opposite: bool) -> Searched:
    if judge.dispersion is None:
        reference = judge.reference(problem.risk.shape[1])
        return Lose(reference) if holds else Oppose(reference, 1.0 if opposite else -1.0)
    if opposite:
        return RatioOppose(ratio)
    return RatioLose(ratio) if holds else RatioGain(ratio)


def _limit_without(
    asked: Question, judge: RatioJudge, at: float, side: float, units: NDArray[np.intp]
) -> float:
    """Return how far the root is on its side without units, both models refitted; nan where not known."""
    problem = asked.problem
    assert problem is not None
    removed = np.zeros(len(problem.units), dtype=np.bool_)
    removed[units] = True
    try:
        null = null_fit(problem, removed=removed)
        found = asked.sign * judge.root(null, judge.ratio())
    except InflustatError:
        return np.nan
    return side * (found - at) if identified(null) else np.nan
