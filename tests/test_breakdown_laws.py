"""Laws of breakdowns on random problems: never beaten by a subset, never changed by what may not matter."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import assume, given
from hypothesis import strategies as st

import influstat as ist
from influstat.errors import InflustatError
from influstat.input.groups import one_by_one, read_groups
from influstat.sets import question as room
from influstat.sets.null_fit import null_fit
from influstat.sets.proofs.conclusion import identified
from influstat.sets.proofs.quick import Quick
from influstat.sets.question import coefficient_of, question
from tests import tolerance
from tests.breakdown_cases import flipping, problem, value_without
from tests.budget import examples

SEEDS = st.integers(0, 10**6)
PROTOCOLS = st.sampled_from(["fixed", "folded"])


def drawn(seed, loss, protocol, **settings):
    """Return a fit, or skip the example where the data have none."""
    rng = np.random.default_rng(seed)
    strength = rng.choice([0.0, 0.3, 2.0]) if loss == "squared" else rng.choice([0.05, 0.5, 2.0])
    shape = {"p": int(rng.integers(1, 5)), **settings}
    try:
        return problem(
            seed, loss, protocol=protocol, strength=strength, weights=bool(rng.integers(2)),
            offset=bool(rng.integers(2)), **shape,
        )  # fmt: skip
    except InflustatError:
        assume(False)


def asked_of(fit, coefficient=-1, at=0.0, groups=None):
    name, a = coefficient_of(fit, coefficient)
    return question(fit, name, a, at=at, groups=groups)


# -- never beaten --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [0.0, 2.0])
@pytest.mark.parametrize("loss", ["squared", "logistic", "poisson"])
@given(seed=SEEDS, protocol=PROTOCOLS, clusters=st.booleans(), contrast=st.booleans())
@examples(8, deadline=None)
def test_no_smaller_set_flips_and_the_reported_one_does(loss, budget, seed, protocol, clusters, contrast):
    fit = drawn(seed, loss, protocol)
    rng = np.random.default_rng(seed)
    n, p = fit.risk.shape
    a = rng.normal(size=p) if contrast else np.eye(p)[rng.integers(p)]
    at = float(a @ fit.theta) * rng.choice([0.0, 0.3, 0.7, 1.3])
    groups = np.arange(n) % 5 if clusters else None
    units = [np.flatnonzero(groups == g) for g in range(5)] if clusters else [np.array([i]) for i in range(n)]
    assume(abs(a @ fit.theta) > 1e-6)
    answer = fit.breakdown(a, at=at, groups=groups, budget_seconds=budget)
    beaten = flipping(fit, a, at, units, min(2 if loss != "squared" else 3, answer.lower - 1))
    assert [s for s in beaten if all(fit.risk.weights[units[j]].any() for j in s)] == []
    if answer.upper is not None:
        assert answer.lower <= answer.upper
        rows = np.concatenate([units[j] for j in answer.positions])
        without = value_without(fit, rows, a)
        assert (without - at) * (a @ fit.theta - at) <= 0.0
        assert without == pytest.approx(answer.value_without, rel=tolerance.CHANGES, abs=tolerance.CHANGES)


@given(seed=SEEDS, protocol=PROTOCOLS)
@examples(20, deadline=None)
def test_the_score_at_the_null_is_exact_for_squared_error(seed, protocol):
    # N(T) by the formula equals N of the null fit without the rows: every part of f, B and C counts.
    fit = drawn(seed, "squared", protocol, n=12, p=3)
    assume(abs(fit.theta[-1]) > 1e-6)
    null = null_fit(asked_of(fit).problem)
    removed = np.zeros(12, dtype=bool)
    removed[np.random.default_rng(seed).choice(np.flatnonzero(null.open), 2, replace=False)] = True
    z, h = null.z[removed], null.h[removed]
    A = z.T @ (z * h[:, None]) + null.share[removed].sum() * null.penalty
    assume(np.linalg.eigvalsh(A)[-1] < 0.99)  # else little is left of the nuisance
    inner = np.linalg.solve(np.eye(null.d) - A, null.pulls[removed].sum(axis=0))
    N = null.N0 - null.f[removed].sum() - null.turns[removed].sum(axis=0) @ inner
    size = np.sum(np.abs(null.f)) + np.linalg.norm(null.turns) * np.linalg.norm(inner)
    again = null_fit(null.problem, removed=removed)
    assert pytest.approx(again.N0, rel=0, abs=tolerance.SOLVED * 100.0 * size) == N
    at = float(null.problem.a @ fit.leave_groups_out([np.flatnonzero(removed)]).theta[0])
    moved = null_fit(replace(null.problem, at=at), removed=removed)
    assert abs(moved.N0) <= moved.margin + tolerance.TWO_FITS * size  # 0 at the fit without them


@pytest.mark.parametrize(("protocol", "strength"), [("fixed", 0.0), ("fixed", 2.0), ("folded", 2.0)])
@given(seed=SEEDS)
@examples(20, deadline=None)
def test_a_null_fit_from_the_one_with_the_rows_is_that_found_anew(protocol, strength, seed):
    fit = problem(seed, "squared", protocol=protocol, strength=strength, offset=True, n=16, p=4)
    assume(abs(fit.theta[-1]) > 1e-6)
    found = with_all = null_fit(asked_of(fit).problem)
    removed = np.zeros(16, dtype=bool)
    for row in np.random.default_rng(seed).choice(np.flatnonzero(found.open), 4, replace=False):
        removed[row] = True
        found = null_fit(found.problem, removed=removed.copy(), before=found)
    anew = null_fit(found.problem, removed=removed)
    size = tolerance.SOLVED * 100.0 * np.sum(np.abs(with_all.f))
    assert pytest.approx(anew.N0, rel=0, abs=size) == found.N0
    np.testing.assert_allclose(found.f, anew.f, rtol=0, atol=size)
    np.testing.assert_allclose(found.lev, anew.lev, rtol=0, atol=2.0 * found.relative + 2.0 * anew.relative)
    whole = found.z.T @ (found.z * found.h[:, None]) + found.penalty
    assert np.linalg.norm(whole - np.eye(found.d)) <= found.relative
    assert anew.relative < found.relative < 1e-9  # found so, as what is not near enough is found anew
    assert found.slack <= 10.0 * anew.slack + size


@pytest.mark.parametrize("size", [0.0, 1e-9])
def test_a_row_that_alone_determines_the_quantity_leaves_nothing(size):
    # What is left of it may not come from rounding in what was there with the row.
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = np.column_stack([np.ones(12), size * rng.normal(size=12)])
        X[5, 1] = 1.0
        fit = ist.Ridge(lam=0.0).fit(X, X[:, 1] + rng.normal(size=12), weights=rng.uniform(0.2, 3.0, 12))
        with_it, removed = null_fit(asked_of(fit).problem), np.arange(12) == 5
        found = null_fit(with_it.problem, removed=removed, before=with_it)
        anew = null_fit(with_it.problem, removed=removed)
        assert identified(found) == identified(anew) == (size > 0.0)
        assert pytest.approx(anew.N0, rel=1e-6, abs=anew.margin) == found.N0


@pytest.mark.parametrize("change", ["lengths of B", "leverages"])
def test_the_law_sees_bounds_that_are_too_small(change, monkeypatch):
    def wrong(problem, **settings):
        null = null_fit(problem, **settings)
        if change == "lengths of B":
            return replace(null, whitened=null.whitened.but(turns=0.5 * null.turns))
        return replace(null, lev=0.2 * null.lev, h=0.2 * null.h)

    monkeypatch.setattr(room, "null_fit", wrong)
    rows = [np.array([i]) for i in range(9)]

    def beaten(seed):
        fit = problem(seed, "squared", n=9, p=3)
        answer = fit.breakdown(-1, budget_seconds=0.0)
        return bool(flipping(fit, np.eye(3)[-1], 0.0, rows, min(2, answer.lower - 1)))

    assert any(beaten(seed) for seed in range(30))


# -- what may not matter -------------------------------------------------------------------------------------


@given(seed=SEEDS)
@examples(10, deadline=None)
def test_units_order_and_basis_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(12), rng.normal(size=(12, 2))])
    y = x @ rng.normal(size=3) + rng.normal(size=12)
    first = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), x, y)).breakdown(2)
    order = rng.permutation(12)
    basis = x.copy()
    basis[:, 1] = 3.0 * x[:, 1] - x[:, 0]
    for design, targets in [
        (x * [1.0, 1e3, 1e-4], 10.0 * y),  # units
        (x[order], y[order]),  # order of the rows
        (x, y + 100.0),  # a constant
        (basis, y),  # the nuisance in another basis
    ]:
        other = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), design, targets)).breakdown(2)
        assert (other.upper, other.lower) == (first.upper, first.lower)
        assert other.counts["score"] == first.counts["score"]


@given(seed=SEEDS)
@examples(10, deadline=None)
def test_two_halves_of_a_row_are_the_row(seed):
    rng = np.random.default_rng(seed)
    x, y = np.column_stack([np.ones(10), rng.normal(size=10)]), rng.normal(size=10)
    whole = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), x, y))
    twice = np.repeat(np.arange(10), 2)
    halves = ist.LinearRisk(ist.SquaredError(), x[twice], y[twice], weights=np.full(20, 0.5))
    one, two = whole.breakdown(1), ist.Fit.minimise(halves).breakdown(1, groups=twice)
    assert (one.counts["score"], one.upper, one.lower) == (two.counts["score"], two.upper, two.lower)


@given(seed=SEEDS)
@examples(10, deadline=None)
def test_rows_of_weight_0_are_never_counted(seed):
    rng = np.random.default_rng(seed)
    x, y = np.column_stack([np.ones(12), rng.normal(size=12)]), rng.normal(size=12)
    weights = (np.arange(12) < 9) * 1.0
    y[9:] += 50.0
    some = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), x, y, weights=weights)).breakdown(1)
    few = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), x[:9], y[:9])).breakdown(1)
    assert (some.total, some.upper, some.lower) == (9, few.upper, few.lower)
    assert (some.positions < 9).all()


# -- exact cases ---------------------------------------------------------------------------------------------


@given(seed=SEEDS)
@examples(15, deadline=None)
def test_one_regressor_is_a_sorted_count(seed):
    rng = np.random.default_rng(seed)
    x, y, w = rng.normal(size=20), rng.normal(size=20), rng.uniform(0.5, 2.0, 20)
    fit = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), x[:, None], y, weights=w))
    parts = np.sort(w * x * y * np.sign(fit.theta[0]))[::-1]
    size = int(np.argmax(parts.sum() - np.cumsum(parts) <= 0.0)) + 1
    answer = fit.breakdown(0)
    assert (answer.upper, answer.lower, answer.exact) == (size, size, True)


@given(seed=SEEDS, at=st.sampled_from([0.0, 0.5]))
@examples(15, deadline=None)
def test_two_groups_are_two_sorted_lists(seed, at):
    rng = np.random.default_rng(seed)
    group, y = np.arange(16) % 2 * 1.0, rng.standard_t(2.0, 16)
    fit = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), np.column_stack([np.ones(16), group]), y))
    sign = np.sign(fit.theta[1] - at)
    assume(abs(fit.theta[1] - at) > 1e-6)
    up, down = np.sort(sign * y[group == 1])[::-1], np.sort(sign * y[group == 0])
    sizes = [
        j + k for j in range(8) for k in range(8) if up[j:].mean() - down[k:].mean() <= sign * at
    ]  # j of the largest and k of the smallest leave
    answer = fit.breakdown(1, at=at)
    if not sizes:
        assert answer.upper is None
    else:
        assert (answer.upper, answer.lower) == (min(sizes), min(sizes))


@given(seed=SEEDS, loss=st.sampled_from(["logistic", "poisson"]))
@examples(10, deadline=None)
def test_one_regressor_and_an_intercept_have_the_score_of_least_squares_at_0(seed, loss):
    # At 0 the null fit is a constant, so that residuals under the null are y - mean for every canonical loss.
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(14), rng.normal(size=14)])
    y = (rng.random(14) < 0.5) * 1.0 if loss == "logistic" else rng.poisson(2.0, 14) * 1.0
    assume(0 < y.sum() < 14 or loss == "poisson")
    losses = {"logistic": ist.LogisticLoss(), "poisson": ist.PoissonLoss()}
    try:
        fit = ist.Fit.minimise(ist.LinearRisk(losses[loss], x, y))
    except InflustatError:
        assume(False)
    squares = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), x, y))
    counts = squares.breakdown(1, search=False, budget_seconds=0.0).counts
    assert Quick(null_fit(asked_of(fit).problem)).score_count() == counts["score"]


@given(
    seed=SEEDS, protocol=PROTOCOLS, p=st.sampled_from([1, 2, 3]), focal=st.booleans(), clusters=st.booleans()
)
@examples(20, deadline=None)
def test_first_order_is_the_influence_on_the_coefficient(seed, protocol, p, focal, clusters):
    rng = np.random.default_rng(seed)
    X, w = rng.normal(size=(10, p)) * 10.0 ** rng.integers(-2, 3, p), rng.choice([0.0, 0.5, 1.0, 2.0], 10)
    w[:p] = 1.0
    y, held = X.sum(axis=1) + rng.normal(size=10), np.zeros((p, p))
    if focal:  # a penalty on the coefficient in question alone
        held[-1, -1] = 2.0 * X[:, -1] @ X[:, -1]
    risk = ist.LinearRisk(ist.SquaredError(), X, y, weights=w, penalty=ist.Quadratic(held), protocol=protocol)
    fit = ist.Fit.minimise(risk)
    groups = read_groups(np.arange(10) // 2, 10) if clusters else one_by_one(np.arange(10), fit.row_labels)
    found = fit.breakdown(-1, groups=np.arange(10) // 2 if clusters else None, budget_seconds=0.0)
    alone = -np.sign(fit.theta[-1]) * fit.influence().on(np.eye(p)[-1]).removal
    expected = groups.sums(alone)
    size = np.abs(alone).sum() + abs(fit.theta[-1])
    np.testing.assert_allclose(found.effects.first_order, expected, rtol=0, atol=tolerance.TWO_FITS * size)


@given(seed=SEEDS, protocol=PROTOCOLS)
@examples(8, deadline=None)
def test_reach_holds_what_is_attained_and_grows(seed, protocol):
    fit = drawn(seed, "squared", protocol, n=10, p=2)
    one, two = (fit.reach(-1, k=k, budget_seconds=2.0) for k in (1, 2))
    alone = fit.leave_one_out(rows=np.flatnonzero(fit.risk.weights > 0)).theta[:, -1]
    alone = np.append(alone[np.isfinite(alone)], fit.theta[-1])
    assert one.attained == pytest.approx((alone.min(), alone.max()), rel=tolerance.SOLVED)
    for reach in (one, two):
        assert reach.proven[0] <= reach.attained[0] <= fit.theta[-1] <= reach.attained[1] <= reach.proven[1]
    assert two.attained[0] <= one.attained[0] + 1e-12 * abs(one.attained[0])
    assert two.attained[1] >= one.attained[1] - 1e-12 * abs(one.attained[1])


def test_a_reach_goes_on_where_the_largest_effects_together_have_no_refit():
    # Counts with means on a line through 0 at the edge: without row 0, alone or with most others, no minimum.
    x, y = sm.add_constant(np.arange(8.0)), np.array([1.0, 0, 1, 3, 2, 5, 6, 9])
    family = sm.families.Poisson(sm.families.links.Identity())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a link that does not keep means positive
        fit = ist.from_statsmodels(sm.GLM(y, x, family=family).fit(tol=1e-13, maxiter=500))
        both = [sm.GLM(np.delete(y, rows), np.delete(x, rows, axis=0), family=family).fit(tol=1e-13).params[1]
                for rows in ([4], [2, 4])]  # fmt: skip
    one, two = fit.reach("x1", k=1), fit.reach("x1", k=2)
    assert one.attained[1] == pytest.approx(both[0], rel=1e-7)  # the refits of statsmodels, by its steps
    assert two.attained[1] >= both[1] * (1.0 - 1e-7) > one.attained[1]
    assert two.attained[0] < one.attained[0]


def test_units_may_be_given_as_groups_of_single_rows():
    fit = problem(3, "squared", n=9, p=2)
    units = one_by_one(np.arange(9), fit.row_labels)
    alone = read_groups(np.arange(9), 9)
    assert units.members.tolist() == alone.members.tolist()
    single, grouped = fit.breakdown(1), fit.breakdown(1, groups=np.arange(9))
    assert (single.upper, single.lower) == (grouped.upper, grouped.lower)
