"""A statsmodels fit carries its inference: every line of the table, with every covariance it offers."""

import warnings
from contextlib import contextmanager

import numpy as np
import pytest
from statsmodels.tools.sm_exceptions import SpecificationWarning

import influstat as ist
from tests.budget import crossed
from tests.statsmodels_models import CASES
from tests.tolerance import STANDARD_ERRORS, TWO_FITS

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
