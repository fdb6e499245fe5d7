"""Clusters that take dummies of their own along: breakdowns are those of what is demeaned within levels."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

import influstat as ist
from influstat.errors import InflustatError
from influstat.sets.constrained import constrained
from influstat.sets.null_fit import null_fit
from influstat.sets.proofs import factor
from influstat.sets.proofs.factor import with_all_levels, without_own_levels
from influstat.sets.question import coefficient_of, question
from influstat.sets.significance.squares import Reference
from tests import tolerance
from tests.breakdown_cases import least_squares
from tests.budget import examples

SEEDS = st.integers(0, 10**6)
LAYOUTS = [
    "dummies and constant",
    "all dummies",
    "finer levels",
    "years too",
    "some clusters",
    "coarser levels",
]


def indicators(label):
    return (label[:, None] == np.unique(label)) * 1.0


def drawn(seed, layout, clusters=7, rows=4, effect=0.4, *, weights=False, d=1):
    """Return a fit whose last column is in question, and the cluster of each row."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(clusters), rows)
    place = np.tile(np.arange(rows), clusters)
    n = len(owner)
    levels = {
        "finer levels": owner * 2 + place // 2,
        "some clusters": np.minimum(owner, clusters - 3),
        "coarser levels": owner // 2,
    }.get(layout, owner)
    columns = [indicators(levels)] if layout == "all dummies" else [np.ones(n), indicators(levels)[:, 1:]]
    if layout == "some clusters":  # the last of them, several clusters together, is no level of a cluster
        columns = [np.ones(n), indicators(levels)[:, :-1]]
    if layout == "years too":
        columns.append(indicators(place)[:, 1:])
    x = rng.normal(size=n) + rng.normal(size=clusters)[owner]
    columns += [100.0 + rng.normal(size=(n, d)), x]
    y = effect * x + rng.normal(size=clusters)[owner] + rng.standard_t(3.0, n)
    order = rng.permutation(n)
    w = rng.choice([0.5, 1.0, 3.0], n) if weights else np.ones(n)
    X = np.column_stack(columns)[order]
    try:
        return ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, y[order], weights=w)), owner[order]
    except InflustatError:
        return assume(False)


def smallest(fit, owner, at=0.0):
    """Return the fewest clusters without which the last coefficient is at `at` or beyond, None for none."""
    a, labels = np.eye(len(fit.theta))[-1], np.unique(owner)
    sign = np.sign(fit.theta[-1] - at)
    for k in range(1, len(labels)):
        for gone in combinations(labels, k):
            left = np.where(np.isin(owner, gone), 0.0, fit.risk.weights)
            value = least_squares(fit.risk, left, a)
            if value is not None and sign * (value - at) <= 0.0:
                return k
    return None


@pytest.mark.parametrize("layout", LAYOUTS)
@given(seed=SEEDS, weights=st.booleans(), d=st.integers(0, 2), far=st.sampled_from([0.3, 1.0, 1.5]))
@examples(10, deadline=None)
def test_no_clusters_below_what_is_proven_flip(layout, seed, weights, d, far):
    fit, owner = drawn(seed, layout, weights=weights, d=d)
    at = float(fit.theta[-1]) * (1.0 - far)
    answer = fit.breakdown(-1, at=at, groups=owner, budget_seconds=0.5)
    true = smallest(fit, owner, at)
    assert answer.lower <= (7 if true is None else true)
    if answer.upper is not None:
        assert true is not None
        assert true <= answer.upper


@pytest.mark.parametrize("layout", ["dummies and constant", "all dummies", "finer levels"])
@pytest.mark.parametrize("seed", range(4))
def test_own_dummies_are_no_obstacle(layout, seed):
    fit, owner = drawn(seed, layout)
    true = smallest(fit, owner)
    answer = fit.breakdown(-1, groups=owner, budget_seconds=2.0)
    assert answer.upper == true
    assert answer.lower == (7 if true is None else true)
    reach = fit.reach(-1, k=2, groups=owner, budget_seconds=2.0)
    assert np.isfinite(reach.proven).all()


@pytest.mark.parametrize("layout", LAYOUTS[:4])
def test_the_score_is_that_of_what_is_demeaned(layout):
    fit, owner = drawn(1, layout, d=2)
    problem = question(fit, *coefficient_of(fit, -1), groups=owner).problem
    null = without_own_levels(null_fit(problem))
    levels = {"finer levels": 14}.get(layout, 7)
    assert null.d == len(fit.theta) - 1 - levels
    gone = np.isin(owner, [1, 4])
    A = (null.z[gone] * null.h[gone, None]).T @ null.z[gone]
    inner = np.linalg.solve(np.eye(null.d) - A, null.pulls[[1, 4]].sum(axis=0))
    N = null.N0 - null.f[[1, 4]].sum() - null.turns[[1, 4]].sum(axis=0) @ inner
    at = least_squares(fit.risk, np.where(gone, 0.0, 1.0), problem.a)
    moved = without_own_levels(null_fit(replace(problem, at=at)))
    A = (moved.z[gone] * moved.h[gone, None]).T @ moved.z[gone]
    inner = np.linalg.solve(np.eye(moved.d) - A, moved.pulls[[1, 4]].sum(axis=0))
    there = moved.N0 - moved.f[[1, 4]].sum() - moved.turns[[1, 4]].sum(axis=0) @ inner
    assert abs(there) <= tolerance.TWO_FITS * np.abs(null.f).sum()  # 0 at the fit without them
    assert np.sign(N) == np.sign(at - problem.at)


