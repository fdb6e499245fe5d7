"""`Rows`: the data of a risk, each argument that belongs to rows read and checked in one place.

`Local` is what value, gradient and Hessian of a linear risk have in common at one theta.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from influstat.errors import InvalidArgument
from influstat.input.chosen import is_pandas_index, one_dimensional
from influstat.input.design import Design
from influstat.input.labels import (
    Labels,
    called,
    check_labels,
    check_order,
    has_index,
    index_labels,
    own_labels,
    paired,
)
from influstat.input.reader import LabelledTable
from influstat.input.tables import as_array
from influstat.input.validation import FloatArray, any_array, real_dtype, returned_array, vector
from influstat.losses.base import Loss

SMALLEST, LARGEST = (
    1e-140,
    1e150,
)  # of the largest target: squares of less, and sums of those of more, are lost


@dataclass(frozen=True, eq=False)
class Rows:
    """n rows with targets, weights, offsets and labels."""

    design: Design  # x_i, with the names of the columns
    y: FloatArray  # targets, as the loss has checked them, shape (n,)
    weights: FloatArray  # w_i >= 0, shape (n,)
    offset: FloatArray  # o_i, shape (n,)
    row_labels: NDArray[Any]  # what the rows are called, shape (n,)
    total_weight: float  # W, the sum of the weights; that of the training rows where these are new ones

    @classmethod
    def read(
        cls,
        loss: Loss,
        X: Any,
        y: Any,
        *,
        weights: Any = None,
        offset: Any = None,
        intercept: bool = False,
        names: Any = None,
        row_labels: Any = None,
    ) -> Rows:
        """Return the rows of a risk with this loss, or raise; the parameters are those of `LinearRisk`."""
        design = _design(X, intercept, names)
        n = design.shape[0]
        if n < 2:
            raise InvalidArgument("X", "have at least 2 rows", f"has {n}", "Influence compares rows.")
        check = check_order if isinstance(X, Design) else check_labels  # a Design's own labels stand
        _require_one_order(design, check, y=y, weights=weights, offset=offset)
        targets = read_targets(loss, y, n)
        _require_squares(targets)
        w = np.ones(n) if weights is None else read_weights(weights, n)
        o = np.zeros(n) if offset is None else vector("offset", offset, n)
        return cls(design, targets, w, o, _row_labels(row_labels, design, y), float(w.sum()))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, an intercept included."""
        return self.design.names

    def new(self, loss: Loss, X: Any, y: Any, offset: Any = None) -> Rows:
        """Return held-out rows of weight 1, checked to have these columns; W stays the training total."""
        design = self.design.like(X, argument="X")
        n = design.shape[0]
        if not isinstance(X, LabelledTable):  # whose reader has paired them already
            labels = design.row_labels if design.labelled else own_labels(y, offset)
            y, offset = paired("y", y, labels, of="X"), paired("offset", offset, labels, of="X")
        o = np.zeros(n) if offset is None else vector("offset", offset, n)
        return Rows(
            design, read_targets(loss, y, n), np.ones(n), o, _row_labels(None, design, y), self.total_weight
        )

    def reweighted(self, weights: Any) -> Rows:
        """Return the same rows with other weights; dropping row i is a weight of 0."""
        w = read_weights(weights, len(self.weights))
        return replace(self, weights=w, total_weight=float(w.sum()))

    def linear_predictor(self, theta: FloatArray) -> FloatArray:
        """Return eta = X theta + offset, shape (n,), or (n, k) for theta of shape (p, k)."""
        eta = self.design.dot(theta)
        eta += self.offset if theta.ndim == 1 else self.offset[:, None]
        return eta

    def weighted(self, values: FloatArray) -> FloatArray:
        """Return w_i times the values; 0 for a weight of 0, also where such a row's loss is inf."""
        with np.errstate(invalid="ignore"):
            weighted = self.weights * values
        return weighted if self._all_count else np.where(self.weights > 0, weighted, 0.0)

    @cached_property
    def _all_count(self) -> bool:
        return bool((self.weights > 0).all())


def nonnegative_weights(weights: Any, n: int) -> FloatArray:
    """Return n finite weights, none negative, or raise."""
    result = vector("weights", weights, n)
    if (result < 0).any():
        row = int(np.argmax(result < 0))
        raise InvalidArgument(
            "weights", "be at least 0", f"has {result[row]:g} at row {row}", "Use 0 to leave a row out."
        )
    return result


def read_weights(weights: Any, n: int) -> FloatArray:
    """Return n finite weights, none negative and not all 0, or raise."""
    result = nonnegative_weights(weights, n)
    if not result.any():
        raise InvalidArgument("weights", "have a positive entry", "is all zero", "Weigh some row above 0.")
    require_sum("weights", result)
    return result


def require_sum(argument: str, weights: FloatArray) -> None:
    """Raise where the sum of weights is inf, or so small that 1 over it is."""
    with np.errstate(over="ignore"):
        total = float(weights.sum())
    if not np.isfinite(total):
        raise InvalidArgument(argument, "have a finite sum", "sums to inf", "Rescale the weights.")
    if 0.0 < total < SMALLEST:
        need = f"have a sum of at least {SMALLEST:g}"
        raise InvalidArgument(argument, need, f"sums to {total:.3g}", "Rescale the weights.")


