"""`Stated`: the inference that a fit was made with, as its maker states it; what questions start from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from influstat.input.groups import Indices
from influstat.input.validation import FloatArray


class Refit(Protocol):
    """What the maker of a fit finds without some rows, from its own starting values."""

    def __call__(self, rows: Indices) -> FloatArray | None:
        """Return the coefficients, shape (p,), None where it finds none."""

    def roughly(self, groups: Sequence[Indices]) -> FloatArray | None:
        """Return them to a few digits without each group, shape (k, p), nan if not; None where unknown."""


@dataclass(frozen=True, eq=False)
class Stated:
    """What `Fit.inference`, `Fit.covariance` and `Fit.diagnostics` take where the caller says nothing.

    Attributes
    ----------
    kind : str
        The covariance.
    groups : array_like, shape (n,) or (n, 2), or None
        Clusters, one-way or two-way; series or periods.
    lag_weights : ndarray, shape (lags + 1,), or None
        The kernel at lags 0, 1, ... of a covariance robust to autocorrelation.
    correction : bool, "observations", "clusters" or None
        Whether the small-sample factor is taken, and by what; None for what is usual for the kind.
    dispersion : float, "X2", "dev" or None
        The variance of y at unit weight where it is held fixed, or how it is estimated; None for what the
        loss says.
    information : {"observed", "expected"}
        The curvature behind leverages and the model-based covariance; sandwiches are by the observed one.
    counts : ndarray, shape (n,), or None
        How many observations a row stands for; None for one each.
    factor_counts : ndarray, shape (n,), or None
        What each row adds to the N of small-sample factors where that is not what it stands for; they then
        subtract the number of coefficients, whatever a penalty takes.
    factor_parameters : float or None
        What the small-sample factor of this kind subtracts from N where that is neither; None for those.
    scaling : float
        What the robust covariance of this kind is multiplied by at last.
    use_t : bool or None
        Student's t or the normal distribution; None for what is usual for the loss.
    parameters : float or None
        What degrees of freedom subtract from the number of observations; None for the effective ones.
    penalty_in_scores : bool
        Whether the scores in the middle of a sandwich have an equal share of the penalty's gradient each,
        though the whole penalty stays when rows go.
    group_freedom : bool
        Whether clustered covariances have the number of clusters less 1 as degrees of freedom.
    copy_of : ndarray of int, shape (n,), or None
        Which row of the maker's model each row is of, where copies of rows are rows of their own.
    origin : str
        What it is a fit of: a model of another library, or of the paper, with what tells it apart.
    doubt : str
        What of the maker's inference is not reproduced, and what stands in its place; "" if nothing.
    standard_errors : ndarray, shape (p,), or None
        Those that the maker reports, to compare with.
    held : tuple of str
        What was found on all rows before the coefficients, and stays when rows go, though the maker would
        find it anew: a sentence each.
    refit : Refit or None
        What the maker itself finds without rows; only of risks that may have several minima.

    Examples
    --------
    >>> from influstat.minimise.stated import Stated
    >>> Stated().kind, Stated(kind="HC3").information
    ('model', 'observed')
    """

    kind: str = "model"
    groups: Any = None
    lag_weights: FloatArray | None = None
    correction: bool | str | None = None
    dispersion: float | str | None = None
    information: str = "observed"
    counts: FloatArray | None = None
    factor_counts: FloatArray | None = None
    copy_of: Indices | None = None
    factor_parameters: float | None = None
    scaling: float = 1.0
    use_t: bool | None = None
    parameters: float | None = None
    penalty_in_scores: bool = False
    group_freedom: bool = True
    doubt: str = ""
    origin: str = ""
    standard_errors: FloatArray | None = None
    held: tuple[str, ...] = ()
    refit: Refit | None = None