@pytest.mark.parametrize("constant", [1.0, -2.0])
def test_the_level_without_a_column_takes_the_place_of_the_constant(constant):
    fit, owner = drawn(3, "dummies and constant")
    X = np.array(fit.risk.design.rows(slice(None)))
    X[:, 0] = constant
    fit = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, fit.risk.y))
    given = question(fit, *coefficient_of(fit, -1), groups=owner).problem
    found = with_all_levels(given)
    assert found is not given
    np.testing.assert_array_equal(found.risk.design.rows(slice(None))[:, 0], owner == owner.min())
    eta = found.risk.linear_predictor(found.theta)
    np.testing.assert_allclose(eta, fit.risk.linear_predictor(fit.theta), rtol=1e-9)  # two sums of ten terms


def test_without_a_row_a_coefficient_stays_unless_a_penalty_moves_it():
    x = np.column_stack([np.ones(6), np.zeros(6), np.arange(6.0)])
    y, near, a = np.arange(6.0) ** 2, np.array([1.0, 5.0, 1.0]), np.array([0.0, 0.0, 1.0])
    plain = constrained(ist.LinearRisk(ist.SquaredError(), x, y), a, 2.0, near)
    assert plain.theta[1] == 5.0
    assert plain.basis.shape == (1, 3)
    penalty = ist.Quadratic(np.array([[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 0.0]]))
    risk = ist.LinearRisk(ist.SquaredError(), x, y, penalty=penalty)
    held = constrained(risk, a, 2.0, near)
    assert held.basis.shape == (2, 3)
    assert np.abs(risk.gradient(held.theta)[:2]).max() < 1e-9


@pytest.mark.parametrize("layout", ["coarser levels", "some clusters"])
def test_levels_of_several_clusters_stay(layout):
    fit, owner = drawn(2, layout)
    null = null_fit(question(fit, *coefficient_of(fit, -1), groups=owner).problem)
    lost = null.d - without_own_levels(null).d
    assert lost == {"coarser levels": 1, "some clusters": 4}[layout]  # the last of an odd number is alone


@pytest.mark.slow
def test_the_law_sees_levels_that_are_not_of_one_cluster(monkeypatch):
    monkeypatch.setattr(factor, "_in_one_cluster", lambda problem, rows: bool(rows.any()))
    beaten = 0
    for seed in range(12):
        fit, owner = drawn(seed, "coarser levels")
        true = smallest(fit, owner)
        beaten += fit.breakdown(-1, groups=owner, budget_seconds=0.5).lower > (7 if true is None else true)
    assert beaten


def test_rows_and_penalties_keep_their_directions():
    fit, owner = drawn(0, "dummies and constant")
    rows = null_fit(question(fit, *coefficient_of(fit, -1)).problem)
    assert without_own_levels(rows) is rows
    risk = ist.LinearRisk(ist.SquaredError(), fit.risk.design, fit.risk.y, penalty=ist.L2(0.1))
    ridge = ist.Fit.minimise(risk)
    null = null_fit(question(ridge, *coefficient_of(ridge, -1), groups=owner).problem)
    assert without_own_levels(null) is null


# -- losses that bend ----------------------------------------------------------------------------------------


