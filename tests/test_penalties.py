"""Penalties: each one's derivatives, its declarations, and sums of them."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import influstat as ist
from influstat.algebra.symmetric import Diagonal
from influstat.errors import InvalidArgument, InvalidType
from tests.budget import examples
from tests.reference import assert_within, derivative
from tests.tolerance import CLOSED_FORM, printed

NAMES = ("a", "b", "c")
SMOOTHING = [[2.0, -1.0, 0.0], [-1.0, 2.0, -1.0], [0.0, -1.0, 2.0]]
FLAT = [[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]  # first differences of a and b alone

PENALTIES = {
    "L2": ist.L2(3.0),
    "L2 without b": ist.L2(3.0, unpenalised=["b"]),
    "smoothed L1": ist.SmoothedL1(2.0, t=0.5),
    "several strengths": ist.Quadratic([1.0, 0.0, 4.0]),
    "smoothing": ist.Quadratic(SMOOTHING),
    "differences": ist.Quadratic(FLAT),
    "linear": ist.Linear([1.0, -2.0, 0.0]),
    "prior mean": ist.L2(3.0) + ist.Toward([1.0, 2.0, -1.0]),
    "prior mean of an elastic net": ist.Toward([1.0, 2.0, -1.0], ist.L2(1.0) + ist.SmoothedL1(2.0, t=0.5)),
    "elastic net": ist.L2(1.0) + ist.SmoothedL1(2.0, t=0.5),
    "three": ist.Quadratic(FLAT) + ist.Linear([0.5, 0.0, 1.0]) + ist.L2(0.1),
}
WHERE = st.lists(st.floats(-3.0, 3.0), min_size=3, max_size=3).map(np.array)
every_penalty = pytest.mark.parametrize("name", PENALTIES)
few = examples(20)


def placed(name):
    return PENALTIES[name].placed(NAMES, intercept=False)


@every_penalty
@few
@given(theta=WHERE)
def test_gradient_and_hessian_are_derivatives(name, theta):
    penalty = placed(name)
    H = penalty.hessian(theta).dense()
    for j, unit in enumerate(np.eye(3)):
        slope = derivative(lambda r, u=unit: penalty.value(theta + r * u), 1e-3)
        np.testing.assert_allclose(penalty.gradient(theta)[j], slope, rtol=1e-8, atol=1e-9)  # 5-point, h^4
        for k in range(3):
            bend = derivative(lambda r, u=unit, k=k: penalty.gradient(theta + r * u)[k], 1e-3)
            np.testing.assert_allclose(H[k, j], bend, rtol=1e-8, atol=1e-9)


@every_penalty
@few
@given(theta=WHERE, v=WHERE)
def test_the_third_derivative_is_that_of_the_hessian(name, theta, v):
    penalty = placed(name)
    along = penalty.third(theta, v[:, None])[:, 0]
    for k in range(3):
        truth = derivative(lambda r, k=k: (penalty.hessian(theta + r * v).dense() @ v)[k], 1e-4)
        np.testing.assert_allclose(along[k], truth, rtol=1e-6, atol=1e-6)
    if penalty.constant_hessian:
        assert not along.any()


@every_penalty
@few
@given(theta=WHERE, other=WHERE, factor=st.floats(0.0, 5.0))
@example(theta=np.full(3, 1e-160), other=np.ones(3), factor=3e-323)
@example(theta=np.array([0.99609375, 0.99512284, 0.0]), other=np.zeros(3), factor=1.5)
def test_columns_and_factors(name, theta, other, factor):
    penalty, both = placed(name), np.column_stack([theta, other])
    scaled, size = penalty.scaled(factor), penalty.gradient_scale(theta)
    values = [penalty.value(theta), penalty.value(other)]
    sizes = [np.abs(theta) @ size, np.abs(other) @ penalty.gradient_scale(other)]
    bend = factor * penalty.hessian(theta).dense()
    for found, expected, terms in [
        (penalty.value(both), values, np.maximum(sizes, values)),
        (penalty.gradient(both)[:, 1], penalty.gradient(other), penalty.gradient_scale(other)),
        (scaled.value(theta), factor * values[0], factor * max(sizes[0], values[0])),
        (scaled.hessian(theta).dense(), bend, np.abs(bend)),
    ]:
        assert_within(found, expected, terms)
    assert (size >= np.abs(penalty.gradient(theta)) * (1.0 - 1e-15)).all()


@every_penalty
@few
@given(theta=WHERE, direction=WHERE)
def test_flat_directions_cost_nothing_and_axes_cost_in_the_end(name, theta, direction):
    penalty = placed(name)
    flat, axes = penalty.flat(3), penalty.axes(3)
    np.testing.assert_allclose(flat.T @ flat, np.eye(flat.shape[1]), atol=1e-14)
    moved = theta + flat @ (flat.T @ direction)
    assert penalty.value(moved) == pytest.approx(penalty.value(theta), rel=CLOSED_FORM, abs=CLOSED_FORM)
    assert not flat[axes].any()
    for j in np.flatnonzero(axes):
        assert penalty.value(theta + 1e3 * np.eye(3)[j]) > penalty.value(theta)


FLAT_DIMENSIONS = {"L2": 0, "L2 without b": 1, "several strengths": 1, "smoothing": 0, "differences": 2}


@pytest.mark.parametrize("name", FLAT_DIMENSIONS)
def test_how_many_directions_are_free(name):
    assert placed(name).flat(3).shape == (3, FLAT_DIMENSIONS[name])


@every_penalty
@few
@given(theta=WHERE, v=WHERE, u=WHERE)
def test_the_declared_constant_bounds_the_third_derivative(name, theta, v, u):
    penalty = placed(name)
    forward, back = (penalty.hessian(theta + r * v).dense() for r in (1e-5, -1e-5))
    third = abs(u @ (forward - back) @ u) / 2e-5
    bound = penalty.self_concordance * np.max(np.abs(v)) * (u @ penalty.hessian(theta).dense() @ u)
    assert third <= bound * (1.0 + 1e-6) + 1e-8  # differences of step 1e-5 are right to about 1e-9


# -- an intercept of the model's own ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "penalty",
    [
        ist.L2(2.0),
        ist.SmoothedL1(2.0),
        ist.Quadratic([1.0, 2.0]),
        ist.Quadratic(np.eye(2)),
        ist.Linear([1.0, 2.0]),
    ],
    ids=lambda penalty: type(penalty).__name__,
)
def test_an_appended_intercept_is_left_alone(penalty):
    full = penalty.placed(("a", "b", "intercept"), intercept=True)
    assert full.gradient(np.ones(3))[2] == 0.0
    assert not full.hessian(np.ones(3)).dense()[2].any()


def test_a_vector_with_an_entry_for_the_intercept_penalises_it():
    full = ist.Quadratic([1.0, 2.0, 5.0]).placed(("a", "b", "intercept"), intercept=True)
    assert full.hessian(np.zeros(3)).diagonal().tolist() == [1.0, 2.0, 5.0]


# -- what a prior mean does --------------------------------------------------------------------------------


def prior_problem():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 2))
    return X, X @ [1.0, 2.0] + rng.normal(size=20)


@pytest.mark.parametrize(
    "penalty",
    [
        ist.L2(30.0) + ist.Toward([1.0, 2.0]),
        ist.Toward([1.0, 2.0], 30.0),
        ist.Toward([1.0, 2.0]) + ist.L2(30.0),
    ],
    ids=["L2 + Toward", "Toward with a strength", "Toward + L2"],
)
def test_a_row_leaves_a_fit_with_a_prior_mean(penalty):
    X, y = prior_problem()
    fit = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, y, penalty=penalty))
    loo = fit.leave_one_out()
    for row in range(20):
        k = np.arange(20) != row
        S = 2.0 * X[k].T @ X[k] + 30.0 * np.eye(2)
        truth = np.linalg.solve(S, 2.0 * X[k].T @ y[k] + 30.0 * np.array([1.0, 2.0]))
        np.testing.assert_allclose(loo.theta[row], truth, rtol=0, atol=1e-14)
    np.testing.assert_allclose(loo.theta[0], [0.862, 1.984], atol=printed(3))  # by ridge around the mean
    assert (loo.theta_bound() < 1e-12).all()


def test_a_toward_that_moves_nothing_is_refused():
    with pytest.raises(InvalidArgument, match=r"Write ist\.L2\(strength\) \+ ist\.Toward\(mean\)"):
        ist.LinearRisk(ist.SquaredError(), [[1.0], [1.0]], [1.0, 3.0], penalty=ist.Toward([1.0]))


# -- refusals --------------------------------------------------------------------------------------------


class Unfinished(ist.Penalty):
    """A penalty of a user's own, sum theta^4, that does not say how its Hessian changes."""

    def value(self, theta):
        """Return sum theta^4."""
        return np.sum(theta**4, axis=0)

    def gradient(self, theta):
        """Return 4 theta^3."""
        return 4.0 * theta**3

    def hessian(self, theta):
        """Return 12 theta^2."""
        return Diagonal(12.0 * theta**2)

    def scaled(self, factor):
        """Return factor times it; the protocol "fixed" never asks."""
        raise AssertionError(factor)


