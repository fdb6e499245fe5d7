"""How few rows flip a conclusion: numbers known for bundled and real data, results, bad input."""

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm

import influstat as ist
from influstat import checks, datasets
from influstat.errors import InvalidArgument, InvalidType, NotStationary
from tests import tolerance
from tests.breakdown_cases import fit_of, two_states
from tests.budget import share, some

# First order, rescaled, at the null, greedy, found, proven at least; None where an account says "none".
COUNTS = {
    ("statecrime", "urban"): (2, 1, 2, 1, 1, 1),
    ("statecrime", "poverty"): (None, None, 14, 8, 8, 8),
    ("statecrime", "hs_grad"): (None, 1, 8, 1, 1, 1),
    ("statecrime", "single"): (None, None, 17, 11, 11, 11),
    ("stackloss", "AIRFLOW"): (None, None, 14, 12, 10, 10),
    ("stackloss", "WATERTEMP"): (None, None, 10, 6, 6, 6),
    ("stackloss", "ACIDCONC"): (9, 5, 5, 4, 3, 3),
    ("longley", "GNPDEFL"): (1, 1, 1, 1, 1, 1),
    ("longley", "GNP"): (None, 4, 5, 3, 3, 3),
    ("longley", "UNEMP"): (None, None, 11, 6, 5, 5),
    ("longley", "ARMED"): (None, None, 10, 6, 6, 6),
    ("longley", "POP"): (1, 1, 1, 1, 1, 1),
    ("engel", "income"): (None, None, 169, 167, 167, 167),
    ("ccard", "AGE"): (1, 1, 1, 1, 1, 1),
    ("ccard", "INCOME"): (None, None, 19, 16, 16, 16),
    ("ccard", "OWNRENT"): (2, 2, 2, 2, 2, 2),
    ("fair", "rate_marriage"): (1410, 1399, 523, 378, 378, 255),
    ("fair", "age"): (20, 20, 20, 19, 19, 19),
    ("fair", "yrs_married"): (6, 6, 6, 6, 6, 6),
    ("fair", "children"): (8, 8, 8, 8, 8, 8),
    ("fair", "religious"): (172, 171, 146, 132, 132, 120),
    ("randhie", "physlm"): (252, 251, 222, 218, 218, 199),
    ("randhie", "hlthf"): (27, 27, 27, 27, 27, 27),
    ("randhie", "hlthg"): (114, 114, 113, 112, 112, 110),
    ("randhie", "hlthp"): (27, 27, 25, 24, 24, 24),
    ("spector", "TUCE"): (3, 2, 2, 2, 2, 2),
    ("spector", "GPA"): (None, None, 6, 6, 5, 3),
    ("spector", "PSI"): (None, None, 8, 5, 5, 5),
    ("fair, any", "educ"): (57, 57, 52, 51, 51, 41),
    ("fair, any", "age"): (196, 195, 160, 157, 157, 58),
    ("fair, any", "children"): (2, 2, 2, 2, 2, 2),
    ("fair, any", "occupation_husb"): (12, 12, 12, 12, 12, 12),
    ("randhie, counts", "hlthf"): (7, 7, 7, 7, 7, 7),
}
# Thousand looks, as many as the search needs and few more: each look of a proof takes long in large tables.
BUDGETS = {
    ("fair", "rate_marriage"): 0.5,
    ("fair", "religious"): 0.22,
    ("fair, any", "educ"): 0.17,
    ("fair, any", "age"): 0.32,
    ("randhie", "physlm"): 0.36,
}
SLOW = {"engel", "fair", "randhie", "fair, any", "randhie, counts"}
FEW = [
    ("spector", "GPA"),
    ("spector", "PSI"),
    ("stackloss", "AIRFLOW"),
    ("statecrime", "poverty"),
    ("statecrime", "single"),
]  # all sets of some size


@pytest.mark.dear
@pytest.mark.usefixtures("mostly_searched")
@pytest.mark.parametrize(
    ("name", "coefficient"),
    [
        pytest.param(*case, marks=[pytest.mark.slow] if case[0] in SLOW or case in FEW else [])
        for case in COUNTS
    ],
)
def test_counts_and_brackets_of_known_data(name, coefficient):
    *counts, found, proven = COUNTS[name, coefficient]
    budget = BUDGETS.get((name, coefficient), 5.0)
    answer = fit_of(name).breakdown(coefficient, budget_seconds=budget)
    assert list(answer.counts.values()) == counts
    assert answer.upper == found
    assert proven <= answer.lower <= found
    assert answer.exact == (answer.lower == found)
    assert answer.value_without * answer.value <= 0.0


