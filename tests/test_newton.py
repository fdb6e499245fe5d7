"""Newton's method where it is hard: units, saturated rows, narrow hinges, many coefficients, no convexity."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

import influstat as ist
from influstat.errors import IndefiniteHessian, NotConverged, SingularHessian
from influstat.minimise import descent, newton
from tests.budget import examples
from tests.cases import LOSSES, make_problem
from tests.reference import assert_within
from tests.tolerance import CLOSED_FORM


def overlapping(n=60, p=3, seed=0):
    """Return rows and 0/1 labels of two classes that no plane separates: each row stands in both."""
    X = np.random.default_rng(seed).normal(size=(n // 2, p))
    return np.vstack([X, X]), np.repeat([0, 1], n // 2)


def relative_gradient(risk, theta):
    return np.max(np.abs(risk.gradient(theta)) / risk.gradient_scale(theta))


# -- units of the columns -----------------------------------------------------------------------------


@examples(40)
@given(st.sampled_from(LOSSES), st.lists(st.integers(-60, 60), min_size=3, max_size=3), st.integers(0, 10**6))
def test_units_of_the_columns_only_change_units_of_theta(case, powers, seed):
    rng = np.random.default_rng(seed)
    X, y = overlapping(seed=seed)
    targets = {"0/1": y, "-1/+1": 2 * y - 1, "real": rng.normal(size=60)}[case.targets]
    offset = 0.1 * rng.normal(size=60)
    units = np.exp2(powers)  # powers of two: no rounding
    if case.name == "smoothed hinge 0.01":  # both classes alike: all rows where its curvature is e^-100
        with pytest.raises(SingularHessian, match="singular in float64"):
            ist.Fit.minimise(ist.LinearRisk(case.loss, X * units, targets, offset=offset, intercept=True))
        return
    plain = ist.Fit.minimise(ist.LinearRisk(case.loss, X, targets, offset=offset, intercept=True))
    scaled = ist.Fit.minimise(ist.LinearRisk(case.loss, X * units, targets, offset=offset, intercept=True))
    reach = np.abs(np.linalg.inv(plain.hessian.to_dense())) @ plain.risk.gradient_scale(plain.theta)
    assert_within(scaled.theta * np.append(units, 1.0), plain.theta, reach, 1e-12)


@pytest.mark.parametrize("units", [(1e8, 1e-8, 1.0), (1e120, 1e-120, 1.0)], ids=str)
@pytest.mark.parametrize("lam", [0.0, 1.0])
def test_huge_and_tiny_columns_together(units, lam):
    X, y = overlapping()
    fit = ist.Logistic(lam=lam, intercept=True).fit(X * np.array(units), y, offset=np.linspace(-1, 1, 60))
    assert relative_gradient(fit.risk, fit.theta) <= 1e-12


# -- rows that are saturated at the start -------------------------------------------------------------


@pytest.mark.parametrize("level", [30.0, 800.0, -800.0, 1e5])
@pytest.mark.parametrize("model", [ist.Logistic(lam=0.0, intercept=True), ist.SmoothedSVC(lam=0.0, t=0.1)])
def test_an_offset_that_saturates_every_row_is_taken_up_by_the_intercept(level, model):
    X, y = overlapping(seed=5)
    X = X + np.random.default_rng(6).normal(size=X.shape)
    y = y if isinstance(model, ist.Logistic) else 2 * y - 1
    plain, shifted = model.fit(X, y), model.fit(X, y, offset=np.full(60, level))
    truth = plain.theta - level * np.array([0.0, 0.0, 0.0, 1.0])
    np.testing.assert_allclose(shifted.theta, truth, rtol=0, atol=CLOSED_FORM * max(1.0, abs(level)))


# -- no minimum, or not one ---------------------------------------------------------------------------


@pytest.mark.parametrize("y", [[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]], ids=["stationary at the start", "not"])
@pytest.mark.parametrize("loss", [ist.SquaredError(), ist.LogisticLoss()], ids=["squared", "logistic"])
def test_equal_columns_without_a_penalty_have_no_single_answer(loss, y):
    X = np.array([[1.0, 1.0, 0.5], [2.0, 2.0, -1.0], [-1.0, -1.0, 3.0], [0.5, 0.5, 1.0]])
    X = np.vstack([X, X])
    targets = np.repeat([0.0, 1.0], 4) if loss == ist.LogisticLoss() else np.resize(y, 8)
    risk = ist.LinearRisk(loss, X, targets, names=["a", "twin", "c"])
    with pytest.raises(SingularHessian, match="coefficients a, twin are collinear and not determined"):
        ist.Fit.minimise(risk)
    assert ist.Fit.minimise(ist.LinearRisk(loss, X, targets, penalty=ist.L2(0.1))).theta.shape == (3,)


def test_rows_of_weight_zero_do_not_make_up_the_rank():
    X, y = np.eye(3), [1.0, 2.0, 3.0]
    assert ist.Ridge(lam=0.0).fit(X, y).theta.round(12).tolist() == y
    with pytest.raises(SingularHessian, match="have rank 2, not 3: x1 can be had from the others"):
        ist.Ridge(lam=0.0).fit(X, y, weights=[1.0, 0.0, 1.0])


def test_more_coefficients_than_rows_need_a_penalty():
    X = np.random.default_rng(0).normal(size=(4, 6))
    with pytest.raises(SingularHessian, match="The unpenalised columns have rank 4, not 6"):
        ist.Ridge(lam=0.0).fit(X, np.ones(4))
    fit = ist.Ridge(lam=0.5).fit(X, np.ones(4))
    np.testing.assert_allclose(fit.theta, X.T @ np.linalg.solve(X @ X.T + 0.5 * np.eye(4), np.ones(4)))


def test_some_free_columns_that_depend_on_each_other():
    X, y = overlapping()
    X = np.column_stack([X, X[:, 0] - X[:, 1]])
    penalty = ist.L2(1.0, unpenalised=[0, 1, 3])
    with pytest.raises(SingularHessian, match="rank 2, not 3.*Drop them, penalise them"):
        ist.Fit.minimise(ist.LinearRisk(ist.LogisticLoss(), X, y, penalty=penalty))


class Bowl:
    """A risk that is not a LinearRisk: R = sum_j (cos(theta_j) or theta_j^2), flat and curved by turns."""

    shape, names = (2, 2), ("angle", "length")
    row_labels, weights, total_weight, protocol = np.arange(2), np.ones(2), 2.0, "fixed"

    def value(self, theta):
        return float(np.cos(theta[0]) + theta[1] ** 2)

    def gradient(self, theta):
        return np.array([-np.sin(theta[0]), 2.0 * theta[1]])

    def gradient_scale(self, theta):
        return np.ones(2)

    def curvature(self, theta):
        class Diagonal(sp.linalg.LinearOperator):
            def __init__(self, diagonal):
                super().__init__(np.float64, (2, 2))
                self._diagonal = diagonal

            def _matvec(self, vector):
                return self._diagonal * vector.ravel()

            def diagonal(self):
                return self._diagonal

            def to_dense(self):
                return np.asfortranarray(np.diag(self._diagonal))

        return Diagonal(np.array([-np.cos(theta[0]), 2.0]))


def test_any_risk_is_minimised_and_its_saddles_are_refused():
    minimum = newton.minimise(Bowl(), start=np.array([2.5, 3.0]))
    np.testing.assert_allclose(minimum.theta, [np.pi, 0.0], atol=CLOSED_FORM)
    with pytest.raises(IndefiniteHessian, match="negative diagonal entry -1 .coefficient angle."):
        newton.minimise(Bowl())  # (0, 0): stationary, a saddle
    with pytest.raises(IndefiniteHessian, match="this is not a minimum"):
        newton.minimise(Bowl(), start=np.array([0.3, 1.0]))


# -- many coefficients: conjugate gradients instead of a factorisation --------------------------------


@pytest.fixture
def factor_nothing(monkeypatch):
    monkeypatch.setattr(descent, "LARGEST_FACTORED", 0)


@pytest.mark.dear
@pytest.mark.usefixtures("factor_nothing")
@pytest.mark.parametrize("case", LOSSES, ids=str)
@pytest.mark.parametrize("intercept", [False, True])
def test_steps_by_conjugate_gradients_end_at_the_same_minimum(case, intercept):
    problem = make_problem(case, 50, 12, 3, scales=(1.0, 100.0), offset=True, intercept=intercept)
    fit = ist.Fit.minimise(problem.risk(X=sp.csr_array(problem.X)))
    assert descent._by_conjugate_gradients(fit.risk)
    assert fit.stationarity <= 1e-12
    truth, plain = problem.plain().minimiser(), problem.plain()
    reach = np.abs(np.linalg.inv(plain.hessian(truth))) @ plain.gradient_size(truth)
    assert_within(fit.theta, truth, reach, 1e-12)


@pytest.mark.usefixtures("factor_nothing")
def test_a_rare_column_of_a_row_that_hardly_counts_does_not_stop_them():
    X = np.random.default_rng(0).normal(size=(60, 12))
    y = (X[:, 0] + 0.3 * X[:, 1] > 0).astype(float)
    X[:, 11], X[0, 11] = 0.0, 1e-3
    X[0, 0], y[0] = 60.0, 1.0  # so sure that its slope is about e^-60
    fit = ist.Fit.minimise(ist.LinearRisk(ist.LogisticLoss(), X, y, penalty=ist.L2(0.5)))
    plain = np.linalg.norm(fit.risk.gradient(fit.theta))
    assert fit.stationarity <= 1e-12
    assert plain <= 1e-14
    assert 0.0 <= fit.theta[11] < 1e-12


@pytest.mark.usefixtures("factor_nothing")
def test_what_has_no_minimum_is_refused_there_too():
    X = np.random.default_rng(0).normal(size=(30, 12))
    with pytest.raises(ist.errors.NoMinimiser, match="involves intercept"):
        ist.Fit.minimise(
            ist.LinearRisk(ist.LogisticLoss(), X, np.ones(30), penalty=ist.L2(1.0), intercept=True)
        )
    concave = ist.LinearRisk(Wave(), X, np.full(30, np.pi), penalty=ist.L2(0.1))
    with pytest.raises((IndefiniteHessian, NotConverged)):
        ist.Fit.minimise(concave)


class Wave(ist.SquaredError):
    """1 - cos(eta - y)."""

    self_concordance = np.inf

    def value(self, y, eta):
        return 1.0 - np.cos(eta - y)

    def first(self, y, eta):
        return np.sin(eta - y)

    def second(self, y, eta):
        return np.cos(eta - y)


# -- minima at which a coefficient and all terms of its gradient vanish together ------------------------


def test_a_column_that_no_weighted_row_has_goes_to_zero():
    # A dummy with one member, refitted without that member: only the penalty is left of its gradient.
    X = np.column_stack([np.eye(6)[:, 0], np.linspace(-1.0, 1.0, 6)])
    for loss, y in ((ist.LogisticLoss(), [1, 0, 1, 0, 1, 0]), (ist.SquaredError(), [3.0, 1, 2, 0, 1, 1])):
        risk = ist.LinearRisk(loss, X, y, penalty=ist.L2(1.0))
        fit = ist.Fit.minimise(risk)
        assert abs(fit.theta[0]) > 0.1
        part = risk.reweighted([0.0, 1, 1, 1, 1, 1])
        again = newton.minimise(part, start=fit.theta)
        assert again.theta[0] == 0.0
        assert ist.Fit(part, again.theta).stationarity <= 1e-12


def test_targets_of_zero_give_coefficients_of_zero_from_anywhere():
    risk = ist.LinearRisk(ist.SquaredError(), np.vander(np.arange(1.0, 6.0), 3), np.zeros(5))
    theta = newton.minimise(risk, start=[0.3, -0.2, 0.1]).theta
    np.testing.assert_allclose(theta, 0.0, atol=CLOSED_FORM)


@pytest.mark.parametrize("penalty", [None, ist.L2(1e-3), ist.L2(60.0)])
def test_a_start_at_a_saddle_is_said_to_be_that(penalty):
    X = np.column_stack([np.ones(60), np.linspace(-1.0, 1.0, 60)])
    y = 2.0 * np.tanh(X @ [1.0, 0.5])
    more = {} if penalty is None else {"penalty": penalty}
    risk = ist.BlackBoxRisk(lambda theta: (y - theta[2] * np.tanh(X @ theta[:2])) ** 2, 3, **more)
    with pytest.raises(
        (SingularHessian, IndefiniteHessian), match="gradient is 0 where the search starts.*start="
    ):
        ist.Fit.minimise(risk)
    if penalty != ist.L2(60.0):  # which has no other minimum than 0 nearby
        assert ist.Fit.minimise(risk, start=[0.1, 0.1, 0.1]).theta[2] != 0
