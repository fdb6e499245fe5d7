"""The table of statsmodels models: one line each, measured against refits by statsmodels itself.

``python -m tests.statsmodels_models`` prints it as markdown. All models share one well-behaved design of
200 rows. Twelve rows with the largest changes and eight others (fewer for slow models) are really left out
and refitted with the same options; knots, the scale of RLM and the alpha of a GLM's negative binomial
family are held.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from inspect import signature
from typing import Any

import numpy as np
import statsmodels.api as sm
from scipy import stats
from scipy.special import expit, ndtr
from statsmodels.base.model import GenericLikelihoodModel
from statsmodels.discrete.truncated_model import TruncatedLFPoisson
from statsmodels.gam.api import BSplines, GLMGam
from statsmodels.genmod import families
from statsmodels.genmod.families import links
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.othermod.betareg import BetaModel
from statsmodels.robust import norms
from statsmodels.tools.sm_exceptions import ConvergenceWarning, DomainWarning

import influstat as ist
from tests.statsmodels_data import ALL, DATA, ROWS


class StudentErrors(GenericLikelihoodModel):
    """A user's own likelihood, with nothing but `loglikeobs`: Student errors and their log scale."""

    def __init__(self, endog, exog, **kwds):
        super().__init__(endog, exog, extra_params_names=["log scale"], **kwds)

    def loglikeobs(self, params):
        residual = (self.endog - self.exog @ params[:-1]) * np.exp(-params[-1])
        return -3.0 * np.log1p(residual**2 / 5.0) - params[-1]


# -- the cases --------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ModelCase:
    """A model: how to fit some of the rows, how to hand it over, and the library's own tolerance."""

    name: str
    fit: Callable[[np.ndarray], Any]
    settings: dict[str, Any] = field(default_factory=dict)
    tolerance: float = 1e-6  # of theta after a refit, relative to the largest change
    refits: int = 20
    slope_within: float = 0.02
    error_below: float = 0.05

    def __str__(self):
        return self.name

    def refitted(self, rows=ALL):
        """Return the library's results of these rows, without its warnings about valid models."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DomainWarning)  # "the link does not respect the domain"
            return self.fit(rows)


def theta_of(results):
    """Return the library's coefficients as a vector."""
    return np.asarray(results.params).ravel(order="F")


def glm(name, family, y, settings=None, **columns):
    def fit(rows):
        own = {key: value[rows] for key, value in columns.items()}
        return sm.GLM(y[rows], DATA.X[rows], family=family, **own).fit(tol=1e-13, maxiter=300)

    return ModelCase(f"GLM {name}", fit, settings or {})


def discrete(name, model, y, settings=None, *, fit=None, case=None, **columns):
    fixed = settings or {}

    @cache
    def start():  # Newton's method alone does not find the dispersion from afar
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # only a start
            rough = model(y, DATA.X, **columns, **fixed).fit(method="bfgs", maxiter=500, gtol=1e-6, disp=0)
        return np.asarray(rough.params).ravel(order="F")

    def refit(rows):
        own = {key: value[rows] for key, value in columns.items()}
        options = fit or {"method": "newton", "tol": 1e-10, "maxiter": 100}
        return model(y[rows], DATA.X[rows], **own, **fixed).fit(start_params=start(), disp=0, **options)

    return ModelCase(name, refit, **(case or {}))


def robust(name, norm):
    @cache
    def full():
        return sm.RLM(DATA.heavy, DATA.X, M=norm).fit(maxiter=500, tol=1e-12)

    def fit(rows):
        if len(rows) == ROWS:
            return full()
        model = sm.RLM(DATA.heavy[rows], DATA.X[rows], M=norm)
        held = {"start_scale": full().scale, "update_scale": False, "start_params": full().params}
        return model.fit(maxiter=500, tol=1e-13, conv="coefs", **held)

    return ModelCase(f"RLM {name}", fit)


def regularised(name, make, alpha, L1_wt, tolerance=1e-6, **options):
    settings = {"alpha": alpha, "L1_wt": L1_wt}
    return ModelCase(
        f"fit_regularized of {name}",
        lambda rows: make(rows).fit_regularized(**settings, **options),
        settings,
        tolerance,
    )


