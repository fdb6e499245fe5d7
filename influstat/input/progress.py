"""Progress of long loops: tqdm where it is installed, silent otherwise."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sized
from time import monotonic
from typing import Any, TypeVar

Item = TypeVar("Item")

QUICK = 1.0  # seconds: what takes less shows nothing
SECONDS = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f} of {total:.0f} s{postfix}"
WITHOUT_END = "{desc}: {elapsed}{postfix}"


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


class Clock:
    """A bar of the seconds that some work may take: for work that does not know how many steps it has.

    Parameters
    ----------
    description : str
        What is done.
    seconds : float
        How long it may take; where that is infinite, only the time that went by is shown.

    Attributes
    ----------
    known : str
        What is shown beside the bar.
    """

    def __init__(self, description: str, seconds: float) -> None:
        self.known, self.started, self.seconds = "", monotonic(), seconds
        bar, ends = _bar() if seconds > QUICK else None, seconds < float("inf")
        layout = (
            {"total": seconds, "bar_format": SECONDS}
            if ends
            else {"bar_format": "{desc}: {elapsed}{postfix}"}
        )
        self.bar = None if bar is None else bar(desc=description, leave=False, delay=QUICK, **layout)

    def show(self) -> None:
        """Move the bar to the present time."""
        if self.bar is not None:
            self.bar.set_postfix_str(self.known, refresh=False)
            self.bar.update(min(monotonic() - self.started, self.seconds) - self.bar.n)

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()


def _bar() -> Any:
    """Return tqdm's bar, or None where it is missing or nobody is looking."""
    if not (sys.stderr.isatty() or "ipykernel" in sys.modules):
        return None
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm
