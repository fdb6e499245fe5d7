"""Calls of a caller's own function: input that it cannot write to, output of a type with enough digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InflustatError, InvalidArgument, InvalidType
from influstat.input.validation import returned_array

WHOLE = (
    "Whole numbers are stairs, without a slope to follow: compute in floats, without .astype(int), // or "
    "rounding, and fill np.zeros(eta.shape), not an array of integers, which cuts off what is put into it."
)


def watched(name: str, function: Callable[..., Any], **arrays: NDArray[Any]) -> NDArray[Any]:
    """Return what the function gives for these arrays, as an array, or raise where it writes to them."""
    views = [np.asarray(array).view() for array in arrays.values()]
    for view in views:
        view.flags.writeable = False
    return returned_array(name, called(name, function, **dict(zip(arrays, views, strict=True))))


def called(name: str, function: Callable[..., Any], **arrays: NDArray[Any]) -> Any:
    """Return what the function gives, or raise an error that names it where it raises one of its own."""
    try:
        return function(*arrays.values())
    except InflustatError:
        raise
    except TypeError as error:  # the new error is a TypeError too, or a ValueError: callers may catch it
        raise InvalidType(name, *_failed(arrays, error)) from error
    except (ValueError, OverflowError) as error:
        if "read-only" not in str(error):
            raise InvalidArgument(name, *_failed(arrays, error)) from error
        last, one = list(arrays)[-1], len(arrays) == 1
        raise InvalidArgument(
            name,
            f"leave {' and '.join(arrays)} as {'it is' if one else 'they are'}",
            f"writes to {'it' if one else 'them'}",
            f"Work on {'a copy' if one else 'copies'}: {last} = {last} + 0.",
        ) from error


def _failed(arrays: dict[str, Any], error: Exception) -> tuple[str, str, str]:
    """Return need, value and remedy of a function that raises an error of its own for these arrays."""
    given = ", ".join(f"{argument} of shape {np.shape(array)}" for argument, array in arrays.items())
    need = f"be a function that takes {given}"
    return need, f"raises {type(error).__name__}: {error}", "Its own lines stand above in the traceback."


def staircase(values: NDArray[Any]) -> bool:
    """Tell whether losses are whole numbers of several sizes: whatever they fell to, they have no slope."""
    # One value alone may be Python's, as of rows in a list that all have max(0, ...).
    return values.dtype.kind in "iub" and bool(values.size) and values.min() != values.max()


def float64(name: str, result: NDArray[Any], *, complex_allowed: bool) -> NDArray[Any]:
    """Return the result as float64, or as complex128 where that is allowed, else raise."""
    kind = result.dtype.kind
    if kind not in "fiubc" or (kind == "c" and not complex_allowed):
        raise InvalidType(name, "return real numbers", f"returned {result.dtype}", "Correct it.")
    if result.dtype.itemsize < 8 and kind in "fc":
        remedy = "Seven digits are too few for second derivatives: compute in float64."
        raise InvalidType(name, "return float64", f"returned {result.dtype}", remedy)
    with np.errstate(over="ignore"):  # a longdouble beyond float64 becomes inf
        return result if kind == "c" else result.astype(np.float64, copy=False)


def sloped(name: str, result: NDArray[Any], *, complex_allowed: bool) -> NDArray[Any]:
    """Return values to be differentiated in the same way, or raise where they are stairs."""
    if staircase(result):
        raise InvalidType(name, "return float64", f"returned {result.dtype}", WHOLE)
    return float64(name, result, complex_allowed=complex_allowed)


def differing(once: NDArray[Any], again: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where two results differ, nan being equal to itself."""
    return np.asarray(~((once == again) | (np.isnan(once) & np.isnan(again))))
