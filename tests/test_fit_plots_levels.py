"""`fit.plot.levels` of a categorical and `fit.plot.factors` of eq. (17): what is drawn is what they say."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import influstat as ist
from influstat import plots
from influstat.errors import InvalidArgument, InvalidType, Unsupported
from influstat.statistics.categorical import categoricals
from tests.fit_plot_cases import ETA, FITS, N, X, frame, named
from tests.reference import assert_within

RNG = np.random.default_rng(21)
SOLVED = 1e-9  # two ways through one factor of a Hessian of condition below 1e4
STOPPED = 1e-7  # the fits stop at gradients of about 1e-8
TABLE = (
    frame(X)
    .drop(columns="const")
    .assign(
        region=np.resize(["north", "south & east", "west_1"], N), half=np.resize([0, 1], N), id=np.arange(N)
    )
)
TABLE["y"] = ETA + 0.5 * (TABLE["region"] == "west_1") + RNG.normal(size=N)
TABLE["k"] = RNG.poisson(np.exp(0.3 * TABLE["y"]))
TABLE["won"] = (RNG.random(N) < 0.5).astype(int)
WEIGHTS = RNG.uniform(0.5, 2.0, N)
FORMULAS = {
    "OLS": lambda: smf.ols("y ~ a + C(region)", TABLE),
    "OLS, sums": lambda: smf.ols("y ~ a + C(region, Sum)", TABLE),
    "OLS, no intercept": lambda: smf.ols("y ~ 0 + a + C(region)", TABLE),
    "OLS, interaction": lambda: smf.ols("y ~ a * C(region) + half", TABLE),
    "WLS": lambda: smf.wls("y ~ a + C(region)", TABLE, weights=WEIGHTS),
    "Poisson": lambda: smf.glm("k ~ a + C(region)", TABLE, family=sm.families.Poisson()),
    "Logit": lambda: smf.logit("won ~ a + C(region)", TABLE),
}
TWO_CLASSES = {
    "Logistic": lambda: ist.Logistic(lam=1.0, protocol="fixed").fit(X, TABLE["won"].to_numpy()),
    "weights and offset": lambda: ist.Logistic(lam=0.5, protocol="fixed").fit(
        X, TABLE["won"].to_numpy(), weights=WEIGHTS, offset=0.2 * ETA
    ),
    "labels of -1 and 1": lambda: ist.SmoothedSVC(lam=1.0, t=0.3, intercept=False, protocol="fixed").fit(
        X, 2 * TABLE["won"].to_numpy() - 1
    ),
    "no penalty": lambda: FITS["Logit"],
}


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def fitted(name):
    model = FORMULAS[name]()
    settings = {"disp": 0, "tol": 1e-12} if name == "Logit" else {"tol": 1e-12} if name == "Poisson" else {}
    return ist.from_statsmodels(model.fit(**settings))


def lines_of(ax):
    """Return the heights of the black lines, from left to right."""
    lines = next(one for one in ax.collections if hasattr(one, "get_segments"))
    return np.array([segment[0, 1] for segment in lines.get_segments()])


def points_of(ax):
    drawn = next(one for one in ax.collections if not hasattr(one, "get_segments"))
    return np.asarray(drawn.get_offsets())


# -- levels of a categorical ------------------------------------------------------------------------------


@pytest.mark.dear
@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("labels", [False, True])
def test_lines_are_effects_and_points_are_about_them(name, labels):
    fit = fitted(name)
    ax = fit.plot.levels(TABLE["region"] if labels else "region")
    assert [text.get_text() for text in ax.get_xticklabels()] == ["north", "south & east", "west_1"]
    kinds = pd.Categorical(TABLE["region"])
    rows = fit.risk.design.rows(slice(None))
    own = [k for k, one in enumerate(fit.names) if "region" in one and ":" not in one]
    expected = np.array([rows[np.argmax(kinds.codes == k), own] @ fit.theta[own] for k in range(3)])
    assert_within(lines_of(ax), expected, np.abs(expected).max())
    x, y = points_of(ax).T
    assert np.array_equal(np.round(x), kinds.codes)
    # The scores of the columns of a level sum to 0, so the weighted mean of its points is its effect.
    eta = fit.risk.linear_predictor(fit.theta)
    weights = fit.risk.weights * fit.risk.loss.second(fit.risk.y, eta)
    means = [np.average(y[kinds.codes == k], weights=weights[kinds.codes == k]) for k in range(3)]
    assert means == pytest.approx(expected, abs=STOPPED)


def test_rows_of_largest_residual_are_named():
    fit = fitted("OLS")
    order = np.argsort(-np.abs(fit.diagnostics(["resid_response"])["resid_response"].to_numpy()))
    assert named(fit.plot.levels("region", names=2)) == [str(fit.row_labels[i]) for i in order[:2]]


@pytest.mark.parametrize(
    ("factor", "error", "sentence"),
    [
        ("colour", InvalidArgument, "factor must name a column of the table"),
        ("half", InvalidArgument, "factor must be what some column of the fit is made of"),
        ({"north": [0, 1], "rest": range(3, N)}, InvalidArgument, "position 2 no level"),
        ({"north": range(N - 1), "rest": [4, N - 1]}, InvalidArgument, "position 4 2 levels"),
        (TABLE["id"].to_numpy(), InvalidArgument, "at most 40 kinds, but it holds 60"),
        ({1: range(0, N, 3), "1": range(1, N, 3), 2: range(2, N, 3)}, InvalidArgument, "different names"),
        (3, InvalidArgument, "factor must hold one label per row"),
    ],
)
def test_what_is_no_categorical_of_the_fit_is_refused(factor, error, sentence):
    with pytest.raises(error, match=sentence):
        fitted("OLS").plot.levels(factor)
    assert not plt.get_fignums()


def test_a_level_that_is_not_determined_is_refused():
    table = TABLE.assign(copy=(TABLE["region"] == "west_1").astype(float))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # statsmodels' of some versions, and ours
        fit = ist.from_statsmodels(smf.ols("y ~ a + C(region) + copy", table).fit())
    with pytest.raises(InvalidArgument, match="factor must be one that the rows determine"):
        fit.plot.levels("region")


@pytest.mark.parametrize("order", [["west_1", "north", "south & east"], ["north", "west_1", "south & east"]])
@pytest.mark.parametrize("named", [True, False])
def test_levels_stand_in_the_order_of_a_pandas_categorical(order, named):
    table = TABLE.assign(region=pd.Categorical(TABLE["region"], categories=order, ordered=True))
    fit = ist.from_statsmodels(smf.ols("y ~ a + C(region)", table).fit())
    ax = fit.plot.levels("region" if named else table["region"])
    assert [text.get_text() for text in ax.get_xticklabels()] == order
    x, y = points_of(ax).T
    assert np.array_equal(np.round(x), table["region"].cat.codes)
    means = [y[np.round(x) == k].mean() for k in range(3)]
    assert means == pytest.approx(lines_of(ax), abs=STOPPED)
    assert lines_of(ax)[0] == 0.0  # the first category is what the others are compared with


def test_groups_without_which_other_coefficients_are_nan_are_drawn_without_a_warning():
    fit = fitted("OLS")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(fit.plot.groups("region", "a").collections[0].get_segments()) == 3
    with pytest.warns(ist.errors.DoubtfulResult, match="removals hold coefficients that are nan"):
        fit.plot.groups("region", "C(region)[T.west_1]")


def test_levels_from_arrays_are_sorted_or_as_the_effects_are():
    with pytest.warns(ist.errors.DoubtfulResult, match="1 of 4 rows hold nan"):
        ax = plots.values_by_level([3, 1, 3, 2], [1.0, 2.0, np.nan, 4.0])
    assert [text.get_text() for text in ax.get_xticklabels()] == ["1", "2", "3"]
    assert "1 of 4 rows is nan" in ax.get_xlabel()
    ax = plots.values_by_level(list("ba"), [1.0, 2.0], effects={"b": 0.0, "c": 1.0, "a": 2.0})
    assert [text.get_text() for text in ax.get_xticklabels()] == ["b", "c", "a"]
    assert lines_of(ax).tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("effects", "error", "sentence"),
    [
        ([1.0, 2.0], InvalidType, "effects must map levels to numbers"),
        ({"a": 1.0}, InvalidArgument, "effects must have every level, but it lacks 'b'"),
        ({"a": 1.0, "b": np.inf}, InvalidArgument, "effects must be finite"),
    ],
)
def test_wrong_effects(effects, error, sentence):
    with pytest.raises(error, match=sentence):
        plots.values_by_level(["a", "b"], [1.0, 2.0], effects=effects)
    assert not plt.get_fignums()


@pytest.mark.slow
def test_many_levels_are_named_upright():
    ax = plots.values_by_level([f"level number {k % 30}" for k in range(60)], np.arange(60.0))
    ax.figure.draw_without_rendering()
    assert {label.get_rotation() for label in ax.get_xticklabels()} == {90.0}


# -- the factors of eq. (17) ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TWO_CLASSES)
@pytest.mark.parametrize("row", [0, 7])
def test_the_true_value_is_the_influence_and_the_variants_lack_what_they_say(name, row):
    fit = TWO_CLASSES[name]()
    risk, test = fit.risk, frame(X)[row : row + 1] + 0.1 if name == "no penalty" else X[row : row + 1] + 0.1
    label = [risk.y.max()]
    axes = fit.plot.factors(test, label)
    true = -fit.influence().on_loss(test, label).values[:, 0]
    slope = risk.loss.first(risk.y, risk.linear_predictor(fit.theta))
    order = np.random.default_rng(0).permutation(N)  # that of the points, so that no class covers the other
    drawn = [np.asarray(ax.collections[0].get_offsets()) for ax in axes]
    size, far = np.abs(true).max(), np.abs(risk.design.dot(np.asarray(test, dtype=np.float64)[0])).max()
    for panel in drawn:
        assert_within(panel[:, 1], true[order], size, rtol=SOLVED)
    assert_within(drawn[0][:, 0] * np.abs(slope[order]), true[order], size, rtol=SOLVED)
    plain = risk.design.dot(np.asarray(test, dtype=np.float64)[0])
    assert_within(drawn[1][:, 0], drawn[2][:, 0] * np.abs(slope[order]), far)
    at_test = risk.loss.first(np.array(label), np.asarray(test, dtype=np.float64) @ fit.theta)[0]
    expected = at_test * np.sign(slope) * plain
    assert_within(drawn[2][:, 0], expected[order], far)


def test_factors_are_of_one_test_row_and_two_classes():
    with pytest.raises(InvalidArgument, match="X must hold one test row, but it holds 2"):
        FITS["Logit"].plot.factors(frame(X)[:2], [0.0, 1.0])
    with pytest.raises(Unsupported, match="two classes"):
        FITS["OLS"].plot.factors(frame(X)[:1], [0.0])
    assert not plt.get_fignums()


# -- categoricals among other columns ---------------------------------------------------------------------


def panels_of(axes):
    return [ax.get_xlabel().partition("\n")[0] for ax in axes]


@pytest.mark.dear
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("OLS", ["region", "a"]),
        ("OLS, sums", ["region", "a"]),
        ("OLS, no intercept", ["region", "a"]),
        ("OLS, interaction", ["region", "a", "a:C(region)[T.south & east]", "a:C(region)[T.west_1]", "half"]),
        ("Logit", ["region", "a"]),
    ],
)
def test_the_columns_of_a_categorical_have_one_panel(name, expected):
    fit = fitted(name)
    axes = fit.plot.component_residuals()
    assert sorted(panels_of(axes)) == sorted(expected)
    ours = axes[panels_of(axes).index("region")]
    alone = fit.plot.levels("region")
    assert np.array_equal(points_of(ours), points_of(alone))
    assert np.array_equal(lines_of(ours), lines_of(alone))
    assert panels_of(fit.plot.component_residuals(["a", "region"])) == ["a", "region"]
    assert len(fit.plot.added_variables()) == len(fit.names) - (name != "OLS, no intercept")


@pytest.mark.parametrize("wrong", ["C(region)", "regoin", "C(region)[T.south]"])
def test_a_name_that_is_no_column_is_refused_with_that_of_the_categorical(wrong):
    fit = ist.from_statsmodels(smf.ols("y ~ a + C(region)", TABLE).fit())
    with pytest.raises(
        InvalidArgument, match=r"^coefficients\[1\] must be .* or categorical.* there are .*'region'"
    ):
        fit.plot.component_residuals(["a", wrong])


def test_a_number_of_many_values_is_no_categorical_and_neither_is_a_column_that_the_formula_lacks():
    table = TABLE.assign(a=np.round(TABLE["a"]), twin=TABLE["region"].str.upper(), many=np.arange(N) % 30)
    fit = ist.from_statsmodels(smf.ols("y ~ a + I(a ** 2) + region + many", table).fit())
    assert list(categoricals(fit, most=40)) == ["region"]
    two = ist.from_statsmodels(smf.ols("y ~ region + np.where(twin == 'NORTH', a, 0)", table).fit())
    assert list(categoricals(two, most=40)) == ["region"]  # no two share a column
    assert list(categoricals(ist.from_statsmodels(smf.ols("y ~ C(many)", table).fit()), most=29)) == []
    assert categoricals(FITS["OLS"], most=40) == {}


def test_many_levels_are_one_panel_where_their_columns_were_too_many():
    table = TABLE.assign(many=np.arange(N) % 30)
    fit = ist.from_statsmodels(smf.ols("y ~ a + C(many)", table).fit())
    assert panels_of(fit.plot.component_residuals()) == ["many", "a"]
    with pytest.raises(InvalidArgument, match="coefficients must name 1 to 24"):
        fit.plot.added_variables()
    wide = ist.from_statsmodels(smf.ols("y ~ a + C(id)", TABLE.assign(id=np.arange(N) // 1.4 // 1)).fit())
    with pytest.raises(InvalidArgument, match="coefficients must name 1 to 24"):
        wide.plot.component_residuals()
