"""Flags, texts, lists and objects with parts that a caller passes, or why they are not that."""

from __future__ import annotations

from functools import cache
from inspect import get_annotations, getattr_static
from typing import Any, Protocol

import numpy as np

from influstat.errors import InvalidArgument, InvalidType
from influstat.input.printing import short


def flag(argument: str, value: Any) -> bool:
    """Return `value` if it is True or False, or raise naming `argument`."""
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidType(argument, "be True or False", f"is {short(value)}", "Pass one of these.")
    return bool(value)


def text(argument: str, value: Any) -> str:
    """Return `value` if it is text that can be written, or raise naming `argument`."""
    if not isinstance(value, str):
        raise InvalidType(argument, "be text", f"is {short(value)}", "Pass a str.")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidArgument(argument, "be text", "holds half a character", "Decode it with its encoding.")
    return value


def entries(argument: str, value: Any) -> list[Any]:
    """Return the entries of a list, tuple, array or index, or raise naming `argument`; text is no list."""
    if isinstance(value, (str, bytes, bytearray)):
        raise InvalidType(argument, "be a list", f"is {short(value)}", "Put it into a list.")
    try:
        return list(value)
    except TypeError:
        raise InvalidType(argument, "be a list", f"is {short(value)}", "Pass a list.") from None


def texts(argument: str, value: Any) -> list[str]:
    """Return the entries of a list of text, or raise naming `argument`."""
    return [text(f"{argument}[{k}]", entry) for k, entry in enumerate(entries(argument, value))]


def optional_text(argument: str, value: Any) -> str | None:
    """Return `value` if it is None or text, or raise naming `argument`."""
    return None if value is None else text(argument, value)


@cache
def parts_of(protocol: type) -> tuple[str, ...]:
    """Return the names of the parts that a protocol asks for, attributes first."""
    classes = [cls for cls in reversed(protocol.__mro__) if Protocol in cls.__bases__]
    names = [name for cls in classes for name in (*get_annotations(cls), *vars(cls))]
    return tuple(name for name in dict.fromkeys(names) if not name.startswith("_"))


def missing_parts(value: Any, protocol: type) -> list[str]:
    """Return the parts that `value` lacks, in the order of `parts_of`."""
    # The instance itself is asked, as a caller would: `isinstance` with a runtime protocol looks up classes
    # only (from Python 3.12 on), and does not see what a timing or caching wrapper passes on. A part that is
    # inherited from the protocol itself does nothing.
    heir = any(Protocol in cls.__bases__ for cls in type(value).__mro__ if cls in protocol.__mro__)
    return [
        name
        for name in parts_of(protocol)
        if not hasattr(value, name)
        or (heir and getattr_static(value, name, None) is getattr_static(protocol, name, protocol))
    ]


def require_parts(argument: str, value: Any, protocol: type, *, need: str, example: str) -> None:
    """Raise unless `value` is an instance with every part of `protocol`; say what is missing."""
    missing, remedy = missing_parts(value, protocol), f"Pass an instance, e.g. {example}."
    if isinstance(value, type):
        raise InvalidType(argument, need, f"is a type, {value.__name__} itself", remedy)
    if len(missing) == len(parts_of(protocol)):
        raise InvalidType(argument, need, f"is {short(value)}, which has none of its parts", remedy)
    if missing:
        what = f"is a {type(value).__name__} without {', '.join(missing)}"
        raise InvalidType(argument, need, what, f"Add what is missing: help(ist.{protocol.__name__}).")
