"""Cones: with squared error and few nuisance coefficients, a proof that no k units flip a sign.

*What is proven.* Coordinates t = t0 + (q - q0) u + N g, where a'u = 1 and the columns of N span a't = 0. Of row
i: xi_i = x_i'u, z_i = N'x_i and r_i = y_i - o_i - x_i't0. Whatever rows T are kept, their fit under a't = q0 has
a coordinate g_T whose score is 0, sum_T w_i z_i (r_i - z_i'g_T) = 0, and since the objective is convex the
conclusion q > q0 stands if and only if N(T) = sum_T w_i xi_i (r_i - z_i'g_T) > 0. (Neither t0 nor u need be exact:
any t0 with a't0 = q0 and any u with a'u = 1 are the same problem in other coordinates.)

*Multipliers.* For every (m, l), m >= 0, and T with N(T) <= 0,

    sum_T w_i (m xi_i + z_i'l) (r_i - z_i'g_T) = m N(T) + l'0 <= 0.

Let c_i(g, s; m, l) = w_i (m xi_i + z_i'l) (s r_i - z_i'g), s >= 0, and, topk(c) being the sum of the k largest
positive c (of clusters, of their sums; of units that never leave, none),

    h(g, s; m, l) = topk(c) - sum c = max over |S| <= k of - (sum of c over what is kept).

If for every (g, s) other than 0 there are multipliers with h < 0, then no T with |S| <= k has N(T) <= 0: at
(g_T, 1) its sum would be at most 0, so that h >= 0. In particular the coefficient stays identified, as N(T) = 0
where it is not. Only finite g_T are needed; the rays s = 0 close the set of all g.

*Cones.* For fixed multipliers c is linear in (g, s), so h is a maximum of linear functions: convex and of degree
one. Where the same multipliers give h < 0 at the generators of a cone, h < 0 in the whole cone. The half space s >=
0 is covered by the 2^d cones of +-e_1, ..., +-e_d and e_s; a cone for which no multipliers are found is cut in two
at the middle of its longest edge. Where there are no multipliers at a single generator, the weights that some rows
keep in part flip the conclusion there, no set of cones can prove this k, and the rows that reach topk there are a
good start for a search.

*Finding multipliers.* For fixed (g, s), h is a maximum of linear functions of (m, l) also: kept rows T give
h >= (m, l) M_T (g, s) with the matrix M_T = - sum_T w_i (xi_i, z_i)(-z_i, r_i)'. Each T met before is a cut for
every cone. Multipliers with (m, l)'b < 0 for all cuts b = M_T (g, s) and for (-1, 0, ..., 0) are minus the shortest
vector of the convex hull of the b, each scaled to length one (Lawson and Hanson's least distance programming, by
non-negative least squares); where that vector is 0 there are none. They only propose: the proof is h < 0 by
evaluation at each generator.

*Rounding.* xi, z and r are computed to a few epsilon times their sizes (the same products of absolute values), c to
that times |c|'s size, and sums of n terms to `unit_rounding` times the sum of the sizes: h must be below minus that.
Generators are made by adding vectors of the same signs (a cone lies in one orthant), so that a middle is off by
epsilon times itself, entry by entry, three times a cut; as h is sublinear, h(exact) <= h(computed) + the sum of |c|
at the difference: `DEPTH` more terms in the margin, and no cone is cut more often than that.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from influstat.algebra.rounding import unit_rounding
from influstat.input.validation import FloatArray

NUISANCES = 4  # the cones grow like 2^d at least: beyond four they are too many
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

    def margin(self, generator: FloatArray, multipliers: FloatArray) -> float:
        """Return what rounding can do to h."""

    def removed(self, generator: FloatArray, multipliers: FloatArray, k: int) -> NDArray[np.intp]:
        """Return the units of topk."""

    def spread(self, k: int) -> float:
        """Return the length of g that is like s = 1."""


@dataclass(frozen=True, eq=False, repr=False)
class Slopes:
    """The rows of one problem, scaled: what multiplies (`left`) and what is left over (`right`).

    Parameters
    ----------
    left : ndarray, shape (n, d + 1)
        xi and z.
    right : ndarray, shape (n, d + 1)
        -z and r.
    weights : ndarray, shape (n,)
        w.
    left_size, right_size : ndarray, shape (n, d + 1)
        The absolute values of the terms of these, summed: what epsilon multiplies in their rounding.
    owner : ndarray of int, shape (n,), optional
        The unit of each row, -1 for rows that never leave; each row its own unit when left out.
    """

    left: FloatArray
    right: FloatArray
    weights: FloatArray
    left_size: FloatArray
    right_size: FloatArray
    owner: NDArray[np.intp] | None = None

    @classmethod
    def of(
        cls,
        xi: FloatArray,
        z: FloatArray,
        r: FloatArray,
        weights: FloatArray,
        *,
        sizes: tuple[FloatArray, FloatArray, FloatArray] | None = None,
        owner: NDArray[np.intp] | None = None,
    ) -> Slopes:
        """Return the problem of xi (n,), z (n, d), r (n,); `sizes` are theirs, their values when left out."""
        xi_size, z_size, r_size = (np.abs(xi), np.abs(z), np.abs(r)) if sizes is None else sizes
        tall, wide = np.sqrt(weights @ xi**2) or 1.0, np.sqrt(weights @ r**2) or 1.0
        flat = np.sqrt(weights @ z**2)
        flat = np.where(flat > 0, flat, 1.0)
        return cls(
            np.column_stack([xi / tall, z / flat]),
            np.column_stack([-z / flat, r / wide]),
            weights,
            np.column_stack([xi_size / tall, z_size / flat]),
            np.column_stack([z_size / flat, r_size / wide]),
            owner,
        )

    @property
    def generators(self) -> int:
        """d + 1."""
        return self.left.shape[1]

    @property
    def multipliers(self) -> int:
        """d + 1."""
        return self.left.shape[1]

    @property
    def units(self) -> int:
        """How many units there are."""
        return len(self.left) if self.owner is None else int(self.owner.max()) + 1

    @cached_property
    def whole(self) -> FloatArray:
        """M of all rows, shape (d + 1, d + 1)."""
        return self.products(slice(None))

    def products(self, rows: NDArray[np.intp] | slice) -> FloatArray:
        """Return - sum over the rows of w left right'."""
        return -(self.left[rows] * self.weights[rows, None]).T @ self.right[rows]

    def terms(self, generator: FloatArray, multipliers: FloatArray) -> FloatArray:
        """Return c of every row."""
        return np.asarray(self.weights * (self.left @ multipliers) * (self.right @ generator))

    def by_unit(self, terms: FloatArray) -> FloatArray:
        """Return the sums of each unit."""
        if self.owner is None:
            return terms
        return np.bincount(self.owner + 1, weights=terms, minlength=self.units + 1)[1:]

    def rows_of(self, units: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the rows of these units."""
        return units if self.owner is None else np.flatnonzero(np.isin(self.owner, units))

    def cut(self, generator: FloatArray, multipliers: FloatArray, k: int) -> tuple[float, FloatArray]:
        """Return h, by summing c as the margin assumes, and the matrix of the rows kept where it is reached."""
        terms = self.terms(generator, multipliers)
        sums = self.by_unit(terms)
        units = largest(sums, k)
        height = float(np.sum(sums[units]) - np.sum(terms))
        return height, self.whole - self.products(self.rows_of(units))

    def removed(self, generator: FloatArray, multipliers: FloatArray, k: int) -> NDArray[np.intp]:
        """Return the units of topk."""
        return largest(self.by_unit(self.terms(generator, multipliers)), k)

    def spread(self, k: int) -> float:
        """Return how far g goes, for r of length one: the k largest scores' lengths (of the first order)."""
        scores = self.weights * np.linalg.norm(self.right[:, :-1], axis=1) * np.abs(self.right[:, -1])
        return float(np.sum(np.sort(self.by_unit(scores))[-k:])) or 1.0

    def margin(self, generator: FloatArray, multipliers: FloatArray) -> float:
        """Return what rounding can do to h."""
        size = self.weights * (self.left_size @ np.abs(multipliers)) * (self.right_size @ np.abs(generator))
        terms = 2 * len(size) + 3 * DEPTH + 4 * self.generators + 16
        return 2.0 * unit_rounding(terms) * float(np.sum(size))


def largest(values: FloatArray, k: int) -> NDArray[np.intp]:
    """Return the positions of the k largest positive values."""
    n = len(values)
    found = np.argpartition(values, n - k)[n - k :] if 0 < k < n else np.arange(n if k else 0)
    return found[values[found] > 0]


@dataclass(frozen=True, eq=False)
class Covering:
    """What became of a proof for one k.

    Attributes
    ----------
    proven : bool or None
        True: no k units flip the conclusion. False: not provable by cones, a fractional flip was found.
        None: the time was over, or the cones became too thin.
    cones : int
        Cones looked at.
    start : ndarray of int
        Units whose removal in part flips the conclusion: a start for a search. Empty unless not provable.
    """

    proven: bool | None
    cones: int
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

    def proven(self, deadline: float) -> Covering:
        """Return whether multipliers are found for cones that cover everything, until time.monotonic()."""
        cones = [(corners, 0) for corners in self._orthants()]
        for generator in {tuple(row) for corners, _ in cones for row in corners}:
            if self.multipliers(np.array([generator])) is None:
                return Covering(False, 0, self._flip(np.array(generator)))
        count = 0
        while cones:
            if time.monotonic() > deadline:
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
                if not height < -self.problem.margin(corner, proposed):
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
        return -shortest / np.abs(shortest).max()

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
    """Return the shortest vector of the convex hull of columns of length one, or 0 if none is found.

    x >= 0 with least |(V x, 1'x - 1)|: V x is a positive multiple of that vector, 0 where the hull holds 0.
    """
    matrix = np.vstack([vectors, np.ones(vectors.shape[1])])
    target = np.zeros(len(matrix))
    target[-1] = 1.0
    try:
        shares, _ = nnls(matrix, target, maxiter=50 * matrix.shape[1])
    except RuntimeError:  # it did not end: nothing is proposed
        return np.zeros(len(vectors))
    return np.asarray(vectors @ shares)


def largest_proven(
    problem: Multiplied, safe: int, flips: int, deadline: float
) -> tuple[int, tuple[NDArray[np.intp], ...]]:
    """Return the largest k that cones prove, and the starts for a search that were met above it.

    Parameters
    ----------
    problem : Multiplied
        The sign (`Slopes`) or the significance.
    safe, flips : int
        No `safe` units flip the conclusion, `flips` do: only what lies between is tried.
    deadline : float
        Of time.monotonic().

    Returns
    -------
    k : int
        `safe` where none is proven.
    starts : tuple of ndarray of int
        The units of fractional flips.

    Examples
    --------
    The sum of x y, of one column and no nuisance, keeps its sign without any one of these, not without two.

    >>> import numpy as np
    >>> x, y = np.ones(4), np.array([2.0, 2.0, 1.0, -2.5])
    >>> problem = Slopes.of(x, np.empty((4, 0)), y, np.ones(4))
    >>> largest_proven(problem, 0, 4, np.inf)[0]
    1
    """
    starts = []
    while safe + 1 < flips:
        k = (safe + flips) // 2
        found = Cover(problem, k).proven(deadline)
        if found.proven is None and time.monotonic() > deadline:
            break
        if found.proven:
            safe = k
            continue
        flips = k
        if found.start.size:
            starts.append(found.start)
    return safe, tuple(starts)
