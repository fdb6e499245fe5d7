"""`Columns`: which columns of a table are what, the same in every partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument, InvalidType
from influstat.input.labels import label_text
from influstat.input.printing import nearest_first, short
from influstat.input.settings import texts
from influstat.input.validation import FloatArray
from influstat.partitioned.block import Block

NUMBERS = (Real, Decimal, np.bool_)


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are what; the others are the rows x_i where `x` is None.

    `levels` are the categories of columns that have some: each but the first is a column of 0 and 1, called
    as a formula would, "colour[T.red]".
    """

    y: str  # "" where a table holds X alone
    x: tuple[str, ...] | None = None
    weights: str | None = None
    offset: str | None = None
    labels: str | None = None
    groups: str | None = None
    index: bool = False  # whether the table's index has the labels,
    once: bool = False  # and each is asked to be there once
    levels: tuple[tuple[str, tuple[Any, ...]], ...] = ()

    def chosen(self, names: Sequence[str], index: Sequence[str] = ()) -> Columns:
        """Return the same with the columns of X named, or raise where the table lacks one."""
        # `index` are columns in which a file keeps the index of its table: no columns of X unless named.
        special = [self.y, *(name for _, name in self._others), *index]
        x = tuple(name for name in names if name not in special) if self.x is None else self.x
        for argument, wanted in (("y", [self.y]), ("columns", x)):
            for name in wanted:
                if name not in names:
                    raise missing(argument, name, names)
        for argument, name in self._others:
            if name not in names:
                raise missing(argument, name, names)
        if not x:
            raise InvalidArgument("columns", "name a column of the rows", "names none", "Name some.")
        for name, _ in self.levels:
            if name not in x:
                raise missing("levels", name, x)
        found = replace(self, x=x)
        _require_once(found.wanted, names)
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns of X are called."""
        assert self.x is not None  # `chosen` has named them
        known = dict(self.levels)
        found: list[str] = []
        for name in self.x:
            found += [f"{name}[T.{level}]" for level in known[name][1:]] if name in known else [name]
        return tuple(found)

    @property
    def numeric(self) -> list[str]:
        """The columns of X that have no levels."""
        assert self.x is not None  # `chosen` has named them
        known = dict(self.levels)
        return [name for name in self.x if name not in known]

    def require_numbers(self, dtypes: Any) -> None:
        """Raise unless these have numbers, by the types of all columns."""
        for name in self.numeric:
            _require_numbers(name, dtypes[name])

    @property
    def wanted(self) -> list[str]:
        """Every column that is read."""
        assert self.x is not None  # `chosen` has named them
        named = (self.y, *(name for _, name in self._others))
        return list(dict.fromkeys([*self.x, *filter(None, named)]))

    @property
    def _others(self) -> list[tuple[str, str]]:
        """What else is read: the argument, and the column that it names."""
        named = (
            (argument, getattr(self, argument)) for argument in ("weights", "offset", "labels", "groups")
        )
        return [(argument, name) for argument, name in named if name is not None]

    def block(self, table: Any) -> Block:
        """Return the rows of one table, its columns taken by name."""
        table = self.table(table)
        others: dict[str, Any] = {argument: table[name].to_numpy() for argument, name in self._others}
        if self.index and self.labels is None:
            others["labels"] = table.index.to_numpy()
            if self.once and not table.index.is_unique:
                label = table.index[table.index.duplicated()][0]
                raise repeated(f"holds {label_text(label)} more than once")
        return Block(self.matrix(table), self._targets(table), **others)

    def table(self, table: Any) -> Any:
        """Return the columns that are read, called by text and each there once; or raise."""
        there = text_names(table)
        if error := self.lacking(there):
            raise error
        _require_once(self.wanted, there)
        table = table.set_axis(there, axis=1)[self.wanted]
        objects = [name for name in self.numeric if table.dtypes[name].kind == "O"]
        table = table.assign(**{name: _numbers(table[name]) for name in objects}) if objects else table
        self.require_numbers(table.dtypes)
        return table

    def lacking(self, there: Sequence[str]) -> InvalidArgument | None:
        """Return the error for the first column that is read and is not there; None where all are."""
        named = {name: argument for argument, name in (*self._others, ("y", self.y))}
        gone = next((name for name in self.wanted if name not in there), None)
        return None if gone is None else missing(named.get(gone, "columns"), gone, there)

    def _targets(self, table: Any) -> Any:
        """Return y."""
        return table[self.y].to_numpy()

    def matrix(self, table: Any) -> Any:
        """Return X: float32 where all of it is."""
        assert self.x is not None
        x = table[list(self.x)]
        if not self.levels:
            types = set(x.dtypes)
            dtype = np.float32 if types == {np.dtype(np.float32)} else np.float64
            return x.to_numpy(dtype=dtype, na_value=np.nan)
        known, parts = dict(self.levels), []
        for name in self.x:
            if name in known:
                parts.append(_indicators(name, table[name], known[name]))
            else:
                parts.append(table[name].to_numpy(dtype=np.float64, na_value=np.nan)[:, None])
        return np.column_stack(parts)


def _indicators(name: str, column: Any, levels: tuple[Any, ...]) -> FloatArray:
    """Return a column of 0 and 1 for each level but the first, or raise for a category that is none."""
    known = column.isin(levels).to_numpy()
    if not known.all():
        raise lacking(name, column, int(np.argmin(known)))
    return np.stack([(column == level).to_numpy(dtype=np.float64) for level in levels[1:]], axis=1)


def _require_once(wanted: Sequence[str], there: Sequence[str]) -> None:
    """Raise where a column that is read shares its name with another."""
    for name in wanted:
        if there.count(name) > 1:
            was = f"holds {name!r} {there.count(name)} times"
            raise InvalidArgument("columns", "each have a name of their own", was, "Rename one of them.")


def lacking(name: str, column: Any, row: int) -> InvalidArgument:
    """Return the error for an entry that is none of the levels."""
    value = column.iloc[row]
    if column.isna().iloc[row]:
        need, was = "have no missing entries in columns of levels", f"holds {value} of row {row} in {name!r}"
        return InvalidArgument("columns", need, was, "Fill it with a category of its own, or drop that row.")
    return InvalidArgument(
        "levels",
        f"hold every category of {name!r}",
        f"lacks {short(value)} of row {row}",
        "Add it: levels are fixed for all partitions, which need not hold them all.",
    )


def repeated(was: str) -> InvalidArgument:
    """Return the error for an index that is asked for as labels, where one may be that of several rows."""
    return InvalidArgument(
        "labels",
        "be an index whose partitions do not overlap, so that a label is one row",
        was,
        "Set an index of unique labels (frame.set_index), or name a column; positions are there anyway.",
    )


def text_names(table: Any) -> tuple[str, ...]:
    """Return what the columns of a table are called, as text."""
    return tuple(str(name) for name in table.columns)


def _numbers(column: Any) -> Any:
    """Return objects that are all numbers or missing as float64: bools with gaps, decimals."""
    gaps = column.isna()
    if not all(isinstance(one, NUMBERS) for one in column[~gaps]):
        return column
    return column.where(~gaps, np.nan).astype(np.float64)


def read_levels(levels: Any) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    """Return the categories of columns, at least two each and none twice, or raise."""
    if levels is None:
        return ()
    need = "be a dict from names of columns to lists of at least two categories, each once"
    if not isinstance(levels, Mapping):
        raise InvalidType("levels", need, f"is {short(levels)}", "Pass e.g. {'colour': ['blue', 'red']}.")
    for name, some in levels.items():
        listed = isinstance(some, (list, tuple)) and isinstance(name, str)
        if not listed or len(some) < 2 or len(set(map(str, some))) < len(some):
            raise InvalidArgument("levels", need, f"has {name!r}: {short(some)}", "Correct it.")
    return tuple((name, tuple(some)) for name, some in levels.items())


def _require_numbers(name: str, dtype: Any) -> None:
    """Raise unless a column of X has numbers."""
    if dtype.kind in "fiub":
        return
    if str(dtype) == "category" or dtype.kind in "OUS" or str(dtype) in ("str", "string"):
        raise InvalidType(
            "columns",
            "hold numbers",
            f"holds {name!r} of type {dtype}",
            "Pass its categories as levels={column: [...]}, fixed for all partitions: a partition need not "
            "hold them all.",
        )
    raise InvalidType("columns", "hold real numbers", f"holds {name!r} of type {dtype}", "Convert it.")


def missing(argument: str, name: str, names: Sequence[str]) -> InvalidArgument:
    """Return the error for a column that a table lacks."""
    was = f"is {name!r}; there are {nearest_first(name, names)}"
    return InvalidArgument(argument, "name columns of the table", was, "Pass one of these names.")


def read_names(columns: Any) -> tuple[str, ...] | None:
    """Return the names of the columns of X, None where they are to be all that are left."""
    if columns is None:
        return None
    if isinstance(columns, str):
        raise InvalidType("columns", "be a sequence of names", f"is {short(columns)}", "Pass a list of str.")
    return tuple(texts("columns", columns))
