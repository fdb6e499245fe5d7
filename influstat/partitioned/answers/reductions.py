"""`Reductions`: what an answer is reduced to without being held, in one pass or a few."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from influstat.errors import InvalidArgument, InvalidType
from influstat.input.printing import nearest_first, short
from influstat.input.ranking import Ranking
from influstat.input.validation import FloatArray, numeric_array, vector, whole_number
from influstat.partitioned.answers.part import Ask, Left, Part, Question
from influstat.partitioned.answers.reducers import (
    Between,
    Columnwise,
    Histogram,
    Moments,
    Reduced,
    Reducer,
    Top,
    Totals,
    WithLeft,
)
from influstat.partitioned.data import Partitions
from influstat.partitioned.runners.base import added

HELD = 2**20  # values that quantiles may hold: 8 MiB
BINS = 4096


class Finisher(Protocol):
    """Answers for rows that ask for sums over all partitions."""

    def __call__(self, left: list[Left]) -> list[Part]:
        """Return one part for each."""
        ...


class Reductions:
    """The part of an `Answer` that is computed at once."""

    # `describe` is what tells the data from others, `finish` what answers for rows that a partition leaves.

    def __init__(
        self, data: Partitions, ask: Ask, describe: tuple[Any, ...], finish: Finisher | None = None
    ) -> None:
        self.data, self.ask, self.describe, self.finish = data, ask, describe, finish

    @property
    def question(self) -> Question:
        """What is asked."""
        return self.ask.question

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that can be ranked."""
        return self.question.columns

    def reduce(self, reducer: Reducer) -> Any:
        """Return the sum over partitions of what `reducer` makes of each `Part`; nothing else is held."""
        found: WithLeft = self.data.runner.reduce(self.data.source, Reduced(self.ask, reducer))
        total = found.reduced
        if found.left:
            assert self.finish is not None  # only such questions leave rows
            for part in self.finish(found.left):
                total = added(total, reducer(part))
                found.failed = found.failed.plus(part.failed)
        found.failed.warn()
        return total

    def top(self, k: int = 5, *, column: Any = None) -> Ranking:
        """Return the k rows of the largest absolute values of one column.

        Parameters
        ----------
        k : int
            How many; fewer where fewer rows have a value that is not 0.
        column : str, optional
            Which; may be left out where there is only one.

        Returns
        -------
        Ranking
            The largest first, as of `Scores.top`.
        """
        name = self._column(column)
        reducer = Top(whole_number("k", k, at_least=1), (name,))
        found: Columnwise = self.reduce(reducer)
        ranking: Ranking = found.of[name].ranking(self.question.heading(name))
        return ranking

    def top_of_each(self, k: int = 5) -> dict[str, Ranking]:
        """Return `top` of every column, e.g. of every test row, in one pass."""
        found: Columnwise = self.reduce(Top(whole_number("k", k, at_least=1), self.columns))
        return {name: found.of[name].ranking(self.question.heading(name)) for name in self.columns}

    def summary(self, by: Any = None) -> Any:
        """Return count, number of nan, sum, mean, standard deviation, least and most of every column.

        Parameters
        ----------
        by : callable, optional
            From an array of labels to an array of groups: one line for each group and column. Where labels
            are positions, ``lambda labels: groups[labels]``.

        Returns
        -------
        DataFrame
            Indexed by group (0 without `by`) and column.
        """
        import pandas as pd

        if by is not None:
            self._require_groups(by)
        found: dict[Any, Moments] = self.reduce(Totals(self.columns, by)).of
        lines = {key: _line(moments) for key, moments in found.items()}
        frame = pd.DataFrame.from_dict(lines, orient="index")
        frame.index = pd.MultiIndex.from_tuples(list(lines), names=["group", "column"])
        return frame.sort_index(kind="stable")

    def _require_groups(self, by: Any) -> None:
        """Raise unless `by` makes groups of the labels of two rows."""
        if not callable(by):
            need = "be a function from an array of labels to one group for each"
            remedy = "Pass e.g. `lambda labels: groups[labels]`, where labels are positions."
            raise InvalidType("by", need, f"is {short(by)}", remedy)
        first = int(np.flatnonzero(self.ask.rows)[0])
        labels = self.ask(first, self.data.source.block(first).take(slice(0, 2))).labels
        need, remedy = (
            "return one group for each of an array of labels",
            "Pass such a function, or leave it out.",
        )
        try:
            groups = np.asarray(by(labels))
        except Exception as error:  # a caller's own function may raise anything
            raise InvalidType("by", need, f"raises {type(error).__name__}: {error}", remedy) from error
        if groups.shape != labels.shape:
            raise InvalidArgument("by", need, f"returns {short(groups)}", remedy)

    def histogram(self, bins: Any = 50, *, column: Any = None) -> tuple[Any, FloatArray]:
        """Return counts and edges of the values of one column, as `np.histogram`.

        Parameters
        ----------
        bins : int or array_like
            How many between the least and the most (a pass of its own finds these), or the edges.
        column : str, optional
            As for `top`.

        Returns
        -------
        ndarray of int, shape (b,), and ndarray, shape (b + 1,)
        """
        name = self._column(column)
        if isinstance(bins, (list, tuple, np.ndarray)):
            edges = vector("bins", bins)
            if len(edges) < 2 or not (np.diff(edges) > 0).all():
                remedy = "Sort them, or pass a number of bins."
                raise InvalidArgument("bins", "be edges that increase", f"is {short(bins)}", remedy)
        else:
            known = self._moments(name)
            edges = np.linspace(
                known.least, known.most, whole_number("bins", bins, at_least=1, at_most=10**6) + 1
            )
        return self.reduce(Histogram(name, edges)).counts, edges

    def quantiles(self, q: Any, *, column: Any = None) -> FloatArray:
        """Return quantiles of one column, each a value of it (`np.quantile` with method "inverted_cdf").

        Exact, by counting in ever finer bins until a bin's values can be held: a few passes each.

        Parameters
        ----------
        q : array_like
            Between 0 and 1.
        column : str, optional
            As for `top`.

        Returns
        -------
        ndarray, of the shape of q
        """
        given = numeric_array("q", q)
        levels = np.atleast_1d(given).ravel()
        if not ((levels >= 0) & (levels <= 1)).all():
            raise InvalidArgument("q", "lie between 0 and 1", f"is {short(q)}", "Divide percentages by 100.")
        name = self._column(column)
        known = self._moments(name)
        if not known.count:
            return np.full(given.shape, np.nan)
        found = [self._quantile(name, known, max(1, int(np.ceil(level * known.count)))) for level in levels]
        return np.array(found).reshape(given.shape)

    def _quantile(self, name: str, known: Moments, rank: int) -> float:
        """Return the value of this rank, counted from 1."""
        low, high, inside, below = known.least, known.most, known.count, 0
        while inside > HELD and np.nextafter(low, high) < high:
            edges = np.linspace(low, high, BINS + 1)
            counts = self.reduce(Histogram(name, edges)).counts
            place = int(np.searchsorted(np.cumsum(counts), rank - below))
            below, inside = below + int(counts[:place].sum()), int(counts[place])
            low, high = float(edges[place]), float(edges[place + 1])
        if np.nextafter(low, high) >= high:
            return low
        values = np.sort(np.concatenate(self.reduce(Between(name, low, high)).values))
        return float(values[rank - below - 1])

    def _moments(self, name: str) -> Moments:
        found: Moments = self.reduce(Totals((name,))).of[0, name]
        return found

    def _column(self, column: Any) -> str:
        if column is None:
            if len(self.columns) > 1:
                was = f"is None; there are {nearest_first('', self.columns)}"
                raise InvalidArgument(
                    "column", f"choose one of the {len(self.columns)}", was, "Pass its name."
                )
            return self.columns[0]
        if str(column) not in self.columns:
            was = f"is {column!r}; there are {nearest_first(column, self.columns)}"
            raise InvalidArgument("column", "name a column of the answer", was, "Pass one of these.")
        return str(column)


def _line(moments: Moments) -> dict[str, float]:
    n = moments.count
    mean = moments.total / n if n else np.nan
    spread = np.sqrt(max(moments.squares - n * mean * mean, 0.0) / (n - 1)) if n > 1 else np.nan
    return {
        "count": n,
        "nan": moments.nan,
        "sum": moments.total,
        "mean": mean,
        "std": float(spread),
        "least": moments.least,
        "most": moments.most,
    }
