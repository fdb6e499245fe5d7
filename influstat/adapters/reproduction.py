"""What a library says of its own fit, compared with what its data and coefficients give here.

Log-likelihood, deviance, scale, numbers of observations and of residual degrees of freedom, and the value at
which the library's iterations ended. The first are computed by statsmodels when they are asked for, from data
that may have been changed since; scale, history and degrees of freedom are kept from the fit. Quantities are
compared only where their definition is known exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from influstat.adapters.quantity import ROUNDING, SUMS, Quantity, rounding_of, said
from influstat.adapters.reproduction_of_robust import of_quantile_regression, of_robust_regression
from influstat.adapters.statsmodels.glm import SCALE, scale_rule
from influstat.errors import NotStationary
from influstat.input.validation import FloatArray
from influstat.risks.linear import LinearRisk, as_linear
from influstat.statistics.dispersion import pearson_residuals
from influstat.statistics.residuals import has_deviance, unit_deviance

LEAST_SQUARES = ("OLS", "WLS", "GLS")
FITTED_TWICE = (
    "Its model, which keeps the scale= of its last fit alone, was fitted again with another one, or its "
    "data, weights or coefficients were changed after the fit, or this number was"
)
BY_HAND = (
    "Rows or columns were changed after the fit, or this number was set by hand (columns taken out "
    "beforehand belong into the design)"
)


def require_reproduced(results: Any, risk: Any, thetas: Sequence[FloatArray]) -> None:
    """Raise unless what the results say of themselves is what one of thetas gives on the risk read."""
    # `results` are without their wrapper; the first of thetas is as the library left it, the other as it was
    # finished.
    for candidates in zip(*(_quantities(results, risk, theta) for theta in thetas), strict=True):
        first = candidates[0]
        if not (first.same if first.kept else any(quantity.same for quantity in candidates)):
            raise NotStationary(
                "results",
                f"say the {first.name} that its own data and coefficients give",
                f"says {first.theirs:.10g} where they give {first.ours:.10g}",
                f"{first.cause}: fit it again.",
            )


def _quantities(results: Any, risk: Any, theta: FloatArray) -> Iterator[Quantity]:
    """Yield what can be compared, what costs nothing first."""
    kind, linear = type(results.model).__name__, as_linear(risk)
    if type(results).__name__.startswith("Regularized"):
        return  # nothing but coefficients is kept
    if linear is not None and kind == "QuantReg":  # whose smoothed loss is another
        yield from of_quantile_regression(results, linear)
        return
    yield from _counts(results, risk, theta)
    if linear is not None and kind in (*LEAST_SQUARES, "RLM"):
        yield _of_columns(results, linear)
    if linear is None:
        yield from _of_likelihood(results, risk, -float(risk.weights @ risk.row_losses(theta)), 0.0)
    elif kind in LEAST_SQUARES:
        yield from _of_least_squares(results, linear, theta)
    elif hasattr(results.model, "freq_weights"):
        yield from _of_glm(results, linear, theta)
    elif kind == "RLM":  # whose scale the risk is made with
        yield from of_robust_regression(results, linear)
    else:
        yield from _of_discrete(results, linear, theta)


def _counts(results: Any, risk: Any, theta: FloatArray) -> Iterator[Quantity]:
    """Yield the numbers of observations and of residual degrees of freedom."""
    model = results.model
    n = float(np.shape(model.endog)[0])
    yield Quantity("number of observations (nobs)", said(lambda: results.nobs), n, 0.0)
    if type(model).__name__ == "GLMGam" or not type(model).__module__.startswith("statsmodels."):
        return  # effective ones; a user's own definition
    copies = getattr(model, "freq_weights", None)
    total = n if copies is None else float(np.sum(copies))
    theirs = said(lambda: results.df_resid)
    allowed = _columns_counted(model, risk, theta)
    if total - theirs not in allowed:
        columns = float(np.shape(model.exog)[-1])
        whitened = getattr(model, "wexog", model.exog)  # without the rows of weight 0
        for rank in _ranks(np.asarray(model.exog)) | _ranks(np.asarray(whitened)):
            lost = columns - rank  # of each block of coefficients, MNLogit's one per class
            allowed = allowed | {rank} | {count - lost * max(1.0, count // columns) for count in allowed}
    nearest = min(allowed, key=lambda count: abs(total - count - theirs))
    name = "residual degrees of freedom (df_resid)"
    yield Quantity(name, theirs, total - nearest, 1e-9 * max(total, 1.0), BY_HAND)


def _ranks(X: Any) -> set[float]:
    """Return the ranks of X by the two rules of statsmodels: numpy's, of X and of its singular values."""
    # Both in the precision of X, in which columns far from 0 may depend on each other.
    X = X.reshape(len(X), -1)
    X = X if X.dtype == np.float32 else X.astype(np.float64)
    values = np.linalg.svd(X, compute_uv=False)
    least = np.finfo(X.dtype).eps * values.max(initial=0.0)
    return {float(np.sum(values > least * size)) for size in (max(X.shape), len(values))}


