"""Derivatives by differences, those of a caller's function of theta in the units of each coefficient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.input.validation import FloatArray, check_finite, numeric_array
from influstat.input.warning import doubt
from influstat.numerics.watched import called

EPSILON = float(np.finfo(np.float64).eps)
STEP = EPSILON ** (1 / 5)  # where truncation, of order step^4, and rounding, eps / step, are alike
LEAST = 2.0**-30  # of theta_j: a shorter step would be lost in its digits
AGREEMENT = 1e-3  # two step lengths of a smooth function agree to about step^2 = 1e-6


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
