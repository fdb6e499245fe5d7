"""What influence means: derivatives of refits, first-order removal, and what must not matter."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given
from hypothesis import strategies as st

import influstat as ist
from tests.budget import examples, some, spread
from tests.cases import LOSSES, make_problem, problems
from tests.reference import assert_within, derivative
from tests.tolerance import STOP, condition, minimised

POSITIVE = ("ones", "positive", "counts")
SQUARED, LOGISTIC, SIGNED, HINGE = LOSSES[:4]
REFITTED = [SQUARED, LOGISTIC, pytest.param(SIGNED, marks=pytest.mark.slow), HINGE]  # SIGNED: other labels


def refit(problem, theta, weights):
    """Return the minimiser with other weights, by the plain Newton's method from theta."""
    return problem.plain().reweighted(weights).minimiser(start=theta)


def sizes(problem, theta, row):
    """Return what d theta / d w_row is built of, |H^-1| |g| / W, and how far rounding moves a minimiser."""
    plain = problem.plain()
    inverse = np.abs(np.linalg.inv(plain.hessian(theta)))
    rounding = 1e-15 * inverse @ plain.gradient_size(theta)
    return inverse @ np.abs(plain.row_gradients(theta)[row]) / plain.total_weight, rounding


def gentle(problem, fit, row, bend):
    """Return a change of w_row over which no eta moves more than `bend` of the loss's width.

    Nor more than 3 `bend` of the weight itself, in which even a squared error's fit is not linear.
    """
    plain = problem.plain()
    step = plain.influence_on_theta(fit.theta)[row] / plain.total_weight
    moved = np.max(np.abs(plain.X @ step), initial=0.0)
    assume(moved > 0)
    return min(bend / max(1.0, problem.case.c) / moved, 3.0 * bend * plain.weights[row])


# -- derivative and removal ---------------------------------------------------------------------------


@examples(40)
@given(problems(solvable=True, weights=POSITIVE), st.data())
def test_influence_is_the_derivative_of_the_refit_in_the_weight(problem, data):
    row = data.draw(st.integers(0, problem.n - 1))
    fit = ist.Fit.minimise(problem.risk())
    weights, h = problem.plain().weights, gentle(problem, fit, row, 3e-3)
    of_row = np.arange(problem.n) == row
    truth = derivative(lambda change: refit(problem, fit.theta, weights + change * of_row), h)
    size, rounding = sizes(problem, fit.theta, row)
    size = size + 1e6 * rounding / h
    total = fit.risk.total_weight
    assert_within(fit.influence().on_theta().values[row] / total, truth, size, 1e-6)
    tests = fit.risk.test_rows(problem.X_test, problem.y_test).row_gradients(fit.theta)
    on_loss = fit.influence().on_loss(problem.X_test, problem.y_test).values[row]
    assert_within(on_loss / total, tests @ truth, np.abs(tests) @ size, 1e-6)


@examples(20)
@given(problems(solvable=True, weights=("zeros",)))
def test_a_row_of_weight_zero_has_the_influence_that_a_little_weight_would_have(problem):
    weights = problem.plain().weights
    row = int(np.argmin(weights))
    fit = ist.Fit.minimise(problem.risk())
    step = problem.plain().influence_on_theta(fit.theta)[row] / weights.sum()
    moved = np.max(np.abs(problem.plain().X @ step), initial=0.0)
    assume(moved > 0)
    h = min(1e-3 / max(1.0, problem.case.c) / moved, 1e-3 * weights.sum())
    of_row = np.arange(problem.n) == row
    f = [refit(problem, fit.theta, weights + k * h * of_row) for k in range(5)]
    truth = (-25.0 * f[0] + 48.0 * f[1] - 36.0 * f[2] + 16.0 * f[3] - 3.0 * f[4]) / (12.0 * h)
    scores = fit.influence().on_theta()
    size, rounding = sizes(problem, fit.theta, row)
    assert_within(scores.values[row] / weights.sum(), truth, size + 1e7 * rounding / h, 1e-6)
    assert not scores.removal[row].any()


