"""GLM with any family and link, and the binary and count models that are special cases of it."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from influstat.adapters.quantity import said
from influstat.adapters.statsmodels import reading
from influstat.errors import InvalidArgument
from influstat.input.groups import Indices
from influstat.input.validation import FloatArray, choice
from influstat.losses import glm_families as families
from influstat.losses.base import Loss
from influstat.losses.glm import GLMLoss
from influstat.losses.glm_links import LogitLink, LogLink, ProbitLink, inverse_link
from influstat.losses.logistic import LogisticLoss
from influstat.risks.linear import LinearRisk

DROPS = ("row", "copy")
SCALE = 1e-4  # relative: Pearson's statistic follows the last iteration to first order


def from_glm(results: Any, drop: str | None) -> reading.Mapped:
    """Map a GLM: the observed curvature, weights = freq_weights * var_weights * trials, scale 1."""
    model = results.model
    loss: Loss = GLMLoss(families.family_of(model.family), inverse_link(model.family.link))
    y = np.asarray(model.endog, dtype=np.float64)
    if loss == GLMLoss(families.Binomial(), LogitLink()) and np.isin(y, (0.0, 1.0)).all():
        loss = LogisticLoss()
    frequencies = np.asarray(model.freq_weights, dtype=np.float64)
    weights = np.asarray(model.iweights * model.n_trials, dtype=np.float64)
    offset = offset_of(model)
    rows, weights, labels = _removable_rows(frequencies, weights, reading.row_labels(model), drop)
    risk = LinearRisk(
        loss,
        reading.design_of(model, reading.design_matrix(model)[rows]),
        y[rows],
        weights=weights,
        offset=None if offset is None else offset[rows],
        row_labels=labels,
    )
    return reading.Mapped(risk, reading.parameters(results))


def scale_rule(results: Any) -> float | str | None:
    """Return the `scale=` that a GLM was fitted with: a number, "X2", "dev", or None for the family's own."""
    # The model keeps that of its last fit, which may be another one: then the scale itself tells.
    model = copy.copy(results.model)
    last: float | str | None = model.scaletype
    if last is not None:
        last = {"x2": "X2", "dev": "dev"}[last.lower()] if isinstance(last, str) else float(last)
    for rule in (last, None, "X2", "dev"):
        model.scaletype = rule
        scale = said(lambda: model.estimate_scale(np.asarray(results.mu)))
        if abs(results.scale - scale) <= SCALE * abs(scale):
            return rule
    return last


def _removable_rows(frequencies: FloatArray, weights: FloatArray, labels: Any, drop: str | None) -> Any:
    """Return which of the model's rows one removal takes away each, their weights and their labels."""
    # Dropping one copy of a row with frequency f needs a row of weight w / f of its own; the other f - 1
    # copies follow behind all first copies, so that positions 0 to n - 1 are the model's rows.
    if drop is not None:
        choice("drop", drop, DROPS)
    everyone = slice(None)  # without a copy of the data
    if (frequencies == 1).all():
        return everyone, weights, labels
    if drop is None:
        raise InvalidArgument(
            "drop",
            'be "row" or "copy" for a fit with freq_weights',
            "is None",
            'Say what a removal takes away: all copies of a row (drop="row") or one of them (drop="copy").',
        )
    if drop == "row":
        return everyone, weights, labels
    partial = (frequencies < 1) & (frequencies != 0)  # a row without copies has nothing to lose
    if partial.any():
        row = int(np.argmax(partial))
        raise InvalidArgument(
            "drop",
            'be "row" where a freq_weight is below 1 and not 0',
            f"is 'copy', with {frequencies[row]:g} copies of row {labels[row]!r}",
            'Pass drop="row".',
        )
    more = np.flatnonzero(frequencies > 1)  # as `rows_of_model` says
    single = np.divide(weights, frequencies, out=np.zeros(len(weights)), where=frequencies > 0)
    others = np.array([f"{labels[i]} (other {frequencies[i] - 1:g})" for i in more], dtype=object)
    return (
        np.concatenate([np.arange(len(weights)), more]),
        np.concatenate([single, weights[more] - single[more]]),
        np.concatenate([np.asarray(labels, dtype=object), others]),
    )


def rows_of_model(model: Any, count: int) -> Indices | None:
    """Return which row of the model each of so many rows of the risk is, None where they are the same."""
    n = np.shape(model.endog)[0]
    if count == n:
        return None
    copies = np.asarray(model.freq_weights, dtype=np.float64)
    return np.concatenate([np.arange(n), np.flatnonzero(copies > 1)])


def from_binary_or_poisson(results: Any) -> reading.Mapped:
    """Map Logit, Probit or Poisson of `statsmodels.discrete`, with offset and exposure."""
    from statsmodels.discrete import discrete_model

    model = results.model
    losses: dict[type, Loss] = {
        discrete_model.Logit: LogisticLoss(),
        discrete_model.Probit: GLMLoss(families.Binomial(), ProbitLink()),
        discrete_model.Poisson: GLMLoss(families.Poisson(), LogLink()),
    }
    loss = losses[type(model)]
    if isinstance(loss, LogisticLoss) and not np.isin(model.endog, (0.0, 1.0)).all():
        loss = GLMLoss(families.Binomial(), LogitLink())
    return reading.one_predictor(results, loss, offset=offset_of(model))


def from_geometric(results: Any) -> reading.Mapped:
    """Map NegativeBinomial(loglike_method="geometric"), whose dispersion is 1."""
    loss = GLMLoss(families.NegativeBinomial(1.0), LogLink())
    return reading.one_predictor(results, loss, offset=offset_of(results.model))


def offset_of(model: Any) -> FloatArray | None:
    """Return offset plus logged exposure of a GLM or discrete model, None where it has neither."""
    total = None
    for name in ("offset", "exposure"):  # statsmodels keeps the exposure as its logarithm
        part = getattr(model, name, None)
        if part is not None and np.any(np.asarray(part)):
            values = np.broadcast_to(np.asarray(part, dtype=np.float64), (np.shape(model.endog)[0],))
            total = values if total is None else total + values
    return total
