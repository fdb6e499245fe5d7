"""Cones: with squared error and few nuisance coefficients, a proof that no k units flip a sign.

*What is proven.* With xi, z, r and h of the null fit (`null_fit`), whatever rows T are kept have a null fit
t0 + V'g_T, with score 0 along V: sum_T z_i (r_i - h_i z_i'g_T) = 0 (a penalty's part is added, `slopes`).
The objective is convex, so the conclusion stands if and only if N(T) = sum_T xi_i (r_i - h_i z_i'g_T) > 0.
Neither t0 nor u need be exact here: any t0 with a't0 = at and any u with a'u > 0 are the same problem.

*Multipliers.* For every (m, l) with m >= 0, and T with N(T) <= 0,

    sum_T (m xi_i + z_i'l) (r_i - h_i z_i'g_T) = m N(T) + l'0 <= 0.

Let c_i(g, s; m, l) = (m xi_i + z_i'l) (s r_i - h_i z_i'g) with s >= 0, and topk(c) the sum of the k largest
positive c (of clusters: of their sums; of units that never leave: none):

    h(g, s; m, l) = topk(c) - sum c = max over |S| <= k of - (sum of c over what is kept).

If for every (g, s) other than 0 there are multipliers with h < 0, then no T with |S| <= k has N(T) <= 0,
since h >= 0 for all multipliers at (g_T, 1). In particular the coefficient stays identified: N(T) = 0 where
it is not. (Finite g_T need s > 0 only; the rays s = 0 close the set of all g.)

*Cones.* For fixed multipliers c is linear in (g, s), so h is a maximum of linear functions: convex and of
degree one. Where the same multipliers give h < 0 at the generators of a cone, h < 0 in the whole cone. The
half space s >= 0 is covered by 2^d cones, those of +-e_1, ..., +-e_d and e_s. A cone for which no
multipliers are found is cut in two at the middle of its longest edge. Where there are no multipliers at a
single generator, weights that some rows keep in part flip the conclusion, no cones prove this k, and the
rows that reach topk there are a good start for a search.

*Finding multipliers.* For fixed (g, s), h is a maximum of linear functions of (m, l) also: the rows T that
some multipliers keep give h >= (m, l) M_T (g, s) everywhere, with a matrix M_T = - sum_T (xi_i, z_i)(r_i,
-h_i z_i)'. Each T met before is a cut for every cone. Multipliers with (m, l)'b < 0 for all cuts b = M_T
(g, s) and for (-1, 0, ..., 0) are minus the shortest vector of the convex hull of the b, each scaled to
length one (Lawson and Hanson's least distance programming, by non-negative least squares); where that
vector is 0 there are none. So they are proposed; the proof is h < 0, evaluated at each generator by summing
c.

*Rounding.* `Multiplied.margin` bounds what rounding does to h at a generator. Generators are sums of
vectors in one orthant, so that a middle is right to epsilon times itself, entry by entry, three times a
cut; h is sublinear and h(exact) <= h(computed) + the sum of |c| at the difference: 3 `DEPTH` epsilons more
of the sizes that the margin sums, and no cone is cut more often than that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from influstat.input.validation import FloatArray
from influstat.sets.budget import Budget

DEPTH = 60  # cuts after which a cone is a line up to rounding: the fractional flip lies inside it
STEPS = 40  # multipliers proposed for one cone before it is cut: many more help rarely, and cost as much
MEMORY = 300  # cuts kept: the shortest vector costs as much as a few evaluations then
ZERO = 1e-10  # of vectors of length one: below, the hull of the cuts holds 0


class Multiplied(Protocol):
    """h as this file needs it, sublinear in the generator and convex in the multipliers."""

    @property
    def generators(self) -> int:
        """Entries of a generator, d + 1."""

    @property
    def multipliers(self) -> int:
        """Entries of the multipliers; the first is at least 0."""

    def cut(self, generator: FloatArray, multipliers: FloatArray, k: int) -> tuple[float, FloatArray]:
        """Return h and a matrix M: h is at least multipliers' M generator everywhere, and equal here."""

    def margin(self, generator: FloatArray, multipliers: FloatArray, k: int) -> float:
        """Return what rounding can do to h, of a generator up to 3 `DEPTH` epsilons away too."""

    def removed(self, generator: FloatArray, multipliers: FloatArray, k: int) -> NDArray[np.intp]:
        """Return the units of topk."""

    def spread(self, k: int) -> float:
        """Return how long g may be where s = 1, roughly: in what shape cones are cut."""


