"""Gradients by differences: exact where theory says so, scale-free, and doubtful at kinks and jumps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from influstat.errors import DoubtfulResult, InvalidArgument
from influstat.numerics.differences import STEP, differenced
from tests.budget import examples

THETA = np.array([0.7, -0.2, 3.0])
SMOOTH = {
    "cubic": (lambda t: t[0] ** 3 * t[2] - t[1] ** 2, lambda t: [3 * t[0] ** 2 * t[2], -2 * t[1], t[0] ** 3]),
    "ratio": (lambda t: t[0] / t[1], lambda t: [1 / t[1], -t[0] / t[1] ** 2, 0.0]),
    "wave": (
        lambda t: np.sin(t[0] + 2 * t[2]),
        lambda t: np.cos(t[0] + 2 * t[2]) * np.array([1.0, 0.0, 2.0]),
    ),
    "constant": (lambda t: 5, lambda t: [0.0, 0.0, 0.0]),
    "flat at theta": (lambda t: (t - THETA) @ (t - THETA), lambda t: [0.0, 0.0, 0.0]),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_functions_to_ten_digits(name):
    function, gradient = SMOOTH[name]
    found = differenced(function, THETA, np.full(3, 0.1))
    np.testing.assert_allclose(found, gradient(THETA), rtol=1e-10, atol=1e-10)


@examples(50)
@given(st.lists(st.integers(-300, 300), min_size=3, max_size=3), st.sampled_from(list(SMOOTH)))
def test_other_units_give_the_same_gradient_in_other_units(powers, name):
    function, _ = SMOOTH[name]
    units = np.exp2(powers)
    plain = differenced(function, THETA, np.full(3, 0.1))
    scaled = differenced(lambda t: function(t / units), THETA * units, 0.1 * units)
    np.testing.assert_allclose(scaled * units, plain, rtol=1e-9, atol=1e-12)


def test_vectors_give_one_column_per_entry():
    matrix = np.arange(6.0).reshape(2, 3)
    found = differenced(lambda t: matrix @ t, THETA, np.ones(3))
    assert found.shape == (3, 2)
    np.testing.assert_allclose(found, matrix.T, atol=1e-11)
    assert differenced(lambda t: [t[0]], THETA, np.ones(3)).shape == (3, 1)


def test_a_coefficient_far_larger_than_its_scale_still_moves():
    found = differenced(lambda t: t[0] - 1e9, np.array([1e9]), np.array([1e-9]))
    np.testing.assert_allclose(found, [1.0], rtol=1e-9)


def test_the_caller_cannot_spoil_theta():
    def careless(t):
        t *= 2.0
        return t[0] + t[1] + t[2]

    theta = THETA.copy()
    np.testing.assert_allclose(differenced(careless, theta, np.ones(3)), [2.0, 2.0, 2.0], rtol=1e-10)
    assert theta.tolist() == THETA.tolist()


DOUBTFUL = {
    "kink at theta": (lambda t: abs(t[1] - THETA[1]), 1),
    "kink beside theta": (lambda t: abs(t[1] - THETA[1] - 1.5 * STEP), 1),
    "kink on a slope": (lambda t: 3.0 * t[2] + max(t[2], THETA[2]), 2),
    "jump at theta": (lambda t: float(t[0] > THETA[0]), 0),
    "jump beside theta": (lambda t: float(t[0] > THETA[0] + 1.5 * STEP), 0),
    "six digits": (lambda t: round(np.sin(t[0]), 6), 0),
}


@pytest.mark.parametrize("name", DOUBTFUL)
def test_a_function_without_a_smooth_gradient_is_doubtful(name):
    function, coefficient = DOUBTFUL[name]
    with pytest.warns(DoubtfulResult, match=rf"for coefficients \[{coefficient}\]: .*Pass its gradient"):
        differenced(function, THETA, np.ones(3))


def test_another_shape_elsewhere_is_refused():
    with pytest.raises(InvalidArgument, match=r"^gradient must return arrays of one shape .*\(0,\), \(1,\)"):
        differenced(lambda t: t[t > THETA], THETA, np.ones(3))