@pytest.mark.parametrize(
    ("name", "coefficient", "rows"),
    [
        pytest.param("statecrime", "poverty", [4, 8, 16, 22, 26, 30, 39, 43], marks=pytest.mark.slow),
        ("statecrime", "hs_grad", [8]),
        ("stackloss", "WATERTEMP", [3, 9, 11, 12, 13, 20]),
        ("stackloss", "ACIDCONC", [6, 7, 8]),
        ("longley", "GNP", [3, 8, 12]),
        ("longley", "UNEMP", [4, 5, 9, 10, 13]),
    ],
)
def test_sets_of_known_data(name, coefficient, rows):
    answer = fit_of(name).breakdown(coefficient, budget_seconds=5.0)
    assert answer.positions.tolist() == rows
    assert list(answer.removed) == fit_of(name).row_labels[rows].tolist()
    theta = fit_of(name).leave_groups_out([np.array(rows)]).theta[0]
    assert answer.value_without == theta[fit_of(name).names.index(coefficient)]


@pytest.mark.parametrize(("coefficient", "proven"), some([("value", 8), ("capital", 9)]))
def test_whole_firms(coefficient, proven):
    answer = fit_of("grunfeld").breakdown(coefficient, groups="firm")
    assert (answer.units, answer.total) == ("clusters", 11)
    assert answer.lower >= proven
    assert answer.exact == (coefficient == "value")


def test_executions():
    for name, size in list(zip(fit_of("cpunish").names[1:], (2, 1, 1, 1, 2, 2), strict=True))[: share(6)]:
        found = fit_of("cpunish").breakdown(name)
        assert (found.upper, found.exact) == (size, True)


@pytest.mark.parametrize(
    ("site", "size"),
    [("BIH", 13), ("MON", 15), ("ETH", 1), ("MEX", 1), ("MOR", 11), ("PHI", 9), ("IND", 6)],
)
@pytest.mark.usefixtures("data_dir")
def test_two_groups_of_the_microcredit_trials_are_exact(site, size):
    trial = datasets.load_microcredit(site=site)
    fit = ist.from_statsmodels(sm.OLS(trial.y, sm.add_constant(trial.X)).fit())
    answer = fit.breakdown(1)
    assert (answer.upper, answer.lower, answer.exact) == (size, size, True)


@pytest.mark.usefixtures("data_dir")
def test_reach_of_the_microcredit_trial_of_bosnia():
    trial = datasets.load_microcredit(site="BIH")
    reach = ist.from_statsmodels(sm.OLS(trial.y, sm.add_constant(trial.X)).fit()).reach(1, k=5)
    assert np.round(reach.attained, 3).tolist() == [16.222, 61.413]
    assert np.round(reach.proven, 3).tolist() == [16.222, 61.414]  # rounded outwards


@pytest.mark.slow
def test_reach_of_two_states():
    reach = two_states()
    assert np.round(reach.attained, 4).tolist() == [0.3264, 0.6992]
    assert reach.proven[0] <= reach.attained[0]
    assert reach.proven[1] >= reach.attained[1]
    assert np.abs(np.subtract(reach.proven, reach.attained)).max() < 1e-4  # of a proof by bisection
    assert reach.to_frame()["units"].tolist() == [2, 2]


# -- results -------------------------------------------------------------------------------------------------


def test_the_answer_prints_as_a_table():
    answer = fit_of("statecrime").breakdown("hs_grad")
    assert str(answer).splitlines() == [
        "Sign of hs_grad, +0.3059: fewest rows whose removal brings it to 0 or below, of 51",
        "  first order (AMIP)        none        linear extrapolation never reaches 0",
        "  first order / (1 - h)     1",
        "  first order at the null   8",
        "  greedy                    1",
        "  found, verified by refit  1 (1.96 %)",
        "  proven                    no smaller set exists: 1 is exact",
    ]


def test_frame_and_path():
    answer = fit_of("statecrime").breakdown("hs_grad")
    frame = answer.to_frame()
    assert frame.loc["found", "count"] == 1
    assert frame.loc["found", "value_without"] == answer.value_without
    path = answer.path()
    assert path.loc[0, "refit"] == path.loc[0, "first_order"] == answer.value
    assert path.index.tolist() == [0, 1]
    assert path["stands"].tolist() == [True, False]


def test_a_line_for_each_coefficient():
    table = ist.breakdown_table(fit_of("longley"), coefficients=["GNPDEFL", "GNP"]).to_frame()
    assert table["found"].tolist() == [1, 3]
    assert table["exact"].all()


def test_a_coefficient_at_the_threshold_has_its_reason_in_the_table():
    fit = ist.Ridge(lam=0.0).fit([[1.0], [1.0]], [1.0, 3.0], names=["mean"])
    table = ist.breakdown_table(fit, at=2.0)
    assert "differ from the value of mean, 2" in table.status["mean"]
    assert table.to_frame().loc["mean", "found"] is not None


def test_without_a_budget_the_quick_certificate_answers():
    answer = fit_of("ccard").breakdown("OWNRENT", budget_seconds=0.0)
    assert (answer.upper, answer.lower) == (None, 2)


def test_nothing_is_looked_for_beyond_the_largest():
    answer = fit_of("statecrime").breakdown("poverty", largest=3)
    assert answer.upper is None
    assert answer.lower <= 4


# -- what cannot be proven, and bad input --------------------------------------------------------------------

