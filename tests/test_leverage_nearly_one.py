"""Rows so far away that the fit goes through them: truth in rational arithmetic, whatever the distance."""

import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import influstat as ist
from influstat.statistics.leverage import Leverage

ROUNDING = 1e-10  # what the other 11 rows have of digits, times a few dozen
REFIT = 1e-8  # 1 - leverage is 1e-8 at the nearest of these distances, and the refit is made of that
# statsmodels takes such a design for rank-deficient, and leaves a column out; polish=True brings it back.
pytestmark = pytest.mark.filterwarnings("ignore:The design matrix is rank-deficient")
DISTANCES = (1e4, 1e6, -1e9, 999999999.0, 1e12)


def inverse(matrix):
    """Return the inverse of a list of lists of fractions."""
    p = len(matrix)
    rows = [row[:] + [Fraction(int(i == j)) for j in range(p)] for i, row in enumerate(matrix)]
    for k in range(p):
        pivot = next(i for i in range(k, p) if rows[i][k] != 0)
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [entry / rows[k][k] for entry in rows[k]]
        for i in range(p):
            if i != k:
                rows[i] = [a - rows[i][k] * b for a, b in zip(rows[i], rows[k], strict=True)]
    return [row[p:] for row in rows]


class Truth:
    """Weighted least squares by its formulas, exactly."""

    def __init__(self, X, y, weights):
        X, y, w = (
            [[Fraction(float(a)) for a in row] for row in X],
            *(list(map(Fraction, v)) for v in (y, weights)),
        )
        n, p = len(y), len(X[0])
        every, coefficients = range(n), range(p)
        S = inverse(
            [[sum(w[i] * X[i][a] * X[i][b] for i in every) for b in coefficients] for a in coefficients]
        )
        moment = [sum(w[i] * X[i][a] * y[i] for i in every) for a in coefficients]
        theta = [sum(S[a][b] * moment[b] for b in coefficients) for a in coefficients]
        e = [y[i] - sum(X[i][a] * theta[a] for a in coefficients) for i in every]
        SX = [[sum(S[a][b] * X[i][b] for b in coefficients) for a in coefficients] for i in every]
        left = [1 - w[i] * sum(X[i][a] * SX[i][a] for a in coefficients) for i in every]
        Q = sum(w[i] * e[i] ** 2 for i in every)
        without = [(Q - w[i] * e[i] ** 2 / left[i]) / (n - p - 1) for i in every]
        root = [float(w[i] * e[i] ** 2 / (without[i] * left[i])) ** 0.5 for i in every]
        self.student_resid = np.copysign(root, [float(one) for one in e])
        self.cooks_d = np.array(
            [float(w[i] * e[i] ** 2 * (1 - left[i]) * (n - p) / (p * Q * left[i] ** 2)) for i in every]
        )
        self.dfbeta = np.array(
            [[float(w[i] * e[i] / left[i] * SX[i][a]) for a in coefficients] for i in every]
        )
        self.variances = {
            kind: np.array(
                [
                    float(sum((w[i] * e[i] * SX[i][a]) ** 2 / left[i] ** k for i in every))
                    for a in coefficients
                ]
            )
            for kind, k in (("HC2", 1), ("HC3", 2))
        }


def data(distance, *, second=False, weighted=False):
    """Return 12 rows, the first far away in one column, and if `second` the next in the other."""
    rng = np.random.default_rng(4)
    X = np.c_[np.ones(12), rng.normal(3.0, 1.0, (12, 2))]
    X[0, 1] = distance
    if second:
        X[1, 2] = -10.0 * distance
    return X, rng.normal(size=12), rng.uniform(0.5, 2.0, 12) if weighted else np.ones(12)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_measures_and_covariances_are_those_of_rational_arithmetic(distance, second, weighted):
    X, y, w = data(distance, second=second, weighted=weighted)
    truth = Truth(X, y, w)
    fit = ist.from_statsmodels(sm.WLS(y, X, weights=w).fit(), polish=True)
    for method in ("newton", "exact"):
        table = fit.diagnostics("all", method=method)
        assert not table.isna().any(axis=None)
        np.testing.assert_allclose(table["student_resid"], truth.student_resid, rtol=ROUNDING)
        np.testing.assert_allclose(table["cooks_d"], truth.cooks_d, rtol=ROUNDING)
        size = np.abs(truth.dfbeta[:, 1]).max()
        np.testing.assert_allclose(table["dfbeta_x1"], truth.dfbeta[:, 1], rtol=0, atol=ROUNDING * size)
    for kind, variances in truth.variances.items():
        np.testing.assert_allclose(np.diag(fit.covariance(kind)), variances, rtol=ROUNDING)
    assert fit.outlier_test().to_frame()["student_resid"].notna().all()


