"""Gradients of the risk without each group at that group's own theta."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from influstat.input.groups import Groups, Indices
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.removal.engine.shared import Shared
from influstat.removal.expansion import Remainder
from influstat.removal.methods.base import BLOCK
from influstat.risks.contract import Risk, left_over
from influstat.risks.linear import as_linear

MEMBERS = 4096  # rows removed in a block of groups: bounds what their solves take
DENSE_ENTRIES = 2**23  # entries of the n x K slopes where X is sparse, which is not cut into row blocks


def blocks(risk: Risk, groups: Groups, size: int = BLOCK) -> Iterator[Groups]:
    """Yield the removals in blocks of at most `size` that keep the work arrays small."""
    linear = as_linear(risk)
    if linear is not None and linear.design.sparse:
        size = int(np.clip(DENSE_ENTRIES // risk.shape[0], 8, size))
    return groups.blocks(size, MEMBERS)


def gradients_without(fit: Minimum, groups: Groups, theta: FloatArray) -> FloatArray:
    """Return grad F_k / W at row k of theta, shape (K, p), nan where theta is nan."""
    risk = fit.risk
    result = np.empty_like(theta)
    linear = as_linear(risk)
    expansion = None if linear is None else Shared.of(fit, linear).expansion
    closed = linear is not None and linear.quadratic and fit.row_space is None and fit.chart is None
    start = 0
    for part in blocks(risk, groups):
        chosen = slice(start, start := start + len(part))
        if expansion is not None:
            columns, remainder = np.ascontiguousarray(theta[chosen].T), Remainder(expansion, part)
            if closed:
                gradients = remainder.quadratic_gradients(columns - expansion.theta[:, None])
            else:
                gradients = remainder.gradients(columns)
            result[chosen] = gradients.T / risk.total_weight
        else:
            for k, at in enumerate(theta[chosen]):
                result[chosen.start + k] = _gradient(fit, part[k], at)
    return result


def _gradient(fit: Minimum, rows: Indices, theta: FloatArray) -> FloatArray:
    if np.isnan(theta).any():
        return np.full(len(theta), np.nan)
    part = left_over(fit.risk, rows)
    return np.asarray(part.gradient(theta) * (part.total_weight / fit.risk.total_weight))
