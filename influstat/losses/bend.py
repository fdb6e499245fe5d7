"""Over which change of its linear predictor a loss bends: the first step of differences, by its values.

Second differences f(eta + h) - 2 f(eta) + f(eta - h) grow like h^2 as far as the loss bends, and drown in the
rounding of f where h is too short. Between the two lies the width.
"""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from influstat.input.validation import FloatArray
from influstat.losses.differenced import DifferencedLoss
from influstat.losses.numerical import NumericalLoss

SAMPLE = 32  # targets that are looked at, evenly from the smallest to the largest
STEPS = 10.0 ** np.arange(-13, 14)
EPSILON = float(np.finfo(np.float64).eps)
DIGITS = 1e6  # times the rounding: six digits of a second difference, so that two are left of a third
ALIKE = 0.5  # relative: the second derivative over one step and over a tenth of it
ENOUGH = 0.6  # of the places where it can be told: 1 will do there


def with_width(loss: Any, y: FloatArray) -> Any:
    """Return the loss, one without a width of its own with what its values at these targets (n,) say.

    Returns
    -------
    Loss
        A copy where 1 would not do, of a `NumericalLoss` or `DifferencedLoss` without `width` alone.

    Examples
    --------
    >>> import influstat as ist
    >>> y = np.array([1e6, 2e6, 4e6])
    >>> with_width(ist.NumericalLoss(lambda y, eta: np.log(np.cosh((y - eta) / 1e6))), y).width
    1000000.0
    """
    if not isinstance(loss, NumericalLoss) or loss.width is not None:
        return loss
    width = _width(loss, y)
    if width == 1.0:
        return loss
    if not isinstance(loss, DifferencedLoss):
        return replace(loss, width=width)
    changed = copy.copy(loss)
    object.__setattr__(changed, "width", width)
    return changed


def _width(loss: NumericalLoss, y: FloatArray) -> float:
    """Return 1 where that will do, or where nothing is told; else the largest step that most rows bear."""
    chosen = np.sort(y)[np.linspace(0, len(y) - 1, min(SAMPLE, len(y))).astype(int)]
    targets = np.tile(chosen, 3)
    eta = np.concatenate([np.zeros_like(chosen), 0.5 * chosen, chosen])
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            known = _bends_alike(loss, targets, eta)
    except Exception:  # noqa: BLE001  what a wrong loss raises is told where it is used
        return 1.0
    known = known[:, known.any(axis=0)]
    if not known.shape[1]:
        return 1.0
    share = known.mean(axis=1)
    if share[STEPS == 1.0][0] >= ENOUGH:
        return 1.0
    borne = STEPS[share >= min(ENOUGH, share.max())]
    within = borne[borne <= max(1.0, float(np.max(np.abs(chosen))))]  # a quadratic bears any step
    return float(np.max(within) if within.size else np.min(borne))


def _bends_alike(loss: NumericalLoss, y: FloatArray, eta: FloatArray) -> Any:
    """Return for each step whether a second difference over it has digits, and is that over a tenth of it."""
    centre = loss.function(y.copy(), eta.copy())
    second, clear = [], []
    for step in STEPS:
        above, below = (np.asarray(loss.function(y.copy(), eta + sign * step)) for sign in (1.0, -1.0))
        difference = (above - centre) - (centre - below)
        slope = np.abs(above - below) / (2.0 * step)
        largest = np.maximum(np.maximum(np.abs(above), np.abs(below)), np.abs(centre))
        rounding = EPSILON * (largest + slope * np.abs(eta))
        second.append(difference / step**2)
        clear.append(np.abs(difference) > DIGITS * rounding)
    values, digits = np.array(second, dtype=np.float64), np.array(clear)
    alike = np.abs(values[1:] - values[:-1]) <= ALIKE * np.abs(values[:-1])
    coarse = digits[1:] & np.isfinite(values[1:])
    # Where the shorter step has no digits left, the next longer one says whether the loss has begun to bend.
    told = np.where(digits[:-1], alike, np.vstack([alike[1:], np.zeros_like(alike[:1])]))
    return np.vstack([np.zeros_like(coarse[:1]), coarse & told])
