"""What is asked of a conclusion that is searched as well as proven, and what is known of it so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from influstat.input.validation import FloatArray
from influstat.sets.budget import Budget
from influstat.sets.null_fit import NullFit
from influstat.sets.proofs.rows import Conclusion

Units = NDArray[np.intp]


class Searched(Conclusion, Protocol):
    """A conclusion that can be searched as well as proven."""

    def taken(self, null: NullFit) -> FloatArray:
        """Return what each unit, removed or not, takes away from it to first order."""


@dataclass(eq=False)
class Bracket:
    """What is known so far of one significance.

    Attributes
    ----------
    lower, proof, limit, nodes
        As in `Breakdown`.
    best : ndarray of int or None
        The smallest set found, refitted.
    value : float
        The limit without it.
    searched : Budget or None
        The time that the search had; None where there was none.
    """

    lower: int = 1
    proof: str = "none"
    limit: str = ""
    nodes: int = 0
    best: Units | None = None
    value: float = np.nan
    searched: Budget | None = None
