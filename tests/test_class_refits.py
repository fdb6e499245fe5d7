"""Refits of several classes for all removals at once: terms, remainder, refits, certificates."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import influstat as ist
from influstat.input.groups import read_groups, read_rows
from influstat.minimise.newton import minimise
from influstat.removal.class_expansion import ClassExpansion
from influstat.removal.engine import plan as planning
from influstat.removal.engine.class_rows import BOUNDS, ClassRows
from influstat.removal.engine.plan import Plan
from influstat.removal.methods.general import OwnNewtonStep, OwnRefit
from influstat.risks.class_predictors import class_predictors_of
from tests.budget import examples, some
from tests.test_certificates_softmax import plain_problem

EPSILON = np.finfo(float).eps


def made(seed=0, n=40, **settings):
    """Return a fit of an ordinary problem and its rows around theta-hat."""
    fit = ist.Fit.minimise(plain_problem(seed, n, **settings).risk())
    return fit, ClassExpansion(class_predictors_of(fit.risk), fit.theta)


def without(fit, group):
    """Return the risk without rows, and the share of the weight that is left."""
    weights = fit.risk.weights.copy()
    weights[group] = 0.0
    part = fit.risk.reweighted(weights)
    return part, part.total_weight / fit.risk.total_weight


@pytest.mark.parametrize("reference", [False, True])
def test_hessians_of_multinomial_logits_are_those_of_their_scores(reference):
    fit, _ = made(reference=reference)
    theta = fit.theta + 0.3
    H, step = fit.risk.curvature(theta).to_dense(), 1e-3
    for k in range(len(theta)):
        unit = step * (np.arange(len(theta)) == k)
        near, far = (
            fit.risk.gradient(theta + times * unit) - fit.risk.gradient(theta - times * unit)
            for times in (1, 2)
        )
        np.testing.assert_allclose(H[k], (8.0 * near - far) / (12.0 * step), rtol=0, atol=1e-9)


@pytest.mark.parametrize("reference", [False, True])
@pytest.mark.parametrize("groups", [[[0], [7], [3]], [[0, 1], [5, 6, 7]]], ids=["rows", "groups"])
def test_gradients_without_rows_are_those_of_the_risks_left(reference, groups):
    fit, expansion = made(reference=reference)
    read = read_groups(groups, 40)
    remainder = expansion.remainder(read)
    theta = fit.theta[:, None] + np.random.default_rng(1).normal(size=(len(fit.theta), len(groups)))
    found, center = remainder.gradients(theta), remainder.gradients_at_center()
    for k, group in enumerate(groups):
        part, left = without(fit, group)
        scale = part.gradient_scale(theta[:, k]).max() * fit.risk.total_weight
        for at, mine in ((theta[:, k], found[:, k]), (fit.theta, center[:, k])):
            truth = part.gradient(at) * left * fit.risk.total_weight
            np.testing.assert_allclose(mine, truth, rtol=0, atol=256 * EPSILON * scale)
    moved = remainder.movement(theta)
    rows = expansion.rows
    spread = np.ptp(rows.predictors(theta.T) - expansion.eta[:, :, None], axis=1)
    spread[read.members, read.owners] = 0.0
    np.testing.assert_allclose(moved, spread.max(axis=0), rtol=1e-12)


@examples(60)
@given(st.integers(0, 2**16), st.integers(0, 5), st.booleans(), st.booleans(), st.booleans())
def test_the_remainder_bounds_what_the_expansion_leaves_out(seed, kept, fourth, reference, folded):
    try:
        fit, expansion = made(seed, reference=reference, folded=folded, K=2 + seed % 3)
    except ist.errors.NoMinimiser:  # without a penalty, classes that the columns separate
        assume(False)
    anchor = expansion.anchor(1.0)
    rows = ClassRows(expansion, anchor, Plan(1, 4 if fourth else 3, kept, 0, 0.0))
    groups = read_rows(None, np.arange(40)) if seed % 2 else read_groups(np.arange(40) % 3, np.arange(40))
    rng = np.random.default_rng(seed)
    length = 10.0 ** rng.uniform(-5, 0.5, len(groups))
    units = rng.normal(size=(len(fit.theta), len(groups)))
    theta = fit.theta[:, None] + units * length
    found = rows.at(groups, expansion.left(groups), theta, fourth=fourth)
    truth = expansion.remainder(groups).gradients(theta)
    missing = np.linalg.norm(anchor.whiten(found.gradient - truth), axis=0)
    size = anchor.largest_norm(
        1e4 * EPSILON * np.max(expansion.scales(groups), axis=1) * (1.0 + length.max())
    )
    size += 1e4 * EPSILON * np.abs(theta).max() * anchor.largest**2
    assert (missing <= found.remainder * (1.0 + 1e-6) + size).all()
    assert (expansion.remainder(groups).movement(theta) <= found.path * (1.0 + 1e-9)).all()


@pytest.mark.parametrize("reference", [False, True])
def test_what_is_left_out_falls_as_the_power_that_is_promised(reference):
    fit, expansion = made(2, 200, reference=reference)
    anchor = expansion.anchor(1.0)
    rows, groups = ClassRows(expansion, anchor, Plan(1, 4, 0, 0, 0.0)), read_rows([0], np.arange(200))
    direction = np.random.default_rng(0).normal(size=(len(fit.theta), 1))
    for fourth, power in ((False, 3), (True, 4)):
        errors = []
        for length in (0.1, 0.01):
            theta = fit.theta[:, None] + length * direction
            found = rows.at(groups, expansion.left(groups), theta, fourth=fourth)
            truth = expansion.remainder(groups).gradients(theta)
            errors.append(np.linalg.norm(anchor.whiten(found.gradient - truth)))
        assert 0.4 * 10.0**power < errors[0] / errors[1] < 2.5 * 10.0**power


def test_cumulants_are_within_their_constants():
    """The fourth and fifth along d, and once v, in the range of d and the two variances: any distribution."""
    rng, worst = np.random.default_rng(0), np.zeros(2)
    for _ in range(3000):
        K = int(rng.integers(2, 6))
        pi = rng.dirichlet(np.full(K, 10.0 ** rng.uniform(-1.5, 0.5)))
        d, v = rng.normal(size=(2, K)) if rng.random() < 0.7 else np.sign(rng.normal(size=(2, K)))
        D, V, r = d - pi @ d, v - pi @ v, np.ptp(d)
        size = np.sqrt((pi @ D**2) * (pi @ V**2))
        if size < 1e-9:
            continue
        fourth = pi @ (D**3 * V) - 3.0 * (pi @ D**2) * (pi @ (D * V))
        fifth = pi @ (D**4 * V) - 4.0 * (pi @ D**3) * (pi @ (D * V)) - 6.0 * (pi @ D**2) * (pi @ (D**2 * V))
        worst = np.maximum(worst, np.abs([fourth / r**2, fifth / r**3]) / size)
    assert (worst <= np.array(BOUNDS) * (1.0 + 1e-12)).all()
    assert (worst > 0.5).all()  # and not far from what there is


# -- refits ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reference", [False, True])
@pytest.mark.parametrize("together", [1, 3])
def test_refits_are_those_of_each_risk_alone(reference, together):
    fit, _ = made(n=60, reference=reference)
    groups = np.arange(12 * together).reshape(-1, together).tolist()
    read = read_groups(groups, 60)
    for method, own in (("newton", OwnNewtonStep), ("exact", OwnRefit)):
        found, truth = fit.leave_groups_out(groups, method=method), own(fit.risk, fit.theta).remove(read)
        np.testing.assert_allclose(found.theta, truth.theta.T, rtol=0, atol=1e-9)
        np.testing.assert_array_equal(found.converged, truth.converged)
    assert found.certificate.certified.all()


@pytest.mark.parametrize("reference", [False, True])
def test_the_second_order_is_off_by_the_third(reference):
    """Fewer weights leave, eight times less is left out for each halving."""
    problem, errors = plain_problem(n=60, reference=reference, folded=False), []
    for share in (0.04, 0.02):
        weights = problem.weights.copy()
        weights[0] = share
        risk = problem.risk().reweighted(weights)
        fit = ist.Fit.minimise(risk)
        exact, second = (fit.leave_one_out(method=method, rows=[0]) for method in ("exact", "second_order"))
        errors.append(np.linalg.norm(exact.theta - second.theta))
    assert 6.0 < errors[0] / errors[1] < 10.0


@pytest.mark.parametrize("reference", some([True, False]))
@pytest.mark.parametrize("together", some([2, 1]))
def test_expanded_refits_and_certificates_are_those_of_sums_over_all_rows(monkeypatch, reference, together):
    fit, _ = made(5, 1500, reference=reference)
    groups = np.arange(1500).reshape(-1, together)[:200].tolist()
    monkeypatch.setattr(planning, "SMALL", 0.0)
    monkeypatch.setattr(planning, "_sweep", lambda n, p: 1e9)
    assert ist.removal.plan(fit, groups).order > 2
    loo = fit.leave_groups_out(groups)
    bound = loo.theta_bound()
    monkeypatch.undo()
    assert ist.removal.plan(fit, groups[:20]).order == 2
    truth = fit.leave_groups_out(groups)
    assert loo.converged.all()
    assert truth.converged.all()
    hessian = fit.risk.total_weight * fit.hessian.to_dense()
    off = truth.theta - loo.theta
    error, size = (np.sqrt(np.einsum("kp,pq,kq->k", d, hessian, d)) for d in (off, truth.delta))
    assert (error <= planning.TOLERANCE * size + 1e-12).all()
    assert loo.certificate.certified.all()
    assert (np.abs(off) <= bound + truth.theta_bound()).all()


def test_a_lost_class_is_said_and_the_others_are_refitted():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 2)), np.append(2, np.arange(29) % 2)
    fit = ist.Fit.minimise(ist.SoftmaxRisk(X, y, penalty=ist.L2(1.0), intercept=True))
    with pytest.warns(ist.errors.DoubtfulResult, match="2: intercept are not determined; the others are"):
        found = fit.leave_one_out()
    assert found.converged.all()
    two = ist.Fit.minimise(ist.SoftmaxRisk(X[1:], y[1:], penalty=ist.L2(1.0), intercept=True)).theta
    slopes = [*two[:2], np.nan, *two[3:5], np.nan, 0.0, 0.0, np.nan]  # the penalty alone holds those of 2
    np.testing.assert_allclose(found.theta[0], slopes, rtol=0, atol=1e-9)
    alone = minimise(without(fit, [4])[0], start=fit.theta).theta
    np.testing.assert_allclose(found.theta[4], alone, rtol=0, atol=1e-9)
