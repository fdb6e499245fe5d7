"""Entries drawn at random: what is accepted is the fit that it is taken for, by rational arithmetic.

Columns that all but coincide, far from 0, in other units; weights; row labels in any order; six ways in.
"""

import warnings
from collections import Counter
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, Ridge

import influstat as ist
from influstat.errors import InflustatError
from tests.budget import examples

EPSILON = float(np.finfo(float).eps)
ALLOWED = 1e-2  # of a typical removal: what is stated of every fit that enters
RIDGE = 0.5
MET = Counter()


@st.composite
def entries(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, p = draw(st.integers(6, 11)), draw(st.integers(1, 3))
    X = rng.normal(size=(n, p))
    if p > 1:  # the last column is the first one, but for this much
        X[:, -1] = X[:, 0] + 10.0 ** -draw(st.integers(0, 14)) * X[:, -1]
    X = X * 10.0 ** rng.integers(-5, 6, size=p) if draw(st.booleans()) else X
    X = X + draw(st.sampled_from([0.0, 0.0, 1.0, 2e3, 1e6, 1e9]))
    weights = rng.uniform(0.2, 5.0, n) if draw(st.booleans()) else np.ones(n)
    y = X @ rng.normal(size=p) / np.abs(X).max() + rng.normal(size=n)
    labels = rng.permutation(n)
    way = draw(st.sampled_from(["OLS", "formula", "LinearRegression", "Ridge", "ist.Ridge", "polish"]))
    return way, X, y, weights, labels


def entered(way, X, y, weights, labels):
    """Return the fit as it enters, and the ridge strength and intercept that it has."""
    table = pd.DataFrame(X, index=labels, columns=[f"x{j}" for j in range(X.shape[1])])
    target = pd.Series(y, index=labels)
    if way == "formula":
        named = pd.Series(weights, index=labels)
        form = "y ~ " + " + ".join(table.columns)
        return ist.from_statsmodels(smf.wls(form, table.assign(y=target), weights=named).fit())
    if way in ("OLS", "polish"):
        results = sm.WLS(target, sm.add_constant(table, has_constant="add"), weights=weights).fit()
        return ist.from_statsmodels(results, polish=way == "polish")
    if way == "ist.Ridge":
        return ist.Ridge(lam=RIDGE, intercept=True, protocol="fixed").fit(table, target, weights=weights)
    estimator = LinearRegression() if way == "LinearRegression" else Ridge(RIDGE)
    return ist.from_sklearn(
        estimator.fit(table, target, sample_weight=weights), table, target, sample_weight=weights
    )


def rational(rows, y, weights, strength):
    """Return the exact minimiser of sum w (y - x'theta)^2 + strength |theta but its first|^2, or None."""
    p = len(rows[0])
    matrix = [
        [sum(w * x[i] * x[j] for x, w in zip(rows, weights, strict=True)) for j in range(p)]
        + [sum(w * x[i] * t for x, t, w in zip(rows, y, weights, strict=True))]
        for i in range(p)
    ]
    for i in range(1, p):
        matrix[i][i] += strength
    for i in range(p):
        pivot = next((k for k in range(i, p) if matrix[k][i] != 0), None)
        if pivot is None:
            return None
        matrix[i], matrix[pivot] = matrix[pivot], matrix[i]
        for k in range(p):
            if k != i and matrix[k][i] != 0:
                factor = matrix[k][i] / matrix[i][i]
                matrix[k] = [a - factor * b for a, b in zip(matrix[k], matrix[i], strict=True)]
    return [matrix[i][p] / matrix[i][i] for i in range(p)]


def exact_changes(X, y, weights, strength):
    """Return each row's own prediction without it, its change, and the largest |x|'|theta|, (n,) each."""
    rows = [[Fraction(1)] + [Fraction(v) for v in x] for x in X]
    targets, shares = [Fraction(v) for v in y], [Fraction(w) for w in weights]
    whole = rational(rows, targets, shares, Fraction(strength))
    if whole is None:
        return None
    after, changes, sizes = np.empty((3, len(rows)))
    for i, x in enumerate(rows):
        left = rational(rows, targets, [*shares[:i], Fraction(0), *shares[i + 1 :]], Fraction(strength))
        if left is None:
            return None
        after[i] = float(sum(a * new for a, new in zip(x, left, strict=True)))
        changes[i] = float(sum(a * (new - old) for a, new, old in zip(x, left, whole, strict=True)))
        # Both fits are rounded; without a row that all but determines a direction theta can be far larger.
        sizes[i] = max(float(_largest_predictor(rows, theta)) for theta in (whole, left))
    return after, changes, sizes


def _largest_predictor(rows, theta):
    return max(sum(abs(a * b) for a, b in zip(x, theta, strict=True)) for x in rows)


def judge(case):
    """Enter one fit; if it is accepted, hold its removals against rational refits."""
    way, X, y, weights, labels = case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries, about ill-conditioned matrices
        try:
            fit = entered(way, X, y, weights, labels)
            removal = fit.leave_one_out()
        except InflustatError as error:
            MET[f"{way}: {type(error).__name__}"] += 1
            return
        truth = exact_changes(X, y, weights, RIDGE if "Ridge" in way else 0)
        if truth is None:
            MET[f"{way}: rational arithmetic has no refit"] += 1
            return
        table = pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])
        rows = sm.add_constant(table, has_constant="add") if way in ("OLS", "polish") else table
        found = np.diag(removal.prediction_change(rows))
        bound, before = np.diag(removal.prediction_bound(rows)), fit.predict(rows)
    MET[f"{way}: accepted"] += 1
    after, changes, size = truth
    known = ~np.isnan(found)
    MET[f"{way}: accepted rows without an answer"] += int((~known).sum())
    off = np.abs(found - changes)[known]
    # What is stated on entry: a step of at most 1 % of a typical removal is left, and linear predictors are
    # rounded. A row's prediction without it feels that 1 / (1 - h) times.
    h = fit.diagnostics("hat_diag")["hat_diag"].to_numpy()
    norms = np.sqrt(h / np.where(weights > 0, weights, 1.0))  # of x_i in the norm of the inverse Hessian
    typical = float(np.median(np.abs(changes) * (1.0 - h) / norms))  # of the norms of removals to first order
    stated = (ALLOWED * typical * norms + 64 * EPSILON * size) / (1.0 - h)
    assert (off <= stated[known]).all(), (way, off / stated[known])
    certified = known & ~np.isnan(bound)
    MET[f"{way}: certified rows"] += int(certified.sum())
    # Bounds are about the coefficients without the row, wherever those with it stopped.
    assert (np.abs(before + found - after)[certified] <= (bound + 8 * EPSILON * size)[certified]).all()


@pytest.mark.slow
@examples(150, full=10_000)
@given(entries())
def test_what_is_accepted_is_the_fit_of_rational_arithmetic(case):
    """Of 150 entries; with INFLUSTAT_FULL=1 of 10,000."""
    judge(case)


@examples(120)
@given(entries())
def test_some_entries(case):
    judge(case)
