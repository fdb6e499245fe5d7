"""Certificates of several classes are never below the true error, and are there where they should be."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import influstat as ist
from influstat.curvature.softmax import SoftmaxCurvature, probabilities, sum_of_others
from influstat.errors import InflustatError
from influstat.input.design import Design
from influstat.input.groups import read_groups
from influstat.removal.certificates import bounds
from influstat.removal.certificates.certify import certify
from influstat.removal.certificates.softmax import SoftmaxPoint
from influstat.removal.certificates.theorem import Constants
from influstat.risks.class_predictors import class_predictors_of
from tests.budget import examples
from tests.certificate_cases import UNSAID
from tests.extended import LONG
from tests.softmax_cases import METHODS, SoftmaxProblem, SoftmaxTruth, softmax_problems

pytestmark = UNSAID


@np.errstate(all="ignore")  # no minimum: steps go anywhere, and that removal has no truth
def true_minimisers(truth, groups, start):
    return np.array([truth.minimiser(group, start) for group in groups])


def errors(removal, truth, true, X, y):
    """Yield what is bounded: its name, the error and the bound, of shape (k, m)."""
    problem, before = truth.problem, removal.fit.theta.astype(LONG)
    rows = problem.tests(X)
    yield "theta", removal.delta - (true - before), removal.theta_bound()
    change = [truth.losses(theta, X, y) - truth.losses(before, X, y) for theta in true]
    for linear in (False, True):
        found = removal.loss_change(rows, y, linear=linear)
        yield f"loss, {linear = }", found - np.array(change), removal.loss_bound(rows, y, linear=linear)
    groups = removal.groups
    own = problem.X[groups.members], problem.y[groups.members]
    theta = removal.theta.astype(LONG)
    folded = truth.penalty_share
    held = [
        (truth.losses(theta[k], x[None], [c]) - truth.losses(true[k], x[None], [c]))[0]
        - folded(theta[k])
        + folded(true[k])
        for k, x, c in zip(groups.owners, *own, strict=True)
    ]
    yield "held out", np.array(held), removal.held_out_bound()
    if problem.reference:
        return
    for kind, quantity in (("linear", truth.eta), ("mean", truth.probabilities)):
        change = [(quantity(theta, X) - quantity(before, X)).ravel() for theta in true]
        found = removal.prediction_change(rows, kind=kind)
        yield kind, found - np.array(change), removal.prediction_bound(rows, kind=kind)


@examples(120)
@pytest.mark.filterwarnings("ignore:.*removals hold coefficients that are nan")
@given(softmax_problems(), st.integers(0, 10**6))
def test_no_error_of_anything_drawn_is_beyond_its_bound(drawn, seed):
    problem, groups, method, X, y = drawn
    truth = SoftmaxTruth(problem)
    risk = problem.risk()
    theta = true_minimisers(truth, [[]], np.zeros(risk.shape[1]))[0].astype(float)
    assume(np.isfinite(theta).all() and np.abs(truth.eta(theta, problem.X)).max() < 300.0)
    noise = 1.0 + 1e-3 * (seed % 3 == 0) * np.random.default_rng(seed).normal(size=len(theta))
    true = true_minimisers(truth, groups, theta)
    try:
        removal = ist.Fit(risk, theta * noise, tolerance=np.inf).leave_groups_out(groups, method=method)
    except InflustatError:  # not even the fit with all rows is determined
        assume(False)
    certified = removal.certificate.certified
    known = certified & np.isfinite(true).all(axis=1)
    for name, error, bound in errors(removal, truth, true, X, y):
        mask = certified, known
        if name == "held out":
            mask = tuple(one[removal.groups.owners] for one in mask)
        # statsmodels' losses are inf where a probability is below float64, and so are their bounds.
        promised = (
            np.isfinite(removal.loss_change(problem.tests(X), y, linear=False)) if "loss" in name else True
        )
        assert (np.isfinite(bound) | ~np.broadcast_to(promised, bound.shape))[mask[0]].all(), name
        assert not np.isnan(bound[mask[0]]).any(), name
        assert np.isnan(bound[~mask[0]]).all(), name
        beyond = np.abs(error[mask[1]]) > bound[mask[1]]
        assert not beyond.any(), f"{name}: {error[mask[1]][beyond]} beyond {bound[mask[1]][beyond]}"


# -- the constants, from their definitions ----------------------------------------------------------------


def plain_problem(seed=0, n=40, K=3, q=3, *, reference=False, folded=True, strength=1.0, common=None):
    """Return an ordinary problem; with `common` most rows are of that class."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(size=(n, q - 1)), np.ones(n)])
    eta = X @ rng.normal(size=(q, K))
    if common is not None:
        eta[:, common] += 2.0
    y = np.argmax(eta + rng.gumbel(size=(n, K)), axis=1)
    y[:K] = np.arange(K)
    weights = np.ones(n) if reference else rng.uniform(0.5, 2.0, n)
    return SoftmaxProblem(X, y, K, weights, strength, True, folded and not reference, reference)


