"""The further losses against their definitions in 480 digits, and the risk and its influence with them."""

import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import influstat as ist
from influstat import losses
from influstat.errors import InvalidArgument, InvalidType, Unsupported
from influstat.losses import glm_families as families
from influstat.losses.glm import GLMLoss
from influstat.losses.glm_links import LogLink, PowerLink
from tests import reference
from tests.budget import examples, some, spread
from tests.cases import LOSSES, MORE_LOSSES, TARGETS, LossCase, make_problem, problems
from tests.reference import TINY, assert_same_risk, assert_within, derivative
from tests.tolerance import CLOSED_FORM, TWO_FITS

OTHER_SETTINGS = [
    LossCase(f"Huber {d:g}", ist.HuberLoss(d), reference.huber(d), "real", np.inf) for d in (1e-3, 40.0)
]
OTHER_SETTINGS += [
    LossCase(f"pseudo-Huber {d:g}", ist.PseudoHuberLoss(d), reference.pseudo_huber(d), "real", 1.5 / d)
    for d in (1e-3, 40.0)
]
OTHER_SETTINGS += [
    LossCase(f"check {q:g} {t:g}", ist.SmoothedCheck(q, t), reference.smoothed_check(q, t), "real", 1.0 / t)
    for q, t in ((0.5, 1e-6), (0.01, 1e-2), (0.9, 10.0))
]
each_loss = pytest.mark.parametrize("case", MORE_LOSSES + OTHER_SETTINGS, ids=str)
each_listed_loss = pytest.mark.parametrize("case", MORE_LOSSES, ids=str)

Y = {"real": (-2.5, 0.0, 1000.0), "-1/+1": (-1.0, 1.0), "counts": (0.0, 1.0, 2.5, 700.0)}
NAMES = ("value", "first", "second", "third")


def etas(case, y):
    """Return eta in [-1e3, 1e3] (Poisson: to 700), round ones and those around the bends."""
    width = case.plain.width
    steps = [0.0, 1e-9, 0.3, 0.99, 1.01, 5.0, 36.0, 40.0, 350.0, 700.0, 720.0]
    bends = [y + sign * width * u for u in steps for sign in (1.0, -1.0)]
    spread = [sign * eta for eta in (0.0, 1e-8, 0.5, 1.0, 3.7, 30.0, 1000.0) for sign in (1.0, -1.0)]
    eta = np.array(bends + spread)
    return eta[(np.abs(eta) <= 1e3) & (eta <= (700.0 if case.targets == "counts" else np.inf))]


def assert_accurate(case, y, eta):
    """Assert 1e-12, relative to the result or, where two of its terms cancel, to these."""
    kinks = case.loss.kinks(y) if hasattr(case.loss, "kinks") else []
    eta = np.array([x for x in eta if all(abs(x - k) > 1e-20 for k in kinks)])
    truth = np.array([case.plain.exact(float(y), float(x)) for x in eta]).T
    sizes = np.maximum(np.abs(truth), TINY)
    if case.targets == "counts":
        sizes[0] = np.exp(eta) + np.abs(y * eta)
        sizes[1] = np.exp(eta) + y
    if isinstance(case.loss, ist.SmoothedCheck):
        sizes[1] = np.maximum(sizes[1], 1e-3)  # sigma(-u) - quantile passes through 0
    for name, exact, size in zip(NAMES, truth, sizes, strict=True):
        found = getattr(case.loss, name)(y, eta)
        assert_within(found, exact, np.where(size > TINY, 1e-12 * size, TINY), 1.0)


@pytest.mark.dear
@each_loss
def test_values_and_derivatives_to_twelve_digits(case):
    for y in some(Y[case.targets]):
        assert_accurate(case, y, spread(etas(case, y)))


@examples(60)
@given(
    st.sampled_from(MORE_LOSSES + OTHER_SETTINGS),
    st.integers(0, 3),
    st.lists(st.floats(-1e3, 700.0), min_size=1, max_size=4),
)
def test_values_and_derivatives_to_twelve_digits_anywhere(case, which, eta):
    ys = Y[case.targets]
    assert_accurate(case, ys[which % len(ys)], np.array(eta))


