"""Rows beyond memory: python tests/benchmarks/partitions.py [ROWS ...] [--exact ROWS] [--folder DISK].

For each number of rows (1e6 and 1e7 when left out; 1e8 makes a file of 20 GB) a float32 memory map of 50
columns is written in blocks. A logistic fit, and the 100 rows of most influence on a test loss and on one
coefficient, are found in a process of its own: by two threads, and by a dask cluster of two processes of
limited memory. `--exact` leaves every row out of so many rows x 10 columns, with bounds, to Parquet.

Every figure is printed beside its limit: less than 2 GB resident in all processes together; a pass at most
twice as long as reading the file once, by the same readers, right before it (of files that memory does not
hold: `--large` rows and more); seconds a row within 30 % across sizes, from the disk; two workers at least
1.6 times one, where the file is in memory. Files are deleted at the end, after an interrupt (Ctrl-C, SIGTERM)
too; what a killed run has left, the next deletes.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np

import influstat as ist

AT_ONCE = 200_000
COLUMNS, EXACT_COLUMNS = 50, 10
PREFIX = "influstat-partitions-"
LARGEST_GB, LONGEST, SPREAD, GAIN = 2.0, 2.0, 0.3, 1.6
WORKER_LIMIT = "900MB"  # of a process of the cluster, two of which and their scheduler stay below 2 GB


# -- the files -------------------------------------------------------------------------------------------


def make(folder, n, p):
    """Write n rows x p columns of float32, and their classes."""
    rng = np.random.Generator(np.random.SFC64(0))
    slope = 0.2 * rng.standard_normal(p)
    with (folder / "x").open("wb") as x, (folder / "y").open("wb") as y:
        for start in range(0, n, AT_ONCE):
            rows = rng.standard_normal((min(AT_ONCE, n - start), p), dtype=np.float32)
            rows.tofile(x)
            (rng.random(len(rows)) < 1.0 / (1.0 + np.exp(-rows @ slope))).astype(np.float32).tofile(y)


def forget(path):
    """Let the system forget the pages of a file that it has in memory, as far as it does."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def mapped(folder, n, p, **settings):
    """Return the rows as partitions, and one of them as a test row."""
    x = np.memmap(folder / "x", np.float32, "r", shape=(n, p))
    y = np.memmap(folder / "y", np.float32, "r", shape=(n,))
    return ist.partitions(x, y, **settings), np.array(x[:1]), np.array(y[:1])


def sweep(disk):
    """Delete the folders of runs that were killed."""
    for folder in disk.glob(f"{PREFIX}*"):
        process = folder.name.removeprefix(PREFIX).partition("-")[0]
        if not Path("/proc", process).exists():
            shutil.rmtree(folder, ignore_errors=True)


# -- what is measured, each in a process of its own ------------------------------------------------------


def touch(partition, block):
    """Read a partition, and no more."""


class Clock:
    """Wall and processor seconds, and peak memory, of this process and those of a cluster."""

    def __init__(self, client=None):
        self._client = client

    def _all(self, function):
        return [function()] + ([] if self._client is None else list(self._client.run(function).values()))

    def seconds(self, function):
        """Return wall seconds, processor seconds of all processes, and the result of a call."""
        before, start = sum(self._all(processor)), perf_counter()
        result = function()
        return perf_counter() - start, sum(self._all(processor)) - before, result

    def peak(self):
        """Return the peaks of resident memory of all processes together, in GB."""
        return sum(self._all(peak))


