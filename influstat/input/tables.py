"""Tables and series of other libraries than pandas: structured arrays, and through narwhals polars, pyarrow.

They have names but no row labels, so that what belongs to their rows is paired by position.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidType, MissingDependency


def is_foreign(value: Any) -> bool:
    """Tell whether `value` is a table of NumPy, or one or a series of Arrow but not of pandas; or lazy."""
    arrow = hasattr(value, "__arrow_c_stream__") and not hasattr(value, "iloc")
    return arrow or has_fields(value) or is_lazy(value)


def has_fields(value: Any) -> bool:
    """Tell whether `value` is a structured or record array of rows: a table of named columns."""
    return isinstance(value, np.ndarray) and value.dtype.names is not None and value.ndim == 1


def is_lazy(value: Any) -> bool:
    """Tell whether `value` is a table of polars that is not collected yet."""
    return hasattr(value, "collect_schema") and hasattr(value, "collect")


def as_pandas(argument: str, table: Any) -> Any:
    """Return a foreign table as a DataFrame of the same columns, everything else as it is."""
    # Its rows are counted from 0; they have no labels of their own.
    if not is_foreign(table):
        return table
    import pandas as pd

    if has_fields(table):
        return pd.DataFrame(_fields(argument, table))
    read = _read(argument, table)
    if not hasattr(read, "columns"):
        return pd.DataFrame({argument if read.name in (None, "") else read.name: _values(read)})
    return pd.DataFrame({name: _values(read[name]) for name in read.columns})


def as_array(argument: str, series: Any) -> Any:
    """Return a foreign series, or a foreign table of one column, as an array; everything else as it is."""
    if not is_foreign(series):
        return series
    if has_fields(series):  # rows of several fields are labels of groups, and no numbers
        fields = _fields(argument, series)
        return series if len(fields) > 1 else next(iter(fields.values()))
    read = _read(argument, series)
    if not hasattr(read, "columns"):
        return _values(read)
    if len(read.columns) == 1:
        return _values(read[read.columns[0]])
    return as_pandas(argument, series).to_numpy()


def _fields(argument: str, table: Any) -> dict[str, NDArray[Any]]:
    """Return the columns by their names, or raise where an entry holds several numbers."""
    columns = {name: table[name] for name in table.dtype.names}
    for name, column in columns.items():
        if column.ndim != 1 or column.dtype.names:
            need, was = "have one entry in each field of a row", f"has several in {name!r} ({column.dtype})"
            raise InvalidType(argument, need, was, "Give each of them a field of its own.")
    return columns


def _read(argument: str, value: Any) -> Any:
    try:
        import narwhals
    except ImportError as error:
        raise MissingDependency(
            f"{argument} is a {_kind(value)}, which is read through narwhals, but narwhals is not "
            "installed. Run pip install 'influstat[tables]', or pass a pandas or NumPy object."
        ) from error
    try:
        return narwhals.from_native(value, eager_only=True, allow_series=True)
    except TypeError as error:
        raise InvalidType(
            argument,
            "be a table or series that is held in memory",
            f"is a {_kind(value)}",
            "Call its collect() first."
            if is_lazy(value)
            else "Convert it to pandas, polars, a pyarrow table or NumPy first.",
        ) from error


def _values(series: Any) -> NDArray[Any]:
    """Return the entries: numbers with nan where they are missing, anything else with None."""
    if series.dtype.is_numeric():
        return np.asarray(series.to_numpy())
    entries = series.to_list()
    return np.array(entries, dtype=object) if None in entries else np.asarray(entries)


def _kind(value: Any) -> str:
    return f"{type(value).__module__.partition('.')[0]} {type(value).__name__}"
