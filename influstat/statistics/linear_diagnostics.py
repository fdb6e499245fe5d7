"""Measures of rows for risks with a linear predictor: the columns of `Fit.diagnostics`, a block at a time.

And those that need no leverage, of risks without one linear predictor per row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from influstat.errors import Unsupported
from influstat.input.validation import FloatArray
from influstat.losses.base import constant_second
from influstat.minimise.minimum import Minimum
from influstat.removal import Removal
from influstat.statistics import residuals
from influstat.statistics.covariance import bread
from influstat.statistics.deletion import DeletedBlock, Deletion
from influstat.statistics.dispersion import Dispersion, dispersion_of
from influstat.statistics.leverage import Leverage
from influstat.statistics.sandwich import coefficients

BATCH_ENTRIES = 2**22  # entries of the losses of all rows at several theta
GENERAL = ("cooks_d", "likelihood_displacement", "dfbetas", "dfbeta")


@dataclass(frozen=True, eq=False)
class LinearSetting:
    """What the columns are computed from; it may be kept for other questions."""

    leverage: Leverage  # by observed or expected information
    dispersion: Dispersion | None  # phi; None where the loss has no variance
    by_deviance: Callable[[], Dispersion] | None  # in which R's dffits and covariance ratio of a glm are
    counts: FloatArray  # how many observations each row stands for, shape (n,)
    deleted_scale: bool  # whether DFBETAS are in units of the dispersion without the row

    @property
    def phi(self) -> Dispersion:
        """Return the dispersion; columns that need it are refused earlier where there is none."""
        assert self.dispersion is not None
        return self.dispersion

    @cached_property
    def spread(self) -> Dispersion:
        """The dispersion by the deviance."""
        assert self.by_deviance is not None  # as for `phi`
        return self.by_deviance()

    @cached_property
    def deviance_residuals(self) -> FloatArray:
        """The roots of the rows' parts of the deviance, with the sign of y minus its mean, shape (n,)."""
        risk, eta = self.leverage.risk, self.leverage.linear_predictor
        parts = risk.weights * residuals.unit_deviance(risk, eta)
        return np.asarray(-self.leverage.direction * np.sign(self.leverage.first) * np.sqrt(parts))

    @property
    def blocks(self) -> Iterable[DeletedBlock]:
        """The rows, each left out alone: the same again where they hold nothing of the size of X."""
        return self._few if self._deletion.unpenalised else self._deletion.blocks()

    @cached_property
    def _deletion(self) -> Deletion:
        return Deletion(self.leverage, np.nan if self.dispersion is None else self.dispersion.squares)

    @cached_property
    def _few(self) -> list[DeletedBlock]:
        return list(self._deletion.blocks())

    @property
    def quadratic(self) -> bool:
        """Return whether the loss is the squared error, for which one step is exact."""
        return constant_second(self.leverage.risk.loss) is not None


@dataclass(frozen=True, eq=False)
class WithoutRow:
    """What a block's rows leave behind when each is left out."""

    phi: FloatArray  # this and the next are the two dispersions: shape (k,), or (1,) where all have the same
    spread: FloatArray
    log_determinant: FloatArray | None  # log det S_-i - log det S of a refit, (k,); None: of the Newton step
    refitted: bool  # whether theta_-i, and all that hangs on it, is that of a refit


