"""A positive definite matrix less the parts of some rows, in its own whitened coordinates.

Coordinates z of a vector v have |z|^2 = v'C^-1 v. With the z of the rows x_j of a set S as columns of Z and
their curvatures c_j, B_S = C - sum_{j in S} c_j x_j x_j' is I - K K' there, K = Z diag(c)^1/2, and its
inverse is I + K M^-1 K' with M = I - K'K (Sherman and Morrison, 1950; Woodbury, 1950). Sets of more rows
than coordinates factor I - K K' itself.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cholesky, eigvalsh, solve_triangular

from influstat.input.groups import Groups, Indices
from influstat.input.validation import FloatArray


class Downdate:
    """The inverses of I - K_S K_S' for several sets S of rows, which may overlap.

    Parameters
    ----------
    whitened : ndarray, shape (p, s)
        The z of the sets' rows, one set after the other.
    curvature : ndarray, shape (s,)
        Their c.
    groups : Groups
        The sets.
    least : float
        What is left of a direction at least, for a set to be answered for.

    Attributes
    ----------
    headroom : ndarray, shape (k,)
        Smallest eigenvalue of I - K_S K_S': 1 - leverage, for one row; at most 1 where all curvature is >= 0,
        and then B_S >= headroom C. At most 0 where C less the set is singular, or a row of several curves the
        wrong way.
        Answers for sets whose headroom is at most `least` are nan.
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
        self._roots: dict[int, FloatArray] = {}  # of M, or of I - KK', whichever is smaller
        for k in np.flatnonzero(~single).tolist():
            self.headroom[k] = self._factor(k, least)
        safe = np.where(single & (self.headroom > least), self.headroom, np.nan)
        self._gain = curvature[self._first] / safe  # c / (1 - h) of single rows, nan of other sets

    def _columns(self, k: int) -> FloatArray:
        place = slice(int(self._groups.starts[k]), int(self._groups.starts[k + 1]))
        return np.asarray(self._whitened[:, place] * np.sqrt(self._curvature[place]))

    def _factor(self, k: int, least: float) -> float:
        """Factor what one set of rows leaves; return its smallest eigenvalue."""
        if (self._curvature[self._groups.starts[k] : self._groups.starts[k + 1]] < 0).any():
            return 0.0
        columns = self._columns(k)
        if columns.shape[1] > columns.shape[0]:
            columns = columns.T
        matrix = np.eye(columns.shape[1]) - columns.T @ columns
        smallest = float(eigvalsh(matrix, subset_by_index=(0, 0))[0])
        if smallest > least:
            try:
                self._roots[k] = cholesky(matrix, lower=True, overwrite_a=True, check_finite=False)
            except LinAlgError:
                return 0.0
        return smallest

    def common(self, whitened: FloatArray) -> FloatArray:
        """Return |a|_{B_S^-1} for every set and every column a, shape (k, m), from their z (p, m)."""
        along = self._whitened[:, self._first].T @ whitened
        squares = np.sum(whitened**2, axis=0) + self._gain[:, None] * along**2
        for k, root in self._roots.items():
            squares[k] = self._squares(k, root, whitened)
        return np.asarray(np.sqrt(squares))

    def each(self, whitened: FloatArray) -> FloatArray:
        """Return |v_S|_{B_S^-1} for one column v_S per set, shape (k,), from their z (p, k)."""
        along = np.einsum("pk,pk->k", self._whitened[:, self._first], whitened)
        squares = np.sum(whitened**2, axis=0) + self._gain * along**2
        for k, root in self._roots.items():
            squares[k] = self._squares(k, root, whitened[:, [k]])[0]
        return np.asarray(np.sqrt(squares))

    def members(self, whitened: FloatArray) -> FloatArray:
        """Return |v_j|_{B_S^-1} for one column v_j per row of the sets, shape (s,), S being the row's own."""
        along = np.einsum("ps,ps->s", self._whitened, whitened)
        squares = np.sum(whitened**2, axis=0) + self._gain[self._owners] * along**2
        for k, root in self._roots.items():
            place = slice(int(self._groups.starts[k]), int(self._groups.starts[k + 1]))
            squares[place] = self._squares(k, root, whitened[:, place])
        return np.asarray(np.sqrt(squares))

    def solve_each(self, whitened: FloatArray, sets: Indices | slice = slice(None)) -> FloatArray:
        """Return (I - K_S K_S')^-1 z_S for one column z_S per set, shape (p, k).

        Then a'B_S^-1 v_S = z_a' of that. Columns may be those of some of the sets only, by position.

        Returns
        -------
        ndarray, shape (p, k)
        """
        every = len(self._first) == len(self._owners) and isinstance(sets, slice)
        own = self._whitened[:, sets] if every else self._whitened[:, self._first[sets]]  # a view, or a copy
        value = own * (self._gain[sets] * np.einsum("pk,pk->k", own, whitened))
        value += whitened
        if self._roots:
            for column, k in enumerate(np.arange(len(self.headroom))[sets].tolist()):
                if k in self._roots:
                    value[:, column] = self._solve(k, self._roots[k], whitened[:, column])
        return np.asarray(value)

    def _squares(self, k: int, root: FloatArray, whitened: FloatArray) -> FloatArray:
        """Return z'(I - K K')^-1 z of every column z, for a set of several rows."""
        columns = self._columns(k)
        if len(root) == len(columns) < columns.shape[1]:
            return np.asarray(np.sum(_whiten(root, whitened) ** 2, axis=0))
        extra = _whiten(root, columns.T @ whitened)
        return np.asarray(np.sum(whitened**2, axis=0) + np.sum(extra**2, axis=0))

    def _solve(self, k: int, root: FloatArray, column: FloatArray) -> FloatArray:
        columns = self._columns(k)
        if len(root) == len(columns) < columns.shape[1]:
            return _solve(root, column)
        return np.asarray(column + columns @ _solve(root, columns.T @ column))


def _whiten(root: FloatArray, columns: FloatArray) -> FloatArray:
    return np.asarray(solve_triangular(root, columns, lower=True, check_finite=False))


def _solve(root: FloatArray, column: FloatArray) -> FloatArray:
    return np.asarray(
        solve_triangular(root, _whiten(root, column), lower=True, trans="T", check_finite=False)
    )