def norms_by_definition(C, X, K, first):
    """Return the largest |(e_a - e_b) (x) x|_{C^-1} of every row x over pairs of classes."""
    unit = np.eye(K)
    contrasts = np.array(
        [np.kron(unit[a] - unit[b], x)[first:] for x in X for a in range(K) for b in range(K)]
    )
    norms = np.sqrt(np.einsum("mp,mp->m", contrasts, np.linalg.solve(C, contrasts.T).T))
    return norms.reshape(len(X), K * K).max(axis=1)


def constants_by_definition(problem, certificate, k):
    """Return the constants of removal k as the docstring of `certificates.softmax` defines them."""
    point, group = certificate.point, certificate.groups[k]
    theta, X, n, K = certificate.theta[k], problem.X, len(problem.y), problem.K
    first = X.shape[1] if problem.reference else 0
    own = certificate.own[k]
    center = theta if own else point.theta
    pi, after = (probabilities(point.rows.predictors(at))[0] for at in (center, theta))
    weights = problem.weights.copy()
    weights[group] = 0.0
    truth = SoftmaxTruth(problem)
    left = weights.sum() / problem.weights.sum() if problem.folded else 1.0
    strengths = problem.penalty.astype(float)
    gauge = np.where(strengths == 0, problem.weights.sum(), 0.0) * (not problem.reference)

    def hessian(w):
        return truth._hessian(w, pi, certificate.penalty_left[k] * strengths, gauge)[first:, first:]

    B = hessian(weights)
    C = B if own else hessian(problem.weights)
    norms = norms_by_definition(C, X, K, first)
    spare = 1.0 if own else np.min(np.linalg.eigvals(np.linalg.solve(C, B)).real)
    leverages = (weights if own else problem.weights) * 0.5 * (1.0 - (pi**2).sum(axis=1)) * norms**2
    order = np.argsort(leverages)
    lost = order[np.cumsum(leverages[order]) <= 1e-3]
    stay = np.setdiff1d(np.arange(n), group)
    kept = np.setdiff1d(stay, lost)
    away = point.rows.predictors(theta) - point.rows.predictors(center)
    G = (weights[:, None] * (after - truth.hot)).T.astype(float) @ X
    blocks = point.rows.by_class(theta)
    G = (G + left * strengths * blocks + gauge * blocks.sum(axis=0)).ravel()[first:]
    given = problem.weights * 0.5 * (1.0 - (after**2).sum(axis=1)) * norms**2
    mismatch = abs(np.log(left / certificate.penalty_left[k])) if strengths.any() else 0.0
    found = {
        "q": np.sqrt(G @ np.linalg.solve(B, G)),
        "noise": 0.0,
        "rho": norms[kept].max() / np.sqrt(spare),
        "rho_all": norms[stay].max() / np.sqrt(spare),
        "sigma": np.ptp(away, axis=1)[kept].max() + mismatch,
        "lost_before": leverages[lost].sum() / spare,
        "lost_after": given[np.intersect1d(stay, lost)].sum() / spare,
        "relative": 0.0,
    }
    return Constants(**{name: np.array([value]) for name, value in found.items()})


@pytest.mark.parametrize("reference", [False, True])
@pytest.mark.parametrize("groups", [[[0], [1], [7]], [[0, 1, 2], [3, 4]]], ids=["rows", "groups"])
@pytest.mark.parametrize("own_work", [0.0, 1e12], ids=["shared", "own"])
def test_radii_are_those_of_the_definitions(reference, groups, own_work, monkeypatch):
    monkeypatch.setattr("influstat.removal.certificates.certify.OWN_WORK", own_work)
    monkeypatch.setattr("influstat.removal.certificates.certify.LOOSE", 0.0)
    problem = plain_problem(reference=reference)
    theta = ist.Fit.minimise(problem.risk()).theta
    theta = theta + 1e-2 * np.random.default_rng(0).normal(size=len(theta))  # the level is not 0 then
    fit = ist.Fit(problem.risk(), theta, tolerance=np.inf)
    for method in ("newton", "influence"):
        certificate = fit.leave_groups_out(groups, method=method).certificate
        assert certificate.certified.all()
        assert certificate.own.any() == (own_work > 0)
        for k in range(len(groups)):
            truth = constants_by_definition(problem, certificate, k)
            for found, expected in (
                (certificate.first_radius[k], truth.first_radius()[0]),
                (certificate.second_radius[k], truth.second_radius()[0]),
            ):
                assert found == pytest.approx(expected, rel=1e-4, abs=1e-9)  # rounding is added to it
                assert found >= expected * (1.0 - 1e-9)


