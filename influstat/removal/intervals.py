"""Prediction intervals from fits without each row: jackknife, jackknife+, jackknife-minmax, and CV+ by folds.

With mu the prediction of the fit, mu_-i that of the fit without row i (or its fold), R_i = |y_i - mu_-i(x_i)|
and k = ceil(level (n + 1)), the intervals for a new row x are, by `method` (Barber, Candes, Ramdas and
Tibshirani 2021, sections 1 and 2):

- "jackknife": mu(x) -+ the k-th smallest of the R_i;
- "plus": from the k-th largest of the mu_-i(x) - R_i to the k-th smallest of the mu_-i(x) + R_i;
- "minmax": from the least of the mu_-i(x) to the largest, and the k-th smallest of the R_i beyond either.

Where k exceeds n the intervals are infinite.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument, Unsupported
from influstat.input.labels import index_of, own_labels, paired_with
from influstat.input.lazy_types import DataFrame
from influstat.input.printing import Tabled
from influstat.input.validation import FloatArray, choice, real_number
from influstat.input.warning import doubt
from influstat.losses.alone import mean_of
from influstat.minimise.minimum import Minimum, require_fit
from influstat.removal.cross_validation import read_folds, warn_of_held
from influstat.removal.cross_validation_result import held_out
from influstat.removal.leave_out import in_blocks
from influstat.removal.result import Removal
from influstat.removal.scoring import classes_of
from influstat.risks.linear import LinearRisk, require_linear

METHODS = ("plus", "jackknife", "minmax")
REFITS = ("exact", "newton")
BLOCK_ENTRIES = 2**21  # predictions without each row that are held at once: 16 MiB, a few times over
ROUNDING = 1e-9  # as near to a whole number level (n + 1) is by rounding alone: 0.55 * 20 is above 11


@dataclass(frozen=True, eq=False, repr=False)
class PredictionIntervals(Tabled):
    """Intervals that hold new targets y.

    Attributes
    ----------
    prediction, lower, upper : ndarray, shape (m,)
        What the fit predicts for each new row, and the limits, in the units of y.
    level : float
        The share of new targets that they aim to hold.
    method : {"plus", "jackknife", "minmax"}
        How they are made.
    row_labels : ndarray, shape (m,)
        What the new rows are called.
    count : int
        n, the rows that were predicted by fits without them.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 4, [1.0, 3.0, 5.0, 7.0])
    >>> print(ist.prediction_intervals(fit, [[1.0]], level=0.5))      # the third of four residuals is 4
    Prediction intervals of level 0.5 by 'plus', from 4 rows left out
       prediction  lower  upper
    0           4      1      7
    """

    HEADING = "Prediction intervals of level {0.level:g} by {0.method!r}, from {0.count} rows left out"

    prediction: FloatArray
    lower: FloatArray
    upper: FloatArray
    level: float
    method: str
    row_labels: NDArray[Any]
    count: int

    def to_frame(self) -> DataFrame:
        """Return columns "prediction", "lower" and "upper", a line for each new row."""
        import pandas as pd

        columns = {"prediction": self.prediction, "lower": self.lower, "upper": self.upper}
        return pd.DataFrame(columns, index=index_of(self.row_labels))


def prediction_intervals(
    fit: Minimum,
    X: Any,
    *,
    level: float = 0.95,
    method: str = "plus",
    folds: Any = None,
    refits: str = "exact",
    offset: Any = None,
) -> PredictionIntervals:
    """Return intervals for the targets of new rows, from the errors that fits make for rows they lack.

    Parameters
    ----------
    fit : Fit
        A regression of one linear predictor per row. Refits keep its penalty protocol.
    X : array_like, shape (m, p)
        New rows, as for `Fit.predict`.
    level : float
        Between 0 and 1.
    method : {"plus", "jackknife", "minmax"}
        "plus" (jackknife+) holds a new target with probability 2 level - 1 at least, by folds (CV+) up to
        sqrt(2 / n) less, and in practice about level; "minmax", each row left out alone, with probability
        level at least; "jackknife" without a guarantee.
    folds : array_like, shape (n,), list, dict, splitter or str, optional
        As in `cross_validate`: rows are left out by folds, which is CV+; each alone when left out.
    refits : {"exact", "newton"}
        How the fits without rows are found, as in `Fit.leave_groups_out`.
    offset : array_like, shape (m,), optional
        Offsets of the new rows.

    Returns
    -------
    PredictionIntervals
        In units of y: of the mean, or of the linear predictor where the loss has no mean (`HuberLoss`).

    Raises
    ------
    InvalidArgument, InvalidType
        level is not between 0 and 1, method, folds or refits is none of those above, or X has other columns.
    Unsupported
        The fit is that of a classifier, or has no linear predictor.

    Warns
    -----
    DoubtfulResult
        The fit holds what was found on all rows, which is said once for each fit. There are too few rows for
        the level, so that the intervals are infinite; or some rows have no fit without them, and count as if
        their error were infinite.

    Notes
    -----
    With n rows and k = ceil(level (n + 1)), "plus" is [k-th largest mu_-i(x) - R_i, k-th smallest
    mu_-i(x) + R_i] with R_i = |y_i - mu_-i(x_i)|; `influstat.removal.intervals` has the others.
    The guarantees are for rows that are exchangeable with the new one (Barber, Candes, Ramdas and Tibshirani
    2021, Predictive inference with the jackknife+, Annals of Statistics 49): rows count alike whatever their
    weight, and rows without weight do not count. The rule knows no limits of y: an interval for a count may
    begin below 0, and nothing is lost where it is cut there. All coefficients without a row are found once;
    predictions take O(n m p). They need refits that are whole: what was found on all rows and is held
    (`fit.stated.held`: a Pipeline's fitted transformers, a chosen alpha, the scale of RLM, ...) has seen the
    rows left out, and intervals may then be too narrow.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Ridge(lam=0.0).fit([[1.0]] * 4, [1.0, 3.0, 5.0, 7.0])
    >>> found = ist.prediction_intervals(fit, [[1.0]], level=0.5)
    >>> # mu_-i is 5, 13/3, 11/3, 3, and R_i is 4, 4/3, 4/3, 4
    >>> found.lower, found.upper
    (array([1.]), array([7.]))
    """
    risk = _regression(fit)
    share = real_number("level", level, above=0.0)
    if not share < 1.0:
        raise InvalidArgument("level", "be below 1", f"is {share:g}", "Pass e.g. 0.95.")
    choice("method", method, METHODS)
    choice("refits", refits, REFITS)
    groups = read_folds(fit, folds)
    (offset,) = paired_with(X, offset=offset)
    mean = mean_of(risk.loss)
    kind = "linear" if mean is None else "mean"
    prediction = fit.predict(X, kind=kind, offset=offset)
    parts = list(in_blocks(fit, groups, refits))
    predictor = np.concatenate([held_out(risk, part) for part in parts])
    errors = np.abs(risk.y[groups.members] - (predictor if mean is None else mean(predictor)))
    counted = risk.weights[groups.members] > 0.0
    errors, owners = errors[counted], groups.owners[counted]
    _warn_of_no_refits(parts, errors)
    warn_of_held(fit, "The errors behind these intervals")
    n, m = len(errors), len(prediction)
    place = place_of(share, n)
    if place > n:
        doubt(
            f"{n} rows are too few for intervals of level {share:g}: they are infinite. It takes "
            f"{place_of(share / (1.0 - share), 0)} rows, or a level of at most "
            f"{np.floor(1e6 * n / (n + 1.0)) / 1e6:g}."
        )
    lower, upper = np.full(m, -np.inf), np.full(m, np.inf)
    step = max(1, BLOCK_ENTRIES // max(n, 1))
    for start in range(0, m if place <= n else 0, step):
        block = slice(start, min(start + step, m))
        own = prediction[block]
        without = own if method == "jackknife" else _without(parts, X, offset, block, kind) + own
        lower[block], upper[block] = _limits(method, without, errors, owners, place)
    labels = None if fit.reader is None else fit.reader.labels(X, None)
    labels = own_labels(X) if labels is None else labels
    named = np.arange(m) if labels is None else labels
    return PredictionIntervals(prediction, lower, upper, share, method, named, n)


def place_of(level: float, n: int) -> int:
    """Return ceil(level (n + 1)), the place of the quantile among n numbers, the smallest first."""
    return max(1, ceil(level * (n + 1) - ROUNDING))


def _limits(
    method: str, without: FloatArray, errors: FloatArray, owners: NDArray[np.intp], place: int
) -> tuple[FloatArray, FloatArray]:
    """Return the limits from predictions without each fold, (K, b), or by the fit for "jackknife", (b,)."""
    n = len(errors)
    if method == "plus":
        # A row without a refit might be anything: it is on the outer side of either limit.
        low = without[owners] - errors[:, None]
        high = without[owners] + errors[:, None]
        low[np.isnan(low)], high[np.isnan(high)] = -np.inf, np.inf
        low.partition(n - place, axis=0)
        high.partition(place - 1, axis=0)
        return low[n - place], high[place - 1]
    width = np.partition(np.where(np.isnan(errors), np.inf, errors), place - 1)[place - 1]
    if method == "jackknife":
        return without - width, without + width
    used = without[np.unique(owners)]
    lost = np.isnan(used)
    least = np.where(lost, -np.inf, used).min(axis=0)
    return least - width, np.where(lost, np.inf, used).max(axis=0) + width


def _without(parts: list[Removal], X: Any, offset: Any, block: slice, kind: str) -> FloatArray:
    """Return the change of the predictions of a block of new rows without each fold, shape (K, b)."""
    rows = _rows(X, block)
    own = None if offset is None else _rows(offset, block)
    return np.concatenate([part.prediction_change(rows, kind=kind, offset=own) for part in parts])


def _rows(table: Any, block: slice) -> Any:
    """Return a block of rows of whatever holds rows."""
    if hasattr(table, "iloc"):
        return table.iloc[block]
    if hasattr(table, "tocsr"):  # scipy's sparse formats, some of which cannot be sliced
        return table.tocsr()[block]
    if hasattr(table, "column_names"):  # pyarrow's tables
        return table.slice(block.start, block.stop - block.start)
    return table[block]


def _regression(fit: Any) -> LinearRisk:
    """Return the risk of a regression, or raise."""
    risk = require_linear(require_fit(fit).risk, "prediction intervals")
    if classes_of(fit, risk) is not None:
        need, was = "be a regression for prediction intervals", f"is a classifier by {risk.loss!r}"
        raise Unsupported("fit", need, was, "Use fit.predict(X, kind='mean') for probabilities.")
    return risk


def _warn_of_no_refits(parts: list[Removal], errors: FloatArray) -> None:
    """Say how many rows count as infinitely wrong, and why the first fold has no refit."""
    lost = int(np.isnan(errors).sum())
    if lost:
        why = next((text for part in parts for text in part.status if text), "an error is not a number")
        doubt(
            f"{lost} of {len(errors)} rows are predicted by no fit without them, and count as if their error "
            f"were infinite. The first reason: {why}"
        )
