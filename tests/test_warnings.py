"""A warning points at the line of the caller, whatever the depth at which the doubt arises."""

import ast
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

import influstat as ist
from influstat.errors import DoubtfulResult

PACKAGE = Path(ist.__file__).parent
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = X @ [1.0, 2.0, 0.0] + RNG.normal(size=40)
LABELS = (Y > 0).astype(int)
ALONE = np.column_stack([np.ones(8), np.eye(8)[:, 5]])  # row 5 is the only one of its category


def lone_row():
    return ist.Ridge(lam=0.0, protocol="fixed").fit(ALONE, np.arange(8.0) ** 2)


def ridge():
    return ist.Ridge(lam=1.0).fit(X, Y)


def perfect_fit():
    return ist.Ridge(lam=0.0, protocol="fixed").fit(X, X @ [1.0, 2.0, 3.0])


def uneven():
    """A fit with one row of much larger curvature than the others."""
    rows = np.ones((30, 1))
    rows[0] = 6.0
    return ist.Ridge(lam=1.0).fit(rows, np.arange(30.0))


def correlated():
    return sm.GLS(Y, X, sigma=np.eye(40) + 0.3).fit()


def at_the_kink():
    rows, y = np.array([[1.0], [-1.0], [2.0], [-2.0], [0.3]]), np.array([1, 0, 1, 0, 1])
    svc = LinearSVC(C=1.0, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(rows, y)
    # A row exactly on the margin pulls at nothing: the fit stays the minimum with it.
    return svc, np.vstack([rows, [[1.0 / svc.coef_[0, 0]]]]), np.array([*y, 1])


def coarse():
    return LogisticRegression(tol=1e-3).fit(X, LABELS)


class Interrupted(ist.PseudoHuberLoss):
    """A loss during which Ctrl-C is pressed, once `now` is set."""

    now = False

    def first(self, y, eta):
        if type(self).now:
            raise KeyboardInterrupt
        return super().first(y, eta)


def rough(theta):
    """A function of theta with a kink, which takes no complex numbers."""
    return abs(float(theta[0].real) - 2.0)


TWO = [[1.0], [1.0]], [1.0, 3.0]  # their mean is 2
SHORT = ist.ConjugateGradient(max_iterations=1)
LOW = ist.LiSSA(scale=10.0, depth=50)

# What a user does: first what comes before, then the line that must be named.
DOUBTS = {
    "diagnostics": (lone_row, lambda fit: fit.diagnostics()),
    "inference without rows": (lone_row, lambda fit: fit.inference("HC1").leave_one_out()),
    "model inference without rows": (lone_row, lambda fit: fit.inference().leave_one_out()),
    "dispersion of inference": (perfect_fit, lambda fit: fit.inference().table),
    "dispersion of covariance": (perfect_fit, lambda fit: fit.covariance()),
    "conjugate gradients": (
        lambda: ist.Ridge(lam=1.0).fit(X, Y),
        lambda fit: fit.influence(solver=SHORT).on_theta(),
    ),
    "conjugate gradients, on a loss": (
        lambda: ist.Logistic(lam=1.0).fit(X, LABELS),
        lambda fit: fit.influence(solver=SHORT).on_loss(X[:2], LABELS[:2]),
    ),
    "a solver alone": (lambda: X.T @ X, lambda H: SHORT.solve(H, np.ones(3))),
    "LiSSA": (uneven, lambda fit: fit.influence(solver=LOW).on_theta()),
    "LiSSA alone": (lambda: uneven().hessian, lambda H: LOW.solve(H, np.ones(1))),
    "a kink": (lambda: ist.Ridge(lam=0.0).fit(*TWO), lambda fit: fit.influence().on(rough)),
    "hinge": (
        lambda: ist.HingeSVC(lam=1.0).fit([[-1.0], [-2.0], [-3.0], [1.0]], [-1, -1, -1, 1]),
        lambda fit: fit.leave_one_out(),
    ),
    "GLS": (correlated, lambda results: ist.from_statsmodels(results).theta),
    "a coarse fit": (coarse, lambda fit: ist.from_sklearn(fit, X, LABELS)),
    "another fit, polished": (
        lambda: LogisticRegression(tol=1e-10).fit(X, LABELS),
        lambda fit: ist.from_sklearn(fit, X[::-1], LABELS, polish=True),
    ),
    "balanced weights": (
        lambda: LogisticRegression(class_weight="balanced", solver="newton-cholesky", tol=1e-12).fit(
            X, LABELS
        ),
        lambda fit: ist.from_sklearn(fit, X, LABELS),
    ),
    "kinks of rows": (at_the_kink, lambda found: ist.from_sklearn(*found)),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_a_warning_names_the_caller_s_line(name):
    before, ask = DOUBTS[name]
    given = before()
    with pytest.warns(DoubtfulResult) as caught:
        ask(given)
    line = ask.__code__.co_firstlineno
    assert [(found.filename, found.lineno) for found in caught] == [(__file__, line)] * len(caught)


def test_an_interrupt_names_the_caller_s_line(monkeypatch):
    fit = ist.Fit.minimise(ist.LinearRisk(Interrupted(1.0), X, Y))
    monkeypatch.setattr(Interrupted, "now", True)
    for ask in (fit.leave_one_out, lambda: fit.leave_groups_out(np.arange(40) // 4)):
        with pytest.warns(DoubtfulResult, match="Interrupted after 0") as caught:
            ask()
        assert [found.filename for found in caught] == [__file__]


MADE = """
from functools import cached_property
from influstat.input.warning import doubt
class Made:
    @cached_property
    def value(self):
        doubt("here")
"""


def test_decorators_of_python_are_not_taken_for_the_caller():
    inside = {"__name__": "influstat.made"}
    exec(MADE, inside)
    with pytest.warns(DoubtfulResult) as caught:
        _ = inside["Made"]().value
    assert caught[0].filename == __file__


def test_nobody_else_warns():
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "warn(" not in text:  # reading a file takes far less than parsing it
            continue
        calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
        warned = [call for call in calls if ast.unparse(call.func) in ("warnings.warn", "warn")]
        assert not warned or path == PACKAGE / "input" / "warning.py", path
