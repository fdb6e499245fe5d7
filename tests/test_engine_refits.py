"""Refits and certificates by expanded sums."""

import numpy as np
import pytest

import influstat as ist
from influstat.input.groups import read_rows
from influstat.losses.base import higher_bounds
from influstat.removal.engine import expanded
from influstat.removal.engine import plan as planning
from influstat.removal.methods.exact import ExactRefit
from tests.cases import LOSSES, make_problem
from tests.test_engine import EXPANDED, small_expansion


@pytest.fixture
def expanding(monkeypatch):
    """Sums over all rows are so dear that every plan expands them."""
    monkeypatch.setattr(planning, "SMALL", 0.0)
    monkeypatch.setattr(planning, "_sweep", lambda n, p: 1e9)


def lengths(fit, delta):
    """Return |delta| in the norm of the Hessian, in which the tolerance is."""
    hessian = fit.risk.total_weight * fit.hessian.to_dense()
    return np.sqrt(np.einsum("...p,pq,...q->...", delta, hessian, delta))


CASES = [
    ("logistic", {"protocol": "fixed"}),
    ("logistic", {"protocol": "folded", "weights": "positive", "offset": True}),
    ("Poisson", {"protocol": "folded", "weights": "counts", "intercept": True}),
    ("smoothed hinge 1", {"protocol": "fixed", "weights": "zeros"}),
    ("pseudo-Huber", {"protocol": "folded", "weights": "positive"}),
]


@pytest.mark.dear
@pytest.mark.parametrize(("name", "settings"), CASES, ids=str)
@pytest.mark.parametrize("together", [1, 3])
def test_refits_and_certificates_are_those_of_sums_over_all_rows(
    expanding, monkeypatch, name, settings, together
):
    case = next(case for case in EXPANDED if case.name == name)
    problem = make_problem(case, 3000, 3, 7, **settings)
    fit = ist.Fit.minimise(problem.risk())
    groups = np.arange(3000).reshape(-1, together)[:400]
    plan = ist.removal.plan(fit, list(groups))
    assert plan.order > 2
    loo = fit.leave_groups_out(list(groups))
    bound = loo.theta_bound()
    monkeypatch.undo()
    assert ist.removal.plan(fit, list(groups[:20])).order == 2
    truth = fit.leave_groups_out(list(groups))
    assert loo.converged.all()
    assert truth.converged.all()
    off = truth.theta - loo.theta
    size, error = lengths(fit, truth.delta), lengths(fit, off)
    assert (error <= planning.TOLERANCE * size + 1e-13).all()  # 1e-13: of theta, where a row changes nothing
    assert loo.certificate.certified.all()
    assert (np.abs(off) <= bound + truth.theta_bound()).all()
    assert np.median(loo.certificate.reach[size > 0] / size[size > 0]) < 1e-6


@pytest.mark.dear
@pytest.mark.parametrize(("name", "settings"), CASES[:3], ids=str)
def test_inference_without_rows_is_that_of_sums_over_all_rows(expanding, monkeypatch, name, settings):
    case = next(case for case in EXPANDED if case.name == name)
    problem = make_problem(case, 3000, 3, 8, **settings)
    X = problem.X.copy()
    X[:90:30] *= 40.0  # rows that move theta too far for the expansion are summed
    inference = ist.Fit.minimise(problem.risk(X=X)).inference()
    rows = np.arange(0, 3000, 30)
    found = inference.leave_one_out(rows=rows)
    monkeypatch.undo()
    truth = inference.leave_one_out(rows=rows)
    table = inference.to_frame()
    for quantity, column in (("standard_errors", 0), ("p_values", 2)):
        scale = np.abs(table.iloc[:, column].to_numpy())
        off = np.abs(getattr(found, quantity) - getattr(truth, quantity))
        assert (off <= 10.0 * planning.TOLERANCE * np.maximum(scale, 1e-3)).all()


