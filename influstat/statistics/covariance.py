"""Covariances of theta: model-based, robust in several ways, and by the jackknife.

Sum scale: S = W H, g_i the row's score (under "folded" with its share of the penalty's gradient,
kappa D theta / W), N the observations, edf the effective degrees of freedom, h_i the leverages, delta the
change of theta on removal.

- model: phi S^-1. S and h_i here and below are by the observed information or, with information="expected",
  by that of Fisher scoring, the same for canonical links: statsmodels' GLM reports the expected one after
  fitting by it, and the observed one in sandwiches; R the expected one in both.
- HC0: S^-1 (sum_i w_i^2 g_i g_i') S^-1; HC1: N / (N - edf) times it; HC2, HC3, HC4, HC4m, HC5: each term over
  a power of 1 - h_i (`sandwich.row_factors`).
- HAC: robust to autocorrelation over `lags` neighbouring rows, weighted by a kernel ("bartlett": Newey and
  West 1987); with correction=True times N / (N - edf). A row left out leaves a gap in time, its score is 0;
  rows lost to missing values before the fit close theirs.
- panel HAC: the same within each of several series, which stand one after the other, in the order of time;
  the small-sample factor is HAC's, or cluster's with correction="clusters" (G series).
- Driscoll-Kraay: HAC of the sums of w_i g_i over the rows of a period (Driscoll and Kraay 1998); the factor
  is cluster's (G periods), or HAC's with correction="observations".
- cluster: S^-1 (sum_c s_c s_c') S^-1, s_c the sum of w_i g_i in cluster c, times
  G / (G - 1) (N - 1) / (N - edf) unless correction=False. Two-way: by the first clusters, plus by the second,
  less by both at once, each with its own factor (Cameron, Gelbach and Miller 2011).
- CR2: clusters with adjusted scores, unbiased under the working model (Bell and McCaffrey 2002).
- infinitesimal jackknife: sum of d d' with d = w_i I_theta(i) / W, the influences; the same as HC0.
- jackknife: (n - 1) / n sum_i delta_i delta_i', about theta: for least squares (n - 1) / n times HC3.
- cluster jackknife: (G - 1) / G sum_c delta_c delta_c', about theta: CRV3 (MacKinnon, Nielsen and Webb 2023);
  without the factor if correction=False. centred cluster jackknife: about the mean of the delta.
- H1, H2, H3: Huber's (1981) covariances of an M-estimate of location along x at a fixed scale, with his
  correction k: of X'X, of X'X weighted by the curvatures, and of both.

Where rows stand for several observations (counts), w_i^2 becomes w_i^2 over the count, and h_i that of one
copy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from influstat.algebra.cholesky import CholeskyInverse
from influstat.errors import InvalidArgument
from influstat.input.groups import one_by_one, read_groups
from influstat.input.labels import label_name
from influstat.input.validation import FloatArray
from influstat.input.warning import doubt_once
from influstat.minimise.minimum import Minimum
from influstat.removal.leave_out import collect
from influstat.risks.class_predictors import class_predictors_of
from influstat.risks.linear import as_linear, require_linear
from influstat.statistics.alone import of_leverage_one, warn_of_own
from influstat.statistics.dispersion import dispersion, dispersion_of
from influstat.statistics.leverage import leverage_of
from influstat.statistics.refusals import remedied
from influstat.statistics.sandwich import (
    INSTEAD,
    clusters_left,
    count,
    lost_coefficients,
    middle,
    of_rows_apart,
    own_rows,
    require_freedom,
    rows_at_one,
)
from influstat.statistics.setting import (
    CLUSTER_JACKKNIVES,
    JACKKNIVES,
    KINDS,
    ROBUST_REGRESSION,
    SANDWICHES,
    CovarianceSetting,
    read_setting,
)

__all__ = ["JACKKNIVES", "KINDS", "SANDWICHES", "CovarianceSetting", "covariance", "covariance_of"]


ROBUST = 'fit.covariance("HC0") and fit.inference("HC0") need none; both take dispersion= where it is known.'


def covariance(fit: Minimum, kind: str | None = None, **settings: Any) -> FloatArray:
    """Return a covariance of theta; `Fit.covariance` says more."""
    setting = read_setting(fit, kind, **settings)
    found = covariance_of(fit, setting)
    if setting.lag_weights is not None or len(setting.clusters) > 1:  # other forms are sums of squares
        settled(fit, setting, found.diagonal(), fit.names)  # says where a variance is negative
    return found


def quadratic_forms(
    fit: Minimum, columns: FloatArray, names: Any, kind: str | None = None, **settings: Any
) -> FloatArray:
    """Return a'Va of every column a of (p, m), shape (m,); nan where a'theta, so named, is not determined."""
    setting = read_setting(fit, kind, **settings)
    if fit.chart is not None and setting.kind not in ("jackknife", *CLUSTER_JACKKNIVES):
        square, at = _regular(fit.regular, setting), fit.chart.coordinates.rows(columns.T).T
        warn_of_own(fit, setting)
        known = fit.chart.coordinates.estimable(columns.T)
    else:
        square, at = covariance_of(fit, setting), columns
        lost = np.isnan(square.diagonal())
        square, known = np.nan_to_num(square), np.asarray(~(columns[lost] != 0.0).any(axis=0))
    if not known.all():
        text = f"{np.count_nonzero(~known)} of {len(known)} quantities are nan: they are not determined."
        doubt_once(fit, text)
    return settled(fit, setting, np.where(known, np.einsum("jm,jk,km->m", at, square, at), np.nan), names)


def settled(fit: Minimum, setting: CovarianceSetting, variances: FloatArray, names: Any) -> FloatArray:
    """Return variances none of which is negative, and say what negative ones were: 0, or none (nan)."""
    # Sums of squares come out below 0 by rounding alone. Only two-way clusters and a kernel that does not
    # fall to 0 can do so otherwise.
    negative = variances < 0
    if not negative.any():
        return variances
    name = names[int(np.argmin(variances))]
    if setting.lag_weights is None and len(setting.clusters) < 2:
        if not own_rows(fit, setting).size:  # else they have been named
            alone = "a penalty or one cluster" if setting.clusters else "a penalty"
            doubt_once(
                fit,
                f"The variance of {name!r} is 0 up to rounding in the {setting.kind!r} covariance: {alone} "
                "alone determines it. Drop the column.",
            )
        return np.where(negative, 0.0, variances)
    why = "A kernel that is not Bartlett's or Parzen's does so; take one of these, or fewer lags."
    if setting.lag_weights is None:
        why = "Two-way clusters do so where the clusters are few; cluster one way."
    doubt_once(
        fit,
        f"The {setting.kind!r} covariance is not positive definite: the variance of {name!r} comes out "
        f"negative, and its standard error is nan. {why}",
    )
    return np.where(negative, np.nan, variances)


def covariance_of(fit: Minimum, setting: CovarianceSetting) -> FloatArray:
    """Return the covariance of theta that the setting means, shape (p, p); nan for what is not determined."""
    lost = lost_coefficients(fit, setting)
    if fit.chart is not None and setting.kind not in ("jackknife", *CLUSTER_JACKKNIVES):
        found = fit.chart.coordinates
        result = found.lift(found.lift(_regular(fit.regular, setting)).T)
        lost = lost | ~found.determined
    else:
        result = _regular(fit, setting)
    lost |= np.isnan(result.diagonal())
    if lost.any():
        names = [name for name, missing in zip(fit.names, lost, strict=True) if missing]
        doubt_once(
            fit,
            f"The {setting.kind} covariance is nan for {len(names)} of {len(lost)} coefficients: "
            f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''}. {_why_lost(fit, setting)}",
        )
        result[lost] = result[:, lost] = np.nan
    warn_of_own(fit, setting)
    return result


def _why_lost(fit: Minimum, setting: CovarianceSetting) -> str:
    """Return why coefficients have no covariance, and what to do about it."""
    reasons, own = [], rows_at_one(fit, setting)
    if fit.lost:
        reasons.append("Columns of X depend on each other: drop one of those that do.")
    if own.size:
        reasons.append(
            f"{of_leverage_one(fit, own)}: nothing else determines a coefficient, and no residual is left, "
            f"so that {setting.kind} divides 0 by 0. {INSTEAD}"
        )
    if not reasons:
        reasons.append(f"Without a row or group that {setting.kind} leaves out they are not determined.")
    return " ".join(reasons)


def _regular(fit: Minimum, setting: CovarianceSetting) -> FloatArray:
    """Return the covariance of a fit whose Hessian has an inverse."""
    if setting.kind == "jackknife":
        rows = np.flatnonzero(fit.risk.weights)
        every = collect(fit, one_by_one(rows, fit.row_labels), "exact", whole=True)
        return (len(rows) - 1.0) / len(rows) * _squared_changes(every)
    if setting.kind in CLUSTER_JACKKNIVES:
        clusters = setting.clusters[0]
        groups = clusters_left(fit, clusters)
        share = (groups - 1.0) / groups if setting.correction else 1.0
        named = read_groups(clusters, fit.risk.shape[0])
        present = named.take(named.sums(fit.risk.weights) > 0)  # the others count in no mean either
        every = collect(fit, present, "exact", whole=True)
        return share * _squared_changes(every, setting.kind.startswith("centred"))
    if setting.kind in ROBUST_REGRESSION:
        return _huber(fit, setting)
    if setting.kind == "model":
        return model_dispersion(fit, setting) * bread(fit, setting.information)
    inverse = bread(fit, setting.information)
    found = inverse @ middle(fit, setting) @ inverse + of_rows_apart(fit, setting)
    _warn_if_saturated(fit, setting)
    return found


def _warn_if_saturated(fit: Minimum, setting: CovarianceSetting) -> None:
    """Warn of a covariance that is made of residuals where there are none."""
    rows, p = int(np.count_nonzero(fit.risk.weights)), len(fit.theta)
    if rows <= p and not count(fit, setting)[1] < p - 1e-8:  # else a penalty leaves residuals
        doubt_once(
            fit,
            f"The {setting.kind!r} covariance is 0 up to rounding for all {p} coefficients: they fit the "
            f"{rows} rows exactly, so that there is no residual to tell the error by. Use fewer columns, or "
            'kind="model" with dispersion= where it is known.',
        )


def model_dispersion(fit: Minimum, setting: CovarianceSetting) -> float:
    """Return phi, known or estimated."""
    loss = getattr(fit.risk, "loss", fit.risk)
    with remedied(ROBUST):
        known = dispersion_of(loss, setting.dispersion)
    if known is not None:
        return known
    return dispersion(leverage_of(fit, setting.information), setting.counts, given=setting.dispersion).value


def bread(fit: Minimum, information: str = "observed") -> FloatArray:
    """Return S^-1, sum scale, shape (p, p)."""
    if as_linear(fit.risk) is not None:
        return leverage_of(fit, information).inverse
    inverse = CholeskyInverse(fit.hessian.to_dense(), fit.names).solve(np.eye(len(fit.theta)))
    classes = class_predictors_of(fit.risk)
    if classes is not None:  # what fixes the level tells no error: coefficients add up to 0 in every sample
        inverse = classes.levelled(classes.levelled(inverse).T)
    return inverse / fit.risk.total_weight


def _huber(fit: Minimum, setting: CovarianceSetting) -> FloatArray:
    """Return Huber's H1, H2 or H3; l1 and l2 stand for psi and psi' over the scale and its square."""
    risk = require_linear(fit.risk, f"the covariance {setting.kind}")
    eta, counts, p = risk.linear_predictor(fit.theta), setting.counts, len(fit.theta)
    total = float(counts.sum())
    require_freedom(setting.kind, total, p, "HC0")
    first, second = risk.loss.first(risk.y, eta), risk.loss.second(risk.y, eta)
    mean = float(counts @ second) / total
    spread = float(counts @ (second - mean) ** 2) / total
    k = 1.0 + p / total * spread / mean**2
    squares = float(counts @ first**2) / (total - p)
    gram = risk.design.gram(counts)
    if setting.kind == "H1":
        return k**2 * squares / mean**2 * _inverse(gram, risk.names)
    inverse = _inverse(risk.design.gram(counts * second), risk.names)
    if setting.kind == "H2":
        return np.asarray(k * squares / mean * inverse)
    return np.asarray(squares / k * inverse @ gram @ inverse)


def _inverse(matrix: FloatArray, names: tuple[str, ...]) -> FloatArray:
    """Return the inverse, which is itself what is asked for here, or raise with the coefficients involved."""
    return CholeskyInverse(matrix.copy(order="F"), names).solve(np.eye(len(matrix)))


def _squared_changes(removal: Any, centred: bool = False) -> FloatArray:
    """Return the sum of delta delta', about 0 or their mean; what has no weight moves nothing."""
    for label, status, theta in zip(removal.labels, removal.status, removal.theta, strict=True):
        if status and np.isnan(theta).all():
            raise InvalidArgument(
                "kind",
                "be one without refits here",
                f"needs the fit without {label_name(label)} ({status.rstrip('.')})",
                "Use HC1.",
            )
    delta = removal.delta - removal.delta.mean(axis=0) if centred else removal.delta
    return np.asarray(delta.T @ delta)
