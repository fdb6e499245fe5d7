"""Influence functions against the plain loops: every question, solver and side on which it is solved."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import example, given
from hypothesis import strategies as st

import influstat as ist
from influstat.errors import (
    DoubtfulResult,
    InvalidArgument,
    InvalidType,
    Unsupported,
)
from tests.budget import examples
from tests.cases import LOSSES, make_problem, problems
from tests.reference import assert_within
from tests.solver_cases import close
from tests.tolerance import differenced, scaled, solved

few = examples(60)


def fitted(problem):
    """Return the fit, the plain risk, the size of -H^-1 g_i for rounding (n, p), and 1 / sqrt(H_jj)."""
    fit, plain = ist.Fit.minimise(problem.risk()), problem.plain()
    hessian, truth = plain.hessian(fit.theta), plain.influence_on_theta(fit.theta)
    size = solved(hessian, plain.hessian_size(fit.theta), truth, plain.row_gradient_sizes(fit.theta))
    return fit, plain, size, scaled(hessian)[1]


@examples(120)
@given(problems(solvable=True))
def test_influence_on_theta_is_equation_9(problem):
    fit, plain, size, _ = fitted(problem)
    scores = fit.influence().on_theta()
    truth = plain.influence_on_theta(fit.theta)
    assert_within(scores.values, truth, size)
    assert_within(scores.removal, plain.removal(truth), size)
    assert scores.columns == fit.names
    assert scores.quantity == "theta"


@examples(120)
@given(problems(solvable=True), st.integers(1, 30), st.booleans())
def test_influence_on_loss_is_equation_10(problem, m, with_offset):
    fit, plain, size, _ = fitted(problem)
    rng = np.random.default_rng(m)
    pick = rng.integers(0, 3, m)
    X, y = problem.X_test[pick], problem.y_test[pick]
    offset = rng.normal(size=m) if with_offset else None
    scores = fit.influence().on_loss(X, y, offset=offset)
    truth = plain.influence_on_loss(fit.theta, problem.with_ones(X), y, offset)
    tests = replace(plain, X=problem.with_ones(X), y=y, offset=np.zeros(m) if offset is None else offset)
    tests = replace(tests, weights=np.full(m, plain.total_weight / m))
    bound = size @ tests.row_gradient_sizes(fit.theta).T
    assert_within(scores.values, truth, bound)
    assert_within(scores.removal, plain.removal(truth), bound)
    assert scores.columns == tuple(range(m))
    assert scores.quantity == "loss"


@few
@given(problems(solvable=True))
def test_the_influence_on_oneself_is_the_diagonal(problem):
    fit, plain, size, _ = fitted(problem)
    scores = fit.influence().on_self()
    pairs = fit.influence().on_loss(problem.X, problem.y, offset=problem.offset).values
    bound = np.sum(size * plain.row_gradient_sizes(fit.theta), axis=1)
    assert_within(scores.values, np.diag(pairs), bound)
    assert np.all(scores.values <= 0.0)
    assert scores.values.shape == scores.removal.shape == (problem.n,)


@few
@given(problems(solvable=True))
def test_influence_on_predictions(problem):
    fit, plain, size, _ = fitted(problem)
    X = problem.with_ones(problem.X_test)
    truth = plain.influence_on_theta(fit.theta) @ X.T
    scores = fit.influence().on_prediction(problem.X_test)
    assert_within(scores.values, truth, size @ np.abs(X).T)
    assert scores.quantity == "linear prediction"
    if isinstance(problem.case.loss, ist.SmoothedHinge):
        with pytest.raises(Unsupported, match='kind must be "linear" for the smoothed hinge'):
            fit.influence().on_prediction(problem.X_test, kind="mean")
        return
    offset = np.array([0.5, -1.0, 0.0])
    eta = X @ fit.theta + offset
    slope = np.ones(3) if problem.case.targets == "real" else np.exp(-abs(eta)) / (1 + np.exp(-abs(eta))) ** 2
    scores = fit.influence().on_prediction(problem.X_test, kind="mean", offset=offset)
    spread = 1.0 + np.abs(X) @ np.abs(fit.theta)  # rounding in eta, which the slope feels
    assert_within(scores.values, truth * slope, size @ np.abs(X).T * slope * spread)
    assert scores.quantity == "mean prediction"


# -- any quantity -------------------------------------------------------------------------------------


@few
@given(problems(solvable=True), st.integers(1, 40))
def test_influence_on_any_quantity_by_its_gradient(problem, m):
    fit, plain, size, root = fitted(problem)
    a = np.random.default_rng(m).normal(size=(len(fit.theta), m)) / root[:, None]
    truth = plain.influence_on_theta(fit.theta) @ a
    bound = size @ np.abs(a)
    infl = fit.influence()
    assert_within(infl.on(a).values, truth, bound)
    one = infl.on(a[:, 0])
    assert_within(one.values, truth[:, 0], bound[:, 0])
    assert one.values.shape == one.removal.shape == (problem.n,)
    assert infl.on(a[:, :1]).values.shape == (problem.n, 1)


@few
@given(problems(solvable=True, decades=6))
@example(make_problem(LOSSES[-1], 8, 3, 130, scales=(10.0, 1.0, 10.0), strength=0.01))  # condition 7e3
def test_a_function_of_theta_is_differentiated_whatever_the_units(problem):
    fit, _, size, root = fitted(problem)
    d = np.random.default_rng(0).normal(size=(len(fit.theta), 2)) / root[:, None]
    d /= 1.0 + np.abs(fit.theta) @ np.abs(d)  # |theta'd| < 1

    def quantity(theta):
        return np.array([np.sin(theta @ d[:, 0]) * np.exp(theta @ d[:, 1]), theta @ d[:, 0], 7.0])

    s, e = fit.theta @ d[:, 0], np.exp(fit.theta @ d[:, 1])
    gradient = np.column_stack([np.cos(s) * e * d[:, 0] + np.sin(s) * e * d[:, 1], d[:, 0], 0.0 * d[:, 0]])
    infl = fit.influence()
    found, truth = infl.on(quantity).values, infl.on(gradient).values
    # Five points h apart, 7e-4 of a standard error: values up to e are rounded, and h^4 / 30 times the fifth
    # derivative, e (|d0| + |d1|)^5 at most, is cut off; twice, as steps may be a little longer than that.
    h = 7e-4 * root / np.sqrt(fit.risk.total_weight)
    cut_off = h**4 / 30.0 * np.e * np.abs(d).sum(axis=1) ** 5
    of_gradient = 2.0 * (differenced(np.e, h) + cut_off)
    error = np.abs(infl.on_theta().values) @ of_gradient
    assert np.all(np.abs(found - truth) <= error[:, None])
    scalar = infl.on(lambda theta: quantity(theta)[0])
    assert scalar.values.shape == (problem.n,)
    # The same differences; but one right-hand side and three are solved for by sums in another order.
    assert_within(scalar.values, found[:, 0], size @ (np.abs(gradient[:, 0]) + of_gradient))


def small():
    return ist.Ridge(lam=1.0).fit(np.random.default_rng(0).normal(size=(30, 3)), np.arange(30.0))


BAD_GRADIENTS = [
    (np.ones(4), InvalidArgument, r"gradient must have shape \(3,\) or \(3, m\), but it has shape \(4,\)"),
    (np.ones((2, 3)), InvalidArgument, "gradient must have shape"),
    (np.ones((3, 0)), InvalidArgument, "gradient must have shape"),
    (np.ones((3, 1, 1)), InvalidArgument, "gradient must have shape"),
    (1.0, InvalidArgument, "gradient must have shape"),
    ([1.0, np.nan, 0.0], InvalidArgument, "gradient must be finite, but it holds nan at row 1"),
    (np.ones(3) * 1j, InvalidType, "gradient must hold real numbers"),
    (["a", "b", "c"], InvalidType, "gradient must hold real numbers"),
    (None, InvalidType, "gradient must be an array, but it is None"),
    (sp.csr_array(np.ones((3, 1))), InvalidType, "gradient must be a dense array"),
    (lambda theta: theta[0] * np.nan, InvalidArgument, "gradient must be finite"),
    (lambda theta: np.outer(theta, theta), InvalidArgument, "gradient must return a number or a vector"),
    (lambda theta: theta * 1j, InvalidType, "gradient must hold real numbers"),
    (lambda theta: theta[theta > small().theta], InvalidArgument, "gradient must return arrays of one shape"),
    (lambda theta: "high", InvalidType, "gradient must hold real numbers"),
]


@pytest.mark.parametrize(("wrong", "error", "sentence"), BAD_GRADIENTS)
def test_what_is_no_gradient_is_refused(wrong, error, sentence):
    with pytest.raises(error, match=f"^{sentence}"):
        small().influence().on(wrong)


# -- which solver, which side -------------------------------------------------------------------------

EXACT = {
    "cholesky": ist.Cholesky(),
    "conjugate gradients": ist.ConjugateGradient(rtol=1e-13),
    "taylor": ist.Taylor(depth=20_000),
}
SIDES = {"more rows": (40, 5, 9), "more coefficients": (7, 12, 3), "more tests": (9, 4, 30)}


def questions(fit, problem):
    infl = fit.influence
    return {
        "theta": lambda solver: infl(solver=solver).on_theta(),
        "loss": lambda solver: infl(solver=solver).on_loss(problem.X_test, problem.y_test),
        "prediction": lambda solver: infl(solver=solver).on_prediction(problem.X_test, kind="mean"),
        "quantity": lambda solver: infl(solver=solver).on(np.arange(1.0, 1.0 + len(fit.theta))),
        "self": lambda solver: infl(solver=solver).on_self(),
    }


@pytest.mark.parametrize("solver", EXACT)
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("question", ["theta", "loss", "prediction", "quantity", "self"])
def test_every_solver_answers_every_question_on_either_side(solver, side, question):
    n, p, m = SIDES[side]
    problem = make_problem(
        LOSSES[1], n, p, 4, strength=5.0, weights="positive", offset=True, protocol="folded", tests=m
    )
    fit = ist.Fit.minimise(problem.risk())
    ask = questions(fit, problem)[question]
    truth = problem.plain().influence_on_theta(fit.theta)
    if question == "loss":
        truth = problem.plain().influence_on_loss(fit.theta, problem.X_test, problem.y_test)
    elif question == "prediction":
        mean = 1.0 / (1.0 + np.exp(-problem.X_test @ fit.theta))
        truth = truth @ problem.X_test.T * mean * (1.0 - mean)
    elif question == "quantity":
        truth = truth @ np.arange(1.0, 1.0 + p)
    elif question == "self":
        truth = np.sum(truth * problem.plain().row_gradients(fit.theta), axis=1)
    scores = ask(EXACT[solver])
    close(scores.values, truth, 1e-9)
    solved_for = {"theta": min(n, p), "loss": min(n, m), "prediction": min(n, m), "quantity": 1}
    solves = solved_for.get(question, min(n, p))
    assert scores.solution.residual.shape == (solves,)
    assert scores.solution.converged.all()
    assert scores.solution.residual.max() <= 1e-9


def test_test_rows_one_by_one_or_all_at_once():
    problem = make_problem(LOSSES[1], 9, 4, 1, strength=5.0, tests=30)
    infl = ist.Fit.minimise(problem.risk()).influence()
    together = infl.on_loss(problem.X_test, problem.y_test).values
    alone = [infl.on_loss(problem.X_test[k : k + 1], problem.y_test[k : k + 1]).values for k in range(30)]
    close(together, np.hstack(alone), 1e-13)


def test_lissa_answers_with_its_residual_and_spread():
    problem = make_problem(LOSSES[1], 60, 4, 2, strength=20.0, tests=3)
    fit = ist.Fit.minimise(problem.risk())
    truth = fit.influence().on_loss(problem.X_test, problem.y_test)
    scores = fit.influence(solver=ist.LiSSA(depth=400, repeats=40)).on_loss(problem.X_test, problem.y_test)
    assert scores.solution.residual.shape == scores.solution.spread.shape == (3,)
    assert 0.0 < scores.solution.residual.max() < 0.3
    error = np.linalg.norm(scores.values - truth.values, axis=0) / np.linalg.norm(truth.values, axis=0)
    assert error.max() < 0.3


def test_damping_is_part_of_the_answer():
    fit = small()
    damped = fit.influence(solver=ist.Cholesky(damping=0.5)).on_theta().values
    hessian = fit.hessian.to_dense() + 0.5 * np.eye(3)
    close(damped, -np.linalg.solve(hessian, fit.risk.row_gradients(fit.theta).T).T, 1e-13)


def test_one_factorisation_serves_all_questions():
    class Counting(ist.Cholesky):
        prepared = 0

        def prepare(self, operator):
            Counting.prepared += 1
            return super().prepare(operator)

    infl = small().influence(solver=Counting())
    assert Counting.prepared == 0
    infl.on_theta(), infl.on_self(), infl.on_prediction(np.ones((2, 3))), infl.on_loss(np.ones((1, 3)), [0.0])
    assert Counting.prepared == 1


# -- refusals -----------------------------------------------------------------------------------------

FRAME = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3)), columns=["a", "b", "c"])
BAD_TESTS = [
    (np.ones((2, 2)), [0, 1], None, InvalidArgument, "X must have the 3 columns of the training rows"),
    (np.ones(3), [0], None, InvalidArgument, "X must be two-dimensional"),
    (np.ones((1, 3, 1)), [0], None, InvalidArgument, "X must be two-dimensional"),
    (np.ones((0, 3)), [], None, InvalidArgument, "X must have at least one row"),
    (FRAME[["b", "a", "c"]][:2], [0, 1], None, InvalidArgument, "X must name its columns as the training"),
    (FRAME[:2], pd.Series([0, 1], index=[1, 7]), None, InvalidArgument, "y must have the labels of X"),
    ([[1.0, np.inf, 0.0]], [0], None, InvalidArgument, "X must be finite"),
    (np.ones((2, 3)), [0], None, InvalidArgument, r"y must have one entry per row of X \(2\)"),
    (np.ones((2, 3)), [[0], [1]], None, InvalidArgument, "y must be one-dimensional"),
    (np.ones((2, 3)), [-1, 1], None, InvalidArgument, "y must hold only the labels 0 and 1"),
    (np.ones((2, 3)), ["yes", "no"], None, InvalidType, "y must hold real numbers"),
    (np.ones((2, 3)), [0, 1], [0.0], InvalidArgument, r"offset must have one entry per row \(2\)"),
    (np.ones((2, 3)) * 1j, [0, 1], None, InvalidType, "X must hold real numbers"),
]


@pytest.mark.parametrize("column", [lambda y: y[:, None], lambda y: pd.DataFrame({"y": y})])
def test_targets_of_test_rows_may_be_a_column(column):
    fit, y = ist.Logistic().fit(FRAME, np.arange(30) % 2), np.array([0, 1, 1])
    X, given = FRAME.to_numpy()[:3], column(y)
    np.testing.assert_array_equal(fit.loss(X, given), fit.loss(X, y))
    ours, plain = (fit.influence().on_loss(X, one).values for one in (given, y))
    np.testing.assert_array_equal(ours, plain)
    ours, plain = (fit.leave_one_out().loss_change(X, one) for one in (given, y))
    np.testing.assert_array_equal(ours, plain)


@pytest.mark.parametrize(("X", "y", "offset", "error", "sentence"), BAD_TESTS)
def test_test_rows_that_do_not_fit_are_refused(X, y, offset, error, sentence):
    fit = ist.Logistic().fit(FRAME, np.arange(30) % 2)
    with pytest.raises(error, match=f"^{sentence}"):
        fit.influence().on_loss(X, y, offset=offset)
    if sentence.startswith("X"):
        for ask in (fit.influence().on_prediction, fit.predict):
            with pytest.raises(error, match=f"^{sentence}"):
                ask(X)


@pytest.mark.parametrize("wrong", ["cholesky", ist.Cholesky, 3])
def test_what_is_no_solver_is_refused(wrong):
    with pytest.raises(InvalidType, match=r"^solver must be a solver, .*Pass an instance, e\.g\. ist\.Chol"):
        small().influence(solver=wrong)


def test_a_scale_too_small_for_the_series_is_refused_with_the_number_needed():
    fit = small()
    largest = np.linalg.eigvalsh(fit.hessian.to_dense())[-1]
    for solver in (ist.Taylor(scale=largest / 2.01), ist.LiSSA(scale=largest / 2.01)):
        with pytest.raises(
            ist.errors.Diverged,
            match=rf"scale C = {largest / 2.01:g} is not above half of the largest eigenvalue {largest:.6g}",
        ):
            fit.influence(solver=solver).on_self()
    with pytest.warns(DoubtfulResult, match="is below .*, half of the largest eigenvalue bound of a drawn"):
        fit.influence(solver=ist.LiSSA(scale=4.0 * largest / 2.0, depth=50)).on_self()


def test_a_theta_where_nothing_is_determined_has_no_influence():
    X = np.column_stack([np.arange(6.0), 2.0 * np.arange(6.0)])
    risk = ist.LinearRisk(ist.SquaredError(), X, np.zeros(6), names=["dose", "twice"])
    fit = ist.Fit(risk, [0.0, 0.0])
    with pytest.warns(ist.errors.DoubtfulResult, match="dose, twice are not determined"):
        assert np.isnan(fit.influence().on_theta().values).all()
    own = fit.influence().on_self().values  # determined, and 0 with y
    alone = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X[:, :1], np.zeros(6)))
    np.testing.assert_allclose(own, alone.influence().on_self().values, atol=1e-15)
