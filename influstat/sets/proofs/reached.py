"""What a prover beyond the quick certificate knows so far, and the way to the largest number it can prove."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from influstat.sets.budget import Budget


@dataclass(frozen=True, eq=False)
class Reached:
    """What one prover knows so far."""

    safe: int  # it is proven that no `safe` units flip the conclusion
    # Sets that may flip, or nearly: for refits to confirm, and for the search to start from.
    sets: tuple[NDArray[np.intp], ...] = ()
    nodes: int = 0  # how many parts the proof was split into since the last report
    limit: str = ""  # why no more is proven, "" if that is not known


def climbed_by(proves: Callable[[int], bool], safe: int, flips: int, budget: Budget) -> Iterator[int]:
    """Yield larger and larger k below `flips` that are proven: steps double, then they are halved."""
    step, growing = 1, True
    while safe + 1 < flips and not budget.out:
        k = min(safe + step, flips - 1)
        if proves(k):
            safe = k
            yield safe
        else:
            flips, growing = k, False
        step = 2 * step if growing else max(1, (flips - safe) // 2)
