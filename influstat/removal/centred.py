"""A fit on its active set, seen from the means of its columns where these are far from 0.

No coefficient but that of an unpenalised constant depends on where the columns begin; slopes of the loss
along columns of 1e7 would have lost seven of their digits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from influstat.algebra.coordinates import Coordinates
from influstat.input.design import Design
from influstat.input.validation import FloatArray
from influstat.risks.linear import LinearRisk
from influstat.risks.penalties.active_l1 import ActiveL1


@dataclass(frozen=True, eq=False)
class Centred:
    """A linear risk and its absolute-value penalty, the same multiples of the constant off its columns."""

    risk: LinearRisk
    lasso: ActiveL1
    constant: int = -1  # the column of which `center` was taken off the others; -1 where nothing was
    center: FloatArray | None = None  # of the p active columns and of the q left out, shape (p + q,)

    def there(self, theta: FloatArray) -> FloatArray:
        """Return the coefficients (p,) or (p, k) of the centred columns."""
        return self._shifted(theta, 1.0)

    def back(self, theta: FloatArray) -> FloatArray:
        """Return those of the columns themselves, (p,) or (p + q,) of all that were left out too."""
        return self._shifted(theta, -1.0)

    def _shifted(self, theta: FloatArray, sign: float) -> FloatArray:
        if self.center is None:
            return theta
        moved = theta.copy()
        moved[self.constant] += sign * (self.center[: len(theta)] @ theta)
        return moved


def centred(risk: LinearRisk, lasso: ActiveL1, coordinates: Coordinates | None) -> Centred:
    """Return the risk less the centers that its coordinates at the minimum have, None where it needs none."""
    constant = -1 if coordinates is None else coordinates.constant
    if coordinates is None or constant < 0 or _penalised(risk, lasso, constant):
        return Centred(risk, lasso)
    design, excluded = risk.design, lasso.excluded
    ones, center = design.rows(slice(None))[:, constant], coordinates.center
    moved = _less(design, ones, center)
    if excluded is not None:
        share = risk.weights * ones
        share = share / (share @ ones)
        others = share @ excluded.rows(slice(None))
        lasso = replace(lasso, excluded=_less(excluded, ones, others))
        center = np.concatenate([center, others])
    return Centred(risk.moved(replace(risk.rows, design=moved), risk.penalty), lasso, constant, center)


def _less(design: Design, ones: FloatArray, center: FloatArray) -> Design:
    dense: Any = design.rows(slice(None)) - ones[:, None] * center
    return Design(dense, names=design.names)


def _penalised(risk: LinearRisk, lasso: ActiveL1, column: int) -> bool:
    """Return whether a coefficient costs anything, or has a sign to keep: then the origin counts."""
    ridge = risk.penalty.hessian(np.zeros(risk.shape[1])).diagonal()[column]
    return bool(ridge or lasso.slope[column] or lasso.signs[column])
