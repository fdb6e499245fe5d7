"""Which covariance of theta is meant: what the caller says, else what the fit states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.input.groups import one_per_row, read_clusters
from influstat.input.validation import FloatArray, choice, whole_number
from influstat.input.warning import doubt_once
from influstat.minimise.minimum import Minimum
from influstat.minimise.named_column import named_column
from influstat.statistics.dispersion import check_dispersion, counts_of
from influstat.statistics.leverage import INFORMATION

BY_LEVERAGE = ("HC2", "HC3", "HC4", "HC4m", "HC5")
SANDWICHES = ("HC0", "HC1", *BY_LEVERAGE, "cluster", "CR2", "HAC")
CLUSTER_JACKKNIVES = ("cluster jackknife", "centred cluster jackknife")
JACKKNIVES = ("infinitesimal jackknife", "jackknife", *CLUSTER_JACKKNIVES)
ROBUST_REGRESSION = ("H1", "H2", "H3")
KINDS = ("model", *SANDWICHES, *JACKKNIVES, *ROBUST_REGRESSION)
CLUSTERED = ("cluster", "CR2", *CLUSTER_JACKKNIVES)
BY_INFORMATION = ("model", *SANDWICHES)
TWO_WAY = ("cluster",)
# Kinds with a small-sample factor, and whether it is taken as a rule.
CORRECTED = {"cluster": True, **dict.fromkeys(CLUSTER_JACKKNIVES, True), "HAC": False}
KERNELS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "bartlett": lambda x: 1.0 - x,
    "uniform": np.ones_like,
    "parzen": lambda x: np.where(x < 0.5, 1.0 - 6.0 * x**2 + 6.0 * x**3, 2.0 * (1.0 - x) ** 3),
}


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
        The cluster of every row, 0, 1, ...; two-way: by the first, by the second, by both.
    cluster_labels : tuple of ndarray
        What the caller calls them, in that order; of both together none.
    dispersion : float, "X2", "dev" or None
        The variance of y at unit weight where the caller knows it, or how it is estimated.
    information : {"observed", "expected"}
        The curvature behind S.
    lag_weights : ndarray, shape (lags + 1,)
        The kernel at lags 0, 1, ...
    correction : bool
        Whether the small-sample factor is taken.
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
        Whether clustered kinds have the number of clusters less 1 as degrees of freedom.

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
    correction: bool = True
    factor_counts: FloatArray | None = None
    parameters: float | None = None
    penalty_in_scores: bool = False
    group_freedom: bool = True
    factor_parameters: float | None = None
    cluster_labels: tuple[NDArray[Any], ...] = ()

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
    """Check what the caller asks for; what is None is what the fit states.

    Returns
    -------
    CovarianceSetting

    Raises
    ------
    InvalidArgument, InvalidType
        The kind is unknown; an argument is missing, superfluous for the kind, or not what it must be.
    """
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
        choice("correction", correction, (True, False))
    elif own and stated.correction is not None:
        correction = stated.correction
    clusters, labels = _clusters(fit, chosen, groups)
    return CovarianceSetting(
        chosen,
        counts_of(fit, frequency),
        clusters,
        check_dispersion(stated.dispersion if dispersion is None else dispersion),
        (stated.information if chosen == "model" else "observed") if information is None else information,
        _lag_weights(fit, chosen, lags, kernel, own),
        CORRECTED.get(chosen, False) if correction is None else correction,
        stated.factor_counts if frequency is None else None,
        stated.parameters if frequency is None else None,
        stated.penalty_in_scores,
        stated.group_freedom,
        stated.factor_parameters if own and frequency is None else None,
        labels,
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
    if kind not in CLUSTERED:
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
        raise InvalidArgument("groups", need, "is None", "Pass the cluster of each row.")
    labels = one_per_row("groups", given, fit.row_labels)
    if labels.shape == (n, 2) and kind in TWO_WAY:
        (names, first), (other, second) = (_codes(labels[:, k].tolist(), fit, need) for k in (0, 1))
        both = first * (second.max() + 1) + second
        return (first, second, np.unique(both, return_inverse=True)[1]), (names, other)
    found, codes = _codes(labels[:, 0].tolist() if labels.shape == (n, 1) else given, fit, need)
    return (codes,), (found,)


def _codes(labels: Any, fit: Minimum, need: str) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the clusters' labels, and 0, 1, ... for the rows; refuse missing ones and a single cluster."""
    found, codes = read_clusters(labels, fit.row_labels, need=need)
    if len(found) < 2:
        raise InvalidArgument("groups", "hold at least 2 clusters", "holds 1", "Use HC1 or HC3.")
    return found, codes


def _lag_weights(fit: Minimum, kind: str, lags: Any, kernel: Any, own: bool) -> FloatArray | None:
    """Return the kernel at lags 0, 1, ..., None for kinds without."""
    for argument, value in (("lags", lags), ("kernel", kernel)):
        if value is not None:
            _no_idle(argument, value, kind, ("HAC",))
    if kind != "HAC":
        return None
    if own and lags is None and kernel is None and fit.stated.lag_weights is not None:
        return fit.stated.lag_weights
    n = fit.risk.shape[0]
    most = int(4.0 * (n / 100.0) ** (2.0 / 9.0)) if lags is None else whole_number("lags", lags, at_least=0)
    if most >= n:
        raise InvalidArgument("lags", f"be below the number of rows ({n})", f"is {most}", "Pass fewer.")
    name = "bartlett" if kernel is None else kernel
    choice("kernel", name, tuple(KERNELS))
    return np.asarray(KERNELS[name](np.arange(most + 1) / (most + 1.0)), dtype=np.float64)
