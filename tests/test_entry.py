"""What comes in is the minimum of the risk on these rows, or it is said that it is not."""

import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from sklearn.base import clone
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import GammaRegressor, LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import TargetEncoder

import influstat as ist

pytestmark = [
    pytest.mark.filterwarnings("ignore:The design matrix is rank-deficient"),  # as pinv sees it
    pytest.mark.filterwarnings("ignore:.*shuffle.*:FutureWarning"),  # TargetEncoder's, from 1.9 on
]
FAMILIES, LINKS = sm.families, sm.families.links


def rational(X, y, without=None):
    """Return the least-squares coefficients by elimination in fractions, no rounding anywhere."""
    rows = [i for i in range(len(y)) if i != without]
    X, y = [[Fraction(float(v)) for v in row] for row in X], [Fraction(float(v)) for v in y]
    p = len(X[0])
    A = [
        [sum(X[i][a] * X[i][b] for i in rows) for b in range(p)] + [sum(X[i][a] * y[i] for i in rows)]
        for a in range(p)
    ]
    for k in range(p):
        A[k] = [v / A[k][k] for v in A[k]]
        for r in set(range(p)) - {k}:
            A[r] = [a - A[r][k] * b for a, b in zip(A[r], A[k], strict=True)]
    return [row[p] for row in A]


def rational_change(X, y, row):
    """Return how the fitted value of the row changes without it."""
    before, after = rational(X, y), rational(X, y, without=row)
    return float(sum((a - b) * Fraction(float(v)) for b, a, v in zip(before, after, X[row], strict=True)))


# -- fits that a library has truncated -----------------------------------------------------------------

NILE = sm.datasets.nile.load_pandas().data
YEAR = NILE["year"].to_numpy()
HALF = np.arange(40) % 20
NOISE = np.random.default_rng(0).normal(size=40)
TRUNCATED = {
    "cubic": (np.column_stack([YEAR, YEAR**2, YEAR**3]), NILE["volume"].to_numpy()),
    "square": (
        np.column_stack([2000.0 + HALF, (2000.0 + HALF) ** 2]),
        0.3 * HALF - 0.02 * HALF**2 + NOISE,
    ),
}
LEAST_SQUARES = {
    "OLS": lambda X, y: sm.OLS(y, sm.add_constant(X)).fit(),
    "OLS qr": lambda X, y: sm.OLS(y, sm.add_constant(X)).fit(method="qr"),
    "WLS": lambda X, y: sm.WLS(y, sm.add_constant(X), weights=np.ones(len(y))).fit(),
    "GLM": lambda X, y: sm.GLM(y, sm.add_constant(X)).fit(),
    "LinearRegression": lambda X, y: LinearRegression().fit(X, y),
}


