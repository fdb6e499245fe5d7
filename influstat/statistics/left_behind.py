"""What each row leaves behind: the fit without it, by one step or by a refit, and its dispersions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from influstat.input.validation import FloatArray
from influstat.removal.leave_out import leave_one_out
from influstat.statistics.deletion import (
    NEGATIVE,
    DeletedBlock,
    Deletion,
    deleted_dispersion,
    freedom_left,
    one_step_dispersion,
)
from influstat.statistics.linear_diagnostics import LinearSetting, WithoutRow
from influstat.statistics.refits import refitted_scale

WITHOUT_ROW = ("student_resid", "dffits", "cov_ratio", "dfbetas")  # hang on the dispersion without the row
BY_SPREAD = ("student_resid", "dffits", "cov_ratio")  # and these on that by the deviance


class Refits:
    """Every row left out and refitted: changes in the coordinates of the fit, and what else is asked."""

    def __init__(self, setting: LinearSetting, chosen: tuple[str, ...], given: Any, information: str) -> None:
        leverage, phi = setting.leverage, setting.dispersion
        removal = leave_one_out(setting.fit.regular, method="exact")
        self.reasons = {row: text for row, text in enumerate(removal.status) if text}
        self.change = np.asarray(np.linalg.solve(leverage.transform, removal.delta.T).T)
        self.scale: tuple[FloatArray, FloatArray] | None = None
        if phi is not None and not setting.quadratic and set(chosen) & set(WITHOUT_ROW):
            self.scale = refitted_scale(leverage, removal, phi, setting.counts, given, information)


def blocks(
    setting: LinearSetting, chosen: tuple[str, ...], refits: Refits | None, reasons: dict[int, str]
) -> Iterator[tuple[DeletedBlock, WithoutRow]]:
    """Yield the rows left out and what they leave behind, and note why some cannot be left out."""
    phi = setting.dispersion
    asked = phi is not None and bool(set(chosen) & set(WITHOUT_ROW if phi.estimated else BY_SPREAD))
    for block in Deletion(setting.leverage, np.nan if phi is None else phi.squares).blocks():
        reasons.update(block.reasons())
        if refits is not None and refits.scale is not None:
            scale, change = (values[block.rows] for values in refits.scale)
            left = WithoutRow(scale, scale, change, True)
        else:
            left = _left_behind(setting, block, reasons, asked=asked)
            left = left if refits is None else replace(left, refitted=True)
        yield (block if refits is None else block.refitted(refits.change[block.rows])), left


def _left_behind(
    setting: LinearSetting, block: DeletedBlock, reasons: dict[int, str], *, asked: bool
) -> WithoutRow:
    """Return the dispersions without each row of a block; one that is known where no column asks for more."""
    phi, counts = setting.dispersion, setting.counts
    if phi is None or not asked:
        none = np.full(1, np.nan)
        known = none if phi is None or phi.estimated else np.full(1, phi.value)
        return WithoutRow(known, none, None, False)
    if setting.quadratic:
        without = deleted_dispersion(phi, block, counts)
        return WithoutRow(without, without, None, False)
    known = np.where(np.isnan(block.finite), np.nan, phi.value)
    without = one_step_dispersion(setting.spread, block, counts)
    negative = np.isnan(without) & ~np.isnan(freedom_left(setting.spread, block, counts))
    for row in np.flatnonzero(negative & ~np.isnan(block.finite)).tolist():
        reasons.setdefault(row + block.rows.start, NEGATIVE)
    return WithoutRow(without if phi.estimated else known, without, None, False)
