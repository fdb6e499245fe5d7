"""`fit_regularized`, ridge and L1, and the smoothing penalty of `GLMGam`.

What the library minimises decides what leaves with a row: its loss alone ("fixed") or its loss and its share
w_i / W of the penalty ("folded"). `fit_regularized` of OLS, WLS, GLS and GLM minimises the *mean* loss plus
alpha times the penalty: with one row less and the same alpha the total penalty shrinks with the rows, which
is the protocol "folded". The discrete models minimise the *sum* plus alpha times the penalty: "fixed".
GLMGam's penalty stays whole: "fixed".
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.adapters.statsmodels.array_rows import ActiveColumns
from influstat.adapters.statsmodels.glm import from_glm
from influstat.adapters.statsmodels.reading import Mapped, unsupported
from influstat.errors import InvalidArgument
from influstat.input.design import Design
from influstat.input.validation import FloatArray, real_number, vector
from influstat.risks.linear import LinearRisk
from influstat.risks.penalties import L2, Penalty, Quadratic
from influstat.risks.penalties.active_l1 import ActiveL1

SCALE_FREE = ("Binomial", "Poisson", "NegativeBinomial")


def penalised(mapped: Mapped, results: Any, alpha: Any, L1_wt: float) -> Mapped:
    """Give a mapped fit_regularized result its penalty."""
    model, p = results.model, len(mapped.theta)
    kind = type(model).__name__
    settings = getattr(results, "mle_settings", None) or {}
    if "alpha" in settings:  # a discrete model: the sum of losses, L1 only
        total = np.broadcast_to(np.asarray(settings["alpha"], dtype=np.float64), (p,)).copy()
        if alpha is not None and not np.allclose(_per_coefficient(alpha, p), total):
            raise InvalidArgument("alpha", "be that of the fit", f"is {alpha!r}", f"The fit had {total}.")
        return _l1(mapped, model, np.zeros(p), total, "fixed")
    if alpha is None:
        raise InvalidArgument(
            "alpha",
            "be given for the results of fit_regularized, which do not keep it",
            "is None",
            "Pass the same alpha and L1_wt as to fit_regularized; they are checked against the gradient.",
        )
    if kind == "GLM" and type(model.family).__name__ not in SCALE_FREE:
        unsupported(
            f"GLM.fit_regularized with the {type(model.family).__name__} family",
            "Its estimated scale sets the strength of the penalty, so that every row changes it. Use "
            "OLS.fit_regularized for the Gaussian family, or a penalised ist.LinearRisk.",
        )
    weighted = not (mapped.risk.weights == 1.0).all()
    if (kind == "GLM" and weighted) or (kind == "GLS" and np.ndim(model.sigma) == 2):
        unsupported(
            f"{kind}.fit_regularized with weights" if weighted else "GLS.fit_regularized with a full sigma",
            "Its penalty follows the number of rows, whatever they weigh, so that no share of it belongs to "
            "a row. Use a penalised ist.LinearRisk.",
        )
    # In units of the summed loss: OLS minimises RSS / (2 n), our squared error has no factor 1/2.
    unit = mapped.risk.total_weight * (1.0 if kind == "GLM" else 2.0)
    strengths = unit * _per_coefficient(alpha, p)
    if L1_wt == 0:
        return _ridge(mapped, strengths)
    return _l1(mapped, model, (1.0 - L1_wt) * strengths, L1_wt * strengths, "folded")


def _per_coefficient(alpha: Any, p: int) -> FloatArray:
    if np.ndim(alpha) == 0:
        return np.full(p, real_number("alpha", alpha, at_least=0.0))
    values = vector("alpha", alpha, p, per="coefficient")
    if (values < 0).any():
        raise InvalidArgument("alpha", "be at least 0", f"is {values.min():g}", "Pass that of the fit.")
    return values


def _some_columns(risk: LinearRisk, kept: NDArray[np.intp]) -> Design:
    design = Design(risk.design.rows(slice(None))[:, kept], names=[risk.names[j] for j in kept])
    if risk.design.columns is not None:
        design.columns = list(design.names)
    return design


def _with(risk: LinearRisk, design: Any, protocol: str, penalty: Penalty) -> LinearRisk:
    """Return the risk of the same rows with another design, protocol and penalty."""
    return LinearRisk(
        risk.loss,
        design,
        risk.y,
        weights=risk.weights,
        offset=risk.offset,
        penalty=penalty,
        protocol=protocol,
        test_protocol="fixed",  # a test loss is the plain one
        row_labels=risk.row_labels,
    )


def _ridge(mapped: Mapped, strengths: FloatArray) -> Mapped:
    risk = mapped.risk
    return Mapped(_with(risk, risk.design, "folded", _quadratic(strengths)), mapped.theta)


def _quadratic(strengths: FloatArray) -> Penalty:
    """Return the ridge penalty with these strengths: an `L2` where they are one, for its path in lam."""
    positive = np.unique(strengths[strengths > 0])
    if len(positive) > 1:
        return Quadratic(strengths)
    return L2(float(positive[0]) if len(positive) else 0.0, np.flatnonzero(strengths == 0).tolist())


def _l1(mapped: Mapped, model: Any, ridge: FloatArray, strengths: FloatArray, protocol: str) -> Mapped:
    """Return the problem on the active set: coefficients that are not zero, or not penalised by L1."""
    active = (mapped.theta != 0) | (strengths == 0)
    if not active.any():
        unsupported("fit_regularized", "All coefficients are zero: there is nothing that rows could move.")
    theta, out = mapped.theta[active], np.flatnonzero(~active)
    lasso = ActiveL1(strengths[active] * np.sign(theta))
    if out.size:
        lasso = replace(
            lasso,
            excluded=_some_columns(mapped.risk, out),
            bound=strengths[out],
            ridge=ridge[out],
            of_new_rows=ActiveColumns(model, tuple(out.tolist()), alone=False).columns,
        )
    design = _some_columns(mapped.risk, np.flatnonzero(active))
    return Mapped(_with(mapped.risk, design, protocol, _quadratic(ridge[active]) + lasso), theta)


def smoothed_glm(results: Any, drop: str | None) -> Mapped:
    """Map a GLMGam with its penalty matrix; basis, knots and smoothing parameters stay as they are."""
    model = results.model
    weights = np.asarray(model.iweights * model.n_trials, dtype=np.float64)
    if str(results.method).upper() == "PIRLS" and not np.allclose(model.data_weights, weights):
        unsupported(
            "GLMGam whose iterations had other weights than its rows",
            "statsmodels' penalised iterations leave freq_weights, var_weights and numbers of trials out, or "
            "had others. Pass their product to fit as well: fit(weights=).",
        )
    mapped = from_glm(results, drop)
    risk = mapped.risk
    second = np.asarray(model.penal.deriv2(mapped.theta), dtype=np.float64)
    penalty = Quadratic(float(model.pen_weight) * second)
    return Mapped(_with(risk, risk.design, risk.protocol, penalty), mapped.theta)
