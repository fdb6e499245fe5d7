"""`Groups`: which rows leave together, read from one label per row, from sets of rows or from splits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from functools import cached_property
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, InvalidType
from influstat.input.chosen import one_dimensional, read_positions, test_sets
from influstat.input.labels import label_text, paired
from influstat.input.printing import ShortRepr, short
from influstat.input.tables import as_array
from influstat.input.validation import FloatArray, any_array

Indices = NDArray[np.intp]
NEED = "hold one label per row ({n}), or be a list or dict of row positions or row labels"


@dataclass(frozen=True, eq=False, repr=False)
class Groups(ShortRepr):
    """K sets of rows, none empty, each to be removed together; they may overlap.

    Examples
    --------
    >>> from influstat.input.groups import read_groups
    >>> groups = read_groups(["a", "b", "a"], np.arange(3))
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
    def units(self) -> str:
        """What the groups are, in words: "rows" where each is one row, else "groups"."""
        return "rows" if self.single else "groups"

    @property
    def owners(self) -> Indices:
        """The group of each member, shape (M,)."""
        return np.repeat(np.arange(len(self)), self.sizes)

    @cached_property
    def every_row(self) -> bool:
        """Whether the groups are the first K rows, each alone, in their order."""
        return self.single and bool((self.members == np.arange(len(self))).all())

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
        if self.every_row and len(values) == len(self):
            return values  # themselves
        return self.added(values[self.members])

    def added(self, values: FloatArray, axis: int = 0) -> FloatArray:
        """Return the sum over each group of what has one entry per member along the axis."""
        return values if self.single else np.asarray(np.add.reduceat(values, self.starts[:-1], axis=axis))

    def named(self, reasons: Iterable[str], of: str = "Group", *, but: str = "") -> tuple[str, ...]:
        """Return one reason per group that says whose it is; one that is "" or `but` as it is."""
        labels = (label_text(label) for label in self.labels)
        return tuple(
            text if text in ("", but) else f"{of} {label}: {text}"
            for label, text in zip(labels, reasons, strict=True)
        )

    def blocks(self, groups: int, members: int) -> Iterator[Groups]:
        """Yield consecutive parts of at most so many groups and, unless one group alone has more, members."""
        start = 0
        while start < len(self):
            end = int(np.searchsorted(self.starts, self.starts[start] + members, side="right")) - 1
            end = min(max(end, start + 1), start + groups, len(self))
            first, last = self.starts[start], self.starts[end]
            starts = self.starts[start : end + 1] - first
            yield Groups(self.members[first:last], starts, self.labels[start:end])
            start = end


def read_rows(rows: Any, row_labels: NDArray[Any], argument: str = "rows") -> Groups:
    """Return every row, or each of the chosen rows, all different, as a group of its own; or raise."""
    if rows is None:
        return all_alone(row_labels)
    return one_by_one(read_positions(argument, rows, row_labels), row_labels)


def all_alone(row_labels: NDArray[Any]) -> Groups:
    """Return every row as a group of its own."""
    places = np.arange(len(row_labels) + 1)
    return Groups(places[:-1], places, row_labels)


def one_by_one(chosen: Indices, row_labels: NDArray[Any]) -> Groups:
    """Return each of the rows at these positions as a group of its own."""
    return Groups(chosen, np.arange(len(chosen) + 1), row_labels[chosen])


def read_groups(groups: Any, row_labels: NDArray[Any] | int, argument: str = "groups") -> Groups:
    """Return the groups that a caller gives in one of these ways, or raise."""
    # One label per row: each value is a group, in sorted order; a pandas Series is paired with the rows by
    # its index, anything else by position. A list of what `rows=` takes (positions, masks, row labels), one
    # entry per group, or a dict of these by the groups' names. A scikit-learn splitter, or the list of its
    # (train, test) pairs: the groups are the test sets.
    row_labels = np.arange(row_labels) if isinstance(row_labels, int) else row_labels  # n: without labels
    n = len(row_labels)
    if isinstance(groups, Iterator):
        groups = list(groups)
    sets = test_sets(argument, groups, n)
    if sets is not None:  # whatever rows are called
        return _of_positions(range(len(sets)), sets, n, argument)
    if isinstance(groups, dict):
        return _from_rows(groups, row_labels, argument)
    if _are_keys(groups, n):
        groups = one_dimensional(argument, list(groups))
    if isinstance(groups, (list, tuple)) and groups and all(_is_rows(item) for item in groups):
        return _from_rows(dict(enumerate(groups)), row_labels, argument)
    names, owner = read_clusters(groups, row_labels, argument)
    if len(names) < 2:
        raise InvalidArgument(
            argument,
            "have two or more values",
            f"is {short(names.tolist()[0])} throughout",
            "No row would be left.",
        )
    order = np.argsort(owner, kind="stable")
    return Groups(order, np.searchsorted(owner[order], np.arange(len(names) + 1)).astype(np.intp), names)


