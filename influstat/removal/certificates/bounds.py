"""Certified errors of reported changes: of coefficients, predictions and losses (see `certificates`).

Test rows may be anything finite. Where their squares, or a mean or a loss at the coefficients found, with all
rows, or at an end of an interval that holds the true ones, are beyond float64, nothing finite is proven:
the bound of a certified removal is then inf, never nan and never a warning of NumPy's.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from influstat.algebra.rounding import EPSILON, unit_rounding
from influstat.input.labels import label_text
from influstat.input.validation import FloatArray, choice
from influstat.input.warning import doubt_once
from influstat.losses.alone import where_known
from influstat.losses.base import Loss
from influstat.minimise.minimum import Minimum
from influstat.removal.certificates.class_bounds import loss_errors, member_errors, probability_errors
from influstat.removal.certificates.theorem import Certificate
from influstat.risks.class_predictors import class_predictors_of
from influstat.risks.contract import Risk
from influstat.risks.linear import PREDICTIONS, LinearRisk, as_linear
from influstat.risks.penalties import Penalty, Quadratic

AT_ONCE = 2**24  # entries of unit vectors made at a time: 128 MiB
TINY = float(np.finfo(np.float64).tiny)


def announced(removal: Any, bound: FloatArray) -> FloatArray:
    """Return bounds; warn once for each fit of removals that have coefficients and no certificate."""
    why = removal.certificate.status
    bad = [k for k, (lost, text) in enumerate(zip(removal.status, why, strict=True)) if text and not lost]
    if bad:
        doubt_once(
            removal.fit,
            f"{len(bad)} of {len(why)} removals have bounds that are nan (`certificate.status` says why). "
            f"The first, without {label_text(removal.labels[bad[0]])}: {why[bad[0]]}",
            removal.method,
        )
    return bound


def theta_bound(fit: Minimum, certificate: Certificate) -> FloatArray:
    """Return bounds on |theta - true theta|, shape (k, p); `Removal.theta_bound` says more."""
    theta = certificate.coefficients
    p = theta.shape[1]
    bound = EPSILON * (np.abs(theta) + np.abs(fit.theta))
    if certificate.coordinates is not None:  # from which theta is computed
        bound = bound + unit_rounding(certificate.theta.shape[1]) * certificate.sizes
    for start in range(0, p, max(1, AT_ONCE // p)):  # unit vectors of all at once would be p x p
        units = slice(start, min(start + max(1, AT_ONCE // p), p))
        bound[:, units] += certificate.error(np.eye(units.stop - start, p, k=start))
    return bound


def prediction_bound(fit: Minimum, certificate: Certificate, X: Any, *, kind: str, offset: Any) -> FloatArray:
    """Return bounds on the error of predictions, shape (k, m); `Removal.prediction_bound` says more."""
    choice("kind", kind, PREDICTIONS)
    risk, theta = as_linear(fit.risk), certificate.coefficients
    with np.errstate(over="ignore", invalid="ignore"):
        eta = np.asarray(fit.predictions(theta.T, X, offset=offset).T)
        if certificate.point is None:
            return np.full(eta.shape, np.nan)
        rows = np.ascontiguousarray(fit.prediction_gradients(X)[0].T)
        start = np.asarray(fit.predict(X, offset=offset))
        size = np.maximum(certificate.sizes, np.abs(fit.theta)) @ np.abs(rows).T
        if offset is not None:
            size += np.abs(np.asarray(offset, dtype=np.float64))
        slip = unit_rounding(rows.shape[1]) * size
        bound = certificate.error(rows) + 2.0 * slip
        if kind == "linear":
            return bound
        if risk is not None:
            return _mean_error(risk, eta, start, bound, slip)
        classes = class_predictors_of(fit.risk)
        assert classes is not None  # nothing else has a certificate
        return _inf_if_unknown(probability_errors(certificate, fit.theta, classes, rows), bound)


def _mean_error(
    risk: LinearRisk, eta: FloatArray, start: FloatArray, bound: FloatArray, slip: FloatArray
) -> FloatArray:
    """Turn bounds on predictors into bounds on a monotone mean: its change at the ends of the interval."""

    def mean(eta: FloatArray) -> FloatArray:
        return where_known(lambda _, known: risk.loss.mean(known), eta, eta)

    after, before = mean(eta), mean(start)
    error = np.maximum(np.abs(mean(eta + bound) - after), np.abs(mean(eta - bound) - after))
    rounding = np.abs(mean(start + slip) - mean(start - slip)) + TINY
    error += rounding + 8.0 * EPSILON * (np.abs(after) + np.abs(before))
    return _inf_if_unknown(error, bound)


def loss_bound(
    fit: Minimum, certificate: Certificate, tests: Risk, *, again: FloatArray, reported: FloatArray
) -> FloatArray:
    """Return bounds on the error of the changes `reported`, shape (k, m); `Removal.loss_bound` says more."""
    # Proven are the changes of the losses evaluated anew, `again`.
    risk, rows, classes = as_linear(fit.risk), as_linear(tests), class_predictors_of(tests)
    with np.errstate(over="ignore", invalid="ignore"):
        if risk is not None and rows is not None:
            bound = _loss_errors(fit, rows, certificate)
            carried = rows.protocol.carried(rows.total_weight)
            penalty: Penalty = risk.penalty
        elif certificate.point is not None and classes is not None:
            again, bound = loss_errors(certificate, fit.theta, classes)
            carried = classes.protocol.carried(classes.total_weight)
            penalty = Quadratic(classes.penalty.entries)
            if carried:
                change = penalty.value(certificate.coefficients.T) - penalty.value(fit.theta)
                again += carried * change[:, None]
        else:
            return np.full(again.shape, np.nan)
        if carried:  # what the loss of a new row holds of the penalty
            bound += carried * _penalty_error(fit, certificate, penalty)[:, None]
        bound += 4.0 * EPSILON * np.abs(again) + np.abs(reported - again)
        return np.where(certificate.certified[:, None] & np.isnan(bound), np.inf, bound)


def held_out_bound(fit: Minimum, certificate: Certificate) -> FloatArray:
    """Return bounds on the error of removed rows' losses; `Removal.held_out_bound` says more."""
    risk, groups = as_linear(fit.risk), certificate.groups
    classes = class_predictors_of(fit.risk)
    if classes is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            error = member_errors(certificate, fit.theta, classes)
        certified = certificate.certified[groups.owners]
        return np.where(certified & np.isnan(error), np.inf, error)
    if risk is None:
        return np.full(len(groups.members), np.nan)
    members, theta = groups.members, certificate.coefficients[groups.owners]
    x, offset, y = risk.design.rows(members), risk.offset[members], risk.y[members]
    sizes = np.maximum(certificate.sizes, np.abs(fit.theta))[groups.owners]
    size = np.einsum("mp,mp->m", sizes, np.abs(x)) + np.abs(offset) + np.abs(y)
    eta, start = np.einsum("mp,mp->m", theta, x) + offset, x @ fit.theta + offset
    return _rise(risk.loss, y, eta, start, certificate.error_of_members(), unit_rounding(x.shape[1]) * size)