def read_labels(row_labels: Any, n: int) -> NDArray[Any]:
    """Return one label per row, the positions where none are given, or raise."""
    labels = np.arange(n) if row_labels is None else _label_array(row_labels)
    if labels.shape != (n,):
        raise InvalidArgument(
            "row_labels",
            f"have one entry per row of X ({n})",
            f"has shape {labels.shape}",
            "Pass one label per row.",
        )
    return labels


def _label_array(row_labels: Any) -> NDArray[Any]:
    if isinstance(row_labels, Labels):
        return row_labels
    if is_pandas_index(row_labels):
        return index_labels(row_labels)
    several = isinstance(row_labels, (list, tuple))
    return called(
        one_dimensional("row_labels", list(row_labels)) if several else any_array("row_labels", row_labels)
    )


def _design(X: Any, intercept: bool, names: Any) -> Design:
    if not isinstance(X, Design):
        return Design(X, intercept=intercept, names=names)
    if names is not None or intercept > X.intercept:
        raise InvalidArgument(
            "X", "bring its own names and intercept", "is a Design without them", "Pass them to the Design."
        )
    return X


def _require_one_order(design: Design, check: Callable[..., None], **vectors: Any) -> None:
    """Raise if pandas inputs hold different labels, or the same in different orders."""
    labels, of = (design.row_labels, design.argument) if design.labelled else (None, "")
    for argument, value in vectors.items():
        if labels is not None:
            check(argument, value, labels, of=of)
        elif has_index(value):
            labels, of = index_labels(value.index), argument


def read_targets(loss: Loss, y: Any, n: int) -> FloatArray:
    """Return n targets as the loss needs them, or raise."""
    given = as_array("y", y)
    targets = returned_array("check_targets", loss.check_targets(given))
    if targets.shape == (n,):
        return real_dtype("check_targets", targets)
    if np.size(given) == n:  # which is not to blame
        was, remedy = f"returned shape {targets.shape}", "Return y itself, as float64."
        raise InvalidArgument("check_targets", f"return one target per row ({n})", was, remedy)
    raise InvalidArgument(
        "y", f"have one entry per row of X ({n})", f"has {np.size(given)}", f"Pass shape ({n},)."
    )


def _require_squares(y: FloatArray) -> None:
    """Raise for targets whose squares float64 does not hold: sums of squares would be inf or 0."""
    size = float(np.max(np.abs(y), initial=0.0))
    if size > LARGEST or 0.0 < size < SMALLEST:
        need = f"have a largest entry between {SMALLEST:g} and {LARGEST:g} in size: squares must be float64"
        raise InvalidArgument("y", need, f"has {size:.3g}", "Multiply y by a power of ten, and fit again.")


def _row_labels(row_labels: Any, design: Design, y: Any) -> NDArray[Any]:
    if row_labels is None:
        found = None if design.labelled else own_labels(y)
        return design.row_labels if found is None else found
    return read_labels(row_labels, design.shape[0])


class Local:
    """Slopes and curvatures of the rows at theta (p,), each found when it is first asked for.

    Nothing here is as large as the rows: a few vectors of n and of p, read-only, since all share them.
    """

    def __init__(self, loss: Loss, rows: Rows, theta: FloatArray) -> None:
        self.theta = np.array(theta, dtype=np.float64)  # the caller may go on with his own
        self._loss, self._rows = loss, rows

    @cached_property
    def eta(self) -> FloatArray:
        """The linear predictors, shape (n,)."""
        return _read_only(self._rows.linear_predictor(self.theta))

    @cached_property
    def first(self) -> FloatArray:
        """The slopes l1_i, shape (n,)."""
        return _kept(self._loss.first(self._rows.y, self.eta))

    @cached_property
    def second(self) -> FloatArray:
        """The curvatures l2_i, shape (n,)."""
        return _kept(self._loss.second(self._rows.y, self.eta))

    @cached_property
    def gradient(self) -> FloatArray:
        """The sum of w_i l1_i x_i, shape (p,)."""
        return _read_only(self._rows.design.transpose_dot(self._rows.weighted(self.first)))

    @cached_property
    def scale(self) -> FloatArray:
        """The sum of w_i |x_i| (|l1_i| + |l2_i| (|x_i|'|theta| + |o_i|)), shape (p,)."""
        theta, offset = np.abs(self.theta), np.abs(self._rows.offset)
        first, second = (np.abs(self._rows.weighted(part)) for part in (self.first, self.second))
        total = np.zeros(len(theta))
        for rows, block in self._rows.design.blocks():
            entries = abs(block)
            total += entries.T @ (first[rows] + second[rows] * (entries @ theta + offset[rows]))
        return _read_only(total)


def _kept(values: FloatArray) -> FloatArray:
    """Return a copy of what a loss has returned: it may use that array again for its next answer."""
    return _read_only(np.array(values))


def _read_only(values: FloatArray) -> FloatArray:
    """Return the values, to which nobody can write from now on."""
    values.flags.writeable = False
    return values
