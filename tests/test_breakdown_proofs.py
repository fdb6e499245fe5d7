"""Cones, branch and bound, significance: numbers of well-known data, no small set below what is proven."""

from itertools import combinations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import influstat as ist
from influstat.input.groups import one_by_one, read_groups
from influstat.sets.budget import Budget
from influstat.sets.cones.cover import Cover
from influstat.sets.cones.significant import Significant
from influstat.sets.cones.slopes import Slopes
from influstat.sets.null_fit import null_fit
from influstat.sets.proofs.leverage_bounds import LeverageBounds
from influstat.sets.proofs.quick import Quick
from influstat.sets.proofs.rows import branch_and_bound
from influstat.sets.question import coefficient_of, question
from influstat.sets.significance.model_based import Lose, Oppose
from influstat.sets.significance.robust import RobustLose, RobustReference
from influstat.sets.significance.robust_against import RobustOppose
from influstat.sets.significance.squares import Reference
from influstat.statistics.inference_of_fragility import POWERS
from tests.breakdown_cases import flipping, problem
from tests.budget import examples, share

FOREVER = Budget(np.inf)
seeds = st.integers(0, 2**32 - 1)


def statecrime():
    data = sm.datasets.statecrime.load_pandas().data
    return data["murder"], data[["urban", "poverty", "hs_grad", "single"]]


def stackloss():
    data = sm.datasets.stackloss.load_pandas().data
    return data.iloc[:, 0], data.iloc[:, 1:]


def ccard():
    data = sm.datasets.ccard.load_pandas().data
    return data["AVGEXP"], data[["AGE", "INCOME", "OWNRENT"]]


def copper():
    data = sm.datasets.copper.load_pandas().data
    return data.iloc[:, 0], data.iloc[:, 1:]


def longley():
    data = sm.datasets.longley.load_pandas().data
    return data["TOTEMP"], data.iloc[:, 1:]


def engel():
    data = sm.datasets.engel.load_pandas().data
    return data["foodexp"], data["income"]


def fitted(data):
    y, X = data()
    return ist.from_statsmodels(sm.OLS(y, sm.add_constant(X)).fit())


def asked(fit, coefficient, units=None, at=0.0):
    found = question(fit, *coefficient_of(fit, coefficient), at=at)
    return found.problem if units is None else _with_units(found.problem, units)


def _with_units(problem, units):
    return type(problem)(problem.risk, problem.theta, problem.a, problem.at, units)


def covered(null, k):
    return Cover(Slopes.at(null), k).proven(FOREVER).proven


# -- known numbers --------------------------------------------------------------------------------------

SIGNS = [
    (engel, "income", 167), (statecrime, "single", 11), (statecrime, "poverty", 8),
    (statecrime, "hs_grad", 1), (stackloss, 1, 10), (stackloss, 2, 6), (stackloss, 3, 3),
    (ccard, "INCOME", 16), (ccard, "OWNRENT", 2),
]  # fmt: skip


@pytest.mark.dear
@pytest.mark.parametrize(("data", "coefficient", "least"), SIGNS)
def test_cones_prove_signs_up_to_the_exact_number(data, coefficient, least):
    null = null_fit(asked(fitted(data), coefficient))
    assert covered(null, least - 1) is (True if least > 1 else covered(null, 0))
    assert covered(null, least) is not True  # so many rows do flip it


ROWS = [(stackloss, 3, 3), (stackloss, 2, 6), (longley, "GNP", 3), (longley, "UNEMP", 5), (copper, 1, 3)]


@pytest.mark.dear
@pytest.mark.parametrize(("data", "coefficient", "least"), ROWS)
def test_branch_and_bound_is_exact(data, coefficient, least):
    fit = fitted(data)
    found = asked(fit, coefficient)
    assert branch_and_bound(found, least - 1, FOREVER).flips is False
    one = branch_and_bound(found, least, FOREVER)
    assert one.flips is True
    assert len(one.removed) <= least
    after = fit.leave_groups_out([one.removed.tolist()]).theta[0]
    assert np.sign(after @ coefficient_of(fit, coefficient)[1]) != np.sign(
        fit.theta @ coefficient_of(fit, coefficient)[1]
    )