def read_clusters(
    groups: Any, row_labels: NDArray[Any], argument: str = "groups", *, need: str = NEED
) -> tuple[NDArray[Any], Indices]:
    """Return the sorted values of one label per row, and which of them each row has; or raise."""
    n = len(row_labels)
    values = one_per_row(argument, groups, row_labels)
    if values.shape != (n,):
        raise InvalidArgument(
            argument,
            need.format(n=n),
            f"is {short(groups)}" if values.ndim == 0 else f"has shape {values.shape}",
            f"Pass the labels of the training rows, e.g. np.arange({n}) % 5 for five folds, or positions, "
            "e.g. [[0, 1], [2, 3]].",
        )
    missing = _missing(values)
    if missing.any():
        row = int(np.argmax(missing))
        raise InvalidArgument(
            argument,
            "have no missing entries",
            f"holds {short(values.tolist()[row])} at row {row}",
            "Fill it.",
        )
    if isinstance(groups, (list, tuple)):
        values = one_dimensional(argument, list(groups))
    if values.dtype.kind == "O":
        return _of_objects(argument, values)
    return np.unique(values, return_inverse=True)


def _of_objects(argument: str, values: NDArray[Any]) -> tuple[NDArray[Any], Indices]:
    """Return the values, numbers first, then text, then others, each kind in its order if it has one."""
    kinds: dict[tuple[int, str], list[Any]] = {}
    try:
        for value in dict.fromkeys(values.tolist()):
            text = isinstance(value, (str, bytes))
            other = "" if text or isinstance(value, Number) else type(value).__name__
            kinds.setdefault((1 if text else 2 if other else 0, other), []).append(value)
    except TypeError:
        raise InvalidType(
            argument, "hold labels", "holds objects that are none (unhashable)", "Pass numbers or text."
        ) from None
    names = list[Any]()
    for kind in sorted(kinds):
        try:
            names += sorted(kinds[kind])
        except TypeError:
            names += kinds[kind]  # as they come
    place = {name: k for k, name in enumerate(names)}
    owner = np.array([place[value] for value in values.tolist()], dtype=np.intp)
    return np.array([*names, None], dtype=object)[:-1], owner


def one_per_row(argument: str, groups: Any, row_labels: NDArray[Any]) -> NDArray[Any]:
    """Return the entries in the order of the rows; of a list as objects, since text would hide a nan."""
    if hasattr(groups, "ngroup"):
        raise InvalidType(
            argument, "hold labels", "is a GroupBy of pandas", "Pass the column that it groups by."
        )
    values = paired(argument, as_array(argument, groups), row_labels)
    if isinstance(values, (list, tuple)):
        try:
            return np.array(values, dtype=object)
        except ValueError:  # entries of different lengths
            return any_array(argument, values)
    return any_array(argument, values)


def _from_rows(rows_of: dict[Any, Any], row_labels: NDArray[Any], argument: str) -> Groups:
    """Return the groups that have these names and rows."""
    n = len(row_labels)
    several = (slice, list, tuple, Set)
    if any(not isinstance(rows, several) and np.ndim(rows) == 0 for rows in rows_of.values()):
        raise InvalidArgument(
            argument,
            "give the rows of each group, where it is a dict",
            "gives one value for each key, as a dict from rows to groups does",
            "Pass pd.Series(groups) for a group of every row, or {name: [rows], ...}.",
        )
    sets = [read_positions(f"{argument}[{short(name)}]", rows, row_labels) for name, rows in rows_of.items()]
    return _of_positions(rows_of, sets, n, argument)


def _of_positions(names: Iterable[Any], sets: list[Indices], n: int, argument: str) -> Groups:
    names = list(names)
    if not sets:
        raise InvalidArgument(argument, "hold a group", "is empty", "Pass at least one set of rows.")
    for name, rows in zip(names, sets, strict=True):
        if len(rows) == n:
            raise InvalidArgument(
                f"{argument}[{short(name)}]", "leave a row in", f"holds all {n} rows", "Drop that group."
            )
    starts = np.concatenate([[0], np.cumsum([len(rows) for rows in sets])])
    return Groups(np.concatenate(sets), starts.astype(np.intp), one_dimensional(argument, names))


def _are_keys(groups: Any, n: int) -> bool:
    """Tell whether a list holds a tuple for each row, some of them alike: labels, as of zip(a, b)."""
    if not isinstance(groups, (list, tuple)) or len(groups) != n:
        return False
    alike = all(isinstance(item, tuple) and len(item) == len(groups[0]) for item in groups)
    try:
        return alike and len(set(groups)) < n
    except TypeError:  # of lists or arrays
        return False


def _is_rows(item: Any) -> bool:
    if isinstance(item, np.ndarray):
        return item.ndim > 0
    return isinstance(item, (list, tuple, range, Set)) or (hasattr(item, "to_numpy") and np.ndim(item) == 1)


def _missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype.kind == "O":
        return np.array([_is_missing(value) for value in values], dtype=np.bool_)
    if values.dtype.kind in "mM":
        return np.asarray(np.isnat(values))
    return np.asarray(np.isnan(values)) if values.dtype.kind in "fc" else np.zeros(values.shape, np.bool_)


def _is_missing(value: Any) -> bool:
    if isinstance(value, tuple):  # of pairs, either
        return any(map(_is_missing, value))
    try:
        return value is None or bool(value != value)
    except (TypeError, ValueError):  # pandas.NA is neither equal nor unequal to itself
        return True
