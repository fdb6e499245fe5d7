"""What results of statsmodels say of copies, information, scale and series, and arguments in its place."""

import warnings

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.tools.sm_exceptions import SpecificationWarning

import influstat as ist
from tests.test_inference_of_results import ROBUST, TIMES, table_of
from tests.tolerance import INVERTED, NORMAL_EQUATIONS, STOPPED, TWO_FITS, printed

Y, X = np.array([1.0, 3, 2, 5, 4, 6]), sm.add_constant(np.arange(6.0))


COPIES = np.array([1.0, 3, 2, 1, 4, 2])


def weighted(y=Y, copies=COPIES, family=None, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpecificationWarning)
        model = sm.GLM(y, X, freq_weights=copies, family=family)
        return model.fit(tol=1e-13, tol_criterion="params", **options)


@pytest.mark.parametrize("drop", ["row", "copy"])
@pytest.mark.parametrize("options", [{}, ROBUST["HC0"], {"use_t": True}], ids=["model", "HC0", "t"])
def test_copies_count(drop, options):
    results = weighted(**options)
    found = ist.from_statsmodels(results, drop=drop).inference()
    np.testing.assert_allclose(found.to_frame(), table_of(results), rtol=TWO_FITS)
    repeated = sm.OLS(np.repeat(Y, COPIES.astype(int)), np.repeat(X, COPIES.astype(int), axis=0)).fit()
    errors = repeated.HC0_se if options.get("cov_type") else repeated.bse
    np.testing.assert_allclose(found.table.standard_errors, errors, rtol=TWO_FITS)


@pytest.mark.parametrize("model", ["WLS", "GLM"])
def test_rows_of_weight_zero_count_as_in_the_library(model):
    weights = np.array([1.0, 0, 2, 1, 1, 0.5])
    results = sm.WLS(Y, X, weights=weights) if model == "WLS" else sm.GLM(Y, X, var_weights=weights)
    fit = ist.from_statsmodels(results.fit())
    np.testing.assert_allclose(fit.inference().to_frame(), table_of(results.fit()), rtol=NORMAL_EQUATIONS)


@pytest.mark.parametrize("drop", ["row", "copy"])
def test_copies_are_in_the_cluster_of_their_row(drop):
    results = weighted(cov_type="cluster", cov_kwds={"groups": np.array([0, 0, 1, 1, 2, 2])})
    found = ist.from_statsmodels(results, drop=drop).inference()
    np.testing.assert_allclose(found.to_frame(), table_of(results), rtol=TWO_FITS)


def test_a_row_without_copies_has_nothing_to_lose():
    results = weighted(copies=np.array([2.0, 0, 1, 3, 1, 1]), family=sm.families.Poisson())
    fit = ist.from_statsmodels(results, drop="copy")
    np.testing.assert_allclose(fit.inference().to_frame(), table_of(results), rtol=TWO_FITS)
    delta = fit.leave_one_out().delta
    assert np.abs(delta[1]).max() < 1e-12 < np.abs(delta[0]).max()


@pytest.mark.parametrize(
    "options", [{"method": "newton"}, {"method": "newton", "cov_type": "eim"}, {}], ids=str
)
def test_the_information_is_the_one_that_the_library_took(options):
    spector = sm.datasets.spector.load_pandas()
    family = sm.families.Binomial(sm.families.links.CLogLog())
    tight = {"tol": 1e-13, "tol_criterion": "params"} if not options else {}
    results = sm.GLM(spector.endog, sm.add_constant(spector.exog), family=family).fit(**options, **tight)
    fit = ist.from_statsmodels(results)
    np.testing.assert_allclose(fit.inference().to_frame(), table_of(results), rtol=NORMAL_EQUATIONS)
    observed, expected = (
        fit.inference(information=kind).table.standard_errors[1] for kind in ("observed", "expected")
    )
    np.testing.assert_allclose([observed, expected], [1.035, 0.918], atol=printed(3))