def test_branch_and_bound_of_a_logistic_fit():
    data = sm.datasets.spector.load_pandas().data
    X = sm.add_constant(data[["GPA", "TUCE", "PSI"]])
    fit = ist.from_statsmodels(sm.Logit(data["GRADE"], X).fit(disp=0))
    found = asked(fit, "TUCE")
    assert branch_and_bound(found, 1, FOREVER).flips is False
    assert branch_and_bound(found, 2, FOREVER).flips is True
    assert branch_and_bound(asked(fit, "PSI"), 2, FOREVER).flips is False


def test_losses_that_bend_are_branched_by_what_pulls_the_null_fit():
    data = sm.datasets.fair.load_pandas().data.iloc[::40]
    X = np.column_stack([np.ones(len(data)), data[["age", "yrs_married", "religious", "rate_marriage"]]])
    y = (data["affairs"] > 0).to_numpy(dtype=float)
    fit = ist.Fit.minimise(ist.LinearRisk(ist.LogisticLoss(), X, y))
    answer = branch_and_bound(asked(fit, 4), 4, FOREVER)
    assert answer.flips is False
    assert answer.nodes < 20  # 417 in the order of f


def test_cones_of_arrays_agree_with_sorting():
    # One regressor and no nuisance: the k largest x y are the worst that can leave.
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=60), rng.normal(size=60)
    y += 0.4 * x
    largest = -np.sort(-np.maximum(x * y, 0.0))
    least = int(np.searchsorted(np.cumsum(largest), np.sum(x * y))) + 1
    rows = Slopes.of(x, np.empty((60, 0)), y, np.ones(60))
    assert [bool(Cover(rows, k).proven(FOREVER).proven) for k in (least - 1, least)] == [True, False]


def test_fractional_flips_are_said():
    null = null_fit(asked(fitted(stackloss), 1))
    found = Cover(Slopes.at(null), 14).proven(FOREVER)
    assert found.proven is False
    assert 0 < len(found.start) <= 14


def test_no_time_is_no_proof():
    found = asked(fitted(statecrime), "single")
    assert Cover(Slopes.at(null_fit(found)), 10).proven(Budget(0.0)).proven is None
    assert branch_and_bound(found, 10, Budget(0.0)).flips is None


SIGNIFICANCE = [
    (stackloss, 1, 5, False), (stackloss, 2, 2, False), (statecrime, "hs_grad", 1, False),
    (ccard, "INCOME", 7, False), (ccard, "OWNRENT", 2, False), (copper, 2, 4, False), (copper, 4, 3, False),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "coefficient", "least", "other"),
    [*SIGNIFICANCE, (statecrime, "single", 6, False), (ccard, "AGE", 4, False), (copper, 1, 5, False)],
)
def test_significance_is_exact(data, coefficient, least, other):
    fit = fitted(data)
    found = fit.inference().breakdown(coefficient, reversed=other, budget_seconds=120.0)
    assert (found.lower, found.upper, found.exact) == (least, least, True)
    y, X = data()
    keep = np.setdiff1d(np.arange(len(y)), found.positions)
    p = sm.OLS(y.iloc[keep], sm.add_constant(X).iloc[keep]).fit().pvalues
    p_before = sm.OLS(y, sm.add_constant(X)).fit().pvalues
    place = fit.names.index(coefficient) if isinstance(coefficient, str) else coefficient
    assert (p.iloc[place] < 0.05) != (p_before.iloc[place] < 0.05)


@pytest.mark.parametrize(("kind", "least"), [("HC0", 1), ("HC1", 1)])
def test_robust_significance_is_bracketed(kind, least):
    found = fitted(statecrime).inference(kind).breakdown("single", budget_seconds=0.15)
    assert found.lower > least
    assert found.lower <= found.upper <= 6


def test_what_is_not_proven_says_so():
    inference = fitted(statecrime).inference("HC4")
    found = inference.breakdown("single", search=False)
    assert (found.lower, found.proof) == (1, "none")
    assert "HC4" in found.limit
    assert inference.breakdown("single").upper == 1  # the order of first-order effects has 23


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["HC0", "HC1", "HC2", "HC3"])
def test_robust_reversal_is_bracketed(kind):
    found = fitted(statecrime).inference(kind).breakdown("single", reversed=True, budget_seconds=0.6)
    assert 1 < found.lower <= found.upper


