"""The largest sum of k of many numbers, also over those sets alone that could flip the conclusion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.rounding import unit_rounding
from influstat.input.validation import FloatArray

TRIED = 7  # multipliers: each one proves something
STRETCHED = 8.0  # times a multiplier that is too small
CLOSE = 2e-3  # of the least that any multiplier could still prove: as good as the best
SAMPLED = 1024  # of the values, to guess where the k-th largest is
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
    found = _fewest_near_a_guess(values, need)
    if found is None:
        top = np.sort(values[values > 0.0])[::-1]
        found = int(np.searchsorted(np.cumsum(top), need)) + 1
        if found > len(top):
            return None
    return found if found < len(values) else None


def _fewest_near_a_guess(values: FloatArray, need: float) -> int | None:
    """Return the same, None where a sample does not tell between which values the last one is."""
    m = len(values)
    if m < MANY:
        return None
    sample = np.sort(values[:: m // SAMPLED])[::-1]
    rank = int(np.searchsorted(np.cumsum(np.maximum(sample, 0.0)), need * len(sample) / m)) + 1
    below = rank + int(SPREADS * np.sqrt(rank)) + 1
    if below >= len(sample):
        return None
    top = np.sort(values[np.flatnonzero(values > max(float(sample[below]), 0.0))])[::-1]
    place = int(np.searchsorted(np.cumsum(top), need))
    return place + 1 if place < len(top) else None


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


@dataclass(frozen=True)
class Tilted:
    """The bound for one multiplier, and its slope there."""

    mu: float
    bound: float
    slope: float

    def at(self, mu: float) -> float:
        """Return the tangent at another multiplier."""
        return self.bound + self.slope * (mu - self.mu)


class Top:
    """The largest sum of at most k of some values, none below 0, over all sets or some of them.

    Attributes
    ----------
    total : float
        Over all sets, rounded up.
    """

    def __init__(self, values: FloatArray, k: int) -> None:
        self._values, self._k, self._places = values, k, largest_places(values, k)
        self.total = float(np.sum(values[self._places])) * (1.0 + unit_rounding(min(k, len(values))))

    def among(self, given: FloatArray, least: float, near: list[float] | None = None) -> float:
        """Return a bound over those sets alone that have a given sum.

        Parameters
        ----------
        given, least : ndarray, shape (m,), and float
            Only sets S with sum_S given >= least count; -inf lets every set in.
        near : list of float, optional
            The multiplier that was best for a similar sum, or empty; it is replaced.

        Returns
        -------
        float
            min over mu >= 0 of the largest sum of values + mu given, less mu least: for such sets that sum
            less `least` is not negative, so that every mu gives a bound.
        """
        if not least > 0.0:  # the empty set is in: nothing to gain
            return self.total
        if not np.max(given, initial=0.0) > 0.0:
            return 0.0  # no set has such a sum
        low = Tilted(0.0, self.total, float(np.sum(given[self._places])) - least)
        high: Tilted | None = None
        best, mu = self.total, near[0] if near else float(np.max(self._values)) / float(np.max(given))
        if low.slope >= 0.0 or not np.isfinite(best) or mu == 0.0:
            return best
        # The bound is convex in mu: it lies above both tangents, and is least about where they meet.
        for _ in range(TRIED):
            tried = self._tilted(given, least, mu)
            if tried.bound < best:
                best = tried.bound
                if near is not None:
                    near[:] = [mu]
            if tried.slope < 0.0:
                low = tried
            else:
                high = tried
            if high is None:
                mu *= STRETCHED
                continue
            mu = low.mu + (high.at(low.mu) - low.bound) / (low.slope - high.slope)
            if not low.mu < mu < high.mu or best - low.at(mu) <= CLOSE * best:
                break
        return max(best, 0.0)  # it is below 0 where no set has such a sum at all

    def _tilted(self, given: FloatArray, least: float, mu: float) -> Tilted:
        tilted = self._values + mu * given
        places = largest_places(tilted, self._k)
        total = float(np.sum(tilted[places]))
        bound = total - mu * least + unit_rounding(self._k) * (total + mu * least)
        return Tilted(mu, bound, float(np.sum(given[places])) - least)
