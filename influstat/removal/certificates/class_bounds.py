"""Certified errors of losses and probabilities of several classes.

Both depend on differences of predictors alone: the loss log sum_b e^(eta_b - eta_y) rises with each
eta_b - eta_y, and the probability 1 / sum_b e^(eta_b - eta_a) falls with each eta_b - eta_a. So intervals of
the differences (`Certificate.interval`) give intervals of both, at their ends, and to first order nothing is
lost: the intervals lie around the Newton step that is left from the coefficients reported.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from influstat.algebra.rounding import EPSILON, unit_rounding
from influstat.input.groups import Indices
from influstat.input.validation import FloatArray
from influstat.removal.certificates.theorem import Certificate
from influstat.risks.class_predictors import ClassPredictors

AT_ONCE = 2**24  # entries of functionals made at a time: 128 MiB
TINY = float(np.finfo(np.float64).tiny)


def loss_errors(
    certificate: Certificate, start: FloatArray, tests: ClassPredictors
) -> tuple[FloatArray, FloatArray]:
    """Return changes of test losses from `start` without a penalty, and bounds on their error, (k, m)."""
    # The changes are evaluated here, since what was reported may come from another library, which may lose
    # digits that this knows nothing of.
    m, p = len(tests.y), certificate.coefficients.shape[1]
    step = max(1, AT_ONCE // (tests.classes * p))
    parts = (np.arange(start, min(start + step, m)) for start in range(0, m, step))
    found = [_loss_errors(certificate, start, tests, part) for part in parts]
    changes, errors = (np.concatenate(arrays, axis=1) for arrays in zip(*found, strict=True))
    return changes, errors


def _loss_errors(
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
