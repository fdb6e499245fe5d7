"""Diagnostics at the edges: leverage one, perfect fits, several predictors, extra parameters, penalties."""

import dataclasses
import warnings

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose
from statsmodels.gam.api import BSplines, GLMGam

import influstat as ist
from tests.cases import make_problem
from tests.test_diagnostics import ALL_COLUMNS, HINGE, LOGISTIC, design
from tests.tolerance import (
    CHANGES,
    CLOSED_FORM,
    INVERTED,
    NORMAL_EQUATIONS,
    STANDARD_ERRORS,
    STOPPED,
    TWO_FITS,
)


def with_leverage_one():
    rng, X = design(n=20)
    X["c"] = np.where(np.arange(20) == 6, 1.0, 0.0)
    return X, X["a"] + rng.normal(size=20)


def test_a_row_of_leverage_one_is_nan_with_its_reason():
    X, y = with_leverage_one()
    fit = ist.Ridge(lam=0.0, protocol="fixed").fit(X, y)
    with pytest.warns(ist.errors.DoubtfulResult, match="1 of 20 rows .* row 6 .its leverage is 1"):
        frame = fit.diagnostics(ALL_COLUMNS)
    status = frame.attrs["status"]
    assert [row for row, text in enumerate(status) if text] == [6]
    assert "alone determines a coefficient" in status[6]
    row = frame.loc["row 6"]
    assert abs(row["hat_diag"] - 1.0) < 1e-12
    raw = ["hat_diag", "resid_response", "resid_pearson", "resid_deviance"]
    assert row[raw].notna().all()
    assert row.drop(raw).isna().all()
    assert frame.drop("row 6").notna().all().all()


def test_a_penalty_lets_every_row_be_left_out():
    X, y = with_leverage_one()
    frame = ist.Ridge(lam=1e-3, protocol="fixed").fit(X, y).diagnostics(ALL_COLUMNS)
    assert frame.notna().all().all()
    assert not any(frame.attrs["status"])


def test_no_degrees_of_freedom_without_a_row_are_said():
    X = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 3.0]])
    fit = ist.Ridge(lam=0.0, protocol="fixed").fit(X, [1.0, 0.0, 5.0])
    with pytest.warns(ist.errors.DoubtfulResult, match="no degrees of freedom are left"):
        frame = fit.diagnostics()
    assert frame[["student_resid", "dffits", "cov_ratio"]].isna().all().all()
    assert frame[["standard_resid", "cooks_d", "hat_diag"]].notna().all().all()


def test_nothing_to_estimate_the_variance_from_is_refused():
    fit = ist.Ridge(lam=0.0, protocol="fixed").fit(np.eye(3), [1.0, 2.0, 3.0])
    with pytest.raises(ist.errors.InvalidArgument, match="more observations than effective degrees"):
        fit.diagnostics(["cooks_d"])


def test_a_perfect_fit_is_doubtful():
    X = np.column_stack([np.ones(6), np.arange(6.0)])
    fit = ist.Ridge(lam=0.0, protocol="fixed").fit(X, X @ [1.0, 2.0])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit.diagnostics(["standard_resid"])
    assert any("perfect up to rounding" in str(one.message) for one in caught)


def test_a_row_of_zeros_moves_nothing():
    rng, X = design(n=12, p=2)
    X.iloc[3] = 0.0
    frame = ist.Ridge(lam=0.0, protocol="fixed").fit(X, rng.normal(size=12)).diagnostics(ALL_COLUMNS)
    row = frame.loc["row 3"]
    assert (row[["hat_diag", "cooks_d", "dffits", "dffits_internal", "dfb_a", "dfbeta_a"]] == 0).all()


