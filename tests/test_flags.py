"""Flags are R's stars, outlier tests statsmodels' p values, inflation factors those of R's car."""

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.outliers_influence import variance_inflation_factor
from statsmodels.tools.sm_exceptions import SingularMatrixWarning

import influstat as ist
from influstat.errors import DoubtfulResult, InvalidArgument, Unsupported
from tests import test_r_reference_glm as glm
from tests.argument_calls import GROUPS, LABELS, N, X, Y
from tests.r_figures import assert_no_disagreement, list_disagreement
from tests.statsmodels_models import CASES
from tests.test_r_reference_lm import FAST, REGULAR, fit_of
from tests.tolerance import CLOSED_FORM, SOLVED, STOPPED

SOFTMAX = ist.Fit.minimise(ist.SoftmaxRisk(X, GROUPS % 3, penalty=ist.L2(1.0)))
SLICES = [
    pytest.param(REGULAR[::FAST], id="some"),
    pytest.param([m for k, m in enumerate(REGULAR) if k % FAST], id="others", marks=pytest.mark.slow),
]
ADJUSTED = {"bonferroni": "bonferroni", "holm": "holm", "fdr_bh": "fdr_bh"}
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*rows have measures that do not exist:influstat.errors.DoubtfulResult"
)


def crime(**options):
    data = sm.datasets.statecrime.load_pandas().data
    return sm.OLS.from_formula("murder ~ urban + poverty + hs_grad + single", data).fit(**options)


@cache
def fit_of_crime():
    return ist.from_statsmodels(crime())


# -- R ------------------------------------------------------------------------------------------------------


def starred(fit):
    """Return the rows that are flagged, as R's stars are kept: {measure: positions}, dfb by position."""
    frame = fit.flags().to_frame()
    coefficients = [f"dfb_{j}" for j in range(len(fit.theta))]
    frame.columns = [*coefficients, *frame.columns[len(coefficients) :]]
    assert {str(kind) for kind in frame.dtypes} == {"bool"}
    return {name: np.flatnonzero(frame[name]).tolist() for name in frame.columns if frame[name].any()}


@pytest.mark.parametrize("models", SLICES)
def test_flags_are_the_stars_of_r(models):
    def differing(model):
        found, truth = starred(fit_of(model)), model.figures["stars"]
        return "" if found == truth else f"{found}, R {truth}"

    assert_no_disagreement(differing, models)


@pytest.mark.parametrize(("models", "measure"), glm.cases(["stars"], glm.KINDS))
def test_flags_of_a_glm_are_the_stars_of_r_but_for_dfbetas(models, measure):
    """R's DFBETAS of a glm are others, as is said in the tests of these models."""

    def differing(model):
        sides = starred(glm.fit_of(model)), model.figures[measure]
        found, truth = ({key: rows for key, rows in one.items() if key[:4] != "dfb_"} for one in sides)
        return "" if found == truth else f"{found}, R {truth}"

    assert_no_disagreement(differing, models)


@pytest.mark.parametrize("models", SLICES)
def test_the_outlier_of_r_has_its_p_values(models):
    def differing(model):
        row, _, *truth = model.figures["outlier"]
        line = fit_of(model).outlier_test().iloc[int(row)]
        truth[1] = min(1.0, truth[1])  # car leaves m p above 1 as it is
        return list_disagreement([line["p_values"], line["bonferroni"]], truth)

    assert_no_disagreement(differing, models)


@pytest.mark.parametrize("models", SLICES)
def test_inflation_factors_are_those_of_r(models):
    """R has one factor for all columns of a term where these are several: then there are fewer of them."""

    def differing(model):
        found = fit_of(model).variance_inflation().to_numpy()
        return list_disagreement(found, truth) if len(truth := model.figures["vif"]) == len(found) else ""

    known = [model for model in models if "vif" in model.figures]
    assert_no_disagreement(differing, known)


# -- the rules ----------------------------------------------------------------------------------------------


