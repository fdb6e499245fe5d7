"""Fits whose plots are tested, and what is read off a drawing."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.linear_model import LogisticRegression

import influstat as ist

RNG = np.random.default_rng(3)
N = 60
ROWS = [f"r{k}" for k in range(N)]
X = np.column_stack([np.ones(N), RNG.normal(size=(N, 2)), RNG.exponential(size=N)])
ETA = X @ [0.3, 0.5, -0.4, 0.2]
WEIGHTS = RNG.uniform(0.5, 2.0, N)


def frame(values):
    return pd.DataFrame(values, columns=["const", "a", "b", "c"], index=ROWS)


def least_squares(weights=None, rng=RNG):
    y = frame(X)["a"] * 0.0 + ETA + rng.standard_t(3, size=N)
    model = sm.OLS(y, frame(X)) if weights is None else sm.WLS(y, frame(X), weights=weights)
    return ist.from_statsmodels(model.fit())


def generalised(family, y):
    model = sm.GLM(pd.Series(y, index=ROWS), frame(X), family=family)
    return ist.from_statsmodels(model.fit(tol=1e-12))


def logit(rng=RNG):
    y = pd.Series((rng.random(N) < 1.0 / (1.0 + np.exp(-ETA))).astype(float), index=ROWS)
    return ist.from_statsmodels(sm.Logit(y, frame(X)).fit(disp=0, tol=1e-12))


def scikit_learn(rng=RNG):
    y = (rng.random(N) < 1.0 / (1.0 + np.exp(-ETA))).astype(int)
    estimator = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000).fit(frame(X).drop(columns="const"), y)
    return ist.from_sklearn(estimator, frame(X).drop(columns="const"), y, polish=True)


LOG = sm.families.links.Log()
FITS = {
    "OLS": least_squares(),
    "WLS": least_squares(WEIGHTS),
    "Poisson": generalised(sm.families.Poisson(), RNG.poisson(np.exp(ETA)).astype(float)),
    "Gamma, log": generalised(sm.families.Gamma(LOG), RNG.gamma(4.0, np.exp(ETA) / 4.0)),
    "Logit": logit(),
    "scikit-learn": scikit_learn(),
}


# -- what is drawn -----------------------------------------------------------------------------------------


def points(ax):
    return np.asarray(ax.collections[0].get_offsets())


def stems(ax):
    return np.array([segment[1] for segment in ax.collections[0].get_segments()])


def named(ax):
    """Return the names of rows that the picture is to show, before those without room are left out."""
    return [text.get_text() for text in ax.texts if hasattr(text, "xy")]


def largest(fit, sizes, count=3):
    return [str(fit.row_labels[i]) for i in np.argsort(-np.abs(np.asarray(sizes)), kind="stable")[:count]]


def heights(ax):
    """Return the heights of the dashed horizontal lines."""
    return sorted(float(line.get_ydata()[0]) for line in ax.lines if line.get_linestyle() == "--")


def named_fits(*, but=()):
    """Return the names of the fits as parameters; those but OLS and the Poisson GLM are slow."""
    quick = ("OLS", "Poisson")
    names = [name for name in FITS if not name.startswith(but)] if but else list(FITS)
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]
