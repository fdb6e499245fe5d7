"""Designs that try a method's edges: collinear, leverage one, separable, wide scales, sparse, ..."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from influstat.errors import InvalidArgument
from influstat.input.printing import short
from influstat.input.settings import entries, texts
from influstat.input.validation import FloatArray, whole_number


@dataclass(frozen=True, eq=False)
class Drawn:
    """A design with its kind and, where the kind speaks of classes, labels -1 and +1.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    X : ndarray or csr_array, shape (n, p)
        The design, without an intercept column.
    labels : ndarray, shape (n,)
        -1 and +1, each at least twice; they decide the targets of classifiers.
    """

    kind: str
    X: Any
    labels: FloatArray


def _well_conditioned(draw: Callable[..., Any], n: int, p: int) -> FloatArray:
    """Return small entries on a grid, plus 4 in one column of every row."""
    X = grid(draw, (n, p), -8, 8) / (16.0 * max(1.0, (p - 1) / 3.0))
    X[np.arange(n), np.arange(n) % p] += 4.0
    return X


def _labels(draw: Callable[..., Any], n: int) -> FloatArray:
    """Return labels -1 and +1 with at least two of each."""
    return np.append([-1.0, 1.0, -1.0, 1.0], 2.0 * grid(draw, (n - 4,), 0, 1) - 1.0)


def grid(draw: Callable[..., Any], shape: tuple[int, ...], low: int, high: int) -> FloatArray:
    """Draw whole numbers of this shape, most of them alike: arrays that are mostly 0 are the simplest."""
    fill = st.just(0) if low <= 0 <= high else st.just(low)
    numbers = draw(arrays(np.int64, shape, elements=st.integers(low, high), fill=fill))
    return np.asarray(numbers, dtype=np.float64)


def _as_it_is(draw: Any, X: FloatArray, labels: FloatArray) -> FloatArray:
    return X


def _collinear(draw: Callable[..., Any], X: FloatArray, labels: FloatArray) -> FloatArray:
    p = X.shape[1]
    shares = draw(st.lists(st.integers(-2, 2), min_size=p - 2, max_size=p - 2))
    X[:, -1] = X[:, :-1] @ np.array([1.0, *shares])
    return X


def _leverage_one(draw: Callable[..., Any], X: FloatArray, labels: FloatArray) -> FloatArray:
    row = draw(st.integers(0, len(X) - 1))
    X[:, 0] = 0.0
    X[row, 0] = 1.0
    rest = np.arange(len(X)) % max(1, X.shape[1] - 1)
    X[:, 1:] = 0.125 * X[:, 1:]
    X[np.arange(len(X)), 1 + rest] += 4.0
    return X


def _separable(draw: Callable[..., Any], X: FloatArray, labels: FloatArray) -> FloatArray:
    X[:, 0] = labels * (1.0 + np.abs(X[:, 0]))
    return X


def _nearly_separable(draw: Callable[..., Any], X: FloatArray, labels: FloatArray) -> FloatArray:
    X = _separable(draw, X, labels)
    row = draw(st.integers(0, len(X) - 1))
    X[row, 0] = -X[row, 0]
    return X


def _wide_scales(draw: Callable[..., Any], X: FloatArray, labels: FloatArray) -> FloatArray:
    powers = draw(st.lists(st.integers(-6, 6), min_size=X.shape[1], max_size=X.shape[1]))
    return np.asarray(X * 10.0 ** np.array(powers, dtype=np.float64))


def _repeated(draw: Callable[..., Any], X: FloatArray, labels: FloatArray) -> FloatArray:
    """Copy earlier rows (with their labels) over later ones; the first p stay."""
    n, p = X.shape
    first = max(p, 4)
    for row in range(first, n):
        source = draw(st.integers(0, row - 1))
        X[row], labels[row] = X[source], labels[source]
    return X


def _sparse(draw: Callable[..., Any], X: FloatArray, labels: FloatArray) -> Any:
    keep = grid(draw, X.shape, 0, 1) > 0
    keep[np.arange(len(X)), np.arange(len(X)) % X.shape[1]] = True
    return sp.csr_array(np.where(keep, X, 0.0))


_SHAPED: dict[str, Callable[[Any, FloatArray, FloatArray], Any]] = {
    "well conditioned": _as_it_is,
    "collinear": _collinear,
    "leverage one": _leverage_one,
    "separable": _separable,
    "nearly separable": _nearly_separable,
    "wide scales": _wide_scales,
    "repeated rows": _repeated,
    "sparse": _sparse,
}
KINDS = tuple(_SHAPED)
MOST = 10_000  # rows or columns: hypothesis itself gives up long before


def _range(argument: str, ends: Any) -> tuple[int, int]:
    """Return smallest and largest, or raise."""
    pair = entries(argument, ends) if hasattr(ends, "__len__") else []  # drawing reads it many times
    if len(pair) != 2:
        raise InvalidArgument(argument, "be smallest and largest", f"is {short(ends)}", "Pass two numbers.")
    low, high = (whole_number(argument, end, at_least=1, at_most=MOST) for end in pair)
    return low, high


@st.composite
def designs(
    draw: Callable[..., Any],
    *,
    kinds: Sequence[str] = KINDS,
    rows: tuple[int, int] = (6, 16),
    columns: tuple[int, int] = (1, 4),
) -> Drawn:
    """Draw a `Drawn` design.

    Parameters
    ----------
    kinds : sequence of str
        Which of `KINDS`. "well conditioned": singular values within a factor 100. "collinear": the last
        column is a combination of the others (p >= 2). "leverage one": one row alone has an entry in the
        first column (p >= 2). "separable": the first column has the sign of the label, so unpenalised
        classifiers have no finite minimum. "nearly separable": so but for one row. "wide scales":
        units of the columns from 1e-6 to 1e6. "repeated rows": some rows occur several times. "sparse":
        a csr_array.
    rows, columns : tuple of int
        Smallest and largest n and p; n is at least p + 2 and 4.

    Returns
    -------
    SearchStrategy of Drawn
        Shrinks to few rows, few columns and zeros.

    Raises
    ------
    InvalidArgument
        A kind does not exist.

    Examples
    --------
    >>> from hypothesis import find
    >>> from influstat import strategies
    >>> find(strategies.designs(kinds=["collinear"]), lambda drawn: True).X.shape      # the simplest
    (6, 2)
    """
    kinds, rows, columns = texts("kinds", kinds), _range("rows", rows), _range("columns", columns)
    for kind in kinds:
        if kind not in KINDS:
            raise InvalidArgument("kinds", f"hold kinds from {KINDS}", f"holds {kind!r}", "Correct it.")
    if not kinds:
        raise InvalidArgument("kinds", f"hold kinds from {KINDS}", "is empty", "Leave it out for all.")
    kind = draw(st.sampled_from(kinds))
    low = max(2, columns[0]) if kind in ("collinear", "leverage one") else columns[0]
    p = draw(st.integers(low, max(low, columns[1])))
    n = draw(st.integers(max(rows[0], p + 2, 4), max(rows[1], p + 2, 4)))
    X = _well_conditioned(draw, n, p)
    labels = _labels(draw, n)
    return Drawn(kind, _SHAPED[kind](draw, X, labels), labels)
