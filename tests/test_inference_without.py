"""Inference without clusters and other sets of rows: statsmodels' own refits, with the same covariance."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels
import statsmodels.api as sm

import influstat as ist
from influstat.errors import DoubtfulResult, InvalidArgument, InvalidType
from influstat.statistics.lags import LAGGED
from influstat.statistics.setting import BY_GROUPS, ROBUST_REGRESSION
from influstat.statistics.setting import KINDS as KINDS_OF_COVARIANCES
from tests.argument_calls import N, X, Y
from tests.statsmodels_data import ALL
from tests.statsmodels_models import CASES
from tests.test_inference_of_results import WRONG_HESSIAN, wide_differences
from tests.test_inference_of_results import table_of as refitted_table
from tests.tolerance import CLOSED_FORM, STANDARD_ERRORS

ROWS = 90
RNG = np.random.default_rng(5)
DESIGN = np.column_stack([np.ones(ROWS), RNG.normal(size=(ROWS, 2))])
ETA = DESIGN @ [0.4, 0.5, -0.3]
WEIGHTS = RNG.uniform(0.5, 2.0, ROWS)
CLUSTERS, OTHERS = np.arange(ROWS) % 15, np.arange(ROWS) // 10
LINEAR, COUNTS = ETA + RNG.standard_t(5, ROWS), RNG.poisson(np.exp(ETA)).astype(float)
LABELS, TIMES = (RNG.random(ROWS) < 1.0 / (1.0 + np.exp(-ETA))).astype(float), RNG.gamma(2.0, np.exp(ETA))
TIGHT = {"tol": 1e-13, "tol_criterion": "params"}
EXACT = {"disp": 0, "tol": 1e-13}
LOG = sm.families.links.Log()

MODELS = {
    "OLS": lambda rows, **o: sm.OLS(LINEAR[rows], DESIGN[rows]).fit(**o),
    "WLS": lambda rows, **o: sm.WLS(LINEAR[rows], DESIGN[rows], weights=WEIGHTS[rows]).fit(**o),
    "GLM Poisson": lambda rows, **o: sm.GLM(
        COUNTS[rows], DESIGN[rows], family=sm.families.Poisson(), offset=0.1 * WEIGHTS[rows]
    ).fit(**TIGHT, **o),
    "GLM Gamma": lambda rows, **o: sm.GLM(
        TIMES[rows], DESIGN[rows], family=sm.families.Gamma(LOG), var_weights=WEIGHTS[rows]
    ).fit(**TIGHT, **o),
    "GLM Binomial": lambda rows, **o: sm.GLM(LABELS[rows], DESIGN[rows], family=sm.families.Binomial()).fit(
        **TIGHT, **o
    ),
    "Logit": lambda rows, **o: sm.Logit(LABELS[rows], DESIGN[rows]).fit(**EXACT, **o),
    "Poisson": lambda rows, **o: sm.Poisson(COUNTS[rows], DESIGN[rows]).fit(**EXACT, **o),
    "Probit": lambda rows, **o: sm.Probit(LABELS[rows], DESIGN[rows]).fit(**EXACT, **o),
    "NegativeBinomial": lambda rows, **o: sm.NegativeBinomial(COUNTS[rows], DESIGN[rows]).fit(
        start_params=[0.3, 0.5, -0.3, 0.1], method="newton", **EXACT, **o
    ),
}
KINDS = {
    "nonrobust": lambda rows: {},
    "t": lambda rows: {"use_t": True},
    "HC0": lambda rows: {"cov_type": "HC0"},
    "HC1": lambda rows: {"cov_type": "HC1"},
    "HC3": lambda rows: {"cov_type": "HC3"},
    "cluster": lambda rows: {"cov_type": "cluster", "cov_kwds": {"groups": CLUSTERS[rows]}},
    "cluster, t": lambda rows: {
        "cov_type": "cluster", "cov_kwds": {"groups": CLUSTERS[rows]}, "use_t": True,
    },
    "two-way": lambda rows: {"cov_type": "cluster", "cov_kwds": {"groups": np.c_[CLUSTERS, OTHERS][rows]}},
    "cluster-crv3": lambda rows: {"cov_type": "cluster-crv3", "cov_kwds": {"groups": CLUSTERS[rows]}},
    "cluster-jk": lambda rows: {"cov_type": "cluster-jk", "cov_kwds": {"groups": CLUSTERS[rows]}},
}  # fmt: skip
LEAST_SQUARES = ("HC1", "HC3", "cluster-crv3", "cluster-jk")  # of statsmodels: there alone under these names
OLD = tuple(int(part) for part in statsmodels.__version__.split(".")[:2]) < (0, 15)
NEW = () if not OLD else ("cluster-crv3", "cluster-jk")  # 0.14 has neither
LINES = [
    (model, kind)
    for model in MODELS
    for kind in KINDS
    if kind not in NEW
    and (kind not in LEAST_SQUARES or model in ("OLS", "WLS"))
    and not (kind == "t" and not model.startswith(("OLS", "WLS", "GLM")))
]
# The rows that leave: whole clusters of the covariance, other groups, any set.
SETS = {"cluster 3": CLUSTERS == 3, "group 8": OTHERS == 8, "set": np.isin(np.arange(ROWS), [2, 17, 40])}


def table_of(results):
    limits = np.asarray(results.conf_int())
    columns = [results.params, results.bse, results.tvalues, results.pvalues, limits[:, 0], limits[:, 1]]
    return np.column_stack([np.asarray(column) for column in columns])


def fitted(model, kind, rows):
    with warnings.catch_warnings():
        # "cov_type not fully supported with var_weights", of results that are right all the same
        warnings.simplefilter("ignore", sm.tools.sm_exceptions.SpecificationWarning)
        return MODELS[model](rows, **KINDS[kind](rows))


def close(found, truth):
    size = np.maximum(1.0, np.abs(truth).max(axis=0))
    np.testing.assert_allclose(found / size, truth / size, rtol=0, atol=STANDARD_ERRORS)


@pytest.mark.dear
@pytest.mark.parametrize(("model", "kind"), LINES)
def test_inference_without_a_set_is_that_of_the_refit(model, kind):
    every = np.arange(ROWS)
    whole = fitted(model, kind, every)
    inference = ist.from_statsmodels(whole).inference()
    groups = {name: np.flatnonzero(rows) for name, rows in SETS.items()}
    found = inference.leave_groups_out(groups)
    levels, changes = found.to_frame(), found.to_frame(what="change")
    for name, rows in SETS.items():
        refit = table_of(fitted(model, kind, every[~rows]))
        close(levels.loc[name].to_numpy(), refit)
        close(changes.loc[name].to_numpy(), refit - table_of(whole))
    one = inference.without(SETS["set"])
    np.testing.assert_allclose(one.to_frame(), levels.loc["set"], rtol=CLOSED_FORM, atol=CLOSED_FORM)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in CASES if case.name not in WRONG_HESSIAN], ids=str)
def test_every_model_of_the_table_has_the_inference_of_its_refit(case):
    results = case.refitted()
    if not hasattr(results, "bse"):
        pytest.skip("fit_regularized without standard errors of its own")
    rows = np.array([3, 50, 51, 120, 121, 122])
    found = ist.from_statsmodels(results, **case.settings).inference().without(rows).to_frame().to_numpy()
    with wide_differences(case):
        truth = refitted_table(case.refitted(np.delete(ALL, rows)))
    size = np.maximum(1.0, np.abs(truth).max(axis=0))
    np.testing.assert_array_less(np.abs(found[:, 1:] - truth) / size, case.tolerance)


def test_rows_left_out_keep_their_places_in_time():
    results = sm.OLS(LINEAR, DESIGN).fit(cov_type="HAC", cov_kwds={"maxlags": 3})
    inference = ist.from_statsmodels(results).inference()
    left = np.ones(ROWS)
    left[[10, 11, 40]] = 0.0
    weighted = sm.WLS(LINEAR, DESIGN, weights=left).fit(cov_type="HAC", cov_kwds={"maxlags": 3})
    close(inference.without([10, 11, 40]).to_frame().to_numpy(), table_of(weighted))
    last = np.arange(80)
    shorter = sm.OLS(LINEAR[last], DESIGN[last]).fit(cov_type="HAC", cov_kwds={"maxlags": 3})
    close(inference.without(range(80, 90)).to_frame().to_numpy(), table_of(shorter))


def test_rows_lost_to_missing_values_close_their_gap_in_time():
    holes = LINEAR.copy()
    holes[[10, 11, 40]] = np.nan
    results = sm.OLS(holes, DESIGN, missing="drop").fit(cov_type="HAC", cov_kwds={"maxlags": 3})
    closed = ist.from_statsmodels(results).inference().table.standard_errors
    close(closed, results.bse)
    whole = sm.OLS(LINEAR, DESIGN).fit(cov_type="HAC", cov_kwds={"maxlags": 3})
    gap = ist.from_statsmodels(whole).inference().without([10, 11, 40]).table.standard_errors
    assert np.abs(gap / closed - 1.0).max() > 1e-3  # the same rows, but other neighbours


@pytest.mark.parametrize("kind", ["model", "HC1", "HC2", "HC3", "HC4", "jackknife", "cluster", "CR2", "H1"])
@pytest.mark.parametrize("protocol", ["fixed", "folded"])
def test_sets_of_one_row_are_rows(kind, protocol):
    fit = ist.Ridge(lam=0.5, protocol=protocol).fit(DESIGN[:30], LINEAR[:30])
    settings = {"groups": CLUSTERS[:30]} if kind in ("cluster", "CR2") else {}
    inference = fit.inference(kind, **settings)
    rows = inference.leave_one_out(rows=[3, 20])
    sets = inference.leave_groups_out({"a": [3], "b": [20]})
    for name in ("standard_errors", "t_values", "p_values", "lower", "upper"):
        np.testing.assert_allclose(sets.change(name), getattr(rows, name), rtol=0, atol=STANDARD_ERRORS)
    np.testing.assert_array_equal(sets.estimates, fit.leave_one_out(rows=[3, 20]).theta)


@pytest.mark.parametrize(
    ("model", "y", "protocol"),
    [
        ("Ridge", LINEAR, "folded"),
        ("Logistic", LABELS, "fixed"),
        pytest.param("Ridge", LINEAR, "fixed", marks=pytest.mark.slow),
        pytest.param("Logistic", LABELS, "folded", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("kind", KINDS_OF_COVARIANCES)
def test_every_covariance_without_a_set_is_that_of_a_fit_to_the_rows_left(kind, protocol, model, y):
    """Under "folded" a ninth of the rows takes a ninth of the penalty along."""
    every, rows = np.arange(ROWS), np.arange(80)
    lam = 0.0 if kind in ROBUST_REGRESSION and model == "Ridge" else 0.3

    def inference(chosen, lam):
        fit = getattr(ist, model)(lam=lam, protocol=protocol).fit(DESIGN[chosen], y[chosen])
        labels = np.arange(ROWS) // 10 if kind == "panel HAC" else CLUSTERS
        settings = {"groups": labels[chosen]} if kind in BY_GROUPS else {}
        return fit.inference(kind, **settings | ({"lags": 2} if kind in LAGGED else {}))

    found = inference(every, lam).without(every[80:]).to_frame()
    truth = inference(rows, lam * 80 / 90 if protocol == "folded" else lam).to_frame()
    np.testing.assert_allclose(found[truth.columns], truth, rtol=STANDARD_ERRORS, atol=STANDARD_ERRORS)


def test_copies_leave_with_their_counts():
    copies = np.array([1.0, 3, 2, 1, 4, 2, 1, 2])
    repeated = np.repeat(np.arange(N), copies.astype(int))
    glm = sm.GLM(Y, X, freq_weights=copies).fit()
    found = ist.from_statsmodels(glm, drop="row").inference(use_t=True).without([1, 2])
    kept = repeated[~np.isin(repeated, [1, 2])]
    close(found.to_frame().to_numpy(), table_of(sm.OLS(Y[kept], X[kept]).fit()))


@pytest.mark.parametrize("kind", ["nonrobust", "HC1", "cluster"])
@pytest.mark.parametrize("use_t", [True, False])
def test_a_group_that_alone_has_a_dummy_loses_that_coefficient_alone(kind, use_t):
    X = np.column_stack([DESIGN, OTHERS == 4])
    rows = OTHERS != 4

    def fit(rows, columns):
        return sm.OLS(LINEAR[rows], X[rows][:, columns]).fit(**KINDS[kind](rows) | {"use_t": use_t})

    inference = ist.from_statsmodels(fit(np.full(ROWS, True), [0, 1, 2, 3])).inference()
    with pytest.warns(DoubtfulResult, match="Something is nan without 1 of 9 sets of rows") as caught:
        found = inference.leave_groups_out(OTHERS)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    frame = found.to_frame()
    close(frame.loc[4].to_numpy()[:3], table_of(fit(rows, [0, 1, 2])))
    assert np.isnan(frame.loc[4].to_numpy()[3]).all()
    assert frame.drop(index=4, level=0).notna().all(axis=None)
    assert [text[:8] for text in found.status] == ["", "", "", "", "Group 4:", "", "", "", ""]
    assert frame.attrs["status"] == found.status


@pytest.mark.filterwarnings("ignore:.* takes residuals of 0 for errors of 0")  # test_covariance_said
@pytest.mark.parametrize("kind", ["nonrobust", "HC0", "HC1"])
def test_two_columns_that_one_row_tells_apart_cost_one_degree_of_freedom(kind):
    other = DESIGN[:, 1] + (np.arange(ROWS) == 0)  # the same column, but for the first row
    X = np.column_stack([DESIGN[:, :2], other])
    fit = ist.from_statsmodels(sm.OLS(LINEAR, X).fit(cov_type=kind, use_t=True))
    inference = fit.inference()
    with pytest.warns(DoubtfulResult, match="x1, x2 are not determined"):
        found = inference.leave_one_out(rows=[0])
    refit = sm.OLS(LINEAR[1:], DESIGN[1:, :2]).fit(cov_type=kind, use_t=True)
    lower, upper = (getattr(found, name)[0] + getattr(inference.table, name) for name in ("lower", "upper"))
    np.testing.assert_allclose([lower[0], upper[0]], refit.conf_int()[0], rtol=1e-9)
    assert np.isnan(lower[1:]).all()


def test_where_inference_is_lost_the_status_says_why():
    fit = ist.Ridge(lam=0.0).fit(X, Y)
    clusters = fit.inference("cluster", groups=np.arange(N) // 4)
    with pytest.warns(DoubtfulResult, match="hold at least 2 clusters"):
        found = clusters.leave_groups_out({"first": range(4), "one": [0]})
    assert "holds 1" in found.status[0]
    assert found.status[1] == ""
    assert np.isnan(found.table.p_values[0]).all()
    assert not np.isnan(found.estimates).any()
    with pytest.warns(DoubtfulResult, match="degrees of freedom"):
        fit.inference().without(range(5))
    uncorrected = fit.inference("cluster", groups=np.arange(N) // 4, correction=False)
    with pytest.warns(DoubtfulResult, match="no degrees of freedom are left"):
        found = uncorrected.without(range(4))
    assert np.isnan(found.table.p_values).all()


def test_frames_have_labels_and_one_quantity_is_a_table():
    states = pd.Index([f"state {k}" for k in range(N)], name="state")
    table = pd.DataFrame({"y": Y, "a": X[:, 1], "b": X[:, 2], "region": list("nnsswwee")}, index=states)
    fit = ist.from_statsmodels(sm.OLS.from_formula("y ~ a + b", table).fit(cov_type="HC3"))
    found = fit.inference().leave_groups_out("region")
    assert found.to_frame("p_values").index.tolist() == ["e", "n", "s", "w"]
    assert found.to_frame("p_values").columns.tolist() == ["Intercept", "a", "b"]
    assert found.to_frame().index.names == ["without", "coefficient"]
    change = found.to_frame("estimates", what="change")
    np.testing.assert_allclose(change, fit.leave_groups_out("region").delta, rtol=0, atol=STANDARD_ERRORS)
    assert repr(found).startswith("Inference without each set of rows, estimated anew\n")
    one = fit.inference().without("state 2")
    assert one.to_frame().index.tolist() == ["Intercept", "a", "b"]
    assert one.to_frame("p_values").index.tolist() == ["state 2"]
    assert fit.inference().without([1, 2]).to_frame("p_values").index.tolist() == ["2 rows"]


def test_penalised_tables_say_what_they_are():
    frame = ist.Ridge(lam=1.0).fit(X, Y).inference().without([0]).to_frame()
    assert "no tests of an unpenalised" in frame.attrs["note"]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda found: found.without(range(N)), "rows must leave a row in, but it holds all 8 rows"),
        (lambda found: found.without([]), "rows must hold at least one"),
        (
            lambda found: found.without(None),
            "rows must be positions, a mask or labels of rows, but it is None",
        ),
        (lambda found: found.leave_groups_out(["a"] * N), "groups must have two or more values"),
        (lambda found: found.without([0]).to_frame("bse"), "quantity must be"),
        (lambda found: found.without([0]).to_frame(what="delta"), "what must be"),
        (lambda found: found.without([0]).change("bse"), "quantity must be"),
    ],
)
def test_what_makes_no_sense_is_refused(call, sentence):
    with pytest.raises((InvalidArgument, InvalidType), match=sentence):
        call(ist.Ridge(lam=0.0).fit(X, Y).inference())
