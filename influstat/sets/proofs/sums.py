"""The largest sum of k of many numbers, also over those sets alone that could flip the conclusion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.rounding import unit_rounding
from influstat.input.validation import FloatArray

TRIED = 7  # multipliers: each one proves something, the best of a few is within a percent of the best of all
AGAIN = 5  # of them around the best of a similar sum
WIDE, NARROW = 3.5, 1.0  # first steps of the logarithm of the multiplier
SAMPLED = 1024  # of the values, to guess where the k-th largest is
FIRST, FURTHER = 512, 4  # values that are sorted to be added up, and how many times more if they do not do
MANY = 4 * SAMPLED  # values from which a guess costs less than it spares
SPREADS = 3.0  # standard deviations of a rank in the sample, by which the guess is below


def largest_sum(values: FloatArray, k: int) -> float:
    """Return the largest sum of at most k of the values, 0 for none of them; rounded up.

    Returns
    -------
    float

    Examples
    --------
    >>> import numpy as np
    >>> from influstat.sets.proofs.sums import largest_sum
    >>> round(largest_sum(np.array([3.0, -1.0, 2.0]), 2), 9), round(largest_sum(np.array([-1.0]), 1), 9)
    (5.0, 0.0)
    """
    if k <= 0:
        return 0.0
    top = values if k >= len(values) else _top(values, k)
    return float(np.sum(top, where=top > 0.0)) * (1.0 + unit_rounding(min(k, len(values))))


def kth_largest(values: FloatArray, k: int) -> float:
    """Return the k-th largest of more than k values."""
    return float(np.min(_top(values, k)))


def fewest(values: FloatArray, need: float) -> int | None:
    """Return the least k whose k largest values add up to `need`, None where no k short of all does.

    Values at or below 0 are never among them.

    Returns
    -------
    int or None

    Examples
    --------
    >>> import numpy as np
    >>> from influstat.sets.proofs.sums import fewest
    >>> fewest(np.array([1.0, -5.0, 2.0]), 2.5), fewest(np.array([1.0, -5.0, 2.0]), 4.0)
    (2, None)
    """
    m = len(values)
    k = min(FIRST, m)
    top = values if k == m else _top(values, k)
    enough = need * (1.0 + unit_rounding(m))  # added up one by one they are no less than need then
    while k < m and float(np.sum(top)) < enough and float(np.min(top)) > 0.0:
        k = min(FURTHER * k, m)
        top = values if k == m else _top(values, k)
    top = np.sort(top[top > 0.0])[::-1]  # no more than are needed, up to a factor
    found = int(np.searchsorted(np.cumsum(top), need)) + 1
    return found if found <= len(top) and found < m else None


def largest_places(values: FloatArray, k: int) -> NDArray[np.intp]:
    """Return where the at most k largest values above 0 stand, unsorted."""
    if k >= len(values):
        return np.flatnonzero(values > 0.0)
    near = _near_top(values, k)
    if near is None:
        places = np.argpartition(values, len(values) - k)[-k:]
    else:
        places = near[np.argpartition(values[near], len(near) - k)[-k:]]
    return np.asarray(places[values[places] > 0.0])


def _top(values: FloatArray, k: int) -> FloatArray:
    """Return the k largest of more than k values, unsorted."""
    near = _near_top(values, k)
    some = values if near is None else values[near]
    return np.asarray(np.partition(some, len(some) - k)[len(some) - k :])


def _near_top(values: FloatArray, k: int) -> NDArray[np.intp] | None:
    """Return where at least the k largest of many values stand, and few others; None where that is unknown.

    The selection of Floyd and Rivest (1975, Communications of the ACM 18): a sample tells about where the
    k-th largest is, and one comparison leaves out what is below. Where the sample is wrong too few are left.

    Returns
    -------
    ndarray of int or None
    """
    m = len(values)
    if m < MANY:
        return None
    sample = values[:: m // SAMPLED]
    expected = k * len(sample) / m
    rank = int(expected + SPREADS * np.sqrt(expected) + SPREADS)
    if rank > len(sample) // 2:
        return None
    near = np.flatnonzero(values >= np.partition(sample, len(sample) - rank)[len(sample) - rank])
    return near if len(near) > k else None


def largest_among(
    values: FloatArray, k: int, given: FloatArray, least: float, near: list[float] | None = None
) -> float:
    """Return a bound on the sum of the values over some sets of at most k: those of a given sum.

    Parameters
    ----------
    values : ndarray, shape (m,)
        What is summed, none below 0.
    k : int
        Size of the sets.
    given, least : ndarray, shape (m,), and float
        Only sets S with sum_S given >= least count; -inf lets every set in.
    near : list of float, optional
        The logarithm of the multiplier that was best for a similar sum, or empty; it is replaced.

    Returns
    -------
    float
        min over mu >= 0 of the largest sum of values + mu given, less mu least: for such sets that sum less
        `least` is not negative, so that every mu gives a bound.
    """
    best = largest_sum(values, k)
    if not np.isfinite(best) or least <= 0.0:  # the empty set is in, or nothing to gain
        return best
    if not np.max(given, initial=0.0) > 0.0:
        return 0.0  # no set has such a sum
    scale = float(np.max(values, initial=0.0)) / float(np.max(given))
    if scale == 0.0:
        return best
    # The bound is convex in mu with slope that sum less `least`, S being its set: bisect log(mu) by the sign
    # of that.
    known = bool(near)
    place, step = (near[0], NARROW) if near else (0.0, WIDE)
    for _ in range(AGAIN if known else TRIED):
        mu = scale * np.exp(place)
        tilted = values + mu * given
        places = largest_places(tilted, k)
        size = float(np.sum(np.abs(tilted[places]))) + mu * least
        bound = float(np.sum(tilted[places])) - mu * least + unit_rounding(k) * size
        if bound < best:
            best = bound
            if near is not None:
                near[:] = [place]
        place += -step if float(np.sum(given[places])) >= least else step
        step *= 0.5
    return max(best, 0.0)  # it is below 0 where no set has such a sum at all
