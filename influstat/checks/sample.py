"""Pairs (y, eta) at which a loss is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.checks.report import CALLERS_ERRORS
from influstat.errors import InvalidArgument
from influstat.validation import FloatArray, vector

TARGETS = {  # candidates for a default, tried in this order
    "real": (-2.5, -0.3, 0.0, 1.7, 4.0),
    "counts": (0.0, 1.0, 2.0, 5.0),
    "0/1": (0.0, 1.0),
    "-1/+1": (-1.0, 1.0),
}
POINTS = 40  # linear predictors per target


@dataclass(frozen=True)
class Sample:
    """Pairs (y, eta) in which every target meets many linear predictors; those at kinks left out."""

    kind: str
    targets: FloatArray
    y: FloatArray
    eta: FloatArray
    width: float

    def place(self, index: tuple[int, ...]) -> str:
        """Name a pair."""
        return f"y = {self.y[index[0]]:g}, eta = {self.eta[index[0]]:.6g}"


def draw_sample(loss: Any, y: Any, width: float, seed: int) -> Sample:
    """Return every target with random linear predictors, some of them where the loss bends."""
    kind, targets = _accepted(loss, y)
    rng = np.random.default_rng(seed)
    near = rng.normal(size=(len(targets), POINTS // 2)) * 3.0
    centre = targets[:, None] if kind in ("real", "-1/+1") else 0.0
    bends = centre + width * rng.normal(size=(len(targets), POINTS // 2)) * 2.0
    eta = np.hstack([near, bends])
    y_all = np.repeat(targets, eta.shape[1])
    return Sample(kind, targets, y_all, eta.ravel(), width)


def _accepted(loss: Any, y: Any) -> tuple[str, FloatArray]:
    if y is not None:
        targets = np.unique(loss.check_targets(vector("y", y)))
        kind = next((k for k in ("0/1", "-1/+1") if set(targets) <= set(TARGETS[k])), "real")
        return kind, targets[:: max(1, len(targets) // 8)]
    for kind, values in TARGETS.items():
        try:
            return kind, np.asarray(loss.check_targets(np.array(values)), dtype=np.float64)
        except CALLERS_ERRORS:
            continue
    raise InvalidArgument(
        "y", "be given", "is None, and the loss accepts no usual targets", "Pass targets that it accepts."
    )