def test_a_penalty_of_ones_own_has_exact_removals_and_says_what_it_lacks():
    X, y = prior_problem()
    fit = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, y, penalty=Unfinished()), start=[1.0, 1.0])
    loo = fit.leave_one_out(rows=[3])
    k = np.arange(20) != 3
    again = ist.LinearRisk(ist.SquaredError(), X[k], y[k], penalty=Unfinished())
    np.testing.assert_allclose(loo.theta[0], ist.Fit.minimise(again, start=fit.theta).theta, rtol=CLOSED_FORM)
    assert "has no finite self_concordance" in loo.certificate.status[0]
    with pytest.raises(ist.errors.Unsupported, match="Define third"):
        fit.leave_one_out(method="second_order")


REFUSED = [
    (lambda: ist.Quadratic([[1.0, 2.0], [0.0, 1.0]]), InvalidArgument, "S must be symmetric"),
    (lambda: ist.Quadratic([[1.0, 2.0], [2.0, 1.0]]), InvalidArgument, "positive semidefinite"),
    (lambda: ist.Quadratic([-1.0]), InvalidArgument, "positive semidefinite"),
    (lambda: ist.Quadratic(np.ones((2, 3))), InvalidArgument, "square matrix or a vector"),
    (lambda: ist.Quadratic([np.nan]), InvalidArgument, "S must be finite"),
    (lambda: ist.Linear([[1.0]]), InvalidArgument, "slope must be one-dimensional"),
    (lambda: ist.Toward([1.0], "L2"), InvalidType, "penalty must be a penalty"),
    (lambda: ist.L2(1.0) + 1.0, InvalidType, "penalty must be a penalty"),
    (
        lambda: ist.Quadratic([1.0]).placed(NAMES, intercept=False),
        InvalidArgument,
        r"one entry per coefficient \(3\)",
    ),
    (lambda: ist.L2(1.0, ["b"]).value(np.ones(3)), InvalidArgument, "hold positions where the names"),
    (
        lambda: ist.LinearRisk(ist.SquaredError(), np.eye(2), [1.0, 2.0], penalty=2.0),
        InvalidType,
        "penalty must be a penalty, but it is 2.0",
    ),
]


