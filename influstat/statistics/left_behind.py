"""What each row leaves behind: the fit without it, by one step or by a refit, and its dispersions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.removal import Removal
from influstat.removal.engine.shared import Shared
from influstat.removal.leave_out import leave_one_out
from influstat.statistics.deletion import (
    NEGATIVE,
    DeletedBlock,
    deleted_dispersion,
    freedom_left,
    one_step_dispersion,
)
from influstat.statistics.dispersion import DEVIANCE, Dispersion, pearson_residuals
from influstat.statistics.expanded_variances import observed_is, sharp_hessians
from influstat.statistics.leverage import Leverage, expected_second
from influstat.statistics.linear_diagnostics import LinearSetting, WithoutRow
from influstat.statistics.residuals import unit_deviance

WITHOUT_ROW = ("student_resid", "dffits", "cov_ratio", "dfbetas")  # hang on the dispersion without the row
BY_SPREAD = ("student_resid", "dffits", "cov_ratio")  # and these on that by the deviance


class Refits:
    """Every row left out and refitted: changes in the coordinates of the fit, and what else is asked."""

    def __init__(
        self, fit: Minimum, setting: LinearSetting, chosen: tuple[str, ...], given: Any, information: str
    ) -> None:
        leverage, phi = setting.leverage, setting.dispersion
        removal = leave_one_out(fit.regular, method="exact")
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
    for block in setting.blocks:
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


def refitted_scale(
    leverage: Leverage, removal: Removal, phi: Dispersion, counts: FloatArray, given: object, information: str
) -> tuple[FloatArray, FloatArray]:
    """Return phi without each row and log det S_-i - log det S, both at the refit, each of shape (n,)."""
    # nan for rows that cannot be left out; phi is nan too where no degrees of freedom are left. O(n p^2) a
    # row; p^3 where phi is known and sums over all rows are worth expanding.
    risk, p = leverage.risk, len(leverage.theta)
    scale, change = np.full(risk.shape[0], np.nan), _expanded_changes(leverage, removal, phi)
    parts = leverage.penalty_part(risk.weights)
    penalty = leverage.transform.T @ leverage.penalty @ leverage.transform
    for row, theta in enumerate(removal.theta):
        if removal.status[row]:
            continue
        if not np.isnan(change[row]):
            scale[row] = phi.value
            continue
        eta = risk.linear_predictor(theta)
        second = expected_second(risk, eta) if information == "expected" else risk.loss.second(risk.y, eta)
        curvature = risk.weights * second
        curvature[row] = 0.0
        kept = (1.0 - parts[row]) * penalty
        hessian = leverage.transform.T @ risk.design.gram(curvature) @ leverage.transform + kept
        sign, log_determinant = np.linalg.slogdet(hessian)
        change[row] = log_determinant if sign > 0 else np.nan
        scale[row] = phi.value
        if phi.estimated:
            squares = (
                risk.weights * unit_deviance(risk, eta)
                if given == DEVIANCE
                else np.square(np.nan_to_num(pearson_residuals(risk, eta)))
            )
            squares[row] = 0.0
            used = p - float(np.trace(np.linalg.solve(hessian, kept)))
            freedom = phi.observations - float(counts[row]) - used
            scale[row] = squares.sum() / freedom if freedom > 1e-8 * phi.observations else np.nan
    return scale, change


def _expanded_changes(leverage: Leverage, removal: Removal, phi: Dispersion) -> FloatArray:
    """Return log det S_-i - log det S from expanded sums, nan where they do not serve, shape (n,)."""
    risk, fit, groups = leverage.risk, removal.fit, removal.groups
    change = np.full(len(groups), np.nan)
    observed = observed_is(leverage.second, risk, fit.theta)
    if phi.estimated or not risk.penalty.constant_hessian or not observed:
        return change
    rows = Shared.of(fit, risk).planned(groups)[1]
    if rows is None:
        return change
    found = sharp_hessians(rows, groups, removal.theta, "covariances without each row")
    for place, _, hessian, known in found:
        change[place] = np.where(known, np.linalg.slogdet(hessian)[1], np.nan)
    # In those coordinates the identity has the share of the penalty that stays on average.
    whole = np.linalg.slogdet(rows.whitened(leverage.gram() + leverage.penalty))[1]
    return np.asarray(change - whole)
