"""A positive definite matrix less the parts of some rows, in its own whitened coordinates.

Coordinates z of a vector v have |z|^2 = v'C^-1 v. With the z of the rows x_j of a set S as columns of Z and
their curvatures c_j, B_S = C - sum_{j in S} c_j x_j x_j' is I - K K' there, K = Z diag(c)^1/2, and its
inverse is I + K M^-1 K' with M = I - K'K (Sherman and Morrison, 1950; Woodbury, 1950). Sets of more rows
than coordinates factor I - K K' itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cholesky, eigvalsh, solve_triangular

from influstat.input.groups import Groups, Indices
from influstat.input.validation import FloatArray

TINY = 2e-15  # smallest eigenvalue of M at which its factor is still one: M is right to epsilon


@dataclass(frozen=True, eq=False)
class _Alike:
    """Sets of s rows each, for which M = L L'."""

    which: Indices  # shape (k,)
    place: Indices  # of their rows, shape (k, s)
    inverses: FloatArray  # L^-1, shape (k, s, s)
    slot: Indices  # of every set among these, or -1


class Downdate:
    """The inverses of I - K_S K_S' for several sets S of rows, which may overlap.

    `whitened` (p, s) are the z of the sets' rows, one set after the other, `curvature` (s,) their c.
    `headroom` (k,) is the smallest eigenvalue of I - K_S K_S': 1 - leverage, for one row; at most 1 where all
    curvature is >= 0, and then B_S >= headroom C. At most 0 where C less the set is singular, or a row of
    several curves the wrong way. Answers for sets whose headroom is at most `least` are nan.
    """

    def __init__(
        self, whitened: FloatArray, curvature: FloatArray, groups: Groups, *, least: float = 0.0
    ) -> None:
        self._groups, self._owners = groups, groups.owners
        self._whitened, self._curvature = whitened, curvature
        squares = np.einsum("ps,ps->s", whitened, whitened)
        single = groups.sizes == 1
        self._first = groups.starts[:-1]
        self.headroom = np.where(single, 1.0 - (curvature * squares)[self._first], 0.0)
        self._alike: list[_Alike] = []  # sets of as many rows as each other, no more than coordinates
        self._roots: dict[int, FloatArray] = {}  # of I - KK' of larger sets
        sizes = groups.sizes
        for size in np.unique(sizes[sizes > 1]).tolist():
            which = np.flatnonzero(sizes == size)
            if size <= len(whitened):
                self._factor_alike(which, least)
            else:
                for k in which.tolist():
                    self.headroom[k] = self._factor(k, least)
        safe = np.where(single & (self.headroom > least), self.headroom, np.nan)
        self._gain = curvature[self._first] / safe  # c / (1 - h) of single rows, nan of other sets

    def _columns(self, k: int) -> FloatArray:
        place = slice(int(self._groups.starts[k]), int(self._groups.starts[k + 1]))
        return np.asarray(self._whitened[:, place] * np.sqrt(self._curvature[place]))

    def _factor(self, k: int, least: float) -> float:
        """Factor what a set of more rows than coordinates leaves; return its smallest eigenvalue."""
        if (self._curvature[self._groups.starts[k] : self._groups.starts[k + 1]] < 0).any():
            return 0.0
        columns = self._columns(k)
        matrix = np.eye(len(columns)) - columns @ columns.T
        smallest = float(eigvalsh(matrix, subset_by_index=(0, 0))[0])
        if smallest > least:
            try:
                self._roots[k] = cholesky(matrix, lower=True, overwrite_a=True, check_finite=False)
            except LinAlgError:
                return 0.0
        return smallest

    def _factor_alike(self, which: Indices, least: float) -> None:
        """Factor M of sets of s rows each together, and fill in their smallest eigenvalues."""
        place = self._first[which, None] + np.arange(int(self._groups.sizes[which[0]]))
        convex = (self._curvature[place] >= 0).all(axis=1)
        which, place = which[convex], place[convex]
        rows = self._rows(place)
        matrices = np.eye(place.shape[1]) - rows @ rows.swapaxes(1, 2)
        known = np.isfinite(matrices).all(axis=(1, 2))  # nan where C itself was not positive definite
        self.headroom[which] = np.nan
        smallest = np.linalg.eigvalsh(matrices[known])[:, 0]
        self.headroom[which[known]] = smallest
        safe = np.flatnonzero(known)[smallest > max(least, TINY)]
        if safe.size:
            # Inverses, since NumPy solves no triangles together: eigenvalues are within `least` and 1.
            inverses = np.linalg.inv(np.linalg.cholesky(matrices[safe]))
            slot = np.full(len(self._first), -1)
            slot[which[safe]] = np.arange(len(safe))
            self._alike.append(_Alike(which[safe], place[safe], inverses, slot))

    def _rows(self, place: Indices) -> FloatArray:
        """Return K' of sets of as many rows each, shape (k, s, p), from where these stand, (k, s)."""
        rows = self._whitened.T[place]
        rows *= np.sqrt(self._curvature[place])[:, :, None]
        return rows

    def common(self, whitened: FloatArray) -> FloatArray:
        """Return |a|_{B_S^-1} for every set and every column a, shape (k, m), from their z (p, m)."""
        along = self._whitened[:, self._first].T @ whitened
        whole = np.sum(whitened**2, axis=0)
        squares = whole + self._gain[:, None] * along**2
        for sets in self._alike:
            extra = sets.inverses @ (self._rows(sets.place) @ whitened)
            squares[sets.which] = whole + np.sum(extra**2, axis=1)
        for k, root in self._roots.items():
            squares[k] = np.sum(_whiten(root, whitened) ** 2, axis=0)
        return np.asarray(np.sqrt(squares))

    def each(self, whitened: FloatArray) -> FloatArray:
        """Return |v_S|_{B_S^-1} for one column v_S per set, shape (k,), from their z (p, k)."""
        along = np.einsum("pk,pk->k", self._whitened[:, self._first], whitened)
        whole = np.sum(whitened**2, axis=0)
        squares = whole + self._gain * along**2
        for sets in self._alike:
            extra = sets.inverses @ (self._rows(sets.place) @ whitened.T[sets.which, :, None])
            squares[sets.which] = whole[sets.which] + np.sum(extra**2, axis=(1, 2))
        for k, root in self._roots.items():
            squares[k] = np.sum(_whiten(root, whitened[:, k]) ** 2)
        return np.asarray(np.sqrt(squares))

    def members(self, whitened: FloatArray) -> FloatArray:
        """Return |v_j|_{B_S^-1} for one column v_j per row of the sets, shape (s,), S being the row's own."""
        along = np.einsum("ps,ps->s", self._whitened, whitened)
        whole = np.sum(whitened**2, axis=0)
        squares = whole + self._gain[self._owners] * along**2
        for sets in self._alike:
            extra = sets.inverses @ (self._rows(sets.place) @ whitened.T[sets.place].swapaxes(1, 2))
            squares[sets.place] = whole[sets.place] + np.sum(extra**2, axis=1)
        for k, root in self._roots.items():
            place = slice(int(self._groups.starts[k]), int(self._groups.starts[k + 1]))
            squares[place] = np.sum(_whiten(root, whitened[:, place]) ** 2, axis=0)
        return np.asarray(np.sqrt(squares))

    def solve_each(self, whitened: FloatArray, sets: Indices | slice = slice(None)) -> FloatArray:
        """Return (I - K_S K_S')^-1 z_S for one column z_S per set, or for some of the sets, shape (p, k)."""
        # Then a'B_S^-1 v_S = z_a' of that.
        every = len(self._first) == len(self._owners) and isinstance(sets, slice)
        own = self._whitened[:, sets] if every else self._whitened[:, self._first[sets]]  # a view, or a copy
        value = own * (self._gain[sets] * np.einsum("pk,pk->k", own, whitened))
        value += whitened
        if self._alike or self._roots:
            asked = np.arange(len(self.headroom))[sets]
            for alike in self._alike:
                columns = np.flatnonzero(alike.slot[asked] >= 0)
                slots = alike.slot[asked[columns]]
                rows, inverse = self._rows(alike.place[slots]), alike.inverses[slots]
                z = whitened.T[columns, :, None]
                inner = inverse.swapaxes(1, 2) @ (inverse @ (rows @ z))
                value[:, columns] = (z + rows.swapaxes(1, 2) @ inner)[:, :, 0].T
            for column, k in enumerate(asked.tolist()):
                if k in self._roots:
                    value[:, column] = _solve(self._roots[k], whitened[:, column])
        return np.asarray(value)


def _whiten(root: FloatArray, columns: FloatArray) -> FloatArray:
    return np.asarray(solve_triangular(root, columns, lower=True, check_finite=False))


def _solve(root: FloatArray, column: FloatArray) -> FloatArray:
    return np.asarray(
        solve_triangular(root, _whiten(root, column), lower=True, trans="T", check_finite=False)
    )
