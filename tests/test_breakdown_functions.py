"""Breakdowns of functions of theta, and of inferences about which nothing is proven."""

import warnings

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.tools.sm_exceptions import DomainWarning

import influstat as ist
from influstat.errors import DoubtfulResult, InvalidArgument, Unsupported
from tests import tolerance
from tests.breakdown_cases import fit_of
from tests.budget import some

SPECTOR = sm.datasets.spector.load_pandas().data
CRIME = sm.datasets.statecrime.load_pandas().data
CRIME_X = sm.add_constant(CRIME[["urban", "poverty", "hs_grad", "single"]])
RNG = np.random.default_rng(5)
X = np.column_stack([np.ones(40), RNG.normal(size=(40, 2))])
Y = X @ [0.3, 0.4, 0.8] + RNG.normal(size=40)


def logit(rows=slice(None)):
    table = SPECTOR.iloc[rows]
    exog = sm.add_constant(table[["GPA", "TUCE", "PSI"]])
    return sm.Logit(table["GRADE"], exog).fit(disp=0, method="newton", tol=1e-12)


def squares():
    return ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, Y, names=["one", "a", "b"]))


def same(one, other):
    return (one.upper, one.lower, list(one.positions), one.counts) == (
        other.upper, other.lower, list(other.positions), other.counts,
    )  # fmt: skip


def test_an_odds_ratio_of_1_is_a_coefficient_of_0():
    fit = ist.from_statsmodels(logit())
    found = ist.odds_ratio(fit, "TUCE", unit=2.0).breakdown(at=1.0)
    assert same(found, fit.breakdown("TUCE"))
    assert found.question == "odds ratio TUCE against 1, log odds"
    assert found.value == pytest.approx(2.0 * fit.theta[2])
    with pytest.raises(
        InvalidArgument, match="at must be a value that odds ratio TUCE can have, but it is -1"
    ):
        ist.odds_ratio(fit, "TUCE").breakdown(at=-1.0)


def test_a_contrast_is_a_threshold():
    fit = squares()
    lines = ist.contrast(fit, [[0.0, -1.0, 1.0], [0.0, 1.0, 1.0]], labels=["b - a", "a + b"])
    assert same(lines.breakdown("b - a", at=0.0), fit.breakdown([0.0, -1.0, 1.0]))
    assert same(lines.breakdown(1, at=0.5), fit.breakdown([0.0, 1.0, 1.0], at=0.5))


@pytest.mark.slow
def test_a_predicted_mean_is_a_linear_predictor():
    fit = ist.from_statsmodels(logit())
    row = fit.risk.design.rows([3])
    quick = {"budget_seconds": 0.0}
    assert same(
        ist.predicted_mean(fit, row).breakdown(at=0.5, **quick), fit.breakdown_of_prediction(row, **quick)
    )
    found = ist.predicted_mean(fit, row).breakdown(at=0.2, budget_seconds=1.0)
    means = [
        fit.predict(row, kind="mean")[0],
        logit(np.setdiff1d(np.arange(32), found.positions)).predict(row)[0],
    ]
    assert (means[0] - 0.2) * (means[1] - 0.2) < 0.0
    assert found.lower <= found.upper


@pytest.mark.parametrize("link", ["inverse_power", "log"])
def test_a_mean_that_falls_with_its_predictor(link):
    positive = np.exp(0.3 * Y)
    links = {"inverse_power": sm.families.links.InversePower, "log": sm.families.links.Log}
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DomainWarning
        )  # a predictor below 0 would have no mean: there is none
        family = sm.families.Gamma(links[link]())
        model = sm.GLM(positive, X, family=family).fit(tol=1e-12)
    fit = ist.from_statsmodels(model)
    row, mean = X[:1], float(model.predict(X[:1])[0])
    found = ist.predicted_mean(fit, row).breakdown(at=0.97 * mean, budget_seconds=1.0)
    kept = np.setdiff1d(np.arange(40), found.positions)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DomainWarning)
        after = sm.GLM(positive[kept], X[kept], family=family).fit(tol=1e-12).predict(row)[0]
    assert after <= 0.97 * mean * (1.0 + 1e-9)


