"""Does what stands in a row depend on which other rows are in the same table? Asked on a few rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from influstat.input.groups import Indices

LOOKED_AT = 64
SAME = 1e-9  # relative: libraries round the last entries of an array otherwise than those before


def few(n: int) -> Indices:
    """Return the positions of some of n rows, spread over them."""
    return np.unique(np.linspace(0, n - 1, min(n, LOOKED_AT)).astype(np.intp))


def parts(count: int, by: Any = None) -> Iterator[Indices]:
    """Yield positions of parts of so many rows: every other one, the others, and by size the two halves."""
    # What a mean, a rank, a lag or a threshold says of a row differs between the whole and one of these.
    places = np.arange(count)
    yield places[::2]
    yield places[1::2]
    if by is not None:
        order = np.argsort(by, kind="stable")
        yield np.sort(order[: count // 2])
        yield np.sort(order[count // 2 :])


def alike(a: Any, b: Any) -> bool:
    """Tell whether two columns or tables hold the same, number by number or value by value."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return False
    if a.dtype.kind in "fiub" and b.dtype.kind in "fiub":
        return bool(np.allclose(a, b, rtol=SAME, atol=0.0, equal_nan=True))
    missing = (a != a) & (b != b)
    return bool(np.all((a == b) | missing))
