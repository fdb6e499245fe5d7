"""Risk kinds x questions: what each kind of risk answers; "-" stands where it cannot, with the reason."""

import numpy as np
import pytest

import influstat as ist
from influstat.errors import Unsupported
from tests.tolerance import CHANGES, INVERTED, STANDARD_ERRORS, TWO_FITS

RNG = np.random.default_rng(5)
N = 24
X = RNG.normal(size=(N, 3))
Y = X @ [1.0, -1.0, 0.3] + RNG.normal(size=N)
LABELS = (Y > 0).astype(float)
SMOOTHING = [[2.0, -1.0, 0.0], [-1.0, 2.0, -1.0], [0.0, -1.0, 2.0]]
W = np.resize([1.0, 2.0, 0.5], N)


def linear(penalty, loss=None, y=Y, **settings):
    loss = ist.SquaredError() if loss is None else loss
    return lambda protocol: ist.LinearRisk(
        loss, X, y, penalty=penalty, weights=W, protocol=protocol, **settings
    )


KINDS = {
    "no penalty": linear(None),
    "ridge": linear(ist.L2(2.0)),
    "several strengths": linear(ist.Quadratic([1.0, 0.0, 4.0])),
    "smoothing": linear(ist.Quadratic(SMOOTHING)),
    "linear": linear(ist.L2(2.0) + ist.Linear([1.0, -0.5, 0.0])),
    "prior mean": linear(ist.L2(2.0) + ist.Toward([1.0, -1.0, 0.0])),
    "smoothed L1": linear(ist.SmoothedL1(2.0, t=0.5)),
    "elastic net": linear(ist.L2(1.0) + ist.SmoothedL1(2.0, t=0.5)),
    "logistic, smoothing": linear(ist.Quadratic(SMOOTHING), ist.LogisticLoss(), LABELS, intercept=True),
    "logistic, elastic net": linear(ist.L2(1.0) + ist.SmoothedL1(1.0, t=1.0), ist.LogisticLoss(), LABELS),
    "logistic, prior mean": linear(ist.L2(2.0) + ist.Toward([1.0, 0.0, 0.0]), ist.LogisticLoss(), LABELS),
    "softmax": lambda protocol: ist.SoftmaxRisk(X, LABELS, penalty=ist.L2(2.0), weights=W, protocol=protocol),
    "black box": lambda protocol: ist.BlackBoxRisk(
        lambda theta: (Y - X @ theta) ** 2,
        3,
        penalty=ist.L2(1.0) + ist.SmoothedL1(1.0, t=0.5),
        weights=W,
        protocol=protocol,
    ),
}
NOT_LINEAR = ("softmax", "black box")
WITHOUT_PREDICTORS = ("black box",)  # neither certified nor with third derivatives

# What a kind that is no LinearRisk does not answer, and what is said instead.
NEEDS_LINEAR = {
    "second order": "third derivative",
    "leverage": "one linear predictor per row",
    "cross-validation": "have a linear predictor, or one per class",
    "certificate": "is not a LinearRisk",
}


def fitted(kind, protocol="fixed"):
    return ist.Fit.minimise(KINDS[kind](protocol))


def refits(fit, rows):
    """Return the minimisers without each row, of the risk with other weights."""
    result = []
    for row in rows:
        weights = fit.risk.weights.copy()
        weights[row] = 0.0
        result.append(ist.Fit.minimise(fit.risk.reweighted(weights)).theta)
    return np.array(result)


every_kind = pytest.mark.parametrize("kind", KINDS)
both = pytest.mark.parametrize("protocol", ["fixed", "folded"])


@every_kind
@both
def test_exact_removal_is_a_refit(kind, protocol):
    fit = fitted(kind, protocol)
    loo = fit.leave_one_out(rows=range(6))
    assert loo.converged.all()
    # Both are minimisers to a relative gradient of 1e-12; these problems have condition numbers below 1e3.
    np.testing.assert_allclose(loo.theta, refits(fit, range(6)), rtol=TWO_FITS, atol=TWO_FITS)


@every_kind
@both
def test_influence_is_the_derivative_in_the_weight(kind, protocol):
    fit, h = fitted(kind, protocol), 1e-4
    values = fit.influence().on_theta().values
    for row in (0, 1):
        ends = []
        for step in (h, -h):
            weights = fit.risk.weights.copy()
            weights[row] += step
            ends.append(ist.Fit.minimise(fit.risk.reweighted(weights), start=fit.theta).theta)
        slope = (ends[0] - ends[1]) / (2.0 * h) * fit.risk.total_weight
        np.testing.assert_allclose(values[row], slope, rtol=1e-5, atol=1e-7)  # central difference, h^2