def test_size_adjusted_rules_are_their_definitions():
    results, frame = crime(), fit_of_crime().flags("size-adjusted")
    theirs, (n, p) = results.get_influence(), results.model.exog.shape
    truth = {
        **{f"dfb_{name}": np.abs(theirs.dfbetas[:, j]) > 2 / np.sqrt(n)
           for j, name in enumerate(results.params.index)},
        "dffits": np.abs(theirs.dffits[0]) > 2 * np.sqrt(p / n),
        "cov_ratio": np.abs(theirs.cov_ratio - 1) > 3 * p / n,
        "cooks_d": theirs.cooks_distance[0] > 4 / n,
        "hat_diag": theirs.hat_matrix_diag > 2 * p / n,
    }  # fmt: skip
    pd.testing.assert_frame_equal(frame.to_frame(), pd.DataFrame(truth, index=results.model.data.row_labels))
    assert frame.any(axis=1).loc[["District of Columbia", "Louisiana"]].all()


def test_every_column_says_its_rule_and_every_row_its_status():
    frame = fit_of_crime().flags()
    assert list(frame.attrs["rules"]) == list(frame.columns)
    assert frame.attrs["rules"]["hat_diag"] == "h > 3 p / n (Velleman and Welsch 1981; R), here 0.2941"
    assert frame.attrs["status"] == ("",) * 51
    assert frame.index.name == "state"


def test_the_limits_are_said():
    said = {rules: fit_of_crime().flags(rules).attrs["rules"] for rules in ("R", "size-adjusted")}
    limits = {
        rules: [float(text.rpartition(" ")[2]) for text in one.values()][4:] for rules, one in said.items()
    }
    truth = [1.0, 3 * np.sqrt(5 / 46), 15 / 46, stats.f.median(5, 46), 15 / 51]
    np.testing.assert_allclose(limits["R"], truth, rtol=5e-4)  # four digits are written
    truth = [2 / np.sqrt(51), 2 * np.sqrt(5 / 51), 15 / 51, 4 / 51, 10 / 51]
    np.testing.assert_allclose(limits["size-adjusted"], truth, rtol=5e-4)


def test_p_of_a_penalised_fit_is_its_effective_degrees_of_freedom():
    fit = ist.Ridge(lam=2.0, protocol="fixed").fit(X, Y)
    freedom = fit.diagnostics("hat_diag")["hat_diag"].sum()
    assert fit.flags().attrs["rules"]["hat_diag"].endswith(f"here {3.0 * freedom / N:.4g}")


def test_rows_without_weight_do_not_count():
    weights = np.array([1.0, 0, 2, 1, 1, 0.5, 1, 1])
    kept = weights > 0
    every = ist.Ridge(lam=0.0).fit(X, Y, weights=weights).flags()
    some = ist.Ridge(lam=0.0).fit(X[kept], Y[kept], weights=weights[kept]).flags()
    assert every.attrs["rules"] == some.attrs["rules"]
    np.testing.assert_array_equal(every[kept], some)
    assert not every[~kept].any(axis=None)


def test_rows_without_measures_are_not_flagged_and_say_why():
    alone = np.column_stack([X, np.arange(N) == 3])
    with pytest.warns(DoubtfulResult, match="rows have measures that do not exist"):
        frame = ist.Ridge(lam=0.0).fit(alone, Y).flags()
    assert frame.iloc[3].drop("hat_diag").sum() == 0
    assert "leverage is 1" in frame.attrs["status"][3]
    with pytest.warns(DoubtfulResult):
        test = ist.Ridge(lam=0.0).fit(alone, Y).outlier_test()
    assert test.iloc[3].isna().all()
    np.testing.assert_allclose(
        test["bonferroni"].drop(3), np.minimum(1.0, (N - 1) * test["p_values"].drop(3)), rtol=CLOSED_FORM
    )


