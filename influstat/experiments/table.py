"""Stated numbers beside found ones: one line each, judged to the digits that are stated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

WIDTHS = (46, 22, 24)  # of quantity, stated, found, at least: most lines have 100 characters then


@dataclass(frozen=True)
class Line:
    """One number of the paper's experiments as stated, if it is, and as found here, to the same digits."""

    quantity: str
    stated: str
    found: str
    agrees: bool


def number(quantity: str, stated: str, found: float, *, scale: float = 1.0) -> Line:
    """Judge a number by the digits of the stated one, for instance "0.78700", "2.6e-5", "53"."""
    text = _like(stated, scale * found)
    return Line(quantity, stated, text, float(text) == float(stated))


def below(quantity: str, limit: str, found: float) -> Line:
    """Judge a number by an upper limit."""
    return Line(quantity, f"below {limit}", f"{found:.1e}", found < float(limit))


def within(quantity: str, low: str, high: str, found: Any, *, allowed_outside: int = 0) -> Line:
    """Judge several numbers, for instance one per seed, by the range they should lie in."""
    values = np.sort(np.asarray(found, dtype=np.float64))
    rounded = [float(_like(low, value)) for value in values]
    outside = sum(not float(low) <= value <= float(high) for value in rounded)
    text = f"{_like(low, values[0])} to {_like(low, values[-1])}"
    if outside:
        text += f", {len(values) - outside} of {len(values)} in"
    return Line(quantity, f"{low} to {high}", text, outside <= allowed_outside)


def same(quantity: str, stated: object, found: object) -> Line:
    """Judge a count, a position or a name: equal or not."""
    return Line(quantity, str(stated), str(found), stated == found)


def unstated(quantity: str, found: float) -> Line:
    """Show a number that is not stated anywhere, and so neither agrees nor disagrees."""
    return Line(quantity, "", f"{found:.4g}", True)


def as_text(title: str, lines: Sequence[Line]) -> str:
    """Return the table as text: title, heading, one line per number; columns as wide as what they hold."""
    rows = [("quantity", "stated", "found", "")]
    for line in lines:
        verdict = "" if not line.stated else "yes" if line.agrees else "NO"
        rows.append((line.quantity, line.stated, line.found, verdict))
    widths = [max(least, *(len(row[k]) for row in rows)) for k, least in enumerate(WIDTHS)]
    text = [
        " ".join(f"{cell:<{width}}" for cell, width in zip(row, [*widths, 0], strict=True)) for row in rows
    ]
    return "\n".join([title, *(line.rstrip() for line in text)])


def _like(stated: str, value: float) -> str:
    """Return the value with the digits of the stated number."""
    mantissa, mark, _ = stated.partition("e")
    decimals = len(mantissa.partition(".")[2])
    if not mark:
        return f"{value:.{decimals}f}"
    text = f"{value:.{decimals}e}"
    digits, _, exponent = text.partition("e")
    return f"{digits}e{int(exponent)}"
