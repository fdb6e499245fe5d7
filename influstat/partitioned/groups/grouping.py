"""`Grouping`: which group each row of a partition is in, and what the groups are called and weigh."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InflustatError, InvalidArgument, InvalidType, Unsupported
from influstat.input.groups import Indices, read_clusters, read_groups
from influstat.input.printing import short
from influstat.partitioned.block import Block, of_partition
from influstat.partitioned.recipe import Recipe
from influstat.partitioned.runners.base import Summable

NONE = -1  # the code of a row in no group


@dataclass(frozen=True, eq=False)
class Grouping:
    """Which group each row is in."""

    argument: str  # what the caller calls it: "groups" or "folds"
    starts: Indices  # position of the first row of every partition
    # From an array of labels to an array of groups; None where the data, or `given`, hold them.
    by: Callable[[NDArray[Any]], Any] | None = None
    given: Indices | None = None  # codes of all rows, where the caller has counted them out, shape (n,)
    names: NDArray[Any] | None = None  # what the groups are called, in sorted order, shape (K,)

    def codes(self, partition: int, block: Block, first: int = 0) -> Indices:
        """Return the group of every row of a block, `NONE` for no group; `first` is its place there."""
        start = int(self.starts[partition]) + first
        if self.given is not None:
            return self.given[start : start + len(block)]
        found, owners = self.clusters(partition, block, first)
        assert self.names is not None  # counted before
        places: Indices = _places(self.names, found)
        return places[owners]

    def clusters(self, partition: int, block: Block, first: int = 0) -> tuple[NDArray[Any], Indices]:
        """Return the sorted groups of a block's rows, and which of them each row is in; or raise."""
        try:
            keys = block.groups if self.by is None else self._called(partition, block, first)
            if keys is None:
                raise InvalidArgument(
                    self.argument,
                    "be held by every partition",
                    "is None here",
                    "Give every chunk its groups, or leave them out of all.",
                )
            return read_clusters(np.asarray(keys), np.arange(len(block)), self.argument)
        except InflustatError as error:
            raise of_partition(error, block.place) from error

    def _called(self, partition: int, block: Block, first: int) -> Any:
        assert self.by is not None  # asked for
        start = int(self.starts[partition]) + first
        labels = np.arange(start, start + len(block)) if block.labels is None else np.asarray(block.labels)
        need, remedy = "return one group for each of an array of labels", "Pass such a function."
        try:
            found = np.asarray(self.by(labels))
        except Exception as error:  # a caller's own function may raise anything
            was = f"raises {type(error).__name__}: {error}"
            raise InvalidType(self.argument, need, was, remedy) from error
        if found.shape != labels.shape:
            raise InvalidArgument(self.argument, need, f"returns {short(found)}", remedy)
        return found


@dataclass(eq=False)
class Counts(Summable):
    """The groups, how many rows each has, and what they weigh."""

    names: NDArray[Any]
    rows: Indices
    weights: NDArray[Any]

    def plus(self, other: Counts) -> Counts:
        """Return those of both."""
        names, owners = _unique(self.names, other.names)
        rows = np.zeros(len(names), dtype=np.intp)
        weights = np.zeros(len(names))
        np.add.at(rows, owners, np.concatenate([self.rows, other.rows]))
        np.add.at(weights, owners, np.concatenate([self.weights, other.weights]))
        return Counts(names, rows, weights)


@dataclass(frozen=True, eq=False)
class Counting:
    """The groups of one partition."""

    recipe: Recipe
    grouping: Grouping

    def __call__(self, partition: int, block: Block) -> Counts:
        """Return them."""
        risk = self.recipe.risk(block)
        if self.grouping.given is None:
            names, owners = self.grouping.clusters(partition, block)
        else:
            codes = self.grouping.codes(partition, block)
            names, owners = np.unique(codes, return_inverse=True)
        rows = np.bincount(owners, minlength=len(names))
        return Counts(names, rows, np.bincount(owners, risk.weights, minlength=len(names)))


def grouping_of(fit: Any, groups: Any, argument: str) -> tuple[Grouping, Counts]:
    """Return which group each row is in, and the groups' rows and weights: one pass; or raise."""
    # `groups` are a callable, what `read_groups` takes, or None for those that the data hold.
    grouping = Grouping(argument, fit.starts)
    if callable(groups) and not hasattr(groups, "split"):
        grouping = replace(grouping, by=groups)
    elif groups is not None:
        if isinstance(groups, str):
            raise InvalidArgument(
                argument,
                "be left out where a column of the data has them, or one label per row, sets of positions, "
                "or a function of labels",
                f"is {short(groups)}",
                f"Name the column as ist.partitions(..., groups={short(groups)}).",
            )
        read = read_groups(groups, fit.risk.shape[0], argument)
        codes = np.full(fit.risk.shape[0], NONE)
        codes[read.members] = read.owners
        if np.count_nonzero(codes != NONE) < len(read.members):
            raise Unsupported(
                argument, "be disjoint over partitions", "holds a row twice", "Ask for each set by itself."
            )
        grouping = replace(grouping, given=codes, names=read.labels)
    elif not _held(fit):
        raise InvalidArgument(
            argument,
            "be given where the data hold none",
            "is None",
            "Pass one label per row or a function of labels, or name a column: "
            'ist.partitions(..., groups="firm").',
        )
    counts: Counts = fit.reduce(Counting(fit.recipe, grouping))
    if grouping.given is not None:
        inside = counts.names != NONE
        counts = Counts(read.labels, counts.rows[inside], counts.weights[inside])
    elif len(counts.names) < 2:
        raise InvalidArgument(
            argument,
            "have two or more values",
            f"is {short(counts.names.tolist()[0])} throughout",
            "No row would be left.",
        )
    return replace(grouping, names=counts.names), counts


def _held(fit: Any) -> bool:
    """Tell whether the first rows have groups."""
    source = fit.risk.data.source
    first = int(np.flatnonzero(fit.risk.counted.rows)[0])
    return source.block(first).groups is not None


def _unique(one: NDArray[Any], other: NDArray[Any]) -> tuple[NDArray[Any], Indices]:
    """Return the sorted names of both, and the place of each; text and numbers have no order."""
    if (one.dtype.kind in "biuf") != (other.dtype.kind in "biuf"):  # NumPy would make text of numbers
        one, other = one.astype(object), other.astype(object)
    try:
        names, owners = np.unique(np.concatenate([one, other]), return_inverse=True)
    except TypeError:
        raise InvalidType(
            "groups",
            "be of one kind in all partitions",
            f"holds {short(one.tolist()[0])} and {short(other.tolist()[0])}",
            "Convert that column: numbers or text.",
        ) from None
    return names, owners.ravel()


def _places(names: NDArray[Any], found: NDArray[Any]) -> Indices:
    return np.asarray(np.searchsorted(names, found.astype(names.dtype, copy=False)), dtype=np.intp)
