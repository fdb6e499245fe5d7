"""Progress of long loops: tqdm where it is installed, silent otherwise."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sized
from typing import Any, TypeVar

Item = TypeVar("Item")

QUICK = 1.0  # seconds: what takes less shows nothing


def progress(items: Iterable[Item], description: str, *, total: int | None = None) -> Iterator[Item]:
    """Yield the items; show a bar on a terminal or in a notebook where tqdm is installed.

    Whether there is one depends on time alone, so that few long steps are shown and many short ones are not.

    Returns
    -------
    iterator
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    bar = _bar()
    if bar is None or total == 1:
        return iter(items)
    return iter(bar(items, desc=description, total=total, leave=False, delay=QUICK))


def _bar() -> Any:
    """Return tqdm's bar, or None where it is missing or nobody is looking."""
    if not (sys.stderr.isatty() or "ipykernel" in sys.modules):
        return None
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm
