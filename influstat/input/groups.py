"""`Groups`: which rows leave together, read from positions, from labels or from index arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, InvalidType
from influstat.input.printing import ShortRepr, short
from influstat.input.validation import FloatArray, any_array

Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False, repr=False)
class Groups(ShortRepr):
    """K sets of rows, none empty, each to be removed together; they may overlap.

    Examples
    --------
    >>> from influstat.input.groups import read_groups
    >>> groups = read_groups(["a", "b", "a"], 3)
    >>> len(groups), groups[0], groups.labels
    (2, array([0, 2]), array(['a', 'b'], dtype='<U1'))
    """

    members: Indices  # the rows of all groups by position, group after group, shape (M,)
    starts: Indices  # where each group begins in `members`, shape (K + 1,)
    labels: NDArray[Any]  # what the groups are called, shape (K,)

    def __len__(self) -> int:
        """Return K."""
        return len(self.starts) - 1

    def __getitem__(self, k: int) -> Indices:
        """Return the rows of group k."""
        return self.members[self.starts[k] : self.starts[k + 1]]

    @property
    def sizes(self) -> Indices:
        """Rows in each group, shape (K,)."""
        return np.diff(self.starts)

    @property
    def single(self) -> bool:
        """Whether every group is one row."""
        return len(self.members) == len(self)

    @property
    def owners(self) -> Indices:
        """The group of each member, shape (M,)."""
        return np.repeat(np.arange(len(self)), self.sizes)

    def take(self, chosen: Any) -> Groups:
        """Return the chosen groups: a slice, a mask or positions."""
        positions = np.arange(len(self))[chosen]
        sizes = self.sizes[positions]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        offsets = np.repeat(self.starts[positions] - starts[:-1], sizes)
        return Groups(
            self.members[np.arange(starts[-1]) + offsets], starts.astype(np.intp), self.labels[chosen]
        )

    def sums(self, values: FloatArray) -> FloatArray:
        """Return the sum over each group of what has one entry per row: from shape (n, ...) to (K, ...)."""
        return np.asarray(np.add.reduceat(values[self.members], self.starts[:-1], axis=0))

    def blocks(self, groups: int, members: int) -> Iterator[Groups]:
        """Yield consecutive parts of at most so many groups and, unless one group alone has more, members."""
        start = 0
        while start < len(self):
            end = int(np.searchsorted(self.starts, self.starts[start] + members, side="right")) - 1
            end = min(max(end, start + 1), start + groups, len(self))
            yield self.take(slice(start, end))
            start = end


def read_rows(rows: Any, row_labels: NDArray[Any], argument: str = "rows") -> Groups:
    """Return every row, or each of the chosen rows, all different, as a group of its own; or raise."""
    n = len(row_labels)
    chosen = np.arange(n) if rows is None else _positions(argument, rows, n)
    return Groups(chosen, np.arange(len(chosen) + 1), row_labels[chosen])


def read_groups(groups: Any, n: int, argument: str = "groups") -> Groups:
    """Return the rows of each label, in order, or those that a list of index arrays names; or raise."""
    if isinstance(groups, (list, tuple)) and groups and all(_is_index_array(item) for item in groups):
        return _from_index_arrays(groups, n, argument)
    values = any_array(argument, groups)
    if values.shape != (n,):
        raise InvalidArgument(
            argument,
            f"hold one label per row ({n}), or be a list of arrays of row positions",
            f"is {short(groups)}" if values.ndim == 0 else f"has shape {values.shape}",
            f"Pass the labels of the training rows, e.g. np.arange({n}) % 5 for five folds, or positions, "
            "e.g. [[0, 1], [2, 3]].",
        )
    if _missing(values).any():
        row = int(np.argmax(_missing(values)))
        raise InvalidArgument(
            argument, "have no missing entries", f"holds {values.tolist()[row]!r} at row {row}", "Fill it."
        )
    try:
        names, owner = np.unique(values, return_inverse=True)
    except TypeError:
        raise InvalidType(
            argument, "be of one kind", "holds objects that have no order", "Pass numbers or text."
        ) from None
    if len(names) < 2:
        raise InvalidArgument(
            argument,
            "have two or more values",
            f"is {names.tolist()[0]!r} throughout",
            "No row would be left.",
        )
    order = np.argsort(owner, kind="stable")
    return Groups(order, np.searchsorted(owner[order], np.arange(len(names) + 1)).astype(np.intp), names)


def _from_index_arrays(arrays: Any, n: int, argument: str) -> Groups:
    groups = [_positions(f"{argument}[{k}]", array, n) for k, array in enumerate(arrays)]
    for k, rows in enumerate(groups):
        if len(rows) == n:
            raise InvalidArgument(
                f"{argument}[{k}]", "leave a row in", f"holds all {n} rows", "Drop that group."
            )
    starts = np.concatenate([[0], np.cumsum([len(rows) for rows in groups])])
    return Groups(np.concatenate(groups), starts.astype(np.intp), np.arange(len(groups)))


def _is_index_array(item: Any) -> bool:
    return isinstance(item, (list, tuple, range, np.ndarray)) and np.ndim(np.asarray(item, object)) > 0


def _positions(argument: str, rows: Any, n: int) -> Indices:
    """Return distinct row positions from 0 to n - 1, or raise naming the argument."""
    chosen = np.atleast_1d(any_array(argument, rows))
    need = f"hold at least one whole number from 0 to {n - 1}"
    if chosen.ndim != 1 or not chosen.size or chosen.dtype.kind not in "iu":
        remedy = "Pass row positions; np.flatnonzero(mask) gives those of a mask."
        raise InvalidArgument(argument, need, f"has shape {chosen.shape} and dtype {chosen.dtype}", remedy)
    if chosen.min() < 0 or chosen.max() >= n:
        wrong = chosen[(chosen < 0) | (chosen >= n)][0]
        raise InvalidArgument(argument, need, f"holds {wrong}", "Count rows from 0.")
    values, counts = np.unique(chosen, return_counts=True)
    if counts.max() > 1:
        often = f"holds {values[counts.argmax()]} {counts.max()} times"
        raise InvalidArgument(argument, "name each row once", often, "Drop the repeats.")
    return chosen.astype(np.intp)


def _missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype.kind == "O":
        return np.array([value is None or value != value for value in values], dtype=np.bool_)
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, dtype=np.bool_)
