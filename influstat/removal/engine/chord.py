"""Refits of many removals on the expanded sum: chord steps until its own gradient is all but 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.symmetric import packed_size
from influstat.input.groups import Groups, Indices
from influstat.input.validation import FloatArray
from influstat.removal.engine.expanded import AT_ONCE, Expanded, ExpandedSum
from influstat.removal.engine.plan import TOLERANCE
from influstat.removal.inverse import Downdated

SETTLED = 0.1 * TOLERANCE  # of |u|: the gradient found, then, is not what the refit is inexact by
STALLED = 0.5  # contraction above which another step would not help
SWEEPS = 12


@dataclass(frozen=True, eq=False)
class Refits:
    """Where the iteration has ended, one entry per removal."""

    theta: FloatArray  # shape (p, K)
    done: NDArray[np.bool_]  # whether theta is the refit to TOLERANCE, proven; shape (K,)
    norms: FloatArray  # bound on |grad F_k| in theta, shape (K,)


def at_once(p: int) -> int:
    """Return how many removals are advanced together."""
    return max(64, AT_ONCE // (2 * packed_size(p)))


def refits(
    rows: ExpandedSum, groups: Groups, left: FloatArray, inverse: Downdated, start: FloatArray
) -> Refits:
    """Return the minimisers of F_k from `start` (p, K) on; `left` (K,) are the shares of the penalty left."""
    # By the cheaper expansion where that is sharp enough.
    theta = start.copy()
    done, norms = np.zeros(len(groups), dtype=np.bool_), np.full(len(groups), np.inf)
    usable = np.isfinite(start).all(axis=0) & ~inverse.hard
    moved = np.zeros(len(groups))
    delta = start[:, usable] - rows.expansion.theta[:, None]
    moved[usable] = np.linalg.norm(rows.anchor.coordinates(delta), axis=0)
    cheap = rows.remainders(moved, fourth=False) <= 0.25 * TOLERANCE * moved
    for fourth, wanted in ((False, usable & cheap), (True, usable & ~cheap)):
        chosen = np.flatnonzero(wanted)
        if chosen.size and (rows.has_fourth or not fourth):
            found = _iterate(rows, groups, left, inverse, theta, chosen, fourth=fourth)
            done[chosen], norms[chosen] = found
    return Refits(theta, done, norms)


def _iterate(
    rows: ExpandedSum,
    groups: Groups,
    left: FloatArray,
    inverse: Downdated,
    theta: FloatArray,
    active: Indices,
    *,
    fourth: bool,
) -> tuple[NDArray[np.bool_], FloatArray]:
    """Move the columns `active` of theta; return which are done, and bounds on their gradients."""
    chosen = active
    done, bound = np.zeros(len(chosen), dtype=np.bool_), np.full(len(chosen), np.inf)
    place, before = np.arange(len(chosen)), np.full(len(chosen), np.inf)
    for _ in range(SWEEPS):
        found = rows.at(groups.take(active), left[active], theta[:, active], fourth=fourth)
        size = np.linalg.norm(rows.anchor.whiten(found.gradient), axis=0)
        settled = size <= SETTLED * found.moved
        done[place] = settled & _proven(rows, found, size, inverse.headroom[active])
        bound[place] = np.linalg.norm(found.gradient, axis=0) + rows.anchor.largest * found.remainder
        on = ~settled & (size <= STALLED * before)
        if not on.any():
            break
        theta[:, active[on]] -= inverse.solve(found.gradient[:, on], active[on])
        active, place, before = active[on], place[on], size[on]
    return done, bound


def _proven(rows: ExpandedSum, found: Expanded, size: FloatArray, headroom: FloatArray) -> NDArray[np.bool_]:
    """Tell which are within TOLERANCE of the refit: the Hessian there is at least (1 - h) e^(-c path) C."""
    c = rows.concordance
    with np.errstate(over="ignore"):
        error = (size + found.remainder) * np.exp(c * found.path) / headroom
    return np.asarray(error <= TOLERANCE * found.moved)
