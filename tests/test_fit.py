"""`Fit`: minimisers against the plain Newton's, what is refused, what a fit says about new rows."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import LinearOperator, aslinearoperator, cg, eigsh, minres

import influstat as ist
from influstat.errors import IndefiniteHessian, InvalidArgument, InvalidType, NotConverged, NotStationary
from tests.budget import examples
from tests.cases import LOSSES, make_problem, problems
from tests.reference import assert_within
from tests.tolerance import CLOSED_FORM, INVERTED, STOP, SUMS, TWO_FITS, minimised


def assert_minimiser(theta, plain, truth):
    """Assert that theta is the truth, up to what a relative gradient of STOP leaves open."""
    assert_within(theta, truth, minimised(plain, truth), STOP)


# -- minimisers ---------------------------------------------------------------------------------------


@examples(150)
@given(problems(solvable=True))
def test_the_fit_is_the_minimiser_of_the_loops(problem):
    plain, fit = problem.plain(), ist.Fit.minimise(problem.risk())
    assert fit.theta.dtype == np.float64
    assert_minimiser(fit.theta, plain, plain.minimiser())
    assert fit.stationarity <= STOP
    assert np.all(np.abs(plain.gradient(fit.theta)) <= STOP * plain.gradient_size(fit.theta))
    np.testing.assert_allclose(
        fit.gradient_norm, np.linalg.norm(fit.risk.gradient(fit.theta)), rtol=CLOSED_FORM
    )


@examples(50)
@given(problems(solvable=True), st.integers(0, 10**6))
def test_any_start_leads_to_the_same_minimum(problem, seed):
    fit = ist.Fit.minimise(problem.risk())
    start = fit.theta + problem.theta * np.random.default_rng(seed).normal(size=fit.theta.shape)
    again = ist.Fit.minimise(problem.risk(), start=start)
    assert_minimiser(again.theta, problem.plain(), fit.theta)
    assert again.stationarity <= STOP


def memmap(X, folder):
    path = folder / f"{len(X)} rows"
    X.tofile(path)
    return np.memmap(path, dtype=X.dtype, mode="r", shape=X.shape)


FORMS = {
    "float32": lambda X, folder: X.astype(np.float32),
    "fortran": lambda X, folder: np.asfortranarray(X),
    "csr": lambda X, folder: sp.csr_array(X),
    "csc matrix": lambda X, folder: sp.csc_matrix(X),
    "sparse float32": lambda X, folder: sp.csr_array(X.astype(np.float32)),
    "frame": lambda X, folder: pd.DataFrame(X, columns=list("abc")),
    "integers": lambda X, folder: X.astype(int),
    "lists": lambda X, folder: X.tolist(),
    "memmap": memmap,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("model", [ist.Ridge(), ist.Logistic(intercept=True)], ids=["ridge", "logistic"])
def test_every_form_of_the_same_rows_gives_the_same_scores(form, model, tmp_path):
    rng = np.random.default_rng(0)
    X, X_test = rng.integers(-3, 4, (40, 3)).astype(float), rng.integers(-3, 4, (5, 3)).astype(float)
    y, y_test = np.arange(40) % 2, np.arange(5) % 2
    truth = model.fit(X, y)
    fit = model.fit(FORMS[form](X, tmp_path), y)
    np.testing.assert_allclose(fit.theta, truth.theta, rtol=0, atol=1e-14)
    for test_form in ("lists", form):
        found = fit.influence().on_loss(FORMS[test_form](X_test, tmp_path), y_test).values
        expected = truth.influence().on_loss(X_test, y_test).values
        np.testing.assert_allclose(found, expected, rtol=0, atol=SUMS * np.abs(expected).max())


# -- a given theta ------------------------------------------------------------------------------------


def known():
    problem = make_problem(
        LOSSES[1], 40, 3, 2, weights="positive", offset=True, strength=2.0, intercept=True, tests=4
    )
    return problem, ist.Fit.minimise(problem.risk()).theta


def test_a_minimiser_is_accepted_and_kept():
    problem, theta = known()
    fit = ist.Fit(problem.risk(), theta)
    assert fit.theta.tolist() == theta.tolist()
    assert fit.stationarity <= STOP
    named = pd.Series(theta, index=fit.names)
    assert ist.Fit(problem.risk(), named).theta.tolist() == theta.tolist()
    given_theta = np.array(theta)
    fit = ist.Fit(problem.risk(), given_theta)
    given_theta[:] = 0.0
    assert fit.theta.tolist() == theta.tolist()
    with pytest.raises(ValueError, match="read-only"):
        fit.theta[0] = 1.0


OTHER_OBJECTIVES = {
    "another penalty": {"penalty": ist.L2(2.1)},
    "no penalty": {"penalty": ist.L2(0.0)},
    "a penalised intercept": {"intercept": False, "X": None},
    "other weights": {"weights": np.ones(40)},
    "no offset": {"offset": None},
    "other targets": {"y": None},
}


@pytest.mark.parametrize("name", OTHER_OBJECTIVES)
def test_the_minimiser_of_another_objective_is_refused(name):
    problem, theta = known()
    changes = dict(OTHER_OBJECTIVES[name])
    if "X" in changes:
        changes["X"] = problem.with_ones(problem.X)
    if "y" in changes:
        changes["y"] = np.where(np.arange(40) == 3, 1.0 - problem.y, problem.y)
    with pytest.raises(NotStationary, match=r"^theta must minimise the risk .*at most 1\.0e-06"):
        ist.Fit(problem.risk(**changes), theta)
    assert ist.Fit(problem.risk(**changes), theta, tolerance=np.inf).stationarity > 1e-6


def test_the_refusal_gives_the_numbers_and_the_remedy():
    problem, theta = known()
    with pytest.raises(NotStationary) as caught:
        ist.Fit(problem.risk(), theta + 0.01)
    gradient = np.linalg.norm(problem.plain().gradient(theta + 0.01))
    assert f"|grad R| = {gradient:.3g}" in str(caught.value)
    assert "ist.Fit.minimise(risk, start=theta)" in str(caught.value)
    finished = ist.Fit.minimise(problem.risk(), start=theta + 0.01)
    assert_minimiser(finished.theta, problem.plain(), theta)


BAD_FITS = [
    ("theta", [0.0, 0.0], InvalidArgument, r"theta must have one entry per coefficient \(4\), but it has 2"),
    ("theta", [[0.0]] * 4, InvalidArgument, r"theta must be one-dimensional, but it has shape \(4, 1\)"),
    ("theta", [0, 0, np.nan, 0], InvalidArgument, "theta must be finite, but it holds nan at row 2"),
    ("theta", ["a"] * 4, InvalidType, "theta must hold real numbers"),
    ("theta", [1j] * 4, InvalidType, "theta must hold real numbers"),
    (
        "theta",
        pd.Series(np.zeros(4), index=["intercept", "x0", "x1", "x2"]),
        InvalidArgument,
        "theta must have its labels in the order of the coefficients, but it has 'intercept' at row 0",
    ),
    ("tolerance", 0.0, InvalidArgument, "tolerance must be greater than 0"),
    ("tolerance", np.nan, InvalidArgument, "tolerance must be finite"),
    ("tolerance", None, InvalidType, "tolerance must be a real number"),
    ("risk", ist.LogisticLoss(), InvalidType, "risk must be a risk, but it is a LogisticLoss"),
    ("risk", ist.LinearRisk, InvalidType, "risk must be a risk, but it is a type"),
    ("risk", None, InvalidType, "risk must be a risk, but it is None, which has none"),
]


@pytest.mark.parametrize(("argument", "wrong", "error", "sentence"), BAD_FITS)
def test_what_is_no_fit_is_refused(argument, wrong, error, sentence):
    problem, theta = known()
    arguments = {"risk": problem.risk(), "theta": theta, argument: wrong}
    with pytest.raises(error, match=f"^{sentence}"):
        ist.Fit(arguments.pop("risk"), arguments.pop("theta"), **arguments)


BAD_MINIMISATIONS = [
    ({"start": [0.0]}, InvalidArgument, r"start must have one entry per coefficient \(4\)"),
    ({"start": [0, 0, np.inf, 0]}, InvalidArgument, "start must be finite"),
    ({"max_iterations": 0}, InvalidArgument, "max_iterations must be at least 1"),
    ({"max_iterations": 2.0}, InvalidType, "max_iterations must be a whole number"),
]


@pytest.mark.parametrize(("wrong", "error", "sentence"), BAD_MINIMISATIONS)
def test_settings_of_the_minimiser_are_checked(wrong, error, sentence):
    with pytest.raises(error, match=f"^{sentence}"):
        ist.Fit.minimise(known()[0].risk(), **wrong)
    with pytest.raises(InvalidType, match="^risk must be a risk"):
        ist.Fit.minimise(None)


def test_a_step_limit_is_reported_with_the_gradient_reached():
    with pytest.raises(NotConverged, match=r"stopped after 1 steps with a relative gradient of .*e-"):
        ist.Fit.minimise(known()[0].risk(), max_iterations=1)


def test_a_saddle_is_no_fit():
    class Cosine:  # l = 1 - cos(eta - y): flat at its maxima, curved downwards around them
        self_concordance = np.inf

        def check_targets(self, y):
            return np.asarray(y, dtype=float)

        def value(self, y, eta):
            return 1.0 - np.cos(eta - y)

        def first(self, y, eta):
            return np.sin(eta - y)

        def second(self, y, eta):
            return np.cos(eta - y)

        def third(self, y, eta):
            return -np.sin(eta - y)

        def mean(self, eta):
            return eta

        def mean_derivative(self, eta):
            return np.ones_like(eta)

    X = np.array([[1.0], [1.0], [1.0]])
    risk = ist.LinearRisk(Cosine(), X, [-0.1, 0.0, 0.1])
    assert abs(ist.Fit.minimise(risk, start=[0.7]).theta[0]) < 1e-15
    for start in (np.pi, 2.5):  # at the maximum itself, and where the risk curves downwards
        with pytest.raises(IndefiniteHessian, match="this is not a minimum"):
            ist.Fit.minimise(risk, start=[start])


# -- what a fit says ----------------------------------------------------------------------------------


@examples(50)
@given(problems(solvable=True), st.booleans())
def test_predictions_and_losses_of_new_rows(problem, with_offset):
    fit, plain = ist.Fit.minimise(problem.risk()), problem.plain()
    offset = np.array([0.3, -1.0, 2.0]) if with_offset else None
    o = np.zeros(3) if offset is None else offset
    X = problem.with_ones(problem.X_test)
    spread = np.abs(X) @ np.abs(fit.theta) + np.abs(o)
    assert_within(fit.predict(problem.X_test, offset=offset), X @ fit.theta + o, spread)
    losses = [plain.row_loss(fit.theta, *row) for row in zip(X, problem.y_test, o, strict=True)]
    size = replace(plain, X=X, y=problem.y_test, offset=o, weights=np.full(3, plain.total_weight / 3))
    found = fit.loss(problem.X_test, problem.y_test, offset=offset)
    assert_within(found, losses, size.row_loss_sizes(fit.theta))


def test_means_are_probabilities_or_the_predictor_itself():
    X, y = np.array([[1.0], [-1.0], [2.0]]), [1, 0, 0]
    logistic = ist.Logistic(lam=1.0).fit(X, y)
    eta = logistic.predict([[0.5]])
    np.testing.assert_allclose(logistic.predict([[0.5]], kind="mean"), 1.0 / (1.0 + np.exp(-eta)), rtol=1e-15)
    ridge = ist.Ridge(lam=1.0).fit(X, y)
    assert ridge.predict([[0.5]], kind="mean") == ridge.predict([[0.5]])
    with pytest.raises(ist.errors.Unsupported, match='kind must be "linear" for the smoothed hinge'):
        ist.SmoothedSVC().fit(X, [1, -1, -1]).predict([[0.5]], kind="mean")
    with pytest.raises(InvalidArgument, match="kind must be 'linear' or 'mean'"):
        ridge.predict([[0.5]], kind="median")


def test_a_fit_carries_names_and_labels():
    frame = pd.DataFrame({"age": [1.0, 2.0, 4.0], "dose": [0.0, 1.0, 1.0]}, index=["Ann", "Bob", "Cid"])
    fit = ist.Ridge(intercept=True).fit(frame, [1.0, 2.0, 3.0])
    assert fit.names == ("age", "dose", "intercept")
    assert fit.row_labels.tolist() == ["Ann", "Bob", "Cid"]
    assert repr(fit).startswith("Fit(SquaredError(), 3 rows, 3 coefficients, gradient norm ")


def test_scipy_takes_the_hessian_as_it_is():
    problem, theta = known()
    hessian = ist.Fit(problem.risk(), theta).hessian
    dense = problem.plain().hessian(theta)
    assert isinstance(hessian, LinearOperator)
    rhs = np.arange(4.0)
    for method in (cg, minres):
        value, info = method(hessian, rhs, rtol=1e-13)
        assert info == 0
        np.testing.assert_allclose(value, np.linalg.solve(dense, rhs), rtol=TWO_FITS)
    np.testing.assert_allclose(eigsh(hessian, k=1)[0], np.linalg.eigvalsh(dense)[-1:], rtol=INVERTED)
    damped = hessian + 0.5 * aslinearoperator(np.eye(4))
    np.testing.assert_allclose(damped @ rhs, dense @ rhs + 0.5 * rhs, rtol=CLOSED_FORM)
