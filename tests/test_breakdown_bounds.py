"""The bounds that proofs of breakdowns are made of, each against what it bounds."""

from itertools import combinations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

import influstat as ist
from influstat.algebra.rounding import unit_rounding
from influstat.sets.null_fit import null_fit
from influstat.sets.proofs.ball import radii, radius_of
from influstat.sets.proofs.candidates import KEPT, MORE, Candidates
from influstat.sets.proofs.envelope import Demand, Envelope, Place
from influstat.sets.proofs.leverage_bounds import LeverageBounds, quartic, vectors
from influstat.sets.proofs.quick import Quick
from influstat.sets.proofs.remainder import Remainder, gamma
from influstat.sets.proofs.sums import (
    MANY,
    SAMPLED,
    Top,
    fewest,
    kth_largest,
    largest_places,
    largest_sum,
)
from influstat.sets.question import coefficient_of, question
from influstat.sets.search.without import Downdates
from tests.breakdown_cases import problem
from tests.budget import examples
from tests.tolerance import CLOSED_FORM

SEEDS = st.integers(0, 10**6)


def top(values, k):
    return np.sort(np.maximum(values, 0.0))[-k:].sum()


def null_of(fit):
    name, a = coefficient_of(fit, -1)
    return null_fit(question(fit, name, a).problem)


@given(seed=SEEDS, k=st.integers(1, 4))
@examples(40, deadline=None)
def test_conditioned_sums_bound_every_set_that_counts(seed, k):
    rng = np.random.default_rng(seed)
    values, given_, least = rng.exponential(size=8), rng.normal(size=8), rng.exponential()
    sums = [
        values[list(chosen)].sum()
        for size in range(k + 1)
        for chosen in combinations(range(8), size)
        if given_[list(chosen)].sum() >= least
    ]
    bound = Top(values, k).among(given_, least)
    assert bound >= max(sums, default=0.0)
    assert bound <= largest_sum(values, k)
    assert largest_sum(values, k) >= top(values, k)


