"""Bad input to every question of how few rows: one table of what is asked, one of what is wrong with it."""

import warnings
from functools import cache

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.linear_model import LogisticRegression

import influstat as ist
from influstat import checks
from influstat.errors import InflustatError, InvalidArgument, InvalidType, NotStationary

N = 16
DRAWN = np.random.default_rng(0)
X = np.column_stack([np.ones(N), DRAWN.normal(size=(N, 2))])
Y = X @ [0.3, 1.0, -0.5] + DRAWN.normal(size=N)
LABELS = np.tile([0.0, 1.0, 1.0, 0.0], 4)
COUNTS = np.tile([1.0, 3.0, 0.0, 2.0], 4)
TWICE = np.column_stack([X, X[:, 1] + X[:, 2]])
EVEN = np.arange(N) % 2
LAST = (np.arange(N) >= 4) * 1.0  # weights, or clusters of which one has none
RATIO = "likelihood ratio"


def own(loss, y, **settings):
    return ist.Fit.minimise(ist.LinearRisk(loss, X, y, **settings))


def of_scikit_learn(name, y, **settings):
    linear_model = pytest.importorskip("sklearn.linear_model")
    estimator = getattr(linear_model, name)(**settings).fit(X[:, 1:], y)
    return ist.from_sklearn(estimator, X[:, 1:], y)


FITS = {
    "least squares": lambda: own(ist.SquaredError(), Y),
    "weights": lambda: own(ist.SquaredError(), Y, weights=LAST),
    "folded": lambda: own(ist.SquaredError(), Y, penalty=ist.L2(0.5), protocol="folded"),
    "logistic": lambda: own(ist.LogisticLoss(), LABELS),
    "poisson": lambda: own(ist.PoissonLoss(), COUNTS, offset=np.full(N, 0.1)),
    "huber": lambda: own(ist.HuberLoss(1.0), Y),
    "softmax": lambda: ist.Fit.minimise(ist.SoftmaxRisk(X, np.digitize(Y, [-0.5, 0.5]), penalty=ist.L2(1.0))),
    "OLS": lambda: ist.from_statsmodels(sm.OLS(Y, X).fit()),
    "WLS": lambda: ist.from_statsmodels(sm.WLS(Y, X, weights=np.arange(1.0, N + 1.0)).fit()),
    "dependent": lambda: ist.from_statsmodels(sm.OLS(Y, TWICE).fit()),
    "Logit": lambda: ist.from_statsmodels(sm.Logit(LABELS, X).fit(disp=0)),
    "GLM": lambda: ist.from_statsmodels(sm.GLM(COUNTS, X, family=sm.families.Poisson()).fit(tol=1e-12)),
    "RLM": lambda: ist.from_statsmodels(sm.RLM(Y, X).fit(tol=1e-12, maxiter=500)),
    "MNLogit": lambda: ist.from_statsmodels(sm.MNLogit(np.digitize(Y, [-0.5, 0.5]), X).fit(disp=0)),
    "LinearRegression": lambda: of_scikit_learn("LinearRegression", Y),
    "Ridge": lambda: of_scikit_learn("Ridge", Y, alpha=1.0),
    "LogisticRegression": lambda: of_scikit_learn("LogisticRegression", LABELS, tol=1e-10),
    "Lasso": lambda: of_scikit_learn("Lasso", Y, alpha=0.05, tol=1e-12),
}


@cache
def fit_of(name):
    with warnings.catch_warnings():  # newer versions of statsmodels say that columns depend on each other
        warnings.simplefilter("ignore")
        return FITS[name]()


def new_row(fit):
    """Return a row with the columns that the fit's predictions take."""
    return TWICE[:1] if fit is fit_of("dependent") else X[:1, 3 - (2 if len(fit.theta) == 2 else 3) :]


def contrast(fit, coefficient, **settings):
    """Return the breakdown of a functional; which coefficients it is of is read by `ist.contrast`."""
    del coefficient
    return ist.contrast(fit, np.eye(len(fit.theta))[-1]).breakdown(at=0.123, **settings)


# What is asked, from the fit, the coefficient, and settings that all of them have: groups and budget_seconds.
QUESTIONS = {
    "breakdown": lambda fit, one, **more: fit.breakdown(one, **more),
    "prediction": lambda fit, _, **more: fit.breakdown_of_prediction(new_row(fit), at=0.77, **more),
    "loss": lambda fit, _, **more: fit.breakdown_of_loss(new_row(fit), [1.0], above=0.77, **more),
    "reach": lambda fit, one, **more: fit.reach(one, k=1, **more),
    "model": lambda fit, one, **more: fit.inference().breakdown(one, **more),
    "reversed": lambda fit, one, **more: fit.inference().breakdown(one, reversed=True, **more),
    "HC1": lambda fit, one, **more: fit.inference("HC1").breakdown(one, **more),
    RATIO: lambda fit, one, **more: fit.inference().breakdown(one, test=RATIO, **more),
    "contrast": contrast,
    "table": lambda fit, one, **more: ist.breakdown_table(fit, coefficients=[one], **more),
    "check": lambda fit, one, **more: checks.check_breakdown(fit, one, most=5, size=1, **more),
}
NAMED = [name for name in QUESTIONS if name not in ("prediction", "loss", "contrast")]