class LinearMeasures:
    """The columns of a block of rows; one method per name."""

    def __init__(self, setting: LinearSetting, block: DeletedBlock, without: WithoutRow) -> None:
        self.setting, self.block, self.without = setting, block, without
        leverage, rows = setting.leverage, block.rows
        self.square = block.square
        self.leverage = leverage.values[rows]
        # 1 - h_i, nan for rows that cannot be left out.
        left = leverage.left[rows]
        self.left = np.where(np.isnan(block.finite), np.nan, left) if block.deletion.leaves else block.finite
        self.unit = residuals.root_of_unit(leverage.risk.loss)

    def hat_diag(self) -> FloatArray:
        """Return the leverages."""
        return np.asarray(self.leverage)

    # -- residuals -------------------------------------------------------------------------------------

    def _deviance(self) -> FloatArray:
        return np.asarray(self.setting.deviance_residuals[self.block.rows])

    def _response(self, eta: FloatArray) -> FloatArray:
        """Return y minus its mean at these linear predictors of the block, shape (k,)."""
        risk = self.setting.leverage.risk
        return np.asarray(risk.y[self.block.rows] - risk.loss.mean(eta))

    def resid_response(self) -> FloatArray:
        """Return y minus its mean."""
        return self._response(self.setting.leverage.linear_predictor[self.block.rows])

    def resid_pearson(self) -> FloatArray:
        """Return Pearson residuals at dispersion 1."""
        return np.asarray(self.setting.phi.pearson[self.block.rows] / self.unit)

    def resid_std(self) -> FloatArray:
        """Return the standard errors of Pearson residuals."""
        return np.asarray(np.sqrt(self.setting.phi.value * self.left) / self.unit)

    def resid_press(self) -> FloatArray:
        """Return y minus its mean without the row."""
        return self._response(self.setting.leverage.linear_predictor[self.block.rows] + self.block.along)

    def resid_deviance(self) -> FloatArray:
        """Return deviance residuals at dispersion 1."""
        return np.asarray(self._deviance() / self.unit)

    def _over_spread(self, values: FloatArray, phi: Any) -> FloatArray:
        """Return residuals over sqrt(phi (1 - h))."""
        return np.asarray(values / np.sqrt(phi * self.left))

    def standard_resid(self) -> FloatArray:
        """Return Pearson residuals over their standard deviation with the dispersion of the fit."""
        return self._over_spread(self.setting.phi.pearson[self.block.rows], self.setting.phi.value)

    def standard_resid_deviance(self) -> FloatArray:
        """Return deviance residuals over the same."""
        return self._over_spread(self._deviance(), self.setting.phi.value)

    def student_resid(self) -> FloatArray:
        """Return Williams' residuals with the dispersion without the row; Pearson ones without a deviance."""
        phi = self.without.spread if self.setting.phi.estimated else self.setting.phi.value
        pearson = self.setting.phi.pearson[self.block.rows]
        if self.setting.quadratic or not residuals.has_deviance(self.setting.leverage.risk.loss):
            return self._over_spread(pearson, phi)
        deviance = self._deviance()
        with np.errstate(invalid="ignore"):
            root = np.sqrt((deviance**2 + self.leverage * pearson**2 / self.left) / phi)
        return np.asarray(np.where(deviance < 0, -root, root))

    # -- changes ---------------------------------------------------------------------------------------

    def cooks_d(self) -> FloatArray:
        """Return delta'S delta / (phi edf)."""
        freedom = self.setting.leverage.effective_degrees_of_freedom
        with np.errstate(over="ignore"):  # a dispersion that is nearly 0
            return np.asarray(self.block.change_square / (self.setting.phi.value * freedom))

    def _fitted_change(self, phi: Any) -> FloatArray:
        change, square = self.block.along * -self.setting.leverage.direction[self.block.rows], self.square
        if not square.all():  # a row of zeros predicts its offset whatever theta is
            change, square = np.where(square == 0, 0.0, change), np.where(square == 0, 1.0, square)
        return np.asarray(change / np.sqrt(phi * square))

    def dffits_internal(self) -> FloatArray:
        """Return x_i'(theta - theta_-i) over its standard error in the fit, signed as the mean's change."""
        return self._fitted_change(self.setting.phi.value)

    def _as_in_r(self) -> bool:
        """Return whether one-step measures are those of R's glm, from deviance residuals."""
        loss = self.setting.leverage.risk.loss
        return not (self.without.refitted or self.setting.quadratic) and residuals.has_deviance(loss)

    def dffits(self) -> FloatArray:
        """Return the same with the dispersion without the row; of a glm by its deviance residual."""
        if not self._as_in_r():
            return self._fitted_change(self.without.phi)
        h = np.maximum(self.leverage, 0.0)
        return np.asarray(self._deviance() * np.sqrt(h / self.without.spread) / np.minimum(self.left, 1.0))

    def cov_ratio(self) -> FloatArray:
        """Return det(phi_-i S_-i^-1) / det(phi S^-1)."""
        p = self.setting.leverage.transform.shape[1]
        after, before = self.without.phi, self.setting.phi
        if self._as_in_r():
            after, before = self.without.spread, self.setting.spread
        known = self.without.log_determinant
        volume = self.block.log_determinant if known is None else known
        with np.errstate(over="ignore", invalid="ignore"):  # a dispersion beyond float64 has no ratio
            return np.asarray(np.exp(p * np.log(after / before.value) - volume))

    def dfbeta(self, out: FloatArray | None = None) -> FloatArray:
        """Return theta - theta_-i; into `out`, shape (k, p), if given."""
        return self.block.change_dot(-self.setting.leverage.to_theta.T, out)

    def dfbetas(self, out: FloatArray | None = None) -> FloatArray:
        """Return theta - theta_-i over the standard errors; into `out`, shape (k, p), if given."""
        leverage = self.setting.leverage
        unscaled = leverage.to_theta.T / np.sqrt(leverage.inverse_diagonal)
        phi = self.without.phi if self.setting.deleted_scale else np.full(1, self.setting.phi.value)
        if np.ptp(phi) == 0.0:
            return self.block.change_dot(-unscaled / np.sqrt(phi[0]), out)
        result = self.block.change_dot(-unscaled, out)
        result /= np.sqrt(phi)[:, None]
        return result

    def likelihood_displacement(self) -> FloatArray:
        """Return 2 [F(theta_-i) - F(theta)] / phi."""
        leverage, theta = self.setting.leverage, self.setting.leverage.theta
        risk = leverage.risk
        delta = self.block.change_dot(self.setting.leverage.transform.T)
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


