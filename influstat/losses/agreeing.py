"""A look at the derivatives of a loss of a caller's own, on entry: each is that of the one below it.

A wrong `second` moves no minimum, so that nothing but removals would be wrong. At 16 places extrapolated
differences see it; `checks.check_loss` looks at thousands.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.input.validation import FloatArray
from influstat.losses.numerical import NumericalLoss
from influstat.numerics.derivatives import NEAR, Derivative, noise, ridders

PLACES = 8  # near eta = 0, and as many near the targets
KNOWN = 1e-3  # relative error of a difference that judges
WRONG = 1e-2  # relative difference of a derivative that is another: differenced ones have seven digits
ALIKE, APART = 1e-12, 1e-9  # of the largest target: a spread that is rounding, and one that is none
CLOSER = 1e-2  # times the first step: a second look, where the first has found another derivative
ULPS = 1e-15  # of eta, in whose steps a function's noise is looked at: a few of its last digit
FEWEST, SHARE = 4, 0.25  # places that have to agree on it: at a kink one alone may be seen wrongly
PAIRS = (("value", "first"), ("first", "second"))


def require_agreeing(loss: Any, y: FloatArray) -> None:
    """Raise where `first` is not the derivative of `value`, or `second` that of `first`."""
    found = disagreeing(loss, y)
    if found is not None:
        below, name, given, wanted, target, eta = found
        raise InvalidArgument(
            "loss",
            f"have a `{name}` that is the derivative of its `{below}` in eta",
            f"has a `{name}` of {given:.6g} where differences of `{below}` give {wanted:.6g} "
            f"(y = {target:.6g}, eta = {eta:.6g})",
            "Correct it, or leave derivatives to ist.NumericalLoss; ist.checks.check_loss(loss) judges all.",
        )


def disagreeing(loss: Any, y: FloatArray) -> tuple[str, str, float, float, float, float] | None:
    """Return two methods, what the second gives and should give, and y and eta there; None if all agree."""
    targets, spread = np.resize(y, 2 * PLACES), _spread(y)
    eta = 0.5 * np.cos(np.arange(2.0 * PLACES))
    eta[PLACES:] = targets[PLACES:] + spread * eta[PLACES:]
    for below, name in PAIRS:
        if getattr(type(loss), name, None) is getattr(NumericalLoss, name):  # computed from the one below
            continue
        try:
            with np.errstate(all="ignore"):  # these predictors need not lie where the loss is finite
                given = np.array(getattr(loss, name)(targets, eta), dtype=np.float64)
                wrong, wanted = _wrong(_anew(getattr(loss, below)), targets, eta, spread, given)
        except Exception:  # noqa: BLE001  what a wrong loss raises is told where it is used
            return None
        if wrong.any():
            at = int(np.argmax(wrong))
            return below, name, float(given[at]), float(wanted[at]), float(targets[at]), float(eta[at])
    return None


def _anew(function: Any) -> Any:
    """Return the function with results of their own: a loss may answer in one array again and again."""
    return lambda y, eta: np.array(function(y, eta))


def _spread(y: FloatArray) -> float:
    """Return the standard deviation of the targets, or a distance that their digits can tell."""
    # The mean of numbers that are all alike is rounded: so small a deviation is none.
    size = float(np.max(np.abs(y), initial=0.0))
    spread = size * float(np.std(y / size)) if size else 0.0
    return spread if spread > ALIKE * size else max(1.0, APART * size)


def _wrong(
    function: Any, y: FloatArray, eta: FloatArray, spread: float, given: FloatArray
) -> tuple[NDArray[np.bool_], FloatArray]:
    """Return where what a method gives is another derivative, nowhere if at few places, and differences."""
    wrong = np.ones(len(eta), dtype=np.bool_)
    wanted = np.full(len(eta), np.nan)
    for part in (1.0, CLOSER):  # two wide steps over a kink may say the same, as if it were a slope
        wanted, judges = _differences(function, y, eta, (part * min(1.0, spread), part * spread), given)
        apart = np.abs(given - wanted)
        wrong &= judges & (apart > WRONG * (np.abs(given) + np.abs(wanted)))
        if wrong.sum() < max(FEWEST, SHARE * judges.sum()):
            return np.zeros_like(wrong), wanted
    return wrong, wanted


def _differences(
    function: Any, y: FloatArray, eta: FloatArray, widths: tuple[float, float], given: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return differences of a method, and whether they are known well enough to judge by."""

    def near(half: slice, width: float) -> Derivative:
        at, target = eta[half], y[half]
        size = np.abs(at)
        # A value may be a small difference of large numbers, which its own size does not tell.
        rounding = noise(lambda r: function(target, at + r), step=np.maximum(NEAR * width, ULPS * size))
        return ridders(
            lambda r, rows: function(target[rows], at[rows] + r),
            1,
            n=PLACES,
            width=width,
            size=size,
            rounding=rounding,
        )

    found = near(slice(0, PLACES), widths[0]), near(slice(PLACES, None), widths[1])
    wanted, error = (np.concatenate([getattr(one, part) for one in found]) for part in ("value", "error"))
    return wanted, np.isfinite(given) & (error < KNOWN * (np.abs(wanted) + np.abs(given)))