@dataclass(frozen=True, eq=False)
class Covering:
    """What became of a proof for one k."""

    # True: no k units flip the conclusion. False: not provable by cones, a fractional flip was found. None:
    # the time was over, or the cones became too thin.
    proven: bool | None
    cones: int  # cones looked at
    # Units whose removal in part flips the conclusion: a start for a search. Empty unless not provable.
    start: NDArray[np.intp]


NOWHERE: NDArray[np.intp] = np.empty(0, dtype=np.intp)


class Cover:
    """The cones of one problem and one k, from the half space down to those with multipliers of their own."""

    def __init__(self, problem: Multiplied, k: int) -> None:
        self.problem, self.k = problem, k
        d = problem.generators - 1
        self.unit = np.append(np.full(d, problem.spread(k)), 1.0)
        self.cuts: list[FloatArray] = []
        self.first = np.zeros(problem.multipliers)
        self.first[0] = 1.0

    def proven(self, budget: Budget) -> Covering:
        """Return whether multipliers are found for cones that cover everything, in this time."""
        cones = [(corners, 0) for corners in self._orthants()]
        for generator in {tuple(row) for corners, _ in cones for row in corners}:
            if self.multipliers(np.array([generator])) is None:
                return Covering(False, 0, self._flip(np.array(generator)))
        count = 0
        while cones:
            if budget.out:
                return Covering(None, count, NOWHERE)
            corners, depth = cones.pop()
            count += 1
            if self.multipliers(corners) is not None:
                continue
            if depth >= DEPTH:
                return Covering(None, count, NOWHERE)
            i, j, middle = self._longest_edge(corners)
            if self.multipliers(middle[None]) is None:
                return Covering(False, count, self._flip(middle))
            for old in (i, j):
                half = corners.copy()
                half[old] = middle
                cones.append((half, depth + 1))
        return Covering(True, count, NOWHERE)

    def multipliers(self, corners: FloatArray) -> FloatArray | None:
        """Return multipliers with h < 0 at all of these generators, None where none are found."""
        for _ in range(STEPS):
            proposed = self._proposed(corners)
            if proposed is None:
                return None
            below = True
            for corner in corners:
                height, matrix = self.problem.cut(corner, proposed, self.k)
                if not np.isfinite(matrix).all():
                    return None  # no degrees of freedom are left, or numbers beyond float64
                if not height < -self.problem.margin(corner, proposed, self.k):
                    below = False
                    self.cuts.append(matrix)
            if below:
                return proposed
            del self.cuts[:-MEMORY]
        return None

    def _proposed(self, corners: FloatArray) -> FloatArray | None:
        """Return multipliers, scaled to 1 in the first, that satisfy all cuts, None if there are none."""
        if not self.cuts:
            return self.first
        vectors = np.einsum("cij,mj->icm", np.array(self.cuts), corners).reshape(len(self.first), -1)
        vectors = np.column_stack([vectors, -self.first])
        lengths = np.linalg.norm(vectors, axis=0)
        shortest = shortest_vector(vectors[:, lengths > 0] / lengths[lengths > 0])
        if np.linalg.norm(shortest) < ZERO or not shortest[0] < 0:
            return None
        return np.asarray(-shortest / np.abs(shortest).max())

    def _orthants(self) -> list[FloatArray]:
        """Return the generators, one a row, of the cones that the half space is made of."""
        d = len(self.unit) - 1
        signs = np.array(np.meshgrid(*[[1.0, -1.0]] * d)).reshape(d, -1).T if d else np.empty((1, 0))
        return [np.diag(np.append(sign, 1.0) * self.unit) for sign in signs]

    def _longest_edge(self, corners: FloatArray) -> tuple[int, int, FloatArray]:
        """Return the ends and the middle of the edge with the widest angle, as seen in units of `unit`."""
        lengths = np.linalg.norm(corners / self.unit, axis=1)
        directions = corners / self.unit / lengths[:, None]
        angles = directions @ directions.T
        i, j = np.unravel_index(int(np.argmin(angles)), angles.shape)
        return int(i), int(j), corners[i] / lengths[i] + corners[j] / lengths[j]

    def _flip(self, generator: FloatArray) -> NDArray[np.intp]:
        return self.problem.removed(generator, self.first, self.k)


def shortest_vector(vectors: FloatArray) -> FloatArray:
    """Return a positive multiple of the shortest vector of the hull of columns; 0 if it is or fails."""
    # V x for the x >= 0 with least |(V x, 1'x - 1)|.
    matrix = np.vstack([vectors, np.ones(vectors.shape[1])])
    target = np.zeros(len(matrix))
    target[-1] = 1.0
    try:
        shares, _ = nnls(matrix, target, maxiter=50 * matrix.shape[1])
    except RuntimeError:  # it did not end: nothing is proposed
        return np.zeros(len(vectors))
    return np.asarray(vectors @ shares)
