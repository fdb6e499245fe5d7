"""Directions that no loss feels, of any risk, and separation on entry: the rest is answered."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.othermod.betareg import BetaModel

import influstat as ist
from influstat.algebra.cholesky import CholeskyInverse
from influstat.algebra.coordinates import Coordinates
from influstat.curvature.dense import DenseCurvature
from influstat.errors import IndefiniteHessian, SingularHessian
from influstat.risks.flat import flat_coordinates
from tests.tolerance import CHANGES, SEARCHED, TWO_FITS

RNG = np.random.default_rng(3)
N = 90
TABLE = pd.DataFrame({"x": RNG.normal(size=N), "g": np.repeat(list("abc"), N // 3)})
LATENT = TABLE.x + 0.5 * (TABLE.g == "b") + RNG.logistic(size=N)
TABLE["level"] = pd.Categorical(np.digitize(LATENT, [-0.5, 1.0]), ordered=True)
TABLE["count"] = RNG.negative_binomial(2, 0.3, N)
TABLE["share"] = 1.0 / (1.0 + np.exp(-LATENT))
DOUBTS = pytest.mark.filterwarnings("ignore::influstat.errors.DoubtfulResult")

# -- a group that owns a dummy, in likelihoods of several parameters --------------------------------------

FITS = {
    "ordered": lambda t: OrderedModel.from_formula("level ~ x + C(g)", t, distr="logit").fit(
        method="bfgs", disp=0, gtol=1e-8, maxiter=500
    ),
    "negative binomial": lambda t: smf.negativebinomial("count ~ x + C(g)", t).fit(
        disp=0, method="newton", maxiter=100
    ),
    "beta": lambda t: BetaModel.from_formula("share ~ x + C(g)", t).fit(disp=0),
}


@DOUBTS
@pytest.mark.parametrize("name", FITS)
def test_slopes_without_the_rows_of_a_dummy_are_those_of_the_refit(name):
    fit = ist.from_statsmodels(FITS[name](TABLE), polish=True)
    removal = fit.leave_groups_out("g")
    j = fit.names.index("x")
    assert all("not determined; the others are." in text for text in removal.status)
    dummies = {fit.names.index(f"C(g)[T.{level}]") for level in "bc"}
    for k, level in enumerate("abc"):
        table = TABLE[TABLE.g != level].copy()
        refit = ist.from_statsmodels(FITS[name](table), polish=True)
        np.testing.assert_allclose(removal.theta[k, j], refit.theta[refit.names.index("x")], atol=CHANGES)
        assert np.isnan(removal.theta[k]).any()
        assert {int(place) for place in np.isnan(removal.theta[k]).nonzero()[0]} & dummies


# -- black boxes -------------------------------------------------------------------------------------------

X = np.column_stack([np.ones(20), RNG.normal(size=20)])
Y = X @ [1.0, 2.0] + RNG.normal(size=20)
OWNED = (np.arange(20) < 3).astype(float)
BOXES = {
    "unused": (lambda theta: (Y - X @ theta[:2]) ** 2 + 0.0 * theta[2], [0, 1]),
    "only real numbers": (lambda theta: np.abs(Y - X @ theta[:2].real) ** 2, [0, 1]),
    "two of one": (lambda theta: (Y - X @ theta[:2] - theta[2]) ** 2, [1]),
}


@DOUBTS
@pytest.mark.parametrize("method", ["exact", "newton", "influence"])
@pytest.mark.parametrize("name", BOXES)
def test_a_coefficient_that_does_not_matter_is_nan_alone(name, method):
    losses, known = BOXES[name]
    risk = ist.BlackBoxRisk(losses, 3)
    with pytest.raises(SingularHessian, match=r"ist.Fit.minimise\(risk, start=theta\)"):
        ist.Fit.minimise(risk)
    fit = ist.Fit.minimise(risk, start=[0.0, 0.0, 7.0])
    same = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, Y))
    ours, theirs = (one.leave_one_out(method=method) for one in (fit, same))
    assert set(np.flatnonzero(~np.isnan(ours.delta).any(axis=0))) == set(known)
    np.testing.assert_allclose(ours.delta[:, known], theirs.delta[:, known], atol=CHANGES)
    scores = fit.influence().on_theta().values, same.influence().on_theta().values
    np.testing.assert_allclose(scores[0][:, known], scores[1][:, known], atol=CHANGES)


@DOUBTS
def test_a_group_that_owns_a_direction_of_a_black_box_takes_it_alone():
    risk = ist.BlackBoxRisk(lambda theta: (Y - X @ theta[:2] - theta[2] * OWNED) ** 2, 3)
    removal = ist.Fit.minimise(risk).leave_groups_out(OWNED)
    truth = np.linalg.lstsq(X[OWNED == 0], Y[OWNED == 0])[0]
    np.testing.assert_allclose(removal.theta[1, :2], truth, atol=TWO_FITS)
    slope = np.polyfit(X[OWNED == 1, 1], Y[OWNED == 1], 1)[0]
    np.testing.assert_allclose(removal.theta[0], [np.nan, slope, np.nan], atol=TWO_FITS)


def test_directions_that_matter_elsewhere_are_not_taken_for_flat():
    # At theta-hat nothing moves with theta_1, a little further away everything does.
    risk = ist.BlackBoxRisk(lambda theta: (Y - theta[0]) ** 2 + theta[1] ** 4, 2)
    assert flat_coordinates(risk, np.array([Y.mean(), 0.0])) is None


def test_directions_along_which_slopes_change_are_not_taken_for_flat():
    # Where theta_0 is the mean no loss moves with theta_1, but that moves the mean.
    level = Y.mean()
    risk = ist.BlackBoxRisk(lambda theta: (Y - theta[0]) ** 2 + theta[1] * (theta[0] - level), 2)
    assert flat_coordinates(risk, np.array([level, 0.0])) is None


def test_directions_that_matter_together_are_not_taken_for_flat():
    risk = ist.BlackBoxRisk(lambda theta: (Y - theta[0]) ** 2 + (theta[1] * theta[2]) ** 2, 3)
    assert flat_coordinates(risk, np.array([Y.mean(), 0.0, 0.0])) is None


def test_curvatures_below_0_along_flat_directions_are_rounding():
    hessian, unit = DenseCurvature(np.diag([2.0, -1e-6]), ("a", "b")), np.eye(2)
    with pytest.raises(IndefiniteHessian):
        hessian.factored()
    hessian.flat = lambda: Coordinates(-1, np.zeros(2), unit[:, :1], unit[:, 1:], np.full(2, 1e-9))
    np.testing.assert_allclose(hessian.factored().solve(unit[0])[0], 0.5, rtol=1e-14)


# -- separated on entry ------------------------------------------------------------------------------------

SEPARATED = {
    "logit": ("z ~ x + C(h)", sm.families.Binomial),
    "Poisson": ("n ~ x + C(h)", sm.families.Poisson),
}
TABLE["h"] = np.where(np.arange(N) < 5, "z", TABLE.g)
TABLE["z"] = np.where(np.arange(N) < 5, 1, RNG.integers(0, 2, N))
TABLE["n"] = np.where(np.arange(N) < 5, 0, RNG.poisson(2.0, N))


@DOUBTS
@pytest.mark.parametrize("name", SEPARATED)
def test_what_separation_does_not_touch_is_answered(name):
    formula, family = SEPARATED[name]
    fit = ist.from_statsmodels(smf.glm(formula, TABLE, family=family()).fit())
    removal = fit.leave_groups_out({"one": [20], "some": [0, 30, 40, 50]})
    for k, rows in enumerate(([20], [0, 30, 40, 50])):
        left = TABLE.drop(index=rows)
        refit = smf.glm(formula, left[left.h != "z"], family=family()).fit(tol=1e-12)
        found = pd.Series(removal.theta[k], fit.names)
        assert np.isnan(found.pop("C(h)[T.z]"))
        np.testing.assert_allclose(found, refit.params[found.index], atol=SEARCHED)
        assert removal.status[k].endswith("C(h)[T.z] is not determined; the others are.")


@pytest.mark.parametrize(("smallest", "error"), [(-1e-14, SingularHessian), (-1e-9, IndefiniteHessian)])
def test_what_sums_over_rows_add_to_an_eigenvalue_of_0_is_no_negative_curvature(smallest, error):
    axes = np.linalg.qr(np.random.default_rng(2).normal(size=(6, 6)))[0]
    matrix = (axes * [smallest, 1.0, 1.0, 1.0, 1.0, 1.0]) @ axes.T
    with pytest.raises(error):
        CholeskyInverse(0.5 * (matrix + matrix.T))
    with pytest.raises(error):
        ist.ConjugateGradient().solve(0.5 * (matrix + matrix.T), axes[:, 0])


@DOUBTS
@pytest.mark.parametrize("loss", [ist.SquaredError(), ist.LogisticLoss()])
def test_an_encoder_beside_columns_of_any_size_is_never_called_not_convex(loss):
    for seed in range(120):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(30, 2000))
        far = rng.normal(size=(n, 2)) * 10.0 ** rng.uniform(-3, 3, 2) + 10.0 ** rng.uniform(-2, 2)
        X = np.column_stack([np.eye(3)[np.arange(n) % 3], np.ones(n), far])
        y = rng.normal(size=n)
        y = y if isinstance(loss, ist.SquaredError) else 1.0 * (y > 0)
        removal = ist.Fit.minimise(ist.LinearRisk(loss, X, y), start=np.zeros(6)).leave_one_out(rows=[0])
        assert np.isfinite(removal.theta[0, 4:]).all()