@pytest.mark.parametrize(("call", "error", "sentence"), REFUSED)
def test_what_is_no_penalty_is_refused(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()


def test_a_linear_risk_cannot_be_subclassed():
    with pytest.raises(TypeError, match=r"LinearRisk must be composed, not subclassed.*ist\.Toward"):
        type("Mine", (ist.LinearRisk,), {})


def test_what_a_full_matrix_leaves_free_does_not_depend_on_the_units_of_columns():
    scales = 10.0 ** np.array([-6.0, 6.0, -5.0, 0.0, 3.0, 5.0])
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 6)), 1.0 * rng.poisson(1.0, 40)
    X[:, 2] = 0.0  # held by the penalty alone
    S = np.eye(6) + 0.5
    assert ist.Quadratic(S * np.outer(scales, scales)).flat(6).shape == (6, 0)
    own, other = (
        ist.Fit.minimise(
            ist.LinearRisk(ist.PoissonLoss(), X * u, y, penalty=ist.Quadratic(S * np.outer(u, u)))
        )
        for u in (np.ones(6), scales)
    )
    np.testing.assert_allclose(other.theta * scales, own.theta, rtol=1e-8, atol=1e-12)
    differences = np.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    u = scales[:3]
    free = ist.Quadratic(differences * np.outer(u, u)).flat(3)
    assert free.shape == (3, 2)
    # A direction (1, 1e-12, 0) of length 1 has its second entry to epsilon / 1e-12.
    assert np.abs(differences @ (free * u[:, None])).max() <= 1e-3 * np.abs(free * u[:, None]).max()
