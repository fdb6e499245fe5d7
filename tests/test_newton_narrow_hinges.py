"""Newton's method on hinges of a small width, from any start."""

import numpy as np
import pytest

import influstat as ist
from influstat.errors import NotConverged, SingularHessian
from influstat.minimise import descent
from tests.reference import assert_within
from tests.test_newton import overlapping, relative_gradient
from tests.tolerance import SOLVED, TWO_FITS

NARROW = [10.0, 1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6]


@pytest.mark.parametrize("t", [1e-2, 1e-3])
def test_a_minimum_off_the_flat_piece_where_smoother_forms_end(t):
    """Classes all but balanced: b = 1 - t log(share / (1 - share)), from far short of the margin for small t.

    There the curvature is e^-58 and less, and Newton's step 1e20 and more times too long.
    """
    risk = ist.LinearRisk(
        ist.SmoothedHinge(t), np.zeros((2, 1)), [1.0, -1.0], weights=[1.0, 0.997], penalty=ist.L2(1.0),
        intercept=True,
    )  # fmt: skip
    found = ist.Fit.minimise(risk).theta
    assert_within(found, [0.0, 1.0 - t * np.log(0.997 / 0.003)], 1.0, 1e-9)  # the slope's sum cancels to 3e-3


@pytest.mark.parametrize("t", NARROW)
@pytest.mark.parametrize("lam", [0.0, 1e-3, 1.0, 100.0])
@pytest.mark.parametrize("separable", [False, True])
def test_the_smoothed_hinge_at_every_width(t, lam, separable):
    X, y = overlapping(seed=3)
    X = X + np.random.default_rng(4).normal(size=X.shape)
    signs = np.sign(X[:, 0]) if separable else 2 * y - 1
    if separable and lam == 0.0:
        return  # tests/test_recession.py: no minimiser
    if lam == 100.0 and not separable and t <= 1e-2:
        # As many rows of each class, all short of the margin: any intercept between two rows will do.
        with pytest.raises(SingularHessian, match="(in float64|do not affect the risk).*a larger t"):
            ist.SmoothedSVC(lam=lam, t=t).fit(X, signs)
        return
    fit = ist.SmoothedSVC(lam=lam, t=t).fit(X, signs)
    assert relative_gradient(fit.risk, fit.theta) <= 1e-12
    value = fit.risk.value(fit.theta)
    rng = np.random.default_rng(0)
    for step in (1e-6, 1e-3, 1.0):  # convex: a point that no neighbour undercuts is the minimum
        for direction in rng.normal(size=(5, 4)):
            assert fit.risk.value(fit.theta + step * direction) >= value - 1e-13 * max(value, t)


def test_the_narrow_hinge_ends_at_the_exact_one():
    X, y = overlapping(seed=3)
    X = X + np.random.default_rng(4).normal(size=X.shape)
    exact = ist.HingeSVC(lam=2.0).fit(X, 2 * y - 1)
    distances = [
        np.abs(ist.SmoothedSVC(lam=2.0, t=t).fit(X, 2 * y - 1).theta - exact.theta).max()
        for t in (1e-2, 1e-4, 1e-6)
    ]
    assert distances[0] > 3 * distances[1] > 9 * distances[2]
    assert distances[2] < 1e-5


def test_where_newton_fails_from_a_start_the_smoother_forms_help():
    X, y = overlapping(seed=3)
    X = X + np.random.default_rng(4).normal(size=X.shape)
    risk = ist.SmoothedSVC(lam=1.0, t=1e-6, intercept=False).risk(X, 2 * y - 1)
    start = np.array([500.0, -300.0, 100.0])
    with pytest.raises(NotConverged):
        descent.Descent(risk, start).minimum(20, descent.TOLERANCE)
    direct, far = ist.Fit.minimise(risk), ist.Fit.minimise(risk, start=start, max_iterations=20)
    np.testing.assert_allclose(far.theta, direct.theta, rtol=SOLVED)


def test_a_start_where_the_risk_is_not_finite_is_left_for_the_one_minimum():
    X, y = np.array([[4e5, 1.0], [0.0, 1.0], [4e5, 1.0]]), np.array([1.0, 2.0, 0.0])
    risk = ist.LinearRisk(ist.PoissonLoss(), X, y, penalty=ist.L2(1.0))
    far = ist.Fit.minimise(risk, start=[1.0, 0.0])
    np.testing.assert_allclose(far.theta, ist.Fit.minimise(risk).theta, rtol=TWO_FITS)


def test_a_start_without_curvature_is_left_for_the_one_minimum():
    X, y = np.array([[1.0], [2.0], [3.0]]), np.array([1.0, 2.0, 1.0])
    risk = ist.LinearRisk(ist.SmoothedCheck(0.75, 0.5), X, y)
    np.testing.assert_allclose(
        ist.Fit.minimise(risk, start=[1e4]).theta, ist.Fit.minimise(risk).theta, rtol=TWO_FITS
    )


def test_without_a_known_convexity_a_start_that_is_not_finite_is_refused():
    class Steep(ist.PoissonLoss):
        self_concordance = np.inf

    risk = ist.LinearRisk(Steep(), [[1.0], [2.0]], [1.0, 3.0], penalty=ist.L2(1.0))
    with pytest.raises(NotConverged, match="not finite where the minimisation starts"):
        ist.Fit.minimise(risk, start=[1e4])


def test_a_coefficient_of_0_is_found_where_every_row_of_its_column_fits_exactly():
    """e^eta - y at y = 1 and eta next to 0: what is left of its digits decides."""
    X = np.array([[4.0, 0.0], [0.0, 1.0], [0.0, 2.0]])
    risk = ist.LinearRisk(ist.PoissonLoss(), X, [1.0, 6.0, 4.0], penalty=ist.L2(4.65))
    for start in ([0.1, 0.3], [1e-13, 0.3], [-1e-9, 0.3]):
        assert abs(ist.Fit.minimise(risk, start=start).theta[0]) < 1e-25


@pytest.mark.dear
@pytest.mark.filterwarnings("ignore::influstat.errors.DoubtfulResult")
@pytest.mark.parametrize("penalised", [False, True], ids=["intercept alone", "beside a penalised column"])
@pytest.mark.parametrize("t", [0.5, 0.1, 0.05, 0.03, 0.02, 0.01, 1e-3, 1e-4])
def test_a_removal_says_so_where_float64_does_not_determine_the_intercept(t, penalised):
    """Five rows of one class, four of the other: without one of the five the classes balance, and b = 0.

    All rows are then where the curvature is e^(-1 / t) / t. Without one of the four, b stays at the margin.
    """
    y = np.array([1.0, -1.0] * 4 + [1.0])
    columns = np.column_stack([np.zeros(9)] * penalised + [np.ones(9)])
    penalty = ist.L2(1.0, unpenalised=(columns.shape[1] - 1,)) if penalised else None
    risk = ist.LinearRisk(ist.SmoothedHinge(t), columns, y, penalty=penalty, protocol="fixed")
    removal = ist.Fit.minimise(risk).leave_one_out()
    balanced, intercept = y > 0, removal.theta[:, -1]
    assert removal.converged[~balanced].all()
    assert (intercept[~balanced] > 1.0 - 10.0 * t).all()
    known = removal.converged[balanced]
    assert known.all() == known.any() == (t >= 0.05)
    assert (np.abs(intercept[balanced][known]) <= 1e-3 * t).all()
    for k in np.flatnonzero(~removal.converged):
        assert "singular" in removal.status[k]
        assert np.isnan(intercept[k])