def _loss_errors(fit: Minimum, tests: LinearRisk, certificate: Certificate) -> FloatArray:
    """Return bounds on the error of losses without a penalty's share, shape (k, m)."""
    # A convex loss changes at most by its rise at the ends of the interval; rounding of both losses is added.
    y, offset, block, theta = tests.y, tests.offset, tests.design.rows(slice(None)), certificate.coefficients
    eta, start = theta @ block.T + offset, block @ fit.theta + offset
    sizes = np.maximum(certificate.sizes, np.abs(fit.theta))
    size = sizes @ np.abs(block).T + np.abs(offset) + np.abs(y)
    slip = unit_rounding(block.shape[1]) * size
    return _rise(tests.loss, y, eta, start, certificate.error(block), slip)


def _rise(
    loss: Loss, y: FloatArray, eta: FloatArray, start: FloatArray, bound: FloatArray, slip: FloatArray
) -> FloatArray:
    """Bound the error of l(eta) - l(start) where eta is within `bound` and both are rounded by `slip`."""
    bound = bound + 2.0 * slip
    value = partial(where_known, loss.value, y)
    with np.errstate(over="ignore", invalid="ignore"):  # nan where not certified
        after, before = value(eta), value(start)
        rise = np.maximum(value(eta + bound), value(eta - bound)) - after
        rise_before = np.maximum(value(start + slip), value(start - slip)) - before
        rounding = 16.0 * EPSILON * (np.abs(after) + np.abs(before)) + TINY  # TINY: underflow
        error = np.maximum(rise, 0.0) + np.maximum(rise_before, 0.0) + rounding
    return _inf_if_unknown(error, bound)


def _inf_if_unknown(error: FloatArray, bound: FloatArray) -> FloatArray:
    """Return the error, but inf where it came out as inf - inf though the predictor has a bound."""
    return np.where(np.isnan(error) & ~np.isnan(bound), np.inf, error)


def _penalty_error(fit: Minimum, certificate: Certificate, penalty: Penalty) -> FloatArray:
    """Return a bound on |P(theta) - P(true theta)| and the rounding of P, shape (k,)."""
    theta = np.ascontiguousarray(certificate.coefficients.T)
    if not np.count_nonzero(penalty.gradient_scale(np.ones(len(theta)))):
        return np.zeros(theta.shape[1])  # no penalty
    linear = certificate.error_each(penalty.gradient(theta).T)
    quadratic = 0.5 * certificate.growth * certificate.reach**2 / certificate.penalty_left
    size = np.abs(penalty.value(theta)) + abs(penalty.value(fit.theta))
    size += [np.abs(one) @ penalty.gradient_scale(one) for one in certificate.coefficients]
    return np.asarray(linear + quadratic + unit_rounding(len(theta)) * size)
