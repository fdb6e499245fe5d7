"""Derivatives of the variances of theta in the case weight of each row, all rows at once.

A case weight a_i (1 now) multiplies row i wherever it appears: its loss, its score in the middle of a
sandwich, its count in N and, under "folded", its share of the penalty. With C = S^-1, d_i = -w_i C g_i the
derivative of theta and K the penalty's Hessian,

    dS_i = w_i l2_i x_i x_i' + part_i K + sum_m w_m l3_m (x_m'd_i) x_m x_m',

and every variance is a sum of products of C, scores and leverages. Nothing of size n x n appears: the last
term is d_i times a matrix (p, p) that all rows share.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from influstat.input.printing import ShortRepr
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.risks.linear import require_linear
from influstat.statistics.dispersion import DEVIANCE, dispersion, pearson_slope, slope_in_eta
from influstat.statistics.leverage import expected_second, leverage_of
from influstat.statistics.sandwich import clusters_left, copy_left, row_factors, size, taken
from influstat.statistics.setting import CovarianceSetting


@dataclass(frozen=True, eq=False, repr=False)
class Derivatives(ShortRepr):
    """Derivatives in the case weights; nan for coefficients that are not determined."""

    theta: FloatArray  # shape (n, p)
    variance: FloatArray  # of the diagonal of theta's covariance, shape (n, p)
    freedom: FloatArray  # of N - edf, shape (n,)


class CaseDerivatives:
    """What the derivatives of all covariances of one fit are made of."""

    def __init__(self, fit: Minimum, setting: CovarianceSetting) -> None:
        self.fit, self.setting = fit, setting
        require_linear(fit.risk, "derivatives of its inference")
        leverage = self.leverage = leverage_of(fit)
        risk, eta = leverage.risk, leverage.linear_predictor  # in coordinates in which S has an inverse
        self.X: FloatArray = risk.design.rows(slice(None))
        self.weights: FloatArray = risk.weights
        self.penalty = leverage.penalty
        self.part = leverage.penalty_part(risk.weights)
        self.penalty_share = risk.protocol.carried(risk.total_weight)
        self.scores = leverage.first[:, None] * self.X
        self.scores += self.penalty_share * risk.penalty.gradient(leverage.theta)
        self.inverse = leverage.inverse
        self.theta: FloatArray = -self.weights[:, None] * (self.scores @ self.inverse)
        self.bend = self.weights * risk.loss.third(risk.y, eta)
        self.curvature = self.weights * leverage.second
        self.second = leverage.second  # of the scores, whichever information S is by
        if setting.information == "expected":
            expected = self.leverage = leverage_of(fit, "expected")
            self.inverse, self.curvature = expected.inverse, self.weights * expected.second
            self.bend = self.weights * slope_in_eta(lambda eta: expected_second(risk, eta), eta)
        found = None if fit.chart is None else fit.chart.coordinates
        self.determined = np.ones(len(fit.theta), dtype=np.bool_) if found is None else found.determined
        # theta = change u, so that its covariances are by the columns of C change'
        self.change = np.eye(len(fit.theta)) if found is None else found.lift(np.eye(len(self.inverse)))
        self.columns = self.inverse @ self.change.T

    def all(self) -> Derivatives:
        """Return the derivatives of theta, its variances and its degrees of freedom."""
        variance = self._model() if self.setting.kind == "model" else self.setting.scaling * self._sandwich()
        variance[:, ~self.determined] = np.nan
        freedom = self.freedom
        del self.scores, self.X
        theta = self.theta @ self.change.T
        theta[:, ~self.determined] = np.nan
        return Derivatives(theta, variance, freedom)

    # -- pieces ----------------------------------------------------------------------------------------

    def _along_theta(self, rows: FloatArray) -> FloatArray:
        """Return sum_m rows_mj x_m'd_i at [i, j]."""
        return np.asarray(self.theta @ (self.X.T @ rows))

    def _hessian_form(self, left: FloatArray, right: FloatArray) -> FloatArray:
        """Return left_j' dS_i right_j at [i, j] for the columns of two matrices (p, m)."""
        product = self.X @ left
        product *= self.X @ right
        result = self._along_theta(self.bend[:, None] * product)
        product *= self.curvature[:, None]
        result += product
        if self.part.any():
            result += self.part[:, None] * np.einsum("kj,kj->j", left, self.penalty @ right)
        return result

    @cached_property
    def count(self) -> FloatArray:
        """Derivative of N, shape (n,)."""
        return self.setting.counts

    @cached_property
    def freedom(self) -> FloatArray:
        """Derivative of N - edf, shape (n,), edf = trace(C S_0) with S_0 = S - K."""
        penalised = self.inverse @ self.penalty @ self.inverse
        forms = np.einsum("ij,ij->i", self.X @ penalised, self.X)
        change = self.curvature * forms + self._along_theta((self.bend * forms)[:, None])[:, 0]
        change -= self.part * float(np.sum(self.penalty * (self.inverse - penalised)))
        return np.asarray(self.count - change)

    # -- the covariances -------------------------------------------------------------------------------

    def _model(self) -> FloatArray:
        """Phi C: dphi C_jj - phi C_j'dS C_j."""
        phi = dispersion(self.leverage, self.setting.counts, given=self.setting.dispersion)
        result = -phi.value * self._hessian_form(self.columns, self.columns)
        if phi.estimated:
            slope = 2.0 * self.leverage.first
            if self.setting.dispersion != DEVIANCE:
                slope = pearson_slope(self.leverage.risk, self.leverage.linear_predictor)
            squares = phi.parts + self._along_theta((self.weights * slope)[:, None])[:, 0]
            freedom = phi.squares / phi.value
            change = (squares - phi.value * self.freedom) / freedom
            result += change[:, None] * np.einsum("jk,kj->j", self.change, self.columns)
        return result

    def _sandwich(self) -> FloatArray:
        """Return k sum of squares of T = g'C, each term times its factor."""
        projected = self.scores @ self.columns
        if self.setting.clusters:
            signs = (1.0, 1.0, -1.0)
            parts = zip(signs, self.setting.clusters, strict=False)
            return np.asarray(sum(sign * self._clustered(projected, one) for sign, one in parts))
        weighted = row_factors(self.fit, self.setting)[:, None] * projected
        result = self._moving_scores(weighted)
        explicit = weighted * projected
        result += explicit
        del weighted
        if self.setting.kind in ("HC2", "HC3"):
            result += self._moving_leverages(projected)
        return self._scaled(explicit.sum(axis=0), result, None)

    def _clustered(self, projected: FloatArray, clusters: NDArray[np.intp]) -> FloatArray:
        """Return the same for the squares of the sums of T over clusters."""
        sums = np.zeros((int(clusters.max()) + 1, projected.shape[1]))
        np.add.at(sums, clusters, self.weights[:, None] * projected)
        weighted = self.weights[:, None] * sums[clusters]
        result = 2.0 * weighted * projected + self._moving_scores(weighted)
        return self._scaled((sums**2).sum(axis=0), result, clusters)

    def _moving_scores(self, weighted: FloatArray) -> FloatArray:
        """Return 2 sum_m weighted_mj dT_mj: the scores and C move with theta and S."""
        moved = self.X @ self.columns
        moved *= weighted
        moved *= 2.0 * self.second[:, None]
        result = self._along_theta(moved)
        del moved
        shares = self.penalty_share * weighted.sum(axis=0)
        if self.penalty.any():
            result += self.theta @ (2.0 * shares * (self.penalty @ self.columns))
        result -= self._hessian_form(self.inverse @ (self.scores.T @ (2.0 * weighted)), self.columns)
        return result

    def _moving_leverages(self, projected: FloatArray) -> FloatArray:
        """Return sum_m T_mj^2 times the change of its factor 1 / (1 - h_m) or 1 / (1 - h_m)^2."""
        counts = np.where(self.count > 0, self.count, np.inf)
        left = copy_left(self.leverage, self.setting)
        slope = 1.0 / left**2 if self.setting.kind == "HC2" else 2.0 / left**3
        pull = (self.weights**2 / counts * slope)[:, None] * projected**2
        copies = self.weights / counts
        forms = np.einsum("ij,ij->i", self.X @ self.inverse, self.X)
        third = np.divide(self.bend, self.weights, out=np.zeros_like(self.bend), where=self.weights > 0)
        result = self._along_theta((copies * third * forms)[:, None] * pull)
        moved = self.X @ self.inverse
        for j in range(pull.shape[1]):
            scale = pull[:, j] * copies * self.leverage.second
            middle = moved.T @ (scale[:, None] * moved)
            form = np.einsum("ij,ij->i", self.X @ middle, self.X)
            result[:, j] -= self.curvature * form + self.part * float(np.sum(self.penalty * middle))
            result[:, j] -= self._along_theta((self.bend * form)[:, None])[:, 0]
        return result

    def _scaled(self, value: FloatArray, change: FloatArray, clusters: NDArray[np.intp] | None) -> FloatArray:
        """Return the change of k times value: HC1 and cluster have a factor k of N and edf."""
        if not self.setting.factor_by:
            return change
        total = size(self.setting)
        left = total - taken(self.fit, self.setting)
        top = total if clusters is None else total - 1.0
        groups = 0 if clusters is None else clusters_left(self.fit, clusters)
        constant = 1.0 if clusters is None else groups / (groups - 1.0)
        plain = self.setting.factor_counts
        more, freedom = (self.count, self.freedom) if plain is None else (plain, plain)
        slope = constant * (more / left - top * freedom / left**2)
        return constant * top / left * change + slope[:, None] * value
