"""Certificates of several classes are never below the true error, and are there where they should be."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import influstat as ist
from influstat.errors import InflustatError
from tests.budget import examples
from tests.extended import LONG
from tests.softmax_cases import SoftmaxTruth, softmax_problems

COUNTS = {"certified": 0, "known": 0, "all": 0, "fits": 0}


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


@examples(200)
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
    COUNTS["fits"] += 1
    for name, count in (("certified", certified.sum()), ("known", known.sum()), ("all", len(certified))):
        COUNTS[name] += int(count)
    for name, error, bound in errors(removal, truth, true, X, y):
        mask = certified, known
        if name == "held out":
            mask = tuple(one[removal.groups.owners] for one in mask)
        # statsmodels' losses are inf where a probability is below float64, and so are their bounds.
        promised = np.isfinite(removal.loss_change(problem.tests(X), y)) if "loss" in name else True
        assert (np.isfinite(bound) | ~np.broadcast_to(promised, bound.shape))[mask[0]].all(), name
        assert not np.isnan(bound[mask[0]]).any(), name
        assert np.isnan(bound[~mask[0]]).all(), name
        beyond = np.abs(error[mask[1]]) > bound[mask[1]]
        assert not beyond.any(), f"{name}: {error[mask[1]][beyond]} beyond {bound[mask[1]][beyond]}"


def teardown_module():
    print(COUNTS)
