"""How results introduce themselves: shapes in place of thousands of numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

LONGEST = 60  # characters of one attribute
MOST = 8  # names in one message


class ShortRepr:
    """Prints a dataclass with the shapes of its arrays; use with ``@dataclass(..., repr=False)``.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=1.0).fit([[1.0], [1.0]], [1.0, 3.0])
    >>> ist.find_mislabelled(ist.Logistic().fit([[1.0], [1.0]], [0, 1]))
    Suspects(score=array of shape (2,), row_labels=array of shape (2,), by='leave_one_out')
    """

    def __repr__(self) -> str:
        """Return the attributes, arrays and long ones in short."""
        parts: Any = self
        shown = ", ".join(f"{field.name}={short(getattr(self, field.name))}" for field in fields(parts))
        return f"{type(self).__name__}({shown})"


def short(value: Any) -> str:
    """Return the repr of `value` in at most 60 characters: the shape of an array, the length of a dict."""
    dimensions = getattr(value, "ndim", 0)
    if isinstance(dimensions, int) and dimensions > 0:
        return f"array of shape {tuple(value.shape)}"
    if isinstance(value, dict):
        return f"{len(value)} entries"
    text = repr(value)
    if len(text) <= LONGEST:
        return text
    return f"{len(value)} entries" if isinstance(value, (list, tuple)) else f"{text[: LONGEST - 3]}..."


def nearest_first(name: Any, names: Iterable[Any]) -> str:
    """Return the names in words for a message, those that look like `name` first, at most eight."""
    texts = list(dict.fromkeys(map(str, names)))
    lower = {text.lower(): text for text in reversed(texts)}
    near = [lower[text] for text in get_close_matches(str(name).lower(), lower, n=3)]
    ordered = near + [text for text in texts if text not in near]
    return ", ".join(map(repr, ordered[:MOST])) + (", ..." if len(ordered) > MOST else "")
