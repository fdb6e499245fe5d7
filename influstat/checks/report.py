"""What a check found: one line per law, readable, with a likely cause, and an assertion for tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from influstat.errors import InvalidArgument
from influstat.input.settings import texts

# What a caller's function may raise; a law that meets it has failed, and says with what.
CALLERS_ERRORS: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    RuntimeError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True)
class Finding:
    """What one law found.

    Attributes
    ----------
    law : str
        The law's name.
    passed : bool
        Whether it holds.
    worst : float
        The largest error, relative to what rounding would be relative to; nan where nothing is measured.
    tolerance : float
        The largest `worst` that passes.
    where : str
        The place of the worst case.
    cause : str
        What is likely wrong, "" where it passed or nothing is likely.

    Examples
    --------
    >>> from influstat.checks import Finding
    >>> print(Finding("sign", False, 2.0, 1e-9, "row 3", "the sign is reversed"))
    FAIL  sign   worst 2.0e+00, tolerance 1.0e-09, at row 3: the sign is reversed
    """

    law: str
    passed: bool
    worst: float = float("nan")
    tolerance: float = float("nan")
    where: str = ""
    cause: str = ""

    def __str__(self) -> str:
        """Return one line."""
        return self.line(len(self.law) + 2)

    def because(self, cause: str) -> Finding:
        """Return the finding with this cause where it did not pass."""
        return self if self.passed else replace(self, cause=cause)

    def line(self, width: int) -> str:
        """Return one line with the law padded to `width`."""
        text = f"{'ok' if self.passed else 'FAIL':<5} {self.law:<{width}}"
        if self.worst == self.worst:
            text += f" worst {self.worst:.1e}, tolerance {self.tolerance:.1e}"
        if self.where:
            text += f", at {self.where}" if self.worst == self.worst else f" at {self.where}"
        return text + (f": {self.cause}" if self.cause else "")


@dataclass(frozen=True, repr=False)
class Report:
    """All findings about one subject.

    Attributes
    ----------
    subject : str
        What was checked.
    findings : tuple of Finding
        One per law.

    Examples
    --------
    >>> import influstat as ist
    >>> from influstat.checks import check_loss
    >>> report = check_loss(ist.LogisticLoss())
    >>> report.passed, report["first derivative"].passed
    (True, True)
    """

    subject: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether every law holds."""
        return all(finding.passed for finding in self.findings)

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The laws that do not hold."""
        return tuple(finding for finding in self.findings if not finding.passed)

    def __getitem__(self, law: str) -> Finding:
        """Return the finding of one law."""
        for finding in self.findings:
            if finding.law == law:
                return finding
        raise InvalidArgument(
            "law", f"be one of {[f.law for f in self.findings]}", f"is {law!r}", "Correct it."
        )

    def __repr__(self) -> str:
        """Return the subject, the verdict and one line per law."""
        width = max((len(finding.law) for finding in self.findings), default=0) + 2
        bad = len(self.failures)
        verdict = "all laws hold" if not bad else f"{bad} of {len(self.findings)} laws do not hold"
        return "\n".join([f"{self.subject}: {verdict}", *(f.line(width) for f in self.findings)])

    def assert_ok(self) -> None:
        """Raise AssertionError with the whole report unless every law holds."""
        if not self.passed:
            raise AssertionError(str(self))


def run(subject: str, laws: Mapping[str, Callable[[], Finding]], chosen: Sequence[str] | None) -> Report:
    """Return the report of the chosen laws (all when None)."""
    names = list(laws) if chosen is None else texts("laws", chosen)
    for name in names:
        if name not in laws:
            raise InvalidArgument("laws", f"name laws from {list(laws)}", f"holds {name!r}", "Correct it.")
    subject = re.sub(r" at 0x[0-9a-fA-F]+", "", subject)  # memory addresses help nobody
    return Report(subject, tuple(_finding(name, laws[name]) for name in names))


def _finding(name: str, law: Callable[[], Finding]) -> Finding:
    try:
        with np.errstate(all="ignore"):  # what overflows is found by its value
            return replace(law(), law=name)
    except CALLERS_ERRORS as error:
        return Finding(name, False, cause=f"raises {type(error).__name__}: {error}")
