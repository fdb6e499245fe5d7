"""Gradients of a caller's function of theta: by a complex step where that is right, else by differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.input.printing import ShortRepr
from influstat.input.validation import FloatArray
from influstat.input.warning import unsaid
from influstat.numerics.differences import differenced

COMPLEX_STEP = 1e-30  # of the coefficient's scale: its square is far below rounding
FUNCTION = "function"  # what callers call it
ANEW = "leave_one_out() of it evaluates it anew and needs no gradient."
EPSILON = float(np.finfo(np.float64).eps)
TRUST = 1e-5  # relative distance up to which the two derivatives count as the same


@dataclass(frozen=True, eq=False, repr=False)
class Gradient(ShortRepr):
    """A gradient, shape (p, m), with an estimate of its largest error over the coefficients, shape (m,).

    Errors are in units of one `scale`: rounding for a complex step, else the change at half the step length.
    """

    value: FloatArray
    error: FloatArray
    method: str  # "complex step" or "differences"


def gradient_of(function: Callable[[Any], Any], theta: FloatArray, scale: FloatArray) -> Gradient:
    """Return the gradient at theta, by complex steps where they agree with differences, else by those."""
    # An absolute value, a comparison or a real part inside the function makes the two differ.
    coarse = _columns(differenced(function, theta, scale, argument=FUNCTION, instead=ANEW), theta)
    complex_step = _complex_step(function, theta, scale)
    size = np.abs(coarse * scale[:, None]).max(axis=0)
    if complex_step is not None and complex_step.shape == coarse.shape:
        apart = np.abs((complex_step - coarse) * scale[:, None]).max(axis=0)
        here = np.abs(np.atleast_1d(np.asarray(function(theta.copy()), dtype=np.float64)))
        # Five-point differences carry about 1e4 epsilons of the function where its slope is nearly 0.
        if np.all(apart <= TRUST * size + 1e4 * EPSILON * here):
            return Gradient(complex_step, 10.0 * EPSILON * size, "complex step")
    with unsaid():  # the coarse differences have said it
        fine = _columns(differenced(function, theta, scale / 2.0, argument=FUNCTION), theta)
    return Gradient(coarse, np.abs((fine - coarse) * scale[:, None]).max(axis=0), "differences")


def _columns(gradient: FloatArray, theta: FloatArray) -> FloatArray:
    return np.asarray(gradient).reshape(len(theta), -1)


def _complex_step(function: Callable[[Any], Any], theta: FloatArray, scale: FloatArray) -> FloatArray | None:
    """Return the gradient, shape (p, m), or None where the function takes no complex numbers."""
    rows = []
    for j in range(len(theta)):
        moved = theta.astype(np.complex128)
        step = COMPLEX_STEP * scale[j]
        moved[j] += 1j * step
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # a discarded imaginary part is a warning
                result = np.atleast_1d(np.asarray(function(moved)))
        except Exception:  # noqa: BLE001  whatever the caller's function does not like about it
            return None
        if result.dtype.kind != "c" or result.ndim != 1 or not np.isfinite(result).all():
            return None
        rows.append(result.imag / step)
    return np.asarray(rows)