RNG = np.random.default_rng(0)
X = np.column_stack([np.ones(30), RNG.normal(size=30)])
Y = X @ [0.2, 2.0] + RNG.normal(size=30)
CLASSES = np.digitize(Y, [-1.0, 1.0])


@pytest.mark.dear
@pytest.mark.parametrize(
    ("risk", "why"),
    [
        (ist.LinearRisk(ist.HuberLoss(1.0), X, Y), "no finite self_concordance"),
        (ist.LinearRisk(ist.SquaredError(), X, Y, penalty=ist.SmoothedL1(0.1, 0.1)), "is not quadratic"),
        (ist.SoftmaxRisk(X, CLASSES, penalty=ist.L2(1.0)), "has no linear predictor per row"),
    ],
)
def test_without_a_theorem_only_sets_are_found(risk, why):
    fit = ist.Fit.minimise(risk)
    answer = fit.breakdown(1)
    assert (answer.lower, answer.proof) == (1, "none")
    assert why in answer.limit
    assert answer.upper is not None
    assert answer.value_without * answer.value <= 0.0
    assert fit.reach(1, k=2).proven == (-np.inf, np.inf)


def test_a_coefficient_that_a_lasso_drops_is_at_0():
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, y = X[:, 1:] + [[0.0]], Y - X @ [0.0, 1.4]
    estimator = linear_model.Lasso(alpha=0.1, tol=1e-12).fit(x, y)
    answer = ist.from_sklearn(estimator, x, y).breakdown(0)
    kept = np.setdiff1d(np.arange(30), answer.positions)
    assert answer.value_without == estimator.fit(x[kept], y[kept]).coef_[0] == 0.0
    assert answer.proof == "none"


def test_a_level_that_leaves_with_its_rows_is_no_flip():
    x = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    fit = ist.Fit.minimise(
        ist.LinearRisk(ist.SquaredError(), x, [0.0, 0.1, 0.2, 5.0], names=["mean", "level"])
    )
    answer = fit.breakdown("level")
    assert answer.upper is None
    assert answer.unidentified == 1
    reach = fit.reach("level", k=1)  # of those without which there is one
    assert reach.proven == pytest.approx(reach.attained, rel=tolerance.SOLVED)
    assert "without some 1 row the quantity is not determined: not a flip" in str(answer)


@pytest.mark.parametrize(
    ("coefficient", "settings", "error", "message"),
    [
        ("povert", {}, InvalidArgument, "the names are 'poverty'"),
        (7, {}, InvalidArgument, "Pass a position from 0 to 4"),
        (True, {}, InvalidType, "coefficient must name a coefficient"),
        ([1.0, 2.0], {}, InvalidArgument, "has shape"),
        (np.zeros(5), {}, InvalidArgument, "is 0 for every coefficient"),
        ("poverty", {"groups": ["a"] * 51}, InvalidArgument, "is 'a' throughout"),
        ("poverty", {"largest": 0}, InvalidArgument, "largest must be"),
        ("poverty", {"budget_seconds": -1.0}, InvalidArgument, "budget_seconds must be"),
        ("poverty", {"search": 1}, InvalidType, "search must be"),
    ],
)
def test_bad_input_is_named(coefficient, settings, error, message):
    with pytest.raises(error, match=message):
        fit_of("statecrime").breakdown(coefficient, **settings)


def test_a_value_at_the_threshold_is_refused():
    fit = fit_of("statecrime")
    with pytest.raises(InvalidArgument, match="at must differ from the value of poverty"):
        fit.breakdown("poverty", at=float(fit.theta[fit.names.index("poverty")]))


def test_a_fit_that_is_not_at_its_minimum_is_refused():
    fit = ist.Fit(ist.LinearRisk(ist.SquaredError(), X, Y), [1.0, 1.0], tolerance=np.inf)
    with pytest.raises(NotStationary, match="be at the minimum of its risk"):
        fit.breakdown(1)


def test_a_coefficient_that_is_not_determined_is_refused():
    twice = np.column_stack([X, X[:, 1]])
    fit = ist.Fit(ist.LinearRisk(ist.SquaredError(), twice, Y), np.linalg.lstsq(twice, Y, rcond=None)[0])
    with pytest.raises(InvalidArgument, match="be determined by the rows"):
        fit.breakdown(1)
    answer = fit.breakdown([0.0, 1.0, 1.0])  # their sum is
    other = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, Y)).breakdown(1)
    assert (answer.upper, answer.lower) == (other.upper, other.lower)


def test_the_check_sees_a_false_bracket(monkeypatch):
    fit = ist.Ridge(lam=0.0).fit([[1.0]] * 5, [-1.0, -1.0, 1.0, 2.0, 3.0])
    true = fit.breakdown(0)
    assert checks.check_breakdown(fit, 0).passed
    false = replace(true, lower=true.upper + 1, positions=np.array([0, 1]))
    monkeypatch.setattr("influstat.checks.breakdown.breakdown", lambda *_, **__: false)
    report = checks.check_breakdown(fit, 0)
    assert [finding.law for finding in report.failures] == ["lower", "upper", "order"]
    assert report["lower"].where == "units [3, 4]"