@pytest.mark.parametrize("reference", [False, True])
def test_gradients_are_right_to_the_error_that_is_said(reference):
    """Far from 0 predictors cancel: probabilities have few digits, and the sums of all rows fewer."""
    problem = plain_problem(reference=reference)
    problem.X[:, 0] += 1e4
    rows = class_predictors_of(problem.risk())
    blocks = np.random.default_rng(1).normal(size=(3, rows.shape[1] // 3, 3))
    blocks[:, :, -1] -= 1e4 * blocks[:, :, 0]
    theta = blocks.reshape(3, -1)
    point = SoftmaxPoint(rows, theta[0])
    groups = read_groups([[0], [1, 2]], 40)
    left = np.asarray(rows.protocol.left(groups.sums(rows.weights), rows.total_weight))
    found = point.measure(point.anchor(1.0), groups, theta[1:], left)
    for k in range(2):
        error = np.abs(
            found.gradient[:, k] - SoftmaxTruth(problem).gradient(groups[k], theta[1 + k].astype(LONG))
        )
        assert (error <= found.error).all()


@pytest.mark.parametrize("reference", [False, True])
@pytest.mark.parametrize("common", range(3))
def test_rows_count_by_their_largest_contrast(common, reference):
    problem = plain_problem(reference=reference, common=common)
    anchor = ist.Fit.minimise(problem.risk()).leave_one_out(method="newton").certificate.anchor
    C = anchor.gradients(anchor.coordinates(np.eye(problem.risk().shape[1])))
    norms = norms_by_definition(C, problem.X, problem.K, problem.X.shape[1] if reference else 0)
    np.testing.assert_allclose(anchor.row_norms, norms, rtol=1e-9)
    assert (anchor.row_norms >= norms * (1.0 - 1e-12)).all()


def test_two_classes_have_the_certificates_of_the_logistic_loss():
    problem = plain_problem(K=2, reference=True)
    fit = ist.Fit.minimise(problem.risk())
    other = ist.Fit.minimise(ist.LinearRisk(ist.LogisticLoss(), problem.X, problem.y))
    X = problem.X[:5]
    for method in ("newton", "influence"):
        one, two = (one.leave_one_out(method=method) for one in (fit, other))
        assert two.certificate.certified.all()
        for name in ("first_radius", "second_radius"):
            found, expected = (getattr(removal.certificate, name) for removal in (one, two))
            np.testing.assert_allclose(found, expected, rtol=1e-4)
        np.testing.assert_allclose(one.theta_bound(), two.theta_bound(), rtol=1e-4)
        # The logistic bound takes both ends of an interval around 0, this one the ends that can be.
        for found, widest in (
            (one.loss_bound(X, problem.y[:5]), two.loss_bound(X, problem.y[:5])),
            (one.held_out_bound(), two.held_out_bound()),
        ):
            assert (found <= widest * (1.0 + 1e-4) + 1e-11).all()
            assert (found > 0.3 * widest).all()


# -- where bounds are and where they are not --------------------------------------------------------------


@pytest.mark.parametrize("reference", [False, True])
def test_ordinary_rows_are_all_certified_and_sharply(reference):
    problem = plain_problem(n=80, reference=reference)
    fit = ist.Fit.minimise(problem.risk())
    X, y = problem.tests(problem.X), problem.y
    removals = {method: fit.leave_one_out(method=method, rows=range(0, 80, 4)) for method in METHODS}
    exact = removals["exact"]
    change = exact.loss_change(X, y)
    assert all(removal.certificate.certified.all() for removal in removals.values())
    assert np.median(removals["newton"].loss_bound(X, y) / np.abs(change)) < 0.1
    assert np.median(exact.loss_bound(X, y) / np.abs(change)) < 1e-6
    assert np.median(exact.theta_bound() / np.abs(exact.delta)) < 1e-6
    error = np.abs(removals["newton"].loss_change(X, y) - change)
    assert np.median(removals["newton"].loss_bound(X, y) / error) < 3.0


def test_a_class_of_one_row_cannot_lose_it():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 2)), np.append(2, np.arange(29) % 2)
    fit = ist.Fit.minimise(ist.SoftmaxRisk(X, y, penalty=ist.L2(1.0), intercept=True))
    with pytest.warns(ist.errors.DoubtfulResult, match="2: intercept are not determined; the others are"):
        exact = fit.leave_one_out()
    assert exact.certificate.certified.tolist() == [False] + [True] * 29
    assert "there are no coefficients" in exact.certificate.status[0]
    theta = fit.theta[None]
    assert "may change too much" in certify(fit.risk, fit.theta, read_groups([[0]], 30), theta).status[0]
    # With all coefficients penalised the class goes on without rows.
    held = ist.Fit.minimise(ist.SoftmaxRisk(X, y, penalty=ist.L2(1.0))).leave_one_out()
    assert held.certificate.certified.all()


