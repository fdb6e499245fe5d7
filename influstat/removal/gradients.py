"""Gradients of the risk without each group at that group's own theta."""

from __future__ import annotations

import numpy as np

from influstat.input.groups import Groups, Indices
from influstat.input.validation import FloatArray
from influstat.minimise.minimum import Minimum
from influstat.removal.expansion import Expansion, Remainder
from influstat.removal.methods.general import left_over
from influstat.risks.linear import as_linear

BLOCK = 512  # removals advanced together
BLOCK_MEMBERS = 4096  # rows removed in a block of groups: bounds what their solves take
DENSE_ENTRIES = 2**23  # entries of the n x K slopes where X is sparse, which is not cut into row blocks


def blocks_of(fit: Minimum, groups: Groups) -> list[Groups]:
    """Return the removals in blocks that keep the work arrays small."""
    size = BLOCK
    risk = as_linear(fit.risk)
    if risk is not None and risk.design.sparse:
        size = int(np.clip(DENSE_ENTRIES // fit.risk.shape[0], 8, BLOCK))
    return list(groups.blocks(size, BLOCK_MEMBERS))


def gradients_without(fit: Minimum, groups: Groups, theta: FloatArray) -> FloatArray:
    """Return grad F_k / W at row k of theta, shape (K, p), nan where theta is nan."""
    risk = fit.risk
    result = np.empty_like(theta)
    linear = as_linear(risk)
    expansion = None if linear is None else Expansion(linear, fit.theta)
    start = 0
    for part in blocks_of(fit, groups):
        chosen = slice(start, start + len(part))
        start = chosen.stop
        if expansion is not None:
            gradients = Remainder(expansion, part).gradients(np.ascontiguousarray(theta[chosen].T))
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
