"""Support vector classifiers with the hinge: the smoothed risk that stands in, and its distance from them."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.svm import SVC, LinearSVC

import influstat as ist
from tests.cases import penalty_diagonal

RNG = np.random.default_rng(11)
X = RNG.normal(size=(60, 3))
Y = np.where(X @ [1.0, -1.0, 0.5] + RNG.normal(size=60) > 0, "yes", "no")
W = RNG.uniform(0.5, 2.0, 60)

CASES = [
    ("SVC", SVC(kernel="linear", C=0.4, tol=1e-8), None),
    ("SVC, class_weight", SVC(kernel="linear", C=0.4, tol=1e-8, class_weight={"yes": 2.0}), None),
    ("SVC, sample_weight", SVC(kernel="linear", C=0.4, tol=1e-8), W),
    (
        "LinearSVC, penalised intercept",
        LinearSVC(loss="hinge", C=0.4, tol=1e-9, intercept_scaling=2.0, max_iter=10**6, random_state=0),
        None,
    ),
    (
        "LinearSVC, no intercept",
        LinearSVC(loss="hinge", C=0.4, tol=1e-9, fit_intercept=False, max_iter=10**6, random_state=0),
        None,
    ),
]


def theta_of(estimator):
    intercept = estimator.intercept_ if getattr(estimator, "fit_intercept", True) else []
    return np.concatenate([np.ravel(estimator.coef_), np.ravel(intercept)])


@pytest.mark.parametrize(("name", "estimator", "w"), CASES, ids=[case[0] for case in CASES])
def test_smoothing_leads_to_the_support_vector_machine(name, estimator, w):
    """The hinge risk at the smoothed minimum exceeds the library's by at most t log 2, which bounds beta."""
    estimator.fit(X, Y, sample_weight=w)
    away = []
    for t in (0.1, 0.01, 0.001):
        fit = ist.from_sklearn(estimator, X, Y, sample_weight=w, smoothing=t)
        hinge = np.maximum(0.0, 1.0 - fit.risk.y * fit.risk.linear_predictor(fit.theta))
        value = (fit.risk.weights @ hinge + fit.risk.penalty.value(fit.theta)) / fit.risk.total_weight
        there = np.maximum(0.0, 1.0 - fit.risk.y * fit.risk.linear_predictor(theta_of(estimator)))
        least = (
            fit.risk.weights @ there + fit.risk.penalty.value(theta_of(estimator))
        ) / fit.risk.total_weight
        assert -1e-6 < value - least < t * np.log(2.0)
        away.append(np.abs(fit.theta - theta_of(estimator)).max())
        beta = (fit.theta - theta_of(estimator))[:3]  # the risk is strongly convex there, with kappa / W
        assert beta @ beta < 2.0 * t * np.log(2.0) * fit.risk.total_weight / penalty_diagonal(fit.risk)[0]
    assert away[2] < 0.1 * away[0]


@pytest.mark.slow
def test_removals_of_the_smoothed_fit_are_near_refits_of_the_svc():
    svc = SVC(kernel="linear", C=0.4, tol=1e-8).fit(X, Y)
    fit = ist.from_sklearn(svc, X, Y, smoothing=1e-4)
    ours = fit.leave_one_out(method="exact").delta
    keep = ~np.eye(60, dtype=bool)
    truth = np.array([theta_of(clone(svc).fit(X[k], Y[k])) for k in keep]) - theta_of(svc)
    assert np.abs(ours - truth).max() < 0.02 * np.abs(truth).max()
    far = np.abs(fit.risk.y * fit.risk.linear_predictor(fit.theta) - 1.0) > 0.3
    outside = far & (fit.risk.y * fit.risk.linear_predictor(fit.theta) > 1.0)
    np.testing.assert_allclose(fit.influence().on_theta().values[outside], 0.0, atol=1e-12)


def test_predictions_are_decision_values_and_have_no_mean():
    svc = SVC(kernel="linear", tol=1e-8).fit(X, Y)
    fit = ist.from_sklearn(svc, X, Y, smoothing=1e-3)
    np.testing.assert_allclose(fit.predict(X), svc.decision_function(X), atol=0.02)
    with pytest.raises(ist.errors.Unsupported, match="no mean"):
        fit.predict(X, kind="mean")


def test_other_data_than_in_the_fit_are_refused():
    svc = SVC(kernel="linear", tol=1e-8).fit(X, Y)
    with pytest.raises(ist.errors.NotStationary, match="minimise the hinge risk on these rows"):
        ist.from_sklearn(svc, X[::-1], Y, smoothing=0.01)


def test_smoothing_must_be_a_positive_width():
    svc = SVC(kernel="linear").fit(X, Y)
    with pytest.raises(ist.errors.InvalidArgument, match="t must be greater than 0"):
        ist.from_sklearn(svc, X, Y, smoothing=0.0)
