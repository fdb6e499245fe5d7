"""Turn what a caller passes into plain float64 numbers, vectors and matrices, or say why not.

One rule everywhere: a vector has shape (n,), never (n, 1); nothing is silently cast from text or complex
numbers, and of objects only those that are numbers; nothing non-finite gets through.
"""

from __future__ import annotations

import math
import operator
from numbers import Real
from typing import Any, NoReturn

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, InvalidType
from influstat.input.labels import has_index
from influstat.input.objects import check_exact_integers, first_other, numbers_in
from influstat.input.printing import short
from influstat.input.tables import as_array, as_pandas

FloatArray = NDArray[np.float64]

IN_NEW_ROWS = "This is the new table, not that of the fit: drop the row from it, or fill in the value."


def real_number(
    argument: str,
    value: Any,
    *,
    above: float | None = None,
    at_least: float | None = None,
    or_inf: bool = False,
) -> float:
    """Return `value` as a finite float within its bound, or raise naming `argument`."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise InvalidType(argument, "be a real number", f"is a {type(value).__name__}", "Pass a float.")
    try:
        number = float(value)
    except OverflowError:  # an int beyond float64
        number = math.inf
    if or_inf and value == math.inf:
        return number
    if not math.isfinite(number):
        raise InvalidArgument(argument, "be finite", f"is {number}", "Pass a finite number.")
    if above is not None and not number > above:
        raise InvalidArgument(argument, f"be greater than {above:g}", f"is {number:g}", "Pass a larger one.")
    if at_least is not None and not number >= at_least:
        raise InvalidArgument(argument, f"be at least {at_least:g}", f"is {number:g}", "Pass a larger one.")
    return number


def whole_number(argument: str, value: Any, *, at_least: int, at_most: int | None = None) -> int:
    """Return `value` as an int within its bounds, or raise naming `argument`."""
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise InvalidType(
            argument, "be a whole number", f"is a {type(value).__name__}", "Pass an int."
        ) from None
    if number < at_least:
        raise InvalidArgument(argument, f"be at least {at_least}", f"is {number}", "Pass a larger one.")
    if at_most is not None and number > at_most:
        raise InvalidArgument(argument, f"be at most {at_most}", f"is {short(number)}", "Pass a smaller one.")
    return number


def choice(argument: str, value: Any, allowed: tuple[Any, ...]) -> Any:
    """Return `value` if it is one of `allowed`, or raise naming `argument`."""
    value = value.item() if isinstance(value, (np.str_, np.bool_)) else value
    if not any(type(value) is type(option) and value == option for option in allowed):
        names = " or ".join(repr(option) for option in allowed)
        raise InvalidArgument(argument, f"be {names}", f"is {short(value)}", "Pass one of these.")
    return value


def any_array(argument: str, value: Any) -> NDArray[Any]:
    """Return `value` as an array of whatever it holds, or raise naming `argument` where it is ragged."""
    if value is None:
        raise InvalidType(argument, "be an array", "is None", "Pass one.")
    _require_unmasked(argument, value)
    try:
        return np.asarray(value)
    except (ValueError, TypeError):
        raise InvalidArgument(
            argument, "be a rectangular array", f"is {short(value)}", "Make its rows equally long."
        ) from None


def coefficients(argument: str, theta: Any, p: int) -> FloatArray:
    """Return theta as float64, shape (p,) or (p, k), or raise; nan stands for a fit that there is not."""
    if type(theta) is not np.ndarray or theta.dtype != np.float64:
        theta = np.asarray(numeric_array(argument, theta), dtype=np.float64)
    if theta.ndim not in (1, 2) or theta.shape[0] != p or not theta.size:
        need, remedy = f"have shape ({p},) or ({p}, k)", "One number per coefficient, or k columns of them."
        raise InvalidArgument(argument, need, f"has shape {theta.shape}", remedy)
    if np.isinf(theta).any():
        raise InvalidArgument(argument, "be finite", "holds inf", "Pass coefficients of a fit.")
    return np.asarray(theta)


def vector(argument: str, value: Any, length: int | None = None, *, per: str = "row") -> FloatArray:
    """Return `value` as a finite float64 vector of shape (length,), or raise naming `argument`."""
    array = numeric_array(argument, as_array(argument, value))
    if array.ndim != 1:
        remedy = f"Pass a vector, e.g. np.ravel({argument})." if array.ndim else f"Pass one number per {per}."
        raise InvalidArgument(argument, "be one-dimensional", f"has shape {array.shape}", remedy)
    if length is not None and array.shape[0] != length:
        raise InvalidArgument(
            argument,
            f"have one entry per {per} ({length})",
            f"has {array.shape[0]}",
            f"Pass an array of shape ({length},).",
        )
    result = np.array(array, dtype=np.float64)
    check_finite(argument, result)
    return result


def numeric_array(argument: str, value: Any) -> NDArray[Any]:
    """Return `value` as a real array of its shape, float32 or else float64, or raise naming `argument`."""
    value = as_pandas(argument, value)
    if sp.issparse(value):
        raise InvalidType(argument, "be a dense array", "is scipy.sparse", "Call .toarray() on it.")
    _require_unmasked(argument, value)
    if value is None or isinstance(value, type):
        raise InvalidType(argument, "be an array", f"is {short(value)}", "Pass numbers.")
    if hasattr(value, "dtypes") or hasattr(value, "dtype"):
        value = _from_pandas(argument, value)
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):
        raise InvalidArgument(
            argument, "be a rectangular array", "has rows of different lengths", "Make them equal."
        ) from None
    numbers = numbers_in(argument, array) if array.dtype.kind == "O" and array.ndim else None
    return real_dtype(argument, array, value) if numbers is None else numbers


def _require_unmasked(argument: str, value: Any) -> None:
    """Raise for masked entries, of which NumPy would take what is under the mask."""
    if np.ma.isMaskedArray(value) and np.ma.is_masked(value):
        raise InvalidArgument(
            argument, "have no masked entries", "has some", "Fill them, or drop those rows, before the fit."
        )


def returned_array(argument: str, returned: Any) -> NDArray[Any]:
    """Return what a caller's function returned as an array of its shape, whatever it holds, but not None."""
    if returned is None:
        raise InvalidType(argument, "return an array", "returned None", "Is its `return` missing?")
    return np.asarray(returned)


