"""Derivatives of a caller's function of theta, in the units of each coefficient.

By a complex step where that is right, else by differences.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.input.printing import ShortRepr
from influstat.input.validation import FloatArray, check_finite, numeric_array
from influstat.input.warning import doubt, unsaid
from influstat.numerics.watched import called

EPSILON = float(np.finfo(np.float64).eps)
STEP = EPSILON ** (1 / 5)  # where truncation, of order step^4, and rounding, eps / step, are alike
LEAST = 2.0**-30  # of theta_j: a shorter step would be lost in its digits
AGREEMENT = 1e-3  # two step lengths of a smooth function agree to about step^2 = 1e-6
COMPLEX_STEP = 1e-30  # of the coefficient's scale: its square is far below rounding
FUNCTION = "function"  # what callers call it
ANEW = "leave_one_out() of it evaluates it anew and needs no gradient."
TRUST = 1e-5  # relative distance up to which the two derivatives count as the same


def slope(function: Callable[[Any], Any], x: Any) -> Any:
    """Return the derivative of a function of every x by a five-point difference, to about 12 digits."""
    step = STEP * np.maximum(1.0, np.abs(x))
    near = function(x + step) - function(x - step)
    far = function(x + 2.0 * step) - function(x - 2.0 * step)
    return (8.0 * near - far) / (12.0 * step)


def differenced(
    function: Callable[[FloatArray], Any],
    theta: FloatArray,
    scale: FloatArray,
    *,
    argument: str = "gradient",
    instead: str = "Pass its gradient instead.",  # what can be done about a function that is not smooth
) -> FloatArray:
    """Return the gradient at theta of a number or m numbers, (p,) or (p, m), by five-point differences."""
    # Steps are 7e-4 of `scale`, how far each coefficient must move to matter: units change nothing.
    here = _checked(argument, called(argument, function, theta=theta.copy()))
    rows: list[FloatArray] = []
    doubtful: list[int] = []
    for j in range(len(theta)):
        step = max(STEP * scale[j], LEAST * abs(theta[j]))
        near, far = (_Pair(argument, function, theta, here, j, many * step) for many in (1.0, 2.0))
        rows.append((4.0 * near.slope - far.slope) / 3.0)
        size = np.maximum(np.abs(near.slope), np.abs(far.slope))
        rounding = 100.0 * EPSILON * np.maximum(near.size, far.size) / step
        # Of a smooth function the slopes agree, and the bend grows in proportion to the step.
        jump = np.abs(near.slope - far.slope) > AGREEMENT * size + rounding
        kink = np.abs(far.bend - 2.0 * near.bend) > AGREEMENT * np.maximum(np.abs(far.bend), size) + rounding
        if np.any(jump | kink):
            doubtful.append(j)
    if doubtful:
        doubt(
            f"Differences of the function over two step lengths disagree for coefficients {doubtful[:8]}: it "
            f"has a kink or a jump near theta, or too few digits. {instead}",
        )
    return np.asarray(rows)


class _Pair:
    """What q(theta + step) and q(theta - step) along coefficient j say of its slope and its bend."""

    def __init__(
        self,
        argument: str,
        function: Callable[[FloatArray], Any],
        theta: FloatArray,
        here: FloatArray,
        j: int,
        step: float,
    ) -> None:
        right, left = theta.copy(), theta.copy()
        right[j] += step
        left[j] -= step
        half = (right[j] - left[j]) / 2.0  # as rounded
        above, below = (
            _checked(argument, called(argument, function, theta=moved)) for moved in (right, left)
        )
        if not above.shape == below.shape == here.shape:
            raise InvalidArgument(
                argument,
                "return arrays of one shape when it is a function of theta",
                f"returned shapes {here.shape}, {above.shape} and {below.shape}",
                "Return a number, or a vector of fixed length.",
            )
        self.slope = np.asarray((above - below) / (2.0 * half))
        self.bend = np.asarray((above - 2.0 * here + below) / half)
        self.size = np.maximum(np.abs(above), np.abs(below))


def _checked(argument: str, result: Any) -> FloatArray:
    array = np.asarray(numeric_array(argument, result), dtype=np.float64)
    if array.ndim > 1:
        raise InvalidArgument(
            argument,
            "return a number or a vector when it is a function of theta",
            f"returned shape {array.shape}",
            "Flatten what it returns.",
        )
    check_finite(argument, np.atleast_1d(array))
    return array


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
