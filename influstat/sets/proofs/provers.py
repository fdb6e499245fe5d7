"""The proofs beyond the quick certificate, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from influstat.sets.budget import Budget
from influstat.sets.null_fit import NullFit


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


Prover = Callable[[NullFit, int, Budget], Attempt]

# Name of the proof -> the prover. Each is asked for one k after the other, from what is proven already, until it
# fails; a prover that does not suit a null fit answers False at once.
PROVERS: dict[str, Prover] = {}
