"""The table of scikit-learn estimators: each fitted on 200 rows and compared with its own refits.

``python -m tests.scikit_learn_models`` prints it as markdown, with what was measured.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from math import inf
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    ElasticNetCV,
    GammaRegressor,
    Lasso,
    LassoCV,
    LassoLars,
    LassoLarsCV,
    LassoLarsIC,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
    TweedieRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import LinearSVC

import influstat as ist
from influstat.risks.linear import as_linear
from influstat.risks.penalties.active_l1 import active_l1
from tests.budget import spread
from tests.scikit_learn_versions import HELD_RIDGE, NEWTON, SOFTMAX, TIGHT, elastic

ROWS = 200

# -- the data: one well-behaved design, a target of each kind -------------------------------------------


@dataclass(frozen=True)
class Data:
    """A table of 200 rows, one target of each kind, and weights."""

    X: np.ndarray
    frame: pd.DataFrame
    weights: np.ndarray
    targets: dict[str, np.ndarray]


@cache
def data() -> Data:
    rng = np.random.default_rng(20261124)
    X = rng.uniform(-1.5, 1.5, size=(ROWS, 5))
    X[:, 3] = 0.5 * X[:, 0] + X[:, 3]
    eta = X @ [0.8, -0.5, 0.3, 0.0, 0.0] + 0.4
    frame = pd.DataFrame(X, columns=list("abcde"), index=[f"row {i}" for i in range(ROWS)])
    frame["group"] = rng.choice(["north", "south", "west"], ROWS)
    chances = np.exp(np.outer(eta, [0.5, 0.1, -0.3]))
    which = (rng.random((ROWS, 1)) > np.cumsum(chances / chances.sum(1, keepdims=True), 1)).sum(1)
    return Data(
        X,
        frame,
        rng.uniform(0.5, 2.0, ROWS),
        {
            "number": eta + rng.normal(scale=0.7, size=ROWS),
            "two labels": np.where(rng.random(ROWS) < 1.0 / (1.0 + np.exp(-eta)), "yes", "no"),
            "three labels": np.array(["low", "mid", "top"])[which],
            "count": rng.poisson(np.exp(eta)).astype(float),
            "positive": rng.gamma(16.0, np.exp(eta) / 16.0),
        },
    )


# -- the table ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ModelCase:
    """One line of the table.

    `refit` is what is fitted again without a row, where that is not the estimator itself: given the
    fitted estimator and the number of rows left. `agree` bounds |exact removal - refit|, in units of
    each coefficient's largest change: the tolerance to which the library's solver gets. lbfgs stops when
    its value no longer falls, liblinear at tol times its first gradient: both leave about 1e-6.
    """

    name: str
    estimator: Any
    target: str
    weighted: bool = False
    frame: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    refit: Callable[[Any, int], Any] | None = None
    every: int = 1  # refits of every so many rows, where the library is slow
    agree: float = 1e-6

    def __str__(self):
        return self.name


MODELS = [
    ModelCase("LinearRegression", LinearRegression(), "number"),
    ModelCase("LinearRegression, sample_weight", LinearRegression(), "number", weighted=True),
    ModelCase("LinearRegression, no intercept", LinearRegression(fit_intercept=False), "number"),
    ModelCase("Ridge", Ridge(alpha=3.0), "number"),
    ModelCase("Ridge, sample_weight", Ridge(alpha=3.0), "number", weighted=True),
    ModelCase("Ridge, lsqr, no intercept", Ridge(solver="lsqr", tol=1e-12, fit_intercept=False), "number"),
    ModelCase("RidgeCV, alpha held", RidgeCV(), "number", refit=lambda fitted, n: Ridge(alpha=fitted.alpha_)),
    ModelCase(
        "RidgeClassifierCV, alpha held",
        RidgeClassifierCV(),
        "two labels",
        refit=lambda fitted, n: RidgeClassifier(alpha=fitted.alpha_),
    ),
    ModelCase("RidgeClassifier", RidgeClassifier(alpha=2.0), "two labels"),
    ModelCase(
        "RidgeClassifier, class_weight", RidgeClassifier(class_weight={"no": 2.0, "yes": 1.0}), "two labels"
    ),
    ModelCase("LogisticRegression, lbfgs", LogisticRegression(**TIGHT), "two labels", every=4, agree=1e-5),
    ModelCase("LogisticRegression, newton-cholesky", LogisticRegression(C=0.5, **NEWTON), "two labels"),
    ModelCase(
        "LogisticRegression, class_weight, sample_weight",
        LogisticRegression(class_weight={"no": 2.0}, **NEWTON),
        "two labels",
        weighted=True,
    ),
    ModelCase(
        "LogisticRegression, C=inf, no intercept",
        LogisticRegression(C=inf, fit_intercept=False, **NEWTON),
        "two labels",
    ),
    ModelCase(
        "LogisticRegression, liblinear, intercept_scaling",
        LogisticRegression(solver="liblinear", intercept_scaling=0.5, C=0.3, **TIGHT),
        "two labels",
        agree=1e-5,
    ),
    ModelCase(
        "LogisticRegression, l1, liblinear",
        LogisticRegression(solver="liblinear", C=0.15, **elastic(1.0), **TIGHT),
        "two labels",
    ),
    ModelCase(
        "LogisticRegression, elastic net, saga",
        LogisticRegression(solver="saga", C=0.1, **elastic(0.6), **TIGHT),
        "two labels",
        every=5,
    ),
    ModelCase(
        "LogisticRegressionCV, C held",
        LogisticRegressionCV(Cs=4, scoring="neg_log_loss", **HELD_RIDGE, **NEWTON),
        "two labels",
        refit=lambda fitted, n: LogisticRegression(C=np.ravel(fitted.C_)[0], **NEWTON),
    ),
    ModelCase(
        "LogisticRegression, three classes (softmax)",
        LogisticRegression(C=0.2, **SOFTMAX),
        "three labels",
        every=2,
        agree=1e-6 if SOFTMAX is NEWTON else 1e-5,  # lbfgs stops where its steps are rounding of the loss
    ),
    ModelCase("LinearSVC, squared hinge", LinearSVC(C=0.1, dual=False, **TIGHT), "two labels", agree=1e-5),
    ModelCase("LinearSVC, squared hinge, l1", LinearSVC(penalty="l1", C=0.03, **TIGHT), "two labels"),
    ModelCase("PoissonRegressor", PoissonRegressor(alpha=0.1, **NEWTON), "count"),
    ModelCase(
        "PoissonRegressor, sample_weight", PoissonRegressor(alpha=0.1, **NEWTON), "count", weighted=True
    ),
    ModelCase("GammaRegressor", GammaRegressor(alpha=0.05, **NEWTON), "positive"),
    ModelCase("TweedieRegressor, power 1.5", TweedieRegressor(power=1.5, alpha=0.1, **NEWTON), "count"),
    ModelCase("TweedieRegressor, power 0", TweedieRegressor(power=0, alpha=0.1, **NEWTON), "number"),
    ModelCase(
        "TweedieRegressor, power 0, log link",
        TweedieRegressor(power=0, link="log", alpha=0.1, **TIGHT),
        "positive",
        every=4,
        agree=1e-5,
    ),
    ModelCase(
        "TweedieRegressor, power 3",
        TweedieRegressor(power=3, alpha=0.1, **TIGHT),
        "positive",
        every=4,
        agree=1e-5,
    ),
    ModelCase("Lasso", Lasso(alpha=0.1, **TIGHT), "number"),
    ModelCase("LassoLars", LassoLars(alpha=0.1), "number"),
    ModelCase(
        "LassoLarsCV, alpha held",
        LassoLarsCV(),
        "number",
        refit=lambda fitted, n: LassoLars(alpha=fitted.alpha_),
    ),
    ModelCase(
        "LassoLarsIC, alpha held",
        LassoLarsIC(),
        "number",
        refit=lambda fitted, n: LassoLars(alpha=fitted.alpha_),
    ),
    ModelCase(
        "BayesianRidge, precisions held",
        BayesianRidge(),
        "number",
        refit=lambda fitted, n: Ridge(alpha=fitted.lambda_ / fitted.alpha_),
    ),
    ModelCase("ElasticNet", ElasticNet(alpha=0.15, **TIGHT), "number"),
    ModelCase("ElasticNet, sample_weight", ElasticNet(alpha=0.15, **TIGHT), "number", weighted=True),
    ModelCase(
        "LassoCV, alpha held",
        LassoCV(**TIGHT),
        "number",
        refit=lambda fitted, n: Lasso(fitted.alpha_, **TIGHT),
    ),
    ModelCase(
        "ElasticNetCV, alpha held",
        ElasticNetCV(**TIGHT),
        "number",
        refit=lambda fitted, n: ElasticNet(fitted.alpha_, l1_ratio=fitted.l1_ratio_, **TIGHT),
    ),
    ModelCase(
        "SGDClassifier, log loss, polished",
        SGDClassifier("log_loss", alpha=0.02, average=True, max_iter=2000, tol=None, random_state=0),
        "two labels",
        settings={"polish": True},
        refit=lambda fitted, n: LogisticRegression(C=1.0 / (n * fitted.alpha), **NEWTON),
    ),
    ModelCase(
        "SGDRegressor, polished",
        SGDRegressor(alpha=0.02, average=True, max_iter=2000, tol=None, random_state=0),
        "number",
        settings={"polish": True},
        refit=lambda fitted, n: Ridge(n * fitted.alpha),
    ),
    ModelCase(
        "Pipeline, scaler held, LogisticRegression",
        make_pipeline(StandardScaler(), LogisticRegression(**NEWTON)),
        "two labels",
    ),
    ModelCase(
        "Pipeline of a DataFrame, one-hot, Ridge",
        make_pipeline(
            make_column_transformer((OneHotEncoder(), ["group"]), (StandardScaler(), ["a", "b", "c"])),
            PolynomialFeatures(degree=1, include_bias=False),
            Ridge(alpha=2.0),
        ),
        "number",
        frame=True,
    ),
]

# -- fits and their truth ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fitted:
    """A case fitted: the estimator, its rows, and ours."""

    case: ModelCase
    estimator: Any
    X: Any
    y: np.ndarray
    weights: np.ndarray | None
    fit: ist.Fit

    @property
    def rows(self):
        return spread(np.arange(0, ROWS, self.case.every))


@cache
def fitted(case_name: str) -> Fitted:
    case = next(case for case in MODELS if case.name == case_name)
    rows = data()
    X, y = (rows.frame if case.frame else rows.X), rows.targets[case.target]
    weights = rows.weights if case.weighted else None
    settings = {} if weights is None else {"sample_weight": weights}
    estimator = clone(case.estimator).fit(X, y, **settings)
    fit = ist.from_sklearn(estimator, X, y, **settings, **case.settings)
    return Fitted(case, estimator, X, y, weights, fit)


def coefficients(estimator: Any) -> np.ndarray:
    """Return coef_ and intercept_ as one vector, class after class, centred over three classes or more."""
    blocks = np.atleast_2d(estimator.coef_)
    if getattr(estimator, "fit_intercept", True):
        blocks = np.column_stack([blocks, np.atleast_1d(estimator.intercept_)])
    if len(blocks) > 1:
        blocks = blocks - blocks.mean(axis=0)
    return blocks.ravel()


@cache
def refits(case_name: str) -> np.ndarray:
    """Return the coefficients of the library's fits without each row: the ground truth."""
    done = fitted(case_name)
    final, table = done.estimator, done.X
    if hasattr(final, "steps"):  # the transformers stay as they are
        table, final = final[:-1].transform(table), final[-1]
    result = []
    for row in done.rows:
        keep = np.arange(ROWS) != row
        again = clone(final) if done.case.refit is None else done.case.refit(final, ROWS - 1)
        settings = {} if done.weights is None else {"sample_weight": done.weights[keep]}
        result.append(coefficients(again.fit(table[keep], done.y[keep], **settings)))
    return np.array(result)