def real_dtype(argument: str, array: NDArray[Any], given: Any = None) -> NDArray[Any]:
    """Return a real array as float32 or float64, of its shape and digits, or raise naming `argument`."""
    kind = array.dtype.kind
    if array.dtype.names:
        was = f"is a record, or a list of such, with the fields {', '.join(array.dtype.names[:6])}"
        raise InvalidType(argument, "hold real numbers", was, "Pass one array of rows with these fields.")
    if kind == "O" and array.size and isinstance(array.flat[0], dict):
        was = "is a dict" if array.ndim == 0 else "holds dicts"
        remedy = "Make a table or an array of it first, e.g. with pandas.DataFrame."
        raise InvalidType(argument, "hold real numbers", was, remedy)
    if kind not in "fiub":
        what = {"c": "complex", "O": "object", "U": "text", "S": "text"}.get(kind, str(array.dtype))
        raise InvalidType(
            argument,
            "hold real numbers",
            f"has dtype {array.dtype} ({what})",
            "Convert it to numbers first, e.g. with .astype(float) or a dummy coding."
            + _first_of(array, given),
        )
    if array.dtype in (np.float32, np.float64):
        return array
    if kind in "iu":
        check_exact_integers(argument, array)
    with np.errstate(over="ignore"):  # a longdouble beyond float64 becomes inf and is reported as such
        return array.astype(np.float64)


def check_finite(argument: str, array: NDArray[Any]) -> None:
    """Raise if `array` holds nan or inf, naming the first place."""
    place = first_not_finite(array)
    if place is not None:
        row, *column = place or (0,)  # a single number
        raise_not_finite(argument, array[place], row, *column)


def first_not_finite(array: NDArray[Any]) -> tuple[int, ...] | None:
    """Return the index of the first nan or inf, None where every entry is finite."""
    # One reduction tells "all finite" (nan and inf both survive it) without an n x p mask; in the array's own
    # type, since to bring float32 to float64 for it takes three times as long.
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.sum(array)
    if np.isfinite(total):
        return None
    places = np.argwhere(~np.isfinite(array))
    # Finite entries may have a sum that overflows: then there is no such place.
    return tuple(int(index) for index in places[0]) if len(places) else None


