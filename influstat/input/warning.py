"""Warnings that point at the caller's line, however deep in the package the doubt arises."""

from __future__ import annotations

import warnings
from inspect import currentframe

from influstat.errors import DoubtfulResult

# What may lie between a caller and the doubt: this package, and those decorators of Python that it uses.
BETWEEN = frozenset({"influstat", "functools", "contextlib"})


def doubt(message: str) -> None:
    """Warn of a usable but doubtful result, at the line outside the package that asked for it."""
    level, frame = 1, currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in BETWEEN:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, DoubtfulResult, stacklevel=level)
