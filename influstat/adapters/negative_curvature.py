"""Which rows curve the risk the wrong way: they pull theta towards them less than one by one they seem to."""

from __future__ import annotations

from typing import Any

import numpy as np

from influstat.errors import Unsupported
from influstat.fit import Fit
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import require_fit
from influstat.risks.likelihood import LikelihoodRisk
from influstat.risks.linear import as_linear


def negative_curvature_rows(fit: Fit) -> Any:
    """Return the rows whose own loss has negative curvature at theta, with that curvature.

    With a link that is not canonical, a robust norm that bends back, or an estimated dispersion, single
    rows may have a Hessian that is not positive semidefinite although H is. Their leverage is negative:
    without them H grows, and the Newton step is shorter than first order says.

    Parameters
    ----------
    fit : Fit
        Of a `LinearRisk`, or of what `from_statsmodels` gives.

    Returns
    -------
    pandas.Series
        Indexed by the labels of those rows, most negative first: w_i l2_i, the second derivative in the
        linear predictor; for likelihoods with other parameters the smallest eigenvalue of w_i times the
        row's Hessian in theta. Empty where all rows curve the right way.

    Raises
    ------
    Unsupported
        The risk does not tell its rows' curvature.

    Examples
    --------
    >>> import numpy as np, statsmodels.api as sm, influstat as ist
    >>> log = sm.families.Gaussian(sm.families.links.Log())
    >>> results = sm.GLM([1.0, 2.0, 6.0], np.ones((3, 1)), family=log).fit()        # mean 3
    >>> ist.negative_curvature_rows(ist.from_statsmodels(results)).round(6).to_dict()     # mu (2 mu - y)
    {}
    >>> results = sm.GLM([1.0, 1.0, 7.0], np.ones((3, 1)), family=log).fit()
    >>> ist.negative_curvature_rows(ist.from_statsmodels(results)).round(6).to_dict()
    {2: -3.0}
    """
    import pandas as pd

    curvature = _curvature(require_fit(fit).risk, fit.theta)
    rows = np.flatnonzero(curvature < -1e-12 * np.max(np.abs(curvature), initial=0.0))
    rows = rows[np.argsort(curvature[rows], kind="stable")]
    return pd.Series(curvature[rows], index=list(fit.row_labels[rows]), name="curvature", dtype=float)


def _curvature(risk: Any, theta: FloatArray) -> FloatArray:
    linear = as_linear(risk)
    if linear is not None:
        return linear.weights * linear.loss.second(linear.y, linear.linear_predictor(theta))
    if isinstance(risk, LikelihoodRisk):
        return risk.weights * risk.smallest_row_curvature(theta)
    raise Unsupported(
        "fit",
        "be of a LinearRisk or of what from_statsmodels gives",
        f"is of a {type(risk).__name__}",
        "Look at the risk's own rows.",
    )