def entered(results, X, y, polish):
    """Return the fit and its rows; what polishing says is judged elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ist.errors.DoubtfulResult)
        if hasattr(results, "coef_"):
            return ist.from_sklearn(results, X, y, polish=polish), X
        return ist.from_statsmodels(results, polish=polish), sm.add_constant(X)


@pytest.mark.parametrize("polish", [False, True])
@pytest.mark.parametrize("kind", LEAST_SQUARES)
@pytest.mark.parametrize("design", TRUNCATED)
def test_a_truncated_solution_is_refused_or_finished(design, kind, polish):
    X, y = TRUNCATED[design]
    try:
        fit, rows = entered(LEAST_SQUARES[kind](X, y), X, y, polish)
    except ist.errors.NotStationary as error:
        assert not polish
        assert "times the effect of removing a typical row" in str(error)  # noqa: PT017 - either will do
        return
    found = fit.leave_one_out(rows=[0]).prediction_change(rows[:1])
    truth = rational_change(sm.add_constant(X), y, 0)
    np.testing.assert_allclose(found, [[truth]], rtol=1e-5)  # X has a condition of 1e12: 1e-4 of its digits


@pytest.mark.parametrize("design", TRUNCATED)
def test_our_own_least_squares_have_the_digits_that_the_rows_have(design):
    X, y = TRUNCATED[design]
    found = ist.Ridge(lam=0.0).fit(X, y).leave_one_out(rows=[0]).prediction_change(X[:1])
    np.testing.assert_allclose(found, [[rational_change(X, y, 0)]], rtol=1e-6)


def test_the_cubic_of_the_nile_has_the_residuals_and_p_values_of_the_centred_one():
    form = "volume ~ year + I(year**2) + I(year**3)"
    with pytest.warns(ist.errors.DoubtfulResult, match="polish=True moved theta about 0.3. standard errors"):
        fit = ist.from_statsmodels(smf.ols(form, NILE).fit(), polish=True)
    centred = smf.ols(form, NILE.assign(year=YEAR - YEAR.mean())).fit()
    ours, theirs = fit.diagnostics().student_resid, centred.get_influence().resid_studentized_external
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    np.testing.assert_allclose(ours.iloc[0], -0.4994, atol=1e-4)
    np.testing.assert_allclose(
        fit.inference().to_frame().p_values.iloc[3], centred.pvalues.iloc[3], rtol=1e-6
    )


# -- columns far from 0 ------------------------------------------------------------------------------

SMALL = np.array([1.0, 3, 2, 5, 4, 6])
FAR = {f"1e{k}": 10.0**k + np.random.default_rng(3).normal(size=6) for k in range(7, 13)}
FAR |= {"unix s": 1.7e9 + 60.0 * np.arange(1, 7), "unix ms": 1.7e12 + 6e4 * np.arange(1, 7)}


@pytest.mark.dear
@pytest.mark.parametrize("polish", [False, True])
@pytest.mark.parametrize("name", FAR)
def test_the_slope_of_a_column_far_from_zero_is_that_of_the_centred_column(name, polish):
    x, y = FAR[name], SMALL
    table = np.column_stack([np.ones(6), x])
    truth = float(rational(table, y, without=0)[1] - rational(table, y)[1])
    column = x[:, None]
    plain = ist.from_sklearn(LinearRegression().fit(column, y), column, y, polish=polish)
    # scikit-learn and we round x - mean(x) once each: an epsilon of |x| against the spread of x
    lost = 64 * np.finfo(float).eps * np.abs(x).max() / np.ptp(x)
    np.testing.assert_allclose(plain.leave_one_out(rows=[0]).delta[0, 0], truth, rtol=max(lost, 1e-12))
    mine = ist.Ridge(lam=0.0).fit(table, y).leave_one_out(rows=[0]).delta[0, 1]
    np.testing.assert_allclose(mine, truth, rtol=max(lost, 1e-10))


@pytest.mark.dear
@pytest.mark.parametrize("name", FAR)
def test_a_penalised_column_far_from_zero_loses_no_more(name):
    x, y = FAR[name], SMALL

    def slope(rows):
        centred = [Fraction(float(v)) for v in x[rows]]
        mean = sum(centred) / len(rows)
        centred = [v - mean for v in centred]
        moments = zip(centred, y[rows], strict=True)
        return sum(v * Fraction(float(t)) for v, t in moments) / (sum(v * v for v in centred) + 1)

    truth = float(slope(np.arange(1, 6)) - slope(np.arange(6)))
    model = Ridge(alpha=1.0).fit(x[:, None], y)
    found = ist.from_sklearn(model, x[:, None], y, polish=True).leave_one_out(rows=[0]).delta[0, 0]
    np.testing.assert_allclose(found, truth, rtol=64 * np.finfo(float).eps * x.max() / np.ptp(x))


# -- fits of other data ------------------------------------------------------------------------------

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 3))
LINEAR = X @ [1.0, 0.5, -1.0] + RNG.normal(size=80)
HOLES = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
ORDER = np.arange(80)
ORDER[[3, 10, 40]] = [10, 40, 3]
TARGETS = {
    "Ridge": (Ridge(1.0), LINEAR),
    "LinearRegression": (LinearRegression(), LINEAR),
    "PoissonRegressor": (
        PoissonRegressor(alpha=0.1, tol=1e-10, max_iter=1000),
        RNG.poisson(np.exp(0.3 * LINEAR)),
    ),
    "GammaRegressor": (GammaRegressor(alpha=0.1, tol=1e-10, max_iter=1000), np.exp(0.3 * LINEAR)),
    "LogisticRegression": (LogisticRegression(tol=1e-10, max_iter=1000), LINEAR > 0),
}
MIXED_UP = {
    "a forgotten sample_weight": (X, X, RNG.uniform(0.2, 5.0, 80)),
    "three rows in another order": (X, X[ORDER], None),
    "another imputation": (
        SimpleImputer().fit_transform(HOLES),
        KNNImputer(n_neighbors=3).fit_transform(HOLES),
        None,
    ),
}


@pytest.mark.dear
@pytest.mark.parametrize("what", MIXED_UP)
@pytest.mark.parametrize("name", TARGETS)
def test_other_data_are_refused_and_polishing_does_not_hide_them(name, what):
    model, y = TARGETS[name]
    fitted, passed, weights = MIXED_UP[what]
    model = clone(model).fit(fitted, y, sample_weight=weights)
    with pytest.raises(ist.errors.NotStationary, match="a forgotten sample_weight, rows in another order"):
        ist.from_sklearn(model, passed, y)
    if name in ("Ridge", "LinearRegression"):
        with pytest.raises(ist.errors.NotStationary, match="closed form: polish=True would hide that"):
            ist.from_sklearn(model, passed, y, polish=True)
    else:
        with pytest.warns(ist.errors.DoubtfulResult, match="moved theta .* sample_weight"):
            ist.from_sklearn(model, passed, y, polish=True)


@pytest.mark.parametrize("model", [LinearRegression(), Ridge(1.0), PoissonRegressor(alpha=0.01, tol=1e-9)])
def test_a_cross_fitted_encoding_is_named(model):
    C = np.random.default_rng(1).integers(0, 4, (60, 3)).astype(str)
    y = np.abs(NOISE[ORDER[:60] % 40]) + (C[:, 0] == "1")
    pipe = make_pipeline(TargetEncoder(random_state=0), clone(model)).fit(C, y)
    with pytest.raises(ist.errors.NotStationary, match="TargetEncoder encodes the training rows by cross-"):
        ist.from_sklearn(pipe, C, y)
    closed = not isinstance(model, PoissonRegressor)
    said = pytest.raises(ist.errors.NotStationary, match="TargetEncoder encodes") if closed else None
    with said or pytest.warns(ist.errors.DoubtfulResult, match="TargetEncoder encodes"):
        ist.from_sklearn(pipe, C, y, polish=True)


# -- separation ----------------------------------------------------------------------------------------

GROUP = np.repeat(["a", "b", "c"], [20, 17, 3])
SLOPE = np.random.default_rng(4).normal(size=40)
BOTH = (np.random.default_rng(5).normal(size=40) + SLOPE > 0).astype(int)
TABLE = pd.DataFrame(
    {
        "g": GROUP,
        "x": SLOPE,
        "y": np.where(GROUP == "c", 1, BOTH),
        "count": np.where(GROUP == "c", 0, np.random.default_rng(6).poisson(2.0, 40)),
        "kind": np.where(GROUP == "c", 2, BOTH),
    }
)
DUMMIES = pd.get_dummies(TABLE[["x", "g"]], drop_first=True).astype(float)
BINOMIAL = {link: FAMILIES.Binomial(getattr(LINKS, link)()) for link in ("Logit", "Probit", "CLogLog")}
FORMULAS = {
    "logit": lambda: smf.logit("y ~ x + g", TABLE).fit(disp=0),
    "probit": lambda: smf.probit("y ~ x + g", TABLE).fit(disp=0, maxiter=200),
    **{f"GLM {k}": lambda f=f: smf.glm("y ~ x + g", TABLE, family=f).fit() for k, f in BINOMIAL.items()},
    "GLM Poisson": lambda: smf.glm("count ~ x + g", TABLE, family=FAMILIES.Poisson()).fit(),
    "GLM NB": lambda: smf.glm("count ~ x + g", TABLE, family=FAMILIES.NegativeBinomial(alpha=1.0)).fit(),
    "poisson": lambda: smf.poisson("count ~ x + g", TABLE).fit(disp=0, maxiter=200),
    "negativebinomial": lambda: smf.negativebinomial("count ~ x + g", TABLE).fit(disp=0, maxiter=500),
    "MNLogit": lambda: sm.MNLogit(TABLE.kind, sm.add_constant(DUMMIES)).fit(disp=0, maxiter=200),
}
ESTIMATORS = {
    "LogisticRegression": (LogisticRegression(C=np.inf, max_iter=1000), "y"),
    "PoissonRegressor": (PoissonRegressor(alpha=0.0, max_iter=1000), "count"),
    "softmax": (LogisticRegression(C=np.inf, max_iter=1000), "kind"),
}


def announced(enter, polish):
    """Return what is said on entry about the minimum; polishing must refuse."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ist.errors.DoubtfulResult)
        try:
            enter()
        except ist.errors.NoMinimiser as error:
            return str(error)
    assert not polish
    return " ".join(str(warning.message) for warning in said)


