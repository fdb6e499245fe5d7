"""A row's loss is its own: one that looks at other rows, or writes to what it is given, is refused.

And each derivative is that of the function below it: a wrong `second` moves no minimum, so that nothing but
removals would be wrong. At 16 places extrapolated differences see it, on entry; `checks.check_loss` looks at
thousands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, InvalidType, Unsupported
from influstat.input.validation import FloatArray
from influstat.losses.numerical import NumericalLoss
from influstat.numerics.derivatives import NEAR, Derivative, noise, ridders
from influstat.numerics.watched import WHOLE, staircase

SAMPLE = 64  # rows that are looked at
ALIKE = 1e-6  # relative: differenced derivatives keep seven digits; a mean or a spread differs in the first
NAMES = ("value", "first", "second")
PARTS = (slice(0, 1), slice(0, None, 2), slice(1, None, 3))
CAUSES = (
    "Usual causes: a mean (or a division by len(y)) in place of the losses; statistics of the rows in the "
    "call, such as np.std(y), ranks or class weights. Compute these once from the training rows, before the "
    "loss is made, and return one loss per row: removals, test rows and blocks call it with other rows. An "
    "array with a number for each training row is none of the loss: factors go into weights=, shifts of eta "
    "into offset=, and with other ones it is an ist.BlackBoxRisk."
)
PLACES = 8  # near eta = 0, and as many near the targets
KNOWN = 1e-3  # relative error of a difference that judges
WRONG = 1e-2  # relative difference of a derivative that is another: differenced ones have seven digits
ALIKE, APART = 1e-12, 1e-9  # of the largest target: a spread that is rounding, and one that is none
CLOSER = 1e-2  # times the first step: a second look, where the first has found another derivative
ULPS = 1e-15  # of eta, in whose steps a function's noise is looked at: a few of its last digit
FEWEST, SHARE = 4, 0.25  # places that have to agree on it: at a kink one alone may be seen wrongly
PAIRS = (("value", "first"), ("first", "second"))


def other_rows_matter(loss: Any, y: FloatArray, eta: FloatArray) -> tuple[str, int] | None:
    """Return a method whose result for a row needs the rows beside it, and the row; None if none does."""
    for name in _methods(loss):
        function = getattr(loss, name)
        with np.errstate(all="ignore"):  # these predictors need not lie where the loss is finite
            try:
                whole, again = (np.asarray(function(y, eta), dtype=np.float64) for _ in range(2))
            except Exception:  # noqa: BLE001  what a wrong loss raises is told where it is used
                return None
            if whole.shape != y.shape or not np.array_equal(whole, again, equal_nan=True):
                return None  # or random: other faults, told where it is used
            for rows in PARTS:
                same = _alike(function, y[rows], eta[rows], whole[rows], ALIKE * _typical(whole))
                if not same.all():
                    return name, int(np.arange(len(y))[rows][np.argmin(same)])
    return None


def _methods(loss: Any) -> tuple[str, ...]:
    """Return the names of what is looked at: what is computed from the value mixes rows where that does."""
    return NAMES[:1] if isinstance(loss, NumericalLoss) else NAMES


def _alike(function: Any, y: FloatArray, eta: FloatArray, wanted: FloatArray, room: float) -> Any:
    """Return for which rows a method gives what it gave them among others; none where it takes no fewer."""
    try:
        part = np.asarray(function(y, eta), dtype=np.float64)
    except Exception:  # noqa: BLE001  such as that of arrays that do not fit
        return np.zeros(len(y), dtype=np.bool_)
    if part.shape != y.shape:
        return np.zeros(len(y), dtype=np.bool_)
    if np.array_equal(part, wanted):
        return np.ones(len(y), dtype=np.bool_)  # nearly always, and ten times faster to see
    return np.isclose(part, wanted, rtol=ALIKE, atol=room, equal_nan=True)


def _takes(loss: Any, y: FloatArray, eta: FloatArray) -> bool:
    """Return whether all methods give one number for each of so many rows."""
    try:
        with np.errstate(all="ignore"):
            return all(np.shape(getattr(loss, name)(y, eta)) == y.shape for name in _methods(loss))
    except Exception:  # noqa: BLE001  as above
        return False


def _require_form(loss: Any, y: FloatArray, eta: FloatArray) -> None:
    """Raise where a method writes to y or eta, which others are given too, or has too few digits."""
    for name in NAMES[:1] if isinstance(loss, NumericalLoss) else (*NAMES, "third"):
        given = y.copy(), eta.copy()
        try:
            with np.errstate(all="ignore"):
                result = np.asarray(getattr(loss, name)(*given))
        except Exception:  # noqa: BLE001  as above
            continue
        if not (np.array_equal(given[0], y) and np.array_equal(given[1], eta)):
            was = f"has a `{name}` that writes to them"
            raise InvalidArgument(
                "loss", "leave y and eta as they are", was, "Work on copies: eta = eta + 0."
            )
        if result.dtype.kind == "c" or (result.dtype.kind == "f" and result.dtype.itemsize < 8):
            was = f"has a `{name}` that returns {result.dtype}"
            remedy = "Compute it in float64: seven digits are too few, and complex numbers are no losses."
            raise InvalidType("loss", "return float64", was, remedy)
        if name == "value" and staircase(result):
            raise InvalidType("loss", "return float64", f"has a `{name}` that returns {result.dtype}", WHOLE)


def _ours(part: Any) -> bool:
    """Tell whether a loss is influstat's, with nothing of the caller's own in it but single numbers."""
    if part is None or isinstance(part, (bool, int, float, str)):
        return True
    if isinstance(part, tuple):
        return all(map(_ours, part))
    ours = type(part).__module__.startswith("influstat.losses.")
    return ours and all(map(_ours, vars(part).values()))


def require_own_rows(loss: Any, y: FloatArray) -> None:
    """Raise where the loss of a row depends on the rows beside it, writes to them, or is not what it says."""
    if _ours(loss):  # twenty calls that are for what a caller has written
        return
    all_rows, y = y, y[:SAMPLE]
    eta = 0.5 * np.cos(np.arange(float(len(y))))
    _require_form(loss, y, eta)
    found = other_rows_matter(loss, y, eta)
    if found is None and len(all_rows) > len(y) and not _takes(loss, y, eta):
        found = ("value", 0) if _takes(loss, all_rows, np.zeros(len(all_rows))) else None
    if found is not None:
        name, row = found
        need = "give each row a loss that depends on its own y and eta only"
        was = f"has a `{name}` of row {row} that changes with the other rows of the call"
        raise InvalidArgument("loss", need, was, CAUSES)
    require_agreeing(loss, all_rows)


def _typical(values: FloatArray) -> float:
    """Return the largest finite size."""
    return float(np.max(np.abs(values[np.isfinite(values)]), initial=0.0))


def where_known(function: Any, y: FloatArray, eta: FloatArray) -> FloatArray:
    """Return function(y, eta), nan where eta is nan: a caller's own function never sees one."""
    unknown = np.isnan(eta)
    if not unknown.any():
        return np.asarray(function(y, eta))
    result = np.full(eta.shape, np.nan)
    known = ~unknown
    result[known] = function(np.broadcast_to(y, eta.shape)[known], eta[known])
    return result


def mean_of(loss: Any) -> Callable[[FloatArray], FloatArray] | None:
    """Return the mean as a function of the linear predictor, nan where that is; None if the loss has none."""
    try:
        loss.mean(np.zeros(1))
    except Unsupported:
        return None
    return lambda eta: where_known(lambda _, known: loss.mean(known), eta, eta)


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
