"""Rows and clusters that alone determine a coefficient: they have no residual there, which is said."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from influstat.errors import Unsupported
from influstat.input.labels import label_name
from influstat.input.validation import FloatArray
from influstat.input.warning import doubt_once
from influstat.minimise.minimum import Minimum
from influstat.risks.linear import require_linear
from influstat.statistics.categorical import categoricals
from influstat.statistics.leverage import Leverage, leverage_of
from influstat.statistics.sandwich import own_coefficients, own_rows
from influstat.statistics.setting import BY_LEVERAGE, SANDWICHES, CovarianceSetting

FAR = 1e-8  # 1 - leverage below which a difference of 1 and a leverage has half of its digits
ONE = 1e-8  # 1 - eigenvalue of a cluster's part of the hat matrix below which it is 1: a square in float64
MATTERS = 0.01  # of a coefficient's model variance: its standard error is half a per cent too small


def warn_of_own(fit: Minimum, setting: CovarianceSetting) -> None:
    """Warn of coefficients that rows or clusters determine alone, where residuals stand for errors."""
    if setting.kind in BY_LEVERAGE or setting.kind not in (*SANDWICHES, "infinitesimal jackknife"):
        return
    if setting.kind == "CR2" and _warn_of_far_rows(fit, setting):
        return
    own = own_rows(fit, setting)
    if own.size == np.count_nonzero(fit.risk.weights):
        return  # no row has a residual, which is said
    lost = own_coefficients(fit, own)
    if lost.all() and (leverage_of(fit).second < 0).any():
        return  # nothing is known
    names = _named(fit, lost)
    if names:
        doubt_once(
            fit,
            f"The {setting.kind!r} covariance takes residuals of 0 for errors of 0. "
            f"{of_leverage_one(fit, own)}: nothing else determines {_listed(names)}, whose standard errors "
            'are far too small. Take "model", or drop the row and its column.',
        )
    elif setting.kind in ("cluster", "CR2") and len(setting.clusters) == 1:
        _warn_of_own_clusters(fit, setting)


def of_leverage_one(fit: Minimum, rows: NDArray[np.intp]) -> str:
    """Return that the first of some rows, and how many more there are, have leverage 1."""
    first, more = f"Row {label_name(fit.row_labels[rows[0]])}", len(rows) - 1
    return f"{first} and {more} more have leverage 1" if more else f"{first} has leverage 1"


def _named(fit: Minimum, lost: NDArray[np.bool_]) -> list[str]:
    """Return the names of coefficients that some rows or clusters determine alone, but all rows do."""
    return [name for name, alone in zip(fit.names, lost, strict=True) if alone and name not in fit.lost]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _warn_of_far_rows(fit: Minimum, setting: CovarianceSetting) -> bool:
    """Warn where a cluster is adjusted by a difference of 1 and its leverage that has few digits; tell so."""
    apart = leverage_of(fit, setting.information).apart
    far = apart.rows[apart.left < FAR]
    if far.size:
        doubt_once(
            fit,
            f"'CR2' leaves out what it cannot tell from rounding: row {label_name(fit.row_labels[far[0]])}"
            f"{f' and {len(far) - 1} more' if len(far) > 1 else ''} lies so far away that its leverage is 1 "
            'but for rounding. Take "HC3", which measures such rows from the others, or look at the row.',
        )
    return bool(far.size)


def _warn_of_own_clusters(fit: Minimum, setting: CovarianceSetting) -> None:
    """Warn where a cluster alone determines a coefficient, which then has no part in the sums of scores."""
    clusters = setting.clusters[0]
    own, hang = own_clusters(fit, setting)
    lost: NDArray[np.bool_] = np.asarray(hang.any(axis=0))
    count = len(np.unique(clusters[fit.risk.weights > 0]))
    if len(own) == count and not lost.all():
        constant, single = _within(fit, clusters)
        lost = lost & ~constant & ~_of_units(fit, clusters)  # effects of the clusters themselves, and
        if hang[:, lost].any(axis=1).all():
            lost = lost & ~single  # of units within them: nobody asks for these standard errors
    names, own = _named(fit, lost), own[hang[:, lost].any(axis=1)]
    if names:
        first, more = label_name(setting.cluster_labels[0][own[0]]), len(own) - 1
        who = f"{first} and {more} more alone determine" if more else f"{first} alone determines"
        doubt_once(
            fit,
            f"The {setting.kind!r} covariance takes residuals of 0 for errors of 0. Cluster {who} "
            f"{_listed(names)}: the standard errors of what one cluster determines are far too small. Take "
            '"model", or cluster by smaller units.',
        )


def own_clusters(fit: Minimum, setting: CovarianceSetting) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return k clusters that alone determine some direction, and which coefficients hang on it, (k, p)."""
    # In coordinates in which S is the identity the rows of a cluster have the sum of squares
    # sum_i w_i l2_i y_i y_i': along its eigenvectors of eigenvalue 1 nothing else is felt. Eigenvalues add up
    # to leverages, so that few clusters need a look, at most p of them.
    found, hang = list[int](), [np.zeros((0, len(fit.theta)), dtype=np.bool_)]
    clusters = setting.clusters[0]
    try:
        leverage = leverage_of(fit, setting.information)
    except Unsupported:
        return np.array(found, dtype=np.intp), hang[0]
    curvature = leverage.risk.weights * leverage.second
    order = np.argsort(clusters, kind="stable")
    starts = np.searchsorted(clusters[order], np.arange(clusters.max() + 2))
    sums = np.bincount(clusters, leverage.values)
    for k in np.flatnonzero((sums > 1.0 - ONE) & (curvature >= 0).all()):
        directions = _alone(leverage, order[starts[k] : starts[k + 1]], curvature)
        if directions.size:
            share = np.square(leverage.to_theta @ directions).sum(axis=1)
            found.append(int(k))
            hang.append((share > MATTERS * leverage.inverse_diagonal)[None])
    return np.array(found, dtype=np.intp), np.concatenate(hang)


