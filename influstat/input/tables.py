"""Tables and series of other libraries than pandas (polars, pyarrow, ...), read through narwhals.

They have names but no row labels, so that what belongs to their rows is paired by position.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidType, MissingDependency


def is_foreign(value: Any) -> bool:
    """Tell whether `value` is a table or series that speaks Arrow's interface, and not of pandas; or lazy."""
    return (hasattr(value, "__arrow_c_stream__") and not hasattr(value, "iloc")) or is_lazy(value)


def is_lazy(value: Any) -> bool:
    """Tell whether `value` is a table of polars that is not collected yet."""
    return hasattr(value, "collect_schema") and hasattr(value, "collect")


def as_pandas(argument: str, table: Any) -> Any:
    """Return a foreign table as a DataFrame of the same columns, everything else as it is."""
    # Its rows are counted from 0; they have no labels of their own.
    if not is_foreign(table):
        return table
    import pandas as pd

    read = _read(argument, table)
    if not hasattr(read, "columns"):
        return pd.DataFrame({argument if read.name in (None, "") else read.name: _values(read)})
    return pd.DataFrame({name: _values(read[name]) for name in read.columns})


def as_array(argument: str, series: Any) -> Any:
    """Return a foreign series, or a foreign table of one column, as an array; everything else as it is."""
    if not is_foreign(series):
        return series
    read = _read(argument, series)
    if not hasattr(read, "columns"):
        return _values(read)
    if len(read.columns) == 1:
        return _values(read[read.columns[0]])
    return as_pandas(argument, series).to_numpy()


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
