"""Deliberately wrong risks: `check_risk` catches every one of them, and guesses why."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

import influstat as ist
from influstat.checks import check_risk
from tests.cases import LOSSES, make_problem, penalty_diagonal


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


@cache
def right_risks_pass(protocol):
    right, problem = a_risk(protocol)
    return check_risk(right, X=problem.X_test, y=problem.y_test).passed


def share(risk, theta):
    return risk.penalty.gradient(theta) / risk.total_weight


def with_penalty(risk, strength, intercept=False):
    """Return the risk with another penalty."""
    strengths = np.full(risk.shape[1], strength)
    strengths[-1] *= intercept
    return ist.LinearRisk(
        risk.loss,
        risk.design,
        risk.y,
        penalty=ist.Quadratic(strengths),
        weights=risk.weights,
        offset=risk.offset,
        protocol=str(risk.protocol),
    )


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
    return (X.T * second) @ X / risk.total_weight + np.diag(penalty_diagonal(risk)) / risk.total_weight


def no_offset(risk, theta):
    first = risk.loss.first(risk.y, risk.design.dot(theta))
    return (
        risk.design.transpose_dot(risk.weights * first) + risk.penalty.gradient(theta)
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
        {"value": lambda r, t: r.value(t) - 0.5 * r.penalty.value(t) / r.total_weight},
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
            "row_losses": lambda r, t: r.row_losses(t) - r.penalty.value(t) / r.total_weight,
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
        curved(lambda r, t, H: H - np.diag(penalty_diagonal(r)) / r.total_weight),
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


@pytest.mark.dear
@pytest.mark.parametrize("name", WRONG_RISKS)
def test_wrong_risks_are_caught(name):
    protocol, parts, law, cause = WRONG_RISKS[name]
    right, _ = a_risk(protocol)
    assert right_risks_pass(protocol)
    report = check_risk(Wrong(right, parts))
    assert not report[law].passed, str(report)
    assert cause in report[law].cause, str(report)


def test_new_rows_without_their_share_of_the_penalty_are_caught():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(8, 2)), rng.normal(size=8)
    settings = {"penalty": ist.L2(3.0), "protocol": "folded"}
    right = ist.LinearRisk(ist.SquaredError(), X, y, **settings)
    without = {"test_rows": lambda risk, X, y, offset=None: ist.LinearRisk(risk.loss, X, y)}
    assert check_risk(right, X=X, y=y).passed
    report = check_risk(Wrong(right, without), X=X, y=y)
    assert [f.law for f in report.failures] == ["test rows"]
    assert "is the penalty's share, kappa / W, left out?" in report["test rows"].cause


@pytest.mark.parametrize("asked", [True, False])
def test_products_that_ignore_the_weights_are_caught(asked):
    """All weights are 1, so that only a removal, or another weighting, can tell."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 2)), np.resize([-1.0, 1.0, 1.0], 20)

    def slope(theta):
        return -y / (1.0 + np.exp(y * (X @ theta)))

    def product(theta, vector, weights):
        curvature = slope(theta) * (-y - slope(theta))
        return X.T @ ((weights if asked else 1.0) * curvature * (X @ vector))

    risk = ist.BlackBoxRisk(
        lambda theta: np.logaddexp(0.0, -y * (X @ theta)),
        2,
        row_gradients=lambda theta: slope(theta)[:, None] * X,
        hvp=product,
        penalty=ist.L2(1.0),
    )
    report = check_risk(risk)
    assert [f.law for f in report.failures] == ([] if asked else ["Hessian with other weights"])
    assert asked or "take the weights" in report["Hessian with other weights"].cause


def test_wrong_test_rows_are_caught():
    right, problem = a_risk("folded")

    def test_rows(risk, X, y, offset=None):
        tests = risk.test_rows(X, y)
        lacking = {"row_gradients": lambda r, t, rows=slice(None): r.row_gradients(t, rows) - share(r, t)}
        return Wrong(tests, lacking)

    report = check_risk(Wrong(right, {"test_rows": test_rows}), X=problem.X_test, y=problem.y_test)
    assert [f.law for f in report.failures] == ["test rows"]
