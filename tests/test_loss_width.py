"""The width of a loss that is known by its values follows from them; a loss without any bend says so."""

import numpy as np
import pytest

import influstat as ist
from influstat.errors import IndefiniteHessian, NoMinimiser, SingularHessian
from influstat.losses.bend import with_width
from tests.tolerance import CHANGES

RNG = np.random.default_rng(0)
X = np.column_stack([np.ones(30), RNG.normal(size=30)])
Y = X @ [1.0, 2.0] + RNG.standard_t(3, size=30)


def log_cosh(scale):
    return lambda y, eta: np.log(np.cosh((y - eta) / scale))


def pseudo_huber(scale):
    return lambda y, eta: scale**2 * (np.sqrt(1.0 + ((y - eta) / scale) ** 2) - 1.0)


def real_only(scale):
    return lambda y, eta: np.logaddexp((y - eta) / scale, (eta - y) / scale)


def squared(_):
    return lambda y, eta: (y - eta) ** 2


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e6, 1e9])
@pytest.mark.parametrize("made", [log_cosh, pseudo_huber, real_only, squared])
def test_a_fit_does_not_depend_on_the_unit_of_y(made, scale):
    fits = [
        ist.Fit.minimise(ist.LinearRisk(ist.NumericalLoss(made(unit)), X, unit * Y)) for unit in (1.0, scale)
    ]
    np.testing.assert_allclose(fits[1].theta / scale, fits[0].theta, rtol=CHANGES)
    moves = [fit.leave_one_out(rows=[0, 7]).delta for fit in fits]
    np.testing.assert_allclose(moves[1] / scale, moves[0], rtol=CHANGES, atol=CHANGES)


@pytest.mark.parametrize("scale", [1e-5, 1e7])
def test_a_class_of_values_alone_finds_its_width_too(scale):
    class Bent(ist.DifferencedLoss):
        def value(self, y, eta):
            return pseudo_huber(scale)(y, eta)

    risk = ist.LinearRisk(Bent(), X, scale * Y)
    plain = ist.LinearRisk(ist.PseudoHuberLoss(1.0), X, Y)
    np.testing.assert_allclose(
        ist.Fit.minimise(risk).theta / scale, ist.Fit.minimise(plain).theta, rtol=CHANGES
    )


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1e-6, 1e9])
def test_a_right_loss_passes_its_laws_in_any_unit(scale):
    ist.checks.check_loss(ist.NumericalLoss(pseudo_huber(scale)), y=scale * Y).assert_ok()


LOSSES = {
    "logistic": (lambda y, eta: np.log(1.0 + np.exp(eta)) - y * eta, np.arange(9.0) % 2),
    "Poisson of large counts": (lambda y, eta: np.exp(eta) - y * eta, 1000.0 + np.arange(9.0)),
    "squared": (lambda y, eta: (y - eta) ** 2, np.arange(9.0)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_where_1_will_do_the_loss_stays_as_it_is(name):
    function, y = LOSSES[name]
    loss = ist.NumericalLoss(function)
    assert with_width(loss, y) is loss


def test_a_loss_that_bears_any_step_gets_one_of_the_size_of_its_targets():
    width = with_width(ist.NumericalLoss(squared(1.0)), 1e9 * Y).width
    assert 1.0 < width <= 1e9 * np.abs(Y).max()


def test_a_width_that_is_given_is_kept():
    loss = ist.NumericalLoss(log_cosh(1e6), width=3.0)
    assert ist.LinearRisk(loss, X, 1e6 * Y).loss is loss


# -- losses that do not bend where the search stands ---------------------------------------------------------

STRAIGHT = {
    "absolute": lambda y, eta: np.abs(y - eta),
    "check": lambda y, eta: np.where(y > eta, 0.7, -0.3) * (y - eta),
}


@pytest.mark.parametrize("start", [None, [0.01, 0.02]])
@pytest.mark.parametrize("name", STRAIGHT)
def test_a_straight_loss_is_said_to_be_that(name, start):
    risk = ist.LinearRisk(ist.NumericalLoss(STRAIGHT[name]), X, Y)
    with pytest.raises(SingularHessian, match="no row's loss has any curvature where the search stands"):
        ist.Fit.minimise(risk, start=start)


@pytest.mark.parametrize("start", [None, [-90.0, 0.0]])
def test_rows_beyond_the_reach_of_a_loss_are_no_unused_columns(start):
    loss = ist.NumericalLoss(lambda y, eta: 1.0 - np.exp(-(((y - eta) / 4.0) ** 2)))
    risk = ist.LinearRisk(loss, X, 200.0 + Y)
    with pytest.raises(SingularHessian, match="beyond the reach of a loss that levels off.* Pass start="):
        ist.Fit.minimise(risk, start=start)
    near = ist.Fit.minimise(risk, start=np.linalg.lstsq(X, 200.0 + Y)[0])
    assert near.leave_one_out(rows=[0]).converged.all()


def test_a_column_of_zeros_and_a_sign_keep_their_causes():
    zeros = np.column_stack([X, np.zeros(30)])
    with pytest.raises(SingularHessian, match="x2"):
        ist.Fit.minimise(ist.LinearRisk(ist.NumericalLoss(squared(1.0)), zeros, Y))
    with pytest.raises(IndefiniteHessian, match="a sign in it is wrong"):
        ist.Fit.minimise(ist.LinearRisk(ist.NumericalLoss(lambda y, eta: -((y - eta) ** 2)), X, Y))
    logistic = ist.NumericalLoss(LOSSES["logistic"][0])
    with pytest.raises(NoMinimiser, match="separated"):
        ist.Fit.minimise(ist.LinearRisk(logistic, X, (X[:, 1] > 0).astype(float)))
