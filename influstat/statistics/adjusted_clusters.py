"""CR2: sums of scores over clusters, adjusted so that their squares are unbiased under a working model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from influstat.errors import Unsupported
from influstat.input.labels import label_name
from influstat.input.validation import FloatArray
from influstat.losses.base import constant_second
from influstat.minimise.minimum import Minimum
from influstat.statistics.leverage import leverage_of

NOTHING = 1e-10  # eigenvalue, relative to the largest, of a direction in which a cluster fits itself


def adjusted_sums(fit: Minimum, clusters: NDArray[np.intp], information: str) -> FloatArray:
    """Return sum_c X_c' W_c A_c r_c, sum scale, shape (G, p); raise where a curvature is negative."""
    # Bell and McCaffrey (2002), as in R's clubSandwich. X has rows m'(eta_i) x_i, r_i is y_i less its mean,
    # W_i its weight, H = X S^-1 X'W. The working variance Theta is the identity for least squares (whatever
    # the weights, as in R) and 1 / W_i for other likelihoods. With D the root of Theta and
    # G = D [(I - H) Theta (I - H)']_cc D, A_c = D G^(-1/2) D; directions in which G is 0 are left out.
    # O(n_c^3) for a cluster of n_c rows.
    leverage = leverage_of(fit, information)
    risk = leverage.risk
    curvature = risk.weights * leverage.second
    if (curvature < 0).any():
        row = label_name(risk.row_labels[int(np.argmin(curvature))])
        raise Unsupported(
            "kind",
            "be one without roots of the rows' curvatures",
            f"is 'CR2', and the curvature of row {row} is negative",
            'Pass information="expected", or use "cluster".',
        )
    slope = np.broadcast_to(risk.loss.mean_derivative(leverage.linear_predictor), curvature.shape)
    X = slope[:, None] * risk.design.rows(slice(None))
    W = curvature / slope**2
    identity = constant_second(risk.loss) is not None
    total = leverage.inverse @ (X.T @ ((W**2)[:, None] * X)) @ leverage.inverse if identity else None
    sums = np.zeros((int(clusters.max()) + 1, len(fit.theta)))
    order = np.argsort(clusters, kind="stable")
    starts = np.searchsorted(clusters[order], np.arange(len(sums) + 1))
    for k in range(len(sums)):
        rows = order[starts[k] : starts[k + 1]]
        rows = rows[W[rows] > 0]
        Z, weight = X[rows], W[rows]
        if total is None:
            theta, root = 1.0 / weight, 1.0 / np.sqrt(weight)
            G = np.diag(theta) - Z @ leverage.inverse @ Z.T
        else:
            root = np.ones(len(rows))
            own = Z @ leverage.inverse @ (weight[:, None] * Z).T
            G = np.eye(len(rows)) - own - own.T + Z @ total @ Z.T
        values, vectors = np.linalg.eigh(root[:, None] * G * root)
        kept = values > NOTHING * max(values.max(initial=0.0), np.finfo(np.float64).tiny)
        inverse_root = np.where(kept, 1.0 / np.sqrt(np.where(kept, values, 1.0)), 0.0)
        residual = risk.weights[rows] * leverage.first[rows] / (weight * slope[rows])
        adjusted = root * (vectors @ (inverse_root * (vectors.T @ (root * residual))))
        sums[k] = (weight * adjusted) @ Z
    share = risk.protocol.carried(risk.total_weight) * risk.penalty.gradient(fit.theta)
    return sums + np.outer(np.bincount(clusters, risk.weights, len(sums)), share)