@cache
def spline_basis():
    return BSplines(DATA.X[:, [1]], df=[6], degree=[3])


def held_smoother(rows):
    """Return the smoother of these rows with the knots and the penalty of all of them."""
    smoother = copy.deepcopy(spline_basis())
    for part in (smoother, *smoother.smoothers):
        part.basis = part.basis[rows]
        part.nobs = len(rows)
    return smoother


def gam(family, y):
    def fit(rows):
        exog = DATA.X[rows][:, [0, 2]]
        model = GLMGam(y[rows], exog=exog, smoother=held_smoother(rows), alpha=[0.5], family=family)
        return model.fit(tol=1e-12)

    return ModelCase(f"GLMGam {type(family).__name__}", fit)


def ordered(distribution):
    def fit(rows):
        model = OrderedModel(DATA.ordered[rows], DATA.X[rows][:, 1:], distr=distribution)
        return model.fit(method="bfgs", disp=0, gtol=1e-7)

    return ModelCase(f"OrderedModel {distribution}", fit, tolerance=1e-3, refits=10)


def likelihood(name, model, y, tolerance=1e-3, **options):
    def fit(rows):
        return model(y[rows], DATA.X[rows]).fit(disp=0, method="bfgs", gtol=1e-7, maxiter=500, **options)

    return ModelCase(name, fit, tolerance=tolerance)


