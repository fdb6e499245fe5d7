"""What from_sklearn lets in, and what it says about it: verification on entry."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import (
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.svm import LinearSVC

import influstat as ist
from influstat.adapters.scikit_learn.check import limit_of
from influstat.minimise.remaining import remaining_step
from tests.scikit_learn_entry_cases import EXACT, LABELS, NUMBER, X, fit_and_pass

# -- verification on entry -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "changed"),
    [
        ("other rows", {"X": X[::-1]}),
        ("one value of one row", {"X": X + 3.0 * np.outer(np.arange(80) == 5, [1.0, 0.0, 0.0])}),
        ("other targets", {"y": np.where(LABELS == "yes", "no", "yes")}),
        ("weights forgotten", {"sample_weight": np.linspace(0.5, 2.0, 80)}),
        ("scaled columns", {"X": 2.0 * X}),
        ("rows dropped", {"X": X[:60], "y": LABELS[:60]}),
    ],
)
def test_other_data_than_in_the_fit_are_refused_with_the_size_of_the_gradient(what, changed):
    with pytest.raises(ist.errors.NotStationary, match="with a relative gradient of .*polish=True"):
        ist.from_sklearn(EXACT.fit(X, LABELS), **{"X": X, "y": LABELS, **changed})


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(C=2.0, solver="newton-cholesky", tol=1e-10),
        LogisticRegression(solver="newton-cholesky", tol=1e-10, class_weight={"yes": 3.0}),
    ],
    ids=["C", "class_weight"],
)
def test_settings_changed_after_the_fit_are_refused(estimator):
    estimator.fit(X, LABELS)
    estimator.set_params(C=1.0, class_weight=None)
    with pytest.raises(ist.errors.NotStationary, match="relative gradient"):
        ist.from_sklearn(estimator, X, LABELS)


def test_an_unfinished_fit_is_refused_and_polish_finishes_it():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        early = LogisticRegression(max_iter=4).fit(X, LABELS)
    with pytest.raises(ist.errors.NotStationary, match=r"relative gradient of 0.\d+ for 'x\d'"):
        ist.from_sklearn(early, X, LABELS)
    with pytest.warns(ist.errors.DoubtfulResult, match="standard errors away from where the library"):
        fit = ist.from_sklearn(early, X, LABELS, polish=True)
    np.testing.assert_allclose(fit.theta, fit_and_pass(EXACT, y=LABELS).theta, rtol=1e-9)
    assert fit.stationarity < 1e-12


@pytest.mark.parametrize("polish", [False, True])
def test_a_solver_that_its_own_rule_stopped_is_named_before_other_data(polish):
    rng = np.random.default_rng(3)
    common = rng.normal(size=(300, 1))
    rows = np.hstack([common + 0.03 * rng.normal(size=(300, 1)) for _ in range(4)])
    y = (rng.random(300) < 1.0 / (1.0 + np.exp(-common[:, 0]))).astype(int)

    def said(estimator, weights=None):
        if not polish:
            with pytest.raises(ist.errors.NotStationary) as caught:
                ist.from_sklearn(estimator, rows, y, sample_weight=weights)
            return str(caught.value)
        with pytest.warns(ist.errors.DoubtfulResult) as warned:
            ist.from_sklearn(estimator, rows, y, sample_weight=weights, polish=True)
        return " ".join(str(one.message) for one in warned)

    coarse = LogisticRegression(C=1e4, tol=3e-3, max_iter=1000).fit(rows, y)
    assert "It stopped where the gradient is below its tol of 0.003: refit with a smaller tol" in said(coarse)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        short = LogisticRegression(C=1e4, tol=1e-12, max_iter=2).fit(rows, y)
    assert "It stopped after its max_iter of 2 iterations: refit with more" in said(short)
    fine = LogisticRegression(C=1e4, tol=1e-9, max_iter=1000).fit(rows, y)
    assert "It stopped" not in said(fine, rng.uniform(0.2, 3.0, 300))  # other weights than in the fit


@pytest.mark.parametrize("y", [LABELS, np.digitize(NUMBER, [-0.5, 0.5])], ids=["two", "three"])
def test_a_column_far_from_zero_is_named_before_other_data(y):
    """lbfgs ends where it began, whatever its tol: only the column and polish=True lead on."""
    far = X + np.array([0.0, 3e4, 0.0])
    with pytest.raises(ist.errors.NotStationary, match=r"'.*x1.*' is far from 0 .* polish=True"):
        ist.from_sklearn(LogisticRegression(tol=1e-12, max_iter=500).fit(far, y), far, y)


def test_an_overwritten_table_is_named():
    overwritten = np.asfortranarray(X + 5.0)
    fitted = LinearRegression(copy_X=False).fit(overwritten, NUMBER)
    with pytest.raises(ist.errors.NotStationary, match="copy_X=False lets scikit-learn overwrite X"):
        ist.from_sklearn(fitted, overwritten, NUMBER)
    assert ist.from_sklearn(fitted, X + 5.0, NUMBER).predict(X[:1] + 5.0)


@pytest.mark.parametrize("solver", ["svd", "cholesky", "lbfgs"])
def test_a_solver_that_counts_no_iterations_has_not_ended_by_them(solver):
    model = Ridge(max_iter=1000, solver=solver, positive=solver == "lbfgs", tol=1e-12).fit(X, NUMBER)
    assert model.n_iter_ is None
    ist.from_sklearn(model, X, NUMBER)


def test_a_fit_to_a_coarse_tolerance_passes_with_a_warning_that_states_the_error():
    coarse = LogisticRegression(tol=1e-3).fit(X, LABELS)
    with pytest.warns(
        ist.errors.DoubtfulResult, match="times the effect of removing a typical row"
    ) as caught:
        fit = ist.from_sklearn(coarse, X, LABELS)
    assert 1e-6 < fit.stationarity < 2e-3
    stated = float(re.search(r"stopped ([\d.e-]+) times", str(caught[0].message)).group(1))
    minimum = fit_and_pass(EXACT, y=LABELS)
    H = minimum.hessian.to_dense()
    away = fit.theta - minimum.theta
    typical = np.median([row @ H @ row for row in minimum.influence().on_theta().removal])
    np.testing.assert_allclose(stated, np.sqrt(away @ H @ away / typical), rtol=0.06)


def test_polishing_other_data_warns():
    with pytest.warns(ist.errors.DoubtfulResult, match="Pass the X, y and sample_weight"):
        ist.from_sklearn(EXACT.fit(X, LABELS), X[::-1], LABELS, polish=True)


@pytest.mark.parametrize(
    ("estimator", "limit"),
    [
        (LinearRegression(), 1e-6),
        (LogisticRegression(tol=1e-4), 1e-4),
        (LogisticRegression(tol=1e-12), 1e-6),
        (LogisticRegression(tol=0.5), 1e-3),
        (SGDClassifier(tol=None), 1e-4),
    ],
)
def test_limit_follows_the_tolerance_of_the_estimator(estimator, limit):
    assert (
        limit_of(estimator.fit(X, LABELS if hasattr(estimator, "predict_log_proba") else NUMBER > 0)) == limit
    )


@pytest.mark.parametrize(
    ("tol", "gradient", "passes"),
    [(1e-4, 5e-5, True), (1e-4, 1e-3, False), (1e-9, 5e-6, True), (1e-9, 5e-5, False)],
)
def test_a_gradient_passes_up_to_tol(tol, gradient, passes):
    model = LogisticRegression(solver="newton-cholesky", tol=tol).fit(X, LABELS)
    minimum = ist.from_sklearn(model, X, LABELS, polish=True)
    away = np.linalg.solve(minimum.hessian.to_dense(), gradient * np.array([1.0, -1.0, 1.0, -1.0]))
    model.coef_, model.intercept_ = (minimum.theta + away)[None, :3], (minimum.theta + away)[3:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ist.errors.DoubtfulResult)
        if passes:
            assert ist.from_sklearn(model, X, LABELS).gradient_norm == pytest.approx(2.0 * gradient, rel=1e-2)
            return
        with pytest.raises(ist.errors.NotStationary, match="of a typical removal away"):
            ist.from_sklearn(model, X, LABELS)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("estimator", "kind"),
    [
        (LogisticRegression(), "label"),
        (LogisticRegression(solver="newton-cholesky"), "label"),
        (PoissonRegressor(), "count"),
        (Ridge(), "number"),
    ],
    ids=str,
)
def test_default_fits_pass_in_any_size_and_units_but_not_with_a_column_shuffled(estimator, kind, seed):
    rng = np.random.default_rng(seed)
    n, p = int(10 ** rng.uniform(1.8, 3.3)), int(rng.integers(2, 12))
    standard = rng.normal(size=(n, p))
    eta = standard @ rng.normal(size=p) / np.sqrt(p)
    rows = standard * 10.0 ** rng.uniform(-0.5, 0.5, p)
    y = {
        "label": rng.random(n) < 1.0 / (1.0 + np.exp(-eta)),
        "count": rng.poisson(np.exp(eta)),
        "number": eta + rng.normal(size=n),
    }[kind]
    estimator.fit(rows, y)  # a ConvergenceWarning would be an error here
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ist.errors.DoubtfulResult)
        ist.from_sklearn(estimator, rows, y)
        rows[:, 0] = rng.permutation(rows[:, 0])
        with pytest.raises(ist.errors.NotStationary):
            ist.from_sklearn(estimator, rows, y)


def test_small_units_do_not_hide_other_data():
    """In units of 1e-6 every absolute gradient of the columns is far below tol."""
    small = 1e-6 * X
    y = 1e-4 * (LABELS == "yes")  # so is that of the intercept
    ridge = Ridge(alpha=1e-12, solver="lsqr", tol=1e-4).fit(small, y)
    with pytest.raises(ist.errors.NotStationary, match="about .* standard errors"):
        ist.from_sklearn(ridge, small[::-1], y)


def test_distance_from_the_minimum_is_that_of_all_rows_together():
    rng = np.random.default_rng(0)
    rows, w = rng.normal(size=(9000, 2)), rng.uniform(0.5, 2.0, 9000)
    risk = ist.LinearRisk(ist.SquaredError(), rows, rows[:, 0] + rng.normal(size=9000), weights=w)
    fit = ist.Fit.minimise(risk)
    H, away = fit.hessian.to_dense(), np.array([1e-3, -1e-3])
    effects = fit.influence().on_theta().removal
    typical = np.median(np.sum((effects @ H) * effects, axis=1))
    expected = np.sqrt(away @ H @ away / typical)
    # A median over half of the rows, at the moved theta: sampling alone makes 1 / sqrt(4500) of it.
    assert remaining_step(risk, fit.theta + away) == pytest.approx(expected, rel=5e-2)


def test_a_fit_in_single_precision_passes():
    y = NUMBER.astype(np.float32)
    fit = ist.from_sklearn(Ridge().fit(X.astype(np.float32), y), X.astype(np.float32), y)
    np.testing.assert_allclose(fit.theta, fit_and_pass(Ridge()).theta, rtol=1e-4)
    single = LogisticRegression(solver="newton-cholesky", tol=1e-7).fit(X.astype(np.float32), LABELS)
    fit = ist.from_sklearn(single, X.astype(np.float32), LABELS)
    np.testing.assert_allclose(fit.theta, fit_and_pass(EXACT, y=LABELS).theta, rtol=1e-4)


def test_an_active_set_that_is_not_the_minimums_is_refused():
    lasso = Lasso(alpha=0.6, tol=1e-10).fit(X, NUMBER)
    assert (lasso.coef_ == 0).any()
    out = int(np.flatnonzero(lasso.coef_ == 0)[0])
    X_other = X.copy()  # the active columns stay, so that their gradient is still 0
    X_other[:, out] = NUMBER - lasso.predict(X)
    with pytest.raises(ist.errors.NotStationary, match="a column at 0 should have a coefficient"):
        ist.from_sklearn(lasso, X_other, NUMBER)


def test_a_fit_of_zeros_only_is_refused():
    with pytest.raises(ist.errors.Unsupported, match="have a coefficient that is not 0"):
        fit_and_pass(Lasso(alpha=100.0))


def test_balanced_class_weights_are_held_and_said_to_be():
    balanced = LogisticRegression(class_weight="balanced", solver="newton-cholesky", tol=1e-10)
    weights = np.where(LABELS == "yes", 40.0 / np.sum(LABELS == "yes"), 40.0 / np.sum(LABELS == "no"))
    with pytest.warns(ist.errors.DoubtfulResult, match="class_weight='balanced' follows the rows"):
        fit = fit_and_pass(balanced, y=LABELS)
    np.testing.assert_allclose(fit.risk.weights, weights)


@pytest.mark.parametrize("estimator", [RidgeClassifier(), LinearSVC(tol=1e-9), EXACT], ids=str)
def test_balanced_weights_are_those_of_the_library(estimator):
    estimator.set_params(class_weight="balanced")
    w = np.linspace(0.5, 2.0, 80)
    with pytest.warns(ist.errors.DoubtfulResult, match="balanced"):
        fit = ist.from_sklearn(estimator.fit(X, LABELS, sample_weight=w), X, LABELS, sample_weight=w)
    estimator.set_params(class_weight=None)
    assert fit.stationarity < 1e-6


def test_a_row_at_the_kink_of_the_squared_hinge_is_named():
    rows, y = np.array([[1.0], [-1.0], [2.0], [-2.0], [0.3]]), np.array([1, 0, 1, 0, 1])
    svc = LinearSVC(C=1.0, fit_intercept=False, tol=1e-12, max_iter=100_000)
    svc.fit(rows, y)
    rows = np.vstack([rows, [[1.0 / svc.coef_[0, 0]]]])  # a row on the margin pulls at nothing
    labels = pd.Series([*y, 1], index=list("uvwxyz"))
    with pytest.warns(ist.errors.DoubtfulResult, match="Rows z sit where the second derivative"):
        ist.from_sklearn(svc.fit(rows, labels), rows, labels)
