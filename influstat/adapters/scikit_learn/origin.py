"""How an estimator found its coefficients, and what may explain that they are not those of these rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from influstat.adapters.quantity import single
from influstat.input.validation import FloatArray
from influstat.minimise.remaining import STATIONARITY
from influstat.risks.chart import chart_of
from influstat.risks.class_predictors import class_predictors_of
from influstat.risks.linear import as_linear

CLOSED_FORMS = ("LinearRegression", "RidgeCV", "RidgeClassifierCV", "BayesianRidge", "ARDRegression")
RIDGES = ("Ridge", "RidgeClassifier")
DIRECT = ("svd", "cholesky")  # solvers of Ridge without a tolerance
POLISH_FOR_MINIMUM = ", or pass polish=True for the minimum itself."
MANY = 4000  # columns, whose Hessian's eigenvalues nobody waits for
ROOM = 1e4  # times the precision and the condition: ample for any length of sums
CROSS_FITTED = ("TargetEncoder",)  # transformers whose fit_transform differs from fit and transform
FAR, LOOKED_AT = 100.0, 256  # spreads of a column from 0, where solvers crawl; rows that tell
BY_GRADIENT = ("lbfgs", "newton-cg", "newton-cholesky")  # solvers that stop by it, on the scale of a mean
ITS_OWN = (
    "the X, y and sample_weight that it was fitted with: a forgotten sample_weight, rows in another order, "
    "another y, missing values filled in otherwise, or settings changed after the fit look like this"
)


def direct(estimator: Any) -> bool:
    """Return whether the coefficients come from linear algebra alone, which stops at no tolerance."""
    name = type(estimator).__name__
    return name in CLOSED_FORMS or (
        name in RIDGES and getattr(estimator, "solver_", estimator.solver) in DIRECT
    )


def closed_form(estimator: Any, risk: Any, theta: FloatArray) -> bool:
    """Return whether they do, all columns taken in."""
    return direct(estimator) and not _truncated(estimator, risk, theta)


def rounding_of(estimator: Any, risk: Any, theta: FloatArray) -> float:
    """Return the relative gradient that rounding explains at a closed form; inf where it is none."""
    # Ridge and its kind solve the normal equations or eigenvalues of these, whose condition is squared.
    if not closed_form(estimator, risk, theta):
        return np.inf
    if risk.shape[1] > MANY:
        return STATIONARITY
    hessian = risk.curvature(theta).to_dense()
    if estimator.fit_intercept:  # they center the columns first
        beside = hessian[:-1, -1]
        hessian = hessian[:-1, :-1] - np.outer(beside, beside) / hessian[-1, -1]
    values = np.linalg.eigvalsh(hessian)
    condition = values[-1] / values[0] if values[0] > 0 else np.inf
    if type(estimator).__name__ == "LinearRegression":
        condition = np.sqrt(condition)
    return float(ROOM * np.finfo(np.float32 if single(estimator.coef_) else np.float64).eps * condition)


def causes(estimator: Any, transformers: Any, risk: Any, theta: FloatArray, *, polish: bool) -> str:
    """Return what may explain coefficients that are not at the minimum on these rows, with the remedy."""
    # Where the fit is polished already, the remedy is another one.
    steps = [] if transformers is None else [type(step).__name__ for _, step in transformers.steps]
    for name in _named(transformers, steps):
        if name in CROSS_FITTED:
            return (
                f"{name} encodes the training rows by cross-fitting (fit_transform) and other rows by the "
                "whole fit (transform): the estimator was fitted on columns that the pipeline does not give "
                "again. Encode first, and pass the encoded table with the final estimator."
            )
    if _truncated(estimator, risk, theta):
        return (
            f"LinearRegression took the columns for dependent (rank_ {estimator.rank_} of "
            f"{estimator.n_features_in_}) and left directions out, so it is no minimum: its columns are too "
            "far from 0 or too alike. Center or rescale them and fit again"
            + (": what is answered here is about the minimum." if polish else POLISH_FOR_MINIMUM)
        )
    if type(estimator).__name__.startswith("LassoLars") and estimator.positive:
        return (
            "LassoLars with positive=True ends beside the minimum once alpha is small, since its path lets "
            "no column go that should: fit Lasso(positive=True), which minimises the same, with a small tol."
        )
    if getattr(estimator, "copy_X", True) is False:
        return (
            "copy_X=False lets scikit-learn overwrite X in the fit: pass X as it was before, or fit again "
            f"with copy_X=True. If that changes nothing, look whether these are {ITS_OWN}."
        )
    finish = "." if polish else ", or pass polish=True to finish it by Newton's method."
    stopped = _far_from_zero(estimator, risk) or _stopped(estimator, risk, theta)
    if stopped:
        return f"It stopped {stopped}{finish} If that changes nothing, look whether these are {ITS_OWN}."
    again = ""
    if not closed_form(estimator, risk, theta):
        again = f" If it stopped early, refit with more iterations and a smaller tol{finish}"
    return f"Pass {ITS_OWN}.{again}"


def _far_from_zero(estimator: Any, risk: Any) -> str:
    """Return which column keeps a solver that goes step by step from its minimum, with the remedy, or ""."""
    # Least squares center their columns first, all but by stochastic gradients.
    linear, stochastic = as_linear(risk), type(estimator).__name__.startswith("SGD")
    centred = linear is not None and linear.quadratic and not stochastic
    predictors = class_predictors_of(risk) if linear is None else linear
    if centred or predictors is None or not estimator.fit_intercept or risk.shape[1] > MANY:
        return ""
    X = predictors.design.rows(slice(None, None, max(1, risk.shape[0] // LOOKED_AT)))
    center, spread = np.abs(X.mean(axis=0)), X.std(axis=0)
    center[np.ptp(X, axis=0) == 0] = 0.0  # an intercept
    far = center > FAR * spread
    if not far.any():
        return ""
    worst = int(np.argmax(np.where(far, center / np.where(spread > 0, spread, 1.0), 0.0)))
    return (
        f"where its solver crawls, since {risk.names[worst]!r} is far from 0 ({center[worst]:.3g}, with a "
        f"spread of {spread[worst]:.2g}): center that column (StandardScaler) and refit"
    )


def _stopped(estimator: Any, risk: Any, theta: FloatArray) -> str:
    """Return why the estimator's own rule let it stop where it is, with the remedy; "" where it need not."""
    most, tol = getattr(estimator, "max_iter", None), getattr(estimator, "tol", None)
    if getattr(estimator, "solver", "") in BY_GRADIENT and tol and np.abs(risk.gradient(theta)).max() <= tol:
        return f"where the gradient is below its tol of {tol:g}: refit with a smaller tol"
    done = getattr(estimator, "n_iter_", None)  # None of a closed form, too
    if most and done is not None and np.max(done) >= most:
        return f"after its max_iter of {most} iterations: refit with more"
    return ""


def _named(transformers: Any, steps: list[str]) -> list[str]:
    """Return the names of the transformers, those inside a ColumnTransformer too."""
    names = list(steps)
    for _, step in [] if transformers is None else transformers.steps:
        for _, inner, _ in getattr(step, "transformers_", []):
            names.append(type(inner).__name__)
    return names


def _truncated(estimator: Any, risk: Any, theta: FloatArray) -> bool:
    """Return whether a least-squares solution left out directions that the rows determine."""
    rank = getattr(estimator, "rank_", None)
    if rank is None or np.ndim(rank) > 0:
        return False
    chart = chart_of(risk, theta)
    felt = risk.shape[1] if chart is None else chart.coordinates.transform.shape[1]
    return bool(rank < felt - estimator.fit_intercept)
