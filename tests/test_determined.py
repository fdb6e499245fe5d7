"""What the rows determine is answered, the rest is nan with its reason: deficient designs, lost columns."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy.optimize import minimize
from sklearn.linear_model import LinearRegression, TweedieRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import influstat as ist
from influstat.removal.determined import partial_refit
from tests.tolerance import CHANGES, CLOSED_FORM, INVERTED, SEARCHED, TWO_FITS, printed

pytestmark = pytest.mark.filterwarnings(
    "ignore:The design matrix is rank-deficient"
)  # as statsmodels sees it
FAMILIES, LOG = sm.families, sm.families.links.Log()

# -- coefficients that a removal takes away ----------------------------------------------------------

GRUNFELD = sm.datasets.grunfeld.load_pandas().data
CARS = pd.DataFrame(
    {
        "carb": [1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 6, 8],
        "wt": [2.3, 3.2, 1.8, 3.4, 2.2, 1.6, 3.2, 2.6, 2.9, 5.2, 2.77, 3.57],
        "mpg": [22.8, 21.4, 33.9, 18.7, 24.4, 30.4, 22.8, 21.0, 19.2, 10.4, 19.7, 15.0],
    }
)
SINGLE = {
    "OLS": lambda table: smf.ols("mpg ~ wt + C(carb)", table).fit(),
    "WLS": lambda table: smf.wls("mpg ~ wt + C(carb)", table, weights=1.0 + table.wt).fit(),
    "Poisson": lambda table: smf.glm("mpg ~ wt + C(carb)", table, family=FAMILIES.Poisson()).fit(tol=1e-12),
    "Gamma log": lambda table: smf.glm("mpg ~ wt + C(carb)", table, family=FAMILIES.Gamma(LOG)).fit(
        tol=1e-12
    ),
}


def test_panel_firms_leave_with_their_dummies_and_the_slopes_stay():
    fit = ist.from_statsmodels(smf.ols("invest ~ value + capital + C(firm)", GRUNFELD).fit())
    with pytest.warns(ist.errors.DoubtfulResult, match="hold coefficients that are nan"):
        theta = fit.leave_groups_out(GRUNFELD.firm).to_frame()
    with pytest.warns(ist.errors.DoubtfulResult, match="nan for 11 of 13 coefficients"):
        covariance = fit.covariance("cluster jackknife", groups=GRUNFELD.firm)
    slopes = [fit.names.index(name) for name in ("value", "capital")]
    errors = np.sqrt(np.diag(np.asarray(covariance)))[slopes]
    np.testing.assert_allclose(errors, [0.03426, 0.13973], atol=printed(5))
    refits = [
        smf.ols("invest ~ value + capital + C(firm)", GRUNFELD[GRUNFELD.firm != firm]).fit().params
        for firm in sorted(GRUNFELD.firm.unique())
    ]
    delta = np.array([params[["value", "capital"]] for params in refits]) - fit.theta[slopes]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ist.errors.DoubtfulResult)
        removal = fit.leave_groups_out(GRUNFELD.firm)
    order = np.argsort(np.argsort([GRUNFELD.firm.to_numpy()[g[0]] for g in _members(removal)]))
    np.testing.assert_allclose(removal.delta[:, slopes], delta[order], atol=INVERTED)
    assert len(theta)


def _members(removal):
    return [removal.groups.members[start:] for start in removal.groups.starts[: len(removal.groups)]]


@pytest.mark.parametrize("kind", SINGLE)
def test_without_the_only_member_of_a_category_the_others_stay(kind):
    fit = ist.from_statsmodels(SINGLE[kind](CARS), polish=True)
    with pytest.warns(ist.errors.DoubtfulResult, match="2 of 2 removals hold coefficients that are nan"):
        removal = fit.leave_one_out(rows=[10, 11])
    for k, name in enumerate(["C(carb)[T.6]", "C(carb)[T.8]"]):
        lost = fit.names.index(name)
        assert np.isnan(removal.theta[k]).nonzero()[0].tolist() == [lost]
        np.testing.assert_allclose(np.delete(removal.delta[k], lost), 0.0, atol=TWO_FITS)
        assert removal.status[k] == f"Without this row: {name} is not determined; the others are."


def test_no_others_are_spoken_of_where_nothing_is_left():
    table = pd.DataFrame({"x": [8.0, 8.0, 8.0, 19.0], "y": [1.0, 2.0, 4.0, 5.0]})  # as Anscombe's fourth
    fit = ist.from_statsmodels(smf.ols("y ~ x", table).fit())
    with pytest.warns(ist.errors.DoubtfulResult, match="1 of 1 removals hold"):
        removal = fit.leave_one_out(rows=[3])
    assert removal.status[0] == "Without this row: Intercept, x are not determined."


@pytest.mark.dear
@pytest.mark.parametrize("kind", SINGLE)
def test_cross_validation_says_once_which_rows_have_no_refit(kind):
    fit = ist.from_statsmodels(SINGLE[kind](CARS), polish=True)
    with pytest.warns(ist.errors.DoubtfulResult) as said:
        result = ist.cross_validate(fit)
    assert len(said) == 1
    assert str(said[0].message).startswith("2 of 12 folds hold rows that nothing predicts without the fold")
    assert "C(carb)[T.6] is not determined" in str(said[0].message)
    assert np.isnan(result.mean)
    for row in range(10):
        again = SINGLE[kind](CARS.drop(index=row))
        loss = ist.from_statsmodels(again, polish=True).loss(CARS[row : row + 1], CARS.mpg[row : row + 1])
        np.testing.assert_allclose(result.row_losses[row], loss[0], rtol=CHANGES)


# -- designs that do not have full rank ----------------------------------------------------------------

N = 30
RNG = np.random.default_rng(1)
A, B, x = np.arange(N) % 4, np.arange(N) // 4 % 3, RNG.normal(size=N)
KEPT = ~((A == 1) & (B == 2))  # the empty cell
Y, COUNTS, W = x + A + RNG.normal(size=N), 1 + RNG.poisson(2.0, N), 1.0 + np.arange(N) % 3
FRAME = pd.DataFrame({"a": A.astype(str), "b": B.astype(str), "x": x, "y": Y, "n": COUNTS, "w": W})


def _independent(table):
    """Return the columns that R would keep: each that the earlier ones do not span."""
    kept = []
    for column in table:
        if np.linalg.matrix_rank(table[[*kept, column]]) > len(kept):
            kept.append(column)
    return table[kept]


def _design(formula, rows):
    model = smf.ols(formula, FRAME[rows])
    return pd.DataFrame(model.exog, columns=model.exog_names, index=FRAME.index[rows])


ALL = np.ones(N, dtype=bool)
DEFICIENT = {
    "dummy trap": _design("y ~ x", ALL).join(pd.get_dummies(FRAME.a).astype(float)),
    "empty cell": _design("y ~ C(a) * C(b)", KEPT),
    "zero column": _design("y ~ x", ALL).assign(zero=0.0),
    "a column twice, in other units": _design("y ~ x", ALL).assign(again=1e5 * x),
}
MODELS = {
    "OLS": lambda t: sm.OLS(FRAME.y[t.index], t).fit(),
    "WLS": lambda t: sm.WLS(FRAME.y[t.index], t, weights=FRAME.w[t.index]).fit(),
    "GLM": lambda t: sm.GLM(FRAME.y[t.index], t).fit(),
    "Poisson": lambda t: sm.GLM(FRAME.n[t.index], t, family=FAMILIES.Poisson()).fit(tol=1e-13, maxiter=200),
}


NAN = "ignore:.*coefficients are nan without any row too"  # said once of each removal, and tested elsewhere


@pytest.mark.filterwarnings(NAN)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("design", DEFICIENT)
def test_questions_about_rows_have_the_answers_of_the_independent_columns(design, model):
    table = DEFICIENT[design]
    full = _independent(table)
    assert full.shape[1] < table.shape[1]
    fit, same = (ist.from_statsmodels(MODELS[model](t), polish=True) for t in (table, full))
    np.testing.assert_allclose(fit.diagnostics(), same.diagnostics(), rtol=TWO_FITS, atol=TWO_FITS)
    ours, theirs = (f.influence().on_prediction(t).values for f, t in ((fit, table), (same, full)))
    np.testing.assert_allclose(ours, theirs, rtol=CHANGES, atol=TWO_FITS)
    for method in ("exact", "newton", "influence", "second_order"):
        ours, theirs = (
            f.leave_one_out(method=method).prediction_change(t) for f, t in ((fit, table), (same, full))
        )
        np.testing.assert_allclose(ours, theirs, rtol=CHANGES, atol=TWO_FITS)
    np.testing.assert_allclose(
        ist.cross_validate(fit).row_losses, ist.cross_validate(same).row_losses, rtol=CHANGES
    )


@pytest.mark.parametrize("kind", ["model", "HC0", "HC1", "HC3", "jackknife", "cluster", "cluster jackknife"])
@pytest.mark.parametrize("design", ["dummy trap", "zero column"])
def test_covariances_are_those_of_the_independent_columns_where_determined(design, kind):
    table = DEFICIENT[design]
    groups = {"groups": np.arange(N) % 6} if kind.startswith("cluster") else {}
    fit, same = (ist.from_statsmodels(MODELS["OLS"](t)) for t in (table, _independent(table)))
    with pytest.warns(ist.errors.DoubtfulResult, match="covariance is nan for .* coefficients"):
        ours = np.asarray(fit.covariance(kind, **groups))
    theirs = np.asarray(same.covariance(kind, **groups))
    j, k = fit.names.index("x"), same.names.index("x")
    np.testing.assert_allclose(ours[j, j], theirs[k, k], rtol=TWO_FITS)


@pytest.mark.filterwarnings(NAN)
def test_an_encoder_beside_an_intercept_is_a_dummy_trap_too():
    pipe = make_pipeline(OneHotEncoder(), LinearRegression()).fit(FRAME[["a"]], FRAME.y)
    fit = ist.from_sklearn(pipe, FRAME[["a"]], FRAME.y)
    coded = smf.ols("y ~ a", FRAME).fit()
    same = ist.from_statsmodels(coded)
    ours, theirs = (f.leave_one_out().prediction_change(t) for f, t in ((fit, FRAME[["a"]]), (same, FRAME)))
    np.testing.assert_allclose(ours, theirs, atol=CLOSED_FORM)
    np.testing.assert_allclose(
        fit.diagnostics().cooks_d, coded.get_influence().cooks_distance[0], rtol=INVERTED
    )


@pytest.mark.parametrize("kind", ["OLS", "LinearRegression"])
def test_more_columns_than_rows_interpolate_and_say_so(kind):
    rng = np.random.default_rng(712)
    wide, y = rng.normal(size=(6, 10)), rng.normal(size=6)
    if kind == "OLS":
        fit = ist.from_statsmodels(sm.OLS(y, wide).fit())
    else:
        fit = ist.from_sklearn(LinearRegression().fit(wide, y), wide, y)
    with pytest.warns(ist.errors.DoubtfulResult, match="6 of 6 removals hold coefficients that are nan"):
        change = fit.leave_one_out().prediction_change(wide)
    assert np.isnan(np.diag(change)).all()  # nothing predicts the row that is gone
    for ask in (fit.diagnostics, fit.covariance, lambda: fit.inference().to_frame()):
        with pytest.raises(ist.errors.InvalidArgument, match="more observations than effective degrees"):
            ask()


# -- minima that are local ------------------------------------------------------------------------------


def test_every_row_of_a_growth_curve_by_the_inverse_gaussian_has_its_refit():
    x = np.array([7.2, 12.1, 14.7, 18.6, 19.3, 19.4, 19.7, 23.6])
    y = np.array([9.6, 13.5, 17.9, 13.8, 76.6, 30.2, 53.4, 33.3])
    X = sm.add_constant(x)
    results = sm.GLM(y, X, family=FAMILIES.InverseGaussian(LOG)).fit(tol=1e-13)
    removal = ist.from_statsmodels(results, polish=True).leave_one_out()
    np.testing.assert_allclose(removal.theta[3], [1.292, 0.125], atol=printed(3))

    def loss(theta, rows):
        mu = np.exp(X[rows] @ theta)
        return np.sum(y[rows] / (2.0 * mu**2) - 1.0 / mu)

    for row in range(8):
        rows = np.arange(8) != row
        again = minimize(
            loss, removal.theta[row], (rows,), "Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-15}
        )
        np.testing.assert_allclose(removal.theta[row], again.x, atol=SEARCHED)


@pytest.mark.parametrize("unit", [3.0, 1.0, 1 / 20, 1 / 400])
def test_a_gaussian_log_fit_does_not_depend_on_the_unit_of_y(unit):
    y = np.array([1.2, 1.9, 1.4, 2.9, 2.5, 4.6, 3.9, 7.7, 6.1, 10.4])
    X = sm.add_constant(np.arange(1.0, 11.0))
    family = FAMILIES.Gaussian(LOG)
    fits = [sm.GLM(y * u, X, family=family).fit(tol=1e-14, maxiter=300) for u in (unit, 1.0)]
    ours, base = (ist.from_statsmodels(results, polish=True) for results in fits)
    np.testing.assert_allclose(ours.theta - base.theta, [np.log(unit), 0.0], atol=TWO_FITS)
    np.testing.assert_allclose(ours.leave_one_out().delta, base.leave_one_out().delta, atol=CHANGES)


@pytest.mark.parametrize("spread", [1.0, 3.0])
@pytest.mark.parametrize("power", [2, 3, 4])
def test_a_steep_tweedie_is_polished_where_scikit_learn_ends(power, spread):
    X = spread * np.random.default_rng(5).normal(size=(60, 2))
    y = np.exp(0.5 * X[:, 0] + 0.3) * np.random.default_rng(6).gamma(3.0, 1 / 3, 60)
    model = TweedieRegressor(power=power, alpha=0.1, link="log", tol=1e-10, max_iter=5000).fit(X, y)
    plain, polished = (ist.from_sklearn(model, X, y, polish=polish) for polish in (False, True))
    np.testing.assert_allclose(polished.theta, plain.theta, atol=CHANGES)


@pytest.mark.filterwarnings(NAN)
@pytest.mark.parametrize("polish", [False, True])
def test_functionals_of_a_dummy_trap_are_those_of_the_independent_columns(polish):
    pipe = make_pipeline(OneHotEncoder(), LinearRegression()).fit(FRAME[["a"]], FRAME.y)
    fit = ist.from_sklearn(pipe, FRAME[["a"]], FRAME.y, polish=polish)
    same = ist.from_statsmodels(smf.ols("y ~ C(a) - 1", FRAME).fit())
    rows = FRAME[["a"]].iloc[:3]
    ours = ist.predicted_mean(fit, rows).leave_one_out()
    np.testing.assert_allclose(
        ours.change, same.leave_one_out().prediction_change(FRAME.iloc[:3]), atol=CLOSED_FORM
    )
    assert not any(ours.status)
    line = np.zeros(len(same.names))
    line[:2] = 1.0, -1.0
    ours, theirs = ist.contrast(fit, [*line, 0.0]), ist.contrast(same, line)
    np.testing.assert_allclose(ours.leave_one_out().change, theirs.leave_one_out().change, atol=CLOSED_FORM)
    np.testing.assert_allclose(ours.standard_errors(), theirs.standard_errors(), rtol=INVERTED)
    with pytest.warns(
        ist.errors.DoubtfulResult, match="1 of 1 quantities are nan, contrast: the rows do not"
    ):
        level = ist.contrast(fit, [1.0, *np.zeros(len(line))])
    alone = level.leave_one_out()
    assert np.isnan(level.value).all()
    assert np.isnan(alone.change).all()
    assert set(alone.status) == {"the rows do not determine it, since columns depend on each other"}


# -- what a refit for the rest may meet ----------------------------------------------------------------------

NOWHERE = ("NoMinimiser", "NotConverged", "SingularHessian", "IndefiniteHessian", "OutsideDomain")


@pytest.mark.parametrize(
    "name", [*NOWHERE, "Unsupported", "InvalidType", "MissingDependency", "DatasetError"]
)
def test_only_a_missing_minimum_leaves_nothing_to_say(name, monkeypatch):
    kind, fit = (
        getattr(ist.errors, name),
        ist.Ridge(lam=0.0).fit(np.eye(3)[[0, 1, 1, 2, 2]], [1.0, 2, 3, 4, 5]),
    )

    def refuse(*_, **__):
        try:
            raise kind("there is none")
        except TypeError:
            raise kind("y", "be there", "is not", "Put it there.") from None

    monkeypatch.setattr("influstat.removal.determined.minimise", refuse)
    if name in NOWHERE:
        assert partial_refit(fit.risk, fit.theta, np.array([0]), exact=True) is None
    else:
        with pytest.raises(kind):
            partial_refit(fit.risk, fit.theta, np.array([0]), exact=True)


@pytest.mark.filterwarnings(NAN)
@pytest.mark.parametrize("loss", [ist.SquaredError(), ist.LogisticLoss()])
def test_what_rounding_of_columns_far_from_0_leaves_of_their_multiples_is_no_direction(loss):
    # In float64 c x is off by half a unit of its last digit: of x around 10^4 +- 10^-3 10^-9 of its spread.
    for seed in range(40):
        rng = np.random.default_rng(seed)
        x = 10.0 ** rng.uniform(0, 5) + 10.0 ** rng.uniform(-4, 1) * rng.normal(size=40)
        X = np.column_stack([np.ones(40), x, rng.uniform(0.1, 10.0) * x, rng.uniform(0.1, 10.0) * x + 32.0])
        y = rng.normal(size=40)
        y = y if isinstance(loss, ist.SquaredError) else 1.0 * (y > 0)
        fit = ist.Fit.minimise(ist.LinearRisk(loss, X, y), start=np.zeros(4))
        once = ist.Fit.minimise(ist.LinearRisk(loss, X[:, :2] - [0.0, x.mean()], y))
        found, truth = (one.risk.linear_predictor(one.theta) for one in (fit, once))
        noise = 64 * np.finfo(float).eps * np.abs(X) @ np.abs(fit.theta)
        assert (np.abs(found - truth) <= noise + TWO_FITS).all()
        assert fit.risk.curvature(fit.theta).coordinates().transform.shape == (4, 2)