# What is wrong with a coefficient.
COEFFICIENTS = {
    "unknown": ("nope", InvalidArgument, "name a coefficient, .* it is 'nope'; the names are"),
    "beyond": (7, InvalidArgument, "it is 7. Pass a position from 0 to"),
    "a flag": (True, InvalidType, "name a coefficient, .* it is True"),
    "nothing": (None, InvalidType, "name a coefficient, .* it is None"),
    "zeros": (np.zeros(3), InvalidArgument, "is 0 for every coefficient"),
    "not finite": (
        np.array([np.nan, 0.0, 1.0]),
        InvalidArgument,
        "coefficient must be finite.* nan at row 0",
    ),
    "too short": (np.ones(2), InvalidArgument, r"has shape \(2,\). Pass 3 numbers"),
}
SETTINGS = {
    "clusters of everything": (
        {"groups": np.zeros(N)}, InvalidArgument, "groups must have two or more values, .* 0.0 throughout"
    ),
    "too few labels": ({"groups": np.zeros(3)}, InvalidArgument, "one label per row .* has shape"),
    "a missing label": (
        {"groups": np.append(np.ones(N - 1), np.nan)}, InvalidArgument, "no missing entries, .* nan at row 15"
    ),
    "time that is none": ({"budget_seconds": np.nan}, InvalidArgument, "budget_seconds must be finite"),
    "time before now": ({"budget_seconds": -1.0}, InvalidArgument, "budget_seconds must be at least 0"),
    "time in words": ({"budget_seconds": "long"}, InvalidType, "budget_seconds must be a real number"),
}  # fmt: skip


@pytest.mark.parametrize("question", NAMED)
@pytest.mark.parametrize("wrong", COEFFICIENTS)
def test_coefficients_that_are_none_are_named(question, wrong):
    coefficient, error, message = COEFFICIENTS[wrong]
    with pytest.raises(error, match=message):
        QUESTIONS[question](fit_of("least squares"), coefficient, budget_seconds=0.0)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("wrong", SETTINGS)
def test_settings_that_say_nothing_are_named(question, wrong):
    settings, error, message = SETTINGS[wrong]
    with pytest.raises(error, match=message):
        QUESTIONS[question](fit_of("least squares"), 1, **{"budget_seconds": 0.0, **settings})


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_cluster_that_holds_all_weight_may_not_leave(question):
    whole = "groups must have two or more values in all rows of weight above 0, but it is 1.0 in all rows"
    with pytest.raises(InvalidArgument, match=whole):
        QUESTIONS[question](fit_of("weights"), 1, groups=LAST, budget_seconds=0.1)


@pytest.mark.parametrize("question", [name for name in QUESTIONS if name not in ("model", "reversed", "HC1")])
def test_the_only_row_of_weight_may_not_leave(question):
    weights = np.eye(N)[3]
    fit = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), np.ones((N, 1)), Y, weights=weights))
    ask = {
        "prediction": lambda: fit.breakdown_of_prediction([[1.0]], at=0.77),
        "loss": lambda: fit.breakdown_of_loss([[1.0]], [1.0], above=0.77),
    }.get(question, lambda: QUESTIONS[question](fit, 0))
    with pytest.raises(
        InvalidArgument, match="fit must have two or more rows of weight above 0, .* only row 3"
    ):
        ask()


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_fit_that_is_not_at_its_minimum_is_refused(question):
    fit = ist.Fit(ist.LinearRisk(ist.SquaredError(), X, Y), [1.0, 1.0, 1.0], tolerance=np.inf)
    with pytest.raises(NotStationary, match="minimum of its risk .* Finish another with ist.Fit.minimise"):
        QUESTIONS[question](fit, 1)


