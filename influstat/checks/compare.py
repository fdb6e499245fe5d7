"""Compare what a law found with what it must be, and guess what went wrong.

How many digits a function carries: differences of high order see rounding and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from influstat.checks.report import Finding
from influstat.input.validation import FloatArray
from influstat.numerics.derivatives import noise

ALIKE = 1e-3  # how near a guess must come, relative to what it explains
UNTOLD = 1e100  # a relative error beyond it says only that 0 was due
TINY = 1e-290  # below it numbers lose digits of their own: no error there counts

KNOWN_FACTORS = {
    "the sign is reversed": -1.0,
    "off by a factor 2.00 everywhere: is the penalty lam or 2 lam, is the loss halved?": 2.0,
    "off by a factor 0.50 everywhere: is the penalty lam or 2 lam, is the loss halved?": 0.5,
    "it is left out": 0.0,
}

Place = Callable[[tuple[int, ...]], str]
LIMIT = 1e-9  # relative noise: float64 has about 1e-16, good differences 1e-11, float32 about 1e-8


def compare(
    found: Any,
    truth: Any,
    *,
    tolerance: float,
    size: Any = 0.0,  # what rounding is relative to, beside the truth itself
    allowance: Any = 0.0,  # absolute error of `truth`
    place: Place = str,
    factors: Mapping[str, float] | None = None,  # what a constant factor of that size would mean
    shifts: Mapping[str, Any] | None = None,  # what an error proportional to that array would mean
) -> Finding:
    """Return whether |found - truth| <= tolerance (|truth| + size) + allowance in every entry, or a guess."""
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
    guess = _Gap(found, truth, place, KNOWN_FACTORS | dict(factors or {}), shifts or {}).likely_cause()
    return Finding("", False, worst, tolerance, place(index), f"{cause}; {guess}" if guess else cause)


def row_of(index: tuple[int, ...]) -> str:
    """Return the name of an entry's row."""
    return f"row {index[0]}"


@dataclass(frozen=True, eq=False)
class _Gap:
    """What was found, what was due, and ways to explain the error; a way that does not fit returns ""."""

    found: FloatArray
    truth: FloatArray
    place: Place
    factors: Mapping[str, float]
    shifts: Mapping[str, Any]

    @property
    def error(self) -> FloatArray:
        return np.asarray(self.found - self.truth)

    def likely_cause(self) -> str:
        if not (np.isfinite(self.found).all() and np.isfinite(self.truth).all()):
            return "is not finite everywhere"
        explanations = (self.known_factor, self.shift, self.factor, self.order, self.entry, self.digits)
        few = (self.known_factor, self.digits, self.factor)
        return next(filter(None, (explain() for explain in (explanations if self.truth.ndim else few))), "")

    def ratio(self) -> float | None:
        """Return c with found = c truth, None if there is none."""
        c = _proportion(self.found, self.truth)
        near = _small(self.found - c * self.truth, self.found if c else self.truth)
        return c if np.sum(self.truth * self.truth) > 0 and near and abs(c - 1.0) >= ALIKE else None

    def known_factor(self) -> str:
        c = self.ratio()
        fitting = (
            text
            for text, number in self.factors.items()
            if c is not None and abs(c - number) <= ALIKE * abs(number)
        )
        return next(fitting, "")

    def factor(self) -> str:
        c, everywhere = self.ratio(), " everywhere" if self.truth.size > 1 else ""
        return "" if c is None else f"off by a factor {c:.4g}{everywhere}"

    def wrong(self) -> Any:
        """Return where the error is: a millionth of the largest is rounding beside it."""
        return np.abs(self.error) > 1e-6 * np.max(np.abs(self.error))

    def shift(self) -> str:
        """Explain the error by an array it is proportional to wherever there is one, twice at least."""
        wrong = self.wrong()
        for text, array in self.shifts.items():
            delta = np.where(wrong, np.broadcast_to(np.asarray(array, dtype=float), wrong.shape), 0.0)
            c = _proportion(self.error, delta)
            if c and len(np.unique(delta[wrong])) > 1 and _small(self.error - c * delta, self.error):
                return text.format(c)
        return ""

    def order(self) -> str:
        found, truth, error = self.found, self.truth, self.error
        if truth.ndim == 2 and truth.shape[0] == truth.shape[1] and _small(found - truth.T, error):
            return "it is transposed"
        if len(truth) <= 2:
            return ""
        if _small(found[1:] - truth[:-1], error):
            return "rows are shifted by one down"
        if _small(found[:-1] - truth[1:], error):
            return "rows are shifted by one up"
        # Six digits: enough to tell rows apart, few enough for rounding not to.
        rows, due = ({tuple(np.round(row, 6)) for row in a.reshape(len(a), -1)} for a in (found, truth))
        moved = np.max(np.abs(error)) > 1e-4 * np.max(np.abs(truth))  # else it is digits that are missing
        return "the rows are right but in another order" if moved and rows == due else ""

    def entry(self) -> str:
        wrong = self.wrong()
        columns = np.flatnonzero(wrong.any(axis=0) if wrong.ndim == 2 else wrong)
        if wrong.ndim > 2 or not len(columns) == 1 < wrong.shape[-1]:
            return ""
        return (
            f"only {f'column {columns[0]}' if wrong.ndim == 2 else self.place((int(columns[0]),))} is wrong"
        )

    def digits(self) -> str:
        relative = np.linalg.norm(self.error) / max(float(np.linalg.norm(self.truth)), TINY)
        # Float32 has an epsilon of 1.2e-7; sums lose a few hundred of it, means over many rows gain digits.
        if 1e-10 < relative < 3e-5:
            return f"agrees to {-np.log10(relative):.0f} digits: is something computed in float32?"
        return ""