def test_arguments_override_what_the_results_say():
    results = sm.OLS(Y, X).fit(cov_type="HC3")
    fit = ist.from_statsmodels(results)
    plain = sm.OLS(Y, X).fit()
    found = fit.inference("model", use_t=True)
    np.testing.assert_allclose(found.to_frame(), table_of(plain), rtol=INVERTED)
    np.testing.assert_allclose(fit.covariance("HC1"), plain.cov_HC1, rtol=INVERTED)
    np.testing.assert_allclose(fit.covariance(), plain.cov_HC3, rtol=INVERTED)
    np.testing.assert_allclose(
        fit.inference("model").table.p_values, 2 * stats.norm.sf(np.abs(plain.tvalues)), rtol=INVERTED
    )


@pytest.mark.parametrize("years", [1990 + TIMES % 9, 1990 + 2 * (TIMES // 5)], ids=["by series", "gaps"])
def test_periods_that_statsmodels_numbers_anew_are_said(years):
    years, rng = years[:60], np.random.default_rng(3)
    design, y = sm.add_constant(rng.normal(size=(60, 2))), rng.normal(size=60)
    settings = {"time": years, "maxlags": 2}
    results = sm.OLS(y, design).fit(
        cov_type="hac-groupsum", cov_kwds=settings, use_t=bool(years[0] < years[9])
    )
    fit = ist.from_statsmodels(results)
    constant = np.ptp(np.unique(years, return_inverse=True)[1] - years) == 0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = fit.inference().to_frame()
    assert sum("numbers the periods" in str(one.message) for one in caught) == (0 if constant else 1)
    np.testing.assert_allclose(found, table_of(results), rtol=INVERTED)


@pytest.mark.parametrize("kind", ["hac-panel", "hac-groupsum"])
@pytest.mark.parametrize("left", [[59], [50, 51, 52, 53, 54, 55, 56, 57, 58, 59]], ids=["row", "series"])
def test_without_rows_several_series_are_those_of_a_refit(kind, left):
    rng = np.random.default_rng(3)
    design, y = sm.add_constant(rng.normal(size=(60, 2))), rng.normal(size=60)
    labels = np.arange(60) // 10 if kind == "hac-panel" else np.arange(60) % 10

    def fitted(rows):
        settings = {"groups" if kind == "hac-panel" else "time": labels[rows], "maxlags": 2}
        return sm.OLS(y[rows], design[rows]).fit(cov_type=kind, cov_kwds=settings, use_t=True)

    inference = ist.from_statsmodels(fitted(np.arange(60))).inference()
    truth = table_of(fitted(np.setdiff1d(np.arange(60), left)))
    np.testing.assert_allclose(inference.without(left).to_frame().iloc[:, 1:], truth, rtol=INVERTED)
    if len(left) == 1:
        errors = inference.table.standard_errors + inference.leave_one_out(rows=left).standard_errors[0]
        np.testing.assert_allclose(errors, truth[:, 0], rtol=INVERTED)


def test_one_series_has_no_degrees_of_freedom_and_says_so():
    rng = np.random.default_rng(3)
    design, y = sm.add_constant(rng.normal(size=(60, 2))), rng.normal(size=60)
    settings = {"time": np.arange(60) // 6, "maxlags": 1}
    results = sm.OLS(y, design).fit(cov_type="hac-groupsum", cov_kwds=settings, use_t=True)
    fit = ist.from_statsmodels(results)
    with pytest.warns(ist.errors.DoubtfulResult, match="here is one series") as caught:
        found = fit.inference().table
    assert len(caught) == 1
    assert np.isnan(found.p_values).all()
    assert np.isnan(results.pvalues).all()
    np.testing.assert_allclose(found.standard_errors, results.bse, rtol=INVERTED)
    normal = results.get_robustcov_results("hac-groupsum", **settings, use_t=False)
    np.testing.assert_allclose(fit.inference(use_t=False).to_frame(), table_of(normal), rtol=INVERTED)


SCALED = {"cov_type": "cluster", "cov_kwds": {"groups": np.arange(90) % 15, "scaling_factor": 1.7}}


HC0_SCALED = {"cov_type": "HC0", "cov_kwds": {"scaling_factor": 1.7}}


@pytest.mark.parametrize("options", [SCALED, HC0_SCALED], ids=["cluster", "HC0"])
def test_a_scaling_factor_is_carried_into_removals_and_derivatives(options):
    rng = np.random.default_rng(4)
    design = sm.add_constant(rng.normal(size=(90, 2)))
    y = rng.poisson(np.exp(design @ [0.4, 0.5, -0.3]))
    settings = dict(options["cov_kwds"])
    results = sm.GLM(y, design, family=sm.families.Poisson()).fit(tol=1e-13, **options)
    fit = ist.from_statsmodels(results)
    np.testing.assert_allclose(fit.inference().table.standard_errors, results.bse, rtol=INVERTED)
    groups = {"groups": settings["groups"]} if "groups" in settings else {}
    bare = sm.GLM(y, design, family=sm.families.Poisson()).fit(tol=1e-13)
    unscaled = ist.from_statsmodels(bare).inference(options["cov_type"], **groups)
    root = np.sqrt(1.7)
    for question in (
        lambda one: one.table.standard_errors,
        lambda one: one.leave_one_out(rows=[3]).standard_errors,
        lambda one: one.without([3, 4]).table.standard_errors,
        lambda one: one.derivative().standard_errors[:3],
    ):
        np.testing.assert_allclose(question(fit.inference()), root * question(unscaled), rtol=1e-6)
    other = [one.inference("HC1").table.standard_errors for one in (fit, ist.from_statsmodels(bare))]
    np.testing.assert_allclose(other[0], other[1], rtol=1e-6)  # another kind than the fit's own is not scaled


def test_the_scale_reaches_diagnostics():
    data = sm.datasets.cpunish.load_pandas()
    design = sm.add_constant(data.exog[["INCOME", "SOUTH"]] / [1000.0, 1.0])
    results = sm.GLM(data.endog, design, family=sm.families.Poisson()).fit(scale="X2")
    frame = ist.from_statsmodels(results).diagnostics(["cooks_d", "standard_resid"])
    theirs = results.get_influence()
    np.testing.assert_allclose(frame["cooks_d"], theirs.cooks_distance[0], rtol=STOPPED)
    np.testing.assert_allclose(frame["standard_resid"], theirs.resid_studentized, rtol=STOPPED)
    assert abs(frame["cooks_d"].max() - 0.695) < 1e-3


def test_penalised_p_values_say_what_they_are():
    ridge = ist.Ridge(lam=1.0).fit(X, Y).inference()
    assert "no tests of an unpenalised" in ridge.to_frame().attrs["note"]
    assert ist.Ridge(lam=0.0).fit(X, Y).inference().table.note == ""


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("options", [{}, {"scale": "dev"}, {"scale": 0.7}, {"use_t": True}], ids=str)
def test_every_power_of_tweedie_has_the_scale_of_its_results(power, options):
    """Of power 1 it is Poisson's likelihood, with a scale all the same."""
    family = sm.families.Tweedie(var_power=power, link=sm.families.links.Log())
    results = sm.GLM(Y, X, family=family).fit(tol=1e-13, tol_criterion="params", **options)
    fit = ist.from_statsmodels(results)
    np.testing.assert_allclose(fit.inference().to_frame(), table_of(results), rtol=TWO_FITS)
    moved = -fit.leave_one_out(method="newton").delta if power == 1.0 else None  # its link is canonical
    if moved is not None:
        S = np.linalg.inv(results.normalized_cov_params)
        cook = np.einsum("ij,jk,ik->i", moved, S, moved) / (2.0 * results.scale)
        np.testing.assert_allclose(fit.diagnostics().cooks_d, cook, rtol=TWO_FITS)
