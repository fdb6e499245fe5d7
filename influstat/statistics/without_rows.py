"""Variances of theta without each of many rows at their refits, all in one pass over the data.

Without row i, at its own theta_-i, the Hessian S_-i is the sum of w_m l2_m(theta_-i) x_m x_m' over other m
plus the penalty that stays: each row's products x_m x_m' are made once for a block of refits, and their sums
are one matrix product of (p (p + 1) / 2, rows) with (rows, refits). In the coordinates of `Leverage`, in
which the whole fit's S is the identity, none of it loses digits.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.symmetric import packed, unpacked
from influstat.errors import Unsupported
from influstat.input.groups import one_by_one
from influstat.input.matrix import BLOCK_ENTRIES
from influstat.input.progress import progress
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.risks.linear import as_linear, require_linear
from influstat.statistics.dispersion import DEVIANCE, dispersion_of
from influstat.statistics.expanded_variances import ExpandedVariances
from influstat.statistics.leverage import leverage_of
from influstat.statistics.sandwich import ONE
from influstat.statistics.setting import CovarianceSetting

KINDS = ("model", "HC0", "HC1", "HC2", "HC3")
POWERS = {"HC2": 1, "HC3": 2}
TOGETHER = 64  # refits whose sums are made at once
CERTAIN = (
    1e-8  # smallest eigenvalue of S_-i over the largest, where S has 1: below, each row is looked at alone
)


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over the rows that are left, one column for each of k refits."""

    hessian: FloatArray  # of w l2 y y', the upper triangle as a column, shape (q, k)
    middle: FloatArray  # of the scores' products, alike
    squares: FloatArray  # Pearson's statistic or the deviance, shape (k,)
    alone: NDArray[np.bool_]  # whether a row that is left has leverage 1, shape (k,)


