"""Model-based variances of theta without each of many rows, from sums over all rows that are expanded once.

At theta_-i the Hessian of the rows left is, in coordinates u in which that of all rows is the identity,
I + T3[u] + T4[u, u] / 2 less row i's own part (see `removal.engine.expanded`): its inverse costs p^3 a row,
whatever the number of rows. Where the dispersion is known that is the covariance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.symmetric import Symmetric
from influstat.input.groups import Groups
from influstat.input.progress import progress
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.removal.engine.expanded import AllRows
from influstat.removal.engine.shared import Shared
from influstat.risks.linear import LinearRisk, as_linear
from influstat.statistics.dispersion import dispersion_of
from influstat.statistics.leverage import expected_second
from influstat.statistics.setting import CovarianceSetting

SHARP = 1e-8  # of the Hessian: what the expansion may leave out; other rows are summed
AT_ONCE = 2**16  # entries of Hessians that are worked on together, in a few arrays: 512 KiB
NEAR = 0.5  # smallest eigenvalue, of a Hessian that is the identity with all rows, above which it is inverted
HEADROOM = 1e-6  # smallest eigenvalue of the Hessian left below which a row is looked at alone


def at_once(p: int) -> int:
    """Return how many Hessians are worked on together."""
    return max(16, AT_ONCE // p**2)


class ExpandedVariances:
    """The variances without single rows, and their degrees of freedom."""

    def __init__(self, rows: AllRows, setting: CovarianceSetting) -> None:
        self._rows, self._setting = rows, setting
        expansion = rows.expansion
        penalty: Symmetric = expansion.penalty_hessian
        p = len(expansion.theta)
        self._units = rows.anchor.whiten(np.eye(p))
        self._penalty = rows.anchor.whiten(rows.anchor.whiten(penalty.dense()).T)
        self._known = dispersion_of(expansion.risk.loss, setting.dispersion) or 1.0

    @classmethod
    def of(cls, fit: Minimum, setting: CovarianceSetting, groups: Groups) -> ExpandedVariances | None:
        """Return them where they are worth it and cover this covariance, else None."""
        risk = as_linear(fit.risk)
        if risk is None or fit.chart is not None or setting.kind != "model":
            return None
        if risk.quadratic or dispersion_of(risk.loss, setting.dispersion) is None:
            return None
        shared = Shared.of(fit, risk)
        expected = setting.information == "expected"
        second = expected_second(risk, shared.expansion.eta) if expected else risk.curvatures(fit.theta)
        if not risk.penalty.constant_hessian or not observed_is(second, risk, fit.theta):
            return None
        rows = shared.planned(groups)[1]
        return None if rows is None else cls(rows, setting)

    def variances(self, groups: Groups, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the variances, shape (k, p), and N - edf, shape (k,), at theta, shape (k, p).

        Returns
        -------
        tuple of ndarray
            nan for rows that the expansion is not sharp enough for.
        """
        variance, freedom = np.full(theta.shape, np.nan), np.full(len(groups), np.nan)
        sharp = self._rows.worth_sharpening(theta, SHARP * NEAR)
        size, start = at_once(theta.shape[1]), 0
        for part in progress(list(groups.blocks(size, size)), "inference without each row"):
            place = slice(start, start + len(part))
            start = place.stop
            variance[place], freedom[place] = self._block(part, theta[place], sharp)
        return variance, freedom

    def _block(self, groups: Groups, theta: FloatArray, sharp: float) -> tuple[FloatArray, FloatArray]:
        expansion, counts = self._rows.expansion, self._setting.counts
        usable: NDArray[np.bool_] = np.asarray(np.isfinite(theta).all(axis=1))
        columns = np.ascontiguousarray(np.where(usable[:, None], theta, expansion.theta).T)
        left = expansion.left(groups)
        fourth = self._rows.has_fourth
        hessian, missing = self._rows.hessians(groups, left, columns, fourth=fourth, sharp=sharp)
        least = smallest_eigenvalues(hessian)
        usable &= (missing <= SHARP * least) & (least > HEADROOM)
        hessian[~usable] = np.eye(len(columns))
        inverse = np.linalg.inv(hessian)  # all of it is traced; eigenvalues are above HEADROOM, or it is I
        edf = len(expansion.theta) - left * (inverse.reshape(len(left), -1) @ self._penalty.ravel())
        total = float(counts.sum()) - counts[groups.members]
        variance = np.einsum("kaj,aj->kj", inverse @ self._units, self._units)
        variance *= self._known
        used = edf if self._setting.parameters is None else self._setting.parameters
        variance[~usable] = np.nan
        return variance, np.where(usable, total - used, np.nan)


def smallest_eigenvalues(hessian: FloatArray) -> FloatArray:
    """Return lower bounds on the smallest eigenvalues of matrices (k, p, p).

    Without most rows the Hessian is near the identity, whose distance bounds them: a tenth of the work.

    Returns
    -------
    ndarray, shape (k,)
    """
    away = hessian - np.eye(hessian.shape[1])
    least = np.asarray(1.0 - np.sqrt(np.einsum("kab,kab->k", away, away)))
    far = least < NEAR
    least[far] = np.linalg.eigvalsh(hessian[far])[:, 0]
    return least


def observed_is(second: FloatArray, risk: LinearRisk, theta: FloatArray) -> bool:
    """Return whether these curvatures are those of the loss itself: a canonical link, or none is expected."""
    return bool(np.allclose(second, risk.curvatures(theta), rtol=1e-12, atol=0.0))