@every_kind
@both
def test_orders_of_approximation(kind, protocol):
    fit = fitted(kind, protocol)
    rows = range(8)
    exact = fit.leave_one_out(rows=rows).delta
    found = {m: fit.leave_one_out(method=m, rows=rows).delta for m in ("influence", "newton")}
    error = {m: np.linalg.norm(delta - exact) for m, delta in found.items()}
    assert error["newton"] < error["influence"] < 0.5 * np.linalg.norm(exact)
    if kind in WITHOUT_PREDICTORS:
        with pytest.raises(Unsupported, match=NEEDS_LINEAR["second order"]):
            fit.leave_one_out(method="second_order")
    else:
        second = np.linalg.norm(fit.leave_one_out(method="second_order", rows=rows).delta - exact)
        assert second < 0.5 * error["influence"]


@pytest.mark.dear
@every_kind
@both
def test_certificates_hold_the_refit(kind, protocol):
    fit = fitted(kind, protocol)
    groups = [[0], [1], [2, 3], [5], [7, 8, 9, 10, 11]]
    truth = []
    for group in groups:
        weights = fit.risk.weights.copy()
        weights[group] = 0.0
        truth.append(ist.Fit.minimise(fit.risk.reweighted(weights)).theta)
    for method in ("influence", "newton", "exact"):
        removal = fit.leave_groups_out(groups, method=method)
        if kind in WITHOUT_PREDICTORS:
            assert all(NEEDS_LINEAR["certificate"] in text for text in removal.certificate.status)
            continue
        certified = removal.certificate.certified
        bound = removal.theta_bound()[certified]
        assert certified.sum() >= (5 if method == "exact" else 3)
        # The refit itself is right to a relative gradient of 1e-12.
        assert (np.abs(removal.theta - truth)[certified] <= bound + 1e-11).all()
        loss = np.abs(removal.loss_change(X[:2], fit.risk.y[:2]) - _loss_changes(fit, truth))
        assert (loss[certified] <= removal.loss_bound(X[:2], fit.risk.y[:2])[certified] + 1e-11).all()


def _loss_changes(fit, thetas):
    tests = fit.risk.test_rows(X[:2], fit.risk.y[:2])
    return np.array([tests.row_losses(theta) - tests.row_losses(fit.theta) for theta in thetas])


@every_kind
@both
def test_leverage_and_covariance(kind, protocol):
    fit = fitted(kind, protocol)
    H = fit.hessian.to_dense() * fit.risk.total_weight
    g = fit.risk.weights[:, None] * fit.risk.row_gradients(fit.theta)
    inverse = np.linalg.inv(H) if kind != "softmax" else None
    if inverse is not None:
        np.testing.assert_allclose(
            fit.covariance("HC0"), inverse @ g.T @ g @ inverse, rtol=STANDARD_ERRORS, atol=INVERTED
        )
    if kind in NOT_LINEAR:
        with pytest.raises(Unsupported, match=NEEDS_LINEAR["leverage"]):
            fit.diagnostics("hat_diag")
        return
    second = fit.risk.weights * fit.risk.loss.second(fit.risk.y, fit.risk.linear_predictor(fit.theta))
    rows = fit.risk.design.rows(slice(None))
    truth = second * np.einsum("ij,jk,ik->i", rows, inverse, rows)
    np.testing.assert_allclose(fit.diagnostics("hat_diag")["hat_diag"], truth, rtol=INVERTED)


@pytest.mark.dear
@every_kind
@both
def test_cross_validation(kind, protocol):
    fit = fitted(kind, protocol)
    if kind in WITHOUT_PREDICTORS:
        with pytest.raises(Unsupported, match=NEEDS_LINEAR["cross-validation"]):
            ist.cross_validate(fit)
        return
    if kind == "softmax":  # as test_cross_validation_classes asks
        assert np.isfinite(ist.cross_validate(fit).mean)
        return
    found, theta, risk = ist.cross_validate(fit).row_losses, refits(fit, range(N)), fit.risk
    eta = np.einsum("ij,ij->i", risk.design.rows(slice(None)), theta)
    np.testing.assert_allclose(found, risk.loss.value(risk.y, eta), rtol=CHANGES, atol=INVERTED)


@every_kind
@pytest.mark.parametrize(
    ("solver", "accuracy"),
    [(ist.Cholesky(), 1e-9), (ist.ConjugateGradient(), 1e-6), (ist.Taylor(depth=4000), 1e-5)],
    ids=["Cholesky", "CG", "Taylor"],
)
def test_every_solver_takes_every_kind(kind, solver, accuracy):
    fit = fitted(kind)
    H = fit.hessian.to_dense()
    truth = -np.linalg.solve(H, fit.risk.row_gradients(fit.theta).T).T
    values = fit.influence(solver=solver).on_theta().values
    np.testing.assert_allclose(values, truth, rtol=0, atol=accuracy * np.abs(truth).max())
