"""Sums of products of rows some lags apart in time: in one series, within several, or of whole periods.

Newey and West (1987), Econometrica 55, for one series. Within several series that stand one after the other
only rows of the same one are paired ("panel HAC", statsmodels' `cov_nw_panel`). Driscoll and Kraay (1998),
Review of Economics and Statistics 80: the rows of a period are added up, and periods are paired (statsmodels'
`cov_nw_groupsum`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, InvalidType
from influstat.input.groups import Indices
from influstat.input.printing import short
from influstat.input.validation import FloatArray, choice, whole_number

HAC, PANEL, BY_PERIOD = "HAC", "panel HAC", "Driscoll-Kraay"
LAGGED = (HAC, PANEL, BY_PERIOD)
SERIES = (PANEL, BY_PERIOD)  # several series
# By what their small-sample factors are, where the caller says correction=True.
FACTORS = {HAC: "observations", PANEL: "observations", BY_PERIOD: "clusters"}
KERNELS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "bartlett": lambda x: 1.0 - x,
    "uniform": np.ones_like,
    "parzen": lambda x: np.where(x < 0.5, 1.0 - 6.0 * x**2 + 6.0 * x**3, 2.0 * (1.0 - x) ** 3),
}


def usual_lags(times: int) -> int:
    """Return 4 (T / 100)^(2/9), rounded down."""
    return int(4.0 * (times / 100.0) ** (2.0 / 9.0))


def lag_weights(lags: Any, kernel: Any, times: int) -> FloatArray:
    """Return the kernel at lags 0, 1, ...; Bartlett's and `usual_lags` where the caller says nothing."""
    most = min(usual_lags(times), times - 1) if lags is None else whole_number("lags", lags, at_least=0)
    if most >= times:
        raise InvalidArgument(
            "lags", f"be below the number of rows in time ({times})", f"is {most}", "Pass fewer."
        )
    name = "bartlett" if kernel is None else kernel
    choice("kernel", name, tuple(KERNELS))
    return np.asarray(KERNELS[name](np.arange(most + 1) / (most + 1.0)), dtype=np.float64)


def runs(labels: NDArray[Any]) -> NDArray[np.intp]:
    """Return the number of the run that each row is in: a row with another label than the last begins one."""
    return np.concatenate([[0], np.cumsum(labels[1:] != labels[:-1])]).astype(np.intp)


def rising_runs(periods: NDArray[Any]) -> NDArray[np.intp]:
    """Return the number of the series of each row: one before the last in time begins another."""
    return np.concatenate([[0], np.cumsum(periods[1:] < periods[:-1])]).astype(np.intp)


def whole_periods(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Return labels of periods as whole numbers, or raise."""
    if labels.dtype.kind in "iub":
        return labels.astype(np.int64)
    if labels.dtype.kind == "f" and (labels == np.round(labels)).all():
        return labels.astype(np.int64)
    raise InvalidType(
        "groups",
        f"number the periods for {BY_PERIOD!r}, each one more than the one before it",
        f"holds {short(labels.ravel().tolist()[0])}",
        "Number the periods, e.g. pd.PeriodIndex(dates, freq='M').astype('int64') for months.",
    )


def sum_over_lags(scores: FloatArray, weights: FloatArray, series: Indices | None = None) -> FloatArray:
    """Return sum_l k_l sum_t (u_t u_{t-l}' + u_{t-l} u_t'), the first of the two alone at lag 0.

    Scores (n, p) are u_t, in the order of time, weights (lags + 1,) k_l; other `series` are not paired.

    Returns
    -------
    ndarray, shape (p, p)

    Examples
    --------
    >>> import numpy as np
    >>> u = np.array([[1.0], [2.0], [3.0]])
    >>> sum_over_lags(u, np.array([1.0, 0.5]))          # 14 + 2 * 0.5 * (2 + 6)
    array([[22.]])
    >>> sum_over_lags(u, np.array([1.0, 0.5]), np.array([0, 0, 1]))
    array([[16.]])
    """
    pairs = ((lag, slice(lag, None), slice(None, -lag)) for lag in range(1, len(weights)))
    total = weights[0] * scores.T @ scores
    for lag, later, earlier in pairs:
        now, before = scores[later], scores[earlier]
        if series is not None:
            same = series[later] == series[earlier]
            now, before = now[same], before[same]
        product = now.T @ before
        total += weights[lag] * (product + product.T)
    return np.asarray(total)


def sum_over_periods(scores: FloatArray, weights: FloatArray, periods: NDArray[np.int64]) -> FloatArray:
    """Return the same of the sums of scores over periods, which are whole numbers; those between are 0.

    Returns
    -------
    ndarray, shape (p, p)

    Examples
    --------
    >>> import numpy as np
    >>> u, periods = np.array([[1.0], [1.0], [3.0]]), np.array([7, 7, 9])
    >>> sum_over_periods(u, np.array([1.0, 0.5]), periods), sum_over_periods(u, np.ones(3), periods)
    (array([[13.]]), array([[25.]]))
    """
    found, codes = np.unique(periods, return_inverse=True)
    sums = np.zeros((len(found), scores.shape[1]))
    np.add.at(sums, codes, scores)
    total = weights[0] * sums.T @ sums
    for lag, later, earlier in _apart(found, len(weights)):
        product = sums[later].T @ sums[earlier]
        total += weights[lag] * (product + product.T)
    return np.asarray(total)


def _apart(found: NDArray[np.int64], lags: int) -> Iterator[tuple[int, Indices, Indices]]:
    """Yield each lag above 0 with the places of those that have another so far before them, and of these."""
    for lag in range(1, lags):
        earlier = np.searchsorted(found, found - lag)
        later = np.flatnonzero(found[earlier] == found - lag)
        yield lag, later, earlier[later]
