"""Breakdowns by the likelihood ratio: never beaten by a subset, sets confirmed by statsmodels' refits."""

import warnings
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.tools.sm_exceptions import ConvergenceWarning

import influstat as ist
from influstat.errors import InflustatError, InvalidArgument, Unsupported
from influstat.sets.null_fit import null_fit
from influstat.sets.question import coefficient_of, question
from influstat.sets.significance.likelihood_ratio import Ratio, RatioLose, RatioOppose
from tests import tolerance
from tests.budget import examples

SEEDS = st.integers(0, 10**6)
RATIO = "likelihood ratio"
LOSSES = {
    "logistic": (ist.LogisticLoss(), lambda eta, rng: (rng.random(len(eta)) < 1 / (1 + np.exp(-eta))) * 1.0),
    "poisson": (ist.PoissonLoss(), lambda eta, rng: rng.poisson(np.exp(np.clip(eta, -3, 2))) * 1.0),
    "squared": (ist.SquaredError(), lambda eta, rng: eta + rng.standard_t(3.0, len(eta))),
}
SEPARATED = 1e4  # a standard error: where statsmodels stops on its way to infinity they are e^15 and more
NEARLY_SEPARATED = 8.0  # |eta|: beyond, statsmodels and a refit here stop at different places


def fitted(model):
    """Return the maximum, to which Newton's method goes on where reweighting stalls short of it."""
    found = model.fit(tol=1e-12)
    if found.converged or found.bse.max() > SEPARATED:
        return found
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = model.fit(start_params=found.params, method="newton", tol=1e-12, disp=0)
    assert found.mle_retvals["converged"] or found.bse.max() > SEPARATED
    return found


def root(X, y, w, loss):
    """Return the signed root of the likelihood ratio of the last column by statsmodels, None without fits."""
    kept = w > 0
    if kept.sum() <= X.shape[1] or np.linalg.matrix_rank(X[kept]) < X.shape[1]:
        return None
    if loss == "squared":
        with_it, without = (sm.OLS(y[kept], Z[kept]).fit() for Z in (X, X[:, :-1]))
        if with_it.ssr < 1e-20 * without.ssr:
            return None
    else:
        family = sm.families.Binomial() if loss == "logistic" else sm.families.Poisson()
        settings = {"family": family, "freq_weights": w[kept]}
        with_it, without = (fitted(sm.GLM(y[kept], Z[kept], **settings)) for Z in (X, X[:, :-1]))
        if max(one.bse.max() for one in (with_it, without)) > SEPARATED:
            return None
    gap = max(2.0 * (with_it.llf - without.llf), 0.0)
    return float(np.sign(with_it.params[-1]) * np.sqrt(gap))


@pytest.mark.filterwarnings("ignore::statsmodels.tools.sm_exceptions.PerfectSeparationWarning")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # statsmodels' own, of fits that are separated
@pytest.mark.parametrize("loss", ["squared", "logistic", pytest.param("poisson", marks=pytest.mark.slow)])
@given(
    seed=SEEDS, effect=st.sampled_from([0.0, 1.0, 3.0]), opposite=st.booleans(), weights=st.booleans(),
    budget=st.sampled_from([0.0, 0.5]), level=st.sampled_from([0.8, 0.95]),
)  # fmt: skip
@example(seed=78241, effect=3.0, opposite=False, weights=False, budget=0.5, level=0.95)  # steep, but finite
@example(seed=128148, effect=3.0, opposite=True, weights=False, budget=0.05, level=0.8)  # and is separated
@example(seed=355859, effect=0.0, opposite=True, weights=False, budget=0.05, level=0.8)  # reweighting stalls
@examples(8, deadline=None)
def test_no_smaller_set_changes_significance(loss, seed, effect, opposite, weights, budget, level):
    rng = np.random.default_rng(seed)
    n = 12
    X = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
    found, draw = LOSSES[loss]
    y = draw(effect * X[:, 2] + 0.5 * X[:, 1], rng)
    w = rng.choice([1.0, 2.0], n) if weights and loss != "squared" else np.ones(n)
    try:
        fit = ist.Fit.minimise(ist.LinearRisk(found, X, y, weights=w))
    except InflustatError:
        assume(False)
    assume(loss == "squared" or np.abs(X @ fit.theta).max() < NEARLY_SEPARATED)
    inference = fit.inference(level=level)
    answer = inference.breakdown(2, test=RATIO, reversed=opposite, budget_seconds=budget)
    crit = np.sqrt(stats.chi2.ppf(level, 1))
    assert answer.value == pytest.approx(root(X, y, w, loss), rel=1e-6, abs=1e-6)  # statsmodels' own stop
    assert abs(answer.at) == pytest.approx(crit, rel=tolerance.CHANGES)
    side = 1.0 if answer.side == "above" else -1.0

    def past(chosen):
        left = w.copy()
        left[list(chosen)] = 0.0
        after = root(X, y, left, loss)
        return np.nan if after is None else side * (after - answer.at)

    for k in range(1, min(2, answer.lower - 1) + 1):
        assert not [one for one in combinations(range(n), k) if past(one) < -1e-6]  # likewise
    if answer.upper is not None:
        assert answer.lower <= answer.upper
        assert past(answer.positions) <= 1e-6
        assert answer.value_without == pytest.approx(answer.at + side * past(answer.positions), abs=1e-5)