def test_clusters_are_named_by_their_own_labels():
    table = sm.datasets.grunfeld.load_pandas().data
    fit = ist.from_statsmodels(sm.OLS.from_formula("invest ~ value + capital", table).fit())
    named = fit.inference("cluster", groups="firm").breakdown("capital", budget_seconds=1.0)
    codes = np.unique(table["firm"])
    assert named.units == "clusters"
    assert list(named.removed) == codes[named.positions].tolist()
    assert all(isinstance(one, str) for one in named.removed)
    kept = ~table["firm"].isin(named.removed)
    again = sm.OLS.from_formula("invest ~ value + capital", table[kept]).fit(
        cov_type="cluster", cov_kwds={"groups": table["firm"][kept]}, use_t=True
    )
    low = again.conf_int().loc["capital"]
    assert low[0] <= 0.0 <= low[1]


def test_ties_are_not_proven():
    # Without the last row the slope is 0 up to rounding: y is made orthogonal to what the others leave of x.
    rng = np.random.default_rng(8)
    for _ in range(share(12, 6)):
        X = np.column_stack([np.ones(12), rng.normal(size=(12, 2)) * 10.0 ** rng.integers(-3, 4)])
        y = rng.normal(size=12)
        Q = np.linalg.qr(X[:11])[0]
        y[:11] -= Q[:, 2] * (Q[:, 2] @ y[:11])
        y[11] = 5.0 * X[11] @ [1.0, 0.5, 1.0] / np.abs(X[11]).max()
        found = asked(ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, y)), 2)
        assert covered(null_fit(found), 1) is not True
        assert branch_and_bound(found, 1, FOREVER).flips is not False


def test_the_path_ends_at_refits():
    fit = fitted(ccard)
    found = fit.inference().breakdown("OWNRENT")
    path = found.path()
    assert path["refit"].iloc[0] == found.value
    without = fit.inference().leave_one_out(rows=found.effects.first_order.argsort()[-1:])
    upper_or_lower = without.upper if "upper" in found.question else without.lower
    place = fit.names.index("OWNRENT")
    assert path["refit"].iloc[1] == pytest.approx(found.value + upper_or_lower[0, place], rel=1e-9)
    assert list(path["stands"]) == [k < found.lower for k in path.index]


# -- no small set is below ------------------------------------------------------------------------------


