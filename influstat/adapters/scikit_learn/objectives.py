"""What each scikit-learn estimator minimises, read from its class name and its settings.

scikit-learn's own documentation writes these objectives in three scales; here all are in the sum scale,
sum_i w_i l_i + (kappa / 2) |beta|^2 + lambda |beta|_1:

==========================================  ===================  =============================  ========
estimator                                   loss                 kappa                          protocol
==========================================  ===================  =============================  ========
Ridge, RidgeCV, RidgeClassifier             (y - eta)^2          2 alpha                        fixed
BayesianRidge                               (y - eta)^2          2 lambda_ / alpha_             fixed
LogisticRegression, LinearSVC, SVC          logistic, hinge, ..  1 / C                          fixed
PoissonRegressor and other GLM regressors   half the deviance    W alpha                        folded
Lasso, LassoLars, ElasticNet                (y - eta)^2          2 W alpha (1 - l1_ratio)       folded
SGDClassifier, SGDRegressor                 theirs               n alpha                        folded
==========================================  ===================  =============================  ========

The last column is what scikit-learn itself does when it is fitted again without a row. Estimators that
sum their losses keep the whole penalty ("fixed"). Those that average them keep alpha, so that the
penalty on the summed scale shrinks with W ("folded").

Nothing here imports scikit-learn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isinf
from typing import Any

import numpy as np

from influstat.errors import Unsupported
from influstat.losses.base import Loss
from influstat.losses.glm import GLMLoss
from influstat.losses.glm_families import Family, Gamma, Gaussian, InverseGaussian, Poisson, Tweedie
from influstat.losses.glm_links import LogLink, PowerLink
from influstat.losses.hinge import SquaredHinge
from influstat.losses.logistic import LogisticLoss
from influstat.losses.poisson import PoissonLoss
from influstat.losses.residual import HuberLoss
from influstat.losses.squared import SquaredError

ZERO_ONE = (0.0, 1.0)
SIGNS = (-1.0, 1.0)


@dataclass(frozen=True)
class Objective:
    """sum_i w_i l_i + penalty, in sum scale."""

    loss: Loss | None  # None for the hinge, which has no second derivative
    strength: float = 0.0  # kappa, of the coefficients other than the intercept
    lasso: float = 0.0  # lambda, of these
    intercept_strength: float = 0.0  # the same for the intercept: not 0 for liblinear alone
    intercept_lasso: float = 0.0
    protocol: str = "fixed"  # what leaves with a row when scikit-learn is fitted again
    codes: tuple[float, float] | None = None  # of the two classes in the loss; None where y is a number
    lowest: float = -np.inf  # targets must be above it, or at least it where `lowest_allowed`
    lowest_allowed: bool = True


@dataclass(frozen=True)
class Size:
    """How many rows there are, and their weights' sum."""

    rows: int
    total_weight: float


def unsupported(need: str, was: str, remedy: str) -> Unsupported:
    """Return the error for an estimator that we have no formulas for."""
    return Unsupported("estimator", need, was, remedy)


def _setting(estimator: Any, setting: str, need: str, remedy: str) -> Unsupported:
    value = getattr(estimator, setting)
    return unsupported(f"have a {setting} that is {need}", f"has {setting}={value!r}", remedy)


# -- squared error ----------------------------------------------------------------------------------


def least_squares(estimator: Any, size: Size) -> Objective:
    """Return the objective sum w e^2."""
    return Objective(SquaredError())


def ridge(estimator: Any, size: Size) -> Objective:
    """Return the objective sum w e^2 + alpha |b|^2, of classifiers on labels -1 and +1."""
    name = _chosen(estimator, "alpha")
    values = np.unique(np.asarray(getattr(estimator, name), dtype=np.float64))
    if values.size != 1:
        raise _setting(estimator, name, "one number", "Fit one target at a time.")
    codes = SIGNS if hasattr(estimator, "classes_") else None
    return Objective(SquaredError(), strength=2.0 * float(values[0]), codes=codes)