D, F, L = DATA, families, links
EXPOSED = D.poisson(D.exposure * np.exp(D.eta(1.0, 0.6)))
LABELS = D.bernoulli(expit(D.eta(0.0, 1.0)))
LEAST_SQUARES = [
    ModelCase("OLS", lambda rows: sm.OLS(D.normal[rows], D.X[rows]).fit()),
    ModelCase("OLS, HC3 covariance", lambda rows: sm.OLS(D.normal[rows], D.X[rows]).fit(cov_type="HC3")),
    ModelCase("WLS", lambda rows: sm.WLS(D.normal[rows], D.X[rows], weights=D.weights[rows]).fit()),
    ModelCase("GLS, diagonal", lambda rows: sm.GLS(D.normal[rows], D.X[rows], sigma=D.weights[rows]).fit()),
]
small, middle = D.eta(0.0, 0.25), D.eta(0.0, 0.6)
GENERALISED = [
    glm("Gaussian identity", F.Gaussian(), D.normal),
    glm("Gaussian log", F.Gaussian(L.Log()), D.around(np.exp(middle), 0.3)),
    glm("Gaussian inverse", F.Gaussian(L.InversePower()), D.around(1.0 / (1.0 + small), 0.1)),
    glm("Binomial logit, offset", F.Binomial(), D.bernoulli(expit(middle + D.offset)), offset=D.offset),
    glm("Binomial logit, trials", F.Binomial(), D.binomial(expit(middle))),
    glm("Binomial probit", F.Binomial(L.Probit()), D.bernoulli(ndtr(middle))),
    glm("Binomial cloglog", F.Binomial(L.CLogLog()), D.bernoulli(-np.expm1(-np.exp(middle)))),
    glm("Binomial loglog", F.Binomial(L.LogLog()), D.bernoulli(np.exp(-np.exp(-middle)))),
    glm("Binomial cauchy", F.Binomial(L.Cauchy()), D.binomial(stats.cauchy.cdf(middle))),
    glm("Binomial log", F.Binomial(L.Log()), D.binomial(np.exp(small - 1.0))),
    glm("Binomial logc", F.Binomial(L.LogC()), D.binomial(-np.expm1(small - 1.0))),
    glm("Binomial identity", F.Binomial(L.Identity()), D.binomial(0.5 + 0.5 * small)),
    glm("Binomial Student CDF", F.Binomial(L.CDFLink(stats.t(5))), D.bernoulli(ndtr(middle))),
    glm(
        "Poisson log, exposure",
        F.Poisson(),
        D.poisson(np.exp(1.0 + middle) * D.exposure),
        exposure=D.exposure,
    ),
    glm("Poisson sqrt", F.Poisson(L.Sqrt()), D.poisson((2.0 + small) ** 2)),
    glm("Poisson identity", F.Poisson(L.Identity()), D.poisson(8.0 + middle)),
    glm("Poisson, freq_weights", F.Poisson(), D.counts, {"drop": "row"}, freq_weights=D.frequencies),
    glm("Gamma inverse", F.Gamma(), D.gamma(1.0 / (1.0 + small))),
    glm("Gamma log, var_weights", F.Gamma(L.Log()), D.gamma(np.exp(middle)), var_weights=D.weights),
    glm("Gamma identity", F.Gamma(L.Identity()), D.gamma(5.0 + middle)),
    glm("InverseGaussian 1/mu^2", F.InverseGaussian(), D.wald((1.0 + small) ** -0.5)),
    glm("InverseGaussian log", F.InverseGaussian(L.Log()), D.wald(np.exp(small))),
    glm("InverseGaussian inverse", F.InverseGaussian(L.InversePower()), D.wald(1.0 / (1.0 + small))),
    glm("InverseGaussian identity", F.InverseGaussian(L.Identity()), D.wald(3.0 + small)),
    glm("NegativeBinomial log", F.NegativeBinomial(alpha=0.2), D.overdispersed),
    glm(
        "NegativeBinomial power 0.7",
        F.NegativeBinomial(L.Power(0.7), alpha=0.05),
        D.negative_binomial((4.0 + middle) ** (1.0 / 0.7), 0.05),
    ),
    glm(
        "NegativeBinomial identity",
        F.NegativeBinomial(L.Identity(), alpha=0.05),
        D.negative_binomial(8.0 + middle, 0.05),
    ),
    glm("Tweedie 1.5 log", F.Tweedie(var_power=1.5), D.tweedie(np.exp(middle))),
    glm("Tweedie 1.3 power", F.Tweedie(L.Power(0.5), var_power=1.3), D.tweedie((3.0 + small) ** 2)),
    gam(F.Poisson(), D.counts),
    gam(F.Gaussian(), D.normal),
]
# Not reached: with the dispersion estimated too, the likelihood is far from quadratic in what one row of
# 200 with a large count changes, so that one Newton step leaves 10 to 20 % (and exact removal nothing).
HARD = {"slope_within": 0.04, "error_below": 0.2}
LIKELIHOODS = [
    discrete("Logit", sm.Logit, LABELS),
    discrete("Probit", sm.Probit, LABELS),
    discrete("Poisson, offset and exposure", sm.Poisson, D.counts, offset=D.offset, exposure=D.exposure),
    discrete("NegativeBinomial NB2", sm.NegativeBinomial, D.overdispersed, case=HARD, offset=D.offset),
    discrete(
        "NegativeBinomial NB1", sm.NegativeBinomial, D.overdispersed, {"loglike_method": "nb1"}, case=HARD
    ),
    discrete(
        "NegativeBinomial geometric", sm.NegativeBinomial, D.overdispersed, {"loglike_method": "geometric"}
    ),
    discrete(
        "NegativeBinomialP 1.5",
        sm.NegativeBinomialP,
        D.overdispersed,
        {"p": 1.5},
        fit={"method": "bfgs", "gtol": 1e-7, "maxiter": 500},
        case={**HARD, "tolerance": 1e-3},
    ),
    discrete("GeneralizedPoisson", sm.GeneralizedPoisson, D.overdispersed, case=HARD),
    discrete("MNLogit", sm.MNLogit, D.classes),
    discrete("ZeroInflatedPoisson", sm.ZeroInflatedPoisson, D.inflated),
    discrete("TruncatedLFPoisson", TruncatedLFPoisson, D.counts + 1.0),
    ordered("logit"),
    ordered("probit"),
    likelihood("BetaModel", BetaModel, D.share),
    likelihood("a user's Student likelihood", StudentErrors, D.heavy, start_params=np.zeros(5)),
]
# statsmodels holds a scale given from outside from 0.15 on: before, its refits are fits of another risk.
HOLDS_SCALE = "start_scale" in signature(sm.RLM.fit).parameters
NORMS = {
    "Huber": norms.HuberT,
    "Tukey biweight": norms.TukeyBiweight,
    "Hampel": norms.Hampel,
    "Andrew wave": norms.AndrewWave,
    "Ramsay": norms.RamsayE,
    "Student": getattr(norms, "StudentT", None),  # it too from 0.15 on
}
ROBUST = [robust(name, norm()) for name, norm in NORMS.items()] if HOLDS_SCALE else []
PENALISED = [
    regularised("OLS, ridge", lambda rows: sm.OLS(D.normal[rows], D.X[rows]), 0.3, 0.0),
    regularised(
        "OLS, ridge of several strengths",
        lambda rows: sm.OLS(D.normal[rows], D.X[rows]),
        np.array([0.0, 0.1, 0.2, 0.3]),
        0.0,
    ),
    regularised(
        "WLS, ridge", lambda rows: sm.WLS(D.normal[rows], D.X[rows], weights=D.weights[rows]), 0.3, 0.0
    ),
    regularised(
        "OLS, elastic net", lambda rows: sm.OLS(D.normal[rows], D.X[rows]), 0.05, 0.5, cnvrg_tol=1e-12
    ),
    regularised(
        "GLM Poisson, elastic net",
        lambda rows: sm.GLM(D.counts[rows], D.X[rows], family=F.Poisson()),
        0.05,
        0.5,
        cnvrg_tol=1e-12,
    ),
    regularised(
        "GLM Binomial, ridge",
        lambda rows: sm.GLM(LABELS[rows], D.X[rows], family=F.Binomial()),
        np.array([0.0, 0.05, 0.05, 0.05]),
        0.0,
        tolerance=1e-2,
    ),
    ModelCase(
        "fit_regularized of Logit, L1",
        lambda rows: sm.Logit(LABELS[rows], D.X[rows]).fit_regularized(alpha=2.0, disp=0, acc=1e-14),
        tolerance=1e-3,
    ),
    ModelCase(
        "fit_regularized of Poisson, L1",
        lambda rows: sm.Poisson(D.counts[rows], D.X[rows]).fit_regularized(
            alpha=[0.0, 2.0, 2.0, 2.0], disp=0, acc=1e-14
        ),
        tolerance=1e-3,
    ),
]
CASES = [*LEAST_SQUARES, *GENERALISED, *LIKELIHOODS, *ROBUST, *PENALISED]