def test_a_smoothed_hinge_has_leverages_and_changes_but_no_variance():
    problem = make_problem(HINGE, 30, 3, 2, strength=1.0, intercept=True)
    fit = ist.Fit.minimise(problem.risk())
    assert list(fit.diagnostics().columns) == ["hat_diag"]
    assert fit.diagnostics(["hat_diag", "dfbeta"]).shape == (30, 5)
    with pytest.raises(ist.errors.Unsupported, match="says nothing about the variance of y"):
        fit.diagnostics(["cooks_d"])
    assert fit.diagnostics(["cooks_d"], dispersion=1.0).notna().all().all()


def test_a_risk_of_several_linear_predictors_has_what_needs_no_leverage():
    rng, X = design(n=60, p=3)
    y = rng.integers(0, 3, 60)
    results = sm.MNLogit(y, X).fit(disp=0, tol=1e-13, method="newton")
    fit = ist.from_statsmodels(results)
    assert list(fit.diagnostics().columns) == ["cooks_d"]
    frame = fit.diagnostics(["cooks_d", "likelihood_displacement", "dfbetas", "dfbeta"], method="exact")
    refit = sm.MNLogit(np.delete(y, 4), X.drop("row 4")).fit(disp=0, tol=1e-13, method="newton")
    change = (results.params - refit.params).to_numpy().T.ravel()
    row = frame.loc["row 4"].to_numpy()
    assert_allclose(row[2:8], change / results.bse.to_numpy().T.ravel(), rtol=STOPPED, atol=CHANGES)
    assert_allclose(row[8:], change, rtol=STOPPED, atol=CHANGES)
    cook = change @ np.linalg.solve(results.cov_params(), change) / 6
    displacement = 2 * (results.llf - results.model.loglike(refit.params.to_numpy()))
    assert_allclose(row[:2], [cook, displacement], rtol=STOPPED)
    with pytest.raises(ist.errors.Unsupported, match="one linear predictor per row"):
        fit.diagnostics(["hat_diag"])


@pytest.mark.slow
def test_the_extra_parameter_of_a_negative_binomial_takes_part():
    rng, X = design(n=200, p=3)
    y = rng.negative_binomial(2.0, 2.0 / (2.0 + np.exp(0.5 + 0.4 * X["a"])))
    results = sm.NegativeBinomial(y, X).fit(disp=0, method="newton", tol=1e-12)
    fit = ist.from_statsmodels(results, polish=True)
    newton, exact = (fit.diagnostics("dfbetas", method=method) for method in ("newton", "exact"))
    assert newton.columns[-1] == "dfb_alpha"
    row = int(np.argmax(np.abs(exact["dfb_alpha"])))  # where the Newton step for alpha is 13 % off
    start = results.params.to_numpy()
    refit = sm.NegativeBinomial(np.delete(y, row), X.drop(X.index[row]))
    params = refit.fit(start, disp=0, method="newton", tol=1e-12).params
    truth = (results.params - params) / results.bse
    assert_allclose(exact.iloc[row], truth, rtol=STOPPED, atol=STANDARD_ERRORS)
    slope = np.polyfit(exact.to_numpy().ravel(), newton.to_numpy().ravel(), 1)[0]
    assert abs(slope - 1.0) < 0.02


