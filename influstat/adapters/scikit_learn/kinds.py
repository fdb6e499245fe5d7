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
_ONE_TARGET = ("have one target", "Fit one estimator per target, and pass each with its own y.")
_ONE_ESTIMATOR = "be one estimator with coefficients of its own"
_THRESHOLD = (
    _ONE_ESTIMATOR,
    "Pass its estimator_: the threshold changes its decisions, not its coefficients.",
)
_PAIRS = (
    _ONE_ESTIMATOR,
    "Pass its estimators_ one by one, each with the rows and codes of its own two sides.",
)
# What there are no formulas for: what it would have to be, and what to do instead.
REASONS: dict[str, tuple[str, str]] = {
    "MultiTaskLasso": _ONE_TARGET,
    "MultiTaskElasticNet": _ONE_TARGET,
    "MultiTaskLassoCV": _ONE_TARGET,
    "MultiTaskElasticNetCV": _ONE_TARGET,
    "MultiOutputRegressor": (
        _ONE_ESTIMATOR,
        "Pass its estimators_ one by one, each with its own column of y.",
    ),
    "OneVsRestClassifier": (_ONE_ESTIMATOR, "Pass its estimators_ one by one, each with y == its class."),
    "MultiOutputClassifier": (
        _ONE_ESTIMATOR,
        "Pass its estimators_ one by one, each with its own column of y.",
    ),
    "OneVsOneClassifier": _PAIRS,
    "OutputCodeClassifier": _PAIRS,
    "ClassifierChain": (_ONE_ESTIMATOR, "Pass its estimators_ one by one, each with the columns it got."),
    "RegressorChain": (_ONE_ESTIMATOR, "Pass its estimators_ one by one, each with the columns it got."),
    "FixedThresholdClassifier": _THRESHOLD,
    "TunedThresholdClassifierCV": _THRESHOLD,
    "CalibratedClassifierCV": (
        _ONE_ESTIMATOR,
        (
            "Pass calibrated_classifiers_[k].estimator with the rows of its own fold (cv), or with all rows "
            "if it was fitted with ensemble=False; what calibrates it is fitted on top and stays as it is."
        ),
    ),
    "TransformedTargetRegressor": (
        "be fitted to the y that it gets, not to a transformed one",
        (
            "Pass its regressor_ with y=transformer_.transform(np.asarray(y).reshape(-1, 1)).ravel(): losses "
            "and predictions are then in the transformed units."
        ),
    ),
    "RFE": (_ONE_ESTIMATOR, "Pass its estimator_ with the columns of its support_."),
    "VotingClassifier": (_ONE_ESTIMATOR, "Pass its estimators_ one by one."),
    "VotingRegressor": (_ONE_ESTIMATOR, "Pass its estimators_ one by one."),
    "BaggingClassifier": (_ONE_ESTIMATOR, "Pass its estimators_ one by one, each with its own rows."),
    "BaggingRegressor": (_ONE_ESTIMATOR, "Pass its estimators_ one by one, each with its own rows."),
    "StackingRegressor": (
        _ONE_ESTIMATOR,
        "Pass its final_estimator_ with the X that it got.",
    ),
    "StackingClassifier": (
        _ONE_ESTIMATOR,
        "Pass its final_estimator_ with the X that it got.",
    ),
    "HuberRegressor": (
        "hold its scale fixed",
        (
            "It fits a scale together with the coefficients: use statsmodels' RLM and ist.from_statsmodels, "
            "or ist.HuberLoss with ist.LinearRisk."
        ),
    ),
    "QuantileRegressor": (
        "have a loss with a second derivative",
        "Use ist.SmoothedCheck with ist.LinearRisk.",
    ),
    "ARDRegression": (
        "hold its penalties fixed",
        (
            "It finds a lambda_ for each coefficient and drops columns on the way: use ist.LinearRisk with "
            "ist.Quadratic(2 * lambda_ / alpha_) on the columns that it kept."
        ),
    ),
    "Lars": ("minimise a risk", "Its path stops after n_nonzero_coefs columns: use LassoLars or Lasso."),
    "LarsCV": ("minimise a risk", "Its path stops at a step that was chosen: use LassoLarsCV or LassoCV."),
    "OrthogonalMatchingPursuit": (
        "minimise a risk",
        "It chooses columns greedily: pass LinearRegression on the columns that it kept.",
    ),
    "TheilSenRegressor": ("minimise a risk over rows", "It is a median of fits of few rows: use HuberLoss."),
    "RANSACRegressor": ("be fitted on all rows", "Pass its estimator_ with the rows of its inlier_mask_."),
    "PLSRegression": (
        "minimise one risk",
        "Use LinearRegression in a Pipeline after its transform.",
    ),
    "NuSVC": (
        "have a penalty, not a constraint",
        "Its nu is a constraint, not a penalty: use SVC(kernel='linear') with smoothing=.",
    ),
    "LinearSVR": ("have a loss with a second derivative", "Use ist.HuberLoss with ist.LinearRisk, or Ridge."),
    "SVR": ("have a loss with a second derivative", "Use ist.HuberLoss with ist.LinearRisk, or Ridge."),
    "Perceptron": ("minimise a risk", "Use SGDClassifier(loss='log_loss') or LogisticRegression."),
    "PassiveAggressiveClassifier": (
        "minimise a risk",
        "Use SGDClassifier(loss='log_loss') or LogisticRegression.",
    ),
    "LinearDiscriminantAnalysis": (
        "minimise a loss of its linear predictor",
        "Its coefficients come from class means: use LogisticRegression.",
    ),
}

# The same for whole modules of scikit-learn.
_REFIT = "Fit it again without the rows."
MODULES: dict[str, tuple[str, str]] = {
    "ensemble": (
        "minimise a smooth risk",
        f"Its trees jump when a row goes. {_REFIT}",
    ),
    "tree": ("minimise a smooth risk", f"A tree jumps when a row goes. {_REFIT}"),
    "neighbors": ("have coefficients", f"It keeps the rows themselves. {_REFIT}"),
    "naive_bayes": ("minimise a loss of its linear predictor", f"It counts and averages by class. {_REFIT}"),
    "gaussian_process": ("have coefficients", f"It keeps the rows themselves. {_REFIT}"),
    "kernel_ridge": (
        "have coefficients of columns",
        "It has one of each row: use Ridge after sklearn.kernel_approximation.Nystroem in a Pipeline.",
    ),
    "neural_network": (
        "have one linear predictor",
        "It has hidden layers and many minima: ist.BlackBoxRisk takes its loss around the one found.",
    ),
    "semi_supervised": ("be fitted to labels of its own rows alone", _REFIT),
    "isotonic": ("have coefficients", f"Its fit is a staircase over the rows. {_REFIT}"),
    "dummy": ("have coefficients", "It predicts a constant: use LinearRegression on a column of ones."),
    "cross_decomposition": (
        "minimise one risk",
        "Use LinearRegression in a Pipeline after its transform.",
    ),
    "discriminant_analysis": (
        "minimise a loss of its linear predictor",
        "Its coefficients come from means and covariances of classes: use LogisticRegression.",
    ),
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