def bayesian_ridge(estimator: Any, size: Size) -> Objective:
    """Return the objective sum w e^2 + (lambda_ / alpha_) |b|^2, both precisions held."""
    ratio = float(estimator.lambda_) / float(estimator.alpha_)
    return Objective(SquaredError(), strength=2.0 * ratio)


def elastic_net(estimator: Any, size: Size) -> Objective:
    """Return the objective sum w e^2 / 2W + alpha [l1_ratio |b|_1 + (1 - l1_ratio) |b|^2 / 2], times 2 W."""
    total = 2.0 * size.total_weight * float(getattr(estimator, _chosen(estimator, "alpha")))
    ratio = float(getattr(estimator, _chosen(estimator, "l1_ratio"), 1.0))  # LassoCV has none
    return Objective(SquaredError(), strength=total * (1.0 - ratio), lasso=total * ratio, protocol="folded")


def _chosen(estimator: Any, setting: str) -> str:
    """Return what the setting is called where a cross-validation chose it, else its own name."""
    return f"{setting}_" if hasattr(estimator, f"{setting}_") else setting


# -- classifiers whose losses are summed and multiplied by C --------------------------------------------


def logistic(estimator: Any, size: Size) -> Objective:
    """Return the objective C sum w l + l1_ratio |b|_1 + (1 - l1_ratio) |b|^2 / 2."""
    return _logistic_of(estimator, float(estimator.C), estimator.l1_ratio)


def logistic_cv(estimator: Any, size: Size) -> Objective:
    """Return the objective of LogisticRegression with the C and l1_ratio that were chosen."""
    if not estimator.refit:
        raise _setting(
            estimator, "refit", "True", "Averages over folds minimise no risk: fit with refit=True."
        )
    ratio = np.ravel(estimator.l1_ratio_)[0] if hasattr(estimator, "l1_ratio_") else None
    return _logistic_of(estimator, float(np.ravel(estimator.C_)[0]), ratio)


def _logistic_of(estimator: Any, C: float, l1_ratio: float | None) -> Objective:
    penalty = getattr(estimator, "penalty", "deprecated")  # older versions: the penalty by its name
    share = {"l1": 1.0, "l2": 0.0}.get(penalty, 0.0 if l1_ratio is None else float(l1_ratio))
    total = 0.0 if penalty is None or isinf(C) else 1.0 / C
    return _with_intercept(
        Objective(LogisticLoss(), strength=total * (1.0 - share), lasso=total * share, codes=ZERO_ONE),
        estimator,
        estimator.solver == "liblinear",
    )


def _with_intercept(objective: Objective, estimator: Any, liblinear: bool) -> Objective:
    """Penalise the intercept as liblinear does: intercept_ / intercept_scaling is one more coefficient."""
    if not (liblinear and estimator.fit_intercept):
        return objective
    s = float(estimator.intercept_scaling)
    return replace(
        objective, intercept_strength=objective.strength / s**2, intercept_lasso=objective.lasso / s
    )


def linear_svc(estimator: Any, size: Size) -> Objective:
    """Return the objective C sum w max(0, 1 - y eta)^2 + |b|^2 / 2 with the intercept in b, or |b|_1."""
    if estimator.multi_class != "ovr":
        raise _setting(estimator, "multi_class", "'ovr'", "Refit with multi_class='ovr'.")
    total, l1 = 1.0 / float(estimator.C), estimator.penalty == "l1"
    loss = SquaredHinge() if estimator.loss == "squared_hinge" else None
    objective = Objective(loss, strength=0.0 if l1 else total, lasso=total if l1 else 0.0, codes=SIGNS)
    return _with_intercept(objective, estimator, liblinear=True)


def svc(estimator: Any, size: Size) -> Objective:
    """Return the objective C sum w max(0, 1 - y eta) + |b|^2 / 2."""
    if estimator.kernel != "linear":
        raise _setting(
            estimator,
            "kernel",
            "'linear'",
            "Other kernels have no coefficients of the columns of X. Transform X by an explicit feature map "
            "(sklearn.kernel_approximation.Nystroem) in a Pipeline with LinearSVC.",
        )
    return Objective(None, strength=1.0 / float(estimator.C), codes=SIGNS)


