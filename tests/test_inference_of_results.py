"""A statsmodels fit carries its inference: every line of the table, with every covariance it offers."""

import warnings
from contextlib import contextmanager

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.tools.sm_exceptions import SpecificationWarning

import influstat as ist
from tests.budget import crossed
from tests.statsmodels_models import CASES
from tests.tolerance import INVERTED, NORMAL_EQUATIONS, STANDARD_ERRORS, STOPPED, TWO_FITS, printed

TIMES = np.arange(200)
GROUPS, OTHERS = TIMES % 23, TIMES // 9
ROBUST = {
    "HC0": {"cov_type": "HC0"},
    "HC1": {"cov_type": "HC1"},
    "HC2": {"cov_type": "HC2", "use_t": True},
    "HC3": {"cov_type": "HC3"},
    "cluster": {"cov_type": "cluster", "cov_kwds": {"groups": GROUPS}},
    "cluster, uncorrected": {
        "cov_type": "cluster",
        "cov_kwds": {"groups": GROUPS, "use_correction": False, "df_correction": False},
        "use_t": True,
    },
    "two-way": {"cov_type": "cluster", "cov_kwds": {"groups": np.c_[GROUPS, OTHERS]}, "use_t": True},
    "HAC": {"cov_type": "HAC", "cov_kwds": {"maxlags": 3}},
    "HAC, uniform": {
        "cov_type": "HAC",
        "cov_kwds": {"maxlags": 2, "kernel": "uniform", "use_correction": True},
        "use_t": True,
    },
}
SERIES = {
    "panel HAC by groups": {
        "cov_type": "hac-panel",
        "cov_kwds": {"groups": OTHERS, "maxlags": 2, "use_correction": "cluster"},
        "use_t": True,
    },
    "panel HAC by time": {"cov_type": "hac-panel", "cov_kwds": {"time": TIMES % 9, "maxlags": 3}},
    "panel HAC, uniform": {
        "cov_type": "nw-panel",
        "cov_kwds": {
            "groups": OTHERS,
            "maxlags": 1,
            "kernel": "uniform",
            "use_correction": False,
            "df_correction": False,
        },
        "use_t": True,
    },
    "Driscoll-Kraay": {"cov_type": "hac-groupsum", "cov_kwds": {"time": TIMES % 9, "maxlags": 2}},
    "Driscoll-Kraay with gaps": {
        "cov_type": "hac-groupsum",
        "cov_kwds": {
            "time": np.array([1, 2, 4, 7, 8, 9, 12])[TIMES % 7],
            "maxlags": 3,
            "use_correction": "hac",
        },
        "use_t": True,
    },
    "Driscoll-Kraay, plain": {
        "cov_type": "nw-groupsum",
        "cov_kwds": {"time": TIMES % 9, "maxlags": 0, "use_correction": False, "df_correction": False},
        "use_t": True,
    },
}
SCALES = {"Pearson": {"scale": "X2"}, "deviance": {"scale": "dev"}, "fixed": {"scale": 1.3}}
LEAST_SQUARES = {
    "fixed scale": {"cov_type": "fixed scale", "cov_kwds": {"scale": 1.7}},
    "CRV3": {"cov_type": "cluster-crv3", "cov_kwds": {"groups": GROUPS}},
    "CRV3, uncorrected": {
        "cov_type": "cluster-crv3",
        "cov_kwds": {"groups": GROUPS, "use_correction": False},
    },
    "centred CRV3": {"cov_type": "cluster-jk", "cov_kwds": {"groups": GROUPS}, "use_t": True},
}
SOME = ("nonrobust", "HC3", "two-way", "HAC", "Pearson", "fixed", "fixed scale")

# Lines whose derivatives statsmodels differences over steps of 1e-6 to 1e-4: standard errors have 5 to 7
# digits then, by the luck of the processor's sums. Their tables are made with wider steps of higher order.
DIFFERENCED = (
    "OrderedModel logit",
    "OrderedModel probit",
    "TruncatedLFPoisson",
    "a user's Student likelihood",
)
FIRST = np.array([672.0, -168.0, 32.0, -3.0]) / 840.0  # of steps 1 to 4: right to order 8, as is SECOND
SECOND = np.array([8064.0, -1008.0, 128.0, -9.0]) / 5040.0
STEP = 0.015  # truncation and rounding both below 1e-10 of these standard errors; at 0.01 as well
# Lines whose Hessian in statsmodels is not the derivative of its own score: there ours is not the library's.
WRONG_HESSIAN = ("NegativeBinomialP 1.5", "ZeroInflatedPoisson")


def covariances_of(case):
    """Return the arguments of fit() for every covariance that the model class offers."""
    name = case.name
    if name.startswith("RLM"):
        return {cov: {"cov": cov} for cov in ("H1", "H2", "H3")}
    if name.startswith("fit_regularized of") or name == "OLS, HC3 covariance":
        return {"nonrobust": {}}
    found = {"nonrobust": {}, **ROBUST, **SERIES}
    if name in ("OLS", "WLS", "GLS, diagonal"):
        found |= LEAST_SQUARES
    if name.startswith(("GLM ", "GLMGam")):
        found |= SCALES
    return found


def wide_scores(model, theta, **_):
    """Return the gradient of each row's log-likelihood, (n, p)."""
    steps = STEP * np.eye(len(theta))
    columns = [
        sum(
            weight * (model.loglikeobs(theta + k * step) - model.loglikeobs(theta - k * step))
            for k, weight in enumerate(FIRST, start=1)
        )
        for step in steps
    ]
    return np.column_stack(columns) / STEP


