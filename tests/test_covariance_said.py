"""Which covariance stands behind standard errors is said, and once why there is none for a coefficient."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import influstat as ist
from influstat.errors import DoubtfulResult, InvalidArgument
from tests.tolerance import CLOSED_FORM

RNG = np.random.default_rng(4)
TABLE = pd.DataFrame({"x": RNG.normal(size=60), "z": RNG.normal(size=60), "group": np.arange(60) % 4})
TABLE["mean"] = 1.0 + TABLE["x"] + RNG.normal(size=60)
TABLE["count"] = RNG.negative_binomial(1, 0.3, size=60)
TABLE["label"] = (TABLE["mean"] > 1.0).astype(int)
TABLE["lone"] = (np.arange(60) == 7).astype(float)
TABLE["same"] = 3.0 - 2.0 * TABLE["x"]
TABLE["even"], TABLE["odd"] = (TABLE["group"] % 2 == 0) * 1.0, (TABLE["group"] % 2) * 1.0
TABLE.index = [f"person {k}" for k in range(60)]

MODELS = {
    "GLM": lambda: sm.GLM.from_formula("count ~ x + z", TABLE, family=sm.families.Poisson()),
    "Logit": lambda: sm.Logit.from_formula("label ~ x + z", TABLE),
    "Poisson": lambda: sm.Poisson.from_formula("count ~ x + z", TABLE),
    "Probit": lambda: sm.Probit.from_formula("label ~ x + z", TABLE),
    "NegativeBinomial": lambda: sm.NegativeBinomial.from_formula("count ~ x + z", TABLE),
}


def fitted(model, kind):
    options = {} if model == "GLM" else {"disp": 0, "maxiter": 200}
    return MODELS[model]().fit(cov_type=kind, **options)


@pytest.mark.filterwarnings(
    "ignore::RuntimeWarning", "ignore:.*:statsmodels.tools.sm_exceptions.HessianInversionWarning"
)
@pytest.mark.parametrize("kind", ["HC1", "HC2", "HC3"])
@pytest.mark.parametrize("model", MODELS)
def test_hc0_under_another_name_is_said(model, kind):
    results = fitted(model, kind)
    fit = ist.from_statsmodels(results)
    with pytest.warns(
        DoubtfulResult, match=f"cov_type='{kind}'.*HC0 for {model}: .*Pass kind='{kind}'"
    ) as said:
        found = fit.inference()
    assert len(said) == 1
    assert found.kind == "HC0"
    np.testing.assert_allclose(found.table.standard_errors, results.bse, rtol=1e-7)


@pytest.mark.parametrize("kind", ["HC0", "HC1", "HC2", "HC3"])
def test_least_squares_has_what_it_is_asked_for(kind):
    results = sm.OLS.from_formula("mean ~ x + z", TABLE).fit(cov_type=kind)
    found = ist.from_statsmodels(results).inference()
    assert found.kind == kind
    np.testing.assert_allclose(found.table.standard_errors, results.bse, rtol=1e-10)


# Formulas whose coefficients are not all determined -> those that are not, and words of the one cause.
LONE, SAME = "Row person 7 has leverage 1", "Columns of X depend on each other"
UNDETERMINED = {
    "mean ~ z + lone": (["lone"], LONE),
    "mean ~ z + C(lone)": (["C(lone)[T.1.0]"], LONE),
    "mean ~ x + z + same": (["Intercept", "x", "same"], SAME),
    "mean ~ z + even + odd": (["Intercept", "even", "odd"], SAME),
    "mean ~ z + C(group) + even": (
        ["Intercept", "C(group)[T.1]", "C(group)[T.3]", "even"],
        SAME,
    ),
}
OPTIONS = {
    "nonrobust": {},
    "HC1": {"cov_type": "HC1"},
    "HC2": {"cov_type": "HC2"},
    "HC3": {"cov_type": "HC3"},
    "cluster": {"cov_type": "cluster", "cov_kwds": {"groups": np.arange(60) % 9}},
    "HAC": {"cov_type": "HAC", "cov_kwds": {"maxlags": 2, "use_correction": True}},
    "panel HAC": {"cov_type": "hac-panel", "cov_kwds": {"groups": np.arange(60) // 12, "maxlags": 2}},
    "Driscoll-Kraay": {"cov_type": "hac-groupsum", "cov_kwds": {"time": np.arange(60) % 12, "maxlags": 2}},
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # statsmodels divides by 1 - leverage
@pytest.mark.parametrize("covariance", OPTIONS)
@pytest.mark.parametrize("formula", UNDETERMINED)
def test_one_cause_is_one_warning(formula, covariance):
    names, cause = UNDETERMINED[formula]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of statsmodels, which sees dependent columns too
        results = sm.OLS.from_formula(formula, TABLE).fit(**OPTIONS[covariance])
        fit = ist.from_statsmodels(results)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        errors = fit.inference().table.standard_errors
    silent = cause == LONE and covariance == "nonrobust"
    assert [cause in str(one.message) for one in said] == [True] * (not silent)
    lost = [] if cause == LONE and covariance not in ("HC2", "HC3") else names
    assert [name for name, error in zip(fit.names, errors, strict=True) if np.isnan(error)] == lost
    known = [j for j, name in enumerate(fit.names) if name not in names]
    np.testing.assert_allclose(errors[known], np.asarray(results.bse)[known], rtol=1e-7)


def test_a_category_that_occurs_once_is_sent_to_the_model_based_variance():
    # Where all rows have the same variance 1, the lone row's coefficient has about the standard error 1.
    fit = ist.from_statsmodels(sm.OLS.from_formula("mean ~ x + lone", TABLE).fit())
    lone = fit.names.index("lone")
    advice = "HC0 and HC1 take its residual of 0 .* take .model., or drop the row"
    with pytest.warns(DoubtfulResult, match=advice):
        assert np.isnan(fit.inference("HC3").table.standard_errors[lone])
    model = fit.inference("model").table.standard_errors[lone]
    with pytest.warns(
        DoubtfulResult, match="nothing else determines lone, whose standard errors are far too small"
    ):
        plain = fit.inference("HC0").table.standard_errors[lone]
    assert 0.7 < model < 1.4
    assert plain < 0.3 * model


WEIGHTS = np.linspace(0.5, 2.0, 60)
LONE_MODELS = {
    "OLS": lambda: sm.OLS.from_formula("mean ~ x + lone", TABLE),
    "WLS": lambda: sm.WLS.from_formula("mean ~ x + lone", TABLE, weights=WEIGHTS),
    "Gaussian GLM": lambda: sm.GLM.from_formula("mean ~ x + lone", TABLE),
    "Poisson GLM": lambda: sm.GLM.from_formula(
        "count ~ x + lone", TABLE.assign(count=TABLE["count"] + 1), family=sm.families.Poisson()
    ),
}
FIRMS = np.arange(60) % 9
RESIDUALS = {  # the settings here, and those of the library for the same numbers
    "HC0": ({}, {"cov_type": "HC0"}),
    "HC1": ({}, None),  # which statsmodels' GLM takes for HC0
    "cluster": ({"groups": FIRMS}, {"cov_type": "cluster", "cov_kwds": {"groups": FIRMS}}),
    "CR2": ({"groups": FIRMS}, None),
    "HAC": ({"lags": 2, "correction": False}, {"cov_type": "HAC", "cov_kwds": {"maxlags": 2}}),
    "infinitesimal jackknife": ({}, {"cov_type": "HC0"}),
}


@pytest.mark.parametrize("kind", [*RESIDUALS, "HC2", "HC3", "HC4", "model"])
@pytest.mark.parametrize("model", LONE_MODELS)
def test_a_row_that_alone_determines_a_coefficient_is_named_with_it(model, kind):
    make = LONE_MODELS[model]
    settings, library = RESIDUALS.get(kind, ({}, None))
    fit = ist.from_statsmodels(make().fit())
    for ask in (fit.inference, fit.covariance):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = ask(kind, **settings)
            errors = found.table.standard_errors if ask == fit.inference else np.sqrt(found.diagonal())
        if ask == fit.covariance or kind == "model":  # it has been said
            assert not said
            continue
        (one,) = said
        assert "Row person 7 has leverage 1" in str(one.message)
        assert "lone" in str(one.message)
        assert one.filename == __file__
        lost = np.isnan(errors)
        assert lost.tolist() == [
            kind.startswith("HC") and kind > "HC1" and name == "lone" for name in fit.names
        ]
    if library is not None:
        np.testing.assert_allclose(errors, np.asarray(make().fit(**library).bse), rtol=1e-6)


def test_rows_that_share_what_they_determine_are_not_named():
    table = TABLE.assign(lone=(np.arange(60) % 30 == 7) * 1.0)  # two rows
    fit = ist.from_statsmodels(sm.OLS.from_formula("mean ~ x + lone", table).fit())
    for kind, (settings, _) in RESIDUALS.items():
        assert np.isfinite(fit.inference(kind, **settings).table.standard_errors).all()


def test_a_variance_of_zero_is_no_negative_one():
    for seed in range(12):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(20, 2))
        X, y = np.column_stack([np.full(20, 3.0), x]), np.where(x[:, 0] + rng.normal(size=20) > 0, 1, -1)
        fit = ist.SmoothedSVC(lam=1.0, t=0.1).fit(X, y)  # of a constant, with an intercept that is free
        for kind in ("HC0", "HC1", "HC3"):
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                table = fit.inference(kind).to_frame()
            assert table.standard_errors.iloc[0] < 1e-6  # the root of 4,000 roundings of 1
            assert all("0 up to rounding" in str(one.message) for one in said)


def test_a_functional_of_no_variance_has_the_standard_error_zero():
    table = pd.DataFrame({"x": [0.0, 1, 2, 3, 4, 5], "g": list("abbbbb"), "y": [1.0, 2, 3, 5, 4, 7]})
    fit = ist.from_statsmodels(
        sm.OLS.from_formula("y ~ x + g", table).fit()
    )  # row 0 alone determines the intercept
    for quantity in (ist.contrast(fit, {"Intercept": 1.0}), ist.predicted_mean(fit, table.head(2))):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ist.errors.DoubtfulResult)
            for kind in ("HC0", "HC1"):
                assert 0.0 <= quantity.standard_errors(kind)[0] < 1e-7


@pytest.mark.parametrize("covariance", ["HAC", "panel HAC", "Driscoll-Kraay"])
def test_copies_of_their_own_have_no_place_in_time(covariance):
    copies = np.arange(60) % 3 + 1
    model = sm.GLM.from_formula("count ~ x", TABLE, family=sm.families.Poisson(), freq_weights=copies)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of statsmodels: not fully supported with freq_weights
        results = model.fit(**OPTIONS[covariance])
        plain = model.fit(cov_type="HC0")
    rows = ist.from_statsmodels(results, drop="row").inference().table.standard_errors
    np.testing.assert_allclose(rows, results.bse, rtol=1e-7)
    copy = ist.from_statsmodels(results, drop="copy")
    with pytest.warns(DoubtfulResult, match="no place in time: HC0 stands here") as caught:
        found = copy.inference().table.standard_errors
    assert len(caught) == 1
    truth = ist.from_statsmodels(plain, drop="copy").inference().table.standard_errors
    np.testing.assert_allclose(found, truth, rtol=1e-7)


@pytest.mark.parametrize("kind", ["HC0", "HAC", "CR2"])
def test_as_many_coefficients_as_rows_leave_no_covariance_of_residuals(kind):
    settings = {"HAC": {"lags": 1}, "CR2": {"groups": [0, 1, 2]}}.get(kind, {})
    fit = ist.Ridge(lam=0.0).fit([[1.0, 1, 1], [1, 2, 4], [1, 4, 1]], [1.0, 2, 5])
    with pytest.warns(DoubtfulResult, match="is 0 up to rounding for all 3 coefficients: .* the 3 rows"):
        found = fit.covariance(kind, **settings)
    np.testing.assert_allclose(found, 0.0, atol=1e-12)
    fit.covariance(kind, **settings)  # it has been said
    ist.Ridge(lam=1.0).fit([[1.0, 1, 1], [1, 2, 4], [1, 4, 1]], [1.0, 2, 5]).covariance(kind, **settings)


def test_a_list_of_tuples_is_neither_pairs_nor_two_ways_without_being_asked():
    rng = np.random.default_rng(5)
    X, y = np.column_stack([np.ones(40), rng.normal(size=40)]), rng.normal(size=40)
    fit = ist.Ridge(lam=0.0).fit(X, y)
    keys = [(i % 4, i // 7) for i in range(40)]
    for kind in ("cluster", "CR2", "cluster jackknife"):
        with pytest.raises(InvalidArgument, match="clusters of pairs or several clusterings"):
            fit.covariance(kind, groups=keys)
    pairs = fit.covariance("cluster", groups=[str(one) for one in keys])  # what the message names
    assert len(fit.leave_groups_out(keys).groups) == len(set(keys))
    assert pairs.shape == (2, 2)


def test_a_variance_below_zero_is_said_by_the_covariance_too():
    rng = np.random.default_rng(0)
    X, y = np.column_stack([np.ones(30), rng.normal(size=30)]), rng.normal(size=30)
    fit = ist.Ridge(lam=0.0).fit(X, y)
    for seed in range(200):
        groups = np.random.default_rng(seed).integers(0, 4, (30, 2))
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = fit.covariance("cluster", groups=groups)
        if (found.diagonal() < 0).any():
            break
    assert (found.diagonal() < 0).any()
    assert "comes out negative" in str(said[-1].message)
    assert said[-1].filename == __file__


def test_a_cluster_of_weight_0_is_said_to_have_been_counted_by_the_library():
    rng = np.random.default_rng(2)
    X, groups = sm.add_constant(rng.normal(size=(120, 2))), np.arange(120) // 2
    weights = np.where(groups == 7, 0.0, 1.0)
    model = sm.WLS(rng.normal(size=120), X, weights=weights)
    results = model.fit(cov_type="cluster", cov_kwds={"groups": groups})
    fit = ist.from_statsmodels(results)
    with pytest.warns(DoubtfulResult, match="reported by the library are others than these"):
        found = fit.inference().table.standard_errors
    by_one_fewer = np.sqrt((59 / 58) / (60 / 59))  # G / (G - 1) of 59 clusters, not of 60
    np.testing.assert_allclose(found, results.bse * by_one_fewer, rtol=CLOSED_FORM)
