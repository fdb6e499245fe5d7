"""The middle of sandwich covariances: sums of products of the rows' scores, one function for each form."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, Unsupported
from influstat.input.labels import label_name
from influstat.input.matrix import BLOCK_ENTRIES
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.risks.class_predictors import class_predictors_of
from influstat.risks.linear import require_linear
from influstat.statistics.adjusted_clusters import adjusted_sums
from influstat.statistics.apart import Apart
from influstat.statistics.lags import BY_PERIOD, sum_over_lags, sum_over_periods
from influstat.statistics.leverage import Leverage, leverage_of
from influstat.statistics.setting import BY_LEVERAGE, CovarianceSetting

ONE = 1e-10  # 1 - leverage below which it is 0 up to rounding
INSTEAD = (
    'HC0 and HC1 take its residual of 0 for its error, and are far too small there: take "model", or drop '
    "the row and its column."
)


def coefficients(fit: Minimum) -> float:
    """Return the number of coefficients that are free: those of classes that add up to 0 are one fewer."""
    classes = class_predictors_of(fit.risk)
    return float(len(fit.theta) if classes is None else classes.free)


def count(fit: Minimum, setting: CovarianceSetting) -> tuple[float, float]:
    """Return N and the effective degrees of freedom (the coefficients where no predictor is linear)."""
    total = float(setting.counts.sum())
    try:
        leverage = leverage_of(fit, setting.information)
    except Unsupported:
        return total, coefficients(fit)
    return total, leverage.effective_degrees_of_freedom


def size(setting: CovarianceSetting) -> float:
    """Return the N of small-sample factors."""
    return float((setting.counts if setting.factor_counts is None else setting.factor_counts).sum())


def taken(fit: Minimum, setting: CovarianceSetting) -> float:
    """Return what they subtract from N: the effective degrees of freedom, or the number of coefficients."""
    if setting.factor_parameters is not None:
        return setting.factor_parameters
    return count(fit, setting)[1] if setting.factor_counts is None else coefficients(fit)


def clusters_left(fit: Minimum, clusters: NDArray[np.intp]) -> int:
    """Return how many clusters have a row of positive weight."""
    return len(np.unique(clusters[fit.risk.weights > 0]))


def factor(fit: Minimum, setting: CovarianceSetting, clusters: NDArray[np.intp] | None = None) -> float:
    """Return what the sandwich, or its part by these clusters, is multiplied by; raise without freedom."""
    by = setting.factor_by
    if not by:
        return 1.0
    total, freedom = size(setting), taken(fit, setting)
    require_freedom(setting.kind, total, freedom, "a penalty, or correction=False (for HC1: HC0)")
    if by == "observations":
        return total / (total - freedom)
    if clusters is None:
        clusters = setting.clusters[0]
    groups = clusters_left(fit, clusters)
    if groups < 2:
        raise InvalidArgument(
            "groups", "hold at least 2 clusters with a row of positive weight", f"holds {groups}", "Use HC1."
        )
    return groups / (groups - 1.0) * (total - 1.0) / (total - freedom)


def require_freedom(kind: str, total: float, freedom: float, instead: str) -> None:
    """Raise where the observations leave no residual degrees of freedom to divide by."""
    if not total - freedom > 1e-8 * total:
        raise InvalidArgument(
            "kind",
            "be one without N - edf in its factor where no residual degrees of freedom are left",
            f"is {kind!r} with {total:g} observations and {freedom:g} effective degrees of freedom",
            f"Use fewer columns or {instead}.",
        )


def middle(fit: Minimum, setting: CovarianceSetting) -> FloatArray:
    """Return the middle of the sandwich with its factors, sum scale, (p, p), but for `of_rows_apart`."""
    return setting.scaling * _unscaled(fit, setting)


def _unscaled(fit: Minimum, setting: CovarianceSetting) -> FloatArray:
    """Return the same before the last factor."""
    if setting.lag_weights is not None:
        return factor(fit, setting) * _by_lags(fit, setting, setting.lag_weights)
    if setting.kind == "CR2":
        sums = adjusted_sums(fit, setting.clusters[0], setting.information)
        return np.asarray(sums.T @ sums)
    if setting.clusters:
        total = np.zeros((len(fit.theta), len(fit.theta)))
        for sign, clusters in zip((1.0, 1.0, -1.0), setting.clusters, strict=False):
            sums = cluster_sums(fit, setting, clusters)
            total += sign * factor(fit, setting, clusters) * sums.T @ sums
        return total
    scale = row_factors(fit, setting)
    total = np.zeros((len(fit.theta), len(fit.theta)))
    scale[_apart(fit, setting).rows] = 0.0
    for rows, gradients in score_blocks(fit, setting):
        total += gradients.T @ (scale[rows, None] * gradients)
    return factor(fit, setting) * total


def _apart(fit: Minimum, setting: CovarianceSetting) -> Apart:
    """Return the rows of leverage nearly 1 where the form divides by 1 - leverage; none where it does not."""
    if setting.kind not in BY_LEVERAGE:
        return Apart.none(len(fit.theta))
    return leverage_of(fit, setting.information).apart


def of_rows_apart(fit: Minimum, setting: CovarianceSetting) -> FloatArray:
    """Return what they add to S^-1 `middle` S^-1; in the middle they would drown the digits of others."""
    apart = _apart(fit, setting)
    if not apart.rows.size:
        return np.zeros((len(fit.theta), len(fit.theta)))
    scale = row_factors(fit, setting)[apart.rows] * apart.first**2
    return np.asarray(setting.scaling * factor(fit, setting) * (apart.steps.T * scale) @ apart.steps)


def cluster_sums(fit: Minimum, setting: CovarianceSetting, clusters: NDArray[np.intp]) -> FloatArray:
    """Return the sums of w_i g_i over each cluster, shape (G, p)."""
    sums = np.zeros((int(clusters.max()) + 1, len(fit.theta)))
    for rows, gradients in score_blocks(fit, setting):
        np.add.at(sums, clusters[rows], fit.risk.weights[rows, None] * gradients)
    return sums


def row_factors(fit: Minimum, setting: CovarianceSetting) -> FloatArray:
    """Return what g_i g_i' is multiplied by in the middle of the sandwich, shape (n,)."""
    # w_i^2, over the observations that the row stands for (HC0, HC1, infinitesimal jackknife), over a power
    # of 1 - h_i. With r = N h / edf it is 1 (HC2), 2 (HC3), min(4, r) (HC4, Cribari-Neto 2004),
    # min(1, r) + min(1.5, r) (HC4m, Cribari-Neto and da Silva 2011) or min(r, max(4, 0.7 max r)) / 2 (HC5,
    # Cribari-Neto, Souza and Vasconcellos 2007), as in R's sandwich.
    weights = fit.risk.weights
    scale = np.divide(weights**2, setting.counts, out=np.zeros(len(weights)), where=setting.counts > 0)
    if setting.kind not in BY_LEVERAGE:
        return scale
    leverage = leverage_of(fit, setting.information)
    left = copy_left(leverage, setting)
    own = own_rows(fit, setting)
    scale[own], left[own] = 0.0, 1.0  # no residual: see lost_coefficients
    if setting.kind in ("HC2", "HC3"):
        return np.asarray(scale / left ** (1 if setting.kind == "HC2" else 2))
    relative = setting.counts.sum() * (1.0 - left) / leverage.effective_degrees_of_freedom
    power = {
        "HC4": np.minimum(4.0, relative),
        "HC4m": np.minimum(1.0, relative) + np.minimum(1.5, relative),
        "HC5": np.minimum(relative, max(4.0, 0.7 * float(relative.max()))) / 2.0,
    }[setting.kind]
    return np.asarray(scale / left**power)


