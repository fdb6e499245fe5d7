"""The counts that need no search: how many of the largest first-order effects add up to the distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influstat.errors import InflustatError
from influstat.influence.influence import Influence
from influstat.input.validation import FloatArray
from influstat.risks.linear import as_linear
from influstat.sets.question import Question
from influstat.sets.search.without import Units
from influstat.statistics.leverage import Leverage


@dataclass(frozen=True, eq=False)
class Counts:
    """What each unit's removal does to the quantity, turned so that above 0 means towards the threshold.

    Attributes
    ----------
    first_order : ndarray, shape (m,)
        To first order, in units of the quantity.
    rescaled : ndarray, shape (m,), or None
        For rows, that divided by 1 - h, h the leverage: exact for one row and squared error.
    """

    first_order: FloatArray
    rescaled: FloatArray | None

    @classmethod
    def of(cls, asked: Question) -> Counts:
        """Return the effects of all units."""
        fit, units = asked.fit, asked.units
        effect = -asked.sign * Influence(fit).on(asked.a).removal
        summed = effect[units.members] if units.single else units.sums(effect)
        return cls(summed, None if asked.clusters else _rescaled(asked, effect))


def _rescaled(asked: Question, effect: FloatArray) -> FloatArray | None:
    if as_linear(asked.fit.risk) is None:
        return None
    try:
        left = 1.0 - Leverage(asked.fit).values
    except InflustatError:
        return None
    alone = left > 1e-9  # without a row of leverage 1 some coefficient is not determined
    return np.where(alone, effect / np.where(alone, left, 1.0), 0.0)[asked.units.members]


def count(effects: FloatArray, distance: float) -> int | None:
    """Return how many of the largest effects add up to the distance, None where no number short of all does.

    Returns
    -------
    int or None

    Examples
    --------
    >>> import numpy as np
    >>> from influstat.sets.search.counts import count
    >>> count(np.array([1.0, -5.0, 2.0]), 2.5), count(np.array([1.0, -5.0, 2.0]), 4.0)
    (2, None)
    """
    sums = np.cumsum(-np.sort(-np.maximum(effects, 0.0)))
    found = int(np.searchsorted(sums, distance))
    return found + 1 if found + 1 < len(sums) else None


def largest_first(effects: FloatArray, k: int) -> Units:
    """Return the units of the k largest effects, largest first."""
    return np.asarray(np.argsort(-effects, kind="stable")[:k])
