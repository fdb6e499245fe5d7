"""A row's loss is its own: one that looks at other rows, or writes to what it is given, is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument, Unsupported
from influstat.input.validation import FloatArray
from influstat.losses.numerical import NumericalLoss

SAMPLE = 64  # rows that are looked at
ALIKE = 1e-6  # relative: differenced derivatives keep seven digits; a mean or a spread differs in the first
NAMES = ("value", "first", "second")
PARTS = (slice(0, 1), slice(0, None, 2), slice(1, None, 3))
CAUSES = (
    "Usual causes: a mean (or a division by len(y)) in place of the losses; statistics of the rows in the "
    "call, such as np.std(y), ranks or class weights. Compute these once from the training rows, before the "
    "loss is made, and return one loss per row: removals, test rows and blocks call it with other rows."
)


def other_rows_matter(loss: Any, y: FloatArray, eta: FloatArray) -> tuple[str, int] | None:
    """Return a method whose result for a row changes with the rows beside it, and the row; None if none."""
    # What is computed from the value mixes rows where the value does.
    for name in NAMES[:1] if isinstance(loss, NumericalLoss) else NAMES:
        function = getattr(loss, name)
        with np.errstate(all="ignore"):  # these predictors need not lie where the loss is finite
            try:
                whole, again = (np.asarray(function(y, eta), dtype=np.float64) for _ in range(2))
                parts = [(rows, np.asarray(function(y[rows], eta[rows]), dtype=np.float64)) for rows in PARTS]
            except Exception:  # noqa: BLE001  what a wrong loss raises is told where it is used
                return None
        if not np.array_equal(whole, again, equal_nan=True):
            return None  # random: another fault, told where it is used
        for rows, part in parts:
            if whole.shape != y.shape or part.shape != y[rows].shape:
                return None  # told where it is used
            if np.array_equal(part, whole[rows]):
                continue  # nearly always, and ten times faster to see
            same = np.isclose(part, whole[rows], rtol=ALIKE, atol=ALIKE * _typical(whole), equal_nan=True)
            if not same.all():
                return name, int(np.arange(len(y))[rows][np.argmin(same)])
    return None


def _writer(loss: Any, y: FloatArray, eta: FloatArray) -> str | None:
    """Return a method that writes to y or eta, which others are given too; None if none does."""
    for name in NAMES[:1] if isinstance(loss, NumericalLoss) else (*NAMES, "third"):
        given = y.copy(), eta.copy()
        try:
            with np.errstate(all="ignore"):
                getattr(loss, name)(*given)
        except Exception:  # noqa: BLE001  as above
            continue
        if not (np.array_equal(given[0], y) and np.array_equal(given[1], eta)):
            return name
    return None


def _ours(part: Any) -> bool:
    """Tell whether a loss is one of influstat's, without anything of the caller's own but numbers in it."""
    if part is None or isinstance(part, (bool, int, float, str, np.ndarray)):
        return True
    if isinstance(part, tuple):
        return all(map(_ours, part))
    ours = type(part).__module__.startswith("influstat.losses.")
    return ours and all(map(_ours, vars(part).values()))


def require_own_rows(loss: Any, y: FloatArray) -> None:
    """Raise where the loss of a row depends on the rows beside it, or a method writes to them."""
    if _ours(loss):  # twenty calls that are for what a caller has written
        return
    y = y[:SAMPLE]
    eta = 0.5 * np.cos(np.arange(float(len(y))))
    writer = _writer(loss, y, eta)
    if writer is not None:
        was = f"has a `{writer}` that writes to them"
        raise InvalidArgument("loss", "leave y and eta as they are", was, "Work on copies: eta = eta + 0.")
    found = other_rows_matter(loss, y, eta)
    if found is not None:
        name, row = found
        need = "give each row a loss that depends on its own y and eta only"
        was = f"has a `{name}` of row {row} that changes with the other rows of the call"
        raise InvalidArgument("loss", need, was, CAUSES)


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
