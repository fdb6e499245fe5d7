"""The data bundled with statsmodels, fitted as its documentation does, and a few rows really left out."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from numpy.testing import assert_array_equal
from statsmodels.tools.sm_exceptions import ConvergenceWarning, DomainWarning

import influstat as ist
from tests.statsmodels_models import HOLDS_SCALE


@dataclass(frozen=True, eq=False)
class Example:
    """A data set, the documentation's fit of some of its rows, and how near refits come."""

    name: str
    load: Callable[[], tuple[Any, pd.DataFrame]]
    fit: Callable[[Any, pd.DataFrame], Any]
    settings: dict[str, Any] = field(default_factory=dict)
    tolerance: float = 1e-6  # relative to the largest change of each coefficient
    rows: int = 4

    def __str__(self):
        return self.name

    def refitted(self, y, X):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DomainWarning)
            return self.fit(y, X)


def bundled(name, *, constant=True, y=None, columns=None):
    def load():
        data = getattr(sm.datasets, name).load_pandas()
        endog = data.endog if y is None else data.data[y]
        exog = data.exog if columns is None else data.data[columns]
        return endog, sm.add_constant(exog.astype(float), prepend=False) if constant else exog

    return load


def statecrime():
    data = sm.datasets.statecrime.load_pandas().data
    return data["murder"], sm.add_constant(data[["urban", "poverty", "hs_grad", "single"]])


def fair():
    data = sm.datasets.fair.load_pandas().data
    columns = ["occupation", "educ", "occupation_husb", "rate_marriage", "age", "yrs_married", "children"]
    return (data["affairs"] > 0).astype(float), sm.add_constant(data[[*columns, "religious"]])


def ccard():
    data = sm.datasets.ccard.load_pandas()
    return data.endog, sm.add_constant(data.exog)


def stackloss_scale():
    y, X = bundled("stackloss")()
    return sm.RLM(y, X, M=sm.robust.norms.HuberT()).fit(maxiter=200, tol=1e-12).scale


def huber(y, X):
    """Fit with the scale of all rows, which influstat holds fixed."""
    held = {"start_scale": stackloss_scale(), "update_scale": False}
    return sm.RLM(y, X, M=sm.robust.norms.HuberT()).fit(maxiter=500, tol=1e-13, conv="coefs", **held)


def glm(family):
    return lambda y, X: sm.GLM(y, X, family=family).fit(tol=1e-10, maxiter=200)


