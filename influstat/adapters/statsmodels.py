"""`from_statsmodels`: a finished statsmodels fit becomes a `Fit`."""

from __future__ import annotations

from typing import Any

from influstat.adapters.statsmodels_glm import from_binary_or_poisson, from_glm
from influstat.adapters.statsmodels_linear import from_gls, from_least_squares
from influstat.adapters.statsmodels_reading import (
    Mapped,
    require_converged,
    require_unconstrained,
    require_unrefitted,
    unsupported,
    unwrapped,
)
from influstat.adapters.verification import verified_fit
from influstat.fit import Fit
from influstat.validation import choice


def from_statsmodels(results: Any, *, polish: bool = False, drop: str | None = None) -> Fit:
    """Turn the results of a statsmodels model into a `Fit`, checked to be at its minimum.

    Parameters
    ----------
    results : statsmodels results
        What `model.fit()` returned. Names of the coefficients and labels of the rows that were fitted
        (after missing="drop") are kept.
    polish : bool
        Finish the fit by Newton's method first; theta may then differ from the library's.
    drop : {"row", "copy"}, optional
        What a removal takes away in a GLM with freq_weights: the row with all its copies, or one
        copy. Required there. With "copy" the risk has one row of a single copy for each row of the
        model, in its order, followed by the other copies as rows of their own.

    Returns
    -------
    Fit
        Penalty protocol "fixed". The loss of a row is minus its log-likelihood at scale 1; for OLS, WLS
        and GLS it is the squared error (y - eta)^2.

    Raises
    ------
    Unsupported
        Rows are not independent terms of what the model minimises, or we have no formulas for it.
    NotConverged, NotStationary
        The results are not at the minimum; the message says how far off.
    InvalidArgument, InvalidType
        The results hold no data any more, or are no results.

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
    inner = unwrapped(results)
    mapped = _mapped(inner, drop)
    if not polish:
        require_converged(inner)
    return verified_fit(mapped.risk, mapped.theta, polish=polish, library="statsmodels")


def _mapped(results: Any, drop: str | None) -> Mapped:
    from statsmodels.discrete import discrete_model
    from statsmodels.genmod.generalized_linear_model import GLM
    from statsmodels.regression.linear_model import GLS, OLS, WLS

    require_unconstrained(results)
    require_unrefitted(results)
    kind = type(results.model)
    name = type(results).__name__
    if name.startswith(("L1", "Regularized")):
        unsupported(f"{kind.__name__}.fit_regularized", "Penalised fits are not supported yet.")
    if kind in (OLS, WLS):
        return from_least_squares(results)
    if kind is GLS:
        return from_gls(results)
    if kind is GLM:
        return from_glm(results, drop)
    if kind in (discrete_model.Logit, discrete_model.Probit, discrete_model.Poisson):
        return from_binary_or_poisson(results)
    return unsupported(kind.__name__, "There are no formulas for it.")
