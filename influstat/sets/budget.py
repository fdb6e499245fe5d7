"""How long an answer may take, whether it was cut short, and the bar that shows it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

from influstat.input.progress import Clock
from influstat.input.warning import doubt

INTERRUPTED, TIME = "interrupted", "the time was over"  # why no more is known


@dataclass
class Watch:
    """What a budget and its parts share: an interrupt ends all of them, and there is one bar."""

    stopped: bool = False
    clock: Clock | None = None


@dataclass
class Budget:
    """Seconds from now on; `out` once they are over, or after an interrupt.

    Examples
    --------
    >>> from influstat.sets.budget import Budget
    >>> Budget(0.0).out, Budget(100.0).part(0.5).seconds <= 50.0
    (True, True)
    """

    seconds: float
    watch: Watch = field(default_factory=Watch)
    started: float = field(init=False)

    def __post_init__(self) -> None:
        """Look at the clock."""
        self.started = monotonic()

    @property
    def left(self) -> float:
        """Seconds left, 0 at least."""
        return max(0.0, self.started + self.seconds - monotonic())

    @property
    def out(self) -> bool:
        """Whether nothing more should be begun; asking moves the bar."""
        if self.watch.clock is not None:
            self.watch.clock.show()
        return self.watch.stopped or self.left <= 0.0

    def part(self, share: float) -> Budget:
        """Return a budget of this share of what is left."""
        return Budget(share * self.left, self.watch)

    def stop(self) -> None:
        """Let this budget and all its parts be out."""
        self.watch.stopped = True

    def say(self, known: str) -> None:
        """Show what is known so far beside the bar."""
        if self.watch.clock is not None:
            self.watch.clock.known = known

    def say_bracket(self, lower: int, upper: int | None) -> None:
        """Show which sizes are proven not to flip a conclusion, and which one does."""
        self.say(f"not {lower - 1}" + ("" if upper is None else f", but {upper}"))

    @contextmanager
    def until_interrupted(self, description: str, known: str) -> Iterator[None]:
        """Show the time that goes by; an interrupt stops the work, and a warning says what is `known`."""
        try:
            with self.shown(description):
                yield
        except KeyboardInterrupt:
            self.stop()
            doubt(f"Interrupted: {known} until then.")

    @contextmanager
    def shown(self, description: str) -> Iterator[None]:
        """Show the time that goes by as a bar, unless one is shown already."""
        if self.watch.clock is not None:
            yield
            return
        self.watch.clock = Clock(description, self.left)
        try:
            yield
        finally:
            self.watch.clock.close()
            self.watch.clock = None
