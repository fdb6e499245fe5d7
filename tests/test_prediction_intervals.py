"""Prediction intervals: MAPIE's, plain loops of refits, and what is infinite or refused."""

import re
from math import ceil, floor

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import (
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
)
from sklearn.model_selection import KFold, LeaveOneOut

import influstat as ist
from influstat.errors import DoubtfulResult, InvalidArgument, InvalidType, Unsupported
from influstat.removal import intervals as module
from tests.mapie_figures import FIGURES

RNG = np.random.default_rng(3)
X = RNG.normal(size=(25, 2))
Y = X @ [1.0, -0.5] + RNG.normal(size=25)
COUNTS = RNG.poisson(np.exp(0.5 + 0.4 * X[:, 0]))
NEW = RNG.normal(size=(3, 2))
MODELS = {
    "LinearRegression": (LinearRegression(), Y),
    "Ridge": (Ridge(alpha=2.0), Y),
    "PoissonRegressor": (PoissonRegressor(alpha=0.1, tol=1e-12, max_iter=10_000), COUNTS),
    "Lasso": (Lasso(alpha=0.4, tol=1e-14, max_iter=100_000), Y),
}
REFITTED = 1e-6  # estimators stop within that of their minimum, from another start than ours
MAPIES = 1e-6  # asked for; seven digits of its limits are written down


def fit_of(name):
    estimator, y = MODELS[name]
    return ist.from_sklearn(estimator.fit(X, y), X, y)


def by_refits(estimator, y, splits, new, method, level):
    """Return the limits by a loop of refits and sorted lists: slow and obvious."""
    whole, without, errors = estimator.fit(X, y).predict(new), [], []
    for train, test in splits:
        estimator.fit(X[train], y[train])
        for i in test:
            errors.append(abs(y[i] - estimator.predict(X[[i]])[0]))
            without.append(estimator.predict(new))
    n, limits = len(errors), []
    upper_place, lower_place = ceil((n + 1) * level), floor((n + 1) * (1 - level))
    width = sorted(errors)[upper_place - 1]
    for j in range(len(new)):
        if method == "plus":
            low = sorted(mu[j] - error for mu, error in zip(without, errors, strict=True))
            high = sorted(mu[j] + error for mu, error in zip(without, errors, strict=True))
            limits.append([low[lower_place - 1], high[upper_place - 1]])
        elif method == "minmax":
            limits.append([min(mu[j] for mu in without) - width, max(mu[j] for mu in without) + width])
        else:
            limits.append([whole[j] - width, whole[j] + width])
    return np.array(limits)


def limits_of(found):
    return np.column_stack([found.lower, found.upper])


@pytest.mark.parametrize("case", FIGURES, ids=str)
def test_limits_are_those_of_mapie(case):
    name, folds, method, level = case
    splits = None if folds is None else list(KFold(folds).split(X))
    found = ist.prediction_intervals(fit_of(name), NEW, level=level, method=method, folds=splits)
    np.testing.assert_allclose([found.lower, found.upper], FIGURES[case], rtol=MAPIES, atol=MAPIES)


@pytest.mark.parametrize("method", ["plus", "jackknife", "minmax"])
@pytest.mark.parametrize("name", MODELS)
def test_limits_are_those_of_a_loop_of_refits(name, method):
    fit, (estimator, y) = fit_of(name), MODELS[name]
    for splitter in (LeaveOneOut(), KFold(4, shuffle=True, random_state=1)):
        splits = list(splitter.split(X))
        truth = by_refits(estimator, y, splits, NEW, method, 0.72)
        folds = None if len(splits) == 25 else splits
        found = ist.prediction_intervals(fit, NEW, level=0.72, method=method, folds=folds)
        np.testing.assert_allclose(limits_of(found), truth, rtol=REFITTED, atol=REFITTED)
        np.testing.assert_array_equal(found.prediction, fit.predict(NEW, kind="mean"))
        assert found.count == 25


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))))
def test_a_level_at_which_the_place_is_a_whole_number_takes_that_place(pair):
    n, k = pair
    assert module.place_of(k / (n + 1.0), n) == k
    assert module.place_of((k - 0.5) / (n + 1.0), n) == k


@pytest.mark.parametrize("seed", range(5))
def test_the_methods_lie_within_each_other(seed):
    rng = np.random.default_rng(seed)
    rows, y = rng.normal(size=(30, 3)), rng.normal(size=30)
    fit = ist.Ridge(lam=0.5, protocol="fixed").fit(rows, y)
    plus, minmax = (ist.prediction_intervals(fit, rows, level=0.8, method=one) for one in ("plus", "minmax"))
    assert np.all(minmax.lower <= plus.lower)
    assert np.all(plus.upper <= minmax.upper)
    wider = ist.prediction_intervals(fit, rows, level=0.9)
    assert np.all(wider.lower <= plus.lower)
    assert np.all(plus.upper <= wider.upper)


