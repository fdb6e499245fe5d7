"""Covariances, standard errors and how they hang on rows: definitions, refits, statsmodels, identities."""

import numpy as np
import pandas as pd
import pytest
import statsmodels
import statsmodels.api as sm
from hypothesis import given
from statsmodels.tools.sm_exceptions import DomainWarning

import influstat as ist
from influstat.errors import Unsupported
from influstat.statistics.covariance import KINDS
from influstat.statistics.inference_table import QUANTITIES
from tests.budget import examples
from tests.cases import LOSSES, make_problem, problems
from tests.reference import derivative
from tests.row_measures import PlainInference
from tests.tolerance import CHANGES, CLOSED_FORM, INVERTED, SLOPES, SOLVED, STANDARD_ERRORS, STOPPED, TWO_FITS

SQUARED, LOGISTIC, SIGNED, HINGE = LOSSES[0], LOSSES[1], LOSSES[2], LOSSES[3]
SANDWICHES = ("HC0", "HC1", "HC2", "HC3", "cluster")
POSITIVE = ("ones", "positive", "counts")


def linear_data(n=80, seed=0):
    rng = np.random.default_rng(seed)
    X = sm.add_constant(pd.DataFrame(rng.normal(size=(n, 3)), columns=["a", "b", "c"]))
    y = X @ np.array([1.0, 0.5, -0.3, 0.0]) + rng.normal(size=n) * np.exp(0.3 * X["a"])
    return X, y, np.repeat(np.arange(n // 4), 4)


def clusters_of(n):
    return np.arange(n) % 5


def plain_inference(problem, kind, **changes):
    phi = None if problem.case is SQUARED else 1.0
    clusters = clusters_of(problem.n) if kind == "cluster" else None
    return PlainInference(problem.plain(), kind, phi=phi, clusters=clusters, **changes)


def inference_of(fit, kind, **settings):
    groups = clusters_of(fit.risk.shape[0]) if kind == "cluster" else None
    return fit.inference(kind, groups=groups, **settings)


def stacked(table):
    """Return the five quantities as one array, shape (5, p) or (5, k, p)."""
    return np.array([getattr(table, name) for name in QUANTITIES])


PROBLEMS = [
    (SQUARED, "fixed", "ones", 0.0),
    (SQUARED, "folded", "positive", 2.0),
    (SQUARED, "fixed", "counts", 0.5),
    (LOGISTIC, "fixed", "positive", 2.0),
    (LOGISTIC, "folded", "zeros", 1.0),
    (SIGNED, "fixed", "counts", 0.5),
]


def problem_of(case, protocol, weights, strength):
    return make_problem(
        case, 16, 2, 3, weights=weights, strength=strength, protocol=protocol, intercept=True, offset=True
    )


# -- definitions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["model", *SANDWICHES])
@pytest.mark.parametrize(("case", "protocol", "weights", "strength"), PROBLEMS, ids=str)
def test_values_and_refits_follow_the_definitions(case, protocol, weights, strength, kind):
    problem = problem_of(case, protocol, weights, strength)
    frequency, use_t = weights == "counts", case is SQUARED
    fit = ist.Fit.minimise(problem.risk())
    found = inference_of(fit, kind, frequency=frequency)
    plain = plain_inference(problem, kind, frequency=frequency, use_t=use_t)
    ones = np.ones(problem.n)
    before = plain.table(ones)
    np.testing.assert_allclose(found.covariance, plain.covariance(ones), rtol=STANDARD_ERRORS, atol=INVERTED)
    np.testing.assert_allclose(stacked(found.table), before, rtol=STANDARD_ERRORS, atol=INVERTED)
    rows = [2, 13]
    changes = stacked(found.leave_one_out(rows=rows))
    for k, row in enumerate(rows):
        after = plain.table(np.where(np.arange(problem.n) == row, 0.0, 1.0))
        np.testing.assert_allclose(changes[:, k], after - before, rtol=STANDARD_ERRORS, atol=CHANGES)


@pytest.mark.parametrize("kind", ["model", *SANDWICHES])
@pytest.mark.parametrize(("case", "protocol", "weights", "strength"), PROBLEMS, ids=str)
def test_derivatives_are_those_in_the_case_weights(case, protocol, weights, strength, kind):
    problem = problem_of(case, protocol, weights, strength)
    frequency, use_t = weights == "counts", case is SQUARED
    found = inference_of(ist.Fit.minimise(problem.risk()), kind, frequency=frequency)
    plain = plain_inference(problem, kind, frequency=frequency, use_t=use_t)
    row = 7
    unit = np.eye(problem.n)[row]
    truth = derivative(lambda e: plain.table(1.0 + e * unit), 1e-3)
    ours = stacked(found.derivative())[:, row]
    np.testing.assert_allclose(ours, truth, rtol=SLOPES, atol=CHANGES * np.abs(truth).max() + TWO_FITS)
    np.testing.assert_array_equal(stacked(found.removal())[:, row], -ours)


@pytest.mark.parametrize("kind", ["model", "HC0", "HC3"])
@pytest.mark.parametrize("model", ["OLS", "Logit"])
def test_the_error_of_first_order_falls_as_one_over_n(model, kind):
    X, y, _ = linear_data(n=40)
    errors = []
    for copies in (2, 20):
        Xs, ys = np.tile(X, (copies, 1)), np.tile(y, copies)
        results = sm.OLS(ys, Xs) if model == "OLS" else sm.Logit((ys > 1.0).astype(float), Xs)
        found = ist.from_statsmodels(results.fit(**({} if model == "OLS" else {"disp": 0}))).inference(kind)
        exact = stacked(found.leave_one_out(rows=np.arange(40)))
        first = stacked(found.removal())[:, :40]
        errors.append(np.abs(first - exact).max(axis=(1, 2)) / np.abs(exact).max(axis=(1, 2)))
    smooth = [0, 1, 3, 4]  # p falls exponentially in t, whose own size grows with the copies
    assert np.all(errors[1][smooth] < errors[0][smooth] / 7.0)
    assert np.all(errors[1][smooth] < 0.05)


# -- statsmodels -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", ["OLS", "WLS"])
def test_least_squares_inference_equals_statsmodels(weights):
    X, y, groups = linear_data()
    w = np.random.default_rng(3).uniform(0.5, 2.0, len(y)) if weights == "WLS" else np.ones(len(y))

    def fitted(X, y, w, **settings):
        return sm.WLS(y, X, weights=w).fit(**settings)

    results = fitted(X, y, w)
    fit = ist.from_statsmodels(results if weights == "WLS" else sm.OLS(y, X).fit())
    _assert_same_inference(fit.inference(), results)
    for kind in ("HC0", "HC1", "HC2", "HC3"):
        _assert_same_inference(fit.inference(kind, use_t=False), fitted(X, y, w, cov_type=kind))
    clustered = fitted(X, y, w, cov_type="cluster", cov_kwds={"groups": groups})
    _assert_same_inference(fit.inference("cluster", groups=groups, use_t=False), clustered)
    with_t = fitted(X, y, w, cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    _assert_same_inference(fit.inference("cluster", groups=groups), with_t)


def _assert_same_inference(found, results):
    theirs = np.array([results.bse, results.tvalues, results.pvalues, *results.conf_int().to_numpy().T])
    np.testing.assert_allclose(found.covariance, results.cov_params(), rtol=TWO_FITS, atol=1e-14)
    np.testing.assert_allclose(stacked(found.table), theirs, rtol=TWO_FITS, atol=1e-14)


@pytest.mark.parametrize("model", ["Logit", "Poisson", "GLM gamma"])
def test_likelihood_inference_equals_statsmodels(model):
    X, y, _ = linear_data()
    if model == "Logit":
        results = sm.Logit((y > 1.0).astype(float), X).fit(disp=0, tol=1e-13)
        robust = sm.Logit((y > 1.0).astype(float), X).fit(disp=0, tol=1e-13, cov_type="HC0")
    elif model == "Poisson":
        results = sm.Poisson(np.floor(np.exp(y)), X).fit(disp=0, tol=1e-13)
        robust = sm.Poisson(np.floor(np.exp(y)), X).fit(disp=0, tol=1e-13, cov_type="HC0")
    else:  # the inverse link is canonical: observed and expected information agree
        rng = np.random.default_rng(5)
        mean = 1.0 / (3.0 + X @ np.array([0.0, 0.3, 0.2, -0.2]))
        with pytest.warns(DomainWarning):
            model = sm.GLM(rng.gamma(5.0, mean / 5.0), X, family=sm.families.Gamma())
        results = model.fit(tol=1e-13, tol_criterion="params")
        robust = model.fit(tol=1e-13, tol_criterion="params", cov_type="HC0")
    fit = ist.from_statsmodels(results, polish=True)
    for found, theirs in ((fit.inference(), results), (fit.inference("HC0"), robust)):
        truth = np.array([theirs.bse, theirs.tvalues, theirs.pvalues, *theirs.conf_int().to_numpy().T])
        np.testing.assert_allclose(stacked(found.table), truth, rtol=STANDARD_ERRORS, atol=INVERTED)


def test_refits_by_statsmodels_without_each_row_agree():
    X, y, groups = linear_data(n=40)
    fit = ist.from_statsmodels(sm.OLS(y, X).fit())
    for kind, settings_ in (("model", {}), ("HC3", {}), ("cluster", {"groups": groups})):
        found = fit.inference(kind, use_t=True, **settings_).leave_one_out()
        before = fit.inference(kind, use_t=True, **settings_).table
        for i in (0, 13, 39):
            left = np.arange(40) != i
            arguments = {} if kind == "model" else {"cov_type": kind, "use_t": True}
            if kind == "cluster":
                arguments["cov_kwds"] = {"groups": groups[left]}
            refit = sm.OLS(y[left], X[left]).fit(**arguments)
            truth = np.array([refit.bse, refit.tvalues, refit.pvalues, *refit.conf_int().to_numpy().T])
            np.testing.assert_allclose(
                stacked(found)[:, i] + stacked(before), truth, rtol=CHANGES, atol=CLOSED_FORM
            )


def test_the_closed_form_of_least_squares_equals_the_loop():
    for protocol in ("fixed", "folded"):
        problem = make_problem(
            SQUARED, 30, 3, 5, weights="positive", strength=2.0, protocol=protocol, intercept=True
        )
        found = ist.Fit.minimise(problem.risk()).inference()
        after, status = found._refitted(np.arange(30))
        assert not status
        ours = stacked(found.leave_one_out()) + stacked(found.table)[:, None]
        np.testing.assert_allclose(ours, after, rtol=CHANGES, atol=SOLVED)


# -- identities --------------------------------------------------------------------------------------------


@examples(30)
@given(problems(losses=LOSSES[:4], solvable=True))
def test_the_infinitesimal_jackknife_equals_hc0_and_comes_from_the_scores(problem):
    fit = ist.Fit.minimise(problem.risk())
    ours = fit.covariance("infinitesimal jackknife")
    changes = fit.influence().on_theta().removal
    size = np.sqrt(np.outer(np.diag(ours), np.diag(ours))) + 1e-300
    assert np.all(np.abs(ours - fit.covariance("HC0")) <= 1e-12 * size)
    assert np.all(np.abs(ours - changes.T @ changes) <= 1e-6 * size)


@examples(20)
@given(problems(losses=LOSSES[:1], solvable=True, weights=POSITIVE, protocols=("fixed",)))
def test_the_jackknife_equals_hc3_up_to_its_factor(problem):
    fit = ist.Fit.minimise(problem.risk())
    n = problem.n
    ours, robust = fit.covariance("jackknife"), (n - 1.0) / n * fit.covariance("HC3")
    np.testing.assert_allclose(ours, robust, rtol=STANDARD_ERRORS, atol=CHANGES * np.abs(robust).max())


@examples(15)
@given(problems(losses=LOSSES[:1], solvable=True, weights=POSITIVE, protocols=("fixed",), rows=(12, 25)))
def test_the_cluster_jackknife_equals_crv3(problem):
    fit = ist.Fit.minimise(problem.risk())
    groups = clusters_of(problem.n)
    plain = problem.plain()
    bread = np.linalg.inv(plain.X.T @ (plain.weights[:, None] * plain.X) + plain.kappa / 2 * np.diag(plain.D))
    residuals = problem.y - plain.X @ fit.theta - plain.offset
    steps = []
    for c in np.unique(groups):
        X, w = plain.X[groups == c], plain.weights[groups == c]
        inside = np.eye(len(w)) - X @ bread @ (w[:, None] * X).T
        steps.append(bread @ (w[:, None] * X).T @ np.linalg.solve(inside, residuals[groups == c]))
    steps = np.array(steps)
    k = len(steps)
    truth = (k - 1) / k * steps.T @ steps
    ours = fit.covariance("cluster jackknife", groups=groups)
    np.testing.assert_allclose(ours, truth, rtol=STANDARD_ERRORS, atol=STANDARD_ERRORS * np.abs(truth).max())


def test_the_cluster_jackknife_equals_that_of_statsmodels():
    if tuple(int(part) for part in statsmodels.__version__.split(".")[:2]) < (0, 15):
        pytest.skip("statsmodels has the cluster jackknife from 0.15 on")
    X, y, groups = linear_data()
    theirs = sm.OLS(y, X).fit(cov_type="cluster-crv3", cov_kwds={"groups": groups}).cov_params()
    fit = ist.from_statsmodels(sm.OLS(y, X).fit())
    np.testing.assert_allclose(fit.covariance("cluster jackknife", groups=groups), theirs, rtol=TWO_FITS)


def test_counts_are_rows_repeated():
    rng = np.random.default_rng(1)
    X, y, f = rng.normal(size=(30, 2)), rng.normal(size=30), rng.integers(1, 4, 30)
    counted = ist.Ridge(lam=0.0, protocol="fixed").fit(X, y, weights=f)
    repeated = ist.Ridge(lam=0.0, protocol="fixed").fit(np.repeat(X, f, axis=0), np.repeat(y, f))
    for kind in ("model", "HC0", "HC1", "HC2", "HC3"):
        found = counted.inference(kind, frequency=True)
        np.testing.assert_allclose(
            stacked(found.table), stacked(repeated.inference(kind).table), rtol=TWO_FITS
        )


# -- other risks and bad input -----------------------------------------------------------------------------


def test_a_multinomial_logit_has_covariances_and_refits():
    X, y, _ = linear_data()
    classes = np.digitize(y, [0.5, 1.5])
    results = sm.MNLogit(classes, X).fit(disp=0, method="newton", tol=1e-13)
    fit = ist.from_statsmodels(results)
    np.testing.assert_allclose(
        fit.covariance(dispersion=1.0), results.cov_params(), rtol=STANDARD_ERRORS, atol=INVERTED
    )
    robust = sm.MNLogit(classes, X).fit(disp=0, method="newton", tol=1e-13, cov_type="HC0")
    np.testing.assert_allclose(
        fit.covariance("HC0"), robust.cov_params(), rtol=STANDARD_ERRORS, atol=INVERTED
    )
    found = fit.inference("HC0").leave_one_out(rows=[3])
    refit = sm.MNLogit(np.delete(classes, 3), X.drop(3)).fit(disp=0, method="newton", cov_type="HC0")
    change = refit.bse.to_numpy().T.ravel() - fit.inference("HC0").table.standard_errors
    np.testing.assert_allclose(found.standard_errors[0], change, rtol=STOPPED, atol=CHANGES)
    for call in (lambda: fit.covariance("HC3"), lambda: fit.inference("HC0").derivative()):
        with pytest.raises(Unsupported, match="one linear predictor per row"):
            call()


def test_a_smoothed_hinge_has_robust_covariances_only():
    problem = make_problem(HINGE, 40, 3, 2, strength=1.0, intercept=True)
    fit = ist.Fit.minimise(problem.risk())
    assert np.all(np.isfinite(fit.inference("HC3").derivative().standard_errors))
    with pytest.raises(Unsupported, match="says nothing about the variance"):
        fit.covariance()


@pytest.mark.filterwarnings("ignore:.* takes residuals of 0 for errors of 0")  # test_covariance_said
def test_rows_that_cannot_be_left_out_are_nan_with_a_reason():
    X = np.column_stack([np.ones(8), np.eye(8)[:, 5]])
    fit = ist.Ridge(lam=0.0, protocol="fixed").fit(X, np.arange(8.0) ** 2, row_labels=list("abcdefgh"))
    for kind in ("model", "HC1"):
        with pytest.warns(ist.errors.DoubtfulResult, match="1 of 8 rows have no inference .* first f ."):
            found = fit.inference(kind).leave_one_out()
        assert [row for row, text in enumerate(found.status) if text] == [5]
        left = np.sqrt(7.0 / 8.0) if kind == "HC1" else 1.0  # N / (N - edf); it has no residual
        error = fit.inference(kind).table.standard_errors[0]
        assert abs(found.standard_errors[5, 0] - (left - 1.0) * error) < 1e-12 * error
        assert np.isnan(found.standard_errors[5, 1])
        assert np.isfinite(np.delete(found.standard_errors, 5, axis=0)).all()
    y = np.delete(np.arange(8.0) ** 2, 5)
    rest = ist.Ridge(lam=0.0, protocol="fixed").fit(np.ones((7, 1)), y)
    for kind, factor in (("HC2", 1.0), ("HC3", 1.0), ("jackknife", (7.0 / 8.0) / (6.0 / 7.0))):
        with pytest.warns(ist.errors.DoubtfulResult, match=f"{kind} covariance is nan for 1 of 2 .*: x1"):
            found = fit.covariance(kind)
        truth = np.full((2, 2), np.nan)
        truth[0, 0] = factor * rest.covariance(kind)[0, 0]  # row f adds nothing to the mean of the others
        np.testing.assert_allclose(found, truth, rtol=CLOSED_FORM)


def test_tables_are_labelled():
    X, y, _ = linear_data(n=20)
    found = ist.from_statsmodels(sm.OLS(y, X).fit()).inference()
    assert list(found.to_frame().index) == ["const", "a", "b", "c"]
    assert list(found.to_frame().columns) == list(QUANTITIES)
    frame = found.leave_one_out(rows=[3, 1]).to_frame("p_values")
    assert list(frame.index) == [3, 1]
    assert list(frame.columns) == ["const", "a", "b", "c"]
    with pytest.raises(ist.errors.InvalidArgument, match="quantity must be"):
        found.table.to_frame("bse")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"kind": "HC6"}, "kind must be 'model' or 'HC0'"),
        ({"kind": "cluster"}, "groups must have one label per row .3. for 'cluster', or two"),
        ({"kind": "cluster", "groups": [1, 2]}, "groups must have one label per row"),
        ({"kind": "cluster jackknife", "groups": [1, 1, 1]}, "groups must hold at least 2 clusters"),
        ({"kind": "HC0", "groups": [1, 2, 3]}, "groups must be left out for 'HC0'"),
        ({"level": 1.0}, "level must be below 1"),
        ({"level": 0.0}, "level must be greater than 0"),
        ({"use_t": 1}, "use_t must be True or False"),
        ({"frequency": "yes"}, "frequency must be True or False"),
    ],
)
def test_settings_that_make_no_sense_are_refused(arguments, sentence):
    fit = ist.Ridge(lam=1.0).fit([[1.0], [2.0], [3.0]], [1.0, 3.0, 2.0])
    with pytest.raises(ist.errors.InvalidArgument, match=sentence):
        fit.inference(**arguments)


def test_jackknives_have_no_derivative():
    fit = ist.Ridge(lam=1.0).fit([[1.0], [2.0], [3.0]], [1.0, 3.0, 2.0])
    with pytest.raises(Unsupported, match="kind must be one of model"):
        fit.inference("jackknife").derivative()
    assert set(KINDS) >= {"jackknife", "cluster jackknife", "infinitesimal jackknife"}


@pytest.mark.filterwarnings("ignore:The fit is perfect up to rounding")
@pytest.mark.parametrize("kind", ["model", "HC0", "HC3"])
def test_standard_errors_of_0_have_no_derivative(kind):
    X = np.column_stack([np.ones(12), np.arange(12.0)])
    fit = ist.Ridge(lam=0.0).fit(X, np.zeros(12))
    inference = fit.inference(kind)
    assert np.all(inference.table.standard_errors == 0.0)
    for call in (inference.derivative, inference.removal):
        with pytest.raises(Unsupported, match=r"above 0 for their derivatives, but it has one of 0 for 'x0'"):
            call()
