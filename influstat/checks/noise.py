"""How many digits a function carries: differences of high order see rounding and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from influstat.checks.report import Finding
from influstat.numerics.derivatives import noise

LIMIT = 1e-9  # relative noise: float64 has about 1e-16, good differences 1e-11, float32 about 1e-8


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
