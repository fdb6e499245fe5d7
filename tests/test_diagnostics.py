"""Measures of single rows: the definitions by refits, statsmodels where it is right, and identities."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import assume, given
from numpy.testing import assert_allclose
from statsmodels.stats.outliers_influence import MLEInfluence, OLSInfluence

import influstat as ist
from influstat.statistics.diagnostics import CHEAP, COLUMNS
from influstat.statistics.leverage import Leverage
from tests.budget import examples
from tests.cases import LOSSES, make_problem, problems
from tests.reference import assert_within, solve
from tests.row_measures import PlainInference
from tests.tolerance import (
    CHANGES,
    CLOSED_FORM,
    INVERTED,
    NORMAL_EQUATIONS,
    SOLVED,
    STANDARD_ERRORS,
    STOPPED,
    SUMS,
    TWO_FITS,
    relative,
    solved,
)

SQUARED, LOGISTIC, SIGNED, HINGE = LOSSES[0], LOSSES[1], LOSSES[2], LOSSES[3]
ALL_COLUMNS = list(COLUMNS)
POSITIVE = ("ones", "positive", "counts")
STATSMODELS = ["cooks_d", "standard_resid", "hat_diag", "dffits_internal"]


def design(n=200, p=4, seed=0):
    rng = np.random.default_rng(seed)
    X = sm.add_constant(rng.normal(size=(n, p - 1)))
    return rng, pd.DataFrame(X, columns=["const", "a", "b", "c"][:p], index=[f"row {i}" for i in range(n)])


def one_value_of(frame, name, i):
    """Return a measure of row i, with its columns if it has one per coefficient."""
    prefix = {"dfbeta": "dfbeta_", "dfbetas": "dfb_"}.get(name)
    if prefix is None:
        return frame[name].to_numpy()[i]
    return frame.filter(regex=f"^{prefix}").to_numpy()[i]


# -- the definitions, by refits without the row ------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["fixed", "folded"])
@pytest.mark.parametrize("weights", ["ones", "positive", "zeros", "counts"])
@pytest.mark.parametrize("strength", [0.0, 4.0])
def test_least_squares_measures_are_those_of_refits(protocol, weights, strength):
    problem = make_problem(
        SQUARED, 24, 3, 5, weights=weights, offset=True, strength=strength, protocol=protocol, intercept=True
    )
    frequency = weights == "counts"
    frame = ist.Fit.minimise(problem.risk()).diagnostics(ALL_COLUMNS, frequency=frequency)
    truth = PlainInference(problem.plain(), "model", frequency=frequency)
    for i in (0, 7, 23, int(np.argmin(problem.plain().weights))):
        for name, value in truth.diagnostics(i).items():
            assert_allclose(one_value_of(frame, name, i), value, rtol=CHANGES, atol=CLOSED_FORM, err_msg=name)


@pytest.mark.parametrize("protocol", ["fixed", "folded"])
@pytest.mark.parametrize("case", [LOGISTIC, SIGNED], ids=str)
def test_logistic_measures_are_those_of_refits_when_asked(case, protocol):
    problem = make_problem(
        case, 30, 3, 4, weights="positive", strength=1.0, protocol=protocol, intercept=True
    )
    fit = ist.Fit.minimise(problem.risk())
    frame = fit.diagnostics(ALL_COLUMNS, method="exact")
    truth = PlainInference(problem.plain(), "model", phi=1.0)
    for i in (0, 11, 29):
        for name, value in truth.diagnostics(i).items():
            assert_allclose(
                one_value_of(frame, name, i), value, rtol=STANDARD_ERRORS, atol=INVERTED, err_msg=name
            )
    newton = fit.leave_one_out(method="newton").delta
    assert_allclose(fit.diagnostics("dfbeta").to_numpy(), -newton, rtol=CHANGES, atol=SUMS)


def test_the_dispersion_without_a_row_of_a_gamma_model():
    rng, X = design(n=60)
    mean = np.exp(0.4 * X["a"] - 0.3 * X["b"] + 1.0)
    y = rng.gamma(4.0, mean / 4.0)
    family = sm.families.Gamma(sm.families.links.Log())
    results = sm.GLM(y, X, family=family).fit()
    fit = ist.from_statsmodels(results, polish=True)
    refits = np.array(
        [sm.GLM(np.delete(y, i), X.drop(X.index[i]), family=family).fit().scale for i in range(60)]
    )
    columns = ["resid_deviance", "resid_pearson", "hat_diag", "student_resid"]
    for method in ("exact", "newton"):
        frame = fit.diagnostics(columns, method=method)
        h, d = frame["hat_diag"], frame["resid_deviance"]
        square = d**2 + h * frame["resid_pearson"] ** 2 / (1.0 - h)
        found = square / frame["student_resid"] ** 2  # phi without the row
        truth = refits if method == "exact" else (np.sum(d**2) - d**2 / (1.0 - h)) / (60 - 4 - 1)
        assert_allclose(found, truth, rtol=STOPPED)  # IRLS stops at about 1e-7
    assert (np.sign(frame["student_resid"]) == np.sign(y - results.fittedvalues)).all()


# -- statsmodels, where it is right ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plain", "longley", "stackloss", "statecrime"])
def test_least_squares_measures_equal_those_of_statsmodels(name):
    if name == "plain":
        rng, X = design()
        results = sm.OLS(X @ np.arange(4.0) + rng.normal(size=200), X).fit()
    else:
        data = getattr(sm.datasets, name).load_pandas()
        results = sm.OLS(data.endog, sm.add_constant(data.exog)).fit()
    theirs = OLSInfluence(results)
    expected = theirs.summary_frame()
    ours = ist.from_statsmodels(results).diagnostics(
        ["dfbetas", *STATSMODELS, "student_resid", "dffits", "cov_ratio"]
    )
    assert list(ours.columns[:-1]) == list(expected.columns)
    assert list(ours.index) == list(expected.index)
    assert_allclose(
        ours.to_numpy()[:, :-1], expected.to_numpy(), rtol=NORMAL_EQUATIONS, atol=NORMAL_EQUATIONS
    )
    # statsmodels takes determinants of badly scaled covariances
    assert_allclose(ours["cov_ratio"], theirs.cov_ratio, rtol=1e-6 if name == "longley" else 1e-8)


def canonical_models():
    rng, X = design()
    eta = X @ np.array([0.2, 0.5, -0.4, 0.3])
    binary = (rng.random(200) < 1 / (1 + np.exp(-eta))).astype(float)
    counts = rng.poisson(np.exp(eta)).astype(float)
    offset = rng.normal(scale=0.3, size=200)
    tight = {"tol": 1e-13, "tol_criterion": "params"}
    families = sm.families
    yield "Logit", sm.Logit(binary, X).fit(disp=0, tol=1e-13)
    yield "Logit with offset", sm.Logit(binary, X, offset=offset).fit(disp=0, tol=1e-13)
    yield "Poisson with offset", sm.Poisson(counts, X, offset=offset).fit(disp=0, tol=1e-13)
    yield "GLM binomial", sm.GLM(binary, X, family=families.Binomial()).fit(**tight)
    yield "GLM Poisson", sm.GLM(counts, X, family=families.Poisson()).fit(**tight)
    yield "GLM Poisson, offset", sm.GLM(counts, X, offset=offset, family=families.Poisson()).fit(**tight)
    yield "GLM Gaussian", sm.GLM(eta + rng.normal(size=200), X).fit(**tight)


CANONICAL = dict(canonical_models())


@pytest.mark.parametrize("name", CANONICAL)
def test_canonical_models_equal_statsmodels(name):
    results = CANONICAL[name]
    expected = results.get_influence().summary_frame()
    ours = ist.from_statsmodels(results).diagnostics(["dfbetas", *STATSMODELS], deleted_scale=False)
    assert list(ours.columns) == list(expected.columns)
    if "offset" in name:  # statsmodels' get_prediction() leaves the offset out: take its other columns
        wrong = expected["dffits_internal"]
        h = expected["hat_diag"]
        expected["dffits_internal"] = expected["standard_resid"] * np.sqrt(h / (1.0 - h))
        assert np.max(np.abs(wrong - expected["dffits_internal"])) > 0.1
    assert_allclose(ours[expected.columns], expected, rtol=NORMAL_EQUATIONS, atol=NORMAL_EQUATIONS)


def test_a_logit_equals_mle_influence():
    results = CANONICAL["Logit"]
    theirs = MLEInfluence(results)
    ours = ist.from_statsmodels(results).diagnostics(["dfbeta", "cooks_d"])
    assert_allclose(ours.to_numpy()[:, :4], theirs.d_params, rtol=CHANGES, atol=INVERTED)
    assert_allclose(ours["cooks_d"], theirs.cooks_distance[0], rtol=CHANGES)


# -- where statsmodels is wrong: the truth is a refit ------------------------------------------------------


def test_weighted_least_squares_is_right_where_ols_influence_is_not():
    rng, X = design(n=80)
    w = rng.uniform(0.1, 4.0, 80)
    y = X @ np.arange(4.0) + rng.normal(size=80) / np.sqrt(w)
    results = sm.WLS(y, X, weights=w).fit()
    refits = [sm.WLS(y.drop(i), X.drop(i), weights=w[X.index != i]).fit() for i in X.index]
    ours = ist.from_statsmodels(results).diagnostics(["dfbeta", "student_resid"])
    truth = np.array([results.params - refit.params for refit in refits])
    assert_allclose(ours.to_numpy()[:, :4], truth, rtol=CHANGES, atol=CLOSED_FORM)
    assert np.max(np.abs(OLSInfluence(results).dfbeta - truth)) > 0.1 * np.max(np.abs(truth))
    scales = np.array([refit.scale for refit in refits])
    q, _ = np.linalg.qr(X.mul(np.sqrt(w), axis=0))
    left = 1.0 - (q**2).sum(axis=1)
    assert_allclose(
        ours["student_resid"], results.wresid / np.sqrt(scales * left), rtol=STANDARD_ERRORS, atol=TWO_FITS
    )


def test_counts_stand_for_that_many_rows():
    rng, X = design(n=60)
    f = rng.integers(1, 5, 60)
    y = (rng.random(60) < 0.4).astype(float)
    tight = {"tol": 1e-13, "tol_criterion": "params"}
    results = sm.GLM(y, X, family=sm.families.Binomial(), freq_weights=f).fit(**tight)
    ours = ist.from_statsmodels(results, drop="row").diagnostics("dfbeta", method="exact").to_numpy()
    for i in (0, 17, 59):
        left = np.arange(60) != i
        refit = sm.GLM(y[left], X[left], family=sm.families.Binomial(), freq_weights=f[left])
        truth = results.params - refit.fit(**tight).params
        assert_allclose(ours[i], truth, rtol=CHANGES, atol=INVERTED)


# -- identities -------------------------------------------------------------------------------------------


@examples(40)
@given(problems(solvable=True, decades=2))
def test_leverages_sum_to_the_effective_degrees_of_freedom(problem):
    fit = ist.Fit.minimise(problem.risk())
    leverage = Leverage(fit)
    plain = problem.plain()
    hessian, penalty = plain.hessian(fit.theta), np.diag(plain.kappa * plain.D) / plain.total_weight
    freedom = np.trace(solve(hessian, hessian - penalty))
    # p eigenvalues from 0 to 1, each to the rounding of 1 where it is 0 but for rounding.
    size = len(hessian) * max(1.0, relative(hessian, plain.hessian_size(fit.theta)))
    assert_within(leverage.values.sum(), leverage.effective_degrees_of_freedom, size)
    assert_within(leverage.values.sum(), freedom, size)


@examples(40)
@given(problems(losses=LOSSES[:3], protocols=("fixed",), solvable=True, weights=POSITIVE))
def test_cooks_distance_from_dfbeta_is_the_classical_formula(problem):
    fit = ist.Fit.minimise(problem.risk())
    frame = fit.diagnostics(["cooks_d", "standard_resid", "hat_diag", "dfbeta"], dispersion=1.7)
    h, r = frame["hat_diag"], frame["standard_resid"]
    edf = h.sum()
    assume((h < 0.999).all())
    change = frame.to_numpy()[:, 3:]
    S = fit.hessian.to_dense() * fit.risk.total_weight
    phi = 1.7 * (2.0 if problem.case is SQUARED else 1.0)  # (y - eta)^2 is twice the likelihood's square
    by_change = np.einsum("ij,jk,ik->i", change, S, change) / (phi * edf)
    plain = problem.plain()
    # Two factors of 1 / (1 - h) have the leverage's own rounding, in each of the two forms; edf is p less
    # what the penalty takes, whose rounding is of the size of p.
    size = 4.0 * by_change * (1.0 / (1.0 - h) + change.shape[1] / edf)
    size *= relative(plain.hessian(fit.theta), plain.hessian_size(fit.theta))
    assert_within(frame["cooks_d"], by_change, size)
    assert_within(frame["cooks_d"], r**2 * h / (edf * (1.0 - h)), size)


@examples(30)
@given(problems(losses=LOSSES[:3], solvable=True, weights=POSITIVE))
def test_dfbeta_is_minus_the_newton_step(problem):
    fit = ist.Fit.minimise(problem.risk())
    delta = fit.leave_one_out(method="newton").delta
    plain, theta = problem.plain(), fit.theta
    share = plain.weights[:, None] / plain.total_weight
    rows = share * plain.row_gradient_sizes(theta) + plain.gradient_size(theta)
    size = solved(plain.hessian(theta), plain.hessian_size(theta), delta, rows)
    left = 1.0 - Leverage(fit).values  # what is left of the curvature along the row
    assert_within(fit.diagnostics("dfbeta").to_numpy(), -delta, size / left[:, None] + np.abs(theta))


def test_units_of_the_columns_change_nothing():
    rng, X = design()
    y = X @ np.ones(4) + rng.normal(size=200)
    units = np.array([1.0, 1e-7, 1e6, 1e3])
    frames = [
        ist.Ridge(lam=0.0, protocol="fixed").fit(X * u, y).diagnostics([*CHEAP, "dfbetas"])
        for u in (np.ones(4), units)
    ]
    assert_allclose(frames[0], frames[1], rtol=TWO_FITS, atol=SOLVED)


def test_nearly_collinear_columns_keep_their_digits():
    rng, X = design(n=50)
    X["b"] = X["a"] + 1e-5 * X["b"]
    y = X @ np.ones(4) + rng.normal(size=50)
    q, _ = np.linalg.qr(X.to_numpy())
    h = ist.Ridge(lam=0.0, protocol="fixed").fit(X, y).diagnostics("hat_diag")["hat_diag"]
    assert_allclose(h, (q**2).sum(axis=1), rtol=TWO_FITS)


def test_means_that_hardly_move_overflow_nothing():
    X = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, -1e3]])
    risk = ist.LinearRisk(ist.SignedLogisticLoss(), X, np.array([1.0, -1.0, 1.0, -1.0]), penalty=ist.L2(1.0))
    with np.errstate(over="raise"):
        frame = ist.Fit(risk, [0.3, 0.7], tolerance=np.inf).diagnostics(["cooks_d"], dispersion="X2")
    assert np.isfinite(frame["cooks_d"]).all()
