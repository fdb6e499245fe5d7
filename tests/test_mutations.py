"""Deliberately wrong losses, fits, solvers and influences: the checks catch every one of them.

Wrong risks are in `test_mutations_of_risks`, right ones in `test_right_ones_pass`.
"""

from functools import cache

import numpy as np
import pytest
from scipy.special import expit

import influstat as ist
from influstat.checks import check_fit, check_influence, check_loss, check_solver
from tests.cases import penalty_diagonal
from tests.test_mutations_of_risks import WRONG_RISKS, a_risk, share, with_penalty

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
    "fourth of the wrong sign": (
        altered(Signed, fourth=lambda self, y, eta: -Signed.fourth(self, y, eta)),
        "fourth derivative",
        "not the derivative of `third`",
    ),
    "too small a bound of l4": (
        altered(Hinge, 0.5, higher_bounds=(1.0, 8.0)),
        "fourth derivative",
        "|l4| <= 1 l2 does not hold",
    ),
    "too small a bound of l5": (
        altered(ist.PseudoHuberLoss, 0.5, higher_bounds=(12.0, 60.0)),
        "fourth derivative",
        "|l5| <= 60 l2 does not hold",
    ),
    "no bound of l5": (
        altered(Signed, higher_bounds=(1.0, float("inf"))),
        "fourth derivative",
        "leave it out",
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


@pytest.mark.dear
@pytest.mark.parametrize("name", WRONG_LOSSES)
def test_wrong_losses_are_caught(name):
    loss, law, cause = WRONG_LOSSES[name]
    report = check_loss(loss)
    assert not report[law].passed, str(report)
    assert cause in report[law].cause, str(report)
    with pytest.raises(AssertionError, match=f"FAIL  {law}"):
        report.assert_ok()


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


@cache
def right_influences_pass():
    fit = a_fit()
    return check_influence(fit, values=solved(fit), rows=[2, 5]).passed


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
            fit, fit.hessian.to_dense() - np.diag(penalty_diagonal(fit.risk)) / fit.risk.total_weight
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


@pytest.mark.dear
@pytest.mark.parametrize("name", WRONG_INFLUENCES)
def test_wrong_influences_are_caught(name):
    make, cause = WRONG_INFLUENCES[name]
    fit = a_fit()
    assert right_influences_pass()
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
