"""Progress of long loops: tqdm where it is installed, silent otherwise."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sized
from typing import Any, TypeVar

Item = TypeVar("Item")

SHORT = 100  # loops of fewer steps show nothing


def progress(items: Iterable[Item], description: str, *, total: int | None = None) -> Iterator[Item]:
    """Yield the items; show a bar on a terminal or in a notebook where tqdm is installed."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    if total is not None and total < SHORT:
        return iter(items)
    bar = _bar()
    return iter(items) if bar is None else iter(bar(items, desc=description, total=total, leave=False))


def _bar() -> Any:
    """Return tqdm's bar, or None where it is missing or nobody is looking."""
    if not (sys.stderr.isatty() or "ipykernel" in sys.modules):
        return None
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm
