"""Which rows a caller means: by position, by a mask, or by what the rows are called."""

from __future__ import annotations

from collections.abc import Set
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, InvalidType
from influstat.input.dates import as_dates, refuse_spans
from influstat.input.labels import Labels, called, index_of, label_text, one_column, paired
from influstat.input.printing import short
from influstat.input.tables import as_array
from influstat.input.validation import any_array

Indices = NDArray[np.intp]


def read_positions(argument: str, rows: Any, row_labels: NDArray[Any]) -> Indices:
    """Return the positions, all different, of the rows that a caller names; or raise.

    - A range or a slice, and integers where labels are not numbers: positions from 0 to n - 1.
    - n booleans: a mask. A pandas Series of them is paired with the rows by its index.
    - A pandas Index, a part of `fit.row_labels`, and all else: row labels.
    - Integers where labels are numbers too: either, if both readings name the same rows or only one is
      possible; refused otherwise.

    Returns
    -------
    ndarray of int, shape (k,)
    """
    n = len(row_labels)
    if isinstance(rows, slice):
        return _positions(argument, _of_slice(argument, rows, n), n)
    if isinstance(rows, range):
        return _positions(argument, np.asarray(rows), n)
    given = _entries(argument, rows, row_labels)
    if given.dtype.kind == "b" and given.ndim == 1 and given.size:
        return _of_mask(argument, given, n)
    if (
        isinstance(rows, Labels)
        or is_pandas_index(rows)
        or (given.dtype.kind not in "iu" and given.ndim == 1 and given.size)
    ):
        return _distinct(argument, _of_labels(argument, given, row_labels), row_labels)
    if given.dtype.kind in "iu" and _labels_are_other_numbers(row_labels):
        return _of_numbers(argument, given, row_labels)
    return _positions(argument, given, n)


def _of_slice(argument: str, rows: slice, n: int) -> Indices:
    """Return the positions in a slice, or raise where its ends are labels."""
    try:
        return np.arange(n)[rows]
    except TypeError:
        raise InvalidArgument(
            argument,
            "be a slice of positions where it is a slice",
            f"is {short(rows)}",
            "Pass the labels between two of them as table.loc[first:last].index.",
        ) from None


def one_dimensional(argument: str, entries: list[Any]) -> NDArray[Any]:
    """Return a list as an array of its entries: tuples stay whole, numbers beside text stay numbers."""
    array = None if any(isinstance(entry, tuple) for entry in entries) else any_array(argument, entries)
    if array is None or (
        array.dtype.kind in "US" and not all(isinstance(one, (str, bytes)) for one in entries)
    ):
        return np.array([*entries, None], dtype=object)[:-1]
    return array


def is_pandas_index(rows: Any) -> bool:
    """Tell whether `rows` is a pandas Index: its entries are row labels, never positions."""
    return hasattr(rows, "nlevels") and hasattr(rows, "get_indexer")


def _entries(argument: str, rows: Any, row_labels: NDArray[Any]) -> NDArray[Any]:
    """Return what the caller gave as an array; a mask with an index in the order of the rows."""
    if rows is None:
        raise InvalidType(argument, "be positions, a mask or labels of rows", "is None", "Pass some.")
    rows = one_column(as_array(argument, rows))
    if isinstance(rows, Set):
        rows = list(rows)
    if getattr(getattr(rows, "dtype", None), "kind", "") == "b":  # nullable booleans of pandas, too
        rows = paired(argument, rows, row_labels)
        if hasattr(rows, "isna") and rows.isna().any():
            row = int(np.argmax(rows.isna()))
            was, remedy = f"holds a missing entry at row {row}", "Fill it: .fillna(False) leaves the row in."
            raise InvalidArgument(argument, "have no missing entries where it is a mask", was, remedy)
    whole = getattr(row_labels, "names", None) or ()
    if len(whole) > 1 and isinstance(rows, tuple) and rows and not isinstance(rows[0], tuple):
        rows = [rows]  # the label of one row
    listed = isinstance(rows, list)
    return np.atleast_1d(one_dimensional(argument, rows) if listed else any_array(argument, rows))


