"""What `python -m influstat --solvers` shows: three models, four solvers, exact leave-one-out; no network."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from influstat.datasets import Dataset, load_fair, load_statecrime
from influstat.errors import DoubtfulResult
from influstat.experiments.comparison import Agreement, agreement
from influstat.experiments.split import Split, leverage, split_rows, standardised
from influstat.fit import Fit
from influstat.influence.scores import Scores
from influstat.input.validation import FloatArray
from influstat.models.linear import Logistic, Ridge, SmoothedSVC
from influstat.solvers import Cholesky, ConjugateGradient, LiSSA, Solver, Taylor

TOP = 5
KINDS = {"helpful": "rise", "harmful": "fall"}  # of the loss, without the row


@dataclass(frozen=True)
class Task:
    """One model on one data set, with one row held out to be predicted."""

    title: str
    question: str  # what the test loss is about
    model: Any
    split: Split


@dataclass(frozen=True, eq=False)
class SolverLine:
    """One solver at work."""

    name: str
    residual: float  # |H p - g| / |g|, measured after the last step
    agreement: Agreement  # of -I/n with exact leave-one-out
    seconds: float


def solvers() -> dict[str, Solver]:
    """Return the four solvers by name; Taylor and LiSSA take the same number of steps."""
    return {
        "Cholesky": Cholesky(),
        "conjugate gradients": ConjugateGradient(),
        "Taylor, 1000 steps": Taylor(depth=1000),
        "LiSSA, 10 x 1000 steps": LiSSA(depth=1000, repeats=10, batch_size=8),
    }


def tasks() -> list[Task]:
    """Return the three tasks, all on data bundled with statsmodels."""
    crime, fair = load_statecrime(), load_fair()
    high = np.where(crime.y > np.median(crime.y), 1.0, -1.0)
    return [
        Task(
            "Ridge regression, lam = 1: murders per 100,000 in the American states",
            "squared error for Louisiana",
            Ridge(lam=1.0, intercept=True),
            _held_out(crime, "Louisiana"),
        ),
        Task(
            "Logistic regression, lam = 1: any extramarital affair, 6,366 women asked in 1974",
            "log loss for woman 3",
            Logistic(lam=1.0, intercept=True),
            _held_out(fair, "woman 3"),
        ),
        Task(
            "Smoothed SVC, lam = 1, t = 0.2: more murders than the median state?",
            "smoothed hinge loss for Ohio",
            SmoothedSVC(lam=1.0, t=0.2),
            _held_out(crime, "Ohio", y=high),
        ),
    ]


def compare(fit: Fit, split: Split, exact: FloatArray) -> tuple[list[SolverLine], Scores]:
    """Return one line per solver, against the exact changes, shape (n,), and the scores of the first."""
    lines, all_scores = [], []
    for name, solver in solvers().items():
        start = perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DoubtfulResult)  # the residual in the table says it
            scores = fit.influence(solver=solver).on_loss(split.X_test, split.y_test)
        seconds = perf_counter() - start
        residual = float(np.max(scores.solution.residual))
        lines.append(SolverLine(name, residual, agreement(scores.removal[:, 0], exact), seconds))
        all_scores.append(scores)
    return lines, all_scores[0]


def solver_tables() -> Iterator[str]:
    """Yield one readable table per task, of at most 100 characters a line."""
    for task in tasks():
        split = task.split
        fit = task.model.fit(split.X, split.y, names=split.names, row_labels=split.row_labels)
        start = perf_counter()
        exact = fit.leave_one_out().loss_change(split.X_test, split.y_test)[:, 0]
        seconds = perf_counter() - start
        lines, scores = compare(fit, split, exact)
        yield "\n".join([*_table(task, fit, lines, seconds), *_rows(scores, exact)])


def _held_out(data: Dataset, label: str, *, y: Any = None) -> Split:
    """Return the data standardised, one named row held out."""
    test = np.flatnonzero(data.row_labels == label)
    return standardised(split_rows(data, np.delete(np.arange(len(data.y)), test), test, y=y))


def _table(task: Task, fit: Fit, lines: list[SolverLine], seconds: float) -> list[str]:
    n, p = fit.risk.shape
    text = [
        task.title,
        f"{n} rows, {p} coefficients. When a row is removed, the {task.question} (held out) changes:",
        "-I/n by four solvers, against exact refits without each row.",
        "",
        f"  {'solver':<24}{'residual':>10}{'Pearson':>10}{'slope':>10}{'largest error':>16}{'seconds':>10}",
    ]
    text += [
        f"  {line.name:<24}{line.residual:>10.1e}{line.agreement.pearson:>10.4f}{line.agreement.slope:>10.4f}"
        f"{line.agreement.max_error:>16.2e}{line.seconds:>10.3f}"
        for line in lines
    ]
    worst, h = lines[0].agreement.worst_row, leverage(fit)
    return [
        *text,
        f"  {'exact leave-one-out':<24}{'':>46}{seconds:>10.3f}",
        f"  Largest error of -I/n: {fit.row_labels[worst]}, leverage {h[worst]:.2g} (mean {np.mean(h):.2g}).",
    ]


def _rows(scores: Scores, exact: FloatArray) -> list[str]:
    """Return the most helpful and most harmful rows beside each other, predicted and exact."""
    rankings = [scores.top(TOP, side=side) for side in KINDS.values()]
    text = ["", "  " + "    ".join(f"{f'most {kind}':<22}{'-I/n':>11}{'exact':>11}" for kind in KINDS)]
    for pair in zip(*rankings, strict=True):
        cells = [f"{row.Index:<22}{row.change:>+11.2e}{exact[row.position]:>+11.2e}" for row in pair]
        text.append("  " + "    ".join(cells))
    return text
