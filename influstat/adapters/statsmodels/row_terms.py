"""Are the entries of a model's `loglikeobs` terms of single rows, in their order? Asked on a few."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from influstat.adapters.other_rows import few
from influstat.adapters.statsmodels.reading import unsupported
from influstat.input.groups import Indices
from influstat.input.validation import FloatArray

SAME = 1e-8  # relative: sums over fewer rows round otherwise


def require_own_rows(model: Any, theta: FloatArray, losses: FloatArray) -> None:
    """Raise Unsupported where rows among themselves have other log-likelihoods than among all.

    They have where `loglikeobs` gives the rows in another order, or where a row's entry is made with other
    rows (a mean, everyone at risk): then no row can be taken out by its own entry.

    Parameters
    ----------
    model : statsmodels model
        With `loglikeobs`.
    theta : ndarray, shape (p,)
        Where it is asked.
    losses : ndarray, shape (n,)
        Minus its entries there.
    """
    rows = few(len(losses))[::2]
    alone = _alone(model, theta, rows)
    if alone is None:  # it cannot be made of fewer rows, so that nothing is known
        return
    if _same(alone, losses, rows):
        return
    every = np.arange(len(losses))
    whole = _alone(model, theta, every)
    if whole is None or not _same(whole, losses, every):
        return  # it keeps what statsmodels does not hand on, so that no model made anew is the same
    unsupported(
        type(model).__name__,
        "Its loglikeobs gives some rows other values when other rows are missing: it has them in another "
        "order than the data, or a row's entry is made with other rows. Return one entry per row, in their "
        "order, and compute means and the like before the model is made.",
    )


def _same(alone: FloatArray, losses: FloatArray, rows: Indices) -> bool:
    """Tell whether log-likelihoods of these rows are minus their losses."""
    room = SAME * np.median(np.abs(losses))
    return bool(np.allclose(-alone, losses[rows], rtol=SAME, atol=room, equal_nan=True))


def _alone(model: Any, theta: FloatArray, rows: Indices) -> FloatArray | None:
    """Return `loglikeobs` of a model of these rows alone; None where there is none."""
    n = np.shape(model.endog)[0]
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            settings = model._get_init_kwds()  # noqa: SLF001 - how statsmodels itself makes a model anew
            for name, value in settings.items():
                if np.ndim(value) and np.shape(value)[0] == n:
                    settings[name] = np.asarray(value)[rows]
            other = type(model)(np.asarray(model.endog)[rows], np.asarray(model.exog)[rows], **settings)
            found = np.asarray(other.loglikeobs(theta), dtype=np.float64)
    except Exception:  # noqa: BLE001  # whatever a user's model raises without its other rows
        return None
    return found if found.shape == (len(rows),) else None
