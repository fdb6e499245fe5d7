"""How much a law is tried: all of it, or under `-m "not slow"` a twenty-fourth, every law still there.

Where tables are crossed (losses x weights x protocols), only `spanning` combinations are tried there, which
hold every entry of each table. Laws and their table are crossed, too (`in_turns`), and of what is left each
law tries every second case, the odd or the even ones (`halved`). The whole suite tries all of them.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

from hypothesis import settings

QUICK = "INFLUSTAT_QUICK"  # set by conftest under -m "not slow", before any test module is read
FULL = "INFLUSTAT_FULL"  # set by hand: every long search draws as many cases as it ever did
PART = 24
LEAST = 2
TURNS = 3


def share(count: int, part: int = PART, least: int = LEAST) -> int:
    """Return how many of so many cases to try."""
    return max(count // part, min(count, least)) if os.environ.get(QUICK) else count


def spread(rows: Any) -> Any:
    """Return the rows, or every fifteenth of them, at least three in all.

    Errors are relative to the largest change: of fewer rows all may have small ones.
    """
    return rows[:: max(1, len(rows) // share(len(rows), 15, 3))]


def examples(count: int, full: int = 0, **options: Any) -> settings:
    """Return hypothesis settings of at most that many examples, or of `full` where that is asked for.

    INFLUSTAT_FULL=1 in the environment asks for it: searches of hours, that have been done once and may be
    done again after a change of what they are about. Without it they take their share of minutes.
    """
    if full and os.environ.get(FULL):
        return settings(max_examples=full, **options)
    return settings(max_examples=share(count), **options)


def thinned(rows: list[Any], part: int = 4) -> list[Any]:
    """Return every fourth of the rows, or one of another number, the first among them."""
    return rows[::part]


def in_turns(laws: list[list[Any]]) -> list[list[Any]]:
    """Return the cases of each of several laws about the same entries, so that every entry keeps some law.

    The laws take turns at them: two or three, as long as there is an entry for each.
    """
    turns = min(len(laws), TURNS, len(laws[0]))
    return [cases[k % turns :: turns] for k, cases in enumerate(laws)]


def halved(cases: list[Any], law: int) -> list[Any]:
    """Return every second case of a law of several, of laws of odd and of even numbers the others."""
    return cases[law % 2 :: 2] if len(cases) > 1 else cases


def some(cases: Any) -> Any:
    """Return the cases, or only the first of them."""
    return cases[:1] if os.environ.get(QUICK) else cases


def crossed(rows: list[Any], tables: Any) -> list[Any]:
    """Return the rows, or `spanning` ones, of a list of combinations; tables(row) are its entries."""
    return [rows[k] for k in spanning([tables(row) for row in rows])] if os.environ.get(QUICK) else rows


def spanning(combinations: list[tuple[Any, ...]]) -> list[int]:
    """Return positions of combinations, few of them, in which every entry of each table is still found.

    One after the other, the one that has most entries not seen so far, then those seen least. Of one table
    that is the first of each entry.
    """
    if all(len(combination) == 1 for combination in combinations):
        return sorted({combination: k for k, combination in reversed(list(enumerate(combinations)))}.values())
    seen: Counter[tuple[int, Any]] = Counter()
    cells = [list(enumerate(combination)) for combination in combinations]
    missing = {cell for row in cells for cell in row}
    kept: list[int] = []
    while missing:
        gains = [(len(missing.intersection(row)), -sum(seen[cell] for cell in row)) for row in cells]
        best = gains.index(max(gains))
        kept.append(best)
        seen.update(cells[best])
        missing.difference_update(cells[best])
    return sorted(kept)
