"""How far the nuisance moves at most: the least t at which every direction goes uphill (`quick`, 1).

    left(t) = (1 - e^(-c R3 t)) / (c R3) - Lam t - Cmax > 0,    t / 1 - Lam t - Cmax for c R3 = 0.

It is concave and highest where e^(-c R3 t) = Lam.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from influstat.input.validation import FloatArray

FAR = 745.0  # e to minus that is the least above 0
HALVINGS = 60  # of where a radius is: as many as a float has digits, and a few
ENLARGED = 1.0 + 1e-9  # beyond the rounding of a root


def radius_of(C: float, lam: float, bend: float) -> float | None:
    """Return that t for Cmax and Lam < 1, rounded up, `bend` being c R3; None where there is none."""
    if bend == 0.0:
        return C / (1.0 - lam)
    if not np.isfinite(bend):
        return None

    def left(t: float) -> float:
        return float(-np.expm1(-bend * t) / bend - lam * t - C)

    top = -np.log(lam) / bend if lam > 0.0 else FAR / bend
    if not left(top) > 0.0:
        return None
    root = float(brentq(left, 0.0, top, xtol=1e-14 * top)) * ENLARGED
    return root if left(root) > 0.0 else top


def radii(C: FloatArray, lam: FloatArray, bend: float) -> FloatArray:
    """Return those t for many Cmax and Lam together, rounded up; inf where there is none.

    Returns
    -------
    ndarray, shape (m,)

    Examples
    --------
    >>> import numpy as np
    >>> from influstat.sets.proofs.ball import radii
    >>> radii(np.array([0.3, 0.3]), np.array([0.4, 1.0]), 0.0)
    array([0.5, inf])
    """
    usable = lam < 1.0
    if bend == 0.0:
        return np.where(usable, C / np.where(usable, 1.0 - lam, 1.0), np.inf)
    if not np.isfinite(bend):
        return np.full(len(C), np.inf)

    def left(t: FloatArray) -> FloatArray:
        return np.asarray(-np.expm1(-bend * t) / bend - lam * t - C)

    low, top = np.zeros(len(C)), -np.log(np.clip(lam, np.exp(-FAR), 1.0)) / bend
    high, usable = top, usable & (left(top) > 0.0)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        beyond = left(middle) > 0.0
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    return np.where(usable, np.minimum(high * ENLARGED, top), np.inf)
