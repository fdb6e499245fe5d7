"""A risk without the columns that are 0 in every row: their coefficients are 0 with or without any row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.risks.linear import as_linear
from influstat.risks.penalties import L2

WIDE, FEW = 100, 0.95  # columns, and the share of them in use, at which it pays
LARGEST = 2**25  # entries of the copy of the others: 256 MiB

Lift = Callable[[FloatArray], FloatArray]


def in_use(fit: Minimum) -> tuple[Minimum, Lift] | None:
    """Return the minimum over the columns in use, and what takes theta (r, k) there to changes (p, k)."""
    # None where it does not pay, and where a ridge does not hold the other coefficients at 0.
    risk, (n, p) = as_linear(fit.risk), fit.risk.shape
    if risk is None or p < WIDE or n * p > LARGEST or risk.design.sparse or not isinstance(risk.penalty, L2):
        return None
    found = risk.design.square_sums(np.ones(n)) > 0.0
    strengths = risk.penalty.strengths(fit.theta)
    if found.sum() > FEW * p or fit.theta[~found].any() or not (strengths[~found] > 0.0).all():
        return None
    used = np.flatnonzero(found)
    free = np.flatnonzero(strengths[used] == 0.0).tolist()
    inner = risk.moved(
        replace(risk.rows, design=risk.design.only(used)), L2(risk.penalty.strength, unpenalised=free)
    )

    def lift(moved: FloatArray) -> FloatArray:
        result = np.zeros((p, moved.shape[1]))
        result[used] = moved - fit.theta[used, None]
        return result

    return Minimum(inner, fit.theta[used], tolerance=np.inf), lift
