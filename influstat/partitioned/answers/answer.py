"""`Answer`: one number (or a few) for every row of partitioned data, computed when it is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from influstat.errors import PartitionError, Unsupported
from influstat.input.progress import progress
from influstat.input.validation import FloatArray
from influstat.partitioned.answers.fingerprint import fingerprint
from influstat.partitioned.answers.lazy import lazy_frame
from influstat.partitioned.answers.lock import only_writer
from influstat.partitioned.answers.parquet import Folder, Writing
from influstat.partitioned.answers.part import Failed, Part, joined
from influstat.partitioned.answers.reducers import Reduced, Top
from influstat.partitioned.answers.reductions import Reductions
from influstat.partitioned.answers.zarr import Edges, Store, ZarrWriting, chunks_of, zarr_package
from influstat.partitioned.plan import Cost, PartitionPlan, measured_plan
from influstat.partitioned.sources.parquet import pyarrow_parquet, read_path

TYPICAL = 10  # rows of largest effect, by which a plan judges what a reduction takes
WAVE = 16  # partitions whose rows left over are finished together,
HELD_ENTRIES = 2**24  # unless their answers are as large as this: 128 MiB


class Answer(Reductions):
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
    >>> print(fit.influence().on_prediction([[1.0]]).top(2))
    First-order change of linear prediction without the row, after minus before, the largest first
       position  change
    0         0     0.5
    2         2    -0.5
    """

    def __repr__(self) -> str:
        shown = ", ".join(self.columns[:4]) + (", ..." if len(self.columns) > 4 else "")
        return f"Answer({self.question.quantity}: {shown}; {len(self.ask.starts)} partitions)"

    def plan(self) -> PartitionPlan:
        """Return what a reduction of this answer costs, `top`, say: one partition is reduced for it now.

        To write the answer takes longer, by what Parquet or Zarr takes for as many numbers. Sums that come
        before (of refits: "plan" of the removal) are made when the answer is, and not counted; rows that are
        left for sums over all partitions are.

        Returns
        -------
        PartitionPlan
            Print it for a sentence; `scaled` says what more rows or workers would cost.
        """
        first = int(
            np.argmax(self.ask.rows)
        )  # the largest: what a partition takes besides its rows counts least
        rows = int(self.ask.rows.sum())
        work = Reduced(self.ask, Top(TYPICAL, self.columns))

        def cost(found: Any) -> Cost:
            """Return it where other partitions leave as many of their rows as this one."""
            left = sum(len(one.rows) for one in found.left) * rows / int(self.ask.rows[first])
            return self.question.cost(len(self.ask.theta), rows, left)

        return measured_plan(self.data.source, work, first, cost, rows, self.data.runner.workers)

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
        partitions that are finished, if the files of the rows have kept their names, sizes and times. Read it
        with ``pandas.read_parquet`` or ``dask.dataframe.read_parquet``.

        Parameters
        ----------
        path : str or path
            A new or empty folder, or one that holds a part of this very answer. The workers of a client write
            to it themselves: all of them must see it.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        InvalidArgument
            The folder holds something else: another question's answer, or other files.
        PartitionError
            It cannot be written to, the disk is full, or another process writes to it.
        MissingDependency
            pyarrow is not installed.
        """
        pyarrow_parquet()
        token = fingerprint([self.describe, self.ask.recipe, self.ask.theta, self.question.key()])
        folder = Folder(str(read_path(path)), token)
        count = len(self.ask.starts)
        described = {"quantity": self.question.quantity, "columns": list(self.columns), "partitions": count}
        with folder.held():
            folder.prepare(described)
            wanted = [k for k in range(count) if not folder.finished(k)]
            failed, work = Failed(), Writing(self.ask, folder)
            kind = folder.kind()
            for done in self._results(work, wanted):
                failed = failed.plus(done.failed)
                written = folder.write(done.partition, [done]) if isinstance(done, Part) else done
                kind = folder.alike(kind, written)
        failed.warn()
        return Path(folder.path)

    def to_zarr(self, path: Any) -> Path:
        """Write the answer as one array of a Zarr store: line i for the row at position i.

        All pairs of many rows and many tests: ``fit.influence().on_loss(X, y).to_zarr(path)``, of which a few
        MiB are held at a time. Open it with ``zarr.open_array(path)``; `attrs` has "columns", "quantity" and
        "finished": until that is True, rows that are not written yet are nan. Asked again, it goes on.

        Parameters
        ----------
        path : str or path
            As for `to_parquet`.

        Returns
        -------
        Path
            The store.

        Raises
        ------
        InvalidArgument
            The folder holds something else.
        PartitionError
            It cannot be written to, the disk is full, or another process writes to it.
        MissingDependency
            zarr is not installed.
        """
        zarr_package()
        token = fingerprint([self.describe, self.ask.recipe, self.ask.theta, self.question.key()])
        store = Store(str(read_path(path)), token)
        count, rows = len(self.ask.starts), int(self.ask.rows.sum())
        shape = rows, len(self.columns)
        try:
            Path(store.path).mkdir(parents=True, exist_ok=True)
            with only_writer(Path(store.path)):
                store.prepare(shape, {"quantity": self.question.quantity, "columns": list(self.columns)})
                wanted = [k for k in range(count) if not store.mark(k).exists()]
                work = ZarrWriting(self.ask, store, chunks_of(*shape)[0], rows)
                failed = Failed()
                for done in self._results(work, wanted):
                    failed = failed.plus(done.failed)
                    for start, values in done.rows if isinstance(done, Edges) else self._runs_of(done):
                        store.write(start, values)
                    store.finish(done.partition)
                store.finish()
        except OSError as error:
            if isinstance(error, PartitionError):
                raise
            raise store.unwritable(error) from error
        failed.warn()
        return Path(store.path)

    def _runs_of(self, part: Part) -> list[tuple[int, FloatArray]]:
        if not len(part.positions):
            return []
        return [(int(part.positions[0]), part.matrix(self.columns))]

    def _results(self, work: Any, wanted: Any) -> Any:
        """Yield what writing each partition returns, and show how far it is."""
        return progress(self._waves(self.data.runner.map(self.data.source, work, wanted)), "partitions")

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