# -- what is measured ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """One line of the table; changes are in units of the largest change of each coefficient."""

    name: str
    first_order: float  # slope of the refits' changes on first order
    slope: float  # on the Newton step
    error: float  # largest error of the Newton step
    exact: float  # largest difference between exact removal and the library's refit


def slope(truth, found):
    return float(np.sum(truth * found) / np.sum(found * found))


@cache
def measured(case: ModelCase) -> Line:
    """Fit, remove, refit, compare."""
    results = case.refitted()
    fit = ist.from_statsmodels(results, **case.settings)
    newton = fit.leave_one_out(method="newton").delta
    rows = chosen_rows(newton, case.refits)
    active = theta_of(results) != 0  # by an L1 penalty; elsewhere all are
    refits = np.array([theta_of(case.refitted(np.delete(ALL, row)))[active] for row in rows])
    truth = refits - theta_of(results)[active]
    unit = np.abs(truth).max(axis=0)
    first = fit.leave_one_out(method="influence", rows=rows).delta
    exact = fit.leave_one_out(method="exact", rows=rows).theta
    return Line(
        case.name,
        slope(truth / unit, first / unit),
        slope(truth / unit, newton[rows] / unit),
        float(np.max(np.abs(newton[rows] - truth) / unit)),
        float(np.max(np.abs(exact - refits) / unit)),
    )


def chosen_rows(delta, count):
    """Return the rows with the largest change and some drawn from the others, by position."""
    size = np.max(np.abs(delta) / np.abs(delta).max(axis=0), axis=1)
    order = np.argsort(-size, kind="stable")
    largest = 3 * count // 5
    others = np.random.default_rng(7).choice(order[largest:], count - largest, replace=False)
    return np.concatenate([order[:largest], others])


def markdown() -> str:
    """Return the table as the documentation prints it."""
    lines = [
        "| statsmodels model | slope, first order | slope, Newton step | largest error | exact - refit |",
        "|---|---|---|---|---|",
    ]
    for case in CASES:
        line = measured(case)
        lines.append(
            f"| {line.name} | {line.first_order:.3f} | {line.slope:.4f} | {100 * line.error:.2f} % "
            f"| {line.exact:.0e} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown())