# -- outliers -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_p_values_are_those_of_statsmodels():
    found = fit_of_crime().outlier_test()
    theirs = crime().outlier_test(method="bonf")
    np.testing.assert_allclose(found["student_resid"], theirs["student_resid"], rtol=SOLVED)
    np.testing.assert_allclose(found["p_values"], theirs["unadj_p"], rtol=SOLVED)
    for name in ("bonferroni", "holm", "fdr_bh"):
        truth = multipletests(theirs["unadj_p"], method=name)[1]
        np.testing.assert_allclose(found[name], truth, rtol=SOLVED)


def test_what_is_normal_has_normal_p_values():
    results = next(case for case in CASES if case.name == "GLM Gamma log, var_weights").refitted()
    for fit in (
        ist.from_statsmodels(results),
        ist.Ridge(lam=0.0).fit(X, Y),
        ist.Logistic(lam=1.0).fit(X, LABELS),
    ):
        found = fit.outlier_test()
        tail = stats.t(N - 4) if fit.risk.quadratic else stats.norm()
        truth = 2.0 * tail.sf(np.abs(found["student_resid"]))
        np.testing.assert_allclose(found["p_values"], truth, rtol=SOLVED)


def test_copies_of_a_row_leave_together():
    copies = np.array([1.0, 3, 2, 1, 4, 2, 1, 2])
    fit = ist.from_statsmodels(sm.GLM(Y, X, freq_weights=copies).fit(), drop="row")
    found = fit.outlier_test()
    truth = 2.0 * stats.t.sf(np.abs(found["student_resid"]), copies.sum() - copies - 3)
    np.testing.assert_allclose(found["p_values"], truth, rtol=SOLVED)


def test_rows_without_weight_are_no_tests():
    weights = np.array([1.0, 0, 2, 1, 1, 0.5, 1, 1])
    found = ist.Ridge(lam=0.0).fit(X, Y, weights=weights).outlier_test()
    kept = weights > 0
    truth = sm.WLS(Y[kept], X[kept], weights=weights[kept]).fit()
    names = ["p_values", "bonferroni", "holm", "fdr_bh"]
    without = ist.from_statsmodels(truth).outlier_test()
    np.testing.assert_allclose(found.loc[kept, names], without[names], rtol=SOLVED)
    assert found.loc[~kept, names].isna().all(axis=None)
    assert found.attrs["status"][1].startswith("it has no weight")


# -- columns ------------------------------------------------------------------------------------------------


def test_press_residuals_and_standard_errors_of_residuals():
    frame, theirs = (
        fit_of_crime().diagnostics(["resid_press", "resid_std", "resid_pearson"]),
        crime().get_influence(),
    )
    np.testing.assert_allclose(frame["resid_press"], theirs.resid_press, rtol=0, atol=SOLVED)
    np.testing.assert_allclose(frame["resid_std"], theirs.resid_std, rtol=SOLVED)
    standard = fit_of_crime().diagnostics("standard_resid")["standard_resid"]
    np.testing.assert_allclose(frame["resid_pearson"] / frame["resid_std"], standard, rtol=SOLVED)


@pytest.mark.parametrize("protocol", ["fixed", "folded"])
@pytest.mark.parametrize("model", ["Ridge", "Logistic"])
def test_press_residuals_are_those_of_predictions_without_the_row(protocol, model):
    y = Y if model == "Ridge" else LABELS
    fit = getattr(ist, model)(lam=0.7, protocol=protocol).fit(X, y, weights=1.0 + ROWS)
    without = fit.leave_one_out().theta
    truth = y - np.array([fit.predictions(without[i], X[[i]], kind="mean")[0] for i in range(N)])
    found = fit.diagnostics("resid_press", method="exact")["resid_press"]
    np.testing.assert_allclose(found, truth, rtol=0, atol=STOPPED)
    if model == "Ridge":
        one_step = fit.diagnostics("resid_press")["resid_press"]
        np.testing.assert_allclose(one_step, truth, rtol=0, atol=SOLVED)


ROWS = np.arange(N) / N


