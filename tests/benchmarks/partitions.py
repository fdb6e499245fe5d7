"""Rows beyond memory: python tests/benchmarks/partitions.py [rows ...] [--workers 1 2] [--exact ROWS].

For each number of rows (1e6 and 1e7 by default; 1e8 makes a file of 20 GB, only where 40 GB are free) a
float32 memory map of 50 columns is made. A logistic fit, and the 100 rows of most influence on a test loss
and on one coefficient, are found in a process of their own, whose peak of resident memory is reported. The
file is deleted.

Yardsticks in the same run: reading the file once, and one worker against two. Targets: less than 2 GB
resident, a pass at most twice as long as reading the file from the disk, seconds per row constant within
30 %, two workers at least 1.6 times one. `--exact` leaves every row out of so many rows x 10 columns, with
bounds, to Parquet.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np

import influstat as ist

AT_ONCE = 200_000
COLUMNS, EXACT_COLUMNS = 50, 10


def make(folder, n, p):
    """Write n rows x p columns of float32, and their classes."""
    rng = np.random.default_rng(0)
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


def seconds(function):
    """Return how long a call takes, and its result."""
    start = perf_counter()
    result = function()
    return perf_counter() - start, result


def read_once(path):
    """Read a file from its start to its end."""
    with path.open("rb") as file:
        while file.read(2**24):
            pass


def mapped(folder, n, p, **settings):
    """Return the rows as partitions."""
    x = np.memmap(folder / "x", np.float32, "r", shape=(n, p))
    y = np.memmap(folder / "y", np.float32, "r", shape=(n,))
    return ist.partitions(x, y, **settings), np.array(x[:1]), np.array(y[:1])


def child(folder, n, workers):
    """Fit and rank; return seconds and peak memory."""
    data, xt, yt = mapped(folder, n, COLUMNS, runner=workers)
    risk = ist.PartitionedRisk(ist.LogisticLoss(), data, penalty=ist.L2(1.0))
    planned = risk.plan(passes=1).seconds
    forget(folder / "x")
    cold, _ = seconds(lambda: risk.sums(np.zeros(COLUMNS)))
    warm, _ = seconds(lambda: risk.sums(np.full(COLUMNS, 0.01)))
    whole, fit = seconds(lambda: ist.PartitionedFit.minimise(risk))
    loss, _ = seconds(lambda: fit.influence().on_loss(xt, yt).top(100))
    unit = np.eye(COLUMNS)[:, 3]
    coefficient, _ = seconds(lambda: fit.influence().on(unit).top(100))
    return {
        "planned pass": planned,
        "pass, file not in memory": cold,
        "pass": warm,
        "fit": whole,
        "passes": risk.passes,
        "top 100 of a loss": loss,
        "top 100 of a coefficient": coefficient,
        "peak GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "gradient": fit.stationarity,
    }


def exact(folder, n, workers):
    """Leave every row out, with bounds, to Parquet; return seconds, peak memory and what is proven."""
    data, _, _ = mapped(folder, n, EXACT_COLUMNS, runner=workers, rows=100_000)
    fit = ist.Logistic(lam=0.5).fit(data)
    removal = fit.leave_one_out()
    planned = removal.plan.seconds()
    spent, path = seconds(lambda: removal.delta(bounds=True).to_parquet(folder / "answer"))
    import pandas as pd

    part = pd.read_parquet(next(iter(sorted(path.glob("*.parquet")))))
    bounds = part[[name for name in part if name.startswith("bound")]].to_numpy()
    return {
        "planned, one thread": planned,
        "seconds": spent,
        "rows a second": n / spent,
        "peak GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "written GB": sum(file.stat().st_size for file in path.iterdir()) / 2**30,
        "proven": float(np.isfinite(bounds).mean()),
        "median bound": float(np.nanmedian(bounds)),
    }


def in_process(kind, folder, n, workers):
    """Return what a process of its own reports."""
    command = [sys.executable, __file__, "--child", kind, str(folder), str(n), str(workers)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def report(title, found):
    """Print what was measured."""
    print(f"{title}: " + ", ".join(f"{name} {value:.4g}" for name, value in found.items()), flush=True)


def main():
    """Run what was asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", nargs="*", type=float, default=[1e6, 1e7])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--exact", type=float, default=0)
    parser.add_argument("--workers", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--child", nargs=4)
    arguments = parser.parse_args()
    if arguments.child:
        kind, folder, n, workers = arguments.child
        found = (child if kind == "fit" else exact)(Path(folder), int(n), int(workers))
        print(json.dumps(found))
        return
    for n in map(int, [] if arguments.exact else arguments.rows):
        folder = Path(tempfile.mkdtemp(dir=arguments.folder))
        try:
            if shutil.disk_usage(folder).free < 2 * n * COLUMNS * 4:
                print(f"{n} rows: the disk has no room for twice their file")
                continue
            make(folder, n, COLUMNS)
            forget(folder / "x")
            print(f"{n} rows: reading the file once {seconds(lambda: read_once(folder / 'x'))[0]:.3g} s")  # noqa: B023
            for workers in arguments.workers:
                found = in_process("fit", folder, n, workers)
                report(f"{n} rows, {workers} threads, {found['pass'] / n * 1e9:.0f} ns a row and pass", found)
        finally:
            shutil.rmtree(folder)
    if arguments.exact:
        n, folder = int(arguments.exact), Path(tempfile.mkdtemp(dir=arguments.folder))
        try:
            make(folder, n, EXACT_COLUMNS)
            report(f"{n} rows x {EXACT_COLUMNS}, every one left out", in_process("exact", folder, n, 2))
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
