"""The inference that a statsmodels fit was made with, so that questions to the `Fit` start from it.

Covariances of statsmodels, and what they are here: nonrobust and fixed scale ("model"), HC0 to HC3, HAC,
hac-panel ("panel HAC"), hac-groupsum ("Driscoll-Kraay"), cluster (one-way and two-way), cluster-crv3
("cluster jackknife"), cluster-jk ("centred cluster jackknife") and RLM's H1 to H3. Outside of least squares
statsmodels computes HC0 whichever of HC0 to HC3 is asked for: it is HC0 here, and inference() says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.adapters.statsmodels.glm import rows_of_model, scale_rule
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.minimise.stated import Stated
from influstat.risks.linear import as_linear
from influstat.statistics.dispersion import PEARSON
from influstat.statistics.lags import BY_PERIOD, HAC, LAGGED, PANEL, SERIES, rising_runs, usual_lags
from influstat.statistics.setting import CORRECTED

NAMES = {
    "hac-panel": PANEL,
    "hac-groupsum": BY_PERIOD,
    "cluster-jk": "centred cluster jackknife",
    "cluster-crv3": "cluster jackknife",
    "nonrobust": "model",
    "fixed scale": "model",
    "fixed_scale": "model",
}
BY_CLUSTERS = {BY_PERIOD: ("c", "cluster")}  # what statsmodels takes for that factor; else "clu" as well


def stated_inference(results: Any, fit: Minimum, drop: str | None, polished: bool) -> Stated:
    """Return what the results, without their wrapper, say of their inference."""
    # `drop` is what a removal takes away where rows have copies. Where theta is `polished`, it is no longer
    # the library's own, so that reported standard errors are not comparable.
    family = type(results.model).__name__
    if family == "QuantReg":
        return Stated(
            kind="HC0",
            use_t=True,
            doubt="QuantReg's own covariance estimates the density of its residuals by a kernel, which is "
            "not reproduced: HC0 of the smoothed check loss stands in its place.",
        )
    reported = None if polished else _reported(results, len(fit.theta))
    if type(results).__name__.startswith("Regularized"):
        return Stated()  # no standard errors of its own
    unweighted = bool((fit.risk.weights == 0).any())  # rows that the library counts all the same
    stated = Stated(
        counts=np.ones(fit.risk.shape[0]) if unweighted else None,
        use_t=bool(getattr(results, "use_t", False)),
        parameters=_parameters(results, fit, polished),
        standard_errors=reported,
    )
    if family == "RLM":
        return replace(stated, kind=results.fit_options["cov"].upper(), counts=np.ones(fit.risk.shape[0]))
    if hasattr(results.model, "freq_weights"):
        stated = _of_glm(results, fit, stated, drop)
    if family == "GLMGam":
        stated = replace(stated, penalty_in_scores=True, factor_counts=np.ones(fit.risk.shape[0]))
    kind = str(getattr(results, "cov_type", "nonrobust"))
    return _robust(results, fit, stated, kind)


def _doubtful(stated: Stated, sentence: str) -> Stated:
    """Return what is stated with a doubt, which the standard errors need not raise again."""
    return replace(stated, doubt=f"{stated.doubt} {sentence}".strip(), standard_errors=None)


def _reported(results: Any, count: int) -> FloatArray | None:
    """Return the standard errors of the coefficients that are not held at 0 by an L1 penalty."""
    try:
        with np.errstate(all="ignore"):  # a singular Hessian
            values = np.asarray(results.bse, dtype=np.float64).ravel(order="F")
    except (AttributeError, NotImplementedError, ValueError, TypeError):
        return None
    values = values[np.isfinite(values)] if len(values) > count else values
    return values if len(values) == count else None


def _parameters(results: Any, fit: Minimum, polished: bool) -> float | None:
    """Return the observations less the residual degrees of freedom that the results state."""
    freedom = getattr(results, "df_resid", None)
    if freedom is None:
        return None
    copies = getattr(results.model, "freq_weights", None)
    total = float(fit.risk.shape[0]) if copies is None else float(np.sum(copies))
    stated = total - float(freedom)
    linear = as_linear(fit.risk) if polished else None
    if linear is None or linear.penalty.flat(len(fit.theta)).shape[1] < len(fit.theta):
        return stated
    # A solution cut off (pinv of columns far from 0) counts too few columns; polishing brings them back.
    return max(stated, float(fit.regular.risk.shape[1]))


def _of_glm(results: Any, fit: Minimum, stated: Stated, drop: str | None) -> Stated:
    """Add a GLM's scale, copies of rows and kind of information."""
    model, n = results.model, fit.risk.shape[0]
    copies = np.asarray(model.freq_weights, dtype=np.float64)
    if (copies != 1.0).any():
        counts, rows = copies, np.ones(len(copies))
        if drop == "copy":  # single copies first, the others of each behind them
            counts = np.concatenate([np.minimum(copies, 1.0), copies[copies > 1.0] - 1.0])
            rows = np.concatenate([rows, np.zeros(n - len(copies))])
        stated = replace(stated, counts=counts, factor_counts=rows, copy_of=rows_of_model(model, n))
    scale = scale_rule(results)
    linear = as_linear(fit.risk)
    known = linear is not None and getattr(linear.loss, "dispersion", None) is not None
    if scale is None and known and results.scale != 1.0:
        scale = PEARSON  # Tweedie of power 1 is Poisson with a scale, which statsmodels estimates
    if scale == "X2" and np.any(np.asarray(model.n_trials) != 1):
        stated = _doubtful(
            stated,
            "statsmodels leaves the numbers of trials out of the scale that it estimates by scale='X2', so "
            "that its standard errors are too small; those here are by Pearson's statistic.",
        )
    return replace(stated, dispersion=scale, information=_information(results))


