"""Which scikit-learn classes we have formulas for, and why not for some others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from influstat.adapters.scikit_learn import objectives
from influstat.adapters.scikit_learn.objectives import Objective, Size
from influstat.adapters.scikit_learn.reasons import MODULES, REASONS
from influstat.errors import Unsupported

READERS: dict[str, Callable[[Any, Size], Objective]] = {
    "LinearRegression": objectives.least_squares,
    "Ridge": objectives.ridge,
    "RidgeCV": objectives.ridge,
    "RidgeClassifier": objectives.ridge,
    "RidgeClassifierCV": objectives.ridge,
    "BayesianRidge": objectives.bayesian_ridge,
    "Lasso": objectives.elastic_net,
    "LassoCV": objectives.elastic_net,
    "LassoLars": objectives.elastic_net,
    "LassoLarsCV": objectives.elastic_net,
    "LassoLarsIC": objectives.elastic_net,
    "ElasticNet": objectives.elastic_net,
    "ElasticNetCV": objectives.elastic_net,
    "LogisticRegression": objectives.logistic,
    "LogisticRegressionCV": objectives.logistic_cv,
    "LinearSVC": objectives.linear_svc,
    "SVC": objectives.svc,
    "PoissonRegressor": objectives.poisson,
    "GammaRegressor": objectives.gamma,
    "TweedieRegressor": objectives.tweedie,
    "SGDClassifier": objectives.sgd_classifier,
    "SGDRegressor": objectives.sgd_regressor,
}


def objective_of(estimator: Any, size: Size) -> Objective:
    """Return what the estimator minimises; raise Unsupported where there are no formulas for it."""
    return READERS[kind_of(estimator)](estimator, size)


def kind_of(estimator: Any) -> str:
    """Return the name of the scikit-learn class that the estimator is, or extends."""
    for cls in type(estimator).__mro__:
        if cls.__module__.split(".")[0] == "sklearn":
            if cls.__name__ in READERS:
                return cls.__name__
            if cls.__name__ in REASONS:
                need, remedy = REASONS[cls.__name__]
                raise Unsupported("estimator", need, f"is a {cls.__name__}", remedy)
            module = cls.__module__.split(".")[1]
            if module in MODULES and cls.__name__[0] != "_" and hasattr(cls, "fit"):
                need, remedy = MODULES[module]
                raise Unsupported("estimator", need, f"is a {cls.__name__}", remedy)
    name = f"{type(estimator).__module__}.{type(estimator).__qualname__}"
    raise Unsupported(
        "estimator",
        "be a linear model of scikit-learn whose coefficients minimise a risk",
        f"is {name}",
        "Write its loss and use ist.LinearRisk(loss, X, y, penalty=...).",
    )
