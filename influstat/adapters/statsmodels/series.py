"""Covariances of statsmodels over several series: hac-panel and hac-groupsum, and what `time` means there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.minimise.stated import Stated
from influstat.statistics.lags import BY_PERIOD, rising_runs, usual_lags

BY_CLUSTERS = {BY_PERIOD: ("c", "cluster")}  # what statsmodels takes for that factor; else "clu" as well


def of_series(settings: Mapping[str, Any], stated: Stated) -> Stated:
    """Return what is stated with the series or periods of the rows, kernel and small-sample factor."""
    # `settings` are the results' `cov_kwds`. `groups` become the series; or two columns, the number that
    # statsmodels gives to each period, and the series, which are there only to be counted for the degrees of
    # freedom.
    given, lags = settings.get("use_correction"), settings["maxlags"]
    correction: bool | str = "observations" if given == "hac" else False
    if given in BY_CLUSTERS.get(stated.kind, ("c", "clu", "cluster")):
        correction = "clusters"
    time = None if settings.get("time") is None else np.asarray(settings["time"]).squeeze()
    doubt = ""
    if time is None or (stated.kind != BY_PERIOD and settings.get("groups") is not None):
        groups = np.asarray(settings["groups"])
    elif stated.kind != BY_PERIOD:
        groups = rising_runs(time)
    else:
        codes = period_codes(time)
        groups = np.column_stack([codes, rising_runs(time)])
        lags = usual_lags(int(codes.max()) + 1) if lags is None else lags
        if np.ptp(codes - time) != 0:
            doubt = (
                "statsmodels numbers the periods of cov_type='hac-groupsum' by their first rows where their "
                "numbers are more than twice the rows: gaps are closed, and the order may be another. Number "
                "them from 0 and fit again if that is not meant; the standard errors here are its own."
            )
    weights = [1.0] if not lags else settings["weights_func"](int(lags))
    return replace(
        stated,
        groups=groups,
        correction=correction,
        lag_weights=np.asarray(weights, dtype=np.float64),
        doubt=f"{stated.doubt} {doubt}".strip(),
    )


def period_codes(time: NDArray[Any]) -> NDArray[np.int64]:
    """Return the numbers of the periods as `statsmodels.tools.grouputils.group_sums` has them.

    Returns
    -------
    ndarray of int, shape (n,)

    Examples
    --------
    >>> period_codes(np.array([3, 4, 4])), period_codes(np.array([1999, 1998, 2001]))
    (array([3, 4, 4]), array([0, 1, 2]))
    """
    if not time.max() > 2 * len(time):
        return time.astype(np.int64)
    _, first, codes = np.unique(time, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[codes].astype(np.int64)