def wide_hessian(model, theta):
    """Return the Hessian of the log-likelihood, (p, p)."""
    p, units = len(theta), STEP * np.eye(len(theta))
    middle = model.loglike(theta)

    def along(direction):
        pairs = (
            model.loglike(theta + k * direction) + model.loglike(theta - k * direction) for k in range(1, 5)
        )
        return SECOND @ (np.array(list(pairs)) - 2.0 * middle) / STEP**2

    found = np.diag([along(unit) for unit in units])
    for i in range(p):
        for j in range(i):
            found[i, j] = found[j, i] = 0.5 * (along(units[i] + units[j]) - found[i, i] - found[j, j])
    return found


@contextmanager
def fits_with(case, options):
    """Let every fit() of the case's model take more options."""
    kind = type(case.refitted().model)
    own = kind.fit

    def fit(self, *args, **kwargs):
        kind.fit = own  # fits within a fit are as they were
        try:
            return own(self, *args, **kwargs, **options)
        finally:
            kind.fit = fit

    kind.fit = fit
    try:
        yield
    finally:
        kind.fit = own


@contextmanager
def wide_differences(case):
    """Let statsmodels take derivatives with more digits than its own, where it differences."""
    if case.name not in DIFFERENCED:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        kind = type(case.refitted().model)
        patch.setattr(kind, "hessian", wide_hessian)
        patch.setattr(kind, "score_obs", wide_scores)
        yield


def results_with(case, options):
    with warnings.catch_warnings(), wide_differences(case):
        warnings.simplefilter("ignore", SpecificationWarning)  # "not fully supported with freq_weights"
        if not options:
            return case.refitted()
        with fits_with(case, options):
            return case.refitted()


def table_of(results):
    """Return bse, tvalues, pvalues and limits, one line per coefficient that is not held at zero."""
    columns = [np.asarray(getattr(results, name)).ravel(order="F") for name in ("bse", "tvalues", "pvalues")]
    limits = np.asarray(results.conf_int()).reshape(-1, 2)
    table = np.column_stack([*columns, limits])
    return table[np.isfinite(columns[0])]


@contextmanager
def said_where_another_stands(results):
    """Expect one warning where statsmodels computes HC0 under the name of another covariance, else none."""
    asked = getattr(results, "cov_type", "nonrobust")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    hidden = asked in ("HC1", "HC2", "HC3") and not hasattr(results, f"cov_{asked}")
    expected = [f"The fit has cov_type='{asked}', under which statsmodels computes HC0"] if hidden else []
    assert [str(one.message)[: len(text)] for one, text in zip(caught, expected, strict=True)] == expected


def assert_carried(case, options):
    results = results_with(case, options)
    if not hasattr(results, "bse"):  # fit_regularized without standard errors of its own
        return
    fit = ist.from_statsmodels(results, **case.settings)
    with said_where_another_stands(results):
        found = fit.inference().to_frame().to_numpy()
    truth = table_of(results)
    # Standard errors to 8 digits each, the others to 1e-8 of the largest: small p values have none to spare.
    size = np.broadcast_to(np.maximum(1.0, np.abs(truth).max(axis=0)), truth.shape).copy()
    size[:, 0] = truth[:, 0]
    np.testing.assert_array_less(np.abs(found - truth) / size, 1e-8)


def lines(chosen):
    return [
        pytest.param(case, name, options, id=f"{case.name}, {name}")
        for case in CASES
        if case.name not in WRONG_HESSIAN
        for name, options in covariances_of(case).items()
        if (name in SOME or name.startswith("H1")) == chosen
        and not (name == "Pearson" and "trials" in offers(case))
    ]


def offers(case):
    """Return "trials" for proportions of several trials."""
    return "trials" if getattr(case.refitted().model, "n_trials", np.ones(1)).max() > 1 else ""


SOME_LINES, OTHER_LINES = crossed(lines(True), lambda line: line.values[:2]), lines(False)


@pytest.mark.dear
@pytest.mark.parametrize(("case", "name", "options"), SOME_LINES)
def test_inference_is_that_of_the_results(case, name, options):
    assert_carried(case, options)


@pytest.mark.slow
@pytest.mark.parametrize(("case", "name", "options"), OTHER_LINES)
def test_inference_is_that_of_the_results_for_other_covariances(case, name, options):
    assert_carried(case, options)


@pytest.mark.parametrize("name", WRONG_HESSIAN)
def test_where_the_hessian_of_the_library_is_wrong_ours_is_that_of_its_score(name):
    results = next(case for case in CASES if case.name == name).refitted()
    fit = ist.from_statsmodels(results)
    with pytest.warns(ist.errors.DoubtfulResult, match="reported by the library are others"):
        ours = fit.inference().covariance
    theta, p = np.asarray(results.params), len(results.params)
    hessian = np.empty((p, p))
    for k in range(p):
        step = 1e-4 * max(1.0, abs(theta[k])) * np.eye(p)[k]
        near = results.model.score(theta + step) - results.model.score(theta - step)
        far = results.model.score(theta + 2.0 * step) - results.model.score(theta - 2.0 * step)
        hessian[:, k] = (8.0 * near - far) / (12.0 * step[k])
    np.testing.assert_allclose(ours, np.linalg.inv(-hessian), rtol=STANDARD_ERRORS)


def test_trials_belong_to_the_estimated_scale():
    case = next(case for case in CASES if case.name == "GLM Binomial logit, trials")
    results = results_with(case, {"scale": "X2"})
    with pytest.warns(ist.errors.DoubtfulResult, match="leaves the numbers of trials out"):
        ours = ist.from_statsmodels(results).inference().table.standard_errors
    plain = case.refitted()
    scale = np.sum(plain.resid_pearson**2) / plain.df_resid
    np.testing.assert_allclose(ours, plain.bse * np.sqrt(scale), rtol=TWO_FITS)


# -- counts, information, arguments ------------------------------------------------------------------------

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
