"""Covariances of theta: model-based, robust to unequal variances, by clusters, and by the jackknife.

Sum scale: S = W H, g_i the row's score (under "folded" with its share of the penalty's gradient,
kappa D theta / W), N the observations, edf the effective degrees of freedom, h_i the leverages, delta the
change of theta on removal.

- model: phi S^-1, S the observed Hessian (for a GLM with another than its canonical link, statsmodels'
  default takes the expected one).
- HC0: S^-1 (sum_i w_i^2 g_i g_i') S^-1; HC1: N / (N - edf) times it; HC2, HC3: each term over 1 - h_i, over
  its square (MacKinnon and White 1985).
- cluster: S^-1 (sum_c s_c s_c') S^-1, s_c the sum of w_i g_i in cluster c, times
  G / (G - 1) (N - 1) / (N - edf).
- infinitesimal jackknife: sum of d d' with d = w_i I_theta(i) / W, the influences; the same as HC0.
- jackknife: (n - 1) / n sum_i delta_i delta_i', about theta: for least squares (n - 1) / n times HC3.
- cluster jackknife: (G - 1) / G sum_c delta_c delta_c', about theta: CRV3 (MacKinnon, Nielsen and Webb 2023).

Where weights are counts, w_i^2 becomes w_i and h_i that of one copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.algebra.cholesky import CholeskyInverse
from influstat.errors import InvalidArgument, Unsupported
from influstat.input.design import BLOCK_ENTRIES
from influstat.input.groups import read_clusters
from influstat.input.validation import FloatArray, choice
from influstat.minimise.minimum import Minimum, named_column
from influstat.removal.leave_out import leave_groups_out, leave_one_out
from influstat.risks.linear import as_linear
from influstat.statistics.dispersion import dispersion, dispersion_of, observations
from influstat.statistics.leverage import Leverage

SANDWICHES = ("HC0", "HC1", "HC2", "HC3", "cluster")
JACKKNIVES = ("infinitesimal jackknife", "jackknife", "cluster jackknife")
KINDS = ("model", *SANDWICHES, *JACKKNIVES)
CLUSTERED = ("cluster", "cluster jackknife")


@dataclass(frozen=True, eq=False)
class CovarianceSetting:
    """Which covariance of theta is meant.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    clusters : ndarray of int, shape (n,), or None
        The cluster of every row, 0, 1, ...
    dispersion : float or None
        phi where the caller knows it.
    frequency : bool
        Whether weights are counts.

    Examples
    --------
    >>> from influstat.statistics.covariance import CovarianceSetting
    >>> CovarianceSetting("HC3").frequency
    False
    """

    kind: str
    clusters: NDArray[np.intp] | None = None
    dispersion: Any = None
    frequency: bool = False


def read_setting(fit: Minimum, kind: str, groups: Any, dispersion: Any, frequency: bool) -> CovarianceSetting:
    """Check what the caller asks for.

    Returns
    -------
    CovarianceSetting

    Raises
    ------
    InvalidArgument
        The kind is unknown; groups are missing, superfluous, or not one label per row.
    """
    choice("kind", kind, KINDS)
    choice("frequency", frequency, (True, False))
    if kind not in CLUSTERED:
        if groups is not None:
            raise InvalidArgument(
                "groups", f"be left out for {kind!r}", "is given", 'Ask for kind="cluster", or leave it out.'
            )
        return CovarianceSetting(kind, None, dispersion, frequency)
    if groups is None:
        raise InvalidArgument(
            "groups",
            f"have one label per row ({fit.risk.shape[0]}) for {kind!r}",
            "is None",
            "Pass the cluster of each row.",
        )
    need = f"have one label per row ({{n}}) for {kind!r}"
    found, clusters = read_clusters(named_column(fit, groups), fit.row_labels, need=need)
    if len(found) < 2:
        raise InvalidArgument("groups", "hold at least 2 clusters", f"holds {len(found)}", "Use HC1 or HC3.")
    return CovarianceSetting(kind, clusters, dispersion, frequency)


def covariance(
    fit: Minimum,
    kind: str = "model",
    *,
    groups: Any = None,
    dispersion: Any = None,
    frequency: bool = False,
) -> FloatArray:
    """Return a covariance of theta; `Fit.covariance` says more."""
    return covariance_of(fit, read_setting(fit, kind, groups, dispersion, frequency))


def covariance_of(fit: Minimum, setting: CovarianceSetting) -> FloatArray:
    """Return the covariance of theta that the setting means, shape (p, p)."""
    if setting.kind == "jackknife":
        rows = fit.risk.weights > 0
        return _jackknife(leave_one_out(fit, rows=rows), int(np.count_nonzero(rows)))
    if setting.kind == "cluster jackknife":
        assert setting.clusters is not None
        return _jackknife(leave_groups_out(fit, setting.clusters), clusters_left(fit, setting))
    if setting.kind == "model":
        phi = model_dispersion(fit, setting)
        return phi * bread(fit)
    inverse = bread(fit)
    return factor(fit, setting) * inverse @ _meat(fit, setting) @ inverse


def model_dispersion(fit: Minimum, setting: CovarianceSetting) -> float:
    """Return phi, known or estimated."""
    loss = getattr(fit.risk, "loss", fit.risk)
    known = dispersion_of(loss, setting.dispersion)
    if known is not None:
        return known
    return dispersion(Leverage(fit), given=setting.dispersion, frequency=setting.frequency).value


def bread(fit: Minimum) -> FloatArray:
    """Return S^-1, sum scale, shape (p, p)."""
    if as_linear(fit.risk) is not None:
        return Leverage(fit).inverse
    inverse = CholeskyInverse(fit.hessian.to_dense(), fit.names)
    return inverse.solve(np.eye(len(fit.theta))) / fit.risk.total_weight


def count(fit: Minimum, setting: CovarianceSetting) -> tuple[float, float]:
    """Return N and the effective degrees of freedom (p where the risk has no linear predictor)."""
    try:
        leverage = Leverage(fit)
    except Unsupported:
        weights = fit.risk.weights
        total = float(weights.sum()) if setting.frequency else float(np.count_nonzero(weights))
        return total, float(len(fit.theta))
    return observations(leverage.risk, setting.frequency), leverage.effective_degrees_of_freedom


def clusters_left(fit: Minimum, setting: CovarianceSetting) -> int:
    """Return how many clusters have a row of positive weight."""
    assert setting.clusters is not None
    return len(np.unique(setting.clusters[fit.risk.weights > 0]))


def factor(fit: Minimum, setting: CovarianceSetting) -> float:
    """Return what the sandwich is multiplied by."""
    if setting.kind not in ("HC1", "cluster"):
        return 1.0
    total, freedom = count(fit, setting)
    if setting.kind == "HC1":
        return total / (total - freedom)
    groups = clusters_left(fit, setting)
    return groups / (groups - 1.0) * (total - 1.0) / (total - freedom)


def copy_leverage(leverage: Leverage, frequency: bool) -> FloatArray:
    """Return h_i, of one copy where weights are counts; refuse leverages of 1."""
    weights = leverage.risk.weights
    values = leverage.values / np.where(weights > 0, weights, 1.0) if frequency else leverage.values
    if (values > 1.0 - 1e-10).any():
        row = int(np.argmax(values))
        raise InvalidArgument(
            "kind",
            "be one that does not divide by 1 - leverage",
            f"is HC2 or HC3 and row {leverage.risk.row_labels[row]} has leverage 1",
            'Use "HC0" or "HC1", or drop that row.',
        )
    return values


def _meat(fit: Minimum, setting: CovarianceSetting) -> FloatArray:
    weights = fit.risk.weights
    if setting.clusters is not None:
        sums = np.zeros((int(setting.clusters.max()) + 1, len(fit.theta)))
        for rows, gradients in score_blocks(fit):
            np.add.at(sums, setting.clusters[rows], weights[rows, None] * gradients)
        return np.asarray(sums.T @ sums)
    scale = row_factors(fit, setting)
    total = np.zeros((len(fit.theta), len(fit.theta)))
    for rows, gradients in score_blocks(fit):
        total += gradients.T @ (scale[rows, None] * gradients)
    return total


def row_factors(fit: Minimum, setting: CovarianceSetting) -> FloatArray:
    """Return what g_i g_i' is multiplied by in the middle of the sandwich, shape (n,)."""
    weights = fit.risk.weights
    scale = weights if setting.frequency else weights**2
    if setting.kind not in ("HC2", "HC3"):
        return scale
    left = 1.0 - copy_leverage(Leverage(fit), setting.frequency)
    return np.asarray(scale / left if setting.kind == "HC2" else scale / left**2)


def score_blocks(fit: Minimum) -> Iterator[tuple[slice, FloatArray]]:
    """Yield (rows, g): the rows' scores, a few thousand at a time."""
    n, p = fit.risk.shape
    step = max(1, BLOCK_ENTRIES // p)
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        yield rows, fit.risk.row_gradients(fit.theta, rows)


def _jackknife(removal: Any, k: int) -> FloatArray:
    """Return (k - 1) / k times the sum of delta delta'; k counts what has weight, all else moves nothing."""
    for label, status in zip(removal.labels, removal.status, strict=True):
        if status:
            raise InvalidArgument(
                "kind",
                "be one without refits here",
                f"needs the fit without {label} ({status.rstrip('.')})",
                "Use HC1.",
            )
    return np.asarray((k - 1.0) / k * removal.delta.T @ removal.delta)