@pytest.mark.dear
@each_listed_loss
def test_the_plain_loss_is_the_same_table(case):
    for y in Y[case.targets]:
        for eta in (-20.0, -1.3, 0.0, 0.4, 1.2, 7.0):
            truth = case.plain.exact(y, eta)
            plain = [f(y, eta) for f in (case.plain.value, case.plain.first, case.plain.second)]
            np.testing.assert_allclose(plain, truth[:3], rtol=CLOSED_FORM, atol=1e-14 * (1.0 + abs(y)))


@each_loss
def test_everything_is_finite(case):
    eta = np.linspace(-1e3, 700.0 if case.targets == "counts" else 1e3, 4001)
    for y in Y[case.targets]:
        for name in NAMES:
            assert np.isfinite(getattr(case.loss, name)(y, eta)).all()


def test_the_poisson_loss_beyond_float64_is_infinite_without_a_warning():
    assert ist.PoissonLoss().value(1.0, np.array([800.0])) == np.inf


@each_loss
def test_self_concordance_is_the_smallest_bound(case):
    assert case.loss.self_concordance == case.c
    if case.c == np.inf:
        return
    eta = np.concatenate([y + case.plain.width * np.linspace(-40.0, 40.0, 4001) for y in Y[case.targets][:2]])
    largest = 0.0
    for y in Y[case.targets][:2]:
        second, third = case.loss.second(y, eta), np.abs(case.loss.third(y, eta))
        assert np.all(third <= case.c * second * (1.0 + 1e-14))
        normal = second > TINY
        largest = max(largest, np.max(third[normal] / second[normal]))
    assert largest >= case.c * (1.0 - 1e-9)


@pytest.mark.parametrize("loss", [ist.HuberLoss(1.5), ist.SquaredHinge()], ids=repr)
def test_the_second_derivative_jumps_at_the_kinks_and_nowhere_else(loss):
    y = np.array([-1.0, 1.0])
    kinks = loss.kinks(y)
    assert kinks.shape[1:] == y.shape
    for kink in kinks:
        jump = loss.second(y, kink + 1e-9) - loss.second(y, kink - 1e-9)
        assert np.all(np.abs(jump) >= 1.0)
    grid = np.linspace(-4.0, 4.0, 2001) + 1e-4
    for target in y:
        jumps = np.flatnonzero(np.diff(loss.second(target, grid)))
        assert len(jumps) == len(kinks)


@pytest.mark.parametrize("delta", [0.5, 3.0])
def test_huber_and_pseudo_huber_agree_where_they_should(delta):
    r = np.linspace(-1e-3, 1e-3, 11) * delta
    np.testing.assert_allclose(
        ist.PseudoHuberLoss(delta).value(r, 0.0), ist.HuberLoss(delta).value(r, 0.0), rtol=1e-6
    )
    far = np.array([-1e6, 1e6])
    np.testing.assert_allclose(ist.PseudoHuberLoss(delta).first(far, 0.0), -delta * np.sign(far), rtol=1e-9)
    np.testing.assert_allclose(ist.HuberLoss(delta).first(far, 0.0), -delta * np.sign(far))


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("t", [1e-6, 0.1, 2.0])
def test_the_smoothed_check_exceeds_the_check_loss_by_at_most_t_log_2(quantile, t):
    r = np.concatenate([np.linspace(-3.0, 3.0, 601), t * np.linspace(-50.0, 50.0, 101)])
    excess = ist.SmoothedCheck(quantile, t).value(r, np.zeros_like(r)) - r * (quantile - (r < 0))
    assert np.all(excess >= -1e-15)
    assert np.all(excess <= t * np.log(2.0) * (1.0 + 1e-12) + 1e-15)


def test_the_smoothed_check_finds_the_quantile():
    y = np.random.default_rng(0).exponential(size=4001)
    for quantile in (0.1, 0.75):
        risk = ist.LinearRisk(ist.SmoothedCheck(quantile, 1e-3), np.ones((4001, 1)), y)
        assert abs(ist.Fit.minimise(risk).theta[0] - np.quantile(y, quantile)) < 2e-3


