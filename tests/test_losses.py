"""Every loss against its definition in 480 digits, and what the rest of the library relies on."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import influstat as ist
from influstat.errors import InvalidArgument, InvalidType, Unsupported
from tests import reference
from tests.budget import examples, some, spread
from tests.cases import LOSSES, TARGETS, LossCase

WIDTHS = [1e-6, 1e-5, 0.01, 0.1, 1.0, 10.0]
HINGES = [
    LossCase(f"smoothed hinge {t:g}", ist.SmoothedHinge(t), reference.smoothed_hinge(t), "-1/+1", 1.0 / t)
    for t in WIDTHS
]
ALL = [case for case in LOSSES if not isinstance(case.loss, ist.SmoothedHinge)] + HINGES
each_loss = pytest.mark.parametrize("case", ALL, ids=str)
each_listed_loss = pytest.mark.parametrize("case", LOSSES, ids=str)

Y = {"real": (-2.5, 0.0, 1000.0), "0/1": (0.0, 1.0), "-1/+1": (-1.0, 1.0)}
# Scaled margins at which e^u is 1, near 1, tiny, the smallest normal float, below that, and nothing at all.
BENDS = [0.0, 1e-9, 0.3, 5.0, 36.0, 40.0, 350.0, 700.0, 708.0, 709.5, 712.0, 720.0, 735.0, 745.0, 760.0]


def etas(case, y):
    """Return values of eta in [-1e3, 1e3]: round ones, and those where this loss bends."""
    width = case.plain.width
    centre = y if case.targets == "-1/+1" and width != 1.0 else 0.0
    bends = [centre + sign * width * u for u in BENDS for sign in (1.0, -1.0)]
    spread = [sign * eta for eta in (1e-8, 0.5, 1.0, 3.7, 30.0, 1000.0) for sign in (1.0, -1.0)]
    return np.array([eta for eta in bends + spread if abs(eta) <= 1e3])


def all_four(loss, y, eta):
    return [getattr(loss, name)(y, eta) for name in ("value", "first", "second", "third")]


def assert_accurate(case, y, eta):
    """Assert 1e-12 relative accuracy, or closeness to 0 where the truth is below all normal floats."""
    truth = np.array([case.plain.exact(float(y), float(x)) for x in eta]).T
    for found, exact in zip(all_four(case.loss, y, eta), truth, strict=True):
        size = np.abs(exact)
        reference.assert_within(
            found, exact, np.where(size >= reference.TINY, 1e-12 * size, reference.TINY), 1.0
        )


@pytest.mark.dear
@each_loss
def test_values_and_derivatives_to_twelve_digits(case):
    for y in some(Y[case.targets]):
        assert_accurate(case, y, spread(etas(case, y)))


@examples(60)
@given(
    st.sampled_from(ALL), st.integers(0, 2), st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=4), st.data()
)
def test_values_and_derivatives_to_twelve_digits_anywhere(case, which, eta, data):
    if isinstance(case.loss, ist.SmoothedHinge):
        t = 10.0 ** data.draw(st.floats(-6.0, 1.0))
        case = LossCase("", ist.SmoothedHinge(t), reference.smoothed_hinge(t), "-1/+1", 1.0 / t)
    ys = Y[case.targets]
    assert_accurate(case, ys[which % len(ys)], np.array(eta))


@pytest.mark.dear
@each_listed_loss
def test_the_plain_loss_is_the_same_table(case):
    # reference.py writes l1 and l2 out once more, for the risk: they too must follow from the definition.
    for y in Y[case.targets]:
        for eta in (-20.0, -1.3, 0.0, 0.4, 1.0, 7.0):
            truth = case.plain.exact(y, eta)
            plain = [f(y, eta) for f in (case.plain.value, case.plain.first, case.plain.second)]
            np.testing.assert_allclose(plain, truth[:3], rtol=1e-12, atol=1e-15)


@each_loss
def test_everything_is_finite(case):
    eta = np.concatenate([np.linspace(-1e3, 1e3, 4001), np.geomspace(1e-300, 1e3, 500)])
    for y in Y[case.targets]:
        for result in all_four(case.loss, y, eta) + all_four(case.loss, y, -eta):
            assert np.isfinite(result).all()


@each_loss
def test_complex_step_where_the_loss_is_a_polynomial(case):
    # softplus knows no complex numbers; the 480 digits above serve for those losses.
    if case.c:
        with pytest.raises(TypeError):
            case.loss.value(1.0, np.array([1.0 + 1e-30j]))
        return
    eta = np.linspace(-5.0, 5.0, 11)
    step = 1e-30
    for derivative, function in [(case.loss.first, case.loss.value), (case.loss.second, case.loss.first)]:
        np.testing.assert_allclose(
            derivative(2.0, eta), function(2.0, eta + 1j * step).imag / step, rtol=1e-15
        )


@each_loss
def test_self_concordance_is_the_smallest_bound(case):
    width = case.plain.width
    eta = np.concatenate([y + width * np.linspace(-40.0, 40.0, 2001) for y in (-1.0, 0.0, 1.0)])
    assert case.loss.self_concordance == case.c
    largest = 0.0
    for y in Y[case.targets]:
        second, third = case.loss.second(y, eta), np.abs(case.loss.third(y, eta))
        reference.assert_within(np.maximum(third, case.c * second), case.c * second, case.c * second)
        normal = second > reference.TINY
        largest = max(largest, np.max(third[normal] / second[normal]))
    assert largest >= case.c * (1.0 - 1e-12)


def test_both_codings_of_the_logistic_loss_are_the_same():
    eta = np.concatenate([np.linspace(-1e3, 1e3, 777), np.linspace(-1.0, 1.0, 50)])
    for y in (0.0, 1.0):
        zero_one = all_four(ist.LogisticLoss(), y, eta)
        signed = all_four(ist.SignedLogisticLoss(), 2.0 * y - 1.0, eta)
        for one, other in zip(zero_one, signed, strict=True):
            assert np.array_equal(one, other)


@pytest.mark.parametrize("t", [1e-6, 0.01, 1.0])
def test_the_smoothed_hinge_exceeds_the_hinge_by_at_most_t_log_2(t):
    eta = np.concatenate([np.linspace(-3.0, 3.0, 601), 1.0 + t * np.linspace(-50.0, 50.0, 101)])
    for y in (-1.0, 1.0):
        excess = ist.SmoothedHinge(t).value(y, eta) - np.maximum(0.0, 1.0 - y * eta)
        assert np.all(excess >= -1e-15)
        assert np.all(excess <= t * np.log(2.0) * (1.0 + 1e-12) + 1e-15)
    assert ist.SmoothedHinge(t).value(1.0, 1.0) == t * np.log(2.0)


# -- shapes and the mean ----------------------------------------------------------------------------------


@each_listed_loss
def test_results_have_the_shape_of_eta(case):
    y = TARGETS[case.targets](np.random.default_rng(0), 4)
    eta = np.random.default_rng(1).normal(size=(4, 3))
    for name in ("value", "first", "second", "third"):
        function = getattr(case.loss, name)
        whole = function(y[:, None], eta)
        assert whole.shape == (4, 3)
        assert function(y, eta[:, 1]).tolist() == whole[:, 1].tolist()
        assert np.shape(function(y[0], eta[0, 0])) == ()
        assert function(y[:0], eta[:0, 0]).shape == (0,)


@each_listed_loss
def test_the_mean_sets_the_expected_slope_to_zero(case):
    eta = np.linspace(-30.0, 30.0, 41)
    if isinstance(case.loss, ist.SmoothedHinge):
        for function in (case.loss.mean, case.loss.mean_derivative):
            with pytest.raises(Unsupported, match='kind must be "linear" for the smoothed hinge'):
                function(eta)
        return
    mean = case.loss.mean(eta)
    if case.targets == "real":
        slope = case.loss.first(mean, eta)
    else:
        low, high = Y[case.targets]
        slope = (1.0 - mean) * case.loss.first(low, eta) + mean * case.loss.first(high, eta)
    np.testing.assert_allclose(slope, 0.0, atol=1e-15)
    difference = reference.derivative(lambda r: case.loss.mean(eta + r), 1e-3)
    np.testing.assert_allclose(case.loss.mean_derivative(eta), difference, rtol=1e-10, atol=1e-12)


# -- targets and settings ---------------------------------------------------------------------------------

GOOD_TARGETS = [
    *((case, TARGETS[case.targets](np.random.default_rng(0), 5)) for case in LOSSES),
    *((case, [*Y[case.targets], Y[case.targets][0]]) for case in LOSSES),
    *((case, np.array(Y[case.targets][-1:] * 3, dtype=np.int16)) for case in LOSSES),
    (LOSSES[1], np.array([True, False])),
    (LOSSES[2], np.array([1, -1], dtype=np.float32)),
]
NUMBERS = "y must hold real numbers, but it has dtype"
BAD_TARGETS = [
    *((case, ["a", "b"], InvalidType, rf"{NUMBERS} <U1 \(text\)") for case in LOSSES),
    *(
        (case, [[1.0], [1.0]], InvalidArgument, r"y must be one-dimensional.* shape \(2, 1\)")
        for case in LOSSES
    ),
    *(
        (case, [1.0, np.nan], InvalidArgument, "y must be finite, but it holds nan at row 1")
        for case in LOSSES
    ),
    *((case, [1.0, -np.inf], InvalidArgument, "y must be finite, but it holds -inf") for case in LOSSES),
    *((case, [1.0, 2j], InvalidType, rf"{NUMBERS} complex128 \(complex\)") for case in LOSSES),
    *((case, [1.0, {}], InvalidType, rf"{NUMBERS} object \(object\)") for case in LOSSES),
    *((case, [1.0, None], InvalidArgument, "y must be finite, but it holds nan at row 1") for case in LOSSES),
    (
        LOSSES[1],
        [0, -1],
        InvalidArgument,
        r"labels 0 and 1, but it holds -1\. .*Logistic\(labels=\(-1, 1\)\)",
    ),
    (LOSSES[1], [0, 1, 2], InvalidArgument, "y must hold only the labels 0 and 1, but it holds 2"),
    (LOSSES[2], [0, 1], InvalidArgument, r"labels -1 and 1, but it holds 0\. .*Logistic\(labels=\(0, 1\)\)"),
    (LOSSES[3], [1, 0], InvalidArgument, r"labels -1 and 1, but it holds 0\. .*2 \* y - 1 from 0/1"),
]


@pytest.mark.parametrize(("case", "y"), GOOD_TARGETS, ids=str)
def test_targets_come_back_as_float64(case, y):
    checked = case.loss.check_targets(y)
    assert checked.dtype == np.float64
    assert checked.tolist() == np.asarray(y, dtype=float).tolist()
    assert not np.shares_memory(checked, np.asarray(y))


@pytest.mark.parametrize(("case", "y", "error", "sentence"), BAD_TARGETS, ids=str)
def test_targets_that_the_loss_has_no_meaning_for_are_refused(case, y, error, sentence):
    with pytest.raises(error, match=sentence):
        case.loss.check_targets(y)


@pytest.mark.parametrize(
    ("t", "error", "sentence"),
    [
        (0.0, InvalidArgument, "t must be greater than 0, but it is 0"),
        (-0.1, InvalidArgument, "t must be greater than 0, but it is -0.1"),
        (np.nan, InvalidArgument, "t must be finite, but it is nan"),
        (np.inf, InvalidArgument, "t must be finite, but it is inf"),
        ("1", InvalidType, "t must be a real number, but it is a str"),
        (None, InvalidType, "t must be a real number, but it is a NoneType"),
    ],
)
def test_a_width_that_is_not_positive_is_refused(t, error, sentence):
    with pytest.raises(error, match=sentence):
        ist.SmoothedHinge(t)


@each_listed_loss
def test_losses_are_frozen_values(case):
    again = type(case.loss)(**vars(case.loss))
    assert again == case.loss
    assert hash(again) == hash(case.loss)
    with pytest.raises(FrozenInstanceError):
        case.loss.t = 2.0