def test_a_fit_of_a_library_that_stopped_early_is_sent_to_polish():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(60, 3))
    labels = (table[:, 0] + rng.logistic(size=60) > 0).astype(int)
    estimator = LogisticRegression(tol=1e-4).fit(table, labels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of how far the fit is from its minimum
        fit = ist.from_sklearn(estimator, table, labels)
        polished = ist.from_sklearn(estimator, table, labels, polish=True)
    with pytest.raises(NotStationary, match="Pass polish=True to ist.from_sklearn"):
        fit.breakdown(0)
    assert polished.breakdown(0, budget_seconds=0.1).upper is not None


@pytest.mark.parametrize("question", [name for name in NAMED if name != "table"])
def test_a_coefficient_that_no_row_determines_is_refused(question):
    fit = fit_of("dependent")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that standard errors are nan
        with pytest.raises(
            InvalidArgument, match="be determined by the rows, .* columns depend on each other"
        ):
            QUESTIONS[question](fit, 3, budget_seconds=0.0)
    assert "be determined by the rows" in ist.breakdown_table(fit, coefficients=[3]).status[fit.names[3]]


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize(
    ("groups", "budget"),
    [
        pytest.param(None, 0.0, id="rows"),
        pytest.param(EVEN, 0.0, id="two"),
        pytest.param(np.arange(N), 0.02, id="each row", marks=pytest.mark.slow),
        pytest.param(LAST, 0.02, id="few", marks=pytest.mark.slow),
    ],
)
@pytest.mark.filterwarnings("ignore:The model covariance is nan")
@pytest.mark.filterwarnings("ignore:The HC1 covariance is nan")
@pytest.mark.filterwarnings("ignore:1 of 1 quantities are nan, contrast")
def test_every_answer_is_a_bracket_or_an_error_of_ours(fit, groups, budget):
    for name, ask in QUESTIONS.items():
        try:
            answer = ask(fit_of(fit), len(fit_of(fit).theta) - 1, groups=groups, budget_seconds=budget)
        except InflustatError:
            continue
        if hasattr(answer, "lower"):
            assert 1 <= answer.lower <= answer.total, name
            assert answer.upper is None or answer.lower <= answer.upper < answer.total, name
            assert (answer.upper is None) == bool(answer.stopped), name
            assert answer.upper is None or np.isfinite(answer.value_without), name
            assert answer.exact or answer.limit or answer.stopped, name
            assert "nan" not in repr(answer).replace("finance", ""), name


AT = {
    "nan": (np.nan, InvalidArgument, "finite"), "inf": (-np.inf, InvalidArgument, "finite"),
    "text": ("0", InvalidType, "a real number"), "flag": (True, InvalidType, "a real number"),
    "many": ([0.0], InvalidType, "a real number"), "none": (None, InvalidType, "a real number"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", AT)
def test_thresholds_that_are_no_numbers_are_named(wrong):
    value, error, message = AT[wrong]
    fit = fit_of("least squares")
    for argument, ask in {
        "at": lambda: fit.breakdown(1, at=value),
        "at ": lambda: fit.breakdown_of_prediction(X[:1], at=value),
        "above": lambda: fit.breakdown_of_loss(X[:1], [1.0], above=value),
        "at  ": lambda: ist.breakdown_table(fit, at=value),
        "at   ": lambda: ist.contrast(fit, [0.0, 1.0, -1.0]).breakdown(at=value),
        "at    ": lambda: checks.check_breakdown(fit, 1, at=value),
    }.items():
        with pytest.raises(error, match=f"^{argument.strip()} must be {message}"):
            ask()


def test_a_value_at_its_threshold_is_refused_by_the_name_of_the_argument():
    fit, logit = fit_of("least squares"), fit_of("logistic")
    value = float(X[0] @ fit.theta)
    for argument, ask in (
        ("at", lambda: fit.breakdown_of_prediction(X[:1], at=value)),
        ("at", lambda: ist.contrast(fit, [0.0, 1.0, 0.0]).breakdown(at=float(fit.theta[1]))),
        ("at", lambda: ist.odds_ratio(logit, "x1").breakdown(at=float(np.exp(logit.theta[1])))),
        ("above", lambda: fit.breakdown_of_loss(X[:1], [1.0], above=(value - 1.0) ** 2)),
        ("above", lambda: fit.breakdown_of_loss(X[:1], [1.0], above=(value - 1.0) ** 2 * (1.0 + 1e-13))),
        ("above", lambda: fit.breakdown_of_loss(X[:1], [value], above=0.0)),
    ):
        with pytest.raises(InvalidArgument, match=f"^{argument} must differ from the .* choose another"):
            ask()


@pytest.mark.parametrize("k", [0, N, 1.0, True, None, "1"])
def test_reaches_of_no_number_of_units_are_named(k):
    with pytest.raises((InvalidArgument, InvalidType), match="k must be"):
        fit_of("least squares").reach(1, k=k)


def test_a_reach_leaves_a_unit_of_weight():
    with pytest.raises(InvalidArgument, match="k must be at most 11, but it is 12"):
        fit_of("weights").reach(1, k=12)


# -- what is met on the way ----------------------------------------------------------------------------------


# A seed of heavy data, a loss, a covariance: where sets with rows of weight 0 were tried once; without them
# no curvature is left in the last.
SEEDS_OF_SETS = [
    (18, "squared", "model", False), (56, "squared", "model", True), (15, "huber", "HC4", False),
    (32, "huber", "HC4", True), (33, "huber", "HC0", False),
]  # fmt: skip


@pytest.mark.parametrize(("seed", "loss", "kind", "opposite"), SEEDS_OF_SETS)
def test_units_of_weight_0_are_in_no_set(seed, loss, kind, opposite):
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(14), rng.standard_t(2.0, (14, 2))])
    y = rng.choice([0.3, 1.0, 3.0]) * x[:, 2] + rng.standard_t(2.0, 14)
    weights = np.where(rng.random(14) < 0.4, 0.0, 1.0)
    losses = {"squared": ist.SquaredError(), "huber": ist.HuberLoss(1.0)}
    fit = ist.Fit.minimise(ist.LinearRisk(losses[loss], x, y, weights=weights))
    found = fit.inference(kind).breakdown(2, reversed=opposite, budget_seconds=0.1)
    assert found.total == np.count_nonzero(weights)
    assert (weights[found.positions] > 0.0).all()


STEPS = np.column_stack([np.ones(8), np.arange(8.0)])


def test_classes_that_are_separated_without_a_set_are_no_flip():
    # Without row 4 the classes are separated, and the prediction is infinite on the other side.
    fit = ist.Fit.minimise(ist.LinearRisk(ist.LogisticLoss(), STEPS, [0, 0, 0, 1, 0, 1, 1, 1]))
    answer = fit.breakdown_of_prediction([[1.0, 3.0]], budget_seconds=0.1)
    assert answer.counts["first_order"] == 1
    assert (answer.upper, answer.lower, answer.endless, answer.unidentified) == (None, 1, 1, None)
    assert "without some 1 row there is no finite fit: not a flip" in str(answer)
    slope = fit.breakdown(1, budget_seconds=0.1)  # infinite with its old sign: it stands
    assert slope.upper is None
    assert slope.lower > 1


@pytest.mark.parametrize(
    "question", ["sign", pytest.param("significance", marks=pytest.mark.slow), "reach", "prediction"]
)
def test_a_set_without_which_another_column_is_separated_is_no_flip(question):
    # Without row 3 all rows with `early` are of class 1: no finite fit, though `trend` has a limit, below 0.
    early = (np.arange(16) < 4) * 1.0
    trend = np.array([1, 0, 1, -3, 2, -1, 0, 1, -2, 1, -1, 2, 0, -1, 1, -2.0])
    y = [1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 1]
    X = np.column_stack([np.ones(16), early, trend])
    fit = ist.Fit.minimise(ist.LinearRisk(ist.LogisticLoss(), X, y))
    with pytest.warns(ist.errors.DoubtfulResult, match="x1 is not determined"):
        limit = fit.leave_one_out().solution[3]
    assert limit[2] < 0.0 < fit.theta[2]
    if question == "reach":
        assert fit.reach(2, k=1).attained[0] > limit[2]
        return
    answer = {
        "sign": lambda: fit.breakdown(2, largest=1),
        "significance": lambda: fit.inference(level=0.02).breakdown(2, largest=1),
        "prediction": lambda: fit.breakdown_of_prediction([[0.0, 0.0, 1.0]], largest=1),
    }[question]()
    assert (answer.upper, answer.lower) == (None, 1)  # no other row does it alone
    if question != "significance":
        assert answer.endless == 1


def test_what_carries_all_information_is_named():
    levels = np.column_stack([np.ones(12), np.arange(12) < 2, np.linspace(-1.0, 1.0, 12)])
    y = 2.0 * levels[:, 2] + 0.3 * (-1.0) ** np.arange(12)
    risk = ist.LinearRisk(ist.SquaredError(), levels, y, names=["one", "early", "trend"])
    limit = ist.Fit.minimise(risk).breakdown("trend", budget_seconds=0.0).limit
    assert limit == "2 units may carry all information on early; the largest leverages have 0, 1, 2"
    table = sm.datasets.longley.load_pandas().data  # of columns that nearly depend on each other
    fit = ist.from_statsmodels(sm.OLS(table["TOTEMP"], sm.add_constant(table.iloc[:, 1:])).fit())
    assert "information on YEAR, const; the largest" in fit.breakdown("GNP", budget_seconds=0.0).limit


def test_one_part_is_no_plural():
    fit = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), np.ones((5, 1)), [-9.0, -1.0, 1.0, 2.0, 30.0]))
    assert fit.breakdown(0, budget_seconds=0.0).limit == "one first-order part alone reaches it"


def test_robust_limits_without_degrees_of_freedom_are_refused():
    fit = ist.from_statsmodels(sm.RLM(Y[:4], X[:4]).fit())
    removed = fit.leave_groups_out([[0]])
    assert np.isfinite(removed.theta).all()
    found = fit.inference("H1").breakdown(2, budget_seconds=0.2)
    assert found.upper is None or found.upper < 4
