"""Data for what from_sklearn lets in and what it refuses."""

import numpy as np
import pandas as pd
from sklearn.linear_model import (
    LogisticRegression,
)

import influstat as ist

RNG = np.random.default_rng(7)
X = RNG.normal(size=(80, 3))
ETA = X @ [1.0, -1.0, 0.5]
NUMBER = ETA + RNG.normal(size=80)
LABELS = np.where(ETA + RNG.normal(size=80) > 0, "yes", "no")
THREE = np.array(["a", "b", "c"])[np.digitize(ETA + RNG.normal(size=80), [-0.7, 0.7])]
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
EXACT = LogisticRegression(solver="newton-cholesky", tol=1e-10)


def fit_and_pass(estimator, X=X, y=NUMBER, **settings):
    return ist.from_sklearn(estimator.fit(X, y), X, y, **settings)
