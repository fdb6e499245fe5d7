"""The inequalities that proofs of breakdowns rest on, each against refits that share no code."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

import influstat as ist
from influstat.input.groups import one_by_one, read_groups
from influstat.sets.cones.significant import Significant
from influstat.sets.cones.slopes import Slopes
from influstat.sets.null_fit import Problem, null_fit
from influstat.sets.proofs.leverage_bounds import LeverageBounds
from influstat.sets.significance.model_based import Lose, Oppose
from influstat.sets.significance.robust import RobustLose, RobustReference
from influstat.sets.significance.robust_against import RobustOppose
from influstat.sets.significance.squares import Reference
from influstat.statistics.inference_of_fragility import POWERS
from tests.breakdown_cases import problem
from tests.budget import examples
from tests.tolerance import INVERTED

seeds = st.integers(0, 2**32 - 1)


def quantile(freedom):
    return float(stats.t.ppf(0.9, freedom))


def subsets(units, most):
    for k in range(1, most + 1):
        yield from (np.array(chosen) for chosen in combinations(units, k))


def sign_of(fit, units):
    sign = np.sign(fit.theta[-1])
    return Problem(fit.risk, fit.theta, sign * np.eye(len(fit.theta))[-1], 0.0, units)


@examples(30, full=2000)
@given(
    seed=seeds,
    protocol=st.sampled_from(["fixed", "folded"]),
    strength=st.sampled_from([0.0, 0.3, 3.0]),
    clusters=st.booleans(),
)
def test_sums_of_cones_are_slopes_of_refits(seed, protocol, strength, clusters):
    fit = problem(seed, "squared", protocol=protocol, strength=strength, weights=True, offset=True, n=9)
    units = read_groups(np.arange(9) // 2, 9) if clusters else one_by_one(np.arange(9), np.arange(9))
    asked = sign_of(fit, units)
    try:
        null = null_fit(asked)
    except ist.errors.InflustatError:
        assume(False)
    rows, rng = Slopes.at(null), np.random.default_rng(seed)
    root = np.sqrt(null.h @ null.xi**2)
    for chosen in subsets(np.flatnonzero(null.open), 2):
        removed = np.zeros(len(units), dtype=bool)
        removed[chosen] = True
        try:
            without = null_fit(asked, removed=removed)
        except ist.errors.InflustatError:
            continue
        g = np.linalg.lstsq(null.basis.T, without.theta - null.theta, rcond=None)[0]
        multipliers = np.append(1.0, rng.normal(size=null.d))
        found = -multipliers @ rows.matrix(chosen) @ np.append(g, 1.0)
        size = np.sum(
            np.abs(rows.left) @ np.abs(multipliers) * (np.abs(rows.right) @ np.abs(np.append(g, 1.0)))
        )
        assert abs(found - without.N0 / root) <= 1e3 * INVERTED * size


@examples(30, full=2000)
@given(seed=seeds, k=st.integers(1, 4), strength=st.sampled_from([0.0, 1.0]))
def test_the_height_of_cones_is_the_largest_over_all_sets(seed, k, strength):
    fit = problem(seed, "squared", protocol="folded", strength=strength, weights=False, n=7)
    null = null_fit(sign_of(fit, one_by_one(np.arange(7), np.arange(7))))
    rng = np.random.default_rng(seed)
    generator, multipliers = np.append(rng.normal(size=2), rng.random()), rng.normal(size=3)
    nothing = np.zeros(0, dtype=np.intp)
    rows = Slopes.at(null)
    every = [rows.matrix(chosen) for chosen in [nothing, *subsets(range(7), k)]]
    highest = max(float(multipliers @ matrix @ generator) for matrix in every)
    height, matrix = rows.cut(generator, multipliers, k)
    size = rows.margin(generator, multipliers, k)
    assert abs(height - highest) <= size
    assert abs(float(multipliers @ matrix @ generator) - height) <= size


def draw(seed, n=7):
    """Return X, y and w with a row that moves nothing, one of high leverage, and heavy tails."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([np.ones(n), rng.standard_t(2.0, n)])
    X[0, 1] = 3.0 * np.abs(X[:, 1]).max()
    y, w = rng.choice([0.2, 1.0, 5.0]) * X[:, 1] + rng.standard_t(3.0, n), rng.choice([0.5, 1.0, 2.0], n)
    theta = np.linalg.lstsq(X * np.sqrt(w)[:, None], y * np.sqrt(w), rcond=None)[0]
    middle = w @ X / np.sum(w)
    return np.vstack([X, middle]), np.append(y, middle @ theta), np.append(w, 1.0)


