"""A risk as a pointwise loss of one linear predictor per row and a quadratic penalty, at one theta."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.errors import Unsupported
from influstat.input.validation import FloatArray
from influstat.risks.linear import LinearRisk


@dataclass(frozen=True, eq=False)
class LinearPart:
    """A risk as a pointwise loss of a linear predictor and a penalty, at one theta.

    Attributes
    ----------
    rows : LinearRisk
        Loss, design, targets, offset and weights; its own penalty does not count here.
    penalty : ndarray, shape (p, p)
        Hessian of the total penalty, sum scale: K.
    penalty_gradient : ndarray, shape (p,)
        Its gradient at theta, sum scale.

    Examples
    --------
    >>> import influstat as ist
    >>> from influstat.risks.linear_part import linear_part
    >>> fit = ist.Ridge(lam=1.0).fit([[1.0], [1.0]], [1.0, 3.0])
    >>> linear_part(fit, "leverages").penalty          # kappa = 2 lam
    array([[2.]])
    """

    rows: LinearRisk
    penalty: FloatArray
    penalty_gradient: FloatArray


def linear_part(fit: Any, what: str) -> LinearPart:
    """Return the fit's risk as a LinearPart, or say that `what` needs one.

    A risk of another class takes part if it has a method `linear_part(theta)`.

    Raises
    ------
    Unsupported
        The risk is no loss of one linear predictor per row.
    """
    risk: Any = fit.risk
    if isinstance(risk, LinearRisk):
        diagonal = risk.penalty_diagonal
        return LinearPart(risk, np.diag(diagonal), diagonal * fit.theta)
    if hasattr(risk, "linear_part"):
        part: LinearPart = risk.linear_part(fit.theta)
        return part
    raise Unsupported(
        "fit",
        f"have one linear predictor per row for {what} (a LinearRisk)",
        f"has a {type(risk).__name__}",
        "Use fit.influence(), fit.leave_one_out() and fit.covariance(), which need none.",
    )