def _alone(leverage: Leverage, rows: NDArray[np.intp], curvature: FloatArray) -> FloatArray:
    """Return unit vectors (r, k) along which rows have the whole of S."""
    y = np.sqrt(curvature[rows])[:, None] * leverage.coordinates(rows)
    if len(y) > y.shape[1]:
        values, vectors = np.linalg.eigh(y.T @ y)
        return np.asarray(vectors[:, values > 1.0 - ONE])
    values, vectors = np.linalg.eigh(y @ y.T)
    return np.asarray(y.T @ vectors[:, values > 1.0 - ONE])


def _of_units(fit: Minimum, clusters: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return which columns code a categorical of a formula whose levels are each within one cluster, (p,)."""
    units = np.zeros(len(fit.theta), dtype=np.bool_)
    for one in categoricals(fit, most=len(clusters)).values():
        home = np.empty(len(one.labels), dtype=np.intp)
        home[one.level] = clusters
        units[one.columns] |= bool((home[one.level] == clusters).all())
    return units


def _within(fit: Minimum, clusters: NDArray[np.intp]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which columns are constant within every cluster, and which are 0 outside of one, each (p,)."""
    design = require_linear(fit.risk, "leverages").design
    first = design.rows(np.unique(clusters, return_index=True)[1])
    constant, lowest = np.ones(first.shape[1], dtype=np.bool_), np.full(first.shape[1], len(first))
    highest = np.full_like(lowest, -1)
    for rows, block in design.dense_blocks():
        constant &= (block == first[clusters[rows]]).all(axis=0)
        there = clusters[rows][:, None]
        np.minimum(lowest, np.where(block != 0.0, there, len(first)).min(axis=0), out=lowest)
        np.maximum(highest, np.where(block != 0.0, there, -1).max(axis=0), out=highest)
    return constant, lowest == highest