def test_classes_derived_from_the_risk_prove_nothing():
    class Other(ist.SoftmaxRisk):
        """Losses of its own, for all that is known."""

    fit = ist.Fit.minimise(Other([[1.0], [0.5], [-1.0]], [1, 0, 0], penalty=ist.L2(1.0)))
    removal = fit.leave_one_out(method="newton", rows=[1])
    assert "Other is not a LinearRisk, nor a softmax risk" in removal.certificate.status[0]
    for bound in (removal.theta_bound(), removal.loss_bound([[1.0]], [0]), removal.held_out_bound()):
        assert np.isnan(bound).all()
    assert np.isnan(removal.prediction_bound([[1.0]], kind="mean")).all()


def test_many_test_rows_are_judged_a_few_at_a_time(monkeypatch):
    problem = plain_problem()
    removal = ist.Fit.minimise(problem.risk()).leave_one_out(method="newton", rows=range(4))
    X, y = problem.tests(problem.X), problem.y
    whole = removal.loss_bound(X, y)
    monkeypatch.setattr(bounds, "AT_ONCE", 1)
    # Products of other shapes round otherwise, by the condition of the Hessian.
    np.testing.assert_allclose(removal.loss_bound(X, y), whole, rtol=1e-9)


def test_without_a_margin_for_rounding_some_errors_are_beyond_their_bounds(monkeypatch):
    for name in ("softmax.unit_rounding", "anchor.unit_rounding", "bounds.unit_rounding"):
        monkeypatch.setattr(f"influstat.removal.certificates.{name}", lambda terms: 0.0)
    for name in ("softmax.LONG_EPSILON", "bounds.EPSILON"):
        monkeypatch.setattr(f"influstat.removal.certificates.{name}", 0.0)
    monkeypatch.setattr("influstat.removal.class_expansion.unit_rounding", lambda terms: 0.0)
    problem = plain_problem(folded=False)
    truth, fit = SoftmaxTruth(problem), ist.Fit.minimise(problem.risk())
    found, true = fit.leave_one_out(), true_minimisers(truth, [[row] for row in range(40)], fit.theta)
    removal = replace(found, theta=true.astype(float))  # refits to the last digit
    beyond = {
        name: int((np.abs(error) > bound).sum())
        for name, error, bound in errors(removal, truth, true, problem.X[:5], problem.y[:5])
    }
    assert beyond["theta"] + beyond["linear"] + beyond["loss, linear = False"] > 0


def test_probabilities_near_one_curve_by_what_the_others_leave():
    eta = np.array([[0.0, -40.0, -45.0]])
    pi, rest = probabilities(eta)
    expected = np.exp(np.array([-40.0, -45.0])).sum()
    assert rest[0, 0] == pytest.approx(expected, rel=1e-14)
    curvature = SoftmaxCurvature(Design([[1.0]]), np.ones(1), pi, np.zeros(1), np.zeros(1))
    assert curvature.to_dense()[0, 0] == pytest.approx(expected, rel=1e-14)
    assert curvature.diagonal()[0] == pytest.approx(expected, rel=1e-14)


@given(st.integers(2, 6), st.integers(0, 100))
def test_sums_of_others_are_those(K, seed):
    values = np.random.default_rng(seed).uniform(size=(3, K, 2))
    plain = [np.delete(values, k, axis=1).sum(axis=1) for k in range(K)]
    np.testing.assert_allclose(sum_of_others(values), np.stack(plain, axis=1), rtol=1e-14)