def _columns_counted(model: Any, risk: Any, theta: FloatArray) -> set[float]:
    """Return the numbers of coefficients that statsmodels subtracts: of the mean, or with the others."""
    # Extra parameters (a dispersion, thresholds) are counted by some of its models and not by others; an L1
    # fit counts those that are not zero, or all.
    counted = {float(len(theta)), float(np.shape(model.exog)[-1])}
    if as_linear(risk) is not None:
        return counted
    return counted | {float(len(theta) - int(getattr(model, "k_extra", 0) or 0))}


def _of_columns(results: Any, linear: LinearRisk) -> Quantity:
    """Return u'Nu of N = (X'WX)^-1, or its pseudo-inverse, as the fit has kept it, and |X N u|^2 of X now."""
    # With u_j = 1 / sqrt(N_jj): the sum of the correlations of the coefficients.
    name = "sum of the correlations of its coefficients (normalized_cov_params)"
    kept = np.asarray(getattr(results, "normalized_cov_params", None), dtype=np.float64)
    if kept.ndim != 2 or not (kept.diagonal() > 0).all():
        return Quantity(name, np.nan, np.nan, 0.0)
    u = 1.0 / np.sqrt(kept.diagonal())
    ours = float(linear.weights @ linear.design.dot(kept @ u) ** 2)
    # A solution by QR loses digits as columns of length 1 would, one by singular values as these columns do.
    lengths = linear.design.square_sums(linear.weights)
    condition = max(float(kept.diagonal() @ lengths), float(np.sqrt(kept.trace() * lengths.sum())))
    room = (SUMS + ROUNDING * condition) * float(u @ np.abs(kept) @ u)
    return Quantity(name, float(u @ kept @ u), ours, room)


def _rounding(results: Any, linear: LinearRisk, theta: FloatArray, eta: FloatArray) -> float:
    """Return what rounding of the linear predictors, and of each loss there, makes of the sum of losses."""
    spread = linear.design.absolute_dot(np.abs(theta)) + np.abs(linear.offset) + np.abs(linear.y)
    unit = rounding_of(results)
    step = unit * spread
    first, second, value = linear.slopes(theta), linear.curvatures(theta), linear.loss.value(linear.y, eta)
    each = np.abs(first) * step + np.abs(second) * step**2 + unit * np.abs(value)
    return float(np.nansum(linear.weights * each))


def _of_least_squares(results: Any, linear: LinearRisk, theta: FloatArray) -> Iterator[Quantity]:
    """Yield sigma^2 and the log-likelihood at its maximum in sigma^2."""
    eta, model = linear.linear_predictor(theta), results.model
    n = float(linear.shape[0])
    squares = float(linear.weights @ linear.loss.value(linear.y, eta))
    rounding = _rounding(results, linear, theta, eta)
    freedom = said(lambda: results.df_resid)
    if not freedom > 0 or not squares > 0:
        freedom = squares = np.nan
    room = SUMS * squares + rounding
    theirs, ours = said(lambda: results.scale), squares / freedom
    if str(getattr(results, "cov_type", "")).startswith("fixed"):  # from 0.15 on theirs is the fixed one
        fixed = said(lambda: results.cov_kwds["scale"])
        ours = fixed if abs(theirs - fixed) < abs(theirs - ours) else ours
    yield Quantity("scale", theirs, ours, room / freedom)
    if room > 0.01 * squares:  # a perfect fit: its logarithm is that of rounding
        squares = np.nan
    factor = getattr(model, "cholsigmainv", None)
    if factor is None:
        with np.errstate(divide="ignore"):
            determinant = 0.5 * float(np.sum(np.log(linear.weights)))
    else:
        factor = np.asarray(factor, dtype=np.float64)
        determinant = float(np.sum(np.log(factor if factor.ndim == 1 else np.diagonal(factor))))
    ours = -0.5 * n * (np.log(2.0 * np.pi * squares / n) + 1.0) + determinant
    allowed = n * room / squares + SUMS * (abs(ours) + n)
    yield Quantity("log-likelihood (llf)", said(lambda: results.llf), ours, allowed)


