"""Hypothesis strategies: designs, targets, weights, risks, fits and groups that try a method's edges.

Needs the package hypothesis; nothing in influstat imports this module. Numbers are drawn from a coarse
grid, so that failing examples shrink to few rows, few columns and zeros.

Examples
--------
A property test of your own in five lines::

    from hypothesis import given
    from influstat import strategies

    @given(strategies.fits(kinds=("leverage one", "wide scales")))
    def test_my_scores_add_up(fit): ...
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from influstat.errors import InflustatError, InvalidArgument
from influstat.fit import Fit
from influstat.losses import LogisticLoss, SignedLogisticLoss, SmoothedHinge, SquaredError
from influstat.more_losses import HuberLoss, PoissonLoss, PseudoHuberLoss, SmoothedCheck, SquaredHinge
from influstat.penalty import L2
from influstat.risk import LinearRisk
from influstat.validation import FloatArray

KINDS = (
    "well conditioned",
    "collinear",
    "leverage one",
    "separable",
    "nearly separable",
    "wide scales",
    "repeated rows",
    "sparse",
)
SMOOTH_LOSSES = (
    SquaredError(),
    LogisticLoss(),
    SignedLogisticLoss(),
    SmoothedHinge(1.0),
    SmoothedHinge(0.1),
    PoissonLoss(),
    PseudoHuberLoss(1.0),
    SmoothedCheck(0.75, 0.5),
)
LOSSES = (*SMOOTH_LOSSES, HuberLoss(1.5), SquaredHinge())
LABELS = {"0/1": (0.0, 1.0), "-1/+1": (-1.0, 1.0)}


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


def losses(*, smooth: bool = True) -> st.SearchStrategy[Any]:
    """Return a strategy for the package's losses; with `smooth`, those with two derivatives everywhere.

    Examples
    --------
    >>> from influstat import strategies
    >>> type(strategies.losses()).__name__
    'SampledFromStrategy'
    """
    return st.sampled_from(SMOOTH_LOSSES if smooth else LOSSES)


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
    for kind in kinds:
        if kind not in KINDS:
            raise InvalidArgument("kinds", f"hold kinds from {KINDS}", f"holds {kind!r}", "Correct it.")
    kind = draw(st.sampled_from(list(kinds)))
    low = max(2, columns[0]) if kind in ("collinear", "leverage one") else columns[0]
    p = draw(st.integers(low, max(low, columns[1])))
    n = draw(st.integers(max(rows[0], p + 2, 4), max(rows[1], p + 2, 4)))
    X = _well_conditioned(draw, n, p)
    labels = _labels(draw, n)
    return Drawn(kind, _SHAPED[kind](draw, X, labels), labels)


def _well_conditioned(draw: Callable[..., Any], n: int, p: int) -> FloatArray:
    """Return small entries on a grid, plus 4 in one column of every row."""
    X = _grid(draw, (n, p), -8, 8) / (16.0 * max(1.0, (p - 1) / 3.0))
    X[np.arange(n), np.arange(n) % p] += 4.0
    return X


def _labels(draw: Callable[..., Any], n: int) -> FloatArray:
    """Return labels -1 and +1 with at least two of each."""
    return np.append([-1.0, 1.0, -1.0, 1.0], 2.0 * _grid(draw, (n - 4,), 0, 1) - 1.0)


def _grid(draw: Callable[..., Any], shape: tuple[int, ...], low: int, high: int) -> FloatArray:
    """Draw whole numbers, most of them alike: arrays that are mostly 0 are the simplest."""
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
    keep = _grid(draw, X.shape, 0, 1) > 0
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


@st.composite
def targets(draw: Callable[..., Any], loss: Any, drawn: Drawn) -> FloatArray:
    """Draw targets that the loss accepts: the design's labels, counts, or numbers on a grid; (n,).

    Examples
    --------
    >>> from hypothesis import find
    >>> import influstat as ist
    >>> from influstat import strategies
    >>> both = strategies.designs().flatmap(lambda drawn: strategies.targets(ist.LogisticLoss(), drawn))
    >>> sorted(set(find(both, lambda y: True).tolist()))
    [0.0, 1.0]
    """
    n = len(drawn.labels)
    for low, high in LABELS.values():
        if _accepts(loss, [low, high]) and not _accepts(loss, [low, high, 0.5]):
            return np.where(drawn.labels > 0, high, low)
    if not _accepts(loss, [-1.0]):
        return _grid(draw, (n,), 0, 6)
    return _grid(draw, (n,), -24, 24) / 8.0


def _accepts(loss: Any, y: list[float]) -> bool:
    try:
        loss.check_targets(np.array(y))
    except InflustatError:
        return False
    return True


@st.composite
def weights(draw: Callable[..., Any], n: int, *, zeros: bool = True) -> FloatArray | None:
    """Draw None, or n weights from 1/4 to 3; with `zeros` up to a quarter of them 0, never the first four.

    Examples
    --------
    >>> from hypothesis import find
    >>> from influstat import strategies
    >>> find(strategies.weights(6), lambda w: w is not None and (w == 0).any()).min()
    np.float64(0.0)
    """
    if draw(st.booleans()):
        return None
    values = _grid(draw, (n,), 1, 12) / 4.0
    if zeros and n > 4:
        gone = draw(st.lists(st.integers(4, n - 1), max_size=max(1, n // 4), unique=True))
        values[gone] = 0.0
    return values


@st.composite
def risks(
    draw: Callable[..., Any],
    *,
    loss: Any = None,
    kinds: Sequence[str] = KINDS,
    rows: tuple[int, int] = (6, 16),
    columns: tuple[int, int] = (1, 4),
    solvable: bool = True,
    protocols: Sequence[str] = ("fixed", "folded"),
) -> LinearRisk:
    """Draw a `LinearRisk`.

    Parameters
    ----------
    loss : Loss, optional
        The loss; one of `losses()` when left out.
    kinds, rows, columns
        As for `designs`.
    solvable : bool
        Whether there must be one finite minimiser, also without any one row: every coefficient but an
        intercept is then penalised.
    protocols : sequence of str
        Which penalty protocols.

    Examples
    --------
    >>> from hypothesis import find
    >>> from influstat import strategies
    >>> find(strategies.risks(), lambda risk: risk.protocol == "folded").shape
    (6, 1)
    """
    chosen = draw(losses()) if loss is None else loss
    drawn = draw(designs(kinds=kinds, rows=rows, columns=columns))
    strengths = [1.0, 0.1, 30.0] if solvable else [0.0, 1.0, 30.0]
    unit = np.sqrt(np.mean(_dense(drawn.X) ** 2, axis=0))
    scale = float(np.median(unit[unit > 0]) ** 2) if (unit > 0).any() else 1.0
    return LinearRisk(
        chosen,
        drawn.X,
        draw(targets(chosen, drawn)),
        penalty=L2(draw(st.sampled_from(strengths)) * scale),
        weights=draw(weights(len(drawn.labels))),
        intercept=draw(st.booleans()) and not hasattr(chosen, "kinks"),
        protocol=draw(st.sampled_from(list(protocols))),
    )


def _dense(X: Any) -> FloatArray:
    return np.asarray(X.toarray() if hasattr(X, "toarray") else X)


@st.composite
def fits(draw: Callable[..., Any], /, **settings: Any) -> Fit:
    """Draw a `Fit`: a solvable risk of `risks(**settings)`, minimised.

    Examples
    --------
    >>> from hypothesis import find
    >>> from influstat import strategies
    >>> find(strategies.fits(), lambda fit: True).gradient_norm < 1e-9
    True
    """
    risk = draw(risks(**settings))
    try:
        return Fit.minimise(risk)
    except InflustatError:
        assume(False)
        raise


@st.composite
def groups(draw: Callable[..., Any], n: int, *, largest: int | None = None) -> list[NDArray[np.intp]]:
    """Draw disjoint groups of row positions, none empty and none of all rows.

    Parameters
    ----------
    n : int
        Rows.
    largest : int, optional
        Most rows in a group; n - 1 when left out.

    Examples
    --------
    >>> from hypothesis import find
    >>> from influstat import strategies
    >>> [group.tolist() for group in find(strategies.groups(5), lambda groups: len(groups) == 2)]
    [[0], [1]]
    """
    most = n - 1 if largest is None else min(largest, n - 1)
    count = draw(st.integers(1, max(1, n // 2)))
    owner = _grid(draw, (n,), 0, count)  # 0: in no group
    found = [np.flatnonzero(owner == j) for j in range(1, count + 1)]
    found = [group[:most] for group in found if group.size]
    assume(len(found) > 0)
    return found