def _of_mask(argument: str, mask: NDArray[Any], n: int) -> Indices:
    if len(mask) != n:
        raise InvalidArgument(
            argument,
            f"have one entry per row ({n}) where it is a mask",
            f"has {len(mask)}",
            "Pass a boolean for each training row, or the positions of rows.",
        )
    if not mask.any():
        raise InvalidArgument(argument, "choose a row", "is False throughout", "Choose one.")
    return np.flatnonzero(mask)


def _of_labels(argument: str, given: NDArray[Any], row_labels: NDArray[Any]) -> Indices:
    """Return the positions of labels, or raise for one that no row or more than one row has."""
    names, entries = getattr(row_labels, "names", None) or (None,), given.tolist()
    whole = len(names) > 1 and all(isinstance(one, tuple) and len(one) == len(names) for one in entries)
    index = index_of(row_labels)
    known, unknown = np.full(len(given), -1), np.ones(len(given), dtype=np.bool_)
    # What no index can hold, no row is called.
    with suppress(TypeError, ValueError, OverflowError, NotImplementedError):
        wanted = as_dates(given, index)
        wanted = index_of(called(given, names) if whole else given) if wanted is None else wanted
        if index.nlevels == wanted.nlevels:
            known = index.get_indexer_for(wanted)  # every place of each label
            unknown = ~wanted.isin(index)
    refuse_spans(argument, entries, index)
    repeated = index.duplicated(keep=False)
    if unknown.any():
        raise InvalidArgument(
            argument,
            f"hold at least one whole number from 0 to {len(row_labels) - 1}, row labels or a mask",
            f"holds {short(given.tolist()[int(np.argmax(unknown))])}, which no row is called",
            "Look at fit.row_labels: rows that were dropped before the fit, for a missing value say, are not "
            "among them. A mask with the labels of the whole table, table['x'] == 'a', may have them.",
        )
    if repeated[known].any():
        label = index[known[int(np.argmax(repeated[known]))]]
        raise InvalidArgument(
            argument,
            "hold labels that one row has",
            f"holds {short(label)}, which {int((index == label).sum())} rows have",
            "Pass a mask, or a range of positions.",
        )
    return np.asarray(known, dtype=np.intp)


def _labels_are_other_numbers(row_labels: NDArray[Any]) -> bool:
    """Tell whether rows are called by numbers that are not their positions."""
    if getattr(row_labels, "names", None) is not None and len(row_labels.names) > 1:  # type: ignore[attr-defined]  # an index
        return False
    if row_labels.dtype.kind not in "iuf":
        return False
    return not np.array_equal(row_labels, np.arange(len(row_labels)))


def _of_numbers(argument: str, given: NDArray[Any], row_labels: NDArray[Any]) -> Indices:
    """Return the rows that integers name where labels are other numbers than positions, or raise."""
    n = len(row_labels)
    are_labels = bool(np.isin(given, row_labels).all())
    are_positions = bool(((given >= 0) & (given < n)).all())
    if are_positions and not _in_range(given, row_labels).any():
        return _positions(argument, given, n)
    if are_labels:
        found = _of_labels(argument, given, row_labels)
        if not are_positions or np.array_equal(found, given):
            return _distinct(argument, found, row_labels)
    if not are_positions:  # no such rows, or some are named in the one way and some in the other
        return _of_labels(argument, given, row_labels)
    first = int(given[_doubtful(given, row_labels)])
    raise InvalidArgument(
        argument,
        "tell positions from row labels where rows are called by other numbers than their places",
        f"holds {first}, and the row at position {first} is called {label_text(row_labels[first])}",
        f"Pass labels as pd.Index([{first}]), positions as fit.row_labels[[{first}]], a mask or a range.",
    )


