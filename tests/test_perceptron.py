"""A perceptron as a black box: an indefinite start, influence against warm-started refits."""

import numpy as np
import pytest

import influstat as ist
from influstat.errors import IndefiniteHessian, NotStationary
from influstat.minimise.newton import minimise
from tests.perceptron import Perceptron, iris
from tests.test_black_box import near


def trained(data_dir, **settings):
    network = iris(data_dir)
    risk = network.risk(1.0, row_gradients=network.row_gradients, **settings)
    start = np.random.default_rng(0).normal(size=network.size)
    assert risk.curvature(start).smallest_eigenvalue() < -0.01
    return network, ist.Fit.minimise(risk, start=start)


@pytest.mark.slow
def test_a_perceptron_is_fitted_from_an_indefinite_start(data_dir):
    network, fit = trained(data_dir)
    assert fit.gradient_norm < 1e-12
    assert fit.hessian.smallest_eigenvalue() > 1e-3
    assert np.mean(np.sign(fit.predict(network.X)) == network.y) > 0.9
    values_only = network.risk(1.0)
    assert values_only.rows.uses_complex_step(fit.theta)
    near(values_only.row_gradients(fit.theta), fit.risk.row_gradients(fit.theta), 1e-12)
    by_values = ist.Fit(values_only, fit.theta).influence().on_theta().values
    near(by_values, fit.influence().on_theta().values, 1e-8)


@pytest.mark.slow
def test_influence_of_a_perceptron_against_warm_started_refits(data_dir):
    # All 100 rows: slope 1.325, Pearson 0.971, largest error 2.1e-3 of largest change 4.2e-3 (lam = 1).
    # The derivative itself is right to six digits, as a small change of weight shows.
    network, fit = trained(data_dir)
    X, y = network.X[:1], network.y[:1]
    first_order = fit.influence().on_loss(X, y).removal[:, 0]
    tests, before = fit.risk.test_rows(X, y), fit.loss(X, y)[0]

    def change(row, share):
        weights = np.ones(100)
        weights[row] -= share
        theta = minimise(fit.risk.reweighted(weights), start=fit.theta).theta
        return tests.row_losses(theta)[0] - before

    rows = np.arange(2, 100, 12)
    refits = np.array([change(row, 1.0) for row in rows])
    slope = refits @ first_order[rows] / (first_order[rows] @ first_order[rows])
    assert 1.0 < slope < 1.6
    assert np.corrcoef(refits, first_order[rows])[0, 1] > 0.95
    for row in rows[:3]:
        derivative = (change(row, 1e-4) - change(row, -1e-4)) / 2e-4
        near(first_order[row], derivative, 1e-6)


def test_an_indefinite_hessian_is_refused_without_damping_and_answered_with_it(data_dir):
    network = iris(data_dir)
    risk = network.risk(0.1, row_gradients=network.row_gradients)
    theta = np.random.default_rng(0).normal(size=network.size)
    with pytest.raises(NotStationary):
        ist.Fit(risk, theta)
    fit = ist.Fit(risk, theta, tolerance=np.inf)
    with pytest.raises(IndefiniteHessian, match="add damping"):
        fit.influence().on_theta()
    damping = 0.1 - fit.hessian.smallest_eigenvalue()
    H = fit.hessian.to_dense() + damping * np.eye(network.size)
    truth = -np.linalg.solve(H, risk.row_gradients(theta).T).T
    near(fit.influence(solver=ist.Cholesky(damping=damping)).on_theta().values, truth, 1e-9)


def test_the_perceptron_gradient_is_right():
    rng = np.random.default_rng(0)
    network = Perceptron(rng.normal(size=(5, 2)), rng.choice([-1.0, 1.0], 5), 2)
    theta = rng.normal(size=network.size)
    near(network.row_gradients(theta), network.risk(1.0).rows.gradients(theta).value, 1e-13)
