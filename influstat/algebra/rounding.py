"""How far rounding can move sums, for bounds that must hold in floating point too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EPSILON = float(np.finfo(np.float64).eps)
LONG_EPSILON = float(np.finfo(np.longdouble).eps)  # of sums in extended precision, where there is one


def unit_rounding(terms: int) -> float:
    """Return u: a sum of that many terms is right to u times the sum of their absolute values."""
    # No order of adding can cost more than terms / 2 (Higham 2002, section 4.2), and as much again with 16
    # leaves room for the rounding of the terms themselves. Errors grow as the root of `terms` where they
    # have mean zero, but rows that repeat each other round alike.
    return float((16.0 + terms) * EPSILON)


@dataclass(frozen=True)
class Blur:
    """How far rows in other coordinates are off, in a norm in which sum_j w_j l2_j z_j z_j' is at most 1."""

    base: float = 0.0  # bound on the error of a gradient at u = 0 in that norm
    slope: float = 0.0  # what |u| adds to it
    relative: float = 0.0  # root of sum_j w_j l2_j |dz_j|^2: half the relative error of the Hessian