def _doubtful(given: NDArray[Any], row_labels: NDArray[Any]) -> int:
    """Return the place of the first entry that is two rows: one by its label, and another by its position."""
    other = row_labels[given] != given
    for both in (other & np.isin(given, row_labels), other & _in_range(given, row_labels), other):
        if both.any():
            return int(np.argmax(both))
    return 0


def _in_range(given: NDArray[Any], row_labels: NDArray[Any]) -> NDArray[np.bool_]:
    return np.asarray((given >= row_labels.min()) & (given <= row_labels.max()))


def _positions(argument: str, chosen: NDArray[Any], n: int) -> Indices:
    """Return distinct row positions from 0 to n - 1, or raise naming the argument."""
    need = f"hold at least one whole number from 0 to {n - 1}"
    if chosen.ndim != 1 or not chosen.size or chosen.dtype.kind not in "iu":
        remedy = "Pass row positions, row labels or a mask of the rows."
        raise InvalidArgument(argument, need, f"has shape {chosen.shape} and dtype {chosen.dtype}", remedy)
    if chosen.min() < 0 or chosen.max() >= n:
        wrong = chosen[(chosen < 0) | (chosen >= n)][0]
        raise InvalidArgument(argument, need, f"holds {wrong}", "Count rows from 0.")
    return _distinct(argument, chosen.astype(np.intp), None)


def _distinct(argument: str, chosen: Indices, row_labels: NDArray[Any] | None) -> Indices:
    values, counts = np.unique(chosen, return_counts=True)
    if counts.max() > 1:
        row = values[counts.argmax()]
        name = row if row_labels is None else short(row_labels[row])
        raise InvalidArgument(
            argument, "name each row once", f"holds {name} {counts.max()} times", "Drop the repeats."
        )
    return chosen


# -- splits -----------------------------------------------------------------------------------------------


def test_sets(argument: str, folds: Any, n: int) -> list[Indices] | None:
    """Return the test sets, by position, of a splitter's (train, test) pairs; None for anything else."""
    # A train set must be all rows but those of its test set, which are all that leave here.
    if hasattr(folds, "split") and hasattr(folds, "get_n_splits"):
        folds = _splits(argument, folds, n)
    if not (isinstance(folds, (list, tuple)) and folds and all(_is_split(item) for item in folds)):
        return None
    sets = list[Indices]()
    for k, pair in enumerate(folds):
        train, test = (_of_split(f"{argument}[{k}]", part, n) for part in pair)
        if not np.array_equal(np.sort(np.concatenate([train, test])), np.arange(n)):
            raise InvalidArgument(
                f"{argument}[{k}]",
                "be a train and a test set that together are every row once",
                f"holds {len(train)} and {len(test)} of {n} rows",
                "Pass the test sets alone: all other rows stay in the fit.",
            )
        sets.append(_positions(f"{argument}[{k}]", test, n))
    return sets


def _of_split(argument: str, part: Any, n: int) -> NDArray[Any]:
    """Return the positions of a train or a test set, given as such or as a mask."""
    rows = np.asarray(part)
    if rows.dtype.kind == "b" and len(rows) == n:
        return np.flatnonzero(rows)
    if rows.dtype.kind not in "iu":
        remedy = "For names of rows pass the test sets alone: all other rows stay in the fit."
        raise InvalidArgument(argument, "hold positions of rows, or masks", f"holds {short(part)}", remedy)
    return rows


def _splits(argument: str, splitter: Any, n: int) -> list[Any]:
    try:
        return list(splitter.split(np.zeros((n, 1))))
    except (TypeError, ValueError) as error:
        raise InvalidArgument(
            argument,
            "be a splitter that needs nothing but the number of rows",
            f"is a {type(splitter).__name__}, which says: {str(error).strip().splitlines()[0].rstrip('.')}",
            "Pass its splits, list(splitter.split(X, y, groups)).",
        ) from error


def _is_split(item: Any) -> bool:
    return (
        isinstance(item, (tuple, list))
        and len(item) == 2
        and all(isinstance(part, (np.ndarray, list, range)) and np.ndim(part) == 1 for part in item)
    )
