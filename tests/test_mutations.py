"""Deliberately wrong losses, risks, fits, solvers and influences: the checks catch every one of them.

And right ones, drawn at random: the checks pass every one of those.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.special import expit

import influstat as ist
from influstat import strategies
from influstat.checks import check_fit, check_influence, check_loss, check_risk, check_solver
from tests.cases import LOSSES, MORE_LOSSES, make_problem
from tests.perceptron import Perceptron

# -- wrong losses ------------------------------------------------------------------------------------------


def altered(base, *arguments, **methods):
    """Return an instance of a subclass of `base` with other methods."""
    return type(f"Wrong{base.__name__}", (base,), methods)(*arguments)


NOISE = np.random.default_rng(0)


def writes(self, y, eta):
    eta -= y
    return eta**2


def without_kinks():
    loss = ist.HuberLoss(1.5)
    names = ("value", "first", "second", "third", "check_targets", "mean", "mean_derivative")
    return type(
        "PlainHuber", (), {n: staticmethod(getattr(loss, n)) for n in names} | {"self_concordance": np.inf}
    )()


Squared, Logistic, Signed, Hinge = (
    ist.SquaredError,
    ist.LogisticLoss,
    ist.SignedLogisticLoss,
    ist.SmoothedHinge,
)
WRONG_LOSSES = {
    "sign of first": (
        altered(Logistic, first=lambda self, y, eta: y - expit(eta)),
        "first derivative",
        "the sign is reversed",
    ),
    "first halved": (altered(Squared, first=lambda self, y, eta: eta - y), "first derivative", "factor 0.50"),
    "second halved": (
        altered(Squared, second=lambda self, y, eta: np.ones(eta.shape)),
        "second derivative",
        "factor 0.50",
    ),
    "second negative": (
        altered(Signed, second=lambda self, y, eta: -expit(eta) * expit(-eta)),
        "convexity",
        "sign, or not convex",
    ),
    "second lacks a factor": (
        altered(Logistic, second=lambda self, y, eta: expit(eta)),
        "second derivative",
        "",
    ),
    "second lacks 1/t": (
        altered(Hinge, 0.5, second=lambda self, y, eta: 0.5 * Hinge.second(self, y, eta)),
        "second derivative",
        "factor 0.50",
    ),
    "third of the wrong sign": (
        altered(Signed, third=lambda self, y, eta: -Signed.third(self, y, eta)),
        "third derivative",
        "the sign is reversed",
    ),
    "value in float32": (
        altered(Signed, value=lambda self, y, eta: Signed.value(self, y, eta.astype("f4")).astype("f8")),
        "digits",
        "digits only: is it computed in float32",
    ),
    "first in float32": (
        altered(Signed, first=lambda self, y, eta: Signed.first(self, y, eta).astype("f4").astype("f8")),
        "digits",
        "float32",
    ),
    "returns float32": (
        altered(Squared, second=lambda self, y, eta: np.full(eta.shape, 2.0, dtype="f4")),
        "form",
        "returns float32",
    ),
    "0/1 formula for -1/+1": (
        altered(
            Logistic,
            check_targets=Signed.check_targets,
            value=lambda self, y, eta: np.logaddexp(0.0, eta) - y * eta,
            first=lambda self, y, eta: expit(eta) - y,
        ),
        "bounded below",
        "another coding of y",
    ),
    "-1/+1 formula for 0/1": (
        altered(Signed, check_targets=Logistic.check_targets),
        "targets",
        "another coding of y",
    ),
    "mean of the losses": (
        altered(Squared, value=lambda self, y, eta: np.mean((y - eta) ** 2)),
        "form",
        "has shape ()",
    ),
    "rows mixed": (
        altered(Squared, value=lambda self, y, eta: (y - eta) ** 2 - np.mean(eta)),
        "form",
        "mixes rows",
    ),
    "no broadcasting": (
        altered(
            Squared, first=lambda self, y, eta: (-2.0 * (np.ravel(y) - eta.T)).T if eta.ndim == 1 else eta[0]
        ),
        "form",
        "has shape",
    ),
    "nan": (
        altered(Squared, value=lambda self, y, eta: np.where(eta > 1.0, np.nan, (y - eta) ** 2)),
        "form",
        "is nan",
    ),
    "writes to eta": (altered(Squared, value=writes), "form", "changes its input"),
    "random": (
        altered(Squared, value=lambda self, y, eta: (y - eta) ** 2 + 1e-9 * NOISE.normal(size=eta.shape)),
        "form",
        "different results for the same input",
    ),
    "undeclared kink": (without_kinks(), "smoothness", "not twice differentiable"),
    "accepts nan": (altered(Squared, check_targets=lambda self, y: np.asarray(y)), "targets", "accepts nan"),
    "recodes y": (
        altered(Squared, check_targets=lambda self, y: 2.0 * Squared.check_targets(self, y)),
        "targets",
        "changes the targets",
    ),
    "too small a self-concordance": (
        altered(Hinge, 0.5, self_concordance=1.0),
        "self-concordance",
        "does not hold for c = 1",
    ),
    "mean of another loss": (
        altered(ist.PoissonLoss, mean=lambda self, eta: eta),
        "mean",
        "mean is not the loss's own",
    ),
    "mean_derivative halved": (
        altered(Logistic, mean_derivative=lambda self, eta: 0.5 * expit(eta) * expit(-eta)),
        "mean",
        "factor 0.50",
    ),
    "no method third": (
        altered(Squared, third=lambda self, y, eta: self.no_such_method(y)),
        "third derivative",
        "raises AttributeError",
    ),
}


@pytest.mark.parametrize("name", WRONG_LOSSES)
def test_wrong_losses_are_caught(name):
    loss, law, cause = WRONG_LOSSES[name]
    report = check_loss(loss)
    assert not report[law].passed, str(report)
    assert cause in report[law].cause, str(report)
    with pytest.raises(AssertionError, match=f"FAIL  {law}"):
        report.assert_ok()


# -- wrong risks -------------------------------------------------------------------------------------------


@dataclass
class Wrong:
    """A LinearRisk with parts replaced: functions of (right risk, *arguments)."""

    right: ist.LinearRisk
    parts: dict

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        part = self.parts.get(name)
        if part is None:
            return getattr(self.right, name)
        if name in ("total_weight", "protocol"):
            return part(self.right)
        return lambda *arguments, **named: part(self.right, *arguments, **named)


def a_risk(protocol):
    case = LOSSES[1]
    problem = make_problem(
        case, 9, 3, seed=11, weights="positive", offset=True, strength=3.0, intercept=True, protocol=protocol
    )
    return problem.risk(), problem


def share(risk, theta):
    return risk.penalty_diagonal * theta / risk.total_weight


def with_penalty(risk, strength, intercept=False):
    """Return the risk with another penalty."""
    other = risk.reweighted(risk.weights)
    other.penalty_diagonal = np.full(risk.shape[1], strength)
    other.penalty_diagonal[-1] = strength * intercept
    return other


class Operator:
    """A p x p matrix with what a curvature offers, right or wrong."""

    def __init__(self, matrix, dense=None):
        self.matrix, self.dense, self.shape = matrix, matrix if dense is None else dense, matrix.shape

    def __matmul__(self, vectors):
        return self.matrix @ vectors

    @property
    def T(self):  # noqa: N802 - the name that operators give it
        return Operator(self.matrix.T)

    def to_dense(self):
        return self.dense

    def diagonal(self):
        return np.diag(self.dense)


def curved(change, dense=None):
    def curvature(risk, theta):
        matrix = risk.curvature(theta).to_dense()
        return Operator(change(risk, theta, matrix), None if dense is None else dense(risk, theta, matrix))

    return {"curvature": curvature}


def skewed(risk, theta, H):
    H = H.copy()
    H[0, 1] *= 1.5
    return H


def unweighted(risk, theta, H):
    second = risk.loss.second(risk.y, risk.linear_predictor(theta))
    X = risk.design.rows(slice(None))
    return (X.T * second) @ X / risk.total_weight + np.diag(risk.penalty_diagonal) / risk.total_weight


def no_offset(risk, theta):
    first = risk.loss.first(risk.y, risk.design.dot(theta))
    return (
        risk.design.transpose_dot(risk.weights * first) + risk.penalty_diagonal * theta
    ) / risk.total_weight


WRONG_RISKS = {  # protocol, replaced parts, law, cause
    "gradient doubled": ("fixed", {"gradient": lambda r, t: 2.0 * r.gradient(t)}, "gradient", "factor 2.00"),
    "gradient negative": ("fixed", {"gradient": lambda r, t: -r.gradient(t)}, "gradient", "sign is reversed"),
    "1/W lost": (
        "fixed",
        {"gradient": lambda r, t: r.total_weight * r.gradient(t)},
        "gradient",
        "is the mean (1/W) lost",
    ),
    "gradient without penalty": (
        "fixed",
        {"gradient": lambda r, t: r.gradient(t) - share(r, t)},
        "gradient",
        "theta: has the penalty the factor (lam or 2 lam)",
    ),
    "penalty of lam in place of 2 lam": (
        "fixed",
        {"gradient": lambda r, t: r.gradient(t) - 0.5 * share(r, t)},
        "gradient",
        "lam or 2 lam",
    ),
    "value with half the penalty": (
        "fixed",
        {"value": lambda r, t: r.value(t) - 0.5 * r.penalty_value(t) / r.total_weight},
        "gradient",
        "lam or 2 lam",
    ),
    "intercept penalised in the gradient": (
        "fixed",
        {"gradient": lambda r, t: with_penalty(r, 3.0, intercept=True).gradient(t)},
        "gradient",
        "only coefficient 'intercept' is wrong",
    ),
    "offset forgotten in the gradient": ("fixed", {"gradient": no_offset}, "gradient", ""),
    "gradient in float32": (
        "fixed",
        {"gradient": lambda r, t: r.gradient(t).astype("f4").astype("f8")},
        "digits",
        "float32",
    ),
    "rows lack their share": (
        "folded",
        {"row_gradients": lambda r, t, rows=slice(None): r.row_gradients(t, rows) - share(r, t)},
        "row gradients",
        "its share of the penalty",
    ),
    "rows and their losses lack their share": (
        "folded",
        {
            "row_gradients": lambda r, t, rows=slice(None): r.row_gradients(t, rows) - share(r, t),
            "row_losses": lambda r, t: r.row_losses(t) - r.penalty_value(t) / r.total_weight,
        },
        "rows add up",
        "",
    ),
    "rows have a share under fixed": (
        "fixed",
        {"row_gradients": lambda r, t, rows=slice(None): r.row_gradients(t, rows) + share(r, t)},
        "removal",
        "the row's share of the penalty",
    ),
    "rows of mean scale": (
        "fixed",
        {"row_gradients": lambda r, t, rows=slice(None): r.row_gradients(t, rows) / r.total_weight},
        "row gradients",
        "is 1/W taken twice",
    ),
    "rows multiplied by their weights": (
        "fixed",
        {"row_gradients": lambda r, t, rows=slice(None): r.row_gradients(t, rows) * r.weights[rows, None]},
        "row gradients",
        "",
    ),
    "rows off by one": (
        "fixed",
        {"row_gradients": lambda r, t, rows=slice(None): np.roll(r.row_gradients(t), 1, axis=0)[rows]},
        "row gradients",
        "shifted by one",
    ),
    "rows in another order": (
        "fixed",
        {"row_gradients": lambda r, t, rows=slice(None): r.row_gradients(t)[::-1][rows]},
        "row gradients",
        "another order",
    ),
    "chosen rows off by one": (
        "fixed",
        {
            "row_gradients": lambda r, t, rows=slice(None): (
                (r.row_gradients(t) if rows == slice(None) else np.roll(r.row_gradients(t), -1, axis=0)[rows])
                if isinstance(rows, slice)
                else np.roll(r.row_gradients(t), -1, axis=0)[rows]
            )
        },
        "rows chosen",
        "",
    ),
    "row gradients transposed": (
        "fixed",
        {"row_gradients": lambda r, t, rows=slice(None): r.row_gradients(t, rows).T},
        "form",
        "has shape",
    ),
    "products lack the share": (
        "folded",
        {"row_gradients_dot": lambda r, t, v: r.row_gradients_dot(t, v) - share(r, t) @ v},
        "products with row gradients",
        "",
    ),
    "Hessian without penalty": (
        "fixed",
        curved(lambda r, t, H: H - np.diag(r.penalty_diagonal) / r.total_weight),
        "Hessian",
        "",
    ),
    "Hessian halved": ("fixed", curved(lambda r, t, H: 0.5 * H), "Hessian", "factor 0.50"),
    "Hessian of mean scale twice": (
        "fixed",
        curved(lambda r, t, H: H / r.total_weight),
        "Hessian",
        "is 1/W taken twice",
    ),
    "Hessian without weights": ("fixed", curved(unweighted), "Hessian", ""),
    "Hessian not symmetric": ("fixed", curved(skewed), "symmetry", "not symmetric"),
    "Hessian negative": ("fixed", curved(lambda r, t, H: -H), "semidefinite", "a sign, or not convex"),
    "dense Hessian of another kind": (
        "fixed",
        curved(lambda r, t, H: H, dense=lambda r, t, H: H + np.eye(len(H))),
        "dense Hessian",
        "",
    ),
    "penalty kept whole under folded": (
        "folded",
        {"reweighted": lambda r, w: with_penalty(r.reweighted(w), 3.0)},
        "removal",
        "share of the penalty",
    ),
    "penalty shrinks under fixed": (
        "fixed",
        {"reweighted": lambda r, w: with_penalty(r.reweighted(w), 3.0 * np.sum(w) / r.total_weight)},
        "penalty protocol",
        "P changes with the weights",
    ),
    "W is n": ("fixed", {"total_weight": lambda r: float(r.shape[0])}, "rows add up", ""),
    "protocol misnamed": ("fixed", {"protocol": lambda r: "folded"}, "rows add up", ""),
    "scale too small": (
        "fixed",
        {"gradient_scale": lambda r, t: 0.0 * t},
        "gradient scale",
        "below the gradient",
    ),
    "columns of theta mixed": (
        "fixed",
        {"row_losses": lambda r, t: r.row_losses(t) if t.ndim == 1 else r.row_losses(t)[:, ::-1]},
        "several thetas",
        "",
    ),
}


@pytest.mark.parametrize("name", WRONG_RISKS)
def test_wrong_risks_are_caught(name):
    protocol, parts, law, cause = WRONG_RISKS[name]
    right, problem = a_risk(protocol)
    assert check_risk(right, X=problem.X_test, y=problem.y_test).passed
    report = check_risk(Wrong(right, parts))
    assert not report[law].passed, str(report)
    assert cause in report[law].cause, str(report)


def test_wrong_test_rows_are_caught():
    right, problem = a_risk("folded")

    def test_rows(risk, X, y, offset=None):
        tests = risk.test_rows(X, y)
        lacking = {"row_gradients": lambda r, t, rows=slice(None): r.row_gradients(t, rows) - share(r, t)}
        return Wrong(tests, lacking)

    report = check_risk(Wrong(right, {"test_rows": test_rows}), X=problem.X_test, y=problem.y_test)
    assert [f.law for f in report.failures] == ["test rows"]


# -- wrong fits --------------------------------------------------------------------------------------------


def other_theta(make):
    """Return a fit of the right risk at the minimiser of another one."""
    risk, _ = a_risk("fixed")
    return ist.Fit(risk, make(risk), tolerance=np.inf)


WRONG_FITS = {
    "fitted with lam in place of 2 lam": (
        lambda risk: ist.Fit.minimise(with_penalty(risk, 1.5)).theta,
        "stationarity",
        "smaller by 1.5 .* is it lam or 2 lam|smaller by 1.5",
    ),
    "fitted with twice the penalty": (
        lambda risk: ist.Fit.minimise(with_penalty(risk, 6.0)).theta,
        "stationarity",
        "larger by 3 ",
    ),
    "fitted with a penalised intercept": (
        lambda risk: ist.Fit.minimise(with_penalty(risk, 3.0, intercept=True)).theta,
        "stationarity",
        r"\(an intercept\?\) penalised in the one and free in the other",
    ),
    "not converged": (
        lambda risk: np.add(ist.Fit.minimise(risk).theta, [1e-3, -2e-3, 1e-3, 0.0]),
        "stationarity",
        "not converged, or minimises another objective",
    ),
    "not the lowest": (lambda risk: np.zeros(4), "lowest nearby", "the risk is lower"),
}


@pytest.mark.parametrize("name", WRONG_FITS)
def test_wrong_fits_are_caught(name):
    make, law, cause = WRONG_FITS[name]
    report = check_fit(other_theta(make))
    assert not report[law].passed, str(report)
    with pytest.raises(AssertionError, match=cause):
        report.assert_ok()


def test_saddles_and_kinks_are_caught():
    y = np.array([1.0, -1.0, 0.5])
    saddle = ist.BlackBoxRisk(lambda theta: theta[0] ** 2 - theta[1] ** 2 + 0.0 * y, 2)
    report = check_fit(ist.Fit(saddle, np.zeros(2)), convex=False)
    assert {"lowest nearby", "definite"} <= {f.law for f in report.failures}
    assert "not a minimum" in report["definite"].cause
    kinked = ist.LinearRisk(ist.SquaredHinge(), [[1.0], [1.0], [2.0]], [1.0, -1.0, 1.0], penalty=ist.L2(1.0))
    fit = ist.Fit(kinked, [0.5], tolerance=np.inf)
    assert "row 2" in check_fit(fit)["kinks"].where


# -- wrong influences and solvers --------------------------------------------------------------------------


def a_fit(protocol="folded"):
    return ist.Fit.minimise(a_risk(protocol)[0])


def solved(fit, H=None, gradients=None):
    H = fit.hessian.to_dense() if H is None else H
    return -np.linalg.solve(H, (fit.risk.row_gradients(fit.theta) if gradients is None else gradients).T).T


WRONG_INFLUENCES = {
    "sign": (lambda fit: -solved(fit), "sign is reversed"),
    "factor 2": (lambda fit: 2.0 * solved(fit), "factor 2.00"),
    "change in place of derivative": (
        lambda fit: -solved(fit) / fit.risk.total_weight,
        "the change when the row goes, not the influence",
    ),
    "H in sum scale": (
        lambda fit: solved(fit, fit.risk.total_weight * fit.hessian.to_dense()),
        "in mean scale on one side only",
    ),
    "H left out": (lambda fit: -fit.risk.row_gradients(fit.theta), "H^-1 is left out"),
    "only the diagonal of H": (
        lambda fit: solved(fit, np.diag(fit.hessian.diagonal())),
        "only H's diagonal is inverted",
    ),
    "H without penalty": (
        lambda fit: solved(
            fit, fit.hessian.to_dense() - np.diag(fit.risk.penalty_diagonal) / fit.risk.total_weight
        ),
        "",
    ),
    "share missing": (
        lambda fit: solved(fit, gradients=fit.risk.row_gradients(fit.theta) - share(fit.risk, fit.theta)),
        "",
    ),
    "off by one": (lambda fit: np.roll(solved(fit), 1, axis=0), ""),
    "multiplied by weights": (lambda fit: fit.risk.weights[:, None] * solved(fit), ""),
    "H of a damped problem": (
        lambda fit: solved(fit, fit.hessian.to_dense() + 0.01 * np.eye(len(fit.theta))),
        "",
    ),
    "residuals without curvature": (
        lambda fit: solved(fit, np.eye(len(fit.theta)) + fit.hessian.to_dense()),
        "",
    ),
}


@pytest.mark.parametrize("name", WRONG_INFLUENCES)
def test_wrong_influences_are_caught(name):
    make, cause = WRONG_INFLUENCES[name]
    fit = a_fit()
    assert check_influence(fit, values=solved(fit), rows=[2, 5]).passed
    report = check_influence(fit, values=make(fit), rows=[2, 5])
    assert not report["derivative of the refit"].passed
    assert not report["order"].passed
    assert cause in report["derivative of the refit"].cause, str(report)


class WrongSolver(ist.Cholesky):
    """A Cholesky solver that changes its answer."""

    def solve(self, operator, rhs):
        return self.changed(super().solve(np.asarray(operator), rhs), np.asarray(operator), rhs)


def wrong_solver(change):
    return type("Wrong", (WrongSolver,), {"changed": change})()


def scaled_damping(solver, found, A, rhs):
    return ist.Cholesky().solve(A + solver.damping * np.linalg.norm(A) * np.eye(len(A)), rhs)


WRONG_SOLVERS = {
    "twice the answer": (
        lambda s, f, A, rhs: ist.Solution(2.0 * f.value, f.residual, 0, f.converged),
        "solution",
    ),
    "residual said to be 0": (
        lambda s, f, A, rhs: ist.Solution(f.value * (1.0 + 1e-3), 0.0 * f.residual, 0, f.converged),
        "residual",
    ),
    "one residual for all": (
        lambda s, f, A, rhs: ist.Solution(f.value, np.max(f.residual), 0, f.converged),
        "residual",
    ),
    "damping times C": (scaled_damping, "damping"),
    "columns averaged": (
        lambda s, f, A, rhs: ist.Solution(
            f.value if rhs.ndim == 1 else 0.0 * f.value + f.value.mean(axis=1, keepdims=True),
            f.residual,
            0,
            f.converged,
        ),
        "columns",
    ),
    "not symmetric": (
        lambda s, f, A, rhs: ist.Solution(np.roll(f.value, 1, axis=0), f.residual, 0, f.converged),
        "symmetry",
    ),
    "not zero at zero": (
        lambda s, f, A, rhs: ist.Solution(f.value + 1e-12, f.residual, 0, f.converged),
        "zero",
    ),
}


@pytest.mark.parametrize("name", WRONG_SOLVERS)
def test_wrong_solvers_are_caught(name):
    change, law = WRONG_SOLVERS[name]
    assert check_solver(wrong_solver(lambda s, f, A, rhs: f)).passed
    report = check_solver(wrong_solver(change))
    assert not report[law].passed, str(report)


def test_the_mutations_are_many():
    tables = (WRONG_LOSSES, WRONG_RISKS, WRONG_FITS, WRONG_INFLUENCES, WRONG_SOLVERS)
    assert sum(map(len, tables)) >= 25


# -- right ones ----------------------------------------------------------------------------------------------

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=500, suppress_health_check=SLOW)
@given(st.sampled_from(LOSSES + MORE_LOSSES), st.integers(0, 2**32 - 1))
def test_right_losses_pass(case, seed):
    check_loss(case.loss, width=min(1.0, case.plain.width), seed=seed).assert_ok()


@settings(max_examples=500, suppress_health_check=SLOW)
@given(strategies.losses(smooth=False).flatmap(lambda loss: strategies.risks(loss=loss)), st.integers(0, 999))
def test_right_risks_pass_500_times(risk, seed):
    check_risk(risk, seed=seed).assert_ok()


@settings(max_examples=500, suppress_health_check=SLOW)
@given(strategies.fits(columns=(1, 3)), st.integers(0, 999))
def test_right_fits_and_influences_pass_500_times(fit, seed):
    check_fit(fit, seed=seed).assert_ok()
    rows = [seed % 4]
    check_influence(fit, rows=rows, seed=seed).assert_ok()
    check_solver(ist.Cholesky(), fit.hessian, seed=seed).assert_ok()


COMPUTED = {  # written as a user would, some for complex numbers, some not
    "log cosh": (lambda y, eta: np.abs(y - eta) + np.log1p(np.exp(-2 * np.abs(y - eta))), None, 2.0),
    "pseudo-Huber": (lambda y, eta: np.hypot(1.0, y - eta) - 1.0, None, np.inf),
    "logistic": (lambda y, eta: np.logaddexp(0.0, -y * eta), [-1.0, 1.0], 1.0),
    "logistic, plainly": (lambda y, eta: np.log(1.0 + np.exp(-y * eta)), [-1.0, 1.0], 1.0),
    "Poisson": (lambda y, eta: np.exp(eta) - y * eta, [0.0, 1.0, 2.0, 5.0], 1.0),
    "squared": (lambda y, eta: (y - eta) ** 2, None, 0.0),
}


@pytest.mark.parametrize("seed", [0, 29])  # 29 draws eta = 8.2, where the plain logistic keeps 12 digits
@pytest.mark.parametrize("name", COMPUTED)
def test_right_computed_losses_pass(name, seed):
    function, y, constant = COMPUTED[name]
    loss = ist.NumericalLoss(function, self_concordance=constant)
    check_loss(loss, y=y, seed=seed).assert_ok()


def test_the_noise_of_a_plain_logistic_loss_is_no_jump():
    plain = ist.NumericalLoss(COMPUTED["logistic, plainly"][0])
    y, eta = np.array([1.0]), np.array([11.425044698617242])
    assert plain.second(y, eta) == pytest.approx(ist.LogisticLoss().second(y, eta), rel=1e-4)


KINKED = {
    "absolute": lambda y, eta: np.abs(y - eta),
    "hinge": lambda y, eta: np.maximum(0.0, 1.0 - y * eta),
    "hinge of one label": lambda y, eta: np.maximum(0.0, 1.0 - eta) + 0.0 * y,
}


@pytest.mark.parametrize("name", KINKED)
def test_a_kink_is_named_and_nothing_else_is_blamed(name):
    report = check_loss(ist.NumericalLoss(KINKED[name]))
    assert "the first derivative jumps by" in report["smoothness"].cause
    for failure in report.failures:
        assert not any(word in failure.cause for word in ("float32", "order", "mixes")), failure
        if failure.law not in ("smoothness", "targets"):
            raised = failure.cause.startswith("raises") and "jumps" in failure.cause
            assert raised or "settle 'smoothness' first" in failure.cause, failure


def test_a_derivative_that_is_judged_by_a_wrong_one_says_so():
    Doubled = altered(ist.LogisticLoss, first=lambda self, y, eta: 2.0 * (expit(eta) - y))
    report = check_loss(Doubled, laws=["first derivative", "second derivative"])
    assert "settle 'first derivative' first" in report["second derivative"].cause
    assert "settle" not in report["first derivative"].cause


def test_right_black_boxes_pass():
    rng = np.random.default_rng(0)
    network = Perceptron(rng.normal(size=(12, 2)), np.resize([-1.0, 1.0], 12), 2)
    theta = rng.normal(size=network.size)
    risk = network.risk(2.0, protocol="folded", row_gradients=network.row_gradients)
    check_risk(risk, theta, X=network.X[:3], y=network.y[:3], convex=False).assert_ok()
    values_only = network.risk(2.0, protocol="folded")
    check_risk(values_only, theta, laws=("form", "gradient", "row gradients", "removal")).assert_ok()
    fit = ist.Fit.minimise(network.risk(2.0, row_gradients=network.row_gradients), start=theta)
    check_fit(fit, convex=False).assert_ok()
    check_influence(fit, rows=[3], laws=["derivative of the refit", "order"]).assert_ok()