ORDERS = {
    "any": lambda values: values,
    "sorted": np.sort,
    # the sample of every so many values sees only the largest, or none of them
    "largest where the sample looks": lambda values: np.sort(values)[::-1].reshape(-1, SAMPLED).T.ravel(),
    "largest beside the sample": lambda values: np.sort(values).reshape(-1, SAMPLED).T.ravel(),
    "ties": np.round,
    "all alike": np.ones_like,
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("k", [1, 30, 700, 7000, 2 * MANY])
def test_selections_of_many_values_agree_with_sorting(order, k):
    values = ORDERS[order](np.random.default_rng(0).normal(size=2 * MANY))
    ordered = np.sort(values)[::-1]
    positive = np.cumsum(np.maximum(ordered, 0.0))
    rounding = 4.0 * unit_rounding(k)  # sums in another order
    assert largest_sum(values, k) == pytest.approx(positive[k - 1], rel=rounding)
    assert values[largest_places(values, k)].sum() == pytest.approx(positive[k - 1], rel=rounding)
    if k < len(values):
        assert kth_largest(values, k) == ordered[k - 1]
    for part in (0.999, 1.0 - 1e-9, 1.001):
        need = part * positive[k - 1]
        first = int(np.searchsorted(np.cumsum(ordered[ordered > 0.0]), need)) + 1
        assert fewest(values, need) == (
            first if first <= min((ordered > 0.0).sum(), len(values) - 1) else None
        )


@given(seed=SEEDS, k=st.integers(1, 12), mix=st.lists(st.floats(0.0, 3.0), min_size=6, max_size=6))
@examples(40, deadline=None)
def test_candidates_bound_every_mixture(seed, k, mix):
    rng = np.random.default_rng(seed)
    m = 20 * (KEPT * 12 + MORE)
    arrays = [rng.normal(size=m), *rng.exponential(size=(5, m))]
    units = Candidates(*arrays)
    near = units.of(k)
    assert len(near.f) < m
    mixed = [factor * array for factor, array in zip(mix, arrays, strict=True)]
    fields = [near.f, near.B, near.C, near.lev, near.r2h, near.x2]
    reduced = [factor * array for factor, array in zip(mix, fields, strict=True)]
    assert largest_sum(np.sum(reduced, axis=0), k) >= top(np.sum(mixed, axis=0), k)


@given(seed=SEEDS, d=st.integers(1, 2), k=st.integers(1, 8), moves=st.booleans())
@examples(30, deadline=None)
def test_the_envelope_lies_above_what_units_take(seed, d, k, moves):
    rng = np.random.default_rng(seed)
    m = 400
    f, B, C = rng.normal(size=m), 0.02 * rng.normal(size=(m, d)), 0.02 * rng.normal(size=(m, d))
    B *= 10.0 ** rng.uniform(-1.0, 1.0, d)  # of different lengths along the axes
    envelope = Envelope(f, B, C, -np.sort(-f))
    if moves:
        envelope.trials = 0  # what is proven then beyond the first tries is by moved means and spreads
    settings = {"lam": 0.2, "radius": 1.0, "curved": 0.0, "bend": 0.0, "cross": 0.0, "slack": 0.0}
    first = top(f, k)
    needs = first * np.geomspace(1.0, 100.0, 60)
    least = next(need for need in needs if envelope.proves(k, Demand(need=need, **settings)))
    t = envelope.balance * np.exp(envelope.place.t)  # of that proof
    axis = np.linspace(-3.0, 3.0, 25)
    for b in np.stack(np.meshgrid(*[axis] * d), axis=-1).reshape(-1, d):
        assert top(f - (t * B + C / t) @ b, k) < least + 0.8 * b @ b


@pytest.mark.parametrize("groups", [None, np.arange(10) // 2])
@given(seed=SEEDS, protocol=st.sampled_from(["fixed", "folded"]))
@examples(15, deadline=None)
def test_leverages_of_sets_are_bounded(groups, seed, protocol):
    fit = problem(seed, "squared", protocol=protocol, strength=1.0, n=10, p=4)
    name, a = coefficient_of(fit, -1)
    null = null_fit(question(fit, name, a, groups=groups).problem)
    bounds = LeverageBounds(null)
    for k in (1, 2, 3):
        largest = 0.0
        for chosen in combinations(range(len(null.units)), k):
            rows = null.units.take(np.array(chosen)).members
            A = (null.z[rows] * null.h[rows, None]).T @ null.z[rows] + null.share[rows].sum() * null.penalty
            largest = max(largest, np.linalg.eigvalsh(A)[-1])
        assert largest <= bounds.rounded(bounds.other(k), k)
        assert largest <= bounds.rounded(largest_sum(bounds.lev, k), k)


@given(seed=SEEDS, d=st.integers(2, 4))
@examples(20, deadline=None)
def test_the_fourth_moment_is_bounded(seed, d):
    rng = np.random.default_rng(seed)
    z, directions = rng.normal(size=(20, d)), rng.normal(size=(200, d))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    moments = ((z @ directions.T) ** 4).sum(axis=0)
    bound, t = quartic([vectors(z[:12]), vectors(z[12:])], d)
    other, _ = quartic([vectors(z)], d, 0.5 * t)  # any t proves it
    assert moments.max() <= other
    assert bound <= other * (1.0 + 1e-9)
    assert moments.max() <= bound <= (np.linalg.norm(z, axis=1) ** 4).sum() * (1.0 + 1e-9)


@pytest.mark.parametrize("loss", ["logistic", "poisson"])
@given(seed=SEEDS, protocol=st.sampled_from(["fixed", "folded"]))
@examples(10, deadline=None)
def test_the_null_fit_without_a_row_is_within_the_ball(loss, seed, protocol):
    fit = problem(seed, loss, protocol=protocol, strength=1.0, n=14, p=3)
    null = null_of(fit)
    quick = Quick(null)
    bounds = [ball for _, ball in quick.rounds(1) if ball is not None][:1]  # before any conditioning
    for row in np.flatnonzero(null.open):
        removed = np.arange(14) == row
        again = null_fit(null.problem, removed=removed)
        g = np.linalg.lstsq(null.basis.T, again.theta - null.theta, rcond=None)[0]
        found = Downdates(null).without(removed)
        assert pytest.approx(again.N0, rel=1e-5, abs=1e-7 * np.abs(null.f).sum()) == found.N
        for ball in bounds:
            assert np.linalg.norm(g) <= ball.radius
            second = again.N0 - (null.N0 - null.f[row])
            assert abs(second) <= ball.radius * np.linalg.norm(null.turns[row]) + ball.remainder + null.margin
            bent = second - null.turns[row] @ g  # what the losses bend, and nothing else
            assert abs(bent) <= ball.remainder + null.margin + 1e-7 * np.abs(null.f).sum()


def test_gamma_is_bounded_from_above_and_tight():
    x = np.array([0.0, 1e-9, 1e-3, 9.99e-3, 1.01e-2, 0.1, 1.0, 10.0])
    exact = [float(sum(np.longdouble(v) ** j / factorial(j + 2) for j in range(60))) for v in x]
    assert (gamma(x) >= exact).all()
    assert np.allclose(gamma(x), exact, rtol=1e-5, atol=0)  # the series is cut off at x^2
    assert gamma(np.array(1e4)) == np.inf


def factorial(n):
    return float(np.prod(np.arange(1, n + 1, dtype=float)))


def test_nothing_is_left_of_squared_error():
    null = null_of(problem(0, "squared", n=9, p=3))
    left = Remainder(null)
    assert (left.rest(1.0), left.bend(1.0), left.curved(1.0)) == (0.0, 0.0, 0.0)


@pytest.mark.slow
def test_curvature_that_rounds_below_zero_is_none():
    """At a null fit far out the mean of a row may be 1e-30, and y - (y - mean) rounds below 0."""
    rng = np.random.default_rng(2)
    X, hours = np.column_stack([np.ones(40), rng.normal(size=(40, 2))]), rng.uniform(1, 40, 40)
    y = rng.poisson(hours * np.exp(-1 + 0.4 * X[:, 1]))
    results = sm.GLM(y, X, family=sm.families.Poisson(), exposure=hours).fit()
    found = ist.from_statsmodels(results).reach(1, k=2, budget_seconds=2.0)  # without a warning of NumPy's
    assert found.proven[0] <= found.attained[0] <= found.attained[1] <= found.proven[1]


def test_a_side_to_which_no_unit_moves_a_coefficient_has_no_set():
    x = np.tile([1.0, 2.0, -1.0, -2.0], 4)
    X = np.column_stack([x, np.ones(16), np.tile([1.0, -1.0, 2.0, -2.0, 0.5, 0.3, 1.0, -3.0], 2)])
    found = ist.Logistic(lam=2.0, protocol="fixed").fit(X, (x > 0) * 1.0).reach(0, k=2, budget_seconds=2.0)
    assert len(found.positions[1]) == 0
    assert found.attained[1] == found.value


@pytest.mark.parametrize("bend", [0.0, 0.3, 4.0, np.inf])
def test_radii_together_are_those_one_by_one(bend):
    pairs = [(C, lam) for C in (1e-6, 0.1, 0.7, 3.0) for lam in (0.0, 1e-9, 0.2, 0.9, 0.999)]
    C, lam = np.array(pairs).T
    together = radii(C, lam, bend)
    for found, pair in zip(together, pairs, strict=True):
        alone = radius_of(*pair, bend)
        assert found == pytest.approx(np.inf if alone is None else alone, rel=1e-8, abs=1e-12)  # ENLARGED
    assert np.isinf(radii(C, np.ones_like(lam), bend)).all()
    if np.isfinite(bend):
        assert (radii(np.zeros_like(lam), lam, bend) <= 1e-12).all()  # nothing pulls


def test_what_bends_within_a_radius_is_not_that_of_a_larger_one():
    # One remote row may move far alone, and e^(|z| r) is then no bound on what others do.
    rng = np.random.default_rng(0)
    X = np.column_stack([np.ones(300), rng.normal(size=(300, 3))])
    X[0, 1:3] = 25.0, -20.0
    y = (rng.random(300) < 1.0 / (1.0 + np.exp(-X[:, 3]))) * 1.0
    quick = Quick(null_of(ist.Fit.minimise(ist.LinearRisk(ist.LogisticLoss(), X, y))))
    radius = np.array([0.0, 1e-9, 0.01, 0.45, 0.6, 0.9, np.inf])
    curved = quick._curved_within(radius)
    for k in range(1, 6):
        assert curved[k] >= quick.remainder.curved(radius[k])
        assert curved[k] <= quick.remainder.curved(2.0 * max(radius[k], 1e-4))
    assert (curved[[0, 6]] == 0.0).all()  # nothing, and what is in doubt anyway
    assert curved[5] > 1.5 * curved[2]


@pytest.mark.parametrize("d", [2, 3])
def test_what_was_best_in_as_many_directions_alone_is_a_start(d):
    """Without a cluster a level may be another one's own, so that there are fewer directions."""
    rng = np.random.default_rng(0)
    f = np.sort(rng.normal(size=9))[::-1]
    place = Place(0.0, 0.0, np.eye(2), np.zeros(2))
    envelope = Envelope(f, rng.normal(size=(9, d)), rng.normal(size=(9, d)), f, place)
    assert (envelope.place is place) == (d == 2)
    demand = Demand(need=0.0, lam=0.1, radius=0.1, curved=0.0, bend=0.0, cross=0.0, slack=0.0)
    assert not envelope.proves_again(2, demand)  # the largest f are above 0


def test_the_fewest_are_found_where_a_sample_sees_none_of_the_large_ones():
    values = np.linspace(0.01, 0.02, 2 * MANY)
    step = len(values) // SAMPLED
    values[1::step] = 10.0  # beside each that is sampled
    assert fewest(values, 25.0) == 3


def test_bounds_over_sets_of_some_units_prove_no_more_than_so_many(monkeypatch):
    rng = np.random.default_rng(3)
    X = np.column_stack([np.ones(80), rng.normal(size=(80, 3))])
    y = 0.5 * X[:, -1] + rng.normal(size=80)
    quick = Quick(null_of(ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, y))))
    proven = quick.largest()
    assert quick.beyond is not None
    assert quick.beyond[0] > proven
    quick.envelope.proof = quick.envelope.place
    monkeypatch.setattr(quick.envelope, "proves_again", lambda k, demand: True)
    assert quick._also_proven(0, 81) == quick.beyond[0]


def test_what_was_enough_for_few_units_is_not_taken_for_many():
    rng = np.random.default_rng(0)
    X = np.column_stack([np.ones(3000), rng.normal(size=(3000, 3))])
    y = 0.5 * X[:, -1] + rng.standard_t(3.0, 3000)
    null = null_of(ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, y)))
    asked = Quick(null)
    for k in (1, 200, 3):
        assert asked.farthest(k) == pytest.approx(Quick(null).farthest(k), rel=CLOSED_FORM)
