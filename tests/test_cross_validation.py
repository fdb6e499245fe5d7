"""Cross-validated losses against refits by plain loops; the grid of lam; the stream."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, TweedieRegressor
from sklearn.model_selection import KFold

import influstat as ist
from tests.cases import LOSSES, make_problem
from tests.tolerance import CHANGES, INVERTED, SOLVED, SUMS, TWO_FITS


def held_out(problem, groups):
    """Return the loss of every row at the plain refit without its fold."""
    plain = problem.plain()
    losses = np.full(problem.n, np.nan)
    for rows in groups:
        theta = plain.without(rows).minimiser()
        for i in rows:
            losses[i] = plain.loss.value(plain.y[i], plain.X[i] @ theta + plain.offset[i])
    return losses


@pytest.mark.parametrize("protocol", ["fixed", "folded"])
@pytest.mark.parametrize("weights", ["ones", "positive"])
@pytest.mark.parametrize("case", [LOSSES[0], LOSSES[1], LOSSES[3]], ids=str)
def test_losses_are_those_of_refits(case, weights, protocol):
    problem = make_problem(
        case, 30, 3, 2, intercept=True, protocol=protocol, weights=weights, offset=True, strength=2.0
    )
    fit, w = ist.Fit.minimise(problem.risk()), problem.plain().weights
    truth = held_out(problem, [[i] for i in range(30)])
    for certified in (False, True):
        result = ist.cross_validate(fit, certified=certified)
        np.testing.assert_allclose(result.row_losses, truth, rtol=TWO_FITS, atol=SOLVED)
        assert result.mean == pytest.approx(np.average(truth, weights=w), rel=TWO_FITS)
        assert np.isfinite(result.error_bound).any() == certified
        if certified:
            assert np.nanmax(np.abs(result.row_losses - truth) - result.error_bound) <= 1e-13
    folds = np.arange(30) % 4
    truth = held_out(problem, [np.flatnonzero(folds == k) for k in range(4)])
    result = ist.cross_validate(fit, folds)
    np.testing.assert_allclose(result.row_losses, truth, rtol=TWO_FITS, atol=SOLVED)
    means = [np.average(truth[folds == k], weights=w[folds == k]) for k in range(4)]
    np.testing.assert_allclose(result.fold_losses, means, rtol=TWO_FITS)


@pytest.mark.parametrize("k", [2, 4, np.int64(7), 30])
def test_a_number_of_folds_makes_those_of_a_plain_kfold(k):
    X = np.random.default_rng(3).normal(size=(30, 2))
    y = X @ [1.0, -1.0] + np.cos(np.arange(30.0))
    fit = ist.from_sklearn(LinearRegression().fit(X, y), X, y)
    found, truth = ist.cross_validate(fit, k), ist.cross_validate(fit, KFold(k))
    np.testing.assert_allclose(found.row_losses, truth.row_losses, rtol=SUMS)
    np.testing.assert_allclose(found.fold_losses, truth.fold_losses, rtol=SUMS)
    for wrong, need in ((1, "at least 2"), (31, "at most 30"), (-5, "at least 2")):
        with pytest.raises(ist.errors.InvalidArgument, match=f"folds must be {need}"):
            ist.cross_validate(fit, wrong)


@pytest.mark.parametrize("protocol", ["fixed", "folded"])
@pytest.mark.parametrize("weights", ["ones", "positive"])
def test_a_grid_of_lam_is_one_cross_validation_each(weights, protocol):
    problem = make_problem(
        LOSSES[0], 30, 3, 2, intercept=True, protocol=protocol, weights=weights, offset=True, strength=2.0
    )
    lams = [1e-4, 0.3, 1.0, 1e4]
    means = []
    for lam in lams:
        other = replace(problem, strength=2.0 * lam)
        losses = held_out(other, [[i] for i in range(30)])
        means.append(np.average(losses, weights=other.plain().weights))
    fit = ist.Fit.minimise(problem.risk())
    np.testing.assert_allclose(ist.cross_validate_lam(fit, lams), means, rtol=INVERTED)


def test_a_row_of_leverage_one_has_no_held_out_loss():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=10), np.arange(10) == 4])
    fit = ist.Ridge(lam=0.0).fit(X, rng.normal(size=10))
    with pytest.warns(ist.errors.DoubtfulResult, match="^1 of 10 folds hold rows that nothing .* x1"):
        result = ist.cross_validate(fit)
    assert np.isnan(result.row_losses).nonzero()[0].tolist() == [4]
    assert "x1" in result.status[4]
    assert np.isnan(result.mean)


def test_a_fold_without_a_minimiser_has_no_held_out_loss_and_the_others_are_right():
    X = np.array([-3, -2, -1, 2.5, 1.0, 2, 3, -2.9])[:, None]
    y = np.repeat([0, 1], 4)
    fit = ist.Logistic(lam=0.0, intercept=True).fit(X, y)
    folds = [[3, 7], [0, 4], [1, 2, 5, 6]]  # without rows 3 and 7 the classes are separated
    with pytest.warns(ist.errors.DoubtfulResult, match="^1 of 3 folds .* no finite minimiser"):
        result = ist.cross_validate(fit, folds, certified=True)
    assert np.isnan(result.row_losses).nonzero()[0].tolist() == [3, 7]
    assert np.isnan(result.error_bound[[3, 7]]).all()
    assert "no finite minimiser" in result.status[0]
    kept = np.delete(np.arange(8), folds[1])
    again = ist.Logistic(lam=0.0, intercept=True).fit(X[kept], y[kept])
    np.testing.assert_allclose(
        result.row_losses[folds[1]], again.loss(X[folds[1]], y[folds[1]]), rtol=TWO_FITS
    )


def test_refusals():
    problem = make_problem(LOSSES[1], 12, 2, 1)
    fit = ist.Fit.minimise(problem.risk())
    with pytest.raises(ist.errors.InvalidArgument, match="folds must be disjoint"):
        ist.cross_validate(fit, [[0, 1], [1, 2]])
    with pytest.raises(ist.errors.Unsupported, match="fit must be by squared error"):
        ist.cross_validate_lam(fit, [1.0])
    ridge = ist.Ridge(lam=1.0).fit(problem.X, problem.y)
    with pytest.raises(ist.errors.InvalidArgument, match="lams must be positive"):
        ist.cross_validate_lam(ridge, [0.0])
    with pytest.raises(ist.errors.InvalidArgument, match="lams must hold at least one strength"):
        ist.cross_validate_lam(ridge, [])
    with pytest.raises(ist.errors.InvalidType, match=r"folds must be a whole number, but it is a float\."):
        ist.cross_validate(ridge, 5.0)
    with pytest.raises(ist.errors.InvalidArgument, match=r"folds\[0\] must leave a row in"):
        ist.cross_validate(ridge, [range(12)])
    with pytest.raises(ist.errors.InvalidArgument, match=r"groups\[0\] must .* but it holds 12"):
        fit.removal_report(problem.X, problem.y, groups=[[12]])
    with pytest.raises(ist.errors.InvalidArgument, match="method must be"):
        ist.cross_validate(ridge, method="jackknife")


@pytest.mark.parametrize("method", ["exact", "newton", "second_order", "influence"])
def test_the_stream_gives_the_same_in_parts(method, monkeypatch):
    problem = make_problem(LOSSES[1], 25, 2, 1, protocol="folded")
    fit = ist.Fit.minimise(problem.risk())
    whole = fit.leave_one_out(method=method)
    monkeypatch.setattr("influstat.removal.methods.base.Method.at_once", 10)
    parts = list(ist.removal.stream(fit, method=method))
    assert [len(part.theta) for part in parts] == [10, 10, 5]
    np.testing.assert_allclose(np.concatenate([part.theta for part in parts]), whole.theta, rtol=INVERTED)
    changes = ist.removal.loss_changes(fit, problem.X_test, problem.y_test, method=method)
    truth = whole.loss_change(problem.X_test, problem.y_test)
    np.testing.assert_allclose(changes.change, truth, rtol=CHANGES, atol=SUMS)
    assert changes.converged.all() == (method == "exact")


# scikit-learn 1.5 looks for a better point than the minimum it has found in one step.
@pytest.mark.filterwarnings("ignore:Line search of Newton solver")
def test_half_the_squared_error_is_validated_with_its_own_curvature():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    y = X @ [1.0, 2.0, 0.0] + rng.normal(size=40)
    estimator = TweedieRegressor(power=0, alpha=0.5, fit_intercept=False, solver="newton-cholesky", tol=1e-10)
    fit = ist.from_sklearn(estimator.fit(X, y), X, y)
    errors = []
    for row in range(40):
        k = np.arange(40) != row
        errors.append(y[row] - estimator.fit(X[k], y[k]).predict(X[row : row + 1])[0])
    # The total penalty is 40 alpha / 2 = 10 |theta|^2, folded: scikit-learn's alpha belongs to a mean.
    np.testing.assert_allclose(
        ist.cross_validate_lam(fit, [10.0]), [np.mean(np.square(errors))], rtol=INVERTED
    )


def test_losses_without_a_certified_bound_are_counted_with_the_reason():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 3)), rng.normal(size=12)
    X[:, 2] = (X[:, 0] + X[:, 1]) / 3.0  # depends on them to rounding: what it lacks in digits is not bounded
    fit = ist.from_sklearn(LinearRegression(fit_intercept=False).fit(X, y), X, y)
    with pytest.warns(ist.errors.DoubtfulResult, match="12 of 12 losses have no certified .* depend on"):
        found = ist.cross_validate(fit, certified=True)
    assert np.isnan(found.error_bound).all()
    assert np.isfinite(found.row_losses).all()


@pytest.mark.parametrize("protocol", ["folded", "fixed"])
def test_rows_alone_in_any_order_and_some_of_them_are_those_of_every_row(protocol):
    rng = np.random.default_rng(0)
    X, y, weights = rng.normal(size=(20, 3)), rng.normal(size=20), rng.uniform(0.2, 3.0, 20)
    X[7, 2] = 1e4  # leverage near 1
    fit = ist.Ridge(lam=2.0, protocol=protocol).fit(X, y, weights=weights)
    every, order = ist.cross_validate(fit), rng.permutation(20)
    for folds in (order, [[i] for i in order]):
        np.testing.assert_allclose(ist.cross_validate(fit, folds).row_losses, every.row_losses, rtol=SOLVED)
    some = ist.cross_validate(fit, [[7], [3]]).row_losses
    np.testing.assert_allclose(some[[3, 7]], every.row_losses[[3, 7]], rtol=SOLVED)
    assert np.isnan(np.delete(some, [3, 7])).all()


@pytest.mark.parametrize(
    ("folds", "said"),
    [
        (None, "4 rows held out, each alone, refits by 'exact'"),
        (["a", "b", "c", "d"], "4 rows held out, each alone, refits by 'exact'"),
        (["a", "a", "b", "b"], "Rows held out by 2 folds, refits by 'exact'"),
        ([[0, 1]], "Rows held out by 1 fold, refits by 'exact'"),
    ],
)
def test_what_was_held_out_together_is_said(folds, said):
    fit = ist.Ridge(lam=1.0, protocol="fixed").fit([[1.0], [2.0], [-1.0], [0.5]], [1.0, 3.0, 0.0, 1.0])
    found = ist.cross_validate(fit, folds)
    first, second, *_ = repr(found).splitlines()
    assert first.startswith(said)
    units = "row" if found.folds.single else "fold"
    assert second.startswith(f"{found.count} of {found.count} {units}{'s' if found.count > 1 else ''} done")
