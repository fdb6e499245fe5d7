"""Derivatives of a function of one displacement, elementwise, each with an estimate of its own error.

`ridders` halves the step of central differences and extrapolates (Ridders 1982, Advances in Engineering
Software 4). `complex_step` (Squire and Trapp 1998, SIAM Review 40) takes the first derivative from the
imaginary part, and `half_circle` higher ones from the imaginary parts on a half circle (Lyness and Moler
1967, SIAM Journal on Numerical Analysis 4): no difference of near numbers, so almost all digits stay.
The last two need an analytic function that takes complex numbers (`takes_complex`).

In all of them f has `n` entries and bends over a displacement of `width`, the first step; `size`, a number
or shape (n,), is that of what r is added to, since that sum is rounded.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np
from numpy.exceptions import ComplexWarning
from numpy.typing import NDArray

from influstat.input.validation import FloatArray

EPSILON = float(np.finfo(np.float64).eps)
STEP = 1e-30  # of the complex step: its square is nothing beside 1
LEVELS = 34  # halvings of the first step: down to 1e-10 of the width
COLUMNS = 6  # extrapolations: the error of the last is of order h^14
POINTS = 24  # on the half circle
NEAR = 1e-9  # of the width: steps over which a function changes by its slope and its rounding alone
NOISE_ROOT = 30.4  # sqrt(924): how much sixth differences enlarge independent noise
SAFETY = 4.0  # what is returned as error, over the estimate by which the step was chosen

Displaced = Callable[[Any, Any], NDArray[Any]]  # f(r, rows): values at displacement r of the chosen entries
Pair = tuple[FloatArray, FloatArray]


@dataclass(frozen=True)
class Derivative:
    """Derivatives and what they may be wrong by, shape (n,) each: nan and inf where nothing can be told."""

    value: FloatArray
    error: FloatArray


def ridders(
    function: Displaced, order: int, *, n: int, width: float = 1.0, size: Any = 0.0, rounding: Any = 0.0
) -> Derivative:
    """Return the derivative of order 1, 2 or 3 at displacement 0 by extrapolated differences, shape (n,)."""
    best = _Best(n)
    size = np.broadcast_to(np.asarray(size, dtype=np.float64), (n,))
    # Absolute, where that of f is known to be more than that of its result (see `noise`).
    rounding = np.broadcast_to(np.asarray(rounding, dtype=np.float64), (n,))
    centre = _evaluate(function, 0.0, best.rows)
    outer = _pair(function, 2.0 * width, best.rows) if order == 3 else (centre, centre)
    previous: list[FloatArray] = []
    for level in range(LEVELS):
        h = width * 0.5**level
        pair = _pair(function, h, best.rows)
        with np.errstate(all="ignore"):
            floor = _rounding(order, h, pair, size[best.rows]) + 4.0 * rounding[best.rows] / h**order
            current = [_difference(order, h, pair, centre[best.rows], outer)]
            for column, coarser in enumerate(previous[:COLUMNS], start=1):
                finer = current[-1]
                current.append(finer + (finer - coarser) / (4.0**column - 1.0))
                change = np.maximum(np.abs(current[-1] - finer), np.abs(current[-1] - coarser))
                best.offer(current[-1], change + floor)
            keep = best.retire(2.0**order * floor)
        if not keep.any():
            break
        previous = [entry[keep] for entry in current]
        outer = (pair[0][keep], pair[1][keep])
    return best.result()


def complex_step(function: Displaced, *, n: int, width: float = 1.0, size: Any = 0.0) -> Derivative:
    """Return the first derivative at 0, shape (n,), from three evaluations at imaginary displacements."""
    # So near that the derivative changes by its slope alone, so far that eta + r still moves in its digits.
    rows, near = np.arange(n), 1e-8 * width
    left, value, right = (_evaluate(function, r + 1j * STEP, rows).imag / STEP for r in (-near, 0.0, near))
    with np.errstate(all="ignore"):
        bend = np.abs((right - value) - (value - left))
        rounding = EPSILON * (2.0 * np.abs(value) + size * np.abs(right - left) / near)
    return Derivative(value, SAFETY * (bend + rounding))


def half_circle(
    function: Displaced, order: int, *, n: int, width: float = 1.0, size: Any = 0.0
) -> Derivative:
    """Return a higher derivative at 0, shape (n,), from imaginary parts on half circles around it."""
    best = _Best(n)
    size = np.broadcast_to(np.asarray(size, dtype=np.float64), (n,))
    angles = (np.arange(POINTS) + 0.5) * np.pi / POINTS
    waves = np.sin(np.outer(np.arange(1, POINTS + 1), angles)) * (2.0 / POINTS)
    waves[-1] *= 0.5
    for level in range(LEVELS):
        radius = width * 0.5**level
        samples = np.array([_evaluate(function, radius * z, best.rows).imag for z in np.exp(1j * angles)])
        with np.errstate(all="ignore"):
            terms = waves @ samples  # a_m radius^m of the Taylor series, m = 1 .. POINTS
            scale = factorial(order) / radius**order
            largest = np.max(np.abs(terms), axis=0)
            last = np.max(np.abs(terms[-3:]), axis=0)  # what is left out is smaller; else it is rounding
            floor = scale * EPSILON * (largest + size[best.rows] / radius * np.abs(terms[1]))
            best.offer(scale * terms[order - 1], scale * last + floor)
            keep = best.retire(2.0 ** (order - 1) * floor)
        if not keep.any():
            break
    return best.result()


def takes_complex(function: Displaced, *, n: int, width: float = 1.0, size: Any = 0.0) -> bool:
    """Return whether complex displacements give the first derivative that differences give."""
    # A function may take complex numbers and yet not mean it: np.abs of them is their modulus.
    # Central differences err by h^2 and EPSILON / h: 1e-10 and 1e-11 here, a hundredth of the tolerance.
    rows, h = np.arange(n), 1e-5 * width
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ComplexWarning)
            moved = _evaluate(function, 1j * STEP, rows)
            above, below = _pair(function, h, rows)
    except (TypeError, ValueError, ArithmeticError, NotImplementedError, ComplexWarning):
        return False
    exact = moved.imag / STEP
    if moved.dtype.kind != "c" or not np.isfinite(exact).all():
        return False
    with np.errstate(all="ignore"):
        rough = (above - below) / (2.0 * h)
        tolerance = 1e-8 * (np.abs(exact) + np.abs(rough)) + 1e-9 * (1.0 + np.abs(moved.real)) / width
    doubtful = np.flatnonzero(~(np.abs(exact - rough) <= tolerance))
    if not doubtful.size:
        return True
    size = np.broadcast_to(np.asarray(size, dtype=np.float64), (n,))[doubtful]
    near = ridders(lambda r, part: function(r, doubtful[part]), 1, n=doubtful.size, width=width, size=size)
    # The error that extrapolation reports is an estimate: six digits are enough to tell a wrong derivative.
    return bool(np.all(np.abs(near.value - exact[doubtful]) <= near.error + 1e-6 * np.abs(near.value)))


def jumps(
    function: Displaced, order: int, *, n: int, width: float = 1.0, typical: Any = 0.0
) -> NDArray[np.bool_]:
    """Return where the derivative of this order (1 or 2) jumps at displacement 0, shape (n,)."""
    rows = np.arange(n)
    # Central differences are blind to a jump. The gap between both sides falls with the distance without one.
    # Rounding enters as EPSILON / h^order, a smooth function's gap as h: both are far below 1e-4 then.
    h = {1: 1e-6, 2: 1e-3}[order] * width
    with np.errstate(all="ignore"):
        far, near = (_one_sided_gap(function, order, h / part, rows) for part in (1.0, 8.0))
        size = np.max(np.abs(_pair(function, width, rows)), axis=0)
        size = np.maximum(np.where(np.isfinite(size), size, 0.0), np.abs(_evaluate(function, 0.0, rows)))
        # At an eighth of the distance a smooth gap is an eighth, a jump the same; jumps of 1e-4 are seen.
        found = np.asarray((near > 0.5 * far) & (near > 1e-4 * size / width**order))
        suspects = rows[found]
        if suspects.size:  # log(1 + e^x) keeps few digits where it is small: that is noise and no jump
            scatter = noise(lambda r: _evaluate(function, r, suspects), step=NEAR * width)
            # Of the size of f elsewhere: where log(1 + e^x) is nearly 0 it is a staircase in steps of 1's.
            elsewhere = np.broadcast_to(np.asarray(typical, dtype=np.float64), (n,))[suspects]
            scatter = np.maximum(scatter, EPSILON * np.maximum(np.median(size), elsewhere))
            # Up to four values with one deviation each, four deviations away.
            found[suspects] = near[found] > 16.0 * scatter / (h / 8.0) ** order
    return found


def noise(function: Callable[[Any], Any], *, step: Any) -> FloatArray:
    """Return the rounding noise of each entry of f(r) near r = 0, shape (n,), as a standard deviation."""
    # Hamming 1971, chapter 6. The step is so short that the sixth derivative times step^6 is nothing.
    samples = np.array([np.asarray(function(k * step), dtype=np.float64) for k in range(-4, 5)])
    differences = np.diff(samples, n=6, axis=0)
    return np.asarray(np.sqrt(np.mean(differences**2, axis=0)) / NOISE_ROOT)


def _one_sided_gap(function: Displaced, order: int, h: float, rows: NDArray[np.intp]) -> FloatArray:
    """Return the derivative at the right minus the one at the left, within h, or half of it."""
    above, below = _pair(function, h, rows)
    if order == 1:
        centre = _evaluate(function, 0.0, rows)
        return np.asarray(np.abs((above - centre) - (centre - below)) / h)
    outer = _pair(function, 2.0 * h, rows)
    return np.asarray(np.abs((outer[0] - outer[1]) - 2.0 * (above - below)) / (2.0 * h**2))


class _Best:
    """The best value of every entry so far; entries that cannot get better are no longer asked for."""

    def __init__(self, n: int) -> None:
        self.value = np.full(n, np.nan)
        self.error = np.full(n, np.inf)
        self.rows = np.arange(n)

    def offer(self, value: FloatArray, error: FloatArray) -> None:
        """Take the values of the active rows where their error is the smaller one."""
        better = error < self.error[self.rows]  # False for nan
        rows = self.rows[better]
        self.value[rows], self.error[rows] = value[better], error[better]

    def retire(self, next_floor: FloatArray) -> NDArray[np.bool_]:
        """Keep the rows whose error is above what rounding will do at the next step; return which."""
        keep = ~(self.error[self.rows] <= next_floor)
        self.rows = self.rows[keep]
        return np.asarray(keep)

    def result(self) -> Derivative:
        """Return the values with the error estimates enlarged."""
        return Derivative(self.value, SAFETY * self.error)


def _evaluate(function: Displaced, displacement: complex, rows: NDArray[np.intp]) -> NDArray[Any]:
    """Return f there, without the warnings of a function that is asked where it may not exist."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(overflow|invalid|divide|underflow)", RuntimeWarning)
        return np.asarray(function(displacement, rows))


def _pair(function: Displaced, h: float, rows: NDArray[np.intp]) -> Pair:
    return _evaluate(function, h, rows), _evaluate(function, -h, rows)


def _difference(order: int, h: float, pair: Pair, centre: FloatArray, outer: Pair) -> FloatArray:
    """Return the central difference of this order, error O(h^2); `outer` is the pair at 2 h."""
    above, below = pair
    if order == 1:
        return np.asarray((above - below) / (2.0 * h))
    if order == 2:
        return np.asarray(((above - centre) - (centre - below)) / h**2)
    return np.asarray(((outer[0] - outer[1]) - 2.0 * (above - below)) / (2.0 * h**3))


def _rounding(order: int, h: float, pair: Pair, size: FloatArray) -> FloatArray:
    """Return what rounding of f and of its argument does to the difference."""
    above, below = pair
    largest = np.maximum(np.abs(above), np.abs(below))
    slope = np.abs(above - below) / (2.0 * h)
    return np.asarray({1: 1.0, 2: 4.0, 3: 3.0}[order] * EPSILON * (largest + size * slope) / h**order)
