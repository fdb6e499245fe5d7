"""Certified errors of reported changes: of coefficients, predictions and losses (see `certificates`).

Test rows may be anything finite. Where their squares, or a mean or a loss at the coefficients found, with all
rows, or at an end of an interval that holds the true ones, are beyond float64, nothing finite is proven:
the bound of a certified removal is then inf, never nan and never a warning of NumPy's.

**Several classes.** Losses and probabilities depend on differences of predictors alone: the loss
log sum_b e^(eta_b - eta_y) rises with each eta_b - eta_y, and the probability 1 / sum_b e^(eta_b - eta_a)
falls with each eta_b - eta_a. So intervals of the differences (`Certificate.interval`) give intervals of
both, at their ends, and to first order nothing is lost: the intervals lie around the Newton step that is left
from the coefficients reported.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from scipy.special import logsumexp

from influstat.algebra.rounding import EPSILON, unit_rounding
from influstat.input.groups import Indices
from influstat.input.labels import label_text
from influstat.input.validation import FloatArray, choice
from influstat.input.warning import doubt_once
from influstat.losses.alone import where_known
from influstat.losses.base import Loss
from influstat.minimise.minimum import Minimum
from influstat.removal.certificates.theorem import Certificate
from influstat.risks.class_predictors import ClassPredictors, class_predictors_of
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
            size += np.max(np.abs(np.asarray(offset, dtype=np.float64)), initial=0.0)  # in whatever order
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


def loss_errors(
    certificate: Certificate, start: FloatArray, tests: ClassPredictors
) -> tuple[FloatArray, FloatArray]:
    """Return changes of test losses from `start` without a penalty, and bounds on their error, (k, m)."""
    # The changes are evaluated here, since what was reported may come from another library, which may lose
    # digits that this knows nothing of.
    m, p = len(tests.y), certificate.coefficients.shape[1]
    step = max(1, AT_ONCE // (tests.classes * p))
    parts = (np.arange(start, min(start + step, m)) for start in range(0, m, step))
    found = [_class_loss_errors(certificate, start, tests, part) for part in parts]
    changes, errors = (np.concatenate(arrays, axis=1) for arrays in zip(*found, strict=True))
    return changes, errors


def _class_loss_errors(
    certificate: Certificate, start: FloatArray, tests: ClassPredictors, part: Indices
) -> tuple[FloatArray, FloatArray]:
    x, theta, K = tests.design.rows(part), certificate.coefficients, tests.classes
    functionals = tests.functionals(x, tests.y[part]).reshape(len(x) * K, -1)
    low, high = (end.reshape(-1, len(x), K) for end in certificate.interval(functionals))
    after, before = ((at @ functionals.T).reshape(-1, len(x), K) for at in (theta, start[None]))
    return _changes(after, before, low, high, _slip(tests, np.maximum(certificate.sizes, np.abs(start)), x))


def member_errors(certificate: Certificate, start: FloatArray, rows: ClassPredictors) -> FloatArray:
    """Return the bounds for the removed rows themselves, shape (s,)."""
    members, owners = certificate.groups.members, certificate.groups.owners
    x, y, theta = rows.design.rows(members), rows.y[members], certificate.coefficients[owners]
    functionals = rows.functionals(x, y)
    low, high = certificate.interval_of_members()
    after, before = (np.einsum("sbp,sp->sb", functionals, at) for at in (theta, np.tile(start, (len(x), 1))))
    size = np.maximum(certificate.sizes[owners], np.abs(start))
    slip = unit_rounding(x.shape[1]) * np.einsum("skq,sq->sk", rows.by_class(size), np.abs(x)).max(axis=1)
    return _changes(after, before, low, high, slip)[1]


def probability_errors(
    certificate: Certificate, start: FloatArray, rows: ClassPredictors, predictors: FloatArray
) -> FloatArray:
    """Return bounds on changes of probabilities, (k, m K); `predictors` (m K, p) are their gradients."""
    theta, K = certificate.coefficients, rows.classes
    x = predictors[K - 1 :: K, -rows.design.shape[1] :]  # the block of the last class, in either coordinates
    m = len(x)
    slip = 2.0 * _slip(rows, np.maximum(certificate.sizes, np.abs(start)), x)[:, :, None]
    found = np.empty((len(theta), m, K))
    for a in range(K):
        functionals = rows.functionals(x, np.full(m, a)).reshape(m * K, -1)
        low, high = (end.reshape(-1, m, K) for end in certificate.interval(functionals))
        after, before = ((at @ functionals.T).reshape(-1, m, K) for at in (theta, start[None]))
        others = np.arange(K) != a  # its own difference is 0, to the last digit
        least, most = (
            _probability(after + (high + slip) * others),
            _probability(after + (low - slip) * others),
        )
        value, first = _probability(after), _probability(before)
        error = np.maximum(np.abs(value - least), np.abs(most - value))
        for reported in (after, before):  # which are right to their predictors' rounding
            error += _probability(reported - slip * others) - _probability(reported + slip * others)
        error += 2.0 * unit_rounding(K) * (most + value + first) + TINY
        found[:, :, a] = error
    return found.reshape(len(theta), -1)


def _probability(differences: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-logsumexp(differences, axis=-1)))


def _slip(rows: ClassPredictors, size: FloatArray, x: FloatArray) -> FloatArray:
    """Return what rounding can do to predictors of rows x (m, q) at theta of this size (k, p): (k, m)."""
    largest = np.einsum("kaq,jq->kja", rows.by_class(size), np.abs(x)).max(axis=2)
    return np.asarray(unit_rounding(x.shape[1]) * largest)


def _changes(
    after: FloatArray, before: FloatArray, low: FloatArray, high: FloatArray, slip: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return changes of losses, of differences (..., K) off by `slip`, and bounds over the intervals."""
    value, first = logsumexp(after, axis=-1), logsumexp(before, axis=-1)
    rise = np.maximum(logsumexp(after + high, axis=-1) - value, value - logsumexp(after + low, axis=-1))
    # Each of the two losses moves by at most the range of its predictors' errors, twice that for room, and is
    # then rounded itself.
    rounding = 8.0 * slip + 2.0 * unit_rounding(after.shape[-1]) * (1.0 + np.abs(value) + np.abs(first))
    error = np.maximum(rise, 0.0) + rounding + 8.0 * EPSILON * np.abs(rise)
    return np.asarray(value - first), np.asarray(error)