def test_all_is_whatever_there_is():
    frame = fit_of_crime().diagnostics("all")
    assert {"cooks_d", "resid_press", "resid_std", "dfb_urban", "dfbeta_urban"} <= set(frame.columns)
    pd.testing.assert_frame_equal(
        frame[["hat_diag", "dffits"]], fit_of_crime().diagnostics(["hat_diag", "dffits"])
    )
    hinge = ist.SmoothedSVC(lam=1.0, t=0.1).fit(X[:, 1:], 2 * LABELS - 1)
    assert list(hinge.diagnostics("all").filter(regex="^(?!dfbeta)")) == ["hat_diag"]
    changes = [f"{what}_{name}" for what in ("dfb", "dfbeta") for name in SOFTMAX.names]
    assert list(SOFTMAX.diagnostics("all")) == ["cooks_d", "likelihood_displacement", *changes]
    logit = sm.MNLogit(GROUPS % 3, X[:, :2]).fit(disp=0)
    assert "likelihood_displacement" in ist.from_statsmodels(logit).diagnostics("all")
    own = ist.Fit.minimise(
        ist.LinearRisk(ist.NumericalLoss(lambda y, eta: (y - eta) ** 4 + (y - eta) ** 2), X, Y)
    )
    assert "resid_press" not in own.diagnostics("all")


# -- inflation ----------------------------------------------------------------------------------------------


def test_inflation_factors_are_those_of_statsmodels():
    exog = crime().model.exog
    truth = [variance_inflation_factor(exog, j) for j in range(1, 5)]
    found = fit_of_crime().variance_inflation()
    np.testing.assert_allclose(found, truth, rtol=SOLVED)
    assert found.index.tolist() == ["urban", "poverty", "hs_grad", "single"]
    plain = ist.Ridge(lam=0.0).fit(X[:, 1:], Y)
    truth = [1.0 / (1.0 - sm.OLS(X[:, j], X[:, k]).fit().rsquared) for j, k in ((1, 2), (2, 1))]
    np.testing.assert_allclose(plain.variance_inflation(), truth, rtol=SOLVED)


def test_those_of_a_glm_are_of_its_own_covariance():
    case = next(case for case in CASES if case.name == "GLM Poisson log, exposure")
    results = case.refitted()
    covariance = np.asarray(results.cov_params())[1:, 1:]
    truth = np.diag(covariance) * np.diag(np.linalg.inv(covariance))
    np.testing.assert_allclose(ist.from_statsmodels(results).variance_inflation(), truth, rtol=STOPPED)


def test_columns_that_are_combinations_of_others_are_infinitely_inflated():
    twice = np.column_stack([X, 2.0 * X[:, 1] - 1.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularMatrixWarning)  # says of a deficient design that it is one
        results = sm.OLS(Y, twice).fit()
    found = ist.from_statsmodels(results).variance_inflation()
    truth = variance_inflation_factor(X, 2)
    assert found.index.tolist() == ["x1", "x2", "x3"]
    np.testing.assert_allclose(found, [np.inf, truth, np.inf], rtol=SOLVED)
    np.testing.assert_allclose(  # a penalty does not change the columns
        ist.Ridge(lam=3.0).fit(X, Y).variance_inflation(),
        ist.Ridge(lam=0.0).fit(X, Y).variance_inflation(),
        rtol=SOLVED,
    )


# -- refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (lambda: fit_of_crime().flags("r"), InvalidArgument, "rules must be"),
        (lambda: fit_of_crime().flags(method="influence"), InvalidArgument, "method must be"),
        (
            lambda: ist.Fit.minimise(ist.LinearRisk(ist.PoissonLoss(), np.eye(3), [1, 2, 5])).flags(),
            InvalidArgument,
            "fit must have more rows than coefficients",
        ),
        (
            lambda: ist.SmoothedSVC(lam=1.0, t=0.1).fit(X, 2 * LABELS - 1).outlier_test(),
            Unsupported,
            "fit must have a loss with a variance",
        ),
        (
            SOFTMAX.variance_inflation,
            Unsupported,
            "variance inflation factors",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(call, kind, sentence):
    with pytest.raises(kind, match=sentence):
        call()
