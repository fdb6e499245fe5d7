"""Groups: read rightly, refused clearly, removed exactly; closed forms for squared error; second order."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import influstat as ist
from influstat.input.groups import read_groups
from tests.budget import examples
from tests.cases import LOSSES, make_problem, problems
from tests.reference import assert_within, rational_ridge
from tests.tolerance import INVERTED, SOLVED, STOP, SUMS, TWO_FITS, removed

SQUARED, LOGISTIC, HINGE = LOSSES[0], LOSSES[1], LOSSES[3]


def assert_refit(theta, plain, rows, start, truth=None):
    """Assert that theta is the minimiser without the rows, as far as rounding lets it be found.

    Without a truth that is a plain refit, and the exact method iterates.
    """
    part = plain.without(rows)
    if truth is None:
        truth = part.minimiser()
        assert_within(theta, truth, removed(plain, part, truth, start), STOP)
    else:
        assert_within(theta, truth, removed(plain, part, truth, start))


# -- squared error: closed forms equal refits ----------------------------------------------------------


@examples(40)
@given(problems(losses=(SQUARED,), rows=(8, 20), solvable=True), st.data())
def test_ridge_without_rows_and_groups_is_a_refit(problem, data):
    fit, plain = ist.Fit.minimise(problem.risk()), problem.plain()
    n = problem.n
    groups = [
        data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=n - 2, unique=True)) for _ in "ab"
    ]
    groups = [rows for rows in groups if plain.weights.sum() - plain.weights[rows].sum() > 0]
    removals = [fit.leave_one_out(rows=range(0, n, 3))]
    removals += [fit.leave_groups_out(groups)] if groups else []
    for removal in removals:
        for k, text in enumerate(removal.status):
            rows = removal.groups[k]
            if text:  # only where the rows left do not determine the intercept
                left = np.delete(np.arange(n), rows)
                assert problem.intercept
                assert "Without" in text
                assert np.sum(plain.weights[left] > 0) == 0
                continue
            assert_refit(removal.theta[k], plain, rows, fit.theta, rational_ridge(plain.without(rows)))


@pytest.mark.parametrize("protocol", ["fixed", "folded"])
@pytest.mark.parametrize("size", [10.0, 1e3, 1e5])
def test_ridge_with_leverage_near_one_is_a_refit(size, protocol):
    """The row is as large as `size`: 1 - h down to 1e-10, where downdating has no digits left."""
    problem = make_problem(SQUARED, 30, 4, 7, protocol=protocol, weights="positive", strength=1e-3)
    X = problem.X.copy()
    X[5] *= size
    problem = replace(problem, X=X)
    fit, plain = ist.Fit.minimise(problem.risk()), problem.plain()
    removal = fit.leave_groups_out([[5], [5, 6], [4], list(range(3, 12))])
    for k in range(4):
        rows = removal.groups[k]
        assert_refit(removal.theta[k], plain, rows, fit.theta, rational_ridge(plain.without(rows)))
    assert removal.converged.all()


# -- every loss, every method --------------------------------------------------------------------------


@pytest.mark.dear
@pytest.mark.parametrize("protocol", ["fixed", "folded"])
@pytest.mark.parametrize("weights", ["ones", "positive"])
@pytest.mark.parametrize("case", LOSSES, ids=str)
def test_exact_groups_are_refits(case, weights, protocol):
    problem = make_problem(
        case, 50, 4, 3, intercept=True, protocol=protocol, weights=weights, offset=True, strength=1.0
    )
    fit, plain = ist.Fit.minimise(problem.risk()), problem.plain()
    groups = [[1], [2, 3, 4], range(20, 38), np.array([1, 2, 3])]  # more rows than coefficients; overlapping
    removal = fit.leave_groups_out(groups)
    assert removal.converged.all()
    for k, rows in enumerate(groups):
        assert_refit(removal.theta[k], plain, list(rows), fit.theta)


def test_labels_give_the_groups_of_equal_labels():
    problem = make_problem(LOGISTIC, 30, 3, 1)
    fit = ist.Fit.minimise(problem.risk())
    labels = np.array(["b", "a", "c"])[np.arange(30) % 3]
    by_label = fit.leave_groups_out(labels)
    by_rows = fit.leave_groups_out([np.flatnonzero(labels == name) for name in "abc"])
    np.testing.assert_allclose(by_label.theta, by_rows.theta, rtol=INVERTED)
    assert by_label.labels.tolist() == ["a", "b", "c"]


@pytest.mark.parametrize("protocol", ["fixed", "folded"])
@pytest.mark.parametrize("case", [SQUARED, LOGISTIC, HINGE], ids=str)
@pytest.mark.parametrize(("method", "order"), [("influence", 2), ("second_order", 3)])
def test_halving_the_removed_weight_divides_the_error_by_two_to_the_order(case, method, order, protocol):
    problem = make_problem(case, 40, 3, 6, intercept=True, protocol=protocol, strength=2.0)
    rows = [3, 4, 5]
    errors = []
    for share in (0.02, 0.01, 0.005):
        doubled = problem.rows([*range(40), *rows])
        weights = np.ones(43)
        weights[40:] = share
        fit = ist.Fit.minimise(doubled.risk(weights=weights))
        found, exact = (fit.leave_groups_out([[40, 41, 42]], method=m).theta[0] for m in (method, "exact"))
        errors.append(np.linalg.norm(found - exact))
    for before, after in itertools.pairwise(errors):
        assert before / after == pytest.approx(2.0**order, rel=0.04)


@pytest.mark.parametrize("protocol", ["fixed", "folded"])
@pytest.mark.parametrize("weights", ["ones", "positive"])
def test_newton_is_one_step_on_the_rows_left(weights, protocol):
    problem = make_problem(
        LOGISTIC, 40, 4, 3, intercept=True, protocol=protocol, weights=weights, strength=1.0
    )
    fit, plain = ist.Fit.minimise(problem.risk()), problem.plain()
    groups = [[7], [2, 3], range(10, 30)]
    for removal in (fit.leave_groups_out(groups, method="newton"), fit.leave_one_out(method="newton")):
        for k in range(3):
            part = plain.without(removal.groups[k])
            step = np.linalg.solve(part.hessian(fit.theta), part.gradient(fit.theta))
            np.testing.assert_allclose(removal.theta[k], fit.theta - step, rtol=INVERTED, atol=SUMS)
        assert not removal.converged.any()


def test_influence_of_a_group_is_the_sum_of_its_rows():
    problem = make_problem(LOGISTIC, 30, 3, 1, weights="positive", protocol="folded")
    fit = ist.Fit.minimise(problem.risk())
    removal = fit.leave_groups_out([[1, 2, 5], [4]], method="influence")
    scores = fit.influence().on_theta().removal
    np.testing.assert_allclose(removal.delta, [scores[[1, 2, 5]].sum(axis=0), scores[4]], rtol=INVERTED)


# -- the general way equals the fast one ---------------------------------------------------------------


@pytest.mark.parametrize("case", [SQUARED, LOGISTIC, HINGE], ids=str)
def test_risks_known_by_contract_only_give_the_same(case):
    problem = make_problem(case, 20, 3, 1, intercept=True, protocol="folded", weights="positive")
    risk = problem.risk()
    fit = ist.Fit.minimise(risk)
    groups = read_groups([[1], [2, 3]], 20)
    from influstat.removal.methods.general import OwnNewtonStep, OwnRefit

    for method, way in (("newton", OwnNewtonStep), ("exact", OwnRefit)):
        fast = fit.leave_groups_out([[1], [2, 3]], method=method)
        slow = way(risk, fit.theta).remove(groups)
        np.testing.assert_allclose(slow.theta.T, fast.theta, rtol=TWO_FITS)
        assert slow.converged.all() == (method == "exact")


# -- bad input ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 2], r"groups must hold one label per row \(12\)"),
        (["a"] * 12, "groups must have two or more values"),
        ([None, *"abcdefghijk"], "groups must have no missing entries"),
        ([np.nan, *range(11)], "groups must have no missing entries"),
        ([[0, 1], []], r"groups\[1\] must hold at least one whole number"),
        ([[0, 1], [12]], r"groups\[1\] must hold at least one whole number from 0 to 11"),
        ([[0, 1], [-1]], r"groups\[1\] must hold"),
        ([[0, 0]], r"groups\[0\] must name each row once"),
        ([list(range(12))], r"groups\[0\] must leave a row in"),
        ([[0.5]], r"groups\[0\] must hold at least one whole number"),
        (
            5,
            r"groups must hold one label per row \(12\).* but it is 5\. .* np.arange\(12\) % 5 for five",
        ),
        ([[0, 1], [3, 12]], r"groups\[1\] must .* from 0 to 11, but it holds 12\."),
        ([[0, 3, 3]], r"groups\[0\] must name each row once, but it holds 3 2 times"),
        ([np.arange(11) < 3], r"groups\[0\] must have one entry per row \(12\) where it is a mask"),
        (np.zeros(12, dtype=int), "groups must have two or more values, but it is 0 throughout"),
    ],
)
def test_bad_groups_are_refused(labels, message):
    fit = ist.Fit.minimise(make_problem(LOGISTIC, 12, 2, 1).risk())
    with pytest.raises(ist.errors.InvalidArgument, match=message):
        fit.leave_groups_out(labels)


@pytest.mark.parametrize("rows", [[], [12], [-1], [1, 1], [0.5], "a"])
def test_bad_rows_are_refused(rows):
    fit = ist.Fit.minimise(make_problem(LOGISTIC, 12, 2, 1).risk())
    with pytest.raises(ist.errors.InvalidArgument, match="rows must"):
        fit.leave_one_out(rows=rows)


def test_unknown_methods_are_refused():
    fit = ist.Fit.minimise(make_problem(LOGISTIC, 12, 2, 1).risk())
    with pytest.raises(ist.errors.InvalidArgument, match="method must be 'exact' or 'newton'"):
        fit.leave_one_out(method="jackknife")


def test_a_group_that_leaves_one_class_or_too_low_a_rank_is_named_and_the_others_are_right():
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(30, 2)), (rng.random(30) < 0.5).astype(float)
    fit = ist.Logistic(lam=0.1, intercept=True, protocol="fixed").fit(X, y)
    with pytest.warns(ist.errors.DoubtfulResult, match="1 of 2 removals"):
        removal = fit.leave_groups_out([np.flatnonzero(y == 1), [1, 2]])
    assert "no finite minimiser" in removal.status[0]
    assert removal.converged.tolist() == [False, True]
    z = rng.normal(size=30)
    fit = ist.Ridge(lam=0.0, protocol="fixed").fit(np.column_stack([X, np.arange(30) < 3]), z)
    left = np.linalg.lstsq(X[3:], z[3:], rcond=None)[0]
    for method in ("exact", "newton"):
        with pytest.warns(ist.errors.DoubtfulResult, match="2 of 3 removals .* x2 is not determined"):
            removal = fit.leave_groups_out([[0, 1, 2], [0, 1], range(27)], method=method)
        assert "Without these 3 rows: " in removal.status[0]
        assert "x2" in removal.status[0]
        np.testing.assert_allclose(removal.theta[0], [*left, np.nan], rtol=INVERTED)
        assert np.isfinite(removal.theta[1]).all()


def test_a_group_with_all_the_weight_leaves_the_penalty_or_is_named():
    problem = make_problem(LOGISTIC, 12, 2, 1)
    weights = np.repeat([1.0, 0.0], 6)
    groups = [[0, 1, 2, 3, 4, 5], [0]]
    fit = ist.Fit.minimise(problem.risk(weights=weights, protocol="fixed"))
    removal = fit.leave_groups_out(groups)
    assert removal.status == ("", "")
    assert_within(removal.theta[0], [0.0, 0.0], np.abs(fit.theta))  # the penalty stays whole
    fit = ist.Fit.minimise(problem.risk(weights=weights, protocol="folded"))
    with pytest.warns(ist.errors.DoubtfulResult, match="1 of 2 removals"):
        removal = fit.leave_groups_out(groups)  # the penalty has gone with the rows
    assert removal.status[0].startswith("Group 0: Without these 6 rows: weights must have a positive entry")
    assert removal.status[1] == ""
    assert np.isnan(removal.theta[0]).all()


@pytest.mark.usefixtures("data_dir")
def test_forest_fires_row_237_changes_as_its_refit():
    from influstat.experiments.forest_fires import forest_fires_split

    split = forest_fires_split()
    for protocol in ("fixed", "folded"):
        model = ist.Ridge(lam=1.0, protocol=protocol)
        fit = model.fit(split.X, split.y)
        change = fit.leave_one_out().loss_change(split.X_test, split.y_test)[237]
        weights = np.ones(len(split.y))
        weights[237] = 0.0
        refit = ist.Fit.minimise(fit.risk.reweighted(weights)).theta
        before, after = (
            fit.risk.test_rows(split.X_test, split.y_test).row_losses(np.column_stack([fit.theta, refit])).T
        )
        np.testing.assert_allclose(change, after - before, rtol=0, atol=SUMS)
        assert np.abs(change).max() > 1e-3


def test_a_penalty_that_alone_holds_the_hessian_up_leaves_with_each_row():
    """Cauchy losses far from their targets curve downward: without the penalty the Hessian is indefinite."""
    rng = np.random.default_rng(0)
    X = np.zeros((40, 2))
    X[:5, 1], X[5:, 0] = 1.0, rng.normal(size=35)
    y = np.concatenate([[3.0, -3.0, 3.0, -3.0, 2.5], X[5:, 0] + 0.1 * rng.normal(size=35)])
    weights = rng.uniform(0.5, 5.0, 40)
    loss = ist.NumericalLoss(lambda y, eta: np.log1p((y - eta) ** 2))

    def risk(w, kappa):
        return ist.LinearRisk(loss, X, y, penalty=ist.L2(kappa), protocol="folded", weights=w)

    fit = ist.Fit.minimise(risk(weights, 6.0))
    W = weights.sum()
    assert np.linalg.eigvalsh(W * fit.hessian.to_dense() - 6.0 * np.eye(2))[0] < 0.0
    newton = fit.leave_one_out(method="newton").theta
    for row in range(40):
        left = weights.copy()
        left[row] = 0.0
        part = risk(left, 6.0 * (W - weights[row]) / W)
        step = np.linalg.solve(part.curvature(fit.theta).to_dense(), part.gradient(fit.theta))
        np.testing.assert_allclose(newton[row], fit.theta - step, rtol=SOLVED, atol=SUMS)