def _small(part: FloatArray, whole: FloatArray) -> bool:
    return bool(np.linalg.norm(part) <= ALIKE * np.linalg.norm(whole))


def _proportion(array: FloatArray, of: FloatArray) -> float:
    """Return c for which c times `of` is nearest to the array, 0 where it vanishes."""
    power = float(np.sum(of * of))
    return float(np.sum(array * of)) / power if power > 0 else 0.0


def fewest_digits(
    functions: Mapping[str, Callable[[float], Any]], *, step: float, place: Callable[[tuple[int, ...]], str]
) -> Finding:
    """Return the worst finding of several functions, or the first that fails, with the function's name."""
    worst = Finding("", True, 0.0)
    for name, function in functions.items():
        found = _digits(function, step, place)
        found = replace(found, where=f"{name}, {found.where}")
        if not found.passed:
            return found
        worst = max(worst, found, key=lambda finding: finding.worst)
    return worst


def _digits(
    function: Callable[[float], Any], step: float, place: Callable[[tuple[int, ...]], str]
) -> Finding:
    """Return whether f carries float64's digits, entry by entry, relative to its largest size."""
    at = np.atleast_1d(np.asarray(function(0.0), dtype=np.float64))
    found = np.atleast_1d(noise(function, step=step))
    known = np.isfinite(at) & np.isfinite(found)  # that others are not finite another law says
    at, found = np.where(known, at, 0.0), np.where(known, found, 0.0)
    # Entries near 0 count to a thousandth of the largest: they carry its rounding.
    size = np.abs(at) + 1e-3 * np.max(np.abs(at)) + np.finfo(np.float64).tiny
    relative = found / size
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(relative)), relative.shape))
    worst = float(relative[index])
    if worst <= LIMIT:
        return Finding("", True, worst, LIMIT, place(index))
    cause = f"carries about {max(0, int(-np.log10(worst))):d} digits only: is it computed in float32?"
    return Finding("", False, worst, LIMIT, place(index), cause)
