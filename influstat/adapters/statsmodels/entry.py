"""`from_statsmodels`: a finished statsmodels fit becomes a `Fit`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from influstat.adapters.active_set import require_active_set
from influstat.adapters.quantity import single
from influstat.adapters.reproduction import require_reproduced
from influstat.adapters.separation import explain_separation
from influstat.adapters.statsmodels import reading
from influstat.adapters.statsmodels.array_rows import active_columns, array_rows
from influstat.adapters.statsmodels.batch_terms import held_of
from influstat.adapters.statsmodels.formulas import formula_reader
from influstat.adapters.statsmodels.glm import (
    DROPS,
    from_binary_or_poisson,
    from_geometric,
    from_glm,
    rows_of_model,
)
from influstat.adapters.statsmodels.inference import stated_inference
from influstat.adapters.statsmodels.likelihood import from_likelihood
from influstat.adapters.statsmodels.linear import (
    few_digits,
    from_gls,
    from_least_squares,
    left_out,
    rounding_of,
)
from influstat.adapters.statsmodels.penalised import penalised, smoothed_glm
from influstat.adapters.statsmodels.reading import refuse
from influstat.adapters.statsmodels.refit import GLMRefit
from influstat.adapters.statsmodels.robust import from_quantreg, from_rlm
from influstat.adapters.verification import require_same_predictions, verified_fit
from influstat.errors import InvalidArgument, NotConverged, NotStationary
from influstat.fit import Fit
from influstat.input.validation import FloatArray, choice, real_number
from influstat.risks.linear import as_linear
from influstat.risks.penalties.active_l1 import active_l1

LAST_STEP = 1e-4  # of the means: more than an accepted fit's last iteration moves them
STUCK = (
    " A column that fit_regularized has left at 0 too soon is freed by zero_tol=0.0 or start_params= there."
)
ENTERING = 1e-3  # relative gradient beyond the penalty: more than coordinate descent or trimming leaves


def from_statsmodels(
    results: Any,
    *,
    polish: bool = False,
    drop: str | None = None,
    alpha: Any = None,
    L1_wt: float = 1.0,
    smoothing: float | None = None,
) -> Fit:
    """Turn the results of a statsmodels model into a `Fit`, checked to be at its minimum.

    Parameters
    ----------
    results : statsmodels results
        What `model.fit()` or `model.fit_regularized()` returned. Names of the coefficients and labels
        of the rows that were fitted (after missing="drop") are kept.
    polish : bool
        Finish the fit by Newton's method first; theta may then differ from the library's.
    drop : {"row", "copy"}, optional
        What a removal takes away in a GLM with freq_weights: the row with all its copies, or one
        copy (nothing where there is none). Required there.
        With "copy" the risk has one row of a single copy for each row of the
        model, in its order, followed by the other copies as rows of their own.
    alpha, L1_wt : float or array_like, float
        What was passed to `fit_regularized` of OLS, WLS, GLS or GLM, which does not keep them. With an
        L1 part the fit is that of the active set: theta holds the coefficients that are not zero, and
        ``fit.leave_one_out().active_set_changes()`` tells which removals change that set.
    smoothing : float, optional
        Width t of the smoothed check loss that stands for QuantReg's, in units of y. Required there.

    Returns
    -------
    Fit
        The targets of new rows are coded as in the model (proportions where it counts successes in
        trials), and exposure enters as its logarithm through offset=. The loss of a row is minus its
        log-likelihood at scale 1; for OLS, WLS and GLS it is the squared
        error (y - eta)^2, for RLM rho((y - eta) / scale). The scale of RLM, the alpha of a GLM's
        negative binomial family, and smoothing parameters stay as they are when rows go; so do the
        columns of a formula's terms that learn from all rows, such as ``center(x)`` and ``bs(x, df=4)``,
        and the knots of GLMGam's smoother. What statsmodels would find anew is named by `fit.stated.held`,
        by `fit.summary()` and `fit.report()`, and `cross_validate` warns of it. The penalty
        protocol is "fixed", but "folded" for `fit_regularized` of OLS, WLS and GLM, because these
        minimise a mean: so refits with the same alpha agree.

        Where the likelihood is not convex (links that are not canonical, inverse Gaussian, Tweedie, robust
        norms that bend back) a removal is the local minimum connected with theta: a refit of the library's,
        which starts elsewhere, may end in another.

        `inference`, `covariance` and `diagnostics` start from the covariance, scale, copies of rows and kind
        of information that the results were fitted with.

    Raises
    ------
    Unsupported
        Rows are not independent terms of what the model minimises, or we have no formulas for it.
    NotConverged, NotStationary
        The results are not at the minimum; the message says how far off.
    NoMinimiser
        There is none, because classes are separated; the message names the columns. A fit that has stopped
        on its way there is accepted with a `DoubtfulResult`.
    InvalidArgument, InvalidType
        The results hold no data any more, or are no results; or a needed setting is missing.

    See Also
    --------
    negative_curvature_rows : Rows that curve the risk the wrong way, possible with links that are not
        canonical, robust norms that bend back, and estimated dispersions.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import influstat as ist
    >>> results = sm.OLS([1.0, 3.0], [[1.0], [1.0]]).fit()
    >>> fit = ist.from_statsmodels(results)
    >>> fit.names, fit.theta
    (('const',), array([2.]))
    >>> fit.influence().on_theta().values.ravel()       # y_i - mean
    array([-1.,  1.])
    """
    choice("polish", polish, (True, False))
    if drop is not None:
        choice("drop", drop, DROPS)
    L1_wt = real_number("L1_wt", L1_wt, at_least=0.0)
    if L1_wt > 1:
        raise InvalidArgument("L1_wt", "be at most 1", f"is {L1_wt:g}", "Pass that of fit_regularized.")
    inner = reading.unwrapped(results)
    mapped = _mapped(inner, drop, alpha, L1_wt, smoothing)
    if not polish:
        try:
            reading.require_converged(inner)
        except NotConverged:
            explain_separation(mapped.risk, mapped.theta)  # more iterations would not end either
            raise
    _require_finite(mapped.risk, mapped.theta)
    names = mapped.risk.design.names
    linear = as_linear(mapped.risk)
    lasso = None if linear is None else active_l1(linear.penalty)
    reader = (
        (lasso and active_columns(inner.model, names))
        or formula_reader(inner.model, names, rows_of_model(inner.model, mapped.risk.shape[0]))
        or array_rows(inner.model)
    )

    def check(fit: Fit) -> None:
        if not polish:
            _require_predictions(inner, fit)
        # A solution that was cut off has the sums of the whole one in some numbers, of itself in others.
        try:
            require_reproduced(inner, fit.risk, [mapped.theta, fit.theta] if polish else [fit.theta])
        except NotStationary as error:
            lost = left_out(inner, mapped.risk, mapped.theta)
            if not lost:
                raise
            need = "be those of least squares on its own rows"
            raise NotStationary("results", need, "are not", f"{lost}.") from error

    fit = verified_fit(
        mapped.risk,
        mapped.theta,
        reader,
        polish=polish,
        check=check,
        rounding=lambda: rounding_of(inner, ridge=L1_wt == 0.0),
        causes=lambda: (
            left_out(inner, mapped.risk, mapped.theta) or few_digits(inner, mapped.risk, mapped.theta)
        ),
    )
    require_active_set("results", fit.risk, fit.theta, ENTERING, STUCK)
    fit.stated = replace(
        stated_inference(inner, fit, drop, polish),
        origin=_origin(inner),
        held=held_of(inner),
        refit=_refit_of(inner, fit),
    )
    return fit


def _require_finite(risk: Any, theta: FloatArray) -> None:
    """Raise where the library has ended nowhere, because classes are separated or for another reason."""
    if np.isfinite(theta).all():
        return
    explain_separation(risk, theta)
    worst = float(theta[~np.isfinite(theta)][0])
    remedy = "The fit has ended nowhere: rescale the columns, or fit again by another method."
    raise InvalidArgument("results", "have finite coefficients (params)", f"has {worst} among them", remedy)


def _refit_of(results: Any, fit: Fit) -> GLMRefit | None:
    """Return what fits a GLM again, where there may be several minima and rows are those of the model."""
    linear = as_linear(fit.risk)
    plain = type(results.model).__name__ == "GLM" and not hasattr(results, "alpha")
    if linear is None or not plain or getattr(linear.loss, "convex", True):
        return None
    if linear.shape[0] != len(results.model.endog):
        return None
    return GLMRefit(linear, results.model.family, str(getattr(results, "method", "IRLS")))


def _origin(results: Any) -> str:
    """Return the model's name, and the family and link of a GLM."""
    model = results.model
    text = f"{type(model).__name__} of statsmodels"
    if not hasattr(model, "family"):
        return text
    return f"{text}, {type(model.family).__name__}, {type(model.family.link).__name__}"