@examples(40, full=2000)
@given(
    seed=seeds,
    loss=st.sampled_from(["squared", "logistic", "poisson"]),
    protocol=st.sampled_from(["fixed", "folded"]),
    strength=st.sampled_from([0.0, 0.3, 3.0]),
    weights=st.booleans(),
    offset=st.booleans(),
    clusters=st.booleans(),
)
def test_no_set_is_below_what_is_proven(seed, loss, protocol, strength, weights, offset, clusters):
    if loss != "squared" and strength == 0.0:
        strength = 0.3  # so few rows are separated too easily
    fit = problem(seed, loss, protocol=protocol, strength=strength, weights=weights, offset=offset, n=9, p=3)
    groups = read_groups(np.arange(9) // 2, 9) if clusters else one_by_one(np.arange(9), np.arange(9))
    found = asked(fit, 2, groups)
    flips = flipping(fit, coefficient_of(fit, 2)[1], 0.0, [groups[k] for k in range(len(groups))], 2)
    try:
        null = null_fit(found)
    except ist.errors.InflustatError:
        return
    for k in (1, 2):
        smaller = [one for one in flips if len(one) <= k]
        answer = branch_and_bound(found, k, FOREVER)
        assert not (answer.flips is False and smaller)
        if answer.flips:
            assert smaller
            assert tuple(answer.removed) in flips
        if loss == "squared":
            assert not (covered(null, k) and smaller)


def t_value(X, y, w, j, kind, owner):
    """Return the t value of a coefficient and the degrees of freedom of the rows of weight above 0."""
    X, y, w, owner = (values[w > 0] for values in (X, y, w, owner))
    n, p = X.shape
    inverse = np.linalg.inv((X * w[:, None]).T @ X)
    theta = inverse @ (X * w[:, None]).T @ y
    e = y - X @ theta
    if kind == "model":
        return theta[j] / np.sqrt(w @ e**2 / (n - p) * inverse[j, j]), n - p
    left = 1.0 - w * np.einsum("ij,jk,ik->i", X, inverse, X)
    if kind in POWERS:
        e = e / left ** POWERS[kind]
    scores = (w * e)[:, None] * X
    groups = len(np.unique(owner))
    if kind == "cluster":
        scores = np.array([scores[owner == one].sum(axis=0) for one in np.unique(owner)])
        factor = groups / (groups - 1.0) * (n - 1.0) / (n - p)
    else:
        factor = n / (n - p) if kind == "HC1" else 1.0
    se = np.sqrt(factor * (inverse @ scores.T @ scores @ inverse)[j, j])
    return theta[j] / se, groups - 1 if kind == "cluster" else n - p


def quantile(freedom):
    return float(stats.t.ppf(0.9, freedom))


@examples(40, full=2000)
@given(
    seed=seeds,
    kind=st.sampled_from(["model", "HC0", "HC1", "HC2", "HC3", "cluster"]),
    effect=st.sampled_from([0.0, 0.5, 2.0, 8.0]),
    heavy=st.booleans(),
)
def test_no_set_changes_significance_below_what_is_proven(seed, kind, effect, heavy):
    rng = np.random.default_rng(seed)
    n = 16 if kind == "cluster" else 10
    X = np.column_stack([np.ones(n), rng.standard_t(2.0, (n, 2)) if heavy else rng.normal(size=(n, 2))])
    y = effect * X[:, 2] + (rng.standard_t(2.0, n) if heavy else rng.normal(size=n))
    w = rng.choice([0.5, 1.0, 2.0], n)
    fit = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, y, weights=w))
    owner = np.arange(n) // 2 if kind == "cluster" else np.arange(n)
    units = read_groups(owner, n)
    found = asked(fit, 2, units)
    sign = np.sign(fit.theta[2])
    t, freedom = t_value(X, y, w, 2, kind, owner)
    significant = abs(t) > quantile(freedom)
    conclusions = {}
    if kind == "model":
        reference = Reference(quantile, 3.0)
        if significant:
            conclusions["lose"] = Lose(reference)
        else:
            conclusions["gain"] = Oppose(reference, -1.0)
        conclusions["reverse"] = Oppose(reference)
    else:
        reference = RobustReference(
            quantile,
            3.0,
            kind in ("HC1", "cluster"),
            clustered=kind == "cluster",
            power=POWERS.get(kind, 0.0),
        )
        if significant:
            conclusions["lose"] = RobustLose(reference)
        else:
            conclusions["gain"] = RobustOppose(reference, -1.0)
        conclusions["reverse"] = RobustOppose(reference)
    falls = {name: [] for name in conclusions}
    for k in (1, 2):
        for chosen in combinations(range(len(units)), k):
            left = np.where(np.isin(owner, chosen), 0.0, w)
            after, freedom = t_value(X, y, left, 2, kind, owner)
            within = {
                "lose": sign * after > quantile(freedom),
                "gain": sign * after < quantile(freedom),
                "reverse": sign * after > -quantile(freedom),
            }
            for name, all_sets in falls.items():
                if not within[name]:
                    all_sets.append(chosen)
    null = null_fit(found)
    for name, conclusion in conclusions.items():
        for k in (1, 2):
            smaller = [one for one in falls[name] if len(one) <= k]
            views = list(conclusion.views(null, k, LeverageBounds(null)))
            assert not (smaller and any(Quick(view).proven(k) for view in views))
            answer = branch_and_bound(found, k, FOREVER, conclusion)
            assert not (answer.flips is False and smaller)
            assert not (answer.flips and tuple(answer.removed) not in falls[name])
            if name == "lose" and kind == "model":
                cones = Cover(Significant.at(null, conclusion.reference, 1.0), k).proven(FOREVER)
                assert not (cones.proven and smaller)


# -- real data ------------------------------------------------------------------------------------------

# Rows that give significance, and that give it with the other sign.
TRIALS = {
    "BIH": (1, 35), "MON": (2, 34), "ETH": (10, 10), "MEX": (12, 9), "MOR": (2, 29), "PHI": (4, 38),
    "IND": (1, 28),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.usefixtures("data_dir")
@pytest.mark.parametrize(("site", "least"), TRIALS.items())
def test_microcredit_is_exact(site, least):
    data = ist.datasets.load_microcredit(site=site)
    inference = ist.from_statsmodels(sm.OLS(data.y, sm.add_constant(data.X)).fit()).inference()
    for reverse, k in zip((False, True), least, strict=True):
        found = inference.breakdown(1, reversed=reverse, budget_seconds=60.0)
        assert (found.lower, found.upper) == (k, k)
