"""Fits with an absolute-value penalty on their active set: the linear penalty, and rows that change it."""

import numpy as np
import pytest
from hypothesis import given
from sklearn.linear_model import ElasticNet, Lasso

import influstat as ist
from influstat.input.design import Design
from influstat.removal.active_set import entering_pull
from influstat.risks.penalties.active_l1 import ActiveL1
from tests.cases import problems

SMOOTH = problems(solvable=True, rows=(8, 20))


def with_slope(problem):
    """Return the risk, the same without its linear part, and a slope of both signs."""
    slope = np.where(np.arange(problem.coefficients) % 2 == 0, 0.3, -0.7)
    return problem.risk(penalty=problem.penalty + ActiveL1(slope, bound=1.0)), problem.risk(), slope


@given(SMOOTH)
def test_value_gradient_and_hessian_have_the_linear_part(problem):
    risk, smooth, slope = with_slope(problem)
    theta, W = problem.theta, smooth.total_weight
    assert risk.value(theta) == pytest.approx(smooth.value(theta) + slope @ theta / W, rel=1e-12)
    np.testing.assert_allclose(risk.gradient(theta) - smooth.gradient(theta), slope / W, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(risk.curvature(theta).to_dense(), smooth.curvature(theta).to_dense())
    assert (risk.gradient_scale(theta) >= np.abs(slope) / W).all()


@given(SMOOTH)
def test_dropping_a_row_keeps_or_shrinks_the_linear_part(problem):
    risk, smooth, slope = with_slope(problem)
    weights = smooth.weights.copy()
    weights[np.argmax(weights)] = 0.0
    left = risk.reweighted(weights)
    factor = weights.sum() / smooth.total_weight if risk.protocol == "folded" else 1.0
    lasso = left.penalty.parts[-1]
    np.testing.assert_allclose(lasso.slope, factor * slope, rtol=1e-13)
    assert lasso.bound == pytest.approx(factor, rel=1e-13)
    total = left.gradient(problem.theta) - smooth.reweighted(weights).gradient(problem.theta)
    np.testing.assert_allclose(total, factor * slope / weights.sum(), atol=1e-8)


def test_test_rows_carry_the_training_share_of_the_linear_part():
    risk = ist.LinearRisk(
        ist.SquaredError(),
        [[1.0], [1.0], [2.0]],
        [1.0, 3.0, 2.0],
        protocol="folded",
        intercept=True,
        penalty=ist.Linear([0.6]),
    )
    tests = risk.test_rows([[1.0]], [3.0])
    np.testing.assert_allclose(tests.row_losses(np.array([2.0, 1.0])), [0.6 * 2.0 / 3.0])


# -- the set itself ------------------------------------------------------------------------------------

RNG = np.random.default_rng(2)
N = 60
X = RNG.normal(size=(N, 6))
Y = X @ [1.0, -1.0, 0.25, -0.2, 0.0, 0.0] + RNG.normal(size=N)


@pytest.mark.parametrize("weights", [None, RNG.uniform(0.5, 2.0, N)], ids=["ones", "weights"])
@pytest.mark.parametrize(
    "estimator", [Lasso(alpha=0.15, tol=1e-12), ElasticNet(alpha=0.2, tol=1e-12)], ids=str
)
def test_flags_are_the_rows_whose_refit_has_other_columns(estimator, weights):
    fit = ist.from_sklearn(estimator.fit(X, Y, sample_weight=weights), X, Y, sample_weight=weights)
    signs = np.sign(estimator.coef_)
    truth = []
    for row in range(N):
        k = np.arange(N) != row
        again = estimator.fit(X[k], Y[k], sample_weight=None if weights is None else weights[k])
        truth.append((np.sign(again.coef_) != signs).any())
    assert 0 < sum(truth) < N
    np.testing.assert_array_equal(fit.leave_one_out().active_set_changes(), truth)


def test_a_group_may_change_the_set_too():
    lasso = Lasso(alpha=0.15, tol=1e-12).fit(X, Y)
    fit = ist.from_sklearn(lasso, X, Y)
    signs, labels = np.sign(lasso.coef_), np.arange(N) // 6
    truth = [(np.sign(lasso.fit(X[labels != k], Y[labels != k]).coef_) != signs).any() for k in range(10)]
    assert 0 < sum(truth) < 10
    np.testing.assert_array_equal(fit.leave_groups_out(labels).active_set_changes(), truth)


def test_a_removal_without_coefficients_is_flagged():
    fit = ist.from_sklearn(Lasso(alpha=0.15, tol=1e-12).fit(X, Y), X, Y)
    removal = fit.leave_one_out(rows=[0, 1])
    removal.theta[0] = np.nan
    assert removal.active_set_changes()[0]


def test_fits_without_such_a_penalty_are_refused():
    removal = ist.Ridge(lam=1.0).fit(X, Y).leave_one_out(rows=[0])
    with pytest.raises(ist.errors.Unsupported, match="absolute-value penalty on its active set"):
        removal.active_set_changes()


def test_pull_of_a_column_left_out_is_compared_with_lambda():
    risk = ist.LinearRisk(ist.SquaredError(), [[1.0], [1.0]], [1.0, 3.0])
    out = Design([[1.0], [-1.0]])  # pull 2 (1 - theta) - 2 (3 - theta): 4 in size, 2 |e| in its terms
    theta = np.array([2.0])
    for bound, expected in [(5.0, -0.25), (4.0, 0.0), (3.0, 0.25)]:
        lasso = ActiveL1([0.0], excluded=out, bound=bound)
        assert entering_pull(risk, lasso, theta) == pytest.approx(expected)
    assert entering_pull(risk, ActiveL1([1.0]), theta) == 0.0
    assert ActiveL1([1.0, -1.0]).crossed(np.array([-2.0, -2.0])).tolist() == [True, False]