def raise_not_finite(
    argument: str,
    value: Any,
    row: int,
    column: int | None = None,
    *,
    names: tuple[Any, Any] = (None, None),
    remedy: str = "Drop or impute such entries.",
) -> NoReturn:
    """Raise for an entry that is nan or inf, naming its place, also by what row and column are called."""
    place = f"row {_numbered(row, names[0])}"
    if column is not None:
        place += f", column {_numbered(column, names[1])}"
    raise InvalidArgument(argument, "be finite", f"holds {value} at {place}", remedy)


def _numbered(position: int, name: Any) -> str:
    """Return a position with the name that it has, if that says more."""
    plain = name.item() if isinstance(name, np.generic) else name
    return str(position) if plain is None or str(plain) == str(position) else f"{position} ({short(plain)})"


def require_two_classes(y: FloatArray, weights: FloatArray) -> None:
    """Raise if the rows of positive weight are all of one class: a classifier has nothing to tell apart."""
    kept = y[weights > 0]
    if (kept == kept[0]).all():
        raise InvalidArgument(
            "y",
            "hold both classes in the rows of positive weight",
            f"holds only {kept[0]:g}",
            "Add rows of the other class. (A LinearRisk of one class, if meant, goes to ist.Fit.minimise.)",
        )


def _first_of(array: NDArray[Any], given: Any) -> str:
    """Say where an array of text or objects holds the first thing that is no number."""
    if array.dtype.kind in "US" and isinstance(given, (list, tuple)):  # where one text made text of all
        array = np.array(given, dtype=object)
    first = first_other(array) if array.dtype.kind in "OUS" and array.ndim else None
    if first is None:
        return ""
    place = np.unravel_index(first, array.shape)
    where = ", ".join(f"{name} {k}" for name, k in zip(("row", "column"), place, strict=False))
    value = array[place] if array.dtype.kind == "O" else array[place].item()
    return f" {short(value)} at {where} is no number."


def _column(value: Any, position: int) -> Any:
    """Return a column of a DataFrame; a Series, index or array of pandas as it is."""
    return value.iloc[:, position] if hasattr(value, "iloc") and hasattr(value, "columns") else value


def _from_pandas(argument: str, value: Any) -> Any:
    """Return the NumPy values of a pandas object (missing values as nan); others unchanged."""
    if not hasattr(value, "to_numpy"):
        return value
    dtypes = list(value.dtypes) if hasattr(value, "columns") else [value.dtype]
    plain = isinstance(dtypes[0], np.dtype) and dtypes[0].kind in "fiub" if dtypes else False
    if plain and len({str(dtype) for dtype in dtypes}) == 1:
        return value.to_numpy()
    objects = dict[int, NDArray[np.float64]]()
    for position, dtype in enumerate(dtypes):
        if getattr(dtype, "kind", "O") not in "fiub":
            objects[position] = _from_objects(argument, value, position, dtype)
        elif dtype.kind in "iu":  # the conversion below would round large ones without a word
            check_exact_integers(argument, _column(value, position).dropna().to_numpy())
    if not objects:
        return value.to_numpy(dtype=np.float64, na_value=np.nan)
    if not hasattr(value, "columns"):
        return objects[0]
    result = np.empty(value.shape)
    for position in range(len(dtypes)):
        column = objects.get(position)
        if column is None:
            column = _column(value, position).to_numpy(dtype=np.float64, na_value=np.nan)
        result[:, position] = column
    return result


def _from_objects(argument: str, value: Any, position: int, dtype: Any) -> NDArray[np.float64]:
    """Return a column of objects that are numbers as such; or raise, naming the first that is none."""
    column = _column(value, position)
    dates = getattr(dtype, "kind", "O") in "mMc"  # or complex numbers: each entry is as wrong as the first
    if not dates and not hasattr(dtype, "categories"):  # levels are none, whatever they are called
        numbers = numbers_in(argument, column)
        if numbers is not None:
            return numbers
    first, place = None if dates else first_other(column), ""
    if first is not None:
        label = column.index[first] if has_index(column) else None
        entry = short(np.asarray(column, dtype=object)[first])
        place = f" {entry} at row {_numbered(first, label)} is no number."
    name = value.columns[position] if hasattr(value, "columns") else argument
    raise InvalidType(
        argument,
        "hold real numbers",
        f"has dtype {dtype} in column {name!r}",
        "Convert that column to numbers first (dummy coding, .astype(float)) or leave it out." + place,
    )
