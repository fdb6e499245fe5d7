"""Measures of rows for risks with a linear predictor: the columns of `Fit.diagnostics`, a block at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.statistics.deletion import DeletedBlock
from influstat.statistics.dispersion import Dispersion
from influstat.statistics.leverage import Leverage

BATCH_ENTRIES = 2**22  # entries of the losses of all rows at several theta


@dataclass(frozen=True, eq=False)
class LinearSetting:
    """What the columns are computed from."""

    fit: Minimum
    leverage: Leverage
    dispersion: Dispersion | None
    frequency: bool
    deleted_scale: bool

    @property
    def phi(self) -> Dispersion:
        """Return the dispersion; columns that need it are refused earlier where there is none."""
        assert self.dispersion is not None
        return self.dispersion


class LinearMeasures:
    """The columns of a block of rows; one method per name.

    Parameters
    ----------
    setting : LinearSetting
        The fit, and what the caller asked for.
    block : DeletedBlock
        The rows, each left out.
    without : ndarray, shape (k,)
        phi without each row.
    """

    def __init__(self, setting: LinearSetting, block: DeletedBlock, without: FloatArray) -> None:
        self.setting, self.block, self.without = setting, block, without
        leverage, rows = setting.leverage, block.rows
        self.square = np.einsum("ij,ij->i", block.coordinates, block.coordinates)  # x_i'S^-1 x_i
        self.leverage = leverage.risk.weights[rows] * leverage.second[rows] * self.square

    def hat_diag(self) -> FloatArray:
        """Return the leverages."""
        return np.asarray(self.leverage)

    def _studentised(self, phi: Any) -> FloatArray:
        left = 1.0 - self.leverage
        root = np.sqrt(phi * np.where(np.isnan(self.block.log_determinant), np.nan, left))
        return np.asarray(self.setting.phi.pearson[self.block.rows] / root)

    def standard_resid(self) -> FloatArray:
        """Return residuals over their standard deviation with the dispersion of the fit."""
        return self._studentised(self.setting.phi.value)

    def student_resid(self) -> FloatArray:
        """Return residuals over their standard deviation with the dispersion without the row."""
        return self._studentised(self.without)

    def cooks_d(self) -> FloatArray:
        """Return delta'S delta / (phi edf)."""
        size = np.einsum("ij,ij->i", self.block.change, self.block.change)
        freedom = self.setting.leverage.effective_degrees_of_freedom
        with np.errstate(over="ignore"):  # a dispersion that is nearly 0
            return np.asarray(size / (self.setting.phi.value * freedom))

    def _fitted_change(self, phi: Any) -> FloatArray:
        change = -np.einsum("ij,ij->i", self.block.coordinates, self.block.change)
        at_zero = self.square == 0  # a row of zeros predicts its offset whatever theta is
        size = np.sqrt(phi * np.where(at_zero, 1.0, self.square))
        return np.asarray(np.where(at_zero, 0.0, change) / size)

    def dffits_internal(self) -> FloatArray:
        """Return x_i'(theta - theta_-i) over its standard error in the fit."""
        return self._fitted_change(self.setting.phi.value)

    def dffits(self) -> FloatArray:
        """Return x_i'(theta - theta_-i) over its standard error, dispersion without the row."""
        return self._fitted_change(self.without)

    def cov_ratio(self) -> FloatArray:
        """Return det(phi_-i S_-i^-1) / det(phi S^-1)."""
        p = self.block.coordinates.shape[1]
        ratio = p * np.log(self.without / self.setting.phi.value) - self.block.log_determinant
        return np.asarray(np.exp(ratio))

    def dfbeta(self) -> FloatArray:
        """Return theta - theta_-i."""
        return np.asarray(self.block.change @ -self.setting.leverage.transform.T)

    def dfbetas(self) -> FloatArray:
        """Return theta - theta_-i over the standard errors."""
        leverage = self.setting.leverage
        unscaled = leverage.transform.T / np.sqrt(leverage.inverse_diagonal)
        phi = self.without if self.setting.deleted_scale else np.full(1, self.setting.phi.value)
        if np.ptp(phi) == 0.0:
            return np.asarray(self.block.change @ (-unscaled / np.sqrt(phi[0])))
        result = self.block.change @ -unscaled
        result /= np.sqrt(phi)[:, None]
        return np.asarray(result)

    def likelihood_displacement(self) -> FloatArray:
        """Return 2 [F(theta_-i) - F(theta)] / phi."""
        leverage, theta = self.setting.leverage, self.setting.fit.theta
        risk = leverage.risk
        delta = self.block.change @ self.setting.leverage.transform.T
        result = np.empty(len(delta))
        step = max(1, BATCH_ENTRIES // risk.shape[0])
        before = risk.loss.value(risk.y, self.setting.leverage.linear_predictor)
        for start in range(0, len(delta), step):
            some = slice(start, start + step)
            moved = theta + delta[some]
            eta = risk.design.dot(np.ascontiguousarray(moved.T)) + risk.offset[:, None]
            losses = risk.weights @ (risk.loss.value(risk.y[:, None], eta) - before[:, None])
            result[some] = (
                losses + risk.penalty.value(np.ascontiguousarray(moved.T)) - risk.penalty.value(theta)
            )
        return 2.0 * result / self.setting.phi.value
