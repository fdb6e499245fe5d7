"""What rows are predicted to be by fits that have not seen them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import logsumexp

from influstat.input.validation import FloatArray
from influstat.removal.result import Removal
from influstat.risks.class_predictors import ClassPredictors
from influstat.risks.linear import LinearRisk
from influstat.risks.penalties.active_l1 import active_l1


def held_out(risk: LinearRisk, part: Removal) -> FloatArray:
    """Return the linear predictors of `groups.members` by the fits without them; nan where there is none."""
    rows = part.groups.members
    x = risk.design.rows(rows)
    eta = np.einsum("mp,mp->m", x, part.solution[part.groups.owners])
    eta += _let_in(risk, part)
    if part.determined is not None:
        known = part.determined.of(x)[part.groups.owners, np.arange(len(rows))]
        eta = np.where(known, eta, np.nan)
    return np.asarray(eta + risk.offset[rows])


def _let_in(risk: LinearRisk, part: Removal) -> Any:
    """Return what columns that the fit left out add to the predictors of the rows removed."""
    lasso = active_l1(risk.penalty)
    if part.entering is None or lasso is None or lasso.excluded is None:
        return 0.0
    columns = lasso.excluded.rows(part.groups.members)
    return part.entering[part.groups.owners].multiply(columns).sum(axis=1)


def held_out_of_classes(rows: ClassPredictors, part: Removal) -> FloatArray:
    """Return the predictors (s, K) of `groups.members` by the fits without them; nan where there are none."""
    members, owners = part.groups.members, part.groups.owners
    x = rows.design.rows(members)
    eta = np.einsum("sq,skq->sk", x, rows.by_class(part.solution)[owners])
    if part.determined is not None:  # losses and probabilities are those of differences between classes
        contrasts = rows.functionals(x, rows.y[members])
        each = part.determined.of(contrasts.reshape(-1, contrasts.shape[2]))
        known = np.all(each.reshape(-1, *contrasts.shape[:2]), axis=2)[owners, np.arange(len(members))]
        eta[~known] = np.nan
    return np.asarray(eta)


def losses_of_classes(rows: ClassPredictors, eta: FloatArray) -> FloatArray:
    """Return log sum_b e^(eta_b - eta_y) of every row, shape (n,)."""
    own = np.take_along_axis(eta, rows.y[:, None], axis=1)
    return np.asarray(logsumexp(eta - own, axis=1))
