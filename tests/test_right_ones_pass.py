"""Right losses, risks, fits and influences, most of them drawn at random: the checks pass every one.

And what is not smooth, or judged by something wrong, is told apart from what is wrong itself.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from scipy.special import expit, log_ndtr

import influstat as ist
from influstat import strategies
from influstat.checks import check_fit, check_influence, check_loss, check_risk, check_solver
from influstat.checks.sample import draw_sample
from tests.budget import examples, some
from tests.cases import LOSSES, MORE_LOSSES
from tests.perceptron import Perceptron
from tests.test_mutations import altered

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


@examples(100, full=500, suppress_health_check=SLOW)
@given(st.sampled_from(LOSSES + MORE_LOSSES), st.integers(0, 2**32 - 1))
def test_right_losses_pass(case, seed):
    """A hundred times; with INFLUSTAT_FULL=1 five hundred times, as the two next."""
    check_loss(case.loss, width=min(1.0, case.plain.width), seed=seed).assert_ok()


@pytest.mark.slow
@examples(100, full=500, suppress_health_check=SLOW)
@given(strategies.losses(smooth=False).flatmap(lambda loss: strategies.risks(loss=loss)), st.integers(0, 999))
def test_right_risks_pass(risk, seed):
    check_risk(risk, seed=seed).assert_ok()


@pytest.mark.slow
@examples(100, full=500, suppress_health_check=SLOW)
@given(strategies.fits(columns=(1, 3)), st.integers(0, 999))
def test_right_fits_and_influences_pass(fit, seed):
    check_fit(fit, seed=seed).assert_ok()
    rows = [seed % 4]
    check_influence(fit, rows=rows, seed=seed).assert_ok()
    check_solver(ist.Cholesky(), fit.hessian, seed=seed).assert_ok()


def test_an_influence_small_beside_its_rounding_passes():
    """theta_1 is 7e-7, moves by 1e-6, and has the rounding of the others: so have differences of refits."""
    X = np.array([[-5.0, 0.0], [1.0625, 4.0], [-5.0, 0.0], [1.0, 4.0], *[[-5.0, 0.0], [-1.0, 4.0]] * 5])
    y = np.array([-1.0, 1.0, -1.0, 1.0, *[-1.0] * 10])
    weights = np.array([0.25, 1.75, *[0.25] * 11, 1.25])
    penalty = ist.L2(10.35312684810845, unpenalised=(2,))
    risk = ist.LinearRisk(
        ist.SmoothedHinge(0.1), np.column_stack([X, np.ones(14)]), y, weights=weights, penalty=penalty
    )
    check_influence(ist.Fit.minimise(risk), rows=[0]).assert_ok()


COMPUTED = {  # written as a user would, some for complex numbers, some not
    "log cosh": (lambda y, eta: np.abs(y - eta) + np.log1p(np.exp(-2 * np.abs(y - eta))), None, 2.0),
    "pseudo-Huber": (lambda y, eta: np.hypot(1.0, y - eta) - 1.0, None, np.inf),
    "logistic": (lambda y, eta: np.logaddexp(0.0, -y * eta), [-1.0, 1.0], 1.0),
    "logistic, plainly": (lambda y, eta: np.log(1.0 + np.exp(-y * eta)), [-1.0, 1.0], 1.0),
    "Poisson": (lambda y, eta: np.exp(eta) - y * eta, [0.0, 1.0, 2.0, 5.0], 1.0),
    "squared": (lambda y, eta: (y - eta) ** 2, None, 0.0),
    "probit": (lambda y, eta: -log_ndtr(y * eta), [-1.0, 1.0], np.inf),
    "exponential": (lambda y, eta: y * np.exp(eta) - eta, [0.1, 5.0, 1000.0], np.inf),
}


@pytest.mark.dear
@pytest.mark.parametrize(
    "seed", some([0, 29])
)  # 29 draws eta = 8.2, where the plain logistic keeps 12 digits
@pytest.mark.parametrize("name", some(list(COMPUTED)))
def test_right_computed_losses_pass(name, seed):
    function, y, constant = COMPUTED[name]
    loss = ist.NumericalLoss(function, self_concordance=constant)
    check_loss(loss, y=y, seed=seed).assert_ok()


class LogCosh(ist.PseudoHuberLoss):
    """log cosh as one writes it: 1e-16 of noise about a value of 0."""

    def value(self, y, eta):
        """Return the loss."""
        return np.log(np.cosh(y - eta))

    def first(self, y, eta):
        """Return its derivative."""
        return -np.tanh(y - eta)

    def second(self, y, eta):
        """Return its second derivative."""
        return 1.0 / np.cosh(y - eta) ** 2

    def third(self, y, eta):
        """Return its third derivative."""
        return 2.0 * np.tanh(y - eta) / np.cosh(y - eta) ** 2


@examples(100)
@given(st.integers(0, 2**32 - 1))
def test_a_loss_with_noise_about_0_passes(seed):
    check_loss(LogCosh(), seed=seed, laws=["first derivative", "second derivative"]).assert_ok()


def test_large_targets_of_a_log_link_are_looked_at_where_they_belong():
    check_loss(ist.PoissonLoss(), y=[1.0, 5.0, 1000.0, 1e6]).assert_ok()
    sample = draw_sample(ist.PoissonLoss(), [1.0, 5.0, 1000.0, 1e6], 1.0, 0)
    assert sample.centres == pytest.approx(np.log([1.0, 5.0, 1000.0, 1e6]))


def cox(seed):
    """Return the partial likelihood of 40 subjects as a black box: the loss of the first is 0."""
    Z = np.random.default_rng(seed).normal(size=(40, 3))
    return ist.BlackBoxRisk(lambda theta: np.log(np.cumsum(np.exp(Z @ theta))) - Z @ theta, 3)


@pytest.mark.parametrize("seed", some(range(6)))
def test_a_row_whose_loss_is_constant_but_for_rounding_has_no_kink(seed):
    fit = ist.Fit.minimise(cox(seed))
    check_risk(fit.risk, convex=False, seed=seed).assert_ok()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_fit_with_a_row_whose_loss_is_constant_but_for_rounding_passes(seed):
    fit = ist.Fit.minimise(cox(seed))
    check_fit(fit, convex=False, seed=seed).assert_ok()
    check_influence(fit, rows=[seed + 1], seed=seed).assert_ok()


def test_a_risk_that_predicts_nothing_passes_with_new_rows():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 2)), rng.normal(size=12)
    risk = ist.BlackBoxRisk(
        lambda theta: (y - X @ theta) ** 2, 2, test_losses=lambda theta, X, y: (y - X @ theta) ** 2
    )
    report = check_influence(ist.Fit.minimise(risk), X=X[:3], y=y[:3], rows=[0])
    report.assert_ok()
    assert report["prediction"].where == "the risk predicts nothing"
    assert report["loss"].worst >= 0.0


def test_the_noise_of_a_plain_logistic_loss_is_no_jump():
    plain = ist.NumericalLoss(COMPUTED["logistic, plainly"][0])
    y, eta = np.array([1.0]), np.array([11.425044698617242])
    assert plain.second(y, eta) == pytest.approx(ist.LogisticLoss().second(y, eta), rel=1e-4)


KINKED = {
    "absolute": lambda y, eta: np.abs(y - eta),
    "hinge": lambda y, eta: np.maximum(0.0, 1.0 - y * eta),
    "hinge of one label": lambda y, eta: np.maximum(0.0, 1.0 - eta) + 0.0 * y,
}


@pytest.mark.parametrize("name", KINKED)
def test_a_kink_is_named_and_nothing_else_is_blamed(name):
    report = check_loss(ist.NumericalLoss(KINKED[name]))
    assert "the first derivative jumps by" in report["smoothness"].cause
    for failure in report.failures:
        assert not any(word in failure.cause for word in ("float32", "order", "mixes")), failure
        if failure.law not in ("smoothness", "targets"):
            raised = failure.cause.startswith("raises") and "jumps" in failure.cause
            assert raised or "settle 'smoothness' first" in failure.cause, failure


def test_a_derivative_that_is_judged_by_a_wrong_one_says_so():
    Doubled = altered(ist.LogisticLoss, first=lambda self, y, eta: 2.0 * (expit(eta) - y))
    report = check_loss(Doubled, laws=["first derivative", "second derivative"])
    assert "settle 'first derivative' first" in report["second derivative"].cause
    assert "settle" not in report["first derivative"].cause


@pytest.mark.slow
def test_right_black_boxes_pass():
    rng = np.random.default_rng(0)
    network = Perceptron(rng.normal(size=(12, 2)), np.resize([-1.0, 1.0], 12), 2)
    theta = rng.normal(size=network.size)
    risk = network.risk(2.0, protocol="folded", row_gradients=network.row_gradients)
    check_risk(risk, theta, X=network.X[:3], y=network.y[:3], convex=False).assert_ok()
    values_only = network.risk(2.0, protocol="folded")
    check_risk(values_only, theta, laws=("form", "gradient", "row gradients", "removal")).assert_ok()
    fit = ist.Fit.minimise(network.risk(2.0, row_gradients=network.row_gradients), start=theta)
    check_fit(fit, convex=False).assert_ok()
    check_influence(fit, rows=[3], laws=["derivative of the refit", "order"]).assert_ok()


def plainly(margin):
    """Return the logistic loss as the textbook writes it: a staircase where it is nearly 0."""
    return np.log(1.0 + np.exp(-margin))


@pytest.mark.parametrize("seed", some(range(8)))
def test_the_textbook_logistic_loss_fits_far_out_as_the_careful_one_does(seed):
    rng = np.random.default_rng(seed)
    X = np.column_stack([np.ones(60), 3.0 * rng.normal(size=60)])
    y = np.where(X[:, 1] + 0.6 * rng.normal(size=60) > 0, 1.0, -1.0)
    penalty = ist.L2(0.1)
    careful = ist.Fit.minimise(ist.LinearRisk(ist.SignedLogisticLoss(), X, y, penalty=penalty)).theta
    box = ist.BlackBoxRisk(lambda theta: plainly(y * (X @ theta)), 2, penalty=penalty)
    loss = ist.NumericalLoss(lambda y, eta: plainly(y * eta))
    assert ist.Fit.minimise(box).theta == pytest.approx(careful, rel=1e-7)
    assert ist.Fit.minimise(ist.LinearRisk(loss, X, y, penalty=penalty)).theta == pytest.approx(
        careful, rel=1e-7
    )


class CompLogLog(ist.LogisticLoss):
    """Complementary log-log: for y = 1 the loss is exactly 0 from eta = 3.7 on, its derivatives are not."""

    self_concordance = np.inf

    def value(self, y, eta):
        """Return the loss."""
        mean = np.exp(eta)
        return np.where(y == 0, mean, -np.log(-np.expm1(-mean)))

    def first(self, y, eta):
        """Return its derivative."""
        mean = np.exp(eta)
        with np.errstate(over="ignore"):
            return np.where(y == 0, mean, -mean / np.expm1(mean))


@examples(100)
@given(st.integers(0, 2**32 - 1))
def test_a_loss_that_is_rounded_to_0_far_out_passes(seed):
    check_loss(CompLogLog(), seed=seed, laws=["first derivative"]).assert_ok()


@pytest.mark.slow
@pytest.mark.parametrize("seed", some(range(4)))
def test_a_saturated_perceptron_passes(seed):
    rng = np.random.default_rng(seed)
    X, y = np.column_stack([np.ones(25), rng.normal(size=25)]), np.resize([1.0, -1.0, 1.0], 25)

    def losses(theta):
        hidden = np.tanh(X @ theta[:4].reshape(2, 2) + theta[4:6])
        return plainly(y * (hidden @ theta[6:8] + theta[8]))

    box = ist.BlackBoxRisk(losses, 9)
    check_risk(box, convex=False, seed=seed).assert_ok()
    check_risk(box, 3.0 * rng.normal(size=9), convex=False, seed=seed).assert_ok()


FOURS = np.full((6, 1), 4.0)


def exact_fit():
    """All rows are alike, so that each one's gradient is rounding alone at the minimum."""
    risk = ist.LinearRisk(ist.PoissonLoss(), FOURS, np.zeros(6), penalty=ist.L2(16.0), protocol="folded")
    return ist.Fit(risk, [-0.3581011939745751])