def of_refit(X, y, w, sign, power=0.0):
    """Return N, D, RSS, the robust variance of N, rows and freedom; w are the weights times l2."""
    X, y, w = X[w > 0], y[w > 0], w[w > 0]
    inverse = np.linalg.inv((X * w[:, None]).T @ X)
    theta = inverse @ (X * w[:, None]).T @ y
    e, D = y - X @ theta, 1.0 / inverse[-1, -1]
    left = (1.0 - w * np.einsum("ij,jk,ik->i", X, inverse, X)) ** power
    V = float(np.sum(((w * e / left)[:, None] * X @ inverse[:, -1] * D) ** 2))
    return sign * theta[-1] * D, D, float(w @ e**2), V, len(y), len(y) - X.shape[1]


def by_view(view, chosen):
    """Return what the quick certificate bounds from below, exactly: N0 - f_S - B_S'(I - A_S)^-1 C_S."""
    A = (view.z[chosen] * view.h[chosen, None]).T @ view.z[chosen]
    second = view.turns[chosen].sum(axis=0) @ np.linalg.solve(
        np.eye(view.d) - A, view.pulls[chosen].sum(axis=0)
    )
    return view.N0 - view.f[chosen].sum() - second


@examples(45, full=2000)
@given(
    seed=seeds,
    free=st.integers(1, 2),
    kind=st.sampled_from(["lose", "gain", "oppose"]),
    covariance=st.sampled_from(["model", "HC0", "HC1", "HC2", "HC3"]),
)
def test_views_of_significance_are_below_refits(seed, free, kind, covariance):
    X, y, w = draw(seed)
    n = len(y)
    fit = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, y, weights=w))
    asked, sign = sign_of(fit, one_by_one(np.arange(n), np.arange(n))), np.sign(fit.theta[-1])
    power = POWERS.get(covariance, 0.0)
    lose, oppose, reference = Lose, Oppose, Reference(quantile, 2.0)
    if covariance != "model":
        lose, oppose = RobustLose, RobustOppose
        reference = RobustReference(quantile, 2.0, covariance == "HC1", clustered=False, power=power)
    conclusion = lose(reference) if kind == "lose" else oppose(reference, -1.0 if kind == "gain" else 1.0)
    for units in combinations(range(n), free):
        held = np.ones(n, dtype=bool)
        held[list(units)] = False
        null = null_fit(asked, held=held)
        for view in conclusion.views(null, free, LeverageBounds(null)):
            for chosen in subsets(units, free):
                left = null.h.copy()
                left[chosen] = 0.0
                N, D, RSS, V, rows, freedom = of_refit(X, y, left, sign, power)
                variance = {"model": D * RSS / freedom, "HC1": V * rows / freedom}.get(covariance, V)
                spread = np.sqrt(variance)
                true = {
                    "lose": N - quantile(freedom) * spread,
                    "gain": -N + quantile(freedom) * spread,
                    "oppose": N + quantile(freedom) * spread,
                }[kind]
                assert by_view(view, chosen) <= true + 1e2 * INVERTED * (abs(N) + spread) + view.margin
                low = conclusion.without_one(null) if free == 1 else None
                if low is not None:
                    assert low[chosen[0]] <= true + 1e2 * INVERTED * (abs(N) + spread)


