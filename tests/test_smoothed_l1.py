"""The smoothed L1 penalty: between 0 and the lasso, and its risk in both protocols."""

import numpy as np
import pytest
from sklearn.linear_model import Lasso

import influstat as ist
from influstat.errors import InvalidArgument, InvalidType
from tests.cases import LOSSES, make_problem

PROBLEM = make_problem(LOSSES[0], 40, 5, seed=3)


def smoothed(strength, t, **changes):
    return PROBLEM.risk(penalty=ist.SmoothedL1(strength, t=t), **changes)


def test_the_penalty_lies_below_l1_by_at_most_t_per_coefficient():
    theta = np.array([-2.0, -1e-4, 0.0, 1e-8, 3.0])
    for t in (1e-9, 1e-3, 1.0):
        gap = np.sum(np.abs(theta)) - ist.SmoothedL1(1.0, t).value(theta)
        assert -1e-15 <= gap <= 5 * t


def test_the_fit_tends_to_the_lasso():
    X, y = PROBLEM.X, PROBLEM.y
    lasso = Lasso(alpha=0.4, fit_intercept=False, tol=1e-14, max_iter=100_000).fit(X, y).coef_
    assert 0 < np.sum(lasso == 0.0) < 5
    gaps = []
    for t in (1e-2, 1e-3, 1e-4):  # sklearn: |y - Xb|^2 / (2 n) + alpha |b|_1; ours, over n: twice that
        fit = ist.Fit.minimise(smoothed(2.0 * 40 * 0.4, t))
        gaps.append(np.max(np.abs(fit.theta - lasso)))
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 1e-3


def test_influence_tends_to_that_of_the_active_columns():
    fit = ist.Fit.minimise(smoothed(32.0, 1e-6), start=np.full(5, 0.1))
    active = np.abs(fit.theta) > 1e-2
    assert 0 < active.sum() < 5
    part = PROBLEM.risk().design.rows(slice(None))[:, active]
    first = -2.0 * (PROBLEM.y - PROBLEM.X @ fit.theta)
    truth = -np.linalg.solve(2.0 * part.T @ part / 40, (first[:, None] * part).T).T
    values = fit.influence().on_theta().values
    np.testing.assert_allclose(values[:, active], truth, rtol=0, atol=1e-3 * np.abs(truth).max())
    assert np.max(np.abs(values[:, ~active])) < 1e-2 * np.abs(truth).max()


@pytest.mark.parametrize("protocol", ["fixed", "folded"])
def test_leave_one_out_follows_the_protocol(protocol):
    risk = smoothed(5.0, 0.1, protocol=protocol)
    fit = ist.Fit.minimise(risk)
    factor = 39 / 40 if protocol == "folded" else 1.0
    left = np.arange(40) != 7
    penalty = ist.SmoothedL1(5.0 * factor, t=0.1)
    other = PROBLEM.rows(np.flatnonzero(left)).risk(penalty=penalty, protocol=protocol)
    truth = ist.Fit.minimise(other).theta
    np.testing.assert_allclose(fit.leave_one_out(rows=[7]).theta[0], truth, rtol=1e-9, atol=1e-11)


@pytest.mark.slow
def test_every_solver_takes_it():
    risk = smoothed(5.0, 0.1)
    fit = ist.Fit.minimise(risk)
    exact = fit.influence().on_theta().values
    for solver, rtol in ((ist.ConjugateGradient(), 1e-8), (ist.Taylor(depth=5000), 1e-6), (ist.LiSSA(), 0.3)):
        values = fit.influence(solver=solver).on_theta().values
        np.testing.assert_allclose(values, exact, rtol=0, atol=rtol * np.abs(exact).max())


def test_an_intercept_is_not_penalised():
    risk = PROBLEM.risk(penalty=ist.SmoothedL1(1e6, t=1e-3, unpenalised=["x1"]), intercept=True)
    assert risk.penalty.axes(6).tolist() == [True, False, True, True, True, False]


BAD = [
    (lambda: ist.SmoothedL1(-1.0), InvalidArgument, "strength must be at least 0"),
    (lambda: ist.SmoothedL1(1.0, t=0.0), InvalidArgument, "t must be greater than 0"),
    (lambda: ist.SmoothedL1(1.0, unpenalised="x"), InvalidType, "unpenalised must be a sequence"),
]


@pytest.mark.parametrize(("call", "error", "sentence"), BAD)
def test_bad_settings_are_refused(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()