# -- shapes, the mean, targets and settings -----------------------------------------------------------------


@each_listed_loss
def test_results_have_the_shape_of_eta(case):
    y = TARGETS[case.targets](np.random.default_rng(0), 4)
    eta = np.random.default_rng(1).normal(size=(4, 3))
    for name in NAMES:
        function = getattr(case.loss, name)
        whole = function(y[:, None], eta)
        assert whole.shape == (4, 3)
        assert function(y, eta[:, 1]).tolist() == whole[:, 1].tolist()
        assert np.shape(function(y[0], eta[0, 0])) == ()
        assert function(y[:0], eta[:0, 0]).shape == (0,)


def test_the_poisson_mean_sets_the_slope_to_zero():
    eta, loss = np.linspace(-3.0, 3.0, 13), ist.PoissonLoss()
    assert np.all(loss.first(loss.mean(eta), eta) == 0.0)
    difference = derivative(lambda r: loss.mean(eta + r), 1e-3)
    np.testing.assert_allclose(loss.mean_derivative(eta), difference, rtol=1e-10)


@pytest.mark.parametrize("case", MORE_LOSSES[1:], ids=str)
def test_losses_without_a_mean_say_so(case):
    for function in (case.loss.mean, case.loss.mean_derivative):
        with pytest.raises(Unsupported, match=f'kind must be "linear" for {type(case.loss).__name__}'):
            function(np.zeros(2))


BAD = [
    (lambda: ist.PoissonLoss().check_targets([1, -2]), InvalidArgument, "y must hold counts .* -2 at row 1"),
    (lambda: ist.SquaredHinge().check_targets([1, 0]), InvalidArgument, "y must hold only the labels -1 and"),
    (lambda: ist.HuberLoss(0.0), InvalidArgument, "delta must be greater than 0, but it is 0"),
    (lambda: ist.PseudoHuberLoss(-1.0), InvalidArgument, "delta must be greater than 0, but it is -1"),
    (lambda: ist.HuberLoss("1"), InvalidType, "delta must be a real number"),
    (lambda: ist.SmoothedCheck(1.0), InvalidArgument, "quantile must be below 1, but it is 1"),
    (lambda: ist.SmoothedCheck(0.0), InvalidArgument, "quantile must be greater than 0"),
    (lambda: ist.SmoothedCheck(0.5, t=0.0), InvalidArgument, "t must be greater than 0"),
    *(
        (lambda case=case: case.loss.check_targets([1.0, np.nan]), InvalidArgument, "y must be finite")
        for case in MORE_LOSSES
    ),
    *(
        (lambda case=case: case.loss.check_targets(["a"]), InvalidType, "y must hold real numbers")
        for case in MORE_LOSSES
    ),
]


