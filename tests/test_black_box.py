"""Risks given as one function of theta: the closed forms again, and bad functions."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import influstat as ist
from influstat.errors import IndefiniteHessian, InvalidArgument, InvalidType, Unsupported
from tests.budget import examples, some
from tests.cases import LOSSES, make_problem
from tests.perceptron import iris
from tests.test_numerical_loss import ANALYTIC

KINDS = ["complex", "differences", "gradients", "hvp"]


def black_box(problem, kind):
    """Return the problem as a function of theta, with as much help as `kind` says."""
    X, y, o = problem.with_ones(problem.X), problem.y, problem.offset
    loss, offset = problem.case.loss, 0.0 if o is None else o
    value = ANALYTIC.get(problem.case.name, lambda y, eta: np.log1p(np.exp(eta)) - y * eta)
    if kind != "complex":
        value = loss.value

    def gradients(theta):
        return loss.first(y, X @ theta + offset)[:, None] * X

    def hvp(theta, v, weights):
        return X.T @ (weights * loss.second(y, X @ theta + offset) * (X @ v))

    help_given = {"gradients": {"row_gradients": gradients}, "hvp": {"row_gradients": gradients, "hvp": hvp}}
    unpenalised = [*problem.unpenalised, -1] if problem.intercept else problem.unpenalised
    return ist.BlackBoxRisk(
        lambda theta: value(y, X @ theta + offset),
        problem.coefficients,
        penalty=ist.L2(problem.strength, unpenalised),
        weights=problem.weights,
        protocol=problem.protocol,
        test_losses=lambda theta, X_new, y_new: value(y_new, problem.with_ones(X_new) @ theta),
        predict=lambda theta, X_new: problem.with_ones(X_new) @ theta,
        **help_given.get(kind, {}),
    )


def near(found, truth, rtol=1e-6):
    found, truth = np.asarray(found), np.asarray(truth)
    assert found.shape == truth.shape
    np.testing.assert_allclose(found, truth, rtol=0, atol=rtol * np.max(np.abs(truth)))


@pytest.mark.dear
@pytest.mark.parametrize("protocol", ["folded", "fixed"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", LOSSES[:5], ids=str)
def test_the_papers_models_equal_the_closed_forms(case, kind, protocol):
    problem = make_problem(
        case, 24, 3, seed=8, weights="positive", offset=True, strength=2.0, intercept=True, protocol=protocol
    )
    risk, box = problem.risk(), black_box(problem, kind)
    fit = ist.Fit.minimise(risk)
    found = ist.Fit.minimise(box, start=fit.theta + 0.01)
    assert box.rows.uses_complex_step(fit.theta) == (kind == "complex" or case.name == "squared error")
    near(found.theta, fit.theta, 1e-9)
    near(box.value(fit.theta), risk.value(fit.theta), 1e-13)
    near(box.gradient(problem.theta), risk.gradient(problem.theta), 1e-10)
    near(found.hessian.to_dense(), fit.hessian.to_dense(), 1e-7)
    X, y = problem.X_test, problem.y_test
    near(found.loss(X, y), fit.loss(X, y), 1e-9)
    near(found.predict(X), fit.predict(X), 1e-9)
    for question in (
        lambda f: f.influence().on_theta().values,
        lambda f: f.influence().on_loss(X, y).values,
        lambda f: f.influence().on_prediction(X).removal,
        lambda f: f.influence().on_self().values,
    ):
        near(question(found), question(fit))  # 1e-6, the figure


@pytest.mark.slow
@pytest.mark.parametrize("kind", some(["complex", "gradients"]))
def test_leave_one_out_works_through_reweighting(kind):
    problem = make_problem(LOSSES[2], 12, 2, seed=4, strength=1.0, protocol="folded")
    fit = ist.Fit.minimise(problem.risk())
    found = ist.Fit.minimise(black_box(problem, kind))
    loo, truth = found.leave_one_out(), fit.leave_one_out()
    near(loo.theta, truth.theta, 1e-9)
    assert loo.converged.all()
    near(loo.loss_change(problem.X_test, problem.y_test), truth.loss_change(problem.X_test, problem.y_test))


@examples(25)
@given(st.integers(0, 2**32 - 1), st.sampled_from(KINDS), st.sampled_from(LOSSES[:4]))
def test_drawn_risks_and_their_rows(seed, kind, case):
    problem = make_problem(case, 7, 3, seed=seed, weights="counts", strength=0.5, protocol="folded")
    risk, box, theta = problem.risk(), black_box(problem, kind), problem.theta
    near(box.row_losses(theta), risk.row_losses(theta), 1e-12)
    near(box.row_gradients(theta), risk.row_gradients(theta), 1e-10)
    near(box.row_gradients(theta, [2, 5]), risk.row_gradients(theta, [2, 5]), 1e-9)
    vectors = np.random.default_rng(seed).normal(size=(3, 2))
    near(box.row_gradients_dot(theta, vectors), risk.row_gradients_dot(theta, vectors), 1e-9)
    thetas = np.column_stack([theta, -theta])
    near(box.row_losses(thetas), risk.row_losses(thetas), 1e-12)
    near(box.predictions(thetas, problem.X_test), risk.predictions(thetas, problem.X_test), 1e-13)
    weights = np.arange(7.0)
    near(box.reweighted(weights).gradient(theta), risk.reweighted(weights).gradient(theta), 1e-9)
    tests = [r.test_rows(problem.X_test, problem.y_test) for r in (box, risk)]
    near(tests[0].row_gradients(theta), tests[1].row_gradients(theta), 1e-9)
    assert np.all(box.gradient_scale(theta) >= np.abs(risk.gradient(theta)) * (1.0 - 1e-9))


@pytest.mark.parametrize("kind", KINDS)
def test_every_solver_takes_its_curvature(kind):
    problem = make_problem(LOSSES[1], 30, 4, seed=6, strength=5.0)
    curvature = black_box(problem, kind).curvature(problem.theta)
    closed = problem.risk().curvature(problem.theta)
    H = closed.to_dense()
    rhs = np.random.default_rng(0).normal(size=(4, 2))
    for solver in (ist.Cholesky(), ist.ConjugateGradient(rtol=1e-9), ist.Taylor(depth=3000)):
        fresh = black_box(problem, kind).curvature(problem.theta)
        near(solver.solve(fresh, rhs).value, np.linalg.solve(H, rhs), 1e-7)
    damped = ist.Cholesky(damping=0.5).solve(curvature, rhs).value
    near(damped, np.linalg.solve(H + 0.5 * np.eye(4), rhs), 1e-7)
    # LiSSA draws the same rows as from the closed form, so that both recursions are the same.
    for options in (
        {"depth": 300, "repeats": 3},
        {"depth": 50, "repeats": 2, "batch_size": 4, "damping": 0.1},
    ):
        lissa = ist.LiSSA(scale=40.0, seed=3, rtol=10.0, **options)
        near(lissa.solve(curvature, rhs).value, lissa.solve(closed, rhs).value, 1e-6)
    near(curvature.diagonal(), np.diag(H), 1e-8)
    assert abs(curvature.smallest_eigenvalue() - np.linalg.eigvalsh(H)[0]) < 1e-8
    dense = curvature.to_dense()
    assert np.array_equal(dense, dense.T)
    dense[:] = 0.0
    near(curvature.to_dense(), H, 1e-8)


def test_single_products_are_those_of_equation_11():
    problem = make_problem(LOSSES[1], 40, 12, seed=1)
    H = problem.risk().curvature(problem.theta).to_dense()
    v = np.random.default_rng(3).normal(size=12)
    for size in (1e-8, 1.0, 1e8):
        curvature = black_box(problem, "gradients").curvature(problem.theta)
        near(curvature @ (size * v), H @ (size * v), 1e-9)
        assert curvature._dense is None  # one product, not twelve
    assert np.array_equal(curvature @ np.zeros(12), np.zeros(12))


def standardised(columns):
    return (columns - columns.mean(axis=0)) / np.where(columns.std(axis=0) > 0, columns.std(axis=0), 1.0)


@pytest.mark.parametrize("model", ["ridge", "logistic", "smoothed hinge"])
def test_the_papers_models_on_the_papers_data_from_values_alone(data_dir, model):
    """Ridge on Forest Fires (10 numeric columns), the classifiers on Iris: figures 1, 4 and 5."""
    if model == "ridge":
        table = np.genfromtxt(data_dir / "forestfires" / "forestfires.csv", delimiter=",", skip_header=1)
        X, y = standardised(table[:, [0, 1, *range(4, 12)]]), standardised(table[:, 12])
        fit = ist.Ridge(lam=1.0).fit(X, y)
        columns, value = X, lambda t, X, y: (y - X @ t) ** 2
    else:
        network = iris(data_dir)
        X, y = network.X, network.y
        if model == "logistic":
            fit = ist.Logistic(lam=5.0, labels=(-1, 1)).fit(X, y)
            columns, value = X, lambda t, X, y: np.log1p(np.exp(-y * (X @ t)))
        else:
            fit = ist.SmoothedSVC(lam=2.0, t=0.1).fit(X, y)
            columns = np.column_stack([X, np.ones(len(X))])

            def value(t, X, y):
                return 0.1 * np.log1p(np.exp((1.0 - y * (X @ t)) / 0.1))

    with_ones = columns.shape[1] - X.shape[1]
    box = ist.BlackBoxRisk(
        lambda theta: value(theta, columns, y),
        columns.shape[1],
        penalty=ist.L2(fit.risk.penalty.strength, unpenalised=[-1] if with_ones else []),
        protocol="folded",
        test_losses=lambda t, X, y: value(t, np.column_stack([X, np.ones((len(X), with_ones))]), y),
    )
    assert box.rows.uses_complex_step(fit.theta)
    found = ist.Fit(box, fit.theta)
    near(found.influence().on_theta().values, fit.influence().on_theta().values)
    near(found.influence().on_loss(X[:5], y[:5]).values, fit.influence().on_loss(X[:5], y[:5]).values)


def test_a_saddle_is_not_returned_as_a_fit():
    # theta0 theta1 has a saddle at 0 and gradient 0 there.
    y = np.array([1.0, -1.0, 0.5, -0.5])
    risk = ist.BlackBoxRisk(lambda theta: theta[0] * theta[1] + 0.0 * y + 0.1 * (theta**4).sum(), 2)
    with pytest.raises(IndefiniteHessian):
        ist.Fit.minimise(risk, start=np.zeros(2))
    bad = ist.BlackBoxRisk(lambda theta: -(theta[1] ** 2) + theta[0] ** 2 + 0.0 * y, 2, names=["up", "down"])
    with pytest.raises(IndefiniteHessian, match="coefficient down"):
        ist.Fit(bad, np.zeros(2)).influence().on_theta()
    fit = ist.Fit.minimise(risk, start=[0.1, -0.2])
    near(np.abs(fit.theta), np.full(2, np.sqrt(2.5)), 1e-9)


# -- labels, and bad functions ------------------------------------------------------------------------------


def test_names_and_labels():
    y = np.arange(3.0)
    risk = ist.BlackBoxRisk(
        lambda theta: (y - theta[0]) ** 2,
        1,
        names=["centre"],
        row_labels=["a", "b", "c"],
        predict=lambda theta, X: theta[0] + 0.0 * np.asarray(X)[:, 0],
    )
    fit = ist.Fit.minimise(risk)
    assert fit.names == ("centre",)
    assert fit.row_labels.tolist() == ["a", "b", "c"]
    frame = pd.DataFrame({"x": [1.0, 2.0]}, index=["u", "v"])
    assert fit.influence().on_prediction(frame).columns == ("u", "v")


Y = np.array([0.0, 1.0, 3.0])
MOODY = np.random.default_rng(0)


def writes(theta):
    theta += 1.0
    return (Y - theta[0]) ** 2


def box(function, p=1, **settings):
    return ist.BlackBoxRisk(function, p, **settings)


def squares(theta):
    return (Y - theta[0]) ** 2


AT = np.array([1.0])
BAD = {
    "no function": (lambda: box(3), InvalidType, "row_losses must be a function of theta, but it is 3"),
    "no parameters": (lambda: box(squares, 0), InvalidArgument, "n_params must be at least 1"),
    "scalar": (
        lambda: box(lambda t: np.sum((Y - t[0]) ** 2)),
        InvalidArgument,
        r"row_losses must return one value per row, shape \(rows,\), but it returned shape \(\)",
    ),
    "nothing": (
        lambda: box(lambda t: None),
        InvalidType,
        "row_losses must return an array, .* returned None",
    ),
    "no product": (
        lambda: ist.BlackBoxRisk(squares, 1, hvp=lambda theta, v, w: None).curvature(AT) @ AT,
        InvalidType,
        "hvp must return an array, but it returned None",
    ),
    "one row": (lambda: box(lambda t: t**2), InvalidArgument, "row_losses must return at least 2 rows"),
    "rows vary": (
        lambda: box(lambda t: (Y[: 2 if t[0] else 3] - t[0]) ** 2).value(AT),
        InvalidArgument,
        r"row_losses must return one value per row, shape \(3,\), but it returned shape \(2,\)",
    ),
    "nan": (
        lambda: box(lambda t: np.where(Y > 2, np.nan, Y) + t[0]).value(AT),
        InvalidArgument,
        r"row_losses must return numbers, but it gives nan at row 2, theta = .* Is theta outside",
    ),
    "writes": (lambda: box(writes), InvalidArgument, "row_losses must leave theta as it is"),
    "random": (
        lambda: box(lambda t: squares(t) + 1e-9 * MOODY.normal(size=3)).gradient(AT),
        InvalidArgument,
        "row_losses must be deterministic, but it gives different values .* at row 0",
    ),
    "float32": (
        lambda: box(lambda t: squares(t).astype("f4")),
        InvalidType,
        "row_losses must return float64",
    ),
    "whole numbers": (
        lambda: box(lambda t: squares(t + 0.5).astype(int)),
        InvalidType,
        "row_losses must return float64, but it returned int64. Whole numbers are stairs",
    ),
    "complex": (lambda: box(lambda t: squares(t) + 0j), InvalidType, "row_losses must return real numbers"),
    "kink": (
        lambda: box(lambda t: np.abs(Y - t[0])).gradient(AT),
        InvalidArgument,
        r"row_losses must be differentiable around theta, but it has a kink at row 1, theta = ",
    ),
    "bent": (
        lambda: box(lambda t: np.abs(Y - t[0]) ** 1.5).curvature(AT).to_dense(),
        InvalidArgument,
        "row_losses must be twice differentiable around theta",
    ),
    "Huber's kink": (
        lambda: box(lambda t: ist.HuberLoss(1.0).value(Y, t[0] + 0.0 * Y)).curvature(AT).to_dense(),
        InvalidArgument,
        "row_losses must be twice differentiable around theta, but it has a kink at row 0",
    ),
    "a jump": (
        lambda: box(lambda t: np.where(t[0] < Y, 1.0, 2.0)).gradient(AT),
        InvalidArgument,
        "row_losses must be differentiable",
    ),
    "gradient shape": (
        lambda: box(squares, row_gradients=lambda t: np.ones((1, 3))).gradient(AT),
        InvalidArgument,
        r"row_gradients must return one gradient per row, shape \(3, 1\), but it returned shape \(1, 3\)",
    ),
    "gradient nan": (
        lambda: box(squares, row_gradients=lambda t: np.full((3, 1), np.nan)).gradient(AT),
        InvalidArgument,
        "row_gradients must be finite, but it is not at row 0",
    ),
    "gradient kind": (lambda: box(squares, row_gradients=1), InvalidType, "row_gradients must be a function"),
    "hvp kind": (lambda: box(squares, hvp=1), InvalidType, "hvp must be a function"),
    "hvp shape": (
        lambda: box(squares, hvp=lambda t, v, w: 1.0).curvature(AT) @ AT,
        InvalidArgument,
        r"hvp must return finite numbers of shape \(1,\), but it returned shape \(\)",
    ),
    "hvp not symmetric": (
        lambda: (
            box(
                lambda t: squares(t) + t[1] ** 2,
                2,
                hvp=lambda t, v, w: np.array([v[0] + v[1], v[1]]),
            )
            .curvature(np.ones(2))
            .to_dense()
        ),
        InvalidArgument,
        "hvp must belong to one Hessian, which is symmetric",
    ),
    "penalty": (lambda: box(squares, penalty=1.0), InvalidType, "penalty must be a penalty, but it is 1.0"),
    "weights": (lambda: box(squares, weights=[1, -1, 1]), InvalidArgument, "weights must be at least 0"),
    "protocol": (lambda: box(squares, protocol="fold"), InvalidArgument, "protocol must be 'folded' or"),
    "names": (lambda: box(squares, names=["a", "b"]), InvalidArgument, "names must have one entry per coef"),
    "labels": (lambda: box(squares, row_labels=["a"]), InvalidArgument, "row_labels must have one entry"),
    "width": (lambda: box(squares, width=0.0), InvalidArgument, "width must be greater than 0"),
    "widths": (lambda: box(squares, width=[-1.0]), InvalidArgument, "width must be greater than 0"),
    "tests": (lambda: box(squares).test_rows(AT, AT), Unsupported, "test_losses must be given to the Black"),
    "predict": (lambda: box(squares).predictions(AT, AT), Unsupported, "predict must be given to the Black"),
    "offset": (
        lambda: box(squares, predict=lambda t, X: X).predictions(AT, AT, offset=AT),
        Unsupported,
        "offset must be None for a BlackBoxRisk",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_functions_and_settings_are_refused(name):
    call, error, sentence = BAD[name]
    with pytest.raises(error, match=sentence):
        call()


def test_new_rows_may_be_lists():
    X, y = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 3.0]]), np.array([1.0, 2.0, 4.0])
    risk = ist.BlackBoxRisk(
        lambda theta: (y - X @ theta) ** 2,
        2,
        test_losses=lambda theta, X, y: (y - np.asarray(X) @ theta) ** 2,
        predict=lambda theta, X: np.asarray(X) @ theta,
    )
    influence = ist.Fit.minimise(risk).influence()
    for found, expected in (
        (influence.on_loss([[1.0, 2.0]], [3.0]), influence.on_loss(np.array([[1.0, 2.0]]), np.array([3.0]))),
        (influence.on_prediction([[1.0, 2.0]]), influence.on_prediction(np.array([[1.0, 2.0]]))),
    ):
        np.testing.assert_array_equal(found.values, expected.values)


def test_a_polynomial_is_smooth_and_its_influences_are_exact():
    """Differences of (theta - i)^2 leave rounding alone, which must not be taken for a kink."""
    fit = ist.Fit.minimise(ist.BlackBoxRisk(lambda theta: (theta - np.arange(3)) ** 2, 1))
    np.testing.assert_allclose(fit.theta, [1.0], rtol=1e-12)
    influence = fit.influence().on_theta().values
    np.testing.assert_allclose(influence, [[-1.0], [0.0], [1.0]], rtol=1e-9, atol=1e-9)