@examples(40)
@given(problems(solvable=True, weights=POSITIVE), st.data())
def test_halving_the_removed_weight_divides_the_error_by_four(problem, data):
    row = data.draw(st.integers(0, problem.n - 1))
    fit = ist.Fit.minimise(problem.risk())
    weights, change = problem.plain().weights, gentle(problem, fit, row, 1e-2)
    of_row = np.arange(problem.n) == row
    first_order = fit.influence().on_theta().removal[row] / weights[row]
    hessian = problem.plain().hessian(fit.theta)

    def error(part):
        return refit(problem, fit.theta, weights - part * of_row) - fit.theta - part * first_order

    def norm(vector):
        return np.sqrt(vector @ hessian @ vector)

    whole, half = error(change), error(change / 2.0)
    noise = 100.0 * norm(sizes(problem, fit.theta, row)[1])
    assert norm(whole) <= 0.2 * norm(change * first_order) + noise
    # Of second order, up to a term of third: 1e-2 of the loss's width squared, times the change itself.
    assert norm(4.0 * half - whole) <= 10.0 * 1e-2**2 * norm(change * first_order) + 5.0 * noise


@pytest.mark.parametrize(("weights", "protocol"), [("ones", "fixed"), ("positive", "folded")])
@pytest.mark.parametrize("case", some(REFITTED), ids=str)
def test_removal_has_the_sign_and_the_scale_of_exact_refits(case, weights, protocol):
    n = 400
    problem = make_problem(
        case, n, 2, 7, weights=weights, offset=True, strength=20.0, intercept=True, protocol=protocol, tests=5
    )
    fit = ist.Fit.minimise(problem.risk())
    first_order = fit.influence().on_loss(problem.X_test, problem.y_test).removal
    before = fit.loss(problem.X_test, problem.y_test)
    weights, risk = problem.plain().weights, problem.risk()
    tests = fit.risk.test_rows(problem.X_test, problem.y_test)  # W stays that of training
    exact = np.empty((n, 5))
    rows = spread(np.arange(n))
    for row in rows:
        left = ist.Fit.minimise(risk.reweighted(weights * (np.arange(n) != row)), start=fit.theta)
        exact[row] = tests.row_losses(left.theta) - before
    first_order, exact = first_order[rows], exact[rows]
    for k in range(5):
        slope = first_order[:, k] @ exact[:, k] / (first_order[:, k] @ first_order[:, k])
        error, largest = np.abs(first_order[:, k] - exact[:, k]).max(), np.abs(exact[:, k]).max()
        assert 0.98 < slope < 1.03  # about 1 + the mean leverage
        assert error < 0.1 * largest
        clear = np.abs(exact[:, k]) > 0.1 * largest
        assert np.array_equal(np.sign(first_order[clear, k]), np.sign(exact[clear, k]))
        assert (exact[clear, k] > 0).any()
        assert (exact[clear, k] < 0).any()


def test_positive_removal_of_a_loss_means_that_the_row_helps():
    X, y = np.array([[1.0], [1.0], [1.0], [1.0]]), np.array([0.0, 0.0, 0.0, 4.0])  # theta = 1
    removal = ist.Ridge(lam=0.0).fit(X, y).influence().on_loss([[1.0]], [0.0]).removal[:, 0]
    # Without a 0 the mean rises to 4/3, the loss of a test row 0 with it; without the 4 it falls to 0.
    np.testing.assert_allclose(removal, [0.5, 0.5, 0.5, -1.5], rtol=1e-14)


# -- what must not matter -----------------------------------------------------------------------------


def same(found, truth, problem):
    """Assert that scores are equal to rounding, relative to the largest.

    The Hessian's rows change by c times what rounding does to their predictors: at one theta, and because
    two fits end at two minimisers. In a nearly flat direction those are far apart.
    """
    plain, theta = problem.plain(), ist.Fit.minimise(problem.risk()).theta
    moved = np.max(plain.eta_spread(theta) + np.abs(plain.X) @ minimised(plain, theta))
    hessian = plain.hessian(theta)
    size = condition(hessian) * len(theta) * (1.0 + problem.case.c * moved)
    assert_within(found, truth, size * np.abs(truth).max())


def on_loss(problem, **changes):
    fit = ist.Fit.minimise(problem.risk(**changes))
    return fit.influence().on_loss(problem.X_test, problem.y_test)


