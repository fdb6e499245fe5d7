"""`Kept`: what several questions need, made for the first of them and kept with its owner."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Made = TypeVar("Made")


class Kept:
    """One thing of each kind, in memory only: a pickle or a deep copy of its owner has none of them.

    What is kept may not refer to its owner, so that both are freed as soon as nobody needs the owner.

    Examples
    --------
    >>> from influstat.input.kept import Kept
    >>> kept = Kept()
    >>> kept.once("square", 3, lambda: 9), kept.once("square", 3, lambda: 0)
    (9, 9)
    """

    def __init__(self) -> None:
        self._found: dict[str, tuple[Hashable, Any]] = {}

    def once(self, kind: str, which: Hashable, make: Callable[[], Made]) -> Made:
        """Return what `make` has returned for `which`; another one of the kind takes its place."""
        found = self._found.get(kind)
        if found is None or found[0] != which:
            self._found.pop(kind, None)  # before the next is made: never two in memory
            found = which, make()
            self._found[kind] = found
        made: Made = found[1]
        return made

    def __reduce__(self) -> tuple[type[Kept], tuple[()]]:
        """Return how to make it anew: empty."""
        return Kept, ()
