"""`Block`: the rows of one partition as they were read, before a risk has checked them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from influstat.errors import InflustatError, InvalidArgument, InvalidType

BY_ROW = ("y", "weights", "offset", "labels", "groups")  # what has one entry for each row of X


@dataclass(frozen=True, eq=False)
class Block:
    """The rows of one partition."""

    X: Any  # the rows, in the type that they are kept in: float32 stays float32, shape (k, p)
    y: Any  # targets, shape (k,)
    # None stands for ones, zeros, positions counted over all partitions, and no groups, shape (k,).
    weights: Any = None
    offset: Any = None
    labels: Any = None
    groups: Any = None
    place: str = ""  # what the partition is called in errors

    def __len__(self) -> int:
        """Return k."""
        return int(np.shape(self.X)[0])

    def placed(self, place: str) -> Block:
        """Return the block that knows what its partition is called."""
        return replace(self, place=place)

    def checked(self, columns: int) -> Block:
        """Return the block, or raise where its parts do not belong together."""
        shape = np.shape(self.X)
        if len(shape) != 2 or shape[1] != columns:
            raise InvalidArgument(
                "X",
                f"have the {columns} columns of the first partition",
                f"has shape {shape}",
                "Make all partitions of the same columns, in the same order.",
            )
        for name in BY_ROW:
            value = getattr(self, name)
            if value is not None and np.shape(value)[:1] != shape[:1]:
                raise InvalidArgument(
                    name,
                    f"have one entry per row of X ({shape[0]})",
                    f"has {np.shape(value)[0] if np.ndim(value) else 'none'}",
                    "Cut it as X is cut.",
                )
        for name in ("labels", "groups"):
            if np.ndim(getattr(self, name)) > 1:
                was = f"has shape {np.shape(getattr(self, name))}"
                raise InvalidArgument(name, "be one-dimensional", was, "Join its columns, e.g. as text.")
        return self

    def take(self, rows: Any) -> Block:
        """Return the chosen rows."""
        parts: dict[str, Any] = {
            name: None if getattr(self, name) is None else np.asarray(getattr(self, name))[rows]
            for name in BY_ROW
        }
        return replace(self, X=self.X[rows], **parts)


def of_partition(error: InflustatError, place: str) -> InflustatError:
    """Return the error with the partition that it comes from: "X of partition 731 (part-731.parquet)"."""
    if isinstance(error, (InvalidArgument, InvalidType)):
        named = f"{error.argument} of {place}"
        return type(error)(named, error.need, str(error.value), error.remedy)
    return type(error)(f"{place}: {error}")