@pytest.mark.slow
def test_any_other_function_has_a_set_and_no_proof():
    fit = squares()
    found = ist.functional(fit, lambda t: t[2] / (1.0 + t[1] ** 2), quantity="ratio").breakdown(at=0.0)
    assert (found.lower, found.proof) == (1, "none")
    assert "no proof: it is no monotone function" in repr(found)
    assert found.question == "ratio"
    kept = np.setdiff1d(np.arange(40), found.positions)
    theta = np.linalg.lstsq(X[kept], Y[kept], rcond=None)[0]
    assert theta[2] / (1.0 + theta[1] ** 2) <= 0.0
    assert found.value_without == pytest.approx(theta[2] / (1.0 + theta[1] ** 2), abs=1e-9)
    path = found.path()
    assert path["refit"].iloc[0] == found.value
    assert not path["stands"].iloc[1:].any()


def test_an_interrupt_of_the_tangent_is_one_of_the_whole(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("influstat.sets.search.search.Search.down", interrupted)
    with pytest.warns(DoubtfulResult, match="Interrupted") as said:
        found = ist.functional(squares(), lambda t: t[2] / (1.0 + t[1] ** 2)).breakdown(at=0.0)
    assert len(said) == 1
    assert (found.limit, found.lower) == ("interrupted", 1)


def test_an_effect_averages_over_the_rows_left():
    fit = ist.from_statsmodels(logit())
    effect = ist.average_marginal_effect(fit, "TUCE")
    found = effect.breakdown(at=0.5 * float(effect.value[0]), budget_seconds=3.0)
    kept = np.setdiff1d(np.arange(32), found.positions)
    after = logit(kept).get_margeff(at="overall").margeff[1]
    assert after <= 0.5 * effect.value[0] * (1.0 + 1e-9)
    assert found.value_without == pytest.approx(after, rel=1e-6)


@pytest.mark.parametrize(
    ("which", "message"), [("c", "the labels are"), (2, "which must be"), (-1, "which must be")]
)
def test_there_are_only_its_own_quantities(which, message):
    with pytest.raises(InvalidArgument, match=message):
        ist.contrast(squares(), [1.0, 0.0, 0.0]).breakdown(which, at=0.0)


# -- inferences without proofs -------------------------------------------------------------------------------

CITIES = np.arange(51) // 3


def crime_p(kind, kept, coefficient):
    settings = {"cov_type": kind}
    if kind == "cluster":
        settings["cov_kwds"] = {"groups": np.column_stack([CITIES, np.arange(51) % 7])[kept]}
    fit = sm.OLS(CRIME["murder"].iloc[kept], CRIME_X.iloc[kept]).fit(use_t=True, **settings)
    return fit.params[coefficient], fit.pvalues[coefficient]


@pytest.mark.dear
@pytest.mark.parametrize(
    ("kind", "coefficient", "other"),
    [
        ("HC2", "single", False), ("HC3", "single", False), ("HC3", "poverty", False),
        ("HC1", "urban", False), ("HC0", "urban", False), ("HC1", "single", True),
        ("cluster", "single", False),
    ],
)  # fmt: skip
def test_sets_of_robust_significance_are_refitted(kind, coefficient, other):
    fit = ist.from_statsmodels(sm.OLS(CRIME["murder"], CRIME_X).fit())
    groups = {"groups": np.column_stack([CITIES, np.arange(51) % 7])} if kind == "cluster" else {}
    found = fit.inference(kind, **groups).breakdown(coefficient, reversed=other, budget_seconds=0.2)
    if kind == "cluster":  # two ways, for which nothing is proven
        assert (found.lower, found.proof) == (1, "none")
    assert found.lower <= found.upper
    assert found.limit or found.exact
    rows = np.flatnonzero(np.isin(CITIES, found.removed)) if kind == "cluster" else found.positions
    sign, p = crime_p(kind, np.setdiff1d(np.arange(51), rows), coefficient)
    before, p_before = crime_p(kind, np.arange(51), coefficient)
    if other:
        assert sign * before < 0.0
        assert p <= 0.05
    else:
        assert (p < 0.05) != (p_before < 0.05)


@pytest.mark.parametrize(("slope", "other"), some([(0.3, True), (0.9, False), (0.25, False)]))
def test_wald_significance_of_a_logistic_fit_is_searched(slope, other):
    rng = np.random.default_rng(3)
    x = np.column_stack([np.ones(120), rng.normal(size=(120, 2))])
    y = (rng.random(120) < 1.0 / (1.0 + np.exp(-slope * x[:, 2]))) * 1.0
    model = sm.Logit(y, x).fit(disp=0, method="newton", tol=1e-12)
    found = ist.from_statsmodels(model).inference().breakdown(2, reversed=other, budget_seconds=0.3)
    assert (found.lower, found.proof) == (1, "none")
    assert "variance that is estimated" in found.limit or found.exact
    kept = np.setdiff1d(np.arange(120), found.positions)
    after = sm.Logit(y[kept], x[kept]).fit(disp=0, method="newton", tol=1e-12)
    if other:
        assert after.params[2] * model.params[2] < 0.0
        assert after.pvalues[2] <= 0.05
    else:
        assert (after.pvalues[2] < 0.05) != (model.pvalues[2] < 0.05)


@pytest.mark.parametrize("coefficient", ["poverty", "single"])
def test_a_bracket_that_time_has_left_open_says_so(coefficient):
    fit = ist.from_statsmodels(sm.OLS(CRIME["murder"], CRIME_X).fit())
    found = fit.inference("HC2").breakdown(coefficient, budget_seconds=0.0)
    assert not found.exact
    assert found.limit == "the time was over"


# -- predictions and losses ----------------------------------------------------------------------------------


def test_one_row_of_several_classes_is_sent_to_its_probabilities():
    x = np.array([[1.0, 0.2], [1.0, 1.1], [1.0, 0.7], [1.0, 1.9], [1.0, 1.4], [1.0, 2.3]])
    fit = ist.Fit.minimise(ist.SoftmaxRisk(x, [0, 1, 2, 1, 2, 0], penalty=ist.L2(0.5)))
    with pytest.raises(
        Unsupported, match=r"one linear predictor per row .*breakdown\(which='0: 0', at=0\.5\)"
    ):
        fit.breakdown_of_prediction(x[:1])
    assert ist.predicted_mean(fit, x[:1]).breakdown(which="0: 0", at=0.5, budget_seconds=0.0).at == 0.5


def test_a_prediction_is_a_threshold():
    fit = fit_of("statecrime")
    row = fit.risk.design.rows([8])
    answer = fit.breakdown_of_prediction(sm.datasets.statecrime.load_pandas().data.iloc[[8]], at=12.0)
    again = fit.breakdown(row[0], at=12.0)
    assert (answer.upper, answer.lower) == (again.upper, again.lower)
    assert answer.value == pytest.approx(float(row[0] @ fit.theta), rel=tolerance.SUMS)


@pytest.mark.parametrize(("above", "size"), [(0.1, 1), (0.6, 2), (3.0, 1)])
def test_a_loss_is_left_by_the_nearer_end(above, size):
    y = np.array([-1.0, -1.0, 1.0, 2.0, 3.0])
    fit = ist.LinearRisk(ist.SquaredError(), np.ones((5, 1)), y)
    fit = ist.Fit.minimise(fit)
    target = {3.0: 2.7}.get(above, 0.8)  # a loss of 3.61 above 3, or one of 0 at most 0.1 and 0.6
    answer = fit.breakdown_of_loss([[1.0]], [target], above=above)
    assert answer.upper == answer.lower == size
    left = np.delete(y, answer.positions).mean()
    assert ((target - left) ** 2 > above) == (above < 3.0)


def test_a_loss_that_never_reaches_the_level_is_refused():
    fit = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), np.ones((3, 1)), [1.0, 2.0, 4.0]))
    with pytest.raises(InvalidArgument, match="which the loss never reaches"):
        fit.breakdown_of_loss([[1.0]], [0.0], above=-1.0)


def test_a_loss_with_a_share_of_the_penalty_is_refused():
    fit = ist.Ridge(lam=1.0).fit(np.ones((3, 1)), [1.0, 2.0, 4.0])
    with pytest.raises(Unsupported, match="adds its share of the penalty"):
        fit.breakdown_of_loss([[1.0]], [0.0], above=1.0)
