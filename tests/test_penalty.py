"""L2: which coefficients it leaves alone, and what it refuses."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import influstat as ist
from influstat.errors import InvalidArgument, InvalidType

NAMES = ("age", "dose", "intercept")

DIAGONALS = [
    ((), [2.0, 2.0, 2.0]),
    ([0], [0.0, 2.0, 2.0]),
    ([-1], [2.0, 2.0, 0.0]),
    (["dose"], [2.0, 0.0, 2.0]),
    (("intercept", 0), [0.0, 2.0, 0.0]),
    ([1, -2, "dose"], [2.0, 0.0, 2.0]),
    (np.array([2, 0]), [0.0, 2.0, 0.0]),
    ([np.int8(-3)], [0.0, 2.0, 2.0]),
    (np.array(["age"]), [0.0, 2.0, 2.0]),
    (range(3), [0.0, 0.0, 0.0]),
]


@pytest.mark.parametrize(("unpenalised", "diagonal"), DIAGONALS, ids=str)
def test_the_diagonal_is_zero_where_unpenalised(unpenalised, diagonal):
    found = ist.L2(2.0, unpenalised=unpenalised).diagonal(NAMES)
    assert found.dtype == np.float64
    assert found.tolist() == diagonal


@given(st.integers(1, 9), st.floats(0.0, 1e300), st.data())
def test_names_and_positions_from_either_end_mean_the_same(p, strength, data):
    names = tuple(f"x{j}" for j in range(p))
    chosen = data.draw(st.sets(st.integers(0, p - 1)))
    expected = [0.0 if j in chosen else strength for j in range(p)]
    for unpenalised in ([names[j] for j in chosen], sorted(chosen), [j - p for j in chosen]):
        assert ist.L2(strength, unpenalised=unpenalised).diagonal(names).tolist() == expected


def test_the_default_is_no_penalty():
    assert ist.L2() == ist.L2(0.0, ())
    assert ist.L2().diagonal(NAMES).tolist() == [0.0, 0.0, 0.0]


def test_it_is_a_frozen_value():
    penalty = ist.L2(1, unpenalised=[0, "dose"])
    assert penalty == ist.L2(1.0, unpenalised=(0, "dose"))
    assert hash(penalty) == hash(ist.L2(1.0, unpenalised=(0, "dose")))
    assert isinstance(penalty.strength, float)
    with pytest.raises(FrozenInstanceError):
        penalty.strength = 2.0


REFUSED = [
    ({"strength": -1.0}, InvalidArgument, r"strength must be at least 0, but it is -1\. "),
    ({"strength": -1e-300}, InvalidArgument, "strength must be at least 0, but it is -1e-300"),
    ({"strength": np.nan}, InvalidArgument, "strength must be finite, but it is nan"),
    ({"strength": np.inf}, InvalidArgument, "strength must be finite, but it is inf"),
    ({"strength": "1"}, InvalidType, "strength must be a real number, but it is a str"),
    ({"strength": 1j}, InvalidType, "strength must be a real number, but it is a complex"),
    ({"strength": None}, InvalidType, "strength must be a real number, but it is a NoneType"),
    ({"strength": True}, InvalidType, "strength must be a real number, but it is a bool"),
    ({"unpenalised": "age"}, InvalidType, "unpenalised must be a sequence.* but it is 'age'. Pass a list"),
    ({"unpenalised": 0}, InvalidType, "unpenalised must be a sequence of positions or names, but it is 0"),
    ({"unpenalised": None}, InvalidType, "unpenalised must be a sequence.*, but it is None"),
]


@pytest.mark.parametrize(("settings", "error", "sentence"), REFUSED, ids=str)
def test_settings_out_of_range_are_refused(settings, error, sentence):
    with pytest.raises(error, match=f"^{sentence}"):
        ist.L2(**settings)


@pytest.mark.parametrize("wrong", [3, -4, "Age", 1.0, True, None, ("age",)], ids=repr)
def test_coefficients_that_do_not_exist_are_refused(wrong):
    sentence = (
        r"unpenalised must name coefficients of the model \(age, dose, intercept\) or give their positions"
    )
    with pytest.raises(InvalidArgument, match=sentence):
        ist.L2(1.0, unpenalised=[wrong]).diagonal(NAMES)


def test_many_names_are_cut_short():
    with pytest.raises(InvalidArgument, match=r"\(x0, x1, x2, x3, x4, x5, \.\.\.\)"):
        ist.L2(1.0, unpenalised=["y"]).diagonal(tuple(f"x{j}" for j in range(7)))


def test_a_name_that_several_coefficients_have_is_ambiguous():
    twice = ("age", "dose", "age")
    with pytest.raises(InvalidArgument, match="name one coefficient each, but it holds 'age', the name of 2"):
        ist.L2(1.0, unpenalised=["age"]).diagonal(twice)
    assert ist.L2(1.0, unpenalised=["dose", 2]).diagonal(twice).tolist() == [1.0, 0.0, 0.0]