@pytest.mark.slow
def test_what_the_expansion_is_too_coarse_for_is_summed(expanding, monkeypatch):
    """A row of high leverage moves theta too far for it: its refit is that of sums over all rows."""
    rng = np.random.default_rng(2)
    X = rng.normal(size=(2000, 2))
    X[:5] *= 40.0
    y = (rng.random(2000) < 0.5).astype(float)
    fit = ist.Fit.minimise(ist.LinearRisk(ist.LogisticLoss(), X, y, penalty=ist.L2(0.1)))
    summed = []
    refit = ExactRefit._summed

    def watched(self, groups, start=None):
        summed.extend(groups.members)
        return refit(self, groups, start)

    monkeypatch.setattr(ExactRefit, "_summed", watched)
    loo = fit.leave_one_out()
    assert set(summed) & set(range(5))
    assert len(summed) < 200
    assert loo.converged.all()
    for row in range(5):
        alone = ist.Fit.minimise(fit.risk.reweighted(np.where(np.arange(2000) == row, 0.0, 1.0)))
        change = alone.theta - fit.theta
        assert lengths(fit, loo.delta[row] - change) <= planning.TOLERANCE * lengths(fit, change)
    assert loo.certificate.certified.all()


def test_what_will_take_hours_is_said_before_it_starts(monkeypatch):
    problem = make_problem(LOSSES[1], 30, 2, 0)
    fit = ist.Fit.minimise(problem.risk())
    monkeypatch.setattr(planning, "SWEEPS", 1e12)
    with pytest.warns(ist.errors.DoubtfulResult, match=r"will take about .* hours.*Ask for fewer"):
        fit.leave_one_out()


def test_a_plan_says_what_will_be_done():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30_000, 8))
    y = (rng.random(30_000) < 0.5).astype(float)
    logistic = ist.Fit.minimise(ist.LinearRisk(ist.LogisticLoss(), X, y, penalty=ist.L2(1.0)))
    plan = ist.removal.plan(logistic)
    assert plan.removals == 30_000
    assert plan.order in (3, 4)
    assert plan.operations < 0.05 * planning.sums(30_000, 30_000, 8).operations
    assert "sums expanded once" in str(plan)
    assert 0.0 < plan.seconds() < 600.0
    few = ist.removal.plan(logistic, [[0], [1, 2]])
    assert (few.removals, few.order, few.swept) == (2, 2, 2)
    squared = ist.Fit.minimise(ist.LinearRisk(ist.SquaredError(), X, y, penalty=ist.L2(1.0)))
    assert str(ist.removal.plan(squared)).startswith("30000 refits by a closed form")
    huber = ist.Fit.minimise(ist.LinearRisk(ist.HuberLoss(), X[:500], y[:500], penalty=ist.L2(1.0)))
    assert ist.removal.plan(huber).order == 2  # no constants: every sum is taken as it is


def test_bounds_without_a_fourth_derivative_are_not_used():
    class Half(ist.LogisticLoss):
        fourth = None

    assert higher_bounds(Half()) is None
    assert higher_bounds(ist.LogisticLoss()) == (1.0, 1.0)


def test_the_path_of_a_removal_leaves_out_its_own_rows(monkeypatch):
    monkeypatch.setattr(expanded, "KEPT_AT_ONCE", 150)  # two removals at a time
    fit, rows = small_expansion(60)
    groups = read_rows(None, np.arange(60))
    theta = fit.theta[:, None] + fit.risk.design.rows(slice(None)).T  # each along its own row
    moved = np.abs(fit.risk.design.dot(theta - fit.theta[:, None]))
    moved[fit.risk.weights == 0] = 0.0
    own = moved.diagonal().copy()
    moved[groups.members, groups.owners] = 0.0
    assert (own > moved.max(axis=0)).any()
    found = rows.at(groups, rows.expansion.left(groups), theta, fourth=True)
    np.testing.assert_allclose(found.path, moved.max(axis=0), rtol=1e-9)
