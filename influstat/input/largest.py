"""Where the largest of many numbers are, without sorting all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from influstat.input.validation import FloatArray


def largest_first(sizes: FloatArray, k: int) -> NDArray[np.intp]:
    """Return where the k largest of n numbers are, the largest first, ties in their order, nan last.

    Returns
    -------
    ndarray of int, shape (min(k, n),)

    Examples
    --------
    >>> largest_first(np.array([1.0, 5.0, np.nan, 5.0, 7.0]), 3)
    array([4, 1, 3])
    >>> largest_first(np.array([1.0, 5.0]), 0)
    array([], dtype=int64)
    """
    known = np.where(np.isnan(sizes), -np.inf, sizes)
    places = np.arange(len(known))
    if 0 < k < len(known):
        kth = np.partition(known, len(known) - k)[len(known) - k]
        places = np.flatnonzero(known >= kth)
    order = np.lexsort((np.isnan(sizes[places]), -known[places]))[:k]
    return np.asarray(places[order])
