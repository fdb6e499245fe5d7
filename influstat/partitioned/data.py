"""`partitions`: the one entry for rows that are read a partition at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from influstat.errors import InvalidArgument, InvalidType
from influstat.input.printing import short
from influstat.input.tables import is_lazy
from influstat.input.validation import numeric_array, whole_number
from influstat.partitioned.runners.base import Runner, Serial, Threads
from influstat.partitioned.runners.cluster import Cluster, is_client
from influstat.partitioned.sources.arrays import ArraySource
from influstat.partitioned.sources.base import Source, by_row
from influstat.partitioned.sources.chunks import ChunkSource
from influstat.partitioned.sources.columns import Columns, read_levels, read_names
from influstat.partitioned.sources.dask_collections import (
    INDEX,
    DaskArraySource,
    DaskFrameSource,
    frame_labels,
    joined,
    kind_of,
)
from influstat.partitioned.sources.dataset import DatasetSource, hive_folder, is_dataset
from influstat.partitioned.sources.formula import FormulaColumns, formula_columns
from influstat.partitioned.sources.frames import FrameSource, are_frames
from influstat.partitioned.sources.parquet import ParquetSource, are_paths, is_hive

KINDS = (
    "be arrays, memory maps, a csr_array, the path of a Parquet file or folder, a pyarrow "
    "dataset, a dask array or dataframe, a table or a list of them, or a callable that returns an iterator "
    "of chunks"
)


@dataclass(frozen=True, eq=False)
class Partitions:
    """Rows in partitions, and who works on them; made by `influstat.partitions`.

    Attributes
    ----------
    source : Source
        Where the rows are.
    runner : Runner
        Who reads and works on them.

    Examples
    --------
    >>> import influstat as ist
    >>> ist.partitions(np.ones((4, 2)), np.ones(4), rows=2, runner="serial")
    Partitions(ArraySource of 2 columns, Serial of 1)
    """

    source: Source
    runner: Runner

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns of X are called."""
        return self.source.names

    def __repr__(self) -> str:
        kind, runner = type(self.source).__name__, type(self.runner).__name__
        return f"Partitions({kind} of {len(self.names)} columns, {runner} of {self.runner.workers})"