def settled_glm(results, y, X):
    """Return theta after as many steps again as it takes until nothing but rounding moves it.

    statsmodels stops at the deviance, which knows theta only to its square root, and where its rounding
    hovers, a smaller tolerance is never met.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", DomainWarning)
        model = sm.GLM(y, X, family=results.model.family)
        return model.fit(start_params=results.params, tol=0.0, maxiter=20).params


def newton(model, **options):
    settings = {"disp": 0, "method": "newton", "tol": 1e-10, "maxiter": 100}
    return lambda y, X: model(y, X, **options).fit(**settings)


F, L = sm.families, sm.families.links
EXAMPLES = [
    Example("statecrime, OLS", statecrime, lambda y, X: sm.OLS(y, X).fit()),
    Example("longley, OLS", bundled("longley"), lambda y, X: sm.OLS(y, X).fit(), tolerance=1e-5),
    Example("ccard, WLS", ccard, lambda y, X: sm.WLS(y, X, weights=1.0 / X["INCOMESQ"]).fit()),
    *([Example("stackloss, RLM Huber", bundled("stackloss"), huber)] if HOLDS_SCALE else []),
    Example("spector, Logit", bundled("spector"), newton(sm.Logit)),
    Example("spector, Probit", bundled("spector"), newton(sm.Probit)),
    Example("spector, GLM Probit", bundled("spector"), glm(F.Binomial(L.Probit()))),
    Example("fair, Logit", fair, newton(sm.Logit)),
    Example("star98, GLM Binomial", bundled("star98"), glm(F.Binomial())),
    Example("scotland, GLM Gamma log", bundled("scotland"), glm(F.Gamma(L.Log()))),
    Example("scotland, GLM Gamma inverse", bundled("scotland"), glm(F.Gamma())),
    Example("cpunish, GLM Poisson", bundled("cpunish"), glm(F.Poisson())),
    Example("committee, GLM negative binomial", bundled("committee"), glm(F.NegativeBinomial(alpha=1.0))),
    Example("randhie, Poisson", bundled("randhie"), newton(sm.Poisson), rows=2),
    Example("anes96, MNLogit", bundled("anes96"), newton(sm.MNLogit), rows=1),
]


@pytest.mark.dear
@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_removals_are_the_library_s_refits(example):
    y, X = example.load()
    results = example.refitted(y, X)
    fit = ist.from_statsmodels(results, **example.settings)
    assert fit.names[: len(X.columns)] == tuple(X.columns) or example.name.startswith("anes96")
    assert_array_equal(fit.row_labels, X.index)
    first = fit.influence().on_theta().removal
    size = np.max(np.abs(first) / np.abs(first).max(axis=0), axis=1)
    rows = np.argsort(-size)[: example.rows]  # the rows that move most
    found = fit.leave_one_out(rows=rows)
    assert found.converged.all()
    refits = np.array([theta_without(example, y, X, row) for row in rows])
    unit = np.abs(refits - fit.theta).max(axis=0)
    assert np.max(np.abs(found.theta - refits) / unit) < example.tolerance


def theta_without(example, y, X, row):
    keep = np.arange(len(X)) != row
    results = example.refitted(y[keep], X[keep])
    glm = isinstance(results.model, sm.GLM)
    theta = settled_glm(results, y[keep], X[keep]) if glm else results.params
    return np.asarray(theta).ravel(order="F")


def test_negative_binomial_regression_of_doctor_visits():
    y, X = bundled("randhie")()
    y, X = y.iloc[::20], X.iloc[::20]
    results = sm.NegativeBinomial(y, X).fit(disp=0, maxiter=200, gtol=1e-7)
    fit = ist.from_statsmodels(results)
    row = int(np.argmax(np.abs(fit.influence().on_theta().removal[:, -1])))
    found = fit.leave_one_out(rows=range(row, row + 1)).theta[0]
    keep = np.arange(len(y)) != row
    start = np.asarray(results.params)
    refit = sm.NegativeBinomial(y[keep], X[keep]).fit(disp=0, start_params=start, method="newton", tol=1e-10)
    assert np.max(np.abs(found - refit.params) / np.abs(refit.params - start).max()) < 1e-3


def test_food_expenditure_by_a_smoothed_median():
    data = sm.datasets.engel.load_pandas().data
    y, X = data["foodexp"], sm.add_constant(data[["income"]])
    results = sm.QuantReg(y, X).fit(q=0.5)
    width = 0.1 * float(np.median(np.abs(results.resid)))
    fit = ist.from_statsmodels(results, smoothing=width)
    assert np.all(np.abs(fit.theta - results.params) < results.bse)
    row = int(np.argmax(np.abs(fit.influence().on_theta().removal[:, 1])))
    keep = np.arange(len(y)) != row
    without = ist.LinearRisk(ist.SmoothedCheck(quantile=0.5, t=width), X[keep], y[keep])
    refit = ist.Fit.minimise(without, start=fit.theta)
    found = fit.leave_one_out(rows=range(row, row + 1)).theta[0]
    np.testing.assert_allclose(found, refit.theta, rtol=1e-8)
    # The check loss itself moves in the same direction, in steps.
    own = sm.QuantReg(y[keep], X[keep]).fit(q=0.5).params - results.params
    assert np.sign(own["income"]) == np.sign(found[1] - fit.theta[1])


def test_states_are_named():
    y, X = statecrime()
    fit = ist.from_statsmodels(sm.OLS(y, X).fit())
    frame = fit.influence().on_theta().to_frame()
    influence = sm.OLS(y, X).fit().get_influence()
    leverage = influence.hat_matrix_diag
    shown = frame.to_numpy() / (1 - leverage)[:, None]
    np.testing.assert_allclose(shown, -influence.dfbeta, rtol=1e-8, atol=1e-12)
    assert frame["single"].abs().idxmax() == "District of Columbia"