# -- generalised linear models: half the mean deviance + alpha / 2 |w|^2 ----------------------------------


def _glm(loss: Loss, estimator: Any, size: Size, lowest: float, *, allowed: bool = True) -> Objective:
    return Objective(
        loss,
        strength=size.total_weight * float(estimator.alpha),
        protocol="folded",
        lowest=lowest,
        lowest_allowed=allowed,
    )


def poisson(estimator: Any, size: Size) -> Objective:
    """Return the objective sum w (mu - y eta) / W + alpha |b|^2 / 2, mu = e^eta."""
    return _glm(PoissonLoss(), estimator, size, 0.0)


def gamma(estimator: Any, size: Size) -> Objective:
    """Return the objective sum w (y / mu + eta) / W + alpha |b|^2 / 2, mu = e^eta."""
    return _glm(GLMLoss(Gamma(), LogLink()), estimator, size, 0.0, allowed=False)


def tweedie(estimator: Any, size: Size) -> Objective:
    """Return half the mean deviance of a power, log or identity link, + alpha |b|^2 / 2."""
    power, link = float(estimator.power), estimator.link
    log = link == "log" or (link == "auto" and power > 0)
    if power == 1.0 and log:
        return poisson(estimator, size)
    # Minus the log-likelihood at scale 1 is half the deviance, up to terms in y alone.
    known: dict[float, Family] = {0.0: Gaussian(), 1.0: Poisson(), 2.0: Gamma(), 3.0: InverseGaussian()}
    family = known.get(power, Tweedie(power))
    loss = GLMLoss(family, LogLink() if log else PowerLink(1.0))
    if power < 1.0:
        return _glm(loss, estimator, size, -np.inf)
    return _glm(loss, estimator, size, 0.0, allowed=power < 2.0)


# -- stochastic gradient descent ----------------------------------------------------------------------------


def _sgd(estimator: Any, size: Size, losses: dict[str, tuple[Loss | None, float]]) -> Objective:
    """(1 / n) sum l + alpha / 2 |w|^2, times n and the factor of its loss in ours."""
    if estimator.loss not in losses:
        names = " or ".join(repr(name) for name in losses)
        raise _setting(estimator, "loss", names, "Refit with one of these.")
    if estimator.penalty not in ("l2", None):
        raise _setting(
            estimator,
            "penalty",
            "'l2' or None",
            "Its truncated steps seldom reach zeros: use LogisticRegression or ElasticNet.",
        )
    if size.total_weight != size.rows:
        raise unsupported(
            "have no class_weight or sample_weight",
            "has weights other than 1",
            "Its penalty follows the number of rows, whatever their weights: use LogisticRegression, Ridge "
            "or LinearSVC, which take weights.",
        )
    loss, factor = losses[estimator.loss]
    strength = 0.0 if estimator.penalty is None else factor * size.rows * float(estimator.alpha)
    return Objective(loss, strength=strength, protocol="folded")


def sgd_classifier(estimator: Any, size: Size) -> Objective:
    """Return the objective sum l / n + alpha |b|^2 / 2 for labels."""
    losses: dict[str, tuple[Loss | None, float]] = {
        "log_loss": (LogisticLoss(), 1.0),
        "squared_hinge": (SquaredHinge(), 1.0),
        "hinge": (None, 1.0),
        "squared_error": (SquaredError(), 2.0),
    }
    codes = ZERO_ONE if estimator.loss == "log_loss" else SIGNS
    return replace(_sgd(estimator, size, losses), codes=codes)


def sgd_regressor(estimator: Any, size: Size) -> Objective:
    """Return the objective sum l / n + alpha |b|^2 / 2 for numbers; its squared error is e^2 / 2."""
    losses: dict[str, tuple[Loss | None, float]] = {"squared_error": (SquaredError(), 2.0)}
    if estimator.loss == "huber":
        losses["huber"] = (HuberLoss(float(estimator.epsilon)), 1.0)
    return _sgd(estimator, size, losses)