def _of_glm(results: Any, linear: LinearRisk, theta: FloatArray) -> Iterator[Quantity]:
    """Yield scale, deviance, log-likelihood and the deviance at which the iterations ended."""
    model, eta = results.model, linear.linear_predictor(theta)
    n, scale = np.shape(model.endog)[0], said(lambda: results.scale)
    unit, rounding = scale if scale > 0 else 1.0, _rounding(results, linear, theta, eta)
    deviance = np.nan
    if has_deviance(linear.loss):
        deviance = float(linear.weights @ unit_deviance(linear, eta))
    room = SUMS * (abs(deviance) + n * unit) + 2.0 * rounding
    freedom = said(lambda: results.df_resid)
    expected, estimated = _scale_of(results, linear, eta, deviance, freedom)
    finished = said(lambda: results.converged) == 1.0
    if estimated and not finished:  # the scale is of means before the last step, of any size then
        expected = np.nan
    spare = 2.0 * rounding / freedom if estimated and freedom > 0 else 0.0
    yield Quantity("scale", scale, expected, SCALE * abs(expected) + spare, FITTED_TWICE)
    yield Quantity("deviance", said(lambda: results.deviance), deviance, room)
    mean = np.asarray(linear.loss.mean(eta), dtype=np.float64)[:n]
    with np.errstate(all="ignore"):
        at = _profiled_scale(model, mean, unit)
        ours = said(lambda: model.loglike_mu(mu=mean, scale=at))
    allowed = SUMS * (abs(ours) + n) + room / unit
    yield Quantity("log-likelihood (llf)", said(lambda: results.llf), ours, allowed)
    if not estimated and type(model.family).__name__ != "Gaussian":  # whose loglike has another scale
        ended = -n * said(lambda: results.mle_retvals["fopt"])
        ours -= linear.penalty.value(theta)  # a GLMGam's
        yield Quantity("log-likelihood at which its iterations ended", ended, ours, allowed, kept=True)
    if finished:
        ended = said(lambda: results.fit_history["deviance"][-1])
        if str(getattr(results, "method", "")).upper() == "IRLS":
            ended *= unit  # that history is in units of the scale
        wide = room + SCALE * abs(deviance) if estimated else room
        if abs(ended - deviance) > wide:
            deviance = _deviance_then(results, linear, deviance)
        yield Quantity("deviance at which its iterations ended", ended, deviance, wide, kept=True)


def _deviance_then(results: Any, linear: LinearRisk, deviance: float) -> float:
    """Return the deviance at the last iterate, where columns depend on each other up to rounding."""
    # There a last solution by another factorisation, which gives the coefficients, may be one of lower rank.
    last = np.asarray(results.fit_history.get("params", [np.nan])[-1], dtype=np.float64)
    exog = np.asarray(results.model.exog)
    if last.shape != linear.shape[1:] or min(_ranks(exog)) == exog.shape[1] or not has_deviance(linear.loss):
        return deviance
    return float(linear.weights @ unit_deviance(linear, linear.linear_predictor(last)))


def _profiled_scale(model: Any, mean: FloatArray, scale: float) -> float:
    """Return the scale in the log-likelihood: for Gaussian errors around a line that of its maximum."""
    link = model.family.link
    if type(model.family).__name__ != "Gaussian" or getattr(link, "power", None) != 1.0:
        return scale
    weights = np.asarray(model.iweights, dtype=np.float64)
    squares = (np.asarray(model.endog, dtype=np.float64) - mean) ** 2
    return float(weights @ squares / np.sum(model.freq_weights))


def _scale_of(
    results: Any, linear: LinearRisk, eta: FloatArray, deviance: float, freedom: float
) -> tuple[float, bool]:
    """Return the scale by the model's own rule, nan where that is not known, and whether it is estimated."""
    rule = scale_rule(results)
    if rule is not None and not isinstance(rule, str):
        return rule, False
    model = results.model
    family = type(model.family).__name__
    if rule is None and family in ("Binomial", "Poisson", "NegativeBinomial"):
        return 1.0, False
    if not freedom > 0:
        return np.nan, True
    if rule == "dev":
        return deviance / freedom, True
    if np.any(np.asarray(model.n_trials) != 1):
        return np.nan, True  # statsmodels leaves the trials out of it
    return float(np.sum(pearson_residuals(linear, eta) ** 2)) / freedom, True


def _of_discrete(results: Any, linear: LinearRisk, theta: FloatArray) -> Iterator[Quantity]:
    """Yield those of binary and count models."""
    eta = linear.linear_predictor(theta)
    ours = -float(linear.weights @ linear.loss.value(linear.y, eta))
    if type(results.model).__name__ in ("Logit", "Probit") and not np.isin(linear.y, (0.0, 1.0)).all():
        ours = np.nan  # of proportions the library has another one
    penalty = linear.penalty.value(theta)
    yield from _of_likelihood(results, linear, ours, penalty, rounding=_rounding(results, linear, theta, eta))


def _of_likelihood(
    results: Any, risk: Any, ours: float, penalty: float, *, rounding: float = 0.0
) -> Iterator[Quantity]:
    """Yield scale, log-likelihood and objective where the iterations ended, of models at scale 1."""
    n, theirs = float(risk.shape[0]), said(lambda: results.llf)
    room = SUMS * (abs(ours) + n) + rounding
    yield Quantity("scale", said(lambda: results.scale), 1.0, 0.0)
    yield Quantity("log-likelihood (llf)", theirs, ours, room)
    if not np.isfinite(ours):  # then at least theirs of now against theirs of the fit
        ours, room = theirs, SUMS * (abs(theirs) + n)
    ended = said(lambda: results.mle_retvals["fopt"]) * n
    yield Quantity(
        "objective at which its iterations ended (mle_retvals['fopt'] times nobs)",
        ended,
        penalty - ours,
        room + SUMS * abs(penalty),
        kept=True,
    )
