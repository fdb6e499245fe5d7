"""Certificates are never below the true error: the law, on small hard problems and on real data."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import influstat as ist
from influstat import datasets
from influstat.errors import IndefiniteHessian, SingularHessian
from influstat.input.groups import read_rows
from tests.budget import examples, share
from tests.cases import make_problem
from tests.certificate_cases import (
    CERTIFIABLE,
    LEAST,
    METHODS,
    MORE,
    SHAPES,
    UNSAID,
    certifiable,
    drawn,
    drawn_groups,
    judged,
)
from tests.extended import LONG, Truth

pytestmark = UNSAID


@examples(200)
@pytest.mark.filterwarnings("ignore:.*removals hold coefficients that are nan")
@given(certifiable(), st.integers(0, 10**6))
def test_no_error_of_anything_drawn_is_beyond_its_bound(drawn_case, seed):
    problem, groups, method = drawn_case
    noise = 1.0 + 1e-3 * (seed % 3 == 0) * np.random.default_rng(seed).normal(size=problem.coefficients)
    try:
        result = judged(problem, groups, method, disturb=lambda theta: theta * noise)
    except (SingularHessian, IndefiniteHessian):  # not even the fit with all rows is determined
        assume(False)
    assume(result is not None)
    result.assert_sound()


@pytest.mark.dear
@pytest.mark.parametrize("scale", [1e2, 1e5, 1e160, 1e300])
@pytest.mark.parametrize("case", [*CERTIFIABLE, *MORE], ids=str)
def test_rows_whose_losses_leave_float64_have_a_bound_of_inf(case, scale):
    problem = make_problem(case, 12, 2, seed=3, strength=5.0, protocol="folded", offset=True)
    problem = replace(problem, X_test=scale * problem.X_test)
    for method in METHODS:
        result = judged(problem, read_rows(None, np.arange(problem.n)), method)
        result.assert_sound()
        bound = result.removal.loss_bound(problem.X_test, problem.y_test)[result.certified]
        assert np.isfinite(bound).all() == (scale <= 1e5 and not (case.name == "Poisson" and scale == 1e5))


@pytest.mark.dear
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
@pytest.mark.parametrize("case", CERTIFIABLE, ids=str)
def test_no_error_is_beyond_its_bound(case, shape):
    certified = known = total = fits = 0
    for seed in range(share(56)):  # 36 combinations of case and shape: 2016 fits in all
        rng = np.random.default_rng(seed + 1)
        problem = drawn(shape, case, seed)
        groups = drawn_groups(rng, problem.n, groups=seed % 5 == 0)
        noise = 1.0 + 1e-3 * (seed % 7 == 0) * rng.normal(size=problem.coefficients)
        result = judged(problem, groups, METHODS[seed % 4], disturb=lambda theta, noise=noise: theta * noise)
        if result is not None:
            result.assert_sound()
            fits += 1
            certified, known = certified + result.certified.sum(), known + result.known.sum()
            total += len(result.certified)
    assert fits >= share(56) - 6
    assert certified >= LEAST[case.name] * total
    assert known >= 0.9 * certified  # of nearly all there is a truth to judge by


# -- real data, every row ---------------------------------------------------------------------------------


def standardised(X):
    """Return X with columns of mean 0 and standard deviation 1."""
    return (X - X.mean(axis=0)) / X.std(axis=0)


def real(name):
    """Return a fit, the name of its loss, and test rows."""
    if name.startswith("fires"):
        data = datasets.load_forest_fires()
        train = np.arange(517) != 42
        X, y = standardised(data.X[train]), standardised(data.y[train])
        return ist.Ridge(lam=1.0, protocol=name.split()[1]).fit(X, y), "squared error", X[:2], y[:2]
    data = datasets.load_iris_pair()
    held_out = np.isin(data.row_labels, [133, 103, 120, 95, 94, 89, 72, 130, 60, 50])
    X, y = data.X[~held_out], data.y[~held_out]
    _, kind, parameter = name.split()
    if kind == "logistic":
        model, loss = ist.Logistic(lam=float(parameter), labels=(-1, 1)), "signed logistic"
    else:
        model, loss = ist.SmoothedSVC(lam=2.0, t=float(parameter)), f"smoothed hinge {parameter}"
    return model.fit(X, y), loss, data.X[held_out], data.y[held_out]


@pytest.mark.dear
@pytest.mark.usefixtures("data_dir")
@pytest.mark.parametrize(
    ("name", "newton", "exact"),
    [
        pytest.param("fires folded", 1.0, 1.0, marks=pytest.mark.slow),
        pytest.param("fires fixed", 1.0, 1.0, marks=pytest.mark.slow),
        ("iris logistic 5", 1.0, 1.0),
        ("iris hinge 1", 1.0, 1.0),
        ("iris hinge 0.1", 1.0, 1.0),
        ("iris hinge 0.01", 0.7, 1.0),
    ],
)
def test_no_error_on_real_data_is_beyond_its_bound(name, newton, exact):
    fit, loss, X, y = real(name)
    truth = Truth.of_risk(fit.risk, loss)
    refit = fit.leave_one_out()
    true = truth.minimisers([[row] for row in range(len(refit.theta))], refit.theta)
    assert np.isfinite(true).all()
    ones = np.column_stack([X, np.ones(len(X))]) if fit.risk.design.intercept else X
    change = truth.losses(true, ones, y) - truth.losses(fit.theta.astype(LONG)[None], ones, y)
    for method, least in [
        ("newton", newton),
        ("influence", newton),
        ("second_order", newton),
        ("exact", exact),
    ]:
        removal = fit.leave_one_out(method=method)
        certified = removal.certificate.certified
        assert certified.mean() >= least
        error = np.abs(removal.loss_change(X, y) - change)
        assert (error <= removal.loss_bound(X, y))[certified].all()
        assert (np.abs(removal.theta - true) <= removal.theta_bound())[certified].all()
