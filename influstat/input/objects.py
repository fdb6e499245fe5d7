"""Numbers that an array or column holds as objects: ints, Fractions, Decimals, missing values among them."""

from __future__ import annotations

import math
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument

LARGEST_EXACT_INTEGER = 2**53


def first_other(entries: Any) -> int | None:
    """Return the position of the first entry that is neither a number nor missing, None where all are."""
    values = np.asarray(entries, dtype=object).ravel().tolist()
    others = {kind for kind in set(map(type, values)) if not _is_number(kind)}
    return next((k for k, one in enumerate(values) if type(one) in others), None) if others else None


def numbers_in(argument: str, entries: Any) -> NDArray[np.float64] | None:
    """Return the entries as the nearest float64, None and pandas.NA as nan; None where one is no number.

    Returns
    -------
    ndarray of float64, of the same shape, or None

    Examples
    --------
    >>> from fractions import Fraction
    >>> numbers_in("y", np.array([Decimal("0.1"), Fraction(1, 4), 2, None], dtype=object))
    array([0.1 , 0.25, 2.  ,  nan])
    """
    array = np.asarray(entries, dtype=object)
    if first_other(array) is not None:
        return None
    values = array.ravel().tolist()
    floats = np.array([_nearest(argument, value) for value in values], dtype=np.float64)
    return floats.reshape(array.shape)


def check_exact_integers(argument: str, array: NDArray[Any]) -> None:
    """Raise for an integer that float64 does not keep: its neighbours would become the same number."""
    if array.size:
        _require_kept(argument, max(int(array.max()), -int(array.min())))


def _require_kept(argument: str, size: int | Decimal) -> None:
    if size > LARGEST_EXACT_INTEGER:
        raise InvalidArgument(
            argument,
            "hold integers that float64 keeps exactly (at most 2**53)",
            f"holds one of size {size}",
            "Rescale or centre it before the fit.",
        )


def _is_number(kind: type) -> bool:
    missing = kind is type(None) or kind.__name__ == "NAType"  # pandas.NA, without a need for pandas
    return missing or issubclass(kind, (Real, Decimal, np.bool_))


def _nearest(argument: str, value: Any) -> float:
    """Return a number of Python as float64, nan where it is missing."""
    if not isinstance(value, (Real, Decimal, np.bool_)):
        return math.nan
    if isinstance(value, Decimal) and not value.is_finite():
        return math.nan if value.is_nan() else float(value)  # a signalling nan is no number for float
    if isinstance(value, Decimal):
        if value == value.to_integral_value():  # a database gives its integers as such
            _require_kept(argument, value.copy_abs())
    elif not isinstance(value, (float, np.floating, np.bool_)) and value % 1 == 0:
        whole: Any = value
        _require_kept(argument, abs(int(whole)))
    try:
        return float(value)
    except OverflowError:  # a Fraction beyond float64
        return math.inf
