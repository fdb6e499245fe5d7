"""`check_loss`: whether a pointwise loss is what it says and its derivatives are its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from influstat.checks.loss_laws import LAWS, NAMES
from influstat.checks.report import Finding, Report, run
from influstat.checks.sample import draw_sample
from influstat.errors import InvalidType
from influstat.input.settings import flag, missing_parts
from influstat.input.validation import real_number, vector, whole_number
from influstat.losses.base import Loss
from influstat.losses.bend import with_width
from influstat.losses.numerical import NumericalLoss

LOSS_LAWS = tuple(LAWS)
CONSEQUENCES = {  # laws that fail with too few digits, or with a kink, and what each is judged by besides
    "smoothness": "",
    "digits": "",
    "first derivative": "",
    "second derivative": "first derivative",
    "third derivative": "second derivative",
    "convexity": "",
}


def check_loss(
    loss: Any,
    *,
    y: Any = None,
    width: float | None = None,
    convex: bool = True,
    seed: int = 0,
    laws: Sequence[str] | None = None,
) -> Report:
    """Check a pointwise loss at random linear predictors.

    Parameters
    ----------
    loss : Loss
        What to check: its value and its derivatives `first`, `second`, `third` in eta.
    y : array_like, optional
        Targets to check it with; left out, the first of real numbers, counts, 0/1 and -1/+1 that its
        `check_targets` accepts.
    width : float, optional
        A change of eta over which the loss bends (t of a smoothed hinge). Orders of magnitude will do. Left
        out, that of a `NumericalLoss`, which y tells where it has none of its own; else 1.
    convex : bool
        Whether the loss must be convex and bounded below, as a unique minimum needs.
    seed : int
        Of the random points; the same seed checks the same points.
    laws : sequence of str, optional
        Which laws of `LOSS_LAWS`; all when left out.

    Returns
    -------
    Report
        One line per law; `assert_ok()` raises AssertionError unless all hold. Errors are relative to the
        derivative's size around the point; derivatives of the reference are by extrapolated differences.

    Raises
    ------
    InvalidArgument, InvalidType
        `loss` is a class or has no such methods, or no default targets are accepted.

    Examples
    --------
    >>> import numpy as np, influstat as ist
    >>> from influstat import checks
    >>> checks.check_loss(ist.PoissonLoss()).assert_ok()
    >>> class Halved(ist.PoissonLoss):
    ...     def second(self, y, eta):
    ...         return 0.5 * np.exp(eta)
    >>> print(checks.check_loss(Halved(), laws=["second derivative"]))       # doctest: +ELLIPSIS
    Halved(): 1 of 1 laws do not hold
    FAIL  second derivative   worst 4.9e-01, ...; off by a factor 0.50 everywhere: ...
    """
    lacking = missing_parts(loss, Loss)
    missing = [
        name
        for name in (*NAMES, "check_targets")
        if name in lacking or not callable(getattr(loss, name, None))
    ]
    if isinstance(loss, type) or missing:
        raise InvalidType(
            "loss",
            "be an instance with value, first, second, third and check_targets",
            f"is a class, {loss!r}" if isinstance(loss, type) else f"has no {', '.join(missing)}",
            "See help(ist.Loss).",
        )
    seed = whole_number("seed", seed, at_least=0)
    loss = loss if y is None else with_width(loss, vector("y", y))
    own = loss.width if isinstance(loss, NumericalLoss) else None
    width = real_number("width", (own or 1.0) if width is None else width, above=0.0)
    with np.errstate(over="ignore"):  # a width near the largest number
        sample = draw_sample(loss, y, width, seed)
    every: dict[str, Callable[[], Finding]] = {name: partial(law, loss, sample) for name, law in LAWS.items()}
    if not flag("convex", convex):
        every["convexity"] = every["bounded below"] = lambda: Finding("", True)
    report = run(repr(loss), every, laws)
    return Report(report.subject, tuple(_in_context(finding, report.failures) for finding in report.findings))


def _in_context(finding: Finding, failures: Sequence[Finding]) -> Finding:
    """Return the finding with the failure that may be behind it in place of guesses from it alone."""
    failed = {failure.law: failure for failure in failures if not failure.cause.startswith("raises")}
    if finding.law not in failed or finding.law not in CONSEQUENCES:
        return finding
    if finding.law == "first derivative" and "bounded below" in failed and "second derivative" not in failed:
        # `first` agrees with `second`; it is `value` that belongs to neither.
        again = "`first` is judged by `value`, which is not bounded below: settle 'bounded below' first"
        return replace(finding, cause=again)
    coarse = "digits" in failed and failed["digits"].where.startswith("value")
    root, what = ("digits", "carries too few digits") if coarse else ("smoothness", "is not smooth")
    if root in failed and root != finding.law:
        cause = finding.cause.split("; ")[0] if finding.law.endswith("derivative") else ""
        again = f"perhaps only because the loss {what}: settle {root!r} first"
        return replace(finding, cause=f"{cause}; {again}" if cause else again)
    before = CONSEQUENCES[finding.law]
    if before in failed:
        return replace(finding, cause=f"{finding.cause}; settle {before!r} first: this one is judged by it")
    return finding