def vanishing_removal():
    """Without row 1 the labels balance: theta is 0, and exact removal leaves 2e-12."""
    risk = ist.LinearRisk(
        ist.SmoothedHinge(0.1),
        FOURS,
        [-1.0, 1.0, -1.0, 1.0, 1.0, -1.0],
        penalty=ist.L2(16.0),
        weights=[0.25, 3.0, 0.25, 0.25, 0.25, 0.0],
    )
    return ist.Fit.minimise(risk)


@pytest.mark.parametrize(("make", "row", "seed"), [(exact_fit, 0, 0), (vanishing_removal, 1, 5)])
def test_influences_that_are_nothing_but_rounding_pass(make, row, seed):
    check_influence(make(), rows=[row], seed=seed).assert_ok()


def test_a_penalty_that_would_swamp_the_losses_is_looked_at_nearer_by():
    X = np.tile(np.diag([400.0, 40.0, 4e-4]), (5, 1))
    y = np.array([-1, 1, -1, 1, 1, 1, 1, 1, -1, 1, -1, -1, -1, -1, -1], dtype=float)
    weights = [2, 1.25, 3, 1.5, 0.25, 0.75, 3, 1.75, 2.5, 2.25, 0.5, 2.25, 1.25, 1, 0]
    penalty = ist.L2(16000.0)
    risk = ist.LinearRisk(ist.SmoothedHinge(0.1), X, y, penalty=penalty, weights=weights, protocol="folded")
    check_risk(risk, seed=90).assert_ok()