@pytest.mark.slow
def test_least_squares_agrees_with_statsmodels_test():
    data = sm.datasets.ccard.load_pandas().data
    results = smf.ols("AVGEXP ~ AGE + INCOME + OWNRENT", data).fit()
    found = ist.from_statsmodels(results).inference().breakdown("INCOME", test=RATIO)
    ratio, p, _ = results.compare_lr_test(smf.ols("AVGEXP ~ AGE + OWNRENT", data).fit())
    assert found.value**2 == pytest.approx(ratio, rel=tolerance.CHANGES)
    assert p < 0.05
    assert (found.lower, found.upper) == (7, 7)
    left = data.drop(index=found.removed)
    fits = [smf.ols(f"AVGEXP ~ AGE + OWNRENT{more}", left).fit() for more in ("", " + INCOME")]
    assert fits[1].compare_lr_test(fits[0])[1] > 0.05


@pytest.mark.parametrize(("name", "size"), [("GPA", 1), ("PSI", 2)])
def test_a_logit_loses_significance(name, size):
    data = sm.datasets.spector.load_pandas().data
    fit = ist.from_statsmodels(smf.logit("GRADE ~ GPA + TUCE + PSI", data).fit(disp=0))
    found = fit.inference().breakdown(name, test=RATIO)
    assert (found.lower, found.upper) == (size, size)
    left = data.drop(index=found.removed)
    others = " + ".join(one for one in ("GPA", "TUCE", "PSI") if one != name)
    llf = [smf.logit(f"GRADE ~ {terms}", left).fit(disp=0).llf for terms in (others, f"{others} + {name}")]
    assert 2.0 * (llf[1] - llf[0]) < stats.chi2.ppf(0.95, 1)


def test_significance_with_the_other_sign_is_significance_lost():
    x = np.arange(1.0, 13.0)
    y = np.where(x <= 6.0, -49.0 * x, x)  # it rises with all rows, and falls without the last six
    X = np.column_stack([np.ones(12), x])
    fit = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, y))
    problem = question(fit, *coefficient_of(fit, 1), groups=None).problem
    gone = x > 6.0
    with_all, without = null_fit(problem), null_fit(problem, removed=gone)
    ratio = Ratio(1e-3)
    for null in (with_all, without):
        assert ratio.gap(null)[0] > 0.0  # significant
        assert RatioLose(ratio).stands(null) == (null.N0 > 0.0)
        assert RatioOppose(ratio).stands(null) == (null.N0 > 0.0)
    assert with_all.N0 > 0.0 > without.N0


def test_many_rows_are_proven_at_once():
    data = sm.datasets.fair.load_pandas().data
    data["any"] = (data["affairs"] > 0) * 1.0
    formula = "any ~ rate_marriage + age + yrs_married + children + religious"
    inference = ist.from_statsmodels(smf.logit(formula, data).fit(disp=0)).inference()
    found = inference.breakdown("religious", test=RATIO, budget_seconds=0.0)
    assert found.lower > 30
    assert found.proof in ("score", "envelope")


def test_what_has_no_likelihood_ratio_is_refused():
    X = pd.DataFrame({"one": np.ones(9), "x": np.arange(9.0)})
    y = np.array([1.0, 2.0, 2.0, 4.0, 3.0, 6.0, 5.0, 9.0, 8.0])
    ridge = ist.Ridge(lam=1.0).fit(X, y).inference()
    with pytest.raises(Unsupported, match="which a penalised fit does not have"):
        ridge.breakdown("x", test=RATIO)
    with pytest.raises(InvalidArgument, match="test must be 'wald' or 'likelihood ratio'"):
        ridge.breakdown("x", test="lr")
    gamma = ist.from_statsmodels(sm.GLM(y, X, family=sm.families.Gamma(sm.families.links.Log())).fit())
    with pytest.raises(Unsupported, match="needs a known dispersion"):
        gamma.inference().breakdown("x", test=RATIO)
