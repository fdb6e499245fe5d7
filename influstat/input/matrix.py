"""A caller's matrix, read: finite numbers, dense or sparse, with the names that it brings along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.input.labels import own_labels
from influstat.input.reader import LabelledTable
from influstat.input.tables import as_pandas, is_foreign
from influstat.input.validation import (
    IN_NEW_ROWS,
    first_not_finite,
    numeric_array,
    raise_not_finite,
    real_dtype,
)

DROP = "Drop or impute such entries before the fit."
BLOCK_ENTRIES = 2**18  # float64 entries in one row block: 2 MiB, so that it and its scaled copy stay in cache


def read_matrix(
    X: Any,
    argument: str,
    training: Sequence[str] | None,
    labels: NDArray[Any] | None = None,
    known: Sequence[str] | None = None,
    *,
    look: bool = True,
) -> tuple[Any, list[str] | None, NDArray[Any] | None]:
    """Return the checked matrix, its column names and its row labels (None when it has none)."""
    if isinstance(X, LabelledTable):
        return read_matrix(X.table, argument, training, X.row_labels, known, look=look)
    if is_foreign(X):
        matrix, names, _ = read_matrix(as_pandas(argument, X), argument, training, known=known, look=look)
        return matrix, names, labels
    labels = own_labels(X) if labels is None else labels
    columns = [str(name) for name in X.columns] if hasattr(X, "columns") else None
    data: Any = X if sp.issparse(X) else numeric_array(argument, X)
    if data.ndim != 2:
        raise InvalidArgument(
            argument,
            "be two-dimensional (rows, columns)",
            f"has shape {data.shape}",
            "Pass a matrix; X.reshape(-1, 1) makes one column, X.reshape(1, -1) one row.",
        )
    if 0 in data.shape:
        raise InvalidArgument(
            argument, "have at least one row and one column", f"has shape {data.shape}", "Pass data."
        )
    if sp.issparse(data):
        data = _read_sparse(data, argument)
    if look or sp.issparse(data):
        remedy = DROP if training is None else IN_NEW_ROWS
        require_finite(data, argument, labels, known or columns or (), remedy)
    return data, columns, labels


def require_finite(
    data: Any, argument: str, labels: NDArray[Any] | None, names: Sequence[str], remedy: str = DROP
) -> None:
    """Raise for the first entry that is nan or inf, by what its row and column are called."""
    place = _first_place(data)
    if place is not None:
        row, column = place
        called = (None if labels is None else labels[row], names[column] if column < len(names) else None)
        raise_not_finite(argument, data[row, column], row, column, names=called, remedy=remedy)


def _first_place(data: Any) -> tuple[int, int] | None:
    """Return row and column of the first nan or inf, None where every entry is finite."""
    if isinstance(data, sp.csr_array):
        place = first_not_finite(data.data)
        if place is None:
            return None
        return int(np.searchsorted(data.indptr, place[0], side="right")) - 1, int(data.indices[place])
    step = max(1, BLOCK_ENTRIES // data.shape[1])
    for start in range(0, data.shape[0], step):
        place = first_not_finite(data[start : start + step])
        if place is not None:
            return start + place[0], place[1]
    return None


def _read_sparse(X: Any, argument: str) -> Any:
    """Return X as a csr_array of float32 or float64; the caller's own arrays are not written to."""
    real_dtype(argument, np.empty(0, dtype=X.dtype))
    rows = sp.csr_array(X)
    rows = sp.csr_array((real_dtype(argument, rows.data), rows.indices, rows.indptr), shape=rows.shape)
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    return rows
