"""`fit.plot`: influence on test rows, orders and solvers beside exact refits, figures of several panels."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

import influstat as ist
from influstat.errors import DoubtfulResult, InvalidArgument, Unsupported
from influstat.plots import base
from tests.fit_plot_cases import FITS, N, X, frame, heights, largest, named, named_fits, points, stems

RNG = np.random.default_rng(22)
each_fit = pytest.mark.parametrize("name", named_fits())
each_fit_of_any_target = pytest.mark.parametrize("name", named_fits(but="Gamma"))
NEW, Y = frame(X)[:4] + 0.1, [1.0, 1.0, 0.0, 1.0]
IMAGES = RNG.integers(0, 255, (N, 9))


@pytest.fixture(autouse=True)
def _close_figures():
    plt.close("all")
    yield
    plt.close("all")


def new_rows(name):
    """Return test rows with the columns that the fit was made with."""
    return NEW.drop(columns="const") if name == "scikit-learn" else NEW


def change_of(fit, X, method):
    """Return the change of the summed test loss, by the rooms themselves."""
    if method == "influence":
        return fit.influence().on_loss(X, Y).removal.sum(axis=1)
    return fit.leave_one_out(method=method).loss_change(X, Y).sum(axis=1)


# -- influence on test rows -------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["influence", "newton", "second_order", "exact"])
@pytest.mark.parametrize("name", ["OLS", "Logit", "Poisson", "scikit-learn"])
def test_stems_are_the_change_of_the_test_loss(name, method):
    fit, new = FITS[name], new_rows(name)
    ax = fit.plot.loss_change(new, Y, method=method)
    expected = change_of(fit, new, method)
    assert stems(ax)[:, 1] == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert named(ax) == largest(fit, expected)


@pytest.mark.parametrize("name", ["Logit", "scikit-learn"])
def test_the_distance_is_that_to_the_boundary(name):
    fit, new = FITS[name], new_rows(name)
    ax = fit.plot.distance(new, Y)
    eta = fit.risk.linear_predictor(fit.theta)
    const = fit.risk.design.constant_column
    length = np.linalg.norm(np.delete(fit.theta, const))
    influence = fit.influence().on_loss(new, Y).values.sum(axis=1)
    expected = np.column_stack([eta / length, influence])
    order = np.lexsort(points(ax).T)
    assert points(ax)[order] == pytest.approx(expected[np.lexsort(expected.T)], rel=1e-9, abs=1e-12)
    blue = [to_hex(colour).upper() == base.BLUE for colour in ax.collections[0].get_facecolor()]
    assert np.sum(blue) == np.sum(fit.risk.y == fit.risk.y.min())


def test_a_response_of_many_values_has_no_boundary():
    with pytest.raises(Unsupported, match="two classes, which a boundary parts, but it has 60 kinds"):
        FITS["OLS"].plot.distance(NEW, Y)
    assert not plt.get_fignums()


@pytest.mark.parametrize("method", ["influence", "exact"])
def test_the_most_helpful_pictures_come_first(method):
    fit = FITS["Logit"]
    axes = fit.plot.helpful_and_harmful(IMAGES, NEW, Y, method=method, names=3)
    order = np.argsort(-change_of(fit, NEW, method))
    shown = [ax.get_title().split("\n")[0] for ax in axes]
    assert shown == [f"row {fit.row_labels[i]}" for i in [*order[:3], *order[::-1][:3]]]
    assert np.array_equal(axes[0].images[0].get_array(), IMAGES[order[0]].reshape(3, 3))


# -- beside exact refits ----------------------------------------------------------------------------------


@each_fit_of_any_target
def test_solvers_are_drawn_against_exact_refits(name):
    fit, new = FITS[name], new_rows(name)
    solvers = {"LiSSA": ist.LiSSA(depth=50, seed=0), "explicit": ist.Cholesky()}
    axes = fit.plot.solvers(new, Y, solvers=solvers)
    assert [ax.get_title() for ax in axes] == ["LiSSA", "explicit"]
    exact = change_of(fit, new, "exact")
    for ax, solver in zip(axes, solvers.values(), strict=True):
        predicted = fit.influence(solver=solver).on_loss(new, Y).removal.sum(axis=1)
        assert points(ax) == pytest.approx(np.column_stack([exact, predicted]), rel=1e-9, abs=1e-12)
    assert len(fit.plot.solvers(new, Y)) == 2


@pytest.mark.parametrize("solvers", [{}, [ist.Cholesky()]])
def test_solvers_have_names(solvers):
    with pytest.raises(InvalidArgument, match="solvers must map names to solvers"):
        FITS["OLS"].plot.solvers(NEW, Y, solvers=solvers)


@each_fit_of_any_target
@pytest.mark.parametrize("groups", [None, np.arange(N) % 7])
def test_the_report_is_drawn_order_by_order(name, groups):
    fit, new = FITS[name], new_rows(name)
    axes = fit.plot.removal_report(new, Y, top=6, groups=groups)
    report = fit.removal_report(new, Y, top=6, groups=groups)
    orders = ["first_order", "newton_linear", "newton", "second_order"]
    assert [ax.get_title() for ax in axes] == ["first order", "Newton, linear", "Newton", "second order"]
    for ax, order in zip(axes, orders, strict=True):
        expected = np.column_stack([report.changes["exact"], report.changes[order]])
        assert points(ax) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_removals_without_a_refit_are_left_out_and_counted():
    """Without the only row of a category its coefficient is not determined."""
    rng = np.random.default_rng(715)
    X1 = np.column_stack([X[:, :2], np.arange(N) == 7]).astype(float)
    fit = ist.Ridge(lam=0.0).fit(X1, rng.normal(size=N))
    with pytest.warns(DoubtfulResult, match="1 of 5 removals have no refit"):
        axes = fit.plot.removal_report(X1[7:8], [1.0], top=5)
    assert all("(1 of 5 rows is nan and not drawn)" in ax.get_xlabel() for ax in axes)
    assert len(points(axes[0])) == 4


# -- several panels ---------------------------------------------------------------------------------------


@each_fit
def test_the_spread_is_drawn_by_roots_of_standardised_deviance_residuals(name):
    fit = FITS[name]
    ax = fit.plot.scale_location()
    values = fit.diagnostics(["standard_resid_deviance"])["standard_resid_deviance"]
    eta = fit.risk.linear_predictor(fit.theta)
    assert np.array_equal(points(ax), np.column_stack([eta, np.sqrt(np.abs(values))]))
    if name in ("OLS", "WLS"):
        assert np.sqrt(np.abs(fit.diagnostics()["standard_resid"])).to_numpy() == pytest.approx(
            points(ax)[:, 1]
        )


@each_fit
def test_an_overview_is_four_pictures(name):
    fit = FITS[name]
    axes = fit.plot.overview(simulations=5, seed=2, names=2)
    alone = [
        fit.plot.residuals(names=2),
        fit.plot.qq(simulations=5, seed=2, names=2),
        fit.plot.scale_location(names=2),
        fit.plot.cooks_contours(names=2),
    ]
    for ours, theirs in zip(axes, alone, strict=True):
        assert np.array_equal(ours.collections[-1].get_offsets(), theirs.collections[-1].get_offsets())
        assert named(ours) == named(theirs)
        assert ours.get_xlabel() == theirs.get_xlabel()


@each_fit
@pytest.mark.parametrize("rules", ["R", None])
def test_indices_are_index_plots_below_each_other(name, rules):
    fit, measures = FITS[name], ["cov_ratio", "hat_diag", "dfb_a"]
    axes = fit.plot.indices(measures, rules=rules, names=1)
    for ours, measure in zip(axes, measures, strict=True):
        theirs = fit.plot.index(measure, rules=rules, names=1)
        assert np.array_equal(stems(ours), stems(theirs))
        assert heights(ours) == heights(theirs)
        assert named(ours) == named(theirs)
    assert axes[-1].get_xlabel().startswith("row")


@pytest.mark.parametrize(
    ("measures", "sentence"),
    [([], "measures must name at least one"), (["cooks_d", "cook"], "measure must be one of cooks_d")],
)
def test_wrong_measures_leave_no_figure(measures, sentence):
    with pytest.raises(InvalidArgument, match=sentence):
        FITS["OLS"].plot.indices(measures)
    assert not plt.get_fignums()


@each_fit
@pytest.mark.parametrize("picture", ["added_variable", "component_residual"])
def test_slopes_have_a_panel_per_coefficient_without_the_constant(name, picture):
    fit = FITS[name]
    many = getattr(fit.plot, {"added_variable": "added_variables"}.get(picture, "component_residuals"))
    for given, expected in ((None, ["a", "b", "c"]), (["c", 1], ["c", fit.names[1]])):
        axes = many(given, names=1)
        alone = [getattr(fit.plot, picture)(one, names=1) for one in expected]
        assert [ax.get_xlabel() for ax in axes] == [ax.get_xlabel() for ax in alone]
        for ours, theirs in zip(axes, alone, strict=True):
            assert np.array_equal(points(ours), points(theirs))
            assert named(ours) == named(theirs)
    for wrong in (["age"], []):
        plt.close("all")
        with pytest.raises(InvalidArgument, match="coefficients"):
            many(wrong)
        assert not plt.get_fignums()
