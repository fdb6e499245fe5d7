"""The library's own refit without a row may end in another local minimum than the one next to theta-hat."""

from __future__ import annotations

import numpy as np

from influstat.input.labels import label_text
from influstat.input.validation import FloatArray
from influstat.input.warning import doubt_once
from influstat.minimise.descent import stationarity
from influstat.removal.result import Removal
from influstat.risks.contract import left_over
from influstat.risks.linear import LinearRisk, as_linear

LEAST, MOST = 3, 12  # refits of the library's, those of the largest moves: of few rows more, they cost little
ROWS = 12_000  # rows in all of these refits, beyond the least
SCREENED = 300_000  # rows in all of the rough refits that are done at once, of the largest moves
FAR = 0.1  # of the move itself: a library's tolerance is finer
MINIMUM = 1e-3  # relative gradient where a library's refit has ended at all


def doubt_elsewhere(removal: Removal) -> None:
    """Warn once for each fit where the maker's own refit, from its own starting values, ends elsewhere."""
    # Only where the loss is not convex, so that there may be several minima, and the maker can be asked
    # (`Stated.refit`): roughly, of all removals, or as many of the largest moves as are quickly done; then
    # itself, of those that seem to end elsewhere. Where it cannot be asked roughly, those with the largest
    # moves are looked at.
    fit, refit = removal.fit, removal.fit.stated.refit
    risk = as_linear(fit.risk)
    if refit is None or risk is None or removal.method != "exact":
        return
    moves = np.where(removal.converged, np.nan_to_num(_apart(risk, removal.theta, fit.theta)), 0.0)
    order = np.argsort(-moves, kind="stable")
    order = order[(moves[order] > 0) & np.isfinite(removal.theta[order]).all(axis=1)]
    asked = max(LEAST, min(MOST, ROWS // risk.shape[0]))
    looked_at = order[: max(asked, SCREENED // risk.shape[0])]
    room = FAR * np.maximum(moves, FAR * moves.max(initial=0.0))
    rough = refit.roughly([removal.groups[k] for k in looked_at.tolist()]) if looked_at.size else None
    if rough is None:
        looked_at = suspects = order[:asked]
    else:
        away = _apart(risk, rough, removal.theta[looked_at])
        found, unsettled = looked_at[away > room[looked_at]], looked_at[np.isnan(away)]
        suspects = np.concatenate([found, unsettled])[:asked]  # where it does not settle, the library may
    for k in suspects.tolist():
        rows, ours = removal.groups[k], removal.theta[k]
        theirs = refit(rows)
        if theirs is None or theirs.shape != ours.shape:
            continue
        part = left_over(fit.risk, rows)
        if _apart(risk, theirs, ours) > room[k] and stationarity(part, theirs) < MINIMUM:
            its = "lower" if part.value(theirs) < part.value(ours) else "higher"
            all_of = "all" if len(looked_at) == len(order) else f"the {len(looked_at)} largest of"
            doubt_once(
                fit,
                f"Without {label_text(removal.labels[k])} the library's own refit, from its starting values, "
                f"ends in another local minimum, whose risk is {its}. The answers here are the minima "
                f"connected with the fit of all rows. Of {all_of} {len(moves)} removals the first such is "
                "named: the risk is not convex, so compare with refits where it matters, or take a "
                "canonical link.",
            )
            return


def _apart(risk: LinearRisk, a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the root mean square distance of the linear predictors of coefficients (..., p), shape (...)."""
    gram = risk.design.gram(np.ones(risk.shape[0])) / risk.shape[0]
    between = np.asarray(a - b)
    return np.asarray(np.sqrt(np.maximum(np.einsum("...p,pq,...q->...", between, gram, between), 0.0)))