def bent(seed, clusters=6, rows=6):
    """Return the data of counts whose clusters have dummies of their own, and the cluster of each row."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(clusters), rows)
    x = 0.5 * rng.normal(size=len(owner)) + 0.5 * rng.normal(size=clusters)[owner]
    y = rng.poisson(np.exp(0.5 + 0.5 * x + 0.4 * rng.normal(size=clusters)[owner])) * 1.0
    return x, y, owner


def poisson(x, y, owner):
    """Return the fit, None where a cluster has no count at all."""
    if min(y[owner == one].sum() for one in np.unique(owner)) == 0.0:
        return None
    X = np.column_stack([np.ones(len(x)), indicators(owner)[:, 1:], x])
    return ist.Fit.minimise(ist.LinearRisk(ist.PoissonLoss(), X, y))


@given(seed=SEEDS, far=st.sampled_from([0.5, 1.0, 1.3]))
@examples(20, deadline=None)
def test_own_dummies_of_counts_are_no_obstacle_and_nothing_is_beaten(seed, far):
    x, y, owner = bent(seed)
    fit = poisson(x, y, owner)
    assume(fit is not None)
    at = float(fit.theta[-1]) * (1.0 - far)
    answer = fit.breakdown(-1, at=at, groups=owner, budget_seconds=0.2)
    for k in range(1, min(2, answer.lower - 1) + 1):
        for gone in combinations(range(6), k):
            kept = ~np.isin(owner, gone)
            left = float(poisson(x[kept], y[kept], owner[kept]).theta[-1])
            assert np.sign(fit.theta[-1] - at) * (left - at) > -1e-9


def test_counts_beside_own_dummies_are_proven():
    proven = 0
    for seed in range(5):
        fit = poisson(*bent(seed))
        if fit is not None:
            proven += fit.breakdown(-1, groups=bent(seed)[2], budget_seconds=0.5).lower > 1
    assert proven


# -- significance --------------------------------------------------------------------------------------------


def t_value(X, y, w):
    """Return the t value of the last column and the degrees of freedom, None where it is not determined."""
    X, y = X[w > 0] * np.sqrt(w[w > 0])[:, None], y[w > 0] * np.sqrt(w[w > 0])
    others, last = X[:, :-1], X[:, -1]
    left = last - others @ np.linalg.lstsq(others, last, rcond=1e-9)[0]
    if left @ left < 1e-12 * (last @ last):
        return None
    freedom = len(y) - np.linalg.matrix_rank(X, tol=1e-9)
    theta = np.linalg.lstsq(X, y, rcond=1e-9)[0]
    error = y - X @ theta
    if freedom < 1 or error @ error < 1e-20 * (y @ y):
        return None
    return (left @ y) / np.sqrt((left @ left) * (error @ error) / freedom), freedom


def beaten(fit, owner, answer, level, most=3):
    """Return the sets of clusters below what is proven without which the limit is on the other side."""
    X, y, w = fit.risk.design.rows(slice(None)), fit.risk.y, fit.risk.weights
    turn = 1.0 if answer.side == "above" else -1.0
    upper = 1.0 if "upper limit" in answer.question else -1.0
    found = []
    for k in range(1, min(most, answer.lower - 1) + 1):
        for gone in combinations(np.unique(owner), k):
            after = t_value(X, y, np.where(np.isin(owner, gone), 0.0, w))
            if after is not None:
                limit = after[0] + upper * stats.t.ppf(0.5 + level / 2.0, after[1])
                found += [gone] if turn * limit < -1e-8 else []
    return found


@given(
    seed=SEEDS, layout=st.sampled_from(LAYOUTS), weights=st.booleans(), opposite=st.booleans(),
    level=st.sampled_from([0.8, 0.95]), kind=st.sampled_from(["model", "HC1", "HC3"]),
)  # fmt: skip
@examples(12, deadline=None)
def test_no_clusters_below_what_is_proven_change_significance(seed, layout, weights, opposite, level, kind):
    fit, owner = drawn(seed, layout, 6, 2, weights=weights)
    try:
        inference = fit.inference(kind, level=level)
        answer = inference.breakdown(-1, reversed=opposite, groups=owner, budget_seconds=0.2)
    except InflustatError:
        return
    if kind == "model":
        assert beaten(fit, owner, answer, level) == []
    for k in range(1, min(2, answer.lower - 1) + 1):
        for gone in combinations(range(6), k):
            assert not answer.limit_without(np.array(gone)) < -1e-8


def test_columns_that_leave_with_their_rows_cost_no_degrees_of_freedom():
    # It is insignificant, and gains significance without one cluster, which has two rows and two columns.
    rng = np.random.default_rng(113)
    rng.random()
    n = int(rng.integers(8, 13))
    clusters = int(rng.integers(4, 7))
    owner = np.sort(np.append(np.arange(clusters), rng.integers(0, clusters, n - clusters)))
    own = rng.choice(clusters - 1, int(rng.integers(1, clusters)), replace=False)
    x = rng.normal(size=n)
    y = rng.choice([0.0, 0.5, 2.0]) * x + rng.standard_t(2.0, n)
    X = np.column_stack([np.ones(n), (owner[:, None] == own) * 1.0, x])
    fit = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, y))
    answer = fit.inference(level=0.8).breakdown(-1, groups=owner, budget_seconds=0.5)
    assert (answer.lower, answer.upper) == (1, 1)
    unsearched = fit.inference(level=0.8).breakdown(-1, groups=owner, budget_seconds=0.5, search=False)
    assert beaten(fit, owner, unsearched, 0.8, most=2) == []
    # Nor is what is left of two clusters' own columns judged by degrees of freedom that they would cost.
    null = null_fit(question(fit, *coefficient_of(fit, -1), groups=owner).problem)
    gone = np.isin(np.unique(owner), own[:1])
    without = null_fit(null.problem, removed=gone)
    assert (null.lost, without.lost) == (0, 1)
    rows = float(np.count_nonzero(without.h))
    scaled = Reference(lambda _: 1.0, float(len(fit.theta))).scaled(without, 0)
    assert scaled == pytest.approx((rows - len(fit.theta) + 1.0) ** -0.5, rel=1e-15)


@pytest.mark.parametrize("layout", ["dummies and constant", "all dummies", "finer levels"])
def test_own_dummies_are_no_obstacle_to_significance(layout):
    fit, owner = drawn(2, layout, effect=2.0)
    answer = fit.inference().breakdown(-1, groups=owner, budget_seconds=1.0)
    assert answer.lower > 1
    assert answer.exact