def test_smoothing_penalties_and_active_sets_take_part():
    rng, X = design(n=60, p=4)
    y = X["a"] + np.sin(2.0 * X["b"]) + 0.3 * rng.normal(size=60)
    smoother = BSplines(X[["b"]], df=[6], degree=[3])
    gam = GLMGam(y, X[["const", "a"]], smoother=smoother, alpha=[0.5]).fit(tol=1e-12)
    fit = ist.from_statsmodels(gam)
    frame = fit.diagnostics(["hat_diag", "standard_resid", "dfbeta", "cov_ratio", "student_resid"])
    assert_allclose(frame["hat_diag"], gam.get_hat_matrix_diag(), rtol=NORMAL_EQUATIONS)
    assert_allclose(frame.to_numpy()[:, 2:-2], -fit.leave_one_out().delta, rtol=CHANGES, atol=INVERTED)
    lasso = ist.from_statsmodels(sm.OLS(y, X).fit_regularized(alpha=0.05), alpha=0.05, polish=True)
    change = lasso.diagnostics(["hat_diag", "dfbeta", "student_resid"])
    assert_allclose(
        change.filter(like="dfbeta"), -lasso.leave_one_out(method="newton").delta, rtol=CHANGES, atol=TWO_FITS
    )
    assert_allclose(change["hat_diag"].sum(), len(lasso.theta), rtol=INVERTED)
    for one, scale in ((fit, frame), (lasso, change)):
        refit = one.leave_one_out(rows=[9]).theta[0]
        part, penalty = one.risk, one.risk.penalty.hessian(one.theta).dense()
        kept = np.arange(60) != 9
        Z = part.design.rows(slice(None))
        S = part.loss.second(0.0, 0.0) * Z[kept].T @ Z[kept]
        freedom = 59 - np.trace(np.linalg.solve(S + penalty, S))
        e = part.y - Z @ one.theta
        sigma = np.sqrt(((part.y - Z @ refit)[kept] ** 2).sum() / freedom)
        truth = e[9] / sigma / np.sqrt(1.0 - scale["hat_diag"].iloc[9])
        assert_allclose(scale["student_resid"].iloc[9], truth, rtol=CHANGES)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"columns": ["leverage"]}, "columns must hold names out of cooks_d"),
        ({"columns": []}, "columns must name each column once"),
        ({"columns": ["cooks_d", "cooks_d"]}, "columns must name each column once"),
        ({"columns": 3}, "columns must be a name or a sequence of names"),
        ({"method": "influence"}, "method must be 'newton' or 'exact'"),
        ({"dispersion": -1.0}, "dispersion must be greater than 0"),
        ({"frequency": 1}, "frequency must be True or False"),
        ({"deleted_scale": None}, "deleted_scale must be True or False"),
    ],
)
def test_settings_that_make_no_sense_are_refused(arguments, sentence):
    fit = ist.Ridge(lam=1.0).fit([[1.0], [2.0], [3.0]], [1.0, 3.0, 2.0])
    with pytest.raises((ist.errors.InvalidArgument, ist.errors.InvalidType), match=sentence):
        fit.diagnostics(**arguments)


def test_sparse_and_single_precision_rows_give_the_same():
    import scipy.sparse as sp

    problem = make_problem(LOGISTIC, 40, 4, 3, strength=1.0, weights="positive", intercept=True)
    X = problem.X.astype(np.float32)
    frames = [
        ist.Fit.minimise(dataclasses.replace(problem, X=one).risk()).diagnostics(ALL_COLUMNS)
        for one in (X.astype(float), X, sp.csr_array(X.astype(float)))
    ]
    for other in frames[1:]:
        assert_allclose(other, frames[0], rtol=TWO_FITS, atol=CLOSED_FORM)


def test_a_perfect_fit_has_leverages_and_says_why_nothing_else():
    fit = ist.Ridge(lam=0.0).fit([[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0])
    with pytest.warns(ist.errors.DoubtfulResult):
        frame = fit.diagnostics()
    assert_allclose(frame["hat_diag"], [1 / 14, 4 / 14, 9 / 14], rtol=1e-14)
    assert frame["cooks_d"].isna().all()
    assert all("the fit is perfect" in text for text in frame.attrs["status"])


@pytest.mark.parametrize("far", [0.0, 20.0, 200.0, 2000.0])
def test_leverages_lose_no_digits_far_from_zero(far):
    rng = np.random.default_rng(0)
    X = np.column_stack([np.ones(50), far + rng.normal(size=50), rng.normal(size=50)])
    fit = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, rng.normal(size=50)))
    q = np.linalg.qr(X)[0]
    scaled = np.linalg.cond(X / np.linalg.norm(X, axis=0))  # squared it would be that of the Gram matrix
    found = fit.diagnostics("hat_diag")["hat_diag"]
    assert_allclose(found, (q * q).sum(axis=1), rtol=0, atol=8.0 * np.finfo(float).eps * scaled)
