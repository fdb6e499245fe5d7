"""Hessians whose products are in float32: steps towards a minimum take them, answers never do."""

import numpy as np
import pytest

import influstat as ist
from influstat.curvature import linear
from influstat.minimise.remaining import remaining_step
from tests.cases import LOSSES, make_problem

N, P = 300, 200


def made(**settings):
    """Return the risk of a logistic regression of many columns."""
    case = next(case for case in LOSSES if case.name == "logistic")
    problem = make_problem(case, N, P, 3, **settings)
    return problem.risk(X=problem.X / 8.0, penalty=ist.L2(1.0))


@pytest.mark.parametrize("settings", [{}, {"weights": "zeros", "offset": True}], ids=str)
def test_a_minimum_found_with_rough_steps_is_the_minimum(monkeypatch, settings):
    risk = made(**settings)
    assert risk.curvature(np.zeros(P)).rough is not None
    fit = ist.Fit.minimise(risk)
    assert risk.curvature(fit.theta).cholesky() is not risk.curvature(fit.theta).rough
    influence = fit.influence().on_theta().values
    monkeypatch.setattr(linear, "ROUGH", P + 1)
    truth = ist.Fit.minimise(made(**settings))
    np.testing.assert_allclose(fit.theta, truth.theta, rtol=0, atol=1e-13 * np.abs(truth.theta).max())
    exact = truth.influence().on_theta().values
    np.testing.assert_allclose(influence, exact, rtol=0, atol=1e-12 * np.abs(exact).max())


def test_it_has_about_six_digits_and_the_distance_left_three():
    risk = made()
    theta = ist.Fit.minimise(risk).theta * (1.0 + 1e-3)
    curvature = risk.curvature(theta)
    exact = curvature.design.gram(curvature.share * curvature.second)
    single = curvature.design.single_gram(curvature.share * curvature.second)
    root = np.sqrt(exact.diagonal())
    assert 0.0 < np.max(np.abs(single - exact) / np.outer(root, root)) < 1e-5
    np.testing.assert_array_equal(single, single.T)
    left = remaining_step(risk, theta)
    assert remaining_step(risk, theta, rough=True) == pytest.approx(left, rel=1e-3)


@pytest.mark.parametrize("scale", [1e-25, 1e22], ids=str)
def test_units_beyond_float32_are_not_rough(scale):
    risk = made()
    X = risk.design.rows(slice(None)).copy()
    X[:, 0] *= scale
    moved = ist.LinearRisk(risk.loss, X, risk.y, penalty=ist.L2(1.0))
    assert moved.curvature(np.zeros(P)).rough is None


def test_columns_that_are_too_alike_are_not_rough():
    risk = made()
    X = risk.design.rows(slice(None)).copy()
    X[:, 0] = X[:, 1] + 1e-3 * X[:, 0]
    moved = ist.LinearRisk(risk.loss, X, risk.y, penalty=ist.L2(1e-9))
    assert moved.curvature(np.zeros(P)).rough is None


def test_polishing_sums_one_hessian_in_double_precision(monkeypatch):
    from sklearn.linear_model import LogisticRegression

    risk = made()
    X, y = risk.design.rows(slice(None)), risk.y
    estimator = LogisticRegression(fit_intercept=False, tol=1e-6).fit(X, y)
    asked = []
    gram = ist.input.design.Design.gram
    monkeypatch.setattr(ist.input.design.Design, "gram", lambda *a: asked.append(1) or gram(*a))
    fit = ist.from_sklearn(estimator, X, y, polish=True)
    fit.influence().on_loss(X[:3], y[:3])
    assert len(asked) == 1
