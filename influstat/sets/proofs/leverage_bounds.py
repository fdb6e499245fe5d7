"""How much of the information on the nuisance any k units can hold: bounds on the largest eigenvalue of A_S.

With the rows whitened, all of them together hold I. Three bounds hold for every S of at most k units, and the
least of them is taken (`null_fit` has the terms):

1. Trace: lambda(A_S) <= sum_S lambda(A_i), the sum of the k largest leverages.
2. Fourth moment: for |v| = 1 and a_i = v'A_i v, Cauchy and Schwarz give
       sum_S a_i <= k^1/2 (sum_all a_i^2)^1/2 <= (k q4)^1/2,     q4 >= max_{|v| = 1} sum_i (v'A_i v)^2.
   With x = vec(vv'), |x| = 1 and i'x = |v|^2 = 1 for i = vec(I), sum_i (v'A_i v)^2 = x'Mx, M = sum vec(A_i)
   vec(A_i)', and x'Mx = x'(M - t ii')x + t <= lambda(M - t ii') + t for every t: `best_shift` has the least.
   This sees that k rows of ordinary length point into many directions, and is worth most in the middle.
3. Gershgorin: A_S has the eigenvalues of the Gram matrix of the rows in S, G_ij = (h_i h_j)^1/2 z_i'z_j, and
   none is above the largest sum of |G_ij| over a row: max_i (G_ii + its k - 1 largest |G_ij|), rows alone. As
   G_ij^2 <= G_ii G_jj, short rows need not be looked at.

The penalty's part, where it leaves with the rows, is in 1 already and is added to 2 and 3.
"""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvalsh
from scipy.linalg.blas import dsyrk

from influstat.algebra.rounding import unit_rounding
from influstat.input.labels import label_text
from influstat.input.largest import largest_first
from influstat.input.validation import FloatArray
from influstat.sets.lengths import square_lengths
from influstat.sets.null_fit import NullFit
from influstat.sets.proofs.sums import largest_sum

MOST_DIRECTIONS = 40  # for the fourth moment, whose matrix has d (d + 1) / 2 rows
MOST_ROWS = 2000  # for bound 3, whose cost is n^2 d
BLOCK_ENTRIES = 2**20
SMALL = 64  # rows of a matrix
FEW = 2  # numbers of units that are asked for one at a time
GRID = np.geomspace(1e-6, 0.9, 128)  # of the range of m, looked at
ALONG = 1e-14  # of |i|^2, below which an axis has nothing of i
NAMED, SHOWN = 3, 0.3  # coefficients and units in words, and the part of the largest that counts


