"""Factors with many levels, absorbed: tables against sets, sums against null fits, proofs against refits."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import assume, given
from hypothesis import strategies as st

import influstat as ist
from influstat.errors import InflustatError
from influstat.sets.budget import Budget
from influstat.sets.null_fit import null_fit
from influstat.sets.proofs.absorbing import WithoutLevels, climbed_without_levels
from influstat.sets.proofs.factor import absorbed
from influstat.sets.proofs.levels import Levels
from influstat.sets.proofs.leverage_bounds import LeverageBounds
from influstat.sets.proofs.quick import Quick
from influstat.sets.question import coefficient_of, question
from tests.breakdown_cases import flipping
from tests.budget import examples

seeds = st.integers(0, 2**32 - 1)


def drawn(seed, n=13, levels=4, d=1, *, constant=True, weights=False, effect=1.0):
    """Return a fit on a factor, d other columns and the one in question, the last."""
    rng = np.random.default_rng(seed)
    level = np.concatenate([np.arange(levels), rng.integers(0, levels, n - levels)])
    dummies = (level[:, None] == np.arange(levels)) * 1.0
    first = np.column_stack([np.ones(n), dummies[:, 1:]]) if constant else dummies
    x = rng.normal(size=n) + rng.normal(size=levels)[level]
    X = np.column_stack([first, rng.standard_t(3.0, (n, d)), x])
    y = rng.normal(size=levels)[level] + effect * x + rng.standard_t(3.0, n)
    w = rng.choice([0.0, 0.5, 1.0, 3.0], n, p=[0.1, 0.2, 0.5, 0.2]) if weights else np.ones(n)
    try:
        return ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, y, weights=w))
    except InflustatError:
        return assume(False)


def asked(fit, at=0.0):
    return question(fit, *coefficient_of(fit, -1), at=at).problem


def all_sets(units, most):
    for k in range(1, most + 1):
        yield from (list(chosen) for chosen in combinations(units, k))


@pytest.mark.slow
@examples(8)
@given(seed=seeds, constant=st.booleans(), weights=st.booleans(), held=st.booleans())
def test_sums_of_levels_are_null_fits_and_below_their_tables(seed, constant, weights, held):
    fit = drawn(seed, n=11, constant=constant, weights=weights)
    problem, n = asked(fit), 11
    stays = np.isin(np.arange(n), [0, 5]) & held
    found = absorbed(null_fit(problem, held=stays))
    assume(found is not None)
    null, k = found.null, 3
    without = WithoutLevels(found, LeverageBounds(null), k)
    bounds = {
        name: without.levels.over_all(without.levels.largest(one.rows) + one.more)
        for name, one in {
            "f": without.f, "A": without.trace, "C": without.C, "B": without.B, "r2h": without.r2h,
            "x2": without.x2,
        }.items()
    }  # fmt: skip
    joint = without._exact(0.7)
    size = np.abs(null.f).sum() + null.N0
    for chosen in all_sets(np.flatnonzero(null.open), k):
        h, z, xi, r = null.h[chosen], null.z[chosen], null.xi[chosen], null.r[chosen]
        f, A, C, B = xi @ r, (z * h[:, None]).T @ z, z.T @ r, z.T @ (h * xi)
        r2h, x2 = np.sum(r**2 / h), h @ xi**2
        for c in np.unique(found.level[chosen]):
            one = found.level[chosen] == c
            rest = found.held[c] - h[one].sum()
            if c < 0 or rest <= 1e-12:
                continue
            sz, sr, sx = h[one] @ z[one], r[one].sum(), (h * xi)[one].sum()
            f, A, C, B = (
                f + sx * sr / rest,
                A + np.outer(sz, sz) / rest,
                C + sz * sr / rest,
                B + sx * sz / rest,
            )
            r2h, x2 = r2h + sr**2 / rest, x2 + sx**2 / rest
        top = np.linalg.eigvalsh(A)[-1]
        lengths = {"f": f, "A": top, "C": np.linalg.norm(C), "B": np.linalg.norm(B), "r2h": r2h, "x2": x2}
        for name, value in lengths.items():
            assert value <= bounds[name] + 1e-9 * size, name
        assert f + 0.7 * lengths["B"] <= joint + 1e-9 * size
        assert top <= without._lam(without.f, -np.inf) + 1e-9
        if top < 0.99:
            N = null.N0 - f - B @ np.linalg.solve(np.eye(len(C)) - A, C)
            gone = np.isin(np.arange(n), chosen)
            try:
                again = null_fit(problem, removed=gone).N0
            except InflustatError:
                continue  # a level is gone
            assert abs(N - again) <= 1e-7 * size / (1.0 - top) ** 2


@examples(60)
@given(
    seed=seeds, constant=st.booleans(), weights=st.booleans(), d=st.integers(0, 2), far=st.floats(0.2, 3.0)
)
def test_no_set_is_below_what_is_proven(seed, constant, weights, d, far):
    fit = drawn(seed, constant=constant, weights=weights, d=d)
    a = np.eye(len(fit.theta))[-1]
    at = float(fit.theta[-1] * (1.0 - far))
    null = null_fit(asked(fit, at))
    found = absorbed(null)
    assume(found is not None)
    proven = [k for k in (1, 2, 3) if WithoutLevels(found, LeverageBounds(found.null), k).proven()]
    units = [np.array([i]) for i in range(13)]
    beaten = flipping(fit, a, at, units, max(proven, default=0))
    assert [chosen for chosen in beaten if all(fit.risk.weights[list(chosen)] > 0.0)] == []


@pytest.mark.slow
@pytest.mark.parametrize("change", ["levels", "leverages"])
def test_the_law_sees_what_is_left_out(change, monkeypatch):
    plain = WithoutLevels.__init__

    def wrong(self, *arguments):
        plain(self, *arguments)
        if change == "levels":
            for name in ("f", "C", "B"):
                one = getattr(self, name)
                setattr(self, name, replace(one, more=0.0 * one.more))
            self.levels.left = np.full_like(self.levels.left, np.inf)
        else:
            self.trace = replace(self.trace, rows=0.1 * self.trace.rows, more=0.1 * self.trace.more)
            self.B = replace(self.B, rows=0.2 * self.B.rows, more=0.2 * self.B.more)

    monkeypatch.setattr(WithoutLevels, "__init__", wrong)
    beaten = 0
    for seed in range(40):
        fit = drawn(seed, d=2)
        at = 0.4 * float(fit.theta[-1])
        found = absorbed(null_fit(asked(fit, at)))
        proven = [k for k in (1, 2) if WithoutLevels(found, LeverageBounds(found.null), k).proven()]
        units = [np.array([i]) for i in range(13)]
        beaten += bool(flipping(fit, np.eye(len(fit.theta))[-1], at, units, max(proven, default=0)))
    assert beaten


@examples(30)
@given(seed=seeds, k=st.integers(1, 4))
def test_tables_are_above_all_sets(seed, k):
    rng = np.random.default_rng(seed)
    level, h = rng.integers(-1, 3, 9), rng.uniform(0.5, 2.0, 9)
    held = np.bincount(level[level >= 0], h[level >= 0], 3) + np.array([0.0, 0.3, 0.0])
    levels = Levels(level, h, held, np.array([True, False, True]), k)
    values, first, second = rng.normal(size=(3, 9))
    joint, apart = levels.joint(values, first, second), levels.products(first, second)
    tables = levels.over_all(joint), levels.over_all(levels.largest(values) + apart)
    top = -np.inf
    for chosen in all_sets(range(9), k):
        total = values[chosen].sum()
        for c in range(3):
            one = [i for i in chosen if level[i] == c]
            rest = held[c] - h[one].sum()
            if one and rest > 1e-9:
                total += first[one].sum() * second[one].sum() / rest
        top = max(top, total)
    assert top <= min(tables) + 1e-12


def test_many_levels_are_absorbed():
    fit = drawn(0, 400, 40, 2, effect=0.4)
    null = null_fit(asked(fit))
    assert Quick(null).largest() < 10  # all rows of a level are in its way
    assert max(climbed_without_levels(null, 0, 60, Budget(20.0))) > 14


@pytest.mark.slow
def test_a_breakdown_absorbs_its_factor():
    fit = drawn(0, 500, 50, 3, effect=0.4)
    answer = fit.breakdown(-1, budget_seconds=0.8)
    assert answer.proof in ("absorbed factor", "branch and bound")
    assert 14 < answer.lower <= answer.upper


@pytest.mark.parametrize(
    "change", ["penalty", "clusters", "counts", "few levels", "levels that overlap", "in the question"]
)
def test_other_fits_have_no_factor(change):
    fit = drawn(1, 60, 6, 1)
    X, y = fit.risk.design.rows(slice(None)), fit.risk.y
    loss, penalty, groups, coefficient = ist.SquaredError(), None, None, -1
    if change == "penalty":
        penalty = ist.L2(0.1)
    elif change == "clusters":
        groups = np.arange(60) // 2
    elif change == "counts":
        loss, y = ist.PoissonLoss(), np.round(np.exp(0.3 * y))
    elif change == "few levels":
        X = X[:, [0, 1, 2, 6, 7]]
    elif change == "levels that overlap":
        X = X.copy()
        X[:, 1:6] = np.random.default_rng(0).random((60, 5)) < 0.5
    else:
        coefficient = np.append(0.0, np.arange(1.0, 8.0))
    settings = {} if penalty is None else {"penalty": penalty}
    other = ist.Fit.minimise(ist.LinearRisk(loss, X, y, **settings))
    problem = question(other, *coefficient_of(other, coefficient), groups=groups).problem
    assert absorbed(null_fit(problem)) is None


def slope_left(data, gone):
    """Return the slope of x among the rows left, levels demeaned: dummies of what is gone have no part."""
    left = data[~data["g"].isin(gone)]
    x, y = (left[name] - left.groupby("g")[name].transform("mean") for name in ("x", "y"))
    return float(x @ y / (x @ x))


@pytest.mark.dear(11)
@pytest.mark.parametrize("seed", range(12))
def test_clusters_that_are_the_levels_are_found_as_any_others(seed):
    # A cluster that leaves takes the rows of its own dummy along: the slope of x does not feel that.
    rng = np.random.default_rng(seed)
    levels = list("abcdef")
    data = pd.DataFrame({"g": rng.permutation(levels * 3), "x": rng.normal(size=18)})
    data["y"] = 0.1 * data["x"] + rng.normal(size=18)
    fit = ist.from_statsmodels(smf.ols("y ~ x + C(g)", data).fit())
    found = fit.breakdown("x", groups="g", budget_seconds=2.0)
    sign = np.sign(slope_left(data, []))
    sets = [c for k in range(1, 6) for c in combinations(levels, k) if sign * slope_left(data, c) <= 0.0]
    assert found.upper == (len(sets[0]) if sets else None)
    assert found.lower <= (len(sets[0]) if sets else 6)
    if found.upper:
        assert found.value_without == pytest.approx(slope_left(data, found.removed), abs=1e-12)