@pytest.mark.parametrize(("call", "error", "sentence"), BAD)
def test_bad_settings_and_targets_are_refused(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()


def test_every_public_loss_is_in_a_table():
    for module, table in ((losses, LOSSES + MORE_LOSSES), (ist, LOSSES + MORE_LOSSES)):
        public = {
            kind
            for name, kind in inspect.getmembers(module, inspect.isclass)
            if name in module.__all__ and isinstance(kind, ist.Loss) and kind is not ist.Loss
        }
        own = {getattr(ist, name, None) for name in ("NumericalLoss", "DifferencedLoss")}  # what users write
        assert public - own == {type(case.loss) for case in table}


# -- a risk of each loss ------------------------------------------------------------------------------------


@examples(60)
@given(problems(losses=tuple(MORE_LOSSES), decades=0))
def test_the_risk_is_that_of_plain_loops(problem):
    assert_same_risk(problem.risk(), problem.plain(), problem.theta)


@pytest.mark.parametrize("protocol", ["fixed", "folded"])
@pytest.mark.parametrize("case", MORE_LOSSES, ids=str)
def test_influence_is_the_derivative_of_the_minimiser(case, protocol):
    problem = make_problem(case, 12, 2, seed=5, weights="positive", strength=2.0, protocol=protocol)
    plain, risk = problem.plain(), problem.risk()
    fit = ist.Fit.minimise(risk)
    theta = plain.minimiser(fit.theta)
    np.testing.assert_allclose(fit.theta, theta, rtol=TWO_FITS, atol=CLOSED_FORM)
    values = fit.influence().on_theta().values

    def moved(row, eps):
        return plain.reweighted(plain.weights + eps * plain.total_weight * (np.arange(12) == row)).minimiser(
            theta
        )

    for row in (0, 7):
        slope = derivative(lambda eps, row=row: moved(row, eps), 1e-4)
        np.testing.assert_allclose(values[row], slope, rtol=1e-6, atol=1e-7 * np.abs(values).max())


@pytest.mark.parametrize(
    "loss", [ist.SquaredError(), ist.HuberLoss(3.0), ist.PseudoHuberLoss(1.0), ist.SmoothedCheck(0.5, 1.0)]
)
def test_large_targets_are_not_taken_for_separated_ones(loss):
    rng = np.random.default_rng(0)
    X = 1.0 + rng.random((30, 1))
    y = 1e4 * X[:, 0] + rng.normal(size=30)
    for sign in (1.0, -1.0):
        start = [1e4 * sign] if isinstance(loss, ist.SmoothedCheck) else None
        fit = ist.Fit.minimise(ist.LinearRisk(loss, X, sign * y), start=start)
        assert abs(fit.theta[0] - 1e4 * sign) < 2.0


@pytest.mark.parametrize("kind", [ist.HuberLoss, ist.PseudoHuberLoss])
def test_robust_fits_leave_outliers_alone(kind):
    rng = np.random.default_rng(2)
    X = np.column_stack([rng.normal(size=60), np.ones(60)])
    y = X @ [2.0, 300.0] + rng.normal(size=60)
    clean = ist.Fit.minimise(ist.LinearRisk(kind(1.0), X, y)).theta
    y[:5] += 1e4
    np.testing.assert_allclose(clean, [2.0, 300.0], atol=0.5)
    np.testing.assert_allclose(ist.Fit.minimise(ist.LinearRisk(kind(1.0), X, y)).theta, clean, atol=0.3)


@pytest.mark.parametrize("eta", [1e-17, -3e-12, 2e-6])
def test_the_poisson_slope_keeps_its_digits_where_the_count_is_1(eta):
    assert ist.PoissonLoss().first(np.array([1.0]), np.array([eta])) == pytest.approx(
        eta + eta**2 / 2 + eta**3 / 6, rel=1e-15, abs=0.0
    )


DOMAINS = {
    "Binomial": (families.Binomial(), 0.0, 1.0),
    "Poisson": (families.Poisson(), 0.0, np.inf),
    "Gamma": (families.Gamma(), 0.0, np.inf),
    "inverse Gaussian": (families.InverseGaussian(), 0.0, np.inf),
    "negative binomial": (families.NegativeBinomial(0.7), 0.0, np.inf),
    "Tweedie": (families.Tweedie(1.5), 0.0, np.inf),
    "Gaussian": (families.Gaussian(), -np.inf, np.inf),
}


@pytest.mark.parametrize("y", [0.0, 1.0, 0.3])
@pytest.mark.parametrize(
    "link", [PowerLink(1.0), PowerLink(-1.0), PowerLink(0.5), PowerLink(-0.5), LogLink()]
)
@pytest.mark.parametrize("name", DOMAINS)
def test_a_mean_that_the_family_cannot_have_has_no_value(name, link, y):
    family, lowest, highest = DOMAINS[name]
    if family.support.outside(np.array([y]))[0]:
        y = 2.0
    loss, eta = GLMLoss(family, link), np.array([-2.5, -0.7, -0.2, 0.2, 0.7, 2.5])
    mean = loss.mean(eta)
    value = loss.value(np.full(6, y), eta)
    np.testing.assert_array_equal(np.isnan(value), (mean < lowest) | (mean > highest))
    inside = ~np.isnan(value)
    truth = -family.log_likelihood(y, mean[inside], 1.0 - mean[inside])
    np.testing.assert_allclose(value[inside], truth, rtol=1e-14)
