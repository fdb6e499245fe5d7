"""The command line: `python -m influstat` answers one question; `reproduce` redoes the paper."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from influstat.errors import DatasetError, MissingDependency
from influstat.experiments.catalogue import FIGURES
from influstat.experiments.first_minute import first_minute
from influstat.experiments.solver_tables import solver_tables
from influstat.plots import base as plots
from influstat.version import version

DESCRIPTION = """\
Which rows drive a coefficient, and what happens without them?

Without a command: ask this of a regression on data bundled with statsmodels (no network), and show how
to ask it of your own."""

REPRODUCE = """\
Compute the paper's figures, print each number beside the one stated for a right implementation, and
write the figures as PNG files. The data come from the folder INFLUSTAT_DATA, or are downloaded."""

EPILOGUE = "exit codes: 0 done; 2 wrong arguments, or data or a package is missing"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process when left out.

    Returns
    -------
    int
        0, or 2 where data or an optional package is missing (as for wrong arguments).
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.solvers and options.command:
        parser.error(f"--solvers stands alone: drop it, or drop {options.command!r}")
    try:
        if options.command == "reproduce":
            return _reproduce(options.figure, options.out, draw=not options.no_png)
        return _show_solvers() if options.solvers else _show_first_minute()
    except (DatasetError, MissingDependency) as error:
        print(f"influstat: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m influstat",
        description=DESCRIPTION,
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"influstat {version()}")
    parser.add_argument(
        "--solvers",
        action="store_true",
        help="instead: three models, four ways to solve for influences, beside exact leave-one-out",
    )
    commands = parser.add_subparsers(dest="command", title="commands", metavar="COMMAND")
    reproduce = commands.add_parser(
        "reproduce",
        help="redo the figures of the paper and compare the numbers",
        description=REPRODUCE,
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    listing = "; ".join(f"{name}: {entry.title.partition(': ')[2]}" for name, entry in FIGURES.items())
    reproduce.add_argument("figure", choices=[*FIGURES, "all"], help=f"which one. {listing}")
    reproduce.add_argument(
        "--out", type=Path, default=Path(), metavar="DIR", help="folder of the PNG files (default: here)"
    )
    reproduce.add_argument("--no-png", action="store_true", help="print the numbers only, without matplotlib")
    return parser


def _reproduce(figure: str, folder: Path, *, draw: bool) -> int:
    if draw:  # find out that it is missing before the work, not after
        plt = plots.pyplot()
        plt.switch_backend("agg")
        folder.mkdir(parents=True, exist_ok=True)
    for name in FIGURES if figure == "all" else [figure]:
        entry, start = FIGURES[name], perf_counter()
        record = entry.compute()
        lines = entry.lines(record)
        print(entry.text(record, lines))
        if draw:
            for file_name, drawing in entry.drawings.items():
                picture = drawing(record)
                path = folder / f"{file_name}.png"
                picture.savefig(path, dpi=200)
                plt.close(picture)
                print(f"Written: {path}")
        print(f"{perf_counter() - start:.1f} s\n")
    return 0


def _show_first_minute() -> int:
    print(first_minute(), end="\n\n")
    print("How influences are solved for: python -m influstat --solvers")
    print("The paper's figures:           python -m influstat reproduce --help")
    return 0


def _show_solvers() -> int:
    start = perf_counter()
    for text in solver_tables():
        print(text, end="\n\n")
    print(f"{perf_counter() - start:.1f} s. The paper's figures: python -m influstat reproduce --help")
    return 0


if __name__ == "__main__":
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)
