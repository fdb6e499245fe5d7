"""Losses, targets, weights, risks, fits and groups, drawn on the designs of `designs`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray

from influstat.errors import InflustatError, InvalidArgument
from influstat.fit import Fit
from influstat.input.settings import flag, require_parts
from influstat.input.validation import FloatArray, whole_number
from influstat.losses.base import Loss
from influstat.losses.hinge import SmoothedHinge, SquaredHinge
from influstat.losses.logistic import LogisticLoss, SignedLogisticLoss
from influstat.losses.poisson import PoissonLoss
from influstat.losses.residual import HuberLoss, PseudoHuberLoss, SmoothedCheck
from influstat.losses.squared import SquaredError
from influstat.risks.linear import LinearRisk
from influstat.risks.penalties import L2
from influstat.strategies.designs import KINDS, MOST, Drawn, designs, grid

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
NUMBERS = tuple(  # candidates for targets, the simplest first
    sorted(numbers, key=abs)
    for numbers in (np.arange(-24, 25) / 8.0, np.arange(7.0), np.arange(1, 25) / 8.0, np.arange(1, 16) / 16.0)
)
LABELS = {"0/1": (0.0, 1.0), "-1/+1": (-1.0, 1.0)}


def losses(*, smooth: bool = True) -> st.SearchStrategy[Any]:
    """Return a strategy for the package's losses; with `smooth`, those with two derivatives everywhere.

    Returns
    -------
    SearchStrategy of Loss

    Examples
    --------
    >>> from influstat import strategies
    >>> type(strategies.losses()).__name__
    'SampledFromStrategy'
    """
    return st.sampled_from(SMOOTH_LOSSES if flag("smooth", smooth) else LOSSES)


@st.composite
def targets(draw: Callable[..., Any], loss: Any, drawn: Drawn) -> FloatArray:
    """Draw targets that the loss accepts.

    Returns
    -------
    SearchStrategy of ndarray, shape (n,)
        The design's labels, numbers of either sign, counts, positive numbers, or shares between 0 and 1:
        the first of these that suits.

    Raises
    ------
    InvalidArgument
        The loss accepts none of these.

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
        others = ([low, high, 0.5], [low, high, 2.0])
        if _accepts(loss, [low, high]) and not any(_accepts(loss, other) for other in others):
            return np.where(drawn.labels > 0, high, low)
    first = 0 if _accepts(loss, [-1.0]) else 1 if _accepts(loss, [0.0]) else 2
    for numbers in NUMBERS[first:]:
        accepted = np.array([number for number in numbers if _accepts(loss, [number])])
        if accepted.size > 1:
            return np.asarray(accepted[grid(draw, (n,), 0, accepted.size - 1).astype(np.intp)])
    need = "accept labels, numbers, counts, positive numbers or shares"
    remedy = "Draw designs() and make the targets yourself."
    raise InvalidArgument("loss", need, f"is {loss!r}, which refuses them all", remedy)


def _accepts(loss: Any, y: list[float]) -> bool:
    try:
        loss.check_targets(np.array(y))
    except ValueError:  # ours are ValueErrors too
        return False
    return True


@st.composite
def weights(draw: Callable[..., Any], n: int, *, zeros: bool = True) -> FloatArray | None:
    """Draw None, or n weights from 1/4 to 3; with `zeros` up to a quarter of them 0, never the first four.

    Returns
    -------
    SearchStrategy of ndarray, shape (n,), or None

    Examples
    --------
    >>> from hypothesis import find
    >>> from influstat import strategies
    >>> find(strategies.weights(6), lambda w: w is not None and (w == 0).any()).min()
    np.float64(0.0)
    """
    n, zeros = whole_number("n", n, at_least=1, at_most=MOST), flag("zeros", zeros)
    if draw(st.booleans()):
        return None
    values = grid(draw, (n,), 1, 12) / 4.0
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

    Returns
    -------
    SearchStrategy of LinearRisk
        With and without weights, penalty and intercept.

    Examples
    --------
    >>> from hypothesis import find
    >>> from influstat import strategies
    >>> find(strategies.risks(), lambda risk: risk.protocol == "folded").shape
    (6, 1)
    """
    chosen = draw(losses()) if loss is None else loss
    require_parts("loss", chosen, Loss, need="be a pointwise loss", example="ist.PoissonLoss()")
    drawn = draw(designs(kinds=kinds, rows=rows, columns=columns))
    strengths = [1.0, 0.1, 30.0] if solvable else [0.0, 1.0, 30.0]
    X = np.asarray(drawn.X.toarray() if hasattr(drawn.X, "toarray") else drawn.X)
    unit = np.sqrt(np.mean(X**2, axis=0))
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


@st.composite
def fits(draw: Callable[..., Any], /, **settings: Any) -> Fit:
    """Draw a `Fit`: a solvable risk of `risks(**settings)`, minimised to rounding.

    Returns
    -------
    SearchStrategy of Fit

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
    n, largest : int
        Rows, and most of them in a group; n - 1 when left out.

    Returns
    -------
    SearchStrategy of list of ndarray
        Positions of rows, one array of shape (size of the group,) per group.

    Examples
    --------
    >>> from hypothesis import find
    >>> from influstat import strategies
    >>> two = find(strategies.groups(5), lambda groups: len(groups) == 2)
    >>> sorted(group.tolist() for group in two)
    [[0], [1]]
    """
    n = whole_number("n", n, at_least=2, at_most=MOST)
    most = n - 1 if largest is None else min(whole_number("largest", largest, at_least=1), n - 1)
    count = draw(st.integers(1, max(1, n // 2)))
    owner = grid(draw, (n,), 0, count)  # 0: in no group
    found = [np.flatnonzero(owner == j) for j in range(1, count + 1)]
    found = [group[:most] for group in found if group.size]
    assume(len(found) > 0)
    return found
