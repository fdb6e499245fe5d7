"""More coefficients than can be factored, few rows: refits and certificates in the row space."""

import numpy as np
import pytest
import scipy.sparse as sp

import influstat as ist
from influstat.risks import row_space
from tests.cases import LOSSES, make_problem
from tests.tolerance import STOP

P = 60


@pytest.fixture(autouse=True)
def _few_can_be_factored(monkeypatch):
    """Coefficients are too many from 40 on, so that small problems take the way of large ones."""
    monkeypatch.setattr(row_space, "LARGEST", 40)


def wide(name="logistic", n=25, p=P, **settings):
    case = next(case for case in LOSSES if case.name == name)
    return make_problem(case, n, p, 3, **settings)


CASES = {
    "fixed": {"protocol": "fixed"},
    "folded, weights, offset": {"protocol": "folded", "weights": "positive", "offset": True},
    "an intercept beside": {"protocol": "fixed", "intercept": True},
    "unpenalised columns beside": {"protocol": "folded", "unpenalised": (0, 3)},
    "rows without weight": {"protocol": "fixed", "weights": "zeros"},
    "squared error": {"name": "squared error", "protocol": "folded"},
    "smoothed hinge": {"name": "smoothed hinge 1", "protocol": "fixed"},
}


@pytest.mark.dear
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("case", CASES)
def test_refits_and_certificates_are_those_of_the_coefficients(case, form, monkeypatch):
    problem = wide(**CASES[case])
    if form is sp.csr_array and problem.intercept:
        pytest.skip("sparse designs have their column of ones")
    fit = ist.Fit.minimise(problem.risk(X=form(problem.X)))
    assert fit.row_space is not None
    loo, newton = fit.leave_one_out(), fit.leave_one_out(method="newton")
    groups = fit.leave_groups_out([[0, 1, 2], [7, 20]])
    assert loo.converged.all()
    assert loo.certificate.certified.all()
    assert groups.certificate.certified.all()
    bounds = [removal.theta_bound() for removal in (loo, newton, groups)]
    changes = [removal.prediction_change(problem.X_test) for removal in (loo, newton)]
    limits = [removal.prediction_bound(problem.X_test) for removal in (loo, newton)]
    monkeypatch.undo()
    plain = ist.Fit(fit.risk, fit.theta, tolerance=1e-9)
    assert plain.row_space is None
    truth, truth_groups = plain.leave_one_out(), plain.leave_groups_out([[0, 1, 2], [7, 20]])
    size = np.abs(truth.theta).max()
    np.testing.assert_allclose(loo.theta, truth.theta, rtol=0, atol=1e3 * STOP * size)
    np.testing.assert_allclose(groups.theta, truth_groups.theta, rtol=0, atol=1e3 * STOP * size)
    np.testing.assert_allclose(
        newton.theta, plain.leave_one_out(method="newton").theta, rtol=0, atol=1e3 * STOP * size
    )
    floor = truth.theta_bound()  # the truth is a refit too
    for removal, bound in zip((loo, newton), bounds, strict=False):
        assert (np.abs(removal.theta - truth.theta) <= bound + floor).all()
    assert (np.abs(groups.theta - truth_groups.theta) <= bounds[2] + truth_groups.theta_bound()).all()
    exact, slack = truth.prediction_change(problem.X_test), truth.prediction_bound(problem.X_test)
    for change, limit in zip(changes, limits, strict=True):
        assert (np.abs(change - exact) <= limit + slack).all()
    assert np.median(bounds[0]) < 1e-6 * np.median(np.abs(loo.delta))


def test_rows_that_depend_on_each_other_keep_the_other_way():
    problem = wide()
    X = np.vstack([problem.X[:-1], problem.X[0] + problem.X[1]])
    fit = ist.Fit.minimise(problem.risk(X=X))
    assert fit.row_space is None
    assert fit.leave_one_out(rows=[0]).converged.all()


def test_repeated_and_empty_rows_span_nothing_more(monkeypatch):
    problem = wide()
    X = np.vstack([problem.X[:-4], problem.X[:2], problem.X[:1], 0.0 * problem.X[:1]])
    fit = ist.Fit.minimise(problem.risk(X=X))
    assert len(fit.row_space.basis) == problem.n - 4
    loo = fit.leave_one_out()
    assert loo.certificate.certified.all()
    monkeypatch.undo()
    truth = ist.Fit(fit.risk, fit.theta, tolerance=1e-9).leave_one_out()
    np.testing.assert_allclose(loo.theta, truth.theta, rtol=0, atol=1e3 * STOP * np.abs(truth.theta).max())


@pytest.mark.parametrize("seed", range(5))
def test_nearly_repeated_rows_have_wider_bounds_that_hold(seed, monkeypatch):
    problem = wide()
    X, rng = problem.X.copy(), np.random.default_rng(seed)
    X[:8] = X[8:16] + 3e-4 * rng.normal(size=(8, P))
    fit = ist.Fit.minimise(problem.risk(X=X))
    assert fit.row_space is not None
    loo = fit.leave_one_out()
    bound = loo.theta_bound()
    assert loo.certificate.certified.all()
    monkeypatch.undo()
    truth = ist.Fit(fit.risk, fit.theta, tolerance=1e-9).leave_one_out()
    assert (np.abs(loo.theta - truth.theta) <= bound + truth.theta_bound()).all()


def test_other_penalties_keep_the_other_way():
    problem = wide()
    fit = ist.Fit.minimise(problem.risk(penalty=ist.Quadratic(np.linspace(1.0, 2.0, P))))
    assert fit.row_space is None


def test_coordinates_are_those_of_the_rows():
    problem = wide(intercept=True)
    fit = ist.Fit.minimise(problem.risk())
    space = fit.row_space
    u = np.random.default_rng(0).normal(size=(len(space.start), 3))
    theta = space.lift(u)
    np.testing.assert_allclose(space.rows(theta.T), u.T, rtol=1e-9, atol=1e-9)  # Q is orthonormal
    rows = problem.with_ones(problem.X)
    np.testing.assert_allclose(space.risk.design.rows(slice(None)) @ u, rows @ theta, rtol=1e-10, atol=1e-9)
    at = space.start + u[:, 0]
    assert space.risk.value(at) == pytest.approx(fit.risk.value(fit.theta + theta[:, 0]), rel=1e-10)