def test_a_newton_step_is_exact_for_squared_error():
    fit = fit_of("Ridge")
    exact, newton = (ist.prediction_intervals(fit, NEW, level=0.8, refits=one) for one in ("exact", "newton"))
    np.testing.assert_allclose(limits_of(newton), limits_of(exact), rtol=1e-10)


def test_blocks_of_new_rows_change_nothing(monkeypatch):
    rng = np.random.default_rng(723)
    fit = fit_of("PoissonRegressor")
    new = rng.normal(size=(11, 2))
    whole = {one: ist.prediction_intervals(fit, new, level=0.8, method=one) for one in module.METHODS}
    monkeypatch.setattr(module, "BLOCK_ENTRIES", 50)  # two new rows
    for method, one in whole.items():
        again = ist.prediction_intervals(fit, new, level=0.8, method=method)
        np.testing.assert_allclose(limits_of(again), limits_of(one), rtol=1e-13)  # products of other shapes


# -- forms of X, labels, offsets ----------------------------------------------------------------------------


def test_tables_bring_their_labels_and_offsets_are_paired():
    table = pd.DataFrame(X, columns=["a", "b"])
    offset = np.linspace(0.0, 2.0, 25)
    fit = ist.Ridge(lam=1.0, protocol="fixed").fit(table, Y, offset=offset)
    new = pd.DataFrame(NEW, columns=["a", "b"], index=pd.Index(["u", "v", "w"], name="row"))
    given_offset = pd.Series([3.0, 1.0, 2.0], index=["w", "u", "v"])
    found = ist.prediction_intervals(fit, new, level=0.8, offset=given_offset)
    plain, shift = ist.prediction_intervals(fit, NEW, level=0.8), np.array([[1.0], [2.0], [3.0]])
    np.testing.assert_allclose(limits_of(found), limits_of(plain) + shift, rtol=1e-12)
    frame = found.to_frame()
    assert frame.index.tolist() == ["u", "v", "w"]
    assert frame.index.name == "row"
    assert plain.to_frame().index.tolist() == [0, 1, 2]


