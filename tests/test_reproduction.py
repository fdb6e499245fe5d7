"""What a statsmodels fit says of itself is reproduced on entry: over the whole table, true and tampered."""

import copy
import warnings
from importlib.metadata import version

import numpy as np
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import influstat as ist
from influstat.errors import NotStationary
from tests.statsmodels_models import CASES

SAID = "say the {}.* its own data and coefficients give, but it says .* where they give"
OLD_STATSMODELS = tuple(int(part) for part in version("statsmodels").split(".")[:2]) < (0, 15)
NAMES = {
    "nobs": "number of observations",
    "df_resid": "residual degrees of freedom",
    "scale": "scale",
    "llf": "log-likelihood",
    "deviance": "deviance",
}
# At another scale RLM is at no minimum (see below). Not compared: effective or a user's own freedom.
OTHERWISE = {("RLM", "scale"), ("GLMGam", "df_resid"), ("a user's", "df_resid"), ("RLM", "llf")}


def own_copy(case):
    """Return results with data of their own, without the wrapper."""
    return copy.deepcopy(getattr(case.refitted(), "_results", case.refitted()))


def says(results, name):
    try:
        with np.errstate(all="ignore"):
            return float(getattr(results, name))
    except (AttributeError, NotImplementedError, TypeError):
        return np.nan


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_another_number_than_ours_is_refused_by_its_name(case):
    truth = own_copy(case)
    kind = type(truth)
    for name, called in NAMES.items():
        skipped = any(case.name.startswith(start) and name == other for start, other in OTHERWISE)
        if skipped or kind.__name__.startswith("Regularized") or not np.isfinite(says(truth, name)):
            continue
        results = copy.copy(truth)
        results.__dict__.pop(name, None)
        results.__class__ = type(kind.__name__, (kind,), {name: says(truth, name) * 1.01 + 1.0})
        with pytest.raises(NotStationary, match=SAID.format(called)):
            ist.from_statsmodels(results, **case.settings)


@pytest.mark.dear
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("polish", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_row_changed_in_place_after_the_fit_is_refused(case, polish):
    results = own_copy(case)
    results.model.exog[0] += np.arange(results.model.exog.shape[1])[::-1]
    if polish and not hasattr(results, "scale"):
        pytest.skip("nothing but coefficients is kept: polishing moves them, and says so")
    with pytest.raises(ist.errors.InflustatError):
        ist.from_statsmodels(results, polish=polish, **case.settings)  # and no word of polishing beside it


LINES = ("OLS", "OLS, HC3 covariance", "WLS", "GLS, diagonal")  # whose minimum stays when y nears its means
CURVES = ("GLM ", "Logit", "Poisson")


@pytest.mark.dear
@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name in LINES or case.name.startswith(CURVES)], ids=str
)
def test_targets_changed_so_that_the_minimum_stays_are_refused(case):
    results = own_copy(case)
    means = results.fittedvalues if case.name in LINES else results.predict()
    assert results.scale  # once asked for, it is kept: least squares have nothing else of their targets
    y = results.model.endog
    y[:] = 0.5 * (y + means)
    with pytest.raises(NotStationary, match=SAID.format("(scale|deviance|log-likelihood|objective)")):
        ist.from_statsmodels(results, **case.settings)


def test_weights_changed_so_that_the_minimum_stays_are_refused():
    rng = np.random.default_rng(1)
    X, y = sm.add_constant(rng.normal(size=(30, 2))), rng.normal(size=30)
    results = sm.WLS(y, X, weights=rng.uniform(0.5, 2.0, 30)).fit()
    results.model.weights *= 2.0
    with pytest.raises(NotStationary, match=SAID.format("(sum of the correlations|scale)")):
        ist.from_statsmodels(results)


