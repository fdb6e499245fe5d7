"""Which scikit-learn classes we have formulas for, and why not for some others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from influstat.adapters.scikit_learn import objectives
from influstat.adapters.scikit_learn.objectives import Objective, Size
from influstat.errors import Unsupported

READERS: dict[str, Callable[[Any, Size], Objective]] = {
    "LinearRegression": objectives.least_squares,
    "Ridge": objectives.ridge,
    "RidgeCV": objectives.ridge,
    "RidgeClassifier": objectives.ridge,
    "RidgeClassifierCV": objectives.ridge,
    "Lasso": objectives.elastic_net,
    "LassoCV": objectives.elastic_net,
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

_ONE_BY_ONE = "Fit one estimator per target, and pass each with its own y."
REASONS: dict[str, str] = {
    "MultiTaskLasso": _ONE_BY_ONE,
    "MultiTaskElasticNet": _ONE_BY_ONE,
    "MultiOutputRegressor": "Pass its estimators_ one by one, each with its own column of y.",
    "OneVsRestClassifier": "Pass its estimators_ one by one, each with y == its class.",
    "GridSearchCV": "Pass its best_estimator_.",
    "RandomizedSearchCV": "Pass its best_estimator_.",
    "TransformedTargetRegressor": "Pass its regressor_ with the transformed y.",
    "HuberRegressor": "It fits a scale together with the coefficients: use statsmodels' RLM and "
    "ist.from_statsmodels, or ist.HuberLoss with ist.LinearRisk.",
    "QuantileRegressor": "Its loss has no second derivative: use ist.SmoothedCheck with ist.LinearRisk.",
    "NuSVC": "Its nu is a constraint, not a penalty: use SVC(kernel='linear') with smoothing=.",
    "Perceptron": "It minimises no risk: use SGDClassifier(loss='log_loss') or LogisticRegression.",
}


def objective_of(estimator: Any, size: Size) -> Objective:
    """Return what the estimator minimises.

    Returns
    -------
    Objective

    Raises
    ------
    Unsupported
        There are no formulas for it; the message says why where there is a reason.
    """
    return READERS[kind_of(estimator)](estimator, size)


def kind_of(estimator: Any) -> str:
    """Return the name of the scikit-learn class that the estimator is, or extends."""
    for cls in type(estimator).__mro__:
        if cls.__module__.split(".")[0] == "sklearn":
            if cls.__name__ in READERS:
                return cls.__name__
            if cls.__name__ in REASONS:
                raise _unsupported(cls.__name__, REASONS[cls.__name__])
    name = f"{type(estimator).__module__}.{type(estimator).__qualname__}"
    raise _unsupported(name, "Write its loss and use ist.LinearRisk(loss, X, y, penalty=...).")


def _unsupported(what: str, remedy: str) -> Unsupported:
    return Unsupported(
        "estimator",
        "be a fitted " + ", ".join(READERS) + ", or a Pipeline that ends in one",
        f"is {what}",
        remedy,
    )