def _information(results: Any) -> str:
    """Return which information, "observed" or "expected", the model-based covariance is the inverse of."""
    # Fitting by IRLS takes the expected one; optimisers either, which only the numbers tell.
    method = getattr(results, "method", "IRLS")
    if str(method).upper() in ("IRLS", "PIRLS"):
        return "expected"
    if results.normalized_cov_params is None:
        return "observed"
    reported = np.asarray(results.normalized_cov_params, dtype=np.float64)
    distance = {}
    for name, observed in (("observed", True), ("expected", False)):
        hessian = -np.asarray(results.model.hessian(results.params, scale=1.0, observed=observed))
        distance[name] = float(np.max(np.abs(hessian @ reported - np.eye(len(hessian)))))
    return min(distance, key=lambda name: distance[name])


def _robust(results: Any, fit: Minimum, stated: Stated, kind: str) -> Stated:
    """Add the covariance with its settings."""
    settings = getattr(results, "cov_kwds", None) or {}
    if NAMES.get(kind, kind) in LAGGED and fit.risk.shape[0] > len(results.model.endog):
        sentence = (
            f"The fit has cov_type={kind!r}, and with drop='copy' the copies of a row are rows of their own, "
            "which have no place in time: HC0 stands here. Pass drop='row' for the library's own."
        )
        stated, kind, settings = _doubtful(stated, sentence), "HC0", {}
    if kind.startswith("fixed"):
        stated = replace(stated, dispersion=float(settings.get("scale", 1.0)))
    if kind in ("HC1", "HC2", "HC3") and not hasattr(results, f"cov_{kind}"):
        sentence = (  # the numbers are the library's, so that its standard errors are compared all the same
            f"The fit has cov_type={kind!r}, under which statsmodels computes HC0 for "
            f"{type(results.model).__name__}: its standard errors, and so these, are HC0. Pass kind={kind!r} "
            f"for {kind} itself, or kind='HC0' if that is what you want."
        )
        stated, kind = replace(stated, doubt=f"{stated.doubt} {sentence}".strip()), "HC0"
    factor = settings.get("scaling_factor")
    if factor is not None:
        stated = replace(stated, scaling=float(factor))
    stated = replace(stated, kind=NAMES.get(kind, kind), group_freedom=bool(settings.get("adjust_df", True)))
    if settings.get("groups") is not None:
        stated = replace(stated, groups=_groups(settings["groups"], results, fit))
    if stated.kind in CORRECTED:
        stated = replace(stated, correction=bool(settings.get("use_correction", True)))
    if stated.kind in CORRECTED and fit.lost:  # the library subtracts all columns, dependent ones too
        stated = replace(stated, factor_parameters=float(len(fit.theta)))
    if stated.kind in SERIES:
        stated = of_series(settings, stated)
    if stated.kind == HAC:
        lags = settings.get("maxlags")
        lags = usual_lags(len(results.model.endog)) if lags is None else int(lags)
        stated = replace(stated, lag_weights=np.asarray(settings["weights_func"](lags), dtype=np.float64))
    return stated


def _groups(groups: Any, results: Any, fit: Minimum) -> Any:
    """Return the clusters of the rows of the risk: copies are in the cluster of their row."""
    values, rows = np.asarray(groups), rows_of_model(results.model, fit.risk.shape[0])
    return values if rows is None else values[rows]


def of_series(settings: Mapping[str, Any], stated: Stated) -> Stated:
    """Return what is stated with the series or periods of the rows, kernel and small-sample factor."""
    # `settings` are the results' `cov_kwds`. `groups` become the series; or two columns, the number that
    # statsmodels gives to each period, and the series, which are there only to be counted for the degrees of
    # freedom.
    given, lags = settings.get("use_correction"), settings["maxlags"]
    correction: bool | str = "observations" if given == "hac" else False
    if given in BY_CLUSTERS.get(stated.kind, ("c", "clu", "cluster")):
        correction = "clusters"
    time = None if settings.get("time") is None else np.asarray(settings["time"]).squeeze()
    doubt = ""
    if time is None or (stated.kind != BY_PERIOD and settings.get("groups") is not None):
        groups = np.asarray(settings["groups"])
    elif stated.kind != BY_PERIOD:
        groups = rising_runs(time)
    else:
        codes = period_codes(time)
        groups = np.column_stack([codes, rising_runs(time)])
        lags = usual_lags(int(codes.max()) + 1) if lags is None else lags
        if np.ptp(codes - time) != 0:
            doubt = (
                "statsmodels numbers the periods of cov_type='hac-groupsum' by their first rows where their "
                "numbers are more than twice the rows: gaps are closed, and the order may be another. Number "
                "them from 0 and fit again if that is not meant; the standard errors here are its own."
            )
    weights = [1.0] if not lags else settings["weights_func"](int(lags))
    return replace(
        stated,
        groups=groups,
        correction=correction,
        lag_weights=np.asarray(weights, dtype=np.float64),
        doubt=f"{stated.doubt} {doubt}".strip(),
    )


def period_codes(time: NDArray[Any]) -> NDArray[np.int64]:
    """Return the numbers of the periods as `statsmodels.tools.grouputils.group_sums` has them.

    Returns
    -------
    ndarray of int, shape (n,)

    Examples
    --------
    >>> period_codes(np.array([3, 4, 4])), period_codes(np.array([1999, 1998, 2001]))
    (array([3, 4, 4]), array([0, 1, 2]))
    """
    if not time.max() > 2 * len(time):
        return time.astype(np.int64)
    _, first, codes = np.unique(time, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[codes].astype(np.int64)
