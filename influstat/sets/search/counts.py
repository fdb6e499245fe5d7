"""The counts that need no search: how many of the largest first-order effects add up to the distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influstat.errors import InflustatError
from influstat.influence.influence import Influence
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.removal.certificates.anchor import Anchor
from influstat.removal.leave_out import collect
from influstat.risks.linear import LinearRisk, as_linear
from influstat.sets.null_fit import NullFit, Problem
from influstat.sets.question import Question
from influstat.sets.search.without import ALONE


@dataclass(frozen=True, eq=False)
class Counts:
    """What each unit's removal does to the quantity, turned so that above 0 means towards the threshold."""

    first_order: FloatArray  # to first order, in units of the quantity, shape (m,)
    # For rows, that divided by 1 - h, h the leverage: exact for one row and squared error, shape (m,).
    rescaled: FloatArray | None

    @classmethod
    def of(cls, asked: Question) -> Counts:
        """Return the effects of all units."""
        fit, units, null = asked.fit, asked.units, asked.null
        if isinstance(null, NullFit) and null.problem.risk.quadratic and _alone(null.problem):
            # The fit is at distance N0 / stiffness along u from the null fit, with the same Hessian.
            summed = null.x2 * (-null.N0 / null.stiffness)
            summed += null.f
            summed *= 1.0 / null.stiffness
            return cls(summed, None if asked.clusters else _rescaled(asked, summed))
        effect = -asked.sign * Influence(fit).on(asked.a).removal
        summed = effect[units.members] if units.single else units.sums(effect)
        return cls(summed, None if asked.clusters else _rescaled(asked, summed))


def _rescaled(asked: Question, effects: FloatArray) -> FloatArray | None:
    """Return the Newton steps: the first-order effects over 1 - h, 0 without a row that must stay."""
    risk = as_linear(asked.fit.risk)
    if risk is None:
        return None
    if _alone(asked.fit) and asked.fit.chart is None and asked.units.single and not asked.unproven:
        leverages = _leverages(asked, risk)
        if leverages is None:
            return None
        left = 1.0 - leverages
        if np.min(left) > ALONE:
            return effects / left
        return np.where(left > ALONE, effects / np.where(left > ALONE, left, 1.0), 0.0)
    try:
        steps = collect(asked.fit, asked.units, "newton").delta @ asked.a
    except InflustatError:
        return None
    return np.where(np.isnan(steps), 0.0, -asked.sign * steps)


def _alone(fit: Minimum | Problem) -> bool:
    """Tell whether no part of the penalty's Hessian leaves with a row."""
    risk = as_linear(fit.risk)
    assert risk is not None
    return risk.protocol.carried(risk.total_weight) == 0.0 or risk.penalty.hessian(fit.theta).zero


def _leverages(asked: Question, risk: LinearRisk) -> FloatArray | None:
    """Return the leverage of every row, shape (m,); None where there are none."""
    null = asked.null
    if risk.quadratic and isinstance(null, NullFit):  # its Hessian is that of the fit: z and xi are all
        return null.lev + null.x2 / null.stiffness
    h = risk.rows.weighted(risk.curvatures(asked.fit.theta))
    try:
        anchor = Anchor(risk.design, h, risk.penalty.hessian(asked.fit.theta), give_up=False)
    except InflustatError:
        return None
    return anchor.leverages[asked.units.members]
