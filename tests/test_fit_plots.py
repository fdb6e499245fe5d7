"""`fit.plot`: what is drawn is what `diagnostics`, the coefficients and the refits say."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import influstat as ist
from influstat import plots
from influstat.errors import Unsupported
from tests.fit_plot_cases import (
    ETA,
    FITS,
    WEIGHTS,
    N,
    X,
    frame,
    heights,
    largest,
    named,
    named_fits,
    points,
    stems,
)

each_fit = pytest.mark.parametrize("name", named_fits())


@pytest.fixture(autouse=True)
def _close_figures():
    plt.close("all")
    yield
    plt.close("all")


# -- rows -------------------------------------------------------------------------------------------------


@each_fit
def test_the_bubbles_are_leverage_residual_and_cooks_distance(name):
    fit = FITS[name]
    ax = fit.plot.bubble()
    table = fit.diagnostics()
    assert np.array_equal(points(ax), table[["hat_diag", "student_resid"]].to_numpy())
    area = ax.collections[0].get_sizes() - ax.collections[0].get_sizes().min()
    distance = table["cooks_d"] - table["cooks_d"].min()
    assert area / area.max() == pytest.approx(distance / distance.max(), abs=1e-12)
    sizes = (table["cooks_d"], table["student_resid"].abs(), table["hat_diag"])
    found = [label for size in sizes for label in largest(fit, size)[:2]]  # two of each, as car names them
    assert named(ax) == list(dict.fromkeys(found))
    upright = [line.get_xdata() for line in ax.lines if len(set(line.get_xdata())) == 1]
    assert upright[0][0] == pytest.approx(2.0 * table["hat_diag"].sum() / N)
    said = [text.get_text() for text in ax.texts if not hasattr(text, "xy")]
    assert said[:3] == [f"2 p / n = {2.0 * table['hat_diag'].sum() / N:.3g}", "2", "-2"]


@each_fit
@pytest.mark.parametrize("measure", ["cooks_d", "hat_diag", "student_resid", "dffits", "cov_ratio"])
def test_stems_are_the_column_of_diagnostics(name, measure):
    fit = FITS[name]
    ax = fit.plot.index(measure)
    values = fit.diagnostics([measure])[measure].to_numpy()
    assert np.array_equal(stems(ax), np.column_stack([np.arange(N), values]))
    assert named(ax) == largest(fit, values - (measure == "cov_ratio"))


@pytest.mark.dear
@pytest.mark.parametrize("rules", ["R", "size-adjusted"])
@pytest.mark.parametrize("measure", ["cooks_d", "hat_diag", "dffits", "cov_ratio", "dfb_a"])
def test_the_threshold_is_where_flags_begin(measure, rules):
    fit = FITS["OLS"]
    ax = fit.plot.index(measure, rules=rules)
    flagged = fit.flags(rules)[measure].to_numpy()
    values, origin = stems(ax)[:, 1], float(measure == "cov_ratio")
    lines = heights(ax)
    if not lines:  # all within it, which is said
        assert not flagged.any()
        assert "all within" in ax.get_xlabel()
        return
    assert np.array_equal(np.abs(values - origin) > lines[-1] - origin, flagged)
    assert f"{lines[-1]:.3g}" in ax.texts[0].get_text()
    both = (values < origin).any()
    assert lines == pytest.approx([2.0 * origin - lines[-1], lines[-1]] if both else lines[-1:])
    assert not heights(fit.plot.index(measure, rules=None))


@each_fit
@pytest.mark.parametrize("measure", ["p_values", "bonferroni", "holm", "fdr_bh"])
def test_p_values_hang_from_one(name, measure):
    fit = FITS[name]
    ax = fit.plot.index(measure)
    values = fit.outlier_test()[measure].to_numpy()
    assert np.array_equal(stems(ax)[:, 1], values)
    assert heights(ax) == pytest.approx([0.05])  # drawn however far it is, on one side
    below = np.flatnonzero(values < 1.0)
    assert named(ax) == [str(fit.row_labels[i]) for i in below[np.argsort(values[below], kind="stable")][:3]]
    assert not heights(fit.plot.index(measure, rules=None))


def test_the_four_index_plots_of_car_share_one_name_of_the_axis():
    axes = FITS["OLS"].plot.indices()
    assert [ax.get_ylabel() for ax in axes] == [
        "Cook's distance", "studentised residual", "Bonferroni p value", "leverage",
    ]  # fmt: skip
    assert [ax.get_xlabel().split("\n")[0] == "row" for ax in axes] == [False] * 3 + [True]


@pytest.mark.parametrize("scale", [0.1, 0.3, 0.9, 3.0])
def test_a_threshold_is_drawn_in_all_panels_of_one_scale_or_in_none(scale):
    measures = {"a": [0.01, -0.02, 0.0], "b": [scale, 0.1, -scale]}
    drawn = [len(heights(ax)) for ax in plots.influence_panels(measures, threshold=1.0)]
    assert drawn == ([2, 2] if scale > 0.4 else [0, 0])  # 1 is beyond 2.5 times the largest


@pytest.mark.parametrize("labels", [["a", "b"], ["East", "Far-West & Isles", "North", "South", "West"]])
def test_few_stems_stand_apart_from_the_axis_and_have_ends(labels):
    ax = plots.influence_index(np.arange(1.0, len(labels) + 1.0), row_labels=np.array(labels), names=1)
    low, high = ax.get_xlim()
    assert low < -0.2
    assert high > len(labels) - 0.8
    ends = max(len(line.get_xdata()) for line in ax.lines if line.get_marker() == "o")
    assert ends == len(labels)


@each_fit
def test_dfbetas_have_a_panel_per_coefficient_in_one_scale(name):
    fit = FITS[name]
    axes = fit.plot.dfbetas(names=2)
    table = fit.diagnostics(["dfbetas"])
    assert [ax.get_title() for ax in axes] == list(fit.names)
    assert len({ax.get_ylim() for ax in axes}) == 1
    for ax, coefficient in zip(axes, fit.names, strict=True):
        assert np.array_equal(stems(ax)[:, 1], table[f"dfb_{coefficient}"])
        assert named(ax) == largest(fit, table[f"dfb_{coefficient}"], 2)
    (one,) = fit.plot.dfbetas([fit.names[1]])
    assert np.array_equal(stems(one)[:, 1], table[f"dfb_{fit.names[1]}"])


@each_fit
def test_contours_are_where_cooks_distance_is_a_half_and_one(name):
    fit = FITS[name]
    ax = fit.plot.cooks_contours()
    table = fit.diagnostics()
    assert np.array_equal(points(ax), table[["hat_diag", "standard_resid"]].to_numpy())
    curves = [line for line in ax.lines if len(line.get_xdata()) > 2]
    h, r = (np.array([line.get_data()[k] for line in curves]) for k in (0, 1))
    distance = r**2 * h / (1.0 - h) / table["hat_diag"].sum()
    assert distance == pytest.approx(np.repeat([0.5, 0.5, 1.0, 1.0], h.shape[1]).reshape(4, -1))
    assert set(np.sign(r[:, 0])) == {-1.0, 1.0}
    if name in ("OLS", "WLS"):  # where the contours are those of the measure itself
        assert named(ax) == largest(fit, table["cooks_d"])


# -- residuals --------------------------------------------------------------------------------------------


@each_fit
def test_residuals_are_deviance_residuals_over_the_linear_predictor(name):
    fit = FITS[name]
    ax = fit.plot.residuals()
    deviance = fit.diagnostics(["resid_deviance"])["resid_deviance"].to_numpy()
    eta = fit.risk.linear_predictor(fit.theta)
    if name in ("OLS", "WLS"):
        assert points(ax) == pytest.approx(
            np.column_stack([eta, np.sqrt(fit.risk.weights) * (fit.risk.y - eta)])
        )
    else:
        assert np.array_equal(points(ax), np.column_stack([eta, deviance]))
    assert named(ax) == largest(fit, deviance)


def test_residuals_divided_by_their_errors_have_lines_at_two():
    fit = FITS["Poisson"]
    ax = fit.plot.residuals("standard_resid_deviance", smooth=False)
    assert heights(ax) == [-2.0, 2.0]
    assert ax.get_xlabel() == "linear predictor"
    assert "local mean" in fit.plot.residuals().get_xlabel()


@each_fit
def test_quantiles_belong_to_the_sorted_residuals(name):
    fit = FITS[name]
    ax = fit.plot.qq(simulations=0)
    residuals = fit.diagnostics()["student_resid"].to_numpy()
    law = stats.t(N - len(fit.names) - 1) if name in ("OLS", "WLS") else stats.norm()
    expected = law.ppf((np.arange(1, N + 1) - 0.5) / N)
    assert points(ax)[:, 1] == pytest.approx(np.sort(residuals))
    assert points(ax)[:, 0] == pytest.approx(expected)
    assert named(ax) == largest(fit, residuals)
    assert "no envelope" in ax.get_xlabel()


@each_fit
def test_the_envelope_is_drawn_and_who_leaves_it_has_another_colour(name):
    fit = FITS[name]
    ax = fit.plot.qq(simulations=19, seed=1)
    assert "of 19 simulations" in ax.get_xlabel()
    x, y = np.asarray(ax.collections[1].get_offsets()).T
    low, high = band_at(ax, x)
    assert (low < high).all()
    outside = (y < low) | (y > high)
    colours = ax.collections[1].get_facecolor()[:, 0]
    assert np.array_equal(colours != colours[~outside][0], outside)
    again = band_at(fit.plot.qq(simulations=19, seed=1), x)
    assert np.array_equal(again, (low, high))


def band_at(ax, x):
    """Return the lower and upper ends of the band at the places x."""
    corners = ax.collections[0].get_paths()[0].vertices
    ends = [np.sort(corners[np.isclose(corners[:, 0], one, rtol=1e-12, atol=1e-12), 1]) for one in x]
    return np.array([one[0] for one in ends]), np.array([one[-1] for one in ends])


@pytest.mark.slow
def test_the_envelope_of_least_squares_is_that_of_normal_errors_on_these_columns():
    """By its definition: residuals of y* ~ N(0, I), whatever the coefficients and the variance are."""
    fit = FITS["OLS"]
    ax = fit.plot.qq(simulations=200, seed=0)
    drawn = band_at(ax, np.asarray(ax.collections[1].get_offsets())[:, 0])
    rng, hat = np.random.default_rng(1), X @ np.linalg.pinv(X)
    draws = []
    for _ in range(200):
        e = (np.eye(N) - hat) @ rng.normal(size=N)
        left, p = 1.0 - np.diag(hat), 4
        without = (e @ e - e**2 / left) / (N - p - 1)
        draws.append(np.sort(e / np.sqrt(left * without)))
    draws = np.array(draws)
    expected = np.quantile(draws, [0.025, 0.975], axis=0)
    resampled = [np.quantile(rng.choice(draws, 200), [0.025, 0.975], axis=0) for _ in range(100)]
    error = np.sqrt(2.0) * np.std(resampled, axis=0)  # both are from 200 simulations
    assert (np.abs(drawn - expected) <= 6.0 * error).all()


def test_a_loss_that_cannot_draw_has_no_envelope_and_says_so():
    rng = np.random.default_rng(714)
    loss = ist.NumericalLoss(lambda y, eta: (y - eta) ** 2, width=1.0)
    fit = ist.Fit.minimise(ist.LinearRisk(loss, X, ETA + rng.normal(size=N)))
    with pytest.raises(Unsupported, match="variance"):  # nor has it a dispersion
        fit.plot.qq()
    robust = ist.Fit.minimise(ist.LinearRisk(Known(delta=1.0), X, ETA + rng.normal(size=N)))
    assert "no envelope" in robust.plot.qq().get_xlabel()


class Known(ist.PseudoHuberLoss):
    """A loss that states its dispersion, and cannot draw."""

    dispersion = 1.0


# -- coefficients -----------------------------------------------------------------------------------------


@each_fit
@pytest.mark.parametrize("column", ["a", "c"])
def test_the_slope_of_the_added_variable_is_the_coefficient(name, column):
    fit = FITS[name]
    ax = fit.plot.added_variable(column)
    x, y = points(ax).T
    theta = fit.theta[fit.names.index(column)]
    assert ax.lines[0].get_slope() == theta
    assert x @ y / (x @ x) == pytest.approx(theta, rel=1e-7)  # entry accepts fits to about 1e-8
    if name == "OLS":  # residuals of the fit about the line, and what the other columns leave on both axes
        assert y - theta * x == pytest.approx(fit.risk.y - fit.risk.linear_predictor(fit.theta))
        others = np.delete(X, fit.names.index(column), axis=1)
        for drawn, whole in ((x, X[:, fit.names.index(column)]), (y, fit.risk.y)):
            assert drawn == pytest.approx(whole - others @ np.linalg.lstsq(others, whole)[0])


@each_fit
@pytest.mark.parametrize("column", ["a", "c"])
def test_the_slope_of_component_and_residual_is_the_coefficient(name, column):
    fit = FITS[name]
    ax = fit.plot.component_residual(column)
    x, y = points(ax).T
    theta, eta = fit.theta[fit.names.index(column)], fit.risk.linear_predictor(fit.theta)
    assert ax.lines[0].get_slope() == theta
    assert np.array_equal(x, frame(X)[column])
    curvature = {"Poisson": np.exp(eta), "Gamma, log": np.ones(N)}
    logistic = 1.0 / (2.0 + np.exp(eta) + np.exp(-eta))
    w = WEIGHTS if name == "WLS" else np.ones(N) if name == "OLS" else curvature.get(name, logistic)
    assert np.polyfit(x, y, 1, w=np.sqrt(w))[0] == pytest.approx(theta, rel=1e-7)


def test_a_robust_fit_whose_curvature_is_0_in_places_has_its_slopes():
    rng = np.random.default_rng(713)
    y = ETA + rng.standard_t(2, size=N)
    fit = ist.Fit.minimise(ist.LinearRisk(ist.HuberLoss(delta=0.8), X, y, names=list("oabc")))
    x, y = points(fit.plot.added_variable("b")).T
    assert x @ y / (x @ x) == pytest.approx(fit.theta[2], rel=1e-9)


@each_fit
def test_the_forest_is_that_of_the_report(name):
    fit = FITS[name]
    report = fit.report("a", top=4)
    ax = fit.plot.forest("a", names=4)
    drawn = [float(line.get_xdata()[0]) for line in ax.lines if line.get_marker() in {"D", "o", "^"}]
    assert drawn == [report.whole["estimates"], *report.values["estimates"]]
    groups = np.arange(N) % 7
    lines = fit.plot.forest("a", groups=groups, names=3).get_yticklabels()
    labels = fit.report("a", groups=groups, top=3).groups.labels
    assert [line.get_text() for line in lines][1:] == [f"without group {label}" for label in labels]
    country = pd.Series(groups, index=fit.row_labels, name="country")
    lines = fit.plot.forest("a", groups=country, names=3).get_yticklabels()
    assert [line.get_text() for line in lines][1:] == [f"without country {label}" for label in labels]
    called = {f"part {k}": np.flatnonzero(groups == k) for k in range(7)}
    lines = fit.plot.forest("a", groups=called, names=1).get_yticklabels()
    assert lines[1].get_text() == f"without {fit.report('a', groups=called, top=1).groups.labels[0]}"


@each_fit
def test_groups_move_the_coefficient_as_their_removal_does(name):
    fit, groups = FITS[name], np.arange(N) % 7
    ax = fit.plot.groups(groups, "a", names=2)
    removal = fit.leave_groups_out(groups)
    change = removal.delta[:, fit.names.index("a")]
    assert np.array_equal(stems(ax), np.column_stack([np.arange(7), change]))
    assert named(ax) == [str(removal.labels[k]) for k in np.argsort(-np.abs(change))[:2]]
    error = fit.inference().table.standard_errors[fit.names.index("a")]
    assert heights(ax)[-1:] == pytest.approx([error]) or "1 SE" in ax.get_xlabel()


@pytest.mark.parametrize("method", ["influence", "newton"])
def test_predictions_and_refits_are_those_of_their_rooms(method):
    fit = FITS["Logit"]
    new, y = frame(X)[:4] + 0.1, [0.0, 1.0, 1.0, 0.0]
    ax = fit.plot.predicted_against_exact(new, y, method=method)
    exact = fit.leave_one_out().loss_change(new, y).sum(axis=1)
    first = fit.influence().on_loss(new, y).removal.sum(axis=1)
    predicted = (
        first if method == "influence" else fit.leave_one_out(method=method).loss_change(new, y).sum(axis=1)
    )
    assert points(ax) == pytest.approx(np.column_stack([exact, predicted]), rel=1e-9, abs=1e-12)
