"""Inputs from reports and fuzzing that once gave wrong numbers without a word, with their right values."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.datasets import make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import influstat as ist
from influstat.errors import DoubtfulResult, InvalidArgument, NotStationary
from tests.scikit_learn_versions import VERSION


def test_lasso_without_the_row_that_changes_the_active_set():
    X, y = make_regression(30, 4, noise=5, random_state=1)
    y = y / y.std()
    fit = ist.from_sklearn(Lasso(alpha=0.05, tol=1e-13).fit(X, y), X, y)
    removal = fit.leave_one_out()
    assert removal.converged.all()
    for row in range(30):
        kept = np.arange(30) != row
        refit = Lasso(alpha=0.05, tol=1e-14, max_iter=100_000).fit(X[kept], y[kept])
        assert refit.coef_[0] == 0.0
        np.testing.assert_allclose(removal.theta[row], [*refit.coef_[1:], refit.intercept_], atol=1e-12)
    np.testing.assert_allclose(removal.theta[12, :3], [0.1744, 0.0, 0.9737], atol=5e-5)


def test_units_of_a_scaled_pipeline_are_the_users():
    table = pd.DataFrame({"age": [20.0, 30, 40, 50, 60, 35], "dose": [1.0, 2, 3, 4, 5, 1]})
    y = np.array([0, 0, 1, 0, 1, 1])
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(tol=1e-10)).fit(table, y)
    fit = ist.from_sklearn(pipeline, table, y)
    moved = [pipeline.predict_proba(table.assign(age=table.age + s))[:, 1] for s in (1e-4, -1e-4, 1.0)]
    effect = ist.average_marginal_effect(fit, "age").value[0]
    np.testing.assert_allclose(effect, np.mean(moved[0] - moved[1]) / 2e-4, rtol=1e-7)
    np.testing.assert_allclose(effect, 0.01024, atol=5e-6)
    odds = ist.odds_ratio(fit, "age").value[0]
    before = pipeline.predict_proba(table)[:, 1]
    np.testing.assert_allclose(odds, moved[2] / (1 - moved[2]) / (before / (1 - before)), rtol=1e-9)
    np.testing.assert_allclose(odds, 1.0448, atol=5e-5)
    scale = pipeline[0].scale_
    inner = LogisticRegression(tol=1e-10).fit(pipeline[0].transform(table), y)
    scaled = ist.from_sklearn(inner, pipeline[0].transform(table), y)
    np.testing.assert_allclose(
        ist.input_influence(fit, table, y).gradient * scale,
        ist.input_influence(scaled, pipeline[0].transform(table), y).gradient,
        rtol=1e-6,
    )


MEAN = ist.NumericalLoss(lambda y, eta: (y - eta) ** 2 / len(y))
SPREAD = ist.NumericalLoss(lambda y, eta: ((y - eta) / (1.0 + np.std(y))) ** 2)
FITTED = ist.NumericalLoss(lambda y, eta: (y - eta) ** 2 / (1.0 + np.mean(eta**2)))


@pytest.mark.parametrize("loss", [MEAN, SPREAD, FITTED], ids=["mean", "spread of y", "spread of eta"])
def test_a_loss_that_looks_at_other_rows_is_refused(loss):
    rng = np.random.default_rng(0)
    X, y = np.c_[np.ones(20), rng.normal(size=20)], rng.normal(size=20)
    with pytest.raises(InvalidArgument, match="depends on its own y and eta only"):
        ist.Fit.minimise(ist.LinearRisk(loss, X, y))
    assert not ist.checks.check_loss(loss, laws=["form"]).passed


@pytest.mark.parametrize("loss", [ist.PseudoHuberLoss(0.1), ist.SmoothedCheck(0.5, 0.1)], ids=repr)
def test_a_row_in_the_wrong_unit(loss):
    X = [[1, 0.3], [-0.4, 1], [0.8, -1.2], [-1.5, 0.2], [0.1, -0.7], [1.1, 1.4], [-0.9, -0.6], [3e5, 5e5]]
    y = [1.4, 0.5, -0.3, -1.2, -0.8, 2.6, -1.4, 2.0]
    fit = ist.Fit.minimise(ist.LinearRisk(loss, X, y, penalty=ist.L2(1e-3)))
    removal = fit.leave_one_out()
    assert removal.converged.all()
    for row, theta in enumerate(removal.theta):
        part = fit.risk.reweighted(np.where(np.arange(8) == row, 0.0, 1.0))
        steps = [0.0, 1e-3, -1e-3]
        around = [part.value(theta * (1.0 + s) + [t, -t]) for s in steps for t in steps]
        assert min(around) == around[0]


def test_years_and_their_squares_are_not_at_the_minimum():
    accepted = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        years = rng.integers(1980, 2021, 200).astype(float)
        X, y = np.c_[years, years**2], (rng.random(200) < 1 / (1 + np.exp((2000 - years) / 10))).astype(int)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            penalty = {"penalty": None} if VERSION < (1, 8) else {"C": np.inf}
            estimator = LogisticRegression(max_iter=1000, **penalty).fit(X, y)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                fit = ist.from_sklearn(estimator, X, y)
            except NotStationary:
                continue
        accepted.append(seed)
        z = (years - 2000) / 20
        right = sm.Logit(y, np.c_[np.ones(200), z, z**2]).fit(disp=0, tol=1e-12).fittedvalues
        errors = np.abs(fit.risk.linear_predictor(fit.theta) - right).max()
        assert errors < 1e-4 or any(issubclass(one.category, DoubtfulResult) for one in caught)
    assert len(accepted) <= 2


@pytest.mark.parametrize("unit", [1.0, 1e6, 1e7])
@pytest.mark.parametrize(
    ("protocol", "right"),
    [("fixed", [0.73493094, 0.74097834]), ("folded", [0.73492969, 0.73980109])],
)
def test_cross_validation_of_columns_in_other_units(unit, protocol, right):
    X = np.array([[1.0, 0.1], [2.0, 0.3], [3.0, 0.2], [4.0, 0.6], [5.0, 0.4]]) * [unit, 1.0]
    y = [1.0, 2.0, 3.0, 5.0, 4.0]
    found = ist.cross_validate_lam(ist.Ridge(lam=1e-6, protocol=protocol).fit(X, y), [1e-6, 1e-3])
    if unit > 1.0:  # the penalty does not reach the first column then
        np.testing.assert_allclose(found, right, rtol=1e-7)
    refits = []
    for lam in (1e-6, 1e-3):
        total = lam * (0.8 if protocol == "folded" else 1.0)
        errors = []
        for row in range(5):
            kept = np.delete(np.arange(5), row)
            units = np.array([unit, 1.0])
            rows = np.vstack([X[kept] / units, np.diag(np.sqrt(total) / units)])
            theta = np.linalg.lstsq(rows, [*np.take(y, kept), 0.0, 0.0], rcond=None)[0] / units
            errors.append((y[row] - X[row] @ theta) ** 2)
        refits.append(np.mean(errors))
    np.testing.assert_allclose(found, refits, rtol=1e-9)


@pytest.mark.parametrize("kind", [{"kind": "HC1"}, {"kind": "cluster", "groups": [0, 1, 2]}], ids=str)
def test_as_many_coefficients_as_rows_leave_no_small_sample_factor(kind):
    fit = ist.Ridge(lam=0.0).fit([[1.0, 1, 1], [1, 2, 4], [1, 4, 1]], [1.0, 2, 5])
    with pytest.raises(InvalidArgument, match="no residual degrees of freedom are left"):
        fit.covariance(**kind)


def test_one_more_row_than_coefficients_leaves_no_factor_without_a_row():
    fit = ist.Ridge(lam=0.0).fit([[1.0, 1, 1], [1, 2, 4], [1, 4, 1], [1, 7, 3]], [1.0, 2, 5, 4])
    with pytest.warns(DoubtfulResult, match="4 of 4 rows have no inference"):
        found = fit.inference("HC1").leave_one_out()
    assert np.isnan(found.standard_errors).all()
    assert all("no residual degrees of freedom are left" in text for text in found.status)


def test_labels_of_other_rows_functionals_and_integer_columns():
    index = list("abc")
    table = pd.DataFrame({3: [1.0, 2, 3], 0: [2.0, 1, 5]}, index=index)
    with pytest.raises(InvalidArgument, match="y must have the labels of X"):
        ist.Ridge(lam=1.0).fit(table, pd.Series([1.0, 2, 3], index=list("xyz")))
    fit = ist.Ridge(lam=1.0).fit(table, pd.Series([1.0, 2, 3], index=index))
    contrast = ist.contrast(fit, [1.0, 0.0])
    assert pickle.loads(pickle.dumps(contrast)).value == contrast.value
    scores = fit.influence().on_theta()
    for place, label in enumerate((3, 0)):  # the label, not the position
        best = scores.top(1, column=label, side="rise").index
        assert best.tolist() == [index[int(np.argmax(scores.removal[:, place]))]]
