"""How long an answer may take, and whether it was cut short."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic


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
    started: float = field(default_factory=monotonic)
    stopped: bool = False

    @property
    def left(self) -> float:
        """Seconds left, 0 at least."""
        return max(0.0, self.started + self.seconds - monotonic())

    @property
    def out(self) -> bool:
        """Whether nothing more should be begun."""
        return self.stopped or self.left <= 0.0

    def part(self, share: float) -> Budget:
        """Return a budget of this share of what is left."""
        return Budget(0.0 if self.stopped else share * self.left)
