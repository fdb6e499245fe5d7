"""The units that can be among the k largest by one of several accounts, and k stand-ins for all others.

Sums of the k largest are asked of many mixtures of the same few arrays. A unit that is below the (3 k)-th
largest in every array is replaced by one that is exactly there in all: with k of these every such sum, of any
mixture with positive factors, is bounded from above, and usually unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from influstat.input.validation import FloatArray
from influstat.sets.proofs.sums import Top, kth_largest

KEPT = 3  # times k, and a few more, of each array
MORE = 64
WORTH = 0.5  # part of the units above which all of them are kept


@dataclass(frozen=True, eq=False)
class Candidates:
    """What bounds are made of, shape (m,) each: f, |B|, |C|, leverages, r^2 / h and h xi^2."""

    f: FloatArray
    B: FloatArray
    C: FloatArray
    lev: FloatArray
    r2h: FloatArray
    x2: FloatArray

    def of(self, k: int) -> Candidates:
        """Return what is enough for sums over at most k units."""
        arrays = [getattr(self, field.name) for field in fields(self)]
        m, kept = len(self.f), KEPT * k + MORE
        if kept >= WORTH * m:
            return self
        least = [kth_largest(array, kept) for array in arrays]
        chosen = np.any([array > bound for array, bound in zip(arrays, least, strict=True)], axis=0)
        if np.mean(chosen) > WORTH:
            return self
        reduced = [
            np.concatenate([array[chosen], np.full(k, bound)])
            for array, bound in zip(arrays, least, strict=True)
        ]
        return Candidates(*reduced)

    def tops(self, k: int) -> dict[str, Top]:
        """Return the largest sums of at most k, by name, of all but f."""
        return {field.name: Top(getattr(self, field.name), k) for field in fields(self)[1:]}
