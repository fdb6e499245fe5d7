"""A row's loss is its own: one that looks at other rows, or writes to what it is given, is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument, InvalidType, Unsupported
from influstat.input.validation import FloatArray
from influstat.losses.agreeing import require_agreeing
from influstat.losses.numerical import NumericalLoss
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
