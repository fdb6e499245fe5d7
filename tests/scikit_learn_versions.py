"""Settings of scikit-learn that its versions name in different ways; the lowest we take is 1.5."""

from inspect import signature

import sklearn
from sklearn.linear_model import LogisticRegression

VERSION = tuple(int(part) for part in sklearn.__version__.split(".")[:2])
NAMES_PENALTY = signature(LogisticRegression).parameters["penalty"].default != "deprecated"  # before 1.8

# Averaged over folds or not, `LogisticRegressionCV` without an absolute-value part.
HELD_RIDGE = {} if NAMES_PENALTY else {"l1_ratios": (0.0,), "use_legacy_attributes": False}

TIGHT = {"tol": 1e-10, "max_iter": 10_000}
NEWTON = {"solver": "newton-cholesky", **TIGHT}
SOFTMAX = NEWTON if VERSION >= (1, 6) else TIGHT  # before, newton-cholesky fitted one class against the rest


def elastic(l1_ratio):
    """Return what makes a logistic regression's penalty l1_ratio |b|_1 + (1 - l1_ratio) |b|^2 / 2."""
    if not NAMES_PENALTY:
        return {"l1_ratio": l1_ratio}
    named = {0.0: "l2", 1.0: "l1"}.get(l1_ratio)
    return {"penalty": named} if named else {"penalty": "elasticnet", "l1_ratio": l1_ratio}
