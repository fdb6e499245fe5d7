"""A loss whose slope jumps is named as such, with a remedy that works; one that only bends hard is not."""

import numpy as np
import pytest

import influstat as ist
from influstat.errors import InflustatError, NotConverged
from influstat.minimise.kinks import refuse_kinks

TAU = 0.7
TARGETS = {  # of numbers with noise
    "numbers": lambda y: y,
    "labels": lambda y: np.where(y > 1.0, 1.0, -1.0),
    "0 and 1": lambda y: np.where(y > 1.0, 1.0, 0.0),
    "counts": lambda y: np.floor(np.exp(0.3 * y)),
}


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(0)
    X = np.column_stack([np.ones(60), rng.normal(size=60)])
    return X, X @ [1.0, 2.0] + rng.normal(size=60)


class Kinked:
    """What all share."""

    self_concordance = np.inf

    def check_targets(self, y):
        return y

    def second(self, y, eta):
        return np.zeros(np.broadcast_shapes(np.shape(y), np.shape(eta)))

    third = second

    def mean(self, eta):
        return eta

    def mean_derivative(self, eta):
        return np.ones_like(eta)


class Check(Kinked):
    def value(self, y, eta):
        return np.maximum(TAU * (y - eta), (TAU - 1.0) * (y - eta))

    def first(self, y, eta):
        return np.where(y > eta, -TAU, 1.0 - TAU)


class Absolute(Kinked):
    def value(self, y, eta):
        return np.abs(y - eta)

    def first(self, y, eta):
        return np.sign(eta - y)


class BentAbsolute(Absolute):
    """With a curvature of its own."""

    def value(self, y, eta):
        return np.abs(y - eta) + 0.05 * (y - eta) ** 2

    def first(self, y, eta):
        return np.sign(eta - y) + 0.1 * (eta - y)

    def second(self, y, eta):
        return 0.1 + super().second(y, eta)


class Hinge(Kinked):
    def value(self, y, eta):
        return np.maximum(0.0, 1.0 - y * eta)

    def first(self, y, eta):
        return np.where(y * eta < 1.0, -y, 0.0)


CASES = {  # the loss, its targets, where its slope jumps, and its smooth form
    "check": (Check(), "numbers", lambda y: y, ist.SmoothedCheck(TAU, t=0.1), "-0.7 to 0.3"),
    "absolute": (Absolute(), "numbers", lambda y: y, ist.PseudoHuberLoss(0.1), "-1 to 1"),
    "bent": (BentAbsolute(), "numbers", lambda y: y, ist.PseudoHuberLoss(0.1), "-1 to 1"),
    "hinge": (Hinge(), "labels", lambda y: y, ist.SmoothedHinge(0.1), "0 to 1|-1 to 0"),
}
PENALTIES = {"none": None, "all": ist.L2(1.0), "but one": ist.L2(1.0, unpenalised=["x0"])}


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("case", CASES)
def test_the_kink_is_named_and_its_smooth_form_has_a_minimum(drawn, case, penalty):
    loss, targets, kink, smooth, jump = CASES[case]
    X, y = drawn[0], TARGETS[targets](drawn[1])
    with pytest.raises(NotConverged, match="The loss has a kink") as caught:
        ist.Fit.minimise(ist.LinearRisk(loss, X, y, penalty=PENALTIES[penalty]))
    text = str(caught.value)
    at, eta = (float(text.split(f"{name} = ")[1].split(maxsplit=1)[0]) for name in ("y", "eta"))
    assert eta == pytest.approx(kink(at), rel=1e-5)
    assert any(f"its slope jumps from {one}" in text for one in jump.split("|"))
    assert type(smooth).__name__ in text
    ist.Fit.minimise(ist.LinearRisk(smooth, X, y, penalty=PENALTIES[penalty]))


SMOOTH = {
    "narrow hinge": (ist.SmoothedHinge(1e-10), "labels"),
    "narrow check": (ist.SmoothedCheck(TAU, t=1e-10), "numbers"),
    "Huber": (ist.HuberLoss(0.01), "numbers"),
    "squared hinge": (ist.SquaredHinge(), "labels"),
    "logistic": (ist.LogisticLoss(), "0 and 1"),
    "Poisson": (ist.PoissonLoss(), "counts"),
}


@pytest.mark.parametrize("case", SMOOTH)
def test_losses_that_bend_have_no_kink(drawn, case):
    loss, targets = SMOOTH[case]
    X, y = drawn[0], TARGETS[targets](drawn[1])
    for theta in (np.zeros(2), np.array([1.0, 2.0]), np.array([30.0, -50.0])):
        refuse_kinks(ist.LinearRisk(loss, X, y), theta)


def test_a_loss_that_is_not_everywhere_is_not_blamed(drawn):
    class Somewhere(Check):
        def first(self, y, eta):
            raise InflustatError("nowhere")

    refuse_kinks(ist.LinearRisk(ist.SquaredError(), *drawn).with_loss(Somewhere()), np.zeros(2))