@pytest.mark.parametrize("family", ["Poisson", "Gaussian", "Gamma"])
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_default_tolerances_and_other_units_pass(family, unit):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(60, 2))
    mean = np.exp(0.5 + x @ [0.3, -0.4])
    y = rng.poisson(mean) if family == "Poisson" else unit * mean * rng.gamma(4.0, 0.25, 60)
    kind = getattr(sm.families, family)
    for scale in (None, "X2", "dev", 2.5):
        model = sm.GLM(y, sm.add_constant(x), family=kind(sm.families.links.Log()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ist.errors.DoubtfulResult)  # a tolerance of 1e-8, of y of 1e-6
            ist.from_statsmodels(model.fit(scale=scale), polish=True)


def test_a_perfect_fit_says_rounding_and_passes():
    x = np.arange(8.0)
    ist.from_statsmodels(sm.OLS(2.0 + x / 3.0, sm.add_constant(x)).fit())


@pytest.mark.parametrize("make", [sm.OLS, sm.WLS, sm.GLS], ids=["OLS", "WLS", "GLS"])
@pytest.mark.parametrize("change", ["a target", "two rows exchanged"])
def test_polishing_does_not_hide_that_a_closed_form_is_of_other_targets(make, change):
    rng = np.random.default_rng(4)
    X, y = sm.add_constant(rng.normal(size=(40, 2))), rng.normal(size=40)
    results = make(y.copy(), X, **({"weights": rng.uniform(0.5, 2.0, 40)} if make is sm.WLS else {})).fit()
    targets = results.model.endog
    targets[:2] = [targets[0] + 3.0, targets[1]] if change == "a target" else targets[1::-1] * 3.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a refusal is enough
        with pytest.raises(NotStationary, match="closed form, and polish=True would hide that: its data"):
            ist.from_statsmodels(results, polish=True)


@pytest.mark.filterwarnings("ignore::influstat.errors.DoubtfulResult")  # standard errors of rounding alone
@pytest.mark.parametrize("noise", [0.0, 1e-12, 1e-8])
def test_rounding_of_a_closed_form_is_polished(noise):
    rng = np.random.default_rng(5)
    for _ in range(20):
        X = sm.add_constant(rng.normal(size=(30, 2)) * [1e3, 1e-2] + 10.0)
        y = X @ rng.normal(size=3) + noise * rng.normal(size=30)
        ist.from_statsmodels(sm.WLS(y, X, weights=10.0 ** rng.uniform(-4, 4, 30)).fit(), polish=True)


@pytest.mark.filterwarnings("ignore::influstat.errors.DoubtfulResult")  # how far polishing moved it
@pytest.mark.filterwarnings("ignore:The design matrix is rank-deficient")
@pytest.mark.parametrize("make", [smf.ols, smf.wls, smf.glm], ids=["ols", "wls", "glm"])
def test_a_solution_that_was_cut_off_passes_once_it_is_polished(make):
    nile = sm.datasets.nile.load_pandas().data
    results = make("volume ~ year + I(year**2) + I(year**3)", nile).fit()
    fit = ist.from_statsmodels(results, polish=True)
    x = (nile.year - nile.year.mean()) / 28.0
    truth = sm.OLS(nile.volume, np.vander(x, 4)).fit()
    np.testing.assert_allclose(fit.predict(nile), truth.fittedvalues, rtol=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_another_number_of_a_poisson_fit_is_refused(name):
    case = next(case for case in CASES if case.name == "GLM Poisson log, exposure")
    results = own_copy(case)
    kind = type(results)
    results.__dict__.pop(name, None)
    results.__class__ = type(kind.__name__, (kind,), {name: 7.0})
    with pytest.raises(NotStationary, match=SAID.format(NAMES[name])):
        ist.from_statsmodels(results)


def test_degrees_of_freedom_set_by_hand_are_refused():
    model = sm.OLS([1.0, 3.0, 2.0, 5.0], [[1.0], [1.0], [1.0], [1.0]])
    model.df_resid = 2.0
    with pytest.raises(NotStationary, match="degrees of freedom .*says 2 where they give 3"):
        ist.from_statsmodels(model.fit())


@pytest.mark.filterwarnings("ignore::influstat.errors.DoubtfulResult")  # how far polishing moved it
@pytest.mark.filterwarnings("ignore:The design matrix is rank-deficient")
@pytest.mark.parametrize("model", [sm.OLS, sm.GLM])
@pytest.mark.parametrize("design", ["dummy trap", "zero column", "repeated", "far from 0"])
def test_columns_that_depend_on_each_other_are_counted_as_the_library_does(design, model):
    rng = np.random.default_rng(0)
    z, one = rng.normal(size=24), np.ones(24)
    X = {
        "dummy trap": np.c_[np.eye(3)[np.arange(24) % 3], one, z],
        "zero column": np.c_[one, z, 0 * z],
        "repeated": np.c_[one, z, z],
        "far from 0": np.c_[one, 1e7 + z, 2.0 * (1e7 + z)],
    }[design]
    fit = ist.from_statsmodels(model(z + rng.normal(size=24), X).fit(), polish=True)
    truth = sm.OLS(fit.risk.y, np.c_[X[:, :3], z] if design == "dummy trap" else np.c_[one, z]).fit()
    np.testing.assert_allclose(fit.predict(X), truth.fittedvalues, atol=1e-6)


NORMS = ["HuberT", "TukeyBiweight", "AndrewWave", "Hampel", "LeastSquares", "RamsayE"]
ROBUST = {
    **{
        name: lambda y, X, name=name: sm.RLM(y, X, M=getattr(sm.robust.norms, name)()).fit() for name in NORMS
    },
    "other options": lambda y, X: sm.RLM(y, X).fit(conv="coefs", cov="H2", update_scale=False),
    "Huber's scale": lambda y, X: sm.RLM(y, X).fit(scale_est=sm.robust.scale.HuberScale()),
    "median": lambda y, X: sm.QuantReg(y, X).fit(0.5),
    "quantile": lambda y, X: sm.QuantReg(y, X).fit(0.8, vcov="iid", kernel="gau", bandwidth="bofinger"),
}


def another_target(model):
    model.endog[7] += 1e-3


def exchanged(model):
    model.endog[[1, 2]] = model.endog[[2, 1]]


def other_units(model):
    model.endog *= 1.0001


def furthest_further(model):
    """The row that redescending norms leave out, and quantiles hardly feel."""
    row = np.argmax(np.abs(model.endog - np.median(model.endog)))
    model.endog[row] *= 2.0


def nothing(model):
    pass


@pytest.mark.parametrize("change", [nothing, another_target, exchanged, other_units, furthest_further])
@pytest.mark.parametrize("name", ROBUST)
@pytest.mark.parametrize("polish", [False, True])
def test_other_targets_of_robust_fits_are_refused(name, change, polish):
    rng = np.random.default_rng(6)
    X = sm.add_constant(rng.normal(size=(40, 2)))
    results = ROBUST[name](X @ [1.0, 2.0, 0.3] + rng.standard_t(3, 40), X)
    change(results.model)
    settings = {"smoothing": 0.1} if name in ("median", "quantile") else {}
    if change is nothing:
        ist.from_statsmodels(results, polish=polish, **settings)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a refusal is enough
        with pytest.raises(NotStationary):
            ist.from_statsmodels(results, polish=polish, **settings)


@pytest.mark.parametrize("name", ROBUST)
def test_other_columns_of_robust_fits_that_predict_the_same_are_refused(name):
    rng = np.random.default_rng(6)
    X = sm.add_constant(rng.normal(size=(40, 2)))
    results = ROBUST[name](X @ [1.0, 2.0, 0.3] + rng.standard_t(3, 40), X)
    slope = results.params
    results.model.exog[3] += np.array([0.0, slope[2], -slope[1]]) / np.abs(slope).max()
    settings = {"smoothing": 0.1} if name in ("median", "quantile") else {}
    with pytest.raises(NotStationary):
        ist.from_statsmodels(results, polish=True, **settings)


@pytest.mark.skipif(OLD_STATSMODELS, reason="statsmodels before 0.15 keeps no history of the scale")
def test_another_scale_of_a_robust_fit_is_refused_when_it_is_polished():
    rng = np.random.default_rng(6)
    results = sm.RLM(rng.standard_t(3, 40), sm.add_constant(rng.normal(size=(40, 2)))).fit()._results
    results.scale *= 1.0 + 1e-9
    with pytest.raises(NotStationary, match="say the scale at which its iterations ended"):
        ist.from_statsmodels(results, polish=True)


CLOSED = {
    "OLS": (lambda y, X, w: sm.OLS(y, X).fit(), {}),
    "WLS": (lambda y, X, w: sm.WLS(y, X, weights=w).fit(), {}),
    "OLS, ridge": (
        lambda y, X, w: sm.OLS(y, X).fit_regularized(alpha=0.1, L1_wt=0.0),
        {"alpha": 0.1, "L1_wt": 0.0},
    ),
    "WLS, ridge": (
        lambda y, X, w: sm.WLS(y, X, weights=w).fit_regularized(alpha=0.1, L1_wt=0.0),
        {"alpha": 0.1, "L1_wt": 0.0},
    ),
}


ITERATED = {
    "GLM": lambda y, X: sm.GLM(y, X, family=sm.families.Poisson()).fit(),
    "Poisson": lambda y, X: sm.Poisson(y, X, offset=np.zeros(len(y)) + 0.1).fit(disp=0),
}


@pytest.mark.parametrize("name", ITERATED)
def test_polishing_does_not_hide_another_offset_or_other_coefficients(name):
    rng = np.random.default_rng(2)
    y, X = rng.poisson(3.0, 60), sm.add_constant(rng.normal(size=(60, 1)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        moved = ITERATED[name](y, X)._results
        moved.model.offset = np.full(60, 0.4)  # the intercept would make up for it
        with pytest.raises(NotStationary, match="at which its iterations ended"):
            ist.from_statsmodels(moved, polish=True)
        other = ITERATED[name](y, X)._results
        other.params = other.params * 1.02
        with pytest.raises(NotStationary, match="at which its iterations ended"):
            ist.from_statsmodels(other, polish=True)


@pytest.mark.parametrize("name", CLOSED)
def test_polishing_does_not_hide_a_small_change_of_one_target_of_a_closed_form(name):
    rng = np.random.default_rng(4)
    X, y = sm.add_constant(rng.normal(size=(200, 2))), rng.normal(size=200)
    fit, settings = CLOSED[name]
    results = fit(y, X, rng.uniform(0.5, 2.0, 200))
    ist.from_statsmodels(results, polish=True, **settings)
    results.model.endog[7] += 0.1
    results.model.wendog[7] += 0.1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(NotStationary, match="closed form, and polish=True would hide that"):
            ist.from_statsmodels(results, polish=True, **settings)


SINGLES = {
    "RLM": lambda y, X: sm.RLM(y, X, M=sm.robust.norms.TrimmedMean()).fit(),
    # Far below 1e-4 the steps of single precision may go round in a cycle, of which statsmodels warns.
    "QuantReg": lambda y, X: sm.QuantReg(y, X).fit(0.5, p_tol=1e-4),
    "ridge": lambda y, X: sm.OLS(y, X).fit_regularized(alpha=0.1, L1_wt=0.0),
}


@pytest.mark.parametrize("name", SINGLES)
def test_the_rounding_of_single_precision_is_no_other_fit(name):
    rng = np.random.default_rng(0)
    X = sm.add_constant(rng.normal(size=(80, 2)))
    y = X @ [1.0, 0.5, -0.3] + rng.standard_t(4, 80)
    options = {"QuantReg": {"smoothing": 0.3}, "ridge": {"alpha": 0.1, "L1_wt": 0.0}}.get(name, {})
    results = SINGLES[name](y.astype(np.float32), X.astype(np.float32))
    ist.from_statsmodels(results, **options)
    inner = getattr(results, "_results", results)
    inner.params = inner.params * np.float32(1.01)
    with pytest.raises(NotStationary):
        ist.from_statsmodels(inner, **options)


FAR = {
    "OLS": lambda y, X: sm.OLS(y, X).fit(),
    "RLM": lambda y, X: sm.RLM(y, X).fit(),
    "Gaussian": lambda y, X: sm.GLM(y, X).fit(),
    "Gamma": lambda y, X: sm.GLM(np.exp(y), X, family=sm.families.Gamma(sm.families.links.Log())).fit(),
    "Poisson": lambda y, X: sm.GLM(np.round(np.exp(y)), X, family=sm.families.Poisson()).fit(),
}


@pytest.mark.filterwarnings("ignore:The design matrix is rank-deficient")  # in float32
@pytest.mark.parametrize("name", FAR)
def test_columns_far_from_0_in_single_precision_are_counted_as_the_library_does(name):
    rng = np.random.default_rng(1)
    x = rng.normal(size=40)
    X = np.column_stack([np.ones(40), x + 5000.0]).astype(np.float32)
    results = FAR[name]((x + rng.normal(size=40)).astype(np.float32), X)
    assert results.df_resid == 39  # the rank is 1 in float32
    fit = ist.from_statsmodels(results, polish=True)
    np.testing.assert_allclose(fit.theta[1], results.params[1], rtol=1e-3)
    results._results.df_resid = 37
    with pytest.raises(NotStationary, match="residual degrees of freedom"):
        ist.from_statsmodels(results, polish=True)


@pytest.mark.parametrize("slope", [2.0, 1e6])
def test_a_perfect_quantile_regression_is_not_refused_for_rounding(slope):
    x = np.arange(10.0)
    with np.errstate(divide="ignore", invalid="ignore"):  # residuals that round to 0 have no density
        results = sm.QuantReg(slope * x + 1.0, sm.add_constant(x)).fit()
    np.testing.assert_allclose(ist.from_statsmodels(results, smoothing=0.1).theta, [1.0, slope])


@pytest.mark.parametrize("polish", [False, True])
def test_coefficients_that_are_not_finite_are_named(polish):
    results = sm.OLS([1.0, 2.0, 4.0], np.ones((3, 1))).fit()._results
    results.params = np.array([np.nan])
    with pytest.raises(ist.errors.InvalidArgument, match="results must have finite coefficients"):
        ist.from_statsmodels(results, polish=polish)


@pytest.mark.parametrize("polish", [False, True])
@pytest.mark.filterwarnings("ignore:The design matrix is rank-deficient")
def test_a_column_that_rows_of_weight_0_alone_have_is_counted_as_statsmodels_does(polish):
    rng = np.random.default_rng(0)
    X = np.column_stack([np.ones(30), rng.normal(size=30), np.arange(30) < 4])
    y, weights = rng.normal(size=30), np.where(np.arange(30) < 4, 0.0, 1.0)
    fit = ist.from_statsmodels(sm.WLS(y, X, weights=weights).fit(), polish=polish)
    with pytest.warns(ist.errors.DoubtfulResult, match="1 of 3 coefficients are nan"):
        moved = fit.leave_one_out(rows=[9]).theta[0]
    left = np.setdiff1d(np.arange(4, 30), [9])
    np.testing.assert_allclose(moved[:2], np.linalg.lstsq(X[left, :2], y[left])[0], atol=1e-10)
