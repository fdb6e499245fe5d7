"""Compare what a law found with what it must be, and guess what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from influstat.checks.report import Finding
from influstat.input.validation import FloatArray

ALIKE = 1e-3  # how near a guess must come, relative to what it explains
UNTOLD = 1e100  # a relative error beyond it says only that 0 was due
TINY = 1e-290  # below it numbers lose digits of their own: no error there counts

Place = Callable[[tuple[int, ...]], str]


def compare(
    found: Any,
    truth: Any,
    *,
    tolerance: float,
    size: Any = 0.0,
    allowance: Any = 0.0,
    place: Place = str,
    factors: Mapping[str, float] | None = None,
    shifts: Mapping[str, Any] | None = None,
) -> Finding:
    """Return whether |found - truth| <= tolerance (|truth| + size) + allowance in every entry.

    Parameters
    ----------
    found, truth : array_like
        What the subject gives, and what it must give.
    tolerance : float
        Largest relative error.
    size : array_like
        What rounding is relative to, beside the truth itself.
    allowance : array_like
        Absolute error of `truth`.
    place : callable
        Names an index.
    factors : mapping, optional
        Text -> number: what a constant factor of that size would mean.
    shifts : mapping, optional
        Text -> array: what an error proportional to that array would mean; "{:g}" takes the proportion.

    Returns
    -------
    Finding
        Holds where every entry is near enough; else the worst entry and what its error looks like.
    """
    found, truth = np.asarray(found, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if found.shape != truth.shape:
        transposed = " (transposed?)" if found.shape == truth.shape[::-1] else ""
        cause = f"has shape {found.shape} in place of {truth.shape}{transposed}"
        return Finding("", False, cause=cause)
    if not found.size:
        return Finding("", True, 0.0, tolerance)
    scale = np.abs(truth) + np.broadcast_to(np.asarray(size, dtype=float), truth.shape)
    excess = np.maximum(np.abs(found - truth) - allowance, 0.0)
    relative = excess / (scale + TINY)
    relative = np.where(relative < UNTOLD, relative, np.inf)
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(relative)), truth.shape))
    worst = float(relative[index])
    if worst <= tolerance:
        return Finding("", True, worst, tolerance, place(index))
    cause = f"is {found[index]:.8g}, must be {truth[index]:.8g}"
    guess = likely_cause(found, truth, tolerance, place, factors or {}, shifts or {})
    return Finding("", False, worst, tolerance, place(index), f"{cause}; {guess}" if guess else cause)


def likely_cause(
    found: FloatArray,
    truth: FloatArray,
    tolerance: float,
    place: Place,
    factors: Mapping[str, float],
    shifts: Mapping[str, Any],
) -> str:
    """Return the first explanation that fits all entries, "" if none does."""
    if not (np.isfinite(found).all() and np.isfinite(truth).all()):
        return "is not finite everywhere"
    gap = found - truth
    explanations = (_known_factor, _shift, _factor, _order, _entry, _digits)
    for explain in explanations if truth.ndim else (_known_factor, _digits, _factor):
        text = explain(found, truth, gap, place, factors, shifts)
        if text:
            return text
    return ""


def _small(part: FloatArray, whole: FloatArray) -> bool:
    return bool(np.linalg.norm(part) <= ALIKE * np.linalg.norm(whole))


def _ratio(found: FloatArray, truth: FloatArray) -> float | None:
    """Return c with found = c truth, None if there is none."""
    power = float(np.sum(truth * truth))
    c = float(np.sum(found * truth)) / power if power > 0 else 0.0
    fits = power > 0 and _small(found - c * truth, found if c else truth) and abs(c - 1.0) >= ALIKE
    return c if fits else None


def _known_factor(
    found: Any, truth: Any, gap: Any, place: Any, factors: Mapping[str, float], shifts: Any
) -> str:
    c = _ratio(found, truth)
    known = {
        "the sign is reversed": -1.0,
        "off by a factor 2.00 everywhere: is the penalty lam or 2 lam, is the loss halved?": 2.0,
        "off by a factor 0.50 everywhere: is the penalty lam or 2 lam, is the loss halved?": 0.5,
        "it is left out": 0.0,
        **factors,
    }
    fitting = (
        text for text, number in known.items() if c is not None and abs(c - number) <= ALIKE * abs(number)
    )
    return next(fitting, "")


def _factor(found: Any, truth: Any, gap: Any, place: Any, factors: Any, shifts: Any) -> str:
    c = _ratio(found, truth)
    if c is None:
        return ""
    return f"off by a factor {c:.4g}" + (" everywhere" if truth.size > 1 else "")


def _shift(found: Any, truth: Any, gap: Any, place: Any, factors: Any, shifts: Mapping[str, Any]) -> str:
    """Explain the gap by an array it is proportional to wherever there is a gap at all, twice at least."""
    # Entries whose gap is a millionth of the largest are right: that is rounding beside it.
    wrong = np.abs(gap) > 1e-6 * np.max(np.abs(gap))
    for text, array in shifts.items():
        delta = np.where(wrong, np.broadcast_to(np.asarray(array, dtype=float), gap.shape), 0.0)
        power = float(np.sum(delta * delta))
        c = float(np.sum(gap * delta)) / power if power > 0 else 0.0
        if c and len(np.unique(delta[wrong])) > 1 and _small(gap - c * delta, gap):
            return text.format(c)
    return ""


def _order(found: Any, truth: Any, gap: Any, place: Any, factors: Any, shifts: Any) -> str:
    if truth.ndim == 2 and truth.shape[0] == truth.shape[1] and _small(found - truth.T, gap):
        return "it is transposed"
    if len(truth) > 2:
        for step, text in ((1, "down"), (-1, "up")):
            inner = slice(1, None) if step == 1 else slice(None, -1)
            shifted = np.roll(truth, step, axis=0)
            if _small(found[inner] - shifted[inner], gap):
                return f"rows are shifted by one {text}"
        # Six digits: enough to tell rows apart, few enough for rounding not to.
        rows = {tuple(np.round(row, 6)) for row in np.reshape(found, (len(found), -1))}
        moved = np.max(np.abs(gap)) > 1e-4 * np.max(np.abs(truth))  # else it is digits that are missing
        if moved and rows == {tuple(np.round(row, 6)) for row in np.reshape(truth, (len(truth), -1))}:
            return "the rows are right but in another order"
    return ""


def _entry(found: Any, truth: Any, gap: Any, place: Place, factors: Any, shifts: Any) -> str:
    # As in `_shift`: a gap of a millionth of the largest is rounding.
    bad = np.abs(gap) > 1e-6 * np.max(np.abs(gap))
    columns = np.flatnonzero(bad.any(axis=0)) if bad.ndim == 2 else np.flatnonzero(bad)
    count = bad.shape[-1]
    if bad.ndim == 2 and len(columns) == 1 < count:
        return f"only column {columns[0]} is wrong"
    if bad.ndim == 1 and len(columns) == 1 < count:
        return f"only {place((int(columns[0]),))} is wrong"
    return ""


def _digits(found: Any, truth: Any, gap: Any, place: Any, factors: Any, shifts: Any) -> str:
    relative = np.linalg.norm(gap) / max(float(np.linalg.norm(truth)), TINY)
    # Float32 has an epsilon of 1.2e-7; sums lose a few hundred of it, and means over many rows gain digits.
    if 1e-10 < relative < 3e-5:
        return f"agrees to {-np.log10(relative):.0f} digits: is something computed in float32?"
    return ""
