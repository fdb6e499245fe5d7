"""Residuals have the sign of y minus its mean, and exact deletion has the dispersion of the refit."""

import warnings

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.tools.sm_exceptions import DomainWarning

import influstat as ist
from tests.statsmodels_models import GENERALISED
from tests.tolerance import INVERTED

PLAIN = [case for case in GENERALISED if not case.name.startswith("GLMGam") and "freq" not in case.name]
# R's figures of glm(stack.loss ~ Air.Flow + Water.Temp + Acid.Conc., Gamma) on its `stackloss`, in rows 1, 4,
# 17 and 21.
R = {
    "hat_diag": [0.449802282728, 0.14469878151, 0.284259240357, 0.361032087127],
    "cooks_d": [0.0555090250711, 0.257852023223, 0.0681181968422, 0.0476030680129],
    "standard_resid_deviance": [-0.537844951909, 2.12852463465, -0.878771949881, -0.603103727676],
    "student_resid": [-0.52882076417, 2.5339476995, -0.8753814764, -0.594653763748],
    "dffits": [-0.484857477774, 1.01712234967, -0.56063034338, -0.453041291296],
    "cov_ratio": [2.1570142264, 0.408248154137, 1.4678869999, 1.82321585667],
    "standard_resid": [-0.521147141562, 2.4691210146, -0.828289482284, -0.580515862718],
    "resid_deviance": [-0.0938810250721, 0.463233074688, -0.174950583355, -0.113446962335],
    "resid_pearson": [-0.0909664164172, 0.537357426241, -0.164900265799, -0.109198066917],
    "resid_response": [-4.20291346604, 9.78692897171, -1.57969410403, -1.83876004634],
}


def gamma(y, X, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DomainWarning)  # the inverse link
        tight = {"tol": 1e-14, "tol_criterion": "params", "maxiter": 200}
        return sm.GLM(y, X, family=sm.families.Gamma(), **options).fit(**tight)


@pytest.mark.dear
@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_residuals_are_those_of_statsmodels(case):
    results = case.refitted()
    columns = ["resid_pearson", "resid_deviance", "resid_response", "student_resid", "standard_resid"]
    frame = ist.from_statsmodels(results, **case.settings).diagnostics(columns)
    model = results.model
    np.testing.assert_allclose(frame["resid_pearson"], results.resid_pearson, rtol=1e-6, atol=1e-8)
    # a deviance is a difference: next to the mean half of its digits are left
    np.testing.assert_allclose(frame["resid_deviance"], results.resid_deviance, rtol=1e-5, atol=1e-6)
    sign = np.sign(model.endog - results.mu)
    for name in columns:
        assert (np.sign(frame[name]) == sign).all(), name


def test_measures_of_a_gamma_with_the_inverse_link_are_those_of_r():
    data = sm.datasets.stackloss.load_pandas()
    frame = ist.from_statsmodels(gamma(data.endog, sm.add_constant(data.exog))).diagnostics(list(R))
    rows = frame.iloc[[0, 3, 16, 20]]
    for name, truth in R.items():
        np.testing.assert_allclose(rows[name], truth, rtol=1e-8, err_msg=name)


def test_exact_deletion_has_the_dispersion_of_the_refit():
    y = np.array([118.0, 58, 42, 35, 27, 25, 21, 19, 18])
    X = sm.add_constant(np.log([5.0, 10, 15, 20, 30, 40, 60, 80, 100]))
    results = gamma(y, X)
    fit = ist.from_statsmodels(results)
    frame = fit.diagnostics(
        ["resid_deviance", "resid_pearson", *(["hat_diag", "student_resid", "dffits", "cov_ratio"])],
        method="exact",
    )
    assert not any(frame.attrs["status"])
    for row in range(9):
        refit = gamma(np.delete(y, row), np.delete(X, row, axis=0))
        one = frame.iloc[row]
        square = one.resid_deviance**2 + one.hat_diag * one.resid_pearson**2 / (1.0 - one.hat_diag)
        truth = {
            "student_resid": np.sign(one.resid_deviance) * np.sqrt(square / refit.scale),
            "dffits": -X[row]
            @ (results.params - refit.params)
            / np.sqrt(refit.scale * X[row] @ results.normalized_cov_params @ X[row]),
            "cov_ratio": np.linalg.det(refit.cov_params()) / np.linalg.det(results.cov_params()),
        }
        for name, value in truth.items():
            np.testing.assert_allclose(one[name], value, rtol=1e-6, err_msg=name)


def test_a_negative_one_step_dispersion_says_what_to_do():
    x = np.array([0.6, 1.8, 0.5, 0.4, 1.7, 0.3, 0.6, 8.0])
    y = np.array([1.3, 1.9, 1.1, 1.0, 1.9, 1.1, 1.1, 1.0])
    X, family = sm.add_constant(x), sm.families.Gamma(sm.families.links.Log())
    tight = {"tol": 1e-14, "tol_criterion": "params"}
    fit = ist.from_statsmodels(sm.GLM(y, X, family=family).fit(**tight))
    columns = ["student_resid", "hat_diag", "resid_deviance", "resid_pearson"]
    with pytest.warns(ist.errors.DoubtfulResult, match="1 of 8 rows .* one-step dispersion is not positive"):
        frame = fit.diagnostics(columns)
    assert "method='exact'" in frame.attrs["status"][7]
    one = fit.diagnostics(columns, method="exact").iloc[7]
    refit = sm.GLM(y[:7], X[:7], family=family).fit(**tight)
    square = one.resid_deviance**2 + one.hat_diag * one.resid_pearson**2 / (1.0 - one.hat_diag)
    np.testing.assert_allclose(one.student_resid, -np.sqrt(square / refit.scale), rtol=1e-7)


def test_studentised_residuals_of_a_logit_stay_of_the_size_of_deviances():
    x = np.r_[np.linspace(-2.0, 2.0, 40), 9.0]
    y = np.r_[(np.arange(40) % 7 < np.arange(40) / 6).astype(float), 0.0]
    results = sm.Logit(y, sm.add_constant(x)).fit(disp=0, tol=1e-13)
    fit = ist.from_statsmodels(results)
    frame = fit.diagnostics(["student_resid", "hat_diag", "resid_deviance", "resid_pearson"])
    h, d, r = frame["hat_diag"], frame["resid_deviance"], frame["resid_pearson"]
    np.testing.assert_allclose(frame["student_resid"] ** 2, d**2 + h * r**2 / (1.0 - h), rtol=INVERTED)
    np.testing.assert_allclose(d, results.resid_dev, rtol=1e-8)
