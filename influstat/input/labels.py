"""What rows are called: pandas objects are paired with rows by their labels, arrays by position.

The one place that knows how. `Labels` keep the names of an index, so that every table that is returned
can be joined with the caller's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument

MIDNIGHT = time()


class Labels(np.ndarray[Any, np.dtype[Any]]):
    """Labels of rows that know what the levels of their index are called, through every selection.

    A label of several levels is one tuple. `rows=` takes them for labels, never for positions.

    Examples
    --------
    >>> import pandas as pd
    >>> from influstat.input.labels import index_labels
    >>> labels = index_labels(pd.Index(["a", "b"], name="state"))
    >>> labels[1:].names
    ('state',)
    """

    names: tuple[Any, ...] | None

    def __array_finalize__(self, source: Any) -> None:
        """Take the names over from the labels that these are part of."""
        self.names = getattr(source, "names", None)

    def __repr__(self) -> str:
        return repr(np.asarray(self))

    def __reduce__(self) -> Any:
        """Return what makes equal labels elsewhere, for pickle and copy."""
        return called, (np.asarray(self), self.names)


def called(values: NDArray[Any], names: tuple[Any, ...] | None = (None,)) -> Labels:
    """Return the values as labels whose levels have these names."""
    labels = values.view(Labels)
    labels.names = names
    return labels


def has_index(value: Any) -> bool:
    """Tell whether `value` is a pandas Series or DataFrame, whose rows have labels."""
    return hasattr(value, "index") and hasattr(value, "iloc")


def index_labels(index: Any) -> NDArray[Any]:
    """Return the labels of a pandas index, shape (n,); dates stay objects that print as dates."""
    labels = np.asarray(index)
    if labels.dtype.kind in "mM":
        labels = np.asarray(index.astype(object))
    return called(labels, tuple(index.names))


def index_of(labels: Any) -> Any:
    """Return the pandas index that has these labels, with the names and levels that it came with."""
    import pandas as pd

    names = getattr(labels, "names", None) or (None,)
    if len(names) > 1:
        return pd.MultiIndex.from_tuples(labels.tolist(), names=names)
    values = np.asarray(labels)
    if values.dtype.kind == "f" and values.dtype.itemsize not in (4, 8):  # float16: pandas knows two widths
        values = values.astype(object)
    return pd.Index(values, name=names[0])


def own_labels(*tables: Any) -> NDArray[Any] | None:
    """Return the labels of the first pandas object among the tables, None where there is none."""
    return next((index_labels(table.index) for table in tables if has_index(table)), None)


def one_column(value: Any) -> Any:
    """Return a DataFrame or array of one column as that column, everything else as it is."""
    if has_index(value):
        return value.iloc[:, 0] if np.shape(value)[1:] == (1,) else value
    return value[:, 0] if isinstance(value, np.ndarray) and value.shape[1:] == (1,) else value


def paired(argument: str, value: Any, labels: Any, *, of: str = "the rows of the fit") -> Any:
    """Return what has one entry per row in the order of the rows, a DataFrame of one column as a Series."""
    # A pandas object is looked up by its labels, which may be more than those of the rows; anything else
    # stays as it is, paired by position, and so does everything where rows have no labels.
    value = one_column(value)
    if labels is None or not has_index(value):
        return value
    rows, index = index_of(labels), value.index
    if index.equals(rows):
        return value
    for has_repeats, whose in ((index, "has"), (rows, f"is for {of}, which have")):
        if not has_repeats.is_unique:
            often = has_repeats[has_repeats.duplicated()][0]
            raise InvalidArgument(
                argument,
                "have each label once",
                f"{whose} {label_text(often)} more than once",
                _by_position(argument),
            )
    places = index.get_indexer(rows) if index.nlevels == rows.nlevels else np.full(len(rows), -1)
    if (places < 0).any():
        count, first = int((places < 0).sum()), rows[int(np.argmax(places < 0))]
        lacks = f"lacks {count} of the {len(rows)}, the first {label_text(first)}"
        raise InvalidArgument(argument, f"have the labels of {of}", lacks, _by_position(argument))
    return value.iloc[places]


def paired_with(X: Any, **vectors: Any) -> list[Any]:
    """Return what belongs to new rows X in their order; where X has no labels, in that of the first with."""
    labels = own_labels(X)
    labels, of = (own_labels(*vectors.values()), "the new rows") if labels is None else (labels, "X")
    return [paired(argument, value, labels, of=of) for argument, value in vectors.items()]


def check_order(argument: str, value: Any, labels: NDArray[Any], *, of: str) -> None:
    """Raise if a pandas `value` holds the same labels in another order: entries would be paired wrongly."""
    if not has_index(value):
        return
    own = index_labels(value.index)
    if own.shape != labels.shape or (own == labels).all() or set(own.tolist()) != set(labels.tolist()):
        return
    row = int(np.argmax(own != labels))
    raise InvalidArgument(
        argument,
        f"have its labels in the order of {of}",
        f"has {label_text(own[row])} at row {row}, where {of} has {label_text(labels[row])}",
        f"Put them in one order, or pass {argument}.to_numpy() to pair by position.",
    )


def check_labels(argument: str, value: Any, labels: NDArray[Any], *, of: str) -> None:
    """Raise if a pandas `value` holds other labels than the rows do, or the same in another order."""
    check_order(argument, value, labels, of=of)
    if not has_index(value) or len(value) != len(labels) or value.index.equals(index_of(labels)):
        return
    own = index_labels(value.index).tolist()
    row = next((i for i, (a, b) in enumerate(zip(own, labels.tolist(), strict=True)) if a != b), None)
    if row is not None:
        raise InvalidArgument(
            argument,
            f"have the labels of {of}",
            f"has {label_text(own[row])} at row {row}, where {of} has {label_text(labels[row])}",
            _by_position(argument),
        )


def _by_position(argument: str) -> str:
    return f"Give it those labels, or pass {argument}.to_numpy() to pair by position."


def label_name(label: Any) -> str:
    """Return what something is called as tables and pictures show it: midnight is a day, numbers are plain.

    Returns
    -------
    str

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from influstat.input.labels import label_name, label_text
    >>> label_name(pd.Timestamp("2020-01-04")), label_name(np.int64(3)), label_name("a"), label_text("a")
    ('2020-01-04', '3', 'a', "'a'")
    """
    if isinstance(label, np.datetime64):
        # Of nanoseconds item() is a number, and of NaT it is None.
        label = label.astype("datetime64[us]").item() or label
    if isinstance(label, np.generic) and not isinstance(label, np.datetime64):
        label = label.item()
    if isinstance(label, datetime) and label == label and label.time() == MIDNIGHT and label.tzinfo is None:
        return label.date().isoformat()
    if isinstance(label, tuple):
        return f"({', '.join(map(label_text, label))})"
    return str(label)


def label_text(label: Any) -> str:
    """Return what something is called as sentences have it: text in quotes, all else as `label_name`."""
    if isinstance(label, (str, bytes)):
        return repr(label.item() if isinstance(label, np.generic) else label)
    return label_name(label)


def require_position(argument: str, position: int, names: Sequence[str]) -> None:
    """Raise where a number is the position of one column and, as text, the name of another."""
    if str(position) in names and names[position : position + 1] != (str(position),):
        raise InvalidArgument(
            argument,
            "tell positions from names where columns are called by numbers",
            f"is {position}, and the column called {str(position)!r} stands at position "
            f"{list(names).index(str(position))}",
            f"Pass the name as text, {str(position)!r}, or the name at that position, fit.names[{position}].",
        )
