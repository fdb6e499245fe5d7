"""A loss of one's own is looked at on entry: whole numbers, and derivatives of another function."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import influstat as ist
from influstat.errors import InvalidArgument, InvalidType
from influstat.losses.alone import disagreeing
from influstat.losses.glm import GLMLoss
from influstat.losses.glm_families import Poisson
from influstat.losses.glm_links import PowerLink
from tests.cases import LOSSES, MORE_LOSSES

N = 30
RNG = np.random.default_rng(0)
X, NOISE = RNG.normal(size=(N, 2)), RNG.normal(size=N)


class Mutant:
    """A loss of the package with one method changed."""

    def __init__(self, loss, method, change):
        self._loss, self._method, self._change = loss, method, change

    def __getattr__(self, name):
        found = getattr(self._loss, name)
        if name != self._method:
            return found
        return lambda y, eta: self._change(found(y, eta))


def targets(kind, spread, seed):
    """Return targets that the loss has a meaning for."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    drawn = {
        "real": lambda: spread * (rng.normal(size=n) + rng.choice([0.0, 100.0])),
        "0/1": lambda: rng.integers(0, 2, n).astype(float),
        "-1/+1": lambda: rng.choice([-1.0, 1.0], n),
        "counts": lambda: rng.poisson(min(spread, 1e9), n).astype(float),
    }
    return drawn[kind]()


@given(
    case=st.sampled_from(LOSSES + MORE_LOSSES),
    digits=st.integers(-8, 8),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_right_loss_is_refused(case, digits, seed):
    assert disagreeing(case.loss, targets(case.targets, 10.0**digits, seed)) is None


# All targets alike: their standard deviation is 0, or what rounding leaves of the mean of 0.1 thirty times.
ALIKE = {
    "real": [0.0, 0.1, 1.0 / 3.0, -0.3, 1e10, 1e17, 1e-300, 1e200],
    "0/1": [0.0, 1.0],
    "-1/+1": [-1.0, 1.0],
    "counts": [0.0, 1.0, 1e10, 1e17],
}


@pytest.mark.parametrize("n", [1, 7, 30])
@pytest.mark.parametrize("case", LOSSES + MORE_LOSSES, ids=str)
def test_no_right_loss_is_refused_where_targets_are_all_alike(case, n):
    for value in ALIKE[case.targets]:
        assert disagreeing(case.loss, np.full(n, value)) is None


def test_no_right_loss_is_refused_whose_value_is_a_small_difference():
    loss = GLMLoss(Poisson(), PowerLink(1.0))  # mu - y log mu + log y!, of terms of 1e9
    assert disagreeing(loss, np.array([99990585.0])) is None


class Tube:
    """Support vector regression's loss."""

    def value(self, y, eta):
        return np.maximum(np.abs(eta - y) - 0.1, 0.0)

    def first(self, y, eta):
        return np.where(np.abs(eta - y) > 0.1, np.sign(eta - y), 0.0)

    def second(self, y, eta):
        return np.zeros(eta.shape)


class Biweight:
    """Tukey's loss, level beyond 0.1."""

    def value(self, y, eta):
        return 1.0 - np.maximum(1.0 - (10.0 * (eta - y)) ** 2, 0.0) ** 3

    def first(self, y, eta):
        return 600.0 * (eta - y) * np.maximum(1.0 - (10.0 * (eta - y)) ** 2, 0.0) ** 2

    def second(self, y, eta):
        inside = np.maximum(1.0 - (10.0 * (eta - y)) ** 2, 0.0)
        return 600.0 * inside**2 - 240000.0 * (eta - y) ** 2 * inside


@pytest.mark.parametrize("loss", [Tube(), Biweight()], ids=["tube", "biweight"])
def test_no_right_loss_is_refused_whose_kinks_are_two_wide_steps_away(loss):
    rng = np.random.default_rng(0)
    for size in (1e-6, 0.1, 1.0):
        for n in (1, 2, 3, 16):
            assert disagreeing(loss, size * rng.normal(size=n)) is None
            assert disagreeing(loss, np.full(n, size)) is None


class Welsch(ist.SquaredError):
    """1 - e^(-r^2 / 2): far from the target its slopes are too small for differences of it to show."""

    self_concordance, convex = np.inf, False

    def value(self, y, eta):
        return -np.expm1(-((y - eta) ** 2) / 2.0)

    def first(self, y, eta):
        return (eta - y) * np.exp(-((y - eta) ** 2) / 2.0)

    def second(self, y, eta):
        return (1.0 - (eta - y) ** 2) * np.exp(-((y - eta) ** 2) / 2.0)


@given(far=st.floats(1.0, 1e3), seed=st.integers(0, 2**32 - 1))
def test_slopes_too_small_to_be_seen_are_not_wrong(far, seed):
    assert disagreeing(Welsch(), far * np.random.default_rng(seed).normal(size=20)) is None


CHANGES = {
    "twice": lambda values: 2.0 * values,
    "its sign": np.negative,
    "nothing": np.zeros_like,
    "a square too many": np.square,
    "something added": lambda values: values + 0.3,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("method", ["first", "second"])
@pytest.mark.parametrize("case", LOSSES[:3] + MORE_LOSSES, ids=str)
def test_a_derivative_of_another_function_is_named_on_entry(case, method, change):
    y = {"real": NOISE, "0/1": 1.0 * (NOISE > 0), "-1/+1": np.sign(NOISE), "counts": np.floor(3.0 * NOISE**2)}
    loss = Mutant(case.loss, method, CHANGES[change])
    if method == "second" and change == "a square too many" and "uber" in str(case):
        pytest.skip("1 and 0 are their own squares")
    below = {"first": "value", "second": "first"}[method]
    with pytest.raises(InvalidArgument, match=f"have a `{method}` that is the derivative of its `{below}`"):
        ist.LinearRisk(loss, X, y[case.targets])


class ByValue(ist.DifferencedLoss):
    """A logistic loss by its value."""

    def value(self, y, eta):
        return np.logaddexp(0.0, eta) - y * eta


class Doubled(ByValue):
    """The same with a second derivative of its own, twice the right one."""

    def second(self, y, eta):
        return 2.0 / (2.0 + 2.0 * np.cosh(eta))


def test_a_method_that_stands_in_for_a_computed_one_is_looked_at():
    y = 1.0 * (NOISE > 0)
    assert disagreeing(ByValue(), y) is None
    with pytest.raises(InvalidArgument, match="have a `second` that is the derivative of its `first`"):
        ist.LinearRisk(Doubled(), X, y)


def test_an_own_value_in_whole_numbers_is_named():
    loss = Mutant(ist.SquaredError(), "value", lambda values: np.round(9.0 * values).astype(int))
    with pytest.raises(InvalidType, match="has a `value` that returns int64. Whole numbers are stairs"):
        ist.LinearRisk(loss, X, NOISE)


def test_losses_in_a_list_of_which_all_are_0_are_no_stairs():
    def hinge(y, eta):
        return np.array([max(0, 1.0 - a * b) ** 2 if a * b < 1.0 else 0 for a, b in zip(y, eta, strict=True)])

    y = np.sign(X[:, 0])
    assert hinge(np.ones(3), np.full(3, 2.0)).dtype.kind == "i"
    loss = ist.NumericalLoss(hinge)
    np.testing.assert_array_equal(loss.value(np.ones(3), np.full(3, 2.0)), 0.0)
    with pytest.raises(InvalidArgument, match="twice differentiable|be finite"):  # its kink, not its type
        loss.second(y, y)
