"""`Answer`: one number (or a few) for every row of partitioned data, computed when it is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from influstat.errors import InvalidArgument, InvalidType, Unsupported
from influstat.influence.scores import Ranking
from influstat.input.printing import nearest_first, short
from influstat.input.progress import progress
from influstat.input.validation import FloatArray, numeric_array, vector, whole_number
from influstat.partitioned.answers.fingerprint import fingerprint
from influstat.partitioned.answers.lazy import lazy_frame
from influstat.partitioned.answers.parquet import Folder, Writing
from influstat.partitioned.answers.part import Ask, Failed, Left, Part, Question, joined
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
from influstat.partitioned.plan import PartitionPlan, measured_plan
from influstat.partitioned.runners.base import added
from influstat.partitioned.sources.parquet import pyarrow_parquet, read_path

HELD = 2**20  # values that quantiles may hold: 8 MiB
BINS = 4096
WAVE = 16  # partitions whose rows left over are finished together,
HELD_ENTRIES = 2**24  # unless their answers are as large as this: 128 MiB


class Finisher(Protocol):
    """Answers for rows that ask for sums over all partitions."""

    def __call__(self, left: list[Left]) -> list[Part]:
        """Return one part for each."""
        ...


class Answer:
    """What a question of partitioned rows says of each; nothing is computed until one of the methods asks.

    Attributes
    ----------
    columns : tuple of str
        Its effects or measures; the table has "position", and other columns where the question has them.

    Examples
    --------
    >>> import influstat as ist
    >>> X, y = np.array([[1.0], [1.0], [1.0]]), np.array([1.0, 3.0, 5.0])
    >>> fit = ist.Ridge(lam=1.0).fit(ist.partitions(X, y, rows=2))
    >>> print(fit.influence().on_prediction([[1.0]]).top(1))
    largest rise of the linear prediction
      0  +0.5
    largest fall of the linear prediction
      2  -0.5
    """

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

    def __repr__(self) -> str:
        shown = ", ".join(self.columns[:4]) + (", ..." if len(self.columns) > 4 else "")
        return f"Answer({self.question.quantity}: {shown}; {len(self.ask.starts)} partitions)"

    # -- reduced at once -----------------------------------------------------------------------------

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
        """Return the k rows with the largest values of one column, and those with the smallest.

        Parameters
        ----------
        k : int
            Rows on each side; fewer where fewer rows have a value of that sign.
        column : str, optional
            Which; may be left out where there is only one.

        Returns
        -------
        Ranking
            (label, position, value) of the rows on each side, as of `Scores.top`.
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
            From an array of labels to an array of groups: one line for each group and column.

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
        levels = np.atleast_1d(numeric_array("q", q)).ravel()
        if not ((levels >= 0) & (levels <= 1)).all():
            raise InvalidArgument("q", "lie between 0 and 1", f"is {short(q)}", "Divide percentages by 100.")
        name = self._column(column)
        known = self._moments(name)
        if not known.count:
            return np.full(np.shape(q), np.nan)
        found = [self._quantile(name, known, max(1, int(np.ceil(level * known.count)))) for level in levels]
        return np.array(found).reshape(np.shape(q))

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

    def plan(self) -> PartitionPlan:
        """Return what a reduction of this answer costs: one partition is read and answered for it now.

        Sums that come before (of refits: "plan" of the removal) are made when the answer is, and not counted;
        rows that are left for sums over all partitions are.

        Returns
        -------
        PartitionPlan
            Print it for a sentence; `scaled` says what more rows or workers would cost.
        """
        first = int(np.flatnonzero(self.ask.rows)[0])
        rows = int(self.ask.rows.sum())
        cost = self.question.cost(len(self.ask.theta), rows)
        return measured_plan(self.data.source, self.ask, first, cost, rows, self.data.runner.workers)

    # -- as data -------------------------------------------------------------------------------------

    def parts(self, partitions: Any = None) -> Iterator[Part]:
        """Yield the answer of one partition after the other, whole, only a few at a time in memory."""
        wanted = range(len(self.ask.starts)) if partitions is None else partitions
        failed = Failed()
        for part in self._whole(wanted):
            failed = failed.plus(part.failed)
            yield part
        failed.warn()

    def _whole(self, wanted: Any) -> Iterator[Part]:
        """Yield the parts, rows left over finished for several partitions together."""
        yield from self._waves(self.data.runner.map(self.data.source, self.ask, wanted))

    def _waves(self, found: Iterator[Any]) -> Iterator[Any]:
        """Yield parts in order; those that leave rows wait for others, whose rows share the passes."""
        wave: list[Any] = []
        held = 0
        for part in found:
            if part.left is None and not wave:
                yield part
                continue
            wave.append(part)
            held += part.entries
            if len(wave) == WAVE or held >= HELD_ENTRIES:
                yield from self._finished(wave)
                wave, held = [], 0
        yield from self._finished(wave)

    def _finished(self, wave: list[Any]) -> list[Any]:
        left = [part.left for part in wave if part.left is not None]
        if not left:
            return wave
        assert self.finish is not None  # only such questions leave rows
        finished = {part.partition: part for part in self.finish(left)}
        return [joined([part, finished[part.partition]]) if part.left else part for part in wave]

    def to_parquet(self, path: Any) -> Path:
        """Write the answer as a folder of Parquet files, one a partition, with labels and positions.

        Asked again with the same path, after an interrupt, a crash or a full disk, it goes on from the
        partitions that are finished. Read it with ``pandas.read_parquet`` or ``dask.dataframe.read_parquet``.

        Parameters
        ----------
        path : str or path
            A new or empty folder, or one that holds a part of this very answer.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        InvalidArgument
            The folder holds something else: another question's answer, or other files.
        PartitionError
            It cannot be written to, or the disk is full.
        MissingDependency
            pyarrow is not installed.
        """
        pyarrow_parquet()
        token = fingerprint([self.describe, self.ask.recipe, self.ask.theta, self.question.key()])
        folder = Folder(str(read_path(path)), token)
        count = len(self.ask.starts)
        described = {"quantity": self.question.quantity, "columns": list(self.columns), "partitions": count}
        folder.prepare(described)
        wanted = [k for k in range(count) if not folder.finished(k)]
        failed, work = Failed(), Writing(self.ask, folder)
        results = progress(self._waves(self.data.runner.map(self.data.source, work, wanted)), "partitions")
        for done in results:
            failed = failed.plus(done.failed)
            if isinstance(done, Part):
                folder.write(done.partition, [done])
        failed.warn()
        return Path(folder.path)

    def to_dask(self) -> Any:
        """Return the answer as a lazy dask.dataframe, one partition each; labels are its index.

        Returns
        -------
        dask.dataframe.DataFrame

        Raises
        ------
        Unsupported
            Some rows may ask for sums over all partitions, which no partition can do alone.
        MissingDependency
            dask.dataframe is not installed.
        """
        if self.question.leaves:
            raise Unsupported(
                "method",
                "answer each partition by itself for a lazy dataframe",
                "may leave rows for sums over all partitions",
                "Use to_parquet(path), and read it with dask.dataframe.read_parquet.",
            )
        return lazy_frame(self.data.source, self.ask)

    def to_frame(self) -> Any:
        """Return the whole answer as a DataFrame, indexed by the labels of the rows: n rows are then held."""
        import pandas as pd

        return pd.concat([part.frame() for part in self.parts() if len(part.positions)])


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
