"""Flags, texts and lists of texts that a caller passes, or why they are not that."""

from __future__ import annotations

from typing import Any

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
