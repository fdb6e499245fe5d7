"""How results introduce themselves: as a short table, or by shapes in place of thousands of numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from difflib import get_close_matches
from html import escape
from typing import Any

from influstat.errors import InflustatError

LONGEST = 60  # characters of one attribute
MOST = 8  # names in one message
LINES, COLUMNS = 10, 8  # of a table that is printed
SHOWN: dict[str, Any] = {
    "max_rows": LINES,
    "max_cols": COLUMNS,
    "float_format": lambda number: f"{number:.6g}",
}


def _remarks(frame: Any) -> tuple[str, str]:
    """Return what is said below a table: how much of it is not shown, and its note."""
    rows, columns = frame.shape
    cut = rows > LINES or columns > COLUMNS
    more = f"{rows} rows, {columns} columns: to_frame() has them all." if cut else ""
    return more, str(frame.attrs.get("note", ""))


class ShortRepr:
    """Prints a dataclass with the shapes of its arrays; use with ``@dataclass(..., repr=False)``.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=1.0).fit([[1.0], [1.0]], [1.0, 3.0])
    >>> ist.cross_validate(fit, [[0], [1]]).folds
    Groups(members=array of shape (2,), starts=array of shape (3,), labels=array of shape (2,))
    """

    def __repr__(self) -> str:
        """Return the attributes, arrays and long ones in short."""
        parts: Any = self
        shown = ", ".join(f"{field.name}={short(getattr(self, field.name))}" for field in fields(parts))
        return f"{type(self).__name__}({shown})"


class Tabled(ShortRepr):
    """Prints a result as the table that `to_frame` returns, shortened, under a heading.

    A result that has no such table, since a loss says nothing of variances for example, prints its fields.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0]], [1.0, 3.0], row_labels=["low", "high"], names=["mean"])
    >>> print(fit.leave_one_out())
    Change of each coefficient without the rows, after minus before (exact)
         mean
    low     1
    high   -1
    """

    HEADING = "{0.__class__.__name__}"  # filled in with the result as {0}

    def to_frame(self) -> Any:
        """Return the whole table as a pandas DataFrame."""
        raise NotImplementedError  # pragma: no cover - each has its own

    def __repr__(self) -> str:
        """Return the heading, the first and last lines of the table, and its note where it has one."""
        try:
            frame, heading = self.to_frame(), self.HEADING.format(self)
        except (InflustatError, ImportError):
            return super().__repr__()
        text = frame.to_string(min_rows=LINES, **SHOWN)
        return "\n".join(part for part in (heading, text, *_remarks(frame)) if part)

    def _repr_html_(self) -> str | None:
        """Return the same for a notebook; None where there is no table."""
        try:
            frame, heading = self.to_frame(), self.HEADING.format(self)
        except (InflustatError, ImportError):
            return None
        remarks = "".join(f"<p>{escape(part)}</p>" for part in _remarks(frame) if part)
        return f"<p><b>{escape(heading)}</b></p>{frame.to_html(**SHOWN)}{remarks}"


def short(value: Any) -> str:
    """Return the repr of `value` in at most 60 characters: the shape of an array, the length of a dict."""
    dimensions = getattr(value, "ndim", 0)
    if isinstance(dimensions, int) and dimensions > 0:
        return f"array of shape {tuple(value.shape)}"
    if isinstance(value, dict):
        return f"{len(value)} entries"
    text = ShortRepr.__repr__(value) if isinstance(value, ShortRepr) else repr(value)
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