@pytest.mark.dear
@pytest.mark.filterwarnings("ignore::Warning:statsmodels")
@pytest.mark.parametrize("polish", [False, True])
@pytest.mark.parametrize("name", FORMULAS)
def test_a_group_of_one_class_is_announced_with_its_column(name, polish):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # statsmodels may have its own words, and overflows on the way
        results = FORMULAS[name]()
    said = announced(lambda: ist.from_statsmodels(results, polish=polish), polish)
    assert "no finite minimiser: it falls for ever" in said
    assert ("g[T.c]" if name != "MNLogit" else "g_c") in said


@pytest.mark.parametrize("polish", [False, True])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_so_it_is_from_scikit_learn(name, polish):
    model, target = ESTIMATORS[name]
    y = TABLE[target]
    model = clone(model).fit(DUMMIES, y)
    said = announced(lambda: ist.from_sklearn(model, DUMMIES, y, polish=polish), polish)
    assert "no finite minimiser: it falls for ever" in said
    assert "g_c" in said


def test_three_classes_in_a_row_have_no_softmax_minimum_by_any_way():
    column, classes = SLOPE[:, None], np.digitize(SLOPE, [-0.5, 0.5])
    with pytest.raises(ist.errors.NoMinimiser, match="falls for ever along a direction that involves .*x0"):
        ist.Fit.minimise(ist.SoftmaxRisk(column, classes, intercept=True))
    model = LogisticRegression(C=np.inf, max_iter=1000).fit(column, classes)
    with pytest.raises(ist.errors.NoMinimiser):
        ist.from_sklearn(model, column, classes, polish=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = sm.MNLogit(classes, sm.add_constant(column)).fit(disp=0)
    for polish in (False, True):
        with pytest.raises(ist.errors.NoMinimiser, match="x1"):
            ist.from_statsmodels(results, polish=polish)


def of_three_classes(lacks):
    """Return rows of which a group of 24 has every class, or lacks the last."""
    rng, group = np.random.default_rng(0), np.arange(120) < 24
    rows = np.column_stack([rng.normal(size=120), group])
    y = np.argmax(
        np.column_stack([np.zeros(120), rows[:, 0], -rows[:, 0]]) + rng.gumbel(size=(120, 3)), axis=1
    )
    assert set(y[group]) == {0, 1, 2}
    return rows, np.where(group & (y == 2), np.arange(120) % 2, y) if lacks else y


@pytest.mark.filterwarnings("ignore::Warning:statsmodels")
@pytest.mark.parametrize("solver", ["lbfgs", "newton-cg"])
@pytest.mark.parametrize("lacks", [True, False])
def test_a_group_that_lacks_one_class_of_several_is_announced(lacks, solver):
    rows, y = of_three_classes(lacks)
    model = LogisticRegression(C=np.inf, solver=solver, tol=1e-10, max_iter=10_000).fit(rows, y)
    said = announced(lambda: ist.from_sklearn(model, rows, y), polish=False)
    assert ("falls for ever along a direction that involves 2: x1" in said) == lacks
    assert lacks or not said
    held = LogisticRegression(C=1e3, solver=solver, tol=1e-10, max_iter=10_000).fit(rows, y)
    assert "for ever" not in announced(lambda: ist.from_sklearn(held, rows, y), polish=False)
    results = sm.MNLogit(y, sm.add_constant(rows)).fit(disp=0, maxiter=200)
    said = announced(lambda: ist.from_statsmodels(results), polish=False)
    assert ("falls for ever along a direction that involves 2: x2" in said) == lacks


@pytest.mark.parametrize("name", ["GLM Logit", "GLM Probit", "GLM Poisson", "GLM NB", "MNLogit"])
def test_a_small_group_that_does_not_separate_passes_without_a_word(name):
    table = TABLE.copy()
    table.loc[39, ["y", "count"]] = [0, 1]
    table.loc[[38, 39], "kind"] = [1, 0]
    family = {"GLM Poisson": FAMILIES.Poisson(), "GLM NB": FAMILIES.NegativeBinomial(alpha=1.0)}
    if name == "MNLogit":
        results = sm.MNLogit(table.kind, sm.add_constant(table[["x"]])).fit(disp=0, maxiter=200)
    elif name in family:
        results = smf.glm("count ~ x + g", table, family=family[name]).fit(tol=1e-12)
    else:
        results = smf.glm("y ~ x + g", table, family=BINOMIAL[name[4:]]).fit(tol=1e-12)
    for polish in (False, True):
        ist.from_statsmodels(results, polish=polish)