def partitions(
    data: Any,
    y: Any = None,
    *,
    columns: Any = None,
    weights: Any = None,
    offset: Any = None,
    labels: Any = None,
    groups: Any = None,
    levels: Any = None,
    formula: Any = None,
    rows: Any = None,
    runner: Any = None,
) -> Partitions:
    """Return rows that are read a partition at a time: beyond memory, or on several machines.

    Parameters
    ----------
    data : see below
        - ndarray, `np.memmap` or scipy.sparse, shape (n, p), cut into partitions of `rows` rows. float32
          stays float32 until it is worked on; the file of a memory map is read piece by piece.
        - path of a Parquet file or of a folder of them (also a list of paths): a row group is a partition.
        - pyarrow dataset (its filter is kept) or Table; a folder of Hive partitions ("year=2020/") is one.
        - dask.array (cut along rows) or dask.dataframe.
        - table of pandas or polars, or a list of them: each is a partition.
        - a callable that returns a new iterator of chunks each time it is called: (X, y), (X, y, weights),
          a dict of arrays, or a DataFrame.
    y : array_like of shape (n,), dask.array, or str
        Targets; the name of their column where the data are a table, or beside a dask.dataframe a series of
        dask, whose rows are paired by the index.
    columns : sequence of str, optional
        Of a table, the columns of X; all that are not named otherwise when left out. Of arrays, their names.
    weights, offset, labels : array_like of shape (n,), or str, optional
        w_i >= 0 (default 1), o_i (default 0) and what rows are called: positions over all partitions where
        left out; of a dask.dataframe its index, where divisions are known: "index" asks that it tells rows
        apart, else repeated labels are told by "position", as everywhere.
    groups : array_like of shape (n,), or str, optional
        Which group each row is in, for `leave_groups_out` and `cross_validate`.
    levels : dict of lists, optional
        Of columns of a table that hold categories: all of them, the same for every partition, of which the
        first is the reference. The others become columns of 0 and 1, called "colour[T.red]".
    formula : str or statsmodels results, optional
        Of a table, in place of y and columns: what makes targets and rows, e.g. "y ~ C(colour) + np.log(x)",
        evaluated on each partition; categories are those of `levels`. Of results, their own formula, levels
        and what its transforms have learned are reused. Its "Intercept" is a column like any other: models
        with a penalty leave it free where the formula has "- 1" and the model ``intercept=True``.
    rows : int or list of int, optional
        Rows of a partition (or of each), for arrays; about 16 MiB of X when left out.
    runner : {"serial", "threads"}, int, or dask.distributed.Client, optional
        One thread; as many as there are processors (or as `int` says), the default; or a cluster's workers.
        Several threads may take half as long where the BLAS has one: OPENBLAS_NUM_THREADS=1, say.
        A pickle leaves the client behind: where it is read, threads do the work.

    Returns
    -------
    Partitions
        What `ist.Logistic(lam=1.0).fit`, other models and `ist.PartitionedRisk` take in place of X and y.

    Raises
    ------
    InvalidArgument, InvalidType
        The parts do not belong together; a column does not exist; the client is closed.
    MissingDependency
        Parquet or a dask client is asked for, and the package is not installed.

    Examples
    --------
    >>> import influstat as ist
    >>> X, y = np.array([[1.0], [1.0], [1.0]]), np.array([1.0, 3.0, 5.0])
    >>> data = ist.partitions(X, y, rows=2)             # two partitions, of two rows and of one
    >>> fit = ist.Ridge(lam=1.0).fit(data)
    >>> fit.theta                                       # 9 / (3 + 1)
    array([2.25])
    """
    extra = {"weights": weights, "offset": offset, "labels": labels, "groups": groups}
    known = read_levels(levels)
    of_table = None if formula is None else _by_formula(data, formula, y, columns, known, extra)
    source = _source(data, y, columns, known, rows, extra, of_table)
    return Partitions(source, _runner(runner, source))


def beyond_memory(data: Any) -> bool:
    """Tell whether `data` is a dask collection, a dataset of pyarrow or the path of files: not in memory."""
    return bool(kind_of(data)) or are_paths(data) or is_dataset(data, in_memory=False)


def _by_formula(
    data: Any, formula: Any, y: Any, columns: Any, levels: Any, extra: dict[str, Any]
) -> FormulaColumns:
    """Return the columns of a formula; y and columns are its own."""
    for name, value in (("y", y), ("columns", columns)):
        if value is not None:
            raise InvalidArgument(name, "be left out with a formula", "is given", "The formula says it.")
    table = are_paths(data) or is_dataset(data) or are_frames(data)
    table = table or kind_of(data) == "dataframe" or callable(data)
    if not table:
        need = "be left out where the data are no table"
        raise InvalidArgument("formula", need, "is given", "Pass Parquet files, tables or chunks.")
    named = {key: None if key == "labels" and value == INDEX else value for key, value in extra.items()}
    return formula_columns(formula, levels, named)


