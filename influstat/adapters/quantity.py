"""A number that a library says of its own fit, beside the one that its data and coefficients give here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

SUMS = 1e-6  # of a log-likelihood or deviance, and of each row's unit: a fit's last iteration moves it less
ROUNDING = 16 * float(np.finfo(np.float64).eps)  # of the terms of a linear predictor
SINGLE_ROUNDING = 16 * float(np.finfo(np.float32).eps)  # the same of float32
CHANGED = "Its data, weights or coefficients were changed after the fit, or this number was"


@dataclass(frozen=True)
class Quantity:
    """One number of the library and ours, and how far apart they may be."""

    name: str  # as the library calls it
    theirs: float
    ours: float
    room: float  # the difference that rounding and the fit's last iteration explain
    cause: str = CHANGED  # what makes them differ, as a sentence without its end
    kept: bool = False  # whether theirs has been kept since the fit ended, at the coefficients of then

    @property
    def same(self) -> bool:
        """Whether the two are the same number; what is not finite there says nothing."""
        comparable = np.isfinite(self.theirs) and np.isfinite(self.ours) and np.isfinite(self.room)
        return not comparable or abs(self.theirs - self.ours) <= self.room


def said(get: Callable[[], Any]) -> float:
    """Return a number of the library, nan where it has none."""
    try:
        with np.errstate(all="ignore"):
            value = get()
        return float(np.squeeze(np.asarray(value, dtype=np.float64)))
    except (AttributeError, NotImplementedError, TypeError, ValueError, KeyError, IndexError):
        return np.nan


def rounding_of(results: Any) -> float:
    """Return the relative rounding of the terms of a linear predictor in statsmodels' own precision."""
    model = results.model
    return SINGLE_ROUNDING if single(model.endog, model.exog, results.params) else ROUNDING


def single(*values: Any) -> bool:
    """Tell whether what a library has computed with, or found, is float32 in part."""
    return any(np.asarray(value).dtype == np.float32 for value in values)
