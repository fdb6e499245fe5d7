"""Bounds of certificates: how close they are, other ways to them, and where none can be given."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
import scipy.sparse as sp

import influstat as ist
from influstat.input.groups import read_groups, read_rows
from influstat.removal.certificates import certify
from influstat.removal.result import Removal
from tests.certificate_cases import CERTIFIABLE, UNSAID, Opaque, drawn, judged, plain, remove
from tests.extended import LONG, Truth

pytestmark = UNSAID

# -- how close bounds are ---------------------------------------------------------------------------------


def logistic_problem(n=300, p=10, seed=0, **settings):
    """Return data with a true model, as a user's would be."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    y = (rng.random(n) < 1.0 / (1.0 + np.exp(-X @ rng.normal(size=p)))).astype(int)
    return ist.Logistic(lam=0.5, **settings).fit(X, y), rng.normal(size=(4, p)), rng.integers(0, 2, 4)


@pytest.mark.parametrize("protocol", ["fixed", "folded"])
def test_bounds_of_logistic_fits_are_close(protocol):
    fit, X, y = logistic_problem(intercept=True, protocol=protocol)
    newton = fit.leave_one_out(method="newton")
    exact = fit.leave_one_out().loss_change(X, y)
    bound = newton.loss_bound(X, y)
    assert newton.certificate.certified.all()
    assert np.median(bound / np.abs(exact)) < 0.01
    assert np.median(bound / np.abs(newton.loss_change(X, y) - exact)) < 2.0
    first = fit.leave_one_out(method="influence")
    assert first.certificate.certified.all()
    assert np.median(first.loss_bound(X, y) / np.abs(first.loss_change(X, y) - exact)) < 2.0
    assert np.median(fit.leave_one_out().loss_bound(X, y) / np.abs(exact)) < 1e-7


def test_rounding_is_what_is_left_for_squared_error():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4)), rng.normal(size=60)
    fit = ist.Ridge(lam=1.0, intercept=True).fit(X, y, weights=rng.uniform(0.5, 2.0, 60))
    for method in ("newton", "exact"):
        bound = fit.leave_one_out(method=method).prediction_bound(X)
        assert bound.max() < 1e-11


def test_without_a_margin_for_rounding_some_errors_are_beyond_their_bounds(monkeypatch):
    beyond = 0
    for name in ("measured", "bounds", "anchor"):
        monkeypatch.setattr(f"influstat.removal.certificates.{name}.unit_rounding", lambda terms: 0.0)
    monkeypatch.setattr("influstat.removal.expansion.unit_rounding", lambda terms: 0.0)
    for name in ("certificates.bounds.EPSILON", "expansion.EPSILON", "expansion.LONG_EPSILON"):
        monkeypatch.setattr(f"influstat.removal.{name}", 0.0)
    for seed in range(10):
        problem = drawn(plain, CERTIFIABLE[1], seed)
        result = judged(problem, read_rows(None, np.arange(problem.n)), "exact")
        error, bound = result.pairs["prediction"]
        beyond += np.sum(np.abs(error) > bound)
    assert beyond > 0


# -- other ways to the same numbers -----------------------------------------------------------------------


def test_a_group_of_one_row_has_the_bound_of_the_row():
    fit, X, y = logistic_problem(60, 3, protocol="fixed")
    alone = fit.leave_one_out(method="newton", rows=[5, 7])
    groups = fit.leave_groups_out([[5], [7, 9]], method="newton")
    np.testing.assert_allclose(groups.loss_bound(X[:, :3], y)[0], alone.loss_bound(X[:, :3], y)[0], rtol=1e-6)


@pytest.mark.parametrize("form", [sp.csr_array, np.asfortranarray, lambda X: X.astype(np.float32)])
def test_sparse_and_float32_rows_have_the_bounds_of_dense_ones(form):
    rng = np.random.default_rng(3)
    X = (rng.normal(size=(40, 3)) * (rng.random((40, 3)) < 0.5)).astype(np.float32).astype(float)
    y = rng.integers(0, 2, 40)
    model = ist.Logistic(lam=1.0, intercept=True)
    dense, other = (model.fit(data, y).leave_one_out(method="newton") for data in (X, form(X)))
    np.testing.assert_allclose(other.theta_bound(), dense.theta_bound(), rtol=1e-6)
    np.testing.assert_allclose(other.held_out_bound(), dense.held_out_bound(), rtol=1e-6)


