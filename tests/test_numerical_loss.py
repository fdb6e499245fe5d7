"""Derivatives computed from values alone: their accuracy, their own error estimates, their refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

import influstat as ist
from influstat.errors import InvalidArgument, InvalidType, Unsupported
from influstat.numerics.derivatives import complex_step, half_circle, ridders
from tests.budget import examples
from tests.cases import LOSSES, MORE_LOSSES, TARGETS, make_problem, problems
from tests.tolerance import CLOSED_FORM, INVERTED, STANDARD_ERRORS, SUMS, TWO_FITS

# The losses again as a user would write them with complex numbers in mind: no logaddexp, no expit.
ANALYTIC = {
    "squared error": lambda y, eta: (y - eta) ** 2,
    "signed logistic": lambda y, eta: np.log1p(np.exp(-y * eta)),
    "smoothed hinge 1": lambda y, eta: np.log1p(np.exp(1.0 - y * eta)),
    "smoothed hinge 0.1": lambda y, eta: 0.1 * np.log1p(np.exp((1.0 - y * eta) / 0.1)),
    "Poisson": lambda y, eta: np.exp(eta) - y * eta,
    "pseudo-Huber": lambda y, eta: 0.25 * (np.sqrt(1.0 + ((y - eta) / 0.5) ** 2) - 1.0),
    "smoothed check": lambda y, eta: 0.75 * (y - eta) + 0.5 * np.log1p(np.exp((eta - y) / 0.5)),
}
SMOOTH = [case for case in LOSSES + MORE_LOSSES if np.isfinite(case.c)]
WITH_COMPLEX = [case for case in SMOOTH if case.name in ANALYTIC]
DIGITS = {1: 1e-11, 2: 1e-10, 3: 1e-8}  # of differences, relative to |l_k| + |l1| / width^(k - 1)


def drawn(case, n, seed):
    rng = np.random.default_rng(seed)
    return TARGETS[case.targets](rng, n), rng.normal(scale=3.0, size=n)


def exact(case, y, eta):
    """Return l1, l2, l3 from the definition in 480 digits, shape (3, n)."""
    return np.array([case.plain.exact(float(a), float(b))[1:] for a, b in zip(y, eta, strict=True)]).T


def relative_errors(case, found, truth, order):
    size = np.abs(truth[order - 1]) + np.abs(truth[0]) / case.plain.width ** (order - 1)
    return np.abs(found - truth[order - 1]) / size


@pytest.mark.dear
@pytest.mark.parametrize("case", WITH_COMPLEX, ids=str)
def test_complex_steps_are_accurate_to_1e_13(case):
    y, eta = drawn(case, 25, seed=1)
    truth = exact(case, y, eta)
    loss = ist.NumericalLoss(ANALYTIC[case.name])
    assert loss.uses_complex_step(y, eta)
    for order in (1, 2, 3):
        found = loss.derivative(order, y, eta)
        assert np.max(relative_errors(case, found.value, truth, order)) <= 1e-13
        assert np.all(np.abs(found.value - truth[order - 1]) <= found.error + 1e-300)


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_differences_are_accurate_to_1e_8(case):
    y, eta = drawn(case, 400, seed=2)
    truth = np.array([case.loss.first(y, eta), case.loss.second(y, eta), case.loss.third(y, eta)])
    loss = ist.NumericalLoss(case.loss.value)  # logaddexp and expit take no complex numbers
    for order in (1, 2, 3):
        found = (
            loss.derivative(order, y, eta).value
            if not loss.uses_complex_step(y, eta)
            else ridders(
                lambda r, rows: case.loss.value(y[rows], eta[rows] + r), order, n=400, size=np.abs(eta)
            ).value
        )
        assert np.max(relative_errors(case, found, truth, order)) <= DIGITS[order]


def test_the_error_estimate_covers_the_error_in_99_of_100_drawn_cases():
    # Also of the losses with kinks, whose derivatives of the second order differences can hardly find.
    covered, total = np.zeros(3), 0
    for seed, case in enumerate(LOSSES + MORE_LOSSES):
        y, eta = drawn(case, 1000, seed=100 + seed)
        total += 1000
        for order, name in enumerate(("first", "second", "third"), start=1):
            found = ridders(
                lambda r, rows, y=y, eta=eta, case=case: case.loss.value(y[rows], eta[rows] + r),
                order,
                n=1000,
                size=np.abs(eta),
            )
            error = np.abs(found.value - getattr(case.loss, name)(y, eta))
            covered[order - 1] += np.sum(error <= found.error)
    assert np.all(covered >= 0.99 * total)


def test_the_error_estimate_is_not_all_padding():
    case = LOSSES[1]
    y, eta = drawn(case, 1000, seed=7)
    found = ridders(lambda r, rows: case.loss.value(y[rows], eta[rows] + r), 2, n=1000, size=np.abs(eta))
    error = np.abs(found.value - case.loss.second(y, eta))
    assert np.median(found.error) <= 1e-9
    assert np.max(error) <= 1e-11
    assert np.median(found.error / np.maximum(error, 1e-16)) <= 1e4


@examples(80)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 3]), st.floats(-2.0, 2.0))
def test_derivatives_of_drawn_analytic_functions(seed, order, decades):
    # sum of a sine, an exponential and a polynomial, bending over 10^decades
    a, b, c, x = np.random.default_rng(seed).normal(size=4)
    w = 10.0**decades

    def f(r, rows):
        z = np.full(len(rows), x + 0j if np.iscomplexobj(r) else x) + r / w
        return a * np.sin(z) + b * np.exp(0.3 * z) + c * z**3

    truth = {
        1: a * np.cos(x) + 0.3 * b * np.exp(0.3 * x) + 3.0 * c * x**2,
        2: -a * np.sin(x) + 0.09 * b * np.exp(0.3 * x) + 6.0 * c * x,
        3: -a * np.cos(x) + 0.027 * b * np.exp(0.3 * x) + 6.0 * c,
    }[order] / w**order
    size = (abs(a) + abs(b) + abs(c)) * (1.0 + x**2) / w**order
    by_differences = ridders(f, order, n=2, width=1.0, size=abs(x) * w)
    by_complex = (complex_step if order == 1 else lambda *q, **k: half_circle(f, order, **k))(
        f, n=2, width=1.0, size=abs(x) * w
    )
    # A width that is w times too small loses what rounding takes.
    lost = max(1.0, w) ** order
    assert np.all(
        np.abs(by_differences.value - truth) <= np.array([1e-12, 1e-10, 1e-8])[order - 1] * size * lost
    )
    assert np.all(np.abs(by_complex.value - truth) <= 3e-14 * size * max(1.0, w) ** (order - 1))
    for found in (by_differences, by_complex):
        assert np.all(np.abs(found.value - truth) <= found.error + 1e-15 * size)


# -- in a risk ------------------------------------------------------------------------------------------


@examples(40)
@given(problems(losses=tuple(WITH_COMPLEX), decades=0))
def test_the_risk_is_that_of_the_closed_form(problem):
    numerical = ist.NumericalLoss(ANALYTIC[problem.case.name], targets=problem.case.loss.check_targets)
    risk, other = problem.risk(), problem.risk().with_loss(numerical)
    theta, plain = problem.theta, problem.plain()
    np.testing.assert_allclose(other.value(theta), risk.value(theta), rtol=CLOSED_FORM)
    gap = np.abs(other.gradient(theta) - risk.gradient(theta))
    assert np.all(gap <= 1e-12 * plain.gradient_size(theta))
    gap = np.abs(other.curvature(theta).to_dense() - risk.curvature(theta).to_dense())
    assert np.all(gap <= 1e-11 * (plain.hessian_size(theta) + plain.gradient_size(theta).max()))


@pytest.mark.dear
@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_fit_influence_and_refits_need_the_value_only(case):
    problem = make_problem(case, 15, 2, seed=3, strength=2.0, intercept=True, protocol="folded")
    closed = ist.Fit.minimise(problem.risk())
    loss = ist.NumericalLoss(case.loss.value, targets=case.loss.check_targets, width=case.plain.width)
    numerical = ist.Fit.minimise(problem.risk().with_loss(loss), start=closed.theta)
    np.testing.assert_allclose(numerical.theta, closed.theta, rtol=0, atol=TWO_FITS)
    for values in (lambda fit: fit.influence().on_theta().values, lambda fit: fit.leave_one_out().delta):
        truth = values(closed)
        np.testing.assert_allclose(
            values(numerical), truth, rtol=0, atol=STANDARD_ERRORS * np.abs(truth).max()
        )


def test_flat_places_are_not_mistaken_for_kinks():
    loss = ist.NumericalLoss(lambda y, eta: np.asarray((y - eta) ** 4, dtype=float))
    y = np.array([0.0, 1.0, 1.0])
    np.testing.assert_allclose(loss.second(y, np.array([0.0, 1.0, 3.0])), [0.0, 0.0, 48.0], atol=INVERTED)
    flat = ist.NumericalLoss(lambda y, eta: np.zeros(len(eta)))
    assert np.all(flat.second(y, y) == 0.0)


def test_broadcasting_and_shapes():
    loss = ist.NumericalLoss(lambda y, eta: (y - eta) ** 2)
    y, eta = np.arange(3.0), np.ones((3, 4))
    for name, truth in (("value", (y[:, None] - eta) ** 2), ("first", 2.0 * (eta - y[:, None]))):
        np.testing.assert_allclose(getattr(loss, name)(y[:, None], eta), truth, rtol=SUMS, atol=1e-14)
    assert loss.second(1.0, 2.0).shape == ()
    assert loss.derivative(2, y, eta[:, 0]).error.shape == (3,)


def test_the_mean_is_the_one_given():
    loss = ist.NumericalLoss(lambda y, eta: np.logaddexp(0.0, eta) - y * eta, mean_function=expit)
    eta = np.linspace(-3.0, 3.0, 7)
    assert np.array_equal(loss.mean(eta), expit(eta))
    np.testing.assert_allclose(loss.mean_derivative(eta), expit(eta) * expit(-eta), rtol=1e-11)
    with pytest.raises(Unsupported, match="Give NumericalLoss a mean_function"):
        ist.NumericalLoss(lambda y, eta: eta**2).mean_derivative(eta)


# -- complex numbers that mean something else -----------------------------------------------------------

NOT_ANALYTIC = {
    "modulus": lambda y, eta: np.where(
        np.abs(y - eta) < 1.5, 0.5 * (y - eta) ** 2, 1.5 * np.abs(y - eta) - 1.125
    ),
    "real part": lambda y, eta: (y - eta).real ** 2 + 0.0j if np.iscomplexobj(eta) else (y - eta) ** 2,
    "conjugate": lambda y, eta: (y - eta) * np.conj(y - eta),
    "wrong": lambda y, eta: 2.0 * eta if np.iscomplexobj(eta) else eta**2,
    "drops it": lambda y, eta: (y - np.asarray(eta).astype(float)) ** 2,
    "refuses": lambda y, eta: (y - np.maximum(eta, -np.inf).astype(np.float64, casting="safe")) ** 2,
}


@pytest.mark.parametrize("name", NOT_ANALYTIC)
def test_functions_that_only_seem_to_take_complex_numbers_are_differenced(name):
    loss = ist.NumericalLoss(NOT_ANALYTIC[name])
    rng = np.random.default_rng(0)
    y, eta = rng.normal(size=50) * 3.0, rng.normal(size=50)
    assert not loss.uses_complex_step(y, eta)
    truth = {"modulus": ist.HuberLoss(1.5).first(y, eta), "wrong": 2.0 * eta}.get(name, 2.0 * (eta - y))
    np.testing.assert_allclose(loss.first(y, eta), truth, rtol=1e-9, atol=1e-11)


def test_branches_on_the_real_part_are_fine():
    loss = ist.NumericalLoss(lambda y, eta: np.where(y * eta.real < 1.0, (1.0 - y * eta) ** 2, 0.0 * eta))
    rng = np.random.default_rng(0)
    y, eta = rng.choice([-1.0, 1.0], 50), rng.normal(size=50)
    assert loss.uses_complex_step(y, eta)
    np.testing.assert_allclose(loss.first(y, eta), ist.SquaredHinge().first(y, eta), rtol=SUMS, atol=1e-14)
    np.testing.assert_allclose(loss.second(y, eta), ist.SquaredHinge().second(y, eta), atol=1e-8)


# -- bad functions --------------------------------------------------------------------------------------


def writes(y, eta):
    eta -= y
    return eta**2


class Moody:
    def __init__(self):
        self.rng = np.random.default_rng(0)

    def __call__(self, y, eta):
        return (y - eta) ** 2 + 1e-9 * self.rng.normal(size=eta.shape)


Y, ETA = np.array([0.0, 1.0, 2.0]), np.array([0.5, 1.0, -1.0])
BAD = {
    "scalar": (
        lambda y, eta: np.sum((y - eta) ** 2),
        InvalidArgument,
        r"function must return one loss per row, shape \(3,\), but it returned shape \(\)",
    ),
    "column": (lambda y, eta: ((y - eta) ** 2)[:, None], InvalidArgument, r"returned shape \(3, 1\)"),
    "nothing": (
        lambda y, eta: None,
        InvalidType,
        "function must return an array, but it returned None. Is its `return` missing",
    ),
    "nan": (lambda y, eta: np.log(eta), InvalidArgument, r"function must .* at y = 2, eta = -1"),
    "writes": (writes, InvalidArgument, "function must leave y and eta as they are, but it writes to them"),
    "random": (
        Moody(),
        InvalidArgument,
        "function must be deterministic, but it gives different .* y = 0, .* Draw its random numbers once",
    ),
    "float32": (
        lambda y, eta: ((y - eta) ** 2).astype(np.float32),
        InvalidType,
        "function must return float64",
    ),
    "whole numbers": (
        lambda y, eta: (7.0 * (y - eta) ** 2).astype(int),
        InvalidType,
        "function must return float64, but it returned int64. Whole numbers are stairs",
    ),
    "complex": (lambda y, eta: (y - eta) ** 2 + 0j, InvalidType, "function must return real numbers"),
    "text": (lambda y, eta: np.array(["a", "b", "c"]), InvalidType, "function must return real numbers"),
    "kink": (
        lambda y, eta: np.abs(y - eta) ** 1.5,
        InvalidArgument,
        r"function must be twice differentiable .* y = 1, eta = 1",
    ),
    "symmetric kink": (
        lambda y, eta: np.abs(y - eta),
        InvalidArgument,
        "must be twice differentiable .* at y = 1",
    ),
    "Huber's kink": (
        lambda y, eta: ist.HuberLoss(0.5).value(y, eta),
        InvalidArgument,
        "second derivative that jumps at y = 0, eta = 0.5",
    ),
    "jump": (
        lambda y, eta: np.where(eta >= 1.0, 1.0, 0.0),
        InvalidArgument,
        r"function must be .* at y = 1, eta = 1",
    ),
}


VERDICTS = {
    "NumPy's False": (lambda y: (y >= 0).all(), InvalidArgument, "y must be targets"),
    "False": (lambda y: bool((y >= 0).all()), InvalidArgument, "y must be targets"),
    "one per row": (lambda y: y >= 0, InvalidArgument, "y must be targets .*, but it holds -1"),
    "numbers": (lambda y: y, InvalidType, "targets must return True or False"),
    "an error": (lambda y: np.log(-1), RuntimeWarning, "invalid value"),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_targets_are_refused_as_the_loss_says(name):
    verdict, error, sentence = VERDICTS[name]
    loss = ist.NumericalLoss(lambda y, eta: np.exp(eta) - y * eta, targets=verdict)
    with pytest.raises(error, match=sentence):
        loss.check_targets([2.0, -1.0])
    if error is InvalidArgument:
        assert loss.check_targets([2.0, 1.0]).tolist() == [2.0, 1.0]


def test_a_function_that_is_nearly_analytic_is_differenced():
    loss = ist.NumericalLoss(lambda y, eta: (y - eta) ** 2 * (1 + 1e-5 * np.cos(eta.real)))
    y, eta = np.zeros(3), np.array([0.5, 1.0, 2.0])
    truth = 2.0 * eta * (1 + 1e-5 * np.cos(eta)) - eta**2 * 1e-5 * np.sin(eta)
    assert loss.first(y, eta) == pytest.approx(truth, rel=1e-11)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # NumPy's own, of log(-1) in "nan"
@pytest.mark.parametrize("name", BAD)
def test_bad_functions_are_refused_with_the_point(name):
    function, error, sentence = BAD[name]
    loss = ist.NumericalLoss(function)
    with pytest.raises(error, match=sentence):
        loss.value(Y, ETA), loss.second(Y, ETA)


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda: ist.NumericalLoss("loss"), InvalidType, "function must be a function, but it is 'loss'"),
        (lambda: ist.NumericalLoss(np.add, targets=1), InvalidType, "targets must be a function"),
        (lambda: ist.NumericalLoss(np.add, width=0.0), InvalidArgument, "width must be greater than 0"),
        (lambda: ist.NumericalLoss(np.add, self_concordance=-1.0), InvalidArgument, "self_concordance must"),
        (lambda: ist.NumericalLoss(np.add).derivative(4, Y, ETA), InvalidArgument, "order must be 1 or"),
        (
            lambda: ist.NumericalLoss(np.add, targets=lambda y: bool((y >= 0).all())).check_targets([-1.0]),
            InvalidArgument,
            "y must be targets that the loss has a meaning for",
        ),
    ],
)
def test_bad_settings_are_refused(make, error, sentence):
    with pytest.raises(error, match=sentence):
        make()


def test_it_prints_the_name_of_the_function_and_what_is_not_usual():
    def cosh(y, eta):
        return np.log(np.cosh(y - eta))

    assert repr(ist.NumericalLoss(cosh)) == "NumericalLoss(cosh)"
    assert repr(ist.NumericalLoss(lambda y, eta: eta**2)) == "NumericalLoss(<lambda>)"
    told = ist.NumericalLoss(np.logaddexp, width=2.0, targets=np.isfinite, self_concordance=1.0)
    assert repr(told) == "NumericalLoss(logaddexp, width=2.0, targets=isfinite, self_concordance=1.0)"


def test_its_inference_says_why_it_has_no_table():
    loss = ist.NumericalLoss(lambda y, eta: np.log(np.cosh(y - eta)))
    fit = ist.Fit.minimise(ist.LinearRisk(loss, [[1.0], [1.0], [1.0]], [1.0, 3.0, 4.0]))
    assert repr(fit.inference()).startswith("Inference without a table: fit must have a loss with a variance")
