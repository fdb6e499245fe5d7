"""Least squares of two groups, their means compared: exact, from two sorted lists.

A design with two different rows x_1 and x_2 has theta determined by the means m_1 and m_2 of the groups, and
a'theta = c_1 m_1 + c_2 m_2 with a = c_1 x_1 + c_2 x_2. Where all weights are equal and k_1 rows of group 1
leave, c_1 m_1 is least without those of the largest c_1 y; so the least value for (k_1, k_2) is a sum of two
decreasing sequences, and the least k_1 + k_2 that brings it to the threshold is one search in the second for
every k_1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.rounding import unit_rounding
from influstat.input.validation import FloatArray
from influstat.sets.null_fit import NullFit


def two_groups(null: NullFit) -> tuple[int, NDArray[np.intp]] | None:
    """Return how many units are proven not to flip the conclusion, and a set of the least size that may."""
    # The set is empty where none flips. None where the fit is not of this kind.
    problem, risk = null.problem, null.problem.risk
    rows = problem.units.members[null.open] if problem.units.single else np.zeros(0, dtype=np.intp)
    weights = risk.weights[rows]
    alike = len(rows) > 1 and risk.shape[1] == 2 and bool((weights == weights[0]).all())
    if not (alike and risk.quadratic and not null.penalty.any() and np.sum(risk.weights > 0) == len(rows)):
        return None
    x = risk.design.rows(rows)
    first = (x == x[0]).all(axis=1)
    if first.all() or not (x[~first] == x[~first][0]).all():
        return None
    pair = np.stack([x[0], x[~first][0]])
    c = np.linalg.solve(pair.T, problem.a)
    y = risk.y[rows] - risk.offset[rows]
    places = [np.flatnonzero(first), np.flatnonzero(~first)]
    orders = [place[np.argsort(-factor * y[place])] for place, factor in zip(places, c, strict=True)]
    means = [_means(factor * y[order]) for order, factor in zip(orders, c, strict=True)]
    noise = unit_rounding(len(rows)) * float(np.abs(c) @ [np.abs(y[place]).max() for place in places])
    least = _fewest(means, problem.at + 4.0 * noise)
    if least is None:
        return len(rows), np.zeros(0, dtype=np.intp)
    units = np.flatnonzero(null.open)
    return sum(least) - 1, units[np.concatenate([order[:k] for order, k in zip(orders, least, strict=True)])]


def _means(values: FloatArray) -> FloatArray:
    """Return the mean without the first k values, k = 0 ... n - 1."""
    left = np.cumsum(values[::-1])[::-1]
    return np.asarray(left / np.arange(len(values), 0, -1))


def _fewest(means: list[FloatArray], at: float) -> tuple[int, int] | None:
    """Return (k_1, k_2) of least sum with means[0][k_1] + means[1][k_2] <= at."""
    needed = at - means[0]
    other = np.searchsorted(-np.minimum.accumulate(means[1]), -needed)
    total = np.where(other < len(means[1]), np.arange(len(needed)) + other, np.iinfo(np.int64).max)
    k = int(np.argmin(total))
    return (k, int(other[k])) if other[k] < len(means[1]) else None
