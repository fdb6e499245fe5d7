"""Which covariance of theta is meant: what the caller says, else what the fit states."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.input.groups import one_per_row, read_clusters
from influstat.input.validation import FloatArray, choice
from influstat.input.warning import doubt_once
from influstat.minimise.minimum import Minimum
from influstat.minimise.named_column import named_column
from influstat.statistics.dispersion import check_dispersion, counts_of
from influstat.statistics.lags import (
    BY_PERIOD,
    FACTORS,
    LAGGED,
    PANEL,
    SERIES,
    lag_weights,
    runs,
    whole_periods,
)
from influstat.statistics.leverage import INFORMATION

BY_LEVERAGE = ("HC2", "HC3", "HC4", "HC4m", "HC5")
SANDWICHES = ("HC0", "HC1", *BY_LEVERAGE, "cluster", "CR2", *LAGGED)
CLUSTER_JACKKNIVES = ("cluster jackknife", "centred cluster jackknife")
JACKKNIVES = ("infinitesimal jackknife", "jackknife", *CLUSTER_JACKKNIVES)
ROBUST_REGRESSION = ("H1", "H2", "H3")
KINDS = ("model", *SANDWICHES, *JACKKNIVES, *ROBUST_REGRESSION)
CLUSTERED = ("cluster", "CR2", *CLUSTER_JACKKNIVES)
BY_GROUPS = (*CLUSTERED, *SERIES)
BY_INFORMATION = ("model", *SANDWICHES)
TWO_WAY = ("cluster", BY_PERIOD)
# Kinds with a small-sample factor, and whether it is taken as a rule.
CORRECTED = {
    "cluster": True,
    **dict.fromkeys(CLUSTER_JACKKNIVES, True),
    "HAC": False,
    PANEL: True,
    BY_PERIOD: True,
}
FACTOR_BY = {"HC1": "observations", "cluster": "clusters", **FACTORS}  # what the factor is by, where taken


@dataclass(frozen=True, eq=False)
class CovarianceSetting:
    """Which covariance of theta is meant.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    counts : ndarray, shape (n,)
        How many observations each row stands for.
    clusters : tuple of ndarray of int, each of shape (n,)
        The cluster of every row, 0, 1, ...; two-way: by the first, by the second, by both. "panel HAC": the
        series of every row; "Driscoll-Kraay": its period, and its series where it is known.
    cluster_labels : tuple of ndarray
        What the caller calls them, in that order; of both together none.
    dispersion : float, "X2", "dev" or None
        The variance of y at unit weight where the caller knows it, or how it is estimated.
    information : {"observed", "expected"}
        The curvature behind S.
    lag_weights : ndarray, shape (lags + 1,)
        The kernel at lags 0, 1, ...
    correction : bool, "observations" or "clusters"
        Whether the small-sample factor is taken; by which, where the kind has both.
    factor_counts : ndarray, shape (n,), or None
        What each row adds to the N of that factor, which then subtracts the number of coefficients; None for
        observations and effective degrees of freedom.
    factor_parameters : float or None
        What that factor subtracts where it is neither; None for those.
    parameters : float or None
        What degrees of freedom subtract from the observations; None for the effective ones.
    penalty_in_scores : bool
        Whether scores have a share of the penalty's gradient where their row does not carry one.
    group_freedom : bool
        Whether clustered kinds have the number of clusters less 1 as degrees of freedom, those of
        panels the number of series, else of periods, less 1.
    scaling : float
        What a robust covariance is multiplied by at last, whatever rows go.

    Examples
    --------
    >>> import numpy as np
    >>> from influstat.statistics.setting import CovarianceSetting
    >>> CovarianceSetting("HC3", np.ones(3)).without(1).counts
    array([1., 0., 1.])
    """

    kind: str
    counts: FloatArray
    clusters: tuple[NDArray[np.intp], ...] = ()
    dispersion: Any = None
    information: str = "observed"
    lag_weights: FloatArray | None = None
    correction: bool | str = True
    factor_counts: FloatArray | None = None
    parameters: float | None = None
    penalty_in_scores: bool = False
    group_freedom: bool = True
    factor_parameters: float | None = None
    cluster_labels: tuple[NDArray[Any], ...] = ()
    scaling: float = 1.0

    @property
    def factor_by(self) -> str:
        """By what the small-sample factor is, "observations" or "clusters"; "" where there is none."""
        if self.correction in ("observations", "clusters"):
            return str(self.correction)
        return FACTOR_BY.get(self.kind, "") if self.correction or self.kind == "HC1" else ""

    @property
    def counted_clusters(self) -> tuple[NDArray[np.intp], ...]:
        """Those that degrees of freedom are counted by: the series alone, else the periods, of panels."""
        return self.clusters[-1:] if self.kind in SERIES else self.clusters

    def without(self, rows: int | NDArray[np.intp]) -> CovarianceSetting:
        """Return the setting of the fit without rows: their observations are gone, their places are kept."""
        left = np.ones(len(self.counts), dtype=np.bool_)
        left[rows] = False
        plain = None if self.factor_counts is None else self.factor_counts * left
        return replace(self, counts=self.counts * left, factor_counts=plain)


def read_setting(
    fit: Minimum,
    kind: Any = None,
    *,
    groups: Any = None,
    lags: Any = None,
    kernel: Any = None,
    correction: Any = None,
    dispersion: Any = None,
    frequency: Any = None,
    information: Any = None,
) -> CovarianceSetting:
    """Return what the caller asks for, checked; what is None is what the fit states."""
    stated = fit.stated
    chosen = stated.kind if kind is None else kind
    choice("kind", chosen, KINDS)
    if kind is None and stated.doubt:
        doubt_once(fit, stated.doubt)
    own = chosen == stated.kind
    if information is not None:
        _no_idle("information", information, chosen, BY_INFORMATION)
        choice("information", information, INFORMATION)
    if correction is not None:
        _no_idle("correction", correction, chosen, tuple(CORRECTED))
        either = ("observations", "clusters") if chosen in SERIES else ()
        choice("correction", correction, (True, False, *either))
    elif own and stated.correction is not None:
        correction = stated.correction
    clusters, labels = _clusters(fit, chosen, groups)
    return CovarianceSetting(
        chosen,
        counts_of(fit, frequency),
        clusters,
        check_dispersion(stated.dispersion if dispersion is None else dispersion),
        (stated.information if chosen == "model" else "observed") if information is None else information,
        _lag_weights(fit, chosen, lags, kernel, own, clusters),
        CORRECTED.get(chosen, False) if correction is None else correction,
        stated.factor_counts if frequency is None else None,
        stated.parameters if frequency is None else None,
        stated.penalty_in_scores and chosen not in BY_LEVERAGE,  # which stand for refits without a row
        stated.group_freedom,
        stated.factor_parameters if own and frequency is None else None,
        labels,
        stated.scaling if own else 1.0,
    )


def _no_idle(argument: str, value: Any, kind: str, kinds: tuple[str, ...]) -> None:
    """Raise if an argument is given to a kind that has no use for it."""
    if kind not in kinds:
        named = " or ".join(repr(one) for one in kinds)
        raise InvalidArgument(
            argument, f"be left out for {kind!r}", f"is {value!r}", f"Ask for {named}, or leave it out."
        )


def _clusters(
    fit: Minimum, kind: str, groups: Any
) -> tuple[tuple[NDArray[np.intp], ...], tuple[NDArray[Any], ...]]:
    """Return the cluster of every row, for two-way clusters by either and by both, and their labels."""
    if kind not in BY_GROUPS:
        if groups is not None:
            raise InvalidArgument(
                "groups", f"be left out for {kind!r}", "is given", 'Ask for kind="cluster", or leave it out.'
            )
        return (), ()
    n = fit.risk.shape[0]
    two = ", or two columns of them" if kind in TWO_WAY else ""
    need = f"have one label per row ({n}) for {kind!r}{two}"
    given = fit.stated.groups if groups is None else named_column(fit, groups)
    if given is None:
        what = {PANEL: "series", BY_PERIOD: "period, a whole number,"}.get(kind, "cluster")
        raise InvalidArgument("groups", need, "is None", f"Pass the {what} of each row.")
    if isinstance(given, (list, tuple)) and len(given) == n and all(isinstance(one, tuple) for one in given):
        was = "is a list of tuples, which may be clusters of pairs or several clusterings"
        remedy = "Pass [str(one) for one in groups] for the pairs, or np.array(groups) for the columns."
        raise InvalidArgument("groups", need, was, remedy)
    labels = one_per_row("groups", given, fit.row_labels)
    several = 1 if kind in SERIES else 2  # one series is one all the same
    if labels.shape == (n, 2) and kind in TWO_WAY:
        (names, first), (other, second) = (
            _codes(labels[:, k].tolist(), fit, need, least) for k, least in ((0, 2), (1, several))
        )
        if kind == BY_PERIOD:
            return (first, runs(second)), (whole_periods(names), other)
        both = first * (second.max() + 1) + second
        return (first, second, np.unique(both, return_inverse=True)[1]), (names, other)
    one = labels[:, 0].tolist() if labels.shape == (n, 1) else given
    found, codes = _codes(one, fit, need, 1 if kind == PANEL else 2)
    if kind == PANEL:
        series = runs(codes)
        if groups is not None:  # else they are as the library that has fitted takes them
            _require_together(found, series)
        return (series,), (found,)
    return (codes,), (whole_periods(found) if kind == BY_PERIOD else found,)


def _require_together(found: NDArray[Any], series: NDArray[np.intp]) -> None:
    """Raise where the rows of a series do not stand one after the other: others would be paired."""
    pieces = int(series[-1]) + 1
    if pieces > len(found):
        raise InvalidArgument(
            "groups",
            f"have the rows of each series one after the other, in the order of time, for {PANEL!r}",
            f"has {len(found)} series in {pieces} pieces",
            "Sort the table by series and time, and fit again.",
        )


def _codes(labels: Any, fit: Minimum, need: str, least: int = 2) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the clusters' labels, and 0, 1, ... for the rows; refuse missing ones and too few clusters."""
    found, codes = read_clusters(labels, fit.row_labels, need=need)
    if len(found) < least:
        raise InvalidArgument("groups", "hold at least 2 clusters", "holds 1", "Use HC1 or HC3.")
    return found, codes


def _lag_weights(
    fit: Minimum, kind: str, lags: Any, kernel: Any, own: bool, clusters: tuple[NDArray[np.intp], ...]
) -> FloatArray | None:
    """Return the kernel at lags 0, 1, ..., None for kinds without."""
    for argument, value in (("lags", lags), ("kernel", kernel)):
        if value is not None:
            _no_idle(argument, value, kind, LAGGED)
    if kind not in LAGGED:
        return None
    if own and lags is None and kernel is None and fit.stated.lag_weights is not None:
        return fit.stated.lag_weights
    times = fit.risk.shape[0]
    if kind == PANEL:
        times = int(np.bincount(clusters[0]).max())
    elif kind == BY_PERIOD:
        times = int(clusters[0].max()) + 1
    return lag_weights(lags, kernel, times)