def _source(
    data: Any,
    y: Any,
    columns: Any,
    levels: Any,
    rows: Any,
    extra: dict[str, Any],
    of_table: Columns | None,
) -> Source:
    if isinstance(data, Source):
        return data
    if is_hive(data):
        data = hive_folder(data)
    if is_lazy(data):
        was, example = f"is a {type(data).__name__}", "[data.slice(k, 10**6).collect() for k in ...]"
        raise InvalidType(
            "data", KINDS, was, f"Pass the paths of its files, or collect it in parts: {example}."
        )
    for is_one, source in (
        (is_dataset, DatasetSource),
        (are_paths, ParquetSource),
        (are_frames, FrameSource),
    ):
        if is_one(data):
            _only_names(rows, extra, "a table")
            return source(data, of_table or _columns(y, columns, levels, **extra))
    kind = kind_of(data)
    if kind == "array":
        if y is None:
            raise InvalidArgument("y", "be given with arrays", "is left out", "Pass their targets.")
        if rows is not None:
            raise InvalidArgument("rows", "be left out with dask arrays", "is given", "Call X.rechunk.")
        return DaskArraySource(data, y, names=read_names(columns), **extra)
    if kind == "dataframe":
        data, extra = joined(data, {"y": y, **extra})
        y = extra.pop("y")
        _only_names(rows, extra, "a table")
        labelled = frame_labels(data, extra["labels"])
        named_by = of_table or _columns(y, columns, levels, **{**extra, "labels": None})
        return DaskFrameSource(data, replace(named_by, **labelled))
    if callable(data):
        _only_names(rows, extra, "a callable")
        if of_table is None and y is not None:
            of_table = _columns(y, columns, levels, **extra)
        return ChunkSource(data, of_table)
    if levels:
        raise InvalidArgument("levels", "be left out with arrays", "is given", "Arrays hold numbers alone.")
    if isinstance(data, np.ndarray) or sp.issparse(data):
        if y is None:
            raise InvalidArgument("y", "be given with arrays", "is left out", "Pass their targets.")
        named = read_names(columns)
        if isinstance(rows, (list, tuple)) or (isinstance(rows, np.ndarray) and rows.ndim == 1):
            rows = [whole_number("rows", one, at_least=0) for one in rows]
        elif rows is not None:
            rows = whole_number("rows", rows, at_least=1)
        arrays = {name: None if value is None else by_row(name, value) for name, value in extra.items()}
        return ArraySource(_matrix(data), by_row("y", y), rows=rows, names=named, **arrays)
    raise InvalidType("data", KINDS, f"is {short(data)}", "Convert it, e.g. with np.asarray.")


def _matrix(data: Any) -> Any:
    """Return X of numbers as it is, or raise; entries are looked at when they are read."""
    if data.ndim != 2 or data.shape[1] == 0:
        was = f"has shape {data.shape}"
        raise InvalidArgument("data", "be two-dimensional (rows, columns)", was, "Pass a matrix.")
    return data if data.dtype.kind in "fiub" or sp.issparse(data) else numeric_array("data", data)


def _only_names(rows: Any, extra: dict[str, Any], what: str) -> None:
    given = [
        name
        for name, value in {"rows": rows, **extra}.items()
        if not (value is None or isinstance(value, str))
    ]
    if given:
        need = f"be left out, or name a column, with {what}"
        raise InvalidArgument(given[0], need, "is given", "Let the data hold it, and name its column.")


def _columns(y: Any, columns: Any, levels: Any, **extra: Any) -> Columns:
    """Return which columns of a table are what, all of them named by text."""
    for name, value in {"y": y, **extra}.items():
        if not (isinstance(value, str) or (value is None and name != "y")):
            raise InvalidType(name, "name a column of the table", f"is {short(value)}", "Pass its name.")
    return Columns(y, read_names(columns), levels=levels, **extra)


def _runner(runner: Any, source: Source) -> Runner:
    found: Runner
    if isinstance(runner, Runner):
        found = runner
    elif runner is None or (isinstance(runner, str) and runner == "threads"):
        found = Threads()
    elif isinstance(runner, str) and runner == "serial":
        found = Serial()
    elif is_client(runner):
        found = Cluster(runner)
    elif isinstance(runner, int) and not isinstance(runner, bool):
        found = Threads(whole_number("runner", runner, at_least=1))
    else:
        raise InvalidType(
            "runner",
            'be "serial", "threads", a number of threads, or a dask client',
            f"is {short(runner)}",
            "Pass one of these.",
        )
    return Serial() if source.in_order else found
