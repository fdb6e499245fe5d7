"""Every set of k units, where there are few of them: for squared error N(T) is a formula (`null_fit`).

    N(T) = N0 - f_S - B_S'(I - A_S)^-1 C_S

With e the smallest eigenvalue of I - A_S, rounding moves it by at most margin + (cross |C_S| + slack |B_S|)
/ e + 4 relative |B_S| |C_S| / e^2: a set counts as proven only if N(T) is above that. Sets that leave no
information on a nuisance direction (e = 0 to rounding) are not decided here.
"""

from __future__ import annotations

from itertools import combinations, islice
from math import comb

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.rounding import unit_rounding
from influstat.input.validation import FloatArray
from influstat.sets.budget import TIME, Budget
from influstat.sets.null_fit import NullFit
from influstat.sets.proofs.reached import Reached

MOST_SETS = 500_000  # about a second
BLOCK_ENTRIES = 2**20
SINGULAR = 1e-9  # smallest eigenvalue of I - A_S below which nothing is decided


def enumeration(null: NullFit, k: int, budget: Budget, *, most: int = MOST_SETS) -> Reached:
    """Return k where all sets of k units leave the conclusion standing, else k - 1, which is taken as proven.

    Returns
    -------
    Reached
    """
    units = np.flatnonzero(null.open)
    if null.concordance != 0.0 or not null.problem.risk.quadratic or comb(len(units), k) > most:
        return Reached(k - 1)
    A = _blocks(null, units)
    sets, nodes, flips = combinations(range(len(units)), k), 0, list[NDArray[np.intp]]()
    step = max(1, BLOCK_ENTRIES // max(1, k * (null.d + 1) ** 2))
    while block := list(islice(sets, step)):
        if budget.out:
            return Reached(k - 1, nodes=nodes, limit=TIME)
        chosen = np.array(block)
        nodes += len(chosen)
        N, noise = _standing(null, units, A, chosen)
        open_sets = chosen[~(noise < N)]
        if len(open_sets):
            order = np.argsort(N[~(noise < N)])
            flips = [units[open_sets[j]] for j in order[:3]]
            return Reached(k - 1, tuple(flips), nodes, f"sets of {k} among all may do it")
    return Reached(k, nodes=nodes)


def _blocks(null: NullFit, units: NDArray[np.intp]) -> FloatArray:
    """Return A_i of every unit, shape (m, d, d)."""
    members = null.units.take(units)
    A = np.empty((len(units), null.d, null.d))
    for j in range(len(units)):
        rows = members[j]
        A[j] = (null.z[rows] * null.h[rows, None]).T @ null.z[rows] + np.sum(null.share[rows]) * null.penalty
    return A


def _standing(
    null: NullFit, units: NDArray[np.intp], A: FloatArray, chosen: NDArray[np.intp]
) -> tuple[FloatArray, FloatArray]:
    """Return N(T) and its rounding for each of the sets; inf where it is not decided."""
    f, B, C = null.f[units], null.turns[units], null.pulls[units]
    first, b, c = f[chosen].sum(axis=1), B[chosen].sum(axis=1), C[chosen].sum(axis=1)
    N = null.N0 - first
    if null.d == 0:
        return N, np.full(len(N), null.margin)
    values, vectors = np.linalg.eigh(np.eye(null.d) - A[chosen].sum(axis=1))
    least = values[:, 0] - null.relative - unit_rounding(null.d + chosen.shape[1])
    usable = least > SINGULAR
    inverse = 1.0 / np.where(usable[:, None], values, 1.0)
    b, c = np.einsum("sij,si->sj", vectors, b), np.einsum("sij,si->sj", vectors, c)
    N = N - np.sum(b * c * inverse, axis=1)
    size_b, size_c = np.linalg.norm(b, axis=1), np.linalg.norm(c, axis=1)
    least = np.where(usable, least, 1.0)
    noise = null.margin + (null.cross * size_c + null.slack * size_b) / least
    noise += (4.0 * null.relative + unit_rounding(null.d)) * size_b * size_c / least**2
    return N, np.where(usable, noise, np.inf)
