"""The library's own refit without a row may end in another local minimum than the one next to theta-hat."""

from __future__ import annotations

import numpy as np

from influstat.input.labels import label_text
from influstat.input.validation import FloatArray
from influstat.input.warning import doubt_once
from influstat.minimise.descent import stationarity
from influstat.removal.methods.general import left_over
from influstat.removal.result import Removal
from influstat.risks.linear import as_linear

LEAST, MOST = 3, 12  # refits of the library's, those of the largest moves: of few rows more, they cost little
ROWS = 12_000  # rows in all of these refits, beyond the least
FAR = 0.1  # of the move itself: a library's tolerance is finer
MINIMUM = 1e-3  # relative gradient where a library's refit has ended at all


def doubt_elsewhere(removal: Removal) -> None:
    """Warn once for each fit where the maker's own refit, from its own starting values, ends elsewhere.

    Only where the loss is not convex, so that there may be several minima, and the maker can be asked
    (`Stated.refit`); of the removals those with the largest moves are looked at.
    """
    fit, refit = removal.fit, removal.fit.stated.refit
    risk = as_linear(fit.risk)
    if refit is None or risk is None or removal.method != "exact":
        return
    looked_at = min(len(removal.groups), max(LEAST, min(MOST, ROWS // risk.shape[0])))
    moves = np.where(removal.converged, np.nan_to_num(_lengths(removal)), 0.0)
    for place, k in enumerate(np.argsort(-moves, kind="stable")[:looked_at].tolist(), start=1):
        rows, ours = removal.groups[k], removal.theta[k]
        if not moves[k] > 0 or not np.isfinite(ours).all():
            continue
        theirs = refit(rows)
        if theirs is None or theirs.shape != ours.shape:
            continue
        part = left_over(fit.risk, rows)
        away = float(np.sqrt(np.mean(risk.design.dot(theirs - ours) ** 2)))
        if away > FAR * max(moves[k], FAR * moves.max()) and stationarity(part, theirs) < MINIMUM:
            its = "lower" if part.value(theirs) < part.value(ours) else "higher"
            doubt_once(
                fit,
                f"Without {label_text(removal.labels[k])} the library's own refit, from its starting values, "
                f"ends in another local minimum, whose risk is {its}. The answers here are the minima "
                f"connected with the fit of all rows. Only the {place} largest of {len(moves)} moves were "
                "looked at: the risk is not convex, so compare with refits where it matters, or take a "
                "canonical link.",
            )
            return


def _lengths(removal: Removal) -> FloatArray:
    """Return the root mean square change of the linear predictors by each removal, shape (k,)."""
    risk = as_linear(removal.fit.risk)
    assert risk is not None
    gram = risk.design.gram(np.ones(risk.shape[0])) / risk.shape[0]
    delta = removal.theta - removal.fit.theta
    return np.asarray(np.sqrt(np.maximum(np.einsum("kp,pq,kq->k", delta, gram, delta), 0.0)))