@pytest.mark.parametrize("block", [10, 10**6])
def test_sparse_rows_formulas_and_other_tables(block, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_ENTRIES", block)
    fit = ist.Ridge(lam=1.0, protocol="fixed").fit(X, Y)
    truth = limits_of(ist.prediction_intervals(fit, NEW, level=0.8))
    for form in (sp.csr_array(NEW), sp.coo_matrix(NEW), NEW.tolist()):
        found = ist.prediction_intervals(fit, form, level=0.8)
        np.testing.assert_allclose(limits_of(found), truth, rtol=1e-12)
    data = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": Y})
    formula = ist.from_statsmodels(sm.OLS.from_formula("y ~ a + b", data).fit())
    new = pd.DataFrame(NEW, columns=["a", "b"], index=list("uvw"))
    found = ist.prediction_intervals(formula, new, level=0.8)
    plain = ist.prediction_intervals(fit_of("LinearRegression"), NEW, level=0.8)
    np.testing.assert_allclose(limits_of(found), limits_of(plain), rtol=1e-9)
    assert found.row_labels.tolist() == list("uvw")
    for library, make in (("polars", "DataFrame"), ("pyarrow", "table")):
        table = getattr(pytest.importorskip(library), make)({"a": NEW[:, 0], "b": NEW[:, 1]})
        found = ist.prediction_intervals(formula, table, level=0.8)
        np.testing.assert_allclose(limits_of(found), limits_of(plain), rtol=1e-9)


def test_a_loss_without_a_mean_predicts_its_centre():
    fit = ist.Fit.minimise(ist.LinearRisk(ist.HuberLoss(1.0), X, Y))
    found = ist.prediction_intervals(fit, NEW, level=0.8, method="jackknife")
    held = ist.cross_validate(fit).linear_predictor
    width = np.sort(np.abs(Y - held))[ceil(0.8 * 26) - 1]
    np.testing.assert_allclose(found.upper, NEW @ fit.theta + width, rtol=1e-9)


def test_rows_without_weight_do_not_count():
    weights = np.ones(25)
    weights[[3, 8]] = 0.0
    fit = ist.Ridge(lam=1.0, protocol="fixed").fit(X, Y, weights=weights)
    kept = weights > 0
    some = ist.Ridge(lam=1.0, protocol="fixed").fit(X[kept], Y[kept])
    for method in module.METHODS:
        found, truth = (ist.prediction_intervals(one, NEW, level=0.8, method=method) for one in (fit, some))
        np.testing.assert_allclose(limits_of(found), limits_of(truth), rtol=1e-10)
        assert found.count == 23


# -- infinite intervals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["plus", "jackknife", "minmax"])
def test_too_few_rows_make_infinite_intervals(method):
    fit = ist.Ridge(lam=1.0).fit(X[:10], Y[:10])
    with pytest.warns(DoubtfulResult, match="^10 rows are too few .* 19 rows, .* at most 0.9090"):
        found = ist.prediction_intervals(fit, NEW, method=method)
    assert np.all(found.lower == -np.inf)
    assert np.all(found.upper == np.inf)
    assert np.isfinite(found.prediction).all()
    enough = ist.Ridge(lam=1.0).fit(X[:19], Y[:19])
    assert np.isfinite(limits_of(ist.prediction_intervals(enough, NEW, method=method))).all()


@pytest.mark.parametrize("method", ["plus", "jackknife", "minmax"])
def test_a_row_without_a_refit_counts_as_infinitely_wrong(method):
    alone = np.column_stack([X, np.arange(25) == 4])
    new = np.column_stack([NEW, [0.0, 0.0, 1.0]])
    fit = ist.Ridge(lam=0.0).fit(alone, Y)
    with pytest.warns(DoubtfulResult, match="^1 of 25 rows are predicted by no fit without them"):
        found = ist.prediction_intervals(fit, new, level=0.8, method=method)
    kept = np.arange(25) != 4
    others = ist.Ridge(lam=0.0).fit(X[kept], Y[kept])
    if method == "jackknife":  # the place is that among 25 errors, one of them infinite
        errors = np.sort(np.abs(Y[kept] - ist.cross_validate(others).linear_predictor))
        np.testing.assert_allclose(found.upper - found.prediction, errors[ceil(0.8 * 26) - 1], rtol=1e-9)
    if method == "plus":
        assert np.isfinite(limits_of(found)).all()
    if method == "minmax":
        assert found.upper[2] == np.inf  # what that row alone determines might be anything without it
        assert np.isfinite(found.upper[:2]).all()


# -- refusals -----------------------------------------------------------------------------------------------

LABELS = np.where(Y > 0, "yes", "no")
REFUSED = [
    (lambda: fit_of("Ridge"), {"level": 1.0}, InvalidArgument, "level must be below 1, but it is 1"),
    (lambda: fit_of("Ridge"), {"level": 0.0}, InvalidArgument, "level must be"),
    (lambda: fit_of("Ridge"), {"level": "most"}, InvalidType, "level must be a real number"),
    (lambda: fit_of("Ridge"), {"method": "plus+"}, InvalidArgument, "method must be 'plus' or"),
    (lambda: fit_of("Ridge"), {"refits": "influence"}, InvalidArgument, "refits must be 'exact' or 'newton'"),
    (lambda: fit_of("Ridge"), {"folds": [[0, 1], [1, 2]]}, InvalidArgument, "folds must be disjoint"),
    (lambda: fit_of("Ridge"), {"X": NEW[:, :1]}, InvalidArgument, "X must have the 2 columns"),
    (lambda: "Ridge", {}, InvalidType, "fit must be a Fit"),
    (lambda: ist.Logistic(lam=1.0).fit(X, Y > 0), {}, Unsupported, "fit must be a regression"),
    (lambda: ist.SmoothedSVC(lam=1.0, t=0.5).fit(X, np.sign(Y)), {}, Unsupported, "fit must be a regression"),
    (
        lambda: ist.from_sklearn(RidgeClassifier().fit(X, LABELS), X, LABELS),
        {},
        Unsupported,
        "fit must be a regression",
    ),
    (
        lambda: ist.from_sklearn(LogisticRegression(tol=1e-10).fit(X, LABELS), X, LABELS),
        {},
        Unsupported,
        "fit must be a regression",
    ),
    (
        lambda: ist.Fit.minimise(ist.SoftmaxRisk(X, np.arange(25) % 3, penalty=ist.L2(1.0))),
        {},
        Unsupported,
        "fit must have one linear predictor per row for prediction intervals",
    ),
]


@pytest.mark.parametrize(("make", "arguments", "error", "sentence"), REFUSED)
def test_what_is_refused(make, arguments, error, sentence):
    with pytest.raises(error, match=f"^{sentence}"):
        ist.prediction_intervals(make(), **{"X": NEW, **arguments})


def test_folds_of_rows_without_weight_alone_leave_nothing_to_judge_by():
    weights = np.ones(25)
    weights[:2] = 0.0
    fit = ist.Ridge(lam=1.0, protocol="fixed").fit(X, Y, weights=weights)
    with pytest.warns(DoubtfulResult, match="^0 rows are too few"):
        found = ist.prediction_intervals(fit, NEW, folds=[[0], [1]])
    assert np.all(np.isinf(limits_of(found)))


@pytest.mark.parametrize("n", [2, 5, 6, 14])
def test_the_level_that_few_rows_are_advised_has_finite_intervals(n):
    fit = ist.Ridge(lam=1.0).fit(np.ones((n, 1)), np.arange(float(n)))
    with pytest.warns(ist.errors.DoubtfulResult, match="a level of at most") as said:
        ist.prediction_intervals(fit, [[1.0]], level=0.99)
    level = float(re.search(r"at most ([0-9.]+[0-9])", str(said[0].message))[1])
    found = ist.prediction_intervals(fit, [[1.0]], level=level)
    assert np.isfinite([found.lower, found.upper]).all()
