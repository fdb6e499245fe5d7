"""How much of the information on the nuisance any k units can hold: bounds on the largest eigenvalue of A_S.

With the rows whitened, all of them together hold I. Three bounds hold for every S of at most k units, and the
least of them is taken (`null_fit` has the terms):

1. Trace: lambda(A_S) <= sum_S lambda(A_i), the sum of the k largest leverages.
2. Fourth moment: for |v| = 1 and a_i = v'A_i v, Cauchy and Schwarz give
       sum_S a_i <= k^1/2 (sum_all a_i^2)^1/2 <= (k q4)^1/2,     q4 >= max_{|v| = 1} sum_i (v'A_i v)^2.
   With x = vec(vv'), |x| = 1 and i'x = |v|^2 = 1 for i = vec(I), sum_i (v'A_i v)^2 = x'Mx, M = sum vec(A_i)
   vec(A_i)', and x'Mx = x'(M - t ii')x + t <= lambda(M - t ii') + t for every t: the least over t is taken.
   This sees that k rows of ordinary length point into many directions, and is worth most in the middle.
3. Gershgorin: A_S has the eigenvalues of the Gram matrix of the rows in S, G_ij = (h_i h_j)^1/2 z_i'z_j, and
   none is above the largest sum of |G_ij| over a row: max_i (G_ii + its k - 1 largest |G_ij|), rows alone. As
   G_ij^2 <= G_ii G_jj, short rows need not be looked at.

The penalty's part, where it leaves with the rows, is in 1 already and is added to 2 and 3.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.linalg import eigvalsh
from scipy.linalg.blas import dsyrk
from scipy.optimize import minimize_scalar

from influstat.algebra.rounding import unit_rounding
from influstat.input.labels import label_text
from influstat.input.largest import largest_first
from influstat.input.validation import FloatArray
from influstat.sets.null_fit import NullFit
from influstat.sets.proofs.sums import largest_sum

MOST_DIRECTIONS = 40  # for the fourth moment, whose matrix has d (d + 1) / 2 rows
MOST_ROWS = 2000  # for Gershgorin's table, whose cost is n^2 d
LONGEST_TABLE = 400
BLOCK_ENTRIES = 2**20
SMALL = 64  # rows of a matrix
NAMED, SHOWN = 3, 0.3  # coefficients and units in words, and the part of the largest that counts


class LeverageBounds:
    """Bounds on lambda(A_S) for one null fit; each table is made when it is first needed.

    Parameters
    ----------
    null : NullFit
        The null fit.
    most : int
        The largest k for which bound 3 is looked for.
    taken : float, optional
        t of bound 2, from a similar null fit: any one proves it. The best is looked for when left out.
    """

    def __init__(self, null: NullFit, most: int = LONGEST_TABLE, taken: float | None = None) -> None:
        self.null, self.most, self.taken = null, most, taken
        self.open = np.flatnonzero(null.open)
        self.lev = null.of_open(null.lev)
        self.rows = null.units.single  # else clusters: traces and fourth moments of their blocks
        self.gone = np.zeros(len(self.lev))
        if null.folded and null.d:
            self.gone = null.of_open(null.units.sums(null.share)) * float(
                np.linalg.eigvalsh(null.penalty)[-1]
            )
        self.longest = float(np.max(self.lev - self.gone, initial=0.0))
        self._others: dict[int, float] = {}

    def other(self, k: int) -> float:
        """Return the smaller of bounds 2 and 3 for any k open units; inf where there are none."""
        if self.null.d < 2:  # the trace is the eigenvalue itself
            return float("inf")
        if k not in self._others:
            self._others[k] = self._other(k)
        return self._others[k]

    def _other(self, k: int) -> float:
        table = self.gershgorin
        bound = float(table[k - 1]) if k <= len(table) else np.inf
        # q4 is at least the square of the largest lambda(A_i), and costs more than the other bounds.
        if np.sqrt(k) * self.longest < min(bound, largest_sum(self.lev, k)):
            bound = min(bound, float(np.sqrt(k * self.fourth)))
        return bound + largest_sum(self.gone, k)

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
    def gershgorin(self) -> FloatArray:
        """Bound 3 for k = 1, 2, ...; empty where it is not looked for."""
        null = self.null
        if not self.rows or len(self.open) > MOST_ROWS:
            return np.zeros(0)
        rows = null.units.members[self.open]
        roots = null.z[rows] * np.sqrt(null.h[rows])[:, None]
        squares = np.einsum("ij,ij->i", roots, roots)
        order = np.argsort(-squares)
        roots, lengths = roots[order], np.sqrt(squares[order])
        n, length = len(rows), min(len(rows), self.most)
        table, sums = np.zeros(length), np.concatenate([[0.0], np.cumsum(lengths[: length - 1])])
        for start in range(0, n, SMALL):
            if (lengths[start] * (lengths[start] + sums) <= table).all():  # nor can any row after it be more
                break
            gram = np.abs(roots[start : start + SMALL] @ roots.T)
            own = np.arange(len(gram))
            diagonal = gram[own, start + own].copy()
            gram[own, start + own] = 0.0
            top = -np.sort(-np.partition(gram, n - length, axis=1)[:, n - length :], axis=1)
            found = diagonal[:, None] + np.concatenate(
                [np.zeros((len(gram), 1)), np.cumsum(top[:, : length - 1], axis=1)], axis=1
            )
            table = np.maximum(table, found.max(axis=0))
        return table


def vectors(z: FloatArray) -> FloatArray:
    """Return vec(z z') of every row in coordinates of symmetric matrices, shape (n, d (d + 1) / 2)."""
    first, second = np.triu_indices(z.shape[1])
    return np.asarray(z[:, first] * z[:, second] * np.where(first == second, 1.0, np.sqrt(2.0)))


def quartic(blocks: list[FloatArray], d: int, t: float | None = None) -> tuple[float, float]:
    """Return a bound on max over |v| = 1 of sum_i (v'A_i v)^2 from blocks of vec(A_i), and its t."""
    size = d * (d + 1) // 2
    matrix = np.zeros((size, size), order="F")
    count = 0
    for block in blocks:
        matrix = dsyrk(1.0, block.T, beta=1.0, c=matrix, overwrite_c=True)
        count += len(block)
    matrix = np.triu(matrix) + np.triu(matrix, 1).T
    first, second = np.triu_indices(d)
    identity = np.where(first == second, 1.0, 0.0)
    outer = np.outer(identity, identity)
    trace = float(np.trace(matrix))
    if not np.isfinite(trace):
        return float("inf"), 0.0

    def bound(t: float) -> float:
        return largest_eigenvalue(matrix - t * outer) + t

    known = t is not None
    if t is None:
        best = minimize_scalar(bound, bounds=(0.0, trace), method="bounded", options={"maxiter": 25})
        t = float(best.x)
    rounding = (unit_rounding(count) + unit_rounding(size)) * (trace + d * abs(t))
    return (bound(t) if known else min(bound(t), bound(0.0))) + rounding, t


def largest_eigenvalue(matrix: FloatArray) -> float:
    """Return it; of small matrices all at once, which costs less than the choice of one."""
    size = len(matrix)
    if size <= SMALL:
        return float(np.linalg.eigvalsh(matrix)[-1])
    return float(eigvalsh(matrix, subset_by_index=[size - 1, size - 1])[0])