@examples(30)
@given(problems(solvable=True), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(problem, random):
    order = list(range(problem.n))
    random.shuffle(order)
    shuffled, straight = on_loss(problem.rows(order)), on_loss(problem)
    same(shuffled.values, straight.values[order], problem)
    same(shuffled.removal, straight.removal[order], problem)


@examples(30)
@given(problems(solvable=True, weights=("counts",)))
def test_integer_weights_are_repeated_rows(problem):
    counts = problem.weights.astype(int)
    copies = np.repeat(np.arange(problem.n), counts)
    repeated = on_loss(replace(problem.rows(copies), weights=None))
    weighted = on_loss(problem)
    same(repeated.values, weighted.values[copies], problem)
    same(weighted.removal[copies], repeated.removal * counts[copies][:, None], problem)


@examples(30)
@given(problems(solvable=True), st.sampled_from([sp.csr_array, sp.csc_array, sp.coo_array, sp.csr_matrix]))
def test_sparse_equals_dense(problem, form):
    dense, sparse = (ist.Fit.minimise(problem.risk(X=X)).influence() for X in (problem.X, form(problem.X)))
    same(sparse.on_theta().values, dense.on_theta().values, problem)
    same(sparse.on_self().values, dense.on_self().values, problem)
    tests = form(problem.X_test)
    same(
        sparse.on_loss(tests, problem.y_test).values,
        dense.on_loss(problem.X_test, problem.y_test).values,
        problem,
    )


@examples(30)
@given(problems(solvable=True), st.floats(1e-3, 1e3))
def test_the_unit_of_the_weights_does_not_matter(problem, factor):
    weights = problem.plain().weights * factor
    scaled = on_loss(problem, weights=weights, penalty=ist.L2(problem.strength * factor))
    same(scaled.values, on_loss(problem).values, problem)
    same(scaled.removal, on_loss(problem).removal, problem)


@pytest.mark.parametrize("case", LOSSES, ids=str)
@examples(15)
@given(st.integers(0, 10**6), st.integers(1, 4), st.booleans())
def test_without_a_penalty_only_the_space_of_the_columns_matters(case, seed, p, weighted):
    rng = np.random.default_rng(seed)
    problem = make_problem(
        case,
        30,
        p,
        seed,
        strength=0.0,
        weights="positive" if weighted else "ones",
        offset=True,
        intercept=True,
    )
    if case.targets != "real":  # each row in both classes, one a little off: no separation, no two rows alike
        labels = {"0/1": (0.0, 1.0), "-1/+1": (-1.0, 1.0)}[case.targets]
        near = problem.X[:15] + 0.05 * rng.normal(size=(15, p))
        problem = replace(problem, X=np.vstack([problem.X[:15], near]), y=np.repeat(labels, 15))
    mix = np.linalg.qr(rng.normal(size=(p, p)))[0] * np.exp(rng.uniform(-1.0, 1.0, p))
    try:
        plain = ist.Fit.minimise(problem.risk())
    except ist.errors.NoMinimiser:
        assume(False)
    mixed = ist.Fit.minimise(problem.risk(X=problem.X @ mix))
    scale = np.abs(plain.theta).max() * np.linalg.cond(plain.hessian.to_dense())
    np.testing.assert_allclose(mix @ mixed.theta[:-1], plain.theta[:-1], rtol=0, atol=1e-12 * scale)
    truth = plain.influence()
    other = mixed.influence()
    expected = truth.on_loss(problem.X_test, problem.y_test).values
    found = other.on_loss(problem.X_test @ mix, problem.y_test).values
    slack = 1e-11 * max(1.0, case.c) * np.linalg.cond(plain.hessian.to_dense())
    np.testing.assert_allclose(found, expected, rtol=0, atol=slack * np.abs(expected).max())
    expected, found = truth.on_self().values, other.on_self().values
    np.testing.assert_allclose(found, expected, rtol=0, atol=slack * np.abs(expected).max())
    back = other.on_theta().values[:, :-1] @ mix.T
    expected = truth.on_theta().values[:, :-1]
    np.testing.assert_allclose(back, expected, rtol=0, atol=slack * np.abs(expected).max())


@examples(50)
@given(problems(solvable=True))
def test_weighted_influences_on_theta_add_up_to_what_the_penalty_leaves(problem):
    fit, plain = ist.Fit.minimise(problem.risk()), problem.plain()
    total = plain.weights @ fit.influence().on_theta().values / plain.total_weight
    left = 0.0 if problem.protocol == "folded" else plain.kappa * plain.D * fit.theta / plain.total_weight
    truth = np.linalg.solve(plain.hessian(fit.theta), left * np.ones(len(fit.theta)))
    # The fit may stop at a gradient of STOP, which is then left over.
    assert_within(total, truth, minimised(plain, fit.theta), 2.0 * STOP)