@pytest.mark.dear
@pytest.mark.parametrize("case", CERTIFIABLE, ids=str)
@pytest.mark.parametrize("method", ["newton", "exact"])
def test_held_out_losses_are_within_their_bounds(case, method):
    share = []
    for seed in range(2):
        problem = drawn(plain, case, seed)
        rows = np.arange(problem.n)
        for groups in (
            read_rows(None, rows),
            read_groups(rows % 3, problem.n),
            read_groups(rows // 2, problem.n),
        ):
            truth = Truth.of(problem)
            lists = [groups[k] for k in range(len(groups))]
            true = truth.minimisers(lists, np.zeros(problem.coefficients))
            removal = remove(ist.Fit.minimise(problem.risk()), groups, method)
            bound, eta = removal.held_out_bound(), problem.with_ones(problem.X)[groups.members]
            known = np.repeat(removal.certificate.certified & np.isfinite(true).all(axis=1), groups.sizes)
            share.append(known.mean())
            offset, y = truth.offset[groups.members], truth.y[groups.members]
            losses = [
                truth.loss.value(y, np.sum(np.repeat(theta, groups.sizes, axis=0) * eta, axis=1) + offset)
                for theta in (removal.theta.astype(LONG), true)
            ]
            assert (np.abs(losses[0] - losses[1])[known] <= bound[known]).all()
    assert np.mean(share) > (0.9 if method == "exact" else 0.3)


def test_means_are_within_their_bounds():
    fit, X, _ = logistic_problem(80, 4)
    newton, exact = (fit.leave_one_out(method=method) for method in ("newton", "exact"))
    error = newton.prediction_change(X, kind="mean") - exact.prediction_change(X, kind="mean")
    bound = newton.prediction_bound(X, kind="mean")
    rounding = exact.prediction_bound(X, kind="mean")
    assert (np.abs(error) <= bound + rounding).all()
    assert np.median(bound / np.abs(error)) < 3.0
    assert (bound <= 0.25 * newton.prediction_bound(X) * (1.0 + 1e-6) + 1e-12).all()  # slope at most 1/4


def test_offsets_of_new_rows_count():
    fit, X, y = logistic_problem(80, 4)
    newton, exact = (fit.leave_one_out(method=method) for method in ("newton", "exact"))
    offset = np.array([0.0, 2.0, -30.0, 1e3])
    error = newton.loss_change(X, y, offset=offset) - exact.loss_change(X, y, offset=offset)
    bound = newton.loss_bound(X, y, offset=offset) + exact.loss_bound(X, y, offset=offset)
    assert (np.abs(error) <= bound).all()
    assert newton.loss_bound(X, y, offset=offset)[:, 1].max() < 1.0
    far = newton.prediction_bound(X, offset=1e12 * np.ones(4)).min()
    assert 1e-4 < far < 1.0  # rounding of an offset that large


def test_rounding_of_large_predictors_counts():
    """eta near y near 1e8: the losses are of order 1, and right to 1e-8 only."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 2))
    fit = ist.Ridge(lam=1.0, protocol="fixed").fit(X, X @ [1.0, 2.0] + rng.normal(size=30))
    removal = fit.leave_one_out()
    offset = np.full(30, 1e8)
    y = np.round(offset + X @ fit.theta + 1.0, 3)
    change = removal.loss_change(X, y, offset=offset)
    residual = [
        (y - offset).astype(LONG) - theta.astype(LONG) @ X.T for theta in (removal.theta, fit.theta[None])
    ]
    error = np.abs(change - (residual[0] ** 2 - residual[1] ** 2))
    bound = removal.loss_bound(X, y, offset=offset)
    assert error.max() > 1e-9
    assert (error <= bound).all()
    assert bound.max() < 1e-5


# -- where there is no certificate ------------------------------------------------------------------------


def test_a_loss_without_self_concordance_is_not_certified():
    rng = np.random.default_rng(0)
    risk = ist.LinearRisk(
        ist.HuberLoss(1.0), rng.normal(size=(20, 2)), rng.normal(size=20), penalty=ist.L2(1.0)
    )
    removal = ist.Fit.minimise(risk).leave_one_out(method="newton")
    assert np.isnan(removal.loss_bound(np.eye(2), np.zeros(2))).all()
    assert np.isnan(removal.theta_bound()).all()
    assert np.isnan(removal.held_out_bound()).all()
    assert "no finite self_concordance" in removal.certificate.status[0]
    assert not removal.certificate.certified.any()


def test_a_row_that_alone_determines_a_coefficient_is_not_certified_and_the_others_are():
    X = np.array([[1.0, 0.0], [2.0, 0.0], [-1.0, 0.0], [0.5, 0.0], [1.0, 1.0]])
    fit = ist.Ridge(lam=0.0).fit(X, [1.0, 0.0, 2.0, 1.0, 3.0])
    theta = np.tile(fit.theta, (5, 1))
    removal = Removal(fit, "guess", read_rows(None, np.arange(5)), theta, np.zeros(5, bool), ("",) * 5)
    assert removal.certificate.certified.tolist() == [True] * 4 + [False]
    assert "The Hessian without the rows is singular" in removal.certificate.status[4]
    assert np.isnan(removal.theta_bound()[4]).all()


def test_coefficients_too_far_off_are_not_certified():
    fit, X, y = logistic_problem(60, 3)
    theta = np.array([fit.theta, fit.theta + 100.0, np.full(3, np.nan)])
    removal = Removal(fit, "guess", read_rows([0, 1, 2], np.arange(60)), theta, np.zeros(3, bool), ("",) * 3)
    assert removal.certificate.certified.tolist() == [True, False, False]
    assert "curvature may change too much" in removal.certificate.status[1]
    assert "no coefficients" in removal.certificate.status[2]
    bound = removal.loss_bound(X[:, :3], y)
    assert np.isfinite(bound[0]).all()
    assert np.isnan(bound[1:]).all()


def test_one_wild_removal_leaves_the_others_alone():
    fit, X, y = logistic_problem(60, 3)
    exact = fit.leave_one_out(rows=[0, 1])
    theta = np.array([*exact.theta, np.full(3, 1e100)])
    wild = Removal(fit, "guess", read_rows([0, 1, 2], np.arange(60)), theta, np.zeros(3, bool), ("",) * 3)
    assert wild.certificate.certified.tolist() == [True, True, False]
    np.testing.assert_allclose(wild.theta_bound()[:2], exact.theta_bound(), rtol=1e-6)
    np.testing.assert_allclose(wild.loss_bound(X, y)[:2], exact.loss_bound(X, y), rtol=1e-6)


def test_groups_with_all_the_weight_are_not_certified():
    weights = np.array([1.0, 1.0, 0.0, 0.0])
    fit = ist.Ridge(lam=1.0).fit(np.eye(4)[:, :2] + 1.0, np.arange(4.0), weights=weights)
    theta = np.zeros((1, 2))
    groups = read_groups([[0, 1]], 4)
    certificate = certify.certify(fit.risk, fit.theta, groups, theta)
    assert not certificate.certified.any()
    assert "no weight is left" in certificate.status[0]


def test_too_many_coefficients_are_not_certified(monkeypatch):
    monkeypatch.setattr(certify, "LARGEST", 2)
    fit, X, y = logistic_problem(40, 3)
    removal = fit.leave_one_out(method="newton", rows=[0, 1])
    assert np.isnan(removal.loss_bound(X[:, :3], y)).all()
    assert "3 coefficients are more than 2" in removal.certificate.status[1]


def test_widest_bounds_get_hessians_of_their_own_first(monkeypatch):
    """What can be afforded goes to removals without a certificate, then to the loosest."""
    problem = drawn(plain, CERTIFIABLE[4], 7)
    fit = ist.Fit.minimise(problem.risk())
    free = fit.leave_one_out().certificate
    monkeypatch.setattr(certify, "OWN_WORK", 0.0)
    none = fit.leave_one_out().certificate
    assert free.own.any()
    assert not none.own.any()
    assert (free.reach <= none.reach).all()
    n, p = problem.n, problem.coefficients
    monkeypatch.setattr(certify, "OWN_WORK", 1.5 * (4.0 * n * p**2 + 4.0 * p**3))
    one = fit.leave_one_out().certificate
    with np.errstate(invalid="ignore"):
        looseness = np.where(np.isinf(none.reach), np.inf, none.reach / free.reach)
    assert np.flatnonzero(one.own).tolist() == [np.argmax(looseness)]


def test_a_risk_of_the_users_own_is_not_certified():
    fit, X, y = logistic_problem(30, 3)
    own = ist.Fit(Opaque(fit.risk), fit.theta)
    theta = np.tile(fit.theta, (2, 1))
    removal = Removal(own, "guess", read_rows([0, 1], np.arange(30)), theta, np.zeros(2, bool), ("",) * 2)
    for bound in (
        removal.loss_bound(X[:, :3], y),
        removal.prediction_bound(X[:, :3]),
        removal.theta_bound(),
        removal.held_out_bound(),
    ):
        assert np.isnan(bound).all()
    assert "not a LinearRisk" in removal.certificate.status[0]


def test_a_fit_that_has_not_converged_is_certified_against_the_converged_one():
    fit, _, _ = logistic_problem(100, 4)
    early = ist.Fit(fit.risk, fit.theta + 0.01, tolerance=np.inf)
    exact = fit.leave_one_out()
    for method in ("newton", "influence"):
        removal = early.leave_one_out(method=method)
        assert removal.certificate.certified.all()
        assert (np.abs(removal.theta - exact.theta) <= removal.theta_bound() + exact.theta_bound()).all()


# -- rounding errors of one sign ----------------------------------------------------------------------------


def poisson_root(count, x, y, strength):
    """Return theta of `count` equal rows to 40 digits: count (e^(x theta) - y) x + strength theta = 0."""
    with localcontext() as context:
        context.prec = 40
        x, y, strength = Decimal(x), Decimal(y), Decimal(strength)
        theta = Decimal(0)
        for _ in range(100):
            mean = (x * theta).exp()
            step = (count * (mean - y) * x + strength * theta) / (count * mean * x * x + strength)
            theta -= step
            if abs(step) < Decimal("1e-38"):
                return theta
    raise AssertionError("Newton's method has not converged.")


@pytest.mark.parametrize("strength", [1e6, 1e3, 1.0])
@pytest.mark.parametrize(("x", "y"), [(1.0, 0.0), (0.1, 1.0), (0.3, 3.0), (1.0, 2.0)])
@pytest.mark.parametrize("count", [4096, 100003, 2**17])
def test_bounds_hold_for_rows_that_round_alike(count, x, y, strength):
    """The errors of equal rows add up: they grow with their number, not with its root."""
    design, targets = np.full((count, 1), x), np.full(count, y)
    risk = ist.LinearRisk(ist.PoissonLoss(), design, targets, penalty=ist.L2(strength), protocol="fixed")
    removal = ist.Fit.minimise(risk).leave_one_out(rows=[0])
    error = abs(Decimal(float(removal.theta[0, 0])) - poisson_root(count - 1, x, y, strength))
    assert error <= removal.theta_bound()[0, 0]


# -- derivatives by differences -----------------------------------------------------------------------------

COMPUTED = {
    "differences": lambda y, eta: np.logaddexp(0.0, eta) - y * eta,
    "complex steps": lambda y, eta: np.log(1.0 + np.exp(eta)) - y * eta,
}


@pytest.mark.parametrize("how", COMPUTED)
@pytest.mark.parametrize("method", ["exact", "newton", "influence"])
def test_derivatives_with_estimated_errors_prove_nothing(how, method):
    X = np.array([[1.0], [-1.0], [2.0], [-2.0]])
    loss = ist.NumericalLoss(COMPUTED[how], self_concordance=1.0)
    fit = ist.Fit.minimise(ist.LinearRisk(loss, X, [1.0, 0.0, 0.0, 1.0], penalty=ist.L2(0.5)))
    removal = fit.leave_one_out(method=method)
    assert not removal.certificate.certified.any()
    assert "errors are estimated, not proven" in removal.certificate.status[0]
    for bound in (removal.theta_bound(), removal.prediction_bound(X), removal.loss_bound(X, [1, 0, 0, 1])):
        assert np.isnan(bound).all()
