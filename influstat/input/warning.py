"""Warnings that point at the caller's line, however deep in the package the doubt arises."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from inspect import currentframe
from typing import Any
from weakref import WeakKeyDictionary

from influstat.errors import DoubtfulResult

# What may lie between a caller and the doubt: this package, and those decorators of Python that it uses.
BETWEEN = frozenset({"influstat", "functools", "contextlib"})
_SAID: WeakKeyDictionary[Any, set[tuple[str, str]]] = WeakKeyDictionary()  # of fits: a copy says them again
_LISTENS = ContextVar("listens", default="")  # the package itself, not the caller: "collects", or "ignores"


def doubt(message: str) -> None:
    """Warn of a usable but doubtful result, at the line outside the package that asked for it."""
    if _LISTENS.get() == "ignores":
        return
    level, frame = 1, currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in BETWEEN:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, DoubtfulResult, stacklevel=level)


def doubt_once(fit: Any, message: str, about: str = "") -> None:
    """Warn as `doubt` does, but with one text about one fit once, however often it is asked."""
    # `about` tells answers apart that the text does not: the method of a removal, the kind of a covariance.
    # What the package itself collects or leaves unsaid does not count.
    said = _SAID.setdefault(fit, set())
    if _LISTENS.get():
        doubt(message)
    elif (message, about) not in said:
        doubt(message)  # where it is an error, it stays one
        if not _ignored(message):
            said.add((message, about))


def _ignored(message: str) -> bool:
    """Tell whether the caller's filters leave a doubt unsaid; those of single modules do not count."""
    for action, pattern, category, module, _ in warnings.filters:
        fits = pattern is None or re.match(pattern, message) is not None
        if fits and module is None and issubclass(DoubtfulResult, category):
            return action == "ignore"
    return False


@contextmanager
def collected() -> Iterator[list[warnings.WarningMessage]]:
    """Collect the warnings of a block, for notes and reasons, instead of giving them."""
    with _listening("collects"), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", DoubtfulResult)
        yield said


@contextmanager
def unsaid() -> Iterator[None]:
    """Leave the doubts of a block unsaid: they are said where they are asked for, or otherwise.

    Of this thread alone, so that threads may do it, which must leave the filters of warnings to the caller.
    """
    with _listening("ignores"):
        yield


@contextmanager
def _listening(how: str) -> Iterator[None]:
    token = _LISTENS.set(how)
    try:
        yield
    finally:
        _LISTENS.reset(token)
