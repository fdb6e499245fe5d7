"""`Ranking`: the rows or groups that move something most. One meaning of `top` for every result.

A result says what its moves are, a table of k rows (or groups, or folds) and m columns, and has `top` from
that. Columns in different units are compared by moves over their root mean square.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.input.frame_like import FrameLike
from influstat.input.labels import index_of, label_name
from influstat.input.largest import largest_first
from influstat.input.lazy_types import DataFrame
from influstat.input.printing import Tabled, among, amount
from influstat.input.validation import FloatArray, choice, whole_number

SIDES = {"rise": 1.0, "fall": -1.0}
BLOCK_ENTRIES = 2**20  # of a table that are compared at once
RELATIVE = "in root mean squares of its column"  # how moves of several columns are compared
STANDING_OUT = 3  # moves that a result mentions when it is printed


@dataclass(frozen=True, eq=False)
class Moves:
    """How far each of k removals moves each of m columns.

    Examples
    --------
    >>> import numpy as np
    >>> from influstat.input.ranking import Moves
    >>> moves = Moves(np.array([[1.0, -8.0], [3.0, 2.0]]), np.array(["a", "b"]), ["x", "y"], "Change")
    >>> moves.top(2)
    Change, the largest first, in root mean squares of its column
      position column  change
    a        0      y      -8
    b        1      x       3
    """

    values: FloatArray  # the moves, shape (k, m); nan where there is none
    labels: NDArray[Any]  # what the rows, groups or folds are called, shape (k,)
    columns: Sequence[Any]  # what moves, length m
    title: str  # what the moves are, for headings
    units: str = "rows"  # what is removed, in the plural
    note: str = ""  # what is said below a ranking
    called: str = "change"  # what a ranking calls them

    def top(self, k: int, column: Any = None, side: str | None = None) -> Ranking:
        """Return the k rows that move one column, or any of them, most; `Ranked.top` says more."""
        k = whole_number("k", k, at_least=1)
        if side is not None:
            choice("side", side, tuple(SIDES))
        several, title = len(self.columns) > 1, self.title
        chosen = None if column is None and several else position_of(column, self.columns)
        if chosen is None:
            places, size = self._furthest(side)
        else:
            places = np.full(len(self.labels), chosen, dtype=np.intp)
            size = _turned(self.values[:, chosen], side)
            title += f": {self.columns[chosen]}" if several else ""
        order = largest_first(size, k)
        order = order[size[order] > 0.0]  # nan and what does not move are no moves
        named = None if chosen is not None else tuple(self.columns[j] for j in places[order])
        moves = self.values[order, places[order]]
        return Ranking(self.labels[order], order, moves, title, named, self.note, self.called)

    def in_short(self) -> str:
        """Return how many rows are done, and the three largest moves, in one line."""
        k, lost = len(self.labels), np.isnan(self.values)
        bad = int(np.count_nonzero(lost.any(axis=1)))
        done = k - int(np.count_nonzero(lost.all(axis=1))) if self.values.size else k
        parts = [f"{done} of {amount(k, self.units)} done" + (f", {bad} with nan" if bad else "")]
        found = self.top(STANDING_OUT)
        of = (
            [""] * len(found.labels)
            if found.about is None
            else [f" ({label_name(name)})" for name in found.about]
        )
        moves = zip(found.labels.tolist(), found.change, of, strict=True)
        sign = "+" if self.called == "change" else ""
        text = ", ".join(f"{label_name(label)} {change:{sign}.4g}{name}" for label, change, name in moves)
        by = f" ({RELATIVE})" if found.about is not None else ""
        return ". ".join([*parts, *([f"Largest{by}: {text}"] if text else [])])

    def _furthest(self, side: str | None) -> tuple[NDArray[np.intp], FloatArray]:
        """Return the column that each row moves furthest, and how far, in root mean squares of the column."""
        # Moves that are nan are -inf. The table is read block by block: there may be many test rows.
        k, m = self.values.shape
        step = max(1, BLOCK_ENTRIES // max(m, 1))
        blocks = [slice(start, start + step) for start in range(0, k, step)]
        largest, squares = np.zeros((2, m))
        for rows in blocks:
            np.maximum(largest, np.abs(_finite(self.values[rows])).max(axis=0), out=largest)
        scale = np.where(largest > 0.0, largest, 1.0)  # first, so that no square is beyond float64
        for rows in blocks:
            squares += np.sum((_finite(self.values[rows]) / scale) ** 2, axis=0)
        scale = np.where(squares > 0.0, scale * np.sqrt(squares / max(k, 1)), 1.0)
        places, size = np.zeros(k, dtype=np.intp), np.full(k, -np.inf)
        for rows in blocks:
            relative = _turned(self.values[rows], side) / scale
            relative[np.isnan(relative)] = -np.inf
            places[rows] = np.argmax(relative, axis=1)
            size[rows] = np.max(relative, axis=1)
        return places, size


def _finite(values: FloatArray) -> FloatArray:
    """Return the values, 0 in place of those that are not finite."""
    return np.where(np.isfinite(values), values, 0.0)


def _turned(values: FloatArray, side: str | None) -> FloatArray:
    return np.abs(values) if side is None else SIDES[side] * values


@dataclass(frozen=True, eq=False, repr=False)
class Ranking(FrameLike):
    """The rows or groups that move something most, the largest first: a table that is used as a DataFrame.

    Attributes
    ----------
    labels : ndarray, shape (k,)
        What they are called: the index of the table.
    position : ndarray of int, shape (k,)
        Where they stand in the result that was asked: its lines, `theta[position]` for example.
    change : ndarray, shape (k,)
        The moves, after minus before.
    title : str
        What moves.
    about : tuple or None
        Which column each line is about, where none was chosen among several.
    note : str
        How to read the signs, "" where there is nothing to add.
    called : str
        What the table calls `change`, where that is a level: "score" of a suspect, "loss" of a fold.
    more : dict of str to array_like
        Further columns of the table.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 3, [1.0, 3.0, 5.5], row_labels=["low", "middle", "high"])
    >>> ranking = fit.influence().on_prediction([[1.0]]).top(2)
    >>> print(ranking)      # without the high row the prediction falls, by (theta - y) / n to first order
    First-order change of linear prediction without the row, after minus before, the largest first
          position    change
    high         2 -0.777778
    low          0  0.722222
    >>> ranking.index.tolist(), ranking["position"].tolist()
    (['high', 'low'], [2, 0])
    """

    HEADING = "{0.title}, {0.ordered}"

    labels: NDArray[Any]
    position: NDArray[np.intp]
    change: NDArray[Any]
    title: str
    about: tuple[Any, ...] | None = None
    note: str = ""
    called: str = "change"
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ordered(self) -> str:
        """How the lines are ordered, in words."""
        return "the largest first" + (f", {RELATIVE}" if self.about is not None else "")

    def to_frame(self) -> DataFrame:
        """Return "position", "column" where several were compared, "change" and `more`, by label."""
        import pandas as pd

        named = {} if self.about is None else {"column": list(self.about)}
        table = {"position": self.position, **named, self.called: self.change, **self.more}
        frame = pd.DataFrame(table, index=index_of(self.labels))
        frame.attrs["note"] = self.note
        return frame


class Ranked(Tabled):
    """A result about removals, one line each, that says which of them move most."""

    def moves(self) -> Moves:
        """Return how far each removal moves what."""
        raise NotImplementedError  # pragma: no cover - each has its own

    def top(self, k: int = 5, *, column: Any = None, side: str | None = None) -> Ranking:
        """Return the k rows or groups that move most, by absolute size, the largest first.

        Parameters
        ----------
        k : int
            How many; fewer where fewer move at all. What is nan is left out.
        column : int or label, optional
            Which column of the result, by its label, or by position where that is no label. Left out, and
            where there are several: each row by the column that it moves furthest, moves measured in root
            mean squares of their column.
        side : {"rise", "fall"}, optional
            Only moves up, or only moves down.

        Returns
        -------
        Ranking
            Position and change by label: it prints, and is used, as a DataFrame.

        Raises
        ------
        InvalidArgument, InvalidType
            There is no such column or side, or k is not a whole number above 0.
        """
        return self.moves().top(k, column, side)

    def in_short(self) -> str:
        """Return how many rows are done, and the three largest moves, in one line."""
        return self.moves().in_short()


def position_of(column: Any, columns: Sequence[Any]) -> int:
    """Return the position of a column given by its label, or by position where that is no label; or raise."""
    m = len(columns)
    if column is None:
        return 0
    # Coefficients are called by the text of a table's column: its number 0 is "0".
    given = () if isinstance(column, (bool, np.bool_)) else (column, str(column))  # though True == 1
    found = (_called(one, columns) for one in given)
    labels: list[int] = next((some for some in found if some), [])
    if len(labels) == 1:
        return labels[0]
    if labels or isinstance(column, (str, tuple)):
        raise InvalidArgument(
            "column",
            f"be the label of one quantity ({', '.join(map(str, columns[:6]))}"
            + (", ...)" if m > 6 else ")"),
            among(column, len(labels)),
            "Pass one of these, or a position.",
        )
    position = whole_number("column", column, at_least=0)
    if position >= m:
        raise InvalidArgument("column", f"be below {m}", f"is {position}", "Pass a smaller one.")
    return position


def _called(name: Any, columns: Sequence[Any]) -> list[int]:
    """Return the positions of the columns with this label, equal as the keys of a dict are."""
    places: dict[Any, list[int]] = {}
    for k, label in enumerate(columns):
        places.setdefault(label, []).append(k)
    with suppress(TypeError):  # arrays, lists, tuples of them: no key, so no label either
        return places.get(name, [])
    return []