@pytest.mark.parametrize("distance", DISTANCES)
def test_steps_are_those_of_rational_arithmetic_beside_a_row_that_alone_determines_a_coefficient(distance):
    X, y, _ = data(distance)
    X[:, 2] = np.where(np.arange(12) == 3, X[:, 2], 0.0)  # with a constant, and a place in the other column
    apart = Leverage(ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, y))).apart
    assert apart.rows.tolist() == [0]
    rows = [[Fraction(float(a)) for a in row] for row in X]
    S = inverse([[sum(2 * x[a] * x[b] for x in rows) for b in range(3)] for a in range(3)])
    right = [float(sum(S[a][b] * rows[0][b] for b in range(3))) for a in range(3)]
    np.testing.assert_allclose(apart.steps[0], right, rtol=ROUNDING)


@pytest.mark.parametrize("distance", [1e6, -1e9, 1e12])
@pytest.mark.parametrize("seed", range(4))
def test_a_penalty_keeps_its_digits_beside_rows_far_away_in_every_column(seed, distance):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(12, 3)), rng.normal(size=12)
    X[0] *= distance
    X[1] *= 1e-2 * distance
    fit = ist.Fit.minimise(
        ist.LinearRisk(ist.SquaredError(), X, y, penalty=ist.L2(1.0, unpenalised=(2,)), protocol="fixed")
    )
    rows, K = [[Fraction(float(a)) for a in row] for row in X], fit.risk.penalty.hessian(fit.theta).dense()
    every = range(3)
    S = inverse(
        [[sum(2 * x[a] * x[b] for x in rows) + Fraction(float(K[a, b])) for b in every] for a in every]
    )
    right = [1 - 2 * sum(row[a] * S[a][b] * row[b] for a in every for b in every) for row in rows]
    apart = Leverage(fit).apart
    assert apart.rows.tolist() == [0, 1]
    np.testing.assert_allclose(apart.left, [float(right[0]), float(right[1])], rtol=1e-6)


@pytest.mark.parametrize("distance", DISTANCES)
def test_inference_without_the_row_is_that_of_the_refit(distance):
    X, y, _ = data(distance)
    results = sm.OLS(y, X).fit()
    fit = ist.from_statsmodels(results, polish=True)
    change = fit.inference().leave_one_out(rows=[0, 5])
    assert change.status == ("", "")
    right = sm.OLS(y[1:], X[1:]).fit().bse - fit.inference().to_frame()["standard_errors"].to_numpy()
    np.testing.assert_allclose(change.to_frame().iloc[0], right, rtol=REFIT)


def test_a_row_that_alone_determines_a_coefficient_is_still_said_to():
    X, y, _ = data(1e9)
    X = np.c_[X, np.arange(12) == 3]
    fit = ist.from_statsmodels(sm.OLS(y, X).fit(), polish=True)
    with pytest.warns(ist.errors.DoubtfulResult, match="it alone determines a coefficient"):
        table = fit.diagnostics()
    assert np.isnan(table["student_resid"]).to_numpy().nonzero()[0].tolist() == [3]
    others = np.arange(12) != 3
    right = Truth(X[others, :3], y[others], np.ones(11))
    np.testing.assert_allclose(table["student_resid"][others], right.student_resid, rtol=ROUNDING)
    with pytest.warns(ist.errors.DoubtfulResult, match="has leverage 1"):
        variances = np.diag(fit.covariance("HC3"))
    np.testing.assert_allclose(variances[:3], right.variances["HC3"], rtol=ROUNDING)
    assert np.isnan(variances[3])