def processor():
    """Return the processor seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak():
    """Return the largest resident memory that this process had, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def child(folder, n, workers):
    """Fit and rank by so many threads, or the processes of a cluster where `workers` begins with "c"."""
    if not workers.startswith("c"):
        return fit_and_rank(folder, n, int(workers), Clock())
    from dask.distributed import Client, LocalCluster

    count = int(workers[1:])
    settings = {"n_workers": count, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(memory_limit=WORKER_LIMIT, **settings) as cluster, Client(cluster) as client:
        return fit_and_rank(folder, n, client, Clock(client))


def fit_and_rank(folder, n, runner, clock):
    """Return seconds and peak memory."""
    data, xt, yt = mapped(folder, n, COLUMNS, runner=runner)
    risk = ist.PartitionedRisk(ist.LogisticLoss(), data, penalty=ist.L2(1.0))
    planned = risk.plan(passes=1)
    forget(folder / "x")
    reading = clock.seconds(lambda: data.runner.reduce(data.source, touch))
    forget(folder / "x")
    cold = clock.seconds(lambda: risk.sums(np.full(COLUMNS, 0.01)))
    warm = clock.seconds(lambda: risk.sums(np.full(COLUMNS, 0.011)))
    again = clock.seconds(lambda: risk.sums(np.full(COLUMNS, 0.012)))
    before = risk.passes
    whole, busy, fit = clock.seconds(lambda: ist.PartitionedFit.minimise(risk))
    loss = clock.seconds(lambda: fit.influence().on_loss(xt, yt).top(100))
    unit = np.eye(COLUMNS)[:, 3]
    coefficient = clock.seconds(lambda: fit.influence().on(unit).top(100))
    return {
        "bytes": risk.plan(passes=1).bytes_moved,
        "planned pass": planned.seconds,
        "read": reading[0],
        "read, processor": reading[1],
        "pass from the disk": cold[0],
        "pass": min(warm[0], again[0]),
        "pass, processor": min(cold[1], warm[1], again[1]),
        "fit": whole,
        "fit, processor": busy,
        "passes": risk.passes - before,
        "top 100 of a loss": loss[0],
        "top 100 of a coefficient": coefficient[0],
        "peak GB": clock.peak(),
        "stationarity": fit.stationarity,
    }


def exact(folder, n, workers):
    """Leave every row out, with bounds, to Parquet; return seconds, peak memory and what is proven."""
    import pandas as pd

    clock = Clock()
    data, _, _ = mapped(folder, n, EXACT_COLUMNS, runner=int(workers), rows=100_000)
    fit = ist.Logistic(lam=0.5).fit(data)
    answer = fit.leave_one_out().delta(bounds=True)
    planned = answer.plan()
    spent, busy, path = clock.seconds(lambda: answer.to_parquet(folder / "answer"))
    files = sorted(path.glob("*.parquet"))
    parts = [pd.read_parquet(one) for one in (files[0], files[-1])]
    part = pd.concat(parts)
    bounds = part[[name for name in part if name.startswith("bound")]].to_numpy()
    return {
        "planned": planned.seconds,
        "seconds": spent,
        "processor": busy,
        "peak GB": clock.peak(),
        "written GB": sum(file.stat().st_size for file in path.iterdir()) / 2**30,
        "files": len(files),
        "proven": float(np.isfinite(bounds).mean()),
        "median bound": float(np.nanmedian(bounds)),
        "median change": float(np.median(np.abs(part[list(fit.names)].to_numpy()))),
    }


def in_process(kind, folder, n, workers):
    """Return what a process of its own reports."""
    command = [sys.executable, __file__, "--child", kind, str(folder), str(n), str(workers)]
    alone = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # workers are counted, not BLAS's own threads
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=alone)
    return json.loads(run.stdout.splitlines()[-1])


# -- what is printed -------------------------------------------------------------------------------------


def say(name, value, unit="", *, limit=None, holds=None):
    """Print a figure, and its limit beside it where it has one."""
    end = "" if limit is None else f"   limit {limit}: {'holds' if holds else 'DOES NOT HOLD'}"
    print(f"  {name:<44}{value:>12.4g} {unit}{end}", flush=True)