class GeneralMeasures:
    """Cook's distance, displacement and DFBETAs from the changes of theta alone; edf is p.

    `removal` leaves each row out. Measures that need the dispersion, the variance of y at unit weight,
    are refused where neither the caller nor the risk says it.

    Examples
    --------
    >>> import influstat as ist
    >>> from influstat.statistics.linear_diagnostics import GeneralMeasures
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0], [1.0]], [1.0, 3.0, 8.0])
    >>> GeneralMeasures(fit, fit.leave_one_out(), 1.0).cooks_d().round(9)       # 6 delta^2 / 2
    array([ 6.75,  0.75, 12.  ])
    """

    def __init__(self, fit: Minimum, removal: Removal, dispersion: Any) -> None:
        self.fit, self.removal, self._given = fit, removal, dispersion
        self._hessian: FloatArray = fit.hessian.to_dense() * fit.risk.total_weight

    @property
    def _phi(self) -> float:
        risk: Any = self.fit.risk
        known = dispersion_of(getattr(risk, "loss", risk), self._given)
        if known is None:
            raise Unsupported(
                "dispersion",
                "be given where the risk has no linear predictor to estimate it by",
                "is None",
                "fit.diagnostics takes dispersion= where it is known.",
            )
        return known

    def available(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of the names that can be had: without a dispersion only what needs none."""
        with suppress(Unsupported):
            _ = self._phi
            return names
        return tuple(name for name in names if name == "dfbeta")

    def dfbeta(self) -> FloatArray:
        """Return theta - theta_-i, before minus after."""
        return -self.removal.delta

    def dfbetas(self) -> FloatArray:
        """Return the same over the standard errors of the fit."""
        return np.asarray(self.dfbeta() / np.sqrt(self._phi * np.diag(bread(self.fit))))

    def cooks_d(self) -> FloatArray:
        """Return delta'S delta / (phi p)."""
        delta = self.removal.delta
        size = np.einsum("ij,ij->i", delta @ self._hessian, delta)
        return np.asarray(size / (self._phi * coefficients(self.fit)))

    def likelihood_displacement(self) -> FloatArray:
        """Return 2 [F(theta_-i) - F(theta)] / phi."""
        risk, before = self.fit.risk, self.fit.risk.value(self.fit.theta)
        known = [np.nan if np.isnan(one).any() else risk.value(one) for one in self.removal.theta]
        return 2.0 * risk.total_weight * (np.array(known) - before) / self._phi