class LeverageBounds:
    """Bounds on lambda(A_S) for one null fit; each is found when it is first needed.

    Parameters
    ----------
    null : NullFit
        The null fit.
    taken : float, optional
        t of bound 2, from a similar null fit: any one proves it. The best is looked for when left out.
    """

    def __init__(self, null: NullFit, taken: float | None = None) -> None:
        self.null, self.taken = null, taken
        self.rows = null.units.single  # else clusters: traces and fourth moments of their blocks
        self._others: dict[int, float] = {}
        self._table = np.zeros(0)

    @cached_property
    def open(self) -> NDArray[np.intp]:
        """The units that may leave."""
        return np.flatnonzero(self.null.open)

    @cached_property
    def lev(self) -> FloatArray:
        """Their leverages."""
        return self.null.of_open(self.null.lev)

    @cached_property
    def gone(self) -> FloatArray | None:
        """What the penalty that leaves with them adds to that at most; None where none does."""
        null = self.null
        if not (null.folded and null.d):
            return None
        return null.of_open(null.units.sums(null.share)) * float(np.linalg.eigvalsh(null.penalty)[-1])

    def other(self, k: int) -> float:
        """Return the smaller of bounds 2 and 3 for any k open units; inf where there are none."""
        if self.null.d < 2:  # the trace is the eigenvalue itself
            return float("inf")
        if k not in self._others:
            self._others[k] = self._other(k)
        return self._others[k]

    def _other(self, k: int) -> float:
        trace, bound = largest_sum(self.lev, k), np.inf
        # q4 is at least the square of the largest lambda(A_i), and costs more than the other bounds.
        own = self.lev if self.gone is None else self.lev - self.gone
        if np.sqrt(k) * float(np.max(own, initial=0.0)) < trace:
            bound = float(np.sqrt(k * self.fourth))
        bound = min(bound, self.gershgorin(k, min(bound, trace)))
        return bound if self.gone is None else bound + largest_sum(self.gone, k)

    def any_set(self, k: int) -> float:
        """Return a bound on lambda(A_S) over all S of at most k open units, rounded up."""
        return self.rounded(min(largest_sum(self.lev, k), self.other(k)), k)

    def rounded(self, bound: float, k: int) -> float:
        """Return a bound on lambda(A_S) that holds for computed leverages too."""
        rounding = unit_rounding(self.null.d + k) + self.null.relative
        return bound * (1.0 + rounding) + rounding

    def carried(self) -> str:
        """Return, in words, where leverage is largest: along which coefficients, in which units."""
        null, units = self.null, self.null.units
        order = self.open[largest_first(self.lev, NAMED)]
        rows, chart, risk = units[int(order[0])], null.problem.chart, null.problem.risk
        along = np.linalg.eigh((null.z[rows] * null.h[rows, None]).T @ null.z[rows])[1][:, -1] @ null.basis
        if chart is not None:
            along, risk = chart.lift(along), chart.outer
        along = np.abs(along) * np.sqrt(risk.design.square_sums(risk.weights))  # in columns of one length
        names = [risk.names[j] for j in largest_first(along, NAMED) if along[j] > SHOWN * along.max()]
        labels = [label_text(label) for label in units.labels[order].tolist()]
        return f"{', '.join(names)}; the largest leverages have {', '.join(labels)}"

    @cached_property
    def fourth(self) -> float:
        """q4 of the module's docstring; inf where it is not looked for."""
        null = self.null
        if null.d > MOST_DIRECTIONS:
            return float("inf")
        bound, self.taken = quartic(self._blocks(), null.d, self.taken)
        return bound

    def _blocks(self) -> list[FloatArray]:
        """Return blocks of vec(A_i), penalty left out, in coordinates of symmetric matrices."""
        null, step = self.null, max(1, BLOCK_ENTRIES // self.null.d**2)
        members = null.units.take(null.open)
        if self.rows:
            rows = members.members
            parts = (rows[k : k + step] for k in range(0, len(rows), step))
            return [vectors(null.z[part]) * null.h[part, None] for part in parts]
        return [
            np.sum(vectors(null.z[members[k]]) * null.h[members[k], None], axis=0)[None]
            for k in range(len(members))
        ]

    @cached_property
    def _roots(self) -> tuple[FloatArray, FloatArray]:
        """Rows of h^1/2 z and their lengths, longest first; none where bound 3 is not looked for."""
        null = self.null
        if not self.rows or len(self.open) > MOST_ROWS:
            return np.zeros((0, null.d)), np.zeros(0)
        rows = null.units.members[self.open]
        roots = null.z[rows] * np.sqrt(null.h[rows])[:, None]
        squares = square_lengths(roots)
        order = np.argsort(-squares)
        return roots[order], np.sqrt(squares[order])

    def gershgorin(self, k: int, enough: float = np.inf) -> float:
        """Return bound 3 for k units, or something above `enough`; inf where it is not looked for."""
        roots, lengths = self._roots
        n, k = len(roots), min(k, len(roots))
        if not k:
            return float("inf")
        if len(self._table) < k and len(self._others) >= FEW:  # one sort answers what else is asked
            self._table = self._tabulated(min(n, 2 * k))
        if len(self._table) >= k:
            return float(self._table[k - 1])
        found, others = 0.0, float(np.sum(lengths[: k - 1]))
        for start in range(0, n, SMALL):
            # Nor can any row after this one hold more.
            if found > enough or lengths[start] * (lengths[start] + others) <= found:
                break
            diagonal, gram = _products(roots, start)
            top = np.partition(gram, n - k, axis=1)[:, n - k :] if k < n else gram
            # k of them, of which the least is one too many.
            sums = diagonal + np.sum(top, axis=1) - np.min(top, axis=1)
            found = max(found, float(np.max(sums)))
        return found

    def _tabulated(self, most: int) -> FloatArray:
        """Return bound 3 for 1, 2, ... units, shape (most,)."""
        roots, lengths = self._roots
        found, others = np.zeros(most), np.concatenate([[0.0], np.cumsum(lengths[: most - 1])])
        for start in range(0, len(roots), SMALL):
            if (lengths[start] * (lengths[start] + others) <= found).all():
                break
            diagonal, gram = _products(roots, start)
            top = -np.sort(-np.partition(gram, len(roots) - most, axis=1)[:, len(roots) - most :], axis=1)
            sums = np.cumsum(np.column_stack([diagonal, top[:, : most - 1]]), axis=1)
            np.maximum(found, sums.max(axis=0), out=found)
        return found


def _products(roots: FloatArray, start: int) -> tuple[FloatArray, FloatArray]:
    """Return |r_i|^2 of a few rows, and |r_i'r_j| with all rows but themselves."""
    gram = np.abs(roots[start : start + SMALL] @ roots.T)
    own = np.arange(len(gram))
    diagonal = gram[own, start + own].copy()
    gram[own, start + own] = 0.0
    return diagonal, gram


def vectors(z: FloatArray) -> FloatArray:
    """Return vec(z z') of every row in coordinates of symmetric matrices, shape (n, d (d + 1) / 2)."""
    first, second, factors, _ = symmetric(z.shape[1])
    return np.asarray(z[:, first] * z[:, second] * factors)


@lru_cache(maxsize=64)
def symmetric(d: int) -> tuple[NDArray[np.intp], NDArray[np.intp], FloatArray, FloatArray]:
    """Return rows and columns of the upper triangle, the factors of its entries in vec, and vec(I)."""
    first, second = np.triu_indices(d)
    same = first == second
    return first, second, np.where(same, 1.0, np.sqrt(2.0)), np.where(same, 1.0, 0.0)


def quartic(blocks: list[FloatArray], d: int, t: float | None = None) -> tuple[float, float]:
    """Return a bound on max over |v| = 1 of sum_i (v'A_i v)^2 from blocks of vec(A_i), and its t."""
    size = d * (d + 1) // 2
    matrix = np.zeros((size, size), order="F")
    count = 0
    for block in blocks:
        matrix = dsyrk(1.0, block.T, beta=1.0, c=matrix, overwrite_c=True)
        count += len(block)
    matrix = np.triu(matrix) + np.triu(matrix, 1).T
    identity = symmetric(d)[3]
    trace = float(np.trace(matrix))
    if not np.isfinite(trace):
        return float("inf"), 0.0

    if t is None:
        t, _ = best_shift(matrix, identity)
    rounding = (unit_rounding(count) + unit_rounding(size)) * (trace + d * abs(t))
    return largest_eigenvalue(matrix - t * np.outer(identity, identity)) + t + rounding, t


def best_shift(matrix: FloatArray, identity: FloatArray) -> tuple[float, float]:
    """Return about the c for which the largest eigenvalue of M - c ii' plus c is least, and that sum.

    With the eigenvalues l of M and z the coordinates of i along its axes, an eigenvalue m of M - c ii' has c
    sum z^2 / (l - m) = 1, which gives c for every m: where (sum z^2 / (l - m))^2 = sum z^2 / (l - m)^2 the
    largest one plus c is least.

    Returns
    -------
    float, float
    """
    values, axes = np.linalg.eigh(matrix)
    squares = (identity @ axes) ** 2
    along = squares[-1] > ALONG * np.sum(squares)  # else the first axis keeps its eigenvalue for every c
    low, high = float(values[-2 if along and len(values) > 1 else -1]), float(values[-1] + np.sum(values))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        places = low + (high - low) * GRID
        inverse = 1.0 / (values - places[:, None])
        first = inverse @ squares
        ratio = (inverse * inverse) @ squares / first**2
        past = (ratio < 1.0) & ((places > values[-1]) | (first > 0.0))  # there the sum of m and c grows
        j = int(np.argmax(past)) if past.any() else len(places) - 1
        m = float(places[j])
        if j and ratio[j - 1] > 1.0 > ratio[j]:
            m -= float((places[j] - places[j - 1]) * (1.0 - ratio[j]) / (ratio[j - 1] - ratio[j]))
        c = 1.0 / float(squares @ (1.0 / (values - m)))
    return (c, m + c) if np.isfinite(c) else (0.0, float(values[-1]))


def largest_eigenvalue(matrix: FloatArray) -> float:
    """Return it; of small matrices all at once, which costs less than the choice of one."""
    size = len(matrix)
    if size <= SMALL:
        return float(np.linalg.eigvalsh(matrix)[-1])
    return float(eigvalsh(matrix, subset_by_index=[size - 1, size - 1])[0])
