"""How well predicted changes agree with exact ones: more than a correlation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from influstat.errors import InvalidArgument
from influstat.input.validation import FloatArray, check_finite, numeric_array


@dataclass(frozen=True)
class Agreement:
    """Agreement of predicted with exact changes.

    Attributes
    ----------
    pearson, spearman : float
        Correlations; blind to scale and, for Spearman, to everything but order.
    slope : float
        Of the least-squares line with intercept of predicted on exact changes: 1 where the scale is
        right, below 1 where changes are predicted too small.
    max_error : float
        Largest |predicted - exact|, in their units.
    worst_row : int
        Position at which it occurs.
    pearson_without_worst : float
        Pearson correlation of the other rows.
    """

    pearson: float
    spearman: float
    slope: float
    max_error: float
    worst_row: int
    pearson_without_worst: float


def agreement(predicted: Any, exact: Any) -> Agreement:
    """Compare predicted with exact changes, row by row.

    Parameters
    ----------
    predicted, exact : array_like of one shape, at least 3 entries
        After minus before; arrays of several columns are compared as one list.

    Returns
    -------
    Agreement

    Raises
    ------
    InvalidArgument, InvalidType
        The shapes differ, there are fewer than 3 entries, some are not finite, or all are equal.

    Examples
    --------
    >>> from influstat.experiments import agreement
    >>> found = agreement([0.5, 1.0, 1.5, 3.0], [1.0, 2.0, 3.0, 6.0])
    >>> round(found.pearson, 12), round(found.slope, 12), found.max_error, found.worst_row
    (1.0, 0.5, 3.0, 3)
    """
    x = np.asarray(numeric_array("predicted", predicted), dtype=np.float64)
    y = np.asarray(numeric_array("exact", exact), dtype=np.float64)
    if x.shape != y.shape or x.size < 3:
        need = f"have the shape of exact, {y.shape}, and 3 entries"
        raise InvalidArgument("predicted", need, f"has shape {x.shape}", "Correct it.")
    check_finite("predicted", x)
    check_finite("exact", y)
    x, y = x.ravel(), y.ravel()
    for name, values in (("predicted", x), ("exact", y)):
        if not np.ptp(values) > 0.0:
            remedy = "A constant has no correlation: look at np.abs(predicted - exact)."
            raise InvalidArgument(name, "hold different values", f"is {values[0]:g} throughout", remedy)
    error = np.abs(x - y)
    worst = int(np.argmax(error))
    others = np.arange(len(x)) != worst
    return Agreement(
        pearson=pearson(x, y),
        spearman=spearman(x, y),
        slope=float((y - y.mean()) @ x / np.sum((y - y.mean()) ** 2)),
        max_error=float(error[worst]),
        worst_row=worst,
        pearson_without_worst=pearson(x[others], y[others]),
    )


def largest_gap(one: FloatArray, other: FloatArray) -> float:
    """Return the largest |one - other| of any entry."""
    return float(np.max(np.abs(one - other)))


def pearson(x: FloatArray, y: FloatArray) -> float:
    """Return Pearson's correlation of two vectors."""
    return float(np.corrcoef(x, y)[0, 1])


def spearman(x: FloatArray, y: FloatArray) -> float:
    """Return Spearman's rank correlation of two vectors."""
    from scipy.stats import spearmanr  # slow to import

    return float(spearmanr(x, y).statistic)
