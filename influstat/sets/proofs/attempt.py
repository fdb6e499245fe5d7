"""What a prover beyond the quick certificate answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Attempt:
    """What one prover says of "no k units flip the conclusion".

    Attributes
    ----------
    proven : bool or None
        True: it is proven. False: this prover cannot prove it. None: the budget ran out before.
    sets : tuple of ndarray of int
        Sets of at most k units that may flip, for refits to confirm: where a proof fails it knows where.
    nodes : int
        How many parts the proof was split into.
    limit : str
        Why it is not proven.
    """

    proven: bool | None
    sets: tuple[NDArray[np.intp], ...] = ()
    nodes: int = 0
    limit: str = ""