class WithoutRows:
    """The variances and degrees of freedom of a fit without single rows."""

    def __init__(self, fit: Minimum, setting: CovarianceSetting) -> None:
        self.setting, self._fit = setting, fit
        self.risk = require_linear(fit.risk, "inference without rows")
        self.leverage = leverage_of(fit, setting.information)
        p = len(self.leverage.theta)
        self.upper = np.triu_indices(p)
        self.twice = np.where(self.upper[0] == self.upper[1], 1.0, 2.0)

    @staticmethod
    def serves(fit: Minimum, setting: CovarianceSetting) -> bool:
        """Return whether the fit determines all coefficients, and its scores are those of rows alone."""
        linear = as_linear(fit.risk)
        if linear is None or setting.kind not in KINDS or fit.lost:
            return False
        carried = linear.protocol.carried(linear.total_weight) != 0.0
        shared = carried and bool(linear.penalty.gradient_scale(np.ones(len(fit.theta))).any())
        return setting.kind == "model" or not (shared or setting.penalty_in_scores)

    def variances(self, rows: NDArray[np.intp], theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the variances, shape (k, p), and N - edf, shape (k,), at theta (k, p); nan where unknown."""
        variance, freedom = np.full(theta.shape, np.nan), np.full(len(rows), np.nan)
        groups = one_by_one(rows, self._fit.row_labels)
        expanded = ExpandedVariances.of(self._fit, self.setting, groups)
        if expanded is not None:
            variance, freedom = expanded.variances(groups, theta)
        left = np.flatnonzero(np.isnan(variance).any(axis=1))
        for part in progress([left[k : k + TOGETHER] for k in range(0, len(left), TOGETHER)], "inference"):
            variance[part], freedom[part] = self._of_block(rows[part], theta[part])
        return variance, freedom

    def _of_block(self, rows: NDArray[np.intp], theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        setting, to_theta, p = self.setting, self.leverage.to_theta, len(self.leverage.theta)
        known = np.asarray(np.isfinite(theta).all(axis=1), dtype=np.bool_)
        theta = np.where(known[:, None], theta, 0.0)
        sums = self._sums(rows, theta)
        penalty = self._penalties(rows, theta)
        values, vectors = np.linalg.eigh(unpacked(sums.hessian, p) + penalty)
        known &= values[:, 0] > CERTAIN * np.maximum(values[:, -1], 1.0)
        inverse = (vectors / np.where(known[:, None], values, 1.0)[:, None, :]) @ vectors.swapaxes(1, 2)
        edf = values.shape[1] - np.einsum("kab,kab->k", inverse, penalty)
        total = float(setting.counts.sum()) - setting.counts[rows]
        if setting.kind == "model":
            square = inverse * self._scale(sums, total - edf)[:, None, None]
        else:
            if setting.kind in POWERS:
                sums = self._sums(rows, theta, inverse)
                known &= ~sums.alone
            square = inverse @ unpacked(sums.middle, p) @ inverse
            square *= setting.scaling * self._factor(rows, edf)[:, None, None]
        variance = np.einsum("ja,kab,jb->kj", to_theta, square, to_theta, optimize=True)
        used = edf if setting.parameters is None else setting.parameters
        return np.where(known[:, None], variance, np.nan), total - used

    def _penalties(self, rows: NDArray[np.intp], theta: FloatArray) -> FloatArray:
        """Return the Hessian of the penalty that stays without each row, in these coordinates."""
        risk, change = self.risk, self.leverage.to_theta
        result = np.zeros((len(rows), change.shape[1], change.shape[1]))
        if not self.leverage.penalty.any():
            return result
        for k, row in enumerate(rows):
            kept = risk.protocol.after(risk.total_weight, risk.total_weight - float(risk.weights[row]))
            result[k] = change.T @ risk.penalty.scaled(kept).hessian(theta[k]).dense() @ change
        return result

    def _scale(self, sums: Sums, freedom: FloatArray) -> FloatArray:
        known = dispersion_of(self.risk.loss, self.setting.dispersion)
        if known is not None:
            return np.full(len(freedom), known)
        enough = freedom > 1e-8 * float(self.setting.counts.sum())
        return np.where(enough, sums.squares / np.where(enough, freedom, 1.0), np.nan)

    def _factor(self, rows: NDArray[np.intp], edf: FloatArray) -> FloatArray:
        """Return HC1's N / (N - edf), nan where none is left."""
        if self.setting.kind != "HC1":
            return np.ones(len(rows))
        plain = self.setting.factor_counts
        counts = self.setting.counts if plain is None else plain
        total = float(counts.sum()) - counts[rows]
        left = total - (edf if plain is None else float(len(self.leverage.theta)))
        enough = left > 1e-8 * total
        return np.where(enough, total / np.where(enough, left, 1.0), np.nan)

    def _sums(self, rows: NDArray[np.intp], theta: FloatArray, inverse: FloatArray | None = None) -> Sums:
        """Return the sums; with S_-i^-1 for scores over a power of 1 - h."""
        risk, setting, shape = self.risk, self.setting, (len(self.twice), len(rows))
        sums = Sums(np.zeros(shape), np.zeros(shape), np.zeros(shape[1]), np.zeros(shape[1], dtype=np.bool_))
        forms = None if inverse is None else inverse[:, self.upper[0], self.upper[1]].T * self.twice[:, None]
        step = max(1, BLOCK_ENTRIES // (2 * len(self.twice)))
        inner = self.leverage.risk.design
        for start in range(0, risk.shape[0], step):
            part = slice(start, min(start + step, risk.shape[0]))
            y = inner.rows(part) @ self.leverage.transform
            products = packed(y.T).T
            eta = risk.design.rows(part) @ theta.T + risk.offset[part, None]
            weight = np.repeat(risk.weights[part, None], len(rows), axis=1)
            own = (rows >= part.start) & (rows < part.stop)
            weight[rows[own] - start, own] = 0.0
            targets = np.broadcast_to(risk.y[part, None], eta.shape).ravel()
            second = self._second(targets, eta)
            if forms is None:
                sums.hessian[:] += products.T @ (weight * second)
            if setting.kind == "model":
                sums.squares[:] += (weight * self._unit(targets, eta)).sum(axis=0)
                continue
            counts = setting.counts[part, None]
            first = risk.loss.first(targets, eta.ravel()).reshape(eta.shape)
            terms = np.divide((weight * first) ** 2, counts, out=np.zeros(eta.shape), where=counts > 0)
            if forms is not None:
                left = 1.0 - weight * second * (products @ forms) / np.where(counts > 0, counts, 1.0)
                sums.alone[:] |= (left < ONE).any(axis=0)
                terms /= np.where(left < ONE, 1.0, left) ** POWERS[setting.kind]
            sums.middle[:] += products.T @ terms
        return sums

    def _second(self, targets: FloatArray, eta: FloatArray) -> FloatArray:
        """Return l2, or its expectation, shape (rows, k)."""
        loss = self.risk.loss
        if self.setting.information == "expected":
            return self._expected(targets, eta)
        return np.asarray(loss.second(targets, eta.ravel()), dtype=np.float64).reshape(eta.shape)

    def _expected(self, targets: FloatArray, eta: FloatArray) -> FloatArray:
        loss, flat = self.risk.loss, eta.ravel()
        with suppress(Unsupported):  # its own l2 stands in then, as everywhere
            targets = loss.mean(flat)
        return np.asarray(loss.second(targets, flat), dtype=np.float64).reshape(eta.shape)

    def _unit(self, targets: FloatArray, eta: FloatArray) -> FloatArray:
        """Return what a row of unit weight adds to Pearson's statistic or the deviance, if phi needs one."""
        loss: Any = self.risk.loss
        if dispersion_of(loss, self.setting.dispersion) is not None:
            return np.zeros(eta.shape)
        if self.setting.dispersion == DEVIANCE:
            deviance = np.asarray(loss.deviance(targets, eta.ravel()), dtype=np.float64)
            return np.maximum(deviance, 0.0).reshape(eta.shape)
        expected = self._expected(targets, eta)
        first: FloatArray = np.asarray(loss.first(targets, eta.ravel()), dtype=np.float64).reshape(eta.shape)
        return np.asarray(np.divide(first**2, expected, out=np.zeros(eta.shape), where=expected > 0))