def _require_predictions(results: Any, fit: Fit) -> None:
    """Raise unless the library's predictions for its own rows are ours; some have none of these rows."""
    kind = type(results.model).__name__
    if hasattr(results, "mu"):  # the means that a GLM had before its last iteration
        require_same_predictions("results", fit.risk, fit.theta, results.mu, kind="mean", allowed=LAST_STEP)
    elif kind in ("OLS", "WLS", "RLM") and hasattr(results, "fittedvalues"):
        of_single = single(results.model.exog, results.params)
        theirs = results.fittedvalues
        require_same_predictions("results", fit.risk, fit.theta, theirs, kind="eta", of_single=of_single)
    elif kind in ("Logit", "Probit", "Poisson"):
        require_same_predictions("results", fit.risk, fit.theta, results.predict(), kind="mean")


def _mapped(results: Any, drop: str | None, alpha: Any, L1_wt: float, smoothing: Any) -> reading.Mapped:
    from statsmodels.regression.quantile_regression import QuantReg

    refuse(results)
    reading.require_usable(results)
    kind = type(results.model)
    is_penalised = type(results).__name__.startswith(("L1", "Regularized"))
    _no_idle_setting("alpha", alpha, is_penalised, "fit_regularized")
    _no_idle_setting("smoothing", smoothing, kind is QuantReg, "QuantReg")
    if kind is QuantReg:
        return from_quantreg(results, smoothing)
    if is_penalised:
        return penalised(_linear(results, drop), results, alpha, L1_wt)
    if kind.__name__ == "GLMGam":
        return smoothed_glm(results, drop)
    return _linear_or_none(results, drop) or from_likelihood(results)


