"""Where rounding decides: problems in whole numbers, of which one row flips the conclusion exactly.

Without row 0 the last coefficient is 0, by rational arithmetic, and touching counts: nothing may prove that
no row does it. What floating point leaves of the terms is covered by margins, without which some would.
"""

from dataclasses import replace
from fractions import Fraction
from math import lcm

import numpy as np
import pytest

import influstat as ist
from influstat.algebra.rounding import EPSILON, unit_rounding
from influstat.input.groups import one_by_one
from influstat.losses.base import target_sizes
from influstat.sets.budget import Budget
from influstat.sets.null_fit import Problem, null_fit
from influstat.sets.proofs.conclusion import noise, one_left
from influstat.sets.proofs.enumeration import enumeration
from influstat.sets.proofs.quartic import Quartic
from influstat.sets.proofs.quick import Quick

N, SEEDS = 9, range(80)
BEYOND = 2**52  # whole numbers beyond are not all float64

PROOFS = {
    "quick certificate": lambda null: Quick(null).proven(1),
    "each alone": lambda null: 0 not in Quick(null).doubtful(),
    "node with one left": lambda null: bool((one_left(null) - noise(null))[0] > 0.0),
    "enumeration": lambda null: enumeration(null, 1, Budget(np.inf)).safe == 1,
    "quartic envelope": lambda null: Quartic(null).proves(1),
}


def projected(Z, y):
    """Return the coefficients of y on the columns of Z, as fractions; None where they are not unique."""
    p = Z.shape[1]
    rows = [[Fraction(int(v)) for v in (*(Z[:, i] @ Z), Z[:, i] @ y)] for i in range(p)]
    for i in range(p):
        pivot = next((j for j in range(i, p) if rows[j][i]), None)
        if pivot is None:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for j in range(p):
            if j != i:
                factor = rows[j][i] / rows[i][i]
                rows[j] = [a - factor * b for a, b in zip(rows[j], rows[i], strict=True)]
    return [rows[i][p] / rows[i][i] for i in range(p)]


def drawn(seed, kind):
    """Return X and y in whole numbers, the last coefficient of y[1:] on X[1:] being 0; or None."""
    rng = np.random.default_rng(seed)
    d = {"remote row on a steep line": 1, "columns nearly alike": 2}[kind]
    W, x = rng.integers(-9, 10, (N, d)).astype(object), rng.integers(-9, 10, N).astype(object)
    slope, steep = rng.integers(1, 6, d).astype(object), int(rng.integers(1, 100))
    if d == 1:
        W[0], steep = 2 ** int(rng.integers(9, 14)), 2 ** int(rng.integers(22, 34))
    else:
        W[:, 1] += W[:, 0] * 2 ** int(rng.integers(6, 20))
    X = np.column_stack([W, x])
    e = rng.integers(-20, 21, N).astype(object)
    e[0] = 0
    found = projected(X[1:], e[1:])
    if found is None:
        return None
    whole = lcm(*(one.denominator for one in found))
    e[1:] = e[1:] * whole - X[1:] @ np.array([int(one * whole) for one in found], dtype=object)
    y = W @ slope * steep + e
    y[0] += int(rng.integers(-9, 10)) * max(1, *(abs(int(one)) for one in e))
    small = max(abs(int(one)) for one in (*X.ravel(), *y)) < BEYOND
    return (X, y) if small and projected(X, y) is not None else None


def nulls(kind):
    """Yield the null fits of the problems, for the sign that the last coefficient has with row 0."""
    for seed in SEEDS:
        made = drawn(seed, kind)
        if made is None:
            continue
        X, y = made
        assert projected(X[1:], y[1:])[-1] == 0
        sign = np.sign(float(projected(X, y)[-1]))
        try:
            fit = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X.astype(float), y.astype(float)))
            units = one_by_one(np.arange(N), fit.row_labels)
            null = null_fit(Problem(fit.risk, fit.theta, sign * np.eye(X.shape[1])[-1], 0.0, units))
        except ist.errors.InflustatError:
            continue
        if null.margin < null.N0:
            yield null


@pytest.mark.parametrize(
    ("kind", "margin"),
    [("remote row on a steep line", "slack"), ("columns nearly alike", "relative")],
)
def test_a_row_that_flips_by_nothing_is_never_ruled_out(kind, margin):
    wrongly = 0
    for null in nulls(kind):
        for name, proves in PROOFS.items():
            assert not proves(null), name
            wrongly += proves(replace(null, **{margin: 0.0}))
    assert wrongly  # else the problems would not tell


@pytest.mark.parametrize(
    ("loss", "far"),
    [
        (ist.SquaredError(), 0.0),
        (ist.SquaredError(), 1e6),
        (ist.LogisticLoss(), 0.0),
        (ist.PoissonLoss(), 0.0),
    ],
    ids=repr,
)
@pytest.mark.parametrize("away", [(), (0, 7)], ids=["all rows", "without two"])
def test_margins_are_no_less_than_what_rounding_does_row_by_row(loss, away, far):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(60, 4)) * 10.0 ** rng.integers(-2, 3, (60, 1))
    y = rng.integers(0, 2, 60) if isinstance(loss, ist.LogisticLoss) else rng.poisson(2.0, 60)
    weights = np.where(np.arange(60) % 9, rng.uniform(0.5, 3.0, 60), 0.0)
    offset = 0.1 * rng.normal(size=60) + far  # where the predictors round more than the slopes
    risk = ist.LinearRisk(loss, X / 100.0, y + far, weights=weights, offset=offset, penalty=ist.L2(0.1))
    fit = ist.Fit.minimise(risk)
    sign = np.sign(fit.theta[-1])
    units = one_by_one(np.arange(60), fit.row_labels)
    removed = np.isin(np.arange(60), away)
    null = null_fit(Problem(risk, fit.theta, sign * np.eye(4)[-1], 0.0, units), removed=removed)
    as_eta, as_slope = target_sizes(loss, risk.y)
    there, size = np.where(removed, 0.0, weights), np.abs(null.r)
    along, eta = (np.abs(risk.design.rows(slice(None))) @ np.abs(each) for each in (null.u, null.theta))
    noise = unit_rounding(4) * null.h * (eta + np.abs(offset) + as_eta)
    noise += 64.0 * EPSILON * (size + there * as_slope)
    xi, long = np.abs(null.xi), np.linalg.norm(null.z, axis=1)
    sums = unit_rounding(64)
    assert null.margin >= sums * (xi @ size) + xi @ noise + unit_rounding(4) * (size @ along)
    assert null.slack >= long @ noise + sums * (long @ size)
    assert null.cross >= sums * ((null.h * xi) @ long)
