"""How much a law is tried: all of it, or under `-m "not slow"` a sixth, every law still there."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import settings

QUICK = "INFLUSTAT_QUICK"  # set by conftest under -m "not slow", before any test module is read
LEAST = 4


def share(count: int) -> int:
    """Return how many of so many cases to try."""
    return max(count // 6, LEAST) if os.environ.get(QUICK) else count


def spread(rows: Any) -> Any:
    """Return the rows, or every sixth of them, at least LEAST in all."""
    return rows[:: max(1, len(rows) // share(len(rows)))]


def examples(count: int, **options: Any) -> settings:
    """Return hypothesis settings of at most that many examples."""
    return settings(max_examples=share(count), **options)


def some(cases: Any) -> Any:
    """Return the cases, or only the first of them."""
    return cases[:1] if os.environ.get(QUICK) else cases