def on_an_active_set(fit) -> bool:
    """Return whether the fit stands for one with an absolute-value penalty."""
    linear = as_linear(fit.risk)
    return linear is not None and active_l1(linear.penalty) is not None


def active(done: Fitted) -> np.ndarray:
    """Return which of all coefficients theta has: the others are 0."""
    if not on_an_active_set(done.fit):
        return np.ones(len(done.fit.theta), dtype=bool)
    mask = np.ravel(done.estimator.coef_) != 0
    return np.append(mask, True) if getattr(done.estimator, "fit_intercept", True) else mask


@dataclass(frozen=True)
class Measured:
    """What a line of the table shows; errors in units of the largest change of each coefficient."""

    slope: float  # of the refits on the Newton steps, the coefficient furthest from 1
    error: float  # of the Newton steps
    exact: float  # of the exact removals
    changes: np.ndarray  # rows whose removal changes the active set, by ours
    truly_changes: np.ndarray  # and by the refits


@cache
def measured(case_name: str) -> Measured:
    done, truth = fitted(case_name), refits(case_name)
    fit, chosen = done.fit, active(done)
    newton = fit.leave_one_out(method="newton", rows=done.rows)
    exact = fit.leave_one_out(method="exact", rows=done.rows)
    changes = truly = np.zeros(len(done.rows), dtype=bool)
    if on_an_active_set(fit):
        changes = exact.active_set_changes()
        penalised = chosen[: len(np.ravel(done.estimator.coef_))]
        signs = np.sign(truth[:, : len(penalised)])
        truly = (signs != np.sign(np.ravel(done.estimator.coef_))).any(axis=1)
    change = (truth[:, chosen] - fit.theta)[~truly]
    size = np.abs(change).max(axis=0)
    steps = newton.delta[~truly]
    slopes = (steps * change).sum(axis=0) / (steps**2).sum(axis=0)
    return Measured(
        float(slopes[np.argmax(np.abs(slopes - 1.0))]),
        float(np.max(np.abs(steps - change) / size)),
        float(np.max(np.abs(exact.delta[~truly] - change) / size)),
        changes,
        truly,
    )


def markdown() -> str:
    """Return the table as markdown."""
    lines = [
        "| estimator | slope of refits on Newton steps | largest error | exact removal against refit |",
        "|---|---|---|---|",
    ]
    for case in MODELS:
        found = measured(case.name)
        flagged = f" (rows flagged: {found.truly_changes.sum()})" if found.truly_changes.any() else ""
        lines.append(
            f"| {case.name}{flagged} | {found.slope:.4f} | {100 * found.error:.2f} % | {found.exact:.1e} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    warnings.simplefilter("error")
    print(markdown())
