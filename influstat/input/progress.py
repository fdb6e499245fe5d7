"""Progress of long loops: a bar where somebody looks, a line now and then in a log."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator, Sized
from time import monotonic
from typing import Any, TypeVar

Item = TypeVar("Item")

QUICK = 1.0  # seconds: what takes less shows no bar
EVERY = 30.0  # seconds between two lines, and before the first
SECONDS = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f} of {total:.0f} s{postfix}"
WITHOUT_END = "{desc}: {elapsed}{postfix}"


def progress(items: Iterable[Item], description: str) -> Iterator[Item]:
    """Yield the items, and say on standard error how far the loop is.

    Whether anything is shown depends on time alone, so that few long steps are shown and many short ones are
    not. On a terminal and in a notebook it is tqdm's bar, which vanishes when the loop is done. Where tqdm
    is missing, or standard error is a file or a pipe, in which a bar would leave a heap of carriage returns,
    it is one line every half minute.

    Returns
    -------
    iterator

    Examples
    --------
    >>> from influstat.input.progress import progress
    >>> sum(progress(range(4), "refits"))
    6
    """
    total = len(items) if isinstance(items, Sized) else None
    if sys.stderr is None or total == 1:  # no console at all, as under pythonw; or no parts to show
        return iter(items)
    bar = _bar()
    if bar is None:
        return _with_lines(items, description, total)
    return iter(bar(items, desc=description, total=total, leave=False, delay=QUICK))


class Clock:
    """A bar of the seconds that some work may take: for work that does not know how many steps it has.

    In a log it is a line every half minute. Where the seconds are infinite, only the time that went by is
    shown, beside what is `known`.
    """

    def __init__(self, description: str, seconds: float) -> None:
        self.known, self.started, self.seconds = "", monotonic(), seconds
        self._description, self._last = description, self.started
        self.silent = sys.stderr is None or not seconds > QUICK
        bar = None if self.silent else _bar()
        layout = (
            {"total": seconds, "bar_format": SECONDS}
            if seconds < float("inf")
            else {"bar_format": WITHOUT_END}
        )
        self.bar = None if bar is None else bar(desc=description, leave=False, delay=QUICK, **layout)

    def show(self) -> None:
        """Move the bar to the present time, or write a line if it is time for one."""
        now = monotonic()
        if self.bar is not None:
            self.bar.set_postfix_str(self.known, refresh=False)
            self.bar.update(min(now - self.started, self.seconds) - self.bar.n)
        elif not self.silent and now - self._last >= EVERY:
            self._last = now
            of = f" of {self.seconds:.0f}" if self.seconds < float("inf") else ""
            known = f", {self.known}" if self.known else ""
            line = f"{self._description}: {now - self.started:.0f}{of} s{known}"
            print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()


def _bar() -> Any:
    """Return tqdm's bar, or None where it is missing or nobody is looking."""
    if not (sys.stderr.isatty() or "ipykernel" in sys.modules):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a notebook without ipywidgets has its bar as text
            from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm


def _with_lines(items: Iterable[Item], description: str, total: int | None) -> Iterator[Item]:
    """Yield the items; write a line whenever EVERY seconds have passed since the last one."""
    start = last = monotonic()
    for done, item in enumerate(items):
        now = monotonic()
        if now - last >= EVERY:
            last = now
            print(_line(description, done, total, now - start), file=sys.stderr, flush=True)
        yield item


def _line(description: str, done: int, total: int | None, seconds: float) -> str:
    """Return how far a loop is, and about how long it will take if it goes on like this."""
    if total is None or done == 0:
        return f"{description}: {done} after {seconds:.0f} s"
    left = seconds / done * max(total - done, 0)
    share = 100 * done // total
    return f"{description}: {done} of {total} ({share} %) after {seconds:.0f} s, about {left:.0f} s left"
