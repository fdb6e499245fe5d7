"""`Source`: what every kind of partitioned data offers, and how columns of a table are read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from influstat.errors import InflustatError, InvalidArgument, InvalidType
from influstat.input.printing import nearest_first, short
from influstat.input.settings import texts
from influstat.partitioned.block import Block, of_partition


class Source(ABC):
    """Rows in partitions that are read one at a time, as often as is wanted, and always the same.

    Attributes
    ----------
    names : tuple of str
        What the columns are called.
    everywhere : bool
        Whether other processes can read it too: files can, arrays of this process cannot.
    in_order : bool
        Whether partitions must be read one after the other.
    """

    names: tuple[str, ...]
    everywhere = True
    in_order = False

    @abstractmethod
    def partitions(self) -> int:
        """Return how many partitions there are; where that is not known, read through them once."""

    @abstractmethod
    def read(self, partition: int) -> Block:
        """Return the rows of one partition; it may be empty."""

    def block(self, partition: int) -> Block:
        """Return the rows of one partition, which know its name; errors name it."""
        place = self.place(partition)
        try:
            return self.read(partition).placed(place)
        except InflustatError as error:
            raise of_partition(error, place) from error

    @abstractmethod
    def identity(self) -> tuple[Any, ...]:
        """Return what tells these data from others, without reading them."""

    def place(self, partition: int) -> str:
        """Return what a partition is called in messages."""
        return f"partition {partition}"

    def rows(self) -> int | None:
        """Return how many rows there are in all, None where that is not known without reading them."""
        return None

    def lazy(self, partition: int) -> Any:
        """Return a dask Delayed of the block where the data are dask's own, else None."""
        del partition


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are what; the others are the rows x_i where `x` is None."""

    y: str
    x: tuple[str, ...] | None = None
    weights: str | None = None
    offset: str | None = None
    labels: str | None = None
    index: bool = False  # whether the table's index has the labels

    def chosen(self, names: Sequence[str], index: Sequence[str] = ()) -> Columns:
        """Return the same with the columns of X named, or raise where the table lacks one.

        `index` are columns in which a file keeps the index of its table: no columns of X unless named.

        Returns
        -------
        Columns
        """
        special = [one for one in (self.y, self.weights, self.offset, self.labels) if one is not None]
        special += index
        x = tuple(name for name in names if name not in special) if self.x is None else self.x
        for argument, wanted in (("y", [self.y]), ("columns", x)):
            for name in wanted:
                if name not in names:
                    raise missing(argument, name, names)
        for argument in ("weights", "offset", "labels"):
            name = getattr(self, argument)
            if name is not None and name not in names:
                raise missing(argument, name, names)
        if not x:
            raise InvalidArgument("columns", "name a column of the rows", "names none", "Name some.")
        return Columns(self.y, x, self.weights, self.offset, self.labels, self.index)

    @property
    def wanted(self) -> list[str]:
        """Every column that is read."""
        assert self.x is not None  # `chosen` has named them
        others = (self.y, self.weights, self.offset, self.labels)
        return list(dict.fromkeys([*self.x, *(name for name in others if name is not None)]))

    def block(self, table: Any) -> Block:
        """Return the rows of one table, its columns taken by name."""
        assert self.x is not None
        there = [str(name) for name in table.columns]
        for name in self.wanted:
            if name not in there:
                raise missing("columns", name, there)
        table = table.set_axis(there, axis=1)
        for name in self.x:
            require_numbers(name, table[name].dtype)
        x = table[list(self.x)]
        types = set(x.dtypes)
        dtype = np.float32 if types == {np.dtype(np.float32)} else np.float64
        labels = table.index.to_numpy() if self.index else None
        if self.labels is not None:
            labels = table[self.labels].to_numpy()
        numbers: dict[str, Any] = {
            name: None if column is None else table[column].to_numpy()
            for name, column in (("weights", self.weights), ("offset", self.offset))
        }
        return Block(
            x.to_numpy(dtype=dtype, na_value=np.nan), table[self.y].to_numpy(), labels=labels, **numbers
        )


def require_numbers(name: str, dtype: Any) -> None:
    """Raise unless a column of X has numbers."""
    if dtype.kind in "fiub":
        return
    if str(dtype) == "category" or dtype.kind in "OUS" or str(dtype) in ("str", "string"):
        raise InvalidType(
            "columns",
            "hold numbers",
            f"holds {name!r} of type {dtype}",
            "Make columns of 0 and 1 of its categories beforehand, with levels fixed for all partitions: a "
            "partition need not hold them all.",
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


def csr(matrix: Any) -> Any:
    """Return a sparse matrix in rows, as `csr_array`."""
    return sp.csr_array(matrix)