def show(n, workers, found, *, large):
    """Print what a fit took; of a large file, beside what it may take."""
    limit = LONGEST if large else None
    who = f"{workers[1:]} processes of a cluster" if workers.startswith("c") else f"{workers} threads"
    print(f"{n:.0e} rows x {COLUMNS}, {found['bytes'] / 1e9:.3g} GB, {who}", flush=True)
    say("reading the file once", found["read"], "s")
    ratio = found["pass from the disk"] / found["read"]
    say("a pass, file not in memory", found["pass from the disk"], "s")
    say("  over reading once", ratio, limit=limit, holds=ratio <= LONGEST)
    say("a pass right after one (planned below)", found["pass"], "s")
    say("  planned", found["planned pass"], "s")
    say("  a row", found["pass"] / n * 1e9, "ns")
    say("  a row, processor", found["pass, processor"] / n * 1e9, "ns")
    say("fit", found["fit"], "s")
    share = found["fit"] / max(1, found["passes"]) / found["read"]
    say("  passes over all rows", found["passes"])
    say("  a pass over reading once", share, limit=limit, holds=share <= LONGEST)
    say("  processor", found["fit, processor"], "s")
    say("  stationarity", found["stationarity"])
    for name in ("top 100 of a loss", "top 100 of a coefficient"):
        ratio = found[name] / found["read"]
        say(name, found[name], "s")
        say("  over reading once", ratio, limit=limit, holds=ratio <= LONGEST)
    say("peak resident", found["peak GB"], "GB", limit=LARGEST_GB, holds=found["peak GB"] < LARGEST_GB)


def compare(found):
    """Print seconds a row across sizes, and what a second worker brings."""
    for who in sorted({workers for _, workers in found}):
        sizes = sorted(n for n, workers in found if workers == who)
        for kind in ("pass from the disk", "pass, processor"):
            each = [found[n, who][kind] / n for n in sizes]
            if len(each) > 1:
                spread = max(each) / min(each) - 1.0
                name = f"{kind}: most over least a row, {who}, less 1"
                say(name, spread, limit=SPREAD, holds=spread <= SPREAD)
    for one, two in (("1", "2"), ("c1", "c2")):
        for n in sorted({n for n, who in found if who == one and (n, two) in found}):
            gain = found[n, one]["pass"] / found[n, two]["pass"]
            say(f"{n:.0e} rows: {two} over {one}", gain, "times", limit=GAIN, holds=gain >= GAIN)


def main():
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("rows", nargs="*", type=float, default=[1e6, 1e7])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--exact", type=float, default=0, help="rows that are all left out; alone: 0 rows")
    parser.add_argument(
        "--workers", nargs="*", default=["1", "2", "c1", "c2"], help="threads, or cN processes"
    )
    parser.add_argument("--large", type=float, default=3e7, help="rows of a file beyond memory")
    parser.add_argument("--child", nargs=4)
    arguments = parser.parse_args()
    if arguments.child:
        kind, folder, n, workers = arguments.child
        print(json.dumps((child if kind == "fit" else exact)(Path(folder), int(n), workers)))
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that files are deleted then, too
    sweep(arguments.folder)
    found = {}
    for n in (int(rows) for rows in arguments.rows if rows):
        few = [who for who in arguments.workers if n < arguments.large or not who.endswith("1")]
        for who, one in measured("fit", n, COLUMNS, few, arguments.folder):
            found[n, who] = one
            show(n, who, one, large=n >= arguments.large)
    compare(found)
    n = int(arguments.exact)
    for _, one in measured("exact", n, EXACT_COLUMNS, ["2"] if n else [], arguments.folder):
        print(f"{n:.0e} rows x {EXACT_COLUMNS}, every one left out, certified, to Parquet", flush=True)
        for name, value in one.items():
            if name == "peak GB":
                say(name, value, limit=LARGEST_GB, holds=value < LARGEST_GB)
            else:
                say(name, value)


def measured(kind, n, p, workers, disk):
    """Yield what each number of workers takes for a file that is made, and deleted at the end."""
    if not workers:
        return
    if shutil.disk_usage(disk).free < 2 * n * p * 4 + 2**30:
        print(f"{n:.0e} rows: {disk} has no room for twice their file")
        return
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=disk))
    try:
        start = perf_counter()
        make(folder, n, p)
        print(f"{n:.0e} rows x {p} written in {perf_counter() - start:.3g} s", flush=True)
        for who in workers:
            yield who, in_process(kind, folder, n, who)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