def test_clustered_views_are_below_refits():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        owner = np.arange(12) // 2
        X = np.column_stack([np.ones(12), rng.standard_t(3.0, 12) + rng.normal(size=6)[owner]])
        y = 3.0 * X[:, 1] + rng.normal(size=6)[owner] + rng.normal(size=12)
        fit = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, y))
        asked, sign = sign_of(fit, read_groups(owner, 12)), np.sign(fit.theta[-1])
        conclusion = RobustLose(RobustReference(quantile, 2.0, corrected=True, clustered=True))
        for one in range(6):
            null = null_fit(asked, held=np.arange(6) != one)
            kept = owner != one
            x, e_y, groups = X[kept], y[kept], owner[kept]
            inverse = np.linalg.inv(x.T @ x)
            theta = inverse @ x.T @ e_y
            scores = (x @ inverse[:, -1] / inverse[-1, -1]) * (e_y - x @ theta)
            V = np.sum(np.bincount(groups, weights=scores) ** 2) * 5.0 / 4.0 * 9.0 / 8.0
            true = null.h[0] * (sign * theta[-1] / inverse[-1, -1] - quantile(4.0) * np.sqrt(V))
            A = (null.z[~kept] * null.h[~kept, None]).T @ null.z[~kept]
            second = null.turns[one] @ np.linalg.solve(np.eye(1) - A, null.pulls[one])
            for view in conclusion.views(null, 1, LeverageBounds(null)):
                assert view.N0 - view.f[one] - second <= true + 1e2 * INVERTED * abs(true) + view.margin


@examples(30)
@given(seed=seeds, k=st.integers(1, 2), part=st.sampled_from([0.7, 1.0, 1.2]))
def test_cones_of_significance_are_above_every_set(seed, k, part):
    X, y, w = draw(seed)
    n = len(y)
    fit = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, y, weights=w))
    null, sign = null_fit(sign_of(fit, one_by_one(np.arange(n), np.arange(n)))), np.sign(fit.theta[-1])
    rows = Significant.at(null, Reference(quantile, 2.0), part)
    root = np.sqrt(null.h @ null.xi**2)
    for chosen in subsets(range(n), k):
        kept = np.delete(np.arange(n), chosen)
        left = np.where(np.isin(np.arange(n), kept), null.h, 0.0)
        N, D, RSS, _, _, freedom = of_refit(X, y, left, sign)
        # The best multipliers for this set: what the nuisance explains of xi and of the residuals.
        h, z = null.h[kept], rows.slopes.left[kept]
        along = -np.linalg.lstsq(z[:, 1:] * np.sqrt(h)[:, None], z[:, 0] * np.sqrt(h), rcond=None)[0]
        q = np.linalg.lstsq(z * np.sqrt(h)[:, None], rows.e[kept] * np.sqrt(h), rcond=None)[0]
        g = np.linalg.solve((z[:, 1:] * h[:, None]).T @ z[:, 1:], z[:, 1:].T @ rows.slopes.right[kept, -1])
        multipliers = np.concatenate([[1.0], along, q])
        height, matrix = rows.cut(np.append(g, 1.0), multipliers, k)
        # By inequality of the means twice the root of a product: what is left of N at its largest tau.
        worst = N / root - quantile(n - 2.0 - k) / (2.0 * np.sqrt(n - 2.0 - k)) * (
            rows.tau * D / root**2 + RSS / rows.tau
        )
        size = abs(N / root) + np.sqrt(RSS)
        assert height >= -worst - 1e3 * INVERTED * size
        if freedom == n - 2 - k:
            lowest = N / root - quantile(freedom) * np.sqrt(D * RSS / freedom) / root
            assert worst <= lowest + 1e3 * INVERTED * size
        assert height == pytest.approx(
            float(multipliers @ matrix @ np.append(g, 1.0)), rel=1e-8, abs=1e-9 * size
        )