def _no_idle_setting(argument: str, value: Any, used: bool, by: str) -> None:
    if value is not None and not used:
        raise InvalidArgument(
            argument, f"be left out unless the results come from {by}", f"is {value!r}", "Leave it out."
        )


def _linear(results: Any, drop: str | None) -> reading.Mapped:
    mapped = _linear_or_none(results, drop)
    if mapped is None:
        reading.unsupported(
            f"{type(results.model).__name__}.fit_regularized",
            "Penalised fits are supported for OLS, WLS, GLM, Logit, Probit and Poisson.",
        )
    return mapped


def _linear_or_none(results: Any, drop: str | None) -> reading.Mapped | None:
    """Return a model whose parameters are one linear predictor's, None for others."""
    from statsmodels.discrete import discrete_model
    from statsmodels.genmod.generalized_linear_model import GLM
    from statsmodels.regression.linear_model import GLS, OLS, WLS
    from statsmodels.robust.robust_linear_model import RLM

    readers: dict[type, Callable[[Any], reading.Mapped]] = {
        OLS: from_least_squares,
        WLS: from_least_squares,
        GLS: from_gls,
        GLM: lambda results: from_glm(results, drop),
        RLM: from_rlm,
        discrete_model.Logit: from_binary_or_poisson,
        discrete_model.Probit: from_binary_or_poisson,
        discrete_model.Poisson: from_binary_or_poisson,
    }
    kind = type(results.model)
    if kind is discrete_model.NegativeBinomial and results.model.loglike_method == "geometric":
        return from_geometric(results)
    return readers[kind](results) if kind in readers else None
