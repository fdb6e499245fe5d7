"""Greedy removal: always the unit whose removal moves the quantity furthest, given those that are gone.

For squared error and single rows every step is exact: with H the inverse Hessian of the rows left, in
whitened coordinates, h_i = w_i l2_i, r_i = -w_i l1_i and lev_i = h_i z_i'H z_i, the quantity moves by
-(a'H z_i) r_i / (1 - lev_i) when row i goes, and one product c = Z H z_j updates all of it when row j goes
(Sherman and Morrison, 1950):

    a'H z_i += c_i (a'H z_j) h_j / (1 - lev_j)
    z_i'H z_i += c_i^2 h_j / (1 - lev_j)
    r_i += h_i c_i r_j / (1 - lev_j)

Elsewhere the unit that holds most of the score at the null is taken, and the null fit found again.
"""

from __future__ import annotations

import numpy as np

from influstat.errors import InflustatError
from influstat.removal.certificates.anchor import Anchor
from influstat.sets.budget import Budget
from influstat.sets.lengths import Mask
from influstat.sets.null_fit import Problem
from influstat.sets.search.without import Downdates

ALONE = 1e-9  # 1 - leverage below which a row determines a coefficient alone: it cannot go


def greedy(problem: Problem, downdates: Downdates, most: int, budget: Budget) -> list[int] | None:
    """Return the units in the order in which they go, until the conclusion flips by this account."""
    # Empty where nothing that may go moves it further; None where `most` or the budget came first.
    risk = problem.risk
    single = problem.units.single and risk.quadratic
    if single and not downdates.null.folded:
        try:
            return _by_downdates(problem, downdates.null.open, most, budget)
        except InflustatError:
            return []
    return _by_score(downdates, most, budget)


def _by_downdates(problem: Problem, free: Mask, most: int, budget: Budget) -> list[int] | None:
    risk, rows = problem.risk, problem.units.members
    eta = risk.linear_predictor(problem.theta)
    h = risk.rows.weighted(risk.loss.second(risk.y, eta))
    anchor = Anchor(risk.design, h, risk.penalty.hessian(problem.theta), give_up=False)
    z = np.empty(risk.shape)
    for block, x in risk.design.dense_blocks():
        z[block] = anchor.whiten(x.T).T
    z, h = z[rows], h[rows]
    r = -risk.rows.weighted(risk.loss.first(risk.y, eta))[rows]
    a = anchor.whiten(problem.a[:, None])[:, 0]
    H, along, left = np.eye(len(a)), z @ a, 1.0 - h * np.einsum("ij,ij->i", z, z)
    left[(left <= ALONE) | ~free] = np.inf  # these have no effect, since they stay
    distance, gone = float(problem.a @ problem.theta) - problem.at, list[int]()
    effect = np.empty_like(r)
    while len(gone) < most and not budget.out:
        np.multiply(along, r, out=effect)
        effect /= left
        j = int(np.argmax(effect))
        if not effect[j] > 0.0:
            return []
        distance -= float(effect[j])
        gone.append(j)
        if distance <= 0.0:
            return gone
        image = H @ z[j]
        c, part = z @ image, h[j] / left[j]
        H += np.outer(image, image) * part
        residual = r[j] / left[j]
        along += np.multiply(c, along[j] * part, out=effect)
        np.multiply(h, c, out=effect)  # h_i c_i
        c *= effect
        c *= part
        left -= c
        effect *= residual
        r += effect
        left[left <= ALONE] = np.inf
        left[j] = np.inf
    return None


def _by_score(downdates: Downdates, most: int, budget: Budget) -> list[int] | None:
    gone, removed = list[int](), np.zeros(len(downdates.null.f), dtype=np.bool_)
    f = downdates.null.f
    while len(gone) < most and not budget.out:
        j = int(np.argmax(np.where(removed, -np.inf, f)))
        if not f[j] > 0.0:
            return []
        removed[j] = True
        gone.append(j)
        found = downdates.without(removed)
        if found is None:
            return []
        if found.N <= 0.0:
            return gone
        f = found.f
    return None