def test_losses_with_a_deviance_say_that_its_digits_are_gone_and_have_their_hc3():
    rng = np.random.default_rng(1)
    X, y = np.c_[np.ones(31), np.r_[1e7, rng.normal(size=30)]], rng.poisson(2.0, 31)
    y[0] = 3  # of 0 the mean is 0, at no cost
    fit = ist.Fit.minimise(ist.LinearRisk(ist.PoissonLoss(), X, y))
    with pytest.warns(ist.errors.DoubtfulResult, match="leverage is 1 up to rounding"):
        table = fit.diagnostics()
    assert pd.isna(table["student_resid"].iloc[0])
    # S and 1 - h by rational arithmetic at theta; the slope of the first row from the gradient of the others.
    mean = np.exp(X @ fit.theta)
    slope = mean - y
    slope[0] = -(slope[1:] @ X[1:, 0])
    rows, m = [[Fraction(float(a)) for a in row] for row in X], [Fraction(float(a)) for a in mean]
    S = inverse(
        [[sum(m[i] * rows[i][a] * rows[i][b] for i in range(31)) for b in range(2)] for a in range(2)]
    )
    steps = [[sum(S[a][b] * row[b] for b in range(2)) for a in range(2)] for row in rows]
    left = [1 - m[i] * sum(rows[i][a] * steps[i][a] for a in range(2)) for i in range(31)]
    right = [float(sum((Fraction(slope[i]) * steps[i][a] / left[i]) ** 2 for i in range(31))) for a in (0, 1)]
    # As near as the search comes to the minimum, where the gradients of both columns say the same.
    np.testing.assert_allclose(np.diag(fit.covariance("HC3")), right, rtol=1e-6)


@pytest.mark.parametrize("protocol", ["fixed", "folded"])
@pytest.mark.parametrize("distance", DISTANCES)
def test_cross_validated_penalties_are_those_of_refits(distance, protocol):
    X, y, _ = data(distance)
    fit = ist.Ridge(lam=1.0, protocol=protocol).fit(X[:, 1:], y)
    lams = (1e-3, 1.0, 50.0)
    found = ist.cross_validate_lam(fit, lams)
    for value, lam in zip(found, lams, strict=True):
        errors = []
        for i in range(12):
            kept = np.arange(12) != i
            share = 11 / 12 if protocol == "folded" else 1.0
            one = ist.Ridge(lam=lam * share, protocol="fixed").fit(X[kept, 1:], y[kept])
            errors.append((y[i] - one.predict(X[[i], 1:])[0]) ** 2)
        np.testing.assert_allclose(value, np.mean(errors), rtol=REFIT)


@pytest.mark.parametrize(("distance", "said"), [(10.0, 0), (1e6, 1), (1e12, 1)])
def test_clusters_adjusted_with_a_far_row_say_so(distance, said):
    rng = np.random.default_rng(3)
    x, firm = rng.normal(size=60), np.arange(60) % 9
    x[7] = distance
    fit = ist.Ridge(lam=0.0).fit(np.column_stack([np.ones(60), x]), x + rng.normal(size=60))
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        fit.inference("CR2", groups=firm)
        fit.covariance("CR2", groups=firm)  # it has been said
    assert [one.filename for one in heard] == said * [__file__]
    assert all("row 7 lies so far away" in str(one.message) for one in heard)


@pytest.mark.parametrize("alpha", [1e-8, 1e-6, 1e-2, 1.0])
def test_the_spline_of_a_row_far_away_has_the_hc3_of_its_refits(alpha):
    from statsmodels.gam.api import BSplines, GLMGam

    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(size=60))
    x[-1] = 3.0
    y = np.sin(3.0 * x) + 0.3 * rng.normal(size=60)
    smoother = BSplines(x[:, None], df=[8], degree=[3])
    results = GLMGam(y, exog=np.ones((60, 1)), smoother=smoother, alpha=[alpha]).fit()
    fit = ist.from_statsmodels(results)
    np.testing.assert_allclose(fit.covariance("HC3") * 59.0 / 60.0, fit.covariance("jackknife"), rtol=1e-5)
    np.testing.assert_allclose(fit.inference("HC0").table.standard_errors, _gam_hc0(results), rtol=1e-7)


def _gam_hc0(results):
    """Return HC0 by the library's scores, in which each row has a share of the penalty."""
    scores = results.model.score_obs(results.params)
    inverse = np.linalg.inv(results.model.hessian(results.params))
    return np.sqrt(np.diag(inverse @ scores.T @ scores @ inverse))
