"""Small problems of every kind for breakdowns, and all their small subsets by refits that share no code."""

from functools import cache
from itertools import combinations

import numpy as np
import statsmodels.api as sm

import influstat as ist
from influstat.errors import InflustatError
from influstat.minimise.newton import minimise

FAIR = "rate_marriage + age + yrs_married + children + religious + educ + occupation + occupation_husb"
HIE = "lncoins + idp + lpi + fmde + physlm + disea + hlthg + hlthf + hlthp"
PUNISHED = "np.log(INCOME) + PERPOVERTY + PERBLACK + np.log(VC100k96) + SOUTH + DEGREE"
MODELS = {
    "statecrime": (sm.OLS, "murder ~ urban + poverty + hs_grad + single"),
    "stackloss": (sm.OLS, "STACKLOSS ~ AIRFLOW + WATERTEMP + ACIDCONC"),
    "longley": (sm.OLS, "TOTEMP ~ GNPDEFL + GNP + UNEMP + ARMED + POP + YEAR"),
    "engel": (sm.OLS, "foodexp ~ income"),
    "ccard": (sm.OLS, "AVGEXP ~ AGE + INCOME + OWNRENT"),
    "fair": (sm.OLS, f"affairs ~ {FAIR}"),
    "randhie": (sm.OLS, f"np.log(mdvis + 1) ~ {HIE}"),
    "grunfeld": (sm.OLS, "invest ~ value + capital"),
    "spector": (sm.Logit, "GRADE ~ GPA + TUCE + PSI"),
    "fair, any": (sm.Logit, f"I(1.0 * (affairs > 0)) ~ {FAIR}"),
    "randhie, counts": (sm.Poisson, f"mdvis ~ {HIE}"),
    "cpunish": (sm.Poisson, f"EXECUTIONS ~ {PUNISHED}"),
}


@cache
def fit_of(name):
    model, formula = MODELS[name]
    table = getattr(sm.datasets, name.partition(",")[0]).load_pandas().data
    settings = {} if model is sm.OLS else {"disp": 0, "method": "newton", "tol": 1e-12}
    return ist.from_statsmodels(model.from_formula(formula, table).fit(**settings))


@cache
def two_states():
    return fit_of("statecrime").reach("single", k=2)


LOSSES = {
    "squared": (ist.SquaredError(), lambda eta, rng: eta + rng.standard_t(2.0, len(eta))),
    "logistic": (ist.LogisticLoss(), lambda eta, rng: (rng.random(len(eta)) < 1 / (1 + np.exp(-eta))) * 1.0),
    "poisson": (ist.PoissonLoss(), lambda eta, rng: rng.poisson(np.exp(np.clip(eta, -3, 3))) * 1.0),
}


def problem(seed, loss, *, protocol="fixed", strength=0.0, weights=False, offset=False, n=9, p=3):
    """Return a fit of few rows, its columns in units of their own; penalised where the loss needs it."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * 10.0 ** rng.integers(-2, 3, p)
    X[:, 0] = 1.0
    found, draw = LOSSES[loss]
    scale = X.std(axis=0) + (X.std(axis=0) == 0)
    y = draw(X @ (rng.normal(size=p) / scale), rng)
    w = rng.choice([0.0, 0.5, 1.0, 2.0], n, p=[0.1, 0.2, 0.4, 0.3]) if weights else np.ones(n)
    o = 0.5 * rng.normal(size=n) if offset else np.zeros(n)
    penalty = ist.Quadratic(np.diag(strength * scale**2)) + ist.Linear(0.1 * strength * scale)
    risk = ist.LinearRisk(found, X, y, penalty=penalty, weights=w, offset=o, protocol=protocol)
    return ist.Fit.minimise(risk)


def value_without(fit, rows, a):
    """Return a'theta of the minimum without the rows, None where there is no such minimum."""
    weights = fit.risk.weights.copy()
    weights[rows] = 0.0
    if not weights.any():
        return None
    if fit.risk.quadratic:
        return least_squares(fit.risk, weights, a)
    try:
        return float(a @ minimise(fit.risk.reweighted(weights), start=fit.theta).theta)
    except InflustatError:
        return None


def least_squares(risk, weights, a):
    """Return a'theta of squared error with these weights, None where they do not determine it."""
    kept = weights.sum() / risk.total_weight if risk.protocol == "folded" else 1.0
    X, zero = risk.design.rows(slice(None)), np.zeros(risk.shape[1])
    scale = np.sqrt(np.sum(X**2, axis=0))
    X = X / scale
    K = kept * risk.penalty.hessian(zero).dense() / np.outer(scale, scale)
    pull = kept * risk.penalty.gradient(zero) / scale
    H = 2.0 * X.T @ (X * weights[:, None]) + K
    values, vectors = np.linalg.eigh(H)
    known = values > 1e-10 * values[-1]
    b = a / scale
    if np.linalg.norm(vectors[:, ~known].T @ b) > 1e-7 * np.linalg.norm(b):
        return None
    score = 2.0 * X.T @ (weights * (risk.y - risk.offset)) - pull
    return float(b @ (vectors[:, known] @ ((vectors[:, known].T @ score) / values[known])))


def flipping(fit, a, at, units, most):
    """Return the sets of at most so many units (lists of rows) whose removal flips a'theta against `at`."""
    sign = np.sign(a @ fit.theta - at)
    found = []
    for k in range(1, most + 1):
        for chosen in combinations(range(len(units)), k):
            value = value_without(fit, np.concatenate([units[j] for j in chosen]), a)
            if value is not None and sign * (value - at) <= 0.0:
                found.append(chosen)
    return found
