"""How results introduce themselves: as a short table, or by shapes in place of thousands of numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from difflib import get_close_matches
from html import escape
from importlib.util import find_spec
from typing import Any

import numpy as np

from influstat.errors import InflustatError, MissingDependency
from influstat.input.labels import label_text

LONGEST = 60  # characters of one attribute
MOST = 8  # names in one message
LINES, COLUMNS = 10, 8  # of a table that is printed
SPECIAL = {ord(one): f"\\{one}" for one in "&%$#_{}"} | {
    ord("~"): r"\textasciitilde{}",
    ord("^"): r"\textasciicircum{}",
    ord("\\"): r"\textbackslash{}",
}
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


class SizedRepr:
    """Prints what has a `shape` (rows, coefficients) by its size.

    Examples
    --------
    >>> import influstat as ist
    >>> ist.LinearRisk(ist.SquaredError(), [[1.0], [1.0]], [1.0, 3.0])
    LinearRisk(2 rows, 1 coefficient)
    """

    shape: Any

    def __repr__(self) -> str:
        """Return the kind and the size."""
        n, p = self.shape
        return f"{type(self).__name__}({amount(n, 'rows')}, {amount(p, 'coefficients')})"


class Tabled(ShortRepr):
    """Prints a result as the table that `to_frame` returns, shortened, under a heading.

    A result that has no such table, since a loss says nothing of variances for example, says why.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0]], [1.0, 3.0], row_labels=["low", "high"], names=["mean"])
    >>> print(fit.leave_one_out())
    Change of each coefficient without the rows, after minus before (exact)
    2 of 2 rows done. Largest: low +1, high -1
         mean
    low     1
    high   -1
    """

    HEADING = "{0.__class__.__name__}"  # filled in with the result as {0}

    def to_frame(self) -> Any:
        """Return the whole table as a pandas DataFrame."""
        raise NotImplementedError  # pragma: no cover - each has its own

    def to_latex(self, **settings: Any) -> str:
        """Return the table of `to_frame` in LaTeX, special characters of names escaped.

        Parameters
        ----------
        **settings
            Of `pandas.DataFrame.to_latex`, such as ``caption=`` and ``label=``.

        Returns
        -------
        str
            A tabular environment with the rules of LaTeX's package booktabs, numbers to six digits.

        Raises
        ------
        MissingDependency
            jinja2, by which pandas writes LaTeX, is not installed.
        """
        return latex(self.to_frame(), **settings)

    def shown(self) -> Any:
        """Return what of the table is printed, shortened: all of it, unless only some of its lines matter."""
        return self.to_frame()

    def in_short(self) -> str:
        """Return a line on how much was done and what stands out, "" where there is no such line."""
        return ""

    def __repr__(self) -> str:
        """Return the heading, the first and last lines of the table, and its note where it has one."""
        try:
            frame, *above = self.shown(), self.HEADING.format(self), self.in_short()
        except InflustatError as error:
            return f"{type(self).__name__} without a table: {error}"
        except ImportError:
            return super().__repr__()
        text = frame.to_string(min_rows=LINES, **SHOWN) if len(frame) else ""
        return "\n".join(part for part in (*above, text, *_remarks(frame)) if part)

    def _repr_html_(self) -> str | None:
        """Return the same for a notebook; None where there is no table."""
        try:
            frame, heading, above = self.shown(), self.HEADING.format(self), self.in_short()
        except (InflustatError, ImportError):
            return None
        said, *remarks = (f"<p>{escape(part)}</p>" if part else "" for part in (above, *_remarks(frame)))
        return f"<p><b>{escape(heading)}</b></p>{said}{frame.to_html(**SHOWN)}{''.join(remarks)}"


def latex(frame: Any, **settings: Any) -> str:
    """Return a DataFrame in LaTeX, special characters escaped; settings are those of its `to_latex`."""
    if find_spec("jinja2") is None:
        raise MissingDependency(
            "LaTeX is written through jinja2, which is not installed. Run pip install 'influstat[tables]', "
            "or use to_frame()."
        )
    given = {"escape": True, "float_format": SHOWN["float_format"], **settings}
    if given["escape"] and not hasattr(frame.style, "format_index_names"):
        frame = frame.rename_axis(index=escaped, columns=escaped)  # pandas does so itself from 3.0 on
    written: str = frame.to_latex(**given)
    return written


def escaped(name: Any) -> Any:
    """Return the name of an index with the special characters of LaTeX escaped."""
    return name.translate(SPECIAL) if isinstance(name, str) else name


def amount(number: int, units: str) -> str:
    """Return a number of units that are given in the plural: "1 row", "2 rows"."""
    return f"{number} {units if number != 1 else units[:-1]}"


def as_drawn(name: str) -> str:
    """Return a name as matplotlib draws it as it stands: a $ in it starts no formula."""
    return name.replace("$", r"\$")


def short(value: Any) -> str:
    """Return the repr of `value` in at most 60 characters: the shape of an array, the length of a dict."""
    shape = getattr(value, "shape", ())
    if isinstance(shape, tuple) and shape and all(isinstance(one, (int, float)) for one in shape):
        return f"array of shape {shape}"
    if isinstance(value, dict):
        return f"{len(value)} entries"
    text = ShortRepr.__repr__(value) if isinstance(value, ShortRepr) else _plain(value)
    if len(text) <= LONGEST:
        return text
    return f"{len(value)} entries" if isinstance(value, (list, tuple)) else f"{text[: LONGEST - 3]}..."


def _plain(value: Any) -> str:
    """Return the repr without types of NumPy and pandas: plain numbers and text, dates as they are shown."""
    if isinstance(value, (np.generic, datetime)):
        return label_text(value)
    if type(value) in (list, tuple) and any(isinstance(one, (np.generic, datetime)) for one in value):
        inner = ", ".join(map(_plain, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' * (len(value) == 1)})"
    return repr(value)


def among(name: Any, count: int) -> str:
    """Return that a name is none of those known, or that of several: what completes "but it ..."."""
    return (
        f"is {short(name)}, which is none of them" if count == 0 else f"is {short(name)}, which {count} have"
    )


def nearest_first(name: Any, names: Iterable[Any]) -> str:
    """Return the names in words for a message, those that look like `name` first, at most eight."""
    texts = list(dict.fromkeys(map(str, names)))
    lower = {text.lower(): text for text in reversed(texts)}
    near = [lower[text] for text in get_close_matches(str(name).lower(), lower, n=3)]
    ordered = near + [text for text in texts if text not in near]
    return ", ".join(map(repr, ordered[:MOST])) + (", ..." if len(ordered) > MOST else "")
