"""Which way to refit without each group costs least, by operations counted beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dgemm

from influstat.algebra.symmetric import packed_size
from influstat.input.groups import Groups
from influstat.input.validation import FloatArray
from influstat.losses.base import Loss, higher_bounds
from influstat.removal.certificates.anchor import Anchor
from influstat.removal.class_expansion import AnyExpansion
from influstat.removal.expansion import Expansion

TOLERANCE = 1e-8  # of |theta_k - theta-hat|: what an expansion may leave out of a refit, proven
SLOPE = 150.0  # operations that one evaluation of a loss's slope costs
SWEEPS = 3.0  # gradients that a refit asks for, from the Newton step on
SMALL = 2e10  # operations below which all sums are taken over all rows: about a second
LARGEST_FOURTH = 2**27  # entries of T4: 1 GiB
KEPT = (0, 64, 128, 256, 512, 1024, 2048)
# The largest norms of rows, at least KEPT[-1] + 1 of them where there are so many, from the largest on;
# lengths |u| that removals move, and how many move so far.
Spread = tuple[FloatArray, FloatArray, NDArray[np.intp]]


@dataclass(frozen=True)
class Plan:
    """How exact refits without each group will be found, and about how long it will take.

    Attributes
    ----------
    removals : int
        How many groups leave, one after the other.
    order : int
        1: one Newton iteration of its own for every removal. 2: gradients are sums over all rows, shared by
        many removals. 3 or 4: such sums are expanded once, to derivatives of that order, and taken over all
        rows only for removals whose refit this would leave off by more than 1e-8 of its change. 0: a closed
        form (squared error).
    kept : int
        Rows of largest leverage whose terms are not expanded.
    swept : int
        Removals that are expected to need sums over all rows.
    operations : float
        Floating-point operations in all, counted beforehand; nan where a risk of the caller's own is asked.

    Examples
    --------
    >>> import influstat as ist
    >>> fit = ist.Logistic(lam=0.5).fit([[1.0], [-1.0], [2.0], [-2.0]], [1, 0, 0, 1])
    >>> plan = ist.removal.plan(fit)                          # few rows: every sum is taken as it is
    >>> plan.removals, plan.order, plan.swept
    (4, 2, 4)
    """

    removals: int
    order: int
    kept: int
    swept: int
    operations: float

    def seconds(self) -> float:
        """Return how long that takes, from the speed of one product of matrices measured now."""
        return seconds_of(self.operations)

    def __str__(self) -> str:
        """Say it in a sentence."""
        if self.order == 0:
            way = "a closed form"
        elif self.order == 1:
            way = "a Newton iteration of its own for each"
        elif self.order == 2:
            way = "gradients summed over all rows"
        else:
            way = f"sums expanded once to derivatives of order {self.order}, but for {self.kept} rows"
            way += f"; about {self.swept} of them need the sums themselves"
        return f"{self.removals} refits by {way}: about {self.seconds():.2g} s"


def seconds_of(operations: float) -> float:
    """Return how long so many operations take, by the fastest of a few products that are timed now."""
    a = np.ones((256, 256), order="F")
    times = []
    for _ in range(8):  # the first starts threads; others may wait for another process
        start = perf_counter()
        dgemm(1.0, a, a)
        times.append(perf_counter() - start)
    return operations * min(times) / (2.0 * 256**3)


def sums(k: int, n: int, p: int) -> Plan:
    """Return the plan that sums over all rows for each of k removals."""
    return Plan(removals=k, order=2, kept=0, swept=k, operations=k * SWEEPS * _sweep(n, p))


def cheapest(expansion: Expansion, anchor: Anchor, groups: Groups) -> Plan:
    """Return the plan of least cost among orders and numbers of rows kept, where it is worth expanding."""
    spread = spread_of(expansion, anchor, groups)
    return cheapest_of(expansion.risk.loss, len(groups), expansion.risk.shape, spread)


def spread_of(expansion: AnyExpansion, anchor: Anchor, groups: Groups) -> Spread:
    """Return the largest norms of rows, and how far theta moves without each group."""
    norms = counted_norms(expansion, anchor)
    lengths = lengths_of(expansion, groups, norms)
    return -np.sort(-norms)[: KEPT[-1] + 1], lengths, np.ones(len(lengths), dtype=np.intp)


def worth_expanding(loss: Loss, removals: int, n: int, p: int) -> bool:
    """Tell whether sums over all rows, dear and dearer than third powers, can be expanded."""
    least = max(SMALL, 2.0 * n * packed_size(p) * p)
    return higher_bounds(loss) is not None and sums(removals, n, p).operations > least


@dataclass(frozen=True)
class Terms:
    """What the sum over all rows is made of."""

    rows: int
    coefficients: int
    summed: Plan  # the plan that takes such sums as they are
    concordance: float
    bounds: tuple[float, float]  # of the fourth and the fifth derivative
    powers: int = 1  # third powers that a row adds to T3
    squares: int = 1  # products that it adds to T4
    predictors: int = 1


def counted_norms(expansion: AnyExpansion, anchor: Anchor) -> FloatArray:
    """Return |z_j| of every row, of several classes its largest contrast; 0 for rows without weight."""
    return np.where(expansion.weights > 0, anchor.row_norms, 0.0)


def cheapest_of(loss: Loss, removals: int, shape: tuple[int, int], spread: Spread) -> Plan:
    """Return the plan of least cost for a loss with higher bounds; `shape` is (n, p)."""
    bounds = higher_bounds(loss)
    assert bounds is not None  # `worth_expanding` has asked for it
    terms = Terms(*shape, sums(removals, *shape), loss.self_concordance, bounds)
    return cheapest_expansion(terms, removals, spread)


def cheapest_expansion(terms: Terms, removals: int, spread: Spread) -> Plan:
    """Return the plan of least cost, whatever the terms of the sum are."""
    n, p, best, bounds, c = terms.rows, terms.coefficients, terms.summed, terms.bounds, terms.concordance
    each_sweep = best.operations / removals
    size = packed_size(p)
    order, lengths, counts = spread
    for kept in KEPT:
        far = (order[kept] if kept < n else 0.0) * lengths
        with np.errstate(over="ignore"):
            third = bounds[0] / 6.0 * np.exp(c * far) * far**2 > TOLERANCE / 2.0
            fourth = bounds[1] / 24.0 * np.exp(c * far) * far**3 > TOLERANCE / 2.0
        slopes = terms.predictors * (4.0 * p / terms.predictors + SLOPE)
        each = removals * SWEEPS * (slopes * kept + 2.0 * p * size)
        for degree, missed in ((3, third), (4, fourth)):
            build, apply = 2.0 * n * terms.powers * size * p, 0.0
            if degree == 4:
                if size**2 > LARGEST_FOURTH:
                    continue
                build += 2.0 * n * terms.squares * size**2
                apply = np.sum(counts[third]) * SWEEPS * 2.0 * size**2
            swept = int(np.sum(counts[missed]))
            total = build + each + apply + swept * each_sweep
            if total < best.operations:
                best = Plan(removals, degree, min(kept, n), swept, float(total))
    return best


def _sweep(n: int, p: int) -> float:
    """Return what one gradient over all rows costs."""
    return n * (4.0 * p + SLOPE)


def lengths_of(expansion: AnyExpansion, groups: Groups, norms: FloatArray) -> FloatArray:
    """Return about how far theta moves without each group, in the norm of the Hessian, shape (K,)."""
    leverage = np.minimum(groups.sums(expansion.second * norms**2), 0.99)
    return np.asarray(groups.sums(np.abs(expansion.first) * norms) / (1.0 - leverage))
