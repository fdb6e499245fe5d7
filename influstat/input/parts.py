"""Which parts a would-be risk, loss or solver lacks: the one check of what duck typing takes on trust."""

from __future__ import annotations

from functools import cache
from inspect import get_annotations, getattr_static
from typing import Any, Protocol

from influstat.errors import InvalidType
from influstat.input.printing import short


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