def copy_left(leverage: Leverage, setting: CovarianceSetting) -> FloatArray:
    """Return 1 - h_i, of one observation where rows stand for several."""
    counts = np.where(setting.counts > 0, setting.counts, 1.0)
    return np.asarray((counts - 1.0 + leverage.left) / counts)


def rows_at_one(fit: Minimum, setting: CovarianceSetting) -> NDArray[np.intp]:
    """Return the rows of leverage 1 where the form divides by 1 - leverage; none where it does not."""
    return own_rows(fit, setting) if setting.kind in BY_LEVERAGE else np.zeros(0, dtype=np.intp)


def own_rows(fit: Minimum, setting: CovarianceSetting) -> NDArray[np.intp]:
    """Return the rows of leverage 1, which have no residual; none where a risk has no leverages."""
    try:
        leverage = leverage_of(fit, setting.information)
    except Unsupported:
        return np.zeros(0, dtype=np.intp)
    return np.setdiff1d(np.flatnonzero(copy_left(leverage, setting) < ONE), leverage.apart.rows)


def own_coefficients(fit: Minimum, own: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return which coefficients are not determined without these rows, shape (p,)."""
    if not own.size:
        return np.zeros(len(fit.theta), dtype=np.bool_)
    weights = fit.risk.weights.copy()
    weights[own] = 0.0
    if not weights.any():
        return np.ones(len(fit.theta), dtype=np.bool_)
    found = fit.risk.reweighted(weights).curvature(fit.theta).coordinates()
    # None where curvatures have both signs: nothing is known of what these rows determine.
    return np.ones(len(fit.theta), dtype=np.bool_) if found is None else np.asarray(~found.determined)


def lost_coefficients(fit: Minimum, setting: CovarianceSetting) -> NDArray[np.bool_]:
    """Return which coefficients a form that divides by 1 - leverage cannot judge, shape (p,), or raise."""
    # Those of rows of leverage 1: such a row has no residual, and its score adds nothing to the others, with
    # it or without it. None may be left.
    own = rows_at_one(fit, setting)
    lost = own_coefficients(fit, own)
    if lost.all():
        raise InvalidArgument(
            "kind",
            "be one that does not divide by 1 - leverage",
            f"is {setting.kind} and row {label_name(fit.row_labels[own[0]])} has leverage 1",
            INSTEAD,
        )
    return lost


def score_blocks(fit: Minimum, setting: CovarianceSetting) -> Iterator[tuple[slice, FloatArray]]:
    """Yield (rows, g): the rows' scores, a few thousand at a time."""
    n, p = fit.risk.shape
    share = np.zeros(p)
    if setting.penalty_in_scores:
        risk = require_linear(fit.risk, "a penalty's share in the scores")
        share = risk.penalty.gradient(fit.theta) / risk.total_weight
    step = max(1, BLOCK_ENTRIES // p)
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        yield rows, fit.risk.row_gradients(fit.theta, rows) + share


def _by_lags(fit: Minimum, setting: CovarianceSetting, weights: FloatArray) -> FloatArray:
    """Return the sum over lags of u_t = w_t g_t over the root of its count, shape (p, p)."""
    # Rows are in the order of time; one without weight keeps its place.
    counts = setting.counts
    share = np.divide(fit.risk.weights, np.sqrt(counts), out=np.zeros(len(counts)), where=counts > 0)
    scores = np.concatenate([share[rows, None] * gradients for rows, gradients in score_blocks(fit, setting)])
    if setting.kind == BY_PERIOD:
        return sum_over_periods(scores, weights, setting.cluster_labels[0][setting.clusters[0]])
    return sum_over_lags(scores, weights, setting.clusters[0] if setting.clusters else None)
