"""Exact leave-one-out against refits from zero by plain loops."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given

import influstat as ist
from tests import partition_cases
from tests.budget import examples, some
from tests.cases import LOSSES, make_problem, problems
from tests.tolerance import CHANGES, CLOSED_FORM, INVERTED, SOLVED, SUMS

RTOL = 1e-9  # of theta: refits of other libraries stop no nearer than that


def assert_minimisers(removal, plain, rows, rtol=RTOL):
    """Assert that theta without each of the rows is the plain minimiser from zero."""
    for k in rows:
        truth = plain.without(removal.groups[k]).minimiser()
        np.testing.assert_allclose(removal.theta[k], truth, rtol=0, atol=rtol * np.abs(truth).max())


@examples(40)
@given(problems(solvable=True, decades=2))
def test_every_row_is_a_refit(problem):
    fit = ist.Fit.minimise(problem.risk())
    loo = fit.leave_one_out()
    assert loo.converged.all()
    assert set(loo.status) == {""}
    plain = problem.plain()
    for k in range(0, problem.n, 4):
        part = plain.without([k])
        truth = part.minimiser()
        hessian = part.hessian(truth)
        unit = 1.0 / np.sqrt(hessian.diagonal())  # sets the columns' units aside
        error = np.abs(loo.theta[k] - truth) / unit
        # Flat directions (a smoothed hinge's intercept) are known only as well as the Hessian allows.
        rounding = 1e-14 * np.max(np.abs(unit * part.gradient_size(truth)))
        allowed = RTOL * np.max(np.abs(truth) / unit)
        allowed += 10.0 * rounding / np.linalg.eigvalsh(hessian * unit * unit[:, None])[0]
        assert error.max() <= allowed, (k, error)


@pytest.mark.dear
@pytest.mark.parametrize("protocol", ["fixed", "folded"])
@pytest.mark.parametrize("case", [case for case in LOSSES if case.targets != "real"], ids=str)
def test_hard_rows_are_refits_too(case, protocol):
    """A nearly separable problem, a row of huge leverage, weights that differ by 1e3."""
    problem = make_problem(case, 60, 3, 5, intercept=True, strength=0.02, protocol=protocol)
    rng = np.random.default_rng(0)
    X = problem.X + 1.2 * np.sign(problem.y - problem.y.mean())[:, None]  # all but separable
    X[7] *= 40.0
    weights = 10.0 ** rng.uniform(-1.5, 1.5, 60)
    risk = problem.risk(X=X, weights=weights)
    fit = ist.Fit.minimise(risk)
    loo = fit.leave_one_out()
    assert loo.converged.all()
    plain = replace(problem, X=X, weights=weights).plain()
    leverage = weights * risk.loss.second(risk.y, risk.linear_predictor(fit.theta))
    hard = np.argsort(-leverage * (X**2).sum(axis=1))[:3]
    assert_minimisers(loo, plain, [7, *some(hard), int(np.argmax(weights))])


@pytest.mark.parametrize("case", LOSSES, ids=str)
def test_gradients_and_their_norm_are_those_of_the_plain_loops(case):
    problem = make_problem(case, 20, 3, 1, intercept=True, weights="positive", offset=True, protocol="folded")
    plain = problem.plain()
    fit = ist.Fit.minimise(problem.risk())
    for method in ("exact", "newton", "influence"):
        loo = fit.leave_one_out(method=method)
        truth = []
        for k in range(20):
            part = plain.without([k])
            truth.append(part.gradient(loo.theta[k]) * part.total_weight / plain.total_weight)
        np.testing.assert_allclose(loo.gradients(), truth, atol=SUMS)
        np.testing.assert_allclose(loo.gradient_norm, np.linalg.norm(truth, axis=1), atol=SUMS)
        small = loo.gradient_norm.max() < 1e-10  # rounding: 1/t times 1e-13 for the smoothed hinge
        assert small == (method == "exact" or (case.c == 0 and method == "newton"))


@pytest.mark.parametrize("kind", [sp.csr_array, np.asfortranarray, lambda X: X.astype(np.float32)])
def test_the_form_of_the_data_does_not_matter(kind):
    problem = make_problem(LOSSES[1], 40, 3, 2, intercept=True, protocol="folded")
    X = problem.X.astype(np.float32).astype(float)
    dense = ist.Fit.minimise(problem.risk(X=X)).leave_one_out()
    other = ist.Fit.minimise(problem.risk(X=kind(X))).leave_one_out()
    np.testing.assert_allclose(other.theta, dense.theta, rtol=SOLVED, atol=CLOSED_FORM)


def test_blocks_do_not_matter(monkeypatch):
    problem = make_problem(LOSSES[4], 40, 3, 2, intercept=True, protocol="folded", weights="positive")
    fit = ist.Fit.minimise(problem.risk())
    whole = fit.leave_one_out()
    monkeypatch.setattr("influstat.removal.gradients.BLOCK", 7)
    np.testing.assert_allclose(fit.leave_one_out().theta, whole.theta, rtol=SOLVED, atol=CLOSED_FORM)


def test_chosen_rows_are_those_rows():
    problem = make_problem(LOSSES[1], 30, 3, 4)
    fit = ist.Fit.minimise(problem.risk(row_labels=[f"r{i}" for i in range(30)]))
    loo, some = fit.leave_one_out(), fit.leave_one_out(rows=[20, 3])
    np.testing.assert_allclose(some.theta, loo.theta[[20, 3]], rtol=CLOSED_FORM)
    assert some.labels.tolist() == ["r20", "r3"]
    assert some.rows.tolist() == [20, 3]


# -- rows without which there is no minimiser ------------------------------------------------------------


@pytest.mark.parametrize("loss", [ist.SquaredError(), ist.PseudoHuberLoss(1.0)], ids=repr)
@pytest.mark.parametrize("method", ["exact", "newton", "second_order", "influence"])
def test_a_penalty_without_curvature_leaves_by_each_rows_own_weight(loss, method):
    rng = np.random.default_rng(0)
    X, weights = rng.normal(size=(30, 3)), rng.uniform(0.3, 3.0, 30)
    y = X @ [1.0, 2.0, 3.0] + rng.normal(size=30)
    risk = ist.LinearRisk(
        loss, X, y, weights=weights, penalty=ist.Linear([1.0, -2.0, 0.5]), protocol="folded"
    )
    fit = ist.Fit.minimise(risk)
    alone = [fit.leave_one_out(method=method, rows=[row]).theta[0] for row in range(30)]
    np.testing.assert_allclose(fit.leave_one_out(method=method).theta, alone, rtol=1e-11)


def test_the_last_positive_with_a_free_intercept_is_reported():
    X = np.arange(12.0)[:, None] % 5
    y = np.zeros(12)
    y[3] = 1
    fit = ist.Logistic(lam=0.5, intercept=True, protocol="fixed").fit(X, y)
    with pytest.warns(ist.errors.DoubtfulResult, match="1 of 12 removals hold coefficients that are nan"):
        loo = fit.leave_one_out()
    assert np.flatnonzero(~loo.converged).tolist() == [3]
    assert "Without this row: The risk has no finite minimiser" in loo.status[3]
    assert np.isnan(loo.theta[3]).all()
    assert np.isfinite(np.delete(loo.theta, 3, axis=0)).all()
    assert np.isnan(loo.gradient_norm[3])
    assert np.nanmax(loo.gradient_norm) < 1e-12
    assert np.isnan(loo.loss_change(X[:1], y[:1])[3]).all()


def test_a_separable_remainder_is_reported_and_the_rest_is_right():
    X = np.array([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0, 1.5])[:, None]
    y = np.array([0, 0, 0, 1, 1, 1, 0])
    fit = ist.Logistic(lam=0.0, protocol="fixed").fit(X, y)
    with pytest.warns(ist.errors.DoubtfulResult, match="1 of 7 removals"):
        loo = fit.leave_one_out()
    assert np.flatnonzero(~loo.converged).tolist() == [6]
    assert "no finite minimiser" in loo.status[6]
    one = ist.Logistic(lam=0.0, protocol="fixed").fit(np.delete(X, 0, axis=0), np.delete(y, 0))
    np.testing.assert_allclose(loo.theta[0], one.theta, rtol=INVERTED)


def test_a_dummy_that_one_row_keeps_finite_is_reported_and_the_others_are_the_refits():
    """The gradient along the dummy vanishes at infinity: a small gradient alone must not convince."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=40), np.arange(40) < 6])
    y = (rng.random(40) < 0.5).astype(float)
    y[:6] = [0, 1, 1, 1, 1, 1]
    fit = ist.Logistic(lam=0.0, protocol="fixed").fit(X, y)
    with pytest.warns(ist.errors.DoubtfulResult, match="1 of 40 removals .* x1 is not determined"):
        loo = fit.leave_one_out()
    assert [k for k, text in enumerate(loo.status) if text] == [0]
    refit = ist.Logistic(lam=0.0, protocol="fixed").fit(X[6:, :1], y[6:])  # where the dummy is 0
    np.testing.assert_allclose(loo.theta[0], [refit.theta[0], np.nan], rtol=INVERTED)
    changes = loo.prediction_change([[1.0, 0.0], [0.0, 1.0]])[0]
    np.testing.assert_allclose(changes, [refit.theta[0] - fit.theta[0], np.nan], rtol=CHANGES)


