"""Pairs (y, eta) at which a loss is looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from influstat.checks.report import CALLERS_ERRORS
from influstat.errors import InvalidArgument
from influstat.input.validation import FloatArray, returned_array, vector

TARGETS = {  # candidates for a default, tried in this order
    "real": (-2.5, -0.3, 0.0, 1.7, 4.0),
    "counts": (0.0, 1.0, 2.0, 5.0),
    "0/1": (0.0, 1.0),
    "-1/+1": (-1.0, 1.0),
}
POINTS = 40  # linear predictors per target


@dataclass(frozen=True)
class Sample:
    """Pairs (y, eta) in which every target meets many linear predictors; those at kinks left out.

    `centres` are the linear predictors around which the loss of each target bends.
    """

    kind: str
    targets: FloatArray
    centres: FloatArray
    y: FloatArray
    eta: FloatArray
    width: float

    def part(self, chosen: Any) -> Sample:
        """Return the chosen pairs."""
        return replace(self, y=self.y[chosen], eta=self.eta[chosen])

    def place(self, index: tuple[int, ...]) -> str:
        """Name a pair."""
        return f"y = {self.y[index[0]]:g}, eta = {self.eta[index[0]]:.6g}"


def draw_sample(loss: Any, y: Any, width: float, seed: int) -> Sample:
    """Return every target with random linear predictors, some of them where the loss bends."""
    kind, targets = _accepted(loss, y)
    rng = np.random.default_rng(seed)
    near = rng.normal(size=(len(targets), POINTS // 2)) * 3.0
    centres = _centres(loss, targets) if kind == "real" else np.where(kind == "-1/+1", targets, 0.0)
    bends = centres[:, None] + width * rng.normal(size=(len(targets), POINTS // 2)) * 2.0
    eta = np.hstack([near, bends])
    y_all = np.repeat(targets, eta.shape[1])
    return Sample(kind, targets, centres, y_all, eta.ravel(), width)


def _centres(loss: Any, targets: FloatArray) -> FloatArray:
    """Return where each target's loss is least among y itself, log y, 1/y and 0: the link is unknown."""
    with np.errstate(all="ignore"):
        tried = np.array([targets, np.log(targets), 1.0 / targets, 0.0 * targets])
        losses = np.array([_losses(loss, targets, eta) for eta in tried])
    return np.asarray(tried[np.argmin(losses, axis=0), np.arange(len(targets))])


def _losses(loss: Any, y: FloatArray, eta: FloatArray) -> FloatArray:
    """Return the losses, inf where there is none; the laws will say what is wrong with a wrong loss."""
    nowhere = np.full(y.shape, np.inf)
    try:
        found = np.asarray(loss.value(y.copy(), np.nan_to_num(eta)), dtype=np.float64)
    except CALLERS_ERRORS:
        return nowhere
    if found.shape != y.shape:
        return nowhere
    return np.where(np.isfinite(found) & np.isfinite(eta), found, np.inf)


def _accepted(loss: Any, y: Any) -> tuple[str, FloatArray]:
    if y is not None:
        given = vector("y", y)
        if not given.size:
            raise InvalidArgument("y", "hold targets", "is empty", "Pass some that the loss accepts.")
        targets = np.unique(returned_array("check_targets", loss.check_targets(given)))
        kind = next((k for k in ("0/1", "-1/+1") if set(targets) <= set(TARGETS[k])), "real")
        return kind, targets[:: max(1, len(targets) // 8)]
    for kind, values in TARGETS.items():
        try:
            accepted = loss.check_targets(np.array(values))
        except CALLERS_ERRORS:
            continue
        return kind, np.asarray(returned_array("check_targets", accepted), dtype=np.float64)
    raise InvalidArgument(
        "y", "be given", "is None, and the loss accepts no usual targets", "Pass targets that it accepts."
    )
