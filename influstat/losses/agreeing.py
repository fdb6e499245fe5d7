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
from influstat.numerics.derivatives import Derivative, ridders

PLACES = 8  # near eta = 0, and as many near the targets
KNOWN = 1e-3  # relative error of a difference that judges
WRONG = 1e-2  # relative difference of a derivative that is another: differenced ones have seven digits
UNSEEN = 1e-10  # of the method below at its largest, over a step: less, as in a bell's tail, is not seen
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
    targets = np.resize(y, 2 * PLACES)
    spread = float(np.std(y))
    spread = spread if spread > 1e-9 * float(np.max(np.abs(y))) else 1.0  # less is rounding of one target
    eta = 0.5 * np.cos(np.arange(2.0 * PLACES))
    eta[PLACES:] = targets[PLACES:] + spread * eta[PLACES:]
    width = np.repeat([min(1.0, spread), spread], PLACES)
    for below, name in PAIRS:
        try:
            with np.errstate(all="ignore"):  # these predictors need not lie where the loss is finite
                given = np.array(getattr(loss, name)(targets, eta), dtype=np.float64)
                wanted, judges = _differences(getattr(loss, below), targets, eta, width, given)
                apart = np.abs(given - wanted)
                wrong = judges & (apart > WRONG * (np.abs(given) + np.abs(wanted)))
                wrong &= apart > UNSEEN * _sizes(getattr(loss, below)(targets, eta)) / width
        except Exception:  # noqa: BLE001  what a wrong loss raises is told where it is used
            return None
        if wrong.sum() >= max(FEWEST, SHARE * judges.sum()):
            at = int(np.argmax(wrong))
            return below, name, float(given[at]), float(wanted[at]), float(targets[at]), float(eta[at])
    return None


def _sizes(values: FloatArray) -> FloatArray:
    """Return the largest finite size near 0, and that near the targets, at each place."""
    sizes = np.where(np.isfinite(values), np.abs(values), 0.0).reshape(2, PLACES).max(axis=1)
    return np.repeat(sizes, PLACES)


def _differences(
    function: Any, y: FloatArray, eta: FloatArray, width: FloatArray, given: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return differences of a method, and whether they are known well enough to judge by."""

    def near(half: slice) -> Derivative:
        at, target = eta[half], y[half]
        return ridders(
            lambda r, rows: np.array(function(target[rows], at[rows] + r)),  # its own array may change
            1,
            n=PLACES,
            width=float(width[half][0]),
            size=np.abs(at),
        )

    found = near(slice(0, PLACES)), near(slice(PLACES, None))
    wanted, error = (np.concatenate([getattr(one, part) for one in found]) for part in ("value", "error"))
    return wanted, np.isfinite(given) & (error < KNOWN * (np.abs(wanted) + np.abs(given)))