def test_a_row_of_leverage_one_is_reported():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=10), np.arange(10) == 4])
    for method in ("exact", "newton"):
        y = rng.normal(size=10)
        fit = ist.Ridge(lam=0.0, protocol="fixed").fit(X, y)
        with pytest.warns(ist.errors.DoubtfulResult, match="1 of 10 removals .* x1 is not determined"):
            loo = fit.leave_one_out(method=method)
        bad = [k for k, text in enumerate(loo.status) if text]
        assert bad == [4]
        x, z = np.delete(X[:, 0], 4), np.delete(y, 4)
        np.testing.assert_allclose(loo.theta[4], [x @ z / (x @ x), np.nan], rtol=CLOSED_FORM)
        assert np.isfinite(np.delete(loo.theta, 4, axis=0)).all()


def test_a_weight_of_zero_changes_nothing():
    problem = make_problem(LOSSES[1], 20, 3, 4, weights="zeros", protocol="folded")
    fit = ist.Fit.minimise(problem.risk())
    absent = np.flatnonzero(problem.weights == 0)
    for method in ("exact", "newton", "influence"):
        assert np.abs(fit.leave_one_out(method=method, rows=absent).delta).max() < 1e-14


def test_an_interrupt_keeps_what_is_done(monkeypatch):
    problem = make_problem(LOSSES[1], 40, 3, 2)
    fit = ist.Fit.minimise(problem.risk())
    whole = fit.leave_one_out()
    monkeypatch.setattr("influstat.removal.methods.base.Method.at_once", 16)
    remove = ist.removal.methods.exact.ExactRefit.remove
    calls = []

    def interrupted(self, groups):
        calls.append(groups)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return remove(self, groups)

    monkeypatch.setattr("influstat.removal.methods.exact.ExactRefit.remove", interrupted)
    with pytest.warns(ist.errors.DoubtfulResult, match="Interrupted after 16 of 40"):
        loo = fit.leave_one_out()
    np.testing.assert_allclose(loo.theta[:16], whole.theta[:16], rtol=SOLVED, atol=CLOSED_FORM)
    assert loo.converged.tolist() == [True] * 16 + [False] * 24
    assert loo.status == ("",) * 16 + ("not done",) * 24
    assert np.isnan(loo.theta[16:]).all()
    assert np.isnan(loo.gradient_norm[16:]).all()


def test_what_contracts_slowly_goes_on_to_the_last_digit():
    case = partition_cases.MODELS["svc"]
    model, y = case[0], case[1]
    settings = {"weights": partition_cases.WEIGHTS, "offset": partition_cases.OFFSET}
    fit = model.fit(partition_cases.X, y, **settings)  # a row of the 60 contracts by 0.58 a sweep
    loo = fit.leave_one_out()
    scale = np.linalg.norm(fit.risk.gradient_scale(fit.theta))
    assert loo.converged.all()
    assert loo.gradient_norm.max() < SUMS * scale
