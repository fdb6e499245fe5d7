"""What a refit without each row leaves behind: its dispersion and the determinant of its Hessian."""

from __future__ import annotations

import numpy as np

from influstat.input.progress import progress
from influstat.input.validation import FloatArray
from influstat.removal import Removal
from influstat.removal.engine.shared import Shared
from influstat.removal.gradients import MEMBERS
from influstat.statistics.dispersion import DEVIANCE, Dispersion, pearson_residuals
from influstat.statistics.expanded_variances import (
    HEADROOM,
    NEAR,
    SHARP,
    at_once,
    observed_is,
    smallest_eigenvalues,
)
from influstat.statistics.leverage import Leverage, expected_second
from influstat.statistics.residuals import unit_deviance


def refitted_scale(
    leverage: Leverage, removal: Removal, phi: Dispersion, counts: FloatArray, given: object, information: str
) -> tuple[FloatArray, FloatArray]:
    """Return phi without each row and log det S_-i - log det S, both at the refit, each of shape (n,).

    O(n p^2) a row; p^3 where phi is known and sums over all rows are worth expanding.

    Parameters
    ----------
    leverage : Leverage
        The fit with all rows.
    removal : Removal
        Every row left out and refitted.
    phi : Dispersion
        That of the fit.
    counts : ndarray, shape (n,)
        How many observations each row stands for.
    given : object
        How phi is estimated.
    information : {"observed", "expected"}
        The curvature of S.

    Returns
    -------
    tuple of ndarray
        nan for rows that cannot be left out; phi is nan too where no degrees of freedom are left.
    """
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
    shared = Shared.of(fit, risk)
    rows = shared.planned(groups)[1]
    if rows is None:
        return change
    start, parts = 0, list(groups.blocks(at_once(len(fit.theta)), MEMBERS))
    sharp = rows.worth_sharpening(removal.theta, SHARP * NEAR)
    for part in progress(parts, "covariances without each row"):
        place = slice(start, start + len(part))
        start = place.stop
        theta = removal.theta[place]
        known = np.asarray(np.isfinite(theta).all(axis=1))
        columns = np.ascontiguousarray(np.where(known[:, None], theta, fit.theta).T)
        hessian, missing = rows.hessians(
            part, shared.expansion.left(part), columns, fourth=rows.has_fourth, sharp=sharp
        )
        least = smallest_eigenvalues(hessian)
        known &= (missing <= SHARP * least) & (least > HEADROOM)
        change[place] = np.where(known, np.linalg.slogdet(hessian)[1], np.nan)
    # In those coordinates the identity has the share of the penalty that stays on average.
    whole = np.linalg.slogdet(rows.whitened(leverage.gram() + leverage.penalty))[1]
    return np.asarray(change - whole)
